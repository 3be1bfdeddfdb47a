/* channel.c: fuzz target: a stream of messages and descriptors through two channels, in pieces of any size
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Input: a byte N, N bytes that say how the stream is cut (taken over and over), and the stream. Of a cut, the low six
 * bits are its length less one, 64 says that nobody reads before the next, 128 that a descriptor comes with it.
 *
 * What must come out is worked out here from the whole stream; how it was cut may make no difference.
 */
#include "fuzz.h"
#include "rpc/rpc_channel.h"
#include "util/virerror.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* What becomes of a message; its procedure says, and all above refuses. */
enum { PASS, COLLECT, DROP, REPLACE, REFUSE };

#define REPLACEMENT "another message"
#define WITH_COUNT (VIRT_RPC_HEADER_LEN + 4) /* of descriptors */

static guint
fateOf(const virtRpcHeader *header)
{
    return MIN(header->proc, REFUSE);
}

static bool
look(gpointer opaque, const virtRpcHeader *header, virtRpcFate *ret_fate, GError **error)
{
    (void)opaque;
    *ret_fate = fateOf(header) == PASS ? VIRT_RPC_PASS : VIRT_RPC_COLLECT;
    if (fateOf(header) != REFUSE)
        return true;
    g_set_error(error, VIRT_ERROR, VIRT_ERROR_INVALID, "refused");
    return false;
}

static bool
take(gpointer opaque, const virtRpcHeader *header, GByteArray **message, GError **error)
{
    (void)opaque;
    (void)error;
    if ((*message)->len != header->len)
        fuzzFail("a message of %u bytes was collected as %u", header->len, (*message)->len);
    if (fateOf(header) == COLLECT)
        return true;
    g_clear_pointer(message, g_byte_array_unref);
    if (fateOf(header) == REPLACE)
        *message = g_byte_array_append(g_byte_array_new(), (const guint8 *)REPLACEMENT, sizeof(REPLACEMENT));
    return true;
}

/* ---- what is to come out ---- */

typedef enum {
    WHOLE, /* all of it is messages */
    CUT,   /* the last one is not whole, and perhaps bad */
    BAD,   /* one must be refused */
} Verdict;

typedef struct {
    const guint8 *bytes;
    const bool *hasFd; /* of each byte, whether a descriptor comes with it */
    gsize size, at;
} Stream;

/* How many descriptors follow a message; false where it does not say so in order. */
static bool
countFds(const virtRpcHeader *header, const guint8 *bytes, guint *ret)
{
    guint32 count;

    *ret = 0;
    if (header->type != VIRT_RPC_CALL_WITH_FDS && header->type != VIRT_RPC_REPLY_WITH_FDS)
        return true;
    memcpy(&count, bytes + VIRT_RPC_HEADER_LEN, sizeof(count));
    *ret = GUINT32_FROM_BE(count);
    return header->len >= WITH_COUNT && *ret <= VIRT_RPC_FDS_MAX;
}

/* Whether descriptors come with the @fds bytes behind the next @len, and with none of these. */
static bool
fdsFit(const Stream *stream, gsize len, guint fds)
{
    for (gsize i = 0; i < len + fds; i++)
        if (stream->hasFd[stream->at + i] != (i >= len))
            return false;
    return true;
}

static void
give(GByteArray *out, const virtRpcHeader *header, const guint8 *bytes, guint fds, guint *ret_fds)
{
    static const guint8 zeros[VIRT_RPC_FDS_MAX];
    guint fate = fateOf(header);

    if (fate == DROP)
        return;
    if (fate == REPLACE)
        g_byte_array_append(out, (const guint8 *)REPLACEMENT, sizeof(REPLACEMENT));
    else
        g_byte_array_append(out, bytes, header->len);
    g_byte_array_append(out, zeros, fds);
    *ret_fds += fds;
}

/* Go past one message. */
static Verdict
next(Stream *stream, GByteArray *out, guint *ret_fds)
{
    const guint8 *bytes = stream->bytes + stream->at;
    gsize left = stream->size - stream->at;
    virtRpcHeader header;
    guint fds;

    if (left < WITH_COUNT && left != VIRT_RPC_HEADER_LEN)
        return CUT;
    if (!virtRpcHeaderParse(bytes, &header, NULL))
        return BAD;
    if (left < header.len || (left < WITH_COUNT && header.type != VIRT_RPC_CALL))
        return CUT;
    if (!countFds(&header, bytes, &fds) || fateOf(&header) == REFUSE)
        return BAD;
    if (left < header.len + fds)
        return CUT;
    if (!fdsFit(stream, header.len, fds))
        return BAD;
    give(out, &header, bytes, fds, ret_fds);
    stream->at += header.len + fds;
    return WHOLE;
}

static Verdict
foretell(Stream *stream, GByteArray *out, guint *ret_fds)
{
    Verdict verdict = WHOLE;

    while (verdict == WHOLE && stream->at < stream->size)
        verdict = next(stream, out, ret_fds);
    return verdict;
}

/* ---- what does come out ---- */

/* left - client channel - server channel - right */
typedef struct {
    int left, right;
    virtRpcChannel *client, *server;
    GByteArray *out;
    guint fds;
    bool refused;
} Pipe;

static void
drain(Pipe *pipe)
{
    guint8 bytes[4096];
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec iov = {bytes, sizeof(bytes)};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
    gssize n;

    while ((n = recvmsg(pipe->right, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC)) > 0) {
        struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

        g_byte_array_append(pipe->out, bytes, (guint)n);
        if (c) {
            int fd;

            memcpy(&fd, CMSG_DATA(c), sizeof(fd));
            close(fd);
            pipe->fds++;
        }
        msg.msg_controllen = sizeof(control);
    }
}

static bool
canRead(int fd)
{
    struct pollfd slot = {.fd = fd, .events = POLLIN};

    return poll(&slot, 1, 0) == 1;
}

static void
pump(Pipe *pipe)
{
    while (!pipe->refused && canRead(virtRpcChannelFd(pipe->client))) {
        bool open;

        pipe->refused = !virtRpcChannelRead(pipe->client, pipe->server, &open, NULL);
        while (!virtRpcChannelIsIdle(pipe->server)) {
            if (!virtRpcChannelWrite(pipe->server, NULL))
                fuzzFail("the other end is open and cannot be written to");
            drain(pipe);
        }
    }
}

/* Returns false where the socket is full. */
static bool
sendPiece(int sock, const guint8 *bytes, gsize len, bool withFd)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct iovec iov = {(gpointer)bytes, len};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};

    if (withFd) {
        msg.msg_control = &control;
        msg.msg_controllen = sizeof(control);
        *CMSG_FIRSTHDR(&msg) = (struct cmsghdr){CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
        memcpy(CMSG_DATA(CMSG_FIRSTHDR(&msg)), &sock, sizeof(sock));
    }
    return sendmsg(sock, &msg, MSG_DONTWAIT | MSG_NOSIGNAL) == (gssize)len;
}

static void
openPipe(Pipe *pipe)
{
    int left[2], right[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, left) < 0 ||
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, right) < 0)
        fuzzFail("no sockets: %m");
    *pipe = (Pipe){left[0],
                   right[0],
                   virtRpcChannelNew(left[1], look, take, NULL),
                   virtRpcChannelNew(right[1], look, take, NULL),
                   g_byte_array_new(),
                   0,
                   false};
}

static void
closePipe(Pipe *pipe)
{
    virtRpcChannelFree(pipe->client);
    virtRpcChannelFree(pipe->server);
    close(pipe->left);
    close(pipe->right);
    g_byte_array_unref(pipe->out);
}

/* ---- both ---- */

static void
compare(const Pipe *pipe, const GByteArray *wanted, guint fds, Verdict verdict)
{
    if (verdict == WHOLE && (pipe->refused || pipe->out->len != wanted->len || pipe->fds != fds))
        fuzzFail("%s%u bytes and %u descriptors came out, not %u and %u", pipe->refused ? "refused; " : "",
                 pipe->out->len, pipe->fds, wanted->len, fds);
    if (verdict == BAD && !pipe->refused)
        fuzzFail("not refused");
    if (pipe->out->len < wanted->len || (wanted->len && memcmp(pipe->out->data, wanted->data, wanted->len) != 0))
        fuzzFail("other bytes came out");
}

/* The length of the piece at @at; notes its descriptor. */
static gsize
cutAt(const Stream *stream, gsize at, guint8 cut, bool *hasFd)
{
    gsize len = MIN((cut & 63u) + 1, stream->size - at);

    hasFd[at + len - 1] = cut & 128;
    return len;
}

int
LLVMFuzzerTestOneInput(const guint8 *data, size_t size)
{
    guint n = size ? data[0] : 0;
    gsize head = MIN(size, 1 + n), len;
    g_autofree bool *hasFd = g_new0(bool, size + 1);
    Stream stream = {data + head, hasFd, size - head, 0};
    g_autoptr(GByteArray) wanted = g_byte_array_new();
    Verdict verdict;
    guint fds = 0;
    Pipe pipe;

    if (n == 0)
        return 0;
    openPipe(&pipe);
    for (gsize at = 0, i = 0; at < stream.size; at += len, i++) {
        guint8 cut = 1 + i % n < head ? data[1 + i % n] : 0;

        len = cutAt(&stream, at, cut, hasFd);
        while (!pipe.refused && !sendPiece(pipe.left, stream.bytes + at, len, cut & 128))
            pump(&pipe);
        if (!(cut & 64))
            pump(&pipe);
    }
    pump(&pipe);
    verdict = foretell(&stream, wanted, &fds);
    compare(&pipe, wanted, fds, verdict);
    closePipe(&pipe);
    return 0;
}
