# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# Drivers' quirks: a case for each row of src/util/virnetdevquirk.c, in its order and under its name (quirktest.c
# compares them). Each is switched on in the dual-port driver, met by a setting, and met again when that is put back.
# suites: trixie
. /lab/guest/lib.sh

dir=/sys/kernel/debug/dualport/$PF2
par=/sys/module/dualport/parameters
knob() { echo "$2" > "$dir/$1"; }
# quirk NAME: what follows is about it, and begins where everything did
quirk() { step "$1"; quirk=$1; echo 1 > "$dir/reset"; echo > "$dir/log"; before=$clean; }
# port N CHILDREN: a <netdev> of the VF
port() { echo "<netdev port='$1'>$2</netdev>"; }
apply() { hostdev "$vf" "$1" > one.xml; ok "$quirk: apply" virt-hostdev apply --owner me one.xml; }
# refused PATTERN NETDEVS: is named, and undone
refused() { hostdev "$vf" "$2" > one.xml; not_ok "$quirk: is named" "$1" virt-hostdev apply --owner me one.xml; }
release() {
  ok "$quirk: release" virt-hostdev release me
  echo 1 > "$dir/reset"
  as_before
}
as_before() {
  is "$quirk: everything as before" "$(snapshot_vfs)" "$before"
  is "$quirk: nothing remembered" "$(find /run/libvirt-hostdev -type f ! -name '*.lock' -printf '%f ')" ""
}
# refusals ERRNO: how many writes were refused so
refusals() { grep -c -- "-> -$1\$" "$dir/log"; }
# pf_again PARAMETER=VALUE: the PF is bound anew with it, and has its VF
pf_again() {
  echo 0 > "$PCI/$PF2/sriov_numvfs"
  echo "${1#*=}" > "$par/${1%%=*}"
  rebind "$PF2"
  dualport_up "$PF2" 1
}
mac="<mac address='52:54:00:aa:00:01'/>" vlan="<vlan><tag id='42'/></vlan>"
rate="<bandwidth><outbound average='125000'/></bandwidth>"
dualport_up "$PF2" 1
vf=$(vfaddr "$PF2" 0)
[[ -d /run/libvirt-hostdev ]] || mkdir -m 700 /run/libvirt-hostdev
clean=$(snapshot_vfs)

quirk reset-wait
knob reset_ms 800
apply "$(port 1 "$mac$vlan")<netdev port='2' trustGuestRxFilters='yes'>$vlan</netdev>"
is "all is set" "$(vfget "$PF2" 0 'vlan_list[0].vlan')$(vfget "$PF2" 0 trust 2)" 42true
like "it was refused meanwhile" "$(refusals 16)" '^[1-9]'
release

quirk operation-pending
knob busy 3; knob busy_errno 11
apply "$(port 1 "$mac$vlan")$(port 2 "$vlan")"
is "it was refused three times" "$(refusals 11)" 3
knob busy 2
release

quirk zero-mac
apply "$(port 1 "$mac")$(port 2 "<mac address='52:54:00:aa:00:02'/>")"
knob refuse_zero_mac 1
like "release says what it did" "$(virt-hostdev release me 2>&1)" "warning: .*02:00:00:00:00:00"
echo 1 > "$dir/reset"
is "the MAC is the stand-in" "$(vfget "$PF2" 0 address 1)" '"02:00:00:00:00:00"'
for n in 1 2; do ip link set "$(netdev "$PF2" "$n")" vf 0 mac 00:00:00:00:00:00; done
as_before

quirk vlan-none-4095
knob vlan_none_4095 1
hostdev "$vf" "$(port 2 "$vlan")" > one.xml
like "it is read as none" "$(virt-hostdev plan --json one.xml | jq -r '.plan[0].from')" '^none$'
apply "$(port 2 "$vlan")"
release

quirk vlan-behind-rate
knob vlan_none_4095 1; knob vlan_needs_no_rate 1; knob 8021ad_needs_vlan 1
apply "$(port 1 "$vlan$rate")"
release
ip link set "$(netdev "$PF2" 2)" vf 0 vlan 7 max_tx_rate 500
before=$(snapshot_vfs)
knob vlan_needs_no_rate 1
apply "$(port 2 "$vlan")"
is "the VLAN is set" "$(vfget "$PF2" 0 'vlan_list[0].vlan' 2)" 42
is "the rate is as it was" "$(vfget "$PF2" 0 rate.max_tx 2)" 500
like "it was in the way" "$(refusals 1)" '^[1-9]'
release
ip link set "$(netdev "$PF2" 2)" vf 0 max_tx_rate 0
ip link set "$(netdev "$PF2" 2)" vf 0 vlan 0

quirk mac-behind-spoofcheck
knob spoofchk_needs_mac 1
apply "<netdev port='1' spoofCheck='yes'>$mac</netdev>"
is "both are set" "$(vfget "$PF2" 0 spoofchk)$(vfget "$PF2" 0 address)" 'true"52:54:00:aa:00:01"'
release
like "it was in the way" "$(refusals 1)" '^[1-9]'

quirk noop-refused
knob noop_eperm 1
apply "<netdev port='1' spoofCheck='no' trustGuestRxFilters='no'>$mac$vlan<link state='auto'/></netdev>"
ok "$quirk: apply again" virt-hostdev apply --owner me one.xml
is "nothing was refused" "$(refusals 1)" 0
release

quirk port-redirect
pf_again single_port=0,1,0,0
echo > "$dir/log"
before=$(snapshot_vfs)
refused "VF 0 of PF $PF2 \($vf\) has no port 1; it has 2" "$(port 1 "$mac$vlan")"
is "nothing was written, for num_vfs says so" "$(cat "$dir/log")" ""
mount --bind /dev/null "$par/num_vfs"
refused "VF 0 of PF $PF2 \($vf\) lacks the port .* written it to port 2\. That was undone" "$(port 1 "$mac$vlan")"
like "without that, the driver does: it went elsewhere" "$(cat "$dir/log")" ' redirected$'
umount "$par/num_vfs"
as_before
apply "$(port 2 "$mac$vlan")"
is "the VF's own port is set" "$(vfget "$PF2" 0 'vlan_list[0].vlan' 2)" 42
release
pf_again single_port=0,0,0,0

quirk no-reading
pf_again silent=Y
apply "$(port 1 "$mac$vlan")"
written() { sed -n 's/.* port=1 vf=0 \(mac addr=[^ ]*\|vlan id=[^ ]*\) .*-> 0$/\1/p' "$dir/log" | tr '\n' ' '; }
is "both were written" "$(written)" "mac addr=52:54:00:aa:00:01 vlan id=42 "
echo > "$dir/log"
ok "$quirk: release" virt-hostdev release me
is "both were taken away" "$(written)" "mac addr=00:00:00:00:00:00 vlan id=0 "
knob fail_attr vlan
refused "Cannot set VLAN 42 on port 1 .*Operation not permitted" "$(port 1 "$mac$vlan")"
is "the MAC was taken away" "$(written | sed 's/.*mac/mac/')" "mac addr=00:00:00:00:00:00 "
knob fail_attr none
ok "$quirk: release again" virt-hostdev release me
pf_again silent=N
as_before

quirk sticky-mac
own=$(cat "$PCI/$vf/net/$(netdev "$vf" 1)/address")
apply "$(port 1 "$mac")"
is "the driver has its own MAC" "$(cat "$PCI/$vf/net/$(netdev "$vf" 1)/address")" "$own"
rebind "$vf"; waitfor 10 netdev "$vf" 2
is "until it probes" "$(cat "$PCI/$vf/net/$(netdev "$vf" 1)/address")" 52:54:00:aa:00:01
release

quirk random-mac-shown
echo Y > "$par/random_mac"; echo Y > "$par/report_vf_mac"
rebind "$vf"; waitfor 10 netdev "$vf" 2
own=$(cat "$PCI/$vf/net/$(netdev "$vf" 1)/address")
is "it is shown" "$(vfget "$PF2" 0 address)" "\"$own\""
apply "$(port 1 "$mac")"
ok "$quirk: release" virt-hostdev release me
not_ok "it is no admin MAC now" '^$' grep -q "mac addr=$own" "$dir/log"
is "none is" "$(grep ' mac addr=' "$dir/log" | tail -n 1 | sed 's/.* addr=\([^ ]*\) .*/\1/')" 00:00:00:00:00:00
is "the driver is free to choose" "$(cat "$PCI/$vf/net/$(netdev "$vf" 1)/addr_assign_type")" 1
echo N > "$par/random_mac"; echo N > "$par/report_vf_mac"

quirk admin-mac-only
echo Y > "$par/random_mac"
rebind "$vf"; waitfor 10 netdev "$vf" 2
is "what the VF's driver made up is not shown" "$(vfget "$PF2" 0 address)" '"00:00:00:00:00:00"'
echo N > "$par/random_mac"; rebind "$vf"; waitfor 10 netdev "$vf" 2

quirk guid-in-sysfs
rmmod dualport; modprobe dualport admin_guids=1 ib_ports=2; dualport_up "$PF2" 1
before=$(snapshot_vfs)
guid=$(echo "$PCI/$PF2"/infiniband/*/iov/ports/2/admin_guids/1)
echo 200000000000000a > "$guid"
apply "$(port 2 "<guid port='02:11:22:33:44:55:66:77'/>")"
is "rtnetlink lists no VF" "$(vfget "$PF2" 0 vf 2 2> /dev/null)" ""
is "it is in sysfs" "$(cat "$guid")" 211223344556677
like "status reads it there" "$(virt-hostdev status)" ' portGuid +02:11:22:33:44:55:66:77 +02:11:22:33:44:55:66:77 +no'
release
is "and what was there is back" "$(cat "$guid")" 200000000000000a
rmmod dualport                                   # its parameters are for here alone
