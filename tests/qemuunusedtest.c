/* qemuunusedtest.c: VFs that strangers have open, on a made-up host
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "updateguest.h"

#include <string.h>
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
    g_assert_false(virtQemuHostdevPrepare(f->fake->host, f->b, list, &error));
    updateAssertError(&error, VIRT_ERROR_BUSY, part);
    g_assert_cmpuint(f->fake->sets, ==, sets);
    updateAssertHardware(f, f->attached);
}

static void
testStranger(updateGuest *f, gconstpointer opaque)
{
    static const char *const targets[] = {"/dev/vfio/17", "/dev/vfio/17 (deleted)", "/dev/vfio/devices/vfio3",
                                          "/dev/vfio/noiommu-17"};
    const char *name = fakeHostVFAddress(f->fake, PF, 1);
    g_autoptr(GError) error = NULL;

    makeStranger(f);
    g_assert_true(virtQemuHostdevCheckUnused(f->fake->host, name, &error));
    makeLink(f, "/dev/vfio/devices/vfio3", "proc/4711/fd/10");
    g_assert_true(virtQemuHostdevCheckUnused(f->fake->host, name, &error));
    fakeHostFile(f->fake, "", "sys/bus/pci/devices/%s/vfio-dev/vfio3/dev", name);
    fakeHostFile(f->fake, "", "dev/vfio/noiommu-17");
    for (guint i = 0; i < G_N_ELEMENTS(targets); i++) {
        makeLink(f, targets[i], "proc/4711/fd/10");
        g_assert_false(virtQemuHostdevCheckUnused(f->fake->host, name, &error));
        g_assert_nonnull(strstr(error->message, "by process 4711 (qemu?[2J), which has /dev/vfio/"));
        updateAssertError(&error, VIRT_ERROR_BUSY, name);
        refuseStart(f, name, "by process 4711");
    }
    /* Of a process that came and went only its directory is left. */
    fakeHostFile(f->fake, NULL, "proc/4711/fd/10");
    g_assert_true(virtQemuHostdevCheckUnused(f->fake->host, name, &error));
    g_assert_cmpuint(f->fake->warnings->len, ==, 0);
}

/* Not bound to VFIO: nobody can have it open, and nothing below /proc is read. */
static void
testStrangerUnbound(updateGuest *f, gconstpointer opaque)
{
    const char *name = fakeHostVFAddress(f->fake, PF, 2);
    g_autoptr(GError) error = NULL;

    g_assert_true(virtQemuHostdevCheckUnused(f->fake->host, name, &error));
    makeLink(f, "../../../kernel/iommu_groups/18", "sys/bus/pci/devices/%s/iommu_group", name);
    makeLink(f, "/dev/vfio/18", "proc/4711/fd/10");
    g_assert_true(virtQemuHostdevCheckUnused(f->fake->host, name, &error));
}

/* Where there is a record, that says who has the VF, or the rest of its group; unless its owner is gone: then it is not
 * even put back under who has it now. */
static void
testStrangerRecorded(updateGuest *f, gconstpointer opaque)
{
    const char *name = fakeHostVFAddress(f->fake, PF, 1);
    g_autoptr(virtRecord) record = virtQemuRecordLoad(f->fake->host, f->vf, NULL);
    g_autoptr(GError) error = NULL;

    makeStranger(f);
    makeLink(f, "/dev/vfio/17", "proc/4711/fd/10");
    makeLink(f, "../../../kernel/iommu_groups/17", "sys/bus/pci/devices/%s/iommu_group", f->vf);
    refuseStart(f, f->vf, "by domain 'a'");
    record->owner.pid = 0;
    g_assert_true(virtQemuRecordSave(f->fake->host, record, VIRT_PHASE_ACTIVE, NULL));
    refuseStart(f, f->vf, "by process 4711");
    updateAssertRecord(f, VIRT_PHASE_ACTIVE, f->old);
    /* The group's other device has a record: it is that one's owner who has the group open. */
    fakeHostFile(f->fake, "", "sys/kernel/iommu_groups/17/devices/%s", f->vf);
    g_assert_true(virtQemuHostdevCheckUnused(f->fake->host, name, &error));
}

int
main(int argc, char **argv)
{
    static const updateTest tests[] = {
        {"/unused/stranger", testStranger},
        {"/unused/unbound", testStrangerUnbound},
        {"/unused/recorded", testStrangerRecorded},
    };

    return updateRun(tests, G_N_ELEMENTS(tests), argc, argv);
}
