/* cmd_restore.c: virt-hostdev restore: put back what nobody will put back any more
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "tools/tool.h"
#include "util/virerror.h"

/* libvirt knows best; where it does not answer, what it left on disk must do. */
static bool
isGone(virtTool *tool, virConnectPtr conn, const virtOwner *owner)
{
    g_autoptr(virDomain) domain = NULL;

    if (!owner->uuid)
        return false;
    if (!conn)
        return virtOwnerIsGone(tool->host, owner);
    domain = virDomainLookupByUUIDString(conn, owner->uuid);
    return !domain || virDomainIsActive(domain) == 0;
}

static bool
isNamed(const virtRecord *record, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        virtPCIAddress address;

        if (virtPCIAddressParse(argv[i], &address, NULL) && virtPCIAddressCompare(&address, &record->address) == 0)
            return true;
    }
    return argc == 1;
}

static bool
checkAddresses(const GPtrArray *records, int argc, char **argv, GError **error)
{
    for (int i = 1; i < argc; i++) {
        virtPCIAddress address;
        bool found = false;

        if (!virtPCIAddressParse(argv[i], &address, error))
            return false;
        for (guint n = 0; n < records->len; n++)
            found |= virtPCIAddressCompare(&address, &((virtRecord *)records->pdata[n])->address) == 0;
        if (!found) {
            g_set_error(error, VIRT_ERROR, VIRT_ERROR_NOT_FOUND,
                        "Nothing is recorded about %s: nobody has it, so there is nothing to put back", argv[i]);
            return false;
        }
    }
    return true;
}

/* Failures are collected: one VF that will not go back must not keep the others. */
static void
restoreOne(virtTool *tool, virConnectPtr conn, const virtRecord *record, bool force, GString *failures)
{
    g_autofree char *owner = virtOwnerDescribe(&record->owner);
    g_autoptr(GError) local = NULL;
    char name[VIRT_PCI_ADDRESS_LEN];

    virtPCIAddressFormat(&record->address, name);
    if (!force && !isGone(tool, conn, &record->owner)) {
        printf("%s left to %s, which still has it\n", name, owner);
        return;
    }
    if (virtQemuHostdevReleaseOne(tool->host, record, &local))
        printf("%s put back as it was before %s\n", name, owner);
    else
        g_string_append_printf(failures, "%s%s", failures->len ? "\n" : "", local->message);
}

bool
virtCmdRestore(virtTool *tool, int argc, char **argv, GError **error)
{
    gboolean force = FALSE;
    const GOptionEntry entries[] = {
        {"force", 0, 0, G_OPTION_ARG_NONE, &force, "also from owners that still have their VFs", NULL},
        {NULL},
    };
    g_autoptr(GPtrArray) records = NULL;
    g_autoptr(virConnect) conn = NULL;
    g_autoptr(GString) failures = g_string_new(NULL);

    if (!virtToolOptions(tool, entries, &argc, &argv, 0, -1, error) ||
        !(records = virtQemuRecordList(tool->host, error)) || !checkAddresses(records, argc, argv, error))
        return false;
    if (records->len > 0 && !force)
        conn = virtToolConnect(tool, true, NULL);
    for (guint i = 0; i < records->len; i++) {
        if (isNamed(records->pdata[i], argc, argv))
            restoreOne(tool, conn, records->pdata[i], force, failures);
    }
    if (failures->len == 0)
        return true;
    g_set_error_literal(error, VIRT_ERROR, VIRT_ERROR_REFUSED, failures->str);
    return false;
}
