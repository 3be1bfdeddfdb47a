# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# The PFs and VFs of L1. What is asked for often starts no program: under emulation that costs more than all it would do.
# An ADDR is a full PCI address, 0000:01:00.0; a PORT is dev_port + 1, as in <netdev port=>.

PCI=/sys/bus/pci/devices
# shellcheck disable=SC2034   # for scenarios
PF1=0000:01:00.0 PF2=0000:02:00.0 PF3=0000:03:00.0   # PF1 is on the wire; PF2 and PF3 are for dualport

# driver ADDR: the driver's name, or "none"
driver() { if [[ -e $PCI/$1/driver ]]; then target "$PCI/$1/driver"; else echo none; fi; }
# target LINK: the name of the directory that it leads to; fails when there is none
target() ( cd -P "$1" 2> /dev/null && echo "${PWD##*/}" )

# netdev ADDR [PORT]: the name of that port's netdev; fails when there is none. Only dev_port tells ports apart: the
# kernel lists a device's netdevs in no order, and names change when a driver is bound again.
netdev() {
  local dir port
  for dir in "$PCI/$1"/net/*; do
    read -r port 2> /dev/null < "$dir/dev_port" || continue
    [[ $port = $((${2:-1} - 1)) ]] || continue
    ! is_representor "$dir" || continue
    echo "${dir##*/}"; return
  done
  return 1
}

# is_representor DIR: does a netdev of a PF stand for a port of a VF?
is_representor() {
  local name=''
  read -r name 2> /dev/null < "$1/phys_port_name" || true
  [[ $name = *pf*vf* ]]
}

# vfaddr PF N: the ADDR of VF N; an empty line when there is none
vfaddr() { target "$PCI/$1/virtfn$2" || echo; }
# vfinfo PF N [PORT]: what "ip link show" says of VF N through that port, without its number
vfinfo() { ip -d link show "$(netdev "$1" "${3:-1}")" | sed -n "s/^ *vf $2 *//p"; }
# vfget PF N FIELD [PORT]: one attribute, by its name in "ip -json link show"; as JSON
vfget() {
  ip -d -j link show "$(netdev "$1" "${4:-1}")" | jq -c --argjson n "$2" ".[0].vfinfo_list[] | select(.vf == \$n) | .$3"
}

# vfs PF N: give the PF N VFs
vfs() {
  [[ $(cat "$PCI/$1/sriov_numvfs") = "$2" ]] && return
  echo 0 > "$PCI/$1/sriov_numvfs"
  [[ $2 = 0 ]] || echo "$2" > "$PCI/$1/sriov_numvfs"
}
# bind ADDR DRIVER: let that driver, and no other, have the device
bind() {
  [[ $(driver "$1") != "$2" ]] || return 0
  [[ ! -e $PCI/$1/driver ]] || echo "$1" > "$PCI/$1/driver/unbind"
  echo "$2" > "$PCI/$1/driver_override"
  echo "$1" > /sys/bus/pci/drivers_probe
  [[ $(driver "$1") = "$2" ]]
}
# rebind ADDR: let its driver probe it again; a VF takes a new MAC from its PF only then
rebind() {
  local dir
  dir=$(readlink -f "$PCI/$1/driver")
  echo "$1" > "$dir/unbind"; echo "$1" > "$dir/bind"
}
# igb_mac PF N MAC: give VF N of an igb a MAC address by hand, and see that its netdev has it: igbvf makes one up, and gives
# it to the PF, when the PF answers it too late, as on a busy machine
igb_mac() { waitfor 30 try_mac "$@"; }
try_mac() {
  local vf
  vf=$(vfaddr "$1" "$2")
  ip link set "$(netdev "$1")" vf "$2" mac "$3"
  rebind "$vf"; waitfor 10 netdev "$vf"
  [[ $(cat "$PCI/$vf"/net/*/address) = "$3" && $(vfget "$1" "$2" address) = "\"$3\"" ]]
}
# up ADDR: bring each of its netdevs up (libvirt refuses a VF of a PF that is down)
up() { local dir; for dir in "$PCI/$1"/net/*; do ip link set "${dir##*/}" up; done; }

# igb_up PF N: the PF with igb, and N VFs with igbvf
igb_up() {
  modprobe -a vfio-pci igb igbvf
  bind "$1" igb; waitfor 10 netdev "$1"
  up "$1"; vfs "$1" "$2"                 # up first: igbvf asks its PF, which answers when it is up
}
# dualport_up PF N [MODULE PARAMETER...]: the PF and its N VFs with dualport, two netdevs each (or as many as the
# parameter "ports" says now), well-behaved and with an empty log. igbvf may be loaded beside it: dualport keeps its VFs.
dualport_up() {
  local pf=$1 n=$2 many; shift 2
  modprobe vfio-pci
  grep -q ^dualport /proc/modules || modprobe dualport "$@"
  many=$(cat /sys/module/dualport/parameters/ports)
  bind "$pf" "$(cat /sys/module/dualport/parameters/pf_driver)"
  [[ $(ports "$pf" | wc -l) = "$many" ]] || rebind "$pf"
  waitfor 10 netdev "$pf" "$many"
  echo 1 > "/sys/kernel/debug/dualport/$pf/reset"; echo > "/sys/kernel/debug/dualport/$pf/log"
  up "$pf"; vfs "$pf" "$n"
}

# dualport_down: the driver goes, and with it what a scenario has set: parameters, the eswitch's mode
dualport_down() {
  local pf
  ! grep -q ^dualport /proc/modules || rmmod dualport
  for pf in "$PF2" "$PF3"; do echo > "$PCI/$pf/driver_override"; done   # or it would have them as soon as it is loaded
}

# call ADDR NAME [PORT]: name its netdevs NAME1 and NAME2, so that messages are the same in every run, and, with some letters
# behind that, so that the kernel, which lists them by a hash of their names, lists that PORT first
call() {
  local try first
  for try in '' {a..z}; do
    rename "$(netdev "$1" 1)" "${2}1$try"; rename "$(netdev "$1" 2)" "${2}2$try$try"
    # shellcheck disable=SC2012   # the order is the question
    first=$(ls -U "$PCI/$1/net" | head -n 1)
    [[ $first != "$2${3:-1}"* ]] || return 0
  done
  return 1
}
rename() { [[ ! $1 || $1 = "$2" ]] || ip link set "$1" name "$2"; }

# card VARIANT [VARIANT]: the first card gets such a VPD (vpdgen.py), and the second; the kernel finds them anew
card() {
  local pf pfs=("$PF1" "$PF2") slots=() hex=()
  [[ ! -d /sys/module/labvpd ]] || rmmod labvpd
  for pf in "${pfs[@]:0:$#}"; do
    slots+=("$pf") hex+=("$(python3 /lab/guest/vpdgen.py "$1" | cut -d' ' -f2)"); shift
  done
  modprobe labvpd slots="$(IFS=,; echo "${slots[*]}")" vpd="$(IFS=,; echo "${hex[*]}")"
  for pf in "${slots[@]}"; do echo 1 > "$PCI/$pf/remove"; done
  echo 1 > /sys/bus/pci/rescan
  for pf in "${slots[@]}"; do waitfor 10 test -e "$PCI/$pf/vpd"; done
}
# card_none: no card has one any more; so it is after each scenario. The kernel keeps what it has found of a card until it finds it anew.
card_none() {
  local pf
  rmmod labvpd
  for pf in "$PF1" "$PF2"; do echo 1 > "$PCI/$pf/remove"; done
  echo 1 > /sys/bus/pci/rescan
  for pf in "$PF1" "$PF2"; do waitfor 10 test -e "$PCI/$pf"; done
}

# netdevsim_up N ROOT: a netdev that has N VFs and no PCI device, for more VFs than a card has. ROOT is made
# anew, with the sysfs that they lack (guest/pcitree.py), for virt-hostdev --root. Prints the netdev's name.
netdevsim_up() {
  local bus=/sys/bus/netdevsim debug=/sys/kernel/debug/netdevsim/netdevsim1
  modprobe netdevsim
  netdevsim_down
  echo "1 1" > "$bus/new_device"
  waitfor 10 netdevsim_name
  echo "$1" > "$debug/max_vfs"; echo "$1" > "$bus/devices/netdevsim1/sriov_numvfs"
  ip link set "$(netdevsim_name)" up
  rm -rf "${2:?}"
  python3 /lab/guest/pcitree.py "$2" "$(netdevsim_name)" "$1"
  netdevsim_name
}
netdevsim_down() { [[ ! -e /sys/bus/netdevsim/devices/netdevsim1 ]] || echo 1 > /sys/bus/netdevsim/del_device; }
netdevsim_name() { (cd /sys/bus/netdevsim/devices/netdevsim1/net && echo *) | grep -v '[*]'; }
# netdevsim_vf N: the ADDR of its VF N below ROOT
netdevsim_vf() { printf '0000:%02x:%02x.%x\n' $(((0x1080 + $1) >> 8)) $(((0x1080 + $1) >> 3 & 0x1f)) $(($1 & 7)); }

# snapshot_vfs: all that the host knows of all VFs, in a form to compare before and after, byte for byte: every
# attribute of each VF through each port of its PF, and driver and netdevs of the VF itself. Keyed by PCI address and
# port, for names change.
snapshot_vfs() {
  local dir many
  for dir in "$PCI"/*/sriov_numvfs; do
    read -r many < "$dir"; dir=${dir%/*}
    [[ $many = 0 ]] || snapshot_pf "${dir##*/}"
  done
}
snapshot_pf() { # ADDR
  local port dir n many vf mac assigned
  while read -r n dir; do
    ip -d -j link show "${dir##*/}" | jq -cS --arg key "pf $1 port $((n + 1))" -r \
      '.[0].vfinfo_list[]? | "\($key) \(tojson)"'
  done < <(ports "$1")
  read -r many < "$PCI/$1/sriov_numvfs"
  for ((n = 0; n < many; n++)); do
    vf=$(vfaddr "$1" "$n")
    echo "vf $vf driver $(driver "$vf")"
    while read -r port dir; do
      mac='' assigned=''             # a netdev may go meanwhile
      read -r mac < "$dir/address" || true; read -r assigned < "$dir/addr_assign_type" || true
      echo "vf $vf port $((port + 1)) mac $mac assigned $assigned"
    done < <(ports "$vf")
  done
}
# ports ADDR: "DEV_PORT DIRECTORY" of each netdev, in order
ports() {
  local dir port found=()
  for dir in "$PCI/$1"/net/*; do
    read -r port 2> /dev/null < "$dir/dev_port" || continue
    ! is_representor "$dir" || continue
    found[port]+="$port $dir"$'\n'
  done
  printf %s "${found[@]}"
}

cleanup_nics() {
  local file
  rm -rf /run/libvirt-hostdev              # VFs that are gone have nothing to be put back
  for file in "$PCI"/*/sriov_numvfs; do
    [[ $(cat "$file") = 0 ]] || echo 0 > "$file"
  done
  dualport_down
  [[ ! -d /sys/module/labvpd ]] || card_none
  netdevsim_down
}
