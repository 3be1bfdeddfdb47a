# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# suites: trixie
# A real driver and a guest that looks: a VF of igb arrives with its MAC, and its frames leave with its VLAN tag.
. /lab/guest/lib.sh

step "a VF with an admin MAC"
igb_up "$PF1" 2
vf=$(vfaddr "$PF1" 0)
igb_mac "$PF1" 0 52:54:00:00:00:11
before=$(snapshot_vfs)
libvirt_up
domain igb "$(hostdev "$vf" "<netdev port='1'><mac address='52:54:00:aa:00:01'/><vlan><tag id='42' priority='3'/></vlan></netdev>")" boot > igb.xml
ok "define" virt-hostdev define igb.xml
ok "start" virsh -q start igb
is "the PF shows the VLAN" "$(vfget "$PF1" 0 'vlan_list[0].vlan')" 42
ok "the guest pings" l2_wait igb '^L2PING rc=0'
is "the guest has the MAC" "$(l2_macs igb)" "eth0 52:54:00:aa:00:01"
ok "its frames leave with tag and priority" wire '52:54:00:aa:00:01 > .* vlan=42 pcp=3 tpid=8100 type=0800'
ok "destroy" virsh -q destroy igb
same() { [[ $(snapshot_vfs) = "$before" ]]; }
waitfor 10 same || true
is "everything as before" "$(snapshot_vfs)" "$before"

step "what igb refuses is said, and undone"
for bad in "<vlan><tag id='42' protocol='802.1ad'/></vlan>" "<link state='up'/>"; do
  domain bad "$(hostdev "$vf" "<netdev port='1'><mac address='52:54:00:aa:00:02'/>$bad</netdev>")" > bad.xml
  not_ok "$bad" "(Protocol|Operation) not supported" virt-hostdev apply --owner me bad.xml
  is "everything as before" "$(snapshot_vfs)" "$before"
done

step "a VF without an admin MAC: igb shows the VF driver's own"
vf=$(vfaddr "$PF1" 1)
assigned() { cat "$PCI/$vf/net/"*/addr_assign_type; }
is "its MAC is random" "$(assigned)" 1
domain free "$(hostdev "$vf" "<netdev port='1'><mac address='52:54:00:aa:00:03'/></netdev>")" > free.xml
ok "define" virt-hostdev define free.xml
ok "start" virsh -q start free
is "the PF shows the MAC" "$(vfget "$PF1" 1 address)" '"52:54:00:aa:00:03"'
ok "destroy" virsh -q destroy free
waitfor 10 test -e "$PCI/$vf/net"
is "the host's driver is free to choose again" "$(assigned)" 1
like "and did not get the guest's" "$(cat "$PCI/$vf/net/"*/address)" '^..:..:..:..:..:..$'
not_ok "nor keeps it" '^$' grep 52:54:00:aa:00:03 "$PCI/$vf/net/"*/address

step "a failed start leaves a VF that works"
domain broken "<disk type='file'><source file='/nowhere.img'/><target dev='vda' bus='virtio'/></disk>$(hostdev "$vf" "<netdev port='1'><mac address='52:54:00:aa:00:04'/></netdev>")" > broken.xml
ok "define" virt-hostdev define broken.xml
not_ok "start" 'nowhere.img' virsh start broken
waitfor 10 test -e "$PCI/$vf/net"
is "the PF and the VF's netdev agree" "$(vfget "$PF1" 1 address)" "\"$(cat "$PCI/$vf/net/"*/address)\""
