/* domain_choice.c: a domain's devices as wishes, and the addresses that were found for them, put into its document
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A device may be asked for by its card, its PF or a pool (choice_conf.c). Which address that is, the host says
 * (src/hypervisor). So a document goes three ways: its wishes are listed here, somebody looks for them, and what he has
 * found is written into <source>. It is a document like any other then.
 */
#include "conf/domain_locate.h"

#include <string.h>

/* The document and the devices of its first domain, or its lone device. */
typedef struct {
    virtXmlDoc *doc;
    GPtrArray *refs;
} Reading;

static void
readingClear(Reading *reading)
{
    g_clear_pointer(&reading->refs, g_ptr_array_unref);
    g_clear_pointer(&reading->doc, virtXmlDocFree);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Reading, readingClear)

static bool
readingOpen(Reading *reading, const char *xml, gsize len, const char *file, guint flags, GError **error)
{
    if (flags & VIRT_DOMAIN_WRITTEN)
        reading->doc = virtXmlParseWritten(xml, len, file, error);
    else
        reading->doc = virtXmlParse(xml, len, file, error);
    return reading->doc && (reading->refs = virtDomainRefsFind(reading->doc, flags, error));
}

/* Is the device made for the domain, by what its document says itself? */
static bool
isMade(const virtHostdevRef *ref)
{
    for (guint k = 0; virtSettingKinds[k]; k++) {
        if (virtSettingKinds[k]->makes && ref->settings.of[k]->len > 0)
            return ref->written;
    }
    return false;
}

/* True where somebody has to look at the host, or at other domains, for the device at @node. A device that libvirt
 * leaves to others may be named by several domains, and then nobody asks about it. */
static bool
addWish(const virtXmlDoc *doc, const virtDomainRef *domain, const virtXmlNode *node, GArray *wishes)
{
    const virtHostdevRef *ref = virtDomainRefFindDevice(domain, node);
    virtPCIAddress address;
    virtWish wish = {0};

    if (ref && virtHostdevRefIsNetwork(ref))
        return false;
    if (ref) {
        wish.choice = ref->choice;
        wish.handle = ref->handle;
    } else if (!virtDomainDeviceReadHandle(doc, node, &wish.handle, NULL) ||
               !virtHandleGetPCI(&wish.handle, &address)) {
        return false;
    }
    g_array_append_val(wishes, wish);
    return wish.choice.by != VIRT_CHOICE_NONE || (ref && isMade(ref));
}

/* List every device of the host that a document gives to a guest, and how it asks for it. Of several domains (a
 * snapshot's) the first counts. One that is to be made asks for its UUID, which no other domain may have.
 *
 * @file: for messages, may be NULL
 * @flags: VIRT_DOMAIN_…
 *
 * Returns virtWish in document order, for g_array_unref(); empty, too, where all devices are there and asked for by
 * their address. NULL with VIRT_ERROR_INVALID where the document is wrong.
 */
GArray *
virtDomainListWishes(const char *xml, gsize len, const char *file, guint flags, GError **error)
{
    g_autoptr(GArray) wishes = g_array_new(FALSE, FALSE, sizeof(virtWish));
    g_auto(Reading) reading = {0};
    const virtDomainRef *domain;
    bool any = false;

    if (!virtDomainConcernsUs(xml, len, 0))
        return g_steal_pointer(&wishes);
    if (!readingOpen(&reading, xml, len, file, flags, error))
        return NULL;
    if (reading.refs->len == 0)
        return g_steal_pointer(&wishes);
    domain = reading.refs->pdata[0];
    if (virtDomainRefIsLone(domain))
        any = addWish(reading.doc, domain, domain->node, wishes);
    for (guint i = 0; i < domain->node->children->len; i++) {
        const virtXmlNode *child = domain->node->children->pdata[i];

        for (guint j = 0; virtXmlIs(child, NULL, "devices") && j < child->children->len; j++)
            any |= addWish(reading.doc, domain, child->children->pdata[j], wishes);
    }
    if (!any)
        g_array_set_size(wishes, 0);
    return g_steal_pointer(&wishes);
}

/* ---- writing ---- */

static char *
formatAddress(const virtXmlNode *device, const virtHandle *handle, const char *indent, const char *prefix)
{
    GString *out = g_string_new(indent);
    gsize name = out->len + strlen("<address");

    virtHandleFormatXml(out, handle, prefix);
    if (virtXmlIs(device, NULL, "interface"))
        g_string_insert(out, (gssize)name, " type='pci'");
    return g_string_free(out, FALSE);
}

/* Put an <address> behind what @source asks for. */
static void
addAddress(virtXmlEdits *edits, const virtXmlDoc *doc, const virtXmlNode *source, const virtHandle *handle)
{
    const virtXmlNode *pf = virtXmlChild(source, "pf"), *vf = virtXmlChild(source, "vf");
    g_autofree char *indent = NULL, *text = NULL, *whole = NULL;

    if (pf && vf) {
        indent = virtXmlIndentOf(doc, vf);
        text = formatAddress(source->parent, handle, indent, "");
        virtXmlReplace(edits, MAX(pf->end, vf->end), MAX(pf->end, vf->end), text);
        return;
    }
    text = formatAddress(source->parent, handle, "", "");
    if (source->endStart < source->end) {
        virtXmlReplace(edits, source->endStart, source->endStart, text);
        return;
    }
    whole = g_strconcat(">", text, "</source>", NULL); /* in the place of "/>" */
    virtXmlReplace(edits, source->startEnd - 2, source->startEnd, whole);
}

static void
replaceAddress(virtXmlEdits *edits, const virtXmlNode *device, const virtXmlNode *address, const virtHandle *handle,
               const char *prefix)
{
    g_autofree char *text = formatAddress(device, handle, "", prefix);

    virtXmlReplace(edits, address->start, address->end, text);
}

/* The <address> of the entry for @handle in our metadata. */
static const virtXmlNode *
findEntry(const virtXmlDoc *doc, const virtDomainRef *domain, const virtHandle *handle)
{
    for (guint i = 0; domain->ours && i < domain->ours->children->len; i++) {
        const virtXmlNode *source = virtXmlChild(domain->ours->children->pdata[i], "source");
        const virtXmlNode *address = virtXmlChild(source, "address");
        virtHandle found;

        if (address && virtHandleParseXml(doc, address, handle->bus, &found, NULL) && virtHandleEqual(&found, handle))
            return address;
    }
    return NULL;
}

/* The prefix of @node's name as it is written: "lh:", or "". */
static char *
readPrefix(const virtXmlDoc *doc, const virtXmlNode *node)
{
    const char *name = doc->text + node->start + 1;
    gsize len = strcspn(name, ": \t\r\n/>");

    if (name[len] != ':')
        return g_strdup("");
    return g_strndup(name, len + 1);
}

static void
grant(virtXmlEdits *edits, const virtXmlDoc *doc, const virtDomainRef *domain, const virtHostdevRef *ref,
      const virtHandle *handle)
{
    const virtXmlNode *address = virtXmlChild(ref->source, "address"), *entry = NULL;
    g_autofree char *prefix = NULL;

    if (!address) {
        addAddress(edits, doc, ref->source, handle);
        return;
    }
    replaceAddress(edits, ref->node, address, handle, "");
    if (!ref->written && (entry = findEntry(doc, domain, &ref->handle))) {
        prefix = readPrefix(doc, entry);
        replaceAddress(edits, entry, entry, handle, prefix);
    }
}

/* Write into a document what was found for its wishes.
 *
 * @flags: those that virtDomainListWishes() was given
 * @wishes: what that has returned, by now with a handle each
 *
 * Returns the text, for g_free(), the same byte for byte where all stand there already; or NULL with
 * VIRT_ERROR_INVALID.
 */
char *
virtDomainGrantWishes(const char *xml, gsize len, const char *file, guint flags, const GArray *wishes, GError **error)
{
    g_autoptr(virtXmlEdits) edits = virtXmlEditsNew();
    g_auto(Reading) reading = {0};
    const virtDomainRef *domain;
    guint next = 0;

    if (!readingOpen(&reading, xml, len, file, flags, error))
        return NULL;
    if (reading.refs->len == 0)
        return g_strndup(xml, len);
    domain = reading.refs->pdata[0];
    for (guint i = 0; i < domain->hostdevs->len; i++) {
        const virtHostdevRef *ref = domain->hostdevs->pdata[i];
        const virtWish *wish = NULL;

        if (ref->choice.by == VIRT_CHOICE_NONE)
            continue;
        while (next < wishes->len && g_array_index(wishes, virtWish, next).choice.by == VIRT_CHOICE_NONE)
            next++;
        if (next < wishes->len)
            wish = &g_array_index(wishes, virtWish, next++);
        if (!wish || !virtChoiceEqual(&wish->choice, &ref->choice)) {
            virtXmlError(reading.doc, ref->node, error,
                         "what this <%s> asks for has changed while it was looked for: try again", ref->node->name);
            return NULL;
        }
        if (!virtHandleEqual(&wish->handle, &ref->handle))
            grant(edits, reading.doc, domain, ref, &wish->handle);
    }
    return virtXmlApply(edits, reading.doc, error);
}
