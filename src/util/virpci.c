/* virpci.c: PCI devices, their netdevs and drivers
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Which port a netdev is. A device's netdevs are told apart by dev_port, which counts from 0
 * (Documentation/ABI/testing/sysfs-class-net); their names change on every rebind and net/ is listed in hash
 * order. Where several netdevs of one device all say dev_port 0, the driver does not fill it, and the number is
 * taken from dev_id, else from phys_port_name. There pN is devlink's number of the physical port, which NIC
 * drivers count from 0 as well (mlx5 and nfp name their first port p0), so port = N + 1; a driver that counts
 * from 1 gets ports 2 and 3, which is odd but stays the same over reboots, and that is what a key is for.
 *
 * One netdev alone may be all that the device has, or the one of several that is in this network namespace. dev_port
 * and dev_id count a device's own netdevs and so say which it is. phys_port_name does not: it counts the card's ports,
 * and where each port has a PCI function of its own (mlx5, ice, bnxt), the second function's only netdev is p1. There
 * port 1 is meant. The first function is the exception: where it shows p1, it has p0 as well, and that is elsewhere.
 *
 * Representors, of other functions or of sub-functions, stand for somebody else's port and are no port of the device,
 * although their `device` is the PF: sysfs lists them beside its own. Their phys_port_name tells, which devlink makes
 * [cN]pfN, [cN]pfNvfM or [cN]pfNsfM (__devlink_port_phys_port_name_get() in net/devlink), and drivers pNpfMvfK
 * (sfc/ef100_rep.c) or, before devlink, just the VF's number (mlx5). What carries the id of a switch is therefore a
 * port only where it is called pN, as the uplink is, or pNsM, a part of a split one, or nothing.
 *
 * sysfs says which netdevs there are, dev_port and dev_id; everything else of a PF's netdev is from rtnetlink, from the
 * same reply as its VFs. Where that does not answer, a netdev is still a port, and reading its VFs says why not.
 */
#include "util/virerror.h"
#include "util/virnetdev.h"
#include "util/virnetlink.h"
#include "util/virpcipriv.h"

#include <net/if_arp.h>
#include <string.h>

#define PORT_MAX 65535 /* more than any card; keeps port + 1 far from overflow */

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

    if (len == 0 || len >= VIRT_IFNAME_LEN)
        return false;
    for (size_t i = 0; i < len; i++) {
        if (name[i] == '/' || name[i] == ':' || !g_ascii_isgraph(name[i]))
            return false;
    }
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
    return true;
}

/* Nothing, pN or pNsM: a port of the card. */
static bool
isCardPort(const char *name)
{
    guint64 number;

    if (!*name)
        return true;
    if (!takeChar(&name, 'p') || !takeDecimal(&name, &number))
        return false;
    if (takeChar(&name, 's') && !takeDecimal(&name, &number))
        return false;
    return *name == '\0';
}

/* Does the netdev stand for another function's port? */
static bool
isRepresentor(const virtNetlinkFacts *facts)
{
    guint64 number;
    const char *p = facts->physPortName;

    if (facts->hasSwitchId)
        return !isCardPort(p);
    if (takeChar(&p, 'c') && !takeDecimal(&p, &number))
        return false;
    return takeChar(&p, 'p') && takeChar(&p, 'f') && takeDecimal(&p, &number);
}

/* A device whose netdevs are being looked at. */
typedef struct {
    virtHost *host;
    char name[VIRT_PCI_ADDRESS_LEN];
    guint facts;     /* VIRT_PCI_LINK, VIRT_PCI_MAC: what is read of each beside its number */
    GError *problem; /* the first attribute that is there and cannot be read: what was found is not to be believed */
} PortScan;

static void
portScanClear(PortScan *scan)
{
    g_clear_error(&scan->problem);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(PortScan, portScanClear)

/* NULL where the netdev does not have it. */
static char *
readNet(PortScan *scan, const char *ifname, const char *attribute)
{
    g_autoptr(GError) problem = NULL;
    char *text = virtHostRead(scan->host, &problem, PCI_DEVICE "/net/%s/%s", scan->name, ifname, attribute);

    if (problem && !scan->problem && !g_error_matches(problem, VIRT_ERROR, VIRT_ERROR_NOT_FOUND))
        scan->problem = g_steal_pointer(&problem);
    return text;
}

/* A number that is not understood is not taken for 0, which is some other port's. */
static void
setOdd(PortScan *scan, const char *what, const char *text, const char *expected, guint64 max)
{
    g_autofree char *shown = g_strescape(text, NULL);

    if (!scan->problem) {
        scan->problem = g_error_new(VIRT_ERROR, VIRT_ERROR_HOST,
                                    "Cannot use %s: it says \"%.40s\", expected %s up to %" G_GUINT64_FORMAT, what,
                                    shown, expected, max);
    }
}

/* 0 where the netdev does not have it. */
static guint64
readNetUInt(PortScan *scan, const char *ifname, const char *attribute, guint64 max)
{
    guint64 value = 0;
    g_autofree char *text = readNet(scan, ifname, attribute);

    if (text && !virtHostParseUInt(text, max, &value)) {
        g_autofree char *path = virtHostPath(scan->host, PCI_DEVICE "/net/%s/%s", scan->name, ifname, attribute);

        setOdd(scan, path, text, "a number", max);
    }
    return value;
}

/* The number in pN or pNsM. */
static void
takePhysPort(PortScan *scan, Netdev *netdev, const char *name)
{
    const char *p = name;

    netdev->hasPhysPort = takeChar(&p, 'p') && takeDecimal(&p, &netdev->physPort);
    if (netdev->physPort > PORT_MAX) {
        g_autofree char *what = g_strdup_printf("the phys_port_name of %s", netdev->port->ifname);

        setOdd(scan, what, name, "p and a number", PORT_MAX);
    }
}

/* Ask rtnetlink about a netdev of the device. Returns false for one that is no port of it. */
static bool
readFacts(PortScan *scan, Netdev *netdev)
{
    virtPort *port = netdev->port;
    virtNetlinkFacts facts;

    if (!virtNetlinkGetFacts(scan->host, port->ifindex, port->ifname, &facts)) {
        port->up = true; /* not known to be down */
        return true;
    }
    if (isRepresentor(&facts))
        return false;
    port->up = facts.up;
    port->ethernet = facts.type == ARPHRD_ETHER;
    port->infiniband = facts.type == ARPHRD_INFINIBAND;
    port->switchdev = facts.hasSwitchId;
    takePhysPort(scan, netdev, facts.physPortName);
    return true;
}

static void
readMac(PortScan *scan, virtPort *port)
{
    g_autofree char *mac = readNet(scan, port->ifname, "address");

    port->addrAssignType = (guint)readNetUInt(scan, port->ifname, "addr_assign_type", G_MAXUINT8);
    if (mac)
        virtMacParse(mac, port->mac);
}

/* Read one netdev of the device; NULL when it is no port of it or went away under us. */
static Netdev *
readNetdev(PortScan *scan, const char *ifname)
{
    guint64 ifindex = readNetUInt(scan, ifname, "ifindex", G_MAXINT);
    Netdev *netdev;

    if (ifindex == 0)
        return NULL;
    netdev = g_new0(Netdev, 1);
    netdev->port = g_new0(virtPort, 1);
    netdev->port->ifname = g_strdup(ifname);
    netdev->port->ifindex = (guint)ifindex;
    if (scan->facts & VIRT_PCI_LINK && !readFacts(scan, netdev)) {
        netdevFree(netdev);
        return NULL;
    }
    netdev->devPort = readNetUInt(scan, ifname, "dev_port", PORT_MAX);
    if (scan->facts & VIRT_PCI_MAC)
        readMac(scan, netdev->port);
    return netdev;
}

/* Do all of the netdevs tell the physical port? */
static bool
haveAllPhysPorts(PortScan *scan, const GPtrArray *netdevs)
{
    for (guint i = 0; i < netdevs->len; i++) {
        Netdev *netdev = netdevs->pdata[i];

        if (!(scan->facts & VIRT_PCI_LINK))
            readFacts(scan, netdev);
        if (!netdev->hasPhysPort)
            return false;
    }
    return true;
}

/* Decide the ports of all netdevs of the device; see the head of this file. */
static void
numberPorts(PortScan *scan, guint function, const GPtrArray *netdevs)
{
    guint64 devPorts = 0, devIds = 0;
    bool counted = netdevs->len > 1 || (function == 0 && scan->facts & VIRT_PCI_LINK);
    bool named = false;

    for (guint i = 0; i < netdevs->len; i++)
        devPorts |= ((const Netdev *)netdevs->pdata[i])->devPort;
    for (guint i = 0; i < netdevs->len && devPorts == 0; i++) {
        Netdev *netdev = netdevs->pdata[i];

        netdev->devId = readNetUInt(scan, netdev->port->ifname, "dev_id", PORT_MAX);
        devIds |= netdev->devId;
    }
    if (devPorts == 0 && devIds == 0 && counted)
        named = haveAllPhysPorts(scan, netdevs);
    for (guint i = 0; i < netdevs->len; i++) {
        Netdev *netdev = netdevs->pdata[i];
        guint64 number = netdev->devPort;

        if (devPorts == 0)
            number = netdev->devId;
        if (named)
            number = netdev->physPort;
        netdev->port->port = (guint)number + 1;
    }
}

static int
comparePortNumbers(gconstpointer a, gconstpointer b)
{
    const virtPort *left = *(const virtPort *const *)a, *right = *(const virtPort *const *)b;

    return (left->port > right->port) - (left->port < right->port);
}

/* Has each of @ports, which are sorted, a number of its own? */
static bool
checkDistinct(const PortScan *scan, const GPtrArray *ports, GError **error)
{
    for (guint i = 1; i < ports->len; i++) {
        const virtPort *a = ports->pdata[i - 1], *b = ports->pdata[i];

        if (a->port != b->port)
            continue;
        g_set_error(
            error, VIRT_ERROR, VIRT_ERROR_HOST,
            "Cannot tell the ports of PCI device %s apart: %s and %s both claim port %u. Its driver fills neither dev_port nor dev_id nor phys_port_name; a newer driver may",
            scan->name, a->ifname, b->ifname, a->port);
        return false;
    }
    return true;
}

/* All netdevs of a device with their port numbers.
 *
 * @facts: what else is read: VIRT_PCI_LINK, VIRT_PCI_MAC
 */
GPtrArray *
virtPCIReadNetdevs(virtHost *host, const virtPCIAddress *address, guint facts, GError **error)
{
    g_auto(PortScan) scan = {.host = host, .facts = facts};
    g_autoptr(GPtrArray) names = NULL;
    g_autoptr(GPtrArray) netdevs = NULL;
    g_autoptr(GPtrArray) ports = NULL;

    virtPCIAddressFormat(address, scan.name);
    names = virtHostListDir(host, error, PCI_DEVICE "/net", scan.name);
    netdevs = g_ptr_array_new_with_free_func(netdevFree);
    for (guint i = 0; names && i < names->len; i++) {
        Netdev *netdev = NULL;

        if (validIfname(names->pdata[i]))
            netdev = readNetdev(&scan, names->pdata[i]);
        if (netdev)
            g_ptr_array_add(netdevs, netdev);
    }
    numberPorts(&scan, address->function, netdevs);
    if (scan.problem) {
        g_propagate_error(error, g_steal_pointer(&scan.problem));
        return NULL;
    }
    if (!names)
        return NULL;
    ports = g_ptr_array_new_with_free_func((GDestroyNotify)virtPortFree);
    for (guint i = 0; i < netdevs->len; i++)
        g_ptr_array_add(ports, g_steal_pointer(&((Netdev *)netdevs->pdata[i])->port));
    g_ptr_array_sort(ports, comparePortNumbers);
    if (!checkDistinct(&scan, ports, error))
        return NULL;
    return g_steal_pointer(&ports);
}

/* The ports of a PF, or of a device that could be one: its netdevs with their port numbers, sorted by port;
 * representors are left out.
 *
 * Returns an array of virtPort for g_ptr_array_unref(), empty when the device has no netdev (no such device, no
 * driver, bound to vfio-pci, not a network device). Errors: VIRT_ERROR_HOST when two netdevs claim one port, or
 * sysfs cannot be read.
 */
GPtrArray *
virtPCIGetPorts(virtHost *host, const virtPCIAddress *address, GError **error)
{
    return virtPCIReadNetdevs(host, address, VIRT_PCI_LINK, error);
}

/* A VF's own netdevs with their port numbers and MAC addresses, sorted by port. Nobody asks of them whether they are
 * up. Returns and errors as virtPCIGetPorts().
 */
GPtrArray *
virtPCIGetNetdevs(virtHost *host, const virtPCIAddress *address, GError **error)
{
    return virtPCIReadNetdevs(host, address, VIRT_PCI_MAC, error);
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
    g_autofree char *driver = NULL;

    virtPCIAddressFormat(address, name);
    driver = virtPCIGetDriver(host, address);
    if (!driver) {
        g_set_error(error, VIRT_ERROR, VIRT_ERROR_HOST, "Cannot rebind PCI device %s: it has no driver. Bind one first",
                    name);
        return false;
    }
    if (!virtHostWrite(host, name, error, "sys/bus/pci/drivers/%s/unbind", driver))
        return false;
    if (virtHostWrite(host, name, error, "sys/bus/pci/drivers/%s/bind", driver))
        return true;
    g_prefix_error(error, "PCI device %s now has no driver: ", name);
    return false;
}

/* The only driver that may take a device, by its driver_override, or NULL: any that fits. Caller frees. */
char *
virtPCIGetOverride(virtHost *host, const virtPCIAddress *address)
{
    char name[VIRT_PCI_ADDRESS_LEN];
    g_autofree char *text = NULL;

    virtPCIAddressFormat(address, name);
    text = virtHostRead(host, NULL, PCI_DEVICE "/driver_override", name);
    if (!text || !*g_strstrip(text) || g_str_equal(text, "(null)"))
        return NULL;
    return g_steal_pointer(&text);
}

/* Is @driver one that hands devices to programs: vfio-pci, its variants (mlx5_vfio_pci), the uio drivers? */
bool
virtPCIIsForGuests(const char *driver)
{
    static const char *const parts[] = {"vfio", "uio", "pci-stub", "pciback"};

    for (guint i = 0; i < G_N_ELEMENTS(parts); i++) {
        if (strstr(driver, parts[i]))
            return true;
    }
    return false;
}

/* Take a device from the driver that it has, if any, and bind it to @driver again.
 *
 * @override: what its driver_override is to be; NULL: none
 *
 * Errors: VIRT_ERROR_HOST; the device may then be without a driver. Trying again is safe.
 */
bool
virtPCIBindBack(virtHost *host, const virtPCIAddress *address, const char *driver, const char *override, GError **error)
{
    char name[VIRT_PCI_ADDRESS_LEN];
    g_autofree char *now = NULL;

    virtPCIAddressFormat(address, name);
    now = virtPCIGetDriver(host, address);
    if (!override)
        override = "\n";
    if (!virtHostWrite(host, override, error, PCI_DEVICE "/driver_override", name))
        return false;
    if (now && !virtHostWrite(host, name, error, "sys/bus/pci/drivers/%s/unbind", now))
        return false;
    return virtHostWrite(host, name, error, "sys/bus/pci/drivers/%s/bind", driver);
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

static int
compareAddresses(gconstpointer a, gconstpointer b)
{
    return virtPCIAddressCompare(*(const virtPCIAddress *const *)a, *(const virtPCIAddress *const *)b);
}

/* All PFs that can have VFs, of whatever kind of card, sorted: an array of virtPCIAddress for g_ptr_array_unref(). */
GPtrArray *
virtPCIListAllPFs(virtHost *host)
{
    GPtrArray *pfs = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GError) problem = NULL;
    g_autoptr(GPtrArray) names = virtHostListDir(host, &problem, "sys/bus/pci/devices");

    if (!names)
        virtHostWarn(host, "The PCI devices of this host cannot be listed: %s", problem->message);
    for (guint i = 0; names && i < names->len; i++) {
        virtPCIAddress address;
        guint64 total = 0;
        const char *name = names->pdata[i];

        if (virtPCIAddressParse(name, &address, NULL) &&
            virtHostReadUInt(host, G_MAXUINT64, &total, NULL, PCI_DEVICE "/sriov_totalvfs", name) && total > 0)
            g_ptr_array_add(pfs, g_memdup2(&address, sizeof(address)));
    }
    g_ptr_array_sort(pfs, compareAddresses);
    return pfs;
}

/* Those that have netdevs. */
GPtrArray *
virtPCIListPFs(virtHost *host)
{
    GPtrArray *pfs = virtPCIListAllPFs(host);

    for (guint i = pfs->len; i-- > 0;) {
        char name[VIRT_PCI_ADDRESS_LEN];
        g_autoptr(GPtrArray) netdevs = NULL;

        virtPCIAddressFormat(pfs->pdata[i], name);
        netdevs = virtHostListDir(host, NULL, PCI_DEVICE "/net", name);
        if (!netdevs || netdevs->len == 0)
            g_ptr_array_remove_index(pfs, i);
    }
    return pfs;
}

/* Whether any port of a PF is up.
 *
 * Errors: those of virtPCIGetPorts().
 */
bool
virtPCIIsUp(virtHost *host, const virtPCIAddress *address, bool *ret, GError **error)
{
    g_autoptr(GPtrArray) ports = virtPCIGetPorts(host, address, error);

    *ret = false;
    for (guint i = 0; ports && i < ports->len; i++)
        *ret |= ((const virtPort *)ports->pdata[i])->up;
    return ports != NULL;
}

/* The PF that has the netdev @ifname.
 *
 * Errors: VIRT_ERROR_NOT_FOUND.
 */
bool
virtPCIFindByNetdev(virtHost *host, const char *ifname, virtPCIAddress *ret, GError **error)
{
    g_autoptr(GPtrArray) pfs = virtPCIListPFs(host);

    for (guint i = 0; i < pfs->len; i++) {
        char name[VIRT_PCI_ADDRESS_LEN];
        g_autofree char *path = NULL;

        virtPCIAddressFormat(pfs->pdata[i], name);
        path = virtHostPath(host, PCI_DEVICE "/net/%s", name, ifname);
        if (!g_file_test(path, G_FILE_TEST_EXISTS))
            continue;
        *ret = *(const virtPCIAddress *)pfs->pdata[i];
        return true;
    }
    g_set_error(error, VIRT_ERROR, VIRT_ERROR_NOT_FOUND,
                "This host has no PF with the netdev '%s'. virt-hostdev list shows the PFs and their netdevs", ifname);
    return false;
}
