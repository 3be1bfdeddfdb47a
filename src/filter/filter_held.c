/* filter_held.c: how a held call gets from one step to the next, and how it fails
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A step ends in one of these: virtHeldAdvance() where there was nothing to ask, virtHeldSend() or virtHeldAsk() whose
 * answer brings the next, or virtHeldFail*(). None of them leaves anything to do for who called it.
 */
#include "filter/filter_held.h"

#include <libvirt/libvirt.h>

const virtHeldImpact virtHeldImpacts[VIRT_HELD_TARGETS] = {
    [VIRT_HELD_LIVE] = {VIR_DOMAIN_AFFECT_LIVE, 0},
    [VIRT_HELD_CONFIG] = {VIR_DOMAIN_AFFECT_CONFIG, VIR_DOMAIN_XML_INACTIVE},
};

/* Free @held and count it off. */
void
virtHeldFree(virtHeld *held)
{
    virtFilterHeldDone(held->filter);
    if (held->begun)
        virtFilterEndTurn(held->filter, held->uuid);
    g_clear_pointer(&held->message, g_byte_array_unref);
    g_clear_pointer(&held->reply, g_byte_array_unref);
    virtHostdevFree(held->hostdev);
    g_free(held->stock);
    g_free(held->replacing);
    g_free(held->replaced);
    for (virtHeldTarget target = 0; target < VIRT_HELD_TARGETS; target++)
        g_clear_pointer(&held->before[target], g_ptr_array_unref);
    g_clear_pointer(&held->devices, g_array_unref);
    g_free(held);
}

static bool
affects(const virtHeld *held, virtHeldTarget target)
{
    return target == VIRT_HELD_ALWAYS || held->flags & virtHeldImpacts[target].flag;
}

/* Go on with the next step that concerns what the call affects. */
void
virtHeldAdvance(virtHeld *held)
{
    const virtHeldStep *step = held->next++;

    while (!affects(held, step->target))
        step = held->next++;
    step->run(held, step->target);
}

/* ---- failing ---- */

/* From here on only what closes a call; the first failure is the one the client hears of.
 *
 * @reply: what it hears, taken over
 */
void
virtHeldFail(virtHeld *held, GByteArray *reply)
{
    if (held->failed) {
        g_byte_array_unref(reply);
    } else {
        held->failed = true;
        g_clear_pointer(&held->reply, g_byte_array_unref); /* libvirt's yes, where it is not the whole story */
        held->reply = reply;
        held->next = virtHeldClosing;
    }
    virtHeldAdvance(held);
}

/* Fail with a sentence of ours; lent. */
void
virtHeldFailWith(virtHeld *held, const GError *error)
{
    virtHeldFail(held, virtRpcErrorReply(held->header.proc, held->header.serial, error));
}

/* A reply of libvirt's to a call of ours, as one to the client's; for the caller to free. */
GByteArray *
virtHeldRelay(const virtHeld *held, const GByteArray *message)
{
    GByteArray *copy = g_byte_array_sized_new(message->len);

    g_byte_array_append(copy, message->data, message->len);
    virtRpcHeaderPutProc(copy->data, held->header.proc);
    virtRpcHeaderPutSerial(copy->data, held->header.serial);
    return copy;
}

/* What every reply is looked at for first: true where it can be read on. */
bool
virtHeldIsGood(virtHeld *held, const virtRpcHeader *header, const GByteArray *message)
{
    if (!header) {
        virtHeldFree(held); /* libvirt is gone, and the client's connection with it */
        return false;
    }
    if (header->status != VIRT_RPC_OK) {
        virtHeldFail(held, virtHeldRelay(held, message));
        return false;
    }
    return true;
}

/* Fail, for libvirt's reply is not what it should be. */
void
virtHeldFailMalformed(virtHeld *held)
{
    g_autoptr(GError) error =
        g_error_new(VIRT_ERROR, VIRT_ERROR_HOST,
                    "libvirt's reply about domain %s cannot be read; nothing was attached or changed", held->uuid);

    virtHeldFailWith(held, error);
}

/* ---- asking ---- */

/* Begin a call about the domain; its other arguments are put behind. */
GByteArray *
virtHeldNewCall(const virtHeld *held, guint32 proc)
{
    GByteArray *call = virtRpcMessageNew(proc, VIRT_RPC_CALL, 0, VIRT_RPC_OK);

    virtXdrPutDomain(call, &held->domain);
    return call;
}

/* Make a call, taken over; @done has the reply. */
void
virtHeldSend(virtHeld *held, GByteArray *call, virtFilterReplyFunc done)
{
    g_autoptr(GError) error = NULL;

    if (virtRpcMessageEnd(call, &error)) {
        if (held->begun)
            virtFilterCallInTime(held->filter, call, done, held);
        else
            virtFilterCall(held->filter, call, done, held);
        return;
    }
    g_byte_array_unref(call);
    virtHeldFailWith(held, error);
}

static void
answered(gpointer opaque, const GError *failure)
{
    virtHeld *held = opaque;

    if (failure)
        virtHeldFailWith(held, failure);
    else
        virtHeldAdvance(held);
}

/* Ask the broker; the next step comes when it has said yes. */
void
virtHeldAsk(virtHeld *held, virtBrokerVerb verb)
{
    virtBrokerRequest request = {.verb = verb};

    g_strlcpy(request.uuid, held->uuid, sizeof(request.uuid));
    request.address = held->hostdev ? held->hostdev->address : held->plain;
    virtFilterAsk(held->filter, &request, answered, held);
}
