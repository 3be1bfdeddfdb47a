# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# suites: trixie
# <interface type='hostdev'> on stock libvirt alone, and with us in front of it: the same procedures twice, through plain
# virsh. Each prints what it has found, which is a cell of a table in docs/legacy-interface.rst. SIDES="stock ours" runs
# all of it; without, bookworm has the whole of stock's column, which changes with Debian and is run by hand, and trixie that
# of ours, and of the other only what clients are shown.
. /lab/guest/lib.sh

GUEST=52:54:00:aa:00:01 GUEST2=52:54:00:aa:02:01 HOST=52:54:00:00:00:1 HOST2=52:54:00:00:02:1     # HOST*: but a digit
KNOBS=/sys/kernel/debug/dualport
HOOK=/etc/libvirt/hooks/qemu.d/50-virt-hostdev

# ---- what a VF is set to, in words

# settings PF N: a line "WHAT|VALUE" for each setting of VF N, for what its driver has, and for each netdev it has here.
# Many are taken, where starting a program costs much: the shell itself looks, and asks "ip" only.
VF_LINE=$' *link/ether ([^ ]+) ([^\n]*)' VF_VLAN=', vlan ([0-9]+)(, qos ([0-9]+))?(, vlan protocol ([^,]+))?'
settings() {
  local vf dir dirs=() port said each override driver
  vf=$(cd -P "$PCI/$1/virtfn$2" && echo "${PWD##*/}")
  for dir in "$PCI/$1"/net/*; do read -r port < "$dir/dev_port"; dirs[port]=$dir; done
  for port in "${!dirs[@]}"; do
    each=''; [[ ${#dirs[@]} = 1 ]] || each="port $((port + 1)): "
    said=$(ip -d link show "${dirs[port]##*/}")
    [[ $said =~ $'\n '*"vf $2 "$VF_LINE ]]
    said=${BASH_REMATCH[2]}
    if [[ ${BASH_REMATCH[1]} = "$(chosen "$vf")" ]]; then echo "${each}MAC|random"; else echo "${each}MAC|${BASH_REMATCH[1]}"; fi
    if [[ $said =~ $VF_VLAN ]]; then
      said=${said/"${BASH_REMATCH[0]}"/}
      echo "${each}VLAN|${BASH_REMATCH[1]}${BASH_REMATCH[3]:+ QoS ${BASH_REMATCH[3]}}${BASH_REMATCH[5]:+ ${BASH_REMATCH[5]}}"
    else echo "${each}VLAN|none"; fi
    echo "${each}others|$said"
  done
  driver=$(cd -P "$PCI/$vf/driver" 2> /dev/null && echo "${PWD##*/}") || true
  read -r override < "$PCI/$vf/driver_override" || true
  printf '%s\n' "driver|${driver:-none}" "driver_override|${override/(null)/none}"
  for dir in "$PCI/$vf"/net/*; do
    [[ -e $dir ]] || continue
    read -r port < "$dir/dev_port"; read -r said < "$dir/address"
    [[ $said != "$(chosen "$vf")" ]] || said=random
    each=''; [[ ${#dirs[@]} = 1 ]] || each=" $((port + 1))"
    echo "netdev$each: MAC|$said"
  done
}
# chosen ADDR: the MAC address that its driver has made up, if it has
chosen() {
  local dir type mac
  for dir in "$PCI/$1"/net/*; do
    [[ -e $dir ]] || continue
    read -r type < "$dir/addr_assign_type"; read -r mac < "$dir/address"
    [[ $type != 1 ]] || { echo "$mac"; return; }
  done
  echo nothing
}
# names MAC: MAC addresses as those they are for; that one is what the driver had made up before
names() {
  sed "s/52:54:00:aa:00:../the guest's/g; s/52:54:00:aa:02:../the second guest's/g; s/52:54:00:00:00:../the host's/g
    s/52:54:00:00:02:../the host's second/g; s/00:00:00:00:00:00/none/g; s/02:d0:[0-9a-f:]*/the VF's own/g
    s/$1/the one made up before/g"
}
# set_to: what the domain has changed, of the VF that remember was called for
set_to() { compare '/^driver/d; /^netdev/d'; }
# left [SECONDS]: how the VF differs from what it was; it is given that long to be the same again
left() { if waitfor "${1:-2}" same_again; then echo "as before"; else compare ''; fi; }
same_again() { [[ $(settings "$PF" "$N") = "$(< "before.$PF.$N")" ]]; }
compare() { # SED
  local found
  found=$(settings "$PF" "$N" | sed "$1" | awk -F'|' '
    NR == FNR { was[$1] = $2; next }
    was[$1] != $2 { printf "%s%s %s", sep, $1, $2; if ($1 in was) printf " (was %s)", was[$1]; sep = ", " }' \
    "before.$PF.$N" - | names "$(cat "chosen.$PF.$N")")
  echo "${found:-unchanged}"
}
# remember PF N: what VF N is set to now; look PF N: from here on compare with what was remembered of that VF
remember() { look "$1" "$2"; settings "$1" "$2" > "before.$1.$2"; chosen "$(vfaddr "$1" "$2")" > "chosen.$1.$2"; }
look() { PF=$1 N=$2; }

# ---- libvirt

# begin NAME DEVICES: a transient domain, whose processor stands still; prints nothing, or the reason when it is refused
begin() {
  domain "$1" "$2" > "$1.xml"
  refusal virsh -q create --paused "$1.xml"
}
# refusal COMMAND: what libvirt says, without what it puts before a hook's words; and without a domain's UUID
refusal() {
  local out
  ! out=$("$@" 2>&1) || return 0
  echo "refused: $(reason <<< "$out")"
  return 1
}
reason() { sed -n 's/^error: //p' | tail -n 1 | sed 's/.*virt-hostdev: error: //; s/ ([0-9a-f-]\{36\})//; s/\.$//'; }
end() { virsh -q destroy "$1" > /dev/null 2>&1 || true; waitfor 30 ended_domain "$1"; }
ended_domain() { ! virsh -q list --name | grep -qx "$1"; }
# libvirt_back: libvirtd is gone; bring it back as it was started
libvirt_back() {
  if [[ $THROUGH = ours ]]; then stock_up; else libvirt_up; fi
  waitfor 30 virsh -q version
}
qemu_kill9() { pkill -KILL -x qemu-system-x86; waitfor 10 no_guests; }

# ---- PFs

# igb N [TOTAL]: VFs, of which N have a MAC address by hand
igb() {
  local n
  igb_up "$PF1" 0; call "$PF1" igb; vfs "$PF1" "${2:-$1}"
  for ((n = 0; n < $1; n++)); do igb_mac "$PF1" $n "$HOST$n"; done
  vf0=$(vfaddr "$PF1" 0)
}
# one: VFs of one port, on a card whose driver misbehaves as knobs say; two [PORT]: of two, the PF's PORT listed first
one() { dual 1 "$PF3" one; }
two() { dual 2 "$PF2" two "${1:-1}"; }
dual() {
  modprobe dualport; echo "$1" > /sys/module/dualport/parameters/ports
  dualport_up "$2" 0; call "${@:2}"; vfs "$2" 3
  echo 2 > /sys/module/dualport/parameters/ports
  vf0=$(vfaddr "$2" 0) vf1=$(vfaddr "$2" 1)
}
knob() { echo "$3" > "$KNOBS/$1/$2"; }
byhand() { local pf=$1 n=$2 port=$3; shift 3; ip link set "$(netdev "$pf" "$port")" vf "$n" "$@"; }

# ---- the lines

# line ROW COMMAND: one cell
line() {
  local row=$1 out; shift
  out=$("$@" 2>> line.err) || out+=" (ended early)"
  told "$row" "$out"
  tidy
}
tidy() {
  local name
  for name in $(virsh -q list --all --name); do
    virsh -q destroy "$name" > /dev/null 2>&1 || true; virsh -q undefine "$name" > /dev/null 2>&1 || true
  done
  for pf in "$PF1" "$PF2" "$PF3"; do
    [[ ! -e $KNOBS/$pf/reset ]] || echo 1 > "$KNOBS/$pf/reset"
    vfs "$pf" 0
  done
  rm -rf /run/libvirt/hostdevmgr/* /run/libvirt-hostdev/*
}

# Start, attach, detach and stop are told by the guest too, which is booted once for all of them.
boots() {
  local out
  igb 2; vf1=$(vfaddr "$PF1" 1); remember "$PF1" 1; remember "$PF1" 0
  # shellcheck disable=SC2034   # for wire
  WIRE_FROM=$(stat -c %s /lab/wire.log)
  domain vm "$(interface "$vf0" $GUEST 42)" boot > vm.xml
  virsh -q define vm.xml
  out=$(refusal virsh -q start vm) || true
  looks
  told "Start with MAC and VLAN" "$out$(set_to); in the guest: MAC $(l2_macs vm 600 | sed 's/.* //' | names -), frames with VLAN $(
    wire "$GUEST > .* type=0800" | sed 's/.* vlan=\([^ ]*\) .*/\1/' | sort -u | tr '\n' ' ' | sed 's/ $//')"
  calls
  look "$PF1" 1
  interface "$vf1" $GUEST2 43 > two.xml
  told "Attach to the running guest" "$(plug); in the guest: MAC $(l2_wait vm "L2MAC .* $GUEST2" 200 | tail -n 1 | sed 's/.* //' | names -)"
  sed "s/'43'/'44'/" two.xml > update.xml
  told "Another VLAN for it, with update-device" "$(! refusal virsh -q update-device vm update.xml --live || set_to)"
  told "Detach, by its XML" "$(refusal virsh -q detach-device vm two.xml --live && left 60)"
  told "Attach again, detach by MAC" "$(plug; echo "; $(refusal virsh -q detach-interface vm hostdev --mac $GUEST2 --live && left 60)")"
  look "$PF1" 0
  end vm
  told "Stop" "$(left)"
  tidy
}
# looks: what clients see of the interface is the same both times
looks() {
  { shown vm; shown vm --inactive; virsh -q domiflist vm; } > "looks.$THROUGH"
  is "virsh shows the interface as libvirt alone does" "$(cat "looks.$THROUGH")" "$(cat looks.stock)"
  like "which is an interface" "$(cat looks.stock)" "<interface type='hostdev'"
}
# calls: what those say that name the interface of the running guest, or that count it; the cells of a table of their own
calls() {
  asked "domifstat" domifstat vm $GUEST
  asked "domstats --interface" domstats vm --interface
  asked "domiftune" domiftune vm $GUEST
  asked "domiftune, to set" domiftune vm $GUEST --live --outbound 100
  asked "domif-getlink" domif-getlink vm $GUEST
  asked "domif-setlink" domif-setlink vm $GUEST down
  asked "domifaddr --source lease" domifaddr vm --source lease
  ip neigh replace 192.0.2.7 lladdr $GUEST dev "$(netdev "$PF1")" nud reachable
  if [[ $COLUMN = ours && $version = 9.0 ]]; then # libvirt's own failure; what is ours is seen with a newer one
    like "libvirt 9.0 cannot read the neighbours" "$(refusal virsh -q domifaddr vm --source arp || true)" "wrong nlmsg len"
  else asked "domifaddr --source arp, when the host has seen the guest" domifaddr vm --source arp; fi
  ip neigh del 192.0.2.7 dev "$(netdev "$PF1")"
}
asked() { # ROW VIRSH-COMMAND
  local row=$1 out; shift
  if virsh -q "$@" > said 2>&1; then
    out=$(sed "/^Domain:/d; s/^$GUEST *//; s/^ *//; s/ *$//; s/ *: */=/; /^$/d" said | paste -sd ' ' | sed 's/\([0-9]\) \([a-z]\)/\1, \2/g')
  else out="refused: $(reason < said)"; fi
  step "$COLUMN: $row: ${out:-nothing}"
  printf '%s\t%s\t%s\n' "$row" "$COLUMN" "${out:-nothing}" >> cells.calls
}
shown() { virsh -q dumpxml "$@" | sed -n '/<interface /,/<.interface>/p'; }
plug() { ! refusal virsh -q attach-device vm two.xml --live || set_to; }
# told ROW TEXT: one cell
told() {
  local text
  text=${2//$'\n'/}
  step "$COLUMN: $1: $text"
  cell "$1" "$COLUMN" "$text"
}

# add ROW PF N [VLAN [SED]]: an interface for that VF; all that were added are given to one domain by together
add() {
  remember "$2" "$3"
  ADDED+=("$1|$2|$3")
  DEVICES+=$(interface "$(vfaddr "$2" "$3")" "${GUEST%?}${#ADDED[@]}" "${4:-}" | sed "${5:-}")
}
ADDED=() DEVICES=''
# together: start and stop it; a cell for each: what is set while it runs, and what is left afterwards
together() {
  local out i ran=() row pf n
  out=$(begin a "$DEVICES") || true
  for i in "${ADDED[@]}"; do IFS='|' read -r row pf n <<< "$i"; look "$pf" "$n"; ran+=("$(set_to)"); done
  end a
  for i in "${!ADDED[@]}"; do
    IFS='|' read -r row pf n <<< "${ADDED[i]}"; look "$pf" "$n"
    told "$row" "${out}runs: ${ran[i]}; afterwards: $(left)"
  done
  ADDED=() DEVICES=''
  tidy
}

QOS="VLAN 42, where VLAN 7 with QoS 5 is set by hand"
byhands() {
  igb 3 4; one
  byhand "$PF1" 0 1 vlan 7;          add "No VLAN, where VLAN 7 is set by hand" "$PF1" 0
  byhand "$PF1" 1 1 vlan 7 qos 5;    add "$QOS" "$PF1" 1 42
  byhand "$PF3" 0 1 mac "${HOST}9";  rebind "$vf0"
  byhand "$PF3" 0 1 vlan 7 qos 5 proto 802.1ad
  add "VLAN 42, where VLAN 7 of 802.1ad with QoS 5 is set by hand" "$PF3" 0 42
  add "VLAN 42, where nothing is set by hand" "$PF3" 1 42
  add "VLAN 42, where nothing is set by hand, and the VF's driver makes up a MAC (igb)" "$PF1" 3 42
  echo igbvf > "$PCI/$(vfaddr "$PF1" 2)/driver_override"
  add "VLAN 42, where driver_override is igbvf" "$PF1" 2 42
  together
}
inuse() {
  igb 1; remember "$PF1" 0
  begin a "$(interface "$vf0" $GUEST 42)"
  begin b "$(interface "$vf0" $GUEST2 43)" || true
  echo "; the first keeps $(set_to)"
  end a
  echo "; afterwards: $(left)"
}
pfdown() {
  one; remember "$PF3" 0
  ip link set "$(netdev "$PF3")" down
  begin a "$(interface "$vf0" $GUEST 42)" || true
  ip link set "$(netdev "$PF3")" up
}

killguest() {
  igb 1; remember "$PF1" 0
  begin a "$(interface "$vf0" $GUEST 42)"
  qemu_kill9; waitfor 30 ended_domain a
  left
}
killlibvirt() {
  igb 1; remember "$PF1" 0
  begin a "$(interface "$vf0" $GUEST 42)"
  libvirt_kill9; libvirt_back
  life_goes_on a
}
life_goes_on() {
  if virsh -q list --name | grep -qx "$1"; then echo "runs: $(set_to)"; end "$1"; else echo "the domain is gone"; fi
  echo "; afterwards: $(left)"
}
killboth() {
  igb 1; remember "$PF1" 0
  begin a "$(interface "$vf0" $GUEST 42)"
  libvirt_kill9; qemu_kill9; libvirt_back
  waitfor 30 ended_domain a
  left 15
}
# libvirt's own call of hooks before it starts QEMU, when VFs are set and it has written down nothing yet
killearly() {
  igb 1; remember "$PF1" 0
  printf '#!/bin/sh\n[ "$2" != start ] || kill -KILL $PPID\n' > "$KILLER"; chmod +x "$KILLER"
  domain a "$(interface "$vf0" $GUEST 42)" > a.xml
  virsh -q define a.xml
  virsh -q start --paused a || true
  waitfor 30 libvirt_gone; rm "$KILLER"; libvirt_back
  echo "libvirtd is back: $(left 15); after another start and stop: "
  refusal virsh -q start --paused a || true
  end a
  left
}
KILLER=/etc/libvirt/hooks/qemu.d/60-killer

vlanrefused() {
  one; byhand "$PF3" 0 1 mac "${HOST}0"; rebind "$vf0"; remember "$PF3" 0
  knob "$PF3" fail_attr vlan
  begin a "$(interface "$vf0" $GUEST 42)" || true
  echo "; afterwards: $(left)"
}
secondrefused() {
  one; remember "$PF3" 1; remember "$PF3" 0
  knob "$PF3" vf 1; knob "$PF3" fail_attr vlan
  begin a "$(interface "$vf0" $GUEST 42)$(interface "$vf1" $GUEST2 43)" || true
  echo "; the first VF: $(left)"
  look "$PF3" 1; echo "; the second: $(left)"
}
restorerefused() {
  one; byhand "$PF3" 0 1 mac "${HOST}0"; rebind "$vf0"; remember "$PF3" 0
  begin a "$(interface "$vf0" $GUEST 42)"
  knob "$PF3" fail_attr all; end a; knob "$PF3" fail_attr none
  echo "afterwards: $(left); what it was is $(forgotten)"
}
forgotten() {
  if [[ -e /run/libvirt-hostdev/$vf0 ]] && virt-hostdev recover > /dev/null; then echo "known; virt-hostdev recover: $(left)"
  elif compgen -G '/run/libvirt/hostdevmgr/*' > /dev/null; then echo "known to libvirt"
  else echo "forgotten"; fi
}

# twoports FIRST [PF-FIRST]: VFs of two ports, each with settings of its own; the port of the VFs, and of the PF, that the
# kernel lists first
twoports() {
  local n vf
  two "${2:-1}"
  for n in 0 1 2; do
    byhand "$PF2" $n 1 mac "$HOST$n"; byhand "$PF2" $n 2 mac "$HOST2$n"; byhand "$PF2" $n 2 vlan 7 qos 5
    vf=$(vfaddr "$PF2" $n); rebind "$vf"; call "$vf" "vf${n}x" "$1"
  done
}
bothports() {
  twoports 1; call "$vf1" vf1x 2
  add "VLAN 42, a VF of two ports; the kernel lists port 1 first" "$PF2" 0 42
  add "VLAN 42, a VF of two ports; the kernel lists the VF's port 2 first" "$PF2" 1 42
  add "VLAN 42 with port='2', a VF of two ports" "$PF2" 2 42 "s/<interface /&port='2' /"
  together
  twoports 1 2
  add "VLAN 42, a VF of two ports; the kernel lists the PF's port 2 first" "$PF2" 0 42
  together
  echo 1 > /sys/module/dualport/parameters/phys_port_id
  twoports 2
  add "VLAN 42, a VF of two ports that say which of the PF's is theirs (phys_port_id)" "$PF2" 0 42
  together
  echo 0 > /sys/module/dualport/parameters/phys_port_id
}

# shows: only what looks() compares
shows() {
  igb 1
  virsh -q define <(domain vm "$(interface "$vf0" $GUEST 42)")
  virsh -q start --paused vm
  looks
  end vm; tidy
}
lines() {
  if [[ " $SIDES " != *" $THROUGH "* ]]; then shows; return; fi
  boots
  byhands
  bothports
  line "A second domain names the VF" inuse
  line "The PF is down" pfdown
  line "QEMU is killed" killguest
  line "libvirtd is killed while the guest runs, comes back, and the guest is stopped" killlibvirt
  line "libvirtd is killed, then QEMU, and libvirtd comes back" killboth
  line "libvirtd is killed during the start, before QEMU runs" killearly
  line "The driver refuses the VLAN" vlanrefused
  line "The driver refuses the VLAN of the second of two interfaces" secondrefused
  line "The driver refuses to put back, at stop" restorerefused
}

# ---- both ways

version=$(libvirtd --version | sed 's/.* //; s/^\([0-9]*\.[0-9]*\).*/\1/')
put_back() { [[ ! -e /run/lab-hook ]] || mv /run/lab-hook "$HOOK"; }
trap 'put_back; finish' EXIT
if [[ -z ${SIDES:-} ]]; then SIDES=ours; [[ $version != 9.* ]] || SIDES=stock; fi

step "stock libvirt $version"
THROUGH=stock COLUMN="libvirt $version"
mv "$HOOK" /run/lab-hook
libvirt_up
lines

step "ours"
put_back
THROUGH=ours COLUMN="ours"
hostdevd_up
lines

if [[ " $SIDES " = *" stock "* ]]; then
  step "convert_interfaces = no: libvirt alone sets them"
  hostdevd_stop
  echo 'convert_interfaces = "no"' >> /etc/libvirt/virthostdevd.conf
  hostdevd_start
  mv cells cells.table
  igb 2; byhand "$PF1" 1 1 vlan 7 qos 5; add "$QOS" "$PF1" 1 42; together
  is "so QoS is lost as it is there" "$(cut -f3 cells)" "$(sed -n "s/^$QOS\tlibvirt $version\t//p" cells.table)"
  mv cells.table cells
fi

step "the tables"
table legacy-interface.rst legacy
mv cells.calls cells
table legacy-interface.rst calls
