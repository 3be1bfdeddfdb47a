#!/bin/bash
# cli.sh VIRT-HOSTDEV: the tool at a prompt: exit codes, where messages go and how they begin
# SPDX-License-Identifier: LGPL-2.1-or-later
set -euo pipefail
tool=$(realpath "$1") n=0 bad=0
cd "$(dirname "$0")/genericxml2xmlin"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# expect TEXT CODE STDERR-PATTERN STDOUT-PATTERN ARGS...: patterns are extended regular expressions, ^$ for nothing
expect() {
  local text=$1 want=$2 err=$3 out=$4 code=0
  shift 4
  n=$((n + 1))
  "$tool" "$@" > "$work/out" 2> "$work/err" < "${input:-/dev/null}" || code=$?
  if [ "$code" = "$want" ] && grep -qE -- "$err" <<< "$(cat "$work/err")" && grep -qE -- "$out" <<< "$(cat "$work/out")"; then
    echo "ok $n - $text"
  else
    echo "not ok $n - $text: exit code $code, $(head -c 500 "$work/err" "$work/out")"
    bad=1
  fi
}

expect "no command" 2 'a command is missing' '^$'
expect "an unknown command" 2 "unknown command 'fly'" '^$' fly
expect "an unknown option" 2 'Unknown option --fly' '^$' list --fly
expect "too few arguments" 2 'usage: virt-hostdev convert' '^$' convert --to=stock
expect "too many arguments" 2 'usage: virt-hostdev dumpxml' '^$' dumpxml a b
expect "convert to what?" 2 'give --to=stock or --to=netdev' '^$' convert --to=html x.xml
expect "help" 0 '^$' 'Commands:' --help
expect "help of a command" 0 '^$' 'virt-hostdev plan' plan --help
expect "version" 0 '^$' '^virt-hostdev [0-9.]+$' --version
expect "a file that is not there" 1 "^virt-hostdev: error: Cannot read 'none.xml': No such file" '^$' validate none.xml
expect "a directory" 1 "^virt-hostdev: error: Cannot read '\.': Is a directory" '^$' validate .
expect "a libvirt that is not there" 1 '^virt-hostdev: error: Cannot connect to libvirt: ' '^$' -c qemu+unix:///system?socket=/nowhere dumpxml x
expect "not an address" 1 'Nothing is recorded|is not a PCI address' '^$' --root "$work" restore fly
expect "nothing to restore" 0 '^$' '^$' --root "$work" restore
expect "nothing to release" 1 "'me' has no VFs" '^$' --root "$work" release me
expect "an empty host has no status" 0 '^$' '^$' --root "$work" status
expect "an empty host in JSON" 0 '^$' '"status"' --root "$work" --json status
expect "an empty host has no PFs" 0 '^$' '"pfs"' --root "$work" list --json
expect "an empty picture" 0 '^$' '^digraph host' --root "$work" list --dot

for name in '' $'a\001b' $'\xff' "$(printf 'x%.0s' {1..256})"; do
  expect "an owner's name that cannot be typed again" 1 'printable text|Invalid byte sequence' '^$' --root "$work" apply --owner "$name" layout-one-line.xml
done

# Every document that is refused: its line, its reason, exit code 1, and nothing on stdout.
for expected in *.err; do
  name=${expected%.err}
  expect "$name" 1 "^$name\.xml:[0-9]+: " '^$' convert --to=stock "$name.xml"
  [ "$(cat "$work/err")" = "$(cat "$expected")" ] || { echo "# $name: other words than in $expected"; bad=1; }
done
input=bad-mac-zero.xml expect "standard input has a name too" 1 '^stdin:[0-9]+: ' '^$' convert --to=stock -

# 4 MiB are read, one byte more is named.
head -c 4194305 /dev/zero | tr '\0' ' ' > "$work/large.xml"
expect "a document of more than 4 MiB" 1 'large.xml.*4194304' '^$' validate "$work/large.xml"

n=$((n + 1))
if "$tool" --help > /dev/full 2> "$work/err"; then echo "not ok $n - a full disk"; bad=1; else echo "ok $n - a full disk"; fi
echo "1..$n"
exit $bad
