/* faultvdpa.c: the fault machine with a vDPA device, which domain a has as long as it has VF 1
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "fakevdpa.h"
#include "faulttest.h"
#include "util/virstatefile.h"
#include "util/virvdpa.h"

#include <linux/vdpa.h>
#include <netlink/genl/genl.h>
#include <netlink/msg.h>
#include <string.h>
#include <unistd.h>

#define NAME "blue"
#define PARENT "vdpasim_net"

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

static virtHostRequestGeneric otherRequest;
static virtHostDumpGeneric otherDump;

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
    int command = genlmsg_hdr(nlmsg_hdr(request))->cmd, problem, rc;
    bool changes = command == VDPA_CMD_DEV_NEW || command == VDPA_CMD_DEV_DEL, armed;

    if (!g_str_equal(family, VDPA_GENL_NAME))
        return otherRequest(host, family, request, ret_reply, ret_reason);
    if ((problem = begin(changes, command == VDPA_CMD_DEV_NEW)))
        return -problem;
    armed = faultDisarm(); /* it looks into its own files */
    rc = fakeVdpaRequest(kernel, request, ret_reply, ret_reason);
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

    if (!g_str_equal(family, VDPA_GENL_NAME))
        return otherDump(host, family, request, replies, ret_reason);
    if ((problem = begin(false, false)))
        return -problem;
    armed = faultDisarm();
    rc = fakeVdpaList(kernel, request, replies);
    if (armed)
        faultRearm();
    faultEnd();
    return rc;
}

void
faultDeviceInit(virtHost *host)
{
    otherRequest = host->requestGeneric;
    otherDump = host->dumpGeneric;
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
    g_assert_true(virtMacParse("52:54:00:01:02:05", vdpa->mac));
    vdpa->setting.present = VIRT_SETTING_BIT(VIRT_VDPA_DEVICE) | VIRT_SETTING_BIT(VIRT_VDPA_MAC);
    g_ptr_array_add(hostdev->settings.of[VIRT_SETTING_VDPA], vdpa);
    g_ptr_array_add(hostdevs, hostdev);
}

void
faultDeviceReset(fakeHost *fake)
{
    g_autofree char *device = virtHostPath(fake->host, "sys/bus/vdpa/devices/" NAME);
    g_autofree char *link = virtHostPath(fake->host, VIRT_VDPA_DIR "/" NAME);

    kernel = fake;
    fakeVdpaAddParent(fake, PARENT, 1 << 1, 3, 0x300020028, 1 << 10);
    fakeVdpaLoad(fake, "virtio_vdpa"); /* the host's driver takes each new device first */
    fakeVdpaLoad(fake, "vhost_vdpa");
    unlink(link);
    if (access(device, F_OK) == 0)
        fakeVdpaRemove(fake, NAME);
}

static bool
hasRecord(fakeHost *fake)
{
    g_autofree char *path = virtHostPath(fake->host, VIRT_STATE_DIR "/vdpa-" NAME);

    return access(path, F_OK) == 0;
}

bool
faultDeviceLooks(fakeHost *fake, faultLook look)
{
    g_autofree char *now = fakeVdpaDump(fake);
    const char *wanted = NAME " " PARENT " 52:54:00:01:02:05 1 1500 12885033000 vhost_vdpa\n" NAME " -> vhost-vdpa-0\n";

    if (look == AS_BEFORE)
        wanted = "";
    return g_str_equal(now, wanted) && hasRecord(fake) == (look != AS_BEFORE);
}

/* It is not as it should be: is it named, and is its record there? */
const char *
faultDeviceFindUntold(fakeHost *fake)
{
    const char *message = faultState->message;
    bool listed = !strstr(message, "state directory") && !strstr(message, "domain 'a'");

    if (!hasRecord(fake))
        return "the vDPA device is not as it should be, and has no record";
    if (listed && !strstr(message, NAME))
        return "the vDPA device is not as it should be, and no message names it";
    return NULL;
}

void
faultDeviceWritten(fakeHost *fake, const char *path, const char *text, bool unsynced)
{
    fakeVdpaWritten(fake, path, text);
}
