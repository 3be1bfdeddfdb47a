/* daemon_broker.c: filters ask, and a domain is one party's at a time
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A hold is one `begin`, from its arrival to the end of its lock:
 *
 *   waiting ──granted──► reconciling ──ok──► held ◄──► prepare, update
 *      │                    │               └──end──► reconciling ──► unlocked
 *      └──── libvirt gone, or reconciling failed: error ─────────────┘
 *
 * When the filter's process has ended, a waiting hold is forgotten, and one that has the lock becomes an orphan:
 * whatever work is under way is let finish, then the domain is reconciled behind a barrier, as often as that takes, and
 * unlocked. Until then nobody else may believe what the domain looks like: libvirt may still be working for the dead
 * filter. Its socket's end is not the process's: whoever has closed it, or has passed a copy on, is ended.
 */
#include "daemon/daemon.h"
#include "hypervisor/provider_function.h"
#include "hypervisor/provider_netdev.h"
#include "hypervisor/provision_profile.h"

#include <errno.h>
#include <glib-unix.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define OUTSTANDING_MAX 64 /* requests of a filter not yet answered; also locks that it holds or waits for */
#define SEND_BUFFER                                                                                                    \
    (OUTSTANDING_MAX * VIRT_BROKER_PACKET_MAX * 2) /* bytes: all their answers, with the kernel's own                  \
                                                    */

typedef struct {
    virtDaemonClient *client; /* lives as long as its holds */
    char uuid[sizeof(((virtBrokerRequest *)NULL)->uuid)];
    virtBrokerRequest request; /* the one under way; at first the begin */
    virtHandle prepared;       /* what an attach has had set, for its end; all zero: nothing */
    bool granted, busy, barrier;
    guint lease; /* timer; 0: none. While the filter owes something: from the answer to its begin to its end */
    GError *error;
} Hold;

static void watch(virtDaemonClient *client);
static void reconcileOrphan(Hold *hold);

static virtDaemonAbout
aboutHold(const Hold *hold)
{
    return (virtDaemonAbout){.uuid = hold->uuid, .client = hold->client};
}

static void
holdFree(Hold *hold)
{
    virtDaemonClient *client = hold->client;

    if (hold->lease)
        g_source_remove(hold->lease);
    g_clear_error(&hold->error);
    g_ptr_array_remove_fast(client->holds, hold);
    g_free(hold);
    virtDaemonClientUnref(client);
}

static void
releaseHold(Hold *hold)
{
    virtDaemon *daemon = hold->client->daemon;
    g_autofree char *uuid = g_strdup(hold->uuid);

    holdFree(hold);
    virtDaemonUnlock(daemon, uuid);
}

/* ---- answers ---- */

/* A filter that does not take its answers is no use to its client either. */
static void
sendAnswer(virtDaemonClient *client, const char *packet)
{
    const virtDaemonAbout about = {.client = client};
    bool wasFull = client->outstanding == OUTSTANDING_MAX;

    client->outstanding--;
    if (client->broker < 0)
        return;
    if (send(client->broker, packet, strlen(packet), MSG_DONTWAIT | MSG_NOSIGNAL) < 0 && errno != EPIPE) {
        virtDaemonLog(VIRT_LOG_REQUEST, G_LOG_LEVEL_WARNING, &about, "Filter %d does not accept its answers: %s",
                      (int)client->filter, g_strerror(errno));
        virtDaemonClientKill(client);
        return;
    }
    if (wasFull)
        watch(client);
}

static void
answer(virtDaemonClient *client, guint id, const GError *failure)
{
    g_autofree char *packet = virtBrokerAnswerFormat(id, failure);

    sendAnswer(client, packet);
}

static void
refuseRequest(virtDaemonClient *client, const virtBrokerRequest *request, int code, const char *why)
{
    g_autoptr(GError) error = g_error_new(VIRT_ERROR, code, "Cannot work on domain %s: %s", request->uuid, why);

    answer(client, request->id, error);
}

/* ---- work under a lock ---- */

static void
runRequest(virtDaemon *daemon, gpointer opaque)
{
    Hold *hold = opaque;

    if (hold->request.verb == VIRT_BROKER_VERIFY)
        virtDaemonStartVerify(daemon, hold->uuid, &hold->error);
    else
        virtDaemonRequestRun(daemon, &hold->request, hold->barrier, &hold->error);
}

static bool
wasUnset(const Hold *hold)
{
    if (hold->request.verb != VIRT_BROKER_VERIFY)
        return false;
    return g_error_matches(hold->error, VIRT_ERROR, VIRT_ERROR_REFUSED) ||
           (g_error_matches(hold->error, VIRT_ERROR, VIRT_ERROR_NOT_FOUND) &&
            virtDaemonStartTakeEnded(hold->client->daemon, hold->uuid));
}

/* Who begins or has a start verified has shown nothing here of what libvirt lets him read: why it failed is for the
 * log. */
static void
answerHold(const Hold *hold)
{
    const GError *error = hold->error;
    g_autoptr(GError) plain = NULL;

    if (wasUnset(hold))
        plain = g_error_new_literal(
            VIRT_ERROR, VIRT_ERROR_REFUSED,
            "the domain's host devices were not set when it started, because libvirt did not run virt-hostdev-hook, so the domain is being stopped. Run virt-hostdev host-validate to find out why; the log of virthostdevd names them");
    else if (error && (hold->request.verb == VIRT_BROKER_BEGIN || hold->request.verb == VIRT_BROKER_VERIFY))
        plain = g_error_new(VIRT_ERROR, VIRT_ERROR_HOST,
                            "Cannot work on domain %s now; see the log of virthostdevd. Try again", hold->uuid);
    if (plain)
        error = plain;
    answer(hold->client, hold->request.id, error);
}

static gboolean
onLease(gpointer opaque)
{
    Hold *hold = opaque;
    const virtDaemonAbout about = aboutHold(hold);

    hold->lease = 0;
    virtDaemonLog(VIRT_LOG_LEASE, G_LOG_LEVEL_WARNING, &about,
                  "Filter %d of client %d held the lock on domain %s for %u seconds: terminating it",
                  (int)hold->client->filter, (int)hold->client->pid, hold->uuid, hold->client->daemon->config->lease);
    virtDaemonClientKill(hold->client);
    return G_SOURCE_REMOVE;
}

static void
requestDone(virtDaemon *daemon, gpointer opaque)
{
    Hold *hold = opaque;
    const virtDaemonAbout about = aboutHold(hold);
    bool over = hold->request.verb == VIRT_BROKER_END || hold->request.verb == VIRT_BROKER_VERIFY ||
                (hold->request.verb == VIRT_BROKER_BEGIN && hold->error);
    GLogLevelFlags level = G_LOG_LEVEL_DEBUG;
    const char *outcome = "done";

    hold->busy = false;
    if (hold->request.verb == VIRT_BROKER_PREPARE && !hold->error)
        hold->prepared = hold->request.handle;
    if (hold->request.verb == VIRT_BROKER_BEGIN && !hold->error)
        hold->lease = g_timeout_add_seconds(daemon->config->lease, onLease, hold);
    /* NOT_FOUND is what an attach ends with that libvirt has refused: no news for anybody here. */
    if (hold->error && !g_error_matches(hold->error, VIRT_ERROR, VIRT_ERROR_NOT_FOUND))
        level = G_LOG_LEVEL_WARNING;
    if (hold->error)
        outcome = hold->error->message;
    virtDaemonLog(VIRT_LOG_REQUEST, level, &about, "%s %s: %s", virtBrokerVerbName(hold->request.verb), hold->uuid,
                  outcome);
    answerHold(hold);
    if (hold->request.verb == VIRT_BROKER_END)
        virtDaemonChooseForget(daemon, hold->client, hold->uuid);
    if (hold->request.verb == VIRT_BROKER_END && !g_error_matches(hold->error, VIRT_ERROR, VIRT_ERROR_NOT_FOUND))
        virtDaemonReconciled(daemon, hold->uuid, hold->error);
    g_clear_error(&hold->error);
    if (!hold->client->filter)
        reconcileOrphan(hold);
    else if (over)
        releaseHold(hold);
}

static void
startRequest(Hold *hold, const virtBrokerRequest *request)
{
    hold->request = *request;
    if (request->verb == VIRT_BROKER_END) {
        g_clear_handle_id(&hold->lease, g_source_remove);
        hold->request.handle = hold->prepared;
    }
    hold->busy = true;
    hold->barrier = hold->client->daemon->lookAgain;
    virtDaemonJobStart(hold->client->daemon, runRequest, requestDone, hold);
}

static void
onHoldGranted(virtDaemon *daemon, gpointer opaque)
{
    Hold *hold = opaque;
    const virtBrokerRequest beginHold = hold->request;

    hold->granted = true;
    startRequest(hold, &beginHold);
}

/* ---- looks ----
 * Statistics, VPD, checks and choices change nothing and need no lock. One at a time for a client: the kernel keeps the
 * whole host's network waiting while it asks a driver. */

typedef struct {
    virtDaemonClient *client;
    virtBrokerRequest request; /* what belongs to it is the queue's */
    virtNetdevStats stats;
    char *vpd;
    virtProfileUse *use; /* profile */
    GError *error;
} BrokerLook;

static void startLook(virtDaemonClient *client);

/* Can all be migratable of which that is asked? Once, with the first question about a call's devices. */
static bool
checkMigration(virtDaemon *daemon, virtHost *host, BrokerLook *look)
{
    const virtBrokerRequest *request = &look->request;
    unsigned long version = 0;

    for (guint i = 0; !*request->after && i < request->wishes->len; i++) {
        const virtWish *wish = &g_array_index(request->wishes, virtWish, i);
        g_autoptr(virConnect) conn = NULL;

        if (!wish->migrates)
            continue;
        if (!(conn = virtDaemonLibvirtGet(daemon, &look->error)))
            return false;
        if (virConnectGetLibVersion(conn, &version) < 0) {
            virtDaemonLibvirtError(&look->error,
                                   "libvirt does not tell its version, on which depends migratable='yes' of",
                                   wish->handle.name);
            return false;
        }
        if (!virtProviderFunctionCanMigrate(host, &wish->handle, version, &look->error))
            return false;
    }
    return true;
}

/* That there is no other is an answer like any other. */
static void
findProfile(virtDaemon *daemon, virtHost *host, BrokerLook *look)
{
    const virtBrokerRequest *request = &look->request;

    if (!checkMigration(daemon, host, look))
        return;
    if (virtProvisionProfileNext(host, request->after, request->wishes, &look->use, &look->error) && !look->use)
        g_set_error(&look->error, VIRT_ERROR, VIRT_ERROR_NOT_FOUND, "No other profile is for these devices");
}

static void
runLook(virtDaemon *daemon, gpointer opaque)
{
    g_autoptr(virtHost) host = virtDaemonHostNew();
    g_autoptr(GArray) devices = g_array_new(FALSE, FALSE, sizeof(virtHandle));
    BrokerLook *look = opaque;

    if (look->request.verb == VIRT_BROKER_PROFILE) {
        findProfile(daemon, host, look);
    } else if (look->request.verb == VIRT_BROKER_CHOOSE) {
        virtDaemonChoose(daemon, look->client, &look->request, &look->error);
    } else if (look->request.verb == VIRT_BROKER_VPD) {
        look->vpd = virtDaemonVPDGet(daemon, &look->request.handle, &look->error);
    } else if (look->request.verb == VIRT_BROKER_STATS) {
        virtProviderNetdevGetStats(host, look->request.uuid, &look->request.handle, &look->stats, &look->error);
    } else {
        g_array_append_val(devices, look->request.handle);
        virtProvisionCheckPFs(host, devices, &look->error);
    }
}

/* Who has the VFs that a client cannot have is for the log: it may not be allowed to know. */
static GError *
plainFailure(const BrokerLook *look)
{
    if (look->request.verb != VIRT_BROKER_CHOOSE || !g_error_matches(look->error, VIRT_ERROR, VIRT_ERROR_BUSY))
        return g_error_copy(look->error);
    return g_error_new_literal(
        VIRT_ERROR, VIRT_ERROR_BUSY,
        "No VF is free that the domain could be given: all that its <source> asks for are taken. The log of virthostdevd says by whom, and virt-hostdev pool-info or list shows it");
}

/* Who reads counters may do so often: only a device that is refused is news. */
static void
logLook(const BrokerLook *look)
{
    const virtBrokerRequest *request = &look->request;
    const virtDaemonAbout about = {.uuid = request->uuid, .handle = &request->handle, .client = look->client};

    if ((request->verb == VIRT_BROKER_CHECK || request->verb == VIRT_BROKER_CHOOSE) && look->error)
        virtDaemonLog(VIRT_LOG_REQUEST, G_LOG_LEVEL_WARNING, &about, "%s %s: %s", virtBrokerVerbName(request->verb),
                      request->uuid, look->error->message);
}

static void
freeRequest(gpointer opaque)
{
    virtBrokerRequestClear(opaque);
    g_free(opaque);
}

static void
lookDone(virtDaemon *daemon, gpointer opaque)
{
    g_autofree BrokerLook *look = opaque;
    virtDaemonClient *client = look->client;
    g_autofree char *packet = NULL;
    g_autoptr(GError) plain = NULL;

    if (look->vpd)
        packet = virtBrokerVPDFormat(look->request.id, look->vpd);
    else if (look->use)
        packet = virtBrokerProfileFormat(look->request.id, look->use->fits, look->use->xml);
    else if (look->request.verb == VIRT_BROKER_CHOOSE && !look->error)
        packet = virtBrokerChosenFormat(look->request.id, look->request.wishes);
    else if (look->request.verb == VIRT_BROKER_STATS && !look->error)
        packet = virtBrokerStatsFormat(look->request.id, &look->stats);
    else if (look->error)
        packet = virtBrokerAnswerFormat(look->request.id, plain = plainFailure(look));
    else
        packet = virtBrokerAnswerFormat(look->request.id, NULL);
    logLook(look);
    g_free(look->vpd);
    virtProfileUseFree(look->use);
    g_clear_error(&look->error);
    sendAnswer(client, packet);
    freeRequest(g_queue_pop_head(&client->looks));
    if (client->broker < 0)
        g_queue_clear_full(&client->looks, freeRequest);
    if (!g_queue_is_empty(&client->looks)) {
        startLook(client);
        return;
    }
    if (client->broker < 0)
        virtDaemonChooseForget(daemon, client, NULL);
    virtDaemonClientUnref(client);
}

static void
startLook(virtDaemonClient *client)
{
    BrokerLook *look = g_new0(BrokerLook, 1);

    look->client = client;
    look->request = *(const virtBrokerRequest *)g_queue_peek_head(&client->looks);
    if (look->request.verb == VIRT_BROKER_VPD)
        virtDaemonJobStartCard(client->daemon, runLook, lookDone, look);
    else
        virtDaemonJobStart(client->daemon, runLook, lookDone, look);
}

/* @request: what belongs to it is taken over */
static void
queueLook(virtDaemonClient *client, virtBrokerRequest *request)
{
    g_queue_push_tail(&client->looks, g_memdup2(request, sizeof(*request)));
    request->wishes = NULL;
    if (g_queue_get_length(&client->looks) == 1)
        startLook(client);
}

/* ---- orphans ---- */

/* The lock goes over to those who reconcile it. */
static void
reconcileOrphan(Hold *hold)
{
    virtDaemon *daemon = hold->client->daemon;
    g_autofree char *uuid = g_strdup(hold->uuid);

    holdFree(hold);
    virtDaemonReconcileHeld(daemon, uuid);
}

/* The filter of @client has been reaped: what it held is reconciled, and @client may be freed. */
static void
gone(virtDaemonClient *client)
{
    g_autoptr(GPtrArray) holds = g_ptr_array_copy(client->holds, NULL, NULL);

    virtDaemonClientClose(client);
    virtDaemonChooseForget(client->daemon, client, NULL);
    for (guint i = 0; i < holds->len; i++) {
        Hold *hold = holds->pdata[i];

        if (!hold->granted) {
            virtDaemonLockForget(client->daemon, hold->uuid, hold);
            holdFree(hold);
        } else if (!hold->busy) {
            reconcileOrphan(hold);
        }
    }
    if (holds->len == 0)
        virtDaemonClientUnref(client);
}

/* ---- requests ---- */

/* The one hold that @client has or waits for of the domain. */
static Hold *
findHold(virtDaemonClient *client, const char *uuid)
{
    for (guint i = 0; i < client->holds->len; i++) {
        Hold *hold = client->holds->pdata[i];

        if (g_str_equal(hold->uuid, uuid))
            return hold;
    }
    return NULL;
}

static void
beginHold(virtDaemonClient *client, const virtBrokerRequest *request)
{
    Hold *hold;

    if (!virtDaemonLibvirtIsUp(client->daemon)) {
        refuseRequest(client, request, VIRT_ERROR_HOST,
                      "libvirt is not reachable. virthostdevd keeps trying to connect; see its log. Try again later");
        return;
    }
    if (findHold(client, request->uuid)) {
        refuseRequest(client, request, VIRT_ERROR_BUSY, "it was already begun");
        return;
    }
    if (client->holds->len >= OUTSTANDING_MAX) {
        refuseRequest(client, request, VIRT_ERROR_BUSY,
                      "this connection works on too many domains at a time. Try again");
        return;
    }
    hold = g_new0(Hold, 1);
    hold->client = client;
    hold->request = *request;
    g_strlcpy(hold->uuid, request->uuid, sizeof(hold->uuid));
    g_ptr_array_add(client->holds, hold);
    virtDaemonLock(client->daemon, hold->uuid, client->uid, onHoldGranted, hold);
}

static void
forget(virtDaemonClient *client, const virtBrokerRequest *request)
{
    virtDaemonChooseForget(client->daemon, client, request->uuid);
    answer(client, request->id, NULL);
}

static void
dispatch(virtDaemonClient *client, virtBrokerRequest *request)
{
    bool begins = request->verb == VIRT_BROKER_BEGIN || request->verb == VIRT_BROKER_VERIFY;
    bool reads =
        request->verb == VIRT_BROKER_STATS || request->verb == VIRT_BROKER_VPD || request->verb == VIRT_BROKER_PROFILE;
    Hold *hold = findHold(client, request->uuid);

    client->outstanding++;
    if (client->readOnly && !reads)
        refuseRequest(client, request, VIRT_ERROR_INVALID, "the connection is read-only");
    else if (reads || request->verb == VIRT_BROKER_CHECK || request->verb == VIRT_BROKER_CHOOSE)
        queueLook(client, request);
    else if (request->verb == VIRT_BROKER_FORGET)
        forget(client, request);
    else if (request->verb == VIRT_BROKER_VERIFY && !client->daemon->config->destroyUnprovisioned)
        answer(client, request->id, NULL); /* it is only told, in the log: daemon_start.c */
    else if (begins)
        beginHold(client, request);
    else if (!hold || !hold->granted)
        refuseRequest(client, request, VIRT_ERROR_INVALID, "it was not begun");
    else if (hold->busy)
        refuseRequest(client, request, VIRT_ERROR_INVALID, "another request about it is in progress");
    else
        startRequest(hold, request);
}

/* Reads one packet, so that no filter keeps others waiting. */
static gboolean
onPacket(gint fd, GIOCondition condition, gpointer opaque)
{
    virtDaemonClient *client = opaque;
    const virtDaemonAbout about = {.client = client};
    g_autoptr(GError) error = NULL;
    char packet[VIRT_BROKER_PACKET_MAX + 1];
    g_auto(virtBrokerRequest) request = {0};
    ssize_t len = 0;

    if (condition & G_IO_IN)
        len = recv(fd, packet, sizeof(packet), MSG_DONTWAIT);
    if (len < 0 && (errno == EAGAIN || errno == EINTR))
        return G_SOURCE_CONTINUE;
    if (len <= 0) {
        virtDaemonClientKill(client);
        return G_SOURCE_REMOVE;
    }
    if (!virtBrokerRequestParse(packet, (gsize)len, &request, &error)) {
        virtDaemonLog(VIRT_LOG_REQUEST, G_LOG_LEVEL_WARNING, &about, "Terminating filter %d of client %d: %s",
                      (int)client->filter, (int)client->pid, error->message);
        virtDaemonClientKill(client);
        return G_SOURCE_REMOVE;
    }
    dispatch(client, &request);
    if (client->broker >= 0 && client->outstanding == OUTSTANDING_MAX)
        watch(client);
    return G_SOURCE_CONTINUE;
}

/* Reads on, or, with as many requests as may be under way, waits for the filter's end only. */
static void
watch(virtDaemonClient *client)
{
    GIOCondition condition = G_IO_HUP;

    if (client->outstanding < OUTSTANDING_MAX)
        condition |= G_IO_IN;
    if (client->source)
        g_source_remove(client->source); /* also from within its own callback */
    client->source = g_unix_fd_add(client->broker, condition, onPacket, client);
}

/* Listen to the filter of @client. */
static void
came(virtDaemonClient *client)
{
    int size = SEND_BUFFER;

    setsockopt(client->broker, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size));
    watch(client);
}

/* libvirt has gone: those who wait for a lock are told, since it may be long. */
void
virtDaemonBrokerDisconnected(virtDaemon *daemon)
{
    g_autoptr(GList) clients = g_hash_table_get_keys(daemon->clients);

    for (GList *at = clients; at; at = at->next) {
        virtDaemonClient *client = at->data;

        for (guint i = client->holds->len; i-- > 0;) {
            Hold *hold = client->holds->pdata[i];

            if (hold->granted)
                continue;
            refuseRequest(client, &hold->request, VIRT_ERROR_HOST, "the connection to libvirt was lost. Try again");
            virtDaemonLockForget(daemon, hold->uuid, hold);
            holdFree(hold);
        }
    }
}

/* Before the first client. */
void
virtDaemonBrokerInit(virtDaemon *daemon)
{
    daemon->clientCame = came;
    daemon->clientGone = gone;
}
