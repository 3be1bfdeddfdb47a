/* domain_format.c: a document as users see it, made from its stock form; and other forms of it
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Theory of operation: as in domain_stock.c, in the other direction. An <interface> moves: libvirt keeps its <hostdev>
 * among the other hostdevs, and users look for it among the interfaces, where it stood when it was written.
 */
#include "conf/domain_locate.h"

#include <string.h>

#include "conf/domain_conf.h"
#include "util/virerror.h"

/* Put a hostdev's settings right after its <source>. */
static void
insertSettings(virtXmlEdits *edits, const virtXmlDoc *doc, const virtHostdevRef *hostdev)
{
    g_autofree char *indent = virtXmlIndentOf(doc, hostdev->source);
    g_autofree char *step = virtXmlStepFrom(doc, hostdev->node, indent);
    const virtXmlLayout layout = {"", indent, step};
    g_autoptr(GString) out = g_string_new(NULL);

    virtSettingsFormat(out, &hostdev->settings, VIRT_SETTING_FORMAT_SHOWN, &layout);
    virtXmlReplace(edits, hostdev->source->end, hostdev->source->end, out->str);
}

/* Put what a <source> asks for before its address, which is what was found. */
static void
insertChoice(virtXmlEdits *edits, const virtXmlDoc *doc, const virtHostdevRef *hostdev)
{
    const virtXmlNode *address = virtXmlChild(hostdev->source, "address");
    g_autofree char *indent = NULL;
    g_autoptr(GString) attr = g_string_new(NULL), children = g_string_new(NULL);
    gsize tag = hostdev->source->start + strlen("<source"), before;

    if (!address) /* it has a path, and nothing else asks for it */
        return;
    indent = virtXmlIndentOf(doc, address);
    before = virtXmlSpaceBefore(doc, address->start);
    virtChoiceFormatAttr(attr, &hostdev->choice);
    virtChoiceFormatXml(children, &hostdev->choice, "", indent);
    if (attr->len)
        virtXmlReplace(edits, tag, tag, attr->str);
    if (children->len)
        virtXmlReplace(edits, before, before, children->str);
}

static void
insertOurs(virtXmlEdits *edits, const virtXmlDoc *doc, const virtHostdevRef *hostdev)
{
    if (virtHostdevRefIsNetwork(hostdev)) {
        virtInterfaceShowNetwork(edits, doc, hostdev);
        return;
    }
    insertChoice(edits, doc, hostdev);
    insertSettings(edits, doc, hostdev);
}

/* ---- interfaces among interfaces ---- */

/* The interfaces that a <devices> has. */
typedef struct {
    const virtXmlNode *devices;
    GPtrArray *interfaces; /* virtXmlNode, not owned */
    gsize first;           /* where in the text the first one stands or would */
} Places;

/* libvirt writes these kinds before. */
static bool
comesBefore(const virtXmlNode *node)
{
    static const char *const names[] = {"emulator", "disk", "controller", "lease", "filesystem"};

    for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
        if (virtXmlIs(node, NULL, names[i]))
            return true;
    }
    return false;
}

static void
findPlaces(const virtXmlDoc *doc, const virtXmlNode *devices, Places *places)
{
    if (places->devices == devices)
        return;
    places->devices = devices;
    places->first = devices->startEnd;
    g_ptr_array_set_size(places->interfaces, 0);
    for (guint i = 0; i < devices->children->len; i++) {
        virtXmlNode *child = devices->children->pdata[i];

        if (virtXmlIs(child, NULL, "interface")) {
            if (places->interfaces->len == 0)
                places->first = virtXmlSpaceBefore(doc, child->start);
            g_ptr_array_add(places->interfaces, child);
        } else if (places->interfaces->len == 0 && comesBefore(child)) {
            places->first = child->end;
        }
    }
}

/* The place behind @before interfaces, or behind them all. */
static gsize
placeBehind(const Places *places, guint before)
{
    guint last = MIN(before, places->interfaces->len);

    if (last == 0)
        return places->first;
    return ((const virtXmlNode *)places->interfaces->pdata[last - 1])->end;
}

static guint
indexOf(const virtHostdevRef *hostdev)
{
    if (!hostdev->interface || hostdev->interface->index < 0)
        return G_MAXINT;
    return (guint)hostdev->interface->index;
}

static int
compareIndexes(gconstpointer a, gconstpointer b)
{
    const virtHostdevRef *x = *(virtHostdevRef *const *)a, *y = *(virtHostdevRef *const *)b;

    if (indexOf(x) != indexOf(y))
        return indexOf(x) < indexOf(y) ? -1 : 1;
    return (x->node->start > y->node->start) - (x->node->start < y->node->start);
}

/* How many of @siblings begin before @place. */
static guint
countSiblingsBefore(const GPtrArray *siblings, gsize place)
{
    guint from = 0, to = siblings->len;

    while (from < to) {
        guint middle = from + (to - from) / 2;

        if (((const virtXmlNode *)siblings->pdata[middle])->start < place)
            from = middle + 1;
        else
            to = middle;
    }
    return from;
}

/* Whether no other device stands between @place and @node: then it is there already, but for a comment. */
static bool
isNextTo(const virtXmlNode *node, gsize place)
{
    const GPtrArray *siblings = node->parent->children;
    guint there = countSiblingsBefore(siblings, place), here = countSiblingsBefore(siblings, node->start);

    return there == here || there == here + 1;
}

/* Turn hostdevs into interfaces. An index counts all interfaces before one, those that come back here too. */
static void
moveInterfaces(virtXmlEdits *edits, const virtXmlDoc *doc, GPtrArray *hostdevs)
{
    g_autoptr(GPtrArray) interfaces = g_ptr_array_new();
    Places places = {.interfaces = interfaces};
    gsize last = 0;

    g_ptr_array_sort(hostdevs, compareIndexes);
    for (guint i = 0; i < hostdevs->len; i++) {
        const virtHostdevRef *hostdev = hostdevs->pdata[i];
        g_autoptr(GString) text = g_string_new(NULL);
        guint index = indexOf(hostdev);
        gsize place;

        findPlaces(doc, hostdev->node->parent, &places);
        place = placeBehind(&places, index - MIN(index, i));
        virtInterfaceFormat(text, doc, hostdev);
        virtXmlCut(edits, doc, hostdev->node);
        if (isNextTo(hostdev->node, place))
            place = virtXmlSpaceBefore(doc, hostdev->node->start);
        last = MAX(place, last);
        virtXmlReplace(edits, last, last, text->str);
    }
}

/* ---- what is shown as what ---- */

/* Can stock libvirt give the device its MAC address on its own, with <interface type='hostdev'>? */
bool
virtHostdevRefFitsStock(const virtXmlDoc *doc, const virtHostdevRef *hostdev)
{
    const virtNetdev *netdev = virtHostdevRefGetOwnNetdev(hostdev);

    return netdev && netdev->port <= 1 && virtNetdevHas(netdev, VIRT_NETDEV_MAC) &&
           !virtInterfaceHasNoAddress(hostdev->node) && virtInterfaceHasRoom(doc, hostdev->node, NULL);
}

/* Is @said, of the <interface> that stands for @hostdev, what its first netdev says? */
static bool
saysAll(const virtXmlDoc *doc, const virtHostdevRef *hostdev, const virtNetdev *said, GError **error)
{
    const virtNetdev *netdev = VIRT_NETDEVS(hostdev)->pdata[0];
    guint lost = virtNetdevDiff(netdev, said) | virtNetdevDiff(said, netdev);

    /* No VLAN is as near as an <interface> comes to leaving it alone. */
    if (virtNetdevIsUntagged(said) && !virtNetdevHas(netdev, VIRT_NETDEV_VLAN))
        lost &= ~VIRT_NETDEV_BIT(VIRT_NETDEV_VLAN);
    if (!lost)
        return true;
    if (lost == VIRT_NETDEV_BIT(VIRT_NETDEV_LINK))
        virtXmlError(doc, hostdev->node, error,
                     "<link state='up'/> forces a VF's link up in a <netdev>, but not in an <interface>: drop it");
    else
        virtXmlError(doc, hostdev->node, error,
                     "an <interface> cannot express the %s of this <netdev>: keep the <hostdev>",
                     virtNetdevAttrs[g_bit_nth_lsf(lost, -1)].title);
    return false;
}

/* Would the <interface> that stands for @hostdev say all that this says, and be one of ours? Not where the netdev, or
 * what both elements have, says what an interface may not: then nobody would set the VF. VIRT_ERROR_INVALID says why.
 */
bool
virtHostdevRefFitsInterface(const virtXmlDoc *doc, const virtHostdevRef *hostdev, GError **error)
{
    g_autoptr(GString) text = g_string_new(NULL);
    g_autoptr(virtXmlDoc) becomes = NULL;
    g_autoptr(virtInterface) interface = NULL;
    g_autoptr(GPtrArray) netdevs = NULL;
    g_autoptr(GError) why = NULL;

    if (!virtInterfaceHasRoom(doc, hostdev->node, error))
        return false;
    if (virtInterfaceIs(hostdev->node))
        return true;
    virtInterfaceFormat(text, doc, hostdev);
    if (!(becomes = virtXmlParse(text->str, text->len, NULL, &why)) ||
        !(netdevs = virtInterfaceParse(becomes, becomes->root, &interface, &why))) {
        virtXmlError(doc, hostdev->node, error,
                     "this <hostdev> cannot be expressed as an <interface>: %s; or keep the <hostdev>",
                     virtXmlErrorSentence(why));
        return false;
    }
    return saysAll(doc, hostdev, netdevs->pdata[0], error);
}

/* What was written as an interface is shown as one unless somebody has since made more of the <hostdev>. */
static bool
isShownAsInterface(const virtXmlDoc *doc, const virtHostdevRef *hostdev, virtDomainForm show)
{
    if (virtHostdevRefIsNetwork(hostdev))
        return false;
    switch (show) {
    case VIRT_DOMAIN_FORM_WRITTEN:
        return hostdev->interface && virtHostdevRefFitsInterface(doc, hostdev, NULL);
    case VIRT_DOMAIN_FORM_INTERFACE:
        return virtHostdevRefGetOwnNetdev(hostdev) != NULL;
    case VIRT_DOMAIN_FORM_STOCK:
        return virtHostdevRefFitsStock(doc, hostdev);
    case VIRT_DOMAIN_FORM_NETDEV:
    default:
        return false;
    }
}

static void
showSite(virtXmlEdits *edits, const virtXmlDoc *doc, const virtDomainRef *ref, virtDomainForm show)
{
    g_autoptr(GPtrArray) interfaces = g_ptr_array_new();

    if (!ref->ours)
        return;
    if (virtDomainRefIsShared(doc, ref))
        virtXmlCut(edits, doc, ref->ours);
    else
        virtXmlCut(edits, doc, ref->metadata);
    for (guint i = 0; i < ref->hostdevs->len; i++) {
        virtHostdevRef *hostdev = ref->hostdevs->pdata[i];

        if (hostdev->written)
            continue;
        if (isShownAsInterface(doc, hostdev, show))
            g_ptr_array_add(interfaces, hostdev);
        else if (show != VIRT_DOMAIN_FORM_STOCK)
            insertOurs(edits, doc, hostdev);
    }
    moveInterfaces(edits, doc, interfaces);
}

/* The text of @doc with what metadata says of @refs' devices moved to where @show wants it; for g_free(). */
char *
virtDomainRefsFormat(const virtXmlDoc *doc, const GPtrArray *refs, virtDomainForm show, GError **error)
{
    g_autoptr(virtXmlEdits) edits = virtXmlEditsNew();

    for (guint i = 0; i < refs->len; i++)
        showSite(edits, doc, refs->pdata[i], show);
    return virtXmlApply(edits, doc, error);
}

/* Bring a document of any kind out of stock form.
 *
 * @file: for messages, may be NULL
 * @show: VIRT_DOMAIN_FORM_WRITTEN is the form in which its user wrote it: netdevs in <hostdev>, and interfaces where
 * they were
 *
 * Returns the text, the same byte for byte where its metadata has nothing of ours; or NULL with
 * VIRT_ERROR_INVALID. Entries of devices that are no longer there are dropped. The caller frees it.
 */
char *
virtDomainFormat(const char *xml, gsize len, const char *file, virtDomainForm show, GError **error)
{
    g_autoptr(virtXmlDoc) doc = NULL;
    g_autoptr(GPtrArray) refs = NULL;

    if (!virtDomainMentionsUs(xml, len))
        return g_strndup(xml, len);
    if (!(doc = virtXmlParse(xml, len, file, error)) || !(refs = virtDomainRefsFind(doc, 0, error)))
        return NULL;
    return virtDomainRefsFormat(doc, refs, show, error);
}
