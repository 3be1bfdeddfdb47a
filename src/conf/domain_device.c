/* domain_device.c: one device of a domain: is it ours, and which netdevs has it
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A <hostdev> with its own <netdev> children, one whose netdevs are an entry of our metadata, and an <interface
 * type='hostdev'> all become the same virtHostdevRef.
 */
#include "conf/domain_locate.h"

#include <string.h>

#include "conf/vdpa_conf.h"

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

    virtSettingsClear(&ref->settings);
    virtInterfaceFree(ref->interface);
    g_free(ref);
}

/* The netdev of @ref that an <interface> for it has as its own: the first of one, the only one of a <hostdev>. NULL
 * where there is none, or a setting of another kind. */
const virtNetdev *
virtHostdevRefGetOwnNetdev(const virtHostdevRef *ref)
{
    const GPtrArray *netdevs = VIRT_NETDEVS(ref);

    for (guint k = 0; virtSettingKinds[k]; k++) {
        if (k != VIRT_SETTING_NETDEV && ref->settings.of[k]->len > 0)
            return NULL;
    }
    if (netdevs->len == 0 || (netdevs->len > 1 && !ref->interface))
        return NULL;
    return netdevs->pdata[0];
}

/* Whether @node stands where a device of a domain does, or is a document of its own. */
static bool
isDevice(const virtXmlNode *node)
{
    const virtXmlNode *devices = node->parent;

    return !devices || (virtXmlIs(devices, NULL, "devices") && devices->parent && virtDomainIs(devices->parent));
}

/* Whether @node is a <hostdev>, or another device of the host's that stays what it is, and of a domain or alone. */
bool
virtDomainDeviceIsHostdev(const virtXmlNode *node)
{
    return (virtXmlIs(node, NULL, "hostdev") || virtVdpaIsDevice(node)) && isDevice(node);
}

/* Is @ref an <interface> that gets its VF from a network, and stays an interface? */
bool
virtHostdevRefIsNetwork(const virtHostdevRef *ref)
{
    return virtXmlIs(ref->node, NULL, "interface") && !ref->interface && !virtVdpaIsDevice(ref->node);
}

/* May a setting of @kind be a child of @node? Of an interface a netdev may, beside its own, where that is not lost. */
bool
virtDomainDeviceMayHave(const virtXmlNode *node, const virtSettingKind *kind, guint flags)
{
    if (virtDomainDeviceIsHostdev(node))
        return virtVdpaIsDevice(node) == g_str_equal(kind->bus, "vdpa");
    return kind == virtSettingKinds[VIRT_SETTING_NETDEV] && isDevice(node) &&
           (virtInterfaceIsNetwork(node) || (!(flags & VIRT_DOMAIN_LEAVE_INTERFACES) && virtInterfaceIs(node)));
}

/* The devices of the host that libvirt gives to guests, each named by the <address> of its <source>, or by its path. */
static const struct {
    const char *element, *type;
    const char *bus;
    const char *holds; /* how such a device is called that settings of its bus may stand in; NULL: none may */
} deviceKinds[] = {
    {"hostdev", "pci", "pci", "<hostdev mode='subsystem' type='pci'>"},
    {"hostdev", "mdev", "mdev", "<hostdev mode='subsystem' type='mdev'>"},
    {"interface", "hostdev", "pci", NULL},
    {"interface", "vdpa", "vdpa", "<interface type='vdpa'>"},
    {"disk", "vhostvdpa", "vdpa", "<disk type='vhostvdpa'>"},
};

/* Where the element of a setting of @kind may stand, for messages; the caller frees it. */
char *
virtDomainDeviceDescribePlace(const virtSettingKind *kind)
{
    GString *text = g_string_new(NULL);

    for (guint i = 0; i < G_N_ELEMENTS(deviceKinds); i++) {
        if (!deviceKinds[i].holds || !g_str_equal(deviceKinds[i].bus, kind->bus))
            continue;
        if (text->len > 0)
            g_string_append(text, " or ");
        g_string_append(text, deviceKinds[i].holds);
    }
    return g_string_free(text, FALSE);
}

/* The bus of the device @node, as libvirt takes it; NULL: it is none of the host's, or one of another kind. */
static const char *
getBus(const virtXmlNode *node)
{
    const char *type = virtXmlGet(node, "type");
    const char *mode = virtXmlGet(node, "mode");

    for (guint i = 0; type && i < G_N_ELEMENTS(deviceKinds); i++) {
        if (virtXmlIs(node, NULL, deviceKinds[i].element) && g_str_equal(type, deviceKinds[i].type) &&
            (!virtXmlIs(node, NULL, "hostdev") || !mode || g_str_equal(mode, "subsystem")))
            return deviceKinds[i].bus;
    }
    return NULL;
}

static const virtXmlNode *
findAddress(const virtXmlNode *device)
{
    return virtXmlChild(virtXmlChild(device, "source"), "address");
}

/* What tells which device @device is, the <address> of its <source> or one that has a path; NULL: nothing. */
static const virtXmlNode *
findName(const virtXmlNode *device)
{
    const virtXmlNode *source = virtXmlChild(device, "source");

    if (!virtVdpaIsDevice(device))
        return findAddress(device);
    if (!source || !virtXmlGet(source, "dev"))
        return NULL;
    return source;
}

/* May the <address> of @node lead to a device of its bus? An interface's may be of another type. */
static bool
isAddressOf(const virtXmlNode *node, const virtXmlNode *address)
{
    const char *type = virtXmlGet(address, "type");

    return !virtXmlIs(node, NULL, "interface") || !type || g_str_equal(type, "pci");
}

/* Which device of the host @node gives to the guest; false, with VIRT_ERROR_INVALID or without an error, where it gives
 * none or names it wrongly. */
bool
virtDomainDeviceReadHandle(const virtXmlDoc *doc, const virtXmlNode *node, virtHandle *ret, GError **error)
{
    const char *bus = getBus(node);
    const virtXmlNode *name;

    if (!bus)
        return false;
    name = findName(node);
    return name && isAddressOf(node, name) && virtHandleParseXml(doc, name, bus, ret, error);
}

/* May the <source> of the device @node ask for a VF by something else than its address? */
bool
virtDomainDeviceMayChoose(const virtXmlNode *node)
{
    return g_strcmp0(getBus(node), "pci") == 0;
}

/* Does @node ask for what libvirt itself would leave to somebody else? */
static bool
isManaged(const virtXmlNode *node)
{
    return g_strcmp0(virtXmlGet(node, "managed"), "yes") == 0;
}

/* What must hold for a <hostdev> whose device @child makes. */
static bool
checkMade(const virtXmlDoc *doc, const virtXmlNode *node, const virtXmlNode *child, GError **error)
{
    const virtXmlNode *source = virtXmlChild(node, "source");

    if (virtXmlIs(node, NULL, "hostdev") && !isManaged(node)) {
        virtXmlError(
            doc, child, error,
            "<%s> needs managed='yes' in its <hostdev>: otherwise somebody else makes the device; write that, or drop the <%s>",
            child->name, child->name);
        return false;
    }
    if (findName(node) || !source || virtChoiceIsWritten(source))
        return true;
    if (source->children->len > 0 || source->attrCount > 0) {
        const char *name = "<address uuid='...'/>", *what = "a UUID";

        if (source->children->len > 0)
            source = source->children->pdata[0];
        if (virtVdpaIsDevice(node)) {
            name = "'dev'";
            what = "a name";
        }
        virtXmlError(doc, source, error,
                     "<source> says something, and has no %s: write that, or drop the <source> to have %s generated",
                     name, what);
        return false;
    }
    return true;
}

/* What must hold for a <hostdev> whose device keeps its driver, which the setting @child needs. */
static bool
checkBound(const virtXmlDoc *doc, const virtXmlNode *node, const virtXmlNode *child, GError **error)
{
    for (guint i = 0; i < node->children->len; i++) {
        const virtXmlNode *other = node->children->pdata[i];

        if (!virtSettingKindFind(other) || g_str_equal(other->name, child->name))
            continue;
        virtXmlError(doc, other, error, "<%s> beside <%s>: no device has both; drop one of the two", other->name,
                     child->name);
        return false;
    }
    if (!isManaged(node))
        return true;
    virtXmlError(
        doc, child, error,
        "<%s> needs managed='no' in its <hostdev>: with managed='yes', libvirt would take the device from its driver, and what <%s> has set would be lost; write that, or drop the <%s>",
        child->name, child->name, child->name);
    return false;
}

/* What must hold for a <hostdev> with the element @child of a setting. */
static bool
checkSettingPlace(const virtXmlDoc *doc, const virtXmlNode *node, const virtXmlNode *child, GError **error)
{
    const virtSettingKind *kind = virtSettingKindFind(child);
    const char *lacks = "<source> with an <address>";

    if (g_strcmp0(getBus(node), kind->bus) != 0) {
        const char *given = virtXmlGet(node, "mode");
        g_autofree char *mode = NULL;
        g_autofree char *type = virtXmlQuote(virtXmlGet(node, "type"));
        g_autofree char *place = virtDomainDeviceDescribePlace(kind);

        if (!given)
            given = "subsystem";
        mode = virtXmlQuote(given);
        virtXmlError(doc, child, error, "<%s> needs %s; this one has mode='%s' type='%s'", child->name, place, mode,
                     type);
        return false;
    }
    if (kind->makes)
        return checkMade(doc, node, child, error);
    if (kind->bound && !checkBound(doc, node, child, error))
        return false;
    if (!findAddress(node) && !virtChoiceIsWritten(virtXmlChild(node, "source"))) {
        if (virtXmlChild(node, "source"))
            lacks = "<address> in <source>";
        virtXmlError(doc, node, error, "a <hostdev> with <%s> lacks its %s: its %ss are stored by source address",
                     child->name, lacks, child->name);
        return false;
    }
    return true;
}

static bool
checkHostdevSettings(const virtXmlDoc *doc, const virtXmlNode *node, GError **error)
{
    for (guint i = 0; i < node->children->len; i++) {
        const virtXmlNode *child = node->children->pdata[i];

        if (virtSettingKindFind(child) && !checkSettingPlace(doc, node, child, error))
            return false;
    }
    return true;
}

/* What @node asks for, where that is not just an address, and that, where it is there. */
static bool
readSource(const virtXmlDoc *doc, const virtXmlNode *node, virtHandle *ret_handle, virtChoice *ret_choice,
           GError **error)
{
    const virtXmlNode *source = virtXmlChild(node, "source");

    memset(ret_handle, 0, sizeof(*ret_handle));
    memset(ret_choice, 0, sizeof(*ret_choice));
    if (virtDomainDeviceIsHostdev(node) && !virtChoiceIsWritten(source) && !findName(node))
        return true; /* it is to be made: checkMade() */
    if (!virtChoiceIsWritten(source))
        return virtDomainDeviceReadHandle(doc, node, ret_handle, error);
    if (!virtDomainDeviceMayChoose(node)) {
        virtXmlError(
            doc, source, error,
            "only a <hostdev mode='subsystem' type='pci'> and an <interface type='hostdev'> can be asked for by pool or <pf>: give this <%s> an <address>",
            node->name);
        return false;
    }
    return virtChoiceParseXml(doc, source, ret_choice, error) &&
           (!findName(node) || virtDomainDeviceReadHandle(doc, node, ret_handle, error));
}

static virtHostdevRef *
hostdevRefNew(const virtXmlNode *node, const virtHandle *handle)
{
    virtHostdevRef *ref = g_new0(virtHostdevRef, 1);

    ref->node = node;
    ref->source = virtXmlChild(node, "source");
    ref->handle = *handle;
    return ref;
}

/* What is written in the device @node is also in our metadata, at @entry. */
static void
complainTwice(const virtXmlDoc *doc, const virtXmlNode *node, const virtHostdev *entry, GError **error)
{
    const virtXmlNode *setting = virtSettingKindFindIn(node);
    const char *what = "netdev";

    if (setting)
        what = setting->name;
    if (setting || virtInterfaceIs(node))
        virtXmlError(doc, node, error, "the %ss of this <%s> are also in <metadata>, line %u; drop one of the two",
                     what, node->name, entry->line);
    else
        virtXmlError(
            doc, node, error,
            "this <hostdev> is also in <metadata>, line %u, which says what its <source> asks for; drop one of the two",
            entry->line);
}

/* The device is one that is to be made, and nobody has said which UUID, or which name, it shall have. The name of a
 * vDPA device is for people too, and one of all on the host. */
static void
generateHandle(virtHostdevRef *ref)
{
    g_autofree char *uuid = g_uuid_string_random();
    g_autofree char *name = g_strconcat("guest-", uuid + strlen(uuid) - 12, NULL);
    const char *chosen = uuid;

    if (virtVdpaIsDevice(ref->node))
        chosen = name;
    ref->generated = virtHandleSet(&ref->handle, getBus(ref->node), chosen, NULL);
}

/* What is left to the host is found there by the device's address. */
static bool
checkGenerated(const virtXmlDoc *doc, const virtHostdevRef *ref, GError **error)
{
    for (guint k = 0; ref->generated && virtSettingKinds[k]; k++) {
        const GPtrArray *list = ref->settings.of[k];

        if (!virtSettingKinds[k]->makes || list->len == 0 || ((const virtSetting *)list->pdata[0])->present)
            continue;
        virtXmlError(
            doc, ref->node, error,
            "<hostdev> has an empty <%s>, which is a device that the host knows, and does not say which: write its <address uuid='...'/> into <source>, or of what to make it into <%s>",
            virtSettingKinds[k]->info->name, virtSettingKinds[k]->info->name);
        return false;
    }
    return true;
}

/* A <hostdev> with its settings, or what it asks for, in it. */
static bool
readWritten(const virtXmlDoc *doc, const virtXmlNode *node, GHashTable *entries, virtHostdevRef **ret, GError **error)
{
    const virtHostdev *entry;
    virtHandle handle;
    virtChoice choice;

    if (!checkHostdevSettings(doc, node, error) || !readSource(doc, node, &handle, &choice, error))
        return false;
    entry = g_hash_table_lookup(entries, &handle);
    if (entry) {
        complainTwice(doc, node, entry, error);
        return false;
    }
    *ret = hostdevRefNew(node, &handle);
    (*ret)->choice = choice;
    (*ret)->written = true;
    if (virtHandleIsNone(&handle) && choice.by == VIRT_CHOICE_NONE)
        generateHandle(*ret);
    return virtSettingsParse(doc, node, VIRT_SETTING_PARSE_USER, &(*ret)->settings, error) &&
           checkGenerated(doc, *ret, error);
}

/* Is @entry of our metadata about a device that @node, its <hostdev>, has somebody else make by now? */
static bool
isMadeByOthers(const virtXmlNode *node, const virtHostdev *entry)
{
    for (guint k = 0; virtSettingKinds[k]; k++) {
        if (virtSettingKinds[k]->makes && entry->settings.of[k]->len > 0)
            return virtXmlIs(node, NULL, "hostdev") && !isManaged(node);
    }
    return false;
}

/* May @node have what @entry of our metadata says? Its `managed` may have changed since. */
static bool
checkEntry(const virtXmlDoc *doc, const virtXmlNode *node, const virtHostdev *entry, GError **error)
{
    for (guint k = 0; virtSettingKinds[k]; k++) {
        if (!virtSettingKinds[k]->bound || entry->settings.of[k]->len == 0 || !isManaged(node))
            continue;
        virtXmlError(
            doc, node, error,
            "this <hostdev> has a <%s>, in <metadata>, line %u, and managed='yes', with which libvirt would take the device from its driver: write managed='no'",
            virtSettingKinds[k]->info->name, entry->line);
        return false;
    }
    return true;
}

/* Where libvirt has words of its own for what metadata has, too, those count. */
static bool
completeSettings(const virtXmlDoc *doc, virtHostdevRef *ref, GError **error)
{
    for (guint k = 0; virtSettingKinds[k]; k++) {
        GPtrArray **list = &ref->settings.of[k], *shared = *list;

        if (shared->len == 0 || !virtSettingKinds[k]->complete)
            continue;
        *list = virtSettingListCopy(virtSettingKinds[k]->info, shared);
        g_ptr_array_unref(shared);
        if (!virtSettingKinds[k]->complete(doc, ref->node, *list, error))
            return false;
    }
    return true;
}

/* Join a <hostdev> with its settings; without any, @ret stays NULL. */
static bool
readHostdev(const virtXmlDoc *doc, const virtXmlNode *node, GHashTable *entries, virtHostdevRef **ret, GError **error)
{
    const virtHostdev *entry;
    virtHandle handle;

    if (virtSettingKindFindIn(node) || virtChoiceIsWritten(virtXmlChild(node, "source")))
        return readWritten(doc, node, entries, ret, error);
    /* A device without settings is left to libvirt. */
    if (!virtDomainDeviceReadHandle(doc, node, &handle, NULL) || !(entry = g_hash_table_lookup(entries, &handle)))
        return true;
    if (isMadeByOthers(node, entry))
        return true;
    if (!checkEntry(doc, node, entry, error))
        return false;
    *ret = hostdevRefNew(node, &handle);
    (*ret)->choice = entry->choice;
    (*ret)->interface = virtInterfaceCopy(entry->interface);
    virtSettingsShare(&(*ret)->settings, &entry->settings);
    return completeSettings(doc, *ret, error);
}

/* What an interface says, where it is one that is to be converted; otherwise @ret stays NULL. */
static bool
readInterface(const virtXmlDoc *doc, const virtXmlNode *node, guint flags, GHashTable *entries, virtHostdevRef **ret,
              GError **error)
{
    g_autoptr(GError) local = NULL;
    g_autofree virtHostdevRef *ref = g_new0(virtHostdevRef, 1);
    const virtHostdev *entry;
    GPtrArray *netdevs = NULL;

    ref->node = node;
    ref->source = virtXmlChild(node, "source");
    ref->written = true;
    if (readSource(doc, node, &ref->handle, &ref->choice, &local))
        netdevs = virtInterfaceParse(doc, node, &ref->interface, &local);
    if (!netdevs) {
        /* What a VF cannot do anyway is libvirt's to refuse, unless it would only drop it. */
        if (!(flags & VIRT_DOMAIN_ALL_INTERFACES) && !virtInterfaceMentionsUs(node))
            return true;
        g_propagate_error(error, g_steal_pointer(&local));
        return false;
    }
    virtSettingsInit(&ref->settings);
    g_ptr_array_unref(VIRT_NETDEVS(ref));
    VIRT_NETDEVS(ref) = netdevs;
    *ret = g_steal_pointer(&ref);
    entry = g_hash_table_lookup(entries, &(*ret)->handle);
    if (entry)
        complainTwice(doc, node, entry, error);
    return !entry;
}

/* May metadata have an entry for the interface @node by its MAC address? A running one has the type of what libvirt has
 * got for it from the network; only the hook has to know of those that are no VFs. */
static bool
mayBeStored(const virtXmlNode *node, guint flags)
{
    return (flags & VIRT_DOMAIN_WRITTEN) || virtInterfaceIsNetwork(node) || virtInterfaceIs(node);
}

/* What an interface says that gets its VF from a network, or has an entry in our metadata as if; otherwise @ret stays
 * NULL. */
static bool
readNetwork(const virtXmlDoc *doc, const virtXmlNode *node, guint flags, GHashTable *entries, virtHostdevRef **ret,
            GError **error)
{
    bool written = virtInterfaceIsNetwork(node) && virtInterfaceMentionsUs(node);
    const virtHostdev *entry = NULL;
    virtHandle key;
    GPtrArray *netdevs;

    virtHandleSetNetwork(&key, NULL);
    if (virtInterfaceReadKey(node, &key) && mayBeStored(node, flags))
        entry = g_hash_table_lookup(entries, &key);
    if (written && entry) {
        complainTwice(doc, node, entry, error);
        return false;
    }
    if (entry) {
        *ret = hostdevRefNew(node, &key);
        virtSettingsShare(&(*ret)->settings, &entry->settings);
    }
    if (!written)
        return true;
    if (!(netdevs = virtInterfaceParseNetwork(doc, node, error)))
        return false;
    *ret = hostdevRefNew(node, &key);
    (*ret)->written = true;
    virtSettingsInit(&(*ret)->settings);
    g_ptr_array_unref(VIRT_NETDEVS(*ret));
    VIRT_NETDEVS(*ret) = netdevs;
    return true;
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
    else if (virtXmlIs(node, NULL, "interface") && isDevice(node))
        ok = readNetwork(doc, node, flags, entries, ret, error);
    if (ok && !*ret && virtDomainWantsInterfaces(flags) && virtInterfaceIs(node) && isDevice(node))
        ok = readInterface(doc, node, flags, entries, ret, error);
    if (!ok)
        g_clear_pointer(ret, virtHostdevRefFree);
    return ok;
}

/* Does a device use what libvirt would drop without a word? */
bool
virtDomainDeviceMentionsUs(const virtXmlNode *node)
{
    if (virtDomainDeviceIsHostdev(node))
        return virtSettingKindFindIn(node) || virtChoiceIsWritten(virtXmlChild(node, "source"));
    return (virtInterfaceIs(node) || virtInterfaceIsNetwork(node)) && isDevice(node) && virtInterfaceMentionsUs(node);
}
