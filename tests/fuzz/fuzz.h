/* fuzz.h: what the fuzz targets share
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A target is a file with one function, which libFuzzer calls with inputs of its own (scripts/fuzz), and driver.c with
 * those of corpus/TARGET.txt, in every run of the unit tests.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>

/* Returns 0; what must not be aborts. */
int LLVMFuzzerTestOneInput(const guint8 *data, size_t size);

void fuzzFail(const char *format, ...) G_GNUC_PRINTF(1, 2) G_GNUC_NORETURN;
void fuzzSame(const char *a, const char *b, const char *what); /* NULL is only the same as NULL */

/* Takes the next line off the input, without its line break, as a string; NULL at the end. */
char *fuzzTakeLine(const guint8 **data, size_t *size);
/* A file in memory that holds @data, for reading: a path that lasts until the next call. */
const char *fuzzFile(const guint8 *data, size_t size);
