# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# suites: trixie
# Mediated devices of the kernel's own sample driver: made before the guest starts, gone after it, however it ends; what
# an administrator has made stays; nothing is written to one that is open. SIDES=all has other drivers, too.
. /lab/guest/lib.sh
. /lab/guest/mdevs.sh

one=c5f5e1a2-7a57-4b5e-8c5b-0d5a3d6f2a11 two=d5f5e1a2-7a57-4b5e-8c5b-0d5a3d6f2a11 three=e5f5e1a2-7a57-4b5e-8c5b-0d5a3d6f2a11
is_off() { [[ $(virsh domstate "$1" | head -n 1) = "shut off" ]]; }
is_before() { [[ $(mdevs) = "$before" ]]; }

mdevs_up
before=$(mdevs)
libvirt_up

step "what there is"
like "list shows parent, types and free instances" "$(virt-hostdev list)" '^.-mtty-1 +type +vfio-pci 24'
like "and as libvirt calls the parent" "$(virt-hostdev list)" '^mtty +parent +mtty_mtty'
# Its console takes input: the guest can be told to power off.
domain first "$(mdev "$one")" boot |
  sed "s|<serial type='file'><source path=\(.*\)/></serial>|<serial type='pty'><log file=\1 append='off'/></serial>|" > first.xml
like "plan" "$(virt-hostdev plan first.xml | tr -s ' ')" "$one 0 type none mtty-1 on mtty \(24 free\) yes"
is "nothing was made" "$(mdevs)" "$before"

step "a guest's life"
ok "define" virt-hostdev define first.xml
ok "start" virsh -q start first
ok "the device is there" has_device "$one"
running=$(mdevs)
is_running() { [[ $(mdevs) = "$running" ]]; }
like "one instance fewer" "$running" '^mtty-1: 23 free; '"$one"
like "list names the owner" "$(virt-hostdev list)" "$one +device +first"
like "status has it" "$(virt-hostdev status)" "^$one +first +running"
not_ok "nobody else opens its group" "busy" cat "/dev/vfio/$(group_of "$one")"

step "a start that fails, while it boots"
domain disk "$(mdev "$three")<disk type='file'><source file='/none'/><target dev='vda'/></disk>" > disk.xml
ok "define" virt-hostdev define disk.xml
not_ok "a disk is missing" "/none" virsh start disk
is "all is as before" "$(mdevs)" "$running"
domain attrs "$(mdev "$two" mtty-1 "<attr name='none' value='1'/>")" > attrs.xml
not_ok "an attribute that there is not" "devices of this type have none" virt-hostdev create attrs.xml
is "all is as before" "$(mdevs)" "$running"
domain both "$(mdev "$two")$(mdev "" mtty-3)" > both.xml
not_ok "a second device of a type that there is not" "mtty has no type 'mtty-3'. Its types are: mtty-1 \(23 free\)" virt-hostdev create both.xml
is "all is as before" "$(mdevs)" "$running"

step "two domains with one UUID"
domain second "$(mdev "$one")" > second.xml
not_ok "the second is not defined" "mediated device $one is a device of domain 'first'" virt-hostdev define second.xml
virt-hostdev convert --to=stock second.xml > stock.xml
ok "by stock libvirt it is" virsh -q define stock.xml
not_ok "it is refused, and the owner named" "mediated device $one is in use by domain 'first'" virsh start second
is "nothing has changed" "$(mdevs)" "$running"

step "somebody else's device"
domain other "$(mdev "$two")" > other.xml
make "$two"
there=$(mdevs)
ok "it is used" virt-hostdev create other.xml
ok "destroy" virsh -q destroy other
is "it stays" "$(mdevs)" "$there"
remove "$two"; make "$two" mtty-2
there=$(mdevs)
not_ok "of another type, it is not" "already exists as type mtty-2 on mtty" virt-hostdev create other.xml
is "it stays" "$(mdevs)" "$there"
while make "$(cat /proc/sys/kernel/random/uuid)" mtty-2 2> /dev/null; do :; done
domain full "$(mdev "" mtty-2)" > full.xml
not_ok "a type that is exhausted" "No space left on device. The types of mtty are: mtty-1 \([0-9]+ free\), mtty-2 \(0 free\)" virt-hostdev create full.xml
for device in "$MDEV_TYPES"/mtty-2/devices/*; do remove "${device##*/}"; done
is "all is as before" "$(mdevs)" "$running"

step "through the daemon"
hostdevd_up
is "libvirtd was restarted, and the guest runs on" "$(virsh domstate first | head -n 1)" running
domain third "$(mdev '')" > third.xml
ok "define, without a UUID" virsh -q define third.xml
virsh dumpxml third > again.xml
uuid=$(sed -n "s/.*<address uuid='\(.*\)'.*/\1/p" again.xml)
like "one was generated" "$uuid" '^[0-9a-f-]{36}$'
like "and is shown with what it is made of" "$(cat again.xml)" "<mdev parent='mtty'>"
ok "define it again" virsh -q define again.xml
is "it is kept" "$(virsh dumpxml third | sed -n "s/.*<address uuid='\(.*\)'.*/\1/p")" "$uuid"
ok "start" virsh -q start third
ok "the device is there" has_device "$uuid"
kill -KILL "$(cat "/run/libvirt/qemu/third.pid")"
ok "QEMU is killed, and all is as before" waitfor 30 is_running

step "the guest uses it"
ok "it is up" l2_wait first '^L2TICK' 400
like "a word through its serial port" "$(l2_wait first '^L2SERIAL ttyS1')" hello
mdev "$two" > device.xml
ok "attach" virsh -q attach-device first device.xml --live
ok "the device is there" has_device "$two"
like "the guest uses it too" "$(l2_wait first '^L2SERIAL ttyS2')" hello
not_ok "it is there already" "has the mediated device $two already. To change its settings, detach it first" virsh attach-device first device.xml --live
ok "it is still there" has_device "$two"
ok "detach" virsh -q detach-device first device.xml --live
ok "the guest lets go, and all is as before" waitfor 120 is_running
exec 8> "$(virsh ttyconsole first)"
told_to_poweroff() { echo poweroff >&8 || true; is_before; } # QEMU 7.2 does not always hear what comes first
ok "it powers itself off, and all is as before" waitfor 60 told_to_poweroff
exec 8>&-

step "ends of another kind"
ok "start" virsh -q start third
libvirt_kill9
kill -KILL "$(cat "/run/libvirt/qemu/third.pid")"
ok "libvirtd and QEMU are killed" waitfor 30 no_guests
ok "it is still there" has_device "$uuid"
stock_up
ok "libvirtd starts, and all is as before" waitfor 30 is_before
ok "start" virsh -q start third
group=/dev/vfio/$(group_of "$uuid")
kill -STOP "$(pidof -s "$LIBVIRTD")"             # so that its hook comes after somebody has opened the device
kill -KILL "$(cat "/run/libvirt/qemu/third.pid")"; waitfor 10 no_guests
sleep 1000 9< "$group" & holder=$!
kill -CONT "$(pidof -s "$LIBVIRTD")"
ok "somebody has it open when libvirt has released it" waitfor 30 is_off third
ok "the device is still there" has_device "$uuid"
not_ok "recover names who has it" "process $holder \(sleep\)" virt-hostdev recover
kill "$holder"; waitfor 10 ended "$holder"
ok "recover" virt-hostdev recover
is "all is as before" "$(mdevs)" "$before"

if [[ ${SIDES:-} = all ]]; then
  step "displays"
  modprobe -a mdpy mbochs
  four=f5f5e1a2-7a57-4b5e-8c5b-0d5a3d6f2a11
  # display UUID ATTRIBUTE VALUE PARENT TYPE: a domain with one, which shows that already
  display() { domain display "$(mdev_hostdev "$1" "<mdev parent='$4'><type id='$5'/><attr name='$2' value='$3'/></mdev>")"; }
  devices() { ls /sys/bus/mdev/devices; }
  display "$four" vendor/resolution 1024x768 mdpy mdpy-xga > mdpy.xml
  display "$four" vendor/memory '4 MB' mbochs mbochs-small > mbochs.xml
  for driver in mdpy mbochs; do
    ok "$driver: start" virt-hostdev create $driver.xml
    is "it is there" "$(devices | wc -l)" 1
    ok "destroy" virsh -q destroy display
    is "all is as before" "$(devices)" ""
  done
  display "$four" vendor/resolution 1x1 mdpy mdpy-xga > wrong.xml
  not_ok "an attribute that can only be read" "Cannot set attribute 'vendor/resolution' of mediated device $four to '1x1': Permission denied" virt-hostdev create wrong.xml
  is "all is as before" "$(devices)" ""
  for ((n = 0; n < 4; n++)); do cat /proc/sys/kernel/random/uuid > /sys/class/mdev_bus/mdpy/mdev_supported_types/mdpy-hd/create; done
  there=$(devices)
  not_ok "a type that is exhausted" "Cannot make mediated device $four as type mdpy-xga on mdpy: .*mdpy-xga \(0 free\)" virt-hostdev create mdpy.xml
  is "the others stay" "$(devices)" "$there"
  for device in $there; do remove "$device"; done
fi
