/* virpcipriv.h: what addresses, devices and VFs share, for these files alone
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "util/virpci.h"

#define PCI_DEVICE "sys/bus/pci/devices/%s"
#define VFS_MAX 65535 /* NumVFs is 16 bits in the SR-IOV capability */

/* Move *text over @c, if that is next. */
static inline bool
takeChar(const char **text, char c)
{
    if (**text != c)
        return false;
    (*text)++;
    return true;
}

/* virpciaddress.c */
guint virtPCIRoutingID(const virtPCIAddress *address);

/* virpci.c */
#define VIRT_PCI_LINK 1 /* whether it is up, its type, and whether it is a port at all: from rtnetlink */
#define VIRT_PCI_MAC 2  /* its MAC address, and whose that is: from sysfs */
GPtrArray *virtPCIReadNetdevs(virtHost *host, const virtPCIAddress *address, guint facts, GError **error);
