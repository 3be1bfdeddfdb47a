/* rpcmessage.c: libvirt's messages for tests
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "rpcmessage.h"

#include <libvirt/libvirt.h>
#include <string.h>

#include "util/virerror.h"

static const virtRpcDomain vm1 = {"vm1", 3, {0x8a, 0x1f, 0x4c, 0x70, 0x0e, 0x5e, 0x4d, 0x5e, 0x8b, 0x7f, 0x3d}, 7};

void
virtTestRpcPutDomain(GByteArray *out)
{
    virtXdrPutDomain(out, &vm1);
}

void
virtTestRpcPutParam(GByteArray *out, const char *name, guint32 type, const char *text)
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
        virtTestRpcPutParam(out, "dxml", type, NULL);
    virtTestRpcPutParam(out, "destination_xml", VIR_TYPED_PARAM_STRING, xml);
    virtTestRpcPutParam(out, "file", VIR_TYPED_PARAM_STRING, NETDEV_XML);
    virtTestRpcPutParam(out, "persistent_xml", VIR_TYPED_PARAM_STRING, xml);
    virtTestRpcPutParam(out, "dxml2", VIR_TYPED_PARAM_STRING, NETDEV_XML);
    virtTestRpcPutParam(out, "dxml", VIR_TYPED_PARAM_STRING, xml);
}

/* @letter: as in rpc_procs.c; o and X are there, O and Y are left out */
static void
putField(GByteArray *out, char letter, const char *xml)
{
    switch (letter) {
    case 'd':
        virtTestRpcPutDomain(out);
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

GByteArray *
virtTestRpcBuild(guint32 proc, virtRpcType type, const char *fields, const char *xml)
{
    GByteArray *message = virtRpcMessageNew(proc, type, 5, VIRT_RPC_OK);

    if (type == VIRT_RPC_CALL_WITH_FDS || type == VIRT_RPC_REPLY_WITH_FDS)
        virtXdrPutUInt(message, 2);
    for (; *fields; fields++)
        putField(message, *fields, xml);
    g_assert_true(virtRpcMessageEnd(message, NULL));
    return message;
}

const virtRpcProc *
virtTestRpcFind(const GByteArray *message)
{
    virtRpcHeader header;

    g_assert_true(virtRpcHeaderParse(message->data, &header, NULL));
    return virtRpcProcFind(&header);
}

GByteArray *
virtTestRpcRewrite(const GByteArray *message)
{
    g_autoptr(GError) error = NULL;
    const virtRpcProc *proc = virtTestRpcFind(message);
    GByteArray *out = NULL;

    g_assert_nonnull(proc);
    virtRpcRewrite(proc, message->data, message->len, 0, &out, &error);
    g_assert_no_error(error);
    return out;
}

void
virtTestRpcRefuses(const GByteArray *message, const char *needle)
{
    g_autoptr(GError) error = NULL;
    GByteArray *out = NULL;

    g_assert_false(virtRpcRewrite(virtTestRpcFind(message), message->data, message->len, 0, &out, &error));
    g_assert_true(g_error_matches(error, VIRT_ERROR, VIRT_ERROR_INVALID) ||
                  g_error_matches(error, VIRT_ERROR, VIRT_ERROR_TOO_LARGE));
    g_test_message("%s", error->message);
    g_assert_nonnull(strstr(error->message, needle));
    g_assert_null(out);
}

const virtTestRpcRow virtTestRpcRows[] = {
    {8, VIRT_RPC_ATTACH, "dx"},
    {10, VIRT_RPC_TO_STOCK, "xu"},
    {11, VIRT_RPC_TO_STOCK, "x"},
    {13, VIRT_RPC_DETACH, "dx"},
    {14, VIRT_RPC_TO_NETDEV, "x"},
    {65, VIRT_RPC_INTERFACE, "ds"},
    {108, VIRT_RPC_MIGRATED, "ohohx"},
    {108, VIRT_RPC_MIGRATED, "OhOhx"},
    {136, VIRT_RPC_TO_STOCK, "sxu"},
    {148, VIRT_RPC_MIGRATED, "hohx"},
    {160, VIRT_RPC_ATTACH, "dxu"},
    {161, VIRT_RPC_DETACH, "dxu"},
    {174, VIRT_RPC_UPDATE, "dxu"},
    {185, VIRT_RPC_TO_STOCK, "dxu"},
    {186, VIRT_RPC_TO_NETDEV, "x"},
    {213, VIRT_RPC_TO_STOCK_ABI, "dXhoh"},
    {213, VIRT_RPC_TO_STOCK_ABI, "dYhoh"},
    {214, VIRT_RPC_MIGRATED, "sohohx"},
    {215, VIRT_RPC_MIGRATED, "shohx"},
    {216, VIRT_RPC_TO_STOCK_ABI, "dXsoohoh"},
    {232, VIRT_RPC_TO_STOCK_ABI, "dsXu"},
    {233, VIRT_RPC_TO_STOCK_ABI, "sXu"},
    {235, VIRT_RPC_TO_NETDEV, "x"},
    {236, VIRT_RPC_TO_STOCK_ABI, "sxu"},
    {256, VIRT_RPC_INTERFACE, "dspu"},
    {257, VIRT_RPC_INTERFACE, "dsuu"},
    {264, VIRT_RPC_METADATA_GUARD, "duXoou"},
    {265, VIRT_RPC_METADATA_GUARD, "duou"},
    {302, VIRT_RPC_TO_STOCK_ABI, "dpu"},
    {303, VIRT_RPC_MIGRATED, "psu"},
    {304, VIRT_RPC_MIGRATED, "psu"},
    {305, VIRT_RPC_TO_STOCK_ABI, "dopsu"},
    {305, VIRT_RPC_TO_STOCK_ABI, "dOpsu"},
    {309, VIRT_RPC_TO_STOCK, "xu"},
    {344, VIRT_RPC_STATS, "uuu"},
    {350, VIRT_RPC_TO_STOCK, "xu"},
    {379, VIRT_RPC_METADATA_EVENT, "uduo"},
    {388, VIRT_RPC_TO_NETDEV, "x"},
    {389, VIRT_RPC_TO_STOCK_ABI, "dXu"},
    {392, VIRT_RPC_DETACH_ALIAS, "dsu"},
    {411, VIRT_RPC_TO_STOCK, "dxu"},
    {412, VIRT_RPC_TO_NETDEV, "x"},
    {421, VIRT_RPC_TO_STOCK, "dxXu"},
    {421, VIRT_RPC_TO_STOCK, "dxYu"},
    {422, VIRT_RPC_TO_NETDEV, "x"},
    {440, VIRT_RPC_TO_STOCK_ABI, "dpu"},
    {441, VIRT_RPC_TO_STOCK_ABI, "pu"},
    {456, VIRT_RPC_INTERFACE, "dopu"},
};
G_STATIC_ASSERT(G_N_ELEMENTS(virtTestRpcRows) == VIRT_TEST_RPC_ROWS);

virtRpcType
virtTestRpcTypeOf(virtRpcAction action)
{
    return action == VIRT_RPC_TO_NETDEV        ? VIRT_RPC_REPLY
           : action == VIRT_RPC_METADATA_EVENT ? VIRT_RPC_MESSAGE
                                               : VIRT_RPC_CALL;
}
