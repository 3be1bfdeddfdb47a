/* faultvdpa.c: the fault machine with a vDPA device, which domain a has as long as it has VF 1
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * With SUBFUNCTION defined, it is one of a sub-function that is made for it.
 */
#include "fakekernel.h"
#include "fakesubfunction.h"
#include "fakevdpa.h"
#include "faulttest.h"
#include "util/virvdpa.h"

#include <linux/devlink.h>
#include <linux/vdpa.h>
#include <netlink/genl/genl.h>
#include <netlink/msg.h>
#include <string.h>
#include <unistd.h>

#define NAME "blue"
#define CARD "0000:41:00.0"
#ifdef SUBFUNCTION
#define PARENT "pci/" CARD
#define KERNELS_PARENT "auxiliary/fake_core.sf.7"
#define AS_SF true
#else
#define PARENT "vdpasim_net"
#define KERNELS_PARENT PARENT
#define AS_SF false
#endif
#define MAC "52:54:00:01:02:05"

static fakeHost *kernel;

/* While nothing is to go wrong, faultstep.c does not tell what is written. */
static int
writeFile(virtHost *host, const char *path, const char *value, guint within)
{
    int rc = virtHostWriteFile(host, path, value, 0);
    bool armed = faultDisarm();

    if (armed)
        faultRearm();
    else if (rc == 0)
        rc = fakeVdpaWritten(kernel, path, value);
    return rc;
}

const char faultDeviceRecord[] = "vdpa-" NAME;

/* The answer of vDPA, or what goes wrong in place of it. */
static int
begin(bool changes, bool makes)
{
    bool unsynced = makes && faultIsUnsynced("vdpa-" NAME);
    int problem = faultBegin(changes ? FAULT_CHANGE : FAULT_READING, FAULT_SEND);

    if (problem == 0 && unsynced)
        g_strlcpy(faultState->violation, "a device is made while its record could be lost",
                  sizeof(faultState->violation));
    return problem;
}

static int
requestGeneric(virtHost *host, const char *family, struct nl_msg *request, struct nl_msg **ret_reply, char **ret_reason)
{
    static const struct {
        const char *family;
        int command;
    } changing[] = {
        {VDPA_GENL_NAME, VDPA_CMD_DEV_NEW},        {DEVLINK_GENL_NAME, DEVLINK_CMD_PORT_NEW}, /* these two make one */
        {VDPA_GENL_NAME, VDPA_CMD_DEV_DEL},        {DEVLINK_GENL_NAME, DEVLINK_CMD_PORT_SET},
        {DEVLINK_GENL_NAME, DEVLINK_CMD_PORT_DEL}, {DEVLINK_GENL_NAME, DEVLINK_CMD_PARAM_SET},
        {DEVLINK_GENL_NAME, DEVLINK_CMD_RELOAD},
    };
    int command = genlmsg_hdr(nlmsg_hdr(request))->cmd, problem, rc;
    bool armed;
    guint i = 0;

    while (i < G_N_ELEMENTS(changing) && (!g_str_equal(family, changing[i].family) || command != changing[i].command))
        i++;
    if ((problem = begin(i < G_N_ELEMENTS(changing), i < 2)))
        return -problem;
    armed = faultDisarm(); /* it looks into its own files */
    if (g_str_equal(family, VDPA_GENL_NAME))
        rc = fakeVdpaRequest(kernel, request, ret_reply, ret_reason);
    else
        rc = fakeDevlinkRequest(kernel->host, family, request, ret_reply, ret_reason);
    if (armed)
        faultRearm();
    faultEnd();
    return rc;
}

static int
dumpGeneric(virtHost *host, const char *family, struct nl_msg *request, GPtrArray *replies, char **ret_reason)
{
    int problem, rc;
    bool armed;

    if ((problem = begin(false, false)))
        return -problem;
    armed = faultDisarm();
    if (g_str_equal(family, VDPA_GENL_NAME))
        rc = fakeVdpaList(kernel, request, replies);
    else
        rc = fakeDevlinkDump(kernel->host, family, request, replies, ret_reason);
    if (armed)
        faultRearm();
    faultEnd();
    return rc;
}

void
faultDeviceInit(virtHost *host)
{
    host->write = writeFile;
    host->requestGeneric = requestGeneric;
    host->dumpGeneric = dumpGeneric;
}

void
faultDeviceWant(GPtrArray *hostdevs)
{
    virtHostdev *hostdev = g_new0(virtHostdev, 1);
    virtVdpa *vdpa = virtSettingNew(&virtVdpaInfo, 0);

    g_assert_true(virtHandleSet(&hostdev->handle, "vdpa", NAME, NULL));
    virtSettingsInit(&hostdev->settings);
    g_strlcpy(vdpa->made.parent, PARENT, sizeof(vdpa->made.parent));
    vdpa->made.id = VIRT_VDPA_NET;
    vdpa->made.isSF = AS_SF;
    if (AS_SF)
        vdpa->made.sf = 7;
    g_assert_true(virtMacParse(MAC, vdpa->mac));
    vdpa->setting.present = VIRT_SETTING_BIT(VIRT_VDPA_DEVICE) | VIRT_SETTING_BIT(VIRT_VDPA_MAC);
    g_ptr_array_add(hostdev->settings.of[VIRT_SETTING_VDPA], vdpa);
    g_ptr_array_add(hostdevs, hostdev);
}

void
faultDeviceReset(fakeHost *fake)
{
    g_autofree char *device = virtHostPath(fake->host, "sys/bus/vdpa/devices/" NAME);
    g_autofree char *card = virtHostPath(fake->host, "sys/bus/pci/devices/" CARD);
    g_autofree char *link = virtHostPath(fake->host, VIRT_VDPA_DIR "/" NAME);

    kernel = fake;
    if (!AS_SF)
        fakeVdpaAddParent(fake, PARENT, 1 << 1, 3, 0x300020028, 1 << 10);
    if (AS_SF && access(card, F_OK) < 0) {
        fakeHostAddPF(fake, CARD, 1, 1, "dual");
        fakeHostSwitchdev(fake, CARD);
    }
    fake->sfIdle = true;
    fakeVdpaLoad(fake, "virtio_vdpa"); /* the host's driver takes each new device first */
    fakeVdpaLoad(fake, "vhost_vdpa");
    unlink(link);
    if (access(device, F_OK) == 0)
        fakeVdpaRemove(fake, NAME);
    fakeSubfunctionReset(fake, CARD);
}

bool
faultDeviceLooks(fakeHost *fake, faultLook look)
{
    g_autofree char *devices = fakeVdpaDump(fake), *sfs = fakeSubfunctionDump(fake, CARD);
    g_autofree char *now = g_strconcat(devices, sfs, NULL);
    const char *wanted = NAME " " KERNELS_PARENT " " MAC " 1 1500 12885033000 vhost_vdpa\n" NAME " -> vhost-vdpa-0\n";
    g_autofree char *whole = g_strconcat(wanted, AS_SF ? "7 " MAC " active attached\n" : "", NULL);

    wanted = whole;
    if (look == AS_BEFORE)
        wanted = "";
    return g_str_equal(now, wanted);
}

void
faultDeviceWritten(fakeHost *fake, const char *path, const char *text, bool unsynced)
{
    fakeVdpaWritten(fake, path, text);
}
