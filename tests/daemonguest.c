/* daemonguest.c: a guest on a made-up host, with faultlibvirt.c for libvirt: for tests of the daemon's own code
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "daemonguest.h"
#include "testrecord.h"

/* ---- what faultlibvirt.c wants of the fault machine ---- */

static faultShared state;
faultShared *faultState = &state;
fakeHost *daemonGuestKernel;

int
faultBegin(faultPlace place, faultCall call)
{
    return 0;
}

void
faultEnd(void)
{
}

virtHost *
faultHostNew(void)
{
    virtHost *host = virtHostNew(daemonGuestKernel->host->root);

    host->request = daemonGuestKernel->host->request;
    host->sleep = daemonGuestKernel->host->sleep;
    host->opaque = daemonGuestKernel;
    return host;
}

/* ---- a guest ---- */

/* A <hostdev> of that VF, whose port 1 has VLAN @vlan; for virtHostdevFree(). */
virtHostdev *
daemonGuestHostdev(const char *address, guint16 vlan)
{
    virtHostdev *hostdev = g_new0(virtHostdev, 1);
    virtNetdev *netdev = virtNetdevNew(1);

    testSetHandle(&hostdev->handle, address);
    netdev->present = VIRT_NETDEV_BIT(VIRT_NETDEV_VLAN);
    netdev->vlan.id = vlan;
    netdev->vlan.protocol = 0x8100;
    virtSettingsInit(&hostdev->settings);
    g_ptr_array_add(VIRT_NETDEVS(hostdev), netdev);
    return hostdev;
}
