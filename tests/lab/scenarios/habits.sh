# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# Refusals, one after the other: each is overcome or named, and nothing is left half done. What is known of drivers is
# in quirks.sh.
# suites: trixie
. /lab/guest/lib.sh

knobs=/sys/kernel/debug/dualport/$PF2
knob() { echo "$2" > "$knobs/$1"; }
# owns_nothing TEXT: everything is as before, nothing is remembered
as_before() {
  is "$1: everything as before" "$(snapshot_vfs)" "$before"
  is "$1: nothing remembered" "$(find /run/libvirt-hostdev -type f ! -name '*.lock' -printf '%f ')" ""
}
dualport_up "$PF2" 4
for n in 0 1 2 3; do
  vfs[n]=$(vfaddr "$PF2" "$n")
  all+=$(hostdev "${vfs[n]}" "$(netdev_xml 1 "52:54:00:aa:01:0$n" "$((100 + n))")$(netdev_xml 2 "52:54:00:aa:02:0$n" "$((200 + n))")")
done
two=$(netdev_xml 1 52:54:00:aa:00:01 42)$(netdev_xml 2 52:54:00:aa:00:02 43)
domain two "$(hostdev "${vfs[0]}" "$two")" > two.xml
domain four "$all" > four.xml
before=$(snapshot_vfs)
libvirt_up

step "four VFs of two ports in one domain; the last port of the last VF refuses"
ok "define" virt-hostdev define four.xml
knob fail_attr vlan; knob vf 3; knob port 2
not_ok "the start fails and names it" "Cannot set VLAN 203 on port 2 \(VF 3 of $(netdev "$PF2" 2), ${vfs[3]}\): Operation not permitted" virsh start four
knob reset 1
as_before "four VFs refused"
ok "without the refusal it starts" virsh -q start four
is "port 2 of VF 3 is set" "$(vfget "$PF2" 3 'vlan_list[0].vlan' 2)" 203
ok "destroy" virsh -q destroy four
as_before "four VFs"

step "each setting of each of the eight ports is refused in turn"
declare -A title=([mac]="MAC address" [vlan]=VLAN)
for n in 0 1 2 3; do
  for port in 1 2; do
    for attr in mac vlan; do
      knob vf "$n"; knob port "$port"; knob fail_attr "$attr"; knob fail_errno 5
      not_ok "$attr of port $port of VF $n is named" "Cannot set ${title[$attr]} .* on port $port \(VF $n of .*Input/output error" \
        virt-hostdev apply --owner each four.xml
      knob reset 1
      as_before "$attr of port $port of VF $n"
    done
  done
done

step "a refusal that does not come again is overcome"
knob fail_nth 3
ok "apply" virt-hostdev apply --owner once four.xml
is "the refused write was made" "$(vfget "$PF2" 0 address 2)" '"52:54:00:aa:02:00"'
ok "release" virt-hostdev release once
as_before "refused once"

step "a write that is silently ignored"
knob ignore vlan; knob port 2
not_ok "is detected" "port 2 .*VF 0 of .*${vfs[0]}" virt-hostdev apply --owner me two.xml
knob reset 1
as_before "ignored"

step "busy for ever"
knob busy 100000; knob busy_errno 11
not_ok "busy for ever is not" "Resource temporarily unavailable" virt-hostdev apply --owner me two.xml
knob reset 1
as_before "busy for ever"

step "a VF that is not in the list"
knob hide_vf 0
not_ok "is an error, not a guess" "VF 0 .*list" virt-hostdev apply --owner me two.xml
knob reset 1
as_before "not in the list"

step "what goes back only in part is kept"
ok "apply" virt-hostdev apply --owner me two.xml
knob fail_attr vlan; knob port 1
not_ok "release names it" "port 1 .*VF 0 of" virt-hostdev release me
is "port 2 is back" "$(vfget "$PF2" 0 'vlan_list[0].vlan // 0' 2)" 0
like "status shows the rest" "$(virt-hostdev status)" "restoring"
knob reset 1
ok "release again" virt-hostdev release me
as_before "in part"
