/* provision_check.c: may a device be set, for whom, and is it still the one that was meant?
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What prepare, restore, update and plan ask before anything is changed. Nothing here changes anything.
 */
#include "hypervisor/provision.h"

#include <string.h>

#include "util/virerror.h"
#include "util/virpci.h"
#include "util/virstatefile.h"

/* May @owner take the device of @record?
 */
bool
virtProvisionCheckOwner(const virtOwner *owner, const virtRecord *record, GError **error)
{
    const char *noun = virtHandleGetNoun(&record->handle), *name = record->handle.name;

    if (virtOwnerEqual(owner, &record->owner))
        return true;
    if (record->owner.uuid)
        g_set_error(
            error, VIRT_ERROR, VIRT_ERROR_BUSY,
            "%s %s is in use by domain '%s' (%s). Stop that domain, give this one another %s, or, if that domain is not running, run: virt-hostdev recover",
            noun, name, record->owner.name, record->owner.uuid, noun);
    else
        g_set_error(error, VIRT_ERROR, VIRT_ERROR_BUSY,
                    "%s %s is in use by '%s'. Release it with virt-hostdev release %s, or use another %s", noun, name,
                    record->owner.name, record->owner.name, noun);
    return false;
}

/* Say before @error which element of the document it is about, as its user wrote it. */
void
virtProvisionPrefix(GError **error, const virtHostdev *hostdev)
{
    g_prefix_error(error, "%s: ", virtHostdevGetElement(hostdev));
}

/* The device of @hostdev, as far as it has to be known to take its parent's lock. */
virtTarget *
virtProvisionLocate(virtHost *host, const virtHostdev *hostdev, GError **error)
{
    guint k = 0;
    virtTarget *target;

    g_return_val_if_fail(!virtSettingsAreEmpty(&hostdev->settings), NULL);
    while (hostdev->settings.of[k]->len == 0)
        k++;
    target = virtTargetLocate(host, k, &hostdev->handle, hostdev->settings.of[k], error);
    if (!target)
        virtProvisionPrefix(error, hostdev);
    return target;
}

/* The device at @handle, once for each kind of which @settings has any, which are what @owner wants of it.
 *
 * Returns virtTarget, in the order of the kinds, for g_ptr_array_unref().
 */
GPtrArray *
virtProvisionOpenSettings(virtHost *host, const virtOwner *owner, const virtHandle *handle,
                          const virtSettings *settings, GError **error)
{
    g_autoptr(GPtrArray) targets = g_ptr_array_new_with_free_func((GDestroyNotify)virtTargetFree);

    for (guint k = 0; virtProviders[k]; k++) {
        virtTarget *target;

        if (settings->of[k]->len == 0)
            continue;
        if (!(target = virtTargetOpen(host, owner, k, handle, settings->of[k], error)))
            return NULL;
        g_ptr_array_add(targets, target);
    }
    return g_steal_pointer(&targets);
}

/* The device of @hostdev, once for each kind of settings that it has, with what is wanted as the document says it. */
GPtrArray *
virtProvisionOpen(virtHost *host, const virtOwner *owner, const virtHostdev *hostdev, GError **error)
{
    GPtrArray *targets = virtProvisionOpenSettings(host, owner, &hostdev->handle, &hostdev->settings, error);

    if (!targets)
        virtProvisionPrefix(error, hostdev);
    for (guint i = 0; targets && i < targets->len; i++)
        ((virtTarget *)targets->pdata[i])->fromNetwork = hostdev->fromNetwork;
    return targets;
}

static bool
checkWanted(const virtTarget *target, GError **error)
{
    for (guint i = 0; i < target->wanted->len; i++) {
        if (!target->provider->check(target, target->wanted->pdata[i], error))
            return false;
    }
    return true;
}

/* Can all be used that is wanted of @targets, which are the device of @hostdev?
 */
bool
virtProvisionCheckUsable(const GPtrArray *targets, const virtHostdev *hostdev, GError **error)
{
    for (guint i = 0; i < targets->len; i++) {
        if (checkWanted(targets->pdata[i], error))
            continue;
        virtProvisionPrefix(error, hostdev);
        return false;
    }
    return true;
}

/* Has this host's kernel what @hostdev wants, as far as that is known without its device? */
bool
virtProvisionCheckKernel(virtHost *host, const virtHostdev *hostdev, GError **error)
{
    for (guint k = 0; virtProviders[k]; k++) {
        const GPtrArray *wanted = hostdev->settings.of[k];

        if (wanted->len == 0 || !virtProviders[k]->checkKernel ||
            virtProviders[k]->checkKernel(host, &hostdev->handle, wanted, error))
            continue;
        virtProvisionPrefix(error, hostdev);
        return false;
    }
    return true;
}

/* Has the driver by which libvirt has taken the device of @hostdev for a guest all that is wanted? */
bool
virtProvisionCheckTaken(virtHost *host, const virtHostdev *hostdev, GError **error)
{
    for (guint k = 0; virtProviders[k]; k++) {
        const GPtrArray *wanted = hostdev->settings.of[k];

        if (wanted->len == 0 || !virtProviders[k]->checkTaken ||
            virtProviders[k]->checkTaken(host, &hostdev->handle, wanted, error))
            continue;
        virtProvisionPrefix(error, hostdev);
        return false;
    }
    return true;
}

/* Can libvirt of @version (as virConnectGetLibVersion() says it) do what @hostdev wants of it? */
bool
virtProvisionCheckLibvirt(const virtHostdev *hostdev, unsigned long version, GError **error)
{
    for (guint k = 0; virtProviders[k]; k++) {
        const GPtrArray *wanted = hostdev->settings.of[k];

        if (wanted->len == 0 || !virtProviders[k]->checkLibvirt ||
            virtProviders[k]->checkLibvirt(wanted, hostdev->managed, version, error))
            continue;
        virtProvisionPrefix(error, hostdev);
        return false;
    }
    return true;
}

static char *
describePlace(const virtHandle *parent, gint index)
{
    if (index < 0)
        return g_strdup_printf("at %s", parent->name);
    return g_strdup_printf("VF %d of PF %s", index, parent->name);
}

/* Is @target still the device that @record speaks of? What the record knows would be wrong for another. */
bool
virtProvisionIsRecorded(const virtTarget *target, const virtRecord *record, GError **error)
{
    g_autofree char *was = NULL;
    g_autofree char *is = NULL;

    if (virtHandleEqual(&target->parent, &record->parent) && target->index == record->index)
        return true;
    was = describePlace(&record->parent, record->index);
    is = describePlace(&target->parent, target->index);
    g_set_error(
        error, VIRT_ERROR, VIRT_ERROR_HOST,
        "%s was %s and is now %s, which may belong to somebody else: nothing was changed. Its record stays in /" VIRT_STATE_DIR
        "; compare it with virt-hostdev status and remove it by hand",
        target->handle.name, was, is);
    return false;
}

/* Does what @old knows only wait to be put back? A domain that asks for a device and does not run cannot be using it.
 */
static bool
onlyWaits(virtHost *host, const virtOwner *owner, const virtRecord *old)
{
    if (!virtOwnerEqual(owner, &old->owner))
        return virtProvisionRecordIsLeft(host, old);
    if (old->phase == VIRT_PHASE_RESTORING)
        return true;
    if (owner->uuid)
        return !virtProvisionRecordHasGuest(host, old);
    return old->phase == VIRT_PHASE_SETTING;
}

/* Is of each kind just that wanted of @targets which @old has? */
static bool
wantSame(const GPtrArray *targets, const virtRecord *old)
{
    guint same = 0, has = 0;

    for (guint i = 0; i < targets->len; i++) {
        const virtTarget *target = targets->pdata[i];

        same += virtSettingListEqual(virtTargetInfo(target), old->wanted.of[target->kind], target->wanted);
    }
    for (guint k = 0; virtProviders[k]; k++)
        has += old->wanted.of[k]->len > 0;
    return same == targets->len && has == targets->len;
}

/* May @owner go on with @old, and the same device? By hand only where nothing changes: whoever has it may be using it.
 */
static bool
checkOld(const virtOwner *owner, const GPtrArray *targets, const virtRecord *old, GError **error)
{
    if (!virtProvisionCheckOwner(owner, old, error))
        return false;
    if (owner->uuid || wantSame(targets, old))
        return true;
    g_set_error(error, VIRT_ERROR, VIRT_ERROR_BUSY,
                "'%s' already has %s %s, with other settings. Release it first: virt-hostdev release %s", owner->name,
                virtHandleGetNoun(&old->handle), old->handle.name, owner->name);
    return false;
}

static bool
areRecorded(const GPtrArray *targets, const virtRecord *record, GError **error)
{
    for (guint i = 0; i < targets->len; i++) {
        if (!virtProvisionIsRecorded(targets->pdata[i], record, error))
            return false;
    }
    return true;
}

/* Does nobody use @handle that keeps @owner from being given it? */
static bool
checkFree(virtHost *host, const virtHandle *handle, const virtOwner *owner, GError **error)
{
    if (owner->hasGuest)
        return virtProvisionCheckOwn(host, handle, owner, error);
    return virtProvisionCheckUnused(host, handle, owner, error);
}

/* May @owner have @targets, one device, set as they are wanted? Nobody else may have it, by its record, libvirt or the
 * kernel.
 *
 * @ret_old: the record that there is of the device, for virtRecordFree(), or NULL
 * @ret_over: what that remembers has to be put back first; else it is @owner's, who goes on with it
 *
 * Errors: VIRT_ERROR_BUSY, which names who has it; others where that cannot be told.
 */
bool
virtProvisionMayTake(virtHost *host, const virtOwner *owner, const GPtrArray *targets, virtRecord **ret_old,
                     bool *ret_over, GError **error)
{
    const virtHandle *handle = &((const virtTarget *)targets->pdata[0])->handle;
    g_autoptr(virtRecord) old = NULL;

    if (virtProvisionRecordExists(host, handle) && !(old = virtProvisionRecordLoad(host, handle, error)))
        return false;
    *ret_over = old && onlyWaits(host, owner, old);
    if (old && !*ret_over && !checkOld(owner, targets, old, error))
        return false;
    if (old && !*ret_over && !areRecorded(targets, old, error)) /* a restore looks for itself */
        return false;
    if (old && !*ret_over && !virtProvisionCheckOwn(host, handle, owner, error)) /* it may have lost it since */
        return false;
    if ((!old || *ret_over) && !checkFree(host, handle, owner, error))
        return false;
    *ret_old = g_steal_pointer(&old);
    return true;
}

/* Whether the VF of @record is no longer one of its PF: for the row of a provider (isGone).
 */
bool
virtProvisionIsVFGone(virtHost *host, const virtRecord *record, bool *ret, GError **error)
{
    g_autoptr(GError) missing = NULL;
    virtPCIAddress pf, address;

    *ret = false;
    if (!virtHandleGetPCI(&record->parent, &pf) || !virtHandleGetPCI(&record->handle, &address) ||
        virtPCIFindVF(host, &pf, &address, NULL, &missing))
        return true;
    *ret = g_error_matches(missing, VIRT_ERROR, VIRT_ERROR_NOT_FOUND);
    if (!*ret)
        g_propagate_error(error, g_steal_pointer(&missing));
    return *ret;
}
