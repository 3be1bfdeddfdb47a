/* faultmdev.c: the fault machine with a mediated device, which domain a has as long as it has VF 1
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "fakemdev.h"
#include "faulttest.h"
#include "util/virmdev.h"

#include <string.h>
#include <unistd.h>

#define ROW 1 /* of virtSettingKinds: <mdev> */
#define UUID "c5f5e1a2-7a57-4b5e-8c5b-0d5a3d6f2a11"

static fakeHost *kernel;

/* While nothing is to go wrong, faultstep.c does not tell what is written. */
static int
writeFile(virtHost *host, const char *path, const char *value, guint within)
{
    int rc = virtHostWriteFile(host, path, value, 0);
    bool armed = faultDisarm();

    if (armed)
        faultRearm();
    else if (rc == 0)
        rc = fakeMdevWritten(kernel, path, value);
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
    virtMdev *mdev = virtSettingNew(&virtMdevInfo, 0);
    virtMdevValue *value = &mdev->attrs.of[mdev->attrs.count++];

    g_assert_true(virtHandleSet(&hostdev->handle, "mdev", UUID, NULL));
    virtSettingsInit(&hostdev->settings);
    g_strlcpy(mdev->made.parent, "mtty", sizeof(mdev->made.parent));
    g_strlcpy(mdev->made.type, "mtty-1", sizeof(mdev->made.type));
    g_strlcpy(value->name, "speed", sizeof(value->name));
    g_strlcpy(value->value, "115200", sizeof(value->value));
    mdev->setting.present = VIRT_SETTING_BIT(VIRT_MDEV_TYPE) | VIRT_SETTING_BIT(VIRT_MDEV_ATTRS);
    g_ptr_array_add(hostdev->settings.of[ROW], mdev);
    g_ptr_array_add(hostdevs, hostdev);
}

void
faultDeviceReset(fakeHost *fake)
{
    g_autofree char *device = virtHostPath(fake->host, "sys/bus/mdev/devices/" UUID);
    g_autofree char *parent = virtHostPath(fake->host, "sys/class/mdev_bus/mtty");

    kernel = fake;
    if (access(parent, F_OK) < 0) {
        fakeMdevAddParent(fake, "mtty");
        fakeMdevAddType(fake, "mtty", "mtty-1", 24);
        fakeMdevAddAttr(fake, "mtty", "mtty-1", "speed", "9600\n");
    }
    if (access(device, F_OK) == 0)
        fakeMdevRemove(fake, UUID);
}

const char faultDeviceRecord[] = "mdev-" UUID;

bool
faultDeviceLooks(fakeHost *fake, faultLook look)
{
    g_autofree char *now = fakeMdevDump(fake);
    const char *wanted = "mtty mtty-1 23\n  " UUID " speed=115200\n";

    if (look == AS_BEFORE)
        wanted = "mtty mtty-1 24\n";
    return g_str_equal(now, wanted);
}

/* Whoever makes a device must have it on record, and that on disk.
 *
 * @unsynced: a crash would lose that
 */
void
faultDeviceWritten(fakeHost *fake, const char *path, const char *text, bool unsynced)
{
    if (g_str_has_suffix(path, "/create") && !g_uuid_string_is_valid(text))
        return; /* half of one, which the kernel would refuse */
    if (g_str_has_suffix(path, "/create") && unsynced)
        g_strlcpy(faultState->violation, "a device is made while its record could be lost",
                  sizeof(faultState->violation));
    fakeMdevWritten(fake, path, text);
}
