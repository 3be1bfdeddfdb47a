/* channeltest.c: messages and descriptors through two channels, in every size of piece, and what is refused
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "rpc/rpc_channel.h"
#include "util/virerror.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* What becomes of a message; its procedure says. */
enum { PASS, COLLECT, DROP, REPLACE, REFUSE };

#define REPLACEMENT "another message"

/* left ─ client channel ─ server channel ─ right */
typedef struct {
    int left, right;
    virtRpcChannel *client, *server;
    guint taken;
    guint open; /* descriptors, before */
} Fixture;

static guint
countOpen(void)
{
    guint count = 0;

    for (int fd = 0; fd < 1024; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

static bool
look(gpointer opaque, const virtRpcHeader *header, virtRpcFate *ret_fate, GError **error)
{
    (void)opaque;
    *ret_fate = header->proc == PASS ? VIRT_RPC_PASS : VIRT_RPC_COLLECT;
    if (header->proc != REFUSE)
        return true;
    g_set_error(error, VIRT_ERROR, VIRT_ERROR_INVALID, "refused");
    return false;
}

static bool
take(gpointer opaque, const virtRpcHeader *header, GByteArray **message, GError **error)
{
    Fixture *f = opaque;

    (void)error;
    f->taken++;
    g_assert_cmpuint((*message)->len, ==, header->len);
    if (header->proc == COLLECT)
        return true;
    g_clear_pointer(message, g_byte_array_unref);
    if (header->proc == REPLACE)
        *message = g_byte_array_append(g_byte_array_new(), (const guint8 *)REPLACEMENT, sizeof(REPLACEMENT));
    return true;
}

static void
setUp(Fixture *f, gconstpointer data)
{
    int left[2], right[2];

    (void)data;
    f->open = countOpen();
    g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM, 0, left), ==, 0);
    g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM, 0, right), ==, 0);
    f->left = left[0];
    f->right = right[0];
    f->client = virtRpcChannelNew(left[1], look, take, f);
    f->server = virtRpcChannelNew(right[1], look, take, f);
}

static void
tearDown(Fixture *f, gconstpointer data)
{
    (void)data;
    virtRpcChannelFree(f->client);
    virtRpcChannelFree(f->server);
    if (f->left >= 0)
        close(f->left);
    if (f->right >= 0)
        close(f->right);
    g_assert_cmpuint(countOpen(), ==, f->open);
}

/* ---- moving bytes ---- */

/* One turn of a filter's loop, from left to right. False at the end, or with an error. */
static bool
turn(Fixture *f, GError **error)
{
    short events = virtRpcChannelEvents(f->client, f->server);
    bool open = true;

    if (events & POLLIN && !virtRpcChannelRead(f->client, f->server, &open, error))
        return false;
    g_assert_true(virtRpcChannelWrite(f->server, NULL));
    return open;
}

static bool
canRead(int fd)
{
    struct pollfd slot = {.fd = fd, .events = POLLIN};
    return poll(&slot, 1, 0) == 1;
}

/* As long as there is something to do that does not need the other end. */
static void
pump(Fixture *f)
{
    while (canRead(virtRpcChannelFd(f->client)) && virtRpcChannelIsIdle(f->server)) {
        g_autoptr(GError) error = NULL;

        turn(f, &error);
        g_assert_no_error(error);
    }
    g_assert_true(virtRpcChannelWrite(f->server, NULL));
}

static void
sendBytes(int fd, const guint8 *bytes, gsize len)
{
    g_assert_cmpint(send(fd, bytes, len, MSG_DONTWAIT), ==, len);
}

/* @bytes with @count descriptors in one go; each is a new open file. */
static void
sendFds(int sock, const char *bytes, gsize len, guint count)
{
    char control[CMSG_SPACE(sizeof(int) * 200)] = {0};
    struct iovec iov = {(gpointer)bytes, len};
    struct msghdr msg = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = CMSG_SPACE(sizeof(int) * count)};
    struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(int) * count);
    for (guint i = 0; i < count; i++)
        memcpy(CMSG_DATA(c) + i * sizeof(int), &fd, sizeof(int));
    g_assert_cmpint(sendmsg(sock, &msg, 0), ==, len);
    close(fd);
}

/* A file whose offset tells which one it is. */
static void
sendNumbered(int sock, guint number)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = {0};
    char zero = 0;
    struct iovec iov = {&zero, 1};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
    struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
    int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

    g_assert_cmpint(lseek(fd, number, SEEK_SET), ==, number);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(c), &fd, sizeof(int));
    g_assert_cmpint(sendmsg(sock, &msg, 0), ==, 1);
    close(fd);
}

/* The way libvirt does it: one byte, one descriptor. */
static void
expectNumbered(int sock, guint number)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = {0};
    char byte = 'x';
    struct iovec iov = {&byte, 1};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
    struct cmsghdr *c;
    int fd;

    g_assert_cmpint(recvmsg(sock, &msg, MSG_DONTWAIT), ==, 1);
    c = CMSG_FIRSTHDR(&msg);
    g_assert_nonnull(c);
    g_assert_cmpuint(c->cmsg_len, ==, CMSG_LEN(sizeof(int)));
    memcpy(&fd, CMSG_DATA(c), sizeof(int));
    g_assert_cmpint(byte, ==, 0);
    g_assert_cmpint(lseek(fd, 0, SEEK_CUR), ==, number);
    close(fd);
}

/* @len bytes in all. @fds: -1: of a type without. */
static GByteArray *
newMessage(guint proc, gsize len, int fds)
{
    GByteArray *message =
        virtRpcMessageNew(proc, fds < 0 ? VIRT_RPC_CALL : VIRT_RPC_CALL_WITH_FDS, len & 0xffff, VIRT_RPC_OK);

    if (fds >= 0)
        virtXdrPutUInt(message, (guint)fds);
    for (gsize at = message->len; at < len; at++)
        g_byte_array_append(message, &(guint8){(guint8)(at * 31 + at / 251)}, 1);
    message->data[0] = (guint8)(message->len >> 24);
    message->data[1] = (guint8)(message->len >> 16);
    message->data[2] = (guint8)(message->len >> 8);
    message->data[3] = (guint8)message->len;
    return message;
}

static void
expectBytes(int fd, const guint8 *bytes, gsize len)
{
    g_autofree guint8 *got = g_malloc(len + 1);
    gsize have = 0;

    for (gssize n; have < len && (n = read(fd, got + have, len - have)) > 0;)
        have += (gsize)n;
    g_assert_cmpmem(got, have, bytes, len);
}

static void
expectNothing(int fd)
{
    g_assert_false(canRead(fd));
}

/* ---- what the kernel does ---- */

/* All of this stands on it: a read ends behind a byte that came with a descriptor. */
static void
testBarrier(Fixture *f, gconstpointer data)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control;
    char bytes[100];
    struct iovec iov = {bytes, sizeof(bytes)};
    const struct {
        gssize len;
        bool fd;
    } reads[] = {{11, true}, {1, true}, {1, true}, {20, false}};

    sendBytes(f->left, (const guint8 *)"0123456789", 10);
    for (guint i = 0; i < 3; i++)
        sendNumbered(f->left, i);
    sendBytes(f->left, (const guint8 *)"0123456789", 10);
    sendBytes(f->left, (const guint8 *)"0123456789", 10);
    for (guint i = 0; i < G_N_ELEMENTS(reads); i++) {
        struct msghdr msg = {
            .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
        struct cmsghdr *c;

        g_assert_cmpint(recvmsg(virtRpcChannelFd(f->client), &msg, 0), ==, reads[i].len);
        c = CMSG_FIRSTHDR(&msg);
        g_assert_cmpint(c != NULL, ==, reads[i].fd);
        if (c)
            close(*(int *)(gpointer)CMSG_DATA(c));
    }
}

/* ---- what goes through ---- */

typedef struct {
    guint proc;
    gsize len;
    int fds;
} Item;

/* Passed and collected ones in turn, with and without descriptors, and one whose count is all it has. */
static const Item row[] = {{PASS, 28, -1},   {PASS, 29, -1},   {COLLECT, 28, -1}, {PASS, 150, 2},
                           {PASS, 28, -1},   {COLLECT, 90, 3}, {PASS, 32, 0},     {COLLECT, 32, 1},
                           {COLLECT, 32, 0}, {PASS, 32, 1},    {PASS, 32, 32},    {PASS, 200, -1}};

static void
expectItem(Fixture *f, const Item *item, guint number)
{
    g_autoptr(GByteArray) message = newMessage(item->proc, item->len, item->fds);

    expectBytes(f->right, message->data, message->len);
    for (int i = 0; i < item->fds; i++)
        expectNumbered(f->right, number + (guint)i);
}

/* Everything in pieces of @data bytes, each read before the next is sent. */
static void
testPieces(Fixture *f, gconstpointer data)
{
    gsize piece = GPOINTER_TO_SIZE(data);

    for (guint i = 0; i < G_N_ELEMENTS(row); i++) {
        g_autoptr(GByteArray) message = newMessage(row[i].proc, row[i].len, row[i].fds);

        for (gsize at = 0; at < message->len; at += piece) {
            sendBytes(f->left, message->data + at, MIN(piece, message->len - at));
            pump(f);
        }
        for (int n = 0; n < row[i].fds; n++) {
            sendNumbered(f->left, i * 100 + (guint)n);
            pump(f);
        }
        expectItem(f, &row[i], i * 100); /* at once: a socket takes only some 250 pieces, however small */
    }
    expectNothing(f->right);
    g_assert_cmpuint(f->taken, ==, 4);
}

/* All is there before the first read, which then takes from many messages. */
static void
testReadAhead(Fixture *f, gconstpointer data)
{
    for (guint i = 0; i < G_N_ELEMENTS(row); i++) {
        g_autoptr(GByteArray) message = newMessage(row[i].proc, row[i].len, row[i].fds);

        sendBytes(f->left, message->data, message->len);
        for (int n = 0; n < row[i].fds; n++)
            sendNumbered(f->left, i * 100 + (guint)n);
    }
    pump(f);
    for (guint i = 0; i < G_N_ELEMENTS(row); i++)
        expectItem(f, &row[i], i * 100);
    expectNothing(f->right);
}

/* Several small messages that arrive together cost one read and one write. */
static void
testTogether(Fixture *f, gconstpointer data)
{
    g_autoptr(GByteArray) message = newMessage(PASS, 64, -1);
    guint8 all[64 * 50];

    for (guint i = 0; i < 50; i++)
        memcpy(all + i * message->len, message->data, message->len);
    sendBytes(f->left, all, sizeof(all) - 1);
    g_assert_true(turn(f, NULL));
    expectBytes(f->right, all, sizeof(all) - 1);
    sendBytes(f->left, all + sizeof(all) - 1, 1);
    pump(f);
    expectBytes(f->right, all + sizeof(all) - 1, 1);
}

static void
testTaken(Fixture *f, gconstpointer data)
{
    static const guint procs[] = {DROP, REPLACE, PASS};

    for (guint i = 0; i < G_N_ELEMENTS(procs); i++) {
        g_autoptr(GByteArray) message = newMessage(procs[i], 100, 2);

        sendBytes(f->left, message->data, message->len);
        sendNumbered(f->left, i * 10);
        sendNumbered(f->left, i * 10 + 1);
    }
    pump(f);
    expectBytes(f->right, (const guint8 *)REPLACEMENT, sizeof(REPLACEMENT));
    expectNumbered(f->right, 10);
    expectNumbered(f->right, 11);
    expectItem(f, &(Item){PASS, 100, 2}, 20);
    g_assert_cmpuint(f->taken, ==, 2);
}

static GByteArray *
ourMessage(void)
{
    return g_byte_array_append(g_byte_array_new(), (const guint8 *)"ours", 4);
}

/* Whatever is sent while a message is being passed comes behind it, and behind its descriptors. */
static void
testNeverInside(Fixture *f, gconstpointer data)
{
    g_autoptr(GByteArray) message = newMessage(PASS, 100, 2);

    virtRpcChannelSend(f->server, ourMessage());
    g_assert_false(virtRpcChannelIsIdle(f->server));
    g_assert_true(virtRpcChannelWrite(f->server, NULL));
    sendBytes(f->left, message->data, 20); /* not even a header: nobody knows of it */
    pump(f);
    virtRpcChannelSend(f->server, ourMessage());
    pump(f);
    sendBytes(f->left, message->data + 20, 30);
    pump(f);
    g_assert_true(virtRpcChannelIsMidway(f->server));
    virtRpcChannelSend(f->server, ourMessage());
    g_assert_false(virtRpcChannelIsIdle(f->server));
    sendBytes(f->left, message->data + 50, 50);
    g_assert_true(turn(f, NULL));
    sendNumbered(f->left, 0);
    g_assert_true(turn(f, NULL));
    g_assert_true(virtRpcChannelIsMidway(f->server));
    virtRpcChannelSend(f->server, ourMessage());
    sendNumbered(f->left, 1);
    g_assert_true(turn(f, NULL));
    g_assert_true(virtRpcChannelIsIdle(f->server));
    g_assert_false(virtRpcChannelIsMidway(f->server));
    expectBytes(f->right, (const guint8 *)"oursours", 8);
    expectItem(f, &(Item){PASS, 100, 2}, 0);
    expectBytes(f->right, (const guint8 *)"oursours", 8);
}

/* ---- back-pressure ---- */

/* Sends as much of @message from @at on as goes; what is sent. */
static gsize
sendSome(int fd, const GByteArray *message, gsize at)
{
    gssize n = at < message->len ? send(fd, message->data + at, message->len - at, MSG_DONTWAIT) : 0;
    return n > 0 ? (gsize)n : 0;
}

/* A reader that does not read stops the writer, whatever the message's length, and gets all of it in the end. */
static void
testSlowReader(Fixture *f, gconstpointer data)
{
    guint proc = GPOINTER_TO_UINT(data);
    g_autoptr(GByteArray) message = newMessage(proc, 8 << 20, -1), got = g_byte_array_new();
    gsize sent = 0;
    guint8 bytes[40000];

    for (gsize more; (more = sendSome(f->left, message, sent)); sent += more)
        pump(f);
    if (proc == PASS) {
        g_assert_cmpuint(sent, <, 2 << 20);
        g_assert_cmpint(virtRpcChannelEvents(f->client, f->server), ==, 0);
        g_assert_cmpint(virtRpcChannelEvents(f->server, f->client), ==, POLLIN | POLLOUT);
    }
    for (gssize n; (n = recv(f->right, bytes, sizeof(bytes), MSG_DONTWAIT)) > 0;) {
        g_byte_array_append(got, bytes, (guint)n);
        sent += sendSome(f->left, message, sent);
        pump(f);
    }
    g_assert_cmpmem(got->data, got->len, message->data, message->len);
    virtRpcChannelTrim(f->client, f->server);
    sendBytes(f->left, message->data, 40);
    pump(f);
    g_assert_true(proc == COLLECT || canRead(f->right));
}

/* One who sends calls that we answer, and reads no answer. */
static void
testUnreadAnswers(Fixture *f, gconstpointer data)
{
    guint count = 0;

    for (; virtRpcChannelEvents(f->client, f->server) & POLLIN && count < 5000; count++) {
        g_autoptr(GByteArray) message = newMessage(PASS, 1000, -1);

        virtRpcChannelSend(f->client, g_steal_pointer(&message));
        g_assert_true(virtRpcChannelWrite(f->client, NULL));
    }
    g_assert_cmpuint(count, <, 1500);
    for (guint8 bytes[10000]; recv(f->left, bytes, sizeof(bytes), MSG_DONTWAIT) > 0;)
        g_assert_true(virtRpcChannelWrite(f->client, NULL));
    g_assert_cmpint(virtRpcChannelEvents(f->client, f->server), ==, POLLIN);
}

/* ---- what is refused ---- */

static void
expectRefusal(Fixture *f, const char *part)
{
    g_autoptr(GError) error = NULL;

    while (canRead(virtRpcChannelFd(f->client)) && turn(f, &error))
        ;
    g_assert_error(error, VIRT_ERROR, VIRT_ERROR_INVALID);
    if (!strstr(error->message, part))
        g_error("\"%s\" is not in: %s", part, error->message);
}

/* What is refused, behind a good message that still goes through. */
typedef struct {
    const char *name;
    guint proc, len, type, count; /* of its header, whatever follows */
    const char *error;
} Malformed;

static const Malformed malformed[] = {
    {"length-0", PASS, 0, VIRT_RPC_CALL, 0, "0 bytes"},
    {"length-3", PASS, 3, VIRT_RPC_CALL, 0, "3 bytes"},
    {"length-27", PASS, 27, VIRT_RPC_CALL, 0, "27 bytes"},
    {"length-max", PASS, VIRT_RPC_MESSAGE_MAX + 1, VIRT_RPC_CALL, 0, "33554437 bytes"},
    {"length-2-31", PASS, 1u << 31, VIRT_RPC_CALL, 0, "2147483648 bytes"},
    {"length-2-32", PASS, ~0u, VIRT_RPC_CALL, 0, "4294967295 bytes"},
    {"type", PASS, 100, VIRT_RPC_TYPE_LAST, 0, "has type 7"},
    {"look", REFUSE, 100, VIRT_RPC_CALL, 0, "refused"},
    {"no-count", PASS, 31, VIRT_RPC_CALL_WITH_FDS, 0, "does not say how many"},
    {"no-count-reply", COLLECT, 28, VIRT_RPC_REPLY_WITH_FDS, 0, "does not say how many"},
    {"count-33", PASS, 100, VIRT_RPC_CALL_WITH_FDS, 33, "more than 32"},
    {"count-2-32", PASS, 100, VIRT_RPC_REPLY_WITH_FDS, ~0u, "more than 32"},
};

static void
testMalformed(Fixture *f, gconstpointer data)
{
    const Malformed *bad = data;
    g_autoptr(GByteArray) good = newMessage(PASS, 50, -1), message = g_byte_array_new();
    const guint32 words[] = {bad->len, VIRT_RPC_REMOTE, VIRT_RPC_VERSION, bad->proc, bad->type, 1, 0, bad->count};

    for (guint i = 0; i < G_N_ELEMENTS(words); i++)
        virtXdrPutUInt(message, words[i]);
    sendBytes(f->left, good->data, good->len);
    sendBytes(f->left, message->data, message->len);
    expectRefusal(f, bad->error);
    g_assert_true(virtRpcChannelWrite(f->server, NULL));
    expectBytes(f->right, good->data, good->len);
    expectNothing(f->right);
}

/* A message with one descriptor announced; then what is there instead. */
typedef struct {
    const char *name;
    int announced;
    const char *bytes;
    gsize len;
    guint fds;
    const char *error;
} Mismatch;

static const Mismatch mismatches[] = {
    {"missing", 1, "", 1, 0, "fewer descriptors"},
    {"next-message-instead", 1, "\0\0\0\x1c", 4, 0, "fewer descriptors"},
    {"not-the-last-byte", 1, "\0\0", 2, 1, "fewer descriptors"},
    {"two-on-a-byte", 1, "", 1, 2, "More than one descriptor"},
    {"hundred-on-a-byte", 1, "", 1, 100, "More than one descriptor"},
    {"not-announced", 0, "", 1, 1, "no message announced"},
    {"without-a-count", -1, "", 1, 1, "no message announced"},
    {"in-a-header", 0, "\0\0\0\x1c", 4, 1, "no message announced"},
};

static void
testMismatch(Fixture *f, gconstpointer data)
{
    const Mismatch *bad = data;

    for (guint proc = PASS; proc <= COLLECT; proc++) {
        g_autoptr(GByteArray) message = newMessage(proc, 50, bad->announced);

        sendBytes(f->left, message->data, message->len);
        if (proc == PASS)
            pump(f);
        if (bad->fds)
            sendFds(f->left, bad->bytes, bad->len, bad->fds);
        else
            sendBytes(f->left, (const guint8 *)bad->bytes, bad->len);
        expectRefusal(f, bad->error);
        tearDown(f, NULL);
        setUp(f, NULL);
    }
}

/* In the middle of a payload, where nothing but bytes may be. */
static void
testInPayload(Fixture *f, gconstpointer data)
{
    for (guint proc = PASS; proc <= COLLECT; proc++) {
        g_autoptr(GByteArray) message = newMessage(proc, 50, -1);

        sendBytes(f->left, message->data, 40);
        sendFds(f->left, (const char *)message->data + 40, 10, 1);
        expectRefusal(f, "no message announced");
        tearDown(f, NULL);
        setUp(f, NULL);
    }
}

/* ---- ends ---- */

static void
testEnd(Fixture *f, gconstpointer data)
{
    g_autoptr(GByteArray) message = newMessage(GPOINTER_TO_UINT(data), 100, 2);
    g_autoptr(GError) error = NULL;
    bool isOpen;

    sendBytes(f->left, message->data, message->len);
    sendNumbered(f->left, 0);
    pump(f);
    close(f->left);
    f->left = -1;
    g_assert_true(virtRpcChannelRead(f->client, f->server, &isOpen, &error));
    g_assert_no_error(error);
    g_assert_false(isOpen);
}

/* A server that says why and closes: we cannot write to it any more, and still hear it. */
static void
testLastWords(Fixture *f, gconstpointer data)
{
    g_autoptr(GByteArray) message = newMessage(PASS, 100, -1);
    bool isOpen;

    sendBytes(f->right, message->data, message->len);
    close(f->right);
    f->right = -1;
    sendBytes(f->left, message->data, message->len);
    g_assert_true(turn(f, NULL));
    g_assert_true(virtRpcChannelIsIdle(f->server));
    virtRpcChannelSend(f->server, ourMessage());
    g_assert_true(virtRpcChannelIsIdle(f->server));
    g_assert_true(virtRpcChannelRead(f->server, f->client, &isOpen, NULL));
    g_assert_true(isOpen);
    g_assert_true(virtRpcChannelWrite(f->client, NULL));
    expectBytes(f->left, message->data, message->len);
    g_assert_true(virtRpcChannelRead(f->server, f->client, &isOpen, NULL));
    g_assert_false(isOpen);
}

static void
add(const char *name, gconstpointer data, void (*test)(Fixture *, gconstpointer))
{
    g_autofree char *path = g_strconcat("/channel/", name, NULL);
    g_test_add(path, Fixture, data, setUp, test, tearDown);
}

static void
addRow(const char *group, const char *name, gconstpointer data, void (*test)(Fixture *, gconstpointer))
{
    g_autofree char *path = g_strconcat(group, "/", name, NULL);
    add(path, data, test);
}

int
main(int argc, char **argv)
{
    static const char *const sizes[] = {"1", "2", "27", "28", "29", "31", "32", "33", "100000"};

    g_test_init(&argc, &argv, NULL);
    add("barrier", NULL, testBarrier);
    for (guint i = 0; i < G_N_ELEMENTS(sizes); i++)
        addRow("pieces", sizes[i], GSIZE_TO_POINTER(g_ascii_strtoull(sizes[i], NULL, 10)), testPieces);
    add("read-ahead", NULL, testReadAhead);
    add("together", NULL, testTogether);
    add("taken", NULL, testTaken);
    add("never-inside", NULL, testNeverInside);
    add("slow-reader/pass", GUINT_TO_POINTER(PASS), testSlowReader);
    add("slow-reader/collect", GUINT_TO_POINTER(COLLECT), testSlowReader);
    add("unread-answers", NULL, testUnreadAnswers);
    for (guint i = 0; i < G_N_ELEMENTS(malformed); i++)
        addRow("malformed", malformed[i].name, &malformed[i], testMalformed);
    for (guint i = 0; i < G_N_ELEMENTS(mismatches); i++)
        addRow("descriptors", mismatches[i].name, &mismatches[i], testMismatch);
    add("descriptors/in-a-payload", NULL, testInPayload);
    add("end/pass", GUINT_TO_POINTER(PASS), testEnd);
    add("end/collect", GUINT_TO_POINTER(COLLECT), testEnd);
    add("last-words", NULL, testLastWords);
    return g_test_run();
}
