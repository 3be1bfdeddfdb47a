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
 * That is JSON (RFC 8259). What has no meaning here is passed, and of strings those are taken that sysfs could.
 */
#include "util/virmdevdefined.h"
#include "util/virerror.h"

#include <string.h>
#include <unistd.h>

#define DEFINED "etc/mdevctl.d"
#define DEPTH_LONGEST 8 /* of what is passed */

typedef struct {
    const char *at;
    virtMdev *mdev;
} Reader;

/* ---- JSON ---- */

static bool
take(Reader *reader, char c)
{
    reader->at += strspn(reader->at, " \t\r\n");
    if (*reader->at != c)
        return false;
    reader->at++;
    return true;
}

/* What the escape after a backslash means; 0: nothing that is taken. */
static char
readEscape(Reader *reader)
{
    static const char letters[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
    const char *letter = NULL;
    guint code = 0;

    if (*reader->at)
        letter = strchr(letters, *reader->at);
    if (letter)
        return meanings[letter - letters];
    if (*reader->at != 'u')
        return 0;
    for (guint i = 0; i < 4; i++) {
        int digit = g_ascii_xdigit_value(*++reader->at);

        if (digit < 0)
            return 0;
        code = code * 16 + (guint)digit;
    }
    if (code > 0x7f)
        return 0;
    return (char)code;
}

/* A string, for g_free(); NULL: there is none, or one that is not taken. */
static char *
readString(Reader *reader)
{
    g_autoptr(GString) text = g_string_new(NULL);

    if (!take(reader, '"'))
        return NULL;
    for (; *reader->at != '"'; reader->at++) {
        char c = *reader->at;

        if (c == '\\') {
            reader->at++;
            c = readEscape(reader);
        }
        if (!g_ascii_isprint(c)) /* among them the end of the text */
            return NULL;
        g_string_append_c(text, c);
    }
    reader->at++;
    return g_string_free(g_steal_pointer(&text), FALSE);
}

typedef bool (*MemberFunc)(Reader *reader, const char *name);

static bool
readMembers(Reader *reader, MemberFunc func)
{
    if (!take(reader, '{'))
        return false;
    if (take(reader, '}'))
        return true;
    do {
        g_autofree char *name = readString(reader);

        if (!name || !take(reader, ':') || !func(reader, name))
            return false;
    } while (take(reader, ','));
    return take(reader, '}');
}

/* A value that has no meaning here: by its brackets, strings and the rest. */
static bool
passValue(Reader *reader)
{
    guint depth = 0;

    do {
        g_autofree char *text = NULL;
        gsize word;

        reader->at += strspn(reader->at, " \t\r\n,:");
        if (strchr("[{", *reader->at) && *reader->at) {
            reader->at++;
            depth++;
        } else if (strchr("]}", *reader->at) && *reader->at && depth > 0) {
            reader->at++;
            depth--;
        } else if (*reader->at == '"') {
            if (!(text = readString(reader)))
                return false;
        } else if ((word = strcspn(reader->at, " \t\r\n,:[]{}\"")) > 0) {
            reader->at += word;
        } else {
            return false;
        }
    } while (depth > 0 && depth <= DEPTH_LONGEST);
    return depth == 0;
}

/* ---- a definition ---- */

static bool
readAttr(Reader *reader, const char *name)
{
    g_autofree char *text = readString(reader);
    virtMdev *mdev = reader->mdev;
    virtMdevValue *value;

    if (!text || !*text || strlen(text) > VIRT_MDEV_VALUE_MAX || !virtMdevIsAttribute(name) ||
        mdev->attrs.count == VIRT_MDEV_ATTRS_MAX)
        return false;
    value = &mdev->attrs.of[mdev->attrs.count++];
    g_strlcpy(value->name, name, sizeof(value->name));
    g_strlcpy(value->value, text, sizeof(value->value));
    mdev->setting.present |= VIRT_SETTING_BIT(VIRT_MDEV_ATTRS);
    return true;
}

static bool
readAttrs(Reader *reader)
{
    if (!take(reader, '['))
        return false;
    if (take(reader, ']'))
        return true;
    do {
        if (!readMembers(reader, readAttr))
            return false;
    } while (take(reader, ','));
    return take(reader, ']');
}

static bool
readMember(Reader *reader, const char *name)
{
    g_autofree char *type = NULL;

    if (g_str_equal(name, "attrs"))
        return readAttrs(reader);
    if (!g_str_equal(name, "mdev_type"))
        return passValue(reader);
    if (!(type = readString(reader)) || strlen(type) > VIRT_MDEV_NAME_MAX)
        return false;
    g_strlcpy(reader->mdev->made.type, type, sizeof(reader->mdev->made.type));
    return true;
}

/* The whole of @text, which has @len bytes. */
static bool
readText(const char *text, gsize len, virtMdev *mdev)
{
    Reader reader = {text, mdev};

    return len <= VIRT_MDEV_DEFINED_MAX && strlen(text) == len && readMembers(&reader, readMember) &&
           take(&reader, '\0') && virtMdevExists(mdev);
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
