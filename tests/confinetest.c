/* confinetest.c: what a confined filter can still do, what it is refused, and what ends it
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "remote/filter_confine.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* A confined child runs one of these; its exit code is what they return. */

static int
tryMemory(void)
{
    for (gsize size = 16; size <= 64 << 20; size *= 4) {
        char *bytes = g_malloc(size);
        memset(bytes, 1, size);
        bytes = g_realloc(bytes, size * 2);
        g_free(bytes);
    }
    return 0;
}

static int
trySockets(void)
{
    char byte = 0;
    return send(3, &byte, 1, MSG_DONTWAIT) == 1 && recv(4, &byte, 1, MSG_DONTWAIT) == 1 ? 0 : 1;
}

static int
tryOpen(void)
{
    return open("/etc/passwd", O_RDONLY | O_CLOEXEC) < 0 && errno == EACCES ? 0 : 1;
}

static int
tryText(void)
{
    g_autofree char *text = g_strdup_printf("%s %f %u", g_strerror(EPERM), 1.5, g_random_int());
    return text ? 0 : 1;
}

static int
trySocket(void)
{
    return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

static int
tryExec(void)
{
    return execl("/bin/true", "true", NULL);
}

static int
tryFork(void)
{
    return fork();
}

static int
tryCode(void)
{
    return mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED;
}

static int
tryProtect(void)
{
    return mprotect((gpointer)((gsize)&tryCode & ~4095ul), 4096, PROT_READ | PROT_WRITE | PROT_EXEC);
}

static int
tryKill(void)
{
    return kill(getppid(), 0);
}

static const struct {
    const char *name;
    int (*try)(void);
    bool killed;
} tries[] = {
    {"memory", tryMemory, false},  {"sockets", trySockets, false}, {"open", tryOpen, false}, {"text", tryText, false},
    {"socket", trySocket, true},   {"exec", tryExec, true},        {"fork", tryFork, true},  {"code", tryCode, true},
    {"protect", tryProtect, true}, {"kill", tryKill, true},
};

static void
confined(guint i)
{
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0 || dup2(pair[0], 3) < 0 || dup2(pair[1], 4) < 0)
        _exit(100);
    if (!virtFilterConfine(NULL))
        _exit(101);
    _exit(tries[i].try());
}

static void
testTry(gconstpointer data)
{
    guint i = GPOINTER_TO_UINT(data);
    pid_t pid = fork();
    int status;

    if (pid == 0)
        confined(i);
    g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
    if (tries[i].killed) {
        g_assert_true(WIFSIGNALED(status));
        g_assert_cmpint(WTERMSIG(status), ==, SIGSYS);
        g_assert_false(WCOREDUMP(status));
    } else {
        g_assert_true(WIFEXITED(status));
        g_assert_cmpint(WEXITSTATUS(status), ==, 0);
    }
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    for (guint i = 0; i < G_N_ELEMENTS(tries); i++) {
        g_autofree char *path = g_strconcat("/confine/", tries[i].name, NULL);
        g_test_add_data_func(path, GUINT_TO_POINTER(i), testTry);
    }
    return g_test_run();
}
