# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# suites: trixie
# vDPA devices of simulators, and of a virtio function: made before the guest starts, with its MAC address, and gone after
# it, however it ends; somebody else's stay; none is deleted while it is open. SIDES=all has a guest
# that uses its devices, which are plugged in and out, and somebody who blocks all of vDPA.
. /lab/guest/lib.sh
. /lab/guest/vdpas.sh

mac=52:54:00:aa:01:01 other=52:54:00:aa:01:02
is_before() { diff - <(echo "$before") <<< "$(vdpas)"; }
no_sleepers() { is "no process sleeps for ever" "$(sleepers)" ""; }

modprobe -qr vhost_vdpa                          # which an earlier scenario has loaded
vdpas_load
libvirt_up
boot=''; [[ ${SIDES:-} != all ]] || boot=boot
domain first "$(vdpa_nic one "$mac")" $boot |
  sed "s|<serial type='file'><source path=\(.*\)/></serial>|<serial type='pty'><log file=\1 append='off'/></serial>|" > first.xml

step "without the driver for guests"
before=$(vdpas)
not_ok "plan says so" "the module vhost_vdpa is not loaded.* Run modprobe vhost_vdpa" virt-hostdev plan first.xml
not_ok "create is refused" "the module vhost_vdpa is not loaded" virt-hostdev create first.xml
is "nothing was made" "$(vdpas)" "$before"
modprobe virtio_vdpa; modprobe vhost_vdpa      # the host's driver comes first, and takes each new device

step "what there is"
not_ok "Debian's kernel has no driver of a card" "mlx5_vdpa not found" modinfo -n mlx5_vdpa
like "list shows the parents" "$(virt-hostdev list | tr -s ' ')" '^vdpasim_net parent net any 3 '
like "plan" "$(virt-hostdev plan first.xml | tr -s ' ')" "^one 0 device none net on vdpasim_net yes"
is "nothing was made" "$(vdpas)" "$before"

step "a guest's life"
ok "define" virt-hostdev define first.xml
ok "start" virsh -q start first
ok "the device is there" has_vdpa one
like "vhost_vdpa has it" "$(readlink "$VDPA/one/driver")" vhost_vdpa
like "with the guest's MAC address" "$(vdpa dev config show one)" "mac $mac"
like "list names the owner" "$(virt-hostdev list | tr -s ' ')" "^.-one device net 3 $mac 1500 first "
like "status has it" "$(virt-hostdev status | tr -s ' ')" "^one first running"
no_sleepers
like "QEMU has the link's device, and the address" "$(tr '\0' ' ' < "/proc/$(cat /run/libvirt/qemu/first.pid)/cmdline")" "vhost-vdpa.*virtio-net-pci.*$mac"
if [[ $boot ]]; then
  ok "the guest is up" l2_wait first '^L2PING' 400
  like "it has the address" "$(l2_wait first '^L2MAC eth0')" "$mac"
  like "and its frames come back" "$(l2_wait first '^L2LOOP eth0')" 'L2LOOP eth0 2$'
  is "QEMU has not fallen back" "$(grep vhost /var/log/libvirt/qemu/first.log | grep -v -- -netdev || true)" ""
  like "statistics" "$(virt-hostdev status --stats | tr -s ' ')" 'one first 1 tx packets [1-9]'
fi
running=$(vdpas)
is_running() { diff - <(echo "$running") <<< "$(vdpas)"; }

step "starts that fail"
domain disk "$(vdpa_nic two "$other")<disk type='file'><source file='/none'/><target dev='vda'/></disk>" > disk.xml
ok "define" virt-hostdev define disk.xml
not_ok "a disk is missing" "/none" virsh start disk
ok "all is as before" is_running
ok "undefine" virsh -q undefine disk
domain queues "$(vdpa_nic two "$other" '' "<driver queues='2'/>")" > queues.xml
not_ok "too many queues" "a device of vdpasim_net has at most 3 virtqueues" virt-hostdev create queues.xml
domain class "$(vdpa_nic two "$other" vdpasim_blk)" > class.xml
not_ok "of the wrong class" "vdpasim_blk does not make net devices, and an <interface> is one" virt-hostdev create class.xml
domain none "$(vdpa_nic two "$other" vdpasim_none)" > none.xml
not_ok "of a parent that there is not" "the host has no vDPA management device vdpasim_none; those that it has: " virt-hostdev create none.xml
domain big "$(vdpa_nic two "$other" '' "<mtu size='9000'/>")" > big.xml
ok "with another MTU" virt-hostdev create big.xml
like "the device has it" "$(vdpa dev config show two)" "mtu 9000"
ok "destroy" virsh -q destroy big
ok "all is as before" is_running
domain many "$(vdpa_nic two "$other" vdpasim_mq "<driver queues='4'/>")" > many.xml
ok "with four queue pairs" virt-hostdev create many.xml
like "the device has them" "$(vdpa dev config show two)" "max_vq_pairs 4"
ok "destroy" virsh -q destroy many
ok "all is as before" is_running

if [[ $boot && $(qemu-system-x86_64 --version) = *"version 10.0."* ]]; then
  domain sizes "$(vdpa_nic two "$other" '' "<driver rx_queue_size='256' tx_queue_size='256'/>")" > sizes.xml
  ok "with the sizes of queues" virt-hostdev create sizes.xml
  like "QEMU 10.0 offers 1024 entries all the same" "$(virsh qemu-monitor-command sizes --hmp 'info virtio-queue-status /machine/peripheral/net0/virtio-backend 0')" 'num: +1024'
  ok "destroy" virsh -q destroy sizes
  ok "all is as before" is_running
fi

step "a disk"
domain data "$(vdpa_disk data)" |
  sed "s|<devices>|<memoryBacking><source type='memfd'/><access mode='shared'/></memoryBacking><devices>|" > data.xml
like "plan" "$(virt-hostdev plan data.xml | tr -s ' ')" "^data 0 device none block on vdpasim_blk yes"
if [[ $(virsh version --daemon) = *"libvirt 9.0"* ]]; then
  not_ok "libvirt 9.0 has none" "vhostvdpa" virt-hostdev create data.xml
else
  ok "start" virt-hostdev create data.xml
  like "the device is there" "$(vdpa dev show data)" "type block mgmtdev vdpasim_blk"
  ok "destroy" virsh -q destroy data
fi
ok "all is as before" is_running

step "somebody else's devices"
vdpa dev add name two mgmtdev vdpasim_net mac 52:54:00:aa:01:ff
there=$(vdpas)
domain second "$(vdpa_nic two "$other")" > second.xml
not_ok "one of that name is not used" "a device of that name exists already, and was not made for this guest" virt-hostdev create second.xml
is "and stays" "$(vdpas)" "$there"
vdpa dev del two
domain same "$(vdpa_nic one "$other")" > same.xml
not_ok "one name in two domains" "vDPA device one is a device of domain 'first'" virt-hostdev define same.xml
ok "two domains with one parent" virt-hostdev create second.xml
ok "the device is there" has_vdpa two
ok "destroy" virsh -q destroy second
ok "all is as before" is_running

step "a virtio function, which makes one device"
echo vp-vdpa > /sys/bus/pci/devices/0000:04:00.0/driver_override
echo 0000:04:00.0 > /sys/bus/pci/devices/0000:04:00.0/driver/unbind
modprobe vp_vdpa; echo 0000:04:00.0 > /sys/bus/pci/drivers_probe
parent=pci/0000:04:00.0
domain function "$(vdpa_nic two "$other" "$parent")" > function.xml
not_ok "it takes no MAC address" "is of a parent that takes no MAC address $other, and has 52:54:00:82:57:04" virt-hostdev create function.xml
ok "all is as before" is_running
domain function "$(vdpa_nic two 52:54:00:82:57:04 "$parent")" > function.xml
ok "with its own" virt-hostdev create function.xml
domain third "$(vdpa_nic three 52:54:00:82:57:04 "$parent")" > third.xml
not_ok "a second device there" "$parent has vDPA device two already, and makes one at a time" virt-hostdev create third.xml
ok "destroy" virsh -q destroy function
ok "all is as before" is_running

step "save and restore"
ok "start" virt-hostdev create second.xml
if [[ $(virsh version --daemon) = *"libvirt 9.0"* ]]; then
  not_ok "QEMU 7.2 cannot" "vhost lacks VHOST_F_LOG_ALL feature" virsh save second "$PWD/second.save"
else
  ok "save" virsh -q save second "$PWD/second.save"
  ok "it is gone" is_running
  vdpa dev add name between mgmtdev vdpasim_net
  ok "restore" virsh -q restore second.save
  vdpa dev del between
  ok "it is there" has_vdpa two
fi
ok "destroy" virsh -q destroy second
ok "all is as before" is_running

step "hot-plug"
hostdevd_up 'drift_interval = 2'
vdpa_nic two "$other" > device.xml
if [[ $boot ]]; then
  ok "attach" virsh -q attach-device first device.xml --live
  ok "the device is there" has_vdpa two
  like "the guest uses it" "$(l2_wait first '^L2LOOP eth1')" 'L2LOOP eth1 2$'
  like "it is shown with what it is made of" "$(virsh dumpxml first)" "<vdpa parent='vdpasim_net'/>"
  not_ok "it cannot change" "vDPA device two was made with another" virsh update-device first <(vdpa_nic two "$other" '' "<mtu size='9000'/>") --live
  not_ok "libvirt says so of all else" "cannot change config of 'vdpa' network interface type" virsh update-device first device.xml --live
  ok "detach" virsh -q detach-device first device.xml --live
  ok "the guest lets go, and all is as before" waitfor 120 is_running
  no_sleepers
  ok "attach without a name or address" virsh -q attach-device first <(vdpa_nic '' '') --live
  name=$(virsh dumpxml first | sed -n "s|.*$NODES/\(guest-[0-9a-f]*\)'.*|\1|p")
  ok "one was generated, and is there" has_vdpa "$name"
  address=$(virsh domiflist first | awk -v name="$name" '$0 ~ name { print $NF }')
  like "with a MAC address" "$(vdpa dev config show "$name")" "mac $address"
  ok "detach" virsh -q detach-interface first vdpa --mac "$address" --live
  ok "the guest lets go, and all is as before" waitfor 120 is_running
fi
not_ok "a parent that there is not" "the host has no vDPA management device none" virsh attach-device first <(vdpa_nic two "$other" none) --live
ok "all is as before" is_running

step "somebody else gives it another MAC address"
python3 /lab/guest/vdpamac.py one 52:54:00:aa:01:ee
like "status shows it" "$(virt-hostdev status | tr -s ' ')" "$mac .*52:54:00:aa:01:ee"
ok "the daemon tells it" waitfor 20 hostdevd_says "Somebody else has changed vDPA device one, which 'first' has: MAC address was set to $mac and is now 52:54:00:aa:01:ee"
hostdevd_configure 'drift_interval = 2' 'enforce = "yes"'
ok "and sets it again, if it is to" waitfor 20 is_running

step "ends of another kind"
if [[ $boot ]]; then
  exec 8> "$(virsh ttyconsole first)"
  told_to_poweroff() { echo poweroff >&8 || true; is_before; }
  ok "it powers itself off, and all is as before" waitfor 60 told_to_poweroff
  exec 8>&-
else
  ok "destroy" virsh -q destroy first
  ok "all is as before" is_before
fi
guest_is_killed first
ok "start" virsh -q start first
node=/dev/$(basename "$(readlink "$NODES/one")")
kill -STOP "$(pidof -s "$LIBVIRTD")"             # so that its hook comes after somebody has opened the device
kill -KILL "$(cat /run/libvirt/qemu/first.pid)"; waitfor 10 no_guests
sleep 1000 9<> "$node" & holder=$!
kill -CONT "$(pidof -s "$LIBVIRTD")"
ok "somebody has it open when the guest has ended" waitfor 30 test "$(virsh domstate first | head -n 1)" = "shut off"
ok "the device is still there" has_vdpa one
no_sleepers
not_ok "recover names who has it" "process $holder \(sleep\)" virt-hostdev recover
kill "$holder"; waitfor 10 ended "$holder"
ok "recover" virt-hostdev recover
is "all is as before" "$(vdpas)" "$before"
no_sleepers

if [[ $boot ]]; then
  step "somebody deletes a device that is open, and all of vDPA waits"
  vdpa dev add name theirs mgmtdev vdpasim_net      # virtio_vdpa takes it, and has to give it back
  echo vhost_vdpa > "$VDPA/theirs/driver_override"
  echo theirs > "$VDPA/theirs/driver/unbind"; echo theirs > /sys/bus/vdpa/drivers_probe
  node=/dev/$(basename "$VDPA"/theirs/vhost-vdpa-*)
  sleep 1000 9<> "$node" & holder=$!
  waitfor 10 test -e "/proc/$holder/fd/9"
  vdpa dev del theirs & deleter=$!
  gone() { ! has_vdpa theirs || [[ ! -e $node ]]; }
  ok "it has begun" waitfor 20 gone
  from=$SECONDS
  not_ok "plan says so" "the kernel does not answer. Somebody is deleting a vDPA device that is in use" virt-hostdev plan second.xml
  not_ok "a start is refused" "the kernel does not answer" virt-hostdev create second.xml
  ok "within two minutes" test $((SECONDS - from)) -lt 120
  like "no process of ours is among those that sleep" "$(cat /proc/[0-9]*/comm 2> /dev/null | grep -c virt-hostdev-ho || true)" '^0$'
  kill "$holder"; wait "$deleter" || true
  ok "when that has ended, all is as before" waitfor 60 is_before
  ok "create" virt-hostdev create second.xml
  ok "destroy" virsh -q destroy second
  is "all is as before" "$(vdpas)" "$before"
fi
