# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# Mediated devices of the kernel's sample driver mtty, a serial port that sends back what it gets. Sourced, after lib.sh.

MDEV_TYPES=/sys/class/mdev_bus/mtty/mdev_supported_types

# mdevs_up: the driver
mdevs_up() {
  modprobe -a vfio_iommu_type1 vfio-pci mtty
  waitfor 10 test -d "$MDEV_TYPES"
}
# mdev UUID [TYPE [CHILDREN]]: a <hostdev> whose device is to be made; without UUID, one is generated
mdev() { mdev_hostdev "$1" "<mdev parent='mtty'><type id='${2:-mtty-1}'/>${3:-}</mdev>"; }
mdev_hostdev() { # UUID MDEV
  echo "<hostdev mode='subsystem' type='mdev' managed='yes' model='vfio-pci'>${1:+<source><address uuid='$1'/></source>}$2</hostdev>"
}
# mdevs: all that there is of them: devices, types and free instances, records
mdevs() {
  for type in "$MDEV_TYPES"/*; do echo "${type##*/}: $(cat "$type/available_instances") free; $(ls "$type/devices")"; done
  find /run/libvirt-hostdev -type f ! -name '*.lock' -printf '%f ' 2> /dev/null || true
}
has_device() { [[ -e /sys/bus/mdev/devices/$1 ]]; }
group_of() { basename "$(readlink "/sys/bus/mdev/devices/$1/iommu_group")"; }
# make UUID [TYPE], remove UUID: as an administrator does
make() { echo "$1" > "$MDEV_TYPES/${2:-mtty-1}/create"; }
remove() { echo 1 > "/sys/bus/mdev/devices/$1/remove"; }
