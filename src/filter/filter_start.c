/* filter_start.c: a client hears that its domain has started once that is known to have its VFs set
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * libvirt first: the broker is asked only when libvirt has said that the client's start succeeded, and does no more
 * than look. Where it says that the VFs were not set, the client hears that in the place of libvirt's reply; where it
 * cannot tell, or the domain has none of ours, of libvirt's reply every byte stays.
 *
 * So it is where the call or its reply says which domain it was: a start, also of a saved domain, and a revert to a
 * snapshot, which may leave it stopped. What is left has the broker's look after libvirt's event alone
 * (daemon_start.c). A restore names a file, in which only libvirt may read. An incoming migration has that event when
 * its guest has been made and before any of its memory has come, so it ends then, and the guest goes on where it was.
 * After libvirt's "yes" to its last step the guest runs here, and a "no" in its place would have it run there too.
 */
#include "filter/filter_priv.h"
#include "util/virerror.h"

#include <string.h>

typedef struct {
    virtFilter *filter;
    virtRpcHeader header;
    char uuid[VIRT_UUID_LEN];
    GByteArray *message; /* the client's call; then libvirt's reply, as it is to have it */
} Start;

static void
startFree(Start *start)
{
    virtFilterHeldDone(start->filter);
    g_clear_pointer(&start->message, g_byte_array_unref);
    g_free(start);
}

/* @message: taken over where this returns not NULL */
static Start *
startNew(virtFilter *filter, const virtRpcProc *proc, const virtRpcHeader *header, GByteArray *message)
{
    virtRpcDomain domain;
    Start *start;

    if (!virtRpcReadDomain(proc, message->data, message->len, &domain) ||
        virtFilterHeld(filter) >= VIRT_FILTER_HELD_MAX)
        return NULL;
    start = g_new0(Start, 1);
    start->filter = filter;
    start->header = *header;
    start->message = message;
    virtRpcUuidFormat(domain.uuid, start->uuid);
    virtFilterHeldAdd(filter);
    return start;
}

static void
startVerified(gpointer opaque, const GError *failure)
{
    Start *start = opaque;

    if (g_error_matches(failure, VIRT_ERROR, VIRT_ERROR_REFUSED))
        virtFilterReply(start->filter, virtRpcErrorReply(start->header.proc, start->header.serial, failure));
    else
        virtFilterReply(start->filter, g_steal_pointer(&start->message));
    startFree(start);
}

static void
verifyStart(Start *start)
{
    virtBrokerRequest request = {.verb = VIRT_BROKER_VERIFY};

    g_strlcpy(request.uuid, start->uuid, sizeof(request.uuid));
    virtFilterAsk(start->filter, &request, startVerified, start);
}

/* Hold libvirt's reply that has the domain that was started, until it is known to have its VFs set.
 *
 * @message: taken over where this returns true; else it goes to the client as it is
 */
bool
virtFilterHoldStarted(virtFilter *filter, const virtRpcProc *proc, const virtRpcHeader *header, GByteArray *message)
{
    Start *start;

    if (header->type != VIRT_RPC_REPLY)
        return false;
    start = startNew(filter, proc, header, message);
    if (!start)
        return false;
    verifyStart(start);
    return true;
}

static void
startGotReply(gpointer opaque, const virtRpcHeader *header, const GByteArray *message)
{
    Start *start = opaque;

    if (!header) {
        startFree(start); /* libvirt is gone, and the client's connection with it */
        return;
    }
    g_byte_array_set_size(start->message, 0);
    g_byte_array_append(start->message, message->data, message->len);
    virtRpcHeaderPutSerial(start->message->data, start->header.serial);
    if (header->status == VIRT_RPC_OK)
        verifyStart(start);
    else
        startVerified(start, NULL);
}

/* Make the client's call to start a domain, whose reply does not say which it was, and hold that reply.
 *
 * @message: taken over where this returns true; else it goes to libvirt as it is
 */
bool
virtFilterHoldStart(virtFilter *filter, const virtRpcProc *proc, const virtRpcHeader *header, GByteArray *message)
{
    Start *start;
    GByteArray *call;

    if (header->type != VIRT_RPC_CALL)
        return false;
    start = startNew(filter, proc, header, message);
    if (!start)
        return false;
    call = g_byte_array_sized_new(message->len);
    g_byte_array_append(call, message->data, message->len);
    virtFilterCall(filter, call, startGotReply, start);
    return true;
}
