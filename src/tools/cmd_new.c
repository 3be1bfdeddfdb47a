/* cmd_new.c: virt-hostdev new: a <hostdev> for a VF, to be pasted into a domain or attached to one
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "tools/tool.h"

#include "conf/address_conf.h"
#include "conf/netdev_conf.h"
#include "util/virerror.h"
#include "util/virpci.h"

/* One <netdev> a port, with a MAC address of its own. */
static void
addNetdevs(virtHost *host, const virtVF *vf, GString *out)
{
    static const virtXmlLayout layout = {.prefix = "", .indent = "\n  ", .step = "  "};
    bool certain = true;
    g_autoptr(GArray) ports = virtVFFindPorts(host, vf, &certain);

    for (guint i = 0; i < ports->len; i++) {
        virtNetdev netdev = {.port = g_array_index(ports, guint, i), .present = VIRT_NETDEV_BIT(VIRT_NETDEV_MAC)};

        virtMacGenerate(netdev.mac);
        virtNetdevFormat(out, &netdev, &layout);
    }
    if (!certain)
        virtHostWarn(
            host,
            "It is not certain that %s has all of these ports. virt-hostdev plan says which <netdev> is of use; "
            "delete the others",
            vf->name);
}

static void
warnUsed(virtHost *host, const virtPCIAddress *address)
{
    g_autoptr(virtRecord) record = NULL;
    virtHandle handle;

    virtHandleSetPCI(&handle, address);
    record = virtProvisionRecordLoad(host, &handle, NULL);
    if (record)
        virtHostWarn(host, "'%s' has %s now, so another domain with it cannot start", record->owner.name, handle.name);
}

/* The first VF of the pool @name: all of them should have the same ports. */
static bool
findInPool(virtTool *tool, const char *name, virtPCIAddress *ret, GError **error)
{
    g_autoptr(virtPool) pool = virtProvisionPoolLoad(tool->host, name, error);
    g_autoptr(GPtrArray) vfs = NULL;

    if (!pool || !(vfs = virtProvisionPoolListVFs(tool->host, pool, error)))
        return false;
    if (vfs->len == 0) {
        g_set_error(error, VIRT_ERROR, VIRT_ERROR_NOT_FOUND, "This host has none of the VFs of pool '%s'", name);
        return false;
    }
    return virtHandleGetPCI(&((const virtPoolVF *)vfs->pdata[0])->handle, ret);
}

/* A name of a pool that would not be taken in a document is not written into one. */
static bool
findVF(virtTool *tool, const char *pool, char **args, virtPCIAddress *ret, GError **error)
{
    if (!pool)
        return virtPCIAddressParse(args[0], ret, error);
    if (virtChoiceIsPool(pool))
        return findInPool(tool, pool, ret, error);
    g_set_error(error, VIRT_ERROR, VIRT_ERROR_INVALID, "'%s' is not the name of a pool: " VIRT_CHOICE_POOL_NAMES, pool);
    return false;
}

bool
virtCmdNew(virtTool *tool, int argc, char **argv, GError **error)
{
    g_autofree char *pool = NULL;
    const GOptionEntry entries[] = {
        {"pool", 0, 0, G_OPTION_ARG_STRING, &pool, "for any free VF of this pool", "POOL"},
        {NULL},
    };
    g_autoptr(GString) out = g_string_new("<hostdev mode='subsystem' type='pci' managed='yes'>\n");
    g_autoptr(virtVF) vf = NULL;
    virtPCIAddress address;

    if (!virtToolOptions(tool, entries, &argc, &argv, 0, 1, error))
        return false;
    if (!pool == (argc == 1)) {
        g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                    "give the address of a VF, or --pool=POOL (see virt-hostdev new --help)");
        return false;
    }
    if (!findVF(tool, pool, argv + 1, &address, error) || !(vf = virtVFLookup(tool->host, &address, error)))
        return false;
    if (pool) {
        g_string_append_printf(out, "  <source pool='%s'/>", pool);
    } else {
        warnUsed(tool->host, &address);
        g_string_append(out, "  <source>\n    ");
        virtPCIAddressFormatXml(out, &address, "");
        g_string_append(out, "\n  </source>");
    }
    addNetdevs(tool->host, vf, out);
    printf("%s\n</hostdev>\n", out->str);
    return true;
}
