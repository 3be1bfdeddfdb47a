/* statefiletest.c: records that are whole or not there, a directory that is not believed, locks
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "fakehost.h"
#include "util/virerror.h"
#include "util/virstatefile.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define NAME "0000:01:10.0"
#define FILE_PATH VIRT_STATE_DIR "/" NAME

static char *
path(fakeHost *fake, const char *relative)
{
    return virtHostPath(fake->host, "%s", relative);
}

static void
assertError(GError **error, int code, const char *part)
{
    g_assert_error(*error, VIRT_ERROR, code);
    if (!strstr((*error)->message, part))
        g_error("\"%s\" is not in: %s", part, (*error)->message);
    g_clear_error(error);
}

static void
put(fakeHost *fake, const char *name, const char *text)
{
    g_autoptr(GError) error = NULL;
    bool ok = virtStateFileWrite(fake->host, name, text, &error);
    g_assert_no_error(error);
    g_assert_true(ok);
}

static void
assertRecord(fakeHost *fake, const char *name, const char *expected)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *text = virtStateFileRead(fake->host, name, &error);
    g_assert_no_error(error);
    g_assert_cmpstr(text, ==, expected);
}

/* Everything in the directory, temporary files too, as "a b". */
static char *
listDirectory(fakeHost *fake)
{
    g_autofree char *dir = path(fake, VIRT_STATE_DIR);
    g_autoptr(GDir) open = g_dir_open(dir, 0, NULL);
    GString *names = g_string_new(NULL);
    for (const char *name; (name = g_dir_read_name(open));)
        g_string_append_printf(names, "%s%s", names->len ? " " : "", name);
    return g_string_free(names, FALSE);
}

static void
assertDirectory(fakeHost *fake, const char *expected)
{
    g_autofree char *names = listDirectory(fake);
    g_assert_cmpstr(names, ==, expected);
}

/* Nothing but so many records. */
static void
assertCount(fakeHost *fake, guint expected)
{
    g_autofree char *names = listDirectory(fake);
    g_auto(GStrv) split = g_strsplit(names, " ", -1);
    g_assert_cmpuint(g_strv_length(split), ==, expected);
    g_assert_null(strstr(names, " ."));
}

static guint
getMode(fakeHost *fake, const char *relative)
{
    struct stat st;
    g_autofree char *file = path(fake, relative);
    g_assert_cmpint(lstat(file, &st), ==, 0);
    return st.st_mode & 07777;
}

static void
testWhole(void)
{
    g_autoptr(fakeHost) fake = fakeHostNew();
    g_autoptr(GError) error = NULL;
    /* Looking makes nothing. */
    g_autoptr(GPtrArray) none = virtStateFileList(fake->host, &error);
    g_assert_cmpuint(none->len, ==, 0);
    g_assert_null(virtStateFileRead(fake->host, NAME, &error));
    assertError(&error, VIRT_ERROR_NOT_FOUND, VIRT_STATE_DIR);
    g_assert_true(virtStateFileRemove(fake->host, NAME, &error));
    g_autofree char *dir = path(fake, VIRT_STATE_DIR);
    g_assert_false(g_file_test(dir, G_FILE_TEST_EXISTS));

    mode_t mask = umask(0);
    put(fake, NAME, "one");
    umask(mask);
    g_assert_cmphex(getMode(fake, VIRT_STATE_DIR), ==, 0700);
    g_assert_cmphex(getMode(fake, FILE_PATH), ==, 0600);
    assertRecord(fake, NAME, "one");
    put(fake, NAME, "and the second");
    assertRecord(fake, NAME, "and the second");
    put(fake, NAME, "");
    assertRecord(fake, NAME, "");
    assertDirectory(fake, NAME);
    g_assert_true(virtStateFileRemove(fake->host, NAME, &error));
    g_assert_true(virtStateFileRemove(fake->host, NAME, &error));
    g_assert_null(virtStateFileRead(fake->host, NAME, &error));
    assertError(&error, VIRT_ERROR_NOT_FOUND, NAME);
}

static void
testNames(void)
{
    static const char *const bad[] = {
        "",
        ".",
        "..",
        "/etc/passwd",
        "../0000:01:10.0",
        "0000:01:10.0/../x",
        "0000:01:10.0/x",
        "0000:01:10.0.lock",
        ".0000:01:10.0",
        "0000:01:10",
        "01:10.0",
        "0000:01:10.8",
        "0000:01:10.0..x",
        "0000:01:10.0.x..",
        "0000:01:10.0x",
        "0000:01:10.0 ",
        "0000:01:10.0-A",
        "0000:01:10.0-a-name-that-is-much-longer-than-any-name-here-ever-has-to-be",
        "0000:01:1F.0",
        "junk",
        "mdev-",
        "-c5f5e1a2",
        "Mdev-c5f5e1a2",
        "mdev-a/b",
        "mdev-.a",
        "mdev-a..b",
        "mdev-a.lock",
        "pci-0000:01:10.0",
    };
    static const char *const good[] = {"0000:01:10.0",     "10000:e1:00.7", "0000:01:10.0-old",
                                       "0000:01:10.0.xml", "mdev-c5f5e1a2", "vdpa-Blue_0.1:x"};
    g_autoptr(fakeHost) fake = fakeHostNew();
    g_autoptr(GError) error = NULL;
    for (guint i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_assert_false(virtStateFileWrite(fake->host, bad[i], "x", &error));
        assertError(&error, VIRT_ERROR_INVALID, "cannot name a state file");
        g_assert_null(virtStateFileRead(fake->host, bad[i], &error));
        assertError(&error, VIRT_ERROR_INVALID, "cannot name a state file");
        g_assert_false(virtStateFileRemove(fake->host, bad[i], &error));
        assertError(&error, VIRT_ERROR_INVALID, "cannot name a state file");
        g_assert_null(virtStateLockTake(fake->host, bad[i], &error));
        assertError(&error, VIRT_ERROR_INVALID, "cannot name a state file");
    }
    for (guint i = 0; i < G_N_ELEMENTS(good); i++)
        put(fake, good[i], good[i]);
    fakeHostFile(fake, "x", "%s/junk", VIRT_STATE_DIR);
    fakeHostFile(fake, "x", "%s/.0000:01:10.0.12345678", VIRT_STATE_DIR);
    g_autoptr(virtStateLock) lock = virtStateLockTake(fake->host, "0000:01:00.0", &error);
    g_assert_nonnull(lock);
    g_autoptr(GPtrArray) names = virtStateFileList(fake->host, &error);
    g_assert_cmpuint(names->len, ==, 6);
    g_assert_cmpstr(names->pdata[0], ==, "0000:01:10.0");
    g_assert_cmpstr(names->pdata[1], ==, "0000:01:10.0-old");
    g_assert_cmpstr(names->pdata[2], ==, "0000:01:10.0.xml");
    g_assert_cmpstr(names->pdata[3], ==, "10000:e1:00.7");
}

/* Every operation refuses a directory that @prepare has made untrustworthy. */
static void
assertUntrusted(fakeHost *fake, const char *part)
{
    g_autoptr(GError) error = NULL;
    g_assert_false(virtStateFileWrite(fake->host, NAME, "x", &error));
    assertError(&error, VIRT_ERROR_HOST, part);
    g_assert_null(virtStateFileRead(fake->host, NAME, &error));
    assertError(&error, VIRT_ERROR_HOST, part);
    g_assert_false(virtStateFileRemove(fake->host, NAME, &error));
    assertError(&error, VIRT_ERROR_HOST, part);
    g_assert_null(virtStateFileList(fake->host, &error));
    assertError(&error, VIRT_ERROR_HOST, part);
    g_assert_null(virtStateLockTake(fake->host, "0000:01:00.0", &error));
    assertError(&error, VIRT_ERROR_HOST, part);
}

static void
testDirectory(void)
{
    g_autoptr(fakeHost) fake = fakeHostNew();
    g_autofree char *dir = path(fake, VIRT_STATE_DIR);
    g_autofree char *other = path(fake, "run/other");
    put(fake, NAME, "x");
    for (guint bit = 1; bit <= 040; bit <<= 1) {
        g_assert_cmpint(chmod(dir, 0700 | bit), ==, 0);
        assertUntrusted(fake, "expected owner");
    }
    g_assert_cmpint(chmod(dir, 0700), ==, 0);
    if (geteuid() == 0) {
        g_assert_cmpint(chown(dir, 1, 0), ==, 0);
        assertUntrusted(fake, "it has owner 1");
        g_assert_cmpint(chown(dir, 0, 0), ==, 0);
    }
    g_assert_cmpint(rename(dir, other), ==, 0);
    g_assert_cmpint(symlink("other", dir), ==, 0);
    assertUntrusted(fake, "Not a directory");
    g_assert_cmpint(unlink(dir), ==, 0);
    g_assert_true(g_file_set_contents(dir, "x", 1, NULL));
    assertUntrusted(fake, "Not a directory");
}

/* It is not read, and nothing is added to it. */
static void
assertNotOurs(fakeHost *fake)
{
    const virtStateText more = {NAME, "+"};
    g_autoptr(GError) error = NULL;
    g_assert_null(virtStateFileRead(fake->host, NAME, &error));
    assertError(&error, VIRT_ERROR_INVALID, "not a regular file that only this user can write");
    g_assert_false(virtStateFileAppendMany(fake->host, &more, 1, &error));
    assertError(&error, VIRT_ERROR_HOST, "Operation not permitted");
}

static void
testNotOurs(void)
{
    g_autoptr(fakeHost) fake = fakeHostNew();
    g_autoptr(GError) error = NULL;
    g_autofree char *file = path(fake, FILE_PATH), *target = path(fake, "target");
    g_autofree char *lock = path(fake, VIRT_STATE_DIR "/0000:01:00.0.lock");
    put(fake, NAME, "x");
    g_assert_cmpint(chmod(file, 0620), ==, 0);
    assertNotOurs(fake);
    g_assert_cmpint(chmod(file, 0600), ==, 0);
    if (geteuid() == 0) {
        g_assert_cmpint(chown(file, 1, 1), ==, 0);
        assertNotOurs(fake);
    }
    g_assert_cmpint(unlink(file), ==, 0);
    g_assert_cmpint(mkfifo(file, 0600), ==, 0);
    int reader = open(file, O_RDONLY | O_NONBLOCK | O_CLOEXEC); /* so that it can be opened for writing */
    assertNotOurs(fake);
    close(reader);
    g_assert_cmpint(unlink(file), ==, 0);
    g_assert_cmpint(mkfifo(lock, 0600), ==, 0);
    g_assert_null(virtStateLockTake(fake->host, "0000:01:00.0", &error));
    assertError(&error, VIRT_ERROR_HOST, "not a regular file that only this user can write");
    g_assert_cmpint(unlink(lock), ==, 0);
    fakeHostFile(fake, "secret", "target");
    g_assert_cmpint(symlink(target, file), ==, 0);
    g_assert_cmpint(symlink(target, lock), ==, 0);
    g_assert_null(virtStateFileRead(fake->host, NAME, &error));
    assertError(&error, VIRT_ERROR_INVALID, "Too many levels of symbolic links");
    g_assert_false(virtStateFileAppendMany(fake->host, &(virtStateText){NAME, "+"}, 1, &error));
    assertError(&error, VIRT_ERROR_HOST, "Too many levels of symbolic links");
    g_assert_null(virtStateLockTake(fake->host, "0000:01:00.0", &error));
    assertError(&error, VIRT_ERROR_HOST, "Too many levels of symbolic links");
    /* A write puts a file in the link's place and leaves what it pointed to. */
    put(fake, NAME, "mine");
    assertRecord(fake, NAME, "mine");
    g_autofree char *kept = fakeHostRead(fake, "target");
    g_assert_cmpstr(kept, ==, "secret");
}

static void
testSizes(void)
{
    g_autoptr(fakeHost) fake = fakeHostNew();
    g_autoptr(GError) error = NULL;
    g_autofree char *most = g_strnfill(VIRT_STATE_MAX, 'x');
    g_autofree char *more = g_strnfill(VIRT_STATE_MAX + 1, 'x');
    g_autofree char *file = path(fake, FILE_PATH);
    put(fake, NAME, most);
    assertRecord(fake, NAME, most);
    g_assert_false(virtStateFileWrite(fake->host, NAME, more, &error));
    assertError(&error, VIRT_ERROR_INVALID, "at most");
    assertRecord(fake, NAME, most);
    int fd = open(file, O_WRONLY | O_APPEND | O_CLOEXEC);
    g_assert_cmpint(write(fd, "x", 1), ==, 1);
    g_assert_null(virtStateFileRead(fake->host, NAME, &error));
    assertError(&error, VIRT_ERROR_INVALID, "it is longer than 262144 bytes");
    g_assert_cmpint(ftruncate(fd, 0), ==, 0);
    g_assert_cmpint(write(fd, "a\0b", 3), ==, 3);
    close(fd);
    g_assert_null(virtStateFileRead(fake->host, NAME, &error));
    assertError(&error, VIRT_ERROR_INVALID, "NUL");
}

/* The file system is full after 1000 bytes: a short write, then EFBIG. */
static void
testShortWrite(void)
{
    g_autoptr(fakeHost) fake = fakeHostNew();
    g_autoptr(GError) error = NULL;
    g_autofree char *text = g_strnfill(5000, 'y');
    struct rlimit old, small;
    put(fake, NAME, "old");
    g_assert_cmpint(getrlimit(RLIMIT_FSIZE, &old), ==, 0);
    small = old;
    small.rlim_cur = 1000;
    signal(SIGXFSZ, SIG_IGN);
    g_assert_cmpint(setrlimit(RLIMIT_FSIZE, &small), ==, 0);
    bool ok = virtStateFileWrite(fake->host, NAME, text, &error);
    g_assert_cmpint(setrlimit(RLIMIT_FSIZE, &old), ==, 0);
    g_assert_false(ok);
    assertError(&error, VIRT_ERROR_HOST, "File too large");
    assertRecord(fake, NAME, "old");
    assertDirectory(fake, NAME);
}

/* Write some, and expect so many of them to be there; returns what was wrong. */
static GError *
writeMany(fakeHost *fake, const virtStateText *files, guint n, guint expected)
{
    g_auto(virtStateBatch) batch = {0};
    GError *error = NULL;
    bool ok = virtStateFileWriteMany(fake->host, files, n, &batch, &error);
    g_assert_cmpuint(batch.written, ==, expected);
    g_assert_true(ok == (error == NULL));
    return error;
}

/* Many at once: up to the one that fails, and no further. */
static void
testMany(void)
{
    g_autoptr(fakeHost) fake = fakeHostNew();
    g_autoptr(virtHostReads) reads G_GNUC_UNUSED = virtHostReadOnce(fake->host); /* as those who have many do */
    g_autoptr(GError) error = NULL;
    const virtStateText first[] = {{NAME, "one\n"}, {"0000:06:02.1", "two\n"}, {"0000:06:02.2", "three\n"}};
    const virtStateText more[] = {{NAME, "+"}, {"0000:06:02.1", "+"}, {"0000:06:02.2", "+"}};
    error = writeMany(fake, first, 3, 3);
    g_assert_no_error(error);
    g_assert_true(virtStateFileAppendMany(fake->host, more, 3, &error));
    assertRecord(fake, "0000:06:02.2", "three\n+");
    g_assert_true(virtStateFileRemove(fake->host, "0000:06:02.1", &error));
    g_assert_false(virtStateFileAppendMany(fake->host, more, 3, &error));
    assertError(&error, VIRT_ERROR_HOST, "0000:06:02.1: No such file");
    assertRecord(fake, NAME, "one\n++");
    assertRecord(fake, "0000:06:02.2", "three\n+");
    fakeHostFile(fake, "x", VIRT_STATE_DIR "/0000:06:02.1/in/the/way");
    error = writeMany(fake, first, 3, 1);
    assertError(&error, VIRT_ERROR_HOST, "0000:06:02.1");
    assertRecord(fake, NAME, "one\n");
    assertRecord(fake, "0000:06:02.2", "three\n+");
    const virtStateText bad[] = {{NAME, "1"}, {"../escape", "2"}};
    error = writeMany(fake, bad, 2, 0);
    assertError(&error, VIRT_ERROR_INVALID, "escape");
    assertRecord(fake, NAME, "one\n");
    const virtStateText forged[] = {{NAME, "1"}, {"0000:06:02.2", "2\n\n#" NAME "\n3"}};
    error = writeMany(fake, forged, 2, 0);
    assertError(&error, VIRT_ERROR_INVALID, "where another record would begin");
    assertRecord(fake, NAME, "one\n");
}

/* Records that were written together share files, and each of them is still its own. */
static void
testShared(void)
{
    enum { MANY = 40 };
    g_autoptr(fakeHost) fake = fakeHostNew();
    g_autoptr(GPtrArray) strings = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GError) error = NULL;
    g_auto(virtStateBatch) batch = {0};
    virtStateText files[MANY];
    struct stat st, other;
    for (guint i = 0; i < MANY; i++) {
        g_ptr_array_add(strings, g_strdup_printf("0000:06:%02x.%u", i / 8, i % 8));
        files[i].name = strings->pdata[i * 2];
        g_ptr_array_add(strings, g_strdup_printf("record %u\n", i));
        files[i].text = strings->pdata[i * 2 + 1];
    }
    put(fake, files[3].name, "an old one\n");
    put(fake, files[MANY - 1].name, "another\n");
    g_assert_true(virtStateFileWriteMany(fake->host, files, MANY, &batch, &error));
    g_assert_cmpuint(batch.written, ==, MANY);
    g_assert_cmpuint(batch.count, <, MANY / 4);
    for (guint i = 0; i < MANY; i++)
        assertRecord(fake, files[i].name, files[i].text);
    assertCount(fake, MANY);
    g_autofree char *first = virtHostPath(fake->host, VIRT_STATE_DIR "/%s", files[0].name);
    g_autofree char *second = virtHostPath(fake->host, VIRT_STATE_DIR "/%s", files[1].name);
    g_assert_cmpint(stat(first, &st), ==, 0);
    g_assert_cmpint(stat(second, &other), ==, 0);
    g_assert_cmpuint(st.st_ino, ==, other.st_ino);
    g_assert_cmpuint(st.st_nlink, <, MANY / 2); /* nothing is read that is much longer than itself */

    put(fake, files[1].name, "alone\n"); /* from now on */
    g_assert_true(virtStateFileRemove(fake->host, files[2].name, &error));
    g_assert_true(virtStateBatchAppend(fake->host, &batch, "all\n", &error));
    const virtStateText more[] = {
        {files[0].name, "its own, cut"}, {files[3].name, "3's\n"}, {files[0].name, "again\n"}};
    g_assert_true(virtStateFileAppendMany(fake->host, more, 3, &error));
    assertRecord(fake, files[0].name, "record 0\nall\nits own, cutagain\n");
    assertRecord(fake, files[1].name, "alone\n");
    g_assert_null(virtStateFileRead(fake->host, files[2].name, &error));
    assertError(&error, VIRT_ERROR_NOT_FOUND, files[2].name);
    assertRecord(fake, files[3].name, "record 3\nall\n3's\n");
    assertRecord(fake, files[MANY - 1].name, "record 39\nall\n");
    assertCount(fake, MANY - 1);
}

/* What was added last has been cut off at any byte, and something is added behind that. */
static void
testCut(void)
{
    static const char section[] = "\n\n#" NAME "\nits own\n";

    for (gsize len = 0; len < sizeof(section); len++) {
        g_autoptr(fakeHost) fake = fakeHostNew();
        g_autoptr(GError) error = NULL;
        g_autofree char *file = path(fake, FILE_PATH);
        const virtStateText more = {NAME, "again\n"};

        put(fake, NAME, "record\n");
        FILE *out = fopen(file, "a");
        g_assert_cmpuint(fwrite(section, 1, len, out), ==, len);
        g_assert_cmpint(fclose(out), ==, 0);
        g_assert_true(virtStateFileAppendMany(fake->host, &more, 1, &error));
        g_autofree char *text = virtStateFileRead(fake->host, NAME, &error);
        g_assert_no_error(error);
        g_assert_true(g_str_has_prefix(text, "record\n") && g_str_has_suffix(text, "again\n"));
        g_assert_cmpuint(strlen(text), <=, strlen("record\n\n\nits own\nagain\n"));
    }
}

/* The rename fails: a directory is in the way. */
static void
testNoRename(void)
{
    g_autoptr(fakeHost) fake = fakeHostNew();
    g_autoptr(GError) error = NULL;
    put(fake, NAME, "x");
    g_assert_true(virtStateFileRemove(fake->host, NAME, &error));
    fakeHostFile(fake, "x", FILE_PATH "/in/the/way");
    g_assert_false(virtStateFileWrite(fake->host, NAME, "new", &error));
    assertError(&error, VIRT_ERROR_HOST, "Cannot write state file");
    assertDirectory(fake, NAME);
    g_assert_false(virtStateFileRemove(fake->host, NAME, &error));
    assertError(&error, VIRT_ERROR_HOST, "Cannot remove state file");
}

static void
testLock(void)
{
    g_autoptr(fakeHost) fake = fakeHostNew();
    g_autoptr(GError) error = NULL;
    virtStateLock *lock = virtStateLockTake(fake->host, "0000:01:00.0", &error);
    g_assert_nonnull(lock);
    g_autoptr(virtStateLock) other = virtStateLockTake(fake->host, "0000:02:00.0", &error);
    g_assert_nonnull(other);
    g_assert_cmpuint(fake->slept, ==, 0);
    g_assert_null(virtStateLockTake(fake->host, "0000:01:00.0", &error));
    assertError(&error, VIRT_ERROR_BUSY, "0000:01:00.0.lock was not free for 30 seconds");
    g_assert_cmpuint(fake->slept, >=, 30 * G_USEC_PER_SEC);
    g_assert_cmpuint(fake->slept, <, 31 * G_USEC_PER_SEC);
    virtStateLockRelease(lock);
    g_autoptr(virtStateLock) again = virtStateLockTake(fake->host, "0000:01:00.0", &error);
    g_assert_nonnull(again);
    g_assert_cmphex(getMode(fake, VIRT_STATE_DIR "/0000:01:00.0.lock"), ==, 0600);
}

/* A holder that dies leaves no lock. */
static void
testLockOfTheDead(void)
{
    g_autoptr(fakeHost) fake = fakeHostNew();
    g_autoptr(GError) error = NULL;
    int ready[2], status;
    char byte;
    g_assert_cmpint(pipe(ready), ==, 0);
    pid_t child = fork();
    if (child == 0) {
        if (!virtStateLockTake(fake->host, "0000:01:00.0", NULL) || write(ready[1], "x", 1) != 1)
            _exit(1);
        for (;;)
            pause();
    }
    g_assert_cmpint(read(ready[0], &byte, 1), ==, 1);
    g_assert_null(virtStateLockTake(fake->host, "0000:01:00.0", &error));
    assertError(&error, VIRT_ERROR_BUSY, "lock");
    g_assert_cmpint(kill(child, SIGKILL), ==, 0);
    g_assert_cmpint(waitpid(child, &status, 0), ==, child);
    g_autoptr(virtStateLock) lock = virtStateLockTake(fake->host, "0000:01:00.0", &error);
    g_assert_no_error(error);
    g_assert_nonnull(lock);
    close(ready[0]);
    close(ready[1]);
}

/* A process without standard input gets 0 as its first descriptor. */
static void
testDescriptorZero(void)
{
    g_autoptr(fakeHost) fake = fakeHostNew();
    int input = dup(STDIN_FILENO);
    put(fake, NAME, "text");
    close(STDIN_FILENO);
    {
        g_autoptr(virtHostReads) reads G_GNUC_UNUSED = virtHostReadOnce(fake->host);
        assertRecord(fake, NAME, "text");
        g_assert_cmpint(fake->host->stateDir, ==, STDIN_FILENO);
        assertRecord(fake, NAME, "text");
    }
    g_assert_cmpint(fcntl(STDIN_FILENO, F_GETFD), ==, -1);
    if (input >= 0) {
        g_assert_cmpint(dup2(input, STDIN_FILENO), ==, STDIN_FILENO);
        close(input);
    }
}

/* More records than are listed are not fewer records. */
static void
testTooMany(void)
{
    g_autoptr(fakeHost) fake = fakeHostNew();
    g_autoptr(GError) error = NULL;
    put(fake, NAME, "text");
    for (guint i = 0; i < 65536; i++) {
        g_autofree char *name =
            virtHostPath(fake->host, VIRT_STATE_DIR "/1000:%02x:%02x.%u", i >> 8, i >> 3 & 0x1f, i & 7);
        int fd = open(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        g_assert_cmpint(fd, >=, 0);
        close(fd);
    }
    g_assert_null(virtStateFileList(fake->host, &error));
    assertError(&error, VIRT_ERROR_HOST, "it has more than 65536 records");
    g_autofree char *one = virtHostPath(fake->host, VIRT_STATE_DIR "/1000:00:00.0");
    g_assert_cmpint(unlink(one), ==, 0);
    g_autoptr(GPtrArray) most = virtStateFileList(fake->host, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(most->len, ==, 65536);
}

static void
testNameMax(void)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *filling = g_strnfill(64 - strlen(NAME "-"), 'x');
    g_autofree char *most = g_strconcat(NAME "-", filling, NULL), *more = g_strconcat(most, "x", NULL);
    g_assert_cmpuint(strlen(most), ==, VIRT_STATE_NAME_MAX);
    g_assert_true(virtStateNameCheck(most, &error));
    g_assert_no_error(error);
    g_assert_false(virtStateNameCheck(more, &error));
    assertError(&error, VIRT_ERROR_INVALID, "it has more than 64 bytes");
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/state/whole", testWhole);
    g_test_add_func("/state/names", testNames);
    g_test_add_func("/state/name-max", testNameMax);
    g_test_add_func("/state/directory", testDirectory);
    g_test_add_func("/state/descriptor-zero", testDescriptorZero);
    g_test_add_func("/state/not-ours", testNotOurs);
    g_test_add_func("/state/too-many", testTooMany);
    g_test_add_func("/state/sizes", testSizes);
    g_test_add_func("/state/short-write", testShortWrite);
    g_test_add_func("/state/many", testMany);
    g_test_add_func("/state/shared", testShared);
    g_test_add_func("/state/cut", testCut);
    g_test_add_func("/state/no-rename", testNoRename);
    g_test_add_func("/state/lock", testLock);
    g_test_add_func("/state/lock-of-the-dead", testLockOfTheDead);
    return g_test_run();
}
