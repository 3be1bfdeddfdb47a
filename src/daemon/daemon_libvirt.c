/* daemon_libvirt.c: the daemon's own connection to libvirt, kept for as long as the daemon lives
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A thread opens the connection, waits until it closes, and opens it again. Events and keepalive come through our own
 * main loop: libvirt's default event loop is GLib's default context (vireventglib.c, since 6.0), and a thread of its
 * own for it would run our callbacks as well as libvirt's. Callbacks only queue, so that libvirt's locks are free again
 * when what they ask for is done.
 *
 * libvirtd, started by a socket, ends after some idle time; our connection keeps it from that.
 */
#include "daemon/daemon.h"

#include <libvirt/virterror.h>
#include <string.h>

#define KEEPALIVE_INTERVAL 5 /* seconds */
#define KEEPALIVE_COUNT 5
#define DELAY_FIRST 100    /* milliseconds until the connection is tried again, doubled up to */
#define DELAY_LONGEST 5000 /* milliseconds */
#define IDLE_MAX 4         /* connections that are kept for the next borrower */

struct _virtDaemonLibvirt {
    virtDaemon *daemon;
    const virtDaemonLibvirtNews *news;
    GMutex lock; /* of what follows; all threads */
    GCond closing;
    virConnectPtr conn; /* NULL: none */
    bool closed;
    GQueue idle; /* virConnectPtr: borrowed once, and free now */
};

/* What libvirt said last, as an error of ours: "WHAT SUBJECT: libvirt's words". Same thread only.
 */
void
virtDaemonLibvirtError(GError **error, const char *what, const char *subject)
{
    g_set_error(error, VIRT_ERROR, VIRT_ERROR_HOST, "%s %s: %s", what, subject, virGetLastErrorMessage());
}

static void
ignoreError(void *opaque, virErrorPtr error)
{
    (void)opaque;
    (void)error; /* it is taken into ours */
}

/* Errors: VIRT_ERROR_HOST where libvirt's socket is not there. */
static char *
uriOf(virtDaemon *daemon, GError **error)
{
    g_autofree char *path = virtDaemonConfigUpstream(daemon->config, false, error);
    g_autofree char *escaped = NULL;

    if (!path)
        return NULL;
    escaped = g_uri_escape_string(path, "/", FALSE);
    return g_strdup_printf("qemu+unix:///system?socket=%s", escaped);
}

/* ---- for the others ---- */

/* For a glance from any thread: it may be different a moment later. */
bool
virtDaemonLibvirtIsUp(virtDaemon *daemon)
{
    virtDaemonLibvirt *libvirt = daemon->libvirt;
    bool up;

    g_mutex_lock(&libvirt->lock);
    up = libvirt->conn && !libvirt->closed;
    g_mutex_unlock(&libvirt->lock);
    return up;
}

/* The connection, to be given back with virConnectClose(). It may break at any time.
 *
 * Errors: VIRT_ERROR_HOST where there is none now.
 */
virConnectPtr
virtDaemonLibvirtGet(virtDaemon *daemon, GError **error)
{
    virtDaemonLibvirt *libvirt = daemon->libvirt;
    virConnectPtr conn = NULL;

    g_mutex_lock(&libvirt->lock);
    if (!libvirt->closed)
        conn = libvirt->conn;
    if (conn)
        virConnectRef(conn);
    g_mutex_unlock(&libvirt->lock);
    if (!conn)
        g_set_error_literal(
            error, VIRT_ERROR, VIRT_ERROR_HOST,
            "libvirt is not reachable. virthostdevd keeps trying to connect; see its log. Try again later");
    return conn;
}

/* libvirt serves but five calls of a connection at a time (max_client_requests), and a call that takes a domain's job
 * may wait for 30 seconds: on a shared one, five busy domains would keep us from all others. So whoever may have to
 * wait has a connection for himself. It is given back with virtDaemonLibvirtReturn(), and may break at any time.
 *
 * Errors: VIRT_ERROR_HOST.
 */
virConnectPtr
virtDaemonLibvirtBorrow(virtDaemon *daemon, GError **error)
{
    virtDaemonLibvirt *libvirt = daemon->libvirt;
    g_autoptr(virConnect) shared = virtDaemonLibvirtGet(daemon, error);
    g_autofree char *uri = NULL;
    virConnectPtr conn = NULL;

    if (!shared)
        return NULL;
    uri = uriOf(daemon, error);
    if (!uri)
        return NULL;
    g_mutex_lock(&libvirt->lock);
    conn = g_queue_pop_head(&libvirt->idle);
    g_mutex_unlock(&libvirt->lock);
    if (conn && virConnectIsAlive(conn) == 1)
        return conn;
    if (conn)
        virConnectClose(conn);
    conn = virConnectOpen(uri);
    if (!conn)
        virtDaemonLibvirtError(error, "Cannot connect to libvirt at", uri);
    return conn;
}

/* Gives back what was borrowed. */
void
virtDaemonLibvirtReturn(virtDaemon *daemon, virConnectPtr conn)
{
    virtDaemonLibvirt *libvirt = daemon->libvirt;

    if (!conn)
        return;
    g_mutex_lock(&libvirt->lock);
    if (libvirt->conn && libvirt->idle.length < IDLE_MAX)
        g_queue_push_head(&libvirt->idle, g_steal_pointer(&conn));
    g_mutex_unlock(&libvirt->lock);
    if (conn)
        virConnectClose(conn);
}

/* Those of a libvirt that has gone. */
static void
closeIdle(virtDaemonLibvirt *libvirt)
{
    virConnectPtr conn;

    do {
        g_mutex_lock(&libvirt->lock);
        conn = g_queue_pop_head(&libvirt->idle);
        g_mutex_unlock(&libvirt->lock);
        if (conn)
            virConnectClose(conn);
    } while (conn);
}

/* ---- to the main loop ---- */

typedef struct {
    virtDaemon *daemon;
    char uuid[VIR_UUID_STRING_BUFLEN]; /* events */
    bool started;                      /* else it lets go of what it had */
    bool up;                           /* connections */
} LibvirtNews;

static gboolean
onDomainNews(gpointer opaque)
{
    LibvirtNews *news = opaque;

    news->daemon->libvirt->news->domain(news->daemon, news->uuid, news->started);
    return G_SOURCE_REMOVE;
}

static gboolean
onConnectionNews(gpointer opaque)
{
    LibvirtNews *news = opaque;

    news->daemon->libvirt->news->connection(news->daemon, news->up);
    return G_SOURCE_REMOVE;
}

static void
tellDomain(virtDaemonLibvirt *libvirt, virDomainPtr dom, bool started)
{
    LibvirtNews *news = g_new0(LibvirtNews, 1);

    news->daemon = libvirt->daemon;
    news->started = started;
    if (virDomainGetUUIDString(dom, news->uuid) == 0)
        g_idle_add_full(G_PRIORITY_DEFAULT, onDomainNews, news, g_free);
    else
        g_free(news);
}

static void
tellConnection(virtDaemonLibvirt *libvirt, bool up)
{
    LibvirtNews *news = g_new0(LibvirtNews, 1);

    news->daemon = libvirt->daemon;
    news->up = up;
    g_idle_add_full(G_PRIORITY_DEFAULT, onConnectionNews, news, g_free);
}

/* ---- libvirt's callbacks, in the main loop ---- */

static void
onLifecycle(virConnectPtr conn, virDomainPtr dom, int event, int detail, void *opaque)
{
    (void)conn;
    /* Booted, migrated, restored, from a snapshot; one that wakes up had its VFs all the time. */
    if (event == VIR_DOMAIN_EVENT_STARTED && detail != VIR_DOMAIN_EVENT_STARTED_WAKEUP)
        tellDomain(opaque, dom, true);
    if (event == VIR_DOMAIN_EVENT_STOPPED || event == VIR_DOMAIN_EVENT_UNDEFINED || event == VIR_DOMAIN_EVENT_CRASHED)
        tellDomain(opaque, dom, false);
}

/* The alias does not say which device it was; reconciling finds out. */
static void
onDeviceRemoved(virConnectPtr conn, virDomainPtr dom, const char *alias, void *opaque)
{
    (void)conn;
    (void)alias;
    tellDomain(opaque, dom, false);
}

static void
onClose(virConnectPtr conn, int reason, void *opaque)
{
    virtDaemonLibvirt *libvirt = opaque;

    (void)conn;
    (void)reason;
    g_mutex_lock(&libvirt->lock);
    libvirt->closed = true;
    g_cond_signal(&libvirt->closing);
    g_mutex_unlock(&libvirt->lock);
}

/* ---- keeping the connection ---- */

typedef struct {
    int lifecycle, removed; /* callback ids; -1: none */
} Callbacks;

static bool
listenTo(virtDaemonLibvirt *libvirt, virConnectPtr conn, Callbacks *ret)
{
    ret->lifecycle = virConnectDomainEventRegisterAny(conn, NULL, VIR_DOMAIN_EVENT_ID_LIFECYCLE,
                                                      VIR_DOMAIN_EVENT_CALLBACK(onLifecycle), libvirt, NULL);
    ret->removed = virConnectDomainEventRegisterAny(conn, NULL, VIR_DOMAIN_EVENT_ID_DEVICE_REMOVED,
                                                    VIR_DOMAIN_EVENT_CALLBACK(onDeviceRemoved), libvirt, NULL);
    return ret->lifecycle >= 0 && ret->removed >= 0 &&
           virConnectRegisterCloseCallback(conn, onClose, libvirt, NULL) == 0 &&
           virConnectSetKeepAlive(conn, KEEPALIVE_INTERVAL, KEEPALIVE_COUNT) >= 0;
}

/* Each registered callback holds the connection: without this a lost one would stay in memory. */
static void
forget(virConnectPtr conn, const Callbacks *callbacks)
{
    if (callbacks->lifecycle >= 0)
        virConnectDomainEventDeregisterAny(conn, callbacks->lifecycle);
    if (callbacks->removed >= 0)
        virConnectDomainEventDeregisterAny(conn, callbacks->removed);
    virConnectUnregisterCloseCallback(conn, onClose);
    virConnectClose(conn);
}

static virConnectPtr
openConnection(virtDaemonLibvirt *libvirt, Callbacks *ret, GError **error)
{
    g_autofree char *uri = uriOf(libvirt->daemon, error);
    virConnectPtr conn;

    g_mutex_lock(&libvirt->lock);
    libvirt->closed = false; /* what a connection said that did not come about */
    g_mutex_unlock(&libvirt->lock);
    if (!uri)
        return NULL;
    conn = virConnectOpen(uri);
    if (!conn) {
        virtDaemonLibvirtError(error, "Cannot connect to libvirt at", uri);
        return NULL;
    }
    if (!listenTo(libvirt, conn, ret)) {
        virtDaemonLibvirtError(error, "Cannot listen to libvirt at", uri);
        forget(conn, ret);
        return NULL;
    }
    return conn;
}

/* Gives @conn to the others until it closes. */
static void
useConnection(virtDaemonLibvirt *libvirt, virConnectPtr conn)
{
    g_mutex_lock(&libvirt->lock);
    libvirt->conn = conn;
    g_mutex_unlock(&libvirt->lock);
    virtDaemonLog(VIRT_LOG_START, G_LOG_LEVEL_INFO, NULL, "Connected to libvirt");
    tellConnection(libvirt, true);
    g_mutex_lock(&libvirt->lock);
    while (!libvirt->closed && virConnectIsAlive(conn) == 1)
        g_cond_wait(&libvirt->closing, &libvirt->lock);
    libvirt->conn = NULL;
    libvirt->closed = false;
    g_mutex_unlock(&libvirt->lock);
    closeIdle(libvirt);
    virtDaemonLog(VIRT_LOG_START, G_LOG_LEVEL_WARNING, NULL, "The connection to libvirt is lost");
    tellConnection(libvirt, false);
}

static gpointer
keepConnection(gpointer opaque)
{
    virtDaemonLibvirt *libvirt = opaque;
    guint delay = DELAY_FIRST;
    bool told = false;

    for (;; g_usleep(delay * 1000)) {
        g_autoptr(GError) error = NULL;
        Callbacks callbacks = {-1, -1};
        gint64 since = g_get_monotonic_time();
        virConnectPtr conn = openConnection(libvirt, &callbacks, &error);

        if (conn) {
            useConnection(libvirt, conn);
            forget(conn, &callbacks);
        } else if (!told) {
            virtDaemonLog(VIRT_LOG_START, G_LOG_LEVEL_WARNING, NULL, "%s (trying again)", error->message);
        }
        told = !conn;
        delay = MIN(delay * 2, DELAY_LONGEST);
        if (g_get_monotonic_time() - since > DELAY_LONGEST * 1000)
            delay = DELAY_FIRST;
    }
    return NULL;
}

/* Starts the thread; the connection comes when it comes, and then @news, in the main loop.
 *
 * Errors: VIRT_ERROR_HOST where libvirt's client library does not work.
 */
bool
virtDaemonLibvirtInit(virtDaemon *daemon, const virtDaemonLibvirtNews *news, GError **error)
{
    virSetErrorFunc(NULL, ignoreError);
    if (virInitialize() < 0 || virEventRegisterDefaultImpl() < 0) {
        virtDaemonLibvirtError(error, "Cannot use", "libvirt");
        return false;
    }
    daemon->libvirt = g_new0(virtDaemonLibvirt, 1);
    daemon->libvirt->daemon = daemon;
    daemon->libvirt->news = news;
    g_mutex_init(&daemon->libvirt->lock);
    g_cond_init(&daemon->libvirt->closing);
    g_thread_unref(g_thread_new("libvirt", keepConnection, daemon->libvirt));
    return true;
}
