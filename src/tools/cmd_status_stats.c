/* cmd_status_stats.c: virt-hostdev status --stats: what drivers count of the queues of vDPA devices
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "tools/cmd_status.h"

#include "util/virvdpalink.h"

/* What is counted of one queue. */
static void
addQueue(struct libscols_table *table, const virtRecord *record, guint32 queue, const GPtrArray *stats)
{
    g_autofree char *number = g_strdup_printf("%u", queue);

    for (guint i = 0; i < stats->len; i++) {
        const virtVdpaStat *stat = stats->pdata[i];
        g_autofree char *value = g_strdup_printf("%" G_GUINT64_FORMAT, stat->value);

        virtToolRow(table, NULL, (const char *[]){record->handle.name, record->owner.name, number, stat->name, value});
    }
}

static bool
addDevice(virtHost *host, struct libscols_table *table, const virtRecord *record, GError **error)
{
    virtVdpaDevice device;

    if (!virtVdpaLinkFindDevice(host, record->handle.name, &device, error))
        return false;
    for (guint32 queue = 0; queue < device.queues; queue++) {
        g_autoptr(GPtrArray) stats = virtVdpaLinkListStats(host, device.name, queue, error);

        if (!stats)
            return false;
        addQueue(table, record, queue, stats);
    }
    return true;
}

bool
virtStatusPrintStats(virtTool *tool, GError **error)
{
    static const char *const columns[] = {"DEVICE", "OWNER", "QUEUE", "COUNTER", "VALUE", NULL};
    g_autoptr(GPtrArray) records = virtProvisionRecordList(tool->host, error);
    struct libscols_table *table;

    if (!records)
        return false;
    table = virtToolTable(tool, "stats", columns);
    for (guint i = 0; i < records->len; i++) {
        const virtRecord *record = records->pdata[i];
        g_autoptr(GError) problem = NULL;

        if (g_str_equal(record->handle.bus, "vdpa") && !addDevice(tool->host, table, record, &problem))
            virtHostWarn(tool->host, "%s", problem->message);
    }
    virtToolPrintTable(table);
    return true;
}
