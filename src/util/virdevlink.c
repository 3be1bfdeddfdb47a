/* virdevlink.c: devlink, which is a family of generic netlink
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "util/virdevlink.h"

#include "util/virerror.h"

#include <errno.h>
#include <linux/devlink.h>
#include <netlink/attr.h>
#include <netlink/genl/genl.h>
#include <netlink/msg.h>

/* A request about one device; NULL: memory is short. */
static struct nl_msg *
newRequest(guint8 command, const virtHandle *handle)
{
    struct nl_msg *msg = nlmsg_alloc();

    if (msg && genlmsg_put(msg, NL_AUTO_PORT, NL_AUTO_SEQ, 0, 0, NLM_F_REQUEST, command, DEVLINK_GENL_VERSION) &&
        nla_put_string(msg, DEVLINK_ATTR_BUS_NAME, handle->bus) == 0 &&
        nla_put_string(msg, DEVLINK_ATTR_DEV_NAME, handle->name) == 0)
        return msg;
    nlmsg_free(msg);
    return NULL;
}

/* The kernel without devlink, a driver without it, and one that has nothing to say. */
static bool
isAbsent(int rc)
{
    return rc == -ENOENT || rc == -ENODEV || rc == -EOPNOTSUPP;
}

static struct nl_msg *
ask(virtHost *host, guint8 command, const virtHandle *handle, GError **error)
{
    struct nl_msg *request = newRequest(command, handle);
    struct nl_msg *reply = NULL;
    g_autofree char *reason = NULL;
    int rc = -ENOMEM, code = VIRT_ERROR_HOST;

    if (request)
        rc = host->requestGeneric(host, DEVLINK_GENL_NAME, request, &reply, &reason);
    nlmsg_free(request);
    if (rc == 0)
        return reply;
    if (isAbsent(rc))
        code = VIRT_ERROR_NOT_FOUND;
    if (!reason)
        reason = g_strdup(g_strerror(-rc));
    g_set_error(error, VIRT_ERROR, code, "Cannot ask devlink about %s/%s: %s", handle->bus, handle->name, reason);
    return NULL;
}

/* Text of an attribute without blanks around it; NULL where it is absent, empty, or no printable ASCII. */
static char *
readText(struct nl_msg *reply, int type)
{
    struct nlattr *attr = nlmsg_find_attr(nlmsg_hdr(reply), GENL_HDRLEN, type);
    g_autofree char *text = NULL;

    if (!attr || nla_len(attr) <= 0)
        return NULL;
    text = virtHostMakeText(nla_data(attr), (gsize)nla_len(attr));
    if (!text || !*text)
        return NULL;
    return g_steal_pointer(&text);
}

/* The serial number of the board that a device is on, printable ASCII. That of the device itself, which many more
 * drivers tell, is another number: of the chip, or made of its MAC address.
 *
 * Returns text for g_free(), or NULL: VIRT_ERROR_NOT_FOUND where the driver tells none, VIRT_ERROR_HOST where it could
 * not be asked.
 */
char *
virtDevlinkGetBoardSerial(virtHost *host, const virtHandle *handle, GError **error)
{
    struct nl_msg *reply = ask(host, DEVLINK_CMD_INFO_GET, handle, error);
    char *serial;

    if (!reply)
        return NULL;
    serial = readText(reply, DEVLINK_ATTR_INFO_BOARD_SERIAL_NUMBER);
    nlmsg_free(reply);
    if (!serial)
        g_set_error(error, VIRT_ERROR, VIRT_ERROR_NOT_FOUND, "The driver of %s/%s tells no serial number of its board",
                    handle->bus, handle->name);
    return serial;
}
