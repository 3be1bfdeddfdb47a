/* qemudrifttest.c: what somebody else changes of a guest's VF, on a made-up host: found, told once, put back
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "fakehost.h"
#include "qemu/qemu_drift.h"
#include "qemu/qemu_log.h"
#include "util/virerror.h"
#include "util/virnetlink.h"
#include "util/virstatefile.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PF "0000:01:00.0"
#define UUID_A "11111111-2222-3333-4444-555555555555"
#define SECOND G_USEC_PER_SEC

typedef struct {
    fakeHost *fake;
    virtOwner *a;
    const char *vf; /* address of VF 0, which a's guest has */
    virtHostdev *hostdev;
    virtDriftWatch *watch;
    gint64 now;
    char *set; /* dump: as we set it */
} Fixture;

/* ---- the journal ---- */

static GString *journal; /* "ID SETTING WANTED FOUND\n": ID is its name below, what is missing "-" */
static GString *sentences;

static const struct {
    const char *id, *name;
} ids[] = {
    {VIRT_MESSAGE_ID_SET, "set"},           {VIRT_MESSAGE_ID_RESTORED, "restored"},
    {VIRT_MESSAGE_ID_DRIFT, "drift"},       {VIRT_MESSAGE_ID_DRIFT_OVER, "over"},
    {VIRT_MESSAGE_ID_ENFORCED, "enforced"}, {VIRT_MESSAGE_ID_NOT_ENFORCED, "not-enforced"},
    {VIRT_MESSAGE_ID_WARNING, "warning"},
};

static const char *
field(const GLogField *fields, gsize n, const char *key)
{
    for (gsize i = 0; i < n; i++) {
        if (g_str_equal(fields[i].key, key))
            return fields[i].value;
    }
    return "-";
}

static GLogWriterOutput
writeJournal(GLogLevelFlags level, const GLogField *fields, gsize n, gpointer opaque)
{
    const char *id = field(fields, n, "MESSAGE_ID"), *name = id;

    for (guint i = 0; i < G_N_ELEMENTS(ids); i++) {
        if (g_str_equal(id, ids[i].id))
            name = ids[i].name;
    }
    g_string_append_printf(journal, "%s %s %s %s\n", name, field(fields, n, "SETTING"), field(fields, n, "WANTED"),
                           field(fields, n, "FOUND"));
    g_string_append_printf(sentences, "%s\n", field(fields, n, "MESSAGE"));
    if (!g_str_equal(field(fields, n, "GLIB_DOMAIN"), "libvirt-hostdev"))
        return G_LOG_WRITER_UNHANDLED;
    g_assert_cmpstr(field(fields, n, "DOMAIN_NAME"), ==, "a");
    g_assert_cmpstr(field(fields, n, "DOMAIN_UUID"), ==, UUID_A);
    g_assert_cmpstr(field(fields, n, "PF"), ==, PF);
    g_assert_cmpstr(field(fields, n, "VF"), !=, "-");
    return G_LOG_WRITER_HANDLED;
}

static void
forgetJournal(void)
{
    g_string_truncate(journal, 0);
    g_string_truncate(sentences, 0);
}

/* What the journal was told since it was asked last. */
static void
assertTold(const char *what)
{
    g_assert_cmpstr(journal->str, ==, what);
    forgetJournal();
}

/* ---- a guest with a VF ---- */

static virtNetdev *
newNetdev(guint port)
{
    virtNetdev *netdev = virtNetdevNew(port);
    const guint8 mac[6] = {0x52, 0x54, 0, 0, 0, (guint8)port};

    memcpy(netdev->mac, mac, sizeof(mac));
    netdev->present = VIRT_NETDEV_BIT(VIRT_NETDEV_MAC);
    return netdev;
}

/* Port 1 has every attribute but a port profile, which port 2 has. */
static virtHostdev *
newHostdev(const char *address)
{
    virtHostdev *hostdev = g_new0(virtHostdev, 1);
    virtNetdev *first = newNetdev(1), *second = newNetdev(2);

    g_assert_true(virtPCIAddressParse(address, &hostdev->address, NULL));
    hostdev->netdevs = virtNetdevListNew();
    g_ptr_array_add(hostdev->netdevs, first);
    g_ptr_array_add(hostdev->netdevs, second);
    first->vlan.id = 42;
    first->vlan.protocol = 0x8100;
    virtNetdevSetRate(first, 500, 0);
    first->link = 2;
    first->nodeGuid = 0x1111;
    first->portGuid = 0x2222;
    first->present = (VIRT_NETDEV_BIT(VIRT_NETDEV_ATTR_LAST) - 1) & ~VIRT_NETDEV_BIT(VIRT_NETDEV_VIRTUALPORT);
    g_strlcpy(second->profileid, "gold", sizeof(second->profileid));
    second->present |= VIRT_NETDEV_BIT(VIRT_NETDEV_VIRTUALPORT);
    return hostdev;
}

static void
start(Fixture *f, virtHostdev *hostdev)
{
    g_autoptr(GPtrArray) list = g_ptr_array_new();
    g_autoptr(GError) error = NULL;

    g_ptr_array_add(list, hostdev);
    g_assert_true(virtQemuHostdevPrepare(f->fake->host, f->a, list, &error));
    g_assert_no_error(error);
}

static void
setUp(Fixture *f, gconstpointer opaque)
{
    journal = g_string_new(NULL);
    sentences = g_string_new(NULL);
    g_log_set_debug_enabled(FALSE);
    f->fake = fakeHostNew();
    fakeHostAddPF(f->fake, PF, 2, 4, "dual");
    f->fake->guids = f->fake->profiles = true;
    f->vf = fakeHostVFAddress(f->fake, PF, 0);
    f->a = virtOwnerNew("a", UUID_A);
    virtOwnerSetStarter(f->a, (guint64)getpid());
    f->hostdev = newHostdev(f->vf);
    f->watch = virtDriftWatchNew();
    f->now = 1000 * SECOND;
    start(f, f->hostdev);
    fakeHostBindVFIO(f->fake, f->vf);
    f->set = fakeHostDump(f->fake);
    g_free(fakeHostTakeLog(f->fake));
    forgetJournal();
}

static void
tearDown(Fixture *f, gconstpointer opaque)
{
    virtOwnerFree(f->a);
    virtHostdevFree(f->hostdev);
    virtDriftWatchFree(f->watch);
    g_free(f->set);
    fakeHostFree(f->fake);
    g_string_free(journal, TRUE);
    g_string_free(sentences, TRUE);
}

/* A second later. */
static void
look(Fixture *f, bool enforce)
{
    g_autoptr(GError) error = NULL;

    f->now += SECOND;
    g_assert_true(virtDriftWatchLook(f->watch, f->fake->host, NULL, enforce, f->now, &error));
    g_assert_no_error(error);
}

static fakeVF *
vf(Fixture *f, guint port)
{
    return fakeHostVF(f->fake, PF, port, 0);
}

static void
assertWritten(Fixture *f, const char *log)
{
    g_autofree char *now = fakeHostTakeLog(f->fake);

    g_assert_cmpstr(now, ==, log);
}

static guint64
counted(Fixture *f, virtCount count)
{
    guint64 counts[VIRT_COUNT_LAST];

    virtStateCountTotal(f->fake->host, counts);
    return counts[count];
}

static void
assertAsSet(Fixture *f)
{
    g_autofree char *now = fakeHostDump(f->fake);

    g_assert_cmpstr(now, ==, f->set);
}

/* ---- tests ---- */

static void
changeMac(fakeVF *vf)
{
    vf->mac[5] = 0x99;
}
static void
changeVlan(fakeVF *vf)
{
    vf->vlan = 99;
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
    {1, changeVlan, "vlan 42 99"},
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
testAttributes(Fixture *f, gconstpointer opaque)
{
    look(f, false);
    assertTold("");
    for (guint i = 0; i < G_N_ELEMENTS(changes); i++) {
        const fakeVF before = *vf(f, changes[i].port);
        g_autofree char *drift = g_strdup_printf("drift %s\n", changes[i].told);

        changes[i].change(vf(f, changes[i].port));
        look(f, false);
        assertTold(drift);
        look(f, false);
        assertTold("");
        *vf(f, changes[i].port) = before;
        look(f, false);
        g_assert_true(g_str_has_prefix(journal->str, "over "));
        g_assert_cmpint(strchr(journal->str, '\n') - journal->str + 1, ==, (long)journal->len);
        forgetJournal();
        look(f, false);
        assertTold("");
    }
    assertWritten(f, "");
    g_assert_cmpuint(counted(f, VIRT_COUNT_DRIFTS), ==, G_N_ELEMENTS(changes));
}

/* Each of them is set again, and nothing else is written. */
static void
testEnforce(Fixture *f, gconstpointer opaque)
{
    for (guint i = 0; i < G_N_ELEMENTS(changes); i++) {
        g_autofree char *told = g_strdup_printf("drift %s\nenforced %s\n", changes[i].told, changes[i].told);

        f->now += VIRT_WATCH_PERIOD * SECOND;
        changes[i].change(vf(f, changes[i].port));
        look(f, true);
        assertTold(told);
        assertAsSet(f);
        look(f, true);
        assertTold("");
        g_free(fakeHostTakeLog(f->fake));
    }
    changeVlan(vf(f, 1));
    changeMac(vf(f, 2));
    f->now += VIRT_WATCH_PERIOD * SECOND;
    look(f, true);
    assertWritten(f, "enp1s0f0 vf 0 vlan=42:0:8100\nenp1s0f0d1 vf 0 mac=52:54:00:00:00:02\n");
    g_assert_cmpuint(counted(f, VIRT_COUNT_ENFORCED), ==, G_N_ELEMENTS(changes) + 1);
}

/* A second change of the same setting, and a change while another is told already. */
static void
testChangedAgain(Fixture *f, gconstpointer opaque)
{
    changeVlan(vf(f, 1));
    look(f, false);
    vf(f, 1)->vlan = 98;
    changeLink(vf(f, 1));
    forgetJournal();
    look(f, false);
    assertTold("drift vlan 42 98\ndrift link down up\n");
}

static void
testSentence(Fixture *f, gconstpointer opaque)
{
    changeVlan(vf(f, 1));
    look(f, false);
    g_assert_cmpstr(sentences->str, ==,
                    "Somebody else has changed port 1 (VF 0 of enp1s0f0, 0000:01:10.0), which 'a' has: VLAN was set to "
                    "42 and is now 99\n");
}

/* Nothing can be said about what a driver does not report, nor about what nobody asked for. */
static void
testNotReported(Fixture *f, gconstpointer opaque)
{
    fakeVF *first = vf(f, 1);

    first->spoofchk = first->trust = G_MAXUINT32;
    f->fake->guids = f->fake->profiles = false;
    first->nodeGuid = 0x3333;
    changeProfile(vf(f, 2));
    changeVlan(vf(f, 2));
    changeRate(vf(f, 2));
    look(f, true);
    assertTold("");
    assertWritten(f, "");
    changeVlan(first); /* nor is it written with what differs */
    look(f, true);
    assertTold("drift vlan 42 99\nenforced vlan 42 99\n");
    assertWritten(f, "enp1s0f0 vf 0 vlan=42:0:8100\n");
}

/* A guest that is trusted chooses its MAC itself; the rest is still ours. */
static void
testTrusted(Fixture *f, gconstpointer opaque)
{
    changeTrust(vf(f, 2)); /* nobody asked for port 2's */
    changeMac(vf(f, 2));
    look(f, true);
    assertTold("");
    changeMac(vf(f, 1));
    changeTrust(vf(f, 1)); /* but port 1's was to be off */
    look(f, false);
    assertTold("drift mac 52:54:00:00:00:01 52:54:00:00:00:99\ndrift trust no yes\n");
    vf(f, 2)->trust = 0;
    look(f, false);
    assertTold("drift mac 52:54:00:00:00:02 52:54:00:00:00:99\n");
    changeTrust(vf(f, 2)); /* that is no reason to say that its MAC is as it was set, nor then that it is not */
    look(f, false);
    vf(f, 2)->trust = 0;
    look(f, false);
    assertTold("");
}

/* The address that the VF's own netdev has made up may be the very one that is wanted. */
static void
testMadeUp(Fixture *f, gconstpointer opaque)
{
    virtHostdev *second = newHostdev(fakeHostVFAddress(f->fake, PF, 1)); /* which vfio-pci has not taken yet */

    start(f, second);
    forgetJournal();
    fakeHostRandomMac(f->fake, PF, 1, 1, "52:54:00:00:00:01");
    look(f, false);
    assertTold("");
    fakeHostRandomMac(f->fake, PF, 1, 1, "52:54:00:00:00:99");
    look(f, false);
    assertTold("drift mac 52:54:00:00:00:01 none\n");
    virtHostdevFree(second);
}

static void
countCompared(virtHost *host, const virtDrift *drift, void *opaque)
{
    guint *compared = opaque;

    g_assert_no_error(drift->problem);
    g_assert_cmpuint(drift->rows->len, ==, 10);
    *compared += drift->compared;
    g_assert_cmpuint(drift->drifted->len, ==, drift->compared ? 1 : 0);
}

/* A change of ours that was cut off, or a guest that is gone, is not somebody else's change. */
static void
testPhases(Fixture *f, gconstpointer opaque)
{
    static const virtPhase phases[] = {VIRT_PHASE_SETTING, VIRT_PHASE_RESTORING, VIRT_PHASE_ACTIVE};
    g_autoptr(GPtrArray) records = virtQemuRecordList(f->fake->host, NULL);
    virtRecord *record = records->pdata[0];
    guint compared = 0;

    changeVlan(vf(f, 1));
    for (guint i = 0; i < G_N_ELEMENTS(phases); i++) {
        g_assert_cmpuint(compared, ==, 0);
        g_assert_true(virtQemuRecordSave(f->fake->host, record, phases[i], NULL));
        look(f, true);
        if (phases[i] != VIRT_PHASE_ACTIVE)
            assertTold("");
        else
            assertTold("drift vlan 42 99\nenforced vlan 42 99\n");
        changeVlan(vf(f, 1));
        virtQemuHostdevDrift(f->fake->host, records, countCompared, &compared);
    }
    g_assert_cmpuint(compared, ==, 1);
    record->owner.pid = record->owner.start = 0;
    g_assert_true(virtQemuRecordSave(f->fake->host, record, VIRT_PHASE_ACTIVE, NULL));
    look(f, true);
    assertTold("");
    fakeHostFile(f->fake, UUID_A, "run/libvirt/qemu/a.xml");
    look(f, false);
    assertTold("drift vlan 42 99\n");
    fakeHostFile(f->fake, NULL, "run/libvirt/qemu/a.xml"); /* what comes after the guest is nobody's news */
    vf(f, 1)->vlan = 42;
    look(f, false);
    assertTold("");
}

/* Whoever fights with us wins in the end, and it is said. */
static void
testFight(Fixture *f, gconstpointer opaque)
{
    for (guint i = 0; i < VIRT_WATCH_TRIES; i++) {
        changeVlan(vf(f, 1));
        look(f, true);
        assertTold("drift vlan 42 99\nenforced vlan 42 99\n");
        assertAsSet(f);
    }
    changeVlan(vf(f, 1));
    look(f, true);
    assertTold("drift vlan 42 99\nnot-enforced - - -\n");
    for (guint i = 0; i < 3; i++) { /* however long it takes */
        f->now += VIRT_WATCH_PERIOD * SECOND;
        look(f, true);
        assertTold("");
        vf(f, 1)->vlan = 42;
        look(f, true);
        changeVlan(vf(f, 1));
        look(f, true);
        assertTold("over vlan 42 42\ndrift vlan 42 99\n");
    }
    g_assert_cmpuint(vf(f, 1)->vlan, ==, 99);
    g_assert_cmpuint(counted(f, VIRT_COUNT_ENFORCED), ==, VIRT_WATCH_TRIES);
    virtDriftWatchForgive(f->watch);
    look(f, true);
    assertTold("enforced vlan 42 99\n");
    assertAsSet(f);
    for (guint i = 0; i < VIRT_WATCH_TRIES; i++) {
        changeVlan(vf(f, 1));
        look(f, true);
    }
    g_assert_cmpuint(vf(f, 1)->vlan, ==, 99);
    virtDriftWatchForgive(f->watch); /* also what was tried just now */
    look(f, true);
    assertAsSet(f);
}

/* Now and then is no fight. */
static void
testNoFight(Fixture *f, gconstpointer opaque)
{
    for (guint i = 0; i < 3 * VIRT_WATCH_TRIES; i++) {
        f->now += VIRT_WATCH_PERIOD / VIRT_WATCH_TRIES * SECOND;
        changeVlan(vf(f, 1));
        look(f, true);
        assertAsSet(f);
    }
}

/* Another guest, or new settings, begin anew: what was told, and what was left alone. */
static void
testAnew(Fixture *f, gconstpointer opaque)
{
    g_autoptr(GError) error = NULL;

    for (guint i = 0; i <= VIRT_WATCH_TRIES; i++) {
        changeVlan(vf(f, 1));
        look(f, true);
    }
    g_assert_cmpuint(vf(f, 1)->vlan, ==, 99);
    virtNetdevListFind(f->hostdev->netdevs, 1)->spoofcheck = 1;
    g_assert_true(virtQemuHostdevUpdate(f->fake->host, f->a, f->hostdev, &error));
    changeVlan(vf(f, 1));
    forgetJournal();
    look(f, true);
    assertTold("drift vlan 42 99\nenforced vlan 42 99\n");
    changeVlan(vf(f, 1));
    look(f, false);
    g_assert_true(virtQemuHostdevRelease(f->fake->host, f->a, &error));
    look(f, false);
    start(f, f->hostdev);
    changeVlan(vf(f, 1));
    forgetJournal();
    look(f, false);
    assertTold("drift vlan 42 99\n");
}

/* What the driver refuses is said once, in its own words, and counts as a try. */
static void
testRefused(Fixture *f, gconstpointer opaque)
{
    changeVlan(vf(f, 1));
    f->fake->refused = VIRT_NETDEV_BIT(VIRT_NETDEV_VLAN);
    look(f, true);
    assertTold("drift vlan 42 99\nnot-enforced - - -\n");
    for (guint i = 1; i < VIRT_WATCH_TRIES; i++) {
        look(f, true);
        assertTold("");
    }
    look(f, true);
    g_assert_nonnull(strstr(sentences->str, "5 tries in 600 seconds did not keep VF 0 of "));
    assertTold("not-enforced - - -\n");
    g_assert_cmpuint(counted(f, VIRT_COUNT_REFUSALS), ==, VIRT_WATCH_TRIES);
    g_assert_cmpuint(counted(f, VIRT_COUNT_ENFORCED), ==, 0);
}

/* Once it was put back, the next refusal is news again. */
static void
testRefusedAgain(Fixture *f, gconstpointer opaque)
{
    for (guint i = 0; i < 2; i++) {
        changeVlan(vf(f, 1));
        f->fake->refused = VIRT_NETDEV_BIT(VIRT_NETDEV_VLAN);
        look(f, true);
        assertTold("drift vlan 42 99\nnot-enforced - - -\n");
        f->fake->refused = 0;
        look(f, true);
        assertTold("enforced vlan 42 99\n");
    }
}

/* The sentence names what to do; once that is done, all goes well. */
static void
testPortDown(Fixture *f, gconstpointer opaque)
{
    const char *ifname = fakeHostIfname(f->fake, PF, 1);

    changeVlan(vf(f, 1));
    fakeHostFile(f->fake, "0x1002\n", "sys/devices/pci0000:00/" PF "/net/%s/flags", ifname);
    look(f, true);
    g_assert_nonnull(strstr(sentences->str, "the PF's netdev enp1s0f0 is down. Bring it up first"));
    assertTold("drift vlan 42 99\nnot-enforced - - -\n");
    for (guint i = 0; i < 2 * VIRT_WATCH_TRIES; i++)
        look(f, true);
    assertTold("");
    assertWritten(f, "");
    fakeHostFile(f->fake, "0x1003\n", "sys/devices/pci0000:00/" PF "/net/%s/flags", ifname);
    look(f, true);
    assertTold("enforced vlan 42 99\n");
    assertAsSet(f);
}

/* ---- what we do ourselves ---- */

static virtStateLock *held;
static Fixture *updated;

/* Whoever has the lock changes the VF, while the look waits for it. */
static void
updateMeanwhile(gulong microseconds)
{
    g_autoptr(GError) error = NULL;
    virtHost *host = updated->fake->host;

    if (!held)
        return;
    g_clear_pointer(&held, virtStateLockRelease);
    virtNetdevListFind(updated->hostdev->netdevs, 1)->vlan.id = 77;
    g_assert_true(virtQemuHostdevUpdate(host, updated->a, updated->hostdev, &error));
    g_assert_no_error(error);
}

static void
testUpdateMeanwhile(Fixture *f, gconstpointer opaque)
{
    held = virtStateLockTake(f->fake->host, PF, NULL);
    updated = f;
    f->fake->host->sleep = updateMeanwhile;
    look(f, true);
    g_assert_null(held);
    g_assert_cmpuint(vf(f, 1)->vlan, ==, 77);
    assertTold("set - - -\n");
    look(f, true);
    assertTold("");
}

static void
ended(virtHost *host, const virtDrift *drift, void *opaque)
{
    g_assert_not_reached();
}

/* Records that were seen before the lock, and are gone. */
static void
testReleasedMeanwhile(Fixture *f, gconstpointer opaque)
{
    g_autoptr(GPtrArray) seen = virtQemuRecordList(f->fake->host, NULL);

    g_assert_true(virtQemuHostdevRelease(f->fake->host, f->a, NULL));
    virtQemuHostdevDrift(f->fake->host, seen, ended, NULL);
}

/* A PF that is being worked on is not looked at, and what was told is not forgotten. */
static void
testBusy(Fixture *f, gconstpointer opaque)
{
    changeVlan(vf(f, 1));
    look(f, false);
    held = virtStateLockTake(f->fake->host, PF, NULL);
    forgetJournal();
    look(f, true);
    assertTold("");
    g_clear_pointer(&held, virtStateLockRelease);
    look(f, false);
    assertTold("");
}

/* ---- where to look ---- */

static void
testHints(Fixture *f, gconstpointer opaque)
{
    g_autoptr(GHashTable) pfs = g_hash_table_new(g_str_hash, g_str_equal);
    virtHostdev *second = newHostdev(fakeHostVFAddress(f->fake, PF, 1));

    start(f, second);
    virtHostdevFree(second);
    forgetJournal();
    changeVlan(vf(f, 1));
    g_hash_table_add(pfs, (gpointer) "0000:02:00.0");
    f->fake->gets = 0;
    g_assert_true(virtDriftWatchLook(f->watch, f->fake->host, pfs, false, f->now, NULL));
    assertTold("");
    g_assert_cmpuint(f->fake->gets, ==, 0);
    g_hash_table_add(pfs, (gpointer)PF);
    g_assert_true(virtDriftWatchLook(f->watch, f->fake->host, pfs, false, f->now, NULL));
    assertTold("drift vlan 42 99\n");
    g_assert_cmpuint(f->fake->gets, ==, 2); /* a port once, however many VFs */
    g_hash_table_remove_all(pfs);
    g_assert_true(virtDriftWatchLook(f->watch, f->fake->host, pfs, false, f->now, NULL));
    look(f, false);
    assertTold("");
}

/* The PF's netdev has another name: the same port all the same. */
static void
testRenamed(Fixture *f, gconstpointer opaque)
{
    g_autofree char *old = virtHostPath(f->fake->host, "sys/devices/pci0000:00/" PF "/net/enp1s0f0");
    g_autofree char *new = virtHostPath(f->fake->host, "sys/devices/pci0000:00/" PF "/net/lan0");

    g_assert_cmpint(rename(old, new), ==, 0);
    look(f, true);
    assertTold("");
    changeVlan(vf(f, 1));
    look(f, true);
    g_assert_nonnull(strstr(sentences->str, "(VF 0 of lan0, "));
    assertTold("drift vlan 42 99\nenforced vlan 42 99\n");
    assertAsSet(f);
}

/* What cannot be read is told once, and is no drift. */
static void
testUnreadable(Fixture *f, gconstpointer opaque)
{
    vf(f, 1)->hidden = true;
    look(f, true);
    assertTold("warning - - -\n");
    look(f, true);
    assertTold("");
    vf(f, 1)->hidden = false;
    look(f, true);
    assertTold("");
    vf(f, 1)->hidden = true;
    look(f, true);
    assertTold("warning - - -\n");
}

/* Another VF by the same index is never touched. */
static void
testMoved(Fixture *f, gconstpointer opaque)
{
    fakeHostSwapVFs(f->fake, PF, 0, 1);
    look(f, true);
    g_assert_nonnull(strstr(sentences->str, "was VF 0 and is now VF 1 of " PF));
    assertTold("warning - - -\n");
    assertWritten(f, "");
}

/* ---- rtnetlink's news ---- */

static void
addName(const char *ifname, void *opaque)
{
    g_string_append_printf(opaque, "%s ", ifname);
}

static void
addLink(GByteArray *data, int type, const char *ifname)
{
    const struct ifinfomsg link = {.ifi_index = 3};
    struct nl_msg *msg = nlmsg_alloc_simple(type, 0);

    nlmsg_append(msg, (void *)&link, sizeof(link), NLMSG_ALIGNTO);
    if (ifname)
        nla_put_string(msg, IFLA_IFNAME, ifname);
    g_byte_array_append(data, (guint8 *)nlmsg_hdr(msg), NLMSG_ALIGN(nlmsg_hdr(msg)->nlmsg_len));
    nlmsg_free(msg);
}

static void
testNews(Fixture *f, gconstpointer opaque)
{
    g_autoptr(GByteArray) data = g_byte_array_new();
    g_autoptr(GString) names = g_string_new(NULL);

    addLink(data, RTM_NEWLINK, "eth0");
    addLink(data, RTM_DELLINK, "eth1");
    addLink(data, RTM_NEWLINK, NULL);
    addLink(data, RTM_NEWLINK, "a-name-that-no-netdev-has");
    addLink(data, RTM_NEWLINK, "eth2");
    virtNetlinkWatchParse(data->data, (int)data->len, addName, names);
    g_assert_cmpstr(names->str, ==, "eth0 eth2 ");
    for (guint cut = 0; cut < data->len; cut++) { /* on a heap of its own, for the sanitizer */
        g_autofree guint8 *part = g_memdup2(data->data, cut);

        virtNetlinkWatchParse(part, (int)cut, addName, names);
    }
}

/* ---- counters ---- */

static void
testCounters(Fixture *f, gconstpointer opaque)
{
    g_autoptr(GPtrArray) list = g_ptr_array_new_with_free_func((GDestroyNotify)virtHostdevFree);
    g_autofree char *file = NULL;

    g_ptr_array_add(list, newHostdev(fakeHostVFAddress(f->fake, PF, 1)));
    g_assert_cmpuint(counted(f, VIRT_COUNT_CHANGES), ==, 1);
    f->fake->busy = 1;
    virtNetdevListFind(f->hostdev->netdevs, 1)->vlan.id = 77;
    g_assert_true(virtQemuHostdevUpdate(f->fake->host, f->a, f->hostdev, NULL));
    g_assert_cmpuint(counted(f, VIRT_COUNT_CHANGES), ==, 2);
    g_assert_cmpuint(counted(f, VIRT_COUNT_RETRIES), ==, 1);
    f->fake->refused = VIRT_NETDEV_BIT(VIRT_NETDEV_VLAN);
    g_assert_false(virtQemuHostdevPrepare(f->fake->host, f->a, list, NULL));
    g_assert_cmpuint(counted(f, VIRT_COUNT_REFUSALS), ==, 1);
    g_assert_cmpuint(counted(f, VIRT_COUNT_ROLLBACKS), ==, 1);
    g_assert_cmpuint(counted(f, VIRT_COUNT_RESTORED), ==, 1);
    virtNetdevListFind(f->hostdev->netdevs, 1)->vlan.id = 78;
    g_assert_false(virtQemuHostdevUpdate(f->fake->host, f->a, f->hostdev, NULL));
    g_assert_cmpuint(counted(f, VIRT_COUNT_REFUSALS), ==, 2);
    g_assert_cmpuint(counted(f, VIRT_COUNT_ROLLBACKS), ==, 2);
    f->fake->refused = 0;
    g_assert_true(virtQemuHostdevRelease(f->fake->host, f->a, NULL));
    g_assert_cmpuint(counted(f, VIRT_COUNT_RESTORED), ==, 2);
    g_assert_cmpuint(counted(f, VIRT_COUNT_CHANGES), ==, 2);
    file = fakeHostRead(f->fake, VIRT_STATE_DIR "/" PF VIRT_STATE_LOCK_SUFFIX);
    g_assert_cmpstr(file, ==,
                    "changes                     2\nretries                     1\nrefusals                    2\n"
                    "rollbacks                   2\nrestored                    2\ndrifts                      0\n"
                    "enforced                    0\n");
}

/* Whatever is in the file, it counts on, and nothing else is disturbed. */
static void
testCountersDamaged(Fixture *f, gconstpointer opaque)
{
    g_autofree char *longer = g_strnfill(5000, 'x');
    const char *texts[] = {"", "changes", "changes -\nxx", "changes 99999999999999999999999\n", longer};

    for (guint i = 0; i < G_N_ELEMENTS(texts); i++) {
        fakeHostFile(f->fake, texts[i], VIRT_STATE_DIR "/" PF VIRT_STATE_LOCK_SUFFIX);
        changeVlan(vf(f, 1));
        f->now += VIRT_WATCH_PERIOD * SECOND;
        look(f, true);
        assertAsSet(f);
        g_assert_cmpuint(counted(f, VIRT_COUNT_ENFORCED), ==, 1);
    }
}

int
main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(Fixture *f, gconstpointer opaque);
    } tests[] = {
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
        {"/drift/update-meanwhile", testUpdateMeanwhile},
        {"/drift/released-meanwhile", testReleasedMeanwhile},
        {"/drift/busy", testBusy},
        {"/drift/hints", testHints},
        {"/drift/renamed", testRenamed},
        {"/drift/unreadable", testUnreadable},
        {"/drift/moved", testMoved},
        {"/drift/news", testNews},
        {"/drift/counters", testCounters},
        {"/drift/counters-damaged", testCountersDamaged},
    };

    g_test_init(&argc, &argv, NULL);
    g_log_set_writer_func(writeJournal, NULL, NULL);
    for (guint i = 0; i < G_N_ELEMENTS(tests); i++)
        g_test_add(tests[i].name, Fixture, NULL, setUp, tests[i].run, tearDown);
    return g_test_run();
}
