/* filter_call.c: attach, detach and update of a device: calls that are held while something is prepared
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Theory of operation. A held call is a row of steps. A step asks libvirt or the broker for one thing and returns;
 * the answer brings the next step. Meanwhile everything else on the connection flows.
 *
 *   attach   permit, begin, read the domain, which must not have the device, write metadata, prepare the VF, the
 *            client's call without <netdev>, verify what is stored, end
 *   plain    permit, check that it is no PF whose VFs are in use, the client's call: a PCI device that is not ours
 *   detach   permit, begin, the client's call, end
 *   update   permit, begin, read metadata, compare, write metadata, set the VF, verify what is stored, end
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
#include "filter/filter_held.h"

#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <string.h>

#define PROC_ATTACH_DEVICE 8
#define PROC_DETACH_DEVICE 13

/* ---- interfaces ---- */

/* What of @entries is an interface with the MAC address of @wanted, by which libvirt finds one; without one, with its
 * source address. */
static const virtHostdev *
findInterface(const GPtrArray *entries, const virtHostdev *wanted)
{
    const virtHostdev *found = NULL;
    const virtNetdev *netdev = wanted->netdevs->pdata[0];

    for (guint i = 0; i < entries->len && !found; i++) {
        const virtHostdev *entry = entries->pdata[i];
        const virtNetdev *has = entry->netdevs->pdata[0];

        if (entry->interface && virtNetdevHas(netdev, VIRT_NETDEV_MAC) &&
            memcmp(netdev->mac, has->mac, sizeof(has->mac)) == 0)
            found = entry;
    }
    if (!found)
        found = virtHostdevListFind(entries, &wanted->address);
    return found && found->interface ? found : NULL;
}

/* What libvirt would drop of an <interface> to update, or look for in vain, is told here. NULL: nothing. */
static GError *
complain(const virtHeld *held, const virtHostdev *found, virtHeldTarget target)
{
    char name[VIRT_PCI_ADDRESS_LEN];

    if (found && target == VIRT_HELD_LIVE && virtPCIAddressCompare(&found->address, &held->hostdev->address) != 0) {
        virtPCIAddressFormat(&found->address, name);
        return g_error_new(
            VIRT_ERROR, VIRT_ERROR_INVALID,
            "the <interface> with this MAC address is VF %s, and a running guest cannot be given another in its place: detach it and attach the new one, or change it with --config for the next start",
            name);
    }
    if (found || !virtInterfaceTextMentionsUs(held->xml, held->xmlLen))
        return NULL;
    return g_error_new_literal(
        VIRT_ERROR, VIRT_ERROR_INVALID,
        "no <interface> of this domain with that VF is kept by libvirt-hostdev, and libvirt's own know no port, spoofCheck, <guid>, priority and protocol: define the domain anew with them, or leave them out");
}

/* An <interface> to update that metadata does not know: libvirt has it, or nobody. */
static void
leaveUnknown(virtHeld *held, virtHeldTarget target)
{
    const virtHostdev *found = NULL;
    g_autoptr(GError) error = NULL;

    if (!held->hostdev->interface) {
        virtHeldAdvance(held);
        return;
    }
    for (virtHeldTarget i = 0; i < VIRT_HELD_TARGETS && !error; i++) {
        const virtHostdev *entry = held->before[i] ? findInterface(held->before[i], held->hostdev) : NULL;

        if (entry && (found = entry)) {
            held->source[i] = entry->address;
            error = complain(held, entry, i);
        }
    }
    if (!found)
        error = complain(held, NULL, VIRT_HELD_ALWAYS);
    if (error)
        virtHeldFailWith(held, error);
    else if (found)
        virtHeldAdvance(held);
    else
        virtStepLeave(held, target);
}

static void
leaveUnfound(virtHeld *held, virtHeldTarget target)
{
    if (held->stock)
        virtHeldAdvance(held);
    else
        virtStepLeave(held, target);
}

/* ---- the rows ---- */

static const virtHeldStep attachSteps[] = {
    {virtStepPermit, VIRT_HELD_ALWAYS},        {virtStepBegin, VIRT_HELD_ALWAYS},
    {virtStepResolve, VIRT_HELD_ALWAYS},       {virtStepRead, VIRT_HELD_LIVE},
    {virtStepRead, VIRT_HELD_CONFIG},          {virtStepWriteMetadata, VIRT_HELD_LIVE},
    {virtStepWriteMetadata, VIRT_HELD_CONFIG}, {virtStepPrepare, VIRT_HELD_LIVE},
    {virtStepDevice, VIRT_HELD_ALWAYS},        {virtStepVerify, VIRT_HELD_CONFIG},
    {virtStepClose, VIRT_HELD_ALWAYS},
};
static const virtHeldStep plainSteps[] = {{virtStepPermit, VIRT_HELD_ALWAYS},
                                          {virtStepResolve, VIRT_HELD_ALWAYS},
                                          {virtStepCheckPF, VIRT_HELD_LIVE},
                                          {virtStepDevice, VIRT_HELD_ALWAYS},
                                          {virtStepClose, VIRT_HELD_ALWAYS}};
static const virtHeldStep detachSteps[] = {{virtStepPermit, VIRT_HELD_ALWAYS},
                                           {virtStepBegin, VIRT_HELD_ALWAYS},
                                           {virtStepDevice, VIRT_HELD_ALWAYS},
                                           {virtStepClose, VIRT_HELD_ALWAYS}};
static const virtHeldStep detachInterfaceSteps[] = {
    {virtStepResolve, VIRT_HELD_ALWAYS}, {virtStepFind, VIRT_HELD_LIVE},     {virtStepFind, VIRT_HELD_CONFIG},
    {leaveUnfound, VIRT_HELD_ALWAYS},    {virtStepPermit, VIRT_HELD_ALWAYS}, {virtStepBegin, VIRT_HELD_ALWAYS},
    {virtStepDevice, VIRT_HELD_ALWAYS},  {virtStepClose, VIRT_HELD_ALWAYS},
};
static const virtHeldStep updateSteps[] = {
    {virtStepPermit, VIRT_HELD_ALWAYS},       {virtStepBegin, VIRT_HELD_ALWAYS},
    {virtStepResolve, VIRT_HELD_ALWAYS},      {virtStepReadMetadata, VIRT_HELD_LIVE},
    {virtStepReadMetadata, VIRT_HELD_CONFIG}, {leaveUnknown, VIRT_HELD_ALWAYS},
    {virtStepCompare, VIRT_HELD_LIVE},        {virtStepCompare, VIRT_HELD_CONFIG},
    {virtStepWriteMetadata, VIRT_HELD_LIVE},  {virtStepWriteMetadata, VIRT_HELD_CONFIG},
    {virtStepUpdate, VIRT_HELD_LIVE},         {virtStepVerify, VIRT_HELD_CONFIG},
    {virtStepClose, VIRT_HELD_ALWAYS},
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

/* Of what is only stored, the hook looks at the next start. */
static bool
understandPlain(virtHeld *held)
{
    guint impact = held->flags & (VIR_DOMAIN_AFFECT_LIVE | VIR_DOMAIN_AFFECT_CONFIG);

    held->next = plainSteps;
    if (impact == VIR_DOMAIN_AFFECT_CONFIG || !virtDeviceFindAddress(held->xml, held->xmlLen, &held->plain))
        return false;
    held->stock = g_strndup(held->xml, held->xmlLen); /* with "current" spelled out: the domain may start meanwhile */
    return true;
}

static bool
understandAttach(virtHeld *held, GError **error)
{
    g_autoptr(GError) local = NULL;

    held->next = attachSteps;
    held->stock = virtHostdevToStock(held->xml, held->xmlLen, virtFilterFlags(held->filter), &held->hostdev, &local);
    if (local)
        g_propagate_error(error, g_steal_pointer(&local));
    else if (!held->hostdev)
        return understandPlain(held);
    else
        virtHostdevGenerateMacs(held->hostdev);
    return held->stock;
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
        if (memmem(held->xml, held->xmlLen, "<hostdev", 8))
            held->next = detachSteps;
        else if (memmem(held->xml, held->xmlLen, "<interface", 10))
            held->next = detachInterfaceSteps;
        return held->next;
    case VIRT_RPC_ATTACH:
        return understandAttach(held, error);
    case VIRT_RPC_UPDATE:
        held->next = updateSteps;
        held->stock = virtHostdevToStock(held->xml, held->xmlLen, VIRT_DOMAIN_INTERFACES, &held->hostdev, error);
        return held->stock;
    default:
        return false;
    }
}

/* Take a call about a device, see it through, and give the client its one reply.
 *
 * @message: taken over where this returns true
 *
 * Returns false where the call is none of ours (a disk, a <hostdev> that is only stored without <netdev>) and is to be
 * forwarded. A call whose document is wrong is answered at once.
 */
bool
virtFilterHold(virtFilter *filter, const virtRpcProc *proc, const virtRpcHeader *header, GByteArray *message)
{
    g_autoptr(GError) error = NULL;
    virtHeld *held = heldNew(filter, proc, header, message);
    bool ours = false;

    if (!held)
        return false; /* libvirt will say what is wrong with it */
    virtFilterHeldAdd(filter);
    if (virtFilterHeld(filter) > VIRT_FILTER_HELD_MAX)
        error = virtFilterTooMany();
    else if ((ours = understand(held, &error)))
        error = virtFilterDescriptors(message);
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
