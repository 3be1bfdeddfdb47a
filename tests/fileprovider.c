/* fileprovider.c: see filekind.h: how they reach the host
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "filekind.h"
#include "hypervisor/provider_netdev.h"
#include "util/virerror.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static char *
pathOf(virtHost *host, const virtTarget *target)
{
    return virtHostPath(host, "run/test-provider/%s-%s", target->provider->kind->info->name, target->handle.name);
}

/* Where it is is known by its name; all files are one parent's. A VF is the same device for netdevs and marks. */
static bool
locateFile(virtHost *host, virtTarget *target, GError **error)
{
    if (g_str_equal(target->handle.bus, "pci")) {
        virtTarget netdev = {.provider = &virtProviderNetdev, .handle = target->handle};

        if (!virtProviderNetdev.locate(host, &netdev, error))
            return false;
        virtProviderNetdev.close(&netdev);
        target->parent = netdev.parent;
        target->index = netdev.index;
        return true;
    }
    return virtHandleSet(&target->parent, "test", "files", error);
}

static bool
openFile(virtHost *host, const virtOwner *owner, virtTarget *target, GError **error)
{
    (void)owner;
    return locateFile(host, target, error);
}

static void
closeFile(virtTarget *target)
{
    (void)target;
}

static bool
checkFile(const virtTarget *target, gconstpointer setting, GError **error)
{
    const fileSetting *file = setting;

    if (strcmp(file->text, "refused") != 0)
        return true;
    g_set_error(error, VIRT_ERROR, VIRT_ERROR_HOST, "Cannot use %s: its text is one that is refused",
                target->handle.name);
    return false;
}

static fileSetting *
readFile(virtHost *host, const virtTarget *target, GError **error)
{
    g_autofree char *path = pathOf(host, target);
    g_autofree fileSetting *file = virtSettingNew(target->provider->kind->info, 0);
    g_autofree char *text = NULL;
    g_autoptr(GError) local = NULL;

    file->setting.present = VIRT_SETTING_BIT(FILE_EXISTS);
    if (g_file_get_contents(path, &text, NULL, &local)) {
        file->exists = 1;
        file->setting.present |= VIRT_SETTING_BIT(FILE_TEXT);
        g_strlcpy(file->text, text, sizeof(file->text));
    } else if (!g_error_matches(local, G_FILE_ERROR, G_FILE_ERROR_NOENT)) {
        g_set_error(error, VIRT_ERROR, VIRT_ERROR_HOST, "Cannot read the %s of %s: %s",
                    target->provider->kind->info->name, target->handle.name, local->message);
        return NULL;
    }
    return g_steal_pointer(&file);
}

static GPtrArray *
readFiles(virtHost *host, const virtTarget *target, const GPtrArray *which, GError **error)
{
    GPtrArray *list;
    fileSetting *file = readFile(host, target, error);

    (void)which; /* there is one */
    if (!file)
        return NULL;
    list = virtSettingListNew();
    g_ptr_array_add(list, file);
    return list;
}

/* False with errno. */
static bool
writeText(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    bool ok = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

    if (fd >= 0 && close(fd) < 0)
        return false;
    return ok;
}

/* Make it what @file says, and read that back. */
static bool
writeFile(virtHost *host, const virtTarget *target, const fileSetting *file, GError **error)
{
    const virtSettingInfo *info = target->provider->kind->info;
    g_autofree char *path = pathOf(host, target);
    g_autofree fileSetting *now = readFile(host, target, error);

    if (!now)
        return false;
    if (virtSettingHas(file, FILE_EXISTS) && !file->exists) {
        if (now->exists && unlink(path) < 0) {
            g_set_error(error, VIRT_ERROR, VIRT_ERROR_REFUSED, "Cannot remove %s: %s", path, g_strerror(errno));
            return false;
        }
        return true;
    }
    if (virtSettingDiff(info, file, now) == 0)
        return true;
    if (!writeText(path, file->text)) {
        g_set_error(error, VIRT_ERROR, VIRT_ERROR_REFUSED, "Cannot write %s for %s: %s. %s", path, target->handle.name,
                    g_strerror(errno), info->attrs[FILE_EXISTS].remedy);
        return false;
    }
    g_free(g_steal_pointer(&now));
    if (!(now = readFile(host, target, error)))
        return false;
    if (virtSettingDiff(info, file, now) == 0)
        return true;
    g_set_error(error, VIRT_ERROR, VIRT_ERROR_REFUSED, "%s was written and is another", path);
    return false;
}

static bool
setFiles(virtHost *host, virtTarget *const *targets, guint n, GError **error)
{
    for (guint i = 0; i < n; i++) {
        const GPtrArray *wanted = targets[i]->wanted;

        if (wanted->len > 0 && !writeFile(host, targets[i], wanted->pdata[0], error))
            return false;
    }
    return true;
}

static bool
restoreFile(virtHost *host, const virtTarget *target, const GPtrArray *before, GError **error)
{
    return before->len == 0 || writeFile(host, target, before->pdata[0], error);
}

static char *
describe(const virtTarget *target, guint number)
{
    (void)number;
    return g_strdup_printf("the %s of %s", target->provider->kind->info->name, target->handle.name);
}

static const virtProvider markProvider = {
    .kind = &fileMarkKind,
    .restoreAt = VIRT_RESTORE_STOPPED,
    .locate = locateFile,
    .open = openFile,
    .close = closeFile,
    .check = checkFile,
    .read = readFiles,
    .set = setFiles,
    .restore = restoreFile,
    .describe = describe,
};

static const virtProvider fileProvider = {
    .kind = &fileFileKind,
    .restoreAt = VIRT_RESTORE_RELEASED,
    .locate = locateFile,
    .open = openFile,
    .close = closeFile,
    .check = checkFile,
    .read = readFiles,
    .set = setFiles,
    .restore = restoreFile,
    .describe = describe,
};

/* ---- the table ---- */

const virtProvider *const virtProviders[] = {
    [VIRT_SETTING_NETDEV] = &virtProviderNetdev,
    &markProvider,
    &fileProvider,
    NULL,
};
