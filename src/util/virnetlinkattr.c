/* virnetlinkattr.c: the table of how each setting of a netdev is put into a message of rtnetlink, and read from one
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Layouts are those of linux/if_link.h; the first member of each is the VF's index.
 */
#include "util/virnetdevquirk.h"
#include "util/virnetlink.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <string.h>

#define VLAN_MASK 0xfff /* 12 bits, IEEE 802.1Q */

/* The payload of an attribute of at least @size bytes, else NULL: a driver or an old kernel may give less. */
static const void *
payload(struct nlattr **tb, int type, size_t size)
{
    if (!tb[type] || nla_len(tb[type]) < (int)size)
        return NULL;
    return nla_data(tb[type]);
}

/* Copy attribute @type of @tb into @value, or return false. */
#define GET(tb, type, value) virtGet(tb, type, value, sizeof(*(value)))
static bool
virtGet(struct nlattr **tb, int type, void *value, size_t size)
{
    const void *data = payload(tb, type, size);

    if (!data)
        return false;
    memcpy(value, data, size);
    return true;
}

static bool
macPut(struct nl_msg *msg, guint vf, const virtNetdev *netdev)
{
    struct ifla_vf_mac value = {.vf = vf};

    memcpy(value.mac, netdev->mac, sizeof(netdev->mac));
    return nla_put(msg, IFLA_VF_MAC, sizeof(value), &value) == 0;
}

static void
macGet(struct nlattr **tb, virtNetdev *netdev)
{
    struct ifla_vf_mac value;

    if (!GET(tb, IFLA_VF_MAC, &value))
        return;
    memcpy(netdev->mac, value.mac, sizeof(netdev->mac));
    netdev->present |= VIRT_NETDEV_BIT(VIRT_NETDEV_MAC);
}

/* The plain form for 802.1Q, which every kernel knows; the list, with the protocol in network order, for 802.1ad. */
static bool
vlanPut(struct nl_msg *msg, guint vf, const virtNetdev *netdev)
{
    struct ifla_vf_vlan_info info;
    struct nlattr *list;

    if (netdev->vlan.id == 0 || netdev->vlan.protocol != ETH_P_8021AD) {
        struct ifla_vf_vlan value = {.vf = vf, .vlan = netdev->vlan.id, .qos = netdev->vlan.priority};

        return nla_put(msg, IFLA_VF_VLAN, sizeof(value), &value) == 0;
    }
    memset(&info, 0, sizeof(info)); /* two bytes of padding at its end */
    info.vf = vf;
    info.vlan = netdev->vlan.id;
    info.qos = netdev->vlan.priority;
    info.vlan_proto = htons(ETH_P_8021AD);
    list = nla_nest_start(msg, IFLA_VF_VLAN_LIST);
    if (!list || nla_put(msg, IFLA_VF_VLAN_INFO, sizeof(info), &info) != 0)
        return false;
    return nla_nest_end(msg, list) == 0;
}

static guint16
vlanGetProtocol(struct nlattr **tb)
{
    struct ifla_vf_vlan_info info;
    struct nlattr *list[IFLA_VF_VLAN_INFO_MAX + 1];

    if (!tb[IFLA_VF_VLAN_LIST] || nla_parse_nested(list, IFLA_VF_VLAN_INFO_MAX, tb[IFLA_VF_VLAN_LIST], NULL) < 0)
        return ETH_P_8021Q;
    if (GET(list, IFLA_VF_VLAN_INFO, &info) && ntohs(info.vlan_proto) == ETH_P_8021AD)
        return ETH_P_8021AD;
    return ETH_P_8021Q;
}

static void
vlanGet(struct nlattr **tb, virtNetdev *netdev)
{
    struct ifla_vf_vlan value;

    if (!GET(tb, IFLA_VF_VLAN, &value) || value.vlan > VLAN_MASK)
        return;
    memset(&netdev->vlan, 0, sizeof(netdev->vlan));
    netdev->vlan.id = (guint16)value.vlan;
    if (virtNetdevQuirkMeansNone(VIRT_NETDEV_VLAN, netdev))
        netdev->vlan.id = 0;
    else
        netdev->vlan.priority = value.qos & 7;
    if (netdev->vlan.id != 0)
        netdev->vlan.protocol = vlanGetProtocol(tb);
    netdev->present |= VIRT_NETDEV_BIT(VIRT_NETDEV_VLAN);
}

static bool
bandwidthPut(struct nl_msg *msg, guint vf, const virtNetdev *netdev)
{
    struct ifla_vf_rate value = {.vf = vf};

    virtNetdevGetRate(netdev, &value.max_tx_rate, &value.min_tx_rate);
    return nla_put(msg, IFLA_VF_RATE, sizeof(value), &value) == 0;
}

static void
bandwidthGet(struct nlattr **tb, virtNetdev *netdev)
{
    struct ifla_vf_rate value;

    if (!GET(tb, IFLA_VF_RATE, &value))
        return;
    virtNetdevSetRate(netdev, value.max_tx_rate, value.min_tx_rate);
    netdev->present |= VIRT_NETDEV_BIT(VIRT_NETDEV_BANDWIDTH);
}

static bool
spoofcheckPut(struct nl_msg *msg, guint vf, const virtNetdev *netdev)
{
    struct ifla_vf_spoofchk value = {.vf = vf, .setting = netdev->spoofcheck};

    return nla_put(msg, IFLA_VF_SPOOFCHK, sizeof(value), &value) == 0;
}

/* The kernel presets spoofchk and trust with -1, which stays where the driver does not support them. */
static void
spoofcheckGet(struct nlattr **tb, virtNetdev *netdev)
{
    struct ifla_vf_spoofchk value;

    if (!GET(tb, IFLA_VF_SPOOFCHK, &value) || value.setting == G_MAXUINT32)
        return;
    netdev->spoofcheck = value.setting != 0;
    netdev->present |= VIRT_NETDEV_BIT(VIRT_NETDEV_SPOOFCHECK);
}

static bool
linkPut(struct nl_msg *msg, guint vf, const virtNetdev *netdev)
{
    struct ifla_vf_link_state value = {.vf = vf, .link_state = netdev->link};

    return nla_put(msg, IFLA_VF_LINK_STATE, sizeof(value), &value) == 0;
}

static void
linkGet(struct nlattr **tb, virtNetdev *netdev)
{
    struct ifla_vf_link_state value;

    if (!GET(tb, IFLA_VF_LINK_STATE, &value) || value.link_state > IFLA_VF_LINK_STATE_DISABLE)
        return;
    netdev->link = (guint8)value.link_state;
    netdev->present |= VIRT_NETDEV_BIT(VIRT_NETDEV_LINK);
}

static bool
trustPut(struct nl_msg *msg, guint vf, const virtNetdev *netdev)
{
    struct ifla_vf_trust value = {.vf = vf, .setting = netdev->trust};

    return nla_put(msg, IFLA_VF_TRUST, sizeof(value), &value) == 0;
}

static void
trustGet(struct nlattr **tb, virtNetdev *netdev)
{
    struct ifla_vf_trust value;

    if (!GET(tb, IFLA_VF_TRUST, &value) || value.setting == G_MAXUINT32)
        return;
    netdev->trust = value.setting != 0;
    netdev->present |= VIRT_NETDEV_BIT(VIRT_NETDEV_TRUST);
}

static bool
guidPut(struct nl_msg *msg, int type, guint vf, guint64 guid)
{
    struct ifla_vf_guid value;

    memset(&value, 0, sizeof(value)); /* it has a hole */
    value.vf = vf;
    value.guid = guid;
    return nla_put(msg, type, sizeof(value), &value) == 0;
}

static bool
nodeGuidPut(struct nl_msg *msg, guint vf, const virtNetdev *netdev)
{
    return guidPut(msg, IFLA_VF_IB_NODE_GUID, vf, netdev->nodeGuid);
}

static bool
portGuidPut(struct nl_msg *msg, guint vf, const virtNetdev *netdev)
{
    return guidPut(msg, IFLA_VF_IB_PORT_GUID, vf, netdev->portGuid);
}

static void
nodeGuidGet(struct nlattr **tb, virtNetdev *netdev)
{
    struct ifla_vf_guid value;

    if (!GET(tb, IFLA_VF_IB_NODE_GUID, &value))
        return;
    netdev->nodeGuid = value.guid;
    netdev->present |= VIRT_NETDEV_BIT(VIRT_NETDEV_NODE_GUID);
}

static void
portGuidGet(struct nlattr **tb, virtNetdev *netdev)
{
    struct ifla_vf_guid value;

    if (!GET(tb, IFLA_VF_IB_PORT_GUID, &value))
        return;
    netdev->portGuid = value.guid;
    netdev->present |= VIRT_NETDEV_BIT(VIRT_NETDEV_PORT_GUID);
}

const virtNetlinkAttr virtNetlinkAttrs[VIRT_NETDEV_ATTR_LAST] = {
    [VIRT_NETDEV_MAC] = {macPut, macGet, 0},
    [VIRT_NETDEV_VLAN] = {vlanPut, vlanGet, 0},
    [VIRT_NETDEV_BANDWIDTH] = {bandwidthPut, bandwidthGet, 0},
    [VIRT_NETDEV_SPOOFCHECK] = {spoofcheckPut, spoofcheckGet, 0},
    [VIRT_NETDEV_LINK] = {linkPut, linkGet, 0},
    [VIRT_NETDEV_TRUST] = {trustPut, trustGet, 0},
    [VIRT_NETDEV_NODE_GUID] = {nodeGuidPut, nodeGuidGet, 0},
    [VIRT_NETDEV_PORT_GUID] = {portGuidPut, portGuidGet, VIRT_NETDEV_BIT(VIRT_NETDEV_NODE_GUID)},
    [VIRT_NETDEV_VIRTUALPORT] = {NULL, NULL, 0}, /* has a nest of its own: virnetdevvportprofile.c */
};
