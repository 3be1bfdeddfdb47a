/* cmd_list_vgpu.c: virt-hostdev list: VFs that can have vGPUs, which they have, and of which types there can be more
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "tools/cmd_list.h"

#include "util/virvgpudevice.h"

/* The VFs of one PF, and all types that can be created at any of them. */
typedef struct {
    GPtrArray *devices; /* virtVgpuDevice */
    GArray *types;      /* virtVgpu */
} Card;

static void
addTypesOf(Card *card, const virtVgpuDevice *device)
{
    for (guint i = 0; i < device->creatable->len; i++) {
        const virtVgpu *type = &g_array_index(device->creatable, virtVgpu, i);
        guint n = 0;

        while (n < card->types->len && g_array_index(card->types, virtVgpu, n).is.type != type->is.type)
            n++;
        if (n == card->types->len)
            g_array_append_vals(card->types, type, 1);
    }
}

/* False where the VFs of @pf cannot have vGPUs: then the first has no files for it. */
static bool
readCard(virtHost *host, const virtPCIAddress *pf, Card *card)
{
    g_autoptr(GPtrArray) vfs = virtPCIListVFs(host, pf);

    for (guint i = 0; i < vfs->len; i++) {
        g_autoptr(GError) error = NULL;
        virtVgpuDevice *device = virtVgpuDeviceOpen(host, vfs->pdata[i], &error);

        if (!device) {
            virtHostWarn(host, "%s", error->message);
            continue;
        }
        g_ptr_array_add(card->devices, device);
        if (!device->vendor)
            break;
        addTypesOf(card, device);
    }
    return card->devices->len > 0 && ((const virtVgpuDevice *)card->devices->pdata[0])->vendor;
}

/* At how many VFs @type can be created now. */
static guint
countVFs(const Card *card, guint32 type)
{
    guint n = 0;

    for (guint i = 0; i < card->devices->len; i++)
        n += virtVgpuDeviceFindType(card->devices->pdata[i], type) != NULL;
    return n;
}

static void
addRows(virtHost *host, struct libscols_table *table, struct libscols_line *parent, const Card *card)
{
    for (guint i = 0; i < card->types->len; i++) {
        const virtVgpu *type = &g_array_index(card->types, virtVgpu, i);
        g_autofree char *name = g_strdup_printf("%u", type->is.type);
        g_autofree char *vfs = g_strdup_printf("%u", countVFs(card, type->is.type));

        virtToolRow(table, parent, (const char *[]){name, "type", vfs, NULL, NULL, type->is.name});
    }
    for (guint i = 0; i < card->devices->len; i++) {
        const virtVgpuDevice *device = card->devices->pdata[i];
        g_autofree char *kind = g_strdup_printf("VF %u", device->index);
        g_autofree char *type = virtVgpuInfo.attrs[VIRT_VGPU_TYPE].format(&device->present);
        g_autofree char *owner = NULL;
        struct libscols_line *line;
        virtHandle handle;

        if (virtHandleSet(&handle, "pci", device->name, NULL))
            owner = virtListFindOwner(host, &handle);
        line = virtToolRow(table, parent, (const char *[]){device->name, kind, NULL, type, owner, NULL});
        if (owner)
            virtToolColorRow(line, VIRT_COLOR_GOOD);
    }
}

static void
addCard(virtHost *host, struct libscols_table *table, const virtPCIAddress *pf)
{
    Card card = {g_ptr_array_new_with_free_func((GDestroyNotify)virtVgpuDeviceFree),
                 g_array_new(FALSE, FALSE, sizeof(virtVgpu))};
    char name[VIRT_PCI_ADDRESS_LEN];

    virtPCIAddressFormat(pf, name);
    if (readCard(host, pf, &card))
        addRows(host, table, virtToolRow(table, NULL, (const char *[]){name, "PF", NULL, NULL, NULL, NULL}), &card);
    g_ptr_array_unref(card.devices);
    g_array_unref(card.types);
}

struct libscols_table *
virtListMakeVgpuTable(virtTool *tool)
{
    static const char *const columns[] = {"NAME", "KIND", "VFS", "TYPE", "OWNER", "TITLE", NULL};
    struct libscols_table *table = virtToolTable(tool, "vgpus", columns);
    g_autoptr(GPtrArray) pfs = virtPCIListAllPFs(tool->host);

    for (guint i = 0; i < pfs->len; i++)
        addCard(tool->host, table, pfs->pdata[i]);
    return table;
}
