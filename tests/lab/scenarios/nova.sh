# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# OpenStack Nova's own classes write domains and read them back through virthostdevd, with netdevs and without.
# suites: trixie
. /lab/guest/lib.sh

step "a VF for a port, and one of two ports"
igb_up "$PF1" 1
dualport_up "$PF2" 1
before=$(snapshot_vfs)
hostdevd_up

step "Nova"
as_nova "$(vfaddr "$PF1" 0)" "$(vfaddr "$PF2" 0)"
is "nothing but definitions has changed" "$(snapshot_vfs)" "$before"
step "an instance of a flavor for which there is a profile"
vf=$(vfaddr "$PF2" 0)
cat > second-port.xml << E
<profile>
  <name>second-port</name>
  <device><pf dev='$(netdev "$PF2" 2)'/></device>
  <domain>
    <metadata namespace='http://openstack.org/xmlns/libvirt/nova/1.1' element='flavor' attribute='name' value='sriov.*'/>
  </domain>
  <netdev port='2'><vlan><tag id='43'/></vlan></netdev>
</profile>
E
ok "profile-define" virt-hostdev profile-define second-port.xml
is "it is listed" "$(virt-hostdev --json profile-list | jq -r '.profiles[] | "\(.name) \(.ports)"')" "second-port 2"
as_nova --profile "$vf" | tee nova.out
mac=$(tail -n 1 nova.out)
is "port 1 is as Nova wants it" "$(vfget "$PF2" 0 address 1) $(vfget "$PF2" 0 'vlan_list[0].vlan' 1)" '"52:54:00:cc:00:01" 42'
is "port 2 is as the profile says" "$(vfget "$PF2" 0 address 2) $(vfget "$PF2" 0 'vlan_list[0].vlan' 2)" "\"$mac\" 43"
is "plan names it" "$(virt-hostdev --json plan --domain instance-00000002 | jq -r '[.plan[] | select(.port == "2").profile] | unique[]')" \
  second-port
printf '%s\n' "<profile><name>second-port</name></profile>" > /etc/libvirt/hostdev/profiles/second-port.xml
domain vm "$(interface "$vf" 52:54:00:cc:00:01 42)" > vm.xml
not_ok "a profile that is broken stops every define with a VF" "second-port.xml:1: <profile> gives nothing" virsh define vm.xml
ok "profile-undefine" virt-hostdev profile-undefine second-port
ok "end" virsh -q destroy instance-00000002
is "all is as before" "$(snapshot_vfs)" "$before"

step "done"
