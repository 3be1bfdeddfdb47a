/* provision_drift.c: what was set against what is there now
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Theory of operation. Devices are changed under their parent's lock, and what they shall say is written down first. So
 * with the lock held, a record in its active phase says what a device must say, and what is otherwise was changed by
 * somebody else. In any other phase a change of ours was cut off, and whoever ends that puts it right: nothing is
 * compared then, nor where the owner has gone. Records that the caller has seen without the lock only say where to
 * look.
 *
 * Compared is what was asked for and the driver reports. A MAC address is not, while the guest may choose its own.
 */
#include "hypervisor/provision_drift.h"

#include "hypervisor/provision_log.h"
#include "util/virerror.h"
#include "util/virstatefile.h"

/* The bits of what is wanted, reported, and was changed by somebody else. */
static guint
findDrift(virtHost *host, const virtDrift *drift, const virtTarget *target, const virtSetting *wanted,
          const virtSetting *present)
{
    const virtSetting *before = virtSettingListFind(drift->record->before.of[target->kind], wanted->number);
    guint bits;

    if (!drift->compared)
        return 0;
    bits = virtSettingDiff(virtTargetInfo(target), wanted, present) & present->present;
    if (target->provider->findDrift)
        bits = target->provider->findDrift(host, target, wanted, before, present, bits);
    return bits;
}

static void
compareSetting(virtHost *host, virtDrift *drift, virtTarget *target, const virtSetting *wanted)
{
    const virtSettingInfo *info = virtTargetInfo(target);
    const virtSetting *present = virtSettingListFind(target->present, wanted->number);
    guint bits = findDrift(host, drift, target, wanted, present);

    for (guint attr = 0; attr < info->count; attr++) {
        if (virtSettingHas(wanted, attr)) {
            virtPlanRow *row = virtPlanRowAdd(drift->rows, target, wanted, present, attr);

            row->differs = (bits & VIRT_SETTING_BIT(attr)) != 0;
        }
    }
    if (bits) {
        virtSetting *part = virtSettingCopy(info, wanted);

        part->present = bits;
        g_ptr_array_add(target->wanted, part);
    }
}

/* Leaves in @target->wanted what drifted. False with drift->problem. */
static bool
compareTarget(virtHost *host, virtDrift *drift, virtTarget *target)
{
    const GPtrArray *wanted = drift->record->wanted.of[target->kind];

    if (!virtProvisionIsRecorded(target, drift->record, &drift->problem) ||
        !(target->present = virtTargetRead(host, target, wanted, &drift->problem)))
        return false;
    g_ptr_array_unref(target->wanted);
    target->wanted = virtSettingListNew();
    for (guint i = 0; i < wanted->len; i++) {
        const virtSetting *set = wanted->pdata[i];
        virtSetting *present = virtSettingListFind(target->present, set->number);

        /* What the record says was set is no guess, and what is shown otherwise is not it. */
        present->unknown &= ~set->present;
        compareSetting(host, drift, target, set);
    }
    return true;
}

static void
compare(virtHost *host, virtDrift *drift)
{
    const virtRecord *record = drift->record;
    g_autoptr(GPtrArray) targets =
        virtProvisionOpenSettings(host, &record->owner, &record->handle, &record->wanted, &drift->problem);

    if (!targets)
        return;
    drift->compared = record->phase == VIRT_PHASE_ACTIVE && !virtProvisionRecordIsLeft(host, record);
    for (guint i = 0; i < targets->len; i++) {
        if (!compareTarget(host, drift, targets->pdata[i])) {
            drift->compared = false;
            return;
        }
    }
    drift->targets = g_steal_pointer(&targets);
}

/* Is anything otherwise than it was set? */
bool
virtDriftIsAny(const virtDrift *drift)
{
    for (guint i = 0; drift->targets && i < drift->targets->len; i++) {
        if (((const virtTarget *)drift->targets->pdata[i])->wanted->len > 0)
            return true;
    }
    return false;
}

static void
driftClear(virtDrift *drift)
{
    g_clear_pointer(&drift->targets, g_ptr_array_unref);
    g_ptr_array_unref(drift->rows);
    g_clear_error(&drift->problem);
}

/* @problem: what keeps the device from being looked at, or NULL; taken */
static void
tellDrift(virtHost *host, const virtRecord *record, GError *problem, virtDriftFunc func, void *opaque)
{
    virtDrift drift = {.record = record, .problem = problem};

    drift.rows = g_ptr_array_new_with_free_func((GDestroyNotify)virtPlanRowFree);
    if (!problem)
        compare(host, &drift);
    func(host, &drift, opaque);
    driftClear(&drift);
}

static void
lookAtDevice(virtHost *host, const virtRecord *seen, virtDriftFunc func, void *opaque)
{
    GError *problem = NULL;
    g_autoptr(virtRecord) record = virtProvisionRecordReload(host, seen, &problem);

    if (record)
        tellDrift(host, record, NULL, func, opaque);
    else if (g_error_matches(problem, VIRT_ERROR, VIRT_ERROR_NOT_FOUND))
        g_error_free(problem); /* it was given back meanwhile */
    else
        tellDrift(host, seen, problem, func, opaque);
}

static bool
isUnder(const virtRecord *record, const virtHandle *of)
{
    virtHandle its = virtProvisionLockOf(&record->handle, &record->parent);

    return virtHandleEqual(&its, of);
}

/* Those of @seen whose lock is that of @of. */
static void
lookUnder(virtHost *host, const virtHandle *of, const GPtrArray *seen, virtDriftFunc func, void *opaque)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(virtStateLock) lock = virtProvisionLock(host, of, &error);
    /* Nothing that was read before the lock may be gone by. */
    g_autoptr(virtHostReads) reads G_GNUC_UNUSED = virtHostReadOnce(host);

    for (guint i = 0; i < seen->len; i++) {
        const virtRecord *record = seen->pdata[i];

        if (!isUnder(record, of))
            continue;
        if (lock)
            lookAtDevice(host, record, func, opaque);
        else
            tellDrift(host, record, g_error_copy(error), func, opaque);
    }
}

/* Calls @func for each device of @seen (virtRecord, of any parents) that somebody still has, with its lock held.
 *
 * The caller has no virtHostReads open: what others have changed since would go unseen.
 */
void
virtProvisionDrift(virtHost *host, const GPtrArray *seen, virtDriftFunc func, void *opaque)
{
    for (guint i = 0; i < seen->len; i++) {
        const virtRecord *record = seen->pdata[i];
        virtHandle of = virtProvisionLockOf(&record->handle, &record->parent);
        bool done = false;

        for (guint j = 0; j < i && !done; j++)
            done = isUnder(seen->pdata[j], &of);
        if (!done)
            lookUnder(host, &of, seen, func, opaque);
    }
}

/* Tell the journal about a setting that differs. */
void
virtDriftLog(const virtDrift *drift, const virtPlanRow *row)
{
    g_autofree char *where = virtPlanRowDescribe(row, "port");

    virtProvisionLog(VIRT_MESSAGE_ID_DRIFT, G_LOG_LEVEL_WARNING, drift->record, row,
                     "Somebody else has changed %s, which '%s' has: %s was set to %s and is now %s", where,
                     drift->record->owner.name, row->title, row->to, row->from);
}
