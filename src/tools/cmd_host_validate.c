/* cmd_host_validate.c: virt-hostdev host-validate: can this host provision VFs, in the manner of virt-host-validate
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "tools/hook_check.h"

#include <errno.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "config.h"
#include "util/virerror.h"
#include "util/virnetdevcaps.h"
#include "util/virnetdevhostdev.h"
#include "util/virstatefile.h"
#include "util/virvdpadevice.h"
#include "util/virvdpalink.h"
#include "util/virvfiodriver.h"

/* Says nothing when all is well. */
typedef void (*Check)(virtTool *tool, virtFinding *ret);

static void
checkRoot(virtTool *tool, virtFinding *ret)
{
    if (geteuid() != 0)
        virtFindingSet(ret, g_strdup("sudo virt-hostdev host-validate"), "not root: VFs cannot be fully read, or set");
}

static void
checkLibvirt(virtTool *tool, virtFinding *ret)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(virConnect) conn = virtToolConnect(tool, true, &error);
    unsigned long version = 0;

    if (!conn)
        virtFindingSet(ret, g_strdup("systemctl start libvirtd.socket"), "%s", error->message);
    else if (g_strcmp0(virConnectGetType(conn), "QEMU") != 0)
        virtFindingSet(ret, NULL, "the connection is to %s. Only the QEMU driver calls the hook",
                       virConnectGetType(conn));
    else if (virConnectGetLibVersion(conn, &version) < 0 || version < 9000000)
        virtFindingSet(ret, NULL, "libvirt %lu.%lu is older than 9.0. Upgrade it", version / 1000000,
                       version / 1000 % 1000);
}

static void
checkIommu(virtTool *tool, virtFinding *ret)
{
    g_autoptr(GPtrArray) groups = virtHostListDir(tool->host, NULL, "sys/kernel/iommu_groups");

    if (!groups || groups->len == 0)
        virtFindingSet(
            ret, NULL,
            "no IOMMU group. Enable VT-d or AMD-Vi in the firmware and boot with intel_iommu=on or amd_iommu=on");
}

static void
checkVfio(virtTool *tool, virtFinding *ret)
{
    g_autofree char *driver = virtHostPath(tool->host, "sys/bus/pci/drivers/vfio-pci");
    struct utsname name;
    g_autofree char *modules = NULL;

    if (access(driver, F_OK) == 0 || uname(&name) < 0)
        return;
    modules = virtHostPath(tool->host, "lib/modules/%s/kernel/drivers/vfio/pci", name.release);
    if (access(modules, F_OK) < 0)
        virtFindingSet(ret, g_strdup("modprobe vfio-pci"),
                       "the kernel has no vfio-pci driver. Load it, or install a kernel that has it");
}

/* Before 6.5 the kernel has no RTEXT_FILTER_SKIP_STATS, and with statistics about 221 VFs fill the 16 bits of the
 * list's length (struct nlattr). */
static void
checkKernel(virtTool *tool, virtFinding *ret)
{
    struct utsname name;
    unsigned major = 0, minor = 0;

    if (uname(&name) < 0 || sscanf(name.release, "%u.%u", &major, &minor) != 2 || major > 6 ||
        (major == 6 && minor >= 5))
        return;
    virtFindingSet(ret, NULL, "Linux %s lists at most about 220 VFs a port; use fewer, or Linux 6.5 or newer",
                   name.release);
}

static void
checkPFs(virtTool *tool, virtFinding *ret)
{
    g_autoptr(GPtrArray) pfs = virtPCIListPFs(tool->host);

    if (!pfs || pfs->len == 0)
        virtFindingSet(ret, NULL, "no network device with SR-IOV. Enable it in the firmware and load the NIC's driver");
}

static void
addDown(virtHost *host, const virtPCIAddress *pf, GString *names, GString *command)
{
    g_autoptr(GPtrArray) vfs = virtPCIListVFs(host, pf);
    g_autoptr(GPtrArray) ports = NULL;

    if (vfs && vfs->len)
        ports = virtPCIGetPorts(host, pf, NULL);
    for (guint i = 0; ports && i < ports->len; i++) {
        const virtPort *port = ports->pdata[i];

        if (port->up)
            continue;
        if (command->len > 0)
            g_string_append(command, "; ");
        g_string_append_printf(names, " %s", port->ifname);
        g_string_append_printf(command, "ip link set %s up", port->ifname);
    }
}

static void
checkPorts(virtTool *tool, virtFinding *ret)
{
    g_autoptr(GPtrArray) pfs = virtPCIListPFs(tool->host);
    g_autoptr(GString) down = g_string_new(NULL), command = g_string_new(NULL);

    for (guint i = 0; pfs && i < pfs->len; i++)
        addDown(tool->host, pfs->pdata[i], down, command);
    if (down->len > 0)
        virtFindingSet(ret, g_strdup(command->str), "down:%s. A domain that uses their VFs will not start", down->str);
}

static void
checkRecords(virtTool *tool, virtFinding *ret)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) records = virtProvisionRecordList(tool->host, &error);
    guint gone = 0;

    if (!records) {
        virtFindingSet(ret, NULL, "%s", error->message);
        return;
    }
    for (guint i = 0; i < records->len; i++)
        gone += virtProvisionRecordIsLeft(tool->host, records->pdata[i]);
    if (gone > 0)
        virtFindingSet(ret, g_strdup("virt-hostdev recover"), "%u VFs still have the settings of domains that are gone",
                       gone);
}

/* Are there vDPA management devices? */
static bool
mayHaveVdpa(virtHost *host)
{
    g_autoptr(GArray) parents = NULL;

    if (virtVdpaLinkIsThere(host))
        parents = virtVdpaLinkListParents(host, NULL);
    return parents && parents->len > 0;
}

static void
checkVhostVdpa(virtTool *tool, virtFinding *ret)
{
    g_autoptr(GError) missing = NULL;

    if (mayHaveVdpa(tool->host) && !virtVdpaDeviceCheckDriver(tool->host, &missing))
        virtFindingSet(ret, g_strdup("modprobe vhost_vdpa"), "%s", missing->message);
}

/* Has a file of @dir, or @dir itself, a rule for vDPA devices? */
static bool
allowsVdpa(virtHost *host, const char *dir)
{
    g_autoptr(GPtrArray) names = virtHostListDir(host, NULL, "%s", dir);
    g_autofree char *text = NULL;
    g_autofree char *path = virtHostPath(host, "%s", dir);

    for (guint i = 0; names && i < names->len; i++) {
        g_autofree char *file = g_build_filename(dir, names->pdata[i], NULL);

        if (allowsVdpa(host, file))
            return true;
    }
    return g_file_get_contents(path, &text, NULL, NULL) &&
           g_regex_match_simple("^\\s*/dev/vhost-vdpa-", text, G_REGEX_MULTILINE, 0);
}

/* libvirt's profile of a guest does not let QEMU use a vDPA device. Without the rule a guest starts, and its driver
 * does not. */
static void
checkVdpaRule(virtTool *tool, virtFinding *ret)
{
    static const char *const places[] = {"etc/apparmor.d/abstractions/libvirt-qemu.d",
                                         "etc/apparmor.d/local/abstractions/libvirt-qemu",
                                         "etc/apparmor.d/abstractions/libvirt-qemu"};
    g_autofree char *enabled = virtHostRead(tool->host, NULL, "sys/module/apparmor/parameters/enabled");

    if (g_strcmp0(enabled, "Y") != 0 || !mayHaveVdpa(tool->host))
        return;
    for (guint i = 0; i < G_N_ELEMENTS(places); i++) {
        if (allowsVdpa(tool->host, places[i]))
            return;
    }
    virtFindingSet(ret,
                   g_strdup("echo '/dev/vhost-vdpa-[0-9]* rw,' >> /etc/apparmor.d/local/abstractions/libvirt-qemu"),
                   "AppArmor keeps guests' drivers from starting vDPA devices: no rule for /dev/vhost-vdpa-*");
}

static const struct {
    const char *what;
    Check check;
    bool must; /* a failure, not a warning */
} checks[] = {
    {"root", checkRoot, true},
    {"libvirt 9.0 or newer with the QEMU driver", checkLibvirt, true},
    {"the hook in " VIRT_HOOKS_DIR, virtHookCheckFile, true},
    {"libvirt's daemon being allowed to execute it", virtHookCheckExecute, true},
    {"libvirt's daemon having noticed it", virtHookCheckNoticed, true},
    {"an IOMMU", checkIommu, true},
    {"vfio-pci", checkVfio, true},
    {"Linux 6.5 or newer", checkKernel, false},
    {"network devices with SR-IOV", checkPFs, true},
    {"PF ports that are up", checkPorts, false},
    {"vhost_vdpa for vDPA devices", checkVhostVdpa, false},
    {"AppArmor letting guests use vDPA devices", checkVdpaRule, false},
    {"leftovers of domains that are gone", checkRecords, false},
};

char *
virtHostValidateFirst(virtTool *tool)
{
    for (guint i = 0; i < G_N_ELEMENTS(checks); i++) {
        g_auto(virtFinding) finding = {0};
        g_autofree char *text = NULL;

        if (!checks[i].must)
            continue;
        checks[i].check(tool, &finding);
        if (!finding.wrong || finding.unsure)
            continue;
        text = virtFindingText(&finding);
        return g_strdup_printf("%s: %s", checks[i].what, text);
    }
    return NULL;
}

/* --- what the drivers can do --- */

static const char *const answers[] = {"unknown", "yes", "perhaps", "no"}; /* virtNetdevCapsAnswer */

/* A PF's first VF, where there is one. */
static virtVF *
findFirstVF(virtTool *tool, const virtPCIAddress *pf)
{
    g_autoptr(GPtrArray) vfs = virtPCIListVFs(tool->host, pf);

    if (vfs->len == 0)
        return NULL;
    return virtVFLookup(tool->host, vfs->pdata[0], NULL);
}

/* Can @vf migrate with a guest? The kernel must have a driver for that, and the function at @port may have to be made
 * migratable. */
static virtNetdevCapsAnswer
askMigration(virtTool *tool, const virtVF *vf, const virtPort *port, char **ret_why)
{
    const virtDevlinkPort *function = virtVFGetFunction(vf, port);
    g_autoptr(GError) missing = NULL;
    g_autofree char *driver = virtVFIODriverFind(tool->host, &vf->address, &missing);

    if (!driver) {
        *ret_why = g_strdup(missing->message);
        if (g_error_matches(missing, VIRT_ERROR, VIRT_ERROR_NOT_FOUND))
            return VIRT_CAPS_CANNOT;
        return VIRT_CAPS_UNKNOWN;
    }
    if (function && virtSettingHas(&function->function, VIRT_FUNCTION_MIGRATABLE)) {
        *ret_why = g_strdup_printf("by %s, with <function migratable='yes'/>", driver);
        return VIRT_CAPS_CAN;
    }
    *ret_why =
        g_strdup_printf("%s decides: there is no port function, or it does not say whether it is migratable", driver);
    return VIRT_CAPS_MAYBE;
}

static void
addMigration(virtTool *tool, struct libscols_table *table, const virtVF *vf, const virtPort *port, const char *driver)
{
    g_autofree char *number = g_strdup_printf("%u", port->port);
    g_autofree char *why = NULL;
    const char *answer = answers[askMigration(tool, vf, port, &why)];

    virtToolRow(table, NULL,
                (const char *[]){"migration", answer, vf->pfName, number, port->ifname, driver, why, NULL});
}

static void
addPort(virtTool *tool, struct libscols_table *table, const virtPCIAddress *pf, const virtPort *port, const virtVF *vf,
        const virtNetdev *present)
{
    g_autoptr(virtNetdevCapsPort) kind = virtNetdevCapsPortRead(tool->host, pf, port);
    g_autofree char *number = g_strdup_printf("%u", port->port);
    char name[VIRT_PCI_ADDRESS_LEN];

    virtPCIAddressFormat(pf, name);
    for (virtNetdevCapability capability = 0; capability < VIRT_CAPABILITY_LAST; capability++) {
        g_autofree char *why = NULL;
        const char *answer = answers[virtNetdevCapsAsk(kind, present, capability, &why)];
        const char *cells[] = {
            virtNetdevCapabilities[capability].title, answer, name, number, port->ifname, kind->driver, why, NULL};

        virtToolRow(table, NULL, cells);
    }
    if (vf)
        addMigration(tool, table, vf, port, kind->driver);
}

static void
addPFs(virtTool *tool, struct libscols_table *table)
{
    g_autoptr(GPtrArray) pfs = virtPCIListPFs(tool->host);

    for (guint i = 0; i < pfs->len; i++) {
        g_autoptr(GPtrArray) ports = virtPCIGetPorts(tool->host, pfs->pdata[i], NULL);
        g_autoptr(virtVF) vf = findFirstVF(tool, pfs->pdata[i]);
        g_autoptr(GPtrArray) present = NULL;

        if (vf)
            present = virtNetDevHostdevRead(tool->host, vf, NULL, NULL);
        for (guint n = 0; ports && n < ports->len; n++) {
            const virtPort *port = ports->pdata[n];
            const virtNetdev *netdev = NULL;

            if (present)
                netdev = virtNetdevListFind(present, port->port);
            addPort(tool, table, pfs->pdata[i], port, vf, netdev);
        }
    }
}

/* --- */

/* @commands: gets what corrects it
 * Returns whether it is a failure. */
static bool
runCheck(virtTool *tool, struct libscols_table *table, guint n, GPtrArray *commands)
{
    g_auto(virtFinding) finding = {0};
    g_autofree char *text = NULL;
    const char *result = "PASS";
    virtColor color = VIRT_COLOR_GOOD;

    checks[n].check(tool, &finding);
    text = virtFindingText(&finding);
    if (finding.wrong && checks[n].must && !finding.unsure) {
        result = "FAIL";
        color = VIRT_COLOR_BAD;
    } else if (finding.wrong) {
        result = "WARN";
        color = VIRT_COLOR_WARN;
    }
    if (finding.command && !g_ptr_array_find_with_equal_func(commands, finding.command, g_str_equal, NULL))
        g_ptr_array_add(commands, g_strdup(finding.command));
    if (tool->json)
        virtToolRow(table, NULL,
                    (const char *[]){checks[n].what, result, NULL, NULL, NULL, NULL, finding.wrong, finding.command});
    else
        printf("%8s: Checking for %-45s : %s%s%s%s%s%s\n", "HOSTDEV", checks[n].what, virtToolColorBegin(color), result,
               virtToolColorEnd(), text ? " (" : "", text ? text : "", text ? ")" : "");
    return g_str_equal(result, "FAIL");
}

static void
printCommands(const GPtrArray *commands)
{
    if (commands->len == 0)
        return;
    printf("\nWhat commands can correct, in this order:\n");
    for (guint i = 0; i < commands->len; i++)
        printf("    %s\n", (const char *)commands->pdata[i]);
}

/* First the checks, a line each, then a table of what each PF's driver can do, then the commands; with --json all is in
 * one table. */
bool
virtCmdHostValidate(virtTool *tool, int argc, char **argv, GError **error)
{
    const char *columns[] = {"CHECK", "RESULT", "PF", "PORT", "NETDEV", "DRIVER", "WHY", NULL, NULL};
    g_autoptr(GPtrArray) commands = g_ptr_array_new_with_free_func(g_free);
    struct libscols_table *table;
    guint failed = 0;

    if (!virtToolOptions(tool, NULL, &argc, &argv, 0, 0, error))
        return false;
    if (tool->json)
        columns[G_N_ELEMENTS(columns) - 2] = "COMMAND";
    table = virtToolTable(tool, "host-validate", columns);
    for (guint i = 0; i < G_N_ELEMENTS(checks); i++)
        failed += runCheck(tool, table, i, commands);
    addPFs(tool, table);
    if (!tool->json && scols_table_get_nlines(table) > 0)
        putchar('\n');
    virtToolPrintTable(table);
    if (!tool->json)
        printCommands(commands);
    if (failed == 0)
        return true;
    g_set_error(error, VIRT_ERROR, VIRT_ERROR_HOST, "%u checks failed", failed);
    return false;
}
