/* filter_pending.c: what is asked of libvirt and of the broker, and waited for
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A held call waits for one thing at a time, so there are never more questions than held calls (filter_device.c).
 *
 * libvirt serves some calls of a connection at a time, and does not read the next one before one of them has ended. So
 * a call of ours that comes behind the client's long ones may wait for hours, and nobody could take it back. Before
 * the broker has locked a domain that is as it should be. After that, the call waits here until libvirt has room, and
 * is given up when that takes too long: an error for this call, not the end of the client's connection.
 */
#include "filter/filter_priv.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#define ROOM 5          /* calls that libvirt serves of a connection at a time: max_client_requests of libvirtd.conf */
#define ROOM_IN_TIME 10 /* seconds; less than a lease, and calls that take long take longer */
#define SERIALS 0xffffu /* numbers for our calls, from half of all away from the client's on */

/* Whom to tell. */
typedef struct {
    virtFilterReplyFunc replied;
    virtFilterAnswerFunc answered;
    virtFilterStatsFunc counted;
    virtFilterVPDFunc described;
    virtFilterChosenFunc chosen;
    virtFilterProfileFunc profiled;
    gpointer opaque;
    guint order;
} Waiting;

typedef struct {
    GByteArray *call;
    Waiting waiting;
    gint64 until; /* monotonic microseconds */
} Later;

/* Nothing is asked yet. The process ends with it, so there is no undoing. */
void
virtFilterAskInit(virtFilter *filter)
{
    filter->asks = g_hash_table_new_full(NULL, NULL, NULL, g_free);
    filter->calls = g_hash_table_new_full(NULL, NULL, NULL, g_free);
    filter->sent = g_hash_table_new(NULL, NULL);
    filter->room = ROOM;
    g_queue_init(&filter->later);
    filter->turns = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_queue_free);
    g_queue_init(&filter->packets);
}

/* Take out what waits for @number, for g_free(); NULL: nothing. */
static Waiting *
takeWaiting(GHashTable *table, guint32 number)
{
    gpointer waiting = NULL;

    g_hash_table_steal_extended(table, GUINT_TO_POINTER(number), NULL, &waiting);
    return waiting;
}

/* Take out anybody who waits, for g_free(); NULL: nobody does. */
static Waiting *
takeAnyWaiting(GHashTable *table)
{
    GHashTableIter iter;
    gpointer number;

    g_hash_table_iter_init(&iter, table);
    if (!g_hash_table_iter_next(&iter, &number, NULL))
        return NULL;
    return takeWaiting(table, GPOINTER_TO_UINT(number));
}

/* ---- libvirt ---- */

/* A number that no call under way has. The client counts up: it comes to ours after two thousand million calls. */
static guint32
newSerial(virtFilter *filter)
{
    guint32 serial;

    do
        serial = filter->lastSerial + VIRT_RPC_OUR_SERIALS + (filter->lastCall++ & SERIALS);
    while (g_hash_table_contains(filter->calls, GUINT_TO_POINTER(serial)) ||
           g_hash_table_contains(filter->sent, GUINT_TO_POINTER(serial)));
    return serial;
}

static void
sendCall(virtFilter *filter, GByteArray *call, Waiting waiting)
{
    guint32 serial = newSerial(filter);

    waiting.order = filter->order++;
    g_hash_table_insert(filter->calls, GUINT_TO_POINTER(serial), g_memdup2(&waiting, sizeof(waiting)));
    virtRpcHeaderPutSerial(call->data, serial);
    virtRpcChannelSend(filter->upstream, call);
}

/* Call libvirt on the client's connection.
 *
 * @call: a whole message, taken over; its serial is set here
 * @done: called once, never from in here
 */
void
virtFilterCall(virtFilter *filter, GByteArray *call, virtFilterReplyFunc done, gpointer opaque)
{
    sendCall(filter, call, (Waiting){.replied = done, .opaque = opaque});
}

/* Call libvirt when it has room for another call of this connection. A reply that it had none for a while has the
 * form of an error of libvirt's.
 *
 * @call, @done: as for virtFilterCall()
 */
void
virtFilterCallInTime(virtFilter *filter, GByteArray *call, virtFilterReplyFunc done, gpointer opaque)
{
    Later *later = g_new0(Later, 1);

    *later =
        (Later){call, {.replied = done, .opaque = opaque}, g_get_monotonic_time() + ROOM_IN_TIME * G_TIME_SPAN_SECOND};
    g_queue_push_tail(&filter->later, later); /* virtFilterSendLater() follows whatever has brought this here */
}

/* A call of the client's goes to libvirt. */
void
virtFilterSent(virtFilter *filter, const virtRpcHeader *header)
{
    if (virtRpcHeaderKind(header) == VIRT_RPC_CALL && header->prog != VIRT_RPC_KEEPALIVE)
        g_hash_table_insert(filter->sent, GUINT_TO_POINTER(header->serial), GUINT_TO_POINTER(filter->order++));
}

/* A message of libvirt's goes to the client. */
void
virtFilterAnswered(virtFilter *filter, const virtRpcHeader *header)
{
    if (virtRpcHeaderKind(header) == VIRT_RPC_REPLY)
        g_hash_table_remove(filter->sent, GUINT_TO_POINTER(header->serial));
}

/* libvirt has answered what was sent at @order: so it has read all that was sent before, also what it still works on.
 */
static void
learnRoom(virtFilter *filter, guint order)
{
    guint busy = 1;
    GHashTableIter iter;
    gpointer other;

    g_hash_table_iter_init(&iter, filter->sent);
    while (g_hash_table_iter_next(&iter, NULL, &other))
        busy += (gint)(GPOINTER_TO_UINT(other) - order) < 0;
    filter->room = MAX(filter->room, busy);
}

/* A call of ours that has no reply yet. */
bool
virtFilterIsAwaited(const virtFilter *filter, const virtRpcHeader *header)
{
    return g_hash_table_contains(filter->calls, GUINT_TO_POINTER(header->serial));
}

/* Hand the reply to the one who waits for it. */
void
virtFilterGotReply(virtFilter *filter, const virtRpcHeader *header, const GByteArray *message)
{
    g_autofree Waiting *waiting = takeWaiting(filter->calls, header->serial);

    if (!waiting)
        return;
    learnRoom(filter, waiting->order);
    waiting->replied(waiting->opaque, header, message);
}

/* A call of ours that libvirt has had no room for. */
bool
virtFilterMustWait(const virtFilter *filter)
{
    return !g_queue_is_empty((GQueue *)&filter->later);
}

static void
giveUpLater(virtFilter *filter, Later *later)
{
    guint busy = g_hash_table_size(filter->sent);
    g_autoptr(GError) error = g_error_new(
        VIRT_ERROR, VIRT_ERROR_BUSY,
        "libvirt is busy with %u other calls of this connection and accepts no more at a time (max_client_requests). Wait for some of them, or use another connection",
        busy);
    g_autoptr(GByteArray) reply = NULL;
    virtRpcHeader header = {0};

    virtRpcHeaderParse(later->call->data, &header, NULL);
    reply = virtRpcErrorReply(header.proc, 0, error);
    virtRpcHeaderParse(reply->data, &header, NULL);
    g_byte_array_unref(later->call);
    later->waiting.replied(later->waiting.opaque, &header, reply);
}

/* Send what libvirt has room for by now, and give up what has waited too long. */
void
virtFilterSendLater(virtFilter *filter)
{
    gint64 now;
    Later *later;

    if (!virtFilterMustWait(filter))
        return;
    now = g_get_monotonic_time();
    while ((later = g_queue_peek_head(&filter->later))) {
        bool room = g_hash_table_size(filter->sent) + g_hash_table_size(filter->calls) < filter->room;

        if (!room && now < later->until)
            return;
        g_queue_pop_head(&filter->later);
        if (room)
            sendCall(filter, later->call, later->waiting);
        else
            giveUpLater(filter, later);
        g_free(later);
    }
}

/* libvirt has gone: tell all who wait for it, and who begin to when they are told. */
void
virtFilterLoseCalls(virtFilter *filter)
{
    Waiting *waiting;
    Later *later;

    while ((later = g_queue_pop_head(&filter->later))) {
        later->waiting.replied(later->waiting.opaque, NULL, NULL);
        g_byte_array_unref(later->call);
        g_free(later);
    }
    while ((waiting = takeAnyWaiting(filter->calls))) {
        waiting->replied(waiting->opaque, NULL, NULL);
        g_free(waiting);
    }
}

/* ---- turns ---- */

typedef struct {
    void (*begin)(gpointer opaque);
    gpointer opaque;
} Turn;

/* The broker lets a client begin with a domain once. Calls about one domain that come at the same time take turns.
 *
 * @begin: called with @opaque when it is its turn, perhaps before this returns
 */
void
virtFilterTakeTurn(virtFilter *filter, const char *uuid, void (*begin)(gpointer opaque), gpointer opaque)
{
    const Turn turn = {begin, opaque};
    GQueue *queue = g_hash_table_lookup(filter->turns, uuid);

    if (!queue) {
        queue = g_queue_new();
        g_hash_table_insert(filter->turns, g_strdup(uuid), queue);
    }
    g_queue_push_tail(queue, g_memdup2(&turn, sizeof(turn)));
    if (queue->length == 1)
        begin(opaque);
}

/* What began with the domain @uuid has ended. The next one has begun before this returns. */
void
virtFilterEndTurn(virtFilter *filter, const char *uuid)
{
    GQueue *queue = g_hash_table_lookup(filter->turns, uuid);
    const Turn *next;

    g_free(g_queue_pop_head(queue));
    if ((next = g_queue_peek_head(queue)))
        next->begin(next->opaque);
    else
        g_hash_table_remove(filter->turns, uuid);
}

/* A reply of libvirt's to a call of ours, as one to the client's call of @header; for the caller to free. */
GByteArray *
virtFilterRelay(const virtRpcHeader *header, const GByteArray *message)
{
    GByteArray *copy = g_byte_array_sized_new(message->len);

    g_byte_array_append(copy, message->data, message->len);
    virtRpcHeaderPutProc(copy->data, header->proc);
    virtRpcHeaderPutSerial(copy->data, header->serial);
    return copy;
}

/* ---- the broker ---- */

static void
ask(virtFilter *filter, virtBrokerRequest *request, Waiting waiting)
{
    do
        request->id = ++filter->lastAsk;
    while (request->id == 0 || g_hash_table_contains(filter->asks, GUINT_TO_POINTER(request->id)));
    g_hash_table_insert(filter->asks, GUINT_TO_POINTER(request->id), g_memdup2(&waiting, sizeof(waiting)));
    g_queue_push_tail(&filter->packets, virtBrokerRequestFormat(request));
}

/* Ask the broker.
 *
 * @request: its id is set here
 * @done: called once, never from in here; not where the broker goes away, because then this process does too
 */
void
virtFilterAsk(virtFilter *filter, virtBrokerRequest *request, virtFilterAnswerFunc done, gpointer opaque)
{
    ask(filter, request, (Waiting){.answered = done, .opaque = opaque});
}

/* Ask the broker for the counters of a VF; the same. */
void
virtFilterAskStats(virtFilter *filter, virtBrokerRequest *request, virtFilterStatsFunc done, gpointer opaque)
{
    ask(filter, request, (Waiting){.counted = done, .opaque = opaque});
}

/* Ask the broker for the VPD of a card; the same. */
void
virtFilterAskVPD(virtFilter *filter, virtBrokerRequest *request, virtFilterVPDFunc done, gpointer opaque)
{
    ask(filter, request, (Waiting){.described = done, .opaque = opaque});
}

/* Whether a request fits a packet, whatever number it gets. */
static bool
fitsPacket(virtBrokerRequest *request)
{
    g_autofree char *packet = NULL;

    request->id = G_MAXUINT;
    packet = virtBrokerRequestFormat(request);
    return strlen(packet) <= VIRT_BROKER_PACKET_MAX;
}

/* Ask the broker for the next profile; the same. False, and nothing is asked, where the devices do not fit a packet. */
bool
virtFilterAskProfile(virtFilter *filter, virtBrokerRequest *request, virtFilterProfileFunc done, gpointer opaque,
                     GError **error)
{
    if (!fitsPacket(request)) {
        g_set_error(error, VIRT_ERROR, VIRT_ERROR_TOO_LARGE,
                    "the domain has %u host devices, too many to look for their profiles: give it fewer, or define it "
                    "with virt-hostdev define",
                    request->wishes->len);
        return false;
    }
    ask(filter, request, (Waiting){.profiled = done, .opaque = opaque});
    return true;
}

/* Ask the broker to choose; the same. False, and nothing is asked, where the wishes do not fit a packet. */
bool
virtFilterAskChoose(virtFilter *filter, virtBrokerRequest *request, virtFilterChosenFunc done, gpointer opaque,
                    GError **error)
{
    if (!fitsPacket(request)) {
        g_set_error(
            error, VIRT_ERROR, VIRT_ERROR_TOO_LARGE,
            "the domain has %u host devices, too many for some of them to be asked for by card, PF or pool: give more of them an <address>",
            request->wishes->len);
        return false;
    }
    ask(filter, request, (Waiting){.chosen = done, .opaque = opaque});
    return true;
}

static void
forgotten(gpointer opaque, const GError *failure)
{
    (void)opaque;
    (void)failure;
}

/* libvirt has answered the call that VFs were chosen for: others may be given them, if it has said no. */
void
virtFilterForget(virtFilter *filter, const char *uuid)
{
    virtBrokerRequest request = {.verb = VIRT_BROKER_FORGET};

    g_strlcpy(request.uuid, uuid, sizeof(request.uuid));
    virtFilterAsk(filter, &request, forgotten, NULL);
}

/* An answer of the broker's: one of these, or none for ok. */
typedef struct {
    const virtNetdevStats *counted;
    char *described;
    GArray *chosen;
    GArray *fits; /* with profile */
    char *profile;
    GError *failure;
} Answer;

static void
answerClear(Answer *answer)
{
    g_free(answer->described);
    g_clear_pointer(&answer->chosen, g_array_unref);
    g_clear_pointer(&answer->fits, g_array_unref);
    g_free(answer->profile);
    g_clear_error(&answer->failure);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Answer, answerClear)

/* Whether the one who waits has asked for this: for counters, for VPD, for a choice, for a profile, or for a yes or no.
 * A failure may answer all. */
static bool
isAsked(const Waiting *waiting, const Answer *answer)
{
    if (!waiting)
        return false;
    if (answer->failure)
        return true;
    return !waiting->counted == !answer->counted && !waiting->described == !answer->described &&
           !waiting->chosen == !answer->chosen && !waiting->profiled == !answer->profile;
}

static void
handOver(const Waiting *waiting, const Answer *answer)
{
    if (waiting->counted)
        waiting->counted(waiting->opaque, answer->counted, answer->failure);
    else if (waiting->described)
        waiting->described(waiting->opaque, answer->described, answer->failure);
    else if (waiting->chosen)
        waiting->chosen(waiting->opaque, answer->chosen, answer->failure);
    else if (waiting->profiled)
        waiting->profiled(waiting->opaque, answer->fits, answer->profile, answer->failure);
    else
        waiting->answered(waiting->opaque, answer->failure);
}

static bool
gotAnswer(virtFilter *filter, const char *packet, gsize len, GError **error)
{
    g_auto(Answer) answer = {0};
    g_autofree Waiting *waiting = NULL;
    virtNetdevStats stats;
    guint id;

    if (virtBrokerStatsParse(packet, len, &id, &stats))
        answer.counted = &stats;
    else if (!virtBrokerVPDParse(packet, len, &id, &answer.described) &&
             !virtBrokerChosenParse(packet, len, &id, &answer.chosen) &&
             !virtBrokerProfileParse(packet, len, &id, &answer.fits, &answer.profile) &&
             !virtBrokerAnswerParse(packet, len, &id, &answer.failure, error))
        return false;
    if (!isAsked(g_hash_table_lookup(filter->asks, GUINT_TO_POINTER(id)), &answer)) {
        g_set_error(error, VIRT_ERROR, VIRT_ERROR_INVALID, "unexpected answer to request %u", id);
        return false;
    }
    waiting = takeWaiting(filter->asks, id);
    handOver(waiting, &answer);
    return true;
}

/* Read one answer and hand it to the one who waits for it.
 *
 * Errors: false without one at the end of the connection; VIRT_ERROR_INVALID where it is no answer; VIRT_ERROR_HOST.
 */
bool
virtFilterReadBroker(virtFilter *filter, GError **error)
{
    char packet[VIRT_BROKER_PACKET_MAX + 1];
    gssize n = recv(filter->broker, packet, sizeof(packet), MSG_DONTWAIT);

    if (n > 0)
        return gotAnswer(filter, packet, (gsize)n, error);
    if (n == 0)
        return false;
    if (errno == EAGAIN || errno == EINTR)
        return true;
    g_set_error(error, VIRT_ERROR, VIRT_ERROR_HOST, "Cannot read: %s", strerror(errno));
    return false;
}

/* Write the requests that wait, as far as the broker takes them.
 *
 * Errors: VIRT_ERROR_HOST.
 */
bool
virtFilterWriteBroker(virtFilter *filter, GError **error)
{
    const char *packet;

    while ((packet = g_queue_peek_head(&filter->packets))) {
        if (send(filter->broker, packet, strlen(packet), MSG_DONTWAIT | MSG_NOSIGNAL) >= 0) {
            g_free(g_queue_pop_head(&filter->packets));
            continue;
        }
        if (errno == EAGAIN || errno == EINTR)
            return true;
        g_set_error(error, VIRT_ERROR, VIRT_ERROR_HOST, "Cannot write: %s", strerror(errno));
        return false;
    }
    return true;
}
