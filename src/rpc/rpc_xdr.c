/* rpc_xdr.c: reading and writing XDR (RFC 4506)
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What is read comes from a client that need not be a friend. It is read as libvirt's decoder reads it, so that
 * nobody can show us one thing and libvirt another: any number but 0 is a true boolean, padding must be there and
 * may hold anything, and what follows the last field is not looked at.
 */
#include "rpc/rpc.h"

#include <libvirt/libvirt.h>
#include <string.h>

/* Bytes up to the next multiple of four. */
static gsize
padding(gsize len)
{
    return (4 - len % 4) % 4;
}

/* Reads one number.
 *
 * Returns it; 0 where the bytes have run out, and then @xdr is bad for good.
 */
guint32
virtXdrGetUInt(virtXdr *xdr)
{
    const guint8 *bytes = virtXdrGetBytes(xdr, 4);

    if (!bytes)
        return 0;
    return (guint32)bytes[0] << 24 | (guint32)bytes[1] << 16 | (guint32)bytes[2] << 8 | bytes[3];
}

/* Reads one number of eight bytes, as virtXdrGetUInt() does one of four. */
guint64
virtXdrGetHyper(virtXdr *xdr)
{
    guint64 high = virtXdrGetUInt(xdr);

    return high << 32 | virtXdrGetUInt(xdr);
}

/* Reads a string, or opaque data of variable length, which looks the same.
 *
 * @ret_len: its bytes, without padding; 0 where there is none; may be NULL
 *
 * Returns its first byte inside the message, lent and not terminated; NULL where it runs past the end or is longer
 * than VIRT_RPC_STRING_MAX, and then @xdr is bad for good. An empty string is not NULL.
 */
const char *
virtXdrGetString(virtXdr *xdr, gsize *ret_len)
{
    gsize len = virtXdrGetUInt(xdr);
    const guint8 *bytes = NULL;

    if (len > VIRT_RPC_STRING_MAX)
        xdr->bad = true;
    bytes = virtXdrGetBytes(xdr, len);
    if (!bytes)
        len = 0;
    if (ret_len)
        *ret_len = len;
    return (const char *)bytes;
}

/* Reads a string that may be left out, as virtXdrGetString() does. NULL is also "none"; xdr->bad tells them apart. */
const char *
virtXdrGetOptString(virtXdr *xdr, gsize *ret_len)
{
    if (virtXdrGetUInt(xdr))
        return virtXdrGetString(xdr, ret_len);
    if (ret_len)
        *ret_len = 0;
    return NULL;
}

/* Reads @len bytes and the padding behind them.
 *
 * Returns the first, lent; NULL where there are fewer, and then @xdr is bad for good.
 */
const guint8 *
virtXdrGetBytes(virtXdr *xdr, gsize len)
{
    gsize left = xdr->len - xdr->at;
    const guint8 *bytes = NULL;

    if (xdr->bad || len > left || padding(len) > left - len) {
        xdr->bad = true;
        return NULL;
    }
    bytes = xdr->bytes + xdr->at;
    xdr->at += len + padding(len);
    return bytes;
}

/* Reads past the value of a typed parameter (remote_typed_param_value), which begins with its type; a type that is not
 * known is bad for good. */
void
virtXdrSkipTyped(virtXdr *xdr)
{
    switch (virtXdrGetUInt(xdr)) {
    case VIR_TYPED_PARAM_INT:
    case VIR_TYPED_PARAM_UINT:
    case VIR_TYPED_PARAM_BOOLEAN:
        virtXdrGetUInt(xdr);
        break;
    case VIR_TYPED_PARAM_LLONG:
    case VIR_TYPED_PARAM_ULLONG:
    case VIR_TYPED_PARAM_DOUBLE:
        virtXdrGetHyper(xdr);
        break;
    case VIR_TYPED_PARAM_STRING:
        virtXdrGetString(xdr, NULL);
        break;
    default:
        xdr->bad = true;
    }
}

void
virtXdrPutUInt(GByteArray *out, guint32 value)
{
    const guint32 wire = GUINT32_TO_BE(value);

    g_byte_array_append(out, (const guint8 *)&wire, sizeof(wire));
}

/* Appends one number of eight bytes. */
void
virtXdrPutHyper(GByteArray *out, guint64 value)
{
    virtXdrPutUInt(out, (guint32)(value >> 32));
    virtXdrPutUInt(out, (guint32)value);
}

/* Appends a string. That it is no longer than VIRT_RPC_STRING_MAX is up to the caller. */
void
virtXdrPutString(GByteArray *out, const char *text, gsize len)
{
    virtXdrPutUInt(out, (guint32)len);
    virtXdrPutBytes(out, (const guint8 *)text, len);
}

/* Appends a string that may be left out: NULL. */
void
virtXdrPutOptString(GByteArray *out, const char *text)
{
    virtXdrPutUInt(out, text != NULL);
    if (text)
        virtXdrPutString(out, text, strlen(text));
}

/* Appends @len bytes and zeros up to the next multiple of four. */
void
virtXdrPutBytes(GByteArray *out, const guint8 *bytes, gsize len)
{
    static const guint8 zeros[4];

    g_byte_array_append(out, bytes, (guint)len);
    g_byte_array_append(out, zeros, (guint)padding(len));
}

/* Reads a domain; its name is lent. All zero where the bytes have run out. */
void
virtXdrGetDomain(virtXdr *xdr, virtRpcDomain *ret)
{
    const guint8 *uuid = NULL;

    memset(ret, 0, sizeof(*ret));
    ret->name = virtXdrGetString(xdr, &ret->nameLen);
    uuid = virtXdrGetBytes(xdr, sizeof(ret->uuid));
    if (uuid)
        memcpy(ret->uuid, uuid, sizeof(ret->uuid));
    ret->id = virtXdrGetUInt(xdr);
    if (xdr->bad)
        memset(ret, 0, sizeof(*ret));
}

void
virtXdrPutDomain(GByteArray *out, const virtRpcDomain *domain)
{
    virtXdrPutString(out, domain->name, domain->nameLen);
    virtXdrPutBytes(out, domain->uuid, sizeof(domain->uuid));
    virtXdrPutUInt(out, domain->id);
}

/* Writes a UUID as 8-4-4-4-12 lower case digits, with NUL. */
void
virtRpcUuidFormat(const guint8 uuid[16], char ret[VIRT_UUID_LEN])
{
    static const char digits[] = "0123456789abcdef";
    char *at = ret;

    for (guint i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *at++ = '-';
        *at++ = digits[uuid[i] >> 4];
        *at++ = digits[uuid[i] & 15];
    }
    *at = 0;
}
