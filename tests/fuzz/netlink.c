/* netlink.c: fuzz target: what the kernel answers
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Input: a byte (1: the rest is a whole message; else it is the attributes of an RTM_NEWLINK), and the answer. It is
 * also read as a datagram in which an answer is looked for. Whatever a driver reports must fit into a record, or what
 * was there before a guest came would be lost.
 */
#include "util/virnetlink.c"

#include "conf/record_conf.h"
#include "fuzz.h"
#include "tests/testrecord.h"

#include <string.h>

#define VFS 3

static struct nl_msg *answer; /* for each GETLINK */

static int
answerRequest(virtHost *host, struct nl_msg *request, struct nl_msg **ret_reply, char **ret_reason)
{
    (void)host;
    (void)request;
    (void)ret_reason;
    if (ret_reply)
        *ret_reply = nlmsg_convert(nlmsg_hdr(answer));
    return 0;
}

static void
doNotSleep(gulong microseconds)
{
    (void)microseconds;
}

/* What of @netdev a record must keep. XML has no way to say a profile that is not text (xml_edit.c). */
static guint
kept(const virtNetdev *netdev)
{
    bool text = g_utf8_validate(netdev->profileid, -1, NULL);

    for (const char *p = netdev->profileid; text && *p; p = g_utf8_next_char(p))
        text = (*p & ~0x1f) != 0 && g_utf8_get_char(p) < 0xfffe;
    return text ? ~0u : ~VIRT_NETDEV_BIT(VIRT_NETDEV_VIRTUALPORT);
}

/* As records keep it. */
static void
checkRecord(const virtNetdev *netdev)
{
    virtRecord record = {
        .owner = {.name = (char *)"vm1"}, .handle = {"pci", "0000:06:02.0"}, .parent = {"pci", "0000:06:00.0"}};
    g_autofree char *text = NULL;
    g_autoptr(virtRecord) read = NULL;
    g_autoptr(GError) error = NULL;

    virtSettingsInit(&record.before);
    virtSettingsInit(&record.wanted);
    g_ptr_array_add(BEFORE(&record), virtNetdevCopy(netdev));
    text = virtRecordFormat(&record);
    virtSettingsClear(&record.before);
    virtSettingsClear(&record.wanted);
    if (!(read = virtRecordParse(text, NULL, &error)))
        fuzzFail("what a driver says cannot be kept: %s\n%s", error->message, text);
    if (virtNetdevDiff(netdev, BEFORE(read)->pdata[0]) & kept(netdev))
        fuzzFail("what a driver says is not kept as it is:\n%s", text);
}

static void
readAll(virtHost *host)
{
    virtPort port = {.port = 1, .ifname = (char *)"enp1s0f0", .ifindex = 2};
    g_autoptr(GArray) stats = virtNetlinkListStats(host, &port);

    for (guint i = 0; stats && i < stats->len; i++) {
        const virtNetlinkCounts *counts = &g_array_index(stats, virtNetlinkCounts, i);

        if (counts->known >> VIRT_NETDEV_COUNTER_LAST)
            fuzzFail("VF %u: a counter that there is not is known: %x", counts->vf, counts->known);
    }
    for (guint vf = 0; vf < VFS; vf++) {
        virtNetdev netdev = {.port = 1};
        g_autoptr(GError) error = NULL;

        if (virtNetlinkGetVF(host, &port, vf, &netdev, &error))
            checkRecord(&netdev);
        for (virtNetdevAttr attr = 0; attr < VIRT_NETDEV_ATTR_LAST; attr++)
            g_free(virtNetdevAttrs[attr].format(&netdev));
    }
}

/* A profile is waited for, in answers like this one. */
static void
setProfile(virtHost *host)
{
    virtPort port = {.port = 1, .ifname = (char *)"enp1s0f0", .ifindex = 2};
    virtVF vf = {.name = "0000:01:10.0", .index = 1};
    virtNetdev netdev = {.port = 1, .present = VIRT_NETDEV_BIT(VIRT_NETDEV_VIRTUALPORT), .profileid = "gold"};

    virtNetlinkSetVF(host, &port, &vf, &netdev, netdev.present, NULL);
}

static struct nl_msg *
newAnswer(const guint8 *data, size_t size, bool whole)
{
    struct nl_msg *msg = nlmsg_alloc_size(size + 64);
    struct ifinfomsg link = {.ifi_index = 2};
    struct nlmsghdr *header = nlmsg_hdr(msg);

    if (whole) {
        memcpy(header, data, size);
        header->nlmsg_len = (guint32)MAX(size, NLMSG_HDRLEN);
        return msg;
    }
    nlmsg_put(msg, 0, 0, RTM_NEWLINK, 0, 0);
    nlmsg_append(msg, &link, sizeof(link), NLMSG_ALIGNTO);
    memcpy(nlmsg_tail(header), data, size);
    header->nlmsg_len += (guint32)size;
    return msg;
}

static void
readRaw(const guint8 *data, size_t size)
{
    g_autofree guint8 *copy = g_memdup2(data, size); /* aligned, as the real buffer is */
    struct nl_msg *reply = NULL;
    g_autofree char *reason = NULL;
    int rc = readDatagram(copy, (int)size, 0, &reply, &reason);

    if (rc > 1 || (rc == 0) != (reply != NULL))
        fuzzFail("%d, and %s reply", rc, reply ? "a" : "no");
    if (reason && !g_utf8_validate(reason, -1, NULL))
        fuzzFail("a reason that is no text");
    nlmsg_free(reply);
}

int
LLVMFuzzerTestOneInput(const guint8 *data, size_t size)
{
    g_autoptr(virtHost) host = virtHostNew("/nonexistent");

    if (size == 0)
        return 0;
    host->request = answerRequest;
    host->sleep = doNotSleep;
    answer = newAnswer(data + 1, size - 1, data[0] == 1);
    readAll(host);
    {
        g_autoptr(virtHostReads) reads = virtHostReadOnce(host);

        readAll(reads);
    }
    setProfile(host);
    nlmsg_free(answer);
    readRaw(data + 1, size - 1);
    return 0;
}
