/* daemon_socket.c: the sockets that clients connect to: systemd's, or made here
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Who may connect is what libvirt's administrator has said: a socket made here gets mode and group of libvirt's. That
 * is for a good message only: a filter connects to libvirt's socket as the client itself, and is let in or not.
 */
#include "daemon/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

/* A socket of our own making is removed. */
void
virtDaemonListenerFree(virtDaemonListener *listener)
{
    if (!listener)
        return;
    if (listener->source)
        g_source_remove(listener->source);
    if (listener->path)
        unlink(listener->path);
    close(listener->fd);
    g_free(listener->path);
    g_free(listener);
}

static void
addListener(virtDaemon *daemon, int fd, bool readOnly, const char *path)
{
    virtDaemonListener *listener = g_new0(virtDaemonListener, 1);

    listener->daemon = daemon;
    listener->fd = fd;
    listener->readOnly = readOnly;
    listener->path = g_strdup(path);
    g_ptr_array_add(daemon->listeners, listener);
}

/* ---- systemd's ---- */

/* Where it is, so that it is not taken for libvirt's. */
static void
notePath(virtDaemon *daemon, int fd)
{
    struct sockaddr_un address;
    socklen_t size = sizeof(address);

    memset(&address, 0, sizeof(address));
    if (getsockname(fd, (struct sockaddr *)&address, &size) == 0)
        g_ptr_array_add(daemon->config->ours, g_strndup(address.sun_path, sizeof(address.sun_path)));
}

static bool
takeSocket(virtDaemon *daemon, int fd, const char *name, GError **error)
{
    bool readOnly = g_str_equal(name, "ro");

    if ((!readOnly && !g_str_equal(name, "rw")) || sd_is_socket_unix(fd, SOCK_STREAM, 1, NULL, 0) <= 0) {
        g_set_error(
            error, VIRT_ERROR, VIRT_ERROR_HOST,
            "systemd passed a socket named \"%s\" that cannot be used: a listening UNIX stream socket with FileDescriptorName=rw or ro is expected",
            name);
        return false;
    }
    if (fcntl(fd, F_SETFL, O_NONBLOCK) < 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) < 0) {
        g_set_error(error, VIRT_ERROR, VIRT_ERROR_HOST, "Cannot use systemd's socket: %s", g_strerror(errno));
        return false;
    }
    notePath(daemon, fd);
    addListener(daemon, fd, readOnly, NULL);
    return true;
}

static bool
takeSockets(virtDaemon *daemon, int n, char **names, GError **error)
{
    for (int i = 0; i < n; i++) {
        if (!takeSocket(daemon, SD_LISTEN_FDS_START + i, names[i], error))
            return false;
    }
    return true;
}

/* ---- our own ---- */

static bool
fail(GError **error, const char *path, const char *why)
{
    g_set_error(error, VIRT_ERROR, VIRT_ERROR_HOST, "Cannot listen at %s: %s", path, why);
    return false;
}

static void
setAddress(struct sockaddr_un *address, const char *path)
{
    memset(address, 0, sizeof(*address));
    address->sun_family = AF_UNIX;
    g_strlcpy(address->sun_path, path, sizeof(address->sun_path));
}

/* What a daemon that died has left is removed; what somebody listens at, or what is no socket, stays. */
static bool
clearPath(const char *path, GError **error)
{
    struct sockaddr_un address;
    struct stat st;
    int fd, problem = 0;

    if (lstat(path, &st) < 0)
        return errno == ENOENT || fail(error, path, g_strerror(errno));
    if (!S_ISSOCK(st.st_mode))
        return fail(error, path, "the file exists and is not a socket. Check it and remove it");
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    setAddress(&address, path);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
        problem = errno;
    if (fd >= 0)
        close(fd);
    if (problem != ECONNREFUSED)
        return fail(error, path, "another daemon listens there. Stop it, or set another path in virthostdevd.conf");
    return unlink(path) == 0 || fail(error, path, g_strerror(errno));
}

/* Mode and group for the socket: libvirt's, but for what the configuration says. */
static bool
findAccess(const virtDaemonConfig *config, bool readOnly, mode_t *ret_mode, gid_t *ret_group, GError **error)
{
    int perms = config->rwPerms;
    struct group *group;
    struct stat st = {0};

    if (readOnly)
        perms = config->roPerms;
    if (perms < 0 || !config->group) {
        g_autofree char *stock = virtDaemonConfigUpstream(config, readOnly, error);

        if (!stock)
            return false;
        if (stat(stock, &st) < 0)
            return fail(error, stock, g_strerror(errno));
    }
    if (perms < 0)
        perms = st.st_mode & 0777;
    *ret_mode = (mode_t)perms;
    *ret_group = st.st_gid;
    if (!config->group)
        return true;
    group = getgrnam(config->group);
    if (!group) {
        g_set_error(error, VIRT_ERROR, VIRT_ERROR_INVALID,
                    "There is no group '%s', which virthostdevd.conf names as unix_sock_group", config->group);
        return false;
    }
    *ret_group = group->gr_gid;
    return true;
}

/* Nobody can connect before listen(), and by then mode and group are right. */
static bool
bindSocket(int fd, const char *path, mode_t mode, gid_t group)
{
    struct sockaddr_un address;
    mode_t before = umask(0177);
    bool bound;

    setAddress(&address, path);
    bound = bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0;
    umask(before);
    return bound && chown(path, 0, group) == 0 && chmod(path, mode) == 0 && listen(fd, SOMAXCONN) == 0;
}

static bool
makeSocket(virtDaemon *daemon, const char *path, bool readOnly, GError **error)
{
    mode_t mode;
    gid_t group;
    int fd;

    if (!clearPath(path, error) || !findAccess(daemon->config, readOnly, &mode, &group, error))
        return false;
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || !bindSocket(fd, path, mode, group)) {
        fail(error, path, g_strerror(errno));
        if (fd >= 0)
            close(fd);
        return false;
    }
    addListener(daemon, fd, readOnly, path);
    return true;
}

/* Fills the daemon's list of sockets: those that systemd has made, else our own by the configuration.
 *
 * Errors: VIRT_ERROR_HOST, VIRT_ERROR_INVALID; what was made until then is in the list.
 */
bool
virtDaemonSocketsOpen(virtDaemon *daemon, GError **error)
{
    g_auto(GStrv) names = NULL; /* libc's malloc, which GLib's g_free() is */
    int n = sd_listen_fds_with_names(1, &names);

    if (n < 0) {
        g_set_error(error, VIRT_ERROR, VIRT_ERROR_HOST, "Cannot take systemd's sockets: %s", g_strerror(-n));
        return false;
    }
    if (n > 0)
        return takeSockets(daemon, n, names, error);
    g_ptr_array_add(daemon->config->ours, g_strdup(daemon->config->listen));
    g_ptr_array_add(daemon->config->ours, g_strdup(daemon->config->listenRo));
    return makeSocket(daemon, daemon->config->listen, false, error) &&
           makeSocket(daemon, daemon->config->listenRo, true, error);
}
