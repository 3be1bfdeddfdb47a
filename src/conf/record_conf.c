/* record_conf.c: what is remembered about a VF, as text and back
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include <string.h>

#include "conf/record_conf.h"
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

static const virtXmlRule recordRules[] = {
    {"hostdev", "phase! began", "owner! source! pf! driver before! unknown wanted!", NULL, NULL},
    {"owner", "name! uuid pid start", "", NULL, NULL},
    {"source", "", "address!", NULL, NULL},
    {"pf", "index!", "address!", NULL, NULL},
    {"address", "domain! bus! slot! function!", "", NULL, NULL},
    {"driver", "name! override", "", NULL, NULL},
    {"before", "", "netdev*", NULL, NULL},
    {"unknown", "", "netdev*", NULL, NULL},
    {"wanted", "", "netdev*", NULL, NULL},
    {NULL},
};
static const virtXmlGrammar recordGrammar = {recordRules, NULL, NULL};

static const virtXmlRange pidRange = {10, 1, G_MAXINT32, NULL};
static const virtXmlRange startRange = {10, 0, G_MAXUINT64, NULL};
static const virtXmlRange beganRange = {10, 1, G_MAXINT64, NULL};
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

/* Free @record; NULL is allowed. */
void
virtRecordFree(virtRecord *record)
{
    if (!record)
        return;
    g_free(record->owner.name);
    g_free(record->owner.uuid);
    g_free(record->driver);
    g_free(record->override);
    g_clear_pointer(&record->before, g_ptr_array_unref);
    g_clear_pointer(&record->wanted, g_ptr_array_unref);
    g_free(record);
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

static bool
readAddresses(const virtXmlDoc *doc, virtRecord *record, GError **error)
{
    const virtXmlNode *source = virtXmlChild(doc->root, "source");
    const virtXmlNode *pf = virtXmlChild(doc->root, "pf");
    guint64 index = 0;

    if (!virtPCIAddressParseXml(doc, virtXmlChild(source, "address"), &record->address, error) ||
        !virtPCIAddressParseXml(doc, virtXmlChild(pf, "address"), &record->pf, error) ||
        !virtXmlGetUInt(doc, pf, "index", &indexRange, &index, error))
        return false;
    record->index = index;
    return true;
}

static void
readDriver(const virtXmlDoc *doc, virtRecord *record)
{
    const virtXmlNode *node = virtXmlChild(doc->root, "driver");

    record->driver = node ? g_strdup(virtXmlGet(node, "name")) : NULL;
    record->override = node ? g_strdup(virtXmlGet(node, "override")) : NULL;
}

/* Add to @before what was shown and could not be told; older records do not have it. */
static bool
readUnknown(const virtXmlDoc *doc, GPtrArray *before, GError **error)
{
    const virtXmlNode *node = virtXmlChild(doc->root, "unknown");
    g_autoptr(GPtrArray) unknown = NULL;

    if (!node)
        return true;
    unknown = virtNetdevListParse(doc, node, VIRT_NETDEV_PARSE_STATE, error);
    for (guint i = 0; unknown && i < unknown->len; i++) {
        virtNetdev *shown = unknown->pdata[i];
        virtNetdev *netdev = virtNetdevListFind(before, shown->port);

        if (!netdev) {
            virtXmlError(doc, node, error, "<before> has no port %u", shown->port);
            return false;
        }
        shown->unknown = shown->present;
        for (virtNetdevAttr attr = 0; attr < VIRT_NETDEV_ATTR_LAST; attr++) {
            if (virtNetdevHas(shown, attr))
                virtNetdevCopyAttr(netdev, shown, attr);
        }
    }
    return unknown;
}

static bool
readNetdevs(const virtXmlDoc *doc, virtRecord *record, GError **error)
{
    record->before = virtNetdevListParse(doc, virtXmlChild(doc->root, "before"), VIRT_NETDEV_PARSE_STATE, error);
    if (!record->before || !readUnknown(doc, record->before, error))
        return false;
    record->wanted = virtNetdevListParse(doc, virtXmlChild(doc->root, "wanted"), VIRT_NETDEV_PARSE_STATE, error);
    return record->wanted;
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

    return end ? (gsize)(end - text) + strlen("</hostdev>") : len;
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

    if (len > VIRT_STATE_MAX) {
        g_set_error(error, VIRT_ERROR, VIRT_ERROR_INVALID, "%s%sthe record is longer than %d bytes", file ? file : "",
                    file ? ": " : "", VIRT_STATE_MAX);
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
    if (!virtXmlCheck(doc, doc->root, &recordGrammar, error) || !readPhase(doc, record, error) ||
        !virtXmlGetUInt(doc, doc->root, "began", &beganRange, &record->began, error) ||
        !readOwner(doc, record, error) || !readAddresses(doc, record, error) || !readNetdevs(doc, record, error))
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

/* @unknown: only what could not be told, and only if there is any; else only what could */
static void
formatNetdevs(GString *out, const char *name, const GPtrArray *netdevs, bool unknown)
{
    static const virtXmlLayout layout = {"", "\n    ", "  "};
    guint shown = 0;

    for (guint i = 0; i < netdevs->len; i++)
        shown |= ((const virtNetdev *)netdevs->pdata[i])->unknown;
    if (unknown && !shown)
        return;

    virtXmlAdd(out, "  <");
    virtXmlAdd(out, name);
    virtXmlAdd(out, ">");
    for (guint i = 0; i < netdevs->len; i++) {
        virtNetdev netdev = *(const virtNetdev *)netdevs->pdata[i];

        netdev.present &= unknown ? netdev.unknown : ~netdev.unknown;
        if (!unknown || netdev.present)
            virtNetdevFormat(out, &netdev, &layout);
    }
    virtXmlAdd(out, netdevs->len ? "\n  </" : "</");
    virtXmlAdd(out, name);
    virtXmlAdd(out, ">\n");
}

/* The text of @record, which virtRecordParse() reads back to the same; the caller frees it. */
char *
virtRecordFormat(const virtRecord *record)
{
    GString *out = g_string_sized_new(1024); /* what most of them take */

    virtXmlAdd(out, "<hostdev phase='");
    virtXmlAdd(out, virtPhaseName(record->phase));
    virtXmlAdd(out, "'");
    if (record->began)
        virtXmlAddNumber(out, "began", record->began);
    virtXmlAdd(out, ">\n");
    formatOwner(out, &record->owner);
    virtXmlAdd(out, "  <source>");
    virtPCIAddressFormatXml(out, &record->address, "");
    virtXmlAdd(out, "</source>\n  <pf");
    virtXmlAddNumber(out, "index", record->index);
    virtXmlAdd(out, ">");
    virtPCIAddressFormatXml(out, &record->pf, "");
    virtXmlAdd(out, "</pf>\n");
    formatDriver(out, record);
    formatNetdevs(out, "before", record->before, false);
    formatNetdevs(out, "unknown", record->before, true);
    formatNetdevs(out, "wanted", record->wanted, false);
    virtXmlAdd(out, "</hostdev>\n");
    return g_string_free(out, FALSE);
}
