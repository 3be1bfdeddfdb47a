/* provision_record.c: who has which device, remembered on disk
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "hypervisor/provision_record.h"

#include <string.h>

#include "util/virerror.h"
#include "util/virstatefile.h"

#define START_UNKNOWN G_MAXUINT64

/* When the process @pid began, in clock ticks after boot: with it, a reused pid is not mistaken for the old
 * process. 0 when there is no such process, START_UNKNOWN when that cannot be told. Field 22 of /proc/PID/stat
 * (proc(5)); the command name before it may hold spaces and parentheses, so counting starts after the last one. */
static guint64
processStart(guint64 pid)
{
    g_autofree char *path = g_strdup_printf("/proc/%" G_GUINT64_FORMAT "/stat", pid);
    g_autofree char *text = NULL;
    g_auto(GStrv) fields = NULL;
    g_autoptr(GError) problem = NULL;
    const char *rest;

    if (pid == 0)
        return 0;
    if (!g_file_get_contents(path, &text, NULL, &problem)) {
        if (g_error_matches(problem, G_FILE_ERROR, G_FILE_ERROR_NOENT))
            return 0;
        return START_UNKNOWN;
    }
    rest = strrchr(text, ')');
    if (!rest)
        return START_UNKNOWN;
    fields = g_strsplit(rest + 1, " ", -1); /* fields[1] is field 3 */
    if (g_strv_length(fields) <= 20)
        return START_UNKNOWN;
    return g_ascii_strtoull(fields[20], NULL, 10);
}

/* Somebody who may have devices.
 * @name: a domain's, or any name for one without a domain
 * @uuid: the domain's, or NULL
 */
virtOwner *
virtOwnerNew(const char *name, const char *uuid)
{
    virtOwner *owner = g_new0(virtOwner, 1);

    owner->name = g_strdup(name);
    owner->uuid = g_strdup(uuid);
    return owner;
}

/* Names the process whose life says whether @owner may still be on its way up.
 */
void
virtOwnerSetStarter(virtOwner *owner, guint64 pid)
{
    owner->pid = pid;
    owner->start = processStart(pid);
}

void
virtOwnerFree(virtOwner *owner)
{
    if (!owner)
        return;
    g_free(owner->name);
    g_free(owner->uuid);
    g_free(owner);
}

/* A domain is its UUID, whatever it is called today; without one the name decides. */
bool
virtOwnerEqual(const virtOwner *a, const virtOwner *b)
{
    if (a->uuid || b->uuid)
        return g_strcmp0(a->uuid, b->uuid) == 0;
    return g_strcmp0(a->name, b->name) == 0;
}

/* Says that the owner of @record is taken to be there, which it returns. */
static bool
warnUnknownOwner(virtHost *host, const virtRecord *record, const char *why)
{
    virtHostWarn(host, "Assuming that domain '%s' still has %s %s, because this cannot be checked: %s",
                 record->owner.name, virtHandleGetNoun(&record->handle), record->handle.name, why);
    return true;
}

/* Does the domain that owns @record run, by what libvirt leaves on disk?
 *
 * libvirt keeps NAME.xml there for every running domain, from just after its QEMU was started until it is
 * gone, over restarts of its daemon too. One that is there and cannot be read may be the owner's.
 */
bool
virtProvisionRecordHasGuest(virtHost *host, const virtRecord *record)
{
    const virtOwner *owner = &record->owner;
    g_autofree char *path = NULL;
    g_autofree char *text = NULL;
    g_autoptr(GError) problem = NULL;

    if (!owner->uuid || !owner->name || strchr(owner->name, '/'))
        return false;
    path = virtHostPath(host, "run/libvirt/qemu/%s.xml", owner->name);
    if (!g_file_get_contents(path, &text, NULL, &problem))
        return !g_error_matches(problem, G_FILE_ERROR, G_FILE_ERROR_NOENT) &&
               warnUnknownOwner(host, record, problem->message);
    return strstr(text, owner->uuid);
}

/* Is the process that started the owner of @record still there, as far as can be told? */
bool
virtProvisionRecordHasStarter(virtHost *host, const virtRecord *record)
{
    guint64 start = processStart(record->owner.pid);

    if (start == 0 || start == record->owner.start)
        return start != 0;
    return (start == START_UNKNOWN && warnUnknownOwner(host, record, "/proc cannot be read")) ||
           record->owner.start == START_UNKNOWN;
}

/* Is the owner of @record a domain that does not run and is not being started either?
 *
 * The hook must not ask libvirt (it would wait for itself), so this reads what libvirt leaves on disk. Between
 * a `prepare` hook and libvirt's first status file nothing shows that a domain exists; then the daemon that
 * called the hook must still be the same process. Once a restore has begun the domain is past that, and what could not
 * be put back is anybody's to try again. An owner without a domain never goes away by itself. Where a look fails, the
 * answer is no: a running guest's VF must not be taken because files cannot be opened just now.
 */
bool
virtProvisionRecordIsLeft(virtHost *host, const virtRecord *record)
{
    const virtOwner *owner = &record->owner;

    if (!owner->uuid || virtProvisionRecordHasGuest(host, record))
        return false;
    return record->phase == VIRT_PHASE_RESTORING || !virtProvisionRecordHasStarter(host, record);
}

/* Is @record still the one that was @seen, not that of a later owner or of a later start of the same one, whose libvirt
 * may be the same process? The phase says nothing here: a change that was under way when it was seen is the same
 * guest's. */
bool
virtProvisionRecordIsSame(const virtRecord *seen, const virtRecord *record)
{
    return virtOwnerEqual(&seen->owner, &record->owner) && seen->owner.pid == record->owner.pid &&
           seen->owner.start == record->owner.start && seen->began == record->began;
}

/* For messages: "domain 'vm1' (uuid)" or "'name'". */
char *
virtOwnerDescribe(const virtOwner *owner)
{
    if (owner->uuid)
        return g_strdup_printf("domain '%s' (%s)", owner->name, owner->uuid);
    return g_strdup_printf("'%s'", owner->name);
}

static void
copyOwner(virtOwner *to, const virtOwner *from)
{
    g_free(to->name);
    g_free(to->uuid);
    *to = *from;
    to->name = g_strdup(from->name);
    to->uuid = g_strdup(from->uuid);
}

/* A record of @owner taking the device of @targets (virtTarget), not yet saved and with nothing read from the host.
 * @began: see record_conf.h
 */
virtRecord *
virtProvisionRecordNew(const virtOwner *owner, guint64 began, const GPtrArray *targets)
{
    virtRecord *record = g_new0(virtRecord, 1);
    const virtTarget *first = targets->pdata[0];

    copyOwner(&record->owner, owner);
    record->began = began;
    record->handle = first->handle;
    record->parent = first->parent;
    record->index = first->index;
    virtSettingsInit(&record->before);
    virtSettingsInit(&record->wanted);
    for (guint i = 0; i < targets->len; i++) {
        const virtTarget *target = targets->pdata[i];
        GPtrArray **wanted = &record->wanted.of[target->kind];

        g_ptr_array_unref(*wanted);
        *wanted = virtSettingListCopy(virtTargetInfo(target), target->wanted);
    }
    return record;
}

/* The name of the state file of @handle: "0000:06:02.0", or "mdev-UUID". */
static void
stateName(const virtHandle *handle, char ret[VIRT_STATE_NAME_MAX + 1])
{
    virtPCIAddress address;

    if (virtHandleGetPCI(handle, &address)) /* as records of the first version are named */
        g_strlcpy(ret, handle->name, VIRT_STATE_NAME_MAX + 1);
    else
        g_snprintf(ret, VIRT_STATE_NAME_MAX + 1, "%s-%s", handle->bus, handle->name);
}

/* Whose lock a change of the device @handle at @parent takes: a VF's is its PF's. What is made may be asked for at two
 * parents at a time, and its record is one all the same; so all devices of its bus have one lock. */
virtHandle
virtProvisionLockOf(const virtHandle *handle, const virtHandle *parent)
{
    virtPCIAddress address;
    virtHandle all = {"", "all"};

    if (virtHandleGetPCI(handle, &address))
        return *parent;
    g_strlcpy(all.bus, handle->bus, sizeof(all.bus));
    return all;
}

/* @of: what virtProvisionLockOf() says
 *
 * Returns the lock, for virtStateLockRelease(). Errors: those of virtStateLockTake(). */
virtStateLock *
virtProvisionLock(virtHost *host, const virtHandle *of, GError **error)
{
    char name[VIRT_STATE_NAME_MAX + 1];

    stateName(of, name);
    return virtStateLockTake(host, name, error);
}

/* Is there a record of @handle, or anything that keeps it from being seen? virtProvisionRecordLoad() will tell; this is
 * for callers that ask about many that are not there. */
bool
virtProvisionRecordExists(virtHost *host, const virtHandle *handle)
{
    char name[VIRT_STATE_NAME_MAX + 1];

    stateName(handle, name);
    return virtStateFileExists(host, name);
}

static virtRecord *
parse(virtHost *host, const char *name, const char *text, GError **error)
{
    g_autofree char *file = virtHostPath(host, VIRT_STATE_DIR "/%s", name);
    g_autoptr(virtRecord) record = virtRecordParse(text, file, error);
    char expected[VIRT_STATE_NAME_MAX + 1];

    if (!record)
        return NULL;
    stateName(&record->handle, expected);
    if (strcmp(expected, name) != 0) {
        g_set_error(error, VIRT_ERROR, VIRT_ERROR_INVALID,
                    "%s: the record is about %s, not about the %s it is named after. Check both, then remove it", file,
                    record->handle.name, virtHandleGetNoun(&record->handle));
        return NULL;
    }
    return g_steal_pointer(&record);
}

static virtRecord *
load(virtHost *host, const char *name, GError **error)
{
    g_autofree char *text = virtStateFileRead(host, name, error);
    virtRecord *record;

    if (!text)
        return NULL;
    record = parse(host, name, text, error);
    if (record)
        record->text = g_steal_pointer(&text);
    return record;
}

/* The record of the device at @handle; VIRT_ERROR_NOT_FOUND where nobody has it.
 *
 * A record that cannot be read is an error of its own: a device whose past is unknown is nobody's to change.
 */
virtRecord *
virtProvisionRecordLoad(virtHost *host, const virtHandle *handle, GError **error)
{
    char name[VIRT_STATE_NAME_MAX + 1];

    stateName(handle, name);
    return load(host, name, error);
}

/* The record of @seen's device as it is now. Parsing it is most of what a release takes, so it is parsed again only
 * where its text has changed.
 *
 * Errors: those of virtProvisionRecordLoad().
 */
virtRecord *
virtProvisionRecordReload(virtHost *host, const virtRecord *seen, GError **error)
{
    char name[VIRT_STATE_NAME_MAX + 1];
    g_autofree char *text = NULL;

    stateName(&seen->handle, name);
    text = virtStateFileRead(host, name, error);
    if (!text)
        return NULL;
    if (g_strcmp0(text, seen->text) == 0)
        return virtRecordCopy(seen);
    return parse(host, name, text, error);
}

/* The texts of some records, and the names of their files. */
typedef struct {
    guint count;
    virtStateText *files;
    char (*names)[VIRT_STATE_NAME_MAX + 1];
    GPtrArray *texts;
} Files;

static void
filesInit(Files *files, guint max)
{
    files->count = 0;
    files->files = g_new(virtStateText, max);
    files->names = g_malloc_n(max, VIRT_STATE_NAME_MAX + 1);
    files->texts = g_ptr_array_new_with_free_func(g_free);
}

static void
filesClear(Files *files)
{
    g_free(files->files);
    g_free(files->names);
    g_ptr_array_unref(files->texts);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Files, filesClear)

/* @text: stays the caller's, or belongs to @files->texts */
static void
filesAdd(Files *files, const virtRecord *record, const char *text)
{
    char *name = files->names[files->count];

    stateName(&record->handle, name);
    files->files[files->count++] = (virtStateText){name, text};
}

/* Write @records (virtRecord) as being in @phase, each whole, all on disk when this succeeds.
 * @ret: what was written, from the first on, also when it fails; for virtProvisionRecordMarkBatch(). May be NULL
 */
bool
virtProvisionRecordSaveMany(virtHost *host, const GPtrArray *records, virtPhase phase, virtStateBatch *ret,
                            GError **error)
{
    g_auto(Files) files;

    filesInit(&files, records->len);
    for (guint i = 0; i < records->len; i++) {
        virtRecord *record = records->pdata[i];

        record->phase = phase;
        g_ptr_array_add(files.texts, virtRecordFormat(record));
        filesAdd(&files, record, files.texts->pdata[i]);
    }
    return virtStateFileWriteMany(host, files.files, files.count, ret, error);
}

bool
virtProvisionRecordSave(virtHost *host, virtRecord *record, virtPhase phase, GError **error)
{
    g_autoptr(GPtrArray) one = g_ptr_array_new();

    g_ptr_array_add(one, record);
    return virtProvisionRecordSaveMany(host, one, phase, NULL, error);
}

/* Note in the files of @records (virtRecord) that @phase has come; nothing else of them is written. A mark may be lost
 * in a crash: the phase before it is then still true enough to go on from.
 */
bool
virtProvisionRecordMarkMany(virtHost *host, const GPtrArray *records, virtPhase phase, GError **error)
{
    g_auto(Files) files;

    filesInit(&files, records->len);
    for (guint i = 0; i < records->len; i++) {
        virtRecord *record = records->pdata[i];

        if (record->phase == phase) /* else a restore that is tried for ever would fill the file */
            continue;
        record->phase = phase;
        filesAdd(&files, record, virtRecordPhaseMark(phase));
    }
    return virtStateFileAppendMany(host, files.files, files.count, error);
}

/* The same for all of @records, which virtProvisionRecordSaveMany() has just written as @batch.
 */
bool
virtProvisionRecordMarkBatch(virtHost *host, const GPtrArray *records, const virtStateBatch *batch, virtPhase phase,
                             GError **error)
{
    for (guint i = 0; i < records->len; i++)
        ((virtRecord *)records->pdata[i])->phase = phase;
    return virtStateBatchAppend(host, batch, virtRecordPhaseMark(phase), error);
}

bool
virtProvisionRecordRemove(virtHost *host, const virtRecord *record, GError **error)
{
    char name[VIRT_STATE_NAME_MAX + 1];

    stateName(&record->handle, name);
    return virtStateFileRemove(host, name, error);
}

/* Every record, sorted by name. One that cannot be read is left out: the others still have to be put back.
 *
 * @problems: gets a GError for each whose file could not be read this time, and which may be anybody's. One that is
 *            damaged, or by a newer version, stays so until somebody looks: that is told through the host's warnings
 *
 * Returns (transfer full): virtRecord, or NULL when the directory itself cannot be read.
 */
GPtrArray *
virtProvisionRecordListAll(virtHost *host, GPtrArray *problems, GError **error)
{
    g_autoptr(GPtrArray) names = virtStateFileList(host, error);
    g_autoptr(GPtrArray) records = g_ptr_array_new_with_free_func((GDestroyNotify)virtRecordFree);

    if (!names)
        return NULL;
    for (guint i = 0; i < names->len; i++) {
        g_autoptr(GError) local = NULL;
        virtRecord *record = load(host, names->pdata[i], &local);

        if (record)
            g_ptr_array_add(records, record);
        else if (g_error_matches(local, VIRT_ERROR, VIRT_ERROR_INVALID))
            virtHostWarn(host, "%s", local->message);
        else if (!g_error_matches(local, VIRT_ERROR, VIRT_ERROR_NOT_FOUND))
            g_ptr_array_add(problems, g_steal_pointer(&local));
    }
    return g_steal_pointer(&records);
}

/* The same; all that is left out is told through the host's warnings.
 */
GPtrArray *
virtProvisionRecordList(virtHost *host, GError **error)
{
    g_autoptr(GPtrArray) problems = g_ptr_array_new_with_free_func((GDestroyNotify)g_error_free);
    GPtrArray *records = virtProvisionRecordListAll(host, problems, error);

    for (guint i = 0; i < problems->len; i++)
        virtHostWarn(host, "%s", ((GError *)problems->pdata[i])->message);
    return records;
}

/* What was set, and where, for messages: "the netdevs of 0000:06:02.0 (VF 3 of 0000:06:00.0)", or a device that was
 * made: "vDPA device web of vdpasim_net". The caller frees it. */
char *
virtProvisionRecordDescribe(const virtRecord *record)
{
    GString *text = g_string_new(NULL);

    if (record->index < 0) {
        g_string_printf(text, "%s %s of %s", virtHandleGetNoun(&record->handle), record->handle.name,
                        record->parent.name);
        return g_string_free(text, FALSE);
    }
    for (guint k = 0; virtProviders[k]; k++) {
        if (record->wanted.of[k]->len == 0)
            continue;
        if (text->len > 0)
            g_string_append(text, " and ");
        g_string_append_printf(text, "the %ss", virtProviders[k]->kind->info->name);
    }
    if (text->len == 0)
        g_string_append(text, "the settings");
    g_string_append_printf(text, " of %s (VF %d of %s)", record->handle.name, record->index, record->parent.name);
    return g_string_free(text, FALSE);
}

/* The device of @record, for messages: "VF 3 of 0000:06:00.0 (0000:06:02.0)"; the caller frees it. */
char *
virtProvisionRecordName(const virtRecord *record)
{
    if (record->index < 0)
        return g_strdup_printf("%s %s", virtHandleGetNoun(&record->handle), record->handle.name);
    return g_strdup_printf("VF %d of %s (%s)", record->index, record->parent.name, record->handle.name);
}
