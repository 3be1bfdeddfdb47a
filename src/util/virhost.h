/* virhost.h: everything of the host that this project touches, in one place a test can replace
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

struct nl_msg;

typedef struct _virtHost virtHost;

/* One request to the kernel's rtnetlink and its answer.
 *
 * @request: a complete message, still owned by the caller
 * @ret_reply: where a GET wants its answer (caller frees with nlmsg_free), NULL where an ACK is enough
 * @ret_reason: the kernel's own words (extended ACK) about a refusal, or NULL; caller frees
 *
 * Returns 0, or -errno as the kernel gave it.
 */
typedef int (*virtHostRequest)(virtHost *host, struct nl_msg *request, struct nl_msg **ret_reply, char **ret_reason);

/* The same, to a family of generic netlink ("devlink"), whose number goes into the request. -ENOENT: the kernel does
 * not have that family. */
typedef int (*virtHostRequestGeneric)(virtHost *host, const char *family, struct nl_msg *request,
                                      struct nl_msg **ret_reply, char **ret_reason);

/* The same for a dump (NLM_F_DUMP): every message of the answer is appended to @replies, which frees them with
 * nlmsg_free(). A dump that the kernel says was disturbed by a change is asked for again. */
typedef int (*virtHostDumpGeneric)(virtHost *host, const char *family, struct nl_msg *request, GPtrArray *replies,
                                   char **ret_reason);

/* A message for the user or the journal about something that did not stop us. */
typedef void (*virtHostWarnFunc)(virtHost *host, const char *message);

/* What is counted for those who watch the host; see virstatecount.c. */
typedef enum {
    VIRT_COUNT_CHANGES,       /* VFs set for a guest, or given new settings */
    VIRT_COUNT_RETRIES,       /* requests sent again because the device was busy */
    VIRT_COUNT_REFUSALS,      /* what failed because a driver refused or ignored a setting */
    VIRT_COUNT_ROLLBACKS,     /* starts, attaches and updates undone */
    VIRT_COUNT_RESTORED,      /* VFs put back to what they were before */
    VIRT_COUNT_DRIFTS,        /* settings found changed by somebody else */
    VIRT_COUNT_ENFORCED,      /* VFs given again what somebody else had changed */
    VIRT_COUNT_UNPROVISIONED, /* guests started with a VF that nobody had set */
    VIRT_COUNT_LAST
} virtCount;

struct _virtHost {
    char *root;              /* of the file system, for sysfs and state; no '/' at its end, "" is the real one */
    virtHostRequest request; /* rtnetlink */
    virtHostRequestGeneric requestGeneric;
    virtHostDumpGeneric dumpGeneric;
    /* Writes @value to a file that exists, at the whole @path, in one write(2). @within: milliseconds after which it is
     * left behind; 0: none. Returns 0 or -errno. */
    int (*write)(virtHost *host, const char *path, const char *value, guint within);
    /* Opens a device's file at the whole @path, and closes it again. Returns 0 or -errno. */
    int (*tryOpen)(virtHost *host, const char *path);
    void (*sleep)(gulong microseconds);
    char *(*readIPv4)(virtHost *host, const char *ifname); /* an address of a netdev, or NULL; caller frees */
    virtHostWarnFunc warn;                                 /* may be NULL: warnings are dropped */
    void *opaque;                                          /* for those above */
    void *socket, *genericSocket;                          /* of the real requests, opened on first use */

    guint slept; /* milliseconds for busy devices, since the last lock was taken: see virnetlinkvf.c */

    guint64 counts[VIRT_COUNT_LAST]; /* since a lock was last given back, which writes them down */

    /* While a virtHostReads is open, and empty otherwise: */
    guint reads;        /* how many are */
    GPtrArray *pfs;     /* virpcivf.c: PFs with their ports */
    GHashTable *links;  /* virnetlinkvf.c: netdevs with their VF lists, until the next RTM_SETLINK */
    int stateDir;       /* virstatefile.c: the directory, verified; -1: not opened */
    GHashTable *opened; /* virvfio.c: files below /dev/vfio that processes have open */
    GPtrArray *guests;  /* provision_users.c: the domains that run */
    GPtrArray *cards;   /* virpcicard.c: the cards, as they were asked once */

    guint passes; /* through /proc, since the host was made: what a test counts */
};

virtHost *virtHostNew(const char *root);
void virtHostFree(virtHost *host);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(virtHost, virtHostFree)

/* A stretch of work that reads what many VFs share only once: see virtHostReadOnce(). */
typedef struct _virtHost virtHostReads;
virtHostReads *virtHostReadOnce(virtHost *host);
void virtHostReadsEnd(virtHostReads *reads);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(virtHostReads, virtHostReadsEnd)

void virtHostWarn(virtHost *host, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* Paths below are relative to the host's root, printf style: "sys/bus/pci/devices/%s/numa_node". */
char *virtHostPath(virtHost *host, const char *format, ...) G_GNUC_PRINTF(2, 3);
char *virtHostRead(virtHost *host, GError **error, const char *format, ...) G_GNUC_PRINTF(3, 4);
bool virtHostParseUInt(const char *text, guint64 max, guint64 *ret);
bool virtHostReadUInt(virtHost *host, guint64 max, guint64 *ret, GError **error, const char *format, ...)
    G_GNUC_PRINTF(5, 6);
int virtHostTryWrite(virtHost *host, const char *value, const char *format, ...) G_GNUC_PRINTF(3, 4);
int virtHostTryWriteWithin(virtHost *host, guint within, const char *value, const char *format, ...)
    G_GNUC_PRINTF(4, 5);
int virtHostTryOpen(virtHost *host, const char *format, ...) G_GNUC_PRINTF(2, 3);
int virtHostWriteFile(virtHost *host, const char *path, const char *value, guint within);
bool virtHostWrite(virtHost *host, const char *value, GError **error, const char *format, ...) G_GNUC_PRINTF(4, 5);
char *virtHostReadLink(virtHost *host, GError **error, const char *format, ...) G_GNUC_PRINTF(3, 4);
GPtrArray *virtHostListDir(virtHost *host, GError **error, const char *format, ...) G_GNUC_PRINTF(3, 4);

bool virtHostWaitMore(virtHost *host, guint longest, guint *waited);
char *virtHostMakeText(const void *data, gsize len);

/* Not below the root: what somebody hands us. */
char *virtHostReadAll(int fd, gsize max, gsize *ret_len, GError **error);
