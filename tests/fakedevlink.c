/* fakedevlink.c: the devlink of a fakeHost: serial numbers, and in switchdev mode the functions of VFs
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * As Linux 6.1 does it: a list of ports has those of all devices.
 */
#include "fakekernel.h"
#include "fakesubfunction.h"

#include <errno.h>
#include <linux/devlink.h>
#include <netlink/attr.h>
#include <netlink/genl/genl.h>
#include <netlink/msg.h>
#include <string.h>

#define INDEX_FIRST 7
#define PORTS_MAX 8
#define BYTES 125000
#define FN_ATTR_CAPS 4 /* of linux/devlink.h, which ends before them in Debian 12 */
#define FN_ATTR_MAX_IO_EQS 6

static struct nlattr *
find(struct nl_msg *msg, int type)
{
    return nlmsg_find_attr(nlmsg_hdr(msg), GENL_HDRLEN, type);
}

static fakePF *
findPF(fakeHost *fake, struct nl_msg *request)
{
    g_assert_cmpstr(nla_data(find(request, DEVLINK_ATTR_BUS_NAME)), ==, "pci");
    for (guint i = 0; i < fake->pfs->len; i++) {
        fakePF *pf = fake->pfs->pdata[i];

        if (g_str_equal(pf->name, nla_data(find(request, DEVLINK_ATTR_DEV_NAME))))
            return pf;
    }
    return NULL;
}

static struct nl_msg *
newReply(guint8 command, const char *device)
{
    struct nl_msg *reply = nlmsg_alloc();

    genlmsg_put(reply, 0, 0, 0, 0, 0, command, DEVLINK_GENL_VERSION);
    nla_put_string(reply, DEVLINK_ATTR_BUS_NAME, "pci");
    nla_put_string(reply, DEVLINK_ATTR_DEV_NAME, device);
    return reply;
}

static const fakeVF *
at(const fakePF *pf, guint port, guint vf)
{
    return &pf->table[(port - 1) * pf->vfs + vf];
}

/* The capabilities are bits in the order of virtFunctionAttr. */
static void
putFunction(struct nl_msg *reply, const virtFunction *function)
{
    struct nla_bitfield32 caps = {0};

    for (virtFunctionAttr attr = 0; attr < VIRT_FUNCTION_FLAGS; attr++) {
        if (virtSettingHas(function, attr))
            caps.selector |= 1u << attr;
        if (function->flags[attr])
            caps.value |= 1u << attr;
    }
    if (caps.selector)
        nla_put(reply, FN_ATTR_CAPS, sizeof(caps), &caps);
    if (virtSettingHas(function, VIRT_FUNCTION_MAX_IO_EQS))
        nla_put_u32(reply, FN_ATTR_MAX_IO_EQS, function->maxIoEqs);
}

static struct nl_msg *
newPort(const fakeHost *fake, const fakePF *pf, guint port, guint vf, bool external)
{
    struct nl_msg *reply = newReply(DEVLINK_CMD_PORT_NEW, pf->name);
    g_autofree char *netdev = g_strdup_printf("pf%uvf%u", port - 1, vf);
    struct nlattr *function;

    nla_put_u32(reply, DEVLINK_ATTR_PORT_INDEX, INDEX_FIRST + vf * PORTS_MAX + port);
    nla_put_u16(reply, DEVLINK_ATTR_PORT_FLAVOUR, DEVLINK_PORT_FLAVOUR_PCI_VF);
    nla_put_u32(reply, DEVLINK_ATTR_PORT_CONTROLLER_NUMBER, external);
    nla_put_u16(reply, DEVLINK_ATTR_PORT_PCI_PF_NUMBER, (guint16)(port - 1));
    nla_put_u16(reply, DEVLINK_ATTR_PORT_PCI_VF_NUMBER, (guint16)vf);
    nla_put_u8(reply, DEVLINK_ATTR_PORT_EXTERNAL, external);
    nla_put_string(reply, DEVLINK_ATTR_PORT_NETDEV_NAME, netdev);
    function = nla_nest_start(reply, DEVLINK_ATTR_PORT_FUNCTION);
    if (!fake->noMacs && !external)
        nla_put(reply, DEVLINK_PORT_FUNCTION_ATTR_HW_ADDR, 6, at(pf, port, vf)->mac);
    if (!external)
        putFunction(reply, &at(pf, port, vf)->function);
    nla_nest_end(reply, function);
    return reply;
}

/* A port of the card itself, which is no function's. */
static struct nl_msg *
newUplink(const fakePF *pf)
{
    struct nl_msg *reply = newReply(DEVLINK_CMD_PORT_NEW, pf->name);

    nla_put_u32(reply, DEVLINK_ATTR_PORT_INDEX, 0);
    nla_put_u16(reply, DEVLINK_ATTR_PORT_FLAVOUR, DEVLINK_PORT_FLAVOUR_PHYSICAL);
    return reply;
}

/* The virtHostDumpGeneric of a fakeHost. */
int
fakeDevlinkDump(virtHost *host, const char *family, struct nl_msg *request, GPtrArray *replies, char **ret_reason)
{
    fakeHost *fake = host->opaque;

    g_assert_cmpstr(family, ==, DEVLINK_GENL_NAME);
    g_assert_cmpint(genlmsg_hdr(nlmsg_hdr(request))->cmd, ==, DEVLINK_CMD_PORT_GET);
    g_assert_cmphex(nlmsg_hdr(request)->nlmsg_flags & NLM_F_DUMP, ==, NLM_F_DUMP);
    fake->devlinkAsked++;
    if (fake->devlinkErrno)
        return -fake->devlinkErrno;
    for (guint i = 0; i < fake->pfs->len; i++) {
        const fakePF *pf = fake->pfs->pdata[i];

        g_ptr_array_add(replies, newUplink(pf));
        for (guint vf = 0; vf < fake->externals; vf++)
            g_ptr_array_add(replies, newPort(fake, pf, 1, vf, true));
        /* From the last port to the first: nobody promises an order. */
        for (guint port = pf->ports; fake->functions && port > 0; port--) {
            for (guint vf = 0; port != fake->lacksFunction && vf < pf->vfs; vf++)
                g_ptr_array_add(replies, newPort(fake, pf, port, vf, false));
        }
        fakeSubfunctionList(fake, pf->name, replies);
    }
    return 0;
}

static int
setMac(fakeHost *fake, fakePF *pf, guint port, guint vf, struct nlattr *mac)
{
    fakeVF wanted = *at(pf, port, vf);

    if (fake->noMacs)
        return -EOPNOTSUPP;
    memcpy(wanted.mac, nla_data(mac), sizeof(wanted.mac));
    return fakeKernelChange(fake, pf, port, vf, VIRT_NETDEV_MAC, &wanted);
}

/* One attribute a request, and no driver may have the VF. */
static int
setFunction(fakeHost *fake, fakePF *pf, guint port, guint vf, struct nlattr *caps, struct nlattr *eqs)
{
    virtFunction *function = &pf->table[(port - 1) * pf->vfs + vf].function;
    g_autofree char *driver = virtHostReadLink(fake->host, NULL, "sys/bus/pci/devices/%s/driver", pf->vfNames[vf]);
    struct nla_bitfield32 bits = {0};

    g_assert_true((caps != NULL) != (eqs != NULL));
    if (driver)
        return -EBUSY;
    if (fake->functionRefused > 0 && --fake->functionRefused == 0)
        return -EPERM;
    if (fake->functionDeaf)
        return 0;
    if (eqs)
        virtFunctionSetMaxIoEqs(function, nla_get_u32(eqs));
    else
        memcpy(&bits, nla_data(caps), sizeof(bits));
    for (virtFunctionAttr attr = 0; attr < VIRT_FUNCTION_FLAGS; attr++) {
        if (bits.selector & 1u << attr)
            virtFunctionSetFlag(function, attr, (bits.value & 1u << attr) != 0);
    }
    return 0;
}

static int
setPort(fakeHost *fake, fakePF *pf, guint port, guint vf, struct nl_msg *request)
{
    struct nlattr *function = find(request, DEVLINK_ATTR_PORT_FUNCTION), *tb[FN_ATTR_MAX_IO_EQS + 1];

    g_assert_nonnull(function);
    g_assert_cmpint(nla_parse_nested(tb, FN_ATTR_MAX_IO_EQS, function, NULL), ==, 0);
    if (tb[DEVLINK_PORT_FUNCTION_ATTR_HW_ADDR])
        return setMac(fake, pf, port, vf, tb[DEVLINK_PORT_FUNCTION_ATTR_HW_ADDR]);
    return setFunction(fake, pf, port, vf, tb[FN_ATTR_CAPS], tb[FN_ATTR_MAX_IO_EQS]);
}

/* As mlx5: in steps of 1 Mb/s, and no share above the maximum. */
static int
setRate(fakeHost *fake, fakePF *pf, guint port, guint vf, struct nl_msg *request)
{
    struct nlattr *share = find(request, DEVLINK_ATTR_RATE_TX_SHARE), *max = find(request, DEVLINK_ATTR_RATE_TX_MAX);
    fakeVF wanted = *at(pf, port, vf);
    guint64 bytes;

    g_assert_true((share != NULL) != (max != NULL));
    bytes = nla_get_u64(share ? share : max);
    if (bytes % BYTES != 0)
        return -EINVAL;
    *(share ? &wanted.minRate : &wanted.maxRate) = (guint32)(bytes / BYTES);
    if (wanted.maxRate && wanted.minRate > wanted.maxRate)
        return -EINVAL;
    return fakeKernelChange(fake, pf, port, vf, VIRT_NETDEV_BANDWIDTH, &wanted);
}

static struct nl_msg *
newRate(const fakeHost *fake, const fakePF *pf, guint port, guint vf)
{
    struct nl_msg *reply = newReply(DEVLINK_CMD_RATE_NEW, pf->name);

    if (fake->leavesForget)
        return reply;
    nla_put_u64(reply, DEVLINK_ATTR_RATE_TX_SHARE, (guint64)at(pf, port, vf)->minRate * BYTES);
    nla_put_u64(reply, DEVLINK_ATTR_RATE_TX_MAX, (guint64)at(pf, port, vf)->maxRate * BYTES);
    return reply;
}

static int
aboutPort(fakeHost *fake, int command, fakePF *pf, struct nl_msg *request, struct nl_msg **ret_reply)
{
    guint32 index = nla_get_u32(find(request, DEVLINK_ATTR_PORT_INDEX)) - INDEX_FIRST;
    guint port = index % PORTS_MAX, vf = index / PORTS_MAX;
    bool ofRate = command == DEVLINK_CMD_RATE_GET || command == DEVLINK_CMD_RATE_SET;

    fake->devlinkAsked++;
    if (fake->devlinkErrno)
        return -fake->devlinkErrno;
    if (!pf || !fake->functions || port == 0 || port > pf->ports || vf >= pf->vfs || port == fake->lacksFunction ||
        (ofRate && fake->noRates))
        return -ENODEV;
    if (command == DEVLINK_CMD_PORT_SET)
        return setPort(fake, pf, port, vf, request);
    if (command == DEVLINK_CMD_RATE_SET)
        return setRate(fake, pf, port, vf, request);
    if (command == DEVLINK_CMD_RATE_GET)
        *ret_reply = newRate(fake, pf, port, vf);
    else
        *ret_reply = newPort(fake, pf, port, vf, false);
    return 0;
}

static int
answerMode(const fakeHost *fake, const fakePF *pf, struct nl_msg **ret_reply)
{
    if (!pf || fake->devlinkErrno)
        return -ENODEV;
    *ret_reply = newReply(DEVLINK_CMD_ESWITCH_GET, pf->name);
    nla_put_u16(*ret_reply, DEVLINK_ATTR_ESWITCH_MODE, fake->functions);
    return 0;
}

/* The virtHostRequestGeneric of a fakeHost. */
int
fakeDevlinkRequest(virtHost *host, const char *family, struct nl_msg *request, struct nl_msg **ret_reply,
                   char **ret_reason)
{
    fakeHost *fake = host->opaque;
    int command = genlmsg_hdr(nlmsg_hdr(request))->cmd, rc;

    g_assert_cmpstr(family, ==, DEVLINK_GENL_NAME);
    if (fakeSubfunctionKnows(request))
        return fakeSubfunctionRequest(fake, request, ret_reply, ret_reason);
    if (command == DEVLINK_CMD_ESWITCH_GET)
        return answerMode(fake, findPF(fake, request), ret_reply);
    if (command != DEVLINK_CMD_INFO_GET) {
        rc = aboutPort(fake, command, findPF(fake, request), request, ret_reply);
        if (rc < 0 && fake->extack && ret_reason)
            *ret_reason = g_strdup(fake->extack);
        return rc;
    }
    g_assert_cmpstr(nla_data(find(request, DEVLINK_ATTR_BUS_NAME)), ==, "pci");
    if (!fake->boardSerial)
        return -ENODEV;
    *ret_reply = newReply(DEVLINK_CMD_INFO_GET, nla_data(find(request, DEVLINK_ATTR_DEV_NAME)));
    nla_put_string(*ret_reply, DEVLINK_ATTR_INFO_SERIAL_NUMBER, "the chip's"); /* two of them */
    nla_put_string(*ret_reply, DEVLINK_ATTR_INFO_BOARD_SERIAL_NUMBER, fake->boardSerial);
    return 0;
}
