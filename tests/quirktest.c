/* quirktest.c: the tables of drivers' quirks and capabilities: whole, looked up, written down, and tried out in the lab
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "fakehost.h"
#include "testfiles.h"
#include "util/virnetdevcaps.h"
#include "util/virnetdevquirk.h"

#include <errno.h>
#include <linux/if_ether.h>
#include <string.h>

#define PF "0000:41:00.0"
#define BIT(attr) VIRT_NETDEV_BIT(attr)

/* --- the tables are whole --- */

static void
testQuirksWhole(void)
{
    g_autoptr(GHashTable) names = g_hash_table_new(g_str_hash, g_str_equal);

    for (const virtNetdevQuirk *quirk = virtNetdevQuirks; quirk->name; quirk++) {
        bool refusals = quirk->action != VIRT_QUIRK_NOTE;

        g_test_message("%s", quirk->name);
        g_assert_true(g_hash_table_add(names, (gpointer)quirk->name));
        g_assert_true(quirk->drivers && quirk->behaviour && quirk->remedy && quirk->source && quirk->attrs);
        g_assert_true(refusals == (quirk->refusal[0] > 0));
        g_assert_true((quirk->action == VIRT_QUIRK_WAIT) == (quirk->patience > 0));
        if (quirk->action ==
            VIRT_QUIRK_LIFT) /* it is later in the kernel's order, so what was read of it still holds */
            g_assert_cmphex(quirk->attrs & ~(BIT(quirk->behind) - 1), ==, 0);
    }
}

static void
testDriversWhole(void)
{
    for (const virtNetdevCapsDriver *info = virtNetdevCapsDrivers; info->driver; info++) {
        g_test_message("%s", info->driver);
        g_assert_nonnull(info->source);
        g_assert_cmphex(info->can & info->maybe, ==, 0);
        /* A value of a setting needs the setting. */
        for (virtNetdevCapability capability = 1; capability < VIRT_CAPABILITY_LAST; capability++) {
            guint both = info->can | info->maybe;

            if (virtNetdevCapabilities[capability].needed && both & 1u << capability) {
                g_assert_true(both & (virtNetdevCapabilities[capability - 1].needed ? 3u << (capability - 2)
                                                                                    : 1u << (capability - 1)));
            }
        }
        /* The first row that fits counts: one for all ports comes last. */
        if (info->only == VIRT_CAPS_PORT_ANY && info[1].driver)
            g_assert_cmpstr(info->driver, <, info[1].driver);
    }
}

/* --- looking up --- */

static void
testFind(void)
{
    virtNetdev none = {.present = BIT(VIRT_NETDEV_MAC) | BIT(VIRT_NETDEV_VLAN)}, some = none, rate = none;

    some.vlan.id = 42;
    some.mac[0] = 2;
    rate.present |= BIT(VIRT_NETDEV_BANDWIDTH);
    virtNetdevSetRate(&rate, 100, 0);
    g_assert_cmpstr(virtNetdevQuirkFind(VIRT_NETDEV_MAC, -EINVAL, &none, NULL)->name, ==, "zero-mac");
    g_assert_cmpstr(virtNetdevQuirkFind(VIRT_NETDEV_MAC, -EADDRNOTAVAIL, &none, NULL)->name, ==, "zero-mac");
    g_assert_null(virtNetdevQuirkFind(VIRT_NETDEV_MAC, -EINVAL, &some, NULL));
    g_assert_null(virtNetdevQuirkFind(VIRT_NETDEV_MAC, -EPERM, &none, NULL));
    g_assert_cmpstr(virtNetdevQuirkFind(VIRT_NETDEV_VLAN, -EINVAL, &none, &rate)->name, ==, "vlan-none-4095");
    g_assert_cmpstr(virtNetdevQuirkFind(VIRT_NETDEV_VLAN, -EPERM, &some, &rate)->name, ==, "vlan-behind-rate");
    g_assert_null(virtNetdevQuirkFind(VIRT_NETDEV_VLAN, -EPERM, &some, &none));
    g_assert_null(virtNetdevQuirkFind(VIRT_NETDEV_VLAN, -EPERM, &some, NULL));
    g_assert_cmpuint(virtNetdevQuirkPatience(-EBUSY, BIT(VIRT_NETDEV_MAC) | BIT(VIRT_NETDEV_LINK)), ==, 3000);
    g_assert_cmpuint(virtNetdevQuirkPatience(-EBUSY, BIT(VIRT_NETDEV_BANDWIDTH) | BIT(VIRT_NETDEV_LINK)), ==, 0);
    g_assert_cmpuint(virtNetdevQuirkPatience(-EAGAIN, BIT(VIRT_NETDEV_BANDWIDTH)), ==, 3000);
    g_assert_cmpuint(virtNetdevQuirkPatience(-EPERM, G_MAXUINT), ==, 0);
    g_assert_cmpuint(virtNetdevQuirkPatience(0, G_MAXUINT), ==, 0);
}

typedef struct {
    fakeHost *fake;
    virtPCIAddress pf;
    virtPort port;
    virtNetdevCapsPort *kind;
} Fixture;

static void
setUp(Fixture *f, gconstpointer driver)
{
    f->fake = fakeHostNew();
    fakeHostAddPF(f->fake, PF, 1, 1, driver);
    g_assert_true(virtPCIAddressParse(PF, &f->pf, NULL));
    f->port.ifname = (char *)fakeHostIfname(f->fake, PF, 1);
    f->port.port = 1;
}

static void
tearDown(Fixture *f, gconstpointer data)
{
    virtNetdevCapsPortFree(f->kind);
    fakeHostFree(f->fake);
}

static void
look(Fixture *f)
{
    g_autoptr(GPtrArray) ports = virtPCIGetPorts(f->fake->host, &f->pf, NULL);

    virtNetdevCapsPortFree(f->kind);
    f->kind = virtNetdevCapsPortRead(f->fake->host, &f->pf, ports->pdata[0]);
}

static void
assertAnswer(Fixture *f, const virtNetdev *wanted, virtNetdevAttr attr, virtNetdevCapsAnswer answer, const char *why)
{
    const virtNetdev present = {.present = ~0u & ~BIT(VIRT_NETDEV_SPOOFCHECK)};
    g_autofree char *said = NULL;

    look(f);
    g_assert_cmpint(virtNetdevCapsAskAttr(f->kind, &present, wanted, attr, &said), ==, answer);
    g_assert_cmpstr(said, ==, why);
}

static void
testKnown(Fixture *f, gconstpointer data)
{
    virtNetdev wanted = {.vlan = {.id = 42}};

    assertAnswer(f, &wanted, VIRT_NETDEV_VLAN, VIRT_CAPS_CAN,
                 "igb: VLAN is supported (Linux 6.12, intel/igb/igb_main.c)");
    wanted.vlan.protocol = ETH_P_8021AD;
    assertAnswer(f, &wanted, VIRT_NETDEV_VLAN, VIRT_CAPS_CANNOT,
                 "igb: VLAN with 802.1ad is not supported (Linux 6.12, intel/igb/igb_main.c)");
    virtNetdevSetRate(&wanted, 100, 0);
    assertAnswer(f, &wanted, VIRT_NETDEV_BANDWIDTH, VIRT_CAPS_MAYBE,
                 "igb: rate depends on card, firmware or mode (Linux 6.12, intel/igb/igb_main.c)");
    virtNetdevSetRate(&wanted, 100, 10);
    assertAnswer(f, &wanted, VIRT_NETDEV_BANDWIDTH, VIRT_CAPS_CANNOT,
                 "igb: rate with floor is not supported (Linux 6.12, intel/igb/igb_main.c)");
    assertAnswer(f, &wanted, VIRT_NETDEV_PORT_GUID, VIRT_CAPS_CANNOT,
                 "igb: port GUID is not supported (Linux 6.12, intel/igb/igb_main.c)");
}

static void
testUnknown(Fixture *f, gconstpointer data)
{
    const virtNetdev wanted = {0};

    assertAnswer(f, &wanted, VIRT_NETDEV_VLAN, VIRT_CAPS_UNKNOWN, NULL);
    assertAnswer(f, &wanted, VIRT_NETDEV_TRUST, VIRT_CAPS_CAN, "the driver reports trust");
    assertAnswer(f, &wanted, VIRT_NETDEV_SPOOFCHECK, VIRT_CAPS_CANNOT,
                 "the driver does not report spoof check and will most likely refuse it");
    assertAnswer(f, &wanted, VIRT_NETDEV_NODE_GUID, VIRT_CAPS_UNKNOWN, NULL);
    fakeHostFile(f->fake, "1\n", "sys/bus/pci/devices/" PF "/net/%s/type", f->port.ifname);
    assertAnswer(f, &wanted, VIRT_NETDEV_NODE_GUID, VIRT_CAPS_CANNOT, "only InfiniBand has a node GUID");
    fakeHostFile(f->fake, "32\n", "sys/bus/pci/devices/" PF "/net/%s/type", f->port.ifname);
    assertAnswer(f, &wanted, VIRT_NETDEV_NODE_GUID, VIRT_CAPS_UNKNOWN, NULL);
}

/* mlx5 in its four shapes. */
static void
testShapes(Fixture *f, gconstpointer data)
{
    const virtNetdev wanted = {.vlan = {.id = 42}};

    assertAnswer(f, &wanted, VIRT_NETDEV_VLAN, VIRT_CAPS_CAN,
                 "mlx5_core: VLAN is supported (Linux 6.12, mellanox/mlx5/core/esw/legacy.c)");
    fakeHostFile(f->fake, "0x15b3\n", "sys/bus/pci/devices/" PF "/vendor");
    fakeHostFile(f->fake, "0xa2d6\n", "sys/bus/pci/devices/" PF "/device");
    assertAnswer(
        f, &wanted, VIRT_NETDEV_VLAN, VIRT_CAPS_MAYBE,
        "mlx5_core on a BlueField: VLAN depends on card, firmware or mode (Linux 6.12, mellanox/mlx5/core/esw/legacy.c)");
    fakeHostFile(f->fake, "b8cef60300a1b2c3\n", "sys/bus/pci/devices/" PF "/net/%s/phys_switch_id", f->port.ifname);
    assertAnswer(f, &wanted, VIRT_NETDEV_VLAN, VIRT_CAPS_CANNOT,
                 "mlx5_core in switchdev mode: VLAN is not supported (Linux 6.12, mellanox/mlx5/core/esw/legacy.c)");
    fakeHostFile(f->fake, "32\n", "sys/bus/pci/devices/" PF "/net/%s/type", f->port.ifname);
    assertAnswer(f, &wanted, VIRT_NETDEV_PORT_GUID, VIRT_CAPS_CAN,
                 "mlx5_core on InfiniBand: port GUID is supported (Linux 6.12, ../../infiniband/hw/mlx5/ib_virt.c)");
}

/* --- written down --- */

/* Append @text, indented by two, in lines of at most 120 columns. */
static void
appendWrapped(GString *out, const char *text)
{
    g_auto(GStrv) words = g_strsplit(text, " ", -1);
    size_t column = 120;

    for (guint i = 0; words[i]; i++) {
        size_t length = strlen(words[i]);
        bool fits = column + 1 + length <= 120;

        if (i > 0)
            g_string_append(out, fits ? " " : "\n");
        if (!fits)
            g_string_append(out, "  ");
        g_string_append(out, words[i]);
        column = fits ? column + 1 + length : 2 + length;
    }
    g_string_append_c(out, '\n');
}

static char *
describeQuirks(void)
{
    GString *out = g_string_new(NULL);

    for (const virtNetdevQuirk *quirk = virtNetdevQuirks; quirk->name; quirk++) {
        g_autofree char *text = g_strdup_printf("%s *%s* Source: %s.", quirk->behaviour, quirk->remedy, quirk->source);

        g_string_append_printf(out, "``%s`` (%s)\n", quirk->name, quirk->drivers);
        appendWrapped(out, text);
        g_string_append_c(out, '\n');
    }
    return g_string_free(out, FALSE);
}

static void
appendCapabilities(GString *text, const char *lead, guint capabilities)
{
    bool first = true;

    for (virtNetdevCapability capability = 0; capability < VIRT_CAPABILITY_LAST; capability++) {
        if (!(capabilities & 1u << capability))
            continue;
        g_string_append_printf(text, "%s%s", first ? lead : ", ", virtNetdevCapabilities[capability].title);
        first = false;
    }
}

static char *
describeDrivers(void)
{
    GString *out = g_string_new(NULL);

    for (const virtNetdevCapsDriver *info = virtNetdevCapsDrivers; info->driver; info++) {
        g_autofree char *name = virtNetdevCapsDescribeDriver(info);
        g_autoptr(GString) text = g_string_new(NULL);

        appendCapabilities(text, "", info->can);
        appendCapabilities(text, info->can ? "; perhaps " : "Perhaps ", info->maybe);
        g_string_append_printf(text, "%s. Source: %s.", text->len ? "" : "Nothing", info->source);
        g_string_append_printf(out, "%s\n", name);
        appendWrapped(out, text->str);
        g_string_append_c(out, '\n');
    }
    return g_string_free(out, FALSE);
}

static void
testDocs(void)
{
    g_autofree char *quirks = describeQuirks(), *drivers = describeDrivers();

    virtTestSection("../docs/drivers.rst", "quirks", quirks);
    virtTestSection("../docs/drivers.rst", "capabilities", drivers);
}

/* --- tried out --- */

/* Each quirk has a case in the lab, a line "quirk NAME", and there is no case without a quirk. */
static void
testLab(void)
{
    g_autofree char *path = virtTestPath("lab/scenarios/quirks.sh");
    g_autofree char *text = virtTestRead(path);
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    g_autoptr(GString) cases = g_string_new(NULL), rows = g_string_new(NULL);

    for (guint i = 0; lines[i]; i++) {
        if (g_str_has_prefix(lines[i], "quirk "))
            g_string_append_printf(cases, "%s\n", lines[i] + strlen("quirk "));
    }
    for (const virtNetdevQuirk *quirk = virtNetdevQuirks; quirk->name; quirk++)
        g_string_append_printf(rows, "%s\n", quirk->name);
    g_assert_cmpstr(cases->str, ==, rows->str);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/quirk/whole", testQuirksWhole);
    g_test_add_func("/quirk/find", testFind);
    g_test_add_func("/quirk/docs", testDocs);
    g_test_add_func("/quirk/lab", testLab);
    g_test_add_func("/caps/whole", testDriversWhole);
    g_test_add("/caps/known", Fixture, "igb", setUp, testKnown, tearDown);
    g_test_add("/caps/unknown", Fixture, "newnic", setUp, testUnknown, tearDown);
    g_test_add("/caps/shapes", Fixture, "mlx5_core", setUp, testShapes, tearDown);
    return g_test_run();
}
