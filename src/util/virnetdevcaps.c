/* virnetdevcaps.c: what drivers can do: the table, and the port it is asked about
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The rows say which ndo_set_vf_* a driver has in Linux 6.12 and what it takes there. Newer kernels and vendors' own
 * drivers may differ, so this is for telling people beforehand, never for refusing: the kernel decides. What no row
 * and no reading tells is unknown.
 */
#include "util/virnetdevcaps.h"

#include <linux/if_ether.h>
#include <string.h>

static bool
hasVlanPriority(const virtNetdev *wanted)
{
    return wanted->vlan.priority != 0;
}

static bool
hasVlan8021AD(const virtNetdev *wanted)
{
    return wanted->vlan.id != 0 && wanted->vlan.protocol == ETH_P_8021AD;
}

static bool
hasFloor(const virtNetdev *wanted)
{
    guint32 max, min;

    virtNetdevGetRate(wanted, &max, &min);
    return min != 0;
}

static bool
hasLinkUp(const virtNetdev *wanted)
{
    return wanted->link == 1; /* IFLA_VF_LINK_STATE_ENABLE */
}

const virtNetdevCapabilityInfo virtNetdevCapabilities[VIRT_CAPABILITY_LAST] = {
    [VIRT_CAPABILITY_MAC] = {"MAC address", VIRT_NETDEV_MAC, NULL, false, false},
    [VIRT_CAPABILITY_VLAN] = {"VLAN", VIRT_NETDEV_VLAN, NULL, false, false},
    [VIRT_CAPABILITY_VLAN_PRIORITY] = {"VLAN with priority", VIRT_NETDEV_VLAN, hasVlanPriority, false, false},
    [VIRT_CAPABILITY_VLAN_8021AD] = {"VLAN with 802.1ad", VIRT_NETDEV_VLAN, hasVlan8021AD, false, false},
    [VIRT_CAPABILITY_RATE] = {"rate", VIRT_NETDEV_BANDWIDTH, NULL, false, false},
    [VIRT_CAPABILITY_FLOOR] = {"rate with floor", VIRT_NETDEV_BANDWIDTH, hasFloor, false, false},
    [VIRT_CAPABILITY_SPOOFCHECK] = {"spoof check", VIRT_NETDEV_SPOOFCHECK, NULL, false, true},
    [VIRT_CAPABILITY_LINK] = {"link state", VIRT_NETDEV_LINK, NULL, false, false},
    [VIRT_CAPABILITY_LINK_UP] = {"link state up", VIRT_NETDEV_LINK, hasLinkUp, false, false},
    [VIRT_CAPABILITY_TRUST] = {"trust", VIRT_NETDEV_TRUST, NULL, false, true},
    [VIRT_CAPABILITY_NODE_GUID] = {"node GUID", VIRT_NETDEV_NODE_GUID, NULL, true, false},
    [VIRT_CAPABILITY_PORT_GUID] = {"port GUID", VIRT_NETDEV_PORT_GUID, NULL, true, false},
    [VIRT_CAPABILITY_VIRTUALPORT] = {"port profile", VIRT_NETDEV_VIRTUALPORT, NULL, false, false},
};

#define BIT(capability) (1u << VIRT_CAPABILITY_##capability)
#define CAN_MAC BIT(MAC)
#define CAN_VLAN (BIT(VLAN) | BIT(VLAN_PRIORITY))
#define CAN_VLAN_PLAIN BIT(VLAN)
#define CAN_AD BIT(VLAN_8021AD)
#define CAN_RATE BIT(RATE)
#define CAN_FLOOR BIT(FLOOR)
#define CAN_SPOOF BIT(SPOOFCHECK)
#define CAN_LINK (BIT(LINK) | BIT(LINK_UP))
#define CAN_LINK_NOT_UP BIT(LINK)
#define CAN_TRUST BIT(TRUST)
#define CAN_GUIDS (BIT(NODE_GUID) | BIT(PORT_GUID))
#define CAN_PROFILE BIT(VIRTUALPORT)

const virtNetdevCapsDriver virtNetdevCapsDrivers[] = {
    /* driver, ports, can, maybe, source */
    {"be2net", VIRT_CAPS_PORT_ANY, CAN_MAC | CAN_VLAN | CAN_RATE | CAN_LINK, CAN_SPOOF, "emulex/benet/be_main.c"},
    {"bnx2x", VIRT_CAPS_PORT_ANY, CAN_MAC | CAN_VLAN | CAN_SPOOF | CAN_LINK, 0, "broadcom/bnx2x/bnx2x_sriov.c"},
    {"bnxt_en", VIRT_CAPS_PORT_ANY, CAN_MAC | CAN_VLAN | CAN_RATE | CAN_FLOOR | CAN_SPOOF | CAN_LINK,
     CAN_AD | CAN_TRUST, "broadcom/bnxt/bnxt_sriov.c"},
    {"cxgb4", VIRT_CAPS_PORT_ANY, CAN_MAC | CAN_VLAN_PLAIN | CAN_RATE | CAN_LINK, 0, "chelsio/cxgb4/cxgb4_main.c"},
    {"ena", VIRT_CAPS_PORT_ANY, 0, 0, "amazon/ena/ena_netdev.c"},
    {"enic", VIRT_CAPS_PORT_ANY, CAN_MAC | CAN_PROFILE, 0, "cisco/enic/enic_main.c"},
    {"fm10k", VIRT_CAPS_PORT_ANY, CAN_MAC | CAN_VLAN_PLAIN | CAN_RATE, 0, "intel/fm10k/fm10k_iov.c"},
    {"fsl_enetc", VIRT_CAPS_PORT_ANY, CAN_MAC | CAN_VLAN | CAN_SPOOF, 0, "freescale/enetc/enetc_pf.c"},
    {"hinic", VIRT_CAPS_PORT_ANY, CAN_MAC | CAN_VLAN | CAN_RATE | CAN_SPOOF | CAN_LINK | CAN_TRUST, CAN_FLOOR,
     "huawei/hinic/hinic_sriov.c"},
    {"hns3", VIRT_CAPS_PORT_ANY, CAN_MAC | CAN_VLAN | CAN_RATE | CAN_SPOOF | CAN_LINK | CAN_TRUST, 0,
     "hisilicon/hns3/hns3_enet.c"},
    {"i40e", VIRT_CAPS_PORT_ANY, CAN_MAC | CAN_VLAN | CAN_RATE | CAN_SPOOF | CAN_LINK | CAN_TRUST, 0,
     "intel/i40e/i40e_virtchnl_pf.c"},
    {"ice", VIRT_CAPS_PORT_SWITCHDEV, CAN_MAC | CAN_VLAN | CAN_RATE | CAN_SPOOF | CAN_LINK, CAN_AD | CAN_FLOOR,
     "intel/ice/ice_sriov.c"},
    {"ice", VIRT_CAPS_PORT_ANY, CAN_MAC | CAN_VLAN | CAN_RATE | CAN_SPOOF | CAN_LINK | CAN_TRUST, CAN_AD | CAN_FLOOR,
     "intel/ice/ice_sriov.c"},
    {"idpf", VIRT_CAPS_PORT_ANY, 0, 0, "intel/idpf/idpf_lib.c"},
    {"igb", VIRT_CAPS_PORT_ANY, CAN_MAC | CAN_VLAN | CAN_SPOOF | CAN_TRUST, CAN_RATE, "intel/igb/igb_main.c"},
    {"ionic", VIRT_CAPS_PORT_ANY, CAN_MAC | CAN_VLAN_PLAIN | CAN_RATE | CAN_SPOOF | CAN_LINK | CAN_TRUST, 0,
     "pensando/ionic/ionic_lif.c"},
    {"ixgbe", VIRT_CAPS_PORT_ANY, CAN_MAC | CAN_VLAN | CAN_SPOOF | CAN_LINK_NOT_UP | CAN_TRUST, CAN_RATE,
     "intel/ixgbe/ixgbe_sriov.c"},
    {"mlx4_core", VIRT_CAPS_PORT_INFINIBAND, BIT(PORT_GUID), 0, "../../infiniband/hw/mlx4/sysfs.c"},
    {"mlx4_core", VIRT_CAPS_PORT_ANY, CAN_MAC | CAN_LINK, CAN_VLAN | CAN_AD | CAN_RATE | CAN_SPOOF,
     "mellanox/mlx4/cmd.c"},
    {"mlx5_core", VIRT_CAPS_PORT_INFINIBAND, CAN_LINK | CAN_GUIDS, 0, "../../infiniband/hw/mlx5/ib_virt.c"},
    {"mlx5_core", VIRT_CAPS_PORT_SWITCHDEV, CAN_MAC | CAN_RATE, CAN_FLOOR, "mellanox/mlx5/core/esw/legacy.c"},
    {"mlx5_core", VIRT_CAPS_PORT_SMARTNIC, CAN_MAC, CAN_VLAN | CAN_RATE | CAN_FLOOR | CAN_SPOOF | CAN_LINK | CAN_TRUST,
     "mellanox/mlx5/core/esw/legacy.c"},
    {"mlx5_core", VIRT_CAPS_PORT_ANY, CAN_MAC | CAN_VLAN | CAN_RATE | CAN_SPOOF | CAN_LINK | CAN_TRUST, CAN_FLOOR,
     "mellanox/mlx5/core/esw/legacy.c"},
    {"nfp", VIRT_CAPS_PORT_ANY, 0,
     CAN_MAC | CAN_VLAN | CAN_AD | CAN_RATE | CAN_FLOOR | CAN_SPOOF | CAN_LINK | CAN_TRUST,
     "netronome/nfp/nfp_net_sriov.c"},
    {"octeon_ep", VIRT_CAPS_PORT_ANY, 0, 0, "marvell/octeon_ep/octep_main.c"},
    {"qede", VIRT_CAPS_PORT_ANY, CAN_MAC | CAN_VLAN | CAN_RATE | CAN_FLOOR | CAN_SPOOF | CAN_LINK | CAN_TRUST, 0,
     "qlogic/qede/qede_main.c"},
    {"qlcnic", VIRT_CAPS_PORT_ANY, CAN_MAC | CAN_VLAN | CAN_RATE | CAN_FLOOR | CAN_SPOOF, 0,
     "qlogic/qlcnic/qlcnic_sriov_pf.c"},
    {"rvu_nicpf", VIRT_CAPS_PORT_ANY, CAN_MAC | CAN_TRUST, CAN_VLAN_PLAIN, "marvell/octeontx2/nic/otx2_pf.c"},
    {"sfc", VIRT_CAPS_PORT_ANY, CAN_MAC | CAN_VLAN | CAN_SPOOF | CAN_LINK, 0, "sfc/sriov.c"},
    {"sfc_ef100", VIRT_CAPS_PORT_ANY, 0, 0, "sfc/ef100_netdev.c"},
    {0},
};

/* Is the device one whose own processor may rule over its VFs: a BlueField, by its PCI ID (mlx5/core/main.c)? */
static bool
readSmartNic(virtHost *host, const char *pf)
{
    static const guint64 devices[] = {0xa2d2, 0xa2d6, 0xa2dc, 0xa2df};
    guint64 vendor = 0, device = 0;

    virtHostReadUInt(host, G_MAXUINT16, &vendor, NULL, "sys/bus/pci/devices/%s/vendor", pf);
    virtHostReadUInt(host, G_MAXUINT16, &device, NULL, "sys/bus/pci/devices/%s/device", pf);
    for (size_t i = 0; i < G_N_ELEMENTS(devices); i++) {
        if (vendor == 0x15b3 && device == devices[i])
            return true;
    }
    return false;
}

/* Find out what kind of port a PF's netdev is. What cannot be read is left out. Free with virtNetdevCapsPortFree(). */
virtNetdevCapsPort *
virtNetdevCapsPortRead(virtHost *host, const virtPCIAddress *pf, const virtPort *port)
{
    virtNetdevCapsPort *kind = g_new0(virtNetdevCapsPort, 1);
    char name[VIRT_PCI_ADDRESS_LEN];

    virtPCIAddressFormat(pf, name);
    kind->driver = virtPCIGetDriver(host, pf);
    kind->ethernet = port->ethernet;
    kind->infiniband = port->infiniband;
    kind->switchdev = port->switchdev;
    kind->smartNic = readSmartNic(host, name);
    return kind;
}

void
virtNetdevCapsPortFree(virtNetdevCapsPort *kind)
{
    if (!kind)
        return;
    g_free(kind->driver);
    g_free(kind);
}

static const virtNetdevCapsDriver *
findCapsDriver(const virtNetdevCapsPort *kind)
{
    for (const virtNetdevCapsDriver *info = virtNetdevCapsDrivers; info->driver; info++) {
        bool fits = info->only == VIRT_CAPS_PORT_ANY || (info->only == VIRT_CAPS_PORT_INFINIBAND && kind->infiniband) ||
                    (info->only == VIRT_CAPS_PORT_SWITCHDEV && kind->switchdev) ||
                    (info->only == VIRT_CAPS_PORT_SMARTNIC && kind->smartNic);

        if (fits && g_strcmp0(kind->driver, info->driver) == 0)
            return info;
    }
    return NULL;
}

/* What to call a row: "igb", "mlx5_core in switchdev mode". Caller frees. */
char *
virtNetdevCapsDescribeDriver(const virtNetdevCapsDriver *info)
{
    static const char *const only[] = {"", " on InfiniBand", " in switchdev mode", " on a BlueField"};

    return g_strdup_printf("%s%s", info->driver, only[info->only]);
}

static virtNetdevCapsAnswer
consultTable(const virtNetdevCapsDriver *info, virtNetdevCapability capability, char **ret_why)
{
    static const char *const verdicts[] = {[VIRT_CAPS_CAN] = "is supported",
                                           [VIRT_CAPS_MAYBE] = "depends on card, firmware or mode",
                                           [VIRT_CAPS_CANNOT] = "is not supported"};
    g_autofree char *driver = virtNetdevCapsDescribeDriver(info);
    virtNetdevCapsAnswer answer = VIRT_CAPS_CANNOT;

    if (info->can & 1u << capability)
        answer = VIRT_CAPS_CAN;
    else if (info->maybe & 1u << capability)
        answer = VIRT_CAPS_MAYBE;
    *ret_why = g_strdup_printf("%s: %s %s (Linux 6.12, %s)", driver, virtNetdevCapabilities[capability].title,
                               verdicts[answer], info->source);
    return answer;
}

/* Will a driver do this?
 *
 * @present: what the port says of a VF, or NULL where nothing has been read. Trust and spoof check are reported by the
 *           drivers that have them
 * @ret_why: a clause that says what the answer stands on, or NULL when the answer is "unknown"; caller frees
 */
virtNetdevCapsAnswer
virtNetdevCapsAsk(const virtNetdevCapsPort *kind, const virtNetdev *present, virtNetdevCapability capability,
                  char **ret_why)
{
    const virtNetdevCapsDriver *info = findCapsDriver(kind);
    const virtNetdevCapabilityInfo *asked = &virtNetdevCapabilities[capability];

    *ret_why = NULL;
    if (asked->infinibandOnly && kind->ethernet) {
        *ret_why = g_strdup_printf("only InfiniBand has a %s", asked->title);
        return VIRT_CAPS_CANNOT;
    }
    if (info)
        return consultTable(info, capability, ret_why);
    if (!present || !asked->reported)
        return VIRT_CAPS_UNKNOWN;
    if (virtNetdevHas(present, asked->attr)) {
        *ret_why = g_strdup_printf("the driver reports %s", asked->title);
        return VIRT_CAPS_CAN;
    }
    *ret_why = g_strdup_printf("the driver does not report %s and will most likely refuse it", asked->title);
    return VIRT_CAPS_CANNOT;
}

/* Will a driver take the value of @attr in @wanted? The worst that can be said of what the value needs; see
 * virtNetdevCapsAsk(). Nothing is to be refused for it: the kernel decides.
 */
virtNetdevCapsAnswer
virtNetdevCapsAskAttr(const virtNetdevCapsPort *kind, const virtNetdev *present, const virtNetdev *wanted,
                      virtNetdevAttr attr, char **ret_why)
{
    virtNetdevCapsAnswer worst = VIRT_CAPS_UNKNOWN;

    *ret_why = NULL;
    for (virtNetdevCapability capability = 0; capability < VIRT_CAPABILITY_LAST; capability++) {
        const virtNetdevCapabilityInfo *info = &virtNetdevCapabilities[capability];
        g_autofree char *why = NULL;
        virtNetdevCapsAnswer answer;

        if (info->attr != attr || (info->needed && !info->needed(wanted)))
            continue;
        answer = virtNetdevCapsAsk(kind, present, capability, &why);
        if (answer <= worst)
            continue;
        worst = answer;
        g_free(*ret_why);
        *ret_why = g_steal_pointer(&why);
    }
    return worst;
}
