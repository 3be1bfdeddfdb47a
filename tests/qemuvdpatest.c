/* qemuvdpatest.c: vDPA devices that are made for guests, on a made-up host
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "conf/vdpa_conf.h"
#include "fakevdpa.h"
#include "hypervisor/provision_drift.h"
#include "hypervisor/provision_plan.h"
#include "testrecord.h"
#include "twoguests.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define SIM "vdpasim_net"
#define CARD "pci/0000:41:00.2"
#define FEATURES G_GUINT64_CONSTANT(0x300020028)
#define TAKES (1 << 10 | 1 << 13 | 1 << 20)
#define BLUE "blue " SIM " 52:54:00:01:02:05 1 1500 12885033000 vhost_vdpa\nblue -> vhost-vdpa-0\n"

static GPtrArray *
wantOf(const char *element, const char *name, const char *rest)
{
    g_autofree char *xml = g_strdup_printf(
        "<domain type='kvm'><name>a</name><devices><%s><source dev='/run/libvirt-hostdev/vdpa/%s'/>%s</%.*s></devices></domain>",
        element, name, rest, (int)strcspn(element, " "), element);
    g_autoptr(GError) error = NULL;
    g_autoptr(virtDomainConf) domain = virtDomainConfParse(xml, strlen(xml), NULL, 0, &error);

    g_assert_no_error(error);
    return g_ptr_array_ref(domain->hostdevs);
}

/* An <interface> with this device, and this in it. */
static GPtrArray *
want(const char *name, const char *rest)
{
    return wantOf("interface type='vdpa'", name, rest);
}

static GPtrArray *
wantBlue(void)
{
    return want("blue", "<mac address='52:54:00:01:02:05'/><vdpa parent='" SIM "'/>");
}

static void
setUp(twoGuests *f)
{
    fakeVdpaAddParent(f->fake, SIM, 1 << 1, 3, FEATURES, TAKES);
    fakeVdpaAddParent(f->fake, CARD, 1 << 1, 9, FEATURES | 0x400000, TAKES | 1 << 12);
    fakeVdpaAddParent(f->fake, "vdpasim_blk", 1 << 2, 0, 0, 0);
    fakeVdpaLoad(f->fake, "vhost_vdpa");
    virtOwnerSetStarter(f->a, (guint64)getpid()); /* it is being started */
}

static void
assertDump(twoGuests *f, const char *expected)
{
    g_autofree char *now = fakeVdpaDump(f->fake);

    g_assert_cmpstr(now, ==, expected);
}

static void
prepare(twoGuests *f, const GPtrArray *wanted)
{
    g_autoptr(GError) error = NULL;

    virtProvisionPrepare(f->fake->host, f->a, wanted, &error);
    g_assert_no_error(error);
}

static void
assertRefused(twoGuests *f, const virtOwner *owner, const GPtrArray *wanted, int code, const char *part)
{
    g_autoptr(GError) error = NULL;

    g_assert_false(virtProvisionPrepare(f->fake->host, owner, wanted, &error));
    guestsAssertError(error, code, part);
}

static virtRecord *
recordOf(twoGuests *f)
{
    return testRecordLoad(f->fake->host, "vdpa/blue", NULL);
}

/* Made before the start, and gone when the guest has stopped. */
static void
testCycle(twoGuests *f, gconstpointer opaque)
{
    g_autoptr(GPtrArray) wanted = wantBlue();
    g_autoptr(virtRecord) record = NULL;

    setUp(f);
    prepare(f, wanted);
    assertDump(f, BLUE);
    record = recordOf(f);
    g_assert_false(virtVdpaExists(record->before.of[VIRT_SETTING_VDPA]->pdata[0]));
    g_assert_cmpstr(record->parent.name, ==, SIM);
    prepare(f, wanted); /* once more: it is there */
    assertDump(f, BLUE);
    g_assert_true(virtProvisionRelease(f->fake->host, f->a, NULL, VIRT_RESTORE_STOPPED, NULL));
    assertDump(f, "");
    g_assert_null(recordOf(f));
    guestsAssertAsBefore(f);
}

static void
testRefusals(twoGuests *f, gconstpointer opaque)
{
    static const struct {
        const char *element, *rest, *part;
    } cases[] = {
        {"interface type='vdpa'", "<vdpa parent='none'/>",
         "the host has no vDPA management device none; those that it has: " CARD ", vdpasim_blk, " SIM},
        {"interface type='vdpa'", "<vdpa parent='vdpasim_blk'/>",
         "vdpasim_blk does not make net devices, and an <interface> is one"},
        {"disk type='vhostvdpa'", "<vdpa parent='" SIM "'/><target dev='vda'/>",
         SIM " does not make block devices, and an <disk> is one"},
        {"interface type='vdpa'", "<vdpa parent='" SIM "'/><driver queues='2'/>",
         "a device of " SIM " has at most 3 virtqueues, and 2 queue pairs are two each. Write at most 1"},
        {"interface type='vdpa'", "<vdpa parent='" SIM "' features='0x400020'/>",
         SIM " does not offer features 0x400000 of those wanted. Write at most 0x300020028"},
    };

    setUp(f);
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GPtrArray) wanted = wantOf(cases[i].element, "blue", cases[i].rest);

        g_assert_true(virtProvisionPrepare(f->fake->host, f->a, wanted, NULL) == false);
        assertRefused(f, f->a, wanted, i == 0 ? VIRT_ERROR_NOT_FOUND : VIRT_ERROR_HOST, cases[i].part);
        assertDump(f, "");
        g_assert_null(recordOf(f));
    }
}

/* Queue pairs, MTU and features of the document reach the device; a parent that refuses is told, and nothing is left.
 */
static void
testAttributes(twoGuests *f, gconstpointer opaque)
{
    g_autoptr(GPtrArray) wanted = want("blue", "<mac address='52:54:00:01:02:05'/><vdpa parent='" CARD
                                               "' features='0x300420028'/><mtu size='9000'/>"
                                               "<driver queues='4'/>");

    setUp(f);
    prepare(f, wanted);
    assertDump(f, "blue " CARD " 52:54:00:01:02:05 4 9000 12889227304 vhost_vdpa\nblue -> vhost-vdpa-0\n");
    g_assert_true(testRelease(f->fake->host, f->a, NULL, NULL));
    f->fake->vdpaDeaf = true;
    assertRefused(f, f->a, wanted, VIRT_ERROR_REFUSED, "was made with MAC address 52:54:00:01:02:05, and has");
    assertDump(f, "");
    g_assert_null(recordOf(f));
}

/* One that no record knows is somebody else's: it is told, and stays. */
static void
testForeign(twoGuests *f, gconstpointer opaque)
{
    g_autoptr(GPtrArray) wanted = wantBlue();
    g_autoptr(virtOwner) hand = virtOwnerNew("by hand", NULL);

    setUp(f);
    fakeVdpaMake(f->fake, SIM, "blue", "52:54:00:01:02:05");
    assertRefused(f, f->a, wanted, VIRT_ERROR_HOST,
                  "a device of that name exists already, and was not made for this guest");
    assertRefused(f, hand, wanted, VIRT_ERROR_REFUSED,
                  "Cannot make vDPA device blue: a device of that name exists already");
    assertDump(f, "blue " SIM " 52:54:00:01:02:05 1 1500 12885033000 vhost_vdpa\n");
    g_assert_null(recordOf(f));
}

static void
makeTheirs(fakeHost *fake, const char *name)
{
    fake->vdpaRace = NULL;
    fakeVdpaMake(fake, SIM, name, "52:54:00:01:02:05");
}

/* The same, where it comes just before ours is made. */
static void
testRace(twoGuests *f, gconstpointer opaque)
{
    g_autoptr(GPtrArray) wanted = wantBlue();

    setUp(f);
    f->fake->vdpaRace = makeTheirs;
    assertRefused(f, f->a, wanted, VIRT_ERROR_BUSY, "somebody has just made one of that name");
    assertDump(f, "blue " SIM " 52:54:00:01:02:05 1 1500 12885033000 vhost_vdpa\n");
    g_assert_null(recordOf(f));
}

/* A function of a card makes one. */
static void
testRoom(twoGuests *f, gconstpointer opaque)
{
    g_autoptr(GPtrArray) wanted = want("blue", "<vdpa parent='" CARD "'/>");
    g_autoptr(GPtrArray) rows = NULL;
    const virtPlanRow *row;

    setUp(f);
    fakeVdpaMake(f->fake, CARD, "theirs", NULL);
    rows = virtProvisionPlan(f->fake->host, f->a, wanted);
    row = rows->pdata[0];
    g_assert_nonnull(strstr(row->problem, CARD " has vDPA device theirs already, and makes one at a time"));
    assertRefused(f, f->a, wanted, VIRT_ERROR_REFUSED, "Stop who uses that, or delete it with vdpa dev del theirs");
    fakeVdpaRemove(f->fake, "theirs");
    prepare(f, wanted);
    g_assert_true(testRelease(f->fake->host, f->a, NULL, NULL));
    assertDump(f, "");
}

/* While it is open it stays, with its record, and goes when that has ended. */
static void
testOpen(twoGuests *f, gconstpointer opaque)
{
    g_autoptr(GPtrArray) wanted = wantBlue();
    g_autoptr(GError) error = NULL;
    g_autoptr(virtRecord) record = NULL;

    setUp(f);
    prepare(f, wanted);
    fakeVdpaHold(f->fake, "blue", 4711);
    g_assert_false(virtProvisionRelease(f->fake->host, f->a, NULL, VIRT_RESTORE_STOPPED, &error));
    guestsAssertError(error, VIRT_ERROR_REFUSED, "process 4711 (qemu-system-x86), which has /dev/vhost-vdpa-0 open");
    assertDump(f, BLUE);
    record = recordOf(f);
    g_assert_nonnull(record);
    fakeHostFile(f->fake, NULL, "proc/4711/fd/7");
    g_assert_true(virtProvisionRelease(f->fake->host, f->a, NULL, VIRT_RESTORE_STOPPED, NULL));
    assertDump(f, "");
}

/* What somebody else has put in its place is not deleted. */
static void
testReplaced(twoGuests *f, gconstpointer opaque)
{
    g_autoptr(GPtrArray) wanted = wantBlue();

    setUp(f);
    prepare(f, wanted);
    fakeVdpaRemove(f->fake, "blue");
    fakeVdpaMake(f->fake, CARD, "blue", NULL);
    g_assert_true(testRelease(f->fake->host, f->a, NULL, NULL));
    g_assert_null(recordOf(f));
    g_assert_cmpstr(g_ptr_array_index(f->fake->warnings, f->fake->warnings->len - 1), ==,
                    "vDPA device blue no longer exists: there is nothing to restore");
    g_ptr_array_set_size(f->fake->warnings, 0);
    fakeVdpaRemove(f->fake, "blue");
}

typedef struct {
    guint drifted;
    char *from;
} Seen;

static void
look(virtHost *host, const virtDrift *drift, void *opaque)
{
    Seen *seen = opaque;

    for (guint i = 0; i < drift->rows->len; i++) {
        const virtPlanRow *row = drift->rows->pdata[i];

        if (!row->differs)
            continue;
        seen->drifted++;
        g_free(seen->from);
        seen->from = g_strdup_printf("%s %s", row->attr, row->from);
    }
}

/* Somebody else gives it another MAC address. */
static void
testDrift(twoGuests *f, gconstpointer opaque)
{
    g_autoptr(GPtrArray) wanted = wantBlue(), records = g_ptr_array_new_with_free_func((GDestroyNotify)virtRecordFree);
    Seen seen = {0, NULL};

    setUp(f);
    prepare(f, wanted);
    fakeVdpaSetMac(f->fake, "blue", "52:54:00:01:02:ee");
    g_ptr_array_add(records, recordOf(f));
    virtProvisionDrift(f->fake->host, records, look, &seen);
    g_assert_cmpuint(seen.drifted, ==, 1);
    g_assert_cmpstr(seen.from, ==, "mac 52:54:00:01:02:ee");
    g_free(seen.from);
    prepare(f, wanted); /* it is the owner's, and gets its own again */
    assertDump(f, BLUE);
    g_assert_true(testRelease(f->fake->host, f->a, NULL, NULL));
    assertDump(f, "");
}

int
main(int argc, char **argv)
{
    static const guestsTest tests[] = {
        {"/vdpa/cycle", testCycle},     {"/vdpa/refusals", testRefusals}, {"/vdpa/attributes", testAttributes},
        {"/vdpa/foreign", testForeign}, {"/vdpa/race", testRace},         {"/vdpa/room", testRoom},
        {"/vdpa/open", testOpen},       {"/vdpa/replaced", testReplaced}, {"/vdpa/drift", testDrift},
    };

    return guestsRun(tests, G_N_ELEMENTS(tests), argc, argv);
}
