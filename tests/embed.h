/* embed.h: the real libvirt's QEMU driver inside a test process, without a daemon
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <glib.h>
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <stdbool.h>

typedef int (*virtEmbedMain)(virConnectPtr conn, const char *dir, gpointer opaque);

#define VIRT_EMBED_SKIP 77 /* no driver or no QEMU here; Meson's code for a skipped test */

int virtEmbedRun(virtEmbedMain body, const char *dir, gpointer opaque);
char *virtEmbedDir(void);
void virtEmbedRemove(const char *dir);
