/* qemunetworktest.c: VFs that libvirt takes from a network: nothing at prepare, all at start, on a made-up host
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "qemu/qemu_hostdev.h"
#include "testrecord.h"
#include "twoguests.h"
#include "util/virpci.h"

#include <string.h>
#include <unistd.h>

#define NETWORK "<interface type='network'><mac address='52:54:00:01:02:03'/><source network='pool'/></interface>"
#define BRIDGE                                                                                                         \
    "<interface type='bridge'><mac address='52:54:00:01:02:03'/><source network='pool' bridge='br0'/></interface>"

static char *
address(twoGuests *f, guint vf)
{
    const virtHandle handle = testHandle(fakeHostVFAddress(f->fake, PF, vf));
    const virtPCIAddress at = testAddress(&handle);

    return g_strdup_printf("domain='0x%x' bus='0x%x' slot='0x%x' function='0x%x'", at.domain, at.bus, at.slot,
                           at.function);
}

/* What libvirt shows of the interface once it has taken a VF for it. */
static char *
running(twoGuests *f, guint vf)
{
    g_autofree char *where = address(f, vf);

    return g_strdup_printf("<interface type='hostdev' managed='yes'><mac address='52:54:00:01:02:03'/><source><address "
                           "type='pci' %s/></source><vlan><tag id='42'/></vlan></interface>",
                           where);
}

/* A domain with VF 0 as a <hostdev> with a VLAN at port 1, and @interface, of which metadata says the rest. */
static char *
domain(twoGuests *f, const char *interface)
{
    g_autofree char *vf = address(f, 0);

    return g_strdup_printf(
        "<domain type='kvm'><name>a</name><uuid>" UUID_A "</uuid><metadata><lh:hostdevs xmlns:lh='" VIRT_NS
        "'><lh:hostdev><lh:source><lh:mac address='52:54:00:01:02:03'/></lh:source><lh:netdev port='1' spoofCheck='no'/>"
        "<lh:netdev port='2'><lh:mac address='52:54:00:01:02:04'/><lh:vlan><lh:tag id='43'/></lh:vlan></lh:netdev>"
        "</lh:hostdev></lh:hostdevs></metadata><devices>%s<hostdev mode='subsystem' type='pci' managed='yes'><source>"
        "<address %s/></source><netdev port='1'><vlan><tag id='100'/></vlan></netdev></hostdev></devices></domain>",
        interface, vf);
}

static bool
prepare(twoGuests *f, const char *interface, GError **error)
{
    g_autofree char *xml = domain(f, interface);

    return virtQemuHostdevPrepareDomain(f->fake->host, "a", xml, strlen(xml), 0, error);
}

static bool
start(twoGuests *f, const char *interface, GError **error)
{
    g_autofree char *xml = domain(f, interface);

    return virtQemuHostdevStartDomain(f->fake->host, "a", xml, strlen(xml), 0, error);
}

static void
release(twoGuests *f, bool last)
{
    g_autofree char *xml = domain(f, NETWORK);
    g_autoptr(GError) error = NULL;

    g_assert_true(virtQemuHostdevReleaseDomain(f->fake->host, "a", xml, strlen(xml), last, &error));
    g_assert_no_error(error);
}

static fakeVF
vfAt(twoGuests *f, guint port)
{
    return *fakeHostVF(f->fake, PF, port, 1);
}

static void
assertMac(twoGuests *f, guint port, guint8 last)
{
    const guint8 mac[6] = {0x52, 0x54, 0x00, 0x01, 0x02, last};
    const fakeVF vf = vfAt(f, port);

    g_assert_cmpmem(vf.mac, 6, mac, 6);
}

/* As libvirt does before the hook's "start": VF 1 is the guest's, with MAC address and VLAN at @port. */
static void
takeVF(twoGuests *f, guint port)
{
    static const guint8 mac[6] = {0x52, 0x54, 0x00, 0x01, 0x02, 0x03};
    fakeVF *vf = fakeHostVF(f->fake, PF, port, 1);

    fakeHostBindVFIO(f->fake, fakeHostVFAddress(f->fake, PF, 0));
    fakeHostBindVFIO(f->fake, fakeHostVFAddress(f->fake, PF, 1));
    memcpy(vf->mac, mac, sizeof(mac));
    vf->vlan = 42;
}

/* And when it has got the VF back: @before is what it had found at @port. */
static void
giveBack(twoGuests *f, guint port, const fakeVF *before)
{
    fakeVF *vf = fakeHostVF(f->fake, PF, port, 1);

    memcpy(vf->mac, before->mac, sizeof(vf->mac));
    vf->vlan = before->vlan;
}

static void
testCycle(twoGuests *f, gconstpointer opaque)
{
    g_autofree char *interface = running(f, 1);
    g_autoptr(virtRecord) record = NULL;
    g_autoptr(GError) error = NULL;
    g_autofree char *bound = NULL;
    const fakeVF before = vfAt(f, 1);
    virtPCIAddress vf;

    g_assert_true(prepare(f, NETWORK, &error));
    g_assert_no_error(error);
    g_assert_cmpuint(fakeHostVF(f->fake, PF, 1, 0)->vlan, ==, 100);
    g_assert_cmpuint(fakeHostVF(f->fake, PF, 2, 1)->vlan, ==, 0);
    takeVF(f, 1);
    g_assert_true(start(f, interface, &error));
    g_assert_no_error(error);
    g_assert_cmpuint(fakeHostVF(f->fake, PF, 1, 1)->vlan, ==, 42);
    g_assert_cmpuint(fakeHostVF(f->fake, PF, 1, 1)->spoofchk, ==, 0);
    g_assert_cmpuint(fakeHostVF(f->fake, PF, 2, 1)->vlan, ==, 43);
    assertMac(f, 1, 3);
    assertMac(f, 2, 4);
    record = testRecordLoad(f->fake->host, fakeHostVFAddress(f->fake, PF, 1), &error);
    g_assert_no_error(error);
    g_assert_null(record->driver); /* libvirt binds it again */
    release(f, false);
    g_assert_cmpuint(fakeHostVF(f->fake, PF, 1, 1)->vlan, ==, 42); /* libvirt takes away what it has set */
    vf = testAddress(&record->handle);
    bound = virtPCIGetDriver(f->fake->host, &vf);
    g_assert_cmpstr(bound, ==, "vfio-pci");
    giveBack(f, 1, &before);
    fakeHostSetDriver(f->fake, fakeHostVFAddress(f->fake, PF, 0), "dualvf");
    release(f, true);
    guestsAssertAsBefore(f);
}

/* The PF lists the netdev of port 2 first, and so libvirt has set that. What it has set it restores: after the hook's
 * "stopped" and, when a running guest gives the VF back, @first. */
static void
elsewhere(twoGuests *f, bool first)
{
    g_autofree char *interface = running(f, 1);
    g_autoptr(GError) error = NULL;
    const fakeVF before = vfAt(f, 2);

    g_assert_true(prepare(f, NETWORK, &error));
    g_assert_no_error(error);
    takeVF(f, 2);
    for (guint times = 0; times < 2; times++) {
        g_assert_true(start(f, interface, &error));
        g_assert_no_error(error);
    }
    assertMac(f, 1, 3);
    g_assert_cmpuint(vfAt(f, 1).vlan, ==, 42);
    g_assert_cmpuint(vfAt(f, 1).spoofchk, ==, 0);
    assertMac(f, 2, 4);
    g_assert_cmpuint(vfAt(f, 2).vlan, ==, 43);
    if (first)
        giveBack(f, 2, &before);
    release(f, false);
    if (!first)
        giveBack(f, 2, &before);
    fakeHostSetDriver(f->fake, fakeHostVFAddress(f->fake, PF, 0), "dualvf");
    release(f, true);
    guestsAssertAsBefore(f);
}

static void
testElsewhere(twoGuests *f, gconstpointer opaque)
{
    elsewhere(f, false);
}

static void
testElsewhereDetached(twoGuests *f, gconstpointer opaque)
{
    elsewhere(f, true);
}

/* What is refused at "start" is taken back at once; what "prepare" has set, when libvirt has given the start up. */
static void
testRefused(twoGuests *f, gconstpointer opaque)
{
    g_autofree char *interface = running(f, 1);
    g_autoptr(GError) error = NULL;
    const fakeVF before = vfAt(f, 1);

    g_assert_true(prepare(f, NETWORK, NULL));
    takeVF(f, 1);
    f->fake->refused = VIRT_NETDEV_BIT(VIRT_NETDEV_VLAN);
    g_assert_false(start(f, interface, &error));
    guestsAssertError(error, VIRT_ERROR_REFUSED, "Cannot set VLAN 43 on port 2 (VF 1 of ");
    g_assert_cmpuint(fakeHostVF(f->fake, PF, 1, 1)->spoofchk, ==, 1);
    g_assert_cmpuint(fakeHostVF(f->fake, PF, 1, 0)->vlan, ==, 100);
    fakeHostHeal(f->fake);
    giveBack(f, 1, &before);
    fakeHostSetDriver(f->fake, fakeHostVFAddress(f->fake, PF, 0), "dualvf");
    release(f, true);
    guestsAssertAsBefore(f);
}

static void
testNoVF(twoGuests *f, gconstpointer opaque)
{
    static const char *const interfaces[] = {BRIDGE, NETWORK};

    for (guint i = 0; i < G_N_ELEMENTS(interfaces); i++) {
        g_autoptr(GError) error = NULL;

        g_assert_false(start(f, interfaces[i], &error));
        guestsAssertError(error, VIRT_ERROR_INVALID, "52:54:00:01:02:03 has netdevs, but its network gives it no VF");
    }
    guestsAssertAsBefore(f);
}

static void
makeLink(twoGuests *f, const char *target, const char *path)
{
    g_autofree char *full = virtHostPath(f->fake->host, "%s", path);
    g_autofree char *dir = g_path_get_dirname(full);

    g_assert_cmpint(g_mkdir_with_parents(dir, 0755), ==, 0);
    g_assert_cmpint(symlink(target, full), ==, 0);
}

/* Process 4711 has the VF @name open. */
static void
makeOpen(twoGuests *f, const char *name)
{
    g_autofree char *group = g_strdup_printf("sys/bus/pci/devices/%s/iommu_group", name);

    makeLink(f, "../../../kernel/iommu_groups/17", group);
    fakeHostFile(f->fake, "", "sys/kernel/iommu_groups/17/devices/%s", name);
    fakeHostFile(f->fake, "", "dev/vfio/17");
    fakeHostFile(f->fake, "qemu\n", "proc/4711/comm");
    makeLink(f, "/dev/vfio/17", "proc/4711/fd/9");
}

/* Hot-plugged: its own guest has the VF by then, and that alone is no reason to refuse it. */
static void
testHasGuest(twoGuests *f, gconstpointer opaque)
{
    g_autofree char *interface = running(f, 1), *xml = domain(f, interface);
    g_autofree char *status = g_strdup_printf("<domstatus state='running' pid='4711'>%s</domstatus>", xml);
    g_autoptr(virtDomainConf) conf = virtDomainConfParse(xml, strlen(xml), NULL, VIRT_DOMAIN_WRITTEN, NULL);
    g_autoptr(GPtrArray) located = virtDomainConfLocate(conf, conf->hostdevs), one = g_ptr_array_new();
    g_autoptr(GError) error = NULL;

    takeVF(f, 1);
    g_ptr_array_add(one, located->pdata[0]);
    fakeHostFile(f->fake, status, "run/libvirt/qemu/a.xml");
    fakeHostFile(f->fake, "", "proc/4711/exe");
    makeOpen(f, fakeHostVFAddress(f->fake, PF, 1));
    g_assert_false(virtProvisionPrepare(f->fake->host, f->a, one, &error));
    guestsAssertError(error, VIRT_ERROR_BUSY, "4711");
    g_clear_error(&error);
    f->b->hasGuest = true;
    g_assert_false(virtProvisionPrepare(f->fake->host, f->b, one, &error));
    guestsAssertError(error, VIRT_ERROR_BUSY, UUID_A);
    g_clear_error(&error);
    f->a->hasGuest = true;
    g_assert_true(virtProvisionPrepare(f->fake->host, f->a, one, &error));
    g_assert_no_error(error);
    g_assert_cmpuint(fakeHostVF(f->fake, PF, 2, 1)->vlan, ==, 43);
}

int
main(int argc, char **argv)
{
    static const guestsTest tests[] = {
        {"/qemunetwork/cycle", testCycle},
        {"/qemunetwork/elsewhere", testElsewhere},
        {"/qemunetwork/elsewhere-detached", testElsewhereDetached},
        {"/qemunetwork/refused", testRefused},
        {"/qemunetwork/no-vf", testNoVF},
        {"/qemunetwork/has-guest", testHasGuest},
    };

    return guestsRun(tests, G_N_ELEMENTS(tests), argc, argv);
}
