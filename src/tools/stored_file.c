/* stored_file.c: libvirt's own files of the domains that it has stored, for while its daemon does not run
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * libvirt reads these files when its daemon starts, then autostarts guests, and from then on writes them from memory.
 * So whoever wants to change a domain before its autostart has to do that in the file, and only before the daemon has
 * read it. The daemon of the QEMU driver locks its pid file for as long as it lives. A socket says nothing: systemd
 * listens there without a daemon, and to connect would start one.
 *
 * A file is written as libvirt does it: whole, under the name NAME.xml.new, which libvirt never reads, and renamed.
 */
#include "tools/stored_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/virerror.h"

#define STORED_DIR "etc/libvirt/qemu"
#define STATUS_DIR "run/libvirt/qemu"

/* ---- the daemon ---- */

/* Errors: VIRT_ERROR_HOST. */
static bool
isLocked(const char *path, bool *ret, GError **error)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1}; /* virPidFileAcquirePath() */
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    bool ok = fd >= 0 && fcntl(fd, F_GETLK, &lock) == 0;

    *ret = ok && lock.l_type != F_UNLCK;
    if (!ok && errno != ENOENT)
        g_set_error(error, VIRT_ERROR, VIRT_ERROR_HOST, "Cannot tell whether libvirt's daemon runs: %s: %s", path,
                    g_strerror(errno));
    else
        ok = true;
    if (fd >= 0)
        close(fd);
    return ok;
}

/* Is there nobody who would overwrite the files from memory?
 *
 * Errors: VIRT_ERROR_BUSY; VIRT_ERROR_HOST where that cannot be told.
 */
bool
virtStoredFileCheckStopped(virtHost *host, GError **error)
{
    static const char *const daemons[] = {"libvirtd", "virtqemud"};

    for (guint i = 0; i < G_N_ELEMENTS(daemons); i++) {
        g_autofree char *path = virtHostPath(host, "run/%s.pid", daemons[i]);
        bool locked;

        if (!isLocked(path, &locked, error))
            return false;
        if (!locked)
            continue;
        g_set_error(
            error, VIRT_ERROR, VIRT_ERROR_BUSY,
            "%s runs, as the lock of %s says, and would overwrite what is changed in its files. Stop it first, or leave out --offline",
            daemons[i], path);
        return false;
    }
    return true;
}

/* ---- reading ---- */

static void
storedFileFree(gpointer opaque)
{
    virtStoredFile *file = opaque;

    g_free(file->path);
    g_free(file->text);
    virtDomainConfFree(file->domain);
    g_free(file);
}

static virtStoredFile *
readFile(virtHost *host, const char *name, GError **error)
{
    g_autofree char *path = virtHostPath(host, STORED_DIR "/%s", name), *text = NULL;
    g_autofree char *status = virtHostPath(host, STATUS_DIR "/%s", name);
    g_autoptr(virtDomainConf) domain = NULL;
    virtStoredFile *file;
    gsize len;

    if (g_file_test(path, G_FILE_TEST_IS_SYMLINK)) {
        g_set_error(error, VIRT_ERROR, VIRT_ERROR_INVALID, "%s is a link, which is not followed", path);
        return NULL;
    }
    if (!g_file_get_contents(path, &text, &len, error) || !(domain = virtDomainConfParseDevices(text, len, error)))
        return NULL;
    if (!domain->name) {
        g_set_error(error, VIRT_ERROR, VIRT_ERROR_INVALID, "the domain in %s has no <name>", path);
        return NULL;
    }
    file = g_new0(virtStoredFile, 1);
    file->path = g_steal_pointer(&path);
    file->text = g_steal_pointer(&text);
    file->domain = g_steal_pointer(&domain);
    file->runs = g_file_test(status, G_FILE_TEST_EXISTS);
    return file;
}

/* All domains that libvirt has stored: virtStoredFile, for g_ptr_array_unref(). What cannot be read is warned of and
 * left out.
 *
 * Errors: VIRT_ERROR_HOST.
 */
GPtrArray *
virtStoredFileList(virtHost *host, GError **error)
{
    g_autoptr(GPtrArray) names = virtHostListDir(host, error, STORED_DIR);
    GPtrArray *files;

    if (!names)
        return NULL;
    files = g_ptr_array_new_with_free_func(storedFileFree);
    for (guint i = 0; i < names->len; i++) {
        g_autoptr(GError) problem = NULL;
        virtStoredFile *file = NULL;

        if (g_str_has_suffix(names->pdata[i], ".xml"))
            file = readFile(host, names->pdata[i], &problem);
        if (file)
            g_ptr_array_add(files, file);
        if (problem)
            virtHostWarn(host, "A stored domain is left out: %s", problem->message);
    }
    return files;
}

/* The host's devices that stored domains name, but for @except: virtHandle, for g_array_unref(). */
GArray *
virtStoredFileListNamed(const GPtrArray *files, const virtStoredFile *except)
{
    GArray *named = g_array_new(FALSE, FALSE, sizeof(virtHandle));

    for (guint i = 0; i < files->len; i++) {
        const virtStoredFile *file = files->pdata[i];

        if (file != except && file->domain->devices->len > 0)
            g_array_append_vals(named, file->domain->devices->data, file->domain->devices->len);
    }
    return named;
}

/* ---- writing ---- */

/* Write @text to a new file @path that has owner and mode of the file @like; false with errno. */
static bool
writeLike(const char *path, const char *text, const char *like)
{
    struct stat info;
    gsize len = strlen(text);
    int fd, saved;

    if (lstat(like, &info) < 0 || (unlink(path) < 0 && errno != ENOENT))
        return false;
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return false;
    while (len > 0) {
        ssize_t n = write(fd, text, len);

        if (n < 0 && errno != EINTR)
            break;
        if (n > 0) {
            text += n;
            len -= (gsize)n;
        }
    }
    if (len == 0 && fchown(fd, info.st_uid, info.st_gid) == 0 && fchmod(fd, info.st_mode & 07777) == 0 &&
        fsync(fd) == 0)
        return close(fd) == 0;
    saved = errno;
    close(fd);
    unlink(path);
    errno = saved;
    return false;
}

static bool
syncDirectory(const char *path)
{
    g_autofree char *dir = g_path_get_dirname(path);
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok = fd >= 0 && fsync(fd) == 0;

    if (fd >= 0)
        close(fd);
    return ok;
}

/* Put @text in the place of the file's, whole or not at all; owner and mode stay.
 *
 * Errors: VIRT_ERROR_HOST; VIRT_ERROR_INVALID where it is no domain.
 */
bool
virtStoredFileReplace(virtStoredFile *file, const char *text, GError **error)
{
    g_autoptr(virtDomainConf) domain = virtDomainConfParseDevices(text, strlen(text), error);
    g_autofree char *temp = g_strconcat(file->path, ".new", NULL);

    if (!domain)
        return false;
    if (!writeLike(temp, text, file->path) || rename(temp, file->path) < 0 || !syncDirectory(file->path)) {
        g_set_error(error, VIRT_ERROR, VIRT_ERROR_HOST, "Cannot write %s: %s", file->path, g_strerror(errno));
        return false;
    }
    g_free(file->text);
    file->text = g_strdup(text);
    virtDomainConfFree(file->domain);
    file->domain = g_steal_pointer(&domain);
    return true;
}
