/* cmd_list_vdpa.c: virt-hostdev list: what vDPA devices can be made of, and those that there are
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "tools/cmd_list.h"

#include <string.h>

#include "util/virvdpalink.h"

/* The classes that @parent makes, for people; the caller frees it. */
static char *
describeClasses(const virtVdpaParent *parent)
{
    static const guint32 ids[] = {VIRT_VDPA_NET, VIRT_VDPA_BLOCK};
    GString *text = g_string_new(NULL);

    for (guint i = 0; i < G_N_ELEMENTS(ids); i++) {
        if (!(parent->classes & G_GUINT64_CONSTANT(1) << ids[i]))
            continue;
        if (text->len > 0)
            g_string_append(text, ", ");
        g_string_append(text, virtVdpaGetClassName(ids[i]));
    }
    return g_string_free(text, FALSE);
}

/* One of the attributes that the device shows, for people; NULL: it does not. The caller frees it. */
static char *
showAttr(const virtVdpa *vdpa, virtVdpaAttr attr)
{
    if (!virtSettingHas(vdpa, attr))
        return NULL;
    return virtVdpaInfo.attrs[attr].format(vdpa);
}

static void
addDevice(virtTool *tool, struct libscols_table *table, struct libscols_line *parent, const virtVdpaDevice *device)
{
    g_autofree char *queues = g_strdup_printf("%u", device->queues);
    g_autofree char *features = NULL, *mac = NULL, *mtu = NULL, *owner = NULL;
    g_autoptr(GError) error = NULL;
    virtVdpa vdpa = {.made.id = device->id};
    struct libscols_line *line;
    virtHandle handle;

    if (!virtVdpaLinkReadConfig(tool->host, device->name, &vdpa, &error))
        virtHostWarn(tool->host, "%s", error->message);
    features = showAttr(&vdpa, VIRT_VDPA_FEATURES);
    mac = showAttr(&vdpa, VIRT_VDPA_MAC);
    mtu = showAttr(&vdpa, VIRT_VDPA_MTU);
    if (virtHandleSet(&handle, "vdpa", device->name, NULL))
        owner = virtListFindOwner(tool->host, &handle);
    line = virtToolRow(table, parent,
                       (const char *[]){device->name, "device", virtVdpaGetClassName(device->id), NULL, queues, mac,
                                        mtu, owner, features});
    if (owner)
        virtToolColorRow(line, VIRT_COLOR_GOOD);
}

/* The devices of @parent ("": those that nobody has made). */
static void
addDevices(virtTool *tool, struct libscols_table *table, struct libscols_line *line, const GArray *devices,
           const char *parent)
{
    for (guint i = 0; i < devices->len; i++) {
        const virtVdpaDevice *device = &g_array_index(devices, virtVdpaDevice, i);

        if (g_str_equal(device->parent, parent))
            addDevice(tool, table, line, device);
    }
}

static void
addParent(virtTool *tool, struct libscols_table *table, const virtVdpaParent *parent, const GArray *devices)
{
    g_autofree char *queues = g_strdup_printf("%u", parent->queues);
    g_autofree char *features = g_strdup_printf("0x%" G_GINT64_MODIFIER "x", parent->features);
    g_autofree char *classes = describeClasses(parent);
    const char *free = "any";
    guint has = 0;
    struct libscols_line *line;

    for (guint i = 0; i < devices->len; i++)
        has += g_str_equal(g_array_index(devices, virtVdpaDevice, i).parent, parent->name);
    if (!virtVdpaLinkIsSimulator(parent->name))
        free = has == 0 ? "1" : "0";
    line = virtToolRow(table, NULL,
                       (const char *[]){parent->name, "parent", classes, free, queues, NULL, NULL, NULL, features});
    addDevices(tool, table, line, devices, parent->name);
}

struct libscols_table *
virtListMakeVdpaTable(virtTool *tool)
{
    static const char *const columns[] = {"NAME", "KIND", "CLASS", "FREE",     "QUEUES",
                                          "MAC",  "MTU",  "OWNER", "FEATURES", NULL};
    struct libscols_table *table = virtToolTable(tool, "vdpas", columns);
    g_autoptr(GError) error = NULL;
    g_autoptr(GArray) parents = NULL, devices = NULL;

    if (!virtVdpaLinkIsThere(tool->host))
        return table;
    if (!(parents = virtVdpaLinkListParents(tool->host, &error)) ||
        !(devices = virtVdpaLinkListDevices(tool->host, &error))) {
        virtHostWarn(tool->host, "%s", error->message);
        return table;
    }
    for (guint i = 0; i < parents->len; i++)
        addParent(tool, table, &g_array_index(parents, virtVdpaParent, i), devices);
    addDevices(tool, table, NULL, devices, "");
    return table;
}
