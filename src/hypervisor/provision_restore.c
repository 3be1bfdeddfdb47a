/* provision_restore.c: put VFs back
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Theory of operation. The record is the only memory: a release, a start that fails, a guest that is gone and
 * `virt-hostdev recover` all end in virtProvisionRestoreMany(), which asks whether somebody has the VF by now, sets
 * `before` of each record again, reads it back, and only then removes the record. Many VFs are written together first;
 * then each is gone through by itself, which writes what is still missing and says why it cannot.
 */
#include "hypervisor/provision.h"
#include "hypervisor/provision_log.h"
#include "util/virerror.h"
#include "util/virnetdevhostdev.h"
#include "util/virnetdevquirk.h"
#include "util/virstatefile.h"

/* @resumed: an earlier try may have ended after it had taken the driver away and before it could bind it again */
static bool
probeAgain(virtHost *host, const virtRecord *record, bool resumed, GError **error)
{
    g_autoptr(GPtrArray) vfPorts = virtPCIGetNetdevs(host, &record->address, error);
    g_autofree char *driver = resumed ? virtPCIGetDriver(host, &record->address) : NULL;

    if (!vfPorts)
        return false;
    if (resumed && !driver)
        return virtPCIProbe(host, &record->address, error);
    if (!virtNetdevQuirkNeedsProbe(vfPorts, record->before, record->wanted))
        return true;
    return virtPCIRebind(host, &record->address, error);
}

/* Give the VF back to the driver of the host that it had before. libvirt does so when it takes a VF from a guest, but
 * only one that it knows the guest to have: not if it died between binding it to vfio-pci and writing that down. As
 * long as the libvirt lives that has asked for it, it does that itself.
 *
 * @listed: those that libvirt knows the guest to have; NULL: none
 * @ret_bound: it was bound now, and so has probed
 */
static bool
bindBack(virtHost *host, const virtRecord *record, const GArray *listed, bool *ret_bound, GError **error)
{
    g_autofree char *driver = virtPCIGetDriver(host, &record->address);

    *ret_bound = false;
    if (!record->driver || (listed && virtPCIAddressIsIn(listed, &record->address)) ||
        (driver && !virtPCIIsForGuests(driver)) || virtProvisionRecordHasStarter(host, record))
        return true;
    if (!virtPCIBindBack(host, &record->address, record->driver, record->override, error))
        return false;
    *ret_bound = true;
    virtProvisionLogVF(VIRT_MESSAGE_ID_RESTORED, "Bound to its driver again", record);
    return true;
}

/* The VF must still be the one that the record speaks of. NULL with no error: it is gone, and its settings
 * with it. */
static virtVF *
findRecorded(virtHost *host, const virtRecord *record, GError **error)
{
    g_autoptr(virtVF) vf = NULL;
    g_autoptr(GError) missing = NULL;

    if (!virtPCIFindVF(host, &record->pf, &record->address, NULL, &missing)) {
        char name[VIRT_PCI_ADDRESS_LEN];

        if (!g_error_matches(missing, VIRT_ERROR, VIRT_ERROR_NOT_FOUND)) {
            g_propagate_error(error, g_steal_pointer(&missing));
            return NULL;
        }
        virtPCIAddressFormat(&record->address, name);
        virtHostWarn(host, "VF %s no longer exists: nothing is left to put back", name);
        return NULL;
    }
    if (!(vf = virtVFLookup(host, &record->address, error)))
        return NULL;
    if (!virtProvisionIsRecorded(vf, record, error))
        return NULL;
    virtProvisionSetInstance(vf, &record->owner);
    return g_steal_pointer(&vf);
}

/* One VF to put back. */
typedef struct {
    virtRecord *record;
    virtVF *vf;         /* NULL: see problem, or the VF is gone */
    bool waits;         /* somebody has the VF: it is left alone */
    GPtrArray *present; /* virtNetdev; NULL: could not be read */
    bool resumed;       /* it was begun before */
    GError *problem;    /* NULL in the end: it is put back, and its record removed */
} Return;

static void
returnFree(Return *item)
{
    virtVFFree(item->vf);
    if (item->present)
        g_ptr_array_unref(item->present);
    g_clear_error(&item->problem);
    g_free(item);
}

/* Say before @error which VF it keeps from being put back. */
static void
prefixName(GError **error, const virtRecord *record)
{
    char name[VIRT_PCI_ADDRESS_LEN];

    virtPCIAddressFormat(&record->address, name);
    g_prefix_error(error, "Cannot put back VF %s: ", name);
}

static GPtrArray *
returnsNew(virtHost *host, const GPtrArray *records)
{
    GPtrArray *items = g_ptr_array_new_with_free_func((GDestroyNotify)returnFree);

    for (guint i = 0; i < records->len; i++) {
        Return *item = g_new0(Return, 1);

        item->record = records->pdata[i];
        item->resumed = item->record->phase == VIRT_PHASE_RESTORING;
        item->vf = findRecorded(host, item->record, &item->problem);
        if (item->problem)
            prefixName(&item->problem, item->record);
        if (item->vf && !virtProvisionCheckReturn(host, item->record, &item->problem)) {
            g_clear_pointer(&item->vf, virtVFFree);
            item->waits = true;
        }
        g_ptr_array_add(items, item);
    }
    return items;
}

/* A VF that waits for somebody else is anybody's to put back later; not one that its own guest still has. */
static bool
isBegun(virtHost *host, const Return *item)
{
    return item->vf || (item->waits && !virtProvisionRecordHasGuest(host, item->record));
}

/* The phase only informs: a full disk must not keep a VF from being put back. */
static void
markRestoring(virtHost *host, const GPtrArray *items)
{
    g_autoptr(GPtrArray) records = g_ptr_array_new();
    g_autoptr(GError) local = NULL;

    for (guint i = 0; i < items->len; i++) {
        const Return *item = items->pdata[i];

        if (isBegun(host, item))
            g_ptr_array_add(records, item->record);
    }
    if (records->len > 0 && !virtProvisionRecordMarkMany(host, records, VIRT_PHASE_RESTORING, &local))
        virtHostWarn(host, "%s", local->message);
}

/* Write what differs of all of them in a few requests. What that does not achieve is then done one by one. */
static void
returnTogether(virtHost *host, const GPtrArray *items)
{
    g_autoptr(GArray) changes = g_array_new(FALSE, FALSE, sizeof(virtNetDevHostdevChange));

    for (guint i = 0; i < items->len; i++) {
        Return *item = items->pdata[i];
        virtNetDevHostdevChange change = {item->vf, item->record->before, NULL};

        if (!item->vf || !(item->present = virtNetDevHostdevRead(host, item->vf, item->record->before, NULL)))
            continue;
        change.present = item->present;
        g_array_append_val(changes, change);
    }
    virtNetDevHostdevTryMany(host, (virtNetDevHostdevChange *)(void *)changes->data, changes->len);
}

static bool
returnOne(virtHost *host, const Return *item, const GArray *listed, GError **error)
{
    bool bound = false;

    if (item->vf) {
        if (!virtNetDevHostdevRestore(host, item->vf, item->record->before, error) ||
            !bindBack(host, item->record, listed, &bound, error) ||
            (!bound && !probeAgain(host, item->record, item->resumed, error)))
            return false;
        virtProvisionLogVF(VIRT_MESSAGE_ID_RESTORED, "Put back", item->record);
        host->counts[VIRT_COUNT_RESTORED]++;
    }
    return virtProvisionRecordRemove(host, item->record, error);
}

/* Puts the VFs of @records back to what these remember, and forgets the records.
 *
 * @listed: virtPCIAddress, the VFs that libvirt is about to give back to the host's drivers; NULL: none. The others'
 * are given back here where libvirt died before it could
 *
 * The caller holds their PFs' locks. Goes on past failures, each of which leaves its record, so that it can be tried
 * again. A VF that anybody has is not written to: that is a failure with VIRT_ERROR_BUSY, and waits for its user's end.
 * Returns (transfer full): GError of each that failed, in the order of @records; empty when all went well.
 */
GPtrArray *
virtProvisionRestoreMany(virtHost *host, const GPtrArray *records, const GArray *listed)
{
    g_autoptr(virtHostReads) reads G_GNUC_UNUSED = virtHostReadOnce(host);
    g_autoptr(GPtrArray) items = returnsNew(host, records);
    GPtrArray *problems = g_ptr_array_new_with_free_func((GDestroyNotify)g_error_free);

    markRestoring(host, items);
    if (items->len > 1)
        returnTogether(host, items);
    for (guint i = 0; i < items->len; i++) {
        Return *item = items->pdata[i];

        if (!item->problem && returnOne(host, item, listed, &item->problem))
            continue;
        /* What is tried again was counted the first time. */
        host->counts[VIRT_COUNT_REFUSALS] +=
            !item->resumed && g_error_matches(item->problem, VIRT_ERROR, VIRT_ERROR_REFUSED);
        g_ptr_array_add(problems, g_steal_pointer(&item->problem));
    }
    return problems;
}

/* Puts one VF back to what @record remembers and forgets the record.
 *
 * The caller holds the PF's lock. A failure leaves the record, so that it can be tried again.
 */
bool
virtProvisionRestore(virtHost *host, virtRecord *record, GError **error)
{
    g_autoptr(GPtrArray) one = g_ptr_array_new();
    g_autoptr(GPtrArray) problems = NULL;

    g_ptr_array_add(one, record);
    problems = virtProvisionRestoreMany(host, one, NULL);
    if (problems->len == 0)
        return true;
    g_propagate_error(error, g_error_copy(problems->pdata[0]));
    return false;
}

/* ---- release ---- */

/* The record of @seen's VF as it is now, if it is still the one that was @seen. NULL with no error: it is not. */
static virtRecord *
loadSame(virtHost *host, const virtRecord *seen, GError **error)
{
    g_autoptr(virtRecord) record = NULL;
    g_autoptr(GError) local = NULL;
    char name[VIRT_PCI_ADDRESS_LEN];

    virtPCIAddressFormat(&seen->address, name);
    record = virtProvisionRecordLoad(host, name, &local);
    if (!record && !g_error_matches(local, VIRT_ERROR, VIRT_ERROR_NOT_FOUND))
        g_propagate_error(error, g_steal_pointer(&local));
    return record && virtProvisionRecordIsSame(seen, record) ? g_steal_pointer(&record) : NULL;
}

/* Takes the PF's lock and puts back the VFs of @seen (virtRecord), all of that PF, as far as they are still the same.
 * Adds a GError to @problems for each failure. */
static void
releasePF(virtHost *host, const GPtrArray *seen, const GArray *listed, GPtrArray *problems)
{
    const virtRecord *first = seen->pdata[0];
    g_autoptr(GPtrArray) records = g_ptr_array_new_with_free_func((GDestroyNotify)virtRecordFree);
    g_autoptr(GPtrArray) failed = NULL;
    g_autoptr(virtStateLock) lock = NULL;
    GError *local = NULL;
    char pfName[VIRT_PCI_ADDRESS_LEN];

    virtPCIAddressFormat(&first->pf, pfName);
    lock = virtStateLockTake(host, pfName, &local);
    for (guint i = 0; !lock && i < seen->len; i++) {
        g_ptr_array_add(problems, g_error_copy(local));
        prefixName((GError **)&problems->pdata[problems->len - 1], seen->pdata[i]);
    }
    if (!lock) {
        g_error_free(local);
        return;
    }
    /* Somebody may have released them, and somebody else taken them, while we waited for the lock. */
    for (guint i = 0; i < seen->len; i++) {
        virtRecord *record = loadSame(host, seen->pdata[i], &local);

        if (record)
            g_ptr_array_add(records, record);
        else if (local)
            g_ptr_array_add(problems, g_steal_pointer(&local));
    }
    failed = virtProvisionRestoreMany(host, records, listed);
    g_ptr_array_extend_and_steal(problems, g_steal_pointer(&failed));
}

/* Puts back the VFs of @seen (virtRecord), PF by PF; adds what goes wrong to @problems. */
static void
releaseMany(virtHost *host, const GPtrArray *seen, const GArray *listed, GPtrArray *problems)
{
    g_autoptr(GPtrArray) rest = g_ptr_array_copy((GPtrArray *)seen, NULL, NULL);

    g_ptr_array_set_free_func(rest, NULL);
    while (rest->len > 0) {
        g_autoptr(GPtrArray) same = g_ptr_array_new();
        g_autoptr(GPtrArray) others = g_ptr_array_new();
        const virtRecord *first = rest->pdata[0];

        for (guint i = 0; i < rest->len; i++) {
            virtRecord *record = rest->pdata[i];

            g_ptr_array_add(virtPCIAddressCompare(&record->pf, &first->pf) == 0 ? same : others, record);
        }
        releasePF(host, same, listed, problems);
        g_ptr_array_unref(rest);
        rest = g_steal_pointer(&others);
    }
}

/* One error of all @problems, a line each. */
static bool
reportAll(const GPtrArray *problems, GError **error)
{
    g_autoptr(GString) text = g_string_new(NULL);

    if (problems->len == 0)
        return true;
    for (guint i = 0; i < problems->len; i++)
        g_string_append_printf(text, "%s%s", i ? "\n" : "", ((GError *)problems->pdata[i])->message);
    g_set_error_literal(error, VIRT_ERROR, VIRT_ERROR_REFUSED, text->str);
    return false;
}

/* Takes the PF's lock and puts back the VF of @seen, if the owner that @seen names still has it from that same start.
 * Otherwise there is nothing to do, which is success.
 */
bool
virtProvisionReleaseOne(virtHost *host, const virtRecord *seen, GError **error)
{
    g_autoptr(GPtrArray) one = g_ptr_array_new();
    g_autoptr(GPtrArray) problems = g_ptr_array_new_with_free_func((GDestroyNotify)g_error_free);

    g_ptr_array_add(one, (gpointer)seen);
    releasePF(host, one, NULL, problems);
    if (problems->len == 0)
        return true;
    g_propagate_error(error, g_error_copy(problems->pdata[0]));
    return false;
}

/* Forgets the record that was @seen, if it is still that one: its VF is not put back, and keeps what it has.
 */
bool
virtProvisionForget(virtHost *host, const virtRecord *seen, GError **error)
{
    char pfName[VIRT_PCI_ADDRESS_LEN];
    g_autoptr(virtStateLock) lock = NULL;
    g_autoptr(virtRecord) record = NULL;
    g_autoptr(GError) local = NULL;

    virtPCIAddressFormat(&seen->pf, pfName);
    if (!(lock = virtStateLockTake(host, pfName, error)))
        return false;
    if ((record = loadSame(host, seen, &local)))
        return virtProvisionRecordRemove(host, record, error);
    if (!local)
        return true;
    g_propagate_error(error, g_steal_pointer(&local));
    return false;
}

/* Puts back every VF that @owner has, whatever its XML says by now.
 *
 * @listed: virtPCIAddress, those that libvirt has among the domain's devices, and gives back to the host's drivers
 *          itself; NULL: none
 *
 * Goes on past failures; the error then names each VF that could not be put back, and each record that could not be
 * read and so may be @owner's. Releasing nothing succeeds.
 */
bool
virtProvisionRelease(virtHost *host, const virtOwner *owner, const GArray *listed, GError **error)
{
    g_autoptr(GPtrArray) problems = g_ptr_array_new_with_free_func((GDestroyNotify)g_error_free);
    g_autoptr(GPtrArray) records = virtProvisionRecordListAll(host, problems, error);
    g_autoptr(GPtrArray) its = g_ptr_array_new();

    if (!records)
        return false;
    for (guint i = 0; i < records->len; i++) {
        if (virtOwnerEqual(owner, &((virtRecord *)records->pdata[i])->owner))
            g_ptr_array_add(its, records->pdata[i]);
    }
    releaseMany(host, its, listed, problems);
    return reportAll(problems, error);
}
