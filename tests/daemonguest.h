/* daemonguest.h: a guest on a made-up host, with faultlibvirt.c for libvirt: for tests of the daemon's own code
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "daemon/daemon.h"
#include "faultstep.h"

typedef struct {
    fakeHost *fake;
    const char *vf; /* address of VF 0, which domain a has, with VLAN 100 */
} daemonGuest;

extern fakeHost *daemonGuestKernel; /* of the test that runs */

virtHostdev *daemonGuestHostdev(const char *address, guint16 vlan);
