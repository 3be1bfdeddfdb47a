/* fakevdpa.c: see fakevdpa.h
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "fakevdpa.h"

#include <errno.h>
#include <linux/vdpa.h>
#include <netlink/attr.h>
#include <netlink/genl/genl.h>
#include <netlink/msg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PARENTS "fake/vdpa" /* a directory each, '/' in its name as '!' */
#define BUS "sys/bus/vdpa"
#define DEVICE BUS "/devices/%s"
#define NET (G_GUINT64_CONSTANT(1) << 1)
#define F_MTU (G_GUINT64_CONSTANT(1) << 3)
#define F_MAC (G_GUINT64_CONSTANT(1) << 5)
#define F_MQ (G_GUINT64_CONSTANT(1) << 22)
#define CMD_DEV_ATTR_SET 8
#define ATTR_OLD_FEATURES 21

/* A number of a parent or a device, in a file. */
static guint64
number(fakeHost *fake, const char *dir, const char *name, const char *key)
{
    g_autofree char *text = virtHostRead(fake->host, NULL, "%s/%s/%s", dir, name, key);

    return text ? g_ascii_strtoull(text, NULL, 0) : 0;
}

static void
setNumber(fakeHost *fake, const char *dir, const char *name, const char *key, guint64 value)
{
    g_autofree char *text = g_strdup_printf("%" G_GUINT64_FORMAT "\n", value);

    fakeHostFile(fake, text, "%s/%s/%s", dir, name, key);
}

static char *
escapeName(const char *name)
{
    return g_strdelimit(g_strdup(name), "/", '!');
}

void
fakeVdpaAddParent(fakeHost *fake, const char *name, guint64 classes, guint queues, guint64 features, guint64 takes)
{
    g_autofree char *dir = escapeName(name);
    g_autofree char *proc = virtHostPath(fake->host, "proc");

    setNumber(fake, PARENTS, dir, "classes", classes);
    setNumber(fake, PARENTS, dir, "queues", queues);
    setNumber(fake, PARENTS, dir, "features", features);
    setNumber(fake, PARENTS, dir, "takes", takes);
    fakeHostFile(fake, "", BUS "/drivers_probe");
    g_assert_cmpint(g_mkdir_with_parents(proc, 0755), ==, 0);
}

void
fakeVdpaLoad(fakeHost *fake, const char *driver)
{
    fakeHostFile(fake, "", BUS "/drivers/%s/unbind", driver);
    if (!number(fake, "fake", "", "loaded"))
        fakeHostFile(fake, driver, "fake/first");
    setNumber(fake, "fake", "", "loaded", 1);
}

/* ---- the bus ---- */

static void
link_(fakeHost *fake, const char *target, const char *path)
{
    g_autofree char *whole = virtHostPath(fake->host, "%s", path);
    g_autofree char *dir = g_path_get_dirname(whole);

    g_assert_cmpint(g_mkdir_with_parents(dir, 0755), ==, 0);
    unlink(whole);
    if (target)
        g_assert_cmpint(symlink(target, whole), ==, 0);
}

/* The lowest number that no node has. */
static guint
freeNode(fakeHost *fake)
{
    for (guint n = 0;; n++) {
        g_autofree char *path = virtHostPath(fake->host, "dev/vhost-vdpa-%u", n);

        if (access(path, F_OK) < 0)
            return n;
    }
}

static void
unbindDevice(fakeHost *fake, const char *name)
{
    g_autoptr(GPtrArray) files = virtHostListDir(fake->host, NULL, DEVICE, name);
    g_autofree char *driver = g_strdup_printf(DEVICE "/driver", name);

    link_(fake, NULL, driver);
    for (guint i = 0; i < files->len; i++) {
        g_autofree char *node = virtHostPath(fake->host, "dev/%s", (const char *)files->pdata[i]);
        g_autofree char *dir = virtHostPath(fake->host, DEVICE "/%s", name, (const char *)files->pdata[i]);

        if (!g_str_has_prefix(files->pdata[i], "vhost-vdpa-"))
            continue;
        g_assert_cmpint(unlink(node), ==, 0);
        g_assert_cmpint(rmdir(dir), ==, 0);
    }
}

static void
bindDevice(fakeHost *fake, const char *name, const char *driver)
{
    g_autofree char *target = g_strdup_printf("../../bus/vdpa/drivers/%s", driver);
    g_autofree char *path = g_strdup_printf(DEVICE "/driver", name);
    guint n = freeNode(fake);

    link_(fake, target, path);
    if (!g_str_equal(driver, "vhost_vdpa") || fake->vdpaNoNode)
        return;
    fakeHostFile(fake, "", "dev/vhost-vdpa-%u", n);
    fakeHostFile(fake, "", DEVICE "/vhost-vdpa-%u/x", name, n);
    fakeHostFile(fake, NULL, DEVICE "/vhost-vdpa-%u/x", name, n);
}

int
fakeVdpaWritten(fakeHost *fake, const char *path, const char *text)
{
    g_autofree char *device = virtHostPath(fake->host, DEVICE, text);

    if (access(device, F_OK) < 0)
        return 0; /* half of a name, or another file's text */
    if (g_str_has_suffix(path, BUS "/drivers_probe")) {
        g_autofree char *driver = virtHostRead(fake->host, NULL, DEVICE "/driver_override", text);

        if (driver && *driver)
            bindDevice(fake, text, driver);
    } else if (strstr(path, BUS "/drivers/") && g_str_has_suffix(path, "/unbind")) {
        unbindDevice(fake, text);
    }
    return 0;
}

/* ---- devices ---- */

static bool
exists(fakeHost *fake, const char *name)
{
    g_autofree char *path = virtHostPath(fake->host, DEVICE, name);

    return access(path, F_OK) == 0;
}

/* @attrs: by number, what is given; NULL: nothing */
static void
makeDevice(fakeHost *fake, const char *parent, const char *name, struct nlattr **attrs)
{
    g_autofree char *dir = escapeName(parent), *target = g_strdup_printf("../../../devices/vdpa/%s", name);
    g_autofree char *first = virtHostRead(fake->host, NULL, "fake/first");
    g_autofree char *path = g_strdup_printf(DEVICE, name);
    guint64 classes = number(fake, PARENTS, dir, "classes"), features = number(fake, PARENTS, dir, "features");
    guint64 pairs = 1;

    if (attrs && attrs[VDPA_ATTR_DEV_NET_CFG_MAX_VQP])
        pairs = nla_get_u16(attrs[VDPA_ATTR_DEV_NET_CFG_MAX_VQP]);
    if (pairs == 1)
        features &= ~F_MQ;
    if (attrs && attrs[VDPA_ATTR_DEV_FEATURES])
        features = nla_get_u64(attrs[VDPA_ATTR_DEV_FEATURES]);
    fakeHostFile(fake, parent, "sys/devices/vdpa/%s/parent", name);
    fakeHostFile(fake, "", "sys/devices/vdpa/%s/driver_override", name);
    link_(fake, target, path);
    setNumber(fake, "sys/devices/vdpa", name, "id", classes & NET ? 1 : 2);
    setNumber(fake, "sys/devices/vdpa", name, "features", features);
    setNumber(fake, "sys/devices/vdpa", name, "pairs", pairs);
    setNumber(fake, "sys/devices/vdpa", name, "mtu", 1500);
    fakeHostFile(fake, "02:00:00:00:00:0a", "sys/devices/vdpa/%s/mac", name);
    if (attrs && attrs[VDPA_ATTR_DEV_NET_CFG_MTU])
        setNumber(fake, "sys/devices/vdpa", name, "mtu", nla_get_u16(attrs[VDPA_ATTR_DEV_NET_CFG_MTU]));
    if (attrs && attrs[VDPA_ATTR_DEV_NET_CFG_MACADDR] && !fake->vdpaDeaf) {
        char mac[18];

        virtMacFormat(nla_data(attrs[VDPA_ATTR_DEV_NET_CFG_MACADDR]), mac);
        fakeHostFile(fake, mac, "sys/devices/vdpa/%s/mac", name);
    }
    if (first)
        bindDevice(fake, name, first);
}

void
fakeVdpaMake(fakeHost *fake, const char *parent, const char *name, const char *mac)
{
    makeDevice(fake, parent, name, NULL);
    if (mac)
        fakeVdpaSetMac(fake, name, mac);
}

void
fakeVdpaSetMac(fakeHost *fake, const char *name, const char *mac)
{
    fakeHostFile(fake, mac, "sys/devices/vdpa/%s/mac", name);
}

void
fakeVdpaRemove(fakeHost *fake, const char *name)
{
    static const char *const files[] = {"parent", "driver_override", "id", "features", "pairs", "mtu", "mac"};
    g_autofree char *path = g_strdup_printf(DEVICE, name), *dir = virtHostPath(fake->host, "sys/devices/vdpa/%s", name);

    unbindDevice(fake, name);
    for (guint i = 0; i < G_N_ELEMENTS(files); i++)
        fakeHostFile(fake, NULL, "sys/devices/vdpa/%s/%s", name, files[i]);
    g_assert_cmpint(rmdir(dir), ==, 0);
    link_(fake, NULL, path);
}

void
fakeVdpaHold(fakeHost *fake, const char *name, guint pid)
{
    g_autoptr(GPtrArray) files = virtHostListDir(fake->host, NULL, DEVICE, name);
    g_autofree char *path = g_strdup_printf("proc/%u/fd/7", pid);

    fakeHostFile(fake, "qemu-system-x86\n", "proc/%u/comm", pid);
    for (guint i = 0; i < files->len; i++) {
        g_autofree char *node = g_strdup_printf("/dev/%s", (const char *)files->pdata[i]);

        if (g_str_has_prefix(files->pdata[i], "vhost-vdpa-"))
            link_(fake, node, path);
    }
}

/* ---- netlink ---- */

static struct nl_msg *
newReply(guint8 command)
{
    struct nl_msg *reply = nlmsg_alloc();

    genlmsg_put(reply, 0, 0, 0, 0, 0, command, VDPA_GENL_VERSION);
    return reply;
}

static void
putParent(struct nl_msg *reply, const char *name)
{
    g_auto(GStrv) parts = g_strsplit(name, "/", 2);

    if (parts[1])
        nla_put_string(reply, VDPA_ATTR_MGMTDEV_BUS_NAME, parts[0]);
    nla_put_string(reply, VDPA_ATTR_MGMTDEV_DEV_NAME, parts[1] ? parts[1] : parts[0]);
}

static struct nl_msg *
newDevice(fakeHost *fake, const char *name)
{
    struct nl_msg *reply = newReply(VDPA_CMD_DEV_NEW);
    g_autofree char *parent = virtHostRead(fake->host, NULL, "sys/devices/vdpa/%s/parent", name);
    guint32 id = (guint32)number(fake, "sys/devices/vdpa", name, "id");

    if (*parent)
        putParent(reply, parent);
    nla_put_string(reply, VDPA_ATTR_DEV_NAME, name);
    nla_put_u32(reply, VDPA_ATTR_DEV_ID, id);
    nla_put_u32(reply, VDPA_ATTR_DEV_MAX_VQS,
                id == 1 ? 2 * (guint32)number(fake, "sys/devices/vdpa", name, "pairs") + 1 : 1);
    return reply;
}

static struct nl_msg *
newConfig(fakeHost *fake, const char *name)
{
    struct nl_msg *reply = newReply(VDPA_CMD_DEV_CONFIG_GET);
    g_autofree char *text = virtHostRead(fake->host, NULL, "sys/devices/vdpa/%s/mac", name);
    guint64 features = number(fake, "sys/devices/vdpa", name, "features");
    guint8 mac[6];

    nla_put_string(reply, VDPA_ATTR_DEV_NAME, name);
    nla_put_u64(reply, fake->vdpaOld ? ATTR_OLD_FEATURES : VDPA_ATTR_DEV_FEATURES, features);
    if (number(fake, "sys/devices/vdpa", name, "id") != 1)
        return reply;
    g_assert_true(virtMacParse(text, mac));
    if (features & F_MAC)
        nla_put(reply, VDPA_ATTR_DEV_NET_CFG_MACADDR, sizeof(mac), mac);
    if (features & F_MTU)
        nla_put_u16(reply, VDPA_ATTR_DEV_NET_CFG_MTU, (guint16)number(fake, "sys/devices/vdpa", name, "mtu"));
    if (features & F_MQ)
        nla_put_u16(reply, VDPA_ATTR_DEV_NET_CFG_MAX_VQP, (guint16)number(fake, "sys/devices/vdpa", name, "pairs"));
    return reply;
}

static struct nl_msg *
newStats(guint32 queue)
{
    static const char *const names[] = {"rx packets", "tx packets"};
    struct nl_msg *reply = newReply(VDPA_CMD_DEV_VSTATS_GET);

    nla_put_u32(reply, VDPA_ATTR_DEV_QUEUE_INDEX, queue);
    if (queue < G_N_ELEMENTS(names)) {
        nla_put_string(reply, VDPA_ATTR_DEV_VENDOR_ATTR_NAME, names[queue]);
        nla_put_u64(reply, VDPA_ATTR_DEV_VENDOR_ATTR_VALUE, 40 + queue);
    }
    return reply;
}

static int
make(fakeHost *fake, const char *name, struct nlattr **attrs, char **ret_reason)
{
    const char *bus = attrs[VDPA_ATTR_MGMTDEV_BUS_NAME] ? nla_data(attrs[VDPA_ATTR_MGMTDEV_BUS_NAME]) : NULL;
    const char *at = nla_data(attrs[VDPA_ATTR_MGMTDEV_DEV_NAME]);
    g_autofree char *parent = bus ? g_strdup_printf("%s/%s", bus, at) : g_strdup(at);
    g_autofree char *dir = escapeName(parent), *path = virtHostPath(fake->host, PARENTS "/%s", dir);
    static const int given[] = {VDPA_ATTR_DEV_NET_CFG_MACADDR, VDPA_ATTR_DEV_NET_CFG_MAX_VQP, VDPA_ATTR_DEV_NET_CFG_MTU,
                                VDPA_ATTR_DEV_FEATURES};
    guint64 refused = 0;

    if (fake->vdpaRace)
        fake->vdpaRace(fake, name);
    if (access(path, F_OK) < 0)
        return -ENODEV;
    if (exists(fake, name))
        return -EEXIST;
    for (guint i = 0; i < G_N_ELEMENTS(given); i++) {
        if (attrs[given[i]])
            refused |= G_GUINT64_CONSTANT(1) << given[i];
    }
    refused &= ~number(fake, PARENTS, dir, "takes");
    if (refused && fake->vdpaOld)
        *ret_reason = g_strdup("All provided attributes are not supported");
    else if (refused)
        *ret_reason = g_strdup_printf("Some provided attributes are not supported: 0x%" G_GINT64_MODIFIER "x", refused);
    if (refused)
        return -EOPNOTSUPP;
    if (fake->vdpaMakeErrno)
        return -fake->vdpaMakeErrno;
    makeDevice(fake, parent, name, attrs);
    return 0;
}

static int delete (fakeHost *fake, const char *name)
{
    if (fake->vdpaDeleteErrno)
        return -fake->vdpaDeleteErrno;
    fakeVdpaRemove(fake, name);
    return 0;
}

static int
setMac(fakeHost *fake, const char *name, struct nlattr *mac)
{
    char text[18];

    if (fake->vdpaOld)
        return -EOPNOTSUPP;
    virtMacFormat(nla_data(mac), text);
    if (!fake->vdpaDeaf)
        fakeVdpaSetMac(fake, name, text);
    return 0;
}

int
fakeVdpaRequest(fakeHost *fake, struct nl_msg *request, struct nl_msg **ret_reply, char **ret_reason)
{
    struct nlattr *attrs[ATTR_OLD_FEATURES + 1];
    int command = genlmsg_hdr(nlmsg_hdr(request))->cmd;
    const char *name;

    g_assert_cmpint(genlmsg_parse(nlmsg_hdr(request), 0, attrs, ATTR_OLD_FEATURES, NULL), ==, 0);
    g_assert_nonnull(attrs[VDPA_ATTR_DEV_NAME]);
    name = nla_data(attrs[VDPA_ATTR_DEV_NAME]);
    fake->vdpaAsked++;
    if (fake->vdpaErrno)
        return -fake->vdpaErrno;
    if (command == VDPA_CMD_DEV_NEW)
        return make(fake, name, attrs, ret_reason);
    if (!exists(fake, name)) {
        *ret_reason = g_strdup("device not found");
        return -ENODEV;
    }
    switch (command) {
    case VDPA_CMD_DEV_GET:
        *ret_reply = newDevice(fake, name);
        return 0;
    case VDPA_CMD_DEV_CONFIG_GET:
        *ret_reply = newConfig(fake, name);
        return 0;
    case VDPA_CMD_DEV_VSTATS_GET:
        if (fake->vdpaStatsErrno)
            return -fake->vdpaStatsErrno;
        *ret_reply = newStats(nla_get_u32(attrs[VDPA_ATTR_DEV_QUEUE_INDEX]));
        return 0;
    case VDPA_CMD_DEV_DEL:
        return delete (fake, name);
    case CMD_DEV_ATTR_SET:
        return setMac(fake, name, attrs[VDPA_ATTR_DEV_NET_CFG_MACADDR]);
    default:
        g_assert_not_reached();
    }
}

static struct nl_msg *
newParent(fakeHost *fake, const char *dir)
{
    struct nl_msg *reply = newReply(VDPA_CMD_MGMTDEV_NEW);
    g_autofree char *name = g_strdelimit(g_strdup(dir), "!", '/');

    putParent(reply, name);
    nla_put_u64(reply, VDPA_ATTR_MGMTDEV_SUPPORTED_CLASSES, number(fake, PARENTS, dir, "classes"));
    nla_put_u32(reply, VDPA_ATTR_DEV_MGMTDEV_MAX_VQS, (guint32)number(fake, PARENTS, dir, "queues"));
    nla_put_u64(reply, VDPA_ATTR_DEV_SUPPORTED_FEATURES, number(fake, PARENTS, dir, "features"));
    return reply;
}

int
fakeVdpaList(fakeHost *fake, struct nl_msg *request, GPtrArray *replies)
{
    bool parents = genlmsg_hdr(nlmsg_hdr(request))->cmd == VDPA_CMD_MGMTDEV_GET;
    g_autoptr(GPtrArray) names = virtHostListDir(fake->host, NULL, parents ? PARENTS : BUS "/devices");

    fake->vdpaAsked++;
    if (fake->vdpaErrno)
        return -fake->vdpaErrno;
    for (guint i = 0; i < names->len; i++)
        g_ptr_array_add(replies, parents ? newParent(fake, names->pdata[i]) : newDevice(fake, names->pdata[i]));
    return 0;
}

/* ---- looking ---- */

char *
fakeVdpaDump(fakeHost *fake)
{
    static const char *const files[] = {"parent", "mac", "pairs", "mtu", "features"};
    g_autoptr(GPtrArray) names = virtHostListDir(fake->host, NULL, BUS "/devices");
    g_autoptr(GPtrArray) links = virtHostListDir(fake->host, NULL, "run/libvirt-hostdev/vdpa");
    GString *text = g_string_new(NULL);

    for (guint i = 0; i < names->len; i++) {
        g_autofree char *driver = virtHostReadLink(fake->host, NULL, DEVICE "/driver", (const char *)names->pdata[i]);

        g_string_append_printf(text, "%s", (const char *)names->pdata[i]);
        for (guint n = 0; n < G_N_ELEMENTS(files); n++) {
            g_autofree char *value =
                virtHostRead(fake->host, NULL, DEVICE "/%s", (const char *)names->pdata[i], files[n]);

            g_string_append_printf(text, " %s", value);
        }
        g_string_append_printf(text, " %s\n", driver ? driver : "-");
    }
    for (guint i = 0; i < links->len; i++) {
        g_autofree char *to =
            virtHostReadLink(fake->host, NULL, "run/libvirt-hostdev/vdpa/%s", (const char *)links->pdata[i]);

        g_string_append_printf(text, "%s -> %s\n", (const char *)links->pdata[i], to);
    }
    return g_string_free(text, FALSE);
}
