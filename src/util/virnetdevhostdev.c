/* virnetdevhostdev.c: read and set the netdevs of VFs
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Theory of operation
 *
 * A VF has one netdev a port, and each is set through the netdev of the PF with the same port number. Read, Set and
 * Restore (virnetdevrestore.c) speak one vocabulary, lists of virtNetdev: Read returns what the kernel has, Set makes
 * it what is wanted, Restore makes it what Read once returned.
 *
 * Set writes only what differs, a port in one request, since a request costs the host a turn under RTNL. The
 * kernel does not say which attribute it refused, and keeps those before it; so after a refusal the port is read
 * again and what is still missing goes attribute by attribute, until the refused one has a name. Then every port
 * is read back once: drivers acknowledge what they ignore, and some write one port through the other. Set stops
 * at the first failure and leaves what is set; its caller holds what Read returned and restores that. Only what
 * went astray to a port that the caller does not speak of (quirk "port-redirect") is undone here. Of many VFs,
 * those of a port are written several in a request and read back in one; where that is refused anywhere, all are read
 * again, and what is still missing goes VF by VF.
 *
 * Whether the VF's index still leads to the same PCI address is the caller's to see to, under the PF's lock.
 */
#include "util/virnetdevhostdev.h"
#include "util/virerror.h"
#include "util/virnetdevhostdevpriv.h"
#include "util/virnetdevpath.h"
#include "util/virnetlink.h"

#include <string.h>

/* Of the attributes both know, those that are not as wanted. */
static guint
findIgnored(const virtNetdev *wanted, const virtNetdevReading *reading)
{
    guint bits = virtNetdevDiff(wanted, &reading->netdev) & reading->netdev.present;

    if (memcmp(wanted->mac, reading->shownMac, sizeof(wanted->mac)) == 0)
        bits &= ~VIRT_NETDEV_BIT(VIRT_NETDEV_MAC);
    return bits;
}

/* Read what the kernel has for the netdevs of a VF: everything it reports, whether anybody asked for it or not.
 *
 * @ports: a list of virtNetdev whose port numbers are wanted, or NULL for all ports of the PF
 *
 * Returns a list of virtNetdev sorted by port, for g_ptr_array_unref(). What the driver does not report (a GUID, a
 * port profile, on some drivers trust) has no bit in `present`. Errors: VIRT_ERROR_HOST when there is no such port
 * or the kernel does not answer; VIRT_ERROR_REFUSED when the VF is not in its list.
 */
GPtrArray *
virtNetDevHostdevRead(virtHost *host, const virtVF *vf, const GPtrArray *ports, GError **error)
{
    g_autoptr(GPtrArray) list = virtNetdevListNew();
    guint n = vf->ports->len;

    if (ports)
        n = ports->len;
    for (guint i = 0; i < n; i++) {
        virtNetdevTarget at = {.host = host, .vf = vf};
        virtNetdevReading reading;

        if (ports)
            at.port = virtVFGetPort(vf, ((const virtNetdev *)ports->pdata[i])->port, error);
        else
            at.port = vf->ports->pdata[i];
        if (!at.port || !virtNetdevReadPort(&at, &reading, error))
            return NULL;
        g_ptr_array_add(list, virtNetdevCopy(&reading.netdev));
    }
    virtNetdevListSort(list);
    return g_steal_pointer(&list);
}

/* Whether a VLAN is still there because the driver takes none away, or only said that it did: asked once more. */
static bool
isVlanLeft(const virtNetdevTarget *at, const virtNetdev *wanted, const virtNetdevReading *reading)
{
    int rc;

    if (!virtNetdevIsUntagged(wanted))
        return false;
    rc = virtNetdevWriteAttr(at, wanted, VIRT_NETDEV_VLAN, reading, NULL, NULL);
    return virtNetdevWriteMayFail(wanted, VIRT_NETDEV_VLAN, rc);
}

/* Are all ports as wanted, as far as the driver tells? */
static bool
verifyPorts(virtHost *host, const virtVF *vf, const GPtrArray *wanted, GError **error)
{
    for (guint i = 0; i < wanted->len; i++) {
        const virtNetdev *netdev = wanted->pdata[i];
        virtNetdevTarget at = {host, vf, virtVFGetPort(vf, netdev->port, error)};
        virtNetdevReading reading;
        guint ignored;
        virtNetdevAttr attr;
        g_autofree char *sentence = NULL;

        if (!at.port || !virtNetdevReadShown(&at, &reading, error))
            return false;
        ignored = findIgnored(netdev, &reading);
        if (ignored & VIRT_NETDEV_BIT(VIRT_NETDEV_MAC)) { /* else it does not matter whose it is */
            if (!virtNetdevReadJudgeMac(&at, &reading, error))
                return false;
            ignored = findIgnored(netdev, &reading);
        }
        if ((ignored & VIRT_NETDEV_BIT(VIRT_NETDEV_VLAN)) && isVlanLeft(&at, netdev, &reading))
            ignored &= ~VIRT_NETDEV_BIT(VIRT_NETDEV_VLAN);
        if (!ignored)
            continue;
        attr = (virtNetdevAttr)g_bit_nth_lsf(ignored, -1);
        sentence =
            virtNetdevWriteDescribeIgnored("set", &at, netdev, attr, &reading, virtNetdevGetRemedy(netdev, attr));
        g_set_error_literal(error, VIRT_ERROR, VIRT_ERROR_REFUSED, sentence);
        return false;
    }
    return true;
}

/* What of a change has to be written at one port. What only seems to be there is; what is only thought to have been
 * there is not. */
static guint
findTodo(const virtNetdev *wanted, const GPtrArray *present)
{
    const virtNetdev *known = virtNetdevListFind(present, wanted->port);
    guint todo = wanted->present;

    if (known)
        todo = virtNetdevDiff(wanted, known) | (wanted->present & known->unknown);
    return todo & ~wanted->unknown;
}

/* Write what differs of one VF, port by port, to the first refusal. */
static bool
writeOne(virtHost *host, const virtVF *vf, const GPtrArray *wanted, const GPtrArray *present, GError **error)
{
    for (guint i = 0; i < wanted->len; i++) {
        const virtNetdev *netdev = wanted->pdata[i];
        const virtNetdevTarget at = {host, vf, virtVFGetPort(vf, netdev->port, NULL)};
        guint todo = findTodo(netdev, present);
        bool together;

        if (!todo)
            continue;
        /* A single attribute needs no second try to be named. */
        together = (todo & (todo - 1)) && virtNetdevPathSet(host, at.port, vf, netdev, todo, NULL) == 0;
        if (!together && !virtNetdevWriteOneByOne(&at, netdev, todo, error))
            return false;
    }
    return true;
}

static gint
compareIfindexes(gconstpointer a, gconstpointer b)
{
    guint left = ((const virtNetlinkChange *)a)->port->ifindex, right = ((const virtNetlinkChange *)b)->port->ifindex;

    return (left > right) - (left < right);
}

/* What differs and goes through the PFs' netdevs, in the order of ports, and of VFs there.
 *
 * @reported: leave out what the driver does not report
 */
static GArray *
collect(const virtNetDevHostdevChange *changes, guint n, bool reported)
{
    GArray *all = g_array_new(FALSE, FALSE, sizeof(virtNetlinkChange));

    for (guint i = 0; i < n; i++) {
        for (guint p = 0; p < changes[i].wanted->len; p++) {
            const virtNetdev *wanted = changes[i].wanted->pdata[p];
            const virtNetdev *known = virtNetdevListFind(changes[i].present, wanted->port);
            virtNetlinkChange change = {virtVFGetPort(changes[i].vf, wanted->port, NULL), changes[i].vf, wanted,
                                        findTodo(wanted, changes[i].present)};

            if ((reported && !known) || (change.port && virtVFGetFunction(changes[i].vf, change.port)))
                continue;
            if (reported)
                change.attrs &= known->present;
            if (change.attrs && change.port)
                g_array_append_val(all, change);
        }
    }
    g_array_sort(all, compareIfindexes); /* stable */
    return all;
}

/* Read all of them again, and write what is still missing. */
static bool
writeEach(virtHost *host, const virtNetDevHostdevChange *changes, guint n, GError **error)
{
    g_autoptr(GPtrArray) lists = g_ptr_array_new_with_free_func((GDestroyNotify)g_ptr_array_unref);

    for (guint i = 0; i < n; i++) {
        GPtrArray *present = virtNetDevHostdevRead(host, changes[i].vf, changes[i].wanted, error);

        if (!present)
            return false;
        g_ptr_array_add(lists, present);
    }
    for (guint i = 0; i < n; i++) {
        if (!writeOne(host, changes[i].vf, changes[i].wanted, lists->pdata[i], error))
            return false;
    }
    return true;
}

/* Write what differs: of VFs that have no functions many together, and the others. */
static bool
writeTogether(virtHost *host, const virtNetDevHostdevChange *changes, guint n)
{
    g_autoptr(GArray) todo = collect(changes, n, false);

    if (!virtNetlinkSetVFs(host, (const virtNetlinkChange *)(const void *)todo->data, todo->len))
        return false;
    for (guint i = 0; i < n; i++) {
        if (changes[i].vf->functions && !writeOne(host, changes[i].vf, changes[i].wanted, changes[i].present, NULL))
            return false;
    }
    return true;
}

static bool
isAllThere(const virtNetDevHostdevChange *changes, guint n)
{
    for (guint i = 0; i < n; i++) {
        for (guint p = 0; p < changes[i].wanted->len; p++) {
            if (findTodo(changes[i].wanted->pdata[p], changes[i].present) != 0)
                return false;
        }
    }
    return true;
}

/* Write what differs, many VFs together where that goes, and read it back. */
static bool
setAll(virtHost *host, const virtNetDevHostdevChange *changes, guint n, GError **error)
{
    bool done;

    if (isAllThere(changes, n))
        return true;
    if (n == 1)
        done = writeOne(host, changes->vf, changes->wanted, changes->present, error);
    else
        done = writeTogether(host, changes, n) || writeEach(host, changes, n, error);
    if (!done)
        return false;
    for (guint i = 0; i < n; i++) {
        if (!verifyPorts(host, changes[i].vf, changes[i].wanted, error))
            return false;
    }
    return true;
}

/* The ports of the PF that @wanted does not speak of, as far as they can be read. */
static GPtrArray *
readOthers(virtHost *host, const virtVF *vf, const GPtrArray *wanted)
{
    GPtrArray *others = virtNetdevListNew();

    for (guint i = 0; i < vf->ports->len; i++) {
        const virtNetdevTarget at = {host, vf, vf->ports->pdata[i]};
        virtNetdevReading reading;

        if (!virtNetdevListFind(wanted, at.port->port) && virtNetdevReadPort(&at, &reading, NULL))
            g_ptr_array_add(others, virtNetdevCopy(&reading.netdev));
    }
    return others;
}

/* Has a failed try changed a port that nobody spoke of? Put it back, and say that instead of what followed from it.
 * Returns that port; 0: none, or it could not be put back. */
static guint
undoRedirected(virtHost *host, const virtVF *vf, const GPtrArray *others, GError **error)
{
    guint elsewhere = 0;

    for (guint i = 0; i < others->len; i++) {
        const virtNetdev *before = others->pdata[i];
        const virtNetdevTarget at = {host, vf, virtVFGetPort(vf, before->port, NULL)};
        const char *outcome = "That was undone";
        g_autoptr(GError) failure = NULL;
        g_autoptr(GPtrArray) one = virtNetdevListNew();
        virtNetdevReading now;

        if (!virtNetdevReadPort(&at, &now, NULL) || virtNetdevDiff(before, &now.netdev) == 0)
            continue;
        g_ptr_array_add(one, virtNetdevCopy(before));
        elsewhere = before->port;
        if (!virtNetDevHostdevRestore(host, vf, one, &failure)) {
            elsewhere = 0;
            outcome = failure->message;
        }
        g_clear_error(error);
        g_set_error(
            error, VIRT_ERROR, VIRT_ERROR_REFUSED,
            "VF %u of PF %s (%s) lacks the port that was to be set: the driver has written it to port %u. %s. Name that port instead",
            vf->index, vf->pfName, vf->name, before->port, outcome);
    }
    return elsewhere;
}

/* Make the netdevs of many VFs what is wanted, and read back that they are.
 *
 * Stops at the first failure. What was set until then stays, of any of them: the caller restores what it read. Ports
 * that are not spoken of are as before.
 * Errors: VIRT_ERROR_HOST when there is no such port (then nothing was written) or nothing can be read back;
 * VIRT_ERROR_REFUSED when an attribute was refused, or acknowledged and ignored.
 */
bool
virtNetDevHostdevSetMany(virtHost *host, virtNetDevHostdevChange *changes, guint n, GError **error)
{
    g_autoptr(virtHostReads) reads G_GNUC_UNUSED = virtHostReadOnce(host);
    g_autoptr(GPtrArray) others = g_ptr_array_new_with_free_func((GDestroyNotify)g_ptr_array_unref);

    for (guint i = 0; i < n; i++) {
        for (guint p = 0; p < changes[i].wanted->len; p++) {
            if (!virtVFGetPort(changes[i].vf, ((const virtNetdev *)changes[i].wanted->pdata[p])->port, error))
                return false;
        }
    }
    for (guint i = 0; i < n; i++)
        g_ptr_array_add(others, readOthers(host, changes[i].vf, changes[i].wanted));
    if (setAll(host, changes, n, error))
        return true;
    for (guint i = 0; i < n; i++)
        changes[i].elsewhere = undoRedirected(host, changes[i].vf, others->pdata[i], error);
    return false;
}

/* Make what the drivers report of many VFs what is wanted, as far as that goes in a few requests. Whether it went
 * anywhere is for virtNetDevHostdevRestore() to find out, of one after the other, and to complete.
 */
void
virtNetDevHostdevTryMany(virtHost *host, const virtNetDevHostdevChange *changes, guint n)
{
    g_autoptr(GArray) todo = collect(changes, n, true);

    virtNetlinkSetVFs(host, (const virtNetlinkChange *)(const void *)todo->data, todo->len);
}

/* virtNetDevHostdevSetMany() of one VF.
 *
 * @present: what virtNetDevHostdevRead() returned for these ports, or NULL
 */
bool
virtNetDevHostdevSet(virtHost *host, const virtVF *vf, const GPtrArray *wanted, const GPtrArray *present,
                     GError **error)
{
    virtNetDevHostdevChange change = {vf, wanted, present, 0};

    return virtNetDevHostdevSetMany(host, &change, 1, error);
}
