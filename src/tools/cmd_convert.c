/* cmd_convert.c: virt-hostdev convert: between what people write and what stock libvirt stores
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "tools/tool.h"

bool
virtCmdConvert(virtTool *tool, int argc, char **argv, GError **error)
{
    g_autofree char *to = NULL;
    const GOptionEntry entries[] = {
        {"to", 0, 0, G_OPTION_ARG_STRING, &to, "the form to write", "stock|netdev"},
        {NULL},
    };
    gsize len;
    g_autofree char *xml = NULL;
    g_autofree char *converted = NULL;

    if (!virtToolOptions(tool, entries, &argc, &argv, 1, 1, error))
        return false;
    if (g_strcmp0(to, "stock") != 0 && g_strcmp0(to, "netdev") != 0) {
        g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, "--to=%s: give --to=stock or --to=netdev",
                    to ? to : "");
        return false;
    }
    if (!(xml = virtToolReadFile(tool, argv[1], &len, error)))
        return false;
    if (g_str_equal(to, "stock"))
        converted = virtDomainToStock(xml, len, tool->file, false, error);
    else
        converted = virtDomainToNetdev(xml, len, tool->file, error);
    if (!converted)
        return false;
    fputs(converted, stdout);
    return true;
}
