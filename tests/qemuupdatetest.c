/* qemuupdatetest.c: new settings for a running guest's VF, and which cannot be given
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "updateguest.h"
#include "testrecord.h"

#include <string.h>

static void
testUpdate(updateGuest *f, gconstpointer opaque)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(virtRecord) record = NULL;
    g_autofree char *log = NULL;

    updateChangeAll(f);
    g_assert_true(virtProvisionUpdate(f->fake->host, f->a, f->new, &error));
    g_assert_no_error(error);
    updateAssertAllChanged(f);
    updateAssertRecord(f, VIRT_PHASE_ACTIVE, f->new);
    log = fakeHostTakeLog(f->fake);
    g_assert_null(strstr(log, "mac"));
    g_assert_cmpuint(f->fake->attrs, ==, 5);
    record = testRecordLoad(f->fake->host, f->vf, NULL);
    g_assert_cmpuint(record->owner.pid, ==, getpid());
    g_assert_cmpuint(virtNetdevListFind(BEFORE(record), 2)->vlan.id, ==, 7);
    updateReleaseAndCheck(f);
}

static void
testNothingToDo(updateGuest *f, gconstpointer opaque)
{
    g_autoptr(GError) error = NULL;

    g_assert_true(virtProvisionUpdate(f->fake->host, f->a, f->new, &error));
    g_assert_cmpuint(f->fake->sets, ==, 0);
    updateAssertRecord(f, VIRT_PHASE_ACTIVE, f->old);
    updateAssertHardware(f, f->attached);
}

/* Dropped, and wanted again, and dropped once more: what was there before the guest comes back each time. */
static void
testDropped(updateGuest *f, gconstpointer opaque)
{
    g_autoptr(GError) error = NULL;

    updateNetdev(f->new, 2)->present &= ~VIRT_NETDEV_BIT(VIRT_NETDEV_VLAN);
    for (guint i = 0; i < 2; i++) {
        g_assert_true(virtProvisionUpdate(f->fake->host, f->a, f->new, &error));
        g_assert_cmpuint(fakeHostVF(f->fake, PF, 2, 0)->vlan, ==, 7);
        g_assert_cmpuint(fakeHostVF(f->fake, PF, 2, 0)->qos, ==, 5);
        g_assert_cmpuint(fakeHostVF(f->fake, PF, 1, 0)->vlan, ==, 100);
        updateAssertRecord(f, VIRT_PHASE_ACTIVE, f->new);
        g_assert_true(virtProvisionUpdate(f->fake->host, f->a, f->old, &error));
        updateAssertHardware(f, f->attached);
    }
    updateReleaseAndCheck(f);
}

/* mlx4: no VLAN changes while a rate is set, so the rate that is dropped must go first. */
static void
testDroppedRate(updateGuest *f, gconstpointer opaque)
{
    g_autoptr(GError) error = NULL;

    fakeHostVF(f->fake, PF, 2, 0)->maxRate = 0;
    testRelease(f->fake->host, f->a, NULL, NULL);
    fakeHostVF(f->fake, PF, 2, 0)->maxRate = 0;
    updateAttach(f);
    f->fake->vlanNeedsNoRate = true;
    updateNetdev(f->new, 2)->present &= ~VIRT_NETDEV_BIT(VIRT_NETDEV_BANDWIDTH);
    updateNetdev(f->new, 2)->vlan.id = 43;
    g_assert_true(virtProvisionUpdate(f->fake->host, f->a, f->new, &error));
    g_assert_no_error(error);
    g_assert_cmpuint(fakeHostVF(f->fake, PF, 2, 0)->vlan, ==, 43);
    g_assert_cmpuint(fakeHostVF(f->fake, PF, 2, 0)->maxRate, ==, 0);
}

/* A guest that may has taken another MAC address: an update about something else must not take it away. */
static void
testGuestsMac(updateGuest *f, gconstpointer opaque)
{
    g_autoptr(GError) error = NULL;

    fakeHostVF(f->fake, PF, 1, 0)->mac[5] = 0x77;
    updateNetdev(f->new, 1)->vlan.id = 42;
    g_assert_true(virtProvisionUpdate(f->fake->host, f->a, f->new, &error));
    g_assert_cmpuint(fakeHostVF(f->fake, PF, 1, 0)->mac[5], ==, 0x77);
    g_assert_cmpuint(f->fake->attrs, ==, 1);
    f->fake->refused = VIRT_NETDEV_BIT(VIRT_NETDEV_VLAN);
    g_assert_false(virtProvisionUpdate(f->fake->host, f->a, f->old, &error));
    g_assert_cmpuint(fakeHostVF(f->fake, PF, 1, 0)->mac[5], ==, 0x77);
    fakeHostHeal(f->fake);
    updateReleaseAndCheck(f);
}

static void
testFixed(updateGuest *f, gconstpointer opaque)
{
    virtNetdev *first = updateNetdev(f->new, 1);
    const virtNetdev good = *first;

    first->mac[5] = 9;
    updateRefuse(
        f, f->a, f->new, VIRT_ERROR_INVALID,
        "of port 1 (VF 0 of 0000:01:00.0, 0000:01:10.0) from 52:54:00:00:00:01 to 52:54:00:00:00:09 while a guest has it: the guest's driver took its address when it probed. Detach");
    *first = good;
    first->present &= ~VIRT_NETDEV_BIT(VIRT_NETDEV_MAC);
    updateRefuse(f, f->a, f->new, VIRT_ERROR_INVALID, "from 52:54:00:00:00:01 to not given");
    *first = good;
    first->present |= VIRT_NETDEV_BIT(VIRT_NETDEV_VIRTUALPORT);
    g_strlcpy(first->profileid, "finance", sizeof(first->profileid));
    updateRefuse(f, f->a, f->new, VIRT_ERROR_INVALID, "port profile");
    *first = good;
    first->present |= VIRT_NETDEV_BIT(VIRT_NETDEV_NODE_GUID);
    updateRefuse(f, f->a, f->new, VIRT_ERROR_INVALID, "node GUID");
    *first = good;
    first->present |= VIRT_NETDEV_BIT(VIRT_NETDEV_PORT_GUID);
    updateRefuse(f, f->a, f->new, VIRT_ERROR_INVALID, "port GUID");
    g_ptr_array_remove_index(VIRT_NETDEVS(f->new), 0);
    updateRefuse(f, f->a, f->new, VIRT_ERROR_INVALID, "Cannot take away port 1");
}

static void
testAddedPort(updateGuest *f, gconstpointer opaque)
{
    g_autoptr(virtRecord) record = testRecordLoad(f->fake->host, f->vf, NULL);

    g_ptr_array_remove_index(WANTED(record), 1);
    g_assert_true(virtProvisionRecordSave(f->fake->host, record, VIRT_PHASE_ACTIVE, NULL));
    g_free(f->record);
    f->record = fakeHostRead(f->fake, "run/libvirt-hostdev/%s", f->vf);
    updateRefuse(f, f->a, f->new, VIRT_ERROR_INVALID, "Cannot add port 2");
}

static void
testRefused(updateGuest *f, gconstpointer opaque)
{
    g_autoptr(virtRecord) record = testRecordLoad(f->fake->host, f->vf, NULL);
    virtHostdev *other = updateNewHostdev(fakeHostVFAddress(f->fake, PF, 1));

    updateChangeAll(f);
    updateRefuse(f, f->a, other, VIRT_ERROR_NOT_FOUND, "nothing was set when it was attached");
    updateRefuse(f, f->b, f->new, VIRT_ERROR_BUSY, "in use by domain 'a'");
    fakeHostSwapVFs(f->fake, PF, 0, 1);
    updateRefuse(f, f->a, f->new, VIRT_ERROR_HOST, "was VF 0 of PF " PF " and is now VF 1");
    fakeHostSwapVFs(f->fake, PF, 0, 1);
    fakeHostFile(f->fake, "0x1002\n", "sys/class/net/%s/flags", fakeHostIfname(f->fake, PF, 2));
    updateRefuse(f, f->a, f->new, VIRT_ERROR_HOST, "is down");
    fakeHostFile(f->fake, "0x1003\n", "sys/class/net/%s/flags", fakeHostIfname(f->fake, PF, 2));
    g_assert_true(virtProvisionRecordSave(f->fake->host, record, VIRT_PHASE_RESTORING, NULL));
    g_free(f->record);
    f->record = fakeHostRead(f->fake, "run/libvirt-hostdev/%s", f->vf);
    updateRefuse(f, f->a, f->new, VIRT_ERROR_BUSY, "is being restored");
    virtHostdevFree(other);
}

int
main(int argc, char **argv)
{
    static const updateTest tests[] = {
        {"/update/update", testUpdate},        {"/update/nothing-to-do", testNothingToDo},
        {"/update/dropped", testDropped},      {"/update/dropped-rate", testDroppedRate},
        {"/update/guests-mac", testGuestsMac}, {"/update/fixed", testFixed},
        {"/update/added-port", testAddedPort}, {"/update/refused", testRefused},
    };

    return updateRun(tests, G_N_ELEMENTS(tests), argc, argv);
}
