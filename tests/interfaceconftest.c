/* interfaceconftest.c: <interface type='hostdev'>: lone devices, metadata, what revert loses, and what means harm
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include <string.h>
#include <time.h>

#include "conf/domain_conf.h"
#include "testfiles.h"
#include "util/virerror.h"
#include "testrecord.h"

#define ADDRESS "domain='0x0000' bus='0x06' slot='0x02' function='0x0'"
#define SOURCE "<source><address type='pci' " ADDRESS "/></source>"
#define MAC "<mac address='52:54:00:01:02:03'/>"
#define LONE(attrs, children) "<interface type='hostdev'" attrs ">" MAC SOURCE children "</interface>"
#define DOMAIN(devices) "<domain><name>vm1</name><devices>" devices "</devices></domain>"
#define STORED(netdev, interface, device)                                                                              \
    "<domain><name>vm1</name><metadata><hostdevs xmlns='" VIRT_NS "'><hostdev><source><address bus='6' slot='2'/>"     \
    "</source>" netdev interface "</hostdev></hostdevs></metadata><devices><hostdev type='pci' managed='yes'><source>" \
    "<address " ADDRESS "/></source>" device "</hostdev></devices></domain>"
#define NETDEV "<netdev port='1'>" MAC "</netdev>"

static void
assertError(GError **error, const char *part)
{
    g_assert_error(*error, VIRT_ERROR, VIRT_ERROR_INVALID);
    if (!strstr((*error)->message, part))
        g_error("'%s' lacks '%s'", (*error)->message, part);
    g_clear_error(error);
}

/* ---- lone devices ---- */

static void
testLone(void)
{
    static const char xml[] = "<!-- a --><interface managed='yes' port='2' type='hostdev'>\n  " MAC "\n  " SOURCE
                              "\n  <model type='virtio'/>\n  <!-- b -->\n  <boot order='1'/>\n</interface>\n";
    static const char stock[] =
        "<!-- a --><hostdev mode='subsystem' type='pci' managed='yes'>\n  <source><address " ADDRESS
        "/></source>\n  <!-- b -->\n  <boot order='1'/>\n</hostdev>\n";
    g_autoptr(GError) error = NULL;
    virtHostdev *hostdev = NULL, *copy;
    g_autofree char *text = virtHostdevToStock(xml, strlen(xml), VIRT_DOMAIN_INTERFACES, &hostdev, &error);

    g_assert_no_error(error);
    g_assert_cmpstr(text, ==, stock);
    g_assert_true(hostdev->managed);
    g_assert_cmpuint(testAddress(&hostdev->handle).bus, ==, 6);
    g_assert_cmpuint(VIRT_NETDEVS(hostdev)->len, ==, 1);
    g_assert_cmpuint(((virtNetdev *)VIRT_NETDEVS(hostdev)->pdata[0])->port, ==, 2);
    copy = virtHostdevCopy(hostdev);
    virtHostdevFree(hostdev);
    g_assert_cmpint(copy->interface->index, ==, -1);
    g_assert_cmpstr(copy->interface->opaque, ==, "<model type='virtio'/>");
    virtHostdevFree(copy);
}

static void
testLoneOthers(void)
{
    static const char *const others[] = {
        LONE("", "<vlan trunk='yes'><tag id='1'/></vlan>"),
        LONE("", "<mtu size='1400'/>"),
        "<interface type='network'><source network='hostdev'/></interface>",
        "<interface type='hostdev'>" MAC "<source><address type='usb' bus='1' device='2'/></source></interface>",
        "<x:interface xmlns:x='urn:x' type='hostdev'>" SOURCE "</x:interface>",
        "<x><interface type='hostdev'>" SOURCE "</interface></x>",
    };
    static const struct {
        const char *xml, *what;
    } wrong[] = {
        {LONE(" port='2'", "<mtu size='1400'/>"), "a VF's MTU is the guest's own choice"},
        {LONE(" port='129'", ""), "port='129' in <interface>: not a number from 1 to 128"},
        {LONE("", "<netdev port='1'/>"),
         "the <interface> itself is port 1, and its <netdev> elements are the ports after"},
        {LONE(" port='2'", "<netdev port='2'/>"), "the <interface> itself is port 2"},
    };
    virtHostdev *hostdev = NULL;
    g_autoptr(GError) error = NULL;

    for (guint i = 0; i < G_N_ELEMENTS(others); i++) {
        g_assert_null(virtHostdevToStock(others[i], strlen(others[i]), VIRT_DOMAIN_INTERFACES, &hostdev, &error));
        g_assert_no_error(error);
    }
    for (guint i = 0; i < G_N_ELEMENTS(wrong); i++) {
        g_assert_null(virtHostdevToStock(wrong[i].xml, strlen(wrong[i].xml), VIRT_DOMAIN_INTERFACES, &hostdev, &error));
        assertError(&error, wrong[i].what);
    }
    /* Not asked for, an interface is not looked at. */
    g_assert_null(virtHostdevToStock(wrong[1].xml, strlen(wrong[1].xml), 0, &hostdev, &error));
    g_assert_no_error(error);
    g_assert_null(hostdev);
}

static void
testLoneConvert(void)
{
    static const char interface[] =
        "<!-- a -->\n  <interface type='hostdev'>\n    " MAC "\n    <source>\n      <address "
        "type='pci' " ADDRESS "/>\n    </source>\n  </interface>\n<!-- b -->\n";
    static const char netdev[] =
        "<!-- a -->\n  <hostdev mode='subsystem' type='pci'>\n    <source>\n      <address " ADDRESS
        "/>\n    </source>\n    <netdev port='1'>\n      " MAC "\n    </netdev>\n  </hostdev>\n<!-- b -->\n";
    g_autoptr(GError) error = NULL;
    g_autofree char *to = virtDomainConvert(interface, strlen(interface), NULL, VIRT_DOMAIN_FORM_NETDEV, &error);
    g_autofree char *back = virtDomainConvert(netdev, strlen(netdev), NULL, VIRT_DOMAIN_FORM_INTERFACE, &error);

    g_assert_no_error(error);
    g_assert_cmpstr(to, ==, netdev);
    g_assert_cmpstr(back, ==, interface);
}

/* Far to the right, a lone device has no indent that is worth keeping; and an address may have its type already. */
static void
testLoneConvertOdd(void)
{
    g_autofree char *blanks = g_strnfill(300, ' ');
    g_autofree char *interface = g_strconcat(blanks, LONE("", ""), "\n", NULL);
    static const char typed[] = "<hostdev type='pci'>" SOURCE NETDEV "</hostdev>";
    g_autoptr(GError) error = NULL;
    g_autofree char *to = virtDomainConvert(interface, strlen(interface), NULL, VIRT_DOMAIN_FORM_NETDEV, &error);
    g_autofree char *back = virtDomainConvert(typed, strlen(typed), NULL, VIRT_DOMAIN_FORM_INTERFACE, &error);

    g_assert_no_error(error);
    g_assert_true(g_str_has_prefix(g_strchug(to), "<hostdev mode='subsystem'"));
    g_assert_cmpstr(back, ==, "<interface type='hostdev'>\n" MAC SOURCE "\n</interface>");
}

/* ---- a domain with one, read ---- */

static void
testParse(void)
{
    static const char xml[] = DOMAIN("<interface type='user'/>" LONE("", "<target dev='&lt;&#x26;&gt;\"'/>"));
    g_autoptr(virtDomainConf) without = virtDomainConfParse(xml, strlen(xml), NULL, 0, NULL);
    g_autoptr(virtDomainConf) with = virtDomainConfParse(xml, strlen(xml), NULL, VIRT_DOMAIN_INTERFACES, NULL);
    const virtHostdev *hostdev = with->hostdevs->pdata[0];

    g_assert_cmpuint(without->hostdevs->len, ==, 0);
    g_assert_cmpuint(without->devices->len, ==, 1);
    g_assert_cmpuint(with->hostdevs->len, ==, 1);
    g_assert_cmpuint(with->devices->len, ==, 1);
    g_assert_false(hostdev->managed);
    g_assert_cmpint(hostdev->interface->index, ==, 1);
    g_assert_cmpstr(hostdev->interface->opaque, ==, "<target dev='&lt;&amp;&gt;&quot;'/>");
}

/* Only QEMU's domains have a hook that sets the VF. */
static void
testOtherDrivers(void)
{
    static const char *const types[] = {"kvm", "qemu", "hvf", "test", "xen", "vz"};

    for (guint i = 0; i < G_N_ELEMENTS(types); i++) {
        g_autofree char *xml =
            g_strdup_printf("<domain type='%s'><name>a</name><devices>" LONE("", "") "</devices></domain>", types[i]);
        g_autofree char *stock = virtDomainToStock(xml, strlen(xml), NULL, VIRT_DOMAIN_INTERFACES, NULL);

        g_assert_nonnull(stock);
        g_assert_cmpint(g_str_equal(stock, xml), ==, i > 3);
    }
}

/* So a <netdev> in another's domain would be dropped without a word, and metadata says nothing. */
static void
testOtherDriversNetdevs(void)
{
    static const char *const refused[] = {
        "<hostdev mode='subsystem' type='pci'>" SOURCE "<netdev port='1'/></hostdev>",
        LONE("", "<guid port='0x0011223344556677'/>"),
    };
    static const char left[] =
        "<domain type='xen'><metadata><lh:hostdevs xmlns:lh='" VIRT_NS "'><unknown/></lh:hostdevs></metadata><devices>"
        "<hostdev mode='subsystem' type='pci'>" SOURCE "</hostdev></devices></domain>";
    g_autofree char *stock = virtDomainToStock(left, strlen(left), NULL, VIRT_DOMAIN_INTERFACES, NULL);

    g_assert_cmpstr(stock, ==, left);
    for (guint i = 0; i < G_N_ELEMENTS(refused); i++) {
        g_autofree char *xml =
            g_strdup_printf("<domain type='xen'><devices/><devices>%s</devices></domain>", refused[i]);
        g_autoptr(GError) error = NULL;

        g_assert_null(virtDomainToStock(xml, strlen(xml), NULL, VIRT_DOMAIN_INTERFACES, &error));
        g_assert_nonnull(strstr(error->message, "the domain has type 'xen'"));
    }
}

static void
testConcerns(void)
{
    static const struct {
        const char *xml;
        bool concerns;
    } cases[] = {
        {"<interface type='hostdev'", true},
        {"<interface\ntype =\t\"hostdev\" managed='yes'>", true},
        {"<interface type='user'/><interface a='b' type='hostdev'>", true},
        {"<interface type='user'/><hostdev/>", false},
        {"<interface type='user'><source/></interface> hostdev", false},
        {"<interface", false},
        {"<interface type='hostde", false},
        {"interface type='hostdev'", false},
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        gsize len = strlen(cases[i].xml);

        g_assert_true(virtDomainConcernsUs(cases[i].xml, len, VIRT_DOMAIN_INTERFACES) == cases[i].concerns);
        g_assert_true(virtDomainConcernsUs(cases[i].xml, len, VIRT_DOMAIN_ALL_INTERFACES) == cases[i].concerns);
        g_assert_false(virtDomainConcernsUs(cases[i].xml, len, VIRT_DOMAIN_GENERATE_MAC));
    }
}

static void
testGenerateMac(void)
{
    static const char xml[] = DOMAIN(
        "<interface type='hostdev'>" SOURCE "</interface>"
        "<interface type='hostdev'><source><address type='pci' bus='7'/></source><guid port='0x0011223344556677'/></interface>");
    g_autofree char *stock =
        virtDomainToStock(xml, strlen(xml), NULL, VIRT_DOMAIN_GENERATE_MAC | VIRT_DOMAIN_INTERFACES, NULL);
    const char *first = strstr(stock, "<lh:mac address='52:54:00:");

    g_assert_nonnull(first);
    g_assert_null(strstr(first + 1, "<lh:mac"));
}

/* ---- metadata ---- */

static void
testMetadata(void)
{
    static const char canonical[] =
        "<hostdevs><hostdev><source><address " ADDRESS "/></source>" NETDEV
        "<interface index='3'><script path='&lt;&apos;&quot;&gt;&amp;&#10;&#252;'/><tune><sndbuf>12</sndbuf></tune>"
        "</interface></hostdev><hostdev><source><address domain='0x0000' bus='0x07' slot='0x00' "
        "function='0x0'/></source><netdev port='2'/><interface/></hostdev></hostdevs>";
    static const char prefixed[] =
        "<lh:hostdevs xmlns:lh='" VIRT_NS "'>\n <lh:hostdev><lh:source><lh:address bus='6' slot='2'/></lh:source>\n"
        "<lh:netdev port='1'><lh:mac address='52:54:00:01:02:03'/></lh:netdev>\n<!-- a --><lh:interface index='3'>\n"
        "<lh:script x:a='b' xmlns:x='urn:x' path=\"&#60;'&#34;&gt;&amp;&#10;&#xfc;\"/> <lh:tune>\n<lh:sndbuf>\n12 "
        "</lh:sndbuf><x:y xmlns:x='urn:x'/></lh:tune></lh:interface>\n</lh:hostdev>"
        "<lh:hostdev><lh:source><lh:address bus='7'/></lh:source><lh:netdev port='2'/>"
        "<lh:interface>\n</lh:interface></lh:hostdev></lh:hostdevs>";
    static const char *const forms[] = {canonical, prefixed};

    for (guint i = 0; i < G_N_ELEMENTS(forms); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(GPtrArray) list = virtMetadataParse(forms[i], strlen(forms[i]), &error);
        g_autofree char *text = NULL;

        g_assert_no_error(error);
        g_assert_cmpint(((virtHostdev *)list->pdata[0])->interface->index, ==, 3);
        g_assert_cmpint(((virtHostdev *)list->pdata[1])->interface->index, ==, -1);
        g_assert_cmpstr(((virtHostdev *)list->pdata[1])->interface->opaque, ==, "");
        text = virtMetadataFormat(list);
        g_assert_cmpstr(text, ==, canonical);
    }
}

/* Somebody who knows only libvirt's form has made of the <hostdev> what is no interface: it stays one. */
static void
testMoreThanInterface(void)
{
#define LINK(state) "<netdev port='1'>" MAC "<link state='" state "'/></netdev>"
#define CAPPED "<netdev port='1'>" MAC "<bandwidth><outbound average='2000'/></bandwidth></netdev>"
#define CASE(netdev, device, interface) KEPT(netdev, "", device, interface)
#define KEPT(netdev, kept, device, interface)                                                                          \
    {                                                                                                                  \
        STORED(netdev, "<interface>" kept "</interface>", device), netdev, device, interface                           \
    }
    static const struct {
        const char *stored, *netdev, *device;
        bool interface;
    } cases[] = {
        CASE(NETDEV, "<boot order='1'/>", true),
        CASE(NETDEV, "<shareable/>", false),
        CASE(NETDEV, "<driver name='vfio' queues='2'/>", false),
        CASE(LINK("auto"), "", true),
        CASE(LINK("up"), "", false), /* which an interface says and does not mean */
        CASE(NETDEV, "<address type='unassigned'/>", false),
        KEPT(CAPPED, "<bandwidth><inbound average='1'/><outbound average='2000'/></bandwidth>", "", true),
        KEPT(CAPPED, "<bandwidth><inbound average='1'/></bandwidth>", "", false),
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *shown =
            virtDomainFormat(cases[i].stored, strlen(cases[i].stored), NULL, VIRT_DOMAIN_FORM_WRITTEN, NULL);

        g_assert_nonnull(strstr(shown, cases[i].device));
        g_assert_true(!strstr(shown, "<interface") == !cases[i].interface);
        g_assert_true(!strstr(shown, cases[i].netdev) == cases[i].interface);
    }
}

/* ---- revert ---- */

static void
testRevert(void)
{
    static const struct {
        const char *xml, *lost, *device;
    } cases[] = {
        {STORED(NETDEV, "<interface/>", ""), "", "<interface type='hostdev' managed='yes'>" MAC SOURCE "</interface>"},
        /* What was a <hostdev> is an interface, too, where that sets the MAC address. */
        {STORED(NETDEV, "", "<boot order='1'/>"), "",
         "<interface type='hostdev' managed='yes'>" MAC SOURCE "<boot order='1'/></interface>"},
        {STORED("<netdev port='1' trustGuestRxFilters='yes'>" MAC "<vlan><tag id='7'/></vlan></netdev>",
                "<interface><model type='virtio'/><link state='up'/></interface>", ""),
         "0000:06:02.0 port 1: trust yes",
         "<interface type='hostdev' managed='yes' trustGuestRxFilters='yes'>" MAC SOURCE
         "<vlan><tag id='7'/></vlan><model type='virtio'/><link state='up'/></interface>"},
        {STORED(
             "<netdev port='1' spoofCheck='no'>" MAC
             "<vlan><tag id='7' priority='5'/></vlan><link state='down'/><bandwidth><outbound average='10'/></bandwidth></netdev>",
             "<interface><bandwidth><inbound average='9'/><outbound average='10'/></bandwidth><model type='e'/></interface>",
             ""),
         "0000:06:02.0 port 1: VLAN 7 (priority 5)|0000:06:02.0 port 1: rate|0000:06:02.0 port 1: spoof check no|"
         "0000:06:02.0 port 1: link state down|0000:06:02.0: <inbound> and burst of <bandwidth> of its <interface>",
         "<interface type='hostdev' managed='yes'>" MAC SOURCE
         "<vlan><tag id='7'/></vlan><model type='e'/></interface>"},
        {STORED("<netdev port='1'>" MAC "<vlan><tag id='7' protocol='802.1ad'/></vlan></netdev>", "", ""),
         "0000:06:02.0 port 1: VLAN 7",
         "<interface type='hostdev' managed='yes'>" MAC SOURCE "<vlan><tag id='7'/></vlan></interface>"},
        {STORED("<netdev port='2'>" MAC "</netdev>", "<interface><model type='e'/><guest dev='a'/></interface>", ""),
         "0000:06:02.0 port 2: MAC address 52:54:00:01:02:03|0000:06:02.0: <model>, <guest> of its <interface>",
         "<hostdev type='pci' managed='yes'><source><address " ADDRESS "/></source></hostdev>"},
        {STORED(NETDEV, "", "<address type='unassigned'/>"), "0000:06:02.0 port 1: MAC address 52:54:00:01:02:03",
         "<hostdev type='pci' managed='yes'><source><address " ADDRESS
         "/></source><address type='unassigned'/></hostdev>"},
        {STORED("<netdev port='1'/>", "<interface/>", ""), "",
         "<hostdev type='pci' managed='yes'><source><address " ADDRESS "/></source></hostdev>"},
        {STORED(NETDEV "<netdev port='2'><vlan><tag id='7'/></vlan></netdev>", "<interface/>", ""),
         "0000:06:02.0 port 2: VLAN 7", "<interface type='hostdev' managed='yes'>" MAC SOURCE "</interface>"},
        {STORED(NETDEV "<netdev port='2'/>", "", ""), "0000:06:02.0 port 1: MAC address 52:54:00:01:02:03",
         "<hostdev type='pci' managed='yes'><source><address " ADDRESS "/></source></hostdev>"},
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(GPtrArray) lost = NULL;
        g_autofree char *text = virtDomainRevert(cases[i].xml, strlen(cases[i].xml), &lost, &error);
        g_autofree char *wanted = g_strdup_printf(DOMAIN("%s"), cases[i].device);
        g_auto(GStrv) lines = g_strsplit(cases[i].lost, "|", -1);

        g_assert_no_error(error);
        g_assert_cmpstr(text, ==, wanted);
        g_assert_cmpuint(lost->len, ==, g_strv_length(lines));
        for (guint j = 0; j < lost->len; j++) {
            if (!g_str_has_prefix(lost->pdata[j], lines[j]))
                g_error("'%s' instead of '%s'", (char *)lost->pdata[j], lines[j]);
        }
    }
}

/* ---- what means harm ---- */

/* What metadata keeps grows when it is written out: libvirt stores each of these apostrophes as one byte. */
static void
testKeptTooLong(void)
{
    g_autofree char *marks = g_strnfill(700000, '\'');
    g_autofree char *xml = g_strdup_printf(STORED(NETDEV, "<interface><script path=\"%s\"/></interface>", ""), marks);
    g_autoptr(GError) error = NULL;
    g_autofree char *shown = virtDomainFormat(xml, strlen(xml), NULL, VIRT_DOMAIN_FORM_WRITTEN, &error);

    g_assert_null(shown);
    assertError(&error, "stores of this <interface> has more than");
}

/* All that reads documents; nothing may crash. Returns whether the document can be shown. */
static bool
readAllWays(const char *xml, gsize len)
{
    g_autofree char *stock = virtDomainToStock(xml, len, NULL, VIRT_DOMAIN_INTERFACES | VIRT_DOMAIN_GENERATE_MAC, NULL);
    g_autofree char *shown = virtDomainFormat(xml, len, NULL, VIRT_DOMAIN_FORM_WRITTEN, NULL);
    g_autofree char *again =
        stock ? virtDomainFormat(stock, strlen(stock), NULL, VIRT_DOMAIN_FORM_WRITTEN, NULL) : NULL;
    g_autoptr(GPtrArray) lost = NULL, list = virtMetadataParse(xml, len, NULL);
    virtHostdev *hostdev = NULL;

    g_free(virtDomainToStock(xml, len, NULL, VIRT_DOMAIN_ALL_INTERFACES, NULL));
    g_free(virtDomainConvert(xml, len, NULL, VIRT_DOMAIN_FORM_NETDEV, NULL));
    g_free(virtDomainConvert(xml, len, NULL, VIRT_DOMAIN_FORM_INTERFACE, NULL));
    g_free(virtDomainRevert(xml, len, &lost, NULL));
    g_free(list ? virtMetadataFormat(list) : NULL);
    g_free(virtHostdevToStock(xml, len, VIRT_DOMAIN_INTERFACES, &hostdev, NULL));
    virtHostdevFree(hostdev);
    return shown && (!stock || again);
}

static void
checkEveryCut(const char *xml)
{
    gsize len = strlen(xml);

    for (gsize cut = 0; cut < len; cut++) {
        g_autofree char *part = g_memdup2(xml, cut + 1);
        char byte = part[cut];

        part[cut] = '\0';
        readAllWays(part, cut);
        part[cut] = byte ^ 0x15;
        if (cut)
            readAllWays(part, cut);
        g_free(g_steal_pointer(&part));
        part = g_strdup(xml);
        part[cut] ^= 0x15;
        readAllWays(part, strlen(part));
    }
    g_assert_true(readAllWays(xml, len));
}

static void
testEveryCut(void)
{
    static const char *const names[] = {"interface/interface-crlf", "interface/interface-stock-kept-special"};
    static const char lone[] =
        LONE(" port='2'", "<vlan><tag id='7' priority='1'/></vlan><tune><sndbuf>1</sndbuf></tune>");
    static const char metadata[] =
        "<hostdevs><hostdev><source><address bus='6'/></source>" NETDEV
        "<interface index='1'><script path='&lt;'/><bandwidth><inbound average='1'/></bandwidth></interface></hostdev></hostdevs>";

    for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *path = virtTestPath("genericxml2xmlin/%s.xml", names[i]);
        g_autofree char *xml = virtTestRead(path);

        checkEveryCut(xml);
    }
    checkEveryCut(metadata);
    checkEveryCut(STORED("<netdev port='1'/>", "<interface index='0'><model type='a'/></interface>", ""));
    for (gsize cut = 0; cut < strlen(lone); cut++) {
        g_autofree char *part = g_strndup(lone, cut);

        readAllWays(part, cut);
    }
}

static char *
nest(const char *before, guint depth, const char *after)
{
    GString *out = g_string_new(before);

    for (guint i = 0; i < depth; i++)
        g_string_append(out, "<a>");
    for (guint i = 0; i < depth; i++)
        g_string_append(out, "</a>");
    return g_string_free(g_string_append(out, after), FALSE);
}

/* As deep as a document may be and deeper: left to libvirt, and not taken from metadata. */
static void
testDeep(void)
{
    for (guint depth = 240; depth < 256; depth++) {
        g_autofree char *inTune = nest("<domain><devices>"
                                       "<interface type='hostdev'>" MAC SOURCE "<tune><sndbuf>",
                                       depth, "</sndbuf></tune></interface></devices></domain>");
        g_autofree char *inMetadata =
            nest("<domain><metadata><hostdevs xmlns='" VIRT_NS
                 "'><hostdev><source><address bus='6' slot='2'/></source>" NETDEV "<interface><tune><sndbuf>",
                 depth,
                 "</sndbuf></tune></interface></hostdev></hostdevs></metadata><devices><hostdev type='pci'>"
                 "<source><address bus='6' slot='2'/></source></hostdev></devices></domain>");

        g_assert_true(readAllWays(inTune, strlen(inTune)));
        g_assert_false(readAllWays(inMetadata, strlen(inMetadata)));
    }
}

/* Escaped, what is kept grows to five times its length, and must not get lost for it. */
static void
testLong(void)
{
    static const struct {
        gsize count;
        bool fits;
    } cases[] = {{1000, true}, {200000, true}, {220000, false}, {700000, false}};

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GString) xml = g_string_new("<domain><devices>"
                                              "<interface type='hostdev'>" MAC SOURCE "<script path='");
        g_autoptr(GError) error = NULL;
        g_autofree char *some = NULL, *all = NULL, *shown = NULL;

        for (gsize j = 0; j < cases[i].count; j++)
            g_string_append(xml, "&amp;");
        g_string_append(xml, "'/></interface></devices></domain>");
        some = virtDomainToStock(xml->str, xml->len, NULL, VIRT_DOMAIN_INTERFACES, &error);
        g_assert_no_error(error);
        g_assert_true(g_str_equal(some, xml->str) == !cases[i].fits);
        all = virtDomainToStock(xml->str, xml->len, NULL, VIRT_DOMAIN_ALL_INTERFACES, &error);
        if (!cases[i].fits) {
            assertError(&error, "what would be stored of this <interface> has more than 1048576 bytes");
            continue;
        }
        shown = virtDomainFormat(all, strlen(all), NULL, VIRT_DOMAIN_FORM_WRITTEN, &error);
        g_assert_no_error(error);
        g_assert_cmpstr(shown, ==, xml->str);
    }
}

/* Many interfaces must not take for ever to find their places, in metadata's order or before the hostdevs. */
static void
checkMany(const char *first)
{
    g_autoptr(GString) xml = g_string_new("<domain>\n  <devices>\n");
    g_autoptr(GError) error = NULL;
    g_autofree char *stock = NULL, *shown = NULL;
    clock_t start = clock();

    g_string_append(xml, first);
    for (guint i = 1; i <= 3000; i++)
        g_string_append_printf(
            xml,
            "    <interface type='hostdev'>\n      <source>\n        <address type='pci' domain='%u' "
            "bus='1'/>\n      </source>\n    </interface>\n    <interface type='user'/>\n",
            i);
    g_string_append(xml, "  </devices>\n</domain>\n");
    stock = virtDomainToStock(xml->str, xml->len, NULL, VIRT_DOMAIN_INTERFACES, &error);
    g_assert_no_error(error);
    shown = virtDomainFormat(stock, strlen(stock), NULL, VIRT_DOMAIN_FORM_WRITTEN, &error);
    g_assert_no_error(error);
    g_assert_cmpstr(shown, ==, xml->str);
    g_assert_cmpint(clock() - start, <, 20 * CLOCKS_PER_SEC);
}

static void
testMany(void)
{
    checkMany("");
    checkMany("    <hostdev type='usb'/>\n");
}

/* Metadata by another hand: what it keeps is shown in the place of what the netdev says, so it must say the same. */
static void
testKeptOther(void)
{
    static const struct {
        const char *xml, *title;
    } cases[] = {
        {STORED(NETDEV, "<interface><link state='auto'/></interface>", ""), "link state"},
        {STORED(NETDEV, "<interface><link state='down'/></interface>", ""), "link state"},
        {STORED(NETDEV, "<interface><mac address='52:54:00:09:09:09' type='static'/></interface>", ""), "MAC address"},
        {STORED(NETDEV, "<interface><bandwidth><outbound average='5'/></bandwidth></interface>", ""), "rate"},
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        g_autofree char *needle = g_strdup_printf("its %s is not that of its <netdev>", cases[i].title);

        g_assert_null(virtDomainFormat(cases[i].xml, strlen(cases[i].xml), NULL, VIRT_DOMAIN_FORM_WRITTEN, &error));
        g_test_message("%s", error->message);
        g_assert_nonnull(strstr(error->message, needle));
    }
}

/* ---- words ---- */

#define AS_NETDEV(attrs, children)                                                                                     \
    "<hostdev type='pci'><source><address bus='6' slot='2'/></source><netdev" attrs ">" children "</netdev></hostdev>"
#define AS_INTERFACE(attrs, children) "<interface type='hostdev'" attrs ">" SOURCE children "</interface>"
/* The same mistake in both forms. */
#define WRONG(attrs, children, part)                                                                                   \
    {                                                                                                                  \
        DOMAIN(AS_NETDEV(attrs, children)), DOMAIN(AS_INTERFACE(attrs, children)), part                                \
    }

static void
assertWords(const char *xml, const char *part, const char *element, const char *other, const char *third)
{
    g_autoptr(GError) error = NULL;

    g_assert_null(virtDomainToStock(xml, strlen(xml), NULL, VIRT_DOMAIN_ALL_INTERFACES, &error));
    g_assert_error(error, VIRT_ERROR, VIRT_ERROR_INVALID);
    if (!strstr(error->message, part) || strstr(error->message, other) || (third && strstr(error->message, third)) ||
        (strstr(error->message, "this <") && !strstr(error->message, element)))
        g_error("'%s' is not in the words of %s", error->message, element);
}

/* A message speaks of the element that its user wrote, and not of the other. */
static void
testWords(void)
{
    static const struct {
        const char *netdev, *interface, *part;
    } wrong[] = {
        WRONG(" port='0'", MAC, "not a number from 1 to 128"),
        WRONG(" port='2' color='red'", MAC, "has no attribute 'color'"),
        WRONG(" port='2'", MAC "<vlan trunk='yes'><tag id='42'/></vlan>", "a VF has one VLAN, not a trunk"),
        WRONG(" port='2'", MAC "<mtu size='1400'/>", "a VF's MTU is the guest's own choice"),
        WRONG(" port='2'", "<mac address='01:00:00:00:00:00'/>", "in <mac>"),
        WRONG(" port='2'", MAC "<link state='sideways'/>", "in <link>"),
        {DOMAIN(AS_NETDEV(" port='1'", MAC) AS_NETDEV(" port='2'", MAC)),
         DOMAIN(AS_INTERFACE("", MAC) AS_INTERFACE(" port='2'", MAC)), "have the same source, 0000:06:02.0: a VF"},
    };

    for (guint i = 0; i < G_N_ELEMENTS(wrong); i++) {
        assertWords(wrong[i].netdev, wrong[i].part, "<hostdev>", "<interface", NULL);
        assertWords(wrong[i].interface, wrong[i].part, "<interface>", "<hostdev", "<netdev");
    }
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/interfaceconf/lone", testLone);
    g_test_add_func("/interfaceconf/lone-others", testLoneOthers);
    g_test_add_func("/interfaceconf/lone-convert", testLoneConvert);
    g_test_add_func("/interfaceconf/lone-convert-odd", testLoneConvertOdd);
    g_test_add_func("/interfaceconf/kept-too-long", testKeptTooLong);
    g_test_add_func("/interfaceconf/kept-other", testKeptOther);
    g_test_add_func("/interfaceconf/parse", testParse);
    g_test_add_func("/interfaceconf/more-than-interface", testMoreThanInterface);
    g_test_add_func("/interfaceconf/other-drivers", testOtherDrivers);
    g_test_add_func("/interfaceconf/other-drivers-netdevs", testOtherDriversNetdevs);
    g_test_add_func("/interfaceconf/concerns", testConcerns);
    g_test_add_func("/interfaceconf/generate-mac", testGenerateMac);
    g_test_add_func("/interfaceconf/metadata", testMetadata);
    g_test_add_func("/interfaceconf/revert", testRevert);
    g_test_add_func("/interfaceconf/every-cut", testEveryCut);
    g_test_add_func("/interfaceconf/deep", testDeep);
    g_test_add_func("/interfaceconf/long", testLong);
    g_test_add_func("/interfaceconf/many", testMany);
    g_test_add_func("/interfaceconf/words", testWords);
    return g_test_run();
}
