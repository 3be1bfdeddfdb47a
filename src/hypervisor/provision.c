/* provision.c: prepare a domain's VFs
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Theory of operation. A start is a list of steps, one a VF, and goes through phases, each of them over all steps:
 * check the host and who owns the VF; read what the VFs' netdevs say now; write the records (that, and what they shall
 * say) to disk; set; read back; mark the records active. Nothing has changed before all records are there. When
 * anything fails, all VFs are put back to what their records say, and the error that is returned names the setting
 * that was refused. So a port is read twice and written a few times, however many of its VFs there are.
 *
 * Changes to one PF's VFs exclude each other by that PF's lock. A start that spans PFs takes their locks in
 * address order, so two starts cannot wait for each other in a circle.
 */
#include "hypervisor/provision.h"
#include "hypervisor/provision_log.h"
#include "util/virerror.h"
#include "util/virnetdevhostdev.h"
#include "util/virstatefile.h"

#include <string.h>

typedef struct {
    const virtHostdev *hostdev;
    virtVF *vf;
    virtRecord *record;
    virtRecord *old;     /* that the owner has of the same VF already, and goes on with; or NULL */
    GPtrArray *restored; /* virtNetdev: what has been put back first; or NULL */
    GPtrArray *netdevs;  /* virtNetdev: what is wanted, each with its port */
    GArray *maybe;       /* guint: ports of which the VF has one, and nobody says which; NULL: it is certain */
    guint elsewhere;     /* where the driver has written the first of those; 0: there */
    GPtrArray *present;  /* virtNetdev: what the wanted ports, and those it may be, say before this start */
} Step;

static void
stepFree(Step *step)
{
    virtVFFree(step->vf);
    virtRecordFree(step->record);
    virtRecordFree(step->old);
    g_clear_pointer(&step->restored, g_ptr_array_unref);
    g_clear_pointer(&step->netdevs, g_ptr_array_unref);
    g_clear_pointer(&step->maybe, g_array_unref);
    g_clear_pointer(&step->present, g_ptr_array_unref);
    g_free(step);
}

/* ---- looking ---- */

/* Find out what the VF of @step and its ports are now, and whether these can be used. */
static bool
look(virtHost *host, const virtOwner *owner, Step *step, GError **error)
{
    g_clear_pointer(&step->netdevs, g_ptr_array_unref);
    g_clear_pointer(&step->maybe, g_array_unref);
    g_clear_pointer(&step->vf, virtVFFree);
    step->vf = virtProvisionLookup(host, owner, step->hostdev, error);
    if (!step->vf)
        return false;
    step->netdevs = virtProvisionPortResolve(host, owner, step->vf, step->hostdev->netdevs, &step->maybe);
    return virtProvisionCheckPorts(step->vf, step->hostdev, step->netdevs, error);
}

static const virtVF *
vfOf(const GPtrArray *steps, guint i)
{
    return ((const Step *)steps->pdata[i])->vf;
}

static int
compareSteps(const void *a, const void *b)
{
    const virtVF *x = (*(Step *const *)a)->vf, *y = (*(Step *const *)b)->vf;
    int pfs = virtPCIAddressCompare(&x->pf, &y->pf);

    return pfs ? pfs : (x->index > y->index) - (x->index < y->index);
}

static bool
samePF(const GPtrArray *steps, guint i, guint other)
{
    return other < steps->len && virtPCIAddressCompare(&vfOf(steps, i)->pf, &vfOf(steps, other)->pf) == 0;
}

/* Take each PF's lock once, in address order. Its VFs were looked up before that, so it is seen whether they are still
 * where they were: an address grows with the index by the same amount from VF to VF (SR-IOV's VF stride), so where the
 * first and the last are in their places, those between are. */
static GPtrArray *
lockPFs(virtHost *host, const GPtrArray *steps, GError **error)
{
    g_autoptr(GPtrArray) sorted = g_ptr_array_copy((GPtrArray *)steps, NULL, NULL);
    g_autoptr(GPtrArray) locks = g_ptr_array_new_with_free_func((GDestroyNotify)virtStateLockRelease);

    g_ptr_array_set_free_func(sorted, NULL);
    g_ptr_array_sort(sorted, compareSteps);
    for (guint i = 0; i < sorted->len; i++) {
        bool first = !samePF(sorted, i, i - 1), last = !samePF(sorted, i, i + 1);
        virtStateLock *lock = first ? virtStateLockTake(host, vfOf(sorted, i)->pfName, error) : NULL;

        if (lock)
            g_ptr_array_add(locks, lock);
        if ((first && !lock) || ((first || last) && !virtProvisionIsStill(host, vfOf(sorted, i), error)))
            return NULL;
    }
    return g_steal_pointer(&locks);
}

/* ---- records ---- */

/* What the kernel does not report (a port profile, a GUID) is taken as "none", so that putting back clears it. */
void
virtProvisionCompleteBefore(virtNetdev *before, const virtNetdev *wanted)
{
    static const virtNetdev none = {.present = ~0u};

    for (guint attr = 0; attr < VIRT_NETDEV_ATTR_LAST; attr++) {
        if (virtNetdevHas(wanted, attr) && !virtNetdevHas(before, attr))
            virtNetdevCopyAttr(before, &none, attr);
    }
}

/* Say beforehand of what @before cannot tell what will become of it. What nobody asks for stays, and is not spoken of.
 *
 * @wanted: NULL where it is set already
 */
void
virtProvisionWarnUnknown(virtHost *host, const virtVF *vf, const virtNetdev *before, const virtNetdev *wanted)
{
    const virtPort *port = virtVFGetPort(vf, before->port, NULL);
    g_autofree char *driver = NULL;
    char mac[18];

    if (!port || !virtNetdevIsUnknown(before, VIRT_NETDEV_MAC) || virtMacIsZero(before->mac) ||
        (wanted && !virtNetdevHas(wanted, VIRT_NETDEV_MAC)))
        return;
    driver = virtPCIGetDriver(host, &vf->address);
    virtMacFormat(before->mac, mac);
    virtHostWarn(
        host,
        "Port %u (VF %u of %s, %s) shows the MAC address %s, and whether that was set or made up by the VF's driver cannot be told: the VF's netdev is not in sight (driver: %s). It will not be kept: when the VF is put back, it has no MAC address set. If it was set, set it again then: ip link set %s vf %u mac %s",
        before->port, vf->index, port->ifname, vf->name, mac, driver ? driver : "none", port->ifname, vf->index, mac);
}

/* Add to the record what it does not remember yet. What it does remember was read before our first change
 * and stays: a second start after a crash sees our own settings on the hardware, not the original ones. */
static void
rememberBefore(virtHost *host, Step *step)
{
    for (guint i = 0; i < step->netdevs->len; i++) {
        const virtNetdev *wanted = step->netdevs->pdata[i];
        virtNetdev *before = virtNetdevListFind(step->record->before, wanted->port);

        if (!before) {
            before = virtNetdevCopy(virtNetdevListFind(step->present, wanted->port));
            g_ptr_array_add(step->record->before, before);
            virtProvisionWarnUnknown(host, step->vf, before, wanted);
            /* Then it says nothing any more that it is the one that is shown. */
            if (virtNetdevIsUnknown(before, VIRT_NETDEV_MAC) && virtNetdevHas(wanted, VIRT_NETDEV_MAC) &&
                virtNetdevEqualAttr(before, wanted, VIRT_NETDEV_MAC))
                memset(before->mac, 0, sizeof(before->mac));
        }
        virtProvisionCompleteBefore(before, wanted);
    }
    for (guint i = 0; step->maybe && i < step->maybe->len; i++) {
        guint port = g_array_index(step->maybe, guint, i);

        if (!virtNetdevListFind(step->record->before, port))
            g_ptr_array_add(step->record->before, virtNetdevCopy(virtNetdevListFind(step->present, port)));
    }
    virtNetdevListSort(step->record->before);
}

/* A VF that is bound to vfio-pci beforehand, or to nothing, is not the host's to have back. */
static void
rememberDriver(virtHost *host, virtRecord *record)
{
    g_autofree char *driver = virtPCIGetDriver(host, &record->address);

    if (!driver || virtPCIIsForGuests(driver))
        return;
    record->driver = g_steal_pointer(&driver);
    record->override = virtPCIGetOverride(host, &record->address);
}

/* Make sure that nobody else has the VF, and get the record to go on with: a new one, after what was left over has been
 * put back, or the one that the owner has. */
static bool
claim(virtHost *host, const virtOwner *owner, guint64 began, Step *step, GError **error)
{
    bool over;

    if (!virtProvisionMayTake(host, owner, step->vf, step->netdevs, &step->old, &over, error))
        return false;
    if (over) {
        if (!virtProvisionRestore(host, step->old, error))
            return false;
        g_clear_pointer(&step->restored, g_ptr_array_unref);
        step->restored = virtNetdevListCopy(step->old->before);
        g_clear_pointer(&step->old, virtRecordFree);
    }
    step->record = virtProvisionRecordNew(owner, began, step->vf, step->netdevs);
    rememberDriver(host, step->record);
    if (step->old) {
        g_free(step->record->driver);
        g_free(step->record->override);
        step->record->driver = g_strdup(step->old->driver);
        step->record->override = g_strdup(step->old->override);
        g_ptr_array_unref(step->record->before);
        step->record->before = virtNetdevListCopy(step->old->before);
    }
    return true;
}

/* ---- prepare ---- */

/* What is @known to have been set, and is still shown, is no guess. */
void
virtProvisionBelieve(const GPtrArray *known, GPtrArray *present)
{
    for (guint i = 0; i < present->len; i++) {
        virtNetdev *netdev = present->pdata[i];
        const virtNetdev *set = virtNetdevListFind(known, netdev->port);

        if (set)
            netdev->unknown &= ~(set->present & ~set->unknown & ~virtNetdevDiff(set, netdev));
    }
}

/* The ports to be read: those that are wanted, and those that it may be instead. */
static GPtrArray *
listPorts(const Step *step)
{
    GPtrArray *list = virtNetdevListCopy(step->netdevs);

    for (guint i = 0; step->maybe && i < step->maybe->len; i++) {
        guint port = g_array_index(step->maybe, guint, i);

        if (!virtNetdevListFind(list, port))
            g_ptr_array_add(list, virtNetdevNew(port));
    }
    return list;
}

static bool
readPresent(virtHost *host, Step *step, GError **error)
{
    g_autoptr(GPtrArray) ports = listPorts(step);

    step->present = virtNetDevHostdevRead(host, step->vf, ports, error);
    if (!step->present)
        return false;
    if (step->old)
        virtProvisionBelieve(step->old->wanted, step->present);
    if (step->restored)
        virtProvisionBelieve(step->restored, step->present);
    rememberBefore(host, step);
    return true;
}

static bool
setSteps(virtHost *host, const GPtrArray *steps, GError **error)
{
    g_autofree virtNetDevHostdevChange *changes = g_new(virtNetDevHostdevChange, steps->len);
    bool ok;

    for (guint i = 0; i < steps->len; i++) {
        const Step *step = steps->pdata[i];

        changes[i] = (virtNetDevHostdevChange){step->vf, step->netdevs, step->present, 0};
    }
    ok = virtNetDevHostdevSetMany(host, changes, steps->len, error);
    for (guint i = 0; i < steps->len; i++)
        ((Step *)steps->pdata[i])->elsewhere = changes[i].elsewhere;
    return ok;
}

/* The port that was tried is the VF's: what was remembered of the others, in case it had been one of those, has not
 * changed and is not ours to put back. */
static bool
forgetOthers(virtHost *host, const GPtrArray *steps, GError **error)
{
    for (guint i = 0; i < steps->len; i++) {
        const Step *step = steps->pdata[i];
        GPtrArray *before = step->record->before;

        if (!step->maybe)
            continue;
        for (guint n = before->len; n-- > 0;) {
            if (!virtNetdevListFind(step->netdevs, ((const virtNetdev *)before->pdata[n])->port))
                g_ptr_array_remove_index(before, n);
        }
        if (!virtProvisionRecordSave(host, step->record, VIRT_PHASE_ACTIVE, error))
            return false;
    }
    return true;
}

/* Has the driver shown which ports are meant? Then these are, and everything is as it was before the try. */
static bool
followDriver(virtHost *host, const GPtrArray *steps)
{
    bool any = false;

    for (guint i = 0; i < steps->len; i++) {
        Step *step = steps->pdata[i];
        virtNetdev *netdev;

        if (!step->maybe || !step->elsewhere)
            continue;
        g_clear_pointer(&step->maybe, g_array_unref);
        netdev = step->netdevs->pdata[0];
        netdev->port = step->elsewhere;
        virtProvisionWarnUnknown(host, step->vf, virtNetdevListFind(step->present, netdev->port), netdev);
        any = true;
    }
    return any;
}

/* Make the VF, and its record, what they were before this start: its owner has it, and goes on having it. */
static bool
keepOld(virtHost *host, const Step *step, GError **error)
{
    return virtNetDevHostdevRestore(host, step->vf, step->present, error) &&
           virtProvisionRecordSave(host, step->old, step->old->phase, error);
}

/* Undo the first @count of @steps, whose records are written. Adds a GError to @problems for each failure. */
static void
rollBack(virtHost *host, const GPtrArray *steps, guint count, GPtrArray *problems)
{
    g_autoptr(GPtrArray) records = g_ptr_array_new();
    g_autoptr(GPtrArray) failed = NULL;

    for (guint i = 0; i < count; i++) {
        const Step *step = steps->pdata[i];
        GError *local = NULL;

        if (!step->old)
            g_ptr_array_add(records, step->record);
        else if (!keepOld(host, step, &local))
            g_ptr_array_add(problems, local);
    }
    virtProvisionForgetUsers(host);
    failed = virtProvisionRestoreMany(host, records, NULL);
    g_ptr_array_extend_and_steal(problems, g_steal_pointer(&failed));
}

/* Write all records, then set all VFs. When that fails, undo what has a record; a failure of this is told beside the
 * one that led to it. */
static bool
apply(virtHost *host, const GPtrArray *steps, GError **error)
{
    g_autoptr(GPtrArray) records = g_ptr_array_new();
    g_autoptr(GPtrArray) problems = g_ptr_array_new_with_free_func((GDestroyNotify)g_error_free);
    g_autoptr(GString) told = NULL;
    g_autoptr(GError) cause = NULL;
    g_auto(virtStateBatch) saved = {0};

    for (guint i = 0; i < steps->len; i++)
        g_ptr_array_add(records, ((Step *)steps->pdata[i])->record);
    if (virtProvisionRecordSaveMany(host, records, VIRT_PHASE_SETTING, &saved, &cause) &&
        setSteps(host, steps, &cause) &&
        virtProvisionRecordMarkBatch(host, records, &saved, VIRT_PHASE_ACTIVE, &cause) &&
        forgetOthers(host, steps, &cause))
        return true;
    host->counts[VIRT_COUNT_REFUSALS] += g_error_matches(cause, VIRT_ERROR, VIRT_ERROR_REFUSED);
    host->counts[VIRT_COUNT_ROLLBACKS]++;
    rollBack(host, steps, (guint)saved.written, problems);
    told = g_string_new(cause->message);
    for (guint i = 0; i < problems->len; i++)
        g_string_append_printf(told, " Putting back failed too: %s", ((GError *)problems->pdata[i])->message);
    g_set_error_literal(error, cause->domain, cause->code, told->str);
    return false;
}

/* The steps with their VFs as far as their PFs have to be known to be locked. What the ports say counts under the lock
 * alone. */
static GPtrArray *
stepsNew(virtHost *host, const GPtrArray *hostdevs, GError **error)
{
    g_autoptr(virtHostReads) reads G_GNUC_UNUSED = virtHostReadOnce(host);
    g_autoptr(GPtrArray) steps = g_ptr_array_new_with_free_func((GDestroyNotify)stepFree);

    for (guint i = 0; i < hostdevs->len; i++) {
        Step *step = g_new0(Step, 1);

        step->hostdev = hostdevs->pdata[i];
        g_ptr_array_add(steps, step);
        step->vf = virtVFLocate(host, &step->hostdev->address, error);
        if (!step->vf) {
            virtProvisionPrefix(error, step->hostdev);
            return NULL;
        }
    }
    return g_steal_pointer(&steps);
}

/* Has the VF the ports that are wanted of it? */
static bool
hasPorts(virtHost *host, const Step *step, GError **error)
{
    const virtNetdev *const *netdevs = (const virtNetdev *const *)step->netdevs->pdata;

    if (virtProvisionPortCheck(host, step->vf, netdevs, step->netdevs->len, error))
        return true;
    virtProvisionPrefix(error, step->hostdev);
    return false;
}

/* Everything that may stand against it, before anything is changed. By hand, a VF is set for whoever uses its netdev.
 */
static bool
makeReady(virtHost *host, const virtOwner *owner, guint64 began, Step *step, GError **error)
{
    g_clear_pointer(&step->record, virtRecordFree);
    g_clear_pointer(&step->old, virtRecordFree);
    g_clear_pointer(&step->present, g_ptr_array_unref);
    return virtProvisionCheckPorts(step->vf, step->hostdev, step->netdevs, error) &&
           claim(host, owner, began, step, error) && (!owner->uuid || virtVFCheckNetdevs(host, step->vf, error)) &&
           readPresent(host, step, error) && hasPorts(host, step, error);
}

/* Take the VFs of @steps and set them, or none. */
static bool
take(virtHost *host, const virtOwner *owner, guint64 began, const GPtrArray *steps, GError **error)
{
    for (guint i = 0; i < steps->len; i++) {
        if (!makeReady(host, owner, began, steps->pdata[i], error))
            return false;
    }
    return apply(host, steps, error);
}

/* Gives @owner all of @hostdevs (virtHostdev), set and read back, or none of them.
 *
 * Called before a driver takes the devices. Calling it again for the same owner is safe: what the VFs were
 * before the first call stays remembered.
 */
bool
virtProvisionPrepare(virtHost *host, const virtOwner *owner, const GPtrArray *hostdevs, GError **error)
{
    guint64 began = (guint64)g_get_monotonic_time();
    g_autoptr(GPtrArray) steps = stepsNew(host, hostdevs, error);
    g_autoptr(GPtrArray) locks = NULL;
    g_autoptr(virtHostReads) reads G_GNUC_UNUSED = NULL;
    g_autoptr(GError) problem = NULL;

    if (!steps || steps->len == 0)
        return steps;
    if (!(locks = lockPFs(host, steps, error)))
        return false;
    reads = virtHostReadOnce(host);
    for (guint i = 0; i < steps->len; i++) {
        if (!look(host, owner, steps->pdata[i], error))
            return false;
    }
    while (!take(host, owner, began, steps, &problem)) {
        if (!followDriver(host, steps)) {
            g_propagate_error(error, g_steal_pointer(&problem));
            return false;
        }
        g_clear_error(&problem);
    }
    for (guint i = 0; i < steps->len; i++)
        virtProvisionLogVF(VIRT_MESSAGE_ID_SET, "Set", ((Step *)steps->pdata[i])->record);
    host->counts[VIRT_COUNT_CHANGES] += steps->len;
    return true;
}
