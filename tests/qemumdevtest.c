/* qemumdevtest.c: mediated devices that are made for guests, on a made-up host
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "conf/mdev_conf.h"
#include "fakemdev.h"
#include "hypervisor/provision_drift.h"
#include "hypervisor/provision_plan.h"
#include "testrecord.h"
#include "twoguests.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define ONE "c5f5e1a2-7a57-4b5e-8c5b-0d5a3d6f2a11"
#define TWO "d5f5e1a2-7a57-4b5e-8c5b-0d5a3d6f2a11"
#define ROW 1 /* of virtSettingKinds */
#define MTTY "<mdev parent='mtty'><type id='mtty-1'/>%s</mdev>"
#define HOSTDEV                                                                                                        \
    "<hostdev mode='subsystem' type='mdev' managed='yes' model='vfio-pci'><source><address uuid='%s'/></source>%s"     \
    "</hostdev>"

/* A device with this UUID and <mdev>. */
static GPtrArray *
want(const char *uuid, const char *mdev)
{
    g_autofree char *xml =
        g_strdup_printf("<domain type='kvm'><name>a</name><devices>" HOSTDEV "</devices></domain>", uuid, mdev);
    g_autoptr(GError) error = NULL;
    g_autoptr(virtDomainConf) domain = virtDomainConfParse(xml, strlen(xml), NULL, 0, &error);

    g_assert_no_error(error);
    return g_ptr_array_ref(domain->hostdevs);
}

static GPtrArray *
wantMtty(const char *attrs)
{
    g_autofree char *mdev = g_strdup_printf(MTTY, attrs);

    return want(ONE, mdev);
}

static char *
setUp(twoGuests *f)
{
    fakeMdevAddParent(f->fake, "mtty");
    fakeMdevAddType(f->fake, "mtty", "mtty-1", 24);
    fakeMdevAddType(f->fake, "mtty", "mtty-2", 1);
    fakeMdevAddAttr(f->fake, "mtty", "mtty-1", "speed", "9600\n");
    fakeMdevAddAttr(f->fake, "mtty", "mtty-1", "ro-kind", "stays\n");
    fakeMdevAddAttr(f->fake, "mtty", "mtty-1", "wo-assign", "");
    virtOwnerSetStarter(f->a, (guint64)getpid()); /* it is being started */
    return fakeMdevDump(f->fake);
}

static void
assertDump(twoGuests *f, const char *before)
{
    g_autofree char *now = fakeMdevDump(f->fake);

    g_assert_cmpstr(now, ==, before);
    guestsAssertAsBefore(f);
}

static void
assertHas(twoGuests *f, const char *part)
{
    g_autofree char *now = fakeMdevDump(f->fake);

    if (!strstr(now, part))
        g_error("'%s' lacks '%s'", now, part);
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
    return testRecordLoad(f->fake->host, "mdev/" ONE, NULL);
}

/* Made before the start with its attributes, there until libvirt has released it, and gone then. */
static void
testCycle(twoGuests *f, gconstpointer opaque)
{
    g_autofree char *before = setUp(f);
    g_autoptr(GPtrArray) wanted = wantMtty("<attr name='speed' value='115200'/><attr name='wo-assign' value='5'/>");
    g_autoptr(virtRecord) record = NULL;
    const virtMdev *was;

    prepare(f, wanted);
    assertHas(f, "mtty mtty-1 23\n  " ONE " ro-kind=stays speed=115200\n");
    record = recordOf(f);
    was = record->before.of[ROW]->pdata[0];
    g_assert_false(virtMdevExists(was));
    g_assert_cmpstr(record->parent.bus, ==, "parent");
    g_assert_cmpstr(record->parent.name, ==, "mtty");
    g_assert_true(virtProvisionRelease(f->fake->host, f->a, NULL, VIRT_RESTORE_STOPPED, NULL));
    assertHas(f, ONE);
    g_assert_true(testRelease(f->fake->host, f->a, NULL, NULL));
    assertDump(f, before);
    g_assert_null(recordOf(f));
}

/* The record of a start says what the document says, with attributes and without. */
static void
testAgrees(twoGuests *f, gconstpointer opaque)
{
    static const char *const attrs[] = {"", "<attr name='speed' value='115200'/>"};
    g_autofree char *before = setUp(f);

    for (guint i = 0; i < G_N_ELEMENTS(attrs); i++) {
        g_autoptr(GPtrArray) wanted = wantMtty(attrs[i]), other = wantMtty(attrs[1 - i]);
        g_autoptr(virtRecord) record = NULL;

        prepare(f, wanted);
        record = recordOf(f);
        g_assert_true(virtProvisionAgrees(wanted->pdata[0], record));
        g_assert_false(virtProvisionAgrees(other->pdata[0], record));
        g_assert_true(testRelease(f->fake->host, f->a, NULL, NULL));
    }
    assertDump(f, before);
}

/* What somebody else has made is used, and stays; its attributes go back to what they were. */
static void
testWasThere(twoGuests *f, gconstpointer opaque)
{
    g_autoptr(GPtrArray) wanted = wantMtty("<attr name='speed' value='115200'/><attr name='wo-assign' value='5'/>");
    g_autofree char *nothing G_GNUC_UNUSED = setUp(f);
    g_autofree char *before = NULL;

    fakeMdevMake(f->fake, "mtty", "mtty-1", ONE);
    before = fakeMdevDump(f->fake);
    prepare(f, wanted);
    assertHas(f, "speed=115200");
    g_assert_true(testRelease(f->fake->host, f->a, NULL, NULL));
    g_assert_cmpuint(f->fake->mdevRemoved, ==, 0);
    assertHas(f, "speed=9600");
    g_assert_nonnull(strstr(f->fake->warnings->pdata[0], "Attribute 'wo-assign'"));
}

/* Of another type, it is not what the guest shall have, and nothing happens to it. */
static void
testOther(twoGuests *f, gconstpointer opaque)
{
    g_autofree char *nothing G_GNUC_UNUSED = setUp(f);
    g_autoptr(GPtrArray) wanted = wantMtty("");
    g_autofree char *before = NULL;

    fakeMdevMake(f->fake, "mtty", "mtty-2", ONE);
    before = fakeMdevDump(f->fake);
    assertRefused(f, f->a, wanted, VIRT_ERROR_REFUSED, "already exists as type mtty-2 on mtty");
    assertDump(f, before);
    g_assert_null(recordOf(f));
}

static void
makeSame(fakeHost *fake, const char *uuid)
{
    fake->mdevRace = NULL;
    fakeMdevMake(fake, "mtty", "mtty-1", uuid);
}

/* Somebody else has made it a moment before: it is theirs. */
static void
testRace(twoGuests *f, gconstpointer opaque)
{
    g_autofree char *nothing G_GNUC_UNUSED = setUp(f);
    g_autoptr(GPtrArray) wanted = wantMtty("");

    f->fake->mdevRace = makeSame;
    assertRefused(f, f->a, wanted, VIRT_ERROR_BUSY, "its UUID is in use");
    assertHas(f, ONE);
    g_assert_cmpuint(f->fake->mdevRemoved, ==, 0);
    g_assert_null(recordOf(f));
}

static fakeHost *racing;

static int
makeMeanwhile(void *opaque, guint port, guint vf, virtNetdevAttr attr, const fakeVF *wanted)
{
    racing->judge = NULL;
    fakeMdevMake(racing, "mtty", "mtty-1", ONE);
    return 0;
}

/* Somebody else has made it while the netdevs of the same start were set: it is used, and theirs. */
static void
testRaceUsed(twoGuests *f, gconstpointer opaque)
{
    g_autofree char *nothing G_GNUC_UNUSED = setUp(f);
    g_autoptr(GPtrArray) wanted = guestsWant(f, 1, 0xaa);
    g_autoptr(GPtrArray) mdev = wantMtty("<attr name='speed' value='115200'/>");
    g_autoptr(virtRecord) record = NULL;

    g_ptr_array_add(wanted, g_ptr_array_steal_index(mdev, 0));
    racing = f->fake;
    f->fake->judge = makeMeanwhile;
    prepare(f, wanted);
    record = recordOf(f);
    g_assert_cmpint(record->phase, ==, VIRT_PHASE_ACTIVE);
    assertHas(f, "speed=115200");
    g_assert_true(testRelease(f->fake->host, f->a, NULL, NULL));
    g_assert_cmpuint(f->fake->mdevRemoved, ==, 0);
    assertHas(f, ONE);
    g_assert_null(recordOf(f));
    guestsAssertAsBefore(f);
}

static void
countDrift(virtHost *host, const virtDrift *drift, void *opaque)
{
    guint *differs = opaque;

    g_assert_no_error(drift->problem);
    for (guint i = 0; i < drift->rows->len; i++)
        *differs += ((const virtPlanRow *)drift->rows->pdata[i])->differs;
}

static guint
findDrift(twoGuests *f)
{
    g_autoptr(GPtrArray) records = virtProvisionRecordList(f->fake->host, NULL);
    guint differs = 0;

    virtProvisionDrift(f->fake->host, records, countDrift, &differs);
    return differs;
}

/* What the document leaves to the host is as mdevctl has it, and stays that for the guest's life. */
static void
testDefined(twoGuests *f, gconstpointer opaque)
{
    g_autofree char *before = setUp(f);
    g_autoptr(GPtrArray) wanted = want(ONE, "<mdev/>");
    g_autoptr(virtRecord) record = NULL;

    assertRefused(f, f->a, wanted, VIRT_ERROR_NOT_FOUND, "Cannot use mediated device " ONE ": it is not defined");
    fakeHostFile(f->fake, "{\"mdev_type\": \"mtty-1\", \"attrs\": [{\"speed\": \"300\"}]}", "etc/mdevctl.d/mtty/" ONE);
    prepare(f, wanted);
    assertHas(f, "mtty mtty-1 23\n  " ONE " ro-kind=stays speed=300\n");
    fakeHostFile(f->fake, "{\"mdev_type\": \"mtty-2\"}", "etc/mdevctl.d/mtty/" ONE);
    record = recordOf(f);
    g_assert_true(virtProvisionAgrees(wanted->pdata[0], record));
    g_assert_cmpuint(findDrift(f), ==, 0);
    g_assert_true(testRelease(f->fake->host, f->a, NULL, NULL));
    assertDump(f, before);
    fakeHostFile(f->fake, "{\"mdev_type\": \"mtty-9\"}", "etc/mdevctl.d/mtty/" ONE);
    assertRefused(f, f->a, wanted, VIRT_ERROR_HOST, "mtty has no type 'mtty-9'");
    fakeHostFile(f->fake, NULL, "etc/mdevctl.d/mtty/" ONE);
}

static twoGuests *racers;

/* Domain b asks for the UUID at another parent, just when a's device is about to be made. */
static void
prepareOther(fakeHost *fake, const char *uuid)
{
    g_autoptr(GPtrArray) wanted = want(uuid, "<mdev parent='mdpy'><type id='mdpy-1'/></mdev>");

    fake->mdevRace = NULL;
    assertRefused(racers, racers->b, wanted, VIRT_ERROR_BUSY, "mdev-all.lock was not free");
}

/* One UUID at two parents at a time: the record is one, and so they take turns. */
static void
testTwoParents(twoGuests *f, gconstpointer opaque)
{
    g_autofree char *nothing G_GNUC_UNUSED = setUp(f);
    g_autoptr(GPtrArray) wanted = wantMtty("");
    g_autoptr(virtRecord) record = NULL;
    g_autofree char *before = NULL;

    fakeMdevAddParent(f->fake, "mdpy");
    fakeMdevAddType(f->fake, "mdpy", "mdpy-1", 4);
    before = fakeMdevDump(f->fake);
    racers = f;
    f->fake->mdevRace = prepareOther;
    prepare(f, wanted);
    record = recordOf(f);
    g_assert_cmpstr(record->owner.name, ==, "a");
    g_assert_true(testRelease(f->fake->host, f->a, NULL, NULL));
    assertDump(f, before);
}

/* The domain asks for another parent than the start that is left over: that one's device goes first. */
static void
testMoved(twoGuests *f, gconstpointer opaque)
{
    g_autofree char *nothing G_GNUC_UNUSED = setUp(f);
    g_autoptr(GPtrArray) wanted = wantMtty("");
    g_autoptr(GPtrArray) other = want(ONE, "<mdev parent='mdpy'><type id='mdpy-1'/></mdev>");
    g_autofree char *before = NULL;

    fakeMdevAddParent(f->fake, "mdpy");
    fakeMdevAddType(f->fake, "mdpy", "mdpy-1", 4);
    before = fakeMdevDump(f->fake);
    prepare(f, wanted);
    prepare(f, other);
    assertHas(f, "mdpy mdpy-1 3\n  " ONE);
    assertHas(f, "mtty mtty-1 24\n");
    g_assert_true(testRelease(f->fake->host, f->a, NULL, NULL));
    assertDump(f, before);
}

static void
testRefused(twoGuests *f, gconstpointer opaque)
{
    static const struct {
        const char *mdev;
        int code;
        const char *part;
    } cases[] = {
        {"<mdev parent='mdpy'><type id='mdpy-1'/></mdev>", VIRT_ERROR_NOT_FOUND, "parent 'mdpy' does not exist"},
        {"<mdev parent='mtty'><type id='mtty-3'/></mdev>", VIRT_ERROR_HOST,
         "mtty has no type 'mtty-3'. Its types are: mtty-1 (24 free), mtty-2 (0 free)"},
        {"<mdev parent='mtty'><type id='mtty-2'/></mdev>", VIRT_ERROR_REFUSED,
         "No space left on device. The types of mtty are: mtty-1 (24 free), mtty-2 (0 free)"},
        {"<mdev parent='mtty'><type id='mtty-1'/><attr name='speed' value='1'/><attr name='ro-kind' value='x'/></mdev>",
         VIRT_ERROR_REFUSED, "Attribute 'ro-kind' of mediated device " ONE " was set to 'x' and shows 'stays'"},
        {"<mdev parent='mtty'><type id='mtty-1'/><attr name='none' value='1'/></mdev>", VIRT_ERROR_REFUSED,
         "devices of this type have none"},
    };
    g_autofree char *nothing G_GNUC_UNUSED = setUp(f);
    g_autofree char *before = NULL;

    fakeMdevMake(f->fake, "mtty", "mtty-2", TWO);
    before = fakeMdevDump(f->fake);
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GPtrArray) wanted = want(ONE, cases[i].mdev);

        assertRefused(f, f->a, wanted, cases[i].code, cases[i].part);
        assertDump(f, before);
        g_assert_null(recordOf(f));
    }
}

/* A second device fails: the first goes as it has come. */
static void
testRollback(twoGuests *f, gconstpointer opaque)
{
    g_autofree char *before = setUp(f);
    g_autoptr(GPtrArray) wanted = wantMtty("");
    g_autoptr(GPtrArray) second =
        want(TWO, "<mdev parent='mtty'><type id='mtty-1'/><attr name='no' value='1'/></mdev>");

    g_ptr_array_add(wanted, g_ptr_array_steal_index(second, 0));
    assertRefused(f, f->a, wanted, VIRT_ERROR_REFUSED, "attribute 'no' of mediated device " TWO);
    g_assert_cmpuint(f->fake->mdevRemoved, ==, 2);
    assertDump(f, before);
}

/* Two domains with one UUID: the second is told whose it is, and the first keeps it. */
static void
testOwner(twoGuests *f, gconstpointer opaque)
{
    g_autofree char *before = setUp(f);
    g_autoptr(GPtrArray) wanted = wantMtty("");

    prepare(f, wanted);
    assertRefused(f, f->b, wanted, VIRT_ERROR_BUSY, "mediated device " ONE " is in use by domain 'a'");
    g_assert_true(testRelease(f->fake->host, f->b, NULL, NULL));
    assertHas(f, ONE);
    g_assert_true(testRelease(f->fake->host, f->a, NULL, NULL));
    assertDump(f, before);
}

/* Nobody writes to a device that is open; it goes when that ends. */
static void
testOpen(twoGuests *f, gconstpointer opaque)
{
    g_autofree char *before = setUp(f);
    g_autoptr(GPtrArray) wanted = wantMtty("");
    g_autoptr(GError) error = NULL;

    prepare(f, wanted);
    fakeMdevHold(f->fake, ONE, 4711);
    g_assert_false(testRelease(f->fake->host, f->a, NULL, &error));
    guestsAssertError(error, VIRT_ERROR_REFUSED, "process 4711 (qemu-system-x86), which has /dev/vfio/112 open");
    fakeHostFile(f->fake, NULL, "proc/4711/fd/7");
    f->fake->mdevOpen = EBUSY; /* it has been opened since */
    g_clear_error(&error);
    g_assert_false(testRelease(f->fake->host, f->a, NULL, &error));
    guestsAssertError(error, VIRT_ERROR_REFUSED, "has /dev/vfio/112 open");
    g_assert_cmpuint(f->fake->mdevRemoved, ==, 0);
    assertHas(f, ONE);
    f->fake->mdevOpen = 0;
    g_assert_true(testRelease(f->fake->host, f->a, NULL, NULL));
    assertDump(f, before);
}

/* The device has gone, or another is in its place: nothing is left to remove. */
static void
testGone(twoGuests *f, gconstpointer opaque)
{
    g_autofree char *before = setUp(f);
    g_autoptr(GPtrArray) wanted = wantMtty("");

    prepare(f, wanted);
    fakeMdevRemove(f->fake, ONE);
    g_assert_true(testRelease(f->fake->host, f->a, NULL, NULL));
    assertDump(f, before);
    g_assert_null(recordOf(f));
    prepare(f, wanted);
    fakeMdevRemove(f->fake, ONE);
    fakeMdevMake(f->fake, "mtty", "mtty-2", ONE);
    g_assert_true(testRelease(f->fake->host, f->a, NULL, NULL));
    g_assert_cmpuint(f->fake->mdevRemoved, ==, 0);
    assertHas(f, ONE);
    g_assert_null(recordOf(f));
}

static const virtPlanRow *
findRow(const GPtrArray *rows, const char *attr)
{
    for (guint i = 0; i < rows->len; i++) {
        const virtPlanRow *row = rows->pdata[i];

        if (g_strcmp0(row->attr, attr) == 0)
            return row;
    }
    g_error("no row for %s", attr);
}

static void
testPlan(twoGuests *f, gconstpointer opaque)
{
    g_autofree char *before = setUp(f);
    g_autoptr(GPtrArray) wanted = wantMtty("<attr name='speed' value='115200'/>");
    g_autoptr(GPtrArray) scarce = want(TWO, "<mdev parent='mtty_mtty'><type id='mtty-2'/></mdev>");
    g_autoptr(GPtrArray) rows = virtProvisionPlan(f->fake->host, f->a, wanted), none = NULL, exists = NULL;

    g_assert_cmpstr(findRow(rows, "type")->from, ==, "none");
    g_assert_cmpstr(findRow(rows, "type")->to, ==, "mtty-1 on mtty (24 free)");
    g_assert_true(findRow(rows, "type")->differs);
    g_assert_cmpstr(findRow(rows, "attrs")->to, ==, "speed=115200");
    assertDump(f, before);
    fakeMdevMake(f->fake, "mtty", "mtty-2", ONE);
    none = virtProvisionPlan(f->fake->host, f->a, scarce);
    g_assert_nonnull(strstr(findRow(none, "type")->problem, "no free instance"));
    exists = virtProvisionPlan(f->fake->host, f->a, wanted);
    g_assert_nonnull(strstr(findRow(exists, "type")->problem, "already exists as type mtty-2 on mtty"));
}

/* What can only be written is never said to have changed. */
static void
testDrift(twoGuests *f, gconstpointer opaque)
{
    g_autofree char *before = setUp(f);
    g_autoptr(GPtrArray) wanted = wantMtty("<attr name='speed' value='115200'/><attr name='wo-assign' value='5'/>");
    g_autoptr(GPtrArray) other = wantMtty("<attr name='speed' value='1'/>");
    g_autoptr(GError) error = NULL;

    prepare(f, wanted);
    g_assert_cmpuint(findDrift(f), ==, 0);
    fakeHostFile(f->fake, "300\n", "sys/class/mdev_bus/mtty/" ONE "/speed");
    g_assert_cmpuint(findDrift(f), ==, 1);
    g_assert_false(virtProvisionUpdate(f->fake->host, f->a, other->pdata[0], &error));
    guestsAssertError(error, VIRT_ERROR_INVALID, "Cannot change the attributes of mediated device " ONE " of mtty");
    fakeMdevRemove(f->fake, ONE);
    g_assert_cmpuint(findDrift(f), ==, 1); /* its attributes have gone with it */
    g_assert_true(testRelease(f->fake->host, f->a, NULL, NULL));
    assertDump(f, before);
}

int
main(int argc, char **argv)
{
    static const guestsTest tests[] = {
        {"/mdev/cycle", testCycle},        {"/mdev/agrees", testAgrees},     {"/mdev/defined", testDefined},
        {"/mdev/was-there", testWasThere}, {"/mdev/other", testOther},       {"/mdev/race", testRace},
        {"/mdev/race-used", testRaceUsed}, {"/mdev/refused", testRefused},   {"/mdev/two-parents", testTwoParents},
        {"/mdev/moved", testMoved},        {"/mdev/rollback", testRollback}, {"/mdev/owner", testOwner},
        {"/mdev/open", testOpen},          {"/mdev/gone", testGone},         {"/mdev/plan", testPlan},
        {"/mdev/drift", testDrift},
    };

    return guestsRun(tests, G_N_ELEMENTS(tests), argc, argv);
}
