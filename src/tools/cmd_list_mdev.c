/* cmd_list_mdev.c: virt-hostdev list: what mediated devices can be made of, and those that there are
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "tools/cmd_list.h"

#include "util/virmdevparent.h"

static void
addDevices(virtHost *host, struct libscols_table *table, struct libscols_line *parent, const virtMdevType *type)
{
    for (guint i = 0; i < type->devices->len; i++) {
        const char *uuid = type->devices->pdata[i];
        g_autofree char *owner = NULL;
        struct libscols_line *line;
        virtHandle handle;

        if (virtHandleSet(&handle, "mdev", uuid, NULL))
            owner = virtListFindOwner(host, &handle);
        line = virtToolRow(table, parent, (const char *[]){uuid, "device", NULL, NULL, owner, NULL, NULL});
        if (owner)
            virtToolColorRow(line, VIRT_COLOR_GOOD);
    }
}

static void
addTypes(virtHost *host, struct libscols_table *table, struct libscols_line *parent, const virtMdevParent *of)
{
    for (guint i = 0; i < of->types->len; i++) {
        const virtMdevType *type = of->types->pdata[i];
        g_autofree char *free = g_strdup_printf("%" G_GUINT64_FORMAT, type->free);
        struct libscols_line *line =
            virtToolRow(table, parent, (const char *[]){type->name, "type", type->api, free, NULL, type->title, NULL});

        addDevices(host, table, line, type);
    }
}

struct libscols_table *
virtListMakeMdevTable(virtTool *tool)
{
    static const char *const columns[] = {"NAME", "KIND", "API", "FREE", "OWNER", "TITLE", "NODEDEV", NULL};
    struct libscols_table *table = virtToolTable(tool, "mdevs", columns);
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) parents = virtMdevParentList(tool->host, &error);

    if (error)
        virtHostWarn(tool->host, "%s", error->message);
    for (guint i = 0; parents && i < parents->len; i++) {
        const virtMdevParent *parent = parents->pdata[i];
        struct libscols_line *line =
            virtToolRow(table, NULL, (const char *[]){parent->name, "parent", NULL, NULL, NULL, NULL, parent->nodedev});

        addTypes(tool->host, table, line, parent);
    }
    return table;
}
