/* cmd_status.c: virt-hostdev status: who has which VF, and what somebody else has changed
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "qemu/qemu_drift.h"
#include "tools/tool.h"
#include "util/virstatefile.h"

#include <stdlib.h>
#include <string.h>

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
    struct libscols_table *table;
} Status;

static const char *
ownerState(virtHost *host, const virtRecord *record)
{
    if (!record->owner.uuid)
        return "by hand";
    return virtQemuRecordIsLeft(host, record) ? "gone" : "running";
}

static struct libscols_line *
addLine(Status *status, struct libscols_line *parent, const Cells *cells)
{
    return virtToolRow(status->table, parent, (const char *const *)cells);
}

static struct libscols_line *
addVF(virtHost *host, Status *status, const virtDrift *drift)
{
    const virtRecord *record = drift->record;
    char device[VIRT_PCI_ADDRESS_LEN], pf[VIRT_PCI_ADDRESS_LEN];
    g_autofree char *vf = g_strdup_printf("%u", record->index);
    Cells cells = {.device = device, .owner = record->owner.name, .uuid = record->owner.uuid, .pf = pf, .vf = vf};

    virtPCIAddressFormat(&record->address, device);
    virtPCIAddressFormat(&record->pf, pf);
    cells.state = ownerState(host, record);
    cells.phase = virtPhaseName(record->phase);
    if (drift->compared && status->tool->json)
        cells.drift = drift->drifted->len ? "yes" : "no";
    cells.problem = drift->problem ? drift->problem->message : NULL;
    return addLine(status, NULL, &cells);
}

/* One line a VF, and below it one a setting. */
static void
addRecord(virtHost *host, const virtDrift *drift, void *opaque)
{
    Status *status = opaque;
    struct libscols_line *parent = addVF(host, status, drift);

    if (drift->problem)
        virtHostWarn(host, "%s", drift->problem->message);
    for (guint i = 0; i < drift->rows->len; i++) {
        const virtPlanRow *row = drift->rows->pdata[i];
        g_autofree char *port = g_strdup_printf("%u", row->port);
        Cells cells = {.device = row->device, .port = port, .setting = row->attr, .set = row->to, .now = row->from};

        if (drift->compared)
            cells.drift = row->differs ? "yes" : "no";
        addLine(status, parent, &cells);
    }
}

/* libsmartcols writes a document with one table; the counters go behind that, in the same object. */
static void
printJson(virtHost *host, struct libscols_table *table)
{
    guint64 counts[VIRT_COUNT_LAST];
    char *text = NULL, *end;

    virtStateCountTotal(host, counts);
    if (scols_print_table_to_string(table, &text) == 0 && text && (end = strrchr(text, '}'))) {
        *end = '\0';
        printf("%s,\n   \"counters\": {\n", g_strchomp(text));
        for (guint i = 0; i < VIRT_COUNT_LAST; i++)
            printf("      \"%s\": %" G_GUINT64_FORMAT "%s\n", virtCountName(i), counts[i],
                   i + 1 < VIRT_COUNT_LAST ? "," : "");
        printf("   }\n}\n");
    }
    free(text); /* malloc's */
    scols_unref_table(table);
}

static struct libscols_table *
newTable(virtTool *tool)
{
    g_autofree const char **shown = g_memdup2(columns, sizeof(columns));
    struct libscols_table *table;

    if (!tool->json)
        shown[FOR_PEOPLE] = NULL;
    table = virtToolTable(tool, "status", shown);
    for (size_t i = 0; i < scols_table_get_ncols(table); i++)
        if (g_str_equal(columns[i], "PORT") || g_str_equal(columns[i], "VF"))
            scols_column_set_json_type(scols_table_get_column(table, i), SCOLS_JSON_NUMBER);
    return table;
}

bool
virtCmdStatus(virtTool *tool, int argc, char **argv, GError **error)
{
    g_autoptr(GPtrArray) records = NULL;
    Status status = {.tool = tool};

    if (!virtToolOptions(tool, NULL, &argc, &argv, 0, 0, error) || !(records = virtQemuRecordList(tool->host, error)))
        return false;
    status.table = newTable(tool);
    virtQemuHostdevDrift(tool->host, records, addRecord, &status);
    if (tool->json)
        printJson(tool->host, status.table);
    else
        virtToolPrintTable(status.table);
    return true;
}
