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

step "a hook that libvirt does not run"
hook=/etc/libvirt/hooks/qemu.d/50-virt-hostdev
hook_back() { [[ ! -e /run/hook ]] || mv /run/hook "$hook"; }
trap 'hook_back; finish' EXIT
ok "a domain of ours is defined" virsh -q define <(domain vm "$(hostdev "$vf" "$(netdev_xml 1 52:54:00:00:00:79 80)")")
mv "$hook" /run/hook
not_ok "it does not start" "were not set when it started.*host-validate" virsh -q start vm --paused
ok "it does not run" waitfor 10 no_guests
ok "it was logged" grep -q "error: Domain .*VF $vf was not set.*It was stopped" "$HOSTDEVD_LOG"
is "it was counted" "$(virt-hostdev --json status | jq '.counters.unprovisioned')" 1
ok "it is started at libvirt" stock_virsh -q start vm --paused
ok "and is ended all the same" waitfor 10 no_guests
sed -i '$aunprovisioned = "warn"' /etc/libvirt/virthostdevd.conf
kill -HUP "$(hostdevd_pid)"
ok "it is read again" waitfor 10 grep -q "Reloaded log_level" "$HOSTDEVD_LOG"
ok "with warn it starts" virsh -q start vm --paused
ok "and is told" waitfor 10 grep -q 'It keeps running, because virthostdevd.conf has unprovisioned = "warn"' "$HOSTDEVD_LOG"
hostdevd_restart
ok "it goes on" virsh -q domstate vm
ok "it is ended" virsh -q destroy vm
hook_back
ok "with the hook it starts" virsh -q start vm --paused
is "its VF has the VLAN" "$(vfget "$PF1" 1 'vlan_list[0].vlan')" 80

step "libvirt's daemon is started anew under a guest from the pool, and one with netdevs"
ok "a domain takes a VF from the pool" virsh -q create pooled.xml --paused
for _ in 1 2 3; do
  libvirt_restart
  ok "both guests go on" waitfor 20 eval '[[ $(virsh -q list --state-paused --name | grep -c .) = 2 ]]'
done
is "its VF has the VLAN" "$(vfget "$PF1" 1 'vlan_list[0].vlan')" 80
ok "both are ended" bash -c "virsh -q destroy vm && virsh -q destroy pooled"
is "the VFs are as before" "$(vfs_now)" "$before"
