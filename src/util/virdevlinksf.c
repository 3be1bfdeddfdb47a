/* virdevlinksf.c: sub-functions over devlink: the ports that make them, and the instances of their own
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "util/virdevlinkpriv.h"

#include <errno.h>
#include <linux/devlink.h>
#include <linux/netlink.h>
#include <netlink/attr.h>
#include <netlink/genl/genl.h>
#include <string.h>

#include "util/virerror.h"

/* Find the port of the sub-function of that @number, of this host. *@found is false where there is none, and where the
 * driver has no devlink.
 *
 * Errors: VIRT_ERROR_HOST.
 */
bool
virtDevlinkFindSF(virtHost *host, const virtHandle *handle, guint32 number, bool *found, virtDevlinkPort *ret,
                  GError **error)
{
    g_autoptr(GError) local = NULL;
    g_autoptr(GArray) ports = virtDevlinkListPorts(host, handle, &local);

    *found = false;
    if (local && !g_error_matches(local, VIRT_ERROR, VIRT_ERROR_NOT_FOUND)) {
        g_propagate_error(error, g_steal_pointer(&local));
        return false;
    }
    for (guint i = 0; ports && i < ports->len; i++) {
        const virtDevlinkPort *port = &g_array_index(ports, virtDevlinkPort, i);

        if (port->isSF && !port->isExternal && port->sf == number) {
            *ret = *port;
            *found = true;
        }
    }
    return true;
}

/* Make a sub-function of that @number, which has no device yet.
 *
 * @pf: number of the PF, as the card counts
 * @ret_index: the index of its port
 * @ret_reason: on failure, the kernel's own words or NULL; caller frees
 *
 * Returns 0 or -errno: -EEXIST where there is one of that number.
 */
int
virtDevlinkAddSF(virtHost *host, const virtHandle *handle, guint16 pf, guint32 number, guint32 *ret_index,
                 char **ret_reason)
{
    struct nl_msg *request = virtDevlinkNewRequest(DEVLINK_CMD_PORT_NEW, 0, handle), *reply = NULL;
    struct nlattr *index;
    int rc;

    if (request && (nla_put_u16(request, DEVLINK_ATTR_PORT_FLAVOUR, DEVLINK_PORT_FLAVOUR_PCI_SF) < 0 ||
                    nla_put_u16(request, DEVLINK_ATTR_PORT_PCI_PF_NUMBER, pf) < 0 ||
                    nla_put_u32(request, DEVLINK_ATTR_PORT_PCI_SF_NUMBER, number) < 0)) {
        nlmsg_free(request);
        return -ENOMEM;
    }
    rc = virtDevlinkSend(host, request, &reply, ret_reason);
    if (rc < 0)
        return rc;
    index = virtDevlinkFindAttr(reply, DEVLINK_ATTR_PORT_INDEX, sizeof(guint32));
    rc = -EBADMSG;
    if (index) {
        *ret_index = nla_get_u32(index);
        rc = 0;
    }
    nlmsg_free(reply);
    return rc;
}

/* Give the sub-function of port @index a device on the auxiliary bus, or take it away. Either happens some time later.
 *
 * Returns 0 or -errno, as virtDevlinkAddSF().
 */
int
virtDevlinkSetActive(virtHost *host, const virtHandle *handle, guint32 index, bool active, char **ret_reason)
{
    guint8 state = DEVLINK_PORT_FN_STATE_INACTIVE;

    if (active)
        state = DEVLINK_PORT_FN_STATE_ACTIVE;
    return virtDevlinkSetFunctionAttr(host, handle, index, DEVLINK_PORT_FN_ATTR_STATE, &state, sizeof(state),
                                      ret_reason);
}

/* Remove a port that was added, and so its sub-function.
 *
 * Returns 0 or -errno, as virtDevlinkAddSF(); -ENODEV where there is none.
 */
int
virtDevlinkRemovePort(virtHost *host, const virtHandle *handle, guint32 index, char **ret_reason)
{
    return virtDevlinkSend(host, virtDevlinkNewPortRequest(DEVLINK_CMD_PORT_DEL, handle, index), NULL, ret_reason);
}

/* ---- parameters ---- */

static struct nl_msg *
newParamRequest(guint8 command, const virtHandle *handle, const char *name)
{
    struct nl_msg *request = virtDevlinkNewRequest(command, 0, handle);

    if (request && nla_put_string(request, DEVLINK_ATTR_PARAM_NAME, name) == 0)
        return request;
    nlmsg_free(request);
    return NULL;
}

/* Of the values of a parameter, one for each mode, that which counts when the driver is started anew. A flag has no
 * bytes: it is there, or not. */
static bool
readDriverinit(struct nlattr *list, bool *ret)
{
    struct nlattr *value;
    int rest;

    nla_for_each_nested (value, list, rest) {
        struct nlattr *mode = nla_find(nla_data(value), nla_len(value), DEVLINK_ATTR_PARAM_VALUE_CMODE);

        if (!mode || nla_len(mode) < 1 || nla_get_u8(mode) != DEVLINK_PARAM_CMODE_DRIVERINIT)
            continue;
        *ret = nla_find(nla_data(value), nla_len(value), DEVLINK_ATTR_PARAM_VALUE_DATA) != NULL;
        return true;
    }
    return false;
}

static bool
readSwitch(struct nl_msg *reply, bool *ret)
{
    struct nlattr *param = virtDevlinkFindAttr(reply, DEVLINK_ATTR_PARAM, 0), *list = NULL;

    if (param)
        list = nla_find(nla_data(param), nla_len(param), DEVLINK_ATTR_PARAM_VALUES_LIST);
    return list && readDriverinit(list, ret);
}

/* Is the parameter @name on, which the driver looks at when it is started anew?
 *
 * Errors: VIRT_ERROR_NOT_FOUND where there is no such parameter; VIRT_ERROR_HOST.
 */
bool
virtDevlinkReadSwitch(virtHost *host, const virtHandle *handle, const char *name, bool *ret, GError **error)
{
    struct nl_msg *request = newParamRequest(DEVLINK_CMD_PARAM_GET, handle, name);
    struct nl_msg *reply = NULL;
    g_autofree char *reason = NULL;
    int rc = virtDevlinkSend(host, request, &reply, &reason);
    bool ok = rc == 0 && readSwitch(reply, ret);

    nlmsg_free(reply);
    if (ok)
        return true;
    if (rc == 0 || rc == -EINVAL) /* that is how the kernel says that there is none */
        g_set_error(error, VIRT_ERROR, VIRT_ERROR_NOT_FOUND, "%s/%s has no parameter %s that a reload sets",
                    handle->bus, handle->name, name);
    else
        virtDevlinkSetError(handle, rc, reason, error);
    return false;
}

/* Turn the parameter @name on or off for the next virtDevlinkReload().
 *
 * Returns 0 or -errno, as virtDevlinkAddSF().
 */
int
virtDevlinkSetSwitch(virtHost *host, const virtHandle *handle, const char *name, bool on, char **ret_reason)
{
    struct nl_msg *request = newParamRequest(DEVLINK_CMD_PARAM_SET, handle, name);

    if (request && (nla_put_u8(request, DEVLINK_ATTR_PARAM_TYPE, NLA_FLAG) < 0 ||
                    nla_put_u8(request, DEVLINK_ATTR_PARAM_VALUE_CMODE, DEVLINK_PARAM_CMODE_DRIVERINIT) < 0 ||
                    (on && nla_put_flag(request, DEVLINK_ATTR_PARAM_VALUE_DATA) < 0))) {
        nlmsg_free(request);
        return -ENOMEM;
    }
    return virtDevlinkSend(host, request, NULL, ret_reason);
}

/* Have the driver start the device anew, with the parameters that it has been given.
 *
 * Returns 0 or -errno, as virtDevlinkAddSF().
 */
int
virtDevlinkReload(virtHost *host, const virtHandle *handle, char **ret_reason)
{
    return virtDevlinkSend(host, virtDevlinkNewRequest(DEVLINK_CMD_RELOAD, 0, handle), NULL, ret_reason);
}
