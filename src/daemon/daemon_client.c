/* daemon_client.c: a connection is accepted, its peer found out, and handed to a filter of its own
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The daemon reads not one byte of what a client sends. What it keeps of a client is who it is, the filter's pid and
 * the socket on which the filter asks.
 */
#include "daemon/daemon.h"

#include <errno.h>
#include <glib-unix.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAUSE 1000 /* milliseconds without accepting, where there are no descriptors or processes to be had */

/* A client is in daemon->clients as long as either its filter lives or something of its broker is to be done. */
void
virtDaemonClientUnref(virtDaemonClient *client)
{
    virtDaemon *daemon = client->daemon;

    if (client->filter || client->broker >= 0 || client->holds->len || client->looks.length)
        return;
    g_hash_table_remove(daemon->clients, client);
    g_array_unref(client->groups);
    g_ptr_array_unref(client->holds);
    g_free(client);
    virtDaemonListenersWatch(daemon);
}

/* Neither reads nor answers any more. Also for those who have a copy of the filter's end, there is nobody here. */
void
virtDaemonClientClose(virtDaemonClient *client)
{
    if (client->broker < 0)
        return;
    if (client->source)
        g_source_remove(client->source); /* also from within its own callback */
    client->source = 0;
    shutdown(client->broker, SHUT_RDWR);
    close(client->broker);
    client->broker = -1;
}

/* Its socket says nothing about a filter: others may have a copy of it. So nothing is heard from there any more, and
 * the rest follows from the process's end.
 */
void
virtDaemonClientKill(virtDaemonClient *client)
{
    virtDaemonClientClose(client);
    if (client->filter)
        kill(client->filter, SIGKILL);
}

/* Only here is a filter reaped, so its pid is not another's for as long as it is noted. */
static gboolean
onFilterEnd(gint pidfd, GIOCondition condition, gpointer opaque)
{
    virtDaemonClient *client = opaque;
    const virtDaemonAbout about = {.client = client};
    pid_t pid = client->filter;
    int status = 0;

    (void)condition;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    close(pidfd);
    if (WIFSIGNALED(status))
        virtDaemonLog(VIRT_LOG_CLIENT, G_LOG_LEVEL_WARNING, &about, "Filter %d of client %d (uid %u) died: %s",
                      (int)pid, (int)client->pid, (guint)client->uid, g_strsignal(WTERMSIG(status)));
    else if (WEXITSTATUS(status))
        virtDaemonLog(VIRT_LOG_CLIENT, G_LOG_LEVEL_WARNING, &about,
                      "Filter %d of client %d (uid %u) failed with status %d", (int)pid, (int)client->pid,
                      (guint)client->uid, WEXITSTATUS(status));
    client->filter = 0;
    client->daemon->clientGone(client);
    return G_SOURCE_REMOVE;
}

/* Watches the child @pid. False: it cannot be, and has been ended. */
static bool
adopt(virtDaemonClient *client, pid_t pid, GError **error)
{
    int pidfd = (int)syscall(SYS_pidfd_open, pid, 0); /* Linux 5.3; close-on-exec by itself */

    if (pidfd >= 0) {
        client->filter = pid;
        g_unix_fd_add(pidfd, G_IO_IN, onFilterEnd, client);
        return true;
    }
    g_set_error(error, VIRT_ERROR, VIRT_ERROR_HOST, "Cannot watch a filter: %s", g_strerror(errno));
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    return false;
}

/* ---- who it is ---- */

static bool
getGroups(int fd, GArray *groups)
{
    socklen_t size;

    do {
        size = groups->len * sizeof(gid_t);
        if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups->data, &size) == 0) {
            g_array_set_size(groups, size / sizeof(gid_t));
            return true;
        }
        if (errno == ERANGE) /* then @size says how many there are */
            g_array_set_size(groups, size / sizeof(gid_t));
    } while (errno == ERANGE);
    return false;
}

static virtDaemonClient *
clientNew(virtDaemonListener *listener, int fd, GError **error)
{
    virtDaemonClient *client = g_new0(virtDaemonClient, 1);
    struct ucred peer;
    socklen_t size = sizeof(peer);
    bool known = getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0;

    client->daemon = listener->daemon;
    client->readOnly = listener->readOnly;
    client->broker = -1;
    client->groups = g_array_sized_new(FALSE, TRUE, sizeof(gid_t), 64);
    g_array_set_size(client->groups, 64);
    client->holds = g_ptr_array_new();
    g_hash_table_add(client->daemon->clients, client);
    if (known && (peer.uid == (uid_t)-1 || peer.gid == (gid_t)-1)) {
        /* -1 is nobody's, and would mean "as it is" where identities are set: root. */
        known = false;
        errno = EOVERFLOW;
    }
    if (!known || !getGroups(fd, client->groups)) {
        g_set_error(error, VIRT_ERROR, VIRT_ERROR_HOST, "Cannot identify the client: %s", g_strerror(errno));
        virtDaemonClientUnref(client);
        return NULL;
    }
    client->uid = peer.uid;
    client->gid = peer.gid;
    client->pid = peer.pid;
    return client;
}

/* Root's clients are not counted: there is nothing that it could be kept from. */
static bool
hasTooMany(const virtDaemonClient *client, GError **error)
{
    const guint max = client->daemon->config->maxUserClients;
    guint count = 0;
    GHashTableIter iter;
    gpointer other;

    g_hash_table_iter_init(&iter, client->daemon->clients);
    while (g_hash_table_iter_next(&iter, &other, NULL))
        count += ((virtDaemonClient *)other)->uid == client->uid;
    if (client->uid == 0 || count <= max)
        return false;
    g_set_error(error, VIRT_ERROR, VIRT_ERROR_BUSY,
                "user %u already has %u clients (max_user_clients in virthostdevd.conf)", (guint)client->uid, max);
    return true;
}

/* ---- its filter ---- */

static bool
startFilter(virtDaemonClient *client, int fd, GError **error)
{
    g_autofree char *stock = virtDaemonConfigUpstream(client->daemon->config, client->readOnly, error);
    const virtDaemonAbout about = {.client = client};
    const char *kind = "";
    int pair[2];
    pid_t pid;

    if (!stock)
        return false;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
        g_set_error(error, VIRT_ERROR, VIRT_ERROR_HOST, "Cannot create the broker's socket: %s", g_strerror(errno));
        return false;
    }
    pid = virtDaemonSpawnFilter(client, stock, fd, pair[1], error);
    close(pair[1]);
    if (pid < 0 || !adopt(client, pid, error)) {
        close(pair[0]);
        return false;
    }
    client->broker = pair[0];
    client->daemon->clientCame(client);
    if (client->readOnly)
        kind = ", read-only,";
    virtDaemonLog(VIRT_LOG_CLIENT, G_LOG_LEVEL_DEBUG, &about, "Client %d (uid %u)%s has filter %d to %s",
                  (int)client->pid, (guint)client->uid, kind, (int)pid, stock);
    return true;
}

static void
serve(virtDaemonListener *listener, int fd)
{
    g_autoptr(GError) error = NULL;
    virtDaemonClient *client = clientNew(listener, fd, &error);
    const virtDaemonAbout about = {.client = client};

    if (client && !hasTooMany(client, &error) && startFilter(client, fd, &error))
        return;
    virtDaemonLog(VIRT_LOG_CLIENT, G_LOG_LEVEL_WARNING, &about, "Rejecting a client: %s", error->message);
    if (client)
        virtDaemonClientUnref(client);
}

/* ---- accepting ---- */

static bool
isFull(const virtDaemon *daemon)
{
    return g_hash_table_size(daemon->clients) >= daemon->config->maxClients;
}

static gboolean
resume(gpointer opaque)
{
    virtDaemonListener *listener = opaque;

    listener->source = 0;
    virtDaemonListenersWatch(listener->daemon);
    return G_SOURCE_REMOVE;
}

static gboolean
onClientConnection(gint fd, GIOCondition condition, gpointer opaque)
{
    virtDaemonListener *listener = opaque;
    int peer;

    (void)condition;
    if (isFull(listener->daemon)) {
        virtDaemonLog(VIRT_LOG_CLIENT, G_LOG_LEVEL_WARNING, NULL,
                      "%u clients are connected: further ones have to wait (max_clients in virthostdevd.conf)",
                      g_hash_table_size(listener->daemon->clients));
        listener->source = 0;
        return G_SOURCE_REMOVE;
    }
    peer = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (peer >= 0) {
        serve(listener, peer);
        close(peer);
    } else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
        virtDaemonLog(VIRT_LOG_CLIENT, G_LOG_LEVEL_WARNING, NULL, "Cannot accept a client: %s", g_strerror(errno));
        listener->source = g_timeout_add(PAUSE, resume, listener);
        return G_SOURCE_REMOVE;
    }
    return G_SOURCE_CONTINUE;
}

/* Accepts on all sockets that do not yet, unless there are as many clients as may be: then the kernel keeps some
 * waiting, as with libvirt. */
void
virtDaemonListenersWatch(virtDaemon *daemon)
{
    if (daemon->stopping || isFull(daemon))
        return;
    for (guint i = 0; i < daemon->listeners->len; i++) {
        virtDaemonListener *listener = daemon->listeners->pdata[i];

        if (!listener->source)
            listener->source = g_unix_fd_add(listener->fd, G_IO_IN, onClientConnection, listener);
    }
}
