/* domain_form.c: a document's netdev form and stock form, made from each other
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Theory of operation: both ways, what is ours is cut out of the text and written anew at its other place; all
 * other bytes stay. An element is cut together with the white space before it, and put in together with the
 * white space that its new neighbours have before them, so that going there and back leaves no trace.
 */
#include <string.h>

#include "conf/domain_conf.h"
#include "conf/domain_tree.h"
#include "util/virerror.h"

#define PREFIX "lh:"

/* The start of the white space that ends at @pos. */
static gsize
spaceBefore(const virtXmlDoc *doc, gsize pos)
{
    while (pos > 0 && strchr(" \t\r\n", doc->text[pos - 1]))
        pos--;
    return pos;
}

/* The line break and the indentation before @node, "" where it does not begin its line. */
static char *
indentOf(const virtXmlDoc *doc, const virtXmlNode *node)
{
    gsize from = spaceBefore(doc, node->start), at = node->start;

    while (at > from && doc->text[at - 1] != '\n')
        at--;
    if (at == from)
        return g_strdup("");
    at--;
    if (at > from && doc->text[at - 1] == '\r')
        at--;
    return g_strndup(doc->text + at, node->start - at);
}

/* How much deeper the node that stands behind @indent is than @parent. */
static char *
stepFrom(const virtXmlDoc *doc, const virtXmlNode *parent, const char *indent)
{
    gsize from = spaceBefore(doc, parent->start);
    g_autofree char *outer = from ? indentOf(doc, parent) : g_strndup(doc->text, parent->start);
    const char *outerBlanks = outer + strspn(outer, "\r\n");
    const char *blanks = indent + strspn(indent, "\r\n");

    if (!*indent)
        return g_strdup("");
    return g_strdup(g_str_has_prefix(blanks, outerBlanks) ? blanks + strlen(outerBlanks) : "  ");
}

/* Cut @node with the white space before it. */
static void
cut(virtXmlEdits *edits, const virtXmlDoc *doc, const virtXmlNode *node)
{
    virtXmlReplace(edits, spaceBefore(doc, node->start), node->end, NULL);
}

/* Our element of <metadata>, with the white space before it. */
static char *
formatOurs(const GPtrArray *hostdevs, const char *indent, const char *step)
{
    g_autofree char *inner = g_strconcat(indent, step, NULL);
    const virtXmlLayout layout = {PREFIX, inner, step};
    GString *out = g_string_new(indent);

    g_string_append(out, "<" PREFIX "hostdevs xmlns:lh='" VIRT_NS "'>");
    for (guint i = 0; i < hostdevs->len; i++) {
        const virtHostdevSite *hostdev = hostdevs->pdata[i];

        virtMetadataFormatEntry(out, &hostdev->address, hostdev->netdevs, &layout);
    }
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

        for (guint j = 0; j < G_N_ELEMENTS(names); j++)
            last = virtXmlIs(child, NULL, names[j]) ? child : last;
    }
    return last;
}

/* Put a new <metadata> into the domain, and our element into it. */
static void
makeMetadata(virtXmlEdits *edits, const virtXmlDoc *doc, const virtDomainSite *site)
{
    const virtXmlNode *predecessor = findPredecessor(site->node);
    const virtXmlNode *sibling = predecessor ? predecessor : virtXmlChild(site->node, "devices");
    gsize at = predecessor ? predecessor->end : site->node->startEnd;
    g_autofree char *indent = indentOf(doc, sibling);
    g_autofree char *step = stepFrom(doc, site->node, indent);
    g_autofree char *inner = g_strconcat(indent, step, NULL);
    g_autofree char *ours = formatOurs(site->hostdevs, inner, step);
    g_autofree char *text = g_strconcat(indent, "<metadata>", ours, indent, "</metadata>", NULL);

    virtXmlReplace(edits, at, at, text);
}

/* Whether <metadata> holds anything but our element: another, a comment, text. */
static bool
isShared(const virtXmlDoc *doc, const virtDomainSite *site)
{
    gsize from = site->metadata->startEnd, to = site->metadata->endStart;

    if (site->ours)
        return spaceBefore(doc, site->ours->start) > from || spaceBefore(doc, to) > site->ours->end;
    return spaceBefore(doc, to) > from;
}

/* Put our element into a <metadata> that others use, behind all that is there. */
static void
fillMetadata(virtXmlEdits *edits, const virtXmlDoc *doc, const virtDomainSite *site)
{
    const virtXmlNode *metadata = site->metadata, *other = NULL;
    gsize at = spaceBefore(doc, metadata->endStart);
    g_autofree char *indent = indentOf(doc, metadata);
    g_autofree char *step = stepFrom(doc, site->node, indent);
    g_autofree char *inner = NULL;
    g_autofree char *ours = NULL;

    for (guint i = 0; i < metadata->children->len && !other; i++)
        other = metadata->children->pdata[i] == site->ours ? NULL : metadata->children->pdata[i];
    inner = other ? indentOf(doc, other) : g_strconcat(indent, step, NULL);
    ours = formatOurs(site->hostdevs, inner, *inner ? step : "");
    virtXmlReplace(edits, at, at, ours);
}

static bool
anyWritten(const virtDomainSite *site)
{
    for (guint i = 0; i < site->hostdevs->len; i++) {
        if (((virtHostdevSite *)site->hostdevs->pdata[i])->written)
            return true;
    }
    return false;
}

/* Cut all <netdev> children out of a <hostdev>, each with the white space before it. */
void
virtHostdevCutNetdevs(virtXmlEdits *edits, const virtXmlDoc *doc, const virtXmlNode *hostdev)
{
    for (guint i = 0; i < hostdev->children->len; i++) {
        const virtXmlNode *child = hostdev->children->pdata[i];

        if (virtXmlIs(child, NULL, "netdev"))
            cut(edits, doc, child);
    }
}

static bool
siteToStock(virtXmlEdits *edits, const virtXmlDoc *doc, const virtDomainSite *site, GError **error)
{
    if (!anyWritten(site))
        return true;
    if (virtDomainSiteIsLone(site)) {
        virtXmlError(doc, site->node, error,
                     "a lone <hostdev> has no <metadata> to keep its netdevs in; convert the whole domain");
        return false;
    }
    for (guint i = 0; i < site->hostdevs->len; i++)
        virtHostdevCutNetdevs(edits, doc, ((virtHostdevSite *)site->hostdevs->pdata[i])->node);
    if (site->metadata && isShared(doc, site)) {
        if (site->ours)
            cut(edits, doc, site->ours);
        fillMetadata(edits, doc, site);
    } else {
        /* An empty one is made anew, since showing the document will leave none. */
        if (site->metadata)
            cut(edits, doc, site->metadata);
        makeMetadata(edits, doc, site);
    }
    return true;
}

/* Note every MAC address that stands in the document, a netdev's or an interface's. */
static void
collectMacs(const virtXmlNode *node, GHashTable *macs)
{
    const char *address = g_str_equal(node->name, "mac") ? virtXmlGet(node, "address") : NULL;
    guint8 mac[6];
    char text[18];

    if (address && virtMacParse(address, mac)) {
        virtMacFormat(mac, text);
        g_hash_table_add(macs, g_strdup(text));
    }
    for (guint i = 0; i < node->children->len; i++)
        collectMacs(node->children->pdata[i], macs);
}

/* Generate what @sites lack. An InfiniBand netdev has GUIDs instead of a MAC address. */
static void
generateMacs(const virtXmlDoc *doc, const GPtrArray *sites)
{
    g_autoptr(GHashTable) macs = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

    collectMacs(doc->root, macs);
    for (guint i = 0; i < sites->len; i++) {
        const virtDomainSite *site = sites->pdata[i];

        for (guint j = 0; j < site->hostdevs->len; j++) {
            const GPtrArray *netdevs = ((virtHostdevSite *)site->hostdevs->pdata[j])->netdevs;

            for (guint k = 0; k < netdevs->len; k++)
                virtNetdevGiveMac(netdevs->pdata[k], macs);
        }
    }
}

/* Bring a document of any kind to stock form.
 *
 * @file: for messages, may be NULL
 * @generateMac: give a MAC address to each netdev that has neither that nor a GUID
 *
 * Returns the text, the same byte for byte where it has no <netdev>; or NULL with VIRT_ERROR_INVALID. The caller
 * frees it.
 */
char *
virtDomainToStock(const char *xml, gsize len, const char *file, bool generateMac, GError **error)
{
    g_autoptr(virtXmlEdits) edits = virtXmlEditsNew();
    g_autoptr(virtXmlDoc) doc = NULL;
    g_autoptr(GPtrArray) sites = NULL;

    if (!virtDomainMentionsUs(xml, len))
        return g_strndup(xml, len);
    if (!(doc = virtXmlParse(xml, len, file, error)) || !(sites = virtDomainSitesFind(doc, error)))
        return NULL;
    if (generateMac)
        generateMacs(doc, sites);
    for (guint i = 0; i < sites->len; i++) {
        if (!siteToStock(edits, doc, sites->pdata[i], error))
            return NULL;
    }
    return virtXmlApply(edits, doc, error);
}

/* Put a hostdev's netdevs right after its <source>. */
static void
insertNetdevs(virtXmlEdits *edits, const virtXmlDoc *doc, const virtHostdevSite *hostdev)
{
    g_autofree char *indent = indentOf(doc, hostdev->source);
    g_autofree char *step = stepFrom(doc, hostdev->node, indent);
    const virtXmlLayout layout = {"", indent, step};
    g_autoptr(GString) out = g_string_new(NULL);

    for (guint i = 0; i < hostdev->netdevs->len; i++)
        virtNetdevFormat(out, hostdev->netdevs->pdata[i], &layout);
    virtXmlReplace(edits, hostdev->source->end, hostdev->source->end, out->str);
}

static void
siteToNetdev(virtXmlEdits *edits, const virtXmlDoc *doc, const virtDomainSite *site)
{
    if (!site->ours)
        return;
    cut(edits, doc, isShared(doc, site) ? site->ours : site->metadata);
    for (guint i = 0; i < site->hostdevs->len; i++) {
        const virtHostdevSite *hostdev = site->hostdevs->pdata[i];

        if (!hostdev->written)
            insertNetdevs(edits, doc, hostdev);
    }
}

/* Bring a document of any kind to netdev form.
 *
 * @file: for messages, may be NULL
 *
 * Returns the text, the same byte for byte where its metadata has nothing of ours; or NULL with
 * VIRT_ERROR_INVALID. Entries of devices that are no longer there are dropped. The caller frees it.
 */
char *
virtDomainToNetdev(const char *xml, gsize len, const char *file, GError **error)
{
    g_autoptr(virtXmlEdits) edits = virtXmlEditsNew();
    g_autoptr(virtXmlDoc) doc = NULL;
    g_autoptr(GPtrArray) sites = NULL;

    if (!virtDomainMentionsUs(xml, len))
        return g_strndup(xml, len);
    if (!(doc = virtXmlParse(xml, len, file, error)) || !(sites = virtDomainSitesFind(doc, error)))
        return NULL;
    for (guint i = 0; i < sites->len; i++)
        siteToNetdev(edits, doc, sites->pdata[i]);
    return virtXmlApply(edits, doc, error);
}
