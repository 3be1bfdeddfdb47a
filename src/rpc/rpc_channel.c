/* rpc_channel.c: one end of a connection, its messages and descriptors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Theory of operation. A read takes whatever is there, up to READ_MAX. What is to be passed is not copied: the peer
 * gets *pieces* (rpc_sendqueue.c) that lie in the reader's buffer, and so the reader does not read again before the
 * peer has written them. That is all the back-pressure there is, and it bounds the memory. Several small messages that
 * arrive together are one piece; of a large one, each part goes on as it comes.
 *
 * Descriptors. A message of a type WITH_FDS has a count at the start of its payload, and behind it as many single
 * bytes, each with one descriptor; they are not in its length (virnetmessage.c, virNetSocketSendFD). To read ahead
 * is safe because a UNIX stream socket ends a read behind data that came with descriptors (unix(7), "ancillary data
 * forms a barrier"): the one that arrives belongs to the last byte read. tests/channeltest.c asks the running kernel.
 */
#include "rpc/rpc_channel.h"
#include "rpc/rpc_sendqueue.h"
#include "util/virerror.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_MAX (256u << 10) /* bytes; libvirt's streams have them in a message */
#define OURS_MAX (256u << 10) /* bytes of our own that a peer may leave unread before we stop reading from it */
#define COUNT_LEN 4u          /* bytes of the count of descriptors */

struct _virtRpcChannel {
    int fd;
    virtRpcLookFunc look;
    virtRpcTakeFunc take;
    gpointer opaque;

    guint8 *buffer;   /* READ_MAX bytes; NULL until there is something to read */
    gsize start, end; /* in it: the part of a header that came with the last read */
    gsize left;       /* bytes of the message under way that are still to come */
    guint fdsLeft;    /* and descriptors, after them */
    bool collecting;
    virtRpcHeader header;
    GByteArray *message;
    GArray *fds; /* int: what came with it */

    virtRpcSendQueue out;
};

/* ---- reading ---- */

static bool
refuseMessage(GError **error, const char *why)
{
    g_set_error(error, VIRT_ERROR, VIRT_ERROR_INVALID, "%s. Is this libvirt's protocol?", why);
    return false;
}

static bool
isWithFds(const virtRpcHeader *header)
{
    return header->type == VIRT_RPC_CALL_WITH_FDS || header->type == VIRT_RPC_REPLY_WITH_FDS;
}

/* @ret_fds: how many descriptors follow. False without an error: the count has not come yet. */
static bool
readCount(const virtRpcHeader *header, const guint8 *bytes, gsize len, guint *ret_fds, GError **error)
{
    virtXdr xdr = {.bytes = bytes, .len = len, .at = VIRT_RPC_HEADER_LEN};

    *ret_fds = 0;
    if (!isWithFds(header))
        return true;
    if (header->len < VIRT_RPC_HEADER_LEN + COUNT_LEN)
        return refuseMessage(error, "A message with descriptors does not say how many");
    if (len < VIRT_RPC_HEADER_LEN + COUNT_LEN)
        return false;
    *ret_fds = virtXdrGetUInt(&xdr);
    if (*ret_fds > VIRT_RPC_FDS_MAX)
        return refuseMessage(error, "A message has more than 32 descriptors");
    return true;
}

/* False without an error: there is not enough of it yet. */
static bool
beginMessage(virtRpcChannel *channel, const guint8 *bytes, gsize len, GError **error)
{
    virtRpcFate fate = VIRT_RPC_PASS;
    guint fds;

    if (len < VIRT_RPC_HEADER_LEN || !virtRpcHeaderParse(bytes, &channel->header, error) ||
        !readCount(&channel->header, bytes, len, &fds, error) ||
        !channel->look(channel->opaque, &channel->header, &fate, error))
        return false;
    channel->left = channel->header.len;
    channel->fdsLeft = fds;
    channel->collecting = fate == VIRT_RPC_COLLECT;
    if (channel->collecting)
        channel->message = g_byte_array_new(); /* grows with what comes, not by what a stranger says will */
    return true;
}

static bool
deliverMessage(virtRpcChannel *channel, virtRpcChannel *peer, GError **error)
{
    GByteArray *message = g_steal_pointer(&channel->message);
    bool ok = channel->take(channel->opaque, &channel->header, &message, error);

    if (!ok)
        g_clear_pointer(&message, g_byte_array_unref);
    if (message)
        virtRpcSendQueueAppend(&peer->out, message);
    for (guint i = 0; i < channel->fds->len; i++) {
        int fd = g_array_index(channel->fds, int, i);

        if (message)
            virtRpcSendQueueAppendFd(&peer->out, fd);
        else
            close(fd);
    }
    g_array_set_size(channel->fds, 0);
    return ok;
}

static bool
endIfWhole(virtRpcChannel *channel, virtRpcChannel *peer, GError **error)
{
    if (channel->left || channel->fdsLeft)
        return true;
    if (channel->collecting)
        return deliverMessage(channel, peer, error);
    virtRpcSendQueueEndPassing(&peer->out);
    return true;
}

static void
takeBytes(virtRpcChannel *channel, virtRpcChannel *peer, const guint8 *bytes, gsize len)
{
    channel->left -= len;
    if (channel->collecting)
        g_byte_array_append(channel->message, bytes, len);
    else
        virtRpcSendQueueAppendBorrowed(&peer->out, bytes, len);
}

/* One of the bytes behind a message. @fd: what came with the read, if this is its last byte; is -1 afterwards. */
static bool
takeFd(virtRpcChannel *channel, virtRpcChannel *peer, int *fd, GError **error)
{
    if (*fd < 0)
        return refuseMessage(error, "A message has fewer descriptors than it announces");
    channel->fdsLeft--;
    if (channel->collecting)
        g_array_append_val(channel->fds, *fd);
    else
        virtRpcSendQueueAppendFd(&peer->out, *fd);
    *fd = -1;
    return true;
}

/* Takes what comes next of the message under way; @len: the bytes that there are, afterwards those that were taken.
 * The descriptor that came belongs to the last of them. */
static bool
takeNext(virtRpcChannel *channel, virtRpcChannel *peer, const guint8 *at, gsize *len, int *fd, GError **error)
{
    int none = -1;

    if (channel->left) {
        *len = MIN(*len, channel->left);
        takeBytes(channel, peer, at, *len);
        return true;
    }
    if (*len > 1)
        fd = &none;
    *len = 1;
    return takeFd(channel, peer, fd, error);
}

/* Goes over what has been read; an incomplete header stays. @fd as in takeFd(). */
static bool
digest(virtRpcChannel *channel, virtRpcChannel *peer, int *fd, GError **error)
{
    while (channel->start < channel->end) {
        const guint8 *at = channel->buffer + channel->start;
        gsize len = channel->end - channel->start;
        GError *problem = NULL;

        if (!channel->left && !channel->fdsLeft && !beginMessage(channel, at, len, &problem)) {
            if (problem)
                g_propagate_error(error, problem);
            return !problem;
        }
        if (!takeNext(channel, peer, at, &len, fd, error))
            return false;
        channel->start += len;
        if (!endIfWhole(channel, peer, error))
            return false;
    }
    return true;
}

/* The descriptor that came, -1 for none. More than one, or more than there was room for, is refused. */
static bool
takeControl(struct msghdr *msg, int *ret_fd, GError **error)
{
    int fd = -1;
    bool bad = msg->msg_flags & MSG_CTRUNC;

    for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        for (gsize at = CMSG_LEN(0); at + sizeof(int) <= c->cmsg_len; at += sizeof(int)) {
            bad = bad || fd >= 0;
            if (fd >= 0)
                close(fd);
            memcpy(&fd, (guint8 *)c + at, sizeof(int));
        }
    }
    *ret_fd = fd;
    if (!bad)
        return true;
    if (fd >= 0)
        close(fd);
    return refuseMessage(error, "More than one descriptor came with one byte");
}

/* Returns how many bytes came; 0 at the end; -1 with or without an error: nothing. */
static gssize
receive(virtRpcChannel *channel, int *ret_fd, GError **error)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int))]; /* the kernel drops what does not fit, and says so */
    } control;
    struct iovec iov = {channel->buffer + channel->end, READ_MAX - channel->end};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
    gssize n = recvmsg(channel->fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

    if (n >= 0) {
        if (!takeControl(&msg, ret_fd, error))
            return -1;
        return n;
    }
    if (errno == ECONNRESET)
        return 0; /* closed with something of ours unread */
    if (errno != EAGAIN && errno != EINTR)
        g_set_error(error, VIRT_ERROR, VIRT_ERROR_HOST, "Cannot read: %s", strerror(errno));
    return -1;
}

/* Read what there is, once; pass it to @peer (virtRpcChannelWrite() sends it) or collect it.
 *
 * @ret_open: false where the other end has closed; half a message is then forgotten
 *
 * Does nothing while the peer has something to write: it may lie in the buffer.
 *
 * Errors: VIRT_ERROR_INVALID for what is no message, for what virtRpcLookFunc and virtRpcTakeFunc refuse, and for
 * descriptors that are missing or too many; VIRT_ERROR_HOST. What came before is passed all the same, and the
 * channel is of no further use for reading.
 */
bool
virtRpcChannelRead(virtRpcChannel *channel, virtRpcChannel *peer, bool *ret_open, GError **error)
{
    GError *problem = NULL;
    int fd = -1;
    gssize n;
    bool ok;

    *ret_open = true;
    if (peer->out.pieces->len)
        return true;
    if (!channel->buffer)
        channel->buffer = g_malloc(READ_MAX);
    channel->end -= channel->start;
    memmove(channel->buffer, channel->buffer + channel->start, channel->end);
    channel->start = 0;
    n = receive(channel, &fd, &problem);
    if (n <= 0) {
        *ret_open = n < 0;
        if (problem)
            g_propagate_error(error, problem);
        return !problem;
    }
    channel->end += (gsize)n;
    ok = digest(channel, peer, &fd, error);
    if (fd < 0)
        return ok;
    close(fd);
    if (!ok)
        return false;
    return refuseMessage(error, "A descriptor came that no message announced");
}

/* ---- writing ---- */

/* Write what waits, as far as the other end takes it. One that has closed takes everything, as virtRpcChannelDiscard()
 * has it: what it said before can still be read.
 *
 * Errors: VIRT_ERROR_HOST.
 */
bool
virtRpcChannelWrite(virtRpcChannel *channel, GError **error)
{
    return virtRpcSendQueueWrite(&channel->out, channel->fd, error);
}

/* Put a whole message behind what already waits. It is sent by virtRpcChannelWrite(), and after the message that is
 * just being passed, if there is one.
 *
 * @message: taken over
 */
void
virtRpcChannelSend(virtRpcChannel *channel, GByteArray *message)
{
    virtRpcSendQueueSend(&channel->out, message);
}

/* Forget what waits to be written, and from now on whatever comes: the other end has gone, or is given up. */
void
virtRpcChannelDiscard(virtRpcChannel *channel)
{
    virtRpcSendQueueDiscard(&channel->out);
}

/* What counts is our own messages, too, that wait for the end of one that is being passed. */
bool
virtRpcChannelIsIdle(const virtRpcChannel *channel)
{
    return channel->out.pieces->len == 0 && g_queue_is_empty((GQueue *)&channel->out.later);
}

/* Has a part of a message been passed to @channel, and the rest not? Nothing else can be written to it then. */
bool
virtRpcChannelIsMidway(const virtRpcChannel *channel)
{
    return channel->out.midway;
}

/* ---- all of it ---- */

/* One end of a connection.
 *
 * @fd: a connected UNIX stream socket, closed by virtRpcChannelFree()
 * @look: asked about each message that begins
 * @take: given each message that @look wanted collected
 */
virtRpcChannel *
virtRpcChannelNew(int fd, virtRpcLookFunc look, virtRpcTakeFunc take, gpointer opaque)
{
    virtRpcChannel *channel = g_new0(virtRpcChannel, 1);

    channel->fd = fd;
    channel->look = look;
    channel->take = take;
    channel->opaque = opaque;
    channel->fds = g_array_new(FALSE, FALSE, sizeof(int));
    virtRpcSendQueueInit(&channel->out);
    return channel;
}

/* Close the connection and everything that was on its way; NULL is fine. What this channel has lent goes with it,
 * so a peer is not to be written to any more.
 */
void
virtRpcChannelFree(virtRpcChannel *channel)
{
    if (!channel)
        return;
    virtRpcSendQueueClear(&channel->out);
    close(channel->fd);
    for (guint i = 0; i < channel->fds->len; i++)
        close(g_array_index(channel->fds, int, i));
    g_array_unref(channel->fds);
    g_clear_pointer(&channel->message, g_byte_array_unref);
    g_free(channel->buffer);
    g_free(channel);
}

/* Its socket, for poll(); lent. */
int
virtRpcChannelFd(const virtRpcChannel *channel)
{
    return channel->fd;
}

/* What to poll for: POLLIN unless what this channel read cannot be passed on yet, or its end leaves our own messages
 * unread; POLLOUT while something waits to be written.
 */
short
virtRpcChannelEvents(const virtRpcChannel *channel, const virtRpcChannel *peer)
{
    short events = 0;

    if (peer->out.pieces->len == 0 && channel->out.ours < OURS_MAX)
        events |= POLLIN;
    if (channel->out.pieces->len)
        events |= POLLOUT;
    return events;
}

/* Give back the memory that only a burst needs. It costs the next read a few microseconds: for when nothing has come
 * for a while.
 */
void
virtRpcChannelTrim(virtRpcChannel *channel, const virtRpcChannel *peer)
{
    if (peer->out.pieces->len || channel->start < channel->end)
        return;
    channel->start = channel->end = 0;
    g_clear_pointer(&channel->buffer, g_free);
}
