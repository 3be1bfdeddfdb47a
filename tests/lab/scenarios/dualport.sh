# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# suites: bookworm
# The main job: a domain with two netdevs on one VF starts with both set, and however it ends, every attribute of
# every VF on every port, and the VFs' own netdevs, are what they were.
. /lab/guest/lib.sh

log=/sys/kernel/debug/dualport/$PF2/log
devices() {
  hostdev "$1" "$(netdev_xml 1 52:54:00:aa:00:01 42)$(netdev_xml 2 52:54:00:aa:00:02 43)"
}
same() { [[ $(snapshot_vfs) = "$before" ]]; }
# restored TEXT: everything is as before and nothing is remembered
restored() {
  waitfor 20 same || true
  is "$1: everything as before" "$(snapshot_vfs)" "$before"
  is "$1: nothing remembered" "$(find /run/libvirt-hostdev -type f ! -name '*.lock' -printf '%f ')" ""
}
set_on() { # set_on TEXT: both ports of the VF say what the domain wants
  is "$1: MAC on port 1" "$(vfget "$PF2" 0 address 1)" '"52:54:00:aa:00:01"'
  is "$1: VLAN on port 1" "$(vfget "$PF2" 0 'vlan_list[0].vlan' 1)" 42
  is "$1: MAC on port 2" "$(vfget "$PF2" 0 address 2)" '"52:54:00:aa:00:02"'
  is "$1: VLAN on port 2" "$(vfget "$PF2" 0 'vlan_list[0].vlan' 2)" 43
}
# another_hook EXIT-CODE-AT-PREPARE: a hook of somebody else that runs after ours
another_hook() {
  printf '#!/bin/sh\n[ "$2" != prepare ] || { %s; }\nexit 0\n' "$1" > /etc/libvirt/hooks/qemu.d/60-other
  chmod +x /etc/libvirt/hooks/qemu.d/60-other
}

step "a PF of two ports; VF 0 has admin settings of its own, VF 1 has none"
dualport_up "$PF2" 2
vf=$(vfaddr "$PF2" 0)
ip link set "$(netdev "$PF2" 1)" vf 0 mac 52:54:00:00:00:11
ip link set "$(netdev "$PF2" 2)" vf 0 mac 52:54:00:00:00:12
ip link set "$(netdev "$PF2" 2)" vf 0 vlan 7 qos 5
ip link set "$(netdev "$PF2" 1)" vf 0 max_tx_rate 500
rebind "$vf"
before=$(snapshot_vfs)
libvirt_up

step "define, show, start, destroy"
domain dual "$(devices "$vf")" > dual.xml
ok "define" virt-hostdev define dual.xml
is "stock libvirt keeps a plain hostdev" "$(virsh dumpxml dual | grep -cE '<(hostdev|netdev) ')" 1
is "dumpxml shows both" "$(virt-hostdev dumpxml dual | grep -c '<netdev port=')" 2
echo > "$log"
ok "start" virsh -q start dual
set_on "running"
is "VFIO has the VF" "$(driver "$vf")" vfio-pci
is "every write came before VFIO" "$(sed -n 's/.*drv=\([^ ]*\) port=\(.\) vf=\(.\) \([a-z]*\) .*/\1 \2 \3 \4/p' "$log")" \
  $'dualport_vf 1 0 mac\ndualport_vf 1 0 vlan\ndualport_vf 2 0 mac\ndualport_vf 2 0 vlan'
like "port 1 has its rate still" "$(vfget "$PF2" 0 'rate.max_tx' 1)" '^500$'
is "status finds no drift" "$(virt-hostdev status --json | jq -c '[.status[].children[].drift]')" '["no","no","no","no"]'
ok "destroy" virsh -q destroy dual
restored "destroy"

step "kill -9 of QEMU"
ok "start" virsh -q start dual
pkill -KILL qemu-system
restored "kill -9 of QEMU"

step "a disk that is not there"
domain nodisk "<disk type='file'><source file='/nowhere.img'/><target dev='vda' bus='virtio'/></disk>$(devices "$vf")" > nodisk.xml
ok "define" virt-hostdev define nodisk.xml
not_ok "the start fails for the disk" 'nowhere.img' virsh start nodisk
restored "failed start"

step "our own prepare fails, at the very last write"
echo vlan > "/sys/kernel/debug/dualport/$PF2/fail_attr"; echo 2 > "/sys/kernel/debug/dualport/$PF2/port"
not_ok "the start fails and names what was refused" "Cannot set VLAN 43 on port 2 \(VF 0 of $(netdev "$PF2" 2), $vf\): Operation not permitted" virsh start dual
echo 1 > "/sys/kernel/debug/dualport/$PF2/reset"
restored "our failing prepare"

step "another hook fails after ours"
another_hook 'echo no luck >&2; exit 1'
not_ok "the start fails with its message" 'no luck' virsh start dual
rm /etc/libvirt/hooks/qemu.d/60-other
restored "another hook's failure"

step "libvirtd restarts under the guest"
ok "start" virsh -q start dual
libvirt_restart
is "the guest runs" "$(virsh domstate dual | head -n 1)" running
set_on "after the restart"
ip link set "$(netdev "$PF2" 2)" vf 0 vlan 99
libvirt_restart
is "it runs too when somebody has changed its VF" "$(virsh domstate dual | head -n 1)" running
like "status shows what" "$(virt-hostdev status)" '2 +vlan +43 +99 +yes'
ok "destroy" virsh -q destroy dual
restored "destroy after the restart"

step "libvirtd dies between prepare and start"
another_hook 'kill -KILL $PPID'
virsh -q start dual > /dev/null 2>&1 || true
waitfor 20 libvirt_gone
rm /etc/libvirt/hooks/qemu.d/60-other
set_on "nobody puts it back"
libvirt_up
ok "the domain starts again" virsh -q start dual
set_on "running again"
ok "destroy" virsh -q destroy dual
restored "destroy after libvirtd died"

step "libvirtd dies between prepare and start, and nobody starts the domain again"
another_hook 'kill -KILL $PPID'
virsh -q start dual > /dev/null 2>&1 || true
waitfor 20 libvirt_gone
rm /etc/libvirt/hooks/qemu.d/60-other
libvirt_up
ok "restore" virt-hostdev recover
restored "restore"

if [[ ${SIDES:-} = all ]]; then
  step "the guest powers itself off"
  domain off "$(devices "$vf")" boot l2.poweroff > off.xml
  ok "define" virt-hostdev define off.xml
  ok "start" virsh -q start off
  off() { [[ $(virsh domstate off | head -n 1) = "shut off" ]]; }
  ok "libvirt sees it" waitfor 180 off
  is "the reason is shutdown" "$(virsh domstate --reason off | head -n 1)" "shut off (shutdown)"
  restored "shutdown from inside"
fi

step "a transient domain"
domain brief "$(devices "$vf")" > brief.xml
ok "create" virt-hostdev create brief.xml
set_on "transient"
ok "destroy" virsh -q destroy brief
restored "transient"

step "an interface on a VF that has port 2 only"
alone() {
  echo 0 > "$PCI/$PF2/sriov_numvfs"; echo "$1" > /sys/module/dualport/parameters/single_port
  rebind "$PF2"; dualport_up "$PF2" 1; before=$(snapshot_vfs)
}
alone 0,1,0,0
domain alone "$(interface "$vf" 52:54:00:aa:00:03 44)" > alone.xml
ok "define" virt-hostdev define alone.xml
like "plan says which port" "$(virt-hostdev plan alone.xml)" " 0 +2 .* vlan +none +44 +yes"
ok "start" virsh -q start alone
is "port 2 is set" "$(vfget "$PF2" 0 address 2) $(vfget "$PF2" 0 'vlan_list[0].vlan' 2)" '"52:54:00:aa:00:03" 44'
ok "destroy" virsh -q destroy alone
restored "port 2 only"
alone 0,0,0,0
