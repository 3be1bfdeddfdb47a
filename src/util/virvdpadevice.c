/* virvdpadevice.c: one vDPA device: read, made for vhost, deleted
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Theory of operation. A device is known by its name, which it keeps; the number of its node, /dev/vhost-vdpa-N, is
 * the lowest one that is free, and another device's as soon as this one has gone. So guests are given a symbolic link
 * of the device's name that leads to the node.
 *
 * Two drivers take a new device, vhost_vdpa for guests and virtio_vdpa for the host, and the one that was loaded first
 * does. By its driver_override the device is then vhost_vdpa's, whatever else is loaded.
 *
 * A device that is open must not be deleted: its node is gone at once, and whoever deletes it sleeps until the user
 * lets go, where no signal reaches it, with the lock of all vDPA devices in its hand (vdpa_dev_lock in
 * drivers/vdpa/vdpa.c, vhost_vdpa_remove() in drivers/vhost/vdpa.c). So the node is opened first, which the kernel lets
 * one process do
 * (-EBUSY). Somebody may still open it in between; then the request is left behind, as virvdpalink.c says.
 */
#include "util/virvdpadevice.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "util/virerror.h"
#include "util/virhandle.h"
#include "util/virvdpalink.h"
#include "util/virvdpanode.h"
#include "util/virvfio.h"

#define DEVICES "sys/bus/vdpa/devices"
#define DRIVER "vhost_vdpa"
/* Milliseconds. Measured on an emulated processor, a device had its node 20 after it was made. */
#define WAIT_LONGEST 5000

/* Is there the driver that gives devices to guests? Nothing loads it by itself.
 *
 * Errors: VIRT_ERROR_NOT_FOUND.
 */
bool
virtVdpaDeviceCheckDriver(virtHost *host, GError **error)
{
    g_autofree char *path = virtHostPath(host, "sys/bus/vdpa/drivers/" DRIVER);

    if (access(path, F_OK) == 0)
        return true;
    g_set_error_literal(error, VIRT_ERROR, VIRT_ERROR_NOT_FOUND,
                        "the module " DRIVER
                        " is not loaded, and guests get vDPA devices through it. Run modprobe " DRIVER
                        ", and write that name into a file of /etc/modules-load.d to have it loaded at each boot");
    return false;
}

/* ---- reading ---- */

/* Whether there is a device @name, whoever has made it.
 *
 * Errors: VIRT_ERROR_HOST where that cannot be told.
 */
bool
virtVdpaDeviceFind(virtHost *host, const char *name, bool *ret, GError **error)
{
    g_autoptr(GError) local = NULL;
    g_autofree char *there = virtHostReadLink(host, &local, DEVICES "/%s", name);

    if (local && !g_error_matches(local, VIRT_ERROR, VIRT_ERROR_NOT_FOUND)) {
        g_propagate_error(error, g_steal_pointer(&local));
        return false;
    }
    *ret = there != NULL;
    return true;
}

/* What the device @name is now; one that does not exist has no parent.
 *
 * Errors: VIRT_ERROR_HOST where it exists and cannot be read.
 */
bool
virtVdpaDeviceRead(virtHost *host, const char *name, virtVdpa *ret, GError **error)
{
    static const virtVdpa none = {.setting.present = VIRT_SETTING_BIT(VIRT_VDPA_DEVICE)};
    g_autoptr(GError) local = NULL;
    virtVdpaDevice device;
    virtVdpa vdpa = none;
    bool exists;

    *ret = none;
    if (!virtVdpaDeviceFind(host, name, &exists, error))
        return false;
    if (!exists)
        return true;
    if (virtVdpaLinkFindDevice(host, name, &device, &local)) {
        const char *parent = device.parent;

        if (*parent == '\0')
            parent = "its own driver"; /* it is not of a management device, and nobody's to delete */
        g_strlcpy(vdpa.made.parent, parent, sizeof(vdpa.made.parent));
        vdpa.made.id = device.id;
        virtVdpaLinkReadConfig(host, name, &vdpa, &local);
    }
    if (!local)
        *ret = vdpa;
    if (!local || g_error_matches(local, VIRT_ERROR, VIRT_ERROR_NOT_FOUND)) /* it has gone meanwhile */
        return true;
    g_propagate_prefixed_error(error, g_steal_pointer(&local), "Cannot read vDPA device %s: ", name);
    return false;
}

/* ---- making ---- */

/* What the parent can do, by which a user sees what to write; the caller frees it. */
static char *
describeParent(virtHost *host, const char *name)
{
    g_autoptr(GArray) parents = virtVdpaLinkListParents(host, NULL);

    for (guint i = 0; parents && i < parents->len; i++) {
        const virtVdpaParent *parent = &g_array_index(parents, virtVdpaParent, i);

        if (g_str_equal(parent->name, name))
            return g_strdup_printf("A device of %s has at most %u virtqueues, and of features 0x%" G_GINT64_MODIFIER
                                   "x",
                                   name, parent->queues, parent->features);
    }
    return g_strdup_printf("There is no %s any more", name);
}

/* What was to be set, in words of the document; the caller frees it. */
static char *
describeWanted(const virtVdpa *wanted)
{
    GString *text = g_string_new(NULL);

    for (guint attr = VIRT_VDPA_MAC; attr < VIRT_VDPA_ATTR_LAST; attr++) {
        g_autofree char *value = NULL;

        if (!virtSettingHas(wanted, attr))
            continue;
        value = virtVdpaInfo.attrs[attr].format(wanted);
        if (text->len > 0)
            g_string_append(text, ", ");
        g_string_append_printf(text, "%s %s", virtVdpaInfo.attrs[attr].title, value);
    }
    if (text->len == 0)
        g_string_append(text, "nothing given");
    return g_string_free(text, FALSE);
}

/* The kernel says little: what a driver refuses, it tells its log alone. */
static void
complainRefused(virtHost *host, const char *name, const virtVdpa *wanted, const char *why, GError **error)
{
    g_autofree char *given = describeWanted(wanted);
    g_autofree char *can = describeParent(host, wanted->made.parent);

    g_set_error(error, VIRT_ERROR, VIRT_ERROR_REFUSED,
                "Cannot make vDPA device %s of %s with %s: %s. %s; the kernel's log may say more", name,
                wanted->made.parent, given, why, can);
}

static void
complainMake(virtHost *host, const char *name, const virtVdpa *wanted, int rc, const char *reason, GError **error)
{
    const char *why = reason;

    if (!why)
        why = g_strerror(-rc);
    if (rc == -EEXIST)
        g_set_error(
            error, VIRT_ERROR, VIRT_ERROR_BUSY,
            "Cannot make vDPA device %s: somebody has just made one of that name. Delete that with vdpa dev del %s, or write another <source dev='/" VIRT_VDPA_DIR
            "/…'/>",
            name, name);
    else if (rc == -ETIMEDOUT)
        g_set_error(
            error, VIRT_ERROR, VIRT_ERROR_HOST,
            "Cannot make vDPA device %s: the kernel does not answer. Somebody is deleting a vDPA device that is in use, and all others wait for that",
            name);
    else
        complainRefused(host, name, wanted, why, error);
}

/* Make the device with all that is wanted of it, but for what its parent takes no value of: it may have that anyway. */
static bool
make(virtHost *host, const char *name, const virtVdpa *wanted, guint *ret_refused, GError **error)
{
    guint attrs = wanted->setting.present & ~VIRT_SETTING_BIT(VIRT_VDPA_DEVICE);
    g_autofree char *reason = NULL;
    int rc = virtVdpaLinkMake(host, name, wanted, attrs, ret_refused, &reason);

    if (rc < 0 && *ret_refused) {
        guint none;
        g_autofree char *again = NULL;

        rc = virtVdpaLinkMake(host, name, wanted, attrs & ~*ret_refused, &none, &again);
        if (rc < 0) {
            g_free(reason);
            reason = g_steal_pointer(&again);
        }
    }
    if (rc == 0)
        return true;
    complainMake(host, name, wanted, rc, reason, error);
    return false;
}

/* Is the device what is wanted? What was not taken counts as long as the device has it. */
static bool
checkMade(virtHost *host, const char *name, const virtVdpa *wanted, guint refused, GError **error)
{
    virtVdpa now;
    guint bits;
    gint attr;
    g_autofree char *should = NULL;
    g_autofree char *is = NULL;
    const char *how = "was made with";

    if (!virtVdpaDeviceRead(host, name, &now, error))
        return false;
    bits = virtSettingDiff(&virtVdpaInfo, wanted, &now);
    if (!bits)
        return true;
    attr = g_bit_nth_lsf(bits, -1);
    should = virtVdpaInfo.attrs[attr].format(wanted);
    is = g_strdup("none that it shows");
    if (virtSettingHas(&now, (guint)attr)) {
        g_free(is);
        is = virtVdpaInfo.attrs[attr].format(&now);
    }
    if (refused & VIRT_SETTING_BIT(attr))
        how = "is of a parent that takes no";
    g_set_error(error, VIRT_ERROR, VIRT_ERROR_REFUSED, "vDPA device %s of %s %s %s %s, and has %s. %s", name,
                wanted->made.parent, how, virtVdpaInfo.attrs[attr].title, should, is, virtVdpaInfo.attrs[attr].remedy);
    return false;
}

static bool
isTaken(virtHost *host, const char *name)
{
    g_autofree char *driver = virtHostReadLink(host, NULL, DEVICES "/%s/driver", name);
    g_autofree char *node = virtVdpaNodeFind(host, name, NULL);
    g_autofree char *path = NULL;

    if (g_strcmp0(driver, DRIVER) != 0 || !node)
        return false;
    path = virtHostPath(host, "dev/%s", node);
    return access(path, F_OK) == 0;
}

/* Give the device to vhost_vdpa. */
static bool
bindVhost(virtHost *host, const char *name, GError **error)
{
    g_autofree char *driver = virtHostReadLink(host, NULL, DEVICES "/%s/driver", name);
    guint waited = 0;
    int rc = virtHostTryWrite(host, DRIVER, DEVICES "/%s/driver_override", name);

    if (rc == 0 && driver && !g_str_equal(driver, DRIVER))
        rc = virtHostTryWriteWithin(host, WAIT_LONGEST, name, "sys/bus/vdpa/drivers/%s/unbind", driver);
    if (rc == 0 && g_strcmp0(driver, DRIVER) != 0)
        rc = virtHostTryWrite(host, name, "sys/bus/vdpa/drivers_probe");
    if (rc == 0) {
        do {
            if (isTaken(host, name))
                return true;
        } while (virtHostWaitMore(host, WAIT_LONGEST, &waited));
        rc = -ENODEV;
    }
    g_set_error(error, VIRT_ERROR, VIRT_ERROR_HOST,
                "Cannot give vDPA device %s to the driver " DRIVER ": %s. The kernel's log may say more", name,
                g_strerror(-rc));
    return false;
}

/* Have the device @name, which exists, be vhost_vdpa's, and its link lead to it.
 *
 * Errors: VIRT_ERROR_NOT_FOUND where that driver is not loaded; VIRT_ERROR_HOST.
 */
bool
virtVdpaDeviceTake(virtHost *host, const char *name, GError **error)
{
    return virtVdpaDeviceCheckDriver(host, error) && bindVhost(host, name, error) &&
           virtVdpaNodeLink(host, name, error);
}

/* Make the device @name as it is @wanted, read that back, and make it ready for a guest. Where this fails, there may be
 * a device.
 *
 * Errors: VIRT_ERROR_BUSY where the name is taken; VIRT_ERROR_REFUSED with the kernel's reason and what the parent can;
 * those of virtVdpaDeviceTake().
 */
bool
virtVdpaDeviceMake(virtHost *host, const char *name, const virtVdpa *wanted, GError **error)
{
    guint refused;

    return virtVdpaDeviceCheckDriver(host, error) && make(host, name, wanted, &refused, error) &&
           checkMade(host, name, wanted, refused, error) && virtVdpaDeviceTake(host, name, error);
}

/* Give a device that exists another MAC address, and read it back.
 *
 * Errors: VIRT_ERROR_REFUSED.
 */
bool
virtVdpaDeviceSetMac(virtHost *host, const char *name, const guint8 mac[6], GError **error)
{
    g_autofree char *reason = NULL;
    int rc = virtVdpaLinkSetMac(host, name, mac, &reason);
    virtVdpa now;

    if (rc < 0) {
        const char *why = reason;

        if (!why)
            why = g_strerror(-rc);
        g_set_error(error, VIRT_ERROR, VIRT_ERROR_REFUSED, "Cannot set the MAC address of vDPA device %s: %s", name,
                    why);
        return false;
    }
    if (!virtVdpaDeviceRead(host, name, &now, error))
        return false;
    if (memcmp(now.mac, mac, sizeof(now.mac)) == 0)
        return true;
    g_set_error(error, VIRT_ERROR, VIRT_ERROR_REFUSED,
                "The driver of vDPA device %s has acknowledged a MAC address, and does not show it", name);
    return false;
}

/* ---- deleting ---- */

/* Has nobody the device open? */
static bool
checkClosed(virtHost *host, const char *name, GError **error)
{
    g_autoptr(GError) local = NULL;
    g_autofree char *node = virtVdpaNodeFind(host, name, &local);
    virtHandle handle;

    if (local) {
        g_propagate_prefixed_error(error, g_steal_pointer(&local), "Cannot delete vDPA device %s: ", name);
        return false;
    }
    if (!node)
        return true; /* vhost_vdpa does not have it, so no process can */
    return virtHandleSet(&handle, "vdpa", name, error) && virtVFIOCheckClosed(host, &handle, node, error);
}

/* Delete the device @name, unless somebody has it open, and the link to it; one that does not exist is deleted.
 *
 * Errors: VIRT_ERROR_BUSY where it is open; VIRT_ERROR_REFUSED with the kernel's reason; VIRT_ERROR_HOST where it
 * cannot be told.
 */
bool
virtVdpaDeviceRemove(virtHost *host, const char *name, GError **error)
{
    g_autofree char *reason = NULL;
    const char *why;
    bool exists;
    int rc;

    if (!virtVdpaDeviceFind(host, name, &exists, error)) {
        g_prefix_error(error, "Cannot delete vDPA device %s: ", name);
        return false;
    }
    if (exists && !checkClosed(host, name, error))
        return false;
    if (!virtVdpaNodeUnlink(host, name, error))
        return false;
    if (!exists)
        return true;
    rc = virtVdpaLinkDelete(host, name, &reason);
    if (rc == 0 || rc == -ENODEV)
        return true;
    if (rc == -ETIMEDOUT) {
        g_set_error(
            error, VIRT_ERROR, VIRT_ERROR_BUSY,
            "Cannot delete vDPA device %s: the kernel does not answer. It was opened meanwhile, or somebody is deleting another that is in use: find who has a /dev/vhost-vdpa-* open with fuser, and stop that",
            name);
        return false;
    }
    why = reason;
    if (!why)
        why = g_strerror(-rc);
    g_set_error(error, VIRT_ERROR, VIRT_ERROR_REFUSED,
                "Cannot delete vDPA device %s: %s. Delete it by hand when nobody uses it: vdpa dev del %s", name, why,
                name);
    return false;
}
