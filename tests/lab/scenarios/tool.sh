# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# suites: trixie
# The tool at a prompt: looking, planning, provisioning without libvirt, and refusing what the host cannot do.
. /lab/guest/lib.sh

dualport_up "$PF2" 2
vf=$(vfaddr "$PF2" 0)
before=$(snapshot_vfs)
domain two "$(hostdev "$vf" "$(netdev_xml 1 52:54:00:aa:00:01 42)$(netdev_xml 2 52:54:00:aa:00:02 43)")" > two.xml
hostdev "$vf" "$(netdev_xml 1 52:54:00:aa:00:01 42)" > lone.xml

step "list"
like "the PF and its driver" "$(virt-hostdev list)" "$PF2 +PF 0 +dualport_pf"
like "its port below it" "$(virt-hostdev list)" "$(netdev "$PF2" 2) +port 2 \(up\)"
like "the VF below it" "$(virt-hostdev list)" "$vf +VF 0"
ok "JSON is JSON" bash -c 'virt-hostdev list --json | jq -e ".pfs | length > 0"'
like "a picture" "$(virt-hostdev list --dot)" '^digraph host'

step "plan changes nothing"
plan=$(virt-hostdev plan two.xml)
like "from and to" "$plan" "$vf +0 +2 +$(netdev "$PF2" 2) +vlan +none +43 +yes"
is "nothing was written" "$(cat "/sys/kernel/debug/dualport/$PF2/log")" ""
is "everything as before" "$(snapshot_vfs)" "$before"

step "apply, status, drift, release"
ok "apply" virt-hostdev apply two.xml
like "plan then has nothing to do" "$(virt-hostdev plan two.xml 2>&1 || true)" "vlan +43 +43 +no"
like "status knows the owner" "$(virt-hostdev status)" "$vf +two +by hand +active"
ip link set "$(netdev "$PF2" 2)" vf 0 vlan 99
like "status shows the drift" "$(virt-hostdev status)" "2 +vlan +43 +99 +yes"
like "metrics show it too" "$(virt-hostdev status --openmetrics)" "_vf_drifted\{domain=\"two\",pf=\"$PF2\",vf=\"0\",port=\"2\",address=\"$vf\"\} 1"
is "a driver without counters has none, not 0" "$(virt-hostdev status --openmetrics | grep -c _vf_receive_ || true)" 0
like "and top" "$(virt-hostdev top --iterations 1 --interval 0.2)" "two +$vf +0 +2( +-){5} +yes"
is "the list names the owner" "$(virt-hostdev list --json | jq -r '[.. | .owner? // empty] | unique | join(" ")')" two
ok "release" virt-hostdev release two
is "everything as before" "$(snapshot_vfs)" "$before"
ok "a lone device" virt-hostdev apply --owner me lone.xml
ok "release" virt-hostdev release me
is "everything as before" "$(snapshot_vfs)" "$before"
not_ok "an owner that has nothing" "has no VFs" virt-hostdev release me

step "what the host cannot do"
refuse() { # refuse TEXT PATTERN ADDRESS [NETDEVS]
  hostdev "$3" "${4:-<netdev port='1'/>}" > bad.xml
  not_ok "$1" "$2" virt-hostdev apply --owner me bad.xml
  not_ok "$1 (plan)" "$2" virt-hostdev plan bad.xml
}
refuse "a PF" "$PF2 .*physical function" "$PF2"
refuse "not a network device" "0000:00:1f.0 is not an SR-IOV" 0000:00:1f.0
refuse "no such device" "0000:99:00.0" 0000:99:00.0
refuse "no such port" "port 3" "$vf" "<netdev port='3'/>"
ip link set "$(netdev "$PF2" 2)" down
refuse "a port that is down" "$(netdev "$PF2" 2) is down.*ip link set" "$vf" "<netdev port='1'/><netdev port='2'/>"
ip link set "$(netdev "$PF2" 2)" up
is "everything as before" "$(snapshot_vfs)" "$before"

step "host-validate"
not_ok "without libvirtd it fails" "checks failed" virt-hostdev host-validate
libvirt_up
like "with it, it passes" "$(virt-hostdev host-validate 2>&1)" "the hook in .*PASS"
ok "all checks" virt-hostdev host-validate
ok "plan of a defined domain" bash -c "virt-hostdev define two.xml && virt-hostdev plan --domain two"

step "a MAC that is not given is generated, and stays"
domain bare "$(hostdev "$vf" "<netdev port='2'/><netdev port='1'><mac address='52:54:00:aa:00:01'/></netdev>")" > bare.xml
ok "define" virt-hostdev define bare.xml
macs=$(virt-hostdev dumpxml bare | grep -A1 '<netdev' | grep -o "address='[^']*'")
like "port 1 keeps its own, port 2 has one of ours" "$(tr '\n' ' ' <<< "$macs")" "^address='52:54:00:aa:00:01' address='52:54:00:(..:){2}..' $"
is "it is the same the next time" "$(virt-hostdev dumpxml bare | grep -A1 '<netdev' | grep -o "address='[^']*'")" "$macs"
ok "start" virsh -q start bare
is "port 2 has it" "$(vfget "$PF2" 0 address 2)" "\"$(sed -n "2s/address='\(.*\)'/\1/p" <<< "$macs")\""
ok "destroy" virsh -q destroy bare
is "everything as before" "$(snapshot_vfs)" "$before"

step "a VF that moved is not touched"
ok "apply" virt-hostdev apply two.xml
record=/run/libvirt-hostdev/$vf
sed -i "s/index='0'/index='1'/" "$record"
not_ok "release refuses" "was VF 1 of PF .* and is now VF 0" virt-hostdev release two
is "it is still set" "$(vfget "$PF2" 0 'vlan_list[0].vlan' 2)" 43
sed -i "s/index='1'/index='0'/" "$record"
ok "release" virt-hostdev release two
is "everything as before" "$(snapshot_vfs)" "$before"

step "a VF that is gone"
ok "apply" virt-hostdev apply two.xml
vfs "$PF2" 0
like "release says so" "$(virt-hostdev release two 2>&1)" "no longer exists"
is "nothing remembered" "$(virt-hostdev status)" ""
