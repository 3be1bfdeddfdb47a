/* qemuunusedtest.c: VFs that strangers have, by libvirt's files or open descriptors, on a made-up host
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "hypervisor/provision_plan.h"
#include "updateguest.h"
#include "testrecord.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void G_GNUC_PRINTF(3, 4) makeLink(updateGuest *f, const char *target, const char *format, ...)
{
    g_autofree char *relative = NULL;
    g_autofree char *path = NULL;
    g_autofree char *dir = NULL;
    va_list args;

    va_start(args, format);
    relative = g_strdup_vprintf(format, args);
    va_end(args);
    path = virtHostPath(f->fake->host, "%s", relative);
    dir = g_path_get_dirname(path);
    g_assert_cmpint(g_mkdir_with_parents(dir, 0755), ==, 0);
    unlink(path);
    g_assert_cmpint(symlink(target, path), ==, 0);
}

/* VF 1, in group 17 with a VFIO driver, and two processes that have other things open. */
static void
makeStranger(updateGuest *f)
{
    const char *name = fakeHostVFAddress(f->fake, PF, 1);

    fakeHostBindVFIO(f->fake, name);
    makeLink(f, "../../../kernel/iommu_groups/17", "sys/bus/pci/devices/%s/iommu_group", name);
    fakeHostFile(f->fake, "", "sys/kernel/iommu_groups/17/devices/%s", name);
    fakeHostFile(f->fake, "", "dev/vfio/17");
    fakeHostFile(f->fake, "", "dev/vfio/devices/vfio3");
    fakeHostFile(f->fake, "init\n", "proc/1/comm");
    makeLink(f, "/dev/null", "proc/1/fd/0");
    makeLink(f, "/dev/vfio/171", "proc/1/fd/1");
    makeLink(f, "/dev/pts/17", "proc/1/fd/2");
    makeLink(f, "/dev/vfio/17", "proc/self/fd/2");
    fakeHostFile(f->fake, "qemu\033[2J\n", "proc/4711/comm");
    makeLink(f, "/dev/vfio/vfio", "proc/4711/fd/9");
}

/* b starts with VF @name: it is refused with @part in the message, and nothing has changed. */
static void
refuseStart(updateGuest *f, const char *name, const char *part)
{
    g_autoptr(GPtrArray) list = g_ptr_array_new_with_free_func((GDestroyNotify)virtHostdevFree);
    g_autoptr(GError) error = NULL;
    guint sets = f->fake->sets;

    g_ptr_array_add(list, updateNewHostdev(name));
    g_assert_false(virtProvisionPrepare(f->fake->host, f->b, list, &error));
    updateAssertError(&error, VIRT_ERROR_BUSY, part);
    g_assert_cmpuint(f->fake->sets, ==, sets);
    updateAssertHardware(f, f->attached);
}

static bool
isUnused(virtHost *host, const char *name, const virtOwner *owner, GError **error)
{
    const virtHandle handle = testHandle(name);

    return virtProvisionCheckUnused(host, &handle, owner, error);
}

static void
testStranger(updateGuest *f, gconstpointer opaque)
{
    static const char *const targets[] = {"/dev/vfio/17", "/dev/vfio/17 (deleted)", "/dev/vfio/devices/vfio3",
                                          "/dev/vfio/noiommu-17"};
    const char *name = fakeHostVFAddress(f->fake, PF, 1);
    g_autoptr(GError) error = NULL;

    makeStranger(f);
    g_assert_true(isUnused(f->fake->host, name, f->b, &error));
    makeLink(f, "/dev/vfio/devices/vfio3", "proc/4711/fd/10");
    g_assert_true(isUnused(f->fake->host, name, f->b, &error));
    fakeHostFile(f->fake, "", "sys/bus/pci/devices/%s/vfio-dev/vfio3/dev", name);
    fakeHostFile(f->fake, "", "dev/vfio/noiommu-17");
    for (guint i = 0; i < G_N_ELEMENTS(targets); i++) {
        makeLink(f, targets[i], "proc/4711/fd/10");
        g_assert_false(isUnused(f->fake->host, name, f->b, &error));
        g_assert_nonnull(strstr(error->message, "by process 4711 (qemu?[2J), which has /dev/vfio/"));
        updateAssertError(&error, VIRT_ERROR_BUSY, name);
        refuseStart(f, name, "by process 4711");
    }
    /* Of a process that came and went only its directory is left. */
    fakeHostFile(f->fake, NULL, "proc/4711/fd/10");
    g_assert_true(isUnused(f->fake->host, name, f->b, &error));
    g_assert_cmpuint(f->fake->warnings->len, ==, 0);
}

/* Not bound to VFIO: nobody can have it open, and nothing below /proc is read. */
static void
testStrangerUnbound(updateGuest *f, gconstpointer opaque)
{
    const char *name = fakeHostVFAddress(f->fake, PF, 2);
    g_autoptr(GError) error = NULL;

    g_assert_true(isUnused(f->fake->host, name, f->b, &error));
    makeLink(f, "../../../kernel/iommu_groups/18", "sys/bus/pci/devices/%s/iommu_group", name);
    makeLink(f, "/dev/vfio/18", "proc/4711/fd/10");
    g_assert_true(isUnused(f->fake->host, name, f->b, &error));
}

/* Where there is a record, that says who has the VF, or the rest of its group; unless its owner is gone: then it is not
 * even put back under who has it now. */
static void
testStrangerRecorded(updateGuest *f, gconstpointer opaque)
{
    const char *name = fakeHostVFAddress(f->fake, PF, 1);
    g_autoptr(virtRecord) record = testRecordLoad(f->fake->host, f->vf, NULL);
    g_autoptr(GError) error = NULL;

    makeStranger(f);
    makeLink(f, "/dev/vfio/17", "proc/4711/fd/10");
    makeLink(f, "../../../kernel/iommu_groups/17", "sys/bus/pci/devices/%s/iommu_group", f->vf);
    refuseStart(f, f->vf, "by domain 'a'");
    /* The group's other device has a record: it is that one's owner who has the group open. */
    fakeHostFile(f->fake, "", "sys/kernel/iommu_groups/17/devices/%s", f->vf);
    g_assert_true(isUnused(f->fake->host, name, f->b, &error));
    /* But not where that owner has gone. */
    record->owner.pid = 0;
    g_assert_true(virtProvisionRecordSave(f->fake->host, record, VIRT_PHASE_ACTIVE, NULL));
    refuseStart(f, f->vf, "by process 4711");
    refuseStart(f, name, "by process 4711");
    updateAssertRecord(f, VIRT_PHASE_ACTIVE, f->old);
}

/* ---- what waits ---- */

#define UUID_D "dddddddd-2222-3333-4444-555555555555"
/* As libvirt writes it: its own notes, then the domain. */
#define STATUS(uuid, name, devices)                                                                                    \
    "<!--\nWARNING: THIS IS AN AUTO-GENERATED FILE.\n-->\n\n<domstatus state='running' reason='booted' pid='4242'>\n"  \
    "  <devices><device alias='hostdev0'/></devices>\n  <domain type='kvm' id='7'>\n    <name>" name "</name>\n"       \
    "    <uuid>" uuid "</uuid>\n    <metadata><x:y xmlns:x='urn:x'><&></x:y></metadata>\n    <devices>" devices        \
    "</devices>\n  </domain>\n</domstatus>\n"
#define HOSTDEV                                                                                                        \
    "<hostdev mode='subsystem' type='pci' managed='yes'><driver name='vfio'/><source>"                                 \
    "<address domain='0x0000' bus='0x01' slot='0x10' function='0x0'/></source></hostdev>"
#define INTERFACE                                                                                                      \
    "<interface type='hostdev' managed='yes'><source>"                                                                 \
    "<address type='pci' domain='0x0000' bus='0x01' slot='0x10' function='0x0'/></source></interface>"
#define POOL                                                                                                           \
    "<interface type='network'><source network='pool'/><actual type='hostdev' managed='yes'><source>"                  \
    "<address type='pci' domain='0x0000' bus='0x01' slot='0x10' function='0x0'/></source></actual></interface>"
#define OTHER_HOSTDEV                                                                                                  \
    "<hostdev mode='subsystem' type='pci' managed='yes'><source>"                                                      \
    "<address domain='0x0000' bus='0x03' slot='0x10' function='0x0'/></source></hostdev>"

static void
setStatus(updateGuest *f, const char *name, const char *text)
{
    fakeHostFile(f->fake, text, "run/libvirt/qemu/%s.xml", name);
    fakeHostFile(f->fake, "qemu-system-x86", "proc/4242/exe");
}

/* QEMU has ended and is not reaped; what libvirt has written is there a little longer. */
static void
endProcess(updateGuest *f)
{
    fakeHostFile(f->fake, NULL, "proc/4242/exe");
}

/* a ends, and its VF is not put back: the driver refuses one setting. */
static void
leave(updateGuest *f)
{
    f->fake->refused = VIRT_NETDEV_BIT(VIRT_NETDEV_VLAN);
    g_assert_false(testRelease(f->fake->host, f->a, NULL, NULL));
    fakeHostHeal(f->fake);
}

/* Nobody writes to a's VF, and who is asked to names its user as @user does. */
static void
assertWaits(updateGuest *f, const char *user)
{
    g_autoptr(virtRecord) record = testRecordLoad(f->fake->host, f->vf, NULL);
    g_autofree char *dump = fakeHostDump(f->fake);
    g_autofree char *waits = virtProvisionWaits(f->fake->host, record);
    g_autoptr(GPtrArray) list = g_ptr_array_new_with_free_func((GDestroyNotify)virtHostdevFree);
    g_autoptr(GError) error = NULL;
    guint sets = f->fake->sets;

    g_assert_nonnull(strstr(waits, user));
    g_assert_nonnull(strstr(waits, " waits: "));
    g_assert_false(virtProvisionReleaseOne(f->fake->host, record, &error));
    updateAssertError(&error, VIRT_ERROR_BUSY, user);
    g_assert_false(testRelease(f->fake->host, f->a, NULL, &error));
    updateAssertError(&error, VIRT_ERROR_REFUSED, user);
    g_ptr_array_add(list, updateNewHostdev(f->vf));
    g_assert_false(virtProvisionPrepare(f->fake->host, f->b, list, &error));
    updateAssertError(&error, VIRT_ERROR_BUSY, user);
    g_assert_cmpuint(f->fake->sets, ==, sets);
    updateAssertHardware(f, dump);
    updateAssertRecord(f, VIRT_PHASE_RESTORING, f->old);
}

/* What a left goes back when nobody has it any more, to what it was before a. */
static void
assertGoesBack(updateGuest *f)
{
    g_autoptr(virtRecord) record = testRecordLoad(f->fake->host, f->vf, NULL);
    g_autofree char *waits = virtProvisionWaits(f->fake->host, record);
    g_autoptr(GError) error = NULL;

    g_assert_null(waits);
    g_assert_true(virtProvisionReleaseOne(f->fake->host, record, &error));
    g_assert_no_error(error);
    updateAssertHardware(f, f->before);
    g_assert_null(testRecordLoad(f->fake->host, f->vf, NULL));
}

/* The VF was given to another domain, in whatever way. */
static void
testWaitsForDomain(updateGuest *f, gconstpointer opaque)
{
    static const char *const texts[] = {STATUS(UUID_D, "d", HOSTDEV), STATUS(UUID_D, "d", INTERFACE),
                                        STATUS(UUID_D, "d", POOL)};

    leave(f);
    for (guint i = 0; i < G_N_ELEMENTS(texts); i++) {
        setStatus(f, "d", texts[i]);
        assertWaits(f, "in use by domain 'd' (" UUID_D ")");
    }
    setStatus(f, "d", STATUS(UUID_D, "d", OTHER_HOSTDEV));
    setStatus(f, "a", STATUS(UUID_A, "a", HOSTDEV)); /* a's own, which is on its way out */
    assertGoesBack(f);
}

/* The other domain's QEMU has ended, as it has when libvirt calls the hook for that: this is when the VF goes back. */
static void
testGoesBackAfterDomain(updateGuest *f, gconstpointer opaque)
{
    leave(f);
    setStatus(f, "d", STATUS(UUID_D, "d", HOSTDEV));
    assertWaits(f, "in use by domain 'd' (" UUID_D ")");
    endProcess(f);
    assertGoesBack(f);
}

/* Somebody took it by hand. */
static void
testWaitsForProcess(updateGuest *f, gconstpointer opaque)
{
    makeStranger(f);
    makeLink(f, "../../../kernel/iommu_groups/17", "sys/bus/pci/devices/%s/iommu_group", f->vf);
    leave(f);
    makeLink(f, "/dev/vfio/17", "proc/4711/fd/10");
    assertWaits(f, "in use by process 4711 (qemu?[2J)");
    fakeHostFile(f->fake, NULL, "proc/4711/fd/10");
    assertGoesBack(f);
}

/* What a's two VFs of one group left does not make each other's group a known one. */
static void
testWaitsInGroup(updateGuest *f, gconstpointer opaque)
{
    const char *second = fakeHostVFAddress(f->fake, PF, 1);
    g_autoptr(GPtrArray) list = g_ptr_array_new_with_free_func((GDestroyNotify)virtHostdevFree);

    makeStranger(f);
    g_ptr_array_add(list, updateNewHostdev(second));
    g_assert_true(virtProvisionPrepare(f->fake->host, f->a, list, NULL));
    makeLink(f, "../../../kernel/iommu_groups/17", "sys/bus/pci/devices/%s/iommu_group", f->vf);
    fakeHostFile(f->fake, "", "sys/kernel/iommu_groups/17/devices/%s", f->vf);
    leave(f);
    makeLink(f, "/dev/vfio/17", "proc/4711/fd/10");
    assertWaits(f, "in use by process 4711");
}

/* Whoever puts back while the owner's own guest still has the VF is wrong; its other VF of the same group is no reason.
 */
static void
testOwnGuestHasIt(updateGuest *f, gconstpointer opaque)
{
    g_autoptr(virtRecord) record = testRecordLoad(f->fake->host, f->vf, NULL);
    g_autoptr(GError) error = NULL;

    makeStranger(f);
    makeLink(f, "../../../kernel/iommu_groups/17", "sys/bus/pci/devices/%s/iommu_group", f->vf);
    fakeHostFile(f->fake, "", "sys/kernel/iommu_groups/17/devices/%s", f->vf);
    setStatus(f, "a", STATUS(UUID_A, "a", HOSTDEV));
    makeLink(f, "/dev/vfio/17", "proc/4242/fd/10");
    g_assert_false(virtProvisionReleaseOne(f->fake->host, record, &error));
    updateAssertError(&error, VIRT_ERROR_BUSY, "in use by process 4242");
    updateAssertHardware(f, f->attached);
    updateAssertRecord(f, VIRT_PHASE_ACTIVE, f->old);
    /* VF 1, 0000:01:10.2, is a's too, by libvirt's word: the group is open for that one. */
    setStatus(
        f, "a",
        STATUS(UUID_A, "a",
               "<hostdev type='pci'><source><address bus='0x01' slot='0x10' function='0x2'/></source></hostdev>"));
    g_assert_true(virtProvisionReleaseOne(f->fake->host, record, &error));
    g_assert_no_error(error);
    updateAssertHardware(f, f->before);
}

/* An update is for the guest that has the VF. */
static void
testUpdateUnderOther(updateGuest *f, gconstpointer opaque)
{
    makeStranger(f);
    makeLink(f, "../../../kernel/iommu_groups/17", "sys/bus/pci/devices/%s/iommu_group", f->vf);
    setStatus(f, "a", STATUS(UUID_A, "a", HOSTDEV));
    updateChangeAll(f);
    makeLink(f, "/dev/vfio/17", "proc/4711/fd/10");
    updateRefuse(f, f->a, f->new, VIRT_ERROR_BUSY,
                 "was set for domain 'a' (" UUID_A "), but is now in use by process 4711");
    makeLink(f, "/dev/vfio/17", "proc/4242/fd/10");
    fakeHostFile(f->fake, NULL, "proc/4711/fd/10");
    setStatus(f, "d", STATUS(UUID_D, "d", HOSTDEV));
    updateRefuse(f, f->a, f->new, VIRT_ERROR_BUSY, "but is now in use by domain 'd'");
    setStatus(f, "d", NULL);
    g_assert_true(virtProvisionUpdate(f->fake->host, f->a, f->new, NULL));
    updateAssertAllChanged(f);
}

/* A domain that runs has lost a VF, somebody else has it, and it is attached again: the record says that it is the
 * domain's, and that is not so. */
static void
testAttachUnderOther(updateGuest *f, gconstpointer opaque)
{
    g_autoptr(GPtrArray) list = g_ptr_array_new();
    g_autoptr(GError) error = NULL;
    guint sets = f->fake->sets;

    g_ptr_array_add(list, f->new);
    setStatus(f, "a", STATUS(UUID_A, "a", OTHER_HOSTDEV));
    setStatus(f, "d", STATUS(UUID_D, "d", HOSTDEV));
    g_assert_false(virtProvisionPrepare(f->fake->host, f->a, list, &error));
    updateAssertError(&error, VIRT_ERROR_BUSY, "is now in use by domain 'd'");
    g_assert_cmpuint(f->fake->sets, ==, sets);
    updateAssertHardware(f, f->attached);
    setStatus(f, "d", NULL);
    g_assert_true(virtProvisionPrepare(f->fake->host, f->a, list, &error));
}

/* A PF is not given away while its VFs are set, left over, or used; else it may be. */
static void
testPF(updateGuest *f, gconstpointer opaque)
{
    const char *second = fakeHostVFAddress(f->fake, PF, 1);
    g_autoptr(GArray) devices = g_array_new(FALSE, FALSE, sizeof(virtHandle));
    g_autofree char *link = virtHostPath(f->fake->host, "sys/bus/pci/devices/" PF "/driver");
    g_autoptr(GError) error = NULL;
    virtHandle handle;

    makeStranger(f);
    makeLink(f, "/dev/vfio/17", "proc/4711/fd/10");
    handle = testHandle(f->vf);
    g_array_append_val(devices, handle); /* a VF is nobody's PF */
    g_assert_true(virtProvisionCheckPFs(f->fake->host, devices, &error));
    g_array_set_size(devices, 0);
    handle = testHandle(PF);
    g_array_append_val(devices, handle);
    g_assert_false(virtProvisionCheckPFs(f->fake->host, devices, &error));
    g_assert_nonnull(strstr(error->message, "PF " PF " cannot be assigned to a guest"));
    g_assert_nonnull(strstr(error->message, second));
    g_assert_nonnull(strstr(error->message, "by process 4711"));
    updateAssertError(&error, VIRT_ERROR_BUSY, "by domain 'a' (" UUID_A ")");
    fakeHostFile(f->fake, NULL, "proc/4711/fd/10");
    leave(f);
    g_assert_false(virtProvisionCheckPFs(f->fake->host, devices, &error));
    updateAssertError(&error, VIRT_ERROR_BUSY, "by domain 'a'");
    g_assert_true(testRelease(f->fake->host, f->a, NULL, NULL));
    g_assert_true(virtProvisionCheckPFs(f->fake->host, devices, &error));
    setStatus(f, "d", STATUS(UUID_D, "d", HOSTDEV));
    g_assert_false(virtProvisionCheckPFs(f->fake->host, devices, &error));
    updateAssertError(&error, VIRT_ERROR_BUSY, "by domain 'd'");
    setStatus(f, "d", NULL);
    handle = testHandle(f->vf);
    g_array_append_val(devices, handle);
    g_assert_false(virtProvisionCheckPFs(f->fake->host, devices, &error));
    updateAssertError(&error, VIRT_ERROR_BUSY, "by this domain itself");
    /* VFIO gives the PF itself away without taking its VFs. */
    g_assert_cmpint(unlink(link), ==, 0);
    makeLink(f, "../../../bus/pci/drivers/vfio-pci", "sys/bus/pci/devices/" PF "/driver");
    g_assert_true(virtProvisionCheckPFs(f->fake->host, devices, &error));
}

/* The plan says what the hook refuses. */
static void
testPlanPF(updateGuest *f, gconstpointer opaque)
{
    g_autoptr(GArray) devices = g_array_new(FALSE, FALSE, sizeof(virtHandle));
    g_autoptr(GPtrArray) rows = g_ptr_array_new_with_free_func((GDestroyNotify)virtPlanRowFree);
    virtHandle handle;

    handle = testHandle(PF);
    g_array_append_val(devices, handle);
    virtProvisionPlanPFs(f->fake->host, rows, devices);
    g_assert_cmpuint(rows->len, ==, 1);
    g_assert_nonnull(strstr(((virtPlanRow *)rows->pdata[0])->problem, "cannot be assigned to a guest"));
}

/* ---- what cannot be told ---- */

/* Nobody is taken to have no VF because libvirt's files or /proc cannot be read. */
static void
testCannotBeTold(updateGuest *f, gconstpointer opaque)
{
    static const char *const texts[] = {"", "<domstatus pid='1'><domain id='1'><devices><hostdev/>",
                                        "<domstatus><domain id='1'><hostdev></domain></domstatus>"};
    const char *name = fakeHostVFAddress(f->fake, PF, 1);
    g_autoptr(virtRecord) record = testRecordLoad(f->fake->host, f->vf, NULL);
    g_autofree char *proc = virtHostPath(f->fake->host, "proc");
    g_autofree char *away = virtHostPath(f->fake->host, "away");
    g_autoptr(GError) error = NULL;

    for (guint i = 0; i < G_N_ELEMENTS(texts); i++) {
        setStatus(f, "d", texts[i]);
        g_assert_false(isUnused(f->fake->host, name, f->b, &error));
        updateAssertError(&error, VIRT_ERROR_HOST, "Cannot tell whether VF");
        g_assert_false(virtProvisionReleaseOne(f->fake->host, record, &error));
        updateAssertError(&error, VIRT_ERROR_HOST, "qemu/d.xml cannot be read");
    }
    updateAssertHardware(f, f->attached);
    setStatus(f, "d", NULL);
    makeStranger(f);
    g_assert_cmpint(rename(proc, away), ==, 0);
    g_assert_false(isUnused(f->fake->host, name, f->b, &error));
    updateAssertError(&error, VIRT_ERROR_HOST, "/proc: No such file or directory");
}

/* However many processes there are, the last one is looked at; a list with a bound says when it is reached. */
static void
testManyProcesses(updateGuest *f, gconstpointer opaque)
{
    const char *name = fakeHostVFAddress(f->fake, PF, 1);
    g_autoptr(GError) error = NULL;

    makeStranger(f);
    makeLink(f, "/dev/vfio/17", "proc/4711/fd/10");
    for (guint i = 0; i < 65536; i++) {
        g_autofree char *path = virtHostPath(f->fake->host, "proc/%u", 10000 + i);

        g_assert_cmpint(mkdir(path, 0755), ==, 0);
    }
    g_assert_false(isUnused(f->fake->host, name, f->b, &error));
    updateAssertError(&error, VIRT_ERROR_BUSY, "by process 4711");
    g_assert_null(virtHostListDir(f->fake->host, &error, "proc"));
    updateAssertError(&error, VIRT_ERROR_HOST, "proc: it has more than 65536 entries");
}

/* One look at /proc is enough for all VFs of a start, and for all that is put back. */
static void
testOneLook(updateGuest *f, gconstpointer opaque)
{
    g_autoptr(GPtrArray) list = g_ptr_array_new_with_free_func((GDestroyNotify)virtHostdevFree);
    g_autoptr(GError) error = NULL;
    guint passes;

    makeStranger(f);
    for (guint i = 1; i < 4; i++) {
        const char *name = fakeHostVFAddress(f->fake, PF, i);
        g_autofree char *target = g_strdup_printf("../../../kernel/iommu_groups/%u", 16 + i);

        fakeHostBindVFIO(f->fake, name);
        makeLink(f, target, "sys/bus/pci/devices/%s/iommu_group", name);
        fakeHostFile(f->fake, "", "dev/vfio/%u", 16 + i);
        g_ptr_array_add(list, updateNewHostdev(name));
    }
    passes = f->fake->host->passes;
    g_assert_true(virtProvisionPrepare(f->fake->host, f->b, list, &error));
    g_assert_no_error(error);
    g_assert_cmpuint(f->fake->host->passes, ==, passes + 1);
    g_assert_true(testRelease(f->fake->host, f->b, NULL, &error));
    g_assert_no_error(error);
    g_assert_cmpuint(f->fake->host->passes, ==, passes + 2);
}

int
main(int argc, char **argv)
{
    static const updateTest tests[] = {
        {"/unused/stranger", testStranger},
        {"/unused/unbound", testStrangerUnbound},
        {"/unused/recorded", testStrangerRecorded},
        {"/unused/waits-for-domain", testWaitsForDomain},
        {"/unused/back-after-domain", testGoesBackAfterDomain},
        {"/unused/waits-for-process", testWaitsForProcess},
        {"/unused/waits-in-group", testWaitsInGroup},
        {"/unused/own-guest", testOwnGuestHasIt},
        {"/unused/update", testUpdateUnderOther},
        {"/unused/attach", testAttachUnderOther},
        {"/unused/pf", testPF},
        {"/unused/plan-pf", testPlanPF},
        {"/unused/cannot-be-told", testCannotBeTold},
        {"/unused/many-processes", testManyProcesses},
        {"/unused/one-look", testOneLook},
    };

    return updateRun(tests, G_N_ELEMENTS(tests), argc, argv);
}
