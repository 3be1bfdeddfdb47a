/* daemon_config.c: virthostdevd.conf, in the manner of libvirt's own configuration files
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 *   # a comment
 *   key = "text"     or 'text'
 *   key = 12
 *
 * What is misspelt is refused with its line: a root daemon does not guess.
 */
#include "config.h"
#include "daemon/daemon.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>

typedef enum { TYPE_SOCKET, TYPE_PATH, TYPE_GROUP, TYPE_MODE, TYPE_YES_NO, TYPE_DESTROY, TYPE_UINT } Type;

typedef struct {
    const char *name;
    Type type;
    size_t offset;
    guint min, max; /* of TYPE_UINT */
} Key;

#define AT(field) offsetof(virtDaemonConfig, field)

static const Key keys[] = {
    {"listen", TYPE_SOCKET, AT(listen)},
    {"listen_ro", TYPE_SOCKET, AT(listenRo)},
    {"upstream", TYPE_SOCKET, AT(upstream)},
    {"upstream_ro", TYPE_SOCKET, AT(upstreamRo)},
    {"unix_sock_group", TYPE_GROUP, AT(group)},
    {"unix_sock_rw_perms", TYPE_MODE, AT(rwPerms)},
    {"unix_sock_ro_perms", TYPE_MODE, AT(roPerms)},
    {"filter", TYPE_PATH, AT(filter)},
    {"convert_interfaces", TYPE_YES_NO, AT(convertInterfaces)},
    {"enforce", TYPE_YES_NO, AT(enforce)},
    {"unprovisioned", TYPE_DESTROY, AT(destroyUnprovisioned)},
    {"drift_interval", TYPE_UINT, AT(driftInterval), 1, 100000},
    {"max_clients", TYPE_UINT, AT(maxClients), 1, 100000},
    {"max_user_clients", TYPE_UINT, AT(maxUserClients), 1, 100000},
    {"lease", TYPE_UINT, AT(lease), 1, 100000},
    {"log_level", TYPE_UINT, AT(logLevel), 1, 4},
};

/* Where libvirt's socket is: moved out of the way, or where it always was; virtqemud's, else libvirtd's. */
static const char *const upstreams[] = {
    "/run/libvirt/stock/virtqemud-sock",
    "/run/libvirt/stock/libvirt-sock",
    "/run/libvirt/virtqemud-sock",
    "/run/libvirt/libvirt-sock",
};

/* The text between the quotes of @value, NULL where it is no string. */
static char *
unquote(const char *value)
{
    size_t len = strlen(value);
    g_autofree char *text = NULL;

    if (len < 2 || (value[0] != '"' && value[0] != '\'') || value[len - 1] != value[0])
        return NULL;
    text = g_strndup(value + 1, len - 2);
    if (strchr(text, value[0]))
        return NULL;
    return g_steal_pointer(&text);
}

/* Each returns what is wrong with the value, or NULL. */
static const char *
setPath(char **field, const char *value, size_t max)
{
    g_autofree char *text = unquote(value);

    if (text && g_path_is_absolute(text) && strlen(text) <= max) {
        g_free(*field);
        *field = g_steal_pointer(&text);
        return NULL;
    }
    if (max < PATH_MAX)
        return "expected an absolute path of at most 107 characters, in quotes";
    return "expected an absolute path, in quotes";
}

static const char *
setGroup(char **field, const char *value)
{
    g_autofree char *text = unquote(value);

    if (!text || !*text)
        return "expected the name of a group, in quotes";
    g_free(*field);
    *field = g_steal_pointer(&text);
    return NULL;
}

static const char *
setMode(int *field, const char *value)
{
    g_autofree char *text = unquote(value);
    guint64 mode;

    if (!text || !g_ascii_string_to_unsigned(text, 8, 0, 0777, &mode, NULL))
        return "expected an octal mode such as \"0770\", in quotes";
    *field = (int)mode;
    return NULL;
}

/* One of two words. */
static const char *
setBool(bool *field, const char *value, const char *yes, const char *no, const char *expected)
{
    g_autofree char *text = unquote(value);
    bool isYes = g_strcmp0(text, yes) == 0;

    if (!isYes && g_strcmp0(text, no) != 0)
        return expected;
    *field = isYes;
    return NULL;
}

static const char *
setUInt(guint *field, const char *value, const Key *key)
{
    guint64 number;

    if (g_ascii_string_to_unsigned(value, 10, key->min, key->max, &number, NULL)) {
        *field = (guint)number;
        return NULL;
    }
    if (key->max == 4)
        return "expected 1 (debug), 2 (info), 3 (warnings) or 4 (errors)";
    return "expected a number from 1 to 100000";
}

static const char *
setKey(virtDaemonConfig *config, const Key *key, const char *value)
{
    void *field = (char *)config + key->offset;

    switch (key->type) {
    case TYPE_SOCKET:
        return setPath(field, value, sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1);
    case TYPE_PATH:
        return setPath(field, value, PATH_MAX);
    case TYPE_GROUP:
        return setGroup(field, value);
    case TYPE_MODE:
        return setMode(field, value);
    case TYPE_YES_NO:
        return setBool(field, value, "yes", "no", "expected \"yes\" or \"no\", in quotes");
    case TYPE_DESTROY:
        return setBool(field, value, "destroy", "warn", "expected \"destroy\" or \"warn\", in quotes");
    case TYPE_UINT:
        break;
    }
    return setUInt(field, value, key);
}

/* A '#' outside quotes begins a comment. */
static void
cutComment(char *line)
{
    char quote = 0;

    for (; *line; line++) {
        if (quote) {
            if (*line == quote)
                quote = 0;
        } else if (*line == '"' || *line == '\'') {
            quote = *line;
        } else if (*line == '#') {
            *line = '\0';
            return;
        }
    }
}

static bool
readLine(virtDaemonConfig *config, char *line, GHashTable *seen, const char **ret_why)
{
    char *equals;

    cutComment(line);
    g_strstrip(line);
    *ret_why = "expected: key = value";
    if (!*line)
        return true;
    equals = strchr(line, '=');
    if (!equals)
        return false;
    *equals = '\0';
    g_strstrip(line);
    for (guint i = 0; i < G_N_ELEMENTS(keys); i++) {
        if (!g_str_equal(line, keys[i].name))
            continue;
        *ret_why = "given twice";
        if (!g_hash_table_add(seen, (gpointer)keys[i].name))
            return false;
        *ret_why = setKey(config, &keys[i], g_strstrip(equals + 1));
        return !*ret_why;
    }
    *ret_why = "unknown key; see the virthostdevd.conf that was installed";
    return false;
}

static bool
readText(virtDaemonConfig *config, const char *file, const char *text, GError **error)
{
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);

    for (guint i = 0; lines[i]; i++) {
        g_autofree char *original = g_strdup(g_strstrip(lines[i]));
        g_autofree char *shown = g_strescape(original, "\"");
        const char *why;

        if (!readLine(config, lines[i], seen, &why)) {
            g_set_error(error, VIRT_ERROR, VIRT_ERROR_INVALID, "%s:%u: %.200s: %s", file, i + 1, shown, why);
            return false;
        }
    }
    return true;
}

void
virtDaemonConfigFree(virtDaemonConfig *config)
{
    if (!config)
        return;
    g_free(config->listen);
    g_free(config->listenRo);
    g_free(config->upstream);
    g_free(config->upstreamRo);
    g_free(config->filter);
    g_free(config->group);
    g_ptr_array_unref(config->ours);
    g_free(config);
}

/* The configuration of @file over the defaults; @mayBeMissing: the defaults alone will do.
 *
 * Errors: VIRT_ERROR_INVALID with file and line, VIRT_ERROR_HOST where it cannot be read.
 */
virtDaemonConfig *
virtDaemonConfigLoad(const char *file, bool mayBeMissing, GError **error)
{
    g_autoptr(virtDaemonConfig) config = g_new0(virtDaemonConfig, 1);
    g_autoptr(GError) local = NULL;
    g_autofree char *text = NULL;

    config->listen = g_strdup("/run/libvirt/virthostdevd-sock");
    config->listenRo = g_strdup("/run/libvirt/virthostdevd-sock-ro");
    config->filter = g_strdup(VIRT_LIBEXEC_DIR "/virt-hostdev-filter");
    config->ours = g_ptr_array_new_with_free_func(g_free);
    config->convertInterfaces = true;
    config->destroyUnprovisioned = true;
    config->rwPerms = config->roPerms = -1;
    config->driftInterval = 60;
    config->maxClients = 5000;
    config->maxUserClients = 1000;
    config->lease = VIRT_BROKER_LEASE;
    config->logLevel = 2;
    if (!g_file_get_contents(file, &text, NULL, &local)) {
        if (mayBeMissing && g_error_matches(local, G_FILE_ERROR, G_FILE_ERROR_NOENT))
            return g_steal_pointer(&config);
        g_set_error(error, VIRT_ERROR, VIRT_ERROR_HOST, "Cannot read the configuration: %s", local->message);
        return NULL;
    }
    if (!readText(config, file, text, error))
        return NULL;
    return g_steal_pointer(&config);
}

/* Two names of one socket would have us talk to ourselves, without end. */
static bool
isOurSocket(const virtDaemonConfig *config, const char *path)
{
    struct stat a, b;

    for (guint i = 0; i < config->ours->len; i++) {
        const char *ours = config->ours->pdata[i];

        if (g_str_equal(path, ours) ||
            (stat(path, &a) == 0 && stat(ours, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino))
            return true;
    }
    return false;
}

static bool
isUpstream(const virtDaemonConfig *config, const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISSOCK(st.st_mode) && !isOurSocket(config, path);
}

/* The first of those where libvirt may listen. */
static char *
findUpstream(const virtDaemonConfig *config, const char *suffix)
{
    for (guint i = 0; i < G_N_ELEMENTS(upstreams); i++) {
        g_autofree char *path = g_strconcat(upstreams[i], suffix, NULL);

        if (isUpstream(config, path))
            return g_steal_pointer(&path);
    }
    return NULL;
}

/* The socket of libvirt that is there now: looked for each time, since libvirt may come after us. The caller frees.
 *
 * Errors: VIRT_ERROR_HOST where there is none.
 */
char *
virtDaemonConfigUpstream(const virtDaemonConfig *config, bool readOnly, GError **error)
{
    const char *given = config->upstream, *key = "upstream", *kind = "", *suffix = "";
    char *found;

    if (readOnly) {
        given = config->upstreamRo;
        key = "upstream_ro";
        kind = "read-only ";
        suffix = "-ro";
    }
    if (given) {
        if (isUpstream(config, given))
            return g_strdup(given);
        g_set_error(
            error, VIRT_ERROR, VIRT_ERROR_HOST,
            "libvirt's %ssocket is missing: %s is not a socket, or is one of virthostdevd's own. Start libvirtd or virtqemud, or set %s in virthostdevd.conf",
            kind, given, key);
        return NULL;
    }
    found = findUpstream(config, suffix);
    if (!found)
        g_set_error(error, VIRT_ERROR, VIRT_ERROR_HOST,
                    "libvirt's %ssocket is missing. Start libvirtd or virtqemud, or set %s in virthostdevd.conf", kind,
                    key);
    return found;
}
