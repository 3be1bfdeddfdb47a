#!/bin/bash
# completion.sh COMPLETION VIRT-HOSTDEV STATUSSHOW: what <Tab> offers after virt-hostdev, in TAP
# SPDX-License-Identifier: LGPL-2.1-or-later
set -u
# shellcheck source=src/tools/virt-hostdev.bash
. "$1"
tool=$2 show=$3 n=0 bad=0

# shellcheck disable=SC2317 # the completion calls them
# The records are those of a made-up host.
virt-hostdev() {
  case $* in
    "status --json") "$show" --json ;;
    "list --json") printf '"name": "%s",\n' 0000:01:00.0 eth0 0000:01:10.0 ;;
    *) "$tool" "$@" ;;
  esac
}
virsh() { echo vm1 vm2; }

# offers TEXT WANTED LINE: after this line, whose last word is being typed
offers() {
  COMP_LINE="virt-hostdev $3" COMPREPLY=()
  COMP_POINT=${#COMP_LINE}
  _virt_hostdev
  n=$((n + 1))
  if [ "${COMPREPLY[*]}" = "$2" ]; then
    echo "ok $n - $1"
  else
    echo "not ok $n - $1: ${COMPREPLY[*]}, expected $2"
    bad=1
  fi
}

offers "commands" "release recover resolve" re
offers "also behind options" "release recover resolve" "--root / --json re"
offers "options before them" "--root" --r
offers "options of a command" "--force --forget" "recover --fo"
offers "forms, of which readline replaces what is behind =" "stock" "convert --to=s"
offers "and as a word" "stock netdev interface" "convert --to "
offers "a live view" "top" "to"
offers "its options" "--interval --iterations" "top --i"
offers "metrics" "--openmetrics" "status --op"
offers "domains" "vm1 vm2" "dumpxml vm"
offers "PFs and VFs" "0000:01:00.0 0000:01:10.0" "new 0000"
offers "of which readline replaces what is behind :" "10.0" "new 0000:01:1"
offers "VFs with a record" "0000:01:10.0 0000:01:10.2 0000:01:10.4 0000:01:10.6" "recover "
offers "and another" "0000:01:10.0 0000:01:10.2 0000:01:10.4 0000:01:10.6" "recover 0000:01:10.0 "
offers "whose VFs apply has set" "me" "release "
offers "files" "$0" "plan $0"
echo "1..$n"
exit $bad
