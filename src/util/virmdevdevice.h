/* virmdevdevice.h: one mediated device: read, made, removed
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "util/virhost.h"
#include "util/virmdev.h"
#include "util/virmdevparent.h"

bool virtMdevDeviceFind(virtHost *host, const char *uuid, bool *ret, GError **error);
bool virtMdevDeviceRead(virtHost *host, const char *uuid, const virtMdev *named, virtMdev *ret, GError **error);
bool virtMdevDeviceCreate(virtHost *host, const char *uuid, const virtMdevParent *parent, const char *type,
                          GError **error);
bool virtMdevDeviceSetAttrs(virtHost *host, const char *uuid, const virtMdev *wanted, const virtMdev *present,
                            GError **error);
bool virtMdevDeviceRemove(virtHost *host, const char *uuid, GError **error);
