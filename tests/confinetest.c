/* confinetest.c: what a confined filter can still do, what it is refused, and what ends it
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "filter/filter_confine.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
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

/* ---- another process of the same user: the client itself ---- */

/* What would give the client what its filter has, the broker's socket above all. Its own errno, or 0. */
static int
tryTake(pid_t filter)
{
    g_autofree char *fds = g_strdup_printf("/proc/%d/fd", (int)filter);
    char byte;
    struct iovec here = {&byte, 1}, there = {(void *)&tryMemory, 1};
    int pidfd = (int)syscall(SYS_pidfd_open, filter, 0);
    int fd = open(fds, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (pidfd < 0 || (fd < 0 && errno != EACCES))
        return 1;
    if (fd >= 0 && faccessat(fd, "3", F_OK, 0) == 0)
        return 2;
    if (syscall(SYS_pidfd_getfd, pidfd, 3, 0) >= 0 || errno != EPERM)
        return 3;
    if (process_vm_readv(filter, &here, 1, &there, 1, 0) >= 0 || errno != EPERM)
        return 4;
    return ptrace(PTRACE_ATTACH, filter, NULL, NULL) == 0 || errno != EPERM ? 5 : 0;
}

static bool
becomeNobody(void)
{
    return geteuid() != 0 ||
           (setgroups(0, NULL) == 0 && setresgid(65534, 65534, 65534) == 0 && setresuid(65534, 65534, 65534) == 0);
}

/* The filter waits at a socket until @hold is closed. */
static void
beFilter(int ready, int hold)
{
    char byte = 0;

    dup2(hold, 3);
    if (!becomeNobody() || !virtFilterConfine(NULL) || send(ready, &byte, 1, 0) != 1)
        _exit(1);
    recv(hold, &byte, 1, 0);
    _exit(0);
}

static void
testSameUser(void)
{
    int ready[2], hold[2], status;
    char byte;

    g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ready), ==, 0);
    g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, hold), ==, 0);
    pid_t filter = fork();
    if (filter == 0) {
        close(hold[1]);
        beFilter(ready[1], hold[0]);
    }
    close(ready[1]);
    g_assert_cmpint(recv(ready[0], &byte, 1, 0), ==, 1);
    pid_t client = fork();
    if (client == 0)
        _exit(becomeNobody() ? tryTake(filter) : 100);
    g_assert_cmpint(waitpid(client, &status, 0), ==, client);
    g_assert_cmpint(status, ==, 0);
    close(hold[1]);
    close(hold[0]);
    close(ready[0]);
    g_assert_cmpint(waitpid(filter, NULL, 0), ==, filter);
}

/* ---- every system call there is ---- */

#define CALLS 600 /* Linux 6.18 has numbers up to 470 */

/* What may run. None of these makes a descriptor, names a file or knows another process. mmap() is among the dead here,
 * because with these arguments it asks for memory to run. */
static const char mayRun[] = " poll ppoll recvmsg sendmsg recvfrom sendto write close brk munmap mremap madvise futex "
                             "getrandom clock_gettime gettimeofday restart_syscall rt_sigreturn exit exit_group getpid "
                             "gettid rt_sigprocmask "
#ifdef __SANITIZE_ADDRESS__
                             "sigaltstack "
#endif
    ;
/* What a library may ask for in vain. */
static const char isRefused[] = " open openat newfstatat fstat ioctl readlink readlinkat statx fcntl prctl ";

enum { RUNS, REFUSED = 77, KILLED };

/* The kernel lets its own two (uretprobe, uprobe) past every filter, and does nothing for others who make them. */
static bool
isKernels(int number)
{
#ifdef __x86_64__
    return number == 335 || number == 336;
#else
    return number < 0;
#endif
}

static int
tryCall(long number)
{
    pid_t pid = fork();
    int status;

    if (pid == 0) {
        signal(SIGSEGV, SIG_DFL); /* what rt_sigreturn comes to; the sanitizer's handler would make calls */
        if (!virtFilterConfine(NULL))
            _exit(101);
        _exit(syscall(number, -1L, -1L, -1L, -1L, -1L, -1L) == -1 && errno == EACCES ? REFUSED : RUNS);
    }
    g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS)
        return KILLED;
    g_assert_false(WIFEXITED(status) && WEXITSTATUS(status) == 101);
    return WIFEXITED(status) && WEXITSTATUS(status) == REFUSED ? REFUSED : RUNS;
}

static void
testEveryCall(void)
{
    for (int number = 0; number < CALLS; number++) {
        g_autofree char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, number); /* libc's malloc */
        g_autofree char *word = g_strdup_printf(" %s ", name ? name : "");
        int expected = name && strstr(mayRun, word) ? RUNS : name && strstr(isRefused, word) ? REFUSED : KILLED;

        if (!isKernels(number) && tryCall(number) != expected)
            g_error("system call %d (%s) was not %s", number, name ? name : "?",
                    expected == RUNS      ? "let through"
                    : expected == REFUSED ? "refused"
                                          : "the end");
    }
#ifdef __x86_64__
    g_assert_cmpint(tryCall(0x40000000 + SYS_socket), ==, KILLED); /* the same by its x32 number */
#endif
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    for (guint i = 0; i < G_N_ELEMENTS(tries); i++) {
        g_autofree char *path = g_strconcat("/confine/", tries[i].name, NULL);
        g_test_add_data_func(path, GUINT_TO_POINTER(i), testTry);
    }
    g_test_add_func("/confine/same-user", testSameUser);
    g_test_add_func("/confine/every-call", testEveryCall);
    return g_test_run();
}
