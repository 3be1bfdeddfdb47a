/* guest_port.c: the ports of the VFs that guests have: from records, drift, and the statistics of the PFs' netdevs
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "tools/guest_port.h"

#include "hypervisor/provision_drift.h"
#include "util/virnetlink.h"
#include "util/virstatefile.h"

static void
guestPortFree(gpointer data)
{
    virtGuestPort *port = data;

    g_free(port->owner);
    g_free(port->uuid);
    g_free(port->ifname);
    g_free(port);
}

void
virtGuestPortsFree(virtGuestPorts *guests)
{
    if (!guests)
        return;
    g_ptr_array_unref(guests->ports);
    g_free(guests);
}

/* ---- records ---- */

static bool
isDrifted(const virtDrift *drift, guint number)
{
    for (guint i = 0; i < drift->rows->len; i++) {
        const virtPlanRow *row = drift->rows->pdata[i];

        if (row->differs && (row->port == number || row->port == 0))
            return true;
    }
    return false;
}

static void
addPort(virtGuestPorts *guests, const virtDrift *drift, const virtVF *vf, guint number)
{
    const virtRecord *record = drift->record;
    virtGuestPort *port = g_new0(virtGuestPort, 1);
    const virtPort *netdev = NULL;

    port->owner = g_strdup(record->owner.name);
    port->uuid = g_strdup(record->owner.uuid);
    g_strlcpy(port->device, record->handle.name, sizeof(port->device));
    g_strlcpy(port->pf, record->parent.name, sizeof(port->pf));
    port->vf = record->index;
    port->port = number;
    port->compared = drift->compared;
    port->drifted = isDrifted(drift, number);
    if (vf)
        netdev = virtVFGetPort(vf, number, NULL);
    /* Where the record's index is no longer the VF's, the counters are another's. */
    if (netdev && (gint)vf->index == record->index) {
        port->ifname = g_strdup(netdev->ifname);
        port->ifindex = netdev->ifindex;
    }
    g_ptr_array_add(guests->ports, port);
}

/* While the PF's lock is held. */
static void
addRecord(virtHost *host, const virtDrift *drift, void *opaque)
{
    virtGuestPorts *guests = opaque;
    const virtRecord *record = drift->record;
    const GPtrArray *wanted = record->wanted.of[VIRT_SETTING_NETDEV];
    g_autofree char *waits = virtProvisionWaits(host, record);
    g_autoptr(virtVF) vf = NULL;
    virtPCIAddress address;

    if (waits || virtProvisionRecordIsLeft(host, record)) {
        guests->waiting++;
        return;
    }
    if (virtHandleGetPCI(&record->handle, &address))
        vf = virtVFLookup(host, &address, NULL);
    for (guint i = 0; i < wanted->len; i++)
        addPort(guests, drift, vf, ((const virtNetdev *)wanted->pdata[i])->port);
}

/* ---- statistics ---- */

static void
setCounts(virtGuestPort *port, const GArray *list)
{
    for (guint i = 0; i < list->len; i++) {
        const virtNetlinkCounts *counts = &g_array_index(list, virtNetlinkCounts, i);

        if ((gint)counts->vf == port->vf) {
            port->known = counts->known;
            port->stats = counts->stats;
            return;
        }
    }
}

/* One request for each netdev of a PF: the kernel lists all of its VFs. */
static void
readCounts(virtHost *host, const GPtrArray *ports)
{
    g_autoptr(GHashTable) lists = g_hash_table_new_full(NULL, NULL, NULL, (GDestroyNotify)g_array_unref);

    for (guint i = 0; i < ports->len; i++) {
        virtGuestPort *port = ports->pdata[i];
        const virtPort netdev = {.port = port->port, .ifname = port->ifname, .ifindex = port->ifindex};
        gpointer key = GUINT_TO_POINTER(port->ifindex);
        GArray *list;

        if (!port->ifname)
            continue;
        if (!(list = g_hash_table_lookup(lists, key))) {
            list = virtNetlinkListStats(host, &netdev);
            if (!list)
                list = g_array_new(FALSE, FALSE, sizeof(virtNetlinkCounts));
            g_hash_table_insert(lists, key, list);
        }
        setCounts(port, list);
    }
}

/* ---- both ---- */

static gint
comparePorts(gconstpointer a, gconstpointer b)
{
    const virtGuestPort *one = *(virtGuestPort *const *)a;
    const virtGuestPort *other = *(virtGuestPort *const *)b;
    int order = g_strcmp0(one->device, other->device);

    if (order == 0)
        order = (int)one->port - (int)other->port;
    return order;
}

/* Read who has which VF, what somebody else has changed of it, and what passed through its ports. Locks one PF after
 * the other for a moment. What of it cannot be told is marked so, and tells nothing else.
 *
 * Errors: those of virtStateFileList().
 */
virtGuestPorts *
virtGuestPortsRead(virtHost *host, GError **error)
{
    g_autoptr(GPtrArray) earlier = virtStateFileList(host, error);
    g_autoptr(GPtrArray) records = NULL;
    g_autoptr(GPtrArray) later = NULL;
    virtGuestPorts *guests;
    guint names;

    if (!earlier || !(records = virtProvisionRecordList(host, error)) || !(later = virtStateFileList(host, error)))
        return NULL;
    guests = g_new0(virtGuestPorts, 1);
    guests->ports = g_ptr_array_new_with_free_func(guestPortFree);
    names = MIN(earlier->len, later->len); /* one that came or went meanwhile is not unreadable */
    if (names > records->len)
        guests->unreadable = names - records->len;
    virtProvisionDrift(host, records, addRecord, guests);
    readCounts(host, guests->ports);
    g_ptr_array_sort(guests->ports, comparePorts);
    return guests;
}
