/* daemon_config.h: the daemon's configuration, read once, but for what SIGHUP reads again; the tool asks it for libvirt's own socket
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "config.h"

#include <glib.h>
#include <stdbool.h>

#define VIRT_DAEMON_CONF VIRT_SYSCONF_DIR "/libvirt/virthostdevd.conf"

typedef struct {
    char *listen, *listenRo;     /* ours; not used when systemd hands us sockets */
    char *upstream, *upstreamRo; /* libvirt's; NULL: look where it usually is */
    GPtrArray *ours;             /* paths that we listen at, whoever made them: never upstream */
    char *filter;                /* the program for each client */
    bool convertInterfaces;      /* <interface type='hostdev'> is ours too, not left to libvirt */
    char *group;                 /* of our sockets; NULL: that of libvirt's */
    int rwPerms, roPerms;        /* mode of our sockets; -1: that of libvirt's */
    bool enforce;                /* what somebody else has changed of a guest's VF is put back */
    guint driftInterval;         /* seconds from one look for that to the next */
    bool destroyUnprovisioned;   /* a guest that was started with VFs that nobody had set is ended */
    guint maxClients;
    guint maxUserClients; /* of one user who is not root */
    guint lease;          /* seconds; VIRT_BROKER_LEASE */
    guint logLevel;       /* libvirt's: 1 debug, 2 info, 3 warnings, 4 errors */
} virtDaemonConfig;

virtDaemonConfig *virtDaemonConfigLoad(const char *file, bool mayBeMissing, GError **error);
void virtDaemonConfigFree(virtDaemonConfig *config);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(virtDaemonConfig, virtDaemonConfigFree)
char *virtDaemonConfigUpstream(const virtDaemonConfig *config, bool readOnly, GError **error);
