/* fakevgpu.h: vGPUs of a fakeHost: VFs with the files of NVIDIA's driver, which does as it is told
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 *     fakeHostAddPF(fake, "0000:41:00.0", 0, 3, "nvidia");
 *     fakeVgpuAdd(fake, "0000:41:00.0", 3);
 *
 * All state is in files, so that a process that a test forks off changes the same.
 */
#pragma once

#include "fakehost.h"

#define FAKE_VGPU_TYPES "63 (NVIDIA A40-2Q), 64 (NVIDIA A40-4Q)" /* those that can be created */

/* The PF's first @vfs VFs have the files, and no vGPU; as many as fake->vgpuRoom may have one (0: all). */
void fakeVgpuAdd(fakeHost *fake, const char *pf, guint vfs);
/* As an administrator would. */
void fakeVgpuSet(fakeHost *fake, const char *vf, guint type);
guint fakeVgpuGet(fakeHost *fake, const char *vf);

/* What the driver does when @value is written to the file at @path. Returns 0 or -errno. */
int fakeVgpuWrite(fakeHost *fake, const char *path, const char *value);
