/* xdrtest.c: the header of a message, and XDR
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include <string.h>

#include "rpcmessage.h"

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
    g_autoptr(GByteArray) message = virtTestRpcBuild(1, VIRT_RPC_CALL, "d", NULL);
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

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/xdr/header", testHeader);
    g_test_add_func("/xdr/xdr", testXdr);
    g_test_add_func("/xdr/xdr-ends", testXdrEnds);
    g_test_add_func("/xdr/domain", testDomain);
    return g_test_run();
}
