/* filter_abi.c: calls whose XML takes the place of what a domain is: migration, saving, saved images
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Whether an interface in such a document is stored as a <hostdev>, and which MAC addresses it must have, only the
 * domain says. So the call waits until libvirt has shown it, with the client's own rights, and then goes on its way,
 * rewritten; its reply is nothing to us.
 */
#include "filter/filter_priv.h"
#include "util/virerror.h"

typedef struct {
    virtFilter *filter;
    const virtRpcProc *proc;
    virtRpcHeader header;
    GByteArray *message; /* the client's call */
} PendingABI;

static void
pendingFree(PendingABI *pending)
{
    virtFilterHeldDone(pending->filter);
    g_clear_pointer(&pending->message, g_byte_array_unref);
    g_free(pending);
}

static void
refusePending(const PendingABI *pending, const GError *error)
{
    virtFilterReply(pending->filter, virtRpcErrorReply(pending->header.proc, pending->header.serial, error));
}

static void
forwardPending(PendingABI *pending, const char *domain, gsize len)
{
    g_autoptr(GError) error = NULL;
    GByteArray *rewritten;

    if (!virtRpcRewriteABI(pending->proc, pending->message->data, pending->message->len, domain, len, &rewritten,
                           &error)) {
        refusePending(pending, error);
        return;
    }
    if (!rewritten)
        rewritten = g_steal_pointer(&pending->message);
    virtFilterForward(pending->filter, rewritten);
}

/* A failure is the client's own: it may not see the domain, or there is none. */
static void
relayPending(const PendingABI *pending, const GByteArray *message)
{
    virtFilterReply(pending->filter, virtFilterRelay(&pending->header, message));
}

static void
comparePending(PendingABI *pending, const GByteArray *message)
{
    virtXdr xdr = virtRpcMessageOpen(message->data, message->len);
    g_autoptr(GError) error = NULL;
    gsize len;
    const char *xml = virtXdrGetString(&xdr, &len);

    if (xml) {
        forwardPending(pending, xml, len);
        return;
    }
    error = g_error_new(VIRT_ERROR, VIRT_ERROR_HOST, "libvirt's reply with the domain's XML cannot be read");
    refusePending(pending, error);
}

static void
pendingGotDomain(gpointer opaque, const virtRpcHeader *header, const GByteArray *message)
{
    PendingABI *pending = opaque;

    if (header && header->status == VIRT_RPC_OK)
        comparePending(pending, message);
    else if (header)
        relayPending(pending, message);
    pendingFree(pending); /* without a header libvirt is gone, and the client's connection with it */
}

/* The call is held; what was taken over goes with it. */
static void
beginPending(virtFilter *filter, GByteArray *call, PendingABI *pending, GError **error)
{
    if (virtFilterHeld(filter) > VIRT_FILTER_HELD_MAX)
        *error = virtFilterTooMany();
    else if (virtRpcMessageEnd(call, error))
        virtFilterCall(filter, g_byte_array_ref(call), pendingGotDomain, pending);
}

/* Whether the XML is right in itself: who made a mistake hears of it whatever the domain is like. */
static bool
isRight(const virtRpcProc *proc, const GByteArray *message, GError **error)
{
    GByteArray *rewritten = NULL;
    bool ok = virtRpcRewrite(proc, message->data, message->len, 0, &rewritten, error);

    g_clear_pointer(&rewritten, g_byte_array_unref);
    return ok;
}

/* Hold a call until its XML can be compared with the domain's, then forward or refuse it.
 *
 * @message: taken over where this returns true
 *
 * False where the call has no XML, or none that can be found: it is forwarded as it is.
 */
bool
virtFilterHoldABI(virtFilter *filter, const virtRpcProc *proc, const virtRpcHeader *header, GByteArray *message)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GByteArray) call = virtRpcNewShowCall(proc, message->data, message->len);
    PendingABI *pending;

    if (!call && isRight(proc, message, &error))
        return false;
    pending = g_new0(PendingABI, 1);
    pending->filter = filter;
    pending->proc = proc;
    pending->header = *header;
    pending->message = message;
    virtFilterHeldAdd(filter);
    if (!error && isRight(proc, message, &error) && !(error = virtFilterDescriptors(message)))
        beginPending(filter, call, pending, &error);
    if (error) {
        refusePending(pending, error);
        pendingFree(pending);
    }
    return true;
}
