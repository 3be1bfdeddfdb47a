# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# Mediated devices that are defined on the host, by mdevctl and by libvirt through it: an empty <mdev> means those, and
# "define --persist" defines them.
# suites: none
# tree: clients
. /lab/guest/lib.sh
. /lab/guest/mdevs.sh
. /lab/guest/clients.sh

one=c5f5e1a2-7a57-4b5e-8c5b-0d5a3d6f2a11 two=d5f5e1a2-7a57-4b5e-8c5b-0d5a3d6f2a11
# What a machine with mdevctl has, and a plain L1 has not: udev, and /dev/stdin, from which mdevctl reads what libvirt says
tree_up
cp "$CLIENTS/lower/usr/bin/mdevctl" /usr/bin/; ln -sf ../bin/mdevctl /usr/sbin/mdevctl
mkdir -p /etc/mdevctl.d /usr/lib/mdevctl/scripts.d/{callouts,notifiers}
ln -sfn /proc/self/fd /dev/fd; ln -sfn fd/0 /dev/stdin
/usr/lib/systemd/systemd-udevd --daemon
mdevs_up
before=$(mdevs)
udevadm settle
libvirt_up

step "defined by libvirt"
cat > node.xml <<X
<device><parent>mtty_mtty</parent><capability type='mdev'><type id='mtty-2'/><uuid>$one</uuid></capability></device>
X
ok "virsh nodedev-define" virsh -q nodedev-define node.xml
domain first "$(mdev_hostdev "$one" '<mdev/>')" > first.xml
like "plan" "$(virt-hostdev plan first.xml | tr -s ' ')" "$one 0 type none mtty-2 on mtty \(12 free\) yes"
ok "define" virt-hostdev define first.xml
ok "start" virsh -q start first
like "it was made as it is defined" "$(mdevs)" "^mtty-2: 11 free; $one"
like "mdevctl lists it" "$(mdevctl list)" "$one mtty mtty-2"
ok "destroy" virsh -q destroy first
is "all is as before" "$(mdevs)" "$before"
like "it is still defined" "$(mdevctl list --defined)" "$one mtty mtty-2 manual"
ok "somebody starts it" mdevctl start --uuid "$one"
there=$(mdevs)
ok "it is used" virsh -q start first
ok "destroy" virsh -q destroy first
is "it stays" "$(mdevs)" "$there"
ok "it is stopped" mdevctl stop --uuid "$one"
is "all is as before" "$(mdevs)" "$before"
ok "it is undefined" mdevctl undefine --uuid "$one"
not_ok "then it is not made" "it is not defined" virsh start first

step "defined with the domain"
domain second "$(mdev "$two")" > second.xml
ok "define --persist" virt-hostdev define --persist second.xml
like "mdevctl lists it" "$(mdevctl list --defined)" "$two mtty mtty-1 manual"
like "libvirt, too" "$(virsh nodedev-list --cap mdev --inactive)" "mdev_${two//-/_}"
ok "start" virsh -q start second
ok "the device is there" has_device "$two"
ok "destroy" virsh -q destroy second
is "all is as before" "$(mdevs)" "$before"
ok "mdevctl's own definition" mdevctl define --uuid "$one" --parent mtty --type mtty-1
ok "start" virsh -q start first
like "it was made as it is defined" "$(mdevs)" "^mtty-1: 23 free; $one"
ok "destroy" virsh -q destroy first
is "all is as before" "$(mdevs)" "$before"
pkill -x systemd-udevd
