/* fakekernel.c: what net/core/rtnetlink.c does with RTM_GETLINK and RTM_SETLINK about VFs, on tables in memory
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Written after the kernel's do_setvfinfo() and rtnl_fill_vfinfo(), not after the code under test: attributes are
 * applied in the kernel's order, the first error stops and earlier ones stay, a port GUID beside a node GUID is
 * ignored, and the length of a VF list has 16 bits whatever its content.
 */
#include "fakekernel.h"
#include "util/virnetlink.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if_arp.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <stddef.h>
#include <string.h>

#ifndef RTEXT_FILTER_SKIP_STATS
#define RTEXT_FILTER_SKIP_STATS (1 << 3)
#endif

#define UNSUPPORTED G_MAXUINT32

/* One VF at one port, while a request is worked on. */
typedef struct {
    fakeHost *fake;
    const fakePF *pf;
    guint port, index;
    fakeVF *vf;
} Target;

/* The attributes with the layout { vf, setting }, in the kernel's order. */
static const struct {
    int type;
    virtNetdevAttr attr;
    size_t offset; /* of a guint32 in fakeVF */
} settings[] = {
    {IFLA_VF_SPOOFCHK, VIRT_NETDEV_SPOOFCHECK, offsetof(fakeVF, spoofchk)},
    {IFLA_VF_LINK_STATE, VIRT_NETDEV_LINK, offsetof(fakeVF, link)},
    {IFLA_VF_TRUST, VIRT_NETDEV_TRUST, offsetof(fakeVF, trust)},
};

static guint32 *
settingAt(const fakeVF *vf, guint row)
{
    return (guint32 *)((char *)vf + settings[row].offset);
}

/* NULL where it has another layout. */
static guint32 *
findSetting(const fakeVF *vf, virtNetdevAttr attr)
{
    for (guint i = 0; i < G_N_ELEMENTS(settings); i++) {
        if (settings[i].attr == attr)
            return settingAt(vf, i);
    }
    return NULL;
}

static bool
matchPort(const fakeHost *fake, guint port)
{
    return fake->faultPort == 0 || fake->faultPort == port;
}

/* Is this attribute refused by a knob? A positive errno, or 0. */
static int
judge(const Target *target, virtNetdevAttr attr, const fakeVF *wanted)
{
    fakeHost *fake = target->fake;
    int refusal = fake->failErrno ? fake->failErrno : EPERM;
    bool zero = virtMacIsZero(wanted->mac);

    if (fake->failAttr > 0 && --fake->failAttr == 0) {
        fake->failedPort = target->port;
        fake->failedVF = target->index;
        fake->failedAttr = attr;
    }
    if (fake->failedPort == target->port && fake->failedVF == target->index && fake->failedAttr == attr)
        return refusal;
    if (!matchPort(fake, target->port))
        return 0;
    if (fake->refused & VIRT_NETDEV_BIT(attr))
        return refusal;
    if (attr == VIRT_NETDEV_MAC && fake->refuseZeroMac && zero)
        return EINVAL;
    if (attr == VIRT_NETDEV_VLAN && fake->refuseVlanZero && wanted->vlan == 0)
        return EINVAL;
    if (attr == VIRT_NETDEV_VLAN && fake->vlanNeedsNoRate && target->vf->maxRate > 0)
        return EPERM;
    if (attr == VIRT_NETDEV_MAC && fake->macNeedsNoSpoofcheck && zero && target->vf->spoofchk == 1)
        return EPERM;
    if (attr == VIRT_NETDEV_BANDWIDTH && fake->noMinRate && wanted->minRate > 0)
        return EPROTONOSUPPORT;
    return fake->judge ? fake->judge(fake->judgeOpaque, target->port, target->index, attr, wanted) : 0;
}

static void
logAttr(const Target *target, virtNetdevAttr attr, const fakeVF *wanted, int refusal)
{
    char mac[18];
    GString *log = target->fake->log;
    const guint32 *setting = findSetting(wanted, attr);

    virtMacFormat(wanted->mac, mac);
    g_string_append_printf(log, " %s=", virtNetdevAttrs[attr].name);
    if (attr == VIRT_NETDEV_MAC) {
        g_string_append(log, mac);
    } else if (attr == VIRT_NETDEV_VLAN) {
        g_string_append_printf(log, "%u:%u:%04x", wanted->vlan, wanted->qos, wanted->protocol);
    } else if (attr == VIRT_NETDEV_BANDWIDTH) {
        g_string_append_printf(log, "%u-%u", wanted->minRate, wanted->maxRate);
    } else if (setting) {
        g_string_append_printf(log, "%u", *setting);
    } else if (attr == VIRT_NETDEV_VIRTUALPORT) {
        g_string_append(log, wanted->profile);
    } else {
        g_string_append_printf(log, "%" G_GINT64_MODIFIER "x",
                               attr == VIRT_NETDEV_NODE_GUID ? wanted->nodeGuid : wanted->portGuid);
    }
    if (refusal)
        g_string_append_printf(log, "!%d", refusal);
}

/* Apply one attribute of @wanted, a copy of the VF with that attribute changed. Returns 0 or -errno. */
static int
apply(const Target *target, virtNetdevAttr attr, const fakeVF *wanted)
{
    fakeHost *fake = target->fake;
    const guint32 *setting = findSetting(target->vf, attr);
    int refusal;

    fake->attrs++;
    refusal = judge(target, attr, wanted);
    if (setting && *setting == UNSUPPORTED)
        refusal = EOPNOTSUPP;
    if ((attr == VIRT_NETDEV_NODE_GUID || attr == VIRT_NETDEV_PORT_GUID) && !fake->guids)
        refusal = EOPNOTSUPP;
    if (attr == VIRT_NETDEV_VIRTUALPORT && !fake->profiles)
        refusal = EOPNOTSUPP;
    logAttr(target, attr, wanted, refusal);
    if (refusal == 0 && !(matchPort(fake, target->port) && fake->ignored & VIRT_NETDEV_BIT(attr)))
        *target->vf = *wanted;
    return -refusal;
}

/* The payload of tb[type] when it is long enough, into @value. */
static bool
take(struct nlattr **tb, int type, void *value, size_t size)
{
    if (!tb[type])
        return false;
    g_assert_cmpint(nla_len(tb[type]), >=, (int)size);
    memcpy(value, nla_data(tb[type]), size);
    return true;
}

/* Each of these applies one attribute where the request has it. */
static int
setMac(const Target *target, struct nlattr **tb)
{
    struct ifla_vf_mac value;
    fakeVF wanted = *target->vf;

    if (!take(tb, IFLA_VF_MAC, &value, sizeof(value)))
        return 0;
    g_assert_cmpuint(value.vf, ==, target->index);
    memcpy(wanted.mac, value.mac, sizeof(wanted.mac));
    return apply(target, VIRT_NETDEV_MAC, &wanted);
}

static int
applyVlan(const Target *target, guint vlan, guint qos, guint protocol)
{
    fakeVF wanted = *target->vf;
    bool none;

    if (vlan > 4095 || qos > 7 || (protocol != ETH_P_8021Q && protocol != ETH_P_8021AD))
        return -EINVAL;
    none = vlan == 4095 && target->fake->vlanNone4095;
    wanted.vlan = none ? 0 : (guint16)vlan;
    wanted.qos = (guint16)qos;
    wanted.protocol = (guint16)protocol;
    if (target->fake->refuseVlanZero && none) { /* taken: this is the way here to say 0 */
        target->fake->attrs++;
        logAttr(target, VIRT_NETDEV_VLAN, &wanted, 0);
        *target->vf = wanted;
        return 0;
    }
    return apply(target, VIRT_NETDEV_VLAN, &wanted);
}

static int
setVlan(const Target *target, struct nlattr **tb)
{
    struct ifla_vf_vlan value;

    if (!take(tb, IFLA_VF_VLAN, &value, sizeof(value)))
        return 0;
    g_assert_cmpuint(value.vf, ==, target->index);
    return applyVlan(target, value.vlan, value.qos, ETH_P_8021Q);
}

static int
setVlanList(const Target *target, struct nlattr **tb)
{
    struct ifla_vf_vlan_info info;
    struct nlattr *list[IFLA_VF_VLAN_INFO_MAX + 1];

    if (!tb[IFLA_VF_VLAN_LIST])
        return 0;
    if (nla_parse_nested(list, IFLA_VF_VLAN_INFO_MAX, tb[IFLA_VF_VLAN_LIST], NULL) < 0 ||
        !take(list, IFLA_VF_VLAN_INFO, &info, sizeof(info)))
        return -EINVAL;
    g_assert_cmpuint(info.vf, ==, target->index);
    return applyVlan(target, info.vlan, info.qos, ntohs(info.vlan_proto));
}

static int
setRate(const Target *target, struct nlattr **tb)
{
    struct ifla_vf_rate value;
    fakeVF wanted = *target->vf;

    if (!take(tb, IFLA_VF_RATE, &value, sizeof(value)))
        return 0;
    g_assert_cmpuint(value.vf, ==, target->index);
    wanted.minRate = value.min_tx_rate;
    wanted.maxRate = value.max_tx_rate;
    return apply(target, VIRT_NETDEV_BANDWIDTH, &wanted);
}

static int
setSetting(const Target *target, struct nlattr **tb, guint row)
{
    guint32 value[2];
    fakeVF wanted = *target->vf;

    if (!take(tb, settings[row].type, value, sizeof(value)))
        return 0;
    g_assert_cmpuint(value[0], ==, target->index);
    *settingAt(&wanted, row) = value[1];
    return apply(target, settings[row].attr, &wanted);
}

static int
setGuid(const Target *target, struct nlattr **tb, int type, virtNetdevAttr attr)
{
    struct ifla_vf_guid value;
    fakeVF wanted = *target->vf;

    if (!take(tb, type, &value, sizeof(value)))
        return 0;
    g_assert_cmpuint(value.vf, ==, target->index);
    *(attr == VIRT_NETDEV_NODE_GUID ? &wanted.nodeGuid : &wanted.portGuid) = value.guid;
    return apply(target, attr, &wanted);
}

/* do_setvfinfo(): its order, its first error, its early return behind a node GUID. */
static int
setVFInfo(const Target *target, struct nlattr **tb)
{
    int rc = setMac(target, tb);

    if (rc == 0)
        rc = setVlan(target, tb);
    if (rc == 0)
        rc = setVlanList(target, tb);
    if (rc == 0)
        rc = setRate(target, tb);
    for (guint i = 0; rc == 0 && i < G_N_ELEMENTS(settings); i++)
        rc = setSetting(target, tb, i);
    if (rc == 0 && tb[IFLA_VF_IB_NODE_GUID])
        return setGuid(target, tb, IFLA_VF_IB_NODE_GUID, VIRT_NETDEV_NODE_GUID);
    if (rc == 0)
        rc = setGuid(target, tb, IFLA_VF_IB_PORT_GUID, VIRT_NETDEV_PORT_GUID);
    return rc;
}

/* Point @target at VF @index and begin the log line of that. */
static int
aim(Target *target, guint index)
{
    guint lands = target->port;

    if (index >= target->pf->vfs)
        return -EINVAL;
    target->index = index;
    if (target->port == target->fake->lacksPort && target->port == 1)
        lands = 2;
    else if (target->port == target->fake->lacksPort)
        lands = target->port - 1;
    if (target->pf->only[index])
        lands = target->pf->only[index];
    target->vf = &target->pf->table[(lands - 1) * target->pf->vfs + index];
    g_string_append_printf(target->fake->log, "%s vf %u", target->pf->ifnames[target->port - 1], index);
    return 0;
}

static int
setVFInfoList(Target *target, struct nlattr *list)
{
    struct nlattr *info, *tb[IFLA_VF_MAX + 1];
    int rest, rc = 0;

    nla_for_each_nested (info, list, rest) {
        guint32 index = 0;
        struct nlattr *first;

        g_assert_cmpint(nla_type(info), ==, IFLA_VF_INFO);
        g_assert_cmpint(nla_len(info), >, NLA_HDRLEN);
        first = nla_data(info);
        if (nla_type(first) == IFLA_VF_VLAN_LIST)
            first = nla_data(first);
        memcpy(&index, nla_data(first), sizeof(index));
        g_assert_cmpint(nla_parse_nested(tb, IFLA_VF_MAX, info, NULL), ==, 0);
        rc = aim(target, index);
        if (rc == 0)
            rc = setVFInfo(target, tb);
        g_string_append_c(target->fake->log, '\n');
        if (rc)
            break;
    }
    return rc;
}

static void
takeProfile(fakeVF *wanted, struct nlattr **tb)
{
    memset(wanted->profile, 0, sizeof(wanted->profile));
    if (tb[IFLA_PORT_PROFILE])
        nla_strlcpy(wanted->profile, tb[IFLA_PORT_PROFILE], sizeof(wanted->profile));
    take(tb, IFLA_PORT_INSTANCE_UUID, wanted->instance, sizeof(wanted->instance));
    take(tb, IFLA_PORT_HOST_UUID, wanted->hostUuid, sizeof(wanted->hostUuid));
}

static int
setVFPorts(Target *target, struct nlattr *list)
{
    struct nlattr *entry, *tb[IFLA_PORT_MAX + 1];
    int rest, rc = 0;

    nla_for_each_nested (entry, list, rest) {
        guint32 index;
        guint8 request;
        fakeVF wanted;

        g_assert_cmpint(nla_parse_nested(tb, IFLA_PORT_MAX, entry, NULL), ==, 0);
        if (!take(tb, IFLA_PORT_VF, &index, sizeof(index)) || !take(tb, IFLA_PORT_REQUEST, &request, sizeof(request)))
            return -EOPNOTSUPP;
        rc = aim(target, index);
        if (rc)
            return rc;
        wanted = *target->vf;
        takeProfile(&wanted, tb);
        g_assert_cmpint(request, ==, *wanted.profile ? PORT_REQUEST_ASSOCIATE : PORT_REQUEST_DISASSOCIATE);
        rc = apply(target, VIRT_NETDEV_VIRTUALPORT, &wanted);
        g_string_append_c(target->fake->log, '\n');
        if (rc)
            return rc;
    }
    return 0;
}

static int
setLink(Target *target, struct nl_msg *request)
{
    fakeHost *fake = target->fake;
    struct nlattr *infos = nlmsg_find_attr(nlmsg_hdr(request), sizeof(struct ifinfomsg), IFLA_VFINFO_LIST);
    struct nlattr *ports = nlmsg_find_attr(nlmsg_hdr(request), sizeof(struct ifinfomsg), IFLA_VF_PORTS);
    int rc;

    fake->sets++;
    if (fake->busy > 0) {
        fake->busy--;
        return -EAGAIN;
    }
    if (fake->failRequest > 0 && --fake->failRequest == 0)
        return fake->failErrno ? -fake->failErrno : -EPERM;
    rc = infos ? setVFInfoList(target, infos) : 0;
    return rc == 0 && ports ? setVFPorts(target, ports) : rc;
}

static void
fillSetting(struct nl_msg *msg, int type, guint index, guint32 setting)
{
    guint32 value[2] = {index, setting};

    nla_put(msg, type, sizeof(value), value);
}

static void
fillGuid(struct nl_msg *msg, int type, guint index, guint64 guid)
{
    struct ifla_vf_guid value;

    memset(&value, 0, sizeof(value)); /* it has a hole */
    value.vf = index;
    value.guid = guid;
    nla_put(msg, type, sizeof(value), &value);
}

static void
fillVlan(struct nl_msg *msg, const fakeHost *fake, guint index, const fakeVF *vf)
{
    guint id = vf->vlan == 0 && fake->vlanNone4095 ? 4095 : vf->vlan;
    struct ifla_vf_vlan value = {.vf = index, .vlan = id, .qos = vf->qos};
    struct ifla_vf_vlan_info info;
    struct nlattr *list;

    memset(&info, 0, sizeof(info)); /* two bytes of padding */
    info.vf = index;
    info.vlan = id;
    info.qos = vf->qos;
    info.vlan_proto = htons(vf->protocol);
    nla_put(msg, IFLA_VF_VLAN, sizeof(value), &value);
    list = nla_nest_start(msg, IFLA_VF_VLAN_LIST);
    nla_put(msg, IFLA_VF_VLAN_INFO, sizeof(info), &info);
    nla_nest_end(msg, list);
}

/* Eight counters; their length decides where a list runs over. */
static void
fillStats(struct nl_msg *msg, fakeVF *vf)
{
    static const struct {
        int type;
        virtNetdevCounter counter;
    } rows[] = {
        {IFLA_VF_STATS_RX_PACKETS, VIRT_NETDEV_RX_PACKETS},  {IFLA_VF_STATS_TX_PACKETS, VIRT_NETDEV_TX_PACKETS},
        {IFLA_VF_STATS_RX_BYTES, VIRT_NETDEV_RX_BYTES},      {IFLA_VF_STATS_TX_BYTES, VIRT_NETDEV_TX_BYTES},
        {IFLA_VF_STATS_BROADCAST, VIRT_NETDEV_RX_BROADCAST}, {IFLA_VF_STATS_MULTICAST, VIRT_NETDEV_RX_MULTICAST},
        {IFLA_VF_STATS_RX_DROPPED, VIRT_NETDEV_RX_DROPPED},  {IFLA_VF_STATS_TX_DROPPED, VIRT_NETDEV_TX_DROPPED},
    };
    struct nlattr *nest = nla_nest_start(msg, IFLA_VF_STATS);

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        nla_put_u64(msg, rows[i].type, vf->stats.of[rows[i].counter]);
        vf->stats.of[rows[i].counter] += vf->growth.of[rows[i].counter];
    }
    nla_nest_end(msg, nest);
}

/* rtnl_fill_vfinfo() */
static void
fillVF(struct nl_msg *msg, const fakeHost *fake, guint index, fakeVF *vf, bool stats)
{
    static const char zeros[sizeof(struct ifla_vf_broadcast)];
    struct nlattr *info = nla_nest_start(msg, IFLA_VF_INFO);
    struct ifla_vf_mac mac = {.vf = index};
    struct ifla_vf_rate rate = {.vf = index, .min_tx_rate = vf->minRate, .max_tx_rate = vf->maxRate};

    memcpy(mac.mac, vf->mac, sizeof(vf->mac));
    nla_put(msg, IFLA_VF_MAC, sizeof(mac), &mac);
    nla_put(msg, IFLA_VF_BROADCAST, sizeof(zeros), zeros);
    fillVlan(msg, fake, index, vf);
    nla_put(msg, IFLA_VF_RATE, sizeof(rate), &rate);
    fillSetting(msg, IFLA_VF_TX_RATE, index, vf->maxRate);
    fillSetting(msg, IFLA_VF_RSS_QUERY_EN, index, UNSUPPORTED);
    for (guint i = 0; i < G_N_ELEMENTS(settings); i++)
        fillSetting(msg, settings[i].type, index, *settingAt(vf, i));
    if (fake->guids) {
        fillGuid(msg, IFLA_VF_IB_NODE_GUID, index, vf->nodeGuid);
        fillGuid(msg, IFLA_VF_IB_PORT_GUID, index, vf->portGuid);
    }
    if (stats)
        fillStats(msg, vf);
    nla_nest_end(msg, info);
}

static void
fillVFInfoList(struct nl_msg *msg, const Target *target, bool stats)
{
    const fakeHost *fake = target->fake;
    struct nlattr *list = nla_nest_start(msg, IFLA_VFINFO_LIST);
    guint listed = 0;

    for (guint i = 0; i < target->pf->vfs && (fake->listed == 0 || listed < fake->listed); i++) {
        fakeVF *vf = &target->pf->table[(target->port - 1) * target->pf->vfs + i];

        if (vf->hidden)
            continue;
        fillVF(msg, fake, i, vf, stats);
        listed++;
    }
    list->nla_len = (guint16)((char *)nlmsg_tail(nlmsg_hdr(msg)) - (char *)list); /* runs over as the kernel's does */
}

/* A VF whose association never was, or has ended, has no entry. */
static void
fillVFPorts(struct nl_msg *msg, const Target *target)
{
    struct nlattr *list = nla_nest_start(msg, IFLA_VF_PORTS);

    for (guint i = 0; i < target->pf->vfs; i++) {
        fakeVF *vf = &target->pf->table[(target->port - 1) * target->pf->vfs + i];
        struct nlattr *entry;

        if (!*vf->profile)
            continue;
        entry = nla_nest_start(msg, IFLA_VF_PORT);
        nla_put_u32(msg, IFLA_PORT_VF, i);
        nla_put_string(msg, IFLA_PORT_PROFILE, vf->profile);
        nla_put_u16(msg, IFLA_PORT_RESPONSE, vf->pending > 0 ? PORT_PROFILE_RESPONSE_INPROGRESS : vf->response);
        vf->pending -= vf->pending > 0;
        nla_nest_end(msg, entry);
    }
    nla_nest_end(msg, list);
}

/* What sysfs has of a netdev, without the newline, or NULL: the same kernel says it in both places. */
static char *
readNet(const fakeHost *fake, const char *ifname, const char *attribute)
{
    g_autofree char *path = virtHostPath(fake->host, "sys/class/net/%s/%s", ifname, attribute);
    char *text = NULL;

    if (!g_file_get_contents(path, &text, NULL, NULL))
        return NULL;
    return g_strchomp(text);
}

/* phys_port_name and phys_switch_id: bytes, in sysfs as hexadecimal digits */
static void
fillPhys(struct nl_msg *msg, const fakeHost *fake, const char *ifname)
{
    g_autofree char *name = readNet(fake, ifname, "phys_port_name");
    g_autofree char *id = readNet(fake, ifname, "phys_switch_id");
    guint8 bytes[32];
    guint n = 0;

    if (name && *name) {
        if (strlen(name) >= VIRT_IFNAME_LEN)
            name[VIRT_IFNAME_LEN - 1] = '\0';
        nla_put_string(msg, IFLA_PHYS_PORT_NAME, name);
    }
    for (const char *p = id; p && n < sizeof(bytes) && g_ascii_isxdigit(p[0]) && g_ascii_isxdigit(p[1]); p += 2)
        bytes[n++] = (guint8)(g_ascii_xdigit_value(p[0]) << 4 | g_ascii_xdigit_value(p[1]));
    if (n > 0)
        nla_put(msg, IFLA_PHYS_SWITCH_ID, (int)n, bytes);
}

/* rtnl_fill_ifinfo(), what comes before the VFs */
static void
fillLink(struct nl_msg *msg, const fakeHost *fake, const char *ifname, int ifindex)
{
    g_autofree char *flags = readNet(fake, ifname, "flags");
    g_autofree char *type = readNet(fake, ifname, "type");
    struct ifinfomsg link = {.ifi_index = ifindex, .ifi_type = ARPHRD_VOID};

    if (flags)
        link.ifi_flags = (guint)g_ascii_strtoull(flags, NULL, 0);
    if (type)
        link.ifi_type = (guint16)g_ascii_strtoull(type, NULL, 0);
    nlmsg_append(msg, &link, sizeof(link), NLMSG_ALIGNTO);
    nla_put_string(msg, IFLA_IFNAME, ifname);
    fillPhys(msg, fake, ifname);
}

static int
getLink(const Target *target, struct nl_msg *request, struct nl_msg **ret_reply)
{
    fakeHost *fake = target->fake;
    struct nlattr *ext = nlmsg_find_attr(nlmsg_hdr(request), sizeof(struct ifinfomsg), IFLA_EXT_MASK);
    guint32 mask = ext ? nla_get_u32(ext) : 0;
    const char *ifname = target->pf->renamed[target->port - 1];
    struct nl_msg *reply;

    if (mask & RTEXT_FILTER_VF)
        fake->gets++;
    else
        fake->looks++;
    if (fake->getErrno)
        return -(int)fake->getErrno;
    if (!ifname)
        ifname = target->pf->ifnames[target->port - 1];
    reply = nlmsg_alloc_size(4096 + target->pf->vfs * 512);
    nlmsg_put(reply, 0, 0, RTM_NEWLINK, 0, 0);
    fillLink(reply, fake, ifname, (int)target->pf->ifindex[target->port - 1]);
    if (mask & RTEXT_FILTER_VF) {
        nla_put_u32(reply, IFLA_NUM_VF, target->pf->vfs);
        if (!fake->silent)
            fillVFInfoList(reply, target, !(mask & RTEXT_FILTER_SKIP_STATS));
        if (fake->profiles)
            fillVFPorts(reply, target);
    }
    if (fake->garble)
        fake->garble(fake->garbleOpaque, reply);
    *ret_reply = reply;
    return 0;
}

/* A netdev that has no VFs and is no VF's: those of VFs are as in another network namespace, where they cannot be asked
 * for the address that they had at first. */
static int
getOther(fakeHost *fake, int ifindex, struct nl_msg **ret_reply)
{
    g_autoptr(GPtrArray) names = virtHostListDir(fake->host, NULL, "sys/class/net");

    if (fake->getErrno)
        return -(int)fake->getErrno;
    for (guint i = 0; names && i < names->len; i++) {
        g_autofree char *text = readNet(fake, names->pdata[i], "ifindex");
        g_autofree char *physfn = NULL;

        physfn = virtHostPath(fake->host, "sys/class/net/%s/../../physfn", (const char *)names->pdata[i]);

        if (!text || g_ascii_strtoll(text, NULL, 10) != ifindex || g_file_test(physfn, G_FILE_TEST_EXISTS))
            continue;
        fake->looks++;
        *ret_reply = nlmsg_alloc_size(4096);
        nlmsg_put(*ret_reply, 0, 0, RTM_NEWLINK, 0, 0);
        fillLink(*ret_reply, fake, names->pdata[i], ifindex);
        return 0;
    }
    return -ENODEV;
}

static bool
findLink(Target *target, int ifindex)
{
    for (guint i = 0; i < target->fake->pfs->len; i++) {
        target->pf = target->fake->pfs->pdata[i];
        for (target->port = 1; target->port <= target->pf->ports; target->port++) {
            if ((int)target->pf->ifindex[target->port - 1] == ifindex)
                return true;
        }
    }
    return false;
}

/* The virtHostRequest of a fakeHost. */
int
fakeKernelRequest(virtHost *host, struct nl_msg *request, struct nl_msg **ret_reply, char **ret_reason)
{
    Target target = {.fake = host->opaque};
    const struct nlmsghdr *header = nlmsg_hdr(request);
    const struct ifinfomsg *link = nlmsg_data(header);
    int rc = -ENODEV;

    g_assert_true(nlmsg_valid_hdr(header, sizeof(*link)));
    if (findLink(&target, link->ifi_index)) {
        g_assert_true(header->nlmsg_type == (ret_reply ? RTM_GETLINK : RTM_SETLINK));
        rc = ret_reply ? getLink(&target, request, ret_reply) : setLink(&target, request);
    } else if (ret_reply) {
        rc = getOther(target.fake, link->ifi_index, ret_reply);
    }
    if (rc < 0 && target.fake->extack && ret_reason)
        *ret_reason = g_strdup(target.fake->extack);
    return rc;
}

/* What devlink changes of a VF at one port, as rtnetlink would. Returns 0 or -errno. */
int
fakeKernelChange(fakeHost *fake, fakePF *pf, guint port, guint vf, virtNetdevAttr attr, const fakeVF *wanted)
{
    Target target = {.fake = fake, .pf = pf, .port = port};
    int rc;

    if (fake->busy > 0) {
        fake->busy--;
        return -EAGAIN;
    }
    g_string_append(fake->log, "devlink ");
    rc = aim(&target, vf);
    if (rc == 0)
        rc = apply(&target, attr, wanted);
    g_string_append_c(fake->log, '\n');
    return rc;
}
