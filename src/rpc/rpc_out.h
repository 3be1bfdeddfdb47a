/* rpc_out.h: what waits to be written to one end of a connection; private to rpc_channel.c
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
} virtRpcOut;

void virtRpcOutInit(virtRpcOut *out);
void virtRpcOutClear(virtRpcOut *out);

/* @bytes: lent until they are written: a part of a message, or several */
void virtRpcOutLend(virtRpcOut *out, const guint8 *bytes, gsize len);
void virtRpcOutGive(virtRpcOut *out, GByteArray *message); /* a whole one; taken over */
void virtRpcOutGiveFd(virtRpcOut *out, int fd);            /* with its one byte; taken over */
void virtRpcOutEndPassing(virtRpcOut *out);                /* what was lent has come to the end of a message */
void virtRpcOutSend(virtRpcOut *out, GByteArray *message); /* of our own; taken over */
void virtRpcOutDiscard(virtRpcOut *out);
bool virtRpcOutWrite(virtRpcOut *out, int sock, GError **error);
