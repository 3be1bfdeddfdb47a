/* qemufunctiontest.c: port functions that are set for guests, on a made-up host in switchdev mode
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "conf/function_conf.h"
#include "hypervisor/provision_drift.h"
#include "hypervisor/provision_plan.h"
#include "qemu/qemu_hostdev.h"
#include "testrecord.h"
#include "twoguests.h"

#include <string.h>
#include <unistd.h>

#define CARD "0000:41:00.0"
#define ROW 3 /* of virtSettingKinds */
#define DRIVER "mlx5_corevf"

static const char *
addressOf(twoGuests *f)
{
    return fakeHostVFAddress(f->fake, CARD, 0);
}

/* VF 0 of the card, with @inner in its <hostdev>. */
static GPtrArray *
want(twoGuests *f, const char *inner)
{
    g_autofree char *xml = NULL;
    g_autoptr(GError) error = NULL;
    g_autoptr(virtDomainConf) domain = NULL;
    virtPCIAddress address;

    g_assert_true(virtPCIAddressParse(addressOf(f), &address, NULL));
    xml =
        g_strdup_printf("<domain type='kvm'><name>a</name><devices><hostdev mode='subsystem' type='pci' managed='yes'>"
                        "<source><address domain='0' bus='0x%x' slot='0x%x' function='%u'/></source>%s</hostdev>"
                        "</devices></domain>",
                        address.bus, address.slot, address.function, inner);
    domain = virtDomainConfParse(xml, strlen(xml), NULL, 0, &error);
    g_assert_no_error(error);
    return g_ptr_array_ref(domain->hostdevs);
}

/* A card of two ports in switchdev mode, whose functions have RoCE and 24 event queues. */
static void
setUp(twoGuests *f)
{
    fakeHostModules(f->fake, "alias vfio_pci:v000015B3d0000101Esv*sd*bc*sc*i* mlx5_vfio_pci\n");
    fakeHostAddPF(f->fake, CARD, 2, 2, "mlx5_core");
    fakeHostSwitchdev(f->fake, CARD);
    fakeHostAddCapabilities(f->fake, CARD);
    fakeHostFile(f->fake, "pci:v000015B3d0000101Esv000015B3sd00000001bc02sc00i00\n", "sys/bus/pci/devices/%s/modalias",
                 addressOf(f));
    virtOwnerSetStarter(f->a, (guint64)getpid()); /* it is being started */
}

static void
assertPort(twoGuests *f, guint port, bool roce, bool migratable, guint eqs)
{
    const virtFunction *function = &fakeHostVF(f->fake, CARD, port, 0)->function;

    g_assert_cmpint(function->flags[VIRT_FUNCTION_ROCE], ==, roce);
    g_assert_cmpint(function->flags[VIRT_FUNCTION_MIGRATABLE], ==, migratable);
    g_assert_cmpuint(function->maxIoEqs, ==, eqs);
}

static void
assertDriver(twoGuests *f, const char *expected)
{
    g_autofree char *driver = NULL;
    virtPCIAddress address;

    g_assert_true(virtPCIAddressParse(addressOf(f), &address, NULL));
    driver = virtPCIGetDriver(f->fake->host, &address);
    g_assert_cmpstr(driver, ==, expected);
}

static void
prepare(twoGuests *f, const GPtrArray *wanted)
{
    g_autoptr(GError) error = NULL;

    virtProvisionPrepare(f->fake->host, f->a, wanted, &error);
    g_assert_no_error(error);
}

static void
assertRefused(twoGuests *f, const char *inner, int code, const char *part)
{
    g_autoptr(GPtrArray) wanted = want(f, inner);
    g_autoptr(GError) error = NULL;

    g_assert_false(virtProvisionPrepare(f->fake->host, f->a, wanted, &error));
    guestsAssertError(error, code, part);
}

static void
release(twoGuests *f, virtRestoreStage stage)
{
    g_autoptr(GError) error = NULL;

    virtProvisionRelease(f->fake->host, f->a, NULL, stage, &error);
    g_assert_no_error(error);
}

static virtRecord *
recordOf(twoGuests *f)
{
    g_autofree char *handle = g_strconcat("pci/", addressOf(f), NULL);

    return testRecordLoad(f->fake->host, handle, NULL);
}

/* Set before VFIO has the VF, with no driver, and restored when libvirt has released it: both ports, as each was. */
static void
testCycle(twoGuests *f, gconstpointer opaque)
{
    g_autoptr(GPtrArray) wanted = NULL;
    g_autoptr(virtRecord) record = NULL, left = NULL;

    setUp(f);
    fakeHostVF(f->fake, CARD, 2, 0)->function.flags[VIRT_FUNCTION_ROCE] = false;
    wanted = want(f, "<netdev port='2'><mac address='52:54:00:00:00:01'/></netdev>"
                     "<function roce='no' migratable='yes' maxIoEqs='8'/>");
    prepare(f, wanted);
    assertPort(f, 1, false, true, 8);
    assertPort(f, 2, false, true, 8);
    assertDriver(f, NULL);
    record = recordOf(f);
    g_assert_cmpuint(record->before.of[ROW]->len, ==, 2);
    g_assert_cmpint(((const virtFunction *)record->before.of[ROW]->pdata[0])->flags[VIRT_FUNCTION_ROCE], ==, true);
    g_assert_cmpint(((const virtFunction *)record->before.of[ROW]->pdata[1])->flags[VIRT_FUNCTION_ROCE], ==, false);
    g_assert_cmpstr(record->driver, ==, DRIVER);
    g_assert_true(virtProvisionAgrees(wanted->pdata[0], record));

    fakeHostBindVFIO(f->fake, addressOf(f)); /* libvirt does */
    release(f, VIRT_RESTORE_STOPPED);
    assertPort(f, 1, false, true, 8); /* not yet */
    left = recordOf(f);
    g_assert_nonnull(left);
    fakeHostSetDriver(f->fake, addressOf(f), DRIVER);
    release(f, VIRT_RESTORE_RELEASED);
    assertPort(f, 1, true, false, 24);
    assertPort(f, 2, false, false, 24);
    assertDriver(f, DRIVER);
    g_assert_null(recordOf(f));
}

/* What is as it is wanted needs no unbinding. */
static void
testNothingToDo(twoGuests *f, gconstpointer opaque)
{
    g_autoptr(GPtrArray) wanted = NULL;

    setUp(f);
    wanted = want(f, "<function roce='yes' maxIoEqs='24'/>");
    prepare(f, wanted);
    assertDriver(f, DRIVER);
    release(f, VIRT_RESTORE_RELEASED);
    assertDriver(f, DRIVER);
}

/* Each attribute of each port is refused in turn: all is as it was, and the host's driver has the VF again. */
static void
testRefused(twoGuests *f, gconstpointer opaque)
{
    static const char inner[] = "<function roce='no' migratable='yes' maxIoEqs='8'/>";

    setUp(f);
    for (guint nth = 1; nth <= 6; nth++) {
        f->fake->functionRefused = nth;
        assertRefused(f, inner, VIRT_ERROR_REFUSED, nth <= 3 ? "for port 1 (VF 0 of " CARD : "for port 2 (VF 0 of ");
        assertPort(f, 1, true, false, 24);
        assertPort(f, 2, true, false, 24);
        assertDriver(f, DRIVER);
        g_assert_null(recordOf(f));
    }
    f->fake->functionDeaf = true;
    assertRefused(f, inner, VIRT_ERROR_REFUSED, "the driver acknowledged it, but the value is now yes");
    assertDriver(f, DRIVER);
}

/* A netdev of the VF's that the host uses goes nowhere, also by hand. */
static void
testInUse(twoGuests *f, gconstpointer opaque)
{
    g_autoptr(GPtrArray) wanted = NULL;
    g_autoptr(virtOwner) hand = virtOwnerNew("hand", NULL);
    g_autoptr(GError) error = NULL;

    setUp(f);
    f->fake->ipv4Netdev = "enp65s16f0"; /* of VF 0 */
    assertRefused(f, "<function roce='no'/>", VIRT_ERROR_BUSY, "192.0.2.7");
    assertDriver(f, DRIVER);
    wanted = want(f, "<function roce='no'/>");
    g_assert_false(virtProvisionPrepare(f->fake->host, hand, wanted, &error));
    guestsAssertError(error, VIRT_ERROR_BUSY, "192.0.2.7");
    assertDriver(f, DRIVER);
    assertPort(f, 1, true, false, 24);
}

/* What the driver does not show it does not set, and without an eswitch nothing is. */
static void
testUnusable(twoGuests *f, gconstpointer opaque)
{
    setUp(f);
    fakeHostVF(f->fake, CARD, 2, 0)->function.setting.present &= ~VIRT_SETTING_BIT(VIRT_FUNCTION_MIGRATABLE);
    assertRefused(f, "<function migratable='yes'/>", VIRT_ERROR_HOST,
                  "<hostdev>: Cannot set migratable of port 2 (VF 0 of " CARD ", 0000:41:10.0): its driver, or this "
                  "kernel, has no such attribute of port functions");
    f->fake->functions = false;
    assertRefused(f, "<function roce='no'/>", VIRT_ERROR_HOST, "There is no port function for port 1");
    assertDriver(f, DRIVER);
}

/* Without a driver that can migrate the VF, migratable='yes' is refused: by the plan, too. */
static void
testNoVariant(twoGuests *f, gconstpointer opaque)
{
    static const char inner[] = "<function migratable='yes'/>",
                      missing[] = "have no VFIO variant driver for 0000:41:10.0";
    g_autoptr(GPtrArray) wanted = NULL, rows = NULL, none = NULL;
    bool told = false;

    setUp(f);
    fakeHostModules(f->fake, "alias vfio_pci:v*d*sv*sd*bc*sc*i* vfio_pci\n");
    assertRefused(f, inner, VIRT_ERROR_HOST, missing);
    assertPort(f, 1, true, false, 24);
    assertDriver(f, DRIVER);
    wanted = want(f, inner);
    rows = virtProvisionPlan(f->fake->host, f->a, wanted);
    for (guint i = 0; i < rows->len; i++) {
        const virtPlanRow *row = rows->pdata[i];

        told |= row->problem && strstr(row->problem, missing);
    }
    g_assert_true(told);
    none = want(f, "<function migratable='no' roce='no'/>");
    prepare(f, none);
    release(f, VIRT_RESTORE_RELEASED);
}

/* Which libvirt can give a VF the driver that can migrate it. */
static void
testLibvirt(twoGuests *f, gconstpointer opaque)
{
    static const struct {
        bool managed;
        unsigned long version;
        bool can;
    } cases[] = {{true, 9000000, false}, {false, 9000000, false}, {true, 9007000, false}, {false, 9007000, true},
                 {true, 9010000, false}, {true, 10000000, true},  {false, 11003000, true}};
    g_autoptr(GPtrArray) wanted = NULL, other = NULL,
                         rows = g_ptr_array_new_with_free_func((GDestroyNotify)virtPlanRowFree);

    setUp(f);
    wanted = want(f, "<function migratable='yes'/>");
    other = want(f, "<function migratable='no' roce='yes'/>");
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        virtHostdev *hostdev = wanted->pdata[0];
        g_autoptr(GError) error = NULL;

        hostdev->managed = cases[i].managed;
        g_assert_cmpint(virtProvisionCheckLibvirt(hostdev, cases[i].version, &error), ==, cases[i].can);
        if (!cases[i].can)
            guestsAssertError(error, VIRT_ERROR_HOST, "<hostdev>: migratable='yes' needs libvirt 10.0.0");
        g_assert_true(virtProvisionCheckLibvirt(other->pdata[0], cases[i].version, NULL));
    }
    virtProvisionPlanLibvirt(rows, wanted, 10000000);
    g_assert_cmpuint(rows->len, ==, 0);
    ((virtHostdev *)wanted->pdata[0])->managed = true;
    virtProvisionPlanLibvirt(rows, wanted, 9000000);
    g_assert_cmpuint(rows->len, ==, 1);
}

/* Which driver libvirt has chosen is seen before QEMU starts. */
static void
testTaken(twoGuests *f, gconstpointer opaque)
{
    g_autoptr(GPtrArray) wanted = NULL, other = NULL;
    g_autoptr(GError) error = NULL;

    setUp(f);
    wanted = want(f, "<function migratable='yes'/>");
    other = want(f, "<function migratable='no' roce='no'/>");
    fakeHostBindVFIO(f->fake, addressOf(f));
    g_assert_true(virtProvisionCheckTaken(f->fake->host, other->pdata[0], NULL));
    g_assert_false(virtProvisionCheckTaken(f->fake->host, wanted->pdata[0], &error));
    guestsAssertError(error, VIRT_ERROR_HOST,
                      "<hostdev>: libvirt has bound 0000:41:10.0 to vfio-pci, with which it cannot migrate, and not to "
                      "mlx5_vfio_pci.");
    fakeHostSetDriver(f->fake, addressOf(f), "mlx5_vfio_pci");
    g_assert_true(virtProvisionCheckTaken(f->fake->host, wanted->pdata[0], NULL));
}

/* A start that has died in the middle: the values go back, and the driver too. */
static void
testDied(twoGuests *f, gconstpointer opaque)
{
    g_autoptr(GPtrArray) wanted = NULL;
    g_autoptr(virtRecord) record = NULL;
    g_autoptr(GError) error = NULL;

    setUp(f);
    wanted = want(f, "<function roce='no'/>");
    prepare(f, wanted);
    assertDriver(f, NULL);
    record = recordOf(f);
    g_assert_true(virtProvisionRestore(f->fake->host, record, &error));
    g_assert_no_error(error);
    assertPort(f, 1, true, false, 24);
    assertDriver(f, DRIVER);
}

/* The libvirt that has taken the VF is killed, and the next one forgets to give it back, as it does one that had no driver
 * when it was taken: after its last call the driver has it. */
static void
testForgotten(twoGuests *f, gconstpointer opaque)
{
    g_autoptr(GPtrArray) wanted = NULL;
    g_autoptr(GError) error = NULL;
    g_autofree char *device = NULL, *xml = NULL;

    setUp(f);
    virtOwnerSetStarter(f->a, 0); /* it has been killed */
    wanted = want(f, "<function roce='no'/>");
    prepare(f, wanted);
    fakeHostBindVFIO(f->fake, addressOf(f));
    device = virtHostdevFormatStock(wanted->pdata[0]);
    xml = g_strdup_printf("<domain type='kvm'><name>%s</name><uuid>%s</uuid><devices>%s</devices></domain>", f->a->name,
                          f->a->uuid, device);
    g_assert_true(virtQemuHostdevReleaseDomain(f->fake->host, f->a->name, xml, strlen(xml), false, &error));
    g_assert_no_error(error);
    assertDriver(f, "vfio-pci"); /* libvirt may be about to give it back */
    g_assert_true(virtQemuHostdevReleaseDomain(f->fake->host, f->a->name, xml, strlen(xml), true, &error));
    g_assert_no_error(error);
    assertPort(f, 1, true, false, 24);
    assertDriver(f, DRIVER);
}

static int (*writeOn)(virtHost *, const char *, const char *, guint);
static guint limited; /* writes that are left behind when they take too long */

static int
countLimited(virtHost *host, const char *path, const char *value, guint within)
{
    limited += within > 0;
    return writeOn(host, path, value, within);
}

/* A VF that is bound to VFIO by hand stays bound to it; whoever may have opened it meanwhile is not waited for. */
static void
testBoundByHand(twoGuests *f, gconstpointer opaque)
{
    g_autoptr(GPtrArray) wanted = NULL;

    setUp(f);
    fakeHostBindVFIO(f->fake, addressOf(f));
    writeOn = f->fake->host->write;
    f->fake->host->write = countLimited;
    limited = 0;
    wanted = want(f, "<function roce='no'/>");
    prepare(f, wanted);
    g_assert_cmpuint(limited, ==, 1);
    assertPort(f, 2, false, false, 24);
    assertDriver(f, "vfio-pci");
    release(f, VIRT_RESTORE_RELEASED);
    assertPort(f, 2, true, false, 24);
    assertDriver(f, "vfio-pci");
}

/* By hand there is no libvirt that binds anything: the host's driver has the VF again at once. */
static void
testByHand(twoGuests *f, gconstpointer opaque)
{
    g_autoptr(GPtrArray) wanted = NULL;
    g_autoptr(virtOwner) hand = virtOwnerNew("hand", NULL);
    g_autoptr(GError) error = NULL;

    setUp(f);
    wanted = want(f, "<function roce='no'/>");
    g_assert_true(virtProvisionPrepare(f->fake->host, hand, wanted, &error));
    g_assert_no_error(error);
    assertPort(f, 1, false, false, 24);
    assertDriver(f, DRIVER);
    g_assert_true(virtProvisionRelease(f->fake->host, hand, NULL, VIRT_RESTORE_RELEASED, NULL));
    assertPort(f, 1, true, false, 24);
    assertDriver(f, DRIVER);
}

/* The eswitch is switched to legacy mode under the guest: that is said, netdevs are restored, and when the mode is
 * back, so are functions. */
static void
testModeChanged(twoGuests *f, gconstpointer opaque)
{
    g_autoptr(GPtrArray) wanted = NULL;
    g_autoptr(GError) error = NULL;

    setUp(f);
    wanted = want(f, "<netdev port='2'><link state='down'/></netdev><function roce='no'/>");
    prepare(f, wanted);
    fakeHostSetDriver(f->fake, addressOf(f), DRIVER);
    f->fake->functions = false;
    g_assert_cmpuint(fakeHostVF(f->fake, CARD, 2, 0)->link, ==, 2);
    g_assert_false(virtProvisionRelease(f->fake->host, f->a, NULL, VIRT_RESTORE_RELEASED, &error));
    guestsAssertError(error, VIRT_ERROR_REFUSED, "is no longer in switchdev mode");
    g_assert_cmpuint(fakeHostVF(f->fake, CARD, 2, 0)->link, ==, 0);
    assertPort(f, 1, false, false, 24);
    f->fake->functions = true;
    release(f, VIRT_RESTORE_RELEASED);
    assertPort(f, 1, true, false, 24);
    assertPort(f, 2, true, false, 24);
    g_assert_null(recordOf(f));
}

static const virtPlanRow *
rowOf(const GPtrArray *rows, guint port, const char *attr)
{
    for (guint i = 0; i < rows->len; i++) {
        const virtPlanRow *row = rows->pdata[i];

        if (row->port == port && g_strcmp0(row->attr, attr) == 0)
            return row;
    }
    return NULL;
}

/* The plan has a row for each port, and says that a driver has to let go. */
static void
testPlan(twoGuests *f, gconstpointer opaque)
{
    g_autoptr(GPtrArray) wanted = NULL;
    g_autoptr(GPtrArray) rows = NULL;
    const virtPlanRow *row;

    setUp(f);
    fakeHostVF(f->fake, CARD, 1, 0)->function.flags[VIRT_FUNCTION_ROCE] = false;
    wanted = want(f, "<function roce='no'/>");
    rows = virtProvisionPlan(f->fake->host, f->a, wanted);
    g_assert_cmpuint(rows->len, ==, 2);
    g_assert_nonnull(row = rowOf(rows, 1, "roce"));
    g_assert_false(row->differs);
    g_assert_null(row->effect);
    g_assert_nonnull(row = rowOf(rows, 2, "roce"));
    g_assert_cmpstr(row->from, ==, "yes");
    g_assert_cmpstr(row->to, ==, "no");
    g_assert_cmpstr(row->effect, ==, "after unbinding " DRIVER);
    assertDriver(f, DRIVER);
}

static void
countDrift(virtHost *host, const virtDrift *drift, void *opaque)
{
    (void)host;
    *(guint *)opaque += virtDriftIsAny(drift);
}

/* Somebody changes a function of a guest. */
static void
testDrift(twoGuests *f, gconstpointer opaque)
{
    g_autoptr(GPtrArray) wanted = NULL;
    g_autoptr(GPtrArray) records = NULL;
    guint drifted = 0;

    setUp(f);
    wanted = want(f, "<function roce='no'/>");
    prepare(f, wanted);
    records = virtProvisionRecordList(f->fake->host, NULL);
    virtProvisionDrift(f->fake->host, records, countDrift, &drifted);
    g_assert_cmpuint(drifted, ==, 0);
    virtFunctionSetFlag(&fakeHostVF(f->fake, CARD, 2, 0)->function, VIRT_FUNCTION_ROCE, true);
    virtProvisionDrift(f->fake->host, records, countDrift, &drifted);
    g_assert_cmpuint(drifted, ==, 1);
    release(f, VIRT_RESTORE_RELEASED);
    assertPort(f, 2, true, false, 24);
}

int
main(int argc, char **argv)
{
    static const guestsTest tests[] = {
        {"/function/cycle", testCycle},     {"/function/nothing-to-do", testNothingToDo},
        {"/function/refused", testRefused}, {"/function/unusable", testUnusable},
        {"/function/died", testDied},       {"/function/forgotten", testForgotten},
             {"/function/bound-by-hand", testBoundByHand},
        {"/function/by-hand", testByHand},  {"/function/mode-changed", testModeChanged},
        {"/function/plan", testPlan},       {"/function/drift", testDrift},
        {"/function/in-use", testInUse},    {"/function/no-variant", testNoVariant},
        {"/function/libvirt", testLibvirt}, {"/function/taken", testTaken},
    };

    return guestsRun(tests, G_N_ELEMENTS(tests), argc, argv);
}
