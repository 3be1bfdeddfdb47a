/* domain_abi.c: a document that is to take the place of a domain's own, as for migration or a saved image
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Theory of operation: libvirt compares such a document with what the domain is, device by device, and refuses what a
 * running guest would notice: another MAC address at an interface, another number of devices. In stock form it sees
 * neither our interfaces nor any netdev, so the same is looked at here. Devices are not told by their PCI address,
 * for another host has others: hostdevs are told by their order, as libvirt does, and an interface by its MAC address,
 * which also says whether it is one of those that are stored as a <hostdev>.
 */
#include "conf/domain_locate.h"
#include "conf/profile_conf.h"

#include <string.h>

typedef struct {
    const virtXmlDoc *doc; /* the new document */
    GPtrArray *interfaces; /* virtHostdevRef of the domain that are interfaces, and not yet found in the new one */
    guint interfacesHad;   /* as many there were */
    GPtrArray *hostdevs;   /* the others, in order */
    guint hostdevsSeen;
} Comparison;

static bool
haveOneMac(const virtNetdev *a, const virtNetdev *b)
{
    return virtNetdevHas(a, VIRT_NETDEV_MAC) == virtNetdevHas(b, VIRT_NETDEV_MAC) &&
           memcmp(a->mac, b->mac, sizeof(a->mac)) == 0;
}

static bool
complainMac(const virtXmlDoc *doc, const virtXmlNode *node, const virtNetdev *given, const virtNetdev *has,
            GError **error)
{
    char wants[18], is[18];

    virtMacFormat(given->mac, wants);
    virtMacFormat(has->mac, is);
    virtXmlError(doc, node, error, "Target network card mac %s does not match source %s: a guest keeps its MAC address",
                 wants, is);
    return false;
}

static bool
complainCount(const virtXmlDoc *doc, const char *what, guint given, guint has, GError **error)
{
    virtXmlError(doc, doc->root, error,
                 "Target domain %s count %u does not match source %u: a guest keeps its devices, so give them all",
                 what, given, has);
    return false;
}

/* Has @ref the netdevs of @has, with their MAC addresses? It gets those that it does not give. */
static bool
matchNetdevs(const Comparison *c, virtHostdevRef *ref, const virtHostdevRef *has, GError **error)
{
    virtSettingsKeepProfiled(&ref->settings, &has->settings);
    if (VIRT_NETDEVS(ref)->len != VIRT_NETDEVS(has)->len)
        return complainCount(c->doc, "netdev", VIRT_NETDEVS(ref)->len, VIRT_NETDEVS(has)->len, error);
    for (guint i = 0; i < VIRT_NETDEVS(ref)->len; i++) {
        virtNetdev *given = VIRT_NETDEVS(ref)->pdata[i];
        const virtNetdev *old = virtNetdevListMatch(VIRT_NETDEVS(has), given->port);

        if (!old)
            return complainMac(c->doc, ref->node, given, VIRT_NETDEVS(has)->pdata[i], error);
        if (!virtNetdevHas(given, VIRT_NETDEV_MAC) && virtNetdevHas(old, VIRT_NETDEV_MAC))
            virtNetdevCopyAttr(given, old, VIRT_NETDEV_MAC);
        if (!haveOneMac(given, old))
            return complainMac(c->doc, ref->node, given, old, error);
    }
    return true;
}

/* ---- interfaces ---- */

/* One that is missing may be there and not be understood. */
static bool
complainInterfaces(const Comparison *c, GError **error)
{
    g_autoptr(GError) why = NULL;
    g_autoptr(GPtrArray) all = virtDomainRefsFind(c->doc, VIRT_DOMAIN_ALL_INTERFACES, &why);
    guint given = c->interfacesHad - c->interfaces->len;

    if (all)
        return complainCount(c->doc, "host network card", given, c->interfacesHad, error);
    virtXmlError(
        c->doc, c->doc->root, error,
        "Target domain host network card count %u does not match source %u: a guest keeps its devices. A given interface matches none of them: %s",
        given, c->interfacesHad, why->message);
    return false;
}

/* Take the interface of the domain that has this MAC address off the list; NULL for none. */
static virtHostdevRef *
takeInterface(GPtrArray *interfaces, const virtNetdev *netdev)
{
    for (guint i = 0; i < interfaces->len; i++) {
        virtHostdevRef *ref = interfaces->pdata[i];

        if (haveOneMac(netdev, VIRT_NETDEVS(ref)->pdata[0]))
            return g_ptr_array_steal_index(interfaces, i);
    }
    return NULL;
}

/* Whether libvirt itself has an interface with this MAC address. */
bool
virtDomainRefHasMac(const virtDomainRef *domain, const virtNetdev *netdev)
{
    const virtXmlNode *devices = virtXmlChild(domain->node, "devices");
    guint8 mac[6];

    for (guint i = 0; devices && i < devices->children->len; i++) {
        const virtXmlNode *node = devices->children->pdata[i];
        const char *address = virtXmlGet(virtXmlChild(node, "mac"), "address");

        if (virtXmlIs(node, NULL, "interface") && address && virtMacParse(address, mac) &&
            memcmp(mac, netdev->mac, sizeof(mac)) == 0)
            return true;
    }
    return false;
}

static bool
isInterface(const virtDomainRef *domain, const virtXmlNode *node)
{
    for (guint i = 0; i < domain->hostdevs->len; i++) {
        const virtHostdevRef *ref = domain->hostdevs->pdata[i];

        if (ref->node == node)
            return ref->interface != NULL;
    }
    return false;
}

/* Every <hostdev> of a domain that is not one of our interfaces, in order. */
static GPtrArray *
listHostdevs(const virtDomainRef *domain)
{
    const virtXmlNode *devices = virtXmlChild(domain->node, "devices");
    GPtrArray *list = g_ptr_array_new();

    for (guint i = 0; devices && i < devices->children->len; i++) {
        virtXmlNode *node = devices->children->pdata[i];

        if (virtXmlIs(node, NULL, "hostdev") && !isInterface(domain, node))
            g_ptr_array_add(list, node);
    }
    return list;
}

static guint
countHostdevsBefore(const GPtrArray *hostdevs, const virtXmlNode *node)
{
    guint n = 0;

    while (n < hostdevs->len && ((const virtXmlNode *)hostdevs->pdata[n])->start < node->start)
        n++;
    return n;
}

/* libvirt compares hostdevs one by one, so @ref goes among those of its document where @has is among the domain's: one
 * that was attached later stands behind them there, but is shown before. */
static void
placeHostdev(const virtDomainRef *domain, const virtHostdevRef *has, const virtDomainRef *given, virtHostdevRef *ref)
{
    g_autoptr(GPtrArray) theirs = listHostdevs(domain), hostdevs = listHostdevs(given);
    guint before = MIN(countHostdevsBefore(theirs, has->node), hostdevs->len);

    ref->behind = NULL;
    if (before == countHostdevsBefore(hostdevs, ref->node))
        return;
    if (before < hostdevs->len)
        ref->behind = hostdevs->pdata[before];
    else
        ref->after = hostdevs->pdata[before - 1];
}

/* Decide about an interface of the new document: it stays one where libvirt has it as one. */
static bool
matchInterface(Comparison *c, const virtDomainRef *domain, const virtDomainRef *given, virtHostdevRef *ref,
               bool *ret_convert, GError **error)
{
    const virtNetdev *netdev = VIRT_NETDEVS(ref)->pdata[0];
    const virtHostdevRef *has = takeInterface(c->interfaces, netdev);

    *ret_convert = has != NULL;
    if (has) {
        placeHostdev(domain, has, given, ref);
        return matchNetdevs(c, ref, has, error);
    }
    if (c->interfaces->len == 0 || virtDomainRefHasMac(domain, netdev))
        return true;
    return complainMac(c->doc, ref->node, netdev, VIRT_NETDEVS((virtHostdevRef *)c->interfaces->pdata[0])->pdata[0],
                       error);
}

/* ---- hostdevs ---- */

static bool
matchHostdev(Comparison *c, virtHostdevRef *ref, GError **error)
{
    const virtHostdevRef *has;

    if (c->hostdevsSeen >= c->hostdevs->len)
        return complainCount(c->doc, "host device with netdevs", c->hostdevsSeen + 1, c->hostdevs->len, error);
    has = c->hostdevs->pdata[c->hostdevsSeen++];
    if (ref->generated && g_str_equal(ref->handle.bus, has->handle.bus))
        ref->handle = has->handle; /* as with a MAC address that is not given */
    return matchNetdevs(c, ref, has, error);
}

/* ---- the whole ---- */

/* Decide about each device of @ref; those interfaces that stay are taken off its list. */
static bool
checkDevices(Comparison *c, const virtDomainRef *domain, virtDomainRef *ref, GError **error)
{
    for (guint i = 0; i < ref->hostdevs->len;) {
        virtHostdevRef *hostdev = ref->hostdevs->pdata[i];
        bool convert = true, ok;

        if (virtHostdevRefIsNetwork(hostdev))
            ok = true; /* libvirt sees the interface, and compares it */
        else if (hostdev->interface)
            ok = matchInterface(c, domain, ref, hostdev, &convert, error);
        else
            ok = matchHostdev(c, hostdev, error);
        if (!ok)
            return false;
        if (convert)
            i++;
        else
            g_ptr_array_remove_index(ref->hostdevs, i);
    }
    if (c->interfaces->len)
        return complainInterfaces(c, error);
    if (c->hostdevsSeen < c->hostdevs->len)
        return complainCount(c->doc, "host device with netdevs", c->hostdevsSeen, c->hostdevs->len, error);
    return true;
}

static void
sortDevices(Comparison *c, const virtDomainRef *domain)
{
    for (guint i = 0; domain && i < domain->hostdevs->len; i++) {
        virtHostdevRef *ref = domain->hostdevs->pdata[i];

        if (ref->interface)
            g_ptr_array_add(c->interfaces, ref);
        else if (!virtHostdevRefIsNetwork(ref))
            g_ptr_array_add(c->hostdevs, ref);
    }
    c->interfacesHad = c->interfaces->len;
}

/* Bring a document to stock form that is to take the place of what a domain is: its interfaces become hostdevs where
 * the domain's are.
 *
 * @domain: the domain's XML in stock form
 *
 * Returns the text, for g_free(), the same byte for byte where neither has anything of ours; or NULL with
 * VIRT_ERROR_INVALID, also where the document has other MAC addresses, or other netdevs, than the domain.
 */
char *
virtDomainToStockABI(const char *xml, gsize len, const char *domain, gsize domainLen, GError **error)
{
    g_autoptr(virtXmlDoc) doc = NULL, old = NULL;
    g_autoptr(GPtrArray) refs = NULL, oldSites = NULL;
    g_autoptr(GPtrArray) interfaces = g_ptr_array_new(), hostdevs = g_ptr_array_new();
    Comparison c = {.interfaces = interfaces, .hostdevs = hostdevs};

    if (!virtDomainMentionsUs(domain, domainLen))
        return virtDomainToStock(xml, len, NULL, VIRT_DOMAIN_GENERATE_MAC, error);
    if (!(old = virtXmlParse(domain, domainLen, "domain", error)) || !(oldSites = virtDomainRefsFind(old, 0, error)) ||
        !(doc = virtXmlParse(xml, len, NULL, error)) ||
        !(refs = virtDomainRefsFind(doc, VIRT_DOMAIN_INTERFACES, error)))
        return NULL;
    if (refs->len == 0 || oldSites->len == 0)
        return g_strndup(xml, len);
    c.doc = doc;
    sortDevices(&c, oldSites->pdata[0]);
    if (!checkDevices(&c, oldSites->pdata[0], refs->pdata[0], error))
        return NULL;
    return virtDomainRefsToStock(doc, refs, error);
}
