/* filter_call.c: attach, detach and update of a device: calls that are held while something is prepared
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Theory of operation. A held call is a row of steps. A step asks libvirt or the broker for one thing and returns;
 * the answer brings the next step. Meanwhile everything else on the connection flows.
 *
 *   attach   begin, read metadata, write metadata, prepare the VF, the client's call without <netdev>, end
 *   detach   begin, the client's call, end
 *   update   begin, compare, read metadata, write metadata, set the VF, end
 *
 * Calls to libvirt are made on the client's own connection. So libvirt decides with the client's rights, and
 * because writing metadata takes the same permission as attaching does, nothing is prepared for one who may not.
 *
 * There is nearly no undoing here. "end" has the daemon compare what libvirt says the domain has with metadata,
 * records and VFs, and that takes back what a step has done for a device that did not arrive. It does so too when
 * this process dies, whichever step it was at.
 */
#include "remote/filter_held.h"

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

/* ---- steps ---- */

static void
begin(virtHeld *held, virtHeldTarget target)
{
    held->begun = true;
    virtHeldAsk(held, VIRT_BROKER_BEGIN);
}

static void
gotActive(gpointer opaque, const virtRpcHeader *header, const GByteArray *message)
{
    virtHeld *held = opaque;
    virtXdr xdr;

    if (!virtHeldIsGood(held, header, message))
        return;
    xdr = virtRpcMessageOpen(message->data, message->len);
    held->flags |= virtXdrGetUInt(&xdr) ? VIR_DOMAIN_AFFECT_LIVE : VIR_DOMAIN_AFFECT_CONFIG;
    if (xdr.bad)
        virtHeldFailMalformed(held);
    else
        virtHeldAdvance(held);
}

/* "Current" is settled once: a domain that stops meanwhile must not have half of it live and half in its config. */
static void
resolve(virtHeld *held, virtHeldTarget target)
{
    if (held->flags & (VIR_DOMAIN_AFFECT_LIVE | VIR_DOMAIN_AFFECT_CONFIG))
        virtHeldAdvance(held);
    else
        virtHeldSend(held, virtHeldNewCall(held, PROC_IS_ACTIVE), gotActive);
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
    virtHeld *held = opaque;
    g_autoptr(GError) error = NULL;
    GPtrArray *hostdevs;
    bool none = header && virtRpcErrorCode(message->data, message->len) == VIR_ERR_NO_DOMAIN_METADATA;

    if (!none && !virtHeldIsGood(held, header, message))
        return;
    if (!(hostdevs = metadataOf(header, message, &error))) {
        virtHeldFailWith(held, error);
        return;
    }
    held->before[held->target] = hostdevs;
    held->present |= virtHostdevListFind(hostdevs, &held->hostdev->address) != NULL;
    virtHeldAdvance(held);
}

static void
readMetadata(virtHeld *held, virtHeldTarget target)
{
    GByteArray *call = virtHeldNewCall(held, PROC_GET_METADATA);

    held->target = target;
    virtXdrPutUInt(call, VIR_DOMAIN_METADATA_ELEMENT);
    virtXdrPutOptString(call, VIRT_NS);
    virtXdrPutUInt(call, virtHeldImpacts[target].flag);
    virtHeldSend(held, call, gotMetadata);
}

static void
gotDone(gpointer opaque, const virtRpcHeader *header, const GByteArray *message)
{
    if (virtHeldIsGood(opaque, header, message))
        virtHeldAdvance(opaque);
}

static void
putMetadata(virtHeld *held, virtHeldTarget target, const GPtrArray *hostdevs)
{
    g_autofree char *xml = virtMetadataFormat(hostdevs);
    GByteArray *call = virtHeldNewCall(held, PROC_SET_METADATA);

    virtXdrPutUInt(call, VIR_DOMAIN_METADATA_ELEMENT);
    virtXdrPutOptString(call, xml);
    virtXdrPutOptString(call, "lh");
    virtXdrPutOptString(call, VIRT_NS);
    virtXdrPutUInt(call, virtHeldImpacts[target].flag);
    virtHeldSend(held, call, gotDone);
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
writeMetadata(virtHeld *held, virtHeldTarget target)
{
    g_autoptr(GPtrArray) hostdevs = g_ptr_array_new_with_free_func((GDestroyNotify)virtHostdevFree);
    const virtHostdev *old;

    if (held->present) {
        virtHeldAdvance(held);
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
prepare(virtHeld *held, virtHeldTarget target)
{
    if (held->present)
        virtHeldAdvance(held); /* libvirt will say that the domain has the device already */
    else
        virtHeldAsk(held, VIRT_BROKER_PREPARE);
}

static void
gotReply(gpointer opaque, const virtRpcHeader *header, const GByteArray *message)
{
    virtHeld *held = opaque;

    if (!virtHeldIsGood(held, header, message))
        return;
    held->reply = virtHeldRelay(held, message);
    virtHeldAdvance(held);
}

/* The client's own call, for an attach without the netdevs and with "current" spelled out. */
static void
device(virtHeld *held, virtHeldTarget target)
{
    GByteArray *call;

    if (!held->stock) {
        call = g_byte_array_sized_new(held->message->len);
        g_byte_array_append(call, held->message->data, held->message->len);
        virtFilterCall(held->filter, call, gotReply, held);
        return;
    }
    call = virtHeldNewCall(held, held->header.proc);
    virtXdrPutString(call, held->stock, strlen(held->stock));
    if (held->header.proc != PROC_ATTACH_DEVICE)
        virtXdrPutUInt(call, held->flags);
    virtHeldSend(held, call, gotReply);
}

static void
gotXml(gpointer opaque, const virtRpcHeader *header, const GByteArray *message)
{
    virtHeld *held = opaque;
    g_autoptr(GError) error = NULL;
    const char *xml;
    virtXdr xdr;
    gsize len;

    if (!virtHeldIsGood(held, header, message))
        return;
    xdr = virtRpcMessageOpen(message->data, message->len);
    xml = virtXdrGetString(&xdr, &len);
    if (!xml)
        virtHeldFailMalformed(held);
    else if (!virtHostdevIsIn(held->xml, held->xmlLen, xml, len, &error))
        virtHeldFailWith(held, error);
    else
        virtHeldAdvance(held);
}

static void
compare(virtHeld *held, virtHeldTarget target)
{
    GByteArray *call = virtHeldNewCall(held, PROC_GET_XML_DESC);

    virtXdrPutUInt(call, virtHeldImpacts[target].xmlFlag);
    virtHeldSend(held, call, gotXml);
}

/* From here on, what metadata knows of the device is to be replaced. */
static void
replace(virtHeld *held, virtHeldTarget target)
{
    held->present = false;
    virtHeldAdvance(held);
}

static void
update(virtHeld *held, virtHeldTarget target)
{
    virtHeldAsk(held, VIRT_BROKER_UPDATE);
}

/* ---- closing ---- */

/* Settling cannot tell what was written for a device that the domain has in any case: before an update, or before an
 * attach that libvirt refused for just that. */
static void
putBack(virtHeld *held, virtHeldTarget target)
{
    if (held->failed && held->written[target]) {
        held->written[target] = false;
        putMetadata(held, target, held->before[target]);
    } else {
        virtHeldAdvance(held);
    }
}

/* The call itself is over: a failure to settle is the daemon's to log and to try again. */
static void
ended(gpointer opaque, const GError *failure)
{
    (void)failure;
    virtHeldAdvance(opaque);
}

static void
end(virtHeld *held, virtHeldTarget target)
{
    virtBrokerRequest request = {.verb = VIRT_BROKER_END};

    g_strlcpy(request.uuid, held->uuid, sizeof(request.uuid));
    if (held->begun)
        virtFilterAsk(held->filter, &request, ended, held);
    else
        virtHeldAdvance(held);
}

static void
deliver(virtHeld *held, virtHeldTarget target)
{
    if (!held->reply) {
        held->reply = virtRpcMessageNew(held->header.proc, VIRT_RPC_REPLY, held->header.serial, VIRT_RPC_OK);
        virtRpcMessageEnd(held->reply, NULL);
    }
    virtFilterReply(held->filter, g_steal_pointer(&held->reply));
    virtHeldFree(held);
}

const virtHeldStep virtHeldClosing[] = {
    {putBack, VIRT_HELD_CONFIG}, {putBack, VIRT_HELD_LIVE}, {end, VIRT_HELD_ALWAYS}, {deliver, VIRT_HELD_ALWAYS}};

/* The last of those below: hands over to virtHeldClosing. */
static void
closeCall(virtHeld *held, virtHeldTarget target)
{
    held->next = virtHeldClosing;
    virtHeldAdvance(held);
}

static const virtHeldStep attachSteps[] = {
    {begin, VIRT_HELD_ALWAYS},        {resolve, VIRT_HELD_ALWAYS},     {readMetadata, VIRT_HELD_LIVE},
    {readMetadata, VIRT_HELD_CONFIG}, {writeMetadata, VIRT_HELD_LIVE}, {writeMetadata, VIRT_HELD_CONFIG},
    {prepare, VIRT_HELD_LIVE},        {device, VIRT_HELD_ALWAYS},      {closeCall, VIRT_HELD_ALWAYS},
};
static const virtHeldStep detachSteps[] = {
    {begin, VIRT_HELD_ALWAYS}, {device, VIRT_HELD_ALWAYS}, {closeCall, VIRT_HELD_ALWAYS}};
static const virtHeldStep updateSteps[] = {
    {begin, VIRT_HELD_ALWAYS},   {resolve, VIRT_HELD_ALWAYS},     {compare, VIRT_HELD_LIVE},
    {compare, VIRT_HELD_CONFIG}, {readMetadata, VIRT_HELD_LIVE},  {readMetadata, VIRT_HELD_CONFIG},
    {replace, VIRT_HELD_ALWAYS}, {writeMetadata, VIRT_HELD_LIVE}, {writeMetadata, VIRT_HELD_CONFIG},
    {update, VIRT_HELD_LIVE},    {closeCall, VIRT_HELD_ALWAYS},
};

/* ---- taking a call ---- */

static virtHeld *
heldNew(virtFilter *filter, const virtRpcProc *proc, const virtRpcHeader *header, GByteArray *message)
{
    virtHeld *held = g_new0(virtHeld, 1);
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
understand(virtHeld *held, GError **error)
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
    virtHeld *held = header->type == VIRT_RPC_CALL ? heldNew(filter, proc, header, message) : NULL;
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
        virtHeldFailWith(held, error);
    } else if (ours) {
        virtHeldAdvance(held);
    } else {
        held->message = NULL;
        virtHeldFree(held);
        return false;
    }
    return true;
}
