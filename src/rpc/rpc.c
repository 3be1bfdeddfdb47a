/* rpc.c: messages of libvirt's RPC: header and length
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "rpc/rpc.h"

#include <string.h>

#include "util/virerror.h"

#define PROC_OFFSET 12   /* bytes: behind length, prog and vers */
#define SERIAL_OFFSET 20 /* behind type too */

/* Reads the header of a message.
 *
 * @bytes: VIRT_RPC_HEADER_LEN of them
 *
 * Returns false with VIRT_ERROR_INVALID where the length cannot be one or the type is unknown: then nobody can say
 * where the next message begins, and the connection is of no use any more.
 */
bool
virtRpcHeaderParse(const guint8 *bytes, virtRpcHeader *ret, GError **error)
{
    virtXdr xdr = {bytes, VIRT_RPC_HEADER_LEN, 0, false};
    virtRpcHeader header = {0};

    header.len = virtXdrGetUInt(&xdr);
    header.prog = virtXdrGetUInt(&xdr);
    header.vers = virtXdrGetUInt(&xdr);
    header.proc = virtXdrGetUInt(&xdr);
    header.type = virtXdrGetUInt(&xdr);
    header.serial = virtXdrGetUInt(&xdr);
    header.status = virtXdrGetUInt(&xdr);
    if (header.len < VIRT_RPC_HEADER_LEN || header.len > VIRT_RPC_MESSAGE_MAX) {
        g_set_error(error, VIRT_ERROR, VIRT_ERROR_INVALID,
                    "A message claims to have %u bytes; libvirt's have %u to %u. Is this libvirt's protocol?",
                    header.len, VIRT_RPC_HEADER_LEN, VIRT_RPC_MESSAGE_MAX);
        return false;
    }
    if (header.type >= VIRT_RPC_TYPE_LAST) {
        g_set_error(error, VIRT_ERROR, VIRT_ERROR_INVALID,
                    "A message of program 0x%x has type %u; libvirt's types are 0 to %u. Is this libvirt's protocol?",
                    header.prog, header.type, VIRT_RPC_TYPE_LAST - 1);
        return false;
    }
    *ret = header;
    return true;
}

static void
putUInt(guint8 *bytes, guint32 value)
{
    const guint32 wire = GUINT32_TO_BE(value);

    memcpy(bytes, &wire, sizeof(wire));
}

/* Makes the message that begins at @bytes another procedure's. */
void
virtRpcHeaderPutProc(guint8 *bytes, guint32 proc)
{
    putUInt(bytes + PROC_OFFSET, proc);
}

/* Gives the message that begins at @bytes another serial number. */
void
virtRpcHeaderPutSerial(guint8 *bytes, guint32 serial)
{
    putUInt(bytes + SERIAL_OFFSET, serial);
}

/* The type of @header, descriptors or not: libvirt takes any call with and without. */
virtRpcType
virtRpcHeaderKind(const virtRpcHeader *header)
{
    if (header->type == VIRT_RPC_CALL_WITH_FDS)
        return VIRT_RPC_CALL;
    if (header->type == VIRT_RPC_REPLY_WITH_FDS)
        return VIRT_RPC_REPLY;
    return header->type;
}

/* Returns a cursor at the first field of a whole message: behind the header, and behind the count of descriptors
 * where there is one. It is bad where @message is no message.
 */
virtXdr
virtRpcMessageOpen(const guint8 *message, gsize len)
{
    virtXdr xdr = {message, len, VIRT_RPC_HEADER_LEN, false};
    virtRpcHeader header = {0};

    if (len < VIRT_RPC_HEADER_LEN || !virtRpcHeaderParse(message, &header, NULL)) {
        xdr.bad = true;
        return xdr;
    }
    if (header.type == VIRT_RPC_CALL_WITH_FDS || header.type == VIRT_RPC_REPLY_WITH_FDS)
        virtXdrGetUInt(&xdr);
    return xdr;
}

/* How many descriptors follow the whole @message: those types that may have some say so; 0 where it is no message. */
guint32
virtRpcMessageDescriptors(const guint8 *message, gsize len)
{
    virtXdr xdr = {message, len, VIRT_RPC_HEADER_LEN, false};
    virtRpcHeader header = {0};

    if (len < VIRT_RPC_HEADER_LEN || !virtRpcHeaderParse(message, &header, NULL) ||
        (header.type != VIRT_RPC_CALL_WITH_FDS && header.type != VIRT_RPC_REPLY_WITH_FDS))
        return 0;
    return virtXdrGetUInt(&xdr);
}

/* Begins a message of the driver calls. Its length is open until virtRpcMessageEnd(); the payload is the caller's,
 * with the count of descriptors where @type has one. Free it with g_byte_array_unref().
 */
GByteArray *
virtRpcMessageNew(guint32 proc, virtRpcType type, guint32 serial, virtRpcStatus status)
{
    GByteArray *message = g_byte_array_new();
    const guint32 header[] = {0, VIRT_RPC_REMOTE, VIRT_RPC_VERSION, proc, type, serial, status};

    for (guint i = 0; i < G_N_ELEMENTS(header); i++)
        virtXdrPutUInt(message, header[i]);
    return message;
}

/* Ends a message: writes its length into it.
 *
 * Returns false with VIRT_ERROR_INVALID where that is more than VIRT_RPC_MESSAGE_MAX.
 */
bool
virtRpcMessageEnd(GByteArray *message, GError **error)
{
    if (message->len > VIRT_RPC_MESSAGE_MAX) {
        g_set_error(
            error, VIRT_ERROR, VIRT_ERROR_INVALID,
            "The call would be %u bytes long with its netdevs in <metadata>; libvirt accepts at most %u. Shorten its XML",
            message->len, VIRT_RPC_MESSAGE_MAX);
        return false;
    }
    putUInt(message->data, message->len);
    return true;
}
