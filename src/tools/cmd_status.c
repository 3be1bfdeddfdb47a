/* cmd_status.c: virt-hostdev status: who has which VF, and what somebody else has changed
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "tools/tool.h"

static const char *
ownerState(virtHost *host, const virtOwner *owner)
{
    if (!owner->uuid)
        return "by hand";
    return virtOwnerIsGone(host, owner) ? "gone" : "running";
}

/* One line a VF, and below it one a setting. */
static void
addRecord(virtTool *tool, struct libscols_table *table, const virtRecord *record)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) rows = virtQemuHostdevDrift(tool->host, record, &error);
    char name[VIRT_PCI_ADDRESS_LEN];
    const char *cells[] = {name,
                           record->owner.name,
                           ownerState(tool->host, &record->owner),
                           virtPhaseName(record->phase),
                           NULL,
                           NULL,
                           NULL,
                           NULL,
                           NULL};
    struct libscols_line *parent;

    virtPCIAddressFormat(&record->address, name);
    parent = virtToolRow(table, NULL, cells);
    if (!rows)
        virtHostWarn(tool->host, "%s", error->message);
    for (guint i = 0; rows && i < rows->len; i++) {
        const virtPlanRow *row = rows->pdata[i];
        g_autofree char *port = g_strdup_printf("%u", row->port);
        const char *setting[] = {
            row->device, NULL, NULL, NULL, port, row->attr, row->to, row->from, row->differs ? "yes" : "no"};

        virtToolRow(table, parent, setting);
    }
}

bool
virtCmdStatus(virtTool *tool, int argc, char **argv, GError **error)
{
    static const char *const columns[] = {"DEVICE",  "OWNER", "STATE", "PHASE", "PORT",
                                          "SETTING", "SET",   "NOW",   "DRIFT", NULL};
    g_autoptr(GPtrArray) records = NULL;
    struct libscols_table *table;

    if (!virtToolOptions(tool, NULL, &argc, &argv, 0, 0, error) || !(records = virtQemuRecordList(tool->host, error)))
        return false;
    table = virtToolTable(tool, "status", columns);
    for (guint i = 0; i < records->len; i++)
        addRecord(tool, table, records->pdata[i]);
    virtToolPrintTable(table);
    return true;
}
