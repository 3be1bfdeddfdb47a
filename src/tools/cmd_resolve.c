/* cmd_resolve.c: virt-hostdev resolve: domains whose VFs have other addresses by now, or are somebody else's
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A domain keeps the address of what was found for it. Cards move, and VFs get other addresses when they are made anew:
 * then the domain does not start, since what is at the address now may be anybody's. Here it is looked for again, and
 * the domain defined with what is found. A guest that runs keeps what it has.
 */
#include "tools/tool.h"

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

/* Look for what the domain asks for, and define it with that. */
static bool
resolveConfig(Resolve *resolve, virDomainPtr domain, GError **error)
{
    const char *name = virDomainGetName(domain);
    g_autofree char *xml = virtToolDomainXml(domain, VIR_DOMAIN_XML_INACTIVE | VIR_DOMAIN_XML_SECURE, error);
    g_autofree char *text = NULL;
    g_autoptr(GArray) wishes = NULL, were = NULL, named = NULL;
    g_autoptr(virDomain) defined = NULL;
    virtChooseMode mode = {0};

    if (!xml || !(wishes = virtDomainListWishes(xml, strlen(xml), NULL, 0, error)))
        return false;
    if (wishes->len == 0)
        return true;
    were = g_array_copy(wishes);
    if (!(named = virtToolListNamed(resolve->conn, name, error)))
        return false;
    mode.named = named;
    if (!virtProvisionChoose(resolve->tool->host, wishes, &mode, error) ||
        !(text = virtDomainGrantWishes(xml, strlen(xml), NULL, 0, wishes, error)))
        return false;
    if (!resolve->dryRun && !g_str_equal(text, xml) && !(defined = virDomainDefineXML(resolve->conn, text))) {
        virtToolLibvirtError(error, "libvirt refused it");
        return false;
    }
    tellAll(resolve, name, wishes, were);
    return true;
}

/* Takes the domain. */
static void
resolveOne(Resolve *resolve, virDomainPtr domain)
{
    g_autoptr(virDomain) owned = domain;
    g_autoptr(GError) local = NULL;

    if (virDomainIsPersistent(owned) == 0 || resolveConfig(resolve, owned, &local))
        return;
    if (resolve->failures->len)
        g_string_append_c(resolve->failures, '\n');
    g_string_append_printf(resolve->failures, "Domain '%s': %s", virDomainGetName(owned), local->message);
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

bool
virtCmdResolve(virtTool *tool, int argc, char **argv, GError **error)
{
    static const char *const columns[] = {"DOMAIN", "ASKS", "WAS", "IS", "CHANGED", NULL};
    g_autoptr(GString) failures = g_string_new(NULL);
    Resolve resolve = {.tool = tool, .failures = failures};
    gboolean all = FALSE;
    const GOptionEntry entries[] = {
        {"all", 0, 0, G_OPTION_ARG_NONE, &all, "every domain of this host", NULL},
        {"dry-run", 0, 0, G_OPTION_ARG_NONE, &resolve.dryRun, "show what is found, without changing anything", NULL},
        {NULL},
    };
    g_autoptr(virConnect) conn = NULL;
    bool ok;

    if (!virtToolOptions(tool, entries, &argc, &argv, 0, -1, error))
        return false;
    if (all == (argc > 1)) {
        g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                    "give the names of domains, or --all (see virt-hostdev resolve --help)");
        return false;
    }
    if (!(conn = virtToolConnectStock(tool, false, error)))
        return false;
    resolve.conn = conn;
    if (tool->json)
        resolve.table = virtToolTable(tool, argv[0], columns);
    if (all)
        ok = resolveAll(&resolve, error);
    else
        ok = resolveNamed(&resolve, argv + 1, error);
    if (resolve.table)
        virtToolPrintTable(resolve.table);
    if (ok && failures->len > 0)
        g_set_error_literal(error, VIRT_ERROR, VIRT_ERROR_REFUSED, failures->str);
    return ok && failures->len == 0;
}
