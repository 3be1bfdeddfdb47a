# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# What a person can do with netdevs in virt-manager's windows, with virthostdevd in front: its column of the table in
# docs/clients.rst. Pictures of its screen stay in the share, windows/, to be looked at; what it said is in clients/.
# suites: none
# tree: clients
. /lab/guest/lib.sh
. /lab/guest/clients.sh

# on_screen COMMAND...: run it there, with a screen and a session
on_screen() {
  in_tree env DISPLAY=:7 "DBUS_SESSION_BUS_ADDRESS=unix:path=$PWD/session" GSETTINGS_BACKEND=keyfile NO_AT_BRIDGE=0 "$@"
}
# ask NAME VERB ARGS...: of a person in front of it; NAME.png is what was seen
ask() { on_screen python3 /lab/guest/askmanager.py --picture "/lab/windows/$1.png" "${@:2}"; }
# label ADDR: how the list of a domain's hardware calls it; choice ADDR: how the list of the host's devices does
label() { echo "PCI $1"; }
choice() { local name=${1^^}; echo "${name%.*}:${name#*.}"; }

# open_window NAME: that of a domain
open_window() { on_screen virt-manager --connect qemu:///system --show-domain-editor "$1"; }

manager_client() {
  case $1 in
    # A domain is there, and gets a device: the form for new domains asks for none.
    define) virsh -q define plain.xml; open_window vm; ask defines add vm "$(choice "$DUAL")" "$(netdevs 43)";;
    show) ask shows show vm "$(label "$DUAL")";;
    edit)
      if [[ $3 = *Memory* ]]; then ask memory memory vm 80
      else ask edits edit vm "$(label "$DUAL")" "${3//\'/\"}" "${4//\'/\"}"; fi;;
    start) ask starts start vm;;
    destroy) ask ends off vm;;
    attach) open_window plugs; ask attaches add plugs "$(choice "$PLUG")" "$(netdevs 43)";;
    update) ask updates edit plugs "$(label "$PLUG")" 'tag id="43"' 'tag id="46"';;
    detach) ask detaches remove plugs "$(label "$PLUG")";;
    *) return "$CANNOT";;
  esac
}

step "two VFs, a guest that runs, and a screen"
rm -rf /lab/windows; mkdir /lab/windows
clients_up
grep -v "<hostdev " vm.xml > plain.xml
settings=$CLIENTS/root/root/.config/glib-2.0/settings
mkdir -p "$settings"; printf '[org/virt-manager/virt-manager]\nxmleditor-enabled=true\n' > "$settings/keyfile"
in_tree dbus-daemon --session --address="unix:path=$PWD/session" --fork --print-pid > session.pid
in_tree Xvfb :7 -screen 0 1280x900x24 > xvfb.log 2>&1 & pids=$!
ok "there is a screen" waitfor 60 test -S "$CLIENTS/root/tmp/.X11-unix/X7"
on_screen openbox > openbox.log 2>&1 & pids+=" $!"
on_screen virt-manager --no-fork --connect qemu:///system > manager.log 2>&1 & pids+=" $!"
ok "the guest is up" l2_wait plugs '^L2PING'

column manager virt-manager
cp ./*.log /lab/windows/
# shellcheck disable=SC2086   # several
kill $pids "$(cat session.pid)"

step "the table"
table clients.rst clients
