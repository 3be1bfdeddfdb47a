/* mdev_conf.h: the <mdev> element: parse, validate, format
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "conf/setting_conf.h"
#include "util/virmdev.h"

extern const virtSettingKind virtMdevKind;
