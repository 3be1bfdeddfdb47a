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

typedef struct {
    virtTool *tool;
    virConnectPtr conn; /* NULL: libvirt does not answer, or is not asked */
    gboolean force, forget;
    struct libscols_table *table; /* with --json; otherwise NULL */
    GString *failures;            /* one a line */
} Recover;

typedef enum { RESTORED, FORGOTTEN, LEFT_ALONE, FAILED } Result;

/* A word for programs, and a sentence for people behind the device's handle; it may have the owner in it. */
static const struct {
    const char *name, *sentence;
} results[] = {
    [RESTORED] = {"restored", "restored to what it was before OWNER"},
    [FORGOTTEN] = {"forgotten", "forgotten: it keeps its current settings and will not be restored"},
    [LEFT_ALONE] = {"left-alone", "left alone: OWNER still has it"},
    [FAILED] = {"failed", NULL},
};

static void
appendFailure(GString *failures, const GError *problem)
{
    if (failures->len)
        g_string_append_c(failures, '\n');
    g_string_append(failures, problem->message);
}

static Result
recoverOne(Recover *recover, const virtRecord *record, GError **error)
{
    virtHost *host = recover->tool->host;

    if (!recover->force && !isDomainGone(recover->tool, recover->conn, record))
        return LEFT_ALONE;
    if (recover->forget && virtProvisionForget(host, record, error))
        return FORGOTTEN;
    if (!recover->forget && virtProvisionReleaseOne(host, record, error))
        return RESTORED;
    return FAILED;
}

/* Failures are collected: one VF that will not go back must not keep the others. */
static void
tellResult(Recover *recover, const virtRecord *record, Result result, const GError *problem)
{
    g_autofree char *owner = virtOwnerDescribe(&record->owner);
    const char *name = record->handle.name;
    const char *detail = NULL;

    if (problem) {
        appendFailure(recover->failures, problem);
        detail = problem->message;
    }
    if (recover->table) {
        virtToolRow(recover->table, NULL, (const char *[]){name, record->owner.name, results[result].name, detail});
    } else if (!problem) {
        g_autoptr(GString) text = g_string_new(results[result].sentence);

        g_string_replace(text, "OWNER", owner, 1);
        printf("%s %s\n", name, text->str);
    }
}

static void
recoverAll(Recover *recover, const GPtrArray *records, int argc, char **argv)
{
    for (guint i = 0; i < records->len; i++) {
        const virtRecord *record = records->pdata[i];
        g_autoptr(GError) local = NULL;
        Result result;

        if (!isNamed(record, argc, argv))
            continue;
        virtToolProgress(i, records->len, record->handle.name);
        result = recoverOne(recover, record, &local);
        virtToolProgressClear();
        tellResult(recover, record, result, local);
    }
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
    static const char *const columns[] = {"DEVICE", "OWNER", "RESULT", "DETAIL", NULL};
    g_autoptr(GString) failures = g_string_new(NULL);
    Recover recover = {.tool = tool, .failures = failures};
    const GOptionEntry entries[] = {
        {"force", 0, 0, G_OPTION_ARG_NONE, &recover.force, "also restore VFs that their owners still have", NULL},
        {"forget", 0, 0, G_OPTION_ARG_NONE, &recover.forget, "forget the named VFs instead of restoring them", NULL},
        {NULL},
    };
    g_autoptr(GPtrArray) problems = g_ptr_array_new_with_free_func((GDestroyNotify)g_error_free);
    g_autoptr(GPtrArray) records = NULL;
    g_autoptr(virConnect) conn = NULL;

    if (!virtToolOptions(tool, entries, &argc, &argv, 0, -1, error) || !checkForget(recover.forget, argc, error) ||
        !(records = virtProvisionRecordListAll(tool->host, problems, error)) ||
        !checkAddresses(tool->host, argc, argv, error))
        return false;
    if (records->len > 0 && !recover.force)
        recover.conn = conn = virtToolConnect(tool, true, NULL);
    if (tool->json)
        recover.table = virtToolTable(tool, "recover", columns);
    recoverAll(&recover, records, argc, argv);
    if (recover.table)
        virtToolPrintTable(recover.table);
    for (guint i = 0; i < problems->len; i++)
        appendFailure(failures, problems->pdata[i]);
    if (failures->len == 0)
        return true;
    g_set_error_literal(error, VIRT_ERROR, VIRT_ERROR_REFUSED, failures->str);
    return false;
}
