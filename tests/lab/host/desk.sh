#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# desk.sh: a desk with a screen, beside L1, for scenarios with "# desk: yes". virt-manager would take minutes for a window
# in L1, so it runs here, in the tree of clients; its libvirt is L1's, at the other end of a virtio port (start.sh).
# The scenario's orders are files in the share: desk/N.order, a command; desk/N.out and desk/N.rc come of it.
# To be called as "isolated": what it started ends with it.
. "$(dirname "$(readlink -f "$0")")/common.sh"

[[ ${1:-} = inside ]] || exec unshare --net -- "$0" inside       # Xvfb listens in the network's name space, too
DESK=$RUN/desk
cd "$RUN"                                                        # sockets by relative name: see start.sh

mkdir -p "$DESK"; mount -t tmpfs desk "$DESK"; mkdir "$DESK"/{upper,work,root}
root=$DESK/root
mount -t overlay -o "lowerdir=$LAB/clients,upperdir=$DESK/upper,workdir=$DESK/work" desk "$root"
mkdir -p "$root"/{lab,run/libvirt,root/.config/glib-2.0/settings}
for dir in /proc /sys /dev; do mount --rbind "$dir" "$root$dir"; done
mount --bind "$SHARE" "$root/lab"
printf '[org/virt-manager/virt-manager]\nxmleditor-enabled=true\n' > "$root/root/.config/glib-2.0/settings/keyfile"

# at_desk COMMAND...: there, in its session
at_desk() {
  chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 PYTHONDONTWRITEBYTECODE=1 DISPLAY=:7 \
    DBUS_SESSION_BUS_ADDRESS=unix:path=/tmp/session GSETTINGS_BACKEND=keyfile "$@"
}
socat "UNIX-LISTEN:desk/root/run/libvirt/libvirt-sock" UNIX-CONNECT:clients.sock &
at_desk dbus-daemon --session --address=unix:path=/tmp/session --fork
at_desk Xvfb :7 -screen 0 1280x900x24 &
for _ in {1..200}; do [[ ! -S $root/tmp/.X11-unix/X7 ]] || break; sleep 0.1; done
at_desk openbox &

rm -rf "$SHARE/desk"; mkdir "$SHARE/desk"
while sleep 0.2; do
  for order in "$SHARE"/desk/*.order; do
    [[ -e $order ]] || continue
    name=${order%.order} code=0
    mv "$order" "$name.taken"
    at_desk bash "/lab/desk/${name##*/}.taken" > "$name.out" 2>&1 || code=$?
    echo "$code" > "$name.rc.new"; mv "$name.rc.new" "$name.rc"
  done
done
