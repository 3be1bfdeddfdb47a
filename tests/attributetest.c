/* attributetest.c: what an attribute of a netdev needs beside its rows, asked for each by name
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 *   attributetest SCHEMADIR
 *
 * genericxml2xmlin/attribute/NAME.xml sets that attribute and no other, to something that no VF has from the start.
 */
#include <string.h>

#include "conf/domain_conf.h"
#include "conf/netdev_attr.h"
#include "conf/schema.h"
#include "fakehost.h"
#include "stockcompare.h"
#include "testfiles.h"
#include "util/virnetdevcaps.h"
#include "util/virnetlink.h"

#define PF "0000:01:00.0"

#define ALL VIRT_DOMAIN_ALL_INTERFACES
#define STOCK_HEAD                                                                                                     \
    "<domain type='qemu'><name>vm1</name><memory>219136</memory><os><type arch='x86_64' machine='q35'>hvm</type></os>" \
    "<devices><emulator>/usr/bin/qemu-system-x86_64</emulator>"

static const char *schemas, *stockDir;
static int stockStatus; /* of virtEmbedRun() */

/* By what the kernel hands each to a driver, the lab's too. */
static const char *const ndos[VIRT_NETDEV_ATTR_LAST] = {
    [VIRT_NETDEV_MAC] = "ndo_set_vf_mac",          [VIRT_NETDEV_VLAN] = "ndo_set_vf_vlan",
    [VIRT_NETDEV_BANDWIDTH] = "ndo_set_vf_rate",   [VIRT_NETDEV_SPOOFCHECK] = "ndo_set_vf_spoofchk",
    [VIRT_NETDEV_LINK] = "ndo_set_vf_link_state",  [VIRT_NETDEV_TRUST] = "ndo_set_vf_trust",
    [VIRT_NETDEV_NODE_GUID] = "ndo_set_vf_guid",   [VIRT_NETDEV_PORT_GUID] = "ndo_set_vf_guid",
    [VIRT_NETDEV_VIRTUALPORT] = "ndo_set_vf_port",
};

/* What fails is said of the attribute; the test goes on. */
static void
expect(virtNetdevAttr attr, bool ok, const char *lacking)
{
    if (ok)
        return;
    g_test_message("attribute \"%s\" (%s): %s", virtNetdevAttrs[attr].name, virtNetdevAttrs[attr].title, lacking);
    g_test_fail();
}

static void
expectValid(virtNetdevAttr attr, const char *xml, const char *form)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *lacking = NULL;
    bool ok = virtSchemaValidate(schemas, xml, strlen(xml), virtNetdevAttrs[attr].name, &error);

    if (!ok)
        lacking = g_strdup_printf("the schema refuses it in %s: %s", form, error->message);
    expect(attr, ok, lacking);
}

/* The document that sets @attr alone; NULL where there is none, which has been said. */
static char *
readDocument(virtNetdevAttr attr)
{
    g_autofree char *path = virtTestPath("genericxml2xmlin/attribute/%s.xml", virtNetdevAttrs[attr].name);
    char *xml = virtTestRead(path);

    expect(attr, xml != NULL, "tests/genericxml2xmlin/attribute has no document of its name");
    return xml;
}

/* The one netdev of @xml; NULL where it is not just @attr, which has been said. */
static virtNetdev *
parse(virtNetdevAttr attr, const char *xml, guint flags)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(virtDomainConf) domain = virtDomainConfParse(xml, strlen(xml), NULL, flags, &error);
    const virtHostdev *hostdev;
    g_autofree virtNetdev *netdev = NULL;

    if (!domain) {
        expect(attr, false, error->message);
        return NULL;
    }
    hostdev = domain->hostdevs->pdata[0];
    netdev = virtNetdevCopy(VIRT_NETDEVS(hostdev)->pdata[0]);
    virtNetdevDropUntagged(netdev); /* an <interface> says that */
    expect(attr, netdev->present == VIRT_NETDEV_BIT(attr), "its document sets something else, or not it alone");
    return g_steal_pointer(&netdev);
}

static char *
convert(virtNetdevAttr attr, const char *xml, virtDomainForm form)
{
    g_autoptr(GError) error = NULL;
    char *text = virtDomainConvert(xml, strlen(xml), NULL, form, &error);

    expect(attr, text != NULL, error ? error->message : NULL);
    return text;
}

/* Parser, schema and both elements agree about it; schematest and genericxml2xmltest read the document as well. */
static void
testDocument(gconstpointer opaque)
{
    virtNetdevAttr attr = GPOINTER_TO_UINT(opaque);
    g_autofree char *xml = readDocument(attr);
    g_autofree virtNetdev *netdev = NULL, *other = NULL;
    g_autofree char *interface = NULL, *back = NULL;

    if (!xml || !(netdev = parse(attr, xml, 0)))
        return;
    expectValid(attr, xml, "<netdev>");
    interface = convert(attr, xml, VIRT_DOMAIN_FORM_INTERFACE);
    if (!interface || !(other = parse(attr, interface, VIRT_DOMAIN_ALL_INTERFACES)))
        return;
    expect(attr, virtNetdevEqualAttr(netdev, other, attr), "an <interface> says another value");
    expectValid(attr, interface, "<interface>");
    back = convert(attr, interface, VIRT_DOMAIN_FORM_NETDEV);
    expect(attr, back && strstr(back, "<netdev port='1'"), "an <interface> with it does not become a <netdev> again");
}

/* The <interface> that sets @attr alone, in a domain that libvirt takes; NULL where there is none. */
static char *
readInterface(virtNetdevAttr attr)
{
    g_autofree char *xml = readDocument(attr);
    g_autofree char *converted = xml ? convert(attr, xml, VIRT_DOMAIN_FORM_INTERFACE) : NULL;
    const char *begin = converted ? strstr(converted, "<interface") : NULL;

    return begin ? g_strconcat(STOCK_HEAD, begin, NULL) : NULL;
}

/* In the child: leave what the real libvirt makes of each <interface>, by attribute, as a file of its name. */
static int
storeAll(virConnectPtr conn, const char *dir, gpointer opaque)
{
    char *const *interfaces = opaque;

    for (virtNetdevAttr attr = 0; attr < VIRT_NETDEV_ATTR_LAST; attr++) {
        g_autofree char *stored = interfaces[attr] ? virtStockStore(conn, interfaces[attr], 0) : NULL;
        g_autofree char *path = g_build_filename(dir, virtNetdevAttrs[attr].name, NULL);

        if (stored && !g_file_set_contents(path, stored, -1, NULL))
            return 1;
    }
    return 0;
}

/* The column of what stock libvirt does with it, against the real libvirt. */
static void
testStock(gconstpointer opaque)
{
    virtNetdevAttr attr = GPOINTER_TO_UINT(opaque);
    const virtNetdevRow *row = virtNetdevRowFind(attr);
    g_autofree char *path = g_build_filename(stockDir, virtNetdevAttrs[attr].name, NULL);
    g_autofree char *xml = readInterface(attr), *stored = virtTestRead(path);
    g_autoptr(virtDomainConf) given = xml ? virtDomainConfParse(xml, strlen(xml), NULL, ALL, NULL) : NULL;
    g_autoptr(virtDomainConf) domain = stored ? virtDomainConfParse(stored, strlen(stored), NULL, ALL, NULL) : NULL;
    const char *begin = xml ? strstr(xml, "<interface") : NULL;
    g_autofree char *lone = NULL;
    virtNetdev *wanted, *kept;
    bool mentions;

    if (stockStatus == VIRT_EMBED_SKIP) {
        g_test_skip("libvirt's embedded QEMU driver or QEMU is missing");
        return;
    }
    g_assert_cmpint(stockStatus, ==, 0);
    if (!given || (!stored && row->stock == VIRT_NETDEV_STOCK_REFUSES))
        return;
    expect(attr, domain != NULL, "libvirt refuses it: its column in virtNetdevRows says otherwise");
    if (!domain)
        return;
    wanted = VIRT_NETDEVS((virtHostdev *)given->hostdevs->pdata[0])->pdata[0];
    kept = VIRT_NETDEVS((virtHostdev *)domain->hostdevs->pdata[0])->pdata[0];
    lone = g_strndup(begin, (gsize)(strstr(begin, "</interface>") - begin) + strlen("</interface>"));
    mentions = virtInterfaceTextMentionsUs(lone, strlen(lone));
    expect(attr, virtNetdevHas(kept, attr) == (row->stock != VIRT_NETDEV_STOCK_DROPS),
           "libvirt drops or keeps it: its column in virtNetdevRows says otherwise");
    expect(attr, mentions == (row->stock == VIRT_NETDEV_STOCK_DROPS || *row->stockDrops), "an <interface> hides it");
    if (row->makeStock)
        row->makeStock(wanted);
    expect(attr, row->stock == VIRT_NETDEV_STOCK_DROPS || virtNetdevEqualAttr(wanted, kept, attr),
           "libvirt keeps another part of it than virtNetdevRows says");
}

/* Written to the fake kernel, with nothing else, and read back; the fake shows it in its log and its dump. */
static void
testKernel(gconstpointer opaque)
{
    virtNetdevAttr attr = GPOINTER_TO_UINT(opaque);
    g_autoptr(fakeHost) fake = fakeHostNew();
    g_autofree char *xml = readDocument(attr);
    g_autofree virtNetdev *netdev = xml ? parse(attr, xml, 0) : NULL;
    g_autofree char *before = NULL, *log = NULL, *after = NULL, *named = NULL;
    g_autoptr(virtVF) vf = NULL;
    virtNetdev was, now;

    if (!netdev)
        return;
    fakeHostAddPF(fake, PF, 1, 1, "fake");
    fake->guids = fake->profiles = true;
    fakeHostVF(fake, PF, 1, 0)->response = 0x100; /* PORT_PROFILE_RESPONSE_SUCCESS */
    vf = fakeHostLookup(fake, PF, 0);
    before = fakeHostDump(fake);
    named = g_strdup_printf(" %s=", virtNetdevAttrs[attr].name);
    g_assert_true(virtNetlinkGetVF(fake->host, vf->ports->pdata[0], 0, &was, NULL));
    expect(attr, virtNetlinkSetVF(fake->host, vf->ports->pdata[0], vf, netdev, VIRT_NETDEV_BIT(attr), NULL) == 0,
           "no request says it (virtNetlinkAttrs), or the fake kernel refuses it");
    g_assert_true(virtNetlinkGetVF(fake->host, vf->ports->pdata[0], 0, &now, NULL));
    log = fakeHostTakeLog(fake);
    after = fakeHostDump(fake);
    expect(attr, !virtNetdevEqualAttr(netdev, &was, attr), "its document says what every VF has");
    expect(attr, virtNetdevHas(&now, attr), "it is not read back (virtNetlinkAttrs, tests/fakekernel.c)");
    expect(attr, virtNetdevEqualAttr(netdev, &now, attr), "another value is read back (tests/fakekernel.c)");
    expect(attr, strstr(log, named) != NULL, "the fake kernel did not get it (tests/fakekernel.c)");
    expect(attr, !g_str_equal(before, after), "fakeHostDump() does not show it (tests/fakehost.c)");
}

/* The row of capabilities that is about all its values, and the drivers that have it. */
static void
testCapability(gconstpointer opaque)
{
    virtNetdevAttr attr = GPOINTER_TO_UINT(opaque);
    virtNetdevCapability capability = 0;
    guint drivers = 0;

    while (capability < VIRT_CAPABILITY_LAST &&
           !(virtNetdevCapabilities[capability].attr == attr && !virtNetdevCapabilities[capability].needed &&
             virtNetdevCapabilities[capability].title))
        capability++;
    if (capability == VIRT_CAPABILITY_LAST) {
        expect(attr, false, "no row of virtNetdevCapabilities is about it");
        return;
    }
    for (const virtNetdevCapsDriver *info = virtNetdevCapsDrivers; info->driver; info++)
        drivers += ((info->can | info->maybe) & 1u << capability) != 0;
    expect(attr, drivers > 0, "no row of virtNetdevCapsDrivers has it");
}

/* The part of the file @name from @from to @to, or to its end; fails where there is none. */
static char *
readPart(const char *name, const char *from, const char *to)
{
    g_autofree char *path = virtTestPath("%s", name);
    g_autofree char *text = virtTestRead(path);
    const char *begin, *end;

    g_assert_nonnull(text);
    begin = strstr(text, from);
    g_assert_nonnull(begin);
    end = to ? strstr(begin, to) : begin + strlen(begin);
    g_assert_nonnull(end);
    return g_strndup(begin, (gsize)(end - begin));
}

static void
expectWord(virtNetdevAttr attr, const char *text, const char *word, const char *where)
{
    g_autofree char *line = g_strdelimit(g_strdup(word), "\n", ' ');
    g_autofree char *lacking = g_strdup_printf("%s does not have %s", where, g_strstrip(line));

    expect(attr, strstr(text, word) != NULL, lacking);
}

static void
testDocs(gconstpointer opaque)
{
    virtNetdevAttr attr = GPOINTER_TO_UINT(opaque);
    const virtNetdevRow *row = virtNetdevRowFind(attr);
    g_autofree char *elements =
        readPart("../docs/formatdomain.rst", "\nElements of a netdev\n", "\n<interface type='hostdev'>\n");
    g_autofree char *words =
        readPart("../docs/formatdomain.rst", "\nWords that libvirt does not have\n", "\nWhich port an interface");
    g_autofree char *running = readPart("../docs/formatdomain.rst", "\nUnder a running guest\n", "\nThe stored form\n");
    g_autofree char *named = NULL, *heading = NULL, *item = NULL;

    if (row->outer) {
        named = g_strdup_printf("``<%s>``", row->outer);
        heading = g_strdup_printf("\n<%s>\n---", row->outer);
        expectWord(attr, elements, heading, "docs/formatdomain.rst, Elements of a netdev,");
    } else {
        named = g_strdup_printf("``%s``", row->written);
    }
    if (row->written) {
        item = g_strdup_printf("\n``%s``\n", row->written);
        expectWord(attr, elements, item, "docs/formatdomain.rst, Elements of a netdev,");
    }
    if (row->stock == VIRT_NETDEV_STOCK_DROPS)
        expectWord(attr, words, named, "docs/formatdomain.rst, Words that libvirt does not have,");
    expectWord(attr, running, named, "docs/formatdomain.rst, Under a running guest,");
}

/* The lab's driver takes it, the lab's matrix of drivers tries it, and the fuzzers know the word. */
static void
testTried(gconstpointer opaque)
{
    virtNetdevAttr attr = GPOINTER_TO_UINT(opaque);
    const virtNetdevRow *row = virtNetdevRowFind(attr);
    g_autofree char *driver = readPart("lab/dualport/write.c", ".ndo_", NULL);
    g_autofree char *matrix = readPart("lab/scenarios/matrix.sh", "\nrows() {\n", "\n}\n");
    g_autofree char *dict = readPart("fuzz/words.dict", "#", NULL);
    g_autofree char *element = NULL, *written = NULL;

    expect(attr, ndos[attr] != NULL, "tests/attributetest.c does not know which ndo_set_vf_ takes it");
    if (ndos[attr])
        expectWord(attr, driver, ndos[attr], "tests/lab/dualport/write.c");
    if (row->outer) {
        element = g_strdup_printf("<%s", row->outer);
        expectWord(attr, matrix, element, "tests/lab/scenarios/matrix.sh");
        expectWord(attr, dict, element, "tests/fuzz/words.dict");
    }
    if (row->written) {
        written = g_strdup_printf("%s='", row->written);
        expectWord(attr, matrix, written, "tests/lab/scenarios/matrix.sh");
        expectWord(attr, dict, written, "tests/fuzz/words.dict");
    }
}

static const struct {
    const char *name;
    GTestDataFunc func;
} tests[] = {
    {"document", testDocument},     {"stock", testStock}, {"kernel", testKernel},
    {"capability", testCapability}, {"docs", testDocs},   {"tried", testTried},
};

int
main(int argc, char **argv)
{
    g_autofree char *dir = virtEmbedDir();
    char *interfaces[VIRT_NETDEV_ATTR_LAST];
    int rc;

    g_test_init(&argc, &argv, NULL);
    schemas = argv[1];
    stockDir = dir;
    for (virtNetdevAttr attr = 0; attr < VIRT_NETDEV_ATTR_LAST; attr++)
        interfaces[attr] = readInterface(attr); /* the child may read no files of ours */
    stockStatus = virtEmbedRun(storeAll, dir, interfaces);
    for (virtNetdevAttr attr = 0; attr < VIRT_NETDEV_ATTR_LAST; attr++)
        g_free(interfaces[attr]);
    for (virtNetdevAttr attr = 0; attr < VIRT_NETDEV_ATTR_LAST; attr++) {
        for (guint i = 0; i < G_N_ELEMENTS(tests); i++) {
            g_autofree char *path = g_strdup_printf("/attribute/%s/%s", virtNetdevAttrs[attr].name, tests[i].name);

            g_test_add_data_func(path, GUINT_TO_POINTER(attr), tests[i].func);
        }
    }
    rc = g_test_run();
    virtEmbedRemove(dir);
    return rc;
}
