/* address_conf.h: how XML says which device of the host: PCI addresses, UUIDs, MAC addresses and paths
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "conf/xml_check.h"
#include "conf/xml_tree.h"
#include "util/virhandle.h"

/* @node is the <address> itself; @out gets "<address …/>" with @prefix before the name. */
bool virtPCIAddressParseXml(const virtXmlDoc *doc, const virtXmlNode *node, virtPCIAddress *ret, GError **error);
void virtPCIAddressFormatXml(GString *out, const virtPCIAddress *address, const char *prefix);
bool virtHandleParseXml(const virtXmlDoc *doc, const virtXmlNode *node, const char *bus, virtHandle *ret,
                        GError **error);
const char *virtHandleGetElement(const virtHandle *handle);
bool virtHandleParsePath(const char *path, virtHandle *ret);
bool virtHandleFormatPath(GString *out, const virtHandle *handle);
void virtHandleFormatXml(GString *out, const virtHandle *handle, const char *prefix);
char *virtUuidNormalize(const char *text);
