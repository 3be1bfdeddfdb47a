/* provision_update.c: new settings for a device that a running guest has
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Theory of operation. An update has a *goal*: what is wanted from now on and, for each attribute that was wanted
 * until now and is written no longer, what the record has as `before`. Its reverse has the same form with old and new
 * exchanged. Both speak of the same attributes, those of either list, and so the goal is what the record names as
 * wanted while the change is under way: whatever half of it a crash leaves on the hardware, each attribute that may
 * have been touched is in the record, and updating again, to either list, puts every one of them right. `before` only
 * ever grows, and is on disk before anything it speaks of is written. When all is read back, the record names just
 * what is wanted.
 *
 * A failure sets the reverse, and the record names the old lists again; or, where the reverse fails too, the reverse
 * itself, in the phase of an unfinished change.
 *
 * What the guest's driver learns only when it probes is fixed for as long as it has the device (virtSettingAttr.fixed),
 * and is not written here even where the hardware has something else: a trusted guest may have chosen another MAC, and
 * writing one makes many drivers reset the VF.
 */
#include "hypervisor/provision.h"

#include "hypervisor/provision_log.h"
#include "util/virerror.h"
#include "util/virstatefile.h"

#define ADVICE "Detach the device and attach it with the new settings, or change them with --config for the next start"

/* ---- checks ---- */

static char *
formatGiven(const virtSettingInfo *info, gconstpointer setting, guint attr)
{
    if (virtSettingHas(setting, attr))
        return info->attrs[attr].format(setting);
    return g_strdup("not given");
}

static bool
checkFixed(const virtTarget *target, const virtSetting *old, const virtSetting *new, GError **error)
{
    const virtSettingInfo *info = virtTargetInfo(target);

    for (guint attr = 0; attr < info->count; attr++) {
        bool had = virtSettingHas(old, attr), has = virtSettingHas(new, attr);
        g_autofree char *from = NULL;
        g_autofree char *to = NULL;
        g_autofree char *where = NULL;

        if (!info->attrs[attr].fixed || (had == has && (!has || virtSettingEqualAttr(info, old, new, attr))))
            continue;
        from = formatGiven(info, old, attr);
        to = formatGiven(info, new, attr);
        where = virtTargetDescribe(target, old->number);
        g_set_error(error, VIRT_ERROR, VIRT_ERROR_INVALID,
                    "Cannot change the %s of %s from %s to %s while a guest has it: %s. " ADVICE,
                    info->attrs[attr].title, where, from, to, info->attrs[attr].fixed);
        return false;
    }
    return true;
}

static bool
checkNumbers(const virtTarget *target, const GPtrArray *some, const GPtrArray *others, const char *verb, GError **error)
{
    for (guint i = 0; i < some->len; i++) {
        guint number = ((const virtSetting *)some->pdata[i])->number;
        g_autofree char *where = NULL;

        if (virtSettingListFind(others, number))
            continue;
        where = virtTargetDescribe(target, number);
        g_set_error(error, VIRT_ERROR, VIRT_ERROR_INVALID,
                    "Cannot %s %s while a guest has the %s: its %ss are those it was attached with. " ADVICE, verb,
                    where, virtHandleGetNoun(&target->handle), virtTargetInfo(target)->name);
        return false;
    }
    return true;
}

/* May the guest's settings go from @old to what @target wants while it runs? */
static bool
checkChange(const virtTarget *target, const GPtrArray *old, GError **error)
{
    const GPtrArray *new = target->wanted;

    if (!checkNumbers(target, new, old, "add", error) || !checkNumbers(target, old, new, "take away", error))
        return false;
    for (guint i = 0; i < new->len; i++) {
        const virtSetting *setting = new->pdata[i];

        if (!checkFixed(target, virtSettingListFind(old, setting->number), setting, error))
            return false;
    }
    return true;
}

static bool
checkChanges(const GPtrArray *targets, const virtRecord *record, GError **error)
{
    for (guint i = 0; i < targets->len; i++) {
        const virtTarget *target = targets->pdata[i];

        if (!checkChange(target, record->wanted.of[target->kind], error))
            return false;
    }
    return true;
}

/* The record of what @owner has; @target is any of the device's. */
static virtRecord *
loadRecord(virtHost *host, const virtOwner *owner, const virtTarget *target, GError **error)
{
    g_autoptr(GError) local = NULL;
    g_autoptr(virtRecord) record = virtProvisionRecordLoad(host, &target->handle, &local);
    g_autofree char *device = virtTargetDescribe(target, 0);

    if (g_error_matches(local, VIRT_ERROR, VIRT_ERROR_NOT_FOUND)) {
        g_set_error(
            error, VIRT_ERROR, VIRT_ERROR_NOT_FOUND,
            "Cannot update %s: nothing was set when it was attached, so its previous settings are unknown. Detach it and attach it again",
            device);
        return NULL;
    }
    if (!record) {
        g_propagate_error(error, g_steal_pointer(&local));
        return NULL;
    }
    if (!virtProvisionCheckOwner(owner, record, error) || !virtProvisionIsRecorded(target, record, error))
        return NULL;
    if (record->phase == VIRT_PHASE_RESTORING) {
        g_set_error(
            error, VIRT_ERROR, VIRT_ERROR_BUSY,
            "Cannot update %s: it is being restored to its previous settings. See virt-hostdev status; virt-hostdev recover completes that",
            device);
        return NULL;
    }
    return g_steal_pointer(&record);
}

/* ---- goals ---- */

/* What @wanted says and, for each other attribute of @dropped, what @before says. All three have the same numbers. */
static GPtrArray *
makeGoal(const virtSettingInfo *info, const GPtrArray *wanted, const GPtrArray *dropped, const GPtrArray *before)
{
    GPtrArray *goal = virtSettingListCopy(info, wanted);

    for (guint i = 0; i < goal->len; i++) {
        virtSetting *setting = goal->pdata[i];
        const virtSetting *old = virtSettingListFind(dropped, setting->number);
        const virtSetting *first = virtSettingListFind(before, setting->number);

        for (guint attr = 0; attr < info->count; attr++) {
            if (old && first && virtSettingHas(old, attr) && !virtSettingHas(setting, attr))
                virtSettingCopyAttr(info, setting, first, attr);
        }
    }
    return goal;
}

/* Of @list, what may be written, and that only as far as @mask (or NULL) does not have it. */
static GPtrArray *
pick(const virtSettingInfo *info, const GPtrArray *list, const GPtrArray *mask)
{
    GPtrArray *picked = virtSettingListNew();

    for (guint i = 0; i < list->len; i++) {
        g_autofree virtSetting *setting = virtSettingCopy(info, list->pdata[i]);
        const virtSetting *hidden = virtSettingListFind(mask, setting->number);

        setting->present &= ~virtSettingFixed(info);
        if (hidden)
            setting->present &= ~hidden->present;
        if (setting->present)
            g_ptr_array_add(picked, g_steal_pointer(&setting));
    }
    return picked;
}

/* @list without what is wanted to be none: where it has been set, it must go. */
static GPtrArray *
withoutNone(const virtSettingInfo *info, const GPtrArray *list)
{
    GPtrArray *copy = virtSettingListCopy(info, list);

    for (guint i = 0; i < copy->len; i++) {
        virtSetting *setting = copy->pdata[i];

        for (guint attr = 0; attr < info->count; attr++) {
            if (virtSettingIsNone(info, setting, attr))
                setting->present &= ~VIRT_SETTING_BIT(attr);
        }
    }
    return copy;
}

/* ---- the change ---- */

static bool
saveWanted(virtHost *host, virtRecord *record, const virtSettings *wanted, virtPhase phase, GError **error)
{
    virtSettingsClear(&record->wanted);
    virtSettingsCopy(&record->wanted, wanted);
    return virtProvisionRecordSave(host, record, phase, error);
}

/* What is dropped goes first, the way a release puts it back: a rate can stand in the way of a VLAN. What it leaves
 * alone is still as it was read. */
static bool
setGoal(virtHost *host, virtTarget *target, const GPtrArray *goal, GError **error)
{
    const virtSettingInfo *info = virtTargetInfo(target);
    g_autoptr(GPtrArray) new = target->wanted;
    g_autoptr(GPtrArray) said = withoutNone(info, new);
    g_autoptr(GPtrArray) dropped = pick(info, goal, said);
    bool ok;

    target->wanted = pick(info, said, NULL);
    ok = target->provider->restore(host, target, dropped, error) && virtTargetSet(host, target, error);
    g_ptr_array_unref(target->wanted);
    target->wanted = g_steal_pointer(&new);
    return ok;
}

static bool
setGoals(virtHost *host, const GPtrArray *targets, const virtSettings *goals, GError **error)
{
    for (guint i = 0; i < targets->len; i++) {
        virtTarget *target = targets->pdata[i];

        if (!setGoal(host, target, goals->of[target->kind], error))
            return false;
    }
    return true;
}

/* Make @targets what they were with @old; *ret_reverse says all that this takes. */
static bool
reverse(virtHost *host, const GPtrArray *targets, const virtRecord *record, const virtSettings *old,
        virtSettings *ret_reverse, GError **error)
{
    virtSettingsShare(ret_reverse, old);
    for (guint i = 0; i < targets->len; i++) {
        const virtTarget *target = targets->pdata[i];
        guint k = target->kind;

        g_ptr_array_unref(ret_reverse->of[k]);
        ret_reverse->of[k] = makeGoal(virtTargetInfo(target), old->of[k], record->wanted.of[k], record->before.of[k]);
    }
    for (guint i = targets->len; i-- > 0;) {
        const virtTarget *target = targets->pdata[i];
        g_autoptr(GPtrArray) settable = pick(virtTargetInfo(target), ret_reverse->of[target->kind], NULL);

        if (!target->provider->restore(host, target, settable, error))
            return false;
    }
    return true;
}

/* Make the device, and its record, what they were with @old. A failure here is told beside @cause. */
static void
rollBackUpdate(virtHost *host, const GPtrArray *targets, virtRecord *record, const virtSettings *old, virtPhase phase,
               const GError *cause, GError **error)
{
    g_auto(virtSettings) made = {{NULL}};
    g_autoptr(GString) told = g_string_new(cause->message);
    g_autoptr(GError) local = NULL;
    g_autoptr(GError) saveError = NULL;
    const virtSettings *is = old;

    host->counts[VIRT_COUNT_REFUSALS] += g_error_matches(cause, VIRT_ERROR, VIRT_ERROR_REFUSED);
    host->counts[VIRT_COUNT_ROLLBACKS]++;
    if (!reverse(host, targets, record, old, &made, &local)) {
        g_string_append_printf(told, ". Restoring failed as well: %s", local->message);
        is = &made;
        phase = VIRT_PHASE_SETTING;
    }
    if (!saveWanted(host, record, is, phase, &saveError))
        g_string_append_printf(told, ". The record could not be corrected: %s", saveError->message);
    g_set_error_literal(error, cause->domain, cause->code, told->str);
}

/* Read @targets, add to @record what it does not remember yet, and say what the change is to make of them: @ret_goals,
 * and @ret_new, which the record names in the end. */
static bool
makeGoals(virtHost *host, const GPtrArray *targets, virtRecord *record, virtSettings *ret_goals, virtSettings *ret_new,
          GError **error)
{
    virtSettingsCopy(ret_goals, &record->wanted);
    virtSettingsShare(ret_new, &record->wanted);
    for (guint i = 0; i < targets->len; i++) {
        virtTarget *target = targets->pdata[i];
        guint k = target->kind;

        if (!(target->present = virtTargetRead(host, target, target->wanted, error)))
            return false;
        virtBeforeExtend(target, record);
        g_ptr_array_unref(ret_goals->of[k]);
        ret_goals->of[k] = makeGoal(virtTargetInfo(target), target->wanted, record->wanted.of[k], record->before.of[k]);
        g_ptr_array_unref(ret_new->of[k]);
        ret_new->of[k] = g_ptr_array_ref(target->wanted);
    }
    return true;
}

static bool
change(virtHost *host, const GPtrArray *targets, virtRecord *record, GError **error)
{
    g_auto(virtSettings) old = {{NULL}};
    g_auto(virtSettings) new = {{NULL}};
    g_auto(virtSettings) goals = {{NULL}};
    g_autoptr(GError) cause = NULL;
    virtPhase phase = record->phase;

    virtSettingsShare(&old, &record->wanted);
    if (!makeGoals(host, targets, record, &goals, &new, error) ||
        !saveWanted(host, record, &goals, VIRT_PHASE_SETTING, error))
        return false;
    if (setGoals(host, targets, &goals, &cause) && saveWanted(host, record, &new, VIRT_PHASE_ACTIVE, &cause))
        return true;
    rollBackUpdate(host, targets, record, &old, phase, cause, error);
    return false;
}

/* What the document leaves to the device is what the record says. */
static void
resolveFromRecord(const GPtrArray *targets, const virtRecord *record)
{
    for (guint i = 0; i < targets->len; i++) {
        virtTarget *target = targets->pdata[i];
        GPtrArray *wanted = virtTargetFollow(target->kind, target->wanted, record->wanted.of[target->kind]);

        g_ptr_array_unref(target->wanted);
        target->wanted = wanted;
    }
}

/* Is nothing left to change, by the document of @hostdev and what @record says was set?
 */
bool
virtProvisionAgrees(const virtHostdev *hostdev, const virtRecord *record)
{
    for (guint k = 0; virtProviders[k]; k++) {
        g_autoptr(GPtrArray) wanted = virtTargetFollow(k, hostdev->settings.of[k], record->wanted.of[k]);

        if (!virtSettingListEqual(virtProviders[k]->kind->info, record->wanted.of[k], wanted))
            return false;
    }
    return true;
}

/* A kind that the device got when it was attached cannot come or go. */
static bool
checkKinds(const GPtrArray *targets, const virtHostdev *hostdev, const virtRecord *record, GError **error)
{
    const virtTarget *first = targets->pdata[0];

    for (guint k = 0; virtProviders[k]; k++) {
        const char *verb = hostdev->settings.of[k]->len > 0 ? "add" : "take away";
        g_autofree char *device = NULL;

        if ((hostdev->settings.of[k]->len > 0) == (record->wanted.of[k]->len > 0))
            continue;
        device = virtTargetDescribe(first, 0);
        g_set_error(error, VIRT_ERROR, VIRT_ERROR_INVALID, "Cannot %s the <%s> of %s while a guest has it. " ADVICE,
                    verb, virtProviders[k]->kind->info->name, device);
        return false;
    }
    return true;
}

/* May @owner's device be changed to what @hostdev says, and is it ready for that? */
static bool
checkAll(virtHost *host, const virtOwner *owner, const virtHostdev *hostdev, const GPtrArray *targets,
         const virtRecord *record, GError **error)
{
    return virtProvisionCheckUsable(targets, hostdev, error) &&
           virtProvisionCheckOwn(host, &hostdev->handle, owner, error) && checkKinds(targets, hostdev, record, error) &&
           checkChanges(targets, record, error);
}

/* Gives the device of @hostdev, which @owner's running guest has, the settings that @hostdev says: all of them, or
 * none. An attribute that is written no longer goes back to what it was before the device was first set.
 *
 * Errors: VIRT_ERROR_NOT_FOUND where there is no record; VIRT_ERROR_BUSY where somebody else has the device, or it is
 * being put back; VIRT_ERROR_INVALID where the change is one that a guest with the device would not see: of MAC
 * addresses, GUIDs, port profiles, or of the set of ports; otherwise as for virtProvisionPrepare().
 */
bool
virtProvisionUpdate(virtHost *host, const virtOwner *owner, const virtHostdev *hostdev, GError **error)
{
    return virtProvisionUpdateSeen(host, owner, NULL, hostdev, error);
}

/* The same, if the record is still the one that was @seen (NULL: any): that of a later start, or none, is left alone,
 * which is success.
 */
bool
virtProvisionUpdateSeen(virtHost *host, const virtOwner *owner, const virtRecord *seen, const virtHostdev *hostdev,
                        GError **error)
{
    g_autoptr(virtTarget) place = virtProvisionLocate(host, hostdev, error);
    g_autoptr(virtStateLock) lock = NULL;
    g_autoptr(GPtrArray) targets = NULL;
    g_autoptr(virtRecord) record = NULL;
    g_autoptr(GError) local = NULL;
    virtHandle of;

    if (!place)
        return false;
    of = virtProvisionLockOf(&place->handle, &place->parent);
    if (!(lock = virtProvisionLock(host, &of, error)) || !virtTargetIsStill(host, place, error) ||
        !(targets = virtProvisionOpen(host, owner, hostdev, error)))
        return false;
    record = loadRecord(host, owner, targets->pdata[0], &local);
    if (seen && record && !virtProvisionRecordIsSame(seen, record))
        return true;
    if (seen && g_error_matches(local, VIRT_ERROR, VIRT_ERROR_NOT_FOUND))
        return true;
    if (!record) {
        g_propagate_error(error, g_steal_pointer(&local));
        return false;
    }
    resolveFromRecord(targets, record);
    if (!checkAll(host, owner, hostdev, targets, record, error) || !change(host, targets, record, error))
        return false;
    virtProvisionLogRecord(VIRT_MESSAGE_ID_SET, "Updated", record);
    host->counts[VIRT_COUNT_CHANGES]++;
    return true;
}
