/* domain_device.c: one device of a domain: is it ours, and which netdevs has it
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A <hostdev> with its own <netdev> children, one whose netdevs are an entry of our metadata, and an <interface
 * type='hostdev'> all become the same virtHostdevRef.
 */
#include "conf/domain_locate.h"

/* Whether @node is a domain, wherever it stands. */
bool
virtDomainIs(const virtXmlNode *node)
{
    return virtXmlIs(node, NULL, "domain") || virtXmlIs(node, NULL, "inactiveDomain");
}

/* Free @opaque, a virtHostdevRef. */
void
virtHostdevRefFree(gpointer opaque)
{
    virtHostdevRef *ref = opaque;

    g_clear_pointer(&ref->netdevs, g_ptr_array_unref);
    virtInterfaceFree(ref->interface);
    g_free(ref);
}

/* Whether @node stands where a device of a domain does, or is a document of its own. */
static bool
isDevice(const virtXmlNode *node)
{
    const virtXmlNode *devices = node->parent;

    return !devices || (virtXmlIs(devices, NULL, "devices") && devices->parent && virtDomainIs(devices->parent));
}

/* Whether @node is a <hostdev>, and of a domain or alone. */
bool
virtDomainDeviceIsHostdev(const virtXmlNode *node)
{
    return virtXmlIs(node, NULL, "hostdev") && isDevice(node);
}

/* Whether libvirt takes @node, a <hostdev>, for a host PCI device. */
static bool
isPCIHostdev(const virtXmlNode *node)
{
    const char *mode = virtXmlGet(node, "mode");

    return g_strcmp0(virtXmlGet(node, "type"), "pci") == 0 && (!mode || g_str_equal(mode, "subsystem"));
}

static virtXmlNode *
findAddress(const virtXmlNode *hostdev)
{
    const virtXmlNode *source = virtXmlChild(hostdev, "source");

    return source ? virtXmlChild(source, "address") : NULL;
}

/* The source address of a device of the host's PCI bus that @node gives to the guest, or NULL. */
const virtXmlNode *
virtDomainDeviceFindSource(const virtXmlNode *node)
{
    const virtXmlNode *address;
    const char *type;

    if (virtXmlIs(node, NULL, "hostdev"))
        return isPCIHostdev(node) ? findAddress(node) : NULL;
    if (!virtXmlIs(node, NULL, "interface") || g_strcmp0(virtXmlGet(node, "type"), "hostdev") != 0)
        return NULL;
    address = findAddress(node);
    type = address ? virtXmlGet(address, "type") : NULL;
    return !type || g_str_equal(type, "pci") ? address : NULL;
}

/* What must hold for a <hostdev> with <netdev> children. */
static bool
checkHostdev(const virtXmlDoc *doc, const virtXmlNode *node, GError **error)
{
    g_autofree char *mode = virtXmlQuote(virtXmlGet(node, "mode") ? virtXmlGet(node, "mode") : "subsystem");
    g_autofree char *type = virtXmlQuote(virtXmlGet(node, "type") ? virtXmlGet(node, "type") : "");

    if (!isPCIHostdev(node)) {
        virtXmlError(doc, virtXmlChild(node, "netdev"), error,
                     "<netdev> needs <hostdev mode='subsystem' type='pci'>; this one has mode='%s' type='%s'", mode,
                     type);
        return false;
    }
    if (!findAddress(node)) {
        virtXmlError(doc, node, error,
                     "a <hostdev> with <netdev> lacks its %s: its netdevs are kept by the source address",
                     virtXmlChild(node, "source") ? "<address> in <source>" : "<source> with an <address>");
        return false;
    }
    return true;
}

static bool
readAddress(const virtXmlDoc *doc, const virtXmlNode *node, bool written, virtPCIAddress *ret, GError **error)
{
    const virtXmlNode *address = isPCIHostdev(node) ? findAddress(node) : NULL;

    /* A device without netdevs is libvirt's to judge. */
    if (!written)
        return address && virtPCIAddressParseXml(doc, address, ret, NULL);
    return checkHostdev(doc, node, error) && virtPCIAddressParseXml(doc, address, ret, error);
}

/* Join a <hostdev> with its netdevs; without any, @ret stays NULL. */
static bool
readHostdev(const virtXmlDoc *doc, const virtXmlNode *node, GHashTable *entries, virtHostdevRef **ret, GError **error)
{
    bool written = virtXmlChild(node, "netdev");
    g_autoptr(GPtrArray) netdevs = NULL;
    virtPCIAddress address;
    const virtHostdev *entry;

    if (!readAddress(doc, node, written, &address, error))
        return !written;
    entry = g_hash_table_lookup(entries, &address);
    if (written && entry) {
        virtXmlError(doc, node, error,
                     "the netdevs of this <hostdev> are also in <metadata>, line %u; drop one of the two", entry->line);
        return false;
    }
    if (!written && !entry)
        return true;
    netdevs = written ? virtNetdevListParse(doc, node, VIRT_NETDEV_PARSE_USER, error) : g_ptr_array_ref(entry->netdevs);
    if (!netdevs)
        return false;
    *ret = g_new0(virtHostdevRef, 1);
    (*ret)->node = node;
    (*ret)->source = virtXmlChild(node, "source");
    (*ret)->address = address;
    (*ret)->written = written;
    (*ret)->interface = written ? NULL : virtInterfaceCopy(entry->interface);
    (*ret)->netdevs = g_steal_pointer(&netdevs);
    return true;
}

/* What an interface says, where it is one that is to be converted; otherwise @ret stays NULL. */
static bool
readInterface(const virtXmlDoc *doc, const virtXmlNode *node, guint flags, GHashTable *entries, virtHostdevRef **ret,
              GError **error)
{
    g_autoptr(GError) local = NULL;
    g_autofree virtHostdevRef *ref = g_new0(virtHostdevRef, 1);
    const virtHostdev *entry;
    virtNetdev *netdev;

    ref->node = node;
    ref->source = virtXmlChild(node, "source");
    ref->written = true;
    netdev = virtPCIAddressParseXml(doc, findAddress(node), &ref->address, &local)
                 ? virtInterfaceParse(doc, node, &ref->interface, &local)
                 : NULL;
    if (!netdev) {
        /* What a VF cannot do anyway is libvirt's to refuse, unless it would only drop it. */
        if (!(flags & VIRT_DOMAIN_ALL_INTERFACES) && !virtInterfaceMentionsUs(node))
            return true;
        g_propagate_error(error, g_steal_pointer(&local));
        return false;
    }
    ref->netdevs = virtNetdevListNew();
    g_ptr_array_add(ref->netdevs, netdev);
    *ret = g_steal_pointer(&ref);
    entry = g_hash_table_lookup(entries, &(*ret)->address);
    if (entry)
        virtXmlError(doc, node, error,
                     "the netdevs of this <interface> are also in <metadata>, line %u; drop one of the two",
                     entry->line);
    return !entry;
}

/* Read @node, a device of any kind of a domain or alone.
 *
 * @flags:   VIRT_DOMAIN_…: whether interfaces are looked at
 * @entries: of our metadata, virtHostdev by its address
 *
 * False with the reason; *ret, for virtHostdevRefFree(), stays NULL where the device is not of ours.
 */
bool
virtDomainDeviceRead(const virtXmlDoc *doc, const virtXmlNode *node, guint flags, GHashTable *entries,
                     virtHostdevRef **ret, GError **error)
{
    bool ok = true;

    if (virtDomainDeviceIsHostdev(node))
        ok = readHostdev(doc, node, entries, ret, error);
    else if (virtDomainWantsInterfaces(flags) && virtInterfaceIs(node) && isDevice(node))
        ok = readInterface(doc, node, flags, entries, ret, error);
    if (!ok)
        g_clear_pointer(ret, virtHostdevRefFree);
    return ok;
}

/* Does a device use what libvirt would drop without a word? */
bool
virtDomainDeviceMentionsUs(const virtXmlNode *node)
{
    return virtDomainDeviceIsHostdev(node) ? virtXmlChild(node, "netdev") != NULL
                                           : virtInterfaceIs(node) && isDevice(node) && virtInterfaceMentionsUs(node);
}
