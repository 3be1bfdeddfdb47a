/* virvdpalink.c: vDPA's management devices, and the devices that they make, over generic netlink
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The kernel has one lock for all of this, and whoever deletes a device that is open holds it until that is closed. So
 * a request may not come back, and is made where that does no harm: see virtNetlinkRequestGeneric().
 *
 * Of a device's configuration the kernel shows what its features speak of. Which features it offers was attribute 21
 * up to Linux 6.1, and is 20 since; 21 says something else there of a device that is no netdev (uapi/linux/vdpa.h of
 * both).
 */
#include "util/virvdpalink.h"

#include <errno.h>
#include <linux/vdpa.h>
#include <netlink/attr.h>
#include <netlink/genl/genl.h>
#include <netlink/msg.h>
#include <string.h>
#include <unistd.h>

#include "util/virerror.h"

/* Of linux/vdpa.h: since Linux 6.12, and Debian 12 has the header of 6.1. */
#define CMD_DEV_ATTR_SET 8
/* The first of two meanings, see above. */
#define ATTR_OLD_FEATURES 21

/* Attributes of a device that can be given when it is made, and their numbers. */
static const int givenTypes[] = {
    [VIRT_VDPA_MAC] = VDPA_ATTR_DEV_NET_CFG_MACADDR,
    [VIRT_VDPA_QUEUES] = VDPA_ATTR_DEV_NET_CFG_MAX_VQP,
    [VIRT_VDPA_MTU] = VDPA_ATTR_DEV_NET_CFG_MTU,
    [VIRT_VDPA_FEATURES] = VDPA_ATTR_DEV_FEATURES,
};

G_STATIC_ASSERT(G_N_ELEMENTS(givenTypes) == VIRT_VDPA_ATTR_LAST);

/* ---- messages ---- */

/* A request, about the device @name; NULL: about all. NULL is returned where memory is short. */
static struct nl_msg *
newRequest(guint8 command, int flags, const char *name)
{
    struct nl_msg *msg = nlmsg_alloc();

    if (msg && genlmsg_put(msg, NL_AUTO_PORT, NL_AUTO_SEQ, 0, 0, NLM_F_REQUEST | flags, command, VDPA_GENL_VERSION) &&
        (!name || nla_put_string(msg, VDPA_ATTR_DEV_NAME, name) == 0))
        return msg;
    nlmsg_free(msg);
    return NULL;
}

/* Say which management device a request is about: the kernel wants its bus and its name apart. */
static bool
putParent(struct nl_msg *msg, const char *parent)
{
    const char *slash = strchr(parent, '/');
    g_autofree char *bus = NULL;

    if (!slash)
        return nla_put_string(msg, VDPA_ATTR_MGMTDEV_DEV_NAME, parent) == 0;
    bus = g_strndup(parent, (gsize)(slash - parent));
    return nla_put_string(msg, VDPA_ATTR_MGMTDEV_BUS_NAME, bus) == 0 &&
           nla_put_string(msg, VDPA_ATTR_MGMTDEV_DEV_NAME, slash + 1) == 0;
}

static struct nlattr *
find(struct nl_msg *reply, int type, gsize len)
{
    struct nlattr *attr = nlmsg_find_attr(nlmsg_hdr(reply), GENL_HDRLEN, type);

    if (!attr || nla_len(attr) < (int)len)
        return NULL;
    return attr;
}

/* 0 where it is not there. */
static guint32
readU32(struct nl_msg *reply, int type)
{
    struct nlattr *attr = find(reply, type, sizeof(guint32));

    if (!attr)
        return 0;
    return nla_get_u32(attr);
}

static guint64
readU64(struct nl_msg *reply, int type)
{
    struct nlattr *attr = find(reply, type, sizeof(guint64));

    if (!attr)
        return 0;
    return nla_get_u64(attr);
}

/* A name of at most @size bytes with its NUL; false where there is none, or a longer one. */
static bool
readName(struct nl_msg *reply, int type, char *ret, gsize size)
{
    struct nlattr *attr = find(reply, type, 1);
    g_autofree char *text = NULL;

    if (attr)
        text = virtHostMakeText(nla_data(attr), (gsize)nla_len(attr));
    return text && *text && g_strlcpy(ret, text, size) < size;
}

/* The management device that a message is about, as BUS/NAME or NAME; false where it names none. */
static bool
readParent(struct nl_msg *reply, char ret[VIRT_VDPA_NAME_MAX + 1])
{
    char bus[VIRT_VDPA_NAME_MAX + 1], name[VIRT_VDPA_NAME_MAX + 1];

    if (!readName(reply, VDPA_ATTR_MGMTDEV_DEV_NAME, name, sizeof(name)))
        return false;
    if (!readName(reply, VDPA_ATTR_MGMTDEV_BUS_NAME, bus, sizeof(bus)))
        return g_strlcpy(ret, name, VIRT_VDPA_NAME_MAX + 1) <= VIRT_VDPA_NAME_MAX;
    return g_snprintf(ret, VIRT_VDPA_NAME_MAX + 1, "%s/%s", bus, name) <= VIRT_VDPA_NAME_MAX;
}

static void
setError(const char *what, int rc, const char *reason, GError **error)
{
    int code = VIRT_ERROR_HOST;
    const char *why = reason;

    if (rc == -ENODEV || rc == -ENOENT)
        code = VIRT_ERROR_NOT_FOUND;
    if (!why)
        why = g_strerror(-rc);
    if (rc == -ETIMEDOUT)
        why =
            "the kernel does not answer. Somebody is deleting a vDPA device that is in use, and all others wait for that";
    g_set_error(error, VIRT_ERROR, code, "Cannot ask the kernel about %s: %s", what, why);
}

/* Send @request, which is freed and may be NULL. Returns 0 or -errno. */
static int
transact(virtHost *host, struct nl_msg *request, struct nl_msg **ret_reply, char **ret_reason)
{
    int rc = -ENOMEM;

    if (request)
        rc = host->requestGeneric(host, VDPA_GENL_NAME, request, ret_reply, ret_reason);
    nlmsg_free(request);
    return rc;
}

/* Has the kernel vDPA? Without it there is nothing to ask. */
bool
virtVdpaLinkIsThere(virtHost *host)
{
    g_autofree char *path = virtHostPath(host, "sys/bus/vdpa");

    return access(path, F_OK) == 0;
}

/* Does @parent, a management device, make any number of devices? Those that do are simulators, of the kernel or of a
 * process, and sit on no bus. */
bool
virtVdpaLinkIsSimulator(const char *parent)
{
    return !strchr(parent, '/');
}

/* ---- lists ---- */

/* All answers to @command. A kernel without vDPA has none: whoever asks often looks first. */
static GPtrArray *
dump(virtHost *host, guint8 command, const char *what, GError **error)
{
    g_autoptr(GPtrArray) replies = g_ptr_array_new_with_free_func((GDestroyNotify)nlmsg_free);
    struct nl_msg *request = newRequest(command, NLM_F_DUMP, NULL);
    g_autofree char *reason = NULL;
    int rc = -ENOMEM;

    if (request)
        rc = host->dumpGeneric(host, VDPA_GENL_NAME, request, replies, &reason);
    nlmsg_free(request);
    if (rc == 0 || rc == -ENOENT)
        return g_steal_pointer(&replies);
    setError(what, rc, reason, error);
    return NULL;
}

/* The host's management devices: virtVdpaParent, in the kernel's order, for g_array_unref().
 *
 * Errors: VIRT_ERROR_HOST.
 */
GArray *
virtVdpaLinkListParents(virtHost *host, GError **error)
{
    g_autoptr(GPtrArray) replies = dump(host, VDPA_CMD_MGMTDEV_GET, "vDPA management devices", error);
    GArray *parents;

    if (!replies)
        return NULL;
    parents = g_array_new(FALSE, FALSE, sizeof(virtVdpaParent));
    for (guint i = 0; i < replies->len; i++) {
        struct nl_msg *reply = replies->pdata[i];
        virtVdpaParent parent = {
            .classes = readU64(reply, VDPA_ATTR_MGMTDEV_SUPPORTED_CLASSES),
            .queues = readU32(reply, VDPA_ATTR_DEV_MGMTDEV_MAX_VQS),
            .features = readU64(reply, VDPA_ATTR_DEV_SUPPORTED_FEATURES),
        };

        if (readParent(reply, parent.name))
            g_array_append_val(parents, parent);
    }
    return parents;
}

static bool
parseDevice(struct nl_msg *reply, virtVdpaDevice *ret)
{
    *ret = (virtVdpaDevice){
        .id = readU32(reply, VDPA_ATTR_DEV_ID),
        .queues = readU32(reply, VDPA_ATTR_DEV_MAX_VQS),
    };
    if (!readParent(reply, ret->parent))
        *ret->parent = '\0';
    return readName(reply, VDPA_ATTR_DEV_NAME, ret->name, sizeof(ret->name));
}

/* The host's vDPA devices: virtVdpaDevice, in the kernel's order, for g_array_unref().
 *
 * Errors: VIRT_ERROR_HOST.
 */
GArray *
virtVdpaLinkListDevices(virtHost *host, GError **error)
{
    g_autoptr(GPtrArray) replies = dump(host, VDPA_CMD_DEV_GET, "vDPA devices", error);
    GArray *devices;

    if (!replies)
        return NULL;
    devices = g_array_new(FALSE, FALSE, sizeof(virtVdpaDevice));
    for (guint i = 0; i < replies->len; i++) {
        virtVdpaDevice device;

        if (parseDevice(replies->pdata[i], &device))
            g_array_append_val(devices, device);
    }
    return devices;
}

/* ---- one device ---- */

/* Ask @command about the device @name. */
static struct nl_msg *
ask(virtHost *host, guint8 command, const char *name, GError **error)
{
    struct nl_msg *reply = NULL;
    g_autofree char *reason = NULL;
    g_autofree char *what = g_strdup_printf("vDPA device %s", name);
    int rc = transact(host, newRequest(command, 0, name), &reply, &reason);

    if (rc == 0)
        return reply;
    setError(what, rc, reason, error);
    return NULL;
}

/* The device @name.
 *
 * Errors: VIRT_ERROR_NOT_FOUND where there is none; VIRT_ERROR_HOST.
 */
bool
virtVdpaLinkFindDevice(virtHost *host, const char *name, virtVdpaDevice *ret, GError **error)
{
    struct nl_msg *reply = ask(host, VDPA_CMD_DEV_GET, name, error);
    bool ok;

    if (!reply)
        return false;
    ok = parseDevice(reply, ret) && g_str_equal(ret->name, name);
    nlmsg_free(reply);
    if (!ok)
        g_set_error(error, VIRT_ERROR, VIRT_ERROR_HOST, "The kernel's answer about vDPA device %s is about another",
                    name);
    return ok;
}

static void
say(virtVdpa *vdpa, virtVdpaAttr attr)
{
    vdpa->setting.present |= VIRT_SETTING_BIT(attr);
}

static void
parseConfig(struct nl_msg *reply, virtVdpa *vdpa)
{
    struct nlattr *mac = find(reply, VDPA_ATTR_DEV_NET_CFG_MACADDR, sizeof(vdpa->mac));
    struct nlattr *pairs = find(reply, VDPA_ATTR_DEV_NET_CFG_MAX_VQP, sizeof(vdpa->pairs));
    struct nlattr *mtu = find(reply, VDPA_ATTR_DEV_NET_CFG_MTU, sizeof(vdpa->mtu));
    struct nlattr *features = find(reply, VDPA_ATTR_DEV_FEATURES, sizeof(vdpa->features));
    bool isNet = vdpa->made.id == VIRT_VDPA_NET;

    if (!features && isNet)
        features = find(reply, ATTR_OLD_FEATURES, sizeof(vdpa->features));
    if (features) {
        vdpa->features = nla_get_u64(features);
        say(vdpa, VIRT_VDPA_FEATURES);
    }
    if (isNet && mac) {
        memcpy(vdpa->mac, nla_data(mac), sizeof(vdpa->mac));
        say(vdpa, VIRT_VDPA_MAC);
    }
    if (isNet && mtu) {
        vdpa->mtu = nla_get_u16(mtu);
        say(vdpa, VIRT_VDPA_MTU);
    }
    if (isNet) { /* without VIRTIO_NET_F_MQ it has one pair, and none is shown */
        vdpa->pairs = 1;
        if (pairs)
            vdpa->pairs = nla_get_u16(pairs);
        say(vdpa, VIRT_VDPA_QUEUES);
    }
}

/* Adds to @vdpa, whose class is known, what the device @name shows to a guest. Of some classes some kernels show
 * nothing, which is no error.
 *
 * Errors: VIRT_ERROR_NOT_FOUND where there is no such device; VIRT_ERROR_HOST.
 */
bool
virtVdpaLinkReadConfig(virtHost *host, const char *name, virtVdpa *vdpa, GError **error)
{
    struct nl_msg *reply = NULL;
    g_autofree char *reason = NULL;
    g_autofree char *what = g_strdup_printf("the configuration of vDPA device %s", name);
    int rc = transact(host, newRequest(VDPA_CMD_DEV_CONFIG_GET, 0, name), &reply, &reason);

    if (rc == 0) {
        parseConfig(reply, vdpa);
        nlmsg_free(reply);
        return true;
    }
    if (rc == -EOPNOTSUPP)
        return true;
    setError(what, rc, reason, error);
    return false;
}

static void
statFree(virtVdpaStat *stat)
{
    g_free(stat->name);
    g_free(stat);
}

/* Names and values take turns. */
static GPtrArray *
parseStats(struct nl_msg *reply)
{
    GPtrArray *stats = g_ptr_array_new_with_free_func((GDestroyNotify)statFree);
    struct nlmsghdr *header = nlmsg_hdr(reply);
    g_autofree char *name = NULL;
    struct nlattr *attr;
    int rest;

    nlmsg_for_each_attr(attr, header, GENL_HDRLEN, rest)
    {
        if (nla_type(attr) == VDPA_ATTR_DEV_VENDOR_ATTR_NAME) {
            g_free(name);
            name = virtHostMakeText(nla_data(attr), (gsize)nla_len(attr));
        } else if (nla_type(attr) == VDPA_ATTR_DEV_VENDOR_ATTR_VALUE && nla_len(attr) >= (int)sizeof(guint64) && name) {
            virtVdpaStat *stat = g_new0(virtVdpaStat, 1);

            stat->name = g_steal_pointer(&name);
            stat->value = nla_get_u64(attr);
            g_ptr_array_add(stats, stat);
        }
    }
    return stats;
}

/* What the driver counts of a virtqueue of the device @name: virtVdpaStat, for g_ptr_array_unref(). Empty where it
 * counts nothing, or not before the guest's driver has been started.
 *
 * Errors: VIRT_ERROR_NOT_FOUND where there is no such device; VIRT_ERROR_HOST.
 */
GPtrArray *
virtVdpaLinkListStats(virtHost *host, const char *name, guint32 queue, GError **error)
{
    struct nl_msg *request = newRequest(VDPA_CMD_DEV_VSTATS_GET, 0, name), *reply = NULL;
    g_autofree char *reason = NULL;
    g_autofree char *what = g_strdup_printf("queue %u of vDPA device %s", queue, name);
    GPtrArray *stats;
    int rc;

    if (request && nla_put_u32(request, VDPA_ATTR_DEV_QUEUE_INDEX, queue) < 0)
        g_clear_pointer(&request, nlmsg_free);
    rc = transact(host, request, &reply, &reason);
    if (rc == -EAGAIN || rc == -EOPNOTSUPP)
        return g_ptr_array_new_with_free_func((GDestroyNotify)statFree);
    if (rc < 0) {
        setError(what, rc, reason, error);
        return NULL;
    }
    stats = parseStats(reply);
    nlmsg_free(reply);
    return stats;
}

/* ---- changes ---- */

static bool
putAttr(struct nl_msg *msg, const virtVdpa *wanted, virtVdpaAttr attr)
{
    switch (attr) {
    case VIRT_VDPA_MAC:
        return nla_put(msg, givenTypes[attr], sizeof(wanted->mac), wanted->mac) == 0;
    case VIRT_VDPA_QUEUES:
        return nla_put_u16(msg, givenTypes[attr], wanted->pairs) == 0;
    case VIRT_VDPA_MTU:
        return nla_put_u16(msg, givenTypes[attr], wanted->mtu) == 0;
    case VIRT_VDPA_FEATURES:
        return nla_put_u64(msg, givenTypes[attr], wanted->features) == 0;
    case VIRT_VDPA_DEVICE:
    case VIRT_VDPA_ATTR_LAST:
    default:
        return true;
    }
}

/* Which of @attrs the parent takes no value of, by the kernel's words, which end with a mask of attributes' numbers.
 * Up to Linux 6.1 there is no mask, and it may be any of them. */
static guint
findRefused(guint attrs, const char *reason)
{
    const char *mask = NULL;
    guint64 types = G_MAXUINT64;
    guint refused = 0;

    if (!reason || !strstr(reason, "provided attributes are not supported"))
        return 0;
    if ((mask = strstr(reason, ": 0x")))
        types = g_ascii_strtoull(mask + strlen(": 0x"), NULL, 16);
    for (guint attr = VIRT_VDPA_MAC; attr < VIRT_VDPA_ATTR_LAST; attr++) {
        if ((attrs & VIRT_SETTING_BIT(attr)) && (types & G_GUINT64_CONSTANT(1) << givenTypes[attr]))
            refused |= VIRT_SETTING_BIT(attr);
    }
    return refused;
}

/* Make the device @name at the parent that @wanted names.
 *
 * @attrs: VIRT_SETTING_BITs of what it is given
 * @ret_refused: on -EOPNOTSUPP, those that the parent takes no value of; else 0
 * @ret_reason: on failure, the kernel's own words or NULL; caller frees
 *
 * Returns 0 or -errno.
 */
int
virtVdpaLinkMake(virtHost *host, const char *name, const virtVdpa *wanted, guint attrs, guint *ret_refused,
                 char **ret_reason)
{
    struct nl_msg *request = newRequest(VDPA_CMD_DEV_NEW, 0, name);
    int rc;

    *ret_refused = 0;
    if (request && !putParent(request, wanted->made.parent))
        g_clear_pointer(&request, nlmsg_free);
    for (guint attr = VIRT_VDPA_MAC; request && attr < VIRT_VDPA_ATTR_LAST; attr++) {
        if ((attrs & VIRT_SETTING_BIT(attr)) && !putAttr(request, wanted, attr))
            g_clear_pointer(&request, nlmsg_free);
    }
    rc = transact(host, request, NULL, ret_reason);
    if (rc == -EOPNOTSUPP)
        *ret_refused = findRefused(attrs, *ret_reason);
    return rc;
}

/* Delete the device @name, which nobody may have open: see virvdpadevice.c.
 *
 * Returns 0 or -errno, as virtVdpaLinkMake().
 */
int
virtVdpaLinkDelete(virtHost *host, const char *name, char **ret_reason)
{
    return transact(host, newRequest(VDPA_CMD_DEV_DEL, 0, name), NULL, ret_reason);
}

/* Give the device @name another MAC address. Before Linux 6.12 no kernel does that.
 *
 * Returns 0 or -errno, as virtVdpaLinkMake().
 */
int
virtVdpaLinkSetMac(virtHost *host, const char *name, const guint8 mac[6], char **ret_reason)
{
    struct nl_msg *request = newRequest(CMD_DEV_ATTR_SET, 0, name);

    if (request && nla_put(request, VDPA_ATTR_DEV_NET_CFG_MACADDR, 6, mac) < 0)
        g_clear_pointer(&request, nlmsg_free);
    return transact(host, request, NULL, ret_reason);
}
