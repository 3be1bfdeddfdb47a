/* filter_start.c: before a start, the VFs that the domain asks for; after it, are they set?
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
 *
 * A domain that asks for VFs by card, PF or pool has the addresses of what was found last. Before a start they are
 * looked for again, and where they are others by now, or somebody else has them, the domain is defined anew with what
 * is found: with the client's own rights, as if it had done so itself. Where it may not, it starts with what is stored,
 * and the hook judges.
 */
#include "filter/filter_priv.h"
#include "util/virerror.h"

#include <libvirt/libvirt.h>

#include <string.h>

typedef struct {
    virtFilter *filter;
    virtRpcHeader header;
    virtRpcDomain domain; /* its name lies in the call */
    char uuid[VIRT_UUID_LEN];
    GByteArray *message; /* the client's call; then libvirt's reply, as it is to have it */
    GArray *wishes;      /* virtWish, what was found for them; NULL: there are none */
} Start;

static void
startFree(Start *start)
{
    if (start->wishes)
        virtFilterForget(start->filter, start->uuid);
    virtFilterHeldDone(start->filter);
    g_clear_pointer(&start->message, g_byte_array_unref);
    g_clear_pointer(&start->wishes, g_array_unref);
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
    start->domain = domain;
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

/* The client's own call. */
static void
makeStart(Start *start)
{
    GByteArray *call = g_byte_array_sized_new(start->message->len);

    g_byte_array_append(call, start->message->data, start->message->len);
    virtFilterCall(start->filter, call, startGotReply, start);
}

/* ---- before it ---- */

/* The document of a reply; NULL: the client may not see it, or there is none. */
static const char *
readXml(const virtRpcHeader *header, const GByteArray *message, gsize *ret_len)
{
    virtXdr xdr = virtRpcMessageOpen(message->data, message->len);

    if (header->status != VIRT_RPC_OK)
        return NULL;
    return virtXdrGetString(&xdr, ret_len);
}

static void
startDefined(gpointer opaque, const virtRpcHeader *header, const GByteArray *message)
{
    Start *start = opaque;

    (void)message;
    if (header)
        makeStart(start);
    else
        startFree(start);
}

/* Define the domain with what was found; what stands in the way of that does not stand in the start's. */
static void
startGotSecrets(gpointer opaque, const virtRpcHeader *header, const GByteArray *message)
{
    Start *start = opaque;
    g_autofree char *text = NULL;
    const char *xml = NULL;
    GByteArray *call;
    gsize len = 0;

    if (!header) {
        startFree(start);
        return;
    }
    if ((xml = readXml(header, message, &len)))
        text = virtDomainGrantWishes(xml, len, NULL, 0, start->wishes, NULL);
    if (!text) {
        makeStart(start);
        return;
    }
    call = virtRpcMessageNew(VIRT_RPC_PROC_DOMAIN_DEFINE_XML, VIRT_RPC_CALL, 0, VIRT_RPC_OK);
    virtXdrPutString(call, text, strlen(text));
    virtRpcMessageEnd(call, NULL);
    virtFilterCall(start->filter, call, startDefined, start);
}

static void
askForXml(Start *start, guint flags, virtFilterReplyFunc done)
{
    GByteArray *call = virtRpcMessageNew(VIRT_RPC_PROC_DOMAIN_GET_XML_DESC, VIRT_RPC_CALL, 0, VIRT_RPC_OK);

    virtXdrPutDomain(call, &start->domain);
    virtXdrPutUInt(call, flags);
    virtRpcMessageEnd(call, NULL);
    virtFilterCall(start->filter, call, done, start);
}

/* Note what was found; false where all of it was known. */
static bool
takeHandles(Start *start, const GArray *handles)
{
    bool changed = false;

    for (guint i = 0; i < start->wishes->len && i < handles->len; i++) {
        virtWish *wish = &g_array_index(start->wishes, virtWish, i);
        const virtHandle *handle = &g_array_index(handles, virtHandle, i);

        changed |= !virtHandleEqual(&wish->handle, handle);
        wish->handle = *handle;
    }
    return changed;
}

static void
startGotChosen(gpointer opaque, const GArray *handles, const GError *failure)
{
    Start *start = opaque;

    if (failure && !g_error_matches(failure, VIRT_ERROR, VIRT_ERROR_HOST)) {
        virtFilterReply(start->filter, virtRpcErrorReply(start->header.proc, start->header.serial, failure));
        startFree(start);
    } else if (!failure && takeHandles(start, handles)) {
        askForXml(start, VIR_DOMAIN_XML_INACTIVE | VIR_DOMAIN_XML_SECURE, startGotSecrets);
    } else {
        makeStart(start); /* where it cannot be told, the hook will */
    }
}

/* libvirt refuses to start a domain that runs, and what that has is taken by itself. */
static bool
isRunning(const char *xml, gsize len)
{
    g_autoptr(virtDomainConf) domain = virtDomainConfParseDevices(xml, len, NULL);

    return !domain || domain->active;
}

static void
startGotXml(gpointer opaque, const virtRpcHeader *header, const GByteArray *message)
{
    Start *start = opaque;
    virtBrokerRequest request = {.verb = VIRT_BROKER_CHOOSE, .mode = VIRT_BROKER_FOR_START};
    const char *xml = NULL;
    gsize len = 0;

    if (!header) {
        startFree(start);
        return;
    }
    xml = readXml(header, message, &len);
    if (xml && virtDomainMentionsUs(xml, len) && !isRunning(xml, len))
        start->wishes = virtDomainListWishes(xml, len, NULL, 0, NULL);
    if (start->wishes && start->wishes->len == 0)
        g_clear_pointer(&start->wishes, g_array_unref);
    if (start->wishes && virtWishListIsOpen(start->wishes))
        virtAffinityReadXml(xml, len, &request.affinity);
    request.wishes = start->wishes;
    g_strlcpy(request.uuid, start->uuid, sizeof(request.uuid));
    if (!start->wishes || !virtFilterAskChoose(start->filter, &request, startGotChosen, start, NULL))
        makeStart(start);
}

/* Make the client's call to start a domain, with VFs that are free now, and hold its reply.
 *
 * @message: taken over where this returns true; else it goes to libvirt as it is
 */
bool
virtFilterHoldStart(virtFilter *filter, const virtRpcProc *proc, const virtRpcHeader *header, GByteArray *message)
{
    Start *start;

    if (header->type != VIRT_RPC_CALL)
        return false;
    start = startNew(filter, proc, header, message);
    if (!start)
        return false;
    if (proc->proc == VIRT_RPC_PROC_DOMAIN_REVERT_TO_SNAPSHOT) /* what starts is in the snapshot */
        makeStart(start);
    else
        askForXml(start, 0, startGotXml);
    return true;
}
