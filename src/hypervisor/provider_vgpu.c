/* provider_vgpu.c: the vGPUs of VFs, created for their guests
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Which type a VF has is a setting like any other, and "none" one of its values. The vendor's driver keeps the VF all
 * the time, so there is nothing to bind, and libvirt does nothing to the device (managed='no'). What an administrator
 * has created there is changed for the guest and created again afterwards.
 *
 * The driver refuses every change while a guest has the VF. A restore that comes too early leaves its record, and is
 * tried again.
 */
#include "hypervisor/provider_vgpu.h"

#include "conf/vgpu_conf.h"
#include "hypervisor/provision.h"
#include "util/virerror.h"
#include "util/virvgpudevice.h"

static const virtVgpuDevice *
deviceOf(const virtTarget *target)
{
    return target->device;
}

/* ---- finding ---- */

static bool
locate(virtHost *host, virtTarget *target, GError **error)
{
    virtPCIAddress address;
    virtVgpuDevice *device;

    if (!virtHandleGetPCI(&target->handle, &address)) {
        g_set_error(error, VIRT_ERROR, VIRT_ERROR_INVALID, "%s is not a PCI device and has no vGPU",
                    target->handle.name);
        return false;
    }
    if (!(device = virtVgpuDeviceOpen(host, &address, error)))
        return false;
    target->device = device;
    virtHandleSetPCI(&target->parent, &device->pf);
    target->index = (gint)device->index;
    return true;
}

static bool
openDevice(virtHost *host, const virtOwner *owner, virtTarget *target, GError **error)
{
    return locate(host, target, error);
}

static void
closeDevice(virtTarget *target)
{
    virtVgpuDeviceFree(target->device);
}

/* ---- judging ---- */

static bool
checkType(const virtTarget *target, gconstpointer setting, GError **error)
{
    const virtVgpu *wanted = setting;

    return virtVgpuDeviceCheckType(deviceOf(target), wanted->is.type, error);
}

/* Says of what is wanted how the driver calls it. */
static void
nameType(virtHost *host, const virtOwner *owner, virtTarget *target)
{
    GPtrArray *wanted = target->wanted;
    const virtVgpu *named = NULL;

    if (wanted->len > 0)
        named = virtVgpuDeviceFindType(deviceOf(target), ((const virtVgpu *)wanted->pdata[0])->is.type);
    if (!named)
        return;
    target->wanted = virtSettingListNew();
    g_ptr_array_add(target->wanted, virtSettingCopy(&virtVgpuInfo, named));
    g_ptr_array_unref(wanted);
}

/* ---- verbs ---- */

static GPtrArray *
readType(virtHost *host, const virtTarget *target, const GPtrArray *which, GError **error)
{
    g_autoptr(GPtrArray) list = virtSettingListNew();
    virtVgpu *vgpu;

    if (which->len == 0)
        return g_steal_pointer(&list);
    vgpu = virtSettingNew(&virtVgpuInfo, 0);
    g_ptr_array_add(list, vgpu);
    if (!virtVgpuDeviceRead(host, deviceOf(target), vgpu, error))
        return NULL;
    return g_steal_pointer(&list);
}

static bool
setType(virtHost *host, const virtTarget *target, const GPtrArray *list, GError **error)
{
    const virtVgpu *vgpu = virtSettingListFind(list, 0);

    return !vgpu || virtVgpuDeviceSet(host, deviceOf(target), vgpu->is.type, error);
}

static bool
setTypes(virtHost *host, virtTarget *const *targets, guint n, GError **error)
{
    for (guint i = 0; i < n; i++) {
        if (!setType(host, targets[i], targets[i]->wanted, error))
            return false;
    }
    return true;
}

static char *
describe(const virtTarget *target, guint number)
{
    return virtVgpuDeviceDescribe(deviceOf(target));
}

const virtProvider virtProviderVgpu = {
    .kind = &virtVgpuKind,
    .restoreAt = VIRT_RESTORE_STOPPED,
    .locate = locate,
    .open = openDevice,
    .close = closeDevice,
    .isGone = virtProvisionIsVFGone,
    .resolve = nameType,
    .check = checkType,
    .read = readType,
    .set = setTypes,
    .restore = setType,
    .describe = describe,
};
