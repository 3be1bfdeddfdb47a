/* qemuupdatetest.c: new settings for a running guest's VF, and VFs that strangers use, on a made-up host
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "fakehost.h"
#include "qemu/qemu_hostdev.h"
#include "util/virerror.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define PF "0000:01:00.0"
#define UUID_A "11111111-2222-3333-4444-555555555555"

typedef struct {
    fakeHost *fake;
    virtOwner *a, *b;
    const char *vf;          /* address of VF 0, which a's guest has */
    virtHostdev *old, *new;  /* what it was given, and what a test wants it to have; equal at first */
    char *before, *attached; /* dumps: without a guest, and with it */
    char *record;            /* on disk, with the guest */
} Fixture;

/* Two netdevs: MAC, VLAN 100 * port; port 2 also has a rate. */
static virtHostdev *
makeHostdev(const char *address)
{
    virtHostdev *hostdev = g_new0(virtHostdev, 1);

    g_assert_true(virtPCIAddressParse(address, &hostdev->address, NULL));
    hostdev->netdevs = virtNetdevListNew();
    for (guint port = 1; port <= 2; port++) {
        virtNetdev *netdev = virtNetdevNew(port);
        const guint8 mac[6] = {0x52, 0x54, 0, 0, 0, (guint8)port};

        memcpy(netdev->mac, mac, sizeof(mac));
        netdev->vlan.id = (guint16)(100 * port);
        netdev->vlan.protocol = 0x8100;
        netdev->present = VIRT_NETDEV_BIT(VIRT_NETDEV_MAC) | VIRT_NETDEV_BIT(VIRT_NETDEV_VLAN);
        g_ptr_array_add(hostdev->netdevs, netdev);
    }
    virtNetdevSetRate(hostdev->netdevs->pdata[1], 500, 0);
    ((virtNetdev *)hostdev->netdevs->pdata[1])->present |= VIRT_NETDEV_BIT(VIRT_NETDEV_BANDWIDTH);
    return hostdev;
}

static void
attach(Fixture *f)
{
    g_autoptr(GPtrArray) list = g_ptr_array_new();
    g_autoptr(GError) error = NULL;

    g_ptr_array_add(list, f->old);
    g_assert_true(virtQemuHostdevPrepare(f->fake->host, f->a, list, &error));
    g_assert_no_error(error);
}

static void
setUp(Fixture *f, gconstpointer opaque)
{
    fakeVF *second;

    f->fake = fakeHostNew();
    fakeHostAddPF(f->fake, PF, 2, 4, "dual");
    f->vf = fakeHostVFAddress(f->fake, PF, 0);
    second = fakeHostVF(f->fake, PF, 2, 0);
    second->vlan = 7;
    second->qos = 5;
    second->maxRate = 20;
    f->a = virtOwnerNew("a", UUID_A);
    f->b = virtOwnerNew("b", "99999999-2222-3333-4444-555555555555");
    virtOwnerSetStarter(f->a, (guint64)getpid());
    f->before = fakeHostDump(f->fake);
    f->old = makeHostdev(f->vf);
    f->new = virtHostdevCopy(f->old);
    attach(f);
    fakeHostBindVFIO(f->fake, f->vf);
    f->attached = fakeHostDump(f->fake);
    f->record = fakeHostRead(f->fake, "run/libvirt-hostdev/%s", f->vf);
    f->fake->attrs = f->fake->sets = f->fake->gets = 0;
    g_free(fakeHostTakeLog(f->fake));
}

static void
tearDown(Fixture *f, gconstpointer opaque)
{
    virtOwnerFree(f->a);
    virtOwnerFree(f->b);
    virtHostdevFree(f->old);
    virtHostdevFree(f->new);
    g_free(f->before);
    g_free(f->attached);
    g_free(f->record);
    fakeHostFree(f->fake);
}

static virtNetdev *
netdev(virtHostdev *hostdev, guint port)
{
    return virtNetdevListFind(hostdev->netdevs, port);
}

/* A bit of everything: port 1 changes its VLAN and gets a link state; port 2 loses its VLAN, gets another rate and
 * has spoof checking turned off. */
static void
changeAll(Fixture *f)
{
    virtNetdev *first = netdev(f->new, 1), *second = netdev(f->new, 2);

    first->vlan.id = 42;
    first->link = 2;
    first->present |= VIRT_NETDEV_BIT(VIRT_NETDEV_LINK);
    second->present &= ~VIRT_NETDEV_BIT(VIRT_NETDEV_VLAN);
    second->present |= VIRT_NETDEV_BIT(VIRT_NETDEV_SPOOFCHECK);
    second->spoofcheck = 0;
    virtNetdevSetRate(second, 300, 0);
}

static void
assertAllChanged(Fixture *f)
{
    const fakeVF *first = fakeHostVF(f->fake, PF, 1, 0), *second = fakeHostVF(f->fake, PF, 2, 0);

    g_assert_cmpuint(first->vlan, ==, 42);
    g_assert_cmpuint(first->link, ==, 2);
    g_assert_cmpuint(second->vlan, ==, 7);
    g_assert_cmpuint(second->qos, ==, 5);
    g_assert_cmpuint(second->maxRate, ==, 300);
    g_assert_cmpuint(second->spoofchk, ==, 0);
}

static void
assertError(GError **error, int code, const char *part)
{
    g_assert_error(*error, VIRT_ERROR, code);
    if (!strstr((*error)->message, part))
        g_error("'%s' lacks '%s'", (*error)->message, part);
    g_clear_error(error);
}

static void
assertHardware(Fixture *f, const char *dump)
{
    g_autofree char *now = fakeHostDump(f->fake);

    g_assert_cmpstr(now, ==, dump);
}

static void
assertRecord(Fixture *f, virtPhase phase, const virtHostdev *wanted)
{
    g_autoptr(virtRecord) record = virtQemuRecordLoad(f->fake->host, f->vf, NULL);

    g_assert_cmpint(record->phase, ==, phase);
    g_assert_cmpuint(record->wanted->len, ==, wanted->netdevs->len);
    for (guint i = 0; i < wanted->netdevs->len; i++) {
        const virtNetdev *is = record->wanted->pdata[i], *should = wanted->netdevs->pdata[i];

        g_assert_cmphex(is->present, ==, should->present);
        g_assert_cmphex(virtNetdevDiff(should, is), ==, 0);
    }
}

static void
releaseAndCheck(Fixture *f)
{
    g_autoptr(GError) error = NULL;

    g_assert_true(virtQemuHostdevRelease(f->fake->host, f->a, &error));
    g_assert_no_error(error);
    assertHardware(f, f->before);
}

static void
assertUntouched(Fixture *f)
{
    g_autofree char *record = fakeHostRead(f->fake, "run/libvirt-hostdev/%s", f->vf);

    g_assert_cmpuint(f->fake->sets, ==, 0);
    g_assert_cmpstr(record, ==, f->record);
}

/* ---- update ---- */

static void
testUpdate(Fixture *f, gconstpointer opaque)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(virtRecord) record = NULL;
    g_autofree char *log = NULL;

    changeAll(f);
    g_assert_true(virtQemuHostdevUpdate(f->fake->host, f->a, f->new, &error));
    g_assert_no_error(error);
    assertAllChanged(f);
    assertRecord(f, VIRT_PHASE_ACTIVE, f->new);
    log = fakeHostTakeLog(f->fake);
    g_assert_null(strstr(log, "mac"));
    g_assert_cmpuint(f->fake->attrs, ==, 5);
    record = virtQemuRecordLoad(f->fake->host, f->vf, NULL);
    g_assert_cmpuint(record->owner.pid, ==, getpid());
    g_assert_cmpuint(virtNetdevListFind(record->before, 2)->vlan.id, ==, 7);
    releaseAndCheck(f);
}

static void
testNothingToDo(Fixture *f, gconstpointer opaque)
{
    g_autoptr(GError) error = NULL;

    g_assert_true(virtQemuHostdevUpdate(f->fake->host, f->a, f->new, &error));
    g_assert_cmpuint(f->fake->sets, ==, 0);
    assertRecord(f, VIRT_PHASE_ACTIVE, f->old);
    assertHardware(f, f->attached);
}

/* Dropped, and wanted again, and dropped once more: what was there before the guest comes back each time. */
static void
testDropped(Fixture *f, gconstpointer opaque)
{
    g_autoptr(GError) error = NULL;

    netdev(f->new, 2)->present &= ~VIRT_NETDEV_BIT(VIRT_NETDEV_VLAN);
    for (guint i = 0; i < 2; i++) {
        g_assert_true(virtQemuHostdevUpdate(f->fake->host, f->a, f->new, &error));
        g_assert_cmpuint(fakeHostVF(f->fake, PF, 2, 0)->vlan, ==, 7);
        g_assert_cmpuint(fakeHostVF(f->fake, PF, 2, 0)->qos, ==, 5);
        g_assert_cmpuint(fakeHostVF(f->fake, PF, 1, 0)->vlan, ==, 100);
        assertRecord(f, VIRT_PHASE_ACTIVE, f->new);
        g_assert_true(virtQemuHostdevUpdate(f->fake->host, f->a, f->old, &error));
        assertHardware(f, f->attached);
    }
    releaseAndCheck(f);
}

/* mlx4: no VLAN changes while a rate is set, so the rate that is dropped must go first. */
static void
testDroppedRate(Fixture *f, gconstpointer opaque)
{
    g_autoptr(GError) error = NULL;

    fakeHostVF(f->fake, PF, 2, 0)->maxRate = 0;
    virtQemuHostdevRelease(f->fake->host, f->a, NULL);
    fakeHostVF(f->fake, PF, 2, 0)->maxRate = 0;
    attach(f);
    f->fake->vlanNeedsNoRate = true;
    netdev(f->new, 2)->present &= ~VIRT_NETDEV_BIT(VIRT_NETDEV_BANDWIDTH);
    netdev(f->new, 2)->vlan.id = 43;
    g_assert_true(virtQemuHostdevUpdate(f->fake->host, f->a, f->new, &error));
    g_assert_no_error(error);
    g_assert_cmpuint(fakeHostVF(f->fake, PF, 2, 0)->vlan, ==, 43);
    g_assert_cmpuint(fakeHostVF(f->fake, PF, 2, 0)->maxRate, ==, 0);
}

/* A guest that may has taken another MAC address: an update about something else must not take it away. */
static void
testGuestsMac(Fixture *f, gconstpointer opaque)
{
    g_autoptr(GError) error = NULL;

    fakeHostVF(f->fake, PF, 1, 0)->mac[5] = 0x77;
    netdev(f->new, 1)->vlan.id = 42;
    g_assert_true(virtQemuHostdevUpdate(f->fake->host, f->a, f->new, &error));
    g_assert_cmpuint(fakeHostVF(f->fake, PF, 1, 0)->mac[5], ==, 0x77);
    g_assert_cmpuint(f->fake->attrs, ==, 1);
    f->fake->refused = VIRT_NETDEV_BIT(VIRT_NETDEV_VLAN);
    g_assert_false(virtQemuHostdevUpdate(f->fake->host, f->a, f->old, &error));
    g_assert_cmpuint(fakeHostVF(f->fake, PF, 1, 0)->mac[5], ==, 0x77);
    fakeHostHeal(f->fake);
    releaseAndCheck(f);
}

static void
refuse(Fixture *f, const virtOwner *owner, const virtHostdev *hostdev, int code, const char *part)
{
    g_autoptr(GError) error = NULL;

    g_assert_false(virtQemuHostdevUpdate(f->fake->host, owner, hostdev, &error));
    assertError(&error, code, part);
    assertUntouched(f);
}

static void
testFixed(Fixture *f, gconstpointer opaque)
{
    virtNetdev *first = netdev(f->new, 1);
    const virtNetdev good = *first;

    first->mac[5] = 9;
    refuse(
        f, f->a, f->new, VIRT_ERROR_INVALID,
        "of port 1 (VF 0 of 0000:01:00.0, 0000:01:10.0) from 52:54:00:00:00:01 to 52:54:00:00:00:09 while a guest has it: the guest's driver took its address when it probed. Detach");
    *first = good;
    first->present &= ~VIRT_NETDEV_BIT(VIRT_NETDEV_MAC);
    refuse(f, f->a, f->new, VIRT_ERROR_INVALID, "from 52:54:00:00:00:01 to not given");
    *first = good;
    first->present |= VIRT_NETDEV_BIT(VIRT_NETDEV_VIRTUALPORT);
    g_strlcpy(first->profileid, "finance", sizeof(first->profileid));
    refuse(f, f->a, f->new, VIRT_ERROR_INVALID, "port profile");
    *first = good;
    first->present |= VIRT_NETDEV_BIT(VIRT_NETDEV_NODE_GUID);
    refuse(f, f->a, f->new, VIRT_ERROR_INVALID, "node GUID");
    *first = good;
    first->present |= VIRT_NETDEV_BIT(VIRT_NETDEV_PORT_GUID);
    refuse(f, f->a, f->new, VIRT_ERROR_INVALID, "port GUID");
    g_ptr_array_remove_index(f->new->netdevs, 0);
    refuse(f, f->a, f->new, VIRT_ERROR_INVALID, "Cannot take away port 1");
}

static void
testAddedPort(Fixture *f, gconstpointer opaque)
{
    g_autoptr(virtRecord) record = virtQemuRecordLoad(f->fake->host, f->vf, NULL);

    g_ptr_array_remove_index(record->wanted, 1);
    g_assert_true(virtQemuRecordSave(f->fake->host, record, VIRT_PHASE_ACTIVE, NULL));
    g_free(f->record);
    f->record = fakeHostRead(f->fake, "run/libvirt-hostdev/%s", f->vf);
    refuse(f, f->a, f->new, VIRT_ERROR_INVALID, "Cannot add port 2");
}

static void
testRefused(Fixture *f, gconstpointer opaque)
{
    g_autoptr(virtRecord) record = virtQemuRecordLoad(f->fake->host, f->vf, NULL);
    virtHostdev *other = makeHostdev(fakeHostVFAddress(f->fake, PF, 1));

    changeAll(f);
    refuse(f, f->a, other, VIRT_ERROR_NOT_FOUND, "attached without <netdev>");
    refuse(f, f->b, f->new, VIRT_ERROR_BUSY, "in use by domain 'a'");
    fakeHostSwapVFs(f->fake, PF, 0, 1);
    refuse(f, f->a, f->new, VIRT_ERROR_HOST, "was VF 0 and is now VF 1");
    fakeHostSwapVFs(f->fake, PF, 0, 1);
    fakeHostFile(f->fake, "0x1002\n", "sys/class/net/%s/flags", fakeHostIfname(f->fake, PF, 2));
    refuse(f, f->a, f->new, VIRT_ERROR_HOST, "is down");
    fakeHostFile(f->fake, "0x1003\n", "sys/class/net/%s/flags", fakeHostIfname(f->fake, PF, 2));
    g_assert_true(virtQemuRecordSave(f->fake->host, record, VIRT_PHASE_RESTORING, NULL));
    g_free(f->record);
    f->record = fakeHostRead(f->fake, "run/libvirt-hostdev/%s", f->vf);
    refuse(f, f->a, f->new, VIRT_ERROR_BUSY, "is being put back");
    virtHostdevFree(other);
}

/* Each attribute that is written is refused in turn: all goes back to what the guest had, not to what was before. */
static void
testRollback(Fixture *f, gconstpointer opaque)
{
    g_autoptr(GError) error = NULL;
    guint n = 1;

    changeAll(f);
    for (f->fake->failAttr = n; !virtQemuHostdevUpdate(f->fake->host, f->a, f->new, &error); f->fake->failAttr = n) {
        assertError(&error, VIRT_ERROR_REFUSED, "(VF 0 of enp1s0f0");
        fakeHostHeal(f->fake);
        assertHardware(f, f->attached);
        assertRecord(f, VIRT_PHASE_ACTIVE, f->old);
        n++;
        g_assert_cmpuint(n, <, 50);
    }
    g_assert_cmpuint(n, ==, 6);
    fakeHostHeal(f->fake);
    assertAllChanged(f);
    releaseAndCheck(f);
}

/* Whole requests refused, each once. What was refused together goes through one by one, so this succeeds. */
static void
testRequests(Fixture *f, gconstpointer opaque)
{
    for (guint n = 1; n <= 6; n++) {
        g_autoptr(GError) error = NULL;
        virtHostdev *swap = f->old;
        bool done;

        f->fake->failRequest = n;
        if (n == 1)
            changeAll(f);
        done = virtQemuHostdevUpdate(f->fake->host, f->a, f->new, &error);
        fakeHostHeal(f->fake);
        assertRecord(f, VIRT_PHASE_ACTIVE, done ? f->new : f->old);
        if (!done)
            assertError(&error, VIRT_ERROR_REFUSED, "VF 0");
        f->old = done ? f->new : f->old;
        f->new = done ? swap : f->new;
    }
    releaseAndCheck(f);
}

static int
refuseAfter(void *opaque, guint port, guint vf, virtNetdevAttr attr, const fakeVF *wanted)
{
    guint *allowed = opaque;

    if (*allowed == 0)
        return EIO;
    (*allowed)--;
    return 0;
}

/* From the n-th write on nothing works any more, so going back fails too. The record then knows every attribute that
 * may be touched: the old update, the new one and a release all get out of it. */
static void
testRollbackFails(Fixture *f, gconstpointer opaque)
{
    changeAll(f);
    for (guint n = 0; n < 15; n++) {
        const virtHostdev *next = n % 3 == 0 ? f->old : n % 3 == 1 ? f->new : NULL;
        g_autoptr(GError) error = NULL;
        g_autoptr(virtRecord) record = NULL;
        guint allowed = n / 3;

        f->fake->judge = refuseAfter;
        f->fake->judgeOpaque = &allowed;
        g_assert_false(virtQemuHostdevUpdate(f->fake->host, f->a, f->new, &error));
        record = virtQemuRecordLoad(f->fake->host, f->vf, NULL);
        g_assert_cmpint(record->phase, ==, n >= 3 ? VIRT_PHASE_SETTING : VIRT_PHASE_ACTIVE);
        if (n >= 3)
            g_assert_nonnull(strstr(error->message, "Going back failed too: Cannot restore"));
        assertError(&error, VIRT_ERROR_REFUSED, "VF 0");
        fakeHostHeal(f->fake);
        if (next) {
            g_assert_true(virtQemuHostdevUpdate(f->fake->host, f->a, next, &error));
            assertRecord(f, VIRT_PHASE_ACTIVE, next);
        }
        if (next == f->old)
            assertHardware(f, f->attached);
        if (next == f->new)
            assertAllChanged(f);
        releaseAndCheck(f);
        attach(f);
        assertHardware(f, f->attached);
    }
}

typedef struct {
    Fixture *f;
    guint allowed;
    char *onDisk; /* the record at the moment of the crash */
} Crash;

/* Every attribute about to be written is in the record, with what it was before; then the power goes. */
static int
crash(void *opaque, guint port, guint vf, virtNetdevAttr attr, const fakeVF *wanted)
{
    Crash *c = opaque;
    g_autoptr(virtRecord) record = NULL;

    if (c->onDisk)
        return EIO;
    record = virtQemuRecordLoad(c->f->fake->host, c->f->vf, NULL);
    g_assert_nonnull(record);
    g_assert_cmpint(record->phase, ==, VIRT_PHASE_SETTING);
    g_assert_true(virtNetdevHas(virtNetdevListFind(record->before, port), attr));
    g_assert_true(virtNetdevHas(virtNetdevListFind(record->wanted, port), attr));
    if (c->allowed-- > 0)
        return 0;
    c->onDisk = fakeHostRead(c->f->fake, "run/libvirt-hostdev/%s", c->f->vf);
    return EIO;
}

static void
testCrash(Fixture *f, gconstpointer opaque)
{
    changeAll(f);
    for (guint n = 0; n < 15; n++) {
        const virtHostdev *next = n % 3 == 0 ? f->old : n % 3 == 1 ? f->new : NULL;
        Crash c = {f, n / 3, NULL};
        g_autoptr(GError) error = NULL;

        f->fake->judge = crash;
        f->fake->judgeOpaque = &c;
        g_assert_false(virtQemuHostdevUpdate(f->fake->host, f->a, f->new, NULL));
        g_assert_nonnull(c.onDisk);
        fakeHostHeal(f->fake);
        fakeHostFile(f->fake, c.onDisk, "run/libvirt-hostdev/%s", f->vf);
        if (next) {
            g_assert_true(virtQemuHostdevUpdate(f->fake->host, f->a, next, &error));
            g_assert_no_error(error);
            assertRecord(f, VIRT_PHASE_ACTIVE, next);
        }
        if (next == f->old)
            assertHardware(f, f->attached);
        if (next == f->new)
            assertAllChanged(f);
        releaseAndCheck(f);
        attach(f);
        g_free(c.onDisk);
    }
}

/* What was not known when the VF was given away is read, and on disk, before it is touched; and not read again. */
static void
testBeforeGrows(Fixture *f, gconstpointer opaque)
{
    g_autoptr(virtRecord) record = virtQemuRecordLoad(f->fake->host, f->vf, NULL);
    g_autoptr(virtRecord) after = NULL;
    Crash c = {f, G_MAXINT, NULL};

    virtNetdevListFind(record->before, 1)->present &= ~VIRT_NETDEV_BIT(VIRT_NETDEV_LINK);
    g_assert_true(virtQemuRecordSave(f->fake->host, record, VIRT_PHASE_ACTIVE, NULL));
    fakeHostVF(f->fake, PF, 1, 0)->link = 1;
    changeAll(f);
    f->fake->judge = crash;
    f->fake->judgeOpaque = &c;
    g_assert_true(virtQemuHostdevUpdate(f->fake->host, f->a, f->new, NULL));
    netdev(f->new, 1)->link = 0;
    g_assert_true(virtQemuHostdevUpdate(f->fake->host, f->a, f->new, NULL));
    f->fake->judge = NULL;
    after = virtQemuRecordLoad(f->fake->host, f->vf, NULL);
    g_assert_cmpuint(virtNetdevListFind(after->before, 1)->link, ==, 1);
    g_assert_true(virtQemuHostdevRelease(f->fake->host, f->a, NULL));
    g_assert_cmpuint(fakeHostVF(f->fake, PF, 1, 0)->link, ==, 1);
}

/* A driver that says yes and does nothing. */
static void
testIgnored(Fixture *f, gconstpointer opaque)
{
    g_autoptr(GError) error = NULL;

    changeAll(f);
    f->fake->ignored = VIRT_NETDEV_BIT(VIRT_NETDEV_LINK);
    g_assert_false(virtQemuHostdevUpdate(f->fake->host, f->a, f->new, &error));
    assertError(&error, VIRT_ERROR_REFUSED, "link state");
    fakeHostHeal(f->fake);
    assertHardware(f, f->attached);
    assertRecord(f, VIRT_PHASE_ACTIVE, f->old);
}

/* No file can grow any more, or all can again. */
static void
setDiskFull(bool full)
{
    const struct rlimit limit = {full ? 0 : RLIM_INFINITY, RLIM_INFINITY};

    signal(SIGXFSZ, SIG_IGN);
    g_assert_cmpint(setrlimit(RLIMIT_FSIZE, &limit), ==, 0);
}

/* The disk takes no record from the first attribute on: the guest keeps what it had, both failures are told, and the
 * record is that of an unfinished change, which the next update finishes. */
static int
fillDisk(void *opaque, guint port, guint vf, virtNetdevAttr attr, const fakeVF *wanted)
{
    setDiskFull(true);
    return 0;
}

static void
testDiskFull(Fixture *f, gconstpointer opaque)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(virtRecord) record = NULL;

    changeAll(f);
    f->fake->judge = fillDisk;
    g_assert_false(virtQemuHostdevUpdate(f->fake->host, f->a, f->new, &error));
    setDiskFull(false);
    fakeHostHeal(f->fake);
    assertError(&error, VIRT_ERROR_HOST, "The record could not be corrected");
    assertHardware(f, f->attached);
    record = virtQemuRecordLoad(f->fake->host, f->vf, NULL);
    g_assert_cmpint(record->phase, ==, VIRT_PHASE_SETTING);
    g_assert_true(virtQemuHostdevUpdate(f->fake->host, f->a, f->new, &error));
    assertAllChanged(f);
    assertRecord(f, VIRT_PHASE_ACTIVE, f->new);
    releaseAndCheck(f);
}

/* And when even the first record cannot be written, or the VF not be read, nothing is touched. */
static void
testNotBegun(Fixture *f, gconstpointer opaque)
{
    changeAll(f);
    setDiskFull(true);
    refuse(f, f->a, f->new, VIRT_ERROR_HOST, "Cannot write state file");
    setDiskFull(false);
    f->fake->getErrno = EIO;
    refuse(f, f->a, f->new, VIRT_ERROR_HOST, "");
}

/* ---- strangers ---- */

static void G_GNUC_PRINTF(3, 4) makeLink(Fixture *f, const char *target, const char *format, ...)
{
    g_autofree char *relative = NULL;
    g_autofree char *path = NULL;
    g_autofree char *dir = NULL;
    va_list args;

    va_start(args, format);
    relative = g_strdup_vprintf(format, args);
    va_end(args);
    path = virtHostPath(f->fake->host, "%s", relative);
    dir = g_path_get_dirname(path);
    g_assert_cmpint(g_mkdir_with_parents(dir, 0755), ==, 0);
    unlink(path);
    g_assert_cmpint(symlink(target, path), ==, 0);
}

/* VF 1, in group 17 with a VFIO driver, and two processes that have other things open. */
static virtPCIAddress
makeStranger(Fixture *f)
{
    const char *name = fakeHostVFAddress(f->fake, PF, 1);
    virtPCIAddress address;

    g_assert_true(virtPCIAddressParse(name, &address, NULL));
    fakeHostBindVFIO(f->fake, name);
    makeLink(f, "../../../kernel/iommu_groups/17", "sys/bus/pci/devices/%s/iommu_group", name);
    fakeHostFile(f->fake, "", "sys/kernel/iommu_groups/17/devices/%s", name);
    fakeHostFile(f->fake, "", "dev/vfio/17");
    fakeHostFile(f->fake, "", "dev/vfio/devices/vfio3");
    fakeHostFile(f->fake, "init\n", "proc/1/comm");
    makeLink(f, "/dev/null", "proc/1/fd/0");
    makeLink(f, "/dev/vfio/171", "proc/1/fd/1");
    makeLink(f, "/dev/pts/17", "proc/1/fd/2");
    makeLink(f, "/dev/vfio/17", "proc/self/fd/2");
    fakeHostFile(f->fake, "qemu\033[2J\n", "proc/4711/comm");
    makeLink(f, "/dev/vfio/vfio", "proc/4711/fd/9");
    return address;
}

static void
testStranger(Fixture *f, gconstpointer opaque)
{
    static const char *const targets[] = {"/dev/vfio/17", "/dev/vfio/17 (deleted)", "/dev/vfio/devices/vfio3",
                                          "/dev/vfio/noiommu-17"};
    const virtPCIAddress address = makeStranger(f);
    const char *name = fakeHostVFAddress(f->fake, PF, 1);
    g_autoptr(GError) error = NULL;

    g_assert_true(virtQemuHostdevCheckUnused(f->fake->host, &address, &error));
    makeLink(f, "/dev/vfio/devices/vfio3", "proc/4711/fd/10");
    g_assert_true(virtQemuHostdevCheckUnused(f->fake->host, &address, &error));
    fakeHostFile(f->fake, "", "sys/bus/pci/devices/%s/vfio-dev/vfio3/dev", name);
    fakeHostFile(f->fake, "", "dev/vfio/noiommu-17");
    for (guint i = 0; i < G_N_ELEMENTS(targets); i++) {
        makeLink(f, targets[i], "proc/4711/fd/10");
        g_assert_false(virtQemuHostdevCheckUnused(f->fake->host, &address, &error));
        g_assert_nonnull(strstr(error->message, "by process 4711 (qemu?[2J), which has /dev/vfio/"));
        assertError(&error, VIRT_ERROR_BUSY, name);
    }
    /* Of a process that came and went only its directory is left. */
    fakeHostFile(f->fake, NULL, "proc/4711/fd/10");
    g_assert_true(virtQemuHostdevCheckUnused(f->fake->host, &address, &error));
    g_assert_cmpuint(f->fake->warnings->len, ==, 0);
}

/* Not bound to VFIO: nobody can have it open, and nothing below /proc is read. */
static void
testStrangerUnbound(Fixture *f, gconstpointer opaque)
{
    virtPCIAddress address;
    g_autoptr(GError) error = NULL;

    g_assert_true(virtPCIAddressParse(fakeHostVFAddress(f->fake, PF, 2), &address, NULL));
    g_assert_true(virtQemuHostdevCheckUnused(f->fake->host, &address, &error));
    makeLink(f, "../../../kernel/iommu_groups/18", "sys/bus/pci/devices/%s/iommu_group",
             fakeHostVFAddress(f->fake, PF, 2));
    makeLink(f, "/dev/vfio/18", "proc/4711/fd/10");
    g_assert_true(virtQemuHostdevCheckUnused(f->fake->host, &address, &error));
}

/* Where there is a record, that says who has the VF, or the rest of its group; unless its owner is gone. */
static void
testStrangerRecorded(Fixture *f, gconstpointer opaque)
{
    const virtPCIAddress address = makeStranger(f);
    g_autoptr(virtRecord) record = virtQemuRecordLoad(f->fake->host, f->vf, NULL);
    g_autoptr(GError) error = NULL;

    makeLink(f, "/dev/vfio/17", "proc/4711/fd/10");
    g_assert_false(virtQemuHostdevCheckUnused(f->fake->host, &address, &error));
    g_clear_error(&error);
    makeLink(f, "../../../kernel/iommu_groups/17", "sys/bus/pci/devices/%s/iommu_group", f->vf);
    g_assert_true(virtQemuHostdevCheckUnused(f->fake->host, &f->old->address, &error));
    record->owner.pid = 0;
    g_assert_true(virtQemuRecordSave(f->fake->host, record, VIRT_PHASE_ACTIVE, NULL));
    g_assert_false(virtQemuHostdevCheckUnused(f->fake->host, &f->old->address, &error));
    assertError(&error, VIRT_ERROR_BUSY, "4711");
    /* The group's other device has a record: it is that one's owner who has the group open. */
    fakeHostFile(f->fake, "", "sys/kernel/iommu_groups/17/devices/%s", f->vf);
    g_assert_true(virtQemuHostdevCheckUnused(f->fake->host, &address, &error));
    fakeHostFile(f->fake, "<hostdev", "run/libvirt-hostdev/%s", fakeHostVFAddress(f->fake, PF, 1));
    g_assert_false(virtQemuHostdevCheckUnused(f->fake->host, &address, &error));
    assertError(&error, VIRT_ERROR_INVALID, "run/libvirt-hostdev");
}

int
main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(Fixture *f, gconstpointer opaque);
    } tests[] = {
        {"/update/update", testUpdate},
        {"/update/nothing-to-do", testNothingToDo},
        {"/update/dropped", testDropped},
        {"/update/dropped-rate", testDroppedRate},
        {"/update/guests-mac", testGuestsMac},
        {"/update/fixed", testFixed},
        {"/update/added-port", testAddedPort},
        {"/update/refused", testRefused},
        {"/update/rollback", testRollback},
        {"/update/requests", testRequests},
        {"/update/rollback-fails", testRollbackFails},
        {"/update/crash", testCrash},
        {"/update/before-grows", testBeforeGrows},
        {"/update/ignored", testIgnored},
        {"/update/disk-full", testDiskFull},
        {"/update/not-begun", testNotBegun},
        {"/unused/stranger", testStranger},
        {"/unused/unbound", testStrangerUnbound},
        {"/unused/recorded", testStrangerRecorded},
    };

    g_test_init(&argc, &argv, NULL);
    for (guint i = 0; i < G_N_ELEMENTS(tests); i++)
        g_test_add(tests[i].name, Fixture, NULL, setUp, tests[i].run, tearDown);
    return g_test_run();
}
