/* qemuvdpatest.c: vDPA devices that are made for guests, on a made-up host
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "conf/vdpa_conf.h"
#include "fakesubfunction.h"
#include "fakevdpa.h"
#include "hypervisor/provision_drift.h"
#include "hypervisor/provision_plan.h"
#include "testrecord.h"
#include "twoguests.h"

#include <errno.h>
#include <linux/devlink.h>
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
    g_autofree char *text = NULL;

    setUp(f);
    prepare(f, wanted);
    assertDump(f, BLUE);
    record = recordOf(f);
    text = virtProvisionRecordDescribe(record);
    g_assert_cmpstr(text, ==, "vDPA device blue of " SIM);
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
         SIM " does not make block devices, and a <disk> is one"},
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

/* ---- sub-functions ---- */

#define PF "0000:01:00.0"
#define SF7 "7 52:54:00:01:02:05 active attached\n"
#define OF_SF7 "blue auxiliary/fake_core.sf.7 52:54:00:01:02:05 1 1500 12885033000 vhost_vdpa\nblue -> vhost-vdpa-0\n"

static GPtrArray *
wantSF(void)
{
    return want("blue", "<mac address='52:54:00:01:02:05'/><vdpa parent='pci/" PF "' sfnum='7'/>");
}

static void
assertSFs(twoGuests *f, const char *expected)
{
    g_autofree char *now = fakeSubfunctionDump(f->fake, PF);

    g_assert_cmpstr(now, ==, expected);
}

/* Nothing is left, neither of what was made nor of the record. */
static void
assertNone(twoGuests *f)
{
    assertDump(f, "");
    assertSFs(f, "");
    g_assert_null(recordOf(f));
}

static void
setUpSF(twoGuests *f)
{
    setUp(f);
    fakeHostSwitchdev(f->fake, PF);
}

/* Made with the guest's MAC address before its device, and gone after it; vDPA has to be turned on, or not. */
static void
testSubfunction(twoGuests *f, gconstpointer opaque)
{
    g_autoptr(GPtrArray) wanted = wantSF();
    g_autoptr(virtRecord) record = NULL;
    const virtVdpa *made;

    setUpSF(f);
    for (guint i = 0; i < 3; i++) {
        f->fake->sfIdle = i == 1;
        f->fake->sfNoSwitch = i == 2;
        prepare(f, wanted);
        assertSFs(f, SF7);
        assertDump(f, OF_SF7);
        if (i == 0)
            prepare(f, wanted); /* once more: it is there */
        g_clear_pointer(&record, virtRecordFree);
        record = recordOf(f);
        made = record->wanted.of[VIRT_SETTING_VDPA]->pdata[0];
        g_assert_true(made->made.isSF);
        g_assert_cmpuint(made->made.sf, ==, 7);
        g_assert_true(virtProvisionRelease(f->fake->host, f->a, NULL, VIRT_RESTORE_STOPPED, NULL));
        assertNone(f);
    }
    guestsAssertAsBefore(f);
}

/* Whichever step fails, nothing is left. */
static void
testSubfunctionRefused(twoGuests *f, gconstpointer opaque)
{
    static const struct {
        int refused, code;
        bool stuck, deaf, noVdpa;
        const char *part;
    } cases[] = {
        {DEVLINK_CMD_PORT_NEW, VIRT_ERROR_REFUSED, .part = "Cannot make sub-function 7 of pci/" PF ": no more of them"},
        {DEVLINK_CMD_PORT_SET, VIRT_ERROR_REFUSED,
         .part = "Cannot give sub-function 7 of pci/" PF " the MAC address 52:54:00:01:02:05: no more of them"},
        {DEVLINK_CMD_PARAM_SET, VIRT_ERROR_REFUSED, .part = "by its devlink parameter enable_vnet and a reload: no mo"},
        {DEVLINK_CMD_RELOAD, VIRT_ERROR_REFUSED, .part = "by its devlink parameter enable_vnet and a reload: no more"},
        {0, VIRT_ERROR_HOST, .stuck = true, .part = "is active, and has no device after 10 s"},
        {0, VIRT_ERROR_REFUSED, .deaf = true, .part = "has acknowledged the MAC address 52:54:00:01:02:05 of sub-func"},
        {0, VIRT_ERROR_NOT_FOUND, .noVdpa = true, .part = "the driver of the sub-function has made no management dev"},
    };
    g_autoptr(GPtrArray) wanted = wantSF();

    setUpSF(f);
    f->fake->sfIdle = true;
    f->fake->extack = "no more of them";
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        f->fake->sfRefused = cases[i].refused;
        f->fake->sfDeaf = cases[i].deaf;
        f->fake->sfNoVdpa = cases[i].noVdpa;
        f->fake->sfStuck = cases[i].stuck;
        assertRefused(f, f->a, wanted, cases[i].code, cases[i].part);
        assertNone(f);
    }
}

/* What the parent cannot is known when it is there. */
static void
testSubfunctionQueues(twoGuests *f, gconstpointer opaque)
{
    g_autoptr(GPtrArray) many = want("blue", "<vdpa parent='pci/" PF "' sfnum='7'/><driver queues='8'/>");
    g_autoptr(GPtrArray) block =
        wantOf("disk type='vhostvdpa'", "blue", "<vdpa parent='pci/" PF "' sfnum='7'/><target dev='vda'/>");

    setUpSF(f);
    assertRefused(f, f->a, many, VIRT_ERROR_HOST, "a device of auxiliary/fake_core.sf.7 has at most 9 virtqueues");
    assertNone(f);
    assertRefused(f, f->a, block, VIRT_ERROR_HOST, "auxiliary/fake_core.sf.7 does not make block devices");
    assertNone(f);
}

/* In another mode there are none, and that is known beforehand. */
static void
testSubfunctionMode(twoGuests *f, gconstpointer opaque)
{
    g_autoptr(GPtrArray) wanted = wantSF(), rows = NULL;

    setUp(f);
    assertRefused(f, f->a, wanted, VIRT_ERROR_HOST, "pci/" PF " makes no sub-functions: it is not in switchdev mode");
    rows = virtProvisionPlan(f->fake->host, f->a, wanted);
    g_assert_nonnull(strstr(((const virtPlanRow *)rows->pdata[0])->problem, "it is not in switchdev mode"));
    assertNone(f);
}

static void
makeTheirSF(fakeHost *fake, const char *pf, guint32 number)
{
    fake->sfRace = NULL;
    fakeSubfunctionMake(fake, pf, number, false);
}

/* One that no record knows is somebody else's, also where it comes just before ours, or its device does. */
static void
testSubfunctionForeign(twoGuests *f, gconstpointer opaque)
{
    g_autoptr(GPtrArray) wanted = wantSF();

    setUpSF(f);
    fakeSubfunctionMake(f->fake, PF, 7, true);
    assertRefused(f, f->a, wanted, VIRT_ERROR_HOST, "sub-function 7 of pci/" PF " exists already, and was not made");
    assertSFs(f, "7 00:00:00:00:00:00 active attached\n");
    g_assert_null(recordOf(f));
    fakeSubfunctionReset(f->fake, PF);

    f->fake->sfRace = makeTheirSF;
    assertRefused(f, f->a, wanted, VIRT_ERROR_BUSY, "Cannot make sub-function 7 of pci/" PF ": File exists");
    assertSFs(f, "7 00:00:00:00:00:00 inactive detached\n");
    g_assert_null(recordOf(f));
    fakeSubfunctionReset(f->fake, PF);

    f->fake->vdpaRace = makeTheirs;
    assertRefused(f, f->a, wanted, VIRT_ERROR_BUSY, "somebody has just made one of that name");
    assertSFs(f, "");
    assertDump(f, "blue " SIM " 52:54:00:01:02:05 1 1500 12885033000 vhost_vdpa\n");
    g_assert_null(recordOf(f));
}

/* Somebody else has deleted the device: the sub-function goes all the same, or is made anew for the same guest. */
static void
testSubfunctionBare(twoGuests *f, gconstpointer opaque)
{
    g_autoptr(GPtrArray) wanted = wantSF();

    setUpSF(f);
    prepare(f, wanted);
    fakeVdpaRemove(f->fake, "blue");
    prepare(f, wanted);
    assertDump(f, OF_SF7);
    fakeVdpaRemove(f->fake, "blue");
    g_assert_true(testRelease(f->fake->host, f->a, NULL, NULL));
    assertNone(f);
}

/* Somebody else has made a device of that name elsewhere: that one stays, and the sub-function goes. */
static void
testSubfunctionReplaced(twoGuests *f, gconstpointer opaque)
{
    g_autoptr(GPtrArray) wanted = wantSF();

    setUpSF(f);
    prepare(f, wanted);
    fakeVdpaRemove(f->fake, "blue");
    makeTheirs(f->fake, "blue");
    g_assert_true(testRelease(f->fake->host, f->a, NULL, NULL));
    assertSFs(f, "");
    g_assert_null(recordOf(f));
    fakeVdpaRemove(f->fake, "blue");
    assertDump(f, "");
}

/* Somebody else's device of the sub-function keeps it from being removed, and is named. */
static void
testSubfunctionUsed(twoGuests *f, gconstpointer opaque)
{
    g_autoptr(GPtrArray) wanted = wantSF();
    g_autoptr(GError) error = NULL;

    setUpSF(f);
    prepare(f, wanted);
    fakeVdpaMake(f->fake, "auxiliary/fake_core.sf.7", "theirs", NULL);
    g_assert_false(virtProvisionRelease(f->fake->host, f->a, NULL, VIRT_RESTORE_STOPPED, &error));
    guestsAssertError(error, VIRT_ERROR_REFUSED, "somebody else has made vDPA device theirs of it. Delete that");
    assertSFs(f, SF7);
    fakeVdpaRemove(f->fake, "theirs");
    g_assert_true(virtProvisionRelease(f->fake->host, f->a, NULL, VIRT_RESTORE_STOPPED, NULL));
    assertNone(f);
}

/* While the device is open both stay; where it cannot be told whether there is a sub-function, the record does. */
static void
testSubfunctionOpen(twoGuests *f, gconstpointer opaque)
{
    g_autoptr(GPtrArray) wanted = wantSF();
    g_autoptr(GError) error = NULL;
    g_autoptr(virtRecord) record = NULL;

    setUpSF(f);
    prepare(f, wanted);
    fakeVdpaHold(f->fake, "blue", 4711);
    g_assert_false(virtProvisionRelease(f->fake->host, f->a, NULL, VIRT_RESTORE_STOPPED, &error));
    guestsAssertError(error, VIRT_ERROR_REFUSED, "process 4711 (qemu-system-x86), which has /dev/vhost-vdpa-0 open");
    g_clear_error(&error);
    assertSFs(f, SF7);
    fakeHostFile(f->fake, NULL, "proc/4711/fd/7");
    f->fake->devlinkErrno = EPERM;
    g_assert_false(virtProvisionRelease(f->fake->host, f->a, NULL, VIRT_RESTORE_STOPPED, &error));
    guestsAssertError(error, VIRT_ERROR_REFUSED, "Cannot ask devlink about pci/" PF ": Operation not permitted");
    record = recordOf(f);
    g_assert_nonnull(record);
    f->fake->devlinkErrno = 0;
    f->fake->sfStuck = true;
    g_clear_error(&error);
    g_assert_false(virtProvisionRelease(f->fake->host, f->a, NULL, VIRT_RESTORE_STOPPED, &error));
    guestsAssertError(error, VIRT_ERROR_REFUSED,
                      "Cannot remove sub-function 7 of pci/" PF
                      ": its device has not gone within 10 s. Remove it by hand: devlink");
    assertSFs(f, "7 52:54:00:01:02:05 inactive attached\n");
    f->fake->sfStuck = false;
    g_assert_true(virtProvisionRelease(f->fake->host, f->a, NULL, VIRT_RESTORE_STOPPED, NULL));
    assertNone(f);
}

int
main(int argc, char **argv)
{
    static const guestsTest tests[] = {
        {"/vdpa/cycle", testCycle},
        {"/vdpa/refusals", testRefusals},
        {"/vdpa/attributes", testAttributes},
        {"/vdpa/foreign", testForeign},
        {"/vdpa/race", testRace},
        {"/vdpa/room", testRoom},
        {"/vdpa/open", testOpen},
        {"/vdpa/replaced", testReplaced},
        {"/vdpa/drift", testDrift},
        {"/vdpa/subfunction/cycle", testSubfunction},
        {"/vdpa/subfunction/refused", testSubfunctionRefused},
        {"/vdpa/subfunction/queues", testSubfunctionQueues},
        {"/vdpa/subfunction/mode", testSubfunctionMode},
        {"/vdpa/subfunction/foreign", testSubfunctionForeign},
        {"/vdpa/subfunction/bare", testSubfunctionBare},
        {"/vdpa/subfunction/replaced", testSubfunctionReplaced},
        {"/vdpa/subfunction/used", testSubfunctionUsed},
        {"/vdpa/subfunction/open", testSubfunctionOpen},
    };

    return guestsRun(tests, G_N_ELEMENTS(tests), argc, argv);
}
