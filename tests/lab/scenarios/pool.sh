# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# suites: trixie
# <interface type='network'> from a pool of VFs, and a domain that was defined before us: libvirt's own, through us too.
. /lab/guest/lib.sh

igb_up "$PF1" 3
pf=$(netdev "$PF1")
# libvirt alone makes the MAC address that a VF's driver had made up an administrator's: "assigned" is its own to change
vfs_now() { snapshot_vfs | sed 's/ assigned .*//'; }
before=$(vfs_now)
hostdevd_up
cat > pool.xml << X
<network>
  <name>pool</name>
  <forward mode='hostdev' managed='yes'>
    <pf dev='$pf'/>
  </forward>
  <vlan><tag id='77'/></vlan>
</network>
X
ok "the pool is defined" virsh -q net-define pool.xml
ok "the pool is started" virsh -q net-start pool
domain pooled "<interface type='network'><mac address='52:54:00:00:00:77'/><source network='pool'/></interface>" > pooled.xml
ok "a domain takes a VF from it" virsh -q create pooled.xml --paused
index=$(ip -j link show "$pf" | jq '.[0].vfinfo_list[] | select(.address == "52:54:00:00:00:77") | .vf')
ok "a VF has the MAC address" test -n "$index"
is "and the network's VLAN" "$(vfget "$PF1" "$index" 'vlan_list[0].vlan')" 77
is "libvirt's own: nothing of ours is in it" "$(stock_virsh -q dumpxml pooled | grep -c 'urn:libvirt-hostdev' || true)" 0
is "clients see what libvirt shows" "$(virsh -q dumpxml pooled)" "$(stock_virsh -q dumpxml pooled)"
is "we remember nothing" "$(virt-hostdev status)" ""
ok "the VF's type is hostdev" grep -q "interface type='hostdev'" <(virsh -q dumpxml pooled)
ok "the domain is ended" virsh -q destroy pooled
is "the VFs are as before" "$(vfs_now)" "$before"

step "a domain that libvirt has had before us"
vf=$(vfaddr "$PF1" 1)
domain old "$(interface "$vf" 52:54:00:00:00:78 78)" > old.xml
ok "it is defined at libvirt" stock_virsh -q define old.xml
stored=$(stock_virsh -q dumpxml --inactive old)
is "clients see it as it is" "$(virsh -q dumpxml --inactive old)" "$stored"
ok "it starts" virsh -q start old --paused
is "its VF has the MAC address" "$(vfget "$PF1" 1 address)" '"52:54:00:00:00:78"'
ok "its interface is detached by its MAC address" virsh -q detach-interface old hostdev --mac 52:54:00:00:00:78 --config
ok "and attached again, now by us" virsh -q attach-device old <(interface "$vf" 52:54:00:00:00:78 79) --config
is "it still runs as libvirt's" "$(stock_virsh -q dumpxml old | grep -c "interface type='hostdev'")" 1
ok "it is ended" virsh -q destroy old
is "the VFs are as before" "$(vfs_now)" "$before"
ok "it starts with ours" virsh -q start old --paused
is "its VF has the new VLAN" "$(vfget "$PF1" 1 'vlan_list[0].vlan')" 79
ok "and a record" grep -q "$vf" <(virt-hostdev status)
ok "it is ended" virsh -q destroy old
is "the VFs are as before" "$(vfs_now)" "$before"
