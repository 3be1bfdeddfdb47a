/* virpcivf.c: virtual functions and their physical ones
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "util/virerror.h"
#include "util/virpcipriv.h"

#include <string.h>

/* Where virtfnN of PF @pfName leads. VIRT_ERROR_NOT_FOUND past the last VF. */
static bool
readVirtfn(virtHost *host, const char *pfName, guint index, virtPCIAddress *ret, GError **error)
{
    g_autofree char *target = virtHostReadLink(host, error, PCI_DEVICE "/virtfn%u", pfName, index);

    return target && virtPCIAddressParse(target, ret, error);
}

/* The VFs of a PF in the order of their indexes: an array of virtPCIAddress for g_ptr_array_unref(), whose Nth
 * element is VF N. Empty where there are none.
 */
GPtrArray *
virtPCIListVFs(virtHost *host, const virtPCIAddress *pf)
{
    GPtrArray *vfs = g_ptr_array_new_with_free_func(g_free);
    char name[VIRT_PCI_ADDRESS_LEN];
    virtPCIAddress vf;

    virtPCIAddressFormat(pf, name);
    while (vfs->len < VFS_MAX && readVirtfn(host, name, vfs->len, &vf, NULL))
        g_ptr_array_add(vfs, g_memdup2(&vf, sizeof(vf)));
    return vfs;
}

/* The PF of a VF; of a PF, itself.
 *
 * Errors: VIRT_ERROR_INVALID where the device is neither or does not exist, VIRT_ERROR_HOST where that cannot be told.
 */
bool
virtPCIFindPF(virtHost *host, const virtPCIAddress *address, virtPCIAddress *ret, GError **error)
{
    char name[VIRT_PCI_ADDRESS_LEN];
    g_autoptr(GError) problem = NULL;
    g_autofree char *physfn = NULL;
    guint64 total = 0;

    virtPCIAddressFormat(address, name);
    physfn = virtHostReadLink(host, &problem, PCI_DEVICE "/physfn", name);
    if (physfn)
        return virtPCIAddressParse(physfn, ret, error);
    if (!g_error_matches(problem, VIRT_ERROR, VIRT_ERROR_NOT_FOUND)) {
        g_propagate_error(error, g_steal_pointer(&problem));
        return false;
    }
    g_clear_error(&problem);
    virtHostReadUInt(host, G_MAXUINT64, &total, &problem, PCI_DEVICE "/sriov_totalvfs", name);
    if (problem && !g_error_matches(problem, VIRT_ERROR, VIRT_ERROR_NOT_FOUND)) {
        g_propagate_error(error, g_steal_pointer(&problem));
        return false;
    }
    *ret = *address;
    if (total == 0)
        g_set_error(error, VIRT_ERROR, VIRT_ERROR_INVALID, "PCI device %s is neither a PF nor a VF", name);
    return total > 0;
}

/* Why @name is no VF, and what to name instead. */
static void
setNotVF(virtHost *host, const char *name, GError **error)
{
    guint64 total = 0;
    g_autofree char *device = virtHostPath(host, PCI_DEVICE, name);

    if (!g_file_test(device, G_FILE_TEST_IS_DIR)) {
        g_set_error(
            error, VIRT_ERROR, VIRT_ERROR_HOST,
            "This host has no PCI device %s. lspci -D lists its devices; VFs appear when the PF's sriov_numvfs is written",
            name);
    } else if (virtHostReadUInt(host, G_MAXUINT64, &total, NULL, PCI_DEVICE "/sriov_totalvfs", name) && total > 0) {
        g_set_error(
            error, VIRT_ERROR, VIRT_ERROR_HOST,
            "PCI device %s is a physical function, and only its virtual functions have settings. Name one of those; writing its sriov_numvfs creates them",
            name);
    } else {
        g_set_error(
            error, VIRT_ERROR, VIRT_ERROR_HOST,
            "PCI device %s is not an SR-IOV virtual function, so it has no PF to set it through. Name a VF, or assign the device without <netdev>, <function> and <vgpu>",
            name);
    }
}

/* A PF, as long as a virtHostReads is open. */
typedef struct {
    virtPCIAddress address;
    char name[VIRT_PCI_ADDRESS_LEN];
    GPtrArray *ports;  /* NULL: not looked up yet */
    GArray *functions; /* virtDevlinkPort of its VFs; the same */
    bool knowsVFs;     /* the two below are read; stride 0: they were not there */
    guint first, stride;
} PF;

static void
pfFree(gpointer data)
{
    PF *pf = data;

    g_clear_pointer(&pf->ports, g_ptr_array_unref);
    g_clear_pointer(&pf->functions, g_array_unref);
    g_free(pf);
}

/* What is known of a PF; it belongs to the host where that keeps it, else to the caller. */
static PF *
getPF(virtHost *host, const virtPCIAddress *address)
{
    PF *pf;

    for (guint i = 0; host->pfs && i < host->pfs->len; i++) {
        if (virtPCIAddressCompare(&((PF *)host->pfs->pdata[i])->address, address) == 0)
            return host->pfs->pdata[i];
    }
    pf = g_new0(PF, 1);
    pf->address = *address;
    virtPCIAddressFormat(address, pf->name);
    if (host->reads == 0)
        return pf;
    if (!host->pfs)
        host->pfs = g_ptr_array_new_with_free_func(pfFree);
    g_ptr_array_add(host->pfs, pf);
    return pf;
}

static void
putPF(virtHost *host, PF *pf)
{
    if (host->reads == 0)
        pfFree(pf);
}

/* VF N has the routing ID FIRST + N * STRIDE, says SR-IOV; the first two VFs show both numbers. */
static void
learnVFs(virtHost *host, PF *pf)
{
    virtPCIAddress zero, one;

    pf->knowsVFs = true;
    if (!readVirtfn(host, pf->name, 0, &zero, NULL))
        return;
    pf->first = virtPCIRoutingID(&zero);
    pf->stride = 1;
    if (readVirtfn(host, pf->name, 1, &one, NULL) && virtPCIRoutingID(&one) > pf->first)
        pf->stride = virtPCIRoutingID(&one) - pf->first;
}

static bool
isVFAt(virtHost *host, const PF *pf, guint index, const virtPCIAddress *vf)
{
    virtPCIAddress found;

    return index < VFS_MAX && readVirtfn(host, pf->name, index, &found, NULL) && virtPCIAddressCompare(&found, vf) == 0;
}

/* The index that a VF at @vf has, if it is one of the PF's. */
static guint
guessIndex(const PF *pf, const virtPCIAddress *vf)
{
    guint id = virtPCIRoutingID(vf);

    if (pf->stride == 0 || id < pf->first)
        return G_MAXUINT;
    return (id - pf->first) / pf->stride;
}

/* Where a VF must be, and else, where it is after all. VIRT_ERROR_NOT_FOUND: it is none of the PF's. */
static bool
findIndex(virtHost *host, PF *pf, const virtPCIAddress *vf, guint *ret, GError **error)
{
    virtPCIAddress found;
    char name[VIRT_PCI_ADDRESS_LEN];
    g_autoptr(GError) end = NULL;

    if (!pf->knowsVFs)
        learnVFs(host, pf);
    if (isVFAt(host, pf, guessIndex(pf, vf), vf)) {
        *ret = guessIndex(pf, vf);
        return true;
    }
    for (guint i = 0; i < VFS_MAX && readVirtfn(host, pf->name, i, &found, &end); i++) {
        if (virtPCIAddressCompare(&found, vf) == 0) {
            *ret = i;
            return true;
        }
    }
    virtPCIAddressFormat(vf, name);
    if (end && !g_error_matches(end, VIRT_ERROR, VIRT_ERROR_NOT_FOUND)) {
        g_propagate_prefixed_error(error, g_steal_pointer(&end),
                                   "Cannot find PCI device %s among the VFs of PF %s: ", name, pf->name);
    } else {
        g_set_error(
            error, VIRT_ERROR, VIRT_ERROR_NOT_FOUND,
            "PF %s does not list PCI device %s among its VFs: they are being created or removed. Try again when that is done",
            pf->name, name);
    }
    return false;
}

/* Is @vf one of the PF's VFs?
 *
 * @ret: its index: the N for which virtfnN leads to it. NULL where it is not wanted
 *
 * Errors: VIRT_ERROR_NOT_FOUND where it is not, VIRT_ERROR_HOST where that cannot be told.
 */
bool
virtPCIFindVF(virtHost *host, const virtPCIAddress *address, const virtPCIAddress *vf, guint *ret, GError **error)
{
    PF *pf = getPF(host, address);
    guint index;
    bool found = findIndex(host, pf, vf, &index, error);

    putPF(host, pf);
    if (found && ret)
        *ret = index;
    return found;
}

/* Has @vf the place at its PF that it had when it was looked up?
 *
 * Errors: those of virtPCIFindVF(); VIRT_ERROR_HOST where it has another.
 */
bool
virtVFIsStill(virtHost *host, const virtVF *vf, GError **error)
{
    guint index;

    if (!virtPCIFindVF(host, &vf->pf, &vf->address, &index, error))
        return false;
    if (index == vf->index)
        return true;
    g_set_error(
        error, VIRT_ERROR, VIRT_ERROR_HOST,
        "VF %s was VF %u of PF %s and is now VF %u: VFs are being created or removed. Try again when that is done",
        vf->name, vf->index, vf->pfName, index);
    return false;
}

/* In switchdev mode the eswitch has ports for VFs, and the functions behind them take settings that the PF's netdevs do
 * not. */
static bool
findFunctions(virtHost *host, PF *pf, virtVF *vf, GError **error)
{
    g_autoptr(GError) problem = NULL;
    virtHandle handle;

    if (!((const virtPort *)vf->ports->pdata[0])->switchdev)
        return true;
    virtHandleSetPCI(&handle, &vf->pf);
    if (!pf->functions && !(pf->functions = virtDevlinkListVFPorts(host, &handle, &problem))) {
        if (g_error_matches(problem, VIRT_ERROR, VIRT_ERROR_NOT_FOUND))
            return true;
        g_propagate_error(error, g_steal_pointer(&problem));
        return false;
    }
    vf->functions = virtVFPairFunctions(vf, pf->functions);
    return true;
}

static bool
findPorts(virtHost *host, PF *pf, virtVF *vf, GError **error)
{
    g_autofree char *driver = NULL;

    if (!pf->ports && !(pf->ports = virtPCIGetPorts(host, &vf->pf, error)))
        return false;
    vf->ports = g_ptr_array_ref(pf->ports);
    if (vf->ports->len > 0)
        return findFunctions(host, pf, vf, error);
    driver = virtPCIGetDriver(host, &vf->pf);
    if (!driver)
        driver = g_strdup("none");
    g_set_error(
        error, VIRT_ERROR, VIRT_ERROR_HOST,
        "PF %s of VF %s has no netdev (driver: %s): it is not a network device, or its netdevs are in another network namespace. Bind its network driver on the host, or assign the device without <netdev>",
        vf->pfName, vf->name, driver);
    return false;
}

/* The PF among those that are known already that lists the VF, or NULL. */
static PF *
findKnown(virtHost *host, virtVF *vf)
{
    for (guint i = 0; host->pfs && i < host->pfs->len; i++) {
        PF *pf = host->pfs->pdata[i];

        vf->index = guessIndex(pf, &vf->address);
        if (pf->address.domain == vf->address.domain && isVFAt(host, pf, vf->index, &vf->address))
            return pf;
    }
    return NULL;
}

/* The PF that the VF names, and the VF's index there. */
static PF *
findNamed(virtHost *host, virtVF *vf, GError **error)
{
    virtPCIAddress address;
    g_autoptr(GError) problem = NULL;
    g_autofree char *physfn = virtHostReadLink(host, &problem, PCI_DEVICE "/physfn", vf->name);
    PF *pf;

    if (problem && !g_error_matches(problem, VIRT_ERROR, VIRT_ERROR_NOT_FOUND)) {
        g_propagate_error(error, g_steal_pointer(&problem));
        return NULL;
    }
    if (!physfn || !virtPCIAddressParse(physfn, &address, NULL)) {
        setNotVF(host, vf->name, error);
        return NULL;
    }
    pf = getPF(host, &address);
    if (findIndex(host, pf, &vf->address, &vf->index, &problem))
        return pf;
    g_set_error_literal(error, VIRT_ERROR, VIRT_ERROR_HOST, problem->message); /* not there now is no "never was" */
    putPF(host, pf);
    return NULL;
}

/* Find the VF's PF, which the caller gives to putPF(), and the VF's index there. */
static PF *
locate(virtHost *host, virtVF *vf, const virtPCIAddress *address, GError **error)
{
    PF *pf;

    vf->address = *address;
    virtPCIAddressFormat(address, vf->name);
    pf = findKnown(host, vf);
    if (!pf)
        pf = findNamed(host, vf, error);
    if (!pf)
        return NULL;
    vf->pf = pf->address;
    memcpy(vf->pfName, pf->name, sizeof(vf->pfName));
    return pf;
}

/* The VF at @address, as far as it has to be known to take its PF's lock: its PF and its index there.
 *
 * Returns and errors as virtVFLookup(), without ports.
 */
virtVF *
virtVFLocate(virtHost *host, const virtPCIAddress *address, GError **error)
{
    g_autoptr(virtVF) vf = g_new0(virtVF, 1);
    PF *pf = locate(host, vf, address, error);

    if (!pf)
        return NULL;
    putPF(host, pf);
    return g_steal_pointer(&vf);
}

/* The VF at @address: its PF, its index there and the PF's ports. The VF itself is looked at afresh at every call; an
 * index may lead to another device after sriov_numvfs was written.
 *
 * Returns a virtVF to free with virtVFFree(). Errors: VIRT_ERROR_HOST with a sentence that says what to do.
 */
virtVF *
virtVFLookup(virtHost *host, const virtPCIAddress *address, GError **error)
{
    g_autoptr(virtVF) vf = g_new0(virtVF, 1);
    PF *pf = locate(host, vf, address, error);
    bool ok;

    if (!pf)
        return NULL;
    ok = findPorts(host, pf, vf, error);
    putPF(host, pf);
    if (!ok)
        return NULL;
    return g_steal_pointer(&vf);
}

void
virtVFFree(virtVF *vf)
{
    if (!vf)
        return;
    g_clear_pointer(&vf->ports, g_ptr_array_unref);
    g_clear_pointer(&vf->functions, g_ptr_array_unref);
    g_free(vf);
}

/* The netdev of the PF through which port @port (1..) of its VFs is set; owned by @vf.
 *
 * Errors: VIRT_ERROR_HOST, naming the ports there are.
 */
const virtPort *
virtVFGetPort(const virtVF *vf, guint port, GError **error)
{
    g_autoptr(GString) names = NULL;

    for (guint i = 0; i < vf->ports->len; i++) {
        if (((const virtPort *)vf->ports->pdata[i])->port == port)
            return vf->ports->pdata[i];
    }
    if (!error)
        return NULL;
    names = g_string_new(NULL);
    for (guint i = 0; i < vf->ports->len; i++) {
        const virtPort *other = vf->ports->pdata[i];

        if (i > 0)
            g_string_append(names, ", ");
        g_string_append_printf(names, "%u (%s)", other->port, other->ifname);
    }
    g_set_error(error, VIRT_ERROR, VIRT_ERROR_HOST, "PF %s of VF %s has no port %u; it has %s. Name one of those",
                vf->pfName, vf->name, port, names->str);
    return NULL;
}
