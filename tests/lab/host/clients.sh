#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# clients.sh: a Debian 13 with clients of libvirt, for scenarios with "# tree: clients": virt-manager and a screen that
# nobody sees, Ansible with its module for libvirt, libvirt-dbus, which Cockpit reads with, and Go with both of its
# libraries for libvirt. Only such a scenario has it built.
# clients.sh inside DIR: what is done to it at its end
. "$(dirname "$(readlink -f "$0")")/common.sh"

CLIENTS=$LAB/clients
packages=(
  # with a window: what shows it, arranges it, and lets a program read and press what is in it
  virt-manager virtinst xvfb openbox at-spi2-core gir1.2-atspi-2.0 gir1.2-gtk-3.0 adwaita-icon-theme fonts-dejavu-core
  hicolor-icon-theme
  # without
  ansible-core libvirt-dbus python3-dbus python3-libvirt python3-lxml xsltproc
  golang-go golang-github-digitalocean-go-libvirt-dev golang-github-libvirt-libvirt-go-dev
  golang-github-libvirt-libvirt-go-xml-dev gcc libc6-dev libvirt-dev pkgconf
)

# Of the package of all of Ansible's collections, the one for libvirt: a thousandth.
inside() {
  chroot "$1" sh -ec 'cd /tmp; apt-get -q download ansible
    dpkg-deb --fsys-tarfile ansible_*.deb | tar -C / -xf - ./usr/lib/python3/dist-packages/ansible_collections/community/libvirt
    rm ansible_*.deb; python3 -m compileall -q /usr/share/virt-manager /usr/lib/python3/dist-packages/ansible_collections'
}

# compile: guest/asgo.go, with Debian's packages only
compile() {
  [[ $HERE/guest/asgo.go -nt $CLIENTS/usr/local/bin/asgo ]] || return 0
  cp "$HERE/guest/asgo.go" "$CLIENTS/tmp/"
  mount -t proc proc "$CLIENTS/proc"
  logged "$LAB/clients-go.log" chroot "$CLIENTS" env HOME=/tmp GO111MODULE=off GOPATH=/usr/share/gocode GOCACHE=/tmp/go \
    go build -o /usr/local/bin/asgo /tmp/asgo.go
  umount "$CLIENTS/proc"
  rm -rf "$CLIENTS/tmp/go"
}

build_clients() {
  local since=$EPOCHREALTIME wanted
  wanted=$(IFS=,; echo "${packages[*]}")
  [[ $(cat "$CLIENTS.packages" 2>/dev/null) != "$wanted" ]] || return 0
  rm -f "$CLIENTS.packages"
  debian_tree trixie "$CLIENTS" "$LAB/clients.log" "$wanted" "bash '$HERE/host/clients.sh' inside \"\$1\""
  echo "$wanted" > "$CLIENTS.packages"
  say "clients: $(du -sm "$CLIENTS" | cut -f1) MB in $(elapsed "$since") s"
}

if [[ ${1:-} = inside ]]; then inside "$2"; exit; fi
mkdir -p "$LAB"; touch "$LAB/.libvirt-hostdev-lab"
exec 9> "$LAB/lock"
flock 9
build_clients 9>&-
compile 9>&-
