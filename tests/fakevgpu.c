/* fakevgpu.c: see fakevgpu.h
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "fakevgpu.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define DEVICE "sys/bus/pci/devices/%s"
#define HEADER "ID    : vGPU Name\n"

static const guint types[] = {63, 64};

guint
fakeVgpuGet(fakeHost *fake, const char *vf)
{
    g_autofree char *text = virtHostRead(fake->host, NULL, DEVICE "/nvidia/current_vgpu_type", vf);

    g_assert_nonnull(text);
    return (guint)g_ascii_strtoull(text, NULL, 10);
}

/* What can be created at each VF, now that one has changed: nothing where there is a vGPU, or no room. */
static void
refresh(fakeHost *fake, const virtPCIAddress *pf)
{
    g_autoptr(GPtrArray) vfs = virtPCIListVFs(fake->host, pf);
    guint used = 0;

    for (guint pass = 0; pass < 2; pass++) {
        for (guint i = 0; i < vfs->len; i++) {
            char vf[VIRT_PCI_ADDRESS_LEN];
            g_autofree char *path = NULL;

            virtPCIAddressFormat(vfs->pdata[i], vf);
            path = virtHostPath(fake->host, DEVICE "/nvidia/current_vgpu_type", vf);
            if (access(path, F_OK) < 0)
                continue;
            if (pass == 0)
                used += fakeVgpuGet(fake, vf) > 0;
            else if (fakeVgpuGet(fake, vf) > 0 || (fake->vgpuRoom && used >= fake->vgpuRoom))
                fakeHostFile(fake, HEADER, DEVICE "/nvidia/creatable_vgpu_types", vf);
            else
                fakeHostFile(fake, HEADER "63    : NVIDIA A40-2Q\n64    : NVIDIA A40-4Q\n",
                             DEVICE "/nvidia/creatable_vgpu_types", vf);
        }
    }
}

void
fakeVgpuSet(fakeHost *fake, const char *vf, guint type)
{
    g_autofree char *text = g_strdup_printf("%u\n", type);
    virtPCIAddress address, pf;

    fakeHostFile(fake, text, DEVICE "/nvidia/current_vgpu_type", vf);
    g_assert_true(virtPCIAddressParse(vf, &address, NULL));
    g_assert_true(virtPCIFindPF(fake->host, &address, &pf, NULL));
    refresh(fake, &pf);
}

void
fakeVgpuAdd(fakeHost *fake, const char *pf, guint vfs)
{
    for (guint i = 0; i < vfs; i++)
        fakeVgpuSet(fake, fakeHostVFAddress(fake, pf, i), 0);
}

/* The VF that @path is a file of; the caller frees it. */
static char *
findVF(const char *path)
{
    g_auto(GStrv) parts = g_strsplit(path, "/", -1);

    return g_strdup(parts[g_strv_length(parts) - 3]);
}

static bool
isCreatable(fakeHost *fake, const char *vf, guint type)
{
    g_autofree char *text = virtHostRead(fake->host, NULL, DEVICE "/nvidia/creatable_vgpu_types", vf);
    g_autofree char *line = g_strdup_printf("\n%u ", type);

    return strstr(text, line);
}

int
fakeVgpuWrite(fakeHost *fake, const char *path, const char *value)
{
    guint type = (guint)g_ascii_strtoull(value, NULL, 10);
    g_autofree char *vf = findVF(path);
    bool known = type == 0;

    if (access(path, F_OK) < 0)
        return -errno;
    fake->vgpuWrites++;
    if (fake->vgpuTaken) /* the driver has done so by itself */
        fakeVgpuSet(fake, vf, 0);
    if (fake->vgpuErrno)
        return -fake->vgpuErrno;
    for (guint i = 0; i < G_N_ELEMENTS(types); i++)
        known |= types[i] == type;
    if (!known || (type && fakeVgpuGet(fake, vf)))
        return -EINVAL;
    if (type && !isCreatable(fake, vf, type))
        return -ENOSPC;
    if (!fake->vgpuDeaf)
        fakeVgpuSet(fake, vf, type);
    return 0;
}
