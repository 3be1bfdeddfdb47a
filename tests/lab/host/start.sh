#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# start.sh: boots L1 and waits until it takes orders; leaves nothing running when it does not
. "$(dirname "$(readlink -f "$0")")/common.sh"

qemu_binary() { # QEMU of Debian 13, run by the loader and libraries of its own root: Debian 12's has no igb
  local lib=$BASE/usr/lib/x86_64-linux-gnu
  qemu=("$BASE/usr/lib64/ld-linux-x86-64.so.2" --library-path "$lib:$lib/pulseaudio"
    --argv0 qemu-system-x86_64 "$BASE/usr/bin/qemu-system-x86_64")
}

# One processor: emulated ones wait for each other by spinning, and two take more than twice the time of one for the same
# work. LAB_SMP=2 is for what several are needed for.
#
# An emulated processor counts the ticks of the real one, and L1's kernel would find out at boot how many a second has.
# On a busy machine that went wrong once, by a factor of 15, and every timeout in L1 came so much too early. So it is
# told what the machine's own kernel knows: BogoMIPS are two for each MHz of the counter.
tick_khz() { awk -F': *' '/^bogomips/ { printf "%d\n", $2 * 500; exit }' /proc/cpuinfo; }

# shellcheck disable=SC2054   # QEMU wants commas
computer() {
  local init=plain apparmor=0       # as Debian boots, but for the plain flavour, where nobody would load a profile
  local install=${LAB_INSTALL:-yes} # "no": for a scenario that installs
  ! has_systemd || init=systemd apparmor='1 security=apparmor'
  args=(-name "lab-$MACHINE" -machine q35,kernel-irqchip=split -accel tcg,thread=multi -cpu max
    -smp "${LAB_SMP:-1}" -m "${LAB_MEM:-3G}" -nodefaults -display none -no-reboot
    -L "$BASE/usr/share/qemu" -L "$BASE/usr/share/seabios" -L "$BASE/usr/lib/ipxe/qemu"
    -kernel "$KERNEL/vmlinuz" -initrd "$LAB/initrd-l1.img"
    -append "console=ttyS0 loglevel=5 panic=-1 intel_iommu=on apparmor=$apparmor mitigations=off nokaslr no_timer_check tsc=reliable tsc_early_khz=$(tick_khz) lab.init=$init lab.install=$install"
    -device intel-iommu,intremap=on,caching-mode=on)
}

# shellcheck disable=SC2054
serial_ports() { # ttyS0 the console, ttyS1 the orders for guest/init.sh, ttyS2 a person at "lab shell"
  mkfifo cmd.in cmd.out shell.in shell.out
  args+=(-serial file:console.log
    -chardev pipe,id=cmd,path=cmd -serial chardev:cmd
    -chardev pipe,id=shell,path=shell -serial chardev:shell)
}

file_share() { # TAG DIR [OPTION]
  args+=(-fsdev "local,id=$1,path=$2,security_model=none,multidevs=remap${3:+,$3}"
    -device "virtio-9p-pci,fsdev=$1,mount_tag=$1")
}

# shellcheck disable=SC2054
desk() { # a port that leads to the desk beside L1 (desk.sh)
  args+=(-device virtio-serial-pci -chardev socket,id=clients,path=clients.sock,server=on,wait=off
    -device virtserialport,chardev=clients,name=clients)
}

# nic N NETDEV: the Nth 82576, alone on its root port, so that it comes up as 0000:0N:00.0
nic() {
  args+=(-netdev "$2,id=net$1" -device "pcie-root-port,id=port$1,chassis=$1,slot=$1"
    -device "igb,bus=port$1,netdev=net$1,mac=52:54:00:82:57:0$1")
}

# A virtio function for vp_vdpa, alone on its root port, so that it comes up as 0000:04:00.0.
# shellcheck disable=SC2054
virtio_nic() {
  args+=(-netdev hubport,hubid=4,id=net4 -device "pcie-root-port,id=port4,chassis=4,slot=4"
    -device "virtio-net-pci,bus=port4,netdev=net4,disable-legacy=on,iommu_platform=on,mac=52:54:00:82:57:04")
}

# boot ATTEMPT: starts L1 and waits for it. An emulated processor now and then loses its first timer interrupts and
# halts for good, before any program runs; so there is a second attempt, and it is said.
boot() {
  local began=$SECONDS told=$SECONDS
  start l1 "${qemu[@]}" "${args[@]}"
  while starved; ((SECONDS - began - STARVED / 1000 < 90)); do
    [[ ! -e $SHARE/ready ]] || return 0
    alive l1 || break
    if ((SECONDS - told >= 30)); then
      told=$SECONDS; say "waiting for L1 ($MACHINE) to boot; its console says: $(tail -n 1 console.log | tr -d '\r')"
    fi
    sleep 0.1
  done
  say "L1 did not come up at attempt $1; the end of its console:"
  tail -n 40 l1.err console.log >&2
  stop l1 "$MACHINE"
  return 1
}

[[ -e $ROOT.packages && -e $LAB/initrd-l1.img && -e $LAB/l2/vmlinuz ]] || die "$LAB_SUITE is not built. Run: lab build"
! alive l1 || die "L1 ($MACHINE) is up already. Stop it with: lab down"
since=$EPOCHREALTIME
mkdir -p "$RUN" "$SHARE"
stop wire "$MACHINE"               # where L1 was killed and never taken down
cd "$RUN" || exit                         # sockets and pipes by relative name: a socket's path may have 107 bytes
rm -rf ./* "$SHARE"/{ready,job,starved,wire.log}
mkdir "$SHARE/job"; cp --remove-destination "$LAB"/l2/{vmlinuz,initrd.img} "$SHARE/"; share_guest
trap 'stop l1 "$MACHINE"; stop wire "$MACHINE"' EXIT

start wire python3 "$HERE/host/wire.py" wire.sock nic.sock "$SHARE/wire.log"
qemu_binary; computer; serial_ports
file_share root "$ROOT" readonly=on
file_share modules "$KERNEL/lib/modules" readonly=on
file_share share "$SHARE"
for tree in nova clients; do
  [[ ! -e $LAB/$tree.packages ]] || file_share "$tree" "$LAB/$tree" readonly=on
done
[[ ! -e $LAB/clients.packages ]] || desk
nic 1 dgram,local.type=unix,local.path=nic.sock,remote.type=unix,remote.path=wire.sock
nic 2 hubport,hubid=2
nic 3 hubport,hubid=3
virtio_nic
for _ in {1..100}; do [[ ! -S wire.sock ]] || break; sleep 0.02; done
boot 1 || boot 2 || exit 1
trap - EXIT
say "L1 ($MACHINE) is up after $(elapsed "$since") s"
