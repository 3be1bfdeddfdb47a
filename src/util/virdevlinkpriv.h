/* virdevlinkpriv.h: devlink's requests and answers, for the files of virdevlink.h
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "util/virdevlink.h"

#include <netlink/msg.h>

struct nl_msg *virtDevlinkNewRequest(guint8 command, int flags, const virtHandle *handle);
struct nl_msg *virtDevlinkNewPortRequest(guint8 command, const virtHandle *handle, guint32 index);
void virtDevlinkSetError(const virtHandle *handle, int rc, const char *reason, GError **error);
struct nl_msg *virtDevlinkAsk(virtHost *host, const virtHandle *handle, struct nl_msg *request, GError **error);
int virtDevlinkSend(virtHost *host, struct nl_msg *request, struct nl_msg **ret_reply, char **ret_reason);
struct nlattr *virtDevlinkFindAttr(struct nl_msg *reply, int type, int len);
GArray *virtDevlinkListPorts(virtHost *host, const virtHandle *handle, GError **error);
int virtDevlinkSetFunctionAttr(virtHost *host, const virtHandle *handle, guint32 index, int type, gconstpointer value,
                               int len, char **ret_reason);
