/* virvdpanode.c: the node of a vDPA device, and the link that leads to it
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "util/virvdpanode.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/virerror.h"
#include "util/virvdpa.h"

/* The file in /dev by which a process opens the device @name: "vhost-vdpa-3", for g_free(). NULL without an error: it
 * has none, for no driver or another one has it.
 *
 * Errors: VIRT_ERROR_HOST where that cannot be told.
 */
char *
virtVdpaNodeFind(virtHost *host, const char *name, GError **error)
{
    g_autoptr(GPtrArray) files = virtHostListDir(host, error, "sys/bus/vdpa/devices/%s", name);

    for (guint i = 0; files && i < files->len; i++) {
        if (g_str_has_prefix(files->pdata[i], "vhost-vdpa-"))
            return g_strdup(files->pdata[i]);
    }
    return NULL;
}

/* Have a symbolic link of the device's name lead to its node, whatever it led to before.
 *
 * Errors: VIRT_ERROR_HOST.
 */
bool
virtVdpaNodeLink(virtHost *host, const char *name, GError **error)
{
    g_autofree char *node = virtVdpaNodeFind(host, name, NULL);
    g_autofree char *dir = virtHostPath(host, VIRT_VDPA_DIR);
    g_autofree char *path = g_build_filename(dir, name, NULL);
    g_autofree char *target = NULL;

    if (node)
        target = g_build_filename("/dev", node, NULL);
    errno = ENODEV;
    if (target && (mkdir(dir, 0755) == 0 || errno == EEXIST) && (unlinkat(AT_FDCWD, path, 0) == 0 || errno == ENOENT) &&
        symlinkat(target, AT_FDCWD, path) == 0)
        return true;
    g_set_error(error, VIRT_ERROR, VIRT_ERROR_HOST, "Cannot make %s lead to the node of vDPA device %s: %s", path, name,
                g_strerror(errno));
    return false;
}

/* Remove that link, if there is one.
 *
 * Errors: VIRT_ERROR_HOST.
 */
bool
virtVdpaNodeUnlink(virtHost *host, const char *name, GError **error)
{
    g_autofree char *dir = virtHostPath(host, VIRT_VDPA_DIR);
    g_autofree char *path = g_build_filename(dir, name, NULL);

    if (unlinkat(AT_FDCWD, path, 0) == 0 || errno == ENOENT || errno == ENOTDIR) {
        unlinkat(AT_FDCWD, dir, AT_REMOVEDIR); /* where it was the last */
        return true;
    }
    g_set_error(error, VIRT_ERROR, VIRT_ERROR_HOST, "Cannot remove %s: %s", path, g_strerror(errno));
    return false;
}
