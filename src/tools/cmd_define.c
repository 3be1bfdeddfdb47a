/* cmd_define.c: virt-hostdev define and create: hand libvirt the stock form of a domain
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "tools/tool.h"

#include <string.h>

/* The stock form of @file, each netdev with a MAC of its own. Interfaces are converted whatever virthostdevd.conf says:
 * it speaks of clients that do not know us, and who calls us does. */
static char *
readStock(virtTool *tool, const char *file, GError **error)
{
    gsize len;
    g_autofree char *xml = virtToolReadFile(tool, file, &len, error);
    g_autofree char *found = NULL;

    if (!xml || !(found = virtToolGrantWishes(tool, xml, len, VIRT_DOMAIN_INTERFACES, error)))
        return NULL;
    return virtDomainToStock(found, strlen(found), tool->file, VIRT_DOMAIN_GENERATE_MAC | VIRT_DOMAIN_INTERFACES,
                             error);
}

bool
virtCmdDefine(virtTool *tool, int argc, char **argv, GError **error)
{
    gboolean validate = FALSE, persist = FALSE;
    const GOptionEntry entries[] = {
        {"validate", 0, 0, G_OPTION_ARG_NONE, &validate, "have libvirt check the XML against its schema", NULL},
        {"persist", 0, 0, G_OPTION_ARG_NONE, &persist, "define its mediated devices as node devices, too", NULL},
        {NULL},
    };
    g_autofree char *stock = NULL;
    g_autoptr(virConnect) conn = NULL;
    g_autoptr(virDomain) domain = NULL;
    guint flags = 0;

    if (!virtToolOptions(tool, entries, &argc, &argv, 1, 1, error) || !(stock = readStock(tool, argv[1], error)) ||
        !(conn = virtToolConnect(tool, false, error)) || !virtToolCheckStock(tool, conn, stock, error))
        return false;
    if (validate)
        flags |= VIR_DOMAIN_DEFINE_VALIDATE;
    domain = virDomainDefineXMLFlags(conn, stock, flags);
    if (!domain) {
        virtToolLibvirtError(error, "libvirt refused the domain");
        return false;
    }
    printf("Domain '%s' defined from %s\n", virDomainGetName(domain), argv[1]);
    return !persist || virtToolPersist(tool, conn, stock, error);
}

bool
virtCmdCreate(virtTool *tool, int argc, char **argv, GError **error)
{
    gboolean validate = FALSE, paused = FALSE;
    const GOptionEntry entries[] = {
        {"validate", 0, 0, G_OPTION_ARG_NONE, &validate, "have libvirt check the XML against its schema", NULL},
        {"paused", 0, 0, G_OPTION_ARG_NONE, &paused, "leave the guest paused", NULL},
        {NULL},
    };
    g_autofree char *stock = NULL;
    g_autoptr(virConnect) conn = NULL;
    g_autoptr(virDomain) domain = NULL;
    guint flags = 0;

    if (!virtToolOptions(tool, entries, &argc, &argv, 1, 1, error) || !(stock = readStock(tool, argv[1], error)) ||
        !(conn = virtToolConnect(tool, false, error)) || !virtToolCheckStock(tool, conn, stock, error))
        return false;
    if (validate)
        flags |= VIR_DOMAIN_START_VALIDATE;
    if (paused)
        flags |= VIR_DOMAIN_START_PAUSED;
    domain = virDomainCreateXML(conn, stock, flags);
    if (!domain) {
        virtToolLibvirtError(error, "libvirt did not start the domain");
        return false;
    }
    printf("Domain '%s' created from %s\n", virDomainGetName(domain), argv[1]);
    return true;
}
