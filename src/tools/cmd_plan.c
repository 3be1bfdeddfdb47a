/* cmd_plan.c: virt-hostdev plan: a start's changes, before there are any
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "tools/tool.h"

#include <string.h>

#include "util/virerror.h"

/* The domain as libvirt would start it next. Only libvirt itself tells an <interface> that is left to it from one that
 * is shown for a <hostdev> of ours. */
static virtDomainConf *
definedDomain(virtTool *tool, const char *name, GError **error)
{
    g_autoptr(virConnect) conn = virtToolConnectStock(tool, true, error);
    g_autofree char *xml = virtToolGetXml(conn, name, VIR_DOMAIN_XML_INACTIVE, error);

    if (!xml)
        return NULL;
    return virtDomainConfParse(xml, strlen(xml), NULL, 0, error);
}

static void
addPlanLine(struct libscols_table *table, const virtPlanRow *row)
{
    g_autofree char *vf = g_strdup_printf("%u", row->vf);
    g_autofree char *port = g_strdup_printf("%u", row->port);
    g_autofree char *effect = NULL;
    const char *ports = row->ports, *change = row->problem;

    if (!ports && row->port)
        ports = port;
    if (row->effect)
        effect = g_strdup_printf("yes, %s", row->effect);
    if (row->later)
        change = "yes, at the VF that libvirt chooses";
    else if (!change && effect)
        change = effect;
    else if (!change)
        change = virtToolYesNo(row->differs);
    if (row->later)
        g_clear_pointer(&vf, g_free);
    virtToolRow(
        table, NULL,
        (const char *[]){row->device, vf, ports, row->ifname, row->attr, row->from, row->to, change, row->profile});
}

static guint
printPlan(virtTool *tool, const GPtrArray *rows)
{
    static const char *const columns[] = {"DEVICE", "VF", "PORT",   "NETDEV",  "SETTING",
                                          "FROM",   "TO", "CHANGE", "PROFILE", NULL};
    struct libscols_table *table = virtToolTable(tool, "plan", columns);
    guint problems = 0;

    for (guint i = 0; i < rows->len; i++) {
        const virtPlanRow *row = rows->pdata[i];

        addPlanLine(table, row);
        problems += row->problem != NULL;
    }
    virtToolPrintTable(table);
    return problems;
}

/* Which of @hostdevs this host's libvirt cannot take as they are wanted; without libvirt nobody knows. */
static void
planLibvirt(virtTool *tool, GPtrArray *rows, const GPtrArray *hostdevs)
{
    g_autoptr(virConnect) conn = virtToolConnect(tool, true, NULL);
    unsigned long version = 0;

    if (conn && virConnectGetLibVersion(conn, &version) == 0)
        virtProvisionPlanLibvirt(rows, hostdevs, version);
}

bool
virtCmdPlan(virtTool *tool, int argc, char **argv, GError **error)
{
    gboolean isDomain = FALSE;
    const GOptionEntry entries[] = {
        {"domain", 0, 0, G_OPTION_ARG_NONE, &isDomain, "FILE is the name of a defined domain", NULL},
        {NULL},
    };
    g_autoptr(virtDomainConf) domain = NULL;
    g_autoptr(virtOwner) owner = NULL;
    g_autoptr(GPtrArray) rows = NULL;
    const char *name;
    guint problems;

    if (!virtToolOptions(tool, entries, &argc, &argv, 1, 1, error))
        return false;
    if (isDomain)
        domain = definedDomain(tool, argv[1], error);
    else
        domain = virtToolReadDomain(tool, argv[1], VIRT_DOMAIN_INTERFACES, error);
    if (!domain)
        return false;
    name = domain->name;
    if (!name)
        name = argv[1];
    if (isDomain && !virtProvisionChooseCheck(tool->host, name, domain->hostdevs, error))
        return false;
    owner = virtOwnerNew(name, domain->uuid);
    rows = virtProvisionPlan(tool->host, owner, domain->hostdevs);
    virtProvisionPlanPFs(tool->host, rows, domain->devices);
    planLibvirt(tool, rows, domain->hostdevs);
    problems = printPlan(tool, rows);
    if (problems == 0)
        return true;
    g_set_error(error, VIRT_ERROR, VIRT_ERROR_REFUSED, "A start would fail: %u of the settings above would be refused",
                problems);
    return false;
}
