# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# suites: trixie
# Filter, daemon and libvirt's daemon are killed at every step of an attach and of a detach. Once they are back, what
# libvirt says the guest has, its metadata, our record and the device agree, and no process is left over. POINTS=all takes
# every step for each of the three, and kills them in the hooks of a start and of an end, too. KIND=mdev, KIND=vgpu,
# KIND=function, KIND=vdpa and KIND=subfunction do it with a mediated device, the vGPU of a VF, port functions, a vDPA
# device, and one of a sub-function.
. /lab/guest/lib.sh
. /lab/guest/mdevs.sh
. /lab/guest/vdpas.sh

# What a kind says: its driver, the KEY of the device's record, its element, its node, and what is seen of it at the host.
: "${KIND:=netdev}"
netdev_up() {
  dualport_up "$PF2" 1
  KEY=$(vfaddr "$PF2" 0)
  hostdev "$KEY" "$(netdev_xml 1 52:54:00:aa:00:01 42)$(netdev_xml 2 52:54:00:aa:00:02 43)" > device.xml
}
netdev_node() { echo "/dev/vfio/$(basename "$(readlink "$PCI/$KEY/iommu_group")")"; }
netdev_host() { echo "driver $(driver "$KEY"), $(snapshot_vfs | sha256sum)"; }
mdev_up() {
  mdevs_up
  uuid=c5f5e1a2-7a57-4b5e-8c5b-0d5a3d6f2a11
  KEY=mdev-$uuid
  mdev "$uuid" > device.xml
}
mdev_node() { echo "/dev/vfio/$(group_of "$uuid")"; }
mdev_host() { if has_device "$uuid"; then echo "made"; else echo "not there"; fi; }
vgpu_up() {
  modprobe -a vfio-pci dualport; echo Y > /sys/module/dualport/parameters/vgpu
  dualport_up "$PF2" 1
  KEY=$(vfaddr "$PF2" 0)
  bind "$KEY" vfio-pci
  echo "<hostdev mode='subsystem' type='pci' managed='no'><source>$(address "$KEY")</source><vgpu type='63'/></hostdev>" > device.xml
}
vgpu_node() { netdev_node; }
vgpu_host() { echo "type $(cat "$PCI/$KEY/nvidia/current_vgpu_type"), driver $(driver "$KEY")"; }

function_up() {
  modprobe dualport devlink=Y
  dualport_up "$PF2" 1
  devlink dev eswitch set "pci/$PF2" mode switchdev; up "$PF2"
  KEY=$(vfaddr "$PF2" 0)
  hostdev "$KEY" "<netdev port='1'><mac address='52:54:00:aa:00:01'/></netdev><function roce='no' maxIoEqs='16'/>" > device.xml
}
function_node() { netdev_node; }
function_host() { echo "driver $(driver "$KEY"), $(cat "/sys/kernel/debug/dualport/$PF2/functions" <(snapshot_vfs) | sha256sum)"; }

vdpa_up() {
  vdpas_up
  KEY=vdpa-blue
  vdpa_nic blue 52:54:00:aa:00:01 > device.xml
}
subfunction_up() {
  subfunctions_up "$PF2"
  KEY=vdpa-blue
  sf_nic blue 52:54:00:aa:00:01 "pci/$PF2" 7 > device.xml
}
subfunction_node() { vdpa_node; }
subfunction_host() { sfs; vdpa_host; }
vdpa_node() { readlink "$NODES/blue"; }
vdpa_host() { vdpa dev show blue 2> /dev/null || echo "not there"; }

records() { find /run/libvirt-hostdev -type f ! -name '*.lock' -printf '%f ' 2> /dev/null; }
has() { stock_virsh -q dumpxml vm | grep -cE "<hostdev |<interface type='vdpa'" || true; }
entries() { stock_virsh -q dumpxml vm | grep -cE '<lh:(address|vdpa)' || true; }
filters() { pgrep -x -c virt-hostdev-fi || true; }

# in_use: has a process the device open? libvirt that dies in the middle of an attach forgets the device that QEMU has by then
in_use() { find /proc/[0-9]*/fd -lname "$("${KIND}_node")" 2> /dev/null | grep -q .; }
# agreed: one of the consistent states; prints which. In that of "forgotten" all goes back when the guest ends.
agreed() {
  local found
  found="devices $(has), metadata $(entries), records '$(records)', $("${KIND}_host")"
  case $found in
    "devices 1, metadata 1, records '$KEY ', $attached") echo attached;;
    "devices 0, metadata 0, records '$KEY ', $attached") echo forgotten; in_use;;
    "devices 0, metadata 0, records '', $detached") echo detached;;
    "devices 1, metadata 1, records '', $detached") echo ended;;
    *) echo "$found"; return 1;;
  esac
}
# point PROCEDURE MODE: where the next call is to be stopped; without arguments: nowhere
point() { rm -f /run/point.reached; echo "$*" > /run/point; }

# kill9 filter|daemon|libvirt: and bring back what does not come back by itself
kill9() {
  case $1 in
    filter) pkill -KILL -x virt-hostdev-fi;;
    daemon) hostdevd_kill9;;
    libvirt) libvirt_kill9;;
  esac
}
bring_back() {
  case $1 in
    filter) ;;
    daemon) hostdevd_start;;
    libvirt) stock_up;;
  esac
}

# reconcile: wait until they agree. libvirt that dies between giving the VF to vfio-pci and listing it for the guest leaves
# it there; the host's driver gets it back with the settings.
reconcile() { waitfor 60 agreed || true; }

# crash WHO WHERE COMMAND...: run it in the background, kill WHO when it has come to WHERE, and look
crash() {
  local who=$1 where=$2 state; shift 2
  "$@" > crash.out 2>&1 &
  if ! waitfor 30 test -e /run/point.reached; then fail "$who at $where" "was not reached: $(cat crash.out)"; return; fi
  [[ $(filters) != 0 ]] || fail "$who at $where" "no filter is there to look for"
  kill9 "$who"
  point
  wait $! || true
  bring_back "$who"
  reconcile
  if state=$(agreed); then pass "$who killed at $where of $1: $state"
  else fail "$who killed at $where of $1" "$state"; fi
  waitfor 20 none_left || true
  is "no filter is left" "$(filters)" 0
}
none_left() { [[ $(filters) = 0 ]]; }
is_state() { [[ $(agreed) = "$1" ]]; }

attach() { virsh -q attach-device vm device.xml --live; }
detach() { virsh -q detach-device vm device.xml --live; }
# be attached|detached
be() {
  point
  if ! is_state "$1"; then "${1%ed}" > be.out 2>&1 || true; fi
  waitfor 60 is_state "$1" || { echo "cannot be $1: $(agreed); $(cat be.out)"; return 1; }
}

step "a guest, and a stop between filter and libvirt"
"${KIND}_up"
detached=$("${KIND}_host")
point
hostdevd_up
python3 /lab/guest/stall.py /run/libvirt/stall-sock "$STOCK/$SOCKET" /run/point &
waitfor 10 test -S /run/libvirt/stall-sock
sed -i 's|^upstream = .*|upstream = "/run/libvirt/stall-sock"|' /etc/libvirt/virthostdevd.conf
hostdevd_restart
domain vm "" boot > vm.xml
ok "define" virsh -q define vm.xml
ok "start" virsh -q start vm
ok "the guest is up" l2_wait vm '^L2PING' 400
ok "attach" attach
attached=$("${KIND}_host")
ok "the host shows it" test "$attached" != "$detached"
ok "which is attached" be attached
be detached
pass "attach and detach work through the stop"

# 14 get XML, 264 set metadata, 160 attach, 161 detach (remote_protocol.x)
attaching=('14 before' '264 before' '264 during' '264 after' '160 before' '160 during' '160 after')
detaching=('161 before' '161 during' '161 after')
for who in filter daemon libvirt; do
  if [[ ${POINTS:-} != all ]]; then
    case $who in
      filter) attaching=('160 after') detaching=();;
      daemon) attaching=('264 after') detaching=('161 during');;
      libvirt) attaching=('264 after') detaching=('161 during');;
    esac
  fi
  step "attach, $who killed"
  for where in "${attaching[@]}"; do
    [[ "$who $where" != "libvirt 160 during" ]] || continue # comes last, for the guest does not outlive it
    be detached
    point "$where"
    # shellcheck disable=SC2086   # two words
    crash $who "$where" attach
  done
  if [[ $KIND = netdev ]]; then
    step "attach, $who killed while the VF is being set"
    be detached
    echo 1000 > "/sys/kernel/debug/dualport/$PF2/delay_ms"
    attach > crash.out 2>&1 &
    waitfor 30 test -e "/run/libvirt-hostdev/$KEY"
    kill9 $who
    wait $! || true
    echo 0 > "/sys/kernel/debug/dualport/$PF2/delay_ms"
    bring_back $who
    reconcile
    ok "they agree" agreed
  fi
  step "detach, $who killed"
  for where in "${detaching[@]}"; do
    be attached
    point "$where"
    crash $who "$where" detach
  done
done
be detached
ok "the guest still runs" test "$(virsh -q domstate vm)" = running

step "attach, libvirt killed in the middle of it: it forgets the device, and the guest has it"
point "160 during"
crash libvirt "160 during" attach
ok "the guest is ended" virsh -q destroy vm
ok "all goes back" waitfor 60 is_state detached

# The hook behind ours stops at the operation that is in /run/stop-at, until /run/stopped is taken away.
stopping_hook() {
  : > /run/stop-at
  cat > /etc/libvirt/hooks/qemu.d/99-stop <<'X'
#!/bin/sh
[ "$2" = "$(cat /run/stop-at)" ] || exit 0
echo $$ > /run/stopped
while [ -e /run/stopped ]; do sleep 0.1; done
X
  chmod +x /etc/libvirt/hooks/qemu.d/99-stop
}
# killed_at WHO OPERATION virsh...: WHO is killed there, libvirt with its hook, and comes back; whatever runs is ended
killed_at() {
  local who=$1 at=$2; shift 2
  echo "$at" > /run/stop-at; rm -f /run/stopped
  "$@" > crash.out 2>&1 &
  waitfor 60 test -s /run/stopped
  kill9 "$who"
  : > /run/stop-at
  [[ $who != libvirt ]] || kill -KILL "$(cat /run/stopped)"
  rm /run/stopped
  wait $! || true
  bring_back "$who"
  waitfor 60 virsh -q version
  virsh -q destroy vm > crash.out 2>&1 || true
  ok "$who killed at $at, all is as before" waitfor 60 is_state ended
}
if [[ ${POINTS:-} = all ]]; then
  step "killed while the hooks of a start and of an end run"
  ok "the guest is taken away" virsh -q undefine vm
  ok "another is defined" virsh -q define <(domain vm "$(cat device.xml)")
  stopping_hook
  for who in filter daemon libvirt; do
    for at in prepare start started; do killed_at $who "$at" virsh -q start vm; done
    for at in stopped release; do
      ok "start" virsh -q start vm
      killed_at $who "$at" virsh -q destroy vm
    done
  done
  rm /etc/libvirt/hooks/qemu.d/99-stop
fi
