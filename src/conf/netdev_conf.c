/* netdev_conf.c: the <netdev> element: parse, validate, format
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Theory of operation: the shape of the element is a grammar (xml_check.h), checked first. Then each attribute
 * of virtNetdev is one row (netdev_attr.c): where it stands, how to read it, how to write it. Reading and writing walk
 * the rows in the order in which they stand in the document.
 */
#include "conf/netdev_attr.h"

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
    {"netdev", "port profile " VIRT_NETDEV_FLAGS, NETDEV_CHILDREN, NULL, NULL},
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

static bool
parseRow(const virtNetdevRow *row, virtNetdevReader *r, const virtXmlNode *netdev)
{
    r->node = netdev;
    if (row->outer)
        r->node = virtXmlChild(r->node, row->outer);
    if (row->inner)
        r->node = virtXmlChild(r->node, row->inner);
    if (!r->node || (row->written && !virtXmlGet(r->node, row->written)))
        return true;
    r->ret->present |= VIRT_NETDEV_BIT(row->attr);
    return row->parse(r);
}

/* Read what @node, a <netdev> or something with the same attributes and children, says of a netdev: its port, where it
 * gives one, and every setting. The shape has been checked.
 *
 * False with VIRT_ERROR_INVALID.
 */
bool
virtNetdevParseParts(const virtXmlDoc *doc, const virtXmlNode *node, virtSettingMode mode, virtNetdev *netdev,
                     GError **error)
{
    guint64 port = netdev->port;

    if (!virtXmlGetUInt(doc, node, "port", &portRange, &port, error))
        return false;
    netdev->port = (guint)port;
    for (guint i = 0; i < VIRT_NETDEV_ATTR_LAST; i++) {
        virtNetdevReader r = {doc, NULL, mode == VIRT_SETTING_PARSE_STATE, netdev, error};

        if (!parseRow(&virtNetdevRows[i], &r, node))
            return false;
    }
    if (mode != VIRT_SETTING_PARSE_STATE && virtNetdevHas(netdev, VIRT_NETDEV_VLAN) &&
        virtNetdevHas(netdev, VIRT_NETDEV_VIRTUALPORT)) {
        virtXmlError(doc, virtXmlChild(node, "virtualport"), error,
                     "<vlan> and <virtualport> exclude each other: the port profile chooses the VLAN; drop one");
        return false;
    }
    return true;
}

static bool
checkHasPort(const virtXmlDoc *doc, const virtXmlNode *node, const virtNetdev *netdev, GError **error)
{
    if (netdev->port != VIRT_NETDEV_PORT_ANY)
        return true;
    virtXmlError(doc, node, error, "<netdev> lacks its attribute 'port'");
    return false;
}

/* Read one <netdev>.
 *
 * Returns what the caller frees with g_free(), or NULL with the reason.
 */
virtNetdev *
virtNetdevParse(const virtXmlDoc *doc, const virtXmlNode *node, virtSettingMode mode, GError **error)
{
    g_autofree virtNetdev *netdev = virtNetdevNew(VIRT_NETDEV_PORT_ANY);

    if (!virtXmlCheck(doc, node, &netdevGrammar, error) || !virtNetdevParseParts(doc, node, mode, netdev, error) ||
        !virtSettingParseProfile(doc, node, &netdev->setting, error))
        return NULL;
    if (mode != VIRT_SETTING_PARSE_ENTRY && !checkHasPort(doc, node, netdev, error))
        return NULL;
    return g_steal_pointer(&netdev);
}

/* Read all <netdev> children of @parent; other children are not looked at.
 *
 * Returns a list sorted by port, perhaps empty, or NULL with the reason.
 */
GPtrArray *
virtNetdevListParse(const virtXmlDoc *doc, const virtXmlNode *parent, virtSettingMode mode, GError **error)
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
        if (list->len && !checkHasPort(doc, node, netdev, error)) {
            g_free(netdev);
            return NULL;
        }
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

/* Append the child that the rows from @at on share. Returns where those of the next one begin. */
static guint
formatChild(GString *out, const virtNetdev *netdev, const virtXmlLayout *layout, guint at)
{
    const virtNetdevRow *row = &virtNetdevRows[at];

    addTag(out, layout, 1, "<", row->outer);
    virtXmlAdd(out, row->outerAttrs);
    if (row->inner) {
        virtXmlAdd(out, ">");
        addTag(out, layout, 2, "<", row->inner);
    }
    do {
        if (virtNetdevHas(netdev, virtNetdevRows[at].attr))
            virtNetdevRows[at].format(out, netdev);
    } while (++at < VIRT_NETDEV_ATTR_LAST && g_str_equal(virtNetdevRows[at].outer, row->outer));
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
    for (guint at = 0; !virtNetdevRows[at].outer; at++) {
        if (virtNetdevHas(netdev, virtNetdevRows[at].attr))
            virtNetdevRows[at].format(out, netdev);
    }
}

/* Append the child @name ("vlan") of an element that stands at @layout's indentation; nothing where @netdev has no
 * such setting. */
void
virtNetdevFormatPart(GString *out, const virtNetdev *netdev, const char *name, const virtXmlLayout *layout)
{
    for (guint at = 0; at < VIRT_NETDEV_ATTR_LAST; at++) {
        if (g_strcmp0(virtNetdevRows[at].outer, name) == 0 && virtNetdevHas(netdev, virtNetdevRows[at].attr)) {
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
    if (netdev->port != VIRT_NETDEV_PORT_ANY)
        virtXmlAddNumber(out, "port", netdev->port);
    if (*netdev->profile)
        virtXmlAddText(out, "profile", netdev->profile);
    virtNetdevFormatAttrs(out, netdev);
    start = out->len;
    virtXmlAdd(out, ">");
    while (at < VIRT_NETDEV_ATTR_LAST) {
        if (virtNetdevRows[at].outer && virtNetdevHas(netdev, virtNetdevRows[at].attr))
            at = formatChild(out, netdev, layout, at);
        else
            at++;
    }
    if (out->len > start + 1)
        addTag(out, layout, 0, "</", "netdev>");
    else
        g_string_overwrite(out, start, "/>");
}

/* Users do not write a VLAN that is none. */
static void
formatOne(GString *out, gconstpointer setting, virtSettingForm form, const virtXmlLayout *layout)
{
    virtNetdev netdev = *(const virtNetdev *)setting;

    if (form != VIRT_SETTING_FORMAT_ALL)
        virtNetdevDropUntagged(&netdev);
    if (form == VIRT_SETTING_FORMAT_SHOWN && netdev.port == VIRT_NETDEV_PORT_ANY)
        netdev.port = 1; /* a <netdev> names its port, and most VFs have just that one */
    virtNetdevFormat(out, &netdev, layout);
}

const virtSettingKind virtNetdevKind = {&virtNetdevInfo, "pci", true, false, false, virtNetdevListParse, formatOne};
