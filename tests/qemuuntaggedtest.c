/* qemuuntaggedtest.c: an <interface> without <vlan> on a VF that has one, on a made-up host
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Stock libvirt writes VLAN 0 then, and lets it be where the card refuses. VF 0 has VLAN 7 on port 2, set by hand.
 */
#include "hypervisor/provision_drift.h"
#include "hypervisor/provision_plan.h"
#include "twoguests.h"
#include "testrecord.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static const int errnos[] = {EPERM, EOPNOTSUPP};
#define VLAN VIRT_NETDEV_BIT(VIRT_NETDEV_VLAN)

/* What the hook and the daemon read of a domain whose user has written @device for VF 0. */
static virtDomainConf *
parse(twoGuests *f, const char *type, const char *attrs, const char *children)
{
    g_autofree char *source = NULL, *xml = NULL, *stock = NULL;
    g_autoptr(GError) error = NULL;
    virtPCIAddress address;
    virtDomainConf *domain;

    g_assert_true(virtPCIAddressParse(fakeHostVFAddress(f->fake, PF, 0), &address, NULL));
    source = g_strdup_printf("<source><address type='pci' domain='%u' bus='%u' slot='%u' function='%u'/></source>",
                             address.domain, address.bus, address.slot, address.function);
    xml = g_strdup_printf("<domain type='kvm'><name>a</name><devices><%s %s>%s%s</%s></devices></domain>", type, attrs,
                          source, children, type);
    stock = virtDomainToStock(xml, strlen(xml), NULL, VIRT_DOMAIN_INTERFACES, &error);
    g_assert_no_error(error);
    g_assert_null(strstr(stock, "id='0'"));
    domain = virtDomainConfParse(stock, strlen(stock), NULL, 0, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(domain->hostdevs->len, ==, 1);
    return domain;
}

static virtDomainConf *
parseInterface(twoGuests *f, const char *children)
{
    return parse(f, "interface", "type='hostdev' port='2'", children);
}

#define MAC "<mac address='52:54:00:01:02:03'/>"

static void
start(twoGuests *f, const virtDomainConf *domain)
{
    g_autoptr(GError) error = NULL;

    virtOwnerSetStarter(f->a, (guint64)getpid()); /* nobody compares what is left of a domain that has gone */
    virtProvisionPrepare(f->fake->host, f->a, domain->hostdevs, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(fakeHostVF(f->fake, PF, 2, 0)->mac[5], ==, 3);
}

static void
stop(twoGuests *f)
{
    g_autoptr(GError) error = NULL;

    testRelease(f->fake->host, f->a, NULL, &error);
    g_assert_no_error(error);
    guestsAssertAsBefore(f);
}

static void
countDrift(virtHost *host, const virtDrift *drift, void *opaque)
{
    g_assert_no_error(drift->problem);
    *(guint *)opaque += testCountDrifted(drift);
}

static guint
drifted(twoGuests *f)
{
    g_autoptr(GPtrArray) records = virtProvisionRecordList(f->fake->host, NULL);
    guint n = 0;

    virtProvisionDrift(f->fake->host, records, countDrift, &n);
    return n;
}

static void
testUntagged(twoGuests *f, gconstpointer opaque)
{
    g_autoptr(virtDomainConf) domain = parseInterface(f, MAC);
    g_autoptr(GPtrArray) rows = virtProvisionPlan(f->fake->host, f->a, domain->hostdevs);
    const virtPlanRow *row = rows->pdata[1];

    g_assert_cmpuint(rows->len, ==, 2);
    g_assert_cmpstr(row->attr, ==, "vlan");
    g_assert_cmpstr(row->from, ==, "7 (priority 5)");
    g_assert_cmpstr(row->to, ==, "none");
    g_assert_null(row->problem);
    start(f, domain);
    g_assert_cmpuint(fakeHostVF(f->fake, PF, 2, 0)->vlan, ==, 0);
    g_assert_cmpuint(drifted(f), ==, 0);
    fakeHostVF(f->fake, PF, 2, 0)->vlan = 9;
    g_assert_cmpuint(drifted(f), ==, 1);
    stop(f);
}

/* What others do not write is not touched: a <netdev>, a port profile, InfiniBand. */
static void
testUntouched(twoGuests *f, gconstpointer opaque)
{
    static const char guid[] = "<guid node='00:11:22:33:44:55:66:77'/>";
    g_autoptr(virtDomainConf) netdev = parse(f, "hostdev", "type='pci'", "<netdev port='2'>" MAC "</netdev>");
    g_autoptr(virtDomainConf) profile =
        parseInterface(f, MAC "<virtualport type='802.1Qbh'><parameters profileid='finance'/></virtualport>");
    g_autoptr(virtDomainConf) infiniband = parseInterface(f, guid);
    const virtDomainConf *domains[] = {netdev, profile, infiniband};

    for (guint i = 0; i < G_N_ELEMENTS(domains); i++) {
        const virtHostdev *hostdev = domains[i]->hostdevs->pdata[0];
        g_assert_false(virtNetdevHas(VIRT_NETDEVS(hostdev)->pdata[0], VIRT_NETDEV_VLAN));
    }
    start(f, netdev);
    g_assert_cmpuint(fakeHostVF(f->fake, PF, 2, 0)->vlan, ==, 7);
    stop(f);
}

/* A card that does not let the VLAN be written. */
static void
testLetBe(twoGuests *f, gconstpointer opaque)
{
    f->fake->refused = VLAN;
    for (guint i = 0; i < G_N_ELEMENTS(errnos); i++) {
        g_autoptr(virtDomainConf) domain = parseInterface(f, MAC);

        f->fake->failErrno = errnos[i];
        start(f, domain);
        g_assert_cmpuint(fakeHostVF(f->fake, PF, 2, 0)->vlan, ==, 7);
        g_assert_cmpuint(drifted(f), ==, 0);
        fakeHostVF(f->fake, PF, 2, 0)->vlan = 9;
        g_assert_cmpuint(drifted(f), ==, 1);
        fakeHostVF(f->fake, PF, 2, 0)->vlan = 7;
        stop(f);
    }
}

/* ... and tells nothing about its VFs either: what may still be there, is not forgotten before the driver takes it
 * away. */
static void
testSilent(twoGuests *f, gconstpointer opaque)
{
    g_autoptr(virtDomainConf) domain = parseInterface(f, MAC);
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) records = NULL;

    f->fake->silent = true;
    f->fake->refused = VLAN;
    for (guint i = 0; i < G_N_ELEMENTS(errnos); i++) {
        f->fake->failErrno = errnos[i];
        virtProvisionPrepare(f->fake->host, f->a, domain->hostdevs, &error);
        g_assert_no_error(error);
        g_assert_true(testRelease(f->fake->host, f->a, NULL, NULL) == (errnos[i] == EOPNOTSUPP));
    }
    f->fake->refused = 0;
    testRelease(f->fake->host, f->a, NULL, &error);
    g_assert_no_error(error);
    records = virtProvisionRecordList(f->fake->host, NULL);
    g_assert_cmpuint(records->len, ==, 0);
}

/* Anything else is a failure: another reason, or a driver that only says that it did it. */
static void
testRefused(twoGuests *f, gconstpointer opaque)
{
    g_autoptr(virtDomainConf) domain = parseInterface(f, MAC);
    g_autoptr(GError) error = NULL, ignored = NULL;

    f->fake->refused = VLAN;
    f->fake->failErrno = EIO;
    g_assert_false(virtProvisionPrepare(f->fake->host, f->a, domain->hostdevs, &error));
    guestsAssertError(error, VIRT_ERROR_REFUSED, "Cannot set VLAN none");
    guestsAssertError(error, VIRT_ERROR_REFUSED, "<interface> without <vlan>");
    guestsAssertAsBefore(f);
    f->fake->refused = 0;
    f->fake->ignored = VLAN;
    g_assert_false(virtProvisionPrepare(f->fake->host, f->a, domain->hostdevs, &ignored));
    guestsAssertError(ignored, VIRT_ERROR_REFUSED, "VLAN none");
    guestsAssertAsBefore(f);
}

/* A VLAN that the guest was given is taken away from it, or the update fails. */
static void
testUpdate(twoGuests *f, gconstpointer opaque)
{
    g_autoptr(virtDomainConf) tagged = parseInterface(f, MAC "<vlan><tag id='42'/></vlan>"),
                              plain = parseInterface(f, MAC);
    g_autoptr(GError) error = NULL;

    start(f, tagged);
    f->fake->refused = VLAN;
    g_assert_false(virtProvisionUpdate(f->fake->host, f->a, plain->hostdevs->pdata[0], &error));
    guestsAssertError(error, VIRT_ERROR_REFUSED, "VLAN");
    g_assert_cmpuint(fakeHostVF(f->fake, PF, 2, 0)->vlan, ==, 42);
    g_clear_error(&error);
    f->fake->refused = 0;
    virtProvisionUpdate(f->fake->host, f->a, plain->hostdevs->pdata[0], &error);
    g_assert_no_error(error);
    g_assert_cmpuint(fakeHostVF(f->fake, PF, 2, 0)->vlan, ==, 0);
    virtProvisionUpdate(f->fake->host, f->a, tagged->hostdevs->pdata[0], &error);
    g_assert_no_error(error);
    g_assert_cmpuint(fakeHostVF(f->fake, PF, 2, 0)->vlan, ==, 42);
    stop(f);
}

int
main(int argc, char **argv)
{
    static const guestsTest tests[] = {
        {"/qemu/untagged", testUntagged},        {"/qemu/untagged/untouched", testUntouched},
        {"/qemu/untagged/let-be", testLetBe},    {"/qemu/untagged/silent", testSilent},
        {"/qemu/untagged/refused", testRefused}, {"/qemu/untagged/update", testUpdate},
    };

    return guestsRun(tests, G_N_ELEMENTS(tests), argc, argv);
}
