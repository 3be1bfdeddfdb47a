# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# Running things in L1: an order on its second serial port, everything else by files in the share (see guest/init.sh).
# Sourced, after common.sh.

order() { timeout 60 bash -c 'echo "$1" > "$2"' - "$1" "$RUN/cmd.in" || die "L1 ($MACHINE) takes no orders"; }

# job_start JOB: run the script on stdin in L1
job_start() {
  share_guest
  rm -rf "${SHARE:?}/job/$1"; mkdir -p "$SHARE/job/$1"
  cat > "$SHARE/job/$1/cmd"; : > "$SHARE/job/$1/out"
  order "run $1"
}

# job_run JOB SECONDS: run the script on stdin in L1 and print its output as it comes; returns its exit code, or
# 124 when it took longer than SECONDS of L1's own time and was killed, or 125 when L1 went away
job_run() {
  local dir=$SHARE/job/$1 out rc='' began=$SECONDS second='' lost
  starved; lost=$STARVED
  job_start "$1"
  exec {out}< "$dir/out"
  # shellcheck disable=SC2064   # the job of now
  trap "order 'kill $1'; exit 130" INT TERM HUP
  until [[ $rc ]]; do
    sleep 0.2                     # and no other program each time: L1 wants the processor that they take
    # the exit code first, the output after it: what a job wrote at its end is seen
    if [[ -e $dir/rc ]]; then rc=$(cat "$dir/rc")
    elif ! alive l1; then rc=125
    elif ((SECONDS - began - (STARVED - lost) / 1000 >= $2)); then order "kill $1"; rc=124; fi
    if [[ $second != "$SECONDS" ]]; then second=$SECONDS; starved; echo "$STARVED" > "$SHARE/starved"; fi # for waits in L1
    show_new "$out"
  done
  exec {out}<&-
  trap - INT TERM HUP
  return "$rc"
}
show_new() { # DESCRIPTOR: print what has come since
  local new
  while IFS= read -r -d '' -N 65536 -u "$1" new || [[ $new ]]; do printf %s "$new"; done
}
