/* setting_conf.c: what a document says of a device's settings, of whatever kind
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "conf/setting_conf.h"

#include <string.h>

#include "conf/choice_conf.h"

/* An empty list for each kind. */
void
virtSettingsInit(virtSettings *settings)
{
    memset(settings, 0, sizeof(*settings));
    for (guint k = 0; virtSettingKinds[k]; k++)
        settings->of[k] = virtSettingListNew();
}

/* Free the lists; nothing happens where there are none. */
void
virtSettingsClear(virtSettings *settings)
{
    for (guint k = 0; virtSettingKinds[k]; k++)
        g_clear_pointer(&settings->of[k], g_ptr_array_unref);
}

/* Make @to, which has no lists, a copy that shares nothing with @from. */
void
virtSettingsCopy(virtSettings *to, const virtSettings *from)
{
    for (guint k = 0; virtSettingKinds[k]; k++)
        to->of[k] = virtSettingListCopy(virtSettingKinds[k]->info, from->of[k]);
}

/* Make @to, which has no lists, the same lists as @from. */
void
virtSettingsShare(virtSettings *to, const virtSettings *from)
{
    for (guint k = 0; virtSettingKinds[k]; k++)
        to->of[k] = g_ptr_array_ref(from->of[k]);
}

bool
virtSettingsAreEmpty(const virtSettings *settings)
{
    for (guint k = 0; virtSettingKinds[k]; k++) {
        if (settings->of[k] && settings->of[k]->len > 0)
            return false;
    }
    return true;
}

bool
virtSettingsAreEqual(const virtSettings *a, const virtSettings *b)
{
    for (guint k = 0; virtSettingKinds[k]; k++) {
        if (!virtSettingListEqual(virtSettingKinds[k]->info, a->of[k], b->of[k]))
            return false;
    }
    return true;
}

/* Read all children of @parent that are settings; others are not looked at.
 *
 * @ret: has no lists; gets them also when this fails, for virtSettingsClear()
 */
bool
virtSettingsParse(const virtXmlDoc *doc, const virtXmlNode *parent, virtSettingMode mode, virtSettings *ret,
                  GError **error)
{
    for (guint k = 0; virtSettingKinds[k]; k++) {
        ret->of[k] = virtSettingKinds[k]->parse(doc, parent, mode, error);
        if (!ret->of[k])
            return false;
    }
    return true;
}

/* Append them all, in the order of the kinds. */
void
virtSettingsFormat(GString *out, const virtSettings *settings, virtSettingForm form, const virtXmlLayout *layout)
{
    for (guint k = 0; virtSettingKinds[k]; k++) {
        for (guint i = 0; i < settings->of[k]->len; i++)
            virtSettingKinds[k]->format(out, settings->of[k]->pdata[i], form, layout);
    }
}

/* Read which profile has given @setting, the element @node; nothing where a user has written it. */
bool
virtSettingParseProfile(const virtXmlDoc *doc, const virtXmlNode *node, virtSetting *setting, GError **error)
{
    const char *name = virtXmlGet(node, "profile");

    if (!name)
        return true;
    if (virtChoiceIsPool(name)) {
        g_strlcpy(setting->profile, name, sizeof(setting->profile));
        return true;
    }
    virtXmlBadValue(doc, node, "profile", error, "not the name of a profile: " VIRT_CHOICE_POOL_NAMES);
    return false;
}

/* The kind whose element @node is, as a user writes it; or NULL. */
const virtSettingKind *
virtSettingKindFind(const virtXmlNode *node)
{
    for (guint k = 0; !node->ns && virtSettingKinds[k]; k++) { /* for each element of a document, so quickly */
        const char *name = virtSettingKinds[k]->info->name;

        if (node->name[0] == name[0] && g_str_equal(node->name, name))
            return virtSettingKinds[k];
    }
    return NULL;
}

/* The first child of @parent that is a setting, or NULL. */
const virtXmlNode *
virtSettingKindFindIn(const virtXmlNode *parent)
{
    for (guint i = 0; i < parent->children->len; i++) {
        if (virtSettingKindFind(parent->children->pdata[i]))
            return parent->children->pdata[i];
    }
    return NULL;
}

/* Their elements as a rule of xml_check.h lists children; the caller frees it. */
char *
virtSettingKindListChildren(void)
{
    GString *names = g_string_new(NULL);

    for (guint k = 0; virtSettingKinds[k]; k++) {
        if (k > 0)
            g_string_append_c(names, ' ');
        g_string_append(names, virtSettingKinds[k]->info->name);
        if (virtSettingKinds[k]->several)
            g_string_append_c(names, '*');
    }
    return g_string_free(names, FALSE);
}
