/* qemu_port.c: which port is meant, where a document leaves that to the device
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * An <interface> without a port means the one netdev that its VF has. What the VF has, util finds out
 * (virtVFFindPorts). A VF with several ports gets its first set: libvirt sets one too, the one that is listed first.
 * Where nobody says which of several ports the VF has, the first is tried, and a driver that writes it elsewhere has
 * said so.
 */
#include "qemu/qemu_hostdev.h"

/* The port at which @owner has the VF already; 0: it does not have it, or at several. */
static guint
findRecorded(virtHost *host, const virtOwner *owner, const virtVF *vf)
{
    g_autoptr(virtRecord) record = virtQemuRecordLoad(host, vf->name, NULL);

    if (!record || !virtOwnerEqual(owner, &record->owner) || !virtQemuHostdevIsRecorded(vf, record, NULL) ||
        record->wanted->len != 1)
        return 0;
    return ((const virtNetdev *)record->wanted->pdata[0])->port;
}

static GPtrArray *
withPort(const GPtrArray *netdevs, guint port)
{
    GPtrArray *list = virtNetdevListCopy(netdevs);

    ((virtNetdev *)list->pdata[0])->port = port;
    return list;
}

/* What @owner wants of @vf, with a number for each port.
 *
 * @ret_maybe: ports (guint), of which the VF has one and nobody says which; the first is taken. NULL: it is certain
 *
 * Returns virtNetdev for g_ptr_array_unref().
 */
GPtrArray *
virtQemuPortResolve(virtHost *host, const virtOwner *owner, const virtVF *vf, const GPtrArray *netdevs,
                    GArray **ret_maybe)
{
    g_autoptr(GArray) ports = NULL;
    bool certain;
    guint port;

    *ret_maybe = NULL;
    if (!virtNetdevListLeavesPort(netdevs))
        return g_ptr_array_ref((GPtrArray *)netdevs);
    ports = virtVFFindPorts(host, vf, &certain);
    port = certain ? 0 : findRecorded(host, owner, vf);
    if (!certain && !port)
        *ret_maybe = g_array_ref(ports);
    return withPort(netdevs, port ? port : g_array_index(ports, guint, 0));
}

/* What is wanted of a VF whose record has @recorded, with a number for each port. For g_ptr_array_unref(). */
GPtrArray *
virtQemuPortFollow(const GPtrArray *netdevs, const GPtrArray *recorded)
{
    if (!virtNetdevListLeavesPort(netdevs) || recorded->len != 1)
        return g_ptr_array_ref((GPtrArray *)netdevs);
    return withPort(netdevs, ((const virtNetdev *)recorded->pdata[0])->port);
}
