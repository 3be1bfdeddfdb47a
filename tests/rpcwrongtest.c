/* rpcwrongtest.c: messages that are cut off, too long, or whatever a hostile client may send
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include <libvirt/libvirt.h>
#include <string.h>

#include "rpcmessage.h"

/* ---- what is wrong ---- */

static void
cutTo(GByteArray *message, guint len)
{
    g_byte_array_set_size(message, len);
    g_assert_true(virtRpcMessageEnd(message, NULL));
}

/* Cut anywhere before the end of the last XML, nothing is rewritten: it fails, or is libvirt's to refuse. */
static void
checkCuts(guint32 proc, virtRpcType type, const char *fields, const char *xml)
{
    g_autoptr(GByteArray) whole = virtTestRpcBuild(proc, type, fields, xml);
    const virtRpcProc *row = virtTestRpcFind(whole);

    for (guint len = VIRT_RPC_HEADER_LEN; len < whole->len; len++) {
        /* On the heap, with its exact length, so that a sanitizer sees a byte too far. */
        g_autofree guint8 *bytes = g_memdup2(whole->data, len);
        g_autoptr(GByteArray) part = g_byte_array_new_take(g_steal_pointer(&bytes), len);
        g_autoptr(GError) error = NULL;
        GByteArray *out = NULL;
        const char *sign = type == VIRT_RPC_REPLY ? VIRT_NS : "<netdev";
        bool ours = memmem(part->data, len, sign, strlen(sign));

        cutTo(part, len);
        g_assert_cmpint(virtRpcRewrite(row, part->data, len, 0, &out, &error), ==, !ours);
        g_assert_null(out);
        g_assert_false(virtRpcIsOurMetadata(row, part->data, len));
    }
}

static void
testTruncated(void)
{
    g_autofree char *stock = virtDomainToStock(NETDEV_XML, strlen(NETDEV_XML), NULL, 0, NULL);

    checkCuts(11, VIRT_RPC_CALL, "x", NETDEV_XML);
    checkCuts(14, VIRT_RPC_REPLY, "x", stock);
    checkCuts(14, VIRT_RPC_REPLY, "x", NETDEV_XML);
    checkCuts(214, VIRT_RPC_CALL, "sohohx", NETDEV_XML);
    checkCuts(302, VIRT_RPC_CALL_WITH_FDS, "dp", NETDEV_XML);
    checkCuts(421, VIRT_RPC_CALL, "dxX", NETDEV_XML);
    checkCuts(379, VIRT_RPC_MESSAGE, "udu", "");
}

static void
testTooShort(void)
{
    g_autoptr(GByteArray) call = virtTestRpcBuild(11, VIRT_RPC_CALL, "x", NETDEV_XML);
    GByteArray *out = NULL;

    /* Nobody hands in less than a header, but if so, it is not read. */
    g_assert_true(virtRpcRewrite(virtTestRpcFind(call), call->data, 27, 0, &out, NULL));
    g_assert_null(out);
    g_assert_true(virtRpcMessageOpen(call->data, 27).bad);
    g_assert_cmpuint(virtRpcErrorCode(call->data, 27), ==, 0);
}

static void
testParamsWrong(void)
{
    g_autoptr(GByteArray) many = virtRpcMessageNew(441, VIRT_RPC_CALL, 1, VIRT_RPC_OK);
    g_autoptr(GByteArray) most = virtRpcMessageNew(441, VIRT_RPC_CALL, 1, VIRT_RPC_OK);
    g_autoptr(GByteArray) out = NULL;
    g_autoptr(GByteArray) unknown = virtRpcMessageNew(441, VIRT_RPC_CALL, 1, VIRT_RPC_OK);
    g_autoptr(GByteArray) quiet = virtRpcMessageNew(441, VIRT_RPC_CALL, 1, VIRT_RPC_OK);

    virtXdrPutUInt(most, 64);
    virtXdrPutUInt(many, 65);
    for (guint i = 0; i < 65; i++)
        virtTestRpcPutParam(many, "dxml", VIR_TYPED_PARAM_STRING, NETDEV_XML);
    for (guint i = 0; i < 64; i++)
        virtTestRpcPutParam(most, "dxml", VIR_TYPED_PARAM_STRING, NETDEV_XML);
    virtRpcMessageEnd(many, NULL);
    virtRpcMessageEnd(most, NULL);
    virtTestRpcRefuses(many, "or more than 64 parameters");
    out = virtTestRpcRewrite(most);
    g_assert_nonnull(out);
    g_assert_null(memmem(out->data, out->len, "<netdev", 7));

    virtXdrPutUInt(unknown, 2);
    virtTestRpcPutParam(unknown, "dxml", VIR_TYPED_PARAM_STRING, NETDEV_XML);
    virtTestRpcPutParam(unknown, "new", 8, NULL);
    virtRpcMessageEnd(unknown, NULL);
    virtTestRpcRefuses(unknown, "Call 441");

    virtXdrPutUInt(quiet, 1);
    virtTestRpcPutParam(quiet, "new", 8, NULL);
    virtRpcMessageEnd(quiet, NULL);
    g_assert_null(virtTestRpcRewrite(quiet));
}

/* A name that libvirt reads as "dxml", because there it ends at the NUL. */
static void
testParamName(void)
{
    g_autoptr(GByteArray) call = virtRpcMessageNew(441, VIRT_RPC_CALL, 1, VIRT_RPC_OK);
    g_autoptr(GByteArray) out = NULL;

    virtXdrPutUInt(call, 1);
    virtXdrPutString(call, "dxml\0more", 9);
    virtXdrPutUInt(call, VIR_TYPED_PARAM_STRING);
    virtXdrPutString(call, NETDEV_XML, strlen(NETDEV_XML));
    virtRpcMessageEnd(call, NULL);
    out = virtTestRpcRewrite(call);
    g_assert_nonnull(out);
    g_assert_null(memmem(out->data, out->len, "<netdev", 7));
}

static GByteArray *
defineBytes(const char *xml, gsize len)
{
    GByteArray *message = virtRpcMessageNew(350, VIRT_RPC_CALL, 5, VIRT_RPC_OK);

    virtXdrPutString(message, xml, len);
    virtXdrPutUInt(message, 0);
    g_assert_true(virtRpcMessageEnd(message, NULL));
    return message;
}

static void
testXmlWrong(void)
{
    static const char nul[] = NETDEV_XML "\0<netdev port='1'/>", early[] = "<domain/>\0<netdev",
                      utf8[] = "<netdev>\xc3\x28", fine[] = "<domain>\0</domain>\xff\xfe";
    const struct {
        const char *xml;
        gsize len;
        const char *needle;
    } bad[] = {
        {nul, sizeof(nul) - 1, "zero byte"},
        {nul, strlen(nul) + 1, "zero byte"},
        {early, sizeof(early) - 1, "zero byte"},
        {utf8, sizeof(utf8) - 1, "line 1"},
        {"<netdev", 7, "line 1"},
    };
    g_autoptr(GByteArray) untouched = defineBytes(fine, sizeof(fine) - 1);
    g_autoptr(GByteArray) empty = defineBytes("", 0);
    g_autoptr(GByteArray) broken = defineBytes(BROKEN_XML, strlen(BROKEN_XML));
    g_autoptr(GByteArray) port = virtTestRpcBuild(11, VIRT_RPC_CALL, "x", DOMAIN("", HOSTDEV("<netdev port='0'/>\n")));

    for (guint i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autoptr(GByteArray) call = defineBytes(bad[i].xml, bad[i].len);

        virtTestRpcRefuses(call, bad[i].needle);
    }
    g_assert_null(virtTestRpcRewrite(untouched));
    g_assert_null(virtTestRpcRewrite(empty));
    virtTestRpcRefuses(broken, "what");
    virtTestRpcRefuses(port, "port");
}

/* One of several strings is wrong: none is converted. */
static void
testNoHalf(void)
{
    g_autoptr(GByteArray) call = virtRpcMessageNew(441, VIRT_RPC_CALL, 1, VIRT_RPC_OK);

    virtXdrPutUInt(call, 2);
    virtTestRpcPutParam(call, "dxml", VIR_TYPED_PARAM_STRING, NETDEV_XML);
    virtTestRpcPutParam(call, "dxml", VIR_TYPED_PARAM_STRING, "<netdev>");
    virtRpcMessageEnd(call, NULL);
    virtTestRpcRefuses(call, "line ");
}

/* A reply is shown as it is when our metadata in it cannot be. */
static void
testBrokenReply(void)
{
    g_autoptr(GByteArray) reply = virtTestRpcBuild(14, VIRT_RPC_REPLY, "x", BROKEN_XML);

    g_test_expect_message(G_LOG_DOMAIN, G_LOG_LEVEL_WARNING, "*libvirt's own form*");
    g_assert_null(virtTestRpcRewrite(reply));
    g_test_assert_expected_messages();
}

/* ---- limits ---- */

/* A reply with netdevs in stock form, and beside them what somebody else may have in metadata. */
static GByteArray *
replyBeside(const char *more)
{
    g_autofree char *stock = virtDomainToStock(NETDEV_XML, strlen(NETDEV_XML), NULL, 0, NULL);
    const char *end = strstr(stock, "</metadata>");
    g_autofree char *before = g_strndup(stock, (gsize)(end - stock));
    g_autofree char *xml = g_strconcat(before, more, end, NULL);

    return virtTestRpcBuild(14, VIRT_RPC_REPLY, "x", xml);
}

/* @n times @part, a number of eight digits and @rest, between @before and @behind. */
static char *
repeat(const char *before, const char *part, const char *rest, guint n, const char *behind)
{
    GString *out = g_string_new(before);

    for (guint i = 0; i < n; i++)
        g_string_append_printf(out, "%s%08u%s", part, i, rest);
    return g_string_free(g_string_append(out, behind), FALSE);
}

/* A domain that is too large to be read is not shown as if it had no netdevs. */
static void
testReplyMax(void)
{
    static const struct {
        const char *before, *part, *rest, *behind;
        guint most, more;
        const char *needle;
    } cases[] = {
        {"<f:x xmlns:f='urn:f'><y", " a", "='1'", "/></f:x>", 256, 257, "has more than 256 attributes"},
        {"<f:x xmlns:f='urn:f'>", "<y", "/>", "</f:x>", 262000, 262144, "has more than 262144 elements"},
        {"", "<f:x xmlns:f='urn:f", "'>", "</f:x>", 254, 255, "are nested deeper than 256"},
        {"<!--", "xxxxxxxx", "", "-->", 262000, 262144, "has a string of more than 4194304 bytes"},
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *most = repeat(cases[i].before, cases[i].part, cases[i].rest, cases[i].most, "");
        g_autofree char *more = repeat(cases[i].before, cases[i].part, cases[i].rest, cases[i].more, "");
        g_autoptr(GString) ends = g_string_new(cases[i].behind);
        g_autoptr(GByteArray) reply = NULL, tooLarge = NULL, out = NULL;
        g_autofree char *shown = NULL, *refused = NULL;

        for (guint n = 1; !*cases[i].before && n < cases[i].most; n++)
            g_string_append(ends, cases[i].behind);
        shown = g_strconcat(most, ends->str, NULL);
        refused = g_strconcat(more, ends->str, *cases[i].before ? "" : cases[i].behind, NULL);
        reply = replyBeside(shown);
        tooLarge = replyBeside(refused);
        out = virtTestRpcRewrite(reply);
        g_assert_nonnull(out);
        g_assert_nonnull(memmem(out->data, out->len, "<netdev", 7));
        virtTestRpcRefuses(tooLarge, cases[i].needle);
    }
}

/* NETDEV_XML with white space behind it. */
static char *
longXml(gsize len)
{
    char *xml = g_malloc(len + 1);

    memset(xml, ' ', len);
    memcpy(xml, NETDEV_XML, strlen(NETDEV_XML));
    xml[len] = 0;
    return xml;
}

static void
testStringMax(void)
{
    g_autofree char *max = longXml(VIRT_RPC_STRING_MAX), *more = longXml(VIRT_RPC_STRING_MAX + 1);
    g_autofree char *less = longXml(VIRT_RPC_STRING_MAX - 1000);
    g_autoptr(GByteArray) fits = defineBytes(less, VIRT_RPC_STRING_MAX - 1000);
    g_autoptr(GByteArray) grows = defineBytes(max, VIRT_RPC_STRING_MAX);
    g_autoptr(GByteArray) tooLong = defineBytes(more, VIRT_RPC_STRING_MAX + 1);
    g_autoptr(GByteArray) out = virtTestRpcRewrite(fits);

    g_assert_nonnull(out);
    virtTestRpcRefuses(grows, "would have 4194574 bytes; it takes at most 4194304");
    virtTestRpcRefuses(tooLong, "Call 350");
    memset(more, ' ', VIRT_RPC_STRING_MAX + 1);
    g_byte_array_unref(tooLong);
    tooLong = defineBytes(more, VIRT_RPC_STRING_MAX + 1);
    g_assert_null(virtTestRpcRewrite(tooLong));
}

static void
testMessageMax(void)
{
    g_autoptr(GByteArray) call = defineBytes(NETDEV_XML, strlen(NETDEV_XML));
    g_autoptr(GByteArray) more = virtRpcMessageNew(1, VIRT_RPC_CALL, 1, VIRT_RPC_OK);

    g_byte_array_set_size(call, VIRT_RPC_MESSAGE_MAX);
    g_assert_true(virtRpcMessageEnd(call, NULL));
    virtTestRpcRefuses(call, "bytes long with its netdevs in <metadata>; libvirt accepts at most 33554436");
    g_byte_array_set_size(more, VIRT_RPC_MESSAGE_MAX + 1);
    g_assert_false(virtRpcMessageEnd(more, NULL));
}

/* ---- garbage ---- */

/* Whatever comes: no crash, no bad access, and what is made of it has its right length. */
static void
feed(const GByteArray *message)
{
    g_autofree guint8 *bytes = g_memdup2(message->data, message->len); /* exact, for sanitizers */
    g_autoptr(GByteArray) out = NULL;
    virtRpcHeader header;
    const virtRpcProc *proc = NULL;

    virtRpcErrorCode(bytes, message->len);
    if (!virtRpcHeaderParse(bytes, &header, NULL) || !(proc = virtRpcProcFind(&header)))
        return;
    virtRpcIsOurMetadata(proc, bytes, message->len);
    if (!virtRpcRewrite(proc, bytes, message->len, 0, &out, NULL))
        g_assert_null(out);
    if (out) {
        g_assert_true(virtRpcHeaderParse(out->data, &header, NULL));
        g_assert_cmpuint(header.len, ==, out->len);
    }
}

static void
garble(GByteArray *message, GRand *rand)
{
    for (gint32 n = g_rand_int_range(rand, 1, 8); n > 0; n--) {
        gint32 at = g_rand_int_range(rand, VIRT_RPC_HEADER_LEN, (gint32)message->len);

        message->data[at] = (guint8)(g_rand_boolean(rand) ? g_rand_int_range(rand, 0, 256) : 0);
    }
    if (g_rand_int_range(rand, 0, 4) == 0)
        cutTo(message, (guint)g_rand_int_range(rand, VIRT_RPC_HEADER_LEN, (gint32)message->len));
}

static void
quiet(const char *domain, GLogLevelFlags level, const char *message, gpointer opaque)
{
}

static void
testFuzz(void)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed(20230115);
    g_autofree char *stock = virtDomainToStock(NETDEV_XML, strlen(NETDEV_XML), NULL, 0, NULL);
    guint handler = g_log_set_handler(G_LOG_DOMAIN, G_LOG_LEVEL_WARNING, quiet, NULL);
    GLogLevelFlags fatal = g_log_set_always_fatal(G_LOG_FATAL_MASK | G_LOG_LEVEL_CRITICAL);

    for (guint round = 0; round < 300; round++) {
        for (guint i = 0; i < VIRT_TEST_RPC_ROWS; i++) {
            g_autoptr(GByteArray) message =
                virtTestRpcBuild(virtTestRpcRows[i].proc, virtTestRpcTypeOf(virtTestRpcRows[i].action),
                                 virtTestRpcRows[i].fields, round % 2 ? stock : NETDEV_XML);

            garble(message, rand);
            feed(message);
        }
    }
    g_log_set_always_fatal(fatal);
    g_log_remove_handler(G_LOG_DOMAIN, handler);
}

/* Payloads of random words, small ones mostly, so that lengths and counts are often right. */
static void
testFuzzPayload(void)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed(20230115);

    for (guint round = 0; round < 500; round++) {
        for (guint i = 0; i < VIRT_TEST_RPC_ROWS; i++) {
            g_autoptr(GByteArray) message =
                virtTestRpcBuild(virtTestRpcRows[i].proc, virtTestRpcTypeOf(virtTestRpcRows[i].action), "", NULL);

            for (gint32 n = g_rand_int_range(rand, 0, 40); n > 0; n--)
                virtXdrPutUInt(message, g_rand_boolean(rand) ? g_rand_int(rand) : g_rand_int(rand) % 12);
            virtRpcMessageEnd(message, NULL);
            feed(message);
        }
    }
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/rpcwrong/truncated", testTruncated);
    g_test_add_func("/rpcwrong/too-short", testTooShort);
    g_test_add_func("/rpcwrong/params-wrong", testParamsWrong);
    g_test_add_func("/rpcwrong/param-name", testParamName);
    g_test_add_func("/rpcwrong/xml-wrong", testXmlWrong);
    g_test_add_func("/rpcwrong/no-half", testNoHalf);
    g_test_add_func("/rpcwrong/broken-reply", testBrokenReply);
    g_test_add_func("/rpcwrong/reply-max", testReplyMax);
    g_test_add_func("/rpcwrong/string-max", testStringMax);
    g_test_add_func("/rpcwrong/message-max", testMessageMax);
    g_test_add_func("/rpcwrong/fuzz", testFuzz);
    g_test_add_func("/rpcwrong/fuzz-payload", testFuzzPayload);
    return g_test_run();
}
