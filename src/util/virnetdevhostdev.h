/* virnetdevhostdev.h: read, set and restore the netdevs of VFs
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 *     g_autoptr(GPtrArray) before = virtNetDevHostdevRead(host, vf, wanted, &error);
 *     if (!virtNetDevHostdevSet(host, vf, wanted, before, &error))
 *         virtNetDevHostdevRestore(host, vf, before, &more);
 */
#pragma once

#include "util/virnetdev.h"
#include "util/virpci.h"

/* One VF of many, and what is to be made of it. */
typedef struct {
    const virtVF *vf;
    const GPtrArray *wanted;  /* virtNetdev: what each gives is set, nothing else is touched */
    const GPtrArray *present; /* what virtNetDevHostdevRead() returned for these ports: what agrees is not written */
    guint elsewhere; /* set where it failed: the port at which the driver made the change, undone there; 0: none */
} virtNetDevHostdevChange;

GPtrArray *virtNetDevHostdevRead(virtHost *host, const virtVF *vf, const GPtrArray *ports, GError **error);
bool virtNetDevHostdevSet(virtHost *host, const virtVF *vf, const GPtrArray *wanted, const GPtrArray *present,
                          GError **error);
bool virtNetDevHostdevRestore(virtHost *host, const virtVF *vf, const GPtrArray *before, GError **error);
bool virtNetDevHostdevSetMany(virtHost *host, virtNetDevHostdevChange *changes, guint n, GError **error);
void virtNetDevHostdevTryMany(virtHost *host, const virtNetDevHostdevChange *changes, guint n);
