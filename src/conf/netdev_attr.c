/* netdev_attr.c: each attribute of a <netdev>: how it is read and written
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A function that reads and one that writes for each row of the table at the end. The grammar (netdev_conf.c) has
 * checked that all that is needed is there; here the values are judged.
 */
#include "conf/netdev_attr.h"

#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <string.h>

static const virtXmlRange vlanRange = {10, 1, 4094, "drop <vlan> for a netdev without one"};
static const virtXmlRange stateVlanRange = {10, 0, 4094, NULL};
static const virtXmlRange priorityRange = {10, 0, 7, "0 is the default"};
static const virtXmlRange rateRange = {10, 1, G_MAXUINT32, "the unit is KiB/s; drop the attribute for no limit"};
static const virtXmlRange stateRateRange = {10, 0, G_MAXUINT32, "the unit is KiB/s"};

static bool
parseMac(const virtNetdevReader *r)
{
    guint8 *mac = r->ret->mac;

    if (!virtMacParse(virtXmlGet(r->node, "address"), mac)) {
        virtXmlBadValue(r->doc, r->node, "address", r->error, "not a MAC address like 52:54:00:01:02:03");
        return false;
    }
    if (r->state)
        return true;
    if (virtMacIsZero(mac)) {
        virtXmlBadValue(r->doc, r->node, "address", r->error,
                        "the zero address cannot be used; drop <mac> to have one generated");
        return false;
    }
    if (virtMacIsMulticast(mac)) {
        virtXmlBadValue(r->doc, r->node, "address", r->error,
                        "a multicast address; a netdev needs a unicast one, with an even first byte");
        return false;
    }
    return true;
}

static void
formatMac(GString *out, const virtNetdev *netdev)
{
    char mac[18];

    virtMacFormat(netdev->mac, mac);
    virtXmlAddText(out, "address", mac);
}

static bool
parseVlan(const virtNetdevReader *r)
{
    const char *protocol = virtXmlGet(r->node, "protocol");
    const virtXmlRange *range = r->state ? &stateVlanRange : &vlanRange;
    guint64 id = 0, priority = 0;

    if (!virtXmlGetUInt(r->doc, r->node, "id", range, &id, r->error) ||
        !virtXmlGetUInt(r->doc, r->node, "priority", &priorityRange, &priority, r->error))
        return false;
    if (protocol && !g_str_equal(protocol, "802.1Q") && !g_str_equal(protocol, "802.1ad")) {
        virtXmlBadValue(r->doc, r->node, "protocol", r->error, "not 802.1Q or 802.1ad; 802.1Q is the default");
        return false;
    }
    r->ret->vlan.id = id;
    r->ret->vlan.priority = priority;
    r->ret->vlan.protocol = ETH_P_8021Q;
    if (g_strcmp0(protocol, "802.1ad") == 0)
        r->ret->vlan.protocol = ETH_P_8021AD;
    return true;
}

static void
formatVlan(GString *out, const virtNetdev *netdev)
{
    virtXmlAddNumber(out, "id", netdev->vlan.id);
    if (netdev->vlan.priority)
        virtXmlAddNumber(out, "priority", netdev->vlan.priority);
    if (netdev->vlan.protocol == ETH_P_8021AD)
        virtXmlAddText(out, "protocol", "802.1ad");
}

static bool
checkRates(const virtNetdevReader *r)
{
    guint32 average = r->ret->bandwidth.average, peak = r->ret->bandwidth.peak, floor = r->ret->bandwidth.floor;
    guint32 cap = peak ? peak : average;

    if (!average && !peak && !floor) {
        virtXmlError(r->doc, r->node, r->error,
                     "<outbound> needs its attribute 'average', 'peak' or 'floor', in KiB/s");
        return false;
    }
    if (peak && peak < average) {
        virtXmlBadValue(r->doc, r->node, "peak", r->error, "lower than the average of %u KiB/s; raise it or drop one",
                        average);
        return false;
    }
    if (cap && floor > cap) {
        virtXmlBadValue(r->doc, r->node, "floor", r->error,
                        "higher than the cap of %u KiB/s that average or peak set; lower it", cap);
        return false;
    }
    return true;
}

static bool
parseBandwidth(const virtNetdevReader *r)
{
    const virtXmlRange *range = r->state ? &stateRateRange : &rateRange;
    guint64 average = 0, peak = 0, floor = 0;

    if (!virtXmlGetUInt(r->doc, r->node, "average", range, &average, r->error) ||
        !virtXmlGetUInt(r->doc, r->node, "peak", range, &peak, r->error) ||
        !virtXmlGetUInt(r->doc, r->node, "floor", range, &floor, r->error))
        return false;
    r->ret->bandwidth.average = average;
    r->ret->bandwidth.peak = peak;
    r->ret->bandwidth.floor = floor;
    return r->state || checkRates(r);
}

/* "No cap" has to be written as something: average='0'. */
static void
formatBandwidth(GString *out, const virtNetdev *netdev)
{
    if (netdev->bandwidth.average || (!netdev->bandwidth.peak && !netdev->bandwidth.floor))
        virtXmlAddNumber(out, "average", netdev->bandwidth.average);
    if (netdev->bandwidth.peak)
        virtXmlAddNumber(out, "peak", netdev->bandwidth.peak);
    if (netdev->bandwidth.floor)
        virtXmlAddNumber(out, "floor", netdev->bandwidth.floor);
}

static bool
parseYesNo(const virtNetdevReader *r, const char *attr, guint8 *ret)
{
    const char *value = virtXmlGet(r->node, attr);

    if (!g_str_equal(value, "yes") && !g_str_equal(value, "no")) {
        virtXmlBadValue(r->doc, r->node, attr, r->error, "not yes or no; drop it to leave the VF as it is");
        return false;
    }
    *ret = value[0] == 'y';
    return true;
}

static void
addYesNo(GString *out, const char *attr, guint8 value)
{
    if (value)
        virtXmlAddText(out, attr, "yes");
    else
        virtXmlAddText(out, attr, "no");
}

static bool
parseSpoofCheck(const virtNetdevReader *r)
{
    return parseYesNo(r, "spoofCheck", &r->ret->spoofcheck);
}

static void
formatSpoofCheck(GString *out, const virtNetdev *netdev)
{
    addYesNo(out, "spoofCheck", netdev->spoofcheck);
}

static bool
parseTrust(const virtNetdevReader *r)
{
    return parseYesNo(r, "trustGuestRxFilters", &r->ret->trust);
}

static void
formatTrust(GString *out, const virtNetdev *netdev)
{
    addYesNo(out, "trustGuestRxFilters", netdev->trust);
}

static const char *const linkNames[] = {
    [IFLA_VF_LINK_STATE_AUTO] = "auto",
    [IFLA_VF_LINK_STATE_ENABLE] = "up",
    [IFLA_VF_LINK_STATE_DISABLE] = "down",
};

static bool
parseLink(const virtNetdevReader *r)
{
    for (guint i = 0; i < G_N_ELEMENTS(linkNames); i++) {
        if (g_str_equal(virtXmlGet(r->node, "state"), linkNames[i])) {
            r->ret->link = i;
            return true;
        }
    }
    virtXmlBadValue(r->doc, r->node, "state", r->error, "not auto, up or down; drop <link> to leave the VF as it is");
    return false;
}

static void
formatLink(GString *out, const virtNetdev *netdev)
{
    virtXmlAddText(out, "state", linkNames[MIN(netdev->link, G_N_ELEMENTS(linkNames) - 1)]);
}

/* "00:11:22:33:44:55:66:77" or "0x0011223344556677": exactly 16 digits, so that none is lost in typing. */
static bool
readGuid(const char *text, guint64 *ret)
{
    bool hex = g_str_has_prefix(text, "0x");
    const char *p = text;
    guint64 guid = 0;

    if (hex)
        p += strlen("0x");

    for (guint i = 0; i < 8; i++) {
        if (!hex && i && *p++ != ':')
            return false;
        if (!g_ascii_isxdigit(p[0]) || !g_ascii_isxdigit(p[1]))
            return false;
        guid = guid << 8 | g_ascii_xdigit_value(p[0]) << 4 | g_ascii_xdigit_value(p[1]);
        p += 2;
    }
    *ret = guid;
    return *p == '\0';
}

static bool
parseGuid(const virtNetdevReader *r, const char *attr, guint64 *ret)
{
    if (!readGuid(virtXmlGet(r->node, attr), ret)) {
        virtXmlBadValue(r->doc, r->node, attr, r->error,
                        "not a GUID: write 8 bytes as 00:11:22:33:44:55:66:77 or 0x0011223344556677");
        return false;
    }
    /* Zero asks the subnet manager for one, all ones takes it away (mlx4): neither is a GUID. */
    if ((!*ret || *ret == G_MAXUINT64) && !r->state) {
        const char *which = *ret ? "all-ones" : "zero";

        virtXmlBadValue(r->doc, r->node, attr, r->error,
                        "the %s GUID cannot be used; drop the attribute to leave the VF's own", which);
        return false;
    }
    return true;
}

static void
formatGuid(GString *out, const char *attr, guint64 guid)
{
    static const char hex[] = "0123456789abcdef";
    char text[24], *p = text;

    for (int shift = 60; shift >= 0; shift -= 4) {
        *p++ = hex[guid >> shift & 0xf];
        if (shift % 8 == 0)
            *p++ = ':';
    }
    p[-1] = '\0';
    virtXmlAddText(out, attr, text);
}

static bool
parseNodeGuid(const virtNetdevReader *r)
{
    return parseGuid(r, "node", &r->ret->nodeGuid);
}

static void
formatNodeGuid(GString *out, const virtNetdev *netdev)
{
    formatGuid(out, "node", netdev->nodeGuid);
}

static bool
parsePortGuid(const virtNetdevReader *r)
{
    return parseGuid(r, "port", &r->ret->portGuid);
}

static void
formatPortGuid(GString *out, const virtNetdev *netdev)
{
    formatGuid(out, "port", netdev->portGuid);
}

static bool
parseVirtualport(const virtNetdevReader *r)
{
    const char *profile = virtXmlGet(r->node, "profileid");

    if (strlen(profile) >= VIRT_NETDEV_PROFILE_LEN) {
        virtXmlBadValue(r->doc, r->node, "profileid", r->error, "longer than %d bytes", VIRT_NETDEV_PROFILE_LEN - 1);
        return false;
    }
    if (!*profile && !r->state) {
        virtXmlBadValue(r->doc, r->node, "profileid", r->error, "empty: name the port profile, or drop <virtualport>");
        return false;
    }
    g_strlcpy(r->ret->profileid, profile, VIRT_NETDEV_PROFILE_LEN);
    return true;
}

static void
formatVirtualport(GString *out, const virtNetdev *netdev)
{
    g_string_append(out, " profileid='");
    virtXmlEscape(out, netdev->profileid);
    g_string_append(out, "'");
}

/* Stock libvirt knows the VLAN's id alone. */
static void
makeVlanStock(virtNetdev *netdev)
{
    netdev->vlan.priority = 0;
    netdev->vlan.protocol = ETH_P_8021Q;
}

#define DROPS VIRT_NETDEV_STOCK_DROPS
#define REFUSES VIRT_NETDEV_STOCK_REFUSES
#define KEEPS VIRT_NETDEV_STOCK_KEEPS
#define SETS VIRT_NETDEV_STOCK_SETS

/* As they stand in the document; those of one element together, those of <netdev> itself first.
 *
 * libvirt refuses to start an interface with a bandwidth (virDomainActualNetDefValidate), and cannot set a VF's link
 * down, since QEMU does not know the VF as a NIC. */
const virtNetdevRow virtNetdevRows[] = {
    {VIRT_NETDEV_TRUST, NULL, "", NULL, "trustGuestRxFilters", parseTrust, formatTrust, KEEPS, "", NULL},
    {VIRT_NETDEV_SPOOFCHECK, NULL, "", NULL, "spoofCheck", parseSpoofCheck, formatSpoofCheck, DROPS, "", NULL},
    {VIRT_NETDEV_MAC, "mac", "", NULL, NULL, parseMac, formatMac, SETS, "", NULL},
    {VIRT_NETDEV_VLAN, "vlan", "", "tag", NULL, parseVlan, formatVlan, SETS, "priority protocol", makeVlanStock},
    {VIRT_NETDEV_VIRTUALPORT, "virtualport", " type='802.1Qbh'", "parameters", NULL, parseVirtualport,
     formatVirtualport, SETS, "", NULL},
    {VIRT_NETDEV_LINK, "link", "", NULL, NULL, parseLink, formatLink, REFUSES, "", NULL},
    {VIRT_NETDEV_BANDWIDTH, "bandwidth", "", "outbound", NULL, parseBandwidth, formatBandwidth, REFUSES, "", NULL},
    {VIRT_NETDEV_NODE_GUID, "guid", "", NULL, "node", parseNodeGuid, formatNodeGuid, DROPS, "", NULL},
    {VIRT_NETDEV_PORT_GUID, "guid", "", NULL, "port", parsePortGuid, formatPortGuid, DROPS, "", NULL},
};
G_STATIC_ASSERT(G_N_ELEMENTS(virtNetdevRows) == VIRT_NETDEV_ATTR_LAST);

/* Never NULL. */
const virtNetdevRow *
virtNetdevRowFind(virtNetdevAttr attr)
{
    const virtNetdevRow *row = virtNetdevRows;

    while (row->attr != attr)
        row++;
    return row;
}
