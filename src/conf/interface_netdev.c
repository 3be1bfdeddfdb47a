/* interface_netdev.c: the one netdev that an <interface> speaks of, and what libvirt has no words for
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "conf/domain_locate.h"
#include "conf/netdev_attr.h"

#include <linux/if_ether.h>
#include <linux/if_link.h>

/* Read the settings of @node, an <interface> or what was kept of one; the shape has been checked. libvirt's link "up"
 * only undoes its "down": a VF's link that is forced up would be a setting of its own, so here it says nothing. Without
 * a port it means the one that the VF has.
 *
 * Returns what the caller frees with g_free(), or NULL with VIRT_ERROR_INVALID.
 */
virtNetdev *
virtInterfaceParseNetdev(const virtXmlDoc *doc, const virtXmlNode *node, GError **error)
{
    g_autofree virtNetdev *netdev = virtNetdevNew(VIRT_NETDEV_PORT_ANY);

    if (!virtNetdevParseParts(doc, node, VIRT_SETTING_PARSE_USER, netdev, error))
        return NULL;
    if (virtNetdevHas(netdev, VIRT_NETDEV_LINK) && netdev->link == IFLA_VF_LINK_STATE_ENABLE)
        netdev->present &= ~VIRT_NETDEV_BIT(VIRT_NETDEV_LINK);
    return g_steal_pointer(&netdev);
}

/* An interface that names no VLAN is untagged, as libvirt makes it: with a <netdev> that does not name one, the VF's
 * VLAN stays as it is. A port profile has its own VLAN, and InfiniBand none. */
void
virtInterfaceSetUntagged(virtNetdev *netdev)
{
    static const guint others = VIRT_NETDEV_BIT(VIRT_NETDEV_VLAN) | VIRT_NETDEV_BIT(VIRT_NETDEV_VIRTUALPORT) |
                                VIRT_NETDEV_BIT(VIRT_NETDEV_NODE_GUID) | VIRT_NETDEV_BIT(VIRT_NETDEV_PORT_GUID);
    static const virtNetdev none = {.vlan = {.protocol = ETH_P_8021Q}, .present = VIRT_NETDEV_BIT(VIRT_NETDEV_VLAN)};

    if (!(netdev->present & others))
        virtNetdevCopyAttr(netdev, &none, VIRT_NETDEV_VLAN);
}

/* ---- words that libvirt does not have ---- */

/* Does @node, an <interface>, write what the row is about, or one of the XML attributes that libvirt drops of it? */
static bool
mentions(const virtXmlNode *node, const virtNetdevRow *row)
{
    g_auto(GStrv) dropped = g_strsplit(row->stockDrops, " ", -1);

    if (row->outer)
        node = virtXmlChild(node, row->outer);
    if (row->stock == VIRT_NETDEV_STOCK_DROPS)
        return node && (row->outer || virtXmlGet(node, row->written));
    if (row->inner)
        node = virtXmlChild(node, row->inner);
    for (guint i = 0; dropped[i]; i++) {
        if (virtXmlGet(node, dropped[i]))
            return true;
    }
    return false;
}

/* Does an interface use words that are ours, which libvirt would drop without a word? */
bool
virtInterfaceMentionsUs(const virtXmlNode *node)
{
    if (virtXmlGet(node, "port") || virtSettingKindFindIn(node) || virtChoiceIsWritten(virtXmlChild(node, "source")))
        return true;
    for (guint i = 0; i < VIRT_NETDEV_ATTR_LAST; i++) {
        if (mentions(node, &virtNetdevRows[i]))
            return true;
    }
    return false;
}

/* A word once, though several rows may have it. */
static void
addWord(GPtrArray *words, char *word)
{
    if (g_ptr_array_find_with_equal_func(words, word, g_str_equal, NULL))
        g_free(word);
    else
        g_ptr_array_add(words, word);
}

static void
addWords(GPtrArray *words, const virtNetdevRow *row)
{
    g_auto(GStrv) dropped = g_strsplit(row->stockDrops, " ", -1);

    if (row->stock == VIRT_NETDEV_STOCK_DROPS && row->outer)
        addWord(words, g_strdup_printf("<%s>", row->outer));
    else if (row->stock == VIRT_NETDEV_STOCK_DROPS)
        addWord(words, g_strdup(row->written));
    for (guint i = 0; dropped[i]; i++)
        addWord(words, g_strdup(dropped[i]));
}

/* "port, <netdev>, spoofCheck": what virtInterfaceMentionsUs() looks for; for g_free(). */
char *
virtInterfaceListWords(void)
{
    g_autoptr(GPtrArray) words = g_ptr_array_new_with_free_func(g_free);

    addWord(words, g_strdup("port"));
    addWord(words, g_strdup("<netdev>"));
    for (guint i = 0; i < VIRT_NETDEV_ATTR_LAST; i++)
        addWords(words, &virtNetdevRows[i]);
    g_ptr_array_add(words, NULL);
    return g_strjoinv(", ", (char **)words->pdata);
}
