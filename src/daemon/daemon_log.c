/* daemon_log.c: messages with fields, into the journal or, started by hand, to stderr
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "daemon/daemon.h"
#include "hypervisor/provision_log.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char *const messageIds[] = {
    [VIRT_LOG_START] = VIRT_MESSAGE_ID_START,
    [VIRT_LOG_CLIENT] = VIRT_MESSAGE_ID_CLIENT,
    [VIRT_LOG_REQUEST] = VIRT_MESSAGE_ID_REQUEST,
    [VIRT_LOG_RECONCILE] = VIRT_MESSAGE_ID_RECONCILE,
    [VIRT_LOG_LEASE] = VIRT_MESSAGE_ID_LEASE,
    [VIRT_LOG_WARNING] = VIRT_MESSAGE_ID_WARNING,
    [VIRT_LOG_UNPROVISIONED] = VIRT_MESSAGE_ID_UNPROVISIONED,
};

#define USER_LINES_MAX 50    /* warnings about the clients of one user, who must not fill the log, in .. */
#define USER_MINUTE 60000000 /* .. so many microseconds */

static gint maxLevel; /* GLogLevelFlags: the least urgent that is told; read from all threads */

/* What a line on stderr begins with, and the number of syslog's that g_log_structured() gives to a level. */
typedef struct {
    GLogLevelFlags levels;
    const char *word, *priority;
} Severity;

static const Severity severities[] = {
    {G_LOG_LEVEL_ERROR | G_LOG_LEVEL_CRITICAL, "error: ", "3"},
    {G_LOG_LEVEL_WARNING, "warning: ", "4"},
    {G_LOG_LEVEL_INFO, "", "6"},
};

static const Severity *
severityOf(GLogLevelFlags level)
{
    static const Severity other = {0, "", "7"};

    for (guint i = 0; i < G_N_ELEMENTS(severities); i++) {
        if (level & severities[i].levels)
            return &severities[i];
    }
    return &other;
}

static GLogWriterOutput
writeLine(GLogLevelFlags level, const GLogField *fields, gsize n, gpointer opaque)
{
    const char *message = "";
    gssize length = 0;

    (void)opaque;
    if ((gint)(level & G_LOG_LEVEL_MASK) > g_atomic_int_get(&maxLevel))
        return G_LOG_WRITER_HANDLED;
    if (g_log_writer_is_journald(STDERR_FILENO) &&
        g_log_writer_journald(level, fields, n, NULL) == G_LOG_WRITER_HANDLED)
        return G_LOG_WRITER_HANDLED;
    for (gsize i = 0; i < n; i++) {
        if (g_str_equal(fields[i].key, "MESSAGE")) {
            message = fields[i].value;
            length = fields[i].length;
            if (length < 0)
                length = (gssize)strlen(message);
        }
    }
    fprintf(stderr, "virthostdevd: %s%.*s\n", severityOf(level)->word, (int)length, message);
    return G_LOG_WRITER_HANDLED;
}

/* @level: as libvirt counts: 1 debug, 2 info, 3 warnings, 4 errors */
void
virtDaemonLogSetLevel(guint level)
{
    static const GLogLevelFlags levels[] = {G_LOG_LEVEL_DEBUG, G_LOG_LEVEL_INFO, G_LOG_LEVEL_WARNING,
                                            G_LOG_LEVEL_CRITICAL};

    g_atomic_int_set(&maxLevel, (gint)levels[level - 1]);
}

/* From here on all of GLib's log, ours and that of src/hypervisor, goes through our writer. */
void
virtDaemonLogInit(guint level)
{
    virtDaemonLogSetLevel(level);
    g_log_set_writer_func(writeLine, NULL, NULL);
}

typedef struct {
    gint64 since;
    guint lines;
} Told;

/* Whether a warning about a client of user @uid is told. *ret_last: no more of them for now. */
static bool
mayTell(uid_t uid, bool *ret_last)
{
    static GMutex lock;
    static GHashTable *users; /* uid → Told */
    const gint64 now = g_get_monotonic_time();
    Told *told;
    bool may;

    g_mutex_lock(&lock);
    if (!users)
        users = g_hash_table_new_full(NULL, NULL, NULL, g_free);
    told = g_hash_table_lookup(users, GUINT_TO_POINTER(uid));
    if (!told) {
        told = g_new0(Told, 1);
        g_hash_table_insert(users, GUINT_TO_POINTER(uid), told);
    }
    if (now - told->since > USER_MINUTE)
        *told = (Told){.since = now};
    told->lines++;
    may = told->lines <= USER_LINES_MAX;
    *ret_last = told->lines == USER_LINES_MAX;
    g_mutex_unlock(&lock);
    return may;
}

static void
addField(GLogField *fields, guint *n, const char *key, const char *value)
{
    if (value)
        fields[(*n)++] = (GLogField){key, value, -1};
}

/* Tells something, with what is known in fields of its own. Any thread. Of many warnings about one user's clients the
 * rest is left out.
 * @about: may be NULL
 */
void
virtDaemonLog(virtDaemonLogKind kind, GLogLevelFlags level, const virtDaemonAbout *about, const char *format, ...)
{
    static const virtDaemonAbout nothing;
    g_autofree char *text = NULL, *message = NULL;
    char pid[24], uid[24];
    const char *end = NULL;
    GLogField fields[9];
    guint n = 0;
    bool last = false;
    va_list args;

    if (!about)
        about = &nothing;
    if (about->client && level & (G_LOG_LEVEL_WARNING | G_LOG_LEVEL_CRITICAL) && !mayTell(about->client->uid, &last))
        return;
    va_start(args, format);
    text = g_strdup_vprintf(format, args);
    va_end(args);
    if (last)
        end = " (no more is logged about this user's clients for a minute)";
    message = g_strconcat(text, end, NULL);
    addField(fields, &n, "MESSAGE", message);
    addField(fields, &n, "MESSAGE_ID", messageIds[kind]);
    addField(fields, &n, "PRIORITY", severityOf(level)->priority);
    addField(fields, &n, "GLIB_DOMAIN", "libvirt-hostdev");
    addField(fields, &n, "DOMAIN_UUID", about->uuid);
    addField(fields, &n, "DOMAIN_NAME", about->name);
    if (about->handle)
        addField(fields, &n, "PCI_ADDR", about->handle->name);
    if (about->client) {
        g_snprintf(pid, sizeof(pid), "%d", (int)about->client->pid);
        g_snprintf(uid, sizeof(uid), "%u", (guint)about->client->uid);
        addField(fields, &n, "CLIENT_PID", pid);
        addField(fields, &n, "CLIENT_UID", uid);
    }
    g_log_structured_array(level, fields, n);
}

static void
warn(virtHost *host, const char *message)
{
    (void)host;
    virtDaemonLog(VIRT_LOG_WARNING, G_LOG_LEVEL_WARNING, NULL, "%s", message);
}

/* The real host for one job: its netlink socket is not for two threads. Free with virtHostFree(). */
virtHost *
virtDaemonHostNew(void)
{
    virtHost *host = virtHostNew("");

    host->warn = warn;
    return host;
}
