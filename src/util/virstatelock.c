/* virstatelock.c: one transaction at a time on a PF, or on all devices of a bus
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A lock is an flock() on ROOT/run/libvirt-hostdev/PF.lock: gone with its holder, however that ends. The file
 * stays for good: were it removed, one who waits on the old file and one who makes a new one would both hold
 * "the" lock. Different PFs have different locks; what they share beyond is the kernel's RTNL. In the file are the
 * counters of virstatecount.c.
 */
#include "util/virstatefile.h"
#include "util/virerror.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

/* The holder may be waiting for firmware: 3 s for a busy VF and 15 s for all of them, 10 s for a port profile
 * (virnetlinkvf.c). Whoever called the hook waits with us, without a limit of his own. */
#define WAIT_TOTAL 30000 /* milliseconds */
#define WAIT_FIRST 2     /* milliseconds, doubled up to */
#define WAIT_LONGEST 200 /* milliseconds */

struct _virtStateLock {
    virtHost *host;
    int fd;
};

static int
openLock(virtHost *host, const char *name, GError **error)
{
    int dir = virtStateDirOpen(host, true, error);
    int fd, saved;
    const char *why = "it is not a regular file that only this user can write";

    if (dir < 0)
        return -1;
    fd = openat(dir, name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0600);
    saved = errno;
    virtStateDirClose(host, dir);
    if (fd >= 0 && virtStateFileIsOurs(fd))
        return fd;
    if (fd < 0)
        why = g_strerror(saved);
    g_set_error(error, VIRT_ERROR, VIRT_ERROR_HOST, "Cannot use lock %s/" VIRT_STATE_DIR "/%s: %s", host->root, name,
                why);
    if (fd >= 0)
        close(fd);
    return -1;
}

/* Take the lock, asking again for WAIT_TOTAL. 0 or an errno; EWOULDBLOCK when somebody else kept it. */
static int
waitForLock(virtHost *host, int fd)
{
    guint waited = 0, delay = WAIT_FIRST;

    while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        if (errno == EINTR)
            continue;
        if (errno != EWOULDBLOCK || waited >= WAIT_TOTAL)
            return errno;
        host->sleep(delay * 1000);
        waited += delay;
        delay = MIN(delay * 2, WAIT_LONGEST);
    }
    return 0;
}

/* Take the lock of PF @pfName ("0000:06:00.0"), or of what else is changed by one at a time, waiting up to 30 seconds.
 * Not recursive: a second take, by the same process too, waits for the first.
 *
 * Returns a lock for virtStateLockRelease(). Errors: VIRT_ERROR_BUSY when somebody else kept it, VIRT_ERROR_INVALID
 * for a bad name, VIRT_ERROR_HOST.
 */
virtStateLock *
virtStateLockTake(virtHost *host, const char *pfName, GError **error)
{
    g_autofree char *name = g_strconcat(pfName, VIRT_STATE_LOCK_SUFFIX, NULL);
    int fd, problem;

    if (!virtStateNameCheck(pfName, error))
        return NULL;
    fd = openLock(host, name, error);
    if (fd < 0)
        return NULL;
    problem = waitForLock(host, fd);
    if (problem == 0) {
        virtStateLock *lock = g_new0(virtStateLock, 1);

        lock->host = host;
        lock->fd = fd;
        host->slept = 0;
        return lock;
    }
    close(fd);
    if (problem == EWOULDBLOCK) {
        g_set_error(error, VIRT_ERROR, VIRT_ERROR_BUSY,
                    "%s is busy: its lock %s/" VIRT_STATE_DIR
                    "/%s was not free for %d seconds. Try again; fuser on that file names the holder",
                    pfName, host->root, name, WAIT_TOTAL / 1000);
    } else {
        g_set_error(error, VIRT_ERROR, VIRT_ERROR_HOST, "Cannot lock %s/" VIRT_STATE_DIR "/%s: %s", host->root, name,
                    g_strerror(problem));
    }
    return NULL;
}

/* Writes down what was counted meanwhile. The host must still be there. */
void
virtStateLockRelease(virtStateLock *lock)
{
    if (!lock)
        return;
    virtStateCountSave(lock->host, lock->fd);
    close(lock->fd);
    g_free(lock);
}
