/* provision_check.c: may a VF be set, for whom, and is it still the one that was meant?
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What prepare, restore, update and plan ask before anything is changed. Nothing here changes anything.
 */
#include "hypervisor/provision.h"
#include "util/virerror.h"
#include "util/virstatefile.h"

/* Has @vf's PF the port that @wanted speaks of, and is it up?
 *
 * A PF that is down takes settings on some drivers and drops them later, refuses them on others; and the guest
 * would have no link. libvirt refuses it too and does not bring it up; neither do we.
 */
bool
virtProvisionCheckPort(const virtVF *vf, const virtNetdev *wanted, GError **error)
{
    const virtPort *port = virtVFGetPort(vf, wanted->port, error);

    if (!port)
        return false;
    if (!port->up) {
        g_set_error(
            error, VIRT_ERROR, VIRT_ERROR_HOST,
            "Cannot use port %u of %s (VF %u of %s): the PF's netdev %s is down. Bring it up first: ip link set %s up",
            wanted->port, vf->name, vf->index, vf->pfName, port->ifname, port->ifname);
        return false;
    }
    return true;
}

/* May @owner take the VF of @record?
 */
bool
virtProvisionCheckOwner(const virtOwner *owner, const virtRecord *record, GError **error)
{
    char name[VIRT_PCI_ADDRESS_LEN];

    if (virtOwnerEqual(owner, &record->owner))
        return true;
    virtPCIAddressFormat(&record->address, name);
    if (record->owner.uuid)
        g_set_error(
            error, VIRT_ERROR, VIRT_ERROR_BUSY,
            "VF %s is in use by domain '%s' (%s). Stop that domain, give this one another VF, or, when that domain does not run, run: virt-hostdev recover",
            name, record->owner.name, record->owner.uuid);
    else
        g_set_error(error, VIRT_ERROR, VIRT_ERROR_BUSY,
                    "VF %s is in use by '%s'. Give it back with virt-hostdev release %s, or use another VF.", name,
                    record->owner.name, record->owner.name);
    return false;
}

/* Settings of @vf will be @owner's: the 16 bytes of its UUID, which an 802.1Qbh switch is told. */
void
virtProvisionSetInstance(virtVF *vf, const virtOwner *owner)
{
    guint n = 0;

    for (const char *p = owner->uuid; p && *p && n < 32; p++) {
        int digit = g_ascii_xdigit_value(*p);

        if (*p == '-')
            continue;
        if (digit < 0)
            return;
        vf->instance[n / 2] = (guint8)(vf->instance[n / 2] << 4 | digit);
        n++;
    }
}

/* Say before @error which element of the document it is about, as its user wrote it. */
void
virtProvisionPrefix(GError **error, const virtHostdev *hostdev)
{
    g_prefix_error(error, "%s: ", hostdev->interface ? "<interface type='hostdev'>" : "<hostdev>");
}

/* Find the VF of @hostdev. Returns it ready for settings of @owner's. */
virtVF *
virtProvisionLookup(virtHost *host, const virtOwner *owner, const virtHostdev *hostdev, GError **error)
{
    virtVF *vf = virtVFLookup(host, &hostdev->address, error);

    if (vf)
        virtProvisionSetInstance(vf, owner);
    else
        virtProvisionPrefix(error, hostdev);
    return vf;
}

/* Can the ports of @netdevs be used, which @hostdev wants of @vf?
 */
bool
virtProvisionCheckPorts(const virtVF *vf, const virtHostdev *hostdev, const GPtrArray *netdevs, GError **error)
{
    for (guint i = 0; i < netdevs->len; i++) {
        if (virtProvisionCheckPort(vf, netdevs->pdata[i], error))
            continue;
        virtProvisionPrefix(error, hostdev);
        return false;
    }
    return true;
}

/* Is @vf, which was looked up before its PF's lock was waited for, still at its index? */
bool
virtProvisionIsStill(virtHost *host, const virtVF *vf, GError **error)
{
    guint index;

    if (!virtPCIFindVF(host, &vf->pf, &vf->address, &index, error))
        return false;
    if (index == vf->index)
        return true;
    g_set_error(
        error, VIRT_ERROR, VIRT_ERROR_HOST,
        "VF %s was VF %u of PF %s and is now VF %u: VFs are being made or removed. Try again when that is done.",
        vf->name, vf->index, vf->pfName, index);
    return false;
}

/* Is @vf still the one that @record speaks of? What the record knows would be wrong for another. */
bool
virtProvisionIsRecorded(const virtVF *vf, const virtRecord *record, GError **error)
{
    char pfName[VIRT_PCI_ADDRESS_LEN];

    if (virtPCIAddressCompare(&vf->pf, &record->pf) == 0 && vf->index == record->index)
        return true;
    virtPCIAddressFormat(&record->pf, pfName);
    g_set_error(
        error, VIRT_ERROR, VIRT_ERROR_HOST,
        "%s was VF %u of PF %s and is now VF %u of PF %s, which may be somebody else's: nothing is changed. Its record stays in /" VIRT_STATE_DIR
        "; compare it with virt-hostdev status and remove it by hand.",
        vf->name, record->index, pfName, vf->index, vf->pfName);
    return false;
}

/* Does what @old knows only wait to be put back? A domain that asks for a VF and does not run cannot be using it. */
static bool
isOver(virtHost *host, const virtOwner *owner, const virtRecord *old)
{
    if (!virtOwnerEqual(owner, &old->owner))
        return virtProvisionRecordIsLeft(host, old);
    if (old->phase == VIRT_PHASE_RESTORING)
        return true;
    return owner->uuid ? !virtProvisionRecordHasGuest(host, old) : old->phase == VIRT_PHASE_SETTING;
}

/* May @owner go on with @old, and the same VF? By hand only where nothing changes: whoever has it may be using it. */
static bool
checkOld(const virtOwner *owner, const virtVF *vf, const GPtrArray *wanted, const virtRecord *old, GError **error)
{
    if (!virtProvisionCheckOwner(owner, old, error))
        return false;
    if (owner->uuid || virtNetdevListEqual(old->wanted, wanted))
        return true;
    g_set_error(error, VIRT_ERROR, VIRT_ERROR_BUSY,
                "'%s' has VF %s already, with other settings. Give it back first: virt-hostdev release %s", owner->name,
                vf->name, owner->name);
    return false;
}

/* May @owner have @vf set as @wanted? Nobody else may have it, by its record, libvirt or the kernel.
 *
 * @ret_old: the record that there is of the VF, for virtRecordFree(), or NULL
 * @ret_over: what that remembers has to be put back first; else it is @owner's, who goes on with it
 *
 * Errors: VIRT_ERROR_BUSY, which names who has it; others where that cannot be told.
 */
bool
virtProvisionMayTake(virtHost *host, const virtOwner *owner, const virtVF *vf, const GPtrArray *wanted,
                     virtRecord **ret_old, bool *ret_over, GError **error)
{
    g_autoptr(virtRecord) old = NULL;

    if (virtStateFileExists(host, vf->name) && !(old = virtProvisionRecordLoad(host, vf->name, error)))
        return false;
    *ret_over = old && isOver(host, owner, old);
    if (old && !*ret_over && !checkOld(owner, vf, wanted, old, error))
        return false;
    if (old && !virtProvisionIsRecorded(vf, old, error))
        return false;
    if ((!old || *ret_over) && !virtProvisionCheckUnused(host, vf->name, owner, error))
        return false;
    *ret_old = g_steal_pointer(&old);
    return true;
}
