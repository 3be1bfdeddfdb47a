# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# suites: bookworm
# The packages on a host with guests: installed and used as the README says, and purged; with SIDES=all also upgraded,
# removed and installed again. Guests run on with what they were given, and of what is purged nothing stays.
# init: systemd
# install: no
. /lab/guest/lib.sh

export DEBIAN_FRONTEND=noninteractive
names=(libvirt-hostdev libvirt-hostdev-daemon)
hook=/etc/libvirt/hooks/qemu.d/50-virt-hostdev
# inventory: what a package may leave on a host: files, units, sockets, profiles. Not what dpkg, apt and ldconfig remember, nor
# what units, libvirt and this scenario have. (/etc/apparmor.d/disable: dh_apparmor removes it where it is empty.)
inventory() {
  find /etc /opt /srv /usr /var /run -xdev \( -path '/var/lib/dpkg/*' -o -path '/var/log/*' -o -path '/var/lib/apt/*' \
    -o -path '/var/cache/*' -o -path /etc/ld.so.cache -o -path '/run/systemd/*' -o -path '/run/libvirt/*/*' \
    -o -path '/etc/apparmor.d/libvirt/*' -o -path /etc/apparmor.d/disable -o -path "$IMAGES/*" \) -prune -o -print | sort
  systemctl list-unit-files --plain --no-legend | awk '{ print "unit", $1, $2 }' | sort
  systemctl show --property Id,Listen,DropInPaths "$LIBVIRTD"{,-ro,-admin}.socket "$LIBVIRTD.service"
  grep -v '^libvirt-[0-9a-f]' /sys/kernel/security/apparmor/profiles | sort
}
# newer DIR: the packages once more, of a later version
newer() {
  local deb tree
  for deb in /lab/packages/*.deb; do
    tree=$(mktemp -d)
    dpkg-deb -R "$deb" "$tree"
    sed -i -E "/^(Version|Depends):/s/$version/$version+1/" "$tree/DEBIAN/control"
    dpkg-deb -Znone --root-owner-group -b "$tree" "$1" > /dev/null
  done
}
installed() { dpkg-query -W -f '${Version} ${db:Status-Abbrev}\n' "${names[@]}" | sort -u; }
guests() { pgrep -x qemu-system-x86 | sort | tr '\n' ' '; }
set_ports() { echo "$(vfget "$PF2" 0 address 1) $(vfget "$PF2" 0 address 2)"; }

step "a stock host with a guest"
not_ok "nothing of ours is there" "" command -v virt-hostdev
dualport_up "$PF2" 1
libvirt_up
domain plain "" > plain.xml
domain vm "" > vm.xml
ok "a guest runs" virsh -q create plain.xml
ok "another is defined" virsh -q define vm.xml
vfs=$(snapshot_vfs)
inventory > before
version=$(dpkg-deb -f /lab/packages/libvirt-hostdev_*.deb Version)

step "the README, from apt to the guest"
ln -s /lab/packages out
awk '/^## / { on = /Use it/ } on && /^    / { print substr($0, 5); block = 1; next } block { exit }' \
  /lab/docs/README.md > commands
is "it takes five commands" "$(grep -c . commands)" 5
ok "every command succeeds" bash -ex commands
is "both are installed" "$(installed)" "$version ii "
macs=$(set_ports)
is "both ports have what the device says" "$macs" \
  "$(sed -n "s/.*<mac address='\(.*\)'.*/\"\1\"/p" device.xml | paste -sd ' ')"
pids=$(guests)
is "two guests run" "$(wc -w <<< "$pids")" 2
like "and libvirt knows them" "$(virsh -q list --name | sort | paste -sd ' ')" '^plain vm *$'

if [[ ${SIDES:-} = all ]]; then
  step "an upgrade"
  daemon=$(systemctl show -P MainPID virthostdevd.service)
  mkdir newer; newer newer
  ok "it succeeds" apt-get install -y ./newer/*.deb
  is "both are of the new version" "$(installed)" "$version+1 ii "
  is "the same guests run" "$(guests)" "$pids"
  is "with what they were given" "$(set_ports)" "$macs"
  ok "clients get through" virsh -q dumpxml vm
  not_ok "to a new daemon" "" test "$(systemctl show -P MainPID virthostdevd.service)" = "$daemon"
  is "that is in front of libvirt" "$(virsh -q dumpxml vm | grep -c '<netdev ')" 2

  step "removal"
  ok "it succeeds" apt-get remove -y "${names[@]}"
  is "the same guests run" "$(guests)" "$pids"
  is "with what they were given" "$(set_ports)" "$macs"
  not_ok "the hook is not linked" "" test -L "$hook"
  ok "libvirt answers where it did" virsh -q list
  like "by itself" "$(systemctl show --property Listen --value "$LIBVIRTD.socket")" "^/run/libvirt/$SOCKET "
  ok "a guest can be started without us" virsh -q create <(domain third "")
  ok "and ended" virsh -q destroy third
  ok "so can the one with the VF, though nobody is there to restore it" virsh -q destroy vm
  is "the VF has what it had" "$(set_ports)" "$macs"

  step "installed again"
  ok "it succeeds" apt-get install -y --allow-downgrades /lab/packages/*.deb
  ok "the hook is linked" test -L "$hook"
  ok "what is left over is restored" virt-hostdev recover
  is "every VF is as it was" "$(snapshot_vfs)" "$vfs"
  ok "a guest gets the VF once more" virsh -q start vm
  is "with the same settings" "$(set_ports)" "$macs"
fi
ok "the guest is ended" virsh -q destroy vm
is "every VF is as it was" "$(snapshot_vfs)" "$vfs"

step "purge"
ok "the domain goes back to libvirt alone" virt-hostdev unmanage --all
ok "it succeeds" apt-get purge -y "${names[@]}"
inventory > after
is "nothing is left" "$(diff before after)" ""
is "the first guest runs" "$(guests)" "${pids%% *} "
is "AppArmor has denied nothing" "$(denied)" ""
