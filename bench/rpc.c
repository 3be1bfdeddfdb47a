/* rpc.c: what a call costs on several ways to one libvirt: see README.md
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 *   rpc DIRECTORY direct=URI socat=URI filter=URI
 *
 * Theory of operation. A round makes each case's calls on one way after the other, and begins with another way each
 * time. So what the machine does meanwhile meets all of them alike, and ratios are taken within a round before their
 * median is taken over the rounds.
 */
#include <dirent.h>
#include <glib.h>
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MIB (1024.0 * 1024.0)
#define VOLUME_MIB 256
#define CROWD 16  /* more than a filter remembers */
#define DEVICES 4 /* hostdevs with two netdevs each */

enum { DIRECT, SOCAT, FILTER, WAYS };

typedef struct {
    virConnectPtr conn;
    virDomainPtr plain, netdevs, crowd[CROWD];
    guint turn;
    virStorageVolPtr volume;
} Way;

typedef struct {
    const char *name;
    guint rounds, calls; /* calls: in a round */
    bool (*call)(Way *way);
    double mib;   /* moved by a call; 0: not a stream */
    int against;  /* the way that the aim is about */
    double limit; /* on the ratio of times, filter to @against; 0: none, for comparison */
} Case;

static const char *const names[WAYS] = {"direct", "socat", "filter"};

/* ---- the calls ---- */

static bool
getLibVersion(Way *way)
{
    unsigned long version;

    return virConnectGetLibVersion(way->conn, &version) == 0;
}

static bool
isActive(Way *way)
{
    return virDomainIsActive(way->plain) >= 0;
}

static bool
dump(virDomainPtr domain)
{
    char *xml = virDomainGetXMLDesc(domain, VIR_DOMAIN_XML_INACTIVE);
    bool good = xml != NULL;

    free(xml);
    return good;
}

static bool
dumpPlain(Way *way)
{
    return dump(way->plain);
}

static bool
dumpNetdevs(Way *way)
{
    return dump(way->netdevs);
}

/* Each time another one, so that nothing is remembered of it. */
static bool
dumpCrowd(Way *way)
{
    return dump(way->crowd[way->turn++ % CROWD]);
}

static int
swallow(virStreamPtr stream, const char *data, size_t len, void *opaque)
{
    *(guint64 *)opaque += len;
    return (int)len;
}

static bool
download(Way *way)
{
    virStreamPtr stream = virStreamNew(way->conn, 0);
    guint64 total = 0;
    bool good = virStorageVolDownload(way->volume, stream, 0, 0, 0) == 0 &&
                virStreamRecvAll(stream, swallow, &total) == 0 && virStreamFinish(stream) == 0;

    virStreamFree(stream);
    return good && total == (guint64)(VOLUME_MIB * MIB);
}

static int
produce(virStreamPtr stream, char *data, size_t len, void *opaque)
{
    guint64 *left = opaque;
    size_t n = MIN(len, *left);

    memset(data, 'x', n);
    *left -= n;
    return (int)n;
}

static bool
upload(Way *way)
{
    virStreamPtr stream = virStreamNew(way->conn, 0);
    guint64 left = (guint64)(VOLUME_MIB * MIB);
    bool good = virStorageVolUpload(way->volume, stream, 0, left, 0) == 0 &&
                virStreamSendAll(stream, produce, &left) == 0 && virStreamFinish(stream) == 0;

    virStreamFree(stream);
    return good;
}

static const Case cases[] = {
    {"small call (getLibVersion)", 40, 400, getLibVersion, 0, SOCAT, 1.10},
    {"small call (isActive)", 40, 400, isActive, 0, SOCAT, 1.10},
    {"dumpxml without netdevs", 40, 100, dumpPlain, 0, SOCAT, 1.15},
    {"dumpxml with 8 netdevs", 40, 100, dumpNetdevs, 0, DIRECT, 1.50},
    {"same, 16 of them in turns", 40, 100, dumpCrowd, 0, DIRECT, 0},
    {"stream down, 256 MiB", 6, 1, download, VOLUME_MIB, DIRECT, 1 / 0.9},
    {"stream up, 256 MiB", 6, 1, upload, VOLUME_MIB, DIRECT, 1 / 0.9},
};

/* ---- what they are made on ---- */

static void
die(const char *what)
{
    fprintf(stderr, "bench: %s: %s\n", what, virGetLastErrorMessage());
    exit(1);
}

static char *
domainXml(const char *name, const char *hostdevs)
{
    g_autoptr(GString) disks = g_string_new(NULL);

    for (char letter = 'a'; letter < 'i'; letter++) {
        g_string_append_printf(disks,
                               "<disk type='file' device='disk'><driver name='qemu' type='raw'/>"
                               "<source file='/nowhere/disk-%c.img'/><target dev='vd%c' bus='virtio'/></disk>",
                               letter, letter);
    }
    return g_strdup_printf(
        "<domain type='qemu'><name>%s</name><memory unit='MiB'>32</memory><os><type machine='pc'>hvm</type></os>"
        "<features><acpi/></features><devices>%s<interface type='user'/><serial type='pty'/>%s</devices></domain>",
        name, disks->str, hostdevs);
}

static char *
hostdevsXml(void)
{
    GString *xml = g_string_new(NULL);

    for (guint i = 0; i < DEVICES; i++) {
        g_string_append_printf(
            xml,
            "<hostdev mode='subsystem' type='pci' managed='yes'><source>"
            "<address domain='0x0000' bus='0x06' slot='0x%02x' function='0x0'/></source>"
            "<netdev port='1'><mac address='52:54:00:01:02:%02x'/><vlan><tag id='42'/></vlan></netdev>"
            "<netdev port='2'><mac address='52:54:00:01:03:%02x'/><vlan><tag id='43'/></vlan></netdev></hostdev>",
            i + 2, i, i);
    }
    return g_string_free(xml, FALSE);
}

static void
define(virConnectPtr conn, const char *name, const char *hostdevs)
{
    g_autofree char *xml = domainXml(name, hostdevs);
    virDomainPtr domain = virDomainDefineXML(conn, xml);

    if (!domain)
        die(name);
    virDomainFree(domain);
}

static void
makeVolume(virConnectPtr conn, const char *dir)
{
    g_autofree char *pool =
        g_strdup_printf("<pool type='dir'><name>bench</name><target><path>%s</path></target></pool>", dir);
    g_autofree char *volume = g_strdup_printf(
        "<volume><name>bench</name><allocation>0</allocation><capacity unit='MiB'>%d</capacity></volume>", VOLUME_MIB);
    virStoragePoolPtr made = virStoragePoolCreateXML(conn, pool, VIR_STORAGE_POOL_CREATE_WITH_BUILD);
    virStorageVolPtr vol = made ? virStorageVolCreateXML(made, volume, 0) : NULL;

    if (!vol)
        die("the volume");
    virStorageVolFree(vol);
    virStoragePoolFree(made);
}

static void
lookUp(Way *way, const char *dir)
{
    g_autofree char *path = g_strdup_printf("%s/bench", dir);

    way->plain = virDomainLookupByName(way->conn, "bench-plain");
    way->netdevs = virDomainLookupByName(way->conn, "bench-netdevs");
    way->volume = virStorageVolLookupByPath(way->conn, path);
    if (!way->plain || !way->netdevs || !way->volume)
        die("what the calls are about");
    for (guint i = 0; i < CROWD; i++) {
        g_autofree char *name = g_strdup_printf("bench-crowd-%02u", i);

        if (!(way->crowd[i] = virDomainLookupByName(way->conn, name)))
            die(name);
    }
}

static void
setUp(Way ways[WAYS], char **arguments)
{
    g_autofree char *hostdevs = hostdevsXml();

    for (int way = 0; way < WAYS; way++) {
        const char *uri = arguments[way + 2];

        if (!g_str_has_prefix(uri, names[way]) || uri[strlen(names[way])] != '=')
            die("usage: rpc DIRECTORY direct=URI socat=URI filter=URI");
        if (!(ways[way].conn = virConnectOpen(uri + strlen(names[way]) + 1)))
            die(uri);
    }
    define(ways[DIRECT].conn, "bench-plain", "");
    define(ways[FILTER].conn, "bench-netdevs", hostdevs);
    for (guint i = 0; i < CROWD; i++) {
        g_autofree char *name = g_strdup_printf("bench-crowd-%02u", i);

        define(ways[FILTER].conn, name, hostdevs);
    }
    makeVolume(ways[DIRECT].conn, arguments[1]);
    for (int way = 0; way < WAYS; way++)
        lookUp(&ways[way], arguments[1]);
}

/* ---- measuring ---- */

static double
now(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static int
compareDoubles(gconstpointer a, gconstpointer b)
{
    return (*(const double *)a > *(const double *)b) - (*(const double *)a < *(const double *)b);
}

/* The value below which @part of all lie; sorts them. */
static double
quantile(GArray *values, double part)
{
    g_array_sort(values, compareDoubles);
    return g_array_index(values, double, (guint)((values->len - 1) * part));
}

/* The calls of one round on one way: all their times go to @all. Returns their median. */
static double
measure(const Case *what, Way *way, GArray *all)
{
    g_autoptr(GArray) times = g_array_new(FALSE, FALSE, sizeof(double));

    for (guint i = 0; i < what->calls; i++) {
        double start = now(), time;

        if (!what->call(way))
            die(what->name);
        time = now() - start;
        g_array_append_val(times, time);
    }
    g_array_append_vals(all, times->data, times->len);
    return quantile(times, 0.5);
}

static void
showRow(const Case *what, int way, GArray *times, double toDirect, double toSocat)
{
    double median = quantile(times, 0.5), slow = quantile(times, 0.99);
    g_autofree char *rate =
        what->mib > 0 ? g_strdup_printf("%.0f MiB/s", what->mib / median) : g_strdup_printf("%.0f/s", 1 / median);

    printf("%-28s %-7s %10.1f %10.1f %12s %8.2f %8.2f\n", way == 0 ? what->name : "", names[way], median * 1e6,
           slow * 1e6, rate, toDirect, toSocat);
}

static void
showAim(const char *name, double value, double limit, const char *unit)
{
    printf("  %-4s %-30s %5.2f, aim: at most %.2f %s\n", value <= limit ? "pass" : "MISS", name, value, limit, unit);
}

/* All rounds of one case. Returns the median over the rounds of the ratio that its aim is about. */
static double
runCase(const Case *what, Way ways[WAYS])
{
    GArray *times[WAYS], *ratios[WAYS][2];
    double result;

    for (int way = 0; way < WAYS; way++) {
        times[way] = g_array_new(FALSE, FALSE, sizeof(double));
        for (int to = 0; to < 2; to++)
            ratios[way][to] = g_array_new(FALSE, FALSE, sizeof(double));
        what->call(&ways[way]); /* not counted: what happens once */
    }
    for (guint round = 0; round < what->rounds; round++) {
        double medians[WAYS];

        for (guint i = 0; i < WAYS; i++) {
            guint way = (round + i) % WAYS;

            medians[way] = measure(what, &ways[way], times[way]);
        }
        for (int way = 0; way < WAYS; way++) {
            for (int to = 0; to < 2; to++) {
                double ratio = medians[way] / medians[to];

                g_array_append_val(ratios[way][to], ratio);
            }
        }
    }
    for (int way = 0; way < WAYS; way++)
        showRow(what, way, times[way], quantile(ratios[way][DIRECT], 0.5), quantile(ratios[way][SOCAT], 0.5));
    result = quantile(ratios[FILTER][what->against], 0.5);
    for (int way = 0; way < WAYS; way++) {
        g_array_unref(times[way]);
        for (int to = 0; to < 2; to++)
            g_array_unref(ratios[way][to]);
    }
    return result;
}

/* ---- memory ---- */

/* MiB that are a process's own, or 0 where it is no filter. */
static double
privateMemory(const char *pid)
{
    g_autofree char *comm = g_strdup_printf("/proc/%s/comm", pid);
    g_autofree char *rollup = g_strdup_printf("/proc/%s/smaps_rollup", pid);
    g_autofree char *text = NULL, *name = NULL;
    double kib = 0;

    if (!g_file_get_contents(comm, &name, NULL, NULL) || !g_str_has_prefix(name, "virt-hostdev-fi") ||
        !g_file_get_contents(rollup, &text, NULL, NULL))
        return 0;
    for (const char *at = text; (at = strstr(at, "\nPrivate_")); at++)
        kib += g_ascii_strtod(strchr(at, ':') + 1, NULL);
    return kib / 1024;
}

static double
largestFilter(void)
{
    DIR *proc = opendir("/proc");
    struct dirent *entry;
    double largest = 0;

    while (proc && (entry = readdir(proc)))
        largest = MAX(largest, g_ascii_isdigit(entry->d_name[0]) ? privateMemory(entry->d_name) : 0);
    if (proc)
        closedir(proc);
    return largest;
}

static void
ignoreError(void *opaque, virErrorPtr error)
{
}

int
main(int argc, char **argv)
{
    Way ways[WAYS] = {0};
    double results[G_N_ELEMENTS(cases)], idle;

    virSetErrorFunc(NULL, ignoreError);
    if (argc != WAYS + 2)
        die("usage: rpc DIRECTORY direct=URI socat=URI filter=URI");
    setUp(ways, argv);
    idle = largestFilter();
    printf("%-28s %-7s %10s %10s %12s %8s %8s\n", "call", "way", "median/us", "p99/us", "", "/direct", "/socat");
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++)
        results[i] = runCase(&cases[i], ways);
    printf("\n");
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *unit = g_strdup_printf("x %s's time", names[cases[i].against]);

        if (cases[i].limit > 0)
            showAim(cases[i].name, results[i], cases[i].limit, unit);
    }
    if (idle > 0) { /* else it is no filter that stands there */
        showAim("memory at the beginning", idle, 4, "MiB a client");
        showAim("memory at the end", largestFilter(), 4, "MiB a client");
    }
    return 0;
}
