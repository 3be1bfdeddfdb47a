/* hook_check.c: whether libvirt's daemon runs the hook, found out before a guest does; and to have it do so, or not
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Three things keep it from running. The file: absent, dangling or without its x bit, it is skipped without a word, and
 * guests start with VFs that nobody has set. The policy: a hook that the daemon finds and may not execute fails every
 * start. And time: the daemon looks for hooks when it starts and when it gets SIGHUP, and if it found none then, it
 * calls none.
 */
#include "tools/hook_check.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config.h"
#include "util/virerror.h"

#define HOOK VIRT_HOOKS_DIR "/50-virt-hostdev"
#define PROGRAM VIRT_SBIN_DIR "/virt-hostdev-hook"

enum {
    NOT_CONFINED = 125, /* the child could not take on the profile */
    USAGE = 2,          /* what the hook ends with when it has no arguments */
};

/* ---- findings ---- */

void
virtFindingClear(virtFinding *finding)
{
    g_clear_pointer(&finding->wrong, g_free);
    g_clear_pointer(&finding->command, g_free);
}

void
virtFindingSet(virtFinding *finding, char *command, const char *wrong, ...)
{
    va_list args;

    virtFindingClear(finding);
    va_start(args, wrong);
    finding->wrong = g_strdup_vprintf(wrong, args);
    va_end(args);
    finding->command = command;
}

char *
virtFindingText(const virtFinding *finding)
{
    if (!finding->command)
        return g_strdup(finding->wrong);
    return g_strdup_printf("%s. Run: %s", finding->wrong, finding->command);
}

/* ---- the daemon ---- */

typedef struct {
    const char *name;
    guint64 pid;
} Daemon;

/* The one with the QEMU driver; it notes its pid where it keeps its sockets. */
static bool
findDaemon(virtHost *host, Daemon *ret)
{
    static const char *const names[] = {"virtqemud", "libvirtd"};

    for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *comm = NULL;

        ret->name = names[i];
        if (!virtHostReadUInt(host, G_MAXINT32, &ret->pid, NULL, "run/%s.pid", names[i]))
            continue;
        comm = virtHostRead(host, NULL, "proc/%" G_GUINT64_FORMAT "/comm", ret->pid);
        if (g_strcmp0(comm, names[i]) == 0)
            return true;
    }
    return false;
}

static void
noDaemon(virtFinding *ret)
{
    ret->unsure = true;
    virtFindingSet(ret, g_strdup("systemctl start libvirtd"),
                   "unknown, because neither virtqemud nor libvirtd runs with a pid file in /run");
}

/* ---- the file ---- */

void
virtHookCheckFile(virtTool *tool, virtFinding *ret)
{
    g_autofree char *path = virtHostPath(tool->host, "%s", &HOOK[1]);
    g_autofree char *target = g_file_read_link(path, NULL);
    struct stat st;

    if (stat(path, &st) == 0) {
        if (!S_ISREG(st.st_mode) || !(st.st_mode & 0111))
            virtFindingSet(ret, g_strdup_printf("chmod 0755 %s", path), "%s is not executable, so libvirt skips it",
                           path);
    } else if (target) {
        virtFindingSet(ret, g_strdup("ln -sfn " PROGRAM " " HOOK), "%s points to %s, which cannot be reached: %s", path,
                       target, g_strerror(errno));
    } else {
        virtFindingSet(ret, g_strdup("virt-hostdev enable --hook"), "%s: %s", path, g_strerror(errno));
    }
}

/* ---- the policy ---- */

/* The label that the policy knows process @pid by; "": no policy is in force. NULL: it cannot be read. */
static char *
readLabel(virtHost *host, guint64 pid, const char *lsm, GError **error)
{
    g_autofree char *label = virtHostRead(host, NULL, "proc/%" G_GUINT64_FORMAT "/attr/%s/current", pid, lsm);

    if (label)
        return g_steal_pointer(&label);
    return virtHostRead(host, error, "proc/%" G_GUINT64_FORMAT "/attr/current", pid);
}

/* "libvirtd (enforce)" is a profile's name and its mode; a mode that only logs, and "unconfined", allow everything. */
static bool
findProfile(virtHost *host, guint64 pid, char **ret_profile, GError **error)
{
    g_autofree char *enabled = virtHostRead(host, NULL, "sys/module/apparmor/parameters/enabled");
    g_autofree char *label = NULL;
    char *mode;

    if (g_strcmp0(enabled, "Y") != 0)
        return true;
    if (!(label = readLabel(host, pid, "apparmor", error)))
        return false;
    mode = strstr(label, " (");
    if (!mode || g_str_equal(mode, " (complain)") || g_str_equal(mode, " (unconfined)"))
        return true;
    *mode = '\0';
    *ret_profile = g_steal_pointer(&label);
    return true;
}

typedef struct {
    const char *attr; /* the file that changes the profile of who writes to it; NULL: stay as we are */
    const char *order;
} Confinement;

/* In the child, before it becomes the hook: from here on it may execute what the daemon may. */
static void
confine(gpointer opaque)
{
    const Confinement *confinement = opaque;
    int fd;

    if (!confinement->attr)
        return;
    fd = open(confinement->attr, O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, confinement->order, strlen(confinement->order)) < 0)
        _exit(NOT_CONFINED);
    close(fd);
}

/* Run the hook once, as the daemon would, but without arguments, so that it does nothing.
 * @hook: its path
 * @profile: AppArmor's, or NULL
 * @ret_status: what it ended with, as waitpid() has it
 */
static bool
tryHook(virtHost *host, const char *hook, const char *profile, int *ret_status, GError **error)
{
    g_autofree char *path = virtHostPath(host, "%s", &hook[1]);
    g_autofree char *own = virtHostPath(host, "proc/self/attr/apparmor/current");
    g_autofree char *older = virtHostPath(host, "proc/self/attr/current");
    g_autofree char *order = g_strdup_printf("changeprofile %s", profile);
    Confinement confinement = {.order = order};
    char *argv[] = {path, NULL};

    if (profile && g_file_test(own, G_FILE_TEST_EXISTS))
        confinement.attr = own;
    else if (profile)
        confinement.attr = older;
    return g_spawn_sync(NULL, argv, NULL, G_SPAWN_STDOUT_TO_DEV_NULL | G_SPAWN_STDERR_TO_DEV_NULL, confine,
                        &confinement, NULL, NULL, ret_status, error);
}

static void
refused(virtHost *host, const char *hook, const char *profile, const char *why, virtFinding *ret)
{
    g_autofree char *path = virtHostPath(host, "%s", &hook[1]);
    g_autofree char *target = g_file_read_link(path, NULL);
    const char *install = "Configure libvirt-hostdev with -Dsbindir=/usr/sbin and install it";
    char *command = g_strdup("ln -sfn " PROGRAM " " HOOK);

    if (!profile) {
        virtFindingSet(ret, command, "it cannot be executed, so no domain can start: %s", why);
        return;
    }
    if (!target)
        target = g_steal_pointer(&path);
    if (g_strcmp0(target, PROGRAM) == 0)
        g_clear_pointer(&command, g_free);
    virtFindingSet(
        ret, command,
        "AppArmor's profile '%s' does not let it execute %s, so no domain can start, and its next restart terminates all guests%s%s",
        profile, target, command ? "" : ". ", command ? "" : install);
}

/* AppArmor's answer is had by trying. SELinux decides by the type of the process that forks, which cannot be taken on.
 */
static void
askSELinux(virtHost *host, const Daemon *daemon, virtFinding *ret)
{
    g_autofree char *enforced = virtHostRead(host, NULL, "sys/fs/selinux/enforce");
    g_autofree char *label = NULL;

    if (g_strcmp0(enforced, "1") != 0)
        return;
    label = readLabel(host, daemon->pid, "selinux", NULL);
    if (!label)
        label = g_strdup("unknown");
    if (strstr(label, ":unconfined_t"))
        return;
    ret->unsure = true;
    virtFindingSet(
        ret, g_strdup_printf("ausearch -m avc -ts recent -c rpc-%s", daemon->name),
        "unknown, because SELinux is enforcing and %s runs as '%s', whose policy may deny hooks. Start a domain first",
        daemon->name, label);
}

static void
checkExecute(virtTool *tool, const char *hook, virtFinding *ret)
{
    g_autofree char *profile = NULL;
    g_autoptr(GError) error = NULL;
    const char *problem = "no usage";
    Daemon daemon;
    int status;

    if (!findDaemon(tool->host, &daemon)) {
        noDaemon(ret);
    } else if (!findProfile(tool->host, daemon.pid, &profile, &error)) {
        ret->unsure = true;
        virtFindingSet(ret, NULL, "unknown, because the AppArmor profile of %s cannot be read: %s", daemon.name,
                       error->message);
    } else if (!tryHook(tool->host, hook, profile, &status, &error)) {
        refused(tool->host, hook, profile, error->message, ret);
    } else if (WIFEXITED(status) && WEXITSTATUS(status) == NOT_CONFINED) {
        ret->unsure = true;
        virtFindingSet(
            ret, NULL,
            "unknown, because AppArmor's profile '%s' cannot be entered from here. Run this as root, outside of any container",
            profile);
    } else if (!g_spawn_check_wait_status(status, &error) && WIFEXITED(status) && WEXITSTATUS(status) == USAGE) {
        askSELinux(tool->host, &daemon, ret);
    } else {
        if (error)
            problem = error->message;
        virtFindingSet(ret, g_strdup(hook), "it does not work (%s). Its own message says why", problem);
    }
}

void
virtHookCheckExecute(virtTool *tool, virtFinding *ret)
{
    g_auto(virtFinding) missing = {0};

    virtHookCheckFile(tool, &missing);
    if (!missing.wrong) {
        checkExecute(tool, HOOK, ret);
        return;
    }
    ret->unsure = true;
    virtFindingSet(ret, NULL, "unknown without an executable hook");
}

/* ---- in and out ---- */

/* Whether what stands in the hook's place is a link to the program: true too where nothing stands there. */
static bool
isOwnLink(const char *path, bool *ret_there, GError **error)
{
    g_autofree char *target = g_file_read_link(path, NULL);

    *ret_there = target || g_file_test(path, G_FILE_TEST_EXISTS);
    if (!*ret_there || g_strcmp0(target, PROGRAM) == 0)
        return true;
    g_set_error(error, VIRT_ERROR, VIRT_ERROR_REFUSED,
                "%s is not a link to " PROGRAM " and was left alone. Remove it if nothing else needs it", path);
    return false;
}

/* Have libvirt's daemon look for hooks, which it does when it starts and when it is told to reload. */
static bool
reload(virtTool *tool, GError **error)
{
    g_autofree char *unit = NULL;
    Daemon daemon;

    if (!findDaemon(tool->host, &daemon))
        return true;
    unit = g_strconcat(daemon.name, ".service", NULL);
    return virtToolSystemctl(NULL, error, "reload", unit, NULL);
}

static bool
makeLink(const char *path, GError **error)
{
    g_autofree char *dir = g_path_get_dirname(path);

    if (g_mkdir_with_parents(dir, 0755) == 0 && symlink(PROGRAM, path) == 0)
        return true;
    g_set_error(error, VIRT_ERROR, VIRT_ERROR_HOST, "Cannot create %s: %s", path, g_strerror(errno));
    return false;
}

/* Let libvirt's daemon run the hook. Before it can find it, it is tried as the daemon would run it: a hook that is
 * found and may not be executed fails every start, and the daemon's next restart terminates all guests.
 *
 * @proven: it must be certain that it may; otherwise it must only not be known that it may not
 * @ret_changed: it did not before
 */
bool
virtHookLink(virtTool *tool, bool proven, bool *ret_changed, GError **error)
{
    g_autofree char *path = virtHostPath(tool->host, "%s", &HOOK[1]);
    g_auto(virtFinding) finding = {0};
    bool there = false;

    if (!isOwnLink(path, &there, error))
        return false;
    *ret_changed = !there;
    if (there)
        return true;
    checkExecute(tool, PROGRAM, &finding);
    if (finding.wrong && (proven || !finding.unsure)) {
        g_autofree char *text = virtFindingText(&finding);

        g_set_error(error, VIRT_ERROR, VIRT_ERROR_REFUSED,
                    "The hook was not installed. Whether libvirt's daemon may execute it: %s", text);
        return false;
    }
    return makeLink(path, error) && reload(tool, error);
}

/* Let libvirt's daemon run it no more: a hook that is gone is skipped, so nothing needs to be reloaded.
 * @ret_changed: there was one */
bool
virtHookUnlink(virtTool *tool, bool *ret_changed, GError **error)
{
    g_autofree char *path = virtHostPath(tool->host, "%s", &HOOK[1]);

    if (!isOwnLink(path, ret_changed, error))
        return false;
    if (!*ret_changed || unlink(path) == 0)
        return true;
    g_set_error(error, VIRT_ERROR, VIRT_ERROR_HOST, "Cannot remove %s: %s", path, g_strerror(errno));
    return false;
}

/* ---- time ---- */

/* When @pid started, in microseconds since 1970, to a hundredth of a second; 0 where it cannot be told. Field 22 of
 * /proc/PID/stat (proc(5)) counts from the boot. */
static gint64
startedAt(virtHost *host, guint64 pid)
{
    g_autofree char *stat = virtHostRead(host, NULL, "proc/%" G_GUINT64_FORMAT "/stat", pid);
    g_autofree char *uptime = virtHostRead(host, NULL, "proc/uptime");
    g_auto(GStrv) fields = NULL; /* fields[1] is field 3 */
    const char *name;
    double up;

    if (!stat || !uptime)
        return 0;
    name = strrchr(stat, ')');
    if (!name)
        return 0;
    fields = g_strsplit(name + 1, " ", -1);
    if (g_strv_length(fields) <= 20)
        return 0;
    up = g_ascii_strtod(uptime, NULL) - g_ascii_strtod(fields[20], NULL) / (double)sysconf(_SC_CLK_TCK);
    return g_get_real_time() - (gint64)(up * G_USEC_PER_SEC);
}

/* When systemd last had the daemon reload, to a second; 0: never since its start.
 * Returns false where systemd does not know: it is older, or did not start this process. A SIGHUP by hand, nobody
 * knows. */
static bool
reloadedAt(const Daemon *daemon, gint64 *ret)
{
    g_autofree char *unit = g_strconcat(daemon->name, ".service", NULL);
    g_autofree char *main = g_strdup_printf("MainPID=%" G_GUINT64_FORMAT, daemon->pid);
    g_autofree char *said = NULL;
    g_auto(GStrv) lines = NULL;
    const char *at;

    if (!virtToolSystemctl(&said, NULL, "show", "--timestamp=unix", "--property=MainPID,ExecReload", unit, NULL))
        return false;
    lines = g_strsplit(said, "\n", -1);
    if (!g_strv_contains((const char *const *)lines, main))
        return false;
    *ret = 0;
    at = strstr(said, "start_time=[@");
    if (at)
        *ret = g_ascii_strtoll(at + strlen("start_time=[@"), NULL, 10) * G_USEC_PER_SEC;
    return true;
}

static gint64
microseconds(const struct statx_timestamp *at)
{
    return at->tv_sec * G_USEC_PER_SEC + at->tv_nsec / 1000;
}

/* Since when the file at @path can be nothing but the hook it is: since its last change, or its target's.
 * G_MAXINT64: it is no hook. */
static gint64
hookSince(const char *path)
{
    struct statx link, file;

    if (statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS, &link) < 0 ||
        statx(AT_FDCWD, path, 0, STATX_BASIC_STATS, &file) < 0 || !S_ISREG(file.stx_mode) || !(file.stx_mode & 0111))
        return G_MAXINT64;
    return MAX(microseconds(&link.stx_ctime), microseconds(&file.stx_ctime));
}

/* The one of libvirt's QEMU hooks, whoever's, that has been there longest: with any, the daemon calls all. */
static gint64
oldestHook(virtHost *host)
{
    g_autoptr(GPtrArray) names = virtHostListDir(host, NULL, "%s", &VIRT_HOOKS_DIR[1]);
    g_autofree char *single = virtHostPath(host, "%s/../qemu", &VIRT_HOOKS_DIR[1]);
    gint64 oldest = hookSince(single);

    for (guint i = 0; names && i < names->len; i++) {
        g_autofree char *path = virtHostPath(host, "%s/%s", &VIRT_HOOKS_DIR[1], (char *)names->pdata[i]);

        oldest = MIN(oldest, hookSince(path));
    }
    return oldest;
}

/* Was there no place for a hook at the time @at? False also where the file system does not know. */
static bool
wasImpossible(virtHost *host, gint64 at)
{
    g_autofree char *dir = virtHostPath(host, "%s", &VIRT_HOOKS_DIR[1]);
    g_autofree char *single = virtHostPath(host, "%s/../qemu", &VIRT_HOOKS_DIR[1]);
    struct statx st;

    return !g_file_test(single, G_FILE_TEST_EXISTS) && statx(AT_FDCWD, dir, 0, STATX_BTIME, &st) == 0 &&
           (st.stx_mask & STATX_BTIME) && microseconds(&st.stx_btime) > at;
}

void
virtHookCheckNoticed(virtTool *tool, virtFinding *ret)
{
    g_autofree char *command = NULL;
    gint64 oldest = oldestHook(tool->host);
    gint64 started, reloaded = 0;
    bool known;
    Daemon daemon;

    if (!findDaemon(tool->host, &daemon)) {
        noDaemon(ret);
        return;
    }
    started = startedAt(tool->host, daemon.pid);
    known = reloadedAt(&daemon, &reloaded);
    if (oldest < started || oldest / G_USEC_PER_SEC <= reloaded / G_USEC_PER_SEC)
        return;
    if (known)
        command = g_strconcat("systemctl reload ", daemon.name, NULL);
    else
        command = g_strdup_printf("kill -HUP %" G_GUINT64_FORMAT, daemon.pid);
    ret->unsure = !known || started == 0 || !wasImpossible(tool->host, MAX(started, reloaded));
    if (ret->unsure)
        virtFindingSet(ret, g_steal_pointer(&command),
                       "unknown, because %s was started before the hooks were last changed", daemon.name);
    else
        virtFindingSet(ret, g_steal_pointer(&command), "%s was started before there were hooks and calls none",
                       daemon.name);
}
