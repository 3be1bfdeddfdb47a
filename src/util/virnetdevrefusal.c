/* virnetdevrefusal.c: a refused setting of a VF, in a sentence
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "util/virnetdevhostdevpriv.h"

#include <string.h>

/* "VLAN 42 on port 1 (VF 3 of enp65s0f0, 0000:41:00.2)" */
static char *
describe(const virtVF *vf, const virtPort *port, const virtNetdev *netdev, virtNetdevAttr attr)
{
    g_autofree char *value = virtNetdevAttrs[attr].format(netdev);
    return g_strdup_printf("%s %s on port %u (VF %u of %s, %s)", virtNetdevAttrs[attr].title, value, port->port,
                           vf->index, port->ifname, vf->name);
}

/* " Do this.", or "" where nothing better is known than the @usual. */
static char *
advise(const virtPort *port, virtNetdevAttr attr, int rc, const char *usual)
{
    if (virtNetDevQuirkPatience(rc, VIRT_NETDEV_BIT(attr)) > 0)
        return g_strdup(" The device is busy, perhaps being reset: try again.");
    if (!port->up)
        return g_strdup_printf(" PF netdev %s is down: bring it up with 'ip link set dev %s up'.", port->ifname,
                               port->ifname);
    return *usual ? g_strdup_printf(" %s", usual) : g_strdup("");
}

/* A refusal in a sentence: what, where, why, what to do.
 *
 * @verb: "set", "restore"
 * @rc: -errno as the kernel gave it
 * @reason: the kernel's own words, or NULL
 * @usual: what to do where nothing better is known, or ""
 */
char *
virtNetDevFormatRefusal(const char *verb, const virtVF *vf, const virtPort *port, const virtNetdev *netdev,
                        virtNetdevAttr attr, int rc, const char *reason, const char *usual)
{
    g_autofree char *what = describe(vf, port, netdev, attr);
    g_autofree char *advice = advise(port, attr, rc, usual);
    if (reason)
        return g_strdup_printf("Cannot %s %s: %s (%s).%s", verb, what, g_strerror(-rc), reason, advice);
    return g_strdup_printf("Cannot %s %s: %s.%s", verb, what, g_strerror(-rc), advice);
}

/* An acknowledged write that is not there, in a sentence.
 *
 * @verb, @usual: as above
 * @reading: what the port shows instead
 */
char *
virtNetDevFormatIgnored(const char *verb, const virtVF *vf, const virtPort *port, const virtNetdev *netdev,
                        virtNetdevAttr attr, const virtNetDevReading *reading, const char *usual)
{
    virtNetdev shown = reading->netdev;
    memcpy(shown.mac, reading->shownMac, sizeof(shown.mac));
    g_autofree char *what = describe(vf, port, netdev, attr);
    g_autofree char *value = virtNetdevAttrs[attr].format(&shown);
    g_autofree char *advice = advise(port, attr, 0, usual);
    return g_strdup_printf("Cannot %s %s: the driver acknowledged it, but %s is what it has now.%s", verb, what, value,
                           advice);
}
