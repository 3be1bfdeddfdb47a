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
    g_snprintf(ret, VIRT_PCI_ADDRESS_LEN, "%04x:%02x:%02x.%x", address->domain, address->bus, address->slot,
               address->function);
}

/* Order by domain, bus, slot, function: < 0, 0, > 0. */
int
virtPCIAddressCompare(const virtPCIAddress *a, const virtPCIAddress *b)
{
    if (a->domain != b->domain)
        return a->domain < b->domain ? -1 : 1;
    guint left = a->bus << 8 | a->slot << 3 | a->function;
    guint right = b->bus << 8 | b->slot << 3 | b->function;
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

static guint64
readNetUInt(virtHost *host, const char *name, const char *ifname, const char *attribute, guint64 max)
{
    guint64 value = 0;
    return virtHostReadUInt(host, max, &value, NULL, PCI_DEVICE "/net/%s/%s", name, ifname, attribute) ? value : 0;
}

/* Read one netdev of device @name; NULL when it is a representor or went away under us. */
static Netdev *
readNetdev(virtHost *host, const char *name, const char *ifname)
{
    guint64 ifindex = readNetUInt(host, name, ifname, "ifindex", G_MAXINT);
    g_autofree char *phys = virtHostRead(host, NULL, PCI_DEVICE "/net/%s/phys_port_name", name, ifname);
    if (ifindex == 0 || (phys && isRepresentor(phys)))
        return NULL;
    Netdev *netdev = g_new0(Netdev, 1);
    netdev->port = g_new0(virtPort, 1);
    netdev->port->ifname = g_strdup(ifname);
    netdev->port->ifindex = (guint)ifindex;
    netdev->port->up = readNetUInt(host, name, ifname, "flags", G_MAXUINT32) & IFF_UP;
    netdev->port->addrAssignType = (guint)readNetUInt(host, name, ifname, "addr_assign_type", G_MAXUINT8);
    g_autofree char *mac = virtHostRead(host, NULL, PCI_DEVICE "/net/%s/address", name, ifname);
    if (mac)
        virtMacParse(mac, netdev->port->mac);
    netdev->devPort = readNetUInt(host, name, ifname, "dev_port", PORT_MAX);
    netdev->devId = readNetUInt(host, name, ifname, "dev_id", PORT_MAX);
    const char *p = phys ? phys : "";
    netdev->hasPhysPort = takeChar(&p, 'p') && takeDecimal(&p, &netdev->physPort);
    return netdev;
}

/* Decide the ports of all netdevs of a device; see the head of this file. */
static void
numberPorts(const GPtrArray *netdevs)
{
    guint64 devPorts = 0, devIds = 0;
    bool named = true;
    for (guint i = 0; i < netdevs->len; i++) {
        const Netdev *netdev = netdevs->pdata[i];
        devPorts |= netdev->devPort;
        devIds |= netdev->devId;
        named = named && netdev->hasPhysPort;
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

/* All netdevs of a PCI device with their port numbers, sorted by port; representors are left out.
 *
 * Returns an array of virtPort for g_ptr_array_unref(), empty when the device has no netdev (no such device, no
 * driver, bound to vfio-pci, not a network device). Errors: VIRT_ERROR_HOST when two netdevs claim one port.
 */
GPtrArray *
virtPCIGetPorts(virtHost *host, const virtPCIAddress *address, GError **error)
{
    char name[VIRT_PCI_ADDRESS_LEN];
    virtPCIAddressFormat(address, name);
    g_autoptr(GPtrArray) names = virtHostListDir(host, PCI_DEVICE "/net", name);
    g_autoptr(GPtrArray) netdevs = g_ptr_array_new_with_free_func(netdevFree);
    for (guint i = 0; i < names->len; i++) {
        Netdev *netdev = validIfname(names->pdata[i]) ? readNetdev(host, name, names->pdata[i]) : NULL;
        if (netdev)
            g_ptr_array_add(netdevs, netdev);
    }
    numberPorts(netdevs);
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
            name, a->ifname, b->ifname, a->port);
        return NULL;
    }
    return g_steal_pointer(&ports);
}

/* The name of the driver bound to a device, or NULL. Caller frees. */
char *
virtPCIGetDriver(virtHost *host, const virtPCIAddress *address)
{
    char name[VIRT_PCI_ADDRESS_LEN];
    virtPCIAddressFormat(address, name);
    return virtHostReadLink(host, PCI_DEVICE "/driver", name);
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

/* All PFs that can have VFs and have netdevs, sorted: an array of virtPCIAddress for g_ptr_array_unref(). */
GPtrArray *
virtPCIListPFs(virtHost *host)
{
    GPtrArray *pfs = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GPtrArray) names = virtHostListDir(host, "sys/bus/pci/devices");
    for (guint i = 0; i < names->len; i++) {
        virtPCIAddress address;
        guint64 total = 0;
        const char *name = names->pdata[i];
        if (!virtPCIAddressParse(name, &address, NULL) ||
            !virtHostReadUInt(host, VFS_MAX, &total, NULL, PCI_DEVICE "/sriov_totalvfs", name) || total == 0)
            continue;
        g_autoptr(GPtrArray) netdevs = virtHostListDir(host, PCI_DEVICE "/net", name);
        if (netdevs->len > 0)
            g_ptr_array_add(pfs, g_memdup2(&address, sizeof(address)));
    }
    g_ptr_array_sort(pfs, compareAddresses);
    return pfs;
}

/* Where virtfnN of PF @pfName leads; false past the last VF. */
static bool
readVirtfn(virtHost *host, const char *pfName, guint index, virtPCIAddress *ret)
{
    g_autofree char *target = virtHostReadLink(host, PCI_DEVICE "/virtfn%u", pfName, index);
    return target && virtPCIAddressParse(target, ret, NULL);
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
    while (vfs->len < VFS_MAX && readVirtfn(host, name, vfs->len, &vf))
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

/* Find N such that virtfnN of the PF leads back to the VF. */
static bool
findIndex(virtHost *host, virtVF *vf, GError **error)
{
    virtPCIAddress address;
    for (guint i = 0; i < VFS_MAX && readVirtfn(host, vf->pfName, i, &address); i++) {
        if (virtPCIAddressCompare(&address, &vf->address) != 0)
            continue;
        vf->index = i;
        return true;
    }
    g_set_error(
        error, VIRT_ERROR, VIRT_ERROR_HOST,
        "PF %s does not list PCI device %s among its VFs: they are being made or removed. Try again when that is done.",
        vf->pfName, vf->name);
    return false;
}

static bool
findPorts(virtHost *host, virtVF *vf, GError **error)
{
    vf->ports = virtPCIGetPorts(host, &vf->pf, error);
    if (!vf->ports)
        return false;
    if (vf->ports->len > 0)
        return true;
    g_autofree char *driver = virtPCIGetDriver(host, &vf->pf);
    g_set_error(
        error, VIRT_ERROR, VIRT_ERROR_HOST,
        "PF %s of VF %s has no netdev (driver: %s): it is not a network device, or its netdevs are in another network namespace. Bind its network driver on the host, or assign the device without <netdev>.",
        vf->pfName, vf->name, driver ? driver : "none");
    return false;
}

/* The VF at @address: its PF, its index there and the PF's ports. Read afresh at every call; an index may lead
 * to another device after sriov_numvfs was written.
 *
 * Returns a virtVF to free with virtVFFree(). Errors: VIRT_ERROR_HOST with a sentence that says what to do.
 */
virtVF *
virtVFLookup(virtHost *host, const virtPCIAddress *address, GError **error)
{
    g_autoptr(virtVF) vf = g_new0(virtVF, 1);
    vf->address = *address;
    virtPCIAddressFormat(address, vf->name);
    g_autofree char *physfn = virtHostReadLink(host, PCI_DEVICE "/physfn", vf->name);
    if (!physfn || !virtPCIAddressParse(physfn, &vf->pf, NULL)) {
        setNotVF(host, vf->name, error);
        return NULL;
    }
    virtPCIAddressFormat(&vf->pf, vf->pfName);
    if (!findIndex(host, vf, error) || !findPorts(host, vf, error))
        return NULL;
    return g_steal_pointer(&vf);
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
    g_autoptr(GString) names = g_string_new(NULL);
    for (guint i = 0; i < vf->ports->len; i++) {
        const virtPort *candidate = vf->ports->pdata[i];
        if (candidate->port == port)
            return candidate;
        g_string_append_printf(names, "%s%u (%s)", i ? ", " : "", candidate->port, candidate->ifname);
    }
    g_set_error(error, VIRT_ERROR, VIRT_ERROR_HOST,
                "PF %s of VF %s has no port %u; it has %s. Use one of those in <netdev port=>.", vf->pfName, vf->name,
                port, names->str);
    return NULL;
}
