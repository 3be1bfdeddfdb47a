/* provision_verify.c: was the device of a guest that runs set for it?
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "hypervisor/provision.h"

#include "util/virerror.h"
#include "util/virstatefile.h"

/* Has @target all that is wanted? False also where that cannot be told. */
static bool
hasWanted(virtHost *host, const virtOwner *owner, virtTarget *target)
{
    virtTargetResolve(host, owner, target);
    if (target->candidates || !(target->present = virtTargetRead(host, target, target->wanted, NULL)))
        return false;
    for (guint i = 0; i < target->wanted->len; i++) {
        const virtSetting *wanted = target->wanted->pdata[i];
        const virtSetting *has = virtSettingListFind(target->present, wanted->number);

        if (!has || virtSettingDiff(virtTargetInfo(target), wanted, has) != 0)
            return false;
    }
    return true;
}

static bool
isAsWanted(virtHost *host, const virtOwner *owner, const virtHostdev *hostdev)
{
    g_autoptr(GPtrArray) targets = virtProvisionOpen(host, owner, hostdev, NULL);

    for (guint i = 0; targets && i < targets->len; i++) {
        if (!hasWanted(host, owner, targets->pdata[i]))
            return false;
    }
    return targets != NULL;
}

/* Whether the device of @hostdev is recorded as @owner's. *ret is set where this returns true. */
static bool
findRecord(virtHost *host, const virtOwner *owner, const virtHostdev *hostdev, bool *ret, GError **error)
{
    g_autoptr(GError) local = NULL;
    g_autoptr(virtRecord) record = virtProvisionRecordLoad(host, &hostdev->handle, &local);

    if (local && !g_error_matches(local, VIRT_ERROR, VIRT_ERROR_NOT_FOUND)) {
        g_propagate_error(error, g_steal_pointer(&local));
        return false;
    }
    *ret = record && virtOwnerEqual(owner, &record->owner);
    return true;
}

/* Whether the device of @hostdev, which @owner's running guest has, was set for it: there is a record of @owner's, or
 * it has what @hostdev wants without one.
 *
 * Errors: VIRT_ERROR_REFUSED where it was not; others where that cannot be told.
 */
bool
virtProvisionVerify(virtHost *host, const virtOwner *owner, const virtHostdev *hostdev, GError **error)
{
    bool recorded = false;

    if (!findRecord(host, owner, hostdev, &recorded, error))
        return false;
    if (recorded || isAsWanted(host, owner, hostdev))
        return true;
    g_set_error(
        error, VIRT_ERROR, VIRT_ERROR_REFUSED,
        "%s %s was not set when the domain started: libvirt did not run virt-hostdev-hook. Run virt-hostdev host-validate to find out why; reload libvirt's daemon if the hook was installed after it had started",
        virtHandleGetNoun(&hostdev->handle), hostdev->handle.name);
    return false;
}

/* Counts a guest that was started with this device as it was. */
void
virtProvisionCountUnprovisioned(virtHost *host, const virtHostdev *hostdev)
{
    g_autoptr(virtTarget) place = virtProvisionLocate(host, hostdev, NULL);
    g_autoptr(virtStateLock) lock = NULL;
    virtHandle of;

    if (!place)
        return;
    of = virtProvisionLockOf(&place->handle, &place->parent);
    if ((lock = virtProvisionLock(host, &of, NULL)))
        host->counts[VIRT_COUNT_UNPROVISIONED]++;
}
