/* fuzz.c: what the fuzz targets share
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "fuzz.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

void
fuzzFail(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    abort();
}

void
fuzzSame(const char *a, const char *b, const char *what)
{
    if (g_strcmp0(a, b) != 0)
        fuzzFail("%s:\n--- one\n%s\n--- other\n%s\n---", what, a ? a : "(nothing)", b ? b : "(nothing)");
}

char *
fuzzTakeLine(const guint8 **data, size_t *size)
{
    const guint8 *end = *size ? memchr(*data, '\n', *size) : NULL;
    size_t len = end ? (size_t)(end - *data) : *size;
    char *line;

    if (*size == 0)
        return NULL;
    line = g_strndup((const char *)*data, len);
    *data += len + (end != NULL);
    *size -= len + (end != NULL);
    return line;
}

const char *
fuzzFile(const guint8 *data, size_t size)
{
    static char path[32];
    static int fd = -1;

    if (fd < 0)
        fd = memfd_create("fuzz", MFD_CLOEXEC);
    if (fd < 0 || ftruncate(fd, 0) < 0 || pwrite(fd, data, size, 0) != (ssize_t)size)
        fuzzFail("no file in memory: %m");
    g_snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    return path;
}
