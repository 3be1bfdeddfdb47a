/* provision_verify.c: was the VF of a guest that runs set for it?
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "hypervisor/provision.h"
#include "util/virerror.h"
#include "util/virnetdevhostdev.h"
#include "util/virstatefile.h"

/* Have the ports all that @hostdev wants? False also where that cannot be told. */
static bool
isAsWanted(virtHost *host, const virtOwner *owner, const virtHostdev *hostdev)
{
    g_autoptr(virtVF) vf = virtVFLookup(host, &hostdev->address, NULL);
    g_autoptr(GPtrArray) netdevs = NULL;
    g_autoptr(GArray) maybe = NULL;
    g_autoptr(GPtrArray) present = NULL;

    if (!vf)
        return false;
    netdevs = virtProvisionPortResolve(host, owner, vf, hostdev->netdevs, &maybe);
    if (!maybe)
        present = virtNetDevHostdevRead(host, vf, netdevs, NULL);
    for (guint i = 0; present && i < netdevs->len; i++) {
        const virtNetdev *wanted = netdevs->pdata[i];
        const virtNetdev *has = virtNetdevListFind(present, wanted->port);

        if (!has || virtNetdevDiff(wanted, has) != 0)
            return false;
    }
    return present;
}

/* Whether the VF of @hostdev is recorded as @owner's. *ret is set where this returns true. */
static bool
findRecord(virtHost *host, const virtOwner *owner, const virtHostdev *hostdev, bool *ret, GError **error)
{
    char name[VIRT_PCI_ADDRESS_LEN];
    g_autoptr(virtRecord) record = NULL;
    g_autoptr(GError) local = NULL;

    virtPCIAddressFormat(&hostdev->address, name);
    record = virtProvisionRecordLoad(host, name, &local);
    if (local && !g_error_matches(local, VIRT_ERROR, VIRT_ERROR_NOT_FOUND)) {
        g_propagate_error(error, g_steal_pointer(&local));
        return false;
    }
    *ret = record && virtOwnerEqual(owner, &record->owner);
    return true;
}

/* Whether the VF of @hostdev, which @owner's running guest has, was set for it: there is a record of @owner's, or the
 * ports have what @hostdev wants without one.
 *
 * Errors: VIRT_ERROR_REFUSED where it was not; others where that cannot be told.
 */
bool
virtProvisionVerify(virtHost *host, const virtOwner *owner, const virtHostdev *hostdev, GError **error)
{
    char name[VIRT_PCI_ADDRESS_LEN];
    bool recorded = false;

    if (!findRecord(host, owner, hostdev, &recorded, error))
        return false;
    if (recorded || isAsWanted(host, owner, hostdev))
        return true;
    virtPCIAddressFormat(&hostdev->address, name);
    g_set_error(
        error, VIRT_ERROR, VIRT_ERROR_REFUSED,
        "The netdevs of VF %s were not set when the domain started: libvirt has not run virt-hostdev-hook. \"virt-hostdev host-validate\" says why; reload libvirt's daemon where the hook is new to it.",
        name);
    return false;
}

/* Counts a guest that was started with this VF as it was. */
void
virtProvisionCountUnprovisioned(virtHost *host, const virtHostdev *hostdev)
{
    g_autoptr(virtVF) vf = virtVFLookup(host, &hostdev->address, NULL);
    g_autoptr(virtStateLock) lock = vf ? virtStateLockTake(host, vf->pfName, NULL) : NULL;

    if (lock)
        host->counts[VIRT_COUNT_UNPROVISIONED]++;
}
