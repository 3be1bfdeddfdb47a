/* rpcstatstest.c: calls that name an interface, and statistics with the interfaces that libvirt does not count
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include <libvirt/libvirt.h>
#include <string.h>

#include "rpcmessage.h"
#include "util/virerror.h"
#include "testrecord.h"

#define OURS(target)                                                                                                   \
    "<domain><name>vm1</name><metadata><lh:hostdevs xmlns:lh='" VIRT_NS "'><lh:hostdev><lh:source>"                    \
    "<lh:address domain='0x0000' bus='0x06' slot='0x02' function='0x0'/></lh:source><lh:netdev port='2'>"              \
    "<lh:mac address='52:54:00:01:02:03'/></lh:netdev><lh:interface index='1'>"                                        \
    "<lh:bandwidth><lh:inbound average='10' burst='30'/></lh:bandwidth>" target                                        \
    "</lh:interface></lh:hostdev></lh:hostdevs></metadata><devices>"                                                   \
    "<interface type='user'><mac address='52:54:00:00:00:01'/></interface>"                                            \
    "<interface type='bridge'><mac address='52:54:00:00:00:02'/><target dev='vnet0'/></interface>"                     \
    "<hostdev mode='subsystem' type='pci' managed='yes'><source><address domain='0x0000' bus='0x06' slot='0x02' "      \
    "function='0x0'/></source></hostdev></devices></domain>"

static GPtrArray *
list(const char *xml)
{
    g_autoptr(GError) error = NULL;
    GPtrArray *shown = virtInterfaceListShown(xml, strlen(xml), &error);

    g_assert_no_error(error);
    return shown;
}

static void
testShown(void)
{
    g_autoptr(GPtrArray) shown = list(OURS("<lh:target dev='tenant0'/>"));
    g_autoptr(GPtrArray) none = list("<domain><devices><interface type='user'/></devices></domain>");
    const virtInterfaceShown *ours = shown->pdata[1];

    g_assert_cmpuint(none->len, ==, 0);
    g_assert_cmpuint(shown->len, ==, 3);
    g_assert_true(ours->isHostdev);
    g_assert_cmpuint(testAddress(&ours->handle).bus, ==, 6);
    g_assert_cmpuint(ours->rates[VIRT_INTERFACE_IN_AVERAGE], ==, 10);
    g_assert_cmpuint(ours->rates[VIRT_INTERFACE_IN_BURST], ==, 30);
    g_assert_cmpuint(ours->rates[VIRT_INTERFACE_OUT_AVERAGE], ==, 0);
    g_assert_true(virtInterfaceListFind(shown, "52:54:00:01:02:03") == ours);
    g_assert_true(virtInterfaceListFind(shown, "52:54:0:1:2:3") == ours);
    g_assert_true(virtInterfaceListFind(shown, "tenant0") == ours);
    /* libvirt's own, and nobody's */
    g_assert_null(virtInterfaceListFind(shown, "52:54:00:00:00:02"));
    g_assert_null(virtInterfaceListFind(shown, "vnet0"));
    g_assert_null(virtInterfaceListFind(shown, ""));
}

/* ---- statistics ---- */

static void
putString(GByteArray *out, const char *name, const char *value)
{
    virtXdrPutString(out, name, strlen(name));
    virtXdrPutUInt(out, VIR_TYPED_PARAM_STRING);
    virtXdrPutString(out, value, strlen(value));
}

static void
putNumber(GByteArray *out, const char *name, guint32 value)
{
    virtXdrPutString(out, name, strlen(name));
    virtXdrPutUInt(out, VIR_TYPED_PARAM_UINT);
    virtXdrPutUInt(out, value);
}

static void
putCounter(GByteArray *out, const char *name, guint64 value)
{
    virtXdrPutString(out, name, strlen(name));
    virtXdrPutUInt(out, VIR_TYPED_PARAM_ULLONG);
    virtXdrPutHyper(out, value);
}

/* One domain without interfaces, one with; @ours: with those that libvirt does not know; @name: and a name */
static GByteArray *
newReply(bool ours, bool name)
{
    GByteArray *reply = virtRpcMessageNew(344, VIRT_RPC_REPLY, 5, VIRT_RPC_OK);

    virtXdrPutUInt(reply, 2);
    virtTestRpcPutDomain(reply);
    virtXdrPutUInt(reply, 1);
    putNumber(reply, "state.state", 5);
    virtTestRpcPutDomain(reply);
    virtXdrPutUInt(reply, ours && name ? 6 : 5);
    putNumber(reply, "vcpu.current", 1);
    putNumber(reply, "net.count", ours ? 3 : 2);
    if (ours && name)
        putString(reply, "net.1.name", "tenant0");
    putString(reply, ours ? "net.2.name" : "net.1.name", "vnet0");
    putCounter(reply, ours ? "net.2.rx.bytes" : "net.1.rx.bytes", 1ULL << 40);
    putCounter(reply, "block.count", 2);
    g_assert_true(virtRpcMessageEnd(reply, NULL));
    return reply;
}

static GByteArray *
add(const GByteArray *reply, const char *xml)
{
    g_autoptr(GArray) records = virtRpcStatsRead(reply->data, reply->len);
    g_autoptr(GPtrArray) shown = list(xml), interfaces = g_ptr_array_new();

    g_assert_cmpuint(records->len, ==, 2);
    g_assert_false(g_array_index(records, virtRpcStats, 0).hasInterfaces);
    g_assert_true(g_array_index(records, virtRpcStats, 1).hasInterfaces);
    g_ptr_array_add(interfaces, NULL);
    g_ptr_array_add(interfaces, shown);
    return virtRpcStatsWrite(reply->data, reply->len, records, interfaces, NULL);
}

static void
testStats(void)
{
    for (guint name = 0; name < 2; name++) {
        g_autoptr(GByteArray) reply = newReply(false, name), wanted = newReply(true, name);
        g_autoptr(GByteArray) got = add(reply, name ? OURS("<lh:target dev='tenant0'/>") : OURS(""));

        g_assert_cmpmem(got->data, got->len, wanted->data, wanted->len);
    }
}

/* A reply of @size bytes about one domain, which has an interface with a name that libvirt does not know. */
static GByteArray *
fillReply(guint size, GError **error)
{
    g_autoptr(GByteArray) reply = virtRpcMessageNew(344, VIRT_RPC_REPLY, 5, VIRT_RPC_OK);
    g_autoptr(GPtrArray) shown = list(OURS("<lh:target dev='tenant0'/>")), interfaces = g_ptr_array_new();
    g_autoptr(GArray) records = NULL;
    g_autofree char *filling = g_strnfill(1024 * 1024, 'x');

    virtXdrPutUInt(reply, 1);
    virtTestRpcPutDomain(reply);
    virtXdrPutUInt(reply, 34);
    putNumber(reply, "net.count", 2);
    for (guint i = 0; i < 31; i++) {
        virtXdrPutString(reply, "x", 1);
        virtXdrPutUInt(reply, VIR_TYPED_PARAM_STRING);
        virtXdrPutString(reply, filling, 1024 * 1024);
    }
    putNumber(reply, "y", 1);
    virtXdrPutString(reply, "x", 1);
    virtXdrPutUInt(reply, VIR_TYPED_PARAM_STRING);
    virtXdrPutString(reply, filling, size - reply->len - 4);
    g_assert_cmpuint(reply->len, ==, size);
    g_assert_true(virtRpcMessageEnd(reply, NULL));
    records = virtRpcStatsRead(reply->data, reply->len);
    g_ptr_array_add(interfaces, shown);
    return virtRpcStatsWrite(reply->data, reply->len, records, interfaces, error);
}

/* What does not fit any more is not told without those interfaces, as if there were none. */
static void
testStatsMax(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GByteArray) small = fillReply(VIRT_RPC_MESSAGE_MAX - 1000, &error), most = NULL, more = NULL;
    guint grown = small->len - (VIRT_RPC_MESSAGE_MAX - 1000);

    g_assert_cmpuint(grown, >, 0);
    most = fillReply(VIRT_RPC_MESSAGE_MAX - grown, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(most->len, ==, VIRT_RPC_MESSAGE_MAX);
    more = fillReply(VIRT_RPC_MESSAGE_MAX - grown + 4, &error);
    g_assert_null(more);
    g_assert_error(error, VIRT_ERROR, VIRT_ERROR_TOO_LARGE);
    g_assert_nonnull(
        strstr(error->message,
               "would be 33554440 bytes long with all interfaces; libvirt's messages have at most 33554436"));
}

/* An interface came or went between the two calls: what libvirt counted stands. */
static void
testDisagreement(void)
{
    g_autoptr(GByteArray) reply = newReply(true, false), got = add(reply, OURS(""));

    g_assert_cmpmem(got->data, got->len, reply->data, reply->len);
}

static void
testEveryCut(void)
{
    g_autoptr(GByteArray) reply = newReply(false, false);

    for (guint len = 0; len < reply->len; len++)
        g_assert_null(virtRpcStatsRead(reply->data, len));
}

/* ---- calls ---- */

static void
testCalls(void)
{
    static const struct {
        guint32 proc;
        const char *fields;
    } rows[] = {{65, "ds"}, {256, "dspu"}, {257, "dsuu"}, {456, "dopu"}};

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GByteArray) call = virtTestRpcBuild(rows[i].proc, VIRT_RPC_CALL, rows[i].fields, NETDEV_XML);
        const virtRpcProc *proc = virtTestRpcFind(call);
        g_autofree char *name = NULL, *cut = NULL;
        virtRpcDomain domain;
        guint flags;

        g_assert_cmpint(proc->action, ==, VIRT_RPC_INTERFACE);
        g_assert_true(virtRpcReadInterface(proc, call->data, call->len, &domain, &name, &flags));
        g_assert_cmpstr(name, ==, rows[i].proc == 456 ? "name" : "<netdev");
        g_assert_cmpuint(flags, ==, rows[i].proc == 256 || rows[i].proc == 257 ? 1 : 0);
        g_assert_false(virtRpcReadInterface(proc, call->data, 60, &domain, &cut, &flags));
    }
}

/* All interfaces are announced: that is libvirt's. */
static void
testNameless(void)
{
    g_autoptr(GByteArray) call = virtTestRpcBuild(456, VIRT_RPC_CALL, "dOpu", NETDEV_XML);
    g_autofree char *name = NULL;
    virtRpcDomain domain;
    guint flags;

    g_assert_false(virtRpcReadInterface(virtTestRpcFind(call), call->data, call->len, &domain, &name, &flags));
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/rpcstats/shown", testShown);
    g_test_add_func("/rpcstats/stats", testStats);
    g_test_add_func("/rpcstats/stats-max", testStatsMax);
    g_test_add_func("/rpcstats/disagreement", testDisagreement);
    g_test_add_func("/rpcstats/every-cut", testEveryCut);
    g_test_add_func("/rpcstats/calls", testCalls);
    g_test_add_func("/rpcstats/nameless", testNameless);
    return g_test_run();
}
