/* netdevtest.c: the table of settings: compared, shown, written to and read from the fake kernel
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "fakehost.h"
#include "util/virnetlink.h"

#include <linux/if_ether.h>
#include <string.h>

#define PF "0000:01:00.0"

static void
testRates(void)
{
    const guint32 last = 35184372; /* the greatest that fits 2^32 - 1 KiB/s */
    guint32 max, min;
    virtNetdev netdev = {.port = 1};

    for (guint64 rate = 0; rate <= last; rate += rate < 200000 ? 1 : 9973) {
        virtNetdevSetRate(&netdev, (guint32)rate, last - (guint32)rate);
        virtNetdevGetRate(&netdev, &max, &min);
        g_assert_cmpuint(max, ==, rate);
        g_assert_cmpuint(min, ==, last - rate);
    }
    virtNetdevSetRate(&netdev, last, G_MAXUINT32);
    virtNetdevGetRate(&netdev, &max, &min);
    g_assert_cmpuint(max, ==, last);
    g_assert_cmpuint(min, ==, last);
}

static void
testRateRounding(void)
{
    guint32 max, min;
    virtNetdev netdev = {.bandwidth = {.average = 1, .floor = 1}};

    virtNetdevGetRate(&netdev, &max, &min);
    g_assert_cmpuint(max, ==, 1);
    g_assert_cmpuint(min, ==, 1);
    netdev.bandwidth.average = 122070; /* 999.997 Mb/s */
    netdev.bandwidth.peak = 0;
    virtNetdevGetRate(&netdev, &max, &min);
    g_assert_cmpuint(max, ==, 1000);
    netdev.bandwidth.peak = 244141; /* the cap is the peak where there is one */
    virtNetdevGetRate(&netdev, &max, &min);
    g_assert_cmpuint(max, ==, 2000);
}

static virtNetdev
makeNetdev(void)
{
    virtNetdev netdev = {.port = 1,
                         .mac = {0x52, 0x54, 0, 1, 2, 3},
                         .vlan = {42, 3, ETH_P_8021Q},
                         .spoofcheck = 0,
                         .link = 2,
                         .trust = 1,
                         .nodeGuid = G_GUINT64_CONSTANT(0x0002c90300a1b2c3),
                         .portGuid = G_GUINT64_CONSTANT(0x0002c90300a1b2c4),
                         .profileid = "web"};

    virtNetdevSetRate(&netdev, 1000, 100);
    netdev.present = (1u << VIRT_NETDEV_ATTR_LAST) - 1;
    return netdev;
}

/* What fails is said of the attribute. */
static void
expect(virtNetdevAttr attr, bool ok, const char *what)
{
    if (ok)
        return;
    g_test_message("attribute \"%s\" %s", virtNetdevAttrs[attr].name, what);
    g_test_fail();
}

static void
testFormat(void)
{
    /* As makeNetdev() has it, and none. */
    static const char *const texts[VIRT_NETDEV_ATTR_LAST][2] = {
        [VIRT_NETDEV_MAC] = {"52:54:00:01:02:03", "none"},
        [VIRT_NETDEV_VLAN] = {"42 (priority 3)", "none"},
        [VIRT_NETDEV_BANDWIDTH] = {"1000 Mb/s at most, 100 Mb/s at least", "none"},
        [VIRT_NETDEV_SPOOFCHECK] = {"no", "no"},
        [VIRT_NETDEV_LINK] = {"down", "auto"},
        [VIRT_NETDEV_TRUST] = {"yes", "no"},
        [VIRT_NETDEV_NODE_GUID] = {"00:02:c9:03:00:a1:b2:c3", "00:00:00:00:00:00:00:00"},
        [VIRT_NETDEV_PORT_GUID] = {"00:02:c9:03:00:a1:b2:c4", "00:00:00:00:00:00:00:00"},
        [VIRT_NETDEV_VIRTUALPORT] = {"web", "none"},
    };
    virtNetdev netdev = makeNetdev(), empty = {0};
    g_autofree char *both = NULL;
    g_autofree char *ad = NULL;

    for (virtNetdevAttr attr = 0; attr < VIRT_NETDEV_ATTR_LAST; attr++) {
        g_autofree char *text = virtNetdevAttrs[attr].format(&netdev);
        g_autofree char *zero = virtNetdevAttrs[attr].format(&empty);

        expect(attr, g_strcmp0(text, texts[attr][0]) == 0, "is shown otherwise, or not known to this test");
        expect(attr, g_strcmp0(zero, texts[attr][1]) == 0, "is shown otherwise where there is none");
        expect(attr, virtNetdevAttrs[attr].remedy != NULL, "has no remedy");
    }
    netdev.vlan.protocol = ETH_P_8021AD;
    both = virtNetdevAttrs[VIRT_NETDEV_VLAN].format(&netdev);
    netdev.vlan.priority = 0;
    ad = virtNetdevAttrs[VIRT_NETDEV_VLAN].format(&netdev);
    g_assert_cmpstr(both, ==, "42 (priority 3, 802.1ad)");
    g_assert_cmpstr(ad, ==, "42 (802.1ad)");
}

static void
testDiff(void)
{
    virtNetdev wanted = makeNetdev(), present = makeNetdev();

    g_assert_cmphex(virtNetdevDiff(&wanted, &present), ==, 0);
    present.trust = 0;
    g_assert_cmphex(virtNetdevDiff(&wanted, &present), ==, VIRT_NETDEV_BIT(VIRT_NETDEV_TRUST));
    present.present &= ~VIRT_NETDEV_BIT(VIRT_NETDEV_MAC);
    wanted.present &= ~VIRT_NETDEV_BIT(VIRT_NETDEV_TRUST);
    g_assert_cmphex(virtNetdevDiff(&wanted, &present), ==, VIRT_NETDEV_BIT(VIRT_NETDEV_MAC));
    virtNetdevCopyAttr(&present, &wanted, VIRT_NETDEV_MAC);
    virtNetdevCopyAttr(&present, &wanted, VIRT_NETDEV_TRUST);
    g_assert_cmphex(virtNetdevDiff(&wanted, &present), ==, 0);
    g_assert_false(virtNetdevHas(&present, VIRT_NETDEV_TRUST));
    /* KiB/s that are the same Mb/s are the same rate. */
    present.bandwidth.average++;
    g_assert_true(virtNetdevEqualAttr(&wanted, &present, VIRT_NETDEV_BANDWIDTH));
    present.bandwidth.average += 100;
    g_assert_false(virtNetdevEqualAttr(&wanted, &present, VIRT_NETDEV_BANDWIDTH));
}

static void
testVlanEqual(void)
{
    virtNetdev a = {.vlan = {42, 0, ETH_P_8021Q}}, b = {.vlan = {42, 0, 0}};

    g_assert_true(virtNetdevEqualAttr(&a, &b, VIRT_NETDEV_VLAN));
    b.vlan.protocol = ETH_P_8021AD;
    g_assert_false(virtNetdevEqualAttr(&a, &b, VIRT_NETDEV_VLAN));
    a.vlan.id = b.vlan.id = 0;
    g_assert_true(virtNetdevEqualAttr(&a, &b, VIRT_NETDEV_VLAN));
    b.vlan.priority = 1;
    g_assert_false(virtNetdevEqualAttr(&a, &b, VIRT_NETDEV_VLAN));
}

/* Each attribute alone, and all together, written to VF 2 and read back; nothing else moves. */
static void
roundTrip(guint attrs, virtNetdev netdev)
{
    g_autoptr(fakeHost) fake = fakeHostNew();
    g_autoptr(GError) error = NULL;
    g_autofree char *reason = NULL;
    virtNetdev read, zero;
    g_autoptr(virtVF) vf = NULL;
    const virtPort *port;
    g_autofree char *dump = NULL;
    g_auto(GStrv) lines = NULL;

    fakeHostAddPF(fake, PF, 1, 4, "fake");
    fake->guids = fake->profiles = true;
    fakeHostVF(fake, PF, 1, 2)->response = 0x100;
    vf = fakeHostLookup(fake, PF, 2);
    port = vf->ports->pdata[0];
    g_assert_true(virtNetlinkGetVF(fake->host, port, 2, &zero, &error));
    g_assert_cmpint(virtNetlinkSetVF(fake->host, port, vf, &netdev, attrs, &reason), ==, 0);
    g_assert_true(virtNetlinkGetVF(fake->host, port, 2, &read, &error));
    for (virtNetdevAttr attr = 0; attr < VIRT_NETDEV_ATTR_LAST; attr++) {
        bool written = attrs & VIRT_NETDEV_BIT(attr);

        expect(attr, virtNetdevEqualAttr(written ? &netdev : &zero, &read, attr), "is not read as it was written");
        expect(attr, !written || virtNetdevHas(&read, attr), "is not read");
    }
    dump = fakeHostDump(fake);
    lines = g_strsplit(dump, "\n", -1);
    for (guint i = 0; i < 4; i++) {
        g_assert_true(
            strstr(
                lines[i],
                "mac 00:00:00:00:00:00 vlan 0 qos 0 proto 8100 rate 0-0 spoofchk 1 link 0 trust 0 guids 0 0 profile") !=
                NULL ||
            i == 2);
    }
}

static void
testRoundTrip(void)
{
    virtNetdev netdev = makeNetdev();

    for (virtNetdevAttr attr = 0; attr < VIRT_NETDEV_ATTR_LAST; attr++)
        roundTrip(VIRT_NETDEV_BIT(attr), netdev);
    roundTrip(netdev.present, netdev);
    netdev.vlan.protocol = ETH_P_8021AD;
    roundTrip(netdev.present, netdev);
    netdev.vlan.id = 0;
    roundTrip(VIRT_NETDEV_BIT(VIRT_NETDEV_VLAN), netdev);
}

/* What the kernel really got: byte order, and the padding of nothing but zeros. */
static void
testOnWire(void)
{
    g_autoptr(fakeHost) fake = fakeHostNew();
    virtNetdev netdev = makeNetdev();
    g_autoptr(virtVF) vf = NULL;
    guint attrs;
    g_autofree char *log = NULL;

    fakeHostAddPF(fake, PF, 1, 4, "fake");
    fake->guids = true;
    vf = fakeHostLookup(fake, PF, 2);
    netdev.vlan.protocol = ETH_P_8021AD;
    attrs = netdev.present & ~VIRT_NETDEV_BIT(VIRT_NETDEV_VIRTUALPORT);
    g_assert_cmpint(virtNetlinkSetVF(fake->host, vf->ports->pdata[0], vf, &netdev, attrs, NULL), ==, 0);
    log = fakeHostTakeLog(fake);
    g_assert_cmpstr(
        log, ==,
        "enp1s0f0 vf 2 mac=52:54:00:01:02:03 vlan=42:3:88a8 bandwidth=100-1000 spoofcheck=0 link=2 trust=1 nodeGuid=2c90300a1b2c3\n"
        "enp1s0f0 vf 2 portGuid=2c90300a1b2c4\n");
    g_assert_cmpuint(fake->sets, ==, 2);
}

static void
testNotReported(void)
{
    g_autoptr(fakeHost) fake = fakeHostNew();
    virtNetdev read;
    g_autoptr(virtVF) vf = NULL;
    const guint none = VIRT_NETDEV_BIT(VIRT_NETDEV_TRUST) | VIRT_NETDEV_BIT(VIRT_NETDEV_SPOOFCHECK) |
                       VIRT_NETDEV_BIT(VIRT_NETDEV_NODE_GUID) | VIRT_NETDEV_BIT(VIRT_NETDEV_PORT_GUID) |
                       VIRT_NETDEV_BIT(VIRT_NETDEV_VIRTUALPORT);

    fakeHostAddPF(fake, PF, 1, 4, "fake");
    fakeHostVF(fake, PF, 1, 1)->trust = G_MAXUINT32;
    fakeHostVF(fake, PF, 1, 1)->spoofchk = G_MAXUINT32;
    fake->vlanNone4095 = true;
    vf = fakeHostLookup(fake, PF, 1);
    g_assert_true(virtNetlinkGetVF(fake->host, vf->ports->pdata[0], 1, &read, NULL));
    for (virtNetdevAttr attr = 0; attr < VIRT_NETDEV_ATTR_LAST; attr++)
        expect(attr, virtNetdevHas(&read, attr) != ((none & VIRT_NETDEV_BIT(attr)) != 0), "is read, or is not");
    g_assert_cmpuint(read.vlan.id, ==, 0);
}

static void
testMac(void)
{
    static const char *const bad[] = {"",
                                      "52:54:00:01:02",
                                      "52:54:00:01:02:03:04",
                                      "52-54-00-01-02-03",
                                      "525:4:0:1:2:3",
                                      "52:54:00:01:02:0g",
                                      "52:54:00:01:02:03 ",
                                      ":52:54:00:01:02"};
    guint8 mac[6], other[6];
    char text[18];

    g_assert_true(virtMacParse("52:54:0:AB:2:03", mac));
    virtMacFormat(mac, text);
    g_assert_cmpstr(text, ==, "52:54:00:ab:02:03");
    for (guint i = 0; i < G_N_ELEMENTS(bad); i++)
        g_assert_false(virtMacParse(bad[i], mac));
    g_assert_cmpuint(mac[5], ==, 3);
    g_assert_true(virtMacIsMulticast((const guint8 *)"\xff\xff\xff\xff\xff\xff"));
    g_assert_false(virtMacIsMulticast(mac));
    g_assert_true(virtMacIsZero((const guint8 *)"\0\0\0\0\0"));
    virtMacGenerate(mac);
    virtMacGenerate(other);
    g_assert_cmpmem(mac, 3, "\x52\x54\x00", 3);
    g_assert_cmpint(memcmp(mac, other, 6), !=, 0);
}

static void
testLists(void)
{
    g_autoptr(GPtrArray) list = virtNetdevListNew();
    g_autoptr(GPtrArray) copy = NULL;

    g_ptr_array_add(list, virtNetdevNew(2));
    g_ptr_array_add(list, virtNetdevNew(1));
    copy = virtNetdevListCopy(list);
    virtNetdevListSort(copy);
    g_assert_cmpuint(((virtNetdev *)copy->pdata[0])->port, ==, 1);
    g_assert_true(virtNetdevListFind(list, 2) == list->pdata[0]);
    g_assert_null(virtNetdevListFind(list, 3));
    g_assert_null(virtNetdevListFind(NULL, 1));
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/netdev/rates", testRates);
    g_test_add_func("/netdev/rate-rounding", testRateRounding);
    g_test_add_func("/netdev/format", testFormat);
    g_test_add_func("/netdev/diff", testDiff);
    g_test_add_func("/netdev/vlan-equal", testVlanEqual);
    g_test_add_func("/netdev/round-trip", testRoundTrip);
    g_test_add_func("/netdev/on-wire", testOnWire);
    g_test_add_func("/netdev/not-reported", testNotReported);
    g_test_add_func("/netdev/mac", testMac);
    g_test_add_func("/netdev/lists", testLists);
    return g_test_run();
}
