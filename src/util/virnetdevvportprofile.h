/* virnetdevvportprofile.h: port profiles of 802.1Qbh, which the switch applies to a VF
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "util/virnetdev.h"
#include "util/virpci.h"

struct nl_msg;
struct nlattr;

void virtNetdevVPortProfileGet(struct nlattr *ports, guint vf, virtNetdev *netdev);
bool virtNetdevVPortProfilePut(struct nl_msg *msg, virtHost *host, const virtVF *vf, const virtNetdev *netdev);
int virtNetdevVPortProfileWait(virtHost *host, const virtPort *port, const virtVF *vf, const virtNetdev *netdev,
                               char **ret_reason);
