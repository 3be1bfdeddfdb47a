/* starttest.c: a domain has started: is it noticed where nobody has set its VFs, and what is done then?
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The daemon's own code on a made-up host, with faultlibvirt.c for libvirt.
 */
#include "daemonguest.h"
#include "util/virerror.h"

#include <string.h>
#include <sys/stat.h>

#define PF "0000:01:00.0"

/* ---- what daemon_start.c wants of the rest of the daemon ---- */

static guint destroyed;

int
virDomainDestroy(virDomainPtr dom)
{
    destroyed++;
    faultState->guest.running = false;
    return 0;
}

void
virtDaemonLock(virtDaemon *daemon, const char *uuid, gint64 party, virtDaemonJobFunc granted, gpointer opaque)
{
    granted(daemon, opaque);
}

void
virtDaemonUnlock(virtDaemon *daemon, const char *uuid)
{
}

void
virtDaemonJobStart(virtDaemon *daemon, virtDaemonJobFunc run, virtDaemonJobFunc done, gpointer opaque)
{
    run(daemon, opaque);
    done(daemon, opaque);
}

/* ---- tests ---- */

/* Domain a runs with VF 0; nobody has set anything. */
static void
setUp(daemonGuest *f, gconstpointer opaque)
{
    g_autoptr(GPtrArray) list = g_ptr_array_new_with_free_func((GDestroyNotify)virtHostdevFree);
    g_autofree char *xml = NULL;

    daemonGuestKernel = f->fake = fakeHostNew();
    fakeHostAddPF(f->fake, PF, 1, 4, "dual");
    f->vf = fakeHostVFAddress(f->fake, PF, 0);
    faultLibvirtInit(f->fake, PF);
    memset(faultState, 0, sizeof(*faultState));
    faultState->guest.running = faultState->guest.has[0] = true;
    g_ptr_array_add(list, daemonGuestHostdev(f->vf, 100));
    xml = virtMetadataFormat(list);
    g_strlcpy(faultState->guest.live, xml, sizeof(faultState->guest.live));
    destroyed = 0;
}

static void
tearDown(daemonGuest *f, gconstpointer opaque)
{
    fakeHostFree(f->fake);
}

static guint64
countUnprovisioned(daemonGuest *f)
{
    guint64 counts[VIRT_COUNT_LAST];

    virtStateCountTotal(f->fake->host, counts);
    return counts[VIRT_COUNT_UNPROVISIONED];
}

/* What the broker says (-1: yes), and how many are ended and counted after libvirt's event. */
static void
assertStart(daemonGuest *f, int code, bool destroys, guint times, guint64 counted)
{
    virtDaemonConfig config = {.destroyUnprovisioned = destroys};
    g_autoptr(GHashTable) ended = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    virtDaemon daemon = {.config = &config, .endedStarts = ended};
    g_autoptr(GError) error = NULL;

    g_assert_true(virtDaemonStartVerify(&daemon, UUID_A, &error) == (code < 0));
    if (code >= 0)
        g_assert_error(error, VIRT_ERROR, code);
    virtDaemonStarted(&daemon, UUID_A);
    g_assert_cmpuint(destroyed, ==, times);
    g_assert_true(virtDaemonStartTakeEnded(&daemon, UUID_A) == (times > 0));
    g_assert_false(virtDaemonStartTakeEnded(&daemon, UUID_A)); /* told once */
    g_assert_cmpuint(countUnprovisioned(f), ==, counted);
}

static void
prepare(daemonGuest *f, const char *uuid)
{
    g_autoptr(GPtrArray) list = g_ptr_array_new_with_free_func((GDestroyNotify)virtHostdevFree);
    g_autoptr(virtOwner) owner = virtOwnerNew("a", uuid);

    g_ptr_array_add(list, daemonGuestHostdev(f->vf, 100));
    g_assert_true(virtProvisionPrepare(f->fake->host, owner, list, NULL));
}

static void
testSet(daemonGuest *f, gconstpointer opaque)
{
    prepare(f, UUID_A);
    assertStart(f, -1, true, 0, 0);
}

static void
testUnset(daemonGuest *f, gconstpointer opaque)
{
    assertStart(f, VIRT_ERROR_REFUSED, true, 1, 1);
}

static void
testWarn(daemonGuest *f, gconstpointer opaque)
{
    assertStart(f, VIRT_ERROR_REFUSED, false, 0, 1);
}

/* Somebody has set it by hand, just so: it is not in a wrong network. */
static void
testByHand(daemonGuest *f, gconstpointer opaque)
{
    fakeHostVF(f->fake, PF, 1, 0)->vlan = 100;
    assertStart(f, -1, true, 0, 0);
}

/* A record that cannot be read may be its own: no guest is ended for what cannot be told. */
static void
testUnknown(daemonGuest *f, gconstpointer opaque)
{
    g_autofree char *dir = virtHostPath(f->fake->host, "run/libvirt-hostdev");
    g_autofree char *file = g_build_filename(dir, f->vf, NULL);

    prepare(f, UUID_A);
    g_assert_true(g_file_set_contents(file, "<hostdev", -1, NULL));
    g_assert_cmpint(chmod(file, 0600), ==, 0);
    assertStart(f, VIRT_ERROR_INVALID, true, 0, 0);
}

/* It is another's record; what this guest wants is not what the VF has. */
static void
testOthers(daemonGuest *f, gconstpointer opaque)
{
    prepare(f, UUID_B);
    fakeHostVF(f->fake, PF, 1, 0)->vlan = 7;
    assertStart(f, VIRT_ERROR_REFUSED, true, 1, 1);
}

/* What nobody asks for is not kept: starts past us are, one after the other, of any number of domains. */
static void
testNotAsked(daemonGuest *f, gconstpointer opaque)
{
    virtDaemonConfig config = {.destroyUnprovisioned = true};
    g_autoptr(GHashTable) ended = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    virtDaemon daemon = {.config = &config, .endedStarts = ended};
    gint64 longAgo = g_get_monotonic_time() - 3600 * G_TIME_SPAN_SECOND;

    for (guint i = 0; i < 100; i++)
        g_hash_table_insert(ended, g_strdup_printf("%u", i), g_memdup2(&longAgo, sizeof(longAgo)));
    g_assert_false(virtDaemonStartTakeEnded(&daemon, "1"));
    g_assert_cmpuint(g_hash_table_size(ended), ==, 0);
    g_hash_table_insert(ended, g_strdup("2"), g_memdup2(&longAgo, sizeof(longAgo)));
    virtDaemonStarted(&daemon, UUID_A);
    g_assert_cmpuint(g_hash_table_size(ended), ==, 1);
    g_assert_true(virtDaemonStartTakeEnded(&daemon, UUID_A));
}

/* Metadata of a device that the guest has not, and a guest that has stopped meanwhile, mean nothing. */
static void
testNotThere(daemonGuest *f, gconstpointer opaque)
{
    faultState->guest.has[0] = false;
    assertStart(f, -1, true, 0, 0);
    faultState->guest.running = false;
    assertStart(f, VIRT_ERROR_NOT_FOUND, true, 0, 0);
}

#define ADD(name, test) g_test_add("/start/" name, daemonGuest, NULL, setUp, test, tearDown)

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD("set", testSet);
    ADD("unset", testUnset);
    ADD("warn", testWarn);
    ADD("by-hand", testByHand);
    ADD("unknown", testUnknown);
    ADD("others", testOthers);
    ADD("not-asked", testNotAsked);
    ADD("not-there", testNotThere);
    return g_test_run();
}
