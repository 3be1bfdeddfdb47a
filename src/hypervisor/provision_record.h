/* provision_record.h: who has which device, remembered on disk
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "hypervisor/provider.h"
#include "util/virstatefile.h"

virtOwner *virtOwnerNew(const char *name, const char *uuid);
void virtOwnerSetStarter(virtOwner *owner, guint64 pid);
void virtOwnerFree(virtOwner *owner);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(virtOwner, virtOwnerFree)
bool virtOwnerEqual(const virtOwner *a, const virtOwner *b);
char *virtOwnerDescribe(const virtOwner *owner);

virtRecord *virtProvisionRecordNew(const virtOwner *owner, guint64 began, const GPtrArray *targets);
bool virtProvisionRecordHasGuest(virtHost *host, const virtRecord *record);
bool virtProvisionRecordHasStarter(virtHost *host, const virtRecord *record);
bool virtProvisionRecordIsLeft(virtHost *host, const virtRecord *record);
bool virtProvisionRecordIsSame(const virtRecord *seen, const virtRecord *record);
bool virtProvisionRecordExists(virtHost *host, const virtHandle *handle);
virtRecord *virtProvisionRecordLoad(virtHost *host, const virtHandle *handle, GError **error);
bool virtProvisionRecordSave(virtHost *host, virtRecord *record, virtPhase phase, GError **error);
bool virtProvisionRecordSaveMany(virtHost *host, const GPtrArray *records, virtPhase phase, virtStateBatch *ret,
                                 GError **error);
bool virtProvisionRecordMarkMany(virtHost *host, const GPtrArray *records, virtPhase phase, GError **error);
bool virtProvisionRecordMarkBatch(virtHost *host, const GPtrArray *records, const virtStateBatch *batch,
                                  virtPhase phase, GError **error);
bool virtProvisionRecordRemove(virtHost *host, const virtRecord *record, GError **error);
virtRecord *virtProvisionRecordReload(virtHost *host, const virtRecord *seen, GError **error);
GPtrArray *virtProvisionRecordList(virtHost *host, GError **error);
GPtrArray *virtProvisionRecordListAll(virtHost *host, GPtrArray *problems, GError **error);
char *virtProvisionRecordDescribe(const virtRecord *record);
char *virtProvisionRecordName(const virtRecord *record);
virtHandle virtProvisionLockOf(const virtHandle *handle, const virtHandle *parent);
virtStateLock *virtProvisionLock(virtHost *host, const virtHandle *of, GError **error);
