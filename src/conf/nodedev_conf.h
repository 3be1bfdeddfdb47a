/* nodedev_conf.h: libvirt's node devices: the VPD of a card, where libvirt shows none
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "util/virhandle.h"
#include "util/virpcivpd.h"

char *virtNodeDevFormatVPD(const virtPCIVPD *vpd, gsize max);
bool virtNodeDevLacksVPD(const char *xml, gsize len, virtHandle *ret);
char *virtNodeDevPutVPD(const char *xml, gsize len, const char *capability, GError **error);
