/* virstatefile.c: small files under /run/libvirt-hostdev that survive a crash whole
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * ROOT/run/libvirt-hostdev/, 0700, ours; one record a VF, 0600, named by its PCI address, optionally with a suffix:
 *
 *     0000:06:02.0             a record; its text is the caller's
 *     .0000:06:02.0.5f3a9c01   a record being written; left only by a crash, never read
 *     0000:06:00.0.lock        the lock of a PF (virstatelock.c)
 *
 * A record is written to a new file, synced and renamed: a reader sees the old or the new one. /run is emptied
 * by a reboot, and so are the VFs.
 *
 * The directory is opened once per call, without following a link, and looked at before it is believed: whoever
 * could write there could have us set any VF. All else goes through its descriptor.
 */
#include "util/virstatefile.h"
#include "util/virerror.h"
#include "util/virpci.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME_MAX_LEN 64
#define LIST_MAX 65536
#define LOCK_SUFFIX ".lock"

static int
errnoCode(int number)
{
    return number == ENOENT ? VIRT_ERROR_NOT_FOUND : VIRT_ERROR_HOST;
}

/* "0000:06:02.0" and what may follow it: nothing, or a dot or dash with more of [0-9a-z.-]. */
static bool
validName(const char *name)
{
    virtPCIAddress address;
    size_t len = strlen(name), base = strspn(name, "0123456789abcdef:");
    if (len > NAME_MAX_LEN || name[base] != '.' || name[base + 1] == '\0')
        return false;
    base += 2; /* the dot and the function */
    g_autofree char *pci = g_strndup(name, base);
    if (!virtPCIAddressParse(pci, &address, NULL) || strchr(pci, ':') == strrchr(pci, ':'))
        return false;
    if (len == base)
        return true;
    if ((name[base] != '.' && name[base] != '-') || strstr(name, ".."))
        return false;
    return strspn(name + base, "0123456789abcdefghijklmnopqrstuvwxyz.-") == len - base;
}

/* Is @name one of a record: a PCI address with domain, as the kernel prints it, and maybe a suffix, 64 bytes at
 * most? So a name cannot leave the directory, nor be taken for a lock or a file being written.
 *
 * Errors: VIRT_ERROR_INVALID.
 */
bool
virtStateNameCheck(const char *name, GError **error)
{
    if (validName(name) && !g_str_has_suffix(name, LOCK_SUFFIX))
        return true;
    g_autofree char *shown = g_strescape(name, NULL);
    g_set_error(error, VIRT_ERROR, VIRT_ERROR_INVALID,
                "\"%.80s\" cannot name a state file: expected a PCI address such as 0000:06:02.0.", shown);
    return false;
}

/* Nobody but us may be able to write there, or read who runs what. */
static bool
checkDirectory(int fd, const char *path, GError **error)
{
    struct stat st;
    if (fstat(fd, &st) < 0) {
        g_set_error(error, VIRT_ERROR, VIRT_ERROR_HOST, "Cannot look at %s: %s.", path, g_strerror(errno));
        return false;
    }
    if (st.st_uid == geteuid() && (st.st_mode & 077) == 0)
        return true;
    g_set_error(
        error, VIRT_ERROR, VIRT_ERROR_HOST,
        "State directory %s cannot be trusted: it has owner %u and mode %04o, expected owner %u and mode 0700. Find out who made it, remove it, and it is made anew.",
        path, (guint)st.st_uid, (guint)st.st_mode & 07777, (guint)geteuid());
    return false;
}

/* Make the directory and the run/ above it, which only a host under --root may lack. */
static bool
makeDirectory(virtHost *host, const char *path, GError **error)
{
    g_autofree char *parent = virtHostPath(host, "run");
    if ((mkdir(path, 0700) == 0 || errno == EEXIST) ||
        (errno == ENOENT && (mkdir(parent, 0755) == 0 || errno == EEXIST) &&
         (mkdir(path, 0700) == 0 || errno == EEXIST)))
        return true;
    int code = errno == EACCES || errno == EPERM ? VIRT_ERROR_HOST : errnoCode(errno);
    g_set_error(error, VIRT_ERROR, code, "Cannot make state directory %s: %s.%s", path, g_strerror(errno),
                geteuid() ? " Only root can." : "");
    return false;
}

/* Open the state directory and verify that it is ours alone. For the *at() calls of this file and virstatelock.c.
 *
 * @create: make it where it is missing
 *
 * Returns a descriptor to close, or -1: VIRT_ERROR_NOT_FOUND where it is missing, VIRT_ERROR_HOST otherwise.
 */
int
virtStateDirOpen(virtHost *host, bool create, GError **error)
{
    g_autofree char *path = virtHostPath(host, VIRT_STATE_DIR);
    if (create && !makeDirectory(host, path, error))
        return -1;
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) {
        g_set_error(error, VIRT_ERROR, errnoCode(errno), "Cannot open state directory %s: %s.", path,
                    g_strerror(errno));
        return -1;
    }
    if (checkDirectory(fd, path, error))
        return fd;
    close(fd);
    return -1;
}

static bool
writeAll(int fd, const char *text, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, text, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return false;
        text += n;
        len -= (size_t)n;
    }
    return true;
}

/* Write @text to a new file @temp; what cannot be written whole is removed. False with errno. */
static bool
writeTemporary(int dir, const char *temp, const char *text)
{
    int fd = openat(dir, temp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return false;
    bool ok = writeAll(fd, text, strlen(text)) && fsync(fd) == 0;
    int saved = errno;
    if (close(fd) < 0 && ok) {
        ok = false;
        saved = errno;
    }
    if (!ok)
        unlinkat(dir, temp, 0);
    errno = saved;
    return ok;
}

static bool
replaceFile(int dir, const char *name, const char *text)
{
    g_autofree char *temp = g_strdup_printf(".%s.%08x", name, g_random_int());
    if (!writeTemporary(dir, temp, text))
        return false;
    if (renameat(dir, temp, dir, name) == 0)
        return fsync(dir) == 0;
    int saved = errno;
    unlinkat(dir, temp, 0);
    errno = saved;
    return false;
}

/* Write a record whole: the new text or, on any failure, the old file, and nothing beside it. (Should only the
 * directory's own sync fail, the new text is there already.) Makes the directory where it is missing.
 *
 * @text: at most VIRT_STATE_MAX bytes
 *
 * Errors: VIRT_ERROR_INVALID for a bad name or too long a text, VIRT_ERROR_HOST.
 */
bool
virtStateFileWrite(virtHost *host, const char *name, const char *text, GError **error)
{
    if (!virtStateNameCheck(name, error))
        return false;
    if (strlen(text) > VIRT_STATE_MAX) {
        g_set_error(error, VIRT_ERROR, VIRT_ERROR_INVALID,
                    "State file %s would have %" G_GSIZE_FORMAT " bytes, at most %d are allowed.", name, strlen(text),
                    VIRT_STATE_MAX);
        return false;
    }
    int dir = virtStateDirOpen(host, true, error);
    if (dir < 0)
        return false;
    bool ok = replaceFile(dir, name, text);
    if (!ok)
        g_set_error(error, VIRT_ERROR, VIRT_ERROR_HOST, "Cannot write state file %s/" VIRT_STATE_DIR "/%s: %s.",
                    host->root, name, g_strerror(errno));
    close(dir);
    return ok;
}

/* The text of @fd, if it is a file of ours of at most VIRT_STATE_MAX bytes; else NULL, with @ret_why saying why. */
static char *
readRecord(int fd, const char **ret_why)
{
    struct stat st;
    g_autofree char *text = g_malloc(VIRT_STATE_MAX + 2);
    size_t have = 0;
    ssize_t n;
    *ret_why = "it is no regular file of ours";
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 022))
        return NULL;
    while (have <= VIRT_STATE_MAX && (n = read(fd, text + have, VIRT_STATE_MAX + 1 - have)) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        *ret_why = "it cannot be read";
        if (n < 0)
            return NULL;
        have += (size_t)n;
    }
    text[have] = '\0';
    *ret_why = "it is too long or holds a NUL";
    return have <= VIRT_STATE_MAX && strlen(text) == have ? g_steal_pointer(&text) : NULL;
}

static char *
openAndRead(int dir, virtHost *host, const char *name, GError **error)
{
    const char *why;
    int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) {
        g_set_error(error, VIRT_ERROR, errnoCode(errno), "Cannot open state file %s/" VIRT_STATE_DIR "/%s: %s.",
                    host->root, name, g_strerror(errno));
        return NULL;
    }
    char *text = readRecord(fd, &why);
    if (!text)
        g_set_error(error, VIRT_ERROR, VIRT_ERROR_HOST, "State file %s/" VIRT_STATE_DIR "/%s cannot be used: %s.",
                    host->root, name, why);
    close(fd);
    return text;
}

/* The text of a record. Makes nothing.
 *
 * Returns a string the caller frees, or NULL: VIRT_ERROR_NOT_FOUND when there is no such record (or no directory),
 * VIRT_ERROR_INVALID for a bad name, VIRT_ERROR_HOST for anything that is not a file of ours.
 */
char *
virtStateFileRead(virtHost *host, const char *name, GError **error)
{
    if (!virtStateNameCheck(name, error))
        return NULL;
    int dir = virtStateDirOpen(host, false, error);
    if (dir < 0)
        return NULL;
    char *text = openAndRead(dir, host, name, error);
    close(dir);
    return text;
}

/* Remove a record; one that is not there is fine.
 *
 * Errors: VIRT_ERROR_INVALID for a bad name, VIRT_ERROR_HOST.
 */
bool
virtStateFileRemove(virtHost *host, const char *name, GError **error)
{
    g_autoptr(GError) missing = NULL;
    if (!virtStateNameCheck(name, error))
        return false;
    int dir = virtStateDirOpen(host, false, &missing);
    if (dir < 0) {
        bool fine = g_error_matches(missing, VIRT_ERROR, VIRT_ERROR_NOT_FOUND);
        if (!fine)
            g_propagate_error(error, g_steal_pointer(&missing));
        return fine;
    }
    bool ok = (unlinkat(dir, name, 0) == 0 && fsync(dir) == 0) || errno == ENOENT;
    if (!ok)
        g_set_error(error, VIRT_ERROR, VIRT_ERROR_HOST, "Cannot remove state file %s/" VIRT_STATE_DIR "/%s: %s.",
                    host->root, name, g_strerror(errno));
    close(dir);
    return ok;
}

static int
compareNames(gconstpointer a, gconstpointer b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The names of all records, sorted; locks and what is none of ours are left out.
 *
 * Returns an array of strings for g_ptr_array_unref(), empty where there is no directory; NULL with
 * VIRT_ERROR_HOST where it cannot be trusted or read.
 */
GPtrArray *
virtStateFileList(virtHost *host, GError **error)
{
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GError) problem = NULL;
    int fd = virtStateDirOpen(host, false, &problem);
    if (fd < 0 && g_error_matches(problem, VIRT_ERROR, VIRT_ERROR_NOT_FOUND))
        return g_steal_pointer(&names);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir) {
        if (fd >= 0)
            close(fd);
        if (problem)
            g_propagate_error(error, g_steal_pointer(&problem));
        else
            g_set_error(error, VIRT_ERROR, VIRT_ERROR_HOST, "Cannot list the state directory: %s.", g_strerror(errno));
        return NULL;
    }
    for (struct dirent *entry; names->len < LIST_MAX && (entry = readdir(dir));)
        if (virtStateNameCheck(entry->d_name, NULL))
            g_ptr_array_add(names, g_strdup(entry->d_name));
    closedir(dir);
    g_ptr_array_sort(names, compareNames);
    return g_steal_pointer(&names);
}
