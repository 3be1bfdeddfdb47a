/* netdev_attr.h: each attribute of a <netdev>: how it is read and written
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Private to src/conf.
 */
#pragma once

#include "conf/netdev_conf.h"

typedef struct {
    const virtXmlDoc *doc;
    const virtXmlNode *node; /* that the row's path leads to */
    bool state;              /* what hardware says is allowed */
    virtNetdev *ret;
    GError **error;
} virtNetdevReader;

typedef struct {
    virtNetdevAttr attr;
    const char *outer;      /* the child of <netdev>; NULL: <netdev> itself */
    const char *outerAttrs; /* that never vary */
    const char *inner;      /* the child of @outer that carries the attributes; NULL: @outer does */
    const char *written;    /* the row counts only where this attribute is written; NULL: wherever the element is */
    bool (*parse)(const virtNetdevReader *r);
    void (*format)(GString *out, const virtNetdev *netdev);
} virtNetdevRow;

/* As they stand in the document. */
extern const virtNetdevRow virtNetdevRows[VIRT_NETDEV_ATTR_LAST];
