/* count.c: VFs of a made-up host, set and put back, for callgrind to count: see README.md
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 *   count VFS    prepare and release so many of one port, with the attributes that vf.c sets
 *   count vdpa   make and delete a vDPA device
 *
 * `instructions` counts what is in countPrepare() and countRelease(), without what is the kernel: fakeKernelRequest(),
 * and for a vDPA device fakeVdpaRequest(), fakeVdpaList() and fakeMdevWrite().
 */
#include <linux/if_ether.h>
#include <string.h>

#include "conf/vdpa_conf.h"
#include "fakevdpa.h"
#include "hypervisor/provision.h"

#define PF "0000:01:00.0"
#define UUID "11111111-2222-3333-4444-555555555555"

static GPtrArray *
wantedOf(fakeHost *fake, guint vfs)
{
    GPtrArray *list = g_ptr_array_new_with_free_func((GDestroyNotify)virtHostdevFree);

    for (guint vf = 0; vf < vfs; vf++) {
        virtHostdev *hostdev = g_new0(virtHostdev, 1);
        virtNetdev *netdev = virtNetdevNew(1);
        const guint8 mac[6] = {0x52, 0x54, 0, 0, 0, (guint8)vf};

        g_assert_true(virtHandleParse(fakeHostVFAddress(fake, PF, vf), &hostdev->handle, NULL));
        memcpy(netdev->mac, mac, sizeof(mac));
        netdev->vlan.id = 42;
        netdev->vlan.priority = 3;
        netdev->vlan.protocol = ETH_P_8021Q;
        netdev->trust = 1;
        virtNetdevSetRate(netdev, 1000, 0);
        netdev->present = VIRT_NETDEV_BIT(VIRT_NETDEV_MAC) | VIRT_NETDEV_BIT(VIRT_NETDEV_VLAN) |
                          VIRT_NETDEV_BIT(VIRT_NETDEV_BANDWIDTH) | VIRT_NETDEV_BIT(VIRT_NETDEV_SPOOFCHECK) |
                          VIRT_NETDEV_BIT(VIRT_NETDEV_TRUST);
        virtSettingsInit(&hostdev->settings);
        g_ptr_array_add(VIRT_NETDEVS(hostdev), netdev);
        g_ptr_array_add(list, hostdev);
    }
    return list;
}

static GPtrArray *
wantedVdpa(fakeHost *fake)
{
    GPtrArray *list = g_ptr_array_new_with_free_func((GDestroyNotify)virtHostdevFree);
    virtHostdev *hostdev = g_new0(virtHostdev, 1);
    virtVdpa *vdpa = virtSettingNew(&virtVdpaInfo, 0);

    fakeVdpaAddParent(fake, "vdpasim_net", 1 << VIRT_VDPA_NET, 3, 0x300020028, 1 << 10);
    fakeVdpaLoad(fake, "vhost_vdpa");
    g_assert_true(virtHandleParse("vdpa/blue", &hostdev->handle, NULL));
    g_strlcpy(vdpa->made.parent, "vdpasim_net", sizeof(vdpa->made.parent));
    vdpa->made.id = VIRT_VDPA_NET;
    g_assert_true(virtMacParse("52:54:00:01:02:05", vdpa->mac));
    vdpa->setting.present = VIRT_SETTING_BIT(VIRT_VDPA_DEVICE) | VIRT_SETTING_BIT(VIRT_VDPA_MAC);
    virtSettingsInit(&hostdev->settings);
    g_ptr_array_add(hostdev->settings.of[VIRT_SETTING_VDPA], vdpa);
    g_ptr_array_add(list, hostdev);
    return list;
}

static void __attribute__((noinline)) countPrepare(fakeHost *fake, const virtOwner *owner, const GPtrArray *wanted)
{
    g_autoptr(GError) error = NULL;

    virtProvisionPrepare(fake->host, owner, wanted, &error);
    g_assert_no_error(error);
}

static void __attribute__((noinline)) countRelease(fakeHost *fake, const virtOwner *owner)
{
    g_autoptr(GError) error = NULL;

    virtProvisionRelease(fake->host, owner, NULL, VIRT_RESTORE_RELEASED, &error);
    g_assert_no_error(error);
}

int
main(int argc, char **argv)
{
    bool vdpa = argc == 2 && g_str_equal(argv[1], "vdpa");
    guint vfs = argc == 2 ? (guint)g_ascii_strtoull(argv[1], NULL, 10) : 0;
    g_autoptr(fakeHost) fake = fakeHostNew();
    g_autoptr(virtOwner) owner = virtOwnerNew("vm", UUID);
    g_autoptr(GPtrArray) wanted = NULL;

    if (vdpa) {
        wanted = wantedVdpa(fake);
    } else {
        g_assert_cmpuint(vfs, >, 0);
        fakeHostAddPF(fake, PF, 1, vfs, "igb");
        wanted = wantedOf(fake, vfs);
    }
    countPrepare(fake, owner, wanted);
    countRelease(fake, owner);
    return 0;
}
