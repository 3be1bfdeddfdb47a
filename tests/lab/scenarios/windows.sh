# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# What a person can do with netdevs in virt-manager's windows, with virthostdevd in front: its column of the table in
# docs/clients.rst. Pictures of its screen stay in the share, windows/, to be looked at; what it said is in clients/.
# suites: none
# tree: clients
# desk: yes
. /lab/guest/lib.sh
. /lab/guest/clients.sh

# at_desk COMMAND...: run it there (host/desk.sh)
at_desk() {
  local order=/lab/desk/${EPOCHREALTIME/./}
  printf '%q ' "$@" > "$order.new"; mv "$order.new" "$order.order"
  until [[ -e $order.rc ]]; do sleep 0.5; done
  cat "$order.out"
  return "$(< "$order.rc")"
}
# ask NAME VERB ARGS...: of a person in front of it; NAME.png is what was seen
ask() { at_desk python3 /lab/guest/askmanager.py --picture "/lab/windows/$1.png" "${@:2}"; }
# port: what comes from the desk goes to libvirt's socket here, and back. There is one connection, virt-manager's. The port
# stays open while nobody is at its other end: what arrives while it is closed, or is not read before that, is lost.
port() {
  local name
  for name in /sys/class/virtio-ports/*; do
    [[ $(< "$name/name") = clients ]] || continue
    socat "OPEN:/dev/${name##*/},ignoreeof" "UNIX-CONNECT:/run/libvirt/$SOCKET"
  done
}
# label ADDR: how the list of a domain's hardware calls it; choice ADDR: how the list of the host's devices does
label() { echo "PCI $1"; }
choice() { local name=${1^^}; echo "${name%.*}:${name#*.}"; }

# open_window NAME: that of a domain. The first virt-manager opens all windows, and ends with the last of them.
open_window() { at_desk sh -c "virt-manager --connect qemu:///system --show-domain-editor $1 > /tmp/virt-manager.$1 2>&1 &"; }

manager_client() {
  case $1 in
    # A domain is there, and gets a device: the form for new domains asks for none.
    define) virsh -q define plain.xml; open_window plugs; open_window vm; ask defines add vm "$(choice "$DUAL")" "$(netdevs 43)";;
    show) ask shows show vm "$(label "$DUAL")";;
    edit)
      if [[ $3 = *Memory* ]]; then ask memory memory vm 80
      else ask edits edit vm "$(label "$DUAL")" "${3//\'/\"}" "${4//\'/\"}"; fi;;
    start) ask starts start vm;;
    destroy) ask ends off vm;;
    attach) ask attaches add plugs "$(choice "$PLUG")" "$(netdevs 43)";;
    update) ask updates edit plugs "$(label "$PLUG")" 'tag id="43"' 'tag id="46"';;
    detach) ask detaches remove plugs "$(label "$PLUG")";;
    *) return "$CANNOT";;
  esac
}

step "two VFs, and two domains"
rm -rf /lab/windows; mkdir /lab/windows
clients_up
grep -v "<hostdev " vm.xml > plain.xml
# A wrong value is refused, and the window says what is wrong with it.
manager_defined() {
  ask refused edit vm "$(label "$DUAL")" 'tag id="43"' 'tag id="5000"' > said || true
  like "a wrong value: the window says which port, and why" "$(cat said)" "says: .*port 2: id='5000' in <tag>: not a number from 1 to 4094"
}
port 2> port.log & pids=$!

column manager virt-manager
kill "$pids"

step "the table"
table clients.rst clients
