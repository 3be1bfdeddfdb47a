/* virmdevdefined.h: mediated devices that mdevctl, or libvirt through it, has defined
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "util/virhost.h"
#include "util/virmdev.h"

#define VIRT_MDEV_DEFINED_MAX 65536 /* bytes of a definition: 32 attributes are 11 KiB */

bool virtMdevDefinedRead(virtHost *host, const char *uuid, virtMdev *ret, GError **error);
