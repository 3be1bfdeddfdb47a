/* qemuwatchtest.c: when and where a guest's VF is looked at for drift, and what is counted
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "driftguest.h"

#include <linux/devlink.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/genl/genl.h>
#include <netlink/msg.h>
#include <stdio.h>
#include <string.h>

#include "util/virnetlink.h"
#include "testrecord.h"

/* ---- what we do ourselves ---- */

static virtStateLock *held;
static driftGuest *updated;

/* Whoever has the lock changes the VF, while the look waits for it. */
static void
updateMeanwhile(gulong microseconds)
{
    g_autoptr(GError) error = NULL;
    virtHost *host = updated->fake->host;

    if (!held)
        return;
    g_clear_pointer(&held, virtStateLockRelease);
    virtNetdevListFind(VIRT_NETDEVS(updated->hostdev), 1)->vlan.id = 77;
    g_assert_true(virtProvisionUpdate(host, updated->a, updated->hostdev, &error));
    g_assert_no_error(error);
}

static void
testUpdateMeanwhile(driftGuest *f, gconstpointer opaque)
{
    held = virtStateLockTake(f->fake->host, PF, NULL);
    updated = f;
    f->fake->host->sleep = updateMeanwhile;
    driftLook(f, true);
    g_assert_null(held);
    g_assert_cmpuint(driftVF(f, 1)->vlan, ==, 77);
    driftAssertTold("set - - -\n");
    driftLook(f, true);
    driftAssertTold("");
}

static void
ended(virtHost *host, const virtDrift *drift, void *opaque)
{
    g_assert_not_reached();
}

/* Records that were seen before the lock, and are gone. */
static void
testReleasedMeanwhile(driftGuest *f, gconstpointer opaque)
{
    g_autoptr(GPtrArray) seen = virtProvisionRecordList(f->fake->host, NULL);

    g_assert_true(testRelease(f->fake->host, f->a, NULL, NULL));
    virtProvisionDrift(f->fake->host, seen, ended, NULL);
}

/* A PF that is being worked on is not looked at, and what was told is not forgotten. */
static void
testBusy(driftGuest *f, gconstpointer opaque)
{
    driftChangeVlan(driftVF(f, 1));
    driftLook(f, false);
    held = virtStateLockTake(f->fake->host, PF, NULL);
    driftForget();
    driftLook(f, true);
    driftAssertTold("");
    g_clear_pointer(&held, virtStateLockRelease);
    driftLook(f, false);
    driftAssertTold("");
}

/* ---- where to look ---- */

static void
testHints(driftGuest *f, gconstpointer opaque)
{
    g_autoptr(GHashTable) pfs = g_hash_table_new(g_str_hash, g_str_equal);
    virtHostdev *second = driftNewHostdev(fakeHostVFAddress(f->fake, PF, 1));

    driftStart(f, second);
    virtHostdevFree(second);
    driftForget();
    driftChangeVlan(driftVF(f, 1));
    g_hash_table_add(pfs, (gpointer) "0000:02:00.0");
    f->fake->gets = 0;
    g_assert_true(virtDriftMonitorLook(f->watch, f->fake->host, pfs, false, f->now, NULL));
    driftAssertTold("");
    g_assert_cmpuint(f->fake->gets, ==, 0);
    g_hash_table_add(pfs, (gpointer)PF);
    g_assert_true(virtDriftMonitorLook(f->watch, f->fake->host, pfs, false, f->now, NULL));
    driftAssertTold("drift vlan 42 99\n");
    g_assert_cmpuint(f->fake->gets, ==, 2); /* a port once, however many VFs */
    g_hash_table_remove_all(pfs);
    g_assert_true(virtDriftMonitorLook(f->watch, f->fake->host, pfs, false, f->now, NULL));
    driftLook(f, false);
    driftAssertTold("");
}

/* The PF's netdev has another name: the same port all the same. */
static void
testRenamed(driftGuest *f, gconstpointer opaque)
{
    fakeHostRename(f->fake, PF, 1, "lan0");
    driftLook(f, true);
    driftAssertTold("");
    driftChangeVlan(driftVF(f, 1));
    driftLook(f, true);
    g_assert_nonnull(strstr(driftSentences->str, "(VF 0 of lan0, "));
    driftAssertTold("drift vlan 42 99\nenforced vlan 42 99\n");
    driftAssertAsSet(f);
}

/* What cannot be read is told once, and is no drift. */
static void
testUnreadable(driftGuest *f, gconstpointer opaque)
{
    driftVF(f, 1)->hidden = true;
    driftLook(f, true);
    driftAssertTold("warning - - -\n");
    driftLook(f, true);
    driftAssertTold("");
    driftVF(f, 1)->hidden = false;
    driftLook(f, true);
    driftAssertTold("");
    driftVF(f, 1)->hidden = true;
    driftLook(f, true);
    driftAssertTold("warning - - -\n");
}

/* Nothing is enforced under another guest. */
static void
testOfOther(driftGuest *f, gconstpointer opaque)
{
    fakeHostFile(
        f->fake,
        "<domstatus pid='7'><domain type='kvm' id='1'><name>d</name><uuid>d</uuid><devices><hostdev type='pci'>"
        "<source><address bus='1' slot='16' function='0'/></source></hostdev></devices></domain></domstatus>",
        "run/libvirt/qemu/d.xml");
    fakeHostFile(f->fake, "qemu-system-x86", "proc/7/exe");
    driftChangeVlan(driftVF(f, 1));
    driftLook(f, true);
    g_assert_nonnull(strstr(driftSentences->str, "is now in use by domain 'd'"));
    driftAssertTold("drift vlan 42 99\nnot-enforced - - -\n");
    driftAssertWritten(f, "");
    fakeHostFile(f->fake, NULL, "run/libvirt/qemu/d.xml");
    driftLook(f, true);
    driftAssertTold("enforced vlan 42 99\n");
    driftAssertAsSet(f);
}

/* Another VF by the same index is never touched. */
static void
testMoved(driftGuest *f, gconstpointer opaque)
{
    fakeHostSwapVFs(f->fake, PF, 0, 1);
    driftLook(f, true);
    g_assert_nonnull(strstr(driftSentences->str, "was VF 0 of PF " PF " and is now VF 1 of PF " PF));
    driftAssertTold("warning - - -\n");
    driftAssertWritten(f, "");
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
testNews(driftGuest *f, gconstpointer opaque)
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

/* ---- devlink's ---- */

static void
addDevice(GByteArray *data, const char *bus, const char *name)
{
    struct nl_msg *msg = nlmsg_alloc();

    genlmsg_put(msg, 0, 0, 21, 0, 0, DEVLINK_CMD_PORT_NEW, DEVLINK_GENL_VERSION);
    if (bus)
        nla_put_string(msg, DEVLINK_ATTR_BUS_NAME, bus);
    if (name)
        nla_put_string(msg, DEVLINK_ATTR_DEV_NAME, name);
    g_byte_array_append(data, (guint8 *)nlmsg_hdr(msg), NLMSG_ALIGN(nlmsg_hdr(msg)->nlmsg_len));
    nlmsg_free(msg);
}

static void
testDevlinkNews(driftGuest *f, gconstpointer opaque)
{
    g_autoptr(GByteArray) data = g_byte_array_new();
    g_autoptr(GString) names = g_string_new(NULL);

    addDevice(data, "pci", "0000:41:00.0");
    addDevice(data, "netdevsim", "netdevsim1");
    addDevice(data, NULL, "0000:42:00.0");
    addDevice(data, "pci", NULL);
    addDevice(data, "pci", "");
    addDevice(data, "pci", "0000:43:00.0");
    virtNetlinkWatchParseDevlink(data->data, (int)data->len, addName, names);
    g_assert_cmpstr(names->str, ==, "0000:41:00.0 0000:43:00.0 ");
    for (guint cut = 0; cut < data->len; cut++) { /* on a heap of its own, for the sanitizer */
        g_autofree guint8 *part = g_memdup2(data->data, cut);

        virtNetlinkWatchParseDevlink(part, (int)cut, addName, names);
    }
}

/* ---- counters ---- */

static void
testCounters(driftGuest *f, gconstpointer opaque)
{
    g_autoptr(GPtrArray) list = g_ptr_array_new_with_free_func((GDestroyNotify)virtHostdevFree);
    g_autofree char *file = NULL;

    g_ptr_array_add(list, driftNewHostdev(fakeHostVFAddress(f->fake, PF, 1)));
    g_assert_cmpuint(driftCounted(f, VIRT_COUNT_CHANGES), ==, 1);
    f->fake->busy = 1;
    virtNetdevListFind(VIRT_NETDEVS(f->hostdev), 1)->vlan.id = 77;
    g_assert_true(virtProvisionUpdate(f->fake->host, f->a, f->hostdev, NULL));
    g_assert_cmpuint(driftCounted(f, VIRT_COUNT_CHANGES), ==, 2);
    g_assert_cmpuint(driftCounted(f, VIRT_COUNT_RETRIES), ==, 1);
    f->fake->refused = VIRT_NETDEV_BIT(VIRT_NETDEV_VLAN);
    g_assert_false(virtProvisionPrepare(f->fake->host, f->a, list, NULL));
    g_assert_cmpuint(driftCounted(f, VIRT_COUNT_REFUSALS), ==, 1);
    g_assert_cmpuint(driftCounted(f, VIRT_COUNT_ROLLBACKS), ==, 1);
    g_assert_cmpuint(driftCounted(f, VIRT_COUNT_RESTORED), ==, 1);
    virtNetdevListFind(VIRT_NETDEVS(f->hostdev), 1)->vlan.id = 78;
    g_assert_false(virtProvisionUpdate(f->fake->host, f->a, f->hostdev, NULL));
    g_assert_cmpuint(driftCounted(f, VIRT_COUNT_REFUSALS), ==, 2);
    g_assert_cmpuint(driftCounted(f, VIRT_COUNT_ROLLBACKS), ==, 2);
    f->fake->refused = 0;
    g_assert_true(testRelease(f->fake->host, f->a, NULL, NULL));
    g_assert_cmpuint(driftCounted(f, VIRT_COUNT_RESTORED), ==, 2);
    g_assert_cmpuint(driftCounted(f, VIRT_COUNT_CHANGES), ==, 2);
    file = fakeHostRead(f->fake, VIRT_STATE_DIR "/" PF VIRT_STATE_LOCK_SUFFIX);
    g_assert_cmpstr(file, ==,
                    "changes                         2\nretries                         1\n"
                    "refusals                        2\nrollbacks                       2\n"
                    "restored                        2\ndrifts                          0\n"
                    "enforced                        0\nunprovisioned                   0\n");
}

/* Whatever is in the file, it counts on, and nothing else is disturbed. */
static void
testCountersDamaged(driftGuest *f, gconstpointer opaque)
{
    g_autofree char *longer = g_strnfill(5000, 'x');
    const char *texts[] = {"", "changes", "changes -\nxx", "changes 99999999999999999999999\n", longer};

    for (guint i = 0; i < G_N_ELEMENTS(texts); i++) {
        fakeHostFile(f->fake, texts[i], VIRT_STATE_DIR "/" PF VIRT_STATE_LOCK_SUFFIX);
        driftChangeVlan(driftVF(f, 1));
        f->now += VIRT_WATCH_PERIOD * SECOND;
        driftLook(f, true);
        driftAssertAsSet(f);
        g_assert_cmpuint(driftCounted(f, VIRT_COUNT_ENFORCED), ==, 1);
    }
}

int
main(int argc, char **argv)
{
    static const driftTest tests[] = {
        {"/watch/update-meanwhile", testUpdateMeanwhile},
        {"/watch/released-meanwhile", testReleasedMeanwhile},
        {"/watch/busy", testBusy},
        {"/watch/hints", testHints},
        {"/watch/renamed", testRenamed},
        {"/watch/unreadable", testUnreadable},
        {"/watch/of-other", testOfOther},
        {"/watch/moved", testMoved},
        {"/watch/news", testNews},
        {"/watch/devlink-news", testDevlinkNews},
        {"/watch/counters", testCounters},
        {"/watch/counters-damaged", testCountersDamaged},
    };

    return driftRun(tests, G_N_ELEMENTS(tests), argc, argv);
}
