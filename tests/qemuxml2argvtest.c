/* qemuxml2argvtest.c: the QEMU command line that the real libvirt makes of our stock form
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A case is qemuxml2argvdata/NAME.xml in netdev form and NAME.args, one option a line, headed by the versions
 * that made it. With other versions the options differ, and only the assigned devices are compared. Whatever the
 * version, the netdevs must make no difference to the command line.
 *
 * The cases called interface… have <interface type='hostdev'>, of which libvirt makes a command line only for a real
 * start: asked to show it, 9.0 crashes. So their stock form is compared with a <hostdev> made by other means, and with
 * the devices that libvirt's own tests expect.
 */
#include <string.h>

#include "conf/domain_conf.h"
#include "embed.h"
#include "testfiles.h"

#define MIN_CASES 38

/* What libvirt's own test of the same devices expects of a real start; the guest addresses are given. */
static const struct {
    const char *name, *args;
} libvirts[] = {
    /* net-hostdev-bootorder */
    {"interface-libvirts-boot-order",
     "-device {\"driver\":\"vfio-pci\",\"host\":\"0000:03:07.1\",\"id\":\"hostdev0\",\"bootindex\":1,\"bus\":\"pci.0\",\"addr\":\"0x3\"}\n"},
    /* net-virtio-teaming */
    {"interface-libvirts-teaming",
     "-device {\"driver\":\"vfio-pci\",\"host\":\"0000:03:07.1\",\"id\":\"hostdev0\",\"failover_pair_id\":\"ua-backup0\",\"bus\":\"pci.0\",\"addr\":\"0x4\"}\n"
     "-device {\"driver\":\"vfio-pci\",\"host\":\"0000:03:07.2\",\"id\":\"hostdev1\",\"failover_pair_id\":\"ua-backup1\",\"bus\":\"pci.0\",\"addr\":\"0x5\"}\n"},
};

#define REFUSED "libvirt refused: "

typedef struct {
    char *name;
    char *input;
    char *stock;                 /* ours */
    char *plain;                 /* as if there were no netdevs */
    char *stockArgs, *plainArgs; /* what libvirt made of these */
} Case;

static char *versions;

static char *
replace(const char *text, const char *pattern, const char *with)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GRegex) regex = g_regex_new(pattern, G_REGEX_DOTALL | G_REGEX_MULTILINE, 0, &error);
    char *out;

    g_assert_no_error(error);
    out = g_regex_replace_literal(regex, text, -1, 0, with, 0, &error);
    g_assert_no_error(error);
    return out;
}

/* A <hostdev> of an <interface type='hostdev'>, as somebody would write it who knows that the two are alike. */
static gboolean
writeHostdev(const GMatchInfo *match, GString *out, gpointer hostdevs)
{
    static const char *const cut[] = {"mac|script|target|model|link", "vlan|virtualport|bandwidth|tune"};
    g_autofree char *all = g_match_info_fetch(match, 0);
    g_autofree char *opened = replace(all, "^    <interface type='hostdev'[^>]*>",
                                      "    <hostdev mode='subsystem' type='pci' managed='MANAGED'>");
    g_autofree char *closed = replace(opened, "</interface>\n", "</hostdev>\n");
    g_autofree char *sourced = replace(closed, "^        <address type='pci'", "        <address");
    g_autofree char *managed = replace(sourced, "MANAGED", strstr(all, "managed='yes'") ? "yes" : "no");
    g_autofree char *singles = g_strdup_printf("^      <(%s) [^>]*/>\n", cut[0]);
    g_autofree char *blocks = g_strdup_printf("^      <(%s)\\b.*?^      </\\1>\n", cut[1]);
    g_autofree char *some = replace(managed, singles, ""), *rest = replace(some, blocks, "");

    g_string_append(hostdevs, rest);
    return FALSE;
}

/* Cut the netdevs by other means than the code under test. */
static char *
makePlain(const char *xml)
{
    g_autofree char *some = replace(xml, "^ *<(netdev|vgpu|function) [^>]*/>\n", "");
    g_autofree char *rest = replace(some, "^ *<netdev .*?</netdev>\n", "");
    g_autofree char *bare = replace(rest, "^ *<mdev .*?</mdev>\n", "");
    g_autoptr(GRegex) regex =
        g_regex_new("^    <interface type='hostdev'.*?</interface>\n", G_REGEX_DOTALL | G_REGEX_MULTILINE, 0, NULL);

    g_autoptr(GString) hostdevs = g_string_new(NULL);
    g_autofree char *without = g_regex_replace_eval(regex, bare, -1, 0, 0, writeHostdev, hostdevs, NULL);
    const char *first =
        strstr(without, "    <hostdev ") ? strstr(without, "    <hostdev ") : strstr(without, "    <memballoon ");

    /* libvirt counts what is behind interfaces before all hostdevs. */
    return g_strdup_printf("%.*s%s%s", (int)(first - without), without, hostdevs->str, first);
}

static void
caseFree(gpointer opaque)
{
    Case *c = opaque;

    g_free(c->name);
    g_free(c->input);
    g_free(c->stock);
    g_free(c->plain);
    g_free(c->stockArgs);
    g_free(c->plainArgs);
    g_free(c);
}

static Case *
caseLoad(const char *name)
{
    g_autofree char *path = virtTestPath("qemuxml2argvdata/%s.xml", name);
    g_autoptr(GError) error = NULL;
    Case *c = g_new0(Case, 1);

    c->name = g_strdup(name);
    c->input = virtTestRead(path);
    c->stock =
        virtDomainToStock(c->input, strlen(c->input), name, VIRT_DOMAIN_GENERATE_MAC | VIRT_DOMAIN_INTERFACES, &error);
    g_assert_no_error(error);
    g_assert_null(strstr(c->stock, "<interface type='hostdev'"));
    c->plain = makePlain(c->input);
    return c;
}

static void
save(const char *dir, const char *name, const char *suffix, const char *text)
{
    g_autofree char *path = g_strdup_printf("%s/%s.%s", dir, name, suffix);

    g_assert_true(g_file_set_contents(path, text, -1, NULL));
}

static void
convert(virConnectPtr conn, const char *dir, const char *name, const char *suffix, const char *xml)
{
    g_autofree char *args = virConnectDomainXMLToNative(conn, "qemu-argv", xml, 0);
    g_autofree char *problem = args ? NULL : g_strdup_printf(REFUSED "%s", virGetLastErrorMessage());

    save(dir, name, suffix, args ? args : problem);
}

/* In the child: every case to command lines. */
static int
convertAll(virConnectPtr conn, const char *dir, gpointer opaque)
{
    const GPtrArray *cases = opaque;
    unsigned long libvirt = 0, qemu = 0;
    g_autofree char *text = NULL;

    if (virConnectGetLibVersion(conn, &libvirt) < 0 || virConnectGetVersion(conn, &qemu) < 0) {
        g_printerr("no QEMU: %s\n", virGetLastErrorMessage());
        return VIRT_EMBED_SKIP;
    }
    text = g_strdup_printf("# libvirt %lu.%lu, QEMU %lu.%lu", libvirt / 1000000, libvirt / 1000 % 1000, qemu / 1000000,
                           qemu / 1000 % 1000);
    save(dir, "versions", "txt", text);
    for (guint i = 0; i < cases->len; i++) {
        const Case *c = cases->pdata[i];

        convert(conn, dir, c->name, "stock", c->stock);
        convert(conn, dir, c->name, "plain", c->plain);
    }
    return 0;
}

/* A command line as libvirt prints it, one option a line, without environment and what differs between runs. */
static char *
layout(const char *args, const char *dir)
{
    g_autofree char *stable = replace(args, "pc-(q35|i440fx)-[0-9.]+", "pc-VERSION");
    g_auto(GStrv) words = NULL;
    GString *out = g_string_new(NULL);

    if (g_str_has_prefix(args, REFUSED) || !g_shell_parse_argv(stable, NULL, &words, NULL))
        return g_string_free(g_string_append(out, args), FALSE);
    for (guint i = 0; words[i]; i++) {
        if (out->len == 0 && words[i][0] != '/')
            continue;
        g_string_append(out, !out->len ? "" : words[i][0] == '-' ? "\n" : " ");
        g_string_append(out, words[i]);
    }
    g_string_append_c(out, '\n');
    g_string_replace(out, dir, "WORK", 0);
    return g_string_free(out, FALSE);
}

static char *
load(const char *dir, const char *name, const char *suffix)
{
    g_autofree char *path = g_strdup_printf("%s/%s.%s", dir, name, suffix);
    char *text = virtTestRead(path);

    g_assert_nonnull(text);
    return text;
}

static void
loadResults(const GPtrArray *cases, const char *dir)
{
    versions = load(dir, "versions", "txt");
    for (guint i = 0; i < cases->len; i++) {
        Case *c = cases->pdata[i];
        g_autofree char *stock = load(dir, c->name, "stock");
        g_autofree char *plain = load(dir, c->name, "plain");

        c->stockArgs = layout(stock, dir);
        c->plainArgs = layout(plain, dir);
    }
}

/* Only the lines about assigned devices. */
static char *
devices(const char *text)
{
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    GString *out = g_string_new(NULL);

    for (guint i = 0; lines[i]; i++) {
        if (strstr(lines[i], "vfio-pci"))
            g_string_append_printf(out, "%s\n", lines[i]);
    }
    return g_string_free(out, FALSE);
}

static void
checkDevices(const Case *c, const char *args)
{
    g_autoptr(virtDomainConf) domain = virtDomainConfParse(c->stock, strlen(c->stock), NULL, 0, NULL);

    g_assert_cmpuint(domain->hostdevs->len, >, 0);
    for (guint i = 0; i < domain->hostdevs->len; i++) {
        const virtHostdev *hostdev = domain->hostdevs->pdata[i];
        g_autofree char *wanted = NULL;
        const char *found;

        if (g_str_equal(hostdev->handle.bus, "mdev"))
            wanted = g_strdup_printf("\"sysfsdev\":\"/sys/bus/mdev/devices/%s\"", hostdev->handle.name);
        else
            wanted = g_strdup_printf("\"driver\":\"vfio-pci\",\"host\":\"%s\"", hostdev->handle.name);
        found = strstr(args, wanted);
        g_assert_nonnull(found);
        g_assert_null(strstr(found + 1, wanted));
    }
}

static void
checkLibvirts(const Case *c)
{
    g_autofree char *found = devices(c->stockArgs);

    for (guint i = 0; i < G_N_ELEMENTS(libvirts); i++) {
        if (g_str_equal(libvirts[i].name, c->name))
            g_assert_cmpstr(found, ==, libvirts[i].args);
    }
}

static void
testCase(gconstpointer opaque)
{
    const Case *c = opaque;
    g_autofree char *actual = g_strdup_printf("%s\n%s", versions, c->stockArgs);
    g_autofree char *path = virtTestPath("qemuxml2argvdata/%s.args", c->name);
    g_autofree char *expected = virtTestRead(path);

    g_assert_null(strstr(c->plain, "netdev port"));
    g_assert_null(strstr(c->plain, "<mdev"));
    g_assert_null(strstr(c->plain, "<vgpu"));
    g_assert_null(strstr(c->plain, "<function"));
    if (g_str_has_prefix(c->stockArgs, REFUSED))
        g_error("%s", c->stockArgs);
    g_assert_cmpstr(c->stockArgs, ==, c->plainArgs);
    checkDevices(c, c->stockArgs);
    checkLibvirts(c);
    if (virtTestRegenerate() || !expected || g_str_has_prefix(expected, versions)) {
        virtTestCompare(path, actual);
    } else {
        g_autofree char *wanted = devices(expected);
        g_autofree char *found = devices(actual);

        g_assert_cmpstr(found, ==, wanted);
    }
}

int
main(int argc, char **argv)
{
    g_autoptr(GPtrArray) names = NULL;
    g_autoptr(GPtrArray) cases = g_ptr_array_new_with_free_func(caseFree);
    g_autofree char *dir = virtEmbedDir();
    int status;

    g_test_init(&argc, &argv, NULL);
    names = virtTestCases("qemuxml2argvdata");
    g_assert_cmpuint(names->len, >=, MIN_CASES);
    for (guint i = 0; i < names->len; i++)
        g_ptr_array_add(cases, caseLoad(names->pdata[i]));
    status = virtEmbedRun(convertAll, dir, cases);
    if (status == 0)
        loadResults(cases, dir);
    virtEmbedRemove(dir);
    if (status == VIRT_EMBED_SKIP)
        g_print("1..0 # SKIP libvirt's embedded QEMU driver or QEMU is missing\n");
    for (guint i = 0; i < cases->len && status == 0; i++) {
        g_autofree char *path = g_strdup_printf("/qemuxml2argv/%s", (char *)names->pdata[i]);
        g_test_add_data_func(path, cases->pdata[i], testCase);
    }
    if (status == 0)
        status = g_test_run();
    g_free(versions);
    return status;
}
