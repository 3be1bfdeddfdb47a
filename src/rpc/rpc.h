/* rpc.h: libvirt's RPC messages: header, XDR, errors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A message is  u32 length (counts itself) | u32 prog, vers, proc, type, serial, status | payload,
 * all big-endian; the payload is XDR (RFC 4506), and begins with a u32 count of descriptors where the type says so.
 * Numbers are libvirt's wire protocol: src/rpc/virnetprotocol.x and src/remote/remote_protocol.x.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

#define VIRT_RPC_REMOTE 0x20008086u    /* program: the driver calls */
#define VIRT_RPC_QEMU 0x20008087u      /* program: QEMU's own calls */
#define VIRT_RPC_KEEPALIVE 0x6b656570u /* program: ping and pong */

#define VIRT_RPC_VERSION 1u /* of all three; messages of another one are refused by libvirt itself */

#define VIRT_RPC_HEADER_LEN 28u               /* bytes, with the length word */
#define VIRT_RPC_MESSAGE_MAX (33554432u + 4u) /* VIR_NET_MESSAGE_MAX, which does not count the length word */
#define VIRT_RPC_STRING_MAX 4194304u          /* REMOTE_STRING_MAX */
#define VIRT_RPC_FDS_MAX 32u                  /* VIR_NET_MESSAGE_NUM_FDS_MAX */
#define VIRT_RPC_OUR_SERIALS 0x80000000u      /* so far from the client's last are the serials of our own calls */

typedef enum {
    VIRT_RPC_CALL,
    VIRT_RPC_REPLY,
    VIRT_RPC_MESSAGE,
    VIRT_RPC_STREAM,
    VIRT_RPC_CALL_WITH_FDS,
    VIRT_RPC_REPLY_WITH_FDS,
    VIRT_RPC_STREAM_HOLE,
    VIRT_RPC_TYPE_LAST
} virtRpcType;

typedef enum { VIRT_RPC_OK, VIRT_RPC_ERROR, VIRT_RPC_CONTINUE } virtRpcStatus;

typedef struct {
    guint32 len; /* of the whole message */
    guint32 prog, vers, proc, type, serial, status;
} virtRpcHeader;

bool virtRpcHeaderParse(const guint8 *bytes, virtRpcHeader *ret, GError **error);
void virtRpcHeaderPutProc(guint8 *bytes, guint32 proc);
void virtRpcHeaderPutSerial(guint8 *bytes, guint32 serial);
virtRpcType virtRpcHeaderKind(const virtRpcHeader *header); /* CALL also for CALL_WITH_FDS, and so on */

/* Reading XDR: a cursor that never leaves its bytes. What is not there reads as 0 or NULL and sets @bad, which
 * the caller looks at once, at the end. Strings are neither copied nor terminated. */
typedef struct {
    const guint8 *bytes;
    gsize len, at;
    bool bad;
} virtXdr;

guint32 virtXdrGetUInt(virtXdr *xdr);
guint64 virtXdrGetHyper(virtXdr *xdr);
const char *virtXdrGetString(virtXdr *xdr, gsize *ret_len);    /* at most VIRT_RPC_STRING_MAX */
const char *virtXdrGetOptString(virtXdr *xdr, gsize *ret_len); /* NULL also where there is none */
void virtXdrSkipTyped(virtXdr *xdr);                           /* the value of a typed parameter, with its type */
const guint8 *virtXdrGetBytes(virtXdr *xdr, gsize len);        /* a fixed number, with their padding */

/* At the payload's first field, behind the count of descriptors; bad where @message is none. */
virtXdr virtRpcMessageOpen(const guint8 *message, gsize len);

guint32 virtRpcMessageDescriptors(const guint8 *message, gsize len); /* how many follow it */

/* Writing XDR, at the end of @out. */
void virtXdrPutUInt(GByteArray *out, guint32 value);
void virtXdrPutHyper(GByteArray *out, guint64 value);
void virtXdrPutString(GByteArray *out, const char *text, gsize len);
void virtXdrPutOptString(GByteArray *out, const char *text); /* NULL: none */
void virtXdrPutBytes(GByteArray *out, const guint8 *bytes, gsize len);

/* Building a message: New, put the payload (with the count of descriptors where @type has one), End. */
GByteArray *virtRpcMessageNew(guint32 proc, virtRpcType type, guint32 serial, virtRpcStatus status);
bool virtRpcMessageEnd(GByteArray *message, GError **error);

/* A domain as calls name it. */
typedef struct {
    const char *name; /* not terminated, in the message */
    gsize nameLen;
    guint8 uuid[16];
    guint32 id;
} virtRpcDomain;

#define VIRT_UUID_LEN 37 /* with dashes and NUL */

void virtXdrGetDomain(virtXdr *xdr, virtRpcDomain *ret);
void virtXdrPutDomain(GByteArray *out, const virtRpcDomain *domain);
void virtRpcUuidFormat(const guint8 uuid[16], char ret[VIRT_UUID_LEN]);

/* Errors as libvirt tells them (virNetMessageError). NOT_FOUND: the device, or the metadata in calls about metadata. */
GByteArray *virtRpcErrorReply(guint32 proc, guint32 serial, const GError *error);
GByteArray *virtRpcUnsupportedReply(guint32 proc, guint32 serial, const char *what);
guint32 virtRpcErrorCode(const guint8 *message, gsize len); /* VIR_ERR_…, 0 where it is no error */
