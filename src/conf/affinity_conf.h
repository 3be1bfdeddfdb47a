/* affinity_conf.h: where a domain's processors or memory are bound to
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "conf/xml_tree.h"
#include "util/viraffinity.h"

void virtAffinityReadXml(const char *xml, gsize len, virtAffinity *ret);
