/* qemu_vfio.c: is somebody using a VF of whom we know nothing?
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A VF that was handed out by other means (a QEMU or DPDK started by hand, a domain without <netdev>) has no record,
 * and to set it now would be to set it under that guest. Who uses a device through VFIO has one of two files open:
 * the device's own, /dev/vfio/devices/vfioN, or that of its IOMMU group, /dev/vfio/N. Trying to open them would tell
 * only for the second, which the kernel gives out once (-EBUSY, vfio_group_fops_open in drivers/vfio/group.c), and
 * would itself be in the way of others for that moment; so this looks at what processes have open, which tells who.
 */
#include "qemu/qemu_hostdev.h"
#include "util/virerror.h"

#include <string.h>

#define PCI_DEVICE "sys/bus/pci/devices/%s"
#define LINKS_MAX (1024 * 1024) /* descriptors looked at: some seconds; a host has seldom 100000 */

/* ---- the files ---- */

static void
addFile(virtHost *host, GPtrArray *files, char *file)
{
    g_autofree char *path = virtHostPath(host, "%s", file + 1);

    if (g_file_test(path, G_FILE_TEST_EXISTS))
        g_ptr_array_add(files, file);
    else
        g_free(file);
}

/* Does another device of the group have a record? Then the group is open for that one, as it may well be for several
 * VFs of one domain, and says nothing about this one. */
static bool
groupIsKnown(virtHost *host, const char *name)
{
    g_autoptr(GPtrArray) devices = virtHostListDir(host, NULL, PCI_DEVICE "/iommu_group/devices", name);
    bool known = false;

    for (guint i = 0; devices && i < devices->len && !known; i++) {
        g_autoptr(virtRecord) record = virtQemuRecordLoad(host, devices->pdata[i], NULL);
        known = record && !g_str_equal(devices->pdata[i], name);
    }
    return known;
}

/* The files through which @name may be used; none where no VFIO driver is bound to it or to its group. VFIO takes no
 * device without a group: even without an IOMMU it makes one up (vfio_noiommu_group_alloc in drivers/vfio/group.c). */
static GPtrArray *
findFiles(virtHost *host, const char *name)
{
    GPtrArray *files = g_ptr_array_new_with_free_func(g_free);
    g_autofree char *group = virtHostReadLink(host, NULL, PCI_DEVICE "/iommu_group", name);
    g_autoptr(GPtrArray) devices = group ? virtHostListDir(host, NULL, PCI_DEVICE "/vfio-dev", name) : NULL;
    guint own;

    for (guint i = 0; devices && i < devices->len; i++)
        addFile(host, files, g_strdup_printf("/dev/vfio/devices/%s", (const char *)devices->pdata[i]));
    own = files->len;
    if (group) {
        addFile(host, files, g_strdup_printf("/dev/vfio/%s", group));
        addFile(host, files, g_strdup_printf("/dev/vfio/noiommu-%s", group));
    }
    if (files->len > own && groupIsKnown(host, name))
        g_ptr_array_set_size(files, (gint)own);
    return files;
}

/* ---- who has one open ---- */

typedef struct {
    virtHost *host;
    const GPtrArray *files;
    guint looked; /* links read */
    bool hidden;  /* something could not be looked at */
    char *file;   /* of @files, that somebody has open; NULL: nobody */
    const char *pid;
} Search;

/* The kernel appends " (deleted)" where the name has gone, as a container's /dev may. */
static bool
isFile(const char *target, const char *file)
{
    gsize len = strlen(file);

    return strncmp(target, file, len) == 0 && (target[len] == '\0' || g_str_equal(target + len, " (deleted)"));
}

static void
lookAtLink(Search *search, const char *path)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *target = g_file_read_link(path, &error);

    search->hidden |= g_error_matches(error, G_FILE_ERROR, G_FILE_ERROR_ACCES);
    for (guint i = 0; target && i < search->files->len && !search->file; i++) {
        if (isFile(target, search->files->pdata[i]))
            search->file = search->files->pdata[i];
    }
}

static void
lookAtProcess(Search *search, const char *pid)
{
    g_autofree char *path = virtHostPath(search->host, "proc/%s/fd", pid);
    g_autoptr(GError) error = NULL;
    g_autoptr(GDir) dir = g_dir_open(path, 0, &error);
    const char *name;

    search->hidden |= g_error_matches(error, G_FILE_ERROR, G_FILE_ERROR_ACCES);
    while (dir && !search->file && search->looked < LINKS_MAX && (name = g_dir_read_name(dir))) {
        g_autofree char *link = g_build_filename(path, name, NULL);

        search->looked++;
        lookAtLink(search, link);
    }
    if (search->file)
        search->pid = pid;
}

static bool
reportUser(const Search *search, const char *vfName, GError **error)
{
    g_autofree char *comm = virtHostRead(search->host, NULL, "proc/%s/comm", search->pid);
    g_autofree char *shown = comm ? virtXmlQuote(comm) : g_strdup("?");

    g_set_error(
        error, VIRT_ERROR, VIRT_ERROR_BUSY,
        "VF %s is in use by process %s (%s), which has %s open, and has no record of ours. Stop that process, detach the VF from its guest, or use another VF.",
        vfName, search->pid, shown, search->file);
    return false;
}

static bool
search(virtHost *host, const GPtrArray *files, const char *vfName, GError **error)
{
    g_autoptr(GPtrArray) processes = virtHostListDir(host, NULL, "proc");
    Search s = {host, files, 0, !processes, NULL, NULL};

    for (guint i = 0; processes && i < processes->len && !s.file; i++) {
        if (g_ascii_isdigit(*(const char *)processes->pdata[i]))
            lookAtProcess(&s, processes->pdata[i]);
    }
    if (s.file)
        return reportUser(&s, vfName, error);
    if (s.hidden || s.looked >= LINKS_MAX)
        virtHostWarn(host, "VF %s has a VFIO driver, and not every process could be asked whether it uses the VF",
                     vfName);
    return true;
}

/* Is the VF @name ("0000:06:02.0") free of users that no record knows? Only a VF with a VFIO driver can have any;
 * others cost a few looks into sysfs and /dev.
 *
 * Needs to see other users' descriptors (root with CAP_SYS_PTRACE): what it is not shown, it warns of and passes.
 * The answer is of the moment, so it is for refusing early; only VFIO itself keeps two users apart.
 *
 * Errors: VIRT_ERROR_BUSY, which names the process.
 */
bool
virtQemuHostdevCheckUnused(virtHost *host, const char *name, GError **error)
{
    g_autoptr(GPtrArray) files = findFiles(host, name);

    return files->len == 0 || search(host, files, name, error);
}
