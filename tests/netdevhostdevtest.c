/* netdevhostdevtest.c: reading, setting and putting back the netdevs of a VF, with every write failing once
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "fakehost.h"
#include "util/virerror.h"
#include "util/virnetdevhostdev.h"

#include <errno.h>
#include <linux/if_ether.h>
#include <string.h>

#define PF "0000:41:00.0"
#define BIT VIRT_NETDEV_BIT

/* VF 3 of a dual-port card. */
typedef struct {
    fakeHost *fake;
    virtVF *vf;
    GPtrArray *wanted; /* both ports, every attribute the fake driver reports */
} Fixture;

static virtNetdev *
makeWanted(guint port)
{
    virtNetdev *netdev = virtNetdevNew(port);
    const guint8 mac[6] = {0x52, 0x54, 0, 1, 2, (guint8)port};

    memcpy(netdev->mac, mac, sizeof(mac));
    netdev->vlan.id = (guint16)(41 + port);
    netdev->vlan.priority = 3;
    netdev->vlan.protocol = port == 1 ? ETH_P_8021Q : ETH_P_8021AD;
    virtNetdevSetRate(netdev, 1000 * port, 100);
    netdev->link = 1;
    netdev->trust = 1;
    netdev->present = BIT(VIRT_NETDEV_MAC) | BIT(VIRT_NETDEV_VLAN) | BIT(VIRT_NETDEV_BANDWIDTH) |
                      BIT(VIRT_NETDEV_SPOOFCHECK) | BIT(VIRT_NETDEV_LINK) | BIT(VIRT_NETDEV_TRUST);
    return netdev;
}

static void
setUp(Fixture *f, gconstpointer data)
{
    fakeVF *vf;

    f->fake = fakeHostNew();
    fakeHostAddPF(f->fake, PF, 2, 5, "mlx4_core");
    f->vf = fakeHostLookup(f->fake, PF, 3);
    f->wanted = virtNetdevListNew();
    g_ptr_array_add(f->wanted, makeWanted(1));
    g_ptr_array_add(f->wanted, makeWanted(2));
    /* The host had something of its own there. */
    vf = fakeHostVF(f->fake, PF, 2, 3);
    memcpy(vf->mac, "\x02\x11\x22\x33\x44\x55", 6);
    vf->vlan = 7;
    vf->qos = 5;
    vf->minRate = 10;
    vf->maxRate = 500;
}

static void
tearDown(Fixture *f, gconstpointer data)
{
    g_ptr_array_unref(f->wanted);
    virtVFFree(f->vf);
    fakeHostFree(f->fake);
}

static GPtrArray *
readAll(Fixture *f)
{
    g_autoptr(GError) error = NULL;
    GPtrArray *list = virtNetDevHostdevRead(f->fake->host, f->vf, f->wanted, &error);

    g_assert_no_error(error);
    return list;
}

static void
set(Fixture *f, const GPtrArray *present)
{
    g_autoptr(GError) error = NULL;
    bool ok = virtNetDevHostdevSet(f->fake->host, f->vf, f->wanted, present, &error);

    g_assert_no_error(error);
    g_assert_true(ok);
}

static void
restore(Fixture *f, const GPtrArray *before)
{
    g_autoptr(GError) error = NULL;
    bool ok = virtNetDevHostdevRestore(f->fake->host, f->vf, before, &error);

    g_assert_no_error(error);
    g_assert_true(ok);
}

static void
assertSays(const GError *error, const char *part)
{
    g_assert_error(error, VIRT_ERROR, VIRT_ERROR_REFUSED);
    if (!strstr(error->message, part))
        g_error("\"%s\" is not in: %s", part, error->message);
}

static void
assertLog(Fixture *f, const char *expected)
{
    g_autofree char *log = fakeHostTakeLog(f->fake);

    g_assert_cmpstr(log, ==, expected);
}

static void
assertDump(Fixture *f, const char *expected)
{
    g_autofree char *dump = fakeHostDump(f->fake);

    g_assert_cmpstr(dump, ==, expected);
}

/* One request a port, whatever the number of attributes; one reading of each port to check; nothing the second time. */
static void
testSet(Fixture *f, gconstpointer data)
{
    g_autoptr(GPtrArray) before = readAll(f);
    g_autoptr(GPtrArray) after = NULL;

    set(f, before);
    assertLog(f,
              "enp65s0f0 vf 3 mac=52:54:00:01:02:01 vlan=42:3:8100 bandwidth=100-1000 spoofcheck=0 link=1 trust=1\n"
              "enp65s0f0d1 vf 3 mac=52:54:00:01:02:02 vlan=43:3:88a8 bandwidth=100-2000 spoofcheck=0 link=1 trust=1\n");
    g_assert_cmpuint(f->fake->sets, ==, 2);
    g_assert_cmpuint(f->fake->gets, ==, 4);
    after = readAll(f);
    for (guint i = 0; i < 2; i++)
        g_assert_cmphex(virtNetdevDiff(f->wanted->pdata[i], after->pdata[i]), ==, 0);
    set(f, after);
    assertLog(f, "");
    g_assert_cmpuint(f->fake->gets, ==, 6);
}

static void
testRestore(Fixture *f, gconstpointer data)
{
    g_autofree char *dump = fakeHostDump(f->fake);
    g_autoptr(GPtrArray) before = readAll(f);

    set(f, before);
    f->fake->sets = f->fake->gets = 0;
    restore(f, before);
    assertDump(f, dump);
    g_assert_cmpuint(f->fake->sets, ==, 2);
    g_assert_cmpuint(f->fake->gets, ==, 4);
    restore(f, before);
    g_assert_cmpuint(f->fake->sets, ==, 2);
    g_assert_cmpuint(f->fake->warnings->len, ==, 0);
}

static void
testOnlyWanted(Fixture *f, gconstpointer data)
{
    g_autoptr(GPtrArray) before = readAll(f);

    ((virtNetdev *)f->wanted->pdata[0])->present = BIT(VIRT_NETDEV_VLAN);
    ((virtNetdev *)f->wanted->pdata[1])->present = 0;
    set(f, before);
    assertLog(f, "enp65s0f0 vf 3 vlan=42:3:8100\n");
}

static void
testReadAll(Fixture *f, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) all = virtNetDevHostdevRead(f->fake->host, f->vf, NULL, &error);
    g_autoptr(GPtrArray) none = NULL;

    g_assert_no_error(error);
    g_assert_cmpuint(all->len, ==, 2);
    g_assert_cmpuint(((virtNetdev *)all->pdata[1])->vlan.id, ==, 7);
    none = virtNetdevListNew();
    g_ptr_array_add(none, virtNetdevNew(3));
    g_assert_null(virtNetDevHostdevRead(f->fake->host, f->vf, none, &error));
    g_assert_error(error, VIRT_ERROR, VIRT_ERROR_HOST);
    g_clear_error(&error);
    g_ptr_array_add(f->wanted, virtNetdevNew(3));
    g_assert_false(virtNetDevHostdevSet(f->fake->host, f->vf, f->wanted, all, &error));
    g_assert_error(error, VIRT_ERROR, VIRT_ERROR_HOST);
    g_assert_cmpuint(f->fake->sets, ==, 0);
}

/* The nth attribute refused, for every n: named, and what was set can be put back although it stays refused. */
static void
testEveryAttribute(Fixture *f, gconstpointer data)
{
    static const char *const titles[] = {"MAC address", "VLAN", "rate", "spoof check", "link state", "trust"};
    g_autofree char *dump = fakeHostDump(f->fake);
    g_autoptr(GPtrArray) before = readAll(f);

    for (guint n = 1; n <= 12; n++) {
        g_autoptr(GError) error = NULL;
        g_autofree char *start = g_strdup_printf("Cannot set %s ", titles[(n - 1) % 6]);

        f->fake->failAttr = n;
        f->fake->failErrno = EOPNOTSUPP;
        f->fake->extack = "not here";
        g_assert_false(virtNetDevHostdevSet(f->fake->host, f->vf, f->wanted, before, &error));
        assertSays(error, start);
        assertSays(error, n <= 6 ? "on port 1 (VF 3 of enp65s0f0, 0000:41:10.6)"
                                 : "on port 2 (VF 3 of enp65s0f0d1, 0000:41:10.6)");
        assertSays(error, ": Operation not supported (not here). ");
        restore(f, before);
        assertDump(f, dump);
        fakeHostHeal(f->fake);
    }
}

/* Each request refused once, whole and without a trace: the second try succeeds. */
static void
testEveryRequest(Fixture *f, gconstpointer data)
{
    g_autofree char *dump = fakeHostDump(f->fake);
    g_autoptr(GPtrArray) before = readAll(f);

    for (guint n = 1; n <= 2; n++) {
        f->fake->failRequest = n;
        set(f, before);
        f->fake->failRequest = n;
        restore(f, before);
        assertDump(f, dump);
    }
}

/* Whatever single attribute cannot be put back: all others are, and exactly that one is told. */
static void
testRestoreEveryAttribute(Fixture *f, gconstpointer data)
{
    static const char *const titles[] = {"MAC address", "VLAN", "rate", "spoof check", "link state", "trust"};
    g_autofree char *dump = fakeHostDump(f->fake);
    g_autoptr(GPtrArray) before = readAll(f);

    for (guint n = 1; n <= 12; n++) {
        g_autoptr(GError) error = NULL;
        g_autofree char *start = g_strdup_printf("Cannot restore %s ", titles[(n - 1) % 6]);
        g_autoptr(GPtrArray) now = NULL;
        guint left;

        set(f, before);
        f->fake->failAttr = n;
        g_assert_false(virtNetDevHostdevRestore(f->fake->host, f->vf, before, &error));
        assertSays(error, start);
        g_assert_null(strstr(strstr(error->message, "Cannot") + 1, "Cannot"));
        now = readAll(f);
        left = virtNetdevDiff(before->pdata[0], now->pdata[0]) | virtNetdevDiff(before->pdata[1], now->pdata[1]) << 16;
        g_assert_cmpint(__builtin_popcount(left), ==, 1);
        fakeHostHeal(f->fake);
        restore(f, before);
        assertDump(f, dump);
    }
}

/* What the kernel took before it refused is not written again. */
static void
testOneByOne(Fixture *f, gconstpointer data)
{
    g_autoptr(GPtrArray) before = readAll(f);
    g_autoptr(GError) error = NULL;

    f->fake->refused = BIT(VIRT_NETDEV_SPOOFCHECK);
    g_assert_false(virtNetDevHostdevSet(f->fake->host, f->vf, f->wanted, before, &error));
    assertSays(error, "Cannot set spoof check no ");
    assertLog(f, "enp65s0f0 vf 3 mac=52:54:00:01:02:01 vlan=42:3:8100 bandwidth=100-1000 spoofcheck=0!1\n"
                 "enp65s0f0 vf 3 spoofcheck=0!1\n");
    fakeHostHeal(f->fake);
    restore(f, before);
}

static void
testRestoreReportsAll(Fixture *f, gconstpointer data)
{
    g_autoptr(GPtrArray) before = readAll(f);
    g_autoptr(GError) error = NULL;

    set(f, before);
    f->fake->refused = BIT(VIRT_NETDEV_VLAN) | BIT(VIRT_NETDEV_TRUST);
    f->fake->ignored = BIT(VIRT_NETDEV_LINK);
    g_ptr_array_add(before, virtNetdevNew(3));
    g_assert_false(virtNetDevHostdevRestore(f->fake->host, f->vf, before, &error));
    assertSays(error, "Cannot restore VLAN none on port 1 (VF 3 of enp65s0f0, 0000:41:10.6): Operation not permitted");
    assertSays(error, "Cannot restore VLAN 7 (priority 5) on port 2");
    assertSays(error, "Cannot restore trust no on port 1");
    assertSays(error, "Cannot restore trust no on port 2");
    assertSays(
        error,
        "Cannot restore link state auto on port 1 (VF 3 of enp65s0f0, 0000:41:10.6): the driver acknowledged it, but the value is now up");
    assertSays(error, "has no port 3");
    g_assert_cmpuint(fakeHostVF(f->fake, PF, 2, 3)->maxRate, ==, 500);
    g_assert_cmpuint(f->fake->sets, <, 40);
}

static void
testIgnored(Fixture *f, gconstpointer data)
{
    g_autoptr(GPtrArray) before = readAll(f);
    g_autoptr(GError) error = NULL;

    f->fake->ignored = BIT(VIRT_NETDEV_VLAN);
    f->fake->faultPort = 2;
    g_assert_false(virtNetDevHostdevSet(f->fake->host, f->vf, f->wanted, before, &error));
    assertSays(
        error,
        "Cannot set VLAN 43 (priority 3, 802.1ad) on port 2 (VF 3 of enp65s0f0d1, 0000:41:10.6): the driver acknowledged it, but the value is now 7 (priority 5). ");
}

static void
testNotReported(Fixture *f, gconstpointer data)
{
    virtNetdev *netdev = f->wanted->pdata[0];
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) before = readAll(f);
    virtNetdev *was;

    netdev->present = BIT(VIRT_NETDEV_VIRTUALPORT) | BIT(VIRT_NETDEV_VLAN);
    g_strlcpy(netdev->profileid, "web", sizeof(netdev->profileid));
    g_ptr_array_set_size(f->wanted, 1);
    g_assert_false(virtNetDevHostdevSet(f->fake->host, f->vf, f->wanted, before, &error));
    assertSays(
        error,
        "Cannot set port profile web on port 1 (VF 3 of enp65s0f0, 0000:41:10.6): Operation not supported. Check the profile's name on the switch");
    f->fake->profiles = true;
    fakeHostVF(f->fake, PF, 1, 3)->response = 0x100;
    set(f, before);
    /* The caller completes what it could not see. */
    was = before->pdata[0];
    was->present |= BIT(VIRT_NETDEV_VIRTUALPORT);
    restore(f, before);
    g_assert_cmpstr(fakeHostVF(f->fake, PF, 1, 3)->profile, ==, "");
}

static void
testGuids(Fixture *f, gconstpointer data)
{
    virtNetdev *netdev = f->wanted->pdata[0];
    g_autofree char *dump = NULL;
    g_autoptr(GPtrArray) before = NULL;

    f->fake->guids = true;
    netdev->nodeGuid = 0x1111;
    netdev->portGuid = 0x2222;
    netdev->present |= BIT(VIRT_NETDEV_NODE_GUID) | BIT(VIRT_NETDEV_PORT_GUID);
    dump = fakeHostDump(f->fake);
    before = readAll(f);
    set(f, before);
    g_assert_cmphex(fakeHostVF(f->fake, PF, 1, 3)->portGuid, ==, 0x2222);
    g_assert_cmpuint(f->fake->sets, ==, 3);
    restore(f, before);
    assertDump(f, dump);
}

static void
testBusy(Fixture *f, gconstpointer data)
{
    g_autoptr(GPtrArray) before = readAll(f);
    g_autoptr(GError) error = NULL;

    f->fake->busy = 3;
    set(f, before);
    f->fake->busy = G_MAXUINT;
    g_assert_false(virtNetDevHostdevRestore(f->fake->host, f->vf, before, &error));
    assertSays(error, "Resource temporarily unavailable. The device is busy, perhaps being reset: try again");
    f->fake->busy = 5;
    f->fake->host->slept = 0; /* as under a lock that was taken since */
    restore(f, before);
}

static void
testDown(Fixture *f, gconstpointer data)
{
    g_autoptr(GPtrArray) before = readAll(f);
    g_autoptr(GError) error = NULL;
    g_autoptr(virtVF) vf = NULL;

    fakeHostFile(f->fake, "0x1002\n", "sys/class/net/enp65s0f0/flags");
    f->fake->refused = BIT(VIRT_NETDEV_BANDWIDTH);
    f->fake->failErrno = EINVAL;
    vf = fakeHostLookup(f->fake, PF, 3);
    g_assert_false(virtNetDevHostdevSet(f->fake->host, vf, f->wanted, before, &error));
    assertSays(
        error,
        "Cannot set rate 1000 Mb/s at most, 100 Mb/s at least on port 1 (VF 3 of enp65s0f0, 0000:41:10.6): Invalid argument. PF netdev enp65s0f0 is down: bring it up with 'ip link set dev enp65s0f0 up'");
}

/* --- What is special about drivers --- */

static void
testRandomMac(Fixture *f, gconstpointer data)
{
    g_autoptr(GPtrArray) before = NULL;
    g_autoptr(GPtrArray) again = NULL;
    g_autofree char *log = NULL;
    g_autoptr(GPtrArray) chosen = NULL;
    g_autoptr(GPtrArray) neighbour = NULL;

    fakeHostRandomMac(f->fake, PF, 1, 3, "ba:11:22:33:44:55");
    before = readAll(f);
    g_assert_true(virtMacIsZero(((virtNetdev *)before->pdata[0])->mac));
    restore(f, before);
    g_assert_cmpuint(f->fake->sets, ==, 0);
    set(f, before);
    restore(f, before);
    g_assert_true(virtMacIsZero(fakeHostVF(f->fake, PF, 1, 3)->mac));
    /* A user may want that very address; then it must become an admin MAC, and is not "ignored". */
    fakeHostRandomMac(f->fake, PF, 1, 3, "52:54:00:01:02:01");
    again = readAll(f);
    g_string_truncate(f->fake->log, 0);
    set(f, again);
    log = fakeHostTakeLog(f->fake);
    g_assert_true(g_str_has_prefix(log, "enp65s0f0 vf 3 mac=52:54:00:01:02:01 "));
    restore(f, f->wanted);
    /* Somebody else's choice (3: NET_ADDR_SET), or another port's address: the MAC is what it is. */
    fakeHostFile(f->fake, "3\n", "sys/class/net/enp65s16f6/addr_assign_type");
    chosen = readAll(f);
    g_assert_cmpuint(((virtNetdev *)chosen->pdata[0])->mac[0], ==, 0x52);
    fakeHostFile(f->fake, "02:11:22:33:44:55\n", "sys/class/net/enp65s16f6/address");
    fakeHostFile(f->fake, "1\n", "sys/class/net/enp65s16f6/addr_assign_type");
    restore(f, before);
    neighbour = readAll(f);
    g_assert_cmpuint(((virtNetdev *)neighbour->pdata[1])->mac[5], ==, 0x55);
}

static void
testZeroMac(Fixture *f, gconstpointer data)
{
    g_autoptr(GPtrArray) before = readAll(f);

    set(f, before);
    f->fake->refuseZeroMac = true;
    restore(f, before);
    g_assert_cmpmem(fakeHostVF(f->fake, PF, 1, 3)->mac, 6, "\x02\0\0\0\0\0", 6);
    g_assert_cmpmem(fakeHostVF(f->fake, PF, 2, 3)->mac, 6, "\x02\x11\x22\x33\x44\x55", 6);
    g_assert_cmpuint(f->fake->warnings->len, ==, 1);
    g_assert_nonnull(
        strstr(f->fake->warnings->pdata[0], "Port 1 (VF 3 of enp65s0f0, 0000:41:10.6) had no MAC address set"));
    /* Once more: the same end, said once. */
    restore(f, before);
    g_assert_cmpmem(fakeHostVF(f->fake, PF, 1, 3)->mac, 6, "\x02\0\0\0\0\0", 6);
    g_assert_cmpuint(f->fake->warnings->len, ==, 1);
}

static void
testVlanNone(Fixture *f, gconstpointer data)
{
    g_autofree char *dump = NULL;
    g_autoptr(GPtrArray) before = NULL;

    f->fake->vlanNone4095 = true;
    dump = fakeHostDump(f->fake);
    before = readAll(f);
    g_assert_cmpuint(((virtNetdev *)before->pdata[0])->vlan.id, ==, 0);
    set(f, before);
    f->fake->refuseVlanZero = true;
    restore(f, before);
    assertDump(f, dump);
}

/* mlx4: the guest's rate stands in the way of the VLAN until it is gone. */
static void
testVlanBehindRate(Fixture *f, gconstpointer data)
{
    g_autofree char *dump = NULL;
    g_autoptr(GPtrArray) before = NULL;

    fakeHostVF(f->fake, PF, 2, 3)->maxRate = 0;
    dump = fakeHostDump(f->fake);
    before = readAll(f);
    set(f, before);
    f->fake->vlanNeedsNoRate = true;
    restore(f, before);
    assertDump(f, dump);
}

/* The host had a rate there too: it is lifted while the VLAN changes. */
static void
testVlanBetweenRates(Fixture *f, gconstpointer data)
{
    g_autofree char *dump = fakeHostDump(f->fake);
    g_autoptr(GPtrArray) before = readAll(f);

    set(f, before);
    f->fake->vlanNeedsNoRate = true;
    restore(f, before);
    assertDump(f, dump);
    /* Nobody asked for the rate: it is as it was, also when the VLAN was in its way. */
    fakeHostVF(f->fake, PF, 2, 3)->vlan = 99;
    ((virtNetdev *)before->pdata[1])->present = BIT(VIRT_NETDEV_VLAN);
    restore(f, before);
    assertDump(f, dump);
}

/* At set time too; the rate that was there stays where nobody asks for another. */
static void
testSetVlanBehindRate(Fixture *f, gconstpointer data)
{
    g_autoptr(GPtrArray) before = readAll(f);
    virtNetdev *wanted = f->wanted->pdata[1];
    g_autoptr(GError) error = NULL;

    g_ptr_array_remove_index(f->wanted, 0);
    f->fake->vlanNeedsNoRate = true;
    wanted->present = BIT(VIRT_NETDEV_VLAN);
    set(f, before);
    assertLog(f, "enp65s0f0d1 vf 3 vlan=43:3:88a8!1\n"
                 "enp65s0f0d1 vf 3 bandwidth=0-0\n"
                 "enp65s0f0d1 vf 3 vlan=43:3:88a8\n"
                 "enp65s0f0d1 vf 3 bandwidth=10-500\n");
    wanted->vlan.id = 44;
    wanted->present |= BIT(VIRT_NETDEV_BANDWIDTH);
    set(f, before);
    g_assert_cmpuint(fakeHostVF(f->fake, PF, 2, 3)->vlan, ==, 44);
    g_assert_cmpuint(fakeHostVF(f->fake, PF, 2, 3)->maxRate, ==, 2000);
    /* What is refused for another reason is named, and the rate is there again. */
    wanted->vlan.id = 45;
    wanted->present = BIT(VIRT_NETDEV_VLAN);
    f->fake->refused = BIT(VIRT_NETDEV_VLAN);
    g_assert_false(virtNetDevHostdevSet(f->fake->host, f->vf, f->wanted, before, &error));
    assertSays(
        error,
        "Cannot set VLAN 45 (priority 3, 802.1ad) on port 2 (VF 3 of enp65s0f0d1, 0000:41:10.6): Operation not permitted");
    g_assert_cmpuint(fakeHostVF(f->fake, PF, 2, 3)->maxRate, ==, 2000);
}

/* mlx4: no stand-in for the MAC address where spoof check only has to go first. */
static void
testMacBehindSpoofcheck(Fixture *f, gconstpointer data)
{
    g_autofree char *dump = NULL;
    g_autoptr(GPtrArray) before = NULL;

    fakeHostVF(f->fake, PF, 1, 3)->spoofchk = 0;
    dump = fakeHostDump(f->fake);
    before = readAll(f);
    set(f, before);
    fakeHostVF(f->fake, PF, 1, 3)->spoofchk = 1;
    f->fake->macNeedsNoSpoofcheck = true;
    restore(f, before);
    assertDump(f, dump);
    g_assert_cmpuint(f->fake->warnings->len, ==, 0);
}

/* mlx4: the VF has no port 1, and what is written there lands on port 2, which nobody spoke of. */
static void
testRedirect(Fixture *f, gconstpointer data)
{
    g_autofree char *dump = fakeHostDump(f->fake);
    g_autoptr(GPtrArray) before = readAll(f);
    g_autoptr(GError) error = NULL;

    g_ptr_array_remove_index(f->wanted, 1);
    f->fake->lacksPort = 1;
    g_assert_false(virtNetDevHostdevSet(f->fake->host, f->vf, f->wanted, before, &error));
    assertSays(
        error,
        "VF 3 of PF 0000:41:00.0 (0000:41:10.6) lacks the port that was to be set: the driver has written it to port 2. That was undone");
    assertDump(f, dump);
    /* A refusal half-way, too. */
    g_clear_error(&error);
    f->fake->refused = BIT(VIRT_NETDEV_TRUST);
    g_assert_false(virtNetDevHostdevSet(f->fake->host, f->vf, f->wanted, before, &error));
    assertSays(error, "written it to port 2. That was undone");
    assertDump(f, dump);
    /* Nothing went astray: the refusal stands. */
    g_clear_error(&error);
    f->fake->lacksPort = 0;
    g_assert_false(virtNetDevHostdevSet(f->fake->host, f->vf, f->wanted, before, &error));
    assertSays(error, "Cannot set trust yes on port 1");
}

/* enic: written and believed, and nothing is known of what was there. */
static void
testSilent(Fixture *f, gconstpointer data)
{
    g_autoptr(GPtrArray) before = NULL;
    g_autoptr(GPtrArray) none = NULL;
    g_autoptr(GError) error = NULL;

    f->fake->silent = true;
    before = readAll(f);
    g_assert_cmphex(((virtNetdev *)before->pdata[0])->present, ==, 0);
    set(f, before);
    g_assert_cmpuint(fakeHostVF(f->fake, PF, 1, 3)->vlan, ==, 42);
    g_assert_cmpuint(fakeHostVF(f->fake, PF, 2, 3)->trust, ==, 1);
    none = virtNetdevListNew();
    g_ptr_array_add(none, virtNetdevNew(1));
    ((virtNetdev *)none->pdata[0])->present = BIT(VIRT_NETDEV_MAC) | BIT(VIRT_NETDEV_VLAN);
    restore(f, none);
    g_assert_cmpuint(fakeHostVF(f->fake, PF, 1, 3)->vlan, ==, 0);
    g_assert_true(virtMacIsZero(fakeHostVF(f->fake, PF, 1, 3)->mac));
    /* A refusal is one all the same. */
    f->fake->refused = BIT(VIRT_NETDEV_VLAN);
    g_assert_false(virtNetDevHostdevSet(f->fake->host, f->vf, f->wanted, before, &error));
    assertSays(error, "Cannot set VLAN 42 (priority 3) on port 1");
}

/* A pass that gains is followed by another: the MAC waits for the link, and that for trust. */
static int
judgeChain(void *opaque, guint port, guint vf, virtNetdevAttr attr, const fakeVF *wanted)
{
    const fakeVF *now = fakeHostVF(opaque, PF, port, vf);

    if (attr == VIRT_NETDEV_MAC && now->link)
        return EBUSY;
    if (attr == VIRT_NETDEV_LINK && now->trust)
        return EPERM;
    return 0;
}

static void
testChain(Fixture *f, gconstpointer data)
{
    g_autofree char *dump = fakeHostDump(f->fake);
    g_autoptr(GPtrArray) before = readAll(f);

    set(f, before);
    f->fake->judge = judgeChain;
    f->fake->judgeOpaque = f->fake;
    restore(f, before);
    assertDump(f, dump);
}

static void
testUnreadable(Fixture *f, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *dump = fakeHostDump(f->fake);
    g_autoptr(GPtrArray) before = readAll(f);

    set(f, before);
    /* Written blindly, but not called restored. */
    fakeHostVF(f->fake, PF, 1, 3)->hidden = true;
    g_assert_false(virtNetDevHostdevRestore(f->fake->host, f->vf, before, &error));
    assertSays(error, "VF 3 is not in the kernel's list of enp65s0f0, which shows 4 of 5 VFs");
    assertDump(f, dump);
    fakeHostVF(f->fake, PF, 1, 3)->hidden = false;
    restore(f, before);
}

/* The ifindex is another netdev's in this network namespace: nothing is written there, not even blindly. */
static void
testOtherNamespace(Fixture *f, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) before = readAll(f);
    g_autofree char *other = NULL;
    g_autofree char *dump = NULL;

    fakeHostAddPF(f->fake, "0000:42:00.0", 1, 5, "igb");
    set(f, before);
    other = fakeHostRead(f->fake, "sys/class/net/%s/ifindex", fakeHostIfname(f->fake, "0000:42:00.0", 1));
    dump = fakeHostDump(f->fake);
    for (guint i = 0; i < f->vf->ports->len; i++)
        ((virtPort *)f->vf->ports->pdata[i])->ifindex = (guint)g_ascii_strtoull(other, NULL, 10);
    g_assert_false(virtNetDevHostdevRestore(f->fake->host, f->vf, before, &error));
    assertSays(error, "sysfs shows another network namespace");
    assertDump(f, dump);
}

static void
testUnreadableSet(Fixture *f, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) before = readAll(f);

    f->fake->getErrno = EMSGSIZE;
    g_assert_false(virtNetDevHostdevSet(f->fake->host, f->vf, f->wanted, before, &error));
    g_assert_error(error, VIRT_ERROR, VIRT_ERROR_HOST);
    g_clear_error(&error);
    g_assert_null(virtNetDevHostdevRead(f->fake->host, f->vf, f->wanted, &error));
    g_assert_error(error, VIRT_ERROR, VIRT_ERROR_HOST);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define ADD(name, func) g_test_add("/hostdev/" name, Fixture, NULL, setUp, func, tearDown)
    ADD("set", testSet);
    ADD("restore", testRestore);
    ADD("only-wanted", testOnlyWanted);
    ADD("read-all", testReadAll);
    ADD("every-attribute", testEveryAttribute);
    ADD("every-request", testEveryRequest);
    ADD("restore-every-attribute", testRestoreEveryAttribute);
    ADD("one-by-one", testOneByOne);
    ADD("restore-reports-all", testRestoreReportsAll);
    ADD("ignored", testIgnored);
    ADD("not-reported", testNotReported);
    ADD("guids", testGuids);
    ADD("busy", testBusy);
    ADD("down", testDown);
    ADD("random-mac", testRandomMac);
    ADD("zero-mac", testZeroMac);
    ADD("vlan-none", testVlanNone);
    ADD("vlan-behind-rate", testVlanBehindRate);
    ADD("vlan-between-rates", testVlanBetweenRates);
    ADD("set-vlan-behind-rate", testSetVlanBehindRate);
    ADD("mac-behind-spoofcheck", testMacBehindSpoofcheck);
    ADD("redirect", testRedirect);
    ADD("silent", testSilent);
    ADD("chain", testChain);
    ADD("unreadable", testUnreadable);
    ADD("other-namespace", testOtherNamespace);
    ADD("unreadable-set", testUnreadableSet);
    return g_test_run();
}
