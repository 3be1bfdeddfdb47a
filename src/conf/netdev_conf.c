/* netdev_conf.c: the <netdev> element: parse, validate, format
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Theory of operation: the shape of the element is a grammar (xml_check.h), checked first. Then each attribute
 * of virtNetdev is one row: where it stands, how to read it, how to write it. Reading walks the rows, writing
 * walks them in the order in which they stand in the document.
 */
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <string.h>

#include "conf/netdev_conf.h"
#include "util/virerror.h"

#define NETDEV_CHILDREN "mac vlan virtualport link bandwidth guid"

static bool
checkVirtualport(const virtXmlDoc *doc, const virtXmlNode *node, GError **error)
{
    if (g_str_equal(virtXmlGet(node, "type"), "802.1Qbh"))
        return true;
    virtXmlBadValue(
        doc, node, "type", error,
        "libvirt knows 802.1Qbg, 802.1Qbh, openvswitch and midonet, but a VF that is given to a guest can only use 802.1Qbh");
    return false;
}

static bool
checkGuid(const virtXmlDoc *doc, const virtXmlNode *node, GError **error)
{
    if (virtXmlGet(node, "node") || virtXmlGet(node, "port"))
        return true;
    virtXmlError(doc, node, error, "<guid> needs its attribute 'node', 'port' or both");
    return false;
}

static const virtXmlRule netdevRules[] = {
    {"netdev", "port! trustGuestRxFilters spoofCheck", NETDEV_CHILDREN, NULL, NULL},
    {NULL},
};

const virtXmlRule virtNetdevPartRules[] = {
    {"mac", "address!", "", NULL, NULL},
    {"vlan", "", "tag!", "a VF has one VLAN, so write exactly one <tag>", NULL},
    {"tag", "id! priority protocol", "", NULL, NULL},
    {"virtualport", "type!", "parameters!", "802.1Qbh needs <parameters profileid='...'/>", checkVirtualport},
    {"parameters", "profileid!", "", NULL, NULL},
    {"link", "state!", "", NULL, NULL},
    {"bandwidth", "", "outbound!", "write <outbound> with average, peak or floor", NULL},
    {"outbound", "average peak floor", "", NULL, NULL},
    {"guid", "node port", "", NULL, checkGuid},
    {NULL},
};

static const virtXmlRefusal netdevRefusals[] = {
    {"vlan", "@trunk", "a VF has one VLAN, not a trunk; drop the attribute and write one <tag>"},
    {"tag", "@nativeMode", "a VF sends all frames tagged on the wire and untagged to the guest; drop it"},
    {"bandwidth", "inbound", "a NIC limits what a VF sends, not what it receives; drop it"},
    {"outbound", "@burst", "a NIC has no setting for bursts; drop it"},
    {"netdev", "source", "it belongs to the <hostdev>, whose device all its netdevs share"},
    {"netdev", "address", "it belongs to the <hostdev>; a netdev is found by its port"},
    {"netdev", "alias", "it belongs to the <hostdev>; a netdev is found by its port"},
    {"netdev", "boot", "it belongs to the <hostdev>, which is what the guest boots from"},
    {"netdev", "rom", "it belongs to the <hostdev>, which is what has a ROM"},
    {"netdev", "driver", "it belongs to the <hostdev>; the netdevs of a VF share one driver"},
    {"netdev", "teaming", "it belongs to the <hostdev>"},
    {"netdev", "mtu", "a VF's MTU is the guest's own choice"},
    {"netdev", "target", "a netdev has no name on the host while a guest has it"},
    {"netdev", "model", "the guest sees the VF itself; there is no model to choose"},
    {NULL},
};

static const virtXmlGrammar netdevGrammar = {netdevRules, netdevRefusals, virtNetdevPartRules};

static const virtXmlRange portRange = {10, 1, VIRT_NETDEV_PORT_MAX,
                                       "ports are counted from 1, the device's dev_port plus one"};
static const virtXmlRange vlanRange = {10, 1, 4094, "drop <vlan> for a netdev without one"};
static const virtXmlRange stateVlanRange = {10, 0, 4094, NULL};
static const virtXmlRange priorityRange = {10, 0, 7, "0 is what is used without it"};
static const virtXmlRange rateRange = {10, 1, G_MAXUINT32, "the unit is KiB/s; drop the attribute for no limit"};
static const virtXmlRange stateRateRange = {10, 0, G_MAXUINT32, "the unit is KiB/s"};

typedef struct {
    const virtXmlDoc *doc;
    const virtXmlNode *node; /* that the row's path leads to */
    bool state;              /* what hardware says is allowed */
    virtNetdev *ret;
    GError **error;
} Reader;

static bool
parseMac(const Reader *r)
{
    guint8 *mac = r->ret->mac;

    if (!virtMacParse(virtXmlGet(r->node, "address"), mac)) {
        virtXmlBadValue(r->doc, r->node, "address", r->error, "not a MAC address like 52:54:00:01:02:03");
        return false;
    }
    if (r->state)
        return true;
    if (virtMacIsZero(mac)) {
        virtXmlBadValue(r->doc, r->node, "address", r->error,
                        "the zero address cannot be used; drop <mac> to have one generated");
        return false;
    }
    if (virtMacIsMulticast(mac)) {
        virtXmlBadValue(r->doc, r->node, "address", r->error,
                        "a multicast address; a netdev needs a unicast one, with an even first byte");
        return false;
    }
    return true;
}

static void
formatMac(GString *out, const virtNetdev *netdev)
{
    char mac[18];

    virtMacFormat(netdev->mac, mac);
    virtXmlAddText(out, "address", mac);
}

static bool
parseVlan(const Reader *r)
{
    const char *protocol = virtXmlGet(r->node, "protocol");
    guint64 id = 0, priority = 0;

    if (!virtXmlGetUInt(r->doc, r->node, "id", r->state ? &stateVlanRange : &vlanRange, &id, r->error) ||
        !virtXmlGetUInt(r->doc, r->node, "priority", &priorityRange, &priority, r->error))
        return false;
    if (protocol && !g_str_equal(protocol, "802.1Q") && !g_str_equal(protocol, "802.1ad")) {
        virtXmlBadValue(r->doc, r->node, "protocol", r->error,
                        "not 802.1Q or 802.1ad; 802.1Q is what is used without it");
        return false;
    }
    r->ret->vlan.id = id;
    r->ret->vlan.priority = priority;
    r->ret->vlan.protocol = protocol && g_str_equal(protocol, "802.1ad") ? ETH_P_8021AD : ETH_P_8021Q;
    return true;
}

static void
formatVlan(GString *out, const virtNetdev *netdev)
{
    virtXmlAddNumber(out, "id", netdev->vlan.id);
    if (netdev->vlan.priority)
        virtXmlAddNumber(out, "priority", netdev->vlan.priority);
    if (netdev->vlan.protocol == ETH_P_8021AD)
        virtXmlAddText(out, "protocol", "802.1ad");
}

static bool
checkRates(const Reader *r)
{
    guint32 average = r->ret->bandwidth.average, peak = r->ret->bandwidth.peak, floor = r->ret->bandwidth.floor;
    guint32 cap = peak ? peak : average;

    if (!average && !peak && !floor) {
        virtXmlError(r->doc, r->node, r->error,
                     "<outbound> needs its attribute 'average', 'peak' or 'floor', in KiB/s");
        return false;
    }
    if (peak && peak < average) {
        virtXmlBadValue(r->doc, r->node, "peak", r->error, "lower than the average of %u KiB/s; raise it or drop one",
                        average);
        return false;
    }
    if (cap && floor > cap) {
        virtXmlBadValue(r->doc, r->node, "floor", r->error,
                        "higher than the cap of %u KiB/s that average or peak set; lower it", cap);
        return false;
    }
    return true;
}

static bool
parseBandwidth(const Reader *r)
{
    const virtXmlRange *range = r->state ? &stateRateRange : &rateRange;
    guint64 average = 0, peak = 0, floor = 0;

    if (!virtXmlGetUInt(r->doc, r->node, "average", range, &average, r->error) ||
        !virtXmlGetUInt(r->doc, r->node, "peak", range, &peak, r->error) ||
        !virtXmlGetUInt(r->doc, r->node, "floor", range, &floor, r->error))
        return false;
    r->ret->bandwidth.average = average;
    r->ret->bandwidth.peak = peak;
    r->ret->bandwidth.floor = floor;
    return r->state || checkRates(r);
}

/* "No cap" has to be written as something: average='0'. */
static void
formatBandwidth(GString *out, const virtNetdev *netdev)
{
    if (netdev->bandwidth.average || (!netdev->bandwidth.peak && !netdev->bandwidth.floor))
        virtXmlAddNumber(out, "average", netdev->bandwidth.average);
    if (netdev->bandwidth.peak)
        virtXmlAddNumber(out, "peak", netdev->bandwidth.peak);
    if (netdev->bandwidth.floor)
        virtXmlAddNumber(out, "floor", netdev->bandwidth.floor);
}

static bool
parseYesNo(const Reader *r, const char *attr, guint8 *ret)
{
    const char *value = virtXmlGet(r->node, attr);

    if (!g_str_equal(value, "yes") && !g_str_equal(value, "no")) {
        virtXmlBadValue(r->doc, r->node, attr, r->error, "not yes or no; drop it to leave the VF as it is");
        return false;
    }
    *ret = value[0] == 'y';
    return true;
}

static bool
parseSpoofCheck(const Reader *r)
{
    return parseYesNo(r, "spoofCheck", &r->ret->spoofcheck);
}

static void
formatSpoofCheck(GString *out, const virtNetdev *netdev)
{
    virtXmlAddText(out, "spoofCheck", netdev->spoofcheck ? "yes" : "no");
}

static bool
parseTrust(const Reader *r)
{
    return parseYesNo(r, "trustGuestRxFilters", &r->ret->trust);
}

static void
formatTrust(GString *out, const virtNetdev *netdev)
{
    virtXmlAddText(out, "trustGuestRxFilters", netdev->trust ? "yes" : "no");
}

static const char *const linkNames[] = {
    [IFLA_VF_LINK_STATE_AUTO] = "auto",
    [IFLA_VF_LINK_STATE_ENABLE] = "up",
    [IFLA_VF_LINK_STATE_DISABLE] = "down",
};

static bool
parseLink(const Reader *r)
{
    for (guint i = 0; i < G_N_ELEMENTS(linkNames); i++) {
        if (g_str_equal(virtXmlGet(r->node, "state"), linkNames[i])) {
            r->ret->link = i;
            return true;
        }
    }
    virtXmlBadValue(r->doc, r->node, "state", r->error, "not auto, up or down; drop <link> to leave the VF as it is");
    return false;
}

static void
formatLink(GString *out, const virtNetdev *netdev)
{
    virtXmlAddText(out, "state", linkNames[MIN(netdev->link, G_N_ELEMENTS(linkNames) - 1)]);
}

/* "00:11:22:33:44:55:66:77" or "0x0011223344556677": exactly 16 digits, so that none is lost in typing. */
static bool
readGuid(const char *text, guint64 *ret)
{
    bool hex = g_str_has_prefix(text, "0x");
    const char *p = hex ? text + 2 : text;
    guint64 guid = 0;

    for (guint i = 0; i < 8; i++) {
        if (!hex && i && *p++ != ':')
            return false;
        if (!g_ascii_isxdigit(p[0]) || !g_ascii_isxdigit(p[1]))
            return false;
        guid = guid << 8 | g_ascii_xdigit_value(p[0]) << 4 | g_ascii_xdigit_value(p[1]);
        p += 2;
    }
    *ret = guid;
    return *p == '\0';
}

static bool
parseGuid(const Reader *r, const char *attr, guint64 *ret)
{
    if (!readGuid(virtXmlGet(r->node, attr), ret)) {
        virtXmlBadValue(r->doc, r->node, attr, r->error,
                        "not a GUID: write 8 bytes as 00:11:22:33:44:55:66:77 or 0x0011223344556677");
        return false;
    }
    /* Zero asks the subnet manager for one, all ones takes it away (mlx4): neither is a GUID. */
    if ((!*ret || *ret == G_MAXUINT64) && !r->state) {
        virtXmlBadValue(r->doc, r->node, attr, r->error,
                        "the %s GUID cannot be used; drop the attribute to leave the VF's own",
                        *ret ? "all-ones" : "zero");
        return false;
    }
    return true;
}

static void
formatGuid(GString *out, const char *attr, guint64 guid)
{
    static const char hex[] = "0123456789abcdef";
    char text[24], *p = text;

    for (int shift = 60; shift >= 0; shift -= 4) {
        *p++ = hex[guid >> shift & 0xf];
        if (shift % 8 == 0)
            *p++ = shift ? ':' : '\0';
    }
    virtXmlAddText(out, attr, text);
}

static bool
parseNodeGuid(const Reader *r)
{
    return parseGuid(r, "node", &r->ret->nodeGuid);
}

static void
formatNodeGuid(GString *out, const virtNetdev *netdev)
{
    formatGuid(out, "node", netdev->nodeGuid);
}

static bool
parsePortGuid(const Reader *r)
{
    return parseGuid(r, "port", &r->ret->portGuid);
}

static void
formatPortGuid(GString *out, const virtNetdev *netdev)
{
    formatGuid(out, "port", netdev->portGuid);
}

static bool
parseVirtualport(const Reader *r)
{
    const char *profile = virtXmlGet(r->node, "profileid");

    if (strlen(profile) >= VIRT_NETDEV_PROFILE_LEN) {
        virtXmlBadValue(r->doc, r->node, "profileid", r->error, "longer than %d bytes", VIRT_NETDEV_PROFILE_LEN - 1);
        return false;
    }
    if (!*profile && !r->state) {
        virtXmlBadValue(r->doc, r->node, "profileid", r->error, "empty: name the port profile, or drop <virtualport>");
        return false;
    }
    g_strlcpy(r->ret->profileid, profile, VIRT_NETDEV_PROFILE_LEN);
    return true;
}

static void
formatVirtualport(GString *out, const virtNetdev *netdev)
{
    g_string_append(out, " profileid='");
    virtXmlEscape(out, netdev->profileid);
    g_string_append(out, "'");
}

typedef struct {
    const char *outer;      /* the child of <netdev>; NULL: <netdev> itself */
    const char *outerAttrs; /* that never vary */
    const char *inner;      /* the child of @outer that carries the attributes; NULL: @outer does */
    const char *attr;       /* the row counts only where this attribute is written; NULL: wherever the element is */
    bool (*parse)(const Reader *r);
    void (*format)(GString *out, const virtNetdev *netdev);
} Row;

static const Row rows[VIRT_NETDEV_ATTR_LAST] = {
    [VIRT_NETDEV_MAC] = {"mac", "", NULL, NULL, parseMac, formatMac},
    [VIRT_NETDEV_VLAN] = {"vlan", "", "tag", NULL, parseVlan, formatVlan},
    [VIRT_NETDEV_BANDWIDTH] = {"bandwidth", "", "outbound", NULL, parseBandwidth, formatBandwidth},
    [VIRT_NETDEV_SPOOFCHECK] = {NULL, "", NULL, "spoofCheck", parseSpoofCheck, formatSpoofCheck},
    [VIRT_NETDEV_LINK] = {"link", "", NULL, NULL, parseLink, formatLink},
    [VIRT_NETDEV_TRUST] = {NULL, "", NULL, "trustGuestRxFilters", parseTrust, formatTrust},
    [VIRT_NETDEV_NODE_GUID] = {"guid", "", NULL, "node", parseNodeGuid, formatNodeGuid},
    [VIRT_NETDEV_PORT_GUID] = {"guid", "", NULL, "port", parsePortGuid, formatPortGuid},
    [VIRT_NETDEV_VIRTUALPORT] = {"virtualport", " type='802.1Qbh'", "parameters", NULL, parseVirtualport,
                                 formatVirtualport},
};

/* As they stand in the document; those of one element together. */
static const virtNetdevAttr documentOrder[] = {
    VIRT_NETDEV_TRUST, VIRT_NETDEV_SPOOFCHECK, VIRT_NETDEV_MAC,       VIRT_NETDEV_VLAN,      VIRT_NETDEV_VIRTUALPORT,
    VIRT_NETDEV_LINK,  VIRT_NETDEV_BANDWIDTH,  VIRT_NETDEV_NODE_GUID, VIRT_NETDEV_PORT_GUID,
};
G_STATIC_ASSERT(G_N_ELEMENTS(documentOrder) == VIRT_NETDEV_ATTR_LAST);

static bool
parseRow(virtNetdevAttr attr, Reader *r, const virtXmlNode *netdev)
{
    const Row *row = &rows[attr];

    r->node = row->outer ? virtXmlChild(netdev, row->outer) : netdev;
    if (r->node && row->inner)
        r->node = virtXmlChild(r->node, row->inner);
    if (!r->node || (row->attr && !virtXmlGet(r->node, row->attr)))
        return true;
    r->ret->present |= VIRT_NETDEV_BIT(attr);
    return row->parse(r);
}

/* Read what @node, a <netdev> or something with the same attributes and children, says of a netdev: its port, where it
 * gives one, and every setting. The shape has been checked.
 *
 * False with VIRT_ERROR_INVALID.
 */
bool
virtNetdevParseParts(const virtXmlDoc *doc, const virtXmlNode *node, virtNetdevParseMode mode, virtNetdev *netdev,
                     GError **error)
{
    guint64 port = netdev->port;

    if (!virtXmlGetUInt(doc, node, "port", &portRange, &port, error))
        return false;
    netdev->port = (guint)port;
    for (guint i = 0; i < G_N_ELEMENTS(documentOrder); i++) {
        Reader r = {doc, NULL, mode == VIRT_NETDEV_PARSE_STATE, netdev, error};

        if (!parseRow(documentOrder[i], &r, node))
            return false;
    }
    if (mode == VIRT_NETDEV_PARSE_USER && virtNetdevHas(netdev, VIRT_NETDEV_VLAN) &&
        virtNetdevHas(netdev, VIRT_NETDEV_VIRTUALPORT)) {
        virtXmlError(doc, virtXmlChild(node, "virtualport"), error,
                     "<vlan> and <virtualport> exclude each other: the port profile chooses the VLAN; drop one");
        return false;
    }
    return true;
}

/* Read one <netdev>.
 *
 * Returns what the caller frees with g_free(), or NULL with the reason.
 */
virtNetdev *
virtNetdevParse(const virtXmlDoc *doc, const virtXmlNode *node, virtNetdevParseMode mode, GError **error)
{
    g_autofree virtNetdev *netdev = virtNetdevNew(0);

    if (!virtXmlCheck(doc, node, &netdevGrammar, error) || !virtNetdevParseParts(doc, node, mode, netdev, error))
        return NULL;
    return g_steal_pointer(&netdev);
}

/* Read all <netdev> children of @parent; other children are not looked at.
 *
 * Returns a list sorted by port, perhaps empty, or NULL with the reason.
 */
GPtrArray *
virtNetdevListParse(const virtXmlDoc *doc, const virtXmlNode *parent, virtNetdevParseMode mode, GError **error)
{
    g_autoptr(GPtrArray) list = virtNetdevListNew();

    for (guint i = 0; i < parent->children->len; i++) {
        const virtXmlNode *node = parent->children->pdata[i];
        virtNetdev *netdev;

        if (!g_str_equal(node->name, "netdev") || (node->ns && g_strcmp0(node->ns, parent->ns) != 0))
            continue;
        netdev = virtNetdevParse(doc, node, mode, error);
        if (!netdev)
            return NULL;
        if (virtNetdevListFind(list, netdev->port)) {
            virtXmlBadValue(doc, node, "port", error,
                            "an earlier <netdev> of this device has the same port; each port has one");
            g_free(netdev);
            return NULL;
        }
        g_ptr_array_add(list, netdev);
    }
    virtNetdevListSort(list);
    return g_steal_pointer(&list);
}

/* Append white space and "<name" or "</name", @steps levels into the <netdev>. */
static void
addTag(GString *out, const virtXmlLayout *layout, guint steps, const char *open, const char *name)
{
    virtXmlAdd(out, layout->indent);
    while (steps--)
        virtXmlAdd(out, layout->step);
    virtXmlAdd(out, open);
    virtXmlAdd(out, layout->prefix);
    virtXmlAdd(out, name);
}

/* Append the child that the rows from documentOrder[@at] on share. Returns where those of the next one begin. */
static guint
formatChild(GString *out, const virtNetdev *netdev, const virtXmlLayout *layout, guint at)
{
    const Row *row = &rows[documentOrder[at]];

    addTag(out, layout, 1, "<", row->outer);
    virtXmlAdd(out, row->outerAttrs);
    if (row->inner) {
        virtXmlAdd(out, ">");
        addTag(out, layout, 2, "<", row->inner);
    }
    do {
        if (virtNetdevHas(netdev, documentOrder[at]))
            rows[documentOrder[at]].format(out, netdev);
    } while (++at < G_N_ELEMENTS(documentOrder) && g_str_equal(rows[documentOrder[at]].outer, row->outer));
    virtXmlAdd(out, "/>");
    if (row->inner) {
        addTag(out, layout, 1, "</", row->outer);
        virtXmlAdd(out, ">");
    }
    return at;
}

/* Append what @netdev sets by attributes of the element itself: " trustGuestRxFilters='yes'". */
void
virtNetdevFormatAttrs(GString *out, const virtNetdev *netdev)
{
    for (guint at = 0; !rows[documentOrder[at]].outer; at++) {
        if (virtNetdevHas(netdev, documentOrder[at]))
            rows[documentOrder[at]].format(out, netdev);
    }
}

/* Append the child @name ("vlan") of an element that stands at @layout's indentation; nothing where @netdev has no
 * such setting. */
void
virtNetdevFormatPart(GString *out, const virtNetdev *netdev, const char *name, const virtXmlLayout *layout)
{
    for (guint at = 0; at < G_N_ELEMENTS(documentOrder); at++) {
        if (g_strcmp0(rows[documentOrder[at]].outer, name) == 0 && virtNetdevHas(netdev, documentOrder[at])) {
            formatChild(out, netdev, layout, at);
            return;
        }
    }
}

/* Append @netdev as XML in its one canonical form: parsing and formatting again gives the same text. */
void
virtNetdevFormat(GString *out, const virtNetdev *netdev, const virtXmlLayout *layout)
{
    guint at = 0;
    gsize start;

    addTag(out, layout, 0, "<", "netdev");
    virtXmlAddNumber(out, "port", netdev->port);
    virtNetdevFormatAttrs(out, netdev);
    start = out->len;
    virtXmlAdd(out, ">");
    while (at < G_N_ELEMENTS(documentOrder)) {
        bool child = rows[documentOrder[at]].outer && virtNetdevHas(netdev, documentOrder[at]);

        at = child ? formatChild(out, netdev, layout, at) : at + 1;
    }
    if (out->len > start + 1)
        addTag(out, layout, 0, "</", "netdev>");
    else
        g_string_overwrite(out, start, "/>");
}
