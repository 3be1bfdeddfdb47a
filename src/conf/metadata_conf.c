/* metadata_conf.c: our element of <metadata>: the netdevs of a domain's hostdevs, keyed by PCI address
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The same element is met in two places. Inside a domain every name has our namespace, by a prefix or by default.
 * On its own, as virDomainGetMetadata gives and virDomainSetMetadata takes it, no name has one: libvirt takes the
 * namespace away and puts it on again, with the prefix of its caller's choice, to all that has none.
 */
#include <string.h>

#include "conf/domain_locate.h"
#include "util/virerror.h"

static const virtXmlRule metadataRules[] = {
    {"hostdevs", "", "hostdev*", NULL, NULL},
    {"hostdev", "", "source! netdev* interface", NULL, NULL},
    {"interface", "index", VIRT_INTERFACE_OPAQUE, NULL, NULL},
    {"source", "", "address!", NULL, NULL},
    {"address", "domain bus slot function", "", NULL, NULL},
    {NULL},
};
static const virtXmlGrammar metadataGrammar = {metadataRules, NULL, NULL};

/* For hash tables keyed by virtPCIAddress. */
guint
virtPCIAddressHash(gconstpointer address)
{
    const virtPCIAddress *a = address;

    return a->domain * 65521 + (a->bus << 8 | a->slot << 3 | a->function);
}

/* For hash tables keyed by virtPCIAddress. */
gboolean
virtPCIAddressEqual(gconstpointer a, gconstpointer b)
{
    return virtPCIAddressCompare(a, b) == 0;
}

static virtHostdev *
readEntry(const virtXmlDoc *doc, const virtXmlNode *node, GHashTable *seen, GError **error)
{
    g_autoptr(GPtrArray) netdevs = NULL;
    g_autoptr(virtInterface) interface = NULL;
    virtPCIAddress address;
    virtHostdev *entry;

    if (!virtPCIAddressParseXml(doc, virtXmlChild(virtXmlChild(node, "source"), "address"), &address, error))
        return NULL;
    entry = g_hash_table_lookup(seen, &address);
    if (entry) {
        virtXmlError(doc, node, error, "the metadata names this device twice, before in line %u; drop one",
                     entry->line);
        return NULL;
    }
    netdevs = virtNetdevListParse(doc, node, VIRT_NETDEV_PARSE_ENTRY, error);
    if (!netdevs)
        return NULL;
    if (netdevs->len == 0) {
        virtXmlError(doc, node, error, "the metadata's <hostdev> lacks a <netdev>; write one or drop the entry");
        return NULL;
    }
    if (!virtInterfaceParseEntry(doc, node, netdevs, &interface, error))
        return NULL;
    if (!interface && ((const virtNetdev *)netdevs->pdata[0])->port == VIRT_NETDEV_PORT_ANY) {
        virtXmlError(doc, node, error, "the metadata's <netdev> lacks its attribute 'port'; only an <interface> may");
        return NULL;
    }
    entry = g_new0(virtHostdev, 1);
    entry->line = node->line;
    entry->address = address;
    entry->netdevs = g_steal_pointer(&netdevs);
    entry->interface = g_steal_pointer(&interface);
    return entry;
}

/* Check and read our <hostdevs>.
 *
 * Returns virtHostdev in document order, whose `managed` says nothing; or NULL with VIRT_ERROR_INVALID.
 */
GPtrArray *
virtMetadataRead(const virtXmlDoc *doc, const virtXmlNode *ours, GError **error)
{
    g_autoptr(GPtrArray) list = g_ptr_array_new_with_free_func((GDestroyNotify)virtHostdevFree);
    g_autoptr(GHashTable) seen = g_hash_table_new(virtPCIAddressHash, virtPCIAddressEqual);

    if (!virtXmlCheck(doc, ours, &metadataGrammar, error))
        return NULL;
    for (guint i = 0; i < ours->children->len; i++) {
        virtHostdev *entry = readEntry(doc, ours->children->pdata[i], seen, error);

        if (!entry)
            return NULL;
        g_ptr_array_add(list, entry);
        g_hash_table_insert(seen, &entry->address, entry);
    }
    return g_steal_pointer(&list);
}

/* Append the entry of one device. */
void
virtMetadataFormatEntry(GString *out, const virtHostdev *hostdev, const virtXmlLayout *layout)
{
    const char *p = layout->prefix, *indent = layout->indent, *step = layout->step;
    g_autofree char *inner = g_strconcat(indent, step, NULL);
    const virtXmlLayout deeper = {p, inner, step};

    g_string_append_printf(out, "%s<%shostdev>%s<%ssource>%s%s", indent, p, inner, p, inner, step);
    virtPCIAddressFormatXml(out, &hostdev->address, p);
    g_string_append_printf(out, "%s</%ssource>", inner, p);
    for (guint i = 0; i < hostdev->netdevs->len; i++)
        virtNetdevFormatWritten(out, hostdev->netdevs->pdata[i], &deeper);
    if (hostdev->interface)
        virtInterfaceFormatEntry(out, hostdev->interface, &deeper);
    g_string_append_printf(out, "%s</%shostdev>", indent, p);
}

/* Read our element of <metadata> on its own, as virDomainGetMetadata(VIR_DOMAIN_METADATA_ELEMENT, VIRT_NS) gives
 * it: without a namespace. With ours, by a prefix or by default, it is taken too.
 *
 * Returns virtHostdev in document order, whose `managed` says nothing, for g_ptr_array_unref(); or NULL with
 * VIRT_ERROR_INVALID.
 */
GPtrArray *
virtMetadataParse(const char *xml, gsize len, GError **error)
{
    g_autoptr(virtXmlDoc) doc = virtXmlParse(xml, len, NULL, error);

    if (!doc)
        return NULL;
    if (!virtXmlIs(doc->root, NULL, "hostdevs") && !virtXmlIs(doc->root, VIRT_NS, "hostdevs")) {
        g_autofree char *name = virtXmlQuote(doc->root->name);
        virtXmlError(doc, doc->root, error, "the metadata of libvirt-hostdev is a <hostdevs>, not a <%s>", name);
        return NULL;
    }
    return virtMetadataRead(doc, doc->root, error);
}

static bool
checkForeign(const virtXmlDoc *doc, const virtXmlNode *node, GError **error)
{
    if (g_strcmp0(node->ns, VIRT_NS) == 0) {
        g_autofree char *name = virtXmlQuote(node->name);

        virtXmlError(doc, node, error,
                     "<%s> has the namespace '" VIRT_NS
                     "', which no other metadata may use: write <netdev> in <hostdev> instead",
                     name);
        return false;
    }
    for (guint i = 0; i < node->children->len; i++) {
        if (!checkForeign(doc, node->children->pdata[i], error))
            return false;
    }
    return true;
}

/* Whether the element @xml, that is set as metadata of another namespace, has nothing in ours: libvirt gives the other
 * one only to elements that have none.
 *
 * Errors: VIRT_ERROR_INVALID where it has, or where it may have and cannot be read.
 */
bool
virtMetadataCheckForeign(const char *xml, gsize len, GError **error)
{
    g_autoptr(virtXmlDoc) doc = NULL;

    if (!virtDomainConcernsUs(xml, len, 0))
        return true;
    doc = virtXmlParse(xml, len, NULL, error);
    return doc && checkForeign(doc, doc->root, error);
}

/* The element for virDomainSetMetadata, which needs "lh" as its key and VIRT_NS as its URI: on one line, which
 * libvirt lays out anew, and without a namespace, which libvirt refuses to find there.
 *
 * @hostdevs: virtHostdev
 *
 * Returns a string for g_free(); NULL, which makes libvirt remove the element, for an empty list.
 */
char *
virtMetadataFormat(const GPtrArray *hostdevs)
{
    static const virtXmlLayout layout = {"", "", ""};
    GString *out;

    if (hostdevs->len == 0)
        return NULL;
    out = g_string_new("<hostdevs>");
    for (guint i = 0; i < hostdevs->len; i++)
        virtMetadataFormatEntry(out, hostdevs->pdata[i], &layout);
    g_string_append(out, "</hostdevs>");
    return g_string_free(out, FALSE);
}
