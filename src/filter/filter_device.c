/* filter_device.c: attach, detach and update of a device: calls that are held while something is prepared
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Theory of operation. A held call is a row of steps. A step asks libvirt or the broker for one thing and returns;
 * the answer brings the next step. Meanwhile everything else on the connection flows.
 *
 *   attach   permit, begin, read the domain, which must not have the device, write metadata, prepare the VF, the
 *            client's call without <netdev>, verify what is stored, end
 *   network  an attach of an <interface> whose VF libvirt takes from a network: the same, but the VF, which nobody
 *            knows before, is set after the client's call; where it cannot be, the device is detached again
 *   plain    permit, check that it is no PF whose VFs are in use, the client's call: a PCI device that is not ours
 *   detach   permit, begin, the client's call, end
 *   update   permit, begin, read metadata, compare, write metadata, set the VF, verify what is stored, end
 *   vdpa     an update of a vDPA device: permit, begin, read metadata, which must say the same, the client's call, end
 *
 * Of a stored definition libvirt replaces an <interface> by the one that is given, and so an update does here: where
 * that is in more than its netdev, the definition is defined anew instead of its metadata. libvirt refuses any update
 * of a <hostdev>, so there is nothing else to change of one.
 *
 * An <interface> to detach or to update is one of ours only if metadata says so; if not, it is libvirt's alone. So a
 * detach of one looks at the domain first.
 *
 * Calls to libvirt are made on the client's own connection. So libvirt decides with the client's rights, and it is
 * the first to be asked: the broker hears of a call when libvirt has said that this client may make it.
 *
 * Metadata and the list of devices are written by two calls, and who defines the domain anew between them, or before
 * them, replaces both without anybody's lock. So what a domain has is decided by libvirt's list alone, metadata is
 * written in any case, and before and behind both are read in one document. Where our metadata has gone and the device
 * has not, it is written again; where another device has come and has none, it may be we who have overwritten it, and
 * the client is told. For the running domain the broker verifies: device, metadata, record, and the VF itself.
 *
 * There is nearly no undoing here. "end" has the daemon compare what libvirt says the domain has with metadata,
 * records and VFs, and that takes back what a step has done for a device that did not arrive. It does so too when
 * this process dies, whichever step it was at.
 */
#include "filter/filter_job.h"

#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <string.h>

/* ---- interfaces ---- */

/* What of @entries is an interface with the MAC address of @wanted, by which libvirt finds one; without one, with its
 * source address. */
static const virtHostdev *
findInterface(const GPtrArray *entries, const virtHostdev *wanted)
{
    const virtHostdev *found = NULL;
    const virtNetdev *netdev = VIRT_NETDEVS(wanted)->pdata[0];

    for (guint i = 0; i < entries->len && !found; i++) {
        const virtHostdev *entry = entries->pdata[i];
        const virtNetdev *has;

        if (!entry->interface || !virtNetdevHas(netdev, VIRT_NETDEV_MAC))
            continue;
        has = VIRT_NETDEVS(entry)->pdata[0];
        if (memcmp(netdev->mac, has->mac, sizeof(has->mac)) == 0)
            found = entry;
    }
    if (!found)
        found = virtHostdevListFind(entries, &wanted->handle);
    if (!found || !found->interface)
        return NULL;
    return found;
}

/* What libvirt would drop of an <interface> to update, or look for in vain, is told here. NULL: nothing. */
static GError *
complain(const virtFilterJob *job, const virtHostdev *found, virtFilterTarget target)
{
    g_autofree char *words = NULL;

    if (found && target == VIRT_FILTER_LIVE && !virtHandleEqual(&found->handle, &job->hostdev->handle))
        return g_error_new(
            VIRT_ERROR, VIRT_ERROR_INVALID,
            "the <interface> with this MAC address is VF %s, which cannot be replaced by another while the guest runs: detach it and attach the new one, or use --config to change it for the next start",
            found->handle.name);
    if (found || !virtInterfaceTextMentionsUs(job->xml, job->xmlLen))
        return NULL;
    words = virtInterfaceListWords();
    return g_error_new(
        VIRT_ERROR, VIRT_ERROR_INVALID,
        "this domain has no <interface> managed by libvirt-hostdev for that VF, and stock libvirt supports none of these: %s; define the domain again with them, or leave them out",
        words);
}

/* An <interface> to update that metadata does not know: libvirt has it, or nobody. */
static void
leaveUnknown(virtFilterJob *job, virtFilterTarget target)
{
    const virtHostdev *found = NULL;
    g_autoptr(GError) error = NULL;

    if (!job->hostdev->interface) {
        virtFilterJobNext(job);
        return;
    }
    for (virtFilterTarget i = 0; i < VIRT_FILTER_TARGETS && !error; i++) {
        const virtHostdev *entry = NULL;

        if (job->before[i])
            entry = findInterface(job->before[i], job->hostdev);
        if (!entry)
            continue;
        found = entry;
        job->source[i] = entry->handle;
        error = complain(job, entry, i);
    }
    if (!found)
        error = complain(job, NULL, VIRT_FILTER_ALWAYS);
    if (error)
        virtFilterJobFailWith(job, error);
    else if (found)
        virtFilterJobNext(job);
    else
        virtFilterStepLeave(job, target);
}

static void
leaveUnfound(virtFilterJob *job, virtFilterTarget target)
{
    if (job->stock)
        virtFilterJobNext(job);
    else
        virtFilterStepLeave(job, target);
}

/* A vDPA device is as it was made; what libvirt can change of its <interface>, it changes. */
static void
refuseChange(virtFilterJob *job, virtFilterTarget target)
{
    const virtHostdev *entry = virtHostdevListFind(job->before[target], &job->hostdev->handle);
    g_autoptr(GError) error = NULL;

    if (entry && !virtSettingsAreEqual(&job->hostdev->settings, &entry->settings))
        error = g_error_new(
            VIRT_ERROR, VIRT_ERROR_INVALID,
            "vDPA device %s was made with another <vdpa>, MAC address, MTU or number of queues, and cannot be changed: detach it, and attach it with the change",
            job->hostdev->handle.name);
    if (error)
        virtFilterJobFailWith(job, error);
    else
        virtFilterJobNext(job);
}

/* ---- the rows ---- */

static const virtFilterStep attachSteps[] = {
    {virtFilterStepPermit, VIRT_FILTER_ALWAYS},        {virtFilterStepBegin, VIRT_FILTER_ALWAYS},
    {virtFilterStepResolve, VIRT_FILTER_ALWAYS},       {virtFilterStepRead, VIRT_FILTER_LIVE},
    {virtFilterStepRead, VIRT_FILTER_CONFIG},          {virtFilterStepWriteMetadata, VIRT_FILTER_LIVE},
    {virtFilterStepWriteMetadata, VIRT_FILTER_CONFIG}, {virtFilterStepPrepare, VIRT_FILTER_LIVE},
    {virtFilterStepDevice, VIRT_FILTER_ALWAYS},        {virtFilterStepVerify, VIRT_FILTER_CONFIG},
    {virtFilterStepClose, VIRT_FILTER_ALWAYS},
};
static const virtFilterStep attachNetworkSteps[] = {
    {virtFilterStepPermit, VIRT_FILTER_ALWAYS},
    {virtFilterStepBegin, VIRT_FILTER_ALWAYS},
    {virtFilterStepResolve, VIRT_FILTER_ALWAYS},
    {virtFilterStepRead, VIRT_FILTER_LIVE},
    {virtFilterStepRead, VIRT_FILTER_CONFIG},
    {virtFilterStepWriteMetadata, VIRT_FILTER_LIVE},
    {virtFilterStepWriteMetadata, VIRT_FILTER_CONFIG},
    {virtFilterStepDevice, VIRT_FILTER_ALWAYS},
    {virtFilterStepSet, VIRT_FILTER_LIVE},
    {virtFilterStepVerify, VIRT_FILTER_CONFIG},
    {virtFilterStepClose, VIRT_FILTER_ALWAYS},
};
static const virtFilterStep plainSteps[] = {{virtFilterStepPermit, VIRT_FILTER_ALWAYS},
                                            {virtFilterStepResolve, VIRT_FILTER_ALWAYS},
                                            {virtFilterStepCheckPF, VIRT_FILTER_LIVE},
                                            {virtFilterStepDevice, VIRT_FILTER_ALWAYS},
                                            {virtFilterStepClose, VIRT_FILTER_ALWAYS}};
static const virtFilterStep detachSteps[] = {{virtFilterStepPermit, VIRT_FILTER_ALWAYS},
                                             {virtFilterStepBegin, VIRT_FILTER_ALWAYS},
                                             {virtFilterStepDevice, VIRT_FILTER_ALWAYS},
                                             {virtFilterStepClose, VIRT_FILTER_ALWAYS}};
static const virtFilterStep detachInterfaceSteps[] = {
    {virtFilterStepResolve, VIRT_FILTER_ALWAYS}, {virtFilterStepFind, VIRT_FILTER_LIVE},
    {virtFilterStepFind, VIRT_FILTER_CONFIG},    {leaveUnfound, VIRT_FILTER_ALWAYS},
    {virtFilterStepPermit, VIRT_FILTER_ALWAYS},  {virtFilterStepBegin, VIRT_FILTER_ALWAYS},
    {virtFilterStepDevice, VIRT_FILTER_ALWAYS},  {virtFilterStepClose, VIRT_FILTER_ALWAYS},
};
static const virtFilterStep updateSteps[] = {
    {virtFilterStepPermit, VIRT_FILTER_ALWAYS},       {virtFilterStepBegin, VIRT_FILTER_ALWAYS},
    {virtFilterStepResolve, VIRT_FILTER_ALWAYS},      {virtFilterStepReadMetadata, VIRT_FILTER_LIVE},
    {virtFilterStepReadMetadata, VIRT_FILTER_CONFIG}, {leaveUnknown, VIRT_FILTER_ALWAYS},
    {virtFilterStepCompare, VIRT_FILTER_LIVE},        {virtFilterStepCompare, VIRT_FILTER_CONFIG},
    {virtFilterStepWriteMetadata, VIRT_FILTER_LIVE},  {virtFilterStepWriteMetadata, VIRT_FILTER_CONFIG},
    {virtFilterStepUpdate, VIRT_FILTER_LIVE},         {virtFilterStepVerify, VIRT_FILTER_CONFIG},
    {virtFilterStepClose, VIRT_FILTER_ALWAYS},
};

static const virtFilterStep updateVdpaSteps[] = {
    {virtFilterStepPermit, VIRT_FILTER_ALWAYS},
    {virtFilterStepBegin, VIRT_FILTER_ALWAYS},
    {virtFilterStepResolve, VIRT_FILTER_ALWAYS},
    {virtFilterStepReadMetadata, VIRT_FILTER_LIVE},
    {virtFilterStepReadMetadata, VIRT_FILTER_CONFIG},
    {refuseChange, VIRT_FILTER_LIVE},
    {refuseChange, VIRT_FILTER_CONFIG},
    {virtFilterStepDevice, VIRT_FILTER_ALWAYS},
    {virtFilterStepClose, VIRT_FILTER_ALWAYS},
};

/* ---- taking a call ---- */

static virtFilterJob *
jobNew(virtFilter *filter, const virtRpcProc *proc, const virtRpcHeader *header, GByteArray *message)
{
    virtFilterJob *job = g_new0(virtFilterJob, 1);
    virtXdr xdr = virtRpcMessageOpen(message->data, message->len);

    job->filter = filter;
    job->proc = proc;
    job->header = *header;
    job->message = message;
    virtXdrGetDomain(&xdr, &job->domain);
    job->xml = virtXdrGetString(&xdr, &job->xmlLen); /* or the alias */
    /* The two oldest calls have no flags, and mean the running domain. */
    if (header->proc == VIRT_RPC_PROC_DOMAIN_ATTACH_DEVICE || header->proc == VIRT_RPC_PROC_DOMAIN_DETACH_DEVICE)
        job->flags = VIR_DOMAIN_AFFECT_LIVE;
    else
        job->flags = virtXdrGetUInt(&xdr);
    virtRpcUuidFormat(job->domain.uuid, job->uuid);
    if (xdr.bad)
        g_clear_pointer(&job, g_free);
    return job;
}

/* Of what is only stored, the hook looks at the next start. */
static bool
understandPlain(virtFilterJob *job)
{
    guint impact = job->flags & (VIR_DOMAIN_AFFECT_LIVE | VIR_DOMAIN_AFFECT_CONFIG);

    job->next = plainSteps;
    if (impact == VIR_DOMAIN_AFFECT_CONFIG || !virtDeviceFindHandle(job->xml, job->xmlLen, &job->plain))
        return false;
    job->stock = g_strndup(job->xml, job->xmlLen); /* with "current" spelled out: the domain may start meanwhile */
    return true;
}

static bool
understandAttach(virtFilterJob *job, GError **error)
{
    g_autoptr(GError) local = NULL;

    job->next = attachSteps;
    job->stock = virtHostdevToStock(job->xml, job->xmlLen, virtFilterFlags(job->filter) | VIRT_DOMAIN_GENERATE_MAC,
                                    &job->hostdev, &local);
    if (local)
        g_propagate_error(error, g_steal_pointer(&local));
    else if (!job->hostdev)
        return understandPlain(job);
    if (job->hostdev && virtHandleIsNetwork(&job->hostdev->handle))
        job->next = attachNetworkSteps;
    return job->stock;
}

static bool
isVdpa(const virtHandle *handle)
{
    return g_str_equal(handle->bus, "vdpa");
}

/* libvirt knows what is to be detached by its own words, and would refuse one of ours. */
static bool
understandDetach(virtFilterJob *job, GError **error)
{
    virtHostdev *hostdev = NULL;
    g_autoptr(GError) local = NULL;
    virtHandle handle;

    if (virtDeviceFindHandle(job->xml, job->xmlLen, &handle) && isVdpa(&handle)) {
        job->next = detachSteps;
        job->stock = virtHostdevToStock(job->xml, job->xmlLen, 0, &hostdev, &local);
        g_clear_pointer(&hostdev, virtHostdevFree);
        if (local)
            g_propagate_error(error, g_steal_pointer(&local));
        return true;
    }
    if (memmem(job->xml, job->xmlLen, "<hostdev", 8))
        job->next = detachSteps;
    else if (memmem(job->xml, job->xmlLen, "<interface", 10))
        job->next = detachInterfaceSteps;
    return job->next;
}

static bool
understandUpdate(virtFilterJob *job, GError **error)
{
    job->next = updateSteps;
    job->stock = virtHostdevToStock(job->xml, job->xmlLen, VIRT_DOMAIN_INTERFACES, &job->hostdev, error);
    if (job->stock && isVdpa(&job->hostdev->handle)) {
        job->next = updateVdpaSteps;
        return true;
    }
    if (!job->stock || !virtHandleIsNetwork(&job->hostdev->handle))
        return job->stock && !virtSettingsAreEmpty(&job->hostdev->settings); /* libvirt's to refuse */
    g_set_error_literal(
        error, VIRT_ERROR, VIRT_ERROR_INVALID,
        "the netdevs of an <interface type='network'> cannot be changed by an update: detach it and attach it with the change, or define the domain again");
    return false;
}

/* Is the call one to hold? False without an error: it is libvirt's alone. */
static bool
understand(virtFilterJob *job, GError **error)
{
    switch (job->proc->action) {
    case VIRT_RPC_DETACH_ALIAS:
        job->next = detachSteps;
        return true;
    case VIRT_RPC_DETACH:
        return understandDetach(job, error);
    case VIRT_RPC_ATTACH:
        return understandAttach(job, error);
    case VIRT_RPC_UPDATE:
        return understandUpdate(job, error);
    default:
        return false;
    }
}

static bool
hold(virtFilter *filter, virtFilterJob *job, GByteArray *message)
{
    g_autoptr(GError) error = NULL;
    bool ours = false;

    virtFilterHeldAdd(filter);
    if (virtFilterHeld(filter) > VIRT_FILTER_HELD_MAX) {
        error = virtFilterTooMany();
    } else {
        ours = understand(job, &error);
        if (ours)
            error = virtFilterDescriptors(message);
    }
    if (error) {
        virtFilterJobFailWith(job, error);
    } else if (ours) {
        virtFilterJobNext(job);
    } else {
        job->message = NULL;
        job->chosen = false; /* who forwards it tells the broker */
        virtFilterJobFree(job);
        return false;
    }
    return true;
}

/* Take a call about a device, see it through, and give the client its one reply.
 *
 * @message: taken over where this returns true
 *
 * Returns false where the call is none of ours (a disk, a <hostdev> that is only stored without <netdev>) and is to be
 * forwarded. A call whose document is wrong is answered at once.
 */
bool
virtFilterHoldDevice(virtFilter *filter, const virtRpcProc *proc, const virtRpcHeader *header, GByteArray *message)
{
    virtFilterJob *job = jobNew(filter, proc, header, message);

    return job && hold(filter, job, message); /* without a job libvirt will say what is wrong with the call */
}

bool
virtFilterHoldChosen(virtFilter *filter, const virtRpcProc *proc, const virtRpcHeader *header, GByteArray *message)
{
    virtFilterJob *job = jobNew(filter, proc, header, message);

    if (!job)
        return false;
    job->chosen = true;
    return hold(filter, job, message);
}
