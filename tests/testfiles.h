/* testfiles.h: golden files: read, compare, regenerate; and documents taken apart
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * VIRT_TEST_REGENERATE=1 in the environment rewrites expectations with what the code says now; the difference
 * is then read like code.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

bool virtTestRegenerate(void);
char *virtTestPath(const char *format, ...) G_GNUC_PRINTF(1, 2);
char *virtTestRead(const char *path);
void virtTestCompare(const char *path, const char *actual);
void virtTestCompareAttrs(guint actual, guint expected);
void virtTestSection(const char *name, const char *part, const char *actual);
void virtTestRemove(const char *path);
GPtrArray *virtTestCases(const char *dir);
char *virtTestFile(const char *name);

char *virtTestSkeleton(const char *text);
char *virtTestMeaning(const char *xml);
