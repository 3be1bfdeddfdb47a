/* qemuupdatefailtest.c: an update that fails, or is cut off: the VF is as it was, or its record says what is owed
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "updateguest.h"
#include "testrecord.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>

/* Each attribute that is written is refused in turn: all goes back to what the guest had, not to what was before. */
static void
testRollback(updateGuest *f, gconstpointer opaque)
{
    g_autoptr(GError) error = NULL;
    guint n = 1;

    updateChangeAll(f);
    for (f->fake->failAttr = n; !virtProvisionUpdate(f->fake->host, f->a, f->new, &error); f->fake->failAttr = n) {
        updateAssertError(&error, VIRT_ERROR_REFUSED, "(VF 0 of enp1s0f0");
        fakeHostHeal(f->fake);
        updateAssertHardware(f, f->attached);
        updateAssertRecord(f, VIRT_PHASE_ACTIVE, f->old);
        n++;
        g_assert_cmpuint(n, <, 50);
    }
    g_assert_cmpuint(n, ==, 6);
    fakeHostHeal(f->fake);
    updateAssertAllChanged(f);
    updateReleaseAndCheck(f);
}

/* Whole requests refused, each once. What was refused together goes through one by one, so this succeeds. */
static void
testRequests(updateGuest *f, gconstpointer opaque)
{
    for (guint n = 1; n <= 6; n++) {
        g_autoptr(GError) error = NULL;
        virtHostdev *swap = f->old;
        bool done;

        f->fake->failRequest = n;
        if (n == 1)
            updateChangeAll(f);
        done = virtProvisionUpdate(f->fake->host, f->a, f->new, &error);
        fakeHostHeal(f->fake);
        updateAssertRecord(f, VIRT_PHASE_ACTIVE, done ? f->new : f->old);
        if (!done)
            updateAssertError(&error, VIRT_ERROR_REFUSED, "VF 0");
        f->old = done ? f->new : f->old;
        f->new = done ? swap : f->new;
    }
    updateReleaseAndCheck(f);
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
testRollbackFails(updateGuest *f, gconstpointer opaque)
{
    updateChangeAll(f);
    for (guint n = 0; n < 15; n++) {
        const virtHostdev *next = n % 3 == 0 ? f->old : n % 3 == 1 ? f->new : NULL;
        g_autoptr(GError) error = NULL;
        g_autoptr(virtRecord) record = NULL;
        guint allowed = n / 3;

        f->fake->judge = refuseAfter;
        f->fake->judgeOpaque = &allowed;
        g_assert_false(virtProvisionUpdate(f->fake->host, f->a, f->new, &error));
        record = testRecordLoad(f->fake->host, f->vf, NULL);
        g_assert_cmpint(record->phase, ==, n >= 3 ? VIRT_PHASE_SETTING : VIRT_PHASE_ACTIVE);
        if (n >= 3)
            g_assert_nonnull(strstr(error->message, ". Restoring failed as well: Cannot restore"));
        updateAssertError(&error, VIRT_ERROR_REFUSED, "VF 0");
        fakeHostHeal(f->fake);
        if (next) {
            g_assert_true(virtProvisionUpdate(f->fake->host, f->a, next, &error));
            updateAssertRecord(f, VIRT_PHASE_ACTIVE, next);
        }
        if (next == f->old)
            updateAssertHardware(f, f->attached);
        if (next == f->new)
            updateAssertAllChanged(f);
        updateReleaseAndCheck(f);
        updateAttach(f);
        updateAssertHardware(f, f->attached);
    }
}

typedef struct {
    updateGuest *f;
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
    record = testRecordLoad(c->f->fake->host, c->f->vf, NULL);
    g_assert_nonnull(record);
    g_assert_cmpint(record->phase, ==, VIRT_PHASE_SETTING);
    g_assert_true(virtNetdevHas(virtNetdevListFind(BEFORE(record), port), attr));
    g_assert_true(virtNetdevHas(virtNetdevListFind(WANTED(record), port), attr));
    if (c->allowed-- > 0)
        return 0;
    c->onDisk = fakeHostRead(c->f->fake, "run/libvirt-hostdev/%s", c->f->vf);
    return EIO;
}

static void
testCrash(updateGuest *f, gconstpointer opaque)
{
    updateChangeAll(f);
    for (guint n = 0; n < 15; n++) {
        const virtHostdev *next = n % 3 == 0 ? f->old : n % 3 == 1 ? f->new : NULL;
        Crash c = {f, n / 3, NULL};
        g_autoptr(GError) error = NULL;

        f->fake->judge = crash;
        f->fake->judgeOpaque = &c;
        g_assert_false(virtProvisionUpdate(f->fake->host, f->a, f->new, NULL));
        g_assert_nonnull(c.onDisk);
        fakeHostHeal(f->fake);
        fakeHostFile(f->fake, c.onDisk, "run/libvirt-hostdev/%s", f->vf);
        if (next) {
            g_assert_true(virtProvisionUpdate(f->fake->host, f->a, next, &error));
            g_assert_no_error(error);
            updateAssertRecord(f, VIRT_PHASE_ACTIVE, next);
        }
        if (next == f->old)
            updateAssertHardware(f, f->attached);
        if (next == f->new)
            updateAssertAllChanged(f);
        updateReleaseAndCheck(f);
        updateAttach(f);
        g_free(c.onDisk);
    }
}

/* What was not known when the VF was given away is read, and on disk, before it is touched; and not read again. */
static void
testBeforeGrows(updateGuest *f, gconstpointer opaque)
{
    g_autoptr(virtRecord) record = testRecordLoad(f->fake->host, f->vf, NULL);
    g_autoptr(virtRecord) after = NULL;
    Crash c = {f, G_MAXINT, NULL};

    virtNetdevListFind(BEFORE(record), 1)->present &= ~VIRT_NETDEV_BIT(VIRT_NETDEV_LINK);
    g_assert_true(virtProvisionRecordSave(f->fake->host, record, VIRT_PHASE_ACTIVE, NULL));
    fakeHostVF(f->fake, PF, 1, 0)->link = 1;
    updateChangeAll(f);
    f->fake->judge = crash;
    f->fake->judgeOpaque = &c;
    g_assert_true(virtProvisionUpdate(f->fake->host, f->a, f->new, NULL));
    updateNetdev(f->new, 1)->link = 0;
    g_assert_true(virtProvisionUpdate(f->fake->host, f->a, f->new, NULL));
    f->fake->judge = NULL;
    after = testRecordLoad(f->fake->host, f->vf, NULL);
    g_assert_cmpuint(virtNetdevListFind(BEFORE(after), 1)->link, ==, 1);
    g_assert_true(testRelease(f->fake->host, f->a, NULL, NULL));
    g_assert_cmpuint(fakeHostVF(f->fake, PF, 1, 0)->link, ==, 1);
}

/* A driver that says yes and does nothing. */
static void
testIgnored(updateGuest *f, gconstpointer opaque)
{
    g_autoptr(GError) error = NULL;

    updateChangeAll(f);
    f->fake->ignored = VIRT_NETDEV_BIT(VIRT_NETDEV_LINK);
    g_assert_false(virtProvisionUpdate(f->fake->host, f->a, f->new, &error));
    updateAssertError(&error, VIRT_ERROR_REFUSED, "link state");
    fakeHostHeal(f->fake);
    updateAssertHardware(f, f->attached);
    updateAssertRecord(f, VIRT_PHASE_ACTIVE, f->old);
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
testDiskFull(updateGuest *f, gconstpointer opaque)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(virtRecord) record = NULL;

    updateChangeAll(f);
    f->fake->judge = fillDisk;
    g_assert_false(virtProvisionUpdate(f->fake->host, f->a, f->new, &error));
    setDiskFull(false);
    fakeHostHeal(f->fake);
    updateAssertError(&error, VIRT_ERROR_HOST, "The record could not be corrected");
    updateAssertHardware(f, f->attached);
    record = testRecordLoad(f->fake->host, f->vf, NULL);
    g_assert_cmpint(record->phase, ==, VIRT_PHASE_SETTING);
    g_assert_true(virtProvisionUpdate(f->fake->host, f->a, f->new, &error));
    updateAssertAllChanged(f);
    updateAssertRecord(f, VIRT_PHASE_ACTIVE, f->new);
    updateReleaseAndCheck(f);
}

/* And when even the first record cannot be written, or the VF not be read, nothing is touched. */
static void
testNotBegun(updateGuest *f, gconstpointer opaque)
{
    updateChangeAll(f);
    setDiskFull(true);
    updateRefuse(f, f->a, f->new, VIRT_ERROR_HOST, "Cannot write state file");
    setDiskFull(false);
    f->fake->getErrno = EIO;
    updateRefuse(f, f->a, f->new, VIRT_ERROR_HOST, "");
}

int
main(int argc, char **argv)
{
    static const updateTest tests[] = {
        {"/update/rollback", testRollback},
        {"/update/requests", testRequests},
        {"/update/rollback-fails", testRollbackFails},
        {"/update/crash", testCrash},
        {"/update/before-grows", testBeforeGrows},
        {"/update/ignored", testIgnored},
        {"/update/disk-full", testDiskFull},
        {"/update/not-begun", testNotBegun},
    };

    return updateRun(tests, G_N_ELEMENTS(tests), argc, argv);
}
