# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# suites: trixie
# More VFs than a card has, on netdevsim: many of them at once, and more than the kernel's list can hold.
. /lab/guest/lib.sh
ROOT=/run/scale
tool() { virt-hostdev --root "$ROOT" "$@"; }
# five N...: five attributes of each of these VFs
five() {
  awk 'BEGIN { for (i = 1; i < ARGC; i++) {
    n = ARGV[i]; id = 4224 + n        # 0x1080
    printf "<hostdev mode=\"subsystem\" type=\"pci\" managed=\"yes\"><source><address domain=\"0\" bus=\"0x%02x\" slot=\"0x%02x\" function=\"0x%x\"/></source>", id / 256, id / 8 % 32, id % 8
    printf "<netdev port=\"1\" spoofCheck=\"no\" trustGuestRxFilters=\"yes\"><mac address=\"52:54:00:aa:%02x:%02x\"/><vlan><tag id=\"%d\" priority=\"3\"/></vlan>", n / 256, n % 256, n + 1
    print "<bandwidth><outbound average=\"122070\"/></bandwidth></netdev></hostdev>"
  } }' "$@"
}
# shown: the VFs that "list" could read; all of them are there
shown() { tool list --json 2> list.err | jq -r '[.. | objects | select(.kind? // "" | startswith("VF ")) | select(.mac != null) | .kind[3:]] | join(" ")'; }
state() { ip -d -j link show "$dev" 2> /dev/null | jq -cS '.[0].vfinfo_list[]?'; }
vf() { ip -d -j link show "$dev" 2> /dev/null | jq -c --argjson n "$1" '.[0].vfinfo_list[]? | select(.vf == $n) | [.address, .vlan_list[0].vlan, .vlan_list[0].qos, .rate.max_tx, .spoofchk, .trust]'; }

step "255 VFs"
dev=$(netdevsim_up 255 "$ROOT")
before=$(state)
is "the list has all of them" "$(shown)" "$(seq -s ' ' 0 254)"
is "and misses nothing" "$(cat list.err)" ""
five 254 > one.xml
like "plan of the last one" "$(tool plan one.xml)" "$dev +vlan +none +255"
ok "apply it" tool apply --owner me one.xml
is "it is set" "$(vf 254)" '["52:54:00:aa:00:fe",255,3,1000,false,true]'
ok "release it" tool release me
is "as before" "$(state)" "$before"
domain many "$(five {0..254})" > many.xml
ok "apply all of them" tool apply --owner me many.xml
for n in 0 100 254; do
  is "VF $n is set" "$(vf "$n")" "[\"$(printf '52:54:00:aa:00:%02x' "$n")\",$((n + 1)),3,1000,false,true]"
done
is "all have a record" "$(find "$ROOT/run/libvirt-hostdev" -name '*:*.?' | grep -vc lock)" 255
is "status finds them as they were set" "$(tool status --json | jq '[.status[].children[].drift] | group_by(.) | map({(.[0]): length}) | add')" '{
  "no": 1275
}'
ok "release all of them" tool release me
is "as before" "$(state)" "$before"
is "nothing is remembered" "$(tool status)" ""

step "1000 VFs: the kernel cuts its list"
dev=$(netdevsim_up 1000 "$ROOT")
before=$(state)
some=$(shown)
last=${some##* }
like "the list holds a part of them" "$(wc -w <<< "$some")" '^[1-9][0-9]{1,2}$'
is "its beginning" "$some" "$(seq -s ' ' 0 "$last")"
like "list says what it could not read" "$(cat list.err)" \
  "VF $((last + 1)) is not in the kernel's list of $dev, which shows $((last + 1)) of 1000 VFs.*\($((998 - last)) more of the 1000 VFs"
is "and lists them all the same" "$(tool list --json 2> /dev/null | jq '[.. | objects | select(.kind? // "" | startswith("VF "))] | length')" 1000
five "$last" > one.xml
ok "a VF in the list is set" tool apply --owner me one.xml
is "it is" "$(vf "$last")" "[\"$(printf '52:54:00:aa:%02x:%02x' $((last >> 8)) $((last & 255)))\",$((last + 1)),3,1000,false,true]"
ok "and put back" tool release me
is "as before" "$(state)" "$before"
five 999 > one.xml
refusal="VF 999 is not in the kernel's list of $dev, which shows $((last + 1)) of 1000 VFs.*fewer VFs"
not_ok "plan foresees that another cannot be" "$refusal" tool plan one.xml
not_ok "apply refuses it" "$refusal" strace -f -e trace=sendto -o sent virt-hostdev --root "$ROOT" apply --owner me one.xml
is "without a request to change anything" "$(grep -c RTM_SETLINK sent || true)" 0
domain many "$(five 0 999 "$last")" > many.xml
not_ok "and those beside it in a domain" "$refusal" tool apply --owner me many.xml
is "as before" "$(state)" "$before"
is "nothing is remembered" "$(tool status)" ""
is "and no record is there" "$(find "$ROOT/run/libvirt-hostdev" -name '*:*.?' | grep -vc lock || true)" 0
