/* provider_mdev.c: mediated devices, made for their guests
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Theory of operation. Whether the device exists is a setting like any other: before a start there is none, and to
 * restore that is to remove it. A record that remembers a device from before is about one that somebody else has made:
 * the guest may use it if it is what is wanted, and it stays. Such a device may also come between the moment when a
 * start has read that there is none, and has written that down, and the one in which it makes its own. The kernel then
 * refuses the UUID, and the record is corrected before anything is undone.
 *
 * libvirt still has the device open when the guest has stopped. So it goes when libvirt has released it, and if
 * somebody has it open even then, it stays until that ends (virmdevdevice.c says why).
 */
#include "hypervisor/provider_mdev.h"

#include <string.h>

#include "conf/mdev_conf.h"
#include "hypervisor/provision_record.h"
#include "util/virerror.h"
#include "util/virmdevdefined.h"
#include "util/virmdevdevice.h"

static const virtMdevParent *
parentOf(const virtTarget *target)
{
    return target->device;
}

/* What is wanted, of which there is one; or NULL. */
static const virtMdev *
wantedOf(const virtTarget *target)
{
    return virtSettingListFind(target->wanted, 0);
}

static void
prefixDevice(const virtTarget *target, GError **error)
{
    g_prefix_error(error, "Cannot use mediated device %s: ", target->handle.name);
}

/* ---- finding ---- */

/* The parent of a device that is not wanted to exist: where it is now, or was made. Returns false where nobody knows.
 */
static bool
findPast(virtHost *host, virtTarget *target, GError **error)
{
    g_autoptr(virtRecord) record = NULL;
    bool exists;

    if (!virtMdevDeviceFind(host, target->handle.name, &exists, error))
        return false;
    if (exists) {
        virtMdevParent *parent = virtMdevParentFindOf(host, target->handle.name, error);

        target->device = parent;
        if (parent)
            target->parent = parent->handle;
        return parent != NULL;
    }
    if (!(record = virtProvisionRecordLoad(host, &target->handle, error)))
        return false;
    target->parent = record->parent;
    return true;
}

/* Where the document leaves it to the host what the device is: as it is defined there. */
static bool
completeWanted(virtHost *host, virtTarget *target, GError **error)
{
    const virtMdev *wanted = wantedOf(target);
    GPtrArray *defined;

    if (!wanted || virtSettingHas(wanted, VIRT_MDEV_TYPE))
        return true;
    defined = virtSettingListNew();
    g_ptr_array_add(defined, virtSettingNew(&virtMdevInfo, 0));
    g_ptr_array_unref(target->wanted);
    target->wanted = defined;
    if (virtMdevDefinedRead(host, target->handle.name, defined->pdata[0], error))
        return true;
    prefixDevice(target, error);
    return false;
}

/* The same, as it was when the device was made. */
static GPtrArray *
follow(const GPtrArray *wanted, const GPtrArray *recorded)
{
    const virtMdev *mdev = virtSettingListFind(wanted, 0);
    const GPtrArray *list = wanted;

    if (mdev && !virtSettingHas(mdev, VIRT_MDEV_TYPE) && recorded->len > 0)
        list = recorded;
    return g_ptr_array_ref((GPtrArray *)list);
}

static bool
locateDevice(virtHost *host, virtTarget *target, GError **error)
{
    const virtMdev *wanted;
    virtMdevParent *parent;

    if (!completeWanted(host, target, error))
        return false;
    wanted = wantedOf(target);
    if (!wanted || !virtMdevExists(wanted))
        return findPast(host, target, error);
    if (!(parent = virtMdevParentFind(host, wanted->made.parent, error))) {
        prefixDevice(target, error);
        return false;
    }
    target->device = parent;
    target->parent = parent->handle;
    return true;
}

static bool
openDevice(virtHost *host, const virtOwner *owner, virtTarget *target, GError **error)
{
    return locateDevice(host, target, error);
}

static void
closeDevice(virtTarget *target)
{
    virtMdevParentFree(target->device);
}

/* The one among @settings of a record. */
static const virtMdev *
findIn(const virtSettings *settings)
{
    for (guint k = 0; virtProviders[k]; k++) {
        if (virtProviders[k] == &virtProviderMdev)
            return virtSettingListFind(settings->of[k], 0);
    }
    return NULL;
}

/* Has somebody else removed what the record speaks of, or put another in its place? None is what was there before, of
 * one that was made for the guest. */
static bool
isDeviceGone(virtHost *host, const virtRecord *record, bool *ret, GError **error)
{
    const virtMdev *before = findIn(&record->before), *wanted = findIn(&record->wanted);
    const virtMdev *meant = before;
    virtMdev now;

    *ret = false;
    if (!before || !wanted)
        return true;
    if (!virtMdevExists(before))
        meant = wanted;
    if (!virtMdevDeviceRead(host, record->handle.name, meant, &now, error))
        return false;
    if (virtMdevExists(&now))
        *ret = !virtSettingEqualAttr(&virtMdevInfo, &now, meant, VIRT_MDEV_TYPE);
    else
        *ret = virtMdevExists(before);
    return true;
}

/* ---- judging ---- */

/* Is there a type of that name at the parent? */
static bool
checkType(const virtTarget *target, gconstpointer setting, GError **error)
{
    const virtMdev *wanted = setting;
    const virtMdevParent *parent = parentOf(target);
    g_autofree char *types = NULL;

    if (!parent || virtMdevParentGetType(parent, wanted->made.type))
        return true;
    types = virtMdevParentDescribeTypes(parent);
    g_set_error(error, VIRT_ERROR, VIRT_ERROR_HOST,
                "Cannot use mediated device %s: %s has no type '%s'. Its types are: %s", target->handle.name,
                parent->name, wanted->made.type, types);
    return false;
}

/* What somebody else has made in the place of @wanted, in a sentence; NULL: nothing. The caller frees it. */
static char *
findOther(const virtTarget *target, const virtMdev *wanted, const virtMdev *present)
{
    if (!virtMdevExists(present) || virtSettingEqualAttr(&virtMdevInfo, wanted, present, VIRT_MDEV_TYPE))
        return NULL;
    return g_strdup_printf(
        "mediated device %s already exists as type %s on %s, which somebody else has made. Write that in <mdev>, or another <address uuid='...'/>",
        target->handle.name, present->made.type, present->made.parent);
}

/* Whether the parent has room for @wanted; else that in a sentence, which the caller frees. */
static char *
findShortage(const virtTarget *target, const virtMdev *wanted)
{
    const virtMdevParent *parent = parentOf(target);
    const virtMdevType *type = NULL;
    g_autofree char *types = NULL;

    if (parent)
        type = virtMdevParentGetType(parent, wanted->made.type);
    if (!type || type->free > 0)
        return NULL;
    types = virtMdevParentDescribeTypes(parent);
    return g_strdup_printf(
        "type %s of %s has no free instance. The types of %s are: %s. Use one that has free instances, or another parent",
        wanted->made.type, parent->name, parent->name, types);
}

static char *
foreseeDevice(virtHost *host, const virtTarget *target, gconstpointer wanted, gconstpointer present, guint attr)
{
    if (attr != VIRT_MDEV_TYPE)
        return NULL;
    if (virtMdevExists(present))
        return findOther(target, wanted, present);
    return findShortage(target, wanted);
}

/* Says of what is wanted how many more of it the parent has, if it is to be made. */
static void
countFree(virtHost *host, const virtOwner *owner, virtTarget *target)
{
    GPtrArray *wanted = target->wanted;
    const virtMdevType *type = NULL;
    virtMdev *mdev;
    bool exists;

    if (wanted->len == 0 || !parentOf(target) || !virtMdevDeviceFind(host, target->handle.name, &exists, NULL) ||
        exists)
        return;
    target->wanted = virtSettingListCopy(&virtMdevInfo, wanted);
    g_ptr_array_unref(wanted);
    mdev = target->wanted->pdata[0];
    if ((type = virtMdevParentGetType(parentOf(target), mdev->made.type)))
        mdev->made.free = type->free;
}

/* ---- verbs ---- */

static GPtrArray *
readDevice(virtHost *host, const virtTarget *target, const GPtrArray *which, GError **error)
{
    g_autoptr(GPtrArray) list = virtSettingListNew();
    virtMdev *mdev;

    if (which->len == 0)
        return g_steal_pointer(&list);
    mdev = virtSettingNew(&virtMdevInfo, 0);
    g_ptr_array_add(list, mdev);
    if (!virtMdevDeviceRead(host, target->handle.name, which->pdata[0], mdev, error))
        return NULL;
    return g_steal_pointer(&list);
}

/* Somebody else has made the device since it was read: let the record say that it was there before. What marks the
 * records of a start as active does not reach this one any more. */
static bool
disown(virtHost *host, const virtTarget *target, const virtMdev *now, GError **error)
{
    g_autoptr(virtRecord) record = virtProvisionRecordLoad(host, &target->handle, error);
    GPtrArray *before;

    if (!record)
        return false;
    before = record->before.of[target->kind];
    g_ptr_array_set_size(before, 0);
    g_ptr_array_add(before, virtSettingCopy(&virtMdevInfo, now));
    return virtProvisionRecordSave(host, record, VIRT_PHASE_ACTIVE, error);
}

/* Make the device. Where it has come since it was looked for, it is not the one that is wanted: whoever has made it may
 * be about to use it. */
static bool
make(virtHost *host, const virtTarget *target, const virtMdev *wanted, GError **error)
{
    const char *uuid = target->handle.name;
    g_autoptr(GError) problem = NULL;
    g_autoptr(GError) local = NULL;
    virtMdev now;

    if (virtMdevDeviceCreate(host, uuid, parentOf(target), wanted->made.type, &problem))
        return true;
    if (g_error_matches(problem, VIRT_ERROR, VIRT_ERROR_BUSY) &&
        (!virtMdevDeviceRead(host, uuid, wanted, &now, &local) ||
         (virtMdevExists(&now) && !disown(host, target, &now, &local))))
        g_prefix_error(&problem, "%s. ", local->message);
    g_propagate_error(error, g_steal_pointer(&problem));
    return false;
}

static bool
checkMade(const virtTarget *target, const virtMdev *wanted, const virtMdev *now, GError **error)
{
    if (virtSettingEqualAttr(&virtMdevInfo, wanted, now, VIRT_MDEV_TYPE))
        return true;
    g_set_error(error, VIRT_ERROR, VIRT_ERROR_REFUSED,
                "Mediated device %s was made as type %s on %s, and does not show as that. Try again",
                target->handle.name, wanted->made.type, wanted->made.parent);
    return false;
}

/* Make the device, or use the one that there is. One that has come since @target was read was there before. */
static bool
makeOrUse(virtHost *host, const virtTarget *target, const virtMdev *wanted, virtMdev *now, GError **error)
{
    const char *uuid = target->handle.name;
    const virtMdev *present = virtSettingListFind(target->present, 0);
    g_autofree char *other = findOther(target, wanted, now);

    if (other) {
        g_set_error(error, VIRT_ERROR, VIRT_ERROR_REFUSED, "Cannot make mediated device %s: %s", uuid, other);
        return false;
    }
    if (virtMdevExists(now))
        return !present || virtMdevExists(present) || disown(host, target, now, error);
    return make(host, target, wanted, error) && virtMdevDeviceRead(host, uuid, wanted, now, error) &&
           checkMade(target, wanted, now, error);
}

static bool
setDevice(virtHost *host, const virtTarget *target, const virtMdev *wanted, GError **error)
{
    virtMdev now;

    if (!virtMdevDeviceRead(host, target->handle.name, wanted, &now, error) ||
        !makeOrUse(host, target, wanted, &now, error))
        return false;
    return !virtSettingHas(wanted, VIRT_MDEV_ATTRS) ||
           virtMdevDeviceSetAttrs(host, target->handle.name, wanted, &now, error);
}

static bool
setDevices(virtHost *host, virtTarget *const *targets, guint n, GError **error)
{
    for (guint i = 0; i < n; i++) {
        const virtMdev *wanted = wantedOf(targets[i]);

        if (wanted && !setDevice(host, targets[i], wanted, error))
            return false;
    }
    return true;
}

/* Remove the device, unless disown() has corrected the record since. */
static bool
removeOwn(virtHost *host, const virtTarget *target, GError **error)
{
    g_autoptr(virtRecord) record = virtProvisionRecordLoad(host, &target->handle, error);
    const virtMdev *before;

    if (!record)
        return false;
    before = virtSettingListFind(record->before.of[target->kind], 0);
    return (before && virtMdevExists(before)) || virtMdevDeviceRemove(host, target->handle.name, error);
}

static void
warnUnread(virtHost *host, const virtTarget *target, const virtMdev *before)
{
    for (guint i = 0; i < before->attrs.count; i++) {
        if (before->attrs.of[i].unread)
            virtHostWarn(
                host,
                "Attribute '%s' of mediated device %s cannot be read, so it keeps what it was set to: the device was there before, and what the attribute was is unknown",
                before->attrs.of[i].name, target->handle.name);
    }
}

/* What was made is removed; what was there before gets its attributes back. */
static bool
restoreDevice(virtHost *host, const virtTarget *target, const GPtrArray *before, GError **error)
{
    const virtMdev *was = virtSettingListFind(before, 0);
    virtMdev now;

    if (!was)
        return true;
    if (!virtMdevExists(was))
        return removeOwn(host, target, error);
    if (was->attrs.count == 0)
        return true;
    warnUnread(host, target, was);
    return virtMdevDeviceRead(host, target->handle.name, was, &now, error) &&
           (!virtMdevExists(&now) || virtMdevDeviceSetAttrs(host, target->handle.name, was, &now, error));
}

static char *
describeDevice(const virtTarget *target, guint number)
{
    return g_strdup_printf("mediated device %s of %s", target->handle.name, target->parent.name);
}

const virtProvider virtProviderMdev = {
    .kind = &virtMdevKind,
    .restoreAt = VIRT_RESTORE_RELEASED,
    .locate = locateDevice,
    .open = openDevice,
    .close = closeDevice,
    .isGone = isDeviceGone,
    .resolve = countFree,
    .follow = follow,
    .check = checkType,
    .read = readDevice,
    .set = setDevices,
    .restore = restoreDevice,
    .foresee = foreseeDevice,
    .describe = describeDevice,
};
