/* virsubfunction.c: one sub-function of a PF: made, given a device, taken away
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Theory of operation. A sub-function is known by its PF and the number with which it was made; the index of its port
 * and the name of its device are whatever the driver gives it. It begins as a port of the eswitch, whose function has a
 * MAC address. Made active, it gets a device on the auxiliary bus, below that of the PF: firmware tells the driver, and
 * so it comes some time later. It goes the same way, and the port only after it: mlx5 would keep the number until then.
 *
 * mlx5 leaves a sub-function idle since Linux 6.5: which of Ethernet, RDMA and vDPA it does is a parameter of the
 * sub-function's own devlink instance, and counts when that is reloaded (mlx5_init_one_light() of
 * drivers/net/ethernet/mellanox/mlx5/core/main.c). Older kernels have all three on.
 */
#include "util/virsubfunction.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "util/virdevlink.h"
#include "util/virerror.h"
#include "util/virnetdev.h"

#define BUS "auxiliary"
#define VDPA_SWITCH "enable_vnet" /* of Documentation/networking/devlink/devlink-params.rst */
#define WAIT_LONGEST 10000        /* milliseconds; mlx5's firmware and driver take one to two seconds */

static const char *
explain(int rc, const char *reason)
{
    if (reason)
        return reason;
    return g_strerror(-rc);
}

/* ---- finding ---- */

/* Can the PF have sub-functions now? All drivers that make them do so in switchdev mode alone.
 *
 * Errors, without the name of what needs them: VIRT_ERROR_NOT_FOUND where there is no such device; VIRT_ERROR_HOST.
 */
bool
virtSubfunctionCheckPF(virtHost *host, const virtHandle *pf, GError **error)
{
    g_autofree char *path = virtHostPath(host, "sys/bus/%s/devices/%s", pf->bus, pf->name);
    bool is;

    if (access(path, F_OK) < 0) {
        g_set_error(error, VIRT_ERROR, VIRT_ERROR_NOT_FOUND, "the host has no PCI device %s", pf->name);
        return false;
    }
    if (!virtDevlinkIsSwitchdev(host, pf, &is, error))
        return false;
    if (is)
        return true;
    g_set_error(
        error, VIRT_ERROR, VIRT_ERROR_HOST,
        "%s/%s makes no sub-functions: it is not in switchdev mode. Its administrator can change that with devlink dev eswitch set %s/%s mode switchdev, where its driver knows that mode",
        pf->bus, pf->name, pf->bus, pf->name);
    return false;
}

/* Whether there is a sub-function of that @number, whoever has made it. None at a PF that has gone.
 *
 * Errors: VIRT_ERROR_HOST where that cannot be told.
 */
bool
virtSubfunctionFind(virtHost *host, const virtHandle *pf, guint32 number, bool *ret, GError **error)
{
    virtDevlinkPort port;

    return virtDevlinkFindSF(host, pf, number, ret, &port, error);
}

/* Is the device @name below the PF, and of its sub-function of that @number? */
static bool
isDevice(virtHost *host, const virtHandle *pf, guint32 number, const char *name, bool *ret, GError **error)
{
    g_autoptr(GError) local = NULL;
    guint64 its;

    *ret =
        virtHostReadUInt(host, G_MAXUINT32, &its, &local, "sys/bus/%s/devices/%s/%s/sfnum", pf->bus, pf->name, name) &&
        its == number;
    if (!local || g_error_matches(local, VIRT_ERROR, VIRT_ERROR_NOT_FOUND))
        return true;
    g_propagate_error(error, g_steal_pointer(&local));
    return false;
}

/* The device of the sub-function, on the auxiliary bus. *@ret is none where it has none.
 *
 * Errors: VIRT_ERROR_HOST where that cannot be told.
 */
bool
virtSubfunctionFindDevice(virtHost *host, const virtHandle *pf, guint32 number, virtHandle *ret, GError **error)
{
    g_autoptr(GPtrArray) names = virtHostListDir(host, error, "sys/bus/" BUS "/devices");
    bool is = false;

    memset(ret, 0, sizeof(*ret));
    if (!names)
        return false;
    for (guint i = 0; i < names->len && !is; i++) {
        if (!isDevice(host, pf, number, names->pdata[i], &is, error))
            return false;
        if (is && !virtHandleSet(ret, BUS, names->pdata[i], error))
            return false;
    }
    return true;
}

/* ---- making ---- */

static bool
setMac(virtHost *host, const virtHandle *pf, const virtDevlinkPort *port, const guint8 *mac, GError **error)
{
    g_autofree char *reason = NULL;
    virtDevlinkPort now;
    char text[18];
    int rc = virtDevlinkSetMac(host, pf, port->index, mac, &reason);

    virtMacFormat(mac, text);
    if (rc < 0) {
        g_set_error(error, VIRT_ERROR, VIRT_ERROR_REFUSED,
                    "Cannot give sub-function %u of %s/%s the MAC address %s: %s", port->sf, pf->bus, pf->name, text,
                    explain(rc, reason));
        return false;
    }
    if (!virtDevlinkReadPort(host, pf, port->index, &now, error))
        return false;
    if (now.hasMac && memcmp(now.mac, mac, sizeof(now.mac)) == 0)
        return true;
    g_set_error(
        error, VIRT_ERROR, VIRT_ERROR_REFUSED,
        "The driver of %s/%s has acknowledged the MAC address %s of sub-function %u, and does not show it. The kernel's log may say more",
        pf->bus, pf->name, text, port->sf);
    return false;
}

/* Wait until the sub-function is @attached, or not. Returns 0 or -errno: -ETIMEDOUT where it stays as it is, -ENODEV
 * where it has gone. */
static int
waitAttached(virtHost *host, const virtHandle *pf, guint32 index, bool attached)
{
    guint waited = 0;

    do {
        g_autoptr(GError) local = NULL;
        virtDevlinkPort now;

        if (virtDevlinkReadPort(host, pf, index, &now, &local) && now.isAttached == attached)
            return 0;
        if (g_error_matches(local, VIRT_ERROR, VIRT_ERROR_NOT_FOUND))
            return -ENODEV;
    } while (virtHostWaitMore(host, WAIT_LONGEST, &waited));
    return -ETIMEDOUT;
}

static bool
waitDevice(virtHost *host, const virtHandle *pf, const virtDevlinkPort *port, virtHandle *ret, GError **error)
{
    guint waited = 0;

    if (waitAttached(host, pf, port->index, true) == 0) {
        do {
            if (!virtSubfunctionFindDevice(host, pf, port->sf, ret, error))
                return false;
            if (!virtHandleIsNone(ret))
                return true;
        } while (virtHostWaitMore(host, WAIT_LONGEST, &waited));
    }
    g_set_error(
        error, VIRT_ERROR, VIRT_ERROR_HOST,
        "Sub-function %u of %s/%s is active, and has no device after %d s. The kernel's log may say why its driver did not take it",
        port->sf, pf->bus, pf->name, WAIT_LONGEST / 1000);
    return false;
}

static bool
activate(virtHost *host, const virtHandle *pf, const virtDevlinkPort *port, GError **error)
{
    g_autofree char *reason = NULL;
    int rc = virtDevlinkSetActive(host, pf, port->index, true, &reason);

    if (rc == 0)
        return true;
    g_set_error(error, VIRT_ERROR, VIRT_ERROR_REFUSED, "Cannot activate sub-function %u of %s/%s: %s", port->sf,
                pf->bus, pf->name, explain(rc, reason));
    return false;
}

static bool
add(virtHost *host, const virtHandle *pf, virtDevlinkPort *port, GError **error)
{
    g_autofree char *reason = NULL;
    virtPCIAddress address = {0};
    int code = VIRT_ERROR_REFUSED, rc;

    virtHandleGetPCI(pf, &address);
    rc = virtDevlinkAddSF(host, pf, (guint16)address.function, port->sf, &port->index, &reason);
    if (rc == 0)
        return true;
    if (rc == -EEXIST)
        code = VIRT_ERROR_BUSY;
    g_set_error(error, VIRT_ERROR, code, "Cannot make sub-function %u of %s/%s: %s. See: devlink port show", port->sf,
                pf->bus, pf->name, explain(rc, reason));
    return false;
}

/* Make the sub-function of that @number, and have it get its device. Where this fails, there may be one.
 *
 * @mac: that its function gets; NULL: its driver chooses
 * @ret: its device
 *
 * Errors: VIRT_ERROR_BUSY where there is one of that number; VIRT_ERROR_REFUSED with the kernel's reason;
 * VIRT_ERROR_HOST.
 */
bool
virtSubfunctionMake(virtHost *host, const virtHandle *pf, guint32 number, const guint8 *mac, virtHandle *ret,
                    GError **error)
{
    virtDevlinkPort port = {.sf = number};

    return add(host, pf, &port, error) && (!mac || setMac(host, pf, &port, mac, error)) &&
           activate(host, pf, &port, error) && waitDevice(host, pf, &port, ret, error);
}

/* Have the device of a sub-function do vDPA, where its driver has to be told.
 *
 * Errors: VIRT_ERROR_REFUSED with the kernel's reason; VIRT_ERROR_HOST.
 */
bool
virtSubfunctionEnableVdpa(virtHost *host, const virtHandle *device, GError **error)
{
    g_autoptr(GError) local = NULL;
    g_autofree char *reason = NULL;
    bool on;
    int rc;

    if (!virtDevlinkReadSwitch(host, device, VDPA_SWITCH, &on, &local)) {
        if (g_error_matches(local, VIRT_ERROR, VIRT_ERROR_NOT_FOUND))
            return true;
        g_propagate_error(error, g_steal_pointer(&local));
        return false;
    }
    if (on)
        return true;
    rc = virtDevlinkSetSwitch(host, device, VDPA_SWITCH, true, &reason);
    if (rc == 0)
        rc = virtDevlinkReload(host, device, &reason);
    if (rc == 0)
        return true;
    g_set_error(error, VIRT_ERROR, VIRT_ERROR_REFUSED,
                "Cannot have sub-function %s/%s do vDPA, by its devlink parameter " VDPA_SWITCH " and a reload: %s",
                device->bus, device->name, explain(rc, reason));
    return false;
}

/* ---- removing ---- */

static int
deactivate(virtHost *host, const virtHandle *pf, const virtDevlinkPort *port, char **ret_reason)
{
    int rc = 0;

    if (port->isActive)
        rc = virtDevlinkSetActive(host, pf, port->index, false, ret_reason);
    if (rc == 0)
        rc = waitAttached(host, pf, port->index, false);
    if (rc == -ETIMEDOUT)
        *ret_reason = g_strdup_printf("its device has not gone within %d s", WAIT_LONGEST / 1000);
    return rc;
}

/* Take the device away from the sub-function of that @number, and remove it; one that does not exist is removed. Nobody
 * may use the device, or what was made of it: the kernel would wait for that.
 *
 * Errors: VIRT_ERROR_REFUSED with the kernel's reason; VIRT_ERROR_HOST where it cannot be told.
 */
bool
virtSubfunctionRemove(virtHost *host, const virtHandle *pf, guint32 number, GError **error)
{
    g_autofree char *reason = NULL;
    virtDevlinkPort port;
    bool exists;
    int rc;

    if (!virtDevlinkFindSF(host, pf, number, &exists, &port, error)) {
        g_prefix_error(error, "Cannot remove sub-function %u: ", number);
        return false;
    }
    if (!exists)
        return true;
    rc = deactivate(host, pf, &port, &reason);
    if (rc == 0)
        rc = virtDevlinkRemovePort(host, pf, port.index, &reason);
    if (rc == 0 || rc == -ENODEV)
        return true;
    g_set_error(
        error, VIRT_ERROR, VIRT_ERROR_REFUSED,
        "Cannot remove sub-function %u of %s/%s: %s. Remove it by hand: devlink port function set %s/%s/%u state inactive, and devlink port del %s/%s/%u",
        number, pf->bus, pf->name, explain(rc, reason), pf->bus, pf->name, port.index, pf->bus, pf->name, port.index);
    return false;
}
