/* virfunctiondevice.c: a VF whose ports have functions in an eswitch, set by devlink
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Theory of operation. In switchdev mode devlink has a port for each port of a VF, and the function behind it. What the
 * driver shows of a function it also sets, but only while the VF has no driver: so that is taken from it first,
 * whichever it is, and only where something differs. Where libvirt is about to bind the VF to VFIO, nothing else need
 * have it until then; otherwise the same driver gets it back, whether that went well or not.
 *
 * The kernel sets one attribute after the other and stops at the first that is refused. So each is a request of its
 * own, whose refusal names it.
 */
#include "util/virfunctiondevice.h"

#include "util/virerror.h"
#include "util/virnetlink.h"
#include "util/virvfiodriver.h"

#include <errno.h>
#include <string.h>

#define UNBIND_WITHIN 5000 /* milliseconds; nothing of libvirt's or of ours has the VF open as long */

static virtFunctionDevice *
deviceNew(virtVF *vf)
{
    virtFunctionDevice *device;

    if (!vf)
        return NULL;
    device = g_new0(virtFunctionDevice, 1);
    device->pf = vf->pf;
    device->index = vf->index;
    device->vf = vf;
    return device;
}

/* The VF at @address as far as it has to be known to lock its PF; errors as virtVFLocate(). */
virtFunctionDevice *
virtFunctionDeviceLocate(virtHost *host, const virtPCIAddress *address, GError **error)
{
    return deviceNew(virtVFLocate(host, address, error));
}

/* The VF at @address, with what devlink has for its ports; errors as virtVFLookup(). */
virtFunctionDevice *
virtFunctionDeviceOpen(virtHost *host, const virtPCIAddress *address, GError **error)
{
    return deviceNew(virtVFLookup(host, address, error));
}

void
virtFunctionDeviceFree(virtFunctionDevice *device)
{
    if (!device)
        return;
    virtVFFree(device->vf);
    g_free(device);
}

/* Has the VF the place at its PF that it had? See virtVFIsStill(). */
bool
virtFunctionDeviceIsStill(virtHost *host, const virtFunctionDevice *device, GError **error)
{
    return virtVFIsStill(host, device->vf, error);
}

/* Has this kernel a driver that can migrate the VF at @address with a guest?
 *
 * Errors: VIRT_ERROR_HOST, also where that cannot be told.
 */
bool
virtFunctionDeviceCheckKernel(virtHost *host, const virtPCIAddress *address, GError **error)
{
    g_autoptr(GError) missing = NULL;
    g_autofree char *driver = virtVFIODriverFind(host, address, &missing);
    char name[VIRT_PCI_ADDRESS_LEN];

    if (driver)
        return true;
    virtPCIAddressFormat(address, name);
    g_set_error(
        error, VIRT_ERROR, VIRT_ERROR_HOST,
        "%s cannot be migratable: %s. Install a kernel that has the driver of the card's vendor, or drop the attribute 'migratable'",
        name, missing->message);
    return false;
}

/* Is the driver that has the VF at @address for a guest one that can migrate it? Any but vfio-pci: which can, is told
 * by the module's alias alone.
 *
 * Errors: VIRT_ERROR_HOST.
 */
bool
virtFunctionDeviceCheckDriver(virtHost *host, const virtPCIAddress *address, GError **error)
{
    g_autofree char *driver = virtPCIGetDriver(host, address), *variant = NULL;
    char name[VIRT_PCI_ADDRESS_LEN];

    if (driver && virtPCIIsForGuests(driver) && !g_str_equal(driver, "vfio-pci"))
        return true;
    virtPCIAddressFormat(address, name);
    variant = virtVFIODriverFind(host, address, NULL);
    g_set_error(
        error, VIRT_ERROR, VIRT_ERROR_HOST,
        "libvirt has bound %s to %s, with which it cannot migrate, and not to %s. libvirt 10.0.0 and newer does that by itself, without a <driver model='...'/> that says otherwise; 9.7.0 takes a VF with managed='no' that is bound to it beforehand. Or drop the attribute 'migratable'",
        name, driver ? driver : "no driver", variant ? variant : "the driver that can migrate it");
    return false;
}

/* Can the VF be taken from the host? See virtVFCheckNetdevs(). */
bool
virtFunctionDeviceCheckHost(virtHost *host, const virtFunctionDevice *device, GError **error)
{
    return virtVFCheckNetdevs(host, device->vf, error);
}

/* The numbers of the VF's ports: guint, ascending, for g_array_unref(). */
GArray *
virtFunctionDeviceListPorts(const virtFunctionDevice *device)
{
    const GPtrArray *ports = device->vf->ports;
    GArray *numbers = g_array_new(FALSE, FALSE, sizeof(guint));

    for (guint i = 0; i < ports->len; i++)
        g_array_append_val(numbers, ((const virtPort *)ports->pdata[i])->port);
    return numbers;
}

/* For messages: "port 1 (VF 3 of 0000:06:00.0, 0000:06:02.0)"; of number 0, "0000:06:02.0 (VF 3 of 0000:06:00.0)". The
 * caller frees it. */
char *
virtFunctionDeviceDescribe(const virtFunctionDevice *device, guint number)
{
    const virtVF *vf = device->vf;

    if (number == 0)
        return g_strdup_printf("%s (VF %u of %s)", vf->name, vf->index, vf->pfName);
    return g_strdup_printf("port %u (VF %u of %s, %s)", number, vf->index, vf->pfName, vf->name);
}

/* What devlink has for port @number; NULL: nothing. */
static const virtDevlinkPort *
findFunction(const virtVF *vf, guint number)
{
    const virtPort *port = virtVFGetPort(vf, number, NULL);

    if (!port)
        return NULL;
    return virtVFGetFunction(vf, port);
}

/* Can what is @wanted be set at its port, as far as the driver tells?
 *
 * Errors: VIRT_ERROR_HOST, with what is missing.
 */
bool
virtFunctionDeviceCheck(const virtFunctionDevice *device, const virtFunction *wanted, GError **error)
{
    const virtDevlinkPort *function = findFunction(device->vf, wanted->setting.number);
    g_autofree char *where = virtFunctionDeviceDescribe(device, wanted->setting.number);

    if (!function) {
        g_set_error(
            error, VIRT_ERROR, VIRT_ERROR_HOST,
            "There is no port function for %s. Drivers that have them do in switchdev mode: see devlink dev eswitch show pci/%s and devlink port show, or drop the <function>",
            where, device->vf->pfName);
        return false;
    }
    for (guint attr = 0; attr < VIRT_FUNCTION_ATTR_LAST; attr++) {
        if (!virtSettingHas(wanted, attr) || virtSettingHas(&function->function, attr))
            continue;
        g_set_error(
            error, VIRT_ERROR, VIRT_ERROR_HOST,
            "Cannot set %s of %s: its driver, or this kernel, has no such attribute of port functions. %s; devlink port show pci/%s/%u has what there is",
            virtFunctionInfo.attrs[attr].title, where, virtFunctionInfo.attrs[attr].remedy, device->vf->pfName,
            function->index);
        return false;
    }
    return true;
}

/* What the function of port @number is now: of what its driver shows. Nothing where there is none any more.
 *
 * Errors: VIRT_ERROR_HOST where that cannot be told.
 */
bool
virtFunctionDeviceRead(virtHost *host, const virtFunctionDevice *device, guint number, virtFunction *ret,
                       GError **error)
{
    const virtDevlinkPort *function = findFunction(device->vf, number);
    virtFunction now = {.setting.number = number};
    virtDevlinkPort port;
    virtHandle handle;

    *ret = now;
    if (!function)
        return true;
    virtHandleSetPCI(&handle, &device->pf);
    if (!virtDevlinkReadPort(host, &handle, function->index, &port, error)) {
        g_autofree char *where = virtFunctionDeviceDescribe(device, number);

        g_prefix_error(error, "Cannot read %s: ", where);
        return false;
    }
    *ret = port.function;
    ret->setting.number = number;
    return true;
}

/* Which attributes of @wanted are otherwise at its port. */
static bool
findDifferences(virtHost *host, const virtFunctionDevice *device, const virtFunction *wanted, guint *ret,
                GError **error)
{
    virtFunction now;

    if (!virtFunctionDeviceRead(host, device, wanted->setting.number, &now, error))
        return false;
    *ret = virtSettingDiff(&virtFunctionInfo, wanted, &now);
    return true;
}

static bool
differsAny(virtHost *host, const virtFunctionDevice *device, const GPtrArray *wanted, bool *ret, GError **error)
{
    *ret = false;
    for (guint i = 0; i < wanted->len && !*ret; i++) {
        guint bits;

        if (!findFunction(device->vf, ((const virtFunction *)wanted->pdata[i])->setting.number))
            continue;
        if (!findDifferences(host, device, wanted->pdata[i], &bits, error))
            return false;
        *ret = bits != 0;
    }
    return true;
}

/* Which driver has to let go of the VF before it is @wanted; NULL with no error: none has it, or nothing differs. The
 * caller frees it.
 */
char *
virtFunctionDeviceGetDriver(virtHost *host, const virtFunctionDevice *device, const GPtrArray *wanted, GError **error)
{
    bool differs;

    if (!differsAny(host, device, wanted, &differs, error) || !differs)
        return NULL;
    return virtPCIGetDriver(host, &device->vf->address);
}

static bool
setAttr(virtHost *host, const virtFunctionDevice *device, const virtDevlinkPort *function, const virtFunction *wanted,
        virtFunctionAttr attr, GError **error)
{
    const virtSettingAttr *info = &virtFunctionInfo.attrs[attr];
    g_autofree char *where = virtFunctionDeviceDescribe(device, wanted->setting.number);
    g_autofree char *value = info->format(wanted);
    g_autofree char *reason = NULL;
    g_autofree char *words = NULL;
    virtHandle handle;
    int rc;

    virtHandleSetPCI(&handle, &device->pf);
    rc = virtDevlinkSetFunction(host, &handle, function->index, wanted, attr, &reason);
    if (rc == 0)
        return true;
    if (reason)
        words = g_strdup_printf(" (%s)", reason);
    g_set_error(error, VIRT_ERROR, VIRT_ERROR_REFUSED, "Cannot set %s to %s for %s: %s%s. %s", info->title, value,
                where, g_strerror(-rc), words ? words : "", info->remedy);
    return false;
}

/* What was set must be what is shown. */
static bool
readBack(virtHost *host, const virtFunctionDevice *device, const virtFunction *wanted, GError **error)
{
    g_autofree char *where = virtFunctionDeviceDescribe(device, wanted->setting.number);
    g_autofree char *value = NULL;
    g_autofree char *shown = NULL;
    const virtSettingAttr *info;
    virtFunction now;
    guint bits;

    if (!virtFunctionDeviceRead(host, device, wanted->setting.number, &now, error))
        return false;
    bits = virtSettingDiff(&virtFunctionInfo, wanted, &now);
    if (bits == 0)
        return true;
    info = &virtFunctionInfo.attrs[g_bit_nth_lsf(bits, -1)];
    value = info->format(wanted);
    shown = info->format(&now);
    g_set_error(error, VIRT_ERROR, VIRT_ERROR_REFUSED,
                "Cannot set %s to %s for %s: the driver acknowledged it, but the value is now %s. %s", info->title,
                value, where, shown, info->remedy);
    return false;
}

static bool
setOne(virtHost *host, const virtFunctionDevice *device, const virtFunction *wanted, GError **error)
{
    const virtDevlinkPort *function = findFunction(device->vf, wanted->setting.number);
    guint bits;

    if (!function)
        return true;
    if (!findDifferences(host, device, wanted, &bits, error))
        return false;
    for (virtFunctionAttr attr = 0; attr < VIRT_FUNCTION_ATTR_LAST; attr++) {
        if ((bits & VIRT_SETTING_BIT(attr)) && !setAttr(host, device, function, wanted, attr, error))
            return false;
    }
    return bits == 0 || readBack(host, device, wanted, error);
}

/* Take the VF from @driver. From one for guests, that waits until nobody has it open; it has been seen that nobody has,
 * but somebody may open it meanwhile. */
static bool
unbind(virtHost *host, const virtFunctionDevice *device, const char *driver, GError **error)
{
    guint within = 0;
    int rc;

    if (virtPCIIsForGuests(driver))
        within = UNBIND_WITHIN;
    virtNetlinkForgetLinks(host); /* the VF's netdevs go with it */
    rc = virtHostTryWriteWithin(host, within, device->vf->name, "sys/bus/pci/drivers/%s/unbind", driver);
    if (rc == 0)
        return true;
    g_set_error(error, VIRT_ERROR, rc == -ETIMEDOUT ? VIRT_ERROR_BUSY : VIRT_ERROR_HOST, "Cannot unbind %s from %s: %s",
                device->vf->name, driver, g_strerror(-rc));
    return false;
}

/* Make the functions of the VF what is @wanted of them (virtFunction, each with its port), and read that back. A port
 * that has no function is left out.
 *
 * @leave: a driver of the host's that has to let go of the VF for that need not have it back
 *
 * Errors: VIRT_ERROR_REFUSED with the kernel's reason, and some may then be set; VIRT_ERROR_HOST.
 */
bool
virtFunctionDeviceSet(virtHost *host, const virtFunctionDevice *device, const GPtrArray *wanted, bool leave,
                      GError **error)
{
    g_autoptr(GError) problem = NULL;
    g_autofree char *driver = virtFunctionDeviceGetDriver(host, device, wanted, &problem);
    bool ok = true;

    if (problem) {
        g_propagate_error(error, g_steal_pointer(&problem));
        return false;
    }
    if (driver && !unbind(host, device, driver, error))
        return false;
    for (guint i = 0; ok && i < wanted->len; i++)
        ok = setOne(host, device, wanted->pdata[i], error);
    if (!driver || (leave && !virtPCIIsForGuests(driver)))
        return ok;
    if (virtHostWrite(host, device->vf->name, ok ? error : NULL, "sys/bus/pci/drivers/%s/bind", driver))
        return ok;
    if (ok)
        g_prefix_error(error, "PCI device %s now has no driver: ", device->vf->name);
    return false;
}

/* The same with what was there @before, and the driver gets the VF back.
 *
 * Errors: VIRT_ERROR_HOST also in another mode than switchdev: what was set may be in force again when that comes back.
 */
bool
virtFunctionDeviceRestore(virtHost *host, const virtFunctionDevice *device, const GPtrArray *before, GError **error)
{
    const virtVF *vf = device->vf;

    if (vf->functions || before->len == 0)
        return virtFunctionDeviceSet(host, device, before, false, error);
    g_set_error(
        error, VIRT_ERROR, VIRT_ERROR_HOST,
        "The eswitch of PF %s is no longer in switchdev mode, in which the port functions of VF %u can be set. Switch it back and run virt-hostdev recover, or, if the VFs have been removed and created since, virt-hostdev recover --forget %s",
        vf->pfName, vf->index, vf->name);
    return false;
}

/* Bind a VF that has no driver to the one that it had before its functions were set.
 *
 * @driver: of the host's; NULL: it had one for guests, or none
 * @override: its driver_override then; NULL: none
 *
 * Errors: VIRT_ERROR_HOST.
 */
bool
virtFunctionDeviceBindBack(virtHost *host, const virtPCIAddress *address, const char *driver, const char *override,
                           GError **error)
{
    g_autofree char *now = virtPCIGetDriver(host, address);
    g_autofree char *forced = NULL;

    if (now)
        return true;
    if (driver)
        return virtPCIBindBack(host, address, driver, override, error);
    forced = virtPCIGetOverride(host, address);
    return !forced || virtPCIProbe(host, address, error);
}
