/* virvdpa.c: the settings of a vDPA device: how each is compared and shown
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "util/virvdpa.h"

#include <stddef.h>
#include <string.h>

#include "util/virnetdev.h"

/* Does @vdpa say that there is such a device? */
bool
virtVdpaExists(const virtVdpa *vdpa)
{
    return *vdpa->made.parent != '\0';
}

/* As the program vdpa of iproute2 calls it. */
const char *
virtVdpaGetClassName(guint32 id)
{
    if (id == VIRT_VDPA_NET)
        return "net";
    if (id == VIRT_VDPA_BLOCK)
        return "block";
    if (id == VIRT_VDPA_NONE)
        return "none";
    return "other";
}

/* Is @name that of a management device: NAME, or BUS/NAME where it sits on a bus? */
bool
virtVdpaIsParent(const char *name)
{
    static const char allowed[] = G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS "_.:-";
    g_auto(GStrv) parts = g_strsplit(name, "/", -1);
    guint n = g_strv_length(parts);

    for (guint i = 0; i < n; i++) {
        if (!g_ascii_isalnum(*parts[i]) || parts[i][strspn(parts[i], allowed)] || strstr(parts[i], ".."))
            return false;
    }
    return (n == 1 || n == 2) && strlen(name) <= VIRT_VDPA_NAME_MAX;
}

/* ---- attributes ---- */

static bool
madeEqual(gconstpointer one, gconstpointer other)
{
    const virtVdpa *a = one, *b = other;

    if (!g_str_equal(a->made.parent, b->made.parent))
        return false;
    return !virtVdpaExists(a) || (a->made.id == b->made.id && a->made.isSF == b->made.isSF && a->made.sf == b->made.sf);
}

static char *
madeFormat(gconstpointer opaque)
{
    const virtVdpa *vdpa = opaque;

    if (!virtVdpaExists(vdpa))
        return g_strdup("none");
    if (!vdpa->made.isSF)
        return g_strdup_printf("%s on %s", virtVdpaGetClassName(vdpa->made.id), vdpa->made.parent);
    if (vdpa->made.id == VIRT_VDPA_NONE)
        return g_strdup_printf("none on sub-function %u of %s", vdpa->made.sf, vdpa->made.parent);
    return g_strdup_printf("%s on sub-function %u of %s", virtVdpaGetClassName(vdpa->made.id), vdpa->made.sf,
                           vdpa->made.parent);
}

static char *
macFormat(gconstpointer opaque)
{
    const virtVdpa *vdpa = opaque;
    char text[18];

    virtMacFormat(vdpa->mac, text);
    return g_strdup(text);
}

static char *
queuesFormat(gconstpointer opaque)
{
    const virtVdpa *vdpa = opaque;

    return g_strdup_printf("%u", vdpa->pairs);
}

static char *
mtuFormat(gconstpointer opaque)
{
    const virtVdpa *vdpa = opaque;

    return g_strdup_printf("%u", vdpa->mtu);
}

static char *
featuresFormat(gconstpointer opaque)
{
    const virtVdpa *vdpa = opaque;

    return g_strdup_printf("0x%" G_GINT64_MODIFIER "x", vdpa->features);
}

/* ---- the table ---- */

#define MEMBER(name) offsetof(virtVdpa, name), sizeof(((virtVdpa *)NULL)->name)

static const virtSettingAttr attrs[] = {
    [VIRT_VDPA_DEVICE] = {"device", "device",
                          "Use a parent that can make such a device; virt-hostdev list shows what each can",
                          "a vDPA device exists as what it was made", MEMBER(made), madeEqual, madeFormat, NULL},
    [VIRT_VDPA_MAC] = {"mac", "MAC address", "Write in <mac> the address that the device has",
                       "QEMU has told the guest the MAC address that the device had at its start", MEMBER(mac), NULL,
                       macFormat, NULL},
    [VIRT_VDPA_QUEUES] = {"queues", "queue pairs",
                          "Write in <driver queues='...'> as many as a device of this parent has",
                          "a vDPA device gets its queues when it is made", MEMBER(pairs), NULL, queuesFormat, NULL},
    [VIRT_VDPA_MTU] = {"mtu", "MTU", "Drop the <mtu>, or write the one that the parent's devices have",
                       "a vDPA device gets its MTU when it is made", MEMBER(mtu), NULL, mtuFormat, NULL},
    [VIRT_VDPA_FEATURES] = {"features", "features",
                            "Write in <vdpa features='...'> only what the parent offers; virt-hostdev list shows that",
                            "a vDPA device gets its features when it is made", MEMBER(features), NULL, featuresFormat,
                            NULL},
};

G_STATIC_ASSERT(G_N_ELEMENTS(attrs) == VIRT_VDPA_ATTR_LAST);

const virtSettingInfo virtVdpaInfo = {"vdpa", sizeof(virtVdpa), attrs, VIRT_VDPA_ATTR_LAST};
