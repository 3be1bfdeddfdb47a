/* statusshow.c: status, new, top and list --dot of virt-hostdev on a made-up host, for tests to read
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 *   statusshow [--json]
 *   statusshow --json-list
 *   statusshow mdevs OPTION...     list, of a host with mediated devices, a GPU and vDPA besides: a device of each
 *                                  is domain vm4's, the others nobody's
 *   statusshow status OPTION...
 *   statusshow made OPTION...      status, of that host
 *   statusshow new ADDRESS
 *   statusshow top OPTION...
 *   statusshow damaged OPTION...   status, and VF 3's record cannot be read
 *   statusshow changing OPTION...  top; after the first reading, VF 0 is changed, and VF 1 given back
 *   statusshow --dot VFS [OWNER...]   VFS of each of two PFs; the owners' names
 *
 * VF 0 of 0000:01:00.0 is a domain's, as it was set; VF 1 is owner "me"'s, and somebody else has changed two settings
 * of it; VF 2, another domain's, cannot be read; VF 3's domain has gone. Port 1 has counters of VFs 0 and 1, which grow
 * with each reading, VF 1's more; the driver keeps no others.
 */
#include "fakehost.h"
#include "fakemdev.h"
#include "fakevdpa.h"
#include "fakevgpu.h"
#include "tools/tool.h"
#include "testrecord.h"
#include "util/virstatefile.h"

#include <string.h>
#include <unistd.h>

#define PF "0000:01:00.0"
#define PF2 "0000:41:00.0"

const virtCommand virtCommands[] = {
    {"status", "", "show who has which VF", virtCmdStatus},
    {"list", "", "show the PFs", virtCmdList},
    {"new", "ADDRESS", "write a <hostdev>", virtCmdNew},
    {"top", "", "show what passes", virtCmdTop},
    {NULL},
};

static virtHostdev *
newHostdev(const char *address)
{
    virtHostdev *hostdev = g_new0(virtHostdev, 1);

    testSetHandle(&hostdev->handle, address);
    virtSettingsInit(&hostdev->settings);
    for (guint port = 1; port <= 2; port++) {
        virtNetdev *netdev = virtNetdevNew(port);

        netdev->vlan.id = (guint16)(40 + port);
        netdev->vlan.protocol = 0x8100;
        netdev->spoofcheck = 0;
        netdev->present = VIRT_NETDEV_BIT(VIRT_NETDEV_VLAN) | VIRT_NETDEV_BIT(VIRT_NETDEV_SPOOFCHECK);
        g_ptr_array_add(VIRT_NETDEVS(hostdev), netdev);
    }
    return hostdev;
}

static void
give(fakeHost *fake, guint vf, const char *name, const char *uuid, guint64 starter)
{
    g_autoptr(GPtrArray) list = g_ptr_array_new_with_free_func((GDestroyNotify)virtHostdevFree);
    g_autoptr(virtOwner) owner = virtOwnerNew(name, uuid);
    g_autoptr(GError) error = NULL;

    virtOwnerSetStarter(owner, starter);
    g_ptr_array_add(list, newHostdev(fakeHostVFAddress(fake, PF, vf)));
    g_assert_true(virtProvisionPrepare(fake->host, owner, list, &error));
    g_assert_no_error(error);
}

#define MDEV                                                                                                           \
    "<hostdev mode='subsystem' type='mdev' managed='yes' model='vfio-pci'><source>"                                    \
    "<address uuid='c5f5e1a2-7a57-4b5e-8c5b-0d5a3d6f2a11'/></source><mdev parent='mtty'><type id='mtty-1'/></mdev>"    \
    "</hostdev>"

#define GPU "0000:41:00.0"
#define VGPU                                                                                                           \
    "<hostdev mode='subsystem' type='pci' managed='no'><source>"                                                       \
    "<address domain='0' bus='0x41' slot='0x10' function='0'/></source><vgpu type='63'/></hostdev>"

#define VDPA                                                                                                           \
    "<interface type='vdpa'><mac address='52:54:00:01:02:05'/><source dev='/run/libvirt-hostdev/vdpa/blue'/>"          \
    "<vdpa parent='vdpasim_net'/></interface>"

static void
addMdevs(fakeHost *fake)
{
    g_autoptr(virtOwner) owner = virtOwnerNew("vm4", "41111111-2222-3333-4444-555555555555");
    g_autoptr(virtDomainConf) device = virtDomainConfParse(MDEV, strlen(MDEV), NULL, 0, NULL);
    g_autoptr(virtDomainConf) vgpu = virtDomainConfParse(VGPU, strlen(VGPU), NULL, 0, NULL);
    g_autoptr(virtDomainConf) vdpa = virtDomainConfParse(VDPA, strlen(VDPA), NULL, 0, NULL);

    fakeMdevAddParent(fake, "mtty");
    fakeMdevAddType(fake, "mtty", "mtty-1", 24);
    fakeMdevAddType(fake, "mtty", "mtty-2", 12);
    fakeMdevMake(fake, "mtty", "mtty-2", "d5f5e1a2-7a57-4b5e-8c5b-0d5a3d6f2a11");
    fakeHostAddPF(fake, GPU, 0, 2, "nvidia");
    fakeVgpuAdd(fake, GPU, 2);
    g_ptr_array_add(device->hostdevs, g_ptr_array_steal_index(vgpu->hostdevs, 0));
    fakeVdpaAddParent(fake, "vdpasim_net", 1 << 1, 3, 0x300020028, 1 << 10);
    fakeVdpaAddParent(fake, "pci/0000:42:00.0", 1 << 1, 5, 0x300020028, 0);
    fakeVdpaLoad(fake, "vhost_vdpa");
    fakeVdpaMake(fake, "pci/0000:42:00.0", "theirs", NULL);
    g_ptr_array_add(device->hostdevs, g_ptr_array_steal_index(vdpa->hostdevs, 0));
    virtOwnerSetStarter(owner, (guint64)getpid());
    g_assert_true(virtProvisionPrepare(fake->host, owner, device->hostdevs, NULL));
}

static GLogWriterOutput
drop(GLogLevelFlags level, const GLogField *fields, gsize n, gpointer opaque)
{
    return G_LOG_WRITER_HANDLED;
}

#define RECEIVED 1000 /* bytes */

static void
count(fakeHost *fake)
{
    fakeHostVF(fake, PF, 1, 0)->stats = (virtNetdevStats){{RECEIVED, 10, 2000, 20, 1, 2, 7}};
    fakeHostVF(fake, PF, 1, 0)->growth = (virtNetdevStats){{1000000, 1000, 2000000, 2000, 0, 0, 100}};
    fakeHostVF(fake, PF, 1, 1)->stats = (virtNetdevStats){{600, 6}};
    fakeHostVF(fake, PF, 1, 1)->growth = (virtNetdevStats){{50000000, 50000}};
}

/* Called with each answer of the kernel: once counters have been read, the records before them were, too. */
static void
change(void *opaque, struct nl_msg *reply)
{
    fakeHost *fake = opaque;

    if (fakeHostVF(fake, PF, 1, 0)->stats.of[VIRT_NETDEV_RX_BYTES] == RECEIVED)
        return;
    fakeHostVF(fake, PF, 2, 0)->vlan = 99;
    virtStateFileRemove(fake->host, fakeHostVFAddress(fake, PF, 1), NULL);
}

/* A command as it is called, and what of the host is otherwise for it. */
static const struct {
    const char *name;
    bool (*run)(virtTool *tool, int argc, char **argv, GError **error);
    const char *command;
    bool isDamaged, isChanging, hasMdevs;
} rows[] = {
    {"status", virtCmdStatus, "status", false, false},
    {"new", virtCmdNew, "new", false, false},
    {"top", virtCmdTop, "top", false, false},
    {"damaged", virtCmdStatus, "status", true, false},
    {"changing", virtCmdTop, "top", false, true},
    {"mdevs", virtCmdList, "list", false, false, true},
    {"made", virtCmdStatus, "status", false, false, true},
};

/* Returns what main() does; -1: there is none of that name. */
static int
runRow(fakeHost *fake, virtTool *tool, int argc, char **argv)
{
    g_autoptr(GError) error = NULL;

    for (guint i = 0; i < G_N_ELEMENTS(rows) && argc > 1; i++) {
        if (!g_str_equal(rows[i].name, argv[1]))
            continue;
        if (rows[i].isDamaged)
            g_assert_true(virtStateFileWrite(fake->host, fakeHostVFAddress(fake, PF, 3), "<hostdev", NULL));
        if (rows[i].hasMdevs)
            addMdevs(fake);
        if (rows[i].isChanging) {
            fake->garble = change;
            fake->garbleOpaque = fake;
        }
        argv[1] = (char *)rows[i].command;
        tool->json = FALSE;
        if (rows[i].run(tool, argc - 1, argv + 1, &error))
            return 0;
        fprintf(stderr, "%s\n", error->message);
        return 1;
    }
    return -1;
}

int
main(int argc, char **argv)
{
    g_autoptr(fakeHost) fake = fakeHostNew();
    g_autoptr(GError) error = NULL;
    virtTool tool = {.host = fake->host, .root = fake->host->root, .json = argc == 2};
    char *status[] = {(char *)"status", NULL};
    char *list[] = {(char *)"list", (char *)"--dot", NULL};
    bool isTree = argc > 1 && g_str_equal(argv[1], "--json-list");
    const char *owners[] = {"vm \"one\" \\\t", "me", "vm2", "vm3"};
    guint vfs = 4;
    bool isPicture = argc > 2 && g_str_equal(argv[1], "--dot");
    int code;

    g_log_set_writer_func(drop, NULL, NULL);
    if (isPicture)
        vfs = (guint)g_ascii_strtoull(argv[2], NULL, 10);
    for (int i = 0; isPicture && i < argc - 3 && i < (int)G_N_ELEMENTS(owners); i++)
        owners[i] = argv[i + 3];
    fakeHostAddPF(fake, PF, 2, vfs, "dual");
    give(fake, 0, owners[0], "11111111-2222-3333-4444-555555555555", (guint64)getpid());
    give(fake, 1, owners[1], NULL, 0);
    give(fake, 2, owners[2], "21111111-2222-3333-4444-555555555555", (guint64)getpid());
    give(fake, 3, owners[3], "31111111-2222-3333-4444-555555555555", 0);
    fakeHostVF(fake, PF, 2, 1)->vlan = 99;
    fakeHostVF(fake, PF, 1, 1)->spoofchk = 1;
    fakeHostVF(fake, PF, 1, 2)->hidden = true;
    fakeHostVF(fake, PF, 1, 3)->vlan = 99;
    count(fake);
    code = runRow(fake, &tool, argc, argv);
    if (code >= 0) {
        g_free(tool.file);
        return code;
    }
    if (isTree) {
        addMdevs(fake);
        g_assert_true(virtCmdList(&tool, 1, list, &error));
    } else if (isPicture) {
        fakeHostAddPF(fake, PF2, 1, vfs, "single");
        fakeHostBindVFIO(fake, fakeHostVFAddress(fake, PF2, 1));
        g_assert_true(virtCmdList(&tool, 2, list, &error));
    } else {
        g_assert_true(virtCmdStatus(&tool, 1, status, &error));
    }
    g_free(tool.file);
    return 0;
}
