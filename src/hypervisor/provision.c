/* provision.c: prepare a domain's devices
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Theory of operation. A start is a list of steps, one a device, each with a target for every provider that is to set
 * something there. It goes through phases, each of them over all steps: check the host and who owns the device; read
 * what it says now; write the records (that, and what it shall say) to disk; set, provider by provider in the order of
 * their table; read back; mark the records active. Nothing but what an earlier start has left over, which is restored
 * first, has changed before all records are there. When anything fails, all devices are restored to what their records
 * say, and the error that is returned names the setting that was refused. Providers are given all their targets at
 * once: a port is read twice and written a few times, however many of its VFs there are.
 *
 * Changes to the devices of one parent (the VFs of a PF) exclude each other by that parent's lock, and those to all
 * mediated devices by one. A start that needs several takes them in order, so two starts cannot wait for each other in
 * a circle.
 */
#include "hypervisor/provision.h"

#include <string.h>

#include "hypervisor/provision_log.h"
#include "util/virerror.h"
#include "util/virpci.h"
#include "util/virstatefile.h"

typedef struct {
    const virtHostdev *hostdev;
    virtTarget *place;  /* what has to be known to lock it */
    GPtrArray *targets; /* virtTarget, by kind; NULL: not locked yet */
    virtRecord *record;
    virtRecord *old;      /* that the owner has of the same device already, and goes on with; or NULL */
    virtRecord *restored; /* what has been restored first; or NULL */
} PrepareStep;

static void
stepFree(PrepareStep *step)
{
    virtTargetFree(step->place);
    g_clear_pointer(&step->targets, g_ptr_array_unref);
    virtRecordFree(step->record);
    virtRecordFree(step->old);
    virtRecordFree(step->restored);
    g_free(step);
}

static PrepareStep *
stepOf(const GPtrArray *steps, guint i)
{
    return steps->pdata[i];
}

/* ---- looking ---- */

/* Find out what the device of @step is now, and whether what is wanted can be used there. */
static bool
look(virtHost *host, const virtOwner *owner, PrepareStep *step, GError **error)
{
    g_clear_pointer(&step->targets, g_ptr_array_unref);
    if (!(step->targets = virtProvisionOpen(host, owner, step->hostdev, error)))
        return false;
    for (guint i = 0; i < step->targets->len; i++)
        virtTargetResolve(host, owner, step->targets->pdata[i]);
    return virtProvisionCheckUsable(step->targets, step->hostdev, error);
}

static const virtTarget *
placeOf(const GPtrArray *steps, guint i)
{
    return stepOf(steps, i)->place;
}

static virtHandle
lockOf(const virtTarget *place)
{
    return virtProvisionLockOf(&place->handle, &place->parent);
}

static int
comparePlaces(const void *a, const void *b)
{
    const virtTarget *x = (*(PrepareStep *const *)a)->place;
    const virtTarget *y = (*(PrepareStep *const *)b)->place;
    virtHandle lock = lockOf(x), other = lockOf(y);
    int locks = virtHandleCompare(&lock, &other);

    if (locks != 0)
        return locks;
    return (x->index > y->index) - (x->index < y->index);
}

static bool
haveOneLock(const GPtrArray *steps, guint i, guint other)
{
    virtHandle lock, others;

    if (other >= steps->len)
        return false;
    lock = lockOf(placeOf(steps, i));
    others = lockOf(placeOf(steps, other));
    return virtHandleEqual(&lock, &others);
}

/* Is step @i of @sorted still in its place? Where the first and the last that a parent counts are, those between are.
 */
static bool
isInPlace(virtHost *host, const GPtrArray *sorted, guint i, GError **error)
{
    bool between = i > 0 && haveOneLock(sorted, i, i - 1) && haveOneLock(sorted, i, i + 1);

    if (between && placeOf(sorted, i)->index >= 0)
        return true;
    return virtTargetIsStill(host, placeOf(sorted, i), error);
}

/* Take each lock once, in order. Its devices were looked up before that, so it is seen whether they are still
 * where they were. */
static GPtrArray *
takeLocks(virtHost *host, const GPtrArray *steps, GError **error)
{
    g_autoptr(GPtrArray) sorted = g_ptr_array_copy((GPtrArray *)steps, NULL, NULL);
    g_autoptr(GPtrArray) locks = g_ptr_array_new_with_free_func((GDestroyNotify)virtStateLockRelease);

    g_ptr_array_set_free_func(sorted, NULL);
    g_ptr_array_sort(sorted, comparePlaces);
    for (guint i = 0; i < sorted->len; i++) {
        if (i == 0 || !haveOneLock(sorted, i, i - 1)) {
            virtHandle of = lockOf(placeOf(sorted, i));
            virtStateLock *lock = virtProvisionLock(host, &of, error);

            if (!lock)
                return NULL;
            g_ptr_array_add(locks, lock);
        }
        if (!isInPlace(host, sorted, i, error))
            return NULL;
    }
    return g_steal_pointer(&locks);
}

/* ---- records ---- */

/* A device that is bound to vfio-pci beforehand, or to nothing, is not the host's to have back. */
static void
rememberDriver(virtHost *host, virtRecord *record)
{
    g_autofree char *driver = NULL;
    virtPCIAddress address;

    if (!virtHandleGetPCI(&record->handle, &address))
        return;
    driver = virtPCIGetDriver(host, &address);
    if (!driver || virtPCIIsForGuests(driver))
        return;
    record->driver = g_steal_pointer(&driver);
    record->override = virtPCIGetOverride(host, &address);
}

/* What @old remembers from before its owner's first change stays so. */
static void
goOnWith(virtRecord *record, const virtRecord *old)
{
    g_free(record->driver);
    g_free(record->override);
    record->driver = g_strdup(old->driver);
    record->override = g_strdup(old->override);
    virtSettingsClear(&record->before);
    virtSettingsCopy(&record->before, &old->before);
}

/* Make sure that nobody else has the device, and get the record to go on with: a new one, after what was left over has
 * been put back, or the one that the owner has. */
static bool
claim(virtHost *host, const virtOwner *owner, guint64 began, PrepareStep *step, GError **error)
{
    bool over;

    if (!virtProvisionMayTake(host, owner, step->targets, &step->old, &over, error))
        return false;
    if (over) {
        if (!virtProvisionRestore(host, step->old, error))
            return false;
        virtRecordFree(step->restored);
        step->restored = g_steal_pointer(&step->old);
    }
    step->record = virtProvisionRecordNew(owner, began, step->targets);
    rememberDriver(host, step->record);
    if (step->hostdev->choice.by == VIRT_CHOICE_SERIAL)
        step->record->serial = g_strdup(step->hostdev->choice.name);
    if (step->old)
        goOnWith(step->record, step->old);
    return true;
}

/* ---- prepare ---- */

/* What is to be read: what is wanted, and what it may be instead. */
static GPtrArray *
listNumbers(const virtTarget *target)
{
    const virtSettingInfo *info = virtTargetInfo(target);
    GPtrArray *list = virtSettingListCopy(info, target->wanted);

    for (guint i = 0; target->candidates && i < target->candidates->len; i++) {
        guint number = g_array_index(target->candidates, guint, i);

        if (!virtSettingListFind(list, number))
            g_ptr_array_add(list, virtSettingNew(info, number));
    }
    return list;
}

static bool
readPresent(virtHost *host, const PrepareStep *step, virtTarget *target, GError **error)
{
    g_autoptr(GPtrArray) which = listNumbers(target);
    const virtRecord *earlier = step->old;

    target->present = virtTargetRead(host, target, which, error);
    if (!target->present)
        return false;
    if (step->old)
        virtBeforeBelieve(virtTargetInfo(target), step->old->wanted.of[target->kind], target->present);
    if (step->restored)
        virtBeforeBelieve(virtTargetInfo(target), step->restored->before.of[target->kind], target->present);
    if (!earlier)
        earlier = step->restored;
    virtBeforeRemember(host, target, step->record->before.of[target->kind], earlier);
    return true;
}

/* Let each provider in turn set its targets of all @steps. */
static bool
setSteps(virtHost *host, const GPtrArray *steps, GError **error)
{
    for (guint k = 0; virtProviders[k]; k++) {
        g_autoptr(GPtrArray) targets = g_ptr_array_new();

        for (guint i = 0; i < steps->len; i++) {
            const GPtrArray *its = stepOf(steps, i)->targets;

            for (guint t = 0; t < its->len; t++) {
                if (((const virtTarget *)its->pdata[t])->kind == k)
                    g_ptr_array_add(targets, its->pdata[t]);
            }
        }
        if (targets->len > 0 && !virtProviders[k]->set(host, (virtTarget *const *)targets->pdata, targets->len, error))
            return false;
    }
    return true;
}

/* Forget what was remembered of numbers that @target has turned out not to mean. True if there was any. */
static bool
dropOtherNumbers(const virtTarget *target, GPtrArray *before)
{
    guint had = before->len;

    for (guint n = before->len; target->candidates && n-- > 0;) {
        if (!virtSettingListFind(target->wanted, ((const virtSetting *)before->pdata[n])->number))
            g_ptr_array_remove_index(before, n);
    }
    return before->len < had;
}

/* The number that was tried is the device's: what was remembered of the others, in case it had been one of those, has
 * not changed and must not be restored. */
static bool
forgetOthers(virtHost *host, const GPtrArray *steps, GError **error)
{
    for (guint i = 0; i < steps->len; i++) {
        const PrepareStep *step = stepOf(steps, i);
        bool any = false;

        for (guint t = 0; t < step->targets->len; t++) {
            const virtTarget *target = step->targets->pdata[t];

            any |= dropOtherNumbers(target, step->record->before.of[target->kind]);
        }
        if (any && !virtProvisionRecordSave(host, step->record, VIRT_PHASE_ACTIVE, error))
            return false;
    }
    return true;
}

/* If the failed try has shown which number is meant, use that; the try itself has been undone. */
static bool
followTry(virtHost *host, virtTarget *target)
{
    virtSetting *setting;

    if (!target->candidates || !target->redirectedTo)
        return false;
    g_clear_pointer(&target->candidates, g_array_unref);
    setting = target->wanted->pdata[0];
    setting->number = target->redirectedTo;
    virtTargetWarnUnknown(host, target, virtSettingListFind(target->present, setting->number), setting);
    return true;
}

static bool
followTries(virtHost *host, const GPtrArray *steps)
{
    bool any = false;

    for (guint i = 0; i < steps->len; i++) {
        for (guint t = 0; t < stepOf(steps, i)->targets->len; t++)
            any |= followTry(host, stepOf(steps, i)->targets->pdata[t]);
    }
    return any;
}

/* Make the device, and its record, what they were before this start: its owner has it, and goes on having it. */
static bool
keepOld(virtHost *host, const PrepareStep *step, GError **error)
{
    g_autoptr(GError) first = NULL;

    for (guint t = step->targets->len; t-- > 0;) { /* as far as it goes */
        const virtTarget *target = step->targets->pdata[t];
        GError **problem = first ? NULL : &first;

        target->provider->restore(host, target, target->present, problem);
    }
    if (first) {
        g_propagate_error(error, g_steal_pointer(&first));
        return false;
    }
    return virtProvisionRecordSave(host, step->old, step->old->phase, error);
}

/* Undo the first @count of @steps, whose records are written. Adds a GError to @problems for each failure. */
static void
rollBackSteps(virtHost *host, const GPtrArray *steps, guint count, GPtrArray *problems)
{
    g_autoptr(GPtrArray) records = g_ptr_array_new();
    g_autoptr(GPtrArray) failed = NULL;

    for (guint i = 0; i < count; i++) {
        const PrepareStep *step = stepOf(steps, i);
        GError *local = NULL;

        if (!step->old)
            g_ptr_array_add(records, step->record);
        else if (!keepOld(host, step, &local))
            g_ptr_array_add(problems, local);
    }
    virtProvisionForgetUsers(host);
    failed = virtProvisionRestoreMany(host, records, NULL, VIRT_RESTORE_RELEASED);
    g_ptr_array_extend_and_steal(problems, g_steal_pointer(&failed));
}

/* Write all records, then set all devices. When that fails, undo what has a record; a failure of this is told beside
 * the one that led to it. */
static bool
apply(virtHost *host, const GPtrArray *steps, GError **error)
{
    g_autoptr(GPtrArray) records = g_ptr_array_new();
    g_autoptr(GPtrArray) problems = g_ptr_array_new_with_free_func((GDestroyNotify)g_error_free);
    g_autoptr(GString) told = NULL;
    g_autoptr(GError) cause = NULL;
    g_auto(virtStateBatch) saved = {0};

    for (guint i = 0; i < steps->len; i++)
        g_ptr_array_add(records, stepOf(steps, i)->record);
    if (virtProvisionRecordSaveMany(host, records, VIRT_PHASE_SETTING, &saved, &cause) &&
        setSteps(host, steps, &cause) &&
        virtProvisionRecordMarkBatch(host, records, &saved, VIRT_PHASE_ACTIVE, &cause) &&
        forgetOthers(host, steps, &cause))
        return true;
    host->counts[VIRT_COUNT_REFUSALS] += g_error_matches(cause, VIRT_ERROR, VIRT_ERROR_REFUSED);
    host->counts[VIRT_COUNT_ROLLBACKS]++;
    rollBackSteps(host, steps, (guint)saved.written, problems);
    told = g_string_new(cause->message);
    for (guint i = 0; i < problems->len; i++)
        g_string_append_printf(told, ". Restoring failed as well: %s", ((GError *)problems->pdata[i])->message);
    g_set_error_literal(error, cause->domain, cause->code, told->str);
    return false;
}

/* The steps, with their devices as far as they have to be known to be locked. All else counts under the lock alone. */
static GPtrArray *
stepsNew(virtHost *host, const GPtrArray *hostdevs, GError **error)
{
    g_autoptr(virtHostReads) reads G_GNUC_UNUSED = virtHostReadOnce(host);
    g_autoptr(GPtrArray) steps = g_ptr_array_new_with_free_func((GDestroyNotify)stepFree);

    for (guint i = 0; i < hostdevs->len; i++) {
        const virtHostdev *hostdev = hostdevs->pdata[i];
        PrepareStep *step;

        if (virtSettingsAreEmpty(&hostdev->settings))
            continue;
        step = g_new0(PrepareStep, 1);
        step->hostdev = hostdev;
        g_ptr_array_add(steps, step);
        if (!(step->place = virtProvisionLocate(host, step->hostdev, error)))
            return NULL;
    }
    return g_steal_pointer(&steps);
}

/* Read the device, and see whether it has all that is wanted of it. */
static bool
readAll(virtHost *host, const PrepareStep *step, GError **error)
{
    for (guint t = 0; t < step->targets->len; t++) {
        if (!readPresent(host, step, step->targets->pdata[t], error))
            return false;
    }
    for (guint t = 0; t < step->targets->len; t++) {
        const virtTarget *target = step->targets->pdata[t];

        if (virtTargetCheckNumbers(host, target, target->wanted, error))
            continue;
        virtProvisionPrefix(error, step->hostdev);
        return false;
    }
    return true;
}

static bool
checkStepHost(virtHost *host, const PrepareStep *step, GError **error)
{
    for (guint t = 0; t < step->targets->len; t++) {
        if (!virtTargetCheckHost(host, step->targets->pdata[t], error))
            return false;
    }
    return true;
}

/* Everything that may stand against it, before anything is changed. By hand, a VF is set for whoever uses its netdev.
 */
static bool
makeReady(virtHost *host, const virtOwner *owner, guint64 began, PrepareStep *step, GError **error)
{
    g_clear_pointer(&step->record, virtRecordFree);
    g_clear_pointer(&step->old, virtRecordFree);
    for (guint t = 0; t < step->targets->len; t++)
        g_clear_pointer(&((virtTarget *)step->targets->pdata[t])->present, g_ptr_array_unref);
    return virtProvisionCheckUsable(step->targets, step->hostdev, error) && claim(host, owner, began, step, error) &&
           (!owner->uuid || checkStepHost(host, step, error)) && readAll(host, step, error);
}

/* Take the devices of @steps and set them, or none. */
static bool
takeSteps(virtHost *host, const virtOwner *owner, guint64 began, const GPtrArray *steps, GError **error)
{
    for (guint i = 0; i < steps->len; i++) {
        if (!makeReady(host, owner, began, steps->pdata[i], error))
            return false;
    }
    return apply(host, steps, error);
}

/* Gives @owner all of @hostdevs (virtHostdev), set and read back, or none of them. Those without settings are not
 * touched.
 *
 * Called before a driver takes the devices. Calling it again for the same owner is safe: what the devices were
 * before the first call stays remembered.
 */
bool
virtProvisionPrepare(virtHost *host, const virtOwner *owner, const GPtrArray *hostdevs, GError **error)
{
    guint64 began = (guint64)g_get_monotonic_time();
    g_autoptr(GPtrArray) steps = stepsNew(host, hostdevs, error);
    g_autoptr(GPtrArray) locks = NULL;
    g_autoptr(virtHostReads) reads G_GNUC_UNUSED = NULL;
    g_autoptr(GError) problem = NULL;

    if (!steps)
        return false;
    if (steps->len == 0)
        return true;
    if (!(locks = takeLocks(host, steps, error)))
        return false;
    reads = virtHostReadOnce(host);
    for (guint i = 0; i < steps->len; i++) {
        if (!look(host, owner, steps->pdata[i], error))
            return false;
    }
    while (!takeSteps(host, owner, began, steps, &problem)) {
        if (!followTries(host, steps)) {
            g_propagate_error(error, g_steal_pointer(&problem));
            return false;
        }
        g_clear_error(&problem);
    }
    for (guint i = 0; i < steps->len; i++)
        virtProvisionLogRecord(VIRT_MESSAGE_ID_SET, "Set", stepOf(steps, i)->record);
    host->counts[VIRT_COUNT_CHANGES] += steps->len;
    return true;
}
