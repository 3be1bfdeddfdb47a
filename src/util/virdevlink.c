/* virdevlink.c: devlink, which is a family of generic netlink
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A function's attributes are in the kernel's answer only where the driver can show them, and a driver that shows one
 * sets it too (devlink_nl_port_function_attrs_put() of net/devlink/port.c). So an answer also says what can be done,
 * and nothing is tried to find that out.
 *
 * Kernels before 6.6 take no device for a list of ports and send those of all devices.
 */
#include "util/virdevlinkpriv.h"

#include "util/virerror.h"

#include <errno.h>
#include <linux/devlink.h>
#include <netlink/attr.h>
#include <netlink/genl/genl.h>
#include <netlink/msg.h>
#include <string.h>

/* Of linux/devlink.h: since Linux 6.2, 6.7 (IPsec) and 6.10 (event queues), and Debian 12 has the header of 6.1. */
#define FN_ATTR_CAPS 4
#define FN_ATTR_MAX_IO_EQS 6
static const guint32 capBits[] = {
    [VIRT_FUNCTION_ROCE] = 1 << 0,
    [VIRT_FUNCTION_MIGRATABLE] = 1 << 1,
    [VIRT_FUNCTION_IPSEC_CRYPTO] = 1 << 2,
    [VIRT_FUNCTION_IPSEC_PACKET] = 1 << 3,
};

G_STATIC_ASSERT(G_N_ELEMENTS(capBits) == VIRT_FUNCTION_FLAGS);

/* A request about one device; NULL: memory is short. */
struct nl_msg *
virtDevlinkNewRequest(guint8 command, int flags, const virtHandle *handle)
{
    struct nl_msg *msg = nlmsg_alloc();

    if (msg &&
        genlmsg_put(msg, NL_AUTO_PORT, NL_AUTO_SEQ, 0, 0, NLM_F_REQUEST | flags, command, DEVLINK_GENL_VERSION) &&
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

/* What a request about the device has failed with: VIRT_ERROR_NOT_FOUND, or VIRT_ERROR_HOST. */
void
virtDevlinkSetError(const virtHandle *handle, int rc, const char *reason, GError **error)
{
    const char *why = reason;
    int code = VIRT_ERROR_HOST;

    if (isAbsent(rc))
        code = VIRT_ERROR_NOT_FOUND;
    if (!why)
        why = g_strerror(-rc);
    g_set_error(error, VIRT_ERROR, code, "Cannot ask devlink about %s/%s: %s", handle->bus, handle->name, why);
}

/* Send @request, which is freed; NULL: memory was short. Returns 0 or -errno, as virtHostRequestGeneric. */
int
virtDevlinkSend(virtHost *host, struct nl_msg *request, struct nl_msg **ret_reply, char **ret_reason)
{
    int rc = -ENOMEM;

    if (request)
        rc = host->requestGeneric(host, DEVLINK_GENL_NAME, request, ret_reply, ret_reason);
    nlmsg_free(request);
    return rc;
}

/* Send @request, which is freed, and return the answer; NULL: @request is, memory being short, or an error. */
struct nl_msg *
virtDevlinkAsk(virtHost *host, const virtHandle *handle, struct nl_msg *request, GError **error)
{
    struct nl_msg *reply = NULL;
    g_autofree char *reason = NULL;
    int rc = virtDevlinkSend(host, request, &reply, &reason);

    if (rc == 0)
        return reply;
    virtDevlinkSetError(handle, rc, reason, error);
    return NULL;
}

/* The request about port @index of the device. */
struct nl_msg *
virtDevlinkNewPortRequest(guint8 command, const virtHandle *handle, guint32 index)
{
    struct nl_msg *msg = virtDevlinkNewRequest(command, 0, handle);

    if (msg && nla_put_u32(msg, DEVLINK_ATTR_PORT_INDEX, index) == 0)
        return msg;
    nlmsg_free(msg);
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

/* NULL where it is not there, or shorter than @len. */
struct nlattr *
virtDevlinkFindAttr(struct nl_msg *reply, int type, int len)
{
    struct nlattr *attr = nlmsg_find_attr(nlmsg_hdr(reply), GENL_HDRLEN, type);

    if (!attr || nla_len(attr) < len)
        return NULL;
    return attr;
}

/* 0 where it is not there. */
static guint16
readU16(struct nl_msg *reply, int type)
{
    struct nlattr *attr = virtDevlinkFindAttr(reply, type, sizeof(guint16));

    if (!attr)
        return 0;
    return nla_get_u16(attr);
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
    struct nl_msg *reply = virtDevlinkAsk(host, handle, virtDevlinkNewRequest(DEVLINK_CMD_INFO_GET, 0, handle), error);
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

/* Is the eswitch of a PF in switchdev mode? Not where its driver has no eswitch.
 *
 * Errors: VIRT_ERROR_HOST.
 */
bool
virtDevlinkIsSwitchdev(virtHost *host, const virtHandle *handle, bool *ret, GError **error)
{
    g_autoptr(GError) local = NULL;
    struct nl_msg *request = virtDevlinkNewRequest(DEVLINK_CMD_ESWITCH_GET, 0, handle);
    struct nl_msg *reply = virtDevlinkAsk(host, handle, request, &local);

    *ret = reply && readU16(reply, DEVLINK_ATTR_ESWITCH_MODE) == DEVLINK_ESWITCH_MODE_SWITCHDEV;
    nlmsg_free(reply);
    if (!local || g_error_matches(local, VIRT_ERROR, VIRT_ERROR_NOT_FOUND))
        return true;
    g_propagate_error(error, g_steal_pointer(&local));
    return false;
}

/* ---- ports ---- */

static guint64
readU64(struct nl_msg *reply, int type)
{
    struct nlattr *attr = virtDevlinkFindAttr(reply, type, sizeof(guint64));

    if (!attr)
        return 0;
    return nla_get_u64(attr);
}

/* Of the flags that the answer knows, whether they are on. */
static void
readCaps(const struct nlattr *attr, virtFunction *function)
{
    struct nla_bitfield32 caps;

    memcpy(&caps, nla_data(attr), sizeof(caps));
    for (virtFunctionAttr flag = 0; flag < VIRT_FUNCTION_FLAGS; flag++) {
        if (caps.selector & capBits[flag])
            virtFunctionSetFlag(function, flag, (caps.value & capBits[flag]) != 0);
    }
}

static void
readFunction(struct nlattr *nest, virtDevlinkPort *port)
{
    struct nlattr *attr;
    int rest;

    nla_for_each_nested (attr, nest, rest) {
        int type = nla_type(attr), len = nla_len(attr);

        if (type == DEVLINK_PORT_FUNCTION_ATTR_HW_ADDR && len == sizeof(port->mac)) {
            memcpy(port->mac, nla_data(attr), sizeof(port->mac));
            port->hasMac = true;
        } else if (type == FN_ATTR_CAPS && len >= (int)sizeof(struct nla_bitfield32)) {
            readCaps(attr, &port->function);
        } else if (type == FN_ATTR_MAX_IO_EQS && len >= (int)sizeof(guint32)) {
            virtFunctionSetMaxIoEqs(&port->function, nla_get_u32(attr));
        } else if (type == DEVLINK_PORT_FN_ATTR_STATE && len >= 1) {
            port->isActive = nla_get_u8(attr) == DEVLINK_PORT_FN_STATE_ACTIVE;
        } else if (type == DEVLINK_PORT_FN_ATTR_OPSTATE && len >= 1) {
            port->isAttached = nla_get_u8(attr) == DEVLINK_PORT_FN_OPSTATE_ATTACHED;
        }
    }
}

/* Is the answer about that device? */
static bool
isAbout(struct nl_msg *reply, const virtHandle *handle)
{
    g_autofree char *bus = readText(reply, DEVLINK_ATTR_BUS_NAME);
    g_autofree char *name = readText(reply, DEVLINK_ATTR_DEV_NAME);

    return g_strcmp0(bus, handle->bus) == 0 && g_strcmp0(name, handle->name) == 0;
}

/* False for what is no port of that device. */
static bool
parsePort(struct nl_msg *reply, const virtHandle *handle, virtDevlinkPort *ret)
{
    struct nlattr *index = virtDevlinkFindAttr(reply, DEVLINK_ATTR_PORT_INDEX, sizeof(guint32));
    struct nlattr *external = virtDevlinkFindAttr(reply, DEVLINK_ATTR_PORT_EXTERNAL, sizeof(guint8));
    struct nlattr *function = virtDevlinkFindAttr(reply, DEVLINK_ATTR_PORT_FUNCTION, 0);
    struct nlattr *sf = virtDevlinkFindAttr(reply, DEVLINK_ATTR_PORT_PCI_SF_NUMBER, sizeof(guint32));
    g_autofree char *netdev = readText(reply, DEVLINK_ATTR_PORT_NETDEV_NAME);
    virtDevlinkPort port = {0};

    if (!index || !isAbout(reply, handle))
        return false;
    port.index = nla_get_u32(index);
    port.isVF = readU16(reply, DEVLINK_ATTR_PORT_FLAVOUR) == DEVLINK_PORT_FLAVOUR_PCI_VF;
    port.isSF = readU16(reply, DEVLINK_ATTR_PORT_FLAVOUR) == DEVLINK_PORT_FLAVOUR_PCI_SF;
    port.isExternal = external && nla_get_u8(external) != 0;
    port.pf = readU16(reply, DEVLINK_ATTR_PORT_PCI_PF_NUMBER);
    port.vf = readU16(reply, DEVLINK_ATTR_PORT_PCI_VF_NUMBER);
    if (sf)
        port.sf = nla_get_u32(sf);
    if (netdev)
        g_strlcpy(port.netdev, netdev, sizeof(port.netdev));
    if (function)
        readFunction(function, &port);
    *ret = port;
    return true;
}

/* All ports of the device; virtDevlinkPort, for g_array_unref().
 *
 * Errors: VIRT_ERROR_NOT_FOUND where its driver has no devlink; VIRT_ERROR_HOST.
 */
GArray *
virtDevlinkListPorts(virtHost *host, const virtHandle *handle, GError **error)
{
    g_autoptr(GPtrArray) replies = g_ptr_array_new_with_free_func((GDestroyNotify)nlmsg_free);
    struct nl_msg *request = virtDevlinkNewRequest(DEVLINK_CMD_PORT_GET, NLM_F_DUMP, handle);
    g_autofree char *reason = NULL;
    GArray *ports;
    int rc = -ENOMEM;

    if (request)
        rc = host->dumpGeneric(host, DEVLINK_GENL_NAME, request, replies, &reason);
    nlmsg_free(request);
    if (rc < 0) {
        virtDevlinkSetError(handle, rc, reason, error);
        return NULL;
    }
    ports = g_array_new(FALSE, FALSE, sizeof(virtDevlinkPort));
    for (guint i = 0; i < replies->len; i++) {
        virtDevlinkPort port;

        if (parsePort(replies->pdata[i], handle, &port))
            g_array_append_val(ports, port);
    }
    return ports;
}

/* The ports that the eswitch of a PF has for VFs of this host; virtDevlinkPort, for g_array_unref(). None outside of
 * switchdev mode.
 *
 * Errors: as virtDevlinkListPorts().
 */
GArray *
virtDevlinkListVFPorts(virtHost *host, const virtHandle *handle, GError **error)
{
    g_autoptr(GArray) ports = virtDevlinkListPorts(host, handle, error);
    GArray *ofVFs;

    if (!ports)
        return NULL;
    ofVFs = g_array_new(FALSE, FALSE, sizeof(virtDevlinkPort));
    for (guint i = 0; i < ports->len; i++) {
        const virtDevlinkPort *port = &g_array_index(ports, virtDevlinkPort, i);

        if (port->isVF && !port->isExternal)
            g_array_append_val(ofVFs, *port);
    }
    return ofVFs;
}

/* What port @index says now.
 *
 * Errors: VIRT_ERROR_NOT_FOUND where there is none any more; VIRT_ERROR_HOST.
 */
bool
virtDevlinkReadPort(virtHost *host, const virtHandle *handle, guint32 index, virtDevlinkPort *ret, GError **error)
{
    struct nl_msg *reply =
        virtDevlinkAsk(host, handle, virtDevlinkNewPortRequest(DEVLINK_CMD_PORT_GET, handle, index), error);
    bool ok;

    if (!reply)
        return false;
    ok = parsePort(reply, handle, ret) && ret->index == index;
    nlmsg_free(reply);
    if (!ok)
        g_set_error(error, VIRT_ERROR, VIRT_ERROR_HOST, "devlink's answer about port %u of %s/%s is about another",
                    index, handle->bus, handle->name);
    return ok;
}

/* Set one attribute of the function of port @index. */
int
virtDevlinkSetFunctionAttr(virtHost *host, const virtHandle *handle, guint32 index, int type, gconstpointer value,
                           int len, char **ret_reason)
{
    struct nl_msg *request = virtDevlinkNewPortRequest(DEVLINK_CMD_PORT_SET, handle, index);
    struct nlattr *function = NULL;

    if (request)
        function = nla_nest_start(request, DEVLINK_ATTR_PORT_FUNCTION);
    if (!function || nla_put(request, type, len, value) < 0) {
        nlmsg_free(request);
        return -ENOMEM;
    }
    nla_nest_end(request, function);
    return virtDevlinkSend(host, request, NULL, ret_reason);
}

/* Give the function of port @index a MAC address; zero: none. It reaches the function when a driver probes it next.
 *
 * @ret_reason: on failure, the kernel's own words or NULL; caller frees
 *
 * Returns 0 or -errno.
 */
int
virtDevlinkSetMac(virtHost *host, const virtHandle *handle, guint32 index, const guint8 mac[6], char **ret_reason)
{
    return virtDevlinkSetFunctionAttr(host, handle, index, DEVLINK_PORT_FUNCTION_ATTR_HW_ADDR, mac, 6, ret_reason);
}

/* Have one attribute of the function of port @index be as @wanted has it. Drivers take that only while the function has
 * no driver.
 *
 * Returns 0 or -errno, as virtDevlinkSetMac().
 */
int
virtDevlinkSetFunction(virtHost *host, const virtHandle *handle, guint32 index, const virtFunction *wanted,
                       virtFunctionAttr attr, char **ret_reason)
{
    struct nla_bitfield32 caps = {0};

    if (attr == VIRT_FUNCTION_MAX_IO_EQS)
        return virtDevlinkSetFunctionAttr(host, handle, index, FN_ATTR_MAX_IO_EQS, &wanted->maxIoEqs,
                                          sizeof(wanted->maxIoEqs), ret_reason);
    caps.selector = capBits[attr];
    if (wanted->flags[attr])
        caps.value = capBits[attr];
    return virtDevlinkSetFunctionAttr(host, handle, index, FN_ATTR_CAPS, &caps, sizeof(caps), ret_reason);
}

/* ---- rates ---- */

/* The rate of the leaf of port @index.
 *
 * Errors: VIRT_ERROR_NOT_FOUND where the driver has no rates; VIRT_ERROR_HOST.
 */
bool
virtDevlinkReadRate(virtHost *host, const virtHandle *handle, guint32 index, virtDevlinkRate *ret, GError **error)
{
    struct nl_msg *reply =
        virtDevlinkAsk(host, handle, virtDevlinkNewPortRequest(DEVLINK_CMD_RATE_GET, handle, index), error);

    if (!reply)
        return false;
    ret->share = readU64(reply, DEVLINK_ATTR_RATE_TX_SHARE);
    ret->max = readU64(reply, DEVLINK_ATTR_RATE_TX_MAX);
    nlmsg_free(reply);
    return true;
}

static int
setLimit(virtHost *host, const virtHandle *handle, guint32 index, int type, guint64 bytes, char **ret_reason)
{
    struct nl_msg *request = virtDevlinkNewPortRequest(DEVLINK_CMD_RATE_SET, handle, index);

    if (request && nla_put_u64(request, type, bytes) < 0) {
        nlmsg_free(request);
        return -ENOMEM;
    }
    return virtDevlinkSend(host, request, NULL, ret_reason);
}

/* Change the rate of the leaf of port @index from @present to @wanted: one limit after the other, so that the share is
 * never above the maximum. Both are written whatever they were: what devlink remembers of a leaf need not be what a
 * card has since another mode.
 *
 * Returns 0 or -errno, as virtDevlinkSetMac(); the first of two may then be set.
 */
int
virtDevlinkSetRate(virtHost *host, const virtHandle *handle, guint32 index, const virtDevlinkRate *present,
                   const virtDevlinkRate *wanted, char **ret_reason)
{
    bool raised = wanted->max == 0 || (present->max != 0 && wanted->max >= present->max);
    int rc = 0;

    if (raised)
        rc = setLimit(host, handle, index, DEVLINK_ATTR_RATE_TX_MAX, wanted->max, ret_reason);
    if (rc == 0)
        rc = setLimit(host, handle, index, DEVLINK_ATTR_RATE_TX_SHARE, wanted->share, ret_reason);
    if (rc == 0 && !raised)
        rc = setLimit(host, handle, index, DEVLINK_ATTR_RATE_TX_MAX, wanted->max, ret_reason);
    return rc;
}
