/* virpcivfport.c: which of its PF's ports a VF has
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Theory of operation. A PF with several netdevs may have VFs with fewer: mlx4's num_vfs=a,b,c makes VFs with port 1
 * only, with port 2 only, and with both. The netdev of a VF with port 2 only calls itself dev_port 0, and the kernel
 * lists such a VF at port 1 too, so neither is taken for an answer. What is, the best first:
 *
 * 1. phys_port_id, by which libvirt pairs netdevs too: a VF's netdev has that of the PF's netdev of the same port;
 * 2. the parameter num_vfs of the PF's driver, where it is a list;
 * 3. a PF with one port: a VF has no other;
 * 4. the VF's own netdevs: as many as the PF has, or with numbers that do not begin anew;
 * 5. the kernel's lists: a port that does not list the VF is not one of the VF's.
 *
 * Where all of that leaves several ports, and the VF's own netdevs are fewer or not in sight, nobody says which.
 */
#include "util/virnetdev.h"
#include "util/virnetlink.h"
#include "util/virpcipriv.h"

#include <string.h>

static void
appendPort(GArray *ports, guint port)
{
    g_array_append_val(ports, port);
}

static GArray *
listAll(const virtVF *vf)
{
    GArray *ports = g_array_new(FALSE, FALSE, sizeof(guint));

    for (guint i = 0; i < vf->ports->len; i++)
        appendPort(ports, ((const virtPort *)vf->ports->pdata[i])->port);
    return ports;
}

static int
compareNumbers(gconstpointer a, gconstpointer b)
{
    guint left = *(const guint *)a, right = *(const guint *)b;

    return (left > right) - (left < right);
}

/* NULL where the driver has none: the kernel then refuses to read it. */
static char *
readPhysPortId(virtHost *host, const char *device, const virtPort *netdev)
{
    return virtHostRead(host, NULL, PCI_DEVICE "/net/%s/phys_port_id", device, netdev->ifname);
}

/* The PF's port that has the id of the VF's netdev @own; 0: none, or not one alone. */
static guint
findById(virtHost *host, const virtVF *vf, const virtPort *own)
{
    g_autofree char *id = readPhysPortId(host, vf->name, own);
    guint found = 0;

    for (guint i = 0; id && *id && i < vf->ports->len; i++) {
        const virtPort *port = vf->ports->pdata[i];
        g_autofree char *other = readPhysPortId(host, vf->pfName, port);

        if (g_strcmp0(id, other) != 0)
            continue;
        if (found)
            return 0;
        found = port->port;
    }
    return found;
}

/* The ports of all of the VF's @own netdevs, or NULL where one of them has no id. */
static GArray *
findByIds(virtHost *host, const virtVF *vf, const GPtrArray *own)
{
    g_autoptr(GArray) ports = g_array_new(FALSE, FALSE, sizeof(guint));

    for (guint i = 0; i < own->len; i++) {
        guint port = findById(host, vf, own->pdata[i]);

        if (!port)
            return NULL;
        appendPort(ports, port);
    }
    g_array_sort(ports, compareNumbers);
    if (ports->len == 0)
        return NULL;
    return g_steal_pointer(&ports);
}

/* "a,b,c" of the PF's driver: the first a VFs have port 1 only, the next b port 2 only, the others all. A single number
 * says nothing about ports. NULL: there is no such list. */
static GArray *
findInDriver(virtHost *host, const virtVF *vf)
{
    g_autofree char *text = virtHostRead(host, NULL, PCI_DEVICE "/driver/module/parameters/num_vfs", vf->pfName);
    g_auto(GStrv) counts = NULL;
    guint64 count, first = 0;
    GArray *ports;

    if (!text)
        return NULL;
    counts = g_strsplit(text, ",", -1);
    if (g_strv_length(counts) < 2)
        return NULL;
    for (guint i = 0; i < 2; i++, first += count) {
        if (!virtHostParseUInt(counts[i], G_MAXUINT32, &count))
            return NULL;
        if (vf->index >= first + count)
            continue;
        ports = g_array_new(FALSE, FALSE, sizeof(guint));
        appendPort(ports, i + 1);
        return ports;
    }
    return listAll(vf);
}

/* Does the VF number its netdevs as the PF does? Certainly where it has as many, or where one has a number that it
 * would not have if they were counted from 1. */
static bool
hasNumbersOfPF(const virtVF *vf, const GPtrArray *own)
{
    bool kept = own->len == vf->ports->len;

    for (guint i = 0; i < own->len; i++) {
        guint port = ((const virtPort *)own->pdata[i])->port;

        if (!virtVFGetPort(vf, port, NULL))
            return false;
        kept |= port > own->len;
    }
    return own->len > 0 && kept;
}

static GArray *
listOwn(const GPtrArray *own)
{
    GArray *ports = g_array_new(FALSE, FALSE, sizeof(guint));

    for (guint i = 0; i < own->len; i++)
        appendPort(ports, ((const virtPort *)own->pdata[i])->port);
    return ports;
}

/* The ports at which the kernel lists the VF; where it lists it at none, all. */
static GArray *
findListed(virtHost *host, const virtVF *vf)
{
    GArray *ports = g_array_new(FALSE, FALSE, sizeof(guint));

    for (guint i = 0; i < vf->ports->len; i++) {
        const virtPort *port = vf->ports->pdata[i];
        virtNetdev unused;

        if (virtNetlinkGetVF(host, port, vf->index, &unused, NULL))
            appendPort(ports, port->port);
    }
    if (ports->len > 0)
        return ports;
    g_array_unref(ports);
    return listAll(vf);
}

/* The ports of its PF that a VF has.
 *
 * @ret_certain: whether it has all that are returned. Otherwise it has at least one of them, and only a write can show
 *               which (quirk "port-redirect")
 *
 * Returns port numbers (guint, 1..) in ascending order for g_array_unref(), never none.
 */
GArray *
virtVFFindPorts(virtHost *host, const virtVF *vf, bool *ret_certain)
{
    g_autoptr(GPtrArray) own = virtPCIReadNetdevs(host, &vf->address, 0, NULL);
    GArray *ports = NULL;

    *ret_certain = true;
    if (own)
        ports = findByIds(host, vf, own);
    if (!ports)
        ports = findInDriver(host, vf);
    if (ports)
        return ports;
    if (vf->ports->len == 1)
        return listAll(vf);
    if (own && hasNumbersOfPF(vf, own))
        return listOwn(own);
    ports = findListed(host, vf);
    *ret_certain = ports->len == 1 || (own && own->len == ports->len);
    return ports;
}
