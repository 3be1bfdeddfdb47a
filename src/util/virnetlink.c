/* virnetlink.c: the netlink sockets: one request, its answer, and the kernel's own words about a refusal
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Requests go out one at a time. A GET is answered by one message, anything else by an ACK; both are known by
 * the request's sequence number, so that a late answer to a request that timed out is passed over. What the
 * kernel refuses comes as an nlmsgerr, whose error is handed up as it is: libnl's own codes fold several errnos
 * into one, and callers tell EAGAIN, EBUSY and EPERM apart.
 */
#include "util/virnetlink.h"
#include "util/viralone.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/errno.h>
#include <netlink/genl/ctrl.h>
#include <netlink/genl/genl.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#ifndef RTEXT_FILTER_SKIP_STATS
#define RTEXT_FILTER_SKIP_STATS (1 << 3)
#endif

/* ice and mlx5 firmware commands run under RTNL for up to a second each, and every writer of the host waits in
 * one queue for it: an answer is late only when the whole host is stuck. */
#define ANSWER_SECONDS 60
#define ALONE_LONGEST 20000 /* milliseconds; deleting a device of the simulator takes 20 */
/* A VF list fills up to 64 KiB (16 bits of nla_len), and the socket's accounting counts twice that. */
#define RECEIVE_BUFFER (1024 * 1024)
/* The longest answer about one link: its VF list as above, as much again for port profiles, and its own attributes.
 * What is longer would be cut, and is then no valid message. */
#define DATAGRAM_MAX 262144 /* bytes */
/* An ACK, or a refusal with the refused request (a page) and its reason. */
#define ACK_MAX 16384  /* bytes */
#define REASON_MAX 200 /* bytes of an extended ACK; those in the kernel are a short sentence */
/* Of a host's devlink ports: a PF has at most 65535 VFs, and no host as many in all. */
#define DUMP_MAX 131072 /* messages */
#define DUMP_TRIES 5

static struct nl_sock *
newSocket(int protocol)
{
    struct nl_sock *socket = nl_socket_alloc();
    struct timeval timeout = {.tv_sec = ANSWER_SECONDS};
    int on = 1;
    int fd;

    if (!socket)
        return NULL;
    if (nl_connect(socket, protocol) < 0) { /* with SOCK_CLOEXEC */
        nl_socket_free(socket);
        return NULL;
    }
    fd = nl_socket_get_fd(socket);
    nl_socket_set_buffer_size(socket, RECEIVE_BUFFER, 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
    setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof(on)); /* Linux 4.12; without it there are no reasons */
    return socket;
}

/* Open *socket where it is not open yet. Returns 0 or -errno. */
static int
openSocket(void **socket, int protocol)
{
    errno = 0;
    if (!*socket)
        *socket = newSocket(protocol);
    if (*socket)
        return 0;
    if (errno)
        return -errno;
    return -ENOMEM;
}

static void
closeSocket(void **socket)
{
    if (*socket)
        nl_socket_free(*socket);
    *socket = NULL;
}

/* Close the sockets of the real kernel; they open again when needed. */
void
virtNetlinkClose(virtHost *host)
{
    closeSocket(&host->socket);
    closeSocket(&host->genericSocket);
}

static int
sendRequest(struct nl_sock *socket, struct nl_msg *request, bool wantsReply)
{
    struct nlmsghdr *header = nlmsg_hdr(request);
    ssize_t n;

    header->nlmsg_seq = NL_AUTO_SEQ; /* a fresh one also where a request is sent again */
    header->nlmsg_pid = NL_AUTO_PORT;
    nl_socket_disable_auto_ack(socket);
    nl_complete_msg(socket, request);
    if (!wantsReply)
        header->nlmsg_flags |= NLM_F_ACK;
    do
        n = send(nl_socket_get_fd(socket), header, header->nlmsg_len, 0);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return -errno;
    return 0;
}

/* The text of an extended ACK behind @error, bounded and printable; NULL where there is none. */
static char *
readReason(const struct nlmsghdr *header, const struct nlmsgerr *error)
{
    size_t skip = sizeof(*error);
    size_t have = header->nlmsg_len - NLMSG_HDRLEN;
    struct nlattr *first;
    struct nlattr *attr;
    g_autofree char *raw = NULL;

    /* Unless capped, the refused request follows; its own length says how much of it. */
    if (!(header->nlmsg_flags & NLM_F_CAPPED) && error->msg.nlmsg_len >= sizeof(struct nlmsghdr))
        skip += NLMSG_ALIGN((size_t)error->msg.nlmsg_len) - sizeof(struct nlmsghdr);
    if (!(header->nlmsg_flags & NLM_F_ACK_TLVS) || skip >= have || have - skip > G_MAXINT)
        return NULL;
    first = (struct nlattr *)(void *)((char *)nlmsg_data(header) + skip);
    attr = nla_find(first, (int)(have - skip), NLMSGERR_ATTR_MSG);
    if (!attr || nla_len(attr) <= 0)
        return NULL;
    raw = g_strndup(nla_data(attr), MIN((size_t)nla_len(attr), REASON_MAX));
    return g_utf8_make_valid(raw, -1);
}

/* What an nlmsgerr says: 0 or -errno. */
static int
readError(const struct nlmsghdr *header, char **ret_reason)
{
    const struct nlmsgerr *error = nlmsg_data(header);
    char *reason = NULL;

    if (header->nlmsg_len < NLMSG_HDRLEN + sizeof(*error) || error->error > 0)
        return -EBADMSG;
    if (error->error < 0 && ret_reason)
        reason = readReason(header, error);
    if (reason)
        *ret_reason = reason;
    return error->error;
}

/* Look through one datagram for the answer to request @seq. Returns 1 when it is not there, else 0 or -errno. */
static int
readDatagram(unsigned char *data, int length, guint32 seq, struct nl_msg **ret_reply, char **ret_reason)
{
    for (struct nlmsghdr *header = (struct nlmsghdr *)(void *)data; nlmsg_ok(header, length);
         header = nlmsg_next(header, &length)) {
        struct nl_msg *reply;

        if (header->nlmsg_seq != seq)
            continue;
        if (header->nlmsg_type == NLMSG_ERROR) {
            int rc = readError(header, ret_reason);

            if (rc == 0 && ret_reply)
                return -EBADMSG;
            return rc;
        }
        if (header->nlmsg_type < NLMSG_MIN_TYPE || !ret_reply)
            continue;
        reply = nlmsg_convert(header);
        if (!reply)
            return -ENOMEM;
        *ret_reply = reply;
        return 0;
    }
    return 1;
}

/* Wait for a datagram of the kernel's, until @deadline. Returns its length, which is not 0, or -errno. */
static int
receiveDatagram(struct nl_sock *socket, gint64 deadline, unsigned char *data, size_t max, char **ret_reason)
{
    while (g_get_monotonic_time() < deadline) {
        struct sockaddr_nl sender = {0};
        socklen_t size = sizeof(sender);
        ssize_t length = recvfrom(nl_socket_get_fd(socket), data, max, MSG_TRUNC, (struct sockaddr *)&sender, &size);

        if (length < 0 && errno == EINTR)
            continue;
        if (length < 0 && errno != EAGAIN)
            return -errno;
        if (length <= 0)
            break;
        if (sender.nl_pid != 0) /* 0: the kernel */
            continue;
        if (length <= (ssize_t)max)
            return (int)length;
        if (ret_reason) {
            *ret_reason = g_strdup_printf("the kernel's answer has %zd bytes, more than the limit of %zu", length, max);
        }
        return -EMSGSIZE;
    }
    return -ETIMEDOUT;
}

static gint64
newDeadline(void)
{
    return g_get_monotonic_time() + ANSWER_SECONDS * G_USEC_PER_SEC;
}

/* Wait for the answer to request @seq, at most ANSWER_SECONDS. */
static int
receiveAnswer(struct nl_sock *socket, guint32 seq, struct nl_msg **ret_reply, char **ret_reason)
{
    gint64 deadline = newDeadline();
    size_t max = ACK_MAX;
    g_autofree unsigned char *data = NULL;
    int rc = 1;

    if (ret_reply)
        max = DATAGRAM_MAX;
    data = g_malloc(max);
    while (rc == 1) {
        int length = receiveDatagram(socket, deadline, data, max, ret_reason);

        if (length < 0)
            return length;
        rc = readDatagram(data, length, seq, ret_reply, ret_reason);
    }
    return rc;
}

/* What the end of a dump says: 0 or -errno. */
static int
readDone(const struct nlmsghdr *header)
{
    int rc = 0;

    if (header->nlmsg_len >= NLMSG_HDRLEN + sizeof(rc))
        memcpy(&rc, nlmsg_data(header), sizeof(rc));
    return MIN(rc, 0);
}

/* Read one datagram of the answer to dump @seq; for tests, too.
 *
 * @replies: messages are appended
 * @disturbed: set where the kernel says that something has changed meanwhile
 *
 * Returns 1 where there is more to come, else 0 or -errno.
 */
int
virtNetlinkParseDump(void *data, int length, guint32 seq, GPtrArray *replies, bool *disturbed, char **ret_reason)
{
    for (struct nlmsghdr *header = data; nlmsg_ok(header, length); header = nlmsg_next(header, &length)) {
        struct nl_msg *reply;

        if (header->nlmsg_seq != seq)
            continue;
        *disturbed |= (header->nlmsg_flags & NLM_F_DUMP_INTR) != 0;
        if (header->nlmsg_type == NLMSG_DONE)
            return readDone(header);
        if (header->nlmsg_type == NLMSG_ERROR) {
            int rc = readError(header, ret_reason);

            if (rc == 0)
                return -EBADMSG;
            return rc;
        }
        if (header->nlmsg_type < NLMSG_MIN_TYPE)
            continue;
        if (replies->len == DUMP_MAX)
            return -EMSGSIZE;
        if (!(reply = nlmsg_convert(header)))
            return -ENOMEM;
        g_ptr_array_add(replies, reply);
    }
    return 1;
}

static int
receiveDump(struct nl_sock *socket, guint32 seq, GPtrArray *replies, char **ret_reason)
{
    gint64 deadline = newDeadline();
    g_autofree unsigned char *data = g_malloc(DATAGRAM_MAX);
    bool disturbed = false;
    int rc = 1;

    while (rc == 1) {
        int length = receiveDatagram(socket, deadline, data, DATAGRAM_MAX, ret_reason);

        if (length < 0)
            return length;
        rc = virtNetlinkParseDump(data, length, seq, replies, &disturbed, ret_reason);
    }
    if (rc == 0 && disturbed)
        return -EINTR;
    return rc;
}

static int
ask(struct nl_sock *socket, struct nl_msg *request, struct nl_msg **ret_reply, char **ret_reason)
{
    int rc = sendRequest(socket, request, ret_reply != NULL);

    if (rc < 0)
        return rc;
    return receiveAnswer(socket, nlmsg_hdr(request)->nlmsg_seq, ret_reply, ret_reason);
}

/* The virtHostRequest of the running kernel; see virhost.h. The socket opens at the first call and stays. No answer
 * within 60 seconds is -ETIMEDOUT.
 */
int
virtNetlinkRequest(virtHost *host, struct nl_msg *request, struct nl_msg **ret_reply, char **ret_reason)
{
    int rc = openSocket(&host->socket, NETLINK_ROUTE);

    if (rc < 0)
        return rc;
    return ask(host->socket, request, ret_reply, ret_reason);
}

/* Open the socket of generic netlink and put the number of @family into @request. Returns 0 or -errno. */
static int
resolveFamily(virtHost *host, const char *family, struct nl_msg *request)
{
    int rc = openSocket(&host->genericSocket, NETLINK_GENERIC);
    int type;

    if (rc < 0)
        return rc;
    type = genl_ctrl_resolve(host->genericSocket, family);
    if (type == -NLE_OBJ_NOTFOUND)
        return -ENOENT;
    if (type < 0)
        return -EIO; /* libnl's codes are no errnos */
    nlmsg_hdr(request)->nlmsg_type = (guint16)type;
    return 0;
}

static int
requestGeneric(virtHost *host, const char *family, struct nl_msg *request, struct nl_msg **ret_reply, char **ret_reason)
{
    int rc = resolveFamily(host, family, request);

    if (rc < 0)
        return rc;
    return ask(host->genericSocket, request, ret_reply, ret_reason);
}

static int
dumpGeneric(virtHost *host, const char *family, struct nl_msg *request, GPtrArray *replies, char **ret_reason)
{
    int rc = resolveFamily(host, family, request);
    guint before = replies->len;

    if (rc < 0)
        return rc;
    for (guint tries = 0; tries < DUMP_TRIES; tries++) {
        g_ptr_array_set_size(replies, (gint)before);
        rc = sendRequest(host->genericSocket, request, true);
        if (rc == 0)
            rc = receiveDump(host->genericSocket, nlmsg_hdr(request)->nlmsg_seq, replies, ret_reason);
        if (rc != -EINTR)
            break;
    }
    if (rc < 0)
        closeSocket(&host->genericSocket); /* what is left of the dump would be in the next one's way */
    return rc;
}

/* ---- families that may not come back ---- */

/* In vDPA one request, which deletes a device that is open, keeps all others waiting in the kernel, where no signal
 * reaches them, and even who only asks for the number of that family. */
static bool
mayBlock(const char *family)
{
    return strcmp(family, "vdpa") == 0;
}

typedef struct {
    const char *family;
    struct nl_msg *request;
    bool wantsReply;
} AskAlone;

/* What a process of its own answers: this, @reason bytes of text, then netlink messages up to its end. */
typedef struct {
    int rc;
    guint32 reason;
} Alone;

static bool
writeAll(int fd, const void *data, size_t size)
{
    for (const char *at = data; size > 0;) {
        ssize_t n = write(fd, at, size);

        if (n < 0 && errno != EINTR)
            return false;
        if (n > 0) {
            at += n;
            size -= (size_t)n;
        }
    }
    return true;
}

static void
askAlone(int answer, void *opaque)
{
    const AskAlone *what = opaque;
    virtHost host = {0}; /* for sockets of its own */
    g_autoptr(GPtrArray) replies = g_ptr_array_new();
    struct nl_msg *reply = NULL;
    char *reason = NULL;
    Alone head = {0};

    if ((nlmsg_hdr(what->request)->nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP)
        head.rc = dumpGeneric(&host, what->family, what->request, replies, &reason);
    else if (what->wantsReply)
        head.rc = requestGeneric(&host, what->family, what->request, &reply, &reason);
    else
        head.rc = requestGeneric(&host, what->family, what->request, NULL, &reason);
    if (reply)
        g_ptr_array_add(replies, reply);
    if (reason)
        head.reason = (guint32)strlen(reason);
    if (!writeAll(answer, &head, sizeof(head)) || !writeAll(answer, reason, head.reason))
        return;
    for (guint i = 0; i < replies->len; i++) {
        const struct nlmsghdr *header = nlmsg_hdr(replies->pdata[i]);

        if (!writeAll(answer, header, NLMSG_ALIGN(header->nlmsg_len)))
            return;
    }
}

/* Take the messages of @data into @replies. Returns 0 or -errno. */
static int
takeReplies(guint8 *data, gsize length, GPtrArray *replies)
{
    struct nlmsghdr *header = (struct nlmsghdr *)(void *)data;
    int rest = (int)length;

    for (; nlmsg_ok(header, rest); header = nlmsg_next(header, &rest)) {
        struct nl_msg *reply = nlmsg_convert(header);

        if (!reply)
            return -ENOMEM;
        g_ptr_array_add(replies, reply);
    }
    if (rest > 0)
        return -EBADMSG;
    return 0;
}

/* Have a process of its own make the request, and leave it behind after ALONE_LONGEST. */
static int
askApart(const AskAlone *what, GPtrArray *replies, char **ret_reason)
{
    g_autoptr(GByteArray) answer = g_byte_array_new();
    Alone head;
    int rc = virtAloneRun(ALONE_LONGEST, askAlone, (gpointer)what, answer);
    gsize from;

    if (rc < 0)
        return rc;
    if (answer->len < sizeof(head))
        return -EAGAIN; /* there was no process, or it has been killed */
    memcpy(&head, answer->data, sizeof(head));
    from = sizeof(head) + head.reason;
    if (from > answer->len)
        return -EAGAIN;
    if (head.reason > 0 && ret_reason)
        *ret_reason = g_strndup((const char *)answer->data + sizeof(head), head.reason);
    g_byte_array_remove_range(answer, 0, (guint)from); /* so that messages are aligned */
    if (head.rc < 0)
        return head.rc;
    return takeReplies(answer->data, answer->len, replies);
}

/* The virtHostRequestGeneric of the running kernel, which loads the module of a family that it does not have yet. What
 * may not come back is -ETIMEDOUT after 20 seconds.
 */
int
virtNetlinkRequestGeneric(virtHost *host, const char *family, struct nl_msg *request, struct nl_msg **ret_reply,
                          char **ret_reason)
{
    const AskAlone what = {family, request, ret_reply != NULL};
    g_autoptr(GPtrArray) replies = NULL;
    int rc;

    if (!mayBlock(family))
        return requestGeneric(host, family, request, ret_reply, ret_reason);
    replies = g_ptr_array_new_with_free_func((GDestroyNotify)nlmsg_free);
    rc = askApart(&what, replies, ret_reason);
    if (rc < 0 || !ret_reply)
        return rc;
    if (replies->len != 1)
        return -EBADMSG;
    *ret_reply = g_ptr_array_steal_index(replies, 0);
    return 0;
}

/* The virtHostDumpGeneric of the running kernel. */
int
virtNetlinkDumpGeneric(virtHost *host, const char *family, struct nl_msg *request, GPtrArray *replies,
                       char **ret_reason)
{
    const AskAlone what = {family, request, true};

    if (!mayBlock(family))
        return dumpGeneric(host, family, request, replies, ret_reason);
    return askApart(&what, replies, ret_reason);
}

/* A link message of @type (RTM_GETLINK, RTM_SETLINK) about one netdev. Returns NULL when memory is short; free
 * with nlmsg_free(). It has room for a page: every attribute of one VF takes a tenth of that.
 */
struct nl_msg *
virtNetlinkNewMessage(int type, guint ifindex)
{
    struct ifinfomsg link = {.ifi_family = AF_UNSPEC, .ifi_index = (int)ifindex};
    struct nl_msg *msg = nlmsg_alloc_simple(type, NLM_F_REQUEST);

    if (msg && nlmsg_append(msg, &link, sizeof(link), NLMSG_ALIGNTO) == 0)
        return msg;
    nlmsg_free(msg);
    return NULL;
}

/* Read a netdev.
 *
 * @ret_reply: an RTM_NEWLINK about @ifindex, whose attributes virtNetlinkFind() gives; caller frees
 *
 * Returns 0 or -errno; -EBADMSG for an answer about anything else.
 */
int
virtNetlinkGetLink(virtHost *host, guint ifindex, virtNetlinkScope scope, struct nl_msg **ret_reply, char **ret_reason)
{
    static const guint32 masks[] = {
        [VIRT_NETLINK_LINK] = RTEXT_FILTER_SKIP_STATS,
        [VIRT_NETLINK_VFS] = RTEXT_FILTER_VF | RTEXT_FILTER_SKIP_STATS,
        [VIRT_NETLINK_STATS] = RTEXT_FILTER_VF,
    };
    struct nl_msg *reply = NULL;
    struct nl_msg *request = virtNetlinkNewMessage(RTM_GETLINK, ifindex);
    int rc = -ENOMEM;
    struct nlmsghdr *header;

    if (request && nla_put_u32(request, IFLA_EXT_MASK, masks[scope]) == 0)
        rc = host->request(host, request, &reply, ret_reason);
    nlmsg_free(request);
    if (rc < 0)
        return rc;
    header = nlmsg_hdr(reply);
    if (header->nlmsg_type != RTM_NEWLINK || !nlmsg_valid_hdr(header, sizeof(struct ifinfomsg)) ||
        ((const struct ifinfomsg *)nlmsg_data(header))->ifi_index != (int)ifindex) {
        nlmsg_free(reply);
        return -EBADMSG;
    }
    *ret_reply = reply;
    return 0;
}

/* The first attribute of @type of a link message, or NULL. The first, because behind a VF list whose length ran
 * over, the list's own rest reads like attributes of the link.
 */
struct nlattr *
virtNetlinkFind(struct nl_msg *reply, int type)
{
    return nlmsg_find_attr(nlmsg_hdr(reply), sizeof(struct ifinfomsg), type);
}

/* Is a link message about the netdev that has this name in sysfs? Where sysfs is of another network namespace, an
 * ifindex that was read there is some other netdev's here.
 */
bool
virtNetlinkIsNamed(struct nl_msg *reply, const char *ifname)
{
    struct nlattr *attr = virtNetlinkFind(reply, IFLA_IFNAME);
    size_t len = strlen(ifname) + 1;

    return attr && nla_len(attr) >= (int)len && memcmp(nla_data(attr), ifname, len) == 0;
}
