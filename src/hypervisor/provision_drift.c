/* provision_drift.c: what was set against what is there now
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Theory of operation. We change VFs under their PF's lock, and write down first what they shall say. So with the lock
 * held, a record in its active phase says what a VF must say, and what is otherwise was changed by somebody else. In
 * any other phase a change of ours was cut off, and whoever ends that puts it right: nothing is compared then, nor
 * where the owner has gone. Records that the caller has seen without the lock only say where to look.
 *
 * Compared is what was asked for and the driver reports. A MAC address is not, while the guest may choose its own.
 */
#include "hypervisor/provision_drift.h"
#include "hypervisor/provision_log.h"
#include "util/virerror.h"
#include "util/virnetdevhostdev.h"
#include "util/virstatefile.h"

#include <string.h>

/* May the guest itself change what it receives, and with it, at many drivers, the MAC that the PF shows? */
static bool
isTrusted(const virtNetdev *wanted, const virtNetdev *present)
{
    const virtNetdev *says = virtNetdevHas(wanted, VIRT_NETDEV_TRUST) ? wanted : present;

    return virtNetdevHas(says, VIRT_NETDEV_TRUST) && says->trust;
}

/* The bits of what is @wanted, reported, and otherwise. A VLAN of @before (may be NULL) that the card did not let
 * anybody take away is still there, and nobody's change. */
static guint
findDrift(const virtNetdev *wanted, const virtNetdev *before, const virtNetdev *present)
{
    guint bits = virtNetdevDiff(wanted, present) & present->present;

    if (virtNetdevIsUntagged(wanted) && before && virtNetdevEqualAttr(before, present, VIRT_NETDEV_VLAN))
        bits &= ~VIRT_NETDEV_BIT(VIRT_NETDEV_VLAN);
    return isTrusted(wanted, present) ? bits & ~VIRT_NETDEV_BIT(VIRT_NETDEV_MAC) : bits;
}

/* A MAC address that the VF's own netdev has made up is read as none, also where it is the one that was wanted. */
static bool
hasMadeUp(virtHost *host, const virtVF *vf, const virtNetdev *wanted)
{
    g_autoptr(GPtrArray) own = virtPCIGetNetdevs(host, &vf->address, NULL);

    for (guint i = 0; own && i < own->len; i++) {
        const virtPort *netdev = own->pdata[i];

        if ((own->len == 1 || netdev->port == wanted->port) &&
            memcmp(netdev->mac, wanted->mac, sizeof(wanted->mac)) == 0)
            return true;
    }
    return false;
}

static void
comparePort(virtHost *host, virtDrift *drift, const virtNetdev *wanted)
{
    const virtNetdev *present = virtNetdevListFind(drift->present, wanted->port);
    const virtNetdev *before = virtNetdevListFind(drift->record->before, wanted->port);
    guint bits = drift->compared ? findDrift(wanted, before, present) : 0;

    if ((bits & VIRT_NETDEV_BIT(VIRT_NETDEV_MAC)) && virtMacIsZero(present->mac) && hasMadeUp(host, drift->vf, wanted))
        bits &= ~VIRT_NETDEV_BIT(VIRT_NETDEV_MAC);

    for (virtNetdevAttr attr = 0; attr < VIRT_NETDEV_ATTR_LAST; attr++) {
        if (virtNetdevHas(wanted, attr))
            virtPlanRowAdd(drift->rows, drift->vf, wanted, present, attr)->differs = bits & VIRT_NETDEV_BIT(attr);
    }
    if (bits) {
        virtNetdev *part = virtNetdevCopy(wanted);

        part->present = bits;
        g_ptr_array_add(drift->drifted, part);
    }
}

static void
compare(virtHost *host, virtDrift *drift)
{
    const virtRecord *record = drift->record;

    drift->vf = virtVFLookup(host, &record->address, &drift->problem);
    if (drift->vf)
        virtProvisionSetInstance(drift->vf, &record->owner);
    if (!drift->vf || !virtProvisionIsRecorded(drift->vf, record, &drift->problem))
        return;
    drift->present = virtNetDevHostdevRead(host, drift->vf, record->wanted, &drift->problem);
    if (!drift->present)
        return;
    for (guint i = 0; i < record->wanted->len; i++) {
        const virtNetdev *wanted = record->wanted->pdata[i];

        /* What the record says was set is no guess, and what is shown otherwise is not it. */
        virtNetdevListFind(drift->present, wanted->port)->unknown &= ~wanted->present;
    }
    drift->compared = record->phase == VIRT_PHASE_ACTIVE && !virtProvisionRecordIsLeft(host, record);
    for (guint i = 0; i < record->wanted->len; i++)
        comparePort(host, drift, record->wanted->pdata[i]);
}

static void
driftClear(virtDrift *drift)
{
    virtVFFree(drift->vf);
    g_clear_pointer(&drift->present, g_ptr_array_unref);
    g_ptr_array_unref(drift->drifted);
    g_ptr_array_unref(drift->rows);
    g_clear_error(&drift->problem);
}

/* @problem: what keeps the VF from being looked at, or NULL; taken */
static void
tell(virtHost *host, const virtRecord *record, GError *problem, virtDriftFunc func, void *opaque)
{
    virtDrift drift = {.record = record, .problem = problem};

    drift.drifted = virtNetdevListNew();
    drift.rows = g_ptr_array_new_with_free_func((GDestroyNotify)virtPlanRowFree);
    if (!problem)
        compare(host, &drift);
    func(host, &drift, opaque);
    driftClear(&drift);
}

static void
lookAtVF(virtHost *host, const virtRecord *seen, virtDriftFunc func, void *opaque)
{
    char name[VIRT_PCI_ADDRESS_LEN];
    g_autoptr(virtRecord) record = NULL;
    GError *problem = NULL;

    virtPCIAddressFormat(&seen->address, name);
    record = virtProvisionRecordLoad(host, name, &problem);
    if (record)
        tell(host, record, NULL, func, opaque);
    else if (g_error_matches(problem, VIRT_ERROR, VIRT_ERROR_NOT_FOUND))
        g_error_free(problem); /* it was given back meanwhile */
    else
        tell(host, seen, problem, func, opaque);
}

static void
lookAtPF(virtHost *host, const virtPCIAddress *pf, const GPtrArray *seen, virtDriftFunc func, void *opaque)
{
    char name[VIRT_PCI_ADDRESS_LEN];
    g_autoptr(GError) error = NULL;
    g_autoptr(virtStateLock) lock = NULL;
    g_autoptr(virtHostReads) reads G_GNUC_UNUSED = NULL;

    virtPCIAddressFormat(pf, name);
    lock = virtStateLockTake(host, name, &error);
    reads = virtHostReadOnce(host); /* nothing that was read before the lock was ours */
    for (guint i = 0; i < seen->len; i++) {
        const virtRecord *record = seen->pdata[i];

        if (virtPCIAddressCompare(&record->pf, pf) != 0)
            continue;
        if (lock)
            lookAtVF(host, record, func, opaque);
        else
            tell(host, record, g_error_copy(error), func, opaque);
    }
}

/* Calls @func for each VF of @seen (virtRecord, of any PFs) that somebody still has, with its PF's lock held.
 *
 * The caller has no virtHostReads open: what others have changed since would go unseen.
 */
void
virtProvisionDrift(virtHost *host, const GPtrArray *seen, virtDriftFunc func, void *opaque)
{
    for (guint i = 0; i < seen->len; i++) {
        const virtPCIAddress *pf = &((const virtRecord *)seen->pdata[i])->pf;
        bool done = false;

        for (guint j = 0; j < i && !done; j++)
            done = virtPCIAddressCompare(&((const virtRecord *)seen->pdata[j])->pf, pf) == 0;
        if (!done)
            lookAtPF(host, pf, seen, func, opaque);
    }
}

/* Tell the journal about a setting that differs. */
void
virtDriftLog(const virtDrift *drift, const virtPlanRow *row)
{
    virtProvisionLog(
        VIRT_MESSAGE_ID_DRIFT, G_LOG_LEVEL_WARNING, drift->record, row,
        "Somebody else has changed port %u (VF %u of %s, %s), which '%s' has: %s was set to %s and is now %s",
        row->port, row->vf, row->ifname, row->device, drift->record->owner.name, row->title, row->to, row->from);
}
