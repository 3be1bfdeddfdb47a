#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# root.sh SUITE...: L1's root file system, a stock Debian with its libvirt and QEMU
. "$(dirname "$(readlink -f "$0")")/common.sh"

packages=(
  # what is tested
  libvirt-daemon-system libvirt-daemon-driver-qemu libvirt-clients qemu-system-x86
  # what init and scenarios use
  apparmor busybox-static dbus iproute2 jq kmod passwd pciutils polkitd procps python3 python3-libvirt python3-lxml socat strace
  systemd udev virtinst
  # what our own programs are linked with
  libexpat1 libjansson4 libnl-3-200 libnl-genl-3-200 libnl-route-3-200 libseccomp2 libsmartcols1 libsystemd0 libvirt0 libxml2
)
# of SUITE: what has another name there, and QEMU's module for a vDPA device as a disk, which libvirt 9.0 does not know
of() { case $1 in bookworm) echo libglib2.0-0;; *) echo libglib2.0-0t64,qemu-block-extra;; esac; }

build_root() {
  local suite=$1 dir=$LAB/$1/root wanted init since=$EPOCHREALTIME
  wanted=$(IFS=,; echo "${packages[*]},$(of "$suite")")
  [[ $(cat "$dir.packages" 2>/dev/null) != "$wanted" ]] || return 0
  for init in "${INITS[@]}"; do
    ! alive l1 "$(machine "$suite" "$init")" ||
      die "the packages of $suite changed, and L1 runs from its root. Stop it first: LAB_SUITE=$suite lab down"
  done
  mkdir -p "$LAB/$suite"; rm -f "$dir.packages"
  rm -rf "$LAB/$suite"{,-twin,-systemd}/share/{capabilities,profiles} # they are of the QEMU and the AppArmor that go
  debian_tree "$suite" "$dir" "$LAB/root-$suite.log" "$wanted"
  echo "$wanted" > "$dir.packages"
  say "root file system of $suite: $(du -sm "$dir" | cut -f1) MB in $(elapsed "$since") s"
}
for suite; do
  case $suite in modular) bash "$HERE/host/modular.sh";; *) build_root "$suite";; esac
done
[[ $LAB_SUITE != trixie ]] || bash "$HERE/host/nova.sh"
