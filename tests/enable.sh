#!/bin/bash
# enable.sh VIRT-HOSTDEV: enable and disable with a made-up systemctl: every command that they give it fails once, and
# the drop-ins are what they were. What systemd does with them is for lab/scenarios/takeover.sh to find out.
# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck disable=SC2317 # functions that are passed to check
set -euo pipefail
tool=$(realpath "$1") bad=0 n=0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root=$work/root units=$work/root/etc/systemd/system
export PATH=$work/bin:$PATH WORK=$work

# Ours are active and enabled where "enable" was called for them; libvirt's always are. FAIL: a pattern of commands.
mkdir "$work/bin"
cat > "$work/bin/systemctl" << 'S'
#!/bin/bash
echo "$*" >> "$WORK/calls"
if [ -n "${FAIL:-}" ] && [[ "$*" =~ $FAIL ]]; then echo "no such luck" >&2; exit 1; fi
case "$*" in
  "is-active --quiet libvirtd.socket" | "is-active --quiet libvirtd-ro.socket") ;;
  "is-active --quiet virthostdevd"* | "is-enabled "*) test -e "$WORK/ours" ;;
  is-active*) exit 3 ;;
  show*SocketMode*) echo 0660 ;;
  enable*) touch "$WORK/ours" ;;
  disable*) rm -f "$WORK/ours" ;;
esac
S
chmod +x "$work/bin/systemctl"

check() { # TEXT COMMAND...
  local text=$1 verdict=ok
  shift
  n=$((n + 1))
  "$@" > "$work/said" 2>&1 || { verdict="not ok" bad=1; sed 's/^/# /' "$work/said"; }
  echo "$verdict $n - $text"
}
run() { "$tool" --root "$root" -c "${URI:-test:///default}" "$@" > "$work/out" 2>&1; }
fails() { ! "$@"; }
says() { grep -E -- "$1" "$work/out"; }
fresh() { rm -rf "$root" "$work/ours"; mkdir -p "$root/run/systemd/system"; : > "$work/calls"; }
found() {
  find "$root" -type f -printf '\n%P\n' -exec cat {} \;
  [ ! -e "$work/ours" ] || echo "virthostdevd's sockets are enabled"
}
remember() { found > "$work/before"; }
same() { found | diff "$work/before" -; }

fresh
check "enable" run enable
check "two drop-ins for libvirt and two for virthostdevd" test "$(find "$units" -name 50-virt-hostdev.conf | wc -l)" = 4
check "once more" run enable
check "says so" says 'already proxies'

# Every command, in turn, where nothing was before, on a host that is enabled, and on one whose drop-ins are older.
prepared() { # STATE
  fresh
  [ "$1" = fresh ] || run enable
  [ "$1" != older ] || echo "# written by an older version" >> "$units/virthostdevd.socket.d/50-virt-hostdev.conf"
  : > "$work/calls"
}
for state in fresh enabled older; do
  prepared $state
  run enable
  mapfile -t calls < <(grep -vE '^is-' "$work/calls")
  for call in "${calls[@]}"; do
    prepared $state
    remember
    check "$state: enable fails where '$call' does" env FAIL="^$call\$" bash -c "! \"\$@\" > '$work/out' 2>&1" - \
      "$tool" --root "$root" -c test:///default enable
    check "$state: and names it" says "'systemctl $call' failed: no such luck"
    check "$state: all is as before" same
  done
done

# As systemd 252 leaves it: with the file, the next command would look for libvirt where nobody listens.
fresh
run enable
mkdir -p "$root/run/libvirt/stock"
touch "$root/run/libvirt/stock/libvirt-sock" "$root/run/libvirt/stock/libvirt-sock-ro"
check "disable" run disable
check "removes what the moved sockets leave behind" test ! -e "$root/run/libvirt/stock"

fresh
remember
URI=test:///nowhere/at/all check "enable fails where libvirt cannot be reached afterwards" fails run enable
check "in a sentence" says "error: libvirt's sockets were restored after this error: Cannot connect to libvirt"
check "all is as before" same

prepared enabled
check "disable" run disable
check "nothing is left" test "$(find "$units" -type f | wc -l)" = 0
echo "1..$n"
exit $bad
