/* virnetlinkfacts.c: what an RTM_NEWLINK says of the netdev itself, parsed by libnl-route
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * libnl-route makes an object of a whole message: it parses every VF too, whose list may be cut, and what address
 * families and link kinds add. So it is given a message with those attributes alone that are wanted here. VFs are read
 * from the same reply by virnetlinkvf.c, whose head tells why.
 */
#include "util/virnetlink.h"

#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netlink/attr.h>
#include <netlink/data.h>
#include <netlink/msg.h>
#include <netlink/object.h>
#include <netlink/route/link.h>

G_STATIC_ASSERT(VIRT_IFNAME_LEN == IFNAMSIZ);

/* A message with the first attribute of each wanted type; the first, as for virtNetlinkFind(). NULL when memory is
 * short. */
static struct nl_msg *
copyLinkPart(struct nlmsghdr *header)
{
    static const int types[] = {IFLA_IFNAME, IFLA_PHYS_PORT_NAME, IFLA_PHYS_SWITCH_ID};
    struct nl_msg *msg = nlmsg_alloc_simple(header->nlmsg_type, 0);
    bool ok = msg && nlmsg_append(msg, nlmsg_data(header), sizeof(struct ifinfomsg), NLMSG_ALIGNTO) == 0;

    for (guint i = 0; ok && i < G_N_ELEMENTS(types); i++) {
        const struct nlattr *attr = nlmsg_find_attr(header, sizeof(struct ifinfomsg), types[i]);

        if (attr)
            ok = nla_put(msg, types[i], nla_len(attr), nla_data(attr)) == 0;
    }
    if (ok) {
        nlmsg_set_proto(msg, NETLINK_ROUTE);
        return msg;
    }
    nlmsg_free(msg);
    return NULL;
}

static void
keepLink(struct nl_object *object, void *opaque)
{
    struct rtnl_link **ret = opaque;

    nl_object_get(object);
    *ret = (struct rtnl_link *)object;
}

/* Read the link part of a message. Returns false for one that is no RTM_NEWLINK, or not a valid one. */
bool
virtNetlinkParseFacts(struct nlmsghdr *header, virtNetlinkFacts *ret)
{
    struct rtnl_link *link = NULL;
    struct nl_msg *part;
    const struct nl_data *switchId;
    const char *physPortName;

    if (header->nlmsg_type != RTM_NEWLINK || !nlmsg_valid_hdr(header, sizeof(struct ifinfomsg)))
        return false;
    part = copyLinkPart(header);
    if (part)
        nl_msg_parse(part, keepLink, &link);
    nlmsg_free(part);
    if (!link)
        return false;
    *ret = (virtNetlinkFacts){.up = (rtnl_link_get_flags(link) & IFF_UP) != 0, .type = rtnl_link_get_arptype(link)};
    g_strlcpy(ret->ifname, rtnl_link_get_name(link), sizeof(ret->ifname));
    physPortName = rtnl_link_get_phys_port_name(link);
    if (physPortName)
        g_strlcpy(ret->physPortName, physPortName, sizeof(ret->physPortName));
    switchId = rtnl_link_get_phys_switch_id(link);
    ret->hasSwitchId = switchId && nl_data_get_size(switchId) > 0;
    rtnl_link_put(link);
    return true;
}
