/* provision_plan.h: compare what is wanted with what the host says before a start, and change nothing
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "hypervisor/provision.h"

/* One attribute of one port of one VF; or, where @problem is all there is, a reason why nothing can be set. */
typedef struct {
    char device[VIRT_PCI_ADDRESS_LEN];
    guint port;   /* 0: the whole device, or one of ports */
    char *ports;  /* "1 or 2", where only the start will show which the VF has; else NULL */
    char *ifname; /* the PF's netdev of that port; NULL: not known */
    guint vf;
    const char *attr;  /* name of the attribute; NULL: the whole port */
    const char *title; /* the same in sentences */
    char *from, *to;   /* for people; NULL: not known */
    bool differs;
    char *problem; /* what would be refused and why; NULL: nothing foreseen */
} virtPlanRow;

virtPlanRow *virtPlanRowAdd(GPtrArray *rows, const virtVF *vf, const virtNetdev *wanted, const virtNetdev *present,
                            virtNetdevAttr attr);
void virtPlanRowFree(virtPlanRow *row);

GPtrArray *virtProvisionPlan(virtHost *host, const virtOwner *owner, const GPtrArray *hostdevs);
void virtProvisionPlanPFs(virtHost *host, GPtrArray *rows, const GArray *devices);
