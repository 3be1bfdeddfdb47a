/* daemon_events.c: what is reconciled that nobody has asked for: after libvirt's events, and after each (re)connection
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "daemon/daemon.h"

#define AGAIN 5 /* seconds until all domains are listed again, where that failed */

/* ---- after connecting ---- */

typedef struct {
    guint connection;
    GPtrArray *uuids; /* NULL: could not be listed */
    GError *error;
} DomainsLook;

static void
addOwners(GPtrArray *uuids, const GPtrArray *records)
{
    for (guint i = 0; i < records->len; i++) {
        const virtRecord *record = records->pdata[i];

        if (record->owner.uuid && !g_ptr_array_find_with_equal_func(uuids, record->owner.uuid, g_str_equal, NULL))
            g_ptr_array_add(uuids, g_strdup(record->owner.uuid));
    }
}

static void
lookAround(virtDaemon *daemon, gpointer opaque)
{
    DomainsLook *look = opaque;
    g_autoptr(virConnect) conn = virtDaemonLibvirtGet(daemon, &look->error);
    g_autoptr(virtHost) host = virtDaemonHostNew();
    g_autoptr(GPtrArray) records = NULL;

    if (!conn)
        return;
    records = virtProvisionRecordList(host, &look->error);
    if (!records)
        return;
    look->uuids = virtDaemonListOurs(conn, &look->error);
    if (look->uuids)
        addOwners(look->uuids, records);
}

static void reconcileAll(virtDaemon *daemon);

static gboolean
onLookAgain(gpointer opaque)
{
    virtDaemon *daemon = opaque;

    if (daemon->lookAgain && virtDaemonLibvirtIsUp(daemon))
        reconcileAll(daemon);
    return G_SOURCE_REMOVE;
}

/* Once all are queued, whoever begins comes behind them. */
static void
lookedAround(virtDaemon *daemon, gpointer opaque)
{
    DomainsLook *look = opaque;

    for (guint i = 0; look->uuids && i < look->uuids->len; i++) {
        virtDaemonReconcileSoon(daemon, look->uuids->pdata[i], true);
        virtDaemonResolveSoon(daemon, look->uuids->pdata[i]);
    }
    if (look->error) {
        virtDaemonLog(VIRT_LOG_RECONCILE, G_LOG_LEVEL_WARNING, NULL, "Cannot reconcile all domains: %s",
                      look->error->message);
        g_timeout_add_seconds(AGAIN, onLookAgain, daemon);
    } else if (look->uuids && look->connection == daemon->connections) {
        daemon->lookAgain = false;
        virtDaemonLog(VIRT_LOG_RECONCILE, G_LOG_LEVEL_INFO, NULL, "%u domains have devices that are set",
                      look->uuids->len);
    }
    g_clear_pointer(&look->uuids, g_ptr_array_unref);
    g_clear_error(&look->error);
    g_free(look);
}

/* Reconciles every domain that has metadata of ours, and every one that has a record, whether libvirt still knows it or
 * not. What happened while nobody listened is thereby caught up with. */
static void
reconcileAll(virtDaemon *daemon)
{
    DomainsLook *look = g_new0(DomainsLook, 1);

    look->connection = daemon->connections;
    virtDaemonJobStart(daemon, lookAround, lookedAround, look);
}

/* ---- news ---- */

static void
onDomain(virtDaemon *daemon, const char *uuid, bool started)
{
    if (started) {
        virtDaemonStarted(daemon, uuid);
        return;
    }
    virtDaemonReconcileSoon(daemon, uuid, false);
    virtDaemonReconcileWaiting(daemon);
}

static void
onLibvirtConnection(virtDaemon *daemon, bool up)
{
    daemon->lookAgain = true;
    daemon->connections++;
    if (up) {
        reconcileAll(daemon);
        virtDaemonReconcileWaiting(daemon);
    } else {
        virtDaemonBrokerDisconnected(daemon);
    }
}

/* Connects to libvirt and listens.
 *
 * Errors: as for virtDaemonLibvirtInit().
 */
bool
virtDaemonEventsInit(virtDaemon *daemon, GError **error)
{
    static const virtDaemonLibvirtNews news = {onDomain, onLibvirtConnection};

    return virtDaemonLibvirtInit(daemon, &news, error);
}
