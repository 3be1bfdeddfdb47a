/* domain_locate.c: where in a document its domains, their PCI hostdevs and our metadata stand
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Theory of operation: the tree is searched for domains, which may stand at the root or inside a snapshot, a
 * checkpoint or a status file. For each, our metadata is read into entries keyed by PCI address, then each
 * <hostdev> is joined with its own <netdev> children or with its entry (domain_device.c). Entries left over belong to
 * devices that were unplugged, and are not looked at again.
 */
#include "conf/domain_locate.h"

static void
domainSiteFree(gpointer opaque)
{
    virtDomainRef *ref = opaque;

    g_clear_pointer(&ref->hostdevs, g_ptr_array_unref);
    g_free(ref);
}

/* Whether the document is one device, as for attaching, not a domain. */
bool
virtDomainRefIsLone(const virtDomainRef *ref)
{
    return !virtDomainIs(ref->node);
}

/* Does @child ask for a VF where nobody would listen? */
static bool
isLostChoice(const virtXmlNode *child)
{
    const virtXmlNode *source = child->parent;

    return (virtXmlIs(child, NULL, "pf") || virtXmlIs(child, NULL, "vf")) && virtXmlIs(source, NULL, "source") &&
           source->parent && !virtDomainDeviceMayChoose(source->parent);
}

/* @child is a setting, and libvirt would drop it of @node. */
static void
complainPlace(const virtXmlDoc *doc, const virtXmlNode *node, const virtXmlNode *child, GError **error)
{
    g_autofree char *name = virtXmlQuote(node->name);
    g_autofree char *place = virtDomainDeviceDescribePlace(virtSettingKindFind(child));

    virtXmlError(doc, child, error, "<%s> may only be a child of %s, not of <%s>", child->name, place, name);
}

/* Refuse a <netdev> below @node, or a <pf> in a <source>, that libvirt would drop without a word because it does not
 * stand where it means something. */
bool
virtDomainCheckPlaces(const virtXmlDoc *doc, const virtXmlNode *node, guint flags, GError **error)
{
    for (guint i = 0; i < node->children->len; i++) {
        const virtXmlNode *child = node->children->pdata[i];
        const virtSettingKind *kind = virtSettingKindFind(child);

        if (virtXmlIs(child, NULL, "metadata"))
            continue;
        if (g_strcmp0(child->ns, VIRT_NS) == 0) {
            g_autofree char *name = virtXmlQuote(child->name);

            virtXmlError(doc, child, error,
                         "<%s> of the namespace '" VIRT_NS
                         "' belongs in <metadata>; in <hostdev> write <netdev> without a prefix",
                         name);
            return false;
        }
        if (isLostChoice(child)) {
            g_autofree char *name = virtXmlQuote(node->parent->name);

            virtXmlError(
                doc, child, error,
                "<%s> may only be in the <source> of a <hostdev mode='subsystem' type='pci'> or an <interface type='hostdev'>, not of this <%s>",
                child->name, name);
            return false;
        }
        if (kind && !virtDomainDeviceMayHave(node, kind, flags)) {
            complainPlace(doc, node, child, error);
            return false;
        }
        if (!kind && !virtDomainCheckPlaces(doc, child, flags, error))
            return false;
    }
    return true;
}

/* Make what virtMetadataRead() gives findable; the list keeps owning it. */
static void
indexEntries(const GPtrArray *list, GHashTable *entries)
{
    for (guint i = 0; i < list->len; i++) {
        virtHostdev *entry = list->pdata[i];

        g_hash_table_insert(entries, &entry->handle, entry);
    }
}

/* Find our element in the metadata and read its entries. */
static bool
readMetadata(const virtXmlDoc *doc, virtDomainRef *ref, GPtrArray **ret_entries, GError **error)
{
    ref->metadata = virtXmlChild(ref->node, "metadata");
    for (guint i = 0; ref->metadata && i < ref->metadata->children->len; i++) {
        const virtXmlNode *node = ref->metadata->children->pdata[i];

        if (g_strcmp0(node->ns, VIRT_NS) != 0)
            continue;
        if (!g_str_equal(node->name, "hostdevs")) {
            g_autofree char *name = virtXmlQuote(node->name);

            virtXmlError(doc, node, error,
                         "<%s> of the namespace '" VIRT_NS "' in <metadata> is not <hostdevs>; drop it", name);
            return false;
        }
        if (ref->ours) {
            virtXmlError(doc, node, error,
                         "a second <hostdevs> in <metadata>: libvirt keeps one element of a namespace; merge them");
            return false;
        }
        if (!(*ret_entries = virtMetadataRead(doc, node, error)))
            return false;
        ref->ours = node;
    }
    return true;
}

/* Note the source that @node has, or its key. The settings of one device are one list, so a device that has some can be
 * named once; twice without any is left to libvirt.
 *
 * @hostdev: what has been read of it; NULL: it has no settings
 * @seen: virtHostdev of those before, without settings, by handle; `managed` says whether it had any
 */
static bool
noteSource(const virtXmlDoc *doc, const virtXmlNode *node, GHashTable *seen, const virtHostdevRef *hostdev,
           GError **error)
{
    virtHostdev *entry;
    virtHandle source;
    const virtHostdev *earlier;
    const char *element = "hostdev";

    if (hostdev)
        source = hostdev->handle;
    else if (!virtDomainDeviceReadHandle(doc, node, &source, NULL))
        return true;
    if (!*source.name)
        return true;
    earlier = g_hash_table_lookup(seen, &source);
    if (earlier && virtHandleIsNetwork(&source)) {
        virtXmlError(
            doc, node, error,
            "this <interface> and the one of line %u have the same MAC address, %s, by which their netdevs are stored: give one of them another",
            earlier->line, source.name);
        return false;
    }
    if (earlier && (hostdev || earlier->managed)) {
        if (earlier->interface)
            element = "interface";
        virtXmlError(doc, node, error,
                     "this <%s> and the <%s> of line %u have the same source, %s: a %s may be assigned only once",
                     node->name, element, earlier->line, source.name, virtHandleGetNoun(&source));
        return false;
    }
    if (earlier)
        return true;
    entry = g_new0(virtHostdev, 1);
    entry->handle = source;
    entry->line = node->line;
    entry->managed = hostdev != NULL;
    if (virtXmlIs(node, NULL, "interface"))
        entry->interface = g_new0(virtInterface, 1);
    g_hash_table_insert(seen, &entry->handle, entry);
    return true;
}

/* libvirt boots from the first interface where <os> says <boot dev='network'/>, and takes a VF for that which stands in
 * an <interface> it knows; no <boot order> may be given beside it. So that one is left to libvirt. */
static bool
isBootDevice(const virtDomainRef *ref, const virtXmlNode *node)
{
    const virtXmlNode *os = virtXmlChild(ref->node, "os");

    for (guint i = 0; os && virtInterfaceIs(node) && i < os->children->len; i++) {
        const virtXmlNode *boot = os->children->pdata[i];

        if (virtXmlIs(boot, NULL, "boot") && g_strcmp0(virtXmlGet(boot, "dev"), "network") == 0)
            return true;
    }
    return false;
}

/* Is @node, the first interface, to stay as it is? An error where it uses words that are ours, or all are wanted. */
static bool
leaveToLibvirt(const virtXmlDoc *doc, const virtDomainRef *ref, const virtXmlNode *node, bool *ret_leave,
               GError **error)
{
    *ret_leave = virtDomainWantsInterfaces(ref->flags) && isBootDevice(ref, node);
    if (!*ret_leave || (!(ref->flags & VIRT_DOMAIN_ALL_INTERFACES) && !virtInterfaceMentionsUs(node)))
        return true;
    virtXmlError(
        doc, node, error,
        "<boot dev='network'/> in <os> works only with interfaces that are left to libvirt: write <boot order='1'/> in this <interface> instead");
    return false;
}

static bool
readDevices(const virtXmlDoc *doc, virtDomainRef *ref, GHashTable *entries, GHashTable *seen,
            const virtXmlNode *devices, GError **error)
{
    const virtXmlNode *firstHostdev = NULL;
    gint interfaces = 0;

    for (guint i = 0; i < devices->children->len; i++) {
        const virtXmlNode *node = devices->children->pdata[i];
        virtHostdevRef *hostdev = NULL;
        bool leave = false;

        if (interfaces == 0 && !leaveToLibvirt(doc, ref, node, &leave, error))
            return false;
        if (!leave && !virtDomainDeviceRead(doc, node, ref->flags, entries, &hostdev, error))
            return false;
        if (hostdev) {
            g_ptr_array_add(ref->hostdevs, hostdev);
            hostdev->behind = firstHostdev;
            if (hostdev->interface && hostdev->written)
                hostdev->interface->index = interfaces;
        }
        interfaces += virtXmlIs(node, NULL, "interface");
        if (!firstHostdev && virtXmlIs(node, NULL, "hostdev"))
            firstHostdev = node;
        if ((hostdev || virtDomainDeviceIsHostdev(node)) && !noteSource(doc, node, seen, hostdev, error))
            return false;
    }
    return true;
}

/* libvirt reads the first <metadata> and drops the others, so with another ours would come and go. */
static bool
checkOneMetadata(const virtXmlDoc *doc, const virtDomainRef *ref, GError **error)
{
    for (guint i = 0; i < ref->node->children->len; i++) {
        const virtXmlNode *child = ref->node->children->pdata[i];

        if (!virtXmlIs(child, NULL, "metadata") || child == ref->metadata || (!ref->hostdevs->len && !ref->ours))
            continue;
        virtXmlError(doc, child, error, "a second <metadata> in <%s>, of which libvirt keeps the first: merge them",
                     ref->node->name);
        return false;
    }
    return true;
}

static bool
readDomain(const virtXmlDoc *doc, virtDomainRef *ref, GError **error)
{
    g_autoptr(GPtrArray) list = NULL;
    g_autoptr(GHashTable) entries = g_hash_table_new(virtHandleHash, virtHandleEqual);
    g_autoptr(GHashTable) seen =
        g_hash_table_new_full(virtHandleHash, virtHandleEqual, NULL, (GDestroyNotify)virtHostdevFree);

    if (!readMetadata(doc, ref, &list, error))
        return false;
    if (list)
        indexEntries(list, entries);
    for (guint i = 0; i < ref->node->children->len; i++) {
        const virtXmlNode *child = ref->node->children->pdata[i];

        if (virtXmlIs(child, NULL, "devices") && !readDevices(doc, ref, entries, seen, child, error))
            return false;
    }
    return checkOneMetadata(doc, ref, error);
}

static bool
readLone(const virtXmlDoc *doc, virtDomainRef *ref, GError **error)
{
    g_autoptr(GHashTable) entries = g_hash_table_new(virtHandleHash, virtHandleEqual);
    virtHostdevRef *hostdev = NULL;

    if (!virtDomainDeviceRead(doc, ref->node, ref->flags, entries, &hostdev, error))
        return false;
    if (hostdev)
        g_ptr_array_add(ref->hostdevs, hostdev);
    return true;
}

/* libvirt calls our hook for the QEMU driver's domains only: for those of another nobody would set a VF. Its test
 * driver sets nothing at all. What the hook is given is QEMU's, whatever type of accelerator libvirt knows by then. */
static bool
isOfQemu(const virtXmlNode *node, guint flags)
{
    static const char *const types[] = {"kvm", "qemu", "hvf", "test", NULL};
    const char *type = virtXmlGet(node, "type");

    if ((flags & VIRT_DOMAIN_WRITTEN) || !virtXmlIs(node, NULL, "domain"))
        return true;
    return !type || g_strv_contains(types, type);
}

/* A domain of another driver is libvirt's to judge, and has nothing of ours. */
static bool
readForeign(const virtXmlDoc *doc, const virtXmlNode *domain, const virtXmlNode *parent, GError **error)
{
    for (guint i = 0; i < parent->children->len; i++) {
        const virtXmlNode *node = parent->children->pdata[i], *setting;
        const char *what = "netdev";
        g_autofree char *type = NULL;

        if (virtXmlIs(node, NULL, "devices") && parent == domain && !readForeign(doc, domain, node, error))
            return false;
        if (!virtDomainDeviceMentionsUs(node))
            continue;
        type = virtXmlQuote(virtXmlGet(domain, "type"));
        if ((setting = virtSettingKindFindIn(node)))
            what = setting->name;
        virtXmlError(
            doc, node, error,
            "the %ss of this <%s> would not be set: the domain has type '%s', and only QEMU's (kvm, qemu, hvf) call the hook that sets them; drop them",
            what, node->name, type);
        return false;
    }
    return true;
}

static bool
readSite(const virtXmlDoc *doc, const virtXmlNode *node, guint flags, GPtrArray *refs, GError **error)
{
    virtDomainRef *ref = g_new0(virtDomainRef, 1);

    ref->node = node;
    ref->flags = flags;
    ref->hostdevs = g_ptr_array_new_with_free_func(virtHostdevRefFree);
    g_ptr_array_add(refs, ref);
    if (!virtDomainCheckPlaces(doc, node, flags, error))
        return false;
    if (!isOfQemu(node, flags))
        return readForeign(doc, node, node, error);
    if (virtDomainRefIsLone(ref))
        return readLone(doc, ref, error);
    return readDomain(doc, ref, error);
}

static bool
findDomains(const virtXmlDoc *doc, const virtXmlNode *node, guint flags, GPtrArray *refs, GError **error)
{
    bool lone = virtDomainDeviceIsHostdev(node) || virtInterfaceIsNetwork(node) ||
                (virtDomainWantsInterfaces(flags) && virtInterfaceIs(node));

    if (virtDomainIs(node) || (!node->parent && lone))
        return readSite(doc, node, flags, refs, error);
    if (virtXmlIs(node, NULL, "metadata"))
        return true;
    for (guint i = 0; i < node->children->len; i++) {
        if (!findDomains(doc, node->children->pdata[i], flags, refs, error))
            return false;
    }
    return true;
}

/* Find and validate every domain of @doc, or its one lone device.
 *
 * @flags: VIRT_DOMAIN_…: whether interfaces are looked at
 *
 * Returns virtDomainRef in document order, perhaps none, pointing into @doc; or NULL with the reason.
 */
GPtrArray *
virtDomainRefsFind(const virtXmlDoc *doc, guint flags, GError **error)
{
    g_autoptr(GPtrArray) refs = g_ptr_array_new_with_free_func(domainSiteFree);

    if (!findDomains(doc, doc->root, flags, refs, error))
        return NULL;
    return g_steal_pointer(&refs);
}

typedef void (*AppendFunc)(const virtXmlDoc *doc, const virtXmlNode *node, GArray *list);

static void
appendHandle(const virtXmlDoc *doc, const virtXmlNode *node, GArray *devices)
{
    virtHandle handle;

    if (virtDomainDeviceReadHandle(doc, node, &handle, NULL))
        g_array_append_val(devices, handle);
}

static void
appendInterface(const virtXmlDoc *doc, const virtXmlNode *node, GArray *interfaces)
{
    virtInterfaceVF interface = {0};

    if (!virtXmlIs(node, NULL, "interface") || !virtInterfaceReadKey(node, &interface.key))
        return;
    if (!virtDomainDeviceReadHandle(doc, node, &interface.vf, NULL))
        interface.vf = (virtHandle){0};
    virtInterfaceVFSetVlan(&interface, virtXmlGet(virtXmlChild(virtXmlChild(node, "vlan"), "tag"), "id"));
    interface.hasProfile = virtXmlChild(node, "virtualport") != NULL;
    g_array_append_val(interfaces, interface);
}

/* Call @append for each device of the domain, or for the lone device, of @ref; returns @list. */
static GArray *
listDevices(const virtXmlDoc *doc, const virtDomainRef *ref, AppendFunc append, GArray *list)
{
    if (virtDomainRefIsLone(ref))
        append(doc, ref->node, list);
    for (guint i = 0; i < ref->node->children->len; i++) {
        const virtXmlNode *child = ref->node->children->pdata[i];

        for (guint j = 0; virtXmlIs(child, NULL, "devices") && j < child->children->len; j++)
            append(doc, child->children->pdata[j], list);
    }
    return list;
}

/* Every device of the host that the domain, or lone <hostdev>, of @ref has: <hostdev> or <interface
 * type='hostdev'>, with netdevs or without. An address that is none is libvirt's to refuse, and left out.
 *
 * Returns virtHandle in document order, for g_array_unref().
 */
GArray *
virtDomainRefListDevices(const virtXmlDoc *doc, const virtDomainRef *ref)
{
    return listDevices(doc, ref, appendHandle, g_array_new(FALSE, FALSE, sizeof(virtHandle)));
}

/* Every interface with a MAC address that the domain, or lone <interface>, of @ref has.
 *
 * Returns virtInterfaceVF in document order, for g_array_unref().
 */
GArray *
virtDomainRefListInterfaces(const virtXmlDoc *doc, const virtDomainRef *ref)
{
    return listDevices(doc, ref, appendInterface, g_array_new(FALSE, FALSE, sizeof(virtInterfaceVF)));
}

/* The <hostdev> of @ref's domain whose source is @handle, or NULL. */
const virtXmlNode *
virtDomainRefFindHostdev(const virtXmlDoc *doc, const virtDomainRef *ref, const virtHandle *handle)
{
    for (guint i = 0; i < ref->node->children->len; i++) {
        const virtXmlNode *child = ref->node->children->pdata[i];

        for (guint j = 0; virtXmlIs(child, NULL, "devices") && j < child->children->len; j++) {
            const virtXmlNode *node = child->children->pdata[j];
            virtHandle source;

            if (virtDomainDeviceIsHostdev(node) && virtDomainDeviceReadHandle(doc, node, &source, NULL) &&
                virtHandleEqual(&source, handle))
                return node;
        }
    }
    return NULL;
}

/* The device of ours at @node, or NULL. */
const virtHostdevRef *
virtDomainRefFindDevice(const virtDomainRef *domain, const virtXmlNode *node)
{
    for (guint i = 0; i < domain->hostdevs->len; i++) {
        const virtHostdevRef *ref = domain->hostdevs->pdata[i];

        if (ref->node == node)
            return ref;
    }
    return NULL;
}
