/* fakesubfunction.c: see fakesubfunction.h
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "fakesubfunction.h"
#include "fakevdpa.h"

#include <errno.h>
#include <linux/devlink.h>
#include <netlink/attr.h>
#include <netlink/genl/genl.h>
#include <netlink/msg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define INDEX_FIRST 32768
#define FILES "fake/sf/%s/%u" /* of a PF and a number */
#define DEVICE "fake_core.sf.%u"
#define PATH "sys/bus/pci/devices/%s/" DEVICE
#define BUS "sys/bus/auxiliary/devices/" DEVICE
#define PARENT "auxiliary/" DEVICE

static guint64
number(fakeHost *fake, const char *pf, guint32 sf, const char *key)
{
    g_autofree char *text = virtHostRead(fake->host, NULL, FILES "/%s", pf, sf, key);

    return text ? g_ascii_strtoull(text, NULL, 0) : 0;
}

static void
set(fakeHost *fake, const char *pf, guint32 sf, const char *key, guint64 value)
{
    g_autofree char *text = g_strdup_printf("%" G_GUINT64_FORMAT "\n", value);

    fakeHostFile(fake, text, FILES "/%s", pf, sf, key);
}

static bool
exists(fakeHost *fake, const char *pf, guint32 sf)
{
    g_autofree char *path = virtHostPath(fake->host, FILES "/active", pf, sf);

    return access(path, F_OK) == 0;
}

/* ---- the device ---- */

static void
setParent(fakeHost *fake, guint32 sf, bool there)
{
    static const char *const files[] = {"classes", "queues", "features", "takes"};
    g_autofree char *name = g_strdup_printf(PARENT, sf);
    g_autofree char *dir = virtHostPath(fake->host, "fake/vdpa/auxiliary!" DEVICE, sf);

    if (there && !fake->sfNoVdpa)
        fakeVdpaAddParent(fake, name, 1 << 1, 9, G_GUINT64_CONSTANT(0x300420028),
                          1 << 10 | 1 << 12 | 1 << 13 | 1 << 20);
    for (guint i = 0; !there && i < G_N_ELEMENTS(files); i++)
        fakeHostFile(fake, NULL, "fake/vdpa/auxiliary!" DEVICE "/%s", sf, files[i]);
    if (!there)
        rmdir(dir);
}

/* Whoever takes the device away while somebody may use what was made of it would wait. */
static void
assertUnused(fakeHost *fake, guint32 sf)
{
    g_autofree char *name = g_strdup_printf(PARENT, sf);
    g_autofree char *devices = fakeVdpaDump(fake);

    g_assert_null(strstr(devices, name));
}

static void
setAttached(fakeHost *fake, const char *pf, guint32 sf, bool attached)
{
    g_autofree char *text = g_strdup_printf("%u\n", sf);
    g_autofree char *dir = virtHostPath(fake->host, PATH, pf, sf);

    set(fake, pf, sf, "attached", attached);
    if (attached) {
        fakeHostFile(fake, text, PATH "/sfnum", pf, sf);
        fakeHostFile(fake, "", BUS, sf); /* a link there, of which nothing is read */
        set(fake, pf, sf, "vnet", !fake->sfIdle);
        setParent(fake, sf, !fake->sfIdle);
    } else {
        assertUnused(fake, sf);
        fakeHostFile(fake, NULL, PATH "/sfnum", pf, sf);
        fakeHostFile(fake, NULL, BUS, sf);
        rmdir(dir);
        setParent(fake, sf, false);
    }
}

/* ---- ports ---- */

static void
add(fakeHost *fake, const char *pf, guint32 sf)
{
    fakeHostFile(fake, "00:00:00:00:00:00", FILES "/mac", pf, sf);
    set(fake, pf, sf, "active", 0);
    set(fake, pf, sf, "attached", 0);
}

static void
removeOne(fakeHost *fake, const char *pf, guint32 sf)
{
    static const char *const files[] = {"mac", "active", "attached", "vnet"};
    g_autofree char *dir = virtHostPath(fake->host, FILES, pf, sf);

    for (guint i = 0; i < G_N_ELEMENTS(files); i++)
        fakeHostFile(fake, NULL, FILES "/%s", pf, sf, files[i]);
    rmdir(dir);
}

void
fakeSubfunctionMake(fakeHost *fake, const char *pf, guint32 sf, bool attached)
{
    add(fake, pf, sf);
    set(fake, pf, sf, "active", attached);
    if (attached)
        setAttached(fake, pf, sf, true);
}

void
fakeSubfunctionReset(fakeHost *fake, const char *pf)
{
    g_autoptr(GPtrArray) all = virtHostListDir(fake->host, NULL, "fake/sf/%s", pf);
    g_autofree char *bus = virtHostPath(fake->host, "sys/bus/auxiliary/devices");

    g_assert_cmpint(g_mkdir_with_parents(bus, 0755), ==, 0);
    for (guint i = 0; i < all->len; i++) {
        guint32 sf = (guint32)g_ascii_strtoull(all->pdata[i], NULL, 10);

        setAttached(fake, pf, sf, false);
        removeOne(fake, pf, sf);
    }
}

static struct nl_msg *
newPort(fakeHost *fake, const char *pf, guint32 sf)
{
    struct nl_msg *reply = nlmsg_alloc();
    g_autofree char *text = virtHostRead(fake->host, NULL, FILES "/mac", pf, sf);
    struct nlattr *function;
    guint8 mac[6];

    g_assert_true(virtMacParse(text, mac));
    genlmsg_put(reply, 0, 0, 0, 0, 0, DEVLINK_CMD_PORT_NEW, DEVLINK_GENL_VERSION);
    nla_put_string(reply, DEVLINK_ATTR_BUS_NAME, "pci");
    nla_put_string(reply, DEVLINK_ATTR_DEV_NAME, pf);
    nla_put_u32(reply, DEVLINK_ATTR_PORT_INDEX, INDEX_FIRST + sf);
    nla_put_u16(reply, DEVLINK_ATTR_PORT_FLAVOUR, DEVLINK_PORT_FLAVOUR_PCI_SF);
    nla_put_u16(reply, DEVLINK_ATTR_PORT_PCI_PF_NUMBER, 0);
    nla_put_u32(reply, DEVLINK_ATTR_PORT_PCI_SF_NUMBER, sf);
    function = nla_nest_start(reply, DEVLINK_ATTR_PORT_FUNCTION);
    nla_put(reply, DEVLINK_PORT_FUNCTION_ATTR_HW_ADDR, sizeof(mac), mac);
    nla_put_u8(reply, DEVLINK_PORT_FN_ATTR_STATE, (guint8)number(fake, pf, sf, "active"));
    nla_put_u8(reply, DEVLINK_PORT_FN_ATTR_OPSTATE, (guint8)number(fake, pf, sf, "attached"));
    nla_nest_end(reply, function);
    return reply;
}

void
fakeSubfunctionList(fakeHost *fake, const char *pf, GPtrArray *replies)
{
    g_autoptr(GPtrArray) all = virtHostListDir(fake->host, NULL, "fake/sf/%s", pf);

    for (guint i = 0; i < all->len; i++)
        g_ptr_array_add(replies, newPort(fake, pf, (guint32)g_ascii_strtoull(all->pdata[i], NULL, 10)));
}

static struct nlattr *
find(struct nl_msg *msg, int type)
{
    return nlmsg_find_attr(nlmsg_hdr(msg), GENL_HDRLEN, type);
}

static int
addPort(fakeHost *fake, const char *pf, struct nl_msg *request, struct nl_msg **ret_reply)
{
    guint32 sf = nla_get_u32(find(request, DEVLINK_ATTR_PORT_PCI_SF_NUMBER));

    g_assert_cmpuint(nla_get_u16(find(request, DEVLINK_ATTR_PORT_FLAVOUR)), ==, DEVLINK_PORT_FLAVOUR_PCI_SF);
    g_assert_cmpuint(nla_get_u16(find(request, DEVLINK_ATTR_PORT_PCI_PF_NUMBER)), ==, 0);
    if (fake->sfRace)
        fake->sfRace(fake, pf, sf);
    if (exists(fake, pf, sf))
        return -EEXIST;
    add(fake, pf, sf);
    *ret_reply = newPort(fake, pf, sf);
    return 0;
}

static int
setPort(fakeHost *fake, const char *pf, guint32 sf, struct nl_msg *request)
{
    struct nlattr *tb[DEVLINK_PORT_FN_ATTR_OPSTATE + 1], *mac;
    char text[18];

    g_assert_cmpint(nla_parse_nested(tb, DEVLINK_PORT_FN_ATTR_OPSTATE, find(request, DEVLINK_ATTR_PORT_FUNCTION), NULL),
                    ==, 0);
    if ((mac = tb[DEVLINK_PORT_FUNCTION_ATTR_HW_ADDR])) {
        virtMacFormat(nla_data(mac), text);
        if (!fake->sfDeaf)
            fakeHostFile(fake, text, FILES "/mac", pf, sf);
        return 0;
    }
    set(fake, pf, sf, "active", nla_get_u8(tb[DEVLINK_PORT_FN_ATTR_STATE]));
    return 0;
}

static int
aboutPort(fakeHost *fake, int command, const char *pf, guint32 sf, struct nl_msg *request, struct nl_msg **ret_reply)
{
    bool active = number(fake, pf, sf, "active"), attached = number(fake, pf, sf, "attached");

    if (!exists(fake, pf, sf))
        return -ENODEV;
    if (command == DEVLINK_CMD_PORT_SET)
        return setPort(fake, pf, sf, request);
    if (command == DEVLINK_CMD_PORT_DEL && (active || attached))
        return -EBUSY;
    if (command == DEVLINK_CMD_PORT_DEL) {
        removeOne(fake, pf, sf);
        return 0;
    }
    *ret_reply = newPort(fake, pf, sf);
    if (active != attached && !fake->sfStuck)
        setAttached(fake, pf, sf, active);
    return 0;
}

/* ---- the device's own instance ---- */

static struct nl_msg *
newSwitch(bool on)
{
    struct nl_msg *reply = nlmsg_alloc();
    struct nlattr *param, *list, *value;

    genlmsg_put(reply, 0, 0, 0, 0, 0, DEVLINK_CMD_PARAM_GET, DEVLINK_GENL_VERSION);
    param = nla_nest_start(reply, DEVLINK_ATTR_PARAM);
    nla_put_string(reply, DEVLINK_ATTR_PARAM_NAME, "enable_vnet");
    nla_put_u8(reply, DEVLINK_ATTR_PARAM_TYPE, NLA_FLAG);
    list = nla_nest_start(reply, DEVLINK_ATTR_PARAM_VALUES_LIST);
    value = nla_nest_start(reply, DEVLINK_ATTR_PARAM_VALUE);
    nla_put_u8(reply, DEVLINK_ATTR_PARAM_VALUE_CMODE, DEVLINK_PARAM_CMODE_DRIVERINIT);
    if (on)
        nla_put_flag(reply, DEVLINK_ATTR_PARAM_VALUE_DATA);
    nla_nest_end(reply, value);
    nla_nest_end(reply, list);
    nla_nest_end(reply, param);
    return reply;
}

static int
aboutDevice(fakeHost *fake, int command, const char *name, struct nl_msg *request, struct nl_msg **ret_reply)
{
    g_autoptr(GPtrArray) pfs = virtHostListDir(fake->host, NULL, "fake/sf");
    guint32 sf;

    if (fake->sfNoSwitch)
        return -EINVAL; /* as the kernel says that there is no such parameter */
    g_assert_cmpint(sscanf(name, DEVICE, &sf), ==, 1);
    g_assert_cmpuint(pfs->len, ==, 1);
    if (command == DEVLINK_CMD_PARAM_GET) {
        *ret_reply = newSwitch(number(fake, pfs->pdata[0], sf, "vnet"));
    } else if (command == DEVLINK_CMD_PARAM_SET) {
        g_assert_cmpuint(nla_get_u8(find(request, DEVLINK_ATTR_PARAM_TYPE)), ==, NLA_FLAG);
        set(fake, pfs->pdata[0], sf, "vnet", find(request, DEVLINK_ATTR_PARAM_VALUE_DATA) != NULL);
    } else {
        g_assert_cmpint(command, ==, DEVLINK_CMD_RELOAD);
        setParent(fake, sf, number(fake, pfs->pdata[0], sf, "vnet"));
    }
    return 0;
}

/* Is the request about a sub-function? */
bool
fakeSubfunctionKnows(struct nl_msg *request)
{
    struct nlattr *index = find(request, DEVLINK_ATTR_PORT_INDEX);

    if (genlmsg_hdr(nlmsg_hdr(request))->cmd == DEVLINK_CMD_PORT_NEW || (index && nla_get_u32(index) >= INDEX_FIRST))
        return true;
    return g_str_equal(nla_data(find(request, DEVLINK_ATTR_BUS_NAME)), "auxiliary");
}

int
fakeSubfunctionRequest(fakeHost *fake, struct nl_msg *request, struct nl_msg **ret_reply, char **ret_reason)
{
    int command = genlmsg_hdr(nlmsg_hdr(request))->cmd;
    const char *name = nla_data(find(request, DEVLINK_ATTR_DEV_NAME));
    struct nlattr *index = find(request, DEVLINK_ATTR_PORT_INDEX);

    if (command == fake->sfRefused) {
        *ret_reason = g_strdup(fake->extack);
        return -EOPNOTSUPP;
    }
    if (!index && command != DEVLINK_CMD_PORT_NEW)
        return aboutDevice(fake, command, name, request, ret_reply);
    if (command == DEVLINK_CMD_PORT_NEW)
        return addPort(fake, name, request, ret_reply);
    return aboutPort(fake, command, name, nla_get_u32(index) - INDEX_FIRST, request, ret_reply);
}

/* ---- looking ---- */

char *
fakeSubfunctionDump(fakeHost *fake, const char *pf)
{
    g_autoptr(GPtrArray) all = virtHostListDir(fake->host, NULL, "fake/sf/%s", pf);
    GString *text = g_string_new(NULL);

    for (guint i = 0; i < all->len; i++) {
        guint32 sf = (guint32)g_ascii_strtoull(all->pdata[i], NULL, 10);
        g_autofree char *mac = virtHostRead(fake->host, NULL, FILES "/mac", pf, sf);

        g_string_append_printf(text, "%u %s %s %s\n", sf, mac, number(fake, pf, sf, "active") ? "active" : "inactive",
                               number(fake, pf, sf, "attached") ? "attached" : "detached");
    }
    return g_string_free(text, FALSE);
}
