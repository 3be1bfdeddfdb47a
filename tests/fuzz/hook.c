/* hook.c: fuzz target: the hook as libvirt calls it, or as somebody else does
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Input: calls with the line "=====" between them; a call is a line "N ARGUMENT..." (the Nth write from now on is
 * refused, 0: none) and what comes on standard input. After all, the host must be as it was before.
 */
#include "fuzz.h"
#include "hypervisor/provision.h"
#include "util/virstatefile.h"
#include "world.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <unistd.h>

static int standardInput = -1;

#undef STDIN_FILENO
#define STDIN_FILENO standardInput
int virtHookMain(int argc, char **argv);
#define main virtHookMain
#define virtHostNew(root) fuzzWorldHost()
/* Nothing into the journal of the machine that tests. */
#define g_log_set_writer_func(func, opaque, free) ((void)(func))
#define g_log_writer_journald(level, fields, n, opaque) G_LOG_WRITER_HANDLED
#include "hook/hook_domain.c"
/* What the program loads is here already. */
#define dlopen(name, flags) (&standardInput)
#define dlsym(module, name) ((void *)virtHookRun)
#define VIRT_HOOK_STATE_DIR stateDir()
static const char *
stateDir(void)
{
    static char path[PATH_MAX];

    g_snprintf(path, sizeof(path), "%s/" VIRT_STATE_DIR, fuzzWorld()->host->root);
    return path;
}
#include "hook/hook.c"
#undef main

static void
call(const guint8 *data, size_t size)
{
    g_autofree char *line = fuzzTakeLine(&data, &size);
    g_auto(GStrv) words = line ? g_strsplit(line, " ", 8) : NULL;
    int argc = words ? (int)g_strv_length(words) : 0, code;

    if (argc == 0)
        return;
    fuzzWorld()->failAttr = (guint)g_ascii_strtoull(words[0], NULL, 10);
    standardInput = open(fuzzFile(data, size), O_RDONLY | O_CLOEXEC);
    code = virtHookMain(argc, words); /* the number stands where the program's name does */
    close(standardInput);
    if (code < 0 || code > 2)
        fuzzFail("exit code %d", code);
}

int
LLVMFuzzerTestOneInput(const guint8 *data, size_t size)
{
    const guint8 *part;
    size_t len;

    while (fuzzTakePart(&data, &size, &part, &len))
        call(part, len);
    fuzzWorldRestore();
    return 0;
}
