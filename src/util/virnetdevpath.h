/* virnetdevpath.h: which way the settings of a VF take
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "util/virnetdev.h"
#include "util/virpci.h"

int virtNetdevPathSet(virtHost *host, const virtPort *port, const virtVF *vf, const virtNetdev *netdev, guint attrs,
                      char **ret_reason);
bool virtNetdevPathRead(virtHost *host, const virtPort *port, const virtVF *vf, virtNetdev *ret, GError **error);
guint virtNetdevPathFindOfSwitch(const virtVF *vf, const virtPort *port, const virtNetdev *wanted);
