#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# L1's initramfs: the root comes over 9p, read-only, under a tmpfs, so that every boot finds it as it was built
export PATH=/bin
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev
while read -r module; do insmod "/lib/$module"; done < /lib/order

share() { mount -t 9p -o "trans=virtio,version=9p2000.L,msize=524288,$3" "$1" "$2" || { echo "LAB: no $1"; poweroff -f; }; }
mkdir /lower /upper /new
share root /lower ro,cache=loose
mount -t tmpfs -o mode=755 upper /upper; mkdir /upper/files /upper/work
mount -t overlay -o lowerdir=/lower,upperdir=/upper/files,workdir=/upper/work root /new
mkdir -p /new/lab /new/usr/lib/modules
# not cached: a module that was built again is found without a reboot
share modules /new/usr/lib/modules ro,cache=none
share share /new/lab cache=none
for d in proc sys dev; do mount --move /$d /new/$d; done
exec switch_root /new /bin/bash /lab/guest/init.sh
