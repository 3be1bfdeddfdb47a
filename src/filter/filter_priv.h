/* filter_priv.h: what the files of the filter share that know nothing of held calls
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "filter/filter.h"

struct _virtFilter {
    virtRpcChannel *client, *upstream;
    bool clientOpen, upstreamOpen;
    guint held;        /* calls that are held */
    guint flags;       /* VIRT_DOMAIN_INTERFACES, or 0 */
    int broker;        /* SOCK_SEQPACKET */
    GQueue packets;    /* char *: for the broker */
    GHashTable *asks;  /* id -> Waiting: what the broker has not answered */
    GHashTable *calls; /* serial -> Waiting: what libvirt has not answered of ours */
    GHashTable *sent;  /* serial -> order: and of the client's */
    GQueue later;      /* Later: calls of ours that wait for libvirt to have room */
    guint room;        /* calls that libvirt is known to take at a time */
    GHashTable *turns; /* UUID -> GQueue of Turn: who has begun with a domain (head), or waits for that */
    guint32 lastAsk, lastCall, lastSerial; /* the latter the client's */
    guint order;                           /* of calls to libvirt */
    bool elsewhere;                        /* the client may have opened other devices than this host's */
    bool vpdFailed;                        /* it has been logged that the broker could not tell a card's VPD */
};

/* ---- filter.c ---- */

void virtFilterLog(const char *format, ...) G_GNUC_PRINTF(1, 2);

/* ---- filter_dispatch.c: what is done with a message, in each direction; opaque is the filter ---- */

bool virtFilterOnCallHeader(gpointer opaque, const virtRpcHeader *header, virtRpcFate *ret_fate, GError **error);
bool virtFilterOnCall(gpointer opaque, const virtRpcHeader *header, GByteArray **message, GError **error);
bool virtFilterOnReplyHeader(gpointer opaque, const virtRpcHeader *header, virtRpcFate *ret_fate, GError **error);
bool virtFilterOnReply(gpointer opaque, const virtRpcHeader *header, GByteArray **message, GError **error);

/* ---- filter_start.c ---- */

bool virtFilterHoldStart(virtFilter *filter, const virtRpcProc *proc, const virtRpcHeader *header, GByteArray *message);
bool virtFilterHoldStarted(virtFilter *filter, const virtRpcProc *proc, const virtRpcHeader *header,
                           GByteArray *message);

/* ---- filter_choose.c ---- */

bool virtFilterHoldWishes(virtFilter *filter, const virtRpcProc *proc, const virtRpcHeader *header,
                          GByteArray *message);

/* ---- filter_profile.c ---- */

typedef void (*virtFilterProfiledFunc)(gpointer opaque, GByteArray *message, const GError *failure);
bool virtFilterHasProfiled(const virtFilter *filter, const virtRpcProc *proc, const GByteArray *message);
bool virtFilterAskProfiles(virtFilter *filter, const virtRpcProc *proc, GByteArray *message,
                           virtFilterProfiledFunc done, gpointer opaque);

/* ---- filter_nodedev.c ---- */

bool virtFilterHoldNodeDev(virtFilter *filter, const virtRpcProc *proc, const virtRpcHeader *header,
                           GByteArray *message);

/* ---- filter_guard.c ---- */

void virtFilterGuardMetadata(virtFilter *filter, const virtRpcProc *proc, const virtRpcHeader *header,
                             GByteArray **message);

/* ---- filter_pending.c: what is asked of libvirt and of the broker, and waited for ---- */

void virtFilterAskInit(virtFilter *filter);
void virtFilterSent(virtFilter *filter, const virtRpcHeader *header);
void virtFilterAnswered(virtFilter *filter, const virtRpcHeader *header);
bool virtFilterIsAwaited(const virtFilter *filter, const virtRpcHeader *header);
bool virtFilterMustWait(const virtFilter *filter);
void virtFilterSendLater(virtFilter *filter);
void virtFilterGotReply(virtFilter *filter, const virtRpcHeader *header, const GByteArray *message);
void virtFilterLoseCalls(virtFilter *filter);
bool virtFilterReadBroker(virtFilter *filter, GError **error);
bool virtFilterWriteBroker(virtFilter *filter, GError **error);
