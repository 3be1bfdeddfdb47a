/* daemon.h: what the files of virthostdevd share; private to it
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Threads. The main loop owns clients, requests and domain locks, and never waits for anything. What may take long
 * (libvirt's calls, rtnetlink, files) is a virtDaemonJob in a worker thread. One more thread keeps the connection to
 * libvirt. What they share is said where it stands.
 */
#pragma once

#include "rpc/broker.h"
#include "daemon/daemon_config.h"
#include "hypervisor/provision.h"

#include <libvirt/libvirt.h>

/* ---- daemon.c ---- */

typedef struct _virtDaemonDrift virtDaemonDrift;
typedef struct _virtDaemonLibvirt virtDaemonLibvirt;
typedef struct _virtDaemonListener virtDaemonListener;
typedef struct _virtDaemonClient virtDaemonClient;

typedef struct _virtDaemon virtDaemon;
struct _virtDaemon {
    virtDaemonConfig *config;
    GMainLoop *loop;
    GPtrArray *listeners;     /* virtDaemonListener */
    GHashTable *clients;      /* virtDaemonClient, a set: those whose filter has not been reaped */
    GHashTable *locks;        /* UUID → GQueue of who holds (head) or waits for the domain */
    GHashTable *reconciling;  /* UUID → reconcile of our own that waits for the lock: daemon_schedule.c */
    GHashTable *unreconciled; /* UUID → what could not be reconciled and is tried again: daemon_schedule.c */
    GHashTable *endedStarts;  /* UUID → gint64, when the last start of that domain was ended: daemon_start.c */
    GThreadPool *workers;
    GThreadPool *patient; /* the few that may wait for libvirt */
    GThreadPool *cards;   /* the one that reads VPD */
    GHashTable *vpds;     /* its own: virtHandle of a PF → what its card has told: daemon_vpd.c */
    GArray *chosen;       /* VFs that calls under way have been given: daemon_choose.c */
    guint jobs;           /* under way in workers */
    bool stopping;        /* SIGTERM: no new work */
    guint connections;    /* to libvirt, so far: tells a stale look from one that counts */
    bool lookAgain;       /* until each domain has been looked at after (re)connecting, none is trusted to be at rest */
    void (*clientCame)(virtDaemonClient *client); /* its filter runs: daemon_broker.c */
    void (*clientGone)(virtDaemonClient *client); /* it has been reaped */
    virtDaemonLibvirt *libvirt;
    virtDaemonDrift *drift;
};

/* ---- daemon_log.c ---- */

typedef enum {
    VIRT_LOG_START,         /* of the daemon, of connections to libvirt */
    VIRT_LOG_CLIENT,        /* a client came, or could not be served */
    VIRT_LOG_REQUEST,       /* what a filter asked for, and what came of it */
    VIRT_LOG_RECONCILE,     /* something did not agree and was made to, or could not be */
    VIRT_LOG_LEASE,         /* a lock was taken away */
    VIRT_LOG_UNPROVISIONED, /* a guest was started with VFs that nobody had set */
    VIRT_LOG_WARNING,       /* what did not stop us */
} virtDaemonLogKind;

/* What a message is about; what is not known stays zero. */
typedef struct {
    const char *uuid, *name;
    const virtHandle *handle;
    const virtDaemonClient *client;
} virtDaemonAbout;

void virtDaemonLogInit(guint level);
void virtDaemonLogSetLevel(guint level);
void virtDaemonLog(virtDaemonLogKind kind, GLogLevelFlags level, const virtDaemonAbout *about, const char *format, ...)
    G_GNUC_PRINTF(4, 5);
virtHost *virtDaemonHostNew(void); /* the real host, warnings into the log */

/* ---- daemon_job.c: work in threads, and one worker a domain at a time ---- */

/* In a worker. Must not touch what the main loop owns. */
typedef void (*virtDaemonJobFunc)(virtDaemon *daemon, gpointer opaque);

void virtDaemonJobInit(virtDaemon *daemon);
void virtDaemonJobStop(virtDaemon *daemon);
/* @run in a worker, then @done in the main loop. */
void virtDaemonJobStart(virtDaemon *daemon, virtDaemonJobFunc run, virtDaemonJobFunc done, gpointer opaque);
/* The same where libvirt is known to be busy with what @run asks for. */
void virtDaemonJobStartPatient(virtDaemon *daemon, virtDaemonJobFunc run, virtDaemonJobFunc done, gpointer opaque);
/* The same where a card is asked for its VPD: in one thread for all. */
void virtDaemonJobStartCard(virtDaemon *daemon, virtDaemonJobFunc run, virtDaemonJobFunc done, gpointer opaque);

#define VIRT_DAEMON_ITSELF (-1) /* a party, beside all uids */
/* @granted is called when @opaque holds the lock, perhaps at once. Parties take turns. */
void virtDaemonLock(virtDaemon *daemon, const char *uuid, gint64 party, virtDaemonJobFunc granted, gpointer opaque);
void virtDaemonUnlock(virtDaemon *daemon, const char *uuid);
bool virtDaemonLockForget(virtDaemon *daemon, const char *uuid, gpointer opaque); /* stop waiting; false: it holds */

/* ---- daemon_socket.c, daemon_client.c, daemon_spawn.c: from a connection to a running filter ---- */

struct _virtDaemonListener {
    virtDaemon *daemon;
    int fd;
    guint source; /* 0: not accepting */
    bool readOnly;
    char *path; /* to remove at the end; NULL: systemd's */
};

struct _virtDaemonClient {
    virtDaemon *daemon;
    uid_t uid;
    gid_t gid;
    pid_t pid;      /* the client's */
    GArray *groups; /* gid_t */
    bool readOnly;
    pid_t filter;      /* 0: reaped */
    int broker;        /* our end; -1: closed, and the filter is being ended or has ended */
    guint source;      /* of broker */
    guint outstanding; /* requests not yet answered */
    GQueue looks;      /* virtBrokerRequest: statistics, VPD and checks it has asked for; the first is under way */
    GPtrArray *holds;  /* locks that it holds or waits for: daemon_broker.c */
};

bool virtDaemonSocketsOpen(virtDaemon *daemon, GError **error);
void virtDaemonListenerFree(virtDaemonListener *listener);
void virtDaemonListenersWatch(virtDaemon *daemon); /* accept, or pause while there are too many clients */
pid_t virtDaemonSpawnFilter(virtDaemonClient *client, const char *stock, int clientFd, int brokerFd, GError **error);
void virtDaemonClientClose(virtDaemonClient *client); /* nothing that comes from the filter counts any more */
void virtDaemonClientKill(virtDaemonClient *client);
void virtDaemonClientUnref(virtDaemonClient *client);

/* ---- daemon_broker.c, daemon_request.c ---- */

void virtDaemonBrokerInit(virtDaemon *daemon);
void virtDaemonBrokerDisconnected(virtDaemon *daemon); /* libvirt has gone: who waits for a lock need not wait */
/* In a worker, with the domain's lock held. */
bool virtDaemonRequestRun(virtDaemon *daemon, const virtBrokerRequest *request, bool barrier, GError **error);

/* ---- daemon_vpd.c ---- */

char *virtDaemonVPDGet(virtDaemon *daemon, const virtHandle *handle, GError **error); /* in the thread of cards */

/* ---- daemon_choose.c ---- */

/* In a worker. */
bool virtDaemonChoose(virtDaemon *daemon, const virtDaemonClient *client, virtBrokerRequest *request, GError **error);
bool virtDaemonChooseStored(virtDaemon *daemon, const char *uuid, GError **error);
void virtDaemonChooseForget(virtDaemon *daemon, const virtDaemonClient *client, const char *uuid); /* any thread */

/* ---- daemon_libvirt.c: the connection ---- */

G_DEFINE_AUTOPTR_CLEANUP_FUNC(virConnect, virConnectClose)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(virDomain, virDomainFree)

/* What libvirt says by itself; main loop. */
typedef struct {
    void (*domain)(virtDaemon *daemon, const char *uuid, bool started); /* else it, or a device of its, has ended */
    void (*connection)(virtDaemon *daemon, bool up);
} virtDaemonLibvirtNews;

bool virtDaemonLibvirtInit(virtDaemon *daemon, const virtDaemonLibvirtNews *news, GError **error);
bool virtDaemonLibvirtIsUp(virtDaemon *daemon);                         /* any thread; a glance */
virConnectPtr virtDaemonLibvirtGet(virtDaemon *daemon, GError **error); /* workers; for virConnectClose() */
/* One of its own, for calls that may have to wait: workers. */
virConnectPtr virtDaemonLibvirtBorrow(virtDaemon *daemon, GError **error);
void virtDaemonLibvirtReturn(virtDaemon *daemon, virConnectPtr conn);            /* takes NULL */
void virtDaemonLibvirtError(GError **error, const char *what, const char *uuid); /* libvirt's last, as ours */

/* ---- daemon_domain.c: what libvirt says about a domain; workers ---- */

typedef struct {
    virDomainPtr dom;              /* NULL: does not exist */
    virtDomainConf *live;          /* NULL: does not run */
    virtDomainConf *config;        /* NULL: is not persistent */
    bool liveIsOurs, configIsOurs; /* may have metadata of ours */
} virtDaemonDomain;

virtDaemonDomain *virtDaemonDomainGet(virConnectPtr conn, const char *uuid, GError **error);
void virtDaemonDomainFree(virtDaemonDomain *domain);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(virtDaemonDomain, virtDaemonDomainFree)
GPtrArray *virtDaemonMetadataGet(virDomainPtr dom, guint impact, GError **error);
bool virtDaemonMetadataSet(virDomainPtr dom, const GPtrArray *hostdevs, guint impact, GError **error);
bool virtDaemonBarrier(virConnectPtr conn, const char *uuid, GError **error);
GPtrArray *virtDaemonListOurs(virConnectPtr conn, GError **error);

/* ---- daemon_reconcile.c ---- */

/* In a worker, with the domain's lock held. */
bool virtDaemonReconcile(virtDaemon *daemon, const char *uuid, bool barrier, bool *ret_again, GError **error);

/* ---- daemon_schedule.c: when a domain is reconciled; main loop ---- */

void virtDaemonScheduleInit(virtDaemon *daemon);
void virtDaemonReconcileSoon(virtDaemon *daemon, const char *uuid, bool barrier); /* takes the lock itself */
void virtDaemonReconcileHeld(virtDaemon *daemon, const char *uuid);               /* takes the lock over */
/* What came of reconciling a domain, whoever asked for it: a failure is tried again. */
void virtDaemonReconciled(virtDaemon *daemon, const char *uuid, const GError *failure);
void virtDaemonReconcileWaiting(virtDaemon *daemon); /* try all of those now */

/* ---- daemon_resolve.c: stored domains whose VFs have other addresses by now; main loop ---- */

void virtDaemonResolveSoon(virtDaemon *daemon, const char *uuid); /* takes the lock itself */

/* ---- daemon_events.c: what libvirt says by itself; main loop ---- */

bool virtDaemonEventsInit(virtDaemon *daemon, GError **error);

/* ---- daemon_start.c: were the VFs of a domain that has started set? ---- */

bool virtDaemonStartVerify(virtDaemon *daemon, const char *uuid, GError **error); /* in a worker */
bool virtDaemonStartTakeEnded(virtDaemon *daemon, const char *uuid);              /* main loop */
void virtDaemonStarted(virtDaemon *daemon, const char *uuid);                     /* main loop */

/* ---- daemon_drift.c: what somebody else changes; main loop ---- */

void virtDaemonDriftInit(virtDaemon *daemon);
void virtDaemonDriftReload(virtDaemon *daemon);
