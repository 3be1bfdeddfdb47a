/* virhost.c: files below the host's root, read with bounds, and the default ways to the kernel
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * sysfs is written by drivers of all ages: a value is read whole or not at all, at most one page of it (what
 * sysfs itself can give, PAGE_SIZE in fs/sysfs/file.c on the smallest machines), and never believed further
 * than its parser does.
 */
#include "util/virhost.h"
#include "util/viralone.h"
#include "util/virerror.h"
#include "util/virnetlink.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#define ATTRIBUTE_MAX 4096  /* bytes of one sysfs attribute */
#define WAIT_FIRST 5        /* milliseconds .. */
#define WAIT_STEP 50        /* .. and at most */
#define DIRECTORY_MAX 65536 /* entries: a PF has at most 65535 VFs (PCIe SR-IOV: NumVFs is 16 bits) */

static void
realSleep(gulong microseconds)
{
    g_usleep(microseconds);
}

static int
writeFile(const char *path, const char *value)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY), saved;
    ssize_t n;

    if (fd < 0)
        return -errno;
    do
        n = write(fd, value, strlen(value));
    while (n < 0 && errno == EINTR);
    saved = errno;
    close(fd);
    if (n < 0)
        return -saved;
    return n == (ssize_t)strlen(value) ? 0 : -EIO;
}

typedef struct {
    const char *path, *value;
} WriteAlone;

/* In a process of its own: see viralone.c. */
static void
writeAlone(int answer, void *opaque)
{
    const WriteAlone *what = opaque;
    int rc = writeFile(what->path, what->value);

    if (write(answer, &rc, sizeof(rc)) < 0)
        _exit(1);
}

static int
writeWithin(const char *path, const char *value, guint within)
{
    g_autoptr(GByteArray) answer = g_byte_array_new();
    WriteAlone what = {path, value};
    int rc = virtAloneRun(within, writeAlone, &what, answer);

    if (rc < 0)
        return rc;
    if (answer->len != sizeof(rc))
        return -EAGAIN; /* there was no process, or it has been killed */
    memcpy(&rc, answer->data, sizeof(rc));
    return rc;
}

/* For a loop that waits until the host is ready: sleep a little, and longer the longer it has taken, if less than
 * @longest milliseconds were *@waited before, which counts on. */
bool
virtHostWaitMore(virtHost *host, guint longest, guint *waited)
{
    guint step = CLAMP(*waited, WAIT_FIRST, WAIT_STEP);

    if (*waited >= longest)
        return false;
    host->sleep(step * 1000);
    host->slept += step;
    *waited += step;
    return true;
}

/* What virtHost's write is by default. */
int
virtHostWriteFile(virtHost *host, const char *path, const char *value, guint within)
{
    if (within > 0)
        return writeWithin(path, value, within);
    return writeFile(path, value);
}

/* What virtHost's tryOpen is by default. */
static int
tryOpenFile(virtHost *host, const char *path)
{
    int fd = open(path, O_RDWR | O_CLOEXEC | O_NOCTTY);

    if (fd < 0)
        return -errno;
    close(fd);
    return 0;
}

/* A host whose file system starts at @root: NULL, "" and "/" are the real one. Speaks netlink to the running
 * kernel and really sleeps; a test replaces both. Warnings are dropped until the caller sets `warn`.
 *
 * Returns a host to free with virtHostFree().
 */
virtHost *
virtHostNew(const char *root)
{
    virtHost *host = g_new0(virtHost, 1);

    if (!root)
        root = "";
    host->root = g_strdup(root);
    for (size_t len = strlen(host->root); len > 0 && host->root[len - 1] == '/'; len--)
        host->root[len - 1] = '\0';
    host->request = virtNetlinkRequest;
    host->requestGeneric = virtNetlinkRequestGeneric;
    host->dumpGeneric = virtNetlinkDumpGeneric;
    host->write = virtHostWriteFile;
    host->tryOpen = tryOpenFile;
    host->sleep = realSleep;
    host->readIPv4 = virtNetdevUserReadIPv4;
    host->stateDir = -1;
    return host;
}

/* Closes the sockets too. */
void
virtHostFree(virtHost *host)
{
    if (!host)
        return;
    virtNetlinkClose(host);
    g_free(host->root);
    g_free(host);
}

/* From here to virtHostReadsEnd(), the state directory is opened and verified once, the ports of a PF are looked up
 * once, who has VFs is found out once, cards are asked once, and a netdev's list of VFs is read once and then again
 * after each RTM_SETLINK, to whichever netdev it went: some drivers write one port through another. So many VFs of a
 * port cost one request instead of one each, and no read-back can be older than what it is to confirm.
 *
 * It is for one transaction: what others change meanwhile goes unseen. May be nested; the outermost counts.
 */
virtHostReads *
virtHostReadOnce(virtHost *host)
{
    host->reads++;
    return host;
}

/* Ends what virtHostReadOnce() began, and forgets what was read. */
void
virtHostReadsEnd(virtHostReads *reads)
{
    if (--reads->reads > 0)
        return;
    g_clear_pointer(&reads->pfs, g_ptr_array_unref);
    g_clear_pointer(&reads->links, g_hash_table_unref);
    g_clear_pointer(&reads->opened, g_hash_table_unref);
    g_clear_pointer(&reads->guests, g_ptr_array_unref);
    g_clear_pointer(&reads->cards, g_ptr_array_unref);
    if (reads->stateDir >= 0)
        close(reads->stateDir);
    reads->stateDir = -1;
}

/* Tell the user or the journal, whoever listens, about something that did not stop us. A whole sentence. */
void
virtHostWarn(virtHost *host, const char *format, ...)
{
    va_list args;
    g_autofree char *message = NULL;

    if (!host->warn)
        return;
    va_start(args, format);
    message = g_strdup_vprintf(format, args);
    va_end(args);
    host->warn(host, message);
}

static void
appendUInt(GString *out, guint number)
{
    char digits[10]; /* of 2^32 */
    gsize n = sizeof(digits);

    do
        digits[--n] = (char)('0' + number % 10);
    while (number /= 10);
    g_string_append_len(out, digits + n, (gssize)(sizeof(digits) - n));
}

/* Append what @format, in which there is nothing but %s and %u, makes of @args. False: there is something else, and
 * @out has only what stands before it. */
static bool G_GNUC_PRINTF(2, 0) appendPlain(GString *out, const char *format, va_list args)
{
    const char *percent;

    for (; (percent = strchr(format, '%')); format = percent + 2) {
        g_string_append_len(out, format, percent - format);
        if (percent[1] == 's')
            g_string_append(out, va_arg(args, const char *));
        else if (percent[1] == 'u')
            appendUInt(out, va_arg(args, guint));
        else
            return false;
    }
    g_string_append(out, format);
    return true;
}

/* Many paths are made for each VF, and printf() took a third of what preparing one does outside of the kernel
 * (bench/instructions): so it is left to what has more than names and numbers. */
static char *G_GNUC_PRINTF(2, 0) formatPath(virtHost *host, const char *format, va_list args)
{
    GString *path = g_string_sized_new(128);
    gsize start;
    va_list again;

    g_string_append(path, host->root);
    g_string_append_c(path, '/');
    start = path->len;
    va_copy(again, args);
    if (!appendPlain(path, format, args)) {
        g_string_truncate(path, start);
        g_string_append_vprintf(path, format, again);
    }
    va_end(again);
    return g_string_free(path, FALSE);
}

/* The absolute path of a file named relative to the host's root. Caller frees. */
char *
virtHostPath(virtHost *host, const char *format, ...)
{
    va_list args;
    char *path;

    va_start(args, format);
    path = formatPath(host, format, args);
    va_end(args);
    return path;
}

/* read(2), again where a signal came between. */
static ssize_t
readSome(int fd, char *buffer, size_t size)
{
    ssize_t n;

    do
        n = read(fd, buffer, size);
    while (n < 0 && errno == EINTR);
    return n;
}

/* Fill @buffer from @fd. Returns the number of bytes, or -1 with errno; more than @size bytes is EFBIG. */
static ssize_t
readWhole(int fd, char *buffer, size_t size)
{
    size_t have = 0;
    char extra;
    ssize_t n;

    do {
        n = readSome(fd, buffer + have, size - have);
        if (n < 0)
            return -1;
        have += (size_t)n;
    } while (n > 0 && have < size);
    if (n > 0)
        n = readSome(fd, &extra, 1);
    if (n > 0)
        errno = EFBIG;
    return n == 0 ? (ssize_t)have : -1;
}

/* A driver that has nothing to say of an attribute answers EOPNOTSUPP.
 * @excess: what EFBIG means, which only our own bounds give
 */
static void
setUnread(const char *path, int number, const char *excess, GError **error)
{
    int code = VIRT_ERROR_HOST;
    const char *why = g_strerror(number);

    if (number == ENOENT || number == ENOTDIR || number == EOPNOTSUPP)
        code = VIRT_ERROR_NOT_FOUND;
    if (number == EFBIG)
        why = excess;
    g_set_error(error, VIRT_ERROR, code, "Cannot read %s: %s", path, why);
}

static char *
readPath(const char *path, GError **error)
{
    char buffer[ATTRIBUTE_MAX + 1];
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    ssize_t n = -1;
    int saved;

    if (fd >= 0)
        n = readWhole(fd, buffer, ATTRIBUTE_MAX);
    saved = errno;
    if (fd >= 0)
        close(fd);
    if (n < 0) {
        setUnread(path, saved, "it is longer than " G_STRINGIFY(ATTRIBUTE_MAX) " bytes", error);
        return NULL;
    }
    buffer[n] = '\0';
    if (strlen(buffer) != (size_t)n) {
        g_set_error(error, VIRT_ERROR, VIRT_ERROR_HOST, "Cannot read %s: it holds bytes that are not text", path);
        return NULL;
    }
    while (n > 0 && buffer[n - 1] == '\n')
        buffer[--n] = '\0';
    return g_strdup(buffer);
}

/* The text of a small file, without the newlines at its end. At most 4096 bytes: sysfs has no longer attribute.
 *
 * Returns a string the caller frees, or NULL: VIRT_ERROR_NOT_FOUND when there is no such file or its driver does not
 * have that, VIRT_ERROR_HOST when it cannot be read, is longer or holds a NUL.
 */
char *
virtHostRead(virtHost *host, GError **error, const char *format, ...)
{
    va_list args;
    g_autofree char *path = NULL;

    va_start(args, format);
    path = formatPath(host, format, args);
    va_end(args);
    return readPath(path, error);
}

/* A number as sysfs prints them: decimal ("17"), or hexadecimal after 0x ("0x1003": flags, dev_id). Nothing may
 * follow it; a sign or a leading blank is no number.
 *
 * @max: the greatest value accepted
 */
bool
virtHostParseUInt(const char *text, guint64 max, guint64 *ret)
{
    if (g_str_has_prefix(text, "0x"))
        return g_ascii_string_to_unsigned(text + 2, 16, 0, max, ret, NULL);
    return g_ascii_string_to_unsigned(text, 10, 0, max, ret, NULL);
}

/* Such a number in a file.
 *
 * Errors: those of virtHostRead(), VIRT_ERROR_HOST for anything else than such a number.
 */
bool
virtHostReadUInt(virtHost *host, guint64 max, guint64 *ret, GError **error, const char *format, ...)
{
    va_list args;
    g_autofree char *path = NULL;
    g_autofree char *text = NULL;

    va_start(args, format);
    path = formatPath(host, format, args);
    va_end(args);
    text = readPath(path, error);
    if (!text)
        return false;
    if (!virtHostParseUInt(text, max, ret)) {
        g_autofree char *shown = g_strescape(text, NULL);

        g_set_error(error, VIRT_ERROR, VIRT_ERROR_HOST,
                    "Cannot use %s: it says \"%.40s\", expected a number up to %" G_GUINT64_FORMAT, path, shown, max);
        return false;
    }
    return true;
}

/* Write @value to a file that exists (a sysfs attribute), in one write(2) as sysfs wants it. Returns 0 or -errno. */
int
virtHostTryWrite(virtHost *host, const char *value, const char *format, ...)
{
    va_list args;
    g_autofree char *path = NULL;

    va_start(args, format);
    path = formatPath(host, format, args);
    va_end(args);
    return host->write(host, path, value, 0);
}

/* The same, where the kernel may not come back. It is left alone with that after @within milliseconds, which is
 * -ETIMEDOUT; what it does then remains to be seen. */
int
virtHostTryWriteWithin(virtHost *host, guint within, const char *value, const char *format, ...)
{
    va_list args;
    g_autofree char *path = NULL;

    va_start(args, format);
    path = formatPath(host, format, args);
    va_end(args);
    return host->write(host, path, value, within);
}

/* Whether a device's file can be opened, which some drivers allow one process alone: it is opened and closed. Returns 0
 * or -errno. */
int
virtHostTryOpen(virtHost *host, const char *format, ...)
{
    va_list args;
    g_autofree char *path = NULL;

    va_start(args, format);
    path = formatPath(host, format, args);
    va_end(args);
    return host->tryOpen(host, path);
}

/* As virtHostTryWrite(), but sets a GError.
 *
 * Errors: VIRT_ERROR_NOT_FOUND, VIRT_ERROR_HOST with the kernel's reason.
 */
bool
virtHostWrite(virtHost *host, const char *value, GError **error, const char *format, ...)
{
    va_list args;
    g_autofree char *path = NULL;
    int rc, code = VIRT_ERROR_HOST;

    va_start(args, format);
    path = g_strdup_vprintf(format, args);
    va_end(args);
    rc = virtHostTryWrite(host, value, "%s", path);
    if (rc == 0)
        return true;
    if (rc == -ENOENT)
        code = VIRT_ERROR_NOT_FOUND;
    g_set_error(error, VIRT_ERROR, code, "Cannot write \"%s\" to %s/%s: %s", value, host->root, path, g_strerror(-rc));
    return false;
}

/* Names of devices and drivers; whatever else is there would spoil the sentences that it is put into. */
static bool
isKernelName(const char *name)
{
    gsize n = 0;

    while (g_ascii_isgraph(name[n]))
        n++;
    return n > 0 && name[n] == '\0';
}

/* The last component of what a symbolic link points to: "igb" of …/driver, "0000:01:00.0" of …/physfn.
 *
 * Returns a string the caller frees, or NULL: VIRT_ERROR_NOT_FOUND where there is no such link, VIRT_ERROR_HOST where
 * that cannot be told, or is no name the kernel gives.
 */
char *
virtHostReadLink(virtHost *host, GError **error, const char *format, ...)
{
    char target[PATH_MAX];
    va_list args;
    g_autofree char *path = NULL;
    ssize_t n;
    const char *name;
    g_autofree char *shown = NULL;

    va_start(args, format);
    path = formatPath(host, format, args);
    va_end(args);
    n = readlink(path, target, sizeof(target) - 1);
    if (n < 0) {
        setUnread(path, errno, NULL, error);
        return NULL;
    }
    target[n] = '\0';
    name = strrchr(target, '/');
    if (name)
        name++;
    else
        name = target;
    if (isKernelName(name))
        return g_strdup(name);
    shown = g_strescape(target, NULL);
    g_set_error(error, VIRT_ERROR, VIRT_ERROR_HOST, "Cannot use %s: it points to \"%.80s\", expected a kernel's name",
                path, shown);
    return NULL;
}

static int
compareEntryNames(gconstpointer a, gconstpointer b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The names in a directory, sorted by byte, without those that begin with a dot: no name in sysfs does.
 *
 * Returns an array of strings for g_ptr_array_unref(), empty where there is no such directory; NULL with
 * VIRT_ERROR_HOST where it cannot be read to its end.
 */
GPtrArray *
virtHostListDir(virtHost *host, GError **error, const char *format, ...)
{
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
    va_list args;
    g_autofree char *path = NULL;
    DIR *dir;
    int problem;

    va_start(args, format);
    path = formatPath(host, format, args);
    va_end(args);
    errno = 0;
    dir = opendir(path);
    while (dir && names->len <= DIRECTORY_MAX) {
        const struct dirent *entry;

        errno = 0;
        entry = readdir(dir);
        if (!entry)
            break;
        if (entry->d_name[0] != '.')
            g_ptr_array_add(names, g_strdup(entry->d_name));
    }
    problem = errno;
    if (names->len > DIRECTORY_MAX)
        problem = EFBIG;
    if (dir)
        closedir(dir);
    if (problem && problem != ENOENT && problem != ENOTDIR) {
        setUnread(path, problem, "it has more than " G_STRINGIFY(DIRECTORY_MAX) " entries", error);
        return NULL;
    }
    g_ptr_array_sort(names, compareEntryNames);
    return g_steal_pointer(&names);
}

/* Text that a device says of itself: up to a NUL, without blanks around it. Returns a string for g_free(), or NULL
 * where it is no printable ASCII.
 */
char *
virtHostMakeText(const void *data, gsize len)
{
    g_autofree char *text = g_strndup(data, len);

    for (const char *p = text; *p; p++) {
        if (!g_ascii_isprint(*p))
            return NULL;
    }
    g_strstrip(text);
    return g_steal_pointer(&text);
}

/* All that @fd has to give, up to one byte more than @max, so that whoever parses it sees and names the excess.
 *
 * Returns text with a NUL behind it, which the caller frees; or NULL with VIRT_ERROR_HOST and the kernel's reason,
 * for the caller to say what was being read.
 */
char *
virtHostReadAll(int fd, gsize max, gsize *ret_len, GError **error)
{
    g_autoptr(GString) text = g_string_new(NULL);
    char buffer[16384];
    ssize_t got = 0;

    while (text->len <= max && (got = read(fd, buffer, MIN(sizeof(buffer), max + 1 - text->len))) != 0) {
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            g_set_error_literal(error, VIRT_ERROR, VIRT_ERROR_HOST, g_strerror(errno));
            return NULL;
        }
        g_string_append_len(text, buffer, got);
    }
    *ret_len = text->len;
    return g_string_free(g_steal_pointer(&text), FALSE);
}
