# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# suites: trixie
# The host changes underneath: PFs renamed, taken down, moved, bound anew, other VFs, /run cleaned, records damaged. Each
# time it is said what happens to the VF of a domain, and the VFs of others are not written to at all.
. /lab/guest/lib.sh

log=/sys/kernel/debug/dualport/$PF2/log state=/run/libvirt-hostdev
records() { find "$state" -type f ! -name '*.lock' ! -name '.*' -printf '%f ' 2> /dev/null || true; }
# now [VF-INDEX...]: what both ports say of these VFs; of all of them without
now() { local n port; for n in "${@:-0 1 2}"; do for port in 1 2; do vfinfo "$PF2" "$n" "$port"; done; done; }
others() { now 1; now 2; }
# is_back TEXT: the domain's VF is as before, and nothing is remembered of it
is_back() { is "$1: the VF is as before" "$(now 0)" "$was"; is "$1: nothing is remembered of it" "$(records)" "$theirs "; }
# untouched TEXT: nobody has written to the VFs of others since the last time, and they are what they were
untouched() {
  is "$1: nobody else's VF was written to" "$(grep -v ' vf=0 ' "$log" || true)" ""
  is "$1: they are what they were" "$(others)" "$their_settings"
  echo > "$log"
}
start() { ok "$1: start" virsh -q start vm; is "$1: it is set" "$(vfget "$PF2" 0 'vlan_list[0].vlan' 1) $(vfget "$PF2" 0 'vlan_list[0].vlan' 2)" "42 43"; }
destroy() { ok "$1: destroy" virsh -q destroy vm; }

step "three VFs: the domain's, one that somebody set by hand, one that an owner of ours has"
dualport_up "$PF2" 3
vf=$(vfaddr "$PF2" 0) theirs=$(vfaddr "$PF2" 2)
ip link set "$(netdev "$PF2" 1)" vf 0 vlan 7 qos 5
ip link set "$(netdev "$PF2" 1)" vf 1 mac 52:54:00:00:00:11 vlan 11; ip link set "$(netdev "$PF2" 2)" vf 1 vlan 12 trust on
hostdev "$theirs" "$(netdev_xml 1 52:54:00:cc:00:01 52)$(netdev_xml 2 52:54:00:cc:00:02 53)" > theirs.xml
ok "an owner of ours" virt-hostdev apply --owner other theirs.xml
was=$(now 0) their_settings=$(others)
domain vm "$(hostdev "$vf" "$(netdev_xml 1 52:54:00:aa:00:01 42)$(netdev_xml 2 52:54:00:aa:00:02 43)")" > vm.xml
libvirt_up
ok "define" virt-hostdev define vm.xml
echo > "$log"

step "the PF's netdevs are renamed while the domain runs"
start renamed
for port in 1 2; do ip link set "$(netdev "$PF2" $port)" name "renamed$port"; done
destroy renamed; is_back renamed; untouched renamed
start "with the new names"; destroy "with the new names"; is_back "with the new names"; untouched "with the new names"

step "they exchange their names"
start exchanged
ip link set renamed1 name x; ip link set renamed2 name renamed1; ip link set x name renamed2
destroy exchanged; is_back exchanged; untouched exchanged

step "a port goes down while the domain runs"
start down
ip link set "$(netdev "$PF2" 2)" down
destroy down; is_back down
not_ok "down: the next start is refused" "port 2 of $vf .*is down. Bring it up" virsh start vm
is_back "down, refused"; untouched down
up "$PF2"

step "a port is moved to another network namespace while the domain runs"
ip netns add elsewhere
start moved
moved=$(netdev "$PF2" 1)
ip link set "$moved" netns elsewhere
destroy moved
is "moved: what is left is remembered" "$(records)" "$vf $theirs "
is "moved: the other port is put back" "$(vfget "$PF2" 0 'vlan_list[0].vlan // 0' 2)" 0
not_ok "moved: recover says what it lacks" "has no port 1" virt-hostdev recover "$vf"
not_ok "moved: so does the next start" "has no port 1" virsh start vm
like "moved: the other namespace's is not written to" "$(ip netns exec elsewhere ip link show "$moved" | grep 'vf 0')" 'vlan 42'
ip -n elsewhere link set "$moved" netns 1; up "$PF2"
ok "moved back: recover" virt-hostdev recover
is_back "moved back"; untouched moved
ip netns del elsewhere

step "/run is cleaned while the domain runs"
start cleaned
mkdir kept; cp -a "$state"/. kept/
rm -rf "$state"
set_now=$(now 0)
libvirt_restart
is "cleaned: libvirtd comes again, and the guest goes on" "$(virsh -q domstate vm)" running
destroy cleaned
is "cleaned: what was before is not known, so nothing is done" "$(now 0)" "$set_now"
is "cleaned: nor to others" "$(grep -c ' vf=[12] ' "$log" || true)" 0
cp -a kept/. "$state"/
ok "cleaned: with the records from elsewhere it goes back" virt-hostdev recover
is_back cleaned; untouched cleaned

# refused TEXT: nobody does anything with the VF, and who is asked to names its record
refused() {
  is "$1: the VF is left as it is" "$(now 0)" "$set_now"
  not_ok "$1: another owner is refused, and the file named" "$state/$vf" virt-hostdev apply --owner another mine.xml
  is "$1: the VF is left as it is" "$(now 0)" "$set_now"
}
# damage TEXT COMMAND...: what the command makes of the record while the domain runs; libvirt's stop comes, and then the
# right one is there again
damage() {
  local text=$1; shift
  cp -a "$state/$vf" good
  "$@"
  ok "$text: libvirt's call comes" /etc/libvirt/hooks/qemu.d/50-virt-hostdev vm stopped end - < live.xml
  refused "$text"; untouched "$text"
  rm -rf "${state:?}/$vf"; cp -a good "$state/$vf"
}
step "the record is damaged while the domain runs"
hostdev "$vf" "$(netdev_xml 1 52:54:00:bb:00:01 62)" > mine.xml
start damaged
set_now=$(now 0); virsh -q dumpxml vm > live.xml; echo > "$log"
damage empty truncate -s 0 "$state/$vf"
damage "not XML" bash -c "head -c 500 /dev/urandom > $state/$vf"
damage "of a newer version" sed -i "s/version='2'/version='3'/" "$state/$vf"
damage "another VF's" cp --remove-destination "$state/$theirs" "$state/$vf"
damage "a link" bash -c "rm $state/$vf; ln -s $PWD/good $state/$vf"
damage "not ours" chown 12345 "$state/$vf"
cp -a "$state/$vf" good; truncate -s 100 "$state/$vf"
destroy "cut off"; refused "cut off"
not_ok "cut off: the next start is refused, and the file named" "$state/$vf" virsh start vm
cp -a good "$state/$vf"
ok "with the right one it goes back" virt-hostdev recover "$vf"
is_back damaged; untouched damaged

step "the disk is full"
cp -a "$state" copy; mount -t tmpfs -o mode=700,size=32k full "$state"; cp -a copy/. "$state/"
fill() { dd if=/dev/zero of="$state/.filler" bs=1k 2> /dev/null || true; }
fill
not_ok "full: the start is refused" "No space left" virsh start vm
is_back "full, refused"; untouched "full, refused"
rm "$state/.filler"; start full; fill
destroy full; is_back full; untouched full
umount "$state"

step "sriov_numvfs is written, and the PF bound anew, while an owner has the VF"
for how in "other VFs" "the same VFs" "bound anew"; do
  ok "$how: apply" virt-hostdev apply --owner mine mine.xml
  case $how in
    "other VFs") vfs "$PF2" 0;;
    "the same VFs") vfs "$PF2" 0; vfs "$PF2" 3;;
    "bound anew") rebind "$PF2"; waitfor 10 netdev "$PF2" 2; up "$PF2"; vfs "$PF2" 3;;
  esac
  fresh=$(snapshot_vfs)
  ok "$how: release" virt-hostdev release mine
  like "$how: nothing is remembered" "$(records)" "^($theirs )?$"
  case $how in
    "other VFs") vfs "$PF2" 3;;
    *) is "$how: only what the record says is written" "$(snapshot_vfs | grep -v '"vf":0' )" "$(grep -v '"vf":0' <<< "$fresh")";;
  esac
  is "$how: nobody else's VF was written to" "$(grep -v ' vf=0 ' "$log" || true)" ""; echo > "$log"
done
