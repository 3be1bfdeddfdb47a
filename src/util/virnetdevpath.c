/* virnetdevpath.c: which way the settings of a VF take: rtnetlink, or devlink
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Theory of operation. Through the PF's netdev all drivers set their VFs in legacy mode. In switchdev mode the eswitch
 * has a port for each function, and where devlink shows the function's MAC address, that is where it is set, and the
 * bandwidth too if the port has a rate leaf. Drivers that take both ways (mlx5, ice) end in the same place; others (sfc
 * of EF100) have devlink's alone. What neither shows goes through the PF's netdev, whose driver decides.
 *
 * A leaf's rate is what devlink itself remembers. One that was set in legacy mode and is still in force is not in it,
 * and what the PF's netdev shows counts where the leaf has none.
 *
 * A VLAN, spoof check, trust and a port profile are what a switch does with a frame. In switchdev mode the switch is
 * the host's to program, at the representor.
 */
#include "util/virnetdevpath.h"
#include "util/virerror.h"
#include "util/virnetlink.h"

#include <string.h>

#define BYTES 125000 /* a second, in 1 Mb/s: the step that mlx5 wants, and in which rtnetlink counts */

/* One change, on its way through devlink. */
typedef struct {
    virtHandle handle; /* of the PF */
    guint32 index;     /* of the port there */
    const virtNetdev *netdev;
    virtDevlinkRate present;
} Change;

static int
trySetMac(virtHost *host, void *opaque, char **ret_reason)
{
    const Change *change = opaque;

    return virtDevlinkSetMac(host, &change->handle, change->index, change->netdev->mac, ret_reason);
}

static int
trySetRate(virtHost *host, void *opaque, char **ret_reason)
{
    const Change *change = opaque;
    virtDevlinkRate wanted;
    guint32 max, min;

    virtNetdevGetRate(change->netdev, &max, &min);
    wanted = (virtDevlinkRate){.share = (guint64)min * BYTES, .max = (guint64)max * BYTES};
    return virtDevlinkSetRate(host, &change->handle, change->index, &change->present, &wanted, ret_reason);
}

/* Of @attrs, those that devlink takes there. */
static guint
findOfDevlink(virtHost *host, Change *change, const virtDevlinkPort *function, guint attrs)
{
    static const guint rate = VIRT_NETDEV_BIT(VIRT_NETDEV_BANDWIDTH);
    guint bits = 0;

    if (function->hasMac)
        bits |= VIRT_NETDEV_BIT(VIRT_NETDEV_MAC);
    if ((attrs & rate) && virtDevlinkReadRate(host, &change->handle, change->index, &change->present, NULL))
        bits |= rate;
    return attrs & bits;
}

/* Set the attributes @attrs (VIRT_NETDEV_BITs; given or not, their values count) of a VF at one port of its PF, as
 * virtNetlinkSetVF(), by whichever way the port has for each.
 */
int
virtNetdevPathSet(virtHost *host, const virtPort *port, const virtVF *vf, const virtNetdev *netdev, guint attrs,
                  char **ret_reason)
{
    static const virtNetlinkTryFunc ways[VIRT_NETDEV_ATTR_LAST] = {
        [VIRT_NETDEV_MAC] = trySetMac, [VIRT_NETDEV_BANDWIDTH] = trySetRate};
    const virtDevlinkPort *function = virtVFGetFunction(vf, port);
    guint special = 0;
    Change change = {.netdev = netdev};
    int rc = 0;

    if (function) {
        virtHandleSetPCI(&change.handle, &vf->pf);
        change.index = function->index;
        special = findOfDevlink(host, &change, function, attrs);
    }
    for (virtNetdevAttr attr = 0; rc == 0 && attr < VIRT_NETDEV_ATTR_LAST; attr++) {
        g_autofree char *reason = NULL;

        if (!(special & VIRT_NETDEV_BIT(attr)))
            continue;
        virtNetlinkForgetLinks(host);
        rc = virtNetlinkTryPatiently(host, ways[attr], &change, VIRT_NETDEV_BIT(attr), &reason);
        if (rc < 0 && ret_reason)
            *ret_reason = g_steal_pointer(&reason);
    }
    if (rc < 0 || attrs == special)
        return rc;
    return virtNetlinkSetVF(host, port, vf, netdev, attrs & ~special, ret_reason);
}

static bool
readFunction(virtHost *host, const virtVF *vf, const virtDevlinkPort *function, virtNetdev *netdev, GError **error)
{
    g_autoptr(GError) problem = NULL;
    virtDevlinkPort now;
    virtDevlinkRate rate;
    virtHandle handle;

    virtHandleSetPCI(&handle, &vf->pf);
    if (!virtDevlinkReadPort(host, &handle, function->index, &now, error)) {
        g_prefix_error(error, "Cannot read the function of VF %u (%s): ", vf->index, vf->name);
        return false;
    }
    if (now.hasMac) {
        memcpy(netdev->mac, now.mac, sizeof(netdev->mac));
        netdev->present |= VIRT_NETDEV_BIT(VIRT_NETDEV_MAC);
    }
    if (virtDevlinkReadRate(host, &handle, function->index, &rate, &problem)) {
        if (rate.max == 0 && rate.share == 0 && virtNetdevHas(netdev, VIRT_NETDEV_BANDWIDTH))
            return true;
        virtNetdevSetRate(netdev, (guint32)MIN(rate.max / BYTES, G_MAXUINT32),
                          (guint32)MIN(rate.share / BYTES, G_MAXUINT32));
        netdev->present |= VIRT_NETDEV_BIT(VIRT_NETDEV_BANDWIDTH);
    } else if (!g_error_matches(problem, VIRT_ERROR, VIRT_ERROR_NOT_FOUND)) {
        g_propagate_error(error, g_steal_pointer(&problem));
        return false;
    }
    return true;
}

/* Read one port of a VF: what its PF's netdev shows, and in place of that, what its function does.
 *
 * Errors: those of virtNetlinkGetVF(); where devlink does not answer for a port that has a function, VIRT_ERROR_HOST.
 */
bool
virtNetdevPathRead(virtHost *host, const virtPort *port, const virtVF *vf, virtNetdev *ret, GError **error)
{
    const virtDevlinkPort *function = virtVFGetFunction(vf, port);
    g_autoptr(GError) problem = NULL;
    bool listed = virtNetlinkGetVF(host, port, vf->index, ret, &problem);

    if (!function && !listed)
        g_propagate_error(error, g_steal_pointer(&problem));
    if (!function)
        return listed;
    return readFunction(host, vf, function, ret, error);
}

/* Of @wanted, what at that port is the switch's business, at the VF's representor: VIRT_NETDEV_BITs. */
guint
virtNetdevPathFindOfSwitch(const virtVF *vf, const virtPort *port, const virtNetdev *wanted)
{
    static const guint ofSwitch = VIRT_NETDEV_BIT(VIRT_NETDEV_VLAN) | VIRT_NETDEV_BIT(VIRT_NETDEV_SPOOFCHECK) |
                                  VIRT_NETDEV_BIT(VIRT_NETDEV_TRUST) | VIRT_NETDEV_BIT(VIRT_NETDEV_VIRTUALPORT);
    guint bits = wanted->present & ofSwitch;

    if (!virtVFGetFunction(vf, port))
        return 0;
    if (virtNetdevIsUntagged(wanted))
        bits &= ~VIRT_NETDEV_BIT(VIRT_NETDEV_VLAN);
    return bits;
}
