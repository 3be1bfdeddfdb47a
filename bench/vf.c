/* vf.c: what it costs to set VFs, by us and by others on the same VFs: see README.md
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 *   vf many ROOT IFNAME VFS [ROUNDS]   set 5 attributes of all of them, each way, in turns
 *   vf one ROOT IFNAME VFS             set one of them
 *
 * Theory of operation. IFNAME is a netdev that has VFs, which need be no PCI devices (netdevsim): ROOT has the PCI side
 * that they lack, and leads to IFNAME's real sysfs; see netdevsim_up in tests/lab/guest/nics.sh. A round goes each way
 * once. Before each of them, untimed, all VFs are given other values, and after it they are looked at, so that no way
 * gains by doing nothing. Ratios are taken within a round before their median is taken over the rounds.
 */
#include "hypervisor/provision.h"
#include "util/virnetlink.h"
#include "tests/testrecord.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netlink/msg.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define FIRST_VF 0x1080 /* routing ID of VF 0; the others follow it */
#define VLAN 42
#define PRIORITY 3
#define MEGABITS 1000

typedef struct {
    const char *root, *ifname;
    guint ifindex, vfs, round, rounds;
    GPtrArray *hostdevs;
    virtHost *host;
    struct nl_msg **floor; /* a request a VF */
    char *batches[2];      /* files for ip -batch: an attribute a line, a VF a line */
} Bench;

static void G_GNUC_PRINTF(1, 2) G_GNUC_NORETURN die(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    fprintf(stderr, "bench: ");
    vfprintf(stderr, format, args);
    fprintf(stderr, "\n");
    exit(1);
}

static double
now(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec * 1e6 + (double)ts.tv_nsec / 1e3;
}

/* ---- what is set ---- */

/* As tests/lab/guest/pcitree.py places them. */
static virtPCIAddress
vfAddress(guint vf)
{
    guint id = FIRST_VF + vf;

    return (virtPCIAddress){.bus = id >> 8, .slot = id >> 3 & 0x1f, .function = id & 7};
}

static void
makeMac(const Bench *bench, guint vf, guint8 ret[6])
{
    const guint8 mac[6] = {0x52, 0x54, 0, (guint8)bench->round, (guint8)(vf >> 8), (guint8)vf};

    memcpy(ret, mac, sizeof(mac));
}

static virtNetdev
wantedOf(const Bench *bench, guint vf)
{
    virtNetdev netdev = {.port = 1, .trust = 1};

    makeMac(bench, vf, netdev.mac);
    netdev.vlan.id = VLAN;
    netdev.vlan.priority = PRIORITY;
    netdev.vlan.protocol = ETH_P_8021Q;
    virtNetdevSetRate(&netdev, MEGABITS, 0);
    netdev.present = VIRT_NETDEV_BIT(VIRT_NETDEV_MAC) | VIRT_NETDEV_BIT(VIRT_NETDEV_VLAN) |
                     VIRT_NETDEV_BIT(VIRT_NETDEV_BANDWIDTH) | VIRT_NETDEV_BIT(VIRT_NETDEV_SPOOFCHECK) |
                     VIRT_NETDEV_BIT(VIRT_NETDEV_TRUST);
    return netdev;
}

/* One request with all that @netdev has of VF @vf. */
static struct nl_msg *
makeRequest(const Bench *bench, guint vf, const virtNetdev *netdev)
{
    struct nl_msg *msg = virtNetlinkNewMessage(RTM_SETLINK, bench->ifindex);
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

/* The least that can be done: a socket, and for each message a send and a receive. */
static void
sendAll(struct nl_msg **messages, guint n)
{
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    char answer[8192];

    for (guint i = 0; i < n; i++) {
        struct nlmsghdr *header = nlmsg_hdr(messages[i]);

        if (send(fd, header, header->nlmsg_len, 0) < 0 || recv(fd, answer, sizeof(answer), 0) < 0)
            die("rtnetlink: %s", g_strerror(errno));
        if (((struct nlmsgerr *)nlmsg_data((struct nlmsghdr *)(void *)answer))->error != 0)
            die("the kernel refuses VF %u", i);
    }
    close(fd);
}

/* All VFs as after they were made. */
static void
reset(const Bench *bench)
{
    virtNetdev none = wantedOf(bench, 0);

    memset(none.mac, 0, sizeof(none.mac));
    none.vlan.id = none.vlan.priority = 0;
    none.trust = 0;
    none.spoofcheck = 1;
    virtNetdevSetRate(&none, 0, 0);
    for (guint vf = 0; vf < bench->vfs; vf++) {
        struct nl_msg *msg = makeRequest(bench, vf, &none);

        sendAll(&msg, 1);
        nlmsg_free(msg);
    }
}

/* Is the last VF that the kernel can show as it should be? */
static bool
isSet(const Bench *bench, guint vf)
{
    g_autoptr(virtHost) host = virtHostNew(NULL);
    virtPort port = {.port = 1, .ifname = (char *)bench->ifname, .ifindex = bench->ifindex};
    virtNetdev wanted = wantedOf(bench, vf), read;

    return virtNetlinkGetVF(host, &port, vf, &read, NULL) && virtNetdevDiff(&wanted, &read) == 0;
}

/* ---- the ways ---- */

static bool
runFloor(Bench *bench)
{
    sendAll(bench->floor, bench->vfs);
    return true;
}

static bool
runOurs(Bench *bench)
{
    g_autoptr(virtOwner) owner = virtOwnerNew("bench", NULL);
    g_autoptr(virtHost) host = virtHostNew(bench->root);
    g_autoptr(GError) error = NULL;

    if (!virtProvisionPrepare(host, owner, bench->hostdevs, &error))
        die("%s", error->message);
    return true;
}

static bool
release(Bench *bench)
{
    g_autoptr(virtOwner) owner = virtOwnerNew("bench", NULL);
    g_autoptr(virtHost) host = virtHostNew(bench->root);
    g_autoptr(GError) error = NULL;

    if (!testRelease(host, owner, NULL, &error))
        die("%s", error->message);
    return true;
}

static bool
spawn(const char *const *argv)
{
    posix_spawn_file_actions_t actions;
    int status = -1;
    pid_t pid;

    extern char **environ;

    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    if (posix_spawnp(&pid, argv[0], &actions, NULL, (char **)argv, environ) != 0 || waitpid(pid, &status, 0) != pid)
        die("cannot run %s", argv[0]);
    posix_spawn_file_actions_destroy(&actions);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* The attributes of VF @vf in ip's words: five pairs, but the VLAN with its priority is one attribute. */
static void
words(const Bench *bench, guint vf, char *ret[5])
{
    guint8 mac[6];
    char text[18];

    makeMac(bench, vf, mac);
    virtMacFormat(mac, text);
    ret[0] = g_strdup_printf("mac %s", text);
    ret[1] = g_strdup_printf("vlan %d qos %d", VLAN, PRIORITY);
    ret[2] = g_strdup_printf("rate %d", MEGABITS);
    ret[3] = g_strdup("spoofchk off");
    ret[4] = g_strdup("trust on");
}

static bool
runSingle(Bench *bench)
{
    for (guint vf = 0; vf < bench->vfs; vf++) {
        char *attrs[5];
        bool ok = true;

        words(bench, vf, attrs);
        for (guint i = 0; i < G_N_ELEMENTS(attrs); i++) {
            g_autofree char *line = g_strdup_printf("ip link set dev %s vf %u %s", bench->ifname, vf, attrs[i]);
            g_auto(GStrv) argv = g_strsplit(line, " ", -1);

            ok = ok && spawn((const char *const *)argv);
            g_free(attrs[i]);
        }
        if (!ok)
            return false;
    }
    return true;
}

static bool
runBatch(Bench *bench, guint which)
{
    const char *argv[] = {"ip", "-batch", bench->batches[which], NULL};

    return spawn(argv);
}

static bool
runBatchAttrs(Bench *bench)
{
    return runBatch(bench, 0);
}

static bool
runBatchVFs(Bench *bench)
{
    return runBatch(bench, 1);
}

enum { FLOOR, OURS, SINGLE, BATCH_ATTRS, BATCH_VFS, WAYS };

static const struct {
    const char *name;
    bool (*run)(Bench *bench);
    double aim; /* how many times our time at least; 0 none */
} ways[WAYS] = {
    [FLOOR] = {"floor: a request a VF", runFloor, 0},
    [OURS] = {"virtProvisionPrepare", runOurs, 0},
    [SINGLE] = {"ip, an attribute a call", runSingle, 100},
    [BATCH_ATTRS] = {"ip -batch, an attribute a line", runBatchAttrs, 5},
    [BATCH_VFS] = {"ip -batch, a VF a line", runBatchVFs, 5},
};

#define AIM_FLOOR 3.0 /* how many times the floor at most */

/* ---- measuring ---- */

static int
compareDoubles(gconstpointer a, gconstpointer b)
{
    return (*(const double *)a > *(const double *)b) - (*(const double *)a < *(const double *)b);
}

static double
median(GArray *values)
{
    g_array_sort(values, compareDoubles);
    return values->len ? g_array_index(values, double, (values->len - 1) / 2) : 0;
}

static void
writeBatches(Bench *bench)
{
    FILE *files[2];

    for (guint which = 0; which < 2; which++) {
        if (!(files[which] = fopen(bench->batches[which], "w")))
            die("%s: %s", bench->batches[which], g_strerror(errno));
    }
    for (guint vf = 0; vf < bench->vfs; vf++) {
        char *attrs[5];

        words(bench, vf, attrs);
        fprintf(files[1], "link set dev %s vf %u", bench->ifname, vf);
        for (guint i = 0; i < G_N_ELEMENTS(attrs); i++) {
            fprintf(files[0], "link set dev %s vf %u %s\n", bench->ifname, vf, attrs[i]);
            fprintf(files[1], " %s", attrs[i]);
            g_free(attrs[i]);
        }
        fprintf(files[1], "\n");
    }
    for (guint which = 0; which < 2; which++)
        fclose(files[which]);
}

/* Everything that a round's ways are told, made before the clock runs: other MAC addresses than the last round's. */
static void
newRound(Bench *bench)
{
    bench->round++;
    if (bench->hostdevs)
        g_ptr_array_unref(bench->hostdevs);
    bench->hostdevs = g_ptr_array_new_with_free_func((GDestroyNotify)virtHostdevFree);
    for (guint vf = 0; vf < bench->vfs; vf++) {
        virtHostdev *hostdev = g_new0(virtHostdev, 1);
        virtNetdev wanted = wantedOf(bench, vf);
        const virtPCIAddress address = vfAddress(vf);

        virtHandleSetPCI(&hostdev->handle, &address);
        virtSettingsInit(&hostdev->settings);
        g_ptr_array_add(VIRT_NETDEVS(hostdev), virtNetdevCopy(&wanted));
        g_ptr_array_add(bench->hostdevs, hostdev);
        nlmsg_free(bench->floor[vf]);
        bench->floor[vf] = makeRequest(bench, vf, &wanted);
    }
    writeBatches(bench);
}

/* Go one way. Returns microseconds, or 0 when that failed. */
static double
goOneWay(Bench *bench, guint way)
{
    double start, time;
    bool ok;

    reset(bench);
    start = now();
    ok = ways[way].run(bench);
    time = now() - start;
    ok = ok && isSet(bench, 0) && isSet(bench, bench->vfs - 1);
    if (way == OURS)
        release(bench);
    return ok ? time : 0;
}

static void
showWay(guint way, GArray *times, GArray *toFloor, GArray *toOurs)
{
    double ratio, floor, middle;

    if (times->len == 0) {
        printf("  %-32s %12s\n", ways[way].name, "aborts");
        return;
    }
    ratio = median(toOurs);
    floor = median(toFloor);
    middle = median(times);
    printf("  %-32s %12.0f %12.0f %12.0f %10.2f %10.2f", ways[way].name, middle, g_array_index(times, double, 0),
           g_array_index(times, double, times->len - 1), floor, ratio);
    if (way == OURS)
        printf("   %s: at most %.0f x the floor", floor <= AIM_FLOOR ? "pass" : "MISS", AIM_FLOOR);
    if (ways[way].aim > 0)
        printf("   %s: at least %.0f x ours", ratio >= ways[way].aim ? "pass" : "MISS", ways[way].aim);
    printf("\n");
}

/* Single calls take so long that fewer rounds have to do. */
static guint
roundsOf(const Bench *bench, guint way)
{
    return way == SINGLE ? MIN(bench->rounds, bench->vfs > 100 ? 1 : 3) : bench->rounds;
}

static void
runMany(Bench *bench)
{
    GArray *times[WAYS], *toFloor[WAYS], *toOurs[WAYS];

    for (guint way = 0; way < WAYS; way++) {
        times[way] = g_array_new(FALSE, FALSE, sizeof(double));
        toFloor[way] = g_array_new(FALSE, FALSE, sizeof(double));
        toOurs[way] = g_array_new(FALSE, FALSE, sizeof(double));
    }
    newRound(bench);
    for (guint way = FLOOR; way <= OURS; way++)
        goOneWay(bench, way); /* not counted: what happens once */
    for (guint round = 0; round < roundsOf(bench, FLOOR); round++) {
        double time[WAYS] = {0};

        newRound(bench);
        for (guint i = 0; i < WAYS; i++) {
            guint way = (round + i) % WAYS;

            if (round < roundsOf(bench, way) && (time[way] = goOneWay(bench, way)) > 0)
                g_array_append_val(times[way], time[way]);
        }
        for (guint way = 0; way < WAYS; way++) {
            double ratios[2] = {time[way] / time[FLOOR], time[way] / time[OURS]};

            if (time[way] > 0) {
                g_array_append_val(toFloor[way], ratios[0]);
                g_array_append_val(toOurs[way], ratios[1]);
            }
        }
    }
    printf("5 attributes on %u VFs\n  %-32s %12s %12s %12s %10s %10s\n", bench->vfs, "", "median/us", "fastest",
           "slowest", "/floor", "/ours");
    for (guint way = 0; way < WAYS; way++)
        showWay(way, times[way], toFloor[way], toOurs[way]);
}

/* Read the port many times. Returns the median in microseconds, and the length of an answer; 0 where the answer is
 * longer than what we take. */
static double
readPort(const Bench *bench, guint32 mask, guint *ret_length)
{
    g_autoptr(GArray) times = g_array_new(FALSE, FALSE, sizeof(double));
    g_autoptr(virtHost) host = virtHostNew(NULL);

    for (guint i = 0; i < 51; i++) {
        struct nl_msg *msg = virtNetlinkNewMessage(RTM_GETLINK, bench->ifindex), *reply = NULL;
        double start, time;

        nla_put_u32(msg, IFLA_EXT_MASK, mask);
        start = now();
        *ret_length = host->request(host, msg, &reply, NULL) < 0 ? 0 : nlmsg_hdr(reply)->nlmsg_len;
        time = now() - start;
        g_array_append_val(times, time);
        nlmsg_free(reply);
        nlmsg_free(msg);
        if (*ret_length == 0)
            return 0;
    }
    return median(times);
}

/* One VF of many: alone in a request, and by us. */
static void
runOne(Bench *bench)
{
    g_autoptr(GArray) floors = g_array_new(FALSE, FALSE, sizeof(double));
    g_autoptr(GArray) ours = g_array_new(FALSE, FALSE, sizeof(double));
    double full, slim;
    guint fullLength, slimLength;

    for (guint round = 0; round <= bench->rounds; round++) {
        double start, time[2];

        newRound(bench);
        g_ptr_array_set_size(bench->hostdevs, 1);
        start = now();
        sendAll(bench->floor, 1);
        time[0] = now() - start;
        reset(bench);
        start = now();
        runOurs(bench);
        time[1] = now() - start;
        release(bench);
        if (round == 0)
            continue; /* what happens once */
        g_array_append_val(floors, time[0]);
        g_array_append_val(ours, time[1]);
    }
    full = readPort(bench, RTEXT_FILTER_VF, &fullLength);
    slim = readPort(bench, RTEXT_FILTER_VF | RTEXT_FILTER_SKIP_STATS, &slimLength);
    printf("  %6u %14.0f %14.0f %14.0f %14.0f %12u %12u\n", bench->vfs, median(floors), median(ours), slim, full,
           slimLength, fullLength);
}

int
main(int argc, char **argv)
{
    Bench bench = {.rounds = 15};
    bool many = argc > 1 && g_str_equal(argv[1], "many");

    if (argc < 5 || argc > 6 || (!many && !g_str_equal(argv[1], "one")))
        die("usage: vf many|one ROOT IFNAME VFS [ROUNDS]");
    bench.root = argv[2];
    bench.ifname = argv[3];
    bench.ifindex = if_nametoindex(argv[3]);
    bench.vfs = (guint)g_ascii_strtoull(argv[4], NULL, 10);
    if (argc > 5)
        bench.rounds = (guint)g_ascii_strtoull(argv[5], NULL, 10);
    if (bench.ifindex == 0 || bench.vfs == 0 || bench.rounds == 0)
        die("%s is no netdev, or a number is none", argv[3]);
    bench.floor = g_new0(struct nl_msg *, bench.vfs);
    for (guint which = 0; which < G_N_ELEMENTS(bench.batches); which++)
        bench.batches[which] = g_strdup_printf("%s/%u.batch", bench.root, which);
    if (many)
        runMany(&bench);
    else
        runOne(&bench);
    return 0;
}
