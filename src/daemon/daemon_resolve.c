/* daemon_resolve.c: stored domains whose VFs have other addresses by now
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A card may have been moved while the host was off, and VFs that are made anew may have other addresses. So when the
 * daemon has connected to libvirt, what stored domains ask for by card, PF or pool is looked for again. What cannot be
 * found is told once: whoever starts the domain hears it, and the next start looks again.
 */
#include "daemon/daemon.h"

typedef struct {
    char *uuid;
    GError *error;
} Resolve;

static void
resolveStored(virtDaemon *daemon, gpointer opaque)
{
    Resolve *resolve = opaque;

    virtDaemonChooseStored(daemon, resolve->uuid, &resolve->error);
}

static void
resolvedStored(virtDaemon *daemon, gpointer opaque)
{
    Resolve *resolve = opaque;
    const virtDaemonAbout about = {.uuid = resolve->uuid};

    if (resolve->error)
        virtDaemonLog(VIRT_LOG_RECONCILE, G_LOG_LEVEL_WARNING, &about,
                      "The VFs that domain %s asks for cannot be found: %s", resolve->uuid, resolve->error->message);
    virtDaemonUnlock(daemon, resolve->uuid);
    g_clear_error(&resolve->error);
    g_free(resolve->uuid);
    g_free(resolve);
}

static void
onGranted(virtDaemon *daemon, gpointer opaque)
{
    virtDaemonJobStart(daemon, resolveStored, resolvedStored, opaque);
}

/* Looks again for the VFs that the domain @uuid asks for, when its lock is free. */
void
virtDaemonResolveSoon(virtDaemon *daemon, const char *uuid)
{
    Resolve *resolve;

    if (daemon->stopping)
        return;
    resolve = g_new0(Resolve, 1);
    resolve->uuid = g_strdup(uuid);
    virtDaemonLock(daemon, resolve->uuid, VIRT_DAEMON_ITSELF, onGranted, resolve);
}
