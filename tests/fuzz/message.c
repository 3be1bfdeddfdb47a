/* message.c: fuzz target: one message, whose XML is rewritten: a line with the domain that it is about, and the message
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "conf/domain_conf.h"
#include "fuzz.h"
#include "rpc/rpc_procs.h"

#include <string.h>

/* A rewritten message is one, and the same call. */
static void
checkMessage(const GByteArray *message, const guint8 *data, size_t size)
{
    virtRpcHeader before, after;

    if (message->len < VIRT_RPC_HEADER_LEN || !virtRpcHeaderParse(message->data, &after, NULL) ||
        !virtRpcHeaderParse(data, &before, NULL))
        fuzzFail("rewritten, it is no message");
    if (after.len != message->len)
        fuzzFail("rewritten, it has %u bytes and says %u", message->len, after.len);
    after.len = before.len;
    if (memcmp(&after, &before, sizeof(before)) != 0)
        fuzzFail("rewritten, it is another call");
    if (message->len == size && memcmp(message->data, data, size) == 0)
        fuzzFail("rewritten, it is the same");
}

/* What is rewritten once stays so. */
static void
checkRewrite(const virtRpcProc *proc, const guint8 *data, size_t size, guint flags)
{
    g_autoptr(GError) error = NULL;
    GByteArray *message = NULL, *again = NULL;

    if (virtRpcRewrite(proc, data, size, flags, &message, &error) && message) {
        checkMessage(message, data, size);
        if (!virtRpcRewrite(proc, message->data, message->len, flags, &again, &error))
            fuzzFail("rewritten, it is refused: %s", error->message);
        if (again)
            fuzzFail("rewritten twice");
    }
    g_clear_pointer(&message, g_byte_array_unref);
}

static void
checkLike(const virtRpcProc *proc, const guint8 *data, size_t size, const char *domain)
{
    g_autoptr(GByteArray) call = virtRpcNewShowCall(proc, data, size);
    GByteArray *message = NULL;

    if (call && !virtRpcMessageEnd(call, NULL))
        fuzzFail("a question about a domain is too long");
    if (virtRpcRewriteABI(proc, data, size, domain, strlen(domain), &message, NULL) && message)
        checkMessage(message, data, size);
    g_clear_pointer(&message, g_byte_array_unref);
}

int
LLVMFuzzerTestOneInput(const guint8 *data, size_t size)
{
    g_autofree char *domain = fuzzTakeLine(&data, &size);
    const virtRpcProc *proc;
    virtRpcHeader header;
    GByteArray *reply;

    if (size < VIRT_RPC_HEADER_LEN || !virtRpcHeaderParse(data, &header, NULL) || header.len != size)
        return 0;
    virtRpcErrorCode(data, size);
    if (!(proc = virtRpcProcFind(&header)))
        return 0;
    checkRewrite(proc, data, size, 0);
    checkRewrite(proc, data, size, VIRT_DOMAIN_INTERFACES);
    if (proc->action == VIRT_RPC_TO_STOCK_ABI)
        checkLike(proc, data, size, domain);
    virtRpcIsOurMetadata(proc, data, size);
    reply = virtRpcErrorReply(header.proc, header.serial, &(GError){1, 1, domain});
    g_byte_array_unref(reply);
    return 0;
}
