# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# What a scenario has at hand: checks here, SR-IOV in nics.sh, libvirt and guests in libvirt.sh.
# A scenario begins with:  . /lab/guest/lib.sh
# One that needs systemd as L1's PID 1 has a line before it:  # init: systemd
#
# A command that fails and is not a check ends the scenario, and is named. At the end, however it comes, guests are
# destroyed, libvirt is stopped and VFs are taken away.
set -Eeuo pipefail; shopt -s inherit_errexit
FAILED=0

INIT=plain; [[ ! -d /run/systemd/system ]] || INIT=systemd
wanted=$(sed -n 's/^# init: //p' "$0")
[[ ${wanted:-plain} = "$INIT" ]] || { echo "FAIL the scenario is for LAB_INIT=${wanted:-plain}, and this is $INIT"; exit 1; }

# ok TEXT COMMAND...: passes when the command succeeds
ok() {
  local text=$1 out; shift
  if out=$("$@" 2>&1); then pass "$text"; else fail "$text" "$* said: $out"; fi
}
# not_ok TEXT PATTERN COMMAND...: passes when the command fails, and says something that matches PATTERN (extended
# regular expression)
not_ok() {
  local text=$1 pattern=$2 out; shift 2
  if out=$("$@" 2>&1); then fail "$text" "$* succeeded"
  elif grep -Eq -- "$pattern" <<< "$out"; then pass "$text"
  else fail "$text" "$* said: $out; expected: $pattern"; fi
}
# is TEXT ACTUAL EXPECTED: passes when the two are the same, byte for byte
is() {
  if [[ $2 = "$3" ]]; then pass "$1"
  elif [[ $2$3 != *$'\n'* ]]; then fail "$1" "is '$2', expected '$3'"
  else fail "$1" "expected (-), is (+)"; diff -U 1 <(echo "$3") <(echo "$2") | tail -n +3 || true; fi
}
# like TEXT ACTUAL PATTERN: passes when the extended regular expression matches
like() { if grep -Eq -- "$3" <<< "$2"; then pass "$1"; else fail "$1" "'$2' does not match $3"; fi; }
# skip TEXT REASON: says what could not be checked, and what is missing for it
skip() { echo "skip $1: $2"; }
pass() { echo "ok   $1"; }
fail() { echo "FAIL $1: $2"; FAILED=$((FAILED + 1)); }

# waitfor SECONDS COMMAND...: until the command succeeds; fails when it does not in that time. Only L1's own time counts:
# not that for which it wanted a processor of a busy machine, and had none. What it waits for is told every half minute.
waitfor() {
  local seconds=$1 began=$((${EPOCHREALTIME/./} / 1000)) told=30 pause=0.1 i lost took; shift
  starved; lost=$STARVED
  for ((i = 0; ; i++)); do
    ! "$@" > /dev/null 2>&1 || return 0
    starved; took=$((${EPOCHREALTIME/./} / 1000 - began))
    ((took - (STARVED - lost) < seconds * 1000)) || return 1
    if ((took >= told * 1000)); then
      step "waiting for: $* ($((took / 1000)) s, $(((STARVED - lost) / 1000)) s of them without a processor)" >&"$OUTPUT"
      told=$((told + 30))
    fi
    ((i < 20)) || pause=0.5            # asking costs what the guest needs: processor time
    sleep "$pause"
  done
}
exec {OUTPUT}>&1                         # the scenario's, also where a check keeps a command's to itself
# starved: sets STARVED to the milliseconds that L1 had no processor, as host/job.sh says once a second
starved() {
  local ms=''
  read -r ms 2> /dev/null < "$STARVED_FILE" || true
  STARVED=${ms:-$STARVED}
}
STARVED=0 STARVED_FILE=/lab/starved
# step TEXT: a headline in the output, with the seconds since the scenario began
step() {
  local tenths=$(((${EPOCHREALTIME/./} - BEGAN) / 100000))
  printf '# %d.%d s: %s\n' $((tenths / 10)) $((tenths % 10)) "$1"
}
BEGAN=${EPOCHREALTIME/./}

# wire [PATTERN]: the frames that left the first NIC since the scenario began; see host/wire.py for their form
wire() { tail -c +$((WIRE_FROM + 1)) /lab/wire.log | grep -E -- "${1:-}"; }
WIRE_FROM=$(stat -c %s /lab/wire.log)

rm -f cells                              # of an earlier scenario
# cell ROW COLUMN VALUE: one cell of a table that the documentation has and a scenario fills
cell() { printf '%s\t%s\t%s\n' "$@" >> cells; }
# table PAGE NAME: the table NAME in docs/PAGE has a row for each row of the cells, in their order, and no other, and in
# each of their columns what they say. The cells stay in the share, for "lab tables".
table() {
  local row column value
  mkdir -p "/lab/cells/$1"; cp cells "/lab/cells/$1/$2"
  python3 /lab/guest/table.py "/lab/docs/$1" "$2" > cells.page
  while IFS=$'\t' read -r row column value; do
    is "docs/$1: $row: $column" "$value" "$(awk -F'\t' -v row="$row" -v column="$column" '$1 == row && $2 == column { print $3 }' cells.page)"
  done < cells
  is "docs/$1 has these rows, in this order" "$(rows_of cells.page)" "$(rows_of cells)"
}
# figures PAGE NAME: the cells are measured: they stay in the share, for "lab tables", and nothing is compared
figures() { mkdir -p "/lab/cells/$1"; cp cells "/lab/cells/$1/$2"; }
rows_of() { awk -F'\t' '!seen[$1]++ { print $1 }' "$1"; }

# denied: what AppArmor has denied, in the systemd flavour, where it is enforced, since the boot or since this was last asked.
# At the end of a scenario there must be nothing.
denied() { journalctl -q -o cat --cursor-file=/run/lab-denied --grep 'apparmor="DENIED"' || true; }

# died CODE COMMAND: names the line of the scenario where a command failed that was no check
died() {
  ((BASH_SUBSHELL)) || fail "the scenario ended early" "line ${BASH_LINENO[-2]}: $2: exit code $1"
}
finish() {
  local code=$?
  trap - ERR EXIT; set +e
  [[ $INIT != systemd ]] || is "AppArmor has denied nothing" "$(denied)" ""
  cleanup_libvirt; cleanup_nics
  ((code != 0 || FAILED == 0)) || code=1
  exit "$code"
}
trap 'died $? "$BASH_COMMAND"' ERR
trap finish EXIT

. /lab/guest/nics.sh
. /lab/guest/libvirt.sh
