/* virvgpudevice.c: a VF that a vGPU can be created at, by files of its vendor's driver
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Theory of operation. The driver gives each VF two files. One lists the types that can be created there now, a line
 * each, "63 : NVIDIA A40-2Q"; vGPUs at other VFs of the card leave fewer. The other is the type that the VF has: a
 * number that is written to it creates the vGPU, and 0 takes it away. Both are refused while a guest has the VF
 * (EPERM). A type never follows another directly: the first vGPU is taken away, as the vendor's own tools do.
 *
 * Without a driver that has the files there is no vGPU: it goes when the driver goes.
 */
#include "util/virvgpudevice.h"
#include "util/virerror.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define PCI_DEVICE "sys/bus/pci/devices/%s"

/* One row a vendor: a directory of the VF in sysfs, and the two files in it. */
static const struct {
    const char *name;
    const char *directory, *current, *creatable;
} vendors[] = {
    {"NVIDIA", "nvidia", "current_vgpu_type", "creatable_vgpu_types"},
};

/* ---- reading ---- */

/* Find whose files the VF has; the vendor stays NULL where it has none. */
static bool
findVendor(virtHost *host, virtVgpuDevice *device, GError **error)
{
    for (device->row = 0; device->row < G_N_ELEMENTS(vendors); device->row++) {
        g_autofree char *path = virtHostPath(host, PCI_DEVICE "/%s/%s", device->name, vendors[device->row].directory,
                                             vendors[device->row].current);

        if (access(path, F_OK) == 0) {
            device->vendor = vendors[device->row].name;
            return true;
        }
        if (errno != ENOENT && errno != ENOTDIR) {
            g_set_error(error, VIRT_ERROR, VIRT_ERROR_HOST, "Cannot tell whether %s can have a vGPU: %s: %s",
                        device->name, path, g_strerror(errno));
            return false;
        }
    }
    return true;
}

/* A line of the list: a number, a colon, and a name. What is above them, and says what they are, is none. */
static bool
parseType(char *line, virtVgpu *ret)
{
    virtVgpu type = {.setting.present = VIRT_SETTING_BIT(VIRT_VGPU_TYPE)};
    char *colon = strchr(line, ':');
    guint64 number;

    if (!colon)
        return false;
    *colon = '\0';
    if (!virtHostParseUInt(g_strstrip(line), G_MAXUINT32, &number) || number == 0)
        return false;
    type.is.type = (guint32)number;
    g_strlcpy(type.is.name, g_strstrip(colon + 1), sizeof(type.is.name));
    for (char *p = type.is.name; *p; p++) {
        if (!g_ascii_isprint(*p)) /* also where a character was cut */
            *p = '?';
    }
    *ret = type;
    return true;
}

static bool
readCreatable(virtHost *host, const virtVgpuDevice *device, GArray *ret, GError **error)
{
    g_autofree char *text = virtHostRead(host, error, PCI_DEVICE "/%s/%s", device->name, vendors[device->row].directory,
                                         vendors[device->row].creatable);
    g_auto(GStrv) lines = NULL;

    if (!text)
        return false;
    lines = g_strsplit(text, "\n", -1);
    for (guint i = 0; lines[i]; i++) {
        virtVgpu type;

        if (parseType(lines[i], &type))
            g_array_append_val(ret, type);
    }
    return true;
}

/* The type among those that can be created there; or NULL. */
const virtVgpu *
virtVgpuDeviceFindType(const virtVgpuDevice *device, guint32 type)
{
    for (guint i = 0; i < device->creatable->len; i++) {
        const virtVgpu *creatable = &g_array_index(device->creatable, virtVgpu, i);

        if (creatable->is.type == type)
            return creatable;
    }
    return NULL;
}

/* What the VF has now. One whose driver has no such files has none.
 *
 * Errors: VIRT_ERROR_HOST where that cannot be told.
 */
bool
virtVgpuDeviceRead(virtHost *host, const virtVgpuDevice *device, virtVgpu *ret, GError **error)
{
    virtVgpu now = {.setting.present = VIRT_SETTING_BIT(VIRT_VGPU_TYPE)};
    const virtVgpu *named;
    guint64 type = 0;

    if (device->vendor && !virtHostReadUInt(host, G_MAXUINT32, &type, error, PCI_DEVICE "/%s/%s", device->name,
                                            vendors[device->row].directory, vendors[device->row].current))
        return false;
    now.is.type = (guint32)type;
    named = virtVgpuDeviceFindType(device, now.is.type);
    if (named)
        now = *named;
    *ret = now;
    return true;
}

/* The VF at @address, and what its driver says.
 *
 * Errors: those of virtVFLocate(); VIRT_ERROR_HOST where the driver has the files and they cannot be read.
 */
virtVgpuDevice *
virtVgpuDeviceOpen(virtHost *host, const virtPCIAddress *address, GError **error)
{
    g_autoptr(virtVF) vf = virtVFLocate(host, address, error);
    g_autoptr(virtVgpuDevice) device = NULL;

    if (!vf)
        return NULL;
    device = g_new0(virtVgpuDevice, 1);
    device->pf = vf->pf;
    device->index = vf->index;
    memcpy(device->name, vf->name, sizeof(device->name));
    memcpy(device->pfName, vf->pfName, sizeof(device->pfName));
    device->creatable = g_array_new(FALSE, FALSE, sizeof(virtVgpu));
    if (!findVendor(host, device, error) || (device->vendor && !readCreatable(host, device, device->creatable, error)))
        return NULL;
    if (!virtVgpuDeviceRead(host, device, &device->present, error))
        return NULL;
    return g_steal_pointer(&device);
}

void
virtVgpuDeviceFree(virtVgpuDevice *device)
{
    if (!device)
        return;
    g_clear_pointer(&device->creatable, g_array_unref);
    g_free(device);
}

/* ---- words ---- */

/* For messages: "VF 3 of 0000:41:00.0 (0000:41:00.4)"; the caller frees it. */
char *
virtVgpuDeviceDescribe(const virtVgpuDevice *device)
{
    return g_strdup_printf("VF %u of %s (%s)", device->index, device->pfName, device->name);
}

/* What to do where a type is refused, and which there are; the caller frees it. */
static char *
adviseTypes(const GArray *creatable)
{
    GString *text = g_string_new(NULL);

    if (creatable->len == 0)
        return g_string_free(
            g_string_append(text, "None can be created there now: take a vGPU of the same card away, or use another"),
            FALSE);
    g_string_append(text, "Those that can be created there now are: ");
    for (guint i = 0; i < creatable->len; i++) {
        const virtVgpu *type = &g_array_index(creatable, virtVgpu, i);

        if (i > 0)
            g_string_append(text, ", ");
        g_string_append_printf(text, "%u (%s)", type->is.type, type->is.name);
    }
    return g_string_free(text, FALSE);
}

/* Can @type be created there, as far as the driver's list tells? As long as the VF has another, it does not.
 *
 * Errors: VIRT_ERROR_HOST, with those that can.
 */
bool
virtVgpuDeviceCheckType(const virtVgpuDevice *device, guint32 type, GError **error)
{
    g_autofree char *name = virtVgpuDeviceDescribe(device);
    g_autofree char *advice = NULL;

    if (!device->vendor) {
        g_set_error(
            error, VIRT_ERROR, VIRT_ERROR_HOST,
            "%s can have no vGPU: its driver has no file %s/%s for it. Load the vendor's vGPU driver of the host, or drop the <vgpu>",
            name, vendors[0].directory, vendors[0].current);
        return false;
    }
    if (device->present.is.type != 0 || virtVgpuDeviceFindType(device, type))
        return true;
    advice = adviseTypes(device->creatable);
    g_set_error(error, VIRT_ERROR, VIRT_ERROR_HOST, "vGPU type %u cannot be created at %s. %s", type, name, advice);
    return false;
}

/* ---- setting ---- */

/* What to say of a @number with which the driver has refused @type, when the VF has @present. */
static void
complain(virtHost *host, const virtVgpuDevice *device, guint32 type, const virtVgpu *present, int number,
         GError **error)
{
    g_autofree char *name = virtVgpuDeviceDescribe(device);
    g_autofree char *has = virtVgpuInfo.attrs[VIRT_VGPU_TYPE].format(present);
    g_autofree char *advice = NULL;
    g_autoptr(GArray) creatable = g_array_new(FALSE, FALSE, sizeof(virtVgpu));
    int code = VIRT_ERROR_REFUSED;

    if (number == EPERM || number == EBUSY)
        code = VIRT_ERROR_BUSY;
    if (type == 0) {
        g_set_error(
            error, VIRT_ERROR, code,
            "Cannot take the vGPU of type %s from %s: %s. The driver refuses that while a guest has it: stop who uses the VF",
            has, name, g_strerror(number));
        return;
    }
    if (readCreatable(host, device, creatable, NULL))
        advice = adviseTypes(creatable);
    else
        advice = adviseTypes(device->creatable);
    g_set_error(error, VIRT_ERROR, code, "Cannot create a vGPU of type %u at %s: %s. %s", type, name,
                g_strerror(number), advice);
}

/* Write @type and see whether the VF has it. Where the driver refuses, it counts too: it takes a vGPU away by itself,
 * after some guests, and then refuses to do that again. */
static bool
writeType(virtHost *host, const virtVgpuDevice *device, guint32 type, virtVgpu *now, GError **error)
{
    g_autofree char *text = g_strdup_printf("%u", type);
    g_autofree char *name = virtVgpuDeviceDescribe(device);
    int rc = virtHostTryWrite(host, text, PCI_DEVICE "/%s/%s", device->name, vendors[device->row].directory,
                              vendors[device->row].current);

    if (!virtVgpuDeviceRead(host, device, now, error))
        return false;
    if (now->is.type == type)
        return true;
    if (rc < 0) {
        complain(host, device, type, now, -rc, error);
        return false;
    }
    g_set_error(error, VIRT_ERROR, VIRT_ERROR_REFUSED,
                "The vGPU type of %s was set to %u, and the driver reports %u. Try again, or use another type", name,
                type, now->is.type);
    return false;
}

/* Give the VF a vGPU of @type, or with 0 none, and read that back. One that it has is taken away first.
 *
 * Errors: VIRT_ERROR_BUSY where the driver says that a guest has it (EPERM, EBUSY); VIRT_ERROR_REFUSED with the
 * kernel's reason and the types that can be created.
 */
bool
virtVgpuDeviceSet(virtHost *host, const virtVgpuDevice *device, guint32 type, GError **error)
{
    virtVgpu now;

    if (!virtVgpuDeviceRead(host, device, &now, error))
        return false;
    if (now.is.type == type)
        return true;
    if (!device->vendor)
        return virtVgpuDeviceCheckType(device, type, error);
    if (now.is.type != 0 && !writeType(host, device, 0, &now, error))
        return false;
    return type == 0 || writeType(host, device, type, &now, error);
}
