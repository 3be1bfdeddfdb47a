/* virmdevdevice.c: one mediated device: read, made, removed
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Theory of operation. A UUID that is written to the file create of a type makes a device; whatever is written to the
 * device's file remove takes it away. Both are the kernel's own (drivers/vfio/mdev/mdev_sysfs.c), and both have a time
 * in which a device is neither there nor gone: it is out of sysfs, and its UUID is still taken. That is waited for.
 *
 * A device that is open must not be removed. It is out of sysfs at once, and whoever writes to remove then sleeps until
 * the user lets go, where no signal reaches it; meanwhile libvirt no longer finds the device of its own guest. So the
 * group's file is opened first, which the kernel lets one process do (-EBUSY, vfio_group_fops_open in
 * drivers/vfio/group.c). It is closed before the device is removed, because some kernels wait for that file too.
 * Somebody may open it in between; so the write is a process of its own, which is left behind when it takes too long.
 */
#include "util/virmdevdevice.h"
#include "util/virerror.h"
#include "util/virvfio.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define DEVICE "sys/bus/mdev/devices/%s"
#define VFIO_GROUP "dev/vfio/%s"
/* Milliseconds. Measured on an emulated processor, a device was made in 100 and removed in 35. */
#define WAIT_LONGEST 5000

static bool
waitMore(virtHost *host, guint *waited)
{
    if (!virtHostWaitMore(host, WAIT_LONGEST, waited))
        return false;
    host->counts[VIRT_COUNT_RETRIES]++;
    return true;
}

/* ---- reading ---- */

/* Whether there is a device @uuid, of whatever parent and type.
 *
 * Errors: VIRT_ERROR_HOST where that cannot be told.
 */
bool
virtMdevDeviceFind(virtHost *host, const char *uuid, bool *ret, GError **error)
{
    g_autoptr(GError) local = NULL;
    g_autofree char *name = virtHostReadLink(host, &local, DEVICE, uuid);

    if (local && !g_error_matches(local, VIRT_ERROR, VIRT_ERROR_NOT_FOUND)) {
        g_propagate_error(error, g_steal_pointer(&local));
        return false;
    }
    *ret = name != NULL;
    return true;
}

/* Is the device known not to be there? */
static bool
isAway(virtHost *host, const char *uuid)
{
    bool exists;

    return virtMdevDeviceFind(host, uuid, &exists, NULL) && !exists;
}

/* Is the attribute @name in a folder that is a link to elsewhere, or may be? */
static bool
leadsOut(virtHost *host, const char *uuid, const char *name)
{
    const char *slash = strchr(name, '/');
    g_autofree char *folder = NULL;
    g_autofree char *path = NULL;
    char target;

    if (!slash)
        return false;
    folder = g_strndup(name, (gsize)(slash - name));
    path = virtHostPath(host, DEVICE "/%s", uuid, folder);
    return readlink(path, &target, 1) >= 0 || (errno != EINVAL && errno != ENOENT); /* EINVAL: no link */
}

/* A later value of the same name is what the device shows. */
static bool
isRepeated(const virtMdev *mdev, guint i)
{
    for (guint n = i + 1; n < mdev->attrs.count; n++) {
        if (g_str_equal(mdev->attrs.of[n].name, mdev->attrs.of[i].name))
            return true;
    }
    return false;
}

static void
readValue(virtHost *host, const char *uuid, virtMdevValue *value)
{
    g_autofree char *text = NULL;

    if (!leadsOut(host, uuid, value->name))
        text = virtHostRead(host, NULL, DEVICE "/%s", uuid, value->name);
    value->unread = !text || strlen(text) > VIRT_MDEV_VALUE_MAX;
    *value->value = '\0';
    if (value->unread)
        return;
    g_strlcpy(value->value, text, sizeof(value->value));
    g_strstrip(value->value);
}

static bool
readMade(virtHost *host, const char *uuid, const virtMdev *named, virtMdev *mdev, GError **error)
{
    g_autoptr(virtMdevParent) parent = virtMdevParentFindOf(host, uuid, error);
    g_autofree char *type = NULL;
    const char *name;

    if (!parent || !(type = virtHostReadLink(host, error, DEVICE "/mdev_type", uuid)))
        return false;
    name = parent->name;
    if (virtMdevParentIs(parent, named->made.parent))
        name = named->made.parent;
    g_strlcpy(mdev->made.parent, name, sizeof(mdev->made.parent));
    g_strlcpy(mdev->made.type, type, sizeof(mdev->made.type));
    return true;
}

/* What the device @uuid is now; one that does not exist has no type.
 *
 * @named: its attributes are read, and its word for the parent is used where it means the right one
 *
 * Errors: those of virtHostReadLink() and virtMdevParentFindOf() where it exists and cannot be read.
 */
bool
virtMdevDeviceRead(virtHost *host, const char *uuid, const virtMdev *named, virtMdev *ret, GError **error)
{
    virtMdev mdev = {.setting.present = VIRT_SETTING_BIT(VIRT_MDEV_TYPE)};
    g_autoptr(GError) local = NULL;
    bool exists;

    if (!virtMdevDeviceFind(host, uuid, &exists, &local) || (exists && !readMade(host, uuid, named, &mdev, &local))) {
        if (!isAway(host, uuid)) { /* else it has gone meanwhile */
            g_propagate_prefixed_error(error, g_steal_pointer(&local), "Cannot read mediated device %s: ", uuid);
            return false;
        }
        memset(&mdev.made, 0, sizeof(mdev.made));
    }
    if (virtMdevExists(&mdev))
        mdev.setting.present |= VIRT_SETTING_BIT(VIRT_MDEV_ATTRS);
    for (guint i = 0; virtMdevExists(&mdev) && i < named->attrs.count; i++) {
        virtMdevValue *value = &mdev.attrs.of[mdev.attrs.count++];

        g_strlcpy(value->name, named->attrs.of[i].name, sizeof(value->name));
        readValue(host, uuid, value);
        value->unread |= isRepeated(named, i);
    }
    *ret = mdev;
    return true;
}

/* ---- making ---- */

/* What to say of a @number that the kernel has refused to make a device with. What the parent has left is read again.
 */
static void
complainCreate(virtHost *host, const char *uuid, const virtMdevParent *parent, const char *type, int number,
               GError **error)
{
    g_autoptr(virtMdevParent) now = virtMdevParentFind(host, parent->name, NULL);
    g_autofree char *types = NULL;

    if (now)
        types = virtMdevParentDescribeTypes(now);
    else
        types = virtMdevParentDescribeTypes(parent);

    if (number == EEXIST)
        g_set_error(
            error, VIRT_ERROR, VIRT_ERROR_BUSY,
            "Cannot make mediated device %s: its UUID is in use, by a device that is being removed or that somebody has just made. Stop who has it open, or write another <address uuid='…'/>",
            uuid);
    else
        g_set_error(
            error, VIRT_ERROR, VIRT_ERROR_REFUSED,
            "Cannot make mediated device %s as type %s on %s: %s. The types of %s are: %s. Use one that has free instances, or another parent",
            uuid, type, parent->name, g_strerror(number), parent->name, types);
}

/* The kernel has no file for the group until the device has its driver. */
static bool
hasGroup(virtHost *host, const char *uuid)
{
    g_autofree char *group = virtHostReadLink(host, NULL, DEVICE "/iommu_group", uuid);
    g_autofree char *path = NULL;

    if (!group)
        return false;
    path = virtHostPath(host, VFIO_GROUP, group);
    return access(path, F_OK) == 0;
}

static bool
waitForGroup(virtHost *host, const char *uuid, guint *waited, GError **error)
{
    do {
        if (hasGroup(host, uuid))
            return true;
    } while (waitMore(host, waited));
    g_set_error(
        error, VIRT_ERROR, VIRT_ERROR_HOST,
        "Mediated device %s was made, and has no file in /dev/vfio: no VFIO driver has taken it. Load the module vfio_iommu_type1 and the parent's VFIO driver",
        uuid);
    return false;
}

/* Make the device @uuid, ready for a guest. One that is being removed is waited for.
 *
 * Errors: VIRT_ERROR_BUSY where the UUID is taken; VIRT_ERROR_REFUSED with the kernel's reason and the parent's types;
 * VIRT_ERROR_HOST where no driver takes the device that was made.
 */
bool
virtMdevDeviceCreate(virtHost *host, const char *uuid, const virtMdevParent *parent, const char *type, GError **error)
{
    guint waited = 0;
    int rc;

    do
        rc = virtHostTryWrite(host, uuid, "sys/class/mdev_bus/%s/mdev_supported_types/%s/create", parent->name, type);
    while ((rc == -EAGAIN || (rc == -EEXIST && isAway(host, uuid))) && waitMore(host, &waited));
    if (rc < 0) {
        complainCreate(host, uuid, parent, type, -rc, error);
        return false;
    }
    return waitForGroup(host, uuid, &waited, error);
}

/* ---- attributes ---- */

static bool
writeValue(virtHost *host, const char *uuid, const virtMdevValue *value, GError **error)
{
    const char *text = value->value;
    int rc;

    if (leadsOut(host, uuid, value->name)) {
        g_set_error(error, VIRT_ERROR, VIRT_ERROR_REFUSED,
                    "Cannot set attribute '%s' of mediated device %s: it belongs to another device. Drop the <attr>",
                    value->name, uuid);
        return false;
    }
    if (*text == '\0')
        text = "\n"; /* nothing would not reach the driver */
    rc = virtHostTryWrite(host, text, DEVICE "/%s", uuid, value->name);
    if (rc == 0)
        return true;
    if (rc == -ENOENT)
        g_set_error(error, VIRT_ERROR, VIRT_ERROR_REFUSED,
                    "Cannot set attribute '%s' of mediated device %s: devices of this type have none. Drop the <attr>",
                    value->name, uuid);
    else
        g_set_error(
            error, VIRT_ERROR, VIRT_ERROR_REFUSED,
            "Cannot set attribute '%s' of mediated device %s to '%s': %s. Write a value that the parent's driver accepts",
            value->name, uuid, value->value, g_strerror(-rc));
    return false;
}

static bool
checkValue(virtHost *host, const char *uuid, const virtMdevValue *wanted, GError **error)
{
    virtMdevValue now = *wanted;

    readValue(host, uuid, &now);
    if (now.unread || virtMdevValueIs(now.value, wanted->value))
        return true;
    g_set_error(
        error, VIRT_ERROR, VIRT_ERROR_REFUSED,
        "Attribute '%s' of mediated device %s was set to '%s' and shows '%s'. Write a value that the parent's driver accepts",
        wanted->name, uuid, wanted->value, now.value);
    return false;
}

static bool
areRead(const virtMdev *mdev)
{
    for (guint i = 0; i < mdev->attrs.count; i++) {
        if (mdev->attrs.of[i].unread)
            return false;
    }
    return true;
}

/* Give the device the attributes of @wanted, in their order, and read them back, unless @present shows all of them.
 * What can only be written is written, and believed.
 */
bool
virtMdevDeviceSetAttrs(virtHost *host, const char *uuid, const virtMdev *wanted, const virtMdev *present,
                       GError **error)
{
    if (virtSettingEqualAttr(&virtMdevInfo, wanted, present, VIRT_MDEV_ATTRS) && areRead(present))
        return true;
    for (guint i = 0; i < wanted->attrs.count; i++) {
        const virtMdevValue *value = &wanted->attrs.of[i];

        if (value->unread)
            continue;
        if (!writeValue(host, uuid, value, error) || !checkValue(host, uuid, value, error))
            return false;
    }
    return true;
}

/* ---- removing ---- */

/* Has nobody the device open? */
static bool
checkClosed(virtHost *host, const char *uuid, GError **error)
{
    g_autoptr(GError) local = NULL;
    g_autofree char *group = virtHostReadLink(host, &local, DEVICE "/iommu_group", uuid);
    g_autofree char *file = NULL;
    virtHandle handle;

    if (g_error_matches(local, VIRT_ERROR, VIRT_ERROR_NOT_FOUND))
        return true; /* no driver has taken it */
    if (!group) {
        g_propagate_prefixed_error(error, g_steal_pointer(&local), "Cannot remove mediated device %s: ", uuid);
        return false;
    }
    file = g_strconcat("vfio/", group, NULL);
    return virtHandleSet(&handle, "mdev", uuid, error) && virtVFIOCheckClosed(host, &handle, file, error);
}

/* Remove the device @uuid, unless somebody has it open; one that does not exist is removed.
 *
 * Errors: VIRT_ERROR_BUSY where it is open; VIRT_ERROR_REFUSED with the kernel's reason; VIRT_ERROR_HOST where it
 * cannot be told.
 */
bool
virtMdevDeviceRemove(virtHost *host, const char *uuid, GError **error)
{
    guint waited = 0;
    bool exists;
    int rc;

    if (!virtMdevDeviceFind(host, uuid, &exists, error)) {
        g_prefix_error(error, "Cannot remove mediated device %s: ", uuid);
        return false;
    }
    if (!exists)
        return true;
    if (!checkClosed(host, uuid, error))
        return false;
    do
        rc = virtHostTryWriteWithin(host, WAIT_LONGEST, "1", DEVICE "/remove", uuid);
    while (rc == -EAGAIN && !isAway(host, uuid) && waitMore(host, &waited));
    while (rc == 0 && !isAway(host, uuid) && waitMore(host, &waited))
        ;
    if (rc == -ETIMEDOUT)
        virtHostWarn(
            host,
            "Mediated device %s was opened while it was being removed: its UUID is free again when whoever has it has ended",
            uuid);
    if (isAway(host, uuid))
        return true;
    if (rc == 0)
        rc = -EBUSY;
    g_set_error(error, VIRT_ERROR, VIRT_ERROR_REFUSED,
                "Cannot remove mediated device %s: %s. Remove it by hand when nobody uses it: mdevctl stop --uuid %s",
                uuid, g_strerror(-rc), uuid);
    return false;
}
