# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# suites: trixie
# Somebody else changes VFs that a running guest has: the daemon finds out, by the kernel's news or by looking, says so once,
# and puts it back only when asked to, and not for ever. What we change ourselves is never somebody else's.
. /lab/guest/lib.sh

dualport_log=/sys/kernel/debug/dualport/$PF2/log
device() { hostdev "$1" "$(netdev_xml 1 52:54:00:aa:00:01 42)$(netdev_xml 2 52:54:00:aa:00:02 "${2:-43}")"; }
drifts() { hostdevd_said 'Somebody else has changed'; }
# drift DEVICE: the settings of it that status finds changed: "PORT SETTING SET NOW"
drift() {
  virt-hostdev --json status |
    jq -r --arg device "$1" '.status[] | select(.device == $device).children[] | select(.drift == "yes") | "\(.port) \(.setting) \(.set) \(.now)"'
}
counter() { virt-hostdev --json status | jq ".counters.$1"; }
vlan() { vfget "$1" "$2" 'vlan_list[0].vlan' "${3:-1}"; }
is_vlan() { [[ $(vlan "$1" "$2" "$4") = "$3" ]]; } # PF N VLAN PORT

step "a guest with a VF of each card"
igb_up "$PF1" 2
dualport_up "$PF2" 3
igb=$(vfaddr "$PF1" 0) dual=$(vfaddr "$PF2" 0) other=$(vfaddr "$PF2" 1)
pf1=$(netdev "$PF1") pf2=$(netdev "$PF2" 2)
igb_mac "$PF1" 0 52:54:00:00:00:21              # without one it has another MAC after each probe
before=$(snapshot_vfs)
hostdevd_up 'drift_interval = 100000'
domain vm "$(hostdev "$igb" "$(netdev_xml 1 52:54:00:00:00:77 42)")$(device "$dual")" > vm.xml
ok "start" virsh -q create vm.xml
sleep 3 # the news of our own writes has been looked at
is "what we set is no drift" "$(drifts)$(drift "$igb")$(drift "$dual")" 0
is "it is counted" "$(counter changes) $(counter drifts)" "2 0"

step "somebody else, by ip link: found by the kernel's news"
ip link set "$pf1" vf 0 vlan 99
ok "a VLAN on igb is logged, with both values" waitfor 10 hostdevd_says "changed port 1 \(VF 0 of $pf1, $igb\), which 'vm' has: VLAN was set to 42 and is now 99"
is "status shows it" "$(drift "$igb")" "1 vlan 42 99"
ip link set "$pf2" vf 0 mac 52:54:00:99:99:99 vlan 99 qos 3
ok "a MAC address on port 2" waitfor 10 hostdevd_says "changed port 2 \(VF 0 of $pf2, $dual\), which 'vm' has: MAC address was set to 52:54:00:aa:00:02 and is now 52:54:00:99:99:99"
ok "and a VLAN" waitfor 10 hostdevd_says "VLAN was set to 43 and is now 99 \(priority 3\)"
is "status shows both" "$(drift "$dual")" $'2 mac 52:54:00:aa:00:02 52:54:00:99:99:99\n2 vlan 43 99 (priority 3)'
ip link set "$pf2" vf 0 spoofchk on trust on
ip link set "$pf2" vf 2 vlan 7
sleep 3
is "what nobody asked for, and nobody's VF, is no drift; nor is it said again" "$(drifts)" 3
ip link set "$pf2" vf 2 vlan 0
ip link set "$pf2" vf 0 spoofchk off trust off
is "nothing was put back" "$(vlan "$PF1" 0) $(vlan "$PF2" 0 2)" "99 99"
is "each is counted once" "$(counter drifts) $(counter enforced)" "3 0"
ip link set "$pf1" vf 0 vlan 42
ok "put back by hand, that is said" waitfor 10 hostdevd_says "VF 0 of $pf1, $igb\), which 'vm' has: VLAN is 42 again, as it was set"
is "and shown" "$(drift "$igb")" ""

step "the PF's netdev has another name"
ip link set "$pf1" name lan7
ip link set lan7 vf 0 vlan 98
ok "the VF is the same" waitfor 10 hostdevd_says "\(VF 0 of lan7, $igb\), which 'vm' has: VLAN was set to 42 and is now 98"
ip link set lan7 vf 0 vlan 42
ok "and back" waitfor 10 hostdevd_says "\(VF 0 of lan7, $igb\), which 'vm' has: VLAN is 42 again"
ip link set lan7 name "$pf1"

step "without news: the PF is down"
now=$(drifts)
ip link set "$pf2" down
sleep 3
ip link set "$pf2" vf 0 vlan 97
sleep 3
is "the kernel tells nothing" "$(drifts)" "$now"
hostdevd_configure 'drift_interval = 2'
ok "a look finds it" waitfor 10 hostdevd_says 'VLAN was set to 43 and is now 97$'
ip link set "$pf2" vf 0 vlan 96
ok "and the next one the next" waitfor 20 hostdevd_says 'VLAN was set to 43 and is now 96$'
hostdevd_configure 'drift_interval = 2' 'enforce = "yes"'
ok "a port that is down is not written, and it is said what to do" waitfor 10 hostdevd_says "the PF's netdev $pf2 is down. Bring it up first"
is "nothing was" "$(vlan "$PF2" 0 2)" 96
ip link set "$pf2" up
ok "then it is put back" waitfor 20 is_vlan "$PF2" 0 43 2
ok "all of it" waitfor 10 hostdevd_says "MAC address was 52:54:00:99:99:99 and is 52:54:00:aa:00:02 again, because enforce is set"
is "status finds nothing" "$(drift "$dual")" ""

step "enforce: just what differs"
hostdevd_configure 'drift_interval = 100000' 'enforce = "yes"'
sleep 3
echo > "$dualport_log"
ip link set "$(netdev "$PF2" 1)" vf 0 vlan 66
ok "it is put back" waitfor 10 hostdevd_says "VLAN was 66 and is 42 again, because enforce is set"
is "by one write" "$(sed 's/.* port=\(.\) vf=\(.\) \([a-z]* [^ ]*\) .*/\1 \2 \3/' "$dualport_log")" $'1 0 vlan id=66\n1 0 vlan id=42'
ip link set "$pf1" vf 0 vlan 66 mac 52:54:00:66:66:66
ok "on igb too" waitfor 10 is_vlan "$PF1" 0 42 1
is "its MAC too" "$(vfget "$PF1" 0 address)" '"52:54:00:00:00:77"'
ok "the guest is not disturbed" test "$(virsh -q domstate vm)" = running

step "enforce does not fight for ever"
hostdevd_configure 'drift_interval = 100000' 'enforce = "yes"'
sleep 3
now=$(hostdevd_said 'VLAN was 55 and is 43 again')
(
  trap - EXIT ERR
  while ! hostdevd_says "to keep VF 0 of $PF2 \($dual\), which 'vm' has, as it was set"; do
    ip link set "$pf2" vf 0 vlan 55
    sleep 0.5
  done
) &
fighter=$!
ok "it gives up, and says so" waitfor 90 hostdevd_says "attempts in 600 seconds to keep VF 0 of $PF2 \($dual\)"
wait "$fighter"
is "after 5 times" "$(($(hostdevd_said 'VLAN was 55 and is 43 again') - now))" 5
ip link set "$pf2" vf 0 vlan 54
sleep 4
is "from then on it is let be" "$(vlan "$PF2" 0 2)" 54
ip link set "$pf1" vf 0 vlan 54
ok "other VFs are not" waitfor 10 is_vlan "$PF1" 0 42 1
hostdevd_configure 'drift_interval = 100000' 'enforce = "yes"'
ok "a reload has it tried again" waitfor 10 is_vlan "$PF2" 0 43 2

step "what we do ourselves is never drift"
hostdevd_configure 'drift_interval = 1'
sleep 3
now=$(drifts)
for round in 1 2 3; do
  virsh -q attach-device vm <(device "$other") --live
  virsh -q update-device vm <(device "$other" $((100 + round))) --live
  virsh -q update-device vm <(device "$dual" $((200 + round))) --live
  virsh -q destroy vm
  virsh -q create vm.xml
done
sleep 3
is "no false drift in 3 rounds of attach, update, stop and start" "$(drifts)" "$now"
delay() { echo "$1" > "/sys/kernel/debug/dualport/$PF2/delay_ms"; }
delay 400
virsh -q attach-device vm <(device "$other") --live
virsh -q update-device vm <(device "$other" 300) --live
delay 0
sleep 3
is "nor when the device is slow" "$(drifts)" "$now"

step "without the daemon"
ok "the daemon is ended" hostdevd_stop
ip link set "$pf2" vf 0 vlan 88
ok "status finds it without a daemon" test "$(drift "$dual")" = "2 vlan 43 88"
ip link set "$pf2" vf 0 vlan 43
hostdevd_start

step "the end"
ok "destroy" virsh -q destroy vm
same() { [[ $(snapshot_vfs) = "$before" ]]; }
ok "all is put back" waitfor 20 same
is "status is empty" "$(virt-hostdev status)" ""
like "what was done is counted" "$(counter restored)" '^[1-9]'
