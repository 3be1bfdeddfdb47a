/* virstatefile.c: small files under /run/libvirt-hostdev that survive a crash whole
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * ROOT/run/libvirt-hostdev/, 0700, ours; one record a device, 0600, named by a PCI address, optionally with a suffix,
 * or by another device's bus and name:
 *
 *     0000:06:02.0             a record; its text is the caller's. May share a file with others (virstatewrite.c)
 *     mdev-c5f5e1a2-…          the same
 *     .0000:06:02.0.new        a record being written, and one about to take another's place (.over); left only by a
 *                              crash, never read, and removed when the record is next written or removed
 *     0000:06:00.0.lock        the lock of a PF (virstatelock.c)
 *
 * /run is emptied by a reboot, and so are the VFs.
 *
 * The directory is opened once per call, or once for all calls while a virtHostReads is open, without following a
 * link, and looked at before it is believed: whoever could write there could have us set any VF. All else goes through
 * its descriptor.
 */
#include "util/virstatefile.h"
#include "util/virerror.h"
#include "util/virhandle.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LIST_MAX 65536 /* records: a PF has at most as many VFs, and no host has that many in all */

static int
errnoCode(int number)
{
    if (number == ENOENT)
        return VIRT_ERROR_NOT_FOUND;
    return VIRT_ERROR_HOST;
}

/* "0000:06:02.0" and what may follow it: nothing, or a dot or dash with more of [0-9a-z.-]. */
static bool
isPCIName(const char *name)
{
    g_autofree char *pci = NULL;
    virtPCIAddress address;
    size_t len = strlen(name), base = strspn(name, "0123456789abcdef:");

    if (name[base] != '.' || name[base + 1] == '\0')
        return false;
    base += 2; /* the dot and the function */
    pci = g_strndup(name, base);
    if (!virtPCIAddressParse(pci, &address, NULL) || strchr(pci, ':') == strrchr(pci, ':'))
        return false;
    if (len == base)
        return true;
    if (name[base] != '.' && name[base] != '-')
        return false;
    return strspn(name + base, "0123456789abcdefghijklmnopqrstuvwxyz.-") == len - base;
}

/* "mdev-c5f5e1a2-…": a bus, and a device's name there. */
static bool
isHandleName(const char *name)
{
    g_auto(GStrv) parts = g_strsplit(name, "-", 2);
    virtHandle handle;

    return g_strv_length(parts) == 2 && virtHandleSet(&handle, parts[0], parts[1], NULL) &&
           strcmp(handle.bus, "pci") != 0; /* those have no bus in their names */
}

static bool
isValidName(const char *name)
{
    return strlen(name) <= VIRT_STATE_NAME_MAX && !strstr(name, "..") && (isPCIName(name) || isHandleName(name)) &&
           !g_str_has_suffix(name, VIRT_STATE_LOCK_SUFFIX);
}

/* Is @name one of a record: a PCI address with domain, as the kernel prints it, and maybe a suffix, or the bus and the
 * name of another device, 64 bytes at most? So a name cannot leave the directory, nor be taken for a lock or a file
 * being written.
 *
 * Errors: VIRT_ERROR_INVALID.
 */
bool
virtStateNameCheck(const char *name, GError **error)
{
    g_autofree char *shown = NULL;

    if (isValidName(name))
        return true;
    shown = g_strescape(name, NULL);
    if (strlen(name) > VIRT_STATE_NAME_MAX) {
        g_set_error(error, VIRT_ERROR, VIRT_ERROR_INVALID,
                    "\"%.80s\" cannot name a state file: it has more than " G_STRINGIFY(VIRT_STATE_NAME_MAX) " bytes",
                    shown);
    } else {
        g_set_error(error, VIRT_ERROR, VIRT_ERROR_INVALID,
                    "\"%.80s\" cannot name a state file: expected a PCI address such as 0000:06:02.0, or BUS-NAME",
                    shown);
    }
    return false;
}

/* The name of a file that is to become the record @name. Only who holds the PF's lock writes records, so what bears
 * that name already is a crash's.
 */
void
virtStateNameTemporary(const char *name, const char *stage, char ret[VIRT_STATE_NAME_MAX + 8])
{
    g_snprintf(ret, VIRT_STATE_NAME_MAX + 8, ".%s.%s", name, stage);
}

static void
removeTemporaries(int dir, const char *name)
{
    static const char *const stages[] = {VIRT_STATE_NEW, VIRT_STATE_OVER};
    char temp[VIRT_STATE_NAME_MAX + 8];

    for (guint i = 0; i < G_N_ELEMENTS(stages); i++) {
        virtStateNameTemporary(name, stages[i], temp);
        unlinkat(dir, temp, 0);
    }
}

/* Nobody but us may be able to write there, or read who runs what. */
static bool
checkDirectory(int fd, const char *path, GError **error)
{
    struct stat st;

    if (fstat(fd, &st) < 0) {
        g_set_error(error, VIRT_ERROR, VIRT_ERROR_HOST, "Cannot check state directory %s: %s", path, g_strerror(errno));
        return false;
    }
    if (st.st_uid == geteuid() && (st.st_mode & 077) == 0)
        return true;
    g_set_error(
        error, VIRT_ERROR, VIRT_ERROR_HOST,
        "State directory %s cannot be trusted: it has owner %u and mode %04o, expected owner %u and mode 0700. Find out who created it and remove it; it will be recreated",
        path, (guint)st.st_uid, (guint)st.st_mode & 07777, (guint)geteuid());
    return false;
}

/* Make the directory and the run/ above it, which only a host under --root may lack. */
static bool
makeDirectory(virtHost *host, const char *path, GError **error)
{
    g_autofree char *parent = virtHostPath(host, "run");
    const char *advice = "";
    int code = VIRT_ERROR_HOST;

    if ((mkdir(path, 0700) == 0 || errno == EEXIST) ||
        (errno == ENOENT && (mkdir(parent, 0755) == 0 || errno == EEXIST) &&
         (mkdir(path, 0700) == 0 || errno == EEXIST)))
        return true;
    if (errno != EACCES && errno != EPERM)
        code = errnoCode(errno);
    if (geteuid() != 0)
        advice = ". Only root can";
    g_set_error(error, VIRT_ERROR, code, "Cannot create state directory %s: %s%s", path, g_strerror(errno), advice);
    return false;
}

static int
openDirectory(virtHost *host, bool create, GError **error)
{
    g_autofree char *path = virtHostPath(host, VIRT_STATE_DIR);
    int fd;

    if (create && !makeDirectory(host, path, error))
        return -1;
    fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) {
        g_set_error(error, VIRT_ERROR, errnoCode(errno), "Cannot open state directory %s: %s", path, g_strerror(errno));
        return -1;
    }
    if (checkDirectory(fd, path, error))
        return fd;
    close(fd);
    return -1;
}

/* Open the state directory and verify that it is ours alone. For the *at() calls of this file and virstatelock.c.
 *
 * @create: make it where it is missing
 *
 * Returns a descriptor for virtStateDirClose(), or -1: VIRT_ERROR_NOT_FOUND where it is missing, VIRT_ERROR_HOST
 * otherwise.
 */
int
virtStateDirOpen(virtHost *host, bool create, GError **error)
{
    int fd;

    if (host->stateDir >= 0)
        return host->stateDir;
    fd = openDirectory(host, create, error);
    if (fd >= 0 && host->reads > 0)
        host->stateDir = fd;
    return fd;
}

/* Leaves it open where others will ask for it. */
void
virtStateDirClose(virtHost *host, int fd)
{
    if (fd >= 0 && fd != host->stateDir)
        close(fd);
}

/* Is what has been opened a regular file that nobody else could have written to? */
bool
virtStateFileIsOurs(int fd)
{
    struct stat st;

    return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == geteuid() && (st.st_mode & 022) == 0;
}

/* The text of @fd, if it is a file of ours of at most VIRT_STATE_MAX bytes. Else NULL, with @ret_why, and whether that
 * stays so until somebody has looked (VIRT_ERROR_INVALID) or is so this time (VIRT_ERROR_HOST). */
static char *
readRecord(int fd, const char **ret_why, int *ret_code)
{
    gsize len;
    g_autofree char *text = NULL;

    errno = 0;
    if (!virtStateFileIsOurs(fd)) {
        *ret_code = VIRT_ERROR_INVALID;
        *ret_why = "it is not a regular file that only this user can write";
        if (errno) {
            *ret_code = VIRT_ERROR_HOST;
            *ret_why = g_strerror(errno);
        }
        return NULL;
    }
    text = virtHostReadAll(fd, VIRT_STATE_MAX, &len, NULL);
    if (!text) {
        *ret_code = VIRT_ERROR_HOST;
        *ret_why = "it cannot be read";
        return NULL;
    }
    *ret_code = VIRT_ERROR_INVALID;
    if (len > VIRT_STATE_MAX)
        *ret_why = "it is longer than " G_STRINGIFY(VIRT_STATE_MAX) " bytes";
    else if (strlen(text) < len)
        *ret_why = "it holds a NUL";
    else
        return g_steal_pointer(&text);
    return NULL;
}

static char *
openAndRead(int dir, virtHost *host, const char *name, GError **error)
{
    const char *why;
    int code, fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    char *text;

    if (fd < 0) {
        code = errnoCode(errno);
        why = g_strerror(errno);
        if (errno == ELOOP) /* a link: somebody put it there */
            code = VIRT_ERROR_INVALID;
        if (errno == ENOENT)
            why = "there is none";
        g_set_error(error, VIRT_ERROR, code, "Cannot open state file %s/" VIRT_STATE_DIR "/%s: %s", host->root, name,
                    why);
        return NULL;
    }
    text = readRecord(fd, &why, &code);
    if (!text) {
        g_set_error(error, VIRT_ERROR, code, "State file %s/" VIRT_STATE_DIR "/%s cannot be used: %s", host->root, name,
                    why);
    }
    close(fd);
    return text;
}

/* Of a file's text, the sections that are @name's or everybody's; see virstatewrite.c. Takes @text. */
static char *
takeSections(char *text, const char *name)
{
    char *at = strstr(text, VIRT_STATE_SECTION), *out = at;
    gsize len = strlen(name);

    while (at) {
        char *head = at + strlen(VIRT_STATE_SECTION);
        char *next = strstr(head, VIRT_STATE_SECTION), *end = next;
        char *line = strchr(head, '\n'), *body;
        bool its = *head == '\n' || (strncmp(head, name, len) == 0 && head[len] == '\n');

        if (!end)
            end = head + strlen(head);
        body = end;
        if (its && line && line < end) /* a section may be cut off before its line ends */
            body = line + 1;
        memmove(out, body, (gsize)(end - body));
        out += end - body;
        at = next;
    }
    if (out)
        *out = '\0';
    return text;
}

/* Is there a record of that name, or anything that keeps us from seeing it? virtStateFileRead() will tell; this is
 * for who asks about many that are not there.
 */
bool
virtStateFileExists(virtHost *host, const char *name)
{
    g_autoptr(GError) problem = NULL;
    int dir = virtStateDirOpen(host, false, &problem);
    bool missing;

    if (dir < 0)
        return !g_error_matches(problem, VIRT_ERROR, VIRT_ERROR_NOT_FOUND);
    missing = faccessat(dir, name, F_OK, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT;
    virtStateDirClose(host, dir);
    return !missing;
}

/* The text of a record, and what was appended to it. Makes nothing.
 *
 * Returns a string the caller frees, or NULL: VIRT_ERROR_NOT_FOUND when there is no such record (or no directory),
 * VIRT_ERROR_INVALID for a bad name, and for what is not a file of ours or cannot be a record; VIRT_ERROR_HOST when it
 * cannot be read this time.
 */
char *
virtStateFileRead(virtHost *host, const char *name, GError **error)
{
    int dir;
    char *text;

    if (!virtStateNameCheck(name, error))
        return NULL;
    dir = virtStateDirOpen(host, false, error);
    if (dir < 0)
        return NULL;
    text = openAndRead(dir, host, name, error);
    virtStateDirClose(host, dir);
    if (!text)
        return NULL;
    return takeSections(text, name);
}

/* Remove a record, and what a crash has left of writing it; one that is not there is fine.
 *
 * Errors: VIRT_ERROR_INVALID for a bad name, VIRT_ERROR_HOST.
 */
bool
virtStateFileRemove(virtHost *host, const char *name, GError **error)
{
    g_autoptr(GError) missing = NULL;
    int dir;
    bool ok;

    if (!virtStateNameCheck(name, error))
        return false;
    dir = virtStateDirOpen(host, false, &missing);
    if (dir < 0) {
        bool fine = g_error_matches(missing, VIRT_ERROR, VIRT_ERROR_NOT_FOUND);

        if (!fine)
            g_propagate_error(error, g_steal_pointer(&missing));
        return fine;
    }
    removeTemporaries(dir, name);
    ok = (unlinkat(dir, name, 0) == 0 && fsync(dir) == 0) || errno == ENOENT;
    if (!ok) {
        g_set_error(error, VIRT_ERROR, VIRT_ERROR_HOST, "Cannot remove state file %s/" VIRT_STATE_DIR "/%s: %s",
                    host->root, name, g_strerror(errno));
    }
    virtStateDirClose(host, dir);
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
    int fd = openDirectory(host, false, &problem); /* not a shared one: reading moves it */
    DIR *dir = NULL;
    int unread;

    if (fd < 0 && g_error_matches(problem, VIRT_ERROR, VIRT_ERROR_NOT_FOUND))
        return g_steal_pointer(&names);
    if (fd >= 0)
        dir = fdopendir(fd);
    if (!dir) {
        if (fd >= 0)
            close(fd);
        if (problem) {
            g_propagate_error(error, g_steal_pointer(&problem));
        } else {
            g_set_error(error, VIRT_ERROR, VIRT_ERROR_HOST, "Cannot list state directory %s/" VIRT_STATE_DIR ": %s",
                        host->root, g_strerror(errno));
        }
        return NULL;
    }
    while (names->len <= LIST_MAX) {
        const struct dirent *entry;

        errno = 0;
        entry = readdir(dir);
        if (!entry)
            break;
        if (virtStateNameCheck(entry->d_name, NULL))
            g_ptr_array_add(names, g_strdup(entry->d_name));
    }
    unread = errno;
    closedir(dir);
    if (names->len > LIST_MAX) {
        g_set_error(error, VIRT_ERROR, VIRT_ERROR_HOST,
                    "Cannot list state directory %s/" VIRT_STATE_DIR
                    ": it has more than " G_STRINGIFY(LIST_MAX) " records",
                    host->root);
        return NULL;
    }
    if (unread) {
        g_set_error(error, VIRT_ERROR, VIRT_ERROR_HOST, "Cannot list state directory %s/" VIRT_STATE_DIR ": %s",
                    host->root, g_strerror(unread));
        return NULL;
    }
    g_ptr_array_sort(names, compareNames);
    return g_steal_pointer(&names);
}
