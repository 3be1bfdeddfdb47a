/* setting_tags.c: how the elements of all kinds of settings begin
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Beside setting_kinds.c, whose kinds these are, for the one program that looks at bytes with libc alone.
 */
#include "conf/setting_conf.h"

const char *const virtSettingTags[] = {
    [VIRT_SETTING_NETDEV] = "<netdev", "<mdev", "<vgpu", "<function", [VIRT_SETTING_VDPA] = "<vdpa", NULL,
};
