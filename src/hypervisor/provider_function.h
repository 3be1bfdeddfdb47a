/* provider_function.h: the port functions of VFs, in switchdev mode
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "hypervisor/provider.h"

extern const virtProvider virtProviderFunction;

bool virtProviderFunctionCanMigrate(virtHost *host, const virtHandle *handle, unsigned long libvirt, GError **error);
