/* rpctest.c: libvirt's messages: XDR, every procedure that carries XML, errors, and what hostile clients may send
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <string.h>

#include "conf/domain_conf.h"
#include "remote/rpc_procs.h"
#include "util/virerror.h"

#define HOSTDEV(netdevs)                                                                                               \
    "    <hostdev mode='subsystem' type='pci' managed='yes'>\n"                                                        \
    "      <source>\n"                                                                                                 \
    "        <address domain='0x0000' bus='0x06' slot='0x02' function='0x0'/>\n"                                       \
    "      </source>\n" netdevs "    </hostdev>\n"
#define DOMAIN(metadata, hostdev)                                                                                      \
    "<domain type='kvm'>\n  <name>vm1</name>\n" metadata "  <devices>\n" hostdev "  </devices>\n</domain>\n"
#define NETDEV "      <netdev port='2'>\n        <mac address='52:54:00:01:02:04'/>\n      </netdev>\n"
#define NETDEV_XML DOMAIN("", HOSTDEV(NETDEV))
#define PLAIN_XML DOMAIN("", HOSTDEV(""))
#define BROKEN_XML DOMAIN("  <metadata><lh:hostdevs xmlns:lh='" VIRT_NS "'><lh:what/></lh:hostdevs></metadata>\n", "")

static const virtRpcDomain vm1 = {"vm1", 3, {0x8a, 0x1f, 0x4c, 0x70, 0x0e, 0x5e, 0x4d, 0x5e, 0x8b, 0x7f, 0x3d}, 7};

/* ---- messages from a list of fields ---- */

static void
putParam(GByteArray *out, const char *name, guint32 type, const char *text)
{
    virtXdrPutString(out, name, strlen(name));
    virtXdrPutUInt(out, type);
    if (text)
        virtXdrPutString(out, text, strlen(text));
    else
        virtXdrPutUInt(out, 0x3c6e6574); /* "<net" */
    if (type == VIR_TYPED_PARAM_LLONG || type == VIR_TYPED_PARAM_ULLONG || type == VIR_TYPED_PARAM_DOUBLE)
        virtXdrPutUInt(out, 7);
}

/* One of each type, with all those that are XML among them, and a name that only looks like one. */
static void
putParams(GByteArray *out, const char *xml)
{
    virtXdrPutUInt(out, 11);
    for (guint32 type = VIR_TYPED_PARAM_INT; type < VIR_TYPED_PARAM_STRING; type++)
        putParam(out, "dxml", type, NULL);
    putParam(out, "destination_xml", VIR_TYPED_PARAM_STRING, xml);
    putParam(out, "file", VIR_TYPED_PARAM_STRING, NETDEV_XML);
    putParam(out, "persistent_xml", VIR_TYPED_PARAM_STRING, xml);
    putParam(out, "dxml2", VIR_TYPED_PARAM_STRING, NETDEV_XML);
    putParam(out, "dxml", VIR_TYPED_PARAM_STRING, xml);
}

/* @letter: as in rpc_procs.c; o and X are there, O and Y are left out */
static void
putField(GByteArray *out, char letter, const char *xml)
{
    switch (letter) {
    case 'd':
        virtXdrPutDomain(out, &vm1);
        break;
    case 's':
        virtXdrPutString(out, "<netdev", 7);
        break;
    case 'o':
        virtXdrPutOptString(out, "name");
        break;
    case 'O':
    case 'Y':
        virtXdrPutOptString(out, NULL);
        break;
    case 'h':
        virtXdrPutUInt(out, 0x01020304);
        virtXdrPutUInt(out, 0x05060708);
        break;
    case 'x':
        virtXdrPutString(out, xml, strlen(xml));
        break;
    case 'X':
        virtXdrPutOptString(out, xml);
        break;
    case 'p':
        putParams(out, xml);
        break;
    default:
        virtXdrPutUInt(out, 1);
    }
}

static GByteArray *
build(guint32 proc, virtRpcType type, const char *fields, const char *xml)
{
    GByteArray *message = virtRpcMessageNew(proc, type, 5, VIRT_RPC_OK);

    if (type == VIRT_RPC_CALL_WITH_FDS || type == VIRT_RPC_REPLY_WITH_FDS)
        virtXdrPutUInt(message, 2);
    for (; *fields; fields++)
        putField(message, *fields, xml);
    g_assert_true(virtRpcMessageEnd(message, NULL));
    return message;
}

static const virtRpcProc *
find(const GByteArray *message)
{
    virtRpcHeader header;

    g_assert_true(virtRpcHeaderParse(message->data, &header, NULL));
    return virtRpcProcFind(&header);
}

/* The rewritten message, or NULL where it stays. */
static GByteArray *
rewrite(const GByteArray *message)
{
    g_autoptr(GError) error = NULL;
    const virtRpcProc *proc = find(message);
    GByteArray *out = NULL;

    g_assert_nonnull(proc);
    virtRpcRewrite(proc, message->data, message->len, 0, &out, &error);
    g_assert_no_error(error);
    return out;
}

/* Rewriting must fail; the sentence holds @needle. */
static void
refuses(const GByteArray *message, const char *needle)
{
    g_autoptr(GError) error = NULL;
    GByteArray *out = NULL;

    g_assert_false(virtRpcRewrite(find(message), message->data, message->len, 0, &out, &error));
    g_assert_error(error, VIRT_ERROR, VIRT_ERROR_INVALID);
    g_test_message("%s", error->message);
    g_assert_nonnull(strstr(error->message, needle));
    g_assert_null(out);
}

static void
assertSame(const GByteArray *got, const GByteArray *expected)
{
    g_assert_nonnull(got);
    g_assert_cmpmem(got->data, got->len, expected->data, expected->len);
}

/* ---- every row ---- */

/* All fields of remote_protocol.x, also those behind the last XML, written down here a second time. */
static const struct {
    guint32 proc;
    virtRpcAction action;
    const char *fields;
} rows[] = {
    {8, VIRT_RPC_ATTACH, "dx"},
    {10, VIRT_RPC_TO_STOCK, "xu"},
    {11, VIRT_RPC_TO_STOCK, "x"},
    {13, VIRT_RPC_DETACH, "dx"},
    {14, VIRT_RPC_TO_NETDEV, "x"},
    {108, VIRT_RPC_MIGRATED, "ohohx"},
    {108, VIRT_RPC_MIGRATED, "OhOhx"},
    {136, VIRT_RPC_TO_STOCK, "sxu"},
    {148, VIRT_RPC_MIGRATED, "hohx"},
    {160, VIRT_RPC_ATTACH, "dxu"},
    {161, VIRT_RPC_DETACH, "dxu"},
    {174, VIRT_RPC_UPDATE, "dxu"},
    {185, VIRT_RPC_TO_STOCK, "dxu"},
    {186, VIRT_RPC_TO_NETDEV, "x"},
    {213, VIRT_RPC_TO_STOCK_LIKE, "dXhoh"},
    {213, VIRT_RPC_TO_STOCK_LIKE, "dYhoh"},
    {214, VIRT_RPC_MIGRATED, "sohohx"},
    {215, VIRT_RPC_MIGRATED, "shohx"},
    {216, VIRT_RPC_TO_STOCK_LIKE, "dXsoohoh"},
    {232, VIRT_RPC_TO_STOCK_LIKE, "dsXu"},
    {233, VIRT_RPC_TO_STOCK_LIKE, "sXu"},
    {235, VIRT_RPC_TO_NETDEV, "x"},
    {236, VIRT_RPC_TO_STOCK_LIKE, "sxu"},
    {264, VIRT_RPC_METADATA_GUARD, "duXoou"},
    {265, VIRT_RPC_METADATA_GUARD, "duou"},
    {302, VIRT_RPC_TO_STOCK_LIKE, "dpu"},
    {303, VIRT_RPC_MIGRATED, "psu"},
    {304, VIRT_RPC_MIGRATED, "psu"},
    {305, VIRT_RPC_TO_STOCK_LIKE, "dopsu"},
    {305, VIRT_RPC_TO_STOCK_LIKE, "dOpsu"},
    {309, VIRT_RPC_TO_STOCK, "xu"},
    {350, VIRT_RPC_TO_STOCK, "xu"},
    {379, VIRT_RPC_METADATA_EVENT, "uduo"},
    {388, VIRT_RPC_TO_NETDEV, "x"},
    {389, VIRT_RPC_TO_STOCK_LIKE, "dXu"},
    {392, VIRT_RPC_DETACH_ALIAS, "dsu"},
    {411, VIRT_RPC_TO_STOCK, "dxu"},
    {412, VIRT_RPC_TO_NETDEV, "x"},
    {421, VIRT_RPC_TO_STOCK, "dxXu"},
    {421, VIRT_RPC_TO_STOCK, "dxYu"},
    {422, VIRT_RPC_TO_NETDEV, "x"},
    {440, VIRT_RPC_TO_STOCK_LIKE, "dpu"},
    {441, VIRT_RPC_TO_STOCK_LIKE, "pu"},
};

static virtRpcType
typeOf(virtRpcAction action)
{
    return action == VIRT_RPC_TO_NETDEV        ? VIRT_RPC_REPLY
           : action == VIRT_RPC_METADATA_EVENT ? VIRT_RPC_MESSAGE
                                               : VIRT_RPC_CALL;
}

static void
checkRow(guint32 proc, virtRpcAction action, virtRpcType type, const char *fields, const char *stock)
{
    g_autoptr(GByteArray) user = build(proc, type, fields, NETDEV_XML);
    g_autoptr(GByteArray) ours = build(proc, type, fields, stock);
    g_autoptr(GByteArray) plain = build(proc, type, fields, PLAIN_XML);
    bool converts = action <= VIRT_RPC_TO_NETDEV && strpbrk(fields, "xXp");
    const GByteArray *from = action < VIRT_RPC_TO_NETDEV ? user : ours, *to = from == user ? ours : user;
    g_autoptr(GByteArray) got = rewrite(from);

    g_test_message("%u %s", proc, fields);
    g_assert_cmpint(find(from)->action, ==, action);
    if (action >= VIRT_RPC_ATTACH && action <= VIRT_RPC_UPDATE)
        g_assert_cmpstr(find(from)->layout, ==, fields); /* nothing here reads them */
    if (converts)
        assertSame(got, to);
    else
        g_assert_null(got);
    /* Done already, or nothing of ours: not a byte is touched. */
    g_assert_null(rewrite(to));
    g_assert_null(rewrite(plain));
}

static void
testRows(void)
{
    g_autofree char *stock = virtDomainToStock(NETDEV_XML, strlen(NETDEV_XML), NULL, 0, NULL);

    g_assert_nonnull(strstr(stock, "<lh:netdev port='2'>"));
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        virtRpcType type = typeOf(rows[i].action);

        checkRow(rows[i].proc, rows[i].action, type, rows[i].fields, stock);
        if (type == VIRT_RPC_CALL)
            checkRow(rows[i].proc, rows[i].action, VIRT_RPC_CALL_WITH_FDS, rows[i].fields, stock);
        if (type == VIRT_RPC_REPLY)
            checkRow(rows[i].proc, rows[i].action, VIRT_RPC_REPLY_WITH_FDS, rows[i].fields, stock);
    }
}

static const virtRpcProc *
findNumbers(guint32 prog, guint32 vers, guint32 proc, virtRpcType type, virtRpcStatus status)
{
    const virtRpcHeader header = {28, prog, vers, proc, type, 1, status};

    return virtRpcProcFind(&header);
}

static void
testFind(void)
{
    guint known = 0;

    g_assert_nonnull(findNumbers(VIRT_RPC_REMOTE, 1, 14, VIRT_RPC_REPLY, VIRT_RPC_OK));
    g_assert_null(findNumbers(VIRT_RPC_REMOTE, 1, 14, VIRT_RPC_REPLY, VIRT_RPC_ERROR));
    g_assert_null(findNumbers(VIRT_RPC_REMOTE, 1, 14, VIRT_RPC_CALL, VIRT_RPC_OK));
    g_assert_null(findNumbers(VIRT_RPC_REMOTE, 2, 11, VIRT_RPC_CALL, VIRT_RPC_OK));
    g_assert_null(findNumbers(VIRT_RPC_QEMU, 1, 11, VIRT_RPC_CALL, VIRT_RPC_OK));
    g_assert_null(findNumbers(VIRT_RPC_REMOTE, 1, 11, VIRT_RPC_STREAM, VIRT_RPC_OK));
    /* Between hosts, XML stays in stock form. */
    g_assert_null(findNumbers(VIRT_RPC_REMOTE, 1, 213, VIRT_RPC_REPLY, VIRT_RPC_OK));
    g_assert_null(findNumbers(VIRT_RPC_REMOTE, 1, 302, VIRT_RPC_REPLY, VIRT_RPC_OK));
    /* There is no row that testRows() has not. */
    for (guint32 proc = 0; proc < 1000; proc++) {
        for (guint32 type = 0; type < VIRT_RPC_TYPE_LAST; type++)
            known += type != VIRT_RPC_CALL_WITH_FDS && type != VIRT_RPC_REPLY_WITH_FDS &&
                     findNumbers(VIRT_RPC_REMOTE, 1, proc, type, VIRT_RPC_OK);
    }
    g_assert_cmpuint(known, ==, G_N_ELEMENTS(rows) - 4); /* four are there twice */
}

static void
testMacs(void)
{
    g_autoptr(GByteArray) call = build(11, VIRT_RPC_CALL, "x", DOMAIN("", HOSTDEV("<netdev port='1'/>")));
    g_autoptr(GByteArray) out = rewrite(call);

    g_assert_nonnull(memmem(out->data, out->len, "52:54:00:", 9));
}

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
    g_autoptr(GByteArray) whole = build(proc, type, fields, xml);
    const virtRpcProc *row = find(whole);

    for (guint len = VIRT_RPC_HEADER_LEN; len < whole->len; len++) {
        /* On the heap, with its exact length, so that a sanitizer sees a byte too far. */
        g_autofree guint8 *bytes = g_memdup2(whole->data, len);
        g_autoptr(GByteArray) part = g_byte_array_new_take(g_steal_pointer(&bytes), len);
        g_autoptr(GError) error = NULL;
        GByteArray *out = NULL;
        bool ours = memmem(part->data, len, "<netdev", 7);

        cutTo(part, len);
        g_assert_cmpint(virtRpcRewrite(row, part->data, len, 0, &out, &error), ==, !ours || type == VIRT_RPC_REPLY);
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
    g_autoptr(GByteArray) call = build(11, VIRT_RPC_CALL, "x", NETDEV_XML);
    GByteArray *out = NULL;

    /* Nobody hands in less than a header, but if so, it is not read. */
    g_assert_true(virtRpcRewrite(find(call), call->data, 27, 0, &out, NULL));
    g_assert_null(out);
    g_assert_true(virtRpcMessageOpen(call->data, 27).bad);
    g_assert_cmpuint(virtRpcErrorCode(call->data, 27), ==, 0);
}

static void
testParamsWrong(void)
{
    g_autoptr(GByteArray) many = virtRpcMessageNew(441, VIRT_RPC_CALL, 1, VIRT_RPC_OK);
    g_autoptr(GByteArray) unknown = virtRpcMessageNew(441, VIRT_RPC_CALL, 1, VIRT_RPC_OK);
    g_autoptr(GByteArray) quiet = virtRpcMessageNew(441, VIRT_RPC_CALL, 1, VIRT_RPC_OK);

    virtXdrPutUInt(many, 65);
    for (guint i = 0; i < 65; i++)
        putParam(many, "dxml", VIR_TYPED_PARAM_STRING, NETDEV_XML);
    virtRpcMessageEnd(many, NULL);
    refuses(many, "Call 441");

    virtXdrPutUInt(unknown, 2);
    putParam(unknown, "dxml", VIR_TYPED_PARAM_STRING, NETDEV_XML);
    putParam(unknown, "new", 8, NULL);
    virtRpcMessageEnd(unknown, NULL);
    refuses(unknown, "Call 441");

    virtXdrPutUInt(quiet, 1);
    putParam(quiet, "new", 8, NULL);
    virtRpcMessageEnd(quiet, NULL);
    g_assert_null(rewrite(quiet));
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
    out = rewrite(call);
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
    g_autoptr(GByteArray) port = build(11, VIRT_RPC_CALL, "x", DOMAIN("", HOSTDEV("<netdev port='0'/>\n")));

    for (guint i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autoptr(GByteArray) call = defineBytes(bad[i].xml, bad[i].len);

        refuses(call, bad[i].needle);
    }
    g_assert_null(rewrite(untouched));
    g_assert_null(rewrite(empty));
    refuses(broken, "what");
    refuses(port, "port");
}

/* One of several strings is wrong: none is converted. */
static void
testNoHalf(void)
{
    g_autoptr(GByteArray) call = virtRpcMessageNew(441, VIRT_RPC_CALL, 1, VIRT_RPC_OK);

    virtXdrPutUInt(call, 2);
    putParam(call, "dxml", VIR_TYPED_PARAM_STRING, NETDEV_XML);
    putParam(call, "dxml", VIR_TYPED_PARAM_STRING, "<netdev>");
    virtRpcMessageEnd(call, NULL);
    refuses(call, "line ");
}

/* A reply is shown as it is when our metadata in it cannot be. */
static void
testBrokenReply(void)
{
    g_autoptr(GByteArray) reply = build(14, VIRT_RPC_REPLY, "x", BROKEN_XML);

    g_test_expect_message(G_LOG_DOMAIN, G_LOG_LEVEL_WARNING, "*libvirt's own form*");
    g_assert_null(rewrite(reply));
    g_test_assert_expected_messages();
}

/* ---- limits ---- */

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
    g_autoptr(GByteArray) out = rewrite(fits);

    g_assert_nonnull(out);
    refuses(grows, "would have 4194574 bytes; it takes at most 4194304");
    refuses(tooLong, "Call 350");
    memset(more, ' ', VIRT_RPC_STRING_MAX + 1);
    g_byte_array_unref(tooLong);
    tooLong = defineBytes(more, VIRT_RPC_STRING_MAX + 1);
    g_assert_null(rewrite(tooLong));
}

static void
testMessageMax(void)
{
    g_autoptr(GByteArray) call = defineBytes(NETDEV_XML, strlen(NETDEV_XML));
    g_autoptr(GByteArray) more = virtRpcMessageNew(1, VIRT_RPC_CALL, 1, VIRT_RPC_OK);

    g_byte_array_set_size(call, VIRT_RPC_MESSAGE_MAX);
    g_assert_true(virtRpcMessageEnd(call, NULL));
    refuses(call, "bytes long with its netdevs in <metadata>, and libvirt takes 33554436");
    g_byte_array_set_size(more, VIRT_RPC_MESSAGE_MAX + 1);
    g_assert_false(virtRpcMessageEnd(more, NULL));
}

/* ---- metadata ---- */

static GByteArray *
metadataMessage(guint32 proc, guint32 kind, const char *ns, gsize nsLen)
{
    GByteArray *message = virtRpcMessageNew(proc, proc == 379 ? VIRT_RPC_MESSAGE : VIRT_RPC_CALL, 0, VIRT_RPC_OK);

    if (proc == 379)
        virtXdrPutUInt(message, 1);
    virtXdrPutDomain(message, &vm1);
    virtXdrPutUInt(message, kind);
    if (proc == 264) {
        virtXdrPutOptString(message, "<x/>");
        virtXdrPutOptString(message, VIRT_NS);
    }
    virtXdrPutUInt(message, ns != NULL);
    if (ns)
        virtXdrPutString(message, ns, nsLen);
    if (proc != 379)
        virtXdrPutUInt(message, 0);
    g_assert_true(virtRpcMessageEnd(message, NULL));
    return message;
}

static bool
isOurs(guint32 proc, guint32 kind, const char *ns, gsize nsLen)
{
    g_autoptr(GByteArray) message = metadataMessage(proc, kind, ns, nsLen);

    return virtRpcIsOurMetadata(find(message), message->data, message->len);
}

static void
testMetadata(void)
{
    static const guint32 numbers[] = {264, 265, 379};
    const gsize len = strlen(VIRT_NS);
    g_autoptr(GByteArray) other = build(11, VIRT_RPC_CALL, "x", NETDEV_XML);

    for (guint i = 0; i < G_N_ELEMENTS(numbers); i++) {
        guint32 proc = numbers[i];

        g_assert_true(isOurs(proc, VIR_DOMAIN_METADATA_ELEMENT, VIRT_NS, len));
        g_assert_true(isOurs(proc, VIR_DOMAIN_METADATA_ELEMENT, VIRT_NS "\0x", len + 2));
        g_assert_false(isOurs(proc, VIR_DOMAIN_METADATA_ELEMENT, VIRT_NS "0", len + 1));
        g_assert_false(isOurs(proc, VIR_DOMAIN_METADATA_ELEMENT, VIRT_NS, len - 1));
        g_assert_false(isOurs(proc, VIR_DOMAIN_METADATA_ELEMENT, "", 0));
        g_assert_false(isOurs(proc, VIR_DOMAIN_METADATA_ELEMENT, NULL, 0));
        g_assert_false(isOurs(proc, VIR_DOMAIN_METADATA_TITLE, VIRT_NS, len));
    }
    g_assert_false(virtRpcIsOurMetadata(find(other), other->data, other->len));
}

/* ---- errors ---- */

static const struct {
    guint32 proc;
    gint code;
    guint32 vir, domain;
    const char *prefix;
} errors[] = {
    {11, VIRT_ERROR_INVALID, VIR_ERR_XML_ERROR, VIR_FROM_DOMAIN, "XML error: "},
    {160, VIRT_ERROR_HOST, VIR_ERR_OPERATION_FAILED, VIR_FROM_QEMU, "operation failed: "},
    {160, VIRT_ERROR_REFUSED, VIR_ERR_OPERATION_FAILED, VIR_FROM_QEMU, "operation failed: "},
    {160, VIRT_ERROR_BUSY, VIR_ERR_OPERATION_INVALID, VIR_FROM_QEMU, "Requested operation is not valid: "},
    {161, VIRT_ERROR_NOT_FOUND, VIR_ERR_DEVICE_MISSING, VIR_FROM_QEMU, "device not found: "},
    {265, VIRT_ERROR_NOT_FOUND, VIR_ERR_NO_DOMAIN_METADATA, VIR_FROM_DOMAIN, "metadata not found: "},
    {264, VIRT_ERROR_BUSY, VIR_ERR_OPERATION_INVALID, VIR_FROM_QEMU, "Requested operation is not valid: "},
    {160, 99, VIR_ERR_INTERNAL_ERROR, VIR_FROM_QEMU, "internal error: "},
};

static void
assertNext(virtXdr *xdr, const char *first, const char *second)
{
    g_autofree char *expected = g_strconcat(first, second, NULL);
    gsize len = 0;
    const char *text = virtXdrGetOptString(xdr, &len);

    g_assert_cmpmem(text, len, expected, strlen(expected));
}

/* Field by field as virNetMessageError of src/rpc/virnetprotocol.x has it. */
static void
testErrorReply(void)
{
    for (guint i = 0; i < G_N_ELEMENTS(errors); i++) {
        g_autoptr(GError) error = g_error_new(VIRT_ERROR, errors[i].code, "Port 2 is down.");
        g_autoptr(GByteArray) reply = virtRpcErrorReply(errors[i].proc, 77, error);
        virtXdr xdr = virtRpcMessageOpen(reply->data, reply->len);
        virtRpcHeader header;

        g_assert_true(virtRpcHeaderParse(reply->data, &header, NULL));
        g_assert_cmpuint(header.len, ==, reply->len);
        g_assert_cmpuint(header.proc, ==, errors[i].proc);
        g_assert_cmpuint(header.type, ==, VIRT_RPC_REPLY);
        g_assert_cmpuint(header.serial, ==, 77);
        g_assert_cmpuint(header.status, ==, VIRT_RPC_ERROR);
        g_assert_cmpuint(virtRpcErrorCode(reply->data, reply->len), ==, errors[i].vir);
        g_assert_cmpuint(virtXdrGetUInt(&xdr), ==, errors[i].vir);
        g_assert_cmpuint(virtXdrGetUInt(&xdr), ==, errors[i].domain);
        assertNext(&xdr, errors[i].prefix, "Port 2 is down.");
        g_assert_cmpuint(virtXdrGetUInt(&xdr), ==, VIR_ERR_ERROR);
        g_assert_cmpuint(virtXdrGetUInt(&xdr), ==, 0);
        assertNext(&xdr, errors[i].prefix, "%s");
        assertNext(&xdr, "Port 2 is down.", "");
        g_assert_null(virtXdrGetOptString(&xdr, NULL));
        g_assert_cmpuint(virtXdrGetHyper(&xdr), ==, G_MAXUINT64);
        g_assert_cmpuint(virtXdrGetUInt(&xdr), ==, 0);
        g_assert_false(xdr.bad);
        g_assert_cmpuint(xdr.at, ==, xdr.len);
    }
}

static void
testErrorCode(void)
{
    g_autoptr(GByteArray) reply = build(14, VIRT_RPC_REPLY, "u", NULL);
    g_autoptr(GByteArray) call = virtRpcMessageNew(14, VIRT_RPC_CALL, 1, VIRT_RPC_ERROR);
    g_autoptr(GByteArray) fds = virtRpcMessageNew(14, VIRT_RPC_REPLY_WITH_FDS, 1, VIRT_RPC_ERROR);
    g_autoptr(GByteArray) empty = virtRpcMessageNew(14, VIRT_RPC_REPLY, 1, VIRT_RPC_ERROR);

    virtXdrPutUInt(call, 9);
    virtRpcMessageEnd(call, NULL);
    virtXdrPutUInt(fds, 0);
    virtXdrPutUInt(fds, 42);
    virtRpcMessageEnd(fds, NULL);
    virtRpcMessageEnd(empty, NULL);
    g_assert_cmpuint(virtRpcErrorCode(reply->data, reply->len), ==, 0);
    g_assert_cmpuint(virtRpcErrorCode(call->data, call->len), ==, 0);
    g_assert_cmpuint(virtRpcErrorCode(fds->data, fds->len), ==, 42);
    g_assert_cmpuint(virtRpcErrorCode(empty->data, empty->len), ==, 0);
}

/* ---- header and XDR ---- */

static void
testHeader(void)
{
    static const struct {
        guint32 len, type;
        bool good;
    } cases[] = {
        {28, VIRT_RPC_CALL, true},        {33554436, VIRT_RPC_STREAM_HOLE, true},
        {33554437, VIRT_RPC_CALL, false}, {27, VIRT_RPC_CALL, false},
        {0, VIRT_RPC_CALL, false},        {28, 7, false},
    };
    virtRpcHeader header = {.serial = 123};

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GByteArray) bytes = g_byte_array_new();
        g_autoptr(GError) error = NULL;

        virtXdrPutUInt(bytes, cases[i].len);
        virtXdrPutUInt(bytes, VIRT_RPC_QEMU);
        virtXdrPutUInt(bytes, 1);
        virtXdrPutUInt(bytes, 0xfffffffe);
        virtXdrPutUInt(bytes, cases[i].type);
        virtXdrPutUInt(bytes, 0x01020304);
        virtXdrPutUInt(bytes, VIRT_RPC_CONTINUE);
        header.serial = 123;
        g_assert_cmpint(virtRpcHeaderParse(bytes->data, &header, &error), ==, cases[i].good);
        g_assert_cmpint(error == NULL, ==, cases[i].good);
        g_assert_cmpuint(header.serial, ==, cases[i].good ? 0x01020304 : 123);
        virtRpcHeaderPutSerial(bytes->data, 0x80000005);
        virtRpcHeaderPutProc(bytes->data, 0xfffffffd);
        if (!cases[i].good)
            continue;
        g_assert_true(virtRpcHeaderParse(bytes->data, &header, NULL));
        g_assert_cmpuint(header.prog, ==, VIRT_RPC_QEMU);
        g_assert_cmpuint(header.proc, ==, 0xfffffffd);
        g_assert_cmpuint(header.type, ==, cases[i].type);
        g_assert_cmpuint(header.serial, ==, 0x80000005);
        g_assert_cmpuint(header.status, ==, VIRT_RPC_CONTINUE);
    }
}

static void
testXdr(void)
{
    /* A string of 5 bytes with padding that is not zero; a boolean that is neither 0 nor 1; then too few bytes. */
    static const guint8 bytes[] = "\0\0\0\5hello\1\2\3\0\0\0\2\0\0\0\1x\0\0\0\0\0\0\0\0\0\0\7\0\0";
    virtXdr xdr = {bytes, sizeof(bytes) - 1, 0, false};
    gsize len = 99;

    g_assert_cmpmem(virtXdrGetString(&xdr, &len), len, "hello", 5);
    g_assert_cmpmem(virtXdrGetOptString(&xdr, &len), len, "x", 1);
    g_assert_null(virtXdrGetOptString(&xdr, &len));
    g_assert_cmpuint(len, ==, 0);
    g_assert_false(xdr.bad);
    g_assert_cmpuint(virtXdrGetUInt(&xdr), ==, 7);
    g_assert_cmpuint(xdr.len - xdr.at, ==, 2);
    g_assert_nonnull(virtXdrGetBytes(&xdr, 0));
    g_assert_cmpuint(virtXdrGetUInt(&xdr), ==, 0);
    g_assert_true(xdr.bad);
    g_assert_null(virtXdrGetBytes(&xdr, 0));
}

static void
testXdrEnds(void)
{
    static const guint8 unpadded[] = {0, 0, 0, 5, 'h', 'e', 'l', 'l', 'o'};
    static const guint8 huge[] = {0xff, 0xff, 0xff, 0xff, 'h', 'e', 'l', 'l'};
    virtXdr one = {unpadded, sizeof(unpadded), 0, false}, two = {huge, sizeof(huge), 0, false};
    virtXdr three = {huge, sizeof(huge), 0, false};
    gsize len = 99;

    g_assert_null(virtXdrGetString(&one, &len));
    g_assert_cmpuint(len, ==, 0);
    g_assert_true(one.bad);
    g_assert_null(virtXdrGetString(&two, NULL));
    g_assert_true(two.bad);
    g_assert_null(virtXdrGetBytes(&three, G_MAXSIZE));
    g_assert_true(three.bad);
}

static void
testDomain(void)
{
    g_autoptr(GByteArray) message = build(1, VIRT_RPC_CALL, "d", NULL);
    virtXdr xdr = virtRpcMessageOpen(message->data, message->len);
    virtXdr part = virtRpcMessageOpen(message->data, message->len);
    char uuid[VIRT_UUID_LEN];
    virtRpcDomain domain;

    virtXdrGetDomain(&xdr, &domain);
    g_assert_false(xdr.bad);
    g_assert_cmpmem(domain.name, domain.nameLen, "vm1", 3);
    g_assert_cmpuint(domain.id, ==, 7);
    virtRpcUuidFormat(domain.uuid, uuid);
    g_assert_cmpstr(uuid, ==, "8a1f4c70-0e5e-4d5e-8b7f-3d0000000000");
    part.len--;
    virtXdrGetDomain(&part, &domain);
    g_assert_true(part.bad);
    g_assert_null(domain.name);
    g_assert_cmpuint(domain.uuid[0], ==, 0);
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
        for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
            g_autoptr(GByteArray) message =
                build(rows[i].proc, typeOf(rows[i].action), rows[i].fields, round % 2 ? stock : NETDEV_XML);

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
        for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
            g_autoptr(GByteArray) message = build(rows[i].proc, typeOf(rows[i].action), "", NULL);

            for (gint32 n = g_rand_int_range(rand, 0, 40); n > 0; n--)
                virtXdrPutUInt(message, g_rand_boolean(rand) ? g_rand_int(rand) : g_rand_int(rand) % 12);
            virtRpcMessageEnd(message, NULL);
            feed(message);
        }
    }
}

/* Documents that differ in one byte, more of them than are remembered, each time round. */
static void
testShown(void)
{
    g_autofree char *stock = virtDomainToStock(NETDEV_XML, strlen(NETDEV_XML), NULL, 0, NULL);

    for (guint round = 0; round < 3; round++) {
        for (guint i = 0; i < 12; i++) {
            g_autofree char *xml = g_strdup_printf("%s<!--%x-->", stock, i % (round == 1 ? 4 : 12));
            g_autofree char *expected = virtDomainShow(xml, strlen(xml), NULL, VIRT_SHOW_WRITTEN, NULL);
            g_autofree char *shown = virtRpcShow(xml, strlen(xml), NULL);

            g_assert_cmpstr(shown, ==, expected);
            g_assert_cmpstr(shown, !=, xml);
        }
    }
    g_assert_null(virtRpcShow(BROKEN_XML, strlen(BROKEN_XML), NULL));
    g_assert_null(virtRpcShow(BROKEN_XML, strlen(BROKEN_XML), NULL));
}

int
main(int argc, char **argv)
{
    static const struct {
        const char *path;
        void (*test)(void);
    } tests[] = {
        {"/rpc/rows", testRows},
        {"/rpc/find", testFind},
        {"/rpc/macs", testMacs},
        {"/rpc/truncated", testTruncated},
        {"/rpc/too-short", testTooShort},
        {"/rpc/params-wrong", testParamsWrong},
        {"/rpc/param-name", testParamName},
        {"/rpc/xml-wrong", testXmlWrong},
        {"/rpc/no-half", testNoHalf},
        {"/rpc/broken-reply", testBrokenReply},
        {"/rpc/string-max", testStringMax},
        {"/rpc/message-max", testMessageMax},
        {"/rpc/metadata", testMetadata},
        {"/rpc/error-reply", testErrorReply},
        {"/rpc/error-code", testErrorCode},
        {"/rpc/header", testHeader},
        {"/rpc/xdr", testXdr},
        {"/rpc/xdr-ends", testXdrEnds},
        {"/rpc/domain", testDomain},
        {"/rpc/shown", testShown},
        {"/rpc/fuzz", testFuzz},
        {"/rpc/fuzz-payload", testFuzzPayload},
    };

    g_test_init(&argc, &argv, NULL);
    for (guint i = 0; i < G_N_ELEMENTS(tests); i++)
        g_test_add_func(tests[i].path, tests[i].test);
    return g_test_run();
}
