/* virstatewrite.c: write records, many at a time and each of them whole
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Theory of operation. Records that are written together share a file, which has all their names (hard links): making a
 * file costs some ten times what another name for it does, and a domain's VFs are set between "all records are there"
 * and "all are set". The file is written under a name that nobody reads, synced, and then gets its names one by one,
 * the last of them by rename; where a record is there already, the name is moved over it. So each record is the old or
 * the new one at any time.
 *
 * A shared file has sections, and so has one that was added to. A section begins with an empty line and one that says
 * whose it is; what comes before the first of them is everybody's, and so are those that name nobody:
 *
 *     <empty line>
 *     #0000:06:02.0
 *     its text
 *     <empty line>
 *     #
 *     text for all who share the file
 *
 * virtStateFileRead() gives each name its own. What is added later is there whole or not at all, as long as its text
 * says where it ends: a reader sees no byte before the kernel has all of a page's, and what a full disk has cut off
 * ends at the next section.
 */
#include "util/virerror.h"
#include "util/virstatefile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Records in a file: each further one saves less, and makes all the others longer to read. */
#define SHARE 16

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

/* Write @text to a new file @temp; what cannot be written whole is removed, as is what a crash has left there. Returns
 * its descriptor, for appending, or -1 with errno. */
static int
writeTemporary(int dir, const char *temp, const char *text, size_t len)
{
    int fd, saved;

    unlinkat(dir, temp, 0);
    fd = openat(dir, temp, O_WRONLY | O_APPEND | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0 || (writeAll(fd, text, len) && fsync(fd) == 0))
        return fd;
    saved = errno;
    close(fd);
    unlinkat(dir, temp, 0);
    errno = saved;
    return -1;
}

/* Give the file @temp the name @name too, whatever had that until now. */
static bool
shareFile(int dir, const char *temp, const char *name)
{
    char over[VIRT_STATE_NAME_MAX + 8];
    int saved;

    if (linkat(dir, temp, dir, name, 0) == 0)
        return true;
    if (errno != EEXIST)
        return false;
    virtStateNameTemporary(name, VIRT_STATE_OVER, over);
    unlinkat(dir, over, 0);
    if (linkat(dir, temp, dir, over, 0) < 0)
        return false;
    if (renameat(dir, over, dir, name) == 0)
        return true;
    saved = errno;
    unlinkat(dir, over, 0);
    errno = saved;
    return false;
}

/* Write one file with the names of all @n @files. Returns its descriptor, or -1 with errno; counts in @written the
 * names that lead to it. */
static int
writeShared(int dir, const virtStateText *files, guint n, guint *written)
{
    g_autoptr(GString) text = g_string_sized_new(1024 * n);
    char temp[VIRT_STATE_NAME_MAX + 8];
    int fd;
    bool ok;
    int saved;

    for (guint i = 0; i < n; i++) {
        if (n > 1) {
            g_string_append(text, VIRT_STATE_SECTION);
            g_string_append(text, files[i].name);
            g_string_append_c(text, '\n');
        }
        g_string_append(text, files[i].text);
    }
    virtStateNameTemporary(files[0].name, VIRT_STATE_NEW, temp);
    fd = writeTemporary(dir, temp, text->str, text->len);
    ok = fd >= 0;
    for (guint i = 0; ok && i + 1 < n; i++) {
        ok = shareFile(dir, temp, files[i].name);
        if (ok)
            (*written)++;
    }
    if (ok && renameat(dir, temp, dir, files[n - 1].name) == 0) {
        (*written)++;
        return fd;
    }
    saved = errno;
    if (fd >= 0) {
        close(fd);
        unlinkat(dir, temp, 0);
    }
    errno = saved;
    return -1;
}

static bool
checkFiles(const virtStateText *files, guint n, GError **error)
{
    for (guint i = 0; i < n; i++) {
        gsize len = strlen(files[i].text);

        if (!virtStateNameCheck(files[i].name, error))
            return false;
        if (len > VIRT_STATE_MAX) {
            g_set_error(error, VIRT_ERROR, VIRT_ERROR_INVALID,
                        "State file %s would have %" G_GSIZE_FORMAT " bytes, at most %d are allowed", files[i].name,
                        len, VIRT_STATE_MAX);
        } else if (strstr(files[i].text, VIRT_STATE_SECTION)) {
            g_set_error(error, VIRT_ERROR, VIRT_ERROR_INVALID,
                        "The text for state file %s has an empty line before a '#', where another record would begin",
                        files[i].name);
        } else {
            continue;
        }
        return false;
    }
    return true;
}

/* How many of @files fit into one. */
static guint
countShared(const virtStateText *files, guint n)
{
    gsize size = 0;
    guint i = 0;

    while (i < MIN(n, SHARE) && (size += strlen(files[i].text) + VIRT_STATE_NAME_MAX) <= VIRT_STATE_MAX / 2)
        i++;
    return MAX(i, 1);
}

static void
setUnwritten(virtHost *host, const char *name, GError **error)
{
    g_set_error(error, VIRT_ERROR, VIRT_ERROR_HOST, "Cannot write state file %s/" VIRT_STATE_DIR "/%s: %s", host->root,
                name, g_strerror(errno));
}

/* Closes what virtStateFileWriteMany() has written. */
void
virtStateBatchClear(virtStateBatch *batch)
{
    for (guint i = 0; i < batch->count; i++)
        close(batch->fds[i]);
    g_clear_pointer(&batch->fds, g_free);
    batch->count = 0;
}

/* Write records, each of them whole: the new text or, on any failure, the old one, and nothing beside it. When this
 * returns true, all of them survive whatever comes next. (Should only the directory's own sync fail, the new texts are
 * there already.) Makes the directory where it is missing.
 *
 * @files: texts of at most VIRT_STATE_MAX bytes, which end with a newline where there are several
 * @ret: what has been written, also on failure: for virtStateBatchAppend() and virtStateBatchClear(). May be NULL
 *
 * Errors: VIRT_ERROR_INVALID for a bad name or too long a text, VIRT_ERROR_HOST.
 */
bool
virtStateFileWriteMany(virtHost *host, const virtStateText *files, guint n, virtStateBatch *ret, GError **error)
{
    virtStateBatch batch = {0};
    int dir = -1;
    bool ok;

    if (checkFiles(files, n, error))
        dir = virtStateDirOpen(host, true, error);
    ok = dir >= 0;
    if (ok)
        batch.fds = g_new(int, n);
    while (ok && batch.written < n) {
        guint count = countShared(files + batch.written, n - batch.written);
        int fd = writeShared(dir, files + batch.written, count, &batch.written);

        ok = fd >= 0;
        if (ok)
            batch.fds[batch.count++] = fd;
    }
    if (dir >= 0 && (!ok || fsync(dir) < 0)) {
        setUnwritten(host, files[MIN(batch.written, n - 1)].name, error);
        ok = false;
    }
    virtStateDirClose(host, dir);
    if (ret)
        *ret = batch;
    else
        virtStateBatchClear(&batch);
    return ok;
}

/* Write one record: see virtStateFileWriteMany(). */
bool
virtStateFileWrite(virtHost *host, const char *name, const char *text, GError **error)
{
    const virtStateText file = {name, text};

    return virtStateFileWriteMany(host, &file, 1, NULL, error);
}

static bool
appendSection(int fd, const char *name, const char *text)
{
    g_autofree char *section = g_strconcat(VIRT_STATE_SECTION, name, "\n", text, NULL);

    return writeAll(fd, section, strlen(section));
}

/* Add a short text to each of the records of @batch, as long as nobody else has written them. Not synced: for what may
 * be forgotten. A crash or a failure may leave the beginning of it there.
 *
 * Errors: VIRT_ERROR_HOST.
 */
bool
virtStateBatchAppend(virtHost *host, const virtStateBatch *batch, const char *text, GError **error)
{
    for (guint i = 0; i < batch->count; i++) {
        if (appendSection(batch->fds[i], "", text))
            continue;
        g_set_error(error, VIRT_ERROR, VIRT_ERROR_HOST, "Cannot write to a file in %s/" VIRT_STATE_DIR ": %s",
                    host->root, g_strerror(errno));
        return false;
    }
    return true;
}

static bool
appendFile(int dir, const virtStateText *file)
{
    int fd = openat(dir, file->name, O_WRONLY | O_APPEND | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    bool ours = fd >= 0 && virtStateFileIsOurs(fd);
    bool ok;
    int saved;

    if (fd >= 0 && !ours)
        errno = EPERM;
    ok = ours && appendSection(fd, file->name, file->text);
    saved = errno;
    if (fd >= 0)
        close(fd);
    errno = saved;
    return ok;
}

/* Add a short text to each of these records, which are there: as virtStateBatchAppend() does, to each its own.
 *
 * Stops at the first failure. Errors: as virtStateFileWriteMany().
 */
bool
virtStateFileAppendMany(virtHost *host, const virtStateText *files, guint n, GError **error)
{
    int dir = -1;
    guint done = 0;

    if (checkFiles(files, n, error))
        dir = virtStateDirOpen(host, false, error);
    if (dir < 0)
        return false;
    while (done < n && appendFile(dir, &files[done]))
        done++;
    if (done < n)
        setUnwritten(host, files[done].name, error);
    virtStateDirClose(host, dir);
    return done == n;
}
