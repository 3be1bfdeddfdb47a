/* filter_confine.h: what a filter gives up before it reads the first byte
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

/* As gcc has it: the sanitizer makes calls of its own. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define __SANITIZE_ADDRESS__ 1
#endif
#endif

bool virtFilterConfine(GError **error);
