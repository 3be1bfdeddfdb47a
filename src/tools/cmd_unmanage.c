/* cmd_unmanage.c: virt-hostdev unmanage: domains rewritten, so that stock libvirt starts them without us
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Only what the next start is made from can be rewritten. What a guest runs with, and what was saved with one, is named
 * instead, for the operator to wait for or to drop.
 */
#include "tools/tool.h"

#include <libvirt/virterror.h>
#include <stdlib.h>
#include <string.h>

#include "util/virerror.h"

typedef struct {
    virtTool *tool;
    gboolean dryRun;
    bool isOldName;               /* called as "revert" */
    struct libscols_table *table; /* with --json; otherwise NULL */
    GString *failures;            /* one a line */
} Unmanage;

typedef enum { UNMANAGED, WOULD_UNMANAGE, NOTHING, LOST, RUNNING, TRANSIENT, SAVED, SNAPSHOT, FAILED } Result;

/* What is told of a domain: a word for programs, and a sentence for people, which a detail may end. */
static const struct {
    const char *name, *sentence;
    bool warning;
} results[] = {
    [UNMANAGED] = {"unmanaged", "is no longer managed by libvirt-hostdev", false},
    [WOULD_UNMANAGE] = {"would-unmanage", "would no longer be managed by libvirt-hostdev", false},
    [NOTHING] = {"nothing", "is not managed by libvirt-hostdev", false},
    [LOST] = {"lost", "loses ", false},
    [RUNNING] = {"running", "is running: its VFs are restored when it stops. Keep libvirt-hostdev installed until then",
                 true},
    [TRANSIENT] =
        {"transient",
         "is transient and was left as it is: its VFs are restored when it stops. Keep libvirt-hostdev installed until then",
         true},
    [SAVED] =
        {"managed-save",
         "has a managed save image with settings of its devices, which was left as it is: start the domain while libvirt-hostdev is installed, or drop the image with virsh managedsave-remove",
         true},
    [SNAPSHOT] = {"snapshot", "has a snapshot with settings of its devices, which was left as it is: ", true},
    [FAILED] = {"failed", "", false},
};

/* The words for programs that differ under the command's old name. */
static const char *const oldNames[G_N_ELEMENTS(results)] = {
    [UNMANAGED] = "reverted",
    [WOULD_UNMANAGE] = "would-revert",
};

static void
addDomainFailure(GString *failures, const char *domain, const char *why)
{
    if (failures->len)
        g_string_append_c(failures, '\n');
    g_string_append_printf(failures, "Cannot unmanage domain '%s': %s", domain, why);
}

/* @detail: may be NULL */
static void
tellResult(Unmanage *unmanage, const char *domain, Result result, const char *detail)
{
    g_autofree char *text = g_strconcat(results[result].sentence, detail, NULL); /* @detail may end it */
    const char *cells[] = {domain, results[result].name, detail};

    virtToolProgressClear();
    if (unmanage->isOldName && oldNames[result])
        cells[1] = oldNames[result];
    if (results[result].warning)
        virtHostWarn(unmanage->tool->host, "Domain '%s' %s", domain, text);
    else if (result == FAILED)
        addDomainFailure(unmanage->failures, domain, detail);
    else if (!unmanage->table)
        printf("Domain '%s' %s\n", domain, text);
    if (unmanage->table)
        virtToolRow(unmanage->table, NULL, cells);
}

static bool
isOurs(const char *xml)
{
    return xml && virtDomainMentionsUs(xml, strlen(xml));
}

/* Rewrite what the next start is made from. Where nothing of it is ours, libvirt is not even asked to.
 *
 * @ret_ours: was there anything?
 */
static bool
unmanageConfig(Unmanage *unmanage, virDomainPtr domain, bool *ret_ours, GError **error)
{
    g_autofree char *xml = virtToolDomainXml(domain, VIR_DOMAIN_XML_INACTIVE | VIR_DOMAIN_XML_SECURE, error);
    g_autoptr(GPtrArray) lost = NULL;
    g_autofree char *stock = NULL;
    g_autoptr(virDomain) defined = NULL;
    Result result = UNMANAGED;

    if (!xml || (isOurs(xml) && !(stock = virtDomainRevert(xml, strlen(xml), &lost, error))))
        return false;
    *ret_ours = stock && !g_str_equal(stock, xml);
    if (!*ret_ours)
        return true;
    if (!unmanage->dryRun && !(defined = virDomainDefineXML(virDomainGetConnect(domain), stock))) {
        virtToolLibvirtError(error, "libvirt refused it");
        return false;
    }
    if (unmanage->dryRun)
        result = WOULD_UNMANAGE;
    tellResult(unmanage, virDomainGetName(domain), result, NULL);
    for (guint i = 0; i < lost->len; i++)
        tellResult(unmanage, virDomainGetName(domain), LOST, lost->pdata[i]);
    return true;
}

/* ---- what cannot be rewritten ---- */

/* Does libvirt say that this driver has nothing of the kind? */
static bool
isUnsupported(void)
{
    return virGetLastErrorCode() == VIR_ERR_NO_SUPPORT;
}

static bool
lookAtLive(Unmanage *unmanage, virDomainPtr domain, bool persistent, bool *ours, GError **error)
{
    g_autofree char *xml = NULL;
    Result result = TRANSIENT;

    if (persistent)
        result = RUNNING;
    if (virDomainIsActive(domain) != 1)
        return true;
    if (!(xml = virtToolDomainXml(domain, 0, error)))
        return false;
    if (isOurs(xml)) {
        tellResult(unmanage, virDomainGetName(domain), result, NULL);
        *ours = true;
    }
    return true;
}

static bool
lookAtImage(Unmanage *unmanage, virDomainPtr domain, bool *ours, GError **error)
{
    char *xml;

    if (virDomainHasManagedSaveImage(domain, 0) != 1)
        return true;
    xml = virDomainManagedSaveGetXMLDesc(domain, 0);
    if (!xml && !isUnsupported()) {
        virtToolLibvirtError(error, "libvirt did not return the XML of its managed save image");
        return false;
    }
    if (isOurs(xml)) {
        tellResult(unmanage, virDomainGetName(domain), SAVED, NULL);
        *ours = true;
    }
    free(xml);
    return true;
}

/* Takes the snapshot. */
static void
lookAtSnapshot(Unmanage *unmanage, virDomainPtr domain, virDomainSnapshotPtr snapshot, bool *ours, GError **error)
{
    char *xml = virDomainSnapshotGetXMLDesc(snapshot, 0);

    if (!xml && !*error) /* at once: the next call forgets libvirt's reason */
        virtToolLibvirtError(error, "libvirt did not return the XML of its snapshots");
    if (isOurs(xml)) {
        tellResult(unmanage, virDomainGetName(domain), SNAPSHOT, virDomainSnapshotGetName(snapshot));
        *ours = true;
    }
    free(xml);
    virDomainSnapshotFree(snapshot);
}

static bool
lookAtSnapshots(Unmanage *unmanage, virDomainPtr domain, bool *ours, GError **error)
{
    virDomainSnapshotPtr *snapshots = NULL;
    int n = virDomainListAllSnapshots(domain, &snapshots, 0);
    GError *failure = NULL;

    if (n < 0 && !isUnsupported())
        virtToolLibvirtError(&failure, "libvirt did not list its snapshots");
    for (int i = 0; i < n; i++)
        lookAtSnapshot(unmanage, domain, snapshots[i], ours, &failure);
    free(snapshots);
    if (failure)
        g_propagate_error(error, failure);
    return !failure;
}

/* ---- domains ---- */

/* *@ours becomes true where anything about the domain is ours, changed or not. */
static bool
lookAtAll(Unmanage *unmanage, virDomainPtr domain, bool *ours, GError **error)
{
    int persistent = virDomainIsPersistent(domain);

    if (persistent < 0) {
        virtToolLibvirtError(error, "libvirt does not say whether it is persistent");
        return false;
    }
    return (!persistent || unmanageConfig(unmanage, domain, ours, error)) &&
           lookAtLive(unmanage, domain, persistent, ours, error) && lookAtImage(unmanage, domain, ours, error) &&
           lookAtSnapshots(unmanage, domain, ours, error);
}

/* Takes the domain. @sayNothing: say so, where nothing is ours. */
static void
unmanageOne(Unmanage *unmanage, virDomainPtr domain, bool sayNothing)
{
    g_autoptr(virDomain) owned = domain;
    g_autoptr(GError) local = NULL;
    bool ours = false;

    if (!lookAtAll(unmanage, owned, &ours, &local))
        tellResult(unmanage, virDomainGetName(owned), FAILED, local->message);
    else if (!ours && sayNothing)
        tellResult(unmanage, virDomainGetName(owned), NOTHING, NULL);
}

static bool
unmanageAll(Unmanage *unmanage, virConnectPtr conn, GError **error)
{
    virDomainPtr *domains = NULL;
    int n = virConnectListAllDomains(conn, &domains, 0);

    if (n < 0) {
        virtToolLibvirtError(error, "libvirt does not list its domains");
        return false;
    }
    for (int i = 0; i < n; i++) {
        virtToolProgress(i, n, virDomainGetName(domains[i]));
        unmanageOne(unmanage, domains[i], false);
    }
    virtToolProgressClear();
    free(domains);
    return true;
}

static bool
unmanageNamed(Unmanage *unmanage, virConnectPtr conn, const char *name, GError **error)
{
    virDomainPtr domain = virtToolFindDomain(conn, name, error);

    if (!domain)
        return false;
    unmanageOne(unmanage, domain, true);
    return true;
}

static bool
checkUsage(int argc, gboolean all, GError **error)
{
    if ((all && argc == 1) || (!all && argc == 2))
        return true;
    g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                "give the name of one domain, or --all (see virt-hostdev unmanage --help)");
    return false;
}

bool
virtCmdUnmanage(virtTool *tool, int argc, char **argv, GError **error)
{
    static const char *const columns[] = {"DOMAIN", "RESULT", "DETAIL", NULL};
    g_autoptr(GString) failures = g_string_new(NULL);
    Unmanage unmanage = {.tool = tool, .failures = failures};
    gboolean all = FALSE;
    const GOptionEntry entries[] = {
        {"all", 0, 0, G_OPTION_ARG_NONE, &all, "every domain of this host", NULL},
        {"dry-run", 0, 0, G_OPTION_ARG_NONE, &unmanage.dryRun,
         "show what would be changed and lost, without changing anything", NULL},
        {NULL},
    };
    g_autoptr(virConnect) conn = NULL;
    bool ok;

    if (!virtToolOptions(tool, entries, &argc, &argv, 0, 1, error) || !checkUsage(argc, all, error) ||
        !(conn = virtToolConnectStock(tool, false, error)))
        return false;
    unmanage.isOldName = g_str_equal(argv[0], "revert");
    if (tool->json)
        unmanage.table = virtToolTable(tool, argv[0], columns);
    if (all)
        ok = unmanageAll(&unmanage, conn, error);
    else
        ok = unmanageNamed(&unmanage, conn, argv[1], error);
    if (unmanage.table)
        virtToolPrintTable(unmanage.table);
    if (ok && failures->len > 0)
        g_set_error_literal(error, VIRT_ERROR, VIRT_ERROR_REFUSED, failures->str);
    return ok && failures->len == 0;
}
