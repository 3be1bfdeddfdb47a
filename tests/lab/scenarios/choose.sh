# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# suites: trixie
# VFs that domains ask for by card, PF or pool: defined, started, attached, moved to another slot, taken away and made again; and
# many starts at once on a pool that has one VF too few. With SIDES=all also what follows a card while a daemon is off.
. /lab/guest/lib.sh

# doc NAME SOURCE [NETDEV]: a domain with one device
doc() { domain "$1" "<hostdev mode='subsystem' type='pci' managed='yes'>$2${3:-}</hostdev>"; }
by_serial() { echo "<source><pf serial='$1'/><vf index='$2'/></source>"; }
# has NAME [OPTION...]: the address of its device
has() { virsh dumpxml "$@" | python3 -c '
import sys, xml.etree.ElementTree as t
a = t.parse(sys.stdin).find("devices/hostdev/source/address")
print("%s:%s:%s.%s" % tuple(a.get(k)[2:] for k in ("domain", "bus", "slot", "function")))'; }
is_at() { [[ $(has "$1") = "$2" ]]; }
start() { virsh -q start "$1" --paused; }
# vfs_now: all but the MAC addresses, which igbvf makes up anew
vfs_now() { snapshot_vfs | sed -E 's/"address":"[^"]*"//; s/ mac [0-9a-f:]+//'; }
ONE=MT2113X00001 OTHER='MT 123-4,=<&>' QUOTED='MT 123-4,=&lt;&amp;&gt;'

step "two cards, each with its serial number"
modprobe igb
card good blanks; igb_up "$PF1" 3; igb_up "$PF2" 3
before=$(vfs_now)
hostdevd_up
is "list shows both" "$(virt-hostdev --json list | jq -r '[.pfs[].serial | values] | unique | join("|")')" "$OTHER|$ONE"

step "by the card's serial number"
doc vm "$(by_serial $ONE 1)" "$(netdev_xml 1 52:54:00:00:00:11 42)" > vm.xml
ok "define" virsh -q define vm.xml
is "its address was found" "$(has vm)" "$(vfaddr "$PF1" 1)"
like "dumpxml shows what was asked for" "$(virsh dumpxml vm | tr -d '\n ')" "<source><pfserial='$ONE'/><vfindex='1'/><address"
like "stock libvirt has an address" "$(stock_virsh dumpxml vm | sed '1,/<devices>/d')" "<source>"
ok "start" start vm
is "the VF is set" "$(vfget "$PF1" 1 'vlan_list[0].vlan')" 42
ok "destroy" virsh -q destroy vm
is "everything as before" "$(vfs_now)" "$before"

step "the card is in another slot: through the daemon, a start follows it"
vfs "$PF1" 0; vfs "$PF2" 0
card blanks good; igb_up "$PF1" 3; igb_up "$PF2" 3
before=$(vfs_now)
ok "start" start vm
is "it has the VF of the card that was asked for" "$(has vm)" "$(vfaddr "$PF2" 1)"
is "that is set" "$(vfget "$PF2" 1 'vlan_list[0].vlan')" 42
ok "destroy" virsh -q destroy vm
is "everything as before" "$(vfs_now)" "$before"

step "and back: by the hook alone it is refused, with the command that mends it"
vfs "$PF1" 0; vfs "$PF2" 0
card good blanks; igb_up "$PF1" 3; igb_up "$PF2" 3
before=$(vfs_now)
not_ok "stock start" "VF 1 of card $ONE, which was $(vfaddr "$PF2" 1) .* is now $(vfaddr "$PF1" 1). Run: virt-hostdev resolve vm" \
  stock_virsh start vm --paused
not_ok "plan says so, too" "virt-hostdev resolve vm" virt-hostdev plan --domain vm
is "nothing was set" "$(vfs_now)" "$before"
like "a dry run" "$(virt-hostdev resolve --dry-run vm)" "VF 1 of card $ONE would now be $(vfaddr "$PF1" 1), no longer $(vfaddr "$PF2" 1)"
ok "resolve" virt-hostdev resolve --all
ok "stock start" stock_virsh start vm --paused
is "the VF is set" "$(vfget "$PF1" 1 'vlan_list[0].vlan')" 42
is "resolve leaves a running guest alone" "$(virt-hostdev resolve vm; has vm)" "Domain 'vm': VF 1 of card $ONE is still $(vfaddr "$PF1" 1)
$(vfaddr "$PF1" 1)"

ok "destroy" virsh -q destroy vm
is "everything as before" "$(vfs_now)" "$before"

if [[ ${SIDES:-} = all ]]; then
  step "the card is in another slot when the daemon starts: stored domains follow it"
  vfs "$PF1" 0; vfs "$PF2" 0
  card blanks good; igb_up "$PF1" 3; igb_up "$PF2" 3
  hostdevd_restart
  ok "it is defined anew" waitfor 30 is_at vm "$(vfaddr "$PF2" 1)"
  like "the log says so" "$(cat "$HOSTDEVD_LOG")" "Domain 'vm': VF 1 of card $ONE is now $(vfaddr "$PF2" 1), no longer $(vfaddr "$PF1" 1)"

  step "it comes back while libvirt's daemon is off: followed before a guest is autostarted"
  ok "autostart" virsh -q autostart vm
  hostdevd_stop
  not_ok "not while the daemon runs" "$LIBVIRTD runs, .* and would overwrite" virt-hostdev resolve --offline --all
  libvirt_stop
  vfs "$PF1" 0; vfs "$PF2" 0
  card good blanks; igb_up "$PF1" 3; igb_up "$PF2" 3
  before=$(vfs_now)
  is "resolve, in libvirt's own files" "$(virt-hostdev resolve --offline --all)" \
    "Domain 'vm': VF 1 of card $ONE is now $(vfaddr "$PF1" 1), no longer $(vfaddr "$PF2" 1)"
  rm -f /run/libvirt/qemu/autostarted              # as after a boot
  stock_up
  is "the guest is autostarted" "$(stock_virsh domstate vm)" running
  is "the VF is set" "$(vfget "$PF1" 1 'vlan_list[0].vlan')" 42
  ok "no more autostart" stock_virsh -q autostart --disable vm
  ok "destroy" stock_virsh -q destroy vm
  is "everything as before" "$(vfs_now)" "$before"
  hostdevd_start
fi

step "the card moves between start and restore: what is in its place is not touched"
virt-hostdev apply --owner me <(doc me "$(by_serial $ONE 1)" "$(netdev_xml 1 52:54:00:00:00:12 43)") > applied
is "set by hand" "$(vfget "$PF1" 1 'vlan_list[0].vlan')" 43
vfs "$PF1" 0; vfs "$PF2" 0
card blanks good; igb_up "$PF1" 3; igb_up "$PF2" 3
ip link set "$(netdev "$PF1")" vf 1 vlan 99
like "release says that it is gone" "$(virt-hostdev release me 2>&1)" "VF $(vfaddr "$PF1" 1) no longer exists"
is "the other card's VF is as somebody else has set it" "$(vfget "$PF1" 1 'vlan_list[0].vlan')" 99
is "nothing is remembered" "$(find /run/libvirt-hostdev -type f -not -name "*.lock")" ""
ip link set "$(netdev "$PF1")" vf 1 vlan 0
vfs "$PF1" 0; vfs "$PF2" 0
card good blanks; igb_up "$PF1" 3; igb_up "$PF2" 3

step "what cannot be"
doc bad "$(by_serial NOBODY 1)" > bad.xml
not_ok "no such card" "no card with the serial number 'NOBODY'" virsh define bad.xml
doc bad "$(by_serial $ONE 7)" > bad.xml
not_ok "no such VF" "has no VF 7: its VFs are 0 to 2" virsh define bad.xml
doc bad "<source><pf serial='$ONE'/><vf index='1'/>$(address "$(vfaddr "$PF1" 2)")</source>" > bad.xml
not_ok "an address that is another VF's" "which is $(vfaddr "$PF1" 1): drop the one that is wrong" virsh define bad.xml
not_ok "nor for virt-hostdev" "which is $(vfaddr "$PF1" 1): drop the one that is wrong" virt-hostdev define bad.xml
doc bad "<source pool='nowhere'/>" > bad.xml
not_ok "no such pool" "This host has no pool 'nowhere'" virsh define bad.xml
vfs "$PF1" 0; vfs "$PF2" 0
card good good; igb_up "$PF1" 3; igb_up "$PF2" 3
doc bad "$(by_serial $ONE 1)" > bad.xml
not_ok "two cards with one serial number" "$PF1 and $PF2, so it names neither" virsh define bad.xml
vfs "$PF1" 0; vfs "$PF2" 0
card good blanks; igb_up "$PF1" 2; igb_up "$PF2" 2
before=$(vfs_now)

step "a pool of two PFs"
for name in vm bad; do virsh -q undefine $name 2> /dev/null || true; done
cat > blue.xml << X
<pool><name>blue</name><pf serial='$ONE'/><pf serial='$QUOTED'/></pool>
X
ok "define" virt-hostdev pool-define blue.xml
is "its VFs" "$(virt-hostdev --json pool-info blue | jq -r '[.pool[].vf] | join(" ")')" \
  "$(vfaddr "$PF1" 0) $(vfaddr "$PF1" 1) $(vfaddr "$PF2" 0) $(vfaddr "$PF2" 1)"
for n in 1 2 3 4 5; do
  doc "p$n" "<source pool='blue'/>" "$(netdev_xml 1 52:54:00:00:01:0$n 10$n)" > p.xml
  ok "domain $n is defined" virsh -q define p.xml
done
is "each names another VF, as long as there are some" "$(for n in 1 2 3 4; do has p$n; done | sort -u | wc -l)" 4
for n in 1 2 3 4 5; do start p$n > "out$n" 2>&1 & done; wait
is "of five that are started at once, four run" "$(virsh -q list --name | grep -c '^p')" 4
like "one is told so" "$(cat out?)" "No VF is free that the domain could be given"
is "and each has a VF of its own" "$(for n in $(virsh -q list --name); do has "$n"; done | sort -u | wc -l)" 4
is "nothing is free" "$(virt-hostdev --json pool-list | jq -r '.pools[] | "\(.name) \(.vfs) \(.free)"')" "blue 4 0"
like "info says who has what" "$(virt-hostdev pool-info blue)" "$(vfaddr "$PF1" 0) +no +domain 'p"
mapfile -t running < <(virsh -q list --name | grep . | sort)
mapfile -t left < <(printf 'p%d\n' 1 2 3 4 5 | grep -vxf <(printf '%s\n' "${running[@]}"))
ok "one ends" virsh -q destroy "${running[0]}"
ok "then the fifth starts" start "${left[0]}"
for n in 1 2 3 4 5; do virsh -q destroy p$n 2> /dev/null || true; done
is "everything as before" "$(vfs_now)" "$before"

step "the pool grows and shrinks"
vfs "$PF1" 0; vfs "$PF2" 0; vfs "$PF1" 1
is "it has one VF" "$(virt-hostdev --json pool-list | jq -r '.pools[0].vfs')" 1
ok "a domain whose VF has gone is given that one" start p4
is "that is it" "$(has p4)" "$(vfaddr "$PF1" 0)"
not_ok "there is no other" "No VF is free" virsh start p5 --paused
vfs "$PF2" 1
ok "now there is" start p5
is "on the other card" "$(has p5)" "$(vfaddr "$PF2" 0)"
ok "both end" bash -c "virsh -q destroy p4 && virsh -q destroy p5"

step "attached and detached as it was asked for"
for n in 1 2 3 4 5; do virsh -q undefine p$n; done
vfs "$PF2" 0; vfs "$PF2" 2
before=$(vfs_now)
L2_PORTS=2 domain plugs "" > plugs.xml
ok "a domain, whose guest need not run for that" bash -c "virsh -q define plugs.xml && virsh -q start plugs --paused"
echo "<hostdev mode='subsystem' type='pci' managed='yes'><source><pf dev='$(netdev "$PF2")'/><vf index='any'/></source>$(netdev_xml 1 52:54:00:00:02:01 77)</hostdev>" > any.xml
ok "attach" virsh -q attach-device plugs any.xml --live --config
is "the first that is free" "$(has plugs)" "$(vfaddr "$PF2" 0)"
is "the same for the next start" "$(has plugs --inactive)" "$(vfaddr "$PF2" 0)"
is "it is set" "$(vfget "$PF2" 0 'vlan_list[0].vlan')" 77
sed "s/'77'/'78'/" any.xml > update.xml
ok "update, by what was asked for" virsh -q update-device plugs update.xml --live
is "it is set" "$(vfget "$PF2" 0 'vlan_list[0].vlan')" 78
like "and asked for as before" "$(virsh dumpxml plugs)" "<vf index='any'/>"
ok "detach, the same" virsh -q detach-device plugs any.xml --config
is "it is gone from the next start" "$(virsh dumpxml plugs --inactive | grep -c '<hostdev' || true)" 0
ok "the guest ends" virsh -q destroy plugs
is "everything as before" "$(vfs_now)" "$before"

step "stock libvirt alone, afterwards"
doc last "$(by_serial $ONE 0)" > last.xml
ok "defined" virsh -q define last.xml
like "unmanage says what is lost" "$(virt-hostdev unmanage last)" "loses $(vfaddr "$PF1" 0): <source> that asks for VF 0 of card $ONE"
is "nothing of it is left" "$(stock_virsh dumpxml last | grep -c 'urn:libvirt-hostdev' || true)" 0
ok "pool-undefine" virt-hostdev pool-undefine blue
