/* virmdevdefined.c: mediated devices that mdevctl, or libvirt through it, has defined
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * mdevctl 1.4 keeps a definition in /etc/mdevctl.d/PARENT/UUID, where PARENT is the parent's name in sysfs:
 *
 *     {
 *       "mdev_type": "nvidia-63",
 *       "start": "manual",
 *       "attrs": [
 *         { "nvidia/vgpu_params": "frame_rate_limiter=0" }
 *       ]
 *     }
 *
 * What has no meaning here is passed, and of strings those are taken that sysfs could.
 */
#include "util/virmdevdefined.h"
#include "util/virerror.h"

#include <string.h>
#include <unistd.h>

#include <jansson.h>

#define DEFINED "etc/mdevctl.d"

G_DEFINE_AUTOPTR_CLEANUP_FUNC(json_t, json_decref)

/* The text of @value, which is in it, of at most @max bytes; NULL: it has none that is taken. */
static const char *
textOf(const json_t *value, gsize max)
{
    const char *text = json_string_value(value);

    if (!text || !*text || strlen(text) > max)
        return NULL;
    for (const char *c = text; *c; c++) {
        if (!g_ascii_isprint(*c))
            return NULL;
    }
    return text;
}

static bool
readAttr(const char *name, const json_t *member, virtMdev *mdev)
{
    const char *text = textOf(member, VIRT_MDEV_VALUE_MAX);
    virtMdevValue *value;

    if (!text || !virtMdevIsAttribute(name) || mdev->attrs.count == VIRT_MDEV_ATTRS_MAX)
        return false;
    value = &mdev->attrs.of[mdev->attrs.count++];
    g_strlcpy(value->name, name, sizeof(value->name));
    g_strlcpy(value->value, text, sizeof(value->value));
    mdev->setting.present |= VIRT_SETTING_BIT(VIRT_MDEV_ATTRS);
    return true;
}

/* Objects with a member each, so that a name can come twice. */
static bool
readAttrs(json_t *attrs, virtMdev *mdev)
{
    gsize i;
    json_t *attr, *member;
    const char *name;

    if (attrs && !json_is_array(attrs))
        return false;
    json_array_foreach(attrs, i, attr)
    {
        if (!json_is_object(attr))
            return false;
        json_object_foreach(attr, name, member)
        {
            if (!readAttr(name, member, mdev))
                return false;
        }
    }
    return true;
}

static bool
readDefinition(const json_t *definition, virtMdev *mdev)
{
    const char *type = textOf(json_object_get(definition, "mdev_type"), VIRT_MDEV_NAME_MAX);

    if (!type)
        return false;
    g_strlcpy(mdev->made.type, type, sizeof(mdev->made.type));
    return readAttrs(json_object_get(definition, "attrs"), mdev);
}

/* The whole of @text, which has @len bytes. */
static bool
readText(const char *text, gsize len, virtMdev *mdev)
{
    g_autoptr(json_t) definition = NULL;

    if (len <= VIRT_MDEV_DEFINED_MAX)
        definition = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
    return definition && readDefinition(definition, mdev);
}

/* The parents at which @uuid is defined; char *, for g_ptr_array_unref(). */
static GPtrArray *
listParents(virtHost *host, const char *uuid)
{
    g_autoptr(GPtrArray) names = virtHostListDir(host, NULL, DEFINED);
    GPtrArray *parents = g_ptr_array_new_with_free_func(g_free);

    for (guint i = 0; names && i < names->len; i++) {
        const char *name = names->pdata[i];
        g_autofree char *path = virtHostPath(host, DEFINED "/%s/%s", name, uuid);

        if (access(path, F_OK) == 0 && strlen(name) <= VIRT_MDEV_NAME_MAX)
            g_ptr_array_add(parents, g_strdup(name));
    }
    return parents;
}

static bool
readFile(virtHost *host, const char *parent, const char *uuid, virtMdev *ret, GError **error)
{
    g_autofree char *path = virtHostPath(host, DEFINED "/%s/%s", parent, uuid);
    g_autofree char *text = NULL;
    g_autoptr(GError) problem = NULL;
    virtMdev mdev = {.setting.present = VIRT_SETTING_BIT(VIRT_MDEV_TYPE)};
    gsize len;

    if (!g_file_get_contents(path, &text, &len, &problem)) {
        g_set_error(error, VIRT_ERROR, VIRT_ERROR_HOST, "its definition cannot be read: %s", problem->message);
        return false;
    }
    g_strlcpy(mdev.made.parent, parent, sizeof(mdev.made.parent));
    if (readText(text, len, &mdev)) {
        *ret = mdev;
        return true;
    }
    g_set_error(
        error, VIRT_ERROR, VIRT_ERROR_INVALID,
        "its definition %s is not one that mdevctl writes, or has attributes that <attr> could not have. Compare it with mdevctl list --defined --dumpjson, or write <mdev parent='...'><type id='...'/></mdev>",
        path);
    return false;
}

/* How the device @uuid is defined on the host, whether it is there or not: parent, type and attributes. They need not
 * be any that the host has.
 *
 * Errors: VIRT_ERROR_NOT_FOUND where it is not; VIRT_ERROR_INVALID where it is at several parents, or in a way that
 * cannot be taken; VIRT_ERROR_HOST.
 */
bool
virtMdevDefinedRead(virtHost *host, const char *uuid, virtMdev *ret, GError **error)
{
    g_autoptr(GPtrArray) parents = listParents(host, uuid);

    if (parents->len == 1)
        return readFile(host, parents->pdata[0], uuid, ret, error);
    if (parents->len == 0)
        g_set_error(
            error, VIRT_ERROR, VIRT_ERROR_NOT_FOUND,
            "it is not defined, and <mdev> does not say of what to make it. Define it with mdevctl or virsh nodedev-define, or write <mdev parent='...'><type id='...'/></mdev>");
    else
        g_set_error(
            error, VIRT_ERROR, VIRT_ERROR_INVALID,
            "it is defined at the parents %s and %s. Drop a definition with mdevctl undefine, or write <mdev parent='...'><type id='...'/></mdev>",
            (const char *)parents->pdata[0], (const char *)parents->pdata[1]);
    return false;
}
