# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# suites: sid
# Clients that know nothing of us, against the libvirt of this machine: tests/clients, through virthostdevd and directly;
# 32 of them that change one running domain at once; and virt-install. With SIDES=all also virt-xml, virt-clone, and the tests of
# tests/clients that the build runs with its own libvirt.
. /lab/guest/lib.sh

# tap NAME COMMAND...: run a test that speaks TAP, as lines of ours. It must keep its plan, and its exit code must agree.
tap() {
  local name=$1 line text count=0 bad=0 plan=none code=none; shift
  while IFS= read -r line; do
    text="$name: ${line#* - }"
    case $line in
      'not ok '*) count=$((count + 1)) bad=$((bad + 1)); fail "$text" "see the next lines";;
      'ok '*'# SKIP '*) count=$((count + 1)); skip "${text% \# SKIP *}" "${line#*\# SKIP }";;
      'ok '*'# TODO'*) count=$((count + 1)) bad=$((bad + 1)); fail "$text" "nothing here is still to be done";;
      'ok '*) count=$((count + 1)); pass "$text";;
      1..*) plan=${line#1..};;
      'tap ended: '*) code=${line#tap ended: };;
      'Bail out!'*) fail "$name" "$line";;
      *) echo "$line";;
    esac
  done < <(code=0; "$@" 2>&1 || code=$?; echo "tap ended: $code")
  ((count)) || plan=nothing
  is "$name: it came to its end" "plan $plan, exit code $code" "plan $count, exit code $((bad > 0))"
}
client() { python3 "/lab/guest/$1.py" "${@:2}"; }
crowd() { client crowd qemu:///system crowd "$@"; }
records() { find /run/libvirt-hostdev -type f ! -name '*.lock' -printf '%f\n' 2> /dev/null | sort; }
same() { [[ $(snapshot_vfs) = "$before" && -z $(records) ]]; }

step "daemons that let in a crowd, and a host with all that a guest may ask for"
modprobe -a tun vfio-pci                 # libvirt opens the one for a user-mode interface, and asks for the other
libvirt_configure
grep -q ^max_anonymous_clients "/etc/libvirt/$LIBVIRTD.conf" ||
  printf '%s\n' 'max_clients = 5000' 'max_anonymous_clients = 1000' >> "/etc/libvirt/$LIBVIRTD.conf"
hostdevd_up
direct="qemu+unix:///system?socket=$STOCK/$SOCKET"

if [[ ${SIDES:-} = all ]]; then
  step "netdev.py: what a client sees that writes <netdev>"
  tap netdev client netdev qemu:///system "$direct"

  step "hostile.py: clients that break every rule"
  # libvirt 9.0 takes a minute here for a document of 100000 namespaces, with and without us.
  tap hostile env CLIENTS_DEADLINE=180 HOSTDEVD_LOG="$HOSTDEVD_LOG" python3 /lab/guest/hostile.py "/run/libvirt/$SOCKET"
fi

step "32 clients change one running domain at once"
igb_up "$PF1" 7; dualport_up "$PF2" 7; dualport_up "$PF3" 7
vfs=()                                   # "ADDRESS PORTS" of each: 7 with one port, 14 with two
for ((n = 0; n < 7; n++)); do
  vfs+=("$(vfaddr "$PF1" $n) 1" "$(vfaddr "$PF2" $n) 2" "$(vfaddr "$PF3" $n) 2")
  igb_mac "$PF1" $n "52:54:00:00:00:1$n"                          # without one it has another MAC after each probe
done
for ((; n < 18; n++)); do vfs+=("$(printf '0000:77:%02d.0 1' $n)"); done   # and 11 that are not there
before=$(snapshot_vfs)
mac() { printf '52:54:00:0%d:00:%02x' "$2" "$1"; }                # mac NUMBER PORT
# orders VERB VLAN: each one's change, live and in the config; with a VF that is not there, in the config only
orders() {
  local number address ports port netdevs where
  for number in "${!vfs[@]}"; do
    read -r address ports <<< "${vfs[number]}"
    netdevs='' where=both
    for ((port = 1; port <= ports; port++)); do netdevs+=$(netdev_xml $port "$(mac "$number" $port)" $(($2 + number))); done
    [[ $address != 0000:77:* ]] || where=config
    echo "$1 $where $(hostdev "$address" "$netdevs")"
  done
}
# wanted VLAN: "ADDRESS PORT MAC VLAN" of each netdev that should be there
wanted() {
  local number address ports port
  for number in "${!vfs[@]}"; do
    read -r address ports <<< "${vfs[number]}"
    for ((port = 1; port <= ports; port++)); do echo "$address $port $(mac "$number" $port) $(($1 + number))"; done
  done | sort
}
# set_on: the same, as the hardware has it
set_on() {
  local pf port dir index rest
  for pf in "$PF1" "$PF2" "$PF3"; do
    while read -r port dir; do
      ip -d -j link show "$(basename "$dir")" | jq -r '.[0].vfinfo_list[] | "\(.vf) \(.address) \(.vlan_list[0].vlan)"' |
        while read -r index rest; do echo "$(vfaddr "$pf" "$index") $((port + 1)) $rest"; done
    done < <(ports "$pf")
  done | sort
}
# agree TEXT VLAN: what clients see, what libvirt has, and what is on the hardware
agree() {
  local all live
  all=$(wanted "$2") live=$(wanted "$2" | grep -v ^0000:77:)
  is "$1: a client sees them all" "$(crowd live)" "$live"
  is "$1: and in the config" "$(crowd config)" "$all"
  is "$1: so are they on the hardware" "$(set_on)" "$live"
  is "$1: libvirt has an entry for each device" "$(stock_virsh dumpxml crowd | grep -c '<lh:address') $(stock_virsh dumpxml crowd --inactive | grep -c '<lh:address')" "21 32"
}
L2_PORTS=34 domain crowd "" > crowd.xml
ok "define" virsh -q define crowd.xml
ok "start" virsh -q start crowd
# together VERB VLAN [SED]: all at once
together() {
  local out
  if out=$(orders "$1" "$2" | sed "${3:-}" | crowd change); then pass "$1: $out"; else fail "$1" "$out"; fi
}
together attach 100
agree "attached" 100
together update 200
agree "updated" 200
ok "destroy" virsh -q destroy crowd
ok "all is put back" waitfor 60 same
together detach 200 's/^detach both/detach config/'
is "nothing is left" "$(crowd config)$(stock_virsh dumpxml crowd | grep -c 'urn:libvirt-hostdev' || true)" 0
ok "undefine" virsh -q undefine crowd

step "virt-install: a VF with netdevs, from its command line"
libvirt_restart                          # for it has no udev, and knows only those devices that were there when it started
dual=$(vfaddr "$PF2" 0) other=$(vfaddr "$PF3" 0) igb=$(vfaddr "$PF1" 0)
node() { echo "pci_${1//[:.]/_}"; }      # node ADDR: as libvirt's node devices are called
# xpath NAME VALUE...: options of virt-install and virt-xml that write what they have no name for
xpath() {
  local n=1
  for ((; $#; n++)); do printf ',xpath%d.set=%s,xpath%d.value=%s' "$n" "$1" "$n" "$2"; shift 2; done
}
netdevs=$(xpath "./netdev[1]/@port" 1 "./netdev[1]/mac/@address" 52:54:00:aa:00:01 "./netdev[1]/vlan/tag/@id" 42 \
  "./netdev[2]/@port" 2 "./netdev[2]/mac/@address" 52:54:00:aa:00:02 "./netdev[2]/vlan/tag/@id" 43)
install=(virt-install --import --disk none --memory 64 --virt-type qemu --graphics none --noautoconsole
  --osinfo "detect=off,require=off")
# flat DOMAIN [ARGS...]: the netdevs a client sees, "PORT MAC VLAN", on one line
flat() {
  virsh -q dumpxml "$@" |
    sed -n "/<netdev /,/<.netdev>/s/.*<\(netdev port\|mac address\|tag id\)='\([^']*\)'.*/\2/p" | tr '\n' ' '
}
both="1 52:54:00:aa:00:01 42 2 52:54:00:aa:00:02 43 "
"${install[@]}" --name vi --network none --hostdev "$(node "$dual")$netdevs" --print-xml > vi.xml
like "--print-xml has them" "$(tr -d '\n ' < vi.xml)" '<netdevport="1"><macaddress="52:54:00:aa:00:01"/>.*<netdevport="2">'
ok "virt-install, which starts it" "${install[@]}" --name vi --network none --hostdev "$(node "$dual")$netdevs"
is "it runs, with its netdevs" "$(virsh -q domstate vi) $(flat vi)" "running $both"
is "they are in the config" "$(flat vi --inactive)" "$both"
is "the VF is set" "$(vfget "$PF2" 0 address 1) $(vfget "$PF2" 0 'vlan_list[0].vlan' 2)" '"52:54:00:aa:00:01" 43'
ok "destroy" virsh -q destroy vi
ok "all is put back" waitfor 60 same
ok "virt-install with an <interface type='hostdev'>" "${install[@]}" --name vif --network "type=hostdev,mac=52:54:00:00:00:77$(
  xpath ./@managed yes ./source/address/@type pci ./source/address/@domain 0 ./source/address/@bus "0x${igb:5:2}" \
    ./source/address/@slot "0x${igb:8:2}" ./source/address/@function "0x${igb:11:1}" ./vlan/tag/@id 42)"
is "it has its VLAN" "$(vfget "$PF1" 0 'vlan_list[0].vlan')" 42
is "it is an interface to its client" "$(virsh -q dumpxml vif | grep -o '<interface .*\|<hostdev .*\|urn:libvirt-hostdev')" \
  "<interface type='hostdev' managed='yes'>"
is "libvirt has a hostdev and an entry" "$(stock_virsh -q dumpxml vif | grep -c "<interface \|<hostdev \|<lh:interface ")" 2
ok "destroy" virsh -q destroy vif
ok "undefine" virsh -q undefine vif

if [[ ${SIDES:-} = all ]]; then
  step "virt-xml: what it does not change stays"
  # rest: a document without what differs between a domain with netdevs and one without them
  rest() { sed "/<netdev /,/<.netdev>/d; /<uuid>/d; /<name>/d"; }
  { echo "<domain type='qemu'><name>bare</name>"; virsh -q dumpxml vi | rest | tail -n +2; } > bare.xml
  ok "a domain like it without netdevs, directly" stock_virsh -q define bare.xml
  ok "--edit --memory of that, directly" virt-xml --connect "$direct" bare --edit --memory 80
  ok "--edit --memory" virt-xml vi --edit --memory 80
  is "has done the same to both" "$(virsh -q dumpxml vi | rest)" "$(stock_virsh -q dumpxml bare | rest)"
  like "has changed the memory" "$(virsh -q dumpxml vi)" "81920"
  is "and not the netdevs" "$(flat vi)" "$both"
  ok "--add-device" virt-xml vi --add-device --hostdev "$(node "$other")"
  is "another device, without netdevs" "$(virsh -q dumpxml vi | grep -c '<hostdev ') $(flat vi)" "2 $both"
  ok "--edit of one VLAN" virt-xml vi --edit 1 --hostdev "$(xpath "./netdev[2]/vlan/tag/@id" 44 | cut -c2-)"
  is "is changed" "$(flat vi)" "${both/ 43/ 44}"
  ok "--remove-device, the other one" virt-xml vi --remove-device --hostdev 2
  is "leaves the first" "$(virsh -q dumpxml vi | grep -c '<hostdev ') $(flat vi)" "1 ${both/ 43/ 44}"

  step "virt-clone: the clone has the same netdevs"
  ok "clone" virt-clone --original vi --auto-clone --preserve-data
  ok "a clone of the one without netdevs, directly" virt-clone --connect "$direct" --original bare --auto-clone --preserve-data
  is "both clones are the same otherwise" "$(virsh -q dumpxml vi-clone | rest)" "$(stock_virsh -q dumpxml bare-clone | rest)"
  is "it has the same MAC addresses: it knows of none in a <hostdev>" "$(flat vi-clone)" "${both/ 43/ 44}"
  is "libvirt keeps them as it should" "$(stock_virsh -q dumpxml vi-clone | grep -c '<lh:netdev ') $(stock_virsh -q dumpxml vi-clone | grep -c '<netdev ' || true)" "2 0"
  virsh -q dumpxml vi-clone > clone.xml
  ok "its XML can be defined again" virsh -q define --validate clone.xml
  ok "it starts" virsh -q start vi-clone
  not_ok "not both at a time: they name one VF" "in use by.*vi-clone" virsh start vi
  ok "destroy" virsh -q destroy vi-clone
  ok "all is put back" waitfor 60 same
  ok "--remove-device of what has netdevs" virt-xml vi --remove-device --hostdev 1
  is "takes them along" "$(flat vi)$(stock_virsh -q dumpxml vi | grep -c urn:libvirt-hostdev || true)" 0
fi

step "same.py: what knows nothing of us notices nothing"
tap same client same "$direct" "qemu+unix:///system?socket=/run/libvirt/$SOCKET"
