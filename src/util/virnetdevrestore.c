/* virnetdevrestore.c: restore the netdevs of one VF
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Theory of operation
 *
 * Restore must get as far as it can, for what stays behind is one guest's MAC and VLAN on the next guest's VF.
 * It works in passes: read all ports, write what differs, read again. A pass that leaves less than the one before
 * is followed by another, because one attribute can stand in the way of another (quirk "mac-behind-spoofcheck").
 * What is left when a pass gains nothing is reported, all of it.
 *
 * Of a MAC address that was `unknown` it could not be told whether an administrator had set it. As long as it is shown,
 * nobody has written another, and it is left alone. Else it is taken away: written back, one that the VF's driver had
 * made up would stay for ever, as the admin MAC of a VF whose netdev can never change it. Only where the driver takes
 * none away it is written back, for another would be there in its place.
 *
 * Some drivers cannot be given back what they had: zero is not taken as a MAC address. What is written instead
 * (quirk "zero-mac") counts as restored, and is told.
 */
#include "util/virerror.h"
#include "util/virnetdevhostdev.h"
#include "util/virnetdevhostdevpriv.h"
#include "util/virnetdevpath.h"

#include <errno.h>
#include <string.h>

typedef struct {
    const virtNetdev *was; /* what was read */
    virtNetdev before;     /* what is to be made of that: the same, with nothing unknown */
    virtNetdevTarget at;   /* its port NULL: the PF has no such port any more, or its netdev is out of reach */
    bool readable;
    virtNetdevReading now;
    guint todo;                     /* what is not yet as before */
    guint acknowledged;             /* what the kernel took in this restore: all we know of what is not reported */
    const virtNetdevQuirk *standIn; /* its MAC address stands for none here */
    guint64 foundGuid;              /* the port GUID before this restore wrote one */
    GError *problem;                /* why it cannot be read, or has no port */
    char *refusals[VIRT_NETDEV_ATTR_LAST]; /* the last sentence about each */
} PortRestore;

static void
restoreItemFree(gpointer data)
{
    PortRestore *item = data;

    g_clear_error(&item->problem);
    for (guint i = 0; i < VIRT_NETDEV_ATTR_LAST; i++)
        g_free(item->refusals[i]);
    g_free(item);
}

static GPtrArray *
newItems(virtHost *host, const virtVF *vf, const GPtrArray *before)
{
    GPtrArray *items = g_ptr_array_new_with_free_func(restoreItemFree);

    for (guint i = 0; i < before->len; i++) {
        PortRestore *item = g_new0(PortRestore, 1);

        item->was = before->pdata[i];
        item->before = *item->was;
        item->before.unknown = 0;
        if (virtNetdevIsUnknown(item->was, VIRT_NETDEV_MAC))
            memset(item->before.mac, 0, sizeof(item->before.mac));
        item->at = (virtNetdevTarget){host, vf, virtVFGetPort(vf, item->was->port, &item->problem)};
        g_ptr_array_add(items, item);
    }
    return items;
}

/* Where zero was written as the port GUID, has the subnet manager answered with one of its choice? */
static bool
isGuidChosen(PortRestore *item)
{
    if (!(item->acknowledged & VIRT_NETDEV_BIT(VIRT_NETDEV_PORT_GUID)))
        item->foundGuid = item->now.netdev.portGuid;
    return item->before.portGuid == 0 && item->now.netdev.portGuid != item->foundGuid;
}

/* Is the MAC address that is shown as good as what was there before? */
static bool
isMacDone(const PortRestore *item)
{
    const guint8 *shown = item->now.shownMac;
    bool unknown = virtNetdevIsUnknown(item->was, VIRT_NETDEV_MAC);

    if (item->standIn && memcmp(shown, item->standIn->instead.mac, sizeof(item->now.shownMac)) == 0)
        return true;
    if (unknown && memcmp(shown, item->was->mac, sizeof(item->was->mac)) == 0)
        return true; /* it was not changed */
    if (!(item->acknowledged & VIRT_NETDEV_BIT(VIRT_NETDEV_MAC)))
        return false;
    /* One that is taken away: what a VF's driver out of sight has chosen since then is its own affair. */
    if (virtMacIsZero(item->before.mac) && virtNetdevIsUnknown(&item->now.netdev, VIRT_NETDEV_MAC))
        return true;
    return memcmp(shown, item->before.mac, sizeof(item->before.mac)) == 0;
}

/* Read the port and find what is left to do. A port that cannot be read may still be written: everything then. */
static void
checkItem(PortRestore *item)
{
    if (!item->at.port)
        return;
    g_clear_error(&item->problem);
    item->readable = virtNetdevReadPort(&item->at, &item->now, &item->problem);
    item->todo = item->before.present;
    if (g_error_matches(item->problem, VIRT_ERROR, VIRT_ERROR_NOT_FOUND)) {
        item->at.port = NULL; /* the ifindex is another netdev's */
        item->todo = 0;
    }
    if (!item->readable)
        return;
    /* A port that was shown to have an attribute shows it again; one that is not shown is believed when written. */
    item->todo = virtNetdevDiff(&item->before, &item->now.netdev) & ~(item->acknowledged & ~item->now.netdev.present);
    if (isMacDone(item))
        item->todo &= ~VIRT_NETDEV_BIT(VIRT_NETDEV_MAC);
    if (isGuidChosen(item))
        item->todo &= ~VIRT_NETDEV_BIT(VIRT_NETDEV_PORT_GUID);
}

/* The driver takes no MAC address away: it has another now. */
static void
standIn(PortRestore *item, const virtNetdevQuirk *quirk)
{
    char mac[18];
    bool there = item->readable && memcmp(item->now.shownMac, quirk->instead.mac, sizeof(item->now.shownMac)) == 0;

    item->standIn = quirk;
    virtMacFormat(quirk->instead.mac, mac);
    if (!there) {
        virtHostWarn(
            item->at.host,
            "Port %u (VF %u of %s, %s) had no MAC address set and its driver refuses to take one away: it now has %s",
            item->at.port->port, item->at.vf->index, item->at.port->ifname, item->at.vf->name, mac);
    }
}

/* Take a MAC address away of which it is not known whether it was set; or write the one that was shown then. */
static int
clearUnknown(PortRestore *item, char **ret_reason)
{
    const guint mac = VIRT_NETDEV_BIT(VIRT_NETDEV_MAC);
    int rc = virtNetdevPathSet(item->at.host, item->at.port, item->at.vf, &item->before, mac, ret_reason);

    if (rc == 0 || !virtNetdevQuirkFind(VIRT_NETDEV_MAC, rc, &item->before, NULL))
        return rc;
    g_clear_pointer(ret_reason, g_free);
    memcpy(item->before.mac, item->was->mac, sizeof(item->before.mac));
    return virtNetdevPathSet(item->at.host, item->at.port, item->at.vf, &item->before, mac, ret_reason);
}

static void
restoreAttr(PortRestore *item, virtNetdevAttr attr)
{
    g_autofree char *reason = NULL;
    const virtNetdevQuirk *quirk = NULL;
    bool unknown = attr == VIRT_NETDEV_MAC && virtNetdevIsUnknown(item->was, attr) && !virtMacIsZero(item->was->mac);
    const virtNetdevReading *now = NULL;
    int rc;
    bool never;

    if (item->readable)
        now = &item->now;
    if (unknown) {
        rc = clearUnknown(item, &reason);
    } else {
        rc = virtNetdevWriteAttr(&item->at, &item->before, attr, now, &quirk, &reason);
    }
    /* What a driver neither reports nor supports was not set by anybody. */
    never = rc == -EOPNOTSUPP && item->readable && !virtNetdevHas(&item->now.netdev, attr);
    g_clear_pointer(&item->refusals[attr], g_free);
    if (quirk && attr == VIRT_NETDEV_MAC)
        standIn(item, quirk);
    if (rc == 0 || never) {
        item->acknowledged |= VIRT_NETDEV_BIT(attr);
    } else {
        item->refusals[attr] =
            virtNetdevWriteDescribeRefusal("restore", &item->at, &item->before, attr, rc, reason, "");
    }
}

/* Write what is left to do: together, and what that leaves, one by one. */
static void
restoreItem(PortRestore *item)
{
    if (!item->at.port)
        return;
    if (item->todo & (item->todo - 1)) {
        if (virtNetdevPathSet(item->at.host, item->at.port, item->at.vf, &item->before, item->todo, NULL) == 0) {
            item->acknowledged |= item->todo;
            return;
        }
        checkItem(item);
    }
    for (virtNetdevAttr attr = 0; attr < VIRT_NETDEV_ATTR_LAST; attr++) {
        if (item->todo & VIRT_NETDEV_BIT(attr))
            restoreAttr(item, attr);
    }
}

/* How much is not yet as before, all ports together; 0 is done. */
static guint
checkItems(const GPtrArray *items)
{
    guint left = 0;

    for (guint i = 0; i < items->len; i++) {
        PortRestore *item = items->pdata[i];

        checkItem(item);
        left += (guint)__builtin_popcount(item->todo);
        if (item->problem)
            left++;
    }
    return left;
}

static void
appendSentence(GString *text, const char *sentence)
{
    if (text->len > 0)
        g_string_append(text, ". ");
    g_string_append(text, sentence);
}

/* Everything about one netdev that is not as before. */
static void
appendFailures(GString *text, const PortRestore *item)
{
    if (item->problem)
        appendSentence(text, item->problem->message);
    for (virtNetdevAttr attr = 0; attr < VIRT_NETDEV_ATTR_LAST; attr++) {
        g_autofree char *ignored = NULL;

        if (!(item->todo & VIRT_NETDEV_BIT(attr)))
            continue;
        if (item->refusals[attr]) {
            appendSentence(text, item->refusals[attr]);
        } else if (item->readable) {
            ignored = virtNetdevWriteDescribeIgnored("restore", &item->at, &item->before, attr, &item->now, "");
            appendSentence(text, ignored);
        }
    }
}

/* Make the netdevs of a VF what @before says, and read back that they are. Nothing is written where all agrees.
 *
 * @before: what virtNetDevHostdevRead() returned, or a part of it. What the driver does not report is written
 *          once and believed
 *
 * Goes on past every failure. A driver that takes no MAC address away is given 02:00:00:00:00:00, which
 * virtHostWarn() tells; that is success. Errors: VIRT_ERROR_REFUSED, one message with a sentence for each setting
 * that is not as before.
 */
bool
virtNetDevHostdevRestore(virtHost *host, const virtVF *vf, const GPtrArray *before, GError **error)
{
    g_autoptr(GPtrArray) items = newItems(host, vf, before);
    guint left = checkItems(items);
    g_autoptr(GString) text = NULL;

    for (guint earlier = G_MAXUINT; left > 0 && left < earlier;) {
        earlier = left;
        for (guint i = 0; i < items->len; i++)
            restoreItem(items->pdata[i]);
        left = checkItems(items);
    }
    if (left == 0)
        return true;
    text = g_string_new(NULL);
    for (guint i = 0; i < items->len; i++)
        appendFailures(text, items->pdata[i]);
    g_set_error_literal(error, VIRT_ERROR, VIRT_ERROR_REFUSED, text->str);
    return false;
}
