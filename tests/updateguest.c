/* updateguest.c: a running guest with a dual-port VF on a made-up host, and what it may be given next
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "updateguest.h"
#include "testrecord.h"

#include <string.h>
#include <unistd.h>

virtHostdev *
updateNewHostdev(const char *address)
{
    virtHostdev *hostdev = g_new0(virtHostdev, 1);

    testSetHandle(&hostdev->handle, address);
    virtSettingsInit(&hostdev->settings);
    for (guint port = 1; port <= 2; port++) {
        virtNetdev *netdev = virtNetdevNew(port);
        const guint8 mac[6] = {0x52, 0x54, 0, 0, 0, (guint8)port};

        memcpy(netdev->mac, mac, sizeof(mac));
        netdev->vlan.id = (guint16)(100 * port);
        netdev->vlan.protocol = 0x8100;
        netdev->present = VIRT_NETDEV_BIT(VIRT_NETDEV_MAC) | VIRT_NETDEV_BIT(VIRT_NETDEV_VLAN);
        g_ptr_array_add(VIRT_NETDEVS(hostdev), netdev);
    }
    virtNetdevSetRate(VIRT_NETDEVS(hostdev)->pdata[1], 500, 0);
    ((virtNetdev *)VIRT_NETDEVS(hostdev)->pdata[1])->present |= VIRT_NETDEV_BIT(VIRT_NETDEV_BANDWIDTH);
    return hostdev;
}

void
updateAttach(updateGuest *f)
{
    g_autoptr(GPtrArray) list = g_ptr_array_new();
    g_autoptr(GError) error = NULL;

    g_ptr_array_add(list, f->old);
    g_assert_true(virtProvisionPrepare(f->fake->host, f->a, list, &error));
    g_assert_no_error(error);
}

static void
setUp(updateGuest *f, gconstpointer opaque)
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
    f->old = updateNewHostdev(f->vf);
    f->new = virtHostdevCopy(f->old);
    updateAttach(f);
    fakeHostBindVFIO(f->fake, f->vf);
    f->attached = fakeHostDump(f->fake);
    f->record = fakeHostRead(f->fake, "run/libvirt-hostdev/%s", f->vf);
    f->fake->attrs = f->fake->sets = f->fake->gets = 0;
    g_free(fakeHostTakeLog(f->fake));
}

static void
tearDown(updateGuest *f, gconstpointer opaque)
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

virtNetdev *
updateNetdev(virtHostdev *hostdev, guint port)
{
    return virtNetdevListFind(VIRT_NETDEVS(hostdev), port);
}

void
updateChangeAll(updateGuest *f)
{
    virtNetdev *first = updateNetdev(f->new, 1), *second = updateNetdev(f->new, 2);

    first->vlan.id = 42;
    first->link = 2;
    first->present |= VIRT_NETDEV_BIT(VIRT_NETDEV_LINK);
    second->present &= ~VIRT_NETDEV_BIT(VIRT_NETDEV_VLAN);
    second->present |= VIRT_NETDEV_BIT(VIRT_NETDEV_SPOOFCHECK);
    second->spoofcheck = 0;
    virtNetdevSetRate(second, 300, 0);
}

void
updateAssertAllChanged(updateGuest *f)
{
    const fakeVF *first = fakeHostVF(f->fake, PF, 1, 0), *second = fakeHostVF(f->fake, PF, 2, 0);

    g_assert_cmpuint(first->vlan, ==, 42);
    g_assert_cmpuint(first->link, ==, 2);
    g_assert_cmpuint(second->vlan, ==, 7);
    g_assert_cmpuint(second->qos, ==, 5);
    g_assert_cmpuint(second->maxRate, ==, 300);
    g_assert_cmpuint(second->spoofchk, ==, 0);
}

void
updateAssertError(GError **error, int code, const char *part)
{
    g_assert_error(*error, VIRT_ERROR, code);
    if (!strstr((*error)->message, part))
        g_error("'%s' lacks '%s'", (*error)->message, part);
    g_clear_error(error);
}

void
updateAssertHardware(updateGuest *f, const char *dump)
{
    g_autofree char *now = fakeHostDump(f->fake);

    g_assert_cmpstr(now, ==, dump);
}

void
updateAssertRecord(updateGuest *f, virtPhase phase, const virtHostdev *wanted)
{
    g_autoptr(virtRecord) record = testRecordLoad(f->fake->host, f->vf, NULL);

    g_assert_cmpint(record->phase, ==, phase);
    g_assert_cmpuint(WANTED(record)->len, ==, VIRT_NETDEVS(wanted)->len);
    for (guint i = 0; i < VIRT_NETDEVS(wanted)->len; i++) {
        const virtNetdev *is = WANTED(record)->pdata[i], *should = VIRT_NETDEVS(wanted)->pdata[i];

        g_assert_cmphex(is->present, ==, should->present);
        g_assert_cmphex(virtNetdevDiff(should, is), ==, 0);
    }
}

void
updateReleaseAndCheck(updateGuest *f)
{
    g_autoptr(GError) error = NULL;

    g_assert_true(testRelease(f->fake->host, f->a, NULL, &error));
    g_assert_no_error(error);
    updateAssertHardware(f, f->before);
}

static void
assertUntouched(updateGuest *f)
{
    g_autofree char *record = fakeHostRead(f->fake, "run/libvirt-hostdev/%s", f->vf);

    g_assert_cmpuint(f->fake->sets, ==, 0);
    g_assert_cmpstr(record, ==, f->record);
}

void
updateRefuse(updateGuest *f, const virtOwner *owner, const virtHostdev *hostdev, int code, const char *part)
{
    g_autoptr(GError) error = NULL;

    g_assert_false(virtProvisionUpdate(f->fake->host, owner, hostdev, &error));
    updateAssertError(&error, code, part);
    assertUntouched(f);
}

int
updateRun(const updateTest *tests, guint n, int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    for (guint i = 0; i < n; i++)
        g_test_add(tests[i].name, updateGuest, NULL, setUp, tests[i].run, tearDown);
    return g_test_run();
}
