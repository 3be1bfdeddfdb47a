/* hook_check.h: whether libvirt's daemon runs the hook, found out before a guest does; and to have it do so, or not
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "tools/tool.h"

/* Each returns NULL when all is well, else what is wrong and the command that corrects it.
 * @ret_unsure: becomes true where it cannot be told
 */
char *virtHookCheckFile(virtTool *tool, bool *ret_unsure);
char *virtHookCheckExecute(virtTool *tool, bool *ret_unsure);
char *virtHookCheckNoticed(virtTool *tool, bool *ret_unsure);

bool virtHookLink(virtTool *tool, bool proven, bool *ret_changed, GError **error);
bool virtHookUnlink(virtTool *tool, bool *ret_changed, GError **error);
