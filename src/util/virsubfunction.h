/* virsubfunction.h: one sub-function of a PF: made, given a device, taken away
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "util/virhandle.h"
#include "util/virhost.h"

bool virtSubfunctionCheckPF(virtHost *host, const virtHandle *pf, GError **error);
bool virtSubfunctionFind(virtHost *host, const virtHandle *pf, guint32 number, bool *ret, GError **error);
bool virtSubfunctionFindDevice(virtHost *host, const virtHandle *pf, guint32 number, virtHandle *ret, GError **error);
bool virtSubfunctionMake(virtHost *host, const virtHandle *pf, guint32 number, const guint8 *mac, virtHandle *ret,
                         GError **error);
bool virtSubfunctionEnableVdpa(virtHost *host, const virtHandle *device, GError **error);
bool virtSubfunctionRemove(virtHost *host, const virtHandle *pf, guint32 number, GError **error);
