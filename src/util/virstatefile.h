/* virstatefile.h: small files under /run/libvirt-hostdev that survive a crash whole, and the lock of a PF
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "util/virhost.h"

#define VIRT_STATE_DIR "run/libvirt-hostdev"
#define VIRT_STATE_MAX (256 * 1024) /* bytes; a record of 16 ports is about 8 KiB */

/* virstatefile.c */
bool virtStateFileWrite(virtHost *host, const char *name, const char *text, GError **error);
char *virtStateFileRead(virtHost *host, const char *name, GError **error);
bool virtStateFileRemove(virtHost *host, const char *name, GError **error);
GPtrArray *virtStateFileList(virtHost *host, GError **error);

/* The directory, verified, for the *at() calls of these two files; -1 with @error. */
int virtStateDirOpen(virtHost *host, bool create, GError **error);
bool virtStateNameCheck(const char *name, GError **error);

/* virstatelock.c */
typedef struct _virtStateLock virtStateLock;
virtStateLock *virtStateLockTake(virtHost *host, const char *pfName, GError **error);
void virtStateLockRelease(virtStateLock *lock);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(virtStateLock, virtStateLockRelease)
