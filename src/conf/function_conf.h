/* function_conf.h: the <function> element: parse, validate, format
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "conf/setting_conf.h"
#include "util/virfunction.h"

extern const virtSettingKind virtFunctionKind;
