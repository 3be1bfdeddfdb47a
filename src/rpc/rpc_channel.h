/* rpc_channel.h: one end of a connection, its messages and descriptors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Two channels make a filter. What is read from one is either passed to the other as it comes, in pieces and
 * without being put together (streams, big replies, all that nobody looks at), or collected until it is whole.
 */
#pragma once

#include "rpc/rpc.h"

typedef struct _virtRpcChannel virtRpcChannel;

/* What to do with the message that @header begins. */
typedef enum { VIRT_RPC_PASS, VIRT_RPC_COLLECT } virtRpcFate;

/* False refuses the message, and with it the connection. */
typedef bool (*virtRpcLookFunc)(gpointer opaque, const virtRpcHeader *header, virtRpcFate *ret_fate, GError **error);
/* A collected message, whole. What *@message is afterwards goes to the peer, with the descriptors that came; NULL,
 * after it was taken or freed: nothing does. False refuses the connection. */
typedef bool (*virtRpcTakeFunc)(gpointer opaque, const virtRpcHeader *header, GByteArray **message, GError **error);

/* @fd: a connected UNIX stream socket; the channel closes it */
virtRpcChannel *virtRpcChannelNew(int fd, virtRpcLookFunc look, virtRpcTakeFunc take, gpointer opaque);
void virtRpcChannelFree(virtRpcChannel *channel);

int virtRpcChannelFd(const virtRpcChannel *channel);
/* POLLIN unless what this channel read cannot be passed on yet; POLLOUT while something waits to be written. */
short virtRpcChannelEvents(const virtRpcChannel *channel, const virtRpcChannel *peer);

/* Reads once, passes to @peer or collects. @ret_open is false at the end of the connection. */
bool virtRpcChannelRead(virtRpcChannel *channel, virtRpcChannel *peer, bool *ret_open, GError **error);
bool virtRpcChannelWrite(virtRpcChannel *channel, GError **error);
/* Put a whole message of our own, taken over, behind what already waits: never inside one that is being passed. */
void virtRpcChannelSend(virtRpcChannel *channel, GByteArray *message);
bool virtRpcChannelIsIdle(const virtRpcChannel *channel);   /* nothing waits to be written */
bool virtRpcChannelIsMidway(const virtRpcChannel *channel); /* a message that is being passed is not whole yet */
void virtRpcChannelDiscard(virtRpcChannel *channel);        /* forget what waits, and all that is still to come */
void virtRpcChannelTrim(virtRpcChannel *channel, const virtRpcChannel *peer); /* give back memory a burst needed */
