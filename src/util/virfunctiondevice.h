/* virfunctiondevice.h: a VF whose ports have functions in an eswitch, set by devlink
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "util/virfunction.h"
#include "util/virpci.h"

typedef struct {
    virtPCIAddress pf;
    guint index; /* of the VF there */
    virtVF *vf;  /* private */
} virtFunctionDevice;

virtFunctionDevice *virtFunctionDeviceLocate(virtHost *host, const virtPCIAddress *address, GError **error);
virtFunctionDevice *virtFunctionDeviceOpen(virtHost *host, const virtPCIAddress *address, GError **error);
void virtFunctionDeviceFree(virtFunctionDevice *device);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(virtFunctionDevice, virtFunctionDeviceFree)

bool virtFunctionDeviceIsStill(virtHost *host, const virtFunctionDevice *device, GError **error);
bool virtFunctionDeviceCheckHost(virtHost *host, const virtFunctionDevice *device, GError **error);
bool virtFunctionDeviceCheckKernel(virtHost *host, const virtPCIAddress *address, GError **error);
bool virtFunctionDeviceCheck(const virtFunctionDevice *device, const virtFunction *wanted, GError **error);
GArray *virtFunctionDeviceListPorts(const virtFunctionDevice *device);
char *virtFunctionDeviceDescribe(const virtFunctionDevice *device, guint number);

bool virtFunctionDeviceRead(virtHost *host, const virtFunctionDevice *device, guint number, virtFunction *ret,
                            GError **error);
bool virtFunctionDeviceCheckDriver(virtHost *host, const virtPCIAddress *address, GError **error);
char *virtFunctionDeviceGetDriver(virtHost *host, const virtFunctionDevice *device, const GPtrArray *wanted,
                                  GError **error);
bool virtFunctionDeviceSet(virtHost *host, const virtFunctionDevice *device, const GPtrArray *wanted, bool leave,
                           GError **error);
bool virtFunctionDeviceRestore(virtHost *host, const virtFunctionDevice *device, const GPtrArray *before,
                               GError **error);
bool virtFunctionDeviceBindBack(virtHost *host, const virtPCIAddress *address, const char *driver, const char *override,
                                GError **error);
