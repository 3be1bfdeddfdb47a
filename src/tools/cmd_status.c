/* cmd_status.c: virt-hostdev status: who has which device, and what somebody else has changed
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "tools/cmd_status.h"

#include <string.h>

#include "hypervisor/provision_drift.h"
#include "util/virstatefile.h"

/* What a line has, in the order of columns; a VF's line has some, a setting's the others. */
typedef struct {
    const char *device, *owner, *state, *phase, *port, *setting, *set, *now, *drift; /* for people too */
    const char *uuid, *pf, *vf, *problem;                                            /* for programs only */
} Cells;

static const char *const columns[] = {"DEVICE", "OWNER", "STATE", "PHASE", "PORT", "SETTING", "SET",
                                      "NOW",    "DRIFT", "UUID",  "PF",    "VF",   "PROBLEM", NULL};
#define FOR_PEOPLE 9

G_STATIC_ASSERT(sizeof(Cells) / sizeof(char *) + 1 == G_N_ELEMENTS(columns));

typedef struct {
    virtTool *tool;
    struct libscols_table *table; /* NULL: what is shown becomes @json */
    GString *json;                /* the elements of an array */
} Status;

/* ---- for programs ---- */

static void
appendString(GString *json, const char *text)
{
    g_string_append_c(json, '"');
    for (const char *p = text; *p; p++) {
        if (*p == '"' || *p == '\\')
            g_string_append_printf(json, "\\%c", *p);
        else if (g_ascii_iscntrl(*p))
            g_string_append_printf(json, "\\u%04x", (guint)*p);
        else
            g_string_append_c(json, *p);
    }
    g_string_append_c(json, '"');
}

static bool
isNumber(const char *column)
{
    return g_str_equal(column, "PORT") || g_str_equal(column, "VF");
}

/* An object with a key for each column, left open. */
static void
openObject(GString *json, const Cells *cells, bool first, const char *indent)
{
    const char *const *values = (const char *const *)cells;

    if (!first)
        g_string_append_c(json, ',');
    g_string_append_printf(json, "\n%s{", indent);
    for (guint i = 0; columns[i]; i++) {
        g_autofree char *key = g_ascii_strdown(columns[i], -1);

        if (i > 0)
            g_string_append_c(json, ',');
        g_string_append_printf(json, "\n%s   \"%s\": ", indent, key);
        if (!values[i])
            g_string_append(json, "null");
        else if (isNumber(columns[i]))
            g_string_append(json, values[i]);
        else
            appendString(json, values[i]);
    }
}

static void
closeObject(GString *json, const char *indent)
{
    g_string_append_printf(json, "\n%s}", indent);
}

static void
printJson(virtHost *host, const GString *json)
{
    guint64 counts[VIRT_COUNT_LAST];

    virtStateCountTotal(host, counts);
    printf("{\n   \"status\": [%s\n   ],\n   \"counters\": {\n", json->str);
    for (guint i = 0; i < VIRT_COUNT_LAST; i++) {
        if (i > 0)
            printf(",\n");
        printf("      \"%s\": %" G_GUINT64_FORMAT, virtCountName(i), counts[i]);
    }
    printf("\n   }\n}\n");
}

/* ---- lines ---- */

#define VF_INDENT "      "
#define SETTING_INDENT "            "

static const char *
ownerState(virtHost *host, const virtRecord *record, const char *waits)
{
    if (waits)
        return "waits";
    if (!record->owner.uuid)
        return "by hand";
    if (virtProvisionRecordIsLeft(host, record))
        return "gone";
    return "running";
}

/* Of what a record says, and the host. */
static virtColor
stateColor(virtHost *host, const virtRecord *record, const virtDrift *drift, const char *waits)
{
    if (waits || drift->problem)
        return VIRT_COLOR_BAD;
    if (virtDriftIsAny(drift) || virtProvisionRecordIsLeft(host, record))
        return VIRT_COLOR_WARN;
    return VIRT_COLOR_GOOD;
}

static struct libscols_line *
addDevice(virtHost *host, Status *status, const virtDrift *drift, const char *waits)
{
    const virtRecord *record = drift->record;
    g_autofree char *vf = g_strdup_printf("%d", record->index);
    Cells cells = {.device = record->handle.name,
                   .owner = record->owner.name,
                   .uuid = record->owner.uuid,
                   .pf = record->parent.name};

    if (record->index >= 0)
        cells.vf = vf;
    cells.state = ownerState(host, record, waits);
    cells.phase = virtPhaseName(record->phase);
    if (drift->compared && status->tool->json)
        cells.drift = virtToolYesNo(virtDriftIsAny(drift));
    cells.problem = waits;
    if (drift->problem)
        cells.problem = drift->problem->message;
    if (status->table) {
        struct libscols_line *line = virtToolRow(status->table, NULL, (const char *const *)&cells);

        virtToolColorRow(line, stateColor(host, record, drift, waits));
        return line;
    }
    openObject(status->json, &cells, status->json->len == 0, VF_INDENT);
    return NULL;
}

static void
addSetting(Status *status, struct libscols_line *parent, const virtPlanRow *row, bool compared, bool first)
{
    g_autofree char *port = g_strdup_printf("%u", row->port);
    Cells cells = {.device = row->device, .setting = row->attr, .set = row->to, .now = row->from};

    if (row->port)
        cells.port = port;
    if (compared)
        cells.drift = virtToolYesNo(row->differs);
    if (status->table) {
        struct libscols_line *line = virtToolRow(status->table, parent, (const char *const *)&cells);

        if (compared && row->differs)
            virtToolColorRow(line, VIRT_COLOR_WARN);
        return;
    }
    if (first)
        g_string_append(status->json, ",\n" VF_INDENT "   \"children\": [");
    openObject(status->json, &cells, first, SETTING_INDENT);
    closeObject(status->json, SETTING_INDENT);
}

/* Of what a record cannot tell, say what will become of it. */
static void
warnUnknown(virtHost *host, const virtDrift *drift)
{
    for (guint t = 0; drift->targets && t < drift->targets->len; t++) {
        const virtTarget *target = drift->targets->pdata[t];
        const GPtrArray *before = drift->record->before.of[target->kind];
        const GPtrArray *wanted = drift->record->wanted.of[target->kind];

        for (guint i = 0; i < before->len; i++) {
            const virtSetting *was = before->pdata[i];

            virtTargetWarnUnknown(host, target, was, virtSettingListFind(wanted, was->number));
        }
    }
}

/* One line a device, and below it one a setting. */
static void
addRecord(virtHost *host, const virtDrift *drift, void *opaque)
{
    Status *status = opaque;
    g_autofree char *waits = virtProvisionWaits(host, drift->record);
    struct libscols_line *parent = addDevice(host, status, drift, waits);

    if (waits)
        virtHostWarn(host, "%s", waits);
    if (drift->problem)
        virtHostWarn(host, "%s", drift->problem->message);
    warnUnknown(host, drift);
    for (guint i = 0; i < drift->rows->len; i++)
        addSetting(status, parent, drift->rows->pdata[i], drift->compared, i == 0);
    if (status->table)
        return;
    if (drift->rows->len)
        g_string_append(status->json, "\n" VF_INDENT "   ]");
    closeObject(status->json, VF_INDENT);
}

static struct libscols_table *
newTable(virtTool *tool)
{
    g_autofree const char **shown = g_memdup2(columns, sizeof(columns));

    shown[FOR_PEOPLE] = NULL;
    return virtToolTable(tool, "status", shown);
}

static bool
printStatus(virtTool *tool, GError **error)
{
    g_autoptr(GPtrArray) records = virtProvisionRecordList(tool->host, error);
    g_autoptr(GString) json = g_string_new(NULL);
    Status status = {.tool = tool, .json = json};

    if (!records)
        return false;
    if (!tool->json)
        status.table = newTable(tool);
    virtProvisionDrift(tool->host, records, addRecord, &status);
    if (tool->json)
        printJson(tool->host, json);
    else
        virtToolPrintTable(status.table);
    return true;
}

bool
virtCmdStatus(virtTool *tool, int argc, char **argv, GError **error)
{
    gboolean metrics = FALSE, stats = FALSE;
    g_autofree char *output = NULL;
    const GOptionEntry entries[] = {
        {"stats", 0, 0, G_OPTION_ARG_NONE, &stats, "print what is counted of the queues of vDPA devices", NULL},
        {"openmetrics", 0, 0, G_OPTION_ARG_NONE, &metrics, "print metrics for Prometheus", NULL},
        {"output", 0, 0, G_OPTION_ARG_FILENAME, &output, "write them to this file, all at once", "FILE"},
        {NULL},
    };

    if (!virtToolOptions(tool, entries, &argc, &argv, 0, 0, error))
        return false;
    if (stats && !metrics && !output)
        return virtStatusPrintStats(tool, error);
    if (stats) {
        g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                    "--stats does not go with --openmetrics or --output");
        return false;
    }
    if (metrics && !tool->json)
        return virtStatusWriteMetrics(tool, output, error);
    if (!metrics && !output)
        return printStatus(tool, error);
    g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                "--output needs --openmetrics, and --json does not go with it");
    return false;
}
