# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC2034   # the paths below are used by the scripts that source this
# Paths and helpers of the lab's host side. Sourced, never run.
#
# Everything the lab makes lives under $LAB:
#   build/           a Debian 13 tree with compilers and the kernel's source
#   kernel/          L1's kernel: vmlinuz, lib/modules, release
#   initrd-l1.img    L1's initramfs
#   l2/              the tiny kernel and initramfs of the guests that L1 starts
#   SUITE/root       L1's root file system; trixie's also lends its QEMU to L0
#   virtqemud/       what modular's root has beside trixie's files
#   nova/            OpenStack Nova's Python modules, which trixie's L1 may mount
#   clients/         a Debian 13 with clients of libvirt, which L1 may mount; made for the scenarios that want it
#   MACHINE/share    /lab inside L1; MACHINE is SUITE, SUITE-twin or SUITE-systemd
#   MACHINE/run      pids, pipes and console of the running L1
set -euo pipefail

HERE=$(dirname "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")")
export LAB=${LAB:-${XDG_CACHE_HOME:-$HOME/.cache}/libvirt-hostdev-lab}
export LAB_SUITE=${LAB_SUITE:-trixie}
export LC_ALL=C DEBIAN_FRONTEND=noninteractive

SUITES=(trixie bookworm sid modular)
INITS=(plain twin systemd) # twin: plain once more, so that two machines can share the scenarios (LAB_QUEUE)
BASE=$LAB/trixie/root
TREE=$LAB/build
KERNEL=$LAB/kernel
ROOT=$LAB/$LAB_SUITE/root
DOCS=$HERE/../../docs

# machine SUITE INIT: its name. Those of a suite share a root and nothing else, so all may be up at a time.
machine() { case $2 in plain) echo "$1";; *) echo "$1-$2";; esac; }
# use_init INIT: mean that machine of the suite from here on
use_init() {
  INIT=$1 MACHINE=$(machine "$LAB_SUITE" "$1")
  SHARE=$LAB/$MACHINE/share
  RUN=$LAB/$MACHINE/run
}
use_init "${LAB_INIT:-plain}"
has_systemd() { [[ $INIT = systemd ]]; }

say() { printf 'lab: %s\n' "$*" >&2; }
die() { say "$@"; exit 1; }
elapsed() { awk -v a="$1" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.1f", b - a }'; }

# logged LOG COMMAND...: run a command with its output in LOG; when it fails, show how LOG ends
logged() {
  local log=$1; shift
  "$@" > "$log" 2>&1 && return
  say "failed: $*; the end of $log:"
  tail -n 30 "$log" >&2
  return 1
}

# mirror: Debian's main archive, as this machine's apt is configured
mirror() {
  local uri
  # Before the first "apt-get update" no label is known: then take any main that is not the security archive.
  uri=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Label: Debian' 'Component: main')
  [[ $uri ]] || uri=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Component: main' | grep -v security)
  [[ $uri ]] || die "apt on this machine names no Debian archive. Add one to its sources."
  head -n 1 <<< "$uri"
}

# debian_tree SUITE DIR LOG PACKAGES [HOOK]: a Debian system with PACKAGES (comma separated) in DIR.
# Two may be made at a time, so each has a package cache of its own. HOOK is a command for mmdebstrap to run at the
# end, with the new tree as $1. Call it inside "isolated".
debian_tree() {
  local suite=$1 dir=$2 log=$3 packages=$4 hook=${5:-true} cache=$LAB/debs/${2#"$LAB/"} age=()
  # sid's index expires in a week, which a mirror may be late by. It must be signed all the same.
  [[ $suite != sid ]] || age=(--aptopt='Acquire::Check-Valid-Until "false"')
  command -v mmdebstrap > /dev/null || die "mmdebstrap is missing. Install it: apt-get install mmdebstrap"
  rm -rf "$dir" "$dir.new"; mkdir -p "$cache"
  # The cache of packages is mounted, not copied: no second copy, and what was fetched stays when the build fails.
  logged "$log" mmdebstrap --mode=root --variant=minbase --include="$packages" "${age[@]}" \
    --aptopt='APT::Install-Recommends "false"' --aptopt='Acquire::Retries "3"' --dpkgopt=force-unsafe-io \
    --skip=download/empty,essential/unlink,cleanup/apt/cache \
    --setup-hook='mkdir -p "$1/var/cache/apt/archives"; mount --bind "'"$cache"'" "$1/var/cache/apt/archives"' \
    --customize-hook="$hook" \
    --customize-hook='umount "$1/var/cache/apt/archives"' \
    "$suite" "$dir.new" "$(mirror)" || return 1
  mv "$dir.new" "$dir"
}

# isolated SCRIPT ARGS...: become that script, in private mount and pid namespaces: its mounts and processes end with
# it, and it ends with the shell that called, even when that one is killed. To be called in a subshell: ( isolated ... ) &
isolated() {
  exec setpriv --pdeathsig KILL unshare --mount --pid --fork --kill-child --mount-proc --propagation private -- bash "$@"
}

# alive NAME [MACHINE]: is the process that we noted as NAME in its run directory still ours and running?
alive() {
  local run=$LAB/${2:-$MACHINE}/run pid=''
  read -r pid 2>/dev/null < "$run/$1.pid" || return 1
  [[ $pid && /proc/$pid/cwd -ef $run ]]
}

# starved: sets STARVED to the milliseconds for which L1, since its start, wanted a processor of this machine and had none:
# of its threads, the one for which that was longest (second number of schedstat, nanoseconds; Linux
# Documentation/scheduler/sched-stats.rst). Waits for L1 do not count that time.
starved() {
  local file delay pid
  STARVED=0
  read -r pid 2>/dev/null < "$RUN/l1.pid" || return 0
  for file in /proc/"$pid"/task/*/schedstat; do
    read -r _ delay _ 2>/dev/null < "$file" || continue
    ((delay / 1000000 <= STARVED)) || STARVED=$((delay / 1000000))
  done
}

# start NAME COMMAND...: run in the background, in the run directory, and note it for alive and stop
start() {
  local name=$1; shift
  setsid "$@" > "$name.err" 2>&1 < /dev/null & echo $! > "$name.pid"
}

# stop NAME MACHINE: end that process, softly for two seconds
stop() {
  local run=$LAB/$2/run pid
  if alive "$1" "$2"; then
    pid=$(cat "$run/$1.pid"); kill "$pid"
    for _ in {1..20}; do alive "$1" "$2" || break; sleep 0.1; done
    ! alive "$1" "$2" || kill -KILL "$pid"
  fi
  rm -f "$run/$1.pid"
}

# share_guest: the scripts that run in L1, as they are now, and the pages whose tables they compare. Never written in
# place: PID 1 reads its own as it goes.
share_guest() {
  mkdir -p "$SHARE/guest" "$SHARE/docs"
  cp -ru --remove-destination "$DOCS"/*.rst "$DOCS"/kbase "$DOCS"/tables "$HERE"/../../README.md "$SHARE/docs/"
  cp -u --remove-destination "$HERE"/guest/* "$HERE/dualport/selftest.sh" "$HERE"/../clients/*.py "$SHARE/guest/"
}
