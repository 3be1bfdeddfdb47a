/* vdpatest.c: vDPA on a made-up host: management devices, and one device's life
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "fakevdpa.h"
#include "util/virerror.h"
#include "util/virnetlink.h"
#include "util/virvdpadevice.h"
#include "util/virvdpalink.h"
#include "util/virvfio.h"

#include <errno.h>
#include <netlink/msg.h>
#include <string.h>
#include <unistd.h>

#define SIM "vdpasim_net"
#define CARD "pci/0000:41:00.2"
#define FEATURES G_GUINT64_CONSTANT(0x300020028) /* with F_MAC and F_MTU */
#define MQ G_GUINT64_CONSTANT(0x400000)
#define TAKES (1 << 10 | 1 << 13 | 1 << 20) /* MAC, MTU, features */

static fakeHost *
hostNew(void)
{
    fakeHost *fake = fakeHostNew();

    fakeVdpaAddParent(fake, SIM, 1 << 1, 3, FEATURES, TAKES);
    fakeVdpaAddParent(fake, CARD, 1 << 1, 65, FEATURES | MQ, TAKES | 1 << 12);
    fakeVdpaAddParent(fake, "vdpasim_blk", 1 << 2, 0, 0, 0);
    fakeVdpaAddParent(fake, "pci/0000:42:00.0", 1 << 1, 3, FEATURES, 0);
    fakeVdpaLoad(fake, "vhost_vdpa");
    fakeHostFile(fake, "", "run/libvirt-hostdev/.there"); /* records come first */
    return fake;
}

static void
assertError(GError **error, int code, const char *part)
{
    g_assert_error(*error, VIRT_ERROR, code);
    if (!strstr((*error)->message, part))
        g_error("'%s' lacks '%s'", (*error)->message, part);
    g_clear_error(error);
}

static void
assertDump(fakeHost *fake, const char *expected)
{
    g_autofree char *now = fakeVdpaDump(fake);

    g_assert_cmpstr(now, ==, expected);
}

static virtVdpa
wantedOf(const char *parent)
{
    virtVdpa vdpa = {.made.id = VIRT_VDPA_NET, .mac = {0x52, 0x54, 0, 1, 2, 5}};

    g_strlcpy(vdpa.made.parent, parent, sizeof(vdpa.made.parent));
    vdpa.setting.present = VIRT_SETTING_BIT(VIRT_VDPA_DEVICE) | VIRT_SETTING_BIT(VIRT_VDPA_MAC);
    return vdpa;
}

static void
testLists(void)
{
    g_autoptr(fakeHost) fake = hostNew();
    g_autoptr(GArray) parents = virtVdpaLinkListParents(fake->host, NULL), devices = NULL;
    const virtVdpaParent *card = &g_array_index(parents, virtVdpaParent, 0);
    const virtVdpaDevice *device;

    g_assert_cmpuint(parents->len, ==, 4);
    g_assert_cmpstr(card->name, ==, CARD);
    g_assert_cmphex(card->classes, ==, 1 << VIRT_VDPA_NET);
    g_assert_cmpuint(card->queues, ==, 65);
    g_assert_cmphex(card->features, ==, FEATURES | MQ);
    fakeVdpaMake(fake, SIM, "theirs", NULL);
    devices = virtVdpaLinkListDevices(fake->host, NULL);
    device = &g_array_index(devices, virtVdpaDevice, 0);
    g_assert_cmpuint(devices->len, ==, 1);
    g_assert_cmpstr(device->name, ==, "theirs");
    g_assert_cmpstr(device->parent, ==, SIM);
    g_assert_cmpuint(device->id, ==, VIRT_VDPA_NET);
    g_assert_cmpuint(device->queues, ==, 3);
}

/* No answer is not the same as no device; a kernel without vDPA has none. */
static void
testUnanswered(void)
{
    static const struct {
        int number, code;
        const char *part;
    } cases[] = {
        {ETIMEDOUT, VIRT_ERROR_HOST, "the kernel does not answer. Somebody is deleting"},
        {EPERM, VIRT_ERROR_HOST, "Operation not permitted"},
    };
    g_autoptr(fakeHost) fake = hostNew();
    g_autoptr(GArray) none = NULL;
    g_autoptr(GError) error = NULL;
    virtVdpa vdpa;

    fakeVdpaMake(fake, SIM, "one", NULL);
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        fake->vdpaErrno = cases[i].number;
        g_assert_null(virtVdpaLinkListParents(fake->host, &error));
        assertError(&error, cases[i].code, cases[i].part);
        g_assert_false(virtVdpaDeviceRead(fake->host, "one", &vdpa, &error));
        assertError(&error, cases[i].code, cases[i].part);
    }
    fake->vdpaErrno = ENOENT;
    none = virtVdpaLinkListParents(fake->host, NULL);
    g_assert_cmpuint(none->len, ==, 0);
}

/* What kernels show of a device, old and new: what is not shown is not known. */
static void
testRead(void)
{
    g_autoptr(fakeHost) fake = hostNew();
    virtVdpa vdpa;

    g_assert_true(virtVdpaDeviceRead(fake->host, "one", &vdpa, NULL));
    g_assert_false(virtVdpaExists(&vdpa));
    g_assert_cmphex(vdpa.setting.present, ==, VIRT_SETTING_BIT(VIRT_VDPA_DEVICE));
    fakeVdpaMake(fake, SIM, "one", "52:54:00:01:02:05");
    for (guint i = 0; i < 2; i++) {
        fake->vdpaOld = i > 0;
        g_assert_true(virtVdpaDeviceRead(fake->host, "one", &vdpa, NULL));
        g_assert_cmpstr(vdpa.made.parent, ==, SIM);
        g_assert_cmphex(vdpa.setting.present, ==, VIRT_SETTING_BIT(VIRT_VDPA_ATTR_LAST) - 1);
        g_assert_cmphex(vdpa.features, ==, FEATURES);
        g_assert_cmpuint(vdpa.mtu, ==, 1500);
        g_assert_cmpuint(vdpa.pairs, ==, 1);
        g_assert_cmpuint(vdpa.mac[5], ==, 5);
    }
    fakeVdpaMake(fake, "vdpasim_blk", "two", NULL);
    g_assert_true(virtVdpaDeviceRead(fake->host, "two", &vdpa, NULL));
    g_assert_cmphex(vdpa.setting.present, ==, VIRT_SETTING_BIT(VIRT_VDPA_DEVICE)); /* 21 is a capacity there */
}

static void
testLife(void)
{
    g_autoptr(fakeHost) fake = hostNew();
    virtVdpa wanted = wantedOf(CARD);

    wanted.setting.present = VIRT_SETTING_BIT(VIRT_VDPA_ATTR_LAST) - 1;
    wanted.pairs = 4;
    wanted.mtu = 9000;
    wanted.features = FEATURES | MQ;
    g_assert_true(virtVdpaDeviceMake(fake->host, "one", &wanted, NULL));
    assertDump(fake, "one " CARD " 52:54:00:01:02:05 4 9000 12889227304 vhost_vdpa\none -> vhost-vdpa-0\n");
    wanted.mac[5] = 6;
    g_assert_true(virtVdpaDeviceSetMac(fake->host, "one", wanted.mac, NULL));
    assertDump(fake, "one " CARD " 52:54:00:01:02:06 4 9000 12889227304 vhost_vdpa\none -> vhost-vdpa-0\n");
    g_assert_true(virtVdpaDeviceRemove(fake->host, "one", NULL));
    assertDump(fake, "");
    g_assert_true(virtVdpaDeviceRemove(fake->host, "one", NULL));
}

/* The host's driver was loaded first, and takes each new device; an old link leads elsewhere. */
static void
testDrivers(void)
{
    g_autoptr(fakeHost) fake = fakeHostNew();
    g_autoptr(GError) error = NULL;
    virtVdpa wanted = wantedOf(SIM);

    fakeVdpaAddParent(fake, SIM, 1 << 1, 3, FEATURES, TAKES);
    fakeVdpaLoad(fake, "virtio_vdpa");
    g_assert_false(virtVdpaDeviceMake(fake->host, "one", &wanted, &error));
    assertError(&error, VIRT_ERROR_NOT_FOUND, "the module vhost_vdpa is not loaded");
    assertDump(fake, "");
    fakeVdpaLoad(fake, "vhost_vdpa");
    fakeHostFile(fake, "", "dev/vhost-vdpa-0");
    fakeHostFile(fake, "", "run/libvirt-hostdev/vdpa/one");
    g_assert_true(virtVdpaDeviceMake(fake->host, "one", &wanted, NULL));
    assertDump(fake, "one " SIM " 52:54:00:01:02:05 1 1500 12885033000 vhost_vdpa\none -> vhost-vdpa-1\n");
}

/* A parent that takes no MAC address: its device has one anyway, which may be the one that is wanted. */
static void
testNotTaken(void)
{
    g_autoptr(GError) error = NULL;

    for (guint i = 0; i < 2; i++) {
        g_autoptr(fakeHost) fake = hostNew();
        virtVdpa wanted = wantedOf("pci/0000:42:00.0");

        fake->vdpaOld = i > 0; /* which does not say what it does not take */
        g_assert_false(virtVdpaDeviceMake(fake->host, "one", &wanted, &error));
        assertError(
            &error, VIRT_ERROR_REFUSED,
            "is of a parent that takes no MAC address 52:54:00:01:02:05, and has 02:00:00:00:00:0a. Write in <mac>");
        g_assert_true(virtVdpaDeviceRemove(fake->host, "one", NULL));
        g_assert_true(virtMacParse("02:00:00:00:00:0a", wanted.mac));
        g_assert_true(virtVdpaDeviceMake(fake->host, "one", &wanted, NULL));
    }
}

static void
testRefused(void)
{
    g_autoptr(fakeHost) fake = hostNew();
    g_autoptr(GError) error = NULL;
    virtVdpa wanted = wantedOf(SIM), other = wantedOf("none");

    fakeVdpaMake(fake, SIM, "theirs", NULL);
    g_assert_false(virtVdpaDeviceMake(fake->host, "theirs", &wanted, &error));
    assertError(&error, VIRT_ERROR_BUSY,
                "somebody has just made one of that name. Delete that with vdpa dev del theirs");
    g_assert_false(virtVdpaDeviceMake(fake->host, "one", &other, &error));
    assertError(&error, VIRT_ERROR_REFUSED, "There is no none any more");
    fake->vdpaMakeErrno = ENOSPC;
    g_assert_false(virtVdpaDeviceMake(fake->host, "one", &wanted, &error));
    assertError(&error, VIRT_ERROR_REFUSED,
                "Cannot make vDPA device one of " SIM
                " with MAC address 52:54:00:01:02:05: No space left on device. A device of " SIM
                " has at most 3 virtqueues, and of features 0x300020028; the kernel's log may say more");
    fake->vdpaMakeErrno = 0;
    fake->vdpaDeaf = true;
    g_assert_false(virtVdpaDeviceMake(fake->host, "one", &wanted, &error));
    assertError(&error, VIRT_ERROR_REFUSED, "was made with MAC address 52:54:00:01:02:05, and has 02:00:00:00:00:0a");
    g_assert_false(virtVdpaDeviceSetMac(fake->host, "one", wanted.mac, &error));
    assertError(&error, VIRT_ERROR_REFUSED, "has acknowledged a MAC address, and does not show it");
    g_assert_true(virtVdpaDeviceRemove(fake->host, "one", NULL));
    fake->vdpaDeaf = false;
    fake->vdpaNoNode = true;
    g_assert_false(virtVdpaDeviceMake(fake->host, "one", &wanted, &error));
    assertError(&error, VIRT_ERROR_HOST, "Cannot give vDPA device one to the driver vhost_vdpa: No such device");
}

/* None is deleted while it is open: the kernel would not come back. */
static void
testOpen(void)
{
    g_autoptr(fakeHost) fake = hostNew();
    g_autoptr(GError) error = NULL;
    virtVdpa wanted = wantedOf(SIM);

    g_assert_true(virtVdpaDeviceMake(fake->host, "one", &wanted, NULL));
    fake->vdpaOpen = EBUSY;
    g_assert_false(virtVdpaDeviceRemove(fake->host, "one", &error));
    assertError(&error, VIRT_ERROR_BUSY, "a process has /dev/vhost-vdpa-0 open");
    fakeVdpaHold(fake, "one", 4711);
    g_assert_false(virtVdpaDeviceRemove(fake->host, "one", &error));
    assertError(&error, VIRT_ERROR_BUSY, "process 4711 has /dev/vhost-vdpa-0 open");
    fake->vdpaOpen = EPERM; /* in a sandbox */
    g_assert_false(virtVdpaDeviceRemove(fake->host, "one", &error));
    assertError(&error, VIRT_ERROR_BUSY, "process 4711 has /dev/vhost-vdpa-0 open");
    fakeHostFile(fake, NULL, "proc/4711/fd/7");
    fake->vdpaOpen = EIO;
    g_assert_false(virtVdpaDeviceRemove(fake->host, "one", &error));
    assertError(&error, VIRT_ERROR_HOST, "Cannot tell whether vDPA device one is in use");
    assertDump(fake, "one " SIM " 52:54:00:01:02:05 1 1500 12885033000 vhost_vdpa\none -> vhost-vdpa-0\n");
    fake->vdpaOpen = EPERM;
    fake->vdpaDeleteErrno = ETIMEDOUT;
    g_assert_false(virtVdpaDeviceRemove(fake->host, "one", &error));
    assertError(&error, VIRT_ERROR_BUSY, "the kernel does not answer. It was opened meanwhile");
    fake->vdpaDeleteErrno = EINVAL;
    g_assert_false(virtVdpaDeviceRemove(fake->host, "one", &error));
    assertError(&error, VIRT_ERROR_REFUSED,
                "Invalid argument. Delete it by hand when nobody uses it: vdpa dev del one");
    fake->vdpaDeleteErrno = 0;
    g_assert_true(virtVdpaDeviceRemove(fake->host, "one", NULL));
    assertDump(fake, "");
}

static void
testStats(void)
{
    g_autoptr(fakeHost) fake = hostNew();
    g_autoptr(GPtrArray) stats = NULL, none = NULL;
    g_autoptr(GError) error = NULL;

    fakeVdpaMake(fake, SIM, "one", NULL);
    stats = virtVdpaLinkListStats(fake->host, "one", 1, NULL);
    g_assert_cmpuint(stats->len, ==, 1);
    g_assert_cmpstr(((const virtVdpaStat *)stats->pdata[0])->name, ==, "tx packets");
    g_assert_cmpuint(((const virtVdpaStat *)stats->pdata[0])->value, ==, 41);
    fake->vdpaStatsErrno = EAGAIN; /* before the guest's driver runs */
    none = virtVdpaLinkListStats(fake->host, "one", 1, NULL);
    g_assert_cmpuint(none->len, ==, 0);
    fake->vdpaStatsErrno = ERANGE;
    g_assert_null(virtVdpaLinkListStats(fake->host, "one", 1, &error));
    assertError(&error, VIRT_ERROR_HOST, "queue 1 of vDPA device one");
    g_assert_null(virtVdpaLinkListStats(fake->host, "two", 1, &error));
    assertError(&error, VIRT_ERROR_NOT_FOUND, "device not found");
}

/* ---- as a kernel has answered ---- */

#define SEQUENCE 7 /* with which it was asked */

static const char *kernel; /* which, as the file is called */

/* What it has answered about @what. */
static GPtrArray *
readRecorded(const char *what)
{
    g_autofree char *path = g_build_filename(g_getenv("SRCDIR"), "vdpa", kernel, NULL);
    g_autofree char *start = g_strconcat(what, " ", NULL), *text = NULL, *reason = NULL;
    GPtrArray *replies = g_ptr_array_new_with_free_func((GDestroyNotify)nlmsg_free);
    g_auto(GStrv) lines = NULL;
    bool disturbed = false;

    g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
    lines = g_strsplit(text, "\n", -1);
    for (guint i = 0; lines[i]; i++) {
        g_autoptr(GByteArray) data = g_byte_array_new();

        if (!g_str_has_prefix(lines[i], start))
            continue;
        for (const char *hex = lines[i] + strlen(start); hex[0] && hex[1]; hex += 2) {
            guint8 byte = (guint8)(g_ascii_xdigit_value(hex[0]) << 4 | g_ascii_xdigit_value(hex[1]));

            g_byte_array_append(data, &byte, 1);
        }
        virtNetlinkParseDump(data->data, (int)data->len, SEQUENCE, replies, &disturbed, &reason);
    }
    g_assert_cmpuint(replies->len, >, 0);
    return replies;
}

static const char *about; /* what the next answer is about */

static int
answerOne(virtHost *host, const char *family, struct nl_msg *request, struct nl_msg **ret_reply, char **ret_reason)
{
    g_autoptr(GPtrArray) replies = readRecorded(about);

    g_assert_cmpstr(family, ==, "vdpa");
    *ret_reply = nlmsg_convert(nlmsg_hdr(replies->pdata[0]));
    return 0;
}

static int
answerAll(virtHost *host, const char *family, struct nl_msg *request, GPtrArray *replies, char **ret_reason)
{
    g_autoptr(GPtrArray) recorded = readRecorded(about);

    for (guint i = 0; i < recorded->len; i++)
        g_ptr_array_add(replies, nlmsg_convert(nlmsg_hdr(recorded->pdata[i])));
    return 0;
}

static void
assertParent(const GArray *parents, const char *name, guint64 classes, guint queues, guint64 features)
{
    for (guint i = 0; i < parents->len; i++) {
        const virtVdpaParent *parent = &g_array_index(parents, virtVdpaParent, i);

        if (!g_str_equal(parent->name, name))
            continue;
        g_assert_cmphex(parent->classes, ==, classes);
        g_assert_cmpuint(parent->queues, ==, queues);
        g_assert_cmphex(parent->features, ==, features);
        return;
    }
    g_error("there is no %s", name);
}

static void
testRecordedLists(void)
{
    g_autoptr(virtHost) host = virtHostNew("/nonexistent");
    g_autoptr(GArray) parents = NULL, devices = NULL;

    kernel = "linux-6.12.txt";
    host->requestGeneric = answerOne;
    host->dumpGeneric = answerAll;
    about = "parents";
    parents = virtVdpaLinkListParents(host, NULL);
    g_assert_cmpuint(parents->len, ==, 4);
    assertParent(parents, "vdpasim_net", 1 << VIRT_VDPA_NET, 3, 0x308830028);
    assertParent(parents, "vdpasim_blk", 1 << VIRT_VDPA_BLOCK, 0, 0);
    assertParent(parents, "vdpasim_mq", 1 << VIRT_VDPA_NET, 9, 0x308c30028);
    about = "devices";
    devices = virtVdpaLinkListDevices(host, NULL);
    g_assert_cmpuint(devices->len, ==, 4);
}

static void
testRecordedDevices(void)
{
    static const struct {
        const char *about;
        guint32 id;
        guint attrs, pairs, mtu;
    } cases[] = {
        {"config", VIRT_VDPA_NET, VIRT_SETTING_BIT(VIRT_VDPA_ATTR_LAST) - 2, 1, 1500},
        {"config-mq", VIRT_VDPA_NET, VIRT_SETTING_BIT(VIRT_VDPA_ATTR_LAST) - 2, 4, 9000},
        {"config-block", VIRT_VDPA_BLOCK, VIRT_SETTING_BIT(VIRT_VDPA_FEATURES), 0, 0},
    };
    g_autoptr(virtHost) host = virtHostNew("/nonexistent");
    g_autoptr(GPtrArray) stats = NULL;
    virtVdpaDevice device;

    kernel = "linux-6.12.txt";
    host->requestGeneric = answerOne;
    about = "device";
    g_assert_true(virtVdpaLinkFindDevice(host, "one", &device, NULL));
    g_assert_cmpstr(device.parent, ==, "vdpasim_net");
    g_assert_cmpuint(device.queues, ==, 3);
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        virtVdpa vdpa = {.made.id = cases[i].id};

        about = cases[i].about;
        g_assert_true(virtVdpaLinkReadConfig(host, "one", &vdpa, NULL));
        g_assert_cmphex(vdpa.setting.present, ==, cases[i].attrs);
        g_assert_cmpuint(vdpa.pairs, ==, cases[i].pairs);
        g_assert_cmpuint(vdpa.mtu, ==, cases[i].mtu);
    }
    about = "stats";
    stats = virtVdpaLinkListStats(host, "one", 1, NULL);
    g_assert_cmpuint(stats->len, ==, 4);
    g_assert_cmpstr(((const virtVdpaStat *)stats->pdata[0])->name, ==, "tx packets");
}

/* Linux 6.1 has the features of a device in another attribute, and says less of block devices, of which it is not asked
 * here. */
static void
testRecordedOld(void)
{
    g_autoptr(virtHost) host = virtHostNew("/nonexistent");
    g_autoptr(GArray) parents = NULL, devices = NULL;
    virtVdpa vdpa = {.made.id = VIRT_VDPA_NET};
    virtVdpaDevice device;
    char mac[18];

    kernel = "linux-6.1.txt";
    host->requestGeneric = answerOne;
    host->dumpGeneric = answerAll;
    about = "parents";
    parents = virtVdpaLinkListParents(host, NULL);
    g_assert_cmpuint(parents->len, ==, 3);
    assertParent(parents, "vdpasim_net", 1 << VIRT_VDPA_NET, 3, 0x308820028);
    assertParent(parents, "vdpasim_blk", 1 << VIRT_VDPA_BLOCK, 0, 0);
    assertParent(parents, "pci/0000:04:00.0", 1 << VIRT_VDPA_NET, 3, G_GUINT64_CONSTANT(0x10130bf8024));
    about = "devices";
    devices = virtVdpaLinkListDevices(host, NULL);
    g_assert_cmpuint(devices->len, ==, 3);
    about = "device";
    g_assert_true(virtVdpaLinkFindDevice(host, "one", &device, NULL));
    g_assert_cmpstr(device.parent, ==, "vdpasim_net");
    about = "config";
    g_assert_true(virtVdpaLinkReadConfig(host, "one", &vdpa, NULL));
    g_assert_true(virtSettingHas(&vdpa, VIRT_VDPA_FEATURES));
    g_assert_cmphex(vdpa.features, ==, 0x308820028);
    g_assert_cmpuint(vdpa.mtu, ==, 1500);
    virtMacFormat(vdpa.mac, mac);
    g_assert_cmpstr(mac, ==, "52:54:00:aa:01:01");
}

static void
testParents(void)
{
    static const char *const good[] = {SIM, CARD, "auxiliary/mlx5_core.sf.4", "a"};
    static const char *const bad[] = {"", "/", "a/", "/a", "a/b/c", "a/../b", "..", "a b", "a\n", ".a"};

    for (guint i = 0; i < G_N_ELEMENTS(good); i++)
        g_assert_true(virtVdpaIsParent(good[i]));
    for (guint i = 0; i < G_N_ELEMENTS(bad); i++)
        g_assert_false(virtVdpaIsParent(bad[i]));
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/vdpa/lists", testLists);
    g_test_add_func("/vdpa/unanswered", testUnanswered);
    g_test_add_func("/vdpa/read", testRead);
    g_test_add_func("/vdpa/life", testLife);
    g_test_add_func("/vdpa/drivers", testDrivers);
    g_test_add_func("/vdpa/not-taken", testNotTaken);
    g_test_add_func("/vdpa/refused", testRefused);
    g_test_add_func("/vdpa/open", testOpen);
    g_test_add_func("/vdpa/stats", testStats);
    g_test_add_func("/vdpa/parents", testParents);
    g_test_add_func("/vdpa/recorded/lists", testRecordedLists);
    g_test_add_func("/vdpa/recorded/devices", testRecordedDevices);
    g_test_add_func("/vdpa/recorded/linux-6.1", testRecordedOld);
    return g_test_run();
}
