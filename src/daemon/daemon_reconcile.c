/* daemon_reconcile.c: records, metadata and VFs of one domain are made to agree with what libvirt says
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * One function for the end of a hot-plug, for an unplug, for a filter or a daemon that died, and for a domain that
 * ended unnoticed. It knows nothing of what has gone before: libvirt's list of the domain's devices is the truth.
 *
 *   running   a record whose device is not there         is put back
 *             a record that is not as the metadata says  follows it; where that fails, the metadata follows the record
 *   not       a record                                   is put back
 *   both      metadata about a device that is not there  is dropped, in the live and in the stored XML, each by itself
 *
 * Putting back comes first and needs the list of devices alone: metadata that cannot be read, whoever wrote it, keeps
 * no VF from going back, and is complained about afterwards.
 *
 * Why that does not hurt a domain that is being started or stopped: records are listed before libvirt is asked. A
 * domain that starts after the list has no record in it; one whose hook is at work is locked by libvirt until the
 * hook has returned, then shows as running with its devices; and a record of a later start is not the one that was
 * listed. The hook waits for the PF's lock and libvirt for the hook, so nothing here asks libvirt while it has that
 * lock: only src/hypervisor's functions take it.
 */
#include "daemon/daemon.h"

#include <string.h>

typedef struct {
    virtHost *host;
    const char *uuid;
    virtDaemonDomain *domain;
    GPtrArray *records;  /* virtRecord of this domain, as they were before libvirt was asked */
    bool recordsUnknown; /* they could not be listed */
    GPtrArray *live;     /* our live metadata; NULL where there is none, or none that can be read */
    GPtrArray *located;  /* the same, entry by entry, each with the device of the host that it is */
    bool liveChanged;
    GString *failures;
} Reconcile;

static void
reconcileFree(Reconcile *reconcile)
{
    virtHostFree(reconcile->host);
    virtDaemonDomainFree(reconcile->domain);
    if (reconcile->records)
        g_ptr_array_unref(reconcile->records);
    if (reconcile->live)
        g_ptr_array_unref(reconcile->live);
    if (reconcile->located)
        g_ptr_array_unref(reconcile->located);
    g_string_free(reconcile->failures, TRUE);
    g_free(reconcile);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Reconcile, reconcileFree)

static const char *
nameOf(const Reconcile *reconcile)
{
    const virtDaemonDomain *domain = reconcile->domain;

    if (domain->live)
        return domain->live->name;
    if (domain->config)
        return domain->config->name;
    if (reconcile->records->len)
        return ((virtRecord *)reconcile->records->pdata[0])->owner.name;
    return reconcile->uuid;
}

static void
addFailure(Reconcile *reconcile, const GError *error)
{
    if (reconcile->failures->len)
        g_string_append_c(reconcile->failures, '\n');
    g_string_append(reconcile->failures, error->message);
}

static void
say(const Reconcile *reconcile, GLogLevelFlags level, const virtHandle *handle, const char *what, const char *why)
{
    const virtDaemonAbout about = {.uuid = reconcile->uuid, .name = nameOf(reconcile), .handle = handle};
    g_autofree char *text = g_strjoin(": ", what, why, NULL); /* @what alone where @why is NULL */

    virtDaemonLog(VIRT_LOG_RECONCILE, level, &about, "Domain '%s', %s %s: %s", nameOf(reconcile),
                  virtHandleGetNoun(handle), handle->name, text);
}

/* Is @text, told about the device @handle, another than what was last told about it? What cannot be mended is tried
 * again and again, and is told once. NULL: it is well now. */
static bool
isNews(const Reconcile *reconcile, const virtHandle *handle, const char *text)
{
    static GMutex lock;
    static GHashTable *told; /* "UUID NAME" -> text, of this daemon's life */
    g_autofree char *key = g_strdup_printf("%s %s", reconcile->uuid, handle->name);
    bool news;

    g_mutex_lock(&lock);
    if (!told)
        told = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    news = g_strcmp0(g_hash_table_lookup(told, key), text) != 0;
    if (text)
        g_hash_table_insert(told, g_steal_pointer(&key), g_strdup(text));
    else
        g_hash_table_remove(told, key);
    g_mutex_unlock(&lock);
    return news;
}

/* ---- records ---- */

static void
putBack(Reconcile *reconcile, const virtRecord *record, const char *why)
{
    g_autoptr(GError) error = NULL;
    GLogLevelFlags level = G_LOG_LEVEL_DEBUG;

    if (virtProvisionReleaseOne(reconcile->host, record, &error)) {
        isNews(reconcile, &record->handle, NULL);
        say(reconcile, G_LOG_LEVEL_INFO, &record->handle, why, "it was restored");
        return;
    }
    if (isNews(reconcile, &record->handle, error->message))
        level = G_LOG_LEVEL_WARNING;
    say(reconcile, level, &record->handle, why, error->message);
    addFailure(reconcile, error);
}

/* The metadata has promised what could not be set; it says again what is. */
static void
followRecord(Reconcile *reconcile, const virtRecord *record, virtHostdev *entry)
{
    for (guint k = 0; virtSettingKinds[k]; k++) {
        GPtrArray *written = entry->settings.of[k];
        bool any = written->len == 1 && ((const virtSetting *)written->pdata[0])->number == 0;

        entry->settings.of[k] = virtSettingListCopy(virtSettingKinds[k]->info, record->wanted.of[k]);
        g_ptr_array_unref(written);
        if (any && entry->settings.of[k]->len > 0)
            ((virtSetting *)entry->settings.of[k]->pdata[0])->number = 0;
    }
    if (virtHandleIsNetwork(&entry->handle))
        virtInterfaceLeaveToLibvirt(VIRT_NETDEVS(entry));
    if (entry->interface) /* what it has kept says the promised rate */
        g_free(virtInterfaceDropOpaque(entry->interface, "bandwidth"));
    reconcile->liveChanged = true;
}

/* A device without metadata keeps what it has: nobody asks for anything else. */
static void
followMetadata(Reconcile *reconcile, const virtRecord *record)
{
    const virtHostdev *entry = virtHostdevListFind(reconcile->located, &record->handle);
    g_autoptr(virtOwner) owner = NULL;
    g_autoptr(GError) error = NULL;
    guint at = 0;

    if (!entry || (record->phase == VIRT_PHASE_ACTIVE && virtProvisionAgrees(entry, record)))
        return;
    owner = virtOwnerNew(nameOf(reconcile), reconcile->uuid);
    if (virtProvisionUpdateSeen(reconcile->host, owner, record, entry, &error)) {
        say(reconcile, G_LOG_LEVEL_INFO, &record->handle, "was set again, as the metadata says", NULL);
        return;
    }
    addFailure(reconcile, error);
    if (record->phase != VIRT_PHASE_ACTIVE) { /* what it wants is half way, and no user's words */
        say(reconcile, G_LOG_LEVEL_WARNING, &record->handle, "could not be set as the metadata says", error->message);
        return;
    }
    say(reconcile, G_LOG_LEVEL_WARNING, &record->handle,
        "could not be set as the metadata says, so the metadata is reset to the current settings", error->message);
    g_ptr_array_find(reconcile->located, entry, &at);
    followRecord(reconcile, record, reconcile->live->pdata[at]);
}

static bool
isThere(const Reconcile *reconcile, const virtRecord *record)
{
    return reconcile->domain->live && virtDomainConfHas(reconcile->domain->live, &record->handle);
}

static void
putBackAll(Reconcile *reconcile)
{
    const char *why = "the domain no longer runs";

    if (reconcile->domain->live)
        why = "the domain no longer has it";
    for (guint i = 0; i < reconcile->records->len; i++) {
        if (!isThere(reconcile, reconcile->records->pdata[i]))
            putBack(reconcile, reconcile->records->pdata[i], why);
    }
}

/* ---- metadata ---- */

/* Takes out of @metadata what the devices of @domain do not have. Returns the handles, for g_array_unref(). */
static GArray *
dropStale(GPtrArray *metadata, const virtDomainConf *domain)
{
    GArray *dropped = g_array_new(FALSE, FALSE, sizeof(virtHandle));

    for (guint i = metadata->len; i-- > 0;) {
        const virtHostdev *entry = metadata->pdata[i];

        if (virtDomainConfHas(domain, &entry->handle))
            continue;
        g_array_append_val(dropped, entry->handle);
        g_ptr_array_remove_index(metadata, i);
    }
    return dropped;
}

static void
writeMetadata(Reconcile *reconcile, const GPtrArray *metadata, guint impact, const GArray *dropped)
{
    g_autoptr(GError) error = NULL;

    if (!virtDaemonMetadataSet(reconcile->domain->dom, metadata, impact, &error)) {
        addFailure(reconcile, error);
        return;
    }
    for (guint i = 0; i < dropped->len; i++)
        say(reconcile, G_LOG_LEVEL_INFO, &g_array_index(dropped, virtHandle, i),
            "it is in the metadata but not among the devices: dropped", NULL);
}

static bool
hasStale(const GPtrArray *metadata, const virtDomainConf *domain)
{
    for (guint i = 0; i < metadata->len; i++) {
        if (!virtDomainConfHas(domain, &((virtHostdev *)metadata->pdata[i])->handle))
            return true;
    }
    return false;
}

static bool
hasRecord(const Reconcile *reconcile, const virtHandle *handle)
{
    for (guint i = 0; i < reconcile->records->len; i++) {
        if (virtHandleEqual(&((virtRecord *)reconcile->records->pdata[i])->handle, handle))
            return true;
    }
    return false;
}

/* Nobody knows what such a VF was before. Said once: it stays so until the domain stops. */
static void
warnUnrecorded(const Reconcile *reconcile)
{
    static GMutex lock;
    static GHashTable *told; /* "UUID NAME", of this daemon's life */

    for (guint i = 0; i < reconcile->live->len; i++) {
        const virtHostdev *entry = reconcile->live->pdata[i];
        virtHandle handle;
        bool first;

        virtDomainConfFindVF(reconcile->domain->live, &entry->handle, &handle);
        if (virtSettingsAreEmpty(&entry->settings) || hasRecord(reconcile, &handle))
            continue;
        g_mutex_lock(&lock);
        if (!told)
            told = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
        first = g_hash_table_add(told, g_strdup_printf("%s %s", reconcile->uuid, entry->handle.name));
        g_mutex_unlock(&lock);
        if (first)
            say(reconcile, G_LOG_LEVEL_WARNING, &entry->handle,
                "it runs with this device, whose previous settings were not recorded: they will not be restored", NULL);
    }
}

static void
reconcileLive(Reconcile *reconcile)
{
    g_autoptr(GArray) dropped = NULL;
    g_autoptr(GError) error = NULL;

    if (!(reconcile->live = virtDaemonMetadataGet(reconcile->domain->dom, VIR_DOMAIN_AFFECT_LIVE, &error))) {
        addFailure(reconcile, error);
        return;
    }
    reconcile->located = virtDomainConfLocate(reconcile->domain->live, reconcile->live);
    for (guint i = 0; i < reconcile->records->len; i++) {
        if (isThere(reconcile, reconcile->records->pdata[i]))
            followMetadata(reconcile, reconcile->records->pdata[i]);
    }
    dropped = dropStale(reconcile->live, reconcile->domain->live);
    if (!reconcile->recordsUnknown)
        warnUnrecorded(reconcile);
    if (dropped->len > 0 || reconcile->liveChanged)
        writeMetadata(reconcile, reconcile->live, VIR_DOMAIN_AFFECT_LIVE, dropped);
}

/* Anybody may define the domain anew meanwhile, without our lock: metadata that came with devices which our first look
 * at it was too early for must stay, so a second look follows before anything is dropped. */
static void
reconcileConfig(Reconcile *reconcile)
{
    virDomainPtr dom = reconcile->domain->dom;
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) metadata = virtDaemonMetadataGet(dom, VIR_DOMAIN_AFFECT_CONFIG, &error);
    g_autoptr(virtDaemonDomain) now = NULL;
    g_autoptr(GArray) dropped = NULL;

    if (metadata && hasStale(metadata, reconcile->domain->config))
        now = virtDaemonDomainGet(virDomainGetConnect(dom), reconcile->uuid, &error);
    if (error)
        addFailure(reconcile, error);
    if (!now || !now->config)
        return;
    dropped = dropStale(metadata, now->config);
    if (dropped->len > 0)
        writeMetadata(reconcile, metadata, VIR_DOMAIN_AFFECT_CONFIG, dropped);
}

/* ---- all of it ---- */

/* A record that cannot be read may be this domain's. */
static void
listRecords(Reconcile *reconcile)
{
    g_autoptr(GPtrArray) problems = g_ptr_array_new_with_free_func((GDestroyNotify)g_error_free);
    g_autoptr(GError) error = NULL;

    reconcile->records = virtProvisionRecordListAll(reconcile->host, problems, &error);
    reconcile->recordsUnknown = error || problems->len > 0;
    if (error) {
        addFailure(reconcile, error);
        reconcile->records = g_ptr_array_new();
    }
    for (guint i = reconcile->records->len; i-- > 0;) {
        if (g_strcmp0(((virtRecord *)reconcile->records->pdata[i])->owner.uuid, reconcile->uuid) != 0)
            g_ptr_array_remove_index(reconcile->records, i);
    }
    for (guint i = 0; i < problems->len; i++)
        addFailure(reconcile, problems->pdata[i]);
}

static bool
reconcileWith(virConnectPtr conn, const char *uuid, GError **error)
{
    g_autoptr(Reconcile) reconcile = g_new0(Reconcile, 1);

    reconcile->host = virtDaemonHostNew();
    reconcile->uuid = uuid;
    reconcile->failures = g_string_new(NULL);
    listRecords(reconcile); /* before libvirt is asked */
    if (!(reconcile->domain = virtDaemonDomainGet(conn, uuid, error)))
        return false;
    putBackAll(reconcile);
    if (reconcile->domain->live && reconcile->domain->liveIsOurs)
        reconcileLive(reconcile);
    if (reconcile->domain->config && reconcile->domain->configIsOurs)
        reconcileConfig(reconcile);
    if (reconcile->failures->len == 0)
        return true;
    g_set_error_literal(error, VIRT_ERROR, VIRT_ERROR_REFUSED, reconcile->failures->str);
    return false;
}

/* Makes records, metadata and VFs of the domain @uuid agree with libvirt. The caller holds the domain's lock.
 *
 * @barrier: somebody may have died with a call under way in libvirt; wait for that first
 * @ret_again: the barrier could not be passed: nothing was looked at, and nobody else may
 *
 * Errors: VIRT_ERROR_REFUSED where libvirt has told all, but not all could be mended; it stays recorded. Others where
 * libvirt does not tell how things are; then nothing was changed.
 */
bool
virtDaemonReconcile(virtDaemon *daemon, const char *uuid, bool barrier, bool *ret_again, GError **error)
{
    virConnectPtr conn = virtDaemonLibvirtBorrow(daemon, error);
    bool ok;

    *ret_again = barrier && !(conn && virtDaemonBarrier(conn, uuid, error));
    ok = conn && !*ret_again && reconcileWith(conn, uuid, error);
    virtDaemonLibvirtReturn(daemon, conn);
    return ok;
}
