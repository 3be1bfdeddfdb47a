/* cmd_revert.c: virt-hostdev revert: domains written back, so that stock libvirt starts them without us
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Only what the next start is made from can be rewritten. What a guest runs with, and what was saved with one, is named
 * instead, for the operator to wait for or to drop.
 */
#include "tools/tool.h"
#include "util/virerror.h"

#include <libvirt/virterror.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    virtTool *tool;
    gboolean dryRun;
    struct libscols_table *table; /* with --json; otherwise NULL */
    GString *failures;            /* one a line */
} Revert;

typedef enum { REVERTED, WOULD_REVERT, NOTHING, LOST, RUNNING, TRANSIENT, SAVED, SNAPSHOT, FAILED } Result;

/* What is told of a domain: a word for programs, and a sentence for people, which a detail may end. */
static const struct {
    const char *name, *sentence;
    bool warning;
} results[] = {
    [REVERTED] = {"reverted", "reverted", false},
    [WOULD_REVERT] = {"would-revert", "would be reverted", false},
    [NOTHING] = {"nothing", "has nothing to revert", false},
    [LOST] = {"lost", "loses ", false},
    [RUNNING] = {"running", "runs: its VFs go back when it stops. Keep libvirt-hostdev until then", true},
    [TRANSIENT] =
        {"transient",
         "is transient, and was left as it is: its VFs go back when it stops. Keep libvirt-hostdev until then", true},
    [SAVED] = {"managed-save",
               "was saved with its netdevs, and the image was left as it is: start the domain while libvirt-hostdev is "
               "there, or drop the image with virsh managedsave-remove",
               true},
    [SNAPSHOT] = {"snapshot", "keeps its netdevs in a snapshot, which was left as it is: ", true},
    [FAILED] = {"failed", "", false},
};

static void
addFailure(GString *failures, const char *domain, const char *why)
{
    if (failures->len)
        g_string_append_c(failures, '\n');
    g_string_append_printf(failures, "Domain '%s' was not reverted: %s", domain, why);
}

/* @detail: may be NULL */
static void
tell(Revert *revert, const char *domain, Result result, const char *detail)
{
    g_autofree char *text = g_strconcat(results[result].sentence, detail, NULL); /* @detail may end it */
    const char *const cells[] = {domain, results[result].name, detail};

    if (results[result].warning)
        virtHostWarn(revert->tool->host, "Domain '%s' %s", domain, text);
    else if (result == FAILED)
        addFailure(revert->failures, domain, detail);
    else if (!revert->table)
        printf("Domain '%s' %s\n", domain, text);
    if (revert->table)
        virtToolRow(revert->table, NULL, cells);
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
revertConfig(Revert *revert, virDomainPtr domain, bool *ret_ours, GError **error)
{
    g_autofree char *xml = virtToolDomainXml(domain, VIR_DOMAIN_XML_INACTIVE | VIR_DOMAIN_XML_SECURE, error);
    g_autoptr(GPtrArray) lost = NULL;
    g_autofree char *stock = NULL;
    g_autoptr(virDomain) defined = NULL;
    Result result = REVERTED;

    if (!xml || (isOurs(xml) && !(stock = virtDomainRevert(xml, strlen(xml), &lost, error))))
        return false;
    *ret_ours = stock && !g_str_equal(stock, xml);
    if (!*ret_ours)
        return true;
    if (!revert->dryRun && !(defined = virDomainDefineXML(virDomainGetConnect(domain), stock))) {
        virtToolLibvirtError(error, "libvirt refused it");
        return false;
    }
    if (revert->dryRun)
        result = WOULD_REVERT;
    tell(revert, virDomainGetName(domain), result, NULL);
    for (guint i = 0; i < lost->len; i++)
        tell(revert, virDomainGetName(domain), LOST, lost->pdata[i]);
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
lookAtLive(Revert *revert, virDomainPtr domain, bool persistent, bool *ours, GError **error)
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
        tell(revert, virDomainGetName(domain), result, NULL);
        *ours = true;
    }
    return true;
}

static bool
lookAtImage(Revert *revert, virDomainPtr domain, bool *ours, GError **error)
{
    char *xml;

    if (virDomainHasManagedSaveImage(domain, 0) != 1)
        return true;
    xml = virDomainManagedSaveGetXMLDesc(domain, 0);
    if (!xml && !isUnsupported()) {
        virtToolLibvirtError(error, "libvirt did not give the XML of its managed save image");
        return false;
    }
    if (isOurs(xml)) {
        tell(revert, virDomainGetName(domain), SAVED, NULL);
        *ours = true;
    }
    free(xml);
    return true;
}

/* Takes the snapshot. */
static void
lookAtSnapshot(Revert *revert, virDomainPtr domain, virDomainSnapshotPtr snapshot, bool *ours, GError **error)
{
    char *xml = virDomainSnapshotGetXMLDesc(snapshot, 0);

    if (!xml && !*error) /* at once: the next call forgets libvirt's reason */
        virtToolLibvirtError(error, "libvirt did not give the XML of its snapshots");
    if (isOurs(xml)) {
        tell(revert, virDomainGetName(domain), SNAPSHOT, virDomainSnapshotGetName(snapshot));
        *ours = true;
    }
    free(xml);
    virDomainSnapshotFree(snapshot);
}

static bool
lookAtSnapshots(Revert *revert, virDomainPtr domain, bool *ours, GError **error)
{
    virDomainSnapshotPtr *snapshots = NULL;
    int n = virDomainListAllSnapshots(domain, &snapshots, 0);
    GError *failure = NULL;

    if (n < 0 && !isUnsupported())
        virtToolLibvirtError(&failure, "libvirt did not list its snapshots");
    for (int i = 0; i < n; i++)
        lookAtSnapshot(revert, domain, snapshots[i], ours, &failure);
    free(snapshots);
    if (failure)
        g_propagate_error(error, failure);
    return !failure;
}

/* ---- domains ---- */

/* *@ours becomes true where anything about the domain is ours, changed or not. */
static bool
lookAtAll(Revert *revert, virDomainPtr domain, bool *ours, GError **error)
{
    int persistent = virDomainIsPersistent(domain);

    if (persistent < 0) {
        virtToolLibvirtError(error, "libvirt does not say whether it is persistent");
        return false;
    }
    return (!persistent || revertConfig(revert, domain, ours, error)) &&
           lookAtLive(revert, domain, persistent, ours, error) && lookAtImage(revert, domain, ours, error) &&
           lookAtSnapshots(revert, domain, ours, error);
}

/* Takes the domain. @sayNothing: say so, where nothing is ours. */
static void
revertOne(Revert *revert, virDomainPtr domain, bool sayNothing)
{
    g_autoptr(virDomain) owned = domain;
    g_autoptr(GError) local = NULL;
    bool ours = false;

    if (!lookAtAll(revert, owned, &ours, &local))
        tell(revert, virDomainGetName(owned), FAILED, local->message);
    else if (!ours && sayNothing)
        tell(revert, virDomainGetName(owned), NOTHING, NULL);
}

static bool
revertAll(Revert *revert, virConnectPtr conn, GError **error)
{
    virDomainPtr *domains = NULL;
    int n = virConnectListAllDomains(conn, &domains, 0);

    if (n < 0) {
        virtToolLibvirtError(error, "libvirt does not list its domains");
        return false;
    }
    for (int i = 0; i < n; i++)
        revertOne(revert, domains[i], false);
    free(domains);
    return true;
}

static bool
revertNamed(Revert *revert, virConnectPtr conn, const char *name, GError **error)
{
    virDomainPtr domain = virtToolFindDomain(conn, name, error);

    if (!domain)
        return false;
    revertOne(revert, domain, true);
    return true;
}

static bool
checkUsage(int argc, gboolean all, GError **error)
{
    if ((all && argc == 1) || (!all && argc == 2))
        return true;
    g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                "give the name of one domain, or --all (see virt-hostdev revert --help)");
    return false;
}

bool
virtCmdRevert(virtTool *tool, int argc, char **argv, GError **error)
{
    static const char *const columns[] = {"DOMAIN", "RESULT", "DETAIL", NULL};
    g_autoptr(GString) failures = g_string_new(NULL);
    Revert revert = {.tool = tool, .failures = failures};
    gboolean all = FALSE;
    const GOptionEntry entries[] = {
        {"all", 0, 0, G_OPTION_ARG_NONE, &all, "every domain of this host", NULL},
        {"dry-run", 0, 0, G_OPTION_ARG_NONE, &revert.dryRun, "say what would be done and lost, and change nothing",
         NULL},
        {NULL},
    };
    g_autoptr(virConnect) conn = NULL;
    bool ok;

    if (!virtToolOptions(tool, entries, &argc, &argv, 0, 1, error) || !checkUsage(argc, all, error) ||
        !(conn = virtToolConnectStock(tool, false, error)))
        return false;
    if (tool->json)
        revert.table = virtToolTable(tool, "revert", columns);
    if (all)
        ok = revertAll(&revert, conn, error);
    else
        ok = revertNamed(&revert, conn, argv[1], error);
    if (revert.table)
        virtToolPrintTable(revert.table);
    if (ok && failures->len > 0)
        g_set_error_literal(error, VIRT_ERROR, VIRT_ERROR_REFUSED, failures->str);
    return ok && failures->len == 0;
}
