/* cmd_overview.c: virt-hostdev without a command: how this host stands, and what to do next
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "tools/tool.h"

#include "util/virerror.h"
#include "util/virpci.h"

typedef struct {
    guint pfs;
    virtOverviewVFs vfs; /* of all PFs */
    char firstPF[VIRT_PCI_ADDRESS_LEN];
} Counts;

static void
countVF(virtHost *host, const virtPCIAddress *address, virtOverviewVFs *counts)
{
    g_autofree char *driver = virtPCIGetDriver(host, address);
    g_autoptr(virtRecord) record = NULL;
    g_autoptr(GError) error = NULL;
    virtHandle handle;

    virtHandleSetPCI(&handle, address);
    record = virtProvisionRecordLoad(host, &handle, &error);
    if (record) {
        counts->provisioned++;
    } else if (error && !g_error_matches(error, VIRT_ERROR, VIRT_ERROR_NOT_FOUND)) {
        counts->unknown++;
    } else if (g_strcmp0(driver, "vfio-pci") == 0) {
        counts->vfio++;
    } else {
        if (counts->free == 0)
            virtPCIAddressFormat(address, counts->firstFree);
        counts->free++;
    }
}

/* Add the VFs of @pf, by who has them. */
void
virtOverviewCountVFs(virtHost *host, const virtPCIAddress *pf, virtOverviewVFs *counts)
{
    g_autoptr(GPtrArray) vfs = virtPCIListVFs(host, pf);

    for (guint i = 0; i < vfs->len; i++)
        countVF(host, vfs->pdata[i], counts);
}

static Counts
countVFs(virtHost *host)
{
    g_autoptr(virtHostReads) reads G_GNUC_UNUSED = virtHostReadOnce(host);
    g_autoptr(GPtrArray) pfs = virtPCIListPFs(host);
    Counts counts = {0};

    for (guint i = 0; pfs && i < pfs->len; i++) {
        if (counts.pfs++ == 0)
            virtPCIAddressFormat(pfs->pdata[i], counts.firstPF);
        virtOverviewCountVFs(host, pfs->pdata[i], &counts.vfs);
    }
    return counts;
}

/* The names of those who have VFs, each once; "none". */
static char *
listOwners(virtHost *host)
{
    g_autoptr(GPtrArray) records = virtProvisionRecordList(host, NULL);
    g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
    GString *names = g_string_new(NULL);

    for (guint i = 0; records && i < records->len; i++) {
        const virtRecord *record = records->pdata[i];

        if (!g_hash_table_add(seen, record->owner.name))
            continue;
        if (names->len > 0)
            g_string_append(names, ", ");
        g_string_append(names, record->owner.name);
    }
    if (names->len == 0)
        g_string_append(names, "none");
    return g_string_free(names, FALSE);
}

static guint
sumOf(const virtOverviewVFs *vfs)
{
    return vfs->free + vfs->provisioned + vfs->vfio + vfs->unknown;
}

static char *
describeVFs(const virtOverviewVFs *vfs)
{
    GString *text = g_string_new(NULL);

    g_string_append_printf(text, "%u", sumOf(vfs));
    if (sumOf(vfs) > 0)
        g_string_append_printf(text, ": %u free, %u provisioned", vfs->free, vfs->provisioned);
    if (vfs->vfio > 0)
        g_string_append_printf(text, ", %u bound to vfio-pci by others", vfs->vfio);
    if (vfs->unknown > 0)
        g_string_append_printf(text, ", %u with a record that cannot be read", vfs->unknown);
    return g_string_free(text, FALSE);
}

/* What leads to the next success: first what keeps guests from starting, then VFs, then every client, then a guest. */
static char *
nextStep(const Counts *counts, const char *wrong, bool isInFront)
{
    if (wrong)
        return g_strdup(wrong);
    if (sumOf(&counts->vfs) == 0)
        return g_strdup_printf("create VFs: echo 2 > /sys/bus/pci/devices/%s/sriov_numvfs", counts->firstPF);
    if (!isInFront)
        return g_strdup("let every client of libvirt use <netdev>: virt-hostdev enable");
    if (counts->vfs.provisioned == 0 && counts->vfs.free > 0)
        return g_strdup_printf(
            "give a domain a VF: virt-hostdev new %s > vf.xml; virsh attach-device DOMAIN vf.xml --config",
            counts->vfs.firstFree);
    return g_strdup("virt-hostdev status shows what guests have");
}

bool
virtCmdOverview(virtTool *tool, int argc, char **argv, GError **error)
{
    static const char *const columns[] = {"HOST", "STATE", NULL};
    g_autofree char *pfs = NULL, *vfs = NULL, *owners = NULL, *wrong = NULL, *next = NULL;
    const char *front = "not in front of libvirt";
    struct libscols_table *table;
    Counts counts;

    if (!virtToolOptions(tool, NULL, &argc, &argv, 0, 0, error))
        return false;
    counts = countVFs(tool->host);
    pfs = g_strdup_printf("%u", counts.pfs);
    vfs = describeVFs(&counts.vfs);
    owners = listOwners(tool->host);
    if (virtToolIsInFront(tool))
        front = "in front of libvirt";
    wrong = virtHostValidateFirst(tool);
    next = nextStep(&counts, wrong, virtToolIsInFront(tool));
    table = virtToolTable(tool, "overview", columns);
    virtToolRow(table, NULL, (const char *[]){"PFs", pfs});
    virtToolRow(table, NULL, (const char *[]){"VFs", vfs});
    virtToolRow(table, NULL, (const char *[]){"owners", owners});
    virtToolRow(table, NULL, (const char *[]){"virthostdevd", front});
    virtToolRow(table, NULL, (const char *[]){"next", next});
    virtToolPrintTable(table);
    return true;
}
