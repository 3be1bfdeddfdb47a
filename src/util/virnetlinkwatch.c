/* virnetlinkwatch.c: the kernel's news that something about a netdev, or a device that devlink knows, has changed
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Who sets a VF sends RTM_SETLINK to its PF's netdev, and the kernel then tells everybody, with an RTM_NEWLINK about
 * that netdev, that it has changed (do_setlink(), netdev_state_change() in net/core). The message does not have the
 * VFs: it is made without RTEXT_FILTER_VF. And it does not come at all while the PF is down, when a request was refused
 * half way, or when a driver changes a VF by itself. So it is a hint where to look, and looking now and then does
 * without it.
 *
 * devlink tells the same of ports and their functions, and of rates, to whoever listens to its group "config".
 */
#include "util/virerror.h"
#include "util/virnetlink.h"

#include <errno.h>
#include <linux/devlink.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/errno.h>
#include <netlink/genl/ctrl.h>
#include <netlink/genl/genl.h>
#include <netlink/msg.h>
#include <netlink/socket.h>
#include <sys/socket.h>
#include <unistd.h>

#define DATAGRAM_MAX 32768 /* one netdev without VFs takes some 2 KiB */
#define READ_MAX 64        /* datagrams at a time: others wait for the caller too */

static int
openSocket(int protocol, guint32 groups, const char *what, GError **error)
{
    struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = groups};
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol);

    if (fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
        return fd;
    g_set_error(error, VIRT_ERROR, VIRT_ERROR_HOST, "Cannot listen to %s: %s", what, g_strerror(errno));
    if (fd >= 0)
        close(fd);
    return -1;
}

/* A socket that becomes readable when there is news of netdevs, for virtNetlinkWatchRead() and close(); it does not
 * block.
 *
 * Returns -1 with VIRT_ERROR_HOST.
 */
int
virtNetlinkWatchOpen(GError **error)
{
    return openSocket(NETLINK_ROUTE, RTMGRP_LINK, "rtnetlink", error);
}

/* The number that this kernel has for devlink's group "config"; negative: it has no devlink, or does not say. */
static int
findGroup(void)
{
    struct nl_sock *socket = nl_socket_alloc();
    int group = -NLE_NOMEM;

    if (socket && (group = genl_connect(socket)) == 0)
        group = genl_ctrl_resolve_grp(socket, DEVLINK_GENL_NAME, DEVLINK_GENL_MCGRP_CONFIG_NAME);
    nl_socket_free(socket);
    return group;
}

/* The same for devlink's news of devices. Also -1 where the kernel has no devlink. */
int
virtNetlinkWatchOpenDevlink(GError **error)
{
    int group = findGroup(), fd;

    if (group < 0) {
        g_set_error(error, VIRT_ERROR, VIRT_ERROR_HOST, "Cannot listen to devlink: %s", nl_geterror(group));
        return -1;
    }
    if ((fd = openSocket(NETLINK_GENERIC, 0, "devlink", error)) < 0 ||
        setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) == 0)
        return fd;
    g_set_error(error, VIRT_ERROR, VIRT_ERROR_HOST, "Cannot listen to devlink: %s", g_strerror(errno));
    close(fd);
    return -1;
}

/* The virtNetlinkWatchParseFunc of devlink: PCI addresses. */
void
virtNetlinkWatchParseDevlink(void *data, int length, virtNetlinkNewsFunc func, void *opaque)
{
    for (struct nlmsghdr *header = data; nlmsg_ok(header, length); header = nlmsg_next(header, &length)) {
        const struct nlattr *bus = nlmsg_find_attr(header, GENL_HDRLEN, DEVLINK_ATTR_BUS_NAME);
        const struct nlattr *name = nlmsg_find_attr(header, GENL_HDRLEN, DEVLINK_ATTR_DEV_NAME);
        g_autofree char *device = NULL;

        if (!bus || !name || nla_strcmp(bus, "pci") != 0)
            continue;
        device = virtHostMakeText(nla_data(name), (gsize)nla_len(name));
        if (device && *device)
            func(device, opaque);
    }
}

/* The virtNetlinkWatchParseFunc of rtnetlink: netdevs. */
void
virtNetlinkWatchParse(void *data, int length, virtNetlinkNewsFunc func, void *opaque)
{
    for (struct nlmsghdr *header = data; nlmsg_ok(header, length); header = nlmsg_next(header, &length)) {
        virtNetlinkFacts facts;

        if (virtNetlinkParseFacts(header, &facts) && *facts.ifname)
            func(facts.ifname, opaque);
    }
}

/* Reads the news there is. Returns false where some was lost, or may have been: then anything may have changed. */
bool
virtNetlinkWatchRead(int fd, virtNetlinkWatchParseFunc parse, virtNetlinkNewsFunc func, void *opaque)
{
    g_autofree void *data = g_malloc(DATAGRAM_MAX);

    for (guint i = 0; i < READ_MAX; i++) {
        struct sockaddr_nl sender = {0};
        socklen_t size = sizeof(sender);
        ssize_t length = recvfrom(fd, data, DATAGRAM_MAX, MSG_TRUNC, (struct sockaddr *)&sender, &size);

        if (length < 0 && (errno == EAGAIN || errno == EINTR))
            return true;
        if (length < 0 || length > DATAGRAM_MAX) /* ENOBUFS: the kernel had more than the socket takes */
            return false;
        if (sender.nl_pid == 0) /* the kernel */
            parse(data, (int)length, func, opaque);
    }
    return true;
}
