/* drift_monitor.c: looking for drift again and again: each change is told once, and put back where that is wanted
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Theory of operation. A watch remembers, of each VF, what it has told. A difference is told when it is not the one
 * that was told last; its end is told too. What is remembered is of one record as it was written: another guest, a new
 * start, new settings begin anew.
 *
 * Putting back sets just what differs, like any other set: under the PF's lock, read back, a sentence when refused. Who
 * changed the VF may do so again, so it is put back VIRT_WATCH_TRIES times in VIRT_WATCH_PERIOD at most. After that the
 * watch says so and leaves the VF as it is, until its record is another or the administrator asks to try again: two
 * programs that disagree would else write to the device for ever.
 */
#include "hypervisor/provision_drift.h"

#include <string.h>

#include "hypervisor/provision_log.h"
#include "util/virerror.h"

/* What is remembered of one device. */
typedef struct {
    virtHandle parent;
    char *record;                   /* as it was written */
    GHashTable *found;              /* "PORT SETTING" → what was told about it */
    char *problem;                  /* what kept us from reading it or putting it back; told */
    gint64 tries[VIRT_WATCH_TRIES]; /* when it was put back: microseconds; 0 none. A ring */
    guint next;                     /* of tries: the oldest */
    bool leftAlone;
    guint round; /* of the last look that saw it */
} Memory;

struct _virtDriftWatch {
    GHashTable *devices; /* virtHandle → Memory */
    guint round;
};

typedef struct {
    virtDriftMonitor *watch;
    bool enforce;
    gint64 now;
} Look;

static void
memoryFree(Memory *memory)
{
    g_free(memory->record);
    g_free(memory->problem);
    g_hash_table_unref(memory->found);
    g_free(memory);
}

/* A watch that has not seen anything; free with virtDriftMonitorFree(). For one thread at a time. */
virtDriftMonitor *
virtDriftMonitorNew(void)
{
    virtDriftMonitor *watch = g_new0(virtDriftMonitor, 1);

    watch->devices = g_hash_table_new_full(virtHandleHash, virtHandleEqual, g_free, (GDestroyNotify)memoryFree);
    return watch;
}

void
virtDriftMonitorFree(virtDriftMonitor *watch)
{
    if (!watch)
        return;
    g_hash_table_unref(watch->devices);
    g_free(watch);
}

static Memory *
rememberDevice(virtDriftMonitor *watch, const virtRecord *record)
{
    g_autofree char *text = virtRecordFormat(record);
    Memory *memory = g_hash_table_lookup(watch->devices, &record->handle);

    if (!memory || !g_str_equal(memory->record, text)) {
        memory = g_new0(Memory, 1);
        memory->parent = record->parent;
        memory->record = g_steal_pointer(&text);
        memory->found = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
        g_hash_table_insert(watch->devices, g_memdup2(&record->handle, sizeof(record->handle)), memory);
    }
    memory->round = watch->round;
    return memory;
}

/* ---- telling ---- */

/* Once, until it is another. NULL: there is none now. */
static void
tellProblem(Memory *memory, const virtDrift *drift, const char *messageId, const char *problem)
{
    if (problem && g_strcmp0(problem, memory->problem) != 0)
        virtProvisionLog(messageId, G_LOG_LEVEL_WARNING, drift->record, NULL, "%s", problem);
    g_free(memory->problem);
    memory->problem = g_strdup(problem);
}

static void
tellRow(virtHost *host, Memory *memory, const virtDrift *drift, const virtPlanRow *row)
{
    g_autofree char *key = g_strdup_printf("%u %s", row->port, row->attr);
    const char *told = g_hash_table_lookup(memory->found, key);

    if (told && g_strcmp0(row->from, row->to) == 0) { /* else it is only excused for now: see provision_drift.c */
        g_autofree char *where = virtPlanRowDescribe(row, "Port");

        virtProvisionLog(VIRT_MESSAGE_ID_DRIFT_OVER, G_LOG_LEVEL_INFO, drift->record, row,
                         "%s, which '%s' has: %s is %s again, as it was set", where, drift->record->owner.name,
                         row->title, row->to);
        g_hash_table_remove(memory->found, key);
    }
    if (!row->differs || g_strcmp0(told, row->from) == 0)
        return;
    virtDriftLog(drift, row);
    host->counts[VIRT_COUNT_DRIFTS]++;
    g_hash_table_insert(memory->found, g_steal_pointer(&key), g_strdup(row->from));
}

/* ---- putting back ---- */

/* Were there as many tries lately as there may be? */
static bool
isTired(const Memory *memory, gint64 now)
{
    gint64 oldest = memory->tries[memory->next];

    return oldest && now - oldest < VIRT_WATCH_PERIOD * G_USEC_PER_SEC;
}

static bool
checkUsable(const virtDrift *drift, GError **error)
{
    for (guint i = 0; i < drift->targets->len; i++) {
        const virtTarget *target = drift->targets->pdata[i];

        for (guint n = 0; n < target->wanted->len; n++) {
            if (!target->provider->check(target, target->wanted->pdata[n], error))
                return false;
        }
    }
    return true;
}

static bool
setDrifted(virtHost *host, const virtDrift *drift, GError **error)
{
    for (guint i = 0; i < drift->targets->len; i++) {
        virtTarget *target = drift->targets->pdata[i];

        if (target->wanted->len > 0 && !virtTargetSet(host, target, error))
            return false;
    }
    return true;
}

static void
tellPutBack(virtHost *host, Memory *memory, const virtDrift *drift)
{
    for (guint i = 0; i < drift->rows->len; i++) {
        const virtPlanRow *row = drift->rows->pdata[i];
        g_autofree char *where = virtPlanRowDescribe(row, "Port");

        if (row->differs)
            virtProvisionLog(VIRT_MESSAGE_ID_ENFORCED, G_LOG_LEVEL_WARNING, drift->record, row,
                             "%s, which '%s' has: %s was %s and is %s again, because enforce is set", where,
                             drift->record->owner.name, row->title, row->from, row->to);
    }
    host->counts[VIRT_COUNT_ENFORCED]++;
    g_hash_table_remove_all(memory->found);
}

static void
restoreDrift(virtHost *host, Memory *memory, const virtDrift *drift, gint64 now)
{
    g_autofree char *device = NULL;
    g_autoptr(GError) error = NULL;

    if (memory->leftAlone)
        return;
    if (!checkUsable(drift, &error) ||
        !virtProvisionCheckOwn(host, &drift->record->handle, &drift->record->owner, &error)) {
        /* nothing is tried, and so this is no try */
        tellProblem(memory, drift, VIRT_MESSAGE_ID_NOT_ENFORCED, error->message);
        return;
    }
    if (isTired(memory, now)) {
        memory->leftAlone = true;
        device = virtProvisionRecordName(drift->record);
        virtProvisionLog(
            VIRT_MESSAGE_ID_NOT_ENFORCED, G_LOG_LEVEL_WARNING, drift->record, NULL,
            "Gave up after %d attempts in %d seconds to keep %s, which '%s' has, as it was set. Find out who changes it, then reload virthostdevd",
            VIRT_WATCH_TRIES, VIRT_WATCH_PERIOD, device, drift->record->owner.name);
        return;
    }
    memory->tries[memory->next] = now;
    memory->next = (memory->next + 1) % VIRT_WATCH_TRIES;
    if (setDrifted(host, drift, &error)) {
        tellPutBack(host, memory, drift);
        tellProblem(memory, drift, NULL, NULL);
    } else {
        host->counts[VIRT_COUNT_REFUSALS] += g_error_matches(error, VIRT_ERROR, VIRT_ERROR_REFUSED);
        tellProblem(memory, drift, VIRT_MESSAGE_ID_NOT_ENFORCED, error->message);
    }
}

/* ---- looking ---- */

static void
lookAt(virtHost *host, const virtDrift *drift, void *opaque)
{
    const Look *look = opaque;
    Memory *memory = rememberDevice(look->watch, drift->record);

    if (g_error_matches(drift->problem, VIRT_ERROR, VIRT_ERROR_BUSY)) /* we come again */
        return;
    if (drift->problem) {
        tellProblem(memory, drift, VIRT_MESSAGE_ID_WARNING, drift->problem->message);
        return;
    }
    for (guint i = 0; drift->compared && i < drift->rows->len; i++)
        tellRow(host, memory, drift, drift->rows->pdata[i]);
    if (!virtDriftIsAny(drift))
        tellProblem(memory, drift, NULL, NULL);
    else if (look->enforce)
        restoreDrift(host, memory, drift, look->now);
}

/* Drop what is remembered of VFs at PFs that were looked at and nobody has any more. */
static void
forgetGone(virtDriftMonitor *watch, GHashTable *pfs)
{
    GHashTableIter iter;
    gpointer value;

    g_hash_table_iter_init(&iter, watch->devices);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        const Memory *memory = value;

        if (memory->round != watch->round && (!pfs || g_hash_table_contains(pfs, memory->parent.name)))
            g_hash_table_iter_remove(&iter);
    }
}

static void
dropOtherParents(GPtrArray *records, GHashTable *pfs)
{
    for (guint i = records->len; i-- > 0;) {
        if (!g_hash_table_contains(pfs, ((const virtRecord *)records->pdata[i])->parent.name))
            g_ptr_array_remove_index(records, i);
    }
}

/* Looks at every VF that somebody has, tells the journal what somebody else has changed since the last look, and sets
 * it again if @enforce.
 *
 * @pfs: PCI addresses (a set of strings): only the VFs of these; NULL: all
 * @now: microseconds of a clock that does not jump, not 0
 *
 * Errors: VIRT_ERROR_HOST where the records cannot be listed. What goes wrong with a VF is told.
 */
bool
virtDriftMonitorLook(virtDriftMonitor *watch, virtHost *host, GHashTable *pfs, bool enforce, gint64 now, GError **error)
{
    g_autoptr(GPtrArray) records = virtProvisionRecordList(host, error);
    Look look = {watch, enforce, now};

    if (!records)
        return false;
    if (pfs)
        dropOtherParents(records, pfs);
    watch->round++;
    virtProvisionDrift(host, records, lookAt, &look);
    forgetGone(watch, pfs);
    return true;
}

/* Try again with the VFs that were left alone. */
void
virtDriftMonitorForgive(virtDriftMonitor *watch)
{
    GHashTableIter iter;
    gpointer value;

    g_hash_table_iter_init(&iter, watch->devices);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        Memory *memory = value;

        memory->leftAlone = false;
        memset(memory->tries, 0, sizeof(memory->tries));
    }
}
