/* provider_vdpa.h: vDPA devices, made for their guests
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "hypervisor/provider.h"

extern const virtProvider virtProviderVdpa;
