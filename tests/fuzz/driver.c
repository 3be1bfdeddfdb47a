/* driver.c: runs a fuzz target over its corpus, as a unit test
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 *   TARGET DIRECTORY...    each file in them, and in folders within, is an input
 */
#include "fuzz.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int
compareNames(gconstpointer a, gconstpointer b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void
listFiles(const char *path, GPtrArray *files)
{
    g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
    const char *name;

    if (!dir)
        fuzzFail("no directory %s", path);
    while ((name = g_dir_read_name(dir))) {
        g_autofree char *below = g_build_filename(path, name, NULL);

        if (g_file_test(below, G_FILE_TEST_IS_DIR))
            listFiles(below, files);
        else
            g_ptr_array_add(files, g_steal_pointer(&below));
    }
}

/* Just the bytes: the sanitizer sees whoever reads past them. */
static void
runFile(const char *path)
{
    g_autofree char *text = NULL;
    g_autofree guint8 *data = NULL;
    gsize len;

    fprintf(stderr, "# %s\n", path); /* what it was, should it not return */
    if (!g_file_get_contents(path, &text, &len, NULL))
        fuzzFail("cannot read %s", path);
    data = g_malloc(MAX(len, 1));
    memcpy(data, text, len);
    LLVMFuzzerTestOneInput(data, len);
}

/* Targets may print: what this program says itself goes another way. */
static FILE *
takeStdout(void)
{
    int tap = dup(STDOUT_FILENO), null = open("/dev/null", O_WRONLY | O_CLOEXEC);

    if (tap < 0 || null < 0 || dup2(null, STDOUT_FILENO) < 0)
        fuzzFail("no output: %m");
    return fdopen(tap, "w");
}

int
main(int argc, char **argv)
{
    g_autoptr(GPtrArray) files = g_ptr_array_new_with_free_func(g_free);
    FILE *tap = takeStdout();

    for (int i = 1; i < argc; i++)
        listFiles(argv[i], files);
    g_ptr_array_sort(files, compareNames);
    if (files->len == 0)
        fuzzFail("there is nothing to run");
    fprintf(tap, "1..%u\n", files->len);
    for (guint i = 0; i < files->len; i++) {
        g_autofree char *name = g_path_get_basename(files->pdata[i]);

        runFile(files->pdata[i]);
        fprintf(tap, "ok %u - %s\n", i + 1, name);
        fflush(tap);
    }
    return fclose(tap) == 0 ? 0 : 1;
}
