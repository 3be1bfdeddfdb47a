/* daemon_spawn.c: a filter is started: a child that becomes the client, for good, and can do nothing more
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * libvirt decides by the identity of its peer, so the filter has to be the client: uid, gid, groups. One thing differs:
 * the pid. An interactive polkit agent is registered for the client's process or session; libvirt asks for its peer's
 * pid, which is the filter's. So a client that relies on pkttyagent --process gets no question asked; rules that go
 * by user and group work, and the client can talk to libvirt's own socket.
 *
 * Between fork and exec only the calling thread lives, and any lock may be held by one that is gone: nothing there but
 * system calls. Those that set identities are made directly, because libc's wrappers try to have all threads follow.
 */
#include "daemon/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define FD_CLIENT 3
#define FD_BROKER 4
#define FD_HIGH 16 /* above all that is assigned */

/* Also of root every ability: bounding set and securebits keep exec from giving any back. */
static const unsigned long secureBits = SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_SETUID_FIXUP_LOCKED |
                                        SECBIT_KEEP_CAPS_LOCKED | SECBIT_NO_CAP_AMBIENT_RAISE |
                                        SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED;

static bool
dropBounding(void)
{
    for (unsigned long cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++) {
        if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0)
            return false;
    }
    return prctl(PR_SET_SECUREBITS, secureBits, 0, 0, 0) == 0 &&
           prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) == 0;
}

static bool
dropCapabilities(void)
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {{0}};

    return syscall(SYS_capset, &header, none) == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
}

static bool
becomeClient(const virtDaemonClient *client)
{
    return dropBounding() && syscall(SYS_setgroups, client->groups->len, client->groups->data) == 0 &&
           syscall(SYS_setresgid, client->gid, client->gid, client->gid) == 0 &&
           syscall(SYS_setresuid, client->uid, client->uid, client->uid) == 0 && dropCapabilities();
}

/* 0 nothing, 1 and 2 our stderr, 3 the client, 4 the broker. */
static bool
arrangeFds(int clientFd, int brokerFd)
{
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    int high[] = {fcntl(null, F_DUPFD_CLOEXEC, FD_HIGH), fcntl(clientFd, F_DUPFD_CLOEXEC, FD_HIGH),
                  fcntl(brokerFd, F_DUPFD_CLOEXEC, FD_HIGH)};

    if (high[0] < 0 || high[1] < 0 || high[2] < 0 || dup2(high[0], STDIN_FILENO) < 0 ||
        dup2(STDERR_FILENO, STDOUT_FILENO) < 0 || dup2(high[1], FD_CLIENT) < 0 || dup2(high[2], FD_BROKER) < 0)
        return false;
    /* All are born close-on-exec; this is for what a library may have forgotten. Before Linux 5.9 there is no such
     * call, and that is no reason to fail. */
    syscall(SYS_close_range, FD_BROKER + 1, ~0u, 4 /* CLOSE_RANGE_CLOEXEC, Linux 5.11 */);
    return true;
}

static void
resetSignals(void)
{
    struct sigaction action = {.sa_handler = SIG_DFL};
    sigset_t none;

    for (int i = 1; i < NSIG; i++)
        sigaction(i, &action, NULL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Where memory runs out, filters go before the daemon, the largest first. Nothing is lost where this fails. */
static void
offerToEnd(void)
{
    int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

    if (fd < 0)
        return;
    if (write(fd, "500", 3) < 0)
        errno = 0;
    close(fd);
}

G_NORETURN static void
giveUp(const char *what)
{
    const char *why = strerrordesc_np(errno); /* safe after fork: a table */
    const char *parts[] = {"virthostdevd: error: cannot ", what, " for a client: ", "?", "\n"};
    struct iovec iov[G_N_ELEMENTS(parts)];

    if (why)
        parts[3] = why;
    for (guint i = 0; i < G_N_ELEMENTS(parts); i++)
        iov[i] = (struct iovec){(void *)parts[i], strlen(parts[i])};
    if (writev(STDERR_FILENO, iov, G_N_ELEMENTS(parts)) < 0)
        _exit(126);
    _exit(127);
}

G_NORETURN static void
runChild(const virtDaemonClient *client, const char *stock, int clientFd, int brokerFd)
{
    const virtDaemonConfig *config = client->daemon->config;
    char *argv[] = {(char *)"virt-hostdev-filter", (char *)stock, NULL, NULL};
    /* Nothing is inherited: what root's shell has in its environment is none of a client's business. */
    char *const environment[] = {(char *)"PATH=/usr/sbin:/usr/bin:/sbin:/bin", (char *)"LC_ALL=C.UTF-8", NULL};

    if (!config->convertInterfaces)
        argv[2] = (char *)"keep-interfaces";
    umask(077);
    offerToEnd();
    if (!arrangeFds(clientFd, brokerFd))
        giveUp("arrange descriptors");
    if (!becomeClient(client))
        giveUp("take on an identity");
    resetSignals();
    execve(config->filter, argv, environment);
    giveUp("run the filter");
}

/* A program that its user can read can be looked into from exec on, before it has closed itself, and its socket to the
 * broker taken. Root's clients could look into any process.
 *
 * Errors: VIRT_ERROR_HOST.
 */
static bool
checkFilter(const char *path, uid_t uid, GError **error)
{
    mode_t others = S_IWGRP | S_IWOTH;
    struct stat st;

    if (uid != 0)
        others |= S_IRGRP | S_IROTH;
    if (stat(path, &st) < 0) {
        g_set_error(error, VIRT_ERROR, VIRT_ERROR_HOST, "Cannot check the filter %s: %s", path, g_strerror(errno));
        return false;
    }
    if (S_ISREG(st.st_mode) && st.st_uid == 0 && !(st.st_mode & others))
        return true;
    g_set_error(
        error, VIRT_ERROR, VIRT_ERROR_HOST,
        "The filter %s has owner %u and mode %04o, so a client could take it over. Run: chown root %s && chmod 0711 %s",
        path, (guint)st.st_uid, (guint)st.st_mode & 07777, path, path);
    return false;
}

/* Starts a filter that has @client's identity, @clientFd as 3 and @brokerFd as 4; both remain the caller's.
 * @stock: libvirt's socket
 *
 * Returns its pid, which the caller reaps; or -1 with VIRT_ERROR_HOST, also where the program could be read or changed
 * by others than root. What goes wrong in the child is told on
 * stderr, and it exits.
 */
pid_t
virtDaemonSpawnFilter(virtDaemonClient *client, const char *stock, int clientFd, int brokerFd, GError **error)
{
    sigset_t all, before;
    pid_t pid;

    if (!checkFilter(client->daemon->config->filter, client->uid, error))
        return -1;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* no handler of ours may run in the child */
    pid = fork();
    if (pid == 0)
        runChild(client, stock, clientFd, brokerFd);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (pid < 0)
        g_set_error(error, VIRT_ERROR, VIRT_ERROR_HOST, "Cannot start a filter: %s", g_strerror(errno));
    return pid;
}
