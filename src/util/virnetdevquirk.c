/* virnetdevquirk.c: the table of drivers' quirks
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A new quirk is a row here, a case of that name in tests/lab/scenarios/quirks.sh, and the regenerated table in
 * docs/drivers.rst; quirktest.c sees to it that all three agree. The rows are looked up in virnetlinkvf.c (WAIT),
 * virnetdevwrite.c (INSTEAD, LIFT) and virnetdevattr.c (what is read).
 */
#include "util/virnetdevquirk.h"

#include <errno.h>
#include <string.h>

#define BIT(attr) VIRT_NETDEV_BIT(VIRT_NETDEV_##attr)
#define EVERY (VIRT_NETDEV_BIT(VIRT_NETDEV_ATTR_LAST) - 1)

const virtNetdevQuirk virtNetdevQuirks[] = {
    {
        .name = "reset-wait",
        .drivers = "ice",
        .action = VIRT_QUIRK_WAIT,
        .attrs = BIT(MAC) | BIT(VLAN) | BIT(TRUST),
        .refusal = {EBUSY},
        .patience = 3000, /* three settings, 800 ms each, and some */
        .behaviour =
            "A new MAC address, VLAN or trust setting resets the VF. A write during the reset waits up to 800 ms, and is then refused (EBUSY).",
        .remedy = "Tried again for up to 3 s.",
        .source = "intel/ice/ice_vf_lib.c: ice_check_vf_ready_for_cfg()",
    },
    {
        .name = "operation-pending",
        .drivers = "i40e",
        .action = VIRT_QUIRK_WAIT,
        .attrs = EVERY,
        .refusal = {EAGAIN},
        .patience = 3000, /* ten times the 300 ms that the driver itself waits for a reset */
        .behaviour =
            "While the card is busy with another request, or the VF is being reset, a write is refused (EAGAIN).",
        .remedy = "Tried again for up to 3 s.",
        .source = "intel/i40e/i40e_virtchnl_pf.c: i40e_check_vf_init_timeout()",
    },
    {
        .name = "zero-mac",
        .drivers = "older mlx4_core; be2net, bnx2x, cxgb4, fsl_enetc, hinic, qede, qlcnic, rvu_nicpf",
        .action = VIRT_QUIRK_INSTEAD,
        .attrs = BIT(MAC),
        .refusal = {EINVAL, EADDRNOTAVAIL},
        .ofNone = true,
        .instead = {.mac = {0x02}}, /* as libvirt 9.0 does (virnetdev.c): locally administered, unicast */
        .behaviour = "An admin MAC address cannot be removed: zero is refused (EINVAL, EADDRNOTAVAIL).",
        .remedy = "02:00:00:00:00:00 is written instead, and a warning says so.",
        .source = "is_valid_ether_addr() in each driver's ndo_set_vf_mac",
    },
    {
        .name = "vlan-none-4095",
        .drivers = "mlx4_core",
        .action = VIRT_QUIRK_INSTEAD,
        .attrs = BIT(VLAN),
        .refusal = {EINVAL},
        .ofNone = true,
        .instead = {.vlan = {.id = 4095}}, /* MLX4_VGT */
        .same = true,
        .behaviour = "No VLAN reads as VLAN 4095.",
        .remedy = "4095 is read as none, and written for none where 0 is refused (EINVAL).",
        .source = "mellanox/mlx4/cmd.c: mlx4_get_vf_config(), mlx4_set_vf_vlan()",
    },
    {
        .name = "vlan-behind-rate",
        .drivers = "mlx4_core",
        .action = VIRT_QUIRK_LIFT,
        .attrs = BIT(VLAN),
        .refusal = {EPERM},
        .behind = VIRT_NETDEV_BANDWIDTH,
        .behaviour = "While a rate is set, the VLAN cannot be removed or get another class of priority (EPERM).",
        .remedy = "The rate is removed, the VLAN written, and the rate restored.",
        .source = "mellanox/mlx4/cmd.c: mlx4_valid_vf_state_change()",
    },
    {
        .name = "mac-behind-spoofcheck",
        .drivers = "mlx4_core",
        .action = VIRT_QUIRK_NOTE,
        .attrs = BIT(MAC) | BIT(SPOOFCHECK),
        .behaviour = "While spoof check is on, an admin MAC address cannot be removed (EPERM).",
        .remedy = "A refused setting is tried again after all others: by then spoof check is restored.",
        .source = "mellanox/mlx4/cmd.c: mlx4_set_vf_mac()",
    },
    {
        .name = "noop-refused",
        .drivers = "mlx5_core on a SmartNIC's host",
        .action = VIRT_QUIRK_NOTE,
        .attrs = EVERY,
        .behaviour = "A setting that the VF already has is refused (EPERM), such as spoof check \"off\".",
        .remedy = "A setting that already reads as wanted is not written.",
        .source = "mellanox/mlx5/core/esw/legacy.c: mlx5_eswitch_set_vport_spoofchk()",
    },
    {
        .name = "port-redirect",
        .drivers = "mlx4_core",
        .action = VIRT_QUIRK_NOTE,
        .attrs = EVERY,
        .behaviour = "A write for a port that the VF lacks goes to a port that it has; a read does not.",
        .remedy =
            "Each port is written and read back through the PF's netdev of that port. If the read-back differs, the PF's other ports are checked too, and restored.",
        .source = "mellanox/mlx4/cmd.c: mlx4_slaves_closest_port()",
    },
    {
        .name = "no-reading",
        .drivers = "enic, fsl_enetc",
        .action = VIRT_QUIRK_NOTE,
        .attrs = EVERY,
        .behaviour = "Settings can be written but not read: there is no list of VFs at all.",
        .remedy = "A write is assumed to have worked. The earlier settings are assumed to be none.",
        .source = "cisco/enic/enic_main.c and freescale/enetc/enetc_pf.c have no ndo_get_vf_config",
    },
    {
        .name = "sticky-mac",
        .drivers = "all",
        .action = VIRT_QUIRK_NOTE,
        .attrs = BIT(MAC),
        .behaviour =
            "An admin MAC address reaches a bound VF only when its driver probes; a removed one stays until then.",
        .remedy =
            "A VF whose host driver has come back with the guest's MAC address, or has lost a random one, is bound again.",
        .source = "intel/igb/igb_main.c: igb_ndo_set_vf_mac()",
    },
    {
        .name = "random-mac-shown",
        .drivers = "igb, and all drivers not known to differ",
        .action = VIRT_QUIRK_NOTE,
        .attrs = BIT(MAC),
        .behaviour = "Without an admin MAC address, the one is reported that the VF's driver made up.",
        .remedy =
            "A MAC address that the VF's own netdev has chosen itself is read as none. Without that netdev, an address that looks made up is ambiguous: restoring removes it, and a warning says so beforehand.",
        .source = "intel/igb/igb_main.c: igb_ndo_get_vf_config()",
    },
    {
        .name = "admin-mac-only",
        .drivers = "mlx4_core, mlx5_core",
        .action = VIRT_QUIRK_NOTE,
        .attrs = BIT(MAC),
        .behaviour = "The MAC address that is reported is an administrator's, or none.",
        .remedy = "It is used as it is, whether the VF's own netdev is visible or not.",
        .source = "mellanox/mlx5/core/esw/legacy.c and mlx4/cmd.c: mlx4_get_vf_config()",
    },
    {
        .name = "guid-in-sysfs",
        .drivers = "mlx4_core",
        .action = VIRT_QUIRK_NOTE,
        .attrs = BIT(PORT_GUID),
        .behaviour =
            "rtnetlink neither lists the VFs of an InfiniBand port nor takes their GUIDs (EOPNOTSUPP); sysfs has the port GUID.",
        .remedy = "What rtnetlink lacks is read and written in admin_guids/, below the PF's InfiniBand device.",
        .source = "../../infiniband/hw/mlx4/sysfs.c: store_admin_alias_guid()",
    },
    {0},
};

static bool
hasRefusal(const virtNetdevQuirk *quirk, int rc)
{
    for (size_t i = 0; i < G_N_ELEMENTS(quirk->refusal); i++) {
        if (quirk->refusal[i] && quirk->refusal[i] == -rc)
            return true;
    }
    return false;
}

static bool
isNone(const virtNetdev *netdev, virtNetdevAttr attr)
{
    static const virtNetdev none;

    return virtNetdevEqualAttr(netdev, &none, attr);
}

/* How long a write of any of @attrs (VIRT_NETDEV_BITs) that was answered @rc (-errno) is worth asking again, in
 * milliseconds; 0: not at all. */
guint
virtNetdevQuirkPatience(int rc, guint attrs)
{
    guint patience = 0;

    for (const virtNetdevQuirk *quirk = virtNetdevQuirks; quirk->name; quirk++) {
        if (quirk->action == VIRT_QUIRK_WAIT && quirk->attrs & attrs && hasRefusal(quirk, rc))
            patience = MAX(patience, quirk->patience);
    }
    return patience;
}

/* Another way to a setting that was refused.
 *
 * @rc: -errno as the kernel gave it
 * @present: what the port says now, or NULL where it cannot be read
 *
 * Returns a row with VIRT_QUIRK_INSTEAD or VIRT_QUIRK_LIFT, or NULL where there is none.
 */
const virtNetdevQuirk *
virtNetdevQuirkFind(virtNetdevAttr attr, int rc, const virtNetdev *wanted, const virtNetdev *present)
{
    for (const virtNetdevQuirk *quirk = virtNetdevQuirks; quirk->name; quirk++) {
        if (!(quirk->attrs & VIRT_NETDEV_BIT(attr)) || !hasRefusal(quirk, rc) ||
            (quirk->ofNone && !isNone(wanted, attr)))
            continue;
        if (quirk->action == VIRT_QUIRK_INSTEAD)
            return quirk;
        if (quirk->action == VIRT_QUIRK_LIFT && present && virtNetdevHas(present, quirk->behind) &&
            !isNone(present, quirk->behind))
            return quirk;
    }
    return NULL;
}

/* Is @driver (or NULL) among those that the row @name lists? */
bool
virtNetdevQuirkHas(const char *name, const char *driver)
{
    const virtNetdevQuirk *quirk = virtNetdevQuirks;
    g_auto(GStrv) drivers = NULL;

    while (quirk->name && !g_str_equal(quirk->name, name))
        quirk++;
    if (!driver || !quirk->name)
        return false;
    drivers = g_strsplit(quirk->drivers, ", ", -1);
    return g_strv_contains((const char *const *)drivers, driver);
}

/* Is what was @read a driver's own way to say "none"? */
bool
virtNetdevQuirkMeansNone(virtNetdevAttr attr, const virtNetdev *read)
{
    for (const virtNetdevQuirk *quirk = virtNetdevQuirks; quirk->name; quirk++) {
        if (quirk->same && quirk->attrs & VIRT_NETDEV_BIT(attr) && virtNetdevEqualAttr(read, &quirk->instead, attr))
            return true;
    }
    return false;
}

/* Quirk "sticky-mac": does the host's own driver hold the VF with a MAC that is not the VF's any more? It took its
 * MAC when it probed: the guest's, where we come too late, or one of its own that setting an admin MAC has taken
 * out of the NIC's filters. Only probing again mends either.
 *
 * @vfPorts: virtPort, the VF's own netdevs
 * @before, @wanted: lists of virtNetdev, what has been put back and what was set before
 */
bool
virtNetdevQuirkNeedsProbe(const GPtrArray *vfPorts, const GPtrArray *before, const GPtrArray *wanted)
{
    for (guint i = 0; i < vfPorts->len; i++) {
        const virtPort *own = vfPorts->pdata[i];
        guint port = own->port;
        const virtNetdev *was, *set;

        /* A VF with one port may call it otherwise than the PF does. */
        if (vfPorts->len == 1 && wanted->len == 1)
            port = ((const virtNetdev *)wanted->pdata[0])->port;
        was = virtNetdevListFind(before, port);
        set = virtNetdevListFind(wanted, port);
        if (!was || !set || !virtNetdevHas(set, VIRT_NETDEV_MAC) || virtNetdevEqualAttr(set, was, VIRT_NETDEV_MAC))
            continue;
        if (memcmp(own->mac, set->mac, sizeof(own->mac)) == 0)
            return true;
        if ((virtMacIsZero(was->mac) || virtNetdevIsUnknown(was, VIRT_NETDEV_MAC)) &&
            own->addrAssignType == VIRT_PORT_MAC_RANDOM)
            return true;
    }
    return false;
}
