#!/bin/bash
# cli.sh VIRT-HOSTDEV: the tool at a prompt: exit codes, where messages go and how they begin
# SPDX-License-Identifier: LGPL-2.1-or-later
set -euo pipefail
tool=$(realpath "$1") n=0 bad=0
cd "$(dirname "$0")/genericxml2xmlin"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# says FILE PATTERN: does a line of it match?
says() {
  if [ "$2" = '^$' ]; then
    [ ! -s "$1" ]
  else
    grep -qE -- "$2" "$1"
  fi
}

# expect TEXT CODE STDERR-PATTERN STDOUT-PATTERN ARGS...: patterns are extended regular expressions, ^$ for nothing
expect() {
  local text=$1 want=$2 err=$3 out=$4 code=0
  shift 4
  n=$((n + 1))
  "$tool" "$@" > "$work/out" 2> "$work/err" < "${input:-/dev/null}" || code=$?
  if [ "$code" = "$want" ] && says "$work/err" "$err" && says "$work/out" "$out"; then
    echo "ok $n - $text"
  else
    echo "not ok $n - $text: exit code $code, $(head -c 500 "$work/err" "$work/out")"
    bad=1
  fi
}

# same NAME-AND-ARGS NAME-AND-ARGS OPTIONS...: both have the same exit code and print the same
same() {
  local words=("$1" "$2") said=() i code
  shift 2
  n=$((n + 1))
  for i in 0 1; do
    code=0
    # shellcheck disable=SC2086 # several words
    said+=("$("$tool" "$@" ${words[i]} 2>&1 < /dev/null)") || code=$?
    said[i]+=" exit code $code"
  done
  if [ "${said[0]}" = "${said[1]}" ]; then
    echo "ok $n - ${words[0]}: as ${words[1]}"
  else
    echo "not ok $n - ${words[0]}: $(diff <(echo "${said[0]}") <(echo "${said[1]}"))"
    bad=1
  fi
}

expect "no command" 0 '^$' '^next +libvirt 9.0 or newer.* Run: systemctl start' --root "$work" -c qemu+unix:///system?socket=/nowhere
expect "the same in JSON" 0 '^$' '"host": "VFs",' --root "$work" -c qemu+unix:///system?socket=/nowhere --json
expect "an unknown command" 2 "unknown command 'fly'" '^$' fly
expect "an unknown option" 2 'Unknown option --fly' '^$' list --fly
expect "too few arguments" 2 'usage: virt-hostdev convert' '^$' convert --to=stock
expect "too many arguments" 2 'usage: virt-hostdev dumpxml' '^$' dumpxml a b
expect "convert to what?" 2 'give --to=stock, --to=netdev or --to=interface' '^$' convert --to=html x.xml
expect "help" 0 '^$' 'Commands:' --help
expect "help of a command" 0 '^$' 'virt-hostdev plan' plan --help
expect "version" 0 '^$' '^virt-hostdev [0-9.]+$' --version
expect "a file that is not there" 1 "^virt-hostdev: error: Cannot read 'none.xml': No such file" '^$' validate none.xml
expect "a directory" 1 "^virt-hostdev: error: Cannot read '\.': Is a directory" '^$' validate .
expect "a libvirt that is not there" 1 '^virt-hostdev: error: Cannot connect to libvirt: ' '^$' -c qemu+unix:///system?socket=/nowhere dumpxml x
expect "not an address" 1 'has no record|is not a PCI address' '^$' --root "$work" recover fly
expect "nothing to recover" 0 '^$' '^$' --root "$work" recover
install -d "$work/damaged" "$work/damaged/run"
install -d -m 0700 "$work/damaged/run/libvirt-hostdev"
install -m 0600 /dev/stdin "$work/damaged/run/libvirt-hostdev/0000:06:02.0" <<< "<hostdev"
expect "recover of a VF whose record is damaged" 1 'virt-hostdev: error: .*/run/libvirt-hostdev/0000:06:02\.0' '^$' \
  --root "$work/damaged" recover 0000:06:02.0
expect "and of another" 1 '0000:06:02\.1 has no record' '^$' --root "$work/damaged" recover 0000:06:02.1
expect "forget all?" 1 'With --forget, name the VFs' '^$' --root "$work" recover --forget
left=$work/left/run/libvirt-hostdev
install -d "$work/left" "$work/left/run"
install -d -m 0700 "$left"
install -m 0600 /dev/stdin "$left/0000:06:02.0" << 'X'
<hostdev phase='restoring'>
  <owner name='gone' uuid='11111111-2222-3333-4444-555555555555'/>
  <source><address domain='0x0000' bus='0x06' slot='0x02' function='0x0'/></source>
  <pf index='0'><address domain='0x0000' bus='0x06' slot='0x00' function='0x0'/></pf>
  <before><netdev port='1'><mac address='00:00:00:00:00:00'/></netdev></before>
  <wanted><netdev port='1'><mac address='52:54:00:01:02:03'/></netdev></wanted>
</hostdev>
X
cp "$left/0000:06:02.0" "$work/kept"
expect "what cannot be put back is forgotten" 0 '^$' '^0000:06:02\.0 forgotten' --root "$work/left" -c qemu+unix:///system?socket=/nowhere recover --forget 0000:06:02.0
expect "and is no longer known" 1 '0000:06:02\.0 has no record' '^$' --root "$work/left" recover 0000:06:02.0
sed "s/ uuid='[^']*'//" "$work/kept" | install -m 0600 /dev/stdin "$left/0000:06:02.0"
expect "what its owner has is not" 0 '^$' "left alone: 'gone' still has it" --root "$work/left" recover --forget 0000:06:02.0
# On a terminal: colours, and how far it has got.
# shown TEXT PATTERN COMMAND: what it prints there
shown() {
  n=$((n + 1))
  if TERM=xterm script -qec "$3" /dev/null < /dev/null > "$work/shown" 2>&1; grep -qE -- "$2" "$work/shown"; then
    echo "ok $n - $1"
  else
    echo "not ok $n - $1: $(head -c 500 "$work/shown" | cat -v)"
    bad=1
  fi
}
escape=$'\033'
sed 's/slot=.0x02. function=.0x0./slot="0x02" function="0x1"/' "$left/0000:06:02.0" | install -m 0600 /dev/stdin "$left/0000:06:02.1"
shown "a terminal has colours" "$escape\[3[13]m(FAIL|WARN)" "'$tool' --root '$work' host-validate"
shown "not where nobody wants them" ' : (FAIL|WARN)' "NO_COLOR=1 '$tool' --root '$work' host-validate"
shown "nor where they cannot be shown" ' : (FAIL|WARN)' "TERM=dumb '$tool' --root '$work' host-validate"
shown "how far it has got" '2 of 2: 0000:06:02\.1' "'$tool' --root '$work/left' recover"
shown "and it does not stay" "$escape\[K0000:06:02\.1 left alone" "'$tool' --root '$work/left' recover"
shown "nothing of it in a file" '^0000:06:02\.1 left alone' "'$tool' --root '$work/left' recover 2>&1 | cat"
expect "nothing to release" 1 "'me' has no VFs" '^$' --root "$work" release me
expect "a root that is not there" 1 'is not a directory' '^$' --root "$work/nowhere" status
install -d -m 0777 "$work/anybody" "$work/anybody/run"
expect "a root that others can write to" 1 'cannot be trusted: it has owner [0-9]+ and mode 0777' '^$' --root "$work/anybody" recover
expect "an empty host has no status" 0 '^$' '^$' --root "$work" status
expect "an empty host in JSON" 0 '^$' '"status"' --root "$work" --json status
expect "and its counters" 0 '^$' '"changes": 0,' --root "$work" --json status
expect "an empty host has no PFs" 0 '^$' '"pfs"' --root "$work" list --json
expect "and no mediated devices" 0 '^$' '"mdevs"' --root "$work" list --json
expect "and no vGPUs" 0 '^$' '"vgpus"' --root "$work" list --json
expect "and says so" 0 'No PCI device of this host offers SR-IOV' '^$' --root "$work" list
expect "an empty picture" 0 '^$' '^digraph host' --root "$work" list --dot

# A host with one PF, of igb's.
pf=$work/igb/sys/bus/pci/devices/0000:01:00.0
mkdir -p "$pf/net/eth7"
echo 7 > "$pf/sriov_totalvfs"; echo 3 > "$pf/net/eth7/ifindex"; echo 1 > "$pf/net/eth7/type"
ln -s ../../../bus/pci/drivers/igb "$pf/driver"
expect "what a driver can do" 1 'checks failed$' '^VLAN +yes +0000:01:00\.0 +1 +eth7 +igb +igb: VLAN is supported' --root "$work/igb" host-validate
expect "what it cannot" 1 'checks failed$' '^link state +no +0000:01:00\.0 .*igb: link state is not supported' --root "$work/igb" host-validate
expect "the same in JSON" 1 'checks failed$' '"check": "VLAN with 802.1ad",' --root "$work/igb" --json host-validate
expect "the commands that help, at the end" 1 'checks failed$' '^    systemctl start libvirtd.socket$' --root "$work/igb" -c qemu+unix:///system?socket=/nowhere host-validate
expect "checks in JSON" 1 'checks failed$' '"check": "an IOMMU",' --root "$work/igb" --json host-validate

for name in '' $'a\001b' $'\xff' "$(printf 'x%.0s' {1..256})"; do
  expect "an owner's name that cannot be typed again" 1 'printable text|Invalid byte sequence' '^$' --root "$work" apply --owner "$name" layout/layout-one-line.xml
done

# An interface is a device of ours wherever a <hostdev> with <netdev> is; without libvirt there is nobody to leave it to.
source="<source><address type='pci' domain='0x0000' bus='0x06' slot='0x02' function='0x0'/></source>"
echo "<interface type='hostdev' port='2'>$source<vlan><tag id='42'/></vlan></interface>" > "$work/interface.xml"
echo "<interface type='hostdev'>$source<vlan trunk='yes'><tag id='42'/><tag id='43'/></vlan></interface>" > "$work/trunk.xml"
echo "<interface type='hostdev' port='0'>$source</interface>" > "$work/port.xml"
expect "plan of an interface" 1 'A start would fail' '^0000:06:02\.0 ' --root "$work" plan "$work/interface.xml"
expect "apply of an interface" 1 'This host has no PCI device 0000:06:02\.0' '^$' --root "$work" apply --owner me "$work/interface.xml"
expect "plan of one that is libvirt's" 0 '^$' '^$' --root "$work" plan "$work/trunk.xml"
cat > "$work/network.xml" << X
<domain type='qemu'><name>vm</name><devices><interface type='network'><source network='pool'/><netdev port='2'><vlan><tag id='43'/></vlan></netdev></interface></devices></domain>
X
expect "apply of one from a network" 1 "line 1, whose VF libvirt chooses" '^$' --root "$work" apply --owner me "$work/network.xml"
expect "plan of one from a network" 0 '^$' 'vlan +43 +yes, at the VF that libvirt chooses' --root "$work" plan "$work/network.xml"
expect "apply of one that is libvirt's" 1 "trunk\.xml:1: attribute 'trunk' of <vlan> is refused" '^$' --root "$work" apply --owner me "$work/trunk.xml"
expect "an interface that is wrong" 1 "port\.xml:1: port='0' in <interface>" '^$' validate "$work/port.xml"
expect "convert of an interface to netdev" 0 '^$' "^<hostdev .*<netdev port='2'>" convert --to=netdev "$work/interface.xml"
expect "convert of an interface to itself" 0 '^$' "^<interface type='hostdev' port='2'>" convert --to=interface "$work/interface.xml"
expect "convert of a lone interface to stock" 1 'convert the whole domain' '^$' convert --to=stock "$work/interface.xml"
{
  echo "<domain type='test'><name>vm</name><memory>1</memory><os><type>hvm</type></os><devices>"
  cat "$work/port.xml"
  echo "</devices></domain>"
} > "$work/wrong.xml"
sed "s/port='0'/port='2'/" "$work/wrong.xml" > "$work/right.xml"
expect "define with an interface" 0 '^$' "^Domain 'vm' defined from " -c test:///default define "$work/right.xml"
expect "define with one that is wrong" 1 "wrong\.xml:2: port='0' in <interface>" '^$' -c test:///default define "$work/wrong.xml"

# unmanage, on libvirt's test driver, which forgets everything when the tool ends: what was defined is shown by the tests of
# clients. Here: what is said, where, and that one failure does not keep the others.
cat > "$work/node.xml" << 'X'
<node>
  <domain type='test'><name>plain</name><memory>1</memory><os><type>hvm</type></os></domain>
  <domain type='test' xmlns:test='http://libvirt.org/schemas/domain/test/1.0'>
    <test:runstate>5</test:runstate>
    <name>bad</name>
    <metadata><lh:hostdevs xmlns:lh='urn:libvirt-hostdev:1'><lh:fly/></lh:hostdevs></metadata>
    <memory>1</memory><os><type>hvm</type></os>
  </domain>
  <domain type='test'>
    <name>vm</name>
    <metadata>
      <lh:hostdevs xmlns:lh='urn:libvirt-hostdev:1'>
        <lh:hostdev>
          <lh:source><lh:address domain='0x0000' bus='0x06' slot='0x02' function='0x0'/></lh:source>
          <lh:netdev port='2'><lh:vlan><lh:tag id='43'/></lh:vlan></lh:netdev>
        </lh:hostdev>
      </lh:hostdevs>
    </metadata>
    <memory>1</memory><os><type>hvm</type></os>
    <devices>
      <hostdev mode='subsystem' type='pci'>
        <source><address domain='0x0000' bus='0x06' slot='0x02' function='0x0'/></source>
      </hostdev>
    </devices>
  </domain>
</node>
X
unmanage="-c test://$work/node.xml unmanage"
# shellcheck disable=SC2086 # several words
{
  expect "unmanage what?" 2 'the name of one domain, or --all' '^$' $unmanage
  expect "unmanage one and all" 2 'the name of one domain, or --all' '^$' $unmanage vm --all
  expect "unmanage a domain that is not there" 1 "failed to get domain 'none'" '^$' $unmanage none
  expect "unmanage: nothing to do" 0 '^$' "^Domain 'plain' is not managed by libvirt-hostdev$" $unmanage plain
  expect "unmanage: what is lost" 0 "warning: Domain 'vm' is running: " "^Domain 'vm' loses 0000:06:02\.0 port 2: VLAN 43$" $unmanage vm
  expect "unmanage: a dry run" 0 "warning: Domain 'vm' is running: " "^Domain 'vm' would no longer be managed by libvirt-hostdev$" $unmanage --dry-run vm
  expect "unmanage: a failure" 1 "error: Cannot unmanage domain 'bad': .*fly" '^$' $unmanage bad
  expect "unmanage --all goes on past it" 1 "error: Cannot unmanage domain 'bad': .*fly" "^Domain 'vm' is no longer managed by libvirt-hostdev$" $unmanage --all
  expect "unmanage for programs" 1 'bad' '"result": "lost"' $unmanage --all --json
  expect "its words" 0 '' '"unmanage": \[' $unmanage vm --json
  expect "and which was done" 0 '' '"result": "unmanaged"' $unmanage vm --json

  # Old names: the same options and output, the words for programs that they always had, and no place in --help.
  old="-c test://$work/node.xml revert"
  for arguments in "plain" "vm" "--dry-run vm" "bad" "--all" "none" ""; do
    same "revert $arguments" "unmanage $arguments" -c "test://$work/node.xml"
  done
  expect "revert for programs" 0 '' '"revert": \[' $old vm --json
  expect "a dry run of it" 0 '' '"result": "would-revert"' $old --dry-run vm --json
  expect "and what was done" 0 '' '"result": "reverted"' $old vm --json
}
for arguments in "" "--forget" "--forget 0000:06:02.0" "fly" "0000:06:02.0"; do
  same "restore $arguments" "recover $arguments" --root "$work/left"
done
if "$tool" --help | grep -wE 'restore \[|revert|old name'; then
  echo "# --help lists an old name"
  bad=1
fi

# A document that is refused: its line, its reason, exit code 1, and nothing on stdout. One of each folder: genericxml2xmltest
# has all of them.
golden=$PWD
for folder in */; do
  cd "$golden/$folder"
  expected=$(find . -maxdepth 1 -name '*.err' | sort | head -n 1)
  [ -n "$expected" ] || continue
  expected=${expected##*/}
  name=${expected%.err}
  expect "$name" 1 "^$name\.xml:[0-9]+: " '^$' convert --to=stock "$name.xml"
  [ "$(cat "$work/err")" = "$(cat "$expected")" ] || { echo "# $name: other words than in $expected"; bad=1; }
done
cd "$golden"
input=mac/bad-mac-zero.xml expect "standard input has a name too" 1 '^stdin:[0-9]+: ' '^$' convert --to=stock -

# 4 MiB are read, one byte more is named.
head -c 4194305 /dev/zero | tr '\0' ' ' > "$work/large.xml"
expect "a document of more than 4 MiB" 1 'large.xml.*4194304' '^$' validate "$work/large.xml"

n=$((n + 1))
if "$tool" --help > /dev/full 2> "$work/err"; then echo "not ok $n - a full disk"; bad=1; else echo "ok $n - a full disk"; fi
echo "1..$n"
exit $bad
