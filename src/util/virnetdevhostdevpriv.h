/* virnetdevhostdevpriv.h: what reading, setting and restoring a VF share, for these files alone
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "util/virnetdevquirk.h"

/* One port's settings as the kernel has them. */
typedef struct {
    virtNetdev netdev;
    guint8 shownMac[6]; /* as IFLA_VF_MAC says; where that is only the VF driver's own, netdev.mac is zero */
} virtNetDevReading;

/* virnetdevread.c */
bool virtNetDevReadShown(virtHost *host, const virtVF *vf, const virtPort *port, virtNetDevReading *ret,
                         GError **error);
bool virtNetDevReadJudgeMac(virtHost *host, const virtVF *vf, virtNetDevReading *reading, GError **error);
bool virtNetDevReadPort(virtHost *host, const virtVF *vf, const virtPort *port, virtNetDevReading *ret, GError **error);

/* virnetdevmac.c */
typedef enum {
    VIRT_MAC_SET,     /* by an administrator, or whoever acts for one */
    VIRT_MAC_OWN,     /* the VF's driver has chosen it */
    VIRT_MAC_UNKNOWN, /* cannot be told */
} virtMacOrigin;
bool virtNetDevMacJudge(virtHost *host, const virtVF *vf, guint port, const guint8 mac[6], virtMacOrigin *ret,
                        GError **error);

/* virnetdevguid.c */
bool virtNetDevGuidRead(virtHost *host, const virtVF *vf, const virtPort *port, virtNetdev *netdev);
int virtNetDevGuidWrite(virtHost *host, const virtVF *vf, const virtPort *port, const virtNetdev *netdev);

/* virnetdevrefusal.c */
char *virtNetDevFormatRefusal(const char *verb, const virtVF *vf, const virtPort *port, const virtNetdev *netdev,
                              virtNetdevAttr attr, int rc, const char *reason, const char *usual);
char *virtNetDevFormatIgnored(const char *verb, const virtVF *vf, const virtPort *port, const virtNetdev *netdev,
                              virtNetdevAttr attr, const virtNetDevReading *reading, const char *usual);

/* virnetdevwrite.c */
int virtNetDevWriteAttr(virtHost *host, const virtVF *vf, const virtPort *port, const virtNetdev *wanted,
                        virtNetdevAttr attr, const virtNetDevReading *now, const virtNetDevQuirk **ret_quirk,
                        char **ret_reason);
bool virtNetDevMayStay(const virtNetdev *wanted, virtNetdevAttr attr, int rc);
bool virtNetDevSetOneByOne(virtHost *host, const virtVF *vf, const virtPort *port, const virtNetdev *wanted, guint todo,
                           GError **error);
