# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# suites: trixie
# The lab itself, where systemd is PID 1: units, sockets, the journal and polkit are the real ones.
# init: systemd
. /lab/guest/lib.sh
. /lab/guest/vdpas.sh

step "systemd"
is "it is PID 1" "$(cat /proc/1/comm)" systemd
is "it has booted and no unit has failed" "$(systemctl is-system-running --wait || systemctl --failed --plain --no-legend)" running
is "no udev" "$(systemctl is-active systemd-udevd.service || true)" inactive
is "the lab's jobs run in a unit" "$(ps -o unit= $$)" lab.service

step "the stock daemon comes when its socket is called"
systemctl stop "$LIBVIRTD.service" 2> /dev/null      # our installation has asked it
is "the socket is there, the daemon is not" "$(systemctl is-active "$LIBVIRTD".{socket,service} || true)" $'active\ninactive'
ok "virsh reaches it" virsh -q version --daemon
is "now it runs" "$(systemctl is-active "$LIBVIRTD.service")" active
ok "it is stopped" libvirt_stop
ok "and comes again" virsh -q uri
old=$(pidof -s "$LIBVIRTD")
ok "it is killed" libvirt_kill9
ok "and comes again" virsh -q uri
ok "as another process" test "$(pidof -s "$LIBVIRTD")" != "$old"

step "the journal"
printf '%s\n' "MESSAGE=a message with a field" LAB_FIELD=42 | logger --journald
is "it keeps fields" "$(journalctl -q -o json LAB_FIELD=42 | jq -r .MESSAGE)" "a message with a field"
like "it knows the daemon" "$(journalctl -q -o json -u "$LIBVIRTD" | jq -r ._COMM | sort -u)" "^$LIBVIRTD$"

step "polkit decides who may call libvirt"
as() { local user=$1; shift; runuser -u "$user" -- "$@"; }
may() { as "$1" bash -c 'pkcheck --action-id org.libvirt.unix.manage --process $$'; }
like "it is on the bus" "$(busctl --system call org.freedesktop.PolicyKit1 /org/freedesktop/PolicyKit1/Authority \
  org.freedesktop.PolicyKit1.Authority EnumerateActions s '' | tr ' ' '\n')" '^"org.libvirt.unix.manage"$'
ok "pkcheck lets a member of the group libvirt" may member
not_ok "and not a stranger" 'requires authentication' may stranger
ok "so does libvirt let a member" as member virsh -q -c qemu:///system list
not_ok "and not a stranger" 'authentication unavailable' as stranger virsh -q -c qemu:///system list
ok "who may look" as stranger virsh -q -r -c qemu:///system list

step "AppArmor confines the stock daemon"
is "its profile is enforced" "$(cat "/proc/$(pidof -s "$LIBVIRTD")/attr/current")" "libvirtd (enforce)"
hook=/etc/libvirt/hooks/qemu.d/50-virt-hostdev
validated() { { virt-hostdev host-validate 2>&1 || true; } | grep "Checking for libvirt's daemon $1"; }
# shellcheck disable=SC2317 # for ok
run_as_said() { said=${said##* Run: }; bash -c "${said%)}"; }
like "it may execute the hook" "$(validated 'being allowed')" PASS
cp /usr/sbin/virt-hostdev-hook /usr/libexec/lab-hook
ln -sfn /usr/libexec/lab-hook "$hook"
domain confined "" > confined.xml
not_ok "a hook outside of the folders that it names keeps every domain from starting" "$hook: Permission denied" virsh -q create confined.xml
like "the denial is found" "$(denied)" 'operation="exec".*profile="libvirtd".*name="/usr/libexec/lab-hook"'
said=$(validated 'being allowed')
like "host-validate finds it" "$said" "FAIL .*profile 'libvirtd' does not let it execute /usr/libexec/lab-hook"
ok "what it says to run helps" run_as_said
like "it may execute the hook again" "$(validated 'being allowed')" PASS
denied > /dev/null                       # it was found by trying
like "it has noticed the hooks" "$(validated 'having noticed')" PASS
touch -h /etc/libvirt/hooks/qemu.d/*
said=$(validated 'having noticed')
like "and is where no hook is older than the daemon" "$said" "WARN .* Run: systemctl reload $LIBVIRTD"
ok "what it says to run helps" run_as_said
like "then it has noticed" "$(validated 'having noticed')" PASS
rm /usr/libexec/lab-hook

step "the hook's way out and in"
ok "out" virt-hostdev disable --hook
not_ok "there is no link" '' test -L "$hook"
ok "a domain starts without it" virsh -q create confined.xml
ok "and ends" virsh -q destroy confined
ok "in: it is tried under the profile first" virt-hostdev enable --hook
is "there is a link" "$(readlink "$hook")" /usr/sbin/virt-hostdev-hook
like "the daemon has noticed it" "$(validated 'having noticed')" PASS
ok "a domain starts with it" virsh -q create confined.xml
ok "and ends" virsh -q destroy confined

step "a guest with a VF"
igb_up "$PF1" 1
vf=$(vfaddr "$PF1" 0)
domain unit "$(hostdev "$vf")" > unit.xml
ok "the domain starts" virsh -q create unit.xml
is "VFIO has the VF" "$(driver "$vf")" vfio-pci
like "systemd knows the guest" "$(systemctl list-units --plain --no-legend 'machine-*')" '^machine-qemu.*unit.scope'
ok "libvirt restarts under the guest" libvirt_restart
is "the guest runs" "$(virsh domstate unit | head -n 1)" running
ok "the domain is destroyed" virsh -q destroy unit
host_has_it() { [[ $(driver "$vf") = igbvf ]]; }
ok "the VF is the host's again" waitfor 10 host_has_it

step "a guest with a vDPA device, whose profile lets it use that: with SIDES=all, it does"
vdpas_up
domain vdpa "$(vdpa_nic one 52:54:00:aa:01:01)" boot > vdpa.xml
rule=/etc/apparmor.d/abstractions/libvirt-qemu.d/libvirt-hostdev
said=$(virt-hostdev host-validate 2>&1 || true)
like "host-validate finds the rule" "$said" 'AppArmor letting guests use vDPA devices *: .*PASS'
mv "$rule" rule
like "and misses it" "$(virt-hostdev host-validate 2>&1 || true)" 'vDPA devices *: .*WARN .*no rule for /dev/vhost-vdpa-'
own=/etc/apparmor.d/local/abstractions/libvirt-qemu
mkdir -p "${own%/*}"; [[ ! -e $own ]] || mv "$own" own
echo '  /dev/vhost-vdpa-[0-9]* rw,' > "$own"
like "it finds one in a file that has nothing else" "$(virt-hostdev host-validate 2>&1 || true)" 'vDPA devices *: .*PASS'
rm "$own"; [[ ! -e own ]] || mv own "$own"
mv rule "$rule"
if [[ ${SIDES:-} = all ]]; then
  ok "the domain starts" virt-hostdev create vdpa.xml
  like "its frames come back" "$(l2_wait vdpa '^L2LOOP eth0')" 'L2LOOP eth0 2$'
  ok "the domain is destroyed" virsh -q destroy vdpa
  is "and the device is gone" "$(vdpa dev show)" ""
fi
