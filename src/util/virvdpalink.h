/* virvdpalink.h: vDPA's management devices, and the devices that they make, over generic netlink
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "util/virhost.h"
#include "util/virvdpa.h"

#define VIRT_VDPA_DEVICE_MAX 127 /* bytes of the name of anybody's device; ours are handles, and shorter */

/* A management device: what vDPA devices are made of. */
typedef struct {
    char name[VIRT_VDPA_NAME_MAX + 1]; /* "pci/0000:41:00.2", or "vdpasim_net" where it sits on no bus */
    guint64 classes;                   /* a bit for each virtVdpaClass that it makes */
    guint32 queues;                    /* virtqueues that a device of it may have; 0: it does not say */
    guint64 features;                  /* that a device of it may offer; 0: it does not say */
} virtVdpaParent;

/* A device, whoever has made it. */
typedef struct {
    char name[VIRT_VDPA_DEVICE_MAX + 1];
    char parent[VIRT_VDPA_NAME_MAX + 1]; /* "": it was there before, and nobody can delete it */
    guint32 id;                          /* a virtVdpaClass, or another number of the kernel's */
    guint32 queues;                      /* virtqueues */
} virtVdpaDevice;

/* A number that a driver counts of a queue. */
typedef struct {
    char *name;
    guint64 value;
} virtVdpaStat;

bool virtVdpaLinkIsThere(virtHost *host);
bool virtVdpaLinkIsSimulator(const char *parent);
GArray *virtVdpaLinkListParents(virtHost *host, GError **error);
GArray *virtVdpaLinkListDevices(virtHost *host, GError **error);
bool virtVdpaLinkFindDevice(virtHost *host, const char *name, virtVdpaDevice *ret, GError **error);
bool virtVdpaLinkReadConfig(virtHost *host, const char *name, virtVdpa *vdpa, GError **error);
GPtrArray *virtVdpaLinkListStats(virtHost *host, const char *name, guint32 queue, GError **error);

int virtVdpaLinkMake(virtHost *host, const char *name, const virtVdpa *wanted, guint attrs, guint *ret_refused,
                     char **ret_reason);
int virtVdpaLinkDelete(virtHost *host, const char *name, char **ret_reason);
int virtVdpaLinkSetMac(virtHost *host, const char *name, const guint8 mac[6], char **ret_reason);
