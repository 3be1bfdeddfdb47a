/* filter_ask.c: what is asked of libvirt and of the broker, and waited for
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A held call waits for one thing at a time, so there are never more questions than held calls (filter_call.c).
 */
#include "remote/filter_priv.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

/* Whom to tell. */
typedef struct {
    virtFilterReplyFunc replied;
    virtFilterAnswerFunc answered;
    gpointer opaque;
} Waiting;

/* Nothing is asked yet. The process ends with it, so there is no undoing. */
void
virtFilterAskInit(virtFilter *filter)
{
    filter->asks = g_hash_table_new_full(NULL, NULL, NULL, g_free);
    filter->calls = g_hash_table_new_full(NULL, NULL, NULL, g_free);
    filter->turns = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_queue_free);
    g_queue_init(&filter->packets);
}

/* Enters @waiting under the next number of @base and up, and tells it. */
static guint32
enter(GHashTable *table, guint32 *last, guint32 base, Waiting waiting)
{
    do
        *last = base | ((*last + 1) & ~VIRT_RPC_OUR_SERIALS);
    while (*last == 0 || g_hash_table_contains(table, GUINT_TO_POINTER(*last)));
    g_hash_table_insert(table, GUINT_TO_POINTER(*last), g_memdup2(&waiting, sizeof(waiting)));
    return *last;
}

/* Take out what waits for @number, for g_free(); NULL: nothing. */
static Waiting *
leave(GHashTable *table, guint32 number)
{
    gpointer waiting = NULL;

    g_hash_table_steal_extended(table, GUINT_TO_POINTER(number), NULL, &waiting);
    return waiting;
}

/* ---- libvirt ---- */

/* Call libvirt on the client's connection.
 *
 * @call: a whole message, taken over; its serial is set here
 * @done: called once, never from in here
 */
void
virtFilterCall(virtFilter *filter, GByteArray *call, virtFilterReplyFunc done, gpointer opaque)
{
    Waiting waiting = {.replied = done, .opaque = opaque};

    virtRpcHeaderPutSerial(call->data, enter(filter->calls, &filter->lastCall, VIRT_RPC_OUR_SERIALS, waiting));
    virtRpcChannelSend(filter->upstream, call);
}

/* Is this the reply to a call of ours that has none yet? */
bool
virtFilterIsAwaited(const virtFilter *filter, const virtRpcHeader *header)
{
    return g_hash_table_contains(filter->calls, GUINT_TO_POINTER(header->serial));
}

/* Hand the reply to the one who waits for it. */
void
virtFilterGotReply(virtFilter *filter, const virtRpcHeader *header, const GByteArray *message)
{
    g_autofree Waiting *waiting = leave(filter->calls, header->serial);

    if (waiting)
        waiting->replied(waiting->opaque, header, message);
}

/* libvirt has gone: tell all who wait for it, and who begin to when they are told. */
void
virtFilterLoseCalls(virtFilter *filter)
{
    GHashTableIter iter;
    gpointer serial;

    while (g_hash_table_iter_init(&iter, filter->calls), g_hash_table_iter_next(&iter, &serial, NULL)) {
        g_autofree Waiting *waiting = leave(filter->calls, GPOINTER_TO_UINT(serial));

        waiting->replied(waiting->opaque, NULL, NULL);
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

    if (!queue)
        g_hash_table_insert(filter->turns, g_strdup(uuid), queue = g_queue_new());
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

/* ---- the broker ---- */

/* Ask the broker.
 *
 * @request: its id is set here
 * @done: called once, never from in here; not where the broker goes away, because then this process does too
 */
void
virtFilterAsk(virtFilter *filter, virtBrokerRequest *request, virtFilterAnswerFunc done, gpointer opaque)
{
    Waiting waiting = {.answered = done, .opaque = opaque};

    request->id = enter(filter->asks, &filter->lastAsk, 0, waiting);
    g_queue_push_tail(&filter->packets, virtBrokerRequestFormat(request));
}

static bool
gotAnswer(virtFilter *filter, const char *packet, gsize len, GError **error)
{
    g_autoptr(GError) failure = NULL;
    g_autofree Waiting *waiting = NULL;
    guint id;

    if (!virtBrokerAnswerParse(packet, len, &id, &failure, error))
        return false;
    waiting = leave(filter->asks, id);
    if (waiting)
        waiting->answered(waiting->opaque, failure);
    else
        g_set_error(error, VIRT_ERROR, VIRT_ERROR_INVALID, "It answered request %u, which nobody asked.", id);
    return waiting;
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
    g_set_error(error, VIRT_ERROR, VIRT_ERROR_HOST, "Cannot read: %s.", strerror(errno));
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
        g_set_error(error, VIRT_ERROR, VIRT_ERROR_HOST, "Cannot write: %s.", strerror(errno));
        return false;
    }
    return true;
}
