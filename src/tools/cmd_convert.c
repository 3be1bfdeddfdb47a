/* cmd_convert.c: virt-hostdev convert: between what people write and what stock libvirt stores
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "tools/tool.h"

static char *
convertTo(const char *to, const char *xml, gsize len, const char *file, GError **error)
{
    if (g_str_equal(to, "stock"))
        return virtDomainToStock(xml, len, file, VIRT_DOMAIN_INTERFACES, error);
    if (g_str_equal(to, "netdev"))
        return virtDomainConvert(xml, len, file, VIRT_DOMAIN_FORM_NETDEV, error);
    return virtDomainConvert(xml, len, file, VIRT_DOMAIN_FORM_INTERFACE, error);
}

bool
virtCmdConvert(virtTool *tool, int argc, char **argv, GError **error)
{
    static const char *const forms[] = {"stock", "netdev", "interface", NULL};
    g_autofree char *to = NULL;
    const GOptionEntry entries[] = {
        {"to", 0, 0, G_OPTION_ARG_STRING, &to, "the form to write", "stock|netdev|interface"},
        {NULL},
    };
    gsize len;
    g_autofree char *xml = NULL;
    g_autofree char *converted = NULL;

    if (!virtToolOptions(tool, entries, &argc, &argv, 1, 1, error))
        return false;
    if (!to)
        to = g_strdup("");
    if (!g_strv_contains(forms, to)) {
        g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                    "--to=%s: give --to=stock, --to=netdev or --to=interface", to);
        return false;
    }
    if (!(xml = virtToolReadFile(tool, argv[1], &len, error)))
        return false;
    if (!(converted = convertTo(to, xml, len, tool->file, error)))
        return false;
    fputs(converted, stdout);
    return true;
}
