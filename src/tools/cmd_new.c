/* cmd_new.c: virt-hostdev new: a <hostdev> for a VF, to be pasted into a domain or attached to one
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "tools/tool.h"

#include "conf/address_conf.h"
#include "conf/netdev_conf.h"
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

bool
virtCmdNew(virtTool *tool, int argc, char **argv, GError **error)
{
    g_autoptr(GString) out = g_string_new("<hostdev mode='subsystem' type='pci' managed='yes'>\n  <source>\n    ");
    g_autoptr(virtVF) vf = NULL;
    virtPCIAddress address;

    if (!virtToolOptions(tool, NULL, &argc, &argv, 1, 1, error) || !virtPCIAddressParse(argv[1], &address, error) ||
        !(vf = virtVFLookup(tool->host, &address, error)))
        return false;
    warnUsed(tool->host, &address);
    virtPCIAddressFormatXml(out, &address, "");
    g_string_append(out, "\n  </source>");
    addNetdevs(tool->host, vf, out);
    printf("%s\n</hostdev>\n", out->str);
    return true;
}
