/* faultkernel.c: the netlink socket, with a fakeHost's kernel behind it; its requests and settings as steps
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The code opens a real socket, and nothing is ever sent through it.
 */
#include "fakekernel.h"
#include "faultstep.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <netlink/errno.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <string.h>
#include <sys/socket.h>

static fakeHost *kernel;
static GByteArray *answer; /* one datagram; empty: none */
static faultPlace asked;

/* Whoever sets a VF must have it on record, and that on disk. */
static int
judge(void *opaque, guint port, guint vf, virtNetdevAttr attr, const fakeVF *wanted)
{
    const char *pf = opaque;
    const char *name = fakeHostVFAddress(kernel, pf, vf);

    if (faultIsUnsynced(name) && !*faultState->violation) {
        g_snprintf(faultState->violation, sizeof(faultState->violation),
                   "%s of VF %u, port %u, is set while its record could be lost", virtNetdevAttrs[attr].title, vf,
                   port);
    }
    return faultBegin(FAULT_SETTING, FAULT_REFUSE);
}

void
faultKernelInit(fakeHost *fake)
{
    kernel = fake;
    fake->judge = judge;
    if (!answer)
        answer = g_byte_array_new();
    g_byte_array_set_size(answer, 0);
}

/* A driver is unbound or bound as sysfs is told. */
void
faultKernelWritten(const char *path, const char *text, size_t size)
{
    g_autofree char *address = g_strndup(text, size);
    bool binds = g_str_has_suffix(path, "/bind") || g_str_has_suffix(path, "/drivers_probe");
    virtPCIAddress parsed;

    if (faultDeviceWritten) {
        bool unsynced = faultIsUnsynced(faultDeviceRecord);
        bool armed = faultDisarm();

        faultDeviceWritten(kernel, path, address, unsynced);
        if (armed)
            faultRearm();
    }
    if (!virtPCIAddressParse(address, &parsed, NULL)) /* half a write: the kernel knows no such device */
        return;
    faultDisarm();
    if (binds || g_str_has_suffix(path, "/unbind"))
        fakeHostSetDriver(kernel, address, binds ? "dualvf" : NULL);
    faultRearm();
}

static void
putError(const struct nlmsghdr *request, int rc)
{
    struct {
        struct nlmsghdr header;
        struct nlmsgerr error;
    } reply = {{sizeof(reply), NLMSG_ERROR, 0, request->nlmsg_seq, 0}, {rc, *request}};

    g_byte_array_append(answer, (const guint8 *)&reply, sizeof(reply));
}

static void
work(const struct nlmsghdr *header)
{
    struct nl_msg *request = nlmsg_convert((struct nlmsghdr *)(void *)header);
    struct nl_msg *reply = NULL;
    bool reads = header->nlmsg_type == RTM_GETLINK;
    int refusal = faultBegin(asked, FAULT_REFUSE);
    int rc = -refusal;

    if (rc == 0 && reads) {
        bool armed = faultDisarm(); /* it looks into its own sysfs */

        rc = fakeKernelRequest(kernel->host, request, &reply, NULL);
        if (armed)
            faultRearm();
    } else if (rc == 0) {
        rc = fakeKernelRequest(kernel->host, request, NULL, NULL);
    }
    if (rc == 0 && reply) {
        nlmsg_hdr(reply)->nlmsg_seq = header->nlmsg_seq;
        g_byte_array_append(answer, (const guint8 *)nlmsg_hdr(reply), nlmsg_hdr(reply)->nlmsg_len);
    } else {
        putError(header, rc);
    }
    nlmsg_free(reply);
    nlmsg_free(request);
}

int __real_nl_connect(struct nl_sock *socket, int protocol);
/* libnl-genl calls nl_connect() too, and the linker wants one that it can see. */
int __wrap_nl_connect(struct nl_sock *socket, int protocol) __attribute__((visibility("default")));
int
__wrap_nl_connect(struct nl_sock *socket, int protocol)
{
    int problem = faultBegin(FAULT_SOCKET, FAULT_CONNECT);
    int rc;

    if (problem) {
        errno = problem;
        return -NLE_FAILURE;
    }
    rc = __real_nl_connect(socket, protocol);
    faultEnd();
    return rc;
}

ssize_t __wrap_send(int fd, const void *data, size_t size, int flags);
ssize_t
__wrap_send(int fd, const void *data, size_t size, int flags)
{
    const struct nlmsghdr *header = data;
    int problem;

    asked = header->nlmsg_type == RTM_GETLINK ? FAULT_READING : FAULT_CHANGE;
    problem = faultBegin(asked, FAULT_SEND);
    if (problem) {
        errno = problem;
        return -1;
    }
    work(header);
    faultEnd();
    return (ssize_t)size;
}

/* An answer that finds no room is lost; it waits for whoever is interrupted, or asks too early. */
ssize_t __wrap_recvfrom(int fd, void *data, size_t size, int flags, struct sockaddr *from, socklen_t *fromSize);
ssize_t
__wrap_recvfrom(int fd, void *data, size_t size, int flags, struct sockaddr *from, socklen_t *fromSize)
{
    int problem = faultBegin(asked, FAULT_RECEIVE);
    ssize_t n = (ssize_t)answer->len;

    if (problem == 0 && n == 0)
        problem = EAGAIN;
    if (problem == 0) {
        g_assert_cmpuint(answer->len, <=, size);
        memcpy(data, answer->data, answer->len);
        memset(from, 0, *fromSize);
    }
    if (problem != EINTR && problem != EAGAIN)
        g_byte_array_set_size(answer, 0);
    faultEnd();
    errno = problem;
    return problem ? -1 : n;
}
