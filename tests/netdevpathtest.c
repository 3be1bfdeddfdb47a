/* netdevpathtest.c: VFs whose settings go through devlink, because an eswitch has functions for them
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "fakehost.h"
#include "util/virerror.h"
#include "util/virnetdevhostdev.h"
#include "util/virnetdevpath.h"

#include <errno.h>
#include <string.h>

#define PF "0000:41:00.0"
#define BIT VIRT_NETDEV_BIT

/* VF 3 of a dual-port card in switchdev mode. */
typedef struct {
    fakeHost *fake;
    virtVF *vf;
    GPtrArray *wanted;
} Fixture;

static virtNetdev *
makeWanted(guint port)
{
    virtNetdev *netdev = virtNetdevNew(port);
    const guint8 mac[6] = {0x52, 0x54, 0, 1, 2, (guint8)port};

    memcpy(netdev->mac, mac, sizeof(mac));
    virtNetdevSetRate(netdev, 1000 * port, 100);
    netdev->link = 1;
    netdev->present = BIT(VIRT_NETDEV_MAC) | BIT(VIRT_NETDEV_BANDWIDTH) | BIT(VIRT_NETDEV_LINK);
    return netdev;
}

static void
setUp(Fixture *f, gconstpointer data)
{
    fakeVF *vf;

    f->fake = fakeHostNew();
    fakeHostAddPF(f->fake, "0000:01:00.0", 2, 5, "mlx5_core"); /* another's ports are in the list, too */
    fakeHostAddPF(f->fake, PF, 2, 5, "mlx5_core");
    fakeHostSwitchdev(f->fake, PF);
    f->fake->externals = 4;
    f->vf = fakeHostLookup(f->fake, PF, 3);
    f->wanted = virtNetdevListNew();
    g_ptr_array_add(f->wanted, makeWanted(1));
    g_ptr_array_add(f->wanted, makeWanted(2));
    vf = fakeHostVF(f->fake, PF, 2, 3);
    memcpy(vf->mac, "\x02\x11\x22\x33\x44\x55", 6);
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

static void
assertLog(Fixture *f, const char *expected)
{
    g_autofree char *log = fakeHostTakeLog(f->fake);

    g_assert_cmpstr(log, ==, expected);
}

static GPtrArray *
readAll(Fixture *f)
{
    g_autoptr(GError) error = NULL;
    GPtrArray *list = virtNetDevHostdevRead(f->fake->host, f->vf, f->wanted, &error);

    g_assert_no_error(error);
    return list;
}

static guint
getPF(Fixture *f, guint port)
{
    const virtDevlinkPort *function = virtVFGetFunction(f->vf, virtVFGetPort(f->vf, port, NULL));

    g_assert_nonnull(function);
    g_assert_cmpuint(function->vf, ==, 3);
    g_assert_false(function->isExternal);
    return function->pf;
}

/* Each port has its own, whatever the order of the list; those of other hosts and cards are nobody's here. */
static void
testPairs(Fixture *f, gconstpointer data)
{
    g_assert_cmpuint(getPF(f, 1), ==, 0);
    g_assert_cmpuint(getPF(f, 2), ==, 1);
    g_assert_cmpstr(virtVFGetFunction(f->vf, f->vf->ports->pdata[1])->netdev, ==, "pf1vf3");
}

/* MAC address and rate go through devlink, link state through the PF's netdev; all of it comes back. */
static void
testSet(Fixture *f, gconstpointer data)
{
    g_autofree char *dump = fakeHostDump(f->fake), *after = NULL;
    g_autoptr(GPtrArray) before = readAll(f);
    g_autoptr(GPtrArray) now = NULL;
    g_autoptr(GError) error = NULL;

    g_assert_true(virtNetDevHostdevSet(f->fake->host, f->vf, f->wanted, before, &error));
    g_assert_no_error(error);
    assertLog(f, "devlink enp65s0f0 vf 3 mac=52:54:00:01:02:01\n"
                 "devlink enp65s0f0 vf 3 bandwidth=100-0\n"
                 "devlink enp65s0f0 vf 3 bandwidth=100-1000\n"
                 "enp65s0f0 vf 3 link=1\n"
                 "devlink enp65s0f0d1 vf 3 mac=52:54:00:01:02:02\n"
                 "devlink enp65s0f0d1 vf 3 bandwidth=10-2000\n"
                 "devlink enp65s0f0d1 vf 3 bandwidth=100-2000\n"
                 "enp65s0f0d1 vf 3 link=1\n");
    now = readAll(f);
    for (guint i = 0; i < 2; i++)
        g_assert_cmphex(virtNetdevDiff(f->wanted->pdata[i], now->pdata[i]), ==, 0);
    g_assert_true(virtNetDevHostdevRestore(f->fake->host, f->vf, before, &error));
    g_assert_no_error(error);
    after = fakeHostDump(f->fake);
    g_assert_cmpstr(after, ==, dump);
}

/* Several VFs of which some have functions: nothing of those goes through the PF's netdev. */
static void
testMany(Fixture *f, gconstpointer data)
{
    g_autoptr(virtVF) other = fakeHostLookup(f->fake, "0000:01:00.0", 1);
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) list = virtNetdevListNew();
    virtNetDevHostdevChange changes[] = {{f->vf, list, NULL, 0}, {other, list, NULL, 0}};

    g_ptr_array_add(list, makeWanted(1));
    g_assert_null(other->functions);
    g_assert_true(virtNetDevHostdevSetMany(f->fake->host, changes, 2, &error));
    g_assert_no_error(error);
    assertLog(f, "enp1s0f0 vf 1 mac=52:54:00:01:02:01 bandwidth=100-1000 link=1\n"
                 "devlink enp65s0f0 vf 3 mac=52:54:00:01:02:01\n"
                 "devlink enp65s0f0 vf 3 bandwidth=100-0\n"
                 "devlink enp65s0f0 vf 3 bandwidth=100-1000\n"
                 "enp65s0f0 vf 3 link=1\n");
}

/* A rate of legacy mode's is not in a new leaf, and goes all the same. */
static void
testRateLeft(Fixture *f, gconstpointer data)
{
    g_autoptr(GPtrArray) list = virtNetdevListNew();
    g_autoptr(GError) error = NULL;
    fakeVF *vf = fakeHostVF(f->fake, PF, 2, 3);
    virtNetdev *netdev = virtNetdevNew(2);

    f->fake->leavesForget = true;
    g_ptr_array_add(list, netdev);
    netdev->present = BIT(VIRT_NETDEV_BANDWIDTH);
    virtNetDevHostdevRestore(f->fake->host, f->vf, list, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(vf->maxRate + vf->minRate, ==, 0);
}

/* Whatever the limits were, the share is never above the maximum. */
static void
testRates(Fixture *f, gconstpointer data)
{
    static const guint32 limits[][2] = {{0, 0}, {0, 100}, {50, 100}, {50, 0}, {200, 300}, {300, 0}, {10, 20}};
    g_autoptr(GPtrArray) list = virtNetdevListNew();
    g_autoptr(GError) error = NULL;
    fakeVF *vf = fakeHostVF(f->fake, PF, 1, 3);
    virtNetdev *netdev = virtNetdevNew(1);

    g_ptr_array_add(list, netdev);
    netdev->present = BIT(VIRT_NETDEV_BANDWIDTH);
    for (guint from = 0; from < G_N_ELEMENTS(limits); from++) {
        for (guint to = 0; to < G_N_ELEMENTS(limits); to++) {
            vf->minRate = limits[from][0];
            vf->maxRate = limits[from][1];
            virtNetdevSetRate(netdev, limits[to][1], limits[to][0]);
            virtNetDevHostdevSet(f->fake->host, f->vf, list, NULL, &error);
            g_assert_no_error(error);
            g_assert_cmpuint(vf->minRate, ==, limits[to][0]);
            g_assert_cmpuint(vf->maxRate, ==, limits[to][1]);
        }
    }
}

static void
assertFails(Fixture *f, const char *part)
{
    g_autoptr(GError) error = NULL;

    g_assert_false(virtNetDevHostdevSet(f->fake->host, f->vf, f->wanted, NULL, &error));
    g_assert_error(error, VIRT_ERROR, VIRT_ERROR_REFUSED);
    if (!strstr(error->message, part))
        g_error("\"%s\" is not in: %s", part, error->message);
}

/* The kernel's own words reach the user, and who is busy is asked again. */
static void
testRefused(Fixture *f, gconstpointer data)
{
    f->fake->refused = BIT(VIRT_NETDEV_MAC);
    f->fake->failErrno = EBUSY;
    f->fake->extack = "the function is in a state";
    assertFails(f, "Cannot set MAC address 52:54:00:01:02:01 on port 1 (VF 3 of enp65s0f0, 0000:41:10.6): "
                   "Device or resource busy (the function is in a state)");
    g_assert_cmpuint(f->fake->slept, >, 0);
    fakeHostHeal(f->fake);
    f->fake->ignored = BIT(VIRT_NETDEV_BANDWIDTH);
    assertFails(f, "the driver acknowledged it, but the value is now");
    fakeHostHeal(f->fake);
    f->fake->busy = 2;
    g_assert_true(virtNetDevHostdevSet(f->fake->host, f->vf, f->wanted, NULL, NULL));
}

/* What devlink does not show of a function goes through the PF's netdev. */
static void
testLacking(Fixture *f, gconstpointer data)
{
    g_autoptr(GPtrArray) list = virtNetdevListNew();

    f->fake->noMacs = f->fake->noRates = true;
    virtVFFree(f->vf);
    f->vf = fakeHostLookup(f->fake, PF, 3);
    g_ptr_array_add(list, makeWanted(1));
    g_assert_true(virtNetDevHostdevSet(f->fake->host, f->vf, list, NULL, NULL));
    assertLog(f, "enp65s0f0 vf 3 mac=52:54:00:01:02:01 bandwidth=100-1000 link=1\n");
}

/* Where nobody says which function is which port's, none is used; nor is devlink where there is none, or in legacy
 * mode. */
static void
testUnpaired(Fixture *f, gconstpointer data)
{
    g_autoptr(virtVF) legacy = NULL;
    guint asked;

    f->fake->lacksFunction = 1;
    virtVFFree(f->vf);
    f->vf = fakeHostLookup(f->fake, PF, 3);
    g_assert_null(f->vf->functions);
    f->fake->devlinkErrno = ENODEV;
    virtVFFree(f->vf);
    f->vf = fakeHostLookup(f->fake, PF, 3);
    g_assert_null(f->vf->functions);
    asked = f->fake->devlinkAsked;
    legacy = fakeHostLookup(f->fake, "0000:01:00.0", 3);
    g_assert_null(legacy->functions);
    g_assert_cmpuint(f->fake->devlinkAsked, ==, asked);
}

/* devlink that does not answer is no devlink that has nothing. */
static void
testUntold(Fixture *f, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    virtPCIAddress address;

    f->fake->devlinkErrno = EPERM;
    g_assert_null(virtNetDevHostdevRead(f->fake->host, f->vf, f->wanted, &error));
    g_assert_error(error, VIRT_ERROR, VIRT_ERROR_HOST);
    g_clear_error(&error);
    virtPCIAddressParse(fakeHostVFAddress(f->fake, PF, 3), &address, NULL);
    g_assert_null(virtVFLookup(f->fake->host, &address, &error));
    g_assert_error(error, VIRT_ERROR, VIRT_ERROR_HOST);
    g_assert_cmpstr(error->message, ==, "Cannot ask devlink about pci/" PF ": Operation not permitted");
}

/* What a switch does with frames is not a VF's in switchdev mode; no VLAN is. */
static void
testOfSwitch(Fixture *f, gconstpointer data)
{
    static const guint all =
        BIT(VIRT_NETDEV_VLAN) | BIT(VIRT_NETDEV_SPOOFCHECK) | BIT(VIRT_NETDEV_TRUST) | BIT(VIRT_NETDEV_VIRTUALPORT);
    g_autofree virtNetdev *netdev = makeWanted(1);
    g_autoptr(virtVF) legacy = fakeHostLookup(f->fake, "0000:01:00.0", 3);

    netdev->present |= all;
    netdev->vlan.id = 42;
    g_assert_cmphex(virtNetdevPathFindOfSwitch(f->vf, f->vf->ports->pdata[0], netdev), ==, all);
    g_assert_cmphex(virtNetdevPathFindOfSwitch(legacy, legacy->ports->pdata[0], netdev), ==, 0);
    netdev->vlan.id = 0;
    g_assert_cmphex(virtNetdevPathFindOfSwitch(f->vf, f->vf->ports->pdata[0], netdev), ==,
                    all & ~BIT(VIRT_NETDEV_VLAN));
}

int
main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*test)(Fixture *f, gconstpointer data);
    } tests[] = {
        {"/path/pairs", testPairs},       {"/path/set", testSet},
        {"/path/many", testMany},         {"/path/rates", testRates},
        {"/path/refused", testRefused},   {"/path/lacking", testLacking},
        {"/path/unpaired", testUnpaired}, {"/path/rate-left", testRateLeft},
        {"/path/untold", testUntold},     {"/path/of-switch", testOfSwitch},
    };

    g_test_init(&argc, &argv, NULL);
    for (guint i = 0; i < G_N_ELEMENTS(tests); i++)
        g_test_add(tests[i].name, Fixture, NULL, setUp, tests[i].test, tearDown);
    return g_test_run();
}
