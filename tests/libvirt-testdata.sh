#!/bin/bash
# libvirt-testdata.sh BUILD: every XML file of libvirt's own tests through ours and back, and past libvirt's parser;
# and what expat sees in each, against libxml2
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The files come from the source package of the distribution's libvirt, fetched with apt from where this machine
# gets its packages. apt's own state and configuration are not touched: it works in a directory of its own.
set -euo pipefail
cache=${XDG_CACHE_HOME:-$HOME/.cache}/libvirt-hostdev-testdata
build=$(realpath "${1:-build}")

fail() {
  echo "libvirt-testdata: $*" >&2
  echo "0 passed, 1 failed, 0 skipped"
  exit 1
}

# The machine's package sources, turned into sources of source packages.
derive() {
  local dir=$1 file
  for file in /etc/apt/sources.list.d/*.sources; do
    [ -e "$file" ] || continue
    sed 's/^Types:.*/Types: deb-src/I' "$file" > "$dir/$(basename "$file")"
  done
  for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
    [ -e "$file" ] || continue
    sed -n 's/^deb\(-src\)\?[[:blank:]]/deb-src /p' "$file" | sort -u > "$dir/$(basename "$file" .list).list"
  done
}

fetch() {
  local work=$1
  mkdir -p "$work"/{parts,state/lists/partial,cache/archives/partial,unpacked}
  derive "$work/parts"
  local options=(-q -o Dir::Etc::sourcelist=/dev/null -o "Dir::Etc::sourceparts=$work/parts"
    -o "Dir::State=$work/state" -o Dir::State::status=/var/lib/dpkg/status -o "Dir::Cache=$work/cache"
    -o "APT::Sandbox::User=$(id -un)")
  # A third party's repository without source packages is no reason to stop.
  apt-get "${options[@]}" update || :
  (cd "$work" && apt-get "${options[@]}" source --download-only libvirt)
  tar -xf "$work"/libvirt_*.orig.tar.[gx]z -C "$work/unpacked" --wildcards --strip-components=1 '*/tests/*.xml'
}

if [ ! -d "$cache/tests" ]; then
  mkdir -p "$cache"
  work=$(mktemp -d "$cache/fetch.XXXXXX")
  trap 'rm -rf "$work"' EXIT
  fetch "$work" > "$work/log" 2>&1 || { tail -n 20 "$work/log" >&2; fail "cannot fetch libvirt's source package"; }
  mv -T "$work/unpacked/tests" "$cache/tests" || [ -d "$cache/tests" ]
fi
find "$cache/tests" -name '*.xml' | LC_ALL=C sort > "$cache/files"
"$build/tests/xmlparserstest" "$cache/files" > "$cache/parsers" && parsers=0 || parsers=1
if [ "$parsers" = 0 ]; then tail -n 1 "$cache/parsers"; else cat "$cache/parsers"; fi
code=0
"$build/tests/testdatatest" "$cache/files" || code=$?
[ "$code" = 0 ] || [ "$code" = 1 ] || fail "testdatatest ended with $code"
[ "$code" != 0 ] || exit "$parsers"
exit "$code"
