/* hostchangetest.c: the host changes while guests have VFs: what then happens, and never to another's VF
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Domain a has VF 0, b has VF 3. Something changes; then a guest of a third domain wants VF 0 and VF 1, a is updated,
 * and a ends. Then the change is taken back where it can be, and a is released again.
 */
#include "fakehost.h"
#include "hypervisor/provision.h"
#include "testfiles.h"
#include "util/virerror.h"
#include "util/virstatefile.h"
#include "testrecord.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PF "0000:01:00.0"
#define OTHER_PF "0000:02:00.0"
#define UUID_A "11111111-2222-3333-4444-555555555555"
#define UUID_B "99999999-2222-3333-4444-555555555555"
#define UUID_C "33333333-2222-3333-4444-555555555555"

typedef struct {
    fakeHost *fake;
    virtOwner *a, *b, *c;
    GPtrArray *wanted, *changed; /* a's */
    char *before, *record;       /* without a; a's record */
    char *others;                /* VFs that are not a's, with b */
} Fixture;

/* ---- the host and its guests ---- */

static GPtrArray *
newHostdevs(Fixture *f, guint first, guint n, guint tag)
{
    GPtrArray *list = g_ptr_array_new_with_free_func((GDestroyNotify)virtHostdevFree);

    for (guint vf = first; vf < first + n; vf++) {
        virtHostdev *hostdev = g_new0(virtHostdev, 1);

        testSetHandle(&hostdev->handle, fakeHostVFAddress(f->fake, PF, vf));
        virtSettingsInit(&hostdev->settings);
        for (guint port = 1; port <= 2; port++) {
            virtNetdev *netdev = virtNetdevNew(port);
            const guint8 mac[6] = {0x52, 0x54, 0, 0xaa, (guint8)vf, (guint8)port};

            memcpy(netdev->mac, mac, sizeof(mac));
            netdev->vlan.id = (guint16)(tag + port);
            netdev->vlan.protocol = 0x8100;
            netdev->present = VIRT_NETDEV_BIT(VIRT_NETDEV_MAC) | VIRT_NETDEV_BIT(VIRT_NETDEV_VLAN);
            g_ptr_array_add(VIRT_NETDEVS(hostdev), netdev);
        }
        g_ptr_array_add(list, hostdev);
    }
    return list;
}

/* The settings of all VFs but VF 0, which is a's. */
static char *
dumpOthers(fakeHost *fake)
{
    g_autofree char *all = fakeHostDump(fake);
    g_auto(GStrv) lines = g_strsplit(all, "\n", -1);
    GString *text = g_string_new(NULL);

    for (guint i = 0; lines[i]; i++) {
        if (!g_str_has_prefix(lines[i], "enp1s0f0") || !strstr(lines[i], " vf 0 "))
            g_string_append_printf(text, "%s\n", lines[i]);
    }
    return g_string_free(text, FALSE);
}

static void
setUp(Fixture *f, gconstpointer opaque)
{
    g_autoptr(GPtrArray) theirs = NULL;

    f->fake = fakeHostNew();
    fakeHostAddPF(f->fake, PF, 2, 4, "dual");
    fakeHostAddPF(f->fake, OTHER_PF, 2, 4, "dual");
    fakeHostVF(f->fake, PF, 2, 0)->vlan = 7;
    fakeHostVF(f->fake, PF, 1, 1)->vlan = 9;
    f->a = virtOwnerNew("a", UUID_A);
    f->b = virtOwnerNew("b", UUID_B);
    f->c = virtOwnerNew("c", UUID_C);
    virtOwnerSetStarter(f->a, (guint64)getpid());
    virtOwnerSetStarter(f->b, (guint64)getpid());
    theirs = newHostdevs(f, 3, 1, 300);
    f->wanted = newHostdevs(f, 0, 1, 100);
    f->changed = newHostdevs(f, 0, 1, 200);
    g_assert_true(virtProvisionPrepare(f->fake->host, f->b, theirs, NULL));
    f->before = fakeHostDump(f->fake);
    f->others = dumpOthers(f->fake);
    g_assert_true(virtProvisionPrepare(f->fake->host, f->a, f->wanted, NULL));
    f->record = fakeHostRead(f->fake, VIRT_STATE_DIR "/%s", fakeHostVFAddress(f->fake, PF, 0));
}

static void
tearDown(Fixture *f, gconstpointer opaque)
{
    virtOwnerFree(f->a);
    virtOwnerFree(f->b);
    virtOwnerFree(f->c);
    g_ptr_array_unref(f->wanted);
    g_ptr_array_unref(f->changed);
    g_free(f->before);
    g_free(f->record);
    g_free(f->others);
    fakeHostFree(f->fake);
}

static bool
hasRecord(Fixture *f, guint vf)
{
    g_autofree char *path = virtHostPath(f->fake->host, VIRT_STATE_DIR "/%s", fakeHostVFAddress(f->fake, PF, vf));

    return access(path, F_OK) == 0;
}

static void
assertOthers(Fixture *f)
{
    g_autofree char *now = dumpOthers(f->fake);

    g_assert_cmpstr(now, ==, f->others);
    g_assert_true(hasRecord(f, 3));
}

/* ---- changes ---- */

static void
moveFile(Fixture *f, const char *from, const char *to)
{
    g_autofree char *old = g_build_filename(f->fake->host->root, from, NULL);
    g_autofree char *new = g_build_filename(f->fake->host->root, to, NULL);

    g_assert_cmpint(rename(old, new), ==, 0);
}

#define DEVICES "sys/devices/pci0000:00/"

static void
setUpDown(Fixture *f, bool up)
{
    for (guint port = 1; port <= 2; port++)
        fakeHostFile(f->fake, up ? "0x1003\n" : "0x1002\n", DEVICES PF "/net/%s/flags",
                     fakeHostIfname(f->fake, PF, port));
}

static void
takeDown(Fixture *f)
{
    setUpDown(f, false);
}

static void
bringUp(Fixture *f)
{
    setUpDown(f, true);
}

static void
renameNetdev(Fixture *f)
{
    fakeHostRename(f->fake, PF, 1, "lan7");
}

static void
hideNetdevs(Fixture *f)
{
    moveFile(f, DEVICES PF "/net", DEVICES PF "/elsewhere");
}

static void
showNetdevs(Fixture *f)
{
    moveFile(f, DEVICES PF "/elsewhere", DEVICES PF "/net");
}

/* sriov_numvfs is 0: the VFs are gone, and the kernel has forgotten what was set. */
static void
takeVFs(Fixture *f)
{
    for (guint vf = 0; vf < 4; vf++) {
        g_autofree char *virtfn = g_strdup_printf(DEVICES PF "/virtfn%u", vf);
        g_autofree char *away = g_strdup_printf(DEVICES PF "/was%u", vf);
        moveFile(f, virtfn, away);
    }
}

static void
giveVFs(Fixture *f)
{
    for (guint vf = 0; vf < 4; vf++) {
        g_autofree char *virtfn = g_strdup_printf(DEVICES PF "/virtfn%u", vf);
        g_autofree char *away = g_strdup_printf(DEVICES PF "/was%u", vf);
        moveFile(f, away, virtfn);
    }
}

/* The driver was loaded anew and made the same VFs: nothing of what was set is there. */
static void
reload(Fixture *f)
{
    takeVFs(f);
    giveVFs(f);
    for (guint port = 1; port <= 2; port++)
        *fakeHostVF(f->fake, PF, port, 0) = *fakeHostVF(f->fake, PF, port, 2);
}

static void
swapVFs(Fixture *f)
{
    fakeHostSwapVFs(f->fake, PF, 0, 3);
}

static void
forget(Fixture *f)
{
    fakeHostFile(f->fake, NULL, VIRT_STATE_DIR "/%s", fakeHostVFAddress(f->fake, PF, 0));
}

static void
writeRecord(Fixture *f, const char *text)
{
    g_autofree char *path = virtHostPath(f->fake->host, VIRT_STATE_DIR "/%s", fakeHostVFAddress(f->fake, PF, 0));

    fakeHostFile(f->fake, text, VIRT_STATE_DIR "/%s", fakeHostVFAddress(f->fake, PF, 0));
    g_assert_cmpint(chmod(path, 0600), ==, 0);
}

static void
writeAgain(Fixture *f)
{
    writeRecord(f, f->record);
}

static void
replaceInRecord(Fixture *f, const char *from, const char *to)
{
    g_auto(GStrv) parts = g_strsplit(f->record, from, 2);
    g_autofree char *text = g_strjoinv(to, parts);

    g_assert_cmpuint(g_strv_length(parts), ==, 2);
    writeRecord(f, text);
}

static void
cutRecord(Fixture *f)
{
    g_autofree char *half = g_strndup(f->record, strlen(f->record) / 2);

    writeRecord(f, half);
}

static void
addElement(Fixture *f)
{
    replaceInRecord(f, "<before>", "<switch id='7'/><before>");
}

static void
addAttribute(Fixture *f)
{
    replaceInRecord(f, "<owner ", "<owner realm='x' ");
}

static void
copyRecord(Fixture *f)
{
    g_autofree char *theirs = fakeHostRead(f->fake, VIRT_STATE_DIR "/%s", fakeHostVFAddress(f->fake, PF, 3));

    writeRecord(f, theirs);
}

static void
openDirectory(Fixture *f)
{
    g_autofree char *path = virtHostPath(f->fake->host, VIRT_STATE_DIR);

    g_assert_cmpint(chmod(path, 0777), ==, 0);
}

static void
closeDirectory(Fixture *f)
{
    g_autofree char *path = virtHostPath(f->fake->host, VIRT_STATE_DIR);

    g_assert_cmpint(chmod(path, 0700), ==, 0);
}

/* What is expected of an attempt: NULL success, else words of the message. */
typedef struct {
    const char *what, *happens; /* for docs/tables/changes.rst */
    const char *name;
    void (*change)(Fixture *f);
    void (*back)(Fixture *f); /* NULL: it stays so */
    const char *start, *update, *release;
    const char *warning; /* of the release */
    bool goesBack;       /* the release puts VF 0 back, or nothing is left of it */
} Change;

#define DOWN "is down. Bring it up first"
#define ELSEWHERE "in another network namespace"
#define GONE "does not list PCI device 0000:01:10.0 among its VFs"
#define MOVED "was VF 0 of PF " PF " and is now VF 3"
#define UNTRUSTED "cannot be trusted"
#define FILE_OF_A "run/libvirt-hostdev/0000:01:10.0"

static const Change changes[] = {
    {"the PF goes down",
     "No guest starts or is updated with its VFs: the message says how to bring it up. A VF still goes back.", "down",
     takeDown, bringUp, DOWN, DOWN, NULL, NULL, true},
    {"a netdev of the PF is renamed", "Nothing: netdevs are looked up by PCI address and port each time.", "renamed",
     renameNetdev, NULL, "in use by", NULL, NULL, NULL, true},
    {"the PF moves to another network namespace",
     "Nothing can be set or restored, and the message says why. Records stay; recover once it has come back.", "netns",
     hideNetdevs, showNetdevs, ELSEWHERE, ELSEWHERE, ELSEWHERE, NULL, false},
    {"sriov_numvfs is written, and the VF is gone",
     "A guest that wants it is refused. Its settings went with it: a release says so and forgets the record.", "gone",
     takeVFs, giveVFs, GONE, GONE, NULL, "no longer exists", true},
    {"the PF's driver is reloaded and creates the same VFs",
     "The VF is as the driver made it; the release makes it what it was before the guest. Others are not touched.",
     "reloaded", reload, NULL, "in use by", NULL, NULL, NULL, true},
    {"the VF's index moves to another VF",
     "What the record knows would be wrong for the VF that now has the index: nothing is changed, and the record stays.",
     "moved", swapVFs, swapVFs, "in use by", MOVED, MOVED, NULL, false},
    {"/run is cleaned while the guest runs",
     "The earlier settings of the VF are unknown: it is neither updated nor restored. The next guest can have it.",
     "cleaned", forget, writeAgain, NULL, "its previous settings are unknown", NULL, NULL, false},
    {"a record is cut",
     "Nobody gets the VF and nothing is restored until somebody has looked: a warning names the file.", "cut",
     cutRecord, writeAgain, FILE_OF_A, FILE_OF_A, NULL, FILE_OF_A, false},
    {"a record has an element that is not known: it is by a newer version", "The same.", "element", addElement,
     writeAgain, "switch", "switch", NULL, "switch", false},
    {"a record has an attribute that is not known", "The same.", "attribute", addAttribute, writeAgain, "realm",
     "realm", NULL, "realm", false},
    {"a record is copied over that of another VF",
     "The same: a record has to name the VF that its file is named after.", "copied", copyRecord, writeAgain,
     "not about the VF it is named after", "not about the VF it is named after", NULL, "not about the VF it is named after",
     false},
    {"others may write into the state directory",
     "Nothing is read there, set or restored until that has been corrected.", "open-directory", openDirectory,
     closeDirectory, UNTRUSTED, UNTRUSTED, UNTRUSTED, NULL, false},
};

/* ---- trying ---- */

static void
expect(bool ok, const GError *error, const char *words, const char *what)
{
    if (!words && !ok)
        g_error("%s: %s", what, error->message);
    if (words && ok)
        g_error("%s should say '%s'", what, words);
    if (words && !strstr(error->message, words))
        g_error("%s: '%s' lacks '%s'", what, error->message, words);
}

static bool
hasWarning(Fixture *f, const char *words)
{
    for (guint i = 0; i < f->fake->warnings->len; i++) {
        if (strstr(f->fake->warnings->pdata[i], words))
            return true;
    }
    return false;
}

static void
tryStart(Fixture *f, const char *words)
{
    g_autoptr(GPtrArray) wanted = newHostdevs(f, 0, 2, 400);
    g_autoptr(GError) error = NULL;
    bool ok = virtProvisionPrepare(f->fake->host, f->c, wanted, &error);

    expect(ok, error, words, "start");
    if (ok)
        g_assert_true(testRelease(f->fake->host, f->c, NULL, NULL));
    assertOthers(f);
}

static void
tryUpdate(Fixture *f, const char *words)
{
    g_autofree char *before = fakeHostDump(f->fake);
    g_autofree char *after = NULL;
    g_autoptr(GError) error = NULL;
    bool ok;

    ok = virtProvisionUpdate(f->fake->host, f->a, f->changed->pdata[0], &error);
    expect(ok, error, words, "update");
    after = fakeHostDump(f->fake);
    g_assert_true(words == NULL || g_str_equal(before, after));
    assertOthers(f);
}

static void
tryRelease(Fixture *f, const Change *change)
{
    g_autofree char *before = fakeHostDump(f->fake);
    g_autofree char *after = NULL;
    g_autoptr(GError) error = NULL;
    bool ok;

    ok = testRelease(f->fake->host, f->a, NULL, &error);
    expect(ok, error, change->release, "release");
    after = fakeHostDump(f->fake);
    if (change->warning && !hasWarning(f, change->warning))
        g_error("no warning has '%s'", change->warning);
    g_assert_true(change->goesBack || g_str_equal(before, after));
    assertOthers(f);
}

static void
testChange(Fixture *f, gconstpointer opaque)
{
    const Change *change = opaque;
    g_autofree char *now = NULL;

    change->change(f);
    tryStart(f, change->start);
    tryUpdate(f, change->update);
    tryRelease(f, change);
    g_assert_true(hasRecord(f, 0) == (!change->goesBack && change->change != forget));
    if (change->back)
        change->back(f);
    g_assert_true(testRelease(f->fake->host, f->a, NULL, NULL));
    g_assert_false(hasRecord(f, 0));
    if (change->change == takeVFs) /* whoever makes VFs anew makes them as they were: not so here */
        return;
    now = fakeHostDump(f->fake);
    g_assert_cmpstr(now, ==, f->before);
}

/* ---- while a start waits for the PF's lock ---- */

static virtStateLock *held;
static Fixture *waiting;
static guint moved;

/* Whoever has the lock exchanges VFs. */
static void
moveMeanwhile(gulong microseconds)
{
    if (held)
        fakeHostSwapVFs(waiting->fake, PF, 0, moved);
    g_clear_pointer(&held, virtStateLockRelease);
}

/* The first VF of a start, or the last, is not where it was looked up. */
static void
testMovedMeanwhile(Fixture *f, gconstpointer opaque)
{
    g_autoptr(GPtrArray) wanted = newHostdevs(f, 1, 2, 400);
    g_autofree char *before = fakeHostDump(f->fake);

    waiting = f;
    f->fake->host->sleep = moveMeanwhile;
    for (moved = 1; moved <= 2; moved++) {
        g_autofree char *words = g_strdup_printf("was VF %u of PF " PF " and is now VF 0", moved);
        g_autofree char *after = NULL;
        g_autoptr(GError) error = NULL;
        bool ok;

        held = virtStateLockTake(f->fake->host, PF, NULL);
        ok = virtProvisionPrepare(f->fake->host, f->c, wanted, &error);
        expect(ok, error, words, "start");
        fakeHostSwapVFs(f->fake, PF, 0, moved);
        after = fakeHostDump(f->fake);
        g_assert_cmpstr(after, ==, before);
        g_assert_false(hasRecord(f, 1) || hasRecord(f, 2));
    }
}

/* ---- records byte by byte ---- */

/* The record of VF 0 says @text: then nobody but a gets VF 0, and whatever comes of releasing a, it comes to VF 0. */
static void
tryRecord(Fixture *f, const char *text, bool ownBefore)
{
    g_autofree char *set = fakeHostDump(f->fake);
    g_autofree char *now = NULL;
    g_autoptr(GPtrArray) wanted = newHostdevs(f, 0, 2, 400);
    fakeVF ports[2] = {*fakeHostVF(f->fake, PF, 1, 0), *fakeHostVF(f->fake, PF, 2, 0)};

    writeRecord(f, text);
    g_assert_false(virtProvisionPrepare(f->fake->host, f->c, wanted, NULL));
    g_ptr_array_set_size(f->fake->warnings, 0);
    testRelease(f->fake->host, f->a, NULL, NULL);
    now = fakeHostDump(f->fake);
    if (hasRecord(f, 0) && g_str_equal(now, set))
        g_assert_true(f->fake->warnings->len > 0 || !ownBefore);
    else if (ownBefore)
        g_assert_cmpstr(now, ==, f->before);
    assertOthers(f);
    for (guint port = 1; port <= 2; port++)
        *fakeHostVF(f->fake, PF, port, 0) = ports[port - 1];
}

/* Cut at every byte: it is whole enough, or it is refused. */
static void
testCut(Fixture *f, gconstpointer opaque)
{
    for (gsize len = 0; len <= strlen(f->record); len++) {
        g_autofree char *text = g_strndup(f->record, len);
        tryRecord(f, text, true);
    }
}

/* Every byte is another. A number that was changed into another number cannot be told from one that was written. The
 * owner's own attributes are left: whose it is then, is another question. */
static void
testDamaged(Fixture *f, gconstpointer opaque)
{
    static const char others[] = "0<\xff ";
    const char *owner = strstr(f->record, "<owner"), *end = strchr(owner, '>');

    for (gsize i = 0; f->record[i]; i++) {
        for (guint n = 0; others[n]; n++) {
            g_autofree char *text = g_strdup(f->record);

            if (text[i] == others[n] || (f->record + i > owner && f->record + i < end))
                continue;
            text[i] = others[n];
            tryRecord(f, text, false);
        }
    }
}

static void
testTable(void)
{
    g_autoptr(GString) out =
        g_string_new("Each is a case of ``tests/hostchangetest.c``; its name is in parentheses.\n\n");

    for (guint i = 0; i < G_N_ELEMENTS(changes); i++)
        g_string_append_printf(out, "%s (``%s``)\n  %s\n\n", changes[i].what, changes[i].name, changes[i].happens);
    virtTestSection("../docs/tables/changes.rst", "changes", out->str);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    for (guint i = 0; i < G_N_ELEMENTS(changes); i++) {
        g_autofree char *path = g_strdup_printf("/change/%s", changes[i].name);
        g_test_add(path, Fixture, &changes[i], setUp, testChange, tearDown);
    }
    g_test_add("/change/moved-meanwhile", Fixture, NULL, setUp, testMovedMeanwhile, tearDown);
    g_test_add("/record/cut", Fixture, NULL, setUp, testCut, tearDown);
    g_test_add("/record/damaged", Fixture, NULL, setUp, testDamaged, tearDown);
    g_test_add_func("/table", testTable);
    return g_test_run();
}
