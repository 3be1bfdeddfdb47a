/* virvgpu.h: the vGPU of a VF as a setting: of which type it is
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What a user writes as <vgpu>, what <metadata> and records hold, and what is read from sysfs. A VF that has no vGPU
 * has type 0: to restore that is to take the vGPU away.
 */
#pragma once

#include "util/virsetting.h"

#define VIRT_VGPU_NAME_MAX 63 /* bytes of a type's name that are shown */

typedef enum { VIRT_VGPU_TYPE, VIRT_VGPU_ATTR_LAST } virtVgpuAttr;

/* Plain data: copied by assignment, freed by g_free. */
typedef struct {
    virtSetting setting;
    struct {
        guint32 type;                      /* as the vendor's driver numbers them; 0: none */
        char name[VIRT_VGPU_NAME_MAX + 1]; /* what the driver calls it, for people; "": not known. Says nothing of it */
    } is;
} virtVgpu;

extern const virtSettingInfo virtVgpuInfo;
