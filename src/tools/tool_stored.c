/* tool_stored.c: files that describe pools, profiles: shown, written and removed
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Such a thing is its file, which an editor or a configuration manager may write as well.
 */
#include "tools/tool.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>

#include "conf/choice_conf.h"
#include "util/virerror.h"

static char *
getPath(virtTool *tool, const virtToolStored *kind, const char *name)
{
    return virtHostPath(tool->host, "%s/%s.xml", kind->stored->dir, name);
}

bool
virtToolStoredCheckName(const virtToolStored *kind, const char *name, GError **error)
{
    if (virtChoiceIsPool(name))
        return true;
    g_set_error(error, VIRT_ERROR, VIRT_ERROR_INVALID, "'%s' is not the name of a %s: " VIRT_CHOICE_POOL_NAMES, name,
                kind->stored->noun);
    return false;
}

/* The text of one, as it stands in its file; one that is wrong is an error. */
bool
virtToolStoredDumpxml(virtTool *tool, const virtToolStored *kind, int argc, char **argv, GError **error)
{
    g_autofree char *path = NULL, *text = NULL, *inside = NULL;
    gsize len;

    if (!virtToolOptions(tool, NULL, &argc, &argv, 1, 1, error) || !virtToolStoredCheckName(kind, argv[1], error) ||
        !(text = virtProvisionReadStored(tool->host, kind->stored, argv[1], &path, &len, error)) ||
        !(inside = kind->readName(text, len, path, error)) ||
        !virtProvisionCheckStored(kind->stored, argv[1], path, inside, error))
        return false;
    fputs(text, stdout);
    return true;
}

static bool
writeFile(const char *path, const char *xml, gsize len, GError **error)
{
    g_autofree char *dir = g_path_get_dirname(path);
    g_autoptr(GError) problem = NULL;

    if (g_mkdir_with_parents(dir, 0755) < 0) {
        g_set_error(error, VIRT_ERROR, VIRT_ERROR_HOST, "Cannot create %s: %s", dir, g_strerror(errno));
        return false;
    }
    if (g_file_set_contents_full(path, xml, (gssize)len, G_FILE_SET_CONTENTS_CONSISTENT, 0644, &problem))
        return true;
    g_set_error(error, VIRT_ERROR, VIRT_ERROR_HOST, "Cannot write %s: %s", path, problem->message);
    return false;
}

/* Check a file and put it where it belongs. */
bool
virtToolStoredDefine(virtTool *tool, const virtToolStored *kind, int argc, char **argv, GError **error)
{
    g_autofree char *xml = NULL, *path = NULL, *name = NULL;
    gsize len;

    if (!virtToolOptions(tool, NULL, &argc, &argv, 1, 1, error) ||
        !(xml = virtToolReadFile(tool, argv[1], &len, error)))
        return false;
    if (len > kind->stored->max) {
        g_set_error(error, VIRT_ERROR, VIRT_ERROR_INVALID, "%s has more than %u bytes", tool->file, kind->stored->max);
        return false;
    }
    if (!(name = kind->readName(xml, len, tool->file, error)))
        return false;
    path = getPath(tool, kind, name);
    if (!writeFile(path, xml, len, error))
        return false;
    printf("%c%s '%s' defined from %s\n", g_ascii_toupper(*kind->stored->noun), kind->stored->noun + 1, name, argv[1]);
    return true;
}

bool
virtToolStoredUndefine(virtTool *tool, const virtToolStored *kind, int argc, char **argv, GError **error)
{
    const char *noun = kind->stored->noun;
    g_autofree char *path = NULL;

    if (!virtToolOptions(tool, NULL, &argc, &argv, 1, 1, error) || !virtToolStoredCheckName(kind, argv[1], error))
        return false;
    path = getPath(tool, kind, argv[1]);
    if (g_unlink(path) < 0) {
        if (errno == ENOENT)
            g_set_error(error, VIRT_ERROR, VIRT_ERROR_NOT_FOUND,
                        "This host has no %s '%s'. virt-hostdev %s-list shows those that there are", noun, argv[1],
                        noun);
        else
            g_set_error(error, VIRT_ERROR, VIRT_ERROR_HOST, "Cannot remove %s: %s", path, g_strerror(errno));
        return false;
    }
    printf("%c%s '%s' has been undefined\n", g_ascii_toupper(*noun), noun + 1, argv[1]);
    return true;
}
