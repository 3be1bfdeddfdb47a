/* daemon.c: virthostdevd: options, signals, and the main loop
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A client connects to our socket; daemon_client.c starts a filter for it, and has no more to do with what is said.
 * Where a device is plugged, the filter asks daemon_broker.c, which has daemon_request.c and daemon_reconcile.c do in a
 * worker what the daemon itself has found to be right.
 */
#include "config.h"
#include "daemon/daemon.h"

#include <glib-unix.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

typedef struct {
    char *config;
    gboolean verbose, version;
} Options;

typedef struct {
    virtDaemon *daemon;
    const Options *options;
} Reload;

static const char *
configFile(const Options *options)
{
    if (options->config)
        return options->config;
    return VIRT_DAEMON_CONF;
}

static guint
logLevel(const Options *options, const virtDaemonConfig *config)
{
    if (options->verbose)
        return 1;
    return config->logLevel;
}

static gboolean
onTerm(gpointer opaque)
{
    virtDaemon *daemon = opaque;

    sd_notify(0, "STOPPING=1");
    g_ptr_array_set_size(daemon->listeners, 0);
    virtDaemonJobStop(daemon);
    return G_SOURCE_CONTINUE;
}

static gboolean
onHangup(gpointer opaque)
{
    const Reload *reload = opaque;
    g_autoptr(GError) error = NULL;
    g_autoptr(virtDaemonConfig) now =
        virtDaemonConfigLoad(configFile(reload->options), !reload->options->config, &error);

    if (!now) {
        virtDaemonLog(VIRT_LOG_START, G_LOG_LEVEL_WARNING, NULL, "Keeping the configuration as it was: %s",
                      error->message);
        return G_SOURCE_CONTINUE;
    }
    reload->daemon->config->maxClients = now->maxClients;
    reload->daemon->config->maxUserClients = now->maxUserClients;
    reload->daemon->config->convertInterfaces = now->convertInterfaces;
    reload->daemon->config->enforce = now->enforce;
    reload->daemon->config->destroyUnprovisioned = now->destroyUnprovisioned;
    reload->daemon->config->driftInterval = now->driftInterval;
    virtDaemonLogSetLevel(logLevel(reload->options, now));
    virtDaemonListenersWatch(reload->daemon);
    virtDaemonDriftReload(reload->daemon);
    virtDaemonLog(
        VIRT_LOG_START, G_LOG_LEVEL_INFO, NULL,
        "Reloaded log_level, max_clients, max_user_clients, convert_interfaces, enforce, unprovisioned and drift_interval");
    return G_SOURCE_CONTINUE;
}

/* Each client takes one descriptor for as long as it is there. */
static void
raiseLimits(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static bool
parseOptions(Options *options, int *argc, char ***argv, GError **error)
{
    const GOptionEntry entries[] = {
        {"config", 'c', 0, G_OPTION_ARG_FILENAME, &options->config, "configuration file", "FILE"},
        {"verbose", 'v', 0, G_OPTION_ARG_NONE, &options->verbose, "log every request", NULL},
        {"version", 'V', 0, G_OPTION_ARG_NONE, &options->version, "show the version", NULL},
        {NULL},
    };
    g_autoptr(GOptionContext) context = g_option_context_new("- let libvirt's clients write <netdev>");

    g_option_context_add_main_entries(context, entries, NULL);
    if (!g_option_context_parse(context, argc, argv, error))
        return false;
    if (*argc > 1)
        g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, "unexpected argument '%s' (see --help)",
                    (*argv)[1]);
    return *argc == 1;
}

static bool
startUp(virtDaemon *daemon, const Options *options, GError **error)
{
    if (geteuid() != 0) {
        g_set_error_literal(error, VIRT_ERROR, VIRT_ERROR_HOST,
                            "virthostdevd must run as root: it sets VFs and starts a filter as each client's user");
        return false;
    }
    daemon->config = virtDaemonConfigLoad(configFile(options), !options->config, error);
    if (!daemon->config)
        return false;
    virtDaemonLogInit(logLevel(options, daemon->config));
    raiseLimits();
    virtDaemonJobInit(daemon);
    virtDaemonScheduleInit(daemon);
    virtDaemonBrokerInit(daemon);
    virtDaemonDriftInit(daemon);
    return virtDaemonSocketsOpen(daemon, error) && virtDaemonEventsInit(daemon, error);
}

static void
runLoop(virtDaemon *daemon, const Options *options)
{
    const Reload reload = {daemon, options};

    signal(SIGPIPE, SIG_IGN); /* libvirt's connection may break while it is written to */
    g_unix_signal_add(SIGTERM, onTerm, daemon);
    g_unix_signal_add(SIGINT, onTerm, daemon);
    g_unix_signal_add(SIGHUP, onHangup, (gpointer)&reload);
    virtDaemonListenersWatch(daemon);
    virtDaemonLog(VIRT_LOG_START, G_LOG_LEVEL_INFO, NULL, "virthostdevd " PACKAGE_VERSION " is ready");
    sd_notify(0, "READY=1");
    g_main_loop_run(daemon->loop);
}

int
main(int argc, char **argv)
{
    static virtDaemon daemon; /* its threads may outlive main() by a moment */
    g_autoptr(GError) error = NULL;
    Options options = {0};

    setlocale(LC_ALL, "");
    g_set_prgname("virthostdevd");
    daemon.loop = g_main_loop_new(NULL, FALSE);
    daemon.listeners = g_ptr_array_new_with_free_func((GDestroyNotify)virtDaemonListenerFree);
    daemon.clients = g_hash_table_new(NULL, NULL);
    daemon.lookAgain = true;
    if (parseOptions(&options, &argc, &argv, &error) && options.version)
        printf("virthostdevd %s\n", PACKAGE_VERSION);
    else if (!error && startUp(&daemon, &options, &error))
        runLoop(&daemon, &options);
    if (error)
        fprintf(stderr, "virthostdevd: error: %s\n", error->message);
    g_ptr_array_set_size(daemon.listeners, 0); /* so that sockets of our making are removed */
    g_free(options.config);
    if (!error)
        return 0;
    if (error->domain == G_OPTION_ERROR)
        return 2;
    return 1;
}
