/* cmd_validate.c: virt-hostdev validate: is this document right, as far as a document alone can tell?
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "tools/tool.h"

#include <string.h>

#include "conf/schema.h"
#include "config.h"

static bool
validateFile(virtTool *tool, const char *schemas, const char *file, GError **error)
{
    gsize len;
    g_autofree char *xml = virtToolReadFile(tool, file, &len, error);
    g_autoptr(virtDomainConf) domain = NULL;
    g_autofree char *shown = NULL;

    if (!xml)
        return false;
    /* Ours first: it says what is wrong; the grammar only says that something is. */
    if (!(domain = virtDomainConfParse(xml, len, tool->file, VIRT_DOMAIN_INTERFACES, error)) ||
        !(shown = virtDomainFormat(xml, len, tool->file, VIRT_DOMAIN_FORM_WRITTEN, error)))
        return false;
    return virtSchemaValidate(schemas, shown, strlen(shown), tool->file, error);
}

bool
virtCmdValidate(virtTool *tool, int argc, char **argv, GError **error)
{
    g_autofree char *schemas = NULL;
    const GOptionEntry entries[] = {
        {"schemas", 0, 0, G_OPTION_ARG_FILENAME, &schemas,
         "the directory of domaincommon.rng, if not where it was installed", "DIR"},
        {NULL},
    };

    if (!virtToolOptions(tool, entries, &argc, &argv, 1, -1, error))
        return false;
    if (!schemas)
        schemas = g_strdup(VIRT_SCHEMA_DIR);
    for (int i = 1; i < argc; i++) {
        if (!validateFile(tool, schemas, argv[i], error))
            return false;
        printf("%s validates\n", argv[i]);
    }
    return true;
}
