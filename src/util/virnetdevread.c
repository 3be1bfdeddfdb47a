/* virnetdevread.c: what the kernel has for one port of a VF
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A MAC address that is read has two meanings (virnetdevmac.c): igb reports, where no admin MAC is set, the address its
 * VF driver made up. Where that can be told, it is read as none; where it cannot, it is `unknown`. It can also be the
 * very address a user wants, so when a written MAC is checked, either reading will do.
 */
#include "util/virnetdevhostdevpriv.h"
#include "util/virnetdevpath.h"

#include <string.h>

/* Where the MAC that the kernel shows is the VF driver's own, there is none. False where nothing can be read. */
bool
virtNetdevReadJudgeMac(const virtNetdevTarget *at, virtNetdevReading *reading, GError **error)
{
    virtNetdev *netdev = &reading->netdev;
    virtMacOrigin origin;

    if (virtMacIsZero(reading->shownMac))
        return true;
    if (!virtNetdevMacJudge(at, reading->shownMac, &origin, error))
        return false;
    if (origin == VIRT_MAC_OWN)
        memset(netdev->mac, 0, sizeof(netdev->mac));
    if (origin == VIRT_MAC_UNKNOWN)
        netdev->unknown |= VIRT_NETDEV_BIT(VIRT_NETDEV_MAC);
    return true;
}

/* Read one port of a VF as the kernel shows it, a MAC address of the VF's driver included. */
bool
virtNetdevReadShown(const virtNetdevTarget *at, virtNetdevReading *ret, GError **error)
{
    g_autoptr(GError) missing = NULL;
    virtNetdev netdev = {.port = at->port->port};
    bool listed = virtNetdevPathRead(at->host, at->port, at->vf, &netdev, &missing);
    bool found = !virtNetdevHas(&netdev, VIRT_NETDEV_PORT_GUID) && virtNetdevGuidRead(at, &netdev);

    if (!listed && !found) {
        g_propagate_error(error, g_steal_pointer(&missing));
        return false;
    }
    ret->netdev = netdev;
    memcpy(ret->shownMac, netdev.mac, sizeof(ret->shownMac));
    return true;
}

/* Read one port of a VF: both of the above.
 *
 * Errors: see virtNetDevHostdevRead(); then @ret is not touched.
 */
bool
virtNetdevReadPort(const virtNetdevTarget *at, virtNetdevReading *ret, GError **error)
{
    virtNetdevReading reading;

    if (!virtNetdevReadShown(at, &reading, error) || !virtNetdevReadJudgeMac(at, &reading, error))
        return false;
    *ret = reading;
    return true;
}
