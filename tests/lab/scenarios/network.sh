# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# suites: trixie
# <interface type='network'> with a VF of two ports from libvirt's own network: libvirt chooses the VF and sets the netdev
# that the kernel lists first, port 1 or port 2, and libvirt-hostdev sets the rest: at a start, an autostart, an attach; and
# however it ends, all is as before. With SIDES=all the guest that is plugged into boots, and so a detach comes to its end;
# else that guest never runs, which takes no time.
. /lab/guest/lib.sh

debug=/sys/kernel/debug/dualport/$PF2
# iface NETWORK MAC MAC2: an interface from a network, with VLAN 43 and no spoof check at port 2, and VLAN 42 itself where that is a VF
iface() {
  local more="<vlan><tag id='42'/></vlan>"
  [[ $1 = pool ]] || more="<model type='virtio'/>"
  echo "<interface type='network'><mac address='$2'/><source network='$1'/>$more<netdev port='2' spoofCheck='no'><mac address='$3'/><vlan><tag id='43'/></vlan></netdev></interface>"
}
# libvirt alone makes the MAC address that a VF's driver had made up an administrator's: "assigned" is its own to change
vfs_now() { snapshot_vfs | sed 's/ assigned .*//'; }
records() { find /run/libvirt-hostdev -type f ! -name '*.lock' -printf '%f '; }
same() { [[ $(vfs_now) = "$before" && -z $(records) ]]; }
restored() { # TEXT
  waitfor 60 same || true
  is "$1: everything as before" "$(vfs_now)" "$before"
  is "$1: nothing remembered" "$(records)" ""
}
index_of() { ip -j link show "$(netdev "$PF2" 1)" | jq ".[0].vfinfo_list[] | select(.address == \"$1\") | .vf"; }
set_on() { # TEXT MAC MAC2: the VF that has MAC at port 1 has the rest, too
  local vf
  vf=$(index_of "$2")
  is "$1: port 1" "$(vfget "$PF2" "${vf:-0}" address 1) $(vfget "$PF2" "${vf:-0}" 'vlan_list[0].vlan' 1)" "\"$2\" 42"
  is "$1: port 2" "$(vfget "$PF2" "${vf:-0}" address 2) $(vfget "$PF2" "${vf:-0}" 'vlan_list[0].vlan' 2)" "\"$3\" 43"
  is "$1: port 2, spoof check" "$(vfget "$PF2" "${vf:-0}" spoofchk 2)" false
}
# list_first PORT: the kernel lists that port's netdev first, of the PF and of each VF
list_first() { call "$PF2" dual "$1"; vfs_first "$1"; }
# vfs_first PORT: of a VF libvirt saves the MAC address of the netdev that is listed first, and restores it at the port that it
# has set: where these are not of one port, both have one. A VF that comes back has new netdevs.
vfs_first() {
  local n
  for n in 0 1 2; do call "$(vfaddr "$PF2" $n)" "vf${n}x" "$1"; done
}
network_up() { virsh -q net-define "$1.xml" && virsh -q net-autostart "$1" && virsh -q net-start "$1"; }
pool_up() {
  echo "<network><name>pool</name><forward mode='hostdev' managed='yes'><pf dev='$(netdev "$PF2" 1)'/></forward><portgroup name='tagged'><vlan><tag id='42'/></vlan></portgroup></network>" > pool.xml
  network_up pool
}
# another_hook OPERATION SCRIPT: a hook of somebody else's that runs after this project's
another_hook() {
  printf '#!/bin/sh\n[ "$2" != %s ] || { %s; }\nexit 0\n' "$1" "$2" > /etc/libvirt/hooks/qemu.d/60-other
  chmod +x /etc/libvirt/hooks/qemu.d/60-other
}
A=52:54:00:aa:00:01 A2=52:54:00:aa:00:02 B=52:54:00:bb:00:01 B2=52:54:00:bb:00:02

step "a network of the VFs of a card with two ports"
dualport_up "$PF2" 3
call "$PF2" dual
for n in 0 1 2; do
  for port in 1 2; do ip link set "$(netdev "$PF2" $port)" vf $n mac "52:54:00:00:0$port:0$n" spoofchk on; done
  ip link set "$(netdev "$PF2" 2)" vf $n vlan 7
  rebind "$(vfaddr "$PF2" $n)"
done
before=$(vfs_now)
list_first 1
hostdevd_up
modprobe tun; ip link add br0 type bridge
echo "<network><name>bridged</name><forward mode='bridge'/><bridge name='br0'/></network>" > bridged.xml
ok "a network of a bridge" network_up bridged
ok "a network of VFs" pool_up

step "define, show, plan"
domain vm "$(iface pool $A $A2)" > vm.xml
ok "virt-hostdev define" virt-hostdev define vm.xml
ok "virsh define" bash -c "virsh -q undefine vm && virsh -q define --validate vm.xml"
is "libvirt has the interface, without what is not its own" \
  "$(stock_virsh dumpxml vm | sed '1,/<devices>/d' | grep -cE "<interface type='network'|<netdev|spoofCheck")" 1
like "dumpxml shows all of it" "$(virsh dumpxml vm | tr -d '\n ')" \
  "<interfacetype='network'><macaddress='$A'/><sourcenetwork='pool'/>.*<netdevport='2'spoofCheck='no'><macaddress='$A2'/>.*</netdev></interface>"
like "plan says that libvirt chooses" "$(virt-hostdev plan --domain vm)" "$A +2 +vlan +43 +yes, at the VF that libvirt chooses"
sed "s/<mac address='$A'.>//; s/>vm</>other</" vm.xml > other.xml
ok "one without a MAC address" virsh -q define other.xml
is "is given one, by which it is known" "$(stock_virsh dumpxml other | grep -oE '52:54:[0-9a-f:]+' | sort | uniq -c | grep -c '^ *2 ')" 1
ok "undefine" virsh -q undefine other

step "start, stop"
ok "start" virsh -q start vm --paused
set_on "running" $A $A2
is "VFIO has the VF" "$(driver "$(vfaddr "$PF2" "$(index_of $A)")")" vfio-pci
like "dumpxml shows port 2 there, too" "$(virsh dumpxml vm | tr -d '\n ')" "<interfacetype='hostdev'managed='yes'>.*<netdevport='2'spoofCheck='no'>"
is "status finds no drift" "$(virt-hostdev status --json | jq -c '[.status[].children[].drift] | unique')" '["no"]'
ok "destroy" virsh -q destroy vm
restored "destroy"

step "starts that fail"
vfs_first 1
echo vlan > "$debug/fail_attr"; echo 2 > "$debug/port"
not_ok "what is refused is named" "Cannot set VLAN 43 on port 2 \(VF . of $(netdev "$PF2" 2)" virsh start vm
echo 1 > "$debug/reset"
restored "a refused setting"
vfs_first 1
another_hook started 'echo no luck >&2; exit 1'
not_ok "another hook fails after QEMU's start" 'no luck' virsh start vm
rm /etc/libvirt/hooks/qemu.d/60-other
restored "another hook's failure"
domain wrong "$(iface bridged $A $A2)" > wrong.xml
ok "a network that has no VFs" virsh -q define wrong.xml
not_ok "is refused at the start" "MAC address $A has netdevs, but its network gives it no VF" virsh start wrong
restored "no VF"

step "attach"
ok "the network ends" eval "virsh -q net-destroy pool && virsh -q net-undefine pool"
list_first 2
ok "and is there again, by the PF's new name" pool_up
# its VLAN is the network's to say
iface pool $B $B2 | sed "s/network='pool'/& portgroup='tagged'/; s/<vlan><tag id='42'.><.vlan><netdev/<netdev/" > plug.xml
like "an interface without a VLAN of its own" "$(cat plug.xml)" "portgroup='tagged'/><netdev"
boot='' paused=--paused
[[ ${SIDES:-} != all ]] || boot=boot paused=''
L2_PORTS=4 domain plugs "" $boot > plugs.xml
ok "a guest to plug into" bash -c "virsh -q define plugs.xml && virsh -q start plugs $paused"
[[ ! $boot ]] || ok "it is up" l2_wait plugs '^L2PING' 400
ok "attach" virsh -q attach-device plugs plug.xml --live --config
set_on "attached" $B $B2
is "both are shown" "$(virsh dumpxml plugs | grep -c '<netdev ') $(virsh dumpxml plugs --inactive | grep -c '<netdev ')" "1 1"
not_ok "again" "has the interface $B already" virsh attach-device plugs plug.xml --live
not_ok "update" "detach it and attach it with the change" virsh update-device plugs plug.xml --live

step "autostart, beside a guest that goes on"
ok "autostart" virsh -q autostart vm
libvirt_stop; rm -f /run/libvirt/qemu/autostarted
stock_up
ok "it runs" waitfor 60 eval '[[ $(virsh -q domstate vm) = running ]]'
set_on "autostarted" $A $A2
set_on "the other one" $B $B2
is "status finds no drift" "$(virt-hostdev status --json | jq -c '[.status[].children[].drift] | unique')" '["no"]'

unplugged() { stock_virsh dumpxml plugs | grep -c 'urn:libvirt-hostdev' || true; }
plugged() { [[ $(virsh dumpxml plugs; virsh dumpxml plugs --inactive) = *"$B"* ]]; }
if [[ $boot ]]; then
  step "detach"
  ok "detach" virsh -q detach-device plugs plug.xml --live --config
  ok "it is gone" waitfor 60 eval '! plugged'
  is "nothing is stored of it" "$(unplugged)" 0

  step "attaches that fail"
  call "$(vfaddr "$PF2" 0)" vf0x 2
  echo vlan > "$debug/fail_attr"; echo 1 > "$debug/port" # libvirt sets port 2 by now, and what it is refused is its own failure
  not_ok "what was refused is named" "Cannot set VLAN 42 on port 1" virsh attach-device plugs plug.xml --live --config
  echo 1 > "$debug/reset"
  ok "it is detached again" waitfor 20 eval '! plugged'
  iface bridged $B $B2 > plug.xml
  not_ok "a network that has no VFs" "its network gives it no VF" virsh attach-device plugs plug.xml --live
  ok "that is detached again, too" waitfor 20 eval '! plugged'
fi

step "kill -9 of QEMU"
kill -KILL "$(cat /run/libvirt/qemu/vm.pid)" "$(cat /run/libvirt/qemu/plugs.pid)"
restored "both"

step "for libvirt alone"
like "unmanage says what is lost" "$(virt-hostdev unmanage vm)" "loses $A port 2: VLAN 43"
is "the interface is left" "$(stock_virsh dumpxml vm | grep -cE "<interface type='network'|urn:libvirt-hostdev")" 1
