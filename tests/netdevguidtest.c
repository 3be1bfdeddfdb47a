/* netdevguidtest.c: the port GUID of VFs whose driver has it in sysfs alone, as mlx4's
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "fakehost.h"
#include "util/virerror.h"
#include "util/virnetdevhostdev.h"

#include <string.h>
#include <unistd.h>

#define PF "0000:41:00.0"
#define BIT VIRT_NETDEV_BIT
#define DEVICE "sys/devices/pci0000:00/" PF "/infiniband/mlx4_0"
/* Files are as long as what is written to them: these are no sysfs and keep what is behind. */
#define GUID G_GUINT64_CONSTANT(0x0211223344556677)

/* VF 3 of a card whose port 1 is InfiniBand and lists no VFs, and whose port 2 is Ethernet. */
typedef struct {
    fakeHost *fake;
    virtVF *vf;
    GPtrArray *wanted; /* port 1: a port GUID */
} Fixture;

static void
setEntry(Fixture *f, guint port, guint entry, const char *text)
{
    fakeHostFile(f->fake, text, DEVICE "/iov/ports/%u/admin_guids/%u", port, entry);
}

static void
setUp(Fixture *f, gconstpointer data)
{
    virtNetdev *netdev;

    f->fake = fakeHostNew();
    fakeHostAddPF(f->fake, PF, 2, 5, "mlx4_core");
    for (guint port = 1; port <= 2; port++) {
        fakeHostFile(f->fake, port == 1 ? "32\n" : "1\n", "sys/devices/pci0000:00/" PF "/net/%s/type",
                     fakeHostIfname(f->fake, PF, port));
    }
    for (guint entry = 0; entry <= 5; entry++) {
        g_autofree char *text = g_strdup_printf("20000000000000%02x\n", entry);

        setEntry(f, 1, entry, text);
        setEntry(f, 2, entry, text);
    }
    for (guint vf = 0; vf < 5; vf++)
        fakeHostVF(f->fake, PF, 1, vf)->hidden = true;
    f->vf = fakeHostLookup(f->fake, PF, 3);
    f->wanted = virtNetdevListNew();
    netdev = virtNetdevNew(1);
    netdev->portGuid = GUID;
    netdev->present = BIT(VIRT_NETDEV_PORT_GUID);
    g_ptr_array_add(f->wanted, netdev);
}

static void
tearDown(Fixture *f, gconstpointer data)
{
    g_ptr_array_unref(f->wanted);
    virtVFFree(f->vf);
    fakeHostFree(f->fake);
}

static void
assertEntry(Fixture *f, guint port, guint entry, const char *expected)
{
    g_autofree char *text = fakeHostRead(f->fake, DEVICE "/iov/ports/%u/admin_guids/%u", port, entry);

    g_assert_cmpstr(text, ==, expected);
}

/* All entries but that of VF 3 at port 1 are as at first. */
static void
assertOthers(Fixture *f)
{
    for (guint entry = 0; entry <= 5; entry++) {
        g_autofree char *text = g_strdup_printf("20000000000000%02x\n", entry);

        assertEntry(f, 2, entry, text);
        if (entry != 4)
            assertEntry(f, 1, entry, text);
    }
}

static GPtrArray *
readAll(Fixture *f)
{
    g_autoptr(GError) error = NULL;
    GPtrArray *list = virtNetDevHostdevRead(f->fake->host, f->vf, f->wanted, &error);

    g_assert_no_error(error);
    return list;
}

static void
set(Fixture *f, const GPtrArray *before)
{
    g_autoptr(GError) error = NULL;
    bool ok = virtNetDevHostdevSet(f->fake->host, f->vf, f->wanted, before, &error);

    g_assert_no_error(error);
    g_assert_true(ok);
}

static void
restore(Fixture *f, const GPtrArray *before)
{
    g_autoptr(GError) error = NULL;
    bool ok = virtNetDevHostdevRestore(f->fake->host, f->vf, before, &error);

    g_assert_no_error(error);
    g_assert_true(ok);
}

static void
assertRefused(Fixture *f, const GPtrArray *before, const char *part)
{
    g_autoptr(GError) error = NULL;

    g_assert_false(virtNetDevHostdevSet(f->fake->host, f->vf, f->wanted, before, &error));
    g_assert_error(error, VIRT_ERROR, VIRT_ERROR_REFUSED);
    if (!strstr(error->message, part))
        g_error("\"%s\" is not in: %s", part, error->message);
}

/* Each port says what it can: a GUID where that means something, else what rtnetlink has. */
static void
testRead(Fixture *f, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) all = virtNetDevHostdevRead(f->fake->host, f->vf, NULL, &error);
    const virtNetdev *ib, *ethernet;

    g_assert_no_error(error);
    ib = virtNetdevListFind(all, 1);
    ethernet = virtNetdevListFind(all, 2);
    g_assert_cmphex(ib->present, ==, BIT(VIRT_NETDEV_PORT_GUID));
    g_assert_cmphex(ib->portGuid, ==, G_GUINT64_CONSTANT(0x2000000000000004));
    g_assert_true(virtNetdevHas(ethernet, VIRT_NETDEV_MAC));
    g_assert_false(virtNetdevHas(ethernet, VIRT_NETDEV_PORT_GUID));
}

static void
testSet(Fixture *f, gconstpointer data)
{
    g_autoptr(GPtrArray) before = readAll(f);

    set(f, before);
    assertEntry(f, 1, 4, "0211223344556677\n");
    assertOthers(f);
    restore(f, before);
    assertEntry(f, 1, 4, "2000000000000004\n");
    assertOthers(f);
}

/* "None" and "the subnet manager is to choose" are values like others. */
static void
testRestoreSpecial(Fixture *f, gconstpointer data)
{
    const char *const values[] = {"ffffffffffffffff\n", "0000000000000000\n"};

    for (guint i = 0; i < G_N_ELEMENTS(values); i++) {
        g_autoptr(GPtrArray) before = NULL;

        setEntry(f, 1, 4, values[i]);
        before = readAll(f);
        set(f, before);
        restore(f, before);
        assertEntry(f, 1, 4, values[i]);
    }
}

/* Before the GUID is read back, there is another. */
static void
answer(void *opaque, struct nl_msg *reply)
{
    Fixture *f = opaque;
    g_autofree char *now = fakeHostRead(f->fake, DEVICE "/iov/ports/1/admin_guids/4");

    if (g_str_equal(now, "0000000000000000\n"))
        setEntry(f, 1, 4, "2000000000000099\n");
}

static void
testSubnetManagerChooses(Fixture *f, gconstpointer data)
{
    g_autoptr(GPtrArray) before = NULL;

    setEntry(f, 1, 4, "0000000000000000\n");
    before = readAll(f);
    set(f, before);
    f->fake->garble = answer;
    f->fake->garbleOpaque = f;
    restore(f, before);
    assertEntry(f, 1, 4, "2000000000000099\n");
}

static void
drop(void *opaque, struct nl_msg *reply)
{
    setEntry(opaque, 1, 4, "2000000000000004\n");
}

static void
testIgnored(Fixture *f, gconstpointer data)
{
    g_autoptr(GPtrArray) before = readAll(f);

    f->fake->garble = drop;
    f->fake->garbleOpaque = f;
    assertRefused(
        f, before,
        "Cannot set port GUID 02:11:22:33:44:55:66:77 on port 1 (VF 3 of enp65s0f0, 0000:41:10.6): the driver "
        "acknowledged it, but the value is now 20:00:00:00:00:00:00:04");
}

/* A restore that is dropped is told too, and zero is no excuse. */
static void
testRestoreIgnored(Fixture *f, gconstpointer data)
{
    const char *const values[] = {"2000000000000005\n", "0\n"};

    for (guint i = 0; i < G_N_ELEMENTS(values); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(GPtrArray) before = NULL;

        setEntry(f, 1, 4, values[i]);
        before = readAll(f);
        setEntry(f, 1, 4, "2000000000000004\n");
        f->fake->garble = drop;
        f->fake->garbleOpaque = f;
        g_assert_false(virtNetDevHostdevRestore(f->fake->host, f->vf, before, &error));
        g_assert_error(error, VIRT_ERROR, VIRT_ERROR_REFUSED);
        f->fake->garble = NULL;
    }
}

/* A file that can be read and not written, by root neither. */
static void
testRefused(Fixture *f, gconstpointer data)
{
    g_autofree char *entry = virtHostPath(f->fake->host, DEVICE "/iov/ports/1/admin_guids/4");
    g_autoptr(GPtrArray) before = NULL;

    g_assert_cmpint(unlink(entry), ==, 0);
    g_assert_cmpint(symlink("/proc/sys/kernel/ngroups_max", entry), ==, 0);
    before = readAll(f);
    assertRefused(
        f, before,
        "Cannot set port GUID 02:11:22:33:44:55:66:77 on port 1 (VF 3 of enp65s0f0, 0000:41:10.6): Permission "
        "denied.");
}

/* There is no other way for the node GUID; which of the two was refused is said, and before that nothing is set. */
static void
testNodeGuid(Fixture *f, gconstpointer data)
{
    virtNetdev *netdev = f->wanted->pdata[0];
    g_autoptr(GPtrArray) before = NULL;

    netdev->nodeGuid = GUID + 1;
    netdev->present |= BIT(VIRT_NETDEV_NODE_GUID);
    before = readAll(f);
    assertRefused(f, before, "Cannot set node GUID 02:11:22:33:44:55:66:78 on port 1");
    assertEntry(f, 1, 4, "2000000000000004\n");
    restore(f, before);
}

/* A driver that has GUIDs in rtnetlink is not asked in any other way. */
static void
testRtnetlinkFirst(Fixture *f, gconstpointer data)
{
    fakeVF *vf = fakeHostVF(f->fake, PF, 1, 3);
    g_autoptr(GPtrArray) before = NULL;

    vf->hidden = false;
    vf->portGuid = 5;
    f->fake->guids = true;
    before = readAll(f);
    g_assert_cmphex(((virtNetdev *)before->pdata[0])->portGuid, ==, 5);
    set(f, before);
    g_assert_cmphex(vf->portGuid, ==, GUID);
    restore(f, before);
    g_assert_cmphex(vf->portGuid, ==, 5);
    assertEntry(f, 1, 4, "2000000000000004\n");
}

/* No such file, and files that say nothing: the VF is then not in the kernel's list, and nowhere else. */
static void
testNothing(Fixture *f, gconstpointer data)
{
    const char *const texts[] = {NULL, "", "none\n", "20000000000000004\n", "-1\n"};

    for (guint i = 0; i < G_N_ELEMENTS(texts); i++) {
        g_autoptr(GError) error = NULL;

        setEntry(f, 1, 4, texts[i]);
        g_assert_null(virtNetDevHostdevRead(f->fake->host, f->vf, f->wanted, &error));
        g_assert_error(error, VIRT_ERROR, VIRT_ERROR_REFUSED);
    }
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define ADD(name, func) g_test_add("/guid/" name, Fixture, NULL, setUp, func, tearDown)
    ADD("read", testRead);
    ADD("set", testSet);
    ADD("restore-special", testRestoreSpecial);
    ADD("subnet-manager-chooses", testSubnetManagerChooses);
    ADD("ignored", testIgnored);
    ADD("restore-ignored", testRestoreIgnored);
    ADD("refused", testRefused);
    ADD("node-guid", testNodeGuid);
    ADD("rtnetlink-first", testRtnetlinkFirst);
    ADD("nothing", testNothing);
    return g_test_run();
}
