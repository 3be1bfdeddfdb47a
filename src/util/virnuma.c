/* virnuma.c: the host's NUMA nodes
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "util/virnuma.h"

#include <string.h>

#define NODES "sys/devices/system/node"

/* The number of the entry "nodeN" of sysfs. */
static bool
readNode(const char *name, guint64 *ret)
{
    return g_str_has_prefix(name, "node") && virtHostParseUInt(name + strlen("node"), VIRT_AFFINITY_MAX - 1, ret);
}

/* Has a node of the host any of these processors? */
static bool
hasAny(virtHost *host, const char *name, const virtAffinity *cpus)
{
    g_autofree char *list = virtHostRead(host, NULL, NODES "/%s/cpulist", name);
    virtAffinity its = {0};

    if (!list || !virtAffinityAddList(&its, list))
        return false;
    for (gsize i = 0; i < sizeof(its.bits); i++) {
        if (its.bits[i] & cpus->bits[i])
            return true;
    }
    return false;
}

/* The NUMA nodes that @affinity means: itself, or the nodes of its processors. None where the host does not tell. */
void
virtNumaFindNodes(virtHost *host, const virtAffinity *affinity, virtAffinity *ret)
{
    g_autoptr(GPtrArray) names = NULL;
    virtAffinity nodes = {.nodes = true};
    guint64 node;

    if (affinity->nodes) {
        *ret = *affinity;
        return;
    }
    names = virtHostListDir(host, NULL, NODES);
    for (guint i = 0; names && i < names->len; i++) {
        if (readNode(names->pdata[i], &node) && hasAny(host, names->pdata[i], affinity))
            nodes.bits[node / 8] |= (guint8)(1u << node % 8);
    }
    *ret = nodes;
}

/* Is a PCI device on one of @nodes? One whose node is not known (-1) is on none. */
bool
virtNumaIsNear(virtHost *host, const virtAffinity *nodes, const virtPCIAddress *device)
{
    char name[VIRT_PCI_ADDRESS_LEN];
    guint64 node;

    virtPCIAddressFormat(device, name);
    return virtHostReadUInt(host, VIRT_AFFINITY_MAX - 1, &node, NULL, "sys/bus/pci/devices/%s/numa_node", name) &&
           virtAffinityHas(nodes, (guint)node);
}
