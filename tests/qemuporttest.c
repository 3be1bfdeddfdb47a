/* qemuporttest.c: interfaces that leave their port to the device, on a made-up host
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "hypervisor/provision_plan.h"
#include "twoguests.h"
#include "testrecord.h"

#include <string.h>

/* An <interface> of VF 0 without a port, MAC 52:54:00:00:00:01, VLAN @vlan. */
static GPtrArray *
wantAny(twoGuests *f, guint vlan)
{
    GPtrArray *list = guestsWant(f, 1, 0);
    virtHostdev *hostdev = list->pdata[0];

    g_ptr_array_set_size(VIRT_NETDEVS(hostdev), 1);
    ((virtNetdev *)VIRT_NETDEVS(hostdev)->pdata[0])->port = VIRT_NETDEV_PORT_ANY;
    ((virtNetdev *)VIRT_NETDEVS(hostdev)->pdata[0])->vlan.id = (guint16)vlan;
    hostdev->interface = g_new0(virtInterface, 1);
    hostdev->interface->opaque = g_strdup("");
    return list;
}

/* Plan shows @shown ("2", "1 or 2") in every row, and no problem. */
static void
assertPlan(twoGuests *f, const GPtrArray *list, const char *shown)
{
    g_autoptr(GPtrArray) rows = virtProvisionPlan(f->fake->host, f->a, list);

    g_assert_cmpuint(rows->len, ==, 2);
    for (guint i = 0; i < rows->len; i++) {
        const virtPlanRow *row = rows->pdata[i];
        g_autofree char *port = g_strdup_printf("%u", row->port);

        g_assert_cmpstr(row->ports ? row->ports : port, ==, shown);
        g_assert_null(row->problem);
        g_assert_true(row->differs);
    }
}

/* The guest's VF is set at @port and nowhere else, and the record speaks of that alone. */
static void
assertSet(twoGuests *f, guint port, guint vlan, const GPtrArray *list)
{
    const GPtrArray *wanted = VIRT_NETDEVS((const virtHostdev *)list->pdata[0]);
    g_autoptr(GError) error = NULL;
    g_autoptr(virtRecord) record = testRecordLoad(f->fake->host, fakeHostVFAddress(f->fake, PF, 0), &error);

    g_assert_no_error(error);
    g_assert_cmpuint(record->phase, ==, VIRT_PHASE_ACTIVE);
    g_assert_cmpuint(WANTED(record)->len, ==, 1);
    g_assert_cmpuint(BEFORE(record)->len, ==, 1);
    g_assert_nonnull(virtNetdevListFind(WANTED(record), port));
    g_assert_true(virtNetdevListEqual(WANTED(record), wanted) && virtNetdevListEqual(wanted, WANTED(record)));
    g_assert_nonnull(virtNetdevListFind(BEFORE(record), port));
    g_assert_cmpuint(fakeHostVF(f->fake, PF, port, 0)->vlan, ==, vlan);
    g_assert_cmpuint(fakeHostVF(f->fake, PF, 3 - port, 0)->vlan, ==, port == 2 ? 0 : 7);
}

static void
cycle(twoGuests *f, const char *shown, guint port)
{
    g_autoptr(GPtrArray) list = wantAny(f, 42), other = wantAny(f, 43);
    g_autoptr(GError) error = NULL;

    assertPlan(f, list, shown);
    virtProvisionPrepare(f->fake->host, f->a, list, &error);
    g_assert_no_error(error);
    assertSet(f, port, 42, list);
    virtProvisionUpdate(f->fake->host, f->a, other->pdata[0], &error);
    g_assert_no_error(error);
    assertSet(f, port, 43, other);
    /* Set once more while it runs, where nothing goes back first: the record knows the port. */
    fakeHostFile(f->fake, "<domain type='kvm'><name>a</name><uuid>" UUID_A "</uuid></domain>",
                 "run/libvirt/qemu/a.xml");
    virtProvisionPrepare(f->fake->host, f->a, other, &error);
    g_assert_no_error(error);
    assertSet(f, port, 43, other);
    fakeHostFile(f->fake, NULL, "run/libvirt/qemu/a.xml");
    testRelease(f->fake->host, f->a, NULL, &error);
    g_assert_no_error(error);
    guestsAssertAsBefore(f);
}

/* The driver says that the VF has port 2 only: nothing is written anywhere else. */
static void
testListed(twoGuests *f, gconstpointer opaque)
{
    g_autofree char *log = NULL;

    (void)opaque;
    fakeHostOnlyPort(f->fake, PF, 0, 2);
    fakeHostFile(f->fake, "0,1,3\n", "sys/bus/pci/drivers/dual/module/parameters/num_vfs");
    cycle(f, "2", 2);
    log = fakeHostTakeLog(f->fake);
    g_assert_null(strstr(log, "enp1s0f0 vf"));
}

static void
testPhysPortId(twoGuests *f, gconstpointer opaque)
{
    (void)opaque;
    fakeHostOnlyPort(f->fake, PF, 0, 2);
    fakeHostPhysPortIds(f->fake, PF);
    cycle(f, "2", 2);
}

/* Nobody says it: what the driver does with port 1 does. */
static void
testRedirected(twoGuests *f, gconstpointer opaque)
{
    (void)opaque;
    fakeHostOnlyPort(f->fake, PF, 0, 2);
    cycle(f, "1 or 2", 2);
}

static void
testBoth(twoGuests *f, gconstpointer opaque)
{
    (void)opaque;
    cycle(f, "1", 1);
}

/* A port that the VF lacks is refused also where it already shows what is wanted, by start and plan. */
static void
testNothingToWrite(twoGuests *f, gconstpointer opaque)
{
    g_autoptr(GPtrArray) list = wantAny(f, 42);
    virtNetdev *netdev = VIRT_NETDEVS((virtHostdev *)list->pdata[0])->pdata[0];
    g_autoptr(GPtrArray) rows = NULL;
    g_autoptr(GError) error = NULL;

    (void)opaque;
    fakeHostOnlyPort(f->fake, PF, 0, 1);
    fakeHostPhysPortIds(f->fake, PF);
    netdev->port = 2;
    netdev->present = VIRT_NETDEV_BIT(VIRT_NETDEV_VLAN);
    netdev->vlan.id = fakeHostVF(f->fake, PF, 2, 0)->vlan;
    netdev->vlan.priority = fakeHostVF(f->fake, PF, 2, 0)->qos;
    rows = virtProvisionPlan(f->fake->host, f->a, list);
    g_assert_false(((const virtPlanRow *)rows->pdata[0])->differs);
    g_assert_cmpstr(((const virtPlanRow *)rows->pdata[rows->len - 1])->problem, ==,
                    "<interface type='hostdev'>: VF 0 of PF " PF
                    " (0000:01:10.0) has no port 2; it has 1. Name that instead");
    g_assert_false(virtProvisionPrepare(f->fake->host, f->a, list, &error));
    guestsAssertError(error, VIRT_ERROR_HOST, ((const virtPlanRow *)rows->pdata[rows->len - 1])->problem);
    guestsAssertAsBefore(f);
}

/* An <interface> is one netdev: it does not take the place of two, and the message says which is too many. */
static void
testUpdateOfTwo(twoGuests *f, gconstpointer opaque)
{
    g_autoptr(GPtrArray) both = guestsWant(f, 1, 0), one = wantAny(f, 43);
    virtNetdev *netdev = VIRT_NETDEVS((virtHostdev *)one->pdata[0])->pdata[0];
    g_autoptr(GError) error = NULL;

    (void)opaque;
    virtProvisionPrepare(f->fake->host, f->a, both, &error);
    g_assert_no_error(error);
    *netdev = *(const virtNetdev *)VIRT_NETDEVS((const virtHostdev *)both->pdata[0])->pdata[0];
    netdev->port = VIRT_NETDEV_PORT_ANY;
    g_assert_false(virtProvisionUpdate(f->fake->host, f->a, one->pdata[0], &error));
    guestsAssertError(error, VIRT_ERROR_INVALID, "Cannot take away port 2 ");
}

/* Its netdevs are not in sight: it has both, and the first is set. */
static void
testUnseen(twoGuests *f, gconstpointer opaque)
{
    (void)opaque;
    fakeHostBindVFIO(f->fake, fakeHostVFAddress(f->fake, PF, 0));
    cycle(f, "1 or 2", 1);
}

/* The lone netdev of a VF with port 2 says dev_port 0. What it has made up is its own all the same: that does not
 * become an admin MAC, and goes by probing again. */
static void
testMadeUp(twoGuests *f, gconstpointer opaque)
{
    const char *name = fakeHostVFAddress(f->fake, PF, 0);
    g_autoptr(GPtrArray) list = wantAny(f, 42);
    g_autoptr(virtRecord) record = NULL;
    g_autofree char *bound = NULL;
    g_autoptr(GError) error = NULL;

    (void)opaque;
    fakeHostOnlyPort(f->fake, PF, 0, 2);
    fakeHostPhysPortIds(f->fake, PF);
    fakeHostRandomMac(f->fake, PF, 2, 0, "02:11:22:33:44:55");
    virtProvisionPrepare(f->fake->host, f->a, list, &error);
    g_assert_no_error(error);
    record = testRecordLoad(f->fake->host, name, NULL);
    g_assert_true(virtMacIsZero(virtNetdevListFind(BEFORE(record), 2)->mac));
    testRelease(f->fake->host, f->a, NULL, &error);
    g_assert_no_error(error);
    bound = fakeHostRead(f->fake, "sys/bus/pci/drivers/dualvf/bind");
    g_assert_cmpstr(bound, ==, name);
}

/* A crash between the write that went elsewhere and its undoing: the record knows of all ports it may have gone to. */
static void
testCutOff(twoGuests *f, gconstpointer opaque)
{
    g_autoptr(GPtrArray) list = wantAny(f, 42);
    g_autoptr(GError) error = NULL;

    (void)opaque;
    fakeHostOnlyPort(f->fake, PF, 0, 2);
    f->fake->failAttr = 3; /* MAC and VLAN go to port 2; then nothing can be put back any more */
    g_assert_false(virtProvisionPrepare(f->fake->host, f->a, list, &error));
    fakeHostHeal(f->fake);
    g_clear_error(&error);
    testRelease(f->fake->host, f->a, NULL, &error);
    g_assert_no_error(error);
    guestsAssertAsBefore(f);
}

/* A PF's messages are about the element that its user wrote. */
static void
testWords(twoGuests *f, gconstpointer opaque)
{
    static const char *const parts[] = {"is a physical function", "has no PCI device", "is down", "has no port 3"};

    (void)opaque;
    fakeHostFile(f->fake, "0x1002\n", "sys/class/net/%s/flags", fakeHostIfname(f->fake, PF, 1));
    for (guint i = 0; i < 2 * G_N_ELEMENTS(parts); i++) {
        g_autoptr(GPtrArray) list = wantAny(f, 42);
        virtHostdev *hostdev = list->pdata[0];
        virtNetdev *netdev = VIRT_NETDEVS(hostdev)->pdata[0];
        g_autoptr(GPtrArray) rows = NULL;
        g_autoptr(GError) error = NULL;
        bool plain = i % 2;

        if (i / 2 < 2)
            testSetHandle(&hostdev->handle, i / 2 ? "0000:0f:00.0" : PF);
        netdev->port = i / 2 == 3 ? 3 : plain ? 1 : VIRT_NETDEV_PORT_ANY;
        if (plain)
            g_clear_pointer(&hostdev->interface, virtInterfaceFree);
        rows = virtProvisionPlan(f->fake->host, f->a, list);
        g_assert_false(virtProvisionPrepare(f->fake->host, f->a, list, &error));
        g_assert_cmpstr(((virtPlanRow *)rows->pdata[0])->problem, ==, error->message);
        g_assert_true(g_str_has_prefix(error->message, plain ? "<hostdev>: " : "<interface type='hostdev'>: "));
        g_assert_null(strstr(error->message, plain ? "<interface" : "<hostdev"));
        g_assert_null(strstr(error->message, "<netdev"));
        guestsAssertError(error, VIRT_ERROR_HOST, parts[i / 2]);
    }
}

int
main(int argc, char **argv)
{
    static const guestsTest tests[] = {
        {"/port/listed", testListed},
        {"/port/phys-port-id", testPhysPortId},
        {"/port/redirected", testRedirected},
        {"/port/both", testBoth},
        {"/port/nothing-to-write", testNothingToWrite},
        {"/port/update-of-two", testUpdateOfTwo},
        {"/port/unseen", testUnseen},
        {"/port/made-up", testMadeUp},
        {"/port/cut-off", testCutOff},
        {"/port/words", testWords},
    };

    return guestsRun(tests, G_N_ELEMENTS(tests), argc, argv);
}
