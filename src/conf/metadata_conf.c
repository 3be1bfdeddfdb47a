/* metadata_conf.c: our element of <metadata>: the settings of a domain's devices, keyed by their handles
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The same element is met in two places. Inside a domain every name has our namespace, by a prefix or by default.
 * On its own, as virDomainGetMetadata gives and virDomainSetMetadata takes it, no name has one: libvirt takes the
 * namespace away and puts it on again, with the prefix of its caller's choice, to all that has none.
 */
#include "conf/domain_locate.h"

#include <string.h>

#include "util/virerror.h"

/* A device is stored by the <address> of its <source>, a vDPA device by its path, and an interface from a network by
 * its <mac>. */
static bool
checkSource(const virtXmlDoc *doc, const virtXmlNode *source, GError **error)
{
    bool hasAddress = virtXmlChild(source, "address"), hasMac = virtXmlChild(source, "mac");

    if (virtXmlGet(source, "dev")) {
        if (source->children->len == 0 && source->attrCount == 1)
            return true;
        virtXmlError(doc, source, error, "<source> has a 'dev', and more: drop that");
        return false;
    }
    if (hasAddress && hasMac)
        virtXmlError(doc, source, error, "<source> has an <address> and a <mac>: drop one");
    else if (!hasAddress && !hasMac)
        virtXmlError(doc, source, error, "<source> lacks its <address>");
    return hasAddress != hasMac;
}

/* @children: of the entry of a device */
static bool
checkMetadataShape(const virtXmlDoc *doc, const virtXmlNode *ours, const char *children, GError **error)
{
    const virtXmlRule rules[] = {
        {"hostdevs", "", "hostdev*", NULL, NULL},
        {"hostdev", "", children, NULL, NULL},
        {"interface", "index", VIRT_INTERFACE_OPAQUE, NULL, NULL},
        {"source", "pool dev", "pf vf address mac", NULL, checkSource},
        {"address", "domain bus slot function uuid", "", NULL, NULL},
        {NULL},
    };
    const virtXmlGrammar grammar = {rules, NULL, NULL};

    return virtXmlCheck(doc, ours, &grammar, error);
}

/* The one that leaves it to the device is the first, for a list is sorted by port. */
static bool
leavesPort(const virtHostdev *entry)
{
    const GPtrArray *netdevs = VIRT_NETDEVS(entry);

    return netdevs->len > 0 && ((const virtNetdev *)netdevs->pdata[0])->port == VIRT_NETDEV_PORT_ANY;
}

/* Are the settings of the entry @node for devices of its kind? */
static bool
checkEntryBus(const virtXmlDoc *doc, const virtXmlNode *node, const virtHostdev *entry, GError **error)
{
    const char *bus = entry->handle.bus;

    if (virtHandleIsNetwork(&entry->handle))
        bus = "pci"; /* a VF, by the time that it has one */
    for (guint k = 0; virtSettingKinds[k]; k++) {
        if (entry->settings.of[k]->len == 0 || g_str_equal(virtSettingKinds[k]->bus, bus))
            continue;
        virtXmlError(doc, node, error, "the metadata has a <%s> for a %s, which has none; drop it",
                     virtSettingKinds[k]->info->name, virtHandleGetNoun(&entry->handle));
        return false;
    }
    return true;
}

/* Read the settings of the entry @node into @entry, and the interface that it is shown as. */
static bool
readEntrySettings(const virtXmlDoc *doc, const virtXmlNode *node, virtHostdev *entry, GError **error)
{
    if (!virtSettingsParse(doc, node, VIRT_SETTING_PARSE_ENTRY, &entry->settings, error) ||
        !checkEntryBus(doc, node, entry, error))
        return false;
    if (virtSettingsAreEmpty(&entry->settings) && entry->choice.by == VIRT_CHOICE_NONE) {
        virtXmlError(doc, node, error, "the metadata's <hostdev> lacks a <netdev>; write one or drop the entry");
        return false;
    }
    if (!virtInterfaceParseEntry(doc, node, VIRT_NETDEVS(entry), &entry->interface, error))
        return false;
    if (virtHandleIsNetwork(&entry->handle))
        return virtInterfaceCheckNetworkEntry(doc, node, entry, error);
    if (leavesPort(entry) && !entry->interface) {
        virtXmlError(doc, node, error, "the metadata's <netdev> lacks its attribute 'port'; only an <interface> may");
        return false;
    }
    if (leavesPort(entry) && VIRT_NETDEVS(entry)->len > 1) {
        virtXmlError(doc, node, error,
                     "the metadata's <interface> has several <netdev>, and the first lacks its attribute 'port'");
        return false;
    }
    return true;
}

static virtHostdev *
readEntry(const virtXmlDoc *doc, const virtXmlNode *node, GHashTable *seen, GError **error)
{
    const virtXmlNode *source = virtXmlChild(node, "source"), *address = virtXmlChild(source, "address");
    const virtXmlNode *mac = virtXmlChild(source, "mac");
    const char *bus = "pci";
    virtHandle handle;
    virtHostdev *entry;

    if (address && virtXmlGet(address, "uuid"))
        bus = "mdev";
    if (mac) {
        bus = "network";
        address = mac;
    }
    if (virtXmlGet(source, "dev")) {
        bus = "vdpa";
        address = source;
    }
    if (!virtHandleParseXml(doc, address, bus, &handle, error))
        return NULL;
    entry = g_hash_table_lookup(seen, &handle);
    if (entry) {
        virtXmlError(doc, node, error, "the metadata names this device twice, before in line %u; drop one",
                     entry->line);
        return NULL;
    }
    entry = g_new0(virtHostdev, 1);
    entry->line = node->line;
    entry->handle = handle;
    if ((virtChoiceIsWritten(source) && !virtChoiceParseXml(doc, source, &entry->choice, error)) ||
        !readEntrySettings(doc, node, entry, error))
        g_clear_pointer(&entry, virtHostdevFree);
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
    g_autoptr(GHashTable) seen = g_hash_table_new(virtHandleHash, virtHandleEqual);
    g_autofree char *settings = virtSettingKindListChildren();
    g_autofree char *children = g_strdup_printf("source! %s interface", settings);

    if (!checkMetadataShape(doc, ours, children, error))
        return NULL;
    for (guint i = 0; i < ours->children->len; i++) {
        virtHostdev *entry = readEntry(doc, ours->children->pdata[i], seen, error);

        if (!entry)
            return NULL;
        g_ptr_array_add(list, entry);
        g_hash_table_insert(seen, &entry->handle, entry);
    }
    return g_steal_pointer(&list);
}

/* Append what the device of @hostdev is asked for by, and which it is. */
static void
formatSource(GString *out, const virtHostdev *hostdev, const virtXmlLayout *layout)
{
    const char *p = layout->prefix, *indent = layout->indent;
    g_autofree char *inner = g_strconcat(indent, layout->step, NULL);

    g_string_append_printf(out, "%s<%ssource", indent, p);
    virtChoiceFormatAttr(out, &hostdev->choice);
    if (virtHandleFormatPath(out, &hostdev->handle)) {
        g_string_append(out, "/>");
        return;
    }
    g_string_append_c(out, '>');
    virtChoiceFormatXml(out, &hostdev->choice, p, inner);
    g_string_append(out, inner);
    virtHandleFormatXml(out, &hostdev->handle, p);
    g_string_append_printf(out, "%s</%ssource>", indent, p);
}

/* Append the entry of one device. */
void
virtMetadataFormatEntry(GString *out, const virtHostdev *hostdev, const virtXmlLayout *layout)
{
    const char *p = layout->prefix, *indent = layout->indent, *step = layout->step;
    g_autofree char *inner = g_strconcat(indent, step, NULL);
    const virtXmlLayout deeper = {p, inner, step};

    g_string_append_printf(out, "%s<%shostdev>", indent, p);
    formatSource(out, hostdev, &deeper);
    virtSettingsFormat(out, &hostdev->settings, VIRT_SETTING_FORMAT_WRITTEN, &deeper);
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
