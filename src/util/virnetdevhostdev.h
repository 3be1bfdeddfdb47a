/* virnetdevhostdev.h: read, set and put back the netdevs of one VF
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 *     g_autoptr(GPtrArray) before = virtNetDevHostdevRead(host, vf, wanted, &error);
 *     if (!virtNetDevHostdevSet(host, vf, wanted, before, &error))
 *         virtNetDevHostdevRestore(host, vf, before, &more);
 */
#pragma once

#include "util/virnetdev.h"
#include "util/virpci.h"

GPtrArray *virtNetDevHostdevRead(virtHost *host, const virtVF *vf, const GPtrArray *ports, GError **error);
bool virtNetDevHostdevSet(virtHost *host, const virtVF *vf, const GPtrArray *wanted, const GPtrArray *present,
                          GError **error);
bool virtNetDevHostdevRestore(virtHost *host, const virtVF *vf, const GPtrArray *before, GError **error);
