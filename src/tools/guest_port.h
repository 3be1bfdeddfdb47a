/* guest_port.h: the ports of the VFs that guests have, with what passed through them: what is watched
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "tools/tool.h"
#include "util/virpci.h"

/* One port of one VF, as it was when it was read. */
typedef struct {
    char *owner;
    char *uuid; /* NULL: no domain (virt-hostdev apply) */
    char device[VIRT_HANDLE_NAME_MAX + 1];
    char pf[VIRT_HANDLE_NAME_MAX + 1];
    gint vf; /* its index at the PF; -1: the PF does not count */
    guint port;
    char *ifname;  /* the PF's netdev of that port; NULL: it cannot be told */
    guint ifindex; /* of that netdev */
    bool compared; /* its settings could be read and compared with the record .. */
    bool drifted;  /* .. and somebody else has changed one */
    guint known;   /* a bit for each virtNetdevCounter of stats that can be told */
    virtNetdevStats stats;
} virtGuestPort;

/* What is known of everything that has a record. */
typedef struct {
    GPtrArray *ports; /* virtGuestPort, sorted by device and port: of VFs whose owner is there and has them */
    guint waiting;    /* devices whose owner is gone, or which somebody else uses by now: still to be restored */
    guint unreadable; /* records that are damaged, or by a newer version */
} virtGuestPorts;

virtGuestPorts *virtGuestPortsRead(virtHost *host, GError **error);
void virtGuestPortsFree(virtGuestPorts *guests);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(virtGuestPorts, virtGuestPortsFree)
