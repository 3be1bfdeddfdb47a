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
findFile(virtHost *host, const virtVF *vf, const virtPort *port)
{
    g_autofree char *dir = NULL;
    g_autoptr(GPtrArray) devices = NULL;

    if (!port->infiniband)
        return NULL;
    dir = g_strdup_printf("sys/bus/pci/devices/%s/infiniband", vf->pfName);
    devices = virtHostListDir(host, NULL, "%s", dir);
    for (guint i = 0; devices && i < devices->len; i++) {
        const char *device = devices->pdata[i];
        g_autofree char *file =
            g_strdup_printf("%s/%s/iov/ports/%u/admin_guids/%u", dir, device, port->port, vf->index + 1);
        g_autofree char *path = virtHostPath(host, "%s", file);

        if (g_file_test(path, G_FILE_TEST_EXISTS))
            return g_steal_pointer(&file);
    }
    return NULL;
}

/* Read the port GUID of @vf from sysfs into @netdev. False, with @netdev untouched, where it is not there. */
bool
virtNetdevGuidRead(virtHost *host, const virtVF *vf, const virtPort *port, virtNetdev *netdev)
{
    guint64 guid;
    g_autofree char *file = findFile(host, vf, port);
    g_autofree char *text = file ? virtHostRead(host, NULL, "%s", file) : NULL;

    if (!text || !g_ascii_string_to_unsigned(text, 16, 0, G_MAXUINT64, &guid, NULL))
        return false;
    netdev->portGuid = guid;
    netdev->present |= VIRT_NETDEV_BIT(VIRT_NETDEV_PORT_GUID);
    return true;
}

/* Write netdev's port GUID through sysfs. Returns 0, -ENOENT where @vf has no such file, or another -errno. */
int
virtNetdevGuidWrite(virtHost *host, const virtVF *vf, const virtPort *port, const virtNetdev *netdev)
{
    g_autofree char *file = findFile(host, vf, port);
    g_autofree char *text = g_strdup_printf("%016" G_GINT64_MODIFIER "x", netdev->portGuid);

    return file ? virtHostTryWrite(host, text, "%s", file) : -ENOENT;
}
