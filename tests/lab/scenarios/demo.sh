# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# suites: trixie
# The main job, shown: scripts/demo runs this. One domain with two VFs: a dual-port one with two netdevs, and one of
# igb, which really sends frames.
. /lab/guest/lib.sh

tables() { for dev in "$(netdev "$PF2" 1)" "$(netdev "$PF2" 2)" "$(netdev "$PF1")"; do ip link show "$dev" | grep -E '^[0-9]|^ *vf '; done; }
# shellcheck disable=SC2001 # each line, not each match
show() { sed 's/^/    /' <<< "$1"; }

step "a dual-port PF and an igb PF, two VFs each"
dualport_up "$PF2" 2
igb_up "$PF1" 2
dual=$(vfaddr "$PF2" 0) single=$(vfaddr "$PF1" 0)
igb_mac "$PF1" 0 52:54:00:00:00:11
before=$(snapshot_vfs)
show "$(tables)"

step "the domain"
devices="$(hostdev "$dual" "
      <netdev port='1'>
        <mac address='52:54:00:01:02:03'/>
        <vlan><tag id='42'/></vlan>
      </netdev>
      <netdev port='2'>
        <mac address='52:54:00:01:02:04'/>
        <vlan><tag id='43'/></vlan>
      </netdev>
    ")
    $(hostdev "$single" "
      <netdev port='1'>
        <mac address='52:54:00:01:02:05'/>
        <vlan><tag id='44' priority='3'/></vlan>
      </netdev>
    ")"
domain demo "$devices" boot > demo.xml
show "$(sed -n '/<hostdev/,/<\/hostdev>/p' demo.xml)"

step "what a start would change"
show "$(virt-hostdev plan demo.xml)"

step "virt-hostdev define; virsh start"
libvirt_up
ok "the domain is defined" virt-hostdev define demo.xml
ok "the domain starts on stock libvirt $(virsh version --daemon | sed -n 's/^Running against daemon: //p')" virsh -q start demo

step "while the guest runs"
show "$(tables)"
is "port 1 of the dual-port VF" "$(vfget "$PF2" 0 address 1) $(vfget "$PF2" 0 'vlan_list[0].vlan' 1)" '"52:54:00:01:02:03" 42'
is "port 2 of the dual-port VF" "$(vfget "$PF2" 0 address 2) $(vfget "$PF2" 0 'vlan_list[0].vlan' 2)" '"52:54:00:01:02:04" 43'
show "$(virt-hostdev status)"

step "the guest boots and pings (emulated in an emulated machine: half a minute, on a busy machine several)"
ok "it pings through the igb VF" l2_wait demo '^L2PING rc=0'
show "$(l2_macs demo)"
like "the guest says that it has the MAC" "$(l2_macs demo)" ' 52:54:00:01:02:05$'
show "$(wire '52:54:00:01:02:05 > .*type=0800' | head -n 2)"
ok "its frames leave with VLAN 44, priority 3" wire '52:54:00:01:02:05 > .* vlan=44 pcp=3'

step "virthostdevd takes libvirt's place: plain virsh speaks <netdev>"
hostdevd_up
show "$(virsh dumpxml demo | sed -n '/<hostdev/,/<\/hostdev>/p' | head -n 16)"
hostdev "$(vfaddr "$PF2" 1)" "
      $(netdev_xml 1 52:54:00:01:02:06 45)
      $(netdev_xml 2 52:54:00:01:02:07 46)
    " > device.xml
ok "attach-device --live, two ports at once" virsh -q attach-device demo device.xml --live
show "$(tables)"
is "port 2 of the VF that was plugged in" "$(vfget "$PF2" 1 address 2) $(vfget "$PF2" 1 'vlan_list[0].vlan' 2)" '"52:54:00:01:02:07" 46'

step "virsh destroy"
ok "the domain ends" virsh -q destroy demo
same() { [[ $(snapshot_vfs) = "$before" ]]; }
waitfor 10 same || true
show "$(tables)"
is "every attribute of every VF on every port is what it was" "$(snapshot_vfs)" "$before"
