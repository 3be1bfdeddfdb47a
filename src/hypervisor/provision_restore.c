/* provision_restore.c: restore what an owner has had set, and what was left over
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Theory of operation. A restore depends on nothing but records: it makes sure that each device is still the one its
 * record speaks of and that nobody has it by now, sets `before` of each record again, reads it back, and only then
 * removes the record. Providers take their turns in the reverse of the order in which they set. Many devices are
 * written together first; then each is gone through by itself, which writes what is still missing and says why it
 * cannot.
 *
 * Some of it is restored when the guest has ended, and the rest when libvirt has released the device
 * (virtRestoreStage). Until then the record stays, with what is left.
 */
#include "hypervisor/provision.h"

#include "hypervisor/provision_log.h"
#include "util/virerror.h"
#include "util/virpcicard.h"
#include "util/virpci.h"
#include "util/virstatefile.h"

/* One device to restore. */
typedef struct {
    virtRecord *record;
    GPtrArray
        *targets;    /* virtTarget, by kind, of those that are restored now; NULL: see problem, or the device is gone */
    bool waits;      /* somebody has the device: it is left alone */
    bool resumed;    /* it was begun before */
    GError *problem; /* NULL in the end: it is restored, and its record removed */
} RestoreItem;

static void
itemFree(RestoreItem *item)
{
    g_clear_pointer(&item->targets, g_ptr_array_unref);
    g_clear_error(&item->problem);
    g_free(item);
}

/* Say before @error which device it keeps from being restored. */
static void
prefixName(GError **error, const virtRecord *record)
{
    g_prefix_error(error, "Cannot restore %s %s: ", virtHandleGetNoun(&record->handle), record->handle.name);
}

/* ---- the host's driver ---- */

/* Give the device back to the driver of the host that it had before. libvirt does so when it takes a device from a
 * guest, but only one that it knows the guest to have: not if it died between binding it to vfio-pci and writing that
 * down. As long as the libvirt lives that has asked for it, it does that itself.
 *
 * @listed: those that libvirt knows the guest to have; NULL: none
 * @ret_bound: it was bound now, and so has probed
 */
static bool
bindBack(virtHost *host, const virtRecord *record, const GArray *listed, bool *ret_bound, GError **error)
{
    g_autofree char *driver = NULL;
    g_autofree char *name = NULL;
    virtPCIAddress address;

    *ret_bound = false;
    if (!record->driver || !virtHandleGetPCI(&record->handle, &address))
        return true;
    driver = virtPCIGetDriver(host, &address);
    if ((listed && virtHandleIsIn(listed, &record->handle)) || (driver && !virtPCIIsForGuests(driver)) ||
        virtProvisionRecordHasStarter(host, record))
        return true;
    if (!virtPCIBindBack(host, &address, record->driver, record->override, error))
        return false;
    *ret_bound = true;
    name = virtProvisionRecordName(record);
    virtProvisionLog(VIRT_MESSAGE_ID_RESTORED, G_LOG_LEVEL_INFO, record, NULL, "Bound %s to driver %s again for '%s'",
                     name, record->driver, record->owner.name);
    return true;
}

/* ---- which devices, and what of them ---- */

/* Does @record know anything of @kind? */
static bool
remembers(const virtRecord *record, guint kind)
{
    return record->before.of[kind]->len > 0 || record->wanted.of[kind]->len > 0;
}

/* Does the provider of @kind restore anything of @record at @stage? */
static bool
isDue(const virtRecord *record, guint kind, virtRestoreStage stage)
{
    return remembers(record, kind) && virtProviders[kind]->restoreAt <= stage;
}

/* Is all that @record remembers for later? */
static bool
isForLater(const virtRecord *record, virtRestoreStage stage)
{
    bool later = false;

    for (guint k = 0; virtProviders[k]; k++) {
        if (isDue(record, k, stage))
            return false;
        later |= remembers(record, k);
    }
    return later;
}

/* Whether the card that the device of @record was asked for by has gone, and another is in its place. One without a
 * serial number is another. */
static bool
isOnOtherCard(virtHost *host, const virtRecord *record, bool *ret, GError **error)
{
    g_autoptr(virtPCIVPD) vpd = NULL;
    g_autoptr(GError) problem = NULL;
    virtPCIAddress pf;
    const char *from;

    *ret = false;
    if (!record->serial || !virtHandleGetPCI(&record->parent, &pf))
        return true;
    vpd = virtPCICardReadVPD(host, &pf, &from, &problem);
    if (problem && !g_error_matches(problem, VIRT_ERROR, VIRT_ERROR_NOT_FOUND)) {
        g_propagate_error(error, g_steal_pointer(&problem));
        return false;
    }
    *ret = !vpd || g_strcmp0(virtPCIVPDGet(vpd, "SN"), record->serial) != 0;
    return true;
}

/* Whether the device of @record has gone, and its settings with it. */
static bool
checkGone(virtHost *host, const virtRecord *record, virtRestoreStage stage, bool *ret_gone, GError **error)
{
    if (!isOnOtherCard(host, record, ret_gone, error))
        return false;
    for (guint k = 0; virtProviders[k] && !*ret_gone; k++) {
        if (isDue(record, k, stage) && virtProviders[k]->isGone &&
            !virtProviders[k]->isGone(host, record, ret_gone, error))
            return false;
    }
    if (*ret_gone)
        virtHostWarn(host, "%s %s no longer exists: there is nothing to restore", virtHandleGetNoun(&record->handle),
                     record->handle.name);
    return true;
}

/* The device must still be the one that the record speaks of. NULL with no error: it is gone. */
static GPtrArray *
openRecorded(virtHost *host, const virtRecord *record, virtRestoreStage stage, GError **error)
{
    g_autoptr(GPtrArray) targets = g_ptr_array_new_with_free_func((GDestroyNotify)virtTargetFree);
    bool gone;

    if (!checkGone(host, record, stage, &gone, error) || gone)
        return NULL;
    for (guint k = 0; virtProviders[k]; k++) {
        virtTarget *target;

        if (!isDue(record, k, stage))
            continue;
        if (!(target = virtTargetOpen(host, &record->owner, k, &record->handle, record->before.of[k], error)))
            return NULL;
        g_ptr_array_add(targets, target);
        if (!virtProvisionIsRecorded(target, record, error))
            return NULL;
    }
    return g_steal_pointer(&targets);
}

static GPtrArray *
itemsNew(virtHost *host, const GPtrArray *records, virtRestoreStage stage)
{
    GPtrArray *items = g_ptr_array_new_with_free_func((GDestroyNotify)itemFree);

    for (guint i = 0; i < records->len; i++) {
        RestoreItem *item;

        if (isForLater(records->pdata[i], stage))
            continue;
        item = g_new0(RestoreItem, 1);
        item->record = records->pdata[i];
        item->resumed = item->record->phase == VIRT_PHASE_RESTORING;
        item->targets = openRecorded(host, item->record, stage, &item->problem);
        if (item->problem)
            prefixName(&item->problem, item->record);
        if (item->targets && !virtProvisionCheckReturn(host, item->record, &item->problem)) {
            g_clear_pointer(&item->targets, g_ptr_array_unref);
            item->waits = true;
        }
        g_ptr_array_add(items, item);
    }
    return items;
}

/* May anybody restore this later? Yes where somebody else has the device, but not while its owner's guest runs. */
static bool
isBegun(virtHost *host, const RestoreItem *item)
{
    return item->targets || (item->waits && !virtProvisionRecordHasGuest(host, item->record));
}

/* A full disk must not keep a device from being restored. Without the mark, others take the record for left over only
 * once the process that started its owner has gone. */
static void
markRestoring(virtHost *host, const GPtrArray *items)
{
    g_autoptr(GPtrArray) records = g_ptr_array_new();
    g_autoptr(GError) local = NULL;

    for (guint i = 0; i < items->len; i++) {
        const RestoreItem *item = items->pdata[i];

        if (isBegun(host, item))
            g_ptr_array_add(records, item->record);
    }
    if (records->len > 0 && !virtProvisionRecordMarkMany(host, records, VIRT_PHASE_RESTORING, &local))
        virtHostWarn(host, "%s", local->message);
}

/* ---- restoring ---- */

static guint
countProviders(void)
{
    guint n = 0;

    while (virtProviders[n])
        n++;
    return n;
}

/* Write what differs of all of one kind in a few requests. What that does not achieve is then done one by one. */
static void
restoreTogether(virtHost *host, const GPtrArray *items, guint kind)
{
    g_autoptr(GPtrArray) targets = g_ptr_array_new();

    for (guint i = 0; i < items->len; i++) {
        const RestoreItem *item = items->pdata[i];

        for (guint t = 0; item->targets && t < item->targets->len; t++) {
            virtTarget *target = item->targets->pdata[t];

            if (target->kind == kind && (target->present = virtTargetRead(host, target, target->wanted, NULL)))
                g_ptr_array_add(targets, target);
        }
    }
    if (targets->len > 0)
        virtProviders[kind]->tryRestoreMany(host, (virtTarget *const *)targets->pdata, targets->len);
}

/* Each as far as it goes: what keeps one kind from being restored need not keep the others. */
static bool
restoreTargets(virtHost *host, const RestoreItem *item, GError **error)
{
    g_autoptr(GError) first = NULL;

    for (guint t = item->targets->len; t-- > 0;) {
        const virtTarget *target = item->targets->pdata[t];
        GError **problem = first ? NULL : &first;

        target->provider->restore(host, target, item->record->before.of[target->kind], problem);
    }
    if (!first)
        return true;
    g_propagate_error(error, g_steal_pointer(&first));
    return false;
}

static bool
finishTargets(virtHost *host, const RestoreItem *item, GError **error)
{
    for (guint t = item->targets->len; t-- > 0;) {
        const virtTarget *target = item->targets->pdata[t];

        if (target->provider->afterRestore && !target->provider->afterRestore(host, item->record, item->resumed, error))
            return false;
    }
    return true;
}

/* What is restored is no longer remembered; a record that remembers nothing more is removed. */
static bool
forgetTargets(virtHost *host, const RestoreItem *item, GError **error)
{
    virtRecord *record = item->record;
    guint left = 0;

    for (guint k = 0; virtProviders[k]; k++)
        left += remembers(record, k);
    if (!item->targets || left <= item->targets->len)
        return virtProvisionRecordRemove(host, record, error);
    for (guint t = 0; t < item->targets->len; t++) {
        guint kind = ((const virtTarget *)item->targets->pdata[t])->kind;

        g_ptr_array_set_size(record->before.of[kind], 0);
        g_ptr_array_set_size(record->wanted.of[kind], 0);
    }
    return virtProvisionRecordSave(host, record, VIRT_PHASE_RESTORING, error);
}

static bool
restoreOne(virtHost *host, const RestoreItem *item, const GArray *listed, GError **error)
{
    bool bound = false;
    g_autofree char *device = virtProvisionRecordDescribe(item->record);

    if (item->targets && (!restoreTargets(host, item, error) || !bindBack(host, item->record, listed, &bound, error) ||
                          (!bound && !finishTargets(host, item, error))))
        return false;
    if (!forgetTargets(host, item, error))
        return false;
    if (item->targets) {
        virtProvisionLog(VIRT_MESSAGE_ID_RESTORED, G_LOG_LEVEL_INFO, item->record, NULL, "Restored %s for '%s'", device,
                         item->record->owner.name);
        host->counts[VIRT_COUNT_RESTORED]++;
    }
    return true;
}

/* Restores the devices of @records to what these remember, and forgets the records.
 *
 * @listed: virtHandle, the devices that libvirt is about to bind to the host's drivers again; NULL: none. The others
 * are bound here where libvirt died before it could
 * @stage: how far libvirt is: what is restored later stays in the records
 *
 * The caller holds their locks. Goes on past failures, each of which leaves its record, so that it can be
 * tried again. A device that anybody has is not written to: that is a failure with VIRT_ERROR_BUSY, and waits for its
 * user's end. Returns (transfer full): GError of each that failed, in the order of @records; empty when all went well.
 */
GPtrArray *
virtProvisionRestoreMany(virtHost *host, const GPtrArray *records, const GArray *listed, virtRestoreStage stage)
{
    g_autoptr(virtHostReads) reads G_GNUC_UNUSED = virtHostReadOnce(host);
    g_autoptr(GPtrArray) items = itemsNew(host, records, stage);
    GPtrArray *problems = g_ptr_array_new_with_free_func((GDestroyNotify)g_error_free);

    markRestoring(host, items);
    for (guint k = countProviders(); items->len > 1 && k-- > 0;) {
        if (virtProviders[k]->tryRestoreMany)
            restoreTogether(host, items, k);
    }
    for (guint i = 0; i < items->len; i++) {
        RestoreItem *item = items->pdata[i];

        if (!item->problem && restoreOne(host, item, listed, &item->problem))
            continue;
        /* What is tried again was counted the first time. */
        host->counts[VIRT_COUNT_REFUSALS] +=
            !item->resumed && g_error_matches(item->problem, VIRT_ERROR, VIRT_ERROR_REFUSED);
        g_ptr_array_add(problems, g_steal_pointer(&item->problem));
    }
    return problems;
}

/* Restores one device to what @record remembers, all of it, and forgets the record.
 *
 * The caller holds its lock. A failure leaves the record, so that it can be tried again.
 */
bool
virtProvisionRestore(virtHost *host, virtRecord *record, GError **error)
{
    g_autoptr(GPtrArray) one = g_ptr_array_new();
    g_autoptr(GPtrArray) problems = NULL;

    g_ptr_array_add(one, record);
    problems = virtProvisionRestoreMany(host, one, NULL, VIRT_RESTORE_RELEASED);
    if (problems->len == 0)
        return true;
    g_propagate_error(error, g_error_copy(problems->pdata[0]));
    return false;
}

/* ---- release ---- */

/* The record of @seen's device as it is now, if it is still the one that was @seen. NULL with no error: it is not. */
static virtRecord *
loadSame(virtHost *host, const virtRecord *seen, GError **error)
{
    g_autoptr(GError) local = NULL;
    g_autoptr(virtRecord) record = virtProvisionRecordReload(host, seen, &local);

    if (!record && !g_error_matches(local, VIRT_ERROR, VIRT_ERROR_NOT_FOUND))
        g_propagate_error(error, g_steal_pointer(&local));
    if (!record || !virtProvisionRecordIsSame(seen, record))
        return NULL;
    return g_steal_pointer(&record);
}

static virtHandle
lockOf(const virtRecord *record)
{
    return virtProvisionLockOf(&record->handle, &record->parent);
}

/* Takes the lock @of and restores the devices of @seen (virtRecord), which all have that, as far as they are still the
 * same. Adds a GError to @problems for each failure. */
static void
releaseUnder(virtHost *host, const virtHandle *of, const GPtrArray *seen, const GArray *listed, virtRestoreStage stage,
             GPtrArray *problems)
{
    g_autoptr(GPtrArray) records = g_ptr_array_new_with_free_func((GDestroyNotify)virtRecordFree);
    g_autoptr(GPtrArray) failed = NULL;
    GError *local = NULL;
    g_autoptr(virtStateLock) lock = virtProvisionLock(host, of, &local);

    for (guint i = 0; !lock && i < seen->len; i++) {
        GError *copy = g_error_copy(local);

        prefixName(&copy, seen->pdata[i]);
        g_ptr_array_add(problems, copy);
    }
    if (!lock) {
        g_error_free(local);
        return;
    }
    /* Somebody may have released them, and somebody else taken them, while we waited for the lock. */
    for (guint i = 0; i < seen->len; i++) {
        virtRecord *record = loadSame(host, seen->pdata[i], &local);

        if (record)
            g_ptr_array_add(records, record);
        else if (local)
            g_ptr_array_add(problems, g_steal_pointer(&local));
    }
    failed = virtProvisionRestoreMany(host, records, listed, stage);
    g_ptr_array_extend_and_steal(problems, g_steal_pointer(&failed));
}

/* Restores the devices of @seen (virtRecord), lock by lock; adds what goes wrong to @problems. */
static void
releaseMany(virtHost *host, const GPtrArray *seen, const GArray *listed, virtRestoreStage stage, GPtrArray *problems)
{
    g_autoptr(GPtrArray) rest = g_ptr_array_copy((GPtrArray *)seen, NULL, NULL);

    g_ptr_array_set_free_func(rest, NULL);
    while (rest->len > 0) {
        g_autoptr(GPtrArray) same = g_ptr_array_new();
        g_autoptr(GPtrArray) others = g_ptr_array_new();
        virtHandle of = lockOf(rest->pdata[0]);

        for (guint i = 0; i < rest->len; i++) {
            virtHandle its = lockOf(rest->pdata[i]);
            GPtrArray *to = others;

            if (virtHandleEqual(&its, &of))
                to = same;
            g_ptr_array_add(to, rest->pdata[i]);
        }
        releaseUnder(host, &of, same, listed, stage, problems);
        g_ptr_array_unref(rest);
        rest = g_steal_pointer(&others);
    }
}

/* One error of all @problems, a line each. */
static bool
reportAll(const GPtrArray *problems, GError **error)
{
    g_autoptr(GString) text = g_string_new(NULL);

    if (problems->len == 0)
        return true;
    for (guint i = 0; i < problems->len; i++) {
        if (i > 0)
            g_string_append_c(text, '\n');
        g_string_append(text, ((GError *)problems->pdata[i])->message);
    }
    g_set_error_literal(error, VIRT_ERROR, VIRT_ERROR_REFUSED, text->str);
    return false;
}

/* Takes its lock and restores the device of @seen, if the owner that @seen names still has it from that same
 * start. Otherwise there is nothing to do, which is success.
 */
bool
virtProvisionReleaseOne(virtHost *host, const virtRecord *seen, GError **error)
{
    g_autoptr(GPtrArray) one = g_ptr_array_new();
    g_autoptr(GPtrArray) problems = g_ptr_array_new_with_free_func((GDestroyNotify)g_error_free);
    virtHandle of = lockOf(seen);

    g_ptr_array_add(one, (gpointer)seen);
    releaseUnder(host, &of, one, NULL, VIRT_RESTORE_RELEASED, problems);
    if (problems->len == 0)
        return true;
    g_propagate_error(error, g_error_copy(problems->pdata[0]));
    return false;
}

/* Forgets the record that was @seen, if it is still that one: its device is not restored, and keeps what it has.
 */
bool
virtProvisionForget(virtHost *host, const virtRecord *seen, GError **error)
{
    virtHandle of = lockOf(seen);
    g_autoptr(virtStateLock) lock = virtProvisionLock(host, &of, error);
    g_autoptr(virtRecord) record = NULL;
    g_autoptr(GError) local = NULL;

    if (!lock)
        return false;
    if ((record = loadSame(host, seen, &local)))
        return virtProvisionRecordRemove(host, record, error);
    if (!local)
        return true;
    g_propagate_error(error, g_steal_pointer(&local));
    return false;
}

/* Restores every device that @owner has, whatever its XML says by now.
 *
 * @listed: virtHandle, those that libvirt has among the domain's devices, and gives back to the host's drivers
 *          itself; NULL: none
 * @stage: how far libvirt is
 *
 * Goes on past failures; the error then names each device that could not be restored, and each record that could not be
 * read and so may be @owner's. Releasing nothing succeeds.
 */
bool
virtProvisionRelease(virtHost *host, const virtOwner *owner, const GArray *listed, virtRestoreStage stage,
                     GError **error)
{
    g_autoptr(GPtrArray) problems = g_ptr_array_new_with_free_func((GDestroyNotify)g_error_free);
    g_autoptr(GPtrArray) records = virtProvisionRecordListAll(host, problems, error);
    g_autoptr(GPtrArray) its = g_ptr_array_new();

    if (!records)
        return false;
    for (guint i = 0; i < records->len; i++) {
        if (virtOwnerEqual(owner, &((virtRecord *)records->pdata[i])->owner))
            g_ptr_array_add(its, records->pdata[i]);
    }
    releaseMany(host, its, listed, stage, problems);
    return reportAll(problems, error);
}
