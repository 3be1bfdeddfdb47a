/* cmd_list_visit.c: virt-hostdev list: card after card, PF after PF, port after port, VF after VF
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "tools/cmd_list.h"

#include "util/virnetdevhostdev.h"
#include "util/virvfiodriver.h"

char *
virtListDescribeCard(const virtPCICard *card)
{
    g_autoptr(GPtrArray) parts = g_ptr_array_new_with_free_func(g_free);

    if (card->product)
        g_ptr_array_add(parts, g_strdup(card->product));
    if (card->part)
        g_ptr_array_add(parts, g_strdup_printf("part %s", card->part));
    if (card->serial)
        g_ptr_array_add(parts, g_strdup_printf("serial %s (%s)", card->serial, card->from));
    if (card->flaw)
        g_ptr_array_add(parts, g_strdup_printf("libvirt shows no VPD because %s", card->flaw));
    g_ptr_array_add(parts, NULL);
    return g_strjoinv(", ", (char **)parts->pdata);
}

char *
virtListFindOwner(virtHost *host, const virtHandle *handle)
{
    g_autoptr(virtRecord) record = virtProvisionRecordLoad(host, handle, NULL);

    if (!record)
        return NULL;
    return g_strdup(record->owner.name);
}

/* False with @error: it could not be read, but may have been shown all the same. */
static bool
visitVF(virtHost *host, virtListPlace place, const virtPCIAddress *address, virtListFunc func, void *opaque,
        GError **error)
{
    g_autoptr(virtVF) vf = virtVFLookup(host, address, error);
    g_autofree char *driver = virtPCIGetDriver(host, address);
    g_autoptr(GPtrArray) one = g_ptr_array_new();
    g_autoptr(GPtrArray) present = NULL;
    g_autofree char *owner = NULL;
    virtNetdev which = {.port = place.port->port};
    virtHandle handle;

    g_ptr_array_add(one, &which);
    if (!vf)
        return false;
    present = virtNetDevHostdevRead(host, vf, one, error);
    virtHandleSetPCI(&handle, address);
    owner = virtListFindOwner(host, &handle);
    place.vf = vf;
    if (present)
        place.netdev = present->pdata[0];
    place.driver = driver;
    place.owner = owner;
    func(&place, opaque);
    return present != NULL;
}

/* All VFs of a port. A list that is too long for the kernel lacks hundreds of them, which take one warning. */
static void
visitVFs(virtHost *host, virtListPlace place, const GPtrArray *vfs, virtListFunc func, void *opaque)
{
    g_autoptr(GError) first = NULL;
    g_autofree char *variant = NULL;
    guint unread = 0;

    if (vfs->len > 0) /* VFs of one PF are the same device */
        variant = virtVFIODriverFind(host, vfs->pdata[0], NULL);
    place.variant = variant;
    for (guint n = 0; n < vfs->len; n++) {
        g_autoptr(GError) error = NULL;

        if (visitVF(host, place, vfs->pdata[n], func, opaque, &error))
            continue;
        unread++;
        if (!first)
            first = g_steal_pointer(&error);
    }
    if (unread > 1)
        virtHostWarn(host, "%s (%u more of the %u VFs of %s could not be read)", first->message, unread - 1, vfs->len,
                     place.port->ifname);
    else if (unread == 1)
        virtHostWarn(host, "%s", first->message);
}

static void
visitPF(virtHost *host, const virtPCICard *card, const virtPCIAddress *address, virtListFunc func, void *opaque)
{
    g_autofree char *driver = virtPCIGetDriver(host, address);
    g_autoptr(GPtrArray) ports = virtPCIGetPorts(host, address, NULL);
    g_autoptr(GPtrArray) vfs = virtPCIListVFs(host, address);
    virtListPlace place = {.card = card, .driver = driver};

    virtPCIAddressFormat(address, place.pf);
    func(&place, opaque);
    for (guint i = 0; ports && i < ports->len; i++) {
        place.port = ports->pdata[i];
        place.driver = NULL;
        func(&place, opaque);
        visitVFs(host, place, vfs, func, opaque);
    }
}

void
virtListVisit(virtHost *host, virtListFunc func, void *opaque)
{
    g_autoptr(virtHostReads) reads G_GNUC_UNUSED = virtHostReadOnce(host);
    g_autoptr(GPtrArray) cards = virtPCICardList(host);

    for (guint i = 0; i < cards->len; i++) {
        virtListPlace place = {.card = cards->pdata[i]};

        func(&place, opaque);
        for (guint n = 0; n < place.card->pfs->len; n++)
            visitPF(host, place.card, &g_array_index(place.card->pfs, virtPCIAddress, n), func, opaque);
    }
}
