/* virfunction.h: the function behind a port of a VF, in switchdev mode, as a setting: what it is capable of
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What a user writes as <function>, what <metadata> and records hold, and what devlink says of a port function. A user
 * speaks of all ports of a VF (number 0); a record has what each of them was.
 */
#pragma once

#include "util/virsetting.h"

typedef enum {
    VIRT_FUNCTION_ROCE,
    VIRT_FUNCTION_MIGRATABLE,
    VIRT_FUNCTION_IPSEC_CRYPTO,
    VIRT_FUNCTION_IPSEC_PACKET,
    VIRT_FUNCTION_MAX_IO_EQS,
    VIRT_FUNCTION_ATTR_LAST
} virtFunctionAttr;

#define VIRT_FUNCTION_FLAGS VIRT_FUNCTION_MAX_IO_EQS /* the attributes before it are on or off */

/* Plain data: copied by assignment, freed by g_free. */
typedef struct {
    virtSetting setting; /* .number: the port, from 1; 0: each of them */
    guint8 flags[VIRT_FUNCTION_FLAGS];
    guint32 maxIoEqs; /* event queues for I/O */
} virtFunction;

extern const virtSettingInfo virtFunctionInfo;

void virtFunctionSetFlag(virtFunction *function, virtFunctionAttr attr, bool on);
void virtFunctionSetMaxIoEqs(virtFunction *function, guint32 max);
bool virtFunctionListMigrates(const GPtrArray *list);
GPtrArray *virtFunctionListExpand(const GPtrArray *list, const GArray *ports);
