/* record_conf.h: what is remembered about a device while somebody has it
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * One record a device, in util's state file named after its handle:
 *
 *   <hostdev version='2' phase='setting' began='91815320417'>
 *     <owner name='vm1' uuid='…' pid='612' start='81532'/>
 *     <source handle='pci/0000:06:02.0'/>
 *     <target parent='pci/0000:06:00.0' index='3' serial='MT2113X00001'/>
 *     <driver name='igbvf' override='igbvf'/>
 *     <before><netdev port='1'>…</netdev></before>
 *     <unknown><netdev port='1'><mac address='b2:9e:…'/></netdev></unknown>
 *     <wanted><netdev port='1'>…</netdev></wanted>
 *   </hostdev>
 *
 *   <!-- phase: active -->
 *
 * began, the microseconds after boot when the owner asked for the device, tells one start of a domain from the next.
 * The root's phase is that in which the record was written. A later one is a comment behind it, which costs less than
 * writing all of it again; the last that is complete counts. <target> says whose lock serialises changes of the device,
 * and which of that parent's it is: the PF and the VF's index there. A missing index means that the parent does not
 * count. The serial number is there where the device was asked for by that of its card: with another card in the same
 * place, it has gone. <driver> is missing where the device was with no driver of the host's (bound to vfio-pci
 * beforehand): then none is to come back. <unknown> is what the kernel showed before and may or may not have been set
 * (virnetdevmac.c); most records have none. A missing uuid means an owner without a domain (virt-hostdev apply); a
 * missing pid, that nobody's life decides whether the record is stale. Unknown elements and attributes are refused: the
 * file is ours alone.
 *
 * Version 1, which has no such attribute, is still read. It knows VFs alone:
 *
 *     <source><address domain='0x0000' bus='0x06' slot='0x02' function='0x0'/></source>
 *     <pf index='3'><address domain='0x0000' bus='0x06' slot='0x00' function='0x0'/></pf>
 */
#pragma once

#include "conf/setting_conf.h"
#include "util/virhandle.h"

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
    bool hasGuest; /* no part of a record: its guest runs, and has the devices that are to be set already */
} virtOwner;

typedef struct {
    virtOwner owner;
    virtPhase phase;
    guint64 began; /* when the owner asked for the device, in microseconds of CLOCK_MONOTONIC; 0: not known */
    virtHandle handle;
    virtHandle parent;   /* whose lock serialises changes: the PF */
    gint index;          /* of the VF there; -1: the parent does not count */
    char *serial;        /* of its card; NULL: it was not asked for by that */
    char *driver;        /* of the host, which had the device before; NULL: none, or one for guests */
    char *override;      /* its driver_override then; NULL: none */
    virtSettings before; /* may have unknown values */
    virtSettings wanted;
    char *text; /* from which it was read; NULL: it was not, or not kept */
} virtRecord;

const char *virtPhaseName(virtPhase phase);
virtRecord *virtRecordParse(const char *text, const char *file, GError **error);
virtRecord *virtRecordCopy(const virtRecord *record);
char *virtRecordFormat(const virtRecord *record);
const char *virtRecordPhaseMark(virtPhase phase);
void virtRecordFree(virtRecord *record);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(virtRecord, virtRecordFree)
