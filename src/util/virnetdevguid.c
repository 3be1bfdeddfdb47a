/* virnetdevguid.c: the port GUID of a VF whose driver takes it through sysfs alone
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * mlx4 (ConnectX-3) knows no GUIDs in rtnetlink, and its InfiniBand ports do not even list their VFs there. Each VF
 * has a file a port instead, below the PF's InfiniBand device (drivers/infiniband/hw/mlx4/sysfs.c, Linux 6.12):
 *
 *     infiniband/mlx4_0/iov/ports/PORT/admin_guids/ENTRY
 *
 * PORT is dev_port + 1. Entry 0 is the PF itself, and what is written there is dropped; VF N is entry N + 1
 * (mlx4_get_slave_indx() in mlx4/cmd.c). It holds hexadecimal digits:
 *
 *     0                 the subnet manager is to choose; when it has, its choice stands here
 *     ffffffffffffffff  the VF has no GUID
 *     any other         what the VF's driver gets when it probes; at first mlx4 makes one up for each VF
 *
 * Each of these is written back as it was read. The kernel takes whatever is written, at any time. Ethernet ports
 * have such files too, where they mean nothing; the type of the PF's netdev tells.
 */
#include "util/virnetdevhostdevpriv.h"

#include <errno.h>

/* The file, relative to the host's root; NULL where the port has none. Caller frees. */
static char *
findFile(const virtNetdevTarget *at)
{
    g_autofree char *dir = NULL;
    g_autoptr(GPtrArray) devices = NULL;

    if (!at->port->infiniband)
        return NULL;
    dir = g_strdup_printf("sys/bus/pci/devices/%s/infiniband", at->vf->pfName);
    devices = virtHostListDir(at->host, NULL, "%s", dir);
    for (guint i = 0; devices && i < devices->len; i++) {
        const char *device = devices->pdata[i];
        g_autofree char *file =
            g_strdup_printf("%s/%s/iov/ports/%u/admin_guids/%u", dir, device, at->port->port, at->vf->index + 1);
        g_autofree char *path = virtHostPath(at->host, "%s", file);

        if (g_file_test(path, G_FILE_TEST_EXISTS))
            return g_steal_pointer(&file);
    }
    return NULL;
}

/* Read the port GUID of @vf from sysfs into @netdev. False, with @netdev untouched, where it is not there. */
bool
virtNetdevGuidRead(const virtNetdevTarget *at, virtNetdev *netdev)
{
    guint64 guid;
    g_autofree char *file = findFile(at);
    g_autofree char *text = NULL;

    if (!file)
        return false;
    text = virtHostRead(at->host, NULL, "%s", file);
    if (!text || !g_ascii_string_to_unsigned(text, 16, 0, G_MAXUINT64, &guid, NULL))
        return false;
    netdev->portGuid = guid;
    netdev->present |= VIRT_NETDEV_BIT(VIRT_NETDEV_PORT_GUID);
    return true;
}

/* Write netdev's port GUID through sysfs. Returns 0, -ENOENT where @vf has no such file, or another -errno. */
int
virtNetdevGuidWrite(const virtNetdevTarget *at, const virtNetdev *netdev)
{
    g_autofree char *file = findFile(at);
    g_autofree char *text = g_strdup_printf("%016" G_GINT64_MODIFIER "x", netdev->portGuid);

    if (!file)
        return -ENOENT;
    return virtHostTryWrite(at->host, text, "%s", file);
}
