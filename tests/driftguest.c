/* driftguest.c: a guest with a VF on a made-up host, and the journal of what happens to it
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "driftguest.h"

#include <string.h>
#include <unistd.h>

#include "hypervisor/provision_log.h"
#include "util/virerror.h"
#include "testrecord.h"

/* ---- the driftJournal ---- */

GString *driftJournal, *driftSentences;

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
    g_string_append_printf(driftJournal, "%s %s %s %s\n", name, field(fields, n, "SETTING"), field(fields, n, "WANTED"),
                           field(fields, n, "FOUND"));
    g_string_append_printf(driftSentences, "%s\n", field(fields, n, "MESSAGE"));
    if (!g_str_equal(field(fields, n, "GLIB_DOMAIN"), "libvirt-hostdev"))
        return G_LOG_WRITER_UNHANDLED;
    g_assert_cmpstr(field(fields, n, "DOMAIN_NAME"), ==, "a");
    g_assert_cmpstr(field(fields, n, "DOMAIN_UUID"), ==, UUID_A);
    g_assert_cmpstr(field(fields, n, "PF"), ==, PF);
    g_assert_cmpstr(field(fields, n, "VF"), !=, "-");
    return G_LOG_WRITER_HANDLED;
}

void
driftForget(void)
{
    g_string_truncate(driftJournal, 0);
    g_string_truncate(driftSentences, 0);
}

/* What the driftJournal was told since it was asked last. */
void
driftAssertTold(const char *what)
{
    g_assert_cmpstr(driftJournal->str, ==, what);
    driftForget();
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

virtHostdev *
driftNewHostdev(const char *address)
{
    virtHostdev *hostdev = g_new0(virtHostdev, 1);
    virtNetdev *first = newNetdev(1), *second = newNetdev(2);

    testSetHandle(&hostdev->handle, address);
    virtSettingsInit(&hostdev->settings);
    g_ptr_array_add(VIRT_NETDEVS(hostdev), first);
    g_ptr_array_add(VIRT_NETDEVS(hostdev), second);
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

void
driftStart(driftGuest *f, virtHostdev *hostdev)
{
    g_autoptr(GPtrArray) list = g_ptr_array_new();
    g_autoptr(GError) error = NULL;

    g_ptr_array_add(list, hostdev);
    g_assert_true(virtProvisionPrepare(f->fake->host, f->a, list, &error));
    g_assert_no_error(error);
}

static void
setUp(driftGuest *f, gconstpointer opaque)
{
    driftJournal = g_string_new(NULL);
    driftSentences = g_string_new(NULL);
    g_log_set_debug_enabled(FALSE);
    f->fake = fakeHostNew();
    fakeHostAddPF(f->fake, PF, 2, 4, "dual");
    f->fake->guids = f->fake->profiles = true;
    f->vf = fakeHostVFAddress(f->fake, PF, 0);
    f->a = virtOwnerNew("a", UUID_A);
    virtOwnerSetStarter(f->a, (guint64)getpid());
    f->hostdev = driftNewHostdev(f->vf);
    f->watch = virtDriftMonitorNew();
    f->now = 1000 * SECOND;
    driftStart(f, f->hostdev);
    fakeHostBindVFIO(f->fake, f->vf);
    f->set = fakeHostDump(f->fake);
    g_free(fakeHostTakeLog(f->fake));
    driftForget();
}

static void
tearDown(driftGuest *f, gconstpointer opaque)
{
    virtOwnerFree(f->a);
    virtHostdevFree(f->hostdev);
    virtDriftMonitorFree(f->watch);
    g_free(f->set);
    fakeHostFree(f->fake);
    g_string_free(driftJournal, TRUE);
    g_string_free(driftSentences, TRUE);
}

void
driftLook(driftGuest *f, bool enforce)
{
    g_autoptr(GError) error = NULL;

    f->now += SECOND;
    g_assert_true(virtDriftMonitorLook(f->watch, f->fake->host, NULL, enforce, f->now, &error));
    g_assert_no_error(error);
}

fakeVF *
driftVF(driftGuest *f, guint port)
{
    return fakeHostVF(f->fake, PF, port, 0);
}

void
driftAssertWritten(driftGuest *f, const char *log)
{
    g_autofree char *now = fakeHostTakeLog(f->fake);

    g_assert_cmpstr(now, ==, log);
}

guint64
driftCounted(driftGuest *f, virtCount count)
{
    guint64 counts[VIRT_COUNT_LAST];

    virtStateCountTotal(f->fake->host, counts);
    return counts[count];
}

void
driftAssertAsSet(driftGuest *f)
{
    g_autofree char *now = fakeHostDump(f->fake);

    g_assert_cmpstr(now, ==, f->set);
}

void
driftChangeVlan(fakeVF *vf)
{
    vf->vlan = 99;
}

int
driftRun(const driftTest *tests, guint n, int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_log_set_writer_func(writeJournal, NULL, NULL);
    for (guint i = 0; i < n; i++)
        g_test_add(tests[i].name, driftGuest, NULL, setUp, tests[i].run, tearDown);
    return g_test_run();
}
