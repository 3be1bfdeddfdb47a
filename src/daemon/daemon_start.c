/* daemon_start.c: a domain has started: were its VFs set?
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * It is libvirt's hook that sets them, and libvirt does not run a hook that it does not know of, that is not
 * executable, or that a policy denies; it then starts the guest all the same. So each start is looked at: when
 * libvirt's event comes, whoever has started the domain, and before a client of ours hears that its start succeeded.
 *
 * What is started now and was not set is ended where virthostdevd.conf says so. What was found running when we came
 * is only told: its users have it, for better or worse, and who updates this daemon must not lose guests.
 */
#include "daemon/daemon.h"

/* Is a device of @domain, by what its metadata says, without a record? Looked at before and after libvirt was asked for
 * the devices: one that is being attached or detached has a record at either time. */
static virtHostdev *
findUnset(virtHost *host, const virtOwner *owner, const GPtrArray *metadata, const virtDomainConf *live, GError **error)
{
    for (guint i = 0; i < metadata->len; i++) {
        virtHostdev *entry = metadata->pdata[i];

        if (live && !virtDomainConfHas(live, &entry->handle))
            continue;
        if (!virtProvisionVerify(host, owner, entry, error))
            return entry;
    }
    return NULL;
}

static bool
setGone(const char *uuid, GError **error)
{
    g_set_error(error, VIRT_ERROR, VIRT_ERROR_NOT_FOUND, "Domain %s no longer runs", uuid);
    return false;
}

/* @ret_unset: the first that was not set, for virtHostdevFree() */
static bool
verifyDomain(virtHost *host, virConnectPtr conn, const char *uuid, const GPtrArray *metadata, virtHostdev **ret_unset,
             GError **error)
{
    g_autoptr(virtOwner) owner = virtOwnerNew("", uuid);
    g_autoptr(virtDaemonDomain) domain = NULL;
    g_autoptr(GPtrArray) located = NULL;
    const virtHostdev *unset;

    if (!findUnset(host, owner, metadata, NULL, NULL))
        return true;
    if (!(domain = virtDaemonDomainGet(conn, uuid, error)))
        return false;
    if (!domain->live)
        return setGone(uuid, error);
    located = virtDomainConfLocate(domain->live, metadata);
    if ((unset = findUnset(host, owner, located, domain->live, error)))
        *ret_unset = virtHostdevCopy(unset);
    return !unset;
}

/* The live metadata. */
static GPtrArray *
metadataOf(virConnectPtr conn, const char *uuid, GError **error)
{
    g_autoptr(virDomain) dom = virDomainLookupByUUIDString(conn, uuid);

    if (!dom || virDomainIsActive(dom) != 1) {
        setGone(uuid, error);
        return NULL;
    }
    return virtDaemonMetadataGet(dom, VIR_DOMAIN_AFFECT_LIVE, error);
}

/* @ret_unset: of those that were not set, the first; for virtHostdevFree() */
static bool
verifyAndFind(virtDaemon *daemon, const char *uuid, virtHostdev **ret_unset, GError **error)
{
    g_autoptr(virtHost) host = virtDaemonHostNew();
    g_autoptr(virConnect) conn = virtDaemonLibvirtGet(daemon, error);
    g_autoptr(GPtrArray) metadata = NULL;

    *ret_unset = NULL;
    if (!conn)
        return false;
    metadata = metadataOf(conn, uuid, error);
    if (!metadata)
        return false;
    return verifyDomain(host, conn, uuid, metadata, ret_unset, error);
}

/* Whether all VFs of the domain @uuid were set, if it runs and has any of ours. In a worker, with the domain's lock.
 *
 * Errors: VIRT_ERROR_REFUSED where one was not; VIRT_ERROR_NOT_FOUND where it does not run, see
 * virtDaemonStartTakeEnded(); others where that cannot be told.
 */
bool
virtDaemonStartVerify(virtDaemon *daemon, const char *uuid, GError **error)
{
    virtHostdev *unset = NULL;
    bool ok = verifyAndFind(daemon, uuid, &unset, error);

    virtHostdevFree(unset);
    return ok;
}

/* ---- libvirt's event ---- */

typedef struct {
    virtDaemon *daemon;
    char *uuid;
    bool destroy; /* where it was not set */
    virtHostdev *unset;
    GError *error, *problem; /* what is wrong; why it could not be ended */
} Check;

static void
checkFree(Check *check)
{
    g_clear_error(&check->error);
    g_clear_error(&check->problem);
    virtHostdevFree(check->unset);
    g_free(check->uuid);
    g_free(check);
}

static void
destroy(Check *check)
{
    virConnectPtr conn = virtDaemonLibvirtBorrow(check->daemon, &check->problem);
    g_autoptr(virDomain) dom = NULL;

    if (!conn)
        return;
    dom = virDomainLookupByUUIDString(conn, check->uuid);
    if (!dom || virDomainDestroy(dom) < 0)
        virtDaemonLibvirtError(&check->problem, "Cannot stop domain", check->uuid);
    virtDaemonLibvirtReturn(check->daemon, conn);
}

static void
checkStart(virtDaemon *daemon, gpointer opaque)
{
    Check *check = opaque;
    g_autoptr(virtHost) host = virtDaemonHostNew();

    if (verifyAndFind(daemon, check->uuid, &check->unset, &check->error) || !check->unset ||
        !g_error_matches(check->error, VIRT_ERROR, VIRT_ERROR_REFUSED))
        return;
    virtProvisionCountUnprovisioned(host, check->unset);
    if (check->destroy)
        destroy(check);
}

static char *
describeOutcome(const Check *check)
{
    if (!check->destroy)
        return g_strdup("It keeps running, because virthostdevd.conf has unprovisioned = \"warn\"");
    if (check->problem)
        return g_strdup_printf("It could not be stopped: %s", check->problem->message);
    return g_strdup("It was stopped");
}

/* Only in this time may a client still ask whether its start was ended: libvirt answers it when it sends its event. */
#define ASKED_WITHIN (30 * G_TIME_SPAN_SECOND)

static gboolean
isOver(gpointer uuid, gpointer ended, gpointer now)
{
    return *(gint64 *)now - *(gint64 *)ended > ASKED_WITHIN;
}

/* Starts that no client of ours has made are never asked for. */
static void
addEnded(virtDaemon *daemon, const char *uuid)
{
    gint64 now = g_get_monotonic_time();

    g_hash_table_foreach_remove(daemon->endedStarts, isOver, &now);
    g_hash_table_insert(daemon->endedStarts, g_strdup(uuid), g_memdup2(&now, sizeof(now)));
}

static void
checkedStart(virtDaemon *daemon, gpointer opaque)
{
    Check *check = opaque;
    g_autofree char *outcome = describeOutcome(check);
    virtDaemonAbout about = {.uuid = check->uuid};

    if (check->unset)
        about.handle = &check->unset->handle;
    if (check->unset && g_error_matches(check->error, VIRT_ERROR, VIRT_ERROR_REFUSED))
        virtDaemonLog(VIRT_LOG_UNPROVISIONED, G_LOG_LEVEL_CRITICAL, &about, "Domain %s: %s. %s", check->uuid,
                      check->error->message, outcome);
    else if (check->error && !g_error_matches(check->error, VIRT_ERROR, VIRT_ERROR_NOT_FOUND))
        virtDaemonLog(VIRT_LOG_RECONCILE, G_LOG_LEVEL_WARNING, &about,
                      "Cannot tell whether the VFs of domain %s were set when it started: %s", check->uuid,
                      check->error->message);
    if (check->unset && check->destroy && g_error_matches(check->error, VIRT_ERROR, VIRT_ERROR_REFUSED))
        addEnded(daemon, check->uuid);
    virtDaemonUnlock(daemon, check->uuid);
    checkFree(check);
}

static void
onCheckGranted(virtDaemon *daemon, gpointer opaque)
{
    virtDaemonJobStart(daemon, checkStart, checkedStart, opaque);
}

/* Was the last start of a domain that does not run one that was ended here? libvirt's event may have come before the
 * client's question. Says so once: what the client does next (a revert that leaves the domain stopped) is no such
 * start. Main loop.
 */
bool
virtDaemonStartTakeEnded(virtDaemon *daemon, const char *uuid)
{
    gint64 now = g_get_monotonic_time();

    g_hash_table_foreach_remove(daemon->endedStarts, isOver, &now);
    return g_hash_table_remove(daemon->endedStarts, uuid);
}

/* libvirt says that the domain has just started. Main loop.
 */
void
virtDaemonStarted(virtDaemon *daemon, const char *uuid)
{
    Check *check;

    if (daemon->stopping)
        return;
    g_hash_table_remove(daemon->endedStarts, uuid);
    check = g_new0(Check, 1);
    check->daemon = daemon;
    check->uuid = g_strdup(uuid);
    check->destroy = daemon->config->destroyUnprovisioned;
    virtDaemonLock(daemon, check->uuid, VIRT_DAEMON_ITSELF, onCheckGranted, check);
}
