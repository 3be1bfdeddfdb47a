/* cmd_list.c: virt-hostdev list: the host's PFs, their ports, and the VFs behind each port
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "tools/cmd_list.h"

/* Settings that were left over and cannot go back yet, because somebody else has the VF. */
static void
warnWaiting(virtHost *host)
{
    g_autoptr(virtHostReads) reads G_GNUC_UNUSED = virtHostReadOnce(host);
    g_autoptr(GPtrArray) records = virtProvisionRecordList(host, NULL);

    for (guint i = 0; records && i < records->len; i++) {
        g_autofree char *waits = virtProvisionWaits(host, records->pdata[i]);

        if (waits)
            virtHostWarn(host, "%s", waits);
    }
}

static const char *
linkState(const virtPort *port)
{
    if (port->up)
        return "up";
    return "down";
}

/* ---- as a tree ---- */

#define FIRST_ATTR 3 /* columns before the attributes; the owner comes last */
#define COLUMNS (FIRST_ATTR + VIRT_NETDEV_ATTR_LAST + 1)

typedef struct {
    struct libscols_table *table;
    struct libscols_line *pf, *port;
    bool used[VIRT_NETDEV_ATTR_LAST]; /* attributes that some VF has */
} Tree;

static void
addToTree(const virtListPlace *place, void *opaque)
{
    Tree *tree = opaque;
    const char *cells[COLUMNS] = {place->pf, NULL, place->driver};
    char *values[VIRT_NETDEV_ATTR_LAST] = {NULL};
    struct libscols_line *line;

    for (guint attr = 0; place->netdev && attr < VIRT_NETDEV_ATTR_LAST; attr++) {
        if (!virtNetdevHas(place->netdev, attr))
            continue;
        cells[FIRST_ATTR + attr] = values[attr] = virtNetdevAttrs[attr].format(place->netdev);
        tree->used[attr] = true;
    }
    if (place->vf) {
        g_autofree char *index = g_strdup_printf("VF %u", place->vf->index);

        cells[0] = place->vf->name;
        cells[1] = index;
        cells[COLUMNS - 1] = place->owner;
        line = virtToolRow(tree->table, tree->port, cells);
        if (place->owner)
            virtToolColorRow(line, VIRT_COLOR_GOOD);
    } else if (place->port) {
        g_autofree char *number = g_strdup_printf("port %u (%s)", place->port->port, linkState(place->port));

        cells[0] = place->port->ifname;
        cells[1] = number;
        tree->port = virtToolRow(tree->table, tree->pf, cells);
        if (!place->port->up)
            virtToolColorRow(tree->port, VIRT_COLOR_WARN);
    } else {
        cells[1] = "PF";
        tree->pf = virtToolRow(tree->table, NULL, cells);
    }
    for (guint attr = 0; attr < VIRT_NETDEV_ATTR_LAST; attr++)
        g_free(values[attr]);
}

static void
printTree(virtTool *tool)
{
    const char *columns[COLUMNS + 1] = {"NAME", "KIND", "DRIVER"};
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
    Tree tree = {NULL};

    for (guint attr = 0; attr < VIRT_NETDEV_ATTR_LAST; attr++) {
        g_ptr_array_add(names, g_ascii_strup(virtNetdevAttrs[attr].name, -1));
        columns[FIRST_ATTR + attr] = names->pdata[attr];
    }
    columns[COLUMNS - 1] = "OWNER";
    tree.table = virtToolTable(tool, "pfs", columns);
    virtListVisit(tool->host, addToTree, &tree);
    for (guint attr = 0; attr < VIRT_NETDEV_ATTR_LAST && !tool->json; attr++) {
        if (!tree.used[attr])
            scols_column_set_flags(scols_table_get_column(tree.table, FIRST_ATTR + attr), SCOLS_FL_HIDDEN);
    }
    virtToolPrintTable(tree.table);
}

/* A host without PFs is no mistake, but whoever looks for his card wants to hear it. */
static void
warnNoPF(virtHost *host)
{
    g_autoptr(GPtrArray) pfs = virtPCIListPFs(host);

    if (!pfs || pfs->len == 0)
        virtHostWarn(
            host,
            "No PCI device of this host offers SR-IOV, so there is no PF to list. Where there should be one, enable SR-IOV and the IOMMU in the firmware's setup");
}

bool
virtCmdList(virtTool *tool, int argc, char **argv, GError **error)
{
    gboolean dot = FALSE;
    const GOptionEntry entries[] = {
        {"dot", 0, 0, G_OPTION_ARG_NONE, &dot, "print a picture of the host for Graphviz", NULL},
        {NULL},
    };

    if (!virtToolOptions(tool, entries, &argc, &argv, 0, 0, error))
        return false;
    warnWaiting(tool->host);
    if (dot)
        virtListDraw(tool->host);
    else
        printTree(tool);
    if (!dot && !tool->json)
        warnNoPF(tool->host);
    return true;
}
