# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# The dual-port driver itself does what it is told: all other scenarios lean on it.
# suites: trixie
. /lab/guest/lib.sh
modprobe -a vfio-pci igb igbvf
bash /lab/guest/selftest.sh "$PF2" "$PF1"
