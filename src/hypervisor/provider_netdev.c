/* provider_netdev.c: the netdevs of VFs, set through those of their PF
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The only file above util that knows what a VF, its PF and their ports are. How a port is read and written is
 * src/util/virnetdevhostdev.c's.
 *
 * Which port is meant. An <interface> without a port means the one netdev that its VF has. What the VF has, util finds
 * out (virtVFFindPorts). A VF with several ports gets its first set: libvirt sets one too, the one that is listed
 * first. Where nobody says which of several ports the VF has, the first is tried, and a driver that writes it elsewhere
 * has said so.
 */
#include "hypervisor/provider_netdev.h"

#include <string.h>

#include "hypervisor/provision.h"
#include "util/virerror.h"
#include "util/virnetdevcaps.h"
#include "util/virnetdevhostdev.h"
#include "util/virnetdevpath.h"
#include "util/virnetdevquirk.h"
#include "util/virnetlink.h"

static const virtVF *
vfOf(const virtTarget *target)
{
    return target->device;
}

/* ---- finding ---- */

/* Settings of @vf will be @owner's: the 16 bytes of its UUID, which an 802.1Qbh switch is told. */
static void
setInstance(virtVF *vf, const virtOwner *owner)
{
    guint n = 0;

    for (const char *p = owner->uuid; p && *p && n < 32; p++) {
        int digit = g_ascii_xdigit_value(*p);

        if (*p == '-')
            continue;
        if (digit < 0)
            return;
        vf->instance[n / 2] = (guint8)(vf->instance[n / 2] << 4 | digit);
        n++;
    }
}

/* @lookup: virtVFLocate() or virtVFLookup() */
static bool
findVF(virtHost *host, virtTarget *target, virtVF *(*lookup)(virtHost *, const virtPCIAddress *, GError **),
       GError **error)
{
    virtPCIAddress address;
    virtVF *vf;

    if (!virtHandleGetPCI(&target->handle, &address)) {
        g_set_error(error, VIRT_ERROR, VIRT_ERROR_INVALID, "%s is not a PCI device and has no netdevs",
                    target->handle.name);
        return false;
    }
    if (!(vf = lookup(host, &address, error)))
        return false;
    target->device = vf;
    virtHandleSetPCI(&target->parent, &vf->pf);
    target->index = (gint)vf->index;
    return true;
}

static bool
locateVF(virtHost *host, virtTarget *target, GError **error)
{
    return findVF(host, target, virtVFLocate, error);
}

static bool
openVF(virtHost *host, const virtOwner *owner, virtTarget *target, GError **error)
{
    if (!findVF(host, target, virtVFLookup, error))
        return false;
    setInstance(target->device, owner);
    return true;
}

static void
closeVF(virtTarget *target)
{
    virtVFFree(target->device);
}

static bool
isStill(virtHost *host, const virtTarget *target, GError **error)
{
    return virtVFIsStill(host, vfOf(target), error);
}

/* ---- which port ---- */

static GPtrArray *
withPort(const GPtrArray *netdevs, guint port)
{
    GPtrArray *list = virtNetdevListCopy(netdevs);

    ((virtNetdev *)list->pdata[0])->port = port;
    return list;
}

/* The port at which @owner has the VF already; 0: it does not have it, or at several. */
static guint
findRecorded(virtHost *host, const virtOwner *owner, const virtTarget *target)
{
    g_autoptr(virtRecord) record = virtProvisionRecordLoad(host, &target->handle, NULL);
    const GPtrArray *wanted;

    if (!record || !virtOwnerEqual(owner, &record->owner) || !virtProvisionIsRecorded(target, record, NULL))
        return 0;
    wanted = record->wanted.of[VIRT_SETTING_NETDEV];
    if (wanted->len != 1)
        return 0;
    return ((const virtNetdev *)wanted->pdata[0])->port;
}

static void
resolve(virtHost *host, const virtOwner *owner, virtTarget *target)
{
    GPtrArray *wanted = target->wanted;
    g_autoptr(GArray) ports = NULL;
    bool certain;
    guint port = 0;

    if (!virtNetdevListLeavesPort(wanted))
        return;
    ports = virtVFFindPorts(host, vfOf(target), &certain);
    if (!certain)
        port = findRecorded(host, owner, target);
    if (!certain && !port)
        target->candidates = g_array_ref(ports);
    if (!port)
        port = g_array_index(ports, guint, 0);
    target->wanted = withPort(wanted, port);
    g_ptr_array_unref(wanted);
}

/* The first, where the VF has several, as at a start. */
static GPtrArray *
follow(const GPtrArray *wanted, const GPtrArray *recorded)
{
    if (!virtNetdevListLeavesPort(wanted) || recorded->len == 0)
        return g_ptr_array_ref((GPtrArray *)wanted);
    return withPort(wanted, ((const virtNetdev *)recorded->pdata[0])->port);
}

/* ---- checks ---- */

static void
setOfSwitch(const virtVF *vf, const virtPort *port, const virtNetdev *wanted, virtNetdevAttr attr, GError **error)
{
    const char *representor = virtVFGetFunction(vf, port)->netdev;
    g_autofree char *value = virtNetdevAttrs[attr].format(wanted);

    if (!*representor)
        representor = "of the VF";
    g_set_error(
        error, VIRT_ERROR, VIRT_ERROR_HOST,
        "Cannot set %s %s on port %u (VF %u of %s, %s): the eswitch of PF %s is in switchdev mode, in which the switch does that. Configure it at the representor %s, with tc or Open vSwitch, and drop it here",
        virtNetdevAttrs[attr].title, value, port->port, vf->index, port->ifname, vf->name, vf->pfName, representor);
}

/* A PF that is down takes settings on some drivers and drops them later, refuses them on others; and the guest
 * would have no link. libvirt refuses it too and does not bring it up; neither does this. */
static bool
checkPort(const virtTarget *target, gconstpointer setting, GError **error)
{
    const virtNetdev *wanted = setting;
    const virtVF *vf = vfOf(target);
    const virtPort *port = virtVFGetPort(vf, wanted->port, error);
    guint ofSwitch;

    if (!port)
        return false;
    if ((ofSwitch = virtNetdevPathFindOfSwitch(vf, port, wanted)) != 0) {
        setOfSwitch(vf, port, wanted, (virtNetdevAttr)g_bit_nth_lsf(ofSwitch, -1), error);
        return false;
    }
    if (!port->up) {
        g_set_error(
            error, VIRT_ERROR, VIRT_ERROR_HOST,
            "Cannot use port %u of %s (VF %u of %s): the PF's netdev %s is down. Bring it up first: ip link set %s up",
            wanted->port, vf->name, vf->index, vf->pfName, port->ifname, port->ifname);
        return false;
    }
    return true;
}

static bool
checkNetdevsOnHost(virtHost *host, const virtTarget *target, GError **error)
{
    return virtVFCheckNetdevs(host, vfOf(target), error);
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

/* Has the VF all the ports of @wanted? Also where nothing would be written there: a record would say that it has. Where
 * nobody says which ports the VF has, a write finds out, by what the driver does with it. */
static bool
checkHasPorts(virtHost *host, const virtTarget *target, const GPtrArray *wanted, GError **error)
{
    const virtVF *vf = vfOf(target);
    g_autoptr(GArray) ports = NULL;
    bool certain;

    if (vf->ports->len == 1) /* of the PF: the VF has no other */
        return true;
    ports = virtVFFindPorts(host, vf, &certain);
    for (guint i = 0; certain && i < wanted->len; i++) {
        const virtNetdev *netdev = wanted->pdata[i];
        g_autofree char *names = NULL;

        if (isAmong(ports, netdev->port))
            continue;
        names = virtSettingJoinNumbers(ports, " and ");
        g_set_error(error, VIRT_ERROR, VIRT_ERROR_HOST,
                    "VF %u of PF %s (%s) has no port %u; it has %s. Name that instead", vf->index, vf->pfName, vf->name,
                    netdev->port, names);
        return false;
    }
    return true;
}

/* ---- verbs ---- */

static GPtrArray *
readPorts(virtHost *host, const virtTarget *target, const GPtrArray *which, GError **error)
{
    return virtNetDevHostdevRead(host, vfOf(target), which, error);
}

static virtNetDevHostdevChange *
listChanges(virtTarget *const *targets, guint n)
{
    virtNetDevHostdevChange *changes = g_new(virtNetDevHostdevChange, n);

    for (guint i = 0; i < n; i++)
        changes[i] = (virtNetDevHostdevChange){vfOf(targets[i]), targets[i]->wanted, targets[i]->present, 0};
    return changes;
}

static bool
setPorts(virtHost *host, virtTarget *const *targets, guint n, GError **error)
{
    g_autofree virtNetDevHostdevChange *changes = listChanges(targets, n);
    bool ok = virtNetDevHostdevSetMany(host, changes, n, error);

    for (guint i = 0; i < n; i++)
        targets[i]->redirectedTo = changes[i].elsewhere;
    return ok;
}

static void
tryRestoreMany(virtHost *host, virtTarget *const *targets, guint n)
{
    g_autofree virtNetDevHostdevChange *changes = listChanges(targets, n);

    virtNetDevHostdevTryMany(host, changes, n);
}

static bool
restorePorts(virtHost *host, const virtTarget *target, const GPtrArray *before, GError **error)
{
    return virtNetDevHostdevRestore(host, vfOf(target), before, error);
}

/* Some drivers of VFs read what was restored only when they probe.
 *
 * @resumed: an earlier try may have ended after it had taken the driver away and before it could bind it again */
static bool
probeAgain(virtHost *host, const virtRecord *record, bool resumed, GError **error)
{
    g_autoptr(GPtrArray) ports = NULL;
    g_autofree char *driver = NULL;
    virtPCIAddress address;

    if (!virtHandleGetPCI(&record->handle, &address) || !(ports = virtPCIGetNetdevs(host, &address, error)))
        return false;
    if (resumed)
        driver = virtPCIGetDriver(host, &address);
    if (resumed && !driver)
        return virtPCIProbe(host, &address, error);
    if (!virtNetdevQuirkNeedsProbe(ports, record->before.of[VIRT_SETTING_NETDEV],
                                   record->wanted.of[VIRT_SETTING_NETDEV]))
        return true;
    return virtPCIRebind(host, &address, error);
}

/* ---- judging ---- */

static char *
foresee(virtHost *host, const virtTarget *target, gconstpointer wanted, gconstpointer present, guint attr)
{
    const virtVF *vf = vfOf(target);
    const virtNetdev *netdev = wanted;
    const virtPort *port = virtVFGetPort(vf, netdev->port, NULL);
    g_autoptr(virtNetdevCapsPort) kind = virtNetdevCapsPortRead(host, &vf->pf, port);
    g_autofree char *why = NULL;

    if (virtNetdevCapsAskAttr(kind, present, netdev, attr, &why) != VIRT_CAPS_CANNOT)
        return NULL;
    return g_steal_pointer(&why);
}

/* May the guest itself change what it receives, and with it, at many drivers, the MAC that the PF shows? */
static bool
isTrusted(const virtNetdev *wanted, const virtNetdev *present)
{
    if (virtNetdevHas(wanted, VIRT_NETDEV_TRUST))
        return wanted->trust;
    return virtNetdevHas(present, VIRT_NETDEV_TRUST) && present->trust;
}

/* A MAC address that the VF's own netdev has made up is read as none, also where it is the one that was wanted. */
static bool
hasMadeUp(virtHost *host, const virtVF *vf, const virtNetdev *wanted)
{
    g_autoptr(GPtrArray) own = virtPCIGetNetdevs(host, &vf->address, NULL);

    for (guint i = 0; own && i < own->len; i++) {
        const virtPort *netdev = own->pdata[i];

        if ((own->len == 1 || netdev->port == wanted->port) &&
            memcmp(netdev->mac, wanted->mac, sizeof(wanted->mac)) == 0)
            return true;
    }
    return false;
}

/* A VLAN of @before that the card did not let anybody take away is still there, and nobody's change. */
static guint
findNetdevDrift(virtHost *host, const virtTarget *target, gconstpointer wanted, gconstpointer before,
                gconstpointer present, guint bits)
{
    static const guint mac = VIRT_NETDEV_BIT(VIRT_NETDEV_MAC), vlan = VIRT_NETDEV_BIT(VIRT_NETDEV_VLAN);
    const virtNetdev *set = wanted, *was = before, *now = present;

    if (virtNetdevIsUntagged(set) && was && virtNetdevEqualAttr(was, now, VIRT_NETDEV_VLAN))
        bits &= ~vlan;
    if (isTrusted(set, now))
        bits &= ~mac;
    if ((bits & mac) && virtMacIsZero(now->mac) && hasMadeUp(host, vfOf(target), set))
        bits &= ~mac;
    return bits;
}

/* libvirt sets MAC address, VLAN and port profile of a VF that it takes from a network at the netdev that its PF lists
 * first, which need not be port 1. The interface's MAC address, that of the first netdev wanted, tells where. */
static guint
findOfLibvirt(const virtTarget *target, gconstpointer present)
{
    static const guint bits =
        VIRT_NETDEV_BIT(VIRT_NETDEV_MAC) | VIRT_NETDEV_BIT(VIRT_NETDEV_VLAN) | VIRT_NETDEV_BIT(VIRT_NETDEV_VIRTUALPORT);
    const virtNetdev *own = target->wanted->pdata[0], *now = present;

    if (!virtNetdevHas(own, VIRT_NETDEV_MAC) || !virtNetdevHas(now, VIRT_NETDEV_MAC) ||
        !virtNetdevEqualAttr(own, now, VIRT_NETDEV_MAC))
        return 0;
    return bits;
}

/* Of what nobody asks for it is not said: that stays. */
static void
warnUnknownAttrs(virtHost *host, const virtTarget *target, gconstpointer before, gconstpointer wanted)
{
    const virtNetdev *was = before, *set = wanted;
    const virtVF *vf = vfOf(target);
    const virtPort *port = virtVFGetPort(vf, was->port, NULL);
    g_autofree char *driver = NULL;
    const char *shown = "none";
    char mac[18];

    if (!port || !virtNetdevIsUnknown(was, VIRT_NETDEV_MAC) || virtMacIsZero(was->mac) ||
        (set && !virtNetdevHas(set, VIRT_NETDEV_MAC)))
        return;
    driver = virtPCIGetDriver(host, &vf->address);
    if (driver)
        shown = driver;
    virtMacFormat(was->mac, mac);
    virtHostWarn(
        host,
        "Port %u (VF %u of %s, %s) shows the MAC address %s, and it is unknown whether that was set or generated by the VF's driver: the VF's netdev is not visible (driver: %s). It will not be restored: afterwards the VF has no MAC address set. If it was set, set it again then: ip link set %s vf %u mac %s",
        was->port, vf->index, port->ifname, vf->name, mac, shown, port->ifname, vf->index, mac);
}

/* ---- words ---- */

static char *
describePort(const virtTarget *target, guint number)
{
    const virtVF *vf = vfOf(target);

    if (number == 0)
        return g_strdup_printf("%s (VF %u of %s)", vf->name, vf->index, vf->pfName);
    return g_strdup_printf("port %u (VF %u of %s, %s)", number, vf->index, vf->pfName, vf->name);
}

static char *
getNetdev(const virtTarget *target, guint number)
{
    const virtPort *port = virtVFGetPort(vfOf(target), number, NULL);

    if (!port)
        return NULL;
    return g_strdup(port->ifname);
}

const virtProvider virtProviderNetdev = {
    .kind = &virtNetdevKind,
    .restoreAt = VIRT_RESTORE_STOPPED,
    .locate = locateVF,
    .open = openVF,
    .close = closeVF,
    .isStill = isStill,
    .isGone = virtProvisionIsVFGone,
    .resolve = resolve,
    .follow = follow,
    .check = checkPort,
    .checkHost = checkNetdevsOnHost,
    .checkNumbers = checkHasPorts,
    .read = readPorts,
    .set = setPorts,
    .tryRestoreMany = tryRestoreMany,
    .restore = restorePorts,
    .afterRestore = probeAgain,
    .foresee = foresee,
    .findDrift = findNetdevDrift,
    .findOfLibvirt = findOfLibvirt,
    .warnUnknown = warnUnknownAttrs,
    .describe = describePort,
    .getNetdev = getNetdev,
};

/* ---- statistics ---- */

/* The record of the VF, if domain @uuid has it. */
static virtRecord *
loadOwned(virtHost *host, const char *uuid, const virtHandle *handle, GError **error)
{
    g_autoptr(GError) problem = NULL;
    virtRecord *record = virtProvisionRecordLoad(host, handle, &problem);

    if (record && g_strcmp0(record->owner.uuid, uuid) == 0 && record->wanted.of[VIRT_SETTING_NETDEV]->len > 0)
        return record;
    g_clear_pointer(&record, virtRecordFree);
    if (problem)
        g_propagate_error(error, g_steal_pointer(&problem));
    else
        g_set_error(error, VIRT_ERROR, VIRT_ERROR_INVALID, "Domain %s has no VF %s with netdevs", uuid, handle->name);
    return NULL;
}

/* Read the counters of a VF at the first of the ports that its domain wanted set: the only one of an <interface>.
 *
 * @uuid: the domain that must have the VF, by its record
 *
 * Errors: VIRT_ERROR_INVALID where it has not; those of virtVFLookup() and virtNetlinkGetVFStats().
 */
bool
virtProviderNetdevGetStats(virtHost *host, const char *uuid, const virtHandle *handle, virtNetdevStats *ret,
                           GError **error)
{
    g_autoptr(virtRecord) record = loadOwned(host, uuid, handle, error);
    g_autoptr(virtTarget) target = NULL;
    const GPtrArray *wanted;
    const virtPort *port;

    if (!record)
        return false;
    wanted = record->wanted.of[VIRT_SETTING_NETDEV];
    if (!(target = virtTargetOpen(host, &record->owner, VIRT_SETTING_NETDEV, handle, wanted, error)))
        return false;
    port = virtVFGetPort(vfOf(target), ((const virtNetdev *)wanted->pdata[0])->port, error);
    return port && virtNetlinkGetVFStats(host, port, vfOf(target)->index, ret, error);
}

/* Whether a VF is trusted at each port of its PF where the driver reports that, or, with @wanted false, at none. False,
 * too, where it reports it nowhere, or the VF cannot be read.
 *
 * @before: what is in the place of that, where it says; NULL: nothing is
 */
bool
virtProviderNetdevAreTrusted(virtHost *host, const virtPCIAddress *address, const virtSettings *before, bool wanted)
{
    g_autoptr(virtVF) vf = virtVFLookup(host, address, NULL);
    g_autoptr(GPtrArray) present = NULL;
    bool reported = false;

    if (vf)
        present = virtNetDevHostdevRead(host, vf, NULL, NULL);
    for (guint i = 0; present && i < present->len; i++) {
        const virtNetdev *netdev = present->pdata[i], *was = NULL;

        if (before)
            was = virtNetdevListFind(before->of[VIRT_SETTING_NETDEV], netdev->port);
        if (was && virtNetdevHas(was, VIRT_NETDEV_TRUST))
            netdev = was;
        if (!virtNetdevHas(netdev, VIRT_NETDEV_TRUST))
            continue;
        if (netdev->trust != wanted)
            return false;
        reported = true;
    }
    return reported;
}
