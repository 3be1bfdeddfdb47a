/* virnetdevcaps.h: what a driver will do with a setting, as far as that can be known without trying
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "util/virnetdev.h"
#include "util/virpci.h"

/* What is asked of a driver: a setting, or a value of it that not all drivers take that have the setting. */
typedef enum {
    VIRT_CAPABILITY_MAC,
    VIRT_CAPABILITY_VLAN,
    VIRT_CAPABILITY_VLAN_PRIORITY,
    VIRT_CAPABILITY_VLAN_8021AD,
    VIRT_CAPABILITY_RATE,
    VIRT_CAPABILITY_FLOOR,
    VIRT_CAPABILITY_SPOOFCHECK,
    VIRT_CAPABILITY_LINK,
    VIRT_CAPABILITY_LINK_UP,
    VIRT_CAPABILITY_TRUST,
    VIRT_CAPABILITY_NODE_GUID,
    VIRT_CAPABILITY_PORT_GUID,
    VIRT_CAPABILITY_VIRTUALPORT,
    VIRT_CAPABILITY_LAST
} virtNetdevCapability;

typedef struct {
    const char *title; /* "VLAN", "VLAN with 802.1ad" */
    virtNetdevAttr attr;
    bool (*needed)(const virtNetdev *wanted); /* NULL: always where @attr is wanted */
    bool infinibandOnly;                      /* an Ethernet port does not have it, whatever its driver */
    bool reported;                            /* of a VF by the drivers that have it, and by no others */
} virtNetdevCapabilityInfo;

extern const virtNetdevCapabilityInfo virtNetdevCapabilities[VIRT_CAPABILITY_LAST];

typedef enum {
    VIRT_CAPS_UNKNOWN,
    VIRT_CAPS_CAN,
    VIRT_CAPS_MAYBE, /* it depends on card, firmware or mode */
    VIRT_CAPS_CANNOT,
} virtNetdevCapsAnswer;

/* What a row of the table goes by. */
typedef struct {
    char *driver;    /* of the PF; NULL: not known */
    bool ethernet;   /* the netdev of the port is of that kind (ARPHRD_ETHER) .. */
    bool infiniband; /* .. or IP over InfiniBand (ARPHRD_INFINIBAND) */
    bool switchdev;  /* the port has a switch id: its eswitch is in switchdev mode */
    bool smartNic;   /* BlueField: a processor on the card may rule over the VFs */
} virtNetdevCapsPort;

/* The ports that a row of the table is about. */
typedef enum {
    VIRT_CAPS_PORT_ANY,
    VIRT_CAPS_PORT_INFINIBAND,
    VIRT_CAPS_PORT_SWITCHDEV,
    VIRT_CAPS_PORT_SMARTNIC,
} virtNetdevCapsPortType;

/* A driver: what it can do. */
typedef struct {
    const char *driver;
    virtNetdevCapsPortType only;
    guint can, maybe;   /* bits 1 << virtNetdevCapability; what is in neither it cannot */
    const char *source; /* Linux 6.12, below drivers/net/ethernet */
} virtNetdevCapsDriver;

extern const virtNetdevCapsDriver
    virtNetdevCapsDrivers[]; /* the first that fits counts; ends with a row without a driver */

char *virtNetdevCapsDescribeDriver(const virtNetdevCapsDriver *info);

virtNetdevCapsPort *virtNetdevCapsPortRead(virtHost *host, const virtPCIAddress *pf, const virtPort *port);
void virtNetdevCapsPortFree(virtNetdevCapsPort *kind);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(virtNetdevCapsPort, virtNetdevCapsPortFree)

virtNetdevCapsAnswer virtNetdevCapsAsk(const virtNetdevCapsPort *kind, const virtNetdev *present,
                                       virtNetdevCapability capability, char **ret_why);
virtNetdevCapsAnswer virtNetdevCapsAskAttr(const virtNetdevCapsPort *kind, const virtNetdev *present,
                                           const virtNetdev *wanted, virtNetdevAttr attr, char **ret_why);
