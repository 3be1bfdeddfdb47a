/* hostdev_conf.c: one <hostdev> with its netdevs, without a document
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "conf/domain_locate.h"

#include <string.h>

#include "util/virerror.h"
#include "util/virvdpa.h"

void
virtHostdevFree(virtHostdev *hostdev)
{
    if (!hostdev)
        return;
    virtSettingsClear(&hostdev->settings);
    virtInterfaceFree(hostdev->interface);
    g_free(hostdev);
}

/* A copy that shares nothing with @hostdev, for virtHostdevFree(). */
virtHostdev *
virtHostdevCopy(const virtHostdev *hostdev)
{
    virtHostdev *copy = g_memdup2(hostdev, sizeof(*hostdev));

    virtSettingsCopy(&copy->settings, &hostdev->settings);
    copy->interface = virtInterfaceCopy(hostdev->interface);
    return copy;
}

/* The element that its user has written, for messages. */
const char *
virtHostdevGetElement(const virtHostdev *hostdev)
{
    const virtVdpa *vdpa = virtSettingListFind(hostdev->settings.of[VIRT_SETTING_VDPA], 0);

    if (vdpa && vdpa->made.id == VIRT_VDPA_BLOCK)
        return "<disk type='vhostvdpa'>";
    if (vdpa)
        return "<interface type='vdpa'>";
    if (hostdev->fromNetwork)
        return "<interface type='network'>";
    if (hostdev->interface)
        return "<interface type='hostdev'>";
    return "<hostdev>";
}

/* The entry of @hostdevs (virtHostdev) for @handle, owned by the list; or NULL. */
virtHostdev *
virtHostdevListFind(const GPtrArray *hostdevs, const virtHandle *handle)
{
    for (guint i = 0; i < hostdevs->len; i++) {
        virtHostdev *hostdev = hostdevs->pdata[i];

        if (virtHandleEqual(&hostdev->handle, handle))
            return hostdev;
    }
    return NULL;
}

/* What a ref says, without its document; they share the lists of settings. For virtHostdevFree(). */
virtHostdev *
virtHostdevFromRef(const virtHostdevRef *ref)
{
    virtHostdev *hostdev = g_new0(virtHostdev, 1);

    hostdev->handle = ref->handle;
    hostdev->choice = ref->choice;
    hostdev->managed = g_strcmp0(virtXmlGet(ref->node, "managed"), "yes") == 0;
    hostdev->line = ref->node->line;
    virtSettingsShare(&hostdev->settings, &ref->settings);
    hostdev->interface = virtInterfaceCopy(ref->interface);
    return hostdev;
}

/* ---- generated MAC addresses ---- */

/* Give @netdev a MAC address that is not in the set @macs (text), and add it there. Nothing happens where it has one,
 * or GUIDs: InfiniBand has those instead. */
void
virtNetdevGiveMac(virtNetdev *netdev, GHashTable *macs)
{
    char text[18];

    if (virtNetdevHas(netdev, VIRT_NETDEV_MAC) || virtNetdevHas(netdev, VIRT_NETDEV_NODE_GUID) ||
        virtNetdevHas(netdev, VIRT_NETDEV_PORT_GUID))
        return;
    do {
        virtMacGenerate(netdev->mac);
        virtMacFormat(netdev->mac, text);
    } while (!g_hash_table_add(macs, g_strdup(text)));
    netdev->present |= VIRT_NETDEV_BIT(VIRT_NETDEV_MAC);
}

/* The same, where @netdev has none, but one that belongs to @key and its port: the same each time, unless another has
 * it.
 */
void
virtNetdevDeriveMac(virtNetdev *netdev, const char *key, GHashTable *macs)
{
    char text[18];
    guint tries = 0;

    do {
        g_autofree char *whole = g_strdup_printf("%s/%u/%u", key, netdev->port, tries++);

        virtMacDerive(whole, netdev->mac);
        virtMacFormat(netdev->mac, text);
    } while (!g_hash_table_add(macs, g_strdup(text)));
    netdev->present |= VIRT_NETDEV_BIT(VIRT_NETDEV_MAC);
}

/* The same for each of @netdevs.
 *
 * @ofNetwork: they are those of an interface from a network, whose own netdev has the interface's
 */
void
virtNetdevListGiveMacs(const GPtrArray *netdevs, bool ofNetwork, GHashTable *macs)
{
    for (guint i = 0; i < netdevs->len; i++) {
        if (!ofNetwork || !virtInterfaceOwnsNetdev(netdevs->pdata[i]))
            virtNetdevGiveMac(netdevs->pdata[i], macs);
    }
}

/* Give a MAC address to each netdev that has neither that nor a GUID; it differs from the device's others. */
void
virtHostdevGenerateMacs(virtHostdev *hostdev)
{
    g_autoptr(GHashTable) macs = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    char text[18];

    for (guint i = 0; i < VIRT_NETDEVS(hostdev)->len; i++) {
        const virtNetdev *netdev = VIRT_NETDEVS(hostdev)->pdata[i];

        virtMacFormat(netdev->mac, text);
        if (virtNetdevHas(netdev, VIRT_NETDEV_MAC))
            g_hash_table_add(macs, g_strdup(text));
    }
    virtNetdevListGiveMacs(VIRT_NETDEVS(hostdev), virtHandleIsNetwork(&hostdev->handle), macs);
}
