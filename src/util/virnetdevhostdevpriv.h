/* virnetdevhostdevpriv.h: what reading, setting and restoring a VF share, for these files alone
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "util/virnetdevquirk.h"

/* Where a setting is: one port of a VF. */
typedef struct {
    virtHost *host;
    const virtVF *vf;
    const virtPort *port; /* of the VF's PF */
} virtNetdevTarget;

/* One port's settings as the kernel has them. */
typedef struct {
    virtNetdev netdev;
    guint8 shownMac[6]; /* as IFLA_VF_MAC says; where that is only the VF driver's own, netdev.mac is zero */
} virtNetdevReading;

/* virnetdevread.c */
bool virtNetdevReadShown(const virtNetdevTarget *at, virtNetdevReading *ret, GError **error);
bool virtNetdevReadJudgeMac(const virtNetdevTarget *at, virtNetdevReading *reading, GError **error);
bool virtNetdevReadPort(const virtNetdevTarget *at, virtNetdevReading *ret, GError **error);

/* virnetdevmac.c */
typedef enum {
    VIRT_MAC_SET,     /* by an administrator, or whoever acts for one */
    VIRT_MAC_OWN,     /* the VF's driver has chosen it */
    VIRT_MAC_UNKNOWN, /* cannot be told */
} virtMacOrigin;
bool virtNetdevMacJudge(const virtNetdevTarget *at, const guint8 mac[6], virtMacOrigin *ret, GError **error);

/* virnetdevguid.c */
bool virtNetdevGuidRead(const virtNetdevTarget *at, virtNetdev *netdev);
int virtNetdevGuidWrite(const virtNetdevTarget *at, const virtNetdev *netdev);

/* virnetdevwrite.c */
int virtNetdevWriteAttr(const virtNetdevTarget *at, const virtNetdev *wanted, virtNetdevAttr attr,
                        const virtNetdevReading *now, const virtNetdevQuirk **ret_quirk, char **ret_reason);
bool virtNetdevWriteMayFail(const virtNetdev *wanted, virtNetdevAttr attr, int rc);
bool virtNetdevWriteOneByOne(const virtNetdevTarget *at, const virtNetdev *wanted, guint todo, GError **error);
char *virtNetdevWriteDescribeRefusal(const char *verb, const virtNetdevTarget *at, const virtNetdev *netdev,
                                     virtNetdevAttr attr, int rc, const char *reason, const char *usual);
char *virtNetdevWriteDescribeIgnored(const char *verb, const virtNetdevTarget *at, const virtNetdev *netdev,
                                     virtNetdevAttr attr, const virtNetdevReading *reading, const char *usual);
