/* virmdev.c: the settings of a mediated device: how each is compared and shown
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "util/virmdev.h"

#include <stddef.h>
#include <string.h>

/* ---- existence ---- */

/* Does @mdev say that there is such a device? */
bool
virtMdevExists(const virtMdev *mdev)
{
    return *mdev->made.type != '\0';
}

static bool
madeEqual(gconstpointer one, gconstpointer other)
{
    const virtMdev *a = one, *b = other;

    return g_str_equal(a->made.type, b->made.type) && g_str_equal(a->made.parent, b->made.parent);
}

static char *
madeFormat(gconstpointer opaque)
{
    const virtMdev *mdev = opaque;

    if (!virtMdevExists(mdev))
        return g_strdup("none");
    if (mdev->made.free > 0)
        return g_strdup_printf("%s on %s (%" G_GUINT64_FORMAT " free)", mdev->made.type, mdev->made.parent,
                               mdev->made.free);
    return g_strdup_printf("%s on %s", mdev->made.type, mdev->made.parent);
}

/* ---- attributes ---- */

/* Files of every device in sysfs that are not the driver's to be set, and links that lead elsewhere. */
static const char *const reserved[] = {
    "consumer",
    "driver",
    "driver_override",
    "firmware_node",
    "iommu",
    "iommu_group",
    "mdev_type",
    "msi_irqs",
    "of_node",
    "physfn",
    "power",
    "remove",
    "subsystem",
    "supplier",
    "uevent",
    "vfio-dev",
    "waiting_for_supplier",
    NULL,
};

/* Is @name that of a file which a driver may give its devices, perhaps in a folder: "nvidia/vgpu_params"? Never one
 * that would remove or unbind the device, nor one outside of it. */
bool
virtMdevIsAttribute(const char *name)
{
    g_auto(GStrv) parts = g_strsplit(name, "/", -1);

    if (strlen(name) > VIRT_MDEV_NAME_MAX || g_strv_length(parts) > 2)
        return false;
    for (guint i = 0; parts[i]; i++) {
        if (!g_ascii_isalnum(*parts[i]) && *parts[i] != '_')
            return false;
        for (const char *p = parts[i]; *p; p++) {
            if (!g_ascii_isalnum(*p) && !strchr("_-.:", *p))
                return false;
        }
    }
    return parts[0] && !g_strv_contains(reserved, parts[0]);
}

/* The whole of @text as a number, as drivers read and write them: decimal, 0x1f, 017. */
static bool
isNumber(const char *text, guint64 *ret)
{
    char *end;

    if (!g_ascii_isdigit(*text))
        return false;
    *ret = g_ascii_strtoull(text, &end, 0);
    return *end == '\0';
}

/* Do both say the same of an attribute? A driver may show a number otherwise than it was written. */
bool
virtMdevValueIs(const char *one, const char *other)
{
    guint64 a, b;

    return g_str_equal(one, other) || (isNumber(one, &a) && isNumber(other, &b) && a == b);
}

/* What cannot be read says nothing. */
static bool
attrsEqual(gconstpointer one, gconstpointer other)
{
    const virtMdev *a = one, *b = other;

    if (a->attrs.count != b->attrs.count)
        return false;
    for (guint i = 0; i < a->attrs.count; i++) {
        const virtMdevValue *x = &a->attrs.of[i], *y = &b->attrs.of[i];

        if (!g_str_equal(x->name, y->name) || (!x->unread && !y->unread && !virtMdevValueIs(x->value, y->value)))
            return false;
    }
    return true;
}

static char *
attrsFormat(gconstpointer opaque)
{
    const virtMdev *mdev = opaque;
    GString *text = g_string_new(NULL);

    for (guint i = 0; i < mdev->attrs.count; i++) {
        const virtMdevValue *value = &mdev->attrs.of[i];
        const char *shown = value->value;

        if (value->unread)
            shown = "?";
        if (i > 0)
            g_string_append(text, ", ");
        g_string_append_printf(text, "%s=%s", value->name, shown);
    }
    if (mdev->attrs.count == 0)
        g_string_append(text, "none");
    return g_string_free(text, FALSE);
}

/* ---- the table ---- */

#define MEMBER(name) offsetof(virtMdev, name), sizeof(((virtMdev *)NULL)->name)

static const virtSettingAttr attrs[] = {
    [VIRT_MDEV_TYPE] = {"type", "type",
                        "Use a type that its parent has free instances of; virt-hostdev list shows them",
                        "a mediated device exists as what it was made", MEMBER(made), madeEqual, madeFormat, NULL},
    [VIRT_MDEV_ATTRS] = {"attrs", "attributes", "Write values that the parent's driver accepts",
                         "a driver reads them when the guest opens the device", MEMBER(attrs), attrsEqual, attrsFormat,
                         NULL},
};

G_STATIC_ASSERT(G_N_ELEMENTS(attrs) == VIRT_MDEV_ATTR_LAST);

const virtSettingInfo virtMdevInfo = {"mdev", sizeof(virtMdev), attrs, VIRT_MDEV_ATTR_LAST};
