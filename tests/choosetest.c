/* choosetest.c: VFs by card, by PF and from pools, on a made-up host; and how a choice is written as text
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "conf/address_conf.h"
#include "conf/affinity_conf.h"
#include "fakehost.h"
#include "hypervisor/provision.h"
#include "hypervisor/provision_choose.h"
#include "qemu/qemu_hostdev.h"
#include "testrecord.h"
#include "util/virerror.h"

#include <string.h>

#define PF1 "0000:01:00.0"  /* card A, alone: two ports, four VFs */
#define PF2 "0000:02:00.0"  /* card B .. */
#define PF2B "0000:02:00.1" /* .. and its second PF: one port, two VFs */

/* A VPD with this serial number, and nothing else: lenient readers take it. */
static void
giveSerial(fakeHost *fake, const char *pf, const char *serial)
{
    g_autofree char *path = virtHostPath(fake->host, "sys/bus/pci/devices/%s/vpd", pf);
    gsize len = strlen(serial);
    g_autofree char *vpd = g_strdup_printf("\x90%c%cSN%c%s\x78", (int)len + 3, 'z', (int)len, serial);

    vpd[2] = '\0'; /* high byte of the length */
    g_assert_true(g_file_set_contents(path, vpd, (gssize)len + 7, NULL));
}

static fakeHost *
hostNew(void)
{
    fakeHost *fake = fakeHostNew();

    fakeHostAddPF(fake, PF1, 2, 4, "mlx4_core");
    fakeHostAddPF(fake, PF2, 1, 2, "igb");
    fakeHostAddPF(fake, PF2B, 1, 2, "igb");
    giveSerial(fake, PF1, "A1");
    giveSerial(fake, PF2, "B1");
    giveSerial(fake, PF2B, "B1");
    return fake;
}

/* "dev/enp1s0f0/any" and, or, an address */
static void
wish(GArray *wishes, const char *choice, const char *address)
{
    virtWish one = {0};

    if (choice)
        g_assert_true(virtChoiceParse(choice, &one.choice));
    if (address)
        one.handle = testHandle(address);
    g_array_append_val(wishes, one);
}

static GArray *
wishesNew(const char *choice, const char *address)
{
    GArray *wishes = g_array_new(FALSE, FALSE, sizeof(virtWish));

    wish(wishes, choice, address);
    return wishes;
}

static const char *
nameOf(const GArray *wishes, guint i)
{
    return g_array_index(wishes, virtWish, i).handle.name;
}

/* The VF that @choice is; an address was found earlier. */
static void
expect(fakeHost *fake, const char *choice, const char *was, const char *is)
{
    static const virtChooseMode mode = {0};
    g_autoptr(GArray) wishes = wishesNew(choice, was);
    g_autoptr(GError) error = NULL;

    virtProvisionChoose(fake->host, wishes, &mode, &error);
    g_assert_no_error(error);
    g_assert_cmpstr(nameOf(wishes, 0), ==, is);
}

static void
expectError(fakeHost *fake, const virtChooseMode *mode, GArray *wishes, int code, const char *part)
{
    g_autoptr(GArray) owned = wishes;
    g_autoptr(GError) error = NULL;

    g_assert_false(virtProvisionChoose(fake->host, owned, mode, &error));
    g_assert_error(error, VIRT_ERROR, code);
    if (!strstr(error->message, part))
        g_error("\"%s\" has no \"%s\"", error->message, part);
}

static void
refuse(fakeHost *fake, const char *choice, int code, const char *part)
{
    static const virtChooseMode mode = {0};

    expectError(fake, &mode, wishesNew(choice, NULL), code, part);
}

static const char *
vf(fakeHost *fake, const char *pf, guint index)
{
    return fakeHostVFAddress(fake, pf, index);
}

/* ---- which PF, which VF ---- */

static void
testNamed(void)
{
    g_autoptr(fakeHost) fake = hostNew();

    expect(fake, "serial/A1/0/3", NULL, vf(fake, PF1, 3));
    expect(fake, "serial/A1/-/3", NULL, vf(fake, PF1, 3));
    expect(fake, "serial/B1/0/1", NULL, vf(fake, PF2, 1));
    expect(fake, "serial/B1/1/1", NULL, vf(fake, PF2B, 1));
    expect(fake, "dev/enp1s0f0/2", NULL, vf(fake, PF1, 2));
    expect(fake, "dev/enp1s0f0d1/2", NULL, vf(fake, PF1, 2)); /* its other port */
    refuse(fake, "serial/C1/0/3", VIRT_ERROR_NOT_FOUND, "no card with the serial number 'C1'");
    refuse(fake, "serial/B1/-/1", VIRT_ERROR_INVALID, "Card 'B1' has several PFs, " PF2 ", " PF2B);
    refuse(fake, "serial/B1/2/1", VIRT_ERROR_NOT_FOUND, "has no PF that is its function 2. It has: " PF2);
    refuse(fake, "serial/A1/0/4", VIRT_ERROR_NOT_FOUND, "PF " PF1 " has no VF 4: its VFs are 0 to 3");
    refuse(fake, "dev/eth7/0", VIRT_ERROR_NOT_FOUND, "no PF with the netdev 'eth7'");
}

static void
testNotAPF(void)
{
    g_autoptr(fakeHost) fake = hostNew();

    fakeHostAddDevice(fake, "0000:05:00.0", 1, "e1000e");
    refuse(fake, "dev/enp5s0f0/0", VIRT_ERROR_NOT_FOUND, "no PF with the netdev 'enp5s0f0'");
    fakeHostAddPF(fake, "0000:06:00.0", 1, 0, "igb");
    fakeHostFile(fake, "8\n", "sys/bus/pci/devices/0000:06:00.0/sriov_totalvfs");
    refuse(fake, "dev/enp6s0f0/0", VIRT_ERROR_NOT_FOUND, "has no VFs");
}

/* To ask cards takes long: once for all that is done together. */
static void
testAskedOnce(void)
{
    g_autoptr(fakeHost) fake = hostNew();
    virtHostReads *reads = virtHostReadOnce(fake->host);

    expect(fake, "serial/A1/0/3", NULL, vf(fake, PF1, 3));
    giveSerial(fake, PF1, "Z9");
    expect(fake, "serial/A1/0/3", NULL, vf(fake, PF1, 3));
    virtHostReadsEnd(reads);
    refuse(fake, "serial/A1/0/3", VIRT_ERROR_NOT_FOUND, "no card with the serial number 'A1'");
}

static void
testTwins(void)
{
    g_autoptr(fakeHost) fake = hostNew();

    fakeHostAddPF(fake, "0000:07:00.0", 1, 1, "igb");
    giveSerial(fake, "0000:07:00.0", "A1");
    refuse(fake, "serial/A1/0/0", VIRT_ERROR_INVALID, "with the PFs " PF1 " and 0000:07:00.0, so it names neither");
}

/* What was found is another VF by now; and what a user has given has to agree. */
static void
testMoved(void)
{
    static const virtChooseMode given = {.given = true};
    g_autoptr(fakeHost) fake = hostNew();
    g_autoptr(GArray) wishes = wishesNew("serial/A1/0/1", vf(fake, PF1, 1));

    expect(fake, "serial/A1/0/1", vf(fake, PF2, 0), vf(fake, PF1, 1));
    g_assert_true(virtProvisionChoose(fake->host, wishes, &given, NULL));
    g_assert_cmpstr(nameOf(wishes, 0), ==, vf(fake, PF1, 1));
    expectError(fake, &given, wishesNew("serial/A1/0/1", vf(fake, PF1, 2)), VIRT_ERROR_INVALID,
                "asks for VF 1 of function 0 of card A1, which is 0000:01:10.2: drop the one that is wrong");
    expectError(fake, &given, wishesNew("serial/A1/0/any", vf(fake, PF2, 0)), VIRT_ERROR_INVALID,
                "asks for any VF of function 0 of card A1, to which that does not belong");
}

/* ---- who is free ---- */

static void
recordWith(fakeHost *fake, const char *name, const char *owner, const char *attrs)
{
    g_autofree char *xml = NULL;
    g_autoptr(virtDomainConf) domain = NULL;
    g_autoptr(virtOwner) who = virtOwnerNew(owner, NULL);
    g_autoptr(GString) address = g_string_new(NULL);
    g_autoptr(GError) error = NULL;
    const virtHandle handle = testHandle(name);

    virtHandleFormatXml(address, &handle, "");
    xml = g_strdup_printf(
        "<domain><devices><hostdev mode='subsystem' type='pci'><source>%s</source><netdev port='1' %s><mac "
        "address='52:54:00:00:00:01'/></netdev></hostdev></devices></domain>",
        address->str, attrs);
    domain = virtDomainConfParse(xml, strlen(xml), NULL, 0, &error);
    g_assert_no_error(error);
    virtProvisionPrepare(fake->host, who, domain->hostdevs, &error);
    g_assert_no_error(error);
}

static void
record(fakeHost *fake, const char *name, const char *owner)
{
    recordWith(fake, name, owner, "");
}

static void
testAny(void)
{
    g_autoptr(fakeHost) fake = hostNew();

    expect(fake, "dev/enp1s0f0/any", NULL, vf(fake, PF1, 0));
    record(fake, vf(fake, PF1, 0), "dpdk");
    fakeHostBindVFIO(fake, vf(fake, PF1, 1));
    expect(fake, "dev/enp1s0f0/any", NULL, vf(fake, PF1, 2));
    /* What it had is kept while it is free, and while it is one of them. */
    expect(fake, "dev/enp1s0f0/any", vf(fake, PF1, 3), vf(fake, PF1, 3));
    expect(fake, "dev/enp1s0f0/any", vf(fake, PF1, 0), vf(fake, PF1, 2));
    expect(fake, "dev/enp1s0f0/any", vf(fake, PF2, 0), vf(fake, PF1, 2));
    record(fake, vf(fake, PF1, 2), "dpdk");
    record(fake, vf(fake, PF1, 3), "dpdk");
    refuse(fake, "dev/enp1s0f0/any", VIRT_ERROR_BUSY, "0000:01:10.0: 'dpdk'; 0000:01:10.2: ");
    refuse(fake, "dev/enp1s0f0/any", VIRT_ERROR_BUSY, "is bound to vfio-pci, and nobody knows for whom");
}

static void
testRunning(void)
{
    g_autoptr(fakeHost) fake = hostNew();

    fakeHostFile(
        fake,
        "<domstatus state='running' pid='1'><domain type='kvm' id='1'><name>other</name>"
        "<uuid>11111111-2222-3333-4444-555555555555</uuid><devices><hostdev mode='subsystem' type='pci'><source>"
        "<address domain='0x0000' bus='0x01' slot='0x10' function='0x0'/></source></hostdev></devices></domain>"
        "</domstatus>",
        "run/libvirt/qemu/other.xml");
    fakeHostFile(fake, "", "proc/1/exe");
    expect(fake, "dev/enp1s0f0/any", NULL, vf(fake, PF1, 1));
}

/* The devices of one domain are different ones, whichever comes first. */
static void
testTogether(void)
{
    g_autoptr(fakeHost) fake = hostNew();
    g_autoptr(GArray) wishes = wishesNew("dev/enp1s0f0/any", NULL);
    g_autoptr(GArray) taken = g_array_new(FALSE, FALSE, sizeof(virtHandle)), named = NULL;
    const virtHandle three = testHandle(vf(fake, PF1, 3)), zero = testHandle(vf(fake, PF1, 0));
    virtChooseMode mode = {.taken = taken};
    g_autoptr(GError) error = NULL;

    wish(wishes, "dev/enp1s0f0/any", NULL);
    wish(wishes, "serial/A1/0/1", NULL);
    wish(wishes, NULL, vf(fake, PF1, 0));
    g_assert_true(virtProvisionChoose(fake->host, wishes, &mode, &error));
    g_assert_no_error(error);
    g_assert_cmpstr(nameOf(wishes, 0), ==, vf(fake, PF1, 2));
    g_assert_cmpstr(nameOf(wishes, 1), ==, vf(fake, PF1, 3));
    g_assert_cmpstr(nameOf(wishes, 2), ==, vf(fake, PF1, 1));
    g_array_append_val(taken, three);
    expectError(fake, &mode, g_array_copy(wishes), VIRT_ERROR_BUSY, "another device that is being started");
    /* What other domains name comes last. */
    named = g_array_new(FALSE, FALSE, sizeof(virtHandle));
    g_array_append_val(named, zero);
    g_array_append_val(named, three);
    g_array_set_size(taken, 0);
    mode.named = named;
    g_array_set_size(wishes, 0);
    for (guint i = 0; i < 4; i++)
        wish(wishes, "dev/enp1s0f0/any", NULL);
    virtProvisionChoose(fake->host, wishes, &mode, &error);
    g_assert_no_error(error);
    g_assert_cmpstr(nameOf(wishes, 0), ==, vf(fake, PF1, 1));
    g_assert_cmpstr(nameOf(wishes, 1), ==, vf(fake, PF1, 2));
    g_assert_cmpstr(nameOf(wishes, 2), ==, vf(fake, PF1, 0));
    g_assert_cmpstr(nameOf(wishes, 3), ==, vf(fake, PF1, 3));
}

/* ---- pools ---- */

static void
definePool(fakeHost *fake, const char *name, const char *members)
{
    g_autofree char *xml = g_strdup_printf("<pool><name>%s</name>%s</pool>", name, members);

    fakeHostFile(fake, xml, VIRT_POOL_DIR "/%s.xml", name);
}

/* "1/0 1/3 2/1": PF and index of each VF, "!" behind one that is taken */
static void
expectPool(fakeHost *fake, const char *name, const char *expected)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(virtPool) pool = virtProvisionPoolLoad(fake->host, name, &error);
    g_autoptr(GPtrArray) vfs = NULL;
    g_autoptr(GString) found = g_string_new(NULL);

    g_assert_no_error(error);
    vfs = virtProvisionPoolListVFs(fake->host, pool, &error);
    g_assert_no_error(error);
    for (guint i = 0; i < vfs->len; i++) {
        const virtPoolVF *its = vfs->pdata[i];

        g_string_append_printf(found, "%s%s%s", i > 0 ? " " : "", its->handle.name + 5, its->user ? "!" : "");
    }
    g_assert_cmpstr(found->str, ==, expected);
}

static void
testPool(void)
{
    g_autoptr(fakeHost) fake = hostNew();

    definePool(fake, "blue", "<pf dev='enp2s0f0'/><pf serial='A1' vfs='2-3,0'/>");
    expectPool(fake, "blue", "02:10.0 02:10.2 01:10.0 01:10.4 01:10.6");
    definePool(
        fake, "order",
        "<vf><address domain='0' bus='1' slot='0x10' function='4'/></vf><vf><address domain='0' bus='9' slot='0' "
        "function='0'/></vf><pf><address domain='0x0' bus='0x1' slot='0' function='0'/></pf>");
    expectPool(fake, "order", "01:10.4 01:10.0 01:10.2 01:10.6");
    record(fake, vf(fake, PF2, 0), "dpdk");
    expectPool(fake, "blue", "02:10.0! 02:10.2 01:10.0 01:10.4 01:10.6");
    expect(fake, "pool/blue", NULL, vf(fake, PF2, 1));
    expect(fake, "pool/blue", vf(fake, PF1, 3), vf(fake, PF1, 3));
    expect(fake, "pool/blue", vf(fake, PF1, 1), vf(fake, PF2, 1)); /* not in it */
    definePool(fake, "gone", "<pf serial='Z9'/><pf dev='enp2s0f0'/>");
    expectPool(fake, "gone", "02:10.0! 02:10.2");
    g_assert_nonnull(
        strstr(fake->warnings->pdata[fake->warnings->len - 1], "Pool 'gone', line 1: This host has no card"));
    fakeHostAddPF(fake, "0000:08:00.0", 0, 1, "qat_4xxx"); /* no netdevs: by its address alone */
    giveSerial(fake, "0000:08:00.0", "Q1");
    definePool(fake, "bare", "<match driver='qat_4xxx'/><pf serial='Q1'/>");
    expectPool(fake, "bare", "");
    definePool(fake, "bare", "<pf><address domain='0x0' bus='0x8' slot='0' function='0x0'/></pf>");
    expectPool(fake, "bare", "08:10.0!"); /* its netdev may be where nobody sees it */
    fakeHostSetDriver(fake, vf(fake, "0000:08:00.0", 0), NULL);
    expectPool(fake, "bare", "08:10.0");
    definePool(fake, "empty", "<pf serial='Z9'/>");
    refuse(fake, "pool/empty", VIRT_ERROR_BUSY, "any VF of pool 'empty': this host has none of them");
    refuse(fake, "pool/none", VIRT_ERROR_NOT_FOUND, "This host has no pool 'none'");
}

static void
testMatch(void)
{
    g_autoptr(fakeHost) fake = hostNew();

    fakeHostFile(fake, "0x15b3\n", "sys/bus/pci/devices/%s/vendor", vf(fake, PF1, 1));
    fakeHostFile(fake, "0x101e\n", "sys/bus/pci/devices/%s/device", vf(fake, PF1, 1));
    fakeHostFile(fake, "1\n", "sys/bus/pci/devices/%s/numa_node", vf(fake, PF2B, 0));
    definePool(fake, "ids", "<match vendor='0x15b3' product='0x101e'/>");
    expectPool(fake, "ids", "01:10.2");
    definePool(fake, "node", "<match node='1'/>");
    expectPool(fake, "node", "02:10.1");
    definePool(fake, "driver", "<match driver='igb' link='up'/>");
    expectPool(fake, "driver", "02:10.0 02:10.2 02:10.1 02:10.3");
    definePool(fake, "down", "<match link='down'/>");
    expectPool(fake, "down", "");
}

/* A guest's settings are not the VF's: what it was before them counts while the guest has it. */
static void
testTrusted(void)
{
    g_autoptr(fakeHost) fake = hostNew();

    fakeHostVF(fake, PF2, 1, 0)->trust = 1;
    fakeHostVF(fake, PF2B, 1, 0)->trust = G_MAXUINT32; /* the driver does not tell */
    fakeHostVF(fake, PF1, 1, 0)->trust = fakeHostVF(fake, PF1, 2, 0)->trust = 1;
    fakeHostVF(fake, PF1, 2, 1)->trust = 1; /* at one of two ports */
    definePool(fake, "yes", "<match trusted='yes'/>");
    expectPool(fake, "yes", "01:10.0 02:10.0");
    definePool(fake, "no", "<match trusted='no'/>");
    expectPool(fake, "no", "01:10.4 01:10.6 02:10.2 02:10.3");
    recordWith(fake, vf(fake, PF1, 3), "dpdk", "trustGuestRxFilters='yes'");
    g_assert_cmpuint(fakeHostVF(fake, PF1, 1, 3)->trust, ==, 1);
    expectPool(fake, "no", "01:10.4 01:10.6! 02:10.2 02:10.3");
    expectPool(fake, "yes", "01:10.0 02:10.0");
}

/* ---- near to the guest ---- */

static void
giveNode(fakeHost *fake, const char *pf, guint vfs, guint node)
{
    g_autofree char *text = g_strdup_printf("%u\n", node);

    for (guint i = 0; i < vfs; i++)
        fakeHostFile(fake, text, "sys/bus/pci/devices/%s/numa_node", vf(fake, pf, i));
}

/* The VF of pool "blue" for a guest that is at @where: "cpus/f0"; NULL: nobody knows */
static void
expectNear(fakeHost *fake, const char *where, const GArray *named, const char *is)
{
    g_autoptr(GArray) wishes = wishesNew("pool/blue", NULL);
    virtAffinity affinity = {0};
    const virtChooseMode mode = {.named = named, .affinity = &affinity};
    g_autoptr(GError) error = NULL;

    g_assert_true(!where || virtAffinityParse(where, &affinity));
    virtProvisionChoose(fake->host, wishes, &mode, &error);
    g_assert_no_error(error);
    g_assert_cmpstr(nameOf(wishes, 0), ==, is);
}

static fakeHost *
hostWithNodesNew(void)
{
    fakeHost *fake = hostNew();

    fakeHostFile(fake, "0-3,8\n", "sys/devices/system/node/node0/cpulist");
    fakeHostFile(fake, "4-7\n", "sys/devices/system/node/node1/cpulist");
    fakeHostFile(fake, "\n", "sys/devices/system/node/node2/cpulist"); /* memory alone */
    fakeHostFile(fake, "0-2\n", "sys/devices/system/node/online");
    giveNode(fake, PF1, 4, 0);
    giveNode(fake, PF2, 2, 1);
    return fake;
}

static void
testNear(void)
{
    g_autoptr(fakeHost) fake = hostWithNodesNew();
    g_autoptr(GArray) named = g_array_new(FALSE, FALSE, sizeof(virtHandle));
    const virtHandle near = testHandle(vf(fake, PF2, 1));

    definePool(fake, "blue", "<pf dev='enp2s0f1'/><pf dev='enp1s0f0'/><pf dev='enp2s0f0'/>");
    expectNear(fake, NULL, NULL, vf(fake, PF2B, 0));
    expectNear(fake, "cpus/20", NULL, vf(fake, PF2, 0));
    expectNear(fake, "nodes/2", NULL, vf(fake, PF2, 0));
    expectNear(fake, "cpus/100", NULL, vf(fake, PF1, 0));
    expectNear(fake, "cpus/101", NULL, vf(fake, PF1, 0));
    expectNear(fake, "cpus/110", NULL, vf(fake, PF1, 0));  /* on both nodes: in the pool's order */
    expectNear(fake, "cpus/200", NULL, vf(fake, PF2B, 0)); /* there is no such processor */
    expectNear(fake, "nodes/4", NULL, vf(fake, PF2B, 0));
    record(fake, vf(fake, PF2, 0), "dpdk");
    expectNear(fake, "cpus/20", NULL, vf(fake, PF2, 1));
    g_array_append_val(named, near);
    expectNear(fake, "cpus/20", named, vf(fake, PF2B, 0)); /* rather far than another domain's */
    record(fake, vf(fake, PF2, 1), "dpdk");
    expectNear(fake, "cpus/20", NULL, vf(fake, PF2B, 0)); /* preferred, not required */
}

static void
testListed(void)
{
    g_autoptr(fakeHost) fake = hostWithNodesNew();
    g_autoptr(GError) error = NULL;

    fakeHostFile(fake, "<pool order='listed'><name>blue</name><pf dev='enp1s0f0'/><pf dev='enp2s0f0'/></pool>",
                 VIRT_POOL_DIR "/blue.xml");
    expectNear(fake, "cpus/20", NULL, vf(fake, PF1, 0));
    fakeHostFile(fake, "<pool order='near'><name>blue</name><pf dev='enp1s0f0'/><pf dev='enp2s0f0'/></pool>",
                 VIRT_POOL_DIR "/blue.xml");
    expectNear(fake, "cpus/20", NULL, vf(fake, PF2, 0));
    fakeHostFile(fake, "<pool order='random'><name>blue</name><pf dev='enp1s0f0'/></pool>", VIRT_POOL_DIR "/blue.xml");
    g_assert_null(virtProvisionPoolLoad(fake->host, "blue", &error));
    g_assert_nonnull(strstr(error->message, "not 'near' or 'listed'"));
}

/* What is read of a domain: the first of three that is there. */
static void
testAffinityXml(void)
{
    static const struct {
        const char *xml, *is;
    } cases[] = {
        {"<vcpu>2</vcpu>", NULL},
        {"<vcpu cpuset='0-3,^1'>2</vcpu>", "cpus/d"},
        {"<vcpu placement='static' cpuset=' 4 - 7 '>2</vcpu>", NULL},
        {"<vcpu cpuset='4, 6'>2</vcpu><numatune><memory nodeset='0'/></numatune>", "cpus/50"},
        {"<vcpu cpuset='0'>2</vcpu><cputune><vcpupin vcpu='0' cpuset='4'/><shares>1</shares><vcpupin vcpu='1' "
         "cpuset='8'/><emulatorpin cpuset='1'/></cputune>",
         "cpus/110"},
        {"<vcpu placement='auto'>2</vcpu><numatune><memory mode='strict' placement='auto'/></numatune>", NULL},
        {"<numatune><memory mode='strict' nodeset='1,3'/><memnode cellid='0' nodeset='0'/></numatune>", "nodes/a"},
        {"<vcpu cpuset='3-1'>2</vcpu>", NULL},
        {"<vcpu cpuset='4095,4096'>2</vcpu>", "cpus/"},
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *xml = g_strdup_printf("<domain type='kvm'><name>vm</name>%s</domain>", cases[i].xml);
        g_autofree char *text = NULL;
        virtAffinity affinity;

        virtAffinityReadXml(xml, strlen(xml), &affinity);
        g_assert_true(virtAffinityIsNone(&affinity) == !cases[i].is);
        if (!cases[i].is)
            continue;
        text = virtAffinityFormat(&affinity);
        if (!g_str_has_suffix(cases[i].is, "/"))
            g_assert_cmpstr(text, ==, cases[i].is);
        else
            g_assert_cmpuint(strlen(text), ==, strlen(cases[i].is) + VIRT_AFFINITY_MAX / 4);
    }
}

static void
testAffinityText(void)
{
    static const char *const bad[] = {"",        "cpus",      "cpus/",   "cpus/0", "cpus/01", "cpus/F",
                                      "cpus/f ", "cpus/0x1f", "nodes/0", "cpu/1",  "cpus/1/1"};
    g_autofree char *digits = g_strnfill(VIRT_AFFINITY_MAX / 4, 'f');
    g_autofree char *most = g_strconcat("cpus/", digits, NULL), *more = g_strconcat("cpus/1", digits, NULL);
    virtAffinity affinity;

    for (guint i = 0; i < G_N_ELEMENTS(bad); i++) {
        if (virtAffinityParse(bad[i], &affinity))
            g_error("taken: %s", bad[i]);
    }
    g_assert_false(virtAffinityParse(more, &affinity));
    g_assert_true(virtAffinityParse(most, &affinity));
    g_assert_true(virtAffinityHas(&affinity, VIRT_AFFINITY_MAX - 1));
    g_assert_false(virtAffinityHas(&affinity, VIRT_AFFINITY_MAX));
    g_assert_true(virtAffinityParse("nodes/a", &affinity) && affinity.nodes);
    g_assert_true(virtAffinityHas(&affinity, 1) && !virtAffinityHas(&affinity, 2) && virtAffinityHas(&affinity, 3));
}

static void
refusePool(fakeHost *fake, const char *members, const char *part)
{
    g_autoptr(GError) error = NULL;

    definePool(fake, "bad", members);
    g_assert_null(virtProvisionPoolLoad(fake->host, "bad", &error));
    g_assert_error(error, VIRT_ERROR, VIRT_ERROR_INVALID);
    if (!strstr(error->message, part))
        g_error("\"%s\" has no \"%s\"", error->message, part);
}

static void
testBadPools(void)
{
    g_autoptr(fakeHost) fake = hostNew();
    g_autoptr(GError) error = NULL;

    refusePool(fake, "", "<pool> has no VFs");
    refusePool(fake, "<pf/>", "names no PF");
    refusePool(fake, "<pf dev='eth0' serial='A'/>", "both 'serial' and 'dev'");
    refusePool(fake, "<pf dev='eth0'><address bus='1'/></pf>", "an <address> beside its serial number or netdev");
    refusePool(fake, "<pf dev='eth0' vfs='3-1'/>", "not indexes of VFs like 0-3,7");
    refusePool(fake, "<pf dev='eth0' vfs='1,'/>", "not indexes of VFs like 0-3,7");
    refusePool(fake, "<pf dev='eth0' vfs='65536'/>", "each from 0 to 65535");
    refusePool(fake, "<vf/>", "<vf> lacks its <address>");
    refusePool(fake, "<match/>", "<match> asks for nothing");
    refusePool(fake, "<match link='yes'/>", "not 'up' or 'down'");
    refusePool(fake, "<match trusted='1'/>", "not 'yes' or 'no'");
    refusePool(fake, "<match vendor='mellanox'/>", "a PCI id");
    refusePool(fake, "<name>bad</name><pf dev='eth0'/>", "a second <name>");
    refusePool(fake, "<device/>", "no child <device>");
    fakeHostFile(fake, "<pool><name>red</name><pf dev='eth0'/></pool>", VIRT_POOL_DIR "/bad.xml");
    g_assert_null(virtProvisionPoolLoad(fake->host, "bad", &error));
    g_assert_nonnull(strstr(error->message, "named after the pool 'bad' and has the <name> 'red'"));
    fakeHostFile(fake, "<network/>", VIRT_POOL_DIR "/bad.xml");
    g_clear_error(&error);
    g_assert_null(virtProvisionPoolLoad(fake->host, "bad", &error));
    g_assert_nonnull(strstr(error->message, "is <pool>, not <network>"));
}

static void
testLongPool(void)
{
    g_autoptr(fakeHost) fake = hostNew();
    g_autofree char *blanks = g_strnfill(VIRT_POOL_MAX, ' ');
    g_autofree char *members = g_strconcat("<pf dev='eth0'/>", blanks, NULL);

    refusePool(fake, members, "has more than 65536 bytes");
}

/* ---- a start ---- */

static void
testCheck(void)
{
    g_autoptr(fakeHost) fake = hostNew();
    g_autoptr(GPtrArray) list = g_ptr_array_new_with_free_func((GDestroyNotify)virtHostdevFree);
    virtHostdev *hostdev = g_new0(virtHostdev, 1);
    g_autoptr(GError) error = NULL;

    virtSettingsInit(&hostdev->settings);
    g_ptr_array_add(list, hostdev);
    hostdev->handle = testHandle(vf(fake, PF1, 1));
    g_assert_true(virtProvisionChooseCheck(fake->host, "vm", list, &error));
    g_assert_true(virtChoiceParse("serial/A1/0/1", &hostdev->choice));
    g_assert_true(virtProvisionChooseCheck(fake->host, "vm", list, &error));
    fakeHostSwapVFs(fake, PF1, 0, 1);
    g_assert_false(virtProvisionChooseCheck(fake->host, "vm", list, &error));
    g_assert_cmpstr(
        error->message, ==,
        "<hostdev>: It asks for VF 1 of function 0 of card A1, which was 0000:01:10.2 when it was last looked for and is now 0000:01:10.0. Run: virt-hostdev resolve vm");
    g_clear_error(&error);
    g_assert_true(virtChoiceParse("dev/enp2s0f0/any", &hostdev->choice));
    g_assert_false(virtProvisionChooseCheck(fake->host, "vm", list, &error));
    g_assert_nonnull(strstr(error->message, "any VF of PF enp2s0f0, and 0000:01:10.2"));
    /* Nothing is to be set of it: it is not touched. */
    g_assert_true(virtProvisionPrepare(fake->host, &(const virtOwner){.name = (char *)"vm"}, list, NULL));
    g_assert_cmpuint(fake->sets, ==, 0);
}

/* A VF that was asked for by its card's serial number has gone when another card is in its place: what it was before is
 * nothing to that one's. */
static void
testOtherCard(void)
{
    g_autoptr(fakeHost) fake = hostNew();
    const char *xml = "<domain><devices><hostdev mode='subsystem' type='pci'><source><pf serial='A1'/><vf index='1'/>"
                      "<address domain='0' bus='1' slot='0x10' function='2'/></source><netdev port='1'><mac "
                      "address='52:54:00:00:00:01'/></netdev></hostdev></devices></domain>";
    g_autoptr(virtDomainConf) domain = virtDomainConfParse(xml, strlen(xml), NULL, 0, NULL);
    g_autoptr(virtOwner) owner = virtOwnerNew("dpdk", NULL);
    const virtHandle handle = testHandle("0000:01:10.2");
    g_autoptr(GError) error = NULL;

    for (guint other = 0; other < 3; other++) {
        g_autofree char *before = fakeHostDump(fake), *now = NULL, *after = NULL;

        giveSerial(fake, PF1, "A1");
        g_assert_true(virtProvisionPrepare(fake->host, owner, domain->hostdevs, &error));
        now = fakeHostDump(fake);
        g_assert_cmpstr(now, !=, before);
        if (other == 1)
            giveSerial(fake, PF1, "Z9");
        if (other == 2)
            fakeHostFile(fake, NULL, "sys/bus/pci/devices/" PF1 "/vpd");
        g_assert_true(testRelease(fake->host, owner, NULL, &error));
        g_assert_no_error(error);
        g_assert_false(virtProvisionRecordExists(fake->host, &handle));
        after = fakeHostDump(fake);
        g_assert_cmpstr(after, ==, other ? now : before);
        if (other)
            g_assert_nonnull(strstr(fake->warnings->pdata[fake->warnings->len - 1], "no longer exists"));
        fakeHostVF(fake, PF1, 1, 1)->mac[5] = 0x77; /* a new card, new VFs */
    }
}

/* ---- a guest that comes from another host, or from a file ---- */

/* As libvirt has it, with a VF of pool "blue". */
static char *
coming(const char *bus, const char *function)
{
    return g_strdup_printf(
        "<domain type='kvm'><name>vm</name><metadata><lh:hostdevs xmlns:lh='" VIRT_NS "'><lh:hostdev><lh:source "
        "pool='blue'><lh:address domain='0x0000' bus='0x%s' slot='0x10' function='0x%s'/></lh:source></lh:hostdev>"
        "</lh:hostdevs></metadata><devices><hostdev mode='subsystem' type='pci'><source><address domain='0x0000' "
        "bus='0x%s' slot='0x10' function='0x%s'/></source></hostdev></devices></domain>",
        bus, function, bus, function);
}

static void
testComing(void)
{
    g_autoptr(fakeHost) fake = hostNew();
    g_autofree char *there = coming("77", "1"), *here = coming("02", "0");
    g_autofree char *text = NULL, *again = NULL;
    g_autoptr(GError) error = NULL;

    definePool(fake, "blue", "<pf dev='enp2s0f0'/>");
    g_assert_true(virtQemuHostdevChooseDomain(fake->host, there, strlen(there), &text, &error));
    g_assert_cmpstr(text, ==, here);
    g_assert_true(virtQemuHostdevChooseDomain(fake->host, here, strlen(here), &again, &error));
    g_assert_null(again);
    record(fake, vf(fake, PF2, 0), "dpdk");
    record(fake, vf(fake, PF2, 1), "dpdk");
    g_assert_false(virtQemuHostdevChooseDomain(fake->host, there, strlen(there), &again, &error));
    g_assert_error(error, VIRT_ERROR, VIRT_ERROR_BUSY);
}

/* ---- as text ---- */

static void
testText(void)
{
    static const char *const good[] = {"serial/A1/0/3",  "serial/A1/-/any", "serial/MT%20%2F%3D1/7/65535",
                                       "dev/ens1f0/any", "dev/ens1f0/0",    "pool/blue"};
    static const char *const bad[] = {"",
                                      "serial",
                                      "serial/A1",
                                      "serial/A1/0",
                                      "serial/A1/8/0",
                                      "serial/A1/0/65536",
                                      "serial//0/0",
                                      "serial/A1/00/0",
                                      "serial/A1/0/03",
                                      "serial/A1/any/0",
                                      "serial/A1/0/0/0",
                                      "serial/A 1/0/0",
                                      "serial/%41/0/0",
                                      "serial/%00/0/0",
                                      "serial/%c3%a4/0/0",
                                      "dev/ens1f0",
                                      "dev/ens1f0/-",
                                      "pool/",
                                      "pool/blue/any",
                                      "card/A1/0/0",
                                      "SERIAL/A1/0/0"};
    virtChoice choice;

    for (guint i = 0; i < G_N_ELEMENTS(good); i++) {
        g_autofree char *again = NULL;

        g_assert_true(virtChoiceParse(good[i], &choice));
        again = virtChoiceFormat(&choice);
        g_assert_cmpstr(again, ==, good[i]);
    }
    for (guint i = 0; i < G_N_ELEMENTS(bad); i++) {
        if (virtChoiceParse(bad[i], &choice))
            g_error("taken: %s", bad[i]);
    }
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/choose/named", testNamed);
    g_test_add_func("/choose/not-a-pf", testNotAPF);
    g_test_add_func("/choose/asked-once", testAskedOnce);
    g_test_add_func("/choose/twins", testTwins);
    g_test_add_func("/choose/moved", testMoved);
    g_test_add_func("/choose/any", testAny);
    g_test_add_func("/choose/running", testRunning);
    g_test_add_func("/choose/together", testTogether);
    g_test_add_func("/choose/pool/vfs", testPool);
    g_test_add_func("/choose/pool/match", testMatch);
    g_test_add_func("/choose/pool/trusted", testTrusted);
    g_test_add_func("/choose/pool/bad", testBadPools);
    g_test_add_func("/choose/pool/too-long", testLongPool);
    g_test_add_func("/choose/near", testNear);
    g_test_add_func("/choose/listed", testListed);
    g_test_add_func("/choose/affinity/xml", testAffinityXml);
    g_test_add_func("/choose/affinity/text", testAffinityText);
    g_test_add_func("/choose/check", testCheck);
    g_test_add_func("/choose/other-card", testOtherCard);
    g_test_add_func("/choose/coming", testComing);
    g_test_add_func("/choose/text", testText);
    return g_test_run();
}
