/* netdev_conf.h: the <netdev> element: parse, validate, format
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "conf/address_conf.h"
#include "conf/setting_conf.h"
#include "util/virhandle.h"
#include "util/virnetdev.h"

/* The kernel's dev_port has 16 bits, but no NIC comes near, and 128 netdevs, before and wanted, still fit a state file.
 */
#define VIRT_NETDEV_PORT_MAX 128

virtNetdev *virtNetdevParse(const virtXmlDoc *doc, const virtXmlNode *node, virtSettingMode mode, GError **error);
GPtrArray *virtNetdevListParse(const virtXmlDoc *doc, const virtXmlNode *parent, virtSettingMode mode, GError **error);

void virtNetdevFormat(GString *out, const virtNetdev *netdev, const virtXmlLayout *layout);

extern const virtSettingKind virtNetdevKind;

/* The netdevs of a virtHostdev, or a virtHostdevRef: a list of virtNetdev, perhaps empty. */
#define VIRT_NETDEVS(device) VIRT_NETDEVS_OF(&(device)->settings)
#define VIRT_NETDEVS_OF(virtsettings) ((virtsettings)->of[VIRT_SETTING_NETDEV])

/* What <netdev> shares with <interface type='hostdev'> (interface_conf.c): the shape of their children, and how the
 * two are read and written. */
extern const virtXmlRule virtNetdevPartRules[];
bool virtNetdevParseParts(const virtXmlDoc *doc, const virtXmlNode *node, virtSettingMode mode, virtNetdev *netdev,
                          GError **error);
void virtNetdevFormatAttrs(GString *out, const virtNetdev *netdev);
void virtNetdevFormatPart(GString *out, const virtNetdev *netdev, const char *name, const virtXmlLayout *layout);
