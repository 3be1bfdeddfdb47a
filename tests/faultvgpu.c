/* faultvgpu.c: the fault machine with a vGPU, which domain a has as long as it has VF 1
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "fakevgpu.h"
#include "faulttest.h"
#include "util/virvgpu.h"

#include <string.h>
#include <unistd.h>

#define ROW 2 /* of virtSettingKinds: <vgpu> */
#define GPU "0000:41:00.0"
#define VF "0000:41:10.0"
#define TYPE 63
#define STATE "run/test-vgpu" /* what the driver knows: the file in sysfs is written over before it is asked */

static fakeHost *kernel;

static guint
typeNow(fakeHost *fake)
{
    g_autofree char *text = virtHostRead(fake->host, NULL, STATE);

    return text ? (guint)g_ascii_strtoull(text, NULL, 10) : 0;
}

static void
setNow(fakeHost *fake, guint type)
{
    g_autofree char *text = g_strdup_printf("%u", type);

    fakeHostFile(fake, text, STATE);
    fakeVgpuSet(fake, VF, type);
}

/* Whoever creates a vGPU must have it on record, and that on disk.
 *
 * @unsynced: a crash would lose that
 */
void
faultDeviceWritten(fakeHost *fake, const char *path, const char *text, bool unsynced)
{
    guint type = typeNow(fake);

    if (!g_str_has_suffix(path, "/current_vgpu_type"))
        return;
    if (g_str_equal(text, "0") || g_str_equal(text, G_STRINGIFY(TYPE))) /* half a number is no type */
        type = (guint)g_ascii_strtoull(text, NULL, 10);
    if (type && unsynced)
        g_strlcpy(faultState->violation, "a vGPU is created while its record could be lost",
                  sizeof(faultState->violation));
    setNow(fake, type);
}

/* While nothing is to go wrong, faultstep.c does not tell what is written. */
static int
writeFile(virtHost *host, const char *path, const char *value, guint within)
{
    int rc = virtHostWriteFile(host, path, value, 0);
    bool armed = faultDisarm();

    if (armed)
        faultRearm();
    else if (rc == 0)
        faultDeviceWritten(kernel, path, value, false);
    return rc;
}

void
faultDeviceInit(virtHost *host)
{
    host->write = writeFile;
}

void
faultDeviceWant(GPtrArray *hostdevs)
{
    virtHostdev *hostdev = g_new0(virtHostdev, 1);
    virtVgpu *vgpu = virtSettingNew(&virtVgpuInfo, 0);

    g_assert_true(virtHandleSet(&hostdev->handle, "pci", VF, NULL));
    virtSettingsInit(&hostdev->settings);
    vgpu->is.type = TYPE;
    vgpu->setting.present = VIRT_SETTING_BIT(VIRT_VGPU_TYPE);
    g_ptr_array_add(hostdev->settings.of[ROW], vgpu);
    g_ptr_array_add(hostdevs, hostdev);
}

void
faultDeviceReset(fakeHost *fake)
{
    g_autofree char *parent = virtHostPath(fake->host, "sys/bus/pci/devices/" GPU);

    kernel = fake;
    if (access(parent, F_OK) < 0)
        fakeHostAddPF(fake, GPU, 0, 1, "nvidia");
    setNow(fake, 0);
}

const char faultDeviceRecord[] = VF;

bool
faultDeviceLooks(fakeHost *fake, faultLook look)
{
    return typeNow(fake) == (look == AS_BEFORE ? 0 : TYPE);
}
