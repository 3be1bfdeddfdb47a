/* virnuma.h: the host's NUMA nodes
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "util/viraffinity.h"
#include "util/virhost.h"
#include "util/virpciaddress.h"

void virtNumaFindNodes(virtHost *host, const virtAffinity *affinity, virtAffinity *ret);
bool virtNumaIsNear(virtHost *host, const virtAffinity *nodes, const virtPCIAddress *device);
