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
addField(Fields *fields, const char *key, const char *value)
{
    if (value)
        fields->fields[fields->n++] = (GLogField){key, value, -1};
}

static void
addSetting(Fields *fields, const virtPlanRow *row, char port[12])
{
    g_snprintf(port, 12, "%u", row->port);
    addField(fields, "PORT", port);
    addField(fields, "SETTING", row->attr);
    addField(fields, "WANTED", row->to);
    addField(fields, "FOUND", row->from);
}

static void
addDevice(Fields *fields, const virtRecord *record, const char *vf)
{
    if (record->index < 0) {
        addField(fields, "DEVICE", record->handle.name);
        addField(fields, "PARENT", record->parent.name);
        return;
    }
    addField(fields, "PCI_ADDR", record->handle.name);
    addField(fields, "PF", record->parent.name);
    addField(fields, "VF", vf);
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
    addField(&fields, "MESSAGE", message);
    addField(&fields, "PRIORITY", priority);
    addField(&fields, "GLIB_DOMAIN", "libvirt-hostdev");
    addField(&fields, "MESSAGE_ID", messageId);
    addField(&fields, "DOMAIN_UUID", record->owner.uuid);
    addField(&fields, "DOMAIN_NAME", record->owner.name);
    addDevice(&fields, record, vf);
    if (row)
        addSetting(&fields, row, port);
    g_log_structured_array(level, fields.fields, fields.n);
}

/* @what was done with the device of @record: "Set". */
void
virtProvisionLogRecord(const char *messageId, const char *what, const virtRecord *record)
{
    g_autofree char *device = virtProvisionRecordDescribe(record);

    virtProvisionLog(messageId, G_LOG_LEVEL_INFO, record, NULL, "%s the %s for '%s'", what, device, record->owner.name);
}
