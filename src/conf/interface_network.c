/* interface_network.c: <interface type='network'> whose VF comes from a network, with words that libvirt does not have
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Theory of operation: libvirt takes the VF of such an interface from a network with <forward mode='hostdev'/>, when
 * the domain starts, and sets MAC address, VLAN and port profile of that VF itself. So it stays the interface that it
 * is. What libvirt would drop or refuse is cut out and goes to our metadata: the <netdev> children, and of the
 * interface's own netdev all but what libvirt sets. No address could be the key of that entry; it is the MAC address,
 * and an interface that has none is given one.
 *
 * While the domain runs, libvirt shows the interface with another type, most often 'hostdev'. Its entry is found there
 * by the same key.
 */
#include "conf/domain_locate.h"
#include "conf/netdev_attr.h"

/* What moves to metadata is held to its rules here; the rest is libvirt's to judge, which gets it. */
static const virtXmlRule networkRules[] = {
    {"interface", "type! " VIRT_NETDEV_FLAGS,
     "mac driver source! vlan virtualport bandwidth script downscript backenddomain target guest model backend "
     "filterref tune teaming link guid boot alias rom acpi address netdev*",
     NULL, NULL},
    {"source", "network! portgroup", "", NULL, NULL},
    {"mac", "address! type check", "", NULL, NULL},
    {"tag", "id!", "", NULL, NULL},
    {NULL},
};
#define OF_LIBVIRT "libvirt itself sets the VLAN of an <interface type='network'>, and knows its id alone; drop it"
static const virtXmlRefusal networkRefusals[] = {
    {"interface", "@port",
     "an <interface type='network'> is port 1 of its VF, or the one port that the VF has; drop it, and write <netdev port='2'> for another port"},
    {"tag", "@priority", OF_LIBVIRT},
    {"tag", "@protocol", OF_LIBVIRT},
    {"vlan", "@trunk", "a VF has one VLAN, not a trunk; drop the attribute and write one <tag>"},
    {"bandwidth", "inbound", "a NIC limits what a VF sends, not what it receives; drop it"},
    {"outbound", "@burst", "a NIC has no setting for bursts; drop it"},
    {NULL},
};
static const virtXmlGrammar networkGrammar = {networkRules, networkRefusals, virtNetdevPartRules};

/* Whether @node is an interface for which libvirt looks in a network. */
bool
virtInterfaceIsNetwork(const virtXmlNode *node)
{
    return virtXmlIs(node, NULL, "interface") && g_strcmp0(virtXmlGet(node, "type"), "network") == 0;
}

/* The key of the interface @node: its MAC address. False where it has none. */
bool
virtInterfaceReadKey(const virtXmlNode *node, virtHandle *ret)
{
    const char *mac = virtXmlGet(virtXmlChild(node, "mac"), "address");
    guint8 bytes[6];

    if (!mac || !virtMacParse(mac, bytes))
        return false;
    virtHandleSetNetwork(ret, bytes);
    return true;
}

/* Note the VLAN of @interface, as libvirt writes it; what it would not write is none. */
void
virtInterfaceVFSetVlan(virtInterfaceVF *interface, const char *id)
{
    guint64 number = 0;

    if (id && g_ascii_string_to_unsigned(id, 10, 1, 4094, &number, NULL))
        interface->vlan = (guint16)number;
}

/* Is @netdev, of an interface from a network, the interface's own, which libvirt sets in part? The others are of later
 * ports. */
bool
virtInterfaceOwnsNetdev(const virtNetdev *netdev)
{
    return netdev->port <= 1;
}

/* The own netdev of an interface that has @netdevs; NULL: libvirt sets all of it. */
static const virtNetdev *
findOwn(const GPtrArray *netdevs)
{
    if (netdevs->len == 0 || !virtInterfaceOwnsNetdev(netdevs->pdata[0]))
        return NULL;
    return netdevs->pdata[0];
}

/* The attributes of an own netdev that libvirt sets, as bits. */
static guint
listOfLibvirt(void)
{
    guint bits = 0;

    for (guint i = 0; i < VIRT_NETDEV_ATTR_LAST; i++) {
        if (virtNetdevRows[i].stock == VIRT_NETDEV_STOCK_SETS)
            bits |= VIRT_NETDEV_BIT(virtNetdevRows[i].attr);
    }
    return bits;
}

/* Take out of @netdevs, those of an interface from a network, what libvirt sets: a document has it elsewhere. */
void
virtInterfaceLeaveToLibvirt(GPtrArray *netdevs)
{
    virtNetdev *own;

    if (netdevs->len == 0 || !virtInterfaceOwnsNetdev(own = netdevs->pdata[0]))
        return;
    own->present &= ~listOfLibvirt();
    if (!own->present)
        g_ptr_array_remove_index(netdevs, 0);
}

/* Read an interface for which virtInterfaceIsNetwork() holds and that has words of ours.
 *
 * Returns virtNetdev, for g_ptr_array_unref(): its own, where that has anything which libvirt does not set, and the
 * others; or NULL with VIRT_ERROR_INVALID.
 */
GPtrArray *
virtInterfaceParseNetwork(const virtXmlDoc *doc, const virtXmlNode *node, GError **error)
{
    g_autoptr(GPtrArray) netdevs = NULL;
    g_autofree virtNetdev *own = NULL;

    if (!virtXmlCheck(doc, node, &networkGrammar, error) ||
        !(netdevs = virtNetdevListParse(doc, node, VIRT_SETTING_PARSE_USER, error)) ||
        !(own = virtInterfaceParseNetdev(doc, node, error)))
        return NULL;
    if (findOwn(netdevs)) {
        virtXmlError(
            doc, virtXmlChild(node, "netdev"), error,
            "port 1 of an <interface type='network'> is the interface itself: write what it says there, and <netdev> for later ports");
        return NULL;
    }
    if (netdevs->len > 0)
        own->port = 1;
    g_ptr_array_insert(netdevs, 0, g_steal_pointer(&own));
    virtInterfaceLeaveToLibvirt(netdevs);
    return g_steal_pointer(&netdevs);
}

/* Has the entry @node of our metadata, for an interface from a network, just what such an interface may have?
 */
bool
virtInterfaceCheckNetworkEntry(const virtXmlDoc *doc, const virtXmlNode *node, const virtHostdev *entry, GError **error)
{
    const virtNetdev *own = findOwn(VIRT_NETDEVS(entry));

    if (entry->interface || entry->choice.by != VIRT_CHOICE_NONE) {
        virtXmlError(
            doc, node, error,
            "the metadata's <hostdev> is an interface from a network, which is stored by <mac> and <netdev> alone");
        return false;
    }
    if (own && (own->present & listOfLibvirt())) {
        virtXmlError(
            doc, node, error,
            "the metadata's <netdev> is an interface's own, whose MAC address, VLAN and port profile libvirt sets: drop them");
        return false;
    }
    return true;
}

/* ---- to libvirt ---- */

static void
cutRow(virtXmlEdits *edits, const virtXmlDoc *doc, const virtXmlNode *node, const virtNetdevRow *row)
{
    gsize from, to;

    if (!row->outer && virtXmlFindAttr(doc, node, row->written, &from, &to))
        virtXmlReplace(edits, from, to, NULL);
}

static void
addMac(virtXmlEdits *edits, const virtXmlDoc *doc, const virtHostdevRef *ref)
{
    g_autofree char *indent = virtXmlIndentOf(doc, ref->source);
    g_autoptr(GString) text = g_string_new(indent);

    virtHandleFormatXml(text, &ref->handle, "");
    virtXmlReplace(edits, ref->node->startEnd, ref->node->startEnd, text->str);
}

/* Is @child of an interface something that @own, its own netdev (NULL: it has none), says? */
static bool
isOfOwn(const virtXmlNode *child, const virtNetdev *own)
{
    for (guint i = 0; own && i < VIRT_NETDEV_ATTR_LAST; i++) {
        if (virtNetdevHas(own, virtNetdevRows[i].attr) && g_strcmp0(virtNetdevRows[i].outer, child->name) == 0)
            return true;
    }
    return false;
}

/* Leave of the interface of @ref what libvirt takes, and write its key into it.
 *
 * Errors: VIRT_ERROR_INVALID where it has none.
 */
bool
virtInterfaceNetworkToStock(virtXmlEdits *edits, const virtXmlDoc *doc, const virtHostdevRef *ref, GError **error)
{
    const virtNetdev *own = findOwn(VIRT_NETDEVS(ref));
    const virtXmlNode *node = ref->node;

    if (!*ref->handle.name) {
        virtXmlError(
            doc, node, error,
            "this <interface> lacks its <mac>, by which its netdevs are stored: add it; virt-hostdev define generates one");
        return false;
    }
    if (!virtXmlChild(node, "mac"))
        addMac(edits, doc, ref);
    for (guint i = 0; own && i < VIRT_NETDEV_ATTR_LAST; i++) {
        if (virtNetdevHas(own, virtNetdevRows[i].attr))
            cutRow(edits, doc, node, &virtNetdevRows[i]);
    }
    for (guint i = 0; i < node->children->len; i++) {
        const virtXmlNode *child = node->children->pdata[i];

        if (virtSettingKindFind(child) || isOfOwn(child, own))
            virtXmlCut(edits, doc, child);
    }
    return true;
}

/* ---- and back ---- */

/* Put what metadata has of the interface of @ref into it again: the own netdev's attributes behind its others, and all
 * children behind its others. */
void
virtInterfaceShowNetwork(virtXmlEdits *edits, const virtXmlDoc *doc, const virtHostdevRef *ref)
{
    static const char *const parts[] = {"bandwidth", "link", "guid"};
    const virtXmlNode *node = ref->node;
    const virtNetdev *own = findOwn(VIRT_NETDEVS(ref));
    gsize tag = virtXmlSpaceBefore(doc, node->startEnd - 1), end = virtXmlSpaceBefore(doc, node->endStart);
    g_autofree char *indent = virtXmlIndentOf(doc, node), *inner = virtXmlIndentOf(doc, ref->source);
    g_autofree char *step = virtXmlStepFrom(doc, node, inner);
    const virtXmlLayout layout = {"", indent, step}, deeper = {"", inner, step};
    g_autoptr(GString) attrs = g_string_new(NULL), children = g_string_new(NULL);

    if (own)
        virtNetdevFormatAttrs(attrs, own);
    for (guint i = 0; own && i < G_N_ELEMENTS(parts); i++)
        virtNetdevFormatPart(children, own, parts[i], &layout);
    for (guint i = own != NULL; i < VIRT_NETDEVS(ref)->len; i++)
        virtNetdevFormat(children, VIRT_NETDEVS(ref)->pdata[i], &deeper);
    if (attrs->len)
        virtXmlReplace(edits, tag, tag, attrs->str);
    if (children->len)
        virtXmlReplace(edits, end, end, children->str);
}
