/* cmd_recover.c: virt-hostdev recover: restore VFs that nobody else will restore any more
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "tools/tool.h"

#include <libvirt/virterror.h>

#include "util/virerror.h"

/* libvirt knows best; where it does not answer, what it left on disk must do. And that is asked in any case: the
 * libvirt that was reached may be another host's, or another driver (LIBVIRT_DEFAULT_URI, uri_default). */
static bool
isDomainGone(virtTool *tool, virConnectPtr conn, const virtRecord *record)
{
    g_autoptr(virDomain) domain = NULL;
    int active = -1;

    if (!record->owner.uuid)
        return false;
    if (conn && (domain = virDomainLookupByUUIDString(conn, record->owner.uuid)))
        active = virDomainIsActive(domain);
    else if (conn && virGetLastErrorCode() == VIR_ERR_NO_DOMAIN)
        active = 0;
    if (active < 0)
        return virtProvisionRecordIsLeft(tool->host, record);
    return active == 0 && !virtProvisionRecordHasGuest(tool->host, record);
}

static bool
isNamed(const virtRecord *record, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        virtHandle handle;

        if (virtHandleParse(argv[i], &handle, NULL) && virtHandleEqual(&handle, &record->handle))
            return true;
    }
    return argc == 1;
}

/* A record that cannot be read is not one that is not there. */
static bool
checkAddresses(virtHost *host, int argc, char **argv, GError **error)
{
    for (int i = 1; i < argc; i++) {
        g_autoptr(GError) local = NULL;
        g_autoptr(virtRecord) record = NULL;
        virtHandle handle;

        if (!virtHandleParse(argv[i], &handle, error))
            return false;
        record = virtProvisionRecordLoad(host, &handle, &local);
        if (g_error_matches(local, VIRT_ERROR, VIRT_ERROR_NOT_FOUND))
            g_set_error(error, VIRT_ERROR, VIRT_ERROR_NOT_FOUND,
                        "%s has no record: nobody has it, so there is nothing to restore", handle.name);
        else if (local)
            g_propagate_error(error, g_steal_pointer(&local));
        if (!record)
            return false;
    }
    return true;
}

static void
appendFailure(GString *failures, const GError *problem)
{
    if (failures->len)
        g_string_append_c(failures, '\n');
    g_string_append(failures, problem->message);
}

/* Failures are collected: one VF that will not go back must not keep the others. */
static void
recoverOne(virtTool *tool, virConnectPtr conn, const virtRecord *record, bool force, bool forget, GString *failures)
{
    g_autofree char *owner = virtOwnerDescribe(&record->owner);
    g_autoptr(GError) local = NULL;
    const char *name = record->handle.name;

    if (!force && !isDomainGone(tool, conn, record)) {
        printf("%s left alone: %s still has it\n", name, owner);
        return;
    }
    if (forget && virtProvisionForget(tool->host, record, &local))
        printf("%s forgotten: it keeps its current settings and will not be restored\n", name);
    else if (!forget && virtProvisionReleaseOne(tool->host, record, &local))
        printf("%s restored to what it was before %s\n", name, owner);
    else
        appendFailure(failures, local);
}

static bool
checkForget(bool forget, int argc, GError **error)
{
    if (!forget || argc > 1)
        return true;
    g_set_error_literal(error, VIRT_ERROR, VIRT_ERROR_INVALID,
                        "With --forget, name the VFs: what is forgotten is never restored");
    return false;
}

bool
virtCmdRecover(virtTool *tool, int argc, char **argv, GError **error)
{
    gboolean force = FALSE, forget = FALSE;
    const GOptionEntry entries[] = {
        {"force", 0, 0, G_OPTION_ARG_NONE, &force, "also restore VFs that their owners still have", NULL},
        {"forget", 0, 0, G_OPTION_ARG_NONE, &forget, "forget the named VFs instead of restoring them", NULL},
        {NULL},
    };
    g_autoptr(GPtrArray) problems = g_ptr_array_new_with_free_func((GDestroyNotify)g_error_free);
    g_autoptr(GPtrArray) records = NULL;
    g_autoptr(virConnect) conn = NULL;
    g_autoptr(GString) failures = g_string_new(NULL);

    if (!virtToolOptions(tool, entries, &argc, &argv, 0, -1, error) || !checkForget(forget, argc, error) ||
        !(records = virtProvisionRecordListAll(tool->host, problems, error)) ||
        !checkAddresses(tool->host, argc, argv, error))
        return false;
    if (records->len > 0 && !force)
        conn = virtToolConnect(tool, true, NULL);
    for (guint i = 0; i < records->len; i++) {
        if (isNamed(records->pdata[i], argc, argv))
            recoverOne(tool, conn, records->pdata[i], force, forget, failures);
    }
    for (guint i = 0; i < problems->len; i++)
        appendFailure(failures, problems->pdata[i]);
    if (failures->len == 0)
        return true;
    g_set_error_literal(error, VIRT_ERROR, VIRT_ERROR_REFUSED, failures->str);
    return false;
}
