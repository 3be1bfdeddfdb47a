/* virsetting.c: settings of any kind, and lists of them
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "util/virsetting.h"

#include <string.h>

/* One of @number that gives nothing. Caller frees with g_free(). */
gpointer
virtSettingNew(const virtSettingInfo *info, guint number)
{
    virtSetting *setting = g_malloc0(info->size);

    setting->number = number;
    return setting;
}

/* Caller frees with g_free(). */
gpointer
virtSettingCopy(const virtSettingInfo *info, gconstpointer setting)
{
    return g_memdup2(setting, info->size);
}

/* Is the attribute given? */
bool
virtSettingHas(gconstpointer setting, guint attr)
{
    const virtSetting *head = setting;

    return (head->present & VIRT_SETTING_BIT(attr)) != 0;
}

/* Is it given, and can it not be told whether somebody has set it? */
bool
virtSettingIsUnknown(gconstpointer setting, guint attr)
{
    const virtSetting *head = setting;

    return (head->unknown & VIRT_SETTING_BIT(attr)) != 0;
}

/* Is it wanted to be none, where a device that cannot take it away does no harm? */
bool
virtSettingIsNone(const virtSettingInfo *info, gconstpointer setting, guint attr)
{
    return info->attrs[attr].isNone && info->attrs[attr].isNone(setting);
}

/* Copy one attribute: its value, and whether it is given at all, and known. */
void
virtSettingCopyAttr(const virtSettingInfo *info, gpointer to, gconstpointer from, guint attr)
{
    const virtSettingAttr *row = &info->attrs[attr];
    const virtSetting *source = from;
    virtSetting *target = to;
    guint bit = VIRT_SETTING_BIT(attr);

    memcpy((char *)to + row->offset, (const char *)from + row->offset, row->size);
    target->present = (target->present & ~bit) | (source->present & bit);
    target->unknown = (target->unknown & ~bit) | (source->unknown & bit);
}

/* Make one attribute's value none; whether it is given stays. */
void
virtSettingClearAttr(const virtSettingInfo *info, gpointer setting, guint attr)
{
    memset((char *)setting + info->attrs[attr].offset, 0, info->attrs[attr].size);
}

/* Do both have the same value, whether given or not? */
bool
virtSettingEqualAttr(const virtSettingInfo *info, gconstpointer a, gconstpointer b, guint attr)
{
    const virtSettingAttr *row = &info->attrs[attr];

    if (row->equal)
        return row->equal(a, b);
    return memcmp((const char *)a + row->offset, (const char *)b + row->offset, row->size) == 0;
}

/* The bits of what @wanted gives and @present gives otherwise or not at all: what has to be set. */
guint
virtSettingDiff(const virtSettingInfo *info, gconstpointer wanted, gconstpointer present)
{
    guint bits = 0;

    for (guint attr = 0; attr < info->count; attr++) {
        if (virtSettingHas(wanted, attr) &&
            !(virtSettingHas(present, attr) && virtSettingEqualAttr(info, wanted, present, attr)))
            bits |= VIRT_SETTING_BIT(attr);
    }
    return bits;
}

/* The bits of what cannot change under a running guest. */
guint
virtSettingFixed(const virtSettingInfo *info)
{
    guint bits = 0;

    for (guint attr = 0; attr < info->count; attr++) {
        if (info->attrs[attr].fixed)
            bits |= VIRT_SETTING_BIT(attr);
    }
    return bits;
}

/* A list that owns its settings; for g_ptr_array_unref(). */
GPtrArray *
virtSettingListNew(void)
{
    return g_ptr_array_new_with_free_func(g_free);
}

/* A list of copies. */
GPtrArray *
virtSettingListCopy(const virtSettingInfo *info, const GPtrArray *list)
{
    GPtrArray *copy = virtSettingListNew();

    for (guint i = 0; i < list->len; i++)
        g_ptr_array_add(copy, virtSettingCopy(info, list->pdata[i]));
    return copy;
}

/* The setting of @number, owned by the list, or NULL. Takes a NULL list. */
gpointer
virtSettingListFind(const GPtrArray *list, guint number)
{
    for (guint i = 0; list && i < list->len; i++) {
        if (((const virtSetting *)list->pdata[i])->number == number)
            return list->pdata[i];
    }
    return NULL;
}

/* The same, where the one setting of a list may leave its number to the device: then it is the one that is meant. */
gpointer
virtSettingListMatch(const GPtrArray *list, guint number)
{
    if (list->len == 1 && (number == 0 || ((const virtSetting *)list->pdata[0])->number == 0))
        return list->pdata[0];
    return virtSettingListFind(list, number);
}

static int
compareSettings(gconstpointer a, gconstpointer b)
{
    const virtSetting *left = *(const virtSetting *const *)a, *right = *(const virtSetting *const *)b;

    return (left->number > right->number) - (left->number < right->number);
}

/* By number. */
void
virtSettingListSort(GPtrArray *list)
{
    g_ptr_array_sort(list, compareSettings);
}

/* The same numbers, each with the same attributes. Where one list leaves its number to the device, it is the other's.
 */
bool
virtSettingListEqual(const virtSettingInfo *info, const GPtrArray *a, const GPtrArray *b)
{
    if (a->len != b->len)
        return false;
    for (guint i = 0; i < a->len; i++) {
        const virtSetting *one = a->pdata[i];
        const virtSetting *other = virtSettingListMatch(b, one->number);

        if (!other || virtSettingDiff(info, one, other) || virtSettingDiff(info, other, one))
            return false;
    }
    return true;
}

/* Numbers (guint) as "1, 2 or 3", with @last before the last of them. Caller frees. */
char *
virtSettingJoinNumbers(const GArray *numbers, const char *last)
{
    GString *text = g_string_new(NULL);

    for (guint i = 0; i < numbers->len; i++) {
        if (i > 0)
            g_string_append(text, i + 1 < numbers->len ? ", " : last);
        g_string_append_printf(text, "%u", g_array_index(numbers, guint, i));
    }
    return g_string_free(text, FALSE);
}
