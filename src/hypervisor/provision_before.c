/* provision_before.c: what was there before anything was set, as a record remembers it
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What a record remembers was read before the first change and stays: a second start after a crash sees settings of
 * this project on the hardware, not the original ones. So lists here only ever grow.
 */
#include "hypervisor/provision.h"

/* What is not reported (a port profile, a GUID) is taken as "none", so that putting back clears it. */
void
virtBeforeComplete(const virtSettingInfo *info, gpointer before, gconstpointer wanted)
{
    virtSetting *was = before;

    for (guint attr = 0; attr < info->count; attr++) {
        if (!virtSettingHas(wanted, attr) || virtSettingHas(was, attr))
            continue;
        virtSettingClearAttr(info, was, attr);
        was->present |= VIRT_SETTING_BIT(attr);
        was->unknown &= ~VIRT_SETTING_BIT(attr);
    }
}

/* What is @known to have been set, and is still shown, is no guess. */
void
virtBeforeBelieve(const virtSettingInfo *info, const GPtrArray *known, GPtrArray *present)
{
    for (guint i = 0; i < present->len; i++) {
        virtSetting *setting = present->pdata[i];
        const virtSetting *set = virtSettingListFind(known, setting->number);

        if (set)
            setting->unknown &= ~(set->present & ~set->unknown & ~virtSettingDiff(info, set, setting));
    }
}

/* A copy of what was read, of which nothing says any more that it is the one that is shown once @wanted is. */
static virtSetting *
copyRead(const virtSettingInfo *info, const virtSetting *read, const virtSetting *wanted)
{
    virtSetting *before = virtSettingCopy(info, read);

    for (guint attr = 0; attr < info->count; attr++) {
        if (virtSettingIsUnknown(before, attr) && virtSettingHas(wanted, attr) &&
            virtSettingEqualAttr(info, before, wanted, attr))
            virtSettingClearAttr(info, before, attr);
    }
    return before;
}

/* Add to @before, of @target's kind, what it does not remember yet of what was read. */
void
virtBeforeRemember(virtHost *host, const virtTarget *target, GPtrArray *before)
{
    const virtSettingInfo *info = virtTargetInfo(target);

    for (guint i = 0; i < target->wanted->len; i++) {
        const virtSetting *wanted = target->wanted->pdata[i];
        virtSetting *was = virtSettingListFind(before, wanted->number);

        if (!was) {
            const virtSetting *read = virtSettingListFind(target->present, wanted->number);

            virtTargetWarnUnknown(host, target, read, wanted);
            was = copyRead(info, read, wanted);
            g_ptr_array_add(before, was);
        }
        virtBeforeComplete(info, was, wanted);
    }
    for (guint i = 0; target->candidates && i < target->candidates->len; i++) {
        guint number = g_array_index(target->candidates, guint, i);

        if (!virtSettingListFind(before, number))
            g_ptr_array_add(before, virtSettingCopy(info, virtSettingListFind(target->present, number)));
    }
    virtSettingListSort(before);
}

/* Add to @before what it lacks of the attributes of @wanted: from @present, or "none" where that is not reported. */
void
virtBeforeExtend(const virtTarget *target, GPtrArray *before, const GPtrArray *wanted, const GPtrArray *present)
{
    const virtSettingInfo *info = virtTargetInfo(target);

    for (guint i = 0; i < wanted->len; i++) {
        const virtSetting *setting = wanted->pdata[i];
        const virtSetting *now = virtSettingListFind(present, setting->number);
        virtSetting *was = virtSettingListFind(before, setting->number);

        if (!was) {
            was = virtSettingNew(info, setting->number);
            g_ptr_array_add(before, was);
        }
        for (guint attr = 0; attr < info->count; attr++) {
            if (virtSettingHas(setting, attr) && !virtSettingHas(was, attr))
                virtSettingCopyAttr(info, was, now, attr);
        }
        virtBeforeComplete(info, was, setting);
    }
    virtSettingListSort(before);
}
