/* viralone.h: what the kernel may not come back from, in a process of its own
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <glib.h>

/* Writes what it has to say to the descriptor @answer. */
typedef void (*virtAloneFunc)(int answer, void *opaque);

int virtAloneRun(guint within, virtAloneFunc func, void *opaque, GByteArray *answer);
