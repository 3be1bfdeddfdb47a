# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# The tree of clients (host/clients.sh), for scenarios with a line "# tree: clients", and what each client is asked to do:
# the rows of the table in docs/clients.rst. Sourced, after lib.sh.

CLIENTS=/run/clients                             # the tree is in root/

# tree_up: the tree, writable until L1 goes down, with this machine's libvirt, and the directory of the scenario, in it
tree_up() {
  local dir
  ! mountpoint -q "$CLIENTS/root" || return 0
  mkdir -p "$CLIENTS"/{lower,upper,work,root}
  mount -t 9p -o trans=virtio,version=9p2000.L,msize=524288,ro,cache=loose clients "$CLIENTS/lower" ||
    { echo "L1 was up before there was a tree. Boot it again: lab down, and then lab run"; return 1; }
  mount -t overlay -o "lowerdir=$CLIENTS/lower,upperdir=$CLIENTS/upper,workdir=$CLIENTS/work" clients "$CLIENTS/root"
  for dir in /proc /sys /dev /lab /run/libvirt "$PWD"; do
    mkdir -p "$dir" "$CLIENTS/root/$dir"; mount --rbind "$dir" "$CLIENTS/root/$dir"
  done
}
# in_tree COMMAND...: run it there, in the same directory
in_tree() {
  # shellcheck disable=SC2016   # the inner shell's
  chroot "$CLIENTS/root" sh -c 'cd "$0" && exec "$@"' "$PWD" env PYTHONDONTWRITEBYTECODE=1 LC_ALL=C.UTF-8 HOME=/root "$@"
}

# A client is a function CLIENT_client that takes these verbs, and returns this for one that it has no word for:
#   define FILE | show NAME | edit NAME FROM TO | start|destroy|undefine NAME | attach|update|detach NAME FILE
# They are about two domains: "vm", which is shut off, and "plugs", whose guest runs.
CANNOT=3

# clients_up: the VFs, the guest that runs, and the files that clients are given
clients_up() {
  dualport_up "$PF2" 2
  DUAL=$(vfaddr "$PF2" 0) PLUG=$(vfaddr "$PF2" 1)
  before=$(snapshot_vfs)
  hostdevd_up
  domain vm "$(hostdev "$DUAL" "$(netdevs 43)")" > vm.xml
  hostdev "$PLUG" "$(netdevs 43)" > plug.xml
  hostdev "$PLUG" "$(netdevs 46)" > update.xml
  domain plugs "" | native_hotplug > plugs.xml
  virsh -q define plugs.xml; virsh -q start plugs
}
# native_hotplug: the domain on stdin, which unplugs without a system in its guest. A slot that nobody has switched on is
# emptied at once (QEMU hw/pci/pcie.c, pcie_cap_slot_unplug_request_cb), where ACPI does not ask the guest first. A guest
# that boots costs L1's only processor more than all of the clients together.
native_hotplug() {
  local option=ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off
  sed "s|^<domain |&xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0' |
    s|^</domain>|<qemu:commandline><qemu:arg value='-global'/><qemu:arg value='$option'/></qemu:commandline>&|"
}
# netdevs VLAN: what a client writes; netdevs_flat VLAN: as "flat" says it
netdevs() { echo "$(netdev_xml 1 52:54:00:01:02:03 42)$(netdev_xml 2 52:54:00:01:02:04 "$1")"; }
netdevs_flat() { echo "1 52:54:00:01:02:03 42 2 52:54:00:01:02:04 $1 "; }
# flat: the netdevs of the document on stdin, "PORT MAC VLAN" of each, on one line
flat() {
  tr -d '\n' | { grep -oE '<netdev.*</netdev>' || true; } |
    { grep -oE "(netdev port|mac address|tag id)=[\"'][^\"']*" || true; } | sed "s/.*[\"']//" | tr '\n' ' '
}
# node ADDR: as libvirt's node devices are called
node() { echo "pci_${1//[:.]/_}"; }

# The conditions of the rows. What is to be on the hardware is read from the PF.
vlans_are() { # VF VLANS: of both ports
  [[ "$(vfget "$PF2" "$1" 'vlan_list[0].vlan' 1) $(vfget "$PF2" "$1" 'vlan_list[0].vlan' 2)" = "$2" ]]
}
macs_are() { # VF MACS
  [[ "$(vfget "$PF2" "$1" address 1) $(vfget "$PF2" "$1" address 2)" = "$2" ]]
}
has() { [[ $(virsh -q dumpxml --inactive vm | flat) = $(netdevs_flat "$1") ]]; }
defined() { has 43 && [[ $(stock_virsh -q dumpxml --inactive vm | grep -c '<lh:netdev ') = 2 ]]; }
shown() { [[ $(flat < "$out/show") = $(netdevs_flat 43) ]]; }
kept() { has 43 && virsh -q dumpxml --inactive vm | grep -q "<currentMemory unit='KiB'>81920<"; }
changed() { has 44; }
started() { vlans_are 0 "42 $vlan" && macs_are 0 '"52:54:00:01:02:03" "52:54:00:01:02:04"'; }
plugged() { vlans_are 1 "42 43" && macs_are 1 '"52:54:00:01:02:03" "52:54:00:01:02:04"'; }
updated() { vlans_are 1 "42 46"; }
unplugged() { as_before && ! virsh -q dumpxml plugs | grep -q "<hostdev "; }
as_before() { [[ $(snapshot_vfs) = "$before" ]]; }

# row ROW CONDITION VERB ARGS...: ask the client; OUTCOME is "yes" when the condition holds then. What it said is in $out.
row() {
  local row=$1 condition=$2 code=0; shift 2
  OUTCOME=no
  "${client}_client" "$@" > "$out/$1" 2>&1 || code=$?
  if ((code == CANNOT)); then OUTCOME=–
  elif ((code == 0)) && waitfor 30 "$condition"; then OUTCOME=yes
  else echo "# $title: $row: exit code $code, $(tail -n 5 "$out/$1")"; fi
  cell "$row" "$title" "$OUTCOME"
}
# life VERB NAME: by the client, or by virsh where it has no word for it
life() {
  local code=0
  "${client}_client" "$@" || code=$?
  if ((code == CANNOT)); then virsh -q "$@"; else return "$code"; fi
}

# column CLIENT TITLE: all rows of one client. CLIENT_defined is called meanwhile, if there is one.
column() {
  local client=$1 title=$2 out=/lab/clients/$1 vlan=43
  step "$title"
  rm -rf "$out"; mkdir -p "$out"
  row "gives a domain netdevs" defined define vm.xml
  if [[ $OUTCOME != yes ]]; then virsh -q define vm.xml; fi
  if declare -F "${client}_defined" > /dev/null; then "${client}_defined"; fi
  row "shows them" shown show vm
  row "changes something else, and they stay" kept edit vm "<currentMemory unit='KiB'>98304<" "<currentMemory unit='KiB'>81920<"
  row "changes them for the next start" changed edit vm "<tag id='43'/>" "<tag id='44'/>"
  if [[ $OUTCOME = yes ]]; then vlan=44; fi
  row "starts the guest: both ports are set" started start vm
  ok "$title: destroy" life destroy vm
  ok "$title: both ports are put back" waitfor 60 as_before
  ok "$title: undefine" life undefine vm
  row "plugs a device with netdevs into a guest" plugged attach plugs plug.xml
  row "changes them while the guest runs" updated update plugs update.xml
  row "unplugs it: both ports are put back" unplugged detach plugs update.xml
  ok "$title: all is as it was" waitfor 60 as_before
}
