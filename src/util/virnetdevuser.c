/* virnetdevuser.c: is the host itself using the netdevs of a VF?
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A guest that is given a VF takes its netdevs from whoever has them: a bridge or a bond loses a port, a container its
 * network, the host an address. So these are looked for first. What the host does to every netdev by itself is no use:
 * a link-local address, or one of IPv6's automatic ones.
 *
 * A netdev in another network namespace is not in this one's sysfs; that there is one, the driver tells, which is
 * bound and has no netdev to show. Whose namespace it is can be told where one of its processes has a sysfs of its own,
 * as containers do.
 */
#include "util/virerror.h"
#include "util/virpcipriv.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define IPV6_LINK_SCOPE 0x20 /* IPV6_ADDR_LINKLOCAL of net/ipv6.h, as /proc/net/if_inet6 shows it */
#define IPV6_PERMANENT 0x80  /* IFA_F_PERMANENT of linux/if_addr.h */
/* A driver is bound before it has made its netdevs. In milliseconds: */
#define PROBE_TOTAL 1000
#define PROBE_DELAY 50

/* The first IPv4 address of a netdev of the running kernel, or NULL. Caller frees. */
char *
virtNetdevUserReadIPv4(virtHost *host, const char *ifname)
{
    struct ifreq request = {0};
    char text[INET_ADDRSTRLEN];
    struct sockaddr_in address;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool found;

    if (fd < 0)
        return NULL;
    g_strlcpy(request.ifr_name, ifname, sizeof(request.ifr_name));
    found = ioctl(fd, SIOCGIFADDR, &request) == 0 && request.ifr_addr.sa_family == AF_INET;
    close(fd);
    memcpy(&address, &request.ifr_addr, sizeof(address));
    if (!found)
        return NULL;
    return g_strdup(inet_ntop(AF_INET, &address.sin_addr, text, sizeof(text)));
}

/* An IPv6 address that somebody has given to a netdev, or NULL. */
static char *
readIPv6(virtHost *host, const char *ifname)
{
    g_autofree char *path = virtHostPath(host, "proc/net/if_inet6");
    g_autofree char *text = NULL;
    g_auto(GStrv) lines = NULL;

    if (!g_file_get_contents(path, &text, NULL, NULL))
        return NULL;
    lines = g_strsplit(text, "\n", -1);
    for (guint i = 0; lines[i]; i++) {
        /* address in 32 digits, ifindex, prefix length, scope, flags, name; all but the name in hex */
        g_auto(GStrv) words = g_strsplit_set(g_strstrip(lines[i]), " ", 6);
        GString *address;

        if (g_strv_length(words) < 6 || !g_str_equal(g_strstrip(words[5]), ifname) || strlen(words[0]) != 32 ||
            g_ascii_strtoull(words[3], NULL, 16) == IPV6_LINK_SCOPE ||
            !(g_ascii_strtoull(words[4], NULL, 16) & IPV6_PERMANENT))
            continue;
        address = g_string_new(words[0]);
        for (gssize at = 28; at > 0; at -= 4)
            g_string_insert_c(address, at, ':');
        return g_string_free(address, FALSE);
    }
    return NULL;
}

/* The bridge, bond or other netdev that is above @ifname; NULL: none, or, with an error, it cannot be told. */
static char *
findUpper(virtHost *host, const char *vfName, const char *ifname, GError **error)
{
    static const char prefix[] = "upper_";
    g_autoptr(GPtrArray) names = virtHostListDir(host, error, PCI_DEVICE "/net/%s", vfName, ifname);

    for (guint i = 0; names && i < names->len; i++) {
        if (g_str_has_prefix(names->pdata[i], prefix))
            return g_strdup((const char *)names->pdata[i] + strlen(prefix));
    }
    return NULL;
}

static bool
checkNetdevUnused(virtHost *host, const virtVF *vf, const char *ifname, GError **error)
{
    g_autoptr(GError) problem = NULL;
    g_autofree char *upper = findUpper(host, vf->name, ifname, &problem);
    g_autofree char *address = NULL;

    if (problem) {
        g_propagate_error(error, g_steal_pointer(&problem));
        return false;
    }
    if (!upper)
        address = host->readIPv4(host, ifname);
    if (!upper && !address)
        address = readIPv6(host, ifname);
    if (upper) {
        g_set_error(
            error, VIRT_ERROR, VIRT_ERROR_BUSY,
            "VF %s (VF %u of %s) is in use by the host: its netdev %s is below %s. Take it out: ip link set %s nomaster, or remove %s; or use another VF",
            vf->name, vf->index, vf->pfName, ifname, upper, ifname, upper);
    } else if (address) {
        g_set_error(
            error, VIRT_ERROR, VIRT_ERROR_BUSY,
            "VF %s (VF %u of %s) is in use by the host: its netdev %s has the address %s. Take that away (ip addr flush dev %s) and keep network managers from the netdev, or use another VF",
            vf->name, vf->index, vf->pfName, ifname, address, ifname);
    }
    return !upper && !address;
}

/* Drivers that make no netdev. */
static bool
hasNoNetdev(virtHost *host, const virtVF *vf, const char *driver)
{
    g_autoptr(GPtrArray) names = NULL;

    if (virtPCIIsForGuests(driver) || strstr(driver, "vdpa"))
        return true;
    if (!g_str_equal(driver, "mlx5_core"))
        return false;
    /* It makes one only if it has an auxiliary device for that, which an administrator may have disabled. */
    names = virtHostListDir(host, NULL, PCI_DEVICE, vf->name);
    for (guint i = 0; names && i < names->len; i++) {
        if (g_str_has_prefix(names->pdata[i], "mlx5_core.eth."))
            return false;
    }
    return true;
}

/* Is the netdev of a VF in a namespace of process @pid, which is not this one's? */
static bool
isInNamespace(virtHost *host, const virtVF *vf, const char *pid, const char *own, GHashTable *seen)
{
    g_autofree char *space = NULL;
    g_autoptr(GPtrArray) names = NULL;

    if (!g_ascii_isdigit(*pid))
        return false;
    space = virtHostReadLink(host, NULL, "proc/%s/ns/net", pid);
    if (!space || g_strcmp0(space, own) == 0 || !g_hash_table_add(seen, g_strdup(space)))
        return false;
    names = virtHostListDir(host, NULL, "proc/%s/root/" PCI_DEVICE "/net", pid, vf->name);
    return names && names->len > 0;
}

/* "that of process 4711 (nginx)", as far as it can be told. */
static char *
describeNamespace(virtHost *host, const virtVF *vf)
{
    g_autoptr(GPtrArray) pids = virtHostListDir(host, NULL, "proc");
    g_autofree char *own = virtHostReadLink(host, NULL, "proc/self/ns/net");
    g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

    for (guint i = 0; pids && own && i < pids->len; i++) {
        const char *pid = pids->pdata[i];
        g_autofree char *name = NULL;

        if (!isInNamespace(host, vf, pid, own, seen))
            continue;
        name = virtHostRead(host, NULL, "proc/%s/comm", pid);
        if (!name)
            name = g_strdup("?");
        return g_strdup_printf(", that of process %s (%s)", pid, g_strchomp(name));
    }
    return g_strdup("");
}

static GPtrArray *
listNetdevs(virtHost *host, const virtVF *vf, GError **error)
{
    return virtHostListDir(host, error, PCI_DEVICE "/net", vf->name);
}

/* The driver of a VF that has no netdev in sight and should have one; NULL: all is as it should be. */
static char *
findHiddenDriver(virtHost *host, const virtVF *vf)
{
    g_autofree char *driver = NULL;

    for (guint waited = 0; waited <= PROBE_TOTAL; waited += PROBE_DELAY) {
        g_autoptr(GPtrArray) names = listNetdevs(host, vf, NULL);

        g_free(driver);
        driver = virtPCIGetDriver(host, &vf->address);
        if ((names && names->len > 0) || !driver || hasNoNetdev(host, vf, driver))
            return NULL;
        host->sleep(PROBE_DELAY * 1000);
    }
    return g_steal_pointer(&driver);
}

/* May the netdevs of @vf be taken from the host?
 *
 * Errors: VIRT_ERROR_BUSY, naming who has one; VIRT_ERROR_HOST where that cannot be told.
 */
bool
virtVFCheckNetdevs(virtHost *host, const virtVF *vf, GError **error)
{
    g_autofree char *driver = findHiddenDriver(host, vf);
    g_autoptr(GPtrArray) names = NULL;

    if (driver) {
        g_autofree char *who = describeNamespace(host, vf);

        g_set_error(
            error, VIRT_ERROR, VIRT_ERROR_BUSY,
            "VF %s (VF %u of %s) is in use by the host: its driver %s is bound, and its netdev is in another network namespace%s. Move it back from there (ip link set NETDEV netns 1), or use another VF",
            vf->name, vf->index, vf->pfName, driver, who);
        return false;
    }
    names = listNetdevs(host, vf, error);
    for (guint i = 0; names && i < names->len; i++) {
        if (!checkNetdevUnused(host, vf, names->pdata[i], error))
            return false;
    }
    return names != NULL;
}

/* The same for the VF at @address, of any PF. */
bool
virtPCICheckNetdevs(virtHost *host, const virtPCIAddress *address, GError **error)
{
    g_autoptr(virtVF) vf = virtVFLocate(host, address, error);

    return vf && virtVFCheckNetdevs(host, vf, error);
}
