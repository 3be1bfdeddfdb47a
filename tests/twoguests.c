/* twoguests.c: two domains that want VFs of one dual-port PF, on a made-up host
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "twoguests.h"
#include "testrecord.h"

#include <string.h>

static void
setUp(twoGuests *f, gconstpointer opaque)
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
tearDown(twoGuests *f, gconstpointer opaque)
{
    (void)opaque;
    virtOwnerFree(f->a);
    virtOwnerFree(f->b);
    g_free(f->before);
    fakeHostFree(f->fake);
}

GPtrArray *
guestsWant(twoGuests *f, guint vfs, guint tag)
{
    GPtrArray *list = g_ptr_array_new_with_free_func((GDestroyNotify)virtHostdevFree);

    for (guint n = 0; n < vfs; n++) {
        virtHostdev *hostdev = g_new0(virtHostdev, 1);

        testSetHandle(&hostdev->handle, fakeHostVFAddress(f->fake, PF, n));
        virtSettingsInit(&hostdev->settings);
        for (guint port = 1; port <= 2; port++) {
            virtNetdev *netdev = virtNetdevNew(port);
            const guint8 mac[6] = {0x52, 0x54, 0, (guint8)tag, (guint8)n, (guint8)port};

            memcpy(netdev->mac, mac, sizeof(mac));
            netdev->vlan.id = (guint16)(100 * port + n);
            netdev->vlan.protocol = 0x8100;
            netdev->present = VIRT_NETDEV_BIT(VIRT_NETDEV_MAC) | VIRT_NETDEV_BIT(VIRT_NETDEV_VLAN);
            g_ptr_array_add(VIRT_NETDEVS(hostdev), netdev);
        }
        g_ptr_array_add(list, hostdev);
    }
    return list;
}

void
guestsAssertAsBefore(twoGuests *f)
{
    g_autofree char *now = fakeHostDump(f->fake);
    g_autoptr(GPtrArray) records = virtProvisionRecordList(f->fake->host, NULL);

    g_assert_cmpstr(now, ==, f->before);
    g_assert_nonnull(records);
    g_assert_cmpuint(records->len, ==, 0);
}

void
guestsAssertError(GError *error, int code, const char *part)
{
    g_assert_error(error, VIRT_ERROR, code);
    if (!strstr(error->message, part))
        g_error("'%s' lacks '%s'", error->message, part);
}

int
guestsRun(const guestsTest *tests, guint n, int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    for (guint i = 0; i < n; i++)
        g_test_add(tests[i].name, twoGuests, NULL, setUp, tests[i].run, tearDown);
    return g_test_run();
}
