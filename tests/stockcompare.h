/* stockcompare.h: a domain with <interface type='hostdev'> at stock libvirt alone, and at the same libvirt through us
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "embed.h"

/* What became of a document. */
typedef enum {
    VIRT_STOCK_REFUSED = 1 << 0,     /* libvirt does not take it, with its interfaces or as what we make of them */
    VIRT_STOCK_CONVERTED = 1 << 1,   /* we make a hostdev of an interface */
    VIRT_STOCK_VALID = 1 << 2,       /* it is good for libvirt's schema too */
    VIRT_STOCK_READDRESSED = 1 << 3, /* libvirt chose other guest addresses, where the document leaves that to it */
    VIRT_STOCK_REVERTED = 1 << 4,    /* revert gave back what libvirt says of the document, with nothing lost */
} virtStockFate;

char *virtStockStore(virConnectPtr conn, const char *xml, unsigned int flags);
char *virtStockCompare(virConnectPtr conn, const char *xml, guint *ret_fate);
