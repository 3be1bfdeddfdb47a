#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# run.sh SCENARIO...|all: runs scenarios in L1 and counts their checks; with LAB_QUEUE=DIRECTORY only those that no other
# run with the same one has begun
. "$(dirname "$(readlink -f "$0")")/common.sh"
. "$HERE/host/job.sh"

# header NAME WORD DEFAULT: what the scenario's line "# WORD: ..." says
header() { local said; said=$(sed -n "s/^# $2: //p" "$HERE/scenarios/$1.sh"); echo "${said:-$3}"; }

names=("$@") all=no
[[ ${names[0]} != all ]] || { all=yes; cd "$HERE/scenarios" || exit; names=(*.sh); names=("${names[@]%.sh}"); }
declare -A todo=() trees=()       # INIT: names; host/TREE.sh: wanted by one of them
for name in "${names[@]}"; do
  [[ -e $HERE/scenarios/$name.sh ]] || die "no such scenario: $HERE/scenarios/$name.sh"
  init=$(header "$name" init plain) suites=$(header "$name" suites "${SUITES[*]}")
  [[ " ${INITS[*]} " = *" $init "* ]] || die "scenario $name wants '# init: $init'; there are: ${INITS[*]}"
  for suite in $suites; do
    [[ " ${SUITES[*]} none " = *" $suite "* ]] || die "scenario $name says '# suites: $suites'; there are: ${SUITES[*]}"
  done
  [[ $all = no || " $suites " = *" $LAB_SUITE "* ]] || continue
  tree=$(header "$name" tree '')
  [[ ! $tree ]] || trees[$tree]=yes
  [[ $init.${LAB_INIT:-} != plain.twin ]] || init=twin
  if [[ ${LAB_INIT:-$init} = "$init" ]]; then todo[$init]+=" $name"
  elif [[ $all = no ]]; then die "scenario $name is for LAB_INIT=$init"; fi
done
for tree in "${!trees[@]}"; do ( isolated "$HERE/host/$tree.sh" ) || die "there is no tree of $tree; see $LAB/$tree.log"; done

passed=0 failed=0 skipped=0
# count WORD LOG: lines that begin with it
count() { grep -c "^$1 " "$2" || true; }

# script NAME: the scenario, with those of these variables that the environment has
script() {
  local name
  for name in ROUNDS RUNS GUESTS SEED POINTS SIDES KIND; do [[ ! ${!name:-} ]] || printf 'export %s=%q; ' "$name" "${!name}"; done
  cat "$HERE/scenarios/$1.sh"
}

# run_one NAME: run it, count, and say how it went
run_one() {
  local log=$LAB/$MACHINE/scenario-$1.log since=$SECONDS said ok bad skip rc=0 why=
  said=$(stat -c %s "$RUN/console.log")
  if [[ $(header "$1" desk no) = yes ]]; then ( isolated "$HERE/host/desk.sh" ) > "$LAB/desk.log" 2>&1 & desk=$!; fi
  echo "scenario $1"
  job_run "$1" "${LAB_TIMEOUT:-600}" < <(script "$1") > >(tee "$log") || rc=$?
  wait $! || true                 # tee has written all
  leave_desk
  ok=$(count ok "$log") bad=$(count FAIL "$log") skip=$(count skip "$log")
  case $rc in
    124) why="took longer than ${LAB_TIMEOUT:-600} s";;
    125) why="L1 went away";;
    0) ((ok + bad + skip)) || why="made no check";;
    *) ((bad)) || why="died with exit code $rc";;
  esac
  if [[ $why ]]; then echo "FAIL scenario $1: $why"; bad=$((bad + 1)); fi
  if ((bad)); then console "$said"; fi
  passed=$((passed + ok)) failed=$((failed + bad)) skipped=$((skipped + skip))
  echo "scenario $1: $ok ok, $bad failed, $((SECONDS - since)) s"
  # What a scenario left behind that could not clean up must not fail the next one. With systemd that is much: units,
  # sockets, rules.
  if [[ $why ]] || has_systemd; then down; fi
}
# console OFFSET: what L1's kernel said since its console was so long, the last of it
console() {
  local new
  new=$(tail -c +$(($1 + 1)) "$RUN/console.log" | tail -n 20)
  [[ ! $new ]] || printf -- "--- L1's console (%s)\n%s\n---\n" "$RUN/console.log" "$new"
}

desk=''
leave_desk() { [[ ! $desk ]] || { kill "$desk"; wait "$desk" || true; desk=''; }; }
booted=no
down() { leave_desk; [[ $booted = no ]] || LAB_INIT=$INIT "$HERE/lab" down; }
trap down EXIT
for init in "${INITS[@]}"; do
  [[ ${todo[$init]:-} ]] || continue
  use_init "$init"; booted=no
  for name in ${todo[$init]}; do
    [[ ! ${LAB_QUEUE:-} ]] || mkdir "$LAB_QUEUE/$name" 2> /dev/null || continue
    if ! alive l1; then
      booted=yes
      LAB_INIT=$INIT LAB_INSTALL=$(header "$name" install yes) "$HERE/lab" up
    fi
    run_one "$name"
  done
  down
done
echo "lab $LAB_SUITE: $passed passed, $failed failed, $skipped skipped"
((failed == 0))
