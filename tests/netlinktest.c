/* netlinktest.c: VF messages against the fake kernel at its worst, and the socket against the real one
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "fakehost.h"
#include "util/virerror.h"
#include "util/virnetlink.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/genetlink.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netlink/attr.h>
#include <netlink/genl/genl.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PF "0000:01:00.0"

typedef struct {
    fakeHost *fake;
    virtVF *vf;
    const virtPort *port;
} Fixture;

static void
setUp(Fixture *f, gconstpointer vfs)
{
    f->fake = fakeHostNew();
    fakeHostAddPF(f->fake, PF, 1, GPOINTER_TO_UINT(vfs), "fake");
    f->vf = fakeHostLookup(f->fake, PF, 3);
    f->port = f->vf->ports->pdata[0];
}

static void
tearDown(Fixture *f, gconstpointer vfs)
{
    virtVFFree(f->vf);
    fakeHostFree(f->fake);
}

/* VF @vf is not found; the message holds @part and what to read into stays as it was. */
static void
assertUnread(Fixture *f, guint vf, int code, const char *part)
{
    g_autoptr(GError) error = NULL;
    virtNetdev read = {.port = 77};

    g_assert_false(virtNetlinkGetVF(f->fake->host, f->port, vf, &read, &error));
    g_assert_error(error, VIRT_ERROR, code);
    if (!strstr(error->message, part))
        g_error("\"%s\" is not in: %s", part, error->message);
    g_assert_cmpuint(read.port, ==, 77);
}

static void
testMissing(Fixture *f, gconstpointer data)
{
    virtNetdev read;

    fakeHostVF(f->fake, PF, 1, 1)->hidden = true;
    fakeHostVF(f->fake, PF, 1, 3)->vlan = 33;
    /* By the index inside, not by position. */
    g_assert_true(virtNetlinkGetVF(f->fake->host, f->port, 3, &read, NULL));
    g_assert_cmpuint(read.vlan.id, ==, 33);
    assertUnread(f, 1, VIRT_ERROR_REFUSED, "VF 1 is not in the kernel's list of enp1s0f0, which shows 7 of 8 VFs");
    assertUnread(f, 8, VIRT_ERROR_REFUSED, "which has VFs 0 to 7");
    f->fake->listed = 2;
    assertUnread(f, 7, VIRT_ERROR_REFUSED, "which shows 2 of 8 VFs");
    f->fake->getErrno = ENODEV;
    f->fake->extack = "gone fishing";
    assertUnread(f, 3, VIRT_ERROR_HOST, "No such device (gone fishing)");
}

static void
testStats(Fixture *f, gconstpointer data)
{
    const virtNetdevStats counted = {{1000, 10, 2000, 20, 3, 4, 5, 6}};
    virtNetdevStats read = {{0}};
    g_autoptr(GError) error = NULL;

    fakeHostVF(f->fake, PF, 1, 1)->hidden = true;
    fakeHostVF(f->fake, PF, 1, 3)->stats = counted;
    g_assert_true(virtNetlinkGetVFStats(f->fake->host, f->port, 3, &read, NULL));
    g_assert_cmpmem(&read, sizeof(read), &counted, sizeof(counted));
    g_assert_false(virtNetlinkGetVFStats(f->fake->host, f->port, 1, &read, &error));
    g_assert_error(error, VIRT_ERROR, VIRT_ERROR_REFUSED);
    g_clear_error(&error);
    f->fake->getErrno = ENODEV;
    g_assert_false(virtNetlinkGetVFStats(f->fake->host, f->port, 3, &read, &error));
    g_assert_error(error, VIRT_ERROR, VIRT_ERROR_HOST);
    g_assert_cmpmem(&read, sizeof(read), &counted, sizeof(counted));
}

static const virtNetlinkCounts *
countsOf(const GArray *list, guint vf)
{
    for (guint i = 0; i < list->len; i++) {
        if (g_array_index(list, virtNetlinkCounts, i).vf == vf)
            return &g_array_index(list, virtNetlinkCounts, i);
    }
    return NULL;
}

/* A 0 is what the kernel says where the driver says nothing. */
static void
testListStats(Fixture *f, gconstpointer data)
{
    const guint bytes = 1u << VIRT_NETDEV_RX_BYTES, dropped = 1u << VIRT_NETDEV_TX_DROPPED;
    g_autoptr(GArray) silent = virtNetlinkListStats(f->fake->host, f->port);
    g_autoptr(GArray) list = NULL;
    guint gets = f->fake->gets;

    g_assert_cmpuint(silent->len, ==, 8);
    for (guint vf = 0; vf < 8; vf++)
        g_assert_cmpuint(countsOf(silent, vf)->known, ==, 0);
    fakeHostVF(f->fake, PF, 1, 1)->hidden = true;
    fakeHostVF(f->fake, PF, 1, 3)->stats.of[VIRT_NETDEV_RX_BYTES] = 1000;
    fakeHostVF(f->fake, PF, 1, 4)->stats.of[VIRT_NETDEV_TX_DROPPED] = 7;
    list = virtNetlinkListStats(f->fake->host, f->port);
    g_assert_cmpuint(f->fake->gets, ==, gets + 1);
    g_assert_cmpuint(list->len, ==, 7);
    g_assert_null(countsOf(list, 1));
    g_assert_cmpuint(countsOf(list, 2)->known, ==, 0); /* or its call has failed */
    g_assert_cmpuint(countsOf(list, 3)->known, ==, bytes | dropped);
    g_assert_cmpuint(countsOf(list, 3)->stats.of[VIRT_NETDEV_RX_BYTES], ==, 1000);
    g_assert_cmpuint(countsOf(list, 4)->known, ==, bytes | dropped);
    g_assert_cmpuint(countsOf(list, 4)->stats.of[VIRT_NETDEV_TX_DROPPED], ==, 7);
    f->fake->getErrno = ENODEV;
    g_assert_null(virtNetlinkListStats(f->fake->host, f->port));
}

/* 240 VFs fit without their statistics; 400 run over 16 bits and leave 65, and what follows reads like anything. */
static void
testLongLists(void)
{
    for (guint vfs = 240; vfs <= 400; vfs += 160) {
        Fixture f;
        virtNetdev read;

        setUp(&f, GUINT_TO_POINTER(vfs));
        fakeHostVF(f.fake, PF, 1, 64)->vlan = 65;
        g_assert_true(virtNetlinkGetVF(f.fake->host, f.port, 64, &read, NULL));
        g_assert_cmpuint(read.vlan.id, ==, 65);
        /* With their statistics both run over. */
        g_assert_false(virtNetlinkGetVFStats(f.fake->host, f.port, 239, &(virtNetdevStats){{0}}, NULL));
        if (vfs == 240)
            g_assert_true(virtNetlinkGetVF(f.fake->host, f.port, 239, &read, NULL));
        else
            assertUnread(&f, 399, VIRT_ERROR_REFUSED, "which shows 65 of 400 VFs");
        tearDown(&f, NULL);
    }
}

static guint
readVlan(Fixture *f, guint vf)
{
    virtNetdev read;

    g_assert_true(virtNetlinkGetVF(f->fake->host, f->port, vf, &read, NULL));
    return read.vlan.id;
}

/* One list serves all VFs of a port until something is written, and no longer than it is asked for. */
static void
testReadOnce(Fixture *f, gconstpointer data)
{
    virtNetdev netdev = {.port = 1, .vlan = {.id = 42}};

    readVlan(f, 0);
    readVlan(f, 1);
    g_assert_cmpuint(f->fake->gets, ==, 2);
    for (guint i = 0; i < 2; i++) {
        g_autoptr(virtHostReads) reads G_GNUC_UNUSED = virtHostReadOnce(f->fake->host);
        g_autoptr(virtHostReads) inner G_GNUC_UNUSED = virtHostReadOnce(f->fake->host);

        fakeHostVF(f->fake, PF, 1, 1)->hidden = true;
        for (guint vf = 0; vf < 8; vf++) {
            if (vf != 1)
                g_assert_cmpuint(readVlan(f, vf), ==, vf == 3 && i > 0 ? 42 : 0);
        }
        assertUnread(f, 1, VIRT_ERROR_REFUSED, "shows 7 of 8 VFs");
        g_assert_cmpuint(f->fake->gets, ==, 3 + i * 2);
        f->fake->refused = i > 0 ? VIRT_NETDEV_BIT(VIRT_NETDEV_VLAN) : 0; /* a refused one counts as written too */
        virtNetlinkSetVF(f->fake->host, f->port, f->vf, &netdev, VIRT_NETDEV_BIT(VIRT_NETDEV_VLAN), NULL);
        g_assert_cmpuint(readVlan(f, 3), ==, 42);
        g_assert_cmpuint(f->fake->gets, ==, 4 + i * 2);
    }
    g_assert_null(f->fake->host->links);
    fakeHostVF(f->fake, PF, 1, 3)->vlan = 43;
    g_assert_cmpuint(readVlan(f, 3), ==, 43);
}

/* 40 VFs of one port in three requests; to the first that is refused, and not again where the device is busy. */
static void
testSetMany(void)
{
    Fixture f;
    virtVF vfs[40];
    virtNetdev netdevs[40];
    virtNetlinkChange changes[40];

    setUp(&f, GUINT_TO_POINTER(40));
    for (guint i = 0; i < 40; i++) {
        vfs[i] = (virtVF){.index = i};
        netdevs[i] = (virtNetdev){.port = 1, .vlan = {.id = (guint16)(i + 1)}, .trust = 1};
        changes[i] = (virtNetlinkChange){f.port, &vfs[i], &netdevs[i],
                                         VIRT_NETDEV_BIT(VIRT_NETDEV_VLAN) | VIRT_NETDEV_BIT(VIRT_NETDEV_TRUST)};
    }
    changes[5].attrs = 0;
    g_assert_true(virtNetlinkSetVFs(f.fake->host, changes, 40));
    g_assert_cmpuint(f.fake->sets, ==, 3);
    for (guint i = 0; i < 40; i++)
        g_assert_cmpuint(fakeHostVF(f.fake, PF, 1, i)->vlan, ==, i == 5 ? 0 : i + 1);
    f.fake->busy = 1;
    g_assert_false(virtNetlinkSetVFs(f.fake->host, changes, 40));
    g_assert_cmpuint(f.fake->sets, ==, 4);
    g_assert_cmpuint(f.fake->slept, ==, 0);
    f.fake->failAttr = 34; /* the trust of VF 17, in the second request */
    g_assert_false(virtNetlinkSetVFs(f.fake->host, changes, 40));
    g_assert_cmpuint(f.fake->sets, ==, 6);
    tearDown(&f, NULL);
}

/* Reading, while a tenth of the bytes behind the header are random; with sanitizers this is the test. */
static void
garble(void *opaque, struct nl_msg *reply)
{
    GRand *rand = opaque;
    struct nlmsghdr *header = nlmsg_hdr(reply);
    guint8 *payload = nlmsg_data(header);
    gint32 length = (gint32)(header->nlmsg_len - NLMSG_HDRLEN);

    for (gint32 i = 0, n = g_rand_int_range(rand, 0, length / 10); i < n; i++)
        payload[g_rand_int_range(rand, sizeof(struct ifinfomsg), length)] = (guint8)g_rand_int_range(rand, 0, 256);
    if (g_rand_boolean(rand))
        header->nlmsg_len = (guint32)g_rand_int_range(rand, NLMSG_HDRLEN, (gint32)header->nlmsg_len);
}

static void
testGarbage(Fixture *f, gconstpointer data)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed(20240229);

    f->fake->garble = garble;
    f->fake->garbleOpaque = rand;
    f->fake->guids = f->fake->profiles = true;
    g_strlcpy(fakeHostVF(f->fake, PF, 1, 3)->profile, "profile", VIRT_NETDEV_PROFILE_LEN);
    for (guint i = 0; i < 20000; i++) {
        virtNetdev read;
        g_autoptr(GError) error = NULL;
        bool ok = virtNetlinkGetVF(f->fake->host, f->port, 3, &read, &error);

        g_assert_true(ok == !error);
        g_assert_true(!ok || read.profileid[VIRT_NETDEV_PROFILE_LEN - 1] == '\0');
        g_assert_true(!ok || (read.vlan.id < 4095 && read.vlan.priority < 8 && read.link < 3 && read.spoofcheck < 2 &&
                              read.trust < 2));
    }
}

static void
otherLink(void *opaque, struct nl_msg *reply)
{
    ((struct ifinfomsg *)nlmsg_data(nlmsg_hdr(reply)))->ifi_index++;
}

static void
otherType(void *opaque, struct nl_msg *reply)
{
    nlmsg_hdr(reply)->nlmsg_type = RTM_DELLINK;
}

static void
shortHeader(void *opaque, struct nl_msg *reply)
{
    nlmsg_hdr(reply)->nlmsg_len = NLMSG_HDRLEN + 4;
}

static void
noVFs(void *opaque, struct nl_msg *reply)
{
    nlmsg_find_attr(nlmsg_hdr(reply), sizeof(struct ifinfomsg), IFLA_NUM_VF)->nla_type = IFLA_MTU;
    nlmsg_find_attr(nlmsg_hdr(reply), sizeof(struct ifinfomsg), IFLA_VFINFO_LIST)->nla_type = IFLA_LINKINFO;
}

static void
testWrongAnswer(Fixture *f, gconstpointer data)
{
    f->fake->garble = otherLink;
    assertUnread(f, 3, VIRT_ERROR_HOST, "Bad message");
    f->fake->garble = otherType;
    assertUnread(f, 3, VIRT_ERROR_HOST, "Bad message");
    f->fake->garble = shortHeader;
    assertUnread(f, 3, VIRT_ERROR_HOST, "Bad message");
    f->fake->garble = noVFs;
    assertUnread(f, 3, VIRT_ERROR_REFUSED, "which has no VFs");
}

static int
setVlan(Fixture *f, char **ret_reason)
{
    virtNetdev netdev = {.port = 1, .vlan = {.id = 42}};

    return virtNetlinkSetVF(f->fake->host, f->port, f->vf, &netdev, VIRT_NETDEV_BIT(VIRT_NETDEV_VLAN), ret_reason);
}

static void
testBusy(Fixture *f, gconstpointer data)
{
    g_autofree char *reason = NULL;

    f->fake->busy = 4;
    g_assert_cmpint(setVlan(f, &reason), ==, 0);
    g_assert_cmpuint(f->fake->sets, ==, 5);
    g_assert_cmpuint(f->fake->slept, ==, 150000);
    g_assert_cmpuint(fakeHostVF(f->fake, PF, 1, 3)->vlan, ==, 42);
    /* Bounded, and the reason is the last answer's. */
    f->fake->slept = 0;
    f->fake->busy = G_MAXUINT;
    f->fake->extack = "in reset";
    g_assert_cmpint(setVlan(f, &reason), ==, -EAGAIN);
    g_assert_cmpstr(reason, ==, "in reset");
    g_assert_cmpuint(f->fake->slept, <=, 3000000);
    g_assert_cmpuint(f->fake->slept, >=, 1270000);
}

static void
testErrno(Fixture *f, gconstpointer data)
{
    static const int numbers[] = {EPERM,  EACCES, EOPNOTSUPP, EPROTONOSUPPORT, ERANGE,
                                  EINVAL, ENODEV, ETIMEDOUT,  EMSGSIZE};

    for (guint i = 0; i < G_N_ELEMENTS(numbers); i++) {
        g_autofree char *reason = NULL;
        guint before;

        f->fake->refused = VIRT_NETDEV_BIT(VIRT_NETDEV_VLAN);
        f->fake->failErrno = numbers[i];
        before = f->fake->sets;
        g_assert_cmpint(setVlan(f, &reason), ==, -numbers[i]);
        g_assert_cmpuint(f->fake->sets, ==, before + 1);
        g_assert_null(reason);
        g_assert_cmpint(setVlan(f, NULL), ==, -numbers[i]);
    }
}

static int
setProfile(Fixture *f, const char *profile, char **ret_reason)
{
    virtNetdev netdev = {.port = 1};

    g_strlcpy(netdev.profileid, profile, sizeof(netdev.profileid));
    return virtNetlinkSetVF(f->fake->host, f->port, f->vf, &netdev, VIRT_NETDEV_BIT(VIRT_NETDEV_VIRTUALPORT),
                            ret_reason);
}

static void
testProfile(Fixture *f, gconstpointer data)
{
    g_autofree char *reason = NULL;
    fakeVF *vf = fakeHostVF(f->fake, PF, 1, 3);

    f->fake->profiles = true;
    memcpy(f->vf->instance, "0123456789abcdef", 16);
    vf->response = PORT_PROFILE_RESPONSE_SUCCESS;
    vf->pending = 3;
    g_assert_cmpint(setProfile(f, "web", &reason), ==, 0);
    g_assert_cmpuint(f->fake->slept, ==, 3 * 125000);
    g_assert_cmpstr(vf->profile, ==, "web");
    g_assert_cmpmem(vf->instance, 16, "0123456789abcdef", 16);
    g_assert_cmpmem(vf->hostUuid, 4, "\x4c\x4c\x45\x44", 4);
    g_assert_cmpint(setProfile(f, "", &reason), ==, 0);
    g_assert_cmpstr(vf->profile, ==, "");
    g_assert_null(reason);
}

static void
testProfileRefused(Fixture *f, gconstpointer data)
{
    g_autofree char *reason = NULL;
    fakeVF *vf = fakeHostVF(f->fake, PF, 1, 3);

    f->fake->profiles = true;
    vf->response = PORT_PROFILE_RESPONSE_INVALID;
    g_assert_cmpint(setProfile(f, "web", &reason), ==, -EPROTO);
    g_assert_cmpstr(reason, ==, "the switch answered: invalid profile");
    vf->pending = G_MAXUINT;
    g_assert_cmpint(setProfile(f, "other", NULL), ==, -ETIMEDOUT);
    g_assert_cmpuint(f->fake->slept, ==, 10 * G_USEC_PER_SEC);
    /* No entry at all is no success. */
    memset(vf->profile, 0, sizeof(vf->profile));
    f->fake->ignored = VIRT_NETDEV_BIT(VIRT_NETDEV_VIRTUALPORT);
    g_assert_cmpint(setProfile(f, "web", NULL), ==, -ETIMEDOUT);
}

static void
testHostUuid(Fixture *f, gconstpointer data)
{
    fakeVF *vf = fakeHostVF(f->fake, PF, 1, 3);

    f->fake->profiles = true;
    vf->response = PORT_PROFILE_RESPONSE_SUCCESS;
    fakeHostFile(f->fake, "not a uuid\n", "sys/class/dmi/id/product_uuid");
    fakeHostFile(f->fake, "00112233445566778899aabbccddeeff\n", "etc/machine-id");
    g_assert_cmpint(setProfile(f, "web", NULL), ==, 0);
    g_assert_cmpmem(vf->hostUuid, 4, "\x00\x11\x22\x33", 4);
}

/* --- The real kernel, of which lo is always there --- */

static virtPort
makeLo(void)
{
    static char name[] = "lo";
    virtPort port = {.port = 1, .ifname = name, .ifindex = if_nametoindex("lo")};

    g_assert_cmpuint(port.ifindex, >, 0);
    return port;
}

static void
testRealGet(void)
{
    g_autoptr(virtHost) host = virtHostNew(NULL);
    virtPort lo = makeLo(), none = makeLo();

    none.ifindex = 0x7ffffff0;
    for (guint i = 0; i < 3; i++) { /* over one socket */
        virtNetdev read;
        g_autoptr(GError) error = NULL, missing = NULL;
        struct nl_msg *reply = NULL;

        g_assert_cmpint(virtNetlinkGetLink(host, lo.ifindex, false, &reply, NULL), ==, 0);
        g_assert_cmpstr(nla_get_string(virtNetlinkFind(reply, IFLA_IFNAME)), ==, "lo");
        nlmsg_free(reply);
        g_assert_false(virtNetlinkGetVF(host, &lo, 0, &read, &error));
        g_assert_error(error, VIRT_ERROR, VIRT_ERROR_REFUSED);
        g_assert_false(virtNetlinkGetVF(host, &none, 0, &read, &missing));
        g_assert_error(missing, VIRT_ERROR, VIRT_ERROR_HOST);
        g_assert_nonnull(strstr(missing->message, "No such device"));
    }
}

/* What sysfs calls so has another name in this network namespace: its VFs are not looked at. */
static void
testOtherNamespace(Fixture *f, gconstpointer data)
{
    g_autofree char *other = NULL;
    virtPort *port;

    fakeHostAddPF(f->fake, "0000:02:00.0", 1, 8, "igb");
    other = fakeHostRead(f->fake, "sys/class/net/%s/ifindex", fakeHostIfname(f->fake, "0000:02:00.0", 1));
    port = (virtPort *)f->port;
    port->ifindex = (guint)atoi(other);
    assertUnread(f, 1, VIRT_ERROR_NOT_FOUND, "sysfs shows another network namespace");
}

/* ... but not where it was renamed since it was looked up. */
static void
testRenamed(Fixture *f, gconstpointer data)
{
    virtNetdev read;
    g_autoptr(GError) error = NULL;

    fakeHostRename(f->fake, PF, 1, "lan0");
    g_assert_true(virtNetlinkGetVF(f->fake->host, f->port, 1, &read, &error));
    g_assert_no_error(error);
}

/* An answer nobody waited for any more is passed over. */
static void
testRealStale(void)
{
    g_autoptr(virtHost) host = virtHostNew(NULL);
    struct nl_msg *reply = NULL, *stale = virtNetlinkNewMessage(RTM_GETLINK, 0x7ffffff0);

    g_assert_cmpint(virtNetlinkGetLink(host, makeLo().ifindex, false, &reply, NULL), ==, 0);
    nlmsg_free(reply);
    g_assert_cmpint(nl_send_auto(host->socket, stale), >, 0);
    nlmsg_free(stale);
    g_assert_cmpint(virtNetlinkGetLink(host, makeLo().ifindex, false, &reply, NULL), ==, 0);
    nlmsg_free(reply);
}

/* lo has no VFs: EPERM without the right to try, EOPNOTSUPP or EINVAL with it; never 0, never anything of libnl. */
static void
testRealSet(void)
{
    g_autoptr(virtHost) host = virtHostNew(NULL);
    g_autofree char *reason = NULL;
    virtPort lo = makeLo();
    virtVF vf = {.index = 0};
    virtNetdev netdev = {.vlan = {.id = 1}};
    int rc = virtNetlinkSetVF(host, &lo, &vf, &netdev, VIRT_NETDEV_BIT(VIRT_NETDEV_VLAN), &reason);

    g_assert_true(rc == -EPERM || rc == -EOPNOTSUPP || rc == -EINVAL);
}

/* A request the kernel explains: a MAC address of the wrong length has been in its policy's words since 4.20. */
static void
testRealReason(void)
{
    g_autoptr(virtHost) host = virtHostNew(NULL);
    g_autofree char *reason = NULL;
    struct nl_msg *reply = NULL;
    struct nl_msg *request = virtNetlinkNewMessage(RTM_GETLINK, makeLo().ifindex);
    int rc;

    ((struct ifinfomsg *)nlmsg_data(nlmsg_hdr(request)))->ifi_family = AF_INET;
    nla_put(request, IFLA_EXT_MASK, 1, ""); /* a u32, says rtnetlink's policy */
    rc = host->request(host, request, &reply, &reason);
    nlmsg_free(request);
    g_assert_cmpint(rc, <, 0);
    g_assert_null(reply);
    if (!reason)
        g_test_message("this kernel (rc %d) explains nothing", rc);
    else
        g_assert_true(g_utf8_validate(reason, -1, NULL) && *reason);
}

/* --- A socket that is no kernel's, for answers as long as none has been yet --- */

/* What is answered to the one request that comes. */
typedef struct {
    int fd;
    guint16 type, flags;
    gsize length; /* of the datagram, and of the one message in it */
    int error;    /* of an NLMSG_ERROR */
    guint reason; /* bytes of its extended ACK */
} Answer;

static gpointer
giveAnswer(gpointer opaque)
{
    const Answer *answer = opaque;
    g_autofree guint8 *bytes = g_malloc0(answer->length);
    struct nlmsghdr request = {0}, *header = (struct nlmsghdr *)(void *)bytes;
    struct nlmsgerr *body = nlmsg_data(header);

    g_assert_cmpint(recv(answer->fd, &request, sizeof(request), 0), ==, sizeof(request));
    header->nlmsg_len = (guint32)answer->length;
    header->nlmsg_type = answer->type;
    header->nlmsg_flags = answer->flags;
    header->nlmsg_seq = request.nlmsg_seq;
    if (answer->type == NLMSG_ERROR)
        body->error = answer->error;
    if (answer->reason) {
        struct nlattr *attr = (struct nlattr *)(void *)(body + 1);

        attr->nla_type = NLMSGERR_ATTR_MSG;
        attr->nla_len = (guint16)(NLA_HDRLEN + answer->reason);
        memset(nla_data(attr), 'x', answer->reason);
    }
    g_assert_cmpint(send(answer->fd, bytes, answer->length, 0), ==, (gssize)answer->length);
    return NULL;
}

static void
makePair(int ret[2])
{
    int size = 1024 * 1024;

    g_assert_cmpint(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ret), ==, 0);
    setsockopt(ret[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
}

/* Ask for a link, or for a change, and be given @answer. */
static int
requestFrom(Answer *answer, bool wantsReply, char **ret_reason)
{
    g_autoptr(virtHost) host = virtHostNew(NULL);
    struct nl_msg *reply = NULL, *first = virtNetlinkNewMessage(RTM_GETLINK, makeLo().ifindex);
    struct nl_msg *request = virtNetlinkNewMessage(RTM_GETLINK, makeLo().ifindex);
    int pair[2];
    GThread *thread;
    int rc;

    g_assert_cmpint(host->request(host, first, &reply, NULL), ==, 0);
    nlmsg_free(reply);
    nlmsg_free(first);
    makePair(pair);
    g_assert_cmpint(dup2(pair[0], nl_socket_get_fd(host->socket)), >=, 0);
    close(pair[0]);
    answer->fd = pair[1];
    thread = g_thread_new("kernel", giveAnswer, answer);
    reply = NULL;
    rc = host->request(host, request, wantsReply ? &reply : NULL, ret_reason);
    g_thread_join(thread);
    close(pair[1]);
    nlmsg_free(request);
    nlmsg_free(reply);
    return rc;
}

static void
testAnswerMax(void)
{
    static const struct {
        bool wantsReply;
        gsize most;
        const char *message;
    } cases[] = {
        {true, 262144, "the kernel's answer has 262148 bytes, more than the limit of 262144"},
        {false, 16384, "the kernel's answer has 16388 bytes, more than the limit of 16384"},
    };
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *none = NULL, *reason = NULL;
        guint16 type = cases[i].wantsReply ? RTM_NEWLINK : NLMSG_ERROR;
        Answer most = {.type = type, .length = cases[i].most}, more = {.type = type, .length = cases[i].most + 4};

        g_assert_cmpint(requestFrom(&most, cases[i].wantsReply, &none), ==, 0);
        g_assert_null(none);
        g_assert_cmpint(requestFrom(&more, cases[i].wantsReply, &reason), ==, -EMSGSIZE);
        g_assert_cmpstr(reason, ==, cases[i].message);
    }
}

/* The kernel's words are cut where they are no sentence any more. */
static void
testReasonMax(void)
{
    for (guint bytes = 200; bytes <= 201; bytes++) {
        g_autofree char *reason = NULL;
        Answer refusal = {.type = NLMSG_ERROR, .flags = NLM_F_ACK_TLVS | NLM_F_CAPPED, .length = 400};

        refusal.error = -EPERM;
        refusal.reason = bytes;
        g_assert_cmpint(requestFrom(&refusal, false, &reason), ==, -EPERM);
        g_assert_cmpuint(strlen(reason), ==, 200);
    }
}

/* @n messages of a dump, and its end. */
static GArray *
makeDump(guint n, guint16 flags, int end)
{
    GArray *headers = g_array_new(FALSE, TRUE, sizeof(struct nlmsghdr));
    struct nlmsghdr header = {.nlmsg_len = NLMSG_HDRLEN, .nlmsg_type = 20, .nlmsg_flags = flags, .nlmsg_seq = 7};

    for (guint i = 0; i < n; i++)
        g_array_append_val(headers, header);
    header.nlmsg_seq = 6; /* of an earlier one */
    g_array_append_val(headers, header);
    header.nlmsg_seq = 7;
    header.nlmsg_type = NLMSG_DONE;
    header.nlmsg_len += (guint32)sizeof(header);
    g_array_append_val(headers, header);
    memset(&header, 0, sizeof(header));
    memcpy(&header, &end, sizeof(end));
    g_array_append_val(headers, header);
    return headers;
}

/* Reads a dump of @n messages; returns what that returns, and in @ret_n how many there were. */
static int
readDump(guint n, guint16 flags, int end, guint *ret_n, bool *ret_disturbed)
{
    g_autoptr(GArray) headers = makeDump(n, flags, end);
    g_autoptr(GPtrArray) replies = g_ptr_array_new_with_free_func((GDestroyNotify)nlmsg_free);
    int rc;

    *ret_disturbed = false;
    rc = virtNetlinkParseDump(headers->data, (int)(headers->len * sizeof(struct nlmsghdr)), 7, replies, ret_disturbed,
                              NULL);
    *ret_n = replies->len;
    return rc;
}

static void
testDump(void)
{
    bool disturbed;
    guint n;

    g_assert_cmpint(readDump(3, NLM_F_MULTI, 0, &n, &disturbed), ==, 0);
    g_assert_cmpuint(n, ==, 3);
    g_assert_false(disturbed);
    g_assert_cmpint(readDump(3, NLM_F_MULTI | NLM_F_DUMP_INTR, 0, &n, &disturbed), ==, 0);
    g_assert_true(disturbed);
    g_assert_cmpint(readDump(3, NLM_F_MULTI, -ENODEV, &n, &disturbed), ==, -ENODEV);
    g_assert_cmpint(readDump(131072, NLM_F_MULTI, 0, &n, &disturbed), ==, 0);
    g_assert_cmpint(readDump(131073, NLM_F_MULTI, 0, &n, &disturbed), ==, -EMSGSIZE);
}

/* Every kernel has a list of the families of generic netlink. */
static void
testRealDump(void)
{
    g_autoptr(virtHost) host = virtHostNew(NULL);
    g_autoptr(GPtrArray) replies = g_ptr_array_new_with_free_func((GDestroyNotify)nlmsg_free);
    struct nl_msg *request = nlmsg_alloc();

    genlmsg_put(request, NL_AUTO_PORT, NL_AUTO_SEQ, 0, 0, NLM_F_REQUEST | NLM_F_DUMP, CTRL_CMD_GETFAMILY, 1);
    for (guint i = 0; i < 2; i++) {
        guint before = replies->len;

        g_assert_cmpint(host->dumpGeneric(host, "nlctrl", request, replies, NULL), ==, 0);
        g_assert_cmpuint(replies->len, >, before);
    }
    g_assert_cmpint(host->dumpGeneric(host, "none", request, replies, NULL), ==, -ENOENT);
    nlmsg_free(request);
}

static void
countNews(const char *ifname, void *opaque)
{
    g_assert_cmpstr(ifname, ==, "lan0");
    (*(guint *)opaque)++;
}

/* News of @length bytes. */
static void
sendNews(int fd, gsize length)
{
    g_autofree guint8 *bytes = g_malloc0(length);
    struct nl_msg *news = virtNetlinkNewMessage(RTM_NEWLINK, 7);

    nla_put_string(news, IFLA_IFNAME, "lan0");
    memcpy(bytes, nlmsg_hdr(news), nlmsg_hdr(news)->nlmsg_len);
    g_assert_cmpint(send(fd, bytes, length, 0), ==, (gssize)length);
    nlmsg_free(news);
}

/* What is too long to be read may be news of anything. What comes in great numbers is read in several turns. */
static void
testWatchMax(void)
{
    int pair[2];
    guint count = 0;

    makePair(pair);
    g_assert_cmpint(fcntl(pair[0], F_SETFL, O_NONBLOCK), ==, 0);
    sendNews(pair[1], 32768);
    g_assert_true(virtNetlinkWatchRead(pair[0], virtNetlinkWatchParse, countNews, &count));
    g_assert_cmpuint(count, ==, 1);
    sendNews(pair[1], 32769);
    g_assert_false(virtNetlinkWatchRead(pair[0], virtNetlinkWatchParse, countNews, &count));
    g_assert_cmpuint(count, ==, 1);
    for (guint i = 0; i < 65; i++)
        sendNews(pair[1], 128);
    g_assert_true(virtNetlinkWatchRead(pair[0], virtNetlinkWatchParse, countNews, &count));
    g_assert_cmpuint(count, ==, 65);
    g_assert_true(virtNetlinkWatchRead(pair[0], virtNetlinkWatchParse, countNews, &count));
    g_assert_cmpuint(count, ==, 66);
    close(pair[0]);
    close(pair[1]);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define ADD(name, func) g_test_add("/netlink/" name, Fixture, GUINT_TO_POINTER(8), setUp, func, tearDown)
    ADD("missing", testMissing);
    ADD("stats", testStats);
    ADD("stats/list", testListStats);
    ADD("read-once", testReadOnce);
    ADD("garbage", testGarbage);
    ADD("wrong-answer", testWrongAnswer);
    ADD("busy", testBusy);
    ADD("other-namespace", testOtherNamespace);
    ADD("renamed", testRenamed);
    ADD("errno", testErrno);
    ADD("profile", testProfile);
    ADD("profile-refused", testProfileRefused);
    ADD("host-uuid", testHostUuid);
    g_test_add_func("/netlink/long-lists", testLongLists);
    g_test_add_func("/netlink/set-many", testSetMany);
    g_test_add_func("/netlink/answer-max", testAnswerMax);
    g_test_add_func("/netlink/reason-max", testReasonMax);
    g_test_add_func("/netlink/watch-max", testWatchMax);
    g_test_add_func("/netlink/dump", testDump);
    g_test_add_func("/netlink/real/dump", testRealDump);
    g_test_add_func("/netlink/real/get", testRealGet);
    g_test_add_func("/netlink/real/stale", testRealStale);
    g_test_add_func("/netlink/real/set", testRealSet);
    g_test_add_func("/netlink/real/reason", testRealReason);
    return g_test_run();
}
