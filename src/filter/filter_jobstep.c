/* filter_jobstep.c: what a held call does, one thing at a time; filter_device.c puts the steps in rows
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "filter/filter_job.h"

#include "conf/profile_conf.h"

#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <string.h>

/* Before libvirt has said that this client may change the domain, nobody works for it. A driver that keeps no metadata
 * has no domain with netdevs, so a detach and a plain device are then its alone. */
static void
gotPermission(gpointer opaque, const virtRpcHeader *header, const GByteArray *message)
{
    virtFilterJob *job = opaque;

    if (header && !job->hostdev && virtRpcErrorCode(message->data, message->len) == VIR_ERR_NO_SUPPORT)
        virtFilterStepLeave(job, VIRT_FILTER_ALWAYS);
    else if (virtFilterJobIsGood(job, header, message))
        virtFilterJobNext(job);
}

/* Ask libvirt whether the client may do this. What is removed from the metadata is never there: that takes the same
 * permissions as attaching, detaching and updating do (remote_protocol.x: domain:write, and domain:save for what is
 * stored), it waits for the domain as they do, and is right whatever somebody else does to the metadata just then. */
void
virtFilterStepPermit(virtFilterJob *job, virtFilterTarget target)
{
    GByteArray *call = virtFilterJobNewCall(job, VIRT_RPC_PROC_DOMAIN_SET_METADATA);

    virtXdrPutUInt(call, VIR_DOMAIN_METADATA_ELEMENT);
    virtXdrPutOptString(call, NULL);
    virtXdrPutOptString(call, NULL);
    virtXdrPutOptString(call, VIRT_RPC_NS_PERMISSION);
    virtXdrPutUInt(call, job->flags & (VIR_DOMAIN_AFFECT_LIVE | VIR_DOMAIN_AFFECT_CONFIG));
    virtFilterJobSend(job, call, gotPermission);
}

static void
askToBegin(gpointer opaque)
{
    virtFilterJobAsk(opaque, VIRT_BROKER_BEGIN);
}

/* Have the broker lock the domain. */
void
virtFilterStepBegin(virtFilterJob *job, virtFilterTarget target)
{
    job->begun = true;
    virtFilterTakeTurn(job->filter, job->uuid, askToBegin, job);
}

static void
gotActive(gpointer opaque, const virtRpcHeader *header, const GByteArray *message)
{
    virtFilterJob *job = opaque;
    virtXdr xdr;

    if (!virtFilterJobIsGood(job, header, message))
        return;
    xdr = virtRpcMessageOpen(message->data, message->len);
    if (virtXdrGetUInt(&xdr))
        job->flags |= VIR_DOMAIN_AFFECT_LIVE;
    else
        job->flags |= VIR_DOMAIN_AFFECT_CONFIG;
    if (xdr.bad)
        virtFilterJobFailMalformed(job);
    else
        virtFilterJobNext(job);
}

/* "Current" is resolved once: a domain that stops meanwhile must not have half of it live and half in its config. */
void
virtFilterStepResolve(virtFilterJob *job, virtFilterTarget target)
{
    if (job->flags & (VIR_DOMAIN_AFFECT_LIVE | VIR_DOMAIN_AFFECT_CONFIG))
        virtFilterJobNext(job);
    else
        virtFilterJobSend(job, virtFilterJobNewCall(job, VIRT_RPC_PROC_DOMAIN_IS_ACTIVE), gotActive);
}

/* Go on, or fail where there is an error; lent. */
static void
advanceUnless(virtFilterJob *job, const GError *error)
{
    if (error)
        virtFilterJobFailWith(job, error);
    else
        virtFilterJobNext(job);
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
    virtFilterJob *job = opaque;
    g_autoptr(GError) error = NULL;
    GPtrArray *hostdevs;
    bool none = header && virtRpcErrorCode(message->data, message->len) == VIR_ERR_NO_DOMAIN_METADATA;

    if (!none && !virtFilterJobIsGood(job, header, message))
        return;
    if (none)
        hostdevs = g_ptr_array_new_with_free_func((GDestroyNotify)virtHostdevFree);
    else
        hostdevs = metadataOf(message, &error);
    if (!hostdevs) {
        virtFilterJobFailWith(job, error);
        return;
    }
    g_clear_pointer(&job->before[job->target], g_ptr_array_unref);
    job->before[job->target] = hostdevs;
    virtFilterJobNext(job);
}

/* The domain's XML that libvirt has sent, in @message; or NULL, and the call has failed. */
static const char *
xmlOf(virtFilterJob *job, const virtRpcHeader *header, const GByteArray *message, gsize *ret_len)
{
    const char *xml;
    virtXdr xdr;

    if (!virtFilterJobIsGood(job, header, message))
        return NULL;
    xdr = virtRpcMessageOpen(message->data, message->len);
    if (!(xml = virtXdrGetString(&xdr, ret_len)))
        virtFilterJobFailMalformed(job);
    return xml;
}

/* Nothing is known yet to be ours: what goes wrong here is libvirt's to tell when it gets the call itself. */
static void
gotDomainToDetach(gpointer opaque, const virtRpcHeader *header, const GByteArray *message)
{
    virtFilterJob *job = opaque;
    g_autoptr(GError) error = NULL;
    virtHostdev *found = NULL;
    const char *xml;
    gsize len;

    if (header && header->status != VIRT_RPC_OK) {
        virtFilterJobNext(job);
        return;
    }
    if (!(xml = xmlOf(job, header, message, &len)))
        return;
    found = virtInterfaceFind(job->xml, job->xmlLen, xml, len, &error);
    if (found && !job->stock && virtHandleIsNetwork(&found->handle))
        job->stock = g_strndup(job->xml, job->xmlLen); /* libvirt has it, and reads past what is ours */
    else if (found && !job->stock)
        job->stock = virtHostdevFormatStock(found);
    g_clear_pointer(&found, virtHostdevFree);
    advanceUnless(job, error);
}

/* What libvirt has shown is what is written anew, and what it is compared with at the end: devices and netdevs of the
 * same moment. */
static void
remember(virtFilterJob *job, virtFilterTarget target, const virtDomainConf *domain)
{
    g_clear_pointer(&job->before[target], g_ptr_array_unref);
    job->before[target] = g_ptr_array_ref(domain->hostdevs);
    if (target != VIRT_FILTER_CONFIG)
        return;
    g_clear_pointer(&job->devices, g_array_unref);
    job->devices = g_array_ref(domain->devices);
}

/* The domain of @xml, which libvirt has sent; or NULL, and the call has failed. */
static virtDomainConf *
domainIn(virtFilterJob *job, const char *xml, gsize len)
{
    g_autoptr(GError) error = NULL;
    virtDomainConf *domain = virtDomainConfParse(xml, len, NULL, 0, &error);

    if (!domain)
        virtFilterJobFailWith(job, error);
    return domain;
}

/* The domain that libvirt has sent; or NULL, and the call has failed. */
static virtDomainConf *
domainOf(virtFilterJob *job, const virtRpcHeader *header, const GByteArray *message)
{
    gsize len;
    const char *xml = xmlOf(job, header, message, &len);

    if (!xml)
        return NULL;
    return domainIn(job, xml, len);
}

static void
askForXml(virtFilterJob *job, virtFilterTarget target, guint flags, virtFilterReplyFunc done)
{
    GByteArray *call = virtFilterJobNewCall(job, VIRT_RPC_PROC_DOMAIN_GET_XML_DESC);

    virtXdrPutUInt(call, virtFilterImpacts[target].xmlFlag | flags);
    virtFilterJobSend(job, call, done);
}

/* Which device of ours is the <interface> to detach? Its stock form is what is to be detached. */
void
virtFilterStepFind(virtFilterJob *job, virtFilterTarget target)
{
    askForXml(job, target, 0, gotDomainToDetach);
}

/* Read our metadata as it is. */
void
virtFilterStepReadMetadata(virtFilterJob *job, virtFilterTarget target)
{
    GByteArray *call = virtFilterJobNewCall(job, VIRT_RPC_PROC_DOMAIN_GET_METADATA);

    job->target = target;
    virtXdrPutUInt(call, VIR_DOMAIN_METADATA_ELEMENT);
    virtXdrPutOptString(call, VIRT_NS);
    virtXdrPutUInt(call, virtFilterImpacts[target].flag);
    virtFilterJobSend(job, call, gotMetadata);
}

static void
gotDone(gpointer opaque, const virtRpcHeader *header, const GByteArray *message)
{
    if (virtFilterJobIsGood(opaque, header, message))
        virtFilterJobNext(opaque);
}

static void
putMetadata(virtFilterJob *job, virtFilterTarget target, const GPtrArray *hostdevs)
{
    g_autofree char *xml = virtMetadataFormat(hostdevs);
    GByteArray *call = virtFilterJobNewCall(job, VIRT_RPC_PROC_DOMAIN_SET_METADATA);

    virtXdrPutUInt(call, VIR_DOMAIN_METADATA_ELEMENT);
    virtXdrPutOptString(call, xml);
    virtXdrPutOptString(call, "lh");
    virtXdrPutOptString(call, VIRT_NS);
    virtXdrPutUInt(call, virtFilterImpacts[target].flag);
    virtFilterJobSend(job, call, gotDone);
}

static void
gotDefined(gpointer opaque, const virtRpcHeader *header, const GByteArray *message)
{
    virtFilterJob *job = opaque;

    if (header && header->status == VIRT_RPC_OK)
        job->written[VIRT_FILTER_CONFIG] = true;
    gotDone(job, header, message);
}

/* Store a whole definition. */
static void
define(virtFilterJob *job, const char *xml, virtFilterReplyFunc done)
{
    GByteArray *call = virtRpcMessageNew(VIRT_RPC_PROC_DOMAIN_DEFINE_XML, VIRT_RPC_CALL, 0, VIRT_RPC_OK);

    virtXdrPutString(call, xml, strlen(xml));
    virtFilterJobSend(job, call, done);
}

/* An update that gives no MAC address means the one that the netdev has. */
static virtHostdev *
completed(const virtHostdev *wanted, const virtHostdev *old)
{
    virtHostdev *hostdev = virtHostdevCopy(wanted);

    if (old)
        virtSettingsKeepProfiled(&hostdev->settings, &old->settings);
    for (guint i = 0; old && i < VIRT_NETDEVS(hostdev)->len; i++) {
        virtNetdev *netdev = VIRT_NETDEVS(hostdev)->pdata[i];
        const virtNetdev *present = virtNetdevListMatch(VIRT_NETDEVS(old), netdev->port);

        if (present && !virtNetdevHas(netdev, VIRT_NETDEV_MAC) && virtNetdevHas(present, VIRT_NETDEV_MAC))
            virtNetdevCopyAttr(netdev, present, VIRT_NETDEV_MAC);
    }
    if (hostdev->interface && old && old->interface)
        hostdev->interface->index = old->interface->index;
    if (old && hostdev->choice.by == VIRT_CHOICE_NONE) /* it was meant by its address, and is asked for as before */
        hostdev->choice = old->choice;
    virtHostdevGenerateMacs(hostdev);
    return hostdev;
}

/* Our metadata with the client's device in the place of what was said about it before. For an attach, that is about a
 * device which the domain does not have, and means nothing. */
void
virtFilterStepWriteMetadata(virtFilterJob *job, virtFilterTarget target)
{
    g_autoptr(GPtrArray) hostdevs = g_ptr_array_new_with_free_func((GDestroyNotify)virtHostdevFree);
    const virtHostdev *old, *updated = NULL;

    if (target == VIRT_FILTER_CONFIG && job->replacing) {
        define(job, job->replacing, gotDefined);
        return;
    }
    old = virtHostdevListFind(job->before[target], &job->hostdev->handle);
    if (job->proc->action == VIRT_RPC_UPDATE)
        updated = old;
    for (guint i = 0; i < job->before[target]->len; i++) {
        const virtHostdev *other = job->before[target]->pdata[i];

        if (other == updated)
            g_ptr_array_add(hostdevs, completed(job->hostdev, updated));
        else if (other != old)
            g_ptr_array_add(hostdevs, virtHostdevCopy(other));
    }
    if (!updated)
        g_ptr_array_add(hostdevs, completed(job->hostdev, NULL));
    job->written[target] = true;
    putMetadata(job, target, hostdevs);
}

/* Have the broker set the VF of an attach. */
void
virtFilterStepPrepare(virtFilterJob *job, virtFilterTarget target)
{
    job->prepared = true;
    virtFilterJobAsk(job, VIRT_BROKER_PREPARE);
}

static void
gotSet(gpointer opaque, const GError *failure)
{
    virtFilterJob *job = opaque;

    job->unset = failure != NULL;
    advanceUnless(job, failure);
}

/* Have the broker set the VF that libvirt has taken from a network for an attach. */
void
virtFilterStepSet(virtFilterJob *job, virtFilterTarget target)
{
    virtBrokerRequest request = {.verb = VIRT_BROKER_PREPARE, .handle = job->hostdev->handle};

    job->prepared = true;
    g_strlcpy(request.uuid, job->uuid, sizeof(request.uuid));
    virtFilterAsk(job->filter, &request, gotSet, job);
}

static void
gotDeviceReply(gpointer opaque, const virtRpcHeader *header, const GByteArray *message)
{
    virtFilterJob *job = opaque;

    if (!virtFilterJobIsGood(job, header, message))
        return;
    job->reply = virtFilterJobRelay(job, message);
    virtFilterJobNext(job);
}

/* The client's own call; where there is a stock form of the device, with that and with "current" spelled out. */
void
virtFilterStepDevice(virtFilterJob *job, virtFilterTarget target)
{
    GByteArray *call;

    if (!job->stock) {
        call = g_byte_array_sized_new(job->message->len);
        g_byte_array_append(call, job->message->data, job->message->len);
        if (job->begun)
            virtFilterCallInTime(job->filter, call, gotDeviceReply, job);
        else
            virtFilterCall(job->filter, call, gotDeviceReply, job);
        return;
    }
    call = virtFilterJobNewCall(job, job->header.proc);
    virtXdrPutString(call, job->stock, strlen(job->stock));
    if (job->header.proc != VIRT_RPC_PROC_DOMAIN_ATTACH_DEVICE &&
        job->header.proc != VIRT_RPC_PROC_DOMAIN_DETACH_DEVICE)
        virtXdrPutUInt(call, job->flags);
    virtFilterJobSend(job, call, gotDeviceReply);
}

static const virtFilterStep leaveSteps[] = {{virtFilterStepDevice, VIRT_FILTER_ALWAYS},
                                            {virtFilterStepClose, VIRT_FILTER_ALWAYS}};

/* The client's call is libvirt's alone: it goes on as it came. */
void
virtFilterStepLeave(virtFilterJob *job, virtFilterTarget target)
{
    g_clear_pointer(&job->stock, g_free);
    job->next = leaveSteps;
    virtFilterJobNext(job);
}

static bool
findInEntries(const virtFilterJob *job, const virtHandle *handle)
{
    const GPtrArray *entries = job->before[VIRT_FILTER_CONFIG];

    return entries && virtHostdevListFind(entries, handle);
}

/* Of a running guest's interface, what means nothing to a VF cannot change either: libvirt changes it of no other kind.
 */
static bool
checkKept(const virtFilterJob *job, GError **error)
{
    const GPtrArray *entries = job->before[VIRT_FILTER_LIVE];
    const virtHostdev *has = NULL;
    g_autofree char *name = NULL;

    if (job->target == VIRT_FILTER_LIVE && job->hostdev->interface && entries)
        has = virtHostdevListFind(entries, &job->hostdev->handle);
    if (!has || !(name = virtInterfaceFindOther(has->interface, job->hostdev->interface)))
        return true;
    g_set_error(
        error, VIRT_ERROR, VIRT_ERROR_INVALID,
        "<%s> of an <interface> cannot change while the guest runs: detach it and attach it with the change, or use --config",
        name);
    return false;
}

/* Is the device to update in @xml, but for its netdevs? */
static bool
isIn(const virtFilterJob *job, const char *xml, gsize len, GError **error)
{
    if (job->hostdev->interface)
        return virtHostdevIsIn(job->stock, strlen(job->stock), xml, len, error);
    return virtHostdevIsIn(job->xml, job->xmlLen, xml, len, error);
}

static void
gotXml(gpointer opaque, const virtRpcHeader *header, const GByteArray *message)
{
    virtFilterJob *job = opaque;
    gsize len;
    const char *xml = xmlOf(job, header, message, &len);
    g_autoptr(virtDomainConf) domain = NULL;
    g_autoptr(GError) error = NULL;

    if (!xml || !(domain = domainIn(job, xml, len)))
        return;
    remember(job, job->target, domain);
    if (isIn(job, xml, len, &error))
        checkKept(job, &error);
    advanceUnless(job, error);
}

/* The stored definition with the client's interface in the place of the one that it means. */
static void
gotSecret(gpointer opaque, const virtRpcHeader *header, const GByteArray *message)
{
    virtFilterJob *job = opaque;
    g_autoptr(GError) error = NULL;
    gsize len;
    const char *xml = xmlOf(job, header, message, &len);

    if (!xml)
        return;
    job->replaced = g_strndup(xml, len);
    job->replacing = virtInterfaceReplace(xml, len, &job->source[VIRT_FILTER_CONFIG], job->xml, job->xmlLen, &error);
    advanceUnless(job, error);
}

/* An interface that differs from the stored one in its netdev alone is a matter of metadata. What differs in more is
 * defined anew, with everything that is secret in the definition. */
static void
gotDefinition(gpointer opaque, const virtRpcHeader *header, const GByteArray *message)
{
    virtFilterJob *job = opaque;
    gsize len;
    const char *xml = xmlOf(job, header, message, &len);
    g_autoptr(virtDomainConf) domain = NULL;

    if (!xml || !(domain = domainIn(job, xml, len)))
        return;
    remember(job, VIRT_FILTER_CONFIG, domain);
    if (virtInterfaceIsSame(job->stock, strlen(job->stock), xml, len))
        virtFilterJobNext(job);
    else
        askForXml(job, VIRT_FILTER_CONFIG, VIR_DOMAIN_XML_SECURE, gotSecret);
}

/* Does the domain have the device of an update as it is described? Only of the stored definition libvirt replaces an
 * interface by another. */
void
virtFilterStepCompare(virtFilterJob *job, virtFilterTarget target)
{
    job->target = target;
    if (job->hostdev->interface && target == VIRT_FILTER_CONFIG && findInEntries(job, &job->source[VIRT_FILTER_CONFIG]))
        askForXml(job, target, 0, gotDefinition);
    else
        askForXml(job, target, 0, gotXml);
}

/* Have the broker set the VF of an update. */
void
virtFilterStepUpdate(virtFilterJob *job, virtFilterTarget target)
{
    virtFilterJobAsk(job, VIRT_BROKER_UPDATE);
}

/* ---- is the device there? ---- */

static GError *
deviceError(const virtFilterJob *job, const char *format)
{
    const virtHandle *handle = &job->hostdev->handle;

    return g_error_new(VIRT_ERROR, VIRT_ERROR_BUSY, "domain %s has the %s %s %s", job->uuid, virtHandleGetNoun(handle),
                       handle->name, format);
}

static const char *
alreadyThere(const virtFilterJob *job)
{
    virtPCIAddress address;

    if (virtHandleGetPCI(&job->hostdev->handle, &address))
        return "already. To change its settings, use update-device";
    return "already. To change its settings, detach it first";
}

static void
gotDomainToAttach(gpointer opaque, const virtRpcHeader *header, const GByteArray *message)
{
    virtFilterJob *job = opaque;
    g_autoptr(virtDomainConf) domain = domainOf(job, header, message);
    g_autoptr(GError) error = NULL;

    if (!domain)
        return;
    remember(job, job->target, domain);
    if (virtDomainConfHas(domain, &job->hostdev->handle))
        error = deviceError(job, alreadyThere(job));
    advanceUnless(job, error);
}

/* Read the domain, which must not have the device of an attach: libvirt's list says so, whatever metadata does. */
void
virtFilterStepRead(virtFilterJob *job, virtFilterTarget target)
{
    job->target = target;
    askForXml(job, target, 0, gotDomainToAttach);
}

/* Have the broker look whether a device that is not ours may be given to a running guest: a PF would take its VFs from
 * whoever has them, and libvirt takes it from its driver without asking anybody. A start is refused by the hook. */
void
virtFilterStepCheckPF(virtFilterJob *job, virtFilterTarget target)
{
    virtFilterJobAsk(job, VIRT_BROKER_CHECK);
}

#define REWRITES_MAX 20 /* somebody who defines the domain that often meanwhile is out of order */

static const virtFilterStep rewriteSteps[] = {{virtFilterStepWriteMetadata, VIRT_FILTER_CONFIG},
                                              {virtFilterStepVerify, VIRT_FILTER_CONFIG},
                                              {virtFilterStepClose, VIRT_FILTER_ALWAYS}};

/* A device without netdevs that came with a definition between our reading and our writing has lost them to us, if it
 * had any: what stood there, nobody knows any more.
 *
 * What cannot be seen: that such a definition gave new netdevs to a device that was there before (it has the old ones
 * again, or none). And what an <interface> is replaced by takes a whole definition, as any other client's would.
 */
static GError *
checkOthers(const virtFilterJob *job, const virtDomainConf *domain)
{
    for (guint i = 0; i < domain->devices->len; i++) {
        const virtHandle *handle = &g_array_index(domain->devices, virtHandle, i);

        if (virtHandleIsIn(job->devices, handle) || virtHostdevListFind(domain->hostdevs, handle) ||
            virtHandleEqual(handle, &job->hostdev->handle))
            continue;
        return g_error_new(
            VIRT_ERROR, VIRT_ERROR_BUSY,
            "domain %s was redefined meanwhile with the device %s, whose settings may be lost: check it with dumpxml, and if they are missing, define the domain again",
            job->uuid, handle->name);
    }
    return NULL;
}

/* Without the device, somebody has defined the domain anew since, and what he wrote counts. With it and without its
 * netdevs, he did so between our two calls. */
static GError *
checkAttached(const virtFilterJob *job, const virtDomainConf *domain)
{
    const virtHostdev *entry = virtHostdevListFind(domain->hostdevs, &job->hostdev->handle);

    if (!virtDomainConfHas(domain, &job->hostdev->handle))
        return NULL;
    if (entry && virtSettingsAreEqual(&entry->settings, &job->hostdev->settings))
        return checkOthers(job, domain);
    return deviceError(job, "now, but not with the requested settings: it was redefined meanwhile");
}

static bool
hasLostEntry(const virtFilterJob *job, const virtDomainConf *domain)
{
    return virtDomainConfHas(domain, &job->hostdev->handle) &&
           !virtHostdevListFind(domain->hostdevs, &job->hostdev->handle);
}

static void
gotStored(gpointer opaque, const virtRpcHeader *header, const GByteArray *message)
{
    virtFilterJob *job = opaque;
    g_autoptr(virtDomainConf) domain = domainOf(job, header, message);
    g_autoptr(GError) error = NULL;

    if (!domain)
        return;
    if (job->proc->action == VIRT_RPC_UPDATE) {
        error = checkOthers(job, domain);
    } else if (hasLostEntry(job, domain) && job->rewrites++ < REWRITES_MAX) {
        remember(job, VIRT_FILTER_CONFIG, domain);
        job->next = rewriteSteps;
    } else {
        error = checkAttached(job, domain);
    }
    advanceUnless(job, error);
}

/* What is stored has to have the device of an attach and its netdevs, or neither; and those of others. */
void
virtFilterStepVerify(virtFilterJob *job, virtFilterTarget target)
{
    askForXml(job, target, 0, gotStored);
}

/* ---- closing ---- */

/* An attach has failed that libvirt has carried out: it is asked to take that back, whatever it answers. */
static void
detachUnset(virtFilterJob *job, virtFilterTarget target)
{
    GByteArray *call;

    if (!job->unset) {
        virtFilterJobNext(job);
        return;
    }
    call = virtFilterJobNewCall(job, VIRT_RPC_PROC_DOMAIN_DETACH_DEVICE_FLAGS);
    virtXdrPutString(call, job->stock, strlen(job->stock));
    virtXdrPutUInt(call, job->flags & (VIR_DOMAIN_AFFECT_LIVE | VIR_DOMAIN_AFFECT_CONFIG));
    virtFilterJobSend(job, call, gotDone);
}

/* Reconciling cannot tell what was written for a device that the domain has in any case: before an update. What was
 * written for an attach goes when the device has not come. */
static void
restoreMetadata(virtFilterJob *job, virtFilterTarget target)
{
    if (job->failed && job->written[target] && job->proc->action == VIRT_RPC_UPDATE) {
        job->written[target] = false;
        if (target == VIRT_FILTER_CONFIG && job->replaced)
            define(job, job->replaced, gotDone);
        else
            putMetadata(job, target, job->before[target]);
    } else {
        virtFilterJobNext(job);
    }
}

/* libvirt has attached the device: a client that hears so can rely on the VF, too. After any other call a failure to
 * reconcile is the daemon's to log and to try again. */
static void
gotEnd(gpointer opaque, const GError *failure)
{
    virtFilterJob *job = opaque;

    if (failure && job->prepared && !job->failed) {
        g_clear_pointer(&job->reply, g_byte_array_unref);
        job->reply = virtRpcErrorReply(job->header.proc, job->header.serial, failure);
    }
    virtFilterJobNext(job);
}

static void
askToEnd(virtFilterJob *job, virtFilterTarget target)
{
    virtBrokerRequest request = {.verb = VIRT_BROKER_END};

    g_strlcpy(request.uuid, job->uuid, sizeof(request.uuid));
    if (job->begun)
        virtFilterAsk(job->filter, &request, gotEnd, job);
    else
        virtFilterJobNext(job);
}

static void
deliverReply(virtFilterJob *job, virtFilterTarget target)
{
    if (!job->reply) {
        job->reply = virtRpcMessageNew(job->header.proc, VIRT_RPC_REPLY, job->header.serial, VIRT_RPC_OK);
        virtRpcMessageEnd(job->reply, NULL);
    }
    virtFilterReply(job->filter, g_steal_pointer(&job->reply));
    virtFilterJobFree(job);
}

const virtFilterStep virtFilterClosing[] = {{detachUnset, VIRT_FILTER_ALWAYS},
                                            {restoreMetadata, VIRT_FILTER_CONFIG},
                                            {restoreMetadata, VIRT_FILTER_LIVE},
                                            {askToEnd, VIRT_FILTER_ALWAYS},
                                            {deliverReply, VIRT_FILTER_ALWAYS}};

/* The last of each row: hands over to virtFilterClosing. */
void
virtFilterStepClose(virtFilterJob *job, virtFilterTarget target)
{
    job->next = virtFilterClosing;
    virtFilterJobNext(job);
}
