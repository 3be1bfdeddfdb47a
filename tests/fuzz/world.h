/* world.h: a made-up host for targets that run a whole program: made once, and as it was after each input
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "fakehost.h"
#include "fuzz.h"

fakeHost *fuzzWorld(void);
virtHost *fuzzWorldHost(void); /* a host of its own, in that world; for virtHostFree() */
/* Puts back all that is recorded, and looks whether that leaves the world as it was. */
void fuzzWorldRestore(void);

/* Takes the input up to the next line "=====". */
bool fuzzTakePart(const guint8 **data, size_t *size, const guint8 **ret_part, size_t *ret_len);
