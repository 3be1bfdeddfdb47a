/* virdevlink.h: what a driver says of its device over devlink
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "util/virhandle.h"
#include "util/virhost.h"

char *virtDevlinkGetBoardSerial(virtHost *host, const virtHandle *handle, GError **error);
