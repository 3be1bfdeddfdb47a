/* provision_log.c: what happens to a device, for the journal, with fields to search for
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "hypervisor/provision_log.h"

#define FIELDS_MAX 16

/* As journald takes them, without copies: a start tells of each of its VFs (bench/). */
typedef struct {
    GLogField fields[FIELDS_MAX];
    gsize n;
} Fields;

static void
appendField(Fields *fields, const char *key, const char *value)
{
    if (value)
        fields->fields[fields->n++] = (GLogField){key, value, -1};
}

static void
appendSetting(Fields *fields, const virtPlanRow *row, char port[12])
{
    g_snprintf(port, 12, "%u", row->port);
    appendField(fields, "PORT", port);
    appendField(fields, "SETTING", row->attr);
    appendField(fields, "WANTED", row->to);
    appendField(fields, "FOUND", row->from);
}

static void
appendDevice(Fields *fields, const virtRecord *record, const char *vf)
{
    if (record->index < 0) {
        appendField(fields, "DEVICE", record->handle.name);
        appendField(fields, "PARENT", record->parent.name);
        return;
    }
    appendField(fields, "PCI_ADDR", record->handle.name);
    appendField(fields, "PF", record->parent.name);
    appendField(fields, "VF", vf);
}

/* Tell the journal, or whoever has taken over GLib's log, about a device.
 * @level: G_LOG_LEVEL_WARNING or G_LOG_LEVEL_INFO
 * @row: one setting of it; may be NULL
 */
void
virtProvisionLog(const char *messageId, GLogLevelFlags level, const virtRecord *record, const virtPlanRow *row,
                 const char *format, ...)
{
    Fields fields = {.n = 0};
    g_autofree char *message = NULL;
    const char *priority = level & G_LOG_LEVEL_WARNING ? "4" : "6"; /* syslog's; see sd-daemon(3) */
    char vf[12], port[12];
    va_list args;

    va_start(args, format);
    message = g_strdup_vprintf(format, args);
    va_end(args);
    g_snprintf(vf, sizeof(vf), "%d", record->index);
    appendField(&fields, "MESSAGE", message);
    appendField(&fields, "PRIORITY", priority);
    appendField(&fields, "GLIB_DOMAIN", "libvirt-hostdev");
    appendField(&fields, "MESSAGE_ID", messageId);
    appendField(&fields, "DOMAIN_UUID", record->owner.uuid);
    appendField(&fields, "DOMAIN_NAME", record->owner.name);
    appendDevice(&fields, record, vf);
    if (row)
        appendSetting(&fields, row, port);
    g_log_structured_array(level, fields.fields, fields.n);
}

/* @what was done with the device of @record: "Set". */
void
virtProvisionLogRecord(const char *messageId, const char *what, const virtRecord *record)
{
    g_autofree char *device = virtProvisionRecordDescribe(record);

    virtProvisionLog(messageId, G_LOG_LEVEL_INFO, record, NULL, "%s %s for '%s'", what, device, record->owner.name);
}
