/* interface_netdev.c: the one netdev that an <interface> speaks of
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "conf/domain_locate.h"

#include <linux/if_ether.h>
#include <linux/if_link.h>

/* Read the settings of @node, an <interface> or what was kept of one; the shape has been checked. libvirt's link "up"
 * only undoes its "down": a VF's link that is forced up would be a setting of its own, so here it says nothing. Without
 * a port it means the one that the VF has.
 *
 * Returns what the caller frees with g_free(), or NULL with VIRT_ERROR_INVALID.
 */
virtNetdev *
virtInterfaceParseNetdev(const virtXmlDoc *doc, const virtXmlNode *node, GError **error)
{
    g_autofree virtNetdev *netdev = virtNetdevNew(VIRT_NETDEV_PORT_ANY);

    if (!virtNetdevParseParts(doc, node, VIRT_SETTING_PARSE_USER, netdev, error))
        return NULL;
    if (virtNetdevHas(netdev, VIRT_NETDEV_LINK) && netdev->link == IFLA_VF_LINK_STATE_ENABLE)
        netdev->present &= ~VIRT_NETDEV_BIT(VIRT_NETDEV_LINK);
    return g_steal_pointer(&netdev);
}

/* An interface that names no VLAN is untagged, as libvirt makes it: with a <netdev> that does not name one, the VF's
 * VLAN stays as it is. A port profile has its own VLAN, and InfiniBand none. */
void
virtInterfaceSetUntagged(virtNetdev *netdev)
{
    static const guint others = VIRT_NETDEV_BIT(VIRT_NETDEV_VLAN) | VIRT_NETDEV_BIT(VIRT_NETDEV_VIRTUALPORT) |
                                VIRT_NETDEV_BIT(VIRT_NETDEV_NODE_GUID) | VIRT_NETDEV_BIT(VIRT_NETDEV_PORT_GUID);
    static const virtNetdev none = {.vlan = {.protocol = ETH_P_8021Q}, .present = VIRT_NETDEV_BIT(VIRT_NETDEV_VLAN)};

    if (!(netdev->present & others))
        virtNetdevCopyAttr(netdev, &none, VIRT_NETDEV_VLAN);
}
