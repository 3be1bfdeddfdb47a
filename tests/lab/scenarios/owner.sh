# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# suites: trixie
# A VF has one owner: a second domain that names it is refused, and the first one's settings never change.
. /lab/guest/lib.sh

dualport_up "$PF2" 2
vf=$(vfaddr "$PF2" 0)
before=$(snapshot_vfs) other=$(vfget "$PF2" 0 address 2)
libvirt_up
domain first "$(hostdev "$vf" "$(netdev_xml 1 52:54:00:aa:00:01 42)$(netdev_xml 2 52:54:00:aa:00:02 43)")" > first.xml
domain second "$(hostdev "$vf" "$(netdev_xml 1 52:54:00:bb:00:01 52)$(netdev_xml 2 52:54:00:bb:00:02 53)")" > second.xml
ok "define the first" virt-hostdev define first.xml
ok "define the second" virt-hostdev define second.xml
ok "start the first" virsh -q start first
running=$(snapshot_vfs)
echo > "/sys/kernel/debug/dualport/$PF2/log"

step "by libvirt"
not_ok "the second is refused, and the owner named" "VF $vf is in use by domain 'first'" virsh start second
is "nothing has changed" "$(snapshot_vfs)" "$running"
is "nothing was written" "$(cat "/sys/kernel/debug/dualport/$PF2/log")" ""
is "the first still runs" "$(virsh domstate first | head -n 1)" running

step "by hand"
not_ok "apply is refused" "in use by domain 'first'" virt-hostdev apply --owner me second.xml
not_ok "plan says so" "in use by domain 'first'" virt-hostdev plan second.xml
not_ok "release of a stranger's" "has no VFs" virt-hostdev release first
like "recover leaves it alone" "$(virt-hostdev recover)" "left alone: domain 'first'"
like "though another libvirt has no such domain" "$(LIBVIRT_DEFAULT_URI=test:///default virt-hostdev recover)" "left alone: domain 'first'"
is "nothing has changed" "$(snapshot_vfs)" "$running"
is "nothing was written" "$(cat "/sys/kernel/debug/dualport/$PF2/log")" ""

step "after the first has gone"
ok "destroy" virsh -q destroy first
is "everything as before" "$(snapshot_vfs)" "$before"
ok "the second starts" virsh -q start second
is "with its MAC" "$(vfget "$PF2" 0 address 2)" '"52:54:00:bb:00:02"'
ok "destroy" virsh -q destroy second
is "everything as before" "$(snapshot_vfs)" "$before"

step "what was set by hand under a domain's name is not the domain's"
ok "apply" virt-hostdev apply --owner second first.xml
not_ok "the domain of that name is refused" "in use by 'second'" virsh start second
echo '<domain><name>second</name><devices/></domain>' > nobody.xml
ok "its hook puts nothing back" bash -c '/etc/libvirt/hooks/qemu.d/50-virt-hostdev second stopped end - < nobody.xml'
is "the VF is still set" "$(vfget "$PF2" 0 address 2)" '"52:54:00:aa:00:02"'
ok "release" virt-hostdev release second
is "everything as before" "$(snapshot_vfs)" "$before"

step "what one has left waits while another guest has the VF"
knobs=/sys/kernel/debug/dualport/$PF2
domain plain "$(hostdev "$vf" "")" > plain.xml
ip link set "$(netdev "$PF2" 1)" vf 0 vlan 7 qos 3
admin=$(snapshot_vfs)
ok "start" virsh -q start first
echo 1 > "$knobs/port"; echo vlan > "$knobs/fail_attr"
ok "destroy, and the driver refuses to take one VLAN back" virsh -q destroy first
echo 1 > "$knobs/reset"
ok "a guest gets the VF, without libvirt-hostdev" virsh -q create plain.xml
left=$(snapshot_vfs)
echo > "$knobs/log"
not_ok "recover says who has it" "VF $vf waits: it is in use by domain 'plain'" virt-hostdev recover
not_ok "by force too" "waits: it is in use by domain 'plain'" virt-hostdev recover --force
like "status says so" "$(virt-hostdev status 2>&1)" "waits: it is in use by domain 'plain'"
like "list says so" "$(virt-hostdev list 2>&1)" "waits: it is in use by domain 'plain'"
not_ok "its owner is refused" "VF $vf is in use by domain 'plain'" virsh start first
is "nothing has changed" "$(snapshot_vfs)" "$left"
is "nothing was written" "$(cat "$knobs/log")" ""
ok "destroy" virsh -q destroy plain
is "what the administrator had set is back" "$(snapshot_vfs)" "$admin"
like "nothing is left" "$(virt-hostdev status --json | jq -c .status)" '^\[\]$'
ip link set "$(netdev "$PF2" 1)" vf 0 vlan 0

step "a PF whose VFs are in use is not given away"
domain pf "$(hostdev "$PF2" "")" > pf.xml
ok "start" virsh -q start first
running=$(snapshot_vfs)
not_ok "a domain with the PF is refused" "PF $PF2 cannot be assigned to a guest.*$vf by domain 'first'" virsh create pf.xml
not_ok "plan says so" "would fail" virt-hostdev plan pf.xml
is "nothing has changed" "$(snapshot_vfs)" "$running"
ok "destroy" virsh -q destroy first
is "everything as before" "$(snapshot_vfs)" "$before"

step "an owner that died with libvirtd does not hold a VF for ever"
printf '#!/bin/sh\n[ "$1 $2" != "first prepare" ] || kill -KILL $PPID\n' > /etc/libvirt/hooks/qemu.d/60-other
chmod +x /etc/libvirt/hooks/qemu.d/60-other
virsh -q start first > /dev/null 2>&1 || true
waitfor 20 libvirt_gone
libvirt_up
ok "the second starts" virsh -q start second
ok "destroy" virsh -q destroy second
is "everything as before the first" "$(snapshot_vfs)" "$before"

step "a guest that libvirt has given the VF without us"
ok "it starts" virsh -q create plain.xml
running=$(snapshot_vfs)
not_ok "the second is refused, and the domain named" "VF $vf is in use by domain 'plain'" virsh start second
not_ok "by hand too" "VF $vf is in use by domain 'plain'" virt-hostdev apply --owner me second.xml
not_ok "plan says so" "VF $vf is in use by domain 'plain'" virt-hostdev plan second.xml
is "nothing has changed" "$(snapshot_vfs)" "$running"
ok "destroy" virsh -q destroy plain
ok "the second starts" virsh -q start second
ok "destroy" virsh -q destroy second
is "everything as before" "$(snapshot_vfs)" "$before"

step "a start after one that was cut off gets what it asks for, and nothing else"
waitfor 20 libvirt_gone || libvirt_stop
libvirt_up
virsh -q start first > /dev/null 2>&1 || true
waitfor 20 libvirt_gone
libvirt_up
rm /etc/libvirt/hooks/qemu.d/60-other
domain first "$(hostdev "$vf" "$(netdev_xml 1 52:54:00:aa:00:01)")" \
  | sed "s|</name>|</name><uuid>$(virsh -q domuuid first)</uuid>|" > less.xml
ok "it is to have one netdev, without a VLAN" virt-hostdev define less.xml
ok "it starts" virsh -q start first
is "it has no VLAN" "$(vfget "$PF2" 0 'vlan_list[0].vlan')" null
is "and nothing on port 2" "$(vfget "$PF2" 0 address 2)" "$other"
ok "destroy" virsh -q destroy first
is "everything as before" "$(snapshot_vfs)" "$before"
