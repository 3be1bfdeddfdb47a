/* qemu_hostdev.c: prepare and release a domain's VFs
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Theory of operation. A start is a list of steps, one a VF, and goes through phases, each of them over all steps:
 * check the host and who owns the VF; read what the VFs' netdevs say now; write the records (that, and what they shall
 * say) to disk; set; read back; mark the records active. Nothing has changed before all records are there. When
 * anything fails, all VFs are put back to what their records say, and the error that is returned names the setting
 * that was refused. So a port is read twice and written a few times, however many of its VFs there are.
 *
 * The record is the only memory: release, a crash and `virt-hostdev restore` all end in the same function that
 * sets `before` again, reads it back, and only then removes the record.
 *
 * Changes to one PF's VFs exclude each other by that PF's lock. A start that spans PFs takes their locks in
 * address order, so two starts cannot wait for each other in a circle.
 */
#include "qemu/qemu_hostdev.h"
#include "qemu/qemu_log.h"
#include "util/virerror.h"
#include "util/virnetdevhostdev.h"
#include "util/virnetdevquirk.h"
#include "util/virstatefile.h"

#include <stdio.h>
#include <string.h>

typedef struct {
    const virtHostdev *hostdev;
    virtVF *vf;
    virtRecord *record;
    GPtrArray *present; /* virtNetdev: what the wanted ports say before this start */
} Step;

static void
stepFree(Step *step)
{
    virtVFFree(step->vf);
    virtRecordFree(step->record);
    if (step->present)
        g_ptr_array_unref(step->present);
    g_free(step);
}

/* ---- checks ---- */

/* Has @vf's PF the port that @wanted speaks of, and is it up?
 *
 * A PF that is down takes settings on some drivers and drops them later, refuses them on others; and the guest
 * would have no link. libvirt refuses it too and does not bring it up; neither do we.
 */
bool
virtQemuHostdevCheckPort(const virtVF *vf, const virtNetdev *wanted, GError **error)
{
    const virtPort *port = virtVFGetPort(vf, wanted->port, error);

    if (!port)
        return false;
    if (!port->up) {
        g_set_error(
            error, VIRT_ERROR, VIRT_ERROR_HOST,
            "Cannot use port %u of %s (VF %u of %s): the PF's netdev %s is down. Bring it up first: ip link set %s up",
            wanted->port, vf->name, vf->index, vf->pfName, port->ifname, port->ifname);
        return false;
    }
    return true;
}

/* May @owner take the VF of @record?
 */
bool
virtQemuHostdevCheckOwner(const virtOwner *owner, const virtRecord *record, GError **error)
{
    g_autofree char *holder = virtOwnerDescribe(&record->owner);
    char name[VIRT_PCI_ADDRESS_LEN];

    if (virtOwnerEqual(owner, &record->owner))
        return true;
    virtPCIAddressFormat(&record->address, name);
    g_set_error(
        error, VIRT_ERROR, VIRT_ERROR_BUSY, "VF %s is in use by %s. %s", name, holder,
        record->owner.uuid
            ? "Stop that domain, give this one another VF, or, when that domain no longer exists, run: virt-hostdev restore"
            : "Give it back with virt-hostdev release, or use another VF.");
    return false;
}

/* 16 bytes of a canonical UUID. */
static void
parseUuid(const char *text, guint8 ret[16])
{
    guint n = 0;

    for (const char *p = text; *p && n < 32; p++) {
        int digit = g_ascii_xdigit_value(*p);

        if (*p == '-')
            continue;
        if (digit < 0)
            return;
        ret[n / 2] = (guint8)(ret[n / 2] << 4 | digit);
        n++;
    }
}

/* Find the VF of @hostdev and see whether its ports can be used. Returns it ready for settings of @owner's. */
virtVF *
virtQemuHostdevLookup(virtHost *host, const virtOwner *owner, const virtHostdev *hostdev, GError **error)
{
    g_autoptr(virtVF) vf = virtVFLookup(host, &hostdev->address, error);

    if (vf && owner->uuid)
        parseUuid(owner->uuid, vf->instance);
    for (guint i = 0; vf && i < hostdev->netdevs->len; i++) {
        if (!virtQemuHostdevCheckPort(vf, hostdev->netdevs->pdata[i], error))
            return NULL;
    }
    return g_steal_pointer(&vf);
}

static Step *
stepNew(virtHost *host, const virtOwner *owner, const virtHostdev *hostdev, GError **error)
{
    Step *step = g_new0(Step, 1);

    step->hostdev = hostdev;
    step->vf = virtQemuHostdevLookup(host, owner, hostdev, error);
    if (!step->vf)
        g_clear_pointer(&step, stepFree);
    return step;
}

/* Is @vf, which was looked up before its PF's lock was waited for, still at its index? */
bool
virtQemuHostdevIsStill(virtHost *host, const virtVF *vf, GError **error)
{
    guint index;

    if (!virtPCIFindVF(host, &vf->pf, &vf->address, &index, error))
        return false;
    if (index == vf->index)
        return true;
    g_set_error(error, VIRT_ERROR, VIRT_ERROR_HOST,
                "VF %s was VF %u of PF %s and is now VF %u: VFs are being made or removed. Try again when that is done.",
                vf->name, vf->index, vf->pfName, index);
    return false;
}

static const virtVF *
vfOf(const GPtrArray *steps, guint i)
{
    return ((const Step *)steps->pdata[i])->vf;
}

static int
compareSteps(const void *a, const void *b)
{
    const virtVF *x = (*(Step *const *)a)->vf, *y = (*(Step *const *)b)->vf;
    int pfs = virtPCIAddressCompare(&x->pf, &y->pf);

    return pfs ? pfs : (x->index > y->index) - (x->index < y->index);
}

static bool
samePF(const GPtrArray *steps, guint i, guint other)
{
    return other < steps->len && virtPCIAddressCompare(&vfOf(steps, i)->pf, &vfOf(steps, other)->pf) == 0;
}

/* Take each PF's lock once, in address order. Its VFs were looked up before that, so it is seen whether they are still
 * where they were: an address grows with the index by the same amount from VF to VF (SR-IOV's VF stride), so where the
 * first and the last are in their places, those between are. */
static GPtrArray *
lockPFs(virtHost *host, const GPtrArray *steps, GError **error)
{
    g_autoptr(GPtrArray) sorted = g_ptr_array_copy((GPtrArray *)steps, NULL, NULL);
    g_autoptr(GPtrArray) locks = g_ptr_array_new_with_free_func((GDestroyNotify)virtStateLockRelease);

    g_ptr_array_set_free_func(sorted, NULL);
    g_ptr_array_sort(sorted, compareSteps);
    for (guint i = 0; i < sorted->len; i++) {
        bool first = !samePF(sorted, i, i - 1), last = !samePF(sorted, i, i + 1);
        virtStateLock *lock = first ? virtStateLockTake(host, vfOf(sorted, i)->pfName, error) : NULL;

        if (lock)
            g_ptr_array_add(locks, lock);
        if ((first && !lock) || ((first || last) && !virtQemuHostdevIsStill(host, vfOf(sorted, i), error)))
            return NULL;
    }
    return g_steal_pointer(&locks);
}

/* ---- records ---- */

/* What the kernel does not report (a port profile, a GUID) is taken as "none", so that putting back clears it. */
void
virtQemuHostdevCompleteBefore(virtNetdev *before, const virtNetdev *wanted)
{
    static const virtNetdev none = {.present = ~0u};

    for (guint attr = 0; attr < VIRT_NETDEV_ATTR_LAST; attr++) {
        if (virtNetdevHas(wanted, attr) && !virtNetdevHas(before, attr))
            virtNetdevCopyAttr(before, &none, attr);
    }
}

/* Add to the record what it does not remember yet. What it does remember was read before our first change
 * and stays: a second start after a crash sees our own settings on the hardware, not the original ones. */
static void
rememberBefore(Step *step)
{
    for (guint i = 0; i < step->hostdev->netdevs->len; i++) {
        const virtNetdev *wanted = step->hostdev->netdevs->pdata[i];
        virtNetdev *before = virtNetdevListFind(step->record->before, wanted->port);

        if (!before) {
            before = virtNetdevCopy(virtNetdevListFind(step->present, wanted->port));
            g_ptr_array_add(step->record->before, before);
        }
        virtQemuHostdevCompleteBefore(before, wanted);
    }
    virtNetdevListSort(step->record->before);
}

/* Is @vf still the one that @record speaks of? What the record knows would be wrong for another. */
bool
virtQemuHostdevIsRecorded(const virtVF *vf, const virtRecord *record, GError **error)
{
    if (virtPCIAddressCompare(&vf->pf, &record->pf) == 0 && vf->index == record->index)
        return true;
    g_set_error(
        error, VIRT_ERROR, VIRT_ERROR_HOST,
        "%s was VF %u and is now VF %u of %s, which may be somebody else's: nothing is changed. Its record stays in /" VIRT_STATE_DIR
        "; compare it with virt-hostdev status and remove it by hand.",
        vf->name, record->index, vf->index, vf->pfName);
    return false;
}

/* Make sure that nobody else has the VF, and get the record to go on with: a new one, or the one that an
 * earlier, interrupted start of the same owner left. */
static bool
claim(virtHost *host, const virtOwner *owner, guint64 began, Step *step, GError **error)
{
    g_autoptr(virtRecord) old = NULL;

    if (virtStateFileExists(host, step->vf->name) && !(old = virtQemuRecordLoad(host, step->vf->name, error)))
        return false;
    if (old && !virtOwnerEqual(owner, &old->owner) && virtQemuRecordIsLeft(host, old)) {
        if (!virtQemuHostdevRestore(host, old, error))
            return false;
        g_clear_pointer(&old, virtRecordFree);
    }
    if (old && (!virtQemuHostdevCheckOwner(owner, old, error) || !virtQemuHostdevIsRecorded(step->vf, old, error)))
        return false;
    step->record = virtQemuRecordNew(owner, began, step->vf, step->hostdev->netdevs);
    if (old) {
        g_ptr_array_unref(step->record->before);
        step->record->before = g_steal_pointer(&old->before);
    }
    return true;
}

/* ---- putting back ---- */

/* @resumed: an earlier try may have ended after it had taken the driver away and before it could bind it again */
static bool
probeAgain(virtHost *host, const virtRecord *record, bool resumed, GError **error)
{
    g_autoptr(GPtrArray) vfPorts = virtPCIGetPorts(host, &record->address, error);
    g_autofree char *driver = resumed ? virtPCIGetDriver(host, &record->address) : NULL;

    if (!vfPorts)
        return false;
    if (resumed && !driver)
        return virtPCIProbe(host, &record->address, error);
    if (!virtNetDevQuirkNeedsProbe(vfPorts, record->before, record->wanted))
        return true;
    return virtPCIRebind(host, &record->address, error);
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
    if (!virtQemuHostdevIsRecorded(vf, record, error))
        return NULL;
    if (record->owner.uuid)
        parseUuid(record->owner.uuid, vf->instance);
    return g_steal_pointer(&vf);
}

/* One VF to put back. */
typedef struct {
    virtRecord *record;
    virtVF *vf;         /* NULL: see problem, or the VF is gone */
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
        g_ptr_array_add(items, item);
    }
    return items;
}

/* The phase only informs: a full disk must not keep a VF from being put back. */
static void
markRestoring(virtHost *host, const GPtrArray *items)
{
    g_autoptr(GPtrArray) records = g_ptr_array_new();
    g_autoptr(GError) local = NULL;

    for (guint i = 0; i < items->len; i++) {
        if (((Return *)items->pdata[i])->vf)
            g_ptr_array_add(records, ((Return *)items->pdata[i])->record);
    }
    if (records->len > 0 && !virtQemuRecordMarkMany(host, records, VIRT_PHASE_RESTORING, &local))
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
returnOne(virtHost *host, const Return *item, GError **error)
{
    if (item->vf) {
        if (!virtNetDevHostdevRestore(host, item->vf, item->record->before, error) ||
            !probeAgain(host, item->record, item->resumed, error))
            return false;
        virtQemuLogVF(VIRT_MESSAGE_ID_RESTORED, "Put back", item->record);
        host->counts[VIRT_COUNT_RESTORED]++;
    }
    return virtQemuRecordRemove(host, item->record, error);
}

/* Puts the VFs of @records back to what these remember, and forgets the records.
 *
 * The caller holds their PFs' locks. Goes on past failures, each of which leaves its record, so that it can be tried
 * again. Returns (transfer full): GError of each that failed, in the order of @records; empty when all went well.
 */
static GPtrArray *
restoreMany(virtHost *host, const GPtrArray *records)
{
    g_autoptr(virtHostReads) reads G_GNUC_UNUSED = virtHostReadOnce(host);
    g_autoptr(GPtrArray) items = returnsNew(host, records);
    GPtrArray *problems = g_ptr_array_new_with_free_func((GDestroyNotify)g_error_free);

    markRestoring(host, items);
    if (items->len > 1)
        returnTogether(host, items);
    for (guint i = 0; i < items->len; i++) {
        Return *item = items->pdata[i];

        if (!item->problem && returnOne(host, item, &item->problem))
            continue;
        host->counts[VIRT_COUNT_REFUSALS] += g_error_matches(item->problem, VIRT_ERROR, VIRT_ERROR_REFUSED);
        g_ptr_array_add(problems, g_steal_pointer(&item->problem));
    }
    return problems;
}

/* Puts one VF back to what @record remembers and forgets the record.
 *
 * The caller holds the PF's lock. A failure leaves the record, so that it can be tried again.
 */
bool
virtQemuHostdevRestore(virtHost *host, virtRecord *record, GError **error)
{
    g_autoptr(GPtrArray) one = g_ptr_array_new();
    g_autoptr(GPtrArray) problems = NULL;

    g_ptr_array_add(one, record);
    problems = restoreMany(host, one);
    if (problems->len == 0)
        return true;
    g_propagate_error(error, g_error_copy(problems->pdata[0]));
    return false;
}

/* ---- prepare ---- */

static bool
readPresent(virtHost *host, Step *step, GError **error)
{
    step->present = virtNetDevHostdevRead(host, step->vf, step->hostdev->netdevs, error);
    if (!step->present)
        return false;
    rememberBefore(step);
    return true;
}

static bool
setSteps(virtHost *host, const GPtrArray *steps, GError **error)
{
    g_autofree virtNetDevHostdevChange *changes = g_new(virtNetDevHostdevChange, steps->len);

    for (guint i = 0; i < steps->len; i++) {
        const Step *step = steps->pdata[i];

        changes[i] = (virtNetDevHostdevChange){step->vf, step->hostdev->netdevs, step->present};
    }
    return virtNetDevHostdevSetMany(host, changes, steps->len, error);
}

/* Write all records, then set all VFs. When that fails, put back those whose records are there; a failure of this is
 * told beside the one that led to it. */
static bool
apply(virtHost *host, const GPtrArray *steps, GError **error)
{
    g_autoptr(GPtrArray) records = g_ptr_array_new();
    g_autoptr(GPtrArray) problems = NULL;
    g_autoptr(GString) told = NULL;
    g_autoptr(GError) cause = NULL;
    g_auto(virtStateBatch) saved = {0};

    for (guint i = 0; i < steps->len; i++)
        g_ptr_array_add(records, ((Step *)steps->pdata[i])->record);
    if (virtQemuRecordSaveMany(host, records, VIRT_PHASE_SETTING, &saved, &cause) && setSteps(host, steps, &cause) &&
        virtQemuRecordMarkBatch(host, records, &saved, VIRT_PHASE_ACTIVE, &cause))
        return true;
    host->counts[VIRT_COUNT_REFUSALS] += g_error_matches(cause, VIRT_ERROR, VIRT_ERROR_REFUSED);
    host->counts[VIRT_COUNT_ROLLBACKS]++;
    g_ptr_array_set_size(records, (gint)saved.written);
    problems = restoreMany(host, records);
    told = g_string_new(cause->message);
    for (guint i = 0; i < problems->len; i++)
        g_string_append_printf(told, " Putting back failed too: %s", ((GError *)problems->pdata[i])->message);
    g_set_error_literal(error, cause->domain, cause->code, told->str);
    return false;
}

/* Gives @owner all of @hostdevs (virtHostdev), set and read back, or none of them.
 *
 * Called before a driver takes the devices. Calling it again for the same owner is safe: what the VFs were
 * before the first call stays remembered.
 */
bool
virtQemuHostdevPrepare(virtHost *host, const virtOwner *owner, const GPtrArray *hostdevs, GError **error)
{
    g_autoptr(GPtrArray) steps = g_ptr_array_new_with_free_func((GDestroyNotify)stepFree);
    g_autoptr(virtHostReads) reads G_GNUC_UNUSED = virtHostReadOnce(host);
    g_autoptr(GPtrArray) locks = NULL;
    guint64 began = (guint64)g_get_monotonic_time();

    for (guint i = 0; i < hostdevs->len; i++) {
        Step *step = stepNew(host, owner, hostdevs->pdata[i], error);

        if (!step)
            return false;
        g_ptr_array_add(steps, step);
    }
    if (steps->len == 0)
        return true;
    if (!(locks = lockPFs(host, steps, error)))
        return false;
    for (guint i = 0; i < steps->len; i++) {
        if (!claim(host, owner, began, steps->pdata[i], error) || !readPresent(host, steps->pdata[i], error))
            return false;
    }
    if (!apply(host, steps, error))
        return false;
    for (guint i = 0; i < steps->len; i++)
        virtQemuLogVF(VIRT_MESSAGE_ID_SET, "Set", ((Step *)steps->pdata[i])->record);
    host->counts[VIRT_COUNT_CHANGES] += steps->len;
    return true;
}

/* ---- release ---- */

/* Is @record still the one that was @seen, not that of a later owner or of a later start of the same one, whose libvirt
 * may be the same process? The phase says nothing here: a change that was under way when it was seen is the same
 * guest's. */
static bool
isSame(const virtRecord *seen, const virtRecord *record)
{
    return virtOwnerEqual(&seen->owner, &record->owner) && seen->owner.pid == record->owner.pid &&
           seen->owner.start == record->owner.start && seen->began == record->began;
}

/* The record of @seen's VF as it is now, if it is still the one that was @seen. NULL with no error: it is not. */
static virtRecord *
loadSame(virtHost *host, const virtRecord *seen, GError **error)
{
    g_autoptr(virtRecord) record = NULL;
    g_autoptr(GError) local = NULL;
    char name[VIRT_PCI_ADDRESS_LEN];

    virtPCIAddressFormat(&seen->address, name);
    record = virtQemuRecordLoad(host, name, &local);
    if (!record && !g_error_matches(local, VIRT_ERROR, VIRT_ERROR_NOT_FOUND))
        g_propagate_error(error, g_steal_pointer(&local));
    return record && isSame(seen, record) ? g_steal_pointer(&record) : NULL;
}

/* Takes the PF's lock and puts back the VFs of @seen (virtRecord), all of that PF, as far as they are still the same.
 * Adds a GError to @problems for each failure. */
static void
releasePF(virtHost *host, const GPtrArray *seen, GPtrArray *problems)
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
    failed = restoreMany(host, records);
    g_ptr_array_extend_and_steal(problems, g_steal_pointer(&failed));
}

/* Puts back the VFs of @seen (virtRecord), PF by PF; adds what goes wrong to @problems. */
static void
releaseMany(virtHost *host, const GPtrArray *seen, GPtrArray *problems)
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
        releasePF(host, same, problems);
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
virtQemuHostdevReleaseOne(virtHost *host, const virtRecord *seen, GError **error)
{
    g_autoptr(GPtrArray) one = g_ptr_array_new();
    g_autoptr(GPtrArray) problems = g_ptr_array_new_with_free_func((GDestroyNotify)g_error_free);

    g_ptr_array_add(one, (gpointer)seen);
    releasePF(host, one, problems);
    if (problems->len == 0)
        return true;
    g_propagate_error(error, g_error_copy(problems->pdata[0]));
    return false;
}

/* Puts back every VF that @owner has, whatever its XML says by now.
 *
 * Goes on past failures; the error then names each VF that could not be put back, and each record that could not be
 * read and so may be @owner's. Releasing nothing succeeds.
 */
bool
virtQemuHostdevRelease(virtHost *host, const virtOwner *owner, GError **error)
{
    g_autoptr(GPtrArray) problems = g_ptr_array_new_with_free_func((GDestroyNotify)g_error_free);
    g_autoptr(GPtrArray) records = virtQemuRecordListAll(host, problems, error);
    g_autoptr(GPtrArray) its = g_ptr_array_new();

    if (!records)
        return false;
    for (guint i = 0; i < records->len; i++) {
        if (virtOwnerEqual(owner, &((virtRecord *)records->pdata[i])->owner))
            g_ptr_array_add(its, records->pdata[i]);
    }
    releaseMany(host, its, problems);
    return reportAll(problems, error);
}
