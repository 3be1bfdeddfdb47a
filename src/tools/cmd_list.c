/* cmd_list.c: virt-hostdev list: the host's PFs, their ports, and the VFs behind each port
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "tools/tool.h"

#include <string.h>

#include "util/virnetdevhostdev.h"

/* One place in the tree: a PF (port and vf NULL), one of its ports (vf NULL), or a VF at that port. */
typedef struct {
    char pf[VIRT_PCI_ADDRESS_LEN];
    const virtPort *port;
    const virtVF *vf;
    const virtNetdev *netdev; /* of vf at port; NULL: could not be read */
    const char *driver;
    const char *owner;
} ListPlace;

typedef void (*Visit)(const ListPlace *place, void *opaque);

static char *
ownerOf(virtHost *host, const virtPCIAddress *address)
{
    g_autoptr(virtRecord) record = NULL;
    virtHandle handle;

    virtHandleSetPCI(&handle, address);
    record = virtProvisionRecordLoad(host, &handle, NULL);
    if (!record)
        return NULL;
    return g_strdup(record->owner.name);
}

/* False with @error: it could not be read, but may have been shown all the same. */
static bool
visitVF(virtHost *host, ListPlace place, const virtPCIAddress *address, Visit visit, void *opaque, GError **error)
{
    g_autoptr(virtVF) vf = virtVFLookup(host, address, error);
    g_autofree char *driver = virtPCIGetDriver(host, address);
    g_autoptr(GPtrArray) one = g_ptr_array_new();
    g_autoptr(GPtrArray) present = NULL;
    g_autofree char *owner = NULL;
    virtNetdev which = {.port = place.port->port};

    g_ptr_array_add(one, &which);
    if (!vf)
        return false;
    present = virtNetDevHostdevRead(host, vf, one, error);
    owner = ownerOf(host, address);
    place.vf = vf;
    if (present)
        place.netdev = present->pdata[0];
    place.driver = driver;
    place.owner = owner;
    visit(&place, opaque);
    return present != NULL;
}

/* All VFs of a port. A list that is too long for the kernel lacks hundreds of them, which take one warning. */
static void
visitVFs(virtHost *host, ListPlace place, const GPtrArray *vfs, Visit visit, void *opaque)
{
    g_autoptr(GError) first = NULL;
    guint unread = 0;

    for (guint n = 0; n < vfs->len; n++) {
        g_autoptr(GError) error = NULL;

        if (visitVF(host, place, vfs->pdata[n], visit, opaque, &error))
            continue;
        unread++;
        if (!first)
            first = g_steal_pointer(&error);
    }
    if (unread > 1)
        virtHostWarn(host, "%s (%u more of the %u VFs of %s could not be read)", first->message, unread - 1, vfs->len,
                     place.port->ifname);
    else if (unread == 1)
        virtHostWarn(host, "%s", first->message);
}

static void
visitPF(virtHost *host, const virtPCIAddress *address, Visit visit, void *opaque)
{
    g_autofree char *driver = virtPCIGetDriver(host, address);
    g_autoptr(GPtrArray) ports = virtPCIGetPorts(host, address, NULL);
    g_autoptr(GPtrArray) vfs = virtPCIListVFs(host, address);
    ListPlace place = {.driver = driver};

    virtPCIAddressFormat(address, place.pf);
    visit(&place, opaque);
    for (guint i = 0; ports && i < ports->len; i++) {
        place.port = ports->pdata[i];
        place.driver = NULL;
        visit(&place, opaque);
        visitVFs(host, place, vfs, visit, opaque);
    }
}

static void
visitHost(virtHost *host, Visit visit, void *opaque)
{
    g_autoptr(virtHostReads) reads G_GNUC_UNUSED = virtHostReadOnce(host);
    g_autoptr(GPtrArray) pfs = virtPCIListPFs(host);

    for (guint i = 0; pfs && i < pfs->len; i++)
        visitPF(host, pfs->pdata[i], visit, opaque);
}

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
addToTree(const ListPlace *place, void *opaque)
{
    Tree *tree = opaque;
    const char *cells[COLUMNS] = {place->pf, NULL, place->driver};
    char *values[VIRT_NETDEV_ATTR_LAST] = {NULL};

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
        virtToolRow(tree->table, tree->port, cells);
    } else if (place->port) {
        g_autofree char *number = g_strdup_printf("port %u (%s)", place->port->port, linkState(place->port));

        cells[0] = place->port->ifname;
        cells[1] = number;
        tree->port = virtToolRow(tree->table, tree->pf, cells);
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
    visitHost(tool->host, addToTree, &tree);
    for (guint attr = 0; attr < VIRT_NETDEV_ATTR_LAST && !tool->json; attr++) {
        if (!tree.used[attr])
            scols_column_set_flags(scols_table_get_column(tree.table, FIRST_ATTR + attr), SCOLS_FL_HIDDEN);
    }
    virtToolPrintTable(tree.table);
}

/* ---- as a picture ---- */

static char *
formatAttr(const ListPlace *place, virtNetdevAttr attr)
{
    if (!place->netdev)
        return g_strdup("?");
    return virtNetdevAttrs[attr].format(place->netdev);
}

static const char *
driverOf(const ListPlace *place)
{
    if (!place->driver)
        return "no driver";
    return place->driver;
}

static void
drawVF(const ListPlace *place)
{
    g_autofree char *mac = formatAttr(place, VIRT_NETDEV_MAC);
    g_autofree char *vlan = formatAttr(place, VIRT_NETDEV_VLAN);

    printf("  \"%s\" [shape=box, label=\"VF %u\\n%s\\n%s\"];\n", place->vf->name, place->vf->index, place->vf->name,
           driverOf(place));
    printf("  \"%s port %u\" -> \"%s\" [label=\"%s\\nVLAN %s\"];\n", place->pf, place->port->port, place->vf->name, mac,
           vlan);
    if (place->owner) {
        g_autofree char *owner = g_strescape(place->owner, NULL);

        printf("  \"owner %s\" [shape=ellipse, label=\"%s\"];\n  \"%s\" -> \"owner %s\";\n", owner, owner,
               place->vf->name, owner);
    }
}

static void
draw(const ListPlace *place, void *opaque)
{
    (void)opaque;
    if (place->vf)
        drawVF(place);
    else if (place->port)
        printf("  \"%s port %u\" [label=\"port %u\\n%s %s\"];\n  \"%s\" -> \"%s port %u\";\n", place->pf,
               place->port->port, place->port->port, place->port->ifname, linkState(place->port), place->pf, place->pf,
               place->port->port);
    else
        printf("  \"%s\" [shape=box3d, label=\"PF %s\\n%s\"];\n", place->pf, place->pf, driverOf(place));
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
    if (!dot) {
        printTree(tool);
        return true;
    }
    printf("digraph host {\n  rankdir=LR;\n  node [fontsize=10];\n  edge [fontsize=9];\n");
    visitHost(tool->host, draw, NULL);
    printf("}\n");
    return true;
}
