/* virpciaddress.h: PCI addresses
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef struct {
    guint domain;   /* 0..0xffffffff (VMD and Hyper-V go past 0xffff) */
    guint bus;      /* 0..0xff */
    guint slot;     /* 0..0x1f */
    guint function; /* 0..7 */
} virtPCIAddress;

#define VIRT_PCI_ADDRESS_LEN 20 /* "ffffffff:ff:1f.7" and its NUL */

bool virtPCIAddressParse(const char *text, virtPCIAddress *ret, GError **error);
void virtPCIAddressFormat(const virtPCIAddress *address, char ret[VIRT_PCI_ADDRESS_LEN]);
int virtPCIAddressCompare(const virtPCIAddress *a, const virtPCIAddress *b);
