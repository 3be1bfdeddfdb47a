/* filter_confine.c: what a filter gives up before it reads the first byte
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The daemon has given it the client's uid, gid and groups already, and no capabilities. What is left to one who
 * takes over this process is what the client has sent it here for: the three sockets that are open.
 */
#include "filter/filter_confine.h"
#include "rpc/rpc.h"
#include "util/virerror.h"

#include <errno.h>
#include <linux/capability.h>
#include <seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

static const struct {
    int resource;
    rlim_t value;
} limits[] = {
    {RLIMIT_CORE, 0}, /* a core would hold what the client and libvirt say to each other */
    /* In each direction a message with all its descriptors may be waiting and another one coming in. The kernel
     * counts those on their way by user, and compares with this too (unix(7), ETOOMANYREFS): so some more. */
    {RLIMIT_NOFILE, 16 * VIRT_RPC_FDS_MAX},
#ifndef __SANITIZE_ADDRESS__
    /* In each direction a message of the greatest length (twice that while the array for it grows), what it is
     * rewritten to, and one document as a tree: about a quarter of a GiB. Twice as much, for malloc() does not give all
     * back. What all filters of a host may take together is in the unit, MemoryMax=. */
    {RLIMIT_DATA, (rlim_t)16 * VIRT_RPC_MESSAGE_MAX},
#endif
};

/* All the loop needs, and what GLib and malloc() call below it. No argument is looked at where it need not be: those
 * the kernel lets through without running the program. */
static const int allowed[] = {
    SCMP_SYS(poll),           SCMP_SYS(ppoll),           SCMP_SYS(recvmsg),
    SCMP_SYS(sendmsg),        SCMP_SYS(recvfrom),        SCMP_SYS(sendto),
    SCMP_SYS(write),          SCMP_SYS(close),           SCMP_SYS(brk),
    SCMP_SYS(munmap),         SCMP_SYS(mremap),          SCMP_SYS(madvise),
    SCMP_SYS(futex),          SCMP_SYS(getrandom),       SCMP_SYS(clock_gettime),
    SCMP_SYS(gettimeofday),   SCMP_SYS(restart_syscall), SCMP_SYS(rt_sigreturn),
    SCMP_SYS(exit),           SCMP_SYS(exit_group),      SCMP_SYS(getpid),
    SCMP_SYS(rt_sigprocmask), /* glibc 2.41 around its random numbers */
    SCMP_SYS(gettid),
#ifdef __SANITIZE_ADDRESS__
    SCMP_SYS(sigaltstack),
#endif
};

/* What a library may try and can do without; everything else ends the process. */
static const int refused[] = {
    SCMP_SYS(open),     SCMP_SYS(openat),     SCMP_SYS(newfstatat), SCMP_SYS(fstat), SCMP_SYS(ioctl),
    SCMP_SYS(readlink), SCMP_SYS(readlinkat), SCMP_SYS(statx),      SCMP_SYS(fcntl), SCMP_SYS(prctl),
};

static bool
fail(GError **error, const char *what, int number)
{
    g_set_error(error, VIRT_ERROR, VIRT_ERROR_HOST, "Cannot %s: %s", what, strerror(number));
    return false;
}

static bool
lowerLimits(GError **error)
{
    for (gsize i = 0; i < G_N_ELEMENTS(limits); i++) {
        struct rlimit limit;

        if (getrlimit(limits[i].resource, &limit) < 0)
            return fail(error, "read a resource limit", errno);
        limit.rlim_cur = limit.rlim_max = MIN(limit.rlim_max, limits[i].value);
        if (setrlimit(limits[i].resource, &limit) < 0)
            return fail(error, "lower a resource limit", errno);
    }
    return true;
}

/* The bounding set too; who may not lower that has nothing to lower. */
static bool
dropCapabilities(GError **error)
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {0};

    for (unsigned long i = 0; prctl(PR_CAPBSET_READ, i) >= 0; i++)
        prctl(PR_CAPBSET_DROP, i);
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    if (syscall(SYS_capset, &header, none) < 0)
        return fail(error, "give up capabilities", errno);
    return true;
}

static int
addRules(scmp_filter_ctx ctx)
{
    int rc = 0;

    for (gsize i = 0; i < G_N_ELEMENTS(allowed) && rc == 0; i++)
        rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, allowed[i], 0);
    for (gsize i = 0; i < G_N_ELEMENTS(refused) && rc == 0; i++)
        rc = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EACCES), refused[i], 0);
    if (rc == 0) /* memory, but none to run */
        rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
    return rc;
}

static bool
loadSeccomp(GError **error)
{
    scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_KILL_PROCESS);
    int rc = -ENOMEM;

    if (ctx)
        rc = addRules(ctx);
    if (rc == 0)
        rc = seccomp_load(ctx); /* sets no_new_privs, too */
    if (ctx)
        seccomp_release(ctx);
    return rc == 0 || fail(error, "install the seccomp filter", -rc);
}

/* Give up everything but the open descriptors: capabilities, cores, being looked at by others of the same user, new
 * descriptors except those that arrive, and any system call that the loop does not need. Not to be undone.
 *
 * Errors: VIRT_ERROR_HOST; then some of it may have happened.
 */
bool
virtFilterConfine(GError **error)
{
    if (!dropCapabilities(error) || !lowerLimits(error))
        return false;
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
        return fail(error, "make the process undumpable", errno);
    return loadSeccomp(error);
}
