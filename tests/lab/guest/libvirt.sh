# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# Stock libvirt in L1, started by hand, and the guests it runs (L2).

IMAGES=/var/lib/libvirt/images

# libvirt_up: start libvirtd and wait until it answers
libvirt_up() {
  [[ -e /run/lab-libvirt ]] || libvirt_configure
  libvirtd -d
  waitfor 60 virsh -q version || { tail -n 20 /var/log/libvirt/libvirtd.log; return 1; }
  keep_capabilities
}
libvirt_configure() {
  cat >> /etc/libvirt/libvirtd.conf <<'E'
auth_unix_ro = "none"
auth_unix_rw = "none"
log_outputs = "2:file:/var/log/libvirt/libvirtd.log"
E
  # root: there is no KVM node for another user. file: else virtlogd must run first.
  cat >> /etc/libvirt/qemu.conf <<'E'
user = "root"
group = "root"
stdio_handler = "file"
E
  # libvirtd remembers from its start whether there are hooks at all: with this one, others may come later.
  mkdir -p /etc/libvirt/hooks/qemu.d
  printf '#!/bin/sh\nexit 0\n' > /etc/libvirt/hooks/qemu.d/00-lab; chmod +x /etc/libvirt/hooks/qemu.d/00-lab
  # What libvirt found out about QEMU takes seconds to find out under emulation: it is kept from boot to boot.
  mkdir -p /lab/capabilities /var/cache/libvirt/qemu "$IMAGES"
  cp -a /lab/capabilities/. /var/cache/libvirt/qemu/
  cp /lab/vmlinuz /lab/initrd.img "$IMAGES/"
  touch /run/lab-libvirt
}
keep_capabilities() {
  [[ -z $(ls /lab/capabilities) ]] || return 0
  virsh -q domcapabilities --virttype qemu --machine q35 > /dev/null
  cp -a /var/cache/libvirt/qemu/. /lab/capabilities/
}

# libvirt_stop: end libvirtd as a service manager would; guests go on
libvirt_stop() { kill "$(pidof -s libvirtd)"; waitfor 30 libvirt_gone; }
# libvirt_kill9: end it as a crash would
libvirt_kill9() { kill -KILL "$(pidof -s libvirtd)"; waitfor 10 libvirt_gone; }
libvirt_restart() { libvirt_stop; libvirt_up; }
libvirt_gone() { ! pidof libvirtd; }

# address ADDR [pci]: the PCI address as XML; with "pci", as it must be in an <interface>
address() {
  echo "<address ${2:+type='$2' }domain='0x${1:0:4}' bus='0x${1:5:2}' slot='0x${1:8:2}' function='0x${1:11:1}'/>"
}
# hostdev ADDR [CHILDREN]: a managed <hostdev>; CHILDREN (<netdev> and the like) come after <source>
hostdev() {
  echo "<hostdev mode='subsystem' type='pci' managed='yes'><source>$(address "$1")</source>${2:-}</hostdev>"
}
# netdev_xml PORT MAC [VLAN]: a <netdev> for it
netdev_xml() { echo "<netdev port='$1'><mac address='$2'/>${3:+<vlan><tag id='$3'/></vlan>}</netdev>"; }
# interface ADDR MAC [VLAN]: a managed <interface type='hostdev'>
interface() {
  echo "<interface type='hostdev' managed='yes'><mac address='$2'/><source>$(address "$1" pci)</source>${3:+<vlan><tag id='$3'/></vlan>}</interface>"
}

# domain NAME DEVICES_XML [boot [KERNEL_ARGS]]: a domain's XML. With "boot" it boots L2, which takes half a minute
# (KERNEL_ARGS: l2.poweroff); without, it runs and does nothing. The environment may give L2_MEM (MiB), L2_METADATA
# (XML), and L2_PORTS, how many ports there are to plug in at run time (default 2).
domain() {
  local boot=''
  if [[ ${3:-} = boot ]]; then
    boot="<kernel>$IMAGES/vmlinuz</kernel><initrd>$IMAGES/initrd.img</initrd>
    <cmdline>console=ttyS0 loglevel=4 panic=-1 nokaslr no_timer_check tsc=reliable ${4:-}</cmdline>"
  fi
  cat <<E
<domain type='qemu'>
  <name>$1</name>
  ${L2_METADATA:+<metadata>$L2_METADATA</metadata>}
  <memory unit='MiB'>${L2_MEM:-96}</memory>
  <vcpu>1</vcpu>
  <os>
    <type arch='x86_64' machine='q35'>hvm</type>
    $boot
  </os>
  <features><acpi/><apic/></features>
  <devices>
    $(root_ports "$2")
    <controller type='usb' model='none'/>
    $2
    <serial type='file'><source path='$(l2_console "$1")'/></serial>
    <memballoon model='none'/>
  </devices>
</domain>
E
}
# root_ports DEVICES_XML: one for each device, and L2_PORTS free ones (q35 takes PCIe devices nowhere else)
root_ports() {
  local devices
  devices=$(grep -Eo '<(hostdev|interface) ' <<< "$1" | wc -l)
  echo "<controller type='pci' model='pcie-root'/>"
  for ((; devices + ${L2_PORTS:-2} > 0; devices--)); do echo "<controller type='pci' model='pcie-root-port'/>"; done
}

# l2_console NAME: the file that the guest's console goes to
l2_console() { echo "$IMAGES/$1.console"; }
# l2_wait NAME PATTERN [SECONDS]: until a line of its console matches, which is printed
l2_wait() {
  if ! waitfor "${3:-200}" grep -Eq -- "$2" "$(l2_console "$1")"; then
    echo "no $2 on the console of $1, which ends:"; tail -n 10 "$(l2_console "$1")"; return 1
  fi
  grep -E -m 1 -- "$2" "$(l2_console "$1")" | tr -d '\r'
}
# l2_macs NAME [SECONDS]: "DEV MAC" of each netdev that the guest found, sorted, once it has pinged
l2_macs() {
  l2_wait "$1" '^L2PING' "${2:-200}" > /dev/null
  sed -n 's/\r$//; s/^L2MAC //p' "$(l2_console "$1")" | sort
}

# Not by libvirt, which a scenario may have stopped, or broken.
cleanup_libvirt() {
  pkill -KILL -x qemu-system-x86 && waitfor 10 no_guests
  if pidof libvirtd > /dev/null; then libvirt_kill9; fi
  rm -rf /run/libvirt/qemu /etc/libvirt/qemu/*.xml "$IMAGES"/*.console
}
no_guests() { ! pgrep -x qemu-system-x86; }
