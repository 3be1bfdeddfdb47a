/* virnetdevattr.c: the table of the settings of a netdev: how each is compared, shown, written and read
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A new setting is a member of virtNetdev, a virtNetdevAttr and a row here. Layouts are those of
 * linux/if_link.h; the first member of each is the VF's index.
 */
#include "util/virnetdev.h"
#include "util/virnetdevquirk.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <stddef.h>
#include <string.h>

#define VLAN_MASK 0xfff /* 12 bits, IEEE 802.1Q */

/* The payload of an attribute of at least @size bytes, else NULL: a driver or an old kernel may give less. */
static const void *
payload(struct nlattr **tb, int type, size_t size)
{
    return tb[type] && nla_len(tb[type]) >= (int)size ? nla_data(tb[type]) : NULL;
}

/* Copy attribute @type of @tb into @value, or return false. */
#define GET(tb, type, value) virtGet(tb, type, value, sizeof(*(value)))
static bool
virtGet(struct nlattr **tb, int type, void *value, size_t size)
{
    const void *data = payload(tb, type, size);
    if (data)
        memcpy(value, data, size);
    return data;
}

static char *
formatYesNo(guint8 value)
{
    return g_strdup(value ? "yes" : "no");
}

/* --- MAC --- */

static char *
macFormat(const virtNetdev *netdev)
{
    char text[18];
    if (virtMacIsZero(netdev->mac))
        return g_strdup("none");
    virtMacFormat(netdev->mac, text);
    return g_strdup(text);
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

/* --- VLAN --- */

/* Id 0 with a priority is a setting of its own (frames are tagged for their priority only); the protocol
 * matters only where there is a VLAN. 0 stands for 802.1Q. */
static bool
vlanEqual(const virtNetdev *a, const virtNetdev *b)
{
    if (a->vlan.id != b->vlan.id || a->vlan.priority != b->vlan.priority)
        return false;
    return a->vlan.id == 0 || (a->vlan.protocol == ETH_P_8021AD) == (b->vlan.protocol == ETH_P_8021AD);
}

static char *
vlanFormat(const virtNetdev *netdev)
{
    bool ad = netdev->vlan.id != 0 && netdev->vlan.protocol == ETH_P_8021AD;
    if (netdev->vlan.id == 0 && netdev->vlan.priority == 0)
        return g_strdup("none");
    g_autofree char *priority =
        netdev->vlan.priority ? g_strdup_printf("priority %u", netdev->vlan.priority) : g_strdup("");
    if (!ad && !*priority)
        return g_strdup_printf("%u", netdev->vlan.id);
    return g_strdup_printf("%u (%s%s%s)", netdev->vlan.id, priority, ad && *priority ? ", " : "", ad ? "802.1ad" : "");
}

/* The plain form for 802.1Q, which every kernel knows; the list, with the protocol in network order, for 802.1ad. */
static bool
vlanPut(struct nl_msg *msg, guint vf, const virtNetdev *netdev)
{
    if (netdev->vlan.id == 0 || netdev->vlan.protocol != ETH_P_8021AD) {
        struct ifla_vf_vlan value = {.vf = vf, .vlan = netdev->vlan.id, .qos = netdev->vlan.priority};
        return nla_put(msg, IFLA_VF_VLAN, sizeof(value), &value) == 0;
    }
    struct ifla_vf_vlan_info info;
    memset(&info, 0, sizeof(info)); /* two bytes of padding at its end */
    info.vf = vf;
    info.vlan = netdev->vlan.id;
    info.qos = netdev->vlan.priority;
    info.vlan_proto = htons(ETH_P_8021AD);
    struct nlattr *list = nla_nest_start(msg, IFLA_VF_VLAN_LIST);
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
    return GET(list, IFLA_VF_VLAN_INFO, &info) && ntohs(info.vlan_proto) == ETH_P_8021AD ? ETH_P_8021AD : ETH_P_8021Q;
}

static void
vlanGet(struct nlattr **tb, virtNetdev *netdev)
{
    struct ifla_vf_vlan value;
    if (!GET(tb, IFLA_VF_VLAN, &value) || value.vlan > VLAN_MASK)
        return;
    memset(&netdev->vlan, 0, sizeof(netdev->vlan));
    netdev->vlan.id = (guint16)value.vlan;
    if (virtNetDevQuirkMeansNone(VIRT_NETDEV_VLAN, netdev))
        netdev->vlan.id = 0;
    else
        netdev->vlan.priority = value.qos & 7;
    if (netdev->vlan.id != 0)
        netdev->vlan.protocol = vlanGetProtocol(tb);
    netdev->present |= VIRT_NETDEV_BIT(VIRT_NETDEV_VLAN);
}

/* --- Bandwidth --- */

/* Compared as the kernel counts: 100 and 101 KiB/s are both 1 Mb/s. */
static bool
bandwidthEqual(const virtNetdev *a, const virtNetdev *b)
{
    guint32 aMax, aMin, bMax, bMin;
    virtNetdevGetRate(a, &aMax, &aMin);
    virtNetdevGetRate(b, &bMax, &bMin);
    return aMax == bMax && aMin == bMin;
}

static char *
bandwidthFormat(const virtNetdev *netdev)
{
    guint32 max, min;
    virtNetdevGetRate(netdev, &max, &min);
    if (max && min)
        return g_strdup_printf("%u Mb/s at most, %u Mb/s at least", max, min);
    if (max || min)
        return g_strdup_printf("%u Mb/s at %s", max ? max : min, max ? "most" : "least");
    return g_strdup("none");
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

/* --- Spoof check, link state, trust --- */

static char *
spoofcheckFormat(const virtNetdev *netdev)
{
    return formatYesNo(netdev->spoofcheck);
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

static char *
linkFormat(const virtNetdev *netdev)
{
    static const char *const names[] = {"auto", "up", "down"};
    return g_strdup(netdev->link < G_N_ELEMENTS(names) ? names[netdev->link] : "unknown");
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

static char *
trustFormat(const virtNetdev *netdev)
{
    return formatYesNo(netdev->trust);
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

/* --- InfiniBand GUIDs; host order in memory and in the message --- */

static char *
formatGuid(guint64 guid)
{
    GString *text = g_string_new(NULL);
    for (int shift = 56; shift >= 0; shift -= 8)
        g_string_append_printf(text, "%02x%s", (guint)(guid >> shift & 0xff), shift ? ":" : "");
    return g_string_free(text, FALSE);
}

static char *
nodeGuidFormat(const virtNetdev *netdev)
{
    return formatGuid(netdev->nodeGuid);
}

static char *
portGuidFormat(const virtNetdev *netdev)
{
    return formatGuid(netdev->portGuid);
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

/* --- Virtualport: has a nest of its own, IFLA_VF_PORTS; written and read in virnetdevvportprofile.c --- */

static char *
virtualportFormat(const virtNetdev *netdev)
{
    return g_strdup(*netdev->profileid ? netdev->profileid : "none");
}

static bool
virtualportEqual(const virtNetdev *a, const virtNetdev *b)
{
    return strncmp(a->profileid, b->profileid, VIRT_NETDEV_PROFILE_LEN) == 0;
}

#define MEMBER(name) offsetof(virtNetdev, name), sizeof(((virtNetdev *)NULL)->name)

const virtNetdevAttrInfo virtNetdevAttrs[VIRT_NETDEV_ATTR_LAST] = {
    [VIRT_NETDEV_MAC] = {"mac", "MAC address", "Bring the PF up, or use another unicast address.", MEMBER(mac), NULL,
                         macFormat, macPut, macGet},
    [VIRT_NETDEV_VLAN] = {"vlan", "VLAN", "Drop <vlan>, or ask the card's documentation what its VFs can do.",
                          MEMBER(vlan), vlanEqual, vlanFormat, vlanPut, vlanGet},
    [VIRT_NETDEV_BANDWIDTH] = {"bandwidth", "rate",
                               "Bring the PF up, keep below its link speed, drop floor, or drop <bandwidth>.",
                               MEMBER(bandwidth), bandwidthEqual, bandwidthFormat, bandwidthPut, bandwidthGet},
    [VIRT_NETDEV_SPOOFCHECK] = {"spoofcheck", "spoof check", "The driver may not support it: drop spoofCheck.",
                                MEMBER(spoofcheck), NULL, spoofcheckFormat, spoofcheckPut, spoofcheckGet},
    [VIRT_NETDEV_LINK] = {"link", "link state", "The driver may not support it: drop <link>.", MEMBER(link), NULL,
                          linkFormat, linkPut, linkGet},
    [VIRT_NETDEV_TRUST] = {"trust", "trust", "The driver may not support it: drop trustGuestRxFilters.", MEMBER(trust),
                           NULL, trustFormat, trustPut, trustGet},
    [VIRT_NETDEV_NODE_GUID] = {"nodeGuid", "node GUID", "Only InfiniBand VFs have GUIDs: drop <guid>.",
                               MEMBER(nodeGuid), NULL, nodeGuidFormat, nodeGuidPut, nodeGuidGet},
    [VIRT_NETDEV_PORT_GUID] = {"portGuid", "port GUID", "Only InfiniBand VFs have GUIDs: drop <guid>.",
                               MEMBER(portGuid), NULL, portGuidFormat, portGuidPut, portGuidGet},
    [VIRT_NETDEV_VIRTUALPORT] = {"virtualport", "port profile",
                                 "Check the profile's name on the switch, or drop <virtualport>.", MEMBER(profileid),
                                 virtualportEqual, virtualportFormat, NULL, NULL},
};
