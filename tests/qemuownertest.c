/* qemuownertest.c: whose VF it is, and what is left of one that its guest no longer has
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "twoguests.h"
#include "hypervisor/provider_netdev.h"
#include "testrecord.h"

#include <string.h>
#include <unistd.h>

static void
testOwner(twoGuests *f, gconstpointer opaque)
{
    g_autoptr(GPtrArray) mine = guestsWant(f, 1, 0xaa);
    g_autoptr(GPtrArray) theirs = guestsWant(f, 2, 0xbb);
    g_autoptr(GError) error = NULL;
    guint sets;

    virtOwnerSetStarter(f->a, (guint64)getpid());
    g_assert_true(virtProvisionPrepare(f->fake->host, f->a, mine, NULL));
    sets = f->fake->sets;
    g_assert_false(virtProvisionPrepare(f->fake->host, f->b, theirs, &error));
    guestsAssertError(error, VIRT_ERROR_BUSY, "in use by domain 'a' (" UUID_A ")");
    g_assert_true(testRelease(f->fake->host, f->b, NULL, NULL));
    g_assert_cmpuint(f->fake->sets, ==, sets);
    g_assert_true(testRelease(f->fake->host, f->a, NULL, NULL));
    guestsAssertAsBefore(f);
}

/* A start that was interrupted leaves our settings on the hardware; they must not become the original ones. */
static void
testAgain(twoGuests *f, gconstpointer opaque)
{
    g_autoptr(GPtrArray) first = guestsWant(f, 1, 0xaa);
    g_autoptr(GPtrArray) second = guestsWant(f, 2, 0xcc);

    g_assert_true(virtProvisionPrepare(f->fake->host, f->a, first, NULL));
    g_assert_true(virtProvisionPrepare(f->fake->host, f->a, second, NULL));
    g_assert_cmpuint(fakeHostVF(f->fake, PF, 1, 0)->mac[3], ==, 0xcc);
    g_assert_true(testRelease(f->fake->host, f->a, NULL, NULL));
    guestsAssertAsBefore(f);
}

/* No status file of libvirt, and the daemon that asked is another process by now. */
static void
testGoneOwner(twoGuests *f, gconstpointer opaque)
{
    g_autoptr(GPtrArray) mine = guestsWant(f, 1, 0xaa);
    g_autoptr(GPtrArray) theirs = guestsWant(f, 1, 0xbb);
    g_autoptr(GError) error = NULL;

    virtOwnerSetStarter(f->a, (guint64)getpid());
    f->a->start++;
    g_assert_true(virtProvisionPrepare(f->fake->host, f->a, mine, NULL));
    fakeHostFile(f->fake, "<domstatus><domain><uuid>" UUID_A "</uuid></domain></domstatus>", "run/libvirt/qemu/a.xml");
    g_assert_false(virtProvisionPrepare(f->fake->host, f->b, theirs, &error));
    guestsAssertError(error, VIRT_ERROR_BUSY, "domain 'a'");
    fakeHostFile(f->fake, NULL, "run/libvirt/qemu/a.xml");
    g_assert_true(virtProvisionPrepare(f->fake->host, f->b, theirs, NULL));
    g_assert_cmpuint(fakeHostVF(f->fake, PF, 1, 0)->mac[3], ==, 0xbb);
    g_assert_true(testRelease(f->fake->host, f->a, NULL, NULL));
    g_assert_cmpuint(fakeHostVF(f->fake, PF, 1, 0)->mac[3], ==, 0xbb);
    g_assert_true(testRelease(f->fake->host, f->b, NULL, NULL));
    guestsAssertAsBefore(f);
}

/* What the first start set and the second does not ask for must not stay with the guest. */
static void
testAgainWithLess(twoGuests *f, gconstpointer opaque)
{
    g_autoptr(GPtrArray) first = guestsWant(f, 1, 0xaa);
    g_autoptr(GPtrArray) second = guestsWant(f, 1, 0xaa);
    virtHostdev *less = second->pdata[0];

    virtOwnerSetStarter(f->a, (guint64)getpid());
    ((virtNetdev *)VIRT_NETDEVS(less)->pdata[0])->present = VIRT_NETDEV_BIT(VIRT_NETDEV_MAC);
    g_ptr_array_remove_index(VIRT_NETDEVS(less), 1);
    g_assert_true(virtProvisionPrepare(f->fake->host, f->a, first, NULL));
    g_assert_true(virtProvisionPrepare(f->fake->host, f->a, second, NULL));
    g_assert_cmpuint(fakeHostVF(f->fake, PF, 1, 0)->mac[3], ==, 0xaa);
    g_assert_cmpuint(fakeHostVF(f->fake, PF, 1, 0)->vlan, ==, 0);
    g_assert_cmpuint(fakeHostVF(f->fake, PF, 2, 0)->vlan, ==, 7);
    g_assert_true(testRelease(f->fake->host, f->a, NULL, NULL));
    guestsAssertAsBefore(f);
}

/* By hand nobody says whether the VF is in use, so it is not set anew under whoever uses it. */
static void
testByHandAgain(twoGuests *f, gconstpointer opaque)
{
    g_autoptr(virtOwner) byHand = virtOwnerNew("me", NULL);
    g_autoptr(GPtrArray) first = guestsWant(f, 1, 0xaa);
    g_autoptr(GPtrArray) other = guestsWant(f, 1, 0xbb);
    g_autoptr(GError) error = NULL;

    g_assert_true(virtProvisionPrepare(f->fake->host, byHand, first, NULL));
    g_assert_true(virtProvisionPrepare(f->fake->host, byHand, first, NULL));
    g_assert_false(virtProvisionPrepare(f->fake->host, byHand, other, &error));
    guestsAssertError(error, VIRT_ERROR_BUSY, "Release it first: virt-hostdev release me");
    g_assert_cmpuint(fakeHostVF(f->fake, PF, 1, 0)->mac[3], ==, 0xaa);
    g_assert_true(testRelease(f->fake->host, byHand, NULL, NULL));
    guestsAssertAsBefore(f);
}

/* A second time is refused by the driver: whoever uses the VF keeps it as it was just before, and its record. */
static void
testByHandAgainRefused(twoGuests *f, gconstpointer opaque)
{
    g_autoptr(virtOwner) byHand = virtOwnerNew("me", NULL);
    g_autoptr(GPtrArray) wanted = guestsWant(f, 1, 0xaa);
    g_autofree char *present = NULL;
    g_autofree char *after = NULL;

    g_assert_true(virtProvisionPrepare(f->fake->host, byHand, wanted, NULL));
    fakeHostVF(f->fake, PF, 1, 0)->vlan = 43; /* somebody else's doing */
    fakeHostVF(f->fake, PF, 2, 0)->vlan = 44;
    present = fakeHostDump(f->fake);
    for (f->fake->failAttr = 1; f->fake->failAttr <= 2; f->fake->failAttr++) {
        guint failAttr = f->fake->failAttr;
        g_autoptr(virtRecord) now = NULL;

        g_assert_false(virtProvisionPrepare(f->fake->host, byHand, wanted, NULL));
        fakeHostHeal(f->fake);
        f->fake->failAttr = failAttr;
        g_clear_pointer(&after, g_free);
        after = fakeHostDump(f->fake);
        g_assert_cmpstr(after, ==, present);
        now = testRecordLoad(f->fake->host, fakeHostVFAddress(f->fake, PF, 0), NULL);
        g_assert_cmpint(now->phase, ==, VIRT_PHASE_ACTIVE);
    }
    fakeHostHeal(f->fake);
    g_assert_true(testRelease(f->fake->host, byHand, NULL, NULL));
    guestsAssertAsBefore(f);
}

static void
testByHandNeverGone(twoGuests *f, gconstpointer opaque)
{
    g_autoptr(virtOwner) byHand = virtOwnerNew("me", NULL);
    g_autoptr(virtOwner) other = virtOwnerNew("you", NULL);
    g_autoptr(GPtrArray) wanted = guestsWant(f, 1, 0xaa);
    g_autoptr(GError) error = NULL;

    g_assert_true(virtProvisionPrepare(f->fake->host, byHand, wanted, NULL));
    g_assert_false(virtProvisionPrepare(f->fake->host, other, wanted, &error));
    guestsAssertError(error, VIRT_ERROR_BUSY, "in use by 'me'. Release it with virt-hostdev release me, or");
    g_assert_false(virtOwnerEqual(byHand, f->a));
    g_assert_true(testRelease(f->fake->host, byHand, NULL, NULL));
    guestsAssertAsBefore(f);
}

static void
testRestoreInPart(twoGuests *f, gconstpointer opaque)
{
    g_autoptr(GPtrArray) wanted = guestsWant(f, 1, 0xaa);
    g_autoptr(GError) error = NULL;
    g_autoptr(virtRecord) record = NULL;

    g_assert_true(virtProvisionPrepare(f->fake->host, f->a, wanted, NULL));
    f->fake->refused = VIRT_NETDEV_BIT(VIRT_NETDEV_VLAN);
    f->fake->faultPort = 1;
    g_assert_false(testRelease(f->fake->host, f->a, NULL, &error));
    guestsAssertError(error, VIRT_ERROR_REFUSED, "port 1");
    g_assert_cmpuint(fakeHostVF(f->fake, PF, 2, 0)->vlan, ==, 7);
    record = testRecordLoad(f->fake->host, fakeHostVFAddress(f->fake, PF, 0), NULL);
    g_assert_cmpint(record->phase, ==, VIRT_PHASE_RESTORING);
    fakeHostHeal(f->fake);
    g_assert_true(testRelease(f->fake->host, f->a, NULL, NULL));
    guestsAssertAsBefore(f);
}

/* What did not go back when its domain ended is anybody's to put back, though libvirtd is the same process still. */
static void
testLeftInPart(twoGuests *f, gconstpointer opaque)
{
    g_autoptr(GPtrArray) mine = guestsWant(f, 1, 0xaa);
    g_autoptr(GPtrArray) theirs = guestsWant(f, 1, 0xbb);
    g_autoptr(GError) error = NULL;

    virtOwnerSetStarter(f->a, (guint64)getpid());
    g_assert_true(virtProvisionPrepare(f->fake->host, f->a, mine, NULL));
    g_assert_false(virtProvisionPrepare(f->fake->host, f->b, theirs, &error));
    guestsAssertError(error, VIRT_ERROR_BUSY, "domain 'a'");
    f->fake->refused = VIRT_NETDEV_BIT(VIRT_NETDEV_VLAN);
    g_assert_false(testRelease(f->fake->host, f->a, NULL, NULL));
    fakeHostHeal(f->fake);
    g_assert_true(virtProvisionPrepare(f->fake->host, f->b, theirs, NULL));
    g_assert_cmpuint(fakeHostVF(f->fake, PF, 1, 0)->mac[3], ==, 0xbb);
    g_assert_true(testRelease(f->fake->host, f->b, NULL, NULL));
    guestsAssertAsBefore(f);
}

/* Between looking at a record and getting the lock, the VF may have got a new owner. */
static void
testLateRelease(twoGuests *f, gconstpointer opaque)
{
    g_autoptr(GPtrArray) mine = guestsWant(f, 1, 0xaa);
    g_autoptr(GPtrArray) theirs = guestsWant(f, 1, 0xbb);
    g_autoptr(virtRecord) seen = NULL;

    g_assert_true(virtProvisionPrepare(f->fake->host, f->a, mine, NULL));
    seen = testRecordLoad(f->fake->host, fakeHostVFAddress(f->fake, PF, 0), NULL);
    g_assert_true(testRelease(f->fake->host, f->a, NULL, NULL));
    g_assert_true(virtProvisionPrepare(f->fake->host, f->b, theirs, NULL));
    g_assert_true(virtProvisionReleaseOne(f->fake->host, seen, NULL));
    g_assert_cmpuint(fakeHostVF(f->fake, PF, 1, 0)->mac[3], ==, 0xbb);
    g_assert_true(testRelease(f->fake->host, f->b, NULL, NULL));
    guestsAssertAsBefore(f);
}

/* Or the same owner may have got it anew, from another start. */
static void
testLateReleaseSameOwner(twoGuests *f, gconstpointer opaque)
{
    g_autoptr(GPtrArray) first = guestsWant(f, 1, 0xaa);
    g_autoptr(GPtrArray) second = guestsWant(f, 1, 0xcc);
    g_autoptr(virtRecord) seen = NULL;

    virtOwnerSetStarter(f->a, (guint64)getpid());
    g_assert_true(virtProvisionPrepare(f->fake->host, f->a, first, NULL));
    seen = testRecordLoad(f->fake->host, fakeHostVFAddress(f->fake, PF, 0), NULL);
    g_assert_true(virtProvisionPrepare(f->fake->host, f->a, second, NULL));
    g_assert_true(virtProvisionReleaseOne(f->fake->host, seen, NULL));
    g_assert_cmpuint(fakeHostVF(f->fake, PF, 1, 0)->mac[3], ==, 0xcc);
    virtRecordFree(seen);
    seen = testRecordLoad(f->fake->host, fakeHostVFAddress(f->fake, PF, 0), NULL);
    g_clear_pointer(&seen->text, g_free); /* it is not what was read any more */
    seen->owner.start++;
    g_assert_true(virtProvisionReleaseOne(f->fake->host, seen, NULL));
    g_assert_cmpuint(fakeHostVF(f->fake, PF, 1, 0)->mac[3], ==, 0xcc);
    seen->owner.start--;
    seen->owner.pid++;
    g_assert_true(virtProvisionReleaseOne(f->fake->host, seen, NULL));
    g_assert_cmpuint(fakeHostVF(f->fake, PF, 1, 0)->mac[3], ==, 0xcc);
    seen->owner.pid--;
    seen->phase = VIRT_PHASE_SETTING; /* of the same start */
    g_assert_true(virtProvisionReleaseOne(f->fake->host, seen, NULL));
    guestsAssertAsBefore(f);
}

/* Put back too late: the host's driver has probed while the guest's MAC was set. */
static void
testLateMac(twoGuests *f, gconstpointer opaque)
{
    g_autoptr(GPtrArray) wanted = guestsWant(f, 1, 0xaa);
    const virtHostdev *hostdev = wanted->pdata[0];
    const virtPCIAddress address = testAddress(&hostdev->handle);
    g_autoptr(GPtrArray) own = virtPCIGetPorts(f->fake->host, &address, NULL);
    const char *vfName = fakeHostVFAddress(f->fake, PF, 0);
    g_autofree char *unbound = NULL;

    for (guint port = 1; port <= 2; port++)
        memcpy(fakeHostVF(f->fake, PF, port, 0)->mac, (const guint8[6]){0x52, 0x54, 0, 0, 0, 0x10}, 6);
    g_assert_true(virtProvisionPrepare(f->fake->host, f->a, wanted, NULL));
    fakeHostFile(f->fake, "52:54:00:aa:00:01\n", "sys/bus/pci/devices/%s/net/%s/address", vfName,
                 ((virtPort *)own->pdata[0])->ifname);
    g_assert_true(testRelease(f->fake->host, f->a, NULL, NULL));
    unbound = fakeHostRead(f->fake, "sys/bus/pci/drivers/dualvf/unbind");
    g_assert_cmpstr(unbound, ==, vfName);
}

static void
testGoneVF(twoGuests *f, gconstpointer opaque)
{
    g_autoptr(GPtrArray) wanted = guestsWant(f, 1, 0xaa);
    g_autoptr(GPtrArray) records = NULL;

    g_assert_true(virtProvisionPrepare(f->fake->host, f->a, wanted, NULL));
    fakeHostFile(f->fake, NULL, "sys/bus/pci/devices/" PF "/virtfn0");
    g_assert_true(testRelease(f->fake->host, f->a, NULL, NULL));
    g_assert_cmpuint(f->fake->warnings->len, ==, 1);
    records = virtProvisionRecordList(f->fake->host, NULL);
    g_assert_cmpuint(records->len, ==, 0);
}

/* A record that cannot be read stands for a VF whose past nobody knows: it is left alone. */
static void
testDamagedRecord(twoGuests *f, gconstpointer opaque)
{
    g_autoptr(GPtrArray) wanted = guestsWant(f, 1, 0xaa);
    g_autoptr(GError) error = NULL;
    guint sets;

    g_assert_true(virtProvisionPrepare(f->fake->host, f->a, wanted, NULL));
    fakeHostFile(f->fake, "<hostdev phase='act", "run/libvirt-hostdev/%s", fakeHostVFAddress(f->fake, PF, 0));
    sets = f->fake->sets;
    g_assert_false(virtProvisionPrepare(f->fake->host, f->a, wanted, &error));
    guestsAssertError(error, VIRT_ERROR_INVALID, "run/libvirt-hostdev");
    g_assert_true(testRelease(f->fake->host, f->a, NULL, NULL));
    g_assert_cmpuint(f->fake->sets, ==, sets);
    g_assert_cmpuint(f->fake->warnings->len, ==, 1);
}

/* The counters of a VF are told of the domain that has it, at the port that it wanted. */
static void
testStats(twoGuests *f, gconstpointer opaque)
{
    g_autoptr(GPtrArray) wanted = guestsWant(f, 1, 0xaa);
    virtHostdev *hostdev = wanted->pdata[0];
    virtNetdevStats stats = {{0}};
    g_autoptr(GError) error = NULL;

    g_ptr_array_remove_index(VIRT_NETDEVS(hostdev), 0); /* port 2 alone */
    fakeHostVF(f->fake, PF, 1, 0)->stats.of[VIRT_NETDEV_RX_BYTES] = 1;
    fakeHostVF(f->fake, PF, 2, 0)->stats = (virtNetdevStats){{1000, 10, 2000, 20}};
    g_assert_false(virtProviderNetdevGetStats(f->fake->host, UUID_A, &hostdev->handle, &stats, &error));
    guestsAssertError(error, VIRT_ERROR_NOT_FOUND, "");
    g_clear_error(&error);
    g_assert_true(virtProvisionPrepare(f->fake->host, f->a, wanted, NULL));
    g_assert_true(virtProviderNetdevGetStats(f->fake->host, UUID_A, &hostdev->handle, &stats, &error));
    g_assert_cmpuint(stats.of[VIRT_NETDEV_RX_BYTES], ==, 1000);
    g_assert_cmpuint(stats.of[VIRT_NETDEV_TX_PACKETS], ==, 20);
    g_assert_false(virtProviderNetdevGetStats(f->fake->host, UUID_B, &hostdev->handle, &stats, &error));
    guestsAssertError(error, VIRT_ERROR_INVALID, "has no VF");
}

int
main(int argc, char **argv)
{
    static const guestsTest tests[] = {
        {"/qemu/owner", testOwner},
        {"/qemu/again", testAgain},
        {"/qemu/gone-owner", testGoneOwner},
        {"/qemu/again-with-less", testAgainWithLess},
        {"/qemu/by-hand-again", testByHandAgain},
        {"/qemu/by-hand-again-refused", testByHandAgainRefused},
        {"/qemu/by-hand", testByHandNeverGone},
        {"/qemu/restore-in-part", testRestoreInPart},
        {"/qemu/left-in-part", testLeftInPart},
        {"/qemu/late-release", testLateRelease},
        {"/qemu/late-release-same-owner", testLateReleaseSameOwner},
        {"/qemu/late-mac", testLateMac},
        {"/qemu/gone-vf", testGoneVF},
        {"/qemu/damaged-record", testDamagedRecord},
        {"/qemu/stats", testStats},
    };

    return guestsRun(tests, G_N_ELEMENTS(tests), argc, argv);
}
