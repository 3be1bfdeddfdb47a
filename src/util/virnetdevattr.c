/* virnetdevattr.c: the table of the settings of a netdev: how each is compared and shown
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A new setting is a member of virtNetdev, a virtNetdevAttr and a row here, and one in virnetlinkattr.c.
 */
#include "util/virnetdev.h"

#include <linux/if_ether.h>
#include <stddef.h>
#include <string.h>

static char *
formatYesNo(guint8 value)
{
    return g_strdup(value ? "yes" : "no");
}

/* --- MAC --- */

static char *
macFormat(gconstpointer opaque)
{
    const virtNetdev *netdev = opaque;
    char text[18];

    if (virtMacIsZero(netdev->mac))
        return g_strdup("none");
    virtMacFormat(netdev->mac, text);
    return g_strdup(text);
}

/* --- VLAN --- */

/* Id 0 with a priority is a setting of its own (frames are tagged for their priority only); the protocol
 * matters only where there is a VLAN. 0 stands for 802.1Q. */
static bool
vlanEqual(gconstpointer one, gconstpointer other)
{
    const virtNetdev *a = one, *b = other;

    if (a->vlan.id != b->vlan.id || a->vlan.priority != b->vlan.priority)
        return false;
    return a->vlan.id == 0 || (a->vlan.protocol == ETH_P_8021AD) == (b->vlan.protocol == ETH_P_8021AD);
}

static char *
vlanFormat(gconstpointer opaque)
{
    const virtNetdev *netdev = opaque;
    bool ad = netdev->vlan.id != 0 && netdev->vlan.protocol == ETH_P_8021AD;
    guint id = netdev->vlan.id, priority = netdev->vlan.priority;

    if (id == 0 && priority == 0)
        return g_strdup("none");
    if (ad && priority)
        return g_strdup_printf("%u (priority %u, 802.1ad)", id, priority);
    if (ad)
        return g_strdup_printf("%u (802.1ad)", id);
    if (priority)
        return g_strdup_printf("%u (priority %u)", id, priority);
    return g_strdup_printf("%u", id);
}

/* --- Bandwidth --- */

/* Compared as the kernel counts: 100 and 101 KiB/s are both 1 Mb/s. */
static bool
bandwidthEqual(gconstpointer one, gconstpointer other)
{
    const virtNetdev *a = one, *b = other;
    guint32 aMax, aMin, bMax, bMin;

    virtNetdevGetRate(a, &aMax, &aMin);
    virtNetdevGetRate(b, &bMax, &bMin);
    return aMax == bMax && aMin == bMin;
}

static char *
bandwidthFormat(gconstpointer opaque)
{
    const virtNetdev *netdev = opaque;
    guint32 max, min;

    virtNetdevGetRate(netdev, &max, &min);
    if (max && min)
        return g_strdup_printf("%u Mb/s at most, %u Mb/s at least", max, min);
    if (max)
        return g_strdup_printf("%u Mb/s at most", max);
    if (min)
        return g_strdup_printf("%u Mb/s at least", min);
    return g_strdup("none");
}

/* --- Spoof check, link state, trust --- */

static char *
spoofcheckFormat(gconstpointer opaque)
{
    const virtNetdev *netdev = opaque;

    return formatYesNo(netdev->spoofcheck);
}

static char *
linkFormat(gconstpointer opaque)
{
    const virtNetdev *netdev = opaque;
    static const char *const names[] = {"auto", "up", "down"};

    if (netdev->link >= G_N_ELEMENTS(names))
        return g_strdup("unknown");
    return g_strdup(names[netdev->link]);
}

static char *
trustFormat(gconstpointer opaque)
{
    const virtNetdev *netdev = opaque;

    return formatYesNo(netdev->trust);
}

/* --- InfiniBand GUIDs; host order in memory and in the message --- */

static char *
describeGuid(guint64 guid)
{
    GString *text = g_string_new(NULL);

    for (int shift = 56; shift > 0; shift -= 8)
        g_string_append_printf(text, "%02x:", (guint)(guid >> shift & 0xff));
    g_string_append_printf(text, "%02x", (guint)(guid & 0xff));
    return g_string_free(text, FALSE);
}

static char *
nodeGuidFormat(gconstpointer opaque)
{
    const virtNetdev *netdev = opaque;

    return describeGuid(netdev->nodeGuid);
}

static char *
portGuidFormat(gconstpointer opaque)
{
    const virtNetdev *netdev = opaque;

    return describeGuid(netdev->portGuid);
}

/* --- Virtualport: has a nest of its own, IFLA_VF_PORTS; written and read in virnetdevvportprofile.c --- */

static char *
virtualportFormat(gconstpointer opaque)
{
    const virtNetdev *netdev = opaque;

    if (!*netdev->profileid)
        return g_strdup("none");
    return g_strdup(netdev->profileid);
}

static bool
virtualportEqual(gconstpointer one, gconstpointer other)
{
    const virtNetdev *a = one, *b = other;

    return strncmp(a->profileid, b->profileid, VIRT_NETDEV_PROFILE_LEN) == 0;
}

static bool
vlanIsNone(gconstpointer netdev)
{
    return virtNetdevIsUntagged(netdev);
}

#define MEMBER(name) offsetof(virtNetdev, name), sizeof(((virtNetdev *)NULL)->name)

/* Why a guest that runs would not see the change. */
#define FIXED_MAC "the guest's driver took its address when it probed"
#define FIXED_GUID "the guest's driver took its GUID when it probed"
#define FIXED_PROFILE "the switch has admitted the VF with its profile"

const virtSettingAttr virtNetdevAttrs[VIRT_NETDEV_ATTR_LAST] = {
    [VIRT_NETDEV_MAC] = {"mac", "MAC address", "Bring the PF up, or use another unicast address", FIXED_MAC,
                         MEMBER(mac), NULL, macFormat, NULL},
    [VIRT_NETDEV_VLAN] = {"vlan", "VLAN", "Drop <vlan>, or ask the card's documentation what its VFs can do", NULL,
                          MEMBER(vlan), vlanEqual, vlanFormat, vlanIsNone},
    [VIRT_NETDEV_BANDWIDTH] = {"bandwidth", "rate",
                               "Bring the PF up, keep below its link speed, drop floor, or drop <bandwidth>", NULL,
                               MEMBER(bandwidth), bandwidthEqual, bandwidthFormat, NULL},
    [VIRT_NETDEV_SPOOFCHECK] = {"spoofcheck", "spoof check", "The driver might not support it: drop spoofCheck", NULL,
                                MEMBER(spoofcheck), NULL, spoofcheckFormat, NULL},
    [VIRT_NETDEV_LINK] = {"link", "link state", "The driver might not support it: drop <link>", NULL, MEMBER(link),
                          NULL, linkFormat, NULL},
    [VIRT_NETDEV_TRUST] = {"trust", "trust", "The driver might not support it: drop trustGuestRxFilters", NULL,
                           MEMBER(trust), NULL, trustFormat, NULL},
    [VIRT_NETDEV_NODE_GUID] = {"nodeGuid", "node GUID", "Only InfiniBand VFs have GUIDs: drop <guid>", FIXED_GUID,
                               MEMBER(nodeGuid), NULL, nodeGuidFormat, NULL},
    [VIRT_NETDEV_PORT_GUID] = {"portGuid", "port GUID", "Only InfiniBand VFs have GUIDs: drop <guid>", FIXED_GUID,
                               MEMBER(portGuid), NULL, portGuidFormat, NULL},
    [VIRT_NETDEV_VIRTUALPORT] = {"virtualport", "port profile",
                                 "Check the profile's name on the switch, or drop <virtualport>", FIXED_PROFILE,
                                 MEMBER(profileid), virtualportEqual, virtualportFormat, NULL},
};

const virtSettingInfo virtNetdevInfo = {"netdev", sizeof(virtNetdev), virtNetdevAttrs, VIRT_NETDEV_ATTR_LAST};
