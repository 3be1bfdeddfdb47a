/* qemudrifttest.c: what somebody else changes of a guest's VF: found, told once, put back
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "driftguest.h"
#include "testrecord.h"

#include <string.h>

static void
changeMac(fakeVF *vf)
{
    vf->mac[5] = 0x99;
}
static void
changeQos(fakeVF *vf)
{
    vf->qos = 3;
}
static void
changeProtocol(fakeVF *vf)
{
    vf->protocol = 0x88a8;
}
static void
dropVlan(fakeVF *vf)
{
    vf->vlan = 0;
}
static void
changeRate(fakeVF *vf)
{
    vf->maxRate = 100;
}
static void
changeSpoofcheck(fakeVF *vf)
{
    vf->spoofchk = 1;
}
static void
changeLink(fakeVF *vf)
{
    vf->link = 1;
}
static void
changeTrust(fakeVF *vf)
{
    vf->trust = 1;
}
static void
changeNodeGuid(fakeVF *vf)
{
    vf->nodeGuid = 0x3333;
}
static void
changePortGuid(fakeVF *vf)
{
    vf->portGuid = 0x3333;
}
static void
changeProfile(fakeVF *vf)
{
    g_strlcpy(vf->profile, "tin", sizeof(vf->profile));
}

static const struct {
    guint port;
    void (*change)(fakeVF *vf);
    const char *told; /* setting, wanted, found */
} changes[] = {
    {1, changeMac, "mac 52:54:00:00:00:01 52:54:00:00:00:99"},
    {2, changeMac, "mac 52:54:00:00:00:02 52:54:00:00:00:99"},
    {1, driftChangeVlan, "vlan 42 99"},
    {1, changeQos, "vlan 42 42 (priority 3)"},
    {1, changeProtocol, "vlan 42 42 (802.1ad)"},
    {1, dropVlan, "vlan 42 none"},
    {1, changeRate, "bandwidth 500 Mb/s at most 100 Mb/s at most"},
    {1, changeSpoofcheck, "spoofcheck no yes"},
    {1, changeLink, "link down up"},
    {1, changeTrust, "trust no yes"},
    {1, changeNodeGuid, "nodeGuid 00:00:00:00:00:00:11:11 00:00:00:00:00:00:33:33"},
    {1, changePortGuid, "portGuid 00:00:00:00:00:00:22:22 00:00:00:00:00:00:33:33"},
    {2, changeProfile, "virtualport gold tin"},
};

/* Each change of each attribute is told once, with both values; so is its end. */
static void
testAttributes(driftGuest *f, gconstpointer opaque)
{
    driftLook(f, false);
    driftAssertTold("");
    for (guint i = 0; i < G_N_ELEMENTS(changes); i++) {
        const fakeVF before = *driftVF(f, changes[i].port);
        g_autofree char *drift = g_strdup_printf("drift %s\n", changes[i].told);

        changes[i].change(driftVF(f, changes[i].port));
        driftLook(f, false);
        driftAssertTold(drift);
        driftLook(f, false);
        driftAssertTold("");
        *driftVF(f, changes[i].port) = before;
        driftLook(f, false);
        g_assert_true(g_str_has_prefix(driftJournal->str, "over "));
        g_assert_cmpint(strchr(driftJournal->str, '\n') - driftJournal->str + 1, ==, (long)driftJournal->len);
        driftForget();
        driftLook(f, false);
        driftAssertTold("");
    }
    driftAssertWritten(f, "");
    g_assert_cmpuint(driftCounted(f, VIRT_COUNT_DRIFTS), ==, G_N_ELEMENTS(changes));
}

/* Each of them is set again, and nothing else is written. */
static void
testEnforce(driftGuest *f, gconstpointer opaque)
{
    for (guint i = 0; i < G_N_ELEMENTS(changes); i++) {
        g_autofree char *told = g_strdup_printf("drift %s\nenforced %s\n", changes[i].told, changes[i].told);

        f->now += VIRT_WATCH_PERIOD * SECOND;
        changes[i].change(driftVF(f, changes[i].port));
        driftLook(f, true);
        driftAssertTold(told);
        driftAssertAsSet(f);
        driftLook(f, true);
        driftAssertTold("");
        g_free(fakeHostTakeLog(f->fake));
    }
    driftChangeVlan(driftVF(f, 1));
    changeMac(driftVF(f, 2));
    f->now += VIRT_WATCH_PERIOD * SECOND;
    driftLook(f, true);
    driftAssertWritten(f, "enp1s0f0 vf 0 vlan=42:0:8100\nenp1s0f0d1 vf 0 mac=52:54:00:00:00:02\n");
    g_assert_cmpuint(driftCounted(f, VIRT_COUNT_ENFORCED), ==, G_N_ELEMENTS(changes) + 1);
}

/* A second change of the same setting, and a change while another is told already. */
static void
testChangedAgain(driftGuest *f, gconstpointer opaque)
{
    driftChangeVlan(driftVF(f, 1));
    driftLook(f, false);
    driftVF(f, 1)->vlan = 98;
    changeLink(driftVF(f, 1));
    driftForget();
    driftLook(f, false);
    driftAssertTold("drift vlan 42 98\ndrift link down up\n");
}

static void
testSentence(driftGuest *f, gconstpointer opaque)
{
    driftChangeVlan(driftVF(f, 1));
    driftLook(f, false);
    g_assert_cmpstr(driftSentences->str, ==,
                    "Somebody else has changed port 1 (VF 0 of enp1s0f0, 0000:01:10.0), which 'a' has: VLAN was set to "
                    "42 and is now 99\n");
}

/* Nothing can be said about what a driver does not report, nor about what nobody asked for. */
static void
testNotReported(driftGuest *f, gconstpointer opaque)
{
    fakeVF *first = driftVF(f, 1);

    first->spoofchk = first->trust = G_MAXUINT32;
    f->fake->guids = f->fake->profiles = false;
    first->nodeGuid = 0x3333;
    changeProfile(driftVF(f, 2));
    driftChangeVlan(driftVF(f, 2));
    changeRate(driftVF(f, 2));
    driftLook(f, true);
    driftAssertTold("");
    driftAssertWritten(f, "");
    driftChangeVlan(first); /* nor is it written with what differs */
    driftLook(f, true);
    driftAssertTold("drift vlan 42 99\nenforced vlan 42 99\n");
    driftAssertWritten(f, "enp1s0f0 vf 0 vlan=42:0:8100\n");
}

/* A guest that is trusted chooses its MAC itself; the rest is still ours. */
static void
testTrusted(driftGuest *f, gconstpointer opaque)
{
    changeTrust(driftVF(f, 2)); /* nobody asked for port 2's */
    changeMac(driftVF(f, 2));
    driftLook(f, true);
    driftAssertTold("");
    changeMac(driftVF(f, 1));
    changeTrust(driftVF(f, 1)); /* but port 1's was to be off */
    driftLook(f, false);
    driftAssertTold("drift mac 52:54:00:00:00:01 52:54:00:00:00:99\ndrift trust no yes\n");
    driftVF(f, 2)->trust = 0;
    driftLook(f, false);
    driftAssertTold("drift mac 52:54:00:00:00:02 52:54:00:00:00:99\n");
    changeTrust(driftVF(f, 2)); /* that is no reason to say that its MAC is as it was set, nor then that it is not */
    driftLook(f, false);
    driftVF(f, 2)->trust = 0;
    driftLook(f, false);
    driftAssertTold("");
}

/* The address that the VF's own netdev has made up may be the very one that is wanted. */
static void
testMadeUp(driftGuest *f, gconstpointer opaque)
{
    virtHostdev *second = driftNewHostdev(fakeHostVFAddress(f->fake, PF, 1)); /* which vfio-pci has not taken yet */

    driftStart(f, second);
    driftForget();
    fakeHostRandomMac(f->fake, PF, 1, 1, "52:54:00:00:00:01");
    driftLook(f, false);
    driftAssertTold("");
    fakeHostRandomMac(f->fake, PF, 1, 1, "52:54:00:00:00:99");
    driftLook(f, false);
    driftAssertTold("drift mac 52:54:00:00:00:01 none\n");
    virtHostdevFree(second);
}

static void
countCompared(virtHost *host, const virtDrift *drift, void *opaque)
{
    guint *compared = opaque;

    g_assert_no_error(drift->problem);
    g_assert_cmpuint(drift->rows->len, ==, VIRT_NETDEV_ATTR_LAST + 1); /* all, and the MAC address twice */
    *compared += drift->compared;
    g_assert_cmpuint(testCountDrifted(drift), ==, drift->compared ? 1 : 0);
}

/* A change of ours that was cut off, or a guest that is gone, is not somebody else's change. */
static void
testPhases(driftGuest *f, gconstpointer opaque)
{
    static const virtPhase phases[] = {VIRT_PHASE_SETTING, VIRT_PHASE_RESTORING, VIRT_PHASE_ACTIVE};
    g_autoptr(GPtrArray) records = virtProvisionRecordList(f->fake->host, NULL);
    virtRecord *record = records->pdata[0];
    guint compared = 0;

    driftChangeVlan(driftVF(f, 1));
    for (guint i = 0; i < G_N_ELEMENTS(phases); i++) {
        g_assert_cmpuint(compared, ==, 0);
        g_assert_true(virtProvisionRecordSave(f->fake->host, record, phases[i], NULL));
        driftLook(f, true);
        if (phases[i] != VIRT_PHASE_ACTIVE)
            driftAssertTold("");
        else
            driftAssertTold("drift vlan 42 99\nenforced vlan 42 99\n");
        driftChangeVlan(driftVF(f, 1));
        virtProvisionDrift(f->fake->host, records, countCompared, &compared);
    }
    g_assert_cmpuint(compared, ==, 1);
    record->owner.pid = record->owner.start = 0;
    g_assert_true(virtProvisionRecordSave(f->fake->host, record, VIRT_PHASE_ACTIVE, NULL));
    driftLook(f, true);
    driftAssertTold("");
    fakeHostFile(f->fake, UUID_A, "run/libvirt/qemu/a.xml");
    driftLook(f, false);
    driftAssertTold("drift vlan 42 99\n");
    fakeHostFile(f->fake, NULL, "run/libvirt/qemu/a.xml"); /* what comes after the guest is nobody's news */
    driftVF(f, 1)->vlan = 42;
    driftLook(f, false);
    driftAssertTold("");
}

/* Whoever fights with us wins in the end, and it is said. */
static void
testFight(driftGuest *f, gconstpointer opaque)
{
    for (guint i = 0; i < VIRT_WATCH_TRIES; i++) {
        driftChangeVlan(driftVF(f, 1));
        driftLook(f, true);
        driftAssertTold("drift vlan 42 99\nenforced vlan 42 99\n");
        driftAssertAsSet(f);
    }
    driftChangeVlan(driftVF(f, 1));
    driftLook(f, true);
    driftAssertTold("drift vlan 42 99\nnot-enforced - - -\n");
    for (guint i = 0; i < 3; i++) { /* however long it takes */
        f->now += VIRT_WATCH_PERIOD * SECOND;
        driftLook(f, true);
        driftAssertTold("");
        driftVF(f, 1)->vlan = 42;
        driftLook(f, true);
        driftChangeVlan(driftVF(f, 1));
        driftLook(f, true);
        driftAssertTold("over vlan 42 42\ndrift vlan 42 99\n");
    }
    g_assert_cmpuint(driftVF(f, 1)->vlan, ==, 99);
    g_assert_cmpuint(driftCounted(f, VIRT_COUNT_ENFORCED), ==, VIRT_WATCH_TRIES);
    virtDriftMonitorForgive(f->watch);
    driftLook(f, true);
    driftAssertTold("enforced vlan 42 99\n");
    driftAssertAsSet(f);
    for (guint i = 0; i < VIRT_WATCH_TRIES; i++) {
        driftChangeVlan(driftVF(f, 1));
        driftLook(f, true);
    }
    g_assert_cmpuint(driftVF(f, 1)->vlan, ==, 99);
    virtDriftMonitorForgive(f->watch); /* also what was tried just now */
    driftLook(f, true);
    driftAssertAsSet(f);
}

/* Now and then is no fight. */
static void
testNoFight(driftGuest *f, gconstpointer opaque)
{
    for (guint i = 0; i < 3 * VIRT_WATCH_TRIES; i++) {
        f->now += VIRT_WATCH_PERIOD / VIRT_WATCH_TRIES * SECOND;
        driftChangeVlan(driftVF(f, 1));
        driftLook(f, true);
        driftAssertAsSet(f);
    }
}

/* Another guest, or new settings, begin anew: what was told, and what was left alone. */
static void
testAnew(driftGuest *f, gconstpointer opaque)
{
    g_autoptr(GError) error = NULL;

    for (guint i = 0; i <= VIRT_WATCH_TRIES; i++) {
        driftChangeVlan(driftVF(f, 1));
        driftLook(f, true);
    }
    g_assert_cmpuint(driftVF(f, 1)->vlan, ==, 99);
    virtNetdevListFind(VIRT_NETDEVS(f->hostdev), 1)->spoofcheck = 1;
    g_assert_true(virtProvisionUpdate(f->fake->host, f->a, f->hostdev, &error));
    driftChangeVlan(driftVF(f, 1));
    driftForget();
    driftLook(f, true);
    driftAssertTold("drift vlan 42 99\nenforced vlan 42 99\n");
    driftChangeVlan(driftVF(f, 1));
    driftLook(f, false);
    g_assert_true(testRelease(f->fake->host, f->a, NULL, &error));
    driftLook(f, false);
    driftStart(f, f->hostdev);
    driftChangeVlan(driftVF(f, 1));
    driftForget();
    driftLook(f, false);
    driftAssertTold("drift vlan 42 99\n");
}

/* What the driver refuses is said once, in its own words, and counts as a try. */
static void
testRefused(driftGuest *f, gconstpointer opaque)
{
    driftChangeVlan(driftVF(f, 1));
    f->fake->refused = VIRT_NETDEV_BIT(VIRT_NETDEV_VLAN);
    driftLook(f, true);
    driftAssertTold("drift vlan 42 99\nnot-enforced - - -\n");
    for (guint i = 1; i < VIRT_WATCH_TRIES; i++) {
        driftLook(f, true);
        driftAssertTold("");
    }
    driftLook(f, true);
    g_assert_nonnull(strstr(driftSentences->str, "Gave up after 5 attempts in 600 seconds to keep VF 0 of "));
    driftAssertTold("not-enforced - - -\n");
    g_assert_cmpuint(driftCounted(f, VIRT_COUNT_REFUSALS), ==, VIRT_WATCH_TRIES);
    g_assert_cmpuint(driftCounted(f, VIRT_COUNT_ENFORCED), ==, 0);
}

/* Once it was put back, the next refusal is news again. */
static void
testRefusedAgain(driftGuest *f, gconstpointer opaque)
{
    for (guint i = 0; i < 2; i++) {
        driftChangeVlan(driftVF(f, 1));
        f->fake->refused = VIRT_NETDEV_BIT(VIRT_NETDEV_VLAN);
        driftLook(f, true);
        driftAssertTold("drift vlan 42 99\nnot-enforced - - -\n");
        f->fake->refused = 0;
        driftLook(f, true);
        driftAssertTold("enforced vlan 42 99\n");
    }
}

/* The sentence names what to do; once that is done, all goes well. */
static void
testPortDown(driftGuest *f, gconstpointer opaque)
{
    const char *ifname = fakeHostIfname(f->fake, PF, 1);

    driftChangeVlan(driftVF(f, 1));
    fakeHostFile(f->fake, "0x1002\n", "sys/devices/pci0000:00/" PF "/net/%s/flags", ifname);
    driftLook(f, true);
    g_assert_nonnull(strstr(driftSentences->str, "the PF's netdev enp1s0f0 is down. Bring it up first"));
    driftAssertTold("drift vlan 42 99\nnot-enforced - - -\n");
    for (guint i = 0; i < 2 * VIRT_WATCH_TRIES; i++)
        driftLook(f, true);
    driftAssertTold("");
    driftAssertWritten(f, "");
    fakeHostFile(f->fake, "0x1003\n", "sys/devices/pci0000:00/" PF "/net/%s/flags", ifname);
    driftLook(f, true);
    driftAssertTold("enforced vlan 42 99\n");
    driftAssertAsSet(f);
}

int
main(int argc, char **argv)
{
    static const driftTest tests[] = {
        {"/drift/attributes", testAttributes},
        {"/drift/enforce", testEnforce},
        {"/drift/changed-again", testChangedAgain},
        {"/drift/sentence", testSentence},
        {"/drift/not-reported", testNotReported},
        {"/drift/trusted", testTrusted},
        {"/drift/made-up", testMadeUp},
        {"/drift/phases", testPhases},
        {"/drift/fight", testFight},
        {"/drift/no-fight", testNoFight},
        {"/drift/anew", testAnew},
        {"/drift/refused", testRefused},
        {"/drift/refused-again", testRefusedAgain},
        {"/drift/port-down", testPortDown},
    };

    return driftRun(tests, G_N_ELEMENTS(tests), argc, argv);
}
