/* virvfio.c: which processes have a device open through VFIO or vhost
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Theory of operation. Who uses a device through VFIO has one of two files open: the device's own,
 * /dev/vfio/devices/vfioN, or that of its IOMMU group, /dev/vfio/N. Trying to open them would tell only for the second,
 * which the kernel gives out once (-EBUSY, vfio_group_fops_open in drivers/vfio/group.c), and would itself be in the
 * way of others for that moment; so this looks at what processes have open, which tells who.
 *
 * A vDPA device has one file, /dev/vhost-vdpa-N.
 *
 * One pass through /proc finds all such files that anybody has open, so that its cost does not grow with the
 * number of devices that are asked about while a virtHostReads is open. It has no bound: whoever can open files could
 * else keep every guest from starting. Where the pass cannot be finished nobody can tell who has a device, and that is
 * an error: it is not the same as nobody.
 */
#include "util/virerror.h"
#include "util/virvdpanode.h"
#include "util/virvfio.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#define DEVICE "sys/bus/%s/devices/%s"
#define VFIO_DIR "/dev/vfio/"
#define VDPA_NODES "/dev/vhost-vdpa-"

void
virtVFIOUserClear(virtVFIOUser *user)
{
    g_clear_pointer(&user->file, g_free);
}

/* ---- one pass through /proc ---- */

typedef struct {
    GHashTable *users; /* file → GArray of guint64: who has it open */
    guint64 pid;       /* that is looked at */
    bool hidden;       /* a process could not be asked, for lack of permission */
} VFIOScan;

static void
vfioAddUser(VFIOScan *scan, const char *file)
{
    GArray *pids = g_hash_table_lookup(scan->users, file);

    if (!pids) {
        pids = g_array_new(FALSE, FALSE, sizeof(guint64));
        g_hash_table_insert(scan->users, g_strdup(file), pids);
    }
    g_array_append_val(pids, scan->pid);
}

/* A process may end, and close a file, while it is looked at. */
static bool
hasGone(int number)
{
    return number == ENOENT || number == ESRCH || number == ENOTDIR || number == EINVAL;
}

/* True where the scan can go on without what failed with @number. */
static bool
maySkip(VFIOScan *scan, int number, const char *path, GError **error)
{
    if (hasGone(number))
        return true;
    if (number == EACCES || number == EPERM) {
        scan->hidden = true;
        return true;
    }
    g_set_error(error, VIRT_ERROR, VIRT_ERROR_HOST, "Cannot read %s: %s", path, g_strerror(number));
    return false;
}

/* The kernel appends " (deleted)" where the name has gone, as a container's /dev may. */
static bool
scanLink(VFIOScan *scan, const char *path, GError **error)
{
    char target[PATH_MAX];
    ssize_t n = readlink(path, target, sizeof(target) - 1);

    if (n < 0)
        return maySkip(scan, errno, path, error);
    target[n] = '\0';
    if (g_str_has_suffix(target, " (deleted)"))
        target[n - (ssize_t)strlen(" (deleted)")] = '\0';
    if (g_str_has_prefix(target, VFIO_DIR) || g_str_has_prefix(target, VDPA_NODES))
        vfioAddUser(scan, target);
    return true;
}

/* Calls @func for each entry of the directory @path whose name is a number. */
static bool
forEachNumber(VFIOScan *scan, const char *path, bool (*func)(VFIOScan *, const char *, GError **), GError **error)
{
    DIR *dir = opendir(path);
    bool ok = true;
    int problem;

    if (!dir)
        return maySkip(scan, errno, path, error);
    while (ok) {
        const struct dirent *entry;
        g_autofree char *one = NULL;

        errno = 0;
        entry = readdir(dir);
        if (!entry)
            break;
        if (!g_ascii_isdigit(*entry->d_name))
            continue;
        one = g_build_filename(path, entry->d_name, NULL);
        ok = func(scan, one, error);
    }
    problem = errno;
    closedir(dir);
    return ok && (!problem || maySkip(scan, problem, path, error));
}

static bool
scanProcess(VFIOScan *scan, const char *path, GError **error)
{
    g_autofree char *fds = g_build_filename(path, "fd", NULL);

    scan->pid = g_ascii_strtoull(strrchr(path, '/') + 1, NULL, 10);
    return forEachNumber(scan, fds, scanLink, error);
}

/* Files by which devices are used → GArray of guint64, the processes that have it open; while a virtHostReads is open
 * it is the host's, and looked up once. The caller gives its reference back. */
static GHashTable *
listOpen(virtHost *host, GError **error)
{
    g_autofree char *proc = virtHostPath(host, "proc");
    VFIOScan scan = {.users = NULL};

    if (host->opened)
        return g_hash_table_ref(host->opened);
    scan.users = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_array_unref);
    host->passes++;
    if (access(proc, R_OK | X_OK) < 0) {
        g_set_error(error, VIRT_ERROR, VIRT_ERROR_HOST, "Cannot read %s: %s", proc, g_strerror(errno));
    } else if (forEachNumber(&scan, proc, scanProcess, error)) {
        if (scan.hidden)
            virtHostWarn(host, "Not every process could be checked for open VFs: permission denied");
        if (host->reads > 0)
            host->opened = g_hash_table_ref(scan.users);
        return scan.users;
    }
    g_hash_table_unref(scan.users);
    return NULL;
}

/* ---- one device ---- */

/* Has a process other than @except the file open that is called @directory@file? */
static bool
vfioFindUser(virtHost *host, const char *directory, const char *file, guint64 except, virtVFIOUser *ret, GError **error)
{
    g_autofree char *path = g_strconcat(directory, file, NULL);
    g_autofree char *there = virtHostPath(host, "%s", path + 1);
    g_autoptr(GHashTable) open = NULL;
    const GArray *pids;

    if (!g_file_test(there, G_FILE_TEST_EXISTS))
        return true;
    if (!(open = listOpen(host, error)))
        return false;
    pids = g_hash_table_lookup(open, path);
    for (guint i = 0; pids && i < pids->len && !ret->pid; i++) {
        guint64 pid = g_array_index(pids, guint64, i);

        if (pid == except)
            continue;
        ret->pid = pid;
        ret->file = g_strdup(path);
    }
    return true;
}

/* The device's own file. */
static bool
findByDevice(virtHost *host, const virtHandle *handle, guint64 except, virtVFIOUser *ret, GError **error)
{
    g_autoptr(GPtrArray) files = virtHostListDir(host, error, DEVICE "/vfio-dev", handle->bus, handle->name);

    for (guint i = 0; files && i < files->len && !ret->pid; i++) {
        g_autofree char *file = g_strconcat("devices/", files->pdata[i], NULL);

        if (!vfioFindUser(host, VFIO_DIR, file, except, ret, error))
            return false;
    }
    return files != NULL;
}

static bool
findByGroup(virtHost *host, const char *group, guint64 except, virtVFIOUser *ret, GError **error)
{
    g_autofree char *unsafe = g_strconcat("noiommu-", group, NULL);

    if (!vfioFindUser(host, VFIO_DIR, group, except, ret, error) ||
        (!ret->pid && !vfioFindUser(host, VFIO_DIR, unsafe, except, ret, error)))
        return false;
    ret->byGroup = ret->pid != 0;
    return true;
}

/* A vDPA device has a node while vhost_vdpa has it. */
static bool
findByNode(virtHost *host, const virtHandle *handle, guint64 except, virtVFIOUser *ret, GError **error)
{
    g_autoptr(GError) local = NULL;
    g_autofree char *node = virtVdpaNodeFind(host, handle->name, &local);

    if (node)
        return vfioFindUser(host, "/dev/", node, except, ret, error);
    if (!local)
        return true;
    g_propagate_error(error, g_steal_pointer(&local));
    return false;
}

/* Which process has the device @handle, on the PCI, the mdev or the vDPA bus, open? Only a device with a VFIO driver
 * can have any, or one in a group with such; for others nothing below /proc is looked at. VFIO takes no device without
 * a group: even without an IOMMU it makes one up (vfio_noiommu_group_alloc in drivers/vfio/group.c).
 *
 * Needs to see other users' descriptors (root with CAP_SYS_PTRACE): what it is not shown, it warns of and passes. The
 * answer is of the moment: only VFIO itself keeps two users apart.
 *
 * @except: a process that does not count; 0: none
 * @ret: filled in for virtVFIOUserClear(), also where there is none
 *
 * Errors: VIRT_ERROR_HOST where that cannot be told.
 */
bool
virtVFIOFindUser(virtHost *host, const virtHandle *handle, guint64 except, virtVFIOUser *ret, GError **error)
{
    g_autoptr(GError) local = NULL;
    g_autofree char *group = NULL;

    *ret = (virtVFIOUser){0};
    if (g_str_equal(handle->bus, "vdpa"))
        return findByNode(host, handle, except, ret, error);
    group = virtHostReadLink(host, &local, DEVICE "/iommu_group", handle->bus, handle->name);
    if (g_error_matches(local, VIRT_ERROR, VIRT_ERROR_NOT_FOUND))
        return true;
    if (group) {
        return findByDevice(host, handle, except, ret, error) &&
               (ret->pid || findByGroup(host, group, except, ret, error));
    }
    g_propagate_error(error, g_steal_pointer(&local));
    return false;
}

/* VFIOScan at /proc again when somebody asks next. */
void
virtVFIOForget(virtHost *host)
{
    g_clear_pointer(&host->opened, g_hash_table_unref);
}

/* ---- closed ---- */

/* Has a process the device open, by what all of them have?
 *
 * @busy: the kernel has said so
 */
static bool
checkProcesses(virtHost *host, const virtHandle *handle, const char *file, bool busy, GError **error)
{
    g_auto(virtVFIOUser) user = {0};
    g_autofree char *who = g_strdup("a process");

    virtVFIOForget(host); /* whoever was looked up before had not opened it yet */
    if (!virtVFIOFindUser(host, handle, 0, &user, error))
        return false;
    if (!busy && !user.pid)
        return true;
    if (user.pid) {
        g_free(who);
        who = g_strdup_printf("process %" G_GUINT64_FORMAT, user.pid);
    }
    g_set_error(error, VIRT_ERROR, VIRT_ERROR_BUSY,
                "%s %s is in use: %s has /dev/%s open. It will be removed when that has ended",
                virtHandleGetNoun(handle), handle->name, who, file);
    return false;
}

/* Has nobody the device @handle open, so that it may be removed? Its file tells, which the kernel lets one process
 * open; or where this process may not open that (the daemon's unit does not let it), what all others have open.
 *
 * @file: below /dev
 *
 * Errors: VIRT_ERROR_BUSY where somebody has it open; VIRT_ERROR_HOST where that cannot be told.
 */
bool
virtVFIOCheckClosed(virtHost *host, const virtHandle *handle, const char *file, GError **error)
{
    int rc = virtHostTryOpen(host, "dev/%s", file);

    if (rc == 0 || rc == -ENOENT || rc == -ENODEV || rc == -ENXIO)
        return true;
    if (rc == -EBUSY || rc == -EPERM || rc == -EACCES)
        return checkProcesses(host, handle, file, rc == -EBUSY, error);
    g_set_error(error, VIRT_ERROR, VIRT_ERROR_HOST,
                "Cannot tell whether %s %s is in use, so it was not removed: cannot open /dev/%s: %s",
                virtHandleGetNoun(handle), handle->name, file, g_strerror(-rc));
    return false;
}
