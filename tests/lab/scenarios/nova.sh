# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# OpenStack Nova's own classes write domains and read them back through virthostdevd, with netdevs and without.
# suites: trixie
. /lab/guest/lib.sh

step "a VF for a port, and one of two ports"
igb_up "$PF1" 1
dualport_up "$PF2" 1
before=$(snapshot_vfs)
hostdevd_up

step "Nova"
as_nova "$(vfaddr "$PF1" 0)" "$(vfaddr "$PF2" 0)"
is "nothing but definitions has changed" "$(snapshot_vfs)" "$before"
step "done"
