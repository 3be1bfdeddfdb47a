/* address_conf.c: PCI addresses in XML
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include <string.h>

#include "conf/netdev_conf.h"

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
