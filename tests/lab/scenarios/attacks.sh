# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# suites: trixie
# The attacks of docs/threat-model.rst that take a real VF, a guest that has it, and users: none of them may change what
# the guest has.
# init: systemd
. /lab/guest/lib.sh

as() { local user=$1; shift; runuser -u "$user" -- "$@"; }
hook=/etc/libvirt/hooks/qemu.d/50-virt-hostdev
records=/run/libvirt-hostdev
dualport_up "$PF2" 2
vf=$(vfaddr "$PF2" 0) free=$(vfaddr "$PF2" 1)
before=$(snapshot_vfs)
systemctl stop "$LIBVIRTD.service"
ok "enable" virt-hostdev enable
device() { hostdev "$1" "$(netdev_xml 1 52:54:00:"$2":00:01 42)$(netdev_xml 2 52:54:00:"$2":00:02 43)"; }
domain victim "$(device "$vf" aa)" > victim.xml
domain thief "" > thief.xml
device "$vf" bb > theirs.xml
ok "the victim runs" virsh -q create victim.xml
ok "the thief runs" virsh -q create thief.xml
running=$(snapshot_vfs)
uuid=$(virsh -q domuuid victim) other=$(virsh -q domuuid thief)
remembered() { find "$records" -type f ! -name '*.lock' -exec md5sum {} + | sort; }
held=$(remembered)
unharmed() {
  is "$1: no VF has changed" "$(snapshot_vfs)" "$running"
  is "$1: no record has" "$(remembered)" "$held"
}
# What libvirt would give to the hook for a domain of that name and UUID that has the victim's VF.
forged() { domain "$1" "$(device "$vf" bb)" | sed "s|<uuid>.*</uuid>||; s|</name>|</name><uuid>$2</uuid>|"; }
mkdir -p /tmp/forged; chmod 755 /tmp/forged
forged victim "$uuid" > /tmp/forged/victim.xml
forged thief "$other" > /tmp/forged/thief.xml
forged nobody 11111111-2222-3333-4444-555555555555 > /tmp/forged/nobody.xml
device "$free" cc > /tmp/forged/free.xml
cp theirs.xml /tmp/forged/
chmod 644 /tmp/forged/*
by_hand() { bash -c "$hook $1 $2 $3 - < /tmp/forged/$1.xml"; }
export -f by_hand; export hook

step "the hook by hand"
for call in "prepare begin" "stopped end" "release end"; do
  not_ok "a stranger runs the hook: $call" "Permission denied|cannot be trusted|Only root" as stranger bash -c "by_hand victim $call"
done
not_ok "a stranger applies" "Permission denied|cannot be trusted|Only root" as stranger virt-hostdev apply --owner me /tmp/forged/free.xml
not_ok "a stranger releases" "Permission denied|cannot be trusted|Only root" as stranger virt-hostdev release victim
unharmed "a stranger"
not_ok "root runs the hook with another domain's VF" "in use by domain 'victim'" by_hand thief prepare begin
not_ok "and under a name that nobody has" "in use by domain 'victim'" by_hand nobody prepare begin
ok "root ends a domain that has nothing" by_hand thief stopped end
ok "and one that there is not" by_hand nobody release end
unharmed "root"

step "by libvirt"
for user in member root; do
  not_ok "$user: another domain's VF is plugged in" "in use by domain 'victim'|in use by process|already in use" \
    as $user virsh -c qemu:///system attach-device thief /tmp/forged/theirs.xml --live
done
# shellcheck disable=SC2153   # lib.sh has it
stock="qemu+unix:///system?socket=$STOCK/$SOCKET"
ok "metadata by hand, past the daemon, that names the victim's VF" virsh -q -c "$stock" metadata thief --live \
  --uri urn:libvirt-hostdev:1 --key lh --set "<hostdevs><hostdev><source><address domain='0x${vf:0:4}' bus='0x${vf:5:2}' slot='0x${vf:8:2}' function='0x${vf:11:1}'/></source><netdev port='1'><mac address='52:54:00:bb:00:01'/></netdev></hostdev></hostdevs>"
not_ok "an attach after it" "in use by domain 'victim'|in use by process|already in use" virsh attach-device thief theirs.xml --live
not_ok "an update after it" "." virsh update-device thief theirs.xml --live
is "it is dropped" "$(virsh -q -c "$stock" dumpxml thief | grep -c lh: || true)" 0
virsh -q dumpxml thief > thief-now.xml
sed "s|</devices>|$(tr -d '\n' < theirs.xml)</devices>|" thief-now.xml > thief-more.xml
not_ok "a saved guest that gets the VF by its image's XML" "." virsh save thief /run/thief.save --xml thief-more.xml
virsh -q domstate thief | grep -q running || ok "the thief again" virsh -q restore /run/thief.save
unharmed "libvirt"

step "a client takes its filter's socket to the broker"
cat > /tmp/forged/take.py <<'P'
import ctypes, os, socket, struct, sys, time
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
time.sleep(2)
mine = [int(p) for p in os.listdir("/proc") if p.isdigit() and os.path.exists("/proc/%s/comm" % p)
        and open("/proc/%s/comm" % p).read().startswith("virt-hostdev-fi") and os.stat("/proc/%s" % p).st_uid in (0, os.getuid())]
libc = ctypes.CDLL(None, use_errno=True)
print("filters", len(mine) > 0)
for pid in mine:
    fd = libc.syscall(434, pid, 0)                         # pidfd_open
    print("taken", [n for n in range(3, 8) if libc.syscall(438, fd, n, 0) >= 0])   # pidfd_getfd
    print("attached", libc.ptrace(16, pid, 0, 0) == 0)
    for name in ("fd", "mem", "environ", "maps"):
        try:
            print(name, bool(os.listdir("/proc/%d/fd" % pid) if name == "fd" else open("/proc/%d/%s" % (pid, name), "rb").read(1)))
        except OSError as error:
            print(name, error.strerror)
P
said=$(as member python3 /tmp/forged/take.py "/run/libvirt/$SOCKET" 2>&1)
like "it finds the filter" "$said" "^filters True"
is "and gets nothing of it" "$(grep -E 'taken \[.+\]|True' <<< "$said" | grep -v '^filters' || true)" ""

step "a link in the place of a record"
echo "not to be touched" > /run/elsewhere
ln -s /run/elsewhere "$records/$free"
not_ok "plugging in is refused" "symbolic links" virsh attach-device thief /tmp/forged/free.xml --live
is "what it led to is as it was" "$(cat /run/elsewhere)" "not to be touched"
rm "$records/$free"
unharmed "a link"
chmod 777 "$records"
not_ok "a directory that others can write to is refused" "cannot be trusted" virsh attach-device thief /tmp/forged/free.xml --live
chmod 700 "$records"
unharmed "a directory"

step "and the end"
for name in victim thief; do ok "destroy '$name'" virsh -q destroy "$name"; done
same() { [[ $(snapshot_vfs) = "$before" ]]; }
ok "everything is as before" waitfor 20 same
ok "disable" virt-hostdev disable
