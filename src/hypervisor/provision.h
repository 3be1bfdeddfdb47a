/* provision.h: what a domain wants, joined with what the host has: the engine, file by file
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "hypervisor/provider.h"
#include "hypervisor/provision_record.h"

/* provision.c */
bool virtProvisionPrepare(virtHost *host, const virtOwner *owner, const GPtrArray *hostdevs, GError **error);
/* provision_restore.c */
bool virtProvisionRelease(virtHost *host, const virtOwner *owner, const GArray *listed, virtRestoreStage stage,
                          GError **error);
bool virtProvisionForget(virtHost *host, const virtRecord *seen, GError **error);
bool virtProvisionReleaseOne(virtHost *host, const virtRecord *seen, GError **error);
bool virtProvisionRestore(virtHost *host, virtRecord *record, GError **error);
GPtrArray *virtProvisionRestoreMany(virtHost *host, const GPtrArray *records, const GArray *listed,
                                    virtRestoreStage stage);
/* provision_update.c */
bool virtProvisionUpdate(virtHost *host, const virtOwner *owner, const virtHostdev *hostdev, GError **error);
bool virtProvisionUpdateSeen(virtHost *host, const virtOwner *owner, const virtRecord *seen, const virtHostdev *hostdev,
                             GError **error);
bool virtProvisionAgrees(const virtHostdev *hostdev, const virtRecord *record);
/* provision_verify.c */
bool virtProvisionVerify(virtHost *host, const virtOwner *owner, const virtHostdev *hostdev, GError **error);
void virtProvisionCountUnprovisioned(virtHost *host, const virtHostdev *hostdev);
/* provision_users.c */
bool virtProvisionCheckUnused(virtHost *host, const virtHandle *handle, const virtOwner *owner, GError **error);
bool virtProvisionCheckOwn(virtHost *host, const virtHandle *handle, const virtOwner *owner, GError **error);
bool virtProvisionCheckReturn(virtHost *host, const virtRecord *record, GError **error);
bool virtProvisionCheckPF(virtHost *host, const virtHandle *handle, const GArray *devices, GError **error);
bool virtProvisionCheckKernel(virtHost *host, const virtHostdev *hostdev, GError **error);
bool virtProvisionCheckTaken(virtHost *host, const virtHostdev *hostdev, GError **error);
bool virtProvisionCheckLibvirt(const virtHostdev *hostdev, unsigned long version, GError **error);
bool virtProvisionCheckPFs(virtHost *host, const GArray *devices, GError **error);
char *virtProvisionWaits(virtHost *host, const virtRecord *record);
void virtProvisionForgetUsers(virtHost *host);

/* provision_check.c: what comes before any change */
bool virtProvisionCheckOwner(const virtOwner *owner, const virtRecord *record, GError **error);
bool virtProvisionIsVFGone(virtHost *host, const virtRecord *record, bool *ret, GError **error);
bool virtProvisionIsRecorded(const virtTarget *target, const virtRecord *record, GError **error);
bool virtProvisionMayTake(virtHost *host, const virtOwner *owner, const GPtrArray *targets, virtRecord **ret_old,
                          bool *ret_over, GError **error);
virtTarget *virtProvisionLocate(virtHost *host, const virtHostdev *hostdev, GError **error);
GPtrArray *virtProvisionOpen(virtHost *host, const virtOwner *owner, const virtHostdev *hostdev, GError **error);
GPtrArray *virtProvisionOpenSettings(virtHost *host, const virtOwner *owner, const virtHandle *handle,
                                     const virtSettings *settings, GError **error);
bool virtProvisionCheckUsable(const GPtrArray *targets, const virtHostdev *hostdev, GError **error);
void virtProvisionPrefix(GError **error, const virtHostdev *hostdev);

/* provision_before.c: what was there before */
void virtBeforeComplete(const virtSettingInfo *info, gpointer before, gconstpointer wanted);
void virtBeforeBelieve(const virtSettingInfo *info, const GPtrArray *known, GPtrArray *present);
void virtBeforeRemember(virtHost *host, const virtTarget *target, GPtrArray *before, const virtRecord *earlier);
void virtBeforeExtend(const virtTarget *target, virtRecord *record);
