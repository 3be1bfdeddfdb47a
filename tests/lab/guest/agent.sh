#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Takes orders as lines on the second serial port, in a blocking read:
#   run JOB    run /lab/job/JOB/cmd; output to .../out, at last its exit code to .../rc
#   kill JOB   kill it with all that its session holds
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TERM=dumb LC_ALL=C LIBVIRT_DEFAULT_URI=qemu:///system
export SYSTEMD_BUS_TIMEOUT=600           # a busy machine is slow
stty -F /dev/ttyS1 raw -echo
exec < /dev/null 3< /dev/ttyS1

run() (
  job=/lab/job/$1; cd /root || exit
  # a background command of a shell ignores ^C, and hands that down: undone for "lab shell"
  setsid env --default-signal bash "$job/cmd" > "$job/out" 2>&1 &
  echo $! > "$job/pid"; wait $!
  echo $? > "$job/.rc"; mv "$job/.rc" "$job/rc"
)
touch /lab/ready
while read -r -u 3 verb job; do
  case $verb in
    run) run "$job" 3<&- & ;;
    kill) pkill -KILL -s "$(cat "/lab/job/$job/pid")" ;;
  esac
done
