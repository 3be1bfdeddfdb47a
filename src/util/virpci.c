/* virpci.c: PCI addresses, physical and virtual functions, and the netdevs behind them
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Which port a netdev is. A device's netdevs are told apart by dev_port, which counts from 0
 * (Documentation/ABI/testing/sysfs-class-net); their names change on every rebind and net/ is listed in hash
 * order. Where several netdevs of one device all say dev_port 0, the driver does not fill it, and the number is
 * taken from dev_id, else from phys_port_name. There pN is devlink's number of the physical port, which NIC
 * drivers count from 0 as well (mlx5 and nfp name their first port p0), so port = N + 1; a driver that counts
 * from 1 gets ports 2 and 3, which is odd but stays the same over reboots, and that is what a key is for.
 *
 * Representors (phys_port_name [cN]pfN, pfNvfM, pfNsfM: __devlink_port_phys_port_name_get() in net/devlink) stand
 * for somebody else's port and are no port of the device.
 */
#include "util/virpci.h"
#include "util/virerror.h"
#include "util/virnetdev.h"

#include <net/if.h>
#include <net/if_arp.h>
#include <string.h>

#define PCI_DEVICE "sys/bus/pci/devices/%s"
#define VFS_MAX 65535  /* NumVFs is 16 bits in the SR-IOV capability */
#define PORT_MAX 65535 /* more than any card; keeps port + 1 far from overflow */

/* Move *text over @min..@max hexadecimal digits. */
static bool
takeHex(const char **text, guint min, guint max, guint *ret)
{
    guint value = 0, n = 0;
    for (; n < max && g_ascii_isxdigit((*text)[n]); n++)
        value = value << 4 | (guint)g_ascii_xdigit_value((*text)[n]);
    if (n < min)
        return false;
    *text += n;
    *ret = value;
    return true;
}

static bool
takeChar(const char **text, char c)
{
    if (**text != c)
        return false;
    (*text)++;
    return true;
}

/* A PCI address as sysfs and lspci print it: "0000:06:02.0", or "06:02.0" in domain 0. Fixed numbers of
 * hexadecimal digits (a domain has 4 to 8), nothing before or after.
 *
 * Errors: VIRT_ERROR_INVALID.
 */
bool
virtPCIAddressParse(const char *text, virtPCIAddress *ret, GError **error)
{
    virtPCIAddress address = {0};
    const char *p = text;
    const char *colon = strchr(text, ':');
    bool ok = !colon || !strchr(colon + 1, ':') || (takeHex(&p, 4, 8, &address.domain) && takeChar(&p, ':'));
    ok = ok && takeHex(&p, 2, 2, &address.bus) && takeChar(&p, ':') && takeHex(&p, 2, 2, &address.slot) &&
         takeChar(&p, '.') && takeHex(&p, 1, 1, &address.function) && *p == '\0';
    if (!ok || address.slot > 0x1f || address.function > 7) {
        g_autofree char *shown = g_strescape(text, NULL);
        g_set_error(
            error, VIRT_ERROR, VIRT_ERROR_INVALID,
            "\"%.40s\" is not a PCI address. Write domain:bus:slot.function in hexadecimal as lspci -D does, such as 0000:06:02.0; slot is at most 1f, function at most 7.",
            shown);
        return false;
    }
    *ret = address;
    return true;
}

/* As the kernel names the device: four digits of domain or as many as it takes. */
void
virtPCIAddressFormat(const virtPCIAddress *address, char ret[VIRT_PCI_ADDRESS_LEN])
{
    static const char hex[] = "0123456789abcdef"; /* not printf: every look at a VF begins with its name */
    guint digits = 4;                             /* or as many as it takes */
    while (digits < 8 && address->domain >> digits * 4)
        digits++;
    char *p = ret;
    for (guint i = digits; i-- > 0;)
        *p++ = hex[address->domain >> i * 4 & 0xf];
    *p++ = ':';
    *p++ = hex[address->bus >> 4 & 0xf];
    *p++ = hex[address->bus & 0xf];
    *p++ = ':';
    *p++ = hex[address->slot >> 4 & 0xf];
    *p++ = hex[address->slot & 0xf];
    *p++ = '.';
    *p++ = hex[address->function & 0xf];
    *p = '\0';
}

/* Bus, slot and function in one number, which SR-IOV calls a routing ID and counts VFs in. */
static guint
routingID(const virtPCIAddress *address)
{
    return address->bus << 8 | address->slot << 3 | address->function;
}

/* Order by domain, bus, slot, function: < 0, 0, > 0. */
int
virtPCIAddressCompare(const virtPCIAddress *a, const virtPCIAddress *b)
{
    if (a->domain != b->domain)
        return a->domain < b->domain ? -1 : 1;
    guint left = routingID(a), right = routingID(b);
    return (left > right) - (left < right);
}

static int
compareAddresses(gconstpointer a, gconstpointer b)
{
    return virtPCIAddressCompare(*(const virtPCIAddress *const *)a, *(const virtPCIAddress *const *)b);
}

/* Takes NULL. */
void
virtPortFree(virtPort *port)
{
    if (!port)
        return;
    g_free(port->ifname);
    g_free(port);
}

/* A netdev while its port is not decided yet: what sysfs says of it. */
typedef struct {
    virtPort *port;
    guint64 devPort, devId, physPort; /* from 0 */
    bool hasPhysPort;
} Netdev;

static void
netdevFree(gpointer data)
{
    Netdev *netdev = data;
    virtPortFree(netdev->port);
    g_free(netdev);
}

/* What the kernel accepts as a netdev's name (dev_valid_name() in net/core/dev.c), and no control characters. */
static bool
validIfname(const char *name)
{
    size_t len = strlen(name);
    if (len == 0 || len >= IFNAMSIZ)
        return false;
    for (size_t i = 0; i < len; i++)
        if (name[i] == '/' || name[i] == ':' || !g_ascii_isgraph(name[i]))
            return false;
    return true;
}

static bool
takeDecimal(const char **text, guint64 *ret)
{
    char *end;
    if (!g_ascii_isdigit(**text))
        return false;
    *ret = g_ascii_strtoull(*text, &end, 10);
    *text = end;
    return *ret <= PORT_MAX;
}

/* [cN]pfN…: the netdev represents another function's port. */
static bool
isRepresentor(const char *physPortName)
{
    guint64 number;
    const char *p = physPortName;
    if (takeChar(&p, 'c') && !takeDecimal(&p, &number))
        return false;
    return takeChar(&p, 'p') && takeChar(&p, 'f') && takeDecimal(&p, &number);
}

/* A device whose netdevs are being looked at. */
typedef struct {
    virtHost *host;
    char name[VIRT_PCI_ADDRESS_LEN];
    GError *problem; /* the first attribute that is there and cannot be read: what was found is not to be believed */
} Look;

static void
lookClear(Look *look)
{
    g_clear_error(&look->problem);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Look, lookClear)

/* NULL where the netdev does not have it. */
static char *
readNet(Look *look, const char *ifname, const char *attribute)
{
    g_autoptr(GError) problem = NULL;
    char *text = virtHostRead(look->host, &problem, PCI_DEVICE "/net/%s/%s", look->name, ifname, attribute);
    if (problem && !look->problem && !g_error_matches(problem, VIRT_ERROR, VIRT_ERROR_NOT_FOUND))
        look->problem = g_steal_pointer(&problem);
    return text;
}

/* 0 also for what is no such number. */
static guint64
readNetUInt(Look *look, const char *ifname, const char *attribute, guint64 max)
{
    guint64 value = 0;
    g_autofree char *text = readNet(look, ifname, attribute);
    return text && virtHostParseUInt(text, max, &value) ? value : 0;
}

/* Read one netdev of the device; NULL when it is a representor or went away under us.
 *
 * @macs: its MAC address too
 */
static Netdev *
readNetdev(Look *look, const char *ifname, bool macs)
{
    guint64 ifindex = readNetUInt(look, ifname, "ifindex", G_MAXINT);
    g_autofree char *phys = readNet(look, ifname, "phys_port_name");
    if (ifindex == 0 || (phys && isRepresentor(phys)))
        return NULL;
    Netdev *netdev = g_new0(Netdev, 1);
    netdev->port = g_new0(virtPort, 1);
    netdev->port->ifname = g_strdup(ifname);
    netdev->port->ifindex = (guint)ifindex;
    netdev->port->up = readNetUInt(look, ifname, "flags", G_MAXUINT32) & IFF_UP;
    netdev->port->infiniband = readNetUInt(look, ifname, "type", G_MAXUINT16) == ARPHRD_INFINIBAND;
    netdev->devPort = readNetUInt(look, ifname, "dev_port", PORT_MAX);
    const char *p = phys ? phys : "";
    netdev->hasPhysPort = takeChar(&p, 'p') && takeDecimal(&p, &netdev->physPort);
    if (!macs)
        return netdev;
    netdev->port->addrAssignType = (guint)readNetUInt(look, ifname, "addr_assign_type", G_MAXUINT8);
    g_autofree char *mac = readNet(look, ifname, "address");
    if (mac)
        virtMacParse(mac, netdev->port->mac);
    return netdev;
}

/* Decide the ports of all netdevs of the device; see the head of this file. */
static void
numberPorts(Look *look, const GPtrArray *netdevs)
{
    guint64 devPorts = 0, devIds = 0;
    bool named = true;
    for (guint i = 0; i < netdevs->len; i++) {
        const Netdev *netdev = netdevs->pdata[i];
        devPorts |= netdev->devPort;
        named = named && netdev->hasPhysPort;
    }
    for (guint i = 0; i < netdevs->len && netdevs->len > 1 && devPorts == 0; i++) {
        Netdev *netdev = netdevs->pdata[i];
        netdev->devId = readNetUInt(look, netdev->port->ifname, "dev_id", PORT_MAX);
        devIds |= netdev->devId;
    }
    for (guint i = 0; i < netdevs->len; i++) {
        Netdev *netdev = netdevs->pdata[i];
        guint64 number = netdev->devPort;
        if (netdevs->len > 1 && devPorts == 0)
            number = devIds != 0 ? netdev->devId : named ? netdev->physPort : 0;
        netdev->port->port = (guint)number + 1;
    }
}

static int
comparePorts(gconstpointer a, gconstpointer b)
{
    const virtPort *left = *(const virtPort *const *)a, *right = *(const virtPort *const *)b;
    return (left->port > right->port) - (left->port < right->port);
}

static GPtrArray *
getPorts(virtHost *host, const virtPCIAddress *address, bool macs, GError **error)
{
    g_auto(Look) look = {.host = host};
    virtPCIAddressFormat(address, look.name);
    g_autoptr(GPtrArray) names = virtHostListDir(host, error, PCI_DEVICE "/net", look.name);
    g_autoptr(GPtrArray) netdevs = g_ptr_array_new_with_free_func(netdevFree);
    for (guint i = 0; names && i < names->len; i++) {
        Netdev *netdev = validIfname(names->pdata[i]) ? readNetdev(&look, names->pdata[i], macs) : NULL;
        if (netdev)
            g_ptr_array_add(netdevs, netdev);
    }
    numberPorts(&look, netdevs);
    if (look.problem) {
        g_propagate_error(error, g_steal_pointer(&look.problem));
        return NULL;
    }
    if (!names)
        return NULL;
    g_autoptr(GPtrArray) ports = g_ptr_array_new_with_free_func((GDestroyNotify)virtPortFree);
    for (guint i = 0; i < netdevs->len; i++)
        g_ptr_array_add(ports, g_steal_pointer(&((Netdev *)netdevs->pdata[i])->port));
    g_ptr_array_sort(ports, comparePorts);
    for (guint i = 1; i < ports->len; i++) {
        const virtPort *a = ports->pdata[i - 1], *b = ports->pdata[i];
        if (a->port != b->port)
            continue;
        g_set_error(
            error, VIRT_ERROR, VIRT_ERROR_HOST,
            "Cannot tell the ports of PCI device %s apart: %s and %s both claim port %u. Its driver fills neither dev_port nor dev_id nor phys_port_name; a newer driver may.",
            look.name, a->ifname, b->ifname, a->port);
        return NULL;
    }
    return g_steal_pointer(&ports);
}

/* All netdevs of a PCI device with their port numbers, sorted by port; representors are left out.
 *
 * Returns an array of virtPort for g_ptr_array_unref(), empty when the device has no netdev (no such device, no
 * driver, bound to vfio-pci, not a network device). Errors: VIRT_ERROR_HOST when two netdevs claim one port, or
 * sysfs cannot be read.
 */
GPtrArray *
virtPCIGetPorts(virtHost *host, const virtPCIAddress *address, GError **error)
{
    return getPorts(host, address, true, error);
}

/* The name of the driver bound to a device, or NULL. Caller frees. */
char *
virtPCIGetDriver(virtHost *host, const virtPCIAddress *address)
{
    char name[VIRT_PCI_ADDRESS_LEN];
    virtPCIAddressFormat(address, name);
    return virtHostReadLink(host, NULL, PCI_DEVICE "/driver", name);
}

/* Unbind a device's present driver and bind it again: it then probes afresh, and takes the admin MAC. Its
 * netdevs get new indexes and maybe new names.
 *
 * Errors: VIRT_ERROR_HOST when there is no driver, or when the kernel refuses; the message says so where the
 * device is left without a driver.
 */
bool
virtPCIRebind(virtHost *host, const virtPCIAddress *address, GError **error)
{
    char name[VIRT_PCI_ADDRESS_LEN];
    virtPCIAddressFormat(address, name);
    g_autofree char *driver = virtPCIGetDriver(host, address);
    if (!driver) {
        g_set_error(error, VIRT_ERROR, VIRT_ERROR_HOST,
                    "Cannot rebind PCI device %s: it has no driver. Bind one first.", name);
        return false;
    }
    if (!virtHostWrite(host, name, error, "sys/bus/pci/drivers/%s/unbind", driver))
        return false;
    if (virtHostWrite(host, name, error, "sys/bus/pci/drivers/%s/bind", driver))
        return true;
    g_prefix_error(error, "PCI device %s now has no driver: ", name);
    return false;
}

/* Have the kernel look for a driver for a device that has none. Where there is none, or VFs are not to be bound by
 * themselves (sriov_drivers_autoprobe), that is fine.
 *
 * Errors: VIRT_ERROR_HOST.
 */
bool
virtPCIProbe(virtHost *host, const virtPCIAddress *address, GError **error)
{
    char name[VIRT_PCI_ADDRESS_LEN];
    virtPCIAddressFormat(address, name);
    return virtHostWrite(host, name, error, "sys/bus/pci/drivers_probe");
}

/* All PFs that can have VFs and have netdevs, sorted: an array of virtPCIAddress for g_ptr_array_unref(). */
GPtrArray *
virtPCIListPFs(virtHost *host)
{
    GPtrArray *pfs = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GPtrArray) names = virtHostListDir(host, NULL, "sys/bus/pci/devices");
    for (guint i = 0; names && i < names->len; i++) {
        virtPCIAddress address;
        guint64 total = 0;
        const char *name = names->pdata[i];
        if (!virtPCIAddressParse(name, &address, NULL) ||
            !virtHostReadUInt(host, VFS_MAX, &total, NULL, PCI_DEVICE "/sriov_totalvfs", name) || total == 0)
            continue;
        g_autoptr(GPtrArray) netdevs = virtHostListDir(host, NULL, PCI_DEVICE "/net", name);
        if (netdevs && netdevs->len > 0)
            g_ptr_array_add(pfs, g_memdup2(&address, sizeof(address)));
    }
    g_ptr_array_sort(pfs, compareAddresses);
    return pfs;
}

/* Where virtfnN of PF @pfName leads. VIRT_ERROR_NOT_FOUND past the last VF. */
static bool
readVirtfn(virtHost *host, const char *pfName, guint index, virtPCIAddress *ret, GError **error)
{
    g_autofree char *target = virtHostReadLink(host, error, PCI_DEVICE "/virtfn%u", pfName, index);
    return target && virtPCIAddressParse(target, ret, error);
}

/* The VFs of a PF in the order of their indexes: an array of virtPCIAddress for g_ptr_array_unref(), whose Nth
 * element is VF N. Empty where there are none.
 */
GPtrArray *
virtPCIListVFs(virtHost *host, const virtPCIAddress *pf)
{
    GPtrArray *vfs = g_ptr_array_new_with_free_func(g_free);
    char name[VIRT_PCI_ADDRESS_LEN];
    virtPCIAddressFormat(pf, name);
    virtPCIAddress vf;
    while (vfs->len < VFS_MAX && readVirtfn(host, name, vfs->len, &vf, NULL))
        g_ptr_array_add(vfs, g_memdup2(&vf, sizeof(vf)));
    return vfs;
}

/* Why @name is no VF, and what to name instead. */
static void
setNotVF(virtHost *host, const char *name, GError **error)
{
    guint64 total = 0;
    g_autofree char *device = virtHostPath(host, PCI_DEVICE, name);
    if (!g_file_test(device, G_FILE_TEST_IS_DIR))
        g_set_error(
            error, VIRT_ERROR, VIRT_ERROR_HOST,
            "This host has no PCI device %s. lspci -D lists those there are; VFs appear when the PF's sriov_numvfs is written.",
            name);
    else if (virtHostReadUInt(host, VFS_MAX, &total, NULL, PCI_DEVICE "/sriov_totalvfs", name) && total > 0)
        g_set_error(
            error, VIRT_ERROR, VIRT_ERROR_HOST,
            "PCI device %s is a physical function; <netdev> belongs to a virtual function. Name one of its VFs; writing its sriov_numvfs makes them.",
            name);
    else
        g_set_error(
            error, VIRT_ERROR, VIRT_ERROR_HOST,
            "PCI device %s is not an SR-IOV virtual function, so it has no PF through which <netdev> could be set. Name a VF, or assign the device without <netdev>.",
            name);
}

/* A PF, as long as a virtHostReads is open. */
typedef struct {
    virtPCIAddress address;
    char name[VIRT_PCI_ADDRESS_LEN];
    GPtrArray *ports; /* NULL: not looked up yet */
    bool knowsVFs;    /* the two below are read; stride 0: they were not there */
    guint first, stride;
} PF;

static void
pfFree(gpointer data)
{
    PF *pf = data;
    g_clear_pointer(&pf->ports, g_ptr_array_unref);
    g_free(pf);
}

/* What is known of a PF; it belongs to the host where that keeps it, else to the caller. */
static PF *
getPF(virtHost *host, const virtPCIAddress *address)
{
    for (guint i = 0; host->pfs && i < host->pfs->len; i++)
        if (virtPCIAddressCompare(&((PF *)host->pfs->pdata[i])->address, address) == 0)
            return host->pfs->pdata[i];
    PF *pf = g_new0(PF, 1);
    pf->address = *address;
    virtPCIAddressFormat(address, pf->name);
    if (host->reads == 0)
        return pf;
    if (!host->pfs)
        host->pfs = g_ptr_array_new_with_free_func(pfFree);
    g_ptr_array_add(host->pfs, pf);
    return pf;
}

static void
putPF(virtHost *host, PF *pf)
{
    if (host->reads == 0)
        pfFree(pf);
}

/* VF N has the routing ID FIRST + N * STRIDE, says SR-IOV; the first two VFs show both numbers. */
static void
learnVFs(virtHost *host, PF *pf)
{
    virtPCIAddress zero, one;
    pf->knowsVFs = true;
    if (!readVirtfn(host, pf->name, 0, &zero, NULL))
        return;
    pf->first = routingID(&zero);
    pf->stride = readVirtfn(host, pf->name, 1, &one, NULL) && routingID(&one) > pf->first ? routingID(&one) - pf->first : 1;
}

/* Does virtfnN lead to @vf? */
static bool
isVFAt(virtHost *host, const PF *pf, guint index, const virtPCIAddress *vf)
{
    virtPCIAddress found;
    return index < VFS_MAX && readVirtfn(host, pf->name, index, &found, NULL) && virtPCIAddressCompare(&found, vf) == 0;
}

/* The index that a VF at @vf has, if it is one of the PF's. */
static guint
guessIndex(const PF *pf, const virtPCIAddress *vf)
{
    guint id = routingID(vf);
    return pf->stride && id >= pf->first ? (id - pf->first) / pf->stride : G_MAXUINT;
}

/* Where a VF must be, and else, where it is after all. VIRT_ERROR_NOT_FOUND: it is none of the PF's. */
static bool
findIndex(virtHost *host, PF *pf, const virtPCIAddress *vf, guint *ret, GError **error)
{
    virtPCIAddress found;
    char name[VIRT_PCI_ADDRESS_LEN];
    g_autoptr(GError) end = NULL;
    if (!pf->knowsVFs)
        learnVFs(host, pf);
    if (isVFAt(host, pf, guessIndex(pf, vf), vf)) {
        *ret = guessIndex(pf, vf);
        return true;
    }
    for (guint i = 0; i < VFS_MAX && readVirtfn(host, pf->name, i, &found, &end); i++)
        if (virtPCIAddressCompare(&found, vf) == 0) {
            *ret = i;
            return true;
        }
    virtPCIAddressFormat(vf, name);
    if (end && !g_error_matches(end, VIRT_ERROR, VIRT_ERROR_NOT_FOUND))
        g_propagate_prefixed_error(error, g_steal_pointer(&end), "Cannot find PCI device %s among the VFs of PF %s: ",
                                   name, pf->name);
    else
        g_set_error(
            error, VIRT_ERROR, VIRT_ERROR_NOT_FOUND,
            "PF %s does not list PCI device %s among its VFs: they are being made or removed. Try again when that is done.",
            pf->name, name);
    return false;
}

/* Is @vf one of the PF's VFs?
 *
 * @ret: its index: the N for which virtfnN leads to it. NULL where it is not wanted
 *
 * Errors: VIRT_ERROR_NOT_FOUND where it is not, VIRT_ERROR_HOST where that cannot be told.
 */
bool
virtPCIFindVF(virtHost *host, const virtPCIAddress *address, const virtPCIAddress *vf, guint *ret, GError **error)
{
    PF *pf = getPF(host, address);
    guint index;
    bool found = findIndex(host, pf, vf, &index, error);
    putPF(host, pf);
    if (found && ret)
        *ret = index;
    return found;
}

static bool
findPorts(virtHost *host, PF *pf, virtVF *vf, GError **error)
{
    if (!pf->ports && !(pf->ports = getPorts(host, &vf->pf, false, error)))
        return false;
    vf->ports = g_ptr_array_ref(pf->ports);
    if (vf->ports->len > 0)
        return true;
    g_autofree char *driver = virtPCIGetDriver(host, &vf->pf);
    g_set_error(
        error, VIRT_ERROR, VIRT_ERROR_HOST,
        "PF %s of VF %s has no netdev (driver: %s): it is not a network device, or its netdevs are in another network namespace. Bind its network driver on the host, or assign the device without <netdev>.",
        vf->pfName, vf->name, driver ? driver : "none");
    return false;
}

/* The PF among those that are known already that lists the VF, or NULL. */
static PF *
findKnown(virtHost *host, virtVF *vf)
{
    for (guint i = 0; host->pfs && i < host->pfs->len; i++) {
        PF *pf = host->pfs->pdata[i];
        vf->index = guessIndex(pf, &vf->address);
        if (pf->address.domain == vf->address.domain && isVFAt(host, pf, vf->index, &vf->address))
            return pf;
    }
    return NULL;
}

/* The PF that the VF names, and the VF's index there. */
static PF *
findNamed(virtHost *host, virtVF *vf, GError **error)
{
    virtPCIAddress address;
    g_autoptr(GError) problem = NULL;
    g_autofree char *physfn = virtHostReadLink(host, &problem, PCI_DEVICE "/physfn", vf->name);
    if (problem && !g_error_matches(problem, VIRT_ERROR, VIRT_ERROR_NOT_FOUND)) {
        g_propagate_error(error, g_steal_pointer(&problem));
        return NULL;
    }
    if (!physfn || !virtPCIAddressParse(physfn, &address, NULL)) {
        setNotVF(host, vf->name, error);
        return NULL;
    }
    PF *pf = getPF(host, &address);
    if (findIndex(host, pf, &vf->address, &vf->index, &problem))
        return pf;
    g_set_error_literal(error, VIRT_ERROR, VIRT_ERROR_HOST, problem->message); /* not there now is no "never was" */
    putPF(host, pf);
    return NULL;
}

/* The VF at @address: its PF, its index there and the PF's ports. The VF itself is looked at afresh at every call; an
 * index may lead to another device after sriov_numvfs was written.
 *
 * Returns a virtVF to free with virtVFFree(). Errors: VIRT_ERROR_HOST with a sentence that says what to do.
 */
virtVF *
virtVFLookup(virtHost *host, const virtPCIAddress *address, GError **error)
{
    g_autoptr(virtVF) vf = g_new0(virtVF, 1);
    vf->address = *address;
    virtPCIAddressFormat(address, vf->name);
    PF *pf = findKnown(host, vf);
    if (!pf && !(pf = findNamed(host, vf, error)))
        return NULL;
    vf->pf = pf->address;
    memcpy(vf->pfName, pf->name, sizeof(vf->pfName));
    bool ok = findPorts(host, pf, vf, error);
    putPF(host, pf);
    return ok ? g_steal_pointer(&vf) : NULL;
}

/* Takes NULL and half-built ones. */
void
virtVFFree(virtVF *vf)
{
    if (!vf)
        return;
    g_clear_pointer(&vf->ports, g_ptr_array_unref);
    g_free(vf);
}

/* The netdev of the PF through which port @port (1..) of its VFs is set; owned by @vf.
 *
 * Errors: VIRT_ERROR_HOST, naming the ports there are.
 */
const virtPort *
virtVFGetPort(const virtVF *vf, guint port, GError **error)
{
    for (guint i = 0; i < vf->ports->len; i++)
        if (((const virtPort *)vf->ports->pdata[i])->port == port)
            return vf->ports->pdata[i];
    if (!error)
        return NULL;
    g_autoptr(GString) names = g_string_new(NULL);
    for (guint i = 0; i < vf->ports->len; i++) {
        const virtPort *other = vf->ports->pdata[i];
        g_string_append_printf(names, "%s%u (%s)", i ? ", " : "", other->port, other->ifname);
    }
    g_set_error(error, VIRT_ERROR, VIRT_ERROR_HOST,
                "PF %s of VF %s has no port %u; it has %s. Use one of those in <netdev port=>.", vf->pfName, vf->name,
                port, names->str);
    return NULL;
}
