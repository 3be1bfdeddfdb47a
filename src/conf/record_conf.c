/* record_conf.c: what is remembered about a device, as text and back
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "conf/record_conf.h"

#include <string.h>

#include "conf/address_conf.h"
#include "util/virerror.h"
#include "util/virstatefile.h"

static const char *const phaseNames[] = {
    [VIRT_PHASE_SETTING] = "setting",
    [VIRT_PHASE_ACTIVE] = "active",
    [VIRT_PHASE_RESTORING] = "restoring",
};

static const char *const phaseMarks[] = {
    [VIRT_PHASE_SETTING] = "<!-- phase: setting -->\n",
    [VIRT_PHASE_ACTIVE] = "<!-- phase: active -->\n",
    [VIRT_PHASE_RESTORING] = "<!-- phase: restoring -->\n",
};

#define VERSION 2

static const virtXmlRange pidRange = {10, 1, G_MAXINT32, NULL};
static const virtXmlRange startRange = {10, 0, G_MAXUINT64, NULL};
static const virtXmlRange beganRange = {10, 1, G_MAXINT64, NULL};
static const virtXmlRange versionRange = {10, VERSION, VERSION, "a newer version of libvirt-hostdev wrote it"};
static const virtXmlRange indexRange = {10, 0, 0xffff, "SR-IOV counts VFs in 16 bits"};

/* The name of @phase, as in status output and in the record. */
const char *
virtPhaseName(virtPhase phase)
{
    return phaseNames[phase];
}

/* What, behind the text of a record, says that @phase has come. */
const char *
virtRecordPhaseMark(virtPhase phase)
{
    return phaseMarks[phase];
}

void
virtRecordFree(virtRecord *record)
{
    if (!record)
        return;
    g_free(record->owner.name);
    g_free(record->owner.uuid);
    g_free(record->serial);
    g_free(record->driver);
    g_free(record->override);
    virtSettingsClear(&record->before);
    virtSettingsClear(&record->wanted);
    g_free(record->text);
    g_free(record);
}

/* A copy that shares nothing with @record, for virtRecordFree(); without the text. */
virtRecord *
virtRecordCopy(const virtRecord *record)
{
    virtRecord *copy = g_memdup2(record, sizeof(*record));

    copy->owner.name = g_strdup(record->owner.name);
    copy->owner.uuid = g_strdup(record->owner.uuid);
    copy->serial = g_strdup(record->serial);
    copy->driver = g_strdup(record->driver);
    copy->override = g_strdup(record->override);
    virtSettingsCopy(&copy->before, &record->before);
    virtSettingsCopy(&copy->wanted, &record->wanted);
    copy->text = NULL;
    return copy;
}

static bool
readPhase(const virtXmlDoc *doc, virtRecord *record, GError **error)
{
    for (guint i = 0; i < G_N_ELEMENTS(phaseNames); i++) {
        if (g_str_equal(virtXmlGet(doc->root, "phase"), phaseNames[i])) {
            record->phase = i;
            return true;
        }
    }
    virtXmlBadValue(doc, doc->root, "phase", error, "not setting, active or restoring");
    return false;
}

static bool
readOwner(const virtXmlDoc *doc, virtRecord *record, GError **error)
{
    const virtXmlNode *node = virtXmlChild(doc->root, "owner");

    record->owner.name = g_strdup(virtXmlGet(node, "name"));
    record->owner.uuid = g_strdup(virtXmlGet(node, "uuid"));
    return virtXmlGetUInt(doc, node, "pid", &pidRange, &record->owner.pid, error) &&
           virtXmlGetUInt(doc, node, "start", &startRange, &record->owner.start, error);
}

/* Version 1: both are PCI devices, with the words of a <hostdev>. */
static bool
readVF(const virtXmlDoc *doc, virtRecord *record, GError **error)
{
    const virtXmlNode *source = virtXmlChild(doc->root, "source");
    const virtXmlNode *pf = virtXmlChild(doc->root, "pf");
    guint64 index = 0;

    if (!virtHandleParseXml(doc, virtXmlChild(source, "address"), "pci", &record->handle, error) ||
        !virtHandleParseXml(doc, virtXmlChild(pf, "address"), "pci", &record->parent, error) ||
        !virtXmlGetUInt(doc, pf, "index", &indexRange, &index, error))
        return false;
    record->index = (gint)index;
    return true;
}

static bool
readHandle(const virtXmlDoc *doc, const virtXmlNode *node, const char *attr, virtHandle *ret, GError **error)
{
    if (virtHandleParse(virtXmlGet(node, attr), ret, NULL))
        return true;
    virtXmlBadValue(doc, node, attr, error, "expected a device such as pci/0000:06:02.0");
    return false;
}

static bool
readTarget(const virtXmlDoc *doc, virtRecord *record, GError **error)
{
    const virtXmlNode *target = virtXmlChild(doc->root, "target");
    guint64 index = 0;

    if (!readHandle(doc, virtXmlChild(doc->root, "source"), "handle", &record->handle, error) ||
        !readHandle(doc, target, "parent", &record->parent, error) ||
        !virtXmlGetUInt(doc, target, "index", &indexRange, &index, error))
        return false;
    record->index = -1;
    if (virtXmlGet(target, "index"))
        record->index = (gint)index;
    record->serial = g_strdup(virtXmlGet(target, "serial"));
    return true;
}

static void
readDriver(const virtXmlDoc *doc, virtRecord *record)
{
    const virtXmlNode *node = virtXmlChild(doc->root, "driver");

    record->driver = g_strdup(virtXmlGet(node, "name"));
    record->override = g_strdup(virtXmlGet(node, "override"));
}

/* Add to @before, of one kind, what was shown and could not be told. */
static bool
addUnknown(const virtXmlDoc *doc, const virtXmlNode *node, const virtSettingInfo *info, const GPtrArray *unknown,
           const GPtrArray *before, GError **error)
{
    for (guint i = 0; i < unknown->len; i++) {
        virtSetting *shown = unknown->pdata[i];
        virtSetting *setting = virtSettingListFind(before, shown->number);

        if (!setting) {
            virtXmlError(doc, node, error, "<before> has no port %u", shown->number);
            return false;
        }
        shown->unknown = shown->present;
        for (guint attr = 0; attr < info->count; attr++) {
            if (virtSettingHas(shown, attr))
                virtSettingCopyAttr(info, setting, shown, attr);
        }
    }
    return true;
}

/* Older records have no <unknown>. */
static bool
readUnknown(const virtXmlDoc *doc, virtSettings *before, GError **error)
{
    const virtXmlNode *node = virtXmlChild(doc->root, "unknown");
    g_auto(virtSettings) unknown = {{NULL}};

    if (!node)
        return true;
    if (!virtSettingsParse(doc, node, VIRT_SETTING_PARSE_STATE, &unknown, error))
        return false;
    for (guint k = 0; virtSettingKinds[k]; k++) {
        if (!addUnknown(doc, node, virtSettingKinds[k]->info, unknown.of[k], before->of[k], error))
            return false;
    }
    return true;
}

static bool
readRecordSettings(const virtXmlDoc *doc, virtRecord *record, GError **error)
{
    const virtXmlNode *before = virtXmlChild(doc->root, "before");
    const virtXmlNode *wanted = virtXmlChild(doc->root, "wanted");

    return virtSettingsParse(doc, before, VIRT_SETTING_PARSE_STATE, &record->before, error) &&
           readUnknown(doc, &record->before, error) &&
           virtSettingsParse(doc, wanted, VIRT_SETTING_PARSE_STATE, &record->wanted, error);
}

/* Has the record the shape of its version? */
static bool
checkRecordShape(const virtXmlDoc *doc, bool first, GError **error)
{
    g_autofree char *items = virtSettingKindListChildren();
    const virtXmlRule shared[] = {
        {"owner", "name! uuid pid start", "", NULL, NULL},
        {"address", "domain! bus! slot! function!", "", NULL, NULL},
        {"driver", "name! override", "", NULL, NULL},
        {"before", "", items, NULL, NULL},
        {"unknown", "", items, NULL, NULL},
        {"wanted", "", items, NULL, NULL},
        {NULL},
    };
    const virtXmlRule firstRules[] = {
        {"hostdev", "phase! began", "owner! source! pf! driver before! unknown wanted!", NULL, NULL},
        {"source", "", "address!", NULL, NULL},
        {"pf", "index!", "address!", NULL, NULL},
        {NULL},
    };
    const virtXmlRule rules[] = {
        {"hostdev", "version! phase! began", "owner! source! target! driver before! unknown wanted!", NULL, NULL},
        {"source", "handle!", "", NULL, NULL},
        {"target", "parent! index serial", "", NULL, NULL},
        {NULL},
    };
    virtXmlGrammar grammar = {rules, NULL, shared};
    guint64 version;

    if (first)
        grammar.rules = firstRules;
    return virtXmlGetUInt(doc, doc->root, "version", &versionRange, &version, error) &&
           virtXmlCheck(doc, doc->root, &grammar, error);
}

/* The last complete mark behind the document, which @tail is. What a crash has left of one is none. */
static void
readMarks(const char *tail, virtPhase *phase)
{
    const char *last = NULL;

    for (guint i = 0; i < G_N_ELEMENTS(phaseMarks); i++) {
        const char *mark = g_strrstr(tail, phaseMarks[i]);

        if (mark && mark > last) {
            last = mark;
            *phase = i;
        }
    }
}

/* Where the document ends and what is behind it begins. */
static gsize
documentLength(const char *text, gsize len)
{
    const char *end = g_strrstr(text, "</hostdev>");

    if (!end)
        return len;
    return (gsize)(end - text) + strlen("</hostdev>");
}

/* Read a record.
 *
 * @file: for messages, may be NULL
 *
 * Returns the record, or NULL with VIRT_ERROR_INVALID: the file was not written by this project, or damaged.
 */
virtRecord *
virtRecordParse(const char *text, const char *file, GError **error)
{
    g_autoptr(virtRecord) record = g_new0(virtRecord, 1);
    gsize len = strnlen(text, VIRT_STATE_MAX + 1);
    g_autoptr(virtXmlDoc) doc = NULL;
    bool first, located;

    if (len > VIRT_STATE_MAX) {
        g_set_error(error, VIRT_ERROR, VIRT_ERROR_INVALID, "the record is longer than %d bytes", VIRT_STATE_MAX);
        if (file)
            g_prefix_error(error, "%s: ", file);
        return NULL;
    }
    len = documentLength(text, len);
    doc = virtXmlParse(text, len, file, error);
    if (!doc)
        return NULL;
    if (!virtXmlIs(doc->root, NULL, "hostdev")) {
        g_autofree char *name = virtXmlQuote(doc->root->name);

        virtXmlError(doc, doc->root, error, "a record is a <hostdev>, not a <%s>", name);
        return NULL;
    }
    first = !virtXmlGet(doc->root, "version");
    if (!checkRecordShape(doc, first, error) || !readPhase(doc, record, error) ||
        !virtXmlGetUInt(doc, doc->root, "began", &beganRange, &record->began, error) || !readOwner(doc, record, error))
        return NULL;
    if (first)
        located = readVF(doc, record, error);
    else
        located = readTarget(doc, record, error);
    if (!located || !readRecordSettings(doc, record, error))
        return NULL;
    readDriver(doc, record);
    readMarks(text + len, &record->phase);
    return g_steal_pointer(&record);
}

static void
formatOwner(GString *out, const virtOwner *owner)
{
    virtXmlAdd(out, "  <owner name='");
    virtXmlEscape(out, owner->name);
    virtXmlAdd(out, "'");
    if (owner->uuid) {
        virtXmlAdd(out, " uuid='");
        virtXmlEscape(out, owner->uuid);
        virtXmlAdd(out, "'");
    }
    if (owner->pid) {
        virtXmlAddNumber(out, "pid", owner->pid);
        virtXmlAddNumber(out, "start", owner->start);
    }
    virtXmlAdd(out, "/>\n");
}

static void
addAttribute(GString *out, const char *name, const char *value)
{
    virtXmlAdd(out, " ");
    virtXmlAdd(out, name);
    virtXmlAdd(out, "='");
    virtXmlEscape(out, value);
    virtXmlAdd(out, "'");
}

static void
formatDriver(GString *out, const virtRecord *record)
{
    if (!record->driver)
        return;
    virtXmlAdd(out, "  <driver");
    addAttribute(out, "name", record->driver);
    if (record->override)
        addAttribute(out, "override", record->override);
    virtXmlAdd(out, "/>\n");
}

/* Append those of one kind. @unknown: only what could not be told; else only what could */
static void
formatKind(GString *out, const virtSettingKind *kind, const GPtrArray *list, bool unknown)
{
    static const virtXmlLayout layout = {"", "", ""}; /* white space is a third of the text, and is parsed too */

    for (guint i = 0; i < list->len; i++) {
        g_autofree virtSetting *setting = virtSettingCopy(kind->info, list->pdata[i]);

        if (unknown)
            setting->present &= setting->unknown;
        else
            setting->present &= ~setting->unknown;
        if (!unknown || setting->present)
            kind->format(out, setting, VIRT_SETTING_FORMAT_ALL, &layout);
    }
}

static void
formatSettings(GString *out, const char *name, const virtSettings *settings, bool unknown)
{
    virtXmlAdd(out, "  <");
    virtXmlAdd(out, name);
    virtXmlAdd(out, ">");
    for (guint k = 0; virtSettingKinds[k]; k++)
        formatKind(out, virtSettingKinds[k], settings->of[k], unknown);
    virtXmlAdd(out, "</");
    virtXmlAdd(out, name);
    virtXmlAdd(out, ">\n");
}

static bool
hasUnknown(const virtSettings *settings)
{
    for (guint k = 0; virtSettingKinds[k]; k++) {
        for (guint i = 0; i < settings->of[k]->len; i++) {
            if (((const virtSetting *)settings->of[k]->pdata[i])->unknown)
                return true;
        }
    }
    return false;
}

static void
formatTarget(GString *out, const virtRecord *record)
{
    char handle[VIRT_HANDLE_LEN];

    virtHandleFormat(&record->handle, handle);
    virtXmlAdd(out, "  <source");
    addAttribute(out, "handle", handle);
    virtHandleFormat(&record->parent, handle);
    virtXmlAdd(out, "/>\n  <target");
    addAttribute(out, "parent", handle);
    if (record->index >= 0)
        virtXmlAddNumber(out, "index", (guint64)record->index);
    if (record->serial)
        addAttribute(out, "serial", record->serial);
    virtXmlAdd(out, "/>\n");
}

/* The text of @record, which virtRecordParse() reads back to the same; the caller frees it. */
char *
virtRecordFormat(const virtRecord *record)
{
    GString *out = g_string_sized_new(1024); /* what most of them take */

    virtXmlAdd(out, "<hostdev version='" G_STRINGIFY(VERSION) "' phase='");
    virtXmlAdd(out, virtPhaseName(record->phase));
    virtXmlAdd(out, "'");
    if (record->began)
        virtXmlAddNumber(out, "began", record->began);
    virtXmlAdd(out, ">\n");
    formatOwner(out, &record->owner);
    formatTarget(out, record);
    formatDriver(out, record);
    formatSettings(out, "before", &record->before, false);
    if (hasUnknown(&record->before))
        formatSettings(out, "unknown", &record->before, true);
    formatSettings(out, "wanted", &record->wanted, false);
    virtXmlAdd(out, "</hostdev>\n");
    return g_string_free(out, FALSE);
}
