# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# suites: trixie
# A real driver and, with SIDES=all, a guest that looks (as in the demo): a VF of igb arrives with its MAC, and its frames leave
# with its VLAN tag.
. /lab/guest/lib.sh

step "a VF with an admin MAC"
igb_up "$PF1" 2
vf=$(vfaddr "$PF1" 0)
igb_mac "$PF1" 0 52:54:00:00:00:11
before=$(snapshot_vfs)
libvirt_up
domain igb "$(hostdev "$vf" "<netdev port='1'><mac address='52:54:00:aa:00:01'/><vlan><tag id='42' priority='3'/></vlan></netdev>")" boot > igb.xml
ok "define" virt-hostdev define igb.xml
if [[ ${SIDES:-} = all ]]; then ok "start" virsh -q start igb
else ok "start" virsh -q start igb --paused; fi
is "the PF shows the VLAN" "$(vfget "$PF1" 0 'vlan_list[0].vlan')" 42
if [[ ${SIDES:-} = all ]]; then
  ok "the guest pings" l2_wait igb '^L2PING rc=0'
  is "the guest has the MAC" "$(l2_macs igb)" "eth0 52:54:00:aa:00:01"
  ok "its frames leave with tag and priority" wire '52:54:00:aa:00:01 > .* vlan=42 pcp=3 tpid=8100 type=0800'
fi
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

step "a VF that was bound to vfio-pci beforehand: whose MAC address is shown cannot be told"
node=pci_${vf//[:.]/_}
sed "s/managed='yes'/managed='no'/; s/<name>free/<name>bound/" free.xml > bound.xml
own=$(cat "$PCI/$vf/net/"*/address)
ok "nodedev-detach" virsh -q nodedev-detach "$node"
like "a plan says so" "$(virt-hostdev plan bound.xml 2>&1)" "shows the MAC address $own, and it is unknown whether"
ok "define" virt-hostdev define bound.xml
ok "start" virsh -q start bound
like "so does the status" "$(virt-hostdev status 2>&1)" "shows the MAC address $own, and it is unknown whether"
ok "destroy" virsh -q destroy bound
is "it is with vfio-pci as before" "$(driver "$vf")" vfio-pci
ok "nodedev-reattach" virsh -q nodedev-reattach "$node"
waitfor 10 test -e "$PCI/$vf/net"
is "the host's driver is free to choose" "$(assigned)" 1
ok "its address can be changed" ip link set "$(netdev "$vf")" address 02:11:22:33:44:55

step "the VF's netdev was given an address: that is no admin MAC either"
is "it was set" "$(assigned)" 3
ok "start" virsh -q start free
ok "destroy" virsh -q destroy free
waitfor 10 test -e "$PCI/$vf/net"
is "the host's driver is free to choose" "$(assigned)" 1
ok "its address can be changed" ip link set "$(netdev "$vf")" address 02:11:22:33:44:55

step "a VF that the host uses is left to it"
dev=$(netdev "$vf")
ip addr add 10.9.9.9/24 dev "$dev"
not_ok "a plan says so" "in use by the host: its netdev $dev has the address 10.9.9.9" virt-hostdev plan free.xml
not_ok "start: it has an address" "in use by the host: its netdev $dev has the address 10.9.9.9" virsh start free
ip addr flush dev "$dev"
ip netns add pod; ip link set "$dev" netns pod
not_ok "start: it is in a namespace" "in use by the host: its driver igbvf is bound, and its netdev is in another network namespace" virsh start free
ip netns exec pod sleep 60 & pod=$!
waitfor 10 ip netns exec pod true
not_ok "a process there is named" "that of process $pod .sleep." virsh start free
kill "$pod"; ip netns del pod
waitfor 10 test -e "$PCI/$vf/net"
ok "start: it has come back" virsh -q start free
ok "destroy" virsh -q destroy free
waitfor 10 test -e "$PCI/$vf/net"

step "a failed start leaves a VF that works"
domain broken "<disk type='file'><source file='/nowhere.img'/><target dev='vda' bus='virtio'/></disk>$(hostdev "$vf" "<netdev port='1'><mac address='52:54:00:aa:00:04'/></netdev>")" > broken.xml
ok "define" virt-hostdev define broken.xml
not_ok "start" 'nowhere.img' virsh start broken
waitfor 10 test -e "$PCI/$vf/net"
is "the PF and the VF's netdev agree" "$(vfget "$PF1" 1 address)" "\"$(cat "$PCI/$vf/net/"*/address)\""
