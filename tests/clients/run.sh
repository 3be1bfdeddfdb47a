#!/bin/bash
# run.sh BUILD [same|netdev|interface|hostile|tool]...: the clients of this folder, against a libvirtd and a virthostdevd
# of their own.
# For the tests' own sake, BUILD "socat" puts socat in the daemon's place, which loses descriptors and does nothing
# about XML; and BUILD "none" nothing at all, so that both ways are one.
# SPDX-License-Identifier: LGPL-2.1-or-later
set -euo pipefail
here=$(dirname "$(realpath "$0")")
# shellcheck source=tests/clients/host.sh
. "$here/host.sh"
build=$1
case $build in
  socat | none) : "${HOST_CACHE:=${TMPDIR:-/tmp}/clients-cache}";;
  *) build=$(realpath "$build"); : "${HOST_CACHE:=$build/clients-cache}";;
esac
export HOST_CACHE
shift
[ $# -gt 0 ] || set -- same netdev interface hostile tool

if [ -z "${HOST_INSIDE:-}" ]; then
  missing=$(host_lacks)
  [ -z "$missing" ] || { echo "1..0 # SKIP $missing is missing"; exit 0; }
fi
host_enter "$(realpath "$0")" "$build" "$@"

host_libvirtd
host_front "$build"
direct=$(host_uri "$HOST_STOCK") through=$(host_uri "$HOST_FRONT")
python=$(host_python)
export TMPDIR=$HOST_WORK # what a client leaves behind goes with the namespaces

clients() {
  local client
  for client; do
    echo "# $client"
    case $client in
      same) set -- "$direct" "$through";;
      netdev | interface) set -- "$through" "$direct";;
      hostile) set -- "$HOST_FRONT";;
      tool) set -- "$through" "$direct" "$build/src/tools/virt-hostdev";;
      *) echo "Bail out! There is no client '$client'."; return 2;;
    esac
    "$python" "$here/$client.py" "$@" || echo "not ok 0 - $client.py ends well"
  done
}
# One TAP document is made of several: the numbers go on counting, and the plan comes at the end.
clients "$@" | awk '
  /^1\.\./ { next }
  /^(not )?ok / { n++; sub(/ok [0-9]+/, "ok " n) }
  /^not ok/ { bad = 1 }
  { print; fflush() }
  END { print "1.." n; exit bad }'
