/* profiletest.c: what profiles give to the VFs of domains, on a made-up host
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "fakehost.h"
#include "hypervisor/provision_plan.h"
#include "hypervisor/provision_profile.h"
#include "qemu/qemu_hostdev.h"
#include "testrecord.h"
#include "util/virerror.h"

#include <string.h>

#define PF1 "0000:01:00.0" /* two ports, four VFs: 01:10.0, .2, .4, .6 */
#define PF2 "0000:02:00.0" /* one port, two VFs: 02:10.0, .2 */

#define MAC "<mac address='52:54:00:01:02:03'/>"
#define SOURCE(bus, n) "<source><address type='pci' domain='0' bus='" bus "' slot='16' function='" n "'/></source>"
#define HOSTDEV(bus, n, inner) "<hostdev mode='subsystem' type='pci' managed='yes'>" SOURCE(bus, n) inner "</hostdev>"
#define INTERFACE(attrs, inner) "<interface type='hostdev'" attrs ">" MAC SOURCE("1", "0") inner "</interface>"
#define NOVA "http://openstack.org/xmlns/libvirt/nova/1.1"
#define METADATA                                                                                                       \
    "<metadata><n:instance xmlns:n='" NOVA                                                                             \
    "'><n:flavor name='sriov.small'/><n:owner><n:project uuid='7'> red </n:project></n:owner></n:instance></metadata>"
#define DOMAIN(devices) "<domain type='kvm'><name>instance-1</name>" METADATA "<devices>" devices "</devices></domain>"

/* What the MAC address above makes of that of its device's port 2, on every host and for ever. */
#define PORT2_MAC "<mac address='52:54:00:b5:f5:8a'/>"
#define PORT2 "<netdev port='2' profile='p'>" PORT2_MAC "<vlan><tag id='43'/></vlan></netdev>"
#define VLAN43 "<netdev port='2'><vlan><tag id='43'/></vlan></netdev>"

static fakeHost *
hostNew(void)
{
    fakeHost *fake = fakeHostNew();

    fakeHostAddPF(fake, PF1, 2, 4, "mlx4_core");
    fakeHostAddPF(fake, PF2, 1, 2, "igb");
    return fake;
}

static void
define(fakeHost *fake, const char *name, const char *inner)
{
    g_autofree char *xml = g_strdup_printf("<profile><name>%s</name>%s</profile>", name, inner);

    fakeHostFile(fake, xml, VIRT_PROFILE_DIR "/%s.xml", name);
}

static char *
apply(fakeHost *fake, const char *xml, GError **error)
{
    return virtProvisionProfileApply(fake->host, xml, strlen(xml), NULL, VIRT_DOMAIN_INTERFACES, error);
}

static void
expect(fakeHost *fake, const char *given, const char *becomes)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *text = apply(fake, given, &error), *again = NULL;

    g_assert_no_error(error);
    g_assert_cmpstr(text, ==, becomes);
    again = apply(fake, text, &error);
    g_assert_no_error(error);
    g_assert_cmpstr(again, ==, becomes); /* it changes nothing that it has done */
}

static void
expectNothing(fakeHost *fake, const char *xml)
{
    expect(fake, xml, xml);
}

/* ---- which devices ---- */

static void
testDevices(void)
{
    g_autoptr(fakeHost) fake = hostNew();

    expectNothing(fake, DOMAIN(INTERFACE("", "")));
    define(fake, "p", VLAN43);
    expect(fake, DOMAIN(INTERFACE("", "")), DOMAIN(INTERFACE("", PORT2)));
    expect(fake, DOMAIN(HOSTDEV("1", "0", "<netdev port='1'>" MAC "</netdev>")),
           DOMAIN(HOSTDEV("1", "0", "<netdev port='1'>" MAC "</netdev>" PORT2)));
    expectNothing(fake, DOMAIN(HOSTDEV("7", "0", ""))); /* no VF */
    define(fake, "p", "<device><pf dev='enp2s0f0'/></device>" VLAN43);
    expectNothing(fake, DOMAIN(INTERFACE("", "")));
    define(fake, "p", "<device><pf dev='enp2s0f0'/></device><device><pf dev='enp1s0f0d1'/></device>" VLAN43);
    expect(fake, DOMAIN(INTERFACE("", "")), DOMAIN(INTERFACE("", PORT2)));
    define(fake, "p", "<device pool='blue'/>" VLAN43);
    expectNothing(fake, DOMAIN(INTERFACE("", ""))); /* this host has no such pool */
    fakeHostFile(fake, "<pool><name>blue</name><pf dev='enp1s0f0' vfs='0'/></pool>", VIRT_POOL_DIR "/blue.xml");
    expect(fake, DOMAIN(INTERFACE("", "")), DOMAIN(INTERFACE("", PORT2)));
    expectNothing(fake, DOMAIN(HOSTDEV("1", "2", "")));
    expectNothing(fake, "<interface type='network'><source network='hostdev'/></interface>");
}

/* Functions, too, but not those of an <interface>. */
static void
testFunctions(void)
{
    g_autoptr(fakeHost) fake = hostNew();

    define(fake, "p", "<function roce='no'/>");
    expect(fake, DOMAIN(HOSTDEV("1", "0", "")), DOMAIN(HOSTDEV("1", "0", "<function profile='p' roce='no'/>")));
    expectNothing(fake, DOMAIN(HOSTDEV("1", "0", "<function maxIoEqs='8'/>")));
    expectNothing(fake, DOMAIN(INTERFACE("", "")));
}

/* Everything that a lone device has of its domain is what is told. */
static void
testLone(void)
{
    g_autoptr(fakeHost) fake = hostNew();

    define(fake, "p", VLAN43);
    expect(fake, INTERFACE("", ""), INTERFACE("", PORT2));
    define(fake, "p", "<domain name='*'/>" VLAN43);
    expectNothing(fake, INTERFACE("", ""));
}

/* ---- which domains ---- */

static void
testDomains(void)
{
    static const struct {
        const char *domain;
        bool fits;
    } cases[] = {
        {"<domain name='instance-*'/>", true},
        {"<domain name='instance-?'/>", true},
        {"<domain name='instance'/>", false},
        {"<domain name='x'/><domain name='instance-1'/>", true},
        {"<domain><metadata namespace='" NOVA "' element='flavor' attribute='name' value='sriov.*'/></domain>", true},
        {"<domain><metadata namespace='" NOVA "' element='flavor' attribute='name' value='tiny'/></domain>", false},
        {"<domain><metadata namespace='" NOVA "' element='flavor' attribute='id' value='*'/></domain>", false},
        {"<domain><metadata namespace='urn:x' element='flavor' attribute='name' value='*'/></domain>", false},
        {"<domain><metadata namespace='" NOVA "' element='project' value='red'/></domain>", true},
        {"<domain><metadata namespace='" NOVA "' element='project' value='blue'/></domain>", false},
        {"<domain name='x'><metadata namespace='" NOVA "' element='project' value='red'/></domain>", false},
        {"<domain name='instance-1'><metadata namespace='" NOVA
         "' element='project' value='red'/><metadata namespace='" NOVA
         "' element='project' attribute='uuid' value='7'/></domain>",
         true},
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(fakeHost) fake = hostNew();
        g_autofree char *inner = g_strconcat(cases[i].domain, VLAN43, NULL);

        define(fake, "p", inner);
        if (cases[i].fits)
            expect(fake, DOMAIN(INTERFACE("", "")), DOMAIN(INTERFACE("", PORT2)));
        else
            expectNothing(fake, DOMAIN(INTERFACE("", "")));
    }
}

/* ---- what they get ---- */

/* What the document says wins, whatever it says; the first profile does over the next. */
static void
testWhoWins(void)
{
    g_autoptr(fakeHost) fake = hostNew();

    define(fake, "p", VLAN43);
    define(fake, "q", "<netdev port='2' trustGuestRxFilters='yes'/><netdev port='3'/>");
    expectNothing(fake, DOMAIN(INTERFACE("", "<netdev port='2'/><netdev port='3'/>")));
    define(fake, "q", "<netdev port='2' trustGuestRxFilters='yes'/>");
    expect(fake, DOMAIN(INTERFACE("", "")), DOMAIN(INTERFACE("", PORT2)));
    /* An interface of port 2 speaks of port 2, and has none before itself. */
    expectNothing(fake, DOMAIN(INTERFACE(" port='2'", "")));
    define(fake, "p", "<netdev port='1'/>");
    define(fake, "q", "<netdev port='1'/>");
    expectNothing(fake, DOMAIN(INTERFACE(" port='2'", "")));
    expectNothing(fake, DOMAIN(INTERFACE("", "")));
}

/* What a profile gave before is not the document's word. Its MAC address is the domain's. */
static void
testAgain(void)
{
    static const char other[] = "<mac address='52:54:00:aa:bb:cc'/>";
    g_autoptr(fakeHost) fake = hostNew();
    g_autofree char *given = g_strdup_printf(
        DOMAIN(INTERFACE("", "<netdev port='2' profile='old'>%s<vlan><tag id='7'/></vlan></netdev>")), other);
    g_autofree char *becomes = g_strdup_printf(
        DOMAIN(INTERFACE("", "<netdev port='2' profile='p'>%s<vlan><tag id='43'/></vlan></netdev>")), other);

    define(fake, "p", VLAN43);
    expect(fake, given, becomes);
    define(fake, "p", "<domain name='x'/>" VLAN43);
    expect(fake, given, DOMAIN(INTERFACE("", "")));
    /* Where settings are in metadata, the document is libvirt's own. */
    define(fake, "p", VLAN43);
    expectNothing(fake, "<domain type='kvm'><name>a</name><metadata><h:hostdevs xmlns:h='urn:libvirt-hostdev:1'>"
                        "<h:hostdev><h:source><h:address domain='0' bus='1' slot='16' function='0'/></h:source>"
                        "<h:netdev port='1'/></h:hostdev></h:hostdevs></metadata><devices>" HOSTDEV(
                            "1", "0", "") "</devices></domain>");
}

/* ---- stored, shown, planned ---- */

static void
testStored(void)
{
    g_autoptr(fakeHost) fake = hostNew();
    g_autoptr(GError) error = NULL;
    g_autofree char *text = NULL, *stock = NULL, *shown = NULL, *like = NULL;
    g_autoptr(virtDomainConf) domain = NULL;
    g_autoptr(virtOwner) owner = virtOwnerNew("instance-1", NULL);
    g_autoptr(GPtrArray) rows = NULL;
    guint fromProfile = 0;

    define(fake, "p", VLAN43);
    text = apply(fake, DOMAIN(INTERFACE("", "")), &error);
    stock = virtDomainToStock(text, strlen(text), NULL, VIRT_DOMAIN_INTERFACES, &error);
    g_assert_no_error(error);
    g_assert_nonnull(strstr(stock, "<lh:netdev port='2' profile='p'>"));
    shown = virtDomainFormat(stock, strlen(stock), NULL, VIRT_DOMAIN_FORM_WRITTEN, &error);
    g_assert_cmpstr(shown, ==, text);
    /* Who gives a document in the place of the domain's need not know of it. */
    like = virtDomainToStockABI(DOMAIN(INTERFACE("", "")), strlen(DOMAIN(INTERFACE("", ""))), stock, strlen(stock),
                                &error);
    g_assert_no_error(error);
    g_assert_cmpstr(like, ==, stock);
    domain = virtDomainConfParse(stock, strlen(stock), NULL, 0, &error);
    rows = virtProvisionPlan(fake->host, owner, domain->hostdevs);
    for (guint i = 0; i < rows->len; i++) {
        const virtPlanRow *row = rows->pdata[i];

        g_assert_cmpstr(row->profile, ==, row->port == 2 ? "p" : NULL);
        fromProfile += row->profile != NULL;
    }
    g_assert_cmpuint(fromProfile, ==, 2); /* MAC address and VLAN */
}

/* ---- files ---- */

static void
refuse(fakeHost *fake, const char *inner, const char *part)
{
    g_autoptr(GError) error = NULL;

    define(fake, "bad", inner);
    g_assert_null(apply(fake, DOMAIN(INTERFACE("", "")), &error));
    g_assert_error(error, VIRT_ERROR, VIRT_ERROR_INVALID);
    if (!strstr(error->message, part))
        g_error("\"%s\" has no \"%s\"", error->message, part);
}

static void
testBad(void)
{
    g_autoptr(fakeHost) fake = hostNew();
    g_autofree char *blanks = g_strnfill(VIRT_PROFILE_MAX, ' '), *tooLong = g_strconcat(VLAN43, blanks, NULL);

    refuse(fake, "", "<profile> gives nothing");
    refuse(fake, "<netdev port='0'/>", "port='0' in <netdev>");
    refuse(fake, "<netdev port='1'>" MAC "</netdev>", "<netdev port='1'> of a profile has a MAC address");
    refuse(fake, "<netdev port='1'><guid node='00:11:22:33:44:55:66:77'/></netdev>", "of a profile has a node GUID");
    refuse(fake, "<netdev port='1' profile='p'/>", "has the attribute 'profile'");
    refuse(fake, "<function profile='p' roce='no'/>", "<function> of a profile has the attribute 'profile'");
    refuse(fake, "<function/>", "<function> sets nothing");
    refuse(fake, "<function roce='no'/><function roce='yes'/>", "a second <function>");
    refuse(fake, "<device/>" VLAN43, "<device> has either the attribute 'pool' or a <pf>");
    refuse(fake, "<device pool='a'><pf dev='b'/></device>" VLAN43, "<device> has either");
    refuse(fake, "<device pool='/'/>" VLAN43, "pool='/' in <device>: not the name of a pool");
    refuse(fake, "<device><pf/></device>" VLAN43, "<pf> names no PF");
    refuse(fake, "<domain/>" VLAN43, "<domain> describes no domain");
    refuse(fake, "<domain><metadata element='a' value='b'/></domain>" VLAN43,
           "<metadata> lacks its attribute 'namespace'");
    refuse(fake, "<domain uuid='1'/>" VLAN43, "<domain> has no attribute 'uuid'");
    refuse(fake, "<name>b</name>" VLAN43, "a second <name>");
    refuse(fake, "<vf/>" VLAN43, "<profile> has no child <vf>");
    refuse(fake, "<vgpu type='63'/>" VLAN43, "<profile> has no child <vgpu>");
    refuse(fake, tooLong, "has more than 6144 bytes");
    fakeHostFile(fake, "<profile><name>other</name>" VLAN43 "</profile>", VIRT_PROFILE_DIR "/bad.xml");
    g_assert_null(apply(fake, DOMAIN(INTERFACE("", "")), NULL));
    fakeHostFile(fake, "<pool/>", VIRT_PROFILE_DIR "/bad.xml");
    g_assert_null(apply(fake, DOMAIN(INTERFACE("", "")), NULL));
    fakeHostFile(fake, "<profile><name>./x</name>" VLAN43 "</profile>", VIRT_PROFILE_DIR "/bad.xml");
    g_assert_null(apply(fake, DOMAIN(INTERFACE("", "")), NULL));
    /* A domain without VFs has nothing to do with it. */
    expectNothing(fake, DOMAIN(""));
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/profile/devices", testDevices);
    g_test_add_func("/profile/functions", testFunctions);
    g_test_add_func("/profile/lone", testLone);
    g_test_add_func("/profile/domains", testDomains);
    g_test_add_func("/profile/who-wins", testWhoWins);
    g_test_add_func("/profile/again", testAgain);
    g_test_add_func("/profile/stored", testStored);
    g_test_add_func("/profile/bad", testBad);
    return g_test_run();
}
