/* daemon_watch.c: settling that nobody has asked for: after events, and after each (re)connection to libvirt
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "remote/daemon.h"

#define AGAIN 5 /* seconds until a barrier that could not be passed is tried again */

/* From being queued to the end of its lock. While it waits it is in daemon->settling, where more news of the same
 * domain joins it. */
typedef struct {
    virtDaemon *daemon;
    char *uuid;
    bool barrier, again, told;
    GError *error;
} Own;

static void
ownFree(Own *own)
{
    g_clear_error(&own->error);
    g_free(own->uuid);
    g_free(own);
}

static void
run(virtDaemon *daemon, gpointer opaque)
{
    Own *own = opaque;

    virtDaemonSettle(daemon, own->uuid, own->barrier, &own->again, &own->error);
}

static gboolean onAgain(gpointer opaque);

static void
done(virtDaemon *daemon, gpointer opaque)
{
    Own *own = opaque;
    const virtDaemonAbout about = {.uuid = own->uuid};

    if (own->error && !own->told)
        virtDaemonLog(VIRT_LOG_SETTLE, G_LOG_LEVEL_WARNING, &about, "Domain %s is not settled%s: %s", own->uuid,
                      own->again ? " (trying again)" : "", own->error->message);
    own->told = own->error;
    g_clear_error(&own->error);
    if (own->again) {
        g_timeout_add_seconds(AGAIN, onAgain, own);
        return;
    }
    virtDaemonUnlock(daemon, own->uuid);
    ownFree(own);
}

static gboolean
onAgain(gpointer opaque)
{
    Own *own = opaque;

    virtDaemonJobStart(own->daemon, run, done, own);
    return G_SOURCE_REMOVE;
}

static void
onGranted(virtDaemon *daemon, gpointer opaque)
{
    Own *own = opaque;

    g_hash_table_remove(daemon->settling, own->uuid);
    virtDaemonJobStart(daemon, run, done, own);
}

/* Before the first event can come. */
void
virtDaemonWatchInit(virtDaemon *daemon)
{
    daemon->settling = g_hash_table_new(g_str_hash, g_str_equal);
}

/* Settles the domain when its lock is free.
 * @barrier: somebody may have died with a call under way; asked for once, it stays
 */
void
virtDaemonSettleSoon(virtDaemon *daemon, const char *uuid, bool barrier)
{
    Own *own = g_hash_table_lookup(daemon->settling, uuid);

    if (daemon->stopping)
        return;
    if (own) {
        own->barrier |= barrier;
        return;
    }
    own = g_new0(Own, 1);
    own->daemon = daemon;
    own->uuid = g_strdup(uuid);
    own->barrier = barrier;
    g_hash_table_insert(daemon->settling, own->uuid, own);
    virtDaemonLock(daemon, own->uuid, VIRT_DAEMON_ITSELF, onGranted, own);
}

/* ---- after connecting ---- */

typedef struct {
    guint connection;
    GPtrArray *uuids; /* NULL: could not be listed */
    GError *error;
} Look;

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
    Look *look = opaque;
    g_autoptr(virConnect) conn = virtDaemonLibvirtGet(daemon, &look->error);
    g_autoptr(virtHost) host = virtDaemonHostNew();
    g_autoptr(GPtrArray) records = conn ? virtQemuRecordList(host, &look->error) : NULL;

    if (records && (look->uuids = virtDaemonListOurs(conn, &look->error)))
        addOwners(look->uuids, records);
}

static gboolean
onLookAgain(gpointer opaque)
{
    virtDaemon *daemon = opaque;

    if (daemon->lookAgain && virtDaemonLibvirtIsUp(daemon))
        virtDaemonSettleAll(daemon);
    return G_SOURCE_REMOVE;
}

/* Once all are queued, whoever begins comes behind them. */
static void
lookedAround(virtDaemon *daemon, gpointer opaque)
{
    Look *look = opaque;

    for (guint i = 0; look->uuids && i < look->uuids->len; i++)
        virtDaemonSettleSoon(daemon, look->uuids->pdata[i], true);
    if (look->error) {
        virtDaemonLog(VIRT_LOG_SETTLE, G_LOG_LEVEL_WARNING, NULL, "Cannot look at all domains: %s",
                      look->error->message);
        g_timeout_add_seconds(AGAIN, onLookAgain, daemon);
    } else if (look->uuids && look->connection == daemon->connections) {
        daemon->lookAgain = false;
        virtDaemonLog(VIRT_LOG_SETTLE, G_LOG_LEVEL_INFO, NULL, "%u domains have VFs or netdevs of ours",
                      look->uuids->len);
    }
    g_clear_pointer(&look->uuids, g_ptr_array_unref);
    g_clear_error(&look->error);
    g_free(look);
}

/* Settles every domain that has metadata of ours, and every one that has a record, whether libvirt still knows it or
 * not. What happened while nobody listened is thereby caught up with.
 */
void
virtDaemonSettleAll(virtDaemon *daemon)
{
    Look *look = g_new0(Look, 1);

    look->connection = daemon->connections;
    virtDaemonJobStart(daemon, lookAround, lookedAround, look);
}
