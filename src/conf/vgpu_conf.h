/* vgpu_conf.h: the <vgpu> element: parse, validate, format
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "conf/setting_conf.h"
#include "util/virvgpu.h"

extern const virtSettingKind virtVgpuKind;
