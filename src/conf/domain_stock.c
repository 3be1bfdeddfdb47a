/* domain_stock.c: a document's stock form: netdevs out of the devices, into <metadata>
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Theory of operation: both ways (domain_format.c is the other), what is ours is cut out of the text and written anew
 * at its other place; all other bytes stay. An element is cut together with the white space before it, and put in
 * together with the white space that its new neighbours have before them, so that going there and back leaves no trace.
 */
#include "conf/domain_locate.h"

#include <string.h>

#include "conf/domain_conf.h"
#include "conf/vdpa_conf.h"
#include "util/virerror.h"

#define PREFIX "lh:"

/* Interfaces come first, as their devices do, wherever the user wrote them. */
static void
formatEntries(GString *out, const GPtrArray *hostdevs, bool interfaces, const virtXmlLayout *layout)
{
    for (guint i = 0; i < hostdevs->len; i++) {
        const virtHostdevRef *ref = hostdevs->pdata[i];
        const virtHostdev entry = {ref->handle, ref->choice, .settings = ref->settings, .interface = ref->interface};

        if (out->len > VIRT_XML_MAX)
            return; /* virtXmlApply() will refuse it */
        if (!ref->interface == !interfaces)
            virtMetadataFormatEntry(out, &entry, layout);
    }
}

/* Our element of <metadata>, with the white space before it. */
static char *
formatOurs(const GPtrArray *hostdevs, const char *indent, const char *step)
{
    g_autofree char *inner = g_strconcat(indent, step, NULL);
    const virtXmlLayout layout = {PREFIX, inner, step};
    GString *out = g_string_new(indent);

    g_string_append(out, "<" PREFIX "hostdevs xmlns:lh='" VIRT_NS "'>");
    formatEntries(out, hostdevs, true, &layout);
    formatEntries(out, hostdevs, false, &layout);
    g_string_append_printf(out, "%s</" PREFIX "hostdevs>", indent);
    return g_string_free(out, FALSE);
}

/* The child of @domain after which libvirt writes <metadata>; NULL: metadata comes first. */
static const virtXmlNode *
findPredecessor(const virtXmlNode *domain)
{
    static const char *const names[] = {"name", "uuid", "genid", "title", "description"};
    const virtXmlNode *last = NULL;

    for (guint i = 0; i < domain->children->len; i++) {
        const virtXmlNode *child = domain->children->pdata[i];

        for (guint j = 0; j < G_N_ELEMENTS(names); j++) {
            if (virtXmlIs(child, NULL, names[j]))
                last = child;
        }
    }
    return last;
}

/* Put a new <metadata> into the domain, and our element into it. */
static void
makeMetadata(virtXmlEdits *edits, const virtXmlDoc *doc, const virtDomainRef *ref)
{
    const virtXmlNode *sibling = findPredecessor(ref->node);
    g_autofree char *indent = NULL, *step = NULL, *inner = NULL, *ours = NULL, *text = NULL;
    gsize at = ref->node->startEnd;

    if (sibling)
        at = sibling->end;
    else
        sibling = virtXmlChild(ref->node, "devices");
    indent = virtXmlIndentOf(doc, sibling);
    step = virtXmlStepFrom(doc, ref->node, indent);
    inner = g_strconcat(indent, step, NULL);
    ours = formatOurs(ref->hostdevs, inner, step);
    text = g_strconcat(indent, "<metadata>", ours, indent, "</metadata>", NULL);
    virtXmlReplace(edits, at, at, text);
}

/* Whether <metadata> holds anything but our element: another, a comment, text. */
bool
virtDomainRefIsShared(const virtXmlDoc *doc, const virtDomainRef *ref)
{
    gsize from = ref->metadata->startEnd, to = ref->metadata->endStart;

    if (ref->ours)
        return virtXmlSpaceBefore(doc, ref->ours->start) > from || virtXmlSpaceBefore(doc, to) > ref->ours->end;
    return virtXmlSpaceBefore(doc, to) > from;
}

/* Put our element into a <metadata> that others use, behind all that is there. */
static void
fillMetadata(virtXmlEdits *edits, const virtXmlDoc *doc, const virtDomainRef *ref)
{
    const virtXmlNode *metadata = ref->metadata, *other = NULL;
    gsize at = virtXmlSpaceBefore(doc, metadata->endStart);
    g_autofree char *indent = virtXmlIndentOf(doc, metadata);
    g_autofree char *step = virtXmlStepFrom(doc, ref->node, indent);
    g_autofree char *inner = NULL;
    g_autofree char *ours = NULL;

    for (guint i = 0; i < metadata->children->len && !other; i++) {
        if (metadata->children->pdata[i] != ref->ours)
            other = metadata->children->pdata[i];
    }
    if (other)
        inner = virtXmlIndentOf(doc, other);
    else
        inner = g_strconcat(indent, step, NULL);
    if (!*inner)
        *step = '\0'; /* all on one line */
    ours = formatOurs(ref->hostdevs, inner, step);
    virtXmlReplace(edits, at, at, ours);
}

static bool
anyWritten(const virtDomainRef *ref)
{
    for (guint i = 0; i < ref->hostdevs->len; i++) {
        if (((virtHostdevRef *)ref->hostdevs->pdata[i])->written)
            return true;
    }
    return false;
}

/* Whether it is known which device @hostdev is. */
bool
virtHostdevRefCheckFound(const virtXmlDoc *doc, const virtHostdevRef *hostdev, GError **error)
{
    g_autofree char *choice = NULL;

    if (!virtHandleIsNone(&hostdev->handle))
        return true;
    choice = virtChoiceDescribe(&hostdev->choice);
    virtXmlError(
        doc, hostdev->node, error,
        "<source> asks for %s, and only the host can tell which device that is: define the domain there, with virt-hostdev or through virthostdevd, or add the <address>",
        choice);
    return false;
}

/* Put the <source> with the name that was made up into the device, as its first child. */
static void
insertSource(virtXmlEdits *edits, const virtXmlDoc *doc, const virtHostdevRef *hostdev)
{
    const virtXmlNode *first = hostdev->node->children->pdata[0];
    gsize from = hostdev->node->startEnd, to = from;
    g_autofree char *indent = virtXmlIndentOf(doc, first);
    g_autofree char *step = virtXmlStepFrom(doc, hostdev->node, indent);
    g_autoptr(GString) text = g_string_new(NULL);

    if (hostdev->source) {
        from = hostdev->source->start;
        to = hostdev->source->end;
    } else {
        g_string_append(text, indent);
    }
    g_string_append(text, "<source");
    if (virtHandleFormatPath(text, &hostdev->handle)) {
        g_string_append(text, "/>");
    } else {
        g_string_append_printf(text, ">%s%s", indent, step);
        virtHandleFormatXml(text, &hostdev->handle, "");
        g_string_append_printf(text, "%s</source>", indent);
    }
    virtXmlReplace(edits, from, to, text->str);
}

/* Put the MAC address that was made up into the device: QEMU's and the vDPA device's are one. */
static void
insertMac(virtXmlEdits *edits, const virtXmlDoc *doc, const virtHostdevRef *hostdev)
{
    const virtVdpa *vdpa = virtSettingListFind(hostdev->settings.of[VIRT_SETTING_VDPA], 0);
    g_autofree char *indent = virtXmlIndentOf(doc, hostdev->node->children->pdata[0]);
    g_autofree char *mac = NULL, *text = NULL;

    if (!vdpa || !virtSettingHas(vdpa, VIRT_VDPA_MAC) || virtXmlChild(hostdev->node, "mac"))
        return;
    mac = virtVdpaInfo.attrs[VIRT_VDPA_MAC].format(vdpa);
    text = g_strdup_printf("%s<mac address='%s'/>", indent, mac);
    virtXmlReplace(edits, hostdev->node->startEnd, hostdev->node->startEnd, text);
}

/* libvirt reads the <driver> of an <interface> only where a <model> before says that it is virtio's, and would drop it
 * without a word; it adds that model to each vDPA device later. */
static void
insertModel(virtXmlEdits *edits, const virtXmlDoc *doc, const virtHostdevRef *hostdev)
{
    const virtXmlNode *driver = virtXmlChild(hostdev->node, "driver");
    g_autofree char *indent = NULL, *text = NULL;
    gsize at;

    if (!virtXmlIs(hostdev->node, NULL, "interface") || !virtVdpaIsDevice(hostdev->node) || !driver ||
        virtXmlChild(hostdev->node, "model"))
        return;
    indent = virtXmlIndentOf(doc, driver);
    text = g_strdup_printf("%s<model type='virtio'/>", indent);
    at = virtXmlSpaceBefore(doc, driver->start);
    virtXmlReplace(edits, at, at, text);
}

/* Make the <hostdev> that libvirt stores: all settings cut out, each with the white space before it, and what its
 * <source> asks for; or an
 * <interface> turned into one. */
bool
virtHostdevRefToStock(virtXmlEdits *edits, const virtXmlDoc *doc, const virtHostdevRef *hostdev, GError **error)
{
    const virtXmlNode *node = hostdev->node;

    if (virtHostdevRefIsNetwork(hostdev))
        return virtInterfaceNetworkToStock(edits, doc, hostdev, error);
    if (!virtHostdevRefCheckFound(doc, hostdev, error))
        return false;
    if (virtInterfaceIs(node))
        return virtInterfaceToHostdev(edits, doc, hostdev, error);
    insertMac(edits, doc, hostdev);
    insertModel(edits, doc, hostdev);
    if (hostdev->generated)
        insertSource(edits, doc, hostdev);
    else
        virtChoiceCut(edits, doc, hostdev->source);
    for (guint i = 0; i < node->children->len; i++) {
        const virtXmlNode *child = node->children->pdata[i];

        if (virtSettingKindFind(child) || virtVdpaIsPart(child))
            virtXmlCut(edits, doc, child);
    }
    return true;
}

static bool
siteToStock(virtXmlEdits *edits, const virtXmlDoc *doc, const virtDomainRef *ref, GError **error)
{
    if (!anyWritten(ref))
        return true;
    if (virtDomainRefIsLone(ref)) {
        virtXmlError(doc, ref->node, error,
                     "a lone <%s> has no <metadata> to store its netdevs in; convert the whole domain",
                     ref->node->name);
        return false;
    }
    for (guint i = 0; i < ref->hostdevs->len; i++) {
        if (!virtHostdevRefToStock(edits, doc, ref->hostdevs->pdata[i], error))
            return false;
    }
    if (ref->metadata && virtDomainRefIsShared(doc, ref)) {
        if (ref->ours)
            virtXmlCut(edits, doc, ref->ours);
        fillMetadata(edits, doc, ref);
    } else {
        /* An empty one is made anew, since showing the document will leave none. */
        if (ref->metadata)
            virtXmlCut(edits, doc, ref->metadata);
        makeMetadata(edits, doc, ref);
    }
    return true;
}

/* Add to the set @macs (text) every MAC address below @node, a netdev's or an interface's. */
void
virtDomainCollectMacs(const virtXmlNode *node, GHashTable *macs)
{
    const char *address = virtXmlGet(node, "address");
    guint8 mac[6];
    char text[18];

    if (g_str_equal(node->name, "mac") && address && virtMacParse(address, mac)) {
        virtMacFormat(mac, text);
        g_hash_table_add(macs, g_strdup(text));
    }
    for (guint i = 0; i < node->children->len; i++)
        virtDomainCollectMacs(node->children->pdata[i], macs);
}

/* An interface from a network is known by its MAC address, and its own netdev has that. */
static void
generateKey(virtHostdevRef *hostdev, GHashTable *macs)
{
    virtNetdev netdev = {0};

    if (*hostdev->handle.name)
        return;
    virtNetdevGiveMac(&netdev, macs);
    virtHandleSetNetwork(&hostdev->handle, netdev.mac);
}

/* Generate what @refs lack. An InfiniBand netdev has GUIDs instead of a MAC address. */
void
virtDomainRefsGenerateMacs(const virtXmlDoc *doc, const GPtrArray *refs)
{
    g_autoptr(GHashTable) macs = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

    virtDomainCollectMacs(doc->root, macs);
    for (guint i = 0; i < refs->len; i++) {
        const virtDomainRef *ref = refs->pdata[i];

        for (guint j = 0; j < ref->hostdevs->len; j++) {
            virtHostdevRef *hostdev = ref->hostdevs->pdata[j];

            if (virtHostdevRefIsNetwork(hostdev))
                generateKey(hostdev, macs);
            virtNetdevListGiveMacs(VIRT_NETDEVS(hostdev), virtHostdevRefIsNetwork(hostdev), macs);
            virtVdpaGiveMac(hostdev->settings.of[VIRT_SETTING_VDPA], macs);
        }
    }
}

/* The text of @doc with the netdevs of @refs' devices moved to metadata; for g_free(). */
char *
virtDomainRefsToStock(const virtXmlDoc *doc, const GPtrArray *refs, GError **error)
{
    g_autoptr(virtXmlEdits) edits = virtXmlEditsNew();

    for (guint i = 0; i < refs->len; i++) {
        if (!siteToStock(edits, doc, refs->pdata[i], error))
            return NULL;
    }
    return virtXmlApply(edits, doc, error);
}

/* Bring a document of any kind to stock form.
 *
 * @file: for messages, may be NULL
 * @flags: VIRT_DOMAIN_…
 *
 * Returns the text, the same byte for byte where it has no <netdev>, nor an interface that @flags speak of; or NULL
 * with VIRT_ERROR_INVALID. The caller frees it.
 */
char *
virtDomainToStock(const char *xml, gsize len, const char *file, guint flags, GError **error)
{
    g_autoptr(virtXmlDoc) doc = NULL;
    g_autoptr(GPtrArray) refs = NULL;

    if (!virtDomainConcernsUs(xml, len, flags))
        return g_strndup(xml, len);
    if (!(doc = virtXmlParse(xml, len, file, error)) ||
        !(refs = virtDomainRefsFind(doc, virtDomainToStockFlags(flags), error)))
        return NULL;
    if (flags & VIRT_DOMAIN_GENERATE_MAC)
        virtDomainRefsGenerateMacs(doc, refs);
    return virtDomainRefsToStock(doc, refs, error);
}
