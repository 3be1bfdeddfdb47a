/* filter.c: fuzz target: a whole filter, between a client, a libvirt and a broker that may say anything
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Input: a byte of flags (1: interfaces are left to libvirt), then turns: a byte that says who (0 the client, 1
 * libvirt, 2 the broker; 3 and 4: client, libvirt hangs up), two bytes of length, and what is said.
 *
 * After it all who is left hangs up, and the broker answers what it has been asked: then no call may be held any more,
 * and all that libvirt, client and broker were told must have been messages and requests.
 */
int virtFilterMain(int argc, char **argv);
#define main virtFilterMain
#include "filter/filter.c"
#undef main

#include "fuzz.h"

bool
virtFilterConfine(GError **error)
{
    (void)error;
    return true;
}

typedef struct {
    guint id;
    bool told; /* something else than yes or no is wanted: counters, VPD, VFs or a profile */
} Asked;

typedef struct {
    virtFilter filter;
    int client, upstream, broker; /* our ends; -1: hung up */
    GByteArray *toClient, *toUpstream;
    GArray *asked; /* Asked: what the broker has not answered */
} World;

/* ---- what the filter says ---- */

static void
readStream(int fd, GByteArray *out)
{
    guint8 bytes[4096];
    gssize n;

    while (fd >= 0 && (n = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT)) > 0)
        g_byte_array_append(out, bytes, (guint)n);
}

static bool
wantsMore(virtBrokerVerb verb)
{
    return verb == VIRT_BROKER_STATS || verb == VIRT_BROKER_VPD || verb == VIRT_BROKER_CHOOSE ||
           verb == VIRT_BROKER_PROFILE;
}

static void
readBroker(World *world)
{
    char packet[VIRT_BROKER_PACKET_MAX + 1];
    virtBrokerRequest request;
    Asked asked;
    gssize n;

    while ((n = recv(world->broker, packet, sizeof(packet), MSG_DONTWAIT)) > 0) {
        if (!virtBrokerRequestParse(packet, (gsize)n, &request, NULL))
            fuzzFail("the broker was asked: %.*s", (int)n, packet);
        asked = (Asked){request.id, wantsMore(request.verb)};
        g_array_append_val(world->asked, asked);
        virtBrokerRequestClear(&request);
    }
}

/* @bytes must be messages; the last one need not be whole. */
static void
checkStream(const GByteArray *bytes, const char *who)
{
    virtRpcHeader header;
    g_autoptr(GError) error = NULL;

    for (gsize at = 0; at + VIRT_RPC_HEADER_LEN <= bytes->len; at += header.len)
        if (!virtRpcHeaderParse(bytes->data + at, &header, &error))
            fuzzFail("%s got what is no message: %s", who, error->message);
}

/* ---- the filter ---- */

/* False when it has come to its end. */
static bool
turn(World *world)
{
    struct pollfd slots[SOCKETS] = {0};
    bool there = true;

    for (guint i = 0; there && i < 64 && !isOver(&world->filter); i++) {
        fillSlots(&world->filter, slots);
        if (poll(slots, SOCKETS, 0) <= 0)
            return true;
        there = serve(&world->filter, slots);
        readStream(world->client, world->toClient);
        readStream(world->upstream, world->toUpstream);
        readBroker(world);
    }
    return there && !isOver(&world->filter);
}

static void
say(int fd, const guint8 *bytes, gsize len)
{
    if (fd >= 0 && len && send(fd, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 && errno != EPIPE && errno != EAGAIN)
        fuzzFail("cannot send: %m");
}

static void
hangUp(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static bool
doTurn(World *world, guint8 who, const guint8 *bytes, gsize len)
{
    if (who < 3)
        say(who == 0 ? world->client : who == 1 ? world->upstream : world->broker, bytes, len);
    else
        hangUp(who == 3 ? &world->client : &world->upstream);
    return turn(world);
}

static void
play(World *world, const guint8 *data, size_t size)
{
    gsize len;

    for (; size >= 3; data += 3 + len, size -= 3 + len) {
        len = MIN((gsize)data[1] << 8 | data[2], size - 3);
        if (!doTurn(world, data[0] % 5, data + 3, len))
            return;
    }
}

/* ---- its life ---- */

static void
connectPair(int type, int ret[2])
{
    if (socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, ret) < 0)
        fuzzFail("no sockets: %m");
}

static void
begin(World *world, guint flags)
{
    int client[2], upstream[2], broker[2];

    connectPair(SOCK_STREAM, client);
    connectPair(SOCK_STREAM, upstream);
    connectPair(SOCK_SEQPACKET, broker);
    *world = (World){.filter = {.clientOpen = true, .upstreamOpen = true, .broker = broker[1], .flags = flags},
                     .client = client[0],
                     .upstream = upstream[0],
                     .broker = broker[0],
                     .toClient = g_byte_array_new(),
                     .toUpstream = g_byte_array_new(),
                     .asked = g_array_new(FALSE, FALSE, sizeof(Asked))};
    virtFilterAskInit(&world->filter);
    world->filter.client = virtRpcChannelNew(client[1], virtFilterOnCallHeader, virtFilterOnCall, &world->filter);
    world->filter.upstream = virtRpcChannelNew(upstream[1], virtFilterOnReplyHeader, virtFilterOnReply, &world->filter);
}

/* Yes to all but a request for something else, which is answered by an error. */
static void
answer(World *world, const Asked *asked)
{
    g_autoptr(GError) none = g_error_new(VIRT_ERROR, VIRT_ERROR_HOST, "there are none");
    g_autofree char *packet = virtBrokerAnswerFormat(asked->id, asked->told ? none : NULL);

    say(world->broker, (const guint8 *)packet, strlen(packet));
    virtFilterReadBroker(&world->filter, NULL);
}

/* Answer what was asked, until nothing is held. What is answered already is no reason to go. */
static void
reconcile(World *world)
{
    if (world->filter.upstreamOpen)
        loseUpstream(&world->filter);
    for (guint i = 0; world->filter.held && i < 4 * VIRT_FILTER_HELD_MAX; i++) {
        virtFilterWriteBroker(&world->filter, NULL);
        readBroker(world);
        for (guint j = 0; j < world->asked->len; j++)
            answer(world, &g_array_index(world->asked, Asked, j));
        g_array_set_size(world->asked, 0);
        virtFilterLoseCalls(&world->filter);
    }
    if (world->filter.held)
        fuzzFail("%u calls are held for ever", world->filter.held);
}

static void
end(World *world)
{
    virtRpcChannelFree(world->filter.client);
    virtRpcChannelFree(world->filter.upstream);
    g_hash_table_unref(world->filter.asks);
    g_hash_table_unref(world->filter.calls);
    g_hash_table_unref(world->filter.sent);
    g_hash_table_unref(world->filter.turns);
    g_queue_clear_full(&world->filter.packets, g_free);
    hangUp(&world->client);
    hangUp(&world->upstream);
    close(world->broker);
    close(world->filter.broker);
    g_byte_array_unref(world->toClient);
    g_byte_array_unref(world->toUpstream);
    g_array_unref(world->asked);
}

int
LLVMFuzzerTestOneInput(const guint8 *data, size_t size)
{
    World world;

    if (size == 0)
        return 0;
    begin(&world, data[0] & 1 ? 0 : VIRT_DOMAIN_INTERFACES);
    play(&world, data + 1, size - 1);
    checkStream(world.toClient, "the client");
    checkStream(world.toUpstream, "libvirt");
    reconcile(&world);
    end(&world);
    return 0;
}
