/* qemu_hostdev.h: what a QEMU domain wants of the host's devices, at each step of its life
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "hypervisor/provision.h"

bool virtQemuHostdevPrepareDomain(virtHost *host, const char *name, const char *xml, gsize len, guint64 starter,
                                  GError **error);
bool virtQemuHostdevStartDomain(virtHost *host, const char *name, const char *xml, gsize len, guint64 starter,
                                GError **error);
bool virtQemuHostdevChooseDomain(virtHost *host, const char *xml, gsize len, char **ret_xml, GError **error);
bool virtQemuHostdevReleaseDomain(virtHost *host, const char *name, const char *xml, gsize len, bool last,
                                  GError **error);
void virtQemuHostdevReconnectDomain(virtHost *host, const char *xml, gsize len);
