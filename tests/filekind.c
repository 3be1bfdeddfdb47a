/* filekind.c: see filekind.h: what XML and the engine's tables know of them
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "filekind.h"

#include <stddef.h>

/* ---- vocabulary: in util, as virnetdev.c is of <netdev> ---- */

static char *
existsFormat(gconstpointer setting)
{
    const fileSetting *file = setting;

    return g_strdup(file->exists ? "present" : "absent");
}

static char *
textFormat(gconstpointer setting)
{
    const fileSetting *file = setting;

    return g_strdup(*file->text ? file->text : "none");
}

#define MEMBER(name) offsetof(fileSetting, name), sizeof(((fileSetting *)NULL)->name)

static const virtSettingAttr fileAttrs[] = {
    [FILE_EXISTS] = {"exists", "existence", "Make room on the file system.", "it is there as long as the guest is",
                     MEMBER(exists), NULL, existsFormat, NULL},
    [FILE_TEXT] = {"text", "text", "Write a shorter text.", NULL, MEMBER(text), NULL, textFormat, NULL},
};

static const virtSettingInfo markInfo = {"mark", sizeof(fileSetting), fileAttrs, FILE_ATTR_LAST};
static const virtSettingInfo fileInfo = {"file", sizeof(fileSetting), fileAttrs, FILE_ATTR_LAST};

/* ---- XML: in conf, as netdev_conf.c ---- */

static const virtXmlRule rules[] = {
    {"mark", "text", "", NULL, NULL},
    {"file", "text absent", "", NULL, NULL},
    {NULL},
};
static const virtXmlGrammar grammar = {rules, NULL, NULL};

/* One, or none. */
static GPtrArray *
parse(const virtXmlDoc *doc, const virtXmlNode *parent, const virtSettingInfo *info, virtSettingMode mode,
      GError **error)
{
    g_autoptr(GPtrArray) list = virtSettingListNew();

    for (guint i = 0; i < parent->children->len; i++) {
        const virtXmlNode *node = parent->children->pdata[i];
        const char *text = virtXmlGet(node, "text");
        fileSetting *file;

        if (!g_str_equal(node->name, info->name) || (node->ns && g_strcmp0(node->ns, parent->ns) != 0))
            continue;
        if (list->len > 0) {
            virtXmlError(doc, node, error, "a second <%s>: a device has one", info->name);
            return NULL;
        }
        file = virtSettingNew(info, 0);
        g_ptr_array_add(list, file);
        if (mode != VIRT_SETTING_PARSE_STATE && !virtXmlCheck(doc, node, &grammar, error))
            return NULL;
        file->exists = !virtXmlGet(node, "absent");
        file->setting.present = VIRT_SETTING_BIT(FILE_EXISTS);
        if (text) {
            g_strlcpy(file->text, text, sizeof(file->text));
            file->setting.present |= VIRT_SETTING_BIT(FILE_TEXT);
        }
    }
    return g_steal_pointer(&list);
}

static GPtrArray *
parseMarks(const virtXmlDoc *doc, const virtXmlNode *parent, virtSettingMode mode, GError **error)
{
    return parse(doc, parent, &markInfo, mode, error);
}

static GPtrArray *
parseFiles(const virtXmlDoc *doc, const virtXmlNode *parent, virtSettingMode mode, GError **error)
{
    return parse(doc, parent, &fileInfo, mode, error);
}

static void
format(GString *out, const char *name, const fileSetting *file, const virtXmlLayout *layout)
{
    virtXmlAdd(out, layout->indent);
    virtXmlAdd(out, "<");
    virtXmlAdd(out, layout->prefix);
    virtXmlAdd(out, name);
    if (!file->exists)
        virtXmlAdd(out, " absent='yes'");
    if (virtSettingHas(file, FILE_TEXT)) {
        virtXmlAdd(out, " text='");
        virtXmlEscape(out, file->text);
        virtXmlAdd(out, "'");
    }
    virtXmlAdd(out, "/>");
}

static void
formatMark(GString *out, gconstpointer setting, virtSettingForm form, const virtXmlLayout *layout)
{
    (void)form;
    format(out, "mark", setting, layout);
}

static void
formatFile(GString *out, gconstpointer setting, virtSettingForm form, const virtXmlLayout *layout)
{
    (void)form;
    format(out, "file", setting, layout);
}

const virtSettingKind fileMarkKind = {&markInfo, "pci", false, false, false, parseMarks, formatMark};
const virtSettingKind fileFileKind = {&fileInfo, "mdev", false, false, false, parseFiles, formatFile};

/* ---- the table ---- */

const virtSettingKind *const virtSettingKinds[] = {
    [VIRT_SETTING_NETDEV] = &virtNetdevKind,
    &fileMarkKind,
    &fileFileKind,
    NULL,
};
