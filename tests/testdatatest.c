/* testdatatest.c: libvirt's own test documents through ours and back, and past libvirt's parser
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 *   testdatatest LIST        a file with the name of one document a line
 *
 * Each document must pass unchanged. Then netdevs are put into it: into its own PCI hostdevs, and into one put at
 * the end of its <devices>; the round trip must give the same bytes back. At last libvirt stores the stock form
 * wherever it stores the plain document, and what it says about it then must be the same document and must still
 * hold our netdevs.
 *
 * Documents with <interface type='hostdev'>, and those into which one has been put, go through us too, and users must
 * see what libvirt alone would have shown them (stockcompare.h).
 */
#include <stdio.h>
#include <string.h>

#include "conf/domain_conf.h"
#include "stockcompare.h"
#include "testfiles.h"
#include "util/virerror.h"

#define COMMENT "\n<!-- <netdev -->\n"

/* So that the test cannot pass by testing nothing; about nine tenths of what libvirt 9.0's sources give. */
#define MIN_FILES 3000
#define MIN_ROUND_TRIPS 2000
#define MIN_STORED 1000
#define MIN_INTERFACES 500 /* that libvirt takes */

/* A document with netdevs, and what it would be without. */
typedef struct {
    char *name;
    char *plain;
    char *with;
    char *stock;
} Job;

typedef struct {
    guint files, unchanged, notXml, tooLarge;
    guint own, added, refused, exact, nearly;
    guint failed;
} Counts;

/* libvirt's own documents whose interface is not converted, and why: libvirt keeps them and refuses to start them. With
 * nothing to convert in any other, the test fails. */
static const struct {
    const char *name, *why;
} leftAlone[] = {
    {"qemuxml2argvdata/net-hostdev.xml", "type='802.1Qbg' in <virtualport>"},
    {"qemuxml2argvdata/net-hostdev-multidomain.xml", "type='802.1Qbg' in <virtualport>"},
    {"qemuxml2argvdata/net-hostdev-vfio.xml", "type='802.1Qbg' in <virtualport>"},
    {"qemuxml2argvdata/net-hostdev-vfio-multidomain.xml", "type='802.1Qbg' in <virtualport>"},
    {"qemuxml2xmloutdata/net-hostdev.xml", "type='802.1Qbg' in <virtualport>"},
    {"qemuxml2xmloutdata/net-hostdev-vfio.xml", "type='802.1Qbg' in <virtualport>"},
    {"qemuxml2argvdata/net-hostdev-fail.xml", "<driver> has no attribute 'queues'"},
};

static Counts counts;
static GPtrArray *jobs;
static GPtrArray *interfaceJobs; /* only name and plain */

static void
jobFree(gpointer opaque)
{
    Job *job = opaque;

    g_free(job->name);
    g_free(job->plain);
    g_free(job->with);
    g_free(job->stock);
    g_free(job);
}

static void
fail(const char *name, const char *what)
{
    g_print("FAIL %s: %s\n", name, what);
    counts.failed++;
}

static char *
toStock(const char *xml, gsize len, GError **error)
{
    return virtDomainToStock(xml, len, NULL, 0, error);
}

static char *
toNetdev(const char *xml, gsize len, GError **error)
{
    return virtDomainFormat(xml, len, NULL, VIRT_DOMAIN_FORM_WRITTEN, error);
}

/* Without netdevs, nothing changes; the comment makes sure that the document is looked at. */
static bool
checkUnchanged(const char *name, const char *xml, gsize len,
               char *(*convert)(const char *xml, gsize len, GError **error))
{
    g_autofree char *commented = g_strconcat(xml, COMMENT, NULL);
    g_autoptr(GError) error = NULL;
    g_autofree char *same = convert(xml, len, NULL);
    g_autofree char *sameCommented = convert(commented, strlen(commented), &error);

    if (g_strcmp0(same, xml) == 0 && g_strcmp0(sameCommented, commented) == 0)
        return true;
    fail(name, error ? error->message : "a document with nothing of ours was changed");
    return false;
}

static GRegex *
makeRegex(const char *pattern)
{
    g_autoptr(GError) error = NULL;
    GRegex *regex =
        g_regex_new(pattern, G_REGEX_DOTALL | G_REGEX_MULTILINE | G_REGEX_RAW | G_REGEX_OPTIMIZE, 0, &error);

    g_assert_no_error(error);
    return regex;
}

static gboolean
appendNetdevs(const GMatchInfo *match, GString *out, gpointer opaque)
{
    static const char *const lines[] = {
        "<netdev port='1' trustGuestRxFilters='yes'>",
        "  <mac address='52:54:00:01:02:03'/>",
        "  <vlan>",
        "    <tag id='42' priority='3'/>",
        "  </vlan>",
        "</netdev>",
        "<netdev port='2'/>",
    };
    g_autofree char *all = g_match_info_fetch(match, 0);
    g_autofree char *indent = g_match_info_fetch_named(match, "indent");

    g_string_append(out, all);
    for (guint i = 0; i < G_N_ELEMENTS(lines); i++)
        g_string_append_printf(out, "\n%s%s", indent, lines[i]);
    return FALSE;
}

/* Put netdevs into each PCI <hostdev>, by other means than the code under test. */
static char *
addNetdevs(const char *xml)
{
    static GRegex *regex;

    if (!regex)
        regex = makeRegex(
            "<hostdev\\b(?=[^>]*\\btype=['\"]pci['\"])[^>]*>(?:(?!</hostdev>).)*?\\n(?<indent> *)<source\\b[^/>]*>.*?</source>");
    return g_regex_replace_eval(regex, xml, -1, 0, 0, appendNetdevs, NULL, NULL);
}

/* Put a PCI hostdev at the end of each <devices>. */
static char *
addHostdev(const char *xml)
{
    static GRegex *regex;

    if (!regex)
        regex = makeRegex("^( *)</devices>");
    return g_regex_replace(regex, xml, -1, 0,
                           "\\1  <hostdev mode='subsystem' type='pci' managed='yes'>\n"
                           "\\1    <driver name='vfio'/>\n"
                           "\\1    <source>\n"
                           "\\1      <address domain='0x0000' bus='0xf6' slot='0x12' function='0x3'/>\n"
                           "\\1    </source>\n"
                           "\\1  </hostdev>\n"
                           "\\0",
                           0, NULL);
}

static bool
checkRoundTrip(const char *name, const Job *job)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *shown = virtDomainFormat(job->stock, strlen(job->stock), name, VIRT_DOMAIN_FORM_WRITTEN, &error);
    g_autofree char *again = shown ? virtDomainToStock(shown, strlen(shown), name, 0, &error) : NULL;
    g_autofree char *skeleton = virtTestSkeleton(job->plain);
    g_autofree char *stockSkeleton = virtTestSkeleton(job->stock);
    g_autofree char *shownSkeleton = shown ? virtTestSkeleton(shown) : NULL;
    g_autofree char *withMeaning = virtTestMeaning(job->with);
    g_autofree char *stockMeaning = virtTestMeaning(job->stock);

    if (error)
        fail(name, error->message);
    else if (!g_str_equal(again, job->stock))
        fail(name, "stored, shown and stored again, it is another document");
    else if (!g_str_equal(skeleton, stockSkeleton) || !g_str_equal(skeleton, shownSkeleton))
        fail(name, "something that is not ours was changed");
    else if (!g_str_equal(withMeaning, stockMeaning))
        fail(name, "the stock form has other netdevs");
    else if (g_str_equal(shown, job->with))
        return ++counts.exact;
    else {
        g_print("laid out in another way: %s\n", name);
        return ++counts.nearly;
    }
    return false;
}

/* What the user's document, not we, makes impossible: the same device twice, no address. */
static bool
isRefusal(const GError *error)
{
    return strstr(error->message, "have the same source") || strstr(error->message, "lacks its <") ||
           strstr(error->message, "names no PCI device") || strstr(error->message, "not a number");
}

/* Try @with, which is @plain and netdevs; takes both. */
static bool
addJob(const char *name, char *plain, char *with)
{
    Job *job = g_new0(Job, 1);
    g_autoptr(GError) error = NULL;

    job->name = g_strdup(name);
    job->plain = plain;
    job->with = with;
    job->stock = virtDomainToStock(with, strlen(with), name, 0, &error);
    if (job->stock && checkRoundTrip(name, job)) {
        g_ptr_array_add(jobs, job);
        return true;
    }
    if (!job->stock && !isRefusal(error))
        fail(name, error->message);
    else if (!job->stock) {
        g_print("refused: %s\n", error->message);
        counts.refused++;
    }
    jobFree(job);
    return false;
}

static bool
isDomainDocument(const virtXmlNode *root)
{
    return g_str_equal(root->name, "domain") || virtXmlChild(root, "domain");
}

/* Another driver's domain may have no netdevs: it becomes one of QEMU's, whatever else it says. */
static char *
makeQemus(const char *xml)
{
    static GRegex *regex;

    if (!regex)
        regex = makeRegex("(<domain\\b[^>]*?\\stype=['\"])(?!(?:kvm|qemu|hvf|test)['\"])[^'\"]*");
    return g_regex_replace(regex, xml, -1, 0, "\\1qemu", 0, NULL);
}

static void
checkNetdevs(const char *name, const char *document)
{
    g_autofree char *xml = makeQemus(document);
    g_autofree char *own = addNetdevs(xml);
    char *plain = addHostdev(xml);

    if (!g_str_equal(own, xml))
        counts.own += addJob(name, g_strdup(xml), g_steal_pointer(&own));
    if (!g_str_equal(plain, xml)) {
        g_autofree char *cut = g_steal_pointer(&plain);
        /* Only the new one gets netdevs: the others may be there without. */
        g_auto(GStrv) parts = g_strsplit(cut, "bus='0xf6'", -1);
        GString *with = g_string_new(parts[0]);

        for (guint i = 1; parts[i]; i++) {
            const char *end = strstr(parts[i], "</source>") + strlen("</source>");
            const char *indentEnd = end - strlen("</source>");
            const char *indent = indentEnd;

            while (indent[-1] == ' ')
                indent--;
            g_string_append(with, "bus='0xf6'");
            g_string_append_len(with, parts[i], end - parts[i]);
            g_string_append_printf(with, "\n%.*s<netdev port='2'/>", (int)(indentEnd - indent), indent);
            g_string_append(with, end);
        }
        counts.added += addJob(name, g_steal_pointer(&cut), g_string_free(with, FALSE));
        return;
    }
    g_free(plain);
}

/* ---- <interface type='hostdev'> ---- */

#define INTERFACE_FLAGS (VIRT_DOMAIN_GENERATE_MAC | VIRT_DOMAIN_INTERFACES)

/* Not where the domain boots from its first interface, for then that is left to libvirt. */
static char *
addInterface(const char *xml)
{
    static GRegex *regex, *boot;
    g_autofree char *local = NULL;

    if (!regex) {
        regex = makeRegex("^( *)</devices>");
        boot = makeRegex("^ *<boot dev=['\"]network['\"]/>\n");
    }
    local = g_regex_replace(boot, xml, -1, 0, "", 0, NULL);
    return g_regex_replace(regex, local, -1, 0,
                           "\\1  <interface type='hostdev' managed='yes'>\n"
                           "\\1    <mac address='52:54:00:f6:12:03'/>\n"
                           "\\1    <source>\n"
                           "\\1      <address type='pci' domain='0x0000' bus='0xf6' slot='0x12' function='0x3'/>\n"
                           "\\1    </source>\n"
                           "\\1    <vlan>\n"
                           "\\1      <tag id='42'/>\n"
                           "\\1    </vlan>\n"
                           "\\1    <model type='virtio'/>\n"
                           "\\1  </interface>\n"
                           "\\0",
                           0, NULL);
}

static void
addInterfaceJob(const char *name, const char *xml)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *stock = virtDomainToStock(xml, strlen(xml), name, INTERFACE_FLAGS, &error);
    g_autofree char *shown =
        stock ? virtDomainFormat(stock, strlen(stock), name, VIRT_DOMAIN_FORM_WRITTEN, &error) : NULL;
    g_autofree char *again = shown ? virtDomainToStock(shown, strlen(shown), name, INTERFACE_FLAGS, &error) : NULL;
    g_autofree char *shownAgain =
        again ? virtDomainFormat(again, strlen(again), name, VIRT_DOMAIN_FORM_WRITTEN, &error) : NULL;
    Job *job;

    if (error && isRefusal(error)) {
        counts.refused++;
        return;
    }
    if (error || !g_str_equal(shownAgain, shown)) {
        fail(name, error ? error->message : "its interfaces, shown twice, are not the same");
        return;
    }
    job = g_new0(Job, 1);
    job->name = g_strdup(name);
    job->plain = g_strdup(xml);
    g_ptr_array_add(interfaceJobs, job);
}

static void
checkInterfaces(const char *name, const char *xml)
{
    static GRegex *regex;
    g_autofree char *with = addInterface(xml);
    g_autofree char *label = g_strdup_printf("%s, with an interface", name);

    if (!regex)
        regex = makeRegex("<interface\\b[^>]*type=['\"]hostdev");
    if (g_regex_match(regex, xml, 0, NULL))
        addInterfaceJob(name, xml);
    if (!g_str_equal(with, xml))
        addInterfaceJob(label, with);
}

static void
checkFile(const char *path)
{
    const char *name = strstr(path, "/tests/") ? strstr(path, "/tests/") + 7 : path;
    g_autofree char *xml = NULL;
    g_autoptr(virtXmlDoc) doc = NULL;
    g_autoptr(GError) error = NULL;
    gsize len = 0;

    counts.files++;
    if (!g_file_get_contents(path, &xml, &len, &error)) {
        fail(name, error->message);
        return;
    }
    if (len > VIRT_XML_MAX - 64 * 1024) {
        g_print("too large: %s\n", name);
        counts.tooLarge++;
        return;
    }
    doc = virtXmlParse(xml, len, name, &error);
    if (!doc) {
        g_print("not XML: %s\n", error->message);
        counts.notXml++;
        return;
    }
    if (checkUnchanged(name, xml, len, toStock) && checkUnchanged(name, xml, len, toNetdev))
        counts.unchanged++;
    if (isDomainDocument(doc->root))
        checkNetdevs(name, xml);
    if (g_str_equal(doc->root->name, "domain"))
        checkInterfaces(name, xml);
}

/* ---- in the child: libvirt's parser */

/* For QEMU's own emulation: what else a document wants is not to be had on every machine. */
static char *
forQemu(const char *xml)
{
    static GRegex *regex;

    if (!regex)
        regex = makeRegex("<domain([^>]*?)\\s+type=['\"]\\w+['\"]");
    return g_regex_replace(regex, xml, -1, 0, "<domain\\1 type='qemu'", 0, NULL);
}

/* Without what libvirt makes up anew each time. */
static char *
stable(const char *xml)
{
    static GRegex *regex;
    g_autofree char *masked = NULL;

    if (!regex)
        regex = makeRegex(
            "<uuid>[^<]*</uuid>|<genid>[^<]*</genid>|<mac address='[^']*'/>|instanceid='[^']*'|interfaceid='[^']*'|<nvram[^>]*>[^<]*</nvram>");
    masked = g_regex_replace_literal(regex, xml, -1, 0, "", 0, NULL);
    return virtTestSkeleton(masked);
}

/* Returns 1 when libvirt stores the document as it should, 0 when it does not take the plain one either. */
static int
storeJob(virConnectPtr conn, const Job *job)
{
    g_autofree char *plain = forQemu(job->plain);
    g_autofree char *stock = forQemu(job->stock);
    g_autofree char *plainSaid = virtStockStore(conn, plain, 0);
    g_autofree char *stockSaid = plainSaid ? virtStockStore(conn, stock, 0) : NULL;
    g_autofree char *plainSkeleton = NULL, *stockSkeleton = NULL, *wanted = NULL, *found = NULL;

    if (!plainSaid)
        return 0;
    if (!stockSaid) {
        fail(job->name, virGetLastErrorMessage());
        return 0;
    }
    plainSkeleton = stable(plainSaid);
    stockSkeleton = stable(stockSaid);
    wanted = virtTestMeaning(job->with);
    found = virtTestMeaning(stockSaid);
    if (!g_str_equal(plainSkeleton, stockSkeleton))
        fail(job->name, "libvirt stores the stock form as another domain");
    else if (!g_str_equal(wanted, found))
        fail(job->name, "after libvirt stored it, the netdevs are not the same");
    else
        return 1;
    return 0;
}

static const struct {
    guint bit;
    const char *name;
} fates[] = {
    {VIRT_STOCK_REFUSED, "libvirt refuses it"},
    {VIRT_STOCK_CONVERTED, "converted"},
    {VIRT_STOCK_VALID, "valid"},
    {VIRT_STOCK_READDRESSED, "other guest addresses"},
    {VIRT_STOCK_REVERTED, "reverted with nothing lost"},
};

/* Is it right that nothing of a document was converted? */
static bool
isLeftAlone(const Job *job)
{
    g_autoptr(GError) error = NULL;

    g_free(virtDomainToStock(job->plain, strlen(job->plain), NULL, VIRT_DOMAIN_ALL_INTERFACES, &error));
    for (guint i = 0; i < G_N_ELEMENTS(leftAlone) && error; i++) {
        if (g_str_equal(leftAlone[i].name, job->name))
            return strstr(error->message, leftAlone[i].why);
    }
    return false;
}

/* The interfaces of a document for another machine than this one, in a domain for this one. */
static char *
transplant(const char *xml)
{
    static GRegex *regex, *address;
    g_autoptr(GMatchInfo) match = NULL;
    g_autoptr(GString) devices = g_string_new(NULL);

    if (!regex) {
        regex = makeRegex("<interface\\b[^>]*type=['\"]hostdev.*?</interface>");
        address = makeRegex("<address type='pci'[^>]*/>(?=\\s*</interface>)|<driver name='xen'/>");
    }
    for (g_regex_match(regex, xml, 0, &match); g_match_info_matches(match); g_match_info_next(match, NULL)) {
        g_autofree char *found = g_match_info_fetch(match, 0);
        g_autofree char *interface = g_regex_replace_literal(address, found, -1, 0, "", 0, NULL);

        g_string_append_printf(devices, "    %s\n", interface);
    }
    return g_strdup_printf("<domain type='qemu'>\n  <name>vm1</name>\n  <memory>65536</memory>\n"
                           "  <os>\n    <type arch='x86_64' machine='q35'>hvm</type>\n  </os>\n"
                           "  <devices>\n    <emulator>/usr/bin/qemu-system-x86_64</emulator>\n%s"
                           "  </devices>\n</domain>\n",
                           devices->str);
}

static void
printFate(const Job *job, const char *addition, guint fate)
{
    g_print("%s%s", job->name, addition);
    for (guint i = 0; i < G_N_ELEMENTS(fates); i++)
        g_print("%s%s", fate & fates[i].bit ? ", " : "", fate & fates[i].bit ? fates[i].name : "");
    g_print("\n");
}

/* One of libvirt's own: whether this machine can run it or not, its interfaces must be comparable. */
static void
checkOwn(virConnectPtr conn, const Job *job, guint fate)
{
    g_autofree char *domain = transplant(job->plain);
    g_autofree char *different = NULL;

    printFate(job, "", fate);
    if (!(fate & VIRT_STOCK_REFUSED))
        return;
    different = virtStockCompare(conn, domain, &fate);
    printFate(job, ", its interfaces alone", fate);
    if (different || (fate & VIRT_STOCK_REFUSED))
        fail(job->name, different ? different : "libvirt refuses its interfaces alone too");
}

/* Returns 1 when libvirt takes the document and shows through us what it shows alone. */
static int
storeInterfaces(virConnectPtr conn, const Job *job, guint totals[G_N_ELEMENTS(fates)])
{
    g_autofree char *plain = forQemu(job->plain);
    g_autofree char *different = NULL;
    guint fate = 0;

    if ((different = virtStockCompare(conn, plain, &fate)))
        fail(job->name, different);
    if (!(fate & VIRT_STOCK_CONVERTED) && !isLeftAlone(job))
        fail(job->name, "nothing was converted");
    for (guint i = 0; i < G_N_ELEMENTS(fates); i++)
        totals[i] += (fate & fates[i].bit) != 0;
    if (!strchr(job->name, ','))
        checkOwn(conn, job, fate);
    return !different && !(fate & VIRT_STOCK_REFUSED);
}

static int
storeAll(virConnectPtr conn, const char *dir, gpointer opaque)
{
    guint totals[G_N_ELEMENTS(fates)] = {0}, same = 0;
    g_autofree char *path = g_strdup_printf("%s/result", dir);
    g_autofree char *result = NULL;
    guint stored = 0;

    counts.failed = 0;
    for (guint i = 0; i < jobs->len; i++)
        stored += storeJob(conn, jobs->pdata[i]);
    for (guint i = 0; i < interfaceJobs->len; i++)
        same += storeInterfaces(conn, interfaceJobs->pdata[i], totals);
    g_print("%u documents with interfaces: %u the same as with stock libvirt alone", interfaceJobs->len, same);
    for (guint i = 0; i < G_N_ELEMENTS(fates); i++)
        g_print(", %u %s", totals[i], fates[i].name);
    g_print("\n");
    if (same < MIN_INTERFACES)
        fail("interfaces", "libvirt took so few that this says nothing");
    result = g_strdup_printf("%u %u", stored + same, counts.failed);
    fflush(stdout);
    return g_file_set_contents(path, result, -1, NULL) ? 0 : 1;
}

/* Let libvirt's QEMU driver store all; returns how many it took. */
static guint
storeJobs(guint *ret_skipped)
{
    g_autofree char *dir = virtEmbedDir();
    g_autofree char *path = g_strdup_printf("%s/result", dir);
    g_autofree char *result = NULL;
    guint stored = 0, failed = 0;
    int status;

    fflush(stdout);
    status = virtEmbedRun(storeAll, dir, NULL);
    result = virtTestRead(path);
    virtEmbedRemove(dir);
    if (status == VIRT_EMBED_SKIP) {
        g_print("skipped: libvirt's parser, as its embedded QEMU driver is not here\n");
        *ret_skipped = 1;
        return 0;
    }
    if (status || !result || sscanf(result, "%u %u", &stored, &failed) != 2)
        fail("libvirt", "the process with its driver died");
    counts.failed += failed;
    g_print("libvirt took %u of %u documents, and as many through us\n", stored, jobs->len + interfaceJobs->len);
    if (stored < MIN_STORED)
        fail("libvirt", "took so few documents that this says nothing");
    return stored;
}

static void
checkFloors(void)
{
    g_print("%u files: %u unchanged, %u not XML, %u too large\n", counts.files, counts.unchanged, counts.notXml,
            counts.tooLarge);
    g_print(
        "netdevs in %u own and %u added hostdevs: %u there and back byte for byte, %u laid out in another way, %u refused\n",
        counts.own, counts.added, counts.exact, counts.nearly, counts.refused);
    if (counts.files < MIN_FILES || counts.unchanged < MIN_FILES)
        fail("files", "fewer than there should be");
    if (counts.exact < MIN_ROUND_TRIPS)
        fail("round trips", "fewer than there should be");
}

int
main(int argc, char **argv)
{
    g_autofree char *list = NULL;
    g_auto(GStrv) files = NULL;
    guint stored, skipped = 0;

    if (argc != 2 || !g_file_get_contents(argv[1], &list, NULL, NULL)) {
        g_printerr("usage: testdatatest LIST\n");
        return 2;
    }
    jobs = g_ptr_array_new_with_free_func(jobFree);
    interfaceJobs = g_ptr_array_new_with_free_func(jobFree);
    files = g_strsplit(list, "\n", -1);
    for (guint i = 0; files[i]; i++) {
        if (*files[i])
            checkFile(files[i]);
    }
    checkFloors();
    stored = storeJobs(&skipped);
    g_print("libvirt-testdata: %u passed, %u failed, %u skipped\n",
            counts.unchanged + counts.exact + counts.nearly + stored, counts.failed, skipped);
    g_ptr_array_unref(jobs);
    g_ptr_array_unref(interfaceJobs);
    return counts.failed ? 1 : 0;
}
