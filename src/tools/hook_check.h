/* hook_check.h: whether libvirt's daemon runs the hook, found out before a guest does; and to have it do so, or not
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "tools/tool.h"

/* What a check has found. */
typedef struct {
    char *wrong;   /* NULL: all is well */
    char *command; /* what corrects it; NULL: no single command does */
    bool unsure;   /* it cannot be told whether it is wrong */
} virtFinding;

void virtFindingClear(virtFinding *finding);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(virtFinding, virtFindingClear)

/* @command: taken over; may be NULL */
void virtFindingSet(virtFinding *finding, char *command, const char *wrong, ...) G_GNUC_PRINTF(3, 4);
/* What is wrong, and the command, for g_free() */
char *virtFindingText(const virtFinding *finding);

void virtHookCheckFile(virtTool *tool, virtFinding *ret);
void virtHookCheckExecute(virtTool *tool, virtFinding *ret);
void virtHookCheckNoticed(virtTool *tool, virtFinding *ret);

bool virtHookLink(virtTool *tool, bool proven, bool *ret_changed, GError **error);
bool virtHookUnlink(virtTool *tool, bool *ret_changed, GError **error);
