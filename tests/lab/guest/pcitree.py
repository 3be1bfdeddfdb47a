#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
# pcitree.py ROOT IFNAME VFS: makes a sysfs below ROOT in which IFNAME is the netdev of a PF with VFS VFs, for VFs that
# are no PCI devices. The PF is 0000:10:00.1, VF N is N after 0000:10:10.0, and IFNAME's own files are the real ones.
import os
import sys

root, ifname, vfs = sys.argv[1], sys.argv[2], int(sys.argv[3])
PF = "0000:10:00.1"                                  # netdevsim calls its only port p1: that is a second function's


def link(target, *path):
    path = os.path.join(root, "sys/bus/pci/devices", *path)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    os.symlink(target, path)


def address(vf):
    routing_id = 0x1080 + vf
    return f"0000:{routing_id >> 8:02x}:{routing_id >> 3 & 0x1f:02x}.{routing_id & 7}"


link(f"/sys/class/net/{ifname}", PF, "net", ifname)
link("../../drivers/netdevsim", PF, "driver")
for name in "sriov_totalvfs", "sriov_numvfs":
    with open(os.path.join(root, "sys/bus/pci/devices", PF, name), "w") as file:
        file.write(f"{vfs}\n")
for vf in range(vfs):
    link(f"../{address(vf)}", PF, f"virtfn{vf}")
    link(f"../{PF}", address(vf), "physfn")
