/* virnetdev.c: netdevs and lists of them, rates and MAC addresses
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "util/virnetdev.h"

#include <string.h>
#include <sys/random.h>

/* A netdev of port @port (1..) that gives nothing. Caller frees with g_free(). */
virtNetdev *
virtNetdevNew(guint port)
{
    return virtSettingNew(&virtNetdevInfo, port);
}

/* Caller frees with g_free(). */
virtNetdev *
virtNetdevCopy(const virtNetdev *netdev)
{
    return virtSettingCopy(&virtNetdevInfo, netdev);
}

/* Copy one attribute: its value, and whether it is given at all, and known. */
void
virtNetdevCopyAttr(virtNetdev *to, const virtNetdev *from, virtNetdevAttr attr)
{
    virtSettingCopyAttr(&virtNetdevInfo, to, from, attr);
}

/* Is the attribute given? */
bool
virtNetdevHas(const virtNetdev *netdev, virtNetdevAttr attr)
{
    return virtSettingHas(netdev, attr);
}

/* Is it given, and can it not be told whether somebody has set it? */
bool
virtNetdevIsUnknown(const virtNetdev *netdev, virtNetdevAttr attr)
{
    return virtSettingIsUnknown(netdev, attr);
}

/* Do both have the same value, whether given or not? */
bool
virtNetdevEqualAttr(const virtNetdev *a, const virtNetdev *b, virtNetdevAttr attr)
{
    return virtSettingEqualAttr(&virtNetdevInfo, a, b, attr);
}

/* The bits of what @wanted gives and @present gives otherwise or not at all: what has to be set. */
guint
virtNetdevDiff(const virtNetdev *wanted, const virtNetdev *present)
{
    return virtSettingDiff(&virtNetdevInfo, wanted, present);
}

/* 1 KiB/s is 8192 bit/s; Mb/s are 10^6 bit/s, as the kernel and ip-link(8) count them. */
static guint32
toMegabits(guint32 kibibytes)
{
    guint64 rate = ((guint64)kibibytes * 8192 + 500000) / 1000000;

    if (kibibytes > 0 && rate == 0)
        return 1;
    return (guint32)rate;
}

static guint32
toKibibytes(guint32 megabits)
{
    guint64 rate = ((guint64)megabits * 1000000 + 4096) / 8192;

    return (guint32)MIN(rate, G_MAXUINT32);
}

/* The VF's rates in Mb/s, rounded to the nearest and to 1 rather than to 0, which would mean no limit.
 *
 * @ret_max: the cap: peak, else average; 0 none
 * @ret_min: what is guaranteed: floor; 0 none
 */
void
virtNetdevGetRate(const virtNetdev *netdev, guint32 *ret_max, guint32 *ret_min)
{
    guint32 cap = netdev->bandwidth.peak;

    if (cap == 0)
        cap = netdev->bandwidth.average;
    *ret_max = toMegabits(cap);
    *ret_min = toMegabits(netdev->bandwidth.floor);
}

/* Put the VF's rates in Mb/s into a netdev's bandwidth: @max as average, @min as floor; `present` is the caller's.
 * virtNetdevGetRate() gives back exactly @max and @min up to 35184372 Mb/s, the 2^32 - 1 KiB/s that fit; what is
 * beyond becomes that.
 */
void
virtNetdevSetRate(virtNetdev *netdev, guint32 max, guint32 min)
{
    netdev->bandwidth.average = toKibibytes(max);
    netdev->bandwidth.peak = 0;
    netdev->bandwidth.floor = toKibibytes(min);
}

/* Does @netdev ask for no VLAN? Only an <interface> that names none does: a <netdev> without a VLAN leaves the VF's
 * alone. */
bool
virtNetdevIsUntagged(const virtNetdev *netdev)
{
    return virtNetdevHas(netdev, VIRT_NETDEV_VLAN) && netdev->vlan.id == 0;
}

/* Forget the wish for no VLAN, which no document has a word for. */
void
virtNetdevDropUntagged(virtNetdev *netdev)
{
    if (virtNetdevIsUntagged(netdev))
        netdev->present &= ~VIRT_NETDEV_BIT(VIRT_NETDEV_VLAN);
}

/* What a user can do where @attr of @netdev cannot be set: a sentence. */
const char *
virtNetdevGetRemedy(const virtNetdev *netdev, virtNetdevAttr attr)
{
    if (attr == VIRT_NETDEV_VLAN && virtNetdevIsUntagged(netdev))
        return "An <interface> without <vlan> takes the VF's VLAN away; a <hostdev> with <netdev> leaves it as it is";
    return virtNetdevAttrs[attr].remedy;
}

/* A list of virtNetdev that owns them; for g_ptr_array_unref(). */
GPtrArray *
virtNetdevListNew(void)
{
    return virtSettingListNew();
}

/* A list of copies. */
GPtrArray *
virtNetdevListCopy(const GPtrArray *list)
{
    return virtSettingListCopy(&virtNetdevInfo, list);
}

/* The netdev of @port, owned by the list, or NULL. Takes a NULL list. */
virtNetdev *
virtNetdevListFind(const GPtrArray *list, guint port)
{
    return virtSettingListFind(list, port);
}

/* Does @list leave its one netdev's port to the device? */
bool
virtNetdevListLeavesPort(const GPtrArray *list)
{
    return list->len == 1 && ((const virtNetdev *)list->pdata[0])->port == VIRT_NETDEV_PORT_ANY;
}

/* The netdev of @port, where the one netdev of a list may be any port: then it is the one that is meant. */
virtNetdev *
virtNetdevListMatch(const GPtrArray *list, guint port)
{
    return virtSettingListMatch(list, port);
}

/* By port. */
void
virtNetdevListSort(GPtrArray *list)
{
    virtSettingListSort(list);
}

/* The same ports, each with the same attributes. Where one list leaves its port to the device, it is the other's. */
bool
virtNetdevListEqual(const GPtrArray *a, const GPtrArray *b)
{
    return virtSettingListEqual(&virtNetdevInfo, a, b);
}

bool
virtMacIsZero(const guint8 mac[6])
{
    static const guint8 zero[6];

    return memcmp(mac, zero, sizeof(zero)) == 0;
}

/* Broadcast included: the group bit (IEEE 802, the first bit on the wire). */
bool
virtMacIsMulticast(const guint8 mac[6])
{
    return mac[0] & 1;
}

/* Six numbers of one or two hexadecimal digits with colons between, as libvirt takes them. */
bool
virtMacParse(const char *text, guint8 ret[6])
{
    guint8 mac[6];

    for (guint i = 0; i < 6; i++) {
        if (i > 0 && *text++ != ':')
            return false;
        if (!g_ascii_isxdigit(*text))
            return false;
        mac[i] = (guint8)g_ascii_xdigit_value(*text++);
        if (g_ascii_isxdigit(*text))
            mac[i] = (guint8)(mac[i] << 4 | g_ascii_xdigit_value(*text++));
    }
    if (*text)
        return false;
    memcpy(ret, mac, sizeof(mac));
    return true;
}

/* "52:54:00:01:02:03" */
void
virtMacFormat(const guint8 mac[6], char ret[18])
{
    static const char digits[] = "0123456789abcdef"; /* not printf: a record of a VF has several of these */

    for (guint i = 0; i < 6; i++) {
        ret[i * 3] = digits[mac[i] >> 4];
        ret[i * 3 + 1] = digits[mac[i] & 0xf];
        ret[i * 3 + 2] = ':';
    }
    ret[17] = '\0';
}

/* A random address under 52:54:00, the prefix libvirt gives to QEMU guests. */
void
virtMacGenerate(guint8 ret[6])
{
    guint8 mac[6] = {0x52, 0x54, 0x00};

    if (getrandom(mac + 3, 3, 0) != 3) {
        for (guint i = 3; i < 6; i++)
            mac[i] = (guint8)g_random_int_range(0, 256);
    }
    memcpy(ret, mac, sizeof(mac));
}

/* The address under the same prefix that belongs to @key: the same for the same text, on every host. */
void
virtMacDerive(const char *key, guint8 ret[6])
{
    static const guint8 prefix[3] = {0x52, 0x54, 0x00};
    g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
    guint8 digest[32];
    gsize len = sizeof(digest);

    g_checksum_update(sum, (const guchar *)key, -1);
    g_checksum_get_digest(sum, digest, &len);
    memcpy(ret, prefix, sizeof(prefix));
    memcpy(ret + sizeof(prefix), digest, 6 - sizeof(prefix));
}
