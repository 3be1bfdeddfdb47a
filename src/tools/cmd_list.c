/* cmd_list.c: virt-hostdev list: the host's cards, their PFs, their ports, and the VFs behind each port; what mediated
 * devices can be made of; the vGPUs of VFs
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "tools/cmd_list.h"

#include <string.h>

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

enum {
    NAME,
    KIND,
    DRIVER,
    FIRST_ATTR,
    REPRESENTOR = FIRST_ATTR + VIRT_NETDEV_ATTR_LAST,
    MIGRATION,
    OWNER,
    CARD,
    FUNCTION,
    SERIAL,
    SERIAL_FROM,
    PART,
    PRODUCT,
    FLAW,
    COLUMNS
};

/* Those behind the owner: a card is a row for people, and keys of its PFs for programs. */
static const char *const forPeople[] = {"CARD", NULL};
static const char *const forPrograms[] = {"CARD", "FUNCTION", "SERIAL",   "SERIAL_FROM",
                                          "PART", "PRODUCT",  "VPD_FLAW", NULL};

G_STATIC_ASSERT(G_N_ELEMENTS(forPrograms) == COLUMNS - CARD + 1);

typedef struct {
    bool json;
    struct libscols_table *table;
    struct libscols_line *card, *pf, *port; /* card: NULL for programs */
    bool used[COLUMNS];                     /* those of VFs: whether any has it */
} Tree;

/* Domain, bus and slot, which its functions share. */
static char *
nameCard(const virtPCICard *card)
{
    char name[VIRT_PCI_ADDRESS_LEN];

    virtPCIAddressFormat(&g_array_index(card->pfs, virtPCIAddress, 0), name);
    return g_strndup(name, strcspn(name, "."));
}

static void
addCard(Tree *tree, const virtPCICard *card)
{
    g_autofree char *name = nameCard(card);
    g_autofree char *text = virtListDescribeCard(card);
    const char *cells[COLUMNS] = {[NAME] = name, [KIND] = "card", [CARD] = text};

    if (!tree->json)
        tree->card = virtToolRow(tree->table, NULL, cells);
}

static void
addPF(Tree *tree, const virtListPlace *place)
{
    const virtPCICard *card = place->card;
    const char *function = strchr(place->pf, '.') + 1;
    g_autofree char *name = nameCard(card);
    g_autofree char *kind = g_strconcat("PF ", function, NULL);
    const char *cells[COLUMNS] = {[NAME] = place->pf, [KIND] = kind, [DRIVER] = place->driver};

    if (tree->json) {
        cells[KIND] = "PF";
        cells[CARD] = name;
        cells[FUNCTION] = function;
        cells[SERIAL] = card->serial;
        cells[SERIAL_FROM] = card->from;
        cells[PART] = card->part;
        cells[PRODUCT] = card->product;
        cells[FLAW] = card->flaw;
    }
    tree->pf = virtToolRow(tree->table, tree->card, cells);
}

static void
addPort(Tree *tree, const virtPort *port)
{
    g_autofree char *kind = g_strdup_printf("port %u (%s)", port->port, linkState(port));
    const char *cells[COLUMNS] = {[NAME] = port->ifname, [KIND] = kind};

    tree->port = virtToolRow(tree->table, tree->pf, cells);
    if (!port->up)
        virtToolColorRow(tree->port, VIRT_COLOR_WARN);
}

/* Can a VF migrate with its guest: has it a function that can, and this kernel a driver for that? For g_free(); NULL:
 * neither. */
static char *
describeMigration(const virtListPlace *place, const virtDevlinkPort *function)
{
    const virtFunction *now = NULL;

    if (function && virtSettingHas(&function->function, VIRT_FUNCTION_MIGRATABLE))
        now = &function->function;
    if (!now)
        return g_strdup(place->variant);
    if (!place->variant)
        return g_strdup("no driver");
    if (now->flags[VIRT_FUNCTION_MIGRATABLE])
        return g_strconcat("on, ", place->variant, NULL);
    return g_strconcat("off, ", place->variant, NULL);
}

static void
addVF(Tree *tree, const virtListPlace *place)
{
    g_autofree char *kind = g_strdup_printf("VF %u", place->vf->index);
    const char *cells[COLUMNS] = {
        [NAME] = place->vf->name, [KIND] = kind, [DRIVER] = place->driver, [OWNER] = place->owner};
    const virtDevlinkPort *function = virtVFGetFunction(place->vf, place->port);
    g_autofree char *migration = describeMigration(place, function);
    char *values[VIRT_NETDEV_ATTR_LAST] = {NULL};
    struct libscols_line *line;

    if (function && *function->netdev)
        cells[REPRESENTOR] = function->netdev;
    cells[MIGRATION] = migration;
    for (guint attr = 0; place->netdev && attr < VIRT_NETDEV_ATTR_LAST; attr++) {
        if (!virtNetdevHas(place->netdev, attr))
            continue;
        cells[FIRST_ATTR + attr] = values[attr] = virtNetdevAttrs[attr].format(place->netdev);
    }
    for (guint column = FIRST_ATTR; column < OWNER; column++)
        tree->used[column] |= cells[column] != NULL;
    line = virtToolRow(tree->table, tree->port, cells);
    if (place->owner)
        virtToolColorRow(line, VIRT_COLOR_GOOD);
    for (guint attr = 0; attr < VIRT_NETDEV_ATTR_LAST; attr++)
        g_free(values[attr]);
}

static void
addToTree(const virtListPlace *place, void *opaque)
{
    if (place->vf)
        addVF(opaque, place);
    else if (place->port)
        addPort(opaque, place->port);
    else if (*place->pf)
        addPF(opaque, place);
    else
        addCard(opaque, place->card);
}

/* Returns whether there is anything that mediated devices, vGPUs or vDPA devices can be made of. */
static bool
printTree(virtTool *tool)
{
    const char *columns[COLUMNS + 1] = {
        [NAME] = "NAME",           [KIND] = "KIND",  [DRIVER] = "DRIVER", [REPRESENTOR] = "REPRESENTOR",
        [MIGRATION] = "MIGRATION", [OWNER] = "OWNER"};
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
    const char *const *last = forPeople;
    Tree tree = {.json = tool->json};
    struct libscols_table *tables[] = {NULL, virtListMakeMdevTable(tool), virtListMakeVgpuTable(tool),
                                       virtListMakeVdpaTable(tool)};
    bool any = false;

    for (guint i = 1; i < G_N_ELEMENTS(tables); i++)
        any |= scols_table_get_nlines(tables[i]) > 0;
    if (tool->json)
        last = forPrograms;
    for (guint attr = 0; attr < VIRT_NETDEV_ATTR_LAST; attr++) {
        g_ptr_array_add(names, g_ascii_strup(virtNetdevAttrs[attr].name, -1));
        columns[FIRST_ATTR + attr] = names->pdata[attr];
    }
    for (guint i = 0; last[i]; i++)
        columns[CARD + i] = last[i];
    tree.table = virtToolTable(tool, "pfs", columns);
    virtListVisit(tool->host, addToTree, &tree);
    for (guint column = FIRST_ATTR; column < OWNER && !tool->json; column++) {
        if (!tree.used[column])
            scols_column_set_flags(scols_table_get_column(tree.table, column), SCOLS_FL_HIDDEN);
    }
    tables[0] = tree.table;
    virtToolPrintTables(tables, G_N_ELEMENTS(tables));
    return any;
}

/* A host without PFs is no mistake, but whoever looks for his card wants to hear it; not where he finds another. */
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
    bool any = false;
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
        any = printTree(tool);
    if (!dot && !any && !tool->json)
        warnNoPF(tool->host);
    return true;
}
