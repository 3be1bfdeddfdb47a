/* provision.h: what a domain wants, joined with what the host has
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "hypervisor/provision_record.h"

/* provision.c */
bool virtProvisionPrepare(virtHost *host, const virtOwner *owner, const GPtrArray *hostdevs, GError **error);
/* provision_restore.c */
bool virtProvisionRelease(virtHost *host, const virtOwner *owner, const GArray *listed, GError **error);
bool virtProvisionForget(virtHost *host, const virtRecord *seen, GError **error);
bool virtProvisionReleaseOne(virtHost *host, const virtRecord *seen, GError **error);
bool virtProvisionRestore(virtHost *host, virtRecord *record, GError **error);
GPtrArray *virtProvisionRestoreMany(virtHost *host, const GPtrArray *records, const GArray *listed);
/* provision_update.c */
bool virtProvisionUpdate(virtHost *host, const virtOwner *owner, const virtHostdev *hostdev, GError **error);
bool virtProvisionUpdateSeen(virtHost *host, const virtOwner *owner, const virtRecord *seen, const virtHostdev *hostdev,
                             GError **error);
/* provision_stats.c */
bool virtProvisionGetStats(virtHost *host, const char *uuid, const virtPCIAddress *address, virtNetdevStats *ret,
                           GError **error);
/* provision_verify.c */
bool virtProvisionVerify(virtHost *host, const virtOwner *owner, const virtHostdev *hostdev, GError **error);
void virtProvisionCountUnprovisioned(virtHost *host, const virtHostdev *hostdev);
/* provision_port.c */
GPtrArray *virtProvisionPortResolve(virtHost *host, const virtOwner *owner, const virtVF *vf, const GPtrArray *netdevs,
                                    GArray **ret_maybe);
GPtrArray *virtProvisionPortFollow(const GPtrArray *netdevs, const GPtrArray *recorded);
bool virtProvisionPortCheck(virtHost *host, const virtVF *vf, const virtNetdev *const *netdevs, guint n,
                            GError **error);
char *virtProvisionPortJoin(const GArray *ports, const char *last);
/* provision_users.c */
bool virtProvisionCheckUnused(virtHost *host, const char *name, const virtOwner *owner, GError **error);
bool virtProvisionCheckOwn(virtHost *host, const char *name, const virtOwner *owner, GError **error);
bool virtProvisionCheckReturn(virtHost *host, const virtRecord *record, GError **error);
bool virtProvisionCheckPF(virtHost *host, const virtPCIAddress *address, const GArray *devices, GError **error);
bool virtProvisionCheckPFs(virtHost *host, const GArray *devices, GError **error);
char *virtProvisionWaits(virtHost *host, const virtRecord *record);
void virtProvisionForgetUsers(virtHost *host);

/* provision_check.c: what comes before any change */
bool virtProvisionCheckPort(const virtVF *vf, const virtNetdev *wanted, GError **error);
bool virtProvisionCheckOwner(const virtOwner *owner, const virtRecord *record, GError **error);
bool virtProvisionIsStill(virtHost *host, const virtVF *vf, GError **error);
bool virtProvisionIsRecorded(const virtVF *vf, const virtRecord *record, GError **error);
bool virtProvisionMayTake(virtHost *host, const virtOwner *owner, const virtVF *vf, const GPtrArray *wanted,
                          virtRecord **ret_old, bool *ret_over, GError **error);
virtVF *virtProvisionLookup(virtHost *host, const virtOwner *owner, const virtHostdev *hostdev, GError **error);
bool virtProvisionCheckPorts(const virtVF *vf, const virtHostdev *hostdev, const GPtrArray *netdevs, GError **error);
void virtProvisionPrefix(GError **error, const virtHostdev *hostdev);

void virtProvisionSetInstance(virtVF *vf, const virtOwner *owner);

/* Shared with provision_plan.c and status. */
void virtProvisionWarnUnknown(virtHost *host, const virtVF *vf, const virtNetdev *before, const virtNetdev *wanted);

/* Shared with provision_plan.c. */
void virtProvisionBelieve(const GPtrArray *known, GPtrArray *present);

/* Shared with provision_update.c. */
void virtProvisionCompleteBefore(virtNetdev *before, const virtNetdev *wanted);
