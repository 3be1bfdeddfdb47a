/* provider_netdev.h: the netdevs of VFs, set through those of their PF
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "hypervisor/provider.h"
#include "util/virnetdev.h"
#include "util/virpciaddress.h"

extern const virtProvider virtProviderNetdev;

bool virtProviderNetdevAreTrusted(virtHost *host, const virtPCIAddress *address, const virtSettings *before,
                                  bool wanted);
bool virtProviderNetdevGetStats(virtHost *host, const char *uuid, const virtHandle *handle, virtNetdevStats *ret,
                                GError **error);
