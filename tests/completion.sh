#!/bin/bash
# completion.sh COMPLETION VIRT-HOSTDEV STATUSSHOW: what <Tab> offers after virt-hostdev, in TAP
# SPDX-License-Identifier: LGPL-2.1-or-later
set -u
# shellcheck source=src/tools/virt-hostdev.bash
. "$1"
tool=$2 show=$3 n=0 bad=0

# The records are those of a made-up host.
virt-hostdev() {
  case $1 in
    status) "$show" --json ;;
    list) printf '"name": "%s",\n' 0000:01:00.0 eth0 0000:01:10.0 ;;
    *) "$tool" "$@" ;;
  esac
}
virsh() { echo vm1 vm2; }

# offers TEXT WANTED WORD...: after these words, of which the last is being typed
offers() {
  local text=$1 wanted=$2
  shift 2
  COMP_WORDS=(virt-hostdev "$@") COMP_CWORD=$# COMPREPLY=()
  _virt_hostdev
  n=$((n + 1))
  if [ "${COMPREPLY[*]}" = "$wanted" ]; then
    echo "ok $n - $text"
  else
    echo "not ok $n - $text: ${COMPREPLY[*]}, expected $wanted"
    bad=1
  fi
}

offers "commands" "release recover" re
offers "options before them" "--root" --r
offers "options of a command" "--dot" list --d
offers "forms" "stock" convert --to=s
offers "domains" "vm1 vm2" dumpxml vm
offers "PFs and VFs" "0000:01:00.0 0000:01:10.0" new 0000
offers "VFs with a record" "0000:01:10.0 0000:01:10.2 0000:01:10.4 0000:01:10.6" recover ""
offers "whose VFs apply has set" "me" release ""
offers "files" "$0" plan "$0"
echo "1..$n"
exit $bad
