/* provision_stats.c: what a domain's VF has received and sent
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "hypervisor/provision.h"
#include "util/virerror.h"
#include "util/virnetlink.h"

/* The record of the VF, if domain @uuid has it. */
static virtRecord *
load(virtHost *host, const char *uuid, const char *name, GError **error)
{
    g_autoptr(GError) problem = NULL;
    virtRecord *record = virtProvisionRecordLoad(host, name, &problem);

    if (record && g_strcmp0(record->owner.uuid, uuid) == 0 && record->wanted->len > 0)
        return record;
    g_clear_pointer(&record, virtRecordFree);
    if (problem)
        g_propagate_error(error, g_steal_pointer(&problem));
    else
        g_set_error(error, VIRT_ERROR, VIRT_ERROR_INVALID, "Domain %s has no VF %s with netdevs", uuid, name);
    return NULL;
}

/* Read the counters of a VF at the first of the ports that its domain wanted set: the only one of an <interface>.
 *
 * @uuid: the domain that must have the VF, by our record
 *
 * Errors: VIRT_ERROR_INVALID where it has not; those of virtVFLookup() and virtNetlinkGetVFStats().
 */
bool
virtProvisionGetStats(virtHost *host, const char *uuid, const virtPCIAddress *address, virtNetdevStats *ret,
                      GError **error)
{
    char name[VIRT_PCI_ADDRESS_LEN];
    g_autoptr(virtRecord) record = NULL;
    g_autoptr(virtVF) vf = NULL;
    const virtPort *port;

    virtPCIAddressFormat(address, name);
    if (!(record = load(host, uuid, name, error)) || !(vf = virtVFLookup(host, address, error)))
        return false;
    port = virtVFGetPort(vf, ((const virtNetdev *)record->wanted->pdata[0])->port, error);
    return port && virtNetlinkGetVFStats(host, port, vf->index, ret, error);
}
