# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# vDPA devices of the kernel's simulators, which send back to a guest what it sends. Sourced, after lib.sh.

VDPA=/sys/bus/vdpa/devices NODES=/run/libvirt-hostdev/vdpa
# vdpas_load: simulators, which reach a guest's memory by its physical addresses: by QEMU's, they do not find the queues
vdpas_load() { modprobe vdpa_sim use_va=0; modprobe -a vdpa_sim_net vdpa_sim_blk vdpa_sim_mq; }
# vdpas_up: the same, and the driver for guests
vdpas_up() { vdpas_load; modprobe vhost_vdpa; }
# subfunctions_up PF: the simulators, and a card of dualport's that makes sub-functions which can do vDPA, in switchdev mode
subfunctions_up() {
  dualport_down; modprobe dualport devlink=Y; dualport_up "$1" 0
  vdpas_up; modprobe labsf
  devlink dev eswitch set "pci/$1" mode switchdev
}
# sfs: the sub-functions, a line each
sfs() { devlink -j port show | jq -c '.port[] | select(.flavour == "pcisf") | [.pfnum, .sfnum, .function.hw_addr, .function.state, .function.opstate]'; }
# sf_nic NAME MAC PF NUMBER [MORE]: as vdpa_nic, of a sub-function that is to be made
sf_nic() { vdpa_nic "$1" "$2" "$3' sfnum='$4" "${5:-}"; }
# vdpa_nic NAME MAC [PARENT [MORE]]: an <interface> whose device is to be made; without NAME, one is generated
vdpa_nic() {
  echo "<interface type='vdpa'>${2:+<mac address='$2'/>}${1:+<source dev='$NODES/$1'/>}<vdpa parent='${3:-vdpasim_net}'/>${4:-}</interface>"
}
# vdpa_disk NAME: the same for a <disk>
vdpa_disk() {
  echo "<disk type='vhostvdpa' device='disk'><driver name='qemu' type='raw' cache='none'/><source dev='$NODES/$1'/><vdpa parent='${2:-vdpasim_blk}'/><target dev='vda' bus='virtio'/></disk>"
}
# vdpas: all that there is of them: devices with their configurations, links, records; not what a guest's firmware or
# driver has negotiated by now
vdpas() {
  vdpa dev show; vdpa dev config show | grep -v '^ *negotiated_features' || true
  find "$NODES" -type l -printf '%f -> %l\n' 2> /dev/null || true
  find /run/libvirt-hostdev -type f ! -name '*.lock' -printf '%f ' 2> /dev/null || true
}
has_vdpa() { [[ -e $VDPA/$1 ]]; }
# sleepers: processes that no signal reaches, because of vDPA
sleepers() {
  local stat
  for stat in /proc/[0-9]*/stat; do
    # shellcheck disable=SC2016
    awk '{ sub(/.*\) /, "") } $1 == "D"' "$stat" 2> /dev/null | grep -q . && grep -l vdpa "${stat%stat}stack" 2> /dev/null
  done
  true
}
# guest_is_killed NAME: twice, with libvirtd alive, and with libvirtd dead, which then finds that out. is_before is the
# scenario's
guest_is_killed() {
  local pid=/run/libvirt/qemu/$1.pid
  ok "start" virsh -q start "$1"
  kill -KILL "$(cat "$pid")"
  ok "QEMU is killed, and all is as before" waitfor 30 is_before
  ok "start" virsh -q start "$1"
  libvirt_kill9
  kill -KILL "$(cat "$pid")"
  ok "libvirtd and QEMU are killed" waitfor 30 no_guests
  stock_up
  ok "libvirtd starts, and all is as before" waitfor 30 is_before
}
