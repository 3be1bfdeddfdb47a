/* cmd_enable.c: virt-hostdev enable and disable: put virthostdevd in front of libvirt's socket, and take it away
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * systemd owns the sockets and hands them to the daemons by unit name, so libvirt does not notice where a socket
 * is. Drop-ins move the stock sockets to /run/libvirt/stock and give the places they had to ours. Guests go on: they
 * do not depend on libvirt's daemon.
 */
#include "tools/hook_check.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "util/virerror.h"

#define UNIT_DIR "etc/systemd/system"
#define DROP_IN "50-virt-hostdev.conf"
#define STOCK_DIR "/run/libvirt/stock"

/* The daemons that have the QEMU driver, the one that a newer libvirt prefers first. */
static const struct {
    const char *name;
    const char *socket; /* in /run/libvirt */
} stocks[] = {{"virtqemud", "virtqemud-sock"}, {"libvirtd", "libvirt-sock"}};

/* Each stock daemon has a socket for all calls and one for reading. */
static const char *const kinds[] = {"", "-ro"};

static bool
isActive(const char *unit)
{
    return virtToolSystemctl(NULL, NULL, "is-active", "--quiet", unit, NULL);
}

/* ---- drop-ins ---- */

static char *
dropInPath(virtTool *tool, const char *unit)
{
    return virtHostPath(tool->host, UNIT_DIR "/%s.d/" DROP_IN, unit);
}

bool
virtToolIsInFront(virtTool *tool)
{
    g_autofree char *path = dropInPath(tool, "virthostdevd.socket");

    return g_file_test(path, G_FILE_TEST_EXISTS);
}

/* A drop-in that this run has written, and what it takes to undo that. */
typedef struct {
    char *path;
    char *old; /* NULL: there was none */
} Written;

static void
writtenFree(Written *written)
{
    g_free(written->path);
    g_free(written->old);
    g_free(written);
}

/* A file that is the same already is not written, and so not added to @written. */
static bool
writeDropIn(virtTool *tool, const char *unit, const char *text, GPtrArray *written, GError **error)
{
    g_autofree char *path = dropInPath(tool, unit);
    g_autofree char *dir = g_path_get_dirname(path);
    g_autofree char *old = NULL;
    g_autoptr(GError) local = NULL;
    Written *entry;

    if (g_file_get_contents(path, &old, NULL, &local)) {
        if (g_str_equal(old, text))
            return true;
    } else if (!g_error_matches(local, G_FILE_ERROR, G_FILE_ERROR_NOENT)) {
        g_propagate_error(error, g_steal_pointer(&local));
        return false;
    }
    if (g_mkdir_with_parents(dir, 0755) != 0) {
        g_set_error(error, VIRT_ERROR, VIRT_ERROR_HOST, "Cannot create '%s': %m", dir);
        return false;
    }
    entry = g_new0(Written, 1);
    entry->path = g_steal_pointer(&path);
    entry->old = g_steal_pointer(&old);
    g_ptr_array_add(written, entry);
    return g_file_set_contents(entry->path, text, -1, error);
}

static bool
unwrite(const GPtrArray *written, GError **error)
{
    for (guint i = written->len; i-- > 0;) {
        const Written *entry = written->pdata[i];
        g_autofree char *dir = g_path_get_dirname(entry->path);

        if (entry->old) {
            if (!g_file_set_contents(entry->path, entry->old, -1, error))
                return false;
        } else if (g_unlink(entry->path) != 0 && errno != ENOENT) {
            g_set_error(error, VIRT_ERROR, VIRT_ERROR_HOST, "Cannot remove '%s': %m", entry->path);
            return false;
        }
        g_rmdir(dir); /* where it holds nothing else */
    }
    return true;
}

static void
removeDropIn(virtTool *tool, const char *unit, bool *changed)
{
    g_autofree char *path = dropInPath(tool, unit);
    g_autofree char *dir = g_path_get_dirname(path);

    if (g_unlink(path) == 0)
        *changed = true;
    g_rmdir(dir); /* where it holds nothing else */
}

/* Who may connect to the place that libvirt's socket had is what libvirt's own unit says. */
static char *
ourDropIn(const char *unit, const char *path, GError **error)
{
    static const char *const properties[] = {"SocketMode", "SocketUser", "SocketGroup"};
    GString *text = g_string_new(NULL);

    g_string_append_printf(text, "# virt-hostdev enable: clients of %s come here first\n[Socket]\nListenStream=%s\n",
                           unit, path);
    for (guint i = 0; i < G_N_ELEMENTS(properties); i++) {
        g_autofree char *value = NULL;

        if (!virtToolSystemctl(&value, error, "show", "--value", "--property", properties[i], unit, NULL)) {
            g_string_free(text, TRUE);
            return NULL;
        }
        if (*value)
            g_string_append_printf(text, "%s=%s\n", properties[i], value);
    }
    return g_string_free(text, FALSE);
}

static bool
writeDropIns(virtTool *tool, guint stock, GPtrArray *written, GError **error)
{
    for (guint i = 0; i < G_N_ELEMENTS(kinds); i++) {
        g_autofree char *stockUnit = g_strdup_printf("%s%s.socket", stocks[stock].name, kinds[i]);
        g_autofree char *ourUnit = g_strdup_printf("virthostdevd%s.socket", kinds[i]);
        g_autofree char *path = g_strdup_printf("/run/libvirt/%s%s", stocks[stock].socket, kinds[i]);
        g_autofree char *moved = g_strdup_printf("# virt-hostdev enable: virthostdevd stands in its place\n[Socket]\n"
                                                 "ListenStream=\nListenStream=" STOCK_DIR "/%s%s\n",
                                                 stocks[stock].socket, kinds[i]);
        g_autofree char *ours = ourDropIn(stockUnit, path, error);

        if (!ours || !writeDropIn(tool, stockUnit, moved, written, error) ||
            !writeDropIn(tool, ourUnit, ours, written, error))
            return false;
    }
    return true;
}

static void
removeDropIns(virtTool *tool, bool *changed)
{
    for (guint i = 0; i < G_N_ELEMENTS(kinds); i++) {
        g_autofree char *ourUnit = g_strdup_printf("virthostdevd%s.socket", kinds[i]);

        removeDropIn(tool, ourUnit, changed);
        for (guint stock = 0; stock < G_N_ELEMENTS(stocks); stock++) {
            g_autofree char *stockUnit = g_strdup_printf("%s%s.socket", stocks[stock].name, kinds[i]);

            removeDropIn(tool, stockUnit, changed);
        }
    }
}

/* ---- moving ---- */

/* The units of the stock daemon that are active, sockets first: a socket whose service runs cannot start. */
static GPtrArray *
activeUnits(guint stock)
{
    static const char *const suffixes[] = {".socket",     "-ro.socket",  "-admin.socket",
                                           "-tcp.socket", "-tls.socket", ".service"};
    GPtrArray *units = g_ptr_array_new_with_free_func(g_free);

    for (guint i = 0; i < G_N_ELEMENTS(suffixes); i++) {
        g_autofree char *unit = g_strconcat(stocks[stock].name, suffixes[i], NULL);

        if (isActive(unit))
            g_ptr_array_add(units, g_steal_pointer(&unit));
    }
    return units;
}

/* The service first, or its sockets would start it again. */
static bool
stopAll(const GPtrArray *units, GError **error)
{
    for (guint i = units->len; i-- > 0;) {
        if (!virtToolSystemctl(NULL, error, "stop", units->pdata[i], NULL))
            return false;
    }
    return true;
}

static bool
startAll(const GPtrArray *units, GError **error)
{
    for (guint i = 0; i < units->len; i++) {
        if (!virtToolSystemctl(NULL, error, "start", units->pdata[i], NULL))
            return false;
    }
    return true;
}

static bool
stopOurs(GError **error)
{
    return virtToolSystemctl(NULL, error, "stop", "virthostdevd.service", "virthostdevd.socket",
                             "virthostdevd-ro.socket", NULL);
}

/* Have systemd read the changed units, with every socket closed meanwhile. */
static bool
reopen(const GPtrArray *units, bool enable, GError **error)
{
    const char *verb = "disable";

    if (enable)
        verb = "enable";
    return stopOurs(error) && stopAll(units, error) && virtToolSystemctl(NULL, error, "daemon-reload", NULL) &&
           startAll(units, error) &&
           virtToolSystemctl(NULL, error, verb, "--now", "virthostdevd.socket", "virthostdevd-ro.socket", NULL);
}

static bool
findStock(guint *ret, GError **error)
{
    for (guint stock = 0; stock < G_N_ELEMENTS(stocks); stock++) {
        g_autofree char *unit = g_strconcat(stocks[stock].name, ".socket", NULL);

        *ret = stock;
        if (isActive(unit))
            return true;
    }
    g_set_error(
        error, VIRT_ERROR, VIRT_ERROR_HOST,
        "Neither virtqemud.socket nor libvirtd.socket is active, so there is nothing to proxy. Start one of them; where libvirt creates its sockets itself, see 'Without systemd' in kbase/install.rst");
    return false;
}

static bool
checkSystemd(virtTool *tool, GError **error)
{
    g_autofree char *running = virtHostPath(tool->host, "run/systemd/system");

    if (g_file_test(running, G_FILE_TEST_IS_DIR))
        return true;
    g_set_error(error, VIRT_ERROR, VIRT_ERROR_HOST,
                "systemd is not running here. See 'Without systemd' in kbase/install.rst for the manual steps");
    return false;
}

static bool
takeOver(virtTool *tool, const GPtrArray *units, GError **error)
{
    g_autoptr(virConnect) conn = NULL;

    if (!reopen(units, true, error))
        return false;
    conn = virtToolConnect(tool, true, error);
    return conn != NULL;
}

/* What libvirt's sockets leave behind in the place that they were moved to. Some versions of systemd (252) do not
 * remove the files, and whoever looks for the stock daemon would take one that nobody listens on for it. */
static void
removeMoved(virtTool *tool)
{
    g_autofree char *dir = virtHostPath(tool->host, "%s", &STOCK_DIR[1]);

    for (guint stock = 0; stock < G_N_ELEMENTS(stocks); stock++) {
        for (guint i = 0; i < G_N_ELEMENTS(kinds); i++) {
            g_autofree char *path = g_strdup_printf("%s/%s%s", dir, stocks[stock].socket, kinds[i]);

            unlink(path);
        }
    }
    rmdir(dir);
}

/* Leave the host as it was found, also one on which virthostdevd stood in front already.
 * @was: virthostdevd's sockets were enabled */
static void
undo(virtTool *tool, const GPtrArray *written, const GPtrArray *units, bool was, GError **error)
{
    g_autoptr(GError) local = NULL;

    if (unwrite(written, &local) && reopen(units, was, &local)) {
        if (!was)
            removeMoved(tool);
        g_prefix_error(error, "libvirt's sockets were restored after this error: ");
    } else {
        g_prefix_error(
            error,
            "libvirt's sockets may be closed, because undoing failed as well (%s). Run 'systemctl daemon-reload', then start libvirt's socket units. The original error: ",
            local->message);
    }
}

/* What is written before a failure is taken back at once: systemd has not read it yet. */
static bool
prepare(virtTool *tool, guint stock, GPtrArray *written, GError **error)
{
    g_autoptr(GError) local = NULL;

    if (writeDropIns(tool, stock, written, error))
        return true;
    if (!unwrite(written, &local))
        g_prefix_error(error, "Undoing failed (%s) after this error: ", local->message);
    return false;
}

/* Without systemd nothing runs that a hook could harm, as when a system's image is made: then it is only linked. */
static bool
enableHook(virtTool *tool, GError **error)
{
    g_autofree char *running = virtHostPath(tool->host, "run/systemd/system");
    bool isLive = g_file_test(running, G_FILE_TEST_IS_DIR);
    bool changed = false;

    if (isLive) { /* libvirt's daemon ends when it has nothing to do; then this starts it */
        g_autoptr(virConnect) conn = virtToolConnectStock(tool, true, error);

        if (!conn)
            return false;
    }
    if (!virtHookLink(tool, isLive, &changed, error))
        return false;
    if (changed)
        printf("libvirt runs virt-hostdev-hook now\n");
    else
        printf("libvirt already runs virt-hostdev-hook\n");
    return true;
}

static bool
disableHook(virtTool *tool, GError **error)
{
    bool changed = false;

    if (!virtHookUnlink(tool, &changed, error))
        return false;
    if (changed)
        printf("libvirt no longer runs virt-hostdev-hook\n");
    else
        printf("libvirt does not run virt-hostdev-hook\n");
    return true;
}

static bool
enableDaemon(virtTool *tool, GError **error)
{
    g_autoptr(GPtrArray) written = g_ptr_array_new_with_free_func((GDestroyNotify)writtenFree);
    g_autoptr(GPtrArray) units = NULL;
    bool was;
    guint stock;

    if (!checkSystemd(tool, error) || !findStock(&stock, error) || !prepare(tool, stock, written, error))
        return false;
    if (written->len == 0 && isActive("virthostdevd.socket") && isActive("virthostdevd-ro.socket")) {
        printf("virthostdevd already proxies %s\n", stocks[stock].name);
        return true;
    }
    units = activeUnits(stock);
    was = virtToolSystemctl(NULL, NULL, "is-enabled", "--quiet", "virthostdevd.socket", NULL);
    if (!takeOver(tool, units, error)) {
        undo(tool, written, units, was, error);
        return false;
    }
    printf("virthostdevd now proxies %s\n", stocks[stock].name);
    return true;
}

static bool
disableDaemon(virtTool *tool, GError **error)
{
    g_autoptr(GPtrArray) units = NULL;
    bool changed = false;
    guint stock;

    if (!checkSystemd(tool, error))
        return false;
    removeDropIns(tool, &changed);
    if (!changed && !isActive("virthostdevd.socket")) {
        printf("virthostdevd does not proxy libvirt\n");
        return true;
    }
    if (findStock(&stock, NULL))
        units = activeUnits(stock);
    else
        units = g_ptr_array_new_with_free_func(g_free);
    if (!reopen(units, false, error)) {
        g_prefix_error(
            error,
            "The drop-ins were removed, but libvirt's sockets may be closed. Fix the following error, then run 'systemctl daemon-reload' and start libvirt's socket units: ");
        return false;
    }
    removeMoved(tool);
    printf("libvirt listens on its own sockets again\n");
    return true;
}

/* Both commands are about the daemon, and with --hook about the hook. */
static bool
parse(virtTool *tool, int argc, char **argv, gboolean *ret_hook, GError **error)
{
    const GOptionEntry entries[] = {
        {"hook", 0, 0, G_OPTION_ARG_NONE, ret_hook, "only whether libvirt runs virt-hostdev-hook", NULL},
        {NULL},
    };

    return virtToolOptions(tool, entries, &argc, &argv, 0, 0, error);
}

bool
virtCmdEnable(virtTool *tool, int argc, char **argv, GError **error)
{
    gboolean hook = FALSE;

    if (!parse(tool, argc, argv, &hook, error))
        return false;
    if (hook)
        return enableHook(tool, error);
    return enableDaemon(tool, error);
}

bool
virtCmdDisable(virtTool *tool, int argc, char **argv, GError **error)
{
    gboolean hook = FALSE;

    if (!parse(tool, argc, argv, &hook, error))
        return false;
    if (hook)
        return disableHook(tool, error);
    return disableDaemon(tool, error);
}
