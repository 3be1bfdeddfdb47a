/* interface_conf.c: <interface type='hostdev'>: a <hostdev> and a netdev of its folded into one element
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The other netdevs of the device, where it has more ports, are <netdev> children of the interface; its own is the one
 * of the lowest port, and so the first of the list.
 *
 * Theory of operation: every child that such an element may have is a row of one table, which says where it goes when
 * the element becomes a <hostdev>: it stays there, it becomes a setting of the netdev, or it means nothing to a VF and
 * is kept in our metadata only to be shown again. The order of the rows is the one in which libvirt writes them
 * (src/conf/domain_conf.c, 9.0 to 12), so what is shown looks as libvirt would show it.
 *
 * What a netdev can say only in part (a bandwidth with <inbound>, which no NIC limits) is kept whole too, and shown
 * instead of the netdev's own.
 */
#include "conf/domain_locate.h"
#include "conf/netdev_attr.h"

#include <string.h>

typedef enum {
    PART_HOSTDEV, /* a child of <hostdev> too, the same in both */
    PART_NETDEV,  /* a setting of the interface's own netdev */
    PART_OTHERS,  /* another netdev */
    PART_KEPT,    /* nothing that a VF could be told */
    PART_DROPPED, /* libvirt drops it from interfaces of this type */
} Place;

static const struct {
    const char *name;
    Place place;
} parts[] = {
    {"mac", PART_NETDEV},         {"driver", PART_HOSTDEV},    {"source", PART_HOSTDEV},  {"vlan", PART_NETDEV},
    {"virtualport", PART_NETDEV}, {"bandwidth", PART_NETDEV},  {"script", PART_KEPT},     {"downscript", PART_KEPT},
    {"backenddomain", PART_KEPT}, {"target", PART_KEPT},       {"guest", PART_KEPT},      {"model", PART_KEPT},
    {"backend", PART_KEPT},       {"filterref", PART_DROPPED}, {"tune", PART_KEPT},       {"teaming", PART_HOSTDEV},
    {"link", PART_NETDEV},        {"guid", PART_NETDEV},       {"boot", PART_HOSTDEV},    {"alias", PART_HOSTDEV},
    {"rom", PART_HOSTDEV},        {"acpi", PART_HOSTDEV},      {"address", PART_HOSTDEV}, {"netdev", PART_OTHERS},
};

#define CHILDREN                                                                                                       \
    "mac driver source! vlan virtualport bandwidth script downscript backenddomain target guest model backend "        \
    "filterref tune teaming link guid boot alias rom acpi address netdev*"

/* ---- what libvirt would refuse ----
 * What is kept never gets to libvirt's parser, until "revert" gives it back. */

static bool
checkMac(const virtXmlDoc *doc, const virtXmlNode *node, GError **error)
{
    static const struct {
        const char *attr, *one, *other;
    } words[] = {{"type", "generated", "static"}, {"check", "yes", "no"}};

    for (guint i = 0; i < G_N_ELEMENTS(words); i++) {
        const char *value = virtXmlGet(node, words[i].attr);

        if (!value || g_str_equal(value, words[i].one) || g_str_equal(value, words[i].other))
            continue;
        virtXmlBadValue(doc, node, words[i].attr, error, "not '%s' or '%s'", words[i].one, words[i].other);
        return false;
    }
    return true;
}

static bool
checkRate(const virtXmlDoc *doc, const virtXmlNode *node, GError **error)
{
    static const virtXmlRange any = {10, 0, G_MAXUINT64, "in kilobytes"};
    guint64 number;

    return virtXmlGetUInt(doc, node, "average", &any, &number, error) &&
           virtXmlGetUInt(doc, node, "peak", &any, &number, error) &&
           virtXmlGetUInt(doc, node, "burst", &any, &number, error);
}

static bool
checkModel(const virtXmlDoc *doc, const virtXmlNode *node, GError **error)
{
    const char *type = virtXmlGet(node, "type");

    if (type[strspn(type, G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS "_-")] == '\0')
        return true;
    virtXmlBadValue(doc, node, "type", error, "a model has letters, digits, '_' and '-'");
    return false;
}

/* <sndbuf>NUMBER</sndbuf> is the only element here whose text says something. */
static bool
checkTune(const virtXmlDoc *doc, const virtXmlNode *node, GError **error)
{
    const virtXmlNode *sndbuf = virtXmlChild(node, "sndbuf");
    const char *text = virtXmlText(sndbuf);

    if (!sndbuf || (!sndbuf->attrCount && !sndbuf->children->len && *text && !text[strspn(text, G_CSET_DIGITS)]))
        return true;
    virtXmlError(doc, sndbuf, error, "<sndbuf> has a number of bytes in it and nothing else: correct or drop it");
    return false;
}

const virtXmlRule virtInterfaceRules[] = {
    {"interface", "type! managed port " VIRT_NETDEV_FLAGS, CHILDREN, NULL, NULL},
    {"mac", "address! type check", "", NULL, checkMac},
    {"driver", "name! model", "", NULL, NULL},
    {"source", "writeFiltering pool", "pf vf address", NULL, NULL},
    {"bandwidth", "", "inbound outbound", NULL, NULL},
    {"inbound", "average! peak burst", "", NULL, checkRate},
    {"outbound", "average! peak burst floor", "", NULL, checkRate},
    {"script", "path!", "", NULL, NULL},
    {"downscript", "path!", "", NULL, NULL},
    {"backenddomain", "name!", "", NULL, NULL},
    {"target", "dev!", "", NULL, NULL},
    {"guest", "dev actual", "", NULL, NULL},
    {"model", "type!", "", NULL, checkModel},
    {"backend", "tap!", "", NULL, NULL},
    {"tune", "", "sndbuf!", NULL, checkTune},
    {NULL},
};
/* What QEMU's driver refuses for this type, at the definition or at the start, is libvirt's to refuse. */
#define NOT_FOR_VF "libvirt's QEMU driver refuses it for type='hostdev'; drop it"
const virtXmlRefusal virtInterfaceRefusals[] = {
    {"interface", "mtu", "a VF's MTU is the guest's own choice; drop it"},
    {"interface", "coalesce", NOT_FOR_VF},
    {"interface", "ip", NOT_FOR_VF},
    {"interface", "route", NOT_FOR_VF},
    {"interface", "port", NOT_FOR_VF},
    {"interface", "portForward", NOT_FOR_VF},
    {"target", "@managed", NOT_FOR_VF},
    {"inbound", "@floor", NOT_FOR_VF},
    {"vlan", "@trunk", "a VF has one VLAN, not a trunk; drop the attribute and write one <tag>"},
    {"tag", "@nativeMode", "a VF sends all frames tagged on the wire and untagged to the guest; drop it"},
    {NULL},
};
static const virtXmlGrammar interfaceGrammar = {virtInterfaceRules, virtInterfaceRefusals, virtNetdevPartRules};

/* Whether @node is an interface that gives a PCI device of the host to the guest. */
bool
virtInterfaceIs(const virtXmlNode *node)
{
    const virtXmlNode *source = virtXmlChild(node, "source"), *address = virtXmlChild(source, "address");

    if (!virtXmlIs(node, NULL, "interface") || g_strcmp0(virtXmlGet(node, "type"), "hostdev") != 0)
        return false;
    if (!address)
        return virtChoiceIsWritten(source);
    return g_strcmp0(virtXmlGet(address, "type"), "pci") == 0;
}

/* ---- reading ---- */

/* Is there more in a child that became a setting of @netdev than that can say? */
static bool
saysMore(const virtXmlNode *child, const virtNetdev *netdev)
{
    if (g_str_equal(child->name, "mac"))
        return child->attrCount > 1;
    if (g_str_equal(child->name, "link"))
        return !virtNetdevHas(netdev, VIRT_NETDEV_LINK);
    if (!g_str_equal(child->name, "bandwidth"))
        return false;
    return virtXmlChild(child, "inbound") || virtXmlGet(virtXmlChild(child, "outbound"), "burst");
}

static Place
findPlace(const virtXmlNode *child)
{
    for (guint i = 0; i < G_N_ELEMENTS(parts); i++) {
        if (virtXmlIs(child, NULL, parts[i].name))
            return parts[i].place;
    }
    return PART_DROPPED;
}

static char *
keepChildren(const virtXmlNode *node, const virtNetdev *netdev)
{
    GString *kept = g_string_new(NULL);

    for (guint i = 0; i < node->children->len; i++) {
        const virtXmlNode *child = node->children->pdata[i];
        Place place = findPlace(child);

        if (place == PART_KEPT || (place == PART_NETDEV && saysMore(child, netdev)))
            virtInterfaceFormatChild(kept, child);
    }
    return g_string_free(kept, FALSE);
}

/* A PCI address that is not to be given out: libvirt takes that of a <hostdev> alone. */
bool
virtInterfaceHasNoAddress(const virtXmlNode *node)
{
    const virtXmlNode *address = virtXmlChild(node, "address");

    return address && g_strcmp0(virtXmlGet(address, "type"), "unassigned") == 0;
}

/* The netdevs of an interface, its own first. Where it has others, it is that of port 1 unless it says another. */
static GPtrArray *
parseNetdevs(const virtXmlDoc *doc, const virtXmlNode *node, GError **error)
{
    g_autoptr(GPtrArray) list = virtNetdevListParse(doc, node, VIRT_SETTING_PARSE_USER, error);
    virtNetdev *own = NULL;

    if (!list || !(own = virtInterfaceParseNetdev(doc, node, error)))
        return NULL;
    if (list->len > 0 && own->port == VIRT_NETDEV_PORT_ANY)
        own->port = 1;
    g_ptr_array_insert(list, 0, own);
    if (list->len > 1 && ((const virtNetdev *)list->pdata[1])->port <= own->port) {
        virtXmlError(doc, virtXmlChild(node, "netdev"), error,
                     "the <interface> itself is port %u, and its <netdev> elements are the ports after that: give the "
                     "lowest port to the <interface>, by its attribute 'port'",
                     own->port);
        return NULL;
    }
    return g_steal_pointer(&list);
}

/* Read an interface for which virtInterfaceIs() holds: its netdevs, its own first, and what is left.
 *
 * Returns virtNetdev, for g_ptr_array_unref(), and *ret_interface for virtInterfaceFree(); or NULL with
 * VIRT_ERROR_INVALID where it says something that a <hostdev> with netdevs cannot, or that is wrong.
 */
GPtrArray *
virtInterfaceParse(const virtXmlDoc *doc, const virtXmlNode *node, virtInterface **ret_interface, GError **error)
{
    g_autoptr(GPtrArray) netdevs = NULL;
    g_autofree char *kept = NULL;

    if (!virtXmlCheck(doc, node, &interfaceGrammar, error) || !(netdevs = parseNetdevs(doc, node, error)))
        return NULL;
    if (virtInterfaceHasNoAddress(node)) {
        virtXmlError(doc, virtXmlChild(node, "address"), error,
                     "libvirt takes type='unassigned' of a <hostdev> alone: drop the <address>, or write a <hostdev>");
        return NULL;
    }
    virtInterfaceSetUntagged(netdevs->pdata[0]);
    kept = keepChildren(node, netdevs->pdata[0]);
    if (strlen(kept) > VIRT_INTERFACE_OPAQUE_MAX) {
        virtXmlError(doc, node, error, "what would be stored of this <interface> has more than %d bytes",
                     VIRT_INTERFACE_OPAQUE_MAX);
        return NULL;
    }
    *ret_interface = g_new0(virtInterface, 1);
    (*ret_interface)->index = -1;
    (*ret_interface)->opaque = g_steal_pointer(&kept);
    return g_steal_pointer(&netdevs);
}

/* ---- from one to the other ---- */

/* Move the child @name, with the white space before it, to @to. */
static void
moveChild(virtXmlEdits *edits, const virtXmlDoc *doc, const virtXmlNode *node, const char *name, gsize to)
{
    const virtXmlNode *child = virtXmlChild(node, name);
    g_autofree char *text = NULL;
    gsize from;

    if (!child)
        return;
    from = virtXmlSpaceBefore(doc, child->start);
    text = g_strndup(doc->text + from, child->end - from);
    virtXmlCut(edits, doc, child);
    virtXmlReplace(edits, to, to, text);
}

/* Turn an <interface> into a <hostdev> where it stands: another name and attributes, a source address without the type
 * that it has only here, and what is no child of <hostdev> cut out. */
static void
convertToHostdev(virtXmlEdits *edits, const virtXmlDoc *doc, const virtXmlNode *node)
{
    const virtXmlNode *source = virtXmlChild(node, "source");
    const virtXmlNode *address = virtXmlChild(source, "address");
    const char *managed = virtXmlGet(node, "managed");
    g_autoptr(GString) tag = g_string_new("<hostdev mode='subsystem' type='pci'");
    gsize from, to;

    if (managed) {
        g_string_append(tag, " managed='");
        virtXmlEscape(tag, managed);
        g_string_append_c(tag, '\'');
    }
    g_string_append_c(tag, '>');
    virtXmlReplace(edits, node->start, node->startEnd, tag->str);
    virtXmlReplace(edits, node->endStart, node->end, "</hostdev>");
    if (virtXmlFindAttr(doc, address, "type", &from, &to))
        virtXmlReplace(edits, from, to, NULL);
    virtChoiceCut(edits, doc, source);
    for (guint i = 0; i < node->children->len; i++) {
        const virtXmlNode *child = node->children->pdata[i];

        if (findPlace(child) != PART_HOSTDEV)
            virtXmlCut(edits, doc, child);
    }
    /* In a <hostdev> libvirt's schema wants these together; this is the order in which libvirt writes them. */
    moveChild(edits, doc, node, "driver", virtXmlSpaceBefore(doc, source->start));
    moveChild(edits, doc, node, "teaming", source->end);
}

/* The text of @node as a <hostdev>, with the white space before it; NULL only where it grows past all limits. */
static char *
convertedText(const virtXmlDoc *doc, const virtXmlNode *node, GError **error)
{
    g_autoptr(virtXmlEdits) edits = virtXmlEditsNew();

    convertToHostdev(edits, doc, node);
    return virtXmlApplyTo(edits, doc, virtXmlSpaceBefore(doc, node->start), node->end, error);
}

/* Turn an <interface> into the <hostdev> that libvirt stores. libvirt counts the devices behind interfaces before all
 * hostdevs when it gives out addresses and aliases; so one that stands behind hostdevs moves before them. */
bool
virtInterfaceToHostdev(virtXmlEdits *edits, const virtXmlDoc *doc, const virtHostdevRef *ref, GError **error)
{
    const virtXmlNode *node = ref->node;
    g_autofree char *text = NULL;
    gsize place;

    if (!ref->behind && !ref->after) {
        convertToHostdev(edits, doc, node);
        return true;
    }
    if (!(text = convertedText(doc, node, error)))
        return false;
    if (ref->after)
        place = ref->after->end;
    else
        place = virtXmlSpaceBefore(doc, ref->behind->start);
    virtXmlCut(edits, doc, node);
    virtXmlReplace(edits, place, place, text);
    return true;
}

static void
formatAll(GString *out, const virtXmlNode *parent, const char *name, const virtXmlLayout *layout)
{
    for (guint i = 0; parent && i < parent->children->len; i++) {
        if (virtXmlIs(parent->children->pdata[i], NULL, name))
            virtXmlFormatNode(out, parent->children->pdata[i], layout);
    }
}

static void
copyText(GString *out, const virtXmlDoc *doc, gsize from, gsize to)
{
    g_string_append_len(out, doc->text + from, (gssize)(to - from));
}

/* The <source> as it is written, with what it asks for; its address gets its type, which in a <hostdev> may be
 * anything: libvirt does not read it there. */
static void
copySource(GString *out, const virtXmlDoc *doc, const virtHostdevRef *hostdev)
{
    const virtXmlNode *source = hostdev->source, *address = virtXmlChild(source, "address");
    g_autofree char *indent = virtXmlIndentOf(doc, address);
    gsize tag = source->start + strlen("<source"), before = virtXmlSpaceBefore(doc, address->start);
    gsize split = address->start + strlen("<address"), from = split, to = split;

    copyText(out, doc, source->start, tag);
    virtChoiceFormatAttr(out, &hostdev->choice);
    copyText(out, doc, tag, before);
    virtChoiceFormatXml(out, &hostdev->choice, "", indent);
    copyText(out, doc, before, split);
    if (g_strcmp0(virtXmlGet(address, "type"), "pci") != 0) {
        virtXmlFindAttr(doc, address, "type", &from, &to);
        g_string_append(out, " type='pci'");
    }
    copyText(out, doc, split, from);
    copyText(out, doc, to, source->end);
}

/* A child that both elements have. */
static void
copyPart(GString *out, const virtXmlDoc *doc, const virtHostdevRef *hostdev, const char *name, const char *indent)
{
    const virtXmlNode *child = virtXmlChild(hostdev->node, name);

    if (!child)
        return;
    g_string_append(out, indent);
    if (child == hostdev->source)
        copySource(out, doc, hostdev);
    else
        copyText(out, doc, child->start, child->end);
}

/* Append the <interface> that stands for @hostdev, which has a netdev, with the white space before it. */
void
virtInterfaceFormat(GString *out, const virtXmlDoc *doc, const virtHostdevRef *hostdev)
{
    g_autofree virtNetdev *netdev = virtNetdevCopy(VIRT_NETDEVS(hostdev)->pdata[0]);
    g_autofree char *text = NULL;
    g_autoptr(virtXmlDoc) kept = virtInterfaceParseOpaque(hostdev->interface, &text, NULL);
    g_autofree char *indent = virtXmlIndentOf(doc, hostdev->node);
    g_autofree char *inner = virtXmlIndentOf(doc, hostdev->source);
    g_autofree char *step = virtXmlStepFrom(doc, hostdev->node, inner);
    const virtXmlLayout layout = {"", indent, step}, deeper = {"", inner, step};

    virtNetdevDropUntagged(netdev);
    g_string_append_printf(out, "%s<interface type='hostdev'", indent);
    if (g_strcmp0(virtXmlGet(hostdev->node, "managed"), "yes") == 0)
        g_string_append(out, " managed='yes'");
    if (netdev->port > 1) /* without one, a VF that has port 1 is set there too */
        g_string_append_printf(out, " port='%u'", netdev->port);
    virtNetdevFormatAttrs(out, netdev);
    g_string_append_c(out, '>');
    for (guint i = 0; i < G_N_ELEMENTS(parts); i++) {
        const char *name = parts[i].name;

        if (parts[i].place == PART_HOSTDEV)
            copyPart(out, doc, hostdev, name, inner);
        else if (kept && virtXmlChild(kept->root, name))
            formatAll(out, kept->root, name, &deeper);
        else if (parts[i].place == PART_NETDEV)
            virtNetdevFormatPart(out, netdev, name, &layout);
    }
    for (guint i = 1; i < VIRT_NETDEVS(hostdev)->len; i++)
        virtNetdevFormat(out, VIRT_NETDEVS(hostdev)->pdata[i], &deeper);
    g_string_append_printf(out, "%s</interface>", indent);
}

/* Has <interface> a place for each child of @hostdev that is not a <netdev>? VIRT_ERROR_INVALID names one that has
 * none. */
bool
virtInterfaceHasRoom(const virtXmlDoc *doc, const virtXmlNode *hostdev, GError **error)
{
    for (guint i = 0; i < hostdev->children->len; i++) {
        const virtXmlNode *child = hostdev->children->pdata[i];
        g_autofree char *name = virtXmlQuote(child->name);

        if (findPlace(child) == PART_HOSTDEV || virtXmlIs(child, NULL, "netdev") || virtInterfaceIs(hostdev))
            continue;
        virtXmlError(doc, child, error,
                     "<%s> of this <hostdev> cannot be expressed in an <interface>: keep the <hostdev>", name);
        return false;
    }
    return true;
}
