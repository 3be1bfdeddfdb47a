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
typedef int (*virtHostTalk)(virtHost *host, struct nl_msg *request, struct nl_msg **ret_reply, char **ret_reason);

/* A message for the user or the journal about something that did not stop us. */
typedef void (*virtHostWarnFunc)(virtHost *host, const char *message);

struct _virtHost {
    char *root;        /* of the file system, for sysfs and state; no '/' at its end, "" is the real one */
    virtHostTalk talk; /* rtnetlink */
    void (*sleep)(gulong microseconds);
    virtHostWarnFunc warn; /* may be NULL: warnings are dropped */
    void *opaque;          /* for the three above */
    void *socket;          /* of the real talk, opened on first use */
};

virtHost *virtHostNew(const char *root);
void virtHostFree(virtHost *host);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(virtHost, virtHostFree)

void virtHostWarn(virtHost *host, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* Paths below are relative to the host's root, printf style: "sys/bus/pci/devices/%s/numa_node". */
char *virtHostPath(virtHost *host, const char *format, ...) G_GNUC_PRINTF(2, 3);
char *virtHostRead(virtHost *host, GError **error, const char *format, ...) G_GNUC_PRINTF(3, 4);
bool virtHostReadUInt(virtHost *host, guint64 max, guint64 *ret, GError **error, const char *format, ...)
    G_GNUC_PRINTF(5, 6);
bool virtHostWrite(virtHost *host, const char *value, GError **error, const char *format, ...) G_GNUC_PRINTF(4, 5);
char *virtHostReadLink(virtHost *host, const char *format, ...) G_GNUC_PRINTF(2, 3);
GPtrArray *virtHostListDir(virtHost *host, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* Not below the root: what somebody hands us. */
char *virtHostReadAll(int fd, gsize max, gsize *ret_len, GError **error);
