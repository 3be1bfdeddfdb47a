/* virnetlinkwatch.c: rtnetlink's news that something about a netdev has changed
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Who sets a VF sends RTM_SETLINK to its PF's netdev, and the kernel then tells everybody, with an RTM_NEWLINK about
 * that netdev, that it has changed (do_setlink(), netdev_state_change() in net/core). The message does not have the
 * VFs: it is made without RTEXT_FILTER_VF. And it does not come at all while the PF is down, when a request was refused
 * half way, or when a driver changes a VF by itself. So it is a hint where to look, and looking now and then does
 * without it.
 */
#include "util/virerror.h"
#include "util/virnetlink.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <netlink/msg.h>
#include <sys/socket.h>
#include <unistd.h>

#define DATAGRAM_MAX 32768 /* one netdev without VFs takes some 2 KiB */
#define READ_MAX 64        /* datagrams at a time: others wait for the caller too */

/* A socket that becomes readable when there is news, for virtNetlinkWatchRead() and close(); it does not block.
 *
 * Returns -1 with VIRT_ERROR_HOST.
 */
int
virtNetlinkWatchOpen(GError **error)
{
    struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK};
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);

    if (fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
        return fd;
    g_set_error(error, VIRT_ERROR, VIRT_ERROR_HOST, "Cannot listen to rtnetlink: %s", g_strerror(errno));
    if (fd >= 0)
        close(fd);
    return -1;
}

/* Calls @func with the name of each netdev that a datagram of @length bytes at @data has news of. */
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
virtNetlinkWatchRead(int fd, virtNetlinkNewsFunc func, void *opaque)
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
            virtNetlinkWatchParse(data, (int)length, func, opaque);
    }
    return true;
}
