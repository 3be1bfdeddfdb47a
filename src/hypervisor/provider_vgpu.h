/* provider_vgpu.h: the vGPUs of VFs, created for their guests
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "hypervisor/provider.h"

extern const virtProvider virtProviderVgpu;
