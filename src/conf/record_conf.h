/* record_conf.h: what is remembered about a VF while somebody has it
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * One record a VF, in util's state file named by the VF's PCI address:
 *
 *   <hostdev phase='setting' began='91815320417'>
 *     <owner name='vm1' uuid='…' pid='612' start='81532'/>
 *     <source><address domain='0x0000' bus='0x06' slot='0x02' function='0x0'/></source>
 *     <pf index='3'><address domain='0x0000' bus='0x06' slot='0x00' function='0x0'/></pf>
 *     <driver name='igbvf' override='igbvf'/>
 *     <before><netdev port='1'>…</netdev></before>
 *     <unknown><netdev port='1'><mac address='b2:9e:…'/></netdev></unknown>
 *     <wanted><netdev port='1'>…</netdev></wanted>
 *   </hostdev>
 *
 *   <!-- phase: active -->
 *
 * began, the microseconds after boot when the owner asked for the VF, tells one start of a domain from the next. The
 * root's phase is that in which the record was written. A later one is a comment behind it, which costs less than
 * writing all of it again; the last that is complete counts. <driver> is missing where the VF was with no driver of the
 * host's (bound to vfio-pci beforehand): then none is to come back. <unknown> is what the kernel showed before and may
 * or may not have been set (virnetdevmac.c); most records have none. A missing uuid means an owner without a domain
 * (virt-hostdev apply); a missing pid, that nobody's life decides whether the record is stale. Unknown elements and
 * attributes are refused: the file is ours alone.
 */
#pragma once

#include "conf/netdev_conf.h"

typedef enum {
    VIRT_PHASE_SETTING,   /* written before the first change */
    VIRT_PHASE_ACTIVE,    /* all set and read back */
    VIRT_PHASE_RESTORING, /* a restore has begun; it may have failed in part */
} virtPhase;

typedef struct {
    char *name;
    char *uuid;    /* NULL: no domain */
    guint64 pid;   /* of the process that asked (libvirtd); 0: none */
    guint64 start; /* its start time in clock ticks after boot (/proc/PID/stat field 22) */
} virtOwner;

typedef struct {
    virtOwner owner;
    virtPhase phase;
    guint64 began; /* when the owner asked for the VF, in microseconds of CLOCK_MONOTONIC; 0: not known */
    virtPCIAddress address;
    virtPCIAddress pf;
    guint index;
    char *driver;      /* of the host, which had the VF before; NULL: none, or one for guests */
    char *override;    /* its driver_override then; NULL: none */
    GPtrArray *before; /* virtNetdev; may have unknown values */
    GPtrArray *wanted; /* virtNetdev */
} virtRecord;

const char *virtPhaseName(virtPhase phase);
virtRecord *virtRecordParse(const char *text, const char *file, GError **error);
char *virtRecordFormat(const virtRecord *record);
const char *virtRecordPhaseMark(virtPhase phase);
void virtRecordFree(virtRecord *record);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(virtRecord, virtRecordFree)
