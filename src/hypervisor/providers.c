/* providers.c: the table of providers
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * By itself in its file, so that a test can have another. Its rows and those of src/conf/setting_kinds.c are the same.
 */
#include "hypervisor/provider_function.h"
#include "hypervisor/provider_mdev.h"
#include "hypervisor/provider_netdev.h"
#include "hypervisor/provider_vdpa.h"
#include "hypervisor/provider_vgpu.h"

const virtProvider *const virtProviders[] = {
    [VIRT_SETTING_NETDEV] = &virtProviderNetdev,
    &virtProviderMdev,
    &virtProviderVgpu,
    &virtProviderFunction,
    [VIRT_SETTING_VDPA] = &virtProviderVdpa,
    NULL,
};
