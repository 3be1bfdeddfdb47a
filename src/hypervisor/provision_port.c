/* provision_port.c: which port is meant, where a document leaves that to the device
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * An <interface> without a port means the one netdev that its VF has. What the VF has, util finds out
 * (virtVFFindPorts). A VF with several ports gets its first set: libvirt sets one too, the one that is listed first.
 * Where nobody says which of several ports the VF has, the first is tried, and a driver that writes it elsewhere has
 * said so.
 */
#include "hypervisor/provision.h"
#include "util/virerror.h"

/* The port at which @owner has the VF already; 0: it does not have it, or at several. */
static guint
findRecorded(virtHost *host, const virtOwner *owner, const virtVF *vf)
{
    g_autoptr(virtRecord) record = virtProvisionRecordLoad(host, vf->name, NULL);

    if (!record || !virtOwnerEqual(owner, &record->owner) || !virtProvisionIsRecorded(vf, record, NULL) ||
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
virtProvisionPortResolve(virtHost *host, const virtOwner *owner, const virtVF *vf, const GPtrArray *netdevs,
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

/* Port numbers (guint) as "1, 2 or 3", with @last before the last of them. Caller frees. */
char *
virtProvisionPortJoin(const GArray *ports, const char *last)
{
    GString *text = g_string_new(NULL);

    for (guint i = 0; i < ports->len; i++) {
        const char *separator = i + 1 < ports->len ? ", " : last;

        g_string_append_printf(text, "%s%u", i ? separator : "", g_array_index(ports, guint, i));
    }
    return g_string_free(text, FALSE);
}

static bool
isAmong(const GArray *ports, guint port)
{
    for (guint i = 0; i < ports->len; i++) {
        if (g_array_index(ports, guint, i) == port)
            return true;
    }
    return false;
}

/* Has @vf the ports of all @n @netdevs? Also where nothing would be written there: a record would say that it has.
 * Where nobody says which ports the VF has, a write finds out, by what the driver does with it.
 *
 * Errors: VIRT_ERROR_HOST, naming the ports that it has.
 */
bool
virtProvisionPortCheck(virtHost *host, const virtVF *vf, const virtNetdev *const *netdevs, guint n, GError **error)
{
    g_autoptr(GArray) ports = NULL;
    bool certain;

    if (vf->ports->len == 1) /* of the PF: the VF has no other */
        return true;
    ports = virtVFFindPorts(host, vf, &certain);
    for (guint i = 0; certain && i < n; i++) {
        g_autofree char *names = NULL;

        if (isAmong(ports, netdevs[i]->port))
            continue;
        names = virtProvisionPortJoin(ports, " and ");
        g_set_error(error, VIRT_ERROR, VIRT_ERROR_HOST,
                    "VF %u of PF %s (%s) has no port %u; it has %s. Name that instead.", vf->index, vf->pfName,
                    vf->name, netdevs[i]->port, names);
        return false;
    }
    return true;
}

/* What is wanted of a VF whose record has @recorded, with a number for each port: the first, where it has several, as
 * at a start. For g_ptr_array_unref(). */
GPtrArray *
virtProvisionPortFollow(const GPtrArray *netdevs, const GPtrArray *recorded)
{
    if (!virtNetdevListLeavesPort(netdevs) || recorded->len == 0)
        return g_ptr_array_ref((GPtrArray *)netdevs);
    return withPort(netdevs, ((const virtNetdev *)recorded->pdata[0])->port);
}
