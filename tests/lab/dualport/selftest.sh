#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# selftest.sh [PF [IGB-PF]]: puts the dualport module through all it can do, as root on a machine with an 82576.
# PF: PCI address of the function to take; IGB-PF: another, left to igb, for the test that both live side by side
# (default: the first and second 8086:10c9 of the machine). Needs ip, modprobe, /sys, debugfs; python3 for port profiles.
# ONLY="mac log": these tests alone (the names behind test_); STRESS=SECONDS: how long the last one takes (20)
# shellcheck disable=SC2317   # the tests are called by name
PCI=/sys/bus/pci/devices PAR=/sys/module/dualport/parameters
FAILS=0 TESTS=0

# --- helpers ---------------------------------------------------------------------------------------------------------
step() { printf '### %s (%s s)\n' "$*" $SECONDS; }
is() { # is TEXT GOT WANTED
  TESTS=$((TESTS + 1))
  if [ "$2" = "$3" ]; then echo "ok   $1"; else FAILS=$((FAILS + 1)); printf 'FAIL %s: got "%s", not "%s"\n' "$1" "$2" "$3"; fi
}
has() { # has TEXT GOT PATTERN (a shell pattern)
  # shellcheck disable=SC2053
  if [[ $2 == $3 ]]; then is "$1" "" ""; else is "$1" "$2" "$3"; fi
}
runs() { local d=$1 o; shift; o=$("$@" 2>&1); is "$d" "$? $o" "0 "; }
EPERM='Operation not permitted' EINVAL='Invalid argument' EBUSY='Device or resource busy'
EAGAIN='Resource temporarily unavailable' EOPNOTSUPP='Operation not supported' EPROTO='Protocol not supported'
refused() { # refused TEXT MESSAGE COMMAND...
  local d=$1 m=$2 o; shift 2; o=$("$@" 2>&1) && o="no error"
  is "$d" "${o#RTNETLINK answers: }" "$m"
}
PF='' IGB='' DP=''
functions() { local d; for d in "$PCI"/*; do [ "$(cat "$d/vendor" "$d/device")" != $'0x8086\n0x10c9' ] || basename "$d"; done; }
driver() { basename "$(readlink "$PCI/$1/driver")" 2>/dev/null; }
vfaddr() { basename "$(readlink "$PCI/${2:-$PF}/virtfn$1")"; }
netdev() { # netdev ADDRESS PORT: its name; ports count from 1
  local n; for n in "$PCI/$1"/net/*; do [ "$(cat "$n/dev_port" 2>/dev/null)" != $(($2 - 1)) ] || { basename "$n"; return; }; done
}
attr() { cat "/sys/class/net/$(netdev "$1" "$2")/$3" 2>&1; }   # attr ADDRESS PORT FILE
mac() { attr "$(vfaddr "$1")" "$2" address; }                  # mac VF PORT: the VF netdev's
assign() { attr "$(vfaddr "$1")" "$2" addr_assign_type; }
setvf() { local p=$1 v=$2; shift 2; ip link set "$(netdev "$PF" "$p")" vf "$v" "$@"; }          # setvf PORT VF ...
getvf() { ip link show "$(netdev "$PF" "$1")" | sed -n "s/^ *vf $2 *link.ether //p" | sed 's/ brd ff:ff:ff:ff:ff:ff//'; }
knob() { echo "$2" > "$DP/$1"; }
reset() { echo 1 > "$DP/reset"; echo > "$DP/log"; }
lastlog() { tail -n 1 "$DP/log" | sed 's/^\([0-9]*\) t=.* drv=/\1 drv=/'; }
vfs() { echo 0 > "$PCI/$PF/sriov_numvfs"; [ "$1" = 0 ] || echo "$1" > "$PCI/$PF/sriov_numvfs"; }
unbind() { [ ! -e "$PCI/$1/driver" ] || echo "$1" > "$PCI/$1/driver/unbind"; }
probe() { echo "$1" > /sys/bus/pci/drivers_probe; }
rebind() { unbind "$(vfaddr "$1")"; probe "$(vfaddr "$1")"; }
to_vfio() { local a; a=$(vfaddr "$1"); unbind "$a"; echo vfio-pci > "$PCI/$a/driver_override"; probe "$a"; }
from_vfio() { local a; a=$(vfaddr "$1"); unbind "$a"; echo > "$PCI/$a/driver_override"; probe "$a"; }
pf_again() { # pf_again VFS [PARAMETER=VALUE]...: the PF bound anew, with these parameters and the others' defaults
  local n=$1 p; shift
  unbind "$PF"
  for p in ports=2 ib_ports=0 silent=N single_port=0,0,0,0 random_mac=N report_vf_mac=N phys_port_id=N dev_id=N vgpu=N "$@"; do
    echo "${p#*=}" > "$PAR/${p%%=*}"
  done
  probe "$PF"; vfs "$n"
  for p in "$PCI/$PF"/net/*; do ip link set "${p##*/}" up; done
}
DEFAULT='00:00:00:00:00:00, spoof checking off, link-state auto, trust off'

# --- tests, each leaving the PF bound with two ports and two VFs ----------------------------------------------------
test_shape() {
  step "netdevs and their numbers"; pf_again 2
  local v; v=$(vfaddr 1)
  is "the PF's driver" "$(driver "$PF")" dualport_pf
  is "the VF's driver" "$(driver "$v")" dualport_vf
  is "PF: two netdevs" "$(cat "$PCI/$PF"/net/*/dev_port | sort | xargs)" "0 1"
  is "VF: two netdevs" "$(cat "$PCI/$v"/net/*/dev_port | sort | xargs)" "0 1"
  is "PF: up, carrier" "$(attr "$PF" 2 carrier)" 1
  ip link set "$(netdev "$PF" 2)" down; refused "PF: down, no carrier" "cat: /sys/class/net/$(netdev "$PF" 2)/carrier: $EINVAL" \
    cat "/sys/class/net/$(netdev "$PF" 2)/carrier"
  ip link set "$(netdev "$PF" 2)" up
  has "port 1 of VF 1: address" "$(mac 1 1)" "02:??:??:??:01:01"
  has "port 2 of VF 1: address" "$(mac 1 2)" "02:??:??:??:02:01"
  is "VF: a permanent address" "$(assign 1 1)" 0
  local before; before=$(mac 1 1); rebind 1; is "VF: the same address after a rebind" "$(mac 1 1)" "$before"
  is "VF list: as made" "$(getvf 1 0)" "$DEFAULT"
  refused "phys_port_id: off" "cat: /sys/class/net/$(netdev "$PF" 1)/phys_port_id: $EOPNOTSUPP" \
    cat "/sys/class/net/$(netdev "$PF" 1)/phys_port_id"
  echo Y > "$PAR"/phys_port_id
  is "phys_port_id: VF's is the PF port's" "$(attr "$v" 2 phys_port_id)" "$(attr "$PF" 2 phys_port_id)"
  [ "$(attr "$v" 2 phys_port_id)" != "$(attr "$v" 1 phys_port_id)" ]; is "phys_port_id: differs between ports" $? 0
  pf_again 1 dev_id=Y
  is "dev_id numbers the ports" "$(cat "$PCI/$PF"/net/*/dev_id | sort | xargs) $(cat "$PCI/$PF"/net/*/dev_port | xargs)" "0x0 0x1 0 0"
  pf_again 2
}
test_sriov() {
  step "sriov_numvfs"
  refused "numvfs changed while there are VFs" "bash: line 1: echo: write error: $EBUSY" bash -c "echo 1 > $PCI/$PF/sriov_numvfs"
  vfs 7; is "7 VFs" "$(ip link show "$(netdev "$PF" 1)" | grep -c '^ *vf ')" 7
  setvf 1 6 vlan 9; vfs 7; is "settings end with the VFs" "$(getvf 1 6)" "$DEFAULT"
  vfs 0; is "no VFs" "$(ip link show "$(netdev "$PF" 1)" | grep -c '^ *vf ')" 0
  runs "0 twice" bash -c "echo 0 > $PCI/$PF/sriov_numvfs"
  vfs 2
}
test_attributes() {
  step "attributes"; reset
  setvf 1 0 mac 52:54:00:00:00:01 vlan 42 qos 3 proto 802.1ad max_tx_rate 100 min_tx_rate 10 spoofchk on trust on state disable
  is "port 1: all of them" "$(getvf 1 0)" "52:54:00:00:00:01, vlan 42, qos 3, vlan protocol 802.1ad, tx rate 100 (Mbps), max_tx_rate 100Mbps, min_tx_rate 10Mbps, spoof checking on, link-state disable, trust on"
  is "port 2: none of them" "$(getvf 2 0)" "$DEFAULT"
  is "VF 1: none of them" "$(getvf 1 1)" "$DEFAULT"
  setvf 2 0 vlan 43 state enable
  is "port 2: its own" "$(getvf 2 0)" "00:00:00:00:00:00, vlan 43, spoof checking off, link-state enable, trust off"
  refused "minimum above maximum" "$EINVAL" setvf 1 0 rate 5        # the old call, which leaves the minimum alone
  setvf 1 0 vlan 0 max_tx_rate 0 min_tx_rate 0
  is "VLAN and rate taken away" "$(getvf 1 0)" "52:54:00:00:00:01, spoof checking on, link-state disable, trust on"
  setvf 1 0 vlan 0 qos 5; has "VLAN 0 with a priority is one" "$(getvf 1 0)" "*, qos 5, *"
  refused "a VF that is not there" "$EINVAL" setvf 1 2 vlan 1
  refused "multicast MAC" "$EINVAL" setvf 1 0 mac 01:00:5e:00:00:01
  refused "VLAN 4095" "$EINVAL" setvf 1 0 vlan 4095
  refused "priority 8" "$EINVAL" setvf 1 0 vlan 1 qos 8
  refused "RSS query" "$EOPNOTSUPP" setvf 1 0 query_rss on
  refused "GUID on Ethernet" "$EOPNOTSUPP" setvf 1 0 port_guid 00:11:22:33:44:55:66:77
  local v; v=$(vfaddr 0); ip link set "$(netdev "$v" 1)" up; ip link set "$(netdev "$v" 2)" up
  is "VF carrier: link state disable" "$(attr "$v" 1 carrier)" 0
  is "VF carrier: link state enable" "$(attr "$v" 2 carrier)" 1
  setvf 1 0 state auto; is "VF carrier: back to auto" "$(attr "$v" 1 carrier)" 1
}
test_mac() {
  step "admin MAC"; pf_again 2
  local own; own=$(mac 0 2)
  setvf 2 0 mac 52:54:00:00:00:02
  is "bound VF keeps its own" "$(mac 0 2)" "$own"
  refused "VF may not change it" "$EPERM" ip link set "$(netdev "$(vfaddr 0)" 2)" address 52:54:00:00:00:99
  rebind 0
  is "after a rebind: port 2" "$(mac 0 2)" 52:54:00:00:00:02
  has "after a rebind: port 1" "$(mac 0 1)" "02:*"
  is "permanent" "$(assign 0 2)" 0
  setvf 2 0 mac 00:00:00:00:00:00
  is "zero takes it away" "$(getvf 2 0)" "$DEFAULT"
  is "bound VF keeps it" "$(mac 0 2)" 52:54:00:00:00:02
  runs "VF may change it" ip link set "$(netdev "$(vfaddr 0)" 2)" address 52:54:00:00:00:99
  is "set by hand" "$(assign 0 2)" 3
  rebind 0; is "own again after a rebind" "$(mac 0 2)" "$own"

  echo Y > "$PAR"/random_mac; rebind 0
  is "random_mac" "$(assign 0 1)" 1
  local r; r=$(mac 0 1); rebind 0; [ "$r" != "$(mac 0 1)" ]; is "random_mac: another each time" $? 0
  is "random_mac: not reported" "$(getvf 1 0)" "$DEFAULT"
  echo Y > "$PAR"/report_vf_mac
  is "report_vf_mac" "$(getvf 1 0)" "${DEFAULT/00:00:00:00:00:00/$(mac 0 1)}"
  ip link set "$(netdev "$(vfaddr 0)" 1)" address 52:54:00:00:00:98
  has "report_vf_mac: follows the VF" "$(getvf 1 0)" "52:54:00:00:00:98, *"
  setvf 1 0 mac 52:54:00:00:00:03; has "report_vf_mac: admin MAC first" "$(getvf 1 0)" "52:54:00:00:00:03, *"
  setvf 1 0 mac 00:00:00:00:00:00; has "report_vf_mac: zero reads zero" "$(getvf 1 0)" "00:00:00:00:00:00, *"
  rebind 0; has "report_vf_mac: own after a rebind" "$(getvf 1 0)" "$(mac 0 1), *"
  unbind "$(vfaddr 0)"; has "report_vf_mac: zero without a driver" "$(getvf 1 0)" "00:00:00:00:00:00, *"
  pf_again 2
}
test_vfio() {
  step "VF driver rebinds and vfio-pci"; reset
  setvf 1 0 mac 52:54:00:00:00:04 vlan 44 qos 1; setvf 2 0 mac 52:54:00:00:00:05 vlan 45 trust on
  local a b; a=$(getvf 1 0) b=$(getvf 2 0)
  has "log: under the VF driver" "$(lastlog)" "5 drv=dualport_vf port=2 vf=0 trust on=1 -> 0"
  unbind "$(vfaddr 0)"; setvf 2 0 spoofchk off
  has "log: under no driver" "$(lastlog)" "6 drv=none port=2 vf=0 spoofchk on=0 -> 0"
  to_vfio 0
  is "vfio-pci has it" "$(driver "$(vfaddr 0)")" vfio-pci
  is "settings under vfio-pci: port 1" "$(getvf 1 0)" "$a"
  is "settings under vfio-pci: port 2" "$(getvf 2 0)" "$b"
  setvf 2 0 vlan 45
  has "log: under vfio-pci" "$(lastlog)" "7 drv=vfio-pci port=2 vf=0 vlan id=45 qos=0 proto=8100 -> 0"
  from_vfio 0
  is "back" "$(driver "$(vfaddr 0)")" dualport_vf
  is "settings after it: port 1" "$(getvf 1 0)" "$a"
  is "address after it: port 2" "$(mac 0 2)" 52:54:00:00:00:05
  to_vfio 1; vfs 2; is "VFs destroyed under vfio-pci" "$(driver "$(vfaddr 1)")" dualport_vf
}
test_scope() {
  step "knobs: scope, counters, errors"; reset
  knob busy 2
  refused "busy: first" "$EBUSY" setvf 1 0 vlan 1; refused "busy: second" "$EBUSY" setvf 2 1 mac 52:54:00:00:00:06
  runs "busy: over" setvf 1 0 vlan 1; is "busy: counted down" "$(cat "$DP/busy")" 0
  knob busy 1; knob busy_errno 11; refused "busy_errno" "$EAGAIN" setvf 1 0 vlan 2
  knob fail_nth 3; runs "fail_nth: 1" setvf 1 0 vlan 2; runs "fail_nth: 2" setvf 1 0 vlan 3
  refused "fail_nth: 3" "$EPERM" setvf 1 0 vlan 4; runs "fail_nth: once" setvf 1 0 vlan 5
  knob fail_errno 95; knob fail_nth 2
  refused "fail_nth within one request" "$EOPNOTSUPP" setvf 2 0 mac 52:54:00:00:00:07 vlan 7 trust on
  is "fail_nth: what came before stays" "$(getvf 2 0)" "52:54:00:00:00:07, spoof checking off, link-state auto, trust off"
  reset; knob fail_attr trust
  refused "fail_attr" "$EPERM" setvf 1 0 trust on; runs "fail_attr: others pass" setvf 1 0 spoofchk on
  is "fail_attr reads back" "$(cat "$DP/fail_attr")" trust
  knob fail_attr ""; is "fail_attr none" "$(cat "$DP/fail_attr")" none
  refused "fail_attr: no such attribute" "bash: line 1: echo: write error: $EINVAL" bash -c "echo nonsense > $DP/fail_attr"
  refused "a knob out of range" "bash: line 1: echo: write error: Numerical result out of range" bash -c "echo 2 > $DP/no_trust"
  knob fail_attr vlan; knob vf 1; knob port 1
  runs "scope: another VF" setvf 1 0 vlan 8; runs "scope: another port" setvf 2 1 vlan 8; refused "scope: this one" "$EPERM" setvf 1 1 vlan 8
  reset; is "reset" "$(cd "$DP" && cat vf port fail_attr fail_errno busy_errno hide_vf | xargs)" "-1 -1 none 1 16 -1"
}
test_habits() {
  step "knobs: habits"; vfs 0; vfs 2; reset
  knob refuse_zero_mac 1; refused refuse_zero_mac "$EINVAL" setvf 1 0 mac 00:00:00:00:00:00
  knob ignore vlan; runs "ignore: accepted" setvf 1 0 vlan 9; is "ignore: not stored" "$(getvf 1 0)" "$DEFAULT"
  has "ignore: in the log" "$(lastlog)" "2 *vlan id=9 qos=0 proto=8100 -> 0 ignored"
  knob ignore all; setvf 1 0 trust on spoofchk on; is "ignore: all" "$(getvf 1 0)" "$DEFAULT"
  reset; knob hide_vf 0; is "hide_vf: left out" "$(getvf 1 0)" ""; is "hide_vf: the next one is there" "$(getvf 1 1)" "$DEFAULT"
  knob port 2; is "hide_vf: on one port" "$(getvf 1 0)" "$DEFAULT"; knob port -1
  runs "hide_vf: writable" setvf 1 0 vlan 3
  reset; setvf 1 0 vlan 0; knob vlan_none_4095 1
  has "vlan_none_4095: none" "$(getvf 1 0)" "*, vlan 4095, spoof*"
  setvf 1 0 vlan 5; has "vlan_none_4095: one" "$(getvf 1 0)" "*, vlan 5, spoof*"
  setvf 1 0 vlan 4095; has "vlan_none_4095: 4095 is none" "$(getvf 1 0)" "*, vlan 4095, spoof*"
  setvf 1 0 vlan 5; setvf 1 0 vlan 0; knob vlan_none_4095 0; is "vlan_none_4095: 0 is none" "$(getvf 1 0)" "$DEFAULT"
  knob vlan_needs_no_rate 1; setvf 1 0 max_tx_rate 100
  refused "vlan_needs_no_rate" "$EPERM" setvf 1 0 vlan 6; runs "vlan_needs_no_rate: no change" setvf 1 0 vlan 0
  setvf 1 0 max_tx_rate 0; runs "vlan_needs_no_rate: no rate" setvf 1 0 vlan 6
  reset; knob 8021ad_needs_vlan 1; refused "8021ad_needs_vlan" "$EINVAL" setvf 1 0 vlan 0 proto 802.1ad; setvf 1 0 vlan 6 proto 802.1ad
  runs "8021ad_needs_vlan: none, as 802.1Q" setvf 1 0 vlan 0 proto 802.1q
  setvf 1 0 max_tx_rate 100; knob rate_needs_vlan 1; is "rate_needs_vlan: reads 0" "$(getvf 1 0)" "$DEFAULT"
  setvf 1 0 vlan 6; has "rate_needs_vlan: was stored" "$(getvf 1 0)" "*, max_tx_rate 100Mbps, *"
  setvf 1 0 max_tx_rate 0; knob spoofchk_needs_mac 1; refused "spoofchk_needs_mac: no MAC" "$EPERM" setvf 1 0 spoofchk on
  runs "spoofchk_needs_mac: MAC" setvf 1 0 mac 52:54:00:00:00:08 spoofchk on
  refused "spoofchk_needs_mac: MAC zero" "$EPERM" setvf 1 0 mac 00:00:00:00:00:00
  runs "spoofchk_needs_mac: off" setvf 1 0 spoofchk off; runs "spoofchk_needs_mac: MAC zero then" setvf 1 0 mac 00:00:00:00:00:00
  reset; knob no_min_rate 1; refused "no_min_rate" "$EPROTO" setvf 1 0 max_tx_rate 100 min_tx_rate 1; runs "no_min_rate: maximum" setvf 1 0 max_tx_rate 100 min_tx_rate 0
  knob no_trust 1; refused "no_trust" "$EOPNOTSUPP" setvf 1 0 trust on; has "no_trust: reads as unknown" "$(getvf 1 1)" "*link-state auto"
  reset; knob no_8021ad 1; refused "no_8021ad" "$EPROTO" setvf 1 0 vlan 6 proto 802.1ad; runs "no_8021ad: 802.1Q" setvf 1 0 vlan 6 proto 802.1q
  reset; knob noop_eperm 1; refused "noop_eperm: the same" "$EPERM" setvf 1 0 vlan 6; runs "noop_eperm: another" setvf 1 0 vlan 7
  reset; knob reset_ms 60000; setvf 1 0 vlan 9; refused "reset_ms: another change" "$EBUSY" setvf 1 0 spoofchk on
  refused "reset_ms: at the other port" "$EBUSY" setvf 2 0 vlan 9; runs "reset_ms: another VF" setvf 1 1 vlan 9
  runs "reset_ms: no change" setvf 1 0 vlan 9; knob reset_ms 0; runs "reset_ms: given up" setvf 1 0 vlan 10
  knob reset_ms 300; setvf 1 0 vlan 11; sleep 0.4; runs "reset_ms: over" setvf 1 0 spoofchk on
  runs "reset_ms: not after spoof check" setvf 1 0 spoofchk off; reset; setvf 1 1 vlan 0
  reset; knob delay_ms 300; local t; t=$(date +%s%3N); setvf 1 0 vlan 8; t=$(($(date +%s%3N) - t))
  ((t >= 300 && t < 2000)); is "delay_ms: $t ms" $? 0
  reset
}
test_log() {
  step "log"; reset
  setvf 2 1 vlan 42; setvf 2 2 vlan 42 2>/dev/null
  has "a line" "$(sed -n 1p "$DP/log")" "1 t=*.?????? pid=* comm=ip drv=dualport_vf port=2 vf=1 vlan id=42 qos=0 proto=8100 -> 0"
  is "a VF that is not there" "$(lastlog)" "2 drv=none port=2 vf=2 vlan id=42 qos=0 proto=8100 -> -22"
  echo x > "$DP/log"; is "cleared" "$(cat "$DP/log")" ""
  local p i; p=$(netdev "$PF" 1)
  for ((i = 0; i < 4200; i++)); do echo "link set $p vf 0 vlan $((i % 4000))"; done | ip -batch -
  is "the last 4096" "$(wc -l < "$DP/log")" 4096
  has "the first left" "$(head -n 1 "$DP/log")" "105 *"; has "the last" "$(lastlog)" "4200 * vlan id=199 *"
  reset; setvf 1 0 vlan 0
}
test_ports() {
  step "one and four ports, single-port VFs"
  pf_again 1 ports=1; is "one port" "$(cat "$PCI/$PF"/net/*/dev_port "$PCI/$(vfaddr 0)"/net/*/dev_port | xargs)" "0 0"
  pf_again 1 ports=4; is "four ports" "$(cat "$PCI/$PF"/net/*/dev_port | sort | xargs)" "0 1 2 3"
  is "VF: four ports" "$(cat "$PCI/$(vfaddr 0)"/net/*/dev_port | sort | xargs)" "0 1 2 3"
  setvf 4 0 vlan 33; has "port 4" "$(getvf 4 0)" "*, vlan 33, *"; is "port 3" "$(getvf 3 0)" "$DEFAULT"
  pf_again 3 single_port=1,1
  is "VF 0: one netdev" "$(cat "$PCI/$(vfaddr 0)"/net/*/{dev_port,address} | sed 's/^..:..:..:..://' | xargs)" "0 01:00"
  is "VF 1: one netdev, of port 2" "$(cat "$PCI/$(vfaddr 1)"/net/*/{dev_port,address} | sed 's/^..:..:..:..://' | xargs)" "0 02:01"
  is "VF 2: both" "$(cat "$PCI/$(vfaddr 2)"/net/*/dev_port | sort | xargs)" "0 1"
  reset; setvf 1 1 vlan 21; is "redirected: not where it was written" "$(getvf 1 1)" "$DEFAULT"
  has "redirected: on the VF's port" "$(getvf 2 1)" "*, vlan 21, *"
  has "redirected: in the log" "$(lastlog)" "1 *port=1 vf=1 vlan id=21 qos=0 proto=8100 -> 0 redirected"
  pf_again 2 silent=Y; runs "silent: written" setvf 1 1 vlan 21; is "silent: not shown" "$(getvf 1 1)" ""
  has "silent: in the log" "$(lastlog)" "* port=1 vf=1 vlan id=21 qos=0 proto=8100 -> 0"
  pf_again 2
}
test_infiniband() {
  step "a port that looks like IP over InfiniBand"; pf_again 2 ib_ports=2
  ibvf() { ip link show "$(netdev "$PF" 2)" | sed -n "s/^ *vf $1 *link.infiniband .*ff, NODE/NODE/p"; }
  is "PF: type" "$(attr "$PF" 2 type)" 32; is "VF: type" "$(attr "$(vfaddr 0)" 2 type)" 32; is "the other port" "$(attr "$PF" 1 type)" 1
  is "no GUID" "$(ibvf 0)" "NODE_GUID 00:00:00:00:00:00:00:00, PORT_GUID 00:00:00:00:00:00:00:00, link-state auto"
  setvf 2 0 node_guid 00:11:22:33:44:55:66:77; setvf 2 0 port_guid 00:11:22:33:44:55:66:88
  is "GUIDs" "$(ibvf 0)" "NODE_GUID 00:11:22:33:44:55:66:77, PORT_GUID 00:11:22:33:44:55:66:88, link-state auto"
  is "log" "$(lastlog)" "2 drv=dualport_vf port=2 vf=0 guid port=0011223344556688 -> 0"
  rebind 0; has "the VF takes it when probed" "$(mac 0 2)" "*:00:11:22:33:44:55:66:88"
  knob fail_attr guid; refused "fail_attr guid" "$EPERM" setvf 2 0 node_guid 00:11:22:33:44:55:66:99
  refused "no VLAN" "$EOPNOTSUPP" setvf 2 0 vlan 1; runs "link state" setvf 2 0 state disable
  pf_again 2
}
test_admin_guids() {
  step "GUIDs in sysfs alone"; unbind "$PF"; rmmod dualport; modprobe dualport admin_guids=1 ib_ports=2; probe "$PF"; vfs 2
  local guids; guids=$(echo "$PCI/$PF"/infiniband/*/iov/ports/2/admin_guids)
  is "the ports that have them" "$(ls "$guids/../..")" 2
  is "rtnetlink lists no VF" "$(ip link show "$(netdev "$PF" 2)" 2>/dev/null | grep -c ' vf ')" 0
  refused "rtnetlink takes no GUID" "$EOPNOTSUPP" setvf 2 0 port_guid 00:11:22:33:44:55:66:88
  echo 0011223344556688 > "$guids/2"; is "VF 1 is entry 2" "$(cat "$guids"/{1,2,3} | xargs)" "0 11223344556688 0"
  is "log" "$(lastlog)" "1 drv=dualport_vf port=2 vf=1 guid port=0011223344556688 -> 0"
  rebind 1; has "the VF takes it when probed" "$(mac 1 2)" "*:00:11:22:33:44:55:66:88"
  runs "the PF's entry" sh -c "echo 5 > '$guids/0'"; is "is not written" "$(cat "$guids/0")" 0
  vfs 0; is "the GUIDs go with the VFs" "$(cat "$guids/2")" 0
  local device; device=$(ls "$PCI/$PF/infiniband")
  unbind "$PF"; is "the device is gone" "$(find /sys/class/infiniband -name "$device")" ""
  rmmod dualport; is "and goes" "$(ls -d /sys/class/infiniband 2>/dev/null)" ""
  modprobe dualport; probe "$PF"; pf_again 2; reset
}
# vport NETDEV VF [REQUEST [PROFILE]]: sends an 802.1Qbh request, or prints "REQUEST RESPONSE PROFILE INSTANCE-UUID"
vport() { python3 - "$@" <<'P'
import os, socket, struct, sys
def attr(kind, data):
    return (struct.pack("=HH", 4 + len(data), kind) + data).ljust((len(data) + 7) & ~3, b"\0")
def attrs(data):
    while len(data) >= 4:
        size, kind = struct.unpack_from("=HH", data)
        yield kind & 0x3FFF, data[4:size]
        data = data[(size + 3) & ~3:]
dev, vf = socket.if_nametoindex(sys.argv[1]), int(sys.argv[2])
s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
def talk(kind, flags, body):
    body = struct.pack("=BxHiII", 0, 0, dev, 0, 0) + body
    s.send(struct.pack("=IHHII", 16 + len(body), kind, flags, 1, 0) + body)
    return s.recv(65536)
if len(sys.argv) > 3:                         # RTM_SETLINK: IFLA_VF_PORTS (24) { IFLA_VF_PORT (1) { VF, PROFILE, .. } }
    port = attr(1, struct.pack("=I", vf)) + attr(6, struct.pack("=B", int(sys.argv[3])))
    if len(sys.argv) > 4:
        port += attr(2, sys.argv[4].encode() + b"\0") + attr(4, bytes(range(16))) + attr(5, bytes(range(16, 32)))
    err = -struct.unpack_from("=i", talk(19, 5, attr(24, attr(1, port))), 16)[0]
    sys.exit(os.strerror(err) if err else 0)
for kind, ports in attrs(talk(18, 1, attr(29, struct.pack("=I", 1)))[32:]):      # RTM_GETLINK with IFLA_EXT_MASK
    for _, port in attrs(ports) if kind == 24 else ():
        f = dict(attrs(port))
        if struct.unpack("=I", f[1])[0] == vf:
            print(struct.unpack("=H", f[6])[0], struct.unpack("=H", f[7])[0],
                  f.get(2, b"").rstrip(b"\0").decode(), f.get(4, b"").hex())
P
}
test_vport() {
  step "802.1Qbh port profile"; reset
  command -v python3 > /dev/null || { echo "SKIP port profiles: no python3"; return; }
  local p q; p=$(netdev "$PF" 1) q=$(netdev "$PF" 2)
  is "none" "$(vport "$p" 0)" ""
  knob vport_ms 4000
  runs "associate" vport "$p" 0 2 gold
  has "log" "$(lastlog)" "1 *port=1 vf=0 vport request=2 profile=gold instance=00010203-0405-0607-0809-0a0b0c0d0e0f host=10111213-* -> 0"
  is "in progress" "$(vport "$p" 0)" "2 257 gold 000102030405060708090a0b0c0d0e0f"
  sleep 4.1; is "success" "$(vport "$p" 0)" "2 256 gold 000102030405060708090a0b0c0d0e0f"
  is "the other port" "$(vport "$q" 0)" ""; is "the other VF" "$(vport "$p" 1)" ""
  knob vport_ms 0; knob vport_response 261; runs "associate again" vport "$q" 0 2 bronze
  is "vport_response" "$(vport "$q" 0)" "2 261 bronze 000102030405060708090a0b0c0d0e0f"
  reset; knob vport_ms 0; runs "disassociate" vport "$p" 0 3; is "disassociated" "$(vport "$p" 0)" "3 256  "
  refused "no profile" "$EINVAL" vport "$p" 0 2; refused "preassociate" "$EOPNOTSUPP" vport "$p" 0 0 gold
  knob fail_attr vport; refused "fail_attr vport" "$EPERM" vport "$p" 0 2 gold
  reset
}
test_vgpu() {
  step "vGPUs"; pf_again 2 vgpu=Y
  local n files=()
  for n in 0 1; do files+=("$PCI/$(vfaddr "$n")/nvidia"); done
  is "none at first" "$(cat "${files[@]/%//current_vgpu_type}" | xargs)" "0 0"
  has "types" "$(cat "${files[0]}/creatable_vgpu_types")" "ID *63 *: DUALPORT A1-1Q*64 *65 *"
  echo 64 > "${files[0]}/current_vgpu_type"
  is "one has a type" "$(cat "${files[0]}/current_vgpu_type")" 64
  is "and takes no other" "$({ echo 63 > "${files[0]}/current_vgpu_type"; } 2>&1 | grep -o Invalid)" Invalid
  is "the other can have fewer" "$(tail -n +2 "${files[1]}/creatable_vgpu_types" | cut -c1-2 | xargs)" "63 64"
  is "not more" "$({ echo 65 > "${files[1]}/current_vgpu_type"; } 2>&1 | grep -o 'No space')" "No space"
  knob vgpu_errno 1
  is "refused by a knob" "$({ echo 0 > "${files[0]}/current_vgpu_type"; } 2>&1 | grep -o 'not permitted')" "not permitted"
  reset; echo 0 > "${files[0]}/current_vgpu_type"
  is "taken away" "$(cat "${files[0]}/current_vgpu_type")" 0
  pf_again 2; is "without the parameter" "$(ls -d "$PCI/$(vfaddr 0)/nvidia" 2> /dev/null)" ""
}
test_neighbours() {
  step "igb and igbvf beside it"
  [ -n "$IGB" ] || { echo "SKIP igb beside it: only one 82576 function"; return; }
  modprobe igb; modprobe igbvf
  [ "$(driver "$IGB")" = igb ] || probe "$IGB"
  is "the other PF is igb's" "$(driver "$IGB")" igb
  ip link set "$(netdev "$IGB" 1)" up; echo 0 > "$PCI/$IGB/sriov_numvfs"; echo 1 > "$PCI/$IGB/sriov_numvfs"
  is "its VF is igbvf's" "$(driver "$(vfaddr 0 "$IGB")")" igbvf
  vfs 2; is "our VF is ours" "$(driver "$(vfaddr 1)")" dualport_vf
  unbind "$PF"; rmmod dualport; modprobe dualport; probe "$PF"; vfs 2     # now igbvf is asked first
  is "our VF is ours, igbvf first" "$(driver "$(vfaddr 1)")" dualport_vf
  to_vfio 1; from_vfio 1; is "and after vfio-pci" "$(driver "$(vfaddr 1)")" dualport_vf
  is "igb's VF stayed" "$(driver "$(vfaddr 0 "$IGB")")" igbvf
  refused "dualport_vf refuses igb's VF" "bash: line 1: echo: write error: No such device" \
    bash -c "echo $(vfaddr 0 "$IGB") > $PCI/$(vfaddr 0 "$IGB")/driver/unbind; echo $(vfaddr 0 "$IGB") > /sys/bus/pci/drivers/dualport_vf/bind"
  refused "dualport_pf refuses a VF" "bash: line 1: echo: write error: No such device" \
    bash -c "echo $(vfaddr 0 "$IGB") > /sys/bus/pci/drivers/dualport_pf/bind"
  echo 0 > "$PCI/$IGB/sriov_numvfs"
}
# storm COMMAND...: again and again until $END, in the background; its failures are part of the game
storm() { while ((SECONDS < END)); do "$@"; done > /dev/null 2>&1 & JOBS+=($!); }
read_and_reset() { cat "$DP/log" "$DP/vf"; echo 1 > "$DP/reset"; }
write_all() { local i; for i in 0 1 2 3 4 5 6; do setvf $((1 + (i & 1))) "$i" vlan $((RANDOM % 4000)) mac "52:54:00:00:00:0$i"; done; }
change_drivers() { local i; for i in 6 5 4; do to_vfio "$i"; rebind 3; from_vfio "$i"; done; }
change_vfs() {
  sleep 0.$((RANDOM % 10)); vfs $((RANDOM % 8)); sleep 0.$((RANDOM % 10))
  case $((RANDOM % 4)) in
    0) unbind "$PF"; probe "$PF";;
    1) unbind "$PF"; rmmod dualport; modprobe dualport; probe "$PF";;
  esac
}
test_stress() {
  step "everything at once"; pf_again 7
  local n=0 vf; END=$((SECONDS + ${STRESS:-20})) JOBS=()
  storm ip link show; storm read_and_reset; storm write_all; storm change_drivers
  while ((SECONDS < END)); do n=$((n + 1)); change_vfs > /dev/null 2>&1; done
  wait "${JOBS[@]}"
  for vf in "$PCI/$PF"/virtfn*; do [ ! -e "$vf" ] || echo > "$vf/driver_override"; done
  [ -d "$PAR" ] || modprobe dualport
  pf_again 2; is "alive after $n rounds" "$(getvf 2 1)" "$DEFAULT"
}

# --- main ------------------------------------------------------------------------------------------------------------
mapfile -t all <<< "$(functions)"
PF=${1:-${all[0]:-}} IGB=${2:-}
[ -n "$PF" ] || { echo "FAIL no 8086:10c9 here: got nothing to test on"; exit 1; }
for a in "${all[@]}"; do [ -n "$IGB" ] || [ "$a" = "$PF" ] || IGB=$a; done
DP=/sys/kernel/debug/dualport/$PF
tainted() { echo $(($(cat /proc/sys/kernel/tainted) & (1 << 7 | 1 << 9 | 1 << 14))); }     # oops, warning, soft lockup
before=$(tainted)
modprobe vfio-pci; modprobe dualport || { echo "FAIL modprobe dualport: got $?"; exit 1; }
unbind "$PF"; echo dualport_pf > "$PCI/$PF/driver_override"; probe "$PF"

for t in ${ONLY:-shape sriov attributes mac vfio scope habits log ports infiniband admin_guids vport vgpu neighbours stress}; do "test_$t"; done

step "leaving"
runs "rmmod with VFs" rmmod dualport
is "PF without a driver" "$(driver "$PF")" ""
is "no VFs left" "$(cat "$PCI/$PF/sriov_numvfs")" 0
modprobe dualport; is "modprobe takes the PF again" "$(driver "$PF")" dualport_pf
rmmod dualport; modprobe dualport pf_driver=somebody; echo somebody > "$PCI/$PF/driver_override"; probe "$PF"
is "pf_driver" "$(driver "$PF")" somebody
unbind "$PF"; echo > "$PCI/$PF/driver_override"; rmmod dualport
is "the kernel has no complaint" "$(tainted)" "$before"
is "nor in what is left of its log" "$(dmesg | grep -E 'WARNING|BUG|Oops|Call Trace|KASAN|RTNL: assertion|unregister_netdevice: waiting')" ""
echo "$TESTS tests, $FAILS failed"
exit $((FAILS > 0))
