/* qemuunknowntest.c: what cannot be told is not written back, what the host uses is left to it, its driver comes back
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "twoguests.h"

#include "hypervisor/provision_drift.h"
#include "hypervisor/provision_plan.h"
#include "util/virerror.h"
#include "testrecord.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define MADE_UP "b6:01:02:03:04:05"
#define VF0 "0000:01:10.0"
#define DEVICE "sys/devices/pci0000:00/" VF0

static void
prepare(twoGuests *f, const GPtrArray *wanted)
{
    g_autoptr(GError) error = NULL;

    virtProvisionPrepare(f->fake->host, f->a, wanted, &error);
    g_assert_no_error(error);
}

static void
release(twoGuests *f)
{
    g_autoptr(GError) error = NULL;

    testRelease(f->fake->host, f->a, NULL, &error);
    g_assert_no_error(error);
}

static char *
shownMac(twoGuests *f)
{
    char text[18];

    virtMacFormat(fakeHostVF(f->fake, PF, 1, 0)->mac, text);
    return g_strdup(text);
}

#define assertMac(f, expected)                                                                                         \
    G_STMT_START                                                                                                       \
    {                                                                                                                  \
        g_autofree char *mac_ = shownMac(f);                                                                           \
        g_assert_cmpstr(mac_, ==, expected);                                                                           \
    }                                                                                                                  \
    G_STMT_END

/* The VF's driver has made an address up, or somebody has set it; then the VF is bound to vfio-pci. */
static void
bindBeforehand(twoGuests *f, const char *mac)
{
    fakeHostRandomMac(f->fake, PF, 1, 0, mac);
    fakeHostBindVFIO(f->fake, VF0);
}

/* ---- the MAC address of a VF without a netdev ---- */

static void
testMadeUp(twoGuests *f, gconstpointer opaque)
{
    g_autoptr(GPtrArray) wanted = guestsWant(f, 1, 0xaa);
    g_autofree char *record = NULL;

    bindBeforehand(f, MADE_UP);
    prepare(f, wanted);
    assertMac(f, "52:54:00:aa:00:01");
    g_assert_cmpuint(f->fake->warnings->len, ==, 1);
    g_assert_nonnull(
        strstr(f->fake->warnings->pdata[0], "shows the MAC address " MADE_UP ", and it is unknown whether"));
    g_assert_nonnull(strstr(f->fake->warnings->pdata[0], "ip link set enp1s0f0 vf 0 mac " MADE_UP));
    record = fakeHostRead(f->fake, VIRT_STATE_DIR "/" VF0);
    g_assert_nonnull(strstr(record, "<unknown><netdev port='1'><mac address='" MADE_UP "'/>"));
    /* Again, as after a crash: what was set by us is no second answer. */
    prepare(f, wanted);
    release(f);
    assertMac(f, "00:00:00:00:00:00");
}

/* Addresses that no driver makes up, and drivers that show none of those. */
static void
testGiven(twoGuests *f, gconstpointer opaque)
{
    static const char *const macs[] = {"52:54:00:01:02:03", "fa:16:3e:01:02:03", "00:1b:21:01:02:03"};
    g_autoptr(GPtrArray) wanted = guestsWant(f, 1, 0xaa);

    for (guint i = 0; i < G_N_ELEMENTS(macs); i++) {
        bindBeforehand(f, macs[i]);
        prepare(f, wanted);
        release(f);
        assertMac(f, macs[i]);
        fakeHostSetDriver(f->fake, VF0, "dualvf");
    }
    g_assert_cmpuint(f->fake->warnings->len, ==, 0);
    fakeHostSetDriver(f->fake, PF, "mlx5_core");
    bindBeforehand(f, MADE_UP);
    prepare(f, wanted);
    release(f);
    assertMac(f, MADE_UP);
    g_assert_cmpuint(f->fake->warnings->len, ==, 0);
}

/* Who sets no MAC address loses none; and what the guest's driver makes up meanwhile is no concern of a VF that had no
 * answer. */
static void
testUntouched(twoGuests *f, gconstpointer opaque)
{
    g_autoptr(GPtrArray) wanted = guestsWant(f, 1, 0xaa);
    const virtHostdev *hostdev = wanted->pdata[0];
    g_autofree char *before = NULL, *after = NULL;

    for (guint i = 0; i < VIRT_NETDEVS(hostdev)->len; i++)
        ((virtNetdev *)VIRT_NETDEVS(hostdev)->pdata[i])->present &= ~VIRT_NETDEV_BIT(VIRT_NETDEV_MAC);
    bindBeforehand(f, MADE_UP);
    before = fakeHostDump(f->fake);
    prepare(f, wanted);
    g_assert_cmpuint(f->fake->warnings->len, ==, 0);
    release(f);
    after = fakeHostDump(f->fake);
    g_assert_cmpstr(after, ==, before);
    prepare(f, wanted);
    fakeHostVF(f->fake, PF, 1, 0)->mac[5] = 0x77;
    release(f);
    assertMac(f, "00:00:00:00:00:00");
}

/* The guest wants the very address that is shown: it has to be set, and is not known to have been set before. */
static void
testSame(twoGuests *f, gconstpointer opaque)
{
    g_autoptr(GPtrArray) wanted = guestsWant(f, 1, 0xaa);
    virtNetdev *netdev = virtNetdevListFind(VIRT_NETDEVS((virtHostdev *)wanted->pdata[0]), 1);
    g_autofree char *log = NULL;

    g_assert_true(virtMacParse(MADE_UP, netdev->mac));
    bindBeforehand(f, MADE_UP);
    prepare(f, wanted);
    log = fakeHostTakeLog(f->fake);
    g_assert_nonnull(strstr(log, "enp1s0f0 vf 0 mac=" MADE_UP));
    release(f);
    assertMac(f, "00:00:00:00:00:00");
}

/* A refused start has not changed it. */
static void
testRefused(twoGuests *f, gconstpointer opaque)
{
    g_autoptr(GPtrArray) wanted = guestsWant(f, 1, 0xaa);
    g_autoptr(GError) error = NULL;

    bindBeforehand(f, MADE_UP);
    f->fake->refused = VIRT_NETDEV_BIT(VIRT_NETDEV_MAC);
    g_assert_false(virtProvisionPrepare(f->fake->host, f->a, wanted, &error));
    guestsAssertError(error, VIRT_ERROR_REFUSED, "Cannot set MAC address");
    assertMac(f, MADE_UP);
}

/* Where none can be taken away, the one that was there is better than one of ours. */
static void
testNotTakenAway(twoGuests *f, gconstpointer opaque)
{
    g_autoptr(GPtrArray) wanted = guestsWant(f, 1, 0xaa);

    bindBeforehand(f, MADE_UP);
    prepare(f, wanted);
    f->fake->refuseZeroMac = true;
    release(f);
    assertMac(f, MADE_UP);
}

static void
assertSetRows(virtHost *host, const virtDrift *drift, void *opaque)
{
    g_assert_no_error(drift->problem);
    g_assert_cmpuint(testCountDrifted(drift), ==, 0);
    for (guint i = 0; i < drift->rows->len; i++) {
        const virtPlanRow *row = drift->rows->pdata[i];

        g_assert_cmpstr(row->from, ==, row->to);
    }
    (*(guint *)opaque)++;
}

/* A plan says so; a look at what was set does not. */
static void
testShown(twoGuests *f, gconstpointer opaque)
{
    g_autoptr(GPtrArray) wanted = guestsWant(f, 1, 0xaa);
    g_autoptr(GPtrArray) rows = NULL;
    g_autoptr(GPtrArray) records = NULL;
    guint looked = 0;

    bindBeforehand(f, MADE_UP);
    rows = virtProvisionPlan(f->fake->host, f->a, wanted);
    g_assert_cmpstr(((virtPlanRow *)rows->pdata[0])->from, ==, "? (" MADE_UP " is shown)");
    g_assert_true(((virtPlanRow *)rows->pdata[0])->differs);
    g_assert_null(((virtPlanRow *)rows->pdata[0])->problem);
    g_assert_cmpuint(f->fake->warnings->len, ==, 1);
    prepare(f, wanted);
    records = virtProvisionRecordList(f->fake->host, NULL);
    virtProvisionDrift(f->fake->host, records, assertSetRows, &looked);
    g_assert_cmpuint(looked, ==, 1);
}

/* ---- a VF that the host uses ---- */

static void
assertInUse(twoGuests *f, const char *part)
{
    g_autoptr(GPtrArray) wanted = guestsWant(f, 1, 0xaa);
    g_autoptr(GPtrArray) rows = virtProvisionPlan(f->fake->host, f->a, wanted);
    g_autoptr(virtOwner) hand = virtOwnerNew("by hand", NULL);
    g_autoptr(GError) error = NULL;

    g_assert_false(virtProvisionPrepare(f->fake->host, f->a, wanted, &error));
    guestsAssertError(error, VIRT_ERROR_BUSY, part);
    g_assert_cmpstr(((virtPlanRow *)rows->pdata[0])->problem, ==, error->message);
    guestsAssertAsBefore(f);
    g_clear_error(&error);
    virtProvisionPrepare(f->fake->host, hand, wanted, &error);
    g_assert_no_error(error);
    testRelease(f->fake->host, hand, NULL, &error);
    g_assert_no_error(error);
}

static void
assertUnused(twoGuests *f)
{
    g_autoptr(GPtrArray) wanted = guestsWant(f, 1, 0xaa);

    prepare(f, wanted);
    release(f);
    guestsAssertAsBefore(f);
}

static void
testUpper(twoGuests *f, gconstpointer opaque)
{
    fakeHostFile(f->fake, "", DEVICE "/net/enp1s16f0d1/upper_br0");
    assertInUse(f, "its netdev enp1s16f0d1 is below br0.");
}

/* What is above a netdev cannot be read: that is not the same as nothing. */
static void
testUpperUnread(twoGuests *f, gconstpointer opaque)
{
    g_autoptr(GPtrArray) wanted = guestsWant(f, 1, 0xaa);
    g_autofree char *netdev = virtHostPath(f->fake->host, DEVICE "/net/enp1s16f0d1");
    g_autofree char *aside = g_strconcat(netdev, "-aside", NULL);
    g_autoptr(GError) error = NULL;

    g_assert_cmpint(rename(netdev, aside), ==, 0);
    g_assert_cmpint(symlink("enp1s16f0d1", netdev), ==, 0);
    g_assert_false(virtProvisionPrepare(f->fake->host, f->a, wanted, &error));
    guestsAssertError(error, VIRT_ERROR_HOST, "Too many levels of symbolic links");
    guestsAssertAsBefore(f);
}

static void
testNoAddress(twoGuests *f, gconstpointer opaque)
{
    f->fake->ipv4Netdev = "enp1s16f0";
    assertInUse(f, "its netdev enp1s16f0 has the address 192.0.2.7.");
    f->fake->ipv4Netdev = NULL;
    /* Each netdev has a link-local one, and many an automatic one. */
    fakeHostFile(f->fake,
                 "fe800000000000000000000000000001 05 40 20 80 enp1s16f0\n"
                 "20010db8000000000000000000000001 05 40 00 00 enp1s16f0\n"
                 "20010db8000000000000000000000002 06 40 00 80    other\n",
                 "proc/net/if_inet6");
    assertUnused(f);
    fakeHostFile(f->fake, "20010db8000000000000000000000001 05 40 00 80 enp1s16f0\n", "proc/net/if_inet6");
    assertInUse(f, "its netdev enp1s16f0 has the address 2001:0db8:0000:0000:0000:0000:0000:0001.");
}

static void
makeLink(twoGuests *f, const char *target, const char *relative)
{
    g_autofree char *path = virtHostPath(f->fake->host, "%s", relative);
    g_autofree char *dir = g_path_get_dirname(path);

    g_assert_cmpint(g_mkdir_with_parents(dir, 0755), ==, 0);
    g_assert_cmpint(symlink(target, path), ==, 0);
}

static void
testNamespace(twoGuests *f, gconstpointer opaque)
{
    g_autofree char *net = virtHostPath(f->fake->host, DEVICE "/net");
    g_autofree char *away = virtHostPath(f->fake->host, "elsewhere");

    g_assert_cmpint(rename(net, away), ==, 0);
    assertInUse(f, "its driver dualvf is bound, and its netdev is in another network namespace. Move");
    makeLink(f, "net:[1]", "proc/self/ns/net");
    makeLink(f, "net:[1]", "proc/1/ns/net");
    makeLink(f, "net:[2]", "proc/77/ns/net");
    fakeHostFile(f->fake, "pod\n", "proc/77/comm");
    fakeHostFile(f->fake, "5\n", "proc/77/root/sys/bus/pci/devices/" VF0 "/net/eth0/ifindex");
    assertInUse(f, "in another network namespace, that of process 77 (pod).");
    /* Drivers that make no netdev. */
    fakeHostSetDriver(f->fake, VF0, "mlx5_core");
    assertUnused(f);
    fakeHostFile(f->fake, "", DEVICE "/mlx5_core.eth.2/uevent");
    assertInUse(f, "its driver mlx5_core is bound");
    fakeHostSetDriver(f->fake, VF0, NULL);
    assertUnused(f);
}

/* ---- looked at again under the lock ---- */

static virtStateLock *theirs;
static twoGuests *waiting;

static void
takeDownAndUnlock(gulong microseconds)
{
    fakeHostFile(waiting->fake, "0x1002\n", "sys/class/net/%s/flags", fakeHostIfname(waiting->fake, PF, 2));
    g_clear_pointer(&theirs, virtStateLockRelease);
}

static void
testTakenDown(twoGuests *f, gconstpointer opaque)
{
    g_autoptr(GPtrArray) wanted = guestsWant(f, 1, 0xaa);
    g_autoptr(virtHost) other = virtHostNew(f->fake->host->root);
    g_autoptr(GError) error = NULL;

    waiting = f;
    theirs = virtStateLockTake(other, PF, NULL);
    f->fake->host->sleep = takeDownAndUnlock;
    g_assert_false(virtProvisionPrepare(f->fake->host, f->a, wanted, &error));
    guestsAssertError(error, VIRT_ERROR_HOST, "the PF's netdev enp1s0f0d1 is down");
    guestsAssertAsBefore(f);
}

/* ---- the driver comes back ---- */

/* libvirt has bound the VF to vfio-pci and died; whoever comes then puts back what is recorded. */
static void
releaseOne(twoGuests *f)
{
    g_autoptr(GPtrArray) records = virtProvisionRecordList(f->fake->host, NULL);
    g_autoptr(GError) error = NULL;

    g_assert_cmpuint(records->len, ==, 1);
    virtProvisionReleaseOne(f->fake->host, records->pdata[0], &error);
    g_assert_no_error(error);
}

static void
assertBoundBack(twoGuests *f, const char *unbound, const char *bound, const char *override)
{
    g_autofree char *unbind = fakeHostRead(f->fake, "sys/bus/pci/drivers/vfio-pci/unbind");
    g_autofree char *bind = fakeHostRead(f->fake, "sys/bus/pci/drivers/dualvf/bind");
    g_autofree char *only = fakeHostRead(f->fake, DEVICE "/driver_override");

    g_assert_cmpstr(unbind, ==, unbound);
    g_assert_cmpstr(bind, ==, bound);
    g_assert_true(g_str_has_prefix(only, override)); /* a file here keeps what was longer */
}

static void
testDriver(twoGuests *f, gconstpointer opaque)
{
    g_autoptr(GPtrArray) wanted = guestsWant(f, 1, 0xaa);

    prepare(f, wanted);
    fakeHostBindVFIO(f->fake, VF0);
    fakeHostFile(f->fake, "vfio-pci\n", DEVICE "/driver_override");
    releaseOne(f);
    assertBoundBack(f, VF0, VF0, "\n");
    guestsAssertAsBefore(f);
}

/* ... also where it had said which driver it is to have. */
static void
testOverride(twoGuests *f, gconstpointer opaque)
{
    g_autoptr(GPtrArray) wanted = guestsWant(f, 1, 0xaa);

    fakeHostFile(f->fake, "dualvf\n", DEVICE "/driver_override");
    prepare(f, wanted);
    prepare(f, wanted);
    fakeHostBindVFIO(f->fake, VF0);
    fakeHostFile(f->fake, "vfio-pci\n", DEVICE "/driver_override");
    releaseOne(f);
    assertBoundBack(f, VF0, VF0, "dualvf");
}

/* A guest that QEMU ends has more than the libvirt of now knows of. */
static void
testDriverForgotten(twoGuests *f, gconstpointer opaque)
{
    g_autoptr(GPtrArray) wanted = guestsWant(f, 1, 0xaa);
    g_autoptr(GArray) none = g_array_new(FALSE, FALSE, sizeof(virtHandle));
    g_autoptr(GError) error = NULL;

    prepare(f, wanted);
    fakeHostBindVFIO(f->fake, VF0);
    fakeHostFile(f->fake, "vfio-pci\n", DEVICE "/driver_override");
    testRelease(f->fake->host, f->a, none, &error);
    g_assert_no_error(error);
    assertBoundBack(f, VF0, VF0, "\n");
    guestsAssertAsBefore(f);
}

/* A libvirt that lives gives back what it lists, right after its hook; and what was with vfio-pci before stays there.
 */
static void
testDriverStays(twoGuests *f, gconstpointer opaque)
{
    g_autoptr(GPtrArray) wanted = guestsWant(f, 1, 0xaa);
    g_autoptr(GArray) listed = g_array_new(FALSE, FALSE, sizeof(virtHandle));
    g_autoptr(GError) error = NULL;

    g_array_append_val(listed, ((virtHostdev *)wanted->pdata[0])->handle);
    prepare(f, wanted);
    fakeHostBindVFIO(f->fake, VF0);
    testRelease(f->fake->host, f->a, listed, &error);
    g_assert_no_error(error);
    assertBoundBack(f, "", "", "(null)\n");
    prepare(f, wanted);
    releaseOne(f);
    assertBoundBack(f, "", "", "(null)\n");
    fakeHostSetDriver(f->fake, VF0, "dualvf");
    fakeHostFile(f->fake, "99\n", DEVICE "/net/enp1s16f0/ifindex");
    virtOwnerSetStarter(f->a, (guint64)getpid());
    prepare(f, wanted);
    fakeHostBindVFIO(f->fake, VF0);
    releaseOne(f);
    assertBoundBack(f, "", "", "(null)\n");
}

int
main(int argc, char **argv)
{
    static const guestsTest tests[] = {
        {"/unknown/made-up", testMadeUp},
        {"/unknown/given", testGiven},
        {"/unknown/untouched", testUntouched},
        {"/unknown/same", testSame},
        {"/unknown/refused", testRefused},
        {"/unknown/not-taken-away", testNotTakenAway},
        {"/unknown/shown", testShown},
        {"/in-use/upper", testUpper},
        {"/in-use/upper-unread", testUpperUnread},
        {"/in-use/address", testNoAddress},
        {"/in-use/namespace", testNamespace},
        {"/lock/taken-down", testTakenDown},
        {"/driver/comes-back", testDriver},
        {"/driver/override", testOverride},
        {"/driver/forgotten", testDriverForgotten},
        {"/driver/stays", testDriverStays},
    };

    return guestsRun(tests, G_N_ELEMENTS(tests), argc, argv);
}
