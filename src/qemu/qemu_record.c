/* qemu_record.c: who has which VF, remembered on disk
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "qemu/qemu_record.h"
#include "util/virerror.h"
#include "util/virstatefile.h"

#include <string.h>

/* When the process @pid began, in clock ticks after boot: with it, a reused pid is not mistaken for the old
 * process. 0 when there is no such process. Field 22 of /proc/PID/stat (proc(5)); the command name before it
 * may hold spaces and parentheses, so counting starts after the last one. */
static guint64
processStart(guint64 pid)
{
    g_autofree char *path = g_strdup_printf("/proc/%" G_GUINT64_FORMAT "/stat", pid);
    g_autofree char *text = NULL;
    g_auto(GStrv) fields = NULL;
    const char *rest;

    if (pid == 0 || !g_file_get_contents(path, &text, NULL, NULL) || !(rest = strrchr(text, ')')))
        return 0;
    fields = g_strsplit(rest + 1, " ", -1); /* fields[1] is field 3 */
    return g_strv_length(fields) > 20 ? g_ascii_strtoull(fields[20], NULL, 10) : 0;
}

/* Somebody who may have VFs.
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

/* libvirt keeps NAME.xml there for every running domain, from just after its QEMU was started until it is
 * gone, over restarts of its daemon too. */
static bool
libvirtKnows(virtHost *host, const virtOwner *owner)
{
    g_autofree char *path = NULL;
    g_autofree char *text = NULL;

    if (!owner->name || strchr(owner->name, '/'))
        return false;
    path = virtHostPath(host, "run/libvirt/qemu/%s.xml", owner->name);
    return g_file_get_contents(path, &text, NULL, NULL) && strstr(text, owner->uuid);
}

/* Is @owner a domain that does not run and is not being started either?
 *
 * The hook must not ask libvirt (it would wait for itself), so this reads what libvirt leaves on disk. Between
 * a `prepare` hook and libvirt's first status file nothing shows that a domain exists; then the daemon that
 * called the hook must still be the same process. An owner without a domain never goes away by itself.
 */
bool
virtOwnerIsGone(virtHost *host, const virtOwner *owner)
{
    if (!owner->uuid || libvirtKnows(host, owner))
        return false;
    return owner->pid == 0 || processStart(owner->pid) != owner->start;
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

/* A record of @owner taking @vf, not yet saved and with nothing read from the host.
 * @wanted: virtNetdev, copied
 */
virtRecord *
virtQemuRecordNew(const virtOwner *owner, const virtVF *vf, const GPtrArray *wanted)
{
    virtRecord *record = g_new0(virtRecord, 1);

    copyOwner(&record->owner, owner);
    record->address = vf->address;
    record->pf = vf->pf;
    record->index = vf->index;
    record->before = virtNetdevListNew();
    record->wanted = virtNetdevListCopy(wanted);
    return record;
}

/* The record of the VF at @vfName; VIRT_ERROR_NOT_FOUND where nobody has it.
 *
 * A record that cannot be read is an error of its own: a VF whose past is unknown is nobody's to change.
 */
virtRecord *
virtQemuRecordLoad(virtHost *host, const char *vfName, GError **error)
{
    g_autofree char *file = virtHostPath(host, VIRT_STATE_DIR "/%s", vfName);
    g_autofree char *text = virtStateFileRead(host, vfName, error);
    g_autoptr(virtRecord) record = NULL;
    char name[VIRT_PCI_ADDRESS_LEN];

    if (!text || !(record = virtRecordParse(text, file, error)))
        return NULL;
    virtPCIAddressFormat(&record->address, name);
    if (strcmp(name, vfName) != 0) {
        g_set_error(error, VIRT_ERROR, VIRT_ERROR_INVALID,
                    "%s: the record speaks of %s, not of the VF it is named after. Look at both, then remove it.", file,
                    name);
        return NULL;
    }
    return g_steal_pointer(&record);
}

bool
virtQemuRecordSave(virtHost *host, virtRecord *record, virtPhase phase, GError **error)
{
    g_autofree char *text = NULL;
    char name[VIRT_PCI_ADDRESS_LEN];

    record->phase = phase;
    text = virtRecordFormat(record);
    virtPCIAddressFormat(&record->address, name);
    return virtStateFileWrite(host, name, text, error);
}

bool
virtQemuRecordRemove(virtHost *host, const virtRecord *record, GError **error)
{
    char name[VIRT_PCI_ADDRESS_LEN];

    virtPCIAddressFormat(&record->address, name);
    return virtStateFileRemove(host, name, error);
}

/* Every record, sorted by address. One that cannot be read is told through the host's
 * warnings and left out: the others still have to be put back.
 *
 * Returns (transfer full): virtRecord, or NULL when the directory itself cannot be read.
 */
GPtrArray *
virtQemuRecordList(virtHost *host, GError **error)
{
    g_autoptr(GPtrArray) names = virtStateFileList(host, error);
    g_autoptr(GPtrArray) records = g_ptr_array_new_with_free_func((GDestroyNotify)virtRecordFree);

    if (!names)
        return NULL;
    for (guint i = 0; i < names->len; i++) {
        g_autoptr(GError) local = NULL;
        virtRecord *record = virtQemuRecordLoad(host, names->pdata[i], &local);

        if (record)
            g_ptr_array_add(records, record);
        else if (!g_error_matches(local, VIRT_ERROR, VIRT_ERROR_NOT_FOUND))
            virtHostWarn(host, "%s", local->message);
    }
    return g_steal_pointer(&records);
}
