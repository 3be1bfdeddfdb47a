/* provision_plan.h: compare what is wanted with what the host says before a start, and change nothing
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "hypervisor/provision.h"

/* One attribute of one setting of one device; or, where @problem is all there is, a reason why nothing can be set. */
typedef struct {
    const char *noun; /* what the device is */
    char device[VIRT_HANDLE_NAME_MAX + 1];
    guint port;        /* the setting's number; 0: the whole device, or one of ports */
    char *ports;       /* "1 or 2", where only the start will show which the device has; else NULL */
    char *ifname;      /* the netdev on the host through which it is set; NULL: not known, or none */
    guint vf;          /* index at the PF; 0 too where there is none */
    const char *attr;  /* name of the attribute; NULL: the whole setting */
    const char *title; /* the same in sentences */
    char *from, *to;   /* for people; NULL: not known */
    char *profile;     /* that gives it; NULL: the document does */
    bool differs;
    char *effect;  /* what else a change means, as the end of "yes, …"; NULL: nothing */
    bool later;    /* which VF @device, an interface, has is known only when it starts, and with it @from */
    char *problem; /* what would be refused and why; NULL: nothing foreseen */
} virtPlanRow;

virtPlanRow *virtPlanRowAdd(GPtrArray *rows, const virtTarget *target, const virtSetting *wanted,
                            const virtSetting *present, guint attr);
char *virtPlanRowDescribe(const virtPlanRow *row, const char *port);
void virtPlanRowFree(virtPlanRow *row);

GPtrArray *virtProvisionPlan(virtHost *host, const virtOwner *owner, const GPtrArray *hostdevs);
void virtProvisionPlanLibvirt(GPtrArray *rows, const GPtrArray *hostdevs, unsigned long version);
void virtProvisionPlanPFs(virtHost *host, GPtrArray *rows, const GArray *devices);
