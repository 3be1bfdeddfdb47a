/* virpciaddress.c: PCI addresses
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "util/virerror.h"
#include "util/virpcipriv.h"

#include <string.h>

/* Negative: @c is no hexadecimal digit. Every look at a device begins with its name, and so this calls nothing. */
static int
hexValue(char c)
{
    char lower = (char)(c | 0x20);

    if (c >= '0' && c <= '9')
        return c - '0';
    if (lower >= 'a' && lower <= 'f')
        return lower - 'a' + 10;
    return -1;
}

/* Move *text over @min..@max hexadecimal digits. */
static bool
takeHex(const char **text, guint min, guint max, guint *ret)
{
    guint value = 0, n = 0;

    for (; n < max; n++) {
        int digit = hexValue((*text)[n]);

        if (digit < 0)
            break;
        value = value << 4 | (guint)digit;
    }
    if (n < min)
        return false;
    *text += n;
    *ret = value;
    return true;
}

/* A PCI address as sysfs and lspci print it: "0000:06:02.0", or "06:02.0" in domain 0. Fixed numbers of
 * hexadecimal digits (a domain has 4 to 8), nothing before or after.
 *
 * Errors: VIRT_ERROR_INVALID.
 */
bool
virtPCIAddressParse(const char *text, virtPCIAddress *ret, GError **error)
{
    virtPCIAddress address = {0};
    const char *p = text;
    const char *colon = strchr(text, ':');
    bool ok = !colon || !strchr(colon + 1, ':') || (takeHex(&p, 4, 8, &address.domain) && takeChar(&p, ':'));

    ok = ok && takeHex(&p, 2, 2, &address.bus) && takeChar(&p, ':') && takeHex(&p, 2, 2, &address.slot) &&
         takeChar(&p, '.') && takeHex(&p, 1, 1, &address.function) && *p == '\0';
    if (!ok || address.slot > 0x1f || address.function > 7) {
        g_autofree char *shown = g_strescape(text, NULL);

        g_set_error(
            error, VIRT_ERROR, VIRT_ERROR_INVALID,
            "\"%.40s\" is not a PCI address. Write domain:bus:slot.function in hexadecimal as lspci -D does, such as 0000:06:02.0; slot is at most 1f, function at most 7",
            shown);
        return false;
    }
    *ret = address;
    return true;
}

/* As the kernel names the device: four digits of domain or as many as it takes. */
void
virtPCIAddressFormat(const virtPCIAddress *address, char ret[VIRT_PCI_ADDRESS_LEN])
{
    static const char hex[] = "0123456789abcdef"; /* not printf: every look at a VF begins with its name */
    guint digits = 4;                             /* or as many as it takes */
    char *p = ret;

    while (digits < 8 && address->domain >> digits * 4)
        digits++;
    for (guint i = digits; i-- > 0;)
        *p++ = hex[address->domain >> i * 4 & 0xf];
    *p++ = ':';
    *p++ = hex[address->bus >> 4 & 0xf];
    *p++ = hex[address->bus & 0xf];
    *p++ = ':';
    *p++ = hex[address->slot >> 4 & 0xf];
    *p++ = hex[address->slot & 0xf];
    *p++ = '.';
    *p++ = hex[address->function & 0xf];
    *p = '\0';
}

/* Bus, slot and function in one number, which SR-IOV calls a routing ID and counts VFs in. */
guint
virtPCIRoutingID(const virtPCIAddress *address)
{
    return address->bus << 8 | address->slot << 3 | address->function;
}

/* Order by domain, bus, slot, function: < 0, 0, > 0. */
int
virtPCIAddressCompare(const virtPCIAddress *a, const virtPCIAddress *b)
{
    guint left, right;

    if (a->domain != b->domain)
        return (a->domain > b->domain) - (a->domain < b->domain);
    left = virtPCIRoutingID(a);
    right = virtPCIRoutingID(b);
    return (left > right) - (left < right);
}
