# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# suites: trixie
# Going back: "virt-hostdev unmanage --all" writes all domains for libvirt alone and lists what that cannot do; then all that
# we installed is removed, and every domain starts.
. /lab/guest/lib.sh

trap 'bash /lab/guest/install.sh; finish' EXIT          # what is removed comes back

step "domains of every kind, through plain virsh"
igb_up "$PF1" 4
modprobe dualport; echo 1 > /sys/module/dualport/parameters/ports
dualport_up "$PF3" 1; echo 2 > /sys/module/dualport/parameters/ports
dualport_up "$PF2" 2
for n in 0 1 2 3; do
  igb_mac "$PF1" $n "52:54:00:00:00:1$n"
done
before=$(snapshot_vfs)
hostdevd_up
# kind NAME DEVICES: a domain defined by a client
kind() { domain "$1" "$2" > "$1.xml"; ok "$1" virsh -q define "$1.xml"; }
kind interface "$(interface "$(vfaddr "$PF1" 0)" 52:54:00:aa:00:01 42)"
kind netdev "$(hostdev "$(vfaddr "$PF1" 1)" "$(netdev_xml 1 52:54:00:aa:00:02 43)")"
kind two "$(hostdev "$(vfaddr "$PF2" 0)" "$(netdev_xml 1 52:54:00:aa:00:03 44)$(netdev_xml 2 52:54:00:aa:00:04 45)")"
kind more "$(hostdev "$(vfaddr "$PF3" 0)" "<netdev port='1' trustGuestRxFilters='yes'><mac address='52:54:00:aa:00:05'/><vlan><tag id='46' priority='5'/></vlan></netdev>")"
kind second "$(interface "$(vfaddr "$PF2" 1)" 52:54:00:aa:00:06 47 | sed "s/<interface /&port='2' /")"
kind plain "$(hostdev "$(vfaddr "$PF1" 3)")"
domain untouched "$(interface "$(vfaddr "$PF1" 2)" 52:54:00:aa:00:07 48)" > untouched.xml
ok "one that was there before us" stock_virsh -q define untouched.xml
names="interface more netdev plain second two untouched"
is "they are all there" "$(virsh -q list --all --name | sort | xargs)" "$names"
stored() { stock_virsh -q dumpxml --inactive "$1"; }
mentions() { for name in $names; do stored "$name" | grep -q urn:libvirt-hostdev && echo "$name"; done | xargs; }
is "libvirt keeps ours in metadata" "$(mentions)" "interface more netdev second two"
kept=$(stored untouched; stored plain)

step "a running domain stays as it is until it ends"
ok "start" virsh -q start interface
ok "unmanage" virt-hostdev unmanage interface
ok "destroy" virsh -q destroy interface
is "everything is as before" "$(snapshot_vfs)" "$before"

step "unmanage --all"
said=$(virt-hostdev unmanage --all 2>&1) || fail "unmanage --all" "$said"
echo "$said"
for lost in "$(vfaddr "$PF2" 0) port 1: MAC address 52:54:00:aa:00:03" "$(vfaddr "$PF2" 0) port 2: VLAN 45" \
  "$(vfaddr "$PF3" 0) port 1: VLAN 46" "$(vfaddr "$PF3" 0) port 1: trust" "$(vfaddr "$PF2" 1) port 2: VLAN 47"; do
  like "it says that it cannot keep $lost" "$said" "$lost"
done
not_ok "and nothing about what libvirt can do" '^$' grep -E '52:54:00:aa:00:0[127]|VLAN 4[238]' <<< "$said"
is "nothing of ours is left" "$(mentions)" ""
is "what was not ours is the same byte for byte" "$(stored untouched; stored plain)" "$kept"
like "once more there is nothing to do" "$(virt-hostdev unmanage --all 2>&1; echo "exit $?")" "exit 0"

step "our package is removed"
hostdevd_stop
libvirt_stop
(cd / && xargs -r -d '\n' rm -f < /run/lab-installed)
rm -rf /etc/libvirt/virthostdevd.conf /run/libvirt-hostdev
is "no program of ours is left" "$(find /usr/bin /usr/sbin /usr/libexec /etc/libvirt -name "*virt*hostdev*")" ""
libvirt_up

step "every domain starts on libvirt alone"
for name in $names; do ok "$name" virsh -q start "$name"; done
is "they run" "$(virsh -q list --name | sort | xargs)" "$names"
set_on() { echo "$(vfget "$1" "$2" address) $(vfget "$1" "$2" 'vlan_list[0].vlan')"; }
is "interface has MAC and VLAN" "$(set_on "$PF1" 0)" '"52:54:00:aa:00:01" 42'
is "so has the <hostdev> with one netdev" "$(set_on "$PF1" 1)" '"52:54:00:aa:00:02" 43'
is "and the one we never touched" "$(set_on "$PF1" 2)" '"52:54:00:aa:00:07" 48'
is "the one with priority and trust, without these" "$(set_on "$PF3" 0) $(vfget "$PF3" 0 trust) $(vfget "$PF3" 0 'vlan_list[0].qos')" '"52:54:00:aa:00:05" 46 false null'
is "two netdevs: nothing is set" "$(set_on "$PF2" 0)" '"00:00:00:00:00:00" null'
for name in $names; do ok "$name stops" virsh -q destroy "$name"; done
