/* filter_step.c: what a held call does, one thing at a time; filter_call.c puts the steps in rows
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "filter/filter_held.h"

#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <string.h>

#define PROC_ATTACH_DEVICE 8
#define PROC_DEFINE_XML 11
#define PROC_DETACH_DEVICE 13
#define PROC_GET_XML_DESC 14
#define PROC_IS_ACTIVE 150
#define PROC_SET_METADATA 264
#define PROC_GET_METADATA 265

/* Before libvirt has said that this client may change the domain, nobody works for it. A driver that keeps no metadata
 * has no domain with netdevs, so a detach and a plain device are then its alone. */
static void
gotPermission(gpointer opaque, const virtRpcHeader *header, const GByteArray *message)
{
    virtHeld *held = opaque;

    if (header && !held->hostdev && virtRpcErrorCode(message->data, message->len) == VIR_ERR_NO_SUPPORT)
        virtStepLeave(held, VIRT_HELD_ALWAYS);
    else if (virtHeldIsGood(held, header, message))
        virtHeldAdvance(held);
}

/* Ask libvirt whether the client may do this. What is removed from the metadata is never there: that takes the same
 * permissions as attaching, detaching and updating do (remote_protocol.x: domain:write, and domain:save for what is
 * stored), it waits for the domain as they do, and is right whatever somebody else does to the metadata just then. */
void
virtStepPermit(virtHeld *held, virtHeldTarget target)
{
    GByteArray *call = virtHeldNewCall(held, PROC_SET_METADATA);

    virtXdrPutUInt(call, VIR_DOMAIN_METADATA_ELEMENT);
    virtXdrPutOptString(call, NULL);
    virtXdrPutOptString(call, NULL);
    virtXdrPutOptString(call, VIRT_RPC_NS_PERMISSION);
    virtXdrPutUInt(call, held->flags & (VIR_DOMAIN_AFFECT_LIVE | VIR_DOMAIN_AFFECT_CONFIG));
    virtHeldSend(held, call, gotPermission);
}

static void
begin(gpointer opaque)
{
    virtHeldAsk(opaque, VIRT_BROKER_BEGIN);
}

/* Have the broker lock the domain. */
void
virtStepBegin(virtHeld *held, virtHeldTarget target)
{
    held->begun = true;
    virtFilterTakeTurn(held->filter, held->uuid, begin, held);
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

/* "Current" is reconciled once: a domain that stops meanwhile must not have half of it live and half in its config. */
void
virtStepResolve(virtHeld *held, virtHeldTarget target)
{
    if (held->flags & (VIR_DOMAIN_AFFECT_LIVE | VIR_DOMAIN_AFFECT_CONFIG))
        virtHeldAdvance(held);
    else
        virtHeldSend(held, virtHeldNewCall(held, PROC_IS_ACTIVE), gotActive);
}

/* Go on, or fail where there is an error; lent. */
static void
advanceUnless(virtHeld *held, const GError *error)
{
    if (error)
        virtHeldFailWith(held, error);
    else
        virtHeldAdvance(held);
}

static GPtrArray *
metadataOf(const GByteArray *message, GError **error)
{
    virtXdr xdr = virtRpcMessageOpen(message->data, message->len);
    gsize len;
    const char *xml = virtXdrGetString(&xdr, &len);

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
    hostdevs = none ? g_ptr_array_new_with_free_func((GDestroyNotify)virtHostdevFree) : metadataOf(message, &error);
    if (!hostdevs) {
        virtHeldFailWith(held, error);
        return;
    }
    g_clear_pointer(&held->before[held->target], g_ptr_array_unref);
    held->before[held->target] = hostdevs;
    virtHeldAdvance(held);
}

/* The domain's XML that libvirt has sent, in @message; or NULL, and the call has failed. */
static const char *
xmlOf(virtHeld *held, const virtRpcHeader *header, const GByteArray *message, gsize *ret_len)
{
    const char *xml;
    virtXdr xdr;

    if (!virtHeldIsGood(held, header, message))
        return NULL;
    xdr = virtRpcMessageOpen(message->data, message->len);
    if (!(xml = virtXdrGetString(&xdr, ret_len)))
        virtHeldFailMalformed(held);
    return xml;
}

/* Nothing is known yet to be ours: what goes wrong here is libvirt's to tell when it gets the call itself. */
static void
gotDomain(gpointer opaque, const virtRpcHeader *header, const GByteArray *message)
{
    virtHeld *held = opaque;
    g_autoptr(GError) error = NULL;
    virtHostdev *found = NULL;
    const char *xml;
    gsize len;

    if (header && header->status != VIRT_RPC_OK) {
        virtHeldAdvance(held);
        return;
    }
    if (!(xml = xmlOf(held, header, message, &len)))
        return;
    found = virtInterfaceFind(held->xml, held->xmlLen, xml, len, &error);
    if (found && !held->stock)
        held->stock = virtHostdevFormatStock(found);
    g_clear_pointer(&found, virtHostdevFree);
    advanceUnless(held, error);
}

/* What libvirt has shown is what is written anew, and what it is compared with at the end: devices and netdevs of the
 * same moment. */
static void
remember(virtHeld *held, virtHeldTarget target, const virtDomain *domain)
{
    g_clear_pointer(&held->before[target], g_ptr_array_unref);
    held->before[target] = g_ptr_array_ref(domain->hostdevs);
    if (target != VIRT_HELD_CONFIG)
        return;
    g_clear_pointer(&held->devices, g_array_unref);
    held->devices = g_array_ref(domain->devices);
}

/* The domain that libvirt has sent; or NULL, and the call has failed. */
static virtDomain *
domainOf(virtHeld *held, const virtRpcHeader *header, const GByteArray *message)
{
    g_autoptr(GError) error = NULL;
    virtDomain *domain;
    gsize len;
    const char *xml = xmlOf(held, header, message, &len);

    if (!xml)
        return NULL;
    if (!(domain = virtDomainParse(xml, len, NULL, 0, &error)))
        virtHeldFailWith(held, error);
    return domain;
}

static void
askForXml(virtHeld *held, virtHeldTarget target, guint flags, virtFilterReplyFunc done)
{
    GByteArray *call = virtHeldNewCall(held, PROC_GET_XML_DESC);

    virtXdrPutUInt(call, virtHeldImpacts[target].xmlFlag | flags);
    virtHeldSend(held, call, done);
}

/* Which device of ours is the <interface> to detach? Its stock form is what is to be detached. */
void
virtStepFind(virtHeld *held, virtHeldTarget target)
{
    askForXml(held, target, 0, gotDomain);
}

/* Read our metadata as it is. */
void
virtStepReadMetadata(virtHeld *held, virtHeldTarget target)
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

static void
gotDefined(gpointer opaque, const virtRpcHeader *header, const GByteArray *message)
{
    virtHeld *held = opaque;

    if (header && header->status == VIRT_RPC_OK)
        held->written[VIRT_HELD_CONFIG] = true;
    gotDone(held, header, message);
}

/* Store a whole definition. */
static void
define(virtHeld *held, const char *xml, virtFilterReplyFunc done)
{
    GByteArray *call = virtRpcMessageNew(PROC_DEFINE_XML, VIRT_RPC_CALL, 0, VIRT_RPC_OK);

    virtXdrPutString(call, xml, strlen(xml));
    virtHeldSend(held, call, done);
}

/* An update that gives no MAC address means the one that the netdev has. */
static virtHostdev *
completed(const virtHostdev *wanted, const virtHostdev *old)
{
    virtHostdev *hostdev = virtHostdevCopy(wanted);

    for (guint i = 0; old && i < hostdev->netdevs->len; i++) {
        virtNetdev *netdev = hostdev->netdevs->pdata[i];
        const virtNetdev *present = virtNetdevListMatch(old->netdevs, netdev->port);

        if (present && !virtNetdevHas(netdev, VIRT_NETDEV_MAC) && virtNetdevHas(present, VIRT_NETDEV_MAC))
            virtNetdevCopyAttr(netdev, present, VIRT_NETDEV_MAC);
    }
    if (hostdev->interface && old && old->interface)
        hostdev->interface->index = old->interface->index;
    virtHostdevGenerateMacs(hostdev);
    return hostdev;
}

/* Our metadata with the client's device in the place of what was said about it before. For an attach, that is about a
 * device which the domain does not have, and means nothing. */
void
virtStepWriteMetadata(virtHeld *held, virtHeldTarget target)
{
    g_autoptr(GPtrArray) hostdevs = g_ptr_array_new_with_free_func((GDestroyNotify)virtHostdevFree);
    const virtHostdev *old;

    if (target == VIRT_HELD_CONFIG && held->replacing) {
        define(held, held->replacing, gotDefined);
        return;
    }
    old = virtHostdevListFind(held->before[target], &held->hostdev->address);
    for (guint i = 0; i < held->before[target]->len; i++) {
        const virtHostdev *other = held->before[target]->pdata[i];

        if (other != old)
            g_ptr_array_add(hostdevs, virtHostdevCopy(other));
    }
    g_ptr_array_add(hostdevs, completed(held->hostdev, held->proc->action == VIRT_RPC_UPDATE ? old : NULL));
    held->written[target] = true;
    putMetadata(held, target, hostdevs);
}

/* Have the broker set the VF of an attach. */
void
virtStepPrepare(virtHeld *held, virtHeldTarget target)
{
    held->prepared = true;
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

/* The client's own call; where there is a stock form of the device, with that and with "current" spelled out. */
void
virtStepDevice(virtHeld *held, virtHeldTarget target)
{
    GByteArray *call;

    if (!held->stock) {
        call = g_byte_array_sized_new(held->message->len);
        g_byte_array_append(call, held->message->data, held->message->len);
        if (held->begun)
            virtFilterCallInTime(held->filter, call, gotReply, held);
        else
            virtFilterCall(held->filter, call, gotReply, held);
        return;
    }
    call = virtHeldNewCall(held, held->header.proc);
    virtXdrPutString(call, held->stock, strlen(held->stock));
    if (held->header.proc != PROC_ATTACH_DEVICE && held->header.proc != PROC_DETACH_DEVICE)
        virtXdrPutUInt(call, held->flags);
    virtHeldSend(held, call, gotReply);
}

static const virtHeldStep leaveSteps[] = {{virtStepDevice, VIRT_HELD_ALWAYS}, {virtStepClose, VIRT_HELD_ALWAYS}};

/* The client's call is libvirt's alone: it goes on as it came. */
void
virtStepLeave(virtHeld *held, virtHeldTarget target)
{
    g_clear_pointer(&held->stock, g_free);
    held->next = leaveSteps;
    virtHeldAdvance(held);
}

static bool
findInEntries(const virtHeld *held, const virtPCIAddress *address)
{
    const GPtrArray *entries = held->before[VIRT_HELD_CONFIG];

    return entries && virtHostdevListFind(entries, address);
}

/* Of a running guest's interface, what means nothing to a VF cannot change either: libvirt changes it of no other kind.
 */
static bool
checkKept(const virtHeld *held, GError **error)
{
    const GPtrArray *entries = held->before[VIRT_HELD_LIVE];
    const virtHostdev *has = NULL;
    g_autofree char *name = NULL;

    if (held->target == VIRT_HELD_LIVE && held->hostdev->interface && entries)
        has = virtHostdevListFind(entries, &held->hostdev->address);
    if (!has || !(name = virtInterfaceFindOther(has->interface, held->hostdev->interface)))
        return true;
    g_set_error(
        error, VIRT_ERROR, VIRT_ERROR_INVALID,
        "<%s> of an <interface> cannot change under a running guest: detach it and attach it so, or change it with --config",
        name);
    return false;
}

/* Is the device to update in @xml, but for its netdevs? */
static bool
isIn(const virtHeld *held, const char *xml, gsize len, GError **error)
{
    if (held->hostdev->interface)
        return virtHostdevIsIn(held->stock, strlen(held->stock), xml, len, error);
    return virtHostdevIsIn(held->xml, held->xmlLen, xml, len, error);
}

static void
gotXml(gpointer opaque, const virtRpcHeader *header, const GByteArray *message)
{
    virtHeld *held = opaque;
    g_autoptr(virtDomain) domain = domainOf(held, header, message);
    g_autoptr(GError) error = NULL;
    const char *xml;
    gsize len;

    if (!domain)
        return;
    remember(held, held->target, domain);
    xml = xmlOf(held, header, message, &len);
    if (isIn(held, xml, len, &error))
        checkKept(held, &error);
    advanceUnless(held, error);
}

/* The stored definition with the client's interface in the place of the one that it means. */
static void
gotSecret(gpointer opaque, const virtRpcHeader *header, const GByteArray *message)
{
    virtHeld *held = opaque;
    g_autoptr(GError) error = NULL;
    gsize len;
    const char *xml = xmlOf(held, header, message, &len);

    if (!xml)
        return;
    held->replaced = g_strndup(xml, len);
    held->replacing = virtInterfaceReplace(xml, len, &held->source[VIRT_HELD_CONFIG], held->xml, held->xmlLen, &error);
    advanceUnless(held, error);
}

/* An interface that differs from the stored one in its netdev alone is a matter of metadata. What differs in more is
 * defined anew, with everything that is secret in the definition. */
static void
gotDefinition(gpointer opaque, const virtRpcHeader *header, const GByteArray *message)
{
    virtHeld *held = opaque;
    g_autoptr(virtDomain) domain = domainOf(held, header, message);
    const char *xml;
    gsize len;

    if (!domain)
        return;
    remember(held, VIRT_HELD_CONFIG, domain);
    xml = xmlOf(held, header, message, &len);
    if (virtInterfaceIsSame(held->stock, strlen(held->stock), xml, len))
        virtHeldAdvance(held);
    else
        askForXml(held, VIRT_HELD_CONFIG, VIR_DOMAIN_XML_SECURE, gotSecret);
}

/* Does the domain have the device of an update as it is described? Only of the stored definition libvirt replaces an
 * interface by another. */
void
virtStepCompare(virtHeld *held, virtHeldTarget target)
{
    bool replace =
        held->hostdev->interface && target == VIRT_HELD_CONFIG && findInEntries(held, &held->source[VIRT_HELD_CONFIG]);

    held->target = target;
    askForXml(held, target, 0, replace ? gotDefinition : gotXml);
}

/* Have the broker set the VF of an update. */
void
virtStepUpdate(virtHeld *held, virtHeldTarget target)
{
    virtHeldAsk(held, VIRT_BROKER_UPDATE);
}

/* ---- is the device there? ---- */

static GError *
deviceError(const virtHeld *held, const char *format)
{
    char name[VIRT_PCI_ADDRESS_LEN];
    GError *error = NULL;

    virtPCIAddressFormat(&held->hostdev->address, name);
    g_set_error(&error, VIRT_ERROR, VIRT_ERROR_BUSY, "domain %s has the PCI device %s %s", held->uuid, name, format);
    return error;
}

static void
gotDomainToAttach(gpointer opaque, const virtRpcHeader *header, const GByteArray *message)
{
    virtHeld *held = opaque;
    g_autoptr(virtDomain) domain = domainOf(held, header, message);
    g_autoptr(GError) error = NULL;

    if (!domain)
        return;
    remember(held, held->target, domain);
    if (virtPCIAddressIsIn(domain->devices, &held->hostdev->address))
        error = deviceError(held, "already. To change its netdevs, use update-device");
    advanceUnless(held, error);
}

/* Read the domain, which must not have the device of an attach: libvirt's list says so, whatever metadata does. */
void
virtStepRead(virtHeld *held, virtHeldTarget target)
{
    held->target = target;
    askForXml(held, target, 0, gotDomainToAttach);
}

/* Have the broker look whether a device that is not ours may be given to a running guest: a PF would take its VFs from
 * whoever has them, and libvirt takes it from its driver without asking anybody. A start is refused by the hook. */
void
virtStepCheckPF(virtHeld *held, virtHeldTarget target)
{
    virtHeldAsk(held, VIRT_BROKER_CHECK);
}

#define REWRITES_MAX 20 /* somebody who defines the domain that often meanwhile is out of order */

static const virtHeldStep rewriteSteps[] = {
    {virtStepWriteMetadata, VIRT_HELD_CONFIG}, {virtStepVerify, VIRT_HELD_CONFIG}, {virtStepClose, VIRT_HELD_ALWAYS}};

/* A device without netdevs that came with a definition between our reading and our writing has lost them to us, if it
 * had any: what stood there, nobody knows any more.
 *
 * What cannot be seen: that such a definition gave new netdevs to a device that was there before (it has the old ones
 * again, or none). And what an <interface> is replaced by takes a whole definition, as any other client's would.
 */
static GError *
checkOthers(const virtHeld *held, const virtDomain *domain)
{
    char name[VIRT_PCI_ADDRESS_LEN];

    for (guint i = 0; i < domain->devices->len; i++) {
        const virtPCIAddress *address = &g_array_index(domain->devices, virtPCIAddress, i);

        if (virtPCIAddressIsIn(held->devices, address) || virtHostdevListFind(domain->hostdevs, address) ||
            virtPCIAddressCompare(address, &held->hostdev->address) == 0)
            continue;
        virtPCIAddressFormat(address, name);
        return g_error_new(
            VIRT_ERROR, VIRT_ERROR_BUSY,
            "domain %s was defined anew meanwhile with the PCI device %s, whose netdevs may be lost: look at it with dumpxml, and if it has none and should, define the domain once more",
            held->uuid, name);
    }
    return NULL;
}

/* Without the device, somebody has defined the domain anew since, and what he wrote counts. With it and without its
 * netdevs, he did so between our two calls. */
static GError *
checkAttached(const virtHeld *held, const virtDomain *domain)
{
    const virtHostdev *entry = virtHostdevListFind(domain->hostdevs, &held->hostdev->address);

    if (!virtPCIAddressIsIn(domain->devices, &held->hostdev->address))
        return NULL;
    if (entry && virtNetdevListEqual(entry->netdevs, held->hostdev->netdevs))
        return checkOthers(held, domain);
    return deviceError(held, "now, but not with the netdevs that were asked for: it was defined anew meanwhile");
}

static bool
hasLostEntry(const virtHeld *held, const virtDomain *domain)
{
    return virtPCIAddressIsIn(domain->devices, &held->hostdev->address) &&
           !virtHostdevListFind(domain->hostdevs, &held->hostdev->address);
}

static void
gotStored(gpointer opaque, const virtRpcHeader *header, const GByteArray *message)
{
    virtHeld *held = opaque;
    g_autoptr(virtDomain) domain = domainOf(held, header, message);
    g_autoptr(GError) error = NULL;

    if (!domain)
        return;
    if (held->proc->action == VIRT_RPC_UPDATE) {
        error = checkOthers(held, domain);
    } else if (hasLostEntry(held, domain) && held->rewrites++ < REWRITES_MAX) {
        remember(held, VIRT_HELD_CONFIG, domain);
        held->next = rewriteSteps;
    } else {
        error = checkAttached(held, domain);
    }
    advanceUnless(held, error);
}

/* What is stored has to have the device of an attach and its netdevs, or neither; and those of others. */
void
virtStepVerify(virtHeld *held, virtHeldTarget target)
{
    askForXml(held, target, 0, gotStored);
}

/* ---- closing ---- */

/* Reconciling cannot tell what was written for a device that the domain has in any case: before an update. What was
 * written for an attach goes when the device has not come. */
static void
putBack(virtHeld *held, virtHeldTarget target)
{
    if (held->failed && held->written[target] && held->proc->action == VIRT_RPC_UPDATE) {
        held->written[target] = false;
        if (target == VIRT_HELD_CONFIG && held->replaced)
            define(held, held->replaced, gotDone);
        else
            putMetadata(held, target, held->before[target]);
    } else {
        virtHeldAdvance(held);
    }
}

/* libvirt has attached the device: a client that hears so can rely on the VF, too. After any other call a failure to
 * reconcile is the daemon's to log and to try again. */
static void
ended(gpointer opaque, const GError *failure)
{
    virtHeld *held = opaque;

    if (failure && held->prepared && !held->failed) {
        g_clear_pointer(&held->reply, g_byte_array_unref);
        held->reply = virtRpcErrorReply(held->header.proc, held->header.serial, failure);
    }
    virtHeldAdvance(held);
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

/* The last of each row: hands over to virtHeldClosing. */
void
virtStepClose(virtHeld *held, virtHeldTarget target)
{
    held->next = virtHeldClosing;
    virtHeldAdvance(held);
}
