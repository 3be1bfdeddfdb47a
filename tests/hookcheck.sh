#!/bin/bash
# hookcheck.sh VIRT-HOSTDEV: what host-validate says about the hook, on a made-up host: its file, the policy that libvirt's
# daemon is under, and whether that daemon has looked for hooks since; and the hook's way in and out. The real ones are in lab/scenarios/takeover.sh.
# SPDX-License-Identifier: LGPL-2.1-or-later
set -euo pipefail
tool=$(realpath "$1") bad=0 n=0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export PATH=$work/bin:$PATH WORK=$work
root=$work/root hooks=$work/root/etc/libvirt/hooks/qemu.d pid=4711

mkdir "$work/bin"
cat > "$work/bin/systemctl" << 'S'
#!/bin/sh
echo "$*" >> "$WORK/called"
exec cat "$WORK/systemd"
S
chmod +x "$work/bin/systemctl"

# host STARTED: a host with a hook that behaves, and a libvirtd that started so many seconds ago
host() {
  rm -rf "$root" "$work/systemd"
  mkdir -p "$hooks" "$root/usr/sbin" "$root"/proc/{self/attr/apparmor,$pid/attr/apparmor} "$root/run" \
    "$root"/sys/{module/apparmor/parameters,fs/selinux}
  printf '#!/bin/sh\n[ $# = 0 ] && exit 2\n' > "$root/usr/sbin/hook"
  chmod +x "$root/usr/sbin/hook"
  ln -s ../../../../usr/sbin/hook "$hooks/50-virt-hostdev"
  printf %s $pid > "$root/run/libvirtd.pid"
  echo libvirtd > "$root/proc/$pid/comm"
  echo "$pid (a (b) c) S 1$(printf ' 0%.0s' {1..17}) $((100000 - $1 * 100)) 0" > "$root/proc/$pid/stat"
  echo "1000.00 0" > "$root/proc/uptime"
}
# confined LABEL: AppArmor is on, and this is what it calls libvirtd
confined() { echo Y > "$root/sys/module/apparmor/parameters/enabled"; echo "$1" > "$root/proc/$pid/attr/apparmor/current"; }
# systemd RELOADED: systemd knows libvirtd, and when it was last reloaded
systemd() { printf '%s\n' "ExecReload={ path=/bin/kill ; start_time=[$1] ; pid=7 }" "MainPID=$pid" > "$work/systemd"; }

# expect TEXT CHECK PATTERN: what the line about CHECK ends with
expect() {
  local said
  n=$((n + 1))
  said=$("$tool" --root "$root" -c test:///default host-validate 2>&1 | grep "Checking for $2" || :)
  if grep -qE -- " : $3" <<< "$said"; then echo "ok $n - $1"; else echo "not ok $n - $1: $said"; bad=1; fi
}

# metric TEXT NAME VALUE: what status --openmetrics says of NAME; "": it is left out
metric() {
  local said
  n=$((n + 1))
  said=$("$tool" --root "$root" status --openmetrics | sed -n "s/^libvirt_hostdev_$2 //p")
  if [ "$said" = "$3" ]; then echo "ok $n - $1"; else echo "not ok $n - $1: $said, expected $3"; bad=1; fi
}

file="the hook in" policy="libvirt's daemon being allowed" noticed="libvirt's daemon having noticed"
host 0
expect "a hook that is there" "$file" 'PASS$'
chmod -x "$root/usr/sbin/hook"
expect "without its x bit" "$file" 'FAIL .*is not executable.* Run: chmod 0755 .*/50-virt-hostdev\)'
rm "$root/usr/sbin/hook"
expect "without its target" "$file" 'FAIL .* points to .*/usr/sbin/hook, .*No such file.* Run: ln -sfn '
rm "$hooks/50-virt-hostdev"
expect "nothing to execute" "$policy" 'WARN .*without an executable hook'
expect "without the link" "$file" 'FAIL .*50-virt-hostdev: No such file.* Run: virt-hostdev enable --hook'

host 0
expect "no policy" "$policy" 'PASS$'
confined unconfined
expect "not confined" "$policy" 'PASS$'
confined "libvirtd (complain)"
expect "a profile that only logs" "$policy" 'PASS$'
confined "libvirtd (enforce)"
expect "a profile that cannot be entered" "$policy" "WARN .*'libvirtd' cannot be entered"
: > "$root/proc/self/attr/apparmor/current"
expect "a profile that allows it" "$policy" 'PASS$'
n=$((n + 1))
if [ "$(cat "$root/proc/self/attr/apparmor/current")" = "changeprofile libvirtd" ]; then echo "ok $n - which was entered"
else echo "not ok $n - which was entered"; bad=1; fi
rm "$root/proc/self/attr/apparmor/current" "$root/proc/$pid/attr/apparmor/current"
: > "$root/proc/self/attr/current"
echo "libvirtd (enforce)" > "$root/proc/$pid/attr/current"
expect "an older kernel's files" "$policy" 'PASS$'
printf '#!/dev/null\n' > "$root/usr/sbin/hook"          # which the kernel refuses as a policy would
expect "a profile that refuses it" "$policy" "FAIL .*'libvirtd' does not let it execute .*/usr/sbin/hook.* Run: ln -sfn "
rm "$root/proc/$pid/attr/current"
expect "a label that cannot be read" "$policy" 'WARN .*unknown, because the AppArmor profile of '
rm -r "$root/sys/module"
expect "refused without a profile" "$policy" 'FAIL .*cannot be executed.*Permission denied'
printf '#!/bin/sh\nexit 127\n' > "$root/usr/sbin/hook"
expect "another program" "$policy" 'FAIL .*does not work .*127'
host 0
echo 1 > "$root/sys/fs/selinux/enforce"
echo system_u:system_r:virtqemud_t:s0 > "$root/proc/$pid/attr/current"
expect "SELinux" "$policy" "WARN .*unknown.*virtqemud_t:s0.*ausearch"
echo unconfined_u:unconfined_r:unconfined_t:s0 > "$root/proc/$pid/attr/current"
expect "SELinux that does not confine it" "$policy" 'PASS$'
rm "$root/run/libvirtd.pid"
expect "no daemon" "$policy" 'WARN .*unknown.*systemctl start libvirtd'

host -60
expect "a daemon that is younger than the hook" "$noticed" 'PASS$'
metric "as a metric" hook_noticed 1
metric "and the hook itself" hook_linked 1
host 600
expect "an older one, without systemd" "$noticed" "WARN .*kill -HUP $pid\\)"
systemd n/a
born=$(stat -c %W "$hooks")                             # 0 where the file system does not know
if [ "$born" != 0 ]; then
  expect "with systemd: there was no place for hooks" "$noticed" 'FAIL .*calls none. Run: systemctl reload libvirtd\)'
  metric "as a metric" hook_noticed 0
  mv "$root/proc/uptime" "$work/uptime"
  expect "unless its start cannot be known" "$noticed" 'WARN .*unknown'
  metric "nor a metric, then" hook_noticed ""
  mv "$work/uptime" "$root/proc/uptime"
fi
systemd "@$(($(date +%s) + 1))"
expect "and was reloaded since" "$noticed" 'PASS$'
systemd "@$(($(date +%s) - 300))"
mkdir -p "$root/etc/libvirt/hooks"
printf '#!/bin/sh\n' > "$root/etc/libvirt/hooks/qemu"
chmod +x "$root/etc/libvirt/hooks/qemu"
expect "there may have been a hook" "$noticed" 'WARN .*Run: systemctl reload libvirtd\)'
echo other > "$root/proc/$pid/comm"
expect "a pid that is somebody else's by now" "$noticed" 'WARN .*unknown'
# The way in and out: enable --hook and disable --hook.
# runs TEXT CODE PATTERN ARG...: what the tool says and ends with
runs() {
  local text=$1 code=$2 pattern=$3 said got=0
  shift 3
  n=$((n + 1))
  said=$("$tool" --root "$root" -c test:///default "$@" 2>&1) || got=$?
  if [ $got = "$code" ] && grep -qE -- "$pattern" <<< "$said"; then echo "ok $n - $text"
  else echo "not ok $n - $text: $got $said"; bad=1; fi
}
# linked TEXT yes|no
linked() {
  local is=no
  [ "$(readlink "$hooks/50-virt-hostdev")" != "$program" ] || is=yes
  n=$((n + 1))
  if [ $is = "$2" ]; then echo "ok $n - $1"; else echo "not ok $n - $1"; bad=1; fi
}
host 0
program=$("$tool" --root "$root" disable --hook 2>&1 | sed -n 's/.* is not a link to \([^ ]*\) and .*/\1/p' || :)
runs "another program in the hook's place" 1 'not a link to .* left alone' enable --hook
runs "which is not removed either" 1 'not a link to .* left alone' disable --hook
host 0
rm -r "${root:?}/etc"
mkdir -p "$root$(dirname "$program")" "$root/run/systemd/system"
: > "$root/proc/self/attr/apparmor/current"
confined "libvirtd (enforce)"
printf '#!/dev/null\n' > "$root$program"
chmod +x "$root$program"
runs "a policy that refuses it" 1 "was not installed.*'libvirtd' does not let it execute" enable --hook
linked "leaves no link" no
printf '#!/bin/sh\n[ $# = 0 ] && exit 2\n' > "$root$program"
systemd n/a
runs "one that allows it" 0 'runs virt-hostdev-hook now' enable --hook
linked "leads to the program" yes
n=$((n + 1))
if grep -qx 'reload libvirtd.service' "$work/called"; then echo "ok $n - and libvirt is told to look"; else echo "not ok $n - and libvirt is told to look"; bad=1; fi
runs "again" 0 'already runs virt-hostdev-hook' enable --hook
runs "out" 0 'no longer runs' disable --hook
linked "leaves no link" no
runs "out again" 0 'does not run' disable --hook
rm "$root/run/libvirtd.pid"
runs "a policy that is not known" 1 'was not installed.*unknown, because neither' enable --hook
linked "leaves no link" no
rm -r "$root/run/systemd"
runs "in an image, where nothing runs yet" 0 'runs virt-hostdev-hook now' enable --hook
linked "there is a link" yes
echo "1..$n"
exit $bad
