#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Gets L1's root ready for systemd, and becomes it. Debian's units are used as they are; masked is what a machine
# without disks, terminals and a network has no use for.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
units=/etc/systemd/system
mount -t tmpfs -o mode=755 run /run
echo l1 > /etc/hostname
echo 0123456789abcdef0123456789abcdef > /etc/machine-id

mask() { local unit; for unit; do ln -sf /dev/null "$units/$unit"; done; }
# udev would load drivers and name netdevs, which is for scenarios to do.
mask systemd-udevd.service systemd-udevd-{kernel,control,varlink}.socket systemd-udev-{trigger,reconcile}.service \
  systemd-udev-load-credentials.service systemd-hwdb-update.service
mask getty.target getty-static.service serial-getty@ttyS0.service autovt@.service systemd-ask-password-{console,wall}.path
mask modprobe@.service cron.service systemd-{modules-load,machine-id-commit}.service ldconfig.service
mask systemd-{timesyncd,networkd,network-generator,resolved,pstore,random-seed,update-utmp,firstboot,ldconfig}.service \
  systemd-{journal-flush,journal-catalog-update,update-done,binfmt,boot-update,tpm2-setup,tpm2-setup-early}.service \
  systemd-{networkd,userdbd,resolved-varlink,resolved-monitor}.socket systemd-pcr{extend,lock}.socket
mask sys-kernel-{config,tracing}.mount sys-fs-fuse-connections.mount proc-sys-fs-binfmt_misc.automount dev-hugepages.mount
mask e2scrub_reap.service e2scrub_all.timer apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer fstrim.timer \
  logrotate.timer systemd-tmpfiles-clean.timer remote-fs.target machines.target
# The stock daemon comes with the first one who calls its socket. Guests are nobody's business at boot and shutdown.
mask libvirt-guests.service
rm -f $units/multi-user.target.wants/{libvirtd,virt*d}.service

# AppArmor is enforced. Only libvirt's profiles: to compile the hundred others takes half a minute, and even these two take
# seconds, so what comes of it is kept from boot to boot.
find /etc/apparmor.d -maxdepth 1 -type f ! -name '*libvirt*' -delete
mkdir -p /lab/profiles; rm -rf /var/cache/apparmor; ln -s /lab/profiles /var/cache/apparmor

mkdir -p /etc/systemd/system.conf.d      # a busy machine is slow
printf '[Manager]\nDefaultTimeoutStartSec=15min\nDefaultTimeoutStopSec=15min\n' > /etc/systemd/system.conf.d/lab.conf

useradd -m -s /bin/bash -G libvirt member
useradd -m -s /bin/bash stranger

cat > $units/lab.service <<'E'
[Unit]
Description=Orders from the lab
Requires=multi-user.target
After=multi-user.target
[Service]
ExecStartPre=/bin/bash /lab/guest/install.sh
ExecStart=/bin/bash /lab/guest/agent.sh
KillMode=process
E
# Before anybody can call the daemon, which reads its configuration once.
. /lab/guest/libvirt.sh
INIT=systemd libvirt_configure
exec /usr/lib/systemd/systemd --unit=lab.service --show-status=no --log-target=journal
