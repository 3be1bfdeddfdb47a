/* cmd_dumpxml.c: virt-hostdev dumpxml: a domain as its author wrote it
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "tools/tool.h"

#include <string.h>

bool
virtCmdDumpxml(virtTool *tool, int argc, char **argv, GError **error)
{
    gboolean inactive = FALSE, security = FALSE, migratable = FALSE;
    const GOptionEntry entries[] = {
        {"inactive", 0, 0, G_OPTION_ARG_NONE, &inactive, "show what the next start will use", NULL},
        {"security-info", 0, 0, G_OPTION_ARG_NONE, &security, "include passwords", NULL},
        {"migratable", 0, 0, G_OPTION_ARG_NONE, &migratable, "show what a migration would send", NULL},
        {NULL},
    };
    g_autoptr(virConnect) conn = NULL;
    g_autofree char *xml = NULL;
    g_autofree char *shown = NULL;
    guint flags = 0;

    if (!virtToolOptions(tool, entries, &argc, &argv, 1, 1, error))
        return false;
    if (inactive)
        flags |= VIR_DOMAIN_XML_INACTIVE;
    if (security)
        flags |= VIR_DOMAIN_XML_SECURE;
    if (migratable)
        flags |= VIR_DOMAIN_XML_MIGRATABLE;
    conn = virtToolConnect(tool, !security, error);
    if (!(xml = virtToolGetXml(conn, argv[1], flags, error)) ||
        !(shown = virtDomainFormat(xml, strlen(xml), NULL, VIRT_DOMAIN_FORM_WRITTEN, error)))
        return false;
    fputs(shown, stdout);
    return true;
}
