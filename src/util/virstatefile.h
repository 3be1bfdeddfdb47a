/* virstatefile.h: small files under /run/libvirt-hostdev that survive a crash whole, and the lock of a PF
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "util/virhost.h"

#define VIRT_STATE_DIR "run/libvirt-hostdev"
#define VIRT_STATE_MAX 262144 /* bytes; a record of 16 ports is about 8 KiB */

#define VIRT_STATE_NAME_MAX 64     /* bytes: an address and a suffix */
#define VIRT_STATE_SECTION "\n\n#" /* begins a part of a file that records share */

/* virstatefile.c */
bool virtStateFileExists(virtHost *host, const char *name);
char *virtStateFileRead(virtHost *host, const char *name, GError **error);
bool virtStateFileRemove(virtHost *host, const char *name, GError **error);
GPtrArray *virtStateFileList(virtHost *host, GError **error);

/* virstatewrite.c */
typedef struct {
    const char *name;
    const char *text; /* without an empty line before a '#' */
} virtStateText;
/* What was written together, and is still open. */
typedef struct {
    guint written; /* records, from the first on */
    int *fds;
    guint count; /* files, of one or more of these */
} virtStateBatch;
bool virtStateFileWrite(virtHost *host, const char *name, const char *text, GError **error);
bool virtStateFileWriteMany(virtHost *host, const virtStateText *files, guint n, virtStateBatch *ret, GError **error);
bool virtStateFileAppendMany(virtHost *host, const virtStateText *files, guint n, GError **error);
bool virtStateBatchAppend(virtHost *host, const virtStateBatch *batch, const char *text, GError **error);
void virtStateBatchClear(virtStateBatch *batch);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(virtStateBatch, virtStateBatchClear)

/* The directory, verified, for the *at() calls of these files; -1 with @error. */
int virtStateDirOpen(virtHost *host, bool create, GError **error);
void virtStateDirClose(virtHost *host, int fd);
bool virtStateFileIsOurs(int fd);
bool virtStateNameCheck(const char *name, GError **error);
#define VIRT_STATE_NEW "new"   /* being written */
#define VIRT_STATE_OVER "over" /* about to take a record's place */
void virtStateNameTemporary(const char *name, const char *stage, char ret[VIRT_STATE_NAME_MAX + 8]);

/* virstatecount.c */
const char *virtCountName(virtCount count);
void virtStateCountSave(virtHost *host, int lock);
void virtStateCountTotal(virtHost *host, guint64 ret[VIRT_COUNT_LAST]);

/* virstatelock.c */
#define VIRT_STATE_LOCK_SUFFIX ".lock"
typedef struct _virtStateLock virtStateLock;
virtStateLock *virtStateLockTake(virtHost *host, const char *pfName, GError **error);
void virtStateLockRelease(virtStateLock *lock);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(virtStateLock, virtStateLockRelease)
