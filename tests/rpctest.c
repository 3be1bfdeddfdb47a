/* rpctest.c: libvirt's messages: every procedure that carries XML, metadata, errors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <string.h>

#include "rpcmessage.h"
#include "util/virerror.h"

/* ---- every row ---- */

static void
assertSame(const GByteArray *got, const GByteArray *expected)
{
    g_assert_nonnull(got);
    g_assert_cmpmem(got->data, got->len, expected->data, expected->len);
}

static void
checkRow(guint32 proc, virtRpcAction action, virtRpcType type, const char *fields, const char *stock)
{
    g_autoptr(GByteArray) user = virtTestRpcBuild(proc, type, fields, NETDEV_XML);
    g_autoptr(GByteArray) ours = virtTestRpcBuild(proc, type, fields, stock);
    g_autoptr(GByteArray) plain = virtTestRpcBuild(proc, type, fields, PLAIN_XML);
    bool converts = action <= VIRT_RPC_TO_NETDEV && strpbrk(fields, "xXp");
    const GByteArray *from = action < VIRT_RPC_TO_NETDEV ? user : ours, *to = from == user ? ours : user;
    g_autoptr(GByteArray) got = virtTestRpcRewrite(from);

    g_test_message("%u %s", proc, fields);
    g_assert_cmpint(virtTestRpcFind(from)->action, ==, action);
    if (action >= VIRT_RPC_ATTACH && action <= VIRT_RPC_UPDATE)
        g_assert_cmpstr(virtTestRpcFind(from)->layout, ==, fields); /* nothing here reads them */
    if (converts)
        assertSame(got, to);
    else
        g_assert_null(got);
    /* Done already, or nothing of ours: not a byte is touched. */
    g_assert_null(virtTestRpcRewrite(to));
    g_assert_null(virtTestRpcRewrite(plain));
}

static void
testRows(void)
{
    g_autofree char *stock = virtDomainToStock(NETDEV_XML, strlen(NETDEV_XML), NULL, 0, NULL);

    g_assert_nonnull(strstr(stock, "<lh:netdev port='2'>"));
    for (guint i = 0; i < VIRT_TEST_RPC_ROWS; i++) {
        virtRpcType type = virtTestRpcTypeOf(virtTestRpcRows[i].action);

        checkRow(virtTestRpcRows[i].proc, virtTestRpcRows[i].action, type, virtTestRpcRows[i].fields, stock);
        if (type == VIRT_RPC_CALL)
            checkRow(virtTestRpcRows[i].proc, virtTestRpcRows[i].action, VIRT_RPC_CALL_WITH_FDS,
                     virtTestRpcRows[i].fields, stock);
        if (type == VIRT_RPC_REPLY)
            checkRow(virtTestRpcRows[i].proc, virtTestRpcRows[i].action, VIRT_RPC_REPLY_WITH_FDS,
                     virtTestRpcRows[i].fields, stock);
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
        for (guint32 type = 0; type < VIRT_RPC_TYPE_LAST; type++) {
            const virtRpcProc *row = findNumbers(VIRT_RPC_REMOTE, 1, proc, type, VIRT_RPC_OK);

            known += row && type != VIRT_RPC_CALL_WITH_FDS && type != VIRT_RPC_REPLY_WITH_FDS &&
                     row->action != VIRT_RPC_START && row->action != VIRT_RPC_STARTED &&  /* tests/filter.py */
                     row->action != VIRT_RPC_OPEN && row->action != VIRT_RPC_NODE_DEVICE; /* tests/filter_nodedev.py */
        }
    }
    g_assert_cmpuint(known, ==, VIRT_TEST_RPC_ROWS - 4); /* four are there twice */
}

/* ---- every procedure that there is ---- */

static const virtRpcProc *
findRow(guint32 proc, virtRpcType type)
{
    return findNumbers(VIRT_RPC_REMOTE, VIRT_RPC_VERSION, proc, type, VIRT_RPC_OK);
}

/* @words: what a procedure has that is to have a row, or must not have one */
static bool
wantsRow(char **words, const char *direction)
{
    static const char *const left[] = {"wire", "native", "other", NULL};
    gsize len = strlen(direction);

    for (; *words; words++) {
        if (g_str_has_prefix(*words, direction) && (*words)[len] == ':')
            return !g_strv_contains(left, *words + len + 1);
    }
    return false;
}

static void
checkProcedure(guint32 proc, char **words)
{
    static const char *const directions[] = {
        [VIRT_RPC_CALL] = "call", [VIRT_RPC_REPLY] = "reply", [VIRT_RPC_MESSAGE] = "message"};

    g_assert_cmpuint(g_ascii_strtoull(words[0], NULL, 10), ==, proc);
    for (guint type = 0; type < G_N_ELEMENTS(directions); type++) {
        g_test_message("%s %s %s", words[0], words[1], directions[type]);
        g_assert_cmpint(findRow(proc, type) != NULL, ==, wantsRow(words + 2, directions[type]));
    }
}

/* The list has each number once, and nothing has a row that it has not. */
static void
testProcedures(void)
{
    g_autofree char *path = g_build_filename(g_getenv("SRCDIR"), "lab", "guest", "rpc-procedures.txt", NULL);
    g_autofree char *text = NULL;
    g_auto(GStrv) lines = NULL;
    guint32 proc = 0;

    g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
    lines = g_strsplit(g_strchomp(text), "\n", -1);
    for (guint i = 0; lines[i]; i++) {
        g_auto(GStrv) words = g_strsplit(lines[i], " ", -1);

        if (lines[i][0] != '#')
            checkProcedure(++proc, words);
    }
    g_assert_cmpuint(proc, >=, 456);
    for (guint32 type = VIRT_RPC_CALL; type <= VIRT_RPC_MESSAGE; type++) {
        for (guint32 unknown = proc + 1; unknown < 1000; unknown++)
            g_assert_null(findRow(unknown, type));
    }
}

static void
testMacs(void)
{
    g_autoptr(GByteArray) call = virtTestRpcBuild(11, VIRT_RPC_CALL, "x", DOMAIN("", HOSTDEV("<netdev port='1'/>")));
    g_autoptr(GByteArray) out = virtTestRpcRewrite(call);

    g_assert_nonnull(memmem(out->data, out->len, "52:54:00:", 9));
}

/* ---- metadata ---- */

static GByteArray *
metadataMessage(guint32 proc, guint32 kind, const char *ns, gsize nsLen)
{
    GByteArray *message = virtRpcMessageNew(proc, proc == 379 ? VIRT_RPC_MESSAGE : VIRT_RPC_CALL, 0, VIRT_RPC_OK);

    if (proc == 379)
        virtXdrPutUInt(message, 1);
    virtTestRpcPutDomain(message);
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

    return virtRpcIsOurMetadata(virtTestRpcFind(message), message->data, message->len);
}

static void
testMetadata(void)
{
    static const guint32 numbers[] = {264, 265, 379};
    const gsize len = strlen(VIRT_NS);
    g_autoptr(GByteArray) other = virtTestRpcBuild(11, VIRT_RPC_CALL, "x", NETDEV_XML);

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
    g_assert_false(virtRpcIsOurMetadata(virtTestRpcFind(other), other->data, other->len));
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
    g_autoptr(GByteArray) reply = virtTestRpcBuild(14, VIRT_RPC_REPLY, "u", NULL);
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

/* Documents that differ in one byte, more of them than are remembered, each time round. */
static void
testShown(void)
{
    g_autofree char *stock = virtDomainToStock(NETDEV_XML, strlen(NETDEV_XML), NULL, 0, NULL);

    for (guint round = 0; round < 3; round++) {
        for (guint i = 0; i < 12; i++) {
            g_autofree char *xml = g_strdup_printf("%s<!--%x-->", stock, i % (round == 1 ? 4 : 12));
            g_autofree char *expected = virtDomainFormat(xml, strlen(xml), NULL, VIRT_DOMAIN_FORM_WRITTEN, NULL);
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
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/rpc/rows", testRows);
    g_test_add_func("/rpc/find", testFind);
    g_test_add_func("/rpc/procedures", testProcedures);
    g_test_add_func("/rpc/macs", testMacs);
    g_test_add_func("/rpc/metadata", testMetadata);
    g_test_add_func("/rpc/error-reply", testErrorReply);
    g_test_add_func("/rpc/error-code", testErrorCode);
    g_test_add_func("/rpc/shown", testShown);
    return g_test_run();
}
