/* qemuvgputest.c: vGPUs of VFs that are created for guests, on a made-up host
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "conf/vgpu_conf.h"
#include "fakevgpu.h"
#include "hypervisor/provision_drift.h"
#include "hypervisor/provision_plan.h"
#include "testrecord.h"
#include "twoguests.h"
#include "util/virvgpudevice.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define GPU "0000:41:00.0"
#define ROW 2 /* of virtSettingKinds */
#define HOSTDEV                                                                                                        \
    "<hostdev mode='subsystem' type='pci' managed='no'><source><address domain='0' bus='0x%x' slot='0x%x' "            \
    "function='%u'/></source><vgpu type='%u'/></hostdev>"

/* Add a vGPU of @type at @vf to a document's devices. */
static void
addWanted(GPtrArray *list, const char *vf, guint type)
{
    g_autofree char *xml = NULL;
    g_autoptr(GError) error = NULL;
    g_autoptr(virtDomainConf) domain = NULL;
    virtPCIAddress address;

    g_assert_true(virtPCIAddressParse(vf, &address, NULL));
    xml = g_strdup_printf("<domain type='kvm'><name>a</name><devices>" HOSTDEV "</devices></domain>", address.bus,
                          address.slot, address.function, type);
    domain = virtDomainConfParse(xml, strlen(xml), NULL, 0, &error);
    g_assert_no_error(error);
    g_ptr_array_add(list, g_ptr_array_steal_index(domain->hostdevs, 0));
}

static const char *
vfOf(twoGuests *f, guint vf)
{
    return fakeHostVFAddress(f->fake, GPU, vf);
}

/* A vGPU of @type at VF 0. */
static GPtrArray *
want(twoGuests *f, guint type)
{
    GPtrArray *list = g_ptr_array_new_with_free_func((GDestroyNotify)virtHostdevFree);

    addWanted(list, vfOf(f, 0), type);
    return list;
}

/* Three VFs of a GPU, whose driver keeps them. */
static void
setUp(twoGuests *f)
{
    fakeHostAddPF(f->fake, GPU, 0, 3, "nvidia");
    fakeVgpuAdd(f->fake, GPU, 3);
    virtOwnerSetStarter(f->a, (guint64)getpid()); /* it is being started */
}

static void
assertTypes(twoGuests *f, guint first, guint second, guint third)
{
    g_assert_cmpuint(fakeVgpuGet(f->fake, vfOf(f, 0)), ==, first);
    g_assert_cmpuint(fakeVgpuGet(f->fake, vfOf(f, 1)), ==, second);
    g_assert_cmpuint(fakeVgpuGet(f->fake, vfOf(f, 2)), ==, third);
}

static virtRecord *
recordOf(twoGuests *f)
{
    g_autofree char *handle = g_strconcat("pci/", vfOf(f, 0), NULL);

    return testRecordLoad(f->fake->host, handle, NULL);
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

/* Created before the start, there until the guest has stopped, and taken away then; the driver stays. */
static void
testCycle(twoGuests *f, gconstpointer opaque)
{
    g_autoptr(GPtrArray) wanted = NULL;
    g_autoptr(virtRecord) record = NULL;
    g_autofree char *driver = NULL;
    virtPCIAddress address;

    setUp(f);
    wanted = want(f, 63);
    prepare(f, wanted);
    assertTypes(f, 63, 0, 0);
    record = recordOf(f);
    g_assert_cmpuint(((const virtVgpu *)record->before.of[ROW]->pdata[0])->is.type, ==, 0);
    g_assert_cmpstr(record->parent.name, ==, GPU);
    g_assert_cmpint(record->index, ==, 0);
    g_assert_true(virtProvisionAgrees(wanted->pdata[0], record));
    g_assert_true(virtProvisionRelease(f->fake->host, f->a, NULL, VIRT_RESTORE_STOPPED, NULL));
    assertTypes(f, 0, 0, 0);
    g_assert_null(recordOf(f));
    g_assert_cmpuint(f->fake->vgpuWrites, ==, 2);
    g_assert_true(virtPCIAddressParse(vfOf(f, 0), &address, NULL));
    driver = virtPCIGetDriver(f->fake->host, &address);
    g_assert_cmpstr(driver, ==, "nvidiavf");
}

/* What an administrator has created is not touched where it is what is wanted; else it is created again afterwards. */
static void
testWasThere(twoGuests *f, gconstpointer opaque)
{
    static const guint wanted[] = {64, 63}, writes[] = {0, 4};

    setUp(f);
    fakeVgpuSet(f->fake, vfOf(f, 0), 64);
    for (guint i = 0; i < G_N_ELEMENTS(wanted); i++) {
        g_autoptr(GPtrArray) list = want(f, wanted[i]);

        prepare(f, list);
        assertTypes(f, wanted[i], 0, 0);
        g_assert_true(testRelease(f->fake->host, f->a, NULL, NULL));
        assertTypes(f, 64, 0, 0);
        g_assert_cmpuint(f->fake->vgpuWrites, ==, writes[i]);
        g_assert_null(recordOf(f));
    }
}

/* A type that there is not, or no more of, and a VF of another kind of card: nothing has been written. */
static void
testUnusable(twoGuests *f, gconstpointer opaque)
{
    g_autoptr(GPtrArray) none = NULL, scarce = NULL;
    g_autoptr(GPtrArray) netdev = g_ptr_array_new_with_free_func((GDestroyNotify)virtHostdevFree);

    setUp(f);
    none = want(f, 65);
    assertRefused(f, f->a, none, VIRT_ERROR_HOST,
                  "vGPU type 65 cannot be created at VF 0 of " GPU
                  " (0000:41:10.0). Those that can be created there now are: " FAKE_VGPU_TYPES);
    f->fake->vgpuRoom = 1;
    fakeVgpuSet(f->fake, vfOf(f, 1), 64);
    scarce = want(f, 63);
    assertRefused(f, f->a, scarce, VIRT_ERROR_HOST, "None can be created there now: take a vGPU of the same card away");
    addWanted(netdev, fakeHostVFAddress(f->fake, PF, 1), 63);
    assertRefused(f, f->a, netdev, VIRT_ERROR_HOST,
                  "VF 1 of " PF " (0000:01:10.2) can have no vGPU: its driver has no file nvidia/current_vgpu_type");
    assertTypes(f, 0, 64, 0);
    g_assert_cmpuint(f->fake->vgpuWrites, ==, 0);
    g_assert_null(recordOf(f));
}

/* The driver refuses, or does nothing: told with what it says, and all is as before. */
static void
testRefused(twoGuests *f, gconstpointer opaque)
{
    g_autoptr(GPtrArray) wanted = NULL;

    setUp(f);
    wanted = want(f, 63);
    f->fake->vgpuErrno = EIO;
    assertRefused(f, f->a, wanted, VIRT_ERROR_REFUSED,
                  "Cannot create a vGPU of type 63 at VF 0 of " GPU
                  " (0000:41:10.0): Input/output error. Those that can be created there now are: " FAKE_VGPU_TYPES);
    f->fake->vgpuErrno = 0;
    f->fake->vgpuDeaf = true;
    assertRefused(f, f->a, wanted, VIRT_ERROR_REFUSED, "was set to 63, and the driver reports 0");
    assertTypes(f, 0, 0, 0);
    g_assert_null(recordOf(f));
}

/* Of three there is room for two, which nobody knows before the third: all go as they have come. */
static void
testRollback(twoGuests *f, gconstpointer opaque)
{
    g_autoptr(GPtrArray) wanted = NULL;

    setUp(f);
    fakeVgpuSet(f->fake, vfOf(f, 0), 64);
    f->fake->vgpuRoom = 2;
    wanted = want(f, 63);
    addWanted(wanted, vfOf(f, 1), 63);
    addWanted(wanted, vfOf(f, 2), 63);
    assertRefused(f, f->a, wanted, VIRT_ERROR_REFUSED,
                  "Cannot create a vGPU of type 63 at VF 2 of " GPU
                  " (0000:41:10.4): No space left on device. None can be created there now");
    assertTypes(f, 64, 0, 0);
    g_assert_null(recordOf(f));
}

/* A restore that comes while the driver says that a guest has the VF is done later. */
static void
testHeld(twoGuests *f, gconstpointer opaque)
{
    static const int numbers[] = {EPERM, EBUSY};
    g_autoptr(GPtrArray) wanted = NULL;

    setUp(f);
    wanted = want(f, 63);
    for (guint i = 0; i < G_N_ELEMENTS(numbers); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(virtRecord) record = NULL;

        prepare(f, wanted);
        f->fake->vgpuErrno = numbers[i];
        g_assert_false(virtProvisionRelease(f->fake->host, f->a, NULL, VIRT_RESTORE_STOPPED, &error));
        g_assert_nonnull(
            strstr(error->message, "Cannot take the vGPU of type 63 from VF 0 of " GPU " (0000:41:10.0): "));
        g_assert_nonnull(strstr(error->message, g_strerror(numbers[i])));
        assertTypes(f, 63, 0, 0);
        record = recordOf(f);
        g_assert_cmpint(record->phase, ==, VIRT_PHASE_RESTORING);
        f->fake->vgpuErrno = 0;
        g_assert_true(testRelease(f->fake->host, f->a, NULL, NULL));
        assertTypes(f, 0, 0, 0);
        g_assert_null(recordOf(f));
    }
    prepare(f, wanted); /* the driver may have taken it away itself, and refuses to do it again */
    f->fake->vgpuErrno = EPERM;
    f->fake->vgpuTaken = true;
    g_assert_true(testRelease(f->fake->host, f->a, NULL, NULL));
    assertTypes(f, 0, 0, 0);
}

/* What an earlier start has left over goes back first, also where another domain wants the VF. */
static void
testLeftOver(twoGuests *f, gconstpointer opaque)
{
    g_autoptr(GPtrArray) wanted = NULL, other = NULL;
    g_autoptr(virtRecord) record = NULL;

    setUp(f);
    fakeVgpuSet(f->fake, vfOf(f, 0), 64);
    wanted = want(f, 63);
    other = want(f, 64);
    prepare(f, wanted);
    assertRefused(f, f->b, other, VIRT_ERROR_BUSY, "is in use by domain 'a'");
    f->fake->vgpuErrno = EPERM;
    g_assert_false(testRelease(f->fake->host, f->a, NULL, NULL));
    f->fake->vgpuErrno = 0;
    g_assert_true(virtProvisionPrepare(f->fake->host, f->b, other, NULL));
    assertTypes(f, 64, 0, 0);
    record = recordOf(f);
    g_assert_cmpstr(record->owner.name, ==, "b");
    g_assert_cmpuint(((const virtVgpu *)record->before.of[ROW]->pdata[0])->is.type, ==, 64);
}

/* Without the driver there is no vGPU: nothing is left to take away, and nothing can be created again. */
static void
testDriverGone(twoGuests *f, gconstpointer opaque)
{
    static const guint before[] = {0, 64};

    setUp(f);
    for (guint i = 0; i < G_N_ELEMENTS(before); i++) {
        const char *vf = vfOf(f, i);
        g_autoptr(GPtrArray) wanted = g_ptr_array_new_with_free_func((GDestroyNotify)virtHostdevFree);
        g_autoptr(GError) error = NULL;

        fakeVgpuSet(f->fake, vf, before[i]);
        addWanted(wanted, vf, 63);
        prepare(f, wanted);
        fakeHostFile(f->fake, NULL, "sys/bus/pci/devices/%s/nvidia/current_vgpu_type", vf);
        g_assert_true(testRelease(f->fake->host, f->a, NULL, &error) == (before[i] == 0));
        if (before[i])
            g_assert_nonnull(strstr(error->message, "its driver has no file nvidia/current_vgpu_type"));
    }
    fakeVgpuSet(f->fake, vfOf(f, 1), 0);
    g_assert_true(testRelease(f->fake->host, f->a, NULL, NULL));
    g_assert_cmpuint(fakeVgpuGet(f->fake, vfOf(f, 1)), ==, 64);
}

static const virtPlanRow *
rowOf(const GPtrArray *rows, guint i)
{
    g_assert_cmpuint(rows->len, >, i);
    return rows->pdata[i];
}

static void
testPlan(twoGuests *f, gconstpointer opaque)
{
    g_autoptr(GPtrArray) wanted = NULL, rows = NULL, none = NULL, refused = NULL;

    setUp(f);
    wanted = want(f, 63);
    rows = virtProvisionPlan(f->fake->host, f->a, wanted);
    g_assert_cmpuint(rows->len, ==, 1);
    g_assert_cmpstr(rowOf(rows, 0)->title, ==, "vGPU type");
    g_assert_cmpstr(rowOf(rows, 0)->from, ==, "none");
    g_assert_cmpstr(rowOf(rows, 0)->to, ==, "63 (NVIDIA A40-2Q)");
    g_assert_true(rowOf(rows, 0)->differs);
    none = want(f, 65);
    refused = virtProvisionPlan(f->fake->host, f->a, none);
    g_assert_nonnull(strstr(rowOf(refused, 0)->problem, "vGPU type 65 cannot be created"));
    g_assert_cmpuint(f->fake->vgpuWrites, ==, 0);
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

static void
testDrift(twoGuests *f, gconstpointer opaque)
{
    g_autoptr(GPtrArray) wanted = NULL, other = NULL;
    g_autoptr(GError) error = NULL;

    setUp(f);
    wanted = want(f, 63);
    other = want(f, 64);
    prepare(f, wanted);
    g_assert_cmpuint(findDrift(f), ==, 0);
    g_assert_false(virtProvisionUpdate(f->fake->host, f->a, other->pdata[0], &error));
    guestsAssertError(error, VIRT_ERROR_INVALID, "Cannot change the vGPU type");
    fakeVgpuSet(f->fake, vfOf(f, 0), 64);
    g_assert_cmpuint(findDrift(f), ==, 1);
    g_assert_true(testRelease(f->fake->host, f->a, NULL, NULL));
    assertTypes(f, 0, 0, 0);
}

/* What a driver lists, with whatever around it; a long name is cut. */
static void
testLists(twoGuests *f, gconstpointer opaque)
{
    g_autofree char *longer = g_strnfill(VIRT_VGPU_NAME_MAX + 1, 'x');
    g_autofree char *text = g_strdup_printf(
        "ID : vGPU Name\n\n 7:a b : c \n0 : none\n-1 : x\n4294967296 : x\n8 : %s\n9\n10 :\001\n", longer);
    g_autoptr(virtVgpuDevice) device = NULL;
    const guint expected[] = {7, 8, 10};
    virtPCIAddress address;

    setUp(f);
    fakeHostFile(f->fake, text, "sys/bus/pci/devices/%s/nvidia/creatable_vgpu_types", vfOf(f, 0));
    g_assert_true(virtPCIAddressParse(vfOf(f, 0), &address, NULL));
    device = virtVgpuDeviceOpen(f->fake->host, &address, NULL);
    g_assert_cmpuint(device->creatable->len, ==, G_N_ELEMENTS(expected));
    for (guint i = 0; i < G_N_ELEMENTS(expected); i++)
        g_assert_cmpuint(g_array_index(device->creatable, virtVgpu, i).is.type, ==, expected[i]);
    g_assert_cmpstr(virtVgpuDeviceFindType(device, 7)->is.name, ==, "a b : c");
    g_assert_cmpuint(strlen(virtVgpuDeviceFindType(device, 8)->is.name), ==, VIRT_VGPU_NAME_MAX);
    g_assert_cmpstr(virtVgpuDeviceFindType(device, 10)->is.name, ==, "?");
}

int
main(int argc, char **argv)
{
    static const guestsTest tests[] = {
        {"/vgpu/cycle", testCycle},        {"/vgpu/was-there", testWasThere},     {"/vgpu/unusable", testUnusable},
        {"/vgpu/refused", testRefused},    {"/vgpu/rollback", testRollback},      {"/vgpu/held", testHeld},
        {"/vgpu/left-over", testLeftOver}, {"/vgpu/driver-gone", testDriverGone}, {"/vgpu/plan", testPlan},
        {"/vgpu/drift", testDrift},        {"/vgpu/long-name", testLists},
    };

    return guestsRun(tests, G_N_ELEMENTS(tests), argc, argv);
}
