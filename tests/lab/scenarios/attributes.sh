# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# Every attribute that the dual-port driver can do: set, read back, put back.
# suites: trixie
. /lab/guest/lib.sh

dualport_up "$PF2" 2
vf=$(vfaddr "$PF2" 1)
before=$(snapshot_vfs)
# attribute TEXT XML FIELD EXPECTED: alone on port 2 of VF 1
attribute() {
  hostdev "$vf" "<netdev port='2'>$2</netdev>" > one.xml
  check "$1" "$3" "$4"
}
check() {
  ok "$1: apply" virt-hostdev apply --owner me one.xml
  is "$1: set on port 2" "$(vfget "$PF2" 1 "$2" 2)" "$3"
  ok "$1: release" virt-hostdev release me
  is "$1: everything as before" "$(snapshot_vfs)" "$before"
}
attribute "MAC" "<mac address='52:54:00:aa:00:02'/>" address '"52:54:00:aa:00:02"'
attribute "VLAN" "<vlan><tag id='4094'/></vlan>" 'vlan_list[0].vlan' 4094
attribute "priority" "<vlan><tag id='1' priority='7'/></vlan>" 'vlan_list[0].qos' 7
attribute "802.1ad" "<vlan><tag id='9' protocol='802.1ad'/></vlan>" 'vlan_list[0].protocol' '"802.1ad"'
attribute "cap" "<bandwidth><outbound average='122070'/></bandwidth>" rate.max_tx 1000
attribute "floor" "<bandwidth><outbound average='122070' floor='12207'/></bandwidth>" rate.min_tx 100
attribute "a small rate is not no rate" "<bandwidth><outbound average='1'/></bandwidth>" rate.max_tx 1
attribute "link up" "<link state='up'/>" link_state '"enable"'
attribute "link down" "<link state='down'/>" link_state '"disable"'
for value in yes no; do
  json=$([[ $value = yes ]] && echo true || echo false)
  hostdev "$vf" "<netdev port='2' trustGuestRxFilters='$value'/>" > one.xml
  check "trust $value" trust "$json"
  hostdev "$vf" "<netdev port='2' spoofCheck='$value'/>" > one.xml
  check "spoof check $value" spoofchk "$json"
done

step "a driver that lacks something"
echo 1 > "/sys/kernel/debug/dualport/$PF2/no_trust"
before=$(snapshot_vfs)
hostdev "$vf" "<netdev port='2' trustGuestRxFilters='yes'><mac address='52:54:00:aa:00:02'/></netdev>" > one.xml
not_ok "plan foresees it" "does not report" virt-hostdev plan one.xml
not_ok "apply is refused" "trust.*port 2.*not supported" virt-hostdev apply --owner me one.xml
is "everything as before" "$(snapshot_vfs)" "$before"
is "nothing remembered" "$(virt-hostdev status)" ""
