/* netdev_conf.h: the <netdev> element: parse, validate, format
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "conf/xml_check.h"
#include "conf/xml_tree.h"
#include "util/virnetdev.h"
#include "util/virpci.h"

#define VIRT_NS "urn:libvirt-hostdev:1"

/* The kernel's dev_port has 16 bits, but no NIC comes near, and 128 netdevs, before and wanted, still fit a state file.
 */
#define VIRT_NETDEV_PORT_MAX 128

/* What a document may say: a user's is held to the ranges of docs/formatdomain.rst, a state file may also
 * hold what hardware says ("no VLAN" is <tag id='0'/>, "no admin MAC" is 00:00:00:00:00:00). */
typedef enum {
    VIRT_NETDEV_PARSE_USER,
    VIRT_NETDEV_PARSE_ENTRY, /* a user's, in our metadata: the one of an <interface> may leave its port to the device */
    VIRT_NETDEV_PARSE_STATE,
} virtNetdevParseMode;

virtNetdev *virtNetdevParse(const virtXmlDoc *doc, const virtXmlNode *node, virtNetdevParseMode mode, GError **error);
GPtrArray *virtNetdevListParse(const virtXmlDoc *doc, const virtXmlNode *parent, virtNetdevParseMode mode,
                               GError **error);

void virtNetdevFormat(GString *out, const virtNetdev *netdev, const virtXmlLayout *layout);
void virtNetdevFormatWritten(GString *out, const virtNetdev *netdev, const virtXmlLayout *layout);

/* What <netdev> shares with <interface type='hostdev'> (interface_conf.c): the shape of their children, and how the
 * two are read and written. */
extern const virtXmlRule virtNetdevPartRules[];
bool virtNetdevParseParts(const virtXmlDoc *doc, const virtXmlNode *node, virtNetdevParseMode mode, virtNetdev *netdev,
                          GError **error);
void virtNetdevFormatAttrs(GString *out, const virtNetdev *netdev);
void virtNetdevFormatPart(GString *out, const virtNetdev *netdev, const char *name, const virtXmlLayout *layout);

/* @node is the <address> itself; @out gets "<address …/>" with @prefix before the name. */
bool virtPCIAddressParseXml(const virtXmlDoc *doc, const virtXmlNode *node, virtPCIAddress *ret, GError **error);
void virtPCIAddressFormatXml(GString *out, const virtPCIAddress *address, const char *prefix);
