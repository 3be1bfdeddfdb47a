/* filter_job.c: how a held call gets from one step to the next, and how it fails
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A step ends in one of these: virtFilterJobNext() where there was nothing to ask, virtFilterJobSend() or
 * virtFilterJobAsk() whose answer brings the next, or virtFilterJobFail*(). None of them leaves anything to do for who
 * called it.
 */
#include "filter/filter_job.h"

#include <libvirt/libvirt.h>

const virtFilterImpact virtFilterImpacts[VIRT_FILTER_TARGETS] = {
    [VIRT_FILTER_LIVE] = {VIR_DOMAIN_AFFECT_LIVE, 0},
    [VIRT_FILTER_CONFIG] = {VIR_DOMAIN_AFFECT_CONFIG, VIR_DOMAIN_XML_INACTIVE},
};

/* Free @job and count it off. */
void
virtFilterJobFree(virtFilterJob *job)
{
    virtFilterHeldDone(job->filter);
    if (job->chosen)
        virtFilterForget(job->filter, job->uuid);
    if (job->begun)
        virtFilterEndTurn(job->filter, job->uuid);
    g_clear_pointer(&job->message, g_byte_array_unref);
    g_clear_pointer(&job->reply, g_byte_array_unref);
    virtHostdevFree(job->hostdev);
    g_free(job->stock);
    g_free(job->replacing);
    g_free(job->replaced);
    for (virtFilterTarget target = 0; target < VIRT_FILTER_TARGETS; target++)
        g_clear_pointer(&job->before[target], g_ptr_array_unref);
    g_clear_pointer(&job->devices, g_array_unref);
    g_free(job);
}

static bool
affects(const virtFilterJob *job, virtFilterTarget target)
{
    return target == VIRT_FILTER_ALWAYS || job->flags & virtFilterImpacts[target].flag;
}

/* Go on with the next step that concerns what the call affects. */
void
virtFilterJobNext(virtFilterJob *job)
{
    const virtFilterStep *step = job->next++;

    while (!affects(job, step->target))
        step = job->next++;
    step->run(job, step->target);
}

/* ---- failing ---- */

/* From here on only what closes a call; the first failure is the one the client hears of.
 *
 * @reply: what it hears, taken over
 */
void
virtFilterJobFail(virtFilterJob *job, GByteArray *reply)
{
    if (job->failed) {
        g_byte_array_unref(reply);
    } else {
        job->failed = true;
        g_clear_pointer(&job->reply, g_byte_array_unref); /* libvirt's yes, where it is not the whole story */
        job->reply = reply;
        job->next = virtFilterClosing;
    }
    virtFilterJobNext(job);
}

/* Fail with a sentence of ours; lent. */
void
virtFilterJobFailWith(virtFilterJob *job, const GError *error)
{
    virtFilterJobFail(job, virtRpcErrorReply(job->header.proc, job->header.serial, error));
}

/* A reply of libvirt's to a call of ours, as one to the client's; for the caller to free. */
GByteArray *
virtFilterJobRelay(const virtFilterJob *job, const GByteArray *message)
{
    GByteArray *copy = g_byte_array_sized_new(message->len);

    g_byte_array_append(copy, message->data, message->len);
    virtRpcHeaderPutProc(copy->data, job->header.proc);
    virtRpcHeaderPutSerial(copy->data, job->header.serial);
    return copy;
}

/* What every reply is looked at for first: true where it can be read on. */
bool
virtFilterJobIsGood(virtFilterJob *job, const virtRpcHeader *header, const GByteArray *message)
{
    if (!header) {
        virtFilterJobFree(job); /* libvirt is gone, and the client's connection with it */
        return false;
    }
    if (header->status != VIRT_RPC_OK) {
        virtFilterJobFail(job, virtFilterJobRelay(job, message));
        return false;
    }
    return true;
}

/* Fail, for libvirt's reply is not what it should be. */
void
virtFilterJobFailMalformed(virtFilterJob *job)
{
    g_autoptr(GError) error =
        g_error_new(VIRT_ERROR, VIRT_ERROR_HOST,
                    "libvirt's reply about domain %s cannot be read; nothing was attached or changed", job->uuid);

    virtFilterJobFailWith(job, error);
}

/* ---- asking ---- */

/* Begin a call about the domain; its other arguments are put behind. */
GByteArray *
virtFilterJobNewCall(const virtFilterJob *job, guint32 proc)
{
    GByteArray *call = virtRpcMessageNew(proc, VIRT_RPC_CALL, 0, VIRT_RPC_OK);

    virtXdrPutDomain(call, &job->domain);
    return call;
}

/* Make a call, taken over; @done has the reply. */
void
virtFilterJobSend(virtFilterJob *job, GByteArray *call, virtFilterReplyFunc done)
{
    g_autoptr(GError) error = NULL;

    if (virtRpcMessageEnd(call, &error)) {
        if (job->begun)
            virtFilterCallInTime(job->filter, call, done, job);
        else
            virtFilterCall(job->filter, call, done, job);
        return;
    }
    g_byte_array_unref(call);
    virtFilterJobFailWith(job, error);
}

static void
answered(gpointer opaque, const GError *failure)
{
    virtFilterJob *job = opaque;

    if (failure)
        virtFilterJobFailWith(job, failure);
    else
        virtFilterJobNext(job);
}

/* Ask the broker; the next step comes when it has said yes. */
void
virtFilterJobAsk(virtFilterJob *job, virtBrokerVerb verb)
{
    virtBrokerRequest request = {.verb = verb};

    g_strlcpy(request.uuid, job->uuid, sizeof(request.uuid));
    request.handle = job->plain;
    if (job->hostdev)
        request.handle = job->hostdev->handle;
    virtFilterAsk(job->filter, &request, answered, job);
}
