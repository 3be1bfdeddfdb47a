/* filter.c: virt-hostdev-filter, one client between its socket and libvirt's
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 *   virt-hostdev-filter SOCKET [keep-interfaces]
 *
 *   3: the client's connection   4: to the broker   SOCKET: libvirt's
 *   keep-interfaces: leave each new <interface type='hostdev'> to libvirt
 *
 * Started by virthostdevd with the client's uid, gid and groups, and so libvirt sees the client itself. It connects,
 * confines itself, and then one loop moves bytes between three sockets.
 *
 *   rpc_channel.c       messages and descriptors, in and out
 *   filter_dispatch.c   which messages are looked at, and what is done to them
 *   filter_device.c     attach, detach and update of a device: held while something is prepared, in steps
 *                       (filter_jobstep.c), one after the other (filter_job.c)
 *   filter_abi.c        documents that replace a domain's: held until the domain that they are about has been seen
 *   filter_interface.c  calls that name an interface: libvirt has them first
 *   filter_start.c      replies to starts: held until the broker has seen that the devices were set
 *   filter_pending.c    what all of these wait for
 *
 * How it ends. Without the broker, at once: the daemon reconciles what was under way. Without libvirt, as soon as the
 * client has what libvirt said last. Without the client, as soon as libvirt has what the client said last and no
 * call is held any more.
 */
#include "filter/filter_confine.h"
#include "filter/filter_priv.h"
#include "conf/domain_conf.h"
#include "util/virerror.h"

#include <errno.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define FD_CLIENT 3
#define FD_BROKER 4
#define QUIET 3000       /* milliseconds after which memory is given back */
#define LATER 500        /* milliseconds after which calls that wait for libvirt are looked at */
#define LOG_LINE_MAX 800 /* bytes: journald shows that in one piece */
#define LOG_LINES_MAX 50 /* of one client, who must not fill the log */

enum { CLIENT, UPSTREAM, BROKER, SOCKETS };

static guint clientUid; /* a confined process may not ask any more */

/* Write a line to the daemon's log: escaped, for it may quote a client, and not too long. The last of many says that
 * it is.
 */
void
virtFilterLog(const char *format, ...)
{
    static guint lines;
    g_autofree char *text = NULL, *shown = NULL, *line = NULL;
    const char *more = "";
    va_list args;

    if (++lines > LOG_LINES_MAX)
        return;
    if (lines == LOG_LINES_MAX)
        more = " (no more is logged about this client)";
    va_start(args, format);
    text = g_strdup_vprintf(format, args);
    va_end(args);
    shown = g_strescape(text, "\"\\");
    line = g_strdup_printf("virt-hostdev-filter: client of uid %u: %.*s%s\n", clientUid, LOG_LINE_MAX, shown, more);
    if (write(STDERR_FILENO, line, strlen(line)) < 0)
        return; /* there is nobody else to tell */
}

/* What libraries log. GLib's own writer asks the kernel things that a confined process may not. */
static GLogWriterOutput
logFromGLib(GLogLevelFlags level, const GLogField *fields, gsize n, gpointer opaque)
{
    (void)opaque;
    if (level & (G_LOG_LEVEL_DEBUG | G_LOG_LEVEL_INFO))
        return G_LOG_WRITER_HANDLED;
    for (gsize i = 0; i < n; i++) {
        if (strcmp(fields[i].key, "MESSAGE") == 0)
            virtFilterLog("%s", (const char *)fields[i].value);
    }
    return G_LOG_WRITER_HANDLED;
}

/* ---- what filter_device.c asks for ---- */

/* A reply to the client's call; taken over. */
void
virtFilterReply(virtFilter *filter, GByteArray *message)
{
    virtRpcChannelSend(filter->client, message);
}

void
virtFilterHeldAdd(virtFilter *filter)
{
    filter->held++;
}

void
virtFilterHeldDone(virtFilter *filter)
{
    filter->held--;
}

/* How many calls are held: a filter whose client has gone stays until there are none. */
guint
virtFilterHeld(const virtFilter *filter)
{
    return filter->held;
}

/* Send libvirt a message of the client's, whose reply goes to the client; taken over. */
void
virtFilterForward(virtFilter *filter, GByteArray *message)
{
    virtRpcHeader header = {0};

    if (virtRpcHeaderParse(message->data, &header, NULL))
        virtFilterSent(filter, &header);
    virtRpcChannelSend(filter->upstream, message);
}

/* Why another call is not held; for g_error_free(). */
GError *
virtFilterTooMany(void)
{
    return g_error_new(
        VIRT_ERROR, VIRT_ERROR_BUSY,
        "%d calls about devices are already in progress on this connection. Wait for some of them to finish",
        VIRT_FILTER_HELD_MAX);
}

/* Why a call that is to be held cannot be, for g_error_free(): its descriptors would be lost meanwhile. NULL: it has
 * none. No client sends some with such calls, and libvirt has no use for them. */
GError *
virtFilterDescriptors(const GByteArray *message)
{
    guint32 count = virtRpcMessageDescriptors(message->data, message->len);

    if (count == 0)
        return NULL;
    return g_error_new(
        VIRT_ERROR, VIRT_ERROR_INVALID,
        "a call about a device or a document with settings cannot carry file descriptors; this one has %u", count);
}

/* What is done to new XML: VIRT_DOMAIN_INTERFACES where the administrator has interfaces converted, or 0. */
guint
virtFilterFlags(const virtFilter *filter)
{
    return filter->flags;
}

/* ---- the loop ---- */

static bool
waitsForWriting(const virtRpcChannel *channel, const virtRpcChannel *peer)
{
    return virtRpcChannelEvents(channel, peer) & POLLOUT;
}

/* Nothing more comes from the client. A part of a call blocks the connection to libvirt for good: then nothing can be
 * brought to an end here, and is left to the daemon. */
static bool
isOver(const virtFilter *filter)
{
    if (!filter->upstreamOpen)
        return !waitsForWriting(filter->client, filter->upstream);
    if (filter->clientOpen || waitsForWriting(filter->upstream, filter->client))
        return false;
    return filter->held == 0 || virtRpcChannelIsMidway(filter->upstream);
}

/* Reads from one of the two; false at its end. */
static bool
readChannel(virtRpcChannel *channel, virtRpcChannel *peer, const char *name)
{
    g_autoptr(GError) error = NULL;
    bool open;

    if (virtRpcChannelRead(channel, peer, &open, &error))
        return open;
    virtFilterLog("%s: %s", name, error->message);
    return false;
}

static void
writeChannel(virtRpcChannel *channel, const virtRpcChannel *peer, const char *name)
{
    g_autoptr(GError) error = NULL;

    if (!waitsForWriting(channel, peer) || virtRpcChannelWrite(channel, &error))
        return;
    virtFilterLog("%s: %s", name, error->message);
    virtRpcChannelDiscard(channel);
}

static void
loseClient(virtFilter *filter)
{
    filter->clientOpen = false;
    virtRpcChannelDiscard(filter->client);
}

static void
loseUpstream(virtFilter *filter)
{
    filter->upstreamOpen = false;
    virtRpcChannelDiscard(filter->upstream);
    virtFilterLoseCalls(filter);
}

/* False where the broker has gone. */
static bool
serveBroker(virtFilter *filter, short happened)
{
    g_autoptr(GError) error = NULL;

    if (happened && !virtFilterReadBroker(filter, &error)) {
        if (error)
            virtFilterLog("broker: %s", error->message);
        return false;
    }
    if (virtFilterWriteBroker(filter, &error))
        return true;
    virtFilterLog("broker: %s", error->message);
    return false;
}

/* An end that nothing is wanted of is left out, or its hanging up would be reported over and over. */
static void
setEvents(struct pollfd *slot, int fd, short events)
{
    slot->events = events;
    slot->fd = -1;
    if (events)
        slot->fd = fd;
}

static void
fillSlots(const virtFilter *filter, struct pollfd slots[SOCKETS])
{
    short client = virtRpcChannelEvents(filter->client, filter->upstream);
    short upstream = virtRpcChannelEvents(filter->upstream, filter->client);
    short broker = POLLIN;

    if (!filter->upstreamOpen) {
        client &= POLLOUT;
        upstream = 0;
    }
    if (!filter->clientOpen)
        client = 0;
    if (!g_queue_is_empty((GQueue *)&filter->packets))
        broker |= POLLOUT;
    setEvents(&slots[CLIENT], virtRpcChannelFd(filter->client), client);
    setEvents(&slots[UPSTREAM], virtRpcChannelFd(filter->upstream), upstream);
    setEvents(&slots[BROKER], filter->broker, broker);
}

static bool
isReadable(const struct pollfd *slot)
{
    return slot->events & POLLIN && slot->revents & (POLLIN | POLLHUP | POLLERR);
}

/* What poll() has found; false where the broker has gone. */
static bool
serve(virtFilter *filter, const struct pollfd slots[SOCKETS])
{
    if (isReadable(&slots[CLIENT]) && !readChannel(filter->client, filter->upstream, "client"))
        loseClient(filter);
    if (isReadable(&slots[UPSTREAM]) && !readChannel(filter->upstream, filter->client, "libvirt"))
        loseUpstream(filter);
    if (!serveBroker(filter, slots[BROKER].revents & (POLLIN | POLLHUP | POLLERR)))
        return false;
    if (filter->upstreamOpen)
        virtFilterSendLater(filter);
    writeChannel(filter->upstream, filter->client, "libvirt");
    writeChannel(filter->client, filter->upstream, "client");
    return true;
}

static void
giveBackMemory(virtFilter *filter)
{
    virtRpcChannelTrim(filter->client, filter->upstream);
    virtRpcChannelTrim(filter->upstream, filter->client);
    malloc_trim(0);
}

/* What poll() is to wait after it has found @n sockets; milliseconds. */
static int
timeoutAfter(const virtFilter *filter, int n)
{
    if (virtFilterMustWait(filter))
        return LATER;
    if (n == 0)
        return -1;
    return QUIET;
}

static void
run(virtFilter *filter)
{
    struct pollfd slots[SOCKETS] = {0};
    int timeout = QUIET;

    while (!isOver(filter)) {
        int n;

        fillSlots(filter, slots);
        n = poll(slots, SOCKETS, timeout);
        if (n == 0 && virtFilterMustWait(filter))
            virtFilterSendLater(filter);
        else if (n == 0)
            giveBackMemory(filter);
        else if (n > 0 && !serve(filter, slots))
            return;
        timeout = timeoutAfter(filter, n);
    }
}

/* ---- before it ---- */

static bool
isSocket(int fd, int type)
{
    int found;
    socklen_t len = sizeof(found);

    return getsockopt(fd, SOL_SOCKET, SO_TYPE, &found, &len) == 0 && found == type;
}

/* A connection to libvirt, or -1 after a line in the log. */
static int
connectUpstream(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool fits = g_strlcpy(address.sun_path, path, sizeof(address.sun_path)) < sizeof(address.sun_path);

    if (!fits)
        errno = ENAMETOOLONG;
    if (fd >= 0 && fits && connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
        return fd;
    virtFilterLog("Cannot connect to libvirt at %s: %s", path, strerror(errno));
    return -1;
}

/* So that what libraries fetch once is there while it can still be fetched. */
static void
warmUp(void)
{
    clientUid = (guint)getuid();
    signal(SIGPIPE, SIG_IGN);
    g_log_set_writer_func(logFromGLib, NULL, NULL);
    g_random_int(); /* its seed, for MAC addresses */
}

static bool
readArgs(virtFilter *filter, int argc, char **argv)
{
    if (argc == 2)
        filter->flags = VIRT_DOMAIN_INTERFACES;
    else if (argc != 3 || strcmp(argv[2], "keep-interfaces") != 0)
        return false;
    return argv[1][0] == '/';
}

int
main(int argc, char **argv)
{
    g_autoptr(GError) error = NULL;
    virtFilter filter = {.clientOpen = true, .upstreamOpen = true, .broker = FD_BROKER};
    int upstream;

    if (!readArgs(&filter, argc, argv) || !isSocket(FD_CLIENT, SOCK_STREAM) || !isSocket(FD_BROKER, SOCK_SEQPACKET)) {
        fprintf(stderr, "usage: virt-hostdev-filter SOCKET [keep-interfaces], by virthostdevd, with a client on 3 and "
                        "itself on 4\n");
        return 2;
    }
    close_range(FD_BROKER + 1, ~0U, 0);
    warmUp();
    upstream = connectUpstream(argv[1]);
    if (upstream < 0)
        return 1;
    if (!virtFilterConfine(&error)) {
        virtFilterLog("%s", error->message);
        return 1;
    }
    virtFilterAskInit(&filter);
    filter.client = virtRpcChannelNew(FD_CLIENT, virtFilterOnCallHeader, virtFilterOnCall, &filter);
    filter.upstream = virtRpcChannelNew(upstream, virtFilterOnReplyHeader, virtFilterOnReply, &filter);
    run(&filter);
    _exit(0); /* the kernel cleans up; libraries' exit handlers may call what the sandbox forbids */
}
