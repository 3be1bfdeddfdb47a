/* virmdevparent.c: devices that mediated devices can be made of, and the types that they offer
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A driver that can divide a device registers it as a parent (drivers/vfio/mdev in Linux): it is then listed in
 * /sys/class/mdev_bus, and has a directory mdev_supported_types with one for each type. available_instances is what is
 * left. Neither says how many there were.
 */
#include "util/virmdevparent.h"
#include "util/virerror.h"

#include <string.h>
#include <unistd.h>

#define BUS "sys/class/mdev_bus"
#define TYPES BUS "/%s/mdev_supported_types"

static void
typeFree(virtMdevType *type)
{
    g_free(type->name);
    g_free(type->title);
    g_free(type->api);
    g_clear_pointer(&type->devices, g_ptr_array_unref);
    g_free(type);
}

void
virtMdevParentFree(virtMdevParent *parent)
{
    if (!parent)
        return;
    g_free(parent->name);
    g_free(parent->nodedev);
    g_clear_pointer(&parent->types, g_ptr_array_unref);
    g_free(parent);
}

/* What is left of @type; a type whose driver has just gone has nothing. */
static bool
readFree(virtHost *host, const char *parent, virtMdevType *type, GError **error)
{
    g_autoptr(GError) local = NULL;

    if (virtHostReadUInt(host, G_MAXUINT64, &type->free, &local, TYPES "/%s/available_instances", parent, type->name) ||
        g_error_matches(local, VIRT_ERROR, VIRT_ERROR_NOT_FOUND))
        return true;
    g_propagate_error(error, g_steal_pointer(&local));
    return false;
}

static virtMdevType *
readType(virtHost *host, const char *parent, const char *name, GError **error)
{
    virtMdevType *type = g_new0(virtMdevType, 1);

    type->name = g_strdup(name);
    type->title = virtHostRead(host, NULL, TYPES "/%s/name", parent, name);
    type->api = virtHostRead(host, NULL, TYPES "/%s/device_api", parent, name);
    if (readFree(host, parent, type, error))
        type->devices = virtHostListDir(host, error, TYPES "/%s/devices", parent, name);
    if (!type->devices)
        g_clear_pointer(&type, typeFree);
    return type;
}

static bool
readTypes(virtHost *host, virtMdevParent *parent, GError **error)
{
    g_autoptr(GPtrArray) names = virtHostListDir(host, error, TYPES, parent->name);

    for (guint i = 0; names && i < names->len; i++) {
        virtMdevType *type = readType(host, parent->name, names->pdata[i], error);

        if (!type)
            return false;
        g_ptr_array_add(parent->types, type);
    }
    return names != NULL;
}

/* As libvirt makes its names of node devices (udevGenerateDeviceName in src/node_device/node_device_udev.c). */
static char *
makeNodedev(const char *subsystem, const char *name)
{
    char *text = g_strdup_printf("%s_%s", subsystem, name);

    for (char *p = text; *p; p++) {
        if (!g_ascii_isalnum(*p))
            *p = '_';
    }
    return text;
}

/* A PCI device has its own handle, and with it the lock that its VFs have; of another, the name is what there is. */
static bool
setHandle(virtMdevParent *parent, GError **error)
{
    virtPCIAddress address;

    if (virtPCIAddressParse(parent->name, &address, NULL)) {
        virtHandleSetPCI(&parent->handle, &address);
        return true;
    }
    return virtHandleSet(&parent->handle, "parent", parent->name, error);
}

static virtMdevParent *
readParent(virtHost *host, const char *name, GError **error)
{
    g_autoptr(virtMdevParent) parent = g_new0(virtMdevParent, 1);
    g_autofree char *subsystem = virtHostReadLink(host, NULL, BUS "/%s/subsystem", name);

    parent->name = g_strdup(name);
    if (subsystem)
        parent->nodedev = makeNodedev(subsystem, name);
    parent->types = g_ptr_array_new_with_free_func((GDestroyNotify)typeFree);
    if (!setHandle(parent, error) || !readTypes(host, parent, error))
        return NULL;
    return g_steal_pointer(&parent);
}

/* All of the host, sorted by name; virtMdevParent, for g_ptr_array_unref(). */
GPtrArray *
virtMdevParentList(virtHost *host, GError **error)
{
    g_autoptr(GPtrArray) names = virtHostListDir(host, error, BUS);
    g_autoptr(GPtrArray) parents = g_ptr_array_new_with_free_func((GDestroyNotify)virtMdevParentFree);

    for (guint i = 0; names && i < names->len; i++) {
        virtMdevParent *parent = readParent(host, names->pdata[i], error);

        if (!parent)
            return NULL;
        g_ptr_array_add(parents, parent);
    }
    if (!names)
        return NULL;
    return g_steal_pointer(&parents);
}

/* Is @parent what @written means: the name of a node device, a PCI address, or a name in sysfs? */
bool
virtMdevParentIs(const virtMdevParent *parent, const char *written)
{
    virtPCIAddress address;
    virtHandle handle;

    if (g_str_equal(written, parent->name) || g_strcmp0(written, parent->nodedev) == 0)
        return true;
    if (!virtPCIAddressParse(written, &address, NULL))
        return false;
    virtHandleSetPCI(&handle, &address); /* however the address was written */
    return virtHandleEqual(&handle, &parent->handle);
}

static char *
joinNames(const GPtrArray *parents)
{
    GString *text = g_string_new(NULL);

    for (guint i = 0; i < parents->len; i++) {
        if (i > 0)
            g_string_append(text, ", ");
        g_string_append(text, ((const virtMdevParent *)parents->pdata[i])->name);
    }
    return g_string_free(text, FALSE);
}

/* The parent that @written means.
 *
 * Errors: VIRT_ERROR_NOT_FOUND, which names those that there are; others where that cannot be told.
 */
virtMdevParent *
virtMdevParentFind(virtHost *host, const char *written, GError **error)
{
    g_autoptr(GPtrArray) parents = virtMdevParentList(host, error);
    g_autofree char *names = NULL;

    if (!parents)
        return NULL;
    for (guint i = 0; i < parents->len; i++) {
        if (virtMdevParentIs(parents->pdata[i], written))
            return g_ptr_array_steal_index(parents, i);
    }
    names = joinNames(parents);
    if (parents->len > 0)
        g_set_error(error, VIRT_ERROR, VIRT_ERROR_NOT_FOUND,
                    "parent '%s' does not exist or supports no mediated devices. Those that do are: %s", written,
                    names);
    else
        g_set_error(
            error, VIRT_ERROR, VIRT_ERROR_NOT_FOUND,
            "parent '%s' does not exist or supports no mediated devices, and no other device does. Load the driver that divides it",
            written);
    return NULL;
}

/* The parent of the mediated device @uuid. Errors: VIRT_ERROR_NOT_FOUND where there is no such device. */
virtMdevParent *
virtMdevParentFindOf(virtHost *host, const char *uuid, GError **error)
{
    g_autoptr(GPtrArray) names = virtHostListDir(host, error, BUS);

    for (guint i = 0; names && i < names->len; i++) {
        g_autofree char *device = virtHostPath(host, BUS "/%s/%s", (const char *)names->pdata[i], uuid);

        if (access(device, F_OK) == 0)
            return readParent(host, names->pdata[i], error);
    }
    if (names)
        g_set_error(error, VIRT_ERROR, VIRT_ERROR_NOT_FOUND, "mediated device %s has no parent", uuid);
    return NULL;
}

/* Its type @name, or NULL. */
const virtMdevType *
virtMdevParentGetType(const virtMdevParent *parent, const char *name)
{
    for (guint i = 0; i < parent->types->len; i++) {
        const virtMdevType *type = parent->types->pdata[i];

        if (g_str_equal(type->name, name))
            return type;
    }
    return NULL;
}

/* "mtty-1 (24 free), mtty-2 (12 free)"; the caller frees it. */
char *
virtMdevParentDescribeTypes(const virtMdevParent *parent)
{
    GString *text = g_string_new(NULL);

    for (guint i = 0; i < parent->types->len; i++) {
        const virtMdevType *type = parent->types->pdata[i];

        if (i > 0)
            g_string_append(text, ", ");
        g_string_append_printf(text, "%s (%" G_GUINT64_FORMAT " free)", type->name, type->free);
    }
    if (parent->types->len == 0)
        g_string_append(text, "none");
    return g_string_free(text, FALSE);
}
