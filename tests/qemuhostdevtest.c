/* qemuhostdevtest.c: prepare, release and plan of whole domains, on a made-up host
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "hypervisor/provision_plan.h"
#include "twoguests.h"
#include "util/virstatefile.h"
#include "testrecord.h"

#include <string.h>
#include <unistd.h>

static void
testCycle(twoGuests *f, gconstpointer opaque)
{
    g_autoptr(GPtrArray) wanted = guestsWant(f, 1, 0xaa);
    g_autoptr(GError) error = NULL;
    g_autoptr(virtRecord) record = NULL;

    g_assert_true(virtProvisionPrepare(f->fake->host, f->a, wanted, &error));
    g_assert_no_error(error);
    g_assert_cmpuint(fakeHostVF(f->fake, PF, 1, 0)->vlan, ==, 100);
    g_assert_cmpuint(fakeHostVF(f->fake, PF, 2, 0)->vlan, ==, 200);
    g_assert_cmpuint(fakeHostVF(f->fake, PF, 2, 0)->mac[3], ==, 0xaa);
    record = testRecordLoad(f->fake->host, fakeHostVFAddress(f->fake, PF, 0), &error);
    g_assert_no_error(error);
    g_assert_cmpint(record->phase, ==, VIRT_PHASE_ACTIVE);
    g_assert_cmpuint(virtNetdevListFind(BEFORE(record), 2)->vlan.id, ==, 7);
    g_assert_true(testRelease(f->fake->host, f->a, NULL, &error));
    g_assert_no_error(error);
    guestsAssertAsBefore(f);
    g_assert_true(testRelease(f->fake->host, f->a, NULL, &error));
}

/* Many VFs: each of both ports is read once before and once after, and written once; putting back costs the same. */
static void
testFewRequests(twoGuests *f, gconstpointer opaque)
{
    g_autoptr(GPtrArray) wanted = guestsWant(f, 4, 0xaa);
    g_autoptr(GError) error = NULL;

    g_assert_true(virtProvisionPrepare(f->fake->host, f->a, wanted, &error));
    g_assert_no_error(error);
    g_assert_cmpuint(f->fake->gets, ==, 4);
    g_assert_cmpuint(f->fake->looks, ==, 0); /* what the ports are is in the same replies */
    g_assert_cmpuint(f->fake->sets, ==, 2);
    g_assert_true(testRelease(f->fake->host, f->a, NULL, &error));
    g_assert_no_error(error);
    g_assert_cmpuint(f->fake->gets, ==, 8);
    g_assert_cmpuint(f->fake->sets, ==, 4);
    g_assert_null(f->fake->host->links);
    g_assert_null(f->fake->host->pfs);
    guestsAssertAsBefore(f);
}

/* VFs of two PFs in one domain: both are locked, both are set. */
static void
testTwoPFs(twoGuests *f, gconstpointer opaque)
{
    g_autoptr(GPtrArray) wanted = NULL;
    virtHostdev *other;

    fakeHostAddPF(f->fake, "0000:02:00.0", 2, 2, "dual");
    g_free(f->before);
    f->before = fakeHostDump(f->fake);
    wanted = guestsWant(f, 2, 0xaa);
    other = wanted->pdata[0];
    testSetHandle(&other->handle, fakeHostVFAddress(f->fake, "0000:02:00.0", 0));
    g_assert_true(virtProvisionPrepare(f->fake->host, f->a, wanted, NULL));
    g_assert_cmpuint(fakeHostVF(f->fake, "0000:02:00.0", 2, 0)->vlan, ==, 200);
    g_assert_cmpuint(fakeHostVF(f->fake, PF, 2, 1)->vlan, ==, 201);
    g_assert_true(testRelease(f->fake->host, f->a, NULL, NULL));
    guestsAssertAsBefore(f);
}

/* igb: no admin MAC, and the PF shows what the VF's driver chose. */
static void
testRandomMac(twoGuests *f, gconstpointer opaque)
{
    g_autoptr(GPtrArray) wanted = guestsWant(f, 1, 0xaa);
    g_autoptr(virtRecord) record = NULL;
    g_autofree char *unbound = NULL;
    const guint8 zero[6] = {0};

    fakeHostRandomMac(f->fake, PF, 1, 0, "2e:11:22:33:44:55");
    g_assert_true(virtProvisionPrepare(f->fake->host, f->a, wanted, NULL));
    record = testRecordLoad(f->fake->host, fakeHostVFAddress(f->fake, PF, 0), NULL);
    g_assert_true(virtMacIsZero(virtNetdevListFind(BEFORE(record), 1)->mac));
    g_assert_true(testRelease(f->fake->host, f->a, NULL, NULL));
    g_assert_cmpmem(fakeHostVF(f->fake, PF, 1, 0)->mac, 6, zero, 6);
    /* The host's driver never let go, so it has to probe again. */
    unbound = fakeHostRead(f->fake, "sys/bus/pci/drivers/dualvf/unbind");
    g_assert_cmpstr(unbound, ==, fakeHostVFAddress(f->fake, PF, 0));
}

/* A VF without a port profile is not reported to have none; all the same the guest's does not stay behind. */
static void
testUnreported(twoGuests *f, gconstpointer opaque)
{
    g_autoptr(GPtrArray) wanted = guestsWant(f, 1, 0xaa);
    virtNetdev *netdev = VIRT_NETDEVS((virtHostdev *)wanted->pdata[0])->pdata[0];

    f->fake->profiles = true;
    g_strlcpy(netdev->profileid, "finance", sizeof(netdev->profileid));
    netdev->present = VIRT_NETDEV_BIT(VIRT_NETDEV_VIRTUALPORT);
    g_assert_true(virtProvisionPrepare(f->fake->host, f->a, wanted, NULL));
    g_assert_cmpstr(fakeHostVF(f->fake, PF, 1, 0)->profile, ==, "finance");
    g_assert_cmphex(fakeHostVF(f->fake, PF, 1, 0)->instance[0], ==, 0x11);
    g_assert_true(testRelease(f->fake->host, f->a, NULL, NULL));
    g_assert_cmpstr(fakeHostVF(f->fake, PF, 1, 0)->profile, ==, "");
}

static void
testChecks(twoGuests *f, gconstpointer opaque)
{
    g_autoptr(GPtrArray) wanted = guestsWant(f, 2, 0xaa);
    virtHostdev *last = wanted->pdata[1];
    g_autoptr(GError) error = NULL;

    ((virtNetdev *)VIRT_NETDEVS(last)->pdata[1])->port = 3;
    g_assert_false(virtProvisionPrepare(f->fake->host, f->a, wanted, &error));
    guestsAssertError(error, VIRT_ERROR_HOST, "port 3");
    g_clear_error(&error);
    ((virtNetdev *)VIRT_NETDEVS(last)->pdata[1])->port = 2;
    fakeHostFile(f->fake, "0x1002\n", "sys/class/net/%s/flags", fakeHostIfname(f->fake, PF, 2));
    g_assert_false(virtProvisionPrepare(f->fake->host, f->a, wanted, &error));
    guestsAssertError(error, VIRT_ERROR_HOST, "is down. Bring it up first: ip link set");
    g_assert_cmpuint(f->fake->sets, ==, 0);
    guestsAssertAsBefore(f);
}

static void
testMoved(twoGuests *f, gconstpointer opaque)
{
    g_autoptr(GPtrArray) wanted = guestsWant(f, 1, 0xaa);
    g_autoptr(GError) error = NULL;
    guint sets;

    g_assert_true(virtProvisionPrepare(f->fake->host, f->a, wanted, NULL));
    fakeHostSwapVFs(f->fake, PF, 0, 1);
    sets = f->fake->sets;
    g_assert_false(testRelease(f->fake->host, f->a, NULL, &error));
    guestsAssertError(error, VIRT_ERROR_REFUSED, "was VF 0 of PF " PF " and is now VF 1");
    g_clear_error(&error);
    g_assert_false(virtProvisionPrepare(f->fake->host, f->a, wanted, &error));
    guestsAssertError(error, VIRT_ERROR_HOST, "was VF 0 of PF " PF " and is now VF 1");
    g_assert_cmpuint(f->fake->sets, ==, sets);
    fakeHostSwapVFs(f->fake, PF, 0, 1);
    g_assert_true(testRelease(f->fake->host, f->a, NULL, NULL));
    guestsAssertAsBefore(f);
}

/* Nothing is changed, or even looked at, while somebody else holds the PF. */
static void
testLock(twoGuests *f, gconstpointer opaque)
{
    g_autoptr(GPtrArray) wanted = guestsWant(f, 1, 0xaa);
    g_autoptr(GError) error = NULL;
    g_autoptr(virtStateLock) lock = virtStateLockTake(f->fake->host, PF, NULL);

    g_assert_false(virtProvisionPrepare(f->fake->host, f->a, wanted, &error));
    guestsAssertError(error, VIRT_ERROR_BUSY, PF);
    g_assert_cmpuint(f->fake->gets + f->fake->looks, ==, 0);
    g_clear_pointer(&lock, virtStateLockRelease);
    g_assert_true(virtProvisionPrepare(f->fake->host, f->a, wanted, NULL));
    lock = virtStateLockTake(f->fake->host, PF, NULL);
    g_clear_error(&error);
    g_assert_false(testRelease(f->fake->host, f->a, NULL, &error));
    guestsAssertError(error, VIRT_ERROR_REFUSED, PF);
    g_clear_pointer(&lock, virtStateLockRelease);
    g_assert_true(testRelease(f->fake->host, f->a, NULL, NULL));
    guestsAssertAsBefore(f);
}

/* Others wait half a minute for the lock, so a PF that is busy for long is not waited for VF by VF. */
static void
testBusyPF(twoGuests *f, gconstpointer opaque)
{
    g_autoptr(GPtrArray) wanted = guestsWant(f, 4, 0xaa);

    g_assert_true(virtProvisionPrepare(f->fake->host, f->a, wanted, NULL));
    f->fake->busy = G_MAXUINT;
    f->fake->slept = 0;
    g_assert_false(testRelease(f->fake->host, f->a, NULL, NULL));
    g_assert_cmpuint(f->fake->slept, >, 10 * G_USEC_PER_SEC);
    g_assert_cmpuint(f->fake->slept, <=, 15 * G_USEC_PER_SEC);
    f->fake->busy = 3; /* each lock anew */
    g_assert_true(testRelease(f->fake->host, f->a, NULL, NULL));
    guestsAssertAsBefore(f);
}

static void
testPlan(twoGuests *f, gconstpointer opaque)
{
    g_autoptr(GPtrArray) wanted = guestsWant(f, 1, 0xaa);
    g_autoptr(GPtrArray) rows = virtProvisionPlan(f->fake->host, f->a, wanted);
    const virtPlanRow *row = rows->pdata[3];

    g_assert_cmpuint(rows->len, ==, 4);
    g_assert_cmpstr(row->attr, ==, "vlan");
    g_assert_cmpuint(row->port, ==, 2);
    g_assert_true(row->differs);
    g_assert_null(row->problem);
    g_assert_cmpstr(row->to, ==, "200");
    g_assert_cmpuint(f->fake->sets, ==, 0);
    guestsAssertAsBefore(f);
}

/* Every problem at once, and still nothing touched. */
static void
testPlanProblems(twoGuests *f, gconstpointer opaque)
{
    g_autoptr(GPtrArray) wanted = guestsWant(f, 2, 0xaa);
    g_autoptr(GPtrArray) mine = guestsWant(f, 1, 0xbb);
    g_autoptr(GPtrArray) rows = NULL;
    virtNetdev *trusting = VIRT_NETDEVS((virtHostdev *)wanted->pdata[0])->pdata[0];
    guint problems = 0, sets;

    virtOwnerSetStarter(f->b, (guint64)getpid());
    g_assert_true(virtProvisionPrepare(f->fake->host, f->b, mine, NULL));
    sets = f->fake->sets;
    fakeHostVF(f->fake, PF, 1, 0)->trust = G_MAXUINT32;
    trusting->trust = 1;
    trusting->present |= VIRT_NETDEV_BIT(VIRT_NETDEV_TRUST);
    fakeHostFile(f->fake, "0x1002\n", "sys/class/net/%s/flags", fakeHostIfname(f->fake, PF, 2));
    rows = virtProvisionPlan(f->fake->host, f->a, wanted);
    for (guint i = 0; i < rows->len; i++)
        problems += ((virtPlanRow *)rows->pdata[i])->problem != NULL;
    /* VF 0: owner, trust, port 2 down; VF 1: port 2 down */
    g_assert_cmpuint(problems, ==, 4);
    g_assert_cmpuint(f->fake->sets, ==, sets);
}

/* What is known of a driver is said, and not believed more than the kernel. */
static void
testForeseen(twoGuests *f, gconstpointer opaque)
{
    g_autoptr(GPtrArray) wanted = NULL;
    g_autoptr(GPtrArray) rows = NULL;
    virtHostdev *one;
    virtNetdev *trusting;
    guint problems = 0;

    fakeHostAddPF(f->fake, "0000:02:00.0", 2, 1, "mlx4_core");
    wanted = guestsWant(f, 1, 0xaa);
    one = wanted->pdata[0];
    trusting = VIRT_NETDEVS(one)->pdata[0];
    testSetHandle(&one->handle, fakeHostVFAddress(f->fake, "0000:02:00.0", 0));
    trusting->trust = 1;
    trusting->present |= VIRT_NETDEV_BIT(VIRT_NETDEV_TRUST);
    rows = virtProvisionPlan(f->fake->host, f->a, wanted);
    for (guint i = 0; i < rows->len; i++) {
        const virtPlanRow *row = rows->pdata[i];

        problems += row->problem != NULL;
        if (row->problem)
            g_assert_cmpstr(row->problem, ==, "mlx4_core: trust is not supported (Linux 6.12, mellanox/mlx4/cmd.c)");
    }
    g_assert_cmpuint(problems, ==, 1);
    g_assert_true(virtProvisionPrepare(f->fake->host, f->a, wanted, NULL));
    g_assert_cmpuint(fakeHostVF(f->fake, "0000:02:00.0", 1, 0)->trust, ==, 1);
}

int
main(int argc, char **argv)
{
    static const guestsTest tests[] = {
        {"/qemu/cycle", testCycle},
        {"/qemu/few-requests", testFewRequests},
        {"/qemu/two-pfs", testTwoPFs},
        {"/qemu/random-mac", testRandomMac},
        {"/qemu/unreported", testUnreported},
        {"/qemu/checks", testChecks},
        {"/qemu/moved", testMoved},
        {"/qemu/lock", testLock},
        {"/qemu/busy-pf", testBusyPF},
        {"/qemu/plan", testPlan},
        {"/qemu/plan-problems", testPlanProblems},
        {"/qemu/foreseen", testForeseen},
    };

    return guestsRun(tests, G_N_ELEMENTS(tests), argc, argv);
}
