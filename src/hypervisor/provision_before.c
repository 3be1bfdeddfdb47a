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

/* A copy of what was read at @number, but for what libvirt will restore. */
static virtSetting *
copyOwn(const virtTarget *target, guint number)
{
    const virtSetting *read = virtSettingListFind(target->present, number);
    virtSetting *own = virtSettingCopy(virtTargetInfo(target), read);

    if (target->fromNetwork && target->provider->findOfLibvirt)
        own->present &= ~target->provider->findOfLibvirt(target, read);
    own->unknown &= own->present;
    return own;
}

/* What @record has as wanted at @number and does not remember: libvirt has set it first, and will restore it. */
static guint
listOfLibvirt(const virtRecord *record, const virtTarget *target, guint number)
{
    const virtSetting *wanted = NULL, *before;

    if (record && target->fromNetwork)
        wanted = virtSettingListFind(record->wanted.of[target->kind], number);
    if (!wanted || !(before = virtSettingListFind(record->before.of[target->kind], number)))
        return 0;
    return wanted->present & ~before->present;
}

/* Add to @before, of @target's kind, what it does not remember yet of what was read.
 *
 * @earlier: the record that its owner has, or had until now; NULL: none
 */
void
virtBeforeRemember(virtHost *host, const virtTarget *target, GPtrArray *before, const virtRecord *earlier)
{
    const virtSettingInfo *info = virtTargetInfo(target);

    for (guint i = 0; i < target->wanted->len; i++) {
        const virtSetting *wanted = target->wanted->pdata[i];
        virtSetting *was = virtSettingListFind(before, wanted->number);
        guint ofLibvirt = listOfLibvirt(earlier, target, wanted->number);

        if (!was) {
            const virtSetting *read = virtSettingListFind(target->present, wanted->number);
            g_autofree virtSetting *own = copyOwn(target, wanted->number);

            ofLibvirt |= read->present & ~own->present;
            virtTargetWarnUnknown(host, target, own, wanted);
            was = copyRead(info, own, wanted);
            g_ptr_array_add(before, was);
        }
        virtBeforeComplete(info, was, wanted);
        was->present &= ~ofLibvirt;
    }
    for (guint i = 0; target->candidates && i < target->candidates->len; i++) {
        guint number = g_array_index(target->candidates, guint, i);

        if (!virtSettingListFind(before, number))
            g_ptr_array_add(before, copyOwn(target, number));
    }
    virtSettingListSort(before);
}

/* Add to what @record remembers of @target's kind what it lacks of the attributes that are wanted now: from what was
 * read, or "none" where that is not reported. */
void
virtBeforeExtend(const virtTarget *target, virtRecord *record)
{
    const GPtrArray *wanted = target->wanted, *present = target->present;
    GPtrArray *before = record->before.of[target->kind];
    const virtSettingInfo *info = virtTargetInfo(target);

    for (guint i = 0; i < wanted->len; i++) {
        const virtSetting *setting = wanted->pdata[i];
        const virtSetting *now = virtSettingListFind(present, setting->number);
        virtSetting *was = virtSettingListFind(before, setting->number);
        guint ofLibvirt = listOfLibvirt(record, target, setting->number);

        if (!was) {
            was = virtSettingNew(info, setting->number);
            g_ptr_array_add(before, was);
        }
        for (guint attr = 0; attr < info->count; attr++) {
            if (virtSettingHas(setting, attr) && !virtSettingHas(was, attr))
                virtSettingCopyAttr(info, was, now, attr);
        }
        virtBeforeComplete(info, was, setting);
        was->present &= ~ofLibvirt;
    }
    virtSettingListSort(before);
}
