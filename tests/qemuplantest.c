/* qemuplantest.c: plan and start agree, on made-up hosts of all kinds
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Each round makes a host at random, and a domain that wants something of it, from one number. Then plan must foresee a
 * problem just where a start fails, and its rows must be what the start has set. VIRT_TEST_HOSTS is the number of
 * rounds, VIRT_TEST_SEED that of the first; a failure names the round's.
 *
 * What only the driver can tell is left out: that it refuses a setting or ignores it (rounds that are "stubborn"), and,
 * where nothing says which ports a VF has, that it lacks one. Then a start may fail where plan has foreseen nothing.
 */
#include "fakehost.h"
#include "hypervisor/provision_plan.h"
#include "util/virnetdevhostdev.h"
#include "testrecord.h"

#include <linux/if_link.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PF "0000:01:00.0"
#define UUID_A "11111111-2222-3333-4444-555555555555"
#define UUID_B "99999999-2222-3333-4444-555555555555"
#define VFS 2
#define ROUNDS 120

typedef struct {
    GRand *rand;
    fakeHost *fake;
    guint ports;
    guint only[VFS]; /* the one port that the VF has; 0: all */
    bool stubborn;
    bool had;       /* the domain has had VFs: what it had there may name a port that a VF lacks, unseen */
    GString *story; /* what was made, for who has to look into it */
    virtOwner *a, *b;
} Round;

/* One of @n. */
static guint
pick(Round *r, guint n)
{
    return (guint)g_rand_int_range(r->rand, 0, (gint32)n);
}

/* True once in @n, and told then. */
static bool
once(Round *r, guint n, const char *what)
{
    bool yes = pick(r, n) == 0;

    if (yes)
        g_string_append_printf(r->story, "%s; ", what);
    return yes;
}

/* ---- hosts ---- */

static void
setNet(Round *r, const char *device, const char *attribute, const char *format)
{
    g_autoptr(GPtrArray) names = virtHostListDir(r->fake->host, NULL, "sys/bus/pci/devices/%s/net", device);

    for (guint i = 0; names && i < names->len; i++) {
        const char *name = names->pdata[i];
        g_autofree char *text = g_strdup_printf("%s%u\n", format, g_str_has_suffix(name, "d1") ? 1 : 0);

        fakeHostFile(r->fake, text, "sys/bus/pci/devices/%s/net/%s/%s", device, name, attribute);
        if (!g_str_equal(attribute, "dev_port"))
            fakeHostFile(r->fake, "0\n", "sys/bus/pci/devices/%s/net/%s/dev_port", device, name);
    }
}

/* Older drivers number their netdevs otherwise. */
static void
renumber(Round *r, const char *attribute, const char *format)
{
    setNet(r, PF, attribute, format);
    for (guint vf = 0; vf < VFS; vf++)
        setNet(r, fakeHostVFAddress(r->fake, PF, vf), attribute, format);
}

/* mlx4's num_vfs, which says how many VFs have port 1 only, port 2 only, and both. */
static void
makeList(Round *r)
{
    guint counts[3] = {0};
    g_autofree char *text = NULL;

    for (guint vf = 0; vf < VFS; vf++)
        counts[r->only[vf] ? r->only[vf] - 1 : 2]++;
    text = g_strdup_printf("%u,%u,%u\n", counts[0], counts[1], counts[2]);
    fakeHostFile(r->fake, text, "sys/bus/pci/drivers/dual/module/parameters/num_vfs");
}

static void
makePorts(Round *r)
{
    if (once(r, 6, "told apart by dev_id"))
        renumber(r, "dev_id", "0x");
    else if (once(r, 6, "told apart by phys_port_name"))
        renumber(r, "phys_port_name", "p");
    if (r->ports == 2) {
        for (guint vf = 0; vf < VFS; vf++) {
            r->only[vf] =
                vf && r->only[0] != 1 ? r->only[0] : pick(r, 3); /* in this order, as the driver's list has it */
            if (r->only[vf])
                fakeHostOnlyPort(r->fake, PF, vf, r->only[vf]);
            g_string_append_printf(r->story, "VF %u has port %u only; ", vf, r->only[vf]);
        }
        if (once(r, 4, "the driver's list"))
            makeList(r);
    }
    if (once(r, 3, "phys_port_id"))
        fakeHostPhysPortIds(r->fake, PF);
    for (guint port = 1; port <= r->ports; port++) {
        if (once(r, 12, "a port is down"))
            fakeHostFile(r->fake, "0x1002\n", "sys/class/net/%s/flags", fakeHostIfname(r->fake, PF, port));
    }
}

static void
makeSettings(Round *r)
{
    fakeHost *fake = r->fake;
    bool noTrust = once(r, 4, "no trust"), noSpoofcheck = once(r, 4, "no spoof check");

    for (guint vf = 0; vf < VFS; vf++) {
        bool hidden = once(r, 25, "a VF is being reset, and not in the lists");

        for (guint port = 1; port <= r->ports; port++) {
            fakeVF *state = fakeHostVF(fake, PF, port, vf);

            state->vlan = pick(r, 3) ? 0 : (guint16)(1 + pick(r, 4));
            if (!pick(r, 3))
                memcpy(state->mac, "\x52\x54\x00\x00\x00", 5), state->mac[5] = (guint8)pick(r, 4);
            state->trust = noTrust ? G_MAXUINT32 : pick(r, 2);
            state->spoofchk = noSpoofcheck ? G_MAXUINT32 : pick(r, 2);
            state->hidden = hidden;
        }
    }
    fake->vlanNone4095 = once(r, 6, "no VLAN is 4095");
    fake->refuseVlanZero = fake->vlanNone4095 && once(r, 2, "0 is no VLAN");
    fake->refuseZeroMac = once(r, 6, "no MAC cannot be written");
    fake->busy = once(r, 10, "busy for a while") ? 2 : 0;
}

static void
makeStubborn(Round *r)
{
    r->stubborn = once(r, 8, "a driver refuses or ignores something");
    if (!r->stubborn)
        return;
    *(pick(r, 2) ? &r->fake->refused : &r->fake->ignored) = VIRT_NETDEV_BIT(pick(r, VIRT_NETDEV_TRUST + 1));
    r->fake->faultPort = pick(r, r->ports + 1);
}

static void
makeDriver(Round *r, guint vf)
{
    const char *name = fakeHostVFAddress(r->fake, PF, vf);

    if (once(r, 4, "a VF at vfio-pci"))
        fakeHostBindVFIO(r->fake, name);
    else if (once(r, 6, "a VF without driver"))
        fakeHostSetDriver(r->fake, name, NULL);
}

/* A VF's driver has made an address up, which the kernel shows; or somebody has set one that looks like that. */
static void
makeUp(Round *r, guint vf)
{
    for (guint port = 1; port <= r->ports; port++) {
        g_autofree char *mac = g_strdup_printf("b6:00:00:00:%02x:%02x", port, vf);

        if (r->only[vf] && r->only[vf] != port)
            continue;
        if (once(r, 4, "a MAC address is made up"))
            fakeHostRandomMac(r->fake, PF, port, vf, mac);
        else if (once(r, 4, "a MAC address looks made up"))
            g_assert_true(virtMacParse(mac, fakeHostVF(r->fake, PF, port, vf)->mac));
    }
}

/* The host itself uses a VF. */
static void
makeUse(Round *r, guint vf)
{
    const char *name = fakeHostVFAddress(r->fake, PF, vf);
    g_autoptr(GPtrArray) names = virtHostListDir(r->fake->host, NULL, "sys/bus/pci/devices/%s/net", name);
    g_autofree char *net = virtHostPath(r->fake->host, "sys/devices/pci0000:00/%s/net", name);
    g_autofree char *away = virtHostPath(r->fake->host, "elsewhere-%u", vf);

    if (!names || names->len == 0)
        return;
    if (once(r, 20, "a VF is below a bridge"))
        fakeHostFile(r->fake, "", "sys/devices/pci0000:00/%s/net/%s/upper_br0", name, (const char *)names->pdata[0]);
    else if (once(r, 20, "a VF has an address"))
        fakeHostFile(r->fake, "20010db8000000000000000000000001 05 40 00 80 enp1s16f0\n", "proc/net/if_inet6");
    else if (once(r, 20, "a VF is in another namespace"))
        g_assert_cmpint(rename(net, away), ==, 0);
}

static void
makeLink(Round *r, const char *target, const char *path)
{
    g_autofree char *full = virtHostPath(r->fake->host, "%s", path);
    g_autofree char *dir = g_path_get_dirname(full);

    g_assert_cmpint(g_mkdir_with_parents(dir, 0755), ==, 0);
    g_assert_cmpint(symlink(target, full), ==, 0);
}

/* Somebody without a record has a VF through VFIO. */
static void
makeStranger(Round *r, guint vf)
{
    const char *name = fakeHostVFAddress(r->fake, PF, vf);
    g_autofree char *group = g_strdup_printf("sys/bus/pci/devices/%s/iommu_group", name);

    fakeHostBindVFIO(r->fake, name);
    makeLink(r, "../../../kernel/iommu_groups/17", group);
    fakeHostFile(r->fake, "", "sys/kernel/iommu_groups/17/devices/%s", name);
    fakeHostFile(r->fake, "", "dev/vfio/17");
    fakeHostFile(r->fake, "dpdk\n", "proc/4711/comm");
    makeLink(r, "/dev/vfio/17", "proc/4711/fd/9");
}

static virtVF *
lookup(const Round *r, const virtHostdev *hostdev)
{
    const virtPCIAddress address = testAddress(&hostdev->handle);

    return virtVFLookup(r->fake->host, &address, NULL);
}

static void
setRunning(Round *r, const virtOwner *owner, const virtHostdev *hostdev)
{
    const virtPCIAddress at = testAddress(&hostdev->handle);
    g_autofree char *text = g_strdup_printf(
        "<domstatus state='running' reason='booted' pid='4712'><domain type='kvm' id='1'><name>%s</name><uuid>%s</uuid>"
        "<devices><hostdev mode='subsystem' type='pci'><source><address domain='0x%04x' bus='0x%02x' slot='0x%02x' "
        "function='0x%x'/></source></hostdev></devices></domain></domstatus>\n",
        owner->name, owner->uuid, at.domain, at.bus, at.slot, at.function);

    fakeHostFile(r->fake, text, "run/libvirt/qemu/%s.xml", owner->name);
}

/* ---- wishes ---- */

static virtNetdev *
makeNetdev(Round *r, guint port)
{
    virtNetdev *netdev = virtNetdevNew(port);

    netdev->present = pick(r, 1u << (VIRT_NETDEV_TRUST + 1)) & ~VIRT_NETDEV_BIT(VIRT_NETDEV_BANDWIDTH);
    memcpy(netdev->mac, "\x52\x54\x00\x00\x00", 5);
    netdev->mac[5] = (guint8)pick(r, 4);
    if (!pick(r, 3))
        netdev->mac[0] = 0xb6;          /* it looks made up */
    if (port == VIRT_NETDEV_PORT_ANY) { /* libvirt gives each interface a MAC address, and a new one */
        netdev->present |= VIRT_NETDEV_BIT(VIRT_NETDEV_MAC);
        netdev->mac[4] = 1;
    }
    netdev->vlan.id = (guint16)(1 + pick(r, 4));
    netdev->vlan.protocol = 0x8100;
    netdev->spoofcheck = (guint8)pick(r, 2);
    netdev->link = pick(r, 2) ? IFLA_VF_LINK_STATE_AUTO : IFLA_VF_LINK_STATE_DISABLE;
    netdev->trust = (guint8)pick(r, 2);
    return netdev;
}

static virtHostdev *
makeHostdev(Round *r, guint vf)
{
    virtHostdev *hostdev = g_new0(virtHostdev, 1);
    const char *name = once(r, 30, "a PF is wanted") ? PF : fakeHostVFAddress(r->fake, PF, vf);
    guint port = 1 + pick(r, 2);

    testSetHandle(&hostdev->handle, name);
    virtSettingsInit(&hostdev->settings);
    if (pick(r, 2)) {
        hostdev->interface = g_new0(virtInterface, 1);
        hostdev->interface->opaque = g_strdup("");
        g_ptr_array_add(VIRT_NETDEVS(hostdev), makeNetdev(r, pick(r, 3) ? VIRT_NETDEV_PORT_ANY : port));
        return hostdev;
    }
    g_ptr_array_add(VIRT_NETDEVS(hostdev), makeNetdev(r, port));
    if (pick(r, 2))
        g_ptr_array_add(VIRT_NETDEVS(hostdev), makeNetdev(r, 3 - port));
    virtNetdevListSort(VIRT_NETDEVS(hostdev));
    return hostdev;
}

static GPtrArray *
makeWishes(Round *r)
{
    GPtrArray *list = g_ptr_array_new_with_free_func((GDestroyNotify)virtHostdevFree);
    guint both = pick(r, 3) == 0, first = pick(r, VFS);

    g_ptr_array_add(list, makeHostdev(r, first));
    if (both)
        g_ptr_array_add(list, makeHostdev(r, (first + 1) % VFS));
    return list;
}

/* Who had VFs before: left over, running, or somebody else. */
static void
makePast(Round *r)
{
    bool own = pick(r, 2);
    const virtOwner *owner = own ? r->a : r->b;
    g_autoptr(GPtrArray) list = NULL;

    if (!once(r, 2, own ? "the domain had VFs" : "another domain had VFs"))
        return;
    r->had = own;
    list = makeWishes(r);
    if (!virtProvisionPrepare(r->fake->host, owner, list, NULL))
        g_string_append(r->story, "or failed to get them; ");
    else if (once(r, 3, "and runs"))
        setRunning(r, owner, list->pdata[0]);
}

static void
makeRound(Round *r, guint32 seed)
{
    r->rand = g_rand_new_with_seed(seed);
    r->fake = fakeHostNew();
    r->story = g_string_new(NULL);
    r->a = virtOwnerNew("a", UUID_A);
    r->b = virtOwnerNew("b", UUID_B);
    r->ports = 1 + pick(r, 2);
    fakeHostAddPF(r->fake, PF, r->ports, VFS, "dual");
    g_string_append_printf(r->story, "%u ports; ", r->ports);
    makePorts(r);
    makeSettings(r);
    for (guint vf = 0; vf < VFS; vf++)
        makeUp(r, vf);
    makePast(r);
    if (r->ports == 1 && once(r, 20, "VFs have changed places"))
        fakeHostSwapVFs(r->fake, PF, 0, 1);
    for (guint vf = 0; vf < VFS; vf++)
        makeDriver(r, vf);
    for (guint vf = 0; vf < VFS; vf++)
        makeUse(r, vf);
    if (once(r, 10, "a stranger has VF 0"))
        makeStranger(r, 0);
    makeStubborn(r);
}

static void
clearRound(Round *r)
{
    g_rand_free(r->rand);
    fakeHostFree(r->fake);
    g_string_free(r->story, TRUE);
    virtOwnerFree(r->a);
    virtOwnerFree(r->b);
}

/* ---- what must hold ---- */

static void
appendRows(GString *text, const GPtrArray *rows)
{
    for (guint i = 0; i < rows->len; i++) {
        const virtPlanRow *row = rows->pdata[i];

        g_string_append_printf(text, "\n  %s port %u %s: %s: %s -> %s %s", row->device, row->port,
                               row->ports ? row->ports : "", row->attr ? row->attr : "-", row->from ? row->from : "?",
                               row->to ? row->to : "?", row->differs ? "differs" : "same");
        if (row->problem)
            g_string_append_printf(text, ": %s", row->problem);
    }
}

G_GNUC_PRINTF(4, 5)
static void
fail(const Round *r, guint32 seed, const GPtrArray *rows, const char *format, ...)
{
    g_autoptr(GString) text = g_string_new(NULL);
    va_list args;

    va_start(args, format);
    g_string_append_vprintf(text, format, args);
    va_end(args);
    g_string_append_printf(text, "\nVIRT_TEST_SEED=%u VIRT_TEST_HOSTS=1: %s\nplan:", seed, r->story->str);
    appendRows(text, rows);
    g_error("%s", text->str);
}

static const char *
firstProblem(const GPtrArray *rows)
{
    for (guint i = 0; i < rows->len; i++) {
        const virtPlanRow *row = rows->pdata[i];

        if (row->problem)
            return row->problem;
    }
    return NULL;
}

/* The row about @attr of @netdev, which was set. */
static const virtPlanRow *
findRow(const GPtrArray *rows, const char *device, const virtNetdev *netdev, virtNetdevAttr attr)
{
    g_autofree char *number = g_strdup_printf("%u", netdev->port);

    for (guint i = 0; i < rows->len; i++) {
        const virtPlanRow *row = rows->pdata[i];

        if (g_str_equal(row->device, device) && g_strcmp0(row->attr, virtNetdevAttrs[attr].name) == 0 &&
            (row->port == netdev->port || (row->ports && strstr(row->ports, number))))
            return row;
    }
    return NULL;
}

/* How plan shows what @attr was before @wanted was set. A record forgets an unknown value that was wanted as well. */
static char *
formatWas(const virtNetdev *was, const virtNetdev *wanted, virtNetdevAttr attr)
{
    bool unknown = virtNetdevIsUnknown(was, attr);
    g_autofree char *value = virtNetdevAttrs[attr].format(unknown && virtMacIsZero(was->mac) ? wanted : was);

    return unknown ? g_strdup_printf("? (%s is shown)", value) : g_steal_pointer(&value);
}

/* May the start begin anew, at another port, after a try? */
static bool
triesPorts(const GPtrArray *rows)
{
    for (guint i = 0; i < rows->len; i++) {
        if (((const virtPlanRow *)rows->pdata[i])->ports)
            return true;
    }
    return false;
}

/* Of what was set of one VF: its row says so, and from what. Returns how many rows that were. */
static guint
compareRecord(const Round *r, guint32 seed, const GPtrArray *rows, const virtRecord *record, const GPtrArray *present)
{
    char device[VIRT_PCI_ADDRESS_LEN];
    guint n = 0;

    g_strlcpy(device, record->handle.name, sizeof(device));
    for (guint i = 0; i < WANTED(record)->len; i++) {
        const virtNetdev *wanted = WANTED(record)->pdata[i];
        const virtNetdev *was = virtNetdevListFind(present ? present : BEFORE(record), wanted->port);

        for (virtNetdevAttr attr = 0; attr < VIRT_NETDEV_ATTR_LAST; attr++) {
            const virtPlanRow *row = findRow(rows, device, wanted, attr);
            g_autofree char *to = virtNetdevAttrs[attr].format(wanted);
            g_autofree char *from = formatWas(was, wanted, attr);
            bool same = virtNetdevEqualAttr(was, wanted, attr) && !virtNetdevIsUnknown(was, attr);

            if (!virtNetdevHas(wanted, attr))
                continue;
            if (!row || g_strcmp0(row->to, to) != 0)
                fail(r, seed, rows, "%s port %u: %s was set to %s", device, wanted->port, virtNetdevAttrs[attr].name,
                     to);
            if (attr == VIRT_NETDEV_MAC &&
                r->fake->refuseZeroMac) { /* what was written in its place is the driver's to choose */
                n++;
                continue;
            }
            if (row->from && *row->from == '?' && triesPorts(rows)) { /* taken away when the first try was undone */
                n++;
                continue;
            }
            if (row->from && g_strcmp0(row->from, from) != 0)
                fail(r, seed, rows, "%s port %u: %s was %s", device, wanted->port, virtNetdevAttrs[attr].name, from);
            if (row->from && !row->ports && row->differs == same)
                fail(r, seed, rows, "%s port %u: %s %s", device, wanted->port, virtNetdevAttrs[attr].name,
                     row->differs ? "is the same" : "differs");
            n++;
        }
    }
    return n;
}

/* What the ports of @hostdev's VF say, where the domain has it already and runs: then nothing goes back first. */
static GPtrArray *
readRunning(const Round *r, const virtHostdev *hostdev)
{
    g_autoptr(virtVF) vf = lookup(r, hostdev);
    g_autoptr(virtRecord) record = vf ? testRecordLoad(r->fake->host, vf->name, NULL) : NULL;
    GPtrArray *present;

    if (!record || !virtProvisionRecordHasGuest(r->fake->host, record) || record->phase == VIRT_PHASE_RESTORING)
        return NULL;
    present = virtNetDevHostdevRead(r->fake->host, vf, NULL, NULL);
    if (present)
        virtBeforeBelieve(&virtNetdevInfo, WANTED(record), present);
    return present;
}

static void
compareRows(const Round *r, guint32 seed, const GPtrArray *rows, const GPtrArray *wishes, const GPtrArray *running)
{
    guint n = 0;

    for (guint i = 0; i < wishes->len; i++) {
        const virtHostdev *hostdev = wishes->pdata[i];
        char name[VIRT_PCI_ADDRESS_LEN];
        g_autoptr(virtRecord) record = NULL;

        g_strlcpy(name, hostdev->handle.name, sizeof(name));
        record = testRecordLoad(r->fake->host, name, NULL);
        g_assert_nonnull(record);
        n += compareRecord(r, seed, rows, record, running->pdata[i]);
    }
    if (n != rows->len)
        fail(r, seed, rows, "%u settings were made, and plan has %u rows", n, rows->len);
}

static void
freeList(gpointer list)
{
    g_clear_pointer((GPtrArray **)&list, g_ptr_array_unref);
}

static bool
anyDown(const virtVF *vf)
{
    for (guint i = 0; i < vf->ports->len; i++) {
        if (!((const virtPort *)vf->ports->pdata[i])->up)
            return true;
    }
    return false;
}

/* Where nothing says which ports a VF has: does a wish name one that it lacks, which a driver writes elsewhere, or may
 * the one that it has be down? */
static bool
isUpToDriver(const Round *r, const GPtrArray *wishes)
{
    for (guint i = 0; i < wishes->len; i++) {
        const virtHostdev *hostdev = wishes->pdata[i];
        g_autoptr(virtVF) vf = lookup(r, hostdev);
        g_autoptr(GArray) ports = NULL;
        bool certain = true;

        if (vf)
            ports = virtVFFindPorts(r->fake->host, vf, &certain);
        for (guint n = 0; !certain && n < VIRT_NETDEVS(hostdev)->len; n++) {
            guint port = ((const virtNetdev *)VIRT_NETDEVS(hostdev)->pdata[n])->port;

            if (port ? r->only[vf->index] && port != r->only[vf->index] : r->had || anyDown(vf))
                return true;
        }
    }
    return false;
}

static bool
testRound(guint32 seed)
{
    Round r = {0};
    g_autoptr(GPtrArray) wishes = NULL, rows = NULL;
    g_autoptr(GPtrArray) running = g_ptr_array_new_with_free_func(freeList);
    g_autofree char *before = NULL, *after = NULL;
    g_autoptr(GError) error = NULL;
    const char *problem;
    bool ok;

    makeRound(&r, seed);
    wishes = makeWishes(&r);
    before = fakeHostDump(r.fake);
    rows = virtProvisionPlan(r.fake->host, r.a, wishes);
    after = fakeHostDump(r.fake);
    g_assert_cmpstr(before, ==, after);
    for (guint i = 0; i < wishes->len; i++)
        g_ptr_array_add(running, readRunning(&r, wishes->pdata[i]));
    problem = firstProblem(rows);
    ok = virtProvisionPrepare(r.fake->host, r.a, wishes, &error);
    if (ok && problem)
        fail(&r, seed, rows, "plan foresees '%s', and the start succeeds", problem);
    if (!ok && !problem && !r.stubborn && !isUpToDriver(&r, wishes))
        fail(&r, seed, rows, "plan foresees nothing, and the start fails: %s", error->message);
    if (ok)
        compareRows(&r, seed, rows, wishes, running);
    clearRound(&r);
    return ok;
}

static guint64
fromEnvironment(const char *name, guint64 otherwise)
{
    const char *text = g_getenv(name);

    return text ? g_ascii_strtoull(text, NULL, 10) : otherwise;
}

static void
testAll(void)
{
    guint64 rounds = fromEnvironment("VIRT_TEST_HOSTS", ROUNDS), seed = fromEnvironment("VIRT_TEST_SEED", 1);
    guint succeeded = 0;

    for (guint64 i = 0; i < rounds; i++)
        succeeded += testRound((guint32)(seed + i));
    g_test_message("%u of %" G_GUINT64_FORMAT " starts succeeded", succeeded, rounds);
    if (rounds >= ROUNDS) { /* neither kind may die out */
        g_assert_cmpuint(succeeded, >, rounds / 5);
        g_assert_cmpuint(succeeded, <, rounds - rounds / 5);
    }
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/plan/agrees-with-start", testAll);
    return g_test_run();
}
