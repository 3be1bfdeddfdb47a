/* cmd_list.c: virt-hostdev list: the host's PFs, their ports, and the VFs behind each port
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "tools/cmd_list.h"

#include <string.h>

#include "util/virnetdevhostdev.h"

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
visitVF(virtHost *host, virtListPlace place, const virtPCIAddress *address, virtListFunc func, void *opaque,
        GError **error)
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
    func(&place, opaque);
    return present != NULL;
}

/* All VFs of a port. A list that is too long for the kernel lacks hundreds of them, which take one warning. */
static void
visitVFs(virtHost *host, virtListPlace place, const GPtrArray *vfs, virtListFunc func, void *opaque)
{
    g_autoptr(GError) first = NULL;
    guint unread = 0;

    for (guint n = 0; n < vfs->len; n++) {
        g_autoptr(GError) error = NULL;

        if (visitVF(host, place, vfs->pdata[n], func, opaque, &error))
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
visitPF(virtHost *host, const virtPCIAddress *address, virtListFunc func, void *opaque)
{
    g_autofree char *driver = virtPCIGetDriver(host, address);
    g_autoptr(GPtrArray) ports = virtPCIGetPorts(host, address, NULL);
    g_autoptr(GPtrArray) vfs = virtPCIListVFs(host, address);
    virtListPlace place = {.driver = driver};

    virtPCIAddressFormat(address, place.pf);
    func(&place, opaque);
    for (guint i = 0; ports && i < ports->len; i++) {
        place.port = ports->pdata[i];
        place.driver = NULL;
        func(&place, opaque);
        visitVFs(host, place, vfs, func, opaque);
    }
}

void
virtListVisit(virtHost *host, virtListFunc func, void *opaque)
{
    g_autoptr(virtHostReads) reads G_GNUC_UNUSED = virtHostReadOnce(host);
    g_autoptr(GPtrArray) pfs = virtPCIListPFs(host);

    for (guint i = 0; pfs && i < pfs->len; i++)
        visitPF(host, pfs->pdata[i], func, opaque);
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
addToTree(const virtListPlace *place, void *opaque)
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
