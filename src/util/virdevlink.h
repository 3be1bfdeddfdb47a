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
    bool isVF, isSF;                      /* of a VF, a sub-function; else of a PF, or the card itself */
    bool isExternal;                      /* another host's, as a DPU has them */
    guint16 pf, vf;                       /* numbers: of the PF as the card counts, of the VF as sysfs does */
    guint32 sf;                           /* the number that the sub-function was made with */
    char netdev[VIRT_DEVLINK_NETDEV_LEN]; /* the representor; "": it has none in sight */

    /* What the driver shows of the function, and so can set: */
    bool hasMac;
    guint8 mac[6];
    virtFunction function; /* number 0 */
    bool isActive;         /* a sub-function is to have a device; those of VFs always do */
    bool isAttached;       /* it has one */
} virtDevlinkPort;

/* Limits of what a function sends, in bytes a second; 0: none. */
typedef struct {
    guint64 share; /* what it gets at least */
    guint64 max;
} virtDevlinkRate;

char *virtDevlinkGetBoardSerial(virtHost *host, const virtHandle *handle, GError **error);
bool virtDevlinkIsSwitchdev(virtHost *host, const virtHandle *handle, bool *ret, GError **error);

GArray *virtDevlinkListVFPorts(virtHost *host, const virtHandle *handle, GError **error);
bool virtDevlinkReadPort(virtHost *host, const virtHandle *handle, guint32 index, virtDevlinkPort *ret, GError **error);
int virtDevlinkSetMac(virtHost *host, const virtHandle *handle, guint32 index, const guint8 mac[6], char **ret_reason);
int virtDevlinkSetFunction(virtHost *host, const virtHandle *handle, guint32 index, const virtFunction *wanted,
                           virtFunctionAttr attr, char **ret_reason);
bool virtDevlinkReadRate(virtHost *host, const virtHandle *handle, guint32 index, virtDevlinkRate *ret, GError **error);
int virtDevlinkSetRate(virtHost *host, const virtHandle *handle, guint32 index, const virtDevlinkRate *present,
                       const virtDevlinkRate *wanted, char **ret_reason);

/* virdevlinksf.c */
bool virtDevlinkFindSF(virtHost *host, const virtHandle *handle, guint32 number, bool *found, virtDevlinkPort *ret,
                       GError **error);
int virtDevlinkAddSF(virtHost *host, const virtHandle *handle, guint16 pf, guint32 number, guint32 *ret_index,
                     char **ret_reason);
int virtDevlinkSetActive(virtHost *host, const virtHandle *handle, guint32 index, bool active, char **ret_reason);
int virtDevlinkRemovePort(virtHost *host, const virtHandle *handle, guint32 index, char **ret_reason);
bool virtDevlinkReadSwitch(virtHost *host, const virtHandle *handle, const char *name, bool *ret, GError **error);
int virtDevlinkSetSwitch(virtHost *host, const virtHandle *handle, const char *name, bool on, char **ret_reason);
int virtDevlinkReload(virtHost *host, const virtHandle *handle, char **ret_reason);
