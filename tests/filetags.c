/* filetags.c: see filekind.h: how their elements begin
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "conf/setting_conf.h"

const char *const virtSettingTags[] = {
    [VIRT_SETTING_NETDEV] = "<netdev",
    "<mark",
    "<file",
    NULL,
};
