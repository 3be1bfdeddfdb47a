/* interfacetest.c: <interface type='hostdev'> in all its variants at stock libvirt, alone and through us
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Every child and attribute that libvirt's schema allows there is in a row, with what must become of it. What is not
 * the same for users as with libvirt alone is a row with the reason.
 */
#include <string.h>

#include "conf/domain_conf.h"
#include "stockcompare.h"
#include "testfiles.h"

#define S(slot) "<source><address type='pci' domain='0x0000' bus='0x06' slot='" slot "' function='0x0'/></source>"
#define MAC(last) "<mac address='52:54:00:01:02:" last "'/>"
#define VF_WITH(last, slot, children)                                                                                  \
    "<interface type='hostdev' managed='yes'>" MAC(last) S(slot) children "</interface>"
#define I(children) VF_WITH("03", "0x02", children)
#define VLAN(id) "<vlan><tag id='" id "'/></vlan>"
#define QBH "<virtualport type='802.1Qbh'><parameters profileid='finance'/></virtualport>"
#define NETWORK(last) "<interface type='user'>" MAC(last) "<model type='virtio'/></interface>"
#define VF(last, slot) "<interface type='hostdev'>" MAC(last) S(slot) "</interface>"
#define HOSTDEV(slot)                                                                                                  \
    "<hostdev mode='subsystem' type='pci' managed='yes'><source><address domain='0x0000' bus='0x06' slot='" slot       \
    "' function='0x0'/></source></hostdev>"
#define MODEL "<model type='virtio'/>"

/* What must become of a document: c converted, v good for libvirt's schema before and after, r revert gives back what
 * libvirt alone says and loses nothing, a libvirt chooses other guest addresses, x libvirt refuses it both ways,
 * d users see something else, for the reason given. */
typedef struct {
    const char *name;
    const char *devices;
    const char *fate;
    const char *why;
} Case;

static const Case cases[] = {
    {"mac", I(""), "cvr", NULL},
    {"mac-absent", "<interface type='hostdev'>" S("0x02") "</interface>", "cvr", NULL},
    {"mac-upper-case", "<interface type='hostdev'><mac address='52:54:00:AB:CD:EF'/>" S("0x02") "</interface>", "cvr",
     NULL},
    {"mac-static",
     "<interface type='hostdev'><mac address='00:50:56:01:02:03' type='static' check='no'/>" S("0x02") "</interface>",
     "cvr", NULL},
    {"mac-generated",
     "<interface type='hostdev'><mac address='52:54:00:01:02:03' type='generated' check='yes'/>" S(
         "0x02") "</interface>",
     "cvr", NULL},
    {"managed-no", "<interface type='hostdev' managed='no'>" MAC("03") S("0x02") "</interface>", "cvr", NULL},
    {"managed-absent", VF("03", "0x02"), "cvr", NULL},
    {"vlan", I(VLAN("42")), "cvr", NULL},
    {"vlan-leading-zero", I(VLAN("042")), "cvr", NULL},
    {"vlan-zero", I(VLAN("0")), "vr", NULL},
    {"vlan-trunk", I("<vlan trunk='yes'><tag id='42'/><tag id='47' nativeMode='tagged'/></vlan>"), "vr", NULL},
    {"vlan-two-tags", I("<vlan><tag id='42'/><tag id='43'/></vlan>"), "vr", NULL},
    {"vlan-native-mode", I("<vlan><tag id='42' nativeMode='untagged'/></vlan>"), "vr", NULL},
    {"vlan-trunk-no", I("<vlan trunk='no'><tag id='42'/></vlan>"), "r", NULL},
    {"qbh", I(QBH), "cvr", NULL},
    {"qbh-special", I("<virtualport type='802.1Qbh'><parameters profileid='a&amp;b'/></virtualport>"), "cd",
     "libvirt 9.0 does not escape it in what it shows, which then is not XML"},
    {"qbg",
     I("<virtualport type='802.1Qbg'><parameters managerid='11' typeid='1193047' typeidversion='2' "
       "instanceid='09b11c53-8b5c-4eeb-8f00-d84eaa0aaa4f'/></virtualport>"),
     "vr", NULL},
    {"qbh-and-vlan", I(VLAN("42") QBH), "vr", NULL},
    {"trust-yes", "<interface type='hostdev' trustGuestRxFilters='yes'>" MAC("03") S("0x02") "</interface>", "cv",
     NULL},
    {"trust-no", "<interface type='hostdev' trustGuestRxFilters='no'>" MAC("03") S("0x02") "</interface>", "cv", NULL},
    {"link-up", I("<link state='up'/>"), "cvr", NULL},
    {"link-down", I("<link state='down'/>"), "cv", NULL},
    {"bandwidth-outbound", I("<bandwidth><outbound average='128' peak='256'/></bandwidth>"), "cv", NULL},
    {"bandwidth-burst", I("<bandwidth><outbound average='128' peak='256' burst='64'/></bandwidth>"), "cv", NULL},
    {"bandwidth-inbound", I("<bandwidth><inbound average='1000' peak='5000' burst='1024'/></bandwidth>"), "cv", NULL},
    {"bandwidth-both",
     I("<bandwidth><outbound average='128' burst='64'/><inbound average='1000' peak='5000'/></bandwidth>"), "cv", NULL},
    {"bandwidth-attributes-in-any-order", I("<bandwidth><inbound burst='9' peak='20' average='10'/></bandwidth>"), "cv",
     NULL},
    {"bandwidth-leading-zeros", I("<bandwidth><inbound average='0010' peak='020'/></bandwidth>"), "cv", NULL},
    {"bandwidth-zero", I("<bandwidth><inbound average='10' peak='0'/></bandwidth>"), "c", NULL},
    {"bandwidth-spaces", I("<bandwidth><inbound average=' 10'/></bandwidth>"), "", NULL},
    {"bandwidth-outbound-zeros", I("<bandwidth><outbound average='0128' burst='064'/></bandwidth>"), "cv", NULL},
    {"mac-attributes-in-any-order",
     "<interface type='hostdev'><mac check='yes' type='generated' address='52:54:00:AB:02:03'/>" S(
         "0x02") "</interface>",
     "cvr", NULL},
    {"mac-short", "<interface type='hostdev'><mac address='52:54:0:1:2:3'/>" S("0x02") "</interface>", "cr", NULL},
    {"guest-attributes-in-any-order", I("<guest actual='x' dev='eth0'/>"), "cvr", NULL},
    {"guest-actual-alone", I("<guest actual='x'/>"), "cvr", NULL},
    {"guest-empty", I("<guest/>"), "cvr", NULL},
    {"tune-leading-zeros", I("<tune><sndbuf>0016</sndbuf></tune>"), "cvr", NULL},
    {"tune-white-space", I("<tune>\n<sndbuf> 16 </sndbuf></tune>"), "x", NULL},
    {"tune-empty", I("<tune/>"), "vr", NULL},
    {"tune-large", I("<tune><sndbuf>99999999999</sndbuf></tune>"), "cr", NULL},
    {"backend-slashes", I("<backend tap='//dev///net/tun/'/>"), "cvr", NULL},
    {"backend-empty", I("<backend tap=''/>"), "cr", NULL},
    {"script-empty", I("<script path=''/>"), "cr", NULL},
    {"script-slashes", I("<script path='/etc//up'/>"), "cvr", NULL},
    {"downscript-empty", I("<downscript path=''/>"), "cr", NULL},
    {"backenddomain-empty", I("<backenddomain name=''/>"), "cr", NULL},
    {"model-upper-case", I("<model type='VirtIO'/>"), "cvr", NULL},
    {"model-space", I("<model type=' virtio'/>"), "x", NULL},
    {"link-up-twice-said", I("<link state='up'></link>"), "cvr", NULL},
    {"boot-leading-zero", I("<boot order='02'/>"), "cvr", NULL},
    {"acpi-leading-zero", I("<acpi index='007'/>"), "cvr", NULL},
    {"driver-empty", I("<driver/>"), "vr", NULL},
    {"managed-other", "<interface type='hostdev' managed='maybe'>" MAC("03") S("0x02") "</interface>", "cr", NULL},
    {"source-upper-case-hex",
     "<interface type='hostdev'>" MAC(
         "03") "<source><address type='pci' domain='0X0' bus='0X06' slot='0x0B' function='0x0'/></source></interface>",
     "cr", NULL},
    {"source-decimal",
     "<interface type='hostdev'>" MAC(
         "03") "<source><address type='pci' domain='0' bus='6' slot='16' function='0'/></source></interface>",
     "cvr", NULL},
    {"source-octal",
     "<interface type='hostdev'>" MAC("03") "<source><address type='pci' bus='06' slot='017'/></source></interface>",
     "cvr", NULL},
    {"source-spaces",
     "<interface type='hostdev'>" MAC("03") "<source><address type='pci' bus=' 6' slot=' 0x02'/></source></interface>",
     "r", NULL},
    {"source-signed",
     "<interface type='hostdev'>" MAC("03") "<source><address type='pci' bus='+6' slot='2'/></source></interface>",
     "vr", NULL},
    {"source-multifunction",
     "<interface type='hostdev'>" MAC(
         "03") "<source><address type='pci' bus='6' slot='2' multifunction='on'/></source></interface>",
     "cvr", NULL},
    {"source-write-filtering",
     "<interface type='hostdev'>" MAC(
         "03") "<source writeFiltering='no'><address type='pci' bus='6' slot='2'/></source></interface>",
     "xc", NULL},

    {"bandwidth-floor", I("<bandwidth><inbound average='1000' floor='200'/></bandwidth>"), "x", NULL},
    {"bandwidth-peak-lower", I("<bandwidth><outbound average='128' peak='64'/></bandwidth>"), "vr", NULL},
    {"bandwidth-empty", I("<bandwidth/>"), "cvr", NULL},
    {"script", I("<script path='/etc/a&amp;b&lt;c&gt;&apos;d&quot;e'/>"), "cvr", NULL},
    {"script-umlaut", I("<script path='/etc/\xc3\xbc'/>"), "cd",
     "what is not ASCII is written as a reference, for documents in any encoding"},
    {"downscript", I("<downscript path='/etc/down'/>"), "cvr", NULL},
    {"backenddomain", I("<backenddomain name='net'/>"), "cvr", NULL},
    {"target", I("<target dev='eth7'/>"), "cvr", NULL},
    {"target-vnet", I("<target dev='vnet7'/>"), "cvr", NULL},
    {"target-macvtap", I("<target dev='macvtap0'/>"), "cvr", NULL},
    {"target-macvlan", I("<target dev='macvlan12'/>"), "cvr", NULL},
    {"target-upper-case", I("<target dev='VNET7'/>"), "cvr", NULL},
    {"target-vnet-alone", I("<target dev='vnet'/>"), "cvr", NULL},
    {"target-vnet-and-more", I("<target dev='vnet-blue'/>"), "cvr", NULL},
    {"target-empty", I("<target dev=''/>"), "cr", NULL},
    {"target-unmanaged", I("<target dev='eth7' managed='no'/>"), "x", NULL},
    {"guest", I("<guest dev='eth0' actual='x'/>"), "cvr", NULL},
    {"model", I(MODEL), "cvr", NULL},
    {"model-netfront", I("<model type='netfront'/>"), "cvr", NULL},
    {"driver", I("<driver name='vfio'/>"), "cvr", NULL},
    {"driver-first", "<interface type='hostdev'><driver name='vfio'/>" S("0x02") MAC("03") "</interface>", "cvr", NULL},
    {"model-and-driver", I(MODEL "<driver name='vfio'/>"), "cvr", NULL},
    {"driver-of-virtio", I(MODEL "<driver queues='4'/>"), "vr", NULL},
    {"backend", I("<backend tap='/dev/net/tun' vhost='/dev/vhost-mine'/>"), "vr", NULL},
    {"backend-tap", I("<backend tap='/dev/net/tun'/>"), "cvr", NULL},
    {"filterref", I("<filterref filter='clean-traffic'/>"), "cvr", NULL},
    {"filterref-parameter", I("<filterref filter='f'><parameter name='IP' value='1.2.3.4'/></filterref>"), "cvr", NULL},
    {"tune", I("<tune><sndbuf>1600</sndbuf></tune>"), "cvr", NULL},
    {"teaming", NETWORK("01") I("<teaming type='transient' persistent='ua-1'/>"), "cvr", NULL},
    {"boot", I("<boot order='1'/>"), "cvr", NULL},
    {"alias", I("<alias name='ua-net'/>"), "cvr", NULL},
    {"alias-libvirts", I("<alias name='net7'/>"), "cvr", NULL},
    {"rom", I("<rom bar='off' file='/r&amp;m'/>"), "cvr", NULL},
    {"rom-disabled", I("<rom enabled='no'/>"), "cvr", NULL},
    {"acpi", I("<acpi index='7'/>"), "cvr", NULL},
    {"address", I("<address type='pci' domain='0' bus='0' slot='9' function='0'/>"), "cvr", NULL},
    {"mtu", I("<mtu size='9000'/>"), "x", NULL},
    {"coalesce", I("<coalesce><rx><frames max='7'/></rx></coalesce>"), "x", NULL},
    {"ip", I("<ip address='192.168.122.5' family='ipv4' prefix='24'/>"), "x", NULL},
    {"route", I("<route family='ipv4' address='0.0.0.0' gateway='192.168.122.1'/>"), "x", NULL},
    {"port-isolated", I("<port isolated='yes'/>"), "x", NULL},
    {"port-not-isolated", I("<port isolated='no'/>"), "vr", NULL},
    {"unknown-child", I("<junk/>"), "r", NULL},
    {"unknown-attribute", "<interface type='hostdev' junk='1'>" MAC("03") S("0x02") "</interface>", "r", NULL},
    {"foreign-child", I("<x:mac xmlns:x='urn:x' address='1'/>"), "r", NULL},
    {"foreign-in-kept", I("<guest dev='eth0' xmlns:x='urn:x' x:y='z'><x:dev/></guest>"), "r", NULL},
    {"source-usb",
     "<interface type='hostdev'>" MAC("03") "<source><address type='usb' bus='1' device='2'/></source></interface>",
     "vr", NULL},
    {"source-address-without-type",
     "<interface type='hostdev'>" MAC("03") "<source><address bus='6' slot='2'/></source></interface>", "x", NULL},
    {"source-absent", "<interface type='hostdev'>" MAC("03") "</interface>", "x", NULL},
    {"source-in-short",
     "<interface type='hostdev'>" MAC("03") "<source><address slot='2' type='pci' bus='6'/></source></interface>",
     "cvr", NULL},
    {"type-in-double-quotes",
     "<interface managed=\"yes\"\n type = \"hostdev\" >" MAC("03") "<source><address bus=\"6\" slot=\"2\"  type = "
                                                                   "\"pci\" /></source></interface>",
     "cvr", NULL},
    {"everything",
     "<interface type='hostdev' managed='yes'>" S(
         "0x02") "<address type='pci' domain='0' bus='0' slot='9' "
                 "function='0'/><rom bar='on'/><alias name='ua-a'/><boot order='2'/><link state='up'/><teaming type='transient' "
                 "persistent='ua-b'/><tune><sndbuf>0</sndbuf></tune><backend tap='/t'/><filterref filter='f'/>" MODEL
                 "<guest dev='e'/><target dev='t'/><backenddomain name='b'/><downscript path='/d'/><script path='/s'/>" VLAN(
                     "7") MAC("03") "<driver name='vfio'/></interface>",
     "cvr", NULL},
    {"order-first", VF("03", "0x02") NETWORK("01") NETWORK("02"), "cvr", NULL},
    {"order-middle", NETWORK("01") VF("03", "0x02") NETWORK("02"), "cvr", NULL},
    {"order-last", NETWORK("01") NETWORK("02") VF("03", "0x02"), "cvr", NULL},
    {"order-two", VF("03", "0x02") NETWORK("01") VF("04", "0x03") NETWORK("02"), "cvr", NULL},
    {"order-four", VF("06", "0x05") VF("05", "0x04") NETWORK("01") VF("04", "0x03") VF("03", "0x02"), "cvr", NULL},
    {"order-with-left", VF("03", "0x02") VF_WITH("05", "0x04", VLAN("0")) VF("04", "0x03"), "cvra",
     "libvirt gives addresses to interfaces first, here to the one that is left to it"},
    {"order-others-between",
     VF("03", "0x02") "<memballoon model='none'/>" NETWORK("01") "<sound model='ich6'/>" VF("04", "0x03"), "cvr", NULL},
    {"hostdev-behind", VF("03", "0x02") HOSTDEV("0x05"), "cvr", NULL},
    {"hostdev-before", HOSTDEV("0x05") VF("03", "0x02"), "cvr", NULL},
    {"hostdevs-among", HOSTDEV("0x05") VF("03", "0x02") HOSTDEV("0x06") NETWORK("01") VF("04", "0x03"), "cvr", NULL},
    {"comments",
     "<!-- <interface> -->" VF("03", "0x02") "<!-- a --><!-- b -->" NETWORK("01") "<!-- c -->\n" VF("04",
                                                                                                    "0x03") "<?d?>",
     "cvr", NULL},
    {"comments-inside",
     "<interface type='hostdev'><!-- a -->" MAC("03") "<!-- b --><source><!-- c --><address "
                                                      "type='pci' bus='6' slot='2'/></source><!-- d -->" VLAN(
                                                          "42") "</interface>",
     "cvr", NULL},
    {"two-devices-elements", VF("03", "0x02") "</devices><devices>" NETWORK("01") VF("04", "0x03"), "cd",
     "which interfaces stand before is counted in one <devices>; libvirt puts two together"},
};

/* ---- the whole document, and how it may be laid out ---- */

static char *
makeDomain(const char *devices)
{
    return g_strdup_printf(
        "<domain type='qemu'>\n  <name>vm1</name>\n  <memory unit='KiB'>65536</memory>\n"
        "  <metadata>\n    <n:nova xmlns:n='urn:nova'>\n      <n:a b='c'/>\n    </n:nova>\n  </metadata>\n"
        "  <os>\n    <type arch='x86_64' machine='q35'>hvm</type>\n  </os>\n"
        "  <devices>\n    <emulator>/usr/bin/qemu-system-x86_64</emulator>\n%s  </devices>\n</domain>\n",
        devices);
}

static char *
replaceAll(const char *text, const char *what, const char *with)
{
    GString *out = g_string_new(text);

    g_string_replace(out, what, with, 0);
    return g_string_free(out, FALSE);
}

static char *
layOutCrlf(const char *xml)
{
    return replaceAll(xml, "\n", "\r\n");
}

static char *
layOutOneLine(const char *xml)
{
    g_autofree char *spaced = replaceAll(xml, "\n", " ");

    return replaceAll(spaced, "  ", "");
}

static char *
layOutTabs(const char *xml)
{
    return replaceAll(xml, "  ", "\t");
}

static char *
layOutLong(const char *xml)
{
    return replaceAll(xml, "><", ">\n      <");
}

static char *
layOutDeclared(const char *xml)
{
    return g_strconcat("<?xml version='1.0' encoding='ISO-8859-1'?>\n", xml, "<!-- end -->", NULL);
}

static char *
layOutNoMetadata(const char *xml)
{
    const char *from = strstr(xml, "  <metadata>"), *to = strstr(xml, "  <os>");

    return g_strdup_printf("%.*s%s", (int)(from - xml), xml, to);
}

static char *
layOutComment(const char *xml)
{
    g_autofree char *some = replaceAll(xml, "<interface", "<!-- <hostdev> -->\n    <interface");

    return replaceAll(some, "</interface>", "</interface> <!-- </devices> -->\n");
}

/* Each is given the same rich document, and must come to the same. */
static const struct {
    const char *name;
    char *(*layOut)(const char *xml);
} layouts[] = {
    {"layout-crlf", layOutCrlf},        {"layout-one-line", layOutOneLine},  {"layout-tabs", layOutTabs},
    {"layout-long", layOutLong},        {"layout-declared", layOutDeclared}, {"metadata-absent", layOutNoMetadata},
    {"layout-comments", layOutComment},
};
static const char rich[] = "    " NETWORK("01") "\n    " VF("03", "0x02") "\n    " VF_WITH(
    "04", "0x03", VLAN("42") MODEL "<tune><sndbuf>9</sndbuf></tune>") "\n";

/* ---- running them ---- */

typedef struct {
    char *name, *xml;
    const char *fate, *why;
    char *foundFate, *different;
} Job;

static void
jobFree(gpointer opaque)
{
    Job *job = opaque;

    g_free(job->name);
    g_free(job->xml);
    g_free(job->foundFate);
    g_free(job->different);
    g_free(job);
}

static void
addJob(GPtrArray *jobs, const char *name, char *xml, const char *fate, const char *why)
{
    Job *job = g_new0(Job, 1);

    *job = (Job){.name = g_strdup(name), .xml = xml, .fate = fate, .why = why};
    g_ptr_array_add(jobs, job);
}

static GPtrArray *
makeJobs(void)
{
    GPtrArray *jobs = g_ptr_array_new_with_free_func(jobFree);
    g_autofree char *plain = makeDomain(rich);

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *devices = g_strdup_printf("    %s\n", cases[i].devices);

        addJob(jobs, cases[i].name, makeDomain(devices), cases[i].fate, cases[i].why);
    }
    for (guint i = 0; i < G_N_ELEMENTS(layouts); i++)
        addJob(jobs, layouts[i].name, layouts[i].layOut(plain), "cvr", NULL);
    return jobs;
}

static char *
describeFate(guint fate, const char *different)
{
    static const struct {
        guint bit;
        char letter;
    } letters[] = {{VIRT_STOCK_REFUSED, 'x'},
                   {VIRT_STOCK_CONVERTED, 'c'},
                   {VIRT_STOCK_VALID, 'v'},
                   {VIRT_STOCK_REVERTED, 'r'},
                   {VIRT_STOCK_READDRESSED, 'a'}};
    GString *out = g_string_new(NULL);

    for (guint i = 0; i < G_N_ELEMENTS(letters); i++) {
        if (fate & letters[i].bit)
            g_string_append_c(out, letters[i].letter);
    }
    return g_string_free(g_string_append(out, different ? "d" : ""), FALSE);
}

static char *
pathOf(const char *dir, const Job *job, const char *suffix)
{
    return g_strdup_printf("%s/%s.%s", dir, job->name, suffix);
}

/* In the child. */
static int
compareAll(virConnectPtr conn, const char *dir, gpointer opaque)
{
    const GPtrArray *jobs = opaque;

    for (guint i = 0; i < jobs->len; i++) {
        const Job *job = jobs->pdata[i];
        guint fate = 0;
        g_autofree char *different = virtStockCompare(conn, job->xml, &fate);
        g_autofree char *text = describeFate(fate, different);
        g_autofree char *fatePath = pathOf(dir, job, "fate"), *path = pathOf(dir, job, "different");

        if (!g_file_set_contents(fatePath, text, -1, NULL) ||
            !g_file_set_contents(path, different ? different : "", -1, NULL))
            return 1;
    }
    return 0;
}

static void
testJob(gconstpointer opaque)
{
    const Job *job = opaque;

    if (g_strcmp0(job->foundFate, job->fate) != 0) {
        g_test_message("it became '%s' instead of '%s': %s", job->foundFate, job->fate, job->different);
        g_test_fail();
    }
    /* No difference without a reason, and only in what is shown. */
    g_assert_true(!strpbrk(job->fate, "da") == !job->why);
    g_assert_true(!*job->different || g_str_has_prefix(job->different, "users see"));
}

int
main(int argc, char **argv)
{
    g_autoptr(GPtrArray) jobs = makeJobs();
    g_autofree char *dir = virtEmbedDir();
    int status;

    g_test_init(&argc, &argv, NULL);
    status = virtEmbedRun(compareAll, dir, jobs);
    for (guint i = 0; i < jobs->len && status == 0; i++) {
        Job *job = jobs->pdata[i];
        g_autofree char *fatePath = pathOf(dir, job, "fate"), *path = pathOf(dir, job, "different");
        g_autofree char *test = g_strdup_printf("/interface/%s", job->name);

        job->foundFate = virtTestRead(fatePath);
        job->different = virtTestRead(path);
        g_test_add_data_func(test, job, testJob);
    }
    virtEmbedRemove(dir);
    if (status == VIRT_EMBED_SKIP)
        g_print("1..0 # SKIP libvirt's embedded QEMU driver or QEMU is missing\n");
    return status ? status : g_test_run();
}
