/* filter_call.c: attach, detach and update of a device: calls that are held while something is prepared
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Theory of operation. A held call is a row of steps. A step asks libvirt or the broker for one thing and returns;
 * the answer brings the next step. Meanwhile everything else on the connection flows.
 *
 *   attach   begin, read metadata, write metadata, prepare the VF, the client's call without <netdev>, end
 *   detach   begin, the client's call, end
 *   update   begin, read metadata, compare, write metadata, set the VF, end
 *
 * Calls to libvirt are made on the client's own connection. So libvirt decides with the client's rights, and
 * because writing metadata takes the same permission as attaching does, nothing is prepared for one who may not.
 *
 * There is nearly no undoing here. "end" has the daemon compare what libvirt says the domain has with metadata,
 * records and VFs, and that takes back what a step has done for a device that did not arrive. It does so too when
 * this process dies, whichever step it was at.
 */
#include "conf/domain_conf.h"
#include "remote/filter.h"

#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <string.h>

#define PROC_ATTACH_DEVICE 8
#define PROC_DETACH_DEVICE 13
#define PROC_GET_XML_DESC 14
#define PROC_IS_ACTIVE 150
#define PROC_SET_METADATA 264
#define PROC_GET_METADATA 265

#define HELD_MAX 64 /* calls of one client; libvirt itself takes 5 at a time by default */

typedef struct _Held Held;

/* Where a call has effect: the running domain and what the next start will use. */
typedef enum { LIVE, CONFIG, TARGETS, ALWAYS = TARGETS } Target;

/* A step about one of the two is left out where the call does not affect it. */
typedef struct {
    void (*run)(Held *held, Target target);
    Target target;
} Step;

static const struct {
    guint flag;    /* virDomainModificationImpact */
    guint xmlFlag; /* virDomainXMLFlags that shows it */
} targets[TARGETS] = {
    [LIVE] = {VIR_DOMAIN_AFFECT_LIVE, 0},
    [CONFIG] = {VIR_DOMAIN_AFFECT_CONFIG, VIR_DOMAIN_XML_INACTIVE},
};

struct _Held {
    virtFilter *filter;
    const virtRpcProc *proc;
    virtRpcHeader header;
    GByteArray *message; /* the client's call */
    virtRpcDomain domain;
    char uuid[VIRT_UUID_LEN];
    const char *xml; /* in @message, like the domain's name */
    gsize xmlLen;
    guint flags;

    virtHostdev *hostdev;       /* what the client wants; attach and update */
    char *stock;                /* the device without its netdevs */
    GPtrArray *before[TARGETS]; /* virtHostdev: our metadata as it was read */
    bool present;               /* attach: metadata knows the device already */
    bool written[TARGETS];

    const Step *next;
    bool begun, failed;
    Target target; /* of the request under way */
    GByteArray *reply;
};

static void
heldFree(Held *held)
{
    virtFilterHeldDone(held->filter);
    g_clear_pointer(&held->message, g_byte_array_unref);
    g_clear_pointer(&held->reply, g_byte_array_unref);
    virtHostdevFree(held->hostdev);
    g_free(held->stock);
    for (Target target = 0; target < TARGETS; target++)
        g_clear_pointer(&held->before[target], g_ptr_array_unref);
    g_free(held);
}

static bool
affects(const Held *held, Target target)
{
    return target == ALWAYS || held->flags & targets[target].flag;
}

static void
advance(Held *held)
{
    const Step *step = held->next++;

    while (!affects(held, step->target))
        step = held->next++;
    step->run(held, step->target);
}

/* ---- failing ---- */

static const Step closingSteps[];

/* From here on only what closes a call; the first failure is the one the client hears of. */
static void
fail(Held *held, GByteArray *reply)
{
    if (held->failed) {
        g_byte_array_unref(reply);
    } else {
        held->failed = true;
        held->reply = reply;
        held->next = closingSteps;
    }
    advance(held);
}

static void
failWith(Held *held, const GError *error)
{
    fail(held, virtRpcErrorReply(held->header.proc, held->header.serial, error));
}

/* A reply of libvirt's to a call of ours, as one to the client's. */
static GByteArray *
relay(const Held *held, const GByteArray *message)
{
    GByteArray *copy = g_byte_array_sized_new(message->len);

    g_byte_array_append(copy, message->data, message->len);
    virtRpcHeaderPutProc(copy->data, held->header.proc);
    virtRpcHeaderPutSerial(copy->data, held->header.serial);
    return copy;
}

/* What every reply is looked at for first: true where it can be read on. */
static bool
isGood(Held *held, const virtRpcHeader *header, const GByteArray *message)
{
    if (!header) {
        heldFree(held); /* libvirt is gone, and the client's connection with it */
        return false;
    }
    if (header->status != VIRT_RPC_OK) {
        fail(held, relay(held, message));
        return false;
    }
    return true;
}

static void
failMalformed(Held *held)
{
    g_autoptr(GError) error =
        g_error_new(VIRT_ERROR, VIRT_ERROR_HOST,
                    "libvirt's reply about domain %s cannot be read; nothing was attached or changed", held->uuid);

    failWith(held, error);
}

/* ---- asking ---- */

static GByteArray *
newCall(const Held *held, guint32 proc)
{
    GByteArray *call = virtRpcMessageNew(proc, VIRT_RPC_CALL, 0, VIRT_RPC_OK);

    virtXdrPutDomain(call, &held->domain);
    return call;
}

static void
sendCall(Held *held, GByteArray *call, virtFilterReplyFunc done)
{
    g_autoptr(GError) error = NULL;

    if (virtRpcMessageEnd(call, &error)) {
        virtFilterCall(held->filter, call, done, held);
        return;
    }
    g_byte_array_unref(call);
    failWith(held, error);
}

static void
answered(gpointer opaque, const GError *failure)
{
    Held *held = opaque;

    if (failure)
        failWith(held, failure);
    else
        advance(held);
}

static void
ask(Held *held, virtBrokerVerb verb)
{
    virtBrokerRequest request = {.verb = verb};

    g_strlcpy(request.uuid, held->uuid, sizeof(request.uuid));
    if (held->hostdev)
        request.address = held->hostdev->address;
    virtFilterAsk(held->filter, &request, answered, held);
}

/* ---- steps ---- */

static void
begin(Held *held, Target target)
{
    held->begun = true;
    ask(held, VIRT_BROKER_BEGIN);
}

static void
gotActive(gpointer opaque, const virtRpcHeader *header, const GByteArray *message)
{
    Held *held = opaque;
    virtXdr xdr;

    if (!isGood(held, header, message))
        return;
    xdr = virtRpcMessageOpen(message->data, message->len);
    held->flags |= virtXdrGetUInt(&xdr) ? VIR_DOMAIN_AFFECT_LIVE : VIR_DOMAIN_AFFECT_CONFIG;
    if (xdr.bad)
        failMalformed(held);
    else
        advance(held);
}

/* "Current" is settled once: a domain that stops meanwhile must not have half of it live and half in its config. */
static void
resolve(Held *held, Target target)
{
    if (held->flags & (VIR_DOMAIN_AFFECT_LIVE | VIR_DOMAIN_AFFECT_CONFIG))
        advance(held);
    else
        sendCall(held, newCall(held, PROC_IS_ACTIVE), gotActive);
}

static GPtrArray *
metadataOf(const virtRpcHeader *header, const GByteArray *message, GError **error)
{
    virtXdr xdr = virtRpcMessageOpen(message->data, message->len);
    const char *xml;
    gsize len;

    if (header->status != VIRT_RPC_OK)
        return g_ptr_array_new_with_free_func((GDestroyNotify)virtHostdevFree);
    xml = virtXdrGetString(&xdr, &len);
    if (xml)
        return virtMetadataParse(xml, len, error);
    g_set_error(error, VIRT_ERROR, VIRT_ERROR_HOST, "libvirt's reply with the domain's metadata cannot be read");
    return NULL;
}

static void
gotMetadata(gpointer opaque, const virtRpcHeader *header, const GByteArray *message)
{
    Held *held = opaque;
    g_autoptr(GError) error = NULL;
    GPtrArray *hostdevs;
    bool none = header && virtRpcErrorCode(message->data, message->len) == VIR_ERR_NO_DOMAIN_METADATA;

    if (!none && !isGood(held, header, message))
        return;
    if (!(hostdevs = metadataOf(header, message, &error))) {
        failWith(held, error);
        return;
    }
    held->before[held->target] = hostdevs;
    held->present |= virtHostdevListFind(hostdevs, &held->hostdev->address) != NULL;
    advance(held);
}

static void
readMetadata(Held *held, Target target)
{
    GByteArray *call = newCall(held, PROC_GET_METADATA);

    held->target = target;
    virtXdrPutUInt(call, VIR_DOMAIN_METADATA_ELEMENT);
    virtXdrPutOptString(call, VIRT_NS);
    virtXdrPutUInt(call, targets[target].flag);
    sendCall(held, call, gotMetadata);
}

static void
gotDone(gpointer opaque, const virtRpcHeader *header, const GByteArray *message)
{
    if (isGood(opaque, header, message))
        advance(opaque);
}

static void
putMetadata(Held *held, Target target, const GPtrArray *hostdevs)
{
    g_autofree char *xml = virtMetadataFormat(hostdevs);
    GByteArray *call = newCall(held, PROC_SET_METADATA);

    virtXdrPutUInt(call, VIR_DOMAIN_METADATA_ELEMENT);
    virtXdrPutOptString(call, xml);
    virtXdrPutOptString(call, "lh");
    virtXdrPutOptString(call, VIRT_NS);
    virtXdrPutUInt(call, targets[target].flag);
    sendCall(held, call, gotDone);
}

/* An update that gives no MAC address means the one that the netdev has. */
static virtHostdev *
completed(const virtHostdev *wanted, const virtHostdev *old)
{
    virtHostdev *hostdev = virtHostdevCopy(wanted);

    for (guint i = 0; old && i < hostdev->netdevs->len; i++) {
        virtNetdev *netdev = hostdev->netdevs->pdata[i];
        const virtNetdev *present = virtNetdevListFind(old->netdevs, netdev->port);

        if (present && !virtNetdevHas(netdev, VIRT_NETDEV_MAC) && virtNetdevHas(present, VIRT_NETDEV_MAC))
            virtNetdevCopyAttr(netdev, present, VIRT_NETDEV_MAC);
    }
    virtHostdevGenerateMacs(hostdev);
    return hostdev;
}

/* Our metadata with the client's device in the place of what was said about it before. */
static void
writeMetadata(Held *held, Target target)
{
    g_autoptr(GPtrArray) hostdevs = g_ptr_array_new_with_free_func((GDestroyNotify)virtHostdevFree);
    const virtHostdev *old;

    if (held->present) {
        advance(held);
        return;
    }
    old = virtHostdevListFind(held->before[target], &held->hostdev->address);
    for (guint i = 0; i < held->before[target]->len; i++) {
        const virtHostdev *other = held->before[target]->pdata[i];

        if (other != old)
            g_ptr_array_add(hostdevs, virtHostdevCopy(other));
    }
    g_ptr_array_add(hostdevs, completed(held->hostdev, old));
    held->written[target] = true;
    putMetadata(held, target, hostdevs);
}

static void
prepare(Held *held, Target target)
{
    if (held->present)
        advance(held); /* libvirt will say that the domain has the device already */
    else
        ask(held, VIRT_BROKER_PREPARE);
}

static void
gotReply(gpointer opaque, const virtRpcHeader *header, const GByteArray *message)
{
    Held *held = opaque;

    if (!isGood(held, header, message))
        return;
    held->reply = relay(held, message);
    advance(held);
}

/* The client's own call, for an attach without the netdevs and with "current" spelled out. */
static void
device(Held *held, Target target)
{
    GByteArray *call;

    if (!held->stock) {
        call = g_byte_array_sized_new(held->message->len);
        g_byte_array_append(call, held->message->data, held->message->len);
        virtFilterCall(held->filter, call, gotReply, held);
        return;
    }
    call = newCall(held, held->header.proc);
    virtXdrPutString(call, held->stock, strlen(held->stock));
    if (held->header.proc != PROC_ATTACH_DEVICE)
        virtXdrPutUInt(call, held->flags);
    sendCall(held, call, gotReply);
}

static void
gotXml(gpointer opaque, const virtRpcHeader *header, const GByteArray *message)
{
    Held *held = opaque;
    g_autoptr(GError) error = NULL;
    const char *xml;
    virtXdr xdr;
    gsize len;

    if (!isGood(held, header, message))
        return;
    xdr = virtRpcMessageOpen(message->data, message->len);
    xml = virtXdrGetString(&xdr, &len);
    if (!xml)
        failMalformed(held);
    else if (!virtHostdevIsIn(held->xml, held->xmlLen, xml, len, &error))
        failWith(held, error);
    else
        advance(held);
}

static void
compare(Held *held, Target target)
{
    GByteArray *call = newCall(held, PROC_GET_XML_DESC);

    virtXdrPutUInt(call, targets[target].xmlFlag);
    sendCall(held, call, gotXml);
}

/* From here on, what metadata knows of the device is to be replaced. */
static void
replace(Held *held, Target target)
{
    held->present = false;
    advance(held);
}

static void
update(Held *held, Target target)
{
    ask(held, VIRT_BROKER_UPDATE);
}

/* ---- closing ---- */

/* Settling cannot tell what was written for a device that the domain has in any case: before an update, or before an
 * attach that libvirt refused for just that. */
static void
putBack(Held *held, Target target)
{
    if (held->failed && held->written[target]) {
        held->written[target] = false;
        putMetadata(held, target, held->before[target]);
    } else {
        advance(held);
    }
}

/* The call itself is over: a failure to settle is the daemon's to log and to try again. */
static void
ended(gpointer opaque, const GError *failure)
{
    (void)failure;
    advance(opaque);
}

static void
end(Held *held, Target target)
{
    virtBrokerRequest request = {.verb = VIRT_BROKER_END};

    g_strlcpy(request.uuid, held->uuid, sizeof(request.uuid));
    if (held->begun)
        virtFilterAsk(held->filter, &request, ended, held);
    else
        advance(held);
}

static void
deliver(Held *held, Target target)
{
    if (!held->reply) {
        held->reply = virtRpcMessageNew(held->header.proc, VIRT_RPC_REPLY, held->header.serial, VIRT_RPC_OK);
        virtRpcMessageEnd(held->reply, NULL);
    }
    virtFilterReply(held->filter, g_steal_pointer(&held->reply));
    heldFree(held);
}

static const Step closingSteps[] = {{putBack, CONFIG}, {putBack, LIVE}, {end, ALWAYS}, {deliver, ALWAYS}};

/* The last of those below: hands over to closingSteps. */
static void
closeCall(Held *held, Target target)
{
    held->next = closingSteps;
    advance(held);
}

static const Step attachSteps[] = {
    {begin, ALWAYS},         {resolve, ALWAYS}, {readMetadata, LIVE}, {readMetadata, CONFIG}, {writeMetadata, LIVE},
    {writeMetadata, CONFIG}, {prepare, LIVE},   {device, ALWAYS},     {closeCall, ALWAYS},
};
static const Step detachSteps[] = {{begin, ALWAYS}, {device, ALWAYS}, {closeCall, ALWAYS}};
static const Step updateSteps[] = {
    {begin, ALWAYS},         {resolve, ALWAYS},      {compare, LIVE},     {compare, CONFIG},
    {readMetadata, LIVE},    {readMetadata, CONFIG}, {replace, ALWAYS},   {writeMetadata, LIVE},
    {writeMetadata, CONFIG}, {update, LIVE},         {closeCall, ALWAYS},
};

/* ---- taking a call ---- */

static Held *
heldNew(virtFilter *filter, const virtRpcProc *proc, const virtRpcHeader *header, GByteArray *message)
{
    Held *held = g_new0(Held, 1);
    virtXdr xdr = virtRpcMessageOpen(message->data, message->len);

    held->filter = filter;
    held->proc = proc;
    held->header = *header;
    held->message = message;
    virtXdrGetDomain(&xdr, &held->domain);
    held->xml = virtXdrGetString(&xdr, &held->xmlLen); /* or the alias */
    /* The two oldest calls have no flags, and mean the running domain. */
    held->flags = header->proc == PROC_ATTACH_DEVICE || header->proc == PROC_DETACH_DEVICE ? VIR_DOMAIN_AFFECT_LIVE
                                                                                           : virtXdrGetUInt(&xdr);
    virtRpcUuidFormat(held->domain.uuid, held->uuid);
    if (xdr.bad)
        g_clear_pointer(&held, g_free);
    return held;
}

/* Is the call one to hold? False without an error: it is libvirt's alone. */
static bool
understand(Held *held, GError **error)
{
    switch (held->proc->action) {
    case VIRT_RPC_DETACH_ALIAS:
        held->next = detachSteps;
        return true;
    case VIRT_RPC_DETACH:
        held->next = detachSteps;
        return memmem(held->xml, held->xmlLen, "<hostdev", 8);
    case VIRT_RPC_ATTACH:
    case VIRT_RPC_UPDATE:
        if (!virtDomainMentionsUs(held->xml, held->xmlLen))
            return false;
        held->stock = virtHostdevToStock(held->xml, held->xmlLen, &held->hostdev, error);
        held->next = held->proc->action == VIRT_RPC_ATTACH ? attachSteps : updateSteps;
        if (held->hostdev && held->proc->action == VIRT_RPC_ATTACH)
            virtHostdevGenerateMacs(held->hostdev);
        return held->stock;
    default:
        return false;
    }
}

/* Take a call about a device, see it through, and give the client its one reply.
 *
 * @message: taken over where this returns true
 *
 * Returns false where the call is none of ours (a disk, a <hostdev> without <netdev>) and is to be forwarded. A
 * call whose document is wrong is answered at once.
 */
bool
virtFilterHold(virtFilter *filter, const virtRpcProc *proc, const virtRpcHeader *header, GByteArray *message)
{
    g_autoptr(GError) error = NULL;
    /* No client sends descriptors with such a call, and libvirt would not take them. */
    Held *held = header->type == VIRT_RPC_CALL ? heldNew(filter, proc, header, message) : NULL;
    bool ours = false;

    if (!held)
        return false; /* libvirt will say what is wrong with it */
    virtFilterHeldAdd(filter);
    if (virtFilterHeld(filter) > HELD_MAX)
        g_set_error(&error, VIRT_ERROR, VIRT_ERROR_BUSY,
                    "%d calls about devices are under way on this connection already. Wait for some of them.",
                    HELD_MAX);
    else
        ours = understand(held, &error);
    if (error) {
        failWith(held, error);
    } else if (ours) {
        advance(held);
    } else {
        held->message = NULL;
        heldFree(held);
        return false;
    }
    return true;
}
