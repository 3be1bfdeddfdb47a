#!/bin/bash
# faultsteps.sh "WRAPPED..." LIBRARY...: every function of others that these call is one whose every call is a step in
# faulttest.c, or is listed here as one that cannot fail or leaves nothing
# SPDX-License-Identifier: LGPL-2.1-or-later
set -euo pipefail
read -ra wrapped <<< "$1"
shift
harmless=(
  # strings and memory
  'mem[a-z]*' 'str[a-z]*' __popcountdi2 __stack_chk_fail __errno_location _GLOBAL_OFFSET_TABLE_ '__asan_.*' '__ubsan_.*'
  geteuid getrandom setsockopt
  # virvfiodriver.c: how long the list of aliases is, whose reading is a step
  fnmatch stat64 uname
  # virnetlinkwatch.c only listens, and none of the operations uses it
  socket bind
  # they only look, and none of the operations uses it
  genl_ctrl_resolve genl_ctrl_resolve_grp genl_connect
  # virhost.c: a process that writes alone; a made-up host has another way
  _exit dup2 fork pipe2 poll pthread_sigmask sigfillset syscall waitpid
  # virnetdevuser.c only looks; a made-up host has another way
  ioctl inet_ntop
  # libraries that only compute; g_file_test, g_dir_open and g_file_read_link are of looks that only advise
  'g_.*' 'nla?_.*' 'nlmsg_.*' genlmsg_put 'rtnl_link_.*' 'XML_.*' 'xml.*' 'json_.*' 'virt[A-Z].*'
)
pattern=$(IFS='|'; echo "${wrapped[*]}|${harmless[*]}")
found=$(for library; do nm -u "$library"; done | awk '$1 == "U" {print $2}' | sort -u)
grep -qx fsync <<< "$found" || { echo "no calls found: is nm at work?"; exit 1; }
if grep -vxE "$pattern" <<< "$found"; then
  echo "the above are called and no step of the fault machine: add them to tests/faultstep.c"
  exit 1
fi
