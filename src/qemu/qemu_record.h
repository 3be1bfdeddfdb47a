/* qemu_record.h: who has which VF, remembered on disk
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "conf/domain_conf.h"
#include "conf/record_conf.h"

virtOwner *virtOwnerNew(const char *name, const char *uuid);
void virtOwnerSetStarter(virtOwner *owner, guint64 pid);
void virtOwnerFree(virtOwner *owner);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(virtOwner, virtOwnerFree)
bool virtOwnerEqual(const virtOwner *a, const virtOwner *b);
bool virtOwnerIsGone(virtHost *host, const virtOwner *owner);
char *virtOwnerDescribe(const virtOwner *owner);

virtRecord *virtQemuRecordNew(const virtOwner *owner, const virtVF *vf, const GPtrArray *wanted);
virtRecord *virtQemuRecordLoad(virtHost *host, const char *vfName, GError **error);
bool virtQemuRecordSave(virtHost *host, virtRecord *record, virtPhase phase, GError **error);
bool virtQemuRecordRemove(virtHost *host, const virtRecord *record, GError **error);
GPtrArray *virtQemuRecordList(virtHost *host, GError **error);
