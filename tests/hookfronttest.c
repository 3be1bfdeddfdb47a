/* hookfronttest.c: when virt-hostdev-hook loads the part that does the work, and when it need not
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * hook.c is in here, with a directory of records and a standard input of the test's own; instead of the module a
 * function is called that notes what it was given.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static int standardInput;
static bool isInstalled, isLoaded;
static char *stateDir;

int virtHookMain(int argc, char **argv);
static int noteRun(int argc, char **argv, const void *input);
#undef STDIN_FILENO
#define STDIN_FILENO standardInput
#define VIRT_HOOK_STATE_DIR stateDir
#define dlopen(name, flags) (isInstalled ? &standardInput : NULL)
#define dlsym(module, name) ((void *)noteRun)
#define main virtHookMain
#include "hook/hook.c"
#undef main

#define PLAIN "<domain><name>vm</name></domain>"
#define HOSTDEV "<domain><hostdev type='usb'/></domain>"
#define NETDEV "<domain><netdev/></domain>"
#define METADATA "<domain><h xmlns='urn:libvirt-hostdev:1'/></domain>"
#define INTERFACE "<domain><interface type='network'/></domain>"
#define GRANTED "<domain><interface type='hostdev'/></domain>"
#define VDPA "<domain><interface type='vdpa'><mac address='52:54:00:00:00:01'/></interface></domain>"

enum { MODULE_CODE = 42 };

static int
noteRun(int argc, char **argv, const void *opaque)
{
    const virtHookInput *input = opaque;

    isLoaded = true;
    if (argc > 3 && input->xml) {
        g_assert_cmpuint(input->len, ==, lseek(standardInput, 0, SEEK_END));
        g_assert_cmpint(input->xml[input->len], ==, '\0');
    }
    return MODULE_CODE;
}

/* Run the hook with @xml as its standard input, NULL: with one that cannot be read. */
static int
runHook(const char *operation, const char *sub, const char *xml, gsize len)
{
    char *argv[] = {(char *)"hook", (char *)"vm", (char *)operation, (char *)sub, (char *)"-", NULL};
    int code;

    standardInput = xml ? memfd_create("xml", MFD_CLOEXEC) : open("/", O_RDONLY | O_CLOEXEC);
    g_assert_cmpint(standardInput, >=, 0);
    if (xml) {
        g_assert_cmpint(write(standardInput, xml, len), ==, len);
        lseek(standardInput, 0, SEEK_SET);
    }
    isLoaded = false;
    code = virtHookMain(5, argv);
    close(standardInput);
    return code;
}

static void
testDocuments(void)
{
    static const struct {
        const char *operation, *sub, *xml;
        bool loads;
    } cases[] = {
        {"prepare", "begin", PLAIN, false},
        {"prepare", "begin", "", false},
        {"prepare", "begin", HOSTDEV, true},
        {"prepare", "begin", NETDEV, true},
        {"prepare", "begin", METADATA, true},
        {"prepare", "begin", NULL, true},
        {"prepare", "end", NETDEV, false},
        {"reconnect", "begin", PLAIN, false},
        {"reconnect", "begin", HOSTDEV, false},
        {"reconnect", "begin", NETDEV, true},
        {"reconnect", "other", METADATA, true},
        {"reconnect", "begin", NULL, true},
        {"start", "begin", NETDEV, false},
        {"started", "begin", NETDEV, false},
        {"migrate", "begin", PLAIN, false},
        {"restore", "begin", HOSTDEV, false},
        {"migrate", "begin", METADATA, true},
        {"restore", "begin", METADATA, true},
        {"migrate", "end", METADATA, false},
        {"restore", "begin", NULL, true},
        {"stopped", "begin", NETDEV, false},
        {"prepared", "begin", NETDEV, false},
        {"start", "begin", INTERFACE, false},
        {"start", "begin", METADATA INTERFACE, true},
        {"start", "end", METADATA INTERFACE, false},
        {"start", "begin", METADATA VDPA, false},
        {"start", "begin", METADATA VDPA VDPA INTERFACE, true},
        {"start", "begin", METADATA GRANTED, true},
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        const char *xml = cases[i].xml;

        g_test_message("%s %s: %s", cases[i].operation, cases[i].sub, xml);
        g_assert_cmpint(runHook(cases[i].operation, cases[i].sub, xml, xml ? strlen(xml) : 0), ==,
                        cases[i].loads ? MODULE_CODE : 0);
        g_assert_cmpint(isLoaded, ==, cases[i].loads);
    }
}

/* A document is read to its end, past what a pipe holds; one that is too long has to be refused by the module. */
static void
testLong(void)
{
    gsize max = VIRT_XML_WRITTEN_MAX;
    g_autofree char *xml = g_malloc(max + 1);

    memset(xml, ' ', max + 1);
    g_assert_cmpint(runHook("prepare", "begin", xml, max), ==, 0);
    g_assert_cmpint(runHook("prepare", "begin", xml, max + 1), ==, MODULE_CODE);
    memcpy(xml + max - strlen("<netdev"), "<netdev", strlen("<netdev"));
    g_assert_cmpint(runHook("prepare", "begin", xml, max), ==, MODULE_CODE);
}

static void
touch(const char *name)
{
    g_autofree char *path = g_build_filename(stateDir, name, NULL);

    g_assert_true(g_file_set_contents(path, "", 0, NULL));
}

static void
assertRelease(int code)
{
    g_assert_cmpint(runHook("stopped", "end", PLAIN, strlen(PLAIN)), ==, code);
    g_assert_cmpint(runHook("release", "end", NULL, 0), ==, code);
}

static void
testRecords(void)
{
    assertRelease(0); /* no directory */
    g_assert_cmpint(g_mkdir(stateDir, 0700), ==, 0);
    assertRelease(0);
    touch("0000:06:00.0.lock");
    touch(".0000:06:02.0.new");
    assertRelease(0);
    g_assert_cmpint(g_chmod(stateDir, 0755), ==, 0);
    assertRelease(MODULE_CODE); /* which says that it cannot be trusted */
    g_assert_cmpint(g_chmod(stateDir, 0700), ==, 0);
    touch("0000:06:02.0");
    assertRelease(MODULE_CODE);
}

static void
testNotInstalled(void)
{
    isInstalled = false;
    g_assert_cmpint(runHook("prepare", "begin", PLAIN, strlen(PLAIN)), ==, 0);
    g_assert_cmpint(runHook("prepare", "begin", NETDEV, strlen(NETDEV)), ==, 1);
    g_assert_cmpint(runHook("reconnect", "begin", NETDEV, strlen(NETDEV)), ==, 0);
    g_assert_cmpint(virtHookMain(1, (char *[]){(char *)"hook", NULL}), ==, 1);
    isInstalled = true;
    g_assert_cmpint(virtHookMain(1, (char *[]){(char *)"hook", NULL}), ==, MODULE_CODE);
}

int
main(int argc, char **argv)
{
    g_autofree char *dir = g_dir_make_tmp("hookfront-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(dir, "state", NULL);
    g_autofree char *command = g_strdup_printf("rm -rf '%s'", dir);
    int code;

    g_test_init(&argc, &argv, NULL);
    stateDir = path;
    isInstalled = true;
    g_test_add_func("/hookfront/documents", testDocuments);
    g_test_add_func("/hookfront/long", testLong);
    g_test_add_func("/hookfront/records", testRecords);
    g_test_add_func("/hookfront/not-installed", testNotInstalled);
    code = g_test_run();
    g_assert_true(g_spawn_command_line_sync(command, NULL, NULL, NULL, NULL));
    return code;
}
