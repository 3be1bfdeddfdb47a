/* vdpa_conf.h: the <vdpa> element, and what the <interface> or <disk> around it says of the device
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "conf/setting_conf.h"
#include "util/virvdpa.h"

extern const virtSettingKind virtVdpaKind;

bool virtVdpaIsDevice(const virtXmlNode *node);
bool virtVdpaIsPart(const virtXmlNode *node);
void virtVdpaGiveMac(GPtrArray *list, GHashTable *macs);
