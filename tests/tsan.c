/* tsan.c: what ThreadSanitizer has to be told of GLib, in a build with -Db_sanitize=thread
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * GLib is not instrumented, and its mutexes are futexes of its own: ThreadSanitizer sees neither that one thread waits
 * for another, nor what is handed from one to another. Linked into virthostdevd, these functions take the place of
 * those that it calls: they call the real ones, and say so. Memory that libraries share among themselves is theirs.
 */
#include <dlfcn.h>
#include <glib.h>
#include <signal.h>

void __tsan_acquire(void *address);
void __tsan_release(void *address);
const char *__tsan_default_suppressions(void);

const char *
__tsan_default_suppressions(void)
{
    return "called_from_lib:libvirt.so\ncalled_from_lib:libglib-2.0.so\ncalled_from_lib:libgio-2.0.so\n";
}

#define REAL(name) ((__typeof__(&name))(guintptr)dlsym(RTLD_NEXT, #name))

/* ---- waiting ---- */

void
g_mutex_lock(GMutex *mutex)
{
    REAL(g_mutex_lock)(mutex);
    __tsan_acquire(mutex);
}

void
g_mutex_unlock(GMutex *mutex)
{
    __tsan_release(mutex);
    REAL(g_mutex_unlock)(mutex);
}

void
g_cond_wait(GCond *cond, GMutex *mutex)
{
    __tsan_release(mutex);
    REAL(g_cond_wait)(cond, mutex);
    __tsan_acquire(mutex);
}

/* ---- signals ---- */

/* One that comes to a thread which waits in a futex of GLib's is held back until that ends: they are the main thread's.
 * A thread begins with the mask of the one that starts it, and GLib has some of which nothing else is seen here: the
 * kernel gives a second signal to one of those while the main thread is about to handle the first.
 */
static void
leaveSignals(sigset_t *ret_before)
{
    sigset_t all;

    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, ret_before);
}

static void
takeSignals(const sigset_t *before)
{
    pthread_sigmask(SIG_SETMASK, before, NULL);
}

typedef struct {
    GThreadFunc func;
    gpointer opaque;
} Thread;

static gpointer
runThread(gpointer opaque)
{
    g_autofree Thread *thread = opaque;

    leaveSignals(NULL);
    return thread->func(thread->opaque);
}

GThread *
g_thread_new(const gchar *name, GThreadFunc func, gpointer opaque)
{
    Thread *thread = g_new0(Thread, 1);

    *thread = (Thread){func, opaque};
    return REAL(g_thread_new)(name, runThread, thread);
}

/* ---- handing over ---- */

typedef struct {
    GFunc func;
    gpointer opaque;
} Pool;

static void
runWorker(gpointer data, gpointer opaque)
{
    Pool *pool = opaque;

    leaveSignals(NULL);
    __tsan_acquire(data);
    pool->func(data, pool->opaque);
}

GThreadPool *
g_thread_pool_new(GFunc func, gpointer opaque, gint threads, gboolean exclusive, GError **error)
{
    Pool *pool = g_new0(Pool, 1); /* lasts as long as the daemon */
    GThreadPool *made;
    sigset_t before;

    *pool = (Pool){func, opaque};
    leaveSignals(&before);
    made = REAL(g_thread_pool_new)(runWorker, pool, threads, exclusive, error);
    takeSignals(&before);
    return made;
}

gboolean
g_thread_pool_push(GThreadPool *pool, gpointer data, GError **error)
{
    sigset_t before;
    gboolean pushed;

    __tsan_release(data);
    leaveSignals(&before);
    pushed = REAL(g_thread_pool_push)(pool, data, error);
    takeSignals(&before);
    return pushed;
}

typedef struct {
    GSourceFunc func;
    gpointer data;
    GDestroyNotify notify;
} Idle;

static gboolean
runIdle(gpointer opaque)
{
    Idle *idle = opaque;

    __tsan_acquire(idle);
    return idle->func(idle->data);
}

static void
freeIdle(gpointer opaque)
{
    Idle *idle = opaque;

    if (idle->notify)
        idle->notify(idle->data);
    g_free(idle);
}

guint
g_idle_add_full(gint priority, GSourceFunc func, gpointer data, GDestroyNotify notify)
{
    Idle *idle = g_new0(Idle, 1);

    *idle = (Idle){func, data, notify};
    __tsan_release(idle);
    return REAL(g_idle_add_full)(priority, runIdle, idle, freeIdle);
}
