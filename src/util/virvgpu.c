/* virvgpu.c: the vGPU of a VF as a setting: how it is compared and shown
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "util/virvgpu.h"

#include <stddef.h>

static bool
typeEqual(gconstpointer one, gconstpointer other)
{
    const virtVgpu *a = one, *b = other;

    return a->is.type == b->is.type;
}

static char *
typeFormat(gconstpointer opaque)
{
    const virtVgpu *vgpu = opaque;

    if (vgpu->is.type == 0)
        return g_strdup("none");
    if (*vgpu->is.name)
        return g_strdup_printf("%u (%s)", vgpu->is.type, vgpu->is.name);
    return g_strdup_printf("%u", vgpu->is.type);
}

static const virtSettingAttr attrs[] = {
    [VIRT_VGPU_TYPE] = {"type", "vGPU type", "Use a type that can be created there; virt-hostdev list shows them",
                        "a vGPU exists as what it was created", offsetof(virtVgpu, is), sizeof(((virtVgpu *)NULL)->is),
                        typeEqual, typeFormat, NULL},
};

G_STATIC_ASSERT(G_N_ELEMENTS(attrs) == VIRT_VGPU_ATTR_LAST);

const virtSettingInfo virtVgpuInfo = {"vgpu", sizeof(virtVgpu), attrs, VIRT_VGPU_ATTR_LAST};
