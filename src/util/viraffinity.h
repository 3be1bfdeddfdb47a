/* viraffinity.h: where a guest's processors or memory are, by which VFs are near to it
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 *     cpus/f0   processors 4 to 7 of the host
 *     nodes/2   NUMA node 1
 *
 * as text: hexadecimal, with the first in the lowest bit, as taskset(1) and the kernel's masks have it.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

#define VIRT_AFFINITY_MAX 4096 /* processors, or nodes; those with higher numbers are not told apart */

/* Plain data: copied by assignment. All zero: nobody knows. */
typedef struct {
    bool nodes; /* NUMA nodes, else processors */
    guint8 bits[VIRT_AFFINITY_MAX / 8];
} virtAffinity;

bool virtAffinityIsNone(const virtAffinity *affinity);
bool virtAffinityHas(const virtAffinity *affinity, guint number);
bool virtAffinityAddList(virtAffinity *affinity, const char *list);
char *virtAffinityFormat(const virtAffinity *affinity);
bool virtAffinityParse(const char *text, virtAffinity *ret);
