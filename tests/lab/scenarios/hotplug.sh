# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# Plain virsh, which knows nothing of us, on the default URI, through virthostdevd: define, edit, start; attach,
# update and detach with both ports set and put back; and, with SIDES=all, what a failing attach leaves behind: nothing.
# suites: bookworm
. /lab/guest/lib.sh

log=/sys/kernel/debug/dualport/$PF2/log
records() { find /run/libvirt-hostdev -type f ! -name '*.lock' -printf '%f ' 2> /dev/null; }
# entries DOMAIN [--inactive]: addresses that libvirt's own metadata of the domain names
entries() { stock_virsh -q dumpxml "$@" | grep -cE '<lh:address' || true; }
# shown DOMAIN [--inactive]: how many netdevs a client sees
shown() { virsh -q dumpxml "$@" | grep -cE '<netdev ' || true; }
has() { virsh -q dumpxml "$@" | grep -cE '<hostdev ' || true; }
device() { hostdev "$1" "$(netdev_xml 1 52:54:00:aa:00:01 42)$(netdev_xml 2 52:54:00:aa:00:02 43)"; }
# state DOMAIN: all that must not change when something fails
state() { snapshot_vfs; records; stock_virsh -q dumpxml "$1"; stock_virsh -q dumpxml "$1" --inactive; }
same() { [[ $(snapshot_vfs) = "$before" && -z $(records) ]]; }
set_on() { # set_on TEXT VF-INDEX
  is "$1: port 1" "$(vfget "$PF2" "$2" address 1) $(vfget "$PF2" "$2" 'vlan_list[0].vlan' 1)" '"52:54:00:aa:00:01" 42'
  is "$1: port 2" "$(vfget "$PF2" "$2" address 2) $(vfget "$PF2" "$2" 'vlan_list[0].vlan' 2)" '"52:54:00:aa:00:02" 43'
}

step "two cards: an igb on the wire, and one of two ports"
igb_up "$PF1" 2
dualport_up "$PF2" 3
igb=$(vfaddr "$PF1" 0) dual=$(vfaddr "$PF2" 0) other=$(vfaddr "$PF2" 1) third=$(vfaddr "$PF2" 2)
ip link set "$(netdev "$PF2" 2)" vf 0 vlan 7 qos 5
ip link set "$(netdev "$PF2" 1)" vf 0 mac 52:54:00:00:00:11
rebind "$dual"
igb_mac "$PF1" 0 52:54:00:00:00:21                             # without one it has another MAC after each probe
before=$(snapshot_vfs)
hostdevd_up

step "define, dumpxml, edit"
domain static "$(device "$other")" > static.xml
ok "define --validate" virsh -q define --validate static.xml
is "a client sees both netdevs" "$(shown static)" 2
is "libvirt keeps them in metadata" "$(entries static) $(stock_virsh -q dumpxml static | grep -c '<netdev ')" "1 0"
sed "s/id='43'/id='5000'/" static.xml > bad.xml
not_ok "a wrong value has our message" "port 2.*5000" virsh define bad.xml
not_ok "also with --validate" "5000" virsh define --validate bad.xml
printf '#!/bin/sh\nsed -i "s/id=.43./id='"'44'"'/" "$1"\n' > editor; chmod +x editor
ok "edit" env EDITOR="$PWD/editor" virsh edit static
like "the edit arrived" "$(virsh -q dumpxml static | tr -d '\n ')" "tagid=.44."
sed -i "s/44/45/; s/43/44/; s/45/43/" editor
ok "edit back" env EDITOR="$PWD/editor" virsh edit static
ok "start" virsh -q start static
set_on "started" 1
is "a running domain shows them too" "$(shown static)" 2
is "our metadata is not there to read" "$(virsh metadata static --uri urn:libvirt-hostdev:1 2>&1)" "$(virsh metadata static --uri urn:none 2>&1)"
not_ok "nor to write" "urn:libvirt-hostdev:1" virsh metadata static --uri urn:libvirt-hostdev:1 --key x --set '<x/>'
not_ok "nor to remove" "urn:libvirt-hostdev:1" virsh metadata static --uri urn:libvirt-hostdev:1 --remove
ok "others' metadata is" virsh -q metadata static --uri urn:other --key o --set '<a/>'
like "and reads back" "$(virsh -q metadata static --uri urn:other)" '<a'
ok "destroy" virsh -q destroy static
ok "all is put back" waitfor 20 same
ok "undefine" virsh -q undefine static

step "a guest to plug into"
L2_PORTS=5 domain vm "" boot > vm.xml
ok "define" virsh -q define vm.xml
ok "start" virsh -q start vm
ok "the guest is up" l2_wait vm '^L2PING' 400

step "attach --live: two ports at once"
device "$dual" > dual.xml
echo > "$log"
ok "attach" virsh -q attach-device vm dual.xml --live
set_on "attached" 0
is "every write came before VFIO" "$(sed -n 's/.*drv=\([^ ]*\) port=\(.\) vf=\(.\) \([a-z]*\) .*/\1 \2 \3 \4/p' "$log")" \
  $'dualport_vf 1 0 mac\ndualport_vf 1 0 vlan\ndualport_vf 2 0 mac\ndualport_vf 2 0 vlan'
is "VFIO has it" "$(driver "$dual")" vfio-pci
is "live: shown; config: not" "$(shown vm) $(shown vm --inactive)" "2 0"
is "remembered" "$(records)" "$dual "
now=$(state vm)
not_ok "a second attach is libvirt's to refuse" "already|in use" virsh attach-device vm dual.xml --live
is "and changes nothing" "$(state vm)" "$now"

step "attach --live: an igb VF; the guest sees its MAC"
hostdev "$igb" "$(netdev_xml 1 52:54:00:00:00:77 42)" > igb.xml
ok "attach" virsh -q attach-device vm igb.xml --live
ok "the guest has it" l2_wait vm 'L2MAC .* 52:54:00:00:00:77'
is "the VLAN is on the VF" "$(vfget "$PF1" 0 'vlan_list[0].vlan')" 42

step "update-device: at once, or a reason"
hostdev "$dual" "$(netdev_xml 1 52:54:00:aa:00:01 42)$(netdev_xml 2 52:54:00:aa:00:02 99)" > update.xml
ok "a VLAN" virsh -q update-device vm update.xml --live
is "is on the VF" "$(vfget "$PF2" 0 'vlan_list[0].vlan' 2)" 99
like "and in the XML" "$(virsh -q dumpxml vm | tr -d '\n ')" "tagid=.99."
hostdev "$dual" "$(netdev_xml 1 52:54:00:aa:00:01 42)<netdev port='2' trustGuestRxFilters='yes' spoofCheck='yes'><mac address='52:54:00:aa:00:02'/><vlan><tag id='43'/></vlan><link state='down'/><bandwidth><outbound average='125000'/></bandwidth></netdev>" > update.xml
ok "trust, spoof check, link state, rate" virsh -q update-device vm update.xml --live
is "are on the VF" "$(vfget "$PF2" 0 trust 2) $(vfget "$PF2" 0 spoofchk 2) $(vfget "$PF2" 0 link_state 2) $(vfget "$PF2" 0 rate.max_tx 2)" 'true true "disable" 1024'
ok "what is written no more" virsh -q update-device vm dual.xml --live
set_on "updated back" 0
is "goes back to what it was" "$(vfget "$PF2" 0 trust 2) $(vfget "$PF2" 0 spoofchk 2) $(vfget "$PF2" 0 link_state 2) $(vfget "$PF2" 0 rate.max_tx 2)" 'false false "auto" 0'
now=$(state vm)
sed 's/aa:00:02/bb:00:02/' dual.xml > update.xml
not_ok "a MAC under a guest is refused, with a reason" "(MAC|mac).*(guest|driver)" virsh update-device vm update.xml --live
sed "s/managed='yes'/managed='no'/" dual.xml > update.xml
not_ok "so is anything but netdevs" "managed" virsh update-device vm update.xml --live
echo vlan > "/sys/kernel/debug/dualport/$PF2/fail_attr"; echo 2 > "/sys/kernel/debug/dualport/$PF2/port"
sed "s/id='43'/id='88'/; s/id='42'/id='77'/" dual.xml > update.xml
not_ok "a refused one names what was refused" "Cannot set VLAN 88 on port 2" virsh update-device vm update.xml --live
echo 1 > "/sys/kernel/debug/dualport/$PF2/reset"
is "none of them left a trace" "$(state vm)" "$now"

step "detach by XML: back when the guest lets go"
ok "detach" virsh -q detach-device vm dual.xml --live
gone() { [[ $(has vm) = 1 && $(records) = "$igb " ]]; }
ok "it goes" waitfor 30 gone
is "its metadata went" "$(entries vm)" 1
is "the host's driver has it" "$(driver "$dual")" dualport_vf
is "with its old MAC" "$(cat "$PCI/$dual"/net/*/address | sort)" "$(grep -E "^vf $dual port" <<< "$before" | sed 's/.* mac \([^ ]*\) .*/\1/' | sort)"

step "detach by alias"
alias=$(virsh -q dumpxml vm | sed -n "s/.*alias name='\(hostdev[0-9]*\)'.*/\1/p")
ok "detach" virsh -q detach-device-alias vm "$alias" --live
ok "all is put back" waitfor 30 same
is "no metadata is left" "$(entries vm)" 0

step "a guest that does not let go keeps what it has"
domain deaf "" > deaf.xml
ok "create" virsh -q create deaf.xml
ok "attach" virsh -q attach-device deaf dual.xml --live
sleep 2
virsh -q detach-device deaf dual.xml --live > out 2>&1 || true
sleep 2
if [[ $(has deaf) = 1 ]]; then
  set_on "still the guest's" 0
  is "remembered, and shown" "$(records)$(shown deaf)" "$dual 2"
else
  is "it went, and all with it" "$(records)$(shown deaf)" "0"
fi
ok "destroy" virsh -q destroy deaf
ok "then all is put back" waitfor 20 same

step "--config, --current, both"
ok "attach --config" virsh -q attach-device vm dual.xml --config
is "only the config has it" "$(shown vm) $(shown vm --inactive) $(records)" "0 2 "
ok "update --config: a MAC too" virsh -q update-device vm <(sed 's/aa:00:02/bb:00:02/' dual.xml) --config
like "is there" "$(virsh -q dumpxml vm --inactive)" '52:54:00:bb:00:02'
ok "detach --config" virsh -q detach-device vm dual.xml --config
is "nothing is left" "$(shown vm --inactive) $(entries vm --inactive)" "0 0"
ok "attach --live --config" virsh -q attach-device vm dual.xml --live --config
is "both have it" "$(shown vm) $(shown vm --inactive) $(records)" "2 2 $dual "
ok "detach both" virsh -q detach-device vm dual.xml --live --config
ok "all is put back" waitfor 30 same
is "in both" "$(entries vm) $(entries vm --inactive)" "0 0"
ok "attach --current to a running guest" virsh -q attach-device vm dual.xml --current
is "is live" "$(shown vm) $(shown vm --inactive)" "2 0"
ok "detach --current" virsh -q detach-device vm dual.xml --current
ok "all is put back" waitfor 30 same

if [[ ${SIDES:-} = all ]]; then
  step "an attach that fails leaves nothing"
  now=$(state vm)
  echo vlan > "/sys/kernel/debug/dualport/$PF2/fail_attr"; echo 2 > "/sys/kernel/debug/dualport/$PF2/port"
  not_ok "a refused VLAN" "Cannot set VLAN 43 on port 2 \(VF 0 of $(netdev "$PF2" 2), $dual\): Operation not permitted" virsh attach-device vm dual.xml --live --config
  echo 1 > "/sys/kernel/debug/dualport/$PF2/reset"
  is "leaves nothing" "$(state vm)" "$now"
  domain holder "$(device "$other")" > holder.xml
  ok "another domain has a VF" virsh -q create holder.xml
  now=$(state vm)
  not_ok "which ours then cannot get" "in use by domain 'holder'" virsh attach-device vm <(device "$other") --live
  is "and that leaves nothing" "$(state vm)" "$now"
  ok "a VF without netdevs goes to another domain" virsh -q attach-device holder <(hostdev "$third") --live
  now=$(state vm)
  not_ok "it is in use all the same" "in use|another process|has it open" virsh attach-device vm <(device "$third") --live
  is "and its guest is not disturbed" "$(state vm)" "$now"
  ok "destroy" virsh -q destroy holder
  ok "its VFs are put back" waitfor 20 same
  now=$(state vm)
  ip link set "$(netdev "$PF2" 2)" down
  not_ok "a port that is down" "is down" virsh attach-device vm dual.xml --live
  ip link set "$(netdev "$PF2" 2)" up
  is "leaves nothing" "$(state vm)" "$now"
  device "$dual" | sed "s|</hostdev>|<rom file='/nowhere'/></hostdev>|" > rom.xml
  not_ok "QEMU's own refusal, after the VF was set" "/nowhere" virsh attach-device vm rom.xml --live
  ok "puts all back" waitfor 20 same
  is "leaves nothing" "$(state vm)" "$now"
fi
ok "attach, for the end" virsh -q attach-device vm dual.xml --live
set_on "attached" 0

step "the guest ends with a device plugged in"
ok "destroy" virsh -q destroy vm
ok "all is put back" waitfor 20 same
is "the daemon and its filters are alive" "$(pidof virthostdevd | wc -w)" 1
