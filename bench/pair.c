/* pair.c: what two writers on two PFs at once cost, by us and by bare rtnetlink requests: see README.md
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 *   pair ROUNDS DELAY PF PF
 *
 * Theory of operation. RTNL, the kernel's one lock for the host's network, serialises all writers. With dualport's knob
 * each setting takes DELAY milliseconds under it, so two writers take as long as all their settings, if they leave RTNL
 * idle at no time. The bare writer sends requests that were built before, one a port of a VF, as we do. A writer is a
 * process; all are ready before the clock runs. A round goes each way once, and before each, untimed, all VFs are given
 * back.
 */
#include "hypervisor/provision.h"
#include "util/virerror.h"
#include "util/virnetlink.h"
#include "tests/testrecord.h"

#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <netlink/msg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define VFS 2 /* of each PF */
#define KNOB "/sys/kernel/debug/dualport/%s/delay_ms"

/* What one writer sets. */
typedef struct {
    const char *pf;
    GPtrArray *hostdevs; /* virtHostdev */
    GPtrArray *requests; /* struct nl_msg: the same */
    GPtrArray *clear;    /* struct nl_msg: as after the VFs were made */
} Job;

static void G_GNUC_PRINTF(1, 2) G_GNUC_NORETURN die(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    fprintf(stderr, "pair: ");
    vfprintf(stderr, format, args);
    fprintf(stderr, "\n");
    exit(1);
}

static double
now(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

static void
setDelay(const char *pf, const char *delay)
{
    g_autofree char *path = g_strdup_printf(KNOB, pf);
    FILE *file = fopen(path, "w");

    if (!file || fprintf(file, "%s", delay) < 0 || fclose(file) != 0)
        die("%s: %s", path, g_strerror(errno));
}

/* ---- what is set ---- */

static virtNetdev
wantedOf(guint port, guint vf)
{
    virtNetdev netdev = {.port = port, .mac = {0x52, 0x54, 0, 0x11, (guint8)port, (guint8)vf}, .trust = 1};

    netdev.vlan.id = 40 + vf;
    netdev.vlan.protocol = 0x8100; /* ETH_P_8021Q */
    netdev.present =
        VIRT_NETDEV_BIT(VIRT_NETDEV_MAC) | VIRT_NETDEV_BIT(VIRT_NETDEV_VLAN) | VIRT_NETDEV_BIT(VIRT_NETDEV_TRUST);
    return netdev;
}

static struct nl_msg *
makeRequest(const virtPort *port, guint vf, const virtNetdev *netdev)
{
    struct nl_msg *msg = virtNetlinkNewMessage(RTM_SETLINK, port->ifindex);
    struct nlattr *list = nla_nest_start(msg, IFLA_VFINFO_LIST), *info = nla_nest_start(msg, IFLA_VF_INFO);

    for (virtNetdevAttr attr = 0; attr < VIRT_NETDEV_ATTR_LAST; attr++) {
        if (virtNetdevHas(netdev, attr))
            virtNetlinkAttrs[attr].put(msg, vf, netdev);
    }
    nla_nest_end(msg, info);
    nla_nest_end(msg, list);
    nlmsg_hdr(msg)->nlmsg_flags |= NLM_F_ACK;
    return msg;
}

static void
addVF(Job *job, virtHost *host, guint index)
{
    g_autofree char *target = virtHostReadLink(host, NULL, "sys/bus/pci/devices/%s/virtfn%u", job->pf, index);
    g_autoptr(GError) error = NULL;
    g_autoptr(virtVF) vf = NULL;
    virtHostdev *hostdev = g_new0(virtHostdev, 1);
    virtPCIAddress address;

    if (!target || !virtPCIAddressParse(target, &address, &error) ||
        !(vf = virtVFLookup(host, &address, &error)))
        die("VF %u of %s: %s", index, job->pf, error ? error->message : "there is none");
    virtHandleSetPCI(&hostdev->handle, &address);
    virtSettingsInit(&hostdev->settings);
    for (guint i = 0; i < vf->ports->len; i++) {
        const virtPort *port = vf->ports->pdata[i];
        virtNetdev wanted = wantedOf(port->port, index), none = {.port = port->port, .present = wanted.present};

        g_ptr_array_add(VIRT_NETDEVS(hostdev), virtNetdevCopy(&wanted));
        g_ptr_array_add(job->requests, makeRequest(port, index, &wanted));
        none.vlan.protocol = wanted.vlan.protocol;
        g_ptr_array_add(job->clear, makeRequest(port, index, &none));
    }
    g_ptr_array_add(job->hostdevs, hostdev);
}

static Job
makeJob(virtHost *host, const char *pf)
{
    Job job = {pf, g_ptr_array_new(), g_ptr_array_new(), g_ptr_array_new()};

    for (guint i = 0; i < VFS; i++)
        addVF(&job, host, i);
    return job;
}

/* ---- the ways ---- */

/* The least that can be done: a socket, and for each message a send and a receive. */
static void
sendAll(const GPtrArray *requests)
{
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    char answer[8192];

    for (guint i = 0; i < requests->len; i++) {
        struct nlmsghdr *header = nlmsg_hdr(requests->pdata[i]);

        if (send(fd, header, header->nlmsg_len, 0) < 0 || recv(fd, answer, sizeof(answer), 0) < 0)
            die("rtnetlink: %s", g_strerror(errno));
        if (((struct nlmsgerr *)nlmsg_data((struct nlmsghdr *)(void *)answer))->error != 0)
            die("the kernel refuses");
    }
    close(fd);
}

static void
runBare(const Job *job)
{
    sendAll(job->requests);
}

static void
runOurs(const Job *job)
{
    g_autoptr(virtOwner) owner = virtOwnerNew(job->pf, NULL);
    g_autoptr(virtHost) host = virtHostNew("");
    g_autoptr(GError) error = NULL;

    if (!virtProvisionPrepare(host, owner, job->hostdevs, &error))
        die("%s", error->message);
}

/* Whoever set them. */
static void
giveBack(const Job *job)
{
    g_autoptr(virtOwner) owner = virtOwnerNew(job->pf, NULL);
    g_autoptr(virtHost) host = virtHostNew("");
    g_autoptr(GError) error = NULL;

    setDelay(job->pf, "0");
    if (!testRelease(host, owner, NULL, &error))
        die("%s", error->message);
    sendAll(job->clear);
}

typedef void (*Way)(const Job *job);

/* A process that says that it is ready, waits for the word, and works. */
static pid_t
startWriter(Way way, const Job *job, int ready, int go)
{
    pid_t pid = fork();
    char byte;

    if (pid != 0)
        return pid;
    if (write(ready, "", 1) != 1 || read(go, &byte, 1) != 1)
        die("a pipe broke");
    way(job);
    _exit(0);
}

/* Returns milliseconds until all of them are through. */
static double
timed(Way way, const Job *jobs, guint n)
{
    int ready[2], go[2], status;
    char bytes[2];
    double start;

    if (pipe(ready) != 0 || pipe(go) != 0)
        die("pipe: %s", g_strerror(errno));
    for (guint i = 0; i < n; i++)
        startWriter(way, &jobs[i], ready[1], go[0]);
    for (guint i = 0; i < n; i++) {
        if (read(ready[0], bytes, 1) != 1)
            die("a writer died");
    }
    start = now();
    if (write(go[1], bytes, n) != (ssize_t)n)
        die("pipe: %s", g_strerror(errno));
    for (guint i = 0; i < n; i++) {
        if (wait(&status) < 0 || status != 0)
            die("a writer failed");
    }
    for (guint i = 0; i < 2; i++) {
        close(ready[i]);
        close(go[i]);
    }
    return now() - start;
}

static int
compareDoubles(gconstpointer a, gconstpointer b)
{
    return (*(const double *)a > *(const double *)b) - (*(const double *)a < *(const double *)b);
}

static double
median(GArray *values)
{
    g_array_sort(values, compareDoubles);
    return g_array_index(values, double, (values->len - 1) / 2);
}

static const struct {
    const char *name;
    Way way;
    guint writers;
} ways[] = {
    {"bare 1", runBare, 1},
    {"ours 1", runOurs, 1},
    {"bare 2", runBare, 2},
    {"ours 2", runOurs, 2},
};

int
main(int argc, char **argv)
{
    g_autoptr(virtHost) host = virtHostNew("");
    guint rounds = argc == 5 ? (guint)g_ascii_strtoull(argv[1], NULL, 10) : 0;
    GArray *times[G_N_ELEMENTS(ways)];
    Job jobs[2];

    if (rounds == 0)
        die("usage: pair ROUNDS DELAY PF PF");
    for (guint i = 0; i < G_N_ELEMENTS(jobs); i++)
        jobs[i] = makeJob(host, argv[3 + i]);
    for (guint way = 0; way < G_N_ELEMENTS(ways); way++)
        times[way] = g_array_new(FALSE, FALSE, sizeof(double));
    for (guint round = 0; round <= rounds; round++) {
        for (guint n = 0; n < G_N_ELEMENTS(ways); n++) {
            guint way = (round + n) % G_N_ELEMENTS(ways);
            double time;

            for (guint i = 0; i < G_N_ELEMENTS(jobs); i++) {
                giveBack(&jobs[i]);
                setDelay(jobs[i].pf, argv[2]);
            }
            time = timed(ways[way].way, jobs, ways[way].writers);
            if (round > 0) /* what happens once is not counted */
                g_array_append_val(times[way], time);
        }
    }
    for (guint i = 0; i < G_N_ELEMENTS(jobs); i++)
        giveBack(&jobs[i]);
    for (guint way = 0; way < G_N_ELEMENTS(ways); way++)
        printf("%s %.1f\n", ways[way].name, median(times[way]));
    return 0;
}
