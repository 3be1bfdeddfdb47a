/* provider_function.c: the port functions of VFs, in switchdev mode
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A document has one <function> for all ports of a VF, and a record one for each port: they need not have been the
 * same.
 *
 * Functions can be set only while their VF has no driver. Before a start the host's driver is taken from it, and
 * libvirt binds VFIO to a VF without a driver just as well. They are restored when libvirt has released the VF: until
 * then VFIO has it. Where libvirt never had it, the host's driver gets it back here.
 *
 * When the eswitch has left switchdev mode, there are none to restore. What was set may be in force again when it comes
 * back, so the record stays until then.
 */
#include "hypervisor/provider_function.h"

#include "conf/function_conf.h"
#include "hypervisor/provision.h"
#include "util/virerror.h"
#include "util/virfunctiondevice.h"

static const virtFunctionDevice *
deviceOf(const virtTarget *target)
{
    return target->device;
}

/* ---- finding ---- */

/* @find: virtFunctionDeviceLocate() or virtFunctionDeviceOpen() */
static bool
findDevice(virtHost *host, virtTarget *target,
           virtFunctionDevice *(*find)(virtHost *, const virtPCIAddress *, GError **), GError **error)
{
    virtPCIAddress address;
    virtFunctionDevice *device;

    if (!virtHandleGetPCI(&target->handle, &address)) {
        g_set_error(error, VIRT_ERROR, VIRT_ERROR_INVALID, "%s is not a PCI device and has no port function",
                    target->handle.name);
        return false;
    }
    if (!(device = find(host, &address, error)))
        return false;
    target->device = device;
    virtHandleSetPCI(&target->parent, &device->pf);
    target->index = (gint)device->index;
    return true;
}

static bool
locate(virtHost *host, virtTarget *target, GError **error)
{
    return findDevice(host, target, virtFunctionDeviceLocate, error);
}

static bool
openDevice(virtHost *host, const virtOwner *owner, virtTarget *target, GError **error)
{
    target->leave = owner->uuid != NULL; /* libvirt binds VFIO */
    return findDevice(host, target, virtFunctionDeviceOpen, error);
}

static void
closeDevice(virtTarget *target)
{
    virtFunctionDeviceFree(target->device);
}

static bool
isStill(virtHost *host, const virtTarget *target, GError **error)
{
    return virtFunctionDeviceIsStill(host, deviceOf(target), error);
}

/* ---- which ports ---- */

static void
resolve(virtHost *host, const virtOwner *owner, virtTarget *target)
{
    g_autoptr(GArray) ports = virtFunctionDeviceListPorts(deviceOf(target));
    GPtrArray *wanted = target->wanted;

    target->wanted = virtFunctionListExpand(wanted, ports);
    g_ptr_array_unref(wanted);
}

static GPtrArray *
follow(const GPtrArray *wanted, const GPtrArray *recorded)
{
    g_autoptr(GArray) ports = g_array_new(FALSE, FALSE, sizeof(guint));

    for (guint i = 0; i < recorded->len; i++)
        g_array_append_val(ports, ((const virtFunction *)recorded->pdata[i])->setting.number);
    return virtFunctionListExpand(wanted, ports);
}

/* ---- checks ---- */

static bool
checkFunction(const virtTarget *target, gconstpointer setting, GError **error)
{
    return virtFunctionDeviceCheck(deviceOf(target), setting, error);
}

/* A VF that is to be migratable needs a driver that can migrate it .. */
static bool
checkKernel(virtHost *host, const virtHandle *handle, const GPtrArray *wanted, GError **error)
{
    virtPCIAddress address;

    return !virtFunctionListMigrates(wanted) || !virtHandleGetPCI(handle, &address) ||
           virtFunctionDeviceCheckKernel(host, &address, error);
}

static bool
checkOnHost(virtHost *host, const virtTarget *target, GError **error)
{
    return virtFunctionDeviceCheckHost(host, deviceOf(target), error) &&
           checkKernel(host, &target->handle, target->wanted, error);
}

/* .. and libvirt to choose it. */
static bool
checkDriver(virtHost *host, const virtHandle *handle, const GPtrArray *wanted, GError **error)
{
    virtPCIAddress address;

    return !virtFunctionListMigrates(wanted) || !virtHandleGetPCI(handle, &address) ||
           virtFunctionDeviceCheckDriver(host, &address, error);
}

/* The versions are those of libvirt's release notes; the lab has 9.0 and newer than 10.0. */
static bool
checkLibvirt(const GPtrArray *wanted, bool managed, unsigned long version, GError **error)
{
    static const unsigned long takes = 9007000, chooses = 10000000;
    const char *why = "binds every VF to vfio-pci, with which it cannot migrate";

    if (!virtFunctionListMigrates(wanted) || version >= chooses || (version >= takes && !managed))
        return true;
    if (version >= takes)
        why = "binds a VF with managed='yes' to vfio-pci, with which it cannot migrate";
    g_set_error(
        error, VIRT_ERROR, VIRT_ERROR_HOST,
        "migratable='yes' needs libvirt 10.0.0, or 9.7.0 with managed='no'; this is %lu.%lu.%lu, which %s. Upgrade libvirt, or drop the attribute 'migratable'",
        version / 1000000, version / 1000 % 1000, version % 1000, why);
    return false;
}

/* ---- verbs ---- */

static GPtrArray *
readFunctions(virtHost *host, const virtTarget *target, const GPtrArray *which, GError **error)
{
    g_autoptr(GPtrArray) list = virtSettingListNew();

    for (guint i = 0; i < which->len; i++) {
        virtFunction *function = virtSettingNew(&virtFunctionInfo, 0);
        guint number = ((const virtFunction *)which->pdata[i])->setting.number;

        g_ptr_array_add(list, function);
        if (!virtFunctionDeviceRead(host, deviceOf(target), number, function, error))
            return NULL;
    }
    return g_steal_pointer(&list);
}

/* By hand, nobody has asked yet whether the host uses the VF's netdevs, which come and go. */
static bool
setFunctions(virtHost *host, virtTarget *const *targets, guint n, GError **error)
{
    for (guint i = 0; i < n; i++) {
        const virtTarget *target = targets[i];

        if (!target->leave && !virtFunctionDeviceCheckHost(host, deviceOf(target), error))
            return false;
        if (!virtFunctionDeviceSet(host, deviceOf(target), target->wanted, target->leave, error))
            return false;
    }
    return true;
}

static bool
restoreFunctions(virtHost *host, const virtTarget *target, const GPtrArray *before, GError **error)
{
    return virtFunctionDeviceRestore(host, deviceOf(target), before, error);
}

/* The VF is without a driver where a start has failed before libvirt had it, and where this project was cut off. */
static bool
bindBack(virtHost *host, const virtRecord *record, bool resumed, GError **error)
{
    virtPCIAddress address;

    return virtHandleGetPCI(&record->handle, &address) &&
           virtFunctionDeviceBindBack(host, &address, record->driver, record->override, error);
}

/* ---- words ---- */

static char *
foreseeEffect(virtHost *host, const virtTarget *target)
{
    g_autofree char *driver = virtFunctionDeviceGetDriver(host, deviceOf(target), target->wanted, NULL);

    if (!driver)
        return NULL;
    return g_strdup_printf("after unbinding %s", driver);
}

static char *
describe(const virtTarget *target, guint number)
{
    return virtFunctionDeviceDescribe(deviceOf(target), number);
}

const virtProvider virtProviderFunction = {
    .kind = &virtFunctionKind,
    .restoreAt = VIRT_RESTORE_RELEASED,
    .locate = locate,
    .open = openDevice,
    .close = closeDevice,
    .isStill = isStill,
    .isGone = virtProvisionIsVFGone,
    .resolve = resolve,
    .follow = follow,
    .check = checkFunction,
    .checkHost = checkOnHost,
    .checkKernel = checkKernel,
    .checkTaken = checkDriver,
    .checkLibvirt = checkLibvirt,
    .read = readFunctions,
    .set = setFunctions,
    .restore = restoreFunctions,
    .afterRestore = bindBack,
    .foreseeEffect = foreseeEffect,
    .describe = describe,
};

/* Can the VF @handle be made migratable with this kernel, and with libvirt of that version? Whether the VF is managed is
 * not known here, so that an old one which leaves it to its user passes.
 *
 * Errors: VIRT_ERROR_HOST.
 */
bool
virtProviderFunctionCanMigrate(virtHost *host, const virtHandle *handle, unsigned long libvirt, GError **error)
{
    g_autoptr(GPtrArray) wanted = virtSettingListNew();
    virtFunction *function = virtSettingNew(&virtFunctionInfo, 0);

    virtFunctionSetFlag(function, VIRT_FUNCTION_MIGRATABLE, true);
    g_ptr_array_add(wanted, function);
    return checkLibvirt(wanted, false, libvirt, error) && checkKernel(host, handle, wanted, error);
}
