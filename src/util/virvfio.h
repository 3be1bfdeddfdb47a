/* virvfio.h: which processes have a device open through VFIO or vhost
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "util/virhandle.h"
#include "util/virhost.h"

/* A process that has a device open. */
typedef struct {
    guint64 pid;  /* 0: there is none */
    bool byGroup; /* it has the file of the IOMMU group open, which may be for another device of that group */
    char *file;   /* which file that is */
} virtVFIOUser;

void virtVFIOUserClear(virtVFIOUser *user);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(virtVFIOUser, virtVFIOUserClear)

bool virtVFIOFindUser(virtHost *host, const virtHandle *handle, guint64 except, virtVFIOUser *ret, GError **error);
bool virtVFIOCheckClosed(virtHost *host, const virtHandle *handle, const char *file, GError **error);
void virtVFIOForget(virtHost *host);
