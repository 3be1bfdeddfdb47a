#!/bin/bash
# hook.sh VIRT-HOSTDEV-HOOK: the hook as libvirt runs it, a process with arguments and a document on stdin. What it
# does to a VF is the lab's to prove; here: what it lets through, what it refuses, and that stdout stays empty.
# SPDX-License-Identifier: LGPL-2.1-or-later
set -euo pipefail
hook=$1 bad=0 n=0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

uuid=11111111-2222-3333-4444-555555555555
plain="<domain type='qemu'><name>vm</name><uuid>$uuid</uuid><devices/></domain>"
hostdev="<hostdev mode='subsystem' type='pci' managed='yes'><source><address domain='0xfffe' bus='0xff' slot='0x1f' function='0x7'/></source>"
ours="<domain type='qemu'><name>vm</name><uuid>$uuid</uuid><devices>$hostdev<netdev port='1'/></hostdev></devices></domain>"

# expect CODE PATTERN INPUT ARGS...: exit code, stderr, and an empty stdout
expect() {
  local want=$1 pattern=$2 input=$3
  shift 3
  printf '%s' "$input" > "$work/in" # no pipe: where there is nothing to do, the hook does not read
  run "$want" "$pattern" "$@"
}
# run CODE PATTERN ARGS...: the same, with what is in the file
run() {
  local code=0 want=$1 pattern=$2
  shift 2
  n=$((n + 1))
  "$hook" "$@" < "$work/in" > "$work/out" 2> "$work/err" || code=$?
  if [ "$code" = "$want" ] && [ ! -s "$work/out" ] && grep -qE -- "$pattern" <(cat "$work/err"; echo .); then
    echo "ok $n - $* -> $want"
  else
    echo "not ok $n - $* -> $code: $(cat "$work/err" "$work/out")"
    bad=1
  fi
}
expect 2 'usage' '' vm
n=$((n + 1))
libraries=$(readelf -d "$hook" | sed -n 's/.*NEEDED.*\[\(lib.*\)\.so.*/\1/p' | grep -vxE 'lib(c|dl|asan|ubsan|tsan|gcc_s|m)' || :)
if [ -z "$libraries" ]; then echo "ok $n - it needs libc alone"; else echo "not ok $n - it needs $libraries"; bad=1; fi
expect 0 '^\.$' "$plain" vm prepare begin -
expect 0 '^\.$' '' vm prepare begin -
expect 1 'fffe:ff:1f.7' "$ours" vm prepare begin -
expect 1 'port' "${ours/port=?1?/port=\'0\'}" vm prepare begin -
expect 1 'uuid' "${ours/<uuid>$uuid<\/uuid>/}" vm prepare begin -
expect 1 'line 1' '<domain><netdev' vm prepare begin -
expect 0 '^\.$' "$ours" vm start begin -
expect 0 '^\.$' "$ours" vm started begin -
# interface TYPE SOURCE: what libvirt shows of an interface from a network, of whose VF port 2 is set
interface() {
  echo "<domain type='qemu'><name>vm</name><uuid>$uuid</uuid><metadata><lh:hostdevs xmlns:lh='urn:libvirt-hostdev:1'><lh:hostdev><lh:source><lh:mac address='52:54:00:01:02:03'/></lh:source><lh:netdev port='2' spoofCheck='no'/></lh:hostdev></lh:hostdevs></metadata><devices><interface type='$1'><mac address='52:54:00:01:02:03'/><source $2</interface></devices></domain>"
}
expect 0 '^\.$' "$(interface network "network='pool'/>")" vm prepare begin -
expect 1 "52:54:00:01:02:03 has netdevs, but its network gives it no VF" "$(interface bridge "bridge='br0'/>")" vm start begin -
expect 1 "<interface type='network'>.*fffe:ff:1f.7" "$(interface hostdev "><address type='pci' domain='0xfffe' bus='0xff' slot='0x1f' function='0x7'/></source>")" vm start begin -
expect 0 '^\.$' "$(interface network "network='pool'/>")" vm stopped end -
expect 0 '^\.$' "$ours" vm migrate begin -
expect 0 '^\.$' "$ours" vm restore begin -
expect 0 '^\.$' "$plain" vm stopped end -
expect 0 '^\.$' "$ours" vm stopped end -
expect 0 '^\.$' "not XML at all netdev" vm stopped end -
expect 0 '^\.$' "$ours" vm release end destroyed
expect 0 'not recorded' "$ours" vm reconnect begin -
expect 0 '.' '<domain><netdev' vm reconnect begin -
expect 0 '^\.$' '' vm reconnect begin -
# libvirt escapes and indents what it has taken: it hands us more than anybody could hand to it.
# long BYTES REST: a domain of so many bytes that ends with the rest
long() {
  local start="<domain type='mshv'><name>vm</name><uuid>$uuid</uuid>"
  { printf '%s' "$start"; head -c $(($1 - ${#start} - ${#2})) /dev/zero | tr '\0' ' '; printf '%s' "$2"; } > "$work/in"
}
long 5000000 "${ours#*</uuid>}"
run 1 'fffe:ff:1f.7' vm prepare begin -
run 0 'not recorded' vm reconnect begin -
# One byte more than the bound is no domain without netdevs.
bound=$((32 * 1024 * 1024))
long "$bound" "${plain#*</uuid>}"
run 0 '^\.$' vm prepare begin -
long $((bound + 1)) "${plain#*</uuid>}"
run 1 "has more than $bound bytes, so it is unknown whether it has netdevs" vm prepare begin -
run 0 '^\.$' vm stopped end -
run 0 '^\.$' vm release end destroyed
run 0 "takes at most $bound" vm reconnect begin -
echo "1..$n"
exit $bad
