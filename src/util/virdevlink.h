/* virdevlink.h: what a driver says of its device over devlink, and the functions behind the ports of its eswitch
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "util/virfunction.h"
#include "util/virhandle.h"
#include "util/virhost.h"

#define VIRT_DEVLINK_NETDEV_LEN 16 /* IFNAMSIZ of linux/if.h, with the NUL */

/* A port for a function: what the eswitch of a PF in switchdev mode has for each port of a VF. */
typedef struct {
    guint32 index;                        /* whatever the driver numbers it by */
    bool isVF;                            /* of a VF; else of a PF, a sub-function, or the card itself */
    bool isExternal;                      /* another host's, as a DPU has them */
    guint16 pf, vf;                       /* numbers: of the PF as the card counts, of the VF as sysfs does */
    char netdev[VIRT_DEVLINK_NETDEV_LEN]; /* the representor; "": it has none in sight */

    /* What the driver shows of the function, and so can set: */
    bool hasMac;
    guint8 mac[6];
    virtFunction function; /* number 0 */
} virtDevlinkPort;

/* Limits of what a function sends, in bytes a second; 0: none. */
typedef struct {
    guint64 share; /* what it gets at least */
    guint64 max;
} virtDevlinkRate;

char *virtDevlinkGetBoardSerial(virtHost *host, const virtHandle *handle, GError **error);

GArray *virtDevlinkListVFPorts(virtHost *host, const virtHandle *handle, GError **error);
bool virtDevlinkReadPort(virtHost *host, const virtHandle *handle, guint32 index, virtDevlinkPort *ret, GError **error);
int virtDevlinkSetMac(virtHost *host, const virtHandle *handle, guint32 index, const guint8 mac[6], char **ret_reason);
int virtDevlinkSetFunction(virtHost *host, const virtHandle *handle, guint32 index, const virtFunction *wanted,
                           virtFunctionAttr attr, char **ret_reason);
bool virtDevlinkReadRate(virtHost *host, const virtHandle *handle, guint32 index, virtDevlinkRate *ret, GError **error);
int virtDevlinkSetRate(virtHost *host, const virtHandle *handle, guint32 index, const virtDevlinkRate *present,
                       const virtDevlinkRate *wanted, char **ret_reason);
