# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# suites: trixie modular
# virt-hostdev enable and disable, on a machine that systemd runs: libvirt's sockets move and come back, guests go on. With
# virtqemud only that, or with SIDES=all the rest, too, which is no daemon's own: the pages' commands, and our services.
# init: systemd
. /lab/guest/lib.sh

ours='virthostdevd.socket virthostdevd-ro.socket'
# shellcheck disable=SC2086   # several units
listens() { systemctl show --property Listen --value $ours "$LIBVIRTD.socket" "$LIBVIRTD-ro.socket" | grep . | sed 's/ (Stream)//' | tr '\n' ' '; }
owner() { stat -c '%a %U:%G' "/run/libvirt/$SOCKET" "/run/libvirt/$SOCKET-ro"; }
drop_ins() { find /etc/systemd/system -name 50-virt-hostdev.conf | wc -l; }

whole() { [[ $LIBVIRTD = libvirtd || ${SIDES:-} = all ]]; }

step "before"
dualport_up "$PF2" 1
vf=$(vfaddr "$PF2" 0)
domain guest "" > guest.xml
ok "a guest runs" virsh -q create guest.xml
pid=$(pidof qemu-system-x86_64)
was=$(owner) before=$(listens)
domain dual "$(hostdev "$vf" "$(netdev_xml 1 52:54:00:aa:00:01)$(netdev_xml 2 52:54:00:aa:00:02)")" > dual.xml

if whole; then
  step "the commands of the pages, from the first to the last"
  (cd /lab/docs && awk '/^   # / { print substr($0, 6) }' kbase/{install,drift,troubleshooting}.rst operations.rst kbase/{monitoring,leave}.rst) > commands
  is "they have their commands" "$(grep -c . commands)" 16
  mkdir -p /var/lib/prometheus/node-exporter # node_exporter's package makes it
  ok "every command succeeds" bash -ex commands
  is "and after disable nothing is left" "$(drop_ins)" 0
fi

step "enable"
# shellcheck disable=SC2086
systemctl stop virthostdevd.service $ours 2> /dev/null || true
systemctl reset-failed
like "the hook runs under the policy in force, and is known" "$(virt-hostdev host-validate 2>&1 | grep -c "libvirt's daemon.* PASS$")" '^2$'
ok "enable" virt-hostdev enable
is "ours listen where libvirt did; libvirt behind" "$(listens)" \
  "/run/libvirt/virthostdevd-sock /run/libvirt/$SOCKET /run/libvirt/virthostdevd-sock-ro /run/libvirt/$SOCKET-ro $STOCK/$SOCKET $STOCK/$SOCKET-ro "
is "owner and mode are as they were" "$(owner)" "$was"
is "they come again at boot" "$(systemctl is-enabled virthostdevd.socket virthostdevd-ro.socket | sort -u)" enabled
ok "plain virsh defines" virsh -q define dual.xml
is "and sees netdevs" "$(virsh -q dumpxml dual | grep -c '<netdev ')" 2
is "read-only too" "$(virsh -q -r dumpxml dual | grep -c '<netdev ')" 2
like "unmanage goes past it" "$(virt-hostdev unmanage --dry-run dual)" "loses $vf port 2: MAC address 52:54:00:aa:00:02"
ok "on the socket of its own as well" virsh -q -c 'qemu+unix:///system?socket=/run/libvirt/virthostdevd-sock' dumpxml dual
is "the guest is the same process" "$(pidof qemu-system-x86_64)" "$pid"
is "and known" "$(virsh -q domstate guest)" running
ok "enable once more" virt-hostdev enable
like "says so" "$(virt-hostdev enable)" already
ok "start" virsh -q start dual
is "the VF is set" "$(vfget "$PF2" 0 address 2)" '"52:54:00:aa:00:02"'
like "the journal has fields" "$(journalctl -q -o json "PCI_ADDR=$vf" | jq -r .MESSAGE)" "Set the netdevs of $vf"

step "the unit's sandbox leaves the daemon what it needs"
ok "destroy" virsh -q destroy dual
snapshot=$(snapshot_vfs)
hostdev "$vf" "$(netdev_xml 1 52:54:00:aa:00:01)$(netdev_xml 2 52:54:00:aa:00:02)<rom file='/nowhere'/>" > rom.xml
not_ok "QEMU refuses a device when its VF is set already" "/nowhere" virsh attach-device guest rom.xml --live
same() { [[ $(snapshot_vfs) = "$snapshot" ]]; }
ok "the VF is put back, its driver bound anew" waitfor 20 same
like "the journal tells" "$(journalctl -q -o json "PCI_ADDR=$vf" | jq -r .MESSAGE)" "Restored the netdevs of $vf"
ok "attach" virsh -q attach-device guest <(sed "s/<rom.*\/>//" rom.xml) --live
is "the VF is set" "$(vfget "$PF2" 0 address 2)" '"52:54:00:aa:00:02"'

if whole; then
  step "and no more than that"
  daemon=$(systemctl show --property MainPID --value virthostdevd.service)
  inside() { nsenter --target "$daemon" --mount -- "$@"; }
  mounted() { awk -v at="$1" '$5 == at { print substr($6, 1, 2) }' "/proc/$daemon/mountinfo"; }
  not_ok "nothing else of /run can be written" "Read-only" inside touch /run/ours
  not_ok "nor files of the system" "Read-only" inside touch /etc/ours
  is "but what is below a PF, and drivers" "$(mounted /sys/devices) $(mounted /sys/bus)" "rw rw"
  not_ok "systemd cannot be asked for more" "Permission denied|refused|Failed to connect" inside systemctl daemon-reload
  is "it has seven capabilities" "$(awk '/^CapEff:/ { print $2 }' "/proc/$daemon/status")" 00000000000811e4
  is "and a list of system calls" "$(awk '/^Seccomp:/ { print $2 }' "/proc/$daemon/status")" 2

  step "metrics, written by a service with a sandbox of its own"
  prom=/var/lib/prometheus/node-exporter/libvirt-hostdev.prom
  says() { grep -qE "^libvirt_hostdev_$1\$" "$prom"; }
  ok "the timer, which the commands have enabled, has it written" waitfor 90 test -e "$prom"
  ip link set "$(netdev "$PF2" 2)" vf 0 mac 52:54:00:aa:00:99
  ok "the service" systemctl start virt-hostdev-metrics.service
  is "everybody may read it" "$(stat -c '%a %U' "$prom")" "644 root"
  is "it is whole" "$(tail -n 1 "$prom")" "# EOF"
  ok "who has the VF" says "vf_info\{domain=\"guest\",pf=\"$PF2\",vf=\"0\",port=\"2\",.*\} 1"
  ok "and that somebody else has changed it" says "vf_drifted\{.*port=\"2\",address=\"$vf\"\} 1"
  ok "systemd says that the hook is known" says 'hook_noticed 1'
  ok "the daemon is in front" says 'daemon_in_front 1'
  is "a driver without counters has none, not 0" "$(grep -c vf_receive "$prom" || true)" 0
  ip link set "$(netdev "$PF2" 2)" vf 0 mac 52:54:00:aa:00:02
  ok "off again" systemctl disable --now virt-hostdev-metrics.timer

  step "addresses, resolved by a service each time before libvirt's daemon starts"
  domain moved "<hostdev mode='subsystem' type='pci' managed='yes'><source><pf dev='$(netdev "$PF2")'/><vf index='0'/></source></hostdev>" > moved.xml
  ok "define" virsh -q define moved.xml
  stored=/etc/libvirt/qemu/moved.xml
  cp "$stored" was.xml
  sed -i -E "/<(lh:)?source>/,/<(lh:)?address/s/bus=[\"'][^\"']*[\"']/bus='0x77'/" "$stored" # in metadata, too
  ok "the service is enabled" systemctl enable virt-hostdev-resolve.service
  ok "libvirt's daemon starts again" systemctl restart "$LIBVIRTD.service"
  like "the journal says what has changed" "$(journalctl -q -u virt-hostdev-resolve.service)" "Domain 'moved': VF 0 of PF $(netdev "$PF2") is now $vf, no longer 0000:77:"
  is "in the file, and nothing else" "$(tr '"' "'" < "$stored")" "$(tr '"' "'" < was.xml)"
  is "whose mode and owner are as libvirt made them" "$(stat -c '%a %U' "$stored")" "600 root"
  ok "off again" systemctl disable virt-hostdev-resolve.service
  ok "undefine" virsh -q undefine moved
fi

step "the daemon dies, libvirt dies"
ok "the daemon is killed" systemctl kill -s KILL virthostdevd.service
ok "and comes again" waitfor 30 virsh -q dumpxml dual
ok "libvirt is killed" libvirt_kill9
ok "and comes again" waitfor 30 virsh -q dumpxml dual
is "the guest runs, with what it was given" "$(virsh -q list --name) $(virsh -q dumpxml guest | grep -c '<netdev ')" "guest 2"
is "the VF is set" "$(vfget "$PF2" 0 address 2)" '"52:54:00:aa:00:02"'

step "disable"
ok "disable" virt-hostdev disable
is "everyone listens where he did" "$(listens)" "$before"
is "no drop-in is left" "$(drop_ins)" 0
is "the guest is the same process" "$(pidof qemu-system-x86_64)" "$pid"
ok "destroy" virsh -q destroy guest
ok "the hook puts back what was plugged in" waitfor 20 same
is "a client sees what libvirt stores" "$(virsh -q dumpxml dual | grep -cE '<netdev |<lh:netdev ')" 2
ok "the hook still sets it" virsh -q start dual
is "the VF is set" "$(vfget "$PF2" 0 address 2)" '"52:54:00:aa:00:02"'
ok "disable once more" virt-hostdev disable
like "unmanage finds libvirt where it is again" "$(virt-hostdev unmanage --dry-run dual 2>&1)" "loses $vf port 2: MAC"
is "nothing has failed" "$(systemctl --failed --plain --no-legend)" ""
