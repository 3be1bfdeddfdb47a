/* domainconftest.c: what golden files cannot hold: huge, cut and binary documents, generated addresses, the model
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <string.h>

#include "conf/domain_conf.h"
#include "testfiles.h"
#include "util/virerror.h"
#include "testrecord.h"

#define HEAD "<domain>\n  <name>vm1</name>\n  <uuid>8A1F4C700E5E4D5E8B7F3D1F0B6A9C11</uuid>\n  <devices>\n"
#define HOSTDEV                                                                                                        \
    "    <hostdev mode='subsystem' type='pci' managed='yes'>\n      <source>\n        <address bus='6' slot='2'/>\n      </source>\n"
#define TAIL "    </hostdev>\n  </devices>\n</domain>\n"

static void
assertRefused(const char *xml, gsize len, const char *what)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *stock = virtDomainToStock(xml, len, NULL, 0, &error);
    g_autoptr(GError) parseError = NULL;
    g_autoptr(virtDomainConf) domain = virtDomainConfParse(xml, len, NULL, 0, &parseError);

    g_assert_null(stock);
    g_assert_true(g_error_matches(error, VIRT_ERROR, VIRT_ERROR_INVALID) ||
                  g_error_matches(error, VIRT_ERROR, VIRT_ERROR_TOO_LARGE));
    g_assert_cmpstr(error->message, ==, what);
    g_assert_null(domain);
    g_assert_cmpstr(parseError->message, ==, what);
}

static void
testTooLarge(void)
{
    g_autoptr(GString) xml = g_string_new(HEAD HOSTDEV "<netdev port='1'/>" TAIL);
    gsize room = VIRT_XML_MAX - xml->len;
    g_autofree char *space = g_strnfill(room, ' ');
    g_autoptr(virtDomainConf) domain = NULL;

    g_string_append_len(xml, space, room);
    domain = virtDomainConfParse(xml->str, xml->len, NULL, 0, NULL);
    g_assert_nonnull(domain);
    g_string_append_c(xml, ' ');
    assertRefused(xml->str, xml->len, "the document has 4194305 bytes, libvirt takes at most 4194304");
}

static void
testTooManyElements(void)
{
    g_autoptr(GString) xml = g_string_new(HEAD HOSTDEV "<netdev port='1'/>");

    for (guint i = 0; i < VIRT_XML_NODES_MAX; i++)
        g_string_append(xml, "<x/>");
    g_string_append(xml, TAIL);
    assertRefused(xml->str, xml->len, "line 9: the document has more than 262144 elements");
}

/* What libvirt wrote for a hook may be longer. */
static void
testWrittenMax(void)
{
    g_autoptr(GString) xml = g_string_new(HEAD HOSTDEV TAIL);
    gsize room = VIRT_XML_WRITTEN_MAX - xml->len;
    g_autofree char *space = g_strnfill(room, ' ');
    g_autoptr(virtDomainConf) most = NULL, more = NULL;
    g_autoptr(GError) error = NULL;

    g_string_append_len(xml, space, (gssize)room);
    most = virtDomainConfParse(xml->str, xml->len, NULL, VIRT_DOMAIN_WRITTEN, &error);
    g_assert_no_error(error);
    g_assert_nonnull(most);
    g_string_append_c(xml, ' ');
    more = virtDomainConfParse(xml->str, xml->len, NULL, VIRT_DOMAIN_WRITTEN, &error);
    g_assert_null(more);
    g_assert_error(error, VIRT_ERROR, VIRT_ERROR_TOO_LARGE);
    g_assert_cmpstr(error->message, ==, "the document has 33554433 bytes, libvirt takes at most 33554432");
}

/* The stock form is the longer one. */
static void
testTooLargeStored(void)
{
    g_autoptr(GString) xml = g_string_new(HEAD);
    g_autoptr(GError) error = NULL;
    g_autofree char *stock = NULL;

    for (guint i = 1; i <= 30000; i++)
        g_string_append_printf(
            xml, "<hostdev type='pci'><source><address domain='%u'/></source><netdev port='1'/></hostdev>", i);
    g_string_append(xml, "  </devices>\n</domain>\n");
    stock = virtDomainToStock(xml->str, xml->len, NULL, 0, &error);
    g_assert_null(stock);
    g_assert_true(g_str_has_prefix(error->message, "line 1: in the form libvirt keeps, the document would have "));
}

/* How many different MAC addresses stand in @xml. */
static guint
countMacs(const char *xml)
{
    g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

    for (const char *p = xml; (p = strstr(p, "<mac address='")); p++)
        g_hash_table_add(seen, g_strndup(p + strlen("<mac address='"), 17));
    return g_hash_table_size(seen);
}

/* Many devices and entries must not cost the square of their number; of so many addresses, drawn from 2^24, two
 * are likely to be equal, and must not be. */
static void
testManyDevices(void)
{
    g_autoptr(GString) xml = g_string_new(HEAD);
    g_autofree char *stock = NULL, *shown = NULL;
    g_autoptr(GError) error = NULL;
    gint64 start = g_get_monotonic_time();

    for (guint i = 1; i <= 8000; i++)
        g_string_append_printf(
            xml, "<hostdev type='pci'><source><address domain='%u' bus='1'/></source><netdev port='1'/></hostdev>", i);
    g_string_append(xml, "  </devices>\n</domain>\n");
    stock = virtDomainToStock(xml->str, xml->len, NULL, VIRT_DOMAIN_GENERATE_MAC, &error);
    g_assert_no_error(error);
    shown = virtDomainFormat(stock, strlen(stock), NULL, VIRT_DOMAIN_FORM_WRITTEN, &error);
    g_assert_no_error(error);
    g_assert_nonnull(strstr(shown, "domain='8000'"));
    g_assert_cmpuint(countMacs(shown), ==, 8000);
    g_assert_cmpint(g_get_monotonic_time() - start, <, 20 * G_USEC_PER_SEC);
}

/* White space may stand before a device as far as it likes; what is put beside it does not go as far. */
static void
testFarRight(void)
{
    g_autofree char *space = g_strnfill(100000, ' ');
    g_autoptr(GString) xml = g_string_new("<domain>\n");
    g_autofree char *stock = NULL, *shown = NULL, *again = NULL;
    g_autoptr(GError) error = NULL;

    g_string_append_printf(xml, "%s<name>vm1</name>\n  <devices>", space);
    for (guint i = 1; i <= 200; i++)
        g_string_append_printf(
            xml, "\n%s<hostdev type='pci'><source><address domain='%u'/></source><netdev port='1'/></hostdev>",
            i % 20 ? "" : space, i);
    g_string_append(xml, "</devices>\n</domain>\n");
    stock = virtDomainToStock(xml->str, xml->len, NULL, 0, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(strlen(stock), <, xml->len + 200 * 400);
    shown = virtDomainFormat(stock, strlen(stock), NULL, VIRT_DOMAIN_FORM_INTERFACE, &error);
    g_assert_no_error(error);
    again = virtDomainToStock(shown, strlen(shown), NULL, VIRT_DOMAIN_INTERFACES, &error);
    g_assert_no_error(error);
}

static void
testDeep(void)
{
    g_autoptr(GString) xml = g_string_new("<domain>");

    for (guint i = 0; i < 100000; i++)
        g_string_append(xml, "<a>");
    g_string_append(xml, "<netdev/>");
    assertRefused(xml->str, xml->len, "line 1: elements are nested deeper than 256");
}

static void
testZeroBytes(void)
{
    static const char xml[] = "<domain>\0<netdev/></domain>";
    static const char utf16[] = "\xff\xfe<\0d\0/\0>\0 <netdev";

    assertRefused(xml, sizeof(xml) - 1,
                  "the document contains a zero byte: it is not XML, or in UTF-16 (save it as UTF-8)");
    assertRefused(utf16, sizeof(utf16) - 1,
                  "the document contains a zero byte: it is not XML, or in UTF-16 (save it as UTF-8)");
}

static void
testEmpty(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(virtDomainConf) domain = virtDomainConfParse("", 0, "x.xml", 0, &error);

    g_assert_null(domain);
    g_assert_cmpstr(error->message, ==, "x.xml:1: the document has no complete element: is it empty or cut off?");
}

/* Cut at any byte, a document is refused, or was finished there; cut or with a byte changed, nothing crashes. */
static void
testEveryCut(void)
{
    static const char *const names[] = {"stock/merged", "layout/layout-crlf", "document/snapshot-inactive",
                                        "xml/bad-xml-entity-bomb", "layout/layout-latin1"};

    for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *path = virtTestPath("genericxml2xmlin/%s.xml", names[i]);
        g_autofree char *xml = virtTestRead(path);
        gsize len = strlen(xml);
        gsize end = strrchr(xml, '>') + 1 - xml;

        for (gsize cut = 0; cut < len; cut++) {
            g_autofree char *part = g_memdup2(xml, cut + 1);
            g_autoptr(GError) error = NULL;
            g_autoptr(virtDomainConf) domain = virtDomainConfParse(part, cut, NULL, 0, &error);
            g_autofree char *stock = virtDomainToStock(part, cut, NULL, VIRT_DOMAIN_GENERATE_MAC, NULL);
            g_autofree char *shown = virtDomainFormat(part, cut, NULL, VIRT_DOMAIN_FORM_WRITTEN, NULL);

            g_assert_true(cut >= end || !domain);
            g_assert_true(domain || error);
            g_assert_true(shown || !domain);
            g_free(g_steal_pointer(&stock));
            part[cut] ^= 0x15;
            stock = virtDomainToStock(part, cut, NULL, VIRT_DOMAIN_GENERATE_MAC, NULL);
        }
    }
}

static void
testModel(void)
{
    static const char xml[] = HEAD HOSTDEV
        "<netdev port='2' trustGuestRxFilters='yes' spoofCheck='no'>"
        "<mac address='52:54:00:01:02:03'/><vlan><tag id='42' priority='3' protocol='802.1ad'/></vlan>"
        "<link state='down'/><bandwidth><outbound average='10' peak='20' floor='5'/></bandwidth>"
        "<guid node='0x0011223344556677' port='00:11:22:33:44:55:66:78'/></netdev>"
        "<netdev port='1'><virtualport type='802.1Qbh'><parameters profileid='f'/></virtualport></netdev>" TAIL;
    static const guint8 mac[] = {0x52, 0x54, 0, 1, 2, 3};
    g_autoptr(virtDomainConf) domain = virtDomainConfParse(xml, strlen(xml), NULL, 0, NULL);
    const virtHostdev *hostdev = domain->hostdevs->pdata[0];
    const virtNetdev *first = VIRT_NETDEVS(hostdev)->pdata[0], *second = VIRT_NETDEVS(hostdev)->pdata[1];

    g_assert_cmpstr(domain->name, ==, "vm1");
    g_assert_cmpstr(domain->uuid, ==, "8a1f4c70-0e5e-4d5e-8b7f-3d1f0b6a9c11");
    g_assert_cmpuint(domain->hostdevs->len, ==, 1);
    g_assert_true(hostdev->managed);
    g_assert_cmpuint(hostdev->line, ==, 5);
    g_assert_cmpuint(testAddress(&hostdev->handle).bus, ==, 6);
    g_assert_cmpuint(first->port, ==, 1);
    g_assert_cmpuint(first->present, ==, VIRT_NETDEV_BIT(VIRT_NETDEV_VIRTUALPORT));
    g_assert_cmpstr(first->profileid, ==, "f");
    virtTestCompareAttrs(second->present, (VIRT_NETDEV_BIT(VIRT_NETDEV_ATTR_LAST) - 1) & ~first->present);
    g_assert_cmpmem(second->mac, 6, mac, 6);
    g_assert_cmpuint(second->vlan.id, ==, 42);
    g_assert_cmpuint(second->vlan.priority, ==, 3);
    g_assert_cmpuint(second->vlan.protocol, ==, ETH_P_8021AD);
    g_assert_cmpuint(second->bandwidth.average, ==, 10);
    g_assert_cmpuint(second->bandwidth.peak, ==, 20);
    g_assert_cmpuint(second->bandwidth.floor, ==, 5);
    g_assert_cmpuint(second->trust, ==, 1);
    g_assert_cmpuint(second->spoofcheck, ==, 0);
    g_assert_cmpuint(second->link, ==, IFLA_VF_LINK_STATE_DISABLE);
    g_assert_cmphex(second->nodeGuid, ==, 0x0011223344556677);
    g_assert_cmphex(second->portGuid, ==, 0x0011223344556678);
}

static void
testLoneHostdev(void)
{
    static const char xml[] = HOSTDEV "<netdev port='1'/></hostdev>";
    g_autoptr(GError) error = NULL;
    g_autoptr(virtDomainConf) domain = virtDomainConfParse(xml, strlen(xml), NULL, 0, &error);
    g_autofree char *shown = virtDomainFormat(xml, strlen(xml), NULL, VIRT_DOMAIN_FORM_WRITTEN, NULL);

    g_assert_no_error(error);
    g_assert_null(domain->name);
    g_assert_null(domain->uuid);
    g_assert_cmpuint(domain->hostdevs->len, ==, 1);
    g_assert_cmpstr(shown, ==, xml);
}

static void
testNoDomain(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GError) uuidError = NULL;
    g_autoptr(virtDomainConf) domain = virtDomainConfParse("<network/>", 10, NULL, 0, &error);
    g_autoptr(virtDomainConf) other = virtDomainConfParse("<domain><uuid>12</uuid></domain>", 32, NULL, 0, &uuidError);

    g_assert_null(domain);
    g_assert_cmpstr(error->message, ==, "line 1: <network> holds neither a <domain> nor a <hostdev>");
    g_assert_null(other);
    g_assert_cmpstr(uuidError->message, ==,
                    "line 1: '12' in <uuid> is not a UUID: 32 hexadecimal digits, dashes between them");
}

static void
testGenerateMac(void)
{
    static const char xml[] = HEAD HOSTDEV
        "<netdev port='1'/><netdev port='2'><mac address='52:54:00:01:02:03'/></netdev>"
        "<netdev port='3'><guid port='00:11:22:33:44:55:66:78'/></netdev><netdev port='4'><vlan><tag id='7'/></vlan></netdev>" TAIL;
    g_autofree char *stock = virtDomainToStock(xml, strlen(xml), NULL, VIRT_DOMAIN_GENERATE_MAC, NULL);
    g_autofree char *again = virtDomainToStock(stock, strlen(stock), NULL, VIRT_DOMAIN_GENERATE_MAC, NULL);
    g_autoptr(virtDomainConf) domain = virtDomainConfParse(stock, strlen(stock), NULL, 0, NULL);
    const virtHostdev *hostdev = domain->hostdevs->pdata[0];
    const virtNetdev *netdev = VIRT_NETDEVS(hostdev)->pdata[0], *fourth = VIRT_NETDEVS(hostdev)->pdata[3];
    static const guint8 prefix[] = {0x52, 0x54, 0};

    g_assert_cmpstr(again, ==, stock);
    g_assert_true(virtNetdevHas(netdev, VIRT_NETDEV_MAC));
    g_assert_cmpmem(netdev->mac, 3, prefix, 3);
    g_assert_cmpuint(((virtNetdev *)VIRT_NETDEVS(hostdev)->pdata[1])->mac[5], ==, 3);
    g_assert_false(virtNetdevHas(VIRT_NETDEVS(hostdev)->pdata[2], VIRT_NETDEV_MAC));
    g_assert_true(virtNetdevHas(fourth, VIRT_NETDEV_MAC));
    g_assert_cmpint(memcmp(netdev->mac, fourth->mac, 6), !=, 0);
}

/* ---- only the devices ---- */

#define DEVICES                                                                                                        \
    "<devices><hostdev mode='subsystem' type='pci' managed='yes'><driver name='vfio'/><source>"                        \
    "<address domain='0x0001' bus='0x06' slot='0x02' function='0x1'/></source><address type='pci' bus='0x07'/>"        \
    "</hostdev><hostdev mode='subsystem' type='usb'><source><address bus='1' device='2'/></source></hostdev>"          \
    "<interface type='hostdev' managed='yes'><source><address type='pci' domain='0' bus='010' slot='3'/></source>"     \
    "<address type='pci' bus='0x08'/></interface><interface type='network'><source><address bus='9'/></source>"        \
    "</interface><interface type='network'><source network='pool'/><actual type='hostdev' managed='yes'><source>"      \
    "<address type='pci' bus='11' slot='1'/></source></actual><target dev='x'/><address type='pci' bus='1'/>"          \
    "</interface><interface type='network'><actual type='direct'><source dev='a'><address bus='9'/></source></actual>" \
    "</interface><hostdev type='pci'><source><address bus='0x100'/></source></hostdev></devices>"
#define WHOLE(metadata) "<domain type='kvm' id='3'><name>v&amp;m</name><title>name</title>" metadata DEVICES "</domain>"

static void
assertDevices(const char *xml)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(virtDomainConf) domain = virtDomainConfParseDevices(xml, strlen(xml), &error);

    g_assert_no_error(error);
    g_assert_cmpstr(domain->name, ==, "v&m");
    g_assert_true(domain->active);
    g_assert_cmpuint(domain->devices->len, ==, 3);
    g_assert_cmpstr(g_array_index(domain->devices, virtHandle, 0).name, ==, "0001:06:02.1");
    g_assert_cmpstr(g_array_index(domain->devices, virtHandle, 1).name, ==, "0000:08:03.0");
    g_assert_cmpstr(g_array_index(domain->devices, virtHandle, 2).name, ==, "0000:0b:01.0");
}

/* @part, @n times, in a foreign element of the metadata. */
static void
assertDevicesBeside(const char *before, const char *part, guint n, const char *after)
{
    g_autoptr(GString) xml = g_string_new("<domain id='1'><name>v&amp;m</name><metadata><f:x xmlns:f='urn:f'");

    g_string_append(xml, before);
    for (guint i = 0; i < n; i++)
        g_string_append(xml, part);
    g_string_append(xml, after);
    g_string_append(xml, "</f:x></metadata>" DEVICES "</domain>");
    assertDevices(xml->str);
}

/* No metadata that libvirt takes keeps the list of devices from being read, and none adds to it. */
static void
testDevicesOnly(void)
{
    static const char *const texts[] = {
        WHOLE(""),
        WHOLE("<metadata/>"),
        WHOLE("<metadata><lh:hostdevs xmlns:lh='urn:libvirt-hostdev:1'><lh:nonsense/></lh:hostdevs></metadata>"),
        WHOLE("<metadata><f:x xmlns:f='urn:f'><q:undeclared/>&undeclared;<\xe2\x84\x82/></f:x></metadata>"),
        WHOLE("<metadata><f:x xmlns:f='urn:f'><![CDATA[</metadata>" DEVICES "<metadata>]]></f:x></metadata>"),
        WHOLE("<metadata><f:x xmlns:f='urn:f'><!--</metadata></domain>--><metadata/></f:x></metadata>"),
    };
    g_autoptr(GString) attrs = g_string_new(NULL);

    for (guint i = 0; i < G_N_ELEMENTS(texts); i++)
        assertDevices(texts[i]);
    for (guint i = 0; i < 300; i++)
        g_string_append_printf(attrs, " a%u='1'", i);
    assertDevicesBeside(attrs->str, "", 0, ">");
    assertDevicesBeside(">", "<y/>", VIRT_XML_NODES_MAX + 1, "");
    assertDevicesBeside(">", "<y>", VIRT_XML_DEPTH_MAX + 1, "");
}

static void
testDeviceAddress(void)
{
    static const char *const devices[] = {
        "<hostdev mode='subsystem' type='pci'><source><address bus='6' slot='0x2'/></source><address bus='7'/></hostdev>",
        "<!DOCTYPE hostdev [<!ENTITY b '6'>]><hostdev type='pci'><source><address bus='&b;' slot='2'/></source></hostdev>",
        "<hostdev type='pci'><metadata/><source><address bus='6' slot='2'/></source><!--</metadata>--></hostdev>",
        "<interface type='hostdev'><source><address type='pci' bus='6' slot='&#50;'/></source><mac/></interface>",
        "<hostdev type='pci'><source><address bus='6' slot='2'/><address bus='9'/></source></hostdev>",
        "<?xml version='1.0' encoding='KOI8-R'?>\n<hostdev type='pci'><source><address bus='6' slot='2'/></source><alias name='ua-\xc1'/></hostdev>",
    };
    static const char *const others[] = {
        "",
        "nonsense",
        "<hostdev type='pci'/>",
        "<hostdev type='usb'><source><address bus='6' device='2'/></source></hostdev>",
        "<hostdev mode='capabilities' type='pci'><source><address bus='6'/></source></hostdev>",
        "<hostdev type='pci'><source><address bus='0x100'/></source></hostdev>",
        "<hostdev type='pci'><address bus='6'/></hostdev>",
        "<interface type='hostdev'><source><address type='usb' bus='6'/></source></interface>",
        "<interface type='network'><source><address bus='6'/></source></interface>",
        "<domain><devices><hostdev type='pci'><source><address bus='6'/></source></hostdev></devices></domain>",
    };
    g_autoptr(GString) wide = g_string_new("<hostdev type='pci'><source><address bus='6' slot='2'/></source>");
    virtHandle handle;

    for (guint i = 0; i < 300000; i++) /* more than a document of ours may have */
        g_string_append(wide, "<a/>");
    g_string_append(wide, "</hostdev>");
    g_assert_true(virtDeviceFindHandle(wide->str, wide->len + 1, &handle)); /* libvirt does not see a NUL behind it */
    for (guint i = 0; i < G_N_ELEMENTS(devices); i++) {
        if (!virtDeviceFindHandle(devices[i], strlen(devices[i]), &handle) || strcmp(handle.name, "0000:06:02.0") != 0)
            g_error("not found: %s", devices[i]);
    }
    for (guint i = 0; i < G_N_ELEMENTS(others); i++) {
        if (virtDeviceFindHandle(others[i], strlen(others[i]), &handle))
            g_error("found: %s", others[i]);
    }
}

/* As memmem(), by whichever byte it looks, in all texts of two letters. */
static void
testFindWord(void)
{
    static const char *const words[] = {"a", "ab", "aab", "bab"};

    for (guint bits = 0; bits < 1 << 10; bits++) {
        char text[10];

        for (guint i = 0; i < sizeof(text); i++)
            text[i] = bits >> i & 1 ? 'a' : 'b';
        for (guint i = 0; i < G_N_ELEMENTS(words); i++) {
            gsize size = strlen(words[i]), len = bits % (sizeof(text) + 1);

            for (gsize rare = 0; rare < size; rare++)
                g_assert_true(virtDomainFindWord(text, len, words[i], rare) == memmem(text, len, words[i], size));
        }
    }
}

static void
testMentions(void)
{
    g_assert_true(virtDomainMentionsUs("<netdev", 7));
    g_assert_true(virtDomainMentionsUs("x urn:libvirt-hostdev:1", 23));
    g_assert_false(virtDomainMentionsUs("<netdev", 6));
    g_assert_false(virtDomainMentionsUs("<domain><qemu:arg value='-netdev'/>", 35));
    g_assert_false(virtDomainMentionsUs("", 0));
}

static void
testEscape(void)
{
    g_autoptr(GString) out = g_string_new(NULL);

    virtXmlEscape(out, "a&<>'\"\t\xc3\xbc\xff\x01\xe2\x82\x7f~");
    g_assert_cmpstr(out->str, ==, "a&amp;&lt;&gt;&apos;&quot;&#9;&#252;????&#127;~");
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/domainconf/too-large", testTooLarge);
    g_test_add_func("/domainconf/too-large-stored", testTooLargeStored);
    g_test_add_func("/domainconf/written-max", testWrittenMax);
    g_test_add_func("/domainconf/too-many-elements", testTooManyElements);
    g_test_add_func("/domainconf/many-devices", testManyDevices);
    g_test_add_func("/domainconf/far-right", testFarRight);
    g_test_add_func("/domainconf/deep", testDeep);
    g_test_add_func("/domainconf/zero-bytes", testZeroBytes);
    g_test_add_func("/domainconf/empty", testEmpty);
    g_test_add_func("/domainconf/every-cut", testEveryCut);
    g_test_add_func("/domainconf/model", testModel);
    g_test_add_func("/domainconf/lone-hostdev", testLoneHostdev);
    g_test_add_func("/domainconf/no-domain", testNoDomain);
    g_test_add_func("/domainconf/generate-mac", testGenerateMac);
    g_test_add_func("/domainconf/devices-only", testDevicesOnly);
    g_test_add_func("/domainconf/device-address", testDeviceAddress);
    g_test_add_func("/domainconf/find-word", testFindWord);
    g_test_add_func("/domainconf/mentions", testMentions);
    g_test_add_func("/domainconf/escape", testEscape);
    return g_test_run();
}
