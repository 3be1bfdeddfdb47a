/* viralone.c: what the kernel may not come back from, in a process of its own
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Some calls sleep where no signal reaches them: a write that removes a device which somebody has open, a request that
 * waits for one. Whoever makes them here can go on without them.
 *
 * One process a call, for to fork takes longer than what most of them do. Its end is waited for when it has said all;
 * that of one which was left behind is looked for at later calls.
 */
#include "util/viralone.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define FDS_CLOSED 4096 /* of a process on a kernel that cannot close all of them */

/* Nothing of the caller's stays open: neither its locks, nor the pipe at whose end libvirt waits for a hook. */
G_NORETURN static void
runIn(virtAloneFunc func, void *opaque, int answer)
{
    if (dup2(answer, 0) < 0)
        _exit(1);
    if (syscall(SYS_close_range, 1, ~0u, 0) < 0) { /* Linux 5.9 */
        for (int fd = 1; fd < FDS_CLOSED; fd++)
            close(fd);
    }
    func(0, opaque);
    _exit(0);
}

/* Processes that were left behind and may not have ended yet: pid_t. */
static GArray *leftBehind;
static GMutex leftLock;

/* Part with process @pid, which has said all and is about to end, or is left behind. */
static void
partWith(pid_t pid, bool isEnding)
{
    if (isEnding) {
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
            ;
        return;
    }
    g_mutex_lock(&leftLock);
    if (!leftBehind)
        leftBehind = g_array_new(FALSE, FALSE, sizeof(pid_t));
    g_array_append_val(leftBehind, pid);
    g_mutex_unlock(&leftLock);
}

/* Take note of the end of those that have ended: else a caller that lives long would collect zombies. */
static void
reapLeft(void)
{
    g_mutex_lock(&leftLock);
    for (guint i = 0; leftBehind && i < leftBehind->len;) {
        if (waitpid(g_array_index(leftBehind, pid_t, i), NULL, WNOHANG) == 0)
            i++;
        else
            g_array_remove_index_fast(leftBehind, i);
    }
    g_mutex_unlock(&leftLock);
}

/* Returns the process, or -1. */
static pid_t
start(virtAloneFunc func, void *opaque, int answer)
{
    sigset_t all, before;
    pid_t pid;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* no handler of ours may run in the child */
    pid = fork();
    if (pid == 0)
        runIn(func, opaque, answer);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return pid;
}

/* Wait until there is something to read, or its end, at most until @deadline. Returns 0 or -errno. */
static int
waitReadable(int fd, gint64 deadline)
{
    struct pollfd poller = {fd, POLLIN, 0};

    for (;;) {
        gint64 left = (deadline - g_get_monotonic_time() + 999) / 1000;
        int n = poll(&poller, 1, (int)MAX(left, 0));

        if (n > 0)
            return 0;
        if (n == 0)
            return -ETIMEDOUT;
        if (errno != EINTR)
            return -errno;
    }
}

/* Do what the kernel may not come back from in a process of its own: where no signal reaches whoever has called the
 * kernel, nor does the end of its thread.
 *
 * @within: milliseconds after which it is left behind
 * @func: is called in that process, and writes what it has to say to the descriptor that it is given
 * @answer: that is appended
 *
 * Returns 0, also where it has said nothing or has been killed; -ETIMEDOUT, or another -errno.
 */
int
virtAloneRun(guint within, virtAloneFunc func, void *opaque, GByteArray *answer)
{
    gint64 deadline = g_get_monotonic_time() + (gint64)within * 1000;
    guint8 buffer[4096];
    int fds[2], rc;
    pid_t pid;

    reapLeft();
    if (pipe2(fds, O_CLOEXEC) < 0)
        return -errno;
    pid = start(func, opaque, fds[1]);
    close(fds[1]);
    while ((rc = waitReadable(fds[0], deadline)) == 0) {
        ssize_t got = read(fds[0], buffer, sizeof(buffer));

        if (got == 0)
            break;
        if (got > 0) {
            g_byte_array_append(answer, buffer, (guint)got);
        } else if (errno != EINTR) {
            rc = -errno;
            break;
        }
    }
    close(fds[0]);
    if (pid > 0)
        partWith(pid, rc == 0);
    return rc;
}
