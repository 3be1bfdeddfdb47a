/* daemon_drift.c: looking for what somebody else has changed of VFs that guests have
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Every drift_interval seconds all are looked at; and soon after rtnetlink or devlink has news of a PF, that PF's. One
 * look at a time, in a worker. Our own changes are news too: hints are collected before a look, and a look takes at
 * most a tenth of the time, since reading a PF's VFs keeps everybody else from the host's network.
 */
#include "daemon/daemon.h"
#include "hypervisor/provision_drift.h"
#include "util/virnetlink.h"

#include <glib-unix.h>

#define SOON 1000 /* milliseconds from the first hint to the look, at least .. */
#define SHARE 10  /* .. and so many times what the last look took */

struct _virtDaemonDrift {
    virtDaemon *daemon;
    virtHost *host;          /* for the main loop */
    virtDriftMonitor *watch; /* the worker's while one is at work */
    GHashTable *hints;       /* PCI addresses of PFs, a set */
    bool all;                /* and all others */
    bool forgive;            /* virtDriftMonitorForgive() first */
    bool running;
    guint soon, slow; /* timers; 0: none */
    gint64 took;      /* microseconds, the last look */
    char *told;       /* what kept it from looking */
};

typedef struct {
    virtDaemonDrift *drift;
    GHashTable *pfs; /* NULL: all */
    bool enforce, forgive;
    gint64 took;
    GError *error;
} DriftLook;

static void lookSoon(virtDaemonDrift *drift);

static void
lookAtVFs(virtDaemon *daemon, gpointer opaque)
{
    DriftLook *look = opaque;
    g_autoptr(virtHost) host = virtDaemonHostNew();
    gint64 began = g_get_monotonic_time();

    (void)daemon;
    host->warn = NULL; /* records that cannot be read are told where they are needed, not each time */
    if (look->forgive)
        virtDriftMonitorForgive(look->drift->watch);
    virtDriftMonitorLook(look->drift->watch, host, look->pfs, look->enforce, began, &look->error);
    look->took = g_get_monotonic_time() - began;
}

static void
lookedAtVFs(virtDaemon *daemon, gpointer opaque)
{
    DriftLook *look = opaque;
    virtDaemonDrift *drift = look->drift;

    (void)daemon;
    if (look->error && g_strcmp0(look->error->message, drift->told) != 0)
        virtDaemonLog(VIRT_LOG_WARNING, G_LOG_LEVEL_WARNING, NULL, "Cannot check VFs for changes: %s",
                      look->error->message);
    g_clear_pointer(&drift->told, g_free);
    if (look->error)
        drift->told = g_strdup(look->error->message);
    drift->took = look->took;
    drift->running = false;
    if (look->pfs)
        g_hash_table_unref(look->pfs);
    g_clear_error(&look->error);
    g_free(look);
    if (drift->all || g_hash_table_size(drift->hints) > 0)
        lookSoon(drift);
}

static GHashTable *
newSet(void)
{
    return g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
}

static gboolean
onSoon(gpointer opaque)
{
    virtDaemonDrift *drift = opaque;
    DriftLook *look;

    drift->soon = 0;
    if (drift->daemon->stopping)
        return G_SOURCE_REMOVE;
    look = g_new0(DriftLook, 1);
    look->drift = drift;
    look->enforce = drift->daemon->config->enforce;
    look->forgive = drift->forgive;
    if (drift->all)
        g_hash_table_remove_all(drift->hints);
    else
        look->pfs = g_steal_pointer(&drift->hints);
    if (!drift->hints)
        drift->hints = newSet();
    drift->all = drift->forgive = false;
    drift->running = true;
    virtDaemonJobStart(drift->daemon, lookAtVFs, lookedAtVFs, look);
    return G_SOURCE_REMOVE;
}

static void
lookSoon(virtDaemonDrift *drift)
{
    gint64 longest = (gint64)drift->daemon->config->driftInterval * 1000;
    gint64 delay = MAX(SOON, MIN(drift->took / 1000 * SHARE, longest));

    if (!drift->running && !drift->soon)
        drift->soon = g_timeout_add((guint)delay, onSoon, drift);
}

static gboolean
onSlow(gpointer opaque)
{
    virtDaemonDrift *drift = opaque;

    drift->all = true;
    lookSoon(drift);
    return G_SOURCE_CONTINUE;
}

/* What is no PCI device has no VFs. The name may be another by now; then there is news of that too. */
static void
onNetdev(const char *ifname, void *opaque)
{
    virtDaemonDrift *drift = opaque;
    g_autofree char *device = virtHostReadLink(drift->host, NULL, "sys/class/net/%s/device", ifname);
    virtPCIAddress address;

    if (!device || !virtPCIAddressParse(device, &address, NULL))
        return;
    g_hash_table_add(drift->hints, g_steal_pointer(&device));
    lookSoon(drift);
}

static void
onDevice(const char *name, void *opaque)
{
    virtDaemonDrift *drift = opaque;

    g_hash_table_add(drift->hints, g_strdup(name));
    lookSoon(drift);
}

static gboolean
onNews(gint fd, GIOCondition condition, gpointer opaque)
{
    virtDaemonDrift *drift = opaque;

    (void)condition;
    if (!virtNetlinkWatchRead(fd, virtNetlinkWatchParse, onNetdev, drift))
        onSlow(drift);
    return G_SOURCE_CONTINUE;
}

static gboolean
onDevlinkNews(gint fd, GIOCondition condition, gpointer opaque)
{
    virtDaemonDrift *drift = opaque;

    (void)condition;
    if (!virtNetlinkWatchRead(fd, virtNetlinkWatchParseDevlink, onDevice, drift))
        onSlow(drift);
    return G_SOURCE_CONTINUE;
}

static void
listenTo(virtDaemonDrift *drift, int (*watch)(GError **), GUnixFDSourceFunc func)
{
    g_autoptr(GError) error = NULL;
    int fd = watch(&error);

    if (fd >= 0)
        g_unix_fd_add(fd, G_IO_IN, func, drift);
    else
        virtDaemonLog(VIRT_LOG_WARNING, G_LOG_LEVEL_WARNING, NULL, "%s", error->message);
}

/* The configuration was read: look at once, also at what was left alone. */
void
virtDaemonDriftReload(virtDaemon *daemon)
{
    virtDaemonDrift *drift = daemon->drift;

    if (drift->slow)
        g_source_remove(drift->slow);
    drift->slow = g_timeout_add_seconds(daemon->config->driftInterval, onSlow, drift);
    drift->forgive = true;
    onSlow(drift);
}

/* Begins to look. Without the kernel's news there is the interval. */
void
virtDaemonDriftInit(virtDaemon *daemon)
{
    virtDaemonDrift *drift = g_new0(virtDaemonDrift, 1);

    daemon->drift = drift;
    drift->daemon = daemon;
    drift->host = virtDaemonHostNew();
    drift->watch = virtDriftMonitorNew();
    drift->hints = newSet();
    listenTo(drift, virtNetlinkWatchOpen, onNews);
    listenTo(drift, virtNetlinkWatchOpenDevlink, onDevlinkNews);
    virtDaemonDriftReload(daemon);
}
