/* virnetdev.h: the settings of one netdev behind a VF: the project's one vocabulary
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A list of virtNetdev is what the user writes, what <metadata> holds, what a state file remembers, what
 * reading the hardware returns and what a plan compares. Restoring is setting what was saved; drift is the
 * difference between what was set and what is read.
 */
#pragma once

#include "util/virsetting.h"

/* In the order in which the kernel applies them (do_setvfinfo in net/core/rtnetlink.c). */
typedef enum {
    VIRT_NETDEV_MAC,
    VIRT_NETDEV_VLAN,
    VIRT_NETDEV_BANDWIDTH,
    VIRT_NETDEV_SPOOFCHECK,
    VIRT_NETDEV_LINK,
    VIRT_NETDEV_TRUST,
    VIRT_NETDEV_NODE_GUID,
    VIRT_NETDEV_PORT_GUID,
    VIRT_NETDEV_VIRTUALPORT,
    VIRT_NETDEV_ATTR_LAST
} virtNetdevAttr;

#define VIRT_NETDEV_BIT(attr) VIRT_SETTING_BIT(attr)
#define VIRT_NETDEV_PORT_ANY 0     /* in what is wanted: the one port that the VF has, whatever its number */
#define VIRT_NETDEV_PROFILE_LEN 40 /* PORT_PROFILE_MAX of linux/if_link.h, with the NUL */

/* Plain data: copied by assignment, freed by g_free. Zero values mean "none": no admin MAC, no VLAN, no cap,
 * no profile. They are what hardware and state files say; a user's document may not (virtNetdevValidate). */
typedef struct {
    union {
        virtSetting setting;
        struct {        /* the same, by the names that netdevs have for it */
            guint port; /* 1..: dev_port + 1; VIRT_NETDEV_PORT_ANY */
            guint present;
            guint unknown; /* see virnetdevmac.c */
            char profile[VIRT_SETTING_PROFILE_MAX + 1];
        };
    };
    guint8 mac[6];
    struct {
        guint16 id;       /* 1..4094, 0 none */
        guint16 priority; /* 0..7 */
        guint16 protocol; /* ETH_P_8021Q or ETH_P_8021AD, host order */
    } vlan;
    struct { /* KiB/s as libvirt writes them; 0 none */
        guint32 average;
        guint32 peak;
        guint32 floor;
    } bandwidth;
    guint8 spoofcheck; /* 0 or 1 */
    guint8 link;       /* IFLA_VF_LINK_STATE_AUTO, ENABLE, DISABLE */
    guint8 trust;      /* 0 or 1 */
    guint64 nodeGuid;
    guint64 portGuid;
    char profileid[VIRT_NETDEV_PROFILE_LEN];
} virtNetdev;

/* What a PF's driver may count of a VF. RX is what the VF has received, TX what it has sent: the drivers that count
 * fill struct ifla_vf_stats of linux/if_link.h from the VF's side (i40e, ice, ionic, ixgbe, liquidio, mlx5). Broadcast
 * and multicast are of what was received. */
typedef enum {
    VIRT_NETDEV_RX_BYTES,
    VIRT_NETDEV_RX_PACKETS,
    VIRT_NETDEV_TX_BYTES,
    VIRT_NETDEV_TX_PACKETS,
    VIRT_NETDEV_RX_BROADCAST,
    VIRT_NETDEV_RX_MULTICAST,
    VIRT_NETDEV_RX_DROPPED,
    VIRT_NETDEV_TX_DROPPED,
    VIRT_NETDEV_COUNTER_LAST
} virtNetdevCounter;

/* Since the driver began to count. */
typedef struct {
    guint64 of[VIRT_NETDEV_COUNTER_LAST];
} virtNetdevStats;

extern const virtSettingAttr virtNetdevAttrs[VIRT_NETDEV_ATTR_LAST];
extern const virtSettingInfo virtNetdevInfo;

/* virtSetting's functions, for netdevs. */
virtNetdev *virtNetdevNew(guint port);
virtNetdev *virtNetdevCopy(const virtNetdev *netdev);
void virtNetdevCopyAttr(virtNetdev *to, const virtNetdev *from, virtNetdevAttr attr);
bool virtNetdevHas(const virtNetdev *netdev, virtNetdevAttr attr);
bool virtNetdevIsUnknown(const virtNetdev *netdev, virtNetdevAttr attr);
bool virtNetdevEqualAttr(const virtNetdev *a, const virtNetdev *b, virtNetdevAttr attr);
guint virtNetdevDiff(const virtNetdev *wanted, const virtNetdev *present);
bool virtNetdevIsUntagged(const virtNetdev *netdev);
void virtNetdevDropUntagged(virtNetdev *netdev);
const char *virtNetdevGetRemedy(const virtNetdev *netdev, virtNetdevAttr attr);
void virtNetdevGetRate(const virtNetdev *netdev, guint32 *ret_max, guint32 *ret_min);
void virtNetdevSetRate(virtNetdev *netdev, guint32 max, guint32 min);

/* Lists: GPtrArray of virtNetdev, sorted by port. */
GPtrArray *virtNetdevListNew(void);
GPtrArray *virtNetdevListCopy(const GPtrArray *list);
virtNetdev *virtNetdevListFind(const GPtrArray *list, guint port);
virtNetdev *virtNetdevListMatch(const GPtrArray *list, guint port);
bool virtNetdevListLeavesPort(const GPtrArray *list);
void virtNetdevListSort(GPtrArray *list);
bool virtNetdevListEqual(const GPtrArray *a, const GPtrArray *b);

bool virtMacIsZero(const guint8 mac[6]);
bool virtMacIsMulticast(const guint8 mac[6]);
bool virtMacParse(const char *text, guint8 ret[6]);
void virtMacFormat(const guint8 mac[6], char ret[18]);
void virtMacGenerate(guint8 ret[6]);
void virtMacDerive(const char *key, guint8 ret[6]);
