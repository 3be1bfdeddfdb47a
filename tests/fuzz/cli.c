/* cli.c: fuzz target: virt-hostdev's command line
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Input: calls with the line "=====" between them; a call is arguments, one a line, an empty line, and the text of the
 * file vm.xml. libvirt is its own test driver, systemctl is not there, and every --root is one made-up host, which must
 * be as it was after all of it.
 */
#include "fuzz.h"
#include "tools/tool.h"
#include "world.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

int virtToolMain(int argc, char **argv);
#define main virtToolMain
#define virtHostNew(root) fuzzWorldHost()
#include "tools/virt-hostdev.c"
#undef main

#define ARGS_MAX 16

/* ---- instead of what is outside ---- */

virConnectPtr
virConnectOpen(const char *uri)
{
    return uri && strchr(uri, '!') ? NULL : virConnectOpenAuth("test:///default", NULL, 0);
}

virConnectPtr
virConnectOpenReadOnly(const char *uri)
{
    return virConnectOpen(uri);
}

gboolean
g_spawn_sync(const char *dir, char **argv, char **env, GSpawnFlags flags, GSpawnChildSetupFunc setup, void *opaque,
             char **ret_out, char **ret_err, int *ret_status, GError **error)
{
    (void)dir;
    (void)argv;
    (void)env;
    (void)flags;
    (void)setup;
    (void)opaque;
    (void)ret_out;
    (void)ret_err;
    (void)ret_status;
    g_set_error_literal(error, G_SPAWN_ERROR, G_SPAWN_ERROR_NOENT, "no systemctl here");
    return FALSE;
}

/* ---- arguments ---- */

/* GLib prints a command's help itself, and exits; and top is made to wait. */
static bool
endsOrWaits(const char *arg)
{
    return g_str_equal(arg, "top") || strstr(arg, "help") || (arg[0] == '-' && arg[1] != '-' && strpbrk(arg, "h?"));
}

/* No file but vm.xml and no other root, whatever an input says. */
static char *
tame(const char *arg)
{
    if (g_str_has_prefix(arg, "--root"))
        return g_strdup_printf("--root=%s", fuzzWorld()->host->root);
    return g_strdelimit(g_strdup(arg), "/", '_');
}

/* Takes the arguments off @data; the caller frees them. NULL: this call is not to be made. */
static GPtrArray *
takeArgs(const guint8 **data, size_t *size)
{
    g_autoptr(GPtrArray) args = g_ptr_array_new_with_free_func(g_free);
    char *line;

    g_ptr_array_add(args, g_strdup("virt-hostdev"));
    g_ptr_array_add(args, tame("--root"));
    while ((line = fuzzTakeLine(data, size))) {
        g_autofree char *arg = line;

        if (!*arg)
            break;
        if (endsOrWaits(arg) || args->len > ARGS_MAX)
            return NULL;
        g_ptr_array_add(args, tame(arg));
    }
    g_ptr_array_add(args, NULL);
    return g_steal_pointer(&args);
}

static void
writeDocument(const guint8 *data, size_t size)
{
    int fd = open("vm.xml", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    if (fd < 0 || write(fd, data, size) != (ssize_t)size)
        fuzzFail("cannot write vm.xml: %m");
    close(fd);
}

static void
call(const guint8 *data, size_t size)
{
    g_autoptr(GPtrArray) args = takeArgs(&data, &size);
    g_autofree char **argv = args ? g_memdup2(args->pdata, args->len * sizeof(char *)) : NULL; /* GLib moves them */
    int code;

    if (!args)
        return;
    writeDocument(data, size);
    code = virtToolMain((int)args->len - 1, argv);
    if (code < 0 || code > 2)
        fuzzFail("exit code %d", code);
}

static void
enterWorld(void)
{
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

    if (null < 0 || dup2(null, STDIN_FILENO) < 0 || chdir(fuzzWorld()->host->root) < 0)
        fuzzFail("no world: %m");
    close(null);
}

int
LLVMFuzzerTestOneInput(const guint8 *data, size_t size)
{
    static bool entered;
    const guint8 *part;
    size_t len;

    if (!entered)
        enterWorld();
    entered = true;
    while (fuzzTakePart(&data, &size, &part, &len))
        call(part, len);
    fuzzWorldRestore();
    return 0;
}
