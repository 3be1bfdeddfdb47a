/* qemu_hostdev.c: prepare and release a domain's VFs
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Theory of operation. A start is a list of steps, one a VF. First every step is checked against the host and
 * against who owns the VF; nothing has changed until all of them pass. Then, one after the other, a step's
 * record (what the VF's netdevs say now, and what they shall say) is written to disk, its netdevs are set and
 * read back, and the record is marked active. When a step fails, it and all before it are put back to what
 * their records say, and the error that is returned names the setting that was refused.
 *
 * The record is the only memory: release, a crash and `virt-hostdev restore` all end in the same function that
 * sets `before` again, reads it back, and only then removes the record.
 *
 * Changes to one PF's VFs exclude each other by that PF's lock. A start that spans PFs takes their locks in
 * address order, so two starts cannot wait for each other in a circle.
 */
#include "qemu/qemu_hostdev.h"
#include "util/virerror.h"
#include "util/virnetdevhostdev.h"
#include "util/virstatefile.h"

#include <stdio.h>
#include <string.h>

/* The journal's name for this, as `journalctl MESSAGE_ID=` takes it; the other is in qemu_hostdev.h. */
#define MESSAGE_ID_RESTORED "5d1c9a7e3f6b4a82a4d0c7b2e1f80632"

typedef struct {
    const virtHostdev *hostdev;
    virtVF *vf;
    virtRecord *record;
    GPtrArray *present; /* virtNetdev: what the wanted ports say before this start */
} Step;

static void
stepFree(Step *step)
{
    virtVFFree(step->vf);
    virtRecordFree(step->record);
    if (step->present)
        g_ptr_array_unref(step->present);
    g_free(step);
}

/* Tell the journal what happened to @vf. */
void
virtQemuHostdevLog(const char *messageId, const char *what, const virtOwner *owner, const virtVF *vf)
{
    g_log_structured("libvirt-hostdev", G_LOG_LEVEL_INFO, "MESSAGE_ID", messageId, "DOMAIN_UUID",
                     owner->uuid ? owner->uuid : "", "DOMAIN_NAME", owner->name ? owner->name : "", "PCI_ADDR",
                     vf->name, "PF", vf->pfName, "MESSAGE", "%s the netdevs of %s (VF %u of %s) for '%s'", what,
                     vf->name, vf->index, vf->pfName, owner->name ? owner->name : "");
}

/* ---- checks ---- */

/* Has @vf's PF the port that @wanted speaks of, and is it up?
 *
 * A PF that is down takes settings on some drivers and drops them later, refuses them on others; and the guest
 * would have no link. libvirt refuses it too and does not bring it up; neither do we.
 */
bool
virtQemuHostdevCheckPort(const virtVF *vf, const virtNetdev *wanted, GError **error)
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
virtQemuHostdevCheckOwner(const virtOwner *owner, const virtRecord *record, GError **error)
{
    g_autofree char *holder = virtOwnerDescribe(&record->owner);
    char name[VIRT_PCI_ADDRESS_LEN];

    if (virtOwnerEqual(owner, &record->owner))
        return true;
    virtPCIAddressFormat(&record->address, name);
    g_set_error(
        error, VIRT_ERROR, VIRT_ERROR_BUSY, "VF %s is in use by %s. %s", name, holder,
        record->owner.uuid
            ? "Stop that domain, give this one another VF, or, when that domain no longer exists, run: virt-hostdev restore"
            : "Give it back with virt-hostdev release, or use another VF.");
    return false;
}

/* 16 bytes of a canonical UUID. */
static void
parseUuid(const char *text, guint8 ret[16])
{
    guint n = 0;

    for (const char *p = text; *p && n < 32; p++) {
        int digit = g_ascii_xdigit_value(*p);

        if (*p == '-')
            continue;
        if (digit < 0)
            return;
        ret[n / 2] = (guint8)(ret[n / 2] << 4 | digit);
        n++;
    }
}

/* Find the VF of @hostdev and see whether its ports can be used. Returns it ready for settings of @owner's. */
virtVF *
virtQemuHostdevLookup(virtHost *host, const virtOwner *owner, const virtHostdev *hostdev, GError **error)
{
    g_autoptr(virtVF) vf = virtVFLookup(host, &hostdev->address, error);

    if (vf && owner->uuid)
        parseUuid(owner->uuid, vf->instance);
    for (guint i = 0; vf && i < hostdev->netdevs->len; i++) {
        if (!virtQemuHostdevCheckPort(vf, hostdev->netdevs->pdata[i], error))
            return NULL;
    }
    return g_steal_pointer(&vf);
}

static Step *
stepNew(virtHost *host, const virtOwner *owner, const virtHostdev *hostdev, GError **error)
{
    Step *step = g_new0(Step, 1);

    step->hostdev = hostdev;
    step->vf = virtQemuHostdevLookup(host, owner, hostdev, error);
    if (!step->vf)
        g_clear_pointer(&step, stepFree);
    return step;
}

static int
compareSteps(const void *a, const void *b)
{
    return virtPCIAddressCompare(&(*(Step *const *)a)->vf->pf, &(*(Step *const *)b)->vf->pf);
}

/* Take each PF's lock once, in address order. */
static GPtrArray *
lockPFs(virtHost *host, const GPtrArray *steps, GError **error)
{
    g_autoptr(GPtrArray) sorted = g_ptr_array_copy((GPtrArray *)steps, NULL, NULL);
    g_autoptr(GPtrArray) locks = g_ptr_array_new_with_free_func((GDestroyNotify)virtStateLockRelease);

    g_ptr_array_set_free_func(sorted, NULL);
    g_ptr_array_sort(sorted, compareSteps);
    for (guint i = 0; i < sorted->len; i++) {
        virtVF *vf = ((Step *)sorted->pdata[i])->vf;
        virtStateLock *lock;

        if (i > 0 && compareSteps(&sorted->pdata[i - 1], &sorted->pdata[i]) == 0)
            continue;
        if (!(lock = virtStateLockTake(host, vf->pfName, error)))
            return NULL;
        g_ptr_array_add(locks, lock);
    }
    return g_steal_pointer(&locks);
}

/* ---- records ---- */

/* What the kernel does not report (a port profile, a GUID) is taken as "none", so that putting back clears it. */
void
virtQemuHostdevCompleteBefore(virtNetdev *before, const virtNetdev *wanted)
{
    static const virtNetdev none = {.present = ~0u};

    for (guint attr = 0; attr < VIRT_NETDEV_ATTR_LAST; attr++) {
        if (virtNetdevHas(wanted, attr) && !virtNetdevHas(before, attr))
            virtNetdevCopyAttr(before, &none, attr);
    }
}

/* Add to the record what it does not remember yet. What it does remember was read before our first change
 * and stays: a second start after a crash sees our own settings on the hardware, not the original ones. */
static void
rememberBefore(Step *step)
{
    for (guint i = 0; i < step->hostdev->netdevs->len; i++) {
        const virtNetdev *wanted = step->hostdev->netdevs->pdata[i];
        virtNetdev *before = virtNetdevListFind(step->record->before, wanted->port);

        if (!before) {
            before = virtNetdevCopy(virtNetdevListFind(step->present, wanted->port));
            g_ptr_array_add(step->record->before, before);
        }
        virtQemuHostdevCompleteBefore(before, wanted);
    }
    virtNetdevListSort(step->record->before);
}

/* Is @vf still the one that @record speaks of? What the record knows would be wrong for another. */
bool
virtQemuHostdevIsRecorded(const virtVF *vf, const virtRecord *record, GError **error)
{
    if (virtPCIAddressCompare(&vf->pf, &record->pf) == 0 && vf->index == record->index)
        return true;
    g_set_error(
        error, VIRT_ERROR, VIRT_ERROR_HOST,
        "%s was VF %u and is now VF %u of %s, which may be somebody else's: nothing is changed. Its record stays in /" VIRT_STATE_DIR
        "; compare it with virt-hostdev status and remove it by hand.",
        vf->name, record->index, vf->index, vf->pfName);
    return false;
}

/* Make sure that nobody else has the VF, and get the record to go on with: a new one, or the one that an
 * earlier, interrupted start of the same owner left. */
static bool
claim(virtHost *host, const virtOwner *owner, Step *step, GError **error)
{
    g_autoptr(GError) local = NULL;
    g_autoptr(virtRecord) old = virtQemuRecordLoad(host, step->vf->name, &local);

    if (!old && !g_error_matches(local, VIRT_ERROR, VIRT_ERROR_NOT_FOUND)) {
        g_propagate_error(error, g_steal_pointer(&local));
        return false;
    }
    if (old && !virtOwnerEqual(owner, &old->owner) && virtOwnerIsGone(host, &old->owner)) {
        if (!virtQemuHostdevRestore(host, old, error))
            return false;
        g_clear_pointer(&old, virtRecordFree);
    }
    if (old && (!virtQemuHostdevCheckOwner(owner, old, error) || !virtQemuHostdevIsRecorded(step->vf, old, error)))
        return false;
    step->record = virtQemuRecordNew(owner, step->vf, step->hostdev->netdevs);
    if (old) {
        g_ptr_array_unref(step->record->before);
        step->record->before = g_steal_pointer(&old->before);
    }
    return true;
}

/* ---- putting back ---- */

/* Does the host's own driver hold the VF with a MAC that is not the VF's any more? It took its MAC when it
 * probed: the guest's, where we come too late, or one of its own that setting an admin MAC has taken out of
 * the NIC's filters. Only probing again mends either. */
static bool
needsProbe(const GPtrArray *vfPorts, const virtRecord *record)
{
    for (guint i = 0; i < vfPorts->len; i++) {
        const virtPort *netdev = vfPorts->pdata[i];
        const virtNetdev *before = virtNetdevListFind(record->before, netdev->port);
        const virtNetdev *wanted = virtNetdevListFind(record->wanted, netdev->port);

        if (!before || !wanted || !virtNetdevHas(wanted, VIRT_NETDEV_MAC) ||
            virtNetdevEqualAttr(wanted, before, VIRT_NETDEV_MAC))
            continue;
        if (memcmp(netdev->mac, wanted->mac, sizeof(netdev->mac)) == 0)
            return true;
        if (virtMacIsZero(before->mac) && netdev->addrAssignType == 1)
            return true;
    }
    return false;
}

static bool
probeAgain(virtHost *host, const virtRecord *record, GError **error)
{
    g_autoptr(GPtrArray) vfPorts = virtPCIGetPorts(host, &record->address, NULL);

    if (!vfPorts || !needsProbe(vfPorts, record))
        return true;
    return virtPCIRebind(host, &record->address, error);
}

/* The VF must still be the one that the record speaks of. NULL with no error: it is gone, and its settings
 * with it. */
static virtVF *
findRecorded(virtHost *host, const virtRecord *record, GError **error)
{
    g_autoptr(virtVF) vf = NULL;
    g_autoptr(GPtrArray) vfs = virtPCIListVFs(host, &record->pf);
    bool listed = false;

    for (guint i = 0; vfs && i < vfs->len; i++)
        listed |= virtPCIAddressCompare(vfs->pdata[i], &record->address) == 0;
    if (vfs && !listed) {
        char name[VIRT_PCI_ADDRESS_LEN];

        virtPCIAddressFormat(&record->address, name);
        virtHostWarn(host, "VF %s no longer exists: nothing is left to put back", name);
        return NULL;
    }
    if (!(vf = virtVFLookup(host, &record->address, error)))
        return NULL;
    if (!virtQemuHostdevIsRecorded(vf, record, error))
        return NULL;
    if (record->owner.uuid)
        parseUuid(record->owner.uuid, vf->instance);
    return g_steal_pointer(&vf);
}

/* Puts one VF back to what @record remembers and forgets the record.
 *
 * The caller holds the PF's lock. A failure leaves the record, so that it can be tried again.
 */
bool
virtQemuHostdevRestore(virtHost *host, virtRecord *record, GError **error)
{
    g_autoptr(GError) local = NULL;
    g_autoptr(virtVF) vf = findRecorded(host, record, &local);

    if (!vf && local) {
        g_propagate_error(error, g_steal_pointer(&local));
        return false;
    }
    if (vf) {
        /* The phase only informs: a full disk must not keep a VF from being put back. */
        if (!virtQemuRecordSave(host, record, VIRT_PHASE_RESTORING, &local))
            virtHostWarn(host, "%s", local->message);
        if (!virtNetDevHostdevRestore(host, vf, record->before, error) || !probeAgain(host, record, error))
            return false;
        virtQemuHostdevLog(MESSAGE_ID_RESTORED, "Put back", &record->owner, vf);
    }
    return virtQemuRecordRemove(host, record, error);
}

/* ---- prepare ---- */

/* Put back @steps[0..last], the failing one first. A failure here is told beside @cause, which led to it. */
static void
rollBack(virtHost *host, const GPtrArray *steps, guint last, const GError *cause, GError **error)
{
    g_autoptr(GString) told = g_string_new(cause->message);

    for (guint i = last + 1; i-- > 0;) {
        Step *step = steps->pdata[i];
        g_autoptr(GError) local = NULL;

        if (!virtQemuHostdevRestore(host, step->record, &local))
            g_string_append_printf(told, " Putting back failed too: %s", local->message);
    }
    g_set_error_literal(error, cause->domain, cause->code, told->str);
}

static bool
readPresent(virtHost *host, Step *step, GError **error)
{
    step->present = virtNetDevHostdevRead(host, step->vf, step->hostdev->netdevs, error);
    if (!step->present)
        return false;
    rememberBefore(step);
    return true;
}

static bool
apply(virtHost *host, Step *step, GError **error)
{
    return virtQemuRecordSave(host, step->record, VIRT_PHASE_SETTING, error) &&
           virtNetDevHostdevSet(host, step->vf, step->hostdev->netdevs, step->present, error) &&
           virtQemuRecordSave(host, step->record, VIRT_PHASE_ACTIVE, error);
}

/* Gives @owner all of @hostdevs (virtHostdev), set and read back, or none of them.
 *
 * Called before a driver takes the devices. Calling it again for the same owner is safe: what the VFs were
 * before the first call stays remembered.
 */
bool
virtQemuHostdevPrepare(virtHost *host, const virtOwner *owner, const GPtrArray *hostdevs, GError **error)
{
    g_autoptr(GPtrArray) steps = g_ptr_array_new_with_free_func((GDestroyNotify)stepFree);
    g_autoptr(GPtrArray) locks = NULL;

    for (guint i = 0; i < hostdevs->len; i++) {
        Step *step = stepNew(host, owner, hostdevs->pdata[i], error);

        if (!step)
            return false;
        g_ptr_array_add(steps, step);
    }
    if (!(locks = lockPFs(host, steps, error)))
        return false;
    for (guint i = 0; i < steps->len; i++) {
        if (!claim(host, owner, steps->pdata[i], error) || !readPresent(host, steps->pdata[i], error))
            return false;
    }
    for (guint i = 0; i < steps->len; i++) {
        Step *step = steps->pdata[i];
        g_autoptr(GError) cause = NULL;

        if (!apply(host, step, &cause)) {
            rollBack(host, steps, i, cause, error);
            return false;
        }
        virtQemuHostdevLog(VIRT_MESSAGE_ID_SET, "Set", owner, step->vf);
    }
    return true;
}

/* ---- release ---- */

/* Is @record still the one that was @seen, not that of a later owner or of a later start of the same one? The phase
 * says nothing here: a change that was under way when it was seen is the same guest's. */
static bool
isSame(const virtRecord *seen, const virtRecord *record)
{
    return virtOwnerEqual(&seen->owner, &record->owner) && seen->owner.pid == record->owner.pid &&
           seen->owner.start == record->owner.start;
}

/* Takes the PF's lock and puts back the VF of @seen, if the owner that @seen names still has it from that same start.
 * Otherwise there is nothing to do, which is success.
 */
bool
virtQemuHostdevReleaseOne(virtHost *host, const virtRecord *seen, GError **error)
{
    char pfName[VIRT_PCI_ADDRESS_LEN];
    char name[VIRT_PCI_ADDRESS_LEN];
    g_autoptr(virtStateLock) lock = NULL;
    g_autoptr(virtRecord) record = NULL;
    g_autoptr(GError) local = NULL;

    virtPCIAddressFormat(&seen->pf, pfName);
    virtPCIAddressFormat(&seen->address, name);
    if (!(lock = virtStateLockTake(host, pfName, error)))
        return false;
    /* Somebody may have released it, and somebody else taken it, while we waited for the lock. */
    record = virtQemuRecordLoad(host, name, &local);
    if (!record) {
        if (g_error_matches(local, VIRT_ERROR, VIRT_ERROR_NOT_FOUND))
            return true;
        g_propagate_error(error, g_steal_pointer(&local));
        return false;
    }
    return !isSame(seen, record) || virtQemuHostdevRestore(host, record, error);
}

/* Puts back every VF that @owner has, whatever its XML says by now.
 *
 * Goes on past failures; the error then names each VF that could not be put back. Releasing nothing succeeds.
 */
bool
virtQemuHostdevRelease(virtHost *host, const virtOwner *owner, GError **error)
{
    g_autoptr(GPtrArray) records = virtQemuRecordList(host, error);
    g_autoptr(GString) failures = g_string_new(NULL);

    if (!records)
        return false;
    for (guint i = 0; i < records->len; i++) {
        const virtRecord *record = records->pdata[i];
        g_autoptr(GError) local = NULL;

        if (virtOwnerEqual(owner, &record->owner) && !virtQemuHostdevReleaseOne(host, record, &local))
            g_string_append_printf(failures, "%s%s", failures->len ? "\n" : "", local->message);
    }
    if (failures->len == 0)
        return true;
    g_set_error_literal(error, VIRT_ERROR, VIRT_ERROR_REFUSED, failures->str);
    return false;
}
