# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# suites: trixie
# A vDPA device of a sub-function that is made for it: made, given the guest's MAC address, activated, told to do vDPA,
# and gone after the guest, however that ends and whichever step fails. Somebody else's are left alone. SIDES=all has a
# guest that uses its device, which is plugged in and out.
. /lab/guest/lib.sh
. /lab/guest/vdpas.sh

mac=52:54:00:aa:01:01 other=52:54:00:aa:01:02 pf=pci/$PF2
mode() { devlink dev eswitch set "$pf" mode "$1"; }
knob() { echo "$2" > "/sys/kernel/debug/dualport/$PF2/$1"; }
unknob() { echo 1 > "/sys/kernel/debug/dualport/$PF2/reset"; }
everything() { sfs; ls /sys/bus/auxiliary/devices; vdpa mgmtdev show | grep ': *$'; vdpas; }
is_before() { diff - <(echo "$before") <<< "$(everything)"; }
no_sleepers() { is "no process sleeps for ever" "$(sleepers)" ""; }
boot=''; [[ ${SIDES:-} != all ]] || boot=boot

subfunctions_up "$PF2"
mode legacy
libvirt_up
domain first "$(sf_nic one "$mac" "$pf" 7)" $boot > first.xml
function=$((${PF2##*.}))

step "in a mode without sub-functions"
not_ok "plan says so" "$pf makes no sub-functions: it is not in switchdev mode" virt-hostdev plan first.xml
mode switchdev
before=$(everything)

step "a guest's life"
like "plan" "$(virt-hostdev plan first.xml | tr -s ' ')" "^one 0 device none net on sub-function 7 of $pf yes"
is "nothing was made" "$(everything)" "$before"
ok "define" virt-hostdev define first.xml
ok "start" virsh -q start first
is "the sub-function has the guest's MAC address" "$(sfs)" "[$function,7,\"$mac\",\"active\",\"attached\"]"
device=$(basename "$(dirname "$(grep -lx 7 /sys/bus/auxiliary/devices/*/sfnum)")")
like "the device is its" "$(vdpa dev show one)" "mgmtdev auxiliary/$device "
like "with the address, too" "$(vdpa dev config show one)" "mac $mac"
like "list names the owner" "$(virt-hostdev list | tr -s ' ')" "^.-one device net 3 $mac 1500 first "
like "status has it" "$(virt-hostdev status | tr -s ' ')" "^one first running"
if [[ $boot ]]; then
  like "the guest has it" "$(l2_wait first '^L2MAC eth0' 400)" "$mac"
  like "and its frames come back" "$(l2_wait first '^L2LOOP eth0')" 'L2LOOP eth0 2$'
fi
domain second "$(sf_nic two "$other" "$pf" 8)" > second.xml
ok "a second one" virt-hostdev create second.xml
is "each has its own" "$(sfs | wc -l)" 2
ok "destroy" virsh -q destroy second
domain same "$(sf_nic two "$other" "$pf" 7)" > same.xml
not_ok "of the same number" "sub-function 7 of $pf exists already, and was not made for this guest" virt-hostdev create same.xml
is "the first is as it was" "$(sfs)" "[$function,7,\"$mac\",\"active\",\"attached\"]"
ok "destroy" virsh -q destroy first
is "all is as before" "$(everything)" "$before"
no_sleepers

step "whichever step fails"
for attr in sf_new mac sf_state; do
  knob fail_attr $attr
  not_ok "$attr" "sub-function 7 of $pf.*: .*refused by a knob" virsh start first
  unknob
  is "all is as before" "$(everything)" "$before"
done
if [[ $boot ]]; then                             # each waits for 10 s
  knob ignore sf_state
  not_ok "no device comes" "Sub-function 7 of $pf is active, and has no device after 10 s" virsh start first
  unknob
  is "all is as before" "$(everything)" "$before"
  echo Y > /sys/module/labsf/parameters/no_vnet
  not_ok "its driver cannot do vDPA" "the driver of the sub-function has made no management device of it" virsh start first
  echo N > /sys/module/labsf/parameters/no_vnet
  is "all is as before" "$(everything)" "$before"
fi
domain queues "$(sf_nic two "$other" "$pf" 8 "<driver queues='8'/>")" > queues.xml
not_ok "too many queues" "a device of auxiliary/dualport.sf.[0-9]+ has at most 9 virtqueues" virt-hostdev create queues.xml
domain disk "$(sf_nic two "$other" "$pf" 8)<disk type='file'><source file='/none'/><target dev='vda'/></disk>" > disk.xml
not_ok "a disk is missing" "/none" virt-hostdev create disk.xml
is "all is as before" "$(everything)" "$before"

step "it comes and goes slowly, and with vDPA turned on"
knob delay_ms 1500
echo Y > /sys/module/labsf/parameters/enable_vnet
ok "start" virsh -q start first
like "the device is there" "$(vdpa dev config show one)" "mac $mac"
ok "destroy" virsh -q destroy first
is "all is as before" "$(everything)" "$before"
echo N > /sys/module/labsf/parameters/enable_vnet
unknob

step "it cannot be removed"
ok "start" virsh -q start first
knob fail_attr sf_del
ok "destroy" virsh -q destroy first
like "it is still there" "$(sfs)" "$function,7"
not_ok "recover says why" "Cannot remove sub-function 7 of $pf: .*refused by a knob. Remove it by hand" virt-hostdev recover
unknob
ok "recover" virt-hostdev recover
is "all is as before" "$(everything)" "$before"

step "somebody else's"
devlink port add "$pf" flavour pcisf pfnum $function sfnum 7
port=$(devlink -j port show | jq -r '.port | to_entries[] | select(.value.flavour == "pcisf") | .key')
devlink port function set "$port" hw_addr 02:00:00:00:00:07 state active
there() { compgen -G '/sys/bus/auxiliary/devices/dualport.sf.*' > /dev/null; }
waitfor 10 there
theirs=$(everything)
not_ok "is not used" "sub-function 7 of $pf exists already, and was not made for this guest" virsh start first
is "and stays" "$(everything)" "$theirs"
device=$(basename /sys/bus/auxiliary/devices/dualport.sf.*)
devlink dev param set "auxiliary/$device" name enable_vnet value true cmode driverinit
devlink dev reload "auxiliary/$device" > /dev/null
domain by_name "$(vdpa_nic two "$other" "auxiliary/$device")" > by_name.xml
theirs=$(everything)
ok "by its management device, it is" virt-hostdev create by_name.xml
like "the device is there" "$(vdpa dev config show two)" "mac $other"
ok "destroy" virsh -q destroy by_name
is "and it stays" "$(everything)" "$theirs"
devlink port function set "$port" state inactive
waitfor 10 eval '! there'
devlink port del "$port"
is "all is as before" "$(everything)" "$before"

step "ends of another kind"
guest_is_killed first
no_sleepers

if [[ $boot ]]; then
  step "hot-plug"
  hostdevd_up
  ok "start" virsh -q start first
  ok "the guest is up" l2_wait first '^L2PING' 400
  sf_nic two "$other" "$pf" 8 > device.xml
  ok "attach" virsh -q attach-device first device.xml --live
  like "the guest uses it" "$(l2_wait first '^L2LOOP eth1')" 'L2LOOP eth1 2$'
  is "there are two" "$(sfs | wc -l)" 2
  like "it is shown with what it is made of" "$(virsh dumpxml first)" "<vdpa parent='$pf' sfnum='8'/>"
  ok "detach" virsh -q detach-device first device.xml --live
  one_left() { [[ $(sfs | wc -l) = 1 ]]; }
  ok "the guest lets go, and it is gone" waitfor 120 one_left
  ok "destroy" virsh -q destroy first
  ok "all is as before" waitfor 30 is_before
  no_sleepers
fi
mode legacy
modprobe -r labsf; dualport_down
