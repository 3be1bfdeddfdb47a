/* mdevtest.c: mediated devices in a made-up sysfs: parents, types, and one device's life
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "fakemdev.h"
#include "util/virerror.h"
#include "util/virmdevdefined.h"
#include "util/virmdevdevice.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ONE "c5f5e1a2-7a57-4b5e-8c5b-0d5a3d6f2a11"
#define TWO "d5f5e1a2-7a57-4b5e-8c5b-0d5a3d6f2a11"
#define CARD "0000:3d:00.0"

static fakeHost *
hostNew(void)
{
    fakeHost *fake = fakeHostNew();

    fakeMdevAddParent(fake, "mtty");
    fakeMdevAddType(fake, "mtty", "mtty-1", 24);
    fakeMdevAddType(fake, "mtty", "mtty-2", 1);
    fakeMdevAddAttr(fake, "mtty", "mtty-1", "speed", "9600\n");
    fakeMdevAddAttr(fake, "mtty", "mtty-1", "hex-mask", "0x1\n");
    fakeMdevAddAttr(fake, "mtty", "mtty-1", "ro-kind", "stays\n");
    fakeMdevAddAttr(fake, "mtty", "mtty-1", "wo-assign", "");
    fakeMdevAddAttr(fake, "mtty", "mtty-1", "vendor/params", "\n");
    fakeHostAddDevice(fake, CARD, 0, "nvidia");
    fakeMdevAddParent(fake, CARD);
    fakeMdevAddType(fake, CARD, "nvidia-63", 4);
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
testParents(void)
{
    static const struct {
        const char *written, *name;
    } words[] = {
        {"mtty", "mtty"},   {"mtty_mtty", "mtty"},      {CARD, CARD},
        {"3d:00.0", CARD},  {"pci_0000_3d_00_0", CARD}, {"0000:3D:00.0", CARD},
        {"mtty_mtt", NULL}, {"0000:3d:00.1", NULL},     {"pci_0000:3d:00.0", NULL},
    };
    g_autoptr(fakeHost) fake = hostNew();
    g_autoptr(GPtrArray) parents = virtMdevParentList(fake->host, NULL);
    const virtMdevParent *card = parents->pdata[0], *mtty = parents->pdata[1];
    g_autofree char *types = virtMdevParentDescribeTypes(mtty);
    g_autoptr(GError) error = NULL;

    g_assert_cmpuint(parents->len, ==, 2);
    g_assert_cmpstr(card->nodedev, ==, "pci_0000_3d_00_0");
    g_assert_cmpstr(card->handle.bus, ==, "pci");
    g_assert_cmpstr(mtty->handle.bus, ==, "parent");
    g_assert_cmpstr(types, ==, "mtty-1 (24 free), mtty-2 (1 free)");
    g_assert_cmpstr(virtMdevParentGetType(card, "nvidia-63")->api, ==, "vfio-pci");
    for (guint i = 0; i < G_N_ELEMENTS(words); i++) {
        g_autoptr(virtMdevParent) parent = virtMdevParentFind(fake->host, words[i].written, &error);

        if (words[i].name)
            g_assert_cmpstr(parent->name, ==, words[i].name);
        else
            assertError(&error, VIRT_ERROR_NOT_FOUND, "Those that do are: 0000:3d:00.0, mtty");
    }
}

static void
testNoParents(void)
{
    g_autoptr(fakeHost) fake = fakeHostNew();
    g_autoptr(GError) error = NULL;

    g_assert_null(virtMdevParentFind(fake->host, "mtty", &error));
    assertError(&error, VIRT_ERROR_NOT_FOUND, "no other device does. Load the driver");
}

static bool
create(fakeHost *fake, const char *uuid, const char *type, GError **error)
{
    g_autoptr(virtMdevParent) parent = virtMdevParentFind(fake->host, "mtty", NULL);

    return virtMdevDeviceCreate(fake->host, uuid, parent, type, error);
}

static virtMdev
want(const char *name, const char *value)
{
    virtMdev mdev = {.made = {"mtty_mtty", "mtty-1", 0}, .attrs.count = 1};

    mdev.setting.present = VIRT_SETTING_BIT(VIRT_MDEV_TYPE) | VIRT_SETTING_BIT(VIRT_MDEV_ATTRS);
    g_strlcpy(mdev.attrs.of[0].name, name, sizeof(mdev.attrs.of[0].name));
    g_strlcpy(mdev.attrs.of[0].value, value, sizeof(mdev.attrs.of[0].value));
    return mdev;
}

static void
testLife(void)
{
    g_autoptr(fakeHost) fake = hostNew();
    g_autofree char *before = fakeMdevDump(fake);
    virtMdev wanted = want("speed", "115200"), now;
    g_autofree char *there = NULL;
    g_autofree char *after = NULL;

    g_assert_true(virtMdevDeviceRead(fake->host, ONE, &wanted, &now, NULL));
    g_assert_false(virtMdevExists(&now));
    g_assert_true(create(fake, ONE, "mtty-1", NULL));
    g_assert_true(virtMdevDeviceRead(fake->host, ONE, &wanted, &now, NULL));
    g_assert_cmpstr(now.made.parent, ==, "mtty_mtty"); /* in the words of whoever asks */
    g_assert_cmpstr(now.made.type, ==, "mtty-1");
    g_assert_cmpstr(now.attrs.of[0].value, ==, "9600");
    g_assert_true(virtMdevDeviceSetAttrs(fake->host, ONE, &wanted, &now, NULL));
    there = fakeMdevDump(fake);
    g_assert_nonnull(strstr(there, "mtty mtty-1 23\n  " ONE " hex-mask=0x1"));
    g_assert_nonnull(strstr(there, "speed=115200"));
    g_assert_true(virtMdevDeviceRemove(fake->host, ONE, NULL));
    g_assert_true(virtMdevDeviceRemove(fake->host, ONE, NULL)); /* there is none */
    after = fakeMdevDump(fake);
    g_assert_cmpstr(after, ==, before);
    g_assert_cmpuint(fake->mdevRemoved, ==, 1);
    g_assert_cmpuint(fake->slept, ==, 0);
}

/* What the kernel refuses is said with what would not have been. */
static void
testRefused(void)
{
    g_autoptr(fakeHost) fake = hostNew();
    g_autoptr(GError) error = NULL;

    fakeMdevMake(fake, "mtty", "mtty-2", TWO);
    g_assert_false(create(fake, ONE, "mtty-2", &error));
    assertError(&error, VIRT_ERROR_REFUSED,
                "No space left on device. The types of mtty are: mtty-1 (24 free), mtty-2 (0 free)");
    g_assert_false(create(fake, TWO, "mtty-1", &error));
    assertError(&error, VIRT_ERROR_BUSY, "its UUID is in use");
    g_assert_cmpuint(fake->slept, ==, 0); /* it is there for all to see, so that nobody waits for it to go */
}

/* A UUID that is taken by a device on its way out, and a parent that is busy, are waited for, and not for ever. */
static void
testWait(void)
{
    static const int numbers[] = {EAGAIN, EEXIST};

    for (guint i = 0; i < G_N_ELEMENTS(numbers); i++) {
        g_autoptr(fakeHost) fake = hostNew();
        g_autoptr(GError) error = NULL;

        fake->mdevErrno = numbers[i];
        fake->mdevBusy = 3;
        g_assert_true(create(fake, ONE, "mtty-1", &error));
        g_assert_cmpuint(fake->slept, ==, 20000); /* 5, 5 and 10 ms */
        fake->mdevBusy = 1000;
        g_assert_false(create(fake, TWO, "mtty-1", &error));
        g_assert_nonnull(error);
        g_assert_cmpuint(fake->slept, ==, 20000 + 5030000);
    }
}

static void
testNoGroup(void)
{
    g_autoptr(fakeHost) fake = hostNew();
    g_autoptr(GError) error = NULL;

    fake->mdevNoGroup = true;
    g_assert_false(create(fake, ONE, "mtty-1", &error));
    assertError(&error, VIRT_ERROR_HOST, "has no file in /dev/vfio");
    g_assert_cmpuint(fake->slept, <=, 5030000);
}

/* Nothing is written to a device that is open, for that would never return. */
static void
testOpen(void)
{
    static const struct {
        int number, code;
        const char *part;
    } refusals[] = {
        {EBUSY, VIRT_ERROR_BUSY, "in use: a process has /dev/vfio/112 open"},
        {EMFILE, VIRT_ERROR_HOST, "Cannot tell whether mediated device " ONE " is in use"},
    };
    g_autoptr(fakeHost) fake = hostNew();
    g_autoptr(GError) error = NULL;

    fakeMdevMake(fake, "mtty", "mtty-1", ONE);
    for (guint i = 0; i < G_N_ELEMENTS(refusals); i++) {
        fake->mdevOpen = refusals[i].number;
        g_assert_false(virtMdevDeviceRemove(fake->host, ONE, &error));
        assertError(&error, refusals[i].code, refusals[i].part);
    }
    fakeMdevHold(fake, ONE, 4711);
    for (guint i = 0; i < 2; i++) {
        fake->mdevOpen = i == 0 ? EBUSY : EPERM; /* the daemon's unit does not let it open the file */
        g_assert_false(virtMdevDeviceRemove(fake->host, ONE, &error));
        assertError(&error, VIRT_ERROR_BUSY, "process 4711 has /dev/vfio/112 open");
    }
    g_assert_cmpuint(fake->mdevRemoved, ==, 0);
    fake->mdevOpen = 0;
    fake->mdevStays = EIO;
    g_assert_false(virtMdevDeviceRemove(fake->host, ONE, &error));
    assertError(&error, VIRT_ERROR_REFUSED, "Input/output error. Remove it by hand");
    fake->mdevStays = 0;
    fakeHostFile(fake, NULL, "proc/4711/fd/7");
    fake->mdevOpen = EPERM;
    g_assert_true(virtMdevDeviceRemove(fake->host, ONE, &error));
}

/* Somebody has opened it in between: the kernel removes it later, and nobody here waits for that. */
static void
testOpenedMeanwhile(void)
{
    g_autoptr(fakeHost) fake = hostNew();
    g_autoptr(GError) error = NULL;

    fakeMdevMake(fake, "mtty", "mtty-1", ONE);
    fake->mdevStays = ETIMEDOUT;
    g_assert_true(virtMdevDeviceRemove(fake->host, ONE, &error));
    g_assert_nonnull(strstr(fake->warnings->pdata[0], ONE " was opened while it was being removed"));
}

/* A pipe that nobody reads keeps whoever opens it, as a driver may. */
static void
testWithin(void)
{
    g_autoptr(fakeHost) fake = hostNew();
    g_autofree char *pipe = virtHostPath(fake->host, "pipe");
    g_autofree char *file = virtHostPath(fake->host, "file");
    g_autofree char *text = NULL;
    int fd;

    fakeHostFile(fake, "", "file");
    g_assert_cmpint(virtHostWriteFile(fake->host, file, "1", 10000), ==, 0);
    text = fakeHostRead(fake, "file");
    g_assert_cmpstr(text, ==, "1");
    g_assert_cmpint(mkfifo(pipe, 0600), ==, 0);
    g_assert_cmpint(virtHostWriteFile(fake->host, pipe, "1", 20), ==, -ETIMEDOUT);
    fd = open(pipe, O_RDONLY | O_NONBLOCK | O_CLOEXEC); /* lets it go on */
    g_assert_cmpint(fd, >=, 0);
    close(fd);
    unlink(pipe);
    g_assert_cmpint(virtHostWriteFile(fake->host, pipe, "1", 10000), ==, -ENOENT);
}

/* As mdevctl 1.4.0 writes it. */
#define DEFINITION                                                                                                     \
    "{\n  \"mdev_type\": \"mtty-2\",\n  \"start\": \"manual\",\n  \"attrs\": [\n    {\n"                               \
    "      \"nvidia/vgpu_params\": \"a=1 \\\"x\"\n    },\n    {\n      \"b\": \"2\"\n    }\n  ]\n}"

static void
testDefined(void)
{
    g_autoptr(fakeHost) fake = hostNew();
    g_autoptr(GError) error = NULL;
    virtMdev mdev;

    g_assert_false(virtMdevDefinedRead(fake->host, ONE, &mdev, &error));
    assertError(&error, VIRT_ERROR_NOT_FOUND, "it is not defined");
    fakeHostFile(fake, DEFINITION, "etc/mdevctl.d/mtty/" ONE);
    g_assert_true(virtMdevDefinedRead(fake->host, ONE, &mdev, NULL));
    g_assert_cmpstr(mdev.made.parent, ==, "mtty");
    g_assert_cmpstr(mdev.made.type, ==, "mtty-2");
    g_assert_cmpuint(mdev.attrs.count, ==, 2);
    g_assert_cmpstr(mdev.attrs.of[0].name, ==, "nvidia/vgpu_params");
    g_assert_cmpstr(mdev.attrs.of[0].value, ==, "a=1 \"x");
    g_assert_cmpstr(mdev.attrs.of[1].value, ==, "2");
    g_assert_true(virtSettingHas(&mdev, VIRT_MDEV_ATTRS));
    fakeHostFile(fake, DEFINITION, "etc/mdevctl.d/" CARD "/" ONE);
    g_assert_false(virtMdevDefinedRead(fake->host, ONE, &mdev, &error));
    assertError(&error, VIRT_ERROR_INVALID, "at the parents " CARD " and mtty");
}

static void
testDefinedTexts(void)
{
    static const char *const good[] = {
        "{\"mdev_type\":\"a\"}",
        " {\t\"mdev_type\" : \"a\" , \"attrs\" : [ ] }\n",
        "{\"new\": [1, {\"a\": [true, null]}, \"]\"], \"mdev_type\": \"a\", \"attrs\": [{}, {\"x\": \"\\u0031\\/\"}]}",
        "{\"n\": -1.5e3, \"t\": true, \"o\": {}, \"mdev_type\": \"a\"}",
    };
    static const char *const bad[] = {
        "",
        "{}",
        "{\"mdev_type\":\"a\"",
        "{\"mdev_type\":\"a\"} x",
        "{\"mdev_type\":\"a\",}",
        "{\"mdev_type\":1}",
        "{\"mdev_type\":\"a",
        "{\"mdev_type\":\"a\\",
        "{\"mdev_type\":\"a\\u00\"}",
        "{\"mdev_type\":\"a\\u00e9\"}",
        "{\"mdev_type\":\"a\\n\"}",
        "{\"mdev_type\":\"\303\251\"}",
        "{\"mdev_type\":\"a\",\"attrs\":{}}",
        "{\"mdev_type\":\"a\",\"attrs\":[{\"remove\":\"1\"}]}",
        "{\"mdev_type\":\"a\",\"attrs\":[{\"../x\":\"1\"}]}",
        "{\"mdev_type\":\"a\",\"attrs\":[{\"x\":\"\"}]}",
        "{\"mdev_type\":\"a\",\"attrs\":[{\"x\":1}]}",
        "{\"mdev_type\":\"a\",\"mdev_type\":\"b\"}",
        "{\"mdev_type\":\"a\",\"n\":}",
        "{\"mdev_type\":\"a\",\"n\":[",
    };
    g_autoptr(fakeHost) fake = hostNew();
    g_autofree char *longest = g_strnfill(VIRT_MDEV_DEFINED_MAX - strlen("{\"mdev_type\":\"a\"}"), ' ');
    g_autofree char *longer = NULL;
    virtMdev mdev;

    for (guint i = 0; i < G_N_ELEMENTS(good); i++) {
        fakeHostFile(fake, good[i], "etc/mdevctl.d/mtty/" ONE);
        g_assert_true(virtMdevDefinedRead(fake->host, ONE, &mdev, NULL));
        g_assert_cmpstr(mdev.made.type, ==, "a");
    }
    for (guint i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autoptr(GError) error = NULL;

        fakeHostFile(fake, bad[i], "etc/mdevctl.d/mtty/" ONE);
        if (virtMdevDefinedRead(fake->host, ONE, &mdev, &error))
            g_error("'%s' is taken", bad[i]);
        assertError(&error, VIRT_ERROR_INVALID, "is not one that mdevctl writes");
    }
    longer = g_strconcat("{\"mdev_type\":\"a\"}", longest, " ", NULL);
    fakeHostFile(fake, longer, "etc/mdevctl.d/mtty/" ONE);
    g_assert_false(virtMdevDefinedRead(fake->host, ONE, &mdev, NULL));
    longer[strlen(longer) - 1] = '\0';
    fakeHostFile(fake, longer, "etc/mdevctl.d/mtty/" ONE);
    g_assert_true(virtMdevDefinedRead(fake->host, ONE, &mdev, NULL));
}

static void
testAttributes(void)
{
    static const struct {
        const char *name, *value, *problem;
    } values[] = {
        {"speed", "115200", NULL},
        {"vendor/params", "frame_rate_limiter=0", NULL},
        {"hex-mask", "16", NULL}, /* shown as 0x10 */
        {"wo-assign", "5", NULL}, /* cannot be read */
        {"ro-kind", "other", "was set to 'other' and shows 'stays'"},
        {"missing", "1", "devices of this type have none"},
        {"mdev_link/name", "1", "it belongs to another device"},
    };
    g_autoptr(fakeHost) fake = hostNew();
    g_autofree char *link = virtHostPath(fake->host, "sys/class/mdev_bus/mtty/" ONE "/mdev_link");

    fakeMdevMake(fake, "mtty", "mtty-1", ONE);
    g_assert_cmpint(symlink("../mdev_supported_types/mtty-1", link), ==, 0);
    for (guint i = 0; i < G_N_ELEMENTS(values); i++) {
        virtMdev wanted = want(values[i].name, values[i].value), now;
        g_autoptr(GError) error = NULL;
        bool ok;

        g_assert_true(virtMdevDeviceRead(fake->host, ONE, &wanted, &now, NULL));
        ok = virtMdevDeviceSetAttrs(fake->host, ONE, &wanted, &now, &error);
        if (values[i].problem)
            assertError(&error, VIRT_ERROR_REFUSED, values[i].problem);
        g_assert_true(ok == !values[i].problem);
    }
}

static void
testNames(void)
{
    static const char *const good[] = {"speed", "nvidia/vgpu_params", "_x", "a.b:c-d", NULL};
    static const char *const bad[] = {
        "",    "remove", "driver/unbind", "iommu_group/devices", "../x", "a/../b", "/x", "x/", "a/b/c", "power/control",
        "a b", ".x",     "uevent",        "mdev_type/name",      NULL};
    g_autofree char *longest = g_strnfill(VIRT_MDEV_NAME_MAX, 'a');
    g_autofree char *longer = g_strnfill(VIRT_MDEV_NAME_MAX + 1, 'a');

    for (guint i = 0; good[i]; i++)
        g_assert_true(virtMdevIsAttribute(good[i]));
    for (guint i = 0; bad[i]; i++)
        g_assert_false(virtMdevIsAttribute(bad[i]));
    g_assert_true(virtMdevIsAttribute(longest));
    g_assert_false(virtMdevIsAttribute(longer));
    g_assert_true(virtMdevValueIs("0x10", "16"));
    g_assert_false(virtMdevValueIs("0x10", "17"));
    g_assert_false(virtMdevValueIs("", "0"));
    g_assert_false(virtMdevValueIs("1x", "1"));
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/mdev/parents", testParents);
    g_test_add_func("/mdev/no-parents", testNoParents);
    g_test_add_func("/mdev/life", testLife);
    g_test_add_func("/mdev/refused", testRefused);
    g_test_add_func("/mdev/wait", testWait);
    g_test_add_func("/mdev/no-group", testNoGroup);
    g_test_add_func("/mdev/open", testOpen);
    g_test_add_func("/mdev/opened-meanwhile", testOpenedMeanwhile);
    g_test_add_func("/mdev/within", testWithin);
    g_test_add_func("/mdev/defined", testDefined);
    g_test_add_func("/mdev/defined-texts", testDefinedTexts);
    g_test_add_func("/mdev/attributes", testAttributes);
    g_test_add_func("/mdev/names", testNames);
    return g_test_run();
}
