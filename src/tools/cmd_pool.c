/* cmd_pool.c: virt-hostdev pool-list, pool-info, pool-dumpxml, pool-define and pool-undefine
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A pool is its file, which an editor or a configuration manager may write as well.
 */
#include "tools/tool.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>

#include "util/virerror.h"

static char *
poolPath(virtTool *tool, const char *name)
{
    return virtHostPath(tool->host, VIRT_POOL_DIR "/%s.xml", name);
}

static bool
checkName(const char *name, GError **error)
{
    if (virtChoiceIsPool(name))
        return true;
    g_set_error(error, VIRT_ERROR, VIRT_ERROR_INVALID, "'%s' is not the name of a pool: " VIRT_CHOICE_POOL_NAMES, name);
    return false;
}

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
    g_autoptr(GPtrArray) files = NULL;
    g_autoptr(GError) problem = NULL;
    struct libscols_table *table;

    if (!virtToolOptions(tool, NULL, &argc, &argv, 0, 0, error))
        return false;
    files = virtHostListDir(tool->host, &problem, VIRT_POOL_DIR);
    if (!files && !g_error_matches(problem, VIRT_ERROR, VIRT_ERROR_NOT_FOUND)) {
        g_propagate_error(error, g_steal_pointer(&problem));
        return false;
    }
    table = virtToolTable(tool, "pools", columns);
    for (guint i = 0; files && i < files->len; i++) {
        const char *file = files->pdata[i];
        g_autofree char *name = NULL;

        if (!g_str_has_suffix(file, ".xml"))
            continue;
        name = g_strndup(file, strlen(file) - strlen(".xml"));
        addPool(tool, table, name);
    }
    virtToolPrintTable(table);
    return true;
}

/* ---- pool-info, pool-dumpxml ---- */

bool
virtCmdPoolInfo(virtTool *tool, int argc, char **argv, GError **error)
{
    static const char *const columns[] = {"VF", "FREE", "USER", NULL};
    g_autoptr(virtPool) pool = NULL;
    g_autoptr(GPtrArray) vfs = NULL;
    struct libscols_table *table;

    if (!virtToolOptions(tool, NULL, &argc, &argv, 1, 1, error) || !checkName(argv[1], error) ||
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

bool
virtCmdPoolDumpxml(virtTool *tool, int argc, char **argv, GError **error)
{
    g_autoptr(virtPool) pool = NULL;
    g_autofree char *path = NULL, *text = NULL;

    if (!virtToolOptions(tool, NULL, &argc, &argv, 1, 1, error) || !checkName(argv[1], error) ||
        !(pool = virtProvisionPoolLoad(tool->host, argv[1], error)))
        return false;
    path = poolPath(tool, argv[1]);
    if (!g_file_get_contents(path, &text, NULL, error))
        return false;
    fputs(text, stdout);
    return true;
}

/* ---- pool-define, pool-undefine ---- */

bool
virtCmdPoolDefine(virtTool *tool, int argc, char **argv, GError **error)
{
    g_autofree char *xml = NULL, *path = NULL, *dir = NULL;
    g_autoptr(virtPool) pool = NULL;
    g_autoptr(GError) problem = NULL;
    gsize len;

    if (!virtToolOptions(tool, NULL, &argc, &argv, 1, 1, error) ||
        !(xml = virtToolReadFile(tool, argv[1], &len, error)))
        return false;
    if (len > VIRT_POOL_MAX) {
        g_set_error(error, VIRT_ERROR, VIRT_ERROR_INVALID, "%s has more than %d bytes", tool->file, VIRT_POOL_MAX);
        return false;
    }
    if (!(pool = virtPoolParse(xml, len, tool->file, error)))
        return false;
    path = poolPath(tool, pool->name);
    dir = g_path_get_dirname(path);
    if (g_mkdir_with_parents(dir, 0755) < 0) {
        g_set_error(error, VIRT_ERROR, VIRT_ERROR_HOST, "Cannot create %s: %s", dir, g_strerror(errno));
        return false;
    }
    if (!g_file_set_contents_full(path, xml, (gssize)len, G_FILE_SET_CONTENTS_CONSISTENT, 0644, &problem)) {
        g_set_error(error, VIRT_ERROR, VIRT_ERROR_HOST, "Cannot write %s: %s", path, problem->message);
        return false;
    }
    printf("Pool '%s' defined from %s\n", pool->name, argv[1]);
    return true;
}

bool
virtCmdPoolUndefine(virtTool *tool, int argc, char **argv, GError **error)
{
    g_autofree char *path = NULL;

    if (!virtToolOptions(tool, NULL, &argc, &argv, 1, 1, error) || !checkName(argv[1], error))
        return false;
    path = poolPath(tool, argv[1]);
    if (g_unlink(path) < 0) {
        if (errno == ENOENT)
            g_set_error(error, VIRT_ERROR, VIRT_ERROR_NOT_FOUND,
                        "This host has no pool '%s'. virt-hostdev pool-list shows the pools that there are", argv[1]);
        else
            g_set_error(error, VIRT_ERROR, VIRT_ERROR_HOST, "Cannot remove %s: %s", path, g_strerror(errno));
        return false;
    }
    printf("Pool '%s' has been undefined\n", argv[1]);
    return true;
}
