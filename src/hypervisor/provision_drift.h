/* provision_drift.h: what somebody else has changed of a device that a guest has
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "hypervisor/provision_plan.h"

/* One device that somebody has, while its parent's lock is held. */
typedef struct {
    const virtRecord *record;
    GPtrArray *targets; /* virtTarget, by kind: wanted is only what drifted, that which is otherwise now, and is perhaps
                         * empty. NULL: see problem */
    bool compared;      /* all was set, and its owner is there: what differs was changed by somebody else */
    GPtrArray *rows;    /* virtPlanRow: each setting that is wanted */
    GError *problem;    /* why it could not be read */
} virtDrift;

bool virtDriftIsAny(const virtDrift *drift);

typedef void (*virtDriftFunc)(virtHost *host, const virtDrift *drift, void *opaque);

void virtProvisionDrift(virtHost *host, const GPtrArray *seen, virtDriftFunc func, void *opaque);
void virtDriftLog(const virtDrift *drift, const virtPlanRow *row);

/* drift_monitor.c: doing so again and again */
typedef struct _virtDriftWatch virtDriftMonitor;

#define VIRT_WATCH_TRIES 5    /* so many times a device is put back .. */
#define VIRT_WATCH_PERIOD 600 /* .. in so many seconds; then it is left alone */

virtDriftMonitor *virtDriftMonitorNew(void);
void virtDriftMonitorFree(virtDriftMonitor *watch);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(virtDriftMonitor, virtDriftMonitorFree)
void virtDriftMonitorForgive(virtDriftMonitor *watch);
bool virtDriftMonitorLook(virtDriftMonitor *watch, virtHost *host, GHashTable *pfs, bool enforce, gint64 now,
                          GError **error);
