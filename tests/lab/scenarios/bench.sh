# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# suites: none
# What setting VFs costs, by us and by others in one run: see bench/README.md. Nothing here passes or fails by its time.
. /lab/guest/lib.sh
. /lab/guest/vdpas.sh

# median NUMBER...: the middle one, and the spread
median() { printf '%s\n' "$@" | sort -n | awk '{ v[NR] = $1 } END { printf "%12.0f %12.0f %12.0f", v[int((NR + 1) / 2)], v[1], v[NR] }'; }
middle() { median "$@" | awk '{ print $1 }'; }
# timed NAME COMMAND...: add its microseconds to the array
timed() {
  local -n into=$1
  local from=${EPOCHREALTIME/./}; shift
  "$@" > /dev/null
  into+=($((${EPOCHREALTIME/./} - from)))
}

if [[ ${KIND:-all} != vdpa ]]; then
step "many VFs of one port (netdevsim); microseconds"
for n in 7 64 255; do
  dev=$(netdevsim_up "$n" /run/bench)
  bench-vf many /run/bench "$dev" "$n" "${ROUNDS:-15}"
done

step "one VF of many; microseconds, bytes"
printf '  %6s %14s %14s %14s %14s %12s %12s\n' VFs "one request" "by us" "read a port" "with counters" length "with them"
for n in 7 64 255 1000; do
  dev=$(netdevsim_up "$n" /run/bench)
  bench-vf one /run/bench "$dev" "$n"
done

step "list them; microseconds"
printf '  %6s %-24s %12s %12s %12s\n' VFs "" median fastest slowest
declare -A listed
for n in 7 255; do
  dev=$(netdevsim_up "$n" /run/bench)
  ours=() ip=()
  for ((i = 0; i < 7; i++)); do
    timed ours virt-hostdev --root /run/bench list
    timed ip ip -d link show "$dev"
  done
  printf '  %6s %-24s %s\n' "$n" "virt-hostdev list" "$(median "${ours[@]}")" "$n" "ip link show" "$(median "${ip[@]}")"
  listed[$n]=$(middle "${ours[@]}")
done
awk -v a="${listed[7]}" -v b="${listed[255]}" 'BEGIN { printf "  255 VFs take %.1f times as long as 7\n", b / a }'
netdevsim_down

step "start of a domain (igb): milliseconds, by virsh create"
igb_up "$PF1" 4
libvirt_up
hook=/etc/libvirt/hooks/qemu.d/50-virt-hostdev
stock_xml='' ours_xml=''
for ((n = 0; n < 4; n++)); do
  vf=$(vfaddr "$PF1" "$n")
  stock_xml+=$(interface "$vf" "52:54:00:00:00:1$n" 42)
  ours_xml+=$(hostdev "$vf" "$(netdev_xml 1 "52:54:00:00:00:1$n" 42)")
  [[ $n = 0 || $n = 3 ]] || continue
  domain vm "$stock_xml" > "stock$((n + 1)).xml"; domain vm "$ours_xml" > "ours$((n + 1)).netdev"
  virt-hostdev convert --to=stock "ours$((n + 1)).netdev" > "ours$((n + 1)).xml"
done
domain vm "" > none.xml
cp stock1.xml idle1.xml
printf '#!/bin/true\n' > "${hook%/*}/00-idle"
# start WAY: a domain; without a hook, unless the way is ours, or idle: a hook that does nothing
start() {
  chmod -x "$hook" "${hook%/*}/00-idle"
  case $1 in ours*) chmod +x "$hook";; idle*) chmod +x "${hook%/*}/00-idle";; esac
  timed "$1" virsh -q create "$1.xml"
  virsh -q destroy vm
  waitfor 20 free
}
free() { local n; for ((n = 0; n < 4; n++)); do [[ -e $PCI/$(vfaddr "$PF1" "$n")/net ]] || return 1; done; }
ways=(none stock1 idle1 ours1 stock4 ours4)
for ((round = 0; round <= ${ROUNDS:-7}; round++)); do
  # shellcheck disable=SC2034   # filled by timed, by name
  if ((round <= 1)); then none=() stock1=() idle1=() ours1=() stock4=() ours4=(); fi    # the first is not counted
  for ((i = 0; i < ${#ways[@]}; i++)); do start "${ways[(round + i) % ${#ways[@]}]}"; done
done
printf '  %-24s %12s %12s %12s %12s\n' "" median fastest slowest "added"
for way in "${ways[@]}"; do
  declare -n times=$way
  printf '  %-24s %s' "$way" "$(median "${times[@]}" | awk '{ printf "%12.1f %12.1f %12.1f", $1 / 1000, $2 / 1000, $3 / 1000 }')"
  # shellcheck disable=SC2154   # none is filled by timed
  awk -v a="$(middle "${times[@]}")" -v b="$(middle "${none[@]}")" 'BEGIN { printf " %12.1f\n", (a - b) / 1000 }'
done
fi

step "start of a domain with a vDPA device: milliseconds"
vdpas_up; libvirt_up
hook=/etc/libvirt/hooks/qemu.d/50-virt-hostdev
domain vm "$(vdpa_nic one 52:54:00:aa:01:01)" > ours.netdev
virt-hostdev convert --to=stock ours.netdev > ours.xml
sed "s|$NODES/one|/dev/vhost-vdpa-0|; /<metadata>/,/<.metadata>/d" ours.xml > byhand.xml
idler=${hook%/*}/00-idle
printf '#!/bin/true\n' > "$idler"
made_by_hand() { vdpa dev add name one mgmtdev vdpasim_net mac 52:54:00:aa:01:01; virsh -q create byhand.xml; }
made_by_us() { virsh -q create ours.xml; }
# start_vdpa WAY: by hand without a hook; with one that does nothing; by us
start_vdpa() {
  chmod -x "$hook" "$idler"
  case $1 in
    byhand) timed byhand made_by_hand;;
    idle) chmod +x "$idler"; timed idle made_by_hand;;
    ours) chmod +x "$hook"; timed ours made_by_us;;
  esac
  virsh -q destroy vm
  [[ $1 = ours ]] || vdpa dev del one
  is "the device is gone ($1)" "$(vdpa dev show)" ""
}
ways=(byhand idle ours)
for ((round = 0; round <= ${ROUNDS:-7}; round++)); do
  # shellcheck disable=SC2034   # filled by timed, by name
  if ((round <= 1)); then byhand=() idle=() ours=(); fi    # the first is not counted
  for ((i = 0; i < ${#ways[@]}; i++)); do start_vdpa "${ways[(round + i) % ${#ways[@]}]}"; done
done
for way in "${ways[@]}"; do
  declare -n times=$way
  printf '  %-24s %s\n' "$way" "$(median "${times[@]}" | awk '{ printf "%12.1f %12.1f %12.1f", $1 / 1000, $2 / 1000, $3 / 1000 }')"
done
for way in byhand idle; do
  declare -n times=$way
  awk -v a="$(middle "${ours[@]}")" -v b="$(middle "${times[@]}")" -v way="$way" 'BEGIN { printf "  by us, as a part of %s: %.2f\n", way, a / b }'
done
pass "measured"
