#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The first program in L1's root. In the plain flavour it stays PID 1, as agent.sh, and nothing runs in L1 unasked.
! grep -qw lab.init=systemd /proc/cmdline || exec /bin/bash /lab/guest/systemd.sh

export PATH=/usr/sbin:/usr/bin:/sbin:/bin
mount -t tmpfs -o mode=755 run /run; mount -t tmpfs tmp /tmp
mkdir -p /run/lock /dev/pts /dev/shm; ln -s /proc/self/fd /dev/fd
mount -t devpts pts /dev/pts; mount -t tmpfs shm /dev/shm
mount -t cgroup2 cgroup /sys/fs/cgroup; mount -t debugfs debug /sys/kernel/debug
echo l1 > /proc/sys/kernel/hostname; ip link set lo up
echo 0123456789abcdef0123456789abcdef > /etc/machine-id
bash /lab/guest/install.sh
exec /bin/bash /lab/guest/agent.sh
