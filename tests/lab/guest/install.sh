#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Puts what "lab install" brought into L1's root, in place of what it brought before. Runs in L1.
set -euo pipefail
! grep -qw lab.install=no /proc/cmdline || exit 0
if [[ -d /lab/packages ]]; then
  apt-get install -y --reinstall --allow-downgrades /lab/packages/*.deb < /dev/null ||
    { echo "LAB: the packages cannot be installed: journalctl -u lab" > /dev/console; exit 1; }
  exit 0
fi
list=/run/lab-installed
[[ ! -e $list ]] || (cd / && xargs -r -d '\n' rm -f < "$list")
rm -f "$list"
[[ -d /lab/install ]] || exit 0
(cd /lab/install && find . ! -type d) > "$list"
tar -C /lab/install -cf - . | tar -C / --keep-directory-symlink --no-overwrite-dir --no-same-owner -xf -
ldconfig
[[ ! -d /run/systemd/system ]] || systemctl daemon-reload
