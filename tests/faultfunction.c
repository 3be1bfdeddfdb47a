/* faultfunction.c: the fault machine with the port functions of a VF, which domain a has as long as it has VF 1
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "fakekernel.h"
#include "faulttest.h"

#include <linux/devlink.h>
#include <netlink/genl/genl.h>
#include <netlink/msg.h>
#include <string.h>
#include <unistd.h>

#define ROW 3 /* of virtSettingKinds: <function> */
#define CARD "0000:41:00.0"
#define VF "0000:41:10.0"
#define DRIVER "dualvf"

static fakeHost *kernel;

const char faultDeviceRecord[] = VF;

static void
judge(bool unsynced)
{
    if (unsynced)
        g_strlcpy(faultState->violation,
                  "a VF is taken from its driver, or its function set, while its record could be lost",
                  sizeof(faultState->violation));
}

/* The driver that is taken from the VF must be on record, and that on disk. */
void
faultDeviceWritten(fakeHost *fake, const char *path, const char *text, bool unsynced)
{
    if (g_str_has_suffix(path, "/unbind") && g_str_equal(text, VF))
        judge(unsynced);
}

/* Devlink's answer, or what goes wrong in place of it. */
static int
ask(bool changes, int (*func)(struct nl_msg *, void *, char **), struct nl_msg *request, void *ret, char **ret_reason)
{
    bool unsynced = changes && faultIsUnsynced(VF), armed;
    int problem = faultBegin(changes ? FAULT_CHANGE : FAULT_READING, FAULT_SEND), rc;

    if (problem)
        return -problem;
    judge(unsynced);
    armed = faultDisarm(); /* it looks into its own sysfs */
    rc = func(request, ret, ret_reason);
    if (armed)
        faultRearm();
    faultEnd();
    return rc;
}

static int
askOne(struct nl_msg *request, void *ret, char **ret_reason)
{
    return fakeDevlinkRequest(kernel->host, DEVLINK_GENL_NAME, request, ret, ret_reason);
}

static int
askAll(struct nl_msg *request, void *ret, char **ret_reason)
{
    return fakeDevlinkDump(kernel->host, DEVLINK_GENL_NAME, request, ret, ret_reason);
}

static int
requestGeneric(virtHost *host, const char *family, struct nl_msg *request, struct nl_msg **ret_reply, char **ret_reason)
{
    return ask(genlmsg_hdr(nlmsg_hdr(request))->cmd == DEVLINK_CMD_PORT_SET, askOne, request, ret_reply, ret_reason);
}

static int
dumpGeneric(virtHost *host, const char *family, struct nl_msg *request, GPtrArray *replies, char **ret_reason)
{
    return ask(false, askAll, request, replies, ret_reason);
}

/* While nothing is to go wrong, faultstep.c does not tell what is written. */
static int
writeFile(virtHost *host, const char *path, const char *value, guint within)
{
    int rc = virtHostWriteFile(host, path, value, 0);
    bool armed = faultDisarm();

    if (armed)
        faultRearm();
    else if (rc == 0 && g_str_has_suffix(path, "/unbind"))
        fakeHostSetDriver(kernel, value, NULL);
    else if (rc == 0 && g_str_has_suffix(path, "/bind"))
        fakeHostSetDriver(kernel, value, DRIVER);
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
    virtFunction *function = virtSettingNew(&virtFunctionInfo, 0);

    g_assert_true(virtHandleSet(&hostdev->handle, "pci", VF, NULL));
    virtSettingsInit(&hostdev->settings);
    virtFunctionSetFlag(function, VIRT_FUNCTION_ROCE, false);
    virtFunctionSetMaxIoEqs(function, 8);
    g_ptr_array_add(hostdev->settings.of[ROW], function);
    g_ptr_array_add(hostdevs, hostdev);
}

void
faultDeviceReset(fakeHost *fake)
{
    g_autofree char *parent = virtHostPath(fake->host, "sys/bus/pci/devices/" CARD);

    kernel = fake;
    if (access(parent, F_OK) < 0) {
        fakeHostAddPF(fake, CARD, 2, 1, "dual");
        fakeHostSwitchdev(fake, CARD);
    }
    fakeHostAddCapabilities(fake, CARD);
    fakeHostSetDriver(fake, VF, DRIVER);
}

static bool
hasDriver(fakeHost *fake)
{
    g_autofree char *driver = virtHostReadLink(fake->host, NULL, "sys/bus/pci/devices/" VF "/driver");

    return g_strcmp0(driver, DRIVER) == 0;
}

bool
faultDeviceLooks(fakeHost *fake, faultLook look)
{
    bool before = look == AS_BEFORE;

    for (guint port = 1; port <= 2; port++) {
        const virtFunction *function = &fakeHostVF(fake, CARD, port, 0)->function;

        if (function->flags[VIRT_FUNCTION_ROCE] != before || function->maxIoEqs != (before ? 24 : 8))
            return false;
    }
    return !before || hasDriver(fake);
}
