/* fakemdev.c: see fakemdev.h
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "fakemdev.h"
#include "fakevdpa.h"
#include "fakevgpu.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CLASS "sys/class/mdev_bus"
#define TYPE CLASS "/%s/mdev_supported_types/%s"
#define BUS "sys/bus/mdev/devices"

static void G_GNUC_PRINTF(3, 4) makeLink(fakeHost *fake, const char *target, const char *format, ...)
{
    va_list args;
    g_autofree char *relative = NULL;
    g_autofree char *path = NULL;
    g_autofree char *dir = NULL;

    va_start(args, format);
    relative = g_strdup_vprintf(format, args);
    va_end(args);
    path = virtHostPath(fake->host, "%s", relative);
    dir = g_path_get_dirname(path);
    g_assert_cmpint(g_mkdir_with_parents(dir, 0755), ==, 0);
    unlink(path);
    g_assert_cmpint(symlink(target, path), ==, 0);
}

static void G_GNUC_PRINTF(2, 3) makeDir(fakeHost *fake, const char *format, ...)
{
    va_list args;
    g_autofree char *relative = NULL;
    g_autofree char *path = NULL;

    va_start(args, format);
    relative = g_strdup_vprintf(format, args);
    va_end(args);
    path = virtHostPath(fake->host, "%s", relative);
    g_assert_cmpint(g_mkdir_with_parents(path, 0755), ==, 0);
}

void
fakeMdevAddParent(fakeHost *fake, const char *name)
{
    virtPCIAddress address;
    bool pci = virtPCIAddressParse(name, &address, NULL);
    g_autofree char *there =
        pci ? g_strdup_printf("devices/pci0000:00/%s", name) : g_strdup_printf("devices/virtual/%s/%s", name, name);
    g_autofree char *target = g_strdup_printf("../../%s", there);
    g_autofree char *class = g_strdup_printf("../../../../class/%s", name);

    makeDir(fake, "sys/%s/mdev_supported_types", there);
    makeDir(fake, "dev/vfio");
    makeDir(fake, "proc");
    makeDir(fake, BUS);
    makeLink(fake, target, CLASS "/%s", name);
    makeLink(fake, pci ? "../../../bus/pci" : class, "sys/%s/subsystem", there);
}

void
fakeMdevAddType(fakeHost *fake, const char *parent, const char *type, guint instances)
{
    g_autofree char *count = g_strdup_printf("%u\n", instances);

    fakeHostFile(fake, count, TYPE "/available_instances", parent, type);
    fakeHostFile(fake, "vfio-pci\n", TYPE "/device_api", parent, type);
    fakeHostFile(fake, "", TYPE "/create", parent, type);
    makeDir(fake, TYPE "/devices", parent, type);
}

void
fakeMdevAddAttr(fakeHost *fake, const char *parent, const char *type, const char *name, const char *value)
{
    g_autofree char *unread = g_strnfill(300, 'x'); /* longer than any that is read */

    fakeHostFile(fake, g_str_has_prefix(name, "wo-") ? unread : value, "fake-mdev/%s/%s/%s", parent, type, name);
}

/* ---- life ---- */

static void
count(fakeHost *fake, const char *parent, const char *type, gint more)
{
    guint64 has = 0;
    g_autofree char *text = NULL;

    g_assert_true(virtHostReadUInt(fake->host, G_MAXUINT64, &has, NULL, TYPE "/available_instances", parent, type));
    text = g_strdup_printf("%" G_GUINT64_FORMAT "\n", has + (guint64)more);
    fakeHostFile(fake, text, TYPE "/available_instances", parent, type);
}

static void
giveAttrs(fakeHost *fake, const char *parent, const char *type, const char *uuid, const char *folder)
{
    g_autoptr(GPtrArray) names = virtHostListDir(fake->host, NULL, "fake-mdev/%s/%s/%s", parent, type, folder);

    for (guint i = 0; i < names->len; i++) {
        g_autofree char *name = g_strconcat(folder, names->pdata[i], NULL);
        g_autofree char *path = virtHostPath(fake->host, "fake-mdev/%s/%s/%s", parent, type, name);
        g_autofree char *value = NULL;

        if (g_file_test(path, G_FILE_TEST_IS_DIR)) {
            g_autofree char *inner = g_strconcat(name, "/", NULL);

            giveAttrs(fake, parent, type, uuid, inner);
            continue;
        }
        value = fakeHostRead(fake, "fake-mdev/%s/%s/%s", parent, type, name);
        fakeHostFile(fake, value, CLASS "/%s/%s/%s", parent, uuid, name);
    }
}

/* Its group is numbered after what its UUID begins with. */
static int
create(fakeHost *fake, const char *parent, const char *type, const char *uuid)
{
    g_autofree char *bus = virtHostPath(fake->host, BUS "/%s", uuid);
    g_autofree char *target = g_strdup_printf("../../../class/mdev_bus/%s/%s", parent, uuid);
    g_autofree char *typeTarget = g_strdup_printf("../mdev_supported_types/%s", type);
    g_autofree char *group = g_strdup_printf("%u", 100 + (guint)g_ascii_xdigit_value(*uuid));
    g_autofree char *groupTarget = g_strdup_printf("../../../kernel/iommu_groups/%s", group);
    guint64 free = 0;

    if (access(bus, F_OK) == 0)
        return -EEXIST;
    virtHostReadUInt(fake->host, G_MAXUINT64, &free, NULL, TYPE "/available_instances", parent, type);
    if (free == 0)
        return -ENOSPC;
    count(fake, parent, type, -1);
    fakeHostFile(fake, "", CLASS "/%s/%s/remove", parent, uuid);
    giveAttrs(fake, parent, type, uuid, "");
    makeLink(fake, typeTarget, CLASS "/%s/%s/mdev_type", parent, uuid);
    makeLink(fake, groupTarget, CLASS "/%s/%s/iommu_group", parent, uuid);
    makeLink(fake, "../../..", TYPE "/devices/%s", parent, type, uuid);
    if (!fake->mdevNoGroup)
        fakeHostFile(fake, "", "dev/vfio/%s", group);
    makeLink(fake, target, BUS "/%s", uuid);
    return 0;
}

static int
removeEntry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    return remove(path);
}

static char *
findParent(fakeHost *fake, const char *uuid)
{
    g_autoptr(GPtrArray) parents = virtHostListDir(fake->host, NULL, CLASS);

    for (guint i = 0; i < parents->len; i++) {
        g_autofree char *path = virtHostPath(fake->host, CLASS "/%s/%s", (char *)parents->pdata[i], uuid);

        if (access(path, F_OK) == 0)
            return g_strdup(parents->pdata[i]);
    }
    return NULL;
}

void
fakeMdevRemove(fakeHost *fake, const char *uuid)
{
    g_autofree char *parent = findParent(fake, uuid);
    g_autofree char *type = NULL;
    g_autofree char *group = NULL;
    g_autofree char *path = NULL;
    g_autofree char *bus = virtHostPath(fake->host, BUS "/%s", uuid);
    g_autofree char *listed = NULL;

    g_assert_nonnull(parent);
    type = virtHostReadLink(fake->host, NULL, CLASS "/%s/%s/mdev_type", parent, uuid);
    group = virtHostReadLink(fake->host, NULL, CLASS "/%s/%s/iommu_group", parent, uuid);
    path = virtHostPath(fake->host, CLASS "/%s/%s", parent, uuid);
    listed = virtHostPath(fake->host, TYPE "/devices/%s", parent, type, uuid);
    unlink(bus);
    unlink(listed);
    fakeHostFile(fake, NULL, "dev/vfio/%s", group);
    nftw(path, removeEntry, 16, FTW_DEPTH | FTW_PHYS);
    count(fake, parent, type, 1);
}

void
fakeMdevMake(fakeHost *fake, const char *parent, const char *type, const char *uuid)
{
    g_assert_cmpint(create(fake, parent, type, uuid), ==, 0);
}

/* ---- the kernel ---- */

/* The component of @path that is @back before the last. */
static char *
componentOf(const char *path, guint back)
{
    g_auto(GStrv) parts = g_strsplit(path, "/", -1);
    guint n = g_strv_length(parts);

    g_assert_cmpuint(n, >, back);
    return g_strdup(parts[n - 1 - back]);
}

static int
createAt(fakeHost *fake, const char *path, const char *uuid)
{
    g_autofree char *type = componentOf(path, 1);
    g_autofree char *parent = componentOf(path, 3);

    if (fake->mdevRace)
        fake->mdevRace(fake, uuid);
    if (fake->mdevBusy > 0) {
        fake->mdevBusy--;
        return -(fake->mdevErrno ? fake->mdevErrno : EAGAIN);
    }
    return create(fake, parent, type, uuid);
}

/* A driver takes a value as a whole, and shows it as it likes. */
static void
store(fakeHost *fake, const char *path, const char *text)
{
    g_autofree char *name = g_path_get_basename(path);
    g_autofree char *shown = NULL;

    if (g_str_has_prefix(name, "wo-"))
        shown = g_strnfill(300, 'x');
    else if (g_str_has_prefix(name, "ro-"))
        shown = g_strdup("stays");
    else if (g_str_has_prefix(name, "hex-"))
        shown = g_strdup_printf("0x%" G_GINT64_MODIFIER "x\n", g_ascii_strtoull(text, NULL, 0));
    else
        shown = g_strdup(text);
    fakeHostFile(fake, shown, "%s", path + strlen(fake->host->root) + 1);
}

/* The device that @path is a file of, by whichever of its links; NULL: none. */
static char *
findUuid(const char *path)
{
    g_auto(GStrv) parts = g_strsplit(path, "/", -1);

    for (guint i = 0; parts[i] && parts[i + 1]; i++) {
        if (g_uuid_string_is_valid(parts[i]))
            return g_strdup(parts[i]);
    }
    return NULL;
}

int
fakeMdevWritten(fakeHost *fake, const char *path, const char *text)
{
    g_autofree char *uuid = NULL;

    if (strstr(path, "/mdev_supported_types/") && g_str_has_suffix(path, "/create"))
        return createAt(fake, path, text);
    if (!(uuid = findUuid(path)))
        return 0;
    if (!g_str_has_suffix(path, "/remove")) {
        store(fake, path, text);
        return 0;
    }
    if (fake->mdevStays && fake->mdevStays != ETIMEDOUT)
        return -fake->mdevStays;
    fake->mdevRemoved++;
    fakeMdevRemove(fake, uuid);
    return -fake->mdevStays;
}

int
fakeMdevWrite(virtHost *host, const char *path, const char *value, guint within)
{
    int rc;

    if (g_str_has_suffix(path, "/current_vgpu_type"))
        return fakeVgpuWrite(host->opaque, path, value);
    rc = virtHostWriteFile(host, path, value, 0);
    if (rc == 0 && strstr(path, "/sys/bus/vdpa/"))
        return fakeVdpaWritten(host->opaque, path, value);
    return rc < 0 ? rc : fakeMdevWritten(host->opaque, path, value);
}

int
fakeMdevTryOpen(virtHost *host, const char *path)
{
    const fakeHost *fake = host->opaque;

    if (fake->vdpaOpen && strstr(path, "/vhost-vdpa-"))
        return -fake->vdpaOpen;
    if (fake->mdevOpen)
        return -fake->mdevOpen;
    return access(path, F_OK) == 0 ? 0 : -errno;
}

void
fakeMdevHold(fakeHost *fake, const char *uuid, guint pid)
{
    g_autofree char *target = g_strdup_printf("/dev/vfio/%u", 100 + (guint)g_ascii_xdigit_value(*uuid));

    fakeHostFile(fake, "qemu-system-x86\n", "proc/%u/comm", pid);
    makeLink(fake, target, "proc/%u/fd/7", pid);
}

/* ---- looking ---- */

static void
dumpDevice(fakeHost *fake, GString *text, const char *parent, const char *type, const char *uuid)
{
    g_autoptr(GPtrArray) names = virtHostListDir(fake->host, NULL, CLASS "/%s/%s", parent, uuid);

    g_string_append_printf(text, "  %s", uuid);
    for (guint i = 0; i < names->len; i++) {
        g_autofree char *value =
            virtHostRead(fake->host, NULL, CLASS "/%s/%s/%s", parent, uuid, (char *)names->pdata[i]);

        if (value && strlen(value) < 300 && !g_str_equal(names->pdata[i], "remove"))
            g_string_append_printf(text, " %s=%s", (char *)names->pdata[i], value);
    }
    g_string_append_c(text, '\n');
}

char *
fakeMdevDump(fakeHost *fake)
{
    g_autoptr(GPtrArray) parents = virtHostListDir(fake->host, NULL, CLASS);
    GString *text = g_string_new(NULL);

    for (guint i = 0; i < parents->len; i++) {
        const char *parent = parents->pdata[i];
        g_autoptr(GPtrArray) types = virtHostListDir(fake->host, NULL, CLASS "/%s/mdev_supported_types", parent);

        for (guint t = 0; t < types->len; t++) {
            const char *type = types->pdata[t];
            g_autoptr(GPtrArray) uuids = virtHostListDir(fake->host, NULL, TYPE "/devices", parent, type);
            g_autofree char *free = virtHostRead(fake->host, NULL, TYPE "/available_instances", parent, type);

            g_string_append_printf(text, "%s %s %s\n", parent, type, free);
            for (guint d = 0; d < uuids->len; d++)
                dumpDevice(fake, text, parent, type, uuids->pdata[d]);
        }
    }
    return g_string_free(text, FALSE);
}
