/* virnetlinkvf.c: read a netdev of a PF, and read and write VFs through it
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Reading. The kernel lists all VFs of a netdev in IFLA_VFINFO_LIST, and nothing less can be asked for. The list leaves
 * out a VF whose driver call failed, and is cut without a word where 16 bits of length run over; so a VF is found by
 * the index inside its attributes, never by position, and one that is not there is an error, not a guess. While a
 * virtHostReads is open, a list serves for all VFs until something is written; and the reply that has it also tells
 * what the netdev is itself, for whoever looks up the PF's ports first.
 *
 * Writing. One RTM_SETLINK carries all attributes of the VF: one turn under RTNL. do_setvfinfo() applies them in
 * its own order and stops at the first error; what came before stays. It ignores a port GUID beside a node GUID,
 * and port profiles have a nest of their own: each of those takes a message more. Several VFs of a netdev fit into one
 * message too, and the first error ends all of it.
 */
#include "util/virnetlink.h"
#include "util/virerror.h"
#include "util/virnetdevquirk.h"
#include "util/virnetdevvportprofile.h"

#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <string.h>

/* Between two tries, in milliseconds; how long in all, virtNetdevQuirkPatience() knows. */
#define RETRY_FIRST 10    /* doubled up to */
#define RETRY_LONGEST 640 /* short beside the time for which drivers are known to be busy */
/* Under one lock, however many are busy: others wait for that lock twice as long at most (virstatelock.c). */
#define RETRY_TOTAL 15000

/* VFs in one request. It holds RTNL until the last of them is done, and every other change of the host's network waits:
 * with the two seconds that ice takes for a VF, 16 take half of the minute that virtNetlinkRequest() waits for an
 * answer. From here on a longer request would save next to nothing; and these fit into a page. */
#define CHUNK 16

typedef struct {
    guint vf;
    struct nlattr *info; /* its IFLA_VF_INFO */
} Entry;

/* A netdev as one RTM_GETLINK found it. */
typedef struct {
    int rc;       /* -errno: it was refused, and there is nothing else below .. */
    char *reason; /* .. but the kernel's own words, or NULL */
    struct nl_msg *reply;
    guint total;          /* how many VFs it says it has */
    bool silent;          /* it has VFs and no list: its driver cannot be asked (quirk "no-reading") */
    GArray *entries;      /* Entry: those it shows */
    struct nlattr *ports; /* its IFLA_VF_PORTS, or NULL */
} Link;

static void
linkFree(gpointer data)
{
    Link *link = data;

    nlmsg_free(link->reply);
    g_clear_pointer(&link->entries, g_array_unref);
    g_free(link->reason);
    g_free(link);
}

static void
addEntry(GArray *entries, struct nlattr *info)
{
    /* Every attribute of a VF begins with its index; the kernel always gives the MAC, and first. */
    struct nlattr *mac = nla_find(nla_data(info), nla_len(info), IFLA_VF_MAC);
    Entry entry = {.info = info};
    guint32 index;

    if (!mac || nla_len(mac) < (int)sizeof(struct ifla_vf_mac))
        return;
    memcpy(&index, nla_data(mac), sizeof(index));
    entry.vf = index;
    g_array_append_val(entries, entry);
}

static void
findVFs(Link *link)
{
    struct nl_msg *reply = link->reply;
    struct nlattr *total = virtNetlinkFind(reply, IFLA_NUM_VF);
    struct nlattr *list = virtNetlinkFind(reply, IFLA_VFINFO_LIST);
    struct nlattr *info;
    int rest;

    if (total && nla_len(total) >= (int)sizeof(guint32))
        link->total = nla_get_u32(total);
    link->silent = link->total > 0 && !list;
    link->ports = virtNetlinkFind(reply, IFLA_VF_PORTS);
    link->entries = g_array_new(FALSE, FALSE, sizeof(Entry));
    if (list) {
        nla_for_each_nested (info, list, rest) {
            if (nla_type(info) == IFLA_VF_INFO)
                addEntry(link->entries, info);
        }
    }
}

/* The IFLA_VF_INFO of @vf, or NULL. Where none before it is left out, a VF's place is its index: look there first. */
static struct nlattr *
findInfo(const Link *link, guint vf)
{
    const Entry *entries = (const Entry *)(const void *)link->entries->data;

    if (vf < link->entries->len && entries[vf].vf == vf)
        return entries[vf].info;
    for (guint i = 0; i < link->entries->len; i++) {
        if (entries[i].vf == vf)
            return entries[i].info;
    }
    return NULL;
}

static void
setMissing(const virtPort *port, guint vf, guint listed, guint total, GError **error)
{
    if (total == 0) {
        g_set_error(
            error, VIRT_ERROR, VIRT_ERROR_REFUSED,
            "VF %u is not in the kernel's list of %s, which has no VFs: it is not a PF's netdev, or its sriov_numvfs is 0",
            vf, port->ifname);
    } else if (vf >= total) {
        g_set_error(
            error, VIRT_ERROR, VIRT_ERROR_REFUSED,
            "VF %u is not in the kernel's list of %s, which has VFs 0 to %u. Write its sriov_numvfs to create more", vf,
            port->ifname, total - 1);
    } else {
        g_set_error(
            error, VIRT_ERROR, VIRT_ERROR_REFUSED,
            "VF %u is not in the kernel's list of %s, which shows %u of %u VFs: its driver left it out (is the VF being reset?), or the list is too long for the kernel. Try again, or create fewer VFs",
            vf, port->ifname, listed, total);
    }
}

static bool
parseVF(const Link *link, const virtPort *port, guint vf, virtNetdev *ret, GError **error)
{
    struct nlattr *tb[IFLA_VF_MAX + 1] = {0};
    struct nlattr *info = findInfo(link, vf);
    virtNetdev netdev = {.port = port->port};
    bool silent = link->silent && vf < link->total;

    if (!silent && (!info || nla_parse_nested(tb, IFLA_VF_MAX, info, NULL) < 0)) {
        setMissing(port, vf, link->entries->len, link->total, error);
        return false;
    }
    for (virtNetdevAttr attr = 0; attr < VIRT_NETDEV_ATTR_LAST; attr++) {
        if (virtNetlinkAttrs[attr].get)
            virtNetlinkAttrs[attr].get(tb, &netdev);
    }
    if (link->ports)
        virtNetdevVPortProfileGet(link->ports, vf, &netdev);
    *ret = netdev;
    return true;
}

/* ---- reading ---- */

/* Ask the kernel. Never NULL: a refusal is an answer as well. */
static Link *
askLink(virtHost *host, guint ifindex, virtNetlinkScope scope)
{
    Link *link = g_new0(Link, 1);

    link->rc = virtNetlinkGetLink(host, ifindex, scope, &link->reply, &link->reason);
    if (link->rc == 0)
        findVFs(link);
    return link;
}

/* The netdev with its VFs, from what was kept where a virtHostReads is open; the caller gives it to putLink(). */
static Link *
getLink(virtHost *host, guint ifindex, virtNetlinkScope scope)
{
    gpointer key = GUINT_TO_POINTER(ifindex);
    Link *link = NULL;

    if (host->links)
        link = g_hash_table_lookup(host->links, key);
    if (link)
        return link;
    link = askLink(host, ifindex, scope);
    if (host->reads == 0)
        return link;
    if (!host->links)
        host->links = g_hash_table_new_full(NULL, NULL, NULL, linkFree);
    g_hash_table_insert(host->links, key, link);
    return link;
}

static void
putLink(virtHost *host, Link *link)
{
    if (host->reads == 0)
        linkFree(link);
}

/* Has the netdev that had the name @old the name @new by now? */
static bool
isRenamed(virtHost *host, guint ifindex, const char *old, const char *new)
{
    g_autofree char *there = virtHostRead(host, NULL, "sys/class/net/%s/ifindex", old);
    guint64 found;

    return !there && virtHostReadUInt(host, G_MAXINT, &found, NULL, "sys/class/net/%s/ifindex", new) &&
           found == ifindex;
}

/* An ifindex counts in one network namespace, and sysfs shows the one in which it was mounted. Where that is not this
 * process's, the kernel's answer is about some other netdev. One that was renamed since has its new name in sysfs too.
 */
static bool
isSame(virtHost *host, struct nl_msg *reply, guint ifindex, const char *ifname)
{
    virtNetlinkFacts facts;

    if (virtNetlinkIsNamed(reply, ifname))
        return true;
    return virtNetlinkParseFacts(nlmsg_hdr(reply), &facts) && isRenamed(host, ifindex, ifname, facts.ifname);
}

/* What the kernel says of a netdev itself. While a virtHostReads is open, VFs are going to be read: they are asked for
 * in the same request, and kept.
 *
 * @ifname: its name in sysfs
 *
 * Returns false where the kernel does not answer, or about another netdev: virtNetlinkGetVF() then says why.
 */
bool
virtNetlinkGetFacts(virtHost *host, guint ifindex, const char *ifname, virtNetlinkFacts *ret)
{
    virtNetlinkScope scope = VIRT_NETLINK_LINK;
    Link *link;
    bool ok;

    if (host->reads > 0)
        scope = VIRT_NETLINK_VFS;
    link = getLink(host, ifindex, scope);
    ok = link->rc == 0 && isSame(host, link->reply, ifindex, ifname) &&
         virtNetlinkParseFacts(nlmsg_hdr(link->reply), ret);
    putLink(host, link);
    return ok;
}

/* Why VFs cannot be read from @link. */
static bool
checkLink(virtHost *host, const Link *link, const virtPort *port, guint vf, GError **error)
{
    virtNetlinkFacts facts = {.ifname = "none"};

    if (link->rc < 0 && link->reason) {
        g_set_error(error, VIRT_ERROR, VIRT_ERROR_HOST, "Cannot read VF %u of %s: %s (%s)", vf, port->ifname,
                    g_strerror(-link->rc), link->reason);
        return false;
    }
    if (link->rc < 0) {
        g_set_error(error, VIRT_ERROR, VIRT_ERROR_HOST, "Cannot read VF %u of %s: %s", vf, port->ifname,
                    g_strerror(-link->rc));
        return false;
    }
    if (isSame(host, link->reply, port->ifindex, port->ifname))
        return true;
    virtNetlinkParseFacts(nlmsg_hdr(link->reply), &facts);
    g_set_error(
        error, VIRT_ERROR, VIRT_ERROR_NOT_FOUND,
        "Cannot use %s: netdev %u has that name in sysfs, and the name %s in this network namespace. sysfs shows another network namespace. Run this where sysfs and network belong together: ip netns exec mounts a sysfs of its own, nsenter --net does not",
        port->ifname, port->ifindex, facts.ifname);
    return false;
}

/* Read what the kernel knows of VF @vf at one port of its PF. While a virtHostReads is open, from a list that may have
 * been read for another VF, but not before the last write.
 *
 * @ret: overwritten whole: port, what the driver reports, and a bit in `present` for each of that; a driver that has no
 *       way to be asked reports nothing, or a port profile
 *
 * Errors: VIRT_ERROR_HOST when the kernel does not answer; VIRT_ERROR_REFUSED when the VF is not in its list;
 * VIRT_ERROR_NOT_FOUND when the ifindex of @port is another netdev's, to which nothing may be written.
 */
bool
virtNetlinkGetVF(virtHost *host, const virtPort *port, guint vf, virtNetdev *ret, GError **error)
{
    Link *link = getLink(host, port->ifindex, VIRT_NETLINK_VFS);
    bool usable = checkLink(host, link, port, vf, error);
    bool ok = usable && parseVF(link, port, vf, ret, error);

    putLink(host, link);
    if (!usable && host->links) /* ask again next time */
        g_hash_table_remove(host->links, GUINT_TO_POINTER(port->ifindex));
    return ok;
}

/* ---- statistics ---- */

static const int counterTypes[VIRT_NETDEV_COUNTER_LAST] = {
    [VIRT_NETDEV_RX_BYTES] = IFLA_VF_STATS_RX_BYTES,      [VIRT_NETDEV_RX_PACKETS] = IFLA_VF_STATS_RX_PACKETS,
    [VIRT_NETDEV_TX_BYTES] = IFLA_VF_STATS_TX_BYTES,      [VIRT_NETDEV_TX_PACKETS] = IFLA_VF_STATS_TX_PACKETS,
    [VIRT_NETDEV_RX_BROADCAST] = IFLA_VF_STATS_BROADCAST, [VIRT_NETDEV_RX_MULTICAST] = IFLA_VF_STATS_MULTICAST,
    [VIRT_NETDEV_RX_DROPPED] = IFLA_VF_STATS_RX_DROPPED,  [VIRT_NETDEV_TX_DROPPED] = IFLA_VF_STATS_TX_DROPPED,
};

/* 0 where the driver does not count it. */
static guint64
statOf(struct nlattr **tb, int type)
{
    if (!tb[type] || nla_len(tb[type]) < (int)sizeof(guint64))
        return 0;
    return nla_get_u64(tb[type]);
}

/* False where the VF whose @info this is has no statistics. */
static bool
readStats(struct nlattr *info, virtNetdevStats *ret)
{
    struct nlattr *stats = nla_find(nla_data(info), nla_len(info), IFLA_VF_STATS);
    struct nlattr *tb[IFLA_VF_STATS_MAX + 1] = {0};

    if (!stats || nla_parse_nested(tb, IFLA_VF_STATS_MAX, stats, NULL) < 0)
        return false;
    for (virtNetdevCounter i = 0; i < VIRT_NETDEV_COUNTER_LAST; i++)
        ret->of[i] = statOf(tb, counterTypes[i]);
    return true;
}

static bool
parseStats(const Link *link, const virtPort *port, guint vf, virtNetdevStats *ret, GError **error)
{
    struct nlattr *info = findInfo(link, vf);

    if (!info) {
        setMissing(port, vf, link->entries->len, link->total, error);
        return false;
    }
    if (readStats(info, ret))
        return true;
    g_set_error(error, VIRT_ERROR, VIRT_ERROR_REFUSED, "The kernel has no statistics for VF %u of %s", vf,
                port->ifname);
    return false;
}

/* Read what VF @vf has received and sent at one port of its PF, as the PF's driver counts it.
 *
 * Errors: VIRT_ERROR_HOST when the kernel does not answer; VIRT_ERROR_REFUSED when the VF or its statistics are not in
 * its list, from which those behind some 220 VFs are cut.
 */
bool
virtNetlinkGetVFStats(virtHost *host, const virtPort *port, guint vf, virtNetdevStats *ret, GError **error)
{
    Link *link = askLink(host, port->ifindex, VIRT_NETLINK_STATS);
    bool ok = checkLink(host, link, port, vf, error) && parseStats(link, port, vf, ret, error);

    linkFree(link);
    return ok;
}

/* A bit for each counter that is not 0. */
static guint
countedBits(const virtNetdevStats *stats)
{
    guint bits = 0;

    for (virtNetdevCounter i = 0; i < VIRT_NETDEV_COUNTER_LAST; i++) {
        if (stats->of[i] > 0)
            bits |= 1u << i;
    }
    return bits;
}

/* rtnl_fill_vfinfo() of the kernel zeroes all counters before it asks the driver, and hears no "no": from a driver that
 * has no ndo_get_vf_stats(), that does not count this or that, or whose call fails for this VF. So a 0 is believed
 * where something else of the VF was counted, and the same counter of some VF of the port.
 */
static void
setKnown(GArray *list)
{
    guint kept = 0;

    for (guint i = 0; i < list->len; i++)
        kept |= countedBits(&g_array_index(list, virtNetlinkCounts, i).stats);
    for (guint i = 0; i < list->len; i++) {
        virtNetlinkCounts *counts = &g_array_index(list, virtNetlinkCounts, i);

        if (countedBits(&counts->stats) != 0)
            counts->known = kept;
    }
}

/* Read what the VFs of a port have received and sent, as the PF's driver counts it, with one request.
 *
 * Returns (transfer full): virtNetlinkCounts, a VF each; those that are not in the kernel's list, from which it cuts
 * those behind some 220, are missing. NULL where the kernel does not answer, or about another netdev.
 */
GArray *
virtNetlinkListStats(virtHost *host, const virtPort *port)
{
    Link *link = askLink(host, port->ifindex, VIRT_NETLINK_STATS);
    GArray *list = NULL;

    if (link->rc == 0 && isSame(host, link->reply, port->ifindex, port->ifname)) {
        list = g_array_new(FALSE, FALSE, sizeof(virtNetlinkCounts));
        for (guint i = 0; i < link->entries->len; i++) {
            const Entry *entry = &g_array_index(link->entries, Entry, i);
            virtNetlinkCounts counts = {.vf = entry->vf};

            if (readStats(entry->info, &counts.stats))
                g_array_append_val(list, counts);
        }
        setKnown(list);
    }
    linkFree(link);
    return list;
}

static bool
putInfo(struct nl_msg *msg, guint vf, const virtNetdev *netdev, guint attrs)
{
    struct nlattr *info = nla_nest_start(msg, IFLA_VF_INFO);

    if (!info)
        return false;
    for (virtNetdevAttr attr = 0; attr < VIRT_NETDEV_ATTR_LAST; attr++) {
        const virtNetlinkAttr *row = &virtNetlinkAttrs[attr];

        if (attrs & VIRT_NETDEV_BIT(attr) && !(row->put && row->put(msg, vf, netdev)))
            return false;
    }
    return nla_nest_end(msg, info) == 0;
}

/* A request with these changes, all of one port. NULL when memory is short. */
static struct nl_msg *
newRequest(const virtNetlinkChange *changes, guint n)
{
    struct nl_msg *msg = virtNetlinkNewMessage(RTM_SETLINK, changes->port->ifindex);
    struct nlattr *list = NULL;
    bool ok;

    if (msg)
        list = nla_nest_start(msg, IFLA_VFINFO_LIST);
    ok = list != NULL;
    for (guint i = 0; ok && i < n; i++)
        ok = !changes[i].attrs || putInfo(msg, changes[i].vf->index, changes[i].netdev, changes[i].attrs);
    if (ok && nla_nest_end(msg, list) == 0)
        return msg;
    nlmsg_free(msg);
    return NULL;
}

/* Something is being changed, in whichever way: what was read until now is no longer what is there. */
void
virtNetlinkForgetLinks(virtHost *host)
{
    g_clear_pointer(&host->links, g_hash_table_unref);
}

static int
requestChange(virtHost *host, void *msg, char **ret_reason)
{
    virtNetlinkForgetLinks(host);
    return host->request(host, msg, NULL, ret_reason);
}

/* Try @func until the device is no longer busy with one of @attrs, or our patience with it, or with all, is at its end.
 *
 * @ret_reason: where the last try failed, the kernel's own words or NULL; caller frees
 *
 * Returns what the last try has: 0 or -errno.
 */
int
virtNetlinkTryPatiently(virtHost *host, virtNetlinkTryFunc func, void *opaque, guint attrs, char **ret_reason)
{
    guint slept = 0;

    for (guint delay = RETRY_FIRST;; delay = MIN(delay * 2, RETRY_LONGEST)) {
        g_autofree char *reason = NULL;
        int rc = func(host, opaque, &reason);

        if (slept + delay > virtNetdevQuirkPatience(rc, attrs) || host->slept + delay > RETRY_TOTAL) {
            if (rc < 0)
                *ret_reason = g_steal_pointer(&reason);
            return rc;
        }
        host->sleep(delay * 1000);
        host->counts[VIRT_COUNT_RETRIES]++;
        host->slept += delay;
        slept += delay;
    }
}

/* An RTM_SETLINK with a port profile, which the switch then answers. */
static int
setProfile(virtHost *host, const virtPort *port, const virtVF *vf, const virtNetdev *netdev, char **ret_reason)
{
    struct nl_msg *msg = virtNetlinkNewMessage(RTM_SETLINK, port->ifindex);
    int rc = -EMSGSIZE;

    if (msg && virtNetdevVPortProfilePut(msg, host, vf, netdev))
        rc = virtNetlinkTryPatiently(host, requestChange, msg, VIRT_NETDEV_BIT(VIRT_NETDEV_VIRTUALPORT), ret_reason);
    nlmsg_free(msg);
    if (rc < 0)
        return rc;
    return virtNetdevVPortProfileWait(host, port, vf, netdev, ret_reason);
}

/* One RTM_SETLINK with these attributes, or with the port profile alone. */
static int
setTogether(virtHost *host, const virtPort *port, const virtVF *vf, const virtNetdev *netdev, guint attrs,
            char **ret_reason)
{
    const virtNetlinkChange change = {port, vf, netdev, attrs};
    struct nl_msg *msg;
    int rc = -EMSGSIZE;

    if (attrs == 0)
        return 0;
    if (attrs == VIRT_NETDEV_BIT(VIRT_NETDEV_VIRTUALPORT))
        return setProfile(host, port, vf, netdev, ret_reason);
    msg = newRequest(&change, 1);
    if (msg)
        rc = virtNetlinkTryPatiently(host, requestChange, msg, attrs, ret_reason);
    nlmsg_free(msg);
    return rc;
}

/* Of @attrs, those that cannot share a request with the others. */
static guint
findAlone(guint attrs)
{
    guint alone = 0;

    for (virtNetdevAttr attr = 0; attr < VIRT_NETDEV_ATTR_LAST; attr++) {
        const virtNetlinkAttr *row = &virtNetlinkAttrs[attr];

        if (!row->put || attrs & row->ignoredBeside)
            alone |= VIRT_NETDEV_BIT(attr);
    }
    return attrs & alone;
}

/* Set the attributes @attrs (VIRT_NETDEV_BITs; given or not, their values count) of a VF at one port of its PF,
 * in one request where the kernel allows it. While the device is busy it is asked again for as long as
 * virtNetdevQuirkPatience() says; a port profile is waited for up to 10 seconds.
 *
 * @ret_reason: on failure, the kernel's own words or NULL; caller frees
 *
 * Returns 0, or -errno as the kernel gave it; then attributes before the refused one are set all the same.
 */
int
virtNetlinkSetVF(virtHost *host, const virtPort *port, const virtVF *vf, const virtNetdev *netdev, guint attrs,
                 char **ret_reason)
{
    g_autofree char *reason = NULL;
    guint alone = findAlone(attrs);
    int rc = setTogether(host, port, vf, netdev, attrs & ~alone, &reason);

    for (virtNetdevAttr attr = 0; rc == 0 && attr < VIRT_NETDEV_ATTR_LAST; attr++)
        rc = setTogether(host, port, vf, netdev, alone & VIRT_NETDEV_BIT(attr), &reason);
    if (rc < 0 && ret_reason)
        *ret_reason = g_steal_pointer(&reason);
    return rc;
}

/* One request for @n changes of one port, and what takes requests of its own after it. */
static bool
setChunk(virtHost *host, const virtNetlinkChange *changes, guint n)
{
    virtNetlinkChange shared[CHUNK];
    guint together = 0;
    struct nl_msg *msg = NULL;
    bool ok = true;

    for (guint i = 0; i < n; i++) {
        shared[i] = changes[i];
        shared[i].attrs &= ~findAlone(changes[i].attrs);
        together |= shared[i].attrs;
    }
    if (together) {
        msg = newRequest(shared, n);
        ok = msg && requestChange(host, msg, NULL) == 0;
    }
    nlmsg_free(msg);
    for (guint i = 0; ok && i < n; i++) {
        ok = virtNetlinkSetVF(host, changes[i].port, changes[i].vf, changes[i].netdev, findAlone(changes[i].attrs),
                              NULL) == 0;
    }
    return ok;
}

/* Set many VFs in as few requests as is good for the host. Tried once: a device that is busy is not waited for, since
 * asking again for all of them could make it busy again.
 *
 * @changes: those of one port one after the other; some may have no attributes
 *
 * Returns whether all of it was acknowledged. If not, any part may be set: read, and go on with virtNetlinkSetVF(),
 * which says why.
 */
bool
virtNetlinkSetVFs(virtHost *host, const virtNetlinkChange *changes, guint n)
{
    for (guint i = 0, first = 0; i < n; first = i) {
        while (i < n && i - first < CHUNK && changes[i].port->ifindex == changes[first].port->ifindex)
            i++;
        if (!setChunk(host, changes + first, i - first))
            return false;
    }
    return true;
}
