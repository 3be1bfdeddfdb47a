/* filter_dispatch.c: what is done with a message, in each direction
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Only the few messages that have a row in rpc_procs.c are collected, and the replies to our own calls. All else is
 * passed without anybody looking at more than its header, whatever libvirt may come to mean by it.
 *
 * A type that has no place in its direction is refused, although libvirt would only drop some of these: it decides
 * by direction whether descriptors follow, and where one message ends must never be a matter of opinion.
 */
#include "conf/domain_conf.h"
#include "filter/filter_priv.h"

#include <string.h>

#define TYPES_BOTH (1u << VIRT_RPC_MESSAGE | 1u << VIRT_RPC_STREAM | 1u << VIRT_RPC_STREAM_HOLE)
#define TYPES_OF_CLIENT (TYPES_BOTH | 1u << VIRT_RPC_CALL | 1u << VIRT_RPC_CALL_WITH_FDS)
#define TYPES_OF_LIBVIRT (TYPES_BOTH | 1u << VIRT_RPC_REPLY | 1u << VIRT_RPC_REPLY_WITH_FDS)

static bool
checkType(const virtRpcHeader *header, guint types, GError **error)
{
    if (types & 1u << header->type)
        return true;
    g_set_error(error, VIRT_ERROR, VIRT_ERROR_INVALID, "A message has type %u, which only the other side may send",
                header->type);
    return false;
}

/* ---- from the client ---- */

/* A virtRpcLookFunc for what a client sends. */
bool
virtFilterOnCallHeader(gpointer opaque, const virtRpcHeader *header, virtRpcFate *ret_fate, GError **error)
{
    virtFilter *filter = opaque;

    if (!checkType(header, TYPES_OF_CLIENT, error))
        return false;
    if (virtRpcHeaderKind(header) == VIRT_RPC_CALL && virtFilterIsAwaited(filter, header)) {
        g_set_error(
            error, VIRT_ERROR, VIRT_ERROR_INVALID,
            "A call has serial number %u, which is far from the previous one and already used by a call in progress",
            header->serial);
        return false;
    }
    if (virtRpcHeaderKind(header) == VIRT_RPC_CALL)
        filter->lastSerial = header->serial;
    if (virtRpcProcFind(header)) {
        *ret_fate = VIRT_RPC_COLLECT;
        return true;
    }
    *ret_fate = VIRT_RPC_PASS;
    virtFilterSent(filter, header);
    return true;
}

/* Answers a call instead of libvirt, or with something else than libvirt did. */
static void
refuseCall(virtFilter *filter, const virtRpcHeader *header, GByteArray **message, const GError *error)
{
    g_clear_pointer(message, g_byte_array_unref);
    virtFilterReply(filter, virtRpcErrorReply(header->proc, header->serial, error));
}

static void
toStock(virtFilter *filter, const virtRpcProc *proc, const virtRpcHeader *header, GByteArray **message)
{
    g_autoptr(GError) error = NULL;
    GByteArray *rewritten = NULL;

    if (!virtRpcRewrite(proc, (*message)->data, (*message)->len, filter->flags, &rewritten, &error)) {
        refuseCall(filter, header, message, error);
    } else if (rewritten) {
        g_byte_array_unref(*message);
        *message = rewritten;
    }
}

typedef bool (*HoldFunc)(virtFilter *filter, const virtRpcProc *proc, const virtRpcHeader *header, GByteArray *message);

/* Who may hold a call or a reply, and then has the message. */
static const HoldFunc holders[VIRT_RPC_ACTION_LAST] = {
    [VIRT_RPC_TO_STOCK_ABI] = virtFilterHoldABI,    [VIRT_RPC_ATTACH] = virtFilterHoldDevice,
    [VIRT_RPC_DETACH] = virtFilterHoldDevice,       [VIRT_RPC_DETACH_ALIAS] = virtFilterHoldDevice,
    [VIRT_RPC_UPDATE] = virtFilterHoldDevice,       [VIRT_RPC_START] = virtFilterHoldStart,
    [VIRT_RPC_INTERFACE] = virtFilterHoldInterface, [VIRT_RPC_STATS] = virtFilterHoldInterface,
    [VIRT_RPC_STARTED] = virtFilterHoldStarted,     [VIRT_RPC_NODE_DEVICE] = virtFilterHoldNodeDev,
};

/* May the XML of a call ask for a device by something else than its address? That of another host has an address, and
 * the hook looks for it anew. */
static bool
mayWish(const virtRpcProc *proc)
{
    return proc->action == VIRT_RPC_TO_STOCK || proc->action == VIRT_RPC_ATTACH || proc->action == VIRT_RPC_DETACH ||
           proc->action == VIRT_RPC_UPDATE;
}

/* A virtRpcTakeFunc for what a client sends. */
bool
virtFilterOnCall(gpointer opaque, const virtRpcHeader *header, GByteArray **message, GError **error)
{
    virtFilter *filter = opaque;
    const virtRpcProc *proc = virtRpcProcFind(header);
    HoldFunc hold = holders[proc->action];

    if (proc->action == VIRT_RPC_OPEN)
        filter->elsewhere |= !virtRpcOpensThisHost(proc, (*message)->data, (*message)->len);
    else if (proc->action == VIRT_RPC_METADATA_GUARD)
        virtFilterGuardMetadata(filter, proc, header, message);
    else if ((mayWish(proc) && virtFilterHoldWishes(filter, proc, header, *message)) ||
             (hold && hold(filter, proc, header, *message)))
        *message = NULL;
    else if (proc->action == VIRT_RPC_TO_STOCK || proc->action == VIRT_RPC_MIGRATED)
        toStock(filter, proc, header, message);
    if (*message)
        virtFilterSent(filter, header);
    return true;
}

/* ---- from libvirt ---- */

static bool
isToUs(const virtFilter *filter, const virtRpcHeader *header)
{
    return virtRpcHeaderKind(header) == VIRT_RPC_REPLY && virtFilterIsAwaited(filter, header);
}

/* A virtRpcLookFunc for what libvirt sends. */
bool
virtFilterOnReplyHeader(gpointer opaque, const virtRpcHeader *header, virtRpcFate *ret_fate, GError **error)
{
    virtFilter *filter = opaque;

    if (!checkType(header, TYPES_OF_LIBVIRT, error))
        return false;
    if (isToUs(filter, header)) {
        *ret_fate = VIRT_RPC_COLLECT;
        return true;
    }
    *ret_fate = VIRT_RPC_PASS;
    if (virtRpcProcFind(header))
        *ret_fate = VIRT_RPC_COLLECT;
    virtFilterAnswered(filter, header);
    return true;
}

/* A virtRpcTakeFunc for what libvirt sends. */
bool
virtFilterOnReply(gpointer opaque, const virtRpcHeader *header, GByteArray **message, GError **error)
{
    virtFilter *filter = opaque;
    const virtRpcProc *proc = virtRpcProcFind(header);
    g_autoptr(GError) problem = NULL;
    GByteArray *rewritten = NULL;

    if (isToUs(filter, header)) {
        virtFilterGotReply(filter, header, *message);
        g_clear_pointer(message, g_byte_array_unref);
    } else if (holders[proc->action]) {
        if (holders[proc->action](filter, proc, header, *message))
            *message = NULL;
    } else if (proc->action == VIRT_RPC_METADATA_EVENT) {
        if (virtRpcIsOurMetadata(proc, (*message)->data, (*message)->len))
            g_clear_pointer(message, g_byte_array_unref);
    } else if (!virtRpcRewrite(proc, (*message)->data, (*message)->len, 0, &rewritten, &problem)) {
        refuseCall(filter, header, message, problem);
    } else if (rewritten) {
        g_byte_array_unref(*message);
        *message = rewritten;
    }
    return true;
}
