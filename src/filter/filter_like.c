/* filter_like.c: calls whose XML takes the place of what a domain is: migration, saving, saved images
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
} Like;

static void
likeFree(Like *like)
{
    virtFilterHeldDone(like->filter);
    g_clear_pointer(&like->message, g_byte_array_unref);
    g_free(like);
}

static void
refuse(const Like *like, const GError *error)
{
    virtFilterReply(like->filter, virtRpcErrorReply(like->header.proc, like->header.serial, error));
}

static void
forward(Like *like, const char *domain, gsize len)
{
    g_autoptr(GError) error = NULL;
    GByteArray *rewritten;

    if (!virtRpcRewriteLike(like->proc, like->message->data, like->message->len, domain, len, &rewritten, &error))
        refuse(like, error);
    else
        virtFilterForward(like->filter, rewritten ? rewritten : g_steal_pointer(&like->message));
}

/* A failure is the client's own: it may not see the domain, or there is none. */
static void
relay(const Like *like, const GByteArray *message)
{
    virtFilterReply(like->filter, virtFilterRelay(&like->header, message));
}

static void
gotDomain(gpointer opaque, const virtRpcHeader *header, const GByteArray *message)
{
    Like *like = opaque;
    const char *xml;
    virtXdr xdr;
    gsize len;

    if (header && header->status == VIRT_RPC_OK) {
        xdr = virtRpcMessageOpen(message->data, message->len);
        if ((xml = virtXdrGetString(&xdr, &len))) {
            forward(like, xml, len);
        } else {
            g_autoptr(GError) error =
                g_error_new(VIRT_ERROR, VIRT_ERROR_HOST, "libvirt's reply with the domain's XML cannot be read");
            refuse(like, error);
        }
    } else if (header) {
        relay(like, message);
    }
    likeFree(like); /* without a header libvirt is gone, and the client's connection with it */
}

/* The call is job; what was taken over goes with it. */
static void
begin(virtFilter *filter, GByteArray *call, Like *like, GError **error)
{
    if (virtFilterHeld(filter) > VIRT_FILTER_HELD_MAX)
        *error = virtFilterTooMany();
    else if (virtRpcMessageEnd(call, error))
        virtFilterCall(filter, g_byte_array_ref(call), gotDomain, like);
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
virtFilterHoldLike(virtFilter *filter, const virtRpcProc *proc, const virtRpcHeader *header, GByteArray *message)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GByteArray) call = virtRpcNewShowCall(proc, message->data, message->len);
    Like *like;

    if (!call && isRight(proc, message, &error))
        return false;
    like = g_new0(Like, 1);
    like->filter = filter;
    like->proc = proc;
    like->header = *header;
    like->message = message;
    virtFilterHeldAdd(filter);
    if (!error && isRight(proc, message, &error) && !(error = virtFilterDescriptors(message)))
        begin(filter, call, like, &error);
    if (error) {
        refuse(like, error);
        likeFree(like);
    }
    return true;
}
