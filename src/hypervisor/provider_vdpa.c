/* provider_vdpa.c: vDPA devices, made for their guests
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Theory of operation. Whether the device exists is a setting like any other: before a start there is none, and to
 * restore that is to delete it. All vDPA devices of the host share one space of names, so a device of the name that is
 * wanted may be somebody else's: without a record of ours it is told, and neither used nor deleted. It may also come
 * between the moment when a start has read that there is none, and has written that down, and the one in which it makes
 * its own. The kernel then refuses the name, and the record is corrected before anything is undone.
 *
 * The device may be of a sub-function that is made for it, and goes after it. That is a part of the same setting: a
 * sub-function of that number which no record knows is somebody else's too. Its management device, and what that can,
 * is known when it is made.
 *
 * A management device that sits on a bus is a function of a card, and makes one device; some drivers would make a
 * second one, and then lose the first. The others are simulators, and make any number.
 *
 * QEMU has closed the device when the guest has stopped, so it goes then.
 */
#include "hypervisor/provider_vdpa.h"

#include <string.h>

#include "conf/vdpa_conf.h"
#include "hypervisor/provision_record.h"
#include "util/virerror.h"
#include "util/virsubfunction.h"
#include "util/virvdpadevice.h"
#include "util/virvdpalink.h"
#include "util/virvdpanode.h"

#define WAIT_LONGEST 10000 /* milliseconds, for the management device of a sub-function: virsubfunction.c */

/* What is known of the management device of what is wanted. */
typedef struct {
    virtHandle pf;                        /* of the sub-function that is made first; none: none is */
    virtVdpaParent parent;                /* no name: it is a sub-function's, and not made yet */
    char other[VIRT_VDPA_DEVICE_MAX + 1]; /* a device that is in the way of another one there; "": none */
    bool hasDriver;                       /* vhost_vdpa is loaded */
    char *noDriver;                       /* why it is not, and what to do */
} Place;

static Place *
placeOf(const virtTarget *target)
{
    return target->device;
}

/* The PF of the sub-function that is made for the device; none where none is. */
static bool
findPF(const virtVdpa *vdpa, virtHandle *ret, GError **error)
{
    memset(ret, 0, sizeof(*ret));
    return !vdpa->made.isSF || virtHandleParse(vdpa->made.parent, ret, error);
}

/* What is wanted, of which there is one; or NULL. */
static const virtVdpa *
wantedOf(const virtTarget *target)
{
    return virtSettingListFind(target->wanted, 0);
}

static void
prefixDevice(const virtTarget *target, GError **error)
{
    g_prefix_error(error, "Cannot use vDPA device %s: ", target->handle.name);
}

/* ---- finding ---- */

/* The handle of a management device, whose lock serialises nothing: see virtProvisionLockOf(). */
static bool
setParent(virtTarget *target, const char *name, GError **error)
{
    if (strchr(name, '/'))
        return virtHandleParse(name, &target->parent, error);
    return virtHandleSet(&target->parent, "parent", name, error);
}

/* The parent of a device that is not wanted to exist: where it is now, or was made. */
static bool
findPast(virtHost *host, virtTarget *target, GError **error)
{
    g_autoptr(virtRecord) record = virtProvisionRecordLoad(host, &target->handle, error);

    if (!record)
        return false;
    target->parent = record->parent;
    return true;
}

static bool
locateDevice(virtHost *host, virtTarget *target, GError **error)
{
    const virtVdpa *wanted = wantedOf(target);

    if (!g_str_equal(target->handle.bus, "vdpa")) {
        g_set_error(error, VIRT_ERROR, VIRT_ERROR_INVALID, "%s %s is no vDPA device",
                    virtHandleGetNoun(&target->handle), target->handle.name);
        return false;
    }
    if (!wanted || !virtVdpaExists(wanted))
        return findPast(host, target, error);
    return setParent(target, wanted->made.parent, error);
}

/* The names of @parents, for people; the caller frees it. */
static char *
listNames(const GArray *parents)
{
    GString *names = g_string_new(NULL);

    for (guint i = 0; i < parents->len; i++) {
        if (i > 0)
            g_string_append(names, ", ");
        g_string_append(names, g_array_index(parents, virtVdpaParent, i).name);
    }
    if (parents->len == 0)
        g_string_append(names, "none");
    return g_string_free(names, FALSE);
}

static bool
findParent(virtHost *host, const char *name, virtVdpaParent *ret, GError **error)
{
    g_autoptr(GArray) parents = virtVdpaLinkListParents(host, error);
    g_autofree char *names = NULL;

    if (!parents)
        return false;
    for (guint i = 0; i < parents->len; i++) {
        const virtVdpaParent *parent = &g_array_index(parents, virtVdpaParent, i);

        if (!g_str_equal(parent->name, name))
            continue;
        *ret = *parent;
        return true;
    }
    names = listNames(parents);
    g_set_error(
        error, VIRT_ERROR, VIRT_ERROR_NOT_FOUND,
        "the host has no vDPA management device %s; those that it has: %s. Load the vDPA driver of the device; with mlx5, its devlink parameter enable_vnet has to be set too",
        name, names);
    return false;
}

/* Find a device other than @name that leaves no room for it at @parent. */
static bool
findOther(virtHost *host, const char *name, const char *parent, char ret[VIRT_VDPA_DEVICE_MAX + 1], GError **error)
{
    g_autoptr(GArray) devices = NULL;

    *ret = '\0';
    if (virtVdpaLinkIsSimulator(parent))
        return true;
    if (!(devices = virtVdpaLinkListDevices(host, error)))
        return false;
    for (guint i = 0; i < devices->len; i++) {
        const virtVdpaDevice *device = &g_array_index(devices, virtVdpaDevice, i);

        if (g_str_equal(device->parent, parent) && !g_str_equal(device->name, name))
            g_strlcpy(ret, device->name, VIRT_VDPA_DEVICE_MAX + 1);
    }
    return true;
}

/* Find the management device of what is wanted, and what is in its way. */
static bool
findPlace(virtHost *host, const virtTarget *target, const char *name, Place *place, GError **error)
{
    return findParent(host, name, &place->parent, error) &&
           findOther(host, target->handle.name, name, place->other, error);
}

/* The same of a sub-function, as long as it has one. */
static bool
findSubfunctionPlace(virtHost *host, const virtTarget *target, const virtVdpa *wanted, Place *place, GError **error)
{
    g_autoptr(GError) local = NULL;
    char name[VIRT_HANDLE_LEN];
    virtHandle device;

    if (!virtSubfunctionFindDevice(host, &place->pf, wanted->made.sf, &device, error))
        return false;
    if (virtHandleIsNone(&device))
        return true;
    virtHandleFormat(&device, name);
    if (findParent(host, name, &place->parent, &local))
        return findOther(host, target->handle.name, name, place->other, error);
    if (g_error_matches(local, VIRT_ERROR, VIRT_ERROR_NOT_FOUND))
        return true;
    g_propagate_error(error, g_steal_pointer(&local));
    return false;
}

static bool
openDevice(virtHost *host, const virtOwner *owner, virtTarget *target, GError **error)
{
    const virtVdpa *wanted = wantedOf(target);
    g_autoptr(GError) noDriver = NULL;
    Place *place;
    bool ok;

    if (!locateDevice(host, target, error))
        return false;
    if (!wanted || !virtVdpaExists(wanted))
        return true;
    place = g_new0(Place, 1);
    target->device = place;
    place->hasDriver = virtVdpaDeviceCheckDriver(host, &noDriver);
    if (noDriver)
        place->noDriver = g_strdup(noDriver->message);
    if (!findPF(wanted, &place->pf, error))
        return false;
    if (wanted->made.isSF)
        ok =
            virtSubfunctionCheckPF(host, &place->pf, error) && findSubfunctionPlace(host, target, wanted, place, error);
    else
        ok = findPlace(host, target, wanted->made.parent, place, error);
    if (!ok)
        prefixDevice(target, error);
    return ok;
}

static void
closeDevice(virtTarget *target)
{
    Place *place = target->device;

    g_free(place->noDriver);
    g_free(place);
}

/* ---- reading ---- */

/* Say what @now is in the terms of what is @wanted, a device of a sub-function; where there is no device, the
 * sub-function itself. */
static bool
tellSubfunction(virtHost *host, const virtVdpa *wanted, virtVdpa *now, GError **error)
{
    char name[VIRT_HANDLE_LEN];
    virtHandle pf, device;
    bool is;

    if (!findPF(wanted, &pf, error))
        return false;
    if (virtVdpaExists(now)) {
        if (!virtSubfunctionFindDevice(host, &pf, wanted->made.sf, &device, error))
            return false;
        virtHandleFormat(&device, name);
        is = g_str_equal(now->made.parent, name);
    } else if (!virtSubfunctionFind(host, &pf, wanted->made.sf, &is, error)) {
        return false;
    }
    if (!is)
        return true;
    g_strlcpy(now->made.parent, wanted->made.parent, sizeof(now->made.parent));
    now->made.isSF = true;
    now->made.sf = wanted->made.sf;
    return true;
}

/* What the device @name is now, in the terms of what is @wanted; NULL: in the kernel's. */
static bool
readAs(virtHost *host, const char *name, const virtVdpa *wanted, virtVdpa *now, GError **error)
{
    if (!virtVdpaDeviceRead(host, name, now, error))
        return false;
    return !wanted || !wanted->made.isSF || tellSubfunction(host, wanted, now, error);
}

/* Is it a sub-function that has no vDPA device? */
static bool
isBare(const virtVdpa *vdpa)
{
    return vdpa->made.isSF && vdpa->made.id == VIRT_VDPA_NONE;
}

/* The one among @settings of a record. */
static const virtVdpa *
findIn(const virtSettings *settings)
{
    return virtSettingListFind(settings->of[VIRT_SETTING_VDPA], 0);
}

static bool
isSubfunctionGone(virtHost *host, const virtVdpa *wanted, bool *ret, GError **error)
{
    virtHandle pf;
    bool is;

    if (!findPF(wanted, &pf, error) || !virtSubfunctionFind(host, &pf, wanted->made.sf, &is, error))
        return false;
    *ret = !is;
    return true;
}

/* Has somebody else put another device in the place of what the record speaks of? None is what was there before. A
 * sub-function that was made for it is left to remove all the same. */
static bool
isDeviceGone(virtHost *host, const virtRecord *record, bool *ret, GError **error)
{
    const virtVdpa *before = findIn(&record->before), *wanted = findIn(&record->wanted);
    virtVdpa now;

    *ret = false;
    if (!before || !wanted || virtVdpaExists(before)) /* the last is somebody else's, and left alone */
        return true;
    if (!readAs(host, record->handle.name, wanted, &now, error))
        return false;
    *ret =
        virtVdpaExists(&now) && !isBare(&now) && !virtSettingEqualAttr(&virtVdpaInfo, &now, wanted, VIRT_VDPA_DEVICE);
    return !*ret || !wanted->made.isSF || isSubfunctionGone(host, wanted, ret, error);
}

/* ---- judging ---- */

G_GNUC_PRINTF(3, 4)
static bool
refuse(const virtTarget *target, GError **error, const char *format, ...)
{
    g_autofree char *why = NULL;
    va_list args;

    va_start(args, format);
    why = g_strdup_vprintf(format, args);
    va_end(args);
    g_set_error(error, VIRT_ERROR, VIRT_ERROR_HOST, "Cannot use vDPA device %s: %s", target->handle.name, why);
    return false;
}

static bool
checkClass(const virtTarget *target, const virtVdpa *wanted, const virtVdpaParent *parent, GError **error)
{
    const char *element = "an <interface>", *class = virtVdpaGetClassName(wanted->made.id);

    if (parent->classes & G_GUINT64_CONSTANT(1) << wanted->made.id)
        return true;
    if (wanted->made.id == VIRT_VDPA_BLOCK)
        element = "a <disk>";
    return refuse(target, error, "%s does not make %s devices, and %s is one. Write another parent in <vdpa>",
                  parent->name, class, element);
}

/* Can the parent make such a device, as far as it says? */
static bool
checkDevice(const virtTarget *target, gconstpointer setting, GError **error)
{
    const virtVdpa *wanted = setting;
    const Place *place = placeOf(target);
    const virtVdpaParent *parent;

    if (!place)
        return true;
    parent = &place->parent;
    if (!place->hasDriver)
        return refuse(target, error, "%s", place->noDriver);
    if (*parent->name == '\0')
        return true; /* that can be told when the sub-function is made */
    if (!checkClass(target, wanted, parent, error))
        return false;
    if (virtSettingHas(wanted, VIRT_VDPA_QUEUES) && parent->queues > 0 && 2 * (guint32)wanted->pairs > parent->queues)
        return refuse(
            target, error,
            "a device of %s has at most %u virtqueues, and %u queue pairs are two each. Write at most %u in <driver queues='...'>",
            parent->name, parent->queues, wanted->pairs, parent->queues / 2);
    if (virtSettingHas(wanted, VIRT_VDPA_FEATURES) && parent->features && (wanted->features & ~parent->features))
        return refuse(target, error,
                      "%s does not offer features 0x%" G_GINT64_MODIFIER
                      "x of those wanted. Write at most 0x%" G_GINT64_MODIFIER "x in <vdpa features='...'>",
                      parent->name, wanted->features & ~parent->features, parent->features);
    return true;
}

/* What is in the way of the device, in a sentence; NULL: nothing. The caller frees it. */
static char *
findShortage(const virtTarget *target)
{
    const Place *place = placeOf(target);

    if (!place || *place->other == '\0')
        return NULL;
    return g_strdup_printf(
        "%s has vDPA device %s already, and makes one at a time. Stop who uses that, or delete it with vdpa dev del %s, or write another parent",
        place->parent.name, place->other, place->other);
}

/* A device, or a sub-function, that exists and that no record knows is somebody else's. */
static char *
findForeign(const virtTarget *target, const virtVdpa *now)
{
    if (isBare(now))
        return g_strdup_printf(
            "sub-function %u of %s exists already, and was not made for this guest. Write another 'sfnum', or use it as it is, with its management device as the 'parent'; devlink port show and virt-hostdev list show them",
            now->made.sf, now->made.parent);
    return g_strdup_printf(
        "a device of that name exists already, and was not made for this guest. Delete it with vdpa dev del %s, or write another <source dev='/" VIRT_VDPA_DIR
        "/...'/>",
        target->handle.name);
}

static bool
checkOnHost(virtHost *host, const virtTarget *target, GError **error)
{
    g_autofree char *foreign = NULL;
    virtVdpa now;

    if (virtProvisionRecordExists(host, &target->handle))
        return true;
    if (!readAs(host, target->handle.name, wantedOf(target), &now, error))
        return false;
    if (!virtVdpaExists(&now))
        return true;
    foreign = findForeign(target, &now);
    return refuse(target, error, "%s", foreign);
}

static char *
foreseeDevice(virtHost *host, const virtTarget *target, gconstpointer wanted, gconstpointer present, guint attr)
{
    if (attr != VIRT_VDPA_DEVICE || virtVdpaExists(present))
        return NULL;
    return findShortage(target);
}

/* ---- verbs ---- */

static GPtrArray *
readDevice(virtHost *host, const virtTarget *target, const GPtrArray *which, GError **error)
{
    g_autoptr(GPtrArray) list = virtSettingListNew();
    virtVdpa *vdpa;

    if (which->len == 0)
        return g_steal_pointer(&list);
    vdpa = virtSettingNew(&virtVdpaInfo, 0);
    g_ptr_array_add(list, vdpa);
    if (!readAs(host, target->handle.name, wantedOf(target), vdpa, error))
        return NULL;
    return g_steal_pointer(&list);
}

/* Somebody else has made the device since it was read: let the record say that it was there before. What marks the
 * records of a start as active does not reach this one any more. */
static bool
disown(virtHost *host, const virtTarget *target, GError **error)
{
    g_autoptr(virtRecord) record = virtProvisionRecordLoad(host, &target->handle, error);
    GPtrArray *before;
    virtVdpa *now;

    if (!record)
        return false;
    now = virtSettingNew(&virtVdpaInfo, 0);
    before = record->before.of[target->kind];
    g_ptr_array_set_size(before, 0);
    g_ptr_array_add(before, now);
    return readAs(host, target->handle.name, wantedOf(target), now, error) &&
           virtProvisionRecordSave(host, record, VIRT_PHASE_ACTIVE, error);
}

/* Wait for the management device of the sub-function @name, which its driver brings after the device itself. */
static bool
waitParent(virtHost *host, const virtTarget *target, const char *name, Place *place, GError **error)
{
    g_autoptr(GError) local = NULL;
    guint waited = 0;

    do {
        g_clear_error(&local);
        if (findPlace(host, target, name, place, &local))
            return true;
    } while (g_error_matches(local, VIRT_ERROR, VIRT_ERROR_NOT_FOUND) && virtHostWaitMore(host, WAIT_LONGEST, &waited));
    g_propagate_prefixed_error(
        error, g_steal_pointer(&local),
        "Cannot make vDPA device %s: the driver of the sub-function has made no management device of it: ",
        target->handle.name);
    return false;
}

static bool
makeSubfunction(virtHost *host, const virtTarget *target, const virtVdpa *wanted, GError **error)
{
    const guint8 *mac = virtSettingHas(wanted, VIRT_VDPA_MAC) ? wanted->mac : NULL;
    Place *place = placeOf(target);
    char name[VIRT_HANDLE_LEN];
    virtHandle device;

    if (!virtSubfunctionMake(host, &place->pf, wanted->made.sf, mac, &device, error) ||
        !virtSubfunctionEnableVdpa(host, &device, error)) {
        g_prefix_error(error, "Cannot make vDPA device %s: ", target->handle.name);
        return false;
    }
    virtHandleFormat(&device, name);
    return waitParent(host, target, name, place, error) && checkDevice(target, wanted, error);
}

/* The device itself, at its management device. */
static bool
makeDevice(virtHost *host, const virtTarget *target, const virtVdpa *wanted, GError **error)
{
    g_autofree char *shortage = findShortage(target);
    virtVdpa there = *wanted;

    if (shortage) {
        g_set_error(error, VIRT_ERROR, VIRT_ERROR_REFUSED, "Cannot make vDPA device %s: %s", target->handle.name,
                    shortage);
        return false;
    }
    g_strlcpy(there.made.parent, placeOf(target)->parent.name, sizeof(there.made.parent));
    there.made.isSF = false;
    there.made.sf = 0;
    return virtVdpaDeviceMake(host, target->handle.name, &there, error);
}

/* Is there no device of the sub-function? Whoever takes that away would take the device away too, and wait for its
 * user. */
static bool
checkUnused(virtHost *host, const virtTarget *target, const virtHandle *pf, guint32 number, GError **error)
{
    char name[VIRT_HANDLE_LEN], other[VIRT_VDPA_DEVICE_MAX + 1];
    virtHandle device;

    if (!virtSubfunctionFindDevice(host, pf, number, &device, error))
        return false;
    if (virtHandleIsNone(&device))
        return true;
    virtHandleFormat(&device, name);
    if (!findOther(host, target->handle.name, name, other, error))
        return false;
    if (*other == '\0')
        return true;
    g_set_error(
        error, VIRT_ERROR, VIRT_ERROR_BUSY,
        "Cannot remove sub-function %u of %s/%s: somebody else has made vDPA device %s of it. Delete that with vdpa dev del %s when nobody uses it, and then run virt-hostdev recover",
        number, pf->bus, pf->name, other, other);
    return false;
}

/* Remove the sub-function, of which nothing but the target's own device may have been made. */
static bool
removeSubfunction(virtHost *host, const virtTarget *target, const virtHandle *pf, guint32 number, GError **error)
{
    return checkUnused(host, target, pf, number, error) && virtSubfunctionRemove(host, pf, number, error);
}

static bool
make(virtHost *host, const virtTarget *target, const virtVdpa *wanted, GError **error)
{
    g_autoptr(GError) problem = NULL;
    g_autoptr(GError) local = NULL;
    bool ours = false; /* there is a sub-function of ours by now */

    if (wanted->made.isSF)
        ours = makeSubfunction(host, target, wanted, &problem);
    if (!problem && makeDevice(host, target, wanted, &problem))
        return true;
    /* The record is about both, so it can say that they are somebody else's when neither is ours. */
    if (g_error_matches(problem, VIRT_ERROR, VIRT_ERROR_BUSY) &&
        ((ours && !removeSubfunction(host, target, &placeOf(target)->pf, wanted->made.sf, &local)) ||
         !disown(host, target, &local)))
        g_prefix_error(&problem, "%s. ", local->message);
    g_propagate_error(error, g_steal_pointer(&problem));
    return false;
}

/* The device is this owner's from before: all but its MAC address is as it was made. */
static bool
change(virtHost *host, const virtTarget *target, const virtVdpa *wanted, const virtVdpa *now, GError **error)
{
    guint bits = virtSettingDiff(&virtVdpaInfo, wanted, now);
    guint fixed = bits & ~VIRT_SETTING_BIT(VIRT_VDPA_MAC);
    const virtSettingAttr *attr;

    if (!fixed) {
        return (!bits || virtVdpaDeviceSetMac(host, target->handle.name, wanted->mac, error)) &&
               virtVdpaDeviceTake(host, target->handle.name, error);
    }
    attr = &virtVdpaInfo.attrs[g_bit_nth_lsf(fixed, -1)];
    g_set_error(error, VIRT_ERROR, VIRT_ERROR_REFUSED,
                "Cannot change the %s of vDPA device %s, which exists: %s. Stop its guest, and start it again",
                attr->title, target->handle.name, attr->fixed);
    return false;
}

/* Did somebody else make the device, before this owner's record? */
static bool
isForeign(virtHost *host, const virtTarget *target, bool *ret, GError **error)
{
    g_autoptr(virtRecord) record = virtProvisionRecordLoad(host, &target->handle, error);
    const virtVdpa *before;

    if (!record)
        return false;
    before = findIn(&record->before);
    *ret = before && virtVdpaExists(before);
    return true;
}

static bool
setDevice(virtHost *host, const virtTarget *target, const virtVdpa *wanted, GError **error)
{
    g_autofree char *sentence = NULL;
    virtVdpa now;
    bool foreign;

    if (!readAs(host, target->handle.name, wanted, &now, error))
        return false;
    if (!virtVdpaExists(&now))
        return make(host, target, wanted, error);
    if (!isForeign(host, target, &foreign, error))
        return false;
    if (!foreign)
        return change(host, target, wanted, &now, error);
    sentence = findForeign(target, &now);
    g_set_error(error, VIRT_ERROR, VIRT_ERROR_REFUSED, "Cannot make vDPA device %s: %s", target->handle.name, sentence);
    return false;
}

static bool
setDevices(virtHost *host, virtTarget *const *targets, guint n, GError **error)
{
    for (guint i = 0; i < n; i++) {
        const virtVdpa *wanted = wantedOf(targets[i]);

        if (wanted && virtVdpaExists(wanted) && !setDevice(host, targets[i], wanted, error))
            return false;
    }
    return true;
}

/* The device first. One of that name which is of another parent by now is somebody else's. */
static bool
restoreSubfunction(virtHost *host, const virtTarget *target, const virtVdpa *made, GError **error)
{
    const char *name = target->handle.name;
    virtHandle pf;
    virtVdpa now;
    bool ok;

    if (!findPF(made, &pf, error) || !readAs(host, name, made, &now, error)) {
        g_prefix_error(error, "Cannot delete vDPA device %s: ", name);
        return false;
    }
    if (virtVdpaExists(&now) && !now.made.isSF)
        ok = virtVdpaNodeUnlink(host, name, error);
    else
        ok = virtVdpaDeviceRemove(host, name, error);
    if (!ok)
        return false;
    if (removeSubfunction(host, target, &pf, made->made.sf, error))
        return true;
    g_prefix_error(error, "vDPA device %s is gone, and its sub-function is not: ", name);
    return false;
}

/* What was made is deleted, unless disown() has corrected the record since; what was there before stays as it is. */
static bool
restoreDevice(virtHost *host, const virtTarget *target, const GPtrArray *before, GError **error)
{
    g_autoptr(virtRecord) record = NULL;
    const virtVdpa *was = virtSettingListFind(before, 0), *made;

    if (!was || virtVdpaExists(was))
        return true;
    if (!(record = virtProvisionRecordLoad(host, &target->handle, error)))
        return false;
    was = findIn(&record->before);
    if (was && virtVdpaExists(was))
        return true;
    made = findIn(&record->wanted);
    if (made && made->made.isSF)
        return restoreSubfunction(host, target, made, error);
    return virtVdpaDeviceRemove(host, target->handle.name, error);
}

static char *
describeDevice(const virtTarget *target, guint number)
{
    return g_strdup_printf("vDPA device %s of %s", target->handle.name, target->parent.name);
}

const virtProvider virtProviderVdpa = {
    .kind = &virtVdpaKind,
    .restoreAt = VIRT_RESTORE_STOPPED,
    .locate = locateDevice,
    .open = openDevice,
    .close = closeDevice,
    .isGone = isDeviceGone,
    .check = checkDevice,
    .checkHost = checkOnHost,
    .read = readDevice,
    .set = setDevices,
    .restore = restoreDevice,
    .foresee = foreseeDevice,
    .describe = describeDevice,
};
