# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# What is said beforehand of what a driver does, against what it then does.
# suites: trixie
. /lab/guest/lib.sh

answer() { # answer PF PORT CHECK: what host-validate says of it
  virt-hostdev --json host-validate 2>/dev/null |
    jq -r --arg pf "$1" --arg port "$2" --arg check "$3" '."host-validate"[] | select(.pf == $pf and .port == $port and .check == $check).result'
}
igb_up "$PF1" 1
vf=$(vfaddr "$PF1" 0)

step "igb: each setting is foreseen as it comes"
# outcome NETDEV-ATTRIBUTES CHILDREN: yes or no, by trying
outcome() {
  hostdev "$vf" "<netdev port='1'$1>$2</netdev>" > one.xml
  if virt-hostdev apply --owner me one.xml > apply.log 2>&1; then echo yes; virt-hostdev release me > apply.log; else echo no; fi
}
# agrees CHECK ATTRIBUTES CHILDREN
agrees() {
  local tried planned=yes
  tried=$(outcome "$2" "$3")
  is "$1: host-validate" "$(answer "$PF1" 1 "$1")" "$tried"
  ! { virt-hostdev plan one.xml 2>&1 || true; } | grep -qE 'igb: .* is not supported|only InfiniBand has' || planned=no
  is "$1: plan" "$planned" "$tried"
}
agrees "MAC address" "" "<mac address='52:54:00:aa:00:01'/>"
agrees "VLAN" "" "<vlan><tag id='42'/></vlan>"
agrees "VLAN with priority" "" "<vlan><tag id='42' priority='5'/></vlan>"
agrees "VLAN with 802.1ad" "" "<vlan><tag id='42' protocol='802.1ad'/></vlan>"
agrees "rate with floor" "" "<bandwidth><outbound average='12500' floor='1250'/></bandwidth>"
agrees "spoof check" " spoofCheck='no'" ""
agrees "link state up" "" "<link state='up'/>"
agrees "link state" "" "<link state='down'/>"
agrees "trust" " trustGuestRxFilters='yes'" ""
agrees "node GUID" "" "<guid node='00:11:22:33:44:55:66:77'/>"
is "rate: hangs on the card" "$(answer "$PF1" 1 rate)" perhaps

step "a driver nobody knows"
dualport_up "$PF2" 1
is "what it does not tell is unknown" "$(answer "$PF2" 2 VLAN)" unknown
is "what it reports it can do" "$(answer "$PF2" 2 trust)" yes
echo 1 > "/sys/kernel/debug/dualport/$PF2/no_trust"
is "what it does not, it cannot" "$(answer "$PF2" 2 trust)" no
is "an Ethernet port has no GUID" "$(answer "$PF2" 2 'port GUID')" no
like "for people too" "$(virt-hostdev host-validate 2>&1)" "^trust +no +$PF2 +2 .*dualport_pf +the driver does not report trust"

step "a driver by its name, which does more than is known of it"
echo 0 > "$PCI/$PF2/sriov_numvfs"
modprobe -r dualport
dualport_up "$PF2" 1 pf_driver=mlx4_core
vf=$(vfaddr "$PF2" 0)
hostdev "$vf" "<netdev port='2' trustGuestRxFilters='yes'><vlan><tag id='42'/></vlan><bandwidth><outbound average='125000' floor='12500'/></bandwidth></netdev>" > one.xml
not_ok "plan: trust" "2 .*mlx4_core: trust is not supported \(Linux 6.12" virt-hostdev plan one.xml
not_ok "plan: floor" "2 .*mlx4_core: rate with floor is not supported" virt-hostdev plan one.xml
not_ok "plan: no more than that" "2 of the settings above would be refused" virt-hostdev plan one.xml
is "plan in JSON" "$(virt-hostdev --json plan one.xml 2>/dev/null | jq -r '.plan[] | select(.setting == "trust").change')" \
  "mlx4_core: trust is not supported (Linux 6.12, mellanox/mlx4/cmd.c)"
is "host-validate: VLAN hangs on the card" "$(answer "$PF2" 1 VLAN)" perhaps
ok "the kernel decides: apply" virt-hostdev apply --owner me one.xml
is "trust is set" "$(vfget "$PF2" 0 trust 2)" true
ok "release" virt-hostdev release me
echo 0 > "$PCI/$PF2/sriov_numvfs"
modprobe -r dualport
