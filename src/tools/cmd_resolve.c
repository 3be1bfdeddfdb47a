/* cmd_resolve.c: virt-hostdev resolve: domains whose VFs have other addresses by now, or are somebody else's
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A domain keeps the address of what was found for it. Cards move, and VFs get other addresses when they are made anew:
 * then the domain does not start, since what is at the address now may be anybody's. Here it is looked for again, and
 * the domain defined with what is found. A guest that runs keeps what it has.
 *
 * Before libvirt's daemon starts, and with it guests that are autostarted, there is nobody to define a domain: then the
 * address is put into libvirt's own file.
 */
#include "tools/stored_file.h"

#include <stdlib.h>
#include <string.h>

#include "util/virerror.h"

typedef struct {
    virtTool *tool;
    virConnectPtr conn;
    gboolean dryRun;
    struct libscols_table *table; /* with --json; otherwise NULL */
    GString *failures;            /* one a line */
} Resolve;

static void
beginTable(Resolve *resolve)
{
    static const char *const columns[] = {"DOMAIN", "ASKS", "WAS", "IS", "CHANGED", NULL};

    if (resolve->tool->json)
        resolve->table = virtToolTable(resolve->tool, "resolve", columns);
}

static void
tell(Resolve *resolve, const char *domain, const virtWish *wish, const virtHandle *was)
{
    g_autofree char *asks = virtChoiceDescribe(&wish->choice);
    bool changed = !virtHandleEqual(&wish->handle, was);
    const char *cells[] = {domain, asks, was->name, wish->handle.name, virtToolYesNo(changed)};
    const char *verb = resolve->dryRun ? "would now be" : "is now";

    virtToolProgressClear();
    if (resolve->table)
        virtToolRow(resolve->table, NULL, cells);
    else if (changed)
        printf("Domain '%s': %s %s %s, no longer %s\n", domain, asks, verb, wish->handle.name, was->name);
    else
        printf("Domain '%s': %s is still %s\n", domain, asks, was->name);
}

static void
tellAll(Resolve *resolve, const char *domain, const GArray *wishes, const GArray *were)
{
    for (guint i = 0; i < wishes->len; i++) {
        const virtWish *wish = &g_array_index(wishes, virtWish, i);

        if (wish->choice.by != VIRT_CHOICE_NONE)
            tell(resolve, domain, wish, &g_array_index(were, virtWish, i).handle);
    }
}

/* @xml with what is found for @wishes, those of its devices; for g_free().
 * @keep: an address that is still one of what is asked for stays, whoever has it
 */
static char *
resolveXml(Resolve *resolve, const char *xml, const GArray *named, bool keep, GArray *wishes, GError **error)
{
    virtAffinity affinity;
    const virtChooseMode mode = {.named = named, .affinity = &affinity, .keep = keep};

    virtAffinityReadXml(xml, strlen(xml), &affinity);
    if (!virtProvisionChoose(resolve->tool->host, wishes, &mode, error))
        return NULL;
    return virtDomainGrantWishes(xml, strlen(xml), NULL, 0, wishes, error);
}

/* Look for what the domain asks for, and define it with that. */
static bool
resolveConfig(Resolve *resolve, virDomainPtr domain, GError **error)
{
    const char *name = virDomainGetName(domain);
    g_autofree char *xml = virtToolDomainXml(domain, VIR_DOMAIN_XML_INACTIVE | VIR_DOMAIN_XML_SECURE, error);
    g_autofree char *text = NULL;
    g_autoptr(GArray) wishes = NULL, were = NULL, named = NULL;
    g_autoptr(virDomain) defined = NULL;
    bool keep = virDomainIsActive(domain) == 1;

    if (!xml || !(wishes = virtDomainListWishes(xml, strlen(xml), NULL, 0, error)))
        return false;
    if (wishes->len == 0)
        return true;
    were = g_array_copy(wishes);
    if (!(named = virtToolListNamed(resolve->conn, name, error)))
        return false;
    if (!(text = resolveXml(resolve, xml, named, keep, wishes, error)))
        return false;
    if (!resolve->dryRun && !g_str_equal(text, xml) && !(defined = virDomainDefineXML(resolve->conn, text))) {
        virtToolLibvirtError(error, "libvirt refused it");
        return false;
    }
    tellAll(resolve, name, wishes, were);
    return true;
}

static void
addFailure(Resolve *resolve, const char *name, const GError *error)
{
    if (resolve->failures->len)
        g_string_append_c(resolve->failures, '\n');
    g_string_append_printf(resolve->failures, "Domain '%s': %s", name, error->message);
}

/* Takes the domain. */
static void
resolveOne(Resolve *resolve, virDomainPtr domain)
{
    g_autoptr(virDomain) owned = domain;
    g_autoptr(GError) local = NULL;

    if (virDomainIsPersistent(owned) == 0 || resolveConfig(resolve, owned, &local))
        return;
    addFailure(resolve, virDomainGetName(owned), local);
}

static bool
resolveAll(Resolve *resolve, GError **error)
{
    virDomainPtr *domains = NULL;
    int n = virConnectListAllDomains(resolve->conn, &domains, VIR_CONNECT_LIST_DOMAINS_PERSISTENT);

    if (n < 0) {
        virtToolLibvirtError(error, "libvirt does not list its domains");
        return false;
    }
    for (int i = 0; i < n; i++) {
        virtToolProgress((guint)i, (guint)n, virDomainGetName(domains[i]));
        resolveOne(resolve, domains[i]);
    }
    virtToolProgressClear();
    free(domains);
    return true;
}

static bool
resolveNamed(Resolve *resolve, char *const *names, GError **error)
{
    for (; *names; names++) {
        virDomainPtr domain = virtToolFindDomain(resolve->conn, *names, error);

        if (!domain)
            return false;
        resolveOne(resolve, domain);
    }
    return true;
}

/* ---- without libvirt's daemon ---- */

static bool
resolveFile(Resolve *resolve, const GPtrArray *files, virtStoredFile *file, GError **error)
{
    g_autoptr(GArray) wishes = virtDomainListWishes(file->text, strlen(file->text), file->path, 0, error);
    g_autoptr(GArray) were = NULL, named = NULL;
    g_autofree char *text = NULL;

    if (!wishes)
        return false;
    if (wishes->len == 0)
        return true;
    were = g_array_copy(wishes);
    named = virtStoredFileListNamed(files, file);
    if (!(text = resolveXml(resolve, file->text, named, true, wishes, error)))
        return false;
    if (!resolve->dryRun && !g_str_equal(text, file->text) &&
        (!virtStoredFileCheckStopped(resolve->tool->host, error) || !virtStoredFileReplace(file, text, error)))
        return false;
    tellAll(resolve, file->domain->name, wishes, were);
    return true;
}

/* A guest that runs without the daemon keeps what it has. */
static void
resolveStored(Resolve *resolve, const GPtrArray *files, virtStoredFile *file)
{
    g_autoptr(GError) local = NULL;

    if (!file->runs && !resolveFile(resolve, files, file, &local))
        addFailure(resolve, file->domain->name, local);
}

static virtStoredFile *
findFile(const GPtrArray *files, const char *name, GError **error)
{
    for (guint i = 0; i < files->len; i++) {
        virtStoredFile *file = files->pdata[i];

        if (g_str_equal(file->domain->name, name))
            return file;
    }
    g_set_error(error, VIRT_ERROR, VIRT_ERROR_NOT_FOUND, "libvirt has stored no domain '%s'", name);
    return NULL;
}

/* Nobody starts a guest meanwhile, so what cards and guests there are is read once.
 *
 * @names: none for all
 */
static bool
resolveOffline(Resolve *resolve, char *const *names, GError **error)
{
    g_autoptr(virtHostReads) reads G_GNUC_UNUSED = virtHostReadOnce(resolve->tool->host);
    g_autoptr(GPtrArray) files = NULL;
    virtStoredFile *file;

    if (!virtStoredFileCheckStopped(resolve->tool->host, error) ||
        !(files = virtStoredFileList(resolve->tool->host, error)))
        return false;
    beginTable(resolve);
    for (guint i = 0; !*names && i < files->len; i++)
        resolveStored(resolve, files, files->pdata[i]);
    for (; *names; names++) {
        if (!(file = findFile(files, *names, error)))
            return false;
        resolveStored(resolve, files, file);
    }
    return true;
}

/* ---- the command ---- */

static bool
resolveOnline(Resolve *resolve, char *const *names, GError **error)
{
    g_autoptr(virConnect) conn = virtToolConnectStock(resolve->tool, false, error);

    if (!conn)
        return false;
    resolve->conn = conn;
    beginTable(resolve);
    if (*names)
        return resolveNamed(resolve, names, error);
    return resolveAll(resolve, error);
}

bool
virtCmdResolve(virtTool *tool, int argc, char **argv, GError **error)
{
    g_autoptr(GString) failures = g_string_new(NULL);
    Resolve resolve = {.tool = tool, .failures = failures};
    gboolean all = FALSE, offline = FALSE;
    const GOptionEntry entries[] = {
        {"all", 0, 0, G_OPTION_ARG_NONE, &all, "every domain of this host", NULL},
        {"dry-run", 0, 0, G_OPTION_ARG_NONE, &resolve.dryRun, "show what is found, without changing anything", NULL},
        {"offline", 0, 0, G_OPTION_ARG_NONE, &offline, "in libvirt's own files, while its daemon does not run", NULL},
        {NULL},
    };
    bool ok;

    if (!virtToolOptions(tool, entries, &argc, &argv, 0, -1, error))
        return false;
    if (all == (argc > 1)) {
        g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                    "give the names of domains, or --all (see virt-hostdev resolve --help)");
        return false;
    }
    if (offline)
        ok = resolveOffline(&resolve, argv + 1, error);
    else
        ok = resolveOnline(&resolve, argv + 1, error);
    if (resolve.table)
        virtToolPrintTable(resolve.table);
    if (ok && failures->len > 0)
        g_set_error_literal(error, VIRT_ERROR, VIRT_ERROR_REFUSED, failures->str);
    return ok && failures->len == 0;
}
