#!/bin/bash
# symbols.sh BINARY...: nothing of ours is named vir[A-Z]…: libvirt.so has thousands of those, and would call ours
# SPDX-License-Identifier: LGPL-2.1-or-later
set -euo pipefail
bad=0
for binary; do
  defined=$(nm --defined-only "$binary"; nm -D --defined-only "$binary")
  if grep -E ' [A-Z] vir[A-Z]' <<< "$defined"; then
    echo "$binary defines the above"
    bad=1
  fi
  grep -qE ' [Tt] virt[A-Z]' <<< "$defined" || { echo "$binary: no symbols to look at"; bad=1; }
done
exit $bad
