/* vdpa.c: fuzz target: what the kernel answers about vDPA
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Input: a datagram with answers. Each is read as one about a device, its configuration and a queue, and all of them as
 * lists of management devices and of devices.
 */
#include "fuzz.h"
#include "util/virnetlink.h"
#include "util/virvdpalink.h"

#include <netlink/msg.h>
#include <string.h>

static GPtrArray *answers; /* struct nl_msg */
static guint which;        /* of them is the answer to a request */

static int
answerOne(virtHost *host, const char *family, struct nl_msg *request, struct nl_msg **ret_reply, char **ret_reason)
{
    *ret_reply = nlmsg_convert(nlmsg_hdr(answers->pdata[which]));
    return 0;
}

static int
answerAll(virtHost *host, const char *family, struct nl_msg *request, GPtrArray *replies, char **ret_reason)
{
    for (guint i = 0; i < answers->len; i++)
        g_ptr_array_add(replies, nlmsg_convert(nlmsg_hdr(answers->pdata[i])));
    return 0;
}

static void
checkName(const char *name, gsize size)
{
    if (!memchr(name, '\0', size))
        fuzzFail("a name has no end");
}

static void
checkLists(virtHost *host)
{
    g_autoptr(GArray) parents = virtVdpaLinkListParents(host, NULL), devices = virtVdpaLinkListDevices(host, NULL);

    for (guint i = 0; i < parents->len; i++) {
        const virtVdpaParent *parent = &g_array_index(parents, virtVdpaParent, i);

        checkName(parent->name, sizeof(parent->name));
        if (!*parent->name)
            fuzzFail("a management device has no name");
    }
    for (guint i = 0; i < devices->len; i++) {
        const virtVdpaDevice *device = &g_array_index(devices, virtVdpaDevice, i);

        checkName(device->name, sizeof(device->name));
        checkName(device->parent, sizeof(device->parent));
    }
}

static void
checkOne(virtHost *host)
{
    g_autoptr(GPtrArray) stats = virtVdpaLinkListStats(host, "blue", 0, NULL);
    virtVdpaDevice device;

    virtVdpaLinkFindDevice(host, "blue", &device, NULL);
    for (guint id = 0; id < 3; id++) {
        virtVdpa vdpa = {.made.id = id};

        virtVdpaLinkReadConfig(host, "blue", &vdpa, NULL);
        if (vdpa.setting.present >> VIRT_VDPA_ATTR_LAST)
            fuzzFail("an attribute that there is not is known: %x", vdpa.setting.present);
        for (virtVdpaAttr attr = 0; attr < VIRT_VDPA_ATTR_LAST; attr++)
            g_free(virtVdpaInfo.attrs[attr].format(&vdpa));
    }
    for (guint i = 0; i < stats->len; i++) {
        if (!((const virtVdpaStat *)stats->pdata[i])->name)
            fuzzFail("a counter has no name");
    }
}

int
LLVMFuzzerTestOneInput(const guint8 *data, size_t size)
{
    g_autoptr(virtHost) host = virtHostNew("/nonexistent");
    g_autofree guint8 *copy = g_memdup2(data, size);
    g_autofree char *reason = NULL;
    bool disturbed = false;

    answers = g_ptr_array_new_with_free_func((GDestroyNotify)nlmsg_free);
    virtNetlinkParseDump(copy, (int)size, 7, answers, &disturbed, &reason);
    host->requestGeneric = answerOne;
    host->dumpGeneric = answerAll;
    checkLists(host);
    for (which = 0; which < answers->len; which++)
        checkOne(host);
    g_ptr_array_unref(answers);
    return 0;
}
