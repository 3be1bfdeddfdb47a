/* virnetlinkvf.c: read and write one VF through a netdev of its PF
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Reading. The kernel lists all VFs of a netdev in IFLA_VFINFO_LIST. The list leaves out a VF whose driver call
 * failed, and is cut without a word where 16 bits of length run over; so a VF is found by the index inside its
 * attributes, never by position, and one that is not there is an error, not a guess.
 *
 * Writing. One RTM_SETLINK carries all attributes of the VF: one turn under RTNL. do_setvfinfo() applies them in
 * its own order and stops at the first error; what came before stays. It ignores a port GUID beside a node GUID,
 * and port profiles have a nest of their own: each of those takes a message more.
 */
#include "util/virnetlink.h"
#include "util/virerror.h"
#include "util/virnetdevvportprofile.h"

#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <string.h>

/* A VF being reset answers EAGAIN (i40e, up to 300 ms) or EBUSY (ice, 800 ms for each of MAC, VLAN and trust). */
#define RETRY_FIRST 10    /* milliseconds, doubled up to */
#define RETRY_LONGEST 640 /* milliseconds, in total at most */
#define RETRY_TOTAL 3000  /* milliseconds */

#define LONE_ATTRS (VIRT_NETDEV_BIT(VIRT_NETDEV_PORT_GUID) | VIRT_NETDEV_BIT(VIRT_NETDEV_VIRTUALPORT))

/* Is this parsed IFLA_VF_INFO about @vf? Every attribute in it begins with the VF's index; the kernel always
 * gives the MAC. */
static bool
isVF(struct nlattr **tb, guint vf)
{
    guint32 index;
    if (!tb[IFLA_VF_MAC] || nla_len(tb[IFLA_VF_MAC]) < (int)sizeof(struct ifla_vf_mac))
        return false;
    memcpy(&index, nla_data(tb[IFLA_VF_MAC]), sizeof(index));
    return index == vf;
}

/* Find a VF in the list and parse it into @tb.
 *
 * @ret_listed: how many VFs the list holds; set only when @vf is not among them
 */
static bool
findVF(struct nlattr *list, guint vf, struct nlattr *tb[IFLA_VF_MAX + 1], guint *ret_listed)
{
    struct nlattr *info;
    guint listed = 0;
    int rest;
    nla_for_each_nested (info, list, rest) {
        if (nla_type(info) != IFLA_VF_INFO || nla_parse_nested(tb, IFLA_VF_MAX, info, NULL) < 0)
            continue;
        if (isVF(tb, vf))
            return true;
        listed++;
    }
    *ret_listed = listed;
    return false;
}

static void
setMissing(const virtPort *port, guint vf, guint listed, guint total, GError **error)
{
    if (total == 0)
        g_set_error(
            error, VIRT_ERROR, VIRT_ERROR_REFUSED,
            "VF %u is not in the kernel's list of %s, which has no VFs: it is no netdev of a PF, or its sriov_numvfs is 0.",
            vf, port->ifname);
    else if (vf >= total)
        g_set_error(
            error, VIRT_ERROR, VIRT_ERROR_REFUSED,
            "VF %u is not in the kernel's list of %s, which has VFs 0 to %u. Write its sriov_numvfs to make more.", vf,
            port->ifname, total - 1);
    else
        g_set_error(
            error, VIRT_ERROR, VIRT_ERROR_REFUSED,
            "VF %u is not in the kernel's list of %s, which shows %u of %u VFs: its driver left it out (is the VF being reset?), or the list is too long for the kernel. Try again, or make fewer VFs.",
            vf, port->ifname, listed, total);
}

static guint
readTotal(struct nl_msg *reply)
{
    struct nlattr *total = virtNetlinkFind(reply, IFLA_NUM_VF);
    return total && nla_len(total) >= (int)sizeof(guint32) ? nla_get_u32(total) : 0;
}

static bool
parseVF(struct nl_msg *reply, const virtPort *port, guint vf, virtNetdev *ret, GError **error)
{
    struct nlattr *tb[IFLA_VF_MAX + 1];
    struct nlattr *list = virtNetlinkFind(reply, IFLA_VFINFO_LIST);
    virtNetdev netdev = {.port = port->port};
    guint listed = 0;
    if (!list || !findVF(list, vf, tb, &listed)) {
        setMissing(port, vf, listed, readTotal(reply), error);
        return false;
    }
    for (virtNetdevAttr attr = 0; attr < VIRT_NETDEV_ATTR_LAST; attr++)
        if (virtNetdevAttrs[attr].get)
            virtNetdevAttrs[attr].get(tb, &netdev);
    struct nlattr *ports = virtNetlinkFind(reply, IFLA_VF_PORTS);
    if (ports)
        virtNetDevVPortProfileGet(ports, vf, &netdev);
    *ret = netdev;
    return true;
}

/* Read what the kernel knows of VF @vf at one port of its PF.
 *
 * @ret: overwritten whole: port, what the driver reports, and a bit in `present` for each of that
 *
 * Errors: VIRT_ERROR_HOST when the kernel does not answer; VIRT_ERROR_REFUSED when the VF is not in its list.
 */
bool
virtNetlinkGetVF(virtHost *host, const virtPort *port, guint vf, virtNetdev *ret, GError **error)
{
    g_autofree char *reason = NULL;
    struct nl_msg *reply = NULL;
    int rc = virtNetlinkGetLink(host, port->ifindex, &reply, &reason);
    if (rc < 0) {
        g_set_error(error, VIRT_ERROR, VIRT_ERROR_HOST, "Cannot read VF %u of %s: %s%s%s%s.", vf, port->ifname,
                    g_strerror(-rc), reason ? " (" : "", reason ? reason : "", reason ? ")" : "");
        return false;
    }
    bool ok = parseVF(reply, port, vf, ret, error);
    nlmsg_free(reply);
    return ok;
}

static bool
putInfo(struct nl_msg *msg, guint vf, const virtNetdev *netdev, guint attrs)
{
    struct nlattr *list = nla_nest_start(msg, IFLA_VFINFO_LIST);
    struct nlattr *info = list ? nla_nest_start(msg, IFLA_VF_INFO) : NULL;
    if (!info)
        return false;
    for (virtNetdevAttr attr = 0; attr < VIRT_NETDEV_ATTR_LAST; attr++)
        if (attrs & VIRT_NETDEV_BIT(attr) && !virtNetdevAttrs[attr].put(msg, vf, netdev))
            return false;
    return nla_nest_end(msg, info) == 0 && nla_nest_end(msg, list) == 0;
}

/* Send until the device is no longer busy, or RETRY_TOTAL has gone by. */
static int
talkPatiently(virtHost *host, struct nl_msg *msg, char **ret_reason)
{
    guint slept = 0;
    for (guint delay = RETRY_FIRST;; delay = MIN(delay * 2, RETRY_LONGEST)) {
        g_autofree char *reason = NULL;
        int rc = host->talk(host, msg, NULL, &reason);
        bool busy = rc == -EAGAIN || rc == -EBUSY;
        if (!busy || slept + delay > RETRY_TOTAL) {
            if (rc < 0)
                *ret_reason = g_steal_pointer(&reason);
            return rc;
        }
        host->sleep(delay * 1000);
        slept += delay;
    }
}

/* One RTM_SETLINK with these attributes, or with the port profile alone. */
static int
setTogether(virtHost *host, const virtPort *port, const virtVF *vf, const virtNetdev *netdev, guint attrs,
            char **ret_reason)
{
    if (attrs == 0)
        return 0;
    struct nl_msg *msg = virtNetlinkNewMessage(RTM_SETLINK, port->ifindex);
    bool profile = attrs == VIRT_NETDEV_BIT(VIRT_NETDEV_VIRTUALPORT);
    bool ok =
        msg && (profile ? virtNetDevVPortProfilePut(msg, host, vf, netdev) : putInfo(msg, vf->index, netdev, attrs));
    int rc = ok ? talkPatiently(host, msg, ret_reason) : -EMSGSIZE;
    nlmsg_free(msg);
    return rc == 0 && profile ? virtNetDevVPortProfileWait(host, port, vf, netdev, ret_reason) : rc;
}

/* Set the attributes @attrs (VIRT_NETDEV_BITs; given or not, their values count) of a VF at one port of its PF,
 * in one request where the kernel allows it. While the device is busy (EAGAIN, EBUSY) it is asked again for up
 * to 3 seconds; a port profile is waited for up to 10 seconds.
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
    guint alone =
        attrs & VIRT_NETDEV_BIT(VIRT_NETDEV_NODE_GUID) ? LONE_ATTRS : VIRT_NETDEV_BIT(VIRT_NETDEV_VIRTUALPORT);
    int rc = setTogether(host, port, vf, netdev, attrs & ~alone, &reason);
    for (virtNetdevAttr attr = 0; rc == 0 && attr < VIRT_NETDEV_ATTR_LAST; attr++)
        rc = setTogether(host, port, vf, netdev, attrs & alone & VIRT_NETDEV_BIT(attr), &reason);
    if (rc < 0 && ret_reason)
        *ret_reason = g_steal_pointer(&reason);
    return rc;
}
