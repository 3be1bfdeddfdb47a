/* virnetdevmac.c: whose MAC address is it that the kernel shows for a VF: an administrator's, or the VF's own?
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * IFLA_VF_MAC has both meanings: where no admin MAC is set, most PF drivers show the address that the VF's driver has
 * made up (quirk "random-mac-shown"). Written back, that would become an admin MAC, which the VF cannot change any
 * more.
 *
 * The VF's own netdev tells, while it is in sight. A VF that was bound to vfio-pci beforehand has none, and one in
 * another network namespace has it elsewhere. Then these tell: an address that no driver makes up (one that is
 * universally administered, or begins as those that virtualization programs hand out) was set; and so was any at a PF
 * driver that shows no others (quirk "admin-mac-only"). For the rest there is no answer, and "unknown" is said.
 */
#include "util/virnetdevhostdevpriv.h"
#include "util/virnetlink.h"

#include <linux/if_link.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <string.h>

#define LOCALLY_ADMINISTERED 2 /* a bit of the first byte (IEEE 802); eth_random_addr() always sets it */

/* A netdev's address when it was registered, if its driver had not made that up: register_netdevice() keeps it for
 * NET_ADDR_PERM alone. Linux 5.6 shows it.
 *
 * Returns whether the kernel was there to ask; @ret_same: it is @mac.
 */
static bool
comparePermanent(virtHost *host, const virtPort *netdev, const guint8 mac[6], bool *ret_same)
{
    struct nl_msg *reply = NULL;
    struct nlattr *permanent;
    bool known;

    if (virtNetlinkGetLink(host, netdev->ifindex, VIRT_NETLINK_LINK, &reply, NULL) < 0)
        return false;
    permanent = virtNetlinkFind(reply, IFLA_PERM_ADDRESS);
    known = virtNetlinkIsNamed(reply, netdev->ifname);
    *ret_same = permanent && nla_len(permanent) >= 6 && memcmp(nla_data(permanent), mac, 6) == 0;
    nlmsg_free(reply);
    return known;
}

static bool
isHandedOut(const guint8 mac[6])
{
    static const guint8 prefixes[][3] = {{0x52, 0x54, 0x00}, {0xfa, 0x16, 0x3e}}; /* QEMU and libvirt, OpenStack */
    static const guint8 standIn[6] = {0x02};                                      /* see quirk "zero-mac" */

    for (guint i = 0; i < G_N_ELEMENTS(prefixes); i++) {
        if (memcmp(mac, prefixes[i], sizeof(prefixes[i])) == 0)
            return true;
    }
    return memcmp(mac, standIn, sizeof(standIn)) == 0;
}

static virtMacOrigin
judgeUnseen(virtHost *host, const virtVF *vf, const guint8 mac[6])
{
    g_autofree char *driver = NULL;

    if (!(mac[0] & LOCALLY_ADMINISTERED) || isHandedOut(mac))
        return VIRT_MAC_SET;
    driver = virtPCIGetDriver(host, &vf->pf);
    if (virtNetdevQuirkHas("admin-mac-only", driver))
        return VIRT_MAC_SET;
    return VIRT_MAC_UNKNOWN;
}

static virtMacOrigin
judgeSeen(virtHost *host, const virtVF *vf, const virtPort *netdev, const guint8 mac[6])
{
    bool same;

    if (memcmp(netdev->mac, mac, sizeof(netdev->mac)) != 0)
        return VIRT_MAC_SET; /* since the VF's driver has probed */
    if (netdev->addrAssignType == VIRT_PORT_MAC_RANDOM)
        return VIRT_MAC_OWN;
    if (netdev->addrAssignType != VIRT_PORT_MAC_SET)
        return VIRT_MAC_SET; /* the VF's driver has it from the PF */
    /* Somebody, as systemd's MACAddressPolicy=persistent, has set it at the netdev: one that had an admin MAC before
     * has that again, for others are refused it. */
    if (comparePermanent(host, netdev, mac, &same))
        return same ? VIRT_MAC_SET : VIRT_MAC_OWN;
    return judgeUnseen(host, vf, mac);
}

/* Was @mac, which the kernel shows for a port of a VF and which is not zero, set there by an administrator?
 *
 * Errors: VIRT_ERROR_HOST where the VF's own netdevs cannot be read.
 */
bool
virtNetdevMacJudge(const virtNetdevTarget *at, const guint8 mac[6], virtMacOrigin *ret, GError **error)
{
    g_autoptr(GPtrArray) own = virtPCIGetNetdevs(at->host, &at->vf->address, error);
    const virtPort *netdev = NULL;

    if (!own)
        return false;
    for (guint i = 0; i < own->len && !netdev; i++) {
        if (((const virtPort *)own->pdata[i])->port == at->port->port)
            netdev = own->pdata[i];
    }
    /* A lone netdev may be numbered anew, or be the one that is left of several: then its address tells. */
    if (!netdev && own->len == 1 && memcmp(((const virtPort *)own->pdata[0])->mac, mac, 6) == 0)
        netdev = own->pdata[0];
    if (netdev)
        *ret = judgeSeen(at->host, at->vf, netdev, mac);
    else
        *ret = judgeUnseen(at->host, at->vf, mac);
    return true;
}
