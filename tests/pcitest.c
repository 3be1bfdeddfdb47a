/* pcitest.c: PCI addresses, ports and VFs from sysfs, and the bounds of reading it
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "fakehost.h"
#include "util/virerror.h"

#include <errno.h>
#include <string.h>

#define PF "0000:01:00.0"

static virtPCIAddress
parse(const char *text)
{
    virtPCIAddress address;
    g_autoptr(GError) error = NULL;

    g_assert_true(virtPCIAddressParse(text, &address, &error));
    return address;
}

static void
assertMessage(const GError *error, int code, const char *part)
{
    g_assert_error(error, VIRT_ERROR, code);
    if (!strstr(error->message, part))
        g_error("\"%s\" is not in: %s", part, error->message);
}

static void
testAddress(void)
{
    static const char *const good[][2] = {
        {"0000:06:02.0", "0000:06:02.0"},
        {"06:02.7", "0000:06:02.7"},
        {"10000:e1:1f.0", "10000:e1:1f.0"},
        {"ffffffff:FF:1f.7", "ffffffff:ff:1f.7"},
    };
    static const char *const bad[] = {
        "",
        "0000:06:02",
        "0000:06:02.8",
        "0000:06:20.0",
        "0000:06:2.0",
        "000:06:02.0",
        "0000:06:02.0 ",
        " 0000:06:02.0",
        "0000:06:02.00",
        "0000:06:02.0/..",
        "0x00:06:02.0",
        "123456789:06:02.0",
        "0000:006:02.0",
        "0000:06:02:0",
        "0000:-6:02.0",
        "g000:06:02.0",
        ":06:02.0",
        "0000::02.0",
        "06.02.0",
        "../../etc",
        "0000:06:02.0\n",
    };

    for (guint i = 0; i < G_N_ELEMENTS(good); i++) {
        char text[VIRT_PCI_ADDRESS_LEN];
        virtPCIAddress address = parse(good[i][0]);

        virtPCIAddressFormat(&address, text);
        g_assert_cmpstr(text, ==, good[i][1]);
    }
    for (guint i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autoptr(GError) error = NULL;
        virtPCIAddress address = {.bus = 77};

        g_assert_false(virtPCIAddressParse(bad[i], &address, &error));
        assertMessage(error, VIRT_ERROR_INVALID, "is not a PCI address");
        g_assert_cmpuint(address.bus, ==, 77);
    }
}

static void
testCompare(void)
{
    static const char *const sorted[] = {"0000:00:00.0", "0000:00:00.1", "0000:00:01.0",
                                         "0000:01:00.0", "0001:00:00.0", "ffffffff:00:00.0"};

    for (guint i = 0; i < G_N_ELEMENTS(sorted); i++) {
        for (guint j = 0; j < G_N_ELEMENTS(sorted); j++) {
            virtPCIAddress a = parse(sorted[i]), b = parse(sorted[j]);
            int order = virtPCIAddressCompare(&a, &b);

            g_assert_cmpint((order > 0) - (order < 0), ==, (i > j) - (i < j));
        }
    }
}

/* Ports as "1:name 2:name". */
static char *
describePorts(const GPtrArray *ports)
{
    GString *text = g_string_new(NULL);

    for (guint i = 0; i < ports->len; i++) {
        const virtPort *port = ports->pdata[i];

        g_string_append_printf(text, "%s%u:%s", i ? " " : "", port->port, port->ifname);
    }
    return g_string_free(text, FALSE);
}

static void
assertPorts(fakeHost *fake, const char *address, const char *expected)
{
    g_autoptr(GError) error = NULL;
    virtPCIAddress pci = parse(address);
    g_autoptr(GPtrArray) ports = virtPCIGetPorts(fake->host, &pci, &error);
    g_autofree char *text = NULL;

    g_assert_no_error(error);
    text = describePorts(ports);
    g_assert_cmpstr(text, ==, expected);
}

static void
testPorts(void)
{
    g_autoptr(fakeHost) fake = fakeHostNew();
    virtPCIAddress address;
    g_autoptr(GPtrArray) ports = NULL;
    const virtPort *port;
    g_autoptr(GPtrArray) netdevs = NULL;

    fakeHostAddPF(fake, PF, 2, 1, "mlx4_core");
    assertPorts(fake, PF, "1:enp1s0f0 2:enp1s0f0d1");
    /* The names say nothing: dev_port decides. */
    fakeHostFile(fake, "1\n", "sys/class/net/enp1s0f0/dev_port");
    fakeHostFile(fake, "0\n", "sys/class/net/enp1s0f0d1/dev_port");
    assertPorts(fake, PF, "1:enp1s0f0d1 2:enp1s0f0");

    address = parse(PF);
    fakeHostFile(fake, "0x1002\n", "sys/class/net/enp1s0f0/flags");
    fakeHostFile(fake, "00:1b:21:aa:bb:cc\n", "sys/class/net/enp1s0f0/address");
    fakeHostFile(fake, "3\n", "sys/class/net/enp1s0f0/addr_assign_type");
    ports = virtPCIGetPorts(fake->host, &address, NULL);
    port = ports->pdata[1];
    g_assert_false(port->up);
    g_assert_true(((const virtPort *)ports->pdata[0])->up);
    g_assert_cmpuint(port->ifindex, ==, 2);
    netdevs = virtPCIGetNetdevs(fake->host, &address, NULL);
    port = netdevs->pdata[1];
    g_assert_cmpuint(port->ifindex, ==, 2);
    g_assert_cmpuint(port->addrAssignType, ==, 3);
    g_assert_cmpmem(port->mac, 6, "\x00\x1b\x21\xaa\xbb\xcc", 6);
    assertPorts(fake, "0000:09:00.0", "");
}

static void
testPortsFallback(void)
{
    g_autoptr(fakeHost) fake = fakeHostNew();
    virtPCIAddress address = parse(PF);
    g_autoptr(GError) error = NULL;

    fakeHostAddPF(fake, PF, 2, 1, "mlx4_core");
    fakeHostFile(fake, "0\n", "sys/class/net/enp1s0f0d1/dev_port");
    g_assert_null(virtPCIGetPorts(fake->host, &address, &error));
    assertMessage(error, VIRT_ERROR_HOST, "enp1s0f0 and enp1s0f0d1 both claim port 1");
    fakeHostFile(fake, "p1\n", "sys/class/net/enp1s0f0/phys_port_name");
    fakeHostFile(fake, "p0\n", "sys/class/net/enp1s0f0d1/phys_port_name");
    assertPorts(fake, PF, "1:enp1s0f0d1 2:enp1s0f0");
    fakeHostFile(fake, "0x1\n", "sys/class/net/enp1s0f0d1/dev_id");
    assertPorts(fake, PF, "1:enp1s0f0 2:enp1s0f0d1");
}

/* The netdev of another port is in another network namespace, or never was. */
static void
testPortsAlone(void)
{
    g_autoptr(fakeHost) fake = fakeHostNew();

    fakeHostAddDevice(fake, "0000:02:00.0", 1, "one");
    assertPorts(fake, "0000:02:00.0", "1:enp2s0f0");
    fakeHostFile(fake, "p1\n", "sys/class/net/enp2s0f0/phys_port_name");
    assertPorts(fake, "0000:02:00.0", "2:enp2s0f0");
    fakeHostFile(fake, "0x2\n", "sys/class/net/enp2s0f0/dev_id");
    assertPorts(fake, "0000:02:00.0", "3:enp2s0f0");
    fakeHostFile(fake, "3\n", "sys/class/net/enp2s0f0/dev_port");
    assertPorts(fake, "0000:02:00.0", "4:enp2s0f0");
    /* The second function of a card is p1, and has no more than that. */
    fakeHostAddDevice(fake, "0000:02:00.1", 1, "one");
    fakeHostFile(fake, "p1\n", "sys/class/net/enp2s0f1/phys_port_name");
    assertPorts(fake, "0000:02:00.1", "1:enp2s0f1");
}

/* The ports cannot be told, and why. */
static void
assertNoPorts(fakeHost *fake, const char *message)
{
    g_autoptr(GError) error = NULL;
    virtPCIAddress address = parse(PF);

    g_assert_null(virtPCIGetPorts(fake->host, &address, &error));
    assertMessage(error, VIRT_ERROR_HOST, message);
}

static void
testRepresentors(void)
{
    static const struct {
        const char *name, *alone,
            *inSwitch; /* the PF's ports with a netdev of that phys_port_name; NULL: cannot be told */
    } cases[] = {
        {"pf0vf0", "1:enp1s0f0", "1:enp1s0f0"},
        {"pf0sf88", "1:enp1s0f0", "1:enp1s0f0"},
        {"c1pf0vf3", "1:enp1s0f0", "1:enp1s0f0"},
        {"c1pf0", "1:enp1s0f0", "1:enp1s0f0"},
        {"pf0", "1:enp1s0f0", "1:enp1s0f0"},
        {"p0pf0vf1", NULL, "1:enp1s0f0"},                   /* sfc */
        {"3", NULL, "1:enp1s0f0"},                          /* mlx5 before Linux 4.18 */
        {"p1s", "1:enp1s0f0 2:other", "1:enp1s0f0"},        /* nobody's */
        {"p1", "1:enp1s0f0 2:other", "1:enp1s0f0 2:other"}, /* a port after all */
        {"p1s0", "1:enp1s0f0 2:other", "1:enp1s0f0 2:other"},
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(fakeHost) fake = fakeHostNew();

        fakeHostAddPF(fake, PF, 1, 1, "mlx5_core");
        fakeHostFile(fake, "p0\n", "sys/class/net/enp1s0f0/phys_port_name");
        fakeHostAddNetdev(fake, PF, "other");
        fakeHostFile(fake, cases[i].name, "sys/class/net/other/phys_port_name");
        if (cases[i].alone)
            assertPorts(fake, PF, cases[i].alone);
        else
            assertNoPorts(fake, "both claim port 1");
        fakeHostFile(fake, "b8cef60300a1b2c3\n", "sys/class/net/enp1s0f0/phys_switch_id");
        fakeHostFile(fake, "b8cef60300a1b2c3\n", "sys/class/net/other/phys_switch_id");
        assertPorts(fake, PF, cases[i].inSwitch);
    }
}

/* What a PF's netdev is, rtnetlink says, and nothing else; sysfs has what it does not say. */
static void
testFacts(void)
{
    g_autoptr(fakeHost) fake = fakeHostNew();
    g_autoptr(GPtrArray) ports = NULL, unknown = NULL;
    virtPCIAddress address = parse(PF);

    fakeHostAddPF(fake, PF, 1, 1, "mlx4_core");
    fakeHostFile(fake, "0x1002\n", "sys/class/net/enp1s0f0/flags");
    fakeHostFile(fake, "32\n", "sys/class/net/enp1s0f0/type");
    fakeHostFile(fake, "b8cef60300a1b2c3\n", "sys/class/net/enp1s0f0/phys_switch_id");
    ports = virtPCIGetPorts(fake->host, &address, NULL);
    g_assert_false(((const virtPort *)ports->pdata[0])->up);
    g_assert_true(((const virtPort *)ports->pdata[0])->infiniband);
    g_assert_false(((const virtPort *)ports->pdata[0])->ethernet);
    g_assert_true(((const virtPort *)ports->pdata[0])->switchdev);
    g_assert_cmpuint(fake->looks, ==, 1);
    g_assert_cmpuint(fake->gets, ==, 0);
    fake->getErrno = ENOBUFS; /* then whoever reads its VFs says why that failed */
    unknown = virtPCIGetPorts(fake->host, &address, NULL);
    g_assert_cmpuint(unknown->len, ==, 1);
    g_assert_true(((const virtPort *)unknown->pdata[0])->up);
    g_assert_false(((const virtPort *)unknown->pdata[0])->infiniband);
}

static void
testJunk(void)
{
    static const char *const numbers[] = {"", "-1", "99999999999999999999", "0x", " 2", "2 ", "2\n3", "two"};
    g_autoptr(fakeHost) fake = fakeHostNew();

    fakeHostAddDevice(fake, PF, 1, "igb");
    fakeHostFile(fake, "7\n", "sys/bus/pci/devices/" PF "/net/a-name-that-is-too-long/ifindex");
    fakeHostFile(fake, "7\n", "sys/bus/pci/devices/" PF "/net/bad name/ifindex");
    fakeHostFile(fake, "7\n", "sys/bus/pci/devices/" PF "/net/esc\033[2J/ifindex");
    fakeHostFile(fake, "", "sys/bus/pci/devices/" PF "/net/gone/dev_port");
    assertPorts(fake, PF, "1:enp1s0f0");
    for (guint i = 0; i < G_N_ELEMENTS(numbers); i++) {
        guint64 value = 5;
        g_autoptr(GError) error = NULL;

        fakeHostFile(fake, numbers[i], "sys/class/net/enp1s0f0/dev_port");
        g_assert_false(virtHostReadUInt(fake->host, 100, &value, &error, "sys/class/net/%s/dev_port", "enp1s0f0"));
        assertMessage(error, VIRT_ERROR_HOST, "expected a number up to 100");
        g_assert_cmpuint(value, ==, 5);
        assertNoPorts(fake, "expected a number up to 65535");
    }
}

/* What is one too many is an error, and not the first port. */
static void
testPortMax(void)
{
    static const struct {
        const char *attribute, *most, *more, *ports, *message;
    } cases[] = {
        {"dev_port", "65535", "65536", "65536:enp1s0f0", "expected a number up to 65535"},
        {"dev_id", "0xffff", "0x10000", "65536:enp1s0f0", "expected a number up to 65535"},
        {"phys_port_name", "p65535", "p65536", "65536:enp1s0f0", "expected p and a number up to 65535"},
        {"phys_port_name", "p65535", "p99999999999999", "65536:enp1s0f0", "expected p and a number up to 65535"},
        {"phys_port_name", "pf65535vf0", "pf65536vf0", "", NULL},
        {"ifindex", "2147483647", "2147483648", "1:enp1s0f0", "expected a number up to 2147483647"},
    };
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(fakeHost) fake = fakeHostNew();

        fakeHostAddDevice(fake, PF, 1, "igb");
        fakeHostFile(fake, cases[i].most, "sys/class/net/enp1s0f0/%s", cases[i].attribute);
        assertPorts(fake, PF, cases[i].ports);
        fakeHostFile(fake, cases[i].more, "sys/class/net/enp1s0f0/%s", cases[i].attribute);
        if (cases[i].message)
            assertNoPorts(fake, cases[i].message);
        else
            assertPorts(fake, PF, cases[i].ports);
    }
}

static void
testVF(void)
{
    g_autoptr(fakeHost) fake = fakeHostNew();
    g_autoptr(GError) error = NULL;
    g_autoptr(virtVF) vf = NULL;
    g_autoptr(virtVF) moved = NULL;
    g_autoptr(virtVF) passed = NULL;
    g_autofree char *driver = NULL;

    fakeHostAddPF(fake, PF, 2, 12, "mlx4_core");
    vf = fakeHostLookup(fake, PF, 11);
    g_assert_cmpuint(vf->index, ==, 11);
    g_assert_cmpstr(vf->name, ==, "0000:01:12.6");
    g_assert_cmpstr(vf->pfName, ==, PF);
    g_assert_cmpuint(vf->ports->len, ==, 2);
    g_assert_cmpstr(virtVFGetPort(vf, 2, &error)->ifname, ==, "enp1s0f0d1");
    g_assert_null(virtVFGetPort(vf, 3, &error));
    assertMessage(error, VIRT_ERROR_HOST, "has no port 3; it has 1 (enp1s0f0), 2 (enp1s0f0d1)");

    fakeHostSwapVFs(fake, PF, 11, 2);
    moved = fakeHostLookup(fake, PF, 2);
    g_assert_cmpuint(moved->index, ==, 2);
    g_assert_cmpstr(moved->name, ==, "0000:01:12.6");
    /* Through VFIO it is the same VF; the PF's netdevs count. */
    fakeHostBindVFIO(fake, vf->name);
    passed = fakeHostLookup(fake, PF, 2);
    g_assert_cmpuint(passed->ports->len, ==, 2);
    driver = virtPCIGetDriver(fake->host, &passed->address);
    g_assert_cmpstr(driver, ==, "vfio-pci");
}

/* Of a PF that is known, only the VF itself is looked at; and that always. */
static void
testReadOnce(void)
{
    g_autoptr(fakeHost) fake = fakeHostNew();
    g_autoptr(virtHostReads) reads G_GNUC_UNUSED = NULL;
    virtPCIAddress pf, moved;
    g_autoptr(virtVF) vf = NULL;
    guint index = 77;

    fakeHostAddPF(fake, PF, 1, 20, "igb");
    fakeHostAddPF(fake, "0000:01:00.1", 1, 20, "igb");
    reads = virtHostReadOnce(fake->host);
    for (guint i = 0; i < 20; i++) {
        g_autoptr(virtVF) one = fakeHostLookup(fake, PF, i), other = fakeHostLookup(fake, "0000:01:00.1", i);

        g_assert_cmpuint(one->index, ==, i);
        g_assert_cmpstr(one->pfName, ==, PF);
        g_assert_cmpuint(other->index, ==, i);
        g_assert_cmpstr(other->pfName, ==, "0000:01:00.1");
    }
    fakeHostSwapVFs(fake, PF, 3, 15);
    pf = parse(PF);
    moved = parse(fakeHostVFAddress(fake, PF, 15));
    vf = virtVFLookup(fake->host, &moved, NULL);
    g_assert_cmpuint(vf->index, ==, 15);
    g_assert_true(virtPCIFindVF(fake->host, &pf, &moved, &index, NULL));
    g_assert_cmpuint(index, ==, 15);
    fakeHostFile(fake, NULL, "sys/bus/pci/devices/" PF "/virtfn15");
    g_assert_false(virtPCIFindVF(fake->host, &pf, &moved, &index, NULL));
    g_assert_cmpuint(index, ==, 15);
}

static void
assertNoVF(fakeHost *fake, const char *address, const char *part)
{
    g_autoptr(GError) error = NULL;
    virtPCIAddress pci = parse(address);

    g_assert_null(virtVFLookup(fake->host, &pci, &error));
    assertMessage(error, VIRT_ERROR_HOST, part);
    assertMessage(error, VIRT_ERROR_HOST, address);
}

/* "2", "1 2", "1 2 ?" where nobody says which of them it has. */
static void
assertFound(fakeHost *fake, guint vf, const char *expected)
{
    g_autoptr(virtVF) found = fakeHostLookup(fake, PF, vf);
    g_autoptr(GString) text = g_string_new(NULL);
    bool certain = false;
    g_autoptr(GArray) ports = virtVFFindPorts(fake->host, found, &certain);

    for (guint i = 0; i < ports->len; i++)
        g_string_append_printf(text, "%s%u", i ? " " : "", g_array_index(ports, guint, i));
    g_string_append(text, certain ? "" : " ?");
    g_assert_cmpstr(text->str, ==, expected);
}

static void
testVFPorts(void)
{
    g_autoptr(fakeHost) fake = fakeHostNew();

    fakeHostAddPF(fake, PF, 2, 3, "mlx4_core");
    assertFound(fake, 2, "1 2");
    /* Not numbered anew: a driver that keeps the PF's numbers. */
    fakeHostOnlyPort(fake, PF, 1, 2);
    fakeHostFile(fake, "1\n", "sys/bus/pci/devices/%s/net/enp1s16f2d1/dev_port", fakeHostVFAddress(fake, PF, 1));
    assertFound(fake, 1, "2");
    fakeHostFile(fake, "0\n", "sys/bus/pci/devices/%s/net/enp1s16f2d1/dev_port", fakeHostVFAddress(fake, PF, 1));
    assertFound(fake, 1, "1 2 ?");
    /* Where only one port lists it, it has that one. */
    fakeHostVF(fake, PF, 1, 1)->hidden = true;
    assertFound(fake, 1, "2");
    fakeHostVF(fake, PF, 1, 1)->hidden = false;
    /* The driver's own word, with the VF's netdevs in sight and without. */
    fakeHostFile(fake, "0,2,1\n", "sys/bus/pci/drivers/mlx4_core/module/parameters/num_vfs");
    assertFound(fake, 1, "2");
    assertFound(fake, 2, "1 2");
    fakeHostBindVFIO(fake, fakeHostVFAddress(fake, PF, 1));
    assertFound(fake, 1, "2");
    fakeHostFile(fake, "1,1\n", "sys/bus/pci/drivers/mlx4_core/module/parameters/num_vfs");
    assertFound(fake, 0, "1");
    assertFound(fake, 1, "2");
    fakeHostFile(fake, "3\n", "sys/bus/pci/drivers/mlx4_core/module/parameters/num_vfs");
    assertFound(fake, 1, "1 2 ?");
    assertFound(fake, 0, "1 2");
    /* The card's word is about this card. */
    fakeHostFile(fake, "3,0\n", "sys/bus/pci/drivers/mlx4_core/module/parameters/num_vfs");
    fakeHostOnlyPort(fake, PF, 0, 2);
    fakeHostPhysPortIds(fake, PF);
    assertFound(fake, 0, "2");
    assertFound(fake, 2, "1 2");
}

/* A PF's only netdev, whatever its number, is what its VFs have. */
static void
testVFPortOfOne(void)
{
    g_autoptr(fakeHost) fake = fakeHostNew();

    fakeHostAddPF(fake, PF, 1, 2, "cxgb4");
    fakeHostFile(fake, "2\n", "sys/bus/pci/devices/" PF "/net/enp1s0f0/dev_port");
    assertFound(fake, 0, "3");
    fakeHostBindVFIO(fake, fakeHostVFAddress(fake, PF, 1));
    assertFound(fake, 1, "3");
}

static void
testNotVF(void)
{
    g_autoptr(fakeHost) fake = fakeHostNew();

    fakeHostAddPF(fake, PF, 1, 2, "igb");
    fakeHostAddPF(fake, "0000:03:00.0", 0, 1, "nvme");
    fakeHostAddDevice(fake, "0000:02:00.0", 1, "e1000");
    assertNoVF(fake, "0000:0f:00.0", "This host has no PCI device");
    assertNoVF(fake, PF, "is a physical function, and only its virtual functions have settings");
    assertNoVF(fake, "0000:02:00.0", "is not an SR-IOV virtual function");
    assertNoVF(fake, fakeHostVFAddress(fake, "0000:03:00.0", 0), "not a network device");
    /* sysfs caught half-way: the VF is there, the PF's link is not. */
    fakeHostFile(fake, NULL, "sys/bus/pci/devices/" PF "/virtfn1");
    assertNoVF(fake, fakeHostVFAddress(fake, PF, 1), "does not list PCI device");
}

static void
testLists(void)
{
    g_autoptr(fakeHost) fake = fakeHostNew();
    g_autoptr(GPtrArray) pfs = NULL;
    g_autoptr(GPtrArray) vfs = NULL;

    fakeHostAddPF(fake, "0000:41:00.1", 1, 3, "ice");
    fakeHostAddPF(fake, "0000:41:00.0", 1, 3, "ice");
    fakeHostAddPF(fake, "0000:03:00.0", 0, 1, "nvme");
    fakeHostAddDevice(fake, "0000:02:00.0", 1, "e1000");
    fakeHostFile(fake, "", "sys/bus/pci/devices/junk");
    pfs = virtPCIListPFs(fake->host);
    g_assert_cmpuint(pfs->len, ==, 2);
    g_assert_cmpuint(((virtPCIAddress *)pfs->pdata[0])->function, ==, 0);
    g_assert_cmpuint(((virtPCIAddress *)pfs->pdata[1])->function, ==, 1);
    fakeHostSwapVFs(fake, "0000:41:00.0", 0, 2);
    vfs = virtPCIListVFs(fake->host, pfs->pdata[0]);
    g_assert_cmpuint(vfs->len, ==, 3);
    for (guint i = 0; i < 3; i++) {
        virtPCIAddress expected = parse(fakeHostVFAddress(fake, "0000:41:00.0", i));

        g_assert_cmpint(virtPCIAddressCompare(vfs->pdata[i], &expected), ==, 0);
    }
}

static void
testRebind(void)
{
    g_autoptr(fakeHost) fake = fakeHostNew();
    g_autoptr(GError) error = NULL;
    const char *name;
    virtPCIAddress address, missing;
    g_autofree char *unbound = NULL;
    g_autofree char *bound = NULL;

    fakeHostAddPF(fake, PF, 1, 1, "igb");
    name = fakeHostVFAddress(fake, PF, 0);
    address = parse(name);
    missing = parse("0000:0f:00.0");
    g_assert_true(virtPCIRebind(fake->host, &address, &error));
    unbound = fakeHostRead(fake, "sys/bus/pci/drivers/igbvf/unbind");
    bound = fakeHostRead(fake, "sys/bus/pci/drivers/igbvf/bind");
    g_assert_cmpstr(unbound, ==, name);
    g_assert_cmpstr(bound, ==, name);
    g_assert_false(virtPCIRebind(fake->host, &missing, &error));
    assertMessage(error, VIRT_ERROR_HOST, "it has no driver");
    g_clear_error(&error);
    fakeHostFile(fake, NULL, "sys/bus/pci/drivers/igbvf/bind");
    g_assert_false(virtPCIRebind(fake->host, &address, &error));
    assertMessage(error, VIRT_ERROR_NOT_FOUND, "now has no driver: Cannot write");
}

static void
testFiles(void)
{
    g_autoptr(fakeHost) fake = fakeHostNew();
    g_autoptr(GError) error = NULL;
    g_autofree char *page = g_strnfill(4096, 'x');
    g_autofree char *more = g_strnfill(4097, 'x');
    g_autofree char *root = g_strconcat(fake->host->root, "///", NULL);
    g_autoptr(virtHost) same = virtHostNew(root), real = virtHostNew("/"), none = virtHostNew(NULL);
    g_autofree char *text = NULL;
    g_autofree char *nul = NULL;

    g_assert_cmpstr(same->root, ==, fake->host->root);
    g_assert_cmpstr(real->root, ==, "");
    g_assert_cmpstr(none->root, ==, "");
    virtHostWarn(real, "dropped %d", 1);
    fakeHostFile(fake, page, "page");
    text = virtHostRead(fake->host, &error, "page");
    g_assert_cmpstr(text, ==, page);
    fakeHostFile(fake, more, "page");
    g_assert_null(virtHostRead(fake->host, &error, "page"));
    assertMessage(error, VIRT_ERROR_HOST, "it is longer than 4096 bytes");
    g_clear_error(&error);
    g_assert_null(virtHostRead(fake->host, &error, "%s", "nothing"));
    assertMessage(error, VIRT_ERROR_NOT_FOUND, "/nothing");
    g_clear_error(&error);
    nul = virtHostPath(fake->host, "nul");
    g_assert_true(g_file_set_contents(nul, "a\0b", 3, NULL));
    g_assert_null(virtHostRead(fake->host, &error, "nul"));
    assertMessage(error, VIRT_ERROR_HOST, "not text");
    g_clear_error(&error);
    g_assert_false(virtHostWrite(fake->host, "1", &error, "nothing"));
    assertMessage(error, VIRT_ERROR_NOT_FOUND, "Cannot write \"1\"");
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/pci/address", testAddress);
    g_test_add_func("/pci/compare", testCompare);
    g_test_add_func("/pci/ports", testPorts);
    g_test_add_func("/pci/ports-fallback", testPortsFallback);
    g_test_add_func("/pci/ports-alone", testPortsAlone);
    g_test_add_func("/pci/representors", testRepresentors);
    g_test_add_func("/pci/facts", testFacts);
    g_test_add_func("/pci/junk", testJunk);
    g_test_add_func("/pci/port-max", testPortMax);
    g_test_add_func("/pci/vf", testVF);
    g_test_add_func("/pci/vf-ports", testVFPorts);
    g_test_add_func("/pci/vf-port-of-one", testVFPortOfOne);
    g_test_add_func("/pci/read-once", testReadOnce);
    g_test_add_func("/pci/not-vf", testNotVF);
    g_test_add_func("/pci/lists", testLists);
    g_test_add_func("/pci/rebind", testRebind);
    g_test_add_func("/host/files", testFiles);
    return g_test_run();
}
