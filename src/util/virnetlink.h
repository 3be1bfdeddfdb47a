/* virnetlink.h: the few rtnetlink messages about a VF, built and read
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * libnl's core does sockets and attributes. Its VF calls are not used: they write the VLAN protocol in the
 * wrong byte order, put both GUIDs in one nest, ask for statistics on every read (which cuts long VF lists),
 * and know neither virtualport nor extended ACKs.
 */
#pragma once

#include "util/virnetdev.h"
#include "util/virpci.h"

struct nl_msg;
struct nlattr;

/* virnetlink.c: the socket, and the start and the attributes of a link message */
int virtNetlinkRequest(virtHost *host, struct nl_msg *request, struct nl_msg **ret_reply, char **ret_reason);
void virtNetlinkClose(virtHost *host);
struct nl_msg *virtNetlinkNewMessage(int type, guint ifindex);
int virtNetlinkGetLink(virtHost *host, guint ifindex, bool stats, struct nl_msg **ret_reply, char **ret_reason);
struct nlattr *virtNetlinkFind(struct nl_msg *reply, int type);
bool virtNetlinkIsNamed(struct nl_msg *reply, const char *ifname);

/* virnetlinkwatch.c: news of netdevs */
typedef void (*virtNetlinkNewsFunc)(const char *ifname, void *opaque);
int virtNetlinkWatchOpen(GError **error);
bool virtNetlinkWatchRead(int fd, virtNetlinkNewsFunc func, void *opaque);
void virtNetlinkWatchParse(void *data, int length, virtNetlinkNewsFunc func, void *opaque);

/* virnetlinkattr.c: one row an attribute of virtNetdevAttrs */
typedef struct {
    /* Append the attribute to a VF's IFLA_VF_INFO nest; false when the message is full. NULL for what is not there:
     * see virnetdevvportprofile.c. */
    bool (*put)(struct nl_msg *msg, guint vf, const virtNetdev *netdev);
    /* Read it from a parsed IFLA_VF_INFO; sets the value and its bit, or leaves both alone where the driver
     * does not report it. */
    void (*get)(struct nlattr **tb, virtNetdev *netdev);
} virtNetlinkAttr;

extern const virtNetlinkAttr virtNetlinkAttrs[VIRT_NETDEV_ATTR_LAST];

/* virnetlinkvf.c: VFs */
typedef struct {
    const virtPort *port;
    const virtVF *vf;
    const virtNetdev *netdev;
    guint attrs; /* VIRT_NETDEV_BITs of those of @netdev to set */
} virtNetlinkChange;

bool virtNetlinkGetVF(virtHost *host, const virtPort *port, guint vf, virtNetdev *ret, GError **error);
bool virtNetlinkGetVFStats(virtHost *host, const virtPort *port, guint vf, virtNetdevStats *ret, GError **error);
int virtNetlinkSetVF(virtHost *host, const virtPort *port, const virtVF *vf, const virtNetdev *netdev, guint attrs,
                     char **ret_reason);
bool virtNetlinkSetVFs(virtHost *host, const virtNetlinkChange *changes, guint n);
