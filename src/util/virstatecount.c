/* virstatecount.c: how often what has happened since boot, counted by all our programs together
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Hook, daemon and tool are processes of their own, and whoever changes a VF holds its PF's lock. So the counters of a
 * PF are text in its lock file, written by the holder just before he lets go:
 *
 *     changes                         12
 *     retries                          0
 *
 * Every line has the same length, so that what is written covers what was there. They cost one read and one write a
 * transaction, and none where nothing was counted; nothing is synced, and nothing depends on them: a file that cannot
 * be read counts from zero. What a transaction over several PFs counts is in the file of the first that it lets go of;
 * only the sum over all files says something.
 */
#include "util/virstatefile.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define FILE_MAX 1024 /* bytes; a line has 34 */
G_STATIC_ASSERT(VIRT_COUNT_LAST * 34 <= FILE_MAX);

static const char *const names[VIRT_COUNT_LAST] = {
    [VIRT_COUNT_CHANGES] = "changes",   [VIRT_COUNT_RETRIES] = "retries",
    [VIRT_COUNT_REFUSALS] = "refusals", [VIRT_COUNT_ROLLBACKS] = "rollbacks",
    [VIRT_COUNT_RESTORED] = "restored", [VIRT_COUNT_DRIFTS] = "drifts",
    [VIRT_COUNT_ENFORCED] = "enforced", [VIRT_COUNT_UNPROVISIONED] = "unprovisioned",
};

/* In files and in JSON: "changes". */
const char *
virtCountName(virtCount count)
{
    return names[count];
}

static void
addLine(const char *line, guint64 counts[VIRT_COUNT_LAST])
{
    for (guint i = 0; i < VIRT_COUNT_LAST; i++) {
        size_t len = strlen(names[i]);

        if (strncmp(line, names[i], len) == 0 && line[len] == ' ')
            counts[i] += g_ascii_strtoull(line + len, NULL, 10);
    }
}

static void
addFile(int fd, guint64 counts[VIRT_COUNT_LAST])
{
    char text[FILE_MAX + 1];
    ssize_t n = pread(fd, text, FILE_MAX, 0);
    g_auto(GStrv) lines = NULL;

    text[MAX(n, 0)] = '\0';
    lines = g_strsplit(text, "\n", -1);
    for (guint i = 0; lines[i]; i++)
        addLine(lines[i], counts);
}

/* Add what @host has counted to the file of a lock that is held, and count from zero again. */
void
virtStateCountSave(virtHost *host, int lock)
{
    static const guint64 nothing[VIRT_COUNT_LAST];
    guint64 sums[VIRT_COUNT_LAST];
    g_autoptr(GString) text = NULL;

    if (memcmp(host->counts, nothing, sizeof(nothing)) == 0)
        return;
    text = g_string_new(NULL);
    memcpy(sums, host->counts, sizeof(sums));
    addFile(lock, sums);
    for (guint i = 0; i < VIRT_COUNT_LAST; i++)
        g_string_append_printf(text, "%-13s%20" G_GUINT64_FORMAT "\n", names[i], sums[i]);
    if (pwrite(lock, text->str, text->len, 0) == (ssize_t)text->len)
        memset(host->counts, 0, sizeof(host->counts));
}

/* The sums over all PFs, from the files as they are: no lock is waited for. */
void
virtStateCountTotal(virtHost *host, guint64 ret[VIRT_COUNT_LAST])
{
    g_autoptr(GPtrArray) files = virtHostListDir(host, NULL, VIRT_STATE_DIR);
    int dir = virtStateDirOpen(host, false, NULL);

    memset(ret, 0, VIRT_COUNT_LAST * sizeof(*ret));
    for (guint i = 0; files && dir >= 0 && i < files->len; i++) {
        const char *name = files->pdata[i];
        int fd;

        if (!g_str_has_suffix(name, VIRT_STATE_LOCK_SUFFIX))
            continue;
        fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
        if (fd < 0)
            continue;
        addFile(fd, ret);
        close(fd);
    }
    virtStateDirClose(host, dir);
}
