/* address_conf.c: how XML says which device of the host: PCI addresses, UUIDs, MAC addresses and paths
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "conf/address_conf.h"

#include <string.h>

#include "util/virnetdev.h"
#include "util/virvdpa.h"

/* Before the name of a vDPA device, in the path by which its guest is given it. */
#define VDPA_PATH "/" VIRT_VDPA_DIR "/"

#define BASES "hexadecimal digits follow 0x, octal ones 0"

static const virtXmlRange domainRange = {0, 0, 0xffffffff, BASES};
static const virtXmlRange busRange = {0, 0, 0xff, BASES};
static const virtXmlRange slotRange = {0, 0, 0x1f, BASES};
static const virtXmlRange functionRange = {0, 0, 7, BASES};

/* Read a PCI <address> the way libvirt does: hexadecimal with 0x, octal with 0, or decimal, and 0 for what is not
 * given. All zero is an address too: on s390 it is a common one. Other attributes are libvirt's business. */
bool
virtPCIAddressParseXml(const virtXmlDoc *doc, const virtXmlNode *node, virtPCIAddress *ret, GError **error)
{
    guint64 domain = 0, bus = 0, slot = 0, function = 0;

    if (!virtXmlGetUInt(doc, node, "domain", &domainRange, &domain, error) ||
        !virtXmlGetUInt(doc, node, "bus", &busRange, &bus, error) ||
        !virtXmlGetUInt(doc, node, "slot", &slotRange, &slot, error) ||
        !virtXmlGetUInt(doc, node, "function", &functionRange, &function, error))
        return false;
    if (!virtXmlGet(node, "domain") && !virtXmlGet(node, "bus") && !virtXmlGet(node, "slot") &&
        !virtXmlGet(node, "function")) {
        virtXmlError(doc, node, error,
                     "<address> names no PCI device: give domain, bus, slot and function as in 0000:06:02.0");
        return false;
    }
    *ret = (virtPCIAddress){domain, bus, slot, function};
    return true;
}

/* Append @address as libvirt writes it. */
void
virtPCIAddressFormatXml(GString *out, const virtPCIAddress *address, const char *prefix)
{
    char name[VIRT_PCI_ADDRESS_LEN]; /* 0000:06:02.0: the same digits, and quicker than printf for each */
    const char *parts[] = {"address domain='0x", "' bus='0x", "' slot='0x", "' function='0x"};
    char *at = name;

    virtPCIAddressFormat(address, name);
    virtXmlAdd(out, "<");
    virtXmlAdd(out, prefix);
    for (guint i = 0; i < G_N_ELEMENTS(parts); i++) {
        gsize digits = strcspn(at, ":.");

        virtXmlAdd(out, parts[i]);
        at[digits] = '\0';
        virtXmlAdd(out, at);
        at += digits + 1;
    }
    virtXmlAdd(out, "'/>");
}

/* Bring a UUID, with or without dashes, to 8-4-4-4-12 lower case, for g_free(); NULL where it is none. */
char *
virtUuidNormalize(const char *text)
{
    GString *out = g_string_new(NULL);
    guint digits = 0;

    for (; *text; text++) {
        if (g_ascii_isxdigit(*text)) {
            if (digits == 8 || digits == 12 || digits == 16 || digits == 20)
                g_string_append_c(out, '-');
            g_string_append_c(out, g_ascii_tolower(*text));
            digits++;
        } else if (*text != '-' && !g_ascii_isspace(*text)) {
            digits = 0;
            break;
        }
    }
    return g_string_free(out, digits != 32);
}

static bool
parseUuid(const virtXmlDoc *doc, const virtXmlNode *node, virtHandle *ret, GError **error)
{
    const char *text = virtXmlGet(node, "uuid");
    g_autofree char *uuid = NULL;

    if (!text) {
        virtXmlError(doc, node, error, "<address> names no mediated device: give its uuid");
        return false;
    }
    uuid = virtUuidNormalize(text);
    if (!uuid) {
        virtXmlBadValue(doc, node, "uuid", error, "32 hexadecimal digits, dashes between them");
        return false;
    }
    return virtHandleSet(ret, "mdev", uuid, error);
}

static bool
parseMac(const virtXmlDoc *doc, const virtXmlNode *node, virtHandle *ret, GError **error)
{
    const char *text = virtXmlGet(node, "address");
    guint8 mac[6];

    if (!text || !virtMacParse(text, mac)) {
        virtXmlError(doc, node, error, "<mac> names no interface: give its address as in 52:54:00:01:02:03");
        return false;
    }
    virtHandleSetNetwork(ret, mac);
    return true;
}

/* The device whose path is @path; false where that is none that this project makes. */
bool
virtHandleParsePath(const char *path, virtHandle *ret)
{
    return g_str_has_prefix(path, VDPA_PATH) && virtHandleSet(ret, "vdpa", path + strlen(VDPA_PATH), NULL);
}

static bool
parsePath(const virtXmlDoc *doc, const virtXmlNode *node, virtHandle *ret, GError **error)
{
    if (virtHandleParsePath(virtXmlGet(node, "dev"), ret))
        return true;
    virtXmlBadValue(doc, node, "dev", error,
                    "a vDPA device that is made for its guest has a path of " VDPA_PATH
                    " and a name of at most %d letters, digits and _.:-; drop the <source> to have one generated",
                    VIRT_HANDLE_NAME_MAX);
    return false;
}

/* Read what tells a device on @bus: the <address> @node, a PCI address as virtPCIAddressParseXml() does, or a UUID; the
 * <mac> @node of an interface; or the <source> @node, which has a path in 'dev'. */
bool
virtHandleParseXml(const virtXmlDoc *doc, const virtXmlNode *node, const char *bus, virtHandle *ret, GError **error)
{
    virtPCIAddress address;

    if (g_str_equal(bus, "mdev"))
        return parseUuid(doc, node, ret, error);
    if (g_str_equal(bus, "network"))
        return parseMac(doc, node, ret, error);
    if (g_str_equal(bus, "vdpa"))
        return parsePath(doc, node, ret, error);
    if (!virtPCIAddressParseXml(doc, node, &address, error))
        return false;
    virtHandleSetPCI(ret, &address);
    return true;
}

/* The element by which a document says which device @handle is, for messages. */
const char *
virtHandleGetElement(const virtHandle *handle)
{
    if (g_str_equal(handle->bus, "vdpa"))
        return "<source dev='...'/>";
    if (g_str_equal(handle->bus, "mdev"))
        return "<address uuid='...'/>";
    return "<address>";
}

/* Append " dev='…'" to the start tag of a <source>, where that is how @handle is written; false where it is an element.
 */
bool
virtHandleFormatPath(GString *out, const virtHandle *handle)
{
    if (!g_str_equal(handle->bus, "vdpa"))
        return false;
    virtXmlAdd(out, " dev='" VDPA_PATH);
    virtXmlEscape(out, handle->name);
    virtXmlAdd(out, "'");
    return true;
}

/* Append the element that virtHandleParseXml() reads, as libvirt writes it, with @prefix before the name. */
void
virtHandleFormatXml(GString *out, const virtHandle *handle, const char *prefix)
{
    virtPCIAddress address;

    if (virtHandleGetPCI(handle, &address)) {
        virtPCIAddressFormatXml(out, &address, prefix);
        return;
    }
    virtXmlAdd(out, "<");
    virtXmlAdd(out, prefix);
    if (virtHandleIsNetwork(handle))
        virtXmlAdd(out, "mac address='");
    else
        virtXmlAdd(out, "address uuid='");
    virtXmlEscape(out, handle->name);
    virtXmlAdd(out, "'/>");
}
