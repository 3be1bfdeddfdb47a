/* provider_mdev.h: mediated devices, made for their guests
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "hypervisor/provider.h"

extern const virtProvider virtProviderMdev;
