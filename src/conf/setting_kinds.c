/* setting_kinds.c: the table of the kinds of settings
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * By itself in its file, so that a test can have another. Its rows and those of src/hypervisor/providers.c are the
 * same.
 */
#include "conf/function_conf.h"
#include "conf/mdev_conf.h"
#include "conf/netdev_conf.h"
#include "conf/vdpa_conf.h"
#include "conf/vgpu_conf.h"

const virtSettingKind *const virtSettingKinds[] = {
    [VIRT_SETTING_NETDEV] = &virtNetdevKind, &virtMdevKind, &virtVgpuKind, &virtFunctionKind,
    [VIRT_SETTING_VDPA] = &virtVdpaKind,     NULL,
};

G_STATIC_ASSERT(G_N_ELEMENTS(virtSettingKinds) <= VIRT_SETTING_KINDS_MAX + 1);
