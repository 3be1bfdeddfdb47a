/* faulttest.h: what is done while steps fail, and the table of what came of it
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "faultstep.h"

#include "hypervisor/provision.h"

#define FAULT_PF "0000:01:00.0"

/* What a VF of the guest's is like. */
typedef enum { AS_BEFORE, ATTACHED, UPDATED } faultLook;

typedef struct {
    const char *name;
    void (*setUp)(fakeHost *fake);                     /* nothing goes wrong here */
    bool (*run)(fakeHost *fake, GError **error);       /* here it does */
    bool (*reconcile)(fakeHost *fake, GError **error); /* what the daemon does next; NULL: nothing */
    faultLook start[2], end[2], reconciled[2];         /* VF 0, VF 1 */
    bool putsBack;                                     /* what it could not do stays undone, and recorded */
    bool mustFail;
    bool leftOver; /* what is there at the start is nobody's: it may also be put back */
} faultOperation;

extern const faultOperation faultOperations[]; /* ends with a row without name */

/* faultoperation.c */
fakeHost *faultHostMake(void);
void faultHostReset(fakeHost *fake);
void faultTableMake(fakeHost *fake, const faultLook look[2], fakeVF *ret);
bool faultRestore(fakeHost *fake, GError **error);
bool faultLiveAgain(fakeHost *fake, GError **error);
void faultTell(const char *text);

/* faultfile.c, in one of the two programs: NULL in the other */
void faultFileWant(virtHostdev *hostdev, bool updated) __attribute__((weak));
void faultFileReset(fakeHost *fake) __attribute__((weak));
bool faultFileLooks(fakeHost *fake, faultLook look) __attribute__((weak));

/* faultmdev.c, faultvgpu.c and faultfunction.c, in one more each: a device of domain a, as long as that has VF 1 */
void faultDeviceInit(virtHost *host) __attribute__((weak));
void faultDeviceWant(GPtrArray *hostdevs) __attribute__((weak));
void faultDeviceReset(fakeHost *fake) __attribute__((weak));
bool faultDeviceLooks(fakeHost *fake, faultLook look) __attribute__((weak));

/* faulttable.c */
void faultTableCount(const faultOperation *operation, faultKind kind);
void faultTableAdd(const faultOperation *operation, faultKind kind, faultHow how, int error, char outcome);
char *faultTableFormat(void);
