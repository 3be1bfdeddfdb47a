/* virvdpanode.h: the node of a vDPA device, and the link that leads to it
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "util/virhost.h"

char *virtVdpaNodeFind(virtHost *host, const char *name, GError **error);
bool virtVdpaNodeLink(virtHost *host, const char *name, GError **error);
bool virtVdpaNodeUnlink(virtHost *host, const char *name, GError **error);
