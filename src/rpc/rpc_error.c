/* rpc_error.c: errors, as libvirt tells them to its clients
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "rpc/rpc_procs.h"

#include <libvirt/virterror.h>

#include "util/virerror.h"

/* What libvirt would say. Formats as in its virErrorMsg (src/util/virerror.c), where a client may look for them. */
typedef struct {
    guint32 code, domain;
    const char *prefix;
} virtRpcErrorKind;

static const virtRpcErrorKind kinds[] = {
    [VIRT_ERROR_INVALID] = {VIR_ERR_XML_ERROR, VIR_FROM_DOMAIN, "XML error: "},
    [VIRT_ERROR_HOST] = {VIR_ERR_OPERATION_FAILED, VIR_FROM_QEMU, "operation failed: "},
    [VIRT_ERROR_REFUSED] = {VIR_ERR_OPERATION_FAILED, VIR_FROM_QEMU, "operation failed: "},
    /* As for a PCI device that another domain has. */
    [VIRT_ERROR_BUSY] = {VIR_ERR_OPERATION_INVALID, VIR_FROM_QEMU, "Requested operation is not valid: "},
    [VIRT_ERROR_NOT_FOUND] = {VIR_ERR_DEVICE_MISSING, VIR_FROM_QEMU, "device not found: "},
    [VIRT_ERROR_TOO_LARGE] = {VIR_ERR_XML_ERROR, VIR_FROM_DOMAIN, "XML error: "},
};
static const virtRpcErrorKind noMetadata = {VIR_ERR_NO_DOMAIN_METADATA, VIR_FROM_DOMAIN, "metadata not found: "};
static const virtRpcErrorKind unsupported = {VIR_ERR_CONFIG_UNSUPPORTED, VIR_FROM_QEMU, "unsupported configuration: "};
static const virtRpcErrorKind internal = {VIR_ERR_INTERNAL_ERROR, VIR_FROM_QEMU, "internal error: "};

static const virtRpcErrorKind *
kindOf(guint32 proc, const GError *error)
{
    const virtRpcHeader call = {.prog = VIRT_RPC_REMOTE, .vers = VIRT_RPC_VERSION, .proc = proc, .type = VIRT_RPC_CALL};
    const virtRpcProc *row = virtRpcProcFind(&call);

    if (error->domain != VIRT_ERROR || error->code < 0 || error->code >= (gint)G_N_ELEMENTS(kinds))
        return &internal;
    if (error->code == VIRT_ERROR_NOT_FOUND && row && row->action == VIRT_RPC_METADATA_GUARD)
        return &noMetadata;
    return &kinds[error->code];
}

static GByteArray *
newErrorReply(guint32 proc, guint32 serial, const virtRpcErrorKind *kind, const char *sentence)
{
    GByteArray *message = virtRpcMessageNew(proc, VIRT_RPC_REPLY, serial, VIRT_RPC_ERROR);
    g_autofree char *text = g_strconcat(kind->prefix, sentence, NULL);
    g_autofree char *format = g_strconcat(kind->prefix, "%s", NULL);

    virtXdrPutUInt(message, kind->code);
    virtXdrPutUInt(message, kind->domain);
    virtXdrPutOptString(message, text);
    virtXdrPutUInt(message, VIR_ERR_ERROR);
    virtXdrPutUInt(message, 0); /* dom: none */
    virtXdrPutOptString(message, format);
    virtXdrPutOptString(message, sentence);
    virtXdrPutOptString(message, NULL);
    virtXdrPutUInt(message, (guint32)-1);
    virtXdrPutUInt(message, (guint32)-1);
    virtXdrPutUInt(message, 0); /* net: none */
    virtRpcMessageEnd(message, NULL);
    return message;
}

/* Makes the reply that tells of a failed call, as libvirt would send it (virNetMessageError, virnetprotocol.x).
 *
 * @proc, @serial: of the call
 * @error: its sentence is the message, behind the words that libvirt has for errors of its kind
 *
 * Returns the whole message; the caller frees it.
 */
GByteArray *
virtRpcErrorReply(guint32 proc, guint32 serial, const GError *error)
{
    return newErrorReply(proc, serial, kindOf(proc, error), error->message);
}

/* The same, for what libvirt does for no device of that kind. */
GByteArray *
virtRpcUnsupportedReply(guint32 proc, guint32 serial, const char *what)
{
    return newErrorReply(proc, serial, &unsupported, what);
}

/* Returns the VIR_ERR_… of a whole message, 0 where it is no reply that tells of an error. */
guint32
virtRpcErrorCode(const guint8 *message, gsize len)
{
    virtXdr xdr = virtRpcMessageOpen(message, len);
    virtRpcHeader header = {0};

    if (xdr.bad || !virtRpcHeaderParse(message, &header, NULL) || header.status != VIRT_RPC_ERROR ||
        virtRpcHeaderKind(&header) != VIRT_RPC_REPLY)
        return VIR_ERR_OK;
    return virtXdrGetUInt(&xdr);
}
