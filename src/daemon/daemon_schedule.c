/* daemon_schedule.c: when a domain is reconciled: as soon as its lock is free, and again where it could not be done
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Whoever has reconciled a domain says here what came of it. What failed, for whatever reason, is tried again by
 * itself: soon at first, then less and less often, without an end: either it is done, or somebody has taken the record
 * away. The end of any domain may be what it waits for (the VF was another guest's), and so may libvirt's return: then
 * all are tried at once.
 */
#include "daemon/daemon.h"

#define AGAIN 5          /* seconds until a barrier that could not be passed is tried again */
#define DELAY_FIRST 1    /* seconds until what failed is tried again, doubled up to */
#define DELAY_LONGEST 60 /* seconds; also how long a fault may have been over unnoticed */

/* ---- what failed ---- */

typedef struct {
    virtDaemon *daemon;
    char *uuid;
    char *told;  /* why, as it was told last */
    guint tries; /* that have failed */
    gint64 last; /* g_get_monotonic_time() of the last of them */
    guint timer; /* until the next; 0: it is under way */
} Unreconciled;

static void
unreconciledFree(gpointer opaque)
{
    Unreconciled *unreconciled = opaque;

    if (unreconciled->timer)
        g_source_remove(unreconciled->timer);
    g_free(unreconciled->uuid);
    g_free(unreconciled->told);
    g_free(unreconciled);
}

static gboolean
onDelayOver(gpointer opaque)
{
    Unreconciled *unreconciled = opaque;

    unreconciled->timer = 0;
    virtDaemonReconcileSoon(unreconciled->daemon, unreconciled->uuid, false);
    return G_SOURCE_REMOVE;
}

/* Tries again @delay seconds after the last try. */
static void
tryAfter(Unreconciled *unreconciled, guint delay)
{
    gint64 left = unreconciled->last + delay * G_USEC_PER_SEC - g_get_monotonic_time();

    if (unreconciled->timer)
        g_source_remove(unreconciled->timer);
    unreconciled->timer = g_timeout_add((guint)(MAX(left, 0) / 1000), onDelayOver, unreconciled);
}

static void
failed(virtDaemon *daemon, const char *uuid, const GError *failure)
{
    Unreconciled *unreconciled = g_hash_table_lookup(daemon->unreconciled, uuid);
    const virtDaemonAbout about = {.uuid = uuid};
    GLogLevelFlags level = G_LOG_LEVEL_DEBUG;

    if (!unreconciled) {
        unreconciled = g_new0(Unreconciled, 1);
        unreconciled->daemon = daemon;
        unreconciled->uuid = g_strdup(uuid);
        g_hash_table_insert(daemon->unreconciled, unreconciled->uuid, unreconciled);
    }
    if (g_strcmp0(unreconciled->told, failure->message) != 0)
        level = G_LOG_LEVEL_WARNING;
    virtDaemonLog(VIRT_LOG_RECONCILE, level, &about, "Cannot reconcile domain %s (trying again): %s", uuid,
                  failure->message);
    g_free(unreconciled->told);
    unreconciled->told = g_strdup(failure->message);
    unreconciled->last = g_get_monotonic_time();
    tryAfter(unreconciled, MIN((guint)DELAY_FIRST << MIN(unreconciled->tries, 16), DELAY_LONGEST));
    unreconciled->tries++;
}

/* The domain was reconciled: @failure is NULL, and there is nothing left to do about it; or it could not be, and is
 * tried again.
 */
void
virtDaemonReconciled(virtDaemon *daemon, const char *uuid, const GError *failure)
{
    const virtDaemonAbout about = {.uuid = uuid};

    if (failure && !daemon->stopping)
        failed(daemon, uuid, failure);
    else if (!failure && g_hash_table_remove(daemon->unreconciled, uuid))
        virtDaemonLog(VIRT_LOG_RECONCILE, G_LOG_LEVEL_INFO, &about, "Domain %s is reconciled now", uuid);
}

/* Something has changed that may be what they wait for. Events may be many: no domain is tried more than once a second.
 */
void
virtDaemonReconcileWaiting(virtDaemon *daemon)
{
    GHashTableIter iter;
    gpointer unreconciled;

    g_hash_table_iter_init(&iter, daemon->unreconciled);
    while (g_hash_table_iter_next(&iter, NULL, &unreconciled)) {
        if (((Unreconciled *)unreconciled)->timer)
            tryAfter(unreconciled, DELAY_FIRST);
    }
}

/* ---- one domain ---- */

/* From being queued to the end of its lock. While it waits it is in daemon->reconciling, where more news of the same
 * domain joins it. */
typedef struct {
    virtDaemon *daemon;
    char *uuid;
    bool barrier, again;
    bool patient, moved; /* among those that may have to wait for libvirt; and has just come there */
    GError *error;
} Own;

static void
ownFree(Own *own)
{
    g_clear_error(&own->error);
    g_free(own->uuid);
    g_free(own);
}

/* Whether libvirt works on the domain, so that a call which takes its job may have to wait for up to 30 seconds. A
 * glance that does not wait itself; what it misses keeps a worker from others for that long. */
static bool
isBusy(virtDaemon *daemon, const char *uuid)
{
    g_autoptr(virConnect) conn = virtDaemonLibvirtGet(daemon, NULL);
    g_autoptr(virDomain) dom = NULL;
    virDomainControlInfo control;
    virDomainJobInfo job;

    if (!conn)
        return false;
    dom = virDomainLookupByUUIDString(conn, uuid);
    if (!dom || virDomainIsActive(dom) != 1)
        return false;
    if (virDomainGetControlInfo(dom, &control, 0) == 0 && control.state != VIR_DOMAIN_CONTROL_OK)
        return true;
    return virDomainGetJobInfo(dom, &job) == 0 && job.type != VIR_DOMAIN_JOB_NONE;
}

static void
reconcileOwn(virtDaemon *daemon, gpointer opaque)
{
    Own *own = opaque;

    own->moved = own->barrier && !own->patient && isBusy(daemon, own->uuid);
    own->patient |= own->moved;
    if (own->moved)
        return;
    virtDaemonReconcile(daemon, own->uuid, own->barrier, &own->again, &own->error);
}

static gboolean onAgain(gpointer opaque);

static void
reconciledOwn(virtDaemon *daemon, gpointer opaque)
{
    Own *own = opaque;

    if (own->moved) {
        virtDaemonJobStartPatient(daemon, reconcileOwn, reconciledOwn, own);
        return;
    }
    virtDaemonReconciled(daemon, own->uuid, own->error);
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

    own->patient = false; /* it may be busy no longer */
    virtDaemonJobStart(own->daemon, reconcileOwn, reconciledOwn, own);
    return G_SOURCE_REMOVE;
}

static void
onOwnGranted(virtDaemon *daemon, gpointer opaque)
{
    Own *own = opaque;

    g_hash_table_remove(daemon->reconciling, own->uuid);
    virtDaemonJobStart(daemon, reconcileOwn, reconciledOwn, own);
}

/* Before the first event can come. */
void
virtDaemonScheduleInit(virtDaemon *daemon)
{
    daemon->endedStarts = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    daemon->reconciling = g_hash_table_new(g_str_hash, g_str_equal);
    daemon->unreconciled = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, unreconciledFree);
}

static Own *
ownNew(virtDaemon *daemon, const char *uuid, bool barrier)
{
    Own *own = g_new0(Own, 1);

    own->daemon = daemon;
    own->uuid = g_strdup(uuid);
    own->barrier = barrier;
    return own;
}

/* Reconciles the domain, whose lock the caller had and gives over: somebody has died with it, perhaps with a call under
 * way.
 */
void
virtDaemonReconcileHeld(virtDaemon *daemon, const char *uuid)
{
    virtDaemonJobStart(daemon, reconcileOwn, reconciledOwn, ownNew(daemon, uuid, true));
}

/* Reconciles the domain when its lock is free.
 * @barrier: somebody may have died with a call under way; asked for once, it stays
 */
void
virtDaemonReconcileSoon(virtDaemon *daemon, const char *uuid, bool barrier)
{
    Own *own = g_hash_table_lookup(daemon->reconciling, uuid);

    if (daemon->stopping)
        return;
    if (own) {
        own->barrier |= barrier;
        return;
    }
    own = ownNew(daemon, uuid, barrier);
    g_hash_table_insert(daemon->reconciling, own->uuid, own);
    virtDaemonLock(daemon, own->uuid, VIRT_DAEMON_ITSELF, onOwnGranted, own);
}
