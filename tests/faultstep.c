/* faultstep.c: the C library's calls as steps
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "faultstep.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

const char *const faultPlaces[FAULT_ELSEWHERE] = {
    "record",       "directory",      "lock",       "sysfs",   "status file", "/proc",
    "netlink read", "netlink change", "VF setting", "netlink", "libvirt",
};

const faultCallInfo faultCalls[FAULT_LAST] = {
    [FAULT_OPEN] = {"open", {EMFILE, ENOMEM, EACCES, EIO, EINTR}, FAULT_DIES_BEFORE},
    [FAULT_CREATE] = {"create", {ENOSPC, EDQUOT, EMFILE, ENOMEM, EACCES, EPERM, EROFS, EIO}, FAULT_DIES},
    [FAULT_LOOK] = {"look", {EIO, ENOMEM}, FAULT_DIES_BEFORE},
    [FAULT_READ] = {"read", {EIO, ENODEV, ENOMEM, EINTR}, FAULT_DIES_BEFORE},
    [FAULT_LIST] = {"list", {EMFILE, ENOMEM, EACCES, EIO}, FAULT_DIES_BEFORE},
    [FAULT_READLINK] = {"read link", {EIO, EACCES, ENOMEM}, FAULT_DIES_BEFORE},
    [FAULT_WRITE] = {"write", {ENOSPC, EDQUOT, EFBIG, EIO, EINTR, FAULT_SHORT}, FAULT_DIES},
    [FAULT_SYNC] = {"sync", {EIO, ENOSPC, EDQUOT, EROFS}, FAULT_DIES},
    [FAULT_RENAME] = {"rename, link", {ENOSPC, EDQUOT, EMLINK, ENOMEM, EACCES, EPERM, EROFS, EIO, EBUSY}, FAULT_DIES},
    [FAULT_REMOVE] = {"remove", {EIO, ENOMEM, EACCES, EPERM, EROFS, EBUSY}, FAULT_DIES},
    [FAULT_MAKE] = {"make", {ENOSPC, EDQUOT, EMLINK, ENOMEM, EACCES, EPERM, EROFS, EIO}, FAULT_DIES},
    [FAULT_FLOCK] = {"lock", {EWOULDBLOCK, ENOLCK, EINTR, EINVAL}, FAULT_DIES_BEFORE},
    [FAULT_CLOSE] = {"close", {EIO, EDQUOT, EINTR}, FAULT_DIES_BEFORE},
    [FAULT_CONNECT] = {"connect", {EMFILE, ENOMEM, ENOBUFS, EPERM, EACCES, EPROTONOSUPPORT}, FAULT_DIES},
    [FAULT_SEND] = {"send", {ENOBUFS, ENOMEM, EPERM, EINTR, EAGAIN, ECONNREFUSED}, FAULT_DIES},
    [FAULT_REFUSE] = {"refused", {EPERM, EACCES, ENOMEM, EIO, ENODEV, EBUSY, EAGAIN, EOPNOTSUPP, EINVAL}, FAULT_LIVES},
    [FAULT_RECEIVE] = {"receive", {ENOBUFS, ENOMEM, EAGAIN, EINTR}, FAULT_DIES},
    [FAULT_CALL] = {"call", {EIO, ECONNRESET}, FAULT_DIES}, /* refused; done, and the answer lost */
};

faultShared *faultState;

static struct {
    volatile bool armed; /* glibc says that its functions do not call back; wrapped, they do */
    bool dying;
    const char *root;
    faultHow how;
    guint step;
    faultKind kind;
    int error;
} plan;

/* ---- what is on disk for good ---- */

static ino_t dirty[64]; /* files made and not synced; what is added later may be lost */
static struct {
    char *name;
    bool over; /* there was one of that name */
} made[64];    /* in the state directory, since that was synced */

static void
setDirty(ino_t inode, bool on)
{
    guint free = 0;

    for (guint i = 0; i < G_N_ELEMENTS(dirty); i++) {
        if (dirty[i] == inode)
            dirty[i] = 0;
        if (dirty[i] == 0)
            free = i;
    }
    if (on)
        dirty[free] = inode;
}

static void
addName(const char *name, bool over)
{
    guint free = 0;

    while (made[free].name)
        free++;
    g_assert_cmpuint(free, <, G_N_ELEMENTS(made));
    made[free].name = g_strdup(name);
    made[free].over = over;
}

/* @all: else those that took the place of another, for then there is one of them whatever happens */
static void
clearNames(bool all)
{
    for (guint i = 0; i < G_N_ELEMENTS(made); i++) {
        if (all || made[i].over)
            g_clear_pointer(&made[i].name, g_free);
    }
}

/* Our own look at a file is no step. */
static bool
lookAt(int fd, struct stat *ret)
{
    bool armed = plan.armed;
    bool ok;

    plan.armed = false;
    ok = fstat(fd, ret) == 0;
    plan.armed = armed;
    return ok;
}

static void
noteSync(int fd)
{
    struct stat st;

    if (!lookAt(fd, &st))
        return;
    if (S_ISDIR(st.st_mode))
        clearNames(true);
    else
        setDirty(st.st_ino, false);
}

static int
noteCreate(int fd, int flags)
{
    struct stat st;

    if (plan.armed && fd >= 0 && flags & O_CREAT && lookAt(fd, &st))
        setDirty(st.st_ino, true);
    return fd;
}

/* Would a crash now lose the state file @name, or what it says? Also true where there is none; known while armed. */
bool
faultIsUnsynced(const char *name)
{
    g_autofree char *path = g_strdup_printf("%s/run/libvirt-hostdev/%s", plan.root, name);
    struct stat st;

    if (!plan.armed)
        return false;
    if (stat(path, &st) < 0)
        return true;
    for (guint i = 0; i < G_N_ELEMENTS(dirty); i++) {
        if (dirty[i] == st.st_ino || g_strcmp0(made[i].name, name) == 0)
            return true;
    }
    return false;
}

/* ---- steps ---- */

/* From now on steps count. @root: kept. @how: what happens at step number @step (1..), which is of @kind. */
void
faultArm(const char *root, faultHow how, guint step, faultKind kind, int error)
{
    memset(dirty, 0, sizeof(dirty));
    clearNames(true);
    faultState->steps = 0;
    plan.root = root;
    plan.how = how;
    plan.step = step;
    plan.kind = kind;
    plan.error = error;
    plan.armed = true;
}

/* Returns whether steps have counted until now. */
bool
faultDisarm(void)
{
    bool armed = plan.armed;

    plan.armed = false;
    return armed;
}

void
faultRearm(void)
{
    plan.armed = true;
}

/* A step begins: an errno with which it shall fail, or 0. */
int
faultBegin(faultPlace place, faultCall call)
{
    bool same = plan.kind.place == place && plan.kind.call == call;
    guint n;

    if (!plan.armed || place == FAULT_ELSEWHERE)
        return 0;
    n = ++faultState->steps;
    g_assert_cmpuint(n, <, FAULT_STEPS_MAX);
    if (plan.how == FAULT_NONE)
        faultState->kinds[n] = (faultKind){(guint16)place, (guint16)call};
    if (plan.how == FAULT_ALWAYS && same && n >= plan.step)
        return plan.error;
    if (plan.how == FAULT_NONE || n != plan.step)
        return 0;
    g_assert_true(same); /* up to here all runs are alike */
    if (plan.how == FAULT_BEFORE)
        _exit(FAULT_DIED);
    plan.dying = plan.how == FAULT_AFTER;
    if (plan.how == FAULT_WITHIN)
        return FAULT_SHORT;
    return plan.how == FAULT_ONCE ? plan.error : 0;
}

void
faultEnd(void)
{
    int saved = errno;

    if (plan.dying)
        _exit(FAULT_DIED);
    errno = saved;
}

static int
fail(int error)
{
    errno = error;
    return -1;
}

/* ---- where ---- */

static faultPlace
placeOfPath(const char *path)
{
    static const struct {
        const char *prefix, *suffix;
        faultPlace place;
    } places[] = {
        {"/run/libvirt-hostdev/", ".lock", FAULT_LOCK},
        {"/run/libvirt-hostdev/", "", FAULT_RECORD},
        {"/run/libvirt-hostdev", "", FAULT_DIRECTORY},
        {"/run/libvirt/", "", FAULT_STATUS},
        {"/run", "", FAULT_DIRECTORY},
        {"/sys/", "", FAULT_SYSFS},
    };

    if (!plan.armed)
        return FAULT_ELSEWHERE;
    if (g_str_has_prefix(path, "/proc/"))
        return FAULT_PROC;
    if (!g_str_has_prefix(path, plan.root))
        return FAULT_ELSEWHERE;
    for (guint i = 0; i < G_N_ELEMENTS(places); i++) {
        if (g_str_has_prefix(path + strlen(plan.root), places[i].prefix) && g_str_has_suffix(path, places[i].suffix))
            return places[i].place;
    }
    return FAULT_ELSEWHERE;
}

ssize_t __real_readlink(const char *path, char *buffer, size_t size);

static char *
pathAt(int fd, const char *name)
{
    char link[64], path[PATH_MAX];
    ssize_t n;

    g_snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    n = __real_readlink(link, path, sizeof(path) - 1);
    path[MAX(n, 0)] = '\0';
    return name ? g_strdup_printf("%s/%s", path, name) : g_strdup(path);
}

static faultPlace
placeOf(int fd, const char *name)
{
    g_autofree char *path = plan.armed ? pathAt(fd, name) : NULL;

    return path ? placeOfPath(path) : FAULT_ELSEWHERE;
}

/* ---- the calls ---- */

/* WRAP(TYPE, NAME, (PARAMETERS), (ARGUMENTS), PLACE, CALL, FAILED): a call that does what it does, or not */
#define WRAP(type, name, parameters, arguments, where, what, failed)                                                   \
    type __real_##name parameters;                                                                                     \
    type __wrap_##name parameters;                                                                                     \
    type __wrap_##name parameters                                                                                      \
    {                                                                                                                  \
        int problem = faultBegin(where, what);                                                                         \
        if (problem) {                                                                                                 \
            fail(problem);                                                                                             \
            return failed;                                                                                             \
        }                                                                                                              \
        type result = __real_##name arguments;                                                                         \
        faultEnd();                                                                                                    \
        return result;                                                                                                 \
    }

#define OPENING(flags) ((flags)&O_CREAT ? FAULT_CREATE : FAULT_OPEN)

WRAP(int, open, (const char *path, int flags, mode_t mode), (path, flags, mode), placeOfPath(path), OPENING(flags), -1)
WRAP(int, open64, (const char *path, int flags, mode_t mode), (path, flags, mode), placeOfPath(path), OPENING(flags),
     -1)
WRAP(int, faccessat, (int dir, const char *name, int mode, int flags), (dir, name, mode, flags), placeOf(dir, name),
     FAULT_LOOK, -1)
WRAP(int, access, (const char *path, int mode), (path, mode), placeOfPath(path), FAULT_LOOK, -1)
WRAP(int, fstat, (int fd, struct stat *st), (fd, st), placeOf(fd, NULL), FAULT_LOOK, -1)
WRAP(int, fstat64, (int fd, struct stat *st), (fd, st), placeOf(fd, NULL), FAULT_LOOK, -1)
WRAP(ssize_t, read, (int fd, void *buffer, size_t size), (fd, buffer, size), placeOf(fd, NULL), FAULT_READ, -1)
WRAP(DIR *, opendir, (const char *path), (path), placeOfPath(path), FAULT_LIST, NULL)
WRAP(DIR *, fdopendir, (int fd), (fd), placeOf(fd, NULL), FAULT_LIST, NULL)
WRAP(struct dirent *, readdir, (DIR * dir), (dir), placeOf(dirfd(dir), NULL), FAULT_LIST, NULL)
WRAP(struct dirent *, readdir64, (DIR * dir), (dir), placeOf(dirfd(dir), NULL), FAULT_LIST, NULL)
WRAP(ssize_t, readlink, (const char *path, char *buffer, size_t size), (path, buffer, size), placeOfPath(path),
     FAULT_READLINK, -1)
WRAP(int, unlinkat, (int dir, const char *name, int flags), (dir, name, flags), placeOf(dir, name), FAULT_REMOVE, -1)
WRAP(int, mkdir, (const char *path, mode_t mode), (path, mode), placeOfPath(path), FAULT_MAKE, -1)
WRAP(int, symlinkat, (const char *target, int dir, const char *name), (target, dir, name), placeOf(dir, name),
     FAULT_MAKE, -1)
WRAP(int, flock, (int fd, int operation), (fd, operation), placeOf(fd, NULL), FAULT_FLOCK, -1)

#define WRAP_OPENAT(name)                                                                                              \
    int __real_##name(int dir, const char *file, int flags, mode_t mode);                                              \
    int __wrap_##name(int dir, const char *file, int flags, mode_t mode);                                              \
    int __wrap_##name(int dir, const char *file, int flags, mode_t mode)                                               \
    {                                                                                                                  \
        int problem = faultBegin(placeOf(dir, file), OPENING(flags));                                                  \
        if (problem)                                                                                                   \
            return fail(problem);                                                                                      \
        int fd = noteCreate(__real_##name(dir, file, flags, mode), flags);                                             \
        faultEnd();                                                                                                    \
        return fd;                                                                                                     \
    }

WRAP_OPENAT(openat)
WRAP_OPENAT(openat64)

/* Half of it, where the plan says so. */
#define WRAP_WRITE(name, parameters, arguments)                                                                        \
    ssize_t __real_##name parameters;                                                                                  \
    ssize_t __wrap_##name parameters;                                                                                  \
    ssize_t __wrap_##name parameters                                                                                   \
    {                                                                                                                  \
        int problem = faultBegin(placeOf(fd, NULL), FAULT_WRITE);                                                      \
        if (problem && problem != FAULT_SHORT)                                                                         \
            return fail(problem);                                                                                      \
        size = problem ? size / 2 : size;                                                                              \
        ssize_t n = __real_##name arguments;                                                                           \
        noteWritten(fd, data, n);                                                                                      \
        if (problem && plan.how == FAULT_WITHIN)                                                                       \
            _exit(FAULT_DIED);                                                                                         \
        faultEnd();                                                                                                    \
        return n;                                                                                                      \
    }

static void
noteWritten(int fd, const void *data, ssize_t n)
{
    g_autofree char *path = plan.armed && n > 0 ? pathAt(fd, NULL) : NULL;

    if (path && placeOfPath(path) == FAULT_SYSFS)
        faultKernelWritten(path, data, (size_t)n);
}

WRAP_WRITE(write, (int fd, const void *data, size_t size), (fd, data, size))
WRAP_WRITE(pwrite, (int fd, const void *data, size_t size, off_t at), (fd, data, size, at))
WRAP_WRITE(pwrite64, (int fd, const void *data, size_t size, off_t at), (fd, data, size, at))
WRAP(ssize_t, pread, (int fd, void *data, size_t size, off_t at), (fd, data, size, at), placeOf(fd, NULL), FAULT_READ,
     -1)
WRAP(ssize_t, pread64, (int fd, void *data, size_t size, off_t at), (fd, data, size, at), placeOf(fd, NULL), FAULT_READ,
     -1)

/* Linux closes a file whatever it says. */
int __real_close(int fd);
int __wrap_close(int fd);
int
__wrap_close(int fd)
{
    int problem = faultBegin(placeOf(fd, NULL), FAULT_CLOSE);
    int rc = __real_close(fd);

    faultEnd();
    return problem ? fail(problem) : rc;
}

int __real_closedir(DIR *dir);
int __wrap_closedir(DIR *dir);
int
__wrap_closedir(DIR *dir)
{
    int problem = faultBegin(placeOf(dirfd(dir), NULL), FAULT_CLOSE);
    int rc = __real_closedir(dir);

    faultEnd();
    return problem ? fail(problem) : rc;
}

static int
syncStep(int fd, int (*real)(int fd), bool all)
{
    int problem = faultBegin(placeOf(fd, NULL), FAULT_SYNC);
    int rc;

    if (problem) {
        clearNames(false); /* what follows is the undoing */
        return fail(problem);
    }
    rc = real(fd);
    noteSync(fd);
    if (all) {
        memset(dirty, 0, sizeof(dirty));
        clearNames(true);
    }
    faultEnd();
    return rc;
}

#define WRAP_SYNC(name, all)                                                                                           \
    int __real_##name(int fd);                                                                                         \
    int __wrap_##name(int fd);                                                                                         \
    int __wrap_##name(int fd)                                                                                          \
    {                                                                                                                  \
        return syncStep(fd, __real_##name, all);                                                                       \
    }

WRAP_SYNC(fsync, false)
WRAP_SYNC(fdatasync, false)
WRAP_SYNC(syncfs, true)

int __real_renameat(int from, const char *old, int to, const char *new);
int __wrap_renameat(int from, const char *old, int to, const char *new);
int
__wrap_renameat(int from, const char *old, int to, const char *new)
{
    int problem = faultBegin(placeOf(to, new), FAULT_RENAME);
    struct stat st;
    bool over;
    int rc;

    if (problem)
        return fail(problem);
    over = fstatat(to, new, &st, AT_SYMLINK_NOFOLLOW) == 0;
    rc = __real_renameat(from, old, to, new);
    addName(new, over);
    faultEnd();
    return rc;
}

int __real_linkat(int from, const char *old, int to, const char *new, int flags);
int __wrap_linkat(int from, const char *old, int to, const char *new, int flags);
int
__wrap_linkat(int from, const char *old, int to, const char *new, int flags)
{
    int problem = faultBegin(placeOf(to, new), FAULT_RENAME);
    int rc;

    if (problem)
        return fail(problem);
    rc = __real_linkat(from, old, to, new, flags);
    addName(new, false);
    faultEnd();
    return rc;
}

/* GLib's own calls are not sent here; to us this is one step. */
gboolean __real_g_file_get_contents(const char *path, char **text, gsize *len, GError **error);
gboolean __wrap_g_file_get_contents(const char *path, char **text, gsize *len, GError **error);
gboolean
__wrap_g_file_get_contents(const char *path, char **text, gsize *len, GError **error)
{
    int problem = faultBegin(placeOfPath(path), FAULT_OPEN);
    gboolean ok;

    if (problem) {
        g_set_error(error, G_FILE_ERROR, (gint)g_file_error_from_errno(problem), "%s", g_strerror(problem));
        return FALSE;
    }
    ok = __real_g_file_get_contents(path, text, len, error);
    faultEnd();
    return ok;
}
