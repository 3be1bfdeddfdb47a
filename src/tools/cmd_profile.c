/* cmd_profile.c: virt-hostdev profile-list, profile-dumpxml, profile-define and profile-undefine
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "tools/tool.h"

#include "conf/netdev_conf.h"
#include "hypervisor/provision_profile.h"

static char *
readName(const char *xml, gsize len, const char *file, GError **error)
{
    g_autoptr(virtProfile) profile = virtProfileParse(xml, len, file, error);

    if (!profile)
        return NULL;
    return g_strdup(profile->name);
}

static const virtToolStored profiles = {&virtProvisionProfiles, readName};

/* "2, 3" */
static char *
listPorts(const virtProfile *profile)
{
    const GPtrArray *netdevs = VIRT_NETDEVS(profile);
    g_autoptr(GArray) ports = g_array_new(FALSE, FALSE, sizeof(guint));

    for (guint i = 0; i < netdevs->len; i++)
        g_array_append_val(ports, ((const virtNetdev *)netdevs->pdata[i])->port);
    return virtSettingJoinNumbers(ports, ", ");
}

/* One that cannot be read is a row that says so. */
static void
addProfile(virtTool *tool, struct libscols_table *table, const char *name)
{
    g_autoptr(GError) problem = NULL;
    g_autoptr(virtProfile) profile = virtProvisionProfileLoad(tool->host, name, &problem);
    g_autofree char *ports = NULL;
    const char *cells[] = {name, NULL, NULL};

    if (profile) {
        cells[1] = ports = listPorts(profile);
        cells[2] = profile->description;
    } else {
        cells[2] = problem->message;
    }
    virtToolRow(table, NULL, cells);
}

bool
virtCmdProfileList(virtTool *tool, int argc, char **argv, GError **error)
{
    static const char *const columns[] = {"NAME", "PORTS", "DESCRIPTION", NULL};
    g_autoptr(GPtrArray) names = NULL;
    struct libscols_table *table;

    if (!virtToolOptions(tool, NULL, &argc, &argv, 0, 0, error) ||
        !(names = virtProvisionListStored(tool->host, &virtProvisionProfiles, error)))
        return false;
    table = virtToolTable(tool, "profiles", columns);
    for (guint i = 0; i < names->len; i++)
        addProfile(tool, table, names->pdata[i]);
    virtToolPrintTable(table);
    return true;
}

bool
virtCmdProfileDumpxml(virtTool *tool, int argc, char **argv, GError **error)
{
    return virtToolStoredDumpxml(tool, &profiles, argc, argv, error);
}

bool
virtCmdProfileDefine(virtTool *tool, int argc, char **argv, GError **error)
{
    return virtToolStoredDefine(tool, &profiles, argc, argv, error);
}

bool
virtCmdProfileUndefine(virtTool *tool, int argc, char **argv, GError **error)
{
    return virtToolStoredUndefine(tool, &profiles, argc, argv, error);
}
