/* filter_job.h: a call that is held, and what its steps have at hand; private to filter_device.c and filter_job*.c
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "conf/domain_conf.h"
#include "filter/filter.h"

typedef struct _virtFilterJob virtFilterJob;

/* Where a call has effect: the running domain and what the next start will use. */
typedef enum {
    VIRT_FILTER_LIVE,
    VIRT_FILTER_CONFIG,
    VIRT_FILTER_TARGETS,
    VIRT_FILTER_ALWAYS = VIRT_FILTER_TARGETS
} virtFilterTarget;

/* A step about one of the two is left out where the call does not affect it. */
typedef struct {
    void (*run)(virtFilterJob *job, virtFilterTarget target);
    virtFilterTarget target;
} virtFilterStep;

typedef struct {
    guint flag;    /* virDomainModificationImpact */
    guint xmlFlag; /* virDomainXMLFlags that shows it */
} virtFilterImpact;

extern const virtFilterImpact virtFilterImpacts[VIRT_FILTER_TARGETS];

struct _virtFilterJob {
    virtFilter *filter;
    const virtRpcProc *proc;
    virtRpcHeader header;
    GByteArray *message; /* the client's call */
    virtRpcDomain domain;
    char uuid[VIRT_UUID_LEN];
    const char *xml; /* in @message, like the domain's name */
    gsize xmlLen;
    guint flags;

    virtHostdev *hostdev;                   /* what the client wants; attach and update */
    virtHandle plain;                       /* attach of a device that is not ours: which */
    char *stock;                            /* the device without its netdevs; NULL: the call goes on as it came */
    GPtrArray *before[VIRT_FILTER_TARGETS]; /* virtHostdev: our metadata as it was read */
    GArray *devices;                        /* virtHandle: what was stored had them when that was read */
    bool written[VIRT_FILTER_TARGETS];
    bool unset;                             /* attach: the guest has the device, which could not be set */
    bool prepared;                          /* attach: the broker was asked to set the VF, so it verifies at the end */
    guint rewrites;                         /* attach: how often somebody else's define has taken the metadata away */
    virtHandle source[VIRT_FILTER_TARGETS]; /* update of an <interface>: of the one that it means */
    char *replacing;                        /* the same: the stored definition with it */
    char *replaced;                         /* ... and as it was, once that is stored */

    const virtFilterStep *next;
    bool begun, failed;
    bool chosen;             /* attach: the broker gives nobody else the VF that it has found for this */
    virtFilterTarget target; /* of the request under way */
    GByteArray *reply;
};

/* ---- filter_jobstep.c ---- */
void virtFilterStepPermit(virtFilterJob *job, virtFilterTarget target);
void virtFilterStepLeave(virtFilterJob *job, virtFilterTarget target);
void virtFilterStepBegin(virtFilterJob *job, virtFilterTarget target);
void virtFilterStepResolve(virtFilterJob *job, virtFilterTarget target);
void virtFilterStepFind(virtFilterJob *job, virtFilterTarget target);
void virtFilterStepRead(virtFilterJob *job, virtFilterTarget target);
void virtFilterStepCheckPF(virtFilterJob *job, virtFilterTarget target);
void virtFilterStepReadMetadata(virtFilterJob *job, virtFilterTarget target);
void virtFilterStepWriteMetadata(virtFilterJob *job, virtFilterTarget target);
void virtFilterStepPrepare(virtFilterJob *job, virtFilterTarget target);
void virtFilterStepSet(virtFilterJob *job, virtFilterTarget target);
void virtFilterStepDevice(virtFilterJob *job, virtFilterTarget target);
void virtFilterStepCompare(virtFilterJob *job, virtFilterTarget target);
void virtFilterStepUpdate(virtFilterJob *job, virtFilterTarget target);
void virtFilterStepVerify(virtFilterJob *job, virtFilterTarget target);
void virtFilterStepClose(virtFilterJob *job, virtFilterTarget target);
extern const virtFilterStep virtFilterClosing[]; /* what ends every call, also one that failed */

/* ---- filter_job.c ---- */
void virtFilterJobNext(virtFilterJob *job);
void virtFilterJobFree(virtFilterJob *job);

void virtFilterJobFail(virtFilterJob *job, GByteArray *reply);
void virtFilterJobFailWith(virtFilterJob *job, const GError *error);
void virtFilterJobFailMalformed(virtFilterJob *job);
GByteArray *virtFilterJobRelay(const virtFilterJob *job, const GByteArray *message);
bool virtFilterJobIsGood(virtFilterJob *job, const virtRpcHeader *header, const GByteArray *message);

GByteArray *virtFilterJobNewCall(const virtFilterJob *job, guint32 proc);
void virtFilterJobSend(virtFilterJob *job, GByteArray *call, virtFilterReplyFunc done);
void virtFilterJobAsk(virtFilterJob *job, virtBrokerVerb verb);
