/* qemu_plan.c: compare what is wanted with what the host says, and change nothing
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A plan is wanted against present before a start; drift is the same comparison while the guest runs.
 */
#include "qemu/qemu_plan.h"
#include "util/virerror.h"
#include "util/virnetdevhostdev.h"

void
virtPlanRowFree(virtPlanRow *row)
{
    if (!row)
        return;
    g_free(row->ifname);
    g_free(row->from);
    g_free(row->to);
    g_free(row->problem);
    g_free(row);
}

static virtPlanRow *
addRow(GPtrArray *rows, const virtPCIAddress *address, const virtVF *vf, guint portNumber)
{
    virtPlanRow *row = g_new0(virtPlanRow, 1);
    const virtPort *port = vf && portNumber ? virtVFGetPort(vf, portNumber, NULL) : NULL;

    virtPCIAddressFormat(address, row->device);
    row->port = portNumber;
    row->vf = vf ? vf->index : 0;
    row->ifname = port ? g_strdup(port->ifname) : NULL;
    g_ptr_array_add(rows, row);
    return row;
}

static void
addProblem(GPtrArray *rows, const virtPCIAddress *address, const virtVF *vf, guint port, const GError *error)
{
    addRow(rows, address, vf, port)->problem = g_strdup(error->message);
}

/* What can be known beforehand: these two a driver reports when it has them at all. */
static char *
foreseeRefusal(const virtNetdev *present, virtNetdevAttr attr)
{
    if ((attr != VIRT_NETDEV_TRUST && attr != VIRT_NETDEV_SPOOFCHECK) || virtNetdevHas(present, attr))
        return NULL;
    return g_strdup_printf("the driver does not report %s and will most likely refuse it", virtNetdevAttrs[attr].title);
}

static void
addAttrs(GPtrArray *rows, const virtVF *vf, const virtNetdev *wanted, const virtNetdev *present)
{
    guint differing = virtNetdevDiff(wanted, present);

    for (guint attr = 0; attr < VIRT_NETDEV_ATTR_LAST; attr++) {
        virtPlanRow *row;

        if (!virtNetdevHas(wanted, attr))
            continue;
        row = addRow(rows, &vf->address, vf, wanted->port);
        row->attr = virtNetdevAttrs[attr].name;
        row->from = virtNetdevHas(present, attr) ? virtNetdevAttrs[attr].format(present) : NULL;
        row->to = virtNetdevAttrs[attr].format(wanted);
        row->differs = (differing & VIRT_NETDEV_BIT(attr)) != 0;
        row->problem = row->differs ? foreseeRefusal(present, attr) : NULL;
    }
}

static void
planPort(virtHost *host, GPtrArray *rows, const virtVF *vf, virtNetdev *wanted)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) one = g_ptr_array_new();
    g_autoptr(GPtrArray) present = NULL;

    g_ptr_array_add(one, wanted);
    if (!virtQemuHostdevCheckPort(vf, wanted, &error)) {
        addProblem(rows, &vf->address, vf, wanted->port, error);
        g_clear_error(&error);
    }
    if (!virtVFGetPort(vf, wanted->port, NULL))
        return;
    if ((present = virtNetDevHostdevRead(host, vf, one, &error)))
        addAttrs(rows, vf, wanted, virtNetdevListFind(present, wanted->port));
    else
        addProblem(rows, &vf->address, vf, wanted->port, error);
}

static void
planHostdev(virtHost *host, GPtrArray *rows, const virtOwner *owner, const virtHostdev *hostdev)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(virtVF) vf = virtVFLookup(host, &hostdev->address, &error);
    g_autoptr(virtRecord) record = NULL;

    if (!vf) {
        addProblem(rows, &hostdev->address, NULL, 0, error);
        return;
    }
    record = virtQemuRecordLoad(host, vf->name, &error);
    if ((record && !virtOwnerIsGone(host, &record->owner) && !virtQemuHostdevCheckOwner(owner, record, &error)) ||
        (!record && !g_error_matches(error, VIRT_ERROR, VIRT_ERROR_NOT_FOUND)))
        addProblem(rows, &vf->address, vf, 0, error);
    for (guint i = 0; i < hostdev->netdevs->len; i++)
        planPort(host, rows, vf, hostdev->netdevs->pdata[i]);
}

/* What virtQemuHostdevPrepare would do for @owner, attribute by attribute, and every
 * reason it would have to refuse, not just the first.
 *
 * Returns (transfer full): virtPlanRow, in the order of @hostdevs.
 */
GPtrArray *
virtQemuHostdevPlan(virtHost *host, const virtOwner *owner, const GPtrArray *hostdevs)
{
    GPtrArray *rows = g_ptr_array_new_with_free_func((GDestroyNotify)virtPlanRowFree);

    for (guint i = 0; i < hostdevs->len; i++)
        planHostdev(host, rows, owner, hostdevs->pdata[i]);
    return rows;
}

/* What was set for @record's owner against what the host says now. A row that differs
 * is one that somebody else has changed since.
 *
 * Returns (transfer full): virtPlanRow, or NULL when the VF cannot be read.
 */
GPtrArray *
virtQemuHostdevDrift(virtHost *host, const virtRecord *record, GError **error)
{
    g_autoptr(GPtrArray) rows = g_ptr_array_new_with_free_func((GDestroyNotify)virtPlanRowFree);
    g_autoptr(virtVF) vf = virtVFLookup(host, &record->address, error);
    g_autoptr(GPtrArray) present = vf ? virtNetDevHostdevRead(host, vf, record->wanted, error) : NULL;

    if (!present)
        return NULL;
    for (guint i = 0; i < record->wanted->len; i++) {
        const virtNetdev *wanted = record->wanted->pdata[i];

        addAttrs(rows, vf, wanted, virtNetdevListFind(present, wanted->port));
    }
    return g_steal_pointer(&rows);
}
