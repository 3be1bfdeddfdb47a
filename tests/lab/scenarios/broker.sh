# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# suites: trixie
# What the broker does not do for a filter, whatever that filter says: it reads metadata and devices itself.
. /lab/guest/lib.sh

records() { find /run/libvirt-hostdev -type f ! -name '*.lock' -printf '%f ' 2> /dev/null; }
# ask REQUEST...: to the broker, from one filter; the answer to the last one
ask() { printf '%s\n' "$@" | python3 -c '
import socket, sys
s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); f = s.makefile("r")
for line in sys.stdin:
    s.sendall(line.encode()); answer = f.readline()
    if not answer: answer = "closed\n"; break
print(answer.strip())' "/run/libvirt/$SOCKET"; }

dualport_up "$PF2" 3
mine=$(vfaddr "$PF2" 0) other=$(vfaddr "$PF2" 1) free=$(vfaddr "$PF2" 2)
libvirt_up; libvirt_stop; stock_up
install -o root -m 0755 /lab/guest/askbroker.py /etc/libvirt/ # a filter has to be root's
printf '%s\n' "upstream = \"$STOCK/$SOCKET\"" "listen = \"/run/libvirt/$SOCKET\"" 'filter = "/etc/libvirt/askbroker.py"' > /etc/libvirt/virthostdevd.conf
virthostdevd >> "$HOSTDEVD_LOG" 2>&1 &
echo $! > /run/lab-virthostdevd.pid
waitfor 20 test -S "/run/libvirt/$SOCKET"
domain mine "" > mine.xml
domain other "$(hostdev "$other" )" > other.xml
ok "two domains" stock_virsh -q create mine.xml
ok "one with a VF of its own, and no netdevs" stock_virsh -q create other.xml
uuid=$(stock_virsh -q domuuid mine) theirs=$(stock_virsh -q domuuid other)
before=$(snapshot_vfs)

# name ADDRESS: what a client with the domain's rights could write past us
cat > /tmp/name << N
name() {
  virsh -c 'qemu+unix:///system?socket=$STOCK/$SOCKET' -q metadata mine --uri urn:libvirt-hostdev:1 --key lh --live \
    --set "<hostdevs><hostdev><source><address domain='0x0000' bus='0x\${1:5:2}' slot='0x\${1:8:2}' function='0x\${1:11:1}'/></source><netdev port='1'><mac address='52:54:00:00:00:01'/></netdev></hostdev></hostdevs>" > /dev/null
}
N

step "what is refused"
like "prepare without the domain's lock" "$(ask "prepare 1 $uuid pci/$mine")" "^error 1 .*was not begun"
like "a VF that metadata does not name" "$(ask "begin 1 $uuid" "prepare 1 $uuid pci/$mine")" "^error 1 .*metadata says nothing about this device"
bash -c ". /tmp/name; name $other"
like "a VF that metadata names and libvirt has not given to the domain" \
  "$(ask "begin 1 $uuid" "update 1 $uuid pci/$other")" "^error 1 .*metadata says nothing about this device"
like "a lock on a domain that is not there" "$(ask "begin 1 00000000-0000-0000-0000-000000000001" "prepare 2 00000000-0000-0000-0000-000000000001 pci/$mine")" "^error 2 "
like "a change of a VF that somebody else has" "$(ask "begin 1 $theirs" "update 1 $theirs pci/$other")" "^error 1 "
like "an address that is none" "$(ask "begin 1 $uuid" "prepare 1 $uuid pci/0000:zz:00.0")" "^(error|closed)"
like "a PF" "$(ask "begin 1 $uuid" "prepare 1 $uuid pci/$PF2")" "^error 1 "
like "words it does not know" "$(ask "please 1 $uuid")" "^(error|closed)"
is "no VF was touched" "$(snapshot_vfs)" "$before"
is "nothing is remembered" "$(records)" ""

step "metadata that somebody writes between begin and prepare"
# as an honest filter does, on libvirt's own socket: here by hand
between() {
  python3 - "/run/libvirt/$SOCKET" "$uuid" "$1" << 'P'
import socket, subprocess, sys
path, uuid, address = sys.argv[1:]
s = socket.socket(socket.AF_UNIX); s.connect(path); f = s.makefile("r")
def ask(text):
    s.sendall(text.encode() + b"\n"); return f.readline().strip()
ask("begin 1 " + uuid)
subprocess.run(["bash", "-c", ". /tmp/name; name " + address], check=True)
print(ask("prepare 1 %s pci/%s" % (uuid, address)))
print(ask("update 1 %s pci/%s" % (uuid, address)))
print(ask("end 1 " + uuid))
P
}
got=$(between "$other")
like "a VF that another guest has is not prepared" "$(head -n 1 <<< "$got")" "^error 1 .*(in use|open)"
like "nor updated" "$(sed -n 2p <<< "$got")" "^error 1 .*it has no such device"
is "its guest is not disturbed" "$(snapshot_vfs)" "$before"
got=$(between "$free")
is "a free one is prepared" "$(head -n 1 <<< "$got")" "ok 1"
like "but not updated, for libvirt has not attached it" "$(sed -n 2p <<< "$got")" "^error 1 .*it has no such device"
is "and end puts it back" "$(snapshot_vfs)" "$before"
is "with its record" "$(records)" ""
is "and its metadata" "$(stock_virsh -q dumpxml mine | grep -c 'lh:' || true)" 0
