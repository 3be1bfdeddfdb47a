/* filter.h: one client between its socket and libvirt's; private to the filter
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "rpc/broker.h"
#include "rpc/rpc_channel.h"
#include "rpc/rpc_procs.h"

typedef struct _virtFilter virtFilter;

/* ---- filter_pending.c: what a held call can do ---- */

/* The reply to a call of ours, or NULL where libvirt has gone; @message is lent. */
typedef void (*virtFilterReplyFunc)(gpointer opaque, const virtRpcHeader *header, const GByteArray *message);
/* The broker's answer: @failure is NULL for ok, and lent. */
typedef void (*virtFilterAnswerFunc)(gpointer opaque, const GError *failure);

/* Calls libvirt on the client's connection. @call: a whole message, taken over; its serial is set here. */
void virtFilterCall(virtFilter *filter, GByteArray *call, virtFilterReplyFunc done, gpointer opaque);
/* The same as soon as libvirt has room for it, which has to be soon: the reply may say that it had none. */
void virtFilterCallInTime(virtFilter *filter, GByteArray *call, virtFilterReplyFunc done, gpointer opaque);
/* virtFilterAnswerFunc for the counters of a VF: @stats is NULL where there is a @failure. */
typedef void (*virtFilterStatsFunc)(gpointer opaque, const virtNetdevStats *stats, const GError *failure);

/* The same for a card's VPD: @capability is NULL where there is a @failure, and lent. */
typedef void (*virtFilterVPDFunc)(gpointer opaque, const char *capability, const GError *failure);

/* The same for what was chosen: virtHandle, NULL where there is a @failure, and lent. */
typedef void (*virtFilterChosenFunc)(gpointer opaque, const GArray *handles, const GError *failure);

/* The same for a profile: its text and the devices that it is for (guint), NULL where there is a @failure, and lent. */
typedef void (*virtFilterProfileFunc)(gpointer opaque, GArray *fits, const char *xml, const GError *failure);

/* Asks the broker; @request's id is set here. */
void virtFilterAsk(virtFilter *filter, virtBrokerRequest *request, virtFilterAnswerFunc done, gpointer opaque);
/* One call at a time works on a domain: @begin is called when it is @opaque's turn, perhaps at once. */
void virtFilterTakeTurn(virtFilter *filter, const char *uuid, void (*begin)(gpointer opaque), gpointer opaque);
void virtFilterEndTurn(virtFilter *filter, const char *uuid); /* the next one's begin is called */
void virtFilterAskStats(virtFilter *filter, virtBrokerRequest *request, virtFilterStatsFunc done, gpointer opaque);
void virtFilterAskVPD(virtFilter *filter, virtBrokerRequest *request, virtFilterVPDFunc done, gpointer opaque);
bool virtFilterAskChoose(virtFilter *filter, virtBrokerRequest *request, virtFilterChosenFunc done, gpointer opaque,
                         GError **error);
bool virtFilterAskProfile(virtFilter *filter, virtBrokerRequest *request, virtFilterProfileFunc done, gpointer opaque,
                          GError **error);
void virtFilterForget(virtFilter *filter, const char *uuid);
/* Give the client a whole message; taken over. */
void virtFilterReply(virtFilter *filter, GByteArray *message);

/* How many calls are held: a filter whose client has gone stays until there are none. */
void virtFilterHeldAdd(virtFilter *filter);
void virtFilterHeldDone(virtFilter *filter);
guint virtFilterHeld(const virtFilter *filter);

/* Send libvirt a message of the client's; taken over. */
void virtFilterForward(virtFilter *filter, GByteArray *message);
#define VIRT_FILTER_HELD_MAX 64 /* calls of one client; libvirt itself takes 5 at a time by default */
GError *virtFilterTooMany(void);
GError *virtFilterDescriptors(const GByteArray *message);

/* ---- filter_device.c, filter_abi.c, filter_interface.c: calls that are held ---- */

/* Takes a call about a device (ATTACH, DETACH, DETACH_ALIAS, UPDATE), sees it through, and gives the client its one
 * reply. Returns false where the call is none of ours and is to be forwarded as it is; then @message is not taken. */
bool virtFilterHoldDevice(virtFilter *filter, const virtRpcProc *proc, const virtRpcHeader *header,
                          GByteArray *message);
/* The same of an attach that the broker has chosen a VF for, who is told when it has ended; where this returns false,
 * by the caller. */
bool virtFilterHoldChosen(virtFilter *filter, const virtRpcProc *proc, const virtRpcHeader *header,
                          GByteArray *message);
bool virtFilterHoldABI(virtFilter *filter, const virtRpcProc *proc, const virtRpcHeader *header, GByteArray *message);
bool virtFilterHoldInterface(virtFilter *filter, const virtRpcProc *proc, const virtRpcHeader *header,
                             GByteArray *message);
/* A reply to a call of ours as one to the client's call of @header; for the caller to free. */
GByteArray *virtFilterRelay(const virtRpcHeader *header, const GByteArray *message);
guint virtFilterFlags(const virtFilter *filter); /* VIRT_DOMAIN_…, for new XML */
