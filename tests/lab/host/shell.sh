#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# shell.sh: a root shell in L1, on its third serial port, for the person at this terminal
. "$(dirname "$(readlink -f "$0")")/common.sh"
. "$HERE/host/job.sh"

[[ -t 0 && -t 1 ]] || die "lab shell wants a terminal. For a single command there is: lab exec COMMAND"
exec 8> "$RUN/shell.lock"; flock -n 8 || die "there is a shell already, and L1 has one terminal for it"
job=shell-$$ before=$(stty -g) size=$(stty size) copies=()

restore() {
  kill "${copies[@]}" 2>/dev/null || true
  stty "$before"
  [[ -e $SHARE/job/$job/rc ]] || ! alive l1 || order "kill $job"
}
trap restore EXIT
trap 'exit 1' HUP TERM
stty raw -echo
cat "$RUN/shell.out" & copies+=($!)
cat <&0 > "$RUN/shell.in" & copies+=($!)

# The job leads a session that has no terminal yet: the first one it opens becomes its own, and ^C works.
job_start "$job" <<END
stty -F /dev/ttyS2 sane rows ${size% *} cols ${size#* }
export TERM=$TERM
cd; exec bash -i < /dev/ttyS2 > /dev/ttyS2 2>&1
END
until [[ -e $SHARE/job/$job/rc ]]; do
  alive l1 || { printf 'lab: L1 is gone\r\n'; break; }
  sleep 0.1
done
sleep 0.1                              # for the last of the output
