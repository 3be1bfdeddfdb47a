/* virnetdevforesight.h: what a driver will do with a setting, as far as that can be known without trying
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "util/virnetdev.h"
#include "util/virpci.h"

/* What is asked of a driver: a setting, or a value of it that not all drivers take that have the setting. */
typedef enum {
    VIRT_ABILITY_MAC,
    VIRT_ABILITY_VLAN,
    VIRT_ABILITY_VLAN_PRIORITY,
    VIRT_ABILITY_VLAN_8021AD,
    VIRT_ABILITY_RATE,
    VIRT_ABILITY_FLOOR,
    VIRT_ABILITY_SPOOFCHECK,
    VIRT_ABILITY_LINK,
    VIRT_ABILITY_LINK_UP,
    VIRT_ABILITY_TRUST,
    VIRT_ABILITY_NODE_GUID,
    VIRT_ABILITY_PORT_GUID,
    VIRT_ABILITY_VIRTUALPORT,
    VIRT_ABILITY_LAST
} virtAbility;

typedef struct {
    const char *title; /* "VLAN", "VLAN with 802.1ad" */
    virtNetdevAttr attr;
    bool (*needed)(const virtNetdev *wanted); /* NULL: always where @attr is wanted */
} virtAbilityInfo;

extern const virtAbilityInfo virtAbilities[VIRT_ABILITY_LAST];

typedef enum {
    VIRT_FORESIGHT_UNKNOWN,
    VIRT_FORESIGHT_CAN,
    VIRT_FORESIGHT_PERHAPS, /* it hangs on card, firmware or mode */
    VIRT_FORESIGHT_CANNOT,
} virtForesight;

/* What a row of the table goes by. */
typedef struct {
    char *driver;    /* of the PF; NULL: not known */
    bool ethernet;   /* the netdev of the port is of that kind (ARPHRD_ETHER) .. */
    bool infiniband; /* .. or IP over InfiniBand (ARPHRD_INFINIBAND) */
    bool switchdev;  /* the port has a switch id: its eswitch is in switchdev mode */
    bool smartNic;   /* BlueField: a processor on the card may rule over the VFs */
} virtPortKind;

/* A driver: what it can do. */
typedef struct {
    const char *driver;
    enum { VIRT_PORT_ANY, VIRT_PORT_INFINIBAND, VIRT_PORT_SWITCHDEV, VIRT_PORT_SMARTNIC } only; /* ports of that kind */
    guint can, perhaps; /* bits 1 << virtAbility; what is in neither it cannot */
    const char *source; /* Linux 6.12, below drivers/net/ethernet */
} virtDriverInfo;

extern const virtDriverInfo virtDrivers[]; /* the first that fits counts; ends with a row without a driver */

char *virtDriverDescribe(const virtDriverInfo *info);

virtPortKind *virtPortKindRead(virtHost *host, const virtPCIAddress *pf, const virtPort *port);
void virtPortKindFree(virtPortKind *kind);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(virtPortKind, virtPortKindFree)

virtForesight virtForesee(const virtPortKind *kind, const virtNetdev *present, virtAbility ability, char **ret_why);
virtForesight virtForeseeAttr(const virtPortKind *kind, const virtNetdev *present, const virtNetdev *wanted,
                              virtNetdevAttr attr, char **ret_why);
