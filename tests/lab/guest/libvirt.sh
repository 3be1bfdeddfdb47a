# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# Stock libvirt in L1, and the guests it runs (L2). In the plain flavour daemons are started by hand; in the other one
# systemd starts the stock daemon, with Debian's own unit and settings for who may do what.

IMAGES=/var/lib/libvirt/images
LIBVIRTD=libvirtd                                # the stock daemon that has the guests
[[ ! -x /usr/sbin/virtqemud ]] || LIBVIRTD=virtqemud
case $LIBVIRTD in libvirtd) SOCKET=libvirt-sock;; *) SOCKET=$LIBVIRTD-sock;; esac
LOG=/var/log/libvirt/$LIBVIRTD.log

# libvirt_up: start the stock daemon where every client looks for it, and wait until it answers
libvirt_up() {
  libvirt_configure
  rm -f "$STOCK/config"
  if [[ $INIT = systemd ]]; then systemctl start "$LIBVIRTD.service"; else "$LIBVIRTD" -d; fi
  waitfor 60 virsh -q version || { libvirt_log; return 1; }
  keep_capabilities virsh
}
libvirt_log() {
  if [[ $INIT = systemd ]]; then journalctl -n 20 --no-pager -u "$LIBVIRTD"; else tail -n 20 "$LOG"; fi
}
libvirt_configure() { # once; with systemd, guest/systemd.sh does it at boot
  [[ ! -e /run/lab-libvirt ]] || return 0
  [[ $INIT = systemd ]] || cat >> "/etc/libvirt/$LIBVIRTD.conf" <<E
auth_unix_ro = "none"
auth_unix_rw = "none"
log_outputs = "2:file:$LOG"
E
  # root: there is no KVM node for another user. file: else virtlogd must run first. capability_filters: else libvirt asks
  # QEMU for each property of the processor, 460 times, and under emulation that is most of what a start takes.
  cat >> /etc/libvirt/qemu.conf <<'E'
user = "root"
group = "root"
stdio_handler = "file"
capability_filters = [ "cpu-unavailable-features" ]
E
  # The daemon remembers from its start whether there are hooks at all: with this one, others may come later.
  mkdir -p /etc/libvirt/hooks/qemu.d
  printf '#!/bin/sh\nexit 0\n' > /etc/libvirt/hooks/qemu.d/00-lab; chmod +x /etc/libvirt/hooks/qemu.d/00-lab
  # What libvirt found out about QEMU takes seconds to find out under emulation: it is kept from boot to boot.
  mkdir -p /lab/capabilities /var/cache/libvirt/qemu "$IMAGES"
  cp -a /lab/capabilities/. /var/cache/libvirt/qemu/
  cp /lab/vmlinuz /lab/initrd.img "$IMAGES/"
  touch /run/lab-libvirt
}
keep_capabilities() { # VIRSH
  [[ -z $(ls /lab/capabilities) ]] || return 0
  "$1" -q domcapabilities --virttype qemu --machine q35 > /dev/null
  cp -a /var/cache/libvirt/qemu/. /lab/capabilities/
}

# libvirt_stop: end the stock daemon as a service manager would; guests go on
libvirt_stop() {
  if [[ $INIT = systemd ]]; then systemctl stop "$LIBVIRTD.service"; else kill "$(pidof -s "$LIBVIRTD")"; fi
  waitfor 30 libvirt_gone
}
# libvirt_kill9: end it as a crash would (from which systemd starts it anew)
libvirt_kill9() {
  local pid
  pid=$(pidof -s "$LIBVIRTD")
  kill -KILL "$pid"; waitfor 10 ended "$pid"
}
# libvirt_restart: end it and start it again in the same place
libvirt_restart() {
  libvirt_stop
  if [[ -e $STOCK/config ]]; then stock_up; else libvirt_up; fi
}
libvirt_gone() { ! pidof "$LIBVIRTD"; }
ended() { [[ ! -e /proc/$1 ]]; }

# Our daemon, for the plain flavour: it listens where clients look for the stock daemon, which stands behind it.
STOCK=/run/libvirt/stock                         # sockets and configuration of a stock daemon that stands behind
HOSTDEVD_LOG=/var/log/libvirt/virthostdevd.log
mkdir -p "${HOSTDEVD_LOG%/*}"
: > "$HOSTDEVD_LOG"                              # what an earlier scenario's daemon said is none of this one's

# hostdevd_up [LINE...]: the stock daemon behind virthostdevd, and wait until virsh gets through. LINEs are added to
# virthostdevd.conf. Guests go on when the stock daemon ran already.
hostdevd_up() {
  if ! libvirt_gone > /dev/null; then libvirt_stop; fi
  stock_up
  hostdevd_write "$@"
  hostdevd_start
}
hostdevd_write() {
  printf '%s\n' "upstream = \"$STOCK/$SOCKET\"" "listen = \"/run/libvirt/$SOCKET\"" "$@" > /etc/libvirt/virthostdevd.conf
}
# hostdevd_said PATTERN: so many lines of its log match; hostdevd_says PATTERN: one does; hostdevd_says_more PATTERN N
hostdevd_said() { grep -cE -- "$1" "$HOSTDEVD_LOG" || true; }
hostdevd_says() { [[ $(hostdevd_said "$1") != 0 ]]; }
hostdevd_says_more() { (($(hostdevd_said "$1") > $2)); }
# hostdevd_configure [LINE...]: it reads other LINEs while it runs
hostdevd_configure() {
  local before
  before=$(hostdevd_said 'Reloaded log_level')
  hostdevd_write "$@"
  kill -HUP "$(hostdevd_pid)"
  waitfor 10 hostdevd_says_more 'Reloaded log_level' "$before"
}
# stock_up: start the stock daemon, by itself, behind
stock_up() {
  libvirt_configure
  mkdir -p "$STOCK"
  { cat "/etc/libvirt/$LIBVIRTD.conf"; echo "unix_sock_dir = \"$STOCK\""; } > "$STOCK/config"
  "$LIBVIRTD" -d -f "$STOCK/config"
  waitfor 60 stock_virsh -q version || { libvirt_log; return 1; }
  keep_capabilities stock_virsh
}
# stock_virsh ARGS...: virsh past virthostdevd
stock_virsh() { virsh -c "qemu+unix:///system?socket=$STOCK/$SOCKET" "$@"; }

# hostdevd_start: start virthostdevd by itself, as it is configured
hostdevd_start() {
  virthostdevd >> "$HOSTDEVD_LOG" 2>&1 &
  echo $! > /run/lab-virthostdevd.pid; disown     # when it is killed, bash need not tell
  waitfor 60 virsh -q version || { tail -n 20 "$HOSTDEVD_LOG"; return 1; }
}
# hostdevd_stop: end virthostdevd as a service manager would; the stock daemon goes on
hostdevd_stop() { local pid; pid=$(hostdevd_pid); kill "$pid"; waitfor 30 ended "$pid"; }
# hostdevd_kill9: end it as a crash would; what it started for its clients goes on
hostdevd_kill9() { local pid; pid=$(hostdevd_pid); kill -KILL "$pid"; waitfor 10 ended "$pid"; }
hostdevd_restart() { hostdevd_stop; hostdevd_start; }
# hostdevd_pid: of the process that listens
hostdevd_pid() { cat /run/lab-virthostdevd.pid; }

# as_nova ARGUMENT...: askasnova.py, with Nova's modules (host/nova.sh), which stay mounted until trixie's L1 goes down
as_nova() {
  mountpoint -q /mnt || mount -t 9p -o trans=virtio,version=9p2000.L,msize=524288,ro,cache=loose nova /mnt
  PYTHONPATH=/mnt/usr/lib/python3/dist-packages python3 -B /lab/guest/askasnova.py "$@"
}

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
  devices=$({ grep -Eo '<(hostdev|interface) ' <<< "$1" || true; } | wc -l)
  echo "<controller type='pci' model='pcie-root'/>"
  for ((; devices + ${L2_PORTS:-2} > 0; devices--)); do echo "<controller type='pci' model='pcie-root-port'/>"; done
}

# l2_console NAME: the file that the guest's console goes to
l2_console() { echo "$IMAGES/$1.console"; }
# l2_wait NAME PATTERN [SECONDS]: until a line of its console matches, which is printed
l2_wait() {
  if ! waitfor "${3:-200}" l2_says "$1" "$2"; then
    echo "no $2 on the console of $1, which ends:"; tail -n 10 "$(l2_console "$1")"; return 1
  fi
  grep -E -m 1 -- "$2" "$(l2_console "$1")" | tr -d '\r'
}
l2_says() { grep -Eq -- "$2" "$(l2_console "$1")"; }
# l2_macs NAME [SECONDS]: "DEV MAC" of each netdev that the guest found, sorted, once it has pinged
l2_macs() {
  l2_wait "$1" '^L2PING' "${2:-200}" > /dev/null
  sed -n 's/\r$//; s/^L2MAC //p' "$(l2_console "$1")" | sort
}

# Not by libvirt, which a scenario may have stopped, or broken.
cleanup_libvirt() {
  pkill -KILL -x qemu-system-x86 && waitfor 10 no_guests
  if [[ $INIT = systemd ]]; then
    systemctl stop virthostdevd.service "$LIBVIRTD.service" 2> /dev/null
  else
    if [[ -e /run/lab-virthostdevd.pid ]]; then kill -KILL "$(hostdevd_pid)"; fi 2> /dev/null
    if pidof "$LIBVIRTD" > /dev/null; then libvirt_kill9; fi
    rm -rf "$STOCK" "/run/libvirt/$SOCKET"{,-ro} /run/lab-virthostdevd.pid
  fi
  pkill -KILL -x virthostdevd; pkill -KILL -x virt-hostdev-fi        # fi: a process's name is cut
  rm -rf /run/libvirt/{qemu,network} /etc/libvirt/qemu/*.xml /etc/libvirt/hostdev "$IMAGES"/*.console
  rm -rf /etc/libvirt/qemu/networks/{autostart/*,*.xml}
}
no_guests() { ! pgrep -x qemu-system-x86; }
