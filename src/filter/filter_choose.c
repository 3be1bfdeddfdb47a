/* filter_choose.c: calls whose XML asks for a device by card, PF or pool: held until the broker has found it
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Only the host knows which VF that is, and only root may read all that says so. So the broker is asked, and what it
 * has found is written into the client's document, which then goes the way of any other. The reply to a definition is
 * waited for, too: until then the broker gives nobody else what it has found.
 *
 * Looking is all that is done for a client before libvirt has said yes, and who has the VFs that are not free is for
 * the log.
 */
#include "filter/filter_priv.h"
#include "util/virerror.h"

#include <string.h>

typedef struct {
    virtFilter *filter;
    const virtRpcProc *proc;
    virtRpcHeader header;
    GByteArray *message; /* the client's call */
    virtBrokerRequest request;
    bool chosen; /* the broker gives nobody else what it has found */
} Pending;

static void
forget(Pending *pending)
{
    if (pending->chosen)
        virtFilterForget(pending->filter, pending->request.uuid);
    pending->chosen = false;
}

static void
pendingFree(Pending *pending)
{
    forget(pending);
    virtFilterHeldDone(pending->filter);
    g_clear_pointer(&pending->message, g_byte_array_unref);
    virtBrokerRequestClear(&pending->request);
    g_free(pending);
}

static void
refusePending(Pending *pending, const GError *error)
{
    virtFilterReply(pending->filter, virtRpcErrorReply(pending->header.proc, pending->header.serial, error));
    pendingFree(pending);
}

/* Whether a reply of libvirt's has the domain that was started, and is held for that. */
static bool
holdStarted(virtFilter *filter, GByteArray *reply)
{
    virtRpcHeader header;
    const virtRpcProc *proc = NULL;

    if (virtRpcHeaderParse(reply->data, &header, NULL))
        proc = virtRpcProcFind(&header);
    return proc && proc->action == VIRT_RPC_STARTED && virtFilterHoldStarted(filter, proc, &header, reply);
}

static void
gotReply(gpointer opaque, const virtRpcHeader *header, const GByteArray *message)
{
    Pending *pending = opaque;
    GByteArray *reply;

    if (header) {
        forget(pending);
        reply = virtFilterRelay(&pending->header, message);
        if (!holdStarted(pending->filter, reply))
            virtFilterReply(pending->filter, reply);
    }
    pendingFree(pending); /* without a header libvirt is gone, and the client's connection with it */
}

/* Nothing has to be done when libvirt has answered: the call goes its way as if it had never been held. */
static void
passOn(Pending *pending, GByteArray *stock)
{
    virtFilter *filter = pending->filter;

    pendingFree(pending);
    virtFilterForward(filter, stock);
}

/* The call as it has come, but for what was found: in stock form to libvirt. */
static void
makeCall(Pending *pending)
{
    const GByteArray *message = pending->message;
    g_autoptr(GError) error = NULL;
    GByteArray *stock = NULL;

    if (!virtRpcRewrite(pending->proc, message->data, message->len, virtFilterFlags(pending->filter), &stock, &error)) {
        refusePending(pending, error);
        return;
    }
    if (!stock)
        stock = g_byte_array_ref(pending->message);
    if (pending->chosen)
        virtFilterCall(pending->filter, stock, gotReply, pending);
    else
        passOn(pending, stock);
}

/* The same about a device: its steps follow, and the last of them tells the broker. */
static void
holdDevice(Pending *pending)
{
    const Pending was = *pending;
    GByteArray *message = g_steal_pointer(&pending->message);
    bool held;
    char uuid[VIRT_UUID_LEN];

    g_strlcpy(uuid, pending->request.uuid, sizeof(uuid));
    pending->chosen = false;
    pendingFree(pending);
    if (was.chosen)
        held = virtFilterHoldChosen(was.filter, was.proc, &was.header, message);
    else
        held = virtFilterHoldDevice(was.filter, was.proc, &was.header, message);
    if (held)
        return;
    if (was.chosen)
        virtFilterForget(was.filter, uuid);
    virtFilterForward(was.filter, message);
}

static void
goOn(Pending *pending)
{
    if (pending->proc->action == VIRT_RPC_TO_STOCK)
        makeCall(pending);
    else
        holdDevice(pending);
}

static void
gotProfiled(gpointer opaque, GByteArray *message, const GError *failure)
{
    Pending *pending = opaque;

    if (failure) {
        refusePending(pending, failure);
        return;
    }
    g_byte_array_unref(pending->message);
    pending->message = g_byte_array_ref(message);
    goOn(pending);
}

/* All devices have an address: profiles are next. */
static void
askProfiles(Pending *pending)
{
    if (!virtFilterAskProfiles(pending->filter, pending->proc, pending->message, gotProfiled, pending))
        goOn(pending);
}

static void
gotChosen(gpointer opaque, const GArray *handles, const GError *failure)
{
    Pending *pending = opaque;
    GArray *wishes = pending->request.wishes;
    g_autoptr(GError) error = NULL;
    GByteArray *granted;

    if (failure) {
        refusePending(pending, failure);
        return;
    }
    pending->chosen = pending->request.mode != VIRT_BROKER_FOR_DETACH;
    for (guint i = 0; i < wishes->len && i < handles->len; i++)
        g_array_index(wishes, virtWish, i).handle = g_array_index(handles, virtHandle, i);
    granted = virtRpcGrantWishes(pending->proc, pending->message->data, pending->message->len,
                                 virtFilterFlags(pending->filter), wishes, &error);
    if (!granted) {
        refusePending(pending, error);
        return;
    }
    g_byte_array_unref(pending->message);
    pending->message = granted;
    askProfiles(pending);
}

/* What the call does with its wishes. False: they do not matter, for it means a device by its address. */
static bool
readMode(const virtRpcProc *proc, const GArray *wishes, virtBrokerChooseMode *ret)
{
    switch (proc->action) {
    case VIRT_RPC_TO_STOCK:
        *ret = VIRT_BROKER_FOR_DEFINE;
        return true;
    case VIRT_RPC_ATTACH:
        *ret = VIRT_BROKER_FOR_ATTACH;
        return true;
    default:
        *ret = VIRT_BROKER_FOR_DETACH;
        return virtHandleIsNone(&g_array_index(wishes, virtWish, 0).handle);
    }
}

/* The domain that a call about a device names, or a document: what that has already is not somebody else's. */
static void
readUuid(const virtFilter *filter, const virtRpcProc *proc, const GByteArray *message, char ret[VIRT_UUID_LEN])
{
    g_autofree char *uuid = NULL;
    virtRpcDomain domain;

    g_strlcpy(ret, VIRT_BROKER_NOBODY, VIRT_UUID_LEN);
    if (proc->action == VIRT_RPC_TO_STOCK)
        uuid = virtRpcReadXmlUuid(proc, message->data, message->len, virtFilterFlags(filter));
    if (uuid)
        g_strlcpy(ret, uuid, VIRT_UUID_LEN);
    else if (proc->action != VIRT_RPC_TO_STOCK && virtRpcReadDomain(proc, message->data, message->len, &domain))
        virtRpcUuidFormat(domain.uuid, ret);
}

/* Whether a call is one to hold, and for what. */
static bool
takeWishes(virtFilter *filter, const virtRpcProc *proc, const GByteArray *message, virtBrokerRequest *ret)
{
    g_autoptr(GArray) wishes = virtRpcListWishes(proc, message->data, message->len, virtFilterFlags(filter), NULL);

    ret->verb = VIRT_BROKER_CHOOSE;
    if (!wishes || !readMode(proc, wishes, &ret->mode))
        return false;
    if (virtWishListIsOpen(wishes))
        virtRpcReadAffinity(proc, message->data, message->len, &ret->affinity);
    ret->wishes = g_steal_pointer(&wishes);
    return true;
}

/* Hold a call whose XML has wishes, or VFs that profiles may be for, until the broker has found what they ask for and
 * which profiles there are.
 *
 * @message: taken over where this returns true
 *
 * False where it has none, or is wrong, which is told when it goes on.
 */
bool
virtFilterHoldWishes(virtFilter *filter, const virtRpcProc *proc, const virtRpcHeader *header, GByteArray *message)
{
    g_autoptr(GError) error = NULL;
    Pending *pending = g_new0(Pending, 1);
    bool wishes;

    *pending = (Pending){filter, proc, *header, message};
    wishes = takeWishes(filter, proc, message, &pending->request);
    readUuid(filter, proc, message, pending->request.uuid);
    error = virtFilterDescriptors(message);
    if (!wishes && (error || !virtFilterHasProfiled(filter, proc, message))) {
        g_free(pending);
        return false;
    }
    virtFilterHeldAdd(filter);
    if (!error && virtFilterHeld(filter) > VIRT_FILTER_HELD_MAX)
        error = virtFilterTooMany();
    if (!error && !wishes)
        askProfiles(pending);
    else if (!error)
        virtFilterAskChoose(filter, &pending->request, gotChosen, pending, &error);
    if (error)
        refusePending(pending, error);
    return true;
}
