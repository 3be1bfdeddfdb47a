/* device_conf.c: a device on its own, as hot-plugging speaks of it, against the domain that has it
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "conf/domain_locate.h"

#include <string.h>

#include "util/virerror.h"

/* ---- stock form ---- */

/* Take the netdevs out of a device document, as for attaching.
 *
 * @flags: VIRT_DOMAIN_…
 * @ret_hostdev: what it was, for virtHostdevFree(); set only together with a text
 *
 * Returns the document without its netdevs, every other byte as it was, for g_free(). NULL without an error: it has
 * nothing of ours, being another device or a <hostdev> without <netdev>. NULL with VIRT_ERROR_INVALID: it is not
 * well-formed, or it has a <netdev> that is wrong or stands where libvirt would drop it without a word.
 */
char *
virtHostdevToStock(const char *xml, gsize len, guint flags, virtHostdev **ret_hostdev, GError **error)
{
    g_autoptr(virtXmlEdits) edits = virtXmlEditsNew();
    g_autoptr(virtXmlDoc) doc = NULL;
    g_autoptr(GPtrArray) refs = NULL;
    const virtDomainRef *ref;
    char *stock;

    if (!virtDomainConcernsUs(xml, len, flags))
        return NULL;
    if (!(doc = virtXmlParse(xml, len, NULL, error)) || !(refs = virtDomainRefsFind(doc, flags, error)))
        return NULL;
    if (refs->len == 0) {
        /* On another device a <netdev> is a mistake: it is told, not forwarded and lost. */
        virtDomainCheckPlaces(doc, doc->root, virtDomainToStockFlags(flags), error);
        return NULL;
    }
    ref = refs->pdata[0];
    if (!virtDomainRefIsLone(ref) || ref->hostdevs->len == 0)
        return NULL;
    if (flags & VIRT_DOMAIN_GENERATE_MAC)
        virtDomainRefsGenerateMacs(doc, refs);
    if (!virtHostdevRefToStock(edits, doc, ref->hostdevs->pdata[0], error))
        return NULL;
    if ((stock = virtXmlApply(edits, doc, error)))
        *ret_hostdev = virtHostdevFromRef(ref->hostdevs->pdata[0]);
    return stock;
}

/* The plain <hostdev> with the source of @hostdev, by which libvirt knows it; for g_free(). */
char *
virtHostdevFormatStock(const virtHostdev *hostdev)
{
    GString *out = g_string_new("<hostdev mode='subsystem' type='");

    g_string_append_printf(out, "%s'><source>", hostdev->handle.bus);
    virtHandleFormatXml(out, &hostdev->handle, "");
    return g_string_free(g_string_append(out, "</source></hostdev>"), FALSE);
}

/* ---- which interface is meant? ---- */

bool
virtInterfaceTextMentionsUs(const char *xml, gsize len)
{
    g_autoptr(virtXmlDoc) doc = virtXmlParse(xml, len, NULL, NULL);

    return doc && virtInterfaceMentionsUs(doc->root);
}

/* What an <interface> gives to be known by. */
typedef struct {
    bool hasMac, hasSource, isHostdev;
    guint8 mac[6];
    virtHandle key;
    virtHandle source;
} Sign;

static Sign
readSign(const virtXmlDoc *doc)
{
    const char *mac = virtXmlGet(virtXmlChild(doc->root, "mac"), "address");
    const virtXmlNode *address = virtXmlChild(virtXmlChild(doc->root, "source"), "address");
    Sign sign = {.isHostdev = g_strcmp0(virtXmlGet(doc->root, "type"), "hostdev") == 0};

    sign.hasMac = mac && virtMacParse(mac, sign.mac);
    if (sign.hasMac)
        virtHandleSetNetwork(&sign.key, sign.mac);
    sign.hasSource = address && virtHandleParseXml(doc, address, "pci", &sign.source, NULL);
    return sign;
}

/* libvirt does not ask for the type either. But where it has an interface with the MAC address too, as in a teaming,
 * that one is meant by an <interface> of another type. */
static bool
matchesSign(const Sign *sign, const virtDomainRef *domain, const virtHostdevRef *ref)
{
    const virtNetdev *netdev;

    if (virtHostdevRefIsNetwork(ref))
        return virtHandleEqual(&sign->key, &ref->handle);
    if (!ref->interface || (!sign->hasMac && !sign->hasSource))
        return false;
    netdev = VIRT_NETDEVS(ref)->pdata[0];
    return (!sign->hasMac || memcmp(sign->mac, netdev->mac, sizeof(sign->mac)) == 0) &&
           (!sign->hasSource || virtHandleEqual(&sign->source, &ref->handle)) &&
           (sign->isHostdev || !virtDomainRefHasMac(domain, netdev));
}

static virtHostdev *
findIn(const virtXmlDoc *doc, const virtDomainRef *domain, GError **error)
{
    const virtHostdevRef *found = NULL;
    Sign sign = readSign(doc);

    for (guint i = 0; i < domain->hostdevs->len; i++) {
        if (!matchesSign(&sign, domain, domain->hostdevs->pdata[i]))
            continue;
        if (found) {
            virtXmlError(doc, doc->root, error,
                         "multiple devices matching this MAC address found: give the <source> too");
            return NULL;
        }
        found = domain->hostdevs->pdata[i];
    }
    if (!found)
        return NULL;
    return virtHostdevFromRef(found);
}

/* Find the device of ours that the document of an <interface> means: the one with its MAC address, its source, or both,
 * as far as it gives them.
 *
 * @domain: the domain's XML in stock form
 *
 * Returns it, for virtHostdevFree(). NULL without an error: none of them, or the document is not an <interface>. NULL
 * with VIRT_ERROR_INVALID: more than one, or a document is wrong.
 */
virtHostdev *
virtInterfaceFind(const char *xml, gsize len, const char *domain, gsize domainLen, GError **error)
{
    g_autoptr(virtXmlDoc) doc = virtXmlParse(xml, len, NULL, error), has = NULL;
    g_autoptr(GPtrArray) refs = NULL;

    if (!doc || !virtXmlIs(doc->root, NULL, "interface") || !virtDomainMentionsUs(domain, domainLen) ||
        !(has = virtXmlParse(domain, domainLen, "domain", error)) || !(refs = virtDomainRefsFind(has, 0, error)) ||
        refs->len == 0)
        return NULL;
    return findIn(doc, refs->pdata[0], error);
}

/* ---- is a device in a domain as it is described? ---- */

/* What libvirt leaves out of a domain that does not run, and adds to one that does; written or not, it is the same. */
static const struct {
    const char *element, *attr, *value;
} defaults[] = {
    {"hostdev", "mode", "subsystem"}, {"hostdev", "managed", "no"},
    {"driver", "name", "vfio"},       {"address", "domain", "0"},
    {"address", "bus", "0"},          {"address", "slot", "0"},
    {"address", "function", "0"},     {"address", "multifunction", "off"},
};

/* What libvirt reads as a number, with the base in which it does, and so writes in another way than it was written. */
static const struct {
    const char *element, *attr; /* NULL: each */
    guint base;
} numbers[] = {
    {"address", NULL, 0},
    {"zpci", NULL, 0},
    {"boot", "order", 10},
    {"acpi", "index", 10},
};

typedef struct {
    const virtXmlDoc *device;
    const char *name; /* of the host's device */
    GError **error;
} Comparison;

static const char *
getOrDefault(const virtXmlNode *node, const char *element, const char *attr)
{
    const char *value = virtXmlGet(node, attr);

    for (guint i = 0; !value && i < G_N_ELEMENTS(defaults); i++) {
        if (g_str_equal(defaults[i].element, element) && g_str_equal(defaults[i].attr, attr))
            value = defaults[i].value;
    }
    return value;
}

/* @what: the attribute that differs, or "the text"; @has: NULL where there is none */
static void
reportDifference(const Comparison *c, const virtXmlNode *given, const char *what, const char *wants, const char *has)
{
    g_autofree char *name = virtXmlQuote(given->name);
    g_autofree char *quotedWhat = virtXmlQuote(what);
    g_autofree char *quotedWants = virtXmlQuote(wants);
    g_autofree char *quotedHas = virtXmlQuote(has);
    g_autofree char *found = NULL;

    if (has)
        found = g_strdup_printf("'%s'", quotedHas);
    else
        found = g_strdup("none");

    virtXmlError(
        c->device, given, c->error,
        "%s of <%s> was given as '%s', but the domain's <hostdev> %s has %s: only <netdev> can be updated; detach and attach the device to change more",
        quotedWhat, name, quotedWants, c->name, found);
}

/* A source address has led to the device, however it was written: libvirt reads its numbers, and nothing else. Nor does
 * it read attributes with a prefix. */
static bool
isUnread(const virtXmlNode *node, const char *attr)
{
    return strchr(attr, ' ') || (g_str_equal(node->name, "source") && g_str_equal(attr, "pool")) ||
           (g_str_equal(node->name, "address") && node->parent && g_str_equal(node->parent->name, "source"));
}

static bool
readWholeNumber(const char *text, guint base, guint64 *ret)
{
    char *end = NULL;

    *ret = 0;
    if (!text || !g_ascii_isdigit(*text))
        return false;
    *ret = g_ascii_strtoull(text, &end, base);
    return *end == '\0';
}

/* Do @a and @b (may be NULL) mean the same as the attribute @attr of @node? */
static bool
areSame(const virtXmlNode *node, const char *attr, const char *a, const char *b)
{
    if (g_strcmp0(a, b) == 0)
        return true;
    for (guint i = 0; i < G_N_ELEMENTS(numbers); i++) {
        guint64 one, other;

        if (g_str_equal(numbers[i].element, node->name) && (!numbers[i].attr || g_str_equal(numbers[i].attr, attr)))
            return readWholeNumber(a, numbers[i].base, &one) && readWholeNumber(b, numbers[i].base, &other) &&
                   one == other;
    }
    return false;
}

static bool
compareAttrs(const Comparison *c, const virtXmlNode *given, const virtXmlNode *has)
{
    for (guint i = 0; i < given->attrCount; i++) {
        const virtXmlAttr *attr = &given->attrs[i];
        const char *value = getOrDefault(has, given->name, attr->name);

        if (isUnread(given, attr->name) || areSame(given, attr->name, attr->value, value))
            continue;
        reportDifference(c, given, attr->name, attr->value, value);
        return false;
    }
    return true;
}

static bool
compareText(const Comparison *c, const virtXmlNode *given, const virtXmlNode *has)
{
    g_autofree char *wants = g_strstrip(g_strdup(virtXmlText(given)));
    g_autofree char *there = g_strstrip(g_strdup(virtXmlText(has)));

    if (!*wants || g_str_equal(wants, there))
        return true;
    if (!*there)
        g_clear_pointer(&there, g_free);
    reportDifference(c, given, "the text", wants, there);
    return false;
}

/* Does @node ask for the device, which has led to it already? */
static bool
isChoice(const virtXmlNode *node)
{
    return (virtXmlIs(node, NULL, "pf") || virtXmlIs(node, NULL, "vf")) && node->parent &&
           g_str_equal(node->parent->name, "source");
}

/* Ours, or what libvirt does not read: elements with a prefix, and aliases that it gives itself. */
static bool
isFree(const virtXmlNode *node)
{
    const char *alias = virtXmlGet(node, "name");

    if (node->ns || virtSettingKindFind(node) || isChoice(node))
        return true;
    return virtXmlIs(node, NULL, "alias") && alias && !g_str_has_prefix(alias, "ua-");
}

/* An element that says something, if only by being there. */
static bool
checkPresence(const Comparison *c, const virtXmlNode *given, const virtXmlNode *has)
{
    g_autofree char *name = NULL;

    if (has || given->attrCount || given->children->len)
        return true;
    name = virtXmlQuote(given->name);
    virtXmlError(
        c->device, given, c->error,
        "<%s> was given, but the domain's <hostdev> %s has none: only <netdev> can be updated; detach and attach the device to change more",
        name, c->name);
    return false;
}

/* Is all that @given says said by @has (NULL: nothing) too? No element of a PCI <hostdev> may be repeated, so a child
 * is compared with the first of its name. */
static bool
compareNodes(const Comparison *c, const virtXmlNode *given, const virtXmlNode *has)
{
    if (!checkPresence(c, given, has) || !compareAttrs(c, given, has) || !compareText(c, given, has))
        return false;
    for (guint i = 0; i < given->children->len; i++) {
        const virtXmlNode *child = given->children->pdata[i], *match = NULL;

        if (isFree(child))
            continue;
        for (guint j = 0; has && j < has->children->len && !match; j++) {
            const virtXmlNode *other = has->children->pdata[j];

            if (virtXmlIs(other, child->ns, child->name))
                match = other;
        }
        if (!compareNodes(c, child, match))
            return false;
    }
    return true;
}

/* The source address of a lone PCI <hostdev>. */
static bool
getSource(const virtXmlDoc *device, virtHandle *ret, GError **error)
{
    virtDomainRef ref = {.node = device->root};
    g_autoptr(GArray) found = NULL;

    if (virtDomainDeviceIsHostdev(device->root)) {
        found = virtDomainRefListDevices(device, &ref);
        if (found->len) {
            *ret = g_array_index(found, virtHandle, 0);
            return true;
        }
    }
    virtXmlError(device, device->root, error,
                 "to update netdevs, give their <hostdev mode='subsystem' type='pci'> with its <source>");
    return false;
}

/* Does all that the device document @device says, but for its netdevs, also stand at the <hostdev> of @domain with the
 * same source address? Compared is what libvirt reads, not how it is written. What @device does not say is not
 * compared; what libvirt leaves out because it is the default counts as said.
 *
 * @domain: a domain's XML as libvirt gives it, in either form, of its first domain if it has several
 *
 * False with VIRT_ERROR_INVALID names the first difference, or what is wrong with a document; with
 * VIRT_ERROR_NOT_FOUND, that the domain has no such device.
 */
bool
virtHostdevIsIn(const char *device, gsize deviceLen, const char *domain, gsize domainLen, GError **error)
{
    g_autoptr(virtXmlDoc) given = virtXmlParse(device, deviceLen, NULL, error), doc = NULL;
    g_autoptr(GPtrArray) refs = NULL;
    Comparison c = {given, "", error};
    const virtXmlNode *has = NULL;
    virtHandle handle;

    if (!given || !(doc = virtXmlParse(domain, domainLen, "domain", error)) ||
        !(refs = virtDomainRefsFind(doc, 0, error)) || !getSource(given, &handle, error))
        return false;
    c.name = handle.name;
    if (refs->len)
        has = virtDomainRefFindHostdev(doc, refs->pdata[0], &handle);
    if (!has) {
        g_set_error(error, VIRT_ERROR, VIRT_ERROR_NOT_FOUND,
                    "the domain has no <hostdev> with the source %s that could be updated; attach it first", c.name);
        return false;
    }
    return compareNodes(&c, given->root, has);
}

/* ---- replacing an interface ---- */

/* Is all that @node says of libvirt's part also said by @other, even what it would be without? Not the guest's address,
 * which libvirt gives where a document does not. */
static bool
saysNoMore(const virtXmlDoc *doc, const virtXmlNode *node, const virtXmlNode *other)
{
    const Comparison c = {doc, "", NULL};

    for (guint i = 0; i < node->children->len; i++) {
        const virtXmlNode *child = node->children->pdata[i], *match = virtXmlChild(other, child->name);

        if (!isFree(child) && !virtXmlIs(child, NULL, "address") && (!match || !compareNodes(&c, child, match)))
            return false;
    }
    return true;
}

/* Is the <hostdev> of an interface as it is to be, apart from its netdev?
 *
 * @device: an <interface> in stock form
 * @domain: a domain's XML in stock form
 *
 * False also where a document is wrong, or the domain has no device with this source.
 */
bool
virtInterfaceIsSame(const char *device, gsize deviceLen, const char *domain, gsize domainLen)
{
    g_autoptr(virtXmlDoc) given = virtXmlParse(device, deviceLen, NULL, NULL), doc = NULL;
    g_autoptr(GPtrArray) refs = NULL;
    const virtXmlNode *has;
    virtHandle handle;

    if (!given || !(doc = virtXmlParse(domain, domainLen, NULL, NULL)) || !(refs = virtDomainRefsFind(doc, 0, NULL)) ||
        refs->len == 0 || !getSource(given, &handle, NULL))
        return false;
    has = virtDomainRefFindHostdev(doc, refs->pdata[0], &handle);
    return has && virtHostdevIsIn(device, deviceLen, domain, domainLen, NULL) && saysNoMore(given, given->root, has) &&
           saysNoMore(given, has, given->root) &&
           g_strcmp0(getOrDefault(has, "hostdev", "managed"), getOrDefault(given->root, "hostdev", "managed")) == 0;
}

/* The <interface> with this source, of the first domain of @doc, as users see it; or NULL. */
static const virtXmlNode *
findShown(const virtXmlDoc *doc, const virtHandle *handle)
{
    const virtXmlNode *devices = virtXmlChild(doc->root, "devices");

    for (guint i = 0; devices && i < devices->children->len; i++) {
        const virtXmlNode *node = devices->children->pdata[i];
        virtHandle source;

        if (virtInterfaceIs(node) && virtDomainDeviceReadHandle(doc, node, &source, NULL) &&
            virtHandleEqual(&source, handle))
            return node;
    }
    return NULL;
}

/* libvirt looks for the one with this guest's address and this alias too, where both have one. */
static bool
checkKeys(const virtXmlDoc *device, const virtXmlNode *old, GError **error)
{
    static const char *const keys[] = {"address", "alias"};
    const Comparison c = {device, "", NULL};

    for (guint i = 0; i < G_N_ELEMENTS(keys); i++) {
        const virtXmlNode *given = virtXmlChild(device->root, keys[i]), *has = virtXmlChild(old, keys[i]);

        if (!given || !has || isFree(given) || isFree(has) || compareNodes(&c, given, has))
            continue;
        virtXmlError(
            device, given, error,
            "the <interface> to update has another <%s>, and no other has this one: leave it out, or detach and attach",
            keys[i]);
        return false;
    }
    return true;
}

/* @device to stand in the place of @old, whose MAC address it keeps where it gives none. */
static char *
formatInPlace(const virtXmlDoc *doc, const virtXmlNode *old, const virtXmlDoc *device)
{
    static const char end[] = "</interface>";
    g_autofree char *indent = virtXmlIndentOf(doc, old);
    const virtXmlLayout layout = {"", indent, ""};
    const virtXmlNode *mac = virtXmlChild(old, "mac");
    GString *out = g_string_new(NULL);

    virtXmlFormatNode(out, device->root, &layout);
    if (mac && !virtXmlChild(device->root, "mac")) {
        g_string_truncate(out, out->len - strlen(end));
        virtXmlFormatNode(out, mac, &layout);
        g_string_append(out, end);
    }
    return g_string_free(out, FALSE);
}

/* Put an <interface> in the place of one that a domain has, as libvirt does when its stored definition is updated:
 * nothing of the old one is left but, where the new one gives none, its MAC address.
 *
 * @domain: the domain's stored definition, in stock form
 * @old: the source of the one that goes
 * @device: the new <interface>
 *
 * Returns the definition in stock form, for g_free(); or NULL with VIRT_ERROR_INVALID, also where the domain has no
 * such interface.
 */
char *
virtInterfaceReplace(const char *domain, gsize domainLen, const virtHandle *old, const char *device, gsize deviceLen,
                     GError **error)
{
    g_autofree char *shown = virtDomainFormat(domain, domainLen, NULL, VIRT_DOMAIN_FORM_WRITTEN, error);
    g_autoptr(virtXmlDoc) doc = NULL, given = NULL;
    g_autoptr(virtXmlEdits) edits = virtXmlEditsNew();
    g_autofree char *text = NULL, *replaced = NULL;
    const virtXmlNode *node;

    if (!shown || !(doc = virtXmlParse(shown, strlen(shown), "domain", error)) ||
        !(given = virtXmlParse(device, deviceLen, NULL, error)))
        return NULL;
    if (!(node = findShown(doc, old))) {
        virtXmlError(given, given->root, error,
                     "the domain shows %s as a <hostdev>: detach it, and attach the <interface>", old->name);
        return NULL;
    }
    if (!checkKeys(given, node, error))
        return NULL;
    text = formatInPlace(doc, node, given);
    virtXmlReplace(edits, virtXmlSpaceBefore(doc, node->start), node->end, text);
    if (!(replaced = virtXmlApply(edits, doc, error)))
        return NULL;
    return virtDomainToStock(replaced, strlen(replaced), NULL, VIRT_DOMAIN_INTERFACES | VIRT_DOMAIN_GENERATE_MAC,
                             error);
}
