/* provision_plan.c: compare what is wanted with what the host says before a start, and change nothing
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "hypervisor/provision_plan.h"
#include "util/virerror.h"
#include "util/virnetdevcaps.h"
#include "util/virnetdevhostdev.h"

#include <string.h>

void
virtPlanRowFree(virtPlanRow *row)
{
    if (!row)
        return;
    g_free(row->ports);
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
predictRefusal(const virtNetdevCapsPort *kind, const virtNetdev *present, const virtNetdev *wanted, virtNetdevAttr attr)
{
    g_autofree char *why = NULL;

    return virtNetdevCapsAskAttr(kind, present, wanted, attr, &why) == VIRT_CAPS_CANNOT ? g_steal_pointer(&why) : NULL;
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
    g_autoptr(virtNetdevCapsPort) kind = virtNetdevCapsPortRead(host, &vf->pf, port);
    guint differing = virtNetdevDiff(wanted, present) | (wanted->present & present->unknown);

    for (guint attr = 0; attr < VIRT_NETDEV_ATTR_LAST; attr++) {
        virtPlanRow *row;

        if (!virtNetdevHas(wanted, attr))
            continue;
        row = virtPlanRowAdd(rows, vf, wanted, present, attr);
        row->differs = (differing & VIRT_NETDEV_BIT(attr)) != 0;
        /* Of no VLAN, a refusal is no problem. */
        if (row->differs && (attr != VIRT_NETDEV_VLAN || !virtNetdevIsUntagged(wanted)))
            row->problem = predictRefusal(kind, present, wanted, attr);
    }
    virtProvisionWarnUnknown(host, vf, present, wanted);
}

/* The record that there is of a VF already. */
typedef struct {
    virtRecord *record; /* NULL: none */
    bool over;          /* what it remembers goes back first; else its owner goes on with it */
} Past;

/* What a port that says @present will say when what @before remembers has been put back. */
static void
putBack(virtNetdev *present, const virtNetdev *before)
{
    for (virtNetdevAttr attr = 0; attr < VIRT_NETDEV_ATTR_LAST; attr++) {
        bool unknown = virtNetdevIsUnknown(before, attr);

        if (!virtNetdevHas(before, attr) || !virtNetdevHas(present, attr) ||
            (unknown && virtNetdevEqualAttr(before, present, attr)))
            continue;
        virtNetdevCopyAttr(present, before, attr);
        if (unknown && attr == VIRT_NETDEV_MAC) /* that is taken away */
            memset(present->mac, 0, sizeof(present->mac));
        present->unknown &= ~VIRT_NETDEV_BIT(attr);
    }
}

/* What @ports of a VF will say when a start begins to set them. */
static GPtrArray *
foreseePresent(virtHost *host, const virtVF *vf, const GPtrArray *ports, const Past *past, GError **error)
{
    GPtrArray *present = virtNetDevHostdevRead(host, vf, ports, error);

    if (present && past->record && !past->over)
        virtProvisionBelieve(past->record->wanted, present);
    for (guint i = 0; past->over && present && i < present->len; i++) {
        virtNetdev *netdev = present->pdata[i];
        const virtNetdev *before = virtNetdevListFind(past->record->before, netdev->port);

        if (before)
            putBack(netdev, before);
    }
    return present;
}

static void
planPort(virtHost *host, GPtrArray *rows, const virtVF *vf, const virtHostdev *hostdev, const Past *past,
         virtNetdev *wanted)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) one = g_ptr_array_new();
    g_autoptr(GPtrArray) present = NULL;

    g_ptr_array_add(one, wanted);
    if (!virtProvisionCheckPort(vf, wanted, &error)) {
        virtProvisionPrefix(&error, hostdev);
        addProblem(rows, &vf->address, vf, wanted->port, error);
        g_clear_error(&error);
    }
    if (!virtVFGetPort(vf, wanted->port, NULL))
        return;
    if (!(present = foreseePresent(host, vf, one, past, &error))) {
        addProblem(rows, &vf->address, vf, wanted->port, error);
        return;
    }
    addAttrs(host, rows, vf, wanted, virtNetdevListFind(present, wanted->port));
    if (!virtProvisionPortCheck(host, vf, (const virtNetdev *const *)&wanted, 1, &error)) {
        virtProvisionPrefix(&error, hostdev);
        addProblem(rows, &vf->address, vf, wanted->port, error);
    }
}

/* The rows from @end on are of another port than the same number before them: what both ports say now is what is said.
 */
static void
joinRows(GPtrArray *rows, guint first, guint end)
{
    for (guint i = first; i < end; i++) {
        virtPlanRow *row = rows->pdata[i];
        const virtPlanRow *other = rows->pdata[end + i - first];

        if (g_strcmp0(row->from, other->from) != 0)
            g_clear_pointer(&row->from, g_free);
        row->differs |= other->differs;
    }
    g_ptr_array_set_size(rows, (gint)end);
}

/* @wanted is of one of @ports, the first of which a start tries; what keeps it from that is a problem, whichever it is.
 */
static void
planMaybe(virtHost *host, GPtrArray *rows, const virtVF *vf, const virtHostdev *hostdev, const Past *past,
          const virtNetdev *wanted, const GArray *ports)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) all = virtNetdevListNew();
    g_autoptr(GPtrArray) present = NULL;
    guint first, end;

    for (guint i = 0; i < ports->len; i++) {
        g_ptr_array_add(all, virtNetdevCopy(wanted));
        ((virtNetdev *)all->pdata[i])->port = g_array_index(ports, guint, i);
    }
    if (!virtProvisionCheckPort(vf, wanted, &error)) {
        virtProvisionPrefix(&error, hostdev);
        addProblem(rows, &vf->address, vf, wanted->port, error);
        g_clear_error(&error);
    }
    if (!(present = foreseePresent(host, vf, all, past, &error))) {
        addProblem(rows, &vf->address, vf, wanted->port, error);
        return;
    }
    first = end = rows->len;
    for (guint i = 0; i < all->len; i++) {
        addAttrs(host, rows, vf, all->pdata[i], present->pdata[i]);
        if (i > 0)
            joinRows(rows, first, end);
        end = rows->len;
    }
    for (guint i = first; i < end; i++) {
        virtPlanRow *row = rows->pdata[i];

        row->port = 0;
        row->ports = virtProvisionPortJoin(ports, " or ");
        g_clear_pointer(&row->ifname, g_free);
    }
}

/* Can what @left remembers be put back first, as far as reading tells? */
static void
planReturn(virtHost *host, GPtrArray *rows, const virtVF *vf, const virtRecord *left)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) present = virtNetDevHostdevRead(host, vf, left->before, &error);

    if (!present)
        addProblem(rows, &vf->address, vf, 0, error);
}

static void
planHostdev(virtHost *host, GPtrArray *rows, const virtOwner *owner, const virtHostdev *hostdev)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(virtVF) vf = virtProvisionLookup(host, owner, hostdev, &error);
    g_autoptr(GPtrArray) netdevs = NULL;
    g_autoptr(GArray) maybe = NULL;
    g_autoptr(virtRecord) old = NULL;
    Past past = {NULL, false};

    if (!vf) {
        addProblem(rows, &hostdev->address, NULL, 0, error);
        return;
    }
    netdevs = virtProvisionPortResolve(host, owner, vf, hostdev->netdevs, &maybe);
    if (!virtProvisionMayTake(host, owner, vf, netdevs, &old, &past.over, &error) ||
        !virtVFCheckNetdevs(host, vf, &error))
        addProblem(rows, &vf->address, vf, 0, error);
    past.record = old;
    past.over = past.over && old;
    if (past.over)
        planReturn(host, rows, vf, old);
    for (guint i = 0; i < netdevs->len; i++) {
        if (maybe)
            planMaybe(host, rows, vf, hostdev, &past, netdevs->pdata[i], maybe);
        else
            planPort(host, rows, vf, hostdev, &past, netdevs->pdata[i]);
    }
}

/* What virtProvisionPrepare would do for @owner, attribute by attribute, and every
 * reason it would have to refuse, not just the first. What a driver is known not to do counts as such a reason here
 * only: prepare asks the kernel.
 *
 * Returns (transfer full): virtPlanRow, in the order of @hostdevs.
 */
GPtrArray *
virtProvisionPlan(virtHost *host, const virtOwner *owner, const GPtrArray *hostdevs)
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
virtProvisionPlanPFs(virtHost *host, GPtrArray *rows, const GArray *devices)
{
    g_autoptr(virtHostReads) reads G_GNUC_UNUSED = virtHostReadOnce(host);

    for (guint i = 0; i < devices->len; i++) {
        const virtPCIAddress *address = &g_array_index(devices, virtPCIAddress, i);
        g_autoptr(GError) error = NULL;

        if (!virtProvisionCheckPF(host, address, devices, &error))
            addProblem(rows, address, NULL, 0, error);
    }
}
