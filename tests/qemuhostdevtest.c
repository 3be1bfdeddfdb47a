/* qemuhostdevtest.c: prepare, release, restore and plan of whole domains, on a made-up host
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "fakehost.h"
#include "qemu/qemu_hostdev.h"
#include "qemu/qemu_plan.h"
#include "util/virerror.h"
#include "util/virstatefile.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define PF "0000:01:00.0"
#define UUID_A "11111111-2222-3333-4444-555555555555"
#define UUID_B "99999999-2222-3333-4444-555555555555"

typedef struct {
    fakeHost *fake;
    virtOwner *a, *b;
    char *before;
} Fixture;

static void
setUp(Fixture *f, gconstpointer opaque)
{
    (void)opaque;
    f->fake = fakeHostNew();
    fakeHostAddPF(f->fake, PF, 2, 4, "dual");
    fakeHostVF(f->fake, PF, 2, 0)->vlan = 7;
    fakeHostVF(f->fake, PF, 2, 0)->qos = 5;
    f->a = virtOwnerNew("a", UUID_A);
    f->b = virtOwnerNew("b", UUID_B);
    f->before = fakeHostDump(f->fake);
}

static void
tearDown(Fixture *f, gconstpointer opaque)
{
    (void)opaque;
    virtOwnerFree(f->a);
    virtOwnerFree(f->b);
    g_free(f->before);
    fakeHostFree(f->fake);
}

/* VFs 0..@vfs-1, two netdevs each: MAC 52:54:00:TAG:VF:PORT, VLAN 100 * port + VF */
static GPtrArray *
hostdevs(Fixture *f, guint vfs, guint tag)
{
    GPtrArray *list = g_ptr_array_new_with_free_func((GDestroyNotify)virtHostdevFree);

    for (guint n = 0; n < vfs; n++) {
        virtHostdev *hostdev = g_new0(virtHostdev, 1);

        g_assert_true(virtPCIAddressParse(fakeHostVFAddress(f->fake, PF, n), &hostdev->address, NULL));
        hostdev->netdevs = virtNetdevListNew();
        for (guint port = 1; port <= 2; port++) {
            virtNetdev *netdev = virtNetdevNew(port);
            const guint8 mac[6] = {0x52, 0x54, 0, (guint8)tag, (guint8)n, (guint8)port};

            memcpy(netdev->mac, mac, sizeof(mac));
            netdev->vlan.id = (guint16)(100 * port + n);
            netdev->vlan.protocol = 0x8100;
            netdev->present = VIRT_NETDEV_BIT(VIRT_NETDEV_MAC) | VIRT_NETDEV_BIT(VIRT_NETDEV_VLAN);
            g_ptr_array_add(hostdev->netdevs, netdev);
        }
        g_ptr_array_add(list, hostdev);
    }
    return list;
}

static void
assertAsBefore(Fixture *f)
{
    g_autofree char *now = fakeHostDump(f->fake);
    g_autoptr(GPtrArray) records = virtQemuRecordList(f->fake->host, NULL);

    g_assert_cmpstr(now, ==, f->before);
    g_assert_nonnull(records);
    g_assert_cmpuint(records->len, ==, 0);
}

static void
assertError(GError *error, int code, const char *part)
{
    g_assert_error(error, VIRT_ERROR, code);
    if (!strstr(error->message, part))
        g_error("'%s' lacks '%s'", error->message, part);
}

static void
testCycle(Fixture *f, gconstpointer opaque)
{
    g_autoptr(GPtrArray) wanted = hostdevs(f, 1, 0xaa);
    g_autoptr(GError) error = NULL;
    g_autoptr(virtRecord) record = NULL;

    g_assert_true(virtQemuHostdevPrepare(f->fake->host, f->a, wanted, &error));
    g_assert_no_error(error);
    g_assert_cmpuint(fakeHostVF(f->fake, PF, 1, 0)->vlan, ==, 100);
    g_assert_cmpuint(fakeHostVF(f->fake, PF, 2, 0)->vlan, ==, 200);
    g_assert_cmpuint(fakeHostVF(f->fake, PF, 2, 0)->mac[3], ==, 0xaa);
    record = virtQemuRecordLoad(f->fake->host, fakeHostVFAddress(f->fake, PF, 0), &error);
    g_assert_no_error(error);
    g_assert_cmpint(record->phase, ==, VIRT_PHASE_ACTIVE);
    g_assert_cmpuint(virtNetdevListFind(record->before, 2)->vlan.id, ==, 7);
    g_assert_true(virtQemuHostdevRelease(f->fake->host, f->a, &error));
    g_assert_no_error(error);
    assertAsBefore(f);
    g_assert_true(virtQemuHostdevRelease(f->fake->host, f->a, &error));
}

/* Each attribute of each VF at each port is refused in turn: a port's VFs share a request. */
static void
testRollback(Fixture *f, gconstpointer opaque)
{
    g_autoptr(GPtrArray) wanted = hostdevs(f, 4, 0xaa);

    for (guint n = 1; n <= 16; n++) {
        g_autoptr(GError) error = NULL;
        g_autofree char *device = g_strdup(fakeHostVFAddress(f->fake, PF, (n - 1) / 2 % 4));

        f->fake->failAttr = n;
        g_assert_false(virtQemuHostdevPrepare(f->fake->host, f->a, wanted, &error));
        assertError(error, VIRT_ERROR_REFUSED, device);
        fakeHostHeal(f->fake);
        assertAsBefore(f);
    }
}

static int
refuseAll(void *opaque, guint port, guint vf, virtNetdevAttr attr, const fakeVF *wanted)
{
    guint *allowed = opaque;

    if (*allowed == 0)
        return EIO;
    (*allowed)--;
    return 0;
}

/* From the n-th write on nothing works any more, so putting back fails too: then the records must say so, and a
 * release after the driver has recovered must bring everything back. */
static void
testRollbackFails(Fixture *f, gconstpointer opaque)
{
    g_autoptr(GPtrArray) wanted = hostdevs(f, 4, 0xaa);

    for (guint n = 0; n < 16; n++) {
        g_autoptr(GError) error = NULL;
        guint allowed = n;

        f->fake->judge = refuseAll;
        f->fake->judgeOpaque = &allowed;
        g_assert_false(virtQemuHostdevPrepare(f->fake->host, f->a, wanted, &error));
        if (n > 0)
            assertError(error, VIRT_ERROR_REFUSED, "Putting back failed too");
        fakeHostHeal(f->fake);
        f->fake->judge = NULL;
        g_clear_error(&error);
        g_assert_true(virtQemuHostdevRelease(f->fake->host, f->a, &error));
        g_assert_no_error(error);
        assertAsBefore(f);
    }
}

static void
testOwner(Fixture *f, gconstpointer opaque)
{
    g_autoptr(GPtrArray) mine = hostdevs(f, 1, 0xaa);
    g_autoptr(GPtrArray) theirs = hostdevs(f, 2, 0xbb);
    g_autoptr(GError) error = NULL;
    guint sets;

    virtOwnerSetStarter(f->a, (guint64)getpid());
    g_assert_true(virtQemuHostdevPrepare(f->fake->host, f->a, mine, NULL));
    sets = f->fake->sets;
    g_assert_false(virtQemuHostdevPrepare(f->fake->host, f->b, theirs, &error));
    assertError(error, VIRT_ERROR_BUSY, "in use by domain 'a' (" UUID_A ")");
    g_assert_true(virtQemuHostdevRelease(f->fake->host, f->b, NULL));
    g_assert_cmpuint(f->fake->sets, ==, sets);
    g_assert_true(virtQemuHostdevRelease(f->fake->host, f->a, NULL));
    assertAsBefore(f);
}

/* A start that was interrupted leaves our settings on the hardware; they must not become the original ones. */
static void
testAgain(Fixture *f, gconstpointer opaque)
{
    g_autoptr(GPtrArray) first = hostdevs(f, 1, 0xaa);
    g_autoptr(GPtrArray) second = hostdevs(f, 2, 0xcc);

    g_assert_true(virtQemuHostdevPrepare(f->fake->host, f->a, first, NULL));
    g_assert_true(virtQemuHostdevPrepare(f->fake->host, f->a, second, NULL));
    g_assert_cmpuint(fakeHostVF(f->fake, PF, 1, 0)->mac[3], ==, 0xcc);
    g_assert_true(virtQemuHostdevRelease(f->fake->host, f->a, NULL));
    assertAsBefore(f);
}

static void
testAgainFails(Fixture *f, gconstpointer opaque)
{
    g_autoptr(GPtrArray) first = hostdevs(f, 1, 0xaa);
    g_autoptr(GPtrArray) second = hostdevs(f, 1, 0xcc);

    g_assert_true(virtQemuHostdevPrepare(f->fake->host, f->a, first, NULL));
    f->fake->failAttr = 2;
    g_assert_false(virtQemuHostdevPrepare(f->fake->host, f->a, second, NULL));
    /* The driver refuses this attribute from now on, so it did not go back either. */
    fakeHostHeal(f->fake);
    g_assert_true(virtQemuHostdevRelease(f->fake->host, f->a, NULL));
    assertAsBefore(f);
}

/* No status file of libvirt, and the daemon that asked is another process by now. */
static void
testGoneOwner(Fixture *f, gconstpointer opaque)
{
    g_autoptr(GPtrArray) mine = hostdevs(f, 1, 0xaa);
    g_autoptr(GPtrArray) theirs = hostdevs(f, 1, 0xbb);
    g_autoptr(GError) error = NULL;

    virtOwnerSetStarter(f->a, (guint64)getpid());
    f->a->start++;
    g_assert_true(virtQemuHostdevPrepare(f->fake->host, f->a, mine, NULL));
    fakeHostFile(f->fake, "<domstatus><domain><uuid>" UUID_A "</uuid></domain></domstatus>", "run/libvirt/qemu/a.xml");
    g_assert_false(virtQemuHostdevPrepare(f->fake->host, f->b, theirs, &error));
    assertError(error, VIRT_ERROR_BUSY, "domain 'a'");
    fakeHostFile(f->fake, NULL, "run/libvirt/qemu/a.xml");
    g_assert_true(virtQemuHostdevPrepare(f->fake->host, f->b, theirs, NULL));
    g_assert_cmpuint(fakeHostVF(f->fake, PF, 1, 0)->mac[3], ==, 0xbb);
    g_assert_true(virtQemuHostdevRelease(f->fake->host, f->a, NULL));
    g_assert_cmpuint(fakeHostVF(f->fake, PF, 1, 0)->mac[3], ==, 0xbb);
    g_assert_true(virtQemuHostdevRelease(f->fake->host, f->b, NULL));
    assertAsBefore(f);
}

static void
testByHandNeverGone(Fixture *f, gconstpointer opaque)
{
    g_autoptr(virtOwner) byHand = virtOwnerNew("me", NULL);
    g_autoptr(virtOwner) other = virtOwnerNew("you", NULL);
    g_autoptr(GPtrArray) wanted = hostdevs(f, 1, 0xaa);
    g_autoptr(GError) error = NULL;

    g_assert_true(virtQemuHostdevPrepare(f->fake->host, byHand, wanted, NULL));
    g_assert_false(virtQemuHostdevPrepare(f->fake->host, other, wanted, &error));
    assertError(error, VIRT_ERROR_BUSY, "in use by 'me'");
    g_assert_false(virtOwnerEqual(byHand, f->a));
    g_assert_true(virtQemuHostdevRelease(f->fake->host, byHand, NULL));
    assertAsBefore(f);
}

static void
testRestoreInPart(Fixture *f, gconstpointer opaque)
{
    g_autoptr(GPtrArray) wanted = hostdevs(f, 1, 0xaa);
    g_autoptr(GError) error = NULL;
    g_autoptr(virtRecord) record = NULL;

    g_assert_true(virtQemuHostdevPrepare(f->fake->host, f->a, wanted, NULL));
    f->fake->refused = VIRT_NETDEV_BIT(VIRT_NETDEV_VLAN);
    f->fake->faultPort = 1;
    g_assert_false(virtQemuHostdevRelease(f->fake->host, f->a, &error));
    assertError(error, VIRT_ERROR_REFUSED, "port 1");
    g_assert_cmpuint(fakeHostVF(f->fake, PF, 2, 0)->vlan, ==, 7);
    record = virtQemuRecordLoad(f->fake->host, fakeHostVFAddress(f->fake, PF, 0), NULL);
    g_assert_cmpint(record->phase, ==, VIRT_PHASE_RESTORING);
    fakeHostHeal(f->fake);
    g_assert_true(virtQemuHostdevRelease(f->fake->host, f->a, NULL));
    assertAsBefore(f);
}

/* What did not go back when its domain ended is anybody's to put back, though libvirtd is the same process still. */
static void
testLeftInPart(Fixture *f, gconstpointer opaque)
{
    g_autoptr(GPtrArray) mine = hostdevs(f, 1, 0xaa);
    g_autoptr(GPtrArray) theirs = hostdevs(f, 1, 0xbb);
    g_autoptr(GError) error = NULL;

    virtOwnerSetStarter(f->a, (guint64)getpid());
    g_assert_true(virtQemuHostdevPrepare(f->fake->host, f->a, mine, NULL));
    g_assert_false(virtQemuHostdevPrepare(f->fake->host, f->b, theirs, &error));
    assertError(error, VIRT_ERROR_BUSY, "domain 'a'");
    f->fake->refused = VIRT_NETDEV_BIT(VIRT_NETDEV_VLAN);
    g_assert_false(virtQemuHostdevRelease(f->fake->host, f->a, NULL));
    fakeHostHeal(f->fake);
    g_assert_true(virtQemuHostdevPrepare(f->fake->host, f->b, theirs, NULL));
    g_assert_cmpuint(fakeHostVF(f->fake, PF, 1, 0)->mac[3], ==, 0xbb);
    g_assert_true(virtQemuHostdevRelease(f->fake->host, f->b, NULL));
    assertAsBefore(f);
}

static void
testMoved(Fixture *f, gconstpointer opaque)
{
    g_autoptr(GPtrArray) wanted = hostdevs(f, 1, 0xaa);
    g_autoptr(GError) error = NULL;
    guint sets;

    g_assert_true(virtQemuHostdevPrepare(f->fake->host, f->a, wanted, NULL));
    fakeHostSwapVFs(f->fake, PF, 0, 1);
    sets = f->fake->sets;
    g_assert_false(virtQemuHostdevRelease(f->fake->host, f->a, &error));
    assertError(error, VIRT_ERROR_REFUSED, "was VF 0 and is now VF 1");
    g_clear_error(&error);
    g_assert_false(virtQemuHostdevPrepare(f->fake->host, f->a, wanted, &error));
    assertError(error, VIRT_ERROR_HOST, "was VF 0 and is now VF 1");
    g_assert_cmpuint(f->fake->sets, ==, sets);
    fakeHostSwapVFs(f->fake, PF, 0, 1);
    g_assert_true(virtQemuHostdevRelease(f->fake->host, f->a, NULL));
    assertAsBefore(f);
}

static void
testChecks(Fixture *f, gconstpointer opaque)
{
    g_autoptr(GPtrArray) wanted = hostdevs(f, 2, 0xaa);
    virtHostdev *last = wanted->pdata[1];
    g_autoptr(GError) error = NULL;

    ((virtNetdev *)last->netdevs->pdata[1])->port = 3;
    g_assert_false(virtQemuHostdevPrepare(f->fake->host, f->a, wanted, &error));
    assertError(error, VIRT_ERROR_HOST, "port 3");
    g_clear_error(&error);
    ((virtNetdev *)last->netdevs->pdata[1])->port = 2;
    fakeHostFile(f->fake, "0x1002\n", "sys/class/net/%s/flags", fakeHostIfname(f->fake, PF, 2));
    g_assert_false(virtQemuHostdevPrepare(f->fake->host, f->a, wanted, &error));
    assertError(error, VIRT_ERROR_HOST, "is down. Bring it up first: ip link set");
    g_assert_cmpuint(f->fake->sets, ==, 0);
    assertAsBefore(f);
}

/* VFs of two PFs in one domain: both are locked, both are set. */
static void
testTwoPFs(Fixture *f, gconstpointer opaque)
{
    g_autoptr(GPtrArray) wanted = NULL;
    virtHostdev *other;

    fakeHostAddPF(f->fake, "0000:02:00.0", 2, 2, "dual");
    g_free(f->before);
    f->before = fakeHostDump(f->fake);
    wanted = hostdevs(f, 2, 0xaa);
    other = wanted->pdata[0];
    g_assert_true(virtPCIAddressParse(fakeHostVFAddress(f->fake, "0000:02:00.0", 0), &other->address, NULL));
    g_assert_true(virtQemuHostdevPrepare(f->fake->host, f->a, wanted, NULL));
    g_assert_cmpuint(fakeHostVF(f->fake, "0000:02:00.0", 2, 0)->vlan, ==, 200);
    g_assert_cmpuint(fakeHostVF(f->fake, PF, 2, 1)->vlan, ==, 201);
    g_assert_true(virtQemuHostdevRelease(f->fake->host, f->a, NULL));
    assertAsBefore(f);
}

/* igb: no admin MAC, and the PF shows what the VF's driver chose. */
static void
testRandomMac(Fixture *f, gconstpointer opaque)
{
    g_autoptr(GPtrArray) wanted = hostdevs(f, 1, 0xaa);
    g_autoptr(virtRecord) record = NULL;
    g_autofree char *unbound = NULL;
    const guint8 zero[6] = {0};

    fakeHostRandomMac(f->fake, PF, 1, 0, "2e:11:22:33:44:55");
    g_assert_true(virtQemuHostdevPrepare(f->fake->host, f->a, wanted, NULL));
    record = virtQemuRecordLoad(f->fake->host, fakeHostVFAddress(f->fake, PF, 0), NULL);
    g_assert_true(virtMacIsZero(virtNetdevListFind(record->before, 1)->mac));
    g_assert_true(virtQemuHostdevRelease(f->fake->host, f->a, NULL));
    g_assert_cmpmem(fakeHostVF(f->fake, PF, 1, 0)->mac, 6, zero, 6);
    /* The host's driver never let go, so it has to probe again. */
    unbound = fakeHostRead(f->fake, "sys/bus/pci/drivers/dualvf/unbind");
    g_assert_cmpstr(unbound, ==, fakeHostVFAddress(f->fake, PF, 0));
}

static void
testPlan(Fixture *f, gconstpointer opaque)
{
    g_autoptr(GPtrArray) wanted = hostdevs(f, 1, 0xaa);
    g_autoptr(GPtrArray) rows = virtQemuHostdevPlan(f->fake->host, f->a, wanted);
    const virtPlanRow *row = rows->pdata[3];

    g_assert_cmpuint(rows->len, ==, 4);
    g_assert_cmpstr(row->attr, ==, "vlan");
    g_assert_cmpuint(row->port, ==, 2);
    g_assert_true(row->differs);
    g_assert_null(row->problem);
    g_assert_cmpstr(row->to, ==, "200");
    g_assert_cmpuint(f->fake->sets, ==, 0);
    assertAsBefore(f);
}

/* Every problem at once, and still nothing touched. */
static void
testPlanProblems(Fixture *f, gconstpointer opaque)
{
    g_autoptr(GPtrArray) wanted = hostdevs(f, 2, 0xaa);
    g_autoptr(GPtrArray) mine = hostdevs(f, 1, 0xbb);
    g_autoptr(GPtrArray) rows = NULL;
    virtNetdev *trusting = ((virtHostdev *)wanted->pdata[0])->netdevs->pdata[0];
    guint problems = 0, sets;

    virtOwnerSetStarter(f->b, (guint64)getpid());
    g_assert_true(virtQemuHostdevPrepare(f->fake->host, f->b, mine, NULL));
    sets = f->fake->sets;
    fakeHostVF(f->fake, PF, 1, 0)->trust = G_MAXUINT32;
    trusting->trust = 1;
    trusting->present |= VIRT_NETDEV_BIT(VIRT_NETDEV_TRUST);
    fakeHostFile(f->fake, "0x1002\n", "sys/class/net/%s/flags", fakeHostIfname(f->fake, PF, 2));
    rows = virtQemuHostdevPlan(f->fake->host, f->a, wanted);
    for (guint i = 0; i < rows->len; i++)
        problems += ((virtPlanRow *)rows->pdata[i])->problem != NULL;
    /* VF 0: owner, trust, port 2 down; VF 1: port 2 down */
    g_assert_cmpuint(problems, ==, 4);
    g_assert_cmpuint(f->fake->sets, ==, sets);
}

/* What is known of a driver is said, and not believed more than the kernel. */
static void
testForeseen(Fixture *f, gconstpointer opaque)
{
    g_autoptr(GPtrArray) wanted = NULL;
    g_autoptr(GPtrArray) rows = NULL;
    virtHostdev *one;
    virtNetdev *trusting;
    guint problems = 0;

    fakeHostAddPF(f->fake, "0000:02:00.0", 2, 1, "mlx4_core");
    wanted = hostdevs(f, 1, 0xaa);
    one = wanted->pdata[0];
    trusting = one->netdevs->pdata[0];
    g_assert_true(virtPCIAddressParse(fakeHostVFAddress(f->fake, "0000:02:00.0", 0), &one->address, NULL));
    trusting->trust = 1;
    trusting->present |= VIRT_NETDEV_BIT(VIRT_NETDEV_TRUST);
    rows = virtQemuHostdevPlan(f->fake->host, f->a, wanted);
    for (guint i = 0; i < rows->len; i++) {
        const virtPlanRow *row = rows->pdata[i];

        problems += row->problem != NULL;
        if (row->problem)
            g_assert_cmpstr(row->problem, ==, "mlx4_core: trust is not supported (Linux 6.12, mellanox/mlx4/cmd.c)");
    }
    g_assert_cmpuint(problems, ==, 1);
    g_assert_true(virtQemuHostdevPrepare(f->fake->host, f->a, wanted, NULL));
    g_assert_cmpuint(fakeHostVF(f->fake, "0000:02:00.0", 1, 0)->trust, ==, 1);
}

/* Trust is refused by a driver that has none, and so would be putting it back: nothing was set, nothing is owed. */
static void
testUnsupported(Fixture *f, gconstpointer opaque)
{
    g_autoptr(GPtrArray) wanted = hostdevs(f, 1, 0xaa);
    virtNetdev *trusting = ((virtHostdev *)wanted->pdata[0])->netdevs->pdata[1];
    g_autoptr(GError) error = NULL;

    fakeHostVF(f->fake, PF, 2, 0)->trust = G_MAXUINT32;
    g_free(f->before);
    f->before = fakeHostDump(f->fake);
    f->fake->refused = VIRT_NETDEV_BIT(VIRT_NETDEV_TRUST);
    f->fake->failErrno = EOPNOTSUPP;
    trusting->trust = 1;
    trusting->present |= VIRT_NETDEV_BIT(VIRT_NETDEV_TRUST);
    g_assert_false(virtQemuHostdevPrepare(f->fake->host, f->a, wanted, &error));
    assertError(error, VIRT_ERROR_REFUSED, "trust yes on port 2");
    g_assert_null(strstr(error->message, "Putting back failed"));
    assertAsBefore(f);
}

/* Many VFs: each of both ports is read once before and once after, and written once; putting back costs the same. */
static void
testFewRequests(Fixture *f, gconstpointer opaque)
{
    g_autoptr(GPtrArray) wanted = hostdevs(f, 4, 0xaa);
    g_autoptr(GError) error = NULL;

    g_assert_true(virtQemuHostdevPrepare(f->fake->host, f->a, wanted, &error));
    g_assert_no_error(error);
    g_assert_cmpuint(f->fake->gets, ==, 4);
    g_assert_cmpuint(f->fake->sets, ==, 2);
    g_assert_true(virtQemuHostdevRelease(f->fake->host, f->a, &error));
    g_assert_no_error(error);
    g_assert_cmpuint(f->fake->gets, ==, 8);
    g_assert_cmpuint(f->fake->sets, ==, 4);
    g_assert_null(f->fake->host->links);
    g_assert_null(f->fake->host->pfs);
    assertAsBefore(f);
}

/* A request about many that the device has no time for, or that fails as such, says nothing about any of them. */
static void
testTogetherFails(Fixture *f, gconstpointer opaque)
{
    g_autoptr(GPtrArray) wanted = hostdevs(f, 4, 0xaa);
    g_autoptr(GError) error = NULL;

    for (guint n = 1; n <= 4; n++) { /* two to set, two to put back */
        f->fake->busy = n <= 2 ? n : 0;
        f->fake->failRequest = n;
        g_assert_true(virtQemuHostdevPrepare(f->fake->host, f->a, wanted, &error));
        g_assert_no_error(error);
        g_assert_cmpuint(fakeHostVF(f->fake, PF, 2, 3)->vlan, ==, 203);
        g_assert_true(virtQemuHostdevRelease(f->fake->host, f->a, &error));
        g_assert_no_error(error);
        fakeHostHeal(f->fake);
        assertAsBefore(f);
    }
}

/* Acknowledged and dropped, for the last of the VFs only: the read-back must be newer than the write. */
static int
dropLast(void *opaque, guint port, guint vf, virtNetdevAttr attr, const fakeVF *wanted)
{
    fakeHost *fake = opaque;

    fake->ignored = port == 2 && vf == 3 ? VIRT_NETDEV_BIT(VIRT_NETDEV_VLAN) : 0;
    return 0;
}

static void
testIgnoredLast(Fixture *f, gconstpointer opaque)
{
    g_autoptr(GPtrArray) wanted = hostdevs(f, 4, 0xaa);
    g_autoptr(GError) error = NULL;

    f->fake->judge = dropLast;
    f->fake->judgeOpaque = f->fake;
    g_assert_false(virtQemuHostdevPrepare(f->fake->host, f->a, wanted, &error));
    assertError(error, VIRT_ERROR_REFUSED, "VLAN 203 on port 2 (VF 3");
    assertError(error, VIRT_ERROR_REFUSED, "the driver acknowledged it");
    f->fake->judge = NULL;
    fakeHostHeal(f->fake);
    assertAsBefore(f);
}

/* The last of the records does not fit on the disk: nothing is set, and none of them stays. */
static void
testRecordRefused(Fixture *f, gconstpointer opaque)
{
    g_autoptr(GPtrArray) wanted = hostdevs(f, 4, 0xaa);
    g_autoptr(GError) error = NULL;
    struct rlimit old, small;
    guint sets;

    g_assert_true(virtQemuHostdevPrepare(f->fake->host, f->a, wanted, NULL));
    g_autofree char *all = fakeHostRead(f->fake, "run/libvirt-hostdev/%s", fakeHostVFAddress(f->fake, PF, 1));
    g_assert_true(virtQemuHostdevRelease(f->fake->host, f->a, NULL));
    sets = f->fake->sets;

    g_assert_cmpint(getrlimit(RLIMIT_FSIZE, &old), ==, 0);
    small = old;
    small.rlim_cur = strlen(all) - 100;
    signal(SIGXFSZ, SIG_IGN);
    g_assert_cmpint(setrlimit(RLIMIT_FSIZE, &small), ==, 0);
    bool ok = virtQemuHostdevPrepare(f->fake->host, f->a, wanted, &error);
    g_assert_cmpint(setrlimit(RLIMIT_FSIZE, &old), ==, 0);
    g_assert_false(ok);
    assertError(error, VIRT_ERROR_HOST, "File too large");
    assertError(error, VIRT_ERROR_HOST, fakeHostVFAddress(f->fake, PF, 0));
    g_assert_cmpuint(f->fake->sets, ==, sets);
    assertAsBefore(f);
}

static int
demandRecord(void *opaque, guint port, guint vf, virtNetdevAttr attr, const fakeVF *wanted)
{
    fakeHost *fake = opaque;
    g_autoptr(GError) error = NULL;
    g_autoptr(virtRecord) record = virtQemuRecordLoad(fake->host, fakeHostVFAddress(fake, PF, vf), &error);

    g_assert_no_error(error);
    g_assert_nonnull(virtNetdevListFind(record->before, port));
    return 0;
}

/* At each single write, whatever happens next, what was there before is on disk. */
static void
testRecordFirst(Fixture *f, gconstpointer opaque)
{
    g_autoptr(GPtrArray) wanted = hostdevs(f, 4, 0xaa);

    f->fake->judge = demandRecord;
    f->fake->judgeOpaque = f->fake;
    g_assert_true(virtQemuHostdevPrepare(f->fake->host, f->a, wanted, NULL));
    g_assert_cmpuint(f->fake->attrs, ==, 16);
    g_assert_true(virtQemuHostdevRelease(f->fake->host, f->a, NULL));
    g_assert_cmpuint(f->fake->attrs, ==, 32);
    assertAsBefore(f);
}

/* Nothing is changed, or even looked at, while somebody else holds the PF. */
static void
testLock(Fixture *f, gconstpointer opaque)
{
    g_autoptr(GPtrArray) wanted = hostdevs(f, 1, 0xaa);
    g_autoptr(GError) error = NULL;
    g_autoptr(virtStateLock) lock = virtStateLockTake(f->fake->host, PF, NULL);

    g_assert_false(virtQemuHostdevPrepare(f->fake->host, f->a, wanted, &error));
    assertError(error, VIRT_ERROR_BUSY, PF);
    g_assert_cmpuint(f->fake->gets, ==, 0);
    g_clear_pointer(&lock, virtStateLockRelease);
    g_assert_true(virtQemuHostdevPrepare(f->fake->host, f->a, wanted, NULL));
    lock = virtStateLockTake(f->fake->host, PF, NULL);
    g_clear_error(&error);
    g_assert_false(virtQemuHostdevRelease(f->fake->host, f->a, &error));
    assertError(error, VIRT_ERROR_REFUSED, PF);
    g_clear_pointer(&lock, virtStateLockRelease);
    g_assert_true(virtQemuHostdevRelease(f->fake->host, f->a, NULL));
    assertAsBefore(f);
}

/* A VF without a port profile is not reported to have none; all the same the guest's does not stay behind. */
static void
testUnreported(Fixture *f, gconstpointer opaque)
{
    g_autoptr(GPtrArray) wanted = hostdevs(f, 1, 0xaa);
    virtNetdev *netdev = ((virtHostdev *)wanted->pdata[0])->netdevs->pdata[0];

    f->fake->profiles = true;
    g_strlcpy(netdev->profileid, "finance", sizeof(netdev->profileid));
    netdev->present = VIRT_NETDEV_BIT(VIRT_NETDEV_VIRTUALPORT);
    g_assert_true(virtQemuHostdevPrepare(f->fake->host, f->a, wanted, NULL));
    g_assert_cmpstr(fakeHostVF(f->fake, PF, 1, 0)->profile, ==, "finance");
    g_assert_cmphex(fakeHostVF(f->fake, PF, 1, 0)->instance[0], ==, 0x11);
    g_assert_true(virtQemuHostdevRelease(f->fake->host, f->a, NULL));
    g_assert_cmpstr(fakeHostVF(f->fake, PF, 1, 0)->profile, ==, "");
}

/* Between looking at a record and getting the lock, the VF may have got a new owner. */
static void
testLateRelease(Fixture *f, gconstpointer opaque)
{
    g_autoptr(GPtrArray) mine = hostdevs(f, 1, 0xaa);
    g_autoptr(GPtrArray) theirs = hostdevs(f, 1, 0xbb);
    g_autoptr(virtRecord) seen = NULL;

    g_assert_true(virtQemuHostdevPrepare(f->fake->host, f->a, mine, NULL));
    seen = virtQemuRecordLoad(f->fake->host, fakeHostVFAddress(f->fake, PF, 0), NULL);
    g_assert_true(virtQemuHostdevRelease(f->fake->host, f->a, NULL));
    g_assert_true(virtQemuHostdevPrepare(f->fake->host, f->b, theirs, NULL));
    g_assert_true(virtQemuHostdevReleaseOne(f->fake->host, seen, NULL));
    g_assert_cmpuint(fakeHostVF(f->fake, PF, 1, 0)->mac[3], ==, 0xbb);
    g_assert_true(virtQemuHostdevRelease(f->fake->host, f->b, NULL));
    assertAsBefore(f);
}

/* Or the same owner may have got it anew, from another start. */
static void
testLateReleaseSameOwner(Fixture *f, gconstpointer opaque)
{
    g_autoptr(GPtrArray) first = hostdevs(f, 1, 0xaa);
    g_autoptr(GPtrArray) second = hostdevs(f, 1, 0xcc);
    g_autoptr(virtRecord) seen = NULL;

    virtOwnerSetStarter(f->a, (guint64)getpid());
    g_assert_true(virtQemuHostdevPrepare(f->fake->host, f->a, first, NULL));
    seen = virtQemuRecordLoad(f->fake->host, fakeHostVFAddress(f->fake, PF, 0), NULL);
    g_assert_true(virtQemuHostdevPrepare(f->fake->host, f->a, second, NULL));
    g_assert_true(virtQemuHostdevReleaseOne(f->fake->host, seen, NULL));
    g_assert_cmpuint(fakeHostVF(f->fake, PF, 1, 0)->mac[3], ==, 0xcc);
    virtRecordFree(seen);
    seen = virtQemuRecordLoad(f->fake->host, fakeHostVFAddress(f->fake, PF, 0), NULL);
    seen->owner.start++;
    g_assert_true(virtQemuHostdevReleaseOne(f->fake->host, seen, NULL));
    g_assert_cmpuint(fakeHostVF(f->fake, PF, 1, 0)->mac[3], ==, 0xcc);
    seen->owner.start--;
    seen->owner.pid++;
    g_assert_true(virtQemuHostdevReleaseOne(f->fake->host, seen, NULL));
    g_assert_cmpuint(fakeHostVF(f->fake, PF, 1, 0)->mac[3], ==, 0xcc);
    seen->owner.pid--;
    seen->phase = VIRT_PHASE_SETTING; /* of the same start */
    g_assert_true(virtQemuHostdevReleaseOne(f->fake->host, seen, NULL));
    assertAsBefore(f);
}

/* Others wait half a minute for the lock, so a PF that is busy for long is not waited for VF by VF. */
static void
testBusyPF(Fixture *f, gconstpointer opaque)
{
    g_autoptr(GPtrArray) wanted = hostdevs(f, 4, 0xaa);

    g_assert_true(virtQemuHostdevPrepare(f->fake->host, f->a, wanted, NULL));
    f->fake->busy = G_MAXUINT;
    f->fake->slept = 0;
    g_assert_false(virtQemuHostdevRelease(f->fake->host, f->a, NULL));
    g_assert_cmpuint(f->fake->slept, >, 10 * G_USEC_PER_SEC);
    g_assert_cmpuint(f->fake->slept, <=, 15 * G_USEC_PER_SEC);
    f->fake->busy = 3; /* each lock anew */
    g_assert_true(virtQemuHostdevRelease(f->fake->host, f->a, NULL));
    assertAsBefore(f);
}

static void
testGoneVF(Fixture *f, gconstpointer opaque)
{
    g_autoptr(GPtrArray) wanted = hostdevs(f, 1, 0xaa);
    g_autoptr(GPtrArray) records = NULL;

    g_assert_true(virtQemuHostdevPrepare(f->fake->host, f->a, wanted, NULL));
    fakeHostFile(f->fake, NULL, "sys/bus/pci/devices/" PF "/virtfn0");
    g_assert_true(virtQemuHostdevRelease(f->fake->host, f->a, NULL));
    g_assert_cmpuint(f->fake->warnings->len, ==, 1);
    records = virtQemuRecordList(f->fake->host, NULL);
    g_assert_cmpuint(records->len, ==, 0);
}

/* Put back too late: the host's driver has probed while the guest's MAC was set. */
static void
testLateMac(Fixture *f, gconstpointer opaque)
{
    g_autoptr(GPtrArray) wanted = hostdevs(f, 1, 0xaa);
    const virtHostdev *hostdev = wanted->pdata[0];
    g_autoptr(GPtrArray) own = virtPCIGetPorts(f->fake->host, &hostdev->address, NULL);
    const char *vfName = fakeHostVFAddress(f->fake, PF, 0);
    g_autofree char *unbound = NULL;

    for (guint port = 1; port <= 2; port++)
        memcpy(fakeHostVF(f->fake, PF, port, 0)->mac, (const guint8[6]){0x52, 0x54, 0, 0, 0, 0x10}, 6);
    g_assert_true(virtQemuHostdevPrepare(f->fake->host, f->a, wanted, NULL));
    fakeHostFile(f->fake, "52:54:00:aa:00:01\n", "sys/bus/pci/devices/%s/net/%s/address", vfName,
                 ((virtPort *)own->pdata[0])->ifname);
    g_assert_true(virtQemuHostdevRelease(f->fake->host, f->a, NULL));
    unbound = fakeHostRead(f->fake, "sys/bus/pci/drivers/dualvf/unbind");
    g_assert_cmpstr(unbound, ==, vfName);
}

/* A record that cannot be read stands for a VF whose past nobody knows: it is left alone. */
static void
testDamagedRecord(Fixture *f, gconstpointer opaque)
{
    g_autoptr(GPtrArray) wanted = hostdevs(f, 1, 0xaa);
    g_autoptr(GError) error = NULL;
    guint sets;

    g_assert_true(virtQemuHostdevPrepare(f->fake->host, f->a, wanted, NULL));
    fakeHostFile(f->fake, "<hostdev phase='act", "run/libvirt-hostdev/%s", fakeHostVFAddress(f->fake, PF, 0));
    sets = f->fake->sets;
    g_assert_false(virtQemuHostdevPrepare(f->fake->host, f->a, wanted, &error));
    assertError(error, VIRT_ERROR_INVALID, "run/libvirt-hostdev");
    g_assert_true(virtQemuHostdevRelease(f->fake->host, f->a, NULL));
    g_assert_cmpuint(f->fake->sets, ==, sets);
    g_assert_cmpuint(f->fake->warnings->len, ==, 1);
}

int
main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(Fixture *f, gconstpointer opaque);
    } tests[] = {
        {"/qemu/cycle", testCycle},
        {"/qemu/rollback", testRollback},
        {"/qemu/rollback-fails", testRollbackFails},
        {"/qemu/few-requests", testFewRequests},
        {"/qemu/together-fails", testTogetherFails},
        {"/qemu/ignored-last", testIgnoredLast},
        {"/qemu/record-refused", testRecordRefused},
        {"/qemu/owner", testOwner},
        {"/qemu/again", testAgain},
        {"/qemu/again-fails", testAgainFails},
        {"/qemu/gone-owner", testGoneOwner},
        {"/qemu/by-hand", testByHandNeverGone},
        {"/qemu/restore-in-part", testRestoreInPart},
        {"/qemu/left-in-part", testLeftInPart},
        {"/qemu/moved", testMoved},
        {"/qemu/checks", testChecks},
        {"/qemu/two-pfs", testTwoPFs},
        {"/qemu/random-mac", testRandomMac},
        {"/qemu/plan", testPlan},
        {"/qemu/plan-problems", testPlanProblems},
        {"/qemu/foreseen", testForeseen},
        {"/qemu/unsupported", testUnsupported},
        {"/qemu/unreported", testUnreported},
        {"/qemu/late-release", testLateRelease},
        {"/qemu/late-release-same-owner", testLateReleaseSameOwner},
        {"/qemu/busy-pf", testBusyPF},
        {"/qemu/gone-vf", testGoneVF},
        {"/qemu/late-mac", testLateMac},
        {"/qemu/record-first", testRecordFirst},
        {"/qemu/lock", testLock},
        {"/qemu/damaged-record", testDamagedRecord},
    };

    g_test_init(&argc, &argv, NULL);
    for (guint i = 0; i < G_N_ELEMENTS(tests); i++)
        g_test_add(tests[i].name, Fixture, NULL, setUp, tests[i].run, tearDown);
    return g_test_run();
}
