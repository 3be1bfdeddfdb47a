/* qemurollbacktest.c: prepare that fails: everything is put back, or a record says what was not
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "twoguests.h"
#include "testrecord.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>

/* Each attribute of each VF at each port is refused in turn: a port's VFs share a request. */
static void
testRollback(twoGuests *f, gconstpointer opaque)
{
    g_autoptr(GPtrArray) wanted = guestsWant(f, 4, 0xaa);

    for (guint n = 1; n <= 16; n++) {
        g_autoptr(GError) error = NULL;
        g_autofree char *device = g_strdup(fakeHostVFAddress(f->fake, PF, (n - 1) / 2 % 4));

        f->fake->failAttr = n;
        g_assert_false(virtProvisionPrepare(f->fake->host, f->a, wanted, &error));
        guestsAssertError(error, VIRT_ERROR_REFUSED, device);
        fakeHostHeal(f->fake);
        guestsAssertAsBefore(f);
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
testRollbackFails(twoGuests *f, gconstpointer opaque)
{
    g_autoptr(GPtrArray) wanted = guestsWant(f, 4, 0xaa);

    for (guint n = 0; n < 16; n++) {
        g_autoptr(GError) error = NULL;
        guint allowed = n;

        f->fake->judge = refuseAll;
        f->fake->judgeOpaque = &allowed;
        g_assert_false(virtProvisionPrepare(f->fake->host, f->a, wanted, &error));
        if (n > 0)
            guestsAssertError(error, VIRT_ERROR_REFUSED, ". Restoring failed as well");
        fakeHostHeal(f->fake);
        f->fake->judge = NULL;
        g_clear_error(&error);
        g_assert_true(testRelease(f->fake->host, f->a, NULL, &error));
        g_assert_no_error(error);
        guestsAssertAsBefore(f);
    }
}

/* A request about many that the device has no time for, or that fails as such, says nothing about any of them. */
static void
testTogetherFails(twoGuests *f, gconstpointer opaque)
{
    g_autoptr(GPtrArray) wanted = guestsWant(f, 4, 0xaa);
    g_autoptr(GError) error = NULL;

    for (guint n = 1; n <= 4; n++) { /* two to set, two to put back */
        f->fake->busy = n <= 2 ? n : 0;
        f->fake->failRequest = n;
        g_assert_true(virtProvisionPrepare(f->fake->host, f->a, wanted, &error));
        g_assert_no_error(error);
        g_assert_cmpuint(fakeHostVF(f->fake, PF, 2, 3)->vlan, ==, 203);
        g_assert_true(testRelease(f->fake->host, f->a, NULL, &error));
        g_assert_no_error(error);
        fakeHostHeal(f->fake);
        guestsAssertAsBefore(f);
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
testIgnoredLast(twoGuests *f, gconstpointer opaque)
{
    g_autoptr(GPtrArray) wanted = guestsWant(f, 4, 0xaa);
    g_autoptr(GError) error = NULL;

    f->fake->judge = dropLast;
    f->fake->judgeOpaque = f->fake;
    g_assert_false(virtProvisionPrepare(f->fake->host, f->a, wanted, &error));
    guestsAssertError(error, VIRT_ERROR_REFUSED, "VLAN 203 on port 2 (VF 3");
    guestsAssertError(error, VIRT_ERROR_REFUSED, "the driver acknowledged it");
    f->fake->judge = NULL;
    fakeHostHeal(f->fake);
    guestsAssertAsBefore(f);
}

/* Trust is refused by a driver that has none, and so would be putting it back: nothing was set, nothing is owed. */
static void
testUnsupported(twoGuests *f, gconstpointer opaque)
{
    g_autoptr(GPtrArray) wanted = guestsWant(f, 1, 0xaa);
    virtNetdev *trusting = VIRT_NETDEVS((virtHostdev *)wanted->pdata[0])->pdata[1];
    g_autoptr(GError) error = NULL;

    fakeHostVF(f->fake, PF, 2, 0)->trust = G_MAXUINT32;
    g_free(f->before);
    f->before = fakeHostDump(f->fake);
    f->fake->refused = VIRT_NETDEV_BIT(VIRT_NETDEV_TRUST);
    f->fake->failErrno = EOPNOTSUPP;
    trusting->trust = 1;
    trusting->present |= VIRT_NETDEV_BIT(VIRT_NETDEV_TRUST);
    g_assert_false(virtProvisionPrepare(f->fake->host, f->a, wanted, &error));
    guestsAssertError(error, VIRT_ERROR_REFUSED, "trust yes on port 2");
    g_assert_null(strstr(error->message, "Restoring failed"));
    guestsAssertAsBefore(f);
}

/* The last of the records does not fit on the disk: nothing is set, and none of them stays. */
static void
testRecordRefused(twoGuests *f, gconstpointer opaque)
{
    g_autoptr(GPtrArray) wanted = guestsWant(f, 4, 0xaa);
    g_autoptr(GError) error = NULL;
    struct rlimit old, small;
    guint sets;

    g_assert_true(virtProvisionPrepare(f->fake->host, f->a, wanted, NULL));
    g_autofree char *all = fakeHostRead(f->fake, "run/libvirt-hostdev/%s", fakeHostVFAddress(f->fake, PF, 1));
    g_assert_true(testRelease(f->fake->host, f->a, NULL, NULL));
    sets = f->fake->sets;

    g_assert_cmpint(getrlimit(RLIMIT_FSIZE, &old), ==, 0);
    small = old;
    small.rlim_cur = strlen(all) - 100;
    signal(SIGXFSZ, SIG_IGN);
    g_assert_cmpint(setrlimit(RLIMIT_FSIZE, &small), ==, 0);
    bool ok = virtProvisionPrepare(f->fake->host, f->a, wanted, &error);
    g_assert_cmpint(setrlimit(RLIMIT_FSIZE, &old), ==, 0);
    g_assert_false(ok);
    guestsAssertError(error, VIRT_ERROR_HOST, "File too large");
    guestsAssertError(error, VIRT_ERROR_HOST, fakeHostVFAddress(f->fake, PF, 0));
    g_assert_cmpuint(f->fake->sets, ==, sets);
    guestsAssertAsBefore(f);
}

static int
demandRecord(void *opaque, guint port, guint vf, virtNetdevAttr attr, const fakeVF *wanted)
{
    fakeHost *fake = opaque;
    g_autoptr(GError) error = NULL;
    g_autoptr(virtRecord) record = testRecordLoad(fake->host, fakeHostVFAddress(fake, PF, vf), &error);

    g_assert_no_error(error);
    g_assert_nonnull(virtNetdevListFind(BEFORE(record), port));
    return 0;
}

/* At each single write, whatever happens next, what was there before is on disk. */
static void
testRecordFirst(twoGuests *f, gconstpointer opaque)
{
    g_autoptr(GPtrArray) wanted = guestsWant(f, 4, 0xaa);

    f->fake->judge = demandRecord;
    f->fake->judgeOpaque = f->fake;
    g_assert_true(virtProvisionPrepare(f->fake->host, f->a, wanted, NULL));
    g_assert_cmpuint(f->fake->attrs, ==, 16);
    g_assert_true(testRelease(f->fake->host, f->a, NULL, NULL));
    g_assert_cmpuint(f->fake->attrs, ==, 32);
    guestsAssertAsBefore(f);
}

static void
testAgainFails(twoGuests *f, gconstpointer opaque)
{
    g_autoptr(GPtrArray) first = guestsWant(f, 1, 0xaa);
    g_autoptr(GPtrArray) second = guestsWant(f, 1, 0xcc);

    g_assert_true(virtProvisionPrepare(f->fake->host, f->a, first, NULL));
    f->fake->failAttr = 2;
    g_assert_false(virtProvisionPrepare(f->fake->host, f->a, second, NULL));
    /* The driver refuses this attribute from now on, so it did not go back either. */
    fakeHostHeal(f->fake);
    g_assert_true(testRelease(f->fake->host, f->a, NULL, NULL));
    guestsAssertAsBefore(f);
}

int
main(int argc, char **argv)
{
    static const guestsTest tests[] = {
        {"/qemu/rollback", testRollback},
        {"/qemu/rollback-fails", testRollbackFails},
        {"/qemu/together-fails", testTogetherFails},
        {"/qemu/ignored-last", testIgnoredLast},
        {"/qemu/unsupported", testUnsupported},
        {"/qemu/record-refused", testRecordRefused},
        {"/qemu/record-first", testRecordFirst},
        {"/qemu/again-fails", testAgainFails},
    };

    return guestsRun(tests, G_N_ELEMENTS(tests), argc, argv);
}
