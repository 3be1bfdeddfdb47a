/* qemu_record.h: who has which VF, remembered on disk
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "conf/domain_conf.h"
#include "conf/record_conf.h"
#include "util/virstatefile.h"

virtOwner *virtOwnerNew(const char *name, const char *uuid);
void virtOwnerSetStarter(virtOwner *owner, guint64 pid);
void virtOwnerFree(virtOwner *owner);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(virtOwner, virtOwnerFree)
bool virtOwnerEqual(const virtOwner *a, const virtOwner *b);
char *virtOwnerDescribe(const virtOwner *owner);

virtRecord *virtQemuRecordNew(const virtOwner *owner, guint64 began, const virtVF *vf, const GPtrArray *wanted);
bool virtQemuRecordHasGuest(virtHost *host, const virtRecord *record);
bool virtQemuRecordHasStarter(virtHost *host, const virtRecord *record);
bool virtQemuRecordIsLeft(virtHost *host, const virtRecord *record);
bool virtQemuRecordIsSame(const virtRecord *seen, const virtRecord *record);
virtRecord *virtQemuRecordLoad(virtHost *host, const char *vfName, GError **error);
bool virtQemuRecordSave(virtHost *host, virtRecord *record, virtPhase phase, GError **error);
bool virtQemuRecordSaveMany(virtHost *host, const GPtrArray *records, virtPhase phase, virtStateBatch *ret,
                            GError **error);
bool virtQemuRecordMarkMany(virtHost *host, const GPtrArray *records, virtPhase phase, GError **error);
bool virtQemuRecordMarkBatch(virtHost *host, const GPtrArray *records, const virtStateBatch *batch, virtPhase phase,
                             GError **error);
bool virtQemuRecordRemove(virtHost *host, const virtRecord *record, GError **error);
GPtrArray *virtQemuRecordList(virtHost *host, GError **error);
GPtrArray *virtQemuRecordListAll(virtHost *host, GPtrArray *problems, GError **error);
