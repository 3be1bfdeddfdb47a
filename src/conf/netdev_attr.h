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

/* What stock libvirt does with the attribute of an <interface type='hostdev'>. */
typedef enum {
    VIRT_NETDEV_STOCK_DROPS,   /* reads past it without a word */
    VIRT_NETDEV_STOCK_REFUSES, /* knows it, and does not start a guest with it, or with some of its values */
    VIRT_NETDEV_STOCK_KEEPS,   /* shows it again and leaves the VF as it is */
    VIRT_NETDEV_STOCK_SETS,
} virtNetdevStock;

typedef struct {
    virtNetdevAttr attr;
    const char *outer;      /* the child of <netdev>; NULL: <netdev> itself */
    const char *outerAttrs; /* that never vary */
    const char *inner;      /* the child of @outer that carries the attributes; NULL: @outer does */
    const char *written;    /* the row counts only where this attribute is written; NULL: wherever the element is */
    bool (*parse)(const virtNetdevReader *r);
    void (*format)(GString *out, const virtNetdev *netdev);
    virtNetdevStock stock;
    const char *stockDrops; /* of the XML attributes, those that stock libvirt drops, with a space between */
    void (*makeStock)(virtNetdev *ret); /* leave of the value what stock libvirt sets; NULL: all of it */
} virtNetdevRow;

/* As they stand in the document. */
extern const virtNetdevRow virtNetdevRows[VIRT_NETDEV_ATTR_LAST];

const virtNetdevRow *virtNetdevRowFind(virtNetdevAttr attr);

/* The XML attributes of <netdev> itself, as a list for virtXmlRule; an <interface type='hostdev'> has them too. */
#define VIRT_NETDEV_FLAGS "trustGuestRxFilters spoofCheck"
