# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# What all other scenarios lean on: the dual-port driver does what it is told, the machine's clock goes as fast as the
# host's, or every timeout in it would mean something else, and waits do not count the time that it had no processor.
# suites: none
. /lab/guest/lib.sh

# The host stamps what is written into the share, by its own clock.
both_clocks() { touch /lab/now; echo "$(date -r /lab/now +%s%N) ${EPOCHREALTIME/./}000"; }
read -r host_began guest_began < <(both_clocks)
modprobe -a vfio-pci igb igbvf
bash /lab/guest/selftest.sh "$PF2" "$PF1"

read -r host_ended guest_ended < <(both_clocks)
rm /lab/now
like "of 100 seconds of the host the machine counts 99 to 101" \
  "$(((guest_ended - guest_began) * 100 / (host_ended - host_began)))" '^(99|100|101)$'

echo 0 > starved
{ sleep 0.5; echo 60000 > starved; sleep 2; touch came; } &
STARVED_FILE=starved ok "a second lasts longer while the machine has no processor" waitfor 1 test -e came
STARVED_FILE=starved not_ok "and a second where it has one" "" waitfor 1 false
