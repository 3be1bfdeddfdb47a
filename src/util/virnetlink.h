/* virnetlink.h: the few rtnetlink messages about a netdev and its VFs, built and read
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * libnl's core does sockets and attributes, and libnl-route parses what a message says of the netdev itself. Its VF
 * calls are not used: they write the VLAN protocol in the wrong byte order, put both GUIDs in one nest, ask for
 * statistics on every read (which cuts long VF lists), and know neither virtualport nor extended ACKs.
 */
#pragma once

#include "util/virnetdev.h"
#include "util/virpci.h"

struct nl_msg;
struct nlattr;
struct nlmsghdr;

/* How much is asked of a netdev. */
typedef enum {
    VIRT_NETLINK_LINK,  /* what it is itself */
    VIRT_NETLINK_VFS,   /* and its VFs, for which its driver may have to ask the card */
    VIRT_NETLINK_STATS, /* and their statistics, which cut the list at some 220 VFs */
} virtNetlinkScope;

/* virnetlink.c: the socket, and the start and the attributes of a link message */
int virtNetlinkRequest(virtHost *host, struct nl_msg *request, struct nl_msg **ret_reply, char **ret_reason);
int virtNetlinkRequestGeneric(virtHost *host, const char *family, struct nl_msg *request, struct nl_msg **ret_reply,
                              char **ret_reason);
int virtNetlinkDumpGeneric(virtHost *host, const char *family, struct nl_msg *request, GPtrArray *replies,
                           char **ret_reason);
int virtNetlinkParseDump(void *data, int length, guint32 seq, GPtrArray *replies, bool *disturbed, char **ret_reason);
void virtNetlinkClose(virtHost *host);
struct nl_msg *virtNetlinkNewMessage(int type, guint ifindex);
int virtNetlinkGetLink(virtHost *host, guint ifindex, virtNetlinkScope scope, struct nl_msg **ret_reply,
                       char **ret_reason);
struct nlattr *virtNetlinkFind(struct nl_msg *reply, int type);
bool virtNetlinkIsNamed(struct nl_msg *reply, const char *ifname);

/* virnetlinkfacts.c: what a netdev is itself */
#define VIRT_IFNAME_LEN 16 /* IFNAMSIZ of linux/if.h, with the NUL; the kernel keeps a phys_port_name as short */
typedef struct {
    char ifname[VIRT_IFNAME_LEN];
    bool up;                            /* IFF_UP */
    guint type;                         /* ARPHRD_ETHER … of linux/if_arp.h */
    char physPortName[VIRT_IFNAME_LEN]; /* "" where it has none */
    bool hasSwitchId;                   /* it is a port of an eswitch in switchdev mode */
} virtNetlinkFacts;

bool virtNetlinkParseFacts(struct nlmsghdr *header, virtNetlinkFacts *ret);

/* virnetlinkwatch.c: news of netdevs */
typedef void (*virtNetlinkNewsFunc)(const char *name, void *opaque);
/* Calls @func with the name of each thing that a datagram of @length bytes at @data has news of. */
typedef void (*virtNetlinkWatchParseFunc)(void *data, int length, virtNetlinkNewsFunc func, void *opaque);
int virtNetlinkWatchOpen(GError **error);
bool virtNetlinkWatchRead(int fd, virtNetlinkWatchParseFunc parse, virtNetlinkNewsFunc func, void *opaque);
void virtNetlinkWatchParse(void *data, int length, virtNetlinkNewsFunc func, void *opaque);
int virtNetlinkWatchOpenDevlink(GError **error);
void virtNetlinkWatchParseDevlink(void *data, int length, virtNetlinkNewsFunc func, void *opaque);

/* virnetlinkattr.c: one row an attribute of virtNetdevAttrs */
typedef struct {
    /* Append the attribute to a VF's IFLA_VF_INFO nest; false when the message is full. NULL for what is not there
     * (see virnetdevvportprofile.c) and takes a request of its own. */
    bool (*put)(struct nl_msg *msg, guint vf, const virtNetdev *netdev);
    /* Read it from a parsed IFLA_VF_INFO; sets the value and its bit, or leaves both alone where the driver
     * does not report it. */
    void (*get)(struct nlattr **tb, virtNetdev *netdev);
    guint ignoredBeside; /* VIRT_NETDEV_BITs of attributes that the kernel takes instead when both are in one request */
} virtNetlinkAttr;

extern const virtNetlinkAttr virtNetlinkAttrs[VIRT_NETDEV_ATTR_LAST];

/* virnetlinkvf.c: a netdev and its VFs */
bool virtNetlinkGetFacts(virtHost *host, guint ifindex, const char *ifname, virtNetlinkFacts *ret);

typedef struct {
    const virtPort *port;
    const virtVF *vf;
    const virtNetdev *netdev;
    guint attrs; /* VIRT_NETDEV_BITs of those of @netdev to set */
} virtNetlinkChange;

bool virtNetlinkGetVF(virtHost *host, const virtPort *port, guint vf, virtNetdev *ret, GError **error);
bool virtNetlinkGetVFStats(virtHost *host, const virtPort *port, guint vf, virtNetdevStats *ret, GError **error);

/* What was counted of one VF at one port. */
typedef struct {
    guint vf;
    guint known; /* a bit for each virtNetdevCounter whose value can be believed, be it 0 */
    virtNetdevStats stats;
} virtNetlinkCounts;

GArray *virtNetlinkListStats(virtHost *host, const virtPort *port);
void virtNetlinkForgetLinks(virtHost *host);
typedef int (*virtNetlinkTryFunc)(virtHost *host, void *opaque, char **ret_reason);
int virtNetlinkTryPatiently(virtHost *host, virtNetlinkTryFunc func, void *opaque, guint attrs, char **ret_reason);
int virtNetlinkSetVF(virtHost *host, const virtPort *port, const virtVF *vf, const virtNetdev *netdev, guint attrs,
                     char **ret_reason);
bool virtNetlinkSetVFs(virtHost *host, const virtNetlinkChange *changes, guint n);
