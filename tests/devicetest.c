/* devicetest.c: one device at a time: device documents, our metadata on its own, and the real libvirt's word on both
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include <string.h>

#include "conf/domain_conf.h"
#include "embed.h"
#include "testfiles.h"
#include "util/virerror.h"
#include "testrecord.h"

#define SOURCE "<source><address domain='0x0000' bus='0x06' slot='0x02' function='0x0'/></source>"
#define BEGIN "<hostdev mode='subsystem' type='pci' managed='yes'>" SOURCE
#define NETDEV "<netdev port='1'><mac address='52:54:00:01:02:03'/></netdev>"
#define ENTRY(p)                                                                                                       \
    "<" p "hostdev><" p "source><" p "address bus='6' slot='2'/></" p "source><" p "netdev port='2'/><" p              \
    "netdev port='1'><" p "mac address='52:54:00:01:02:03'/></" p "netdev></" p "hostdev>"

/* As libvirt shows a running domain. */
static const char liveDomain[] =
    "<domain type='kvm' id='7'><name>vm1</name><devices>"
    "<hostdev mode='subsystem' type='usb'><source><address bus='1' device='2'/></source></hostdev>"
    "<hostdev mode='subsystem' type='pci' managed='yes'><driver name='vfio'/>"
    "<source><address domain='0x0000' bus='0x06' slot='0x02' function='0x0'/></source>"
    "<boot order='1'/><rom bar='off' file='/r&amp;b'/><teaming type='transient' persistent='ua-1'/>"
    "<alias name='hostdev0'/><address type='pci' domain='0x0000' bus='0x05' slot='0x00' function='0x0'/></hostdev>"
    "</devices></domain>";

static void
assertError(GError **error, int code, const char *part)
{
    g_assert_error(*error, VIRT_ERROR, code);
    if (!strstr((*error)->message, part))
        g_error("'%s' lacks '%s'", (*error)->message, part);
    g_clear_error(error);
}

/* ---- device documents ---- */

static void
testToStock(void)
{
    static const char xml[] = "<!-- a <netdev> --><hostdev mode='subsystem' type='pci' managed='yes'>\n  " SOURCE
                              "\n  <netdev port='2'/>\n  " NETDEV "\n  <rom bar='off'/>\n</hostdev>\n";
    static const char stock[] = "<!-- a <netdev> --><hostdev mode='subsystem' type='pci' managed='yes'>\n  " SOURCE
                                "\n  <rom bar='off'/>\n</hostdev>\n";
    g_autoptr(GError) error = NULL;
    virtHostdev *hostdev = NULL;
    g_autofree char *text = virtHostdevToStock(xml, strlen(xml), 0, &hostdev, &error);

    g_assert_no_error(error);
    g_assert_cmpstr(text, ==, stock);
    g_assert_cmpuint(testAddress(&hostdev->handle).bus, ==, 6);
    g_assert_true(hostdev->managed);
    g_assert_cmpuint(VIRT_NETDEVS(hostdev)->len, ==, 2);
    g_assert_cmpuint(((virtNetdev *)VIRT_NETDEVS(hostdev)->pdata[0])->mac[5], ==, 3);
    virtHostdevFree(hostdev);
}

static void
testToStockOthers(void)
{
    static const char *const others[] = {
        "<hostdev mode='subsystem' type='pci'>" SOURCE "</hostdev>",
        "<hostdev mode='subsystem' type='pci'>" SOURCE "<!-- <netdev port='1'/> --></hostdev>",
        "<hostdev mode='subsystem' type='usb'><source><vendor id='0x1'/></source></hostdev>",
        "<disk type='file' device='disk'><source file='/a'/><!-- <netdev --></disk>",
        "<interface type='hostdev'>" SOURCE "</interface>",
        "not even XML",
    };
    static const struct {
        const char *xml, *what;
    } wrong[] = {
        {"<hostdev mode='subsystem' type='usb'>" NETDEV "</hostdev>", "<netdev> needs <hostdev mode='subsystem'"},
        {"<hostdev mode='subsystem' type='pci'>" NETDEV "</hostdev>", "lacks its <source>"},
        {"<interface type='hostdev'>" SOURCE NETDEV "</interface>", "may only be a child of <hostdev"},
        {BEGIN "<netdev port='0'/></hostdev>", "port='0'"},
        {BEGIN NETDEV, "is it cut off?"},
    };
    virtHostdev *hostdev = NULL;
    g_autoptr(GError) error = NULL;

    for (guint i = 0; i < G_N_ELEMENTS(others); i++) {
        g_assert_null(virtHostdevToStock(others[i], strlen(others[i]), 0, &hostdev, &error));
        g_assert_no_error(error);
    }
    for (guint i = 0; i < G_N_ELEMENTS(wrong); i++) {
        g_assert_null(virtHostdevToStock(wrong[i].xml, strlen(wrong[i].xml), 0, &hostdev, &error));
        assertError(&error, VIRT_ERROR_INVALID, wrong[i].what);
    }
    g_assert_null(hostdev);
}

static void
testGenerateMacs(void)
{
    static const char xml[] = BEGIN NETDEV
        "<netdev port='2'/><netdev port='3'><guid node='0x0011223344556677'/></netdev><netdev port='4'/></hostdev>";
    virtHostdev *hostdev = NULL;
    g_autofree char *text = virtHostdevToStock(xml, strlen(xml), 0, &hostdev, NULL);
    virtHostdev *copy = virtHostdevCopy(hostdev);
    const virtNetdev *netdevs[4];

    g_assert_nonnull(text);
    virtHostdevGenerateMacs(hostdev);
    for (guint i = 0; i < 4; i++)
        netdevs[i] = VIRT_NETDEVS(hostdev)->pdata[i];
    g_assert_cmpuint(netdevs[0]->mac[5], ==, 3);
    g_assert_true(virtNetdevHas(netdevs[1], VIRT_NETDEV_MAC));
    g_assert_cmpuint(netdevs[1]->mac[0], ==, 0x52);
    g_assert_false(virtNetdevHas(netdevs[2], VIRT_NETDEV_MAC));
    g_assert_true(virtNetdevHas(netdevs[3], VIRT_NETDEV_MAC));
    g_assert_cmpint(memcmp(netdevs[1]->mac, netdevs[3]->mac, 6), !=, 0);
    /* The copy shares nothing. */
    g_assert_cmpuint(testAddress(&copy->handle).slot, ==, 2);
    g_assert_true(copy->managed);
    g_assert_false(virtNetdevHas(VIRT_NETDEVS(copy)->pdata[1], VIRT_NETDEV_MAC));
    virtHostdevFree(hostdev);
    g_assert_cmpuint(VIRT_NETDEVS(copy)->len, ==, 4);
    virtHostdevFree(copy);
}

/* ---- is it in the domain? ---- */

static void
testIsIn(void)
{
    static const char *const devices[] = {
        BEGIN "</hostdev>",
        BEGIN NETDEV "<alias name='hostdev7'/></hostdev>",
        BEGIN "<x:rom xmlns:x='urn:x' bar='off'/><rom x:bar='off' xmlns:x='urn:x' file='/r&#38;b'/></hostdev>",
        BEGIN "<boot order='01'/></hostdev>",
        "<hostdev type='pci'><source><address bus='6' slot='2' type='pci'/></source></hostdev>",
        "<hostdev type=\"pci\" ><source>\n<!-- here --><address type = 'pci' function='0X0' slot='0x02' bus='0X06' domain='0'/></source></hostdev>",
        BEGIN "<address type='pci' slot='0' bus='5'/></hostdev>",
        BEGIN "<address multifunction='off' function='0' bus='0X05' domain='00' slot='0x0' type='pci'/></hostdev>",
        "<hostdev type='pci'><source><address bus='6' slot='0x2'/></source></hostdev>",
        ("<hostdev type='pci' mode='subsystem'><teaming persistent='ua-1' type='transient'/><rom file='/r&#38;b'/>"
         "<boot order='1'/><driver name='vfio'/>\n<source>\n<address function='0' slot='2' bus='06'/></source></hostdev>"),
    };
    static const char idle[] = "<domain><devices><hostdev type='pci'>" SOURCE "</hostdev></devices></domain>";
    static const char fromLive[] =
        "<hostdev mode='subsystem' type='pci' managed='no'><driver name='vfio'/>" SOURCE "</hostdev>";
    g_autoptr(GError) error = NULL;

    for (guint i = 0; i < G_N_ELEMENTS(devices); i++) {
        g_assert_true(virtHostdevIsIn(devices[i], strlen(devices[i]), liveDomain, strlen(liveDomain), &error));
        g_assert_no_error(error);
    }
    /* What libvirt writes only for a running domain is no difference to the one it stores. */
    g_assert_true(virtHostdevIsIn(fromLive, strlen(fromLive), idle, strlen(idle), &error));
    g_assert_no_error(error);
}

static void
testIsNotIn(void)
{
    static const struct {
        const char *xml, *what;
    } cases[] = {
        {"<hostdev mode='subsystem' type='pci' managed='no'>" SOURCE "</hostdev>",
         "line 1: managed of <hostdev> was given as 'no', but the domain's <hostdev> 0000:06:02.0 has 'yes': only <netdev> can be updated"},
        {BEGIN "<driver name='mlx5_vfio_pci'/></hostdev>", "name of <driver> was given as 'mlx5_vfio_pci'"},
        {BEGIN "<driver name='vfio' model='x'/></hostdev>", "model of <driver> was given as 'x'"},
        {BEGIN "<boot order='2'/></hostdev>",
         "order of <boot> was given as '2', but the domain's <hostdev> 0000:06:02.0 has '1'"},
        {BEGIN "<rom bar='off' enabled='no'/></hostdev>",
         "enabled of <rom> was given as 'no', but the domain's <hostdev> 0000:06:02.0 has none"},
        {BEGIN "<acpi index='3'/></hostdev>", "index of <acpi> was given as '3'"},
        {BEGIN "<shareable/></hostdev>", "<shareable> was given, but the domain's"},
        {BEGIN "<rom>inside</rom></hostdev>", "the text of <rom> was given as 'inside'"},
        {BEGIN "<alias name='ua-other'/></hostdev>", "name of <alias> was given as 'ua-other'"},
        {BEGIN "<address type='pci' slot='0x0b'/></hostdev>", "slot of <address> was given as '0x0b'"},
        {BEGIN "<address type='pci' bus='015'/></hostdev>", "bus of <address> was given as '015'"},
        {BEGIN "<address type='ccw' cssid='0xfe'/></hostdev>", "type of <address> was given as 'ccw'"},
        {BEGIN "<boot order='0x1'/></hostdev>", "order of <boot> was given as '0x1'"},
        {"<hostdev type='pci'><source startupPolicy='optional'><address bus='6' slot='2'/></source></hostdev>",
         "startupPolicy of <source>"},
        {"<hostdev type='pci'>" SOURCE "<teaming type='transient' persistent='ua-2'/></hostdev>", "persistent of"},
        {"<hostdev mode='subsystem' type='usb'><source><address bus='1' device='2'/></source></hostdev>",
         "give their <hostdev mode='subsystem' type='pci'>"},
        {"<interface type='hostdev'>" SOURCE "</interface>", "give their <hostdev mode='subsystem' type='pci'>"},
        {"<hostdev", "cut off"},
    };
    static const char other[] = "<hostdev type='pci'><source><address bus='7'/></source></hostdev>";
    g_autoptr(GError) error = NULL;

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_assert_false(virtHostdevIsIn(cases[i].xml, strlen(cases[i].xml), liveDomain, strlen(liveDomain), &error));
        assertError(&error, VIRT_ERROR_INVALID, cases[i].what);
    }
    g_assert_false(virtHostdevIsIn(other, strlen(other), liveDomain, strlen(liveDomain), &error));
    assertError(&error, VIRT_ERROR_NOT_FOUND, "0000:07:00.0");
    g_assert_false(virtHostdevIsIn(other, strlen(other), "<network/>", 10, &error));
    assertError(&error, VIRT_ERROR_NOT_FOUND, "0000:07:00.0");
}

/* ---- metadata ---- */

static void
testMetadata(void)
{
    static const char *const forms[] = {
        "<hostdevs>" ENTRY("") "</hostdevs>",
        "<hostdevs xmlns='" VIRT_NS "'>" ENTRY("") "</hostdevs>",
        "<lh:hostdevs xmlns:lh='" VIRT_NS "'>" ENTRY("lh:") "</lh:hostdevs>",
        "<x:hostdevs xmlns:x='" VIRT_NS "'>" ENTRY("") "</x:hostdevs>",
    };
    static const char formatted[] = "<hostdevs><hostdev>" SOURCE NETDEV "<netdev port='2'/></hostdev></hostdevs>";
    static const virtHandle there = {"pci", "0000:06:02.0"}, absent = {"pci", "0000:06:02.1"};

    for (guint i = 0; i < G_N_ELEMENTS(forms); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(GPtrArray) list = virtMetadataParse(forms[i], strlen(forms[i]), &error);
        g_autofree char *text = NULL;

        g_assert_no_error(error);
        g_assert_cmpuint(list->len, ==, 1);
        g_assert_true(virtHostdevListFind(list, &there) == list->pdata[0]);
        g_assert_null(virtHostdevListFind(list, &absent));
        text = virtMetadataFormat(list);
        g_assert_cmpstr(text, ==, formatted);
    }
}

static void
testMetadataWrong(void)
{
    static const struct {
        const char *xml, *what;
    } cases[] = {
        {"<hostdev/>", "the metadata of libvirt-hostdev is a <hostdevs>, not a <hostdev>"},
        {"<hostdevs xmlns='urn:x'/>", "the metadata of libvirt-hostdev is a <hostdevs>"},
        {"<hostdevs><x/></hostdevs>", "<hostdevs> has no child <x>"},
        {"<hostdevs>" ENTRY("") ENTRY("") "</hostdevs>", "names this device twice"},
        {"<hostdevs><hostdev>" SOURCE "</hostdev></hostdevs>", "lacks a <netdev>"},
        {"<lh:hostdevs>" ENTRY("lh:") "</lh:hostdevs>", "a prefix that no xmlns:PREFIX"},
        {"", "has no complete element"},
    };
    g_autoptr(GPtrArray) empty = virtMetadataParse("<hostdevs/>", 11, NULL);
    g_autoptr(GError) error = NULL;

    g_assert_cmpuint(empty->len, ==, 0);
    g_assert_null(virtMetadataFormat(empty));
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_assert_null(virtMetadataParse(cases[i].xml, strlen(cases[i].xml), &error));
        assertError(&error, VIRT_ERROR_INVALID, cases[i].what);
    }
}

/* Document order, which is not the order of addresses. */
static void
testMetadataOrder(void)
{
    g_autoptr(GString) xml = g_string_new("<hostdevs>");
    g_autoptr(GPtrArray) list = NULL;

    for (guint i = 31; i > 0; i--)
        g_string_append_printf(xml, "<hostdev><source><address slot='%u'/></source><netdev port='1'/></hostdev>", i);
    g_string_append(xml, "</hostdevs>");
    list = virtMetadataParse(xml->str, xml->len, NULL);
    for (guint i = 0; i < 31; i++)
        g_assert_cmpuint(testAddress(&((virtHostdev *)list->pdata[i])->handle).slot, ==, 31 - i);
}

/* ---- the domain's devices ---- */

static void
testDevices(void)
{
    static const char xml[] =
        "<domain id='4'><devices>"
        "<hostdev type='pci'><source><address bus='1'/></source></hostdev>"
        "<interface type='hostdev'><source><address type='pci' bus='2'/></source></interface>"
        "<hostdev mode='subsystem' type='pci'><source><address bus='0x100'/></source></hostdev>"
        "<hostdev mode='subsystem' type='pci'/>"
        "<hostdev mode='capabilities' type='pci'><source><address bus='9'/></source></hostdev>"
        "<hostdev mode='subsystem' type='usb'><source><address bus='9' device='1'/></source></hostdev>"
        "<interface type='hostdev'><source><address type='usb' bus='9'/></source></interface>"
        "<interface type='hostdev'><source><address type='pci' slot='32'/></source></interface>"
        "<interface type='network'><source network='n'/></interface>"
        "<x:hostdev xmlns:x='urn:x' type='pci'><source><address bus='9'/></source></x:hostdev>"
        "<hostdev type='pci'><source><address bus='3'/></source><netdev port='1'/></hostdev>"
        "</devices><devices><hostdev type='pci'><source><address bus='4'/></source></hostdev></devices>"
        "<metadata><devices><hostdev type='pci'><source><address bus='9'/></source></hostdev></devices></metadata>"
        "</domain>";
    g_autoptr(GError) error = NULL;
    g_autoptr(virtDomainConf) domain = virtDomainConfParse(xml, strlen(xml), NULL, 0, &error);
    g_autoptr(virtDomainConf) lone = virtDomainConfParse(BEGIN "</hostdev>", strlen(BEGIN "</hostdev>"), NULL, 0, NULL);

    g_assert_no_error(error);
    g_assert_true(domain->active);
    g_assert_cmpuint(domain->hostdevs->len, ==, 1);
    g_assert_cmpuint(domain->devices->len, ==, 4);
    for (guint i = 0; i < 4; i++)
        g_assert_cmpuint(testAddress(&g_array_index(domain->devices, virtHandle, i)).bus, ==, i + 1);
    g_assert_false(lone->active);
    g_assert_cmpuint(lone->devices->len, ==, 1);
    g_assert_cmpuint(testAddress(&g_array_index(lone->devices, virtHandle, 0)).bus, ==, 6);
}

static void
testInactive(void)
{
    static const char xml[] = "<domain><name>a</name></domain>";
    static const char status[] = "<domstatus id='1'><domain id='2'/></domstatus>";
    g_autoptr(virtDomainConf) domain = virtDomainConfParse(xml, strlen(xml), NULL, 0, NULL);
    g_autoptr(virtDomainConf) running = virtDomainConfParse(status, strlen(status), NULL, 0, NULL);

    g_assert_false(domain->active);
    g_assert_cmpuint(domain->devices->len, ==, 0);
    g_assert_true(running->active);
}

/* ---- the real libvirt ---- */

static void
save(const char *dir, const char *name, const char *suffix, const char *text)
{
    g_autofree char *path = g_strdup_printf("%s/%s.%s", dir, name, suffix);

    g_assert_true(g_file_set_contents(path, text ? text : virGetLastErrorMessage(), -1, NULL));
}

static char *
load(const char *dir, const char *name, const char *suffix)
{
    g_autofree char *path = g_strdup_printf("%s/%s.%s", dir, name, suffix);
    char *text = virtTestRead(path);

    g_assert_nonnull(text);
    return text;
}

/* Define the stock form; then take its metadata away, and set it again the other way. */
static void
setAgain(virConnectPtr conn, const char *dir, const char *name, const char *stock)
{
    virDomainPtr domain = virDomainDefineXML(conn, stock);
    g_autofree char *defined = domain ? virDomainGetXMLDesc(domain, 0) : NULL;
    g_autofree char *metadata = NULL, *ours = NULL, *bare = NULL, *after = NULL;
    g_autoptr(GPtrArray) list = NULL;

    save(dir, name, "defined", defined);
    if (!domain)
        return;
    metadata = virDomainGetMetadata(domain, VIR_DOMAIN_METADATA_ELEMENT, VIRT_NS, VIR_DOMAIN_AFFECT_CONFIG);
    save(dir, name, "metadata", metadata);
    list = metadata ? virtMetadataParse(metadata, strlen(metadata), NULL) : NULL;
    ours = list ? virtMetadataFormat(list) : NULL;
    virDomainSetMetadata(domain, VIR_DOMAIN_METADATA_ELEMENT, NULL, "lh", VIRT_NS, VIR_DOMAIN_AFFECT_CONFIG);
    bare = virDomainGetXMLDesc(domain, 0);
    save(dir, name, "bare", bare);
    virDomainSetMetadata(domain, VIR_DOMAIN_METADATA_ELEMENT, ours, "lh", VIRT_NS, VIR_DOMAIN_AFFECT_CONFIG);
    after = virDomainGetXMLDesc(domain, 0);
    save(dir, name, "after", after);
    virDomainUndefine(domain);
    virDomainFree(domain);
}

typedef struct {
    GPtrArray *names, *stocks; /* read beforehand: the child may not be allowed to */
} Cases;

static int
setAllAgain(virConnectPtr conn, const char *dir, gpointer opaque)
{
    const Cases *cases = opaque;

    for (guint i = 0; i < cases->names->len; i++)
        setAgain(conn, dir, cases->names->pdata[i], cases->stocks->pdata[i]);
    return 0;
}

/* What the device of the case @name is shown as. */
static const char *
elementOf(const char *name)
{
    if (g_str_has_prefix(name, "interface"))
        return "<interface type='hostdev'";
    if (g_str_has_prefix(name, "hostdev-mdev"))
        return "<mdev parent=";
    if (g_str_has_prefix(name, "hostdev-vgpu"))
        return "<vgpu type=";
    if (g_str_has_prefix(name, "hostdev-function"))
        return "<function roce=";
    return "<netdev port=";
}

/* The metadata as set is read like the metadata as defined, and shown alike. */
static void
checkSetAgain(const char *dir, const char *name)
{
    g_autofree char *defined = load(dir, name, "defined"), *after = load(dir, name, "after");
    g_autofree char *bare = load(dir, name, "bare"), *metadata = load(dir, name, "metadata");
    g_autoptr(GError) error = NULL;
    g_autofree char *shown = virtDomainFormat(defined, strlen(defined), "defined", VIRT_DOMAIN_FORM_WRITTEN, &error);
    g_autofree char *shownAfter = virtDomainFormat(after, strlen(after), "after", VIRT_DOMAIN_FORM_WRITTEN, &error);
    g_autoptr(virtDomainConf) domain = virtDomainConfParse(after, strlen(after), "after", 0, &error);
    g_autoptr(GPtrArray) list = virtMetadataParse(metadata, strlen(metadata), &error);
    g_autofree char *fromMetadata = list ? virtMetadataFormat(list) : NULL;
    g_autofree char *fromDomain = domain ? virtMetadataFormat(domain->hostdevs) : NULL;

    g_assert_no_error(error);
    g_assert_null(strstr(bare, VIRT_NS));
    g_assert_null(strstr(metadata, "lh:"));
    g_assert_nonnull(strstr(after, "<lh:hostdevs xmlns:lh="));
    g_assert_cmpstr(after, ==, defined);
    g_assert_cmpstr(shownAfter, ==, shown);
    g_assert_nonnull(strstr(shown, elementOf(name)));
    g_assert_nonnull(fromDomain);
    g_assert_cmpstr(fromDomain, ==, fromMetadata);
}

static void
testLibvirt(void)
{
    g_autoptr(GPtrArray) names = virtTestCases("qemuxml2argvdata");
    g_autoptr(GPtrArray) stocks = g_ptr_array_new_with_free_func(g_free);
    g_autofree char *dir = virtEmbedDir();
    Cases cases = {names, stocks};
    int status;

    for (guint i = 0; i < names->len; i++) {
        g_autofree char *path = virtTestPath("qemuxml2argvdata/%s.xml", (char *)names->pdata[i]);
        g_autofree char *input = virtTestRead(path);

        g_ptr_array_add(stocks, virtDomainToStock(input, strlen(input), NULL,
                                                  VIRT_DOMAIN_GENERATE_MAC | VIRT_DOMAIN_INTERFACES, NULL));
    }
    status = virtEmbedRun(setAllAgain, dir, &cases);
    for (guint i = 0; i < names->len && status == 0; i++)
        checkSetAgain(dir, names->pdata[i]);
    virtEmbedRemove(dir);
    if (status == VIRT_EMBED_SKIP)
        g_test_skip("libvirt's embedded QEMU driver or QEMU is missing");
    else
        g_assert_cmpint(status, ==, 0);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/device/to-stock", testToStock);
    g_test_add_func("/device/to-stock-others", testToStockOthers);
    g_test_add_func("/device/generate-macs", testGenerateMacs);
    g_test_add_func("/device/is-in", testIsIn);
    g_test_add_func("/device/is-not-in", testIsNotIn);
    g_test_add_func("/device/metadata", testMetadata);
    g_test_add_func("/device/metadata-wrong", testMetadataWrong);
    g_test_add_func("/device/metadata-order", testMetadataOrder);
    g_test_add_func("/device/devices", testDevices);
    g_test_add_func("/device/inactive", testInactive);
    g_test_add_func("/device/libvirt", testLibvirt);
    return g_test_run();
}
