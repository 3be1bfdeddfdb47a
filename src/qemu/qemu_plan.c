/* qemu_plan.c: compare what is wanted with what the host says before a start, and change nothing
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "qemu/qemu_plan.h"
#include "util/virerror.h"
#include "util/virnetdevforesight.h"
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

static char *
foreseeRefusal(const virtPortKind *kind, const virtNetdev *present, const virtNetdev *wanted, virtNetdevAttr attr)
{
    g_autofree char *why = NULL;

    return virtForeseeAttr(kind, present, wanted, attr, &why) == VIRT_FORESIGHT_CANNOT ? g_steal_pointer(&why) : NULL;
}

/* NULL where it is not reported; a value that may or may not have been set, as such. */
static char *
formatPresent(const virtNetdev *present, virtNetdevAttr attr)
{
    g_autofree char *value = virtNetdevHas(present, attr) ? virtNetdevAttrs[attr].format(present) : NULL;

    return virtNetdevIsUnknown(present, attr) ? g_strdup_printf("? (%s is shown)", value) : g_steal_pointer(&value);
}

/* Adds a row about one attribute of @wanted, with what @present says of it; whether that is right is for the caller. */
virtPlanRow *
virtPlanRowAdd(GPtrArray *rows, const virtVF *vf, const virtNetdev *wanted, const virtNetdev *present,
               virtNetdevAttr attr)
{
    virtPlanRow *row = addRow(rows, &vf->address, vf, wanted->port);

    row->attr = virtNetdevAttrs[attr].name;
    row->title = virtNetdevAttrs[attr].title;
    row->from = formatPresent(present, attr);
    row->to = virtNetdevAttrs[attr].format(wanted);
    return row;
}

static void
addAttrs(virtHost *host, GPtrArray *rows, const virtVF *vf, const virtNetdev *wanted, const virtNetdev *present)
{
    const virtPort *port = virtVFGetPort(vf, wanted->port, NULL);
    g_autoptr(virtPortKind) kind = virtPortKindRead(host, &vf->pf, port);
    guint differing = virtNetdevDiff(wanted, present) | (wanted->present & present->unknown);

    for (guint attr = 0; attr < VIRT_NETDEV_ATTR_LAST; attr++) {
        virtPlanRow *row;

        if (!virtNetdevHas(wanted, attr))
            continue;
        row = virtPlanRowAdd(rows, vf, wanted, present, attr);
        row->differs = (differing & VIRT_NETDEV_BIT(attr)) != 0;
        /* Of no VLAN, a refusal is no problem. */
        if (row->differs && (attr != VIRT_NETDEV_VLAN || !virtNetdevIsUntagged(wanted)))
            row->problem = foreseeRefusal(kind, present, wanted, attr);
    }
    virtQemuHostdevWarnUnknown(host, vf, present, wanted);
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
        addAttrs(host, rows, vf, wanted, virtNetdevListFind(present, wanted->port));
    else
        addProblem(rows, &vf->address, vf, wanted->port, error);
}

static void
planHostdev(virtHost *host, GPtrArray *rows, const virtOwner *owner, const virtHostdev *hostdev)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(virtVF) vf = virtVFLookup(host, &hostdev->address, &error);
    g_autoptr(virtRecord) old = NULL;
    bool over;

    if (!vf) {
        addProblem(rows, &hostdev->address, NULL, 0, error);
        return;
    }
    if (!virtQemuHostdevMayTake(host, owner, vf, hostdev->netdevs, &old, &over, &error) ||
        !virtVFCheckNetdevs(host, vf, &error))
        addProblem(rows, &vf->address, vf, 0, error);
    for (guint i = 0; i < hostdev->netdevs->len; i++)
        planPort(host, rows, vf, hostdev->netdevs->pdata[i]);
}

/* What virtQemuHostdevPrepare would do for @owner, attribute by attribute, and every
 * reason it would have to refuse, not just the first. What a driver is known not to do counts as such a reason here
 * only: prepare asks the kernel.
 *
 * Returns (transfer full): virtPlanRow, in the order of @hostdevs.
 */
GPtrArray *
virtQemuHostdevPlan(virtHost *host, const virtOwner *owner, const GPtrArray *hostdevs)
{
    g_autoptr(virtHostReads) reads G_GNUC_UNUSED = virtHostReadOnce(host);
    GPtrArray *rows = g_ptr_array_new_with_free_func((GDestroyNotify)virtPlanRowFree);

    for (guint i = 0; i < hostdevs->len; i++)
        planHostdev(host, rows, owner, hostdevs->pdata[i]);
    return rows;
}

/* Adds to @rows which of @devices (virtPCIAddress, all of the host's that the domain is to have) is a PF that cannot be
 * given away.
 */
void
virtQemuHostdevPlanPFs(virtHost *host, GPtrArray *rows, const GArray *devices)
{
    g_autoptr(virtHostReads) reads G_GNUC_UNUSED = virtHostReadOnce(host);

    for (guint i = 0; i < devices->len; i++) {
        const virtPCIAddress *address = &g_array_index(devices, virtPCIAddress, i);
        g_autoptr(GError) error = NULL;

        if (!virtQemuHostdevCheckPF(host, address, devices, &error))
            addProblem(rows, address, NULL, 0, error);
    }
}
