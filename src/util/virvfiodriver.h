/* virvfiodriver.h: which VFIO driver is made for a device, and so can migrate it
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "util/virhost.h"
#include "util/virpciaddress.h"

#define VIRT_VFIO_ALIASES_MAX 16777216 /* bytes of modules.alias: 1.5 MB in Debian 13 */

char *virtVFIODriverFind(virtHost *host, const virtPCIAddress *address, GError **error);
