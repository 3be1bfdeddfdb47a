# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# suites: trixie
# vGPUs of VFs: created before the guest starts, taken away after it, however it ends; what an administrator has created
# comes back; a restore that the driver refuses is done later. With SIDES=all a guest powers itself off.
#
# The VFs are dualport's, whose parameter "vgpu" gives them the files of NVIDIA's driver. That driver is a VFIO driver
# itself, keeps its VFs, and libvirt takes them as they are (managed='no'). Here, vfio-pci is in its place: the VFs are
# bound to it by hand beforehand, and nobody binds them again.
. /lab/guest/lib.sh

# gpu N [TYPE [MANAGED]]: a <hostdev> with a vGPU at VF N
gpu() {
  echo "<hostdev mode='subsystem' type='pci' managed='${3:-no}'><source>$(address "$(vfaddr "$PF2" "$1")")</source>"
  echo "<vgpu type='${2:-63}'/></hostdev>"
}
# vgpus: the type of each VF and who drives it, and the records
vgpus() {
  for n in 0 1 2; do
    vf=$(vfaddr "$PF2" "$n")
    echo "$n: $(cat "$PCI/$vf/nvidia/current_vgpu_type") $(driver "$vf")"
  done
  find /run/libvirt-hostdev -type f ! -name '*.lock' -printf '%f ' 2> /dev/null || true
}
is_before() { [[ $(vgpus) = "$before" ]]; }
type_of() { cat "$PCI/$(vfaddr "$PF2" "$1")/nvidia/current_vgpu_type"; }
set_type() { echo "$2" > "$PCI/$(vfaddr "$PF2" "$1")/nvidia/current_vgpu_type"; }
refuse() { echo "$1" > "/sys/kernel/debug/dualport/$PF2/vgpu_errno"; }
start() { virsh -q start --paused "$1"; }

modprobe -a vfio-pci
modprobe dualport; echo Y > /sys/module/dualport/parameters/vgpu
dualport_up "$PF2" 3
for n in 0 1 2; do bind "$(vfaddr "$PF2" "$n")" vfio-pci; done
zero=$(vfaddr "$PF2" 0) one=$(vfaddr "$PF2" 1)
before=$(vgpus)
libvirt_up

step "what there is"
like "list shows types, and at how many VFs" "$(virt-hostdev list)" '^.-65 +type +3 +DUALPORT A1-4Q'
like "and VFs" "$(virt-hostdev list)" "^.-$zero +VF 0 +none"
domain first "$(gpu 0)" > first.xml
like "plan" "$(virt-hostdev plan first.xml | tr -s ' ')" "$zero 0 type none 63 \(DUALPORT A1-1Q\) yes"
is "nothing was created" "$(vgpus)" "$before"
domain managed "$(gpu 0 63 yes)" > managed.xml
not_ok "with managed='yes' it is refused" "<vgpu> needs managed='no' in its <hostdev>" virt-hostdev define managed.xml

step "a guest's life"
ok "define" virt-hostdev define first.xml
ok "start" start first
is "the vGPU is there" "$(type_of 0)" 63
is "nobody can take it" "$({ set_type 0 0; } 2>&1 | grep -o 'Operation not permitted')" "Operation not permitted"
like "list names the owner" "$(virt-hostdev list)" "^.-$zero +VF 0 +63 +first"
like "status has it" "$(virt-hostdev status)" "^$zero +first +running"
domain second "$(gpu 0 64)" > second.xml
ok "another domain with that VF is defined" virt-hostdev define second.xml
not_ok "it does not start" "$zero is in use by .*first" start second
is "nothing has changed" "$(type_of 0)" 63
kill -KILL "$(cat /run/libvirt/qemu/first.pid)"
ok "QEMU is killed, and all is as before" waitfor 30 is_before
if [[ ${SIDES:-} = all ]]; then
  domain off "$(gpu 0)" boot l2.poweroff > off.xml
  ok "a guest with a vGPU" virt-hostdev create off.xml
  is "has it" "$(type_of 0)" 63
  ok "powers itself off, and all is as before" waitfor 200 is_before
fi

step "an administrator's own, and a restore that is refused"
set_type 0 64
there=$(vgpus)
ok "start" start first
is "it is the guest's type" "$(type_of 0)" 63
refuse 1
ok "destroy" virsh -q destroy first
is "the vGPU is still there" "$(type_of 0)" 63
not_ok "recover says why" "Cannot take the vGPU of type 63 from VF 0 of $PF2 \($zero\): Operation not permitted" virt-hostdev recover
refuse 0
ok "recover" virt-hostdev recover
is "the administrator's is back" "$(vgpus)" "$there"
set_type 0 0

step "a start that fails"
domain disk "$(gpu 0)<disk type='file'><source file='/none'/><target dev='vda'/></disk>" > disk.xml
ok "define" virt-hostdev define disk.xml
not_ok "a disk is missing" "/none" start disk
is "all is as before" "$(vgpus)" "$before"
domain none "$(gpu 0)$(gpu 1 66)" > none.xml
not_ok "a type that there is not" "vGPU type 66 cannot be created at VF 1 of $PF2 \($one\). Those .* are: 63 \(DUALPORT A1-1Q\), 64" virt-hostdev create none.xml
is "all is as before" "$(vgpus)" "$before"
domain scarce "$(gpu 0)$(gpu 1 65)" > scarce.xml
not_ok "a type that the first leaves no room for" "Cannot create a vGPU of type 65 at VF 1 of $PF2 \($one\): No space left on device. Those .* are: 63 \(DUALPORT A1-1Q\), 64" virt-hostdev create scarce.xml
is "all is as before" "$(vgpus)" "$before"

step "through the daemon"
ok "start" start first
hostdevd_up
gpu 1 64 > device.xml
ok "attach" virsh -q attach-device first device.xml --live
is "the vGPU is there" "$(type_of 1)" 64
like "it is shown" "$(virsh dumpxml first)" "<vgpu type='64'/>"
gpu 2 65 > none.xml
not_ok "no room for another" "None can be created there now|vGPU type 65 cannot be created" virsh attach-device first none.xml --live
is "the others stay" "$(type_of 0) $(type_of 1) $(type_of 2)" "63 64 0"
refuse 16
ok "destroy" virsh -q destroy first
is "no vGPU can be taken away" "$(type_of 0) $(type_of 1)" "63 64"
refuse 0
ok "it is done later" waitfor 30 is_before
