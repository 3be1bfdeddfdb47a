/* virnetdevvportprofile.c: port profiles of 802.1Qbh, which the switch applies to a VF
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A VF is associated with a profile by name (IFLA_VF_PORTS of an RTM_SETLINK); the adapter passes that on to the
 * switch, whose answer appears later in the VF's IFLA_PORT_RESPONSE and is polled for. The switch also learns
 * which guest (instance UUID) on which host (host UUID) it is about.
 */
#include "util/virnetdevvportprofile.h"
#include "util/virnetlink.h"

#include <errno.h>
#include <linux/if_link.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <string.h>

#define POLL_MILLISECONDS 125 /* as libvirt polls (virnetdevvportprofile.c, 9.0) */
#define POLL_TIMES 80         /* 10 seconds */

/* The entry of @vf in an IFLA_VF_PORTS, parsed into @tb; false where the driver reports none. */
static bool
findPort(struct nlattr *ports, guint vf, struct nlattr *tb[IFLA_PORT_MAX + 1])
{
    struct nlattr *entry;
    int rest;

    nla_for_each_nested (entry, ports, rest) {
        if (nla_type(entry) != IFLA_VF_PORT || nla_parse_nested(tb, IFLA_PORT_MAX, entry, NULL) < 0)
            continue;
        if (tb[IFLA_PORT_VF] && nla_len(tb[IFLA_PORT_VF]) >= (int)sizeof(guint32) &&
            nla_get_u32(tb[IFLA_PORT_VF]) == vf)
            return true;
    }
    return false;
}

/* Read the profile of @vf from an IFLA_VF_PORTS; leaves @netdev alone where the driver reports none. */
void
virtNetdevVPortProfileGet(struct nlattr *ports, guint vf, virtNetdev *netdev)
{
    struct nlattr *tb[IFLA_PORT_MAX + 1];
    struct nlattr *profile;

    if (!findPort(ports, vf, tb))
        return;
    memset(netdev->profileid, 0, sizeof(netdev->profileid));
    profile = tb[IFLA_PORT_PROFILE];
    if (profile && nla_len(profile) > 0) {
        memcpy(netdev->profileid, nla_data(profile),
               strnlen(nla_data(profile), MIN((size_t)nla_len(profile), sizeof(netdev->profileid) - 1)));
    }
    netdev->present |= VIRT_NETDEV_BIT(VIRT_NETDEV_VIRTUALPORT);
}

/* Sixteen bytes from 32 hexadecimal digits, with or without dashes. */
static bool
parseUUID(const char *text, guint8 ret[PORT_UUID_MAX])
{
    guint8 uuid[PORT_UUID_MAX] = {0};
    guint digits = 0;

    for (; *text && digits < 2 * PORT_UUID_MAX; text++) {
        if (*text == '-')
            continue;
        if (!g_ascii_isxdigit(*text))
            return false;
        uuid[digits / 2] = (guint8)(uuid[digits / 2] << 4 | g_ascii_xdigit_value(*text));
        digits++;
    }
    if (digits != 2 * PORT_UUID_MAX || *text)
        return false;
    memcpy(ret, uuid, sizeof(uuid));
    return true;
}

/* The host as the firmware names it, else as systemd does. */
static bool
readHostUUID(virtHost *host, guint8 ret[PORT_UUID_MAX])
{
    g_autofree char *product = virtHostRead(host, NULL, "sys/class/dmi/id/product_uuid");
    g_autofree char *machine = NULL;

    if (product && parseUUID(product, ret))
        return true;
    machine = virtHostRead(host, NULL, "etc/machine-id");
    return machine && parseUUID(machine, ret);
}

/* Append an IFLA_VF_PORTS that associates the VF with netdev's profile, or ends that where it is empty. False
 * when the message is full.
 */
bool
virtNetdevVPortProfilePut(struct nl_msg *msg, virtHost *host, const virtVF *vf, const virtNetdev *netdev)
{
    guint8 hostUUID[PORT_UUID_MAX];
    bool associate = *netdev->profileid != '\0';
    guint8 request = PORT_REQUEST_DISASSOCIATE;
    struct nlattr *ports = nla_nest_start(msg, IFLA_VF_PORTS);
    struct nlattr *entry;

    if (!ports)
        return false;
    entry = nla_nest_start(msg, IFLA_VF_PORT);
    if (!entry || nla_put_u32(msg, IFLA_PORT_VF, vf->index) < 0)
        return false;
    if (associate && nla_put_string(msg, IFLA_PORT_PROFILE, netdev->profileid) < 0)
        return false;
    if (nla_put(msg, IFLA_PORT_INSTANCE_UUID, sizeof(vf->instance), vf->instance) < 0)
        return false;
    if (readHostUUID(host, hostUUID) && nla_put(msg, IFLA_PORT_HOST_UUID, sizeof(hostUUID), hostUUID) < 0)
        return false;
    if (associate)
        request = PORT_REQUEST_ASSOCIATE;
    if (nla_put_u8(msg, IFLA_PORT_REQUEST, request) < 0)
        return false;
    return nla_nest_end(msg, entry) == 0 && nla_nest_end(msg, ports) == 0;
}

/* The switch's last word on a VF: 0, -EINPROGRESS, or -EPROTO with its words; -ENODATA where there is no entry. */
static int
readResponse(struct nl_msg *reply, guint vf, char **ret_reason)
{
    static const char *const words[] = {
        "success", "in progress", "invalid profile", "bad state", "insufficient resources", "error"};
    struct nlattr *tb[IFLA_PORT_MAX + 1];
    struct nlattr *ports = virtNetlinkFind(reply, IFLA_VF_PORTS);
    struct nlattr *response;
    guint code, word;

    if (!ports || !findPort(ports, vf, tb))
        return -ENODATA;
    response = tb[IFLA_PORT_RESPONSE];
    if (!response || nla_len(response) < (int)sizeof(guint16) ||
        nla_get_u16(response) == PORT_PROFILE_RESPONSE_INPROGRESS)
        return -EINPROGRESS;
    code = nla_get_u16(response);
    if (code == PORT_PROFILE_RESPONSE_SUCCESS || code == PORT_VDP_RESPONSE_SUCCESS)
        return 0;
    word = code - PORT_PROFILE_RESPONSE_SUCCESS;
    if (word < G_N_ELEMENTS(words))
        *ret_reason = g_strdup_printf("the switch answered: %s", words[word]);
    else
        *ret_reason = g_strdup_printf("the switch answered with code %u", code);
    return -EPROTO;
}

/* Wait until the switch has answered: every 125 ms, up to 10 seconds.
 *
 * @netdev: what was asked for; the end of an association (no profile) is also answered by the entry's absence
 * @ret_reason: on failure, the switch's words or NULL; caller frees
 *
 * Returns 0, -ETIMEDOUT, -EPROTO when the switch refused, or what reading the link returned.
 */
int
virtNetdevVPortProfileWait(virtHost *host, const virtPort *port, const virtVF *vf, const virtNetdev *netdev,
                           char **ret_reason)
{
    for (guint i = 0; i < POLL_TIMES; i++) {
        struct nl_msg *reply = NULL;
        int rc = virtNetlinkGetLink(host, port->ifindex, VIRT_NETLINK_VFS, &reply, ret_reason);

        if (rc < 0)
            return rc;
        rc = readResponse(reply, vf->index, ret_reason);
        nlmsg_free(reply);
        if (rc == -ENODATA && !*netdev->profileid)
            return 0;
        if (rc != -ENODATA && rc != -EINPROGRESS)
            return rc;
        host->sleep(POLL_MILLISECONDS * 1000);
    }
    return -ETIMEDOUT;
}
