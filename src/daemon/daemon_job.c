/* daemon_job.c: jobs in worker threads, and the lock that lets one party at a time work on a domain
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The lock is a queue in the main loop's hands, not a mutex: whoever is at its head holds the domain, and being
 * granted is a call. So nobody blocks, and who waits can be told to stop waiting.
 *
 * It is served in rounds, in which each party comes once: a user, however many connections he has, or the daemon
 * itself.
 */
#include "daemon/daemon.h"

/* Enough that some domains whose libvirt job hangs (30 s each) do not keep others from being served. */
#define WORKERS_MAX 32

/* libvirtd itself has 20 workers (max_workers): all its clients would wait if we kept them waiting for busy domains. */
#define PATIENT_MAX 4

typedef struct {
    virtDaemon *daemon;
    virtDaemonJobFunc run, done;
    gpointer opaque;
} Job;

typedef struct {
    virtDaemonJobFunc granted;
    gpointer opaque;
    gint64 party;
    guint64 round; /* the queue is sorted by it */
} Waiter;

static gboolean
finish(gpointer data)
{
    g_autofree Job *job = data;
    virtDaemon *daemon = job->daemon;

    job->done(daemon, job->opaque);
    if (--daemon->jobs == 0 && daemon->stopping)
        g_main_loop_quit(daemon->loop);
    return G_SOURCE_REMOVE;
}

static void
work(gpointer data, gpointer opaque)
{
    Job *job = data;

    (void)opaque;
    job->run(job->daemon, job->opaque);
    g_idle_add_full(G_PRIORITY_DEFAULT, finish, job, NULL);
}

static void
freeQueue(gpointer queue)
{
    g_queue_free_full(queue, g_free);
}

/* Makes workers and locks; both last as long as the daemon. */
void
virtDaemonJobInit(virtDaemon *daemon)
{
    daemon->workers = g_thread_pool_new(work, NULL, WORKERS_MAX, FALSE, NULL);
    daemon->patient = g_thread_pool_new(work, NULL, PATIENT_MAX, FALSE, NULL);
    daemon->cards = g_thread_pool_new(work, NULL, 1, FALSE, NULL);
    daemon->locks = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, freeQueue);
}

/* Ends the main loop once no VF is half set. What a job leaves undone is found by its record at the next start. */
void
virtDaemonJobStop(virtDaemon *daemon)
{
    daemon->stopping = true;
    if (daemon->jobs == 0)
        g_main_loop_quit(daemon->loop);
}

static void
startJob(virtDaemon *daemon, GThreadPool *pool, Job job)
{
    if (daemon->stopping)
        return;
    daemon->jobs++;
    g_thread_pool_push(pool, g_memdup2(&job, sizeof(job)), NULL);
}

/* @run in a worker, then @done in the main loop, both with @opaque, which is the caller's. Nothing is started any
 * more when the daemon is stopping.
 */
void
virtDaemonJobStart(virtDaemon *daemon, virtDaemonJobFunc run, virtDaemonJobFunc done, gpointer opaque)
{
    startJob(daemon, daemon->workers, (Job){daemon, run, done, opaque});
}

/* The same for what libvirt is known to be busy with, a few at a time: nobody else waits behind it.
 */
void
virtDaemonJobStartPatient(virtDaemon *daemon, virtDaemonJobFunc run, virtDaemonJobFunc done, gpointer opaque)
{
    startJob(daemon, daemon->patient, (Job){daemon, run, done, opaque});
}

static const Waiter *
waiterAt(const GList *link)
{
    return link->data;
}

/* One round after the last in which @party is in @queue already, else the round that is being served. */
static guint64
roundFor(const GQueue *queue, gint64 party)
{
    for (const GList *at = queue->tail; at; at = at->prev) {
        if (waiterAt(at)->party == party)
            return waiterAt(at)->round + 1;
    }
    if (!queue->head)
        return 0;
    return waiterAt(queue->head)->round;
}

/* Behind all of its round; the head holds the lock and stays where it is. */
static void
enqueue(GQueue *queue, Waiter *waiter)
{
    GList *at = queue->tail;

    while (at && at->prev && waiterAt(at)->round > waiter->round)
        at = at->prev;
    g_queue_insert_after(queue, at, waiter);
}

/* The same for what a card is asked, which may take a second: one at a time, so that nobody else waits behind it. */
void
virtDaemonJobStartCard(virtDaemon *daemon, virtDaemonJobFunc run, virtDaemonJobFunc done, gpointer opaque)
{
    startJob(daemon, daemon->cards, (Job){daemon, run, done, opaque});
}

/* Waits for the lock of the domain @uuid without blocking: @granted is called with @opaque once it is held, perhaps
 * before this returns. @opaque also names the waiter, see virtDaemonLockForget().
 *
 * @party: a uid, or VIRT_DAEMON_ITSELF
 */
void
virtDaemonLock(virtDaemon *daemon, const char *uuid, gint64 party, virtDaemonJobFunc granted, gpointer opaque)
{
    GQueue *queue = g_hash_table_lookup(daemon->locks, uuid);
    Waiter *waiter = g_new0(Waiter, 1);

    if (!queue) {
        queue = g_queue_new();
        g_hash_table_insert(daemon->locks, g_strdup(uuid), queue);
    }
    *waiter = (Waiter){granted, opaque, party, roundFor(queue, party)};
    enqueue(queue, waiter);
    if (queue->length == 1)
        granted(daemon, opaque);
}

/* The holder gives the lock back; the next one is granted it before this returns. */
void
virtDaemonUnlock(virtDaemon *daemon, const char *uuid)
{
    GQueue *queue = g_hash_table_lookup(daemon->locks, uuid);
    Waiter *next;

    g_free(g_queue_pop_head(queue));
    if ((next = g_queue_peek_head(queue)))
        next->granted(daemon, next->opaque);
    else
        g_hash_table_remove(daemon->locks, uuid);
}

/* Takes @opaque out of the queue where it waits. False: it holds the lock, and has to unlock it.
 */
bool
virtDaemonLockForget(virtDaemon *daemon, const char *uuid, gpointer opaque)
{
    GQueue *queue = g_hash_table_lookup(daemon->locks, uuid);

    for (GList *at = queue->head->next; at; at = at->next) {
        if (((Waiter *)at->data)->opaque == opaque) {
            g_free(at->data);
            g_queue_delete_link(queue, at);
            return true;
        }
    }
    return false;
}
