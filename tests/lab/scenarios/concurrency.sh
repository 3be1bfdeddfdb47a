# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# suites: none
# Hook, second hook, daemon and tool at once, on one PF and on different ones: nobody is lost, nobody waits in a circle,
# every wait has an end; and what our locks add to what the kernel's own does.
. /lab/guest/lib.sh

knob() { echo "$2" > "/sys/kernel/debug/dualport/$1/$3"; }
two() { hostdev "$1" "$(netdev_xml 1 "52:54:00:aa:01:$2" "1$2")$(netdev_xml 2 "52:54:00:aa:02:$2" "2$2")"; }
# set_on TEXT PF INDEX NN: the VF has what "two" gives it
set_on() {
  local port found='' wanted=''
  for port in 1 2; do
    found+="$(vfget "$2" "$3" address "$port") $(vfget "$2" "$3" 'vlan_list[0].vlan' "$port") "
    wanted+="\"52:54:00:aa:0$port:$4\" $port$4 "
  done
  is "$1" "$found" "$wanted"
}
# at_once: the commands on stdin, a line each; succeeds when all do
at_once() {
  local line pid bad=0 pids=()
  while read -r line; do bash -c "$line" < /dev/null & pids+=($!); done
  for pid in "${pids[@]}"; do wait "$pid" || bad=1; done
  return $bad
}
records() { find /run/libvirt-hostdev -type f ! -name '*.lock' -printf '%f\n' | sort; }
all_back() { [[ -z $(records) && $(snapshot_vfs) = "$before" ]]; }

dualport_up "$PF2" 4
dualport_up "$PF3" 4
for n in 0 1 2 3; do a[n]=$(vfaddr "$PF2" "$n") b[n]=$(vfaddr "$PF3" "$n"); done
before=$(snapshot_vfs)

step "another PF is not waited for"
two "${a[0]}" 00 > a.xml; two "${b[0]}" 01 > b.xml
ok "apply, so that there is a lock" virt-hostdev apply --owner first a.xml
ok "release" virt-hostdev release first
exec 9< "/run/libvirt-hostdev/$PF2.lock"; flock 9
ok "somebody has the lock of one PF: a VF of the other is set" timeout 20 virt-hostdev apply --owner second b.xml 9<&-
is "the first PF is as before" "$(snapshot_pf "$PF2")" "$(grep -F "$PF2" <<< "$before"; for n in 0 1 2 3; do grep -F "vf ${a[n]}" <<< "$before"; done)"
since=$SECONDS
not_ok "who needs it waits half a minute and is refused" "$PF2 is busy.*30 seconds" virt-hostdev apply --owner third a.xml 9<&-
like "not sooner" "$((SECONDS - since))" '^(29|[3-9].|1..)$'
flock -u 9
ok "when it is free" virt-hostdev apply --owner first a.xml
set_on "it is set" "$PF2" 0 00
ok "release" virt-hostdev release first
ok "release" virt-hostdev release second
is "all as before" "$(snapshot_vfs)" "$before"

step "two starts over both PFs, named in opposite order"
{ two "${a[0]}" 00; two "${b[0]}" 01; } > ab.devices; { two "${b[1]}" 03; two "${a[1]}" 02; } > ba.devices
domain ab "$(cat ab.devices)" > ab.xml; domain ba "$(cat ba.devices)" > ba.xml
for pf in "$PF2" "$PF3"; do knob "$pf" 5 delay_ms; done
for ((round = 1; round <= 5; round++)); do
  ok "round $round: both" at_once <<< "timeout 60 virt-hostdev apply ab.xml
timeout 60 virt-hostdev apply ba.xml"
  ok "and back" at_once <<< "timeout 60 virt-hostdev release ab
timeout 60 virt-hostdev release ba"
done
is "all as before" "$(snapshot_vfs)" "$before"

step "daemon, two hooks and the tool at once"
hostdevd_up
domain runs "" > runs.xml
two "${a[0]}" 10 > plug.xml
domain one "$(two "${a[1]}" 11)" > one.xml; domain other "$(two "${b[1]}" 12)" > other.xml
two "${a[2]}" 13 > tool-a.xml; two "${b[2]}" 14 > tool-b.xml
ok "defined" virsh -q define one.xml; ok "defined" virsh -q define other.xml
for ((round = 1; round <= ${ROUNDS:-2}; round++)); do
  ok "a guest to plug into" virsh -q create runs.xml
  for pf in "$PF2" "$PF3"; do knob "$pf" 20 delay_ms; done
  ok "round $round: attach, start, start, apply, apply" at_once <<< "virsh -q attach-device runs plug.xml --live
virsh -q start one
virsh -q start other
virt-hostdev apply --owner a tool-a.xml
virt-hostdev apply --owner b tool-b.xml"
  set_on "by the daemon" "$PF2" 0 10
  set_on "by the hook, on the same PF" "$PF2" 1 11
  set_on "by the other hook, on the other PF" "$PF3" 1 12
  set_on "by the tool" "$PF2" 2 13
  set_on "by the tool, on the other PF" "$PF3" 2 14
  is "each has its record" "$(records)" "$(printf '%s\n' "${a[@]:0:3}" "${b[@]:1:2}" | sort)"
  ok "round $round: all of them give back at once" at_once <<< "virsh -q destroy runs
virsh -q destroy one
virsh -q destroy other
virt-hostdev release a
virt-hostdev release b"
  for pf in "$PF2" "$PF3"; do knob "$pf" 0 delay_ms; done
  ok "all as before" waitfor 60 all_back
done

step "two writers on two PFs at once: milliseconds, of bare requests and of ours"
bench-pair "${ROUNDS:-7}" 50 "$PF2" "$PF3" > pair
is "all as before" "$(snapshot_vfs)" "$before"
ratio() { awk -v n="$1" '$2 == n { t[$1] = $3 } END { printf "%.3f\n", t["ours"] / t["bare"] }' pair; }
of() { awk -v way="$1" -v n="$2" '$1 == way && $2 == n { print $3 }' pair; }
for n in 1 2; do
  row="one writer"; [[ $n = 1 ]] || row="two writers, each on a PF of its own"
  cell "$row" "bare requests, ms" "$(of bare $n)"
  cell "$row" "virt-hostdev, ms" "$(of ours $n)"
  cell "$row" ratio "$(ratio $n)"
done
cat cells
figures tables/concurrency.rst "at once"
# RTNL is never idle, or the ratio would be nearer to 2: a bound that a busy machine keeps. The figure itself is in the docs.
like "the ratio of two to two is nearer to 1 than to 2" "$(ratio 2)" '^(0\.[5-9]|1\.[0-4])'
