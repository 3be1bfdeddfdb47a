/* tool.c: what the commands of virt-hostdev share: options, files, libvirt
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "tools/tool.h"

#include <errno.h>
#include <fcntl.h>
#include <libvirt/virterror.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/daemon_config.h"
#include "util/virerror.h"

/* NULL: there is none of that name. */
const virtCommand *
virtToolFindCommand(const char *name)
{
    for (const virtCommand *command = virtCommands; command->name; command++) {
        if (g_str_equal(command->name, name))
            return command;
    }
    return NULL;
}

/* Whoever can write to a tree decides where its links lead, and so what is done to this host by those who use it. */
static bool
useRoot(virtTool *tool, const char *root, GError **error)
{
    struct stat st;

    if (stat(root, &st) < 0 || !S_ISDIR(st.st_mode)) {
        g_set_error(error, VIRT_ERROR, VIRT_ERROR_INVALID, "--root %s is not a directory", root);
        return false;
    }
    if ((st.st_uid != 0 && st.st_uid != geteuid()) || (st.st_mode & 022)) {
        g_set_error(
            error, VIRT_ERROR, VIRT_ERROR_INVALID,
            "--root %s cannot be trusted: it has owner %u and mode %04o, so others can change what is in it. Make yourself its owner, with mode 0755",
            root, (guint)st.st_uid, (guint)st.st_mode & 07777);
        return false;
    }
    if (!g_str_equal(root, tool->host->root)) {
        g_free(tool->host->root);
        tool->host->root = g_strdup(root);
    }
    return true;
}

/* What is given behind the command counts, and else what is given before it. */
static void
preferLater(char **to, char **from)
{
    if (!*from)
        return;
    g_free(*to);
    *to = g_steal_pointer(from);
}

/* Parses a command's options, and the tool's own, which may stand after the command too.
 * @min, @max: how many arguments must be left; @max -1 is any number
 *
 * --help prints and exits. A mistake is a G_OPTION_ERROR, which the tool ends with exit code 2.
 */
bool
virtToolOptions(virtTool *tool, const GOptionEntry *entries, int *argc, char ***argv, int min, int max, GError **error)
{
    g_autofree char *uri = NULL, *root = NULL;
    const GOptionEntry common[] = {
        {"connect", 'c', 0, G_OPTION_ARG_STRING, &uri, "libvirt's connection URI", "URI"},
        {"root", 0, 0, G_OPTION_ARG_FILENAME, &root, "file system root for sysfs and state", "DIR"},
        {"json", 0, 0, G_OPTION_ARG_NONE, &tool->json, "print for programs", NULL},
        {NULL},
    };
    const virtCommand *command = virtToolFindCommand((*argv)[0]);
    g_autofree char *usage = NULL;
    g_autofree char *prgname = NULL;
    g_autoptr(GOptionContext) context = NULL;

    g_assert(command); /* it is what this was called for */
    usage = g_strdup_printf("%s - %s", command->args, command->summary);
    prgname = g_strdup_printf("virt-hostdev %s", command->name);
    context = g_option_context_new(usage);
    g_set_prgname(prgname);
    if (entries)
        g_option_context_add_main_entries(context, entries, NULL);
    g_option_context_add_main_entries(context, common, NULL);
    if (!g_option_context_parse(context, argc, argv, error))
        return false;
    if (*argc - 1 < min || (max >= 0 && *argc - 1 > max)) {
        g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                    "usage: virt-hostdev %s %s (see virt-hostdev %s --help)", command->name, command->args,
                    command->name);
        return false;
    }
    preferLater(&tool->uri, &uri);
    preferLater(&tool->root, &root);
    return !tool->root || g_str_equal(tool->root, "/") || useRoot(tool, tool->root, error);
}

/* A whole document, "-" being standard input; at most one byte more than a document may
 * have, so that the parser sees and names the excess.
 */
char *
virtToolReadFile(virtTool *tool, const char *file, gsize *ret_len, GError **error)
{
    bool isStdin = g_str_equal(file, "-");
    const char *shown = "stdin";
    int fd = STDIN_FILENO;
    char *text;

    if (!isStdin)
        shown = file;
    g_free(tool->file);
    tool->file = g_strdup(shown);
    if (!isStdin)
        fd = open(file, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        g_set_error(error, VIRT_ERROR, VIRT_ERROR_INVALID, "Cannot read '%s': %s", file, g_strerror(errno));
        return NULL;
    }
    text = virtHostReadAll(fd, VIRT_XML_MAX, ret_len, error);
    if (!text)
        g_prefix_error(error, "Cannot read '%s': ", file);
    if (!isStdin)
        close(fd);
    return text;
}

/* ---- systemd ---- */

/* Runs systemctl with the arguments behind @error, NULL at the end.
 * @ret_out: what it said, without the last line break; may be NULL
 */
bool
virtToolSystemctl(char **ret_out, GError **error, ...)
{
    g_autoptr(GPtrArray) argv = g_ptr_array_new();
    g_autofree char *out = NULL;
    g_autofree char *err = NULL;
    g_autofree char *line = NULL;
    const char *arg;
    char *said;
    va_list args;
    int status;

    g_ptr_array_add(argv, (gpointer) "systemctl");
    va_start(args, error);
    while ((arg = va_arg(args, const char *)))
        g_ptr_array_add(argv, (gpointer)arg);
    va_end(args);
    g_ptr_array_add(argv, NULL);
    if (!g_spawn_sync(NULL, (char **)argv->pdata, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, &out, &err, &status, error))
        return false;
    if (!g_spawn_check_wait_status(status, NULL)) {
        line = g_strjoinv(" ", (char **)argv->pdata);
        said = err;
        if (!*said)
            said = out;
        g_set_error(error, VIRT_ERROR, VIRT_ERROR_HOST, "'%s' failed: %s", line, g_strstrip(said));
        return false;
    }
    if (ret_out)
        *ret_out = g_strdup(g_strchomp(out));
    return true;
}

/* ---- libvirt ---- */

void
virtToolLibvirtError(GError **error, const char *what)
{
    g_set_error(error, VIRT_ERROR, VIRT_ERROR_HOST, "%s: %s", what, virGetLastErrorMessage());
}

virConnectPtr
virtToolConnect(virtTool *tool, bool readOnly, GError **error)
{
    virConnectPtr conn;

    if (readOnly)
        conn = virConnectOpenReadOnly(tool->uri);
    else
        conn = virConnectOpen(tool->uri);
    if (!conn)
        virtToolLibvirtError(error, "Cannot connect to libvirt");
    return conn;
}

/* Is @uri the system's QEMU driver behind the usual socket of this host? NULL is, for root. */
static bool
isSystem(const char *uri)
{
    if (!uri)
        return geteuid() == 0;
    return g_str_equal(uri, "qemu:///system") || g_str_equal(uri, "qemu+unix:///system");
}

/* A connection to libvirt itself, where virthostdevd stands in front of it: for what only libvirt's own form of a
 * domain tells. A URI that names a socket or another host is taken as it is.
 */
virConnectPtr
virtToolConnectStock(virtTool *tool, bool readOnly, GError **error)
{
    const char *given = tool->uri;
    g_autoptr(virtDaemonConfig) config = NULL;
    g_autofree char *socket = NULL;
    g_autofree char *escaped = NULL;

    if (!given)
        given = g_getenv("LIBVIRT_DEFAULT_URI");
    if (!isSystem(given))
        return virtToolConnect(tool, readOnly, error);
    if (!(config = virtDaemonConfigLoad(VIRT_DAEMON_CONF, true, error)) ||
        !(socket = virtDaemonConfigUpstream(config, readOnly, error)))
        return NULL;
    escaped = g_uri_escape_string(socket, "/", FALSE);
    g_free(tool->uri);
    tool->uri = g_strdup_printf("qemu+unix:///system?socket=%s", escaped);
    return virtToolConnect(tool, readOnly, error);
}

/* As virsh finds one: by id, UUID or name. The caller frees it. */
virDomainPtr
virtToolFindDomain(virConnectPtr conn, const char *text, GError **error)
{
    virDomainPtr domain = NULL;
    char *end;
    gint64 id = g_ascii_strtoll(text, &end, 10);

    if (*text && *end == '\0' && id >= 0 && id <= G_MAXINT)
        domain = virDomainLookupByID(conn, (int)id);
    if (!domain && strlen(text) == VIR_UUID_STRING_BUFLEN - 1)
        domain = virDomainLookupByUUIDString(conn, text);
    if (!domain)
        domain = virDomainLookupByName(conn, text);
    if (!domain)
        g_set_error(error, VIRT_ERROR, VIRT_ERROR_INVALID, "failed to get domain '%s': %s", text,
                    virGetLastErrorMessage());
    return domain;
}

/* The XML of @domain as libvirt gives it; the caller frees it.
 * @flags: virDomainXMLFlags; VIR_DOMAIN_XML_SECURE takes a connection that may write
 */
char *
virtToolDomainXml(virDomainPtr domain, guint flags, GError **error)
{
    char *xml = virDomainGetXMLDesc(domain, flags);
    char *copy = g_strdup(xml);

    if (!xml)
        virtToolLibvirtError(error, "libvirt did not return the XML");
    free(xml); /* libvirt's is malloc's, ours is GLib's */
    return copy;
}

/* As virtToolDomainXml(), of the domain @name of @conn, which may be NULL after an error. */
char *
virtToolGetXml(virConnectPtr conn, const char *name, guint flags, GError **error)
{
    g_autoptr(virDomain) domain = NULL;

    if (!conn)
        return NULL;
    domain = virtToolFindDomain(conn, name, error);
    if (!domain)
        return NULL;
    return virtToolDomainXml(domain, flags, error);
}
