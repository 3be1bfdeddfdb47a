# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# suites: trixie
# A VF that is to be migratable: it needs a VFIO driver of its own, and a libvirt that chooses it. What is missing is said
# before the start, and the guest is migratable in QEMU's own words. The driver is labvfio's.
. /lab/guest/lib.sh

aliases=/lib/modules/$(uname -r)/modules.alias
blocked() { virsh -q qemu-monitor-command "$1" '{"execute":"query-migrate"}' | jq -r '.return["blocked-reasons"] // [] | .[]'; }
functions() { cat "/sys/kernel/debug/dualport/$PF2/functions"; }
restored() { is "all is as before" "$(functions; driver "$vf")" "$before"; }
start() { virsh -q start "$1" --paused; }

modprobe dualport devlink=Y
dualport_up "$PF2" 2
vf=$(vfaddr "$PF2" 0)
devlink dev eswitch set "pci/$PF2" mode switchdev
up "$PF2"
before=$(functions; driver "$vf")
libvirt_up
major=$(virsh -q version --daemon | sed -n 's/^Running against daemon: //p'); major=${major%%.*}
domain vm "$(hostdev "$vf" "<function migratable='yes'/>")" > vm.xml

step "a kernel without the driver"
missing="$vf cannot be migratable: the modules of this kernel have no VFIO variant driver for $vf"
not_ok "plan says so" "$missing" bash -c 'virt-hostdev plan vm.xml; exit 1'
not_ok "define is refused" "$missing|needs libvirt 10" virt-hostdev define vm.xml
not_ok "and create" "$missing|needs libvirt 10" virt-hostdev create vm.xml
like "list says so" "$(virt-hostdev list | tr -s ' ')" "$vf VF 0 dualport_vf .* no driver"
like "and host-validate" "$(virt-hostdev host-validate | tr -s ' ' || true)" "migration no $PF2 1 .* the modules of this kernel have no VFIO variant driver"
restored

step "with the driver"
cp "$aliases" aliases
{ cat aliases; echo "alias vfio_pci:v00008086d000010CAsv*sd*bc*sc*i* labvfio_pci"; } > aliases.more
mount --bind aliases.more "$aliases"
modprobe labvfio_pci
if ((major < 10)); then
  needs="migratable='yes' needs libvirt 10.0.0, or 9.7.0 with managed='no'; this is 9\."
  not_ok "plan says that this libvirt cannot" "$needs" bash -c 'virt-hostdev plan vm.xml; exit 1'
  not_ok "define is refused" "$needs" virt-hostdev define vm.xml
  virt-hostdev convert --to=stock vm.xml > stock.xml
  not_ok "and what has got into libvirt all the same does not start" "libvirt has bound $vf to vfio-pci, with which it cannot migrate, and not to labvfio_pci" \
    virsh create stock.xml
  restored
  umount "$aliases"
  exit
fi
like "list" "$(virt-hostdev list | tr -s ' ')" "$vf VF 0 dualport_vf .* off, labvfio_pci"
like "host-validate" "$(virt-hostdev host-validate | tr -s ' ' || true)" "migration yes $PF2 2 .* by labvfio_pci, with <function migratable='yes'/>"
like "plan" "$(virt-hostdev plan vm.xml | tr -s ' ')" "$vf 0 1 migratable no yes yes, after unbinding dualport_vf"
ok "define" virt-hostdev define vm.xml
echo > "/sys/kernel/debug/dualport/$PF2/log"
ok "start" start vm
is "libvirt has chosen it" "$(driver "$vf")" labvfio_pci
like "list has it" "$(virt-hostdev list | tr -s ' ')" "$vf VF 0 labvfio_pci .* on, labvfio_pci vm"
is "both ports were made migratable before it had the VF" "$(grep -c ' migratable .*-> 0' "/sys/kernel/debug/dualport/$PF2/log") $(grep ' migratable ' "/sys/kernel/debug/dualport/$PF2/log" | grep -vc drv=none || true)" "2 0"
is "QEMU could migrate the guest" "$(blocked vm)" ""
ok "destroy" virsh -q destroy vm
restored

step "without the capability, or without the driver"
domain plain "$(hostdev "$vf" "<function migratable='no'/>")" > plain.xml
ok "migratable='no'" virt-hostdev create plain.xml --paused
is "has the same driver" "$(driver "$vf")" labvfio_pci
like "and QEMU could not migrate it" "$(blocked plain)" "migration is not supported in kernel"
ok "destroy" virsh -q destroy plain
restored
domain forced "$(hostdev "$vf" "<driver model='vfio-pci'/><function migratable='yes'/>")" > forced.xml
not_ok "another driver is refused" "<driver model='vfio-pci'> in a <hostdev> with migratable='yes'" virt-hostdev define forced.xml
virsh -q dumpxml vm --inactive > stock.xml
sed -i "s|<source>|<driver model='vfio-pci'/>&|" stock.xml
ok "libvirt alone defines it" virsh -q define stock.xml
not_ok "and it does not start" "libvirt has bound $vf to vfio-pci, with which it cannot migrate, and not to labvfio_pci" start vm
restored

step "through the daemon"
hostdevd_up
umount "$aliases"
not_ok "without the driver, define is refused there, too" "$vf cannot be migratable" virsh define vm.xml
mount --bind aliases.more "$aliases"
domain plug "" > plug.xml
ok "a guest without VFs" virsh -q create plug.xml --paused
hostdev "$vf" "<function migratable='yes'/>" > device.xml
ok "attach" virsh -q attach-device plug device.xml --live
is "libvirt has chosen it" "$(driver "$vf")" labvfio_pci
is "QEMU could migrate the guest" "$(blocked plug)" ""
ok "destroy" virsh -q destroy plug
restored
umount "$aliases"
