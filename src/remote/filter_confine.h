/* filter_confine.h: what a filter gives up before it reads the first byte
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

bool virtFilterConfine(GError **error);
