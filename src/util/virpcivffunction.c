/* virpcivffunction.c: which of the eswitch's ports is for which port of a VF
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * devlink names a VF by the number of its PF, as the card counts, and its own. A PCI function with one netdev is one
 * PF. One with several is as many, in the order of its ports; then the VF must have all of them, for nothing else says
 * which is which.
 */
#include "util/virpci.h"

static gint
comparePFs(gconstpointer a, gconstpointer b)
{
    const virtDevlinkPort *left = *(const virtDevlinkPort *const *)a, *right = *(const virtDevlinkPort *const *)b;

    return (left->pf > right->pf) - (left->pf < right->pf);
}

/* Of two PFs on one devlink instance, the PCI function's own. */
static const virtDevlinkPort *
findOfFunction(const GPtrArray *found, const virtVF *vf)
{
    for (guint i = 0; i < found->len; i++) {
        const virtDevlinkPort *port = found->pdata[i];

        if (port->pf == vf->pf.function)
            return port;
    }
    return NULL;
}

/* The ports that an eswitch has for @vf.
 *
 * @all: virtDevlinkPort, those for the VFs of its PF; they are copied
 *
 * Returns virtDevlinkPort, one for each of @vf's ports, in that order, for g_ptr_array_unref(); NULL: there are none,
 * or nobody says which is which.
 */
GPtrArray *
virtVFPairFunctions(const virtVF *vf, const GArray *all)
{
    g_autoptr(GPtrArray) found = g_ptr_array_new();
    GPtrArray *functions;

    for (guint i = 0; i < all->len; i++) {
        const virtDevlinkPort *port = &g_array_index(all, virtDevlinkPort, i);

        if (port->vf == vf->index)
            g_ptr_array_add(found, (gpointer)port);
    }
    if (found->len > 1 && vf->ports->len == 1) {
        const virtDevlinkPort *own = findOfFunction(found, vf);

        g_ptr_array_set_size(found, 0);
        if (own)
            g_ptr_array_add(found, (gpointer)own);
    }
    if (found->len != vf->ports->len)
        return NULL;
    g_ptr_array_sort(found, comparePFs);
    functions = g_ptr_array_new_with_free_func(g_free);
    for (guint i = 0; i < found->len; i++)
        g_ptr_array_add(functions, g_memdup2(found->pdata[i], sizeof(virtDevlinkPort)));
    return functions;
}

/* What the eswitch has for one of the ports of @vf's PF; NULL: nothing, and the PF's netdev is the only way. Owned by
 * @vf. */
const virtDevlinkPort *
virtVFGetFunction(const virtVF *vf, const virtPort *port)
{
    for (guint i = 0; vf->functions && i < vf->ports->len; i++) {
        if (((const virtPort *)vf->ports->pdata[i])->port == port->port)
            return vf->functions->pdata[i];
    }
    return NULL;
}
