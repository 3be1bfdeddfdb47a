/* virpci.h: PCI addresses, physical and virtual functions, and the netdevs behind them, read from sysfs
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "util/virdevlink.h"
#include "util/virhost.h"
#include "util/virpciaddress.h"

#define VIRT_PORT_MAC_RANDOM 1 /* addrAssignType: NET_ADDR_RANDOM of linux/netdevice.h */
#define VIRT_PORT_MAC_SET 3    /* NET_ADDR_SET: dev_set_mac_address() */

/* One netdev of a PCI device. */
typedef struct {
    guint port;   /* 1..: dev_port + 1 */
    char *ifname; /* may change at any time: for messages, not for keys */
    guint ifindex;

    /* Of a PF's, as rtnetlink says when they are looked up: */
    bool up;         /* IFF_UP; true also where rtnetlink does not answer */
    bool ethernet;   /* ARPHRD_ETHER .. */
    bool infiniband; /* .. or ARPHRD_INFINIBAND */
    bool switchdev;  /* it has a switch id: its eswitch is in switchdev mode */

    /* Of a VF's own: */
    guint8 mac[6];
    guint addrAssignType; /* NET_ADDR_PERM 0, RANDOM 1, STOLEN 2, SET 3 (linux/netdevice.h) */
} virtPort;

void virtPortFree(virtPort *port);

/* A virtual function and the way to its physical one. */
typedef struct {
    virtPCIAddress address;
    char name[VIRT_PCI_ADDRESS_LEN]; /* address, printed */
    virtPCIAddress pf;
    char pfName[VIRT_PCI_ADDRESS_LEN];
    guint index;         /* N of the PF's virtfnN */
    GPtrArray *ports;    /* virtPort of the PF, sorted by port; not empty. NULL: they were not looked up */
    GPtrArray *functions; /* virtDevlinkPort of each of @ports; NULL: the eswitch has none for the VF */
    guint8 instance[16]; /* UUID of the domain, for 802.1Qbh; zero where there is none */
} virtVF;

/* virpcivf.c */
virtVF *virtVFLocate(virtHost *host, const virtPCIAddress *address, GError **error);
virtVF *virtVFLookup(virtHost *host, const virtPCIAddress *address, GError **error);
void virtVFFree(virtVF *vf);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(virtVF, virtVFFree)
const virtPort *virtVFGetPort(const virtVF *vf, guint port, GError **error);
bool virtVFIsStill(virtHost *host, const virtVF *vf, GError **error);
bool virtPCIFindVF(virtHost *host, const virtPCIAddress *pf, const virtPCIAddress *vf, guint *ret, GError **error);
GPtrArray *virtPCIListVFs(virtHost *host, const virtPCIAddress *pf);
bool virtPCIFindPF(virtHost *host, const virtPCIAddress *address, virtPCIAddress *ret, GError **error);

/* virpcivffunction.c */
GPtrArray *virtVFPairFunctions(const virtVF *vf, const GArray *all);
const virtDevlinkPort *virtVFGetFunction(const virtVF *vf, const virtPort *port);

/* virpcivfport.c */
GArray *virtVFFindPorts(virtHost *host, const virtVF *vf, bool *ret_certain);

/* virnetdevuser.c */
bool virtVFCheckNetdevs(virtHost *host, const virtVF *vf, GError **error);
bool virtPCICheckNetdevs(virtHost *host, const virtPCIAddress *address, GError **error);
char *virtNetdevUserReadIPv4(virtHost *host, const char *ifname);

/* virpci.c */
GPtrArray *virtPCIGetPorts(virtHost *host, const virtPCIAddress *address, GError **error);
GPtrArray *virtPCIGetNetdevs(virtHost *host, const virtPCIAddress *address, GError **error);
char *virtPCIGetDriver(virtHost *host, const virtPCIAddress *address);
bool virtPCIRebind(virtHost *host, const virtPCIAddress *address, GError **error);
char *virtPCIGetOverride(virtHost *host, const virtPCIAddress *address);
bool virtPCIIsForGuests(const char *driver);
bool virtPCIBindBack(virtHost *host, const virtPCIAddress *address, const char *driver, const char *override,
                     GError **error);
bool virtPCIProbe(virtHost *host, const virtPCIAddress *address, GError **error);
GPtrArray *virtPCIListAllPFs(virtHost *host);
GPtrArray *virtPCIListPFs(virtHost *host);
bool virtPCIFindByNetdev(virtHost *host, const char *ifname, virtPCIAddress *ret, GError **error);
bool virtPCIIsUp(virtHost *host, const virtPCIAddress *address, bool *ret, GError **error);
