/* virvgpudevice.h: a VF that a vGPU can be created at, by files of its vendor's driver
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "util/virpci.h"
#include "util/virvgpu.h"

/* A VF; it need not be one of a GPU. */
typedef struct {
    char name[VIRT_PCI_ADDRESS_LEN];
    virtPCIAddress pf;
    char pfName[VIRT_PCI_ADDRESS_LEN];
    guint index;        /* N of the PF's virtfnN */
    const char *vendor; /* for people: "NVIDIA"; NULL: its driver has no such files, and it has no vGPU */
    GArray *creatable;  /* virtVgpu, the types that can be created there now, in the driver's order; may be empty */
    virtVgpu present;
    guint row; /* private: of the vendors' table */
} virtVgpuDevice;

virtVgpuDevice *virtVgpuDeviceOpen(virtHost *host, const virtPCIAddress *address, GError **error);
void virtVgpuDeviceFree(virtVgpuDevice *device);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(virtVgpuDevice, virtVgpuDeviceFree)
const virtVgpu *virtVgpuDeviceFindType(const virtVgpuDevice *device, guint32 type);
bool virtVgpuDeviceCheckType(const virtVgpuDevice *device, guint32 type, GError **error);
bool virtVgpuDeviceRead(virtHost *host, const virtVgpuDevice *device, virtVgpu *ret, GError **error);
bool virtVgpuDeviceSet(virtHost *host, const virtVgpuDevice *device, guint32 type, GError **error);
char *virtVgpuDeviceDescribe(const virtVgpuDevice *device);
