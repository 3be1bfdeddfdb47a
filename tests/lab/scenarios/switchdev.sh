# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# suites: trixie
# A card of two ports in switchdev mode: MAC address, rate and capabilities of each port of a VF are set by devlink before
# VFIO takes it, however the guest ends all is as before, and what is the switch's to do is refused. What the eswitch has
# for other hosts is left alone. With SIDES=all each attribute of each port is refused in turn.
. /lab/guest/lib.sh

# mode switchdev|legacy
mode() { devlink dev eswitch set "pci/$PF2" mode "$1"; }
# Representors that come again have other names.
devlink_ports() { devlink -j port show | jq -c --arg pf "pci/$PF2/" '.port | to_entries[] | select(.key | startswith($pf)) | del(.value.netdev)'; }
# index N P: devlink's name for port P of VF N
index() {
  devlink -j port show | jq -r --arg pf "pci/$PF2/" --argjson n "$1" --argjson p $(($2 - 1)) '.port | to_entries[]
    | select((.key | startswith($pf)) and .value.flavour == "pcivf" and .value.vfnum == $n and .value.pfnum == $p and (.value.external | not)) | .key'
}
# function N P FIELD; rate N P FIELD, in bytes a second
function_of() { devlink -j port show "$(index "$1" "$2")" | jq -r ".port[].function.$3"; }
rate_of() { devlink -j port function rate show "$(index "$1" "$2")" | jq -r ".rate[].$3"; }
# everything: ports with their functions, rates, what the PF's netdevs show, and the records
everything() {
  cat "/sys/kernel/debug/dualport/$PF2/functions"; devlink_ports; devlink -j port function rate show | jq -c '.rate'; snapshot_vfs
  find /run/libvirt-hostdev -type f ! -name '*.lock' -printf '%f ' 2> /dev/null || true
}
restored() { is "all is as before" "$(everything)" "$before"; }
is_before() { [[ $(everything) = "$before" ]]; }
rated() { # PORT MAC
  echo "<netdev port='$1'><mac address='$2'/><bandwidth><outbound average='12207' floor='1221'/></bandwidth></netdev>"
}
knob() { echo "$2" > "/sys/kernel/debug/dualport/$PF2/$1"; }
# mine: the host has an address of its own there
mine() { devlink port function set "$(index 0 2)" hw_addr 02:11:22:33:44:55; rebind "$vf"; waitfor 10 netdev "$vf" 2; }
some=2 capabilities=max_io_eqs
[[ ${SIDES:-} != all ]] || { some='1 2' capabilities='roce ipsec_crypto ipsec_packet max_io_eqs'; }
A=52:54:00:aa:00:01 A2=52:54:00:aa:00:02

modprobe dualport; echo Y > /sys/module/dualport/parameters/devlink; echo 2 > /sys/module/dualport/parameters/external
dualport_up "$PF2" 2
vf=$(vfaddr "$PF2" 0)
call "$PF2" dual
mode switchdev
up "$PF2"
mine
before=$(everything)
libvirt_up
representor=$(devlink -j port show "$(index 0 1)" | jq -r '.port[].netdev')

step "a guest's life"
domain vm "$(hostdev "$vf" "$(rated 1 $A)$(rated 2 $A2)")" > vm.xml
like "plan" "$(virt-hostdev plan vm.xml | tr -s ' ')" "$vf 0 2 dual2 mac 02:11:22:33:44:55 $A2 yes"
ok "define" virt-hostdev define vm.xml
ok "start" virsh -q start vm --paused
is "port 1 has its MAC address" "$(function_of 0 1 hw_addr)" $A
is "and port 2" "$(function_of 0 2 hw_addr)" $A2
is "port 1 has its rate" "$(rate_of 0 1 tx_max) $(rate_of 0 1 tx_share)" "12500000 1250000"
is "and port 2" "$(rate_of 0 2 tx_max) $(rate_of 0 2 tx_share)" "12500000 1250000"
is "before VFIO had it" "$(grep -c drv=vfio "/sys/kernel/debug/dualport/$PF2/log")" 0
like "status has it" "$(virt-hostdev status)" "^$vf +vm +running"
ok "destroy" virsh -q destroy vm
restored
ok "start" virsh -q start vm --paused
kill -KILL "$(cat /run/libvirt/qemu/vm.pid)"
ok "QEMU is killed, and all is as before" waitfor 30 is_before
ok "apply, for a guest without libvirt" virt-hostdev apply --owner=own vm.xml
is "port 2 has its MAC address" "$(function_of 0 2 hw_addr)" $A2
ok "release" virt-hostdev release own
restored

step "starts that fail"
domain disk "$(hostdev "$vf" "$(rated 1 $A)")<disk type='file'><source file='/none'/><target dev='vda'/></disk>" > disk.xml
ok "define" virt-hostdev define disk.xml
not_ok "a disk is missing" "/none" virsh start disk
restored
for attr in mac rate; do
  for port in $some; do
    knob port "$port"; knob fail_attr "$attr"
    not_ok "the driver refuses the $attr of port $port" "on port $port \(VF 0 of dual$port, $vf\): Operation not permitted \(dualport: refused by a knob\)" virsh start vm
    knob fail_attr none; knob port -1
    restored
  done
done
knob ignore mac                                  # a rate that is ignored devlink shows as if it were there
not_ok "it ignores the MAC address" "the driver acknowledged it, but the value is now" virsh start vm
knob ignore none
restored
knob busy 2
ok "a driver that is busy is asked again" virsh -q start vm --paused
ok "destroy" virsh -q destroy vm
restored

step "what is the switch's to do"
domain vlan "$(hostdev "$vf" "<netdev port='1'><mac address='$A'/><vlan><tag id='42'/></vlan></netdev>")" > vlan.xml
ok "a VLAN is defined" virt-hostdev define vlan.xml
not_ok "and refused at the start, with the representor's name" "in switchdev mode.*at the representor $representor" virsh start vlan
for what in "spoofCheck='yes'" "trustGuestRxFilters='yes'"; do
  domain other "$(hostdev "$vf" "<netdev port='1' $what><mac address='$A'/></netdev>")" > other.xml
  not_ok "$what is refused" "in switchdev mode.*at the representor $representor" virt-hostdev create other.xml
done
restored

step "another mode"
mode legacy
ok "in legacy mode the VLAN is the VF's" virsh -q start vlan --paused
is "it has it" "$(vfget "$PF2" 0 'vlan_list[0].vlan')" 42
ok "destroy" virsh -q destroy vlan
mode switchdev
restored
ok "start" virsh -q start vm --paused
mode legacy
ok "the mode is switched under a guest, which ends" virsh -q destroy vm
mode switchdev
restored
mode legacy
ok "start in legacy mode" virsh -q start vm --paused
mode switchdev
ok "and the other way round" virsh -q destroy vm
restored
vfs "$PF2" 0; vfs "$PF2" 2
ok "VFs that were made in switchdev mode: start" virsh -q start vm --paused
is "port 1 has its MAC address" "$(function_of 0 1 hw_addr)" $A
ok "destroy" virsh -q destroy vm
mine
before=$(everything)

step "capabilities of functions"
# Debian 12's devlink does not show them.
capable() { sed -n "s/^vf 0 port . //p" "/sys/kernel/debug/dualport/$PF2/functions" | sort -u; }
FUNCTION="<function roce='no' ipsecCrypto='yes' ipsecPacket='yes' maxIoEqs='16'/>"
SET="roce 0 migratable 0 ipsec_crypto 1 ipsec_packet 1 max_io_eqs 16"
is "at first" "$(capable)" "roce 1 migratable 0 ipsec_crypto 0 ipsec_packet 0 max_io_eqs 8"
domain caps "$(hostdev "$vf" "$(rated 2 $A2)$FUNCTION")" > caps.xml
like "plan" "$(virt-hostdev plan caps.xml | tr -s ' ')" "$vf 0 2 roce yes no yes, after unbinding dualport_vf"
is "nothing has changed" "$(everything)" "$before"
ok "define" virt-hostdev define caps.xml
echo > "/sys/kernel/debug/dualport/$PF2/log"
ok "start" virsh -q start caps --paused
is "both ports have them" "$(capable)" "$SET"
is "port 2 has its MAC address, too" "$(function_of 0 2 hw_addr)" $A2
is "no driver had the VF" "$(grep -E ' (roce|ipsec_crypto|ipsec_packet|max_io_eqs) ' "/sys/kernel/debug/dualport/$PF2/log" | grep -vc drv=none || true)" 0
is "libvirt has bound it" "$(driver "$vf")" vfio-pci
ok "destroy" virsh -q destroy caps
restored
ok "start" virsh -q start caps --paused
kill -KILL "$(cat /run/libvirt/qemu/caps.pid)"
ok "QEMU is killed, and all is as before" waitfor 30 is_before
domain capsdisk "$(hostdev "$vf" "$FUNCTION")<disk type='file'><source file='/none'/><target dev='vda'/></disk>" > capsdisk.xml
ok "define" virt-hostdev define capsdisk.xml
not_ok "a disk is missing" "/none" virsh start capsdisk
restored
for attr in $capabilities; do
  for port in $some; do
    knob port "$port"; knob fail_attr "$attr"
    not_ok "the driver refuses $attr of port $port" "for port $port \(VF 0 of $PF2, $vf\): Operation not permitted \(dualport: refused by a knob\)" virsh start caps
    knob fail_attr none; knob port -1
    restored
  done
done
knob ignore roce
not_ok "it ignores RoCE" "the driver acknowledged it, but the value is now yes" virsh start caps
knob ignore none
restored
ok "apply, for a guest without libvirt" virt-hostdev apply --owner=own caps.xml
is "both ports have them" "$(capable)" "$SET"
is "and the host its driver" "$(driver "$vf")" dualport_vf
ok "release" virt-hostdev release own
restored
ok "start" virsh -q start caps --paused
mode legacy
ok "the mode is switched under a guest, which ends" virsh -q destroy caps
not_ok "which functions wait for their eswitch is said" "is no longer in switchdev mode" virt-hostdev recover
mode switchdev
ok "recover" virt-hostdev recover
restored
mode legacy
not_ok "without functions it does not start" "There is no port function for port 1" virsh start caps
mode switchdev
restored

step "through the daemon"
hostdevd_up
domain plug "" > plug.xml
ok "a guest without VFs" virsh -q create plug.xml --paused
hostdev "$vf" "$(rated 1 $A)$(rated 2 $A2)" > device.xml
ok "attach" virsh -q attach-device plug device.xml --live
is "port 2 has its MAC address" "$(function_of 0 2 hw_addr)" $A2
sleep 3                                          # until what the attach itself has changed has been looked at
devlink port function set "$(index 0 2)" hw_addr 02:11:22:33:44:66
ok "the daemon hears of another MAC address at once" waitfor 20 grep -Eq "changed port 2 .*which 'plug' has: MAC address was set to $A2 and is now 02:11:22:33:44:66" "$HOSTDEVD_LOG"
ok "destroy" virsh -q destroy plug
restored
ok "a guest without VFs" virsh -q create plug.xml --paused
hostdev "$(vfaddr "$PF2" 1)" "<netdev port='1'><vlan><tag id='42'/></vlan></netdev>" > wrong.xml
not_ok "a VLAN is refused" "in switchdev mode.*at the representor" virsh attach-device plug wrong.xml --live
hostdev "$vf" "$FUNCTION" > caps-device.xml
ok "attach" virsh -q attach-device plug caps-device.xml --live
is "both ports have them" "$(capable)" "$SET"
hostdev "$vf" "<function roce='yes'/>" > other-device.xml
not_ok "they cannot change under a guest" "it can change only while the function has no driver" virsh update-device plug other-device.xml --live
ok "destroy" virsh -q destroy plug
restored
