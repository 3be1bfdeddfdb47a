/* schema.h: validate a domain in netdev form against libvirt's schema and ours
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

bool virtSchemaValidate(const char *dir, const char *xml, gsize len, const char *file, GError **error);
