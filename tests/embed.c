/* embed.c: the real libvirt's QEMU driver inside a test process, without a daemon
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Theory of operation: qemu:///embed?root=DIR runs the driver in the calling process. As root it wants the user
 * that only the daemon's package creates, and would look at the host's devices; so the work is done in a child
 * that has given up root. What it finds it leaves as files in DIR.
 */
#include <ftw.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "embed.h"

#define NOBODY 65534

static void
ignoreError(void *opaque, virErrorPtr error)
{
}

/* A directory that the child may use; the caller removes it with virtEmbedRemove() and frees the name. */
char *
virtEmbedDir(void)
{
    g_autoptr(GError) error = NULL;
    char *dir = g_dir_make_tmp("virt-embed-XXXXXX", &error);

    g_assert_no_error(error);
    if (geteuid() == 0)
        g_assert_cmpint(chown(dir, NOBODY, NOBODY), ==, 0);
    return dir;
}

static int
removeOne(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    return remove(path);
}

/* Remove @dir and all below it. */
void
virtEmbedRemove(const char *dir)
{
    nftw(dir, removeOne, 16, FTW_DEPTH | FTW_PHYS);
}

static void
dropRoot(const char *dir)
{
    if (geteuid() == 0 &&
        (setgroups(0, NULL) < 0 || setresgid(NOBODY, NOBODY, NOBODY) < 0 || setresuid(NOBODY, NOBODY, NOBODY) < 0))
        g_error("cannot give up root");
    clearenv();
    g_setenv("HOME", dir, TRUE);
    g_setenv("PATH", "/usr/bin:/bin", TRUE);
    g_setenv("LC_ALL", "C", TRUE);
    /* What libvirt refuses is reported by the test. */
    g_setenv("LIBVIRT_LOG_OUTPUTS", "4:file:/dev/null", TRUE);
    umask(022);
    if (chdir(dir) < 0)
        g_error("cannot enter %s", dir);
}

static gpointer
runEvents(gpointer opaque)
{
    while (virEventRunDefaultImpl() == 0)
        continue;
    return NULL;
}

static int
runChild(virtEmbedMain body, const char *dir, gpointer opaque)
{
    g_autofree char *uri = g_strdup_printf("qemu:///embed?root=%s/embed", dir);
    virConnectPtr conn;
    int status;

    dropRoot(dir);
    virSetErrorFunc(NULL, ignoreError);
    virEventRegisterDefaultImpl();
    g_thread_unref(g_thread_new("events", runEvents, NULL));
    conn = virConnectOpen(uri);
    if (!conn) {
        g_printerr("%s: %s\n", uri, virGetLastErrorMessage());
        return VIRT_EMBED_SKIP;
    }
    status = body(conn, dir, opaque);
    virConnectClose(conn);
    return status;
}

/* Call @body in a child with a connection to an embedded QEMU driver, which keeps its files below @dir.
 *
 * Returns what @body returned, VIRT_EMBED_SKIP where there is no such driver, or 1 when the child died.
 */
int
virtEmbedRun(virtEmbedMain body, const char *dir, gpointer opaque)
{
    pid_t pid = fork();
    int status = 0;

    g_assert_cmpint(pid, >=, 0);
    if (pid == 0)
        _exit(runChild(body, dir, opaque));
    if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status)) {
        g_printerr("the process with libvirt's driver died\n");
        return 1;
    }
    return WEXITSTATUS(status);
}
