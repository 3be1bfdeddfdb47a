/* rpc_sendqueue.c: what waits to be written to one end of a connection
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A queue of pieces. Bytes that are only passed on stay where they were read and are lent; whole messages, and
 * descriptors, are given. Each descriptor goes in a sendmsg() of its own with its one byte, because libvirt reads the
 * message before it with read(), which would lose it.
 */
#include "rpc/rpc_sendqueue.h"
#include "util/virerror.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define VECTOR_MAX 16 /* pieces of one sendmsg() */

typedef struct {
    const guint8 *at; /* what is left of it */
    gsize len;
    GByteArray *owner; /* whose bytes these are; NULL: lent */
    bool ours;         /* made by us, and counted */
    int fd;            /* goes with the one byte; -1: none */
} Piece;

static void
pieceClear(gpointer data)
{
    Piece *piece = data;

    if (piece->owner)
        g_byte_array_unref(piece->owner);
    if (piece->fd >= 0)
        close(piece->fd);
}

static Piece *
firstPiece(const virtRpcSendQueue *out)
{
    return (Piece *)(gpointer)out->pieces->data;
}

static void
append(virtRpcSendQueue *out, Piece piece)
{
    if (out->discarding)
        pieceClear(&piece);
    else
        g_array_append_val(out->pieces, piece);
}

/* Make an empty one, for virtRpcSendQueueClear(). */
void
virtRpcSendQueueInit(virtRpcSendQueue *out)
{
    out->pieces = g_array_new(FALSE, FALSE, sizeof(Piece));
    g_array_set_clear_func(out->pieces, pieceClear);
    g_queue_init(&out->later);
}

/* Forget and close all that waits. */
void
virtRpcSendQueueClear(virtRpcSendQueue *out)
{
    virtRpcSendQueueDiscard(out);
    g_array_unref(out->pieces);
}

/* Queue bytes that stay where they are until they are written. Those that follow each other in memory are one piece.
 */
void
virtRpcSendQueueAppendBorrowed(virtRpcSendQueue *out, const guint8 *bytes, gsize len)
{
    Piece *last = NULL;

    out->midway = true;
    if (out->pieces->len)
        last = firstPiece(out) + out->pieces->len - 1;
    if (last && !last->owner && last->fd < 0 && last->at + last->len == bytes)
        last->len += len;
    else
        append(out, (Piece){.at = bytes, .len = len, .fd = -1});
}

/* Queue a whole message, taken over. Not while another one is being passed. */
void
virtRpcSendQueueAppend(virtRpcSendQueue *out, GByteArray *message)
{
    append(out, (Piece){.at = message->data, .len = message->len, .owner = message, .fd = -1});
}

/* Queue a descriptor, taken over. */
void
virtRpcSendQueueAppendFd(virtRpcSendQueue *out, int fd)
{
    static const guint8 zero;

    append(out, (Piece){.at = &zero, .len = 1, .fd = fd});
}

static void
giveOurs(virtRpcSendQueue *out, GByteArray *message)
{
    append(out, (Piece){.at = message->data, .len = message->len, .owner = message, .ours = true, .fd = -1});
}

/* The message that was being passed is whole: now what waited for that. */
void
virtRpcSendQueueEndPassing(virtRpcSendQueue *out)
{
    GByteArray *message;

    out->midway = false;
    while ((message = g_queue_pop_head(&out->later)))
        giveOurs(out, message);
}

/* Queue a message of our own, taken over: behind the one that is being passed. */
void
virtRpcSendQueueSend(virtRpcSendQueue *out, GByteArray *message)
{
    if (!out->discarding)
        out->ours += message->len;
    if (out->midway && !out->discarding)
        g_queue_push_tail(&out->later, message);
    else
        giveOurs(out, message);
}

/* Forget what waits, and from now on whatever comes. */
void
virtRpcSendQueueDiscard(virtRpcSendQueue *out)
{
    out->discarding = true;
    g_array_set_size(out->pieces, 0);
    g_queue_clear_full(&out->later, (GDestroyNotify)g_byte_array_unref);
    out->ours = 0;
}

/* ---- writing ---- */

static gssize
sendFd(int sock, const Piece *piece)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct iovec iov = {(gpointer)piece->at, 1};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
    struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(c), &piece->fd, sizeof(int));
    return sendmsg(sock, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* As many pieces as go together; @ret_len: the bytes that were to be sent. */
static gssize
sendPieces(const virtRpcSendQueue *out, int sock, gsize *ret_len)
{
    const Piece *pieces = firstPiece(out);
    struct iovec iov[VECTOR_MAX];
    struct msghdr msg = {.msg_iov = iov};

    *ret_len = 1;
    if (pieces[0].fd >= 0)
        return sendFd(sock, pieces);
    *ret_len = 0;
    for (guint i = 0; i < out->pieces->len && i < VECTOR_MAX && pieces[i].fd < 0; i++) {
        iov[msg.msg_iovlen++] = (struct iovec){(gpointer)pieces[i].at, pieces[i].len};
        *ret_len += pieces[i].len;
    }
    return sendmsg(sock, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void
removeSent(virtRpcSendQueue *out, gsize sent)
{
    guint done = 0;

    for (Piece *piece = firstPiece(out); sent; piece++) {
        gsize len = MIN(sent, piece->len);

        sent -= len;
        piece->at += len;
        piece->len -= len;
        if (piece->ours)
            out->ours -= len;
        done += piece->len == 0;
    }
    if (done)
        g_array_remove_range(out->pieces, 0, done);
}

/* Write what waits, as far as the other end takes it. One that has closed takes everything, as
 * virtRpcSendQueueDiscard() has it: what it said before can still be read.
 *
 * Errors: VIRT_ERROR_HOST.
 */
bool
virtRpcSendQueueWrite(virtRpcSendQueue *out, int sock, GError **error)
{
    while (out->pieces->len) {
        gsize len;
        gssize n = sendPieces(out, sock, &len);

        if (n < 0 && (errno == EPIPE || errno == ECONNRESET)) {
            virtRpcSendQueueDiscard(out);
        } else if (n < 0 && errno != EAGAIN && errno != EINTR) {
            g_set_error(error, VIRT_ERROR, VIRT_ERROR_HOST, "Cannot write: %s", strerror(errno));
            return false;
        }
        if (n > 0)
            removeSent(out, (gsize)n);
        if (n < (gssize)len)
            break;
    }
    return true;
}
