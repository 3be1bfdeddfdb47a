#!/bin/bash
# install.sh BUILD: what "meson install" leaves in libvirt's hooks folder can be executed by a libvirtd that AppArmor
# confines, wherever the programs go. That its profile is as said here is for lab/scenarios/systemd.sh to find out.
# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck disable=SC2317 # functions that are passed to say
set -euo pipefail
build=$1 source=$(dirname "$0")/.. bad=0 n=0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
allowed='^(/usr)?/s?bin/[^/]*$'                    # the target of a link counts

say() { # TEXT COMMAND...
  local text=$1 verdict=ok
  shift
  n=$((n + 1))
  "$@" > "$work/out" 2>&1 || { verdict="not ok" bad=1; sed 's/^/# /' "$work/out"; }
  echo "$verdict $n - $text"
}
fails() { ! "$@"; }
link_of() { find "$1/etc" -name 50-virt-hostdev -printf '%l\n'; }

DESTDIR=$work/dest meson install -C "$build" --no-rebuild --quiet > "$work/install.log"
target=$(link_of "$work/dest")
say "the link leads where libvirtd may execute" grep -E "$allowed" <<< "$target"
say "and the program is there" test -x "$work/dest$target"
where=$(readelf -d "$work/dest$target" | sed -n 's/.*RUNPATH.*\[\(.*\)\]/\1/p')
say "and so is what it loads" test -f "$work/dest$where/libvirthostdevhook.so"
say "no hook of VDSM's unless it is asked for" test ! -e "$work/dest/usr/libexec/vdsm"

# Programs that are not this project's find libvirt's schema by the catalog, beside it below one share/.
schemas=$(dirname "$(find "$work/dest" -name domaincommon.rng)")
mkdir -p "$schemas/../../libvirt"
ln -s /usr/share/libvirt/schemas "$schemas/../../libvirt/schemas"
say "the schema is found by the catalog" env XML_CATALOG_FILES="$schemas/catalog.xml" xmllint -noout -relaxng \
  "$schemas/domaincommon.rng" "$source/tests/genericxml2xmlin/netdev/all-attributes.xml"

# configured NAME OPTION...: a build directory; where the link would go is in "plan"
configured() {
  local name=$1
  shift
  meson setup "$work/$name" "$source" "$@" > "$work/$name.log" 2>&1 || { cat "$work/$name.log"; exit 1; }
  meson introspect "$work/$name" --installed > "$work/plan"
}
configured merged --prefix=/usr -Dsbindir=bin -Dvdsm=true
say "a link where sbin and bin are one" grep 50-virt-hostdev "$work/plan"
say "VDSM's hook where VDSM looks" grep '/usr/libexec/vdsm/hooks/before_[a-z_]*/50_hostdev_netdev' "$work/plan" # one of three: the plan is by source
configured local --prefix=/usr/local
say "no link to a place that the profile does not name" fails grep 50-virt-hostdev "$work/plan"
say "which is said" grep 'WARNING: no hook is installed in' "$work/local.log"
say "with what to do" grep 'ln -s /usr/local/sbin/virt-hostdev-hook /etc/libvirt/hooks/qemu.d/50-virt-hostdev' "$work/local.log"
echo "1..$n"
exit $bad
