/* provision_update.c: new settings for a VF that a running guest has
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Theory of operation. An update has a *target*: what is wanted from now on and, for each attribute that was wanted
 * until now and is written no longer, what the record has as `before`. Its reverse has the same form with old and new
 * exchanged. Both speak of the same attributes, those of either list, and so the target is what the record names as
 * wanted while the change is under way: whatever half of it a crash leaves on the hardware, each attribute that may
 * have been touched is in the record, and updating again, to either list, puts every one of them right. `before` only
 * ever grows, and is on disk before anything it speaks of is written. When all is read back, the record names just
 * what is wanted.
 *
 * A failure sets the reverse, and the record names the old list again; or, where the reverse fails too, the reverse
 * itself, in the phase of an unfinished change.
 *
 * What the guest's driver learns only when it probes is fixed for as long as it has the VF, and is not written here
 * even where the hardware has something else: a trusted guest may have chosen another MAC, and writing one makes many
 * drivers reset the VF.
 */
#include "hypervisor/provision.h"
#include "hypervisor/provision_log.h"
#include "util/virerror.h"
#include "util/virnetdevhostdev.h"
#include "util/virstatefile.h"

/* What cannot change under a guest, and why. */
static const struct {
    virtNetdevAttr attr;
    const char *reason;
} fixed[] = {
    {VIRT_NETDEV_MAC, "the guest's driver took its address when it probed"},
    {VIRT_NETDEV_NODE_GUID, "the guest's driver took its GUID when it probed"},
    {VIRT_NETDEV_PORT_GUID, "the guest's driver took its GUID when it probed"},
    {VIRT_NETDEV_VIRTUALPORT, "the switch has let the VF in with its profile"},
};

#define ADVICE "Detach the device and attach it with the new settings, or change them with --config for the next start."

static guint
fixedBits(void)
{
    guint bits = 0;

    for (guint i = 0; i < G_N_ELEMENTS(fixed); i++)
        bits |= VIRT_NETDEV_BIT(fixed[i].attr);
    return bits;
}

/* ---- checks ---- */

static bool
checkFixed(const virtVF *vf, const virtNetdev *old, const virtNetdev *new, GError **error)
{
    for (guint i = 0; i < G_N_ELEMENTS(fixed); i++) {
        virtNetdevAttr attr = fixed[i].attr;
        const virtNetdevAttrInfo *info = &virtNetdevAttrs[attr];
        bool had = virtNetdevHas(old, attr), has = virtNetdevHas(new, attr);
        g_autofree char *from = had ? info->format(old) : g_strdup("not given");
        g_autofree char *to = has ? info->format(new) : g_strdup("not given");

        if (had == has && (!has || virtNetdevEqualAttr(old, new, attr)))
            continue;
        g_set_error(error, VIRT_ERROR, VIRT_ERROR_INVALID,
                    "Cannot change the %s of port %u (VF %u of %s, %s) from %s to %s while a guest has it: %s. " ADVICE,
                    info->title, old->port, vf->index, vf->pfName, vf->name, from, to, fixed[i].reason);
        return false;
    }
    return true;
}

static bool
checkPorts(const virtVF *vf, const GPtrArray *some, const GPtrArray *others, const char *verb, GError **error)
{
    for (guint i = 0; i < some->len; i++) {
        guint port = ((const virtNetdev *)some->pdata[i])->port;

        if (virtNetdevListFind(others, port))
            continue;
        g_set_error(
            error, VIRT_ERROR, VIRT_ERROR_INVALID,
            "Cannot %s port %u (VF %u of %s, %s) while a guest has the VF: its netdevs are those it was attached with. " ADVICE,
            verb, port, vf->index, vf->pfName, vf->name);
        return false;
    }
    return true;
}

/* May the guest's netdevs go from @old to @new while it runs? */
static bool
checkChange(const virtVF *vf, const GPtrArray *old, const GPtrArray *new, GError **error)
{
    if (!checkPorts(vf, new, old, "add", error) || !checkPorts(vf, old, new, "take away", error))
        return false;
    for (guint i = 0; i < new->len; i++) {
        const virtNetdev *netdev = new->pdata[i];

        if (!checkFixed(vf, virtNetdevListFind(old, netdev->port), netdev, error))
            return false;
    }
    return true;
}

static virtRecord *
loadRecord(virtHost *host, const virtOwner *owner, const virtVF *vf, GError **error)
{
    g_autoptr(GError) local = NULL;
    g_autoptr(virtRecord) record = virtProvisionRecordLoad(host, vf->name, &local);

    if (g_error_matches(local, VIRT_ERROR, VIRT_ERROR_NOT_FOUND)) {
        g_set_error(
            error, VIRT_ERROR, VIRT_ERROR_NOT_FOUND,
            "Cannot update %s (VF %u of %s): nothing was set when it was attached, and so what it had before is not known. Detach it and attach it anew.",
            vf->name, vf->index, vf->pfName);
        return NULL;
    }
    if (!record) {
        g_propagate_error(error, g_steal_pointer(&local));
        return NULL;
    }
    if (!virtProvisionCheckOwner(owner, record, error) || !virtProvisionIsRecorded(vf, record, error))
        return NULL;
    if (record->phase == VIRT_PHASE_RESTORING) {
        g_set_error(
            error, VIRT_ERROR, VIRT_ERROR_BUSY,
            "Cannot update %s (VF %u of %s): it is being put back to what it had before. See virt-hostdev status; virt-hostdev recover finishes it.",
            vf->name, vf->index, vf->pfName);
        return NULL;
    }
    return g_steal_pointer(&record);
}

/* ---- targets ---- */

/* What @wanted says and, for each other attribute of @dropped, what @before says. All three have the same ports. */
static GPtrArray *
makeTarget(const GPtrArray *wanted, const GPtrArray *dropped, const GPtrArray *before)
{
    GPtrArray *target = virtNetdevListCopy(wanted);

    for (guint i = 0; i < target->len; i++) {
        virtNetdev *netdev = target->pdata[i];
        const virtNetdev *old = virtNetdevListFind(dropped, netdev->port);
        const virtNetdev *first = virtNetdevListFind(before, netdev->port);

        for (virtNetdevAttr attr = 0; attr < VIRT_NETDEV_ATTR_LAST; attr++) {
            if (old && first && virtNetdevHas(old, attr) && !virtNetdevHas(netdev, attr))
                virtNetdevCopyAttr(netdev, first, attr);
        }
    }
    return target;
}

/* Of @list, what may be written, and that only as far as @mask (or NULL) does not have it. */
static GPtrArray *
pick(const GPtrArray *list, const GPtrArray *mask)
{
    GPtrArray *picked = virtNetdevListNew();

    for (guint i = 0; i < list->len; i++) {
        g_autofree virtNetdev *netdev = virtNetdevCopy(list->pdata[i]);
        const virtNetdev *hidden = virtNetdevListFind(mask, netdev->port);

        netdev->present &= ~(fixedBits() | (hidden ? hidden->present : 0));
        if (netdev->present)
            g_ptr_array_add(picked, g_steal_pointer(&netdev));
    }
    return picked;
}

/* Add to `before` what it lacks of the attributes of @wanted: from @present, or "none" where that is not reported. */
static void
extendBefore(virtRecord *record, const GPtrArray *wanted, const GPtrArray *present)
{
    for (guint i = 0; i < wanted->len; i++) {
        const virtNetdev *netdev = wanted->pdata[i];
        const virtNetdev *now = virtNetdevListFind(present, netdev->port);
        virtNetdev *before = virtNetdevListFind(record->before, netdev->port);

        if (!before) {
            before = virtNetdevNew(netdev->port);
            g_ptr_array_add(record->before, before);
        }
        for (virtNetdevAttr attr = 0; attr < VIRT_NETDEV_ATTR_LAST; attr++) {
            if (virtNetdevHas(netdev, attr) && !virtNetdevHas(before, attr))
                virtNetdevCopyAttr(before, now, attr);
        }
        virtProvisionCompleteBefore(before, netdev);
    }
    virtNetdevListSort(record->before);
}

/* ---- the change ---- */

static bool
saveWanted(virtHost *host, virtRecord *record, const GPtrArray *wanted, virtPhase phase, GError **error)
{
    g_ptr_array_unref(record->wanted);
    record->wanted = virtNetdevListCopy(wanted);
    return virtProvisionRecordSave(host, record, phase, error);
}

static GPtrArray *
withoutUntagged(const GPtrArray *list)
{
    GPtrArray *copy = virtNetdevListCopy(list);

    for (guint i = 0; i < copy->len; i++)
        virtNetdevDropUntagged(copy->pdata[i]);
    return copy;
}

/* What is dropped goes first, the way a release puts it back: a rate can stand in the way of a VLAN. What it leaves
 * alone is still as it was @present. A VLAN that is to be none is dropped too: where it has been set, it must go. */
static bool
setTarget(virtHost *host, const virtVF *vf, const GPtrArray *target, const GPtrArray *new, const GPtrArray *present,
          GError **error)
{
    g_autoptr(GPtrArray) said = withoutUntagged(new);
    g_autoptr(GPtrArray) dropped = pick(target, said);
    g_autoptr(GPtrArray) wanted = pick(said, NULL);

    return virtNetDevHostdevRestore(host, vf, dropped, error) && virtNetDevHostdevSet(host, vf, wanted, present, error);
}

/* Make the VF, and its record, what they were with @old. A failure here is told beside @cause. */
static void
rollBack(virtHost *host, const virtVF *vf, virtRecord *record, const GPtrArray *old, virtPhase phase,
         const GError *cause, GError **error)
{
    g_autoptr(GPtrArray) reverse = makeTarget(old, record->wanted, record->before);
    g_autoptr(GPtrArray) settable = pick(reverse, NULL);
    g_autoptr(GString) told = g_string_new(cause->message);
    g_autoptr(GError) local = NULL;
    g_autoptr(GError) saveError = NULL;
    bool back = virtNetDevHostdevRestore(host, vf, settable, &local);

    host->counts[VIRT_COUNT_REFUSALS] += g_error_matches(cause, VIRT_ERROR, VIRT_ERROR_REFUSED);
    host->counts[VIRT_COUNT_ROLLBACKS]++;
    if (!back)
        g_string_append_printf(told, " Going back failed too: %s", local->message);
    if (!saveWanted(host, record, back ? old : reverse, back ? phase : VIRT_PHASE_SETTING, &saveError))
        g_string_append_printf(told, " The record could not be corrected: %s", saveError->message);
    g_set_error_literal(error, cause->domain, cause->code, told->str);
}

static bool
change(virtHost *host, const virtVF *vf, virtRecord *record, const GPtrArray *new, GError **error)
{
    g_autoptr(GPtrArray) old = g_ptr_array_ref(record->wanted);
    g_autoptr(GPtrArray) target = NULL;
    g_autoptr(GPtrArray) present = virtNetDevHostdevRead(host, vf, new, error);
    g_autoptr(GError) cause = NULL;
    virtPhase phase = record->phase;

    if (!present)
        return false;
    extendBefore(record, new, present);
    target = makeTarget(new, old, record->before);
    if (!saveWanted(host, record, target, VIRT_PHASE_SETTING, error))
        return false;
    if (setTarget(host, vf, target, new, present, &cause) && saveWanted(host, record, new, VIRT_PHASE_ACTIVE, &cause))
        return true;
    rollBack(host, vf, record, old, phase, cause, error);
    return false;
}

/* Gives the VF of @hostdev, which @owner's running guest has, the settings that @hostdev says: all of them, or none.
 * An attribute that is written no longer goes back to what it was before the VF was first set.
 *
 * Errors: VIRT_ERROR_NOT_FOUND where there is no record; VIRT_ERROR_BUSY where somebody else has the VF, or it is being
 * put back; VIRT_ERROR_INVALID where the change is one that a guest with the VF would not see: of MAC addresses, GUIDs,
 * port profiles, or of the set of ports; otherwise as for virtProvisionPrepare().
 */
bool
virtProvisionUpdate(virtHost *host, const virtOwner *owner, const virtHostdev *hostdev, GError **error)
{
    return virtProvisionUpdateSeen(host, owner, NULL, hostdev, error);
}

/* The same, if the record is still the one that was @seen (NULL: any): that of a later start, or none, is left alone,
 * which is success.
 */
bool
virtProvisionUpdateSeen(virtHost *host, const virtOwner *owner, const virtRecord *seen, const virtHostdev *hostdev,
                        GError **error)
{
    g_autoptr(virtVF) before = virtProvisionLookup(host, owner, hostdev, error);
    g_autoptr(virtStateLock) lock = before ? virtStateLockTake(host, before->pfName, error) : NULL;
    g_autoptr(virtVF) vf = NULL;
    g_autoptr(virtRecord) record = NULL;
    g_autoptr(GPtrArray) netdevs = NULL;
    g_autoptr(GError) local = NULL;

    if (!lock || !virtProvisionIsStill(host, before, error) || !(vf = virtProvisionLookup(host, owner, hostdev, error)))
        return false;
    record = loadRecord(host, owner, vf, &local);
    if (seen && record && !virtProvisionRecordIsSame(seen, record))
        return true;
    if (seen && g_error_matches(local, VIRT_ERROR, VIRT_ERROR_NOT_FOUND))
        return true;
    if (local)
        g_propagate_error(error, g_steal_pointer(&local));
    if (record)
        netdevs = virtProvisionPortFollow(hostdev->netdevs, record->wanted);
    if (!record || !virtProvisionCheckPorts(vf, hostdev, netdevs, error) ||
        !virtProvisionCheckOwn(host, vf->name, owner, error) || !checkChange(vf, record->wanted, netdevs, error) ||
        !change(host, vf, record, netdevs, error))
        return false;
    virtProvisionLogVF(VIRT_MESSAGE_ID_SET, "Updated", record);
    host->counts[VIRT_COUNT_CHANGES]++;
    return true;
}
