/* sysfs.c: fuzz target: what sysfs says of a card, in lines "X=text", where X is a letter of the table below
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "fakehost.h"
#include "fuzz.h"
#include "util/virnetdevcaps.h"
#include "util/virnetdevhostdev.h"
#include "util/virvgpudevice.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEVICES "sys/devices/pci0000:00/"
#define PF "0000:01:00.0"
#define VF "0000:01:10.0"
#define NET DEVICES PF "/net/"

/* The files and links that an input may write; a link where it leads. */
static const struct {
    char letter;
    bool isLink;
    const char *path;
    const char *usual;
} places[] = {
    {'a', false, NET "enp1s0f0/ifindex", "2"},
    {'b', false, NET "enp1s0f0/dev_port", "0"},
    {'c', false, NET "enp1s0f0/dev_id", "0x0"},
    {'d', false, NET "enp1s0f0/flags", "0x1003"},
    {'e', false, NET "enp1s0f0/phys_port_name", ""},
    {'f', false, NET "enp1s0f0/address", "00:1b:21:00:00:02"},
    {'g', false, NET "enp1s0f0/addr_assign_type", "0"},
    {'h', false, NET "enp1s0f0/type", "1"},
    {'i', false, NET "enp1s0f0/phys_switch_id", ""},
    {'j', false, NET "enp1s0f0d1/ifindex", "3"},
    {'k', false, NET "enp1s0f0d1/dev_port", "1"},
    {'l', false, NET "enp1s0f0d1/dev_id", "0x0"},
    {'m', false, NET "enp1s0f0d1/phys_port_name", ""},
    {'n', false, DEVICES PF "/sriov_totalvfs", "3"},
    {'o', false, DEVICES PF "/vendor", "0x8086"},
    {'p', false, DEVICES PF "/device", ""},
    {'q', true, DEVICES PF "/virtfn0", "../" VF},
    {'r', true, DEVICES PF "/virtfn1", "../0000:01:10.2"},
    {'s', true, DEVICES VF "/physfn", "../" PF},
    {'t', true, DEVICES PF "/driver", "../../../bus/pci/drivers/igb"},
    {'u', false, DEVICES PF "/infiniband/mlx4_0/iov/ports/1/admin_guids/1", ""},
    {'v', false, "sys/class/dmi/id/product_uuid", "4c4c4544-0042-3510-8054-b4c04f564433"},
    {'w', false, NET "enp1s0f0d1/address", "00:1b:21:00:00:03"},
    {'x', false, DEVICES VF "/net/enp1s16f0/address", "02:fa:00:00:00:04"},
    {'y', false, DEVICES VF "/net/enp1s16f0/addr_assign_type", "1"},
    {'z', false, DEVICES VF "/net/enp1s16f0/dev_port", "0"},
    {'A', false, DEVICES VF "/nvidia/current_vgpu_type", ""},
    {'B', false, DEVICES VF "/nvidia/creatable_vgpu_types", ""},
};

/* Write place @i; nothing: it is not there. */
static void
put(fakeHost *fake, guint i, const char *text)
{
    g_autofree char *path = virtHostPath(fake->host, "%s", places[i].path);
    g_autofree char *line = g_strconcat(text, "\n", NULL);

    if (!places[i].isLink) {
        fakeHostFile(fake, *text ? line : NULL, "%s", places[i].path);
    } else {
        unlink(path);
        if (*text && symlink(text, path) < 0)
            return; /* a name that is too long is no link */
    }
}

/* What an input has written; the next one finds the card as it usually is. */
static bool touched[G_N_ELEMENTS(places)];

/* A line of the input. */
static void
apply(fakeHost *fake, const char *line)
{
    for (guint i = 0; line[0] && line[1] == '=' && i < G_N_ELEMENTS(places); i++) {
        if (places[i].letter != line[0])
            continue;
        put(fake, i, line + 2);
        touched[i] = true;
    }
}

static void
reset(fakeHost *fake)
{
    for (guint i = 0; i < G_N_ELEMENTS(places); i++) {
        if (touched[i])
            put(fake, i, places[i].usual);
        touched[i] = false;
    }
}

/* ---- what must hold ---- */

static void
checkAddress(const char *text)
{
    virtPCIAddress address, again;
    char name[VIRT_PCI_ADDRESS_LEN];

    if (!virtPCIAddressParse(text, &address, NULL))
        return;
    virtPCIAddressFormat(&address, name);
    if (!virtPCIAddressParse(name, &again, NULL) || virtPCIAddressCompare(&address, &again) != 0)
        fuzzFail("address '%s' was taken, and is another as '%s'", text, name);
}

static void
checkMac(const char *text)
{
    guint8 mac[6], again[6];
    char name[18];

    if (!virtMacParse(text, mac))
        return;
    virtMacFormat(mac, name);
    if (!virtMacParse(name, again) || memcmp(mac, again, sizeof(mac)) != 0)
        fuzzFail("MAC address '%s' was taken, and is another as '%s'", text, name);
}

static void
checkPorts(const GPtrArray *ports)
{
    for (guint i = 0; i < ports->len; i++) {
        const virtPort *port = ports->pdata[i], *before = i ? ports->pdata[i - 1] : NULL;

        if (port->port == 0 || port->ifindex == 0 || port->ifindex > G_MAXINT)
            fuzzFail("%s is port %u with index %u", port->ifname, port->port, port->ifindex);
        if (before && before->port >= port->port)
            fuzzFail("port %u comes before port %u", before->port, port->port);
    }
}

static void
foresee(virtHost *host, const virtPCIAddress *pf, const virtPort *port)
{
    g_autoptr(virtNetdevCapsPort) kind = virtNetdevCapsPortRead(host, pf, port);

    for (virtNetdevCapability capability = 0; capability < VIRT_CAPABILITY_LAST; capability++) {
        g_autofree char *why = NULL;

        if (virtNetdevCapsAsk(kind, NULL, capability, &why) != VIRT_CAPS_UNKNOWN && !why)
            fuzzFail("foreseen for no reason");
    }
}

static void
lookAtVgpu(virtHost *host, const virtPCIAddress *address)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(virtVgpuDevice) device = virtVgpuDeviceOpen(host, address, &error);

    if (!device && !g_utf8_validate(error->message, -1, NULL))
        fuzzFail("a message that is no text");
    for (guint i = 0; device && i < device->creatable->len; i++) {
        const virtVgpu *type = &g_array_index(device->creatable, virtVgpu, i);

        if (type->is.type == 0 || !g_str_is_ascii(type->is.name) || !virtVgpuDeviceFindType(device, type->is.type))
            fuzzFail("type %u is called '%s'", type->is.type, type->is.name);
    }
}

static void
lookUp(virtHost *host)
{
    virtPCIAddress address;
    g_autoptr(virtVF) vf = NULL;
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) netdevs = NULL;
    guint index = G_MAXUINT;

    virtPCIAddressParse(VF, &address, NULL);
    lookAtVgpu(host, &address);
    if (!(vf = virtVFLookup(host, &address, &error))) {
        if (!g_utf8_validate(error->message, -1, NULL))
            fuzzFail("a message that is no text");
        return;
    }
    checkPorts(vf->ports);
    if (vf->ports->len == 0 || !virtPCIFindVF(host, &vf->pf, &address, &index, NULL) || index != vf->index)
        fuzzFail("VF %u of %s is VF %u", vf->index, vf->pfName, index);
    netdevs = virtNetDevHostdevRead(host, vf, NULL, NULL);
    foresee(host, &vf->pf, vf->ports->pdata[0]);
}

static void
listAll(virtHost *host)
{
    g_autoptr(GPtrArray) pfs = virtPCIListPFs(host);

    for (guint i = 0; i < pfs->len; i++) {
        g_autoptr(GPtrArray) ports = virtPCIGetPorts(host, pfs->pdata[i], NULL);

        if (ports)
            checkPorts(ports);
        g_ptr_array_unref(virtPCIListVFs(host, pfs->pdata[i]));
        g_free(virtPCIGetDriver(host, pfs->pdata[i]));
    }
}

/* ---- */

static fakeHost *fake;

static void
removeHost(void)
{
    fakeHostFree(fake);
}

static void
makeHost(void)
{
    fake = fakeHostNew();
    fakeHostAddPF(fake, PF, 2, 3, "igb");
    atexit(removeHost);
    for (guint i = 0; i < G_N_ELEMENTS(places); i++)
        put(fake, i, places[i].usual);
}

int
LLVMFuzzerTestOneInput(const guint8 *data, size_t size)
{
    char *line;

    if (!fake)
        makeHost();
    reset(fake);
    while ((line = fuzzTakeLine(&data, &size))) {
        apply(fake, line);
        checkAddress(line);
        checkMac(line);
        g_free(line);
    }
    lookUp(fake->host);
    listAll(fake->host);
    {
        g_autoptr(virtHostReads) reads = virtHostReadOnce(fake->host);

        lookUp(fake->host);
        lookUp(reads);
    }
    g_ptr_array_set_size(fake->warnings, 0);
    g_string_truncate(fake->log, 0);
    return 0;
}
