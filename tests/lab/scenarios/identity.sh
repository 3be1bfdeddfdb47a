# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# suites: trixie
# Who may do what is libvirt's to say, and it says the same through virthostdevd as without: members of the group,
# strangers, a polkit rule about one domain. And what a filter may do: what its client may, and less.
# init: systemd
. /lab/guest/lib.sh

as() { local user=$1; shift; runuser -u "$user" -- "$@"; }
stocked="qemu+unix:///system?socket=$STOCK/$SOCKET"
# both TEXT COMMAND...: the same words directly and through the daemon; @URI stands for the connection
both() {
  local text=$1 direct through; shift
  direct=$("${@//@URI/$stocked}" 2>&1) || true
  through=$("${@//@URI/qemu:///system}" 2>&1) || true
  is "$text: the same through the daemon" "$through" "$direct"
}

step "a domain for each, and polkit by domain"
dualport_up "$PF2" 2
vf=$(vfaddr "$PF2" 0)
device() { hostdev "$1" "$(netdev_xml 1 52:54:00:aa:00:01 42)$(netdev_xml 2 52:54:00:aa:00:02 43)"; }
device "$vf" > dual.xml
chmod 644 dual.xml; cp dual.xml /tmp/
echo 'access_drivers = [ "polkit" ]' >> "/etc/libvirt/$LIBVIRTD.conf"
mkdir -p /etc/polkit-1/rules.d
cat > /etc/polkit-1/rules.d/10-lab.rules <<'E2'
polkit.addRule(function(action, subject) {
  if (action.id.indexOf("org.libvirt.api.") != 0 || subject.user != "member")
    return polkit.Result.NOT_HANDLED;
  if (action.id.indexOf("org.libvirt.api.domain.") == 0 && action.lookup("domain_name") == "theirs" &&
      action.id != "org.libvirt.api.domain.getattr" && action.id != "org.libvirt.api.domain.read")
    return polkit.Result.NO;
  return polkit.Result.YES;
});
E2
systemctl restart polkit.service
systemctl stop "$LIBVIRTD.service"
ok "enable" virt-hostdev enable
before=$(snapshot_vfs)
for name in mine theirs; do
  domain $name "" > $name.xml
  ok "root makes '$name'" virsh -q create $name.xml
done

step "strangers"
both "list" as stranger virsh -q -c @URI list
both "attach" as stranger virsh -c @URI attach-device mine /tmp/dual.xml --live
not_ok "which is a refusal" "authentication unavailable|denied" as stranger virsh -q -c qemu:///system list
is "reading, which everyone may: the same through the daemon" \
  "$(as stranger virsh -q -r -c qemu:///system version)" "$(as stranger virsh -q -r -c "$stocked-ro" version)"

step "a member, and a rule about one domain"
ok "may list" as member virsh -q -c qemu:///system list
both "list" as member virsh -q -c @URI list
both "destroying what is not his" as member virsh -c @URI destroy theirs
not_ok "attach to what is not his" "access denied" as member virsh -c qemu:///system attach-device theirs /tmp/dual.xml --live
is "has touched no VF" "$(snapshot_vfs)" "$before"
is "and no metadata" "$(virsh -c "$stocked" -q dumpxml theirs | grep -c lh: || true)" 0
ok "attach to what is his" as member virsh -q -c qemu:///system attach-device mine /tmp/dual.xml --live
is "sets the VF" "$(vfget "$PF2" 0 address 2) $(vfget "$PF2" 0 'vlan_list[0].vlan' 2)" '"52:54:00:aa:00:02" 43'
device "$(vfaddr "$PF2" 1)" > /tmp/theirs.xml
ok "root attaches a VF to what is not his" virsh -q attach-device theirs /tmp/theirs.xml --live
now=$(snapshot_vfs)
sed "s/id='43'/id='99'/" /tmp/theirs.xml > /tmp/update.xml
not_ok "which he may not update" "access denied" as member virsh -c qemu:///system update-device theirs /tmp/update.xml --live
not_ok "nor detach" "access denied" as member virsh -c qemu:///system detach-device theirs /tmp/theirs.xml --live
is "and nothing has changed" "$(snapshot_vfs)" "$now"
is "in metadata either" "$(virsh -q dumpxml theirs | grep -c "id='99'" || true)" 0

step "what a filter may do"
# look USER: the status of the filter of a client of that user that stays
look() {
  local pid
  as "$1" bash -c "sleep 5 | virsh -q -c qemu:///system" > /dev/null 2>&1 &
  waitfor 20 test_filter "$1"
  pid=$(filter_of "$1")
  grep -E '^(Uid|Gid|Groups|Cap...|NoNewPrivs|Seccomp):' "/proc/$pid/status" | tr -s '\t ' ' ' | sed 's/ $//'
  echo "descriptors $(find "/proc/$pid/fd" -mindepth 1 | wc -l)"
  wait $!
}
filter_of() { pgrep -x -u "$1" -n virt-hostdev-fi; }
test_filter() { filter_of "$1"; }
for user in member root; do
  seen=$(look $user)
  is "$user's has no capability" "$(grep -E '^Cap' <<< "$seen" | cut -d' ' -f2 | sort -u)" 0000000000000000
  is "$user's cannot get any" "$(grep -E '^(NoNewPrivs|Seccomp):' <<< "$seen" | tr '\n' ' ')" "NoNewPrivs: 1 Seccomp: 2 "
  id=$(id -u $user) group=$(id -g $user)
  is "$user's is that user" "$(grep -E '^(Uid|Gid):' <<< "$seen" | tr '\n' ' ')" "Uid: $id $id $id $id Gid: $group $group $group $group "
  is "$user's has that user's groups" "$(sed -n 's/^Groups: //p' <<< "$seen" | tr ' ' '\n' | sort -n | tr '\n' ' ')" \
    "$(as $user id -G | tr ' ' '\n' | sort -n | tr '\n' ' ')"
done

step "and the end"
for name in mine theirs; do ok "destroy '$name'" virsh -q destroy $name; done
same() { [[ $(snapshot_vfs) = "$before" ]]; }
ok "everything is as before" waitfor 20 same
ok "disable" virt-hostdev disable
