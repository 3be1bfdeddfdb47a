/* virvdpa.h: a vDPA device as a setting: whether it exists, at which parent, and what a guest finds in it
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What a user writes as <vdpa>, with what the <interface> or <disk> around that says; what <metadata> and records hold;
 * and what the kernel shows. A device that does not exist has no parent: to restore that is to delete it.
 */
#pragma once

#include "util/virsetting.h"

#define VIRT_VDPA_DIR "run/libvirt-hostdev/vdpa" /* of symbolic links to devices' nodes, each of a device's name */
#define VIRT_VDPA_NAME_MAX 63                    /* bytes of the name of a parent */
#define VIRT_VDPA_PAIRS_MAX 32768                /* VIRTIO_NET_CTRL_MQ_VQ_PAIRS_MAX of linux/virtio_net.h */
#define VIRT_VDPA_MTU_MIN 68                     /* vdpa_nl_policy in drivers/vdpa/vdpa.c: ETH_MIN_MTU */
#define VIRT_VDPA_MTU_MAX 65535                  /* 16 bits of virtio_net_config */

typedef enum {
    VIRT_VDPA_DEVICE, /* with the parent: an existing device can change neither */
    VIRT_VDPA_MAC,
    VIRT_VDPA_QUEUES,
    VIRT_VDPA_MTU,
    VIRT_VDPA_FEATURES,
    VIRT_VDPA_ATTR_LAST
} virtVdpaAttr;

/* Of linux/virtio_ids.h: what the device is to the guest. */
typedef enum {
    VIRT_VDPA_NONE = 0, /* there is no device, and so far a sub-function for it */
    VIRT_VDPA_NET = 1,
    VIRT_VDPA_BLOCK = 2,
} virtVdpaClass;

/* Plain data: copied by assignment, freed by g_free. */
typedef struct {
    virtSetting setting;
    struct {
        char parent[VIRT_VDPA_NAME_MAX + 1]; /* management device: "pci/0000:41:00.2"; "": the device does not exist */
        guint32 id;                          /* a virtVdpaClass, or another number of the kernel's; VIRT_VDPA_NONE */
        bool isSF;                           /* of a sub-function that is made first: @parent is its PF */
        guint32 sf;                          /* its number, which devlink calls sfnum */
    } made;
    guint8 mac[6];
    guint16 pairs;    /* of queues */
    guint16 mtu;      /* bytes */
    guint64 features; /* bits of linux/virtio_net.h and linux/virtio_config.h: what the device offers */
} virtVdpa;

extern const virtSettingInfo virtVdpaInfo;

bool virtVdpaExists(const virtVdpa *vdpa);
const char *virtVdpaGetClassName(guint32 id);
bool virtVdpaIsParent(const char *name);
