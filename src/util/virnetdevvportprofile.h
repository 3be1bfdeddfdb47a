/* virnetdevvportprofile.h: port profiles of 802.1Qbh, which the switch applies to a VF
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "util/virnetdev.h"
#include "util/virpci.h"

struct nl_msg;
struct nlattr;

void virtNetDevVPortProfileGet(struct nlattr *ports, guint vf, virtNetdev *netdev);
bool virtNetDevVPortProfilePut(struct nl_msg *msg, virtHost *host, const virtVF *vf, const virtNetdev *netdev);
int virtNetDevVPortProfileWait(virtHost *host, const virtPort *port, const virtVF *vf, const virtNetdev *netdev,
                               char **ret_reason);
