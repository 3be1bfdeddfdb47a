# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# suites: trixie
# The commands of docs/kbase/dual-port-vf.rst and virsh.rst, as they stand there, on a dual-port PF; and those of vgpu.rst,
# on the kernel's sample driver; switchdev.rst; and vdpa.rst, on a simulator and a sub-function.
. /lab/guest/lib.sh

# typed PAGE: its literal blocks: lines behind "# " are typed, and so is what stands in a here document
typed() {
  awk '/^   # / { print substr($0, 6); here = /EOF_XML/; next }
       here && /^   / { print substr($0, 4); if (/^   EOF_XML$/) here = 0; next }
       here && /^$/ { print "" }' "/usr/share/doc/libvirt-hostdev/kbase/$1.rst"
}
# part [LINE]: the next of the commands, up to one that begins so, or all that are left
part() {
  : > rest
  awk -v to="$1" 'NR > 1 && to != "" && index($0, to) == 1 { rest = 1 } { print > (rest ? "rest" : "part") }' commands
  mv rest commands
}
works() { ok "every command succeeds" bash -ex part; }
vlan() { vfget "$PF2" 0 'vlan_list[0].vlan // 0' 2; }

dualport_up "$PF2" 0
libvirt_up
typed dual-port-vf > commands
is "the page has its commands" "$(grep -c . commands)" 40
step "before the guest ends"
part "virsh destroy"; works
is "port 2 has its VLAN" "$(vlan)" 43
step "and after"
part ""; works
is "port 2 has none" "$(vlan)" 0

typed virsh > commands
is "the page on virsh has its commands" "$(grep -c . commands)" 36
step "plain virsh, without virthostdevd"
part "virsh destroy"; works
is "port 2 has its new VLAN" "$(vlan)" 44
part "virsh edit"; works

step "and with it"
hostdevd_up
printf '#!/bin/sh\nsed -i "s/id=.44./id='"'43'"'/" "$1"\n' > editor; chmod +x editor; export EDITOR=$PWD/editor
part "virsh update-device"; works
is "port 2 has the VLAN of the edit" "$(vlan)" 43
part "virsh destroy"; works
is "port 2 has the VLAN of the update" "$(vlan)" 45
not_ok "the guest does not migrate" "cannot migrate" virsh migrate --live vm qemu:///system
is "and keeps its VLAN" "$(vlan)" 45
part "virsh attach-device"; works
is "the domain has no VF" "$(virsh -q dumpxml vm | grep -c '<netdev' || true)" 0
part "virsh destroy"; works
is "it has one again, and port 2 its VLAN" "$(virsh -q dumpxml vm | grep -c '<netdev' || true) $(vlan)" "2 45"
part ""; works
is "port 2 has none" "$(vlan)" 0

typed vgpu > commands
is "the page on vGPUs has its commands" "$(grep -c . commands)" 26
sed -i 's/0000:3d:00.0/mtty/; s/nvidia-63/mtty-1/; s/vfio_iommu_type1/& mtty/' commands
step "a vGPU"
part "virsh destroy"; works
devices() { ls /sys/bus/mdev/devices; }
is "there is a device" "$(devices | wc -w)" 1
part ""; works
is "there is none" "$(devices)" ""

virsh -q undefine vm
dualport_down; modprobe dualport devlink=Y
dualport_up "$PF2" 0
typed switchdev > commands
is "the page on switchdev mode has its commands" "$(grep -c . commands)" 31
step "switchdev mode"
part "virsh destroy"; works
port() { devlink -j port show | jq -r '[.port[] | select(.flavour == "pcivf" and .vfnum == 0 and .pfnum == 0)][0].function | "\(.hw_addr) \(.roce)"'; }
is "the VF's port has what the page says" "$(port)" "52:54:00:aa:00:01 disable"
part ""; works
is "and had nothing before" "$(port)" "00:00:00:00:00:00 enable"

virsh -q undefine vm
typed vdpa > commands
is "the page on vDPA has its commands" "$(grep -c . commands)" 39
sed -i "s|pci/0000:41:00.2|vdpasim_net|; s|0000:41:00.0|$PF2|; s/mlx5_vdpa/vdpa_sim_net labsf/" commands
step "a vDPA NIC"
part "virsh destroy"; works
like "the device has what the page says" "$(vdpa dev config show blue)" "mac 52:54:00:01:02:05"
part "devlink dev eswitch"; works
is "and is gone" "$(vdpa dev show)" ""
part "virsh destroy"; works
like "one of a sub-function" "$(vdpa dev show blue)" "mgmtdev auxiliary/dualport.sf"
part ""; works
is "and both are gone" "$(devlink port show | grep pcisf; vdpa dev show)" ""
