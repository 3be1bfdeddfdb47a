# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# suites: none
# The lab itself: a VF of igb goes through a stock libvirt into a guest, which pings through it, and comes back.
. /lab/guest/lib.sh

step "a VF with MAC and VLAN, set by hand"
igb_up "$PF1" 2
vf=$(vfaddr "$PF1" 0)
ip link set "$(netdev "$PF1")" vf 0 mac 52:54:00:00:00:11 vlan 42 qos 3
is "the PF shows the MAC" "$(vfget "$PF1" 0 address)" '"52:54:00:00:00:11"'
is "the PF shows the VLAN" "$(vfget "$PF1" 0 'vlan_list[0].vlan')" 42
rebind "$vf"
before=$(snapshot_vfs)

step "libvirt"
libvirt_up
# procedures: NUMBER NAME of each that its program REMOTE has, as it tells SystemTap
procedures() {
  awk -F '[ ()"]+' '/program == /{remote = /536903814/} remote && /proc == /{number = $(NF - 1)}
    remote && /procstr = "/ && $4 != "unknown" {print number, $4}' /usr/share/systemtap/tapset/libvirt_functions.stp
}
like "it tells its procedures" "$(procedures)" "11 domain_define_xml"
is "guest/rpc-procedures.txt has all of them" \
  "$(procedures | grep -vxFf <(cut -d ' ' -f 1,2 /lab/guest/rpc-procedures.txt) || true)" ""
domain smoke "$(hostdev "$vf")" boot l2.poweroff > smoke.xml
ok "the domain is defined" virsh -q define smoke.xml
ok "the domain starts" virsh -q start smoke
is "VFIO has the VF" "$(driver "$vf")" vfio-pci

step "libvirt restarts under the guest"
guest=$(pgrep qemu-system)
libvirt_restart
is "the guest is the same process" "$(pgrep qemu-system)" "$guest"
is "libvirt knows that it runs" "$(virsh domstate smoke | head -n 1)" running

step "the guest boots"
ok "it pings" l2_wait smoke '^L2PING rc=0'
is "it has the MAC" "$(l2_macs smoke)" "eth0 52:54:00:00:00:11"
ok "its frames leave with the tag" wire '52:54:00:00:00:11 > .* vlan=42 pcp=3 tpid=8100 type=0800'
not_ok "none leaves without" '^$' wire '52:54:00:00:00:11 > .* vlan=none'

step "it powers itself off"
off() { [[ $(virsh domstate smoke | head -n 1) = "shut off" ]]; }
ok "libvirt sees it" waitfor 60 off
is "the reason is shutdown" "$(virsh domstate --reason smoke | head -n 1)" "shut off (shutdown)"
back() { [[ $(snapshot_vfs) = "$before" ]]; }
waitfor 10 back || true
is "everything is as it was before" "$(snapshot_vfs)" "$before"
step "done"
