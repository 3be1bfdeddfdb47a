/* domain_devices.c: the host's devices of a domain, as libvirt shows it, whatever else it says
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Putting a VF back depends on this list, so it must not depend on anything that a client can write. libvirt checks and
 * formats all of a domain itself but for <metadata>, which it keeps as it came: elements of any depth and number, names
 * that expat does not take, prefixes that nobody declared. That part is cut out before the rest is read, and the rest
 * is read without a tree, so that there is no bound that libvirt does not have.
 */
#include "conf/domain_locate.h"

#include <expat.h>
#include <string.h>

#include "util/virerror.h"

#define DEPTH 5 /* domain, devices, hostdev, source, address */

typedef struct {
    virtDomainConf *domain;
    GString *text;      /* of the open element, where it is wanted */
    guint depth;        /* open elements, without <actual> */
    bool inside[DEPTH]; /* the open element of this depth is on the way to a source address */
    bool isInterface, isMdev, isVdpa, inActual, wantsText;
    virtInterfaceVF interface; /* the open one */
} Reader;

static const char *
valueOf(const char **attrs, const char *name)
{
    for (; *attrs; attrs += 2) {
        if (g_str_equal(attrs[0], name))
            return attrs[1];
    }
    return NULL;
}

static bool
isAttr(const char **attrs, const char *name, const char *value)
{
    return g_strcmp0(valueOf(attrs, name), value) == 0;
}

static bool
isMissingOr(const char **attrs, const char *name, const char *value)
{
    return !valueOf(attrs, name) || isAttr(attrs, name, value);
}

/* As virStrToLong does: hexadecimal with 0x, octal with 0, or decimal; 0 where it is not given. */
static bool
readAddressNumber(const char **attrs, const char *name, guint64 max, guint *ret)
{
    const char *text = valueOf(attrs, name);
    char *end = NULL;
    guint64 number;

    *ret = 0;
    if (!text)
        return true;
    number = g_ascii_strtoull(text, &end, 0);
    *ret = (guint)number;
    return number <= max && end != text && *end == '\0';
}

static bool
readPCI(const char **attrs, virtHandle *ret)
{
    guint domain, bus, slot, function;

    if (!readAddressNumber(attrs, "domain", G_MAXUINT32, &domain) || !readAddressNumber(attrs, "bus", 0xff, &bus) ||
        !readAddressNumber(attrs, "slot", 0x1f, &slot) || !readAddressNumber(attrs, "function", 7, &function))
        return false;
    virtHandleSetPCI(ret, &(const virtPCIAddress){domain, bus, slot, function});
    return true;
}

static bool
readMdev(const char **attrs, virtHandle *ret)
{
    const char *text = valueOf(attrs, "uuid");
    g_autofree char *uuid = NULL;

    if (!text)
        return false;
    uuid = virtUuidNormalize(text);
    return uuid && virtHandleSet(ret, "mdev", uuid, NULL);
}

/* A vDPA device of which its guest has been given the path. */
static void
addPath(Reader *r, const char **attrs)
{
    const char *path = valueOf(attrs, "dev");
    virtHandle handle;

    if (path && virtHandleParsePath(path, &handle))
        g_array_append_val(r->domain->devices, handle);
}

static void
addAddress(Reader *r, const char **attrs)
{
    virtHandle handle;
    bool found;

    if (r->isMdev)
        found = readMdev(attrs, &handle);
    else
        found = readPCI(attrs, &handle);

    if (found)
        g_array_append_val(r->domain->devices, handle);
    if (found && r->isInterface)
        r->interface.vf = handle;
}

/* Is the element that begins below @depth open ones on the way to a source address? */
static bool
leadsOn(Reader *r, const char *name, const char **attrs)
{
    switch (r->depth) {
    case 0:
        r->domain->active = valueOf(attrs, "id") != NULL;
        return g_str_equal(name, "domain");
    case 1:
        return g_str_equal(name, "devices");
    case 2:
        r->isInterface = g_str_equal(name, "interface");
        r->isMdev = false;
        r->isVdpa = (r->isInterface && isAttr(attrs, "type", "vdpa")) ||
                    (g_str_equal(name, "disk") && isAttr(attrs, "type", "vhostvdpa"));
        r->interface = (virtInterfaceVF){0};
        if (r->isInterface || r->isVdpa)
            return isAttr(attrs, "type", "hostdev") || r->isVdpa;
        r->isMdev = isAttr(attrs, "type", "mdev");
        return g_str_equal(name, "hostdev") && (r->isMdev || isAttr(attrs, "type", "pci")) &&
               isMissingOr(attrs, "mode", "subsystem");
    case 3:
        return g_str_equal(name, "source");
    default:
        return !r->isVdpa && g_str_equal(name, "address") && (!r->isInterface || isMissingOr(attrs, "type", "pci"));
    }
}

/* Take what the element @name, somewhere in an interface of the domain, says of that. */
static void
readInterfacePart(Reader *r, const char *name, const char **attrs)
{
    const char *mac = NULL;
    guint8 bytes[6];

    if (r->depth == 3 && g_str_equal(name, "mac"))
        mac = valueOf(attrs, "address");
    if (mac && virtMacParse(mac, bytes))
        virtHandleSetNetwork(&r->interface.key, bytes);
    if (r->depth == 3 && g_str_equal(name, "virtualport"))
        r->interface.hasProfile = true;
    if (r->depth == 4 && g_str_equal(name, "tag")) /* of its <vlan> */
        virtInterfaceVFSetVlan(&r->interface, valueOf(attrs, "id"));
}

static void
readerOnStart(void *opaque, const char *name, const char **attrs)
{
    Reader *r = opaque;

    if (r->depth == 3 && r->isInterface && g_str_equal(name, "actual")) {
        r->inActual = true;
        r->inside[2] = r->inside[1] && isAttr(attrs, "type", "hostdev");
        return;
    }
    if (r->isInterface && r->depth > 2 && r->inside[1])
        readInterfacePart(r, name, attrs);
    r->wantsText = r->depth == 1 && (g_str_equal(name, "name") || g_str_equal(name, "uuid"));
    g_string_truncate(r->text, 0);
    if (r->depth < DEPTH) {
        r->inside[r->depth] = (r->depth == 0 || r->inside[r->depth - 1]) && leadsOn(r, name, attrs);
        if (r->depth == DEPTH - 1 && r->inside[r->depth])
            addAddress(r, attrs);
        if (r->isVdpa && r->depth == DEPTH - 2 && r->inside[r->depth])
            addPath(r, attrs);
    }
    r->depth++;
}

static void
takeText(virtDomainConf *domain, const char *name, const char *text)
{
    char **ret = &domain->uuid;

    if (g_str_equal(name, "name"))
        ret = &domain->name;

    g_free(*ret);
    *ret = g_strdup(text);
}

static void
readerOnEnd(void *opaque, const char *name)
{
    Reader *r = opaque;

    if (r->depth == 3 && r->inActual) {
        r->inActual = false;
        return;
    }
    r->depth--;
    if (r->depth == 2 && r->isInterface && r->inside[1] && !virtHandleIsNone(&r->interface.key))
        g_array_append_val(r->domain->interfaces, r->interface);
    if (r->wantsText)
        takeText(r->domain, name, r->text->str);
    r->wantsText = false;
}

static void
readerOnCharacters(void *opaque, const char *text, int len)
{
    Reader *r = opaque;

    if (r->wantsText)
        g_string_append_len(r->text, text, len);
}

/* The last "</TAG>" of @xml; NULL: there is none. */
static const char *
findLast(const char *xml, gsize len, const char *tag)
{
    gssize last = (gssize)len - (gssize)strlen(tag);

    while (last >= 0 && strncmp(xml + last, tag, strlen(tag)) != 0)
        last--;
    if (last < 0)
        return NULL;
    return xml + last;
}

/* Where <metadata> stands. Everywhere else libvirt escapes each '<' that is no markup of its own, so the first start
 * tag and the last end tag are those, whatever comments and CDATA there are between them. None: both at the end. */
static void
findMetadata(const char *xml, gsize len, const char **ret_from, const char **ret_to)
{
    static const char end[] = "</metadata>";
    const char *from = virtDomainFindWord(xml, len, "<metadata", 0);
    const char *to = NULL;

    if (from)
        to = findLast(xml, len, end);
    *ret_from = xml + len;
    *ret_to = xml + len;
    if (to) {
        *ret_from = from;
        *ret_to = to + strlen(end);
    }
}

/* Reads @xml up to @from, and from @to on.
 * @encoding: in which it is read, whatever it declares; NULL: as it declares */
static bool
readerParse(Reader *r, const char *encoding, const char *xml, const char *from, const char *to, const char *end,
            GError **error)
{
    XML_Parser expat = XML_ParserCreate(encoding); /* nothing that is looked for has a namespace */
    bool ok;

    XML_SetUserData(expat, r);
    XML_SetElementHandler(expat, readerOnStart, readerOnEnd);
    XML_SetCharacterDataHandler(expat, readerOnCharacters);
    ok = XML_Parse(expat, xml, (int)(from - xml), XML_FALSE) == XML_STATUS_OK &&
         XML_Parse(expat, to, (int)(end - to), XML_TRUE) == XML_STATUS_OK;
    if (!ok)
        g_set_error(error, VIRT_ERROR, VIRT_ERROR_INVALID, "libvirt's XML of the domain cannot be read: %s",
                    XML_ErrorString(XML_GetErrorCode(expat)));
    XML_ParserFree(expat);
    return ok;
}

/* Read what libvirt itself shows of a domain: its name and UUID, whether it runs, and the host's devices that it
 * has, as <hostdev> or <interface type='hostdev'>; or as <interface type='network'>, of which libvirt notes in its own
 * files, in <actual>, what a pool of VFs has given it.
 *
 * @xml: as virDomainGetXMLDesc(), a hook, or the <domain> of a file of libvirt's gives it; not what a client has
 * written
 *
 * Returns the domain, whose list of hostdevs is empty; or NULL with VIRT_ERROR_INVALID, for which no metadata is ever
 * the reason.
 */
virtDomainConf *
virtDomainConfParseDevices(const char *xml, gsize len, GError **error)
{
    g_autoptr(virtDomainConf) domain = g_new0(virtDomainConf, 1);
    Reader r = {.domain = domain, .text = g_string_new(NULL)};
    const char *from, *to;
    bool ok;

    domain->hostdevs = g_ptr_array_new_with_free_func((GDestroyNotify)virtHostdevFree);
    domain->devices = g_array_new(FALSE, FALSE, sizeof(virtHandle));
    domain->interfaces = g_array_new(FALSE, FALSE, sizeof(virtInterfaceVF));
    findMetadata(xml, len, &from, &to);
    ok = readerParse(&r, NULL, xml, from, to, xml + len, error);
    g_string_free(r.text, TRUE);
    if (!ok)
        return NULL;
    return g_steal_pointer(&domain);
}

static bool
findFirst(const char *xml, gsize len, const char *encoding, virtHandle *ret)
{
    g_autoptr(GArray) devices = g_array_new(FALSE, FALSE, sizeof(virtHandle));
    g_autoptr(GArray) interfaces = g_array_new(FALSE, FALSE, sizeof(virtInterfaceVF));
    g_autoptr(GString) text = g_string_new(NULL);
    virtDomainConf domain = {.devices = devices, .interfaces = interfaces};
    Reader r = {.domain = &domain, .text = text, .depth = 2, .inside = {true, true}}; /* as below <devices> */
    const char *end = xml + strnlen(xml, len);                                        /* where it ends for libvirt */

    if (!readerParse(&r, encoding, xml, end, end, end, NULL) || devices->len == 0)
        return false;
    *ret = g_array_index(devices, virtHandle, 0);
    return true;
}

/* Which device of the host a device document gives to a guest: a <hostdev> or an <interface type='hostdev'>, with
 * netdevs or without.
 *
 * @xml: what a client has written, which may be anything. libvirt knows more encodings than expat; in nearly all of
 * them what is looked for is ASCII, and so it is found when it is read as Latin-1
 * @ret: its handle; of several, the first, as for libvirt
 *
 * Returns false where it gives none, or libvirt cannot read it.
 */
bool
virtDeviceFindHandle(const char *xml, gsize len, virtHandle *ret)
{
    return findFirst(xml, len, NULL, ret) || findFirst(xml, len, "ISO-8859-1", ret);
}
