/* virvdpadevice.h: one vDPA device: read, made for vhost, deleted
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "util/virhost.h"
#include "util/virvdpa.h"

bool virtVdpaDeviceCheckDriver(virtHost *host, GError **error);
bool virtVdpaDeviceFind(virtHost *host, const char *name, bool *ret, GError **error);
bool virtVdpaDeviceRead(virtHost *host, const char *name, virtVdpa *ret, GError **error);
bool virtVdpaDeviceMake(virtHost *host, const char *name, const virtVdpa *wanted, GError **error);
bool virtVdpaDeviceTake(virtHost *host, const char *name, GError **error);
bool virtVdpaDeviceSetMac(virtHost *host, const char *name, const guint8 mac[6], GError **error);
bool virtVdpaDeviceRemove(virtHost *host, const char *name, GError **error);
