/* faultstep.h: each step that the code under test takes outside its own memory, counted, failed or cut off
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The linker sends the code's calls of the C library here (--wrap, see meson.build), and the netlink socket and
 * libvirt are ours too. While armed, each call is a step and has a number; one of them goes wrong as planned. Steps are
 * found by running, so nothing here depends on which calls are made, or in what order.
 */
#pragma once

#include "fakehost.h"

#include <libvirt/libvirt.h>

/* What a step is about, and what it does: a row of the table. */
typedef enum {
    FAULT_RECORD,
    FAULT_DIRECTORY,
    FAULT_LOCK,
    FAULT_SYSFS,
    FAULT_STATUS, /* libvirt's status files */
    FAULT_PROC,
    FAULT_READING, /* netlink requests that ask .. */
    FAULT_CHANGE,  /* .. and those that change */
    FAULT_SETTING, /* one attribute of such a change, in the driver */
    FAULT_SOCKET,
    FAULT_LIBVIRT,
    FAULT_ELSEWHERE, /* no step */
} faultPlace;

typedef enum {
    FAULT_OPEN,
    FAULT_CREATE,
    FAULT_LOOK,
    FAULT_READ,
    FAULT_LIST,
    FAULT_READLINK,
    FAULT_WRITE,
    FAULT_SYNC,
    FAULT_RENAME,
    FAULT_REMOVE,
    FAULT_MAKE,
    FAULT_FLOCK,
    FAULT_CLOSE,
    FAULT_CONNECT,
    FAULT_SEND,
    FAULT_REFUSE,
    FAULT_RECEIVE,
    FAULT_CALL,
    FAULT_LAST
} faultCall;

#define FAULT_SHORT G_MAXINT /* in place of an errno: half of a write is done */

typedef struct {
    const char *name;
    int errnos[12]; /* those that are plausible; the first stands for all where it goes on failing */
    enum { FAULT_LIVES, FAULT_DIES_BEFORE, FAULT_DIES } deadly; /* who dies after a look has changed nothing */
} faultCallInfo;

extern const faultCallInfo faultCalls[FAULT_LAST];
extern const char *const faultPlaces[FAULT_ELSEWHERE];

typedef enum {
    FAULT_NONE,
    FAULT_ONCE,
    FAULT_ALWAYS, /* this step, and all of its row from then on */
    FAULT_BEFORE, /* the process dies */
    FAULT_WITHIN, /* .. half a write done */
    FAULT_AFTER,
} faultHow;

typedef struct {
    guint16 place, call;
} faultKind;

#define FAULT_STEPS_MAX 8192
#define FAULT_DIED 99 /* exit code */

/* What has to outlive the process that dies: shared memory. */
typedef struct {
    guint steps;
    faultKind kinds[FAULT_STEPS_MAX];
    char violation[512];    /* the first thing that must never happen and did */
    bool ok;                /* what was reported */
    char message[65536];    /* with all warnings */
    guint leaks, locks;     /* descriptors and locks left */
    struct {                /* as libvirt knows it */
        bool running, away; /* away: libvirt does not answer the tool at all */
        bool has[2];        /* its devices: VF 0, VF 1 */
        bool ofNetwork;     /* they come from a network: interfaces, whose MAC address ends in their number */
        char live[8192];    /* our metadata; "": none */
    } guest;
    char stranger[8192]; /* the other guest's record */
} faultShared;

extern faultShared *faultState;

/* faultstep.c */
void faultArm(const char *root, faultHow how, guint step, faultKind kind, int error);
bool faultDisarm(void);
void faultRearm(void); /* as before */
int faultBegin(faultPlace place, faultCall call);
void faultEnd(void);
bool faultIsUnsynced(const char *name);

/* faultkernel.c: also what follows a write to sysfs */
void faultKernelWritten(const char *path, const char *text, size_t size);
void faultKernelInit(fakeHost *fake);
/* faultmdev.c, faultvgpu.c and faultfunction.c, in one of the programs each */
extern const char faultDeviceRecord[] __attribute__((weak));
void faultDeviceWritten(fakeHost *fake, const char *path, const char *text, bool unsynced) __attribute__((weak));

/* faultlibvirt.c */
virConnectPtr faultLibvirtConnect(void);
#define UUID_A "11111111-2222-3333-4444-555555555555"
#define UUID_B "99999999-2222-3333-4444-555555555555"
void faultLibvirtInit(fakeHost *fake, const char *pf);
virtHost *faultHostNew(void); /* faulttest.c */
