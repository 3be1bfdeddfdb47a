/* qemu_hostdev.h: what a domain wants, joined with what the host has
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "qemu/qemu_record.h"

/* qemu_hostdev.c */
bool virtQemuHostdevPrepare(virtHost *host, const virtOwner *owner, const GPtrArray *hostdevs, GError **error);
/* qemu_release.c */
bool virtQemuHostdevRelease(virtHost *host, const virtOwner *owner, const GArray *listed, GError **error);
bool virtQemuHostdevForget(virtHost *host, const virtRecord *seen, GError **error);
bool virtQemuHostdevReleaseOne(virtHost *host, const virtRecord *seen, GError **error);
bool virtQemuHostdevRestore(virtHost *host, virtRecord *record, GError **error);
GPtrArray *virtQemuHostdevRestoreMany(virtHost *host, const GPtrArray *records, const GArray *listed);
/* qemu_update.c */
bool virtQemuHostdevUpdate(virtHost *host, const virtOwner *owner, const virtHostdev *hostdev, GError **error);
bool virtQemuHostdevUpdateSeen(virtHost *host, const virtOwner *owner, const virtRecord *seen,
                               const virtHostdev *hostdev, GError **error);
/* qemu_stats.c */
bool virtQemuHostdevGetStats(virtHost *host, const char *uuid, const virtPCIAddress *address, virtNetdevStats *ret,
                             GError **error);
/* qemu_verify.c */
bool virtQemuHostdevVerify(virtHost *host, const virtOwner *owner, const virtHostdev *hostdev, GError **error);
void virtQemuHostdevCountUnprovisioned(virtHost *host, const virtHostdev *hostdev);
/* qemu_port.c */
GPtrArray *virtQemuPortResolve(virtHost *host, const virtOwner *owner, const virtVF *vf, const GPtrArray *netdevs,
                               GArray **ret_maybe);
GPtrArray *virtQemuPortFollow(const GPtrArray *netdevs, const GPtrArray *recorded);
bool virtQemuPortCheck(virtHost *host, const virtVF *vf, guint port, GError **error);
char *virtQemuPortJoin(const GArray *ports, const char *last);
/* qemu_vfio.c */
bool virtQemuHostdevCheckUnused(virtHost *host, const char *name, const virtOwner *owner, GError **error);
bool virtQemuHostdevCheckOwn(virtHost *host, const char *name, const virtOwner *owner, GError **error);
bool virtQemuHostdevCheckReturn(virtHost *host, const virtRecord *record, GError **error);
bool virtQemuHostdevCheckPF(virtHost *host, const virtPCIAddress *address, const GArray *devices, GError **error);
bool virtQemuHostdevCheckPFs(virtHost *host, const GArray *devices, GError **error);
char *virtQemuHostdevWaits(virtHost *host, const virtRecord *record);
void virtQemuHostdevForgetUsers(virtHost *host);

/* Shared with qemu_release.c, qemu_plan.c and qemu_update.c: the checks that come before any change. */
bool virtQemuHostdevCheckPort(const virtVF *vf, const virtNetdev *wanted, GError **error);
bool virtQemuHostdevCheckOwner(const virtOwner *owner, const virtRecord *record, GError **error);
bool virtQemuHostdevIsStill(virtHost *host, const virtVF *vf, GError **error);
bool virtQemuHostdevIsRecorded(const virtVF *vf, const virtRecord *record, GError **error);
bool virtQemuHostdevMayTake(virtHost *host, const virtOwner *owner, const virtVF *vf, const GPtrArray *wanted,
                            virtRecord **ret_old, bool *ret_over, GError **error);
virtVF *virtQemuHostdevLookup(virtHost *host, const virtOwner *owner, const virtHostdev *hostdev, GError **error);
bool virtQemuHostdevCheckPorts(const virtVF *vf, const virtHostdev *hostdev, const GPtrArray *netdevs, GError **error);
void virtQemuHostdevPrefix(GError **error, const virtHostdev *hostdev);

void virtQemuHostdevSetInstance(virtVF *vf, const virtOwner *owner);

/* Shared with qemu_plan.c and status. */
void virtQemuHostdevWarnUnknown(virtHost *host, const virtVF *vf, const virtNetdev *before, const virtNetdev *wanted);

/* Shared with qemu_plan.c. */
void virtQemuHostdevBelieve(const GPtrArray *known, GPtrArray *present);

/* Shared with qemu_update.c. */
void virtQemuHostdevCompleteBefore(virtNetdev *before, const virtNetdev *wanted);
