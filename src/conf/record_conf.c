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

static const virtXmlRule recordRules[] = {
    {"hostdev", "phase!", "owner! source! pf! before! wanted!", NULL, NULL},
    {"owner", "name! uuid pid start", "", NULL, NULL},
    {"source", "", "address!", NULL, NULL},
    {"pf", "index!", "address!", NULL, NULL},
    {"address", "domain! bus! slot! function!", "", NULL, NULL},
    {"before", "", "netdev*", NULL, NULL},
    {"wanted", "", "netdev*", NULL, NULL},
    {NULL},
};
static const virtXmlGrammar recordGrammar = {recordRules, NULL};

static const virtXmlRange pidRange = {10, 1, G_MAXINT32, NULL};
static const virtXmlRange startRange = {10, 0, G_MAXUINT64, NULL};
static const virtXmlRange indexRange = {10, 0, 0xffff, "SR-IOV counts VFs in 16 bits"};

/* The name of @phase, as in status output and in the record. */
const char *
virtPhaseName(virtPhase phase)
{
    return phaseNames[phase];
}

/* Free @record; NULL is allowed. */
void
virtRecordFree(virtRecord *record)
{
    if (!record)
        return;
    g_free(record->owner.name);
    g_free(record->owner.uuid);
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

static bool
readNetdevs(const virtXmlDoc *doc, virtRecord *record, GError **error)
{
    record->before = virtNetdevListParse(doc, virtXmlChild(doc->root, "before"), VIRT_NETDEV_PARSE_STATE, error);
    if (!record->before)
        return false;
    record->wanted = virtNetdevListParse(doc, virtXmlChild(doc->root, "wanted"), VIRT_NETDEV_PARSE_STATE, error);
    return record->wanted;
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
    doc = virtXmlParse(text, len, file, error);
    if (!doc)
        return NULL;
    if (!virtXmlIs(doc->root, NULL, "hostdev")) {
        g_autofree char *name = virtXmlQuote(doc->root->name);
        virtXmlError(doc, doc->root, error, "a record is a <hostdev>, not a <%s>", name);
        return NULL;
    }
    if (!virtXmlCheck(doc, doc->root, &recordGrammar, error) || !readPhase(doc, record, error) ||
        !readOwner(doc, record, error) || !readAddresses(doc, record, error) || !readNetdevs(doc, record, error))
        return NULL;
    return g_steal_pointer(&record);
}

static void
formatOwner(GString *out, const virtOwner *owner)
{
    g_string_append(out, "  <owner name='");
    virtXmlEscape(out, owner->name);
    g_string_append_c(out, '\'');
    if (owner->uuid) {
        g_string_append(out, " uuid='");
        virtXmlEscape(out, owner->uuid);
        g_string_append_c(out, '\'');
    }
    if (owner->pid)
        g_string_append_printf(out, " pid='%" G_GUINT64_FORMAT "' start='%" G_GUINT64_FORMAT "'", owner->pid,
                               owner->start);
    g_string_append(out, "/>\n");
}

static void
formatNetdevs(GString *out, const char *name, const GPtrArray *netdevs)
{
    static const virtXmlLayout layout = {"", "\n    ", "  "};

    g_string_append_printf(out, "  <%s>", name);
    for (guint i = 0; i < netdevs->len; i++)
        virtNetdevFormat(out, netdevs->pdata[i], &layout);
    g_string_append_printf(out, "%s</%s>\n", netdevs->len ? "\n  " : "", name);
}

/* The text of @record, which virtRecordParse() reads back to the same; the caller frees it. */
char *
virtRecordFormat(const virtRecord *record)
{
    GString *out = g_string_new(NULL);

    g_string_append_printf(out, "<hostdev phase='%s'>\n", virtPhaseName(record->phase));
    formatOwner(out, &record->owner);
    g_string_append(out, "  <source>");
    virtPCIAddressFormatXml(out, &record->address, "");
    g_string_append_printf(out, "</source>\n  <pf index='%u'>", record->index);
    virtPCIAddressFormatXml(out, &record->pf, "");
    g_string_append(out, "</pf>\n");
    formatNetdevs(out, "before", record->before);
    formatNetdevs(out, "wanted", record->wanted);
    g_string_append(out, "</hostdev>\n");
    return g_string_free(out, FALSE);
}
