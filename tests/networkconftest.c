/* networkconftest.c: <interface type='network'> whose VF comes from a network: which VF it is, by what libvirt shows
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include <string.h>

#include "conf/domain_conf.h"
#include "testfiles.h"
#include "testrecord.h"

#define MAC "<mac address='52:54:00:01:02:03'/>"
#define KEY "network/52:54:00:01:02:03"
#define VF "<source><address type='pci' domain='0x0000' bus='0x06' slot='0x02' function='0x0'/></source>"
#define NETDEV "<netdev port='2'><mac address='52:54:00:01:02:04'/></netdev>"
#define DOMAIN(interface)                                                                                              \
    "<domain type='kvm' id='1'><name>vm</name><metadata><lh:hostdevs xmlns:lh='" VIRT_NS "'><lh:hostdev><lh:source>"   \
    "<lh:mac address='52:54:00:01:02:03'/></lh:source><lh:netdev port='1' spoofCheck='no'/><lh:netdev port='2'>"       \
    "<lh:mac address='52:54:00:01:02:04'/></lh:netdev></lh:hostdev></lh:hostdevs></metadata><devices>" interface "</devices></domain>"
#define STOPPED DOMAIN("<interface type='network'>" MAC "<source network='pool'/></interface>")
#define RUNNING DOMAIN("<interface type='hostdev' managed='yes'>" MAC "<driver name='vfio'/>" VF "</interface>")
#define BRIDGE DOMAIN("<interface type='bridge'>" MAC "<source network='pool' bridge='br0'/></interface>")
#define STATUS                                                                                                         \
    DOMAIN("<interface type='network'>" MAC "<source network='pool'/><actual type='hostdev' managed='yes'>" VF         \
           "</actual></interface><interface type='user'><mac address='52:54:00:01:02:05'/></interface>")

/* What a document is parsed to by those who want its devices alone, and by those who want all. */
static virtDomainConf *
parse(const char *xml, bool devicesOnly)
{
    g_autoptr(GError) error = NULL;
    virtDomainConf *domain;

    if (devicesOnly)
        domain = virtDomainConfParseDevices(xml, strlen(xml), &error);
    else
        domain = virtDomainConfParse(xml, strlen(xml), NULL, VIRT_DOMAIN_WRITTEN, &error);
    g_assert_no_error(error);
    return domain;
}

static void
assertVF(const char *xml, bool devicesOnly, const char *vf)
{
    g_autoptr(virtDomainConf) domain = parse(xml, devicesOnly);
    const virtHandle key = testHandle(KEY), other = testHandle("network/52:54:00:01:02:99");
    virtHandle found;

    g_assert_true(virtDomainConfHas(domain, &key));
    g_assert_false(virtDomainConfHas(domain, &other));
    g_assert_false(virtDomainConfFindVF(domain, &other, &found));
    g_assert_cmpint(virtDomainConfFindVF(domain, &key, &found), ==, vf != NULL);
    if (!vf)
        return;
    g_assert_cmpstr(found.name, ==, vf);
    g_assert_true(virtDomainConfHas(domain, &found));
}

static void
testFindVF(void)
{
    for (int devicesOnly = 0; devicesOnly < 2; devicesOnly++) {
        assertVF(STOPPED, devicesOnly, NULL);
        assertVF(BRIDGE, devicesOnly, NULL);
        assertVF(RUNNING, devicesOnly, "0000:06:02.0");
    }
    assertVF(STATUS, true, "0000:06:02.0");
}

static void
testLocate(void)
{
    g_autoptr(virtDomainConf) running = parse(RUNNING, false), bridge = parse(BRIDGE, false);
    g_autoptr(GPtrArray) located = virtDomainConfLocate(running, running->hostdevs);
    g_autoptr(GPtrArray) none = virtDomainConfLocate(bridge, bridge->hostdevs);
    const virtHostdev *hostdev = located->pdata[0], *stays = none->pdata[0];

    g_assert_cmpuint(located->len, ==, 1);
    g_assert_cmpstr(hostdev->handle.name, ==, "0000:06:02.0");
    g_assert_true(hostdev->fromNetwork);
    g_assert_cmpuint(VIRT_NETDEVS(hostdev)->len, ==, 2);
    g_assert_true(virtHandleIsNetwork(&stays->handle));
    g_assert_false(stays->fromNetwork);
}

#define WITH(child) DOMAIN("<interface type='hostdev' managed='yes'>" MAC VF child "</interface>")

/* What libvirt sets of the VF itself belongs to it, as far as the interface's own netdev can have it. */
static void
testOwn(void)
{
    static const struct {
        const char *xml;
        guint attrs;
        guint16 vlan;
    } cases[] = {
        {WITH(""), VIRT_NETDEV_BIT(VIRT_NETDEV_MAC) | VIRT_NETDEV_BIT(VIRT_NETDEV_VLAN), 0},
        {WITH("<vlan><tag id='42'/></vlan>"), VIRT_NETDEV_BIT(VIRT_NETDEV_MAC) | VIRT_NETDEV_BIT(VIRT_NETDEV_VLAN), 42},
        {WITH("<virtualport type='802.1Qbh'><parameters profileid='p'/></virtualport>"), 0, 0},
    };

    for (guint i = 0; i < 2 * G_N_ELEMENTS(cases); i++) {
        g_autoptr(virtDomainConf) wanted = parse(RUNNING, false), live = parse(cases[i / 2].xml, i % 2);
        g_autoptr(GPtrArray) located = virtDomainConfLocate(live, wanted->hostdevs);
        const virtHostdev *hostdev = located->pdata[0];
        const virtNetdev *own = VIRT_NETDEVS(hostdev)->pdata[0], *other = VIRT_NETDEVS(hostdev)->pdata[1];

        g_assert_cmpuint(own->port, ==, 1);
        g_assert_cmphex(own->present, ==, cases[i / 2].attrs | VIRT_NETDEV_BIT(VIRT_NETDEV_SPOOFCHECK));
        g_assert_cmpuint(own->vlan.id, ==, cases[i / 2].vlan);
        g_assert_cmpuint(own->mac[5], ==, cases[i / 2].attrs ? 3 : 0);
        g_assert_cmphex(other->present, ==, VIRT_NETDEV_BIT(VIRT_NETDEV_MAC));
    }
}

/* A running interface is shown with its netdevs, whatever type it has by now; one that is no VF, without. */
static void
testShow(void)
{
    g_autofree char *running = virtDomainFormat(RUNNING, strlen(RUNNING), NULL, VIRT_DOMAIN_FORM_WRITTEN, NULL);
    g_autofree char *bridge = virtDomainFormat(BRIDGE, strlen(BRIDGE), NULL, VIRT_DOMAIN_FORM_WRITTEN, NULL);

    g_assert_nonnull(strstr(running, "<interface type='hostdev' managed='yes' spoofCheck='no'>" MAC));
    g_assert_nonnull(strstr(running, VF NETDEV "</interface>"));
    g_assert_nonnull(
        strstr(bridge, "<interface type='bridge'>" MAC "<source network='pool' bridge='br0'/></interface>"));
}

static void
testRevert(void)
{
    g_autoptr(GPtrArray) lost = NULL;
    g_autofree char *text = virtDomainRevert(STOPPED, strlen(STOPPED), &lost, NULL);

    g_assert_cmpstr(text, ==,
                    "<domain type='kvm' id='1'><name>vm</name><devices><interface type='network'>" MAC
                    "<source network='pool'/></interface></devices></domain>");
    g_assert_cmpuint(lost->len, ==, 2);
    g_assert_cmpstr(lost->pdata[0], ==, "52:54:00:01:02:03 port 1: spoof check no");
    g_assert_cmpstr(lost->pdata[1], ==, "52:54:00:01:02:03 port 2: MAC address 52:54:00:01:02:04");
}

/* An interface without a MAC address is given one, which its entry has too; its own netdev is given none. */
static void
testGenerateMac(void)
{
    static const char xml[] =
        "<domain type='kvm'><name>vm</name><devices>\n  <interface type='network' spoofCheck='no'>"
        "\n    <source network='pool'/>\n    <netdev port='2'/>\n  </interface>\n"
        "</devices></domain>";
    g_autoptr(GError) error = NULL;
    g_autofree char *stock = virtDomainToStock(xml, strlen(xml), NULL, VIRT_DOMAIN_GENERATE_MAC, &error);
    g_autoptr(virtDomainConf) domain = NULL;
    g_autofree char *mac = NULL;
    const virtHostdev *hostdev;

    g_assert_no_error(error);
    domain = parse(stock, false);
    hostdev = domain->hostdevs->pdata[0];
    mac = g_strdup_printf(
        "<interface type='network'>\n    <mac address='%s'/>\n    <source network='pool'/>\n  </interface>",
        hostdev->handle.name);
    g_assert_true(virtHandleIsNetwork(&hostdev->handle));
    g_assert_nonnull(strstr(stock, mac));
    g_assert_false(virtNetdevHas(VIRT_NETDEVS(hostdev)->pdata[0], VIRT_NETDEV_MAC));
    g_assert_true(virtNetdevHas(VIRT_NETDEVS(hostdev)->pdata[1], VIRT_NETDEV_MAC));
}

/* A device on its own, as it is attached, and found again to be detached. */
static void
testLone(void)
{
    static const char xml[] =
        "<interface type='network' spoofCheck='no'>" MAC "<source network='pool'/>" NETDEV "</interface>";
    static const char plain[] = "<interface type='network'>" MAC "<source network='pool'/></interface>";
    g_autoptr(GError) error = NULL;
    virtHostdev *hostdev = NULL, *found;
    g_autofree char *stock = virtHostdevToStock(xml, strlen(xml), 0, &hostdev, &error);

    g_assert_no_error(error);
    g_assert_cmpstr(stock, ==, plain);
    g_assert_cmpstr(hostdev->handle.name, ==, "52:54:00:01:02:03");
    g_assert_cmpuint(VIRT_NETDEVS(hostdev)->len, ==, 2);
    g_assert_null(virtHostdevToStock(plain, strlen(plain), 0, &hostdev, &error));
    g_assert_no_error(error);
    virtHostdevFree(hostdev);
    found = virtInterfaceFind(plain, strlen(plain), RUNNING, strlen(RUNNING), &error);
    g_assert_no_error(error);
    g_assert_true(virtHandleIsNetwork(&found->handle));
    virtHostdevFree(found);
}

/* What takes a domain's place, as in a migration, keeps its words; libvirt itself compares the interfaces. */
static void
testABI(void)
{
    static const char xml[] = "<domain type='kvm'><name>vm</name><devices><interface type='network'>" MAC
                              "<source network='other'/>" NETDEV "</interface></devices></domain>";
    g_autoptr(GError) error = NULL;
    g_autofree char *stock = virtDomainToStockABI(xml, strlen(xml), RUNNING, strlen(RUNNING), &error);

    g_assert_no_error(error);
    g_assert_nonnull(strstr(stock, "<lh:source><lh:mac address='52:54:00:01:02:03'/></lh:source><lh:netdev port='2'>"));
    g_assert_nonnull(strstr(stock, MAC "<source network='other'/></interface>"));
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/networkconf/find-vf", testFindVF);
    g_test_add_func("/networkconf/locate", testLocate);
    g_test_add_func("/networkconf/own", testOwn);
    g_test_add_func("/networkconf/show", testShow);
    g_test_add_func("/networkconf/revert", testRevert);
    g_test_add_func("/networkconf/generate-mac", testGenerateMac);
    g_test_add_func("/networkconf/lone", testLone);
    g_test_add_func("/networkconf/abi", testABI);
    return g_test_run();
}
