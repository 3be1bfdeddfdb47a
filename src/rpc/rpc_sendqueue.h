/* rpc_sendqueue.h: what waits to be written to one end of a connection; private to rpc_channel.c
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef struct {
    GArray *pieces;  /* in their order */
    GQueue later;    /* GByteArray: messages of our own, until the one that is being passed is whole */
    gsize ours;      /* bytes of our own in both */
    bool midway;     /* a part of a message has been lent, and the rest not */
    bool discarding; /* nobody reads any more */
} virtRpcSendQueue;

void virtRpcSendQueueInit(virtRpcSendQueue *out);
void virtRpcSendQueueClear(virtRpcSendQueue *out);

/* @bytes: lent until they are written: a part of a message, or several */
void virtRpcSendQueueAppendBorrowed(virtRpcSendQueue *out, const guint8 *bytes, gsize len);
void virtRpcSendQueueAppend(virtRpcSendQueue *out, GByteArray *message); /* a whole one; taken over */
void virtRpcSendQueueAppendFd(virtRpcSendQueue *out, int fd);            /* with its one byte; taken over */
void virtRpcSendQueueEndPassing(virtRpcSendQueue *out); /* what was lent has come to the end of a message */
void virtRpcSendQueueSend(virtRpcSendQueue *out, GByteArray *message); /* of our own; taken over */
void virtRpcSendQueueDiscard(virtRpcSendQueue *out);
bool virtRpcSendQueueWrite(virtRpcSendQueue *out, int sock, GError **error);
