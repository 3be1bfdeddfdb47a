/* filter_held.h: a call that is held, and what its steps have at hand; private to filter_call.c, filter_step.c and filter_held.c
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "conf/domain_conf.h"
#include "filter/filter.h"

typedef struct _virtHeld virtHeld;

/* Where a call has effect: the running domain and what the next start will use. */
typedef enum {
    VIRT_HELD_LIVE,
    VIRT_HELD_CONFIG,
    VIRT_HELD_TARGETS,
    VIRT_HELD_ALWAYS = VIRT_HELD_TARGETS
} virtHeldTarget;

/* A step about one of the two is left out where the call does not affect it. */
typedef struct {
    void (*run)(virtHeld *held, virtHeldTarget target);
    virtHeldTarget target;
} virtHeldStep;

typedef struct {
    guint flag;    /* virDomainModificationImpact */
    guint xmlFlag; /* virDomainXMLFlags that shows it */
} virtHeldImpact;

extern const virtHeldImpact virtHeldImpacts[VIRT_HELD_TARGETS];

struct _virtHeld {
    virtFilter *filter;
    const virtRpcProc *proc;
    virtRpcHeader header;
    GByteArray *message; /* the client's call */
    virtRpcDomain domain;
    char uuid[VIRT_UUID_LEN];
    const char *xml; /* in @message, like the domain's name */
    gsize xmlLen;
    guint flags;

    virtHostdev *hostdev;                 /* what the client wants; attach and update */
    virtPCIAddress plain;                 /* attach of a device that is not ours: which */
    char *stock;                          /* the device without its netdevs; NULL: the call goes on as it came */
    GPtrArray *before[VIRT_HELD_TARGETS]; /* virtHostdev: our metadata as it was read */
    GArray *devices;                      /* virtPCIAddress: what was stored had them when that was read */
    bool written[VIRT_HELD_TARGETS];
    bool prepared;  /* attach: the broker was asked to set the VF, so it verifies at the end */
    guint rewrites; /* attach: how often somebody else's define has taken the metadata away */
    virtPCIAddress source[VIRT_HELD_TARGETS]; /* update of an <interface>: of the one that it means */
    char *replacing;                          /* the same: the stored definition with it */
    char *replaced;                           /* ... and as it was, once that is stored */

    const virtHeldStep *next;
    bool begun, failed;
    virtHeldTarget target; /* of the request under way */
    GByteArray *reply;
};

/* ---- filter_step.c ---- */
void virtStepPermit(virtHeld *held, virtHeldTarget target);
void virtStepLeave(virtHeld *held, virtHeldTarget target);
void virtStepBegin(virtHeld *held, virtHeldTarget target);
void virtStepResolve(virtHeld *held, virtHeldTarget target);
void virtStepFind(virtHeld *held, virtHeldTarget target);
void virtStepRead(virtHeld *held, virtHeldTarget target);
void virtStepCheckPF(virtHeld *held, virtHeldTarget target);
void virtStepReadMetadata(virtHeld *held, virtHeldTarget target);
void virtStepWriteMetadata(virtHeld *held, virtHeldTarget target);
void virtStepPrepare(virtHeld *held, virtHeldTarget target);
void virtStepDevice(virtHeld *held, virtHeldTarget target);
void virtStepCompare(virtHeld *held, virtHeldTarget target);
void virtStepUpdate(virtHeld *held, virtHeldTarget target);
void virtStepVerify(virtHeld *held, virtHeldTarget target);
void virtStepClose(virtHeld *held, virtHeldTarget target);
extern const virtHeldStep virtHeldClosing[]; /* what ends every call, also one that failed */

/* ---- filter_held.c ---- */
void virtHeldAdvance(virtHeld *held);
void virtHeldFree(virtHeld *held);

void virtHeldFail(virtHeld *held, GByteArray *reply);
void virtHeldFailWith(virtHeld *held, const GError *error);
void virtHeldFailMalformed(virtHeld *held);
GByteArray *virtHeldRelay(const virtHeld *held, const GByteArray *message);
bool virtHeldIsGood(virtHeld *held, const virtRpcHeader *header, const GByteArray *message);

GByteArray *virtHeldNewCall(const virtHeld *held, guint32 proc);
void virtHeldSend(virtHeld *held, GByteArray *call, virtFilterReplyFunc done);
void virtHeldAsk(virtHeld *held, virtBrokerVerb verb);
