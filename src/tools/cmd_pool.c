/* cmd_pool.c: virt-hostdev pool-list, pool-info, pool-dumpxml, pool-define and pool-undefine
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A pool is its file, which an editor or a configuration manager may write as well.
 */
#include "tools/tool.h"

static char *
readName(const char *xml, gsize len, const char *file, GError **error)
{
    g_autoptr(virtPool) pool = virtPoolParse(xml, len, file, error);

    if (!pool)
        return NULL;
    return g_strdup(pool->name);
}

static const virtToolStored pools = {&virtProvisionPools, readName};

/* ---- pool-list ---- */

typedef struct {
    guint all, free;
} Count;

static bool
countVFs(virtTool *tool, const virtPool *pool, Count *ret, GError **error)
{
    g_autoptr(GPtrArray) vfs = virtProvisionPoolListVFs(tool->host, pool, error);

    for (guint i = 0; vfs && i < vfs->len; i++) {
        ret->all++;
        ret->free += ((const virtPoolVF *)vfs->pdata[i])->user == NULL;
    }
    return vfs != NULL;
}

/* A pool that cannot be read is a row that says so. */
static void
addPool(virtTool *tool, struct libscols_table *table, const char *name)
{
    g_autoptr(GError) problem = NULL;
    g_autoptr(virtPool) pool = virtProvisionPoolLoad(tool->host, name, &problem);
    g_autofree char *all = NULL, *free = NULL;
    const char *cells[] = {name, NULL, NULL, NULL};
    Count count = {0};

    if (pool && countVFs(tool, pool, &count, &problem)) {
        cells[1] = all = g_strdup_printf("%u", count.all);
        cells[2] = free = g_strdup_printf("%u", count.free);
        cells[3] = pool->description;
    } else {
        cells[3] = problem->message;
    }
    virtToolRow(table, NULL, cells);
}

bool
virtCmdPoolList(virtTool *tool, int argc, char **argv, GError **error)
{
    static const char *const columns[] = {"NAME", "VFS", "FREE", "DESCRIPTION", NULL};
    g_autoptr(GPtrArray) names = NULL;
    struct libscols_table *table;

    if (!virtToolOptions(tool, NULL, &argc, &argv, 0, 0, error) ||
        !(names = virtProvisionListStored(tool->host, &virtProvisionPools, error)))
        return false;
    table = virtToolTable(tool, "pools", columns);
    for (guint i = 0; i < names->len; i++)
        addPool(tool, table, names->pdata[i]);
    virtToolPrintTable(table);
    return true;
}

/* ---- pool-info ---- */

bool
virtCmdPoolInfo(virtTool *tool, int argc, char **argv, GError **error)
{
    static const char *const columns[] = {"VF", "FREE", "USER", NULL};
    g_autoptr(virtPool) pool = NULL;
    g_autoptr(GPtrArray) vfs = NULL;
    struct libscols_table *table;

    if (!virtToolOptions(tool, NULL, &argc, &argv, 1, 1, error) || !virtToolStoredCheckName(&pools, argv[1], error) ||
        !(pool = virtProvisionPoolLoad(tool->host, argv[1], error)) ||
        !(vfs = virtProvisionPoolListVFs(tool->host, pool, error)))
        return false;
    table = virtToolTable(tool, "pool", columns);
    for (guint i = 0; i < vfs->len; i++) {
        const virtPoolVF *vf = vfs->pdata[i];

        virtToolRow(table, NULL, (const char *[]){vf->handle.name, virtToolYesNo(!vf->user), vf->user});
    }
    virtToolPrintTable(table);
    return true;
}

/* ---- what is the same for all such files ---- */

bool
virtCmdPoolDumpxml(virtTool *tool, int argc, char **argv, GError **error)
{
    return virtToolStoredDumpxml(tool, &pools, argc, argv, error);
}

bool
virtCmdPoolDefine(virtTool *tool, int argc, char **argv, GError **error)
{
    return virtToolStoredDefine(tool, &pools, argc, argv, error);
}

bool
virtCmdPoolUndefine(virtTool *tool, int argc, char **argv, GError **error)
{
    return virtToolStoredUndefine(tool, &pools, argc, argv, error);
}
