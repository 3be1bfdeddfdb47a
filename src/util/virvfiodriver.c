/* virvfiodriver.c: which VFIO driver is made for a device, and so can migrate it
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Theory of operation. vfio-pci takes every device and migrates none. A variant driver (mlx5_vfio_pci) takes some,
 * which it names by an alias of its module:
 *
 *     alias vfio_pci:v000015B3d0000101Esv*sd*bc*sc*i* mlx5_vfio_pci
 *
 * The device's own modalias begins with "pci:" and has the values. libvirt (since 10.0) looks for the alias with the
 * fewest wildcards in the list that depmod makes of the running kernel's modules, loads that module, and binds the
 * device to it. So this is what it will find.
 */
#include "util/virvfiodriver.h"
#include "util/virerror.h"

#include <errno.h>
#include <fnmatch.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/utsname.h>

#define ALIAS "alias vfio_pci:"

/* The list of aliases of the running kernel, for g_free(). */
static char *
readAliases(virtHost *host, GError **error)
{
    struct utsname kernel = {0};
    g_autofree char *path = NULL;
    g_autoptr(GError) problem = NULL;
    char *text = NULL;
    GStatBuf status;

    uname(&kernel); /* fails for a wrong address alone */
    path = virtHostPath(host, "lib/modules/%s/modules.alias", kernel.release);
    if (g_stat(path, &status) == 0 && status.st_size > VIRT_VFIO_ALIASES_MAX)
        g_set_error(error, VIRT_ERROR, VIRT_ERROR_HOST,
                    "%s is longer than " G_STRINGIFY(VIRT_VFIO_ALIASES_MAX) " bytes", path);
    else if (!g_file_get_contents(path, &text, NULL, &problem))
        g_set_error(error, VIRT_ERROR, VIRT_ERROR_HOST, "Cannot read the modules of this kernel: %s", problem->message);
    return text;
}

static guint
countWildcards(const char *pattern)
{
    guint n = 0;

    for (const char *p = pattern; *p; p++)
        n += *p == '*';
    return n;
}

static bool
isGeneric(const char *module)
{
    return g_str_equal(module, "vfio_pci") || g_str_equal(module, "vfio-pci");
}

/* The module of a line of @text, from @line on, whose alias fits @id; NULL: it does not. The line is cut up. */
static const char *
matchLine(char *line, const char *id, guint *ret_wildcards)
{
    char *pattern = line + strlen(ALIAS), *module = strchr(pattern, ' ');

    if (!module)
        return NULL;
    *module++ = '\0';
    g_strchomp(module);
    *ret_wildcards = countWildcards(pattern);
    if (!*module || isGeneric(module) || fnmatch(pattern, id, 0) != 0)
        return NULL;
    return module;
}

/* The module whose alias fits @id best; within @text, which is cut up. */
static const char *
findModule(char *text, const char *id)
{
    const char *best = NULL;
    guint fewest = G_MAXUINT;
    char *next;

    for (char *line = text; line; line = next) {
        const char *module;
        guint wildcards;

        if ((next = strchr(line, '\n')))
            *next++ = '\0';
        if (!g_str_has_prefix(line, ALIAS) || !(module = matchLine(line, id, &wildcards)) || wildcards >= fewest)
            continue;
        best = module;
        fewest = wildcards;
    }
    return best;
}

/* The VFIO variant driver that this kernel has for the device at @address: "mlx5_vfio_pci".
 *
 * Returns text for g_free(), or NULL: VIRT_ERROR_NOT_FOUND where the kernel has none, VIRT_ERROR_HOST where that cannot
 * be told.
 */
char *
virtVFIODriverFind(virtHost *host, const virtPCIAddress *address, GError **error)
{
    char name[VIRT_PCI_ADDRESS_LEN];
    g_autofree char *modalias = NULL, *aliases = NULL;
    const char *module = NULL;

    virtPCIAddressFormat(address, name);
    if (!(modalias = virtHostRead(host, error, "sys/bus/pci/devices/%s/modalias", name)) ||
        !(aliases = readAliases(host, error)))
        return NULL;
    g_strchomp(modalias);
    if (g_str_has_prefix(modalias, "pci:"))
        module = findModule(aliases, modalias + strlen("pci:"));
    if (module)
        return g_strdup(module);
    g_set_error(
        error, VIRT_ERROR, VIRT_ERROR_NOT_FOUND,
        "the modules of this kernel have no VFIO variant driver for %s (no alias vfio_pci: fits its modalias %s)", name,
        modalias);
    return NULL;
}
