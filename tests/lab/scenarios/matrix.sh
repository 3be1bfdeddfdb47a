# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# What each driver can do: every setting is set through virt-hostdev, read from the kernel, and released; or it is
# refused, and nothing has changed. The outcomes are the cells of a table in docs/drivers.rst.
# suites: none
. /lab/guest/lib.sh

drivers=(igb netdevsim dualport "dualport IB" "dualport mlx4" "dualport switchdev")

# The rows: what it is | what the VF has before, for ip | attributes of <netdev> | its children | where ip shows it
# (field of vfinfo_list; "profile": the driver's log has it; of a <function>, in place of attributes, "function NAME") | and
# what it is then. Few processes a cell: each of them is slow in an emulated machine.
rows() {
  cat <<'R'
MAC address|mac 52:54:00:00:00:11||<mac address='52:54:00:aa:00:02'/>|address|"52:54:00:aa:00:02"
VLAN|vlan 7 qos 2||<vlan><tag id='4094'/></vlan>|vlan_list[0].vlan|4094
VLAN priority|vlan 7 qos 2||<vlan><tag id='7' priority='5'/></vlan>|vlan_list[0].qos|5
VLAN protocol 802.1ad|vlan 7||<vlan><tag id='7' protocol='802.1ad'/></vlan>|vlan_list[0].protocol|"802.1ad"
trust: yes|trust off|trustGuestRxFilters='yes'||trust|true
trust: no|trust on|trustGuestRxFilters='no'||trust|false
spoof check: yes|spoofchk off|spoofCheck='yes'||spoofchk|true
spoof check: no|spoofchk on|spoofCheck='no'||spoofchk|false
link: auto|state enable||<link state='auto'/>|link_state|"auto"
link: up|state auto||<link state='up'/>|link_state|"enable"
link: down|state auto||<link state='down'/>|link_state|"disable"
highest rate|max_tx_rate 300||<bandwidth><outbound average='12207'/></bandwidth>|rate.max_tx|100
highest rate, below 1 Mb/s|max_tx_rate 300||<bandwidth><outbound average='1'/></bandwidth>|rate.max_tx|1
lowest rate|max_tx_rate 300||<bandwidth><outbound average='12207' floor='1221'/></bandwidth>|rate|{"max_tx":100,"min_tx":10}
node GUID|node_guid 02:00:00:00:00:00:00:01||<guid node='02:11:22:33:44:55:66:77'/>|"node guid"|"02:11:22:33:44:55:66:77"
port GUID|port_guid 02:00:00:00:00:00:00:02||<guid port='02:11:22:33:44:55:66:78'/>|"port guid"|"02:11:22:33:44:55:66:78"
both GUIDs|||<guid node='02:11:22:33:44:55:66:79' port='02:11:22:33:44:55:66:7a'/>|"node guid",."port guid"|"02:11:22:33:44:55:66:79" "02:11:22:33:44:55:66:7a"
802.1Qbh port profile|||<virtualport type='802.1Qbh'><parameters profileid='gold'/></virtualport>|profile|gold
RoCE: no||<function roce='no'/>||function roce|0
migratable: no||<function migratable='no'/>||function migratable|0
IPsec crypto offload: yes||<function ipsecCrypto='yes'/>||function ipsec_crypto|1
IPsec packet offload: yes||<function ipsecPacket='yes'/>||function ipsec_packet|1
I/O event queues||<function maxIoEqs='16'/>||function max_io_eqs|16
R
}

# Each brings up VF 0 of a PF and says where it is: PF and VF, the PORT, its netdev IFNAME, ROOT (an option for
# virt-hostdev, or nothing), ADMIN_GUID (the file with the port GUID, where it is in sysfs).
use_pf() {
  PF=$1 PORT=$2 ROOT='' ADMIN_GUID='' VF=$(vfaddr "$1" 0) IFNAME=$(netdev "$1" "$2")
}
use_igb() {
  igb_up "$PF1" 1; use_pf "$PF1" 1
  waitfor 20 grep -q 1 "/sys/class/net/$IFNAME/carrier"       # igb takes no rate without a link
  ip link set "$IFNAME" vf 0 mac 52:54:00:00:00:11
  rebind "$VF"; waitfor 10 netdev "$VF"
}
use_dualport() { dualport_again; dualport_up "$PF2" 1; use_pf "$PF2" 1; }
use_dualport_ib() { dualport_again ib_ports=2; dualport_up "$PF2" 1; use_pf "$PF2" 2; }
use_dualport_mlx4() {
  dualport_again ib_ports=2 admin_guids=1; dualport_up "$PF2" 1; use_pf "$PF2" 2
  ADMIN_GUID=$(echo "$PCI/$PF"/infiniband/*/iov/ports/2/admin_guids/1)
}
use_dualport_switchdev() {
  dualport_down; dualport_again devlink=Y; dualport_up "$PF2" 1
  devlink dev eswitch set "pci/$PF2" mode switchdev; up "$PF2"
  use_pf "$PF2" 1
}
# dualport_again PARAMETER...: the module with these
dualport_again() {
  ! grep -q ^dualport /proc/modules || rmmod dualport
  modprobe dualport "$@"
}
use_netdevsim() {
  ROOT=--root=/run/matrix-root ADMIN_GUID='' PORT=1
  IFNAME=$(netdevsim_up 1 /run/matrix-root) VF=$(netdevsim_vf 0) PF=''
}

# look: LINK is what ip shows of the port, GUID and PROFILE what it does not; SNAPSHOT all there is to know of the VF
look() {
  local file log=/sys/kernel/debug/dualport/$PF/log functions=/sys/kernel/debug/dualport/$PF/functions
  FUNCTION=''
  [[ ! -e $functions ]] || FUNCTION=$(< "$functions")
  LINK=$(ip -d -j link show "$IFNAME" 2> /dev/null) GUID='' PROFILE=''
  [[ ! $ADMIN_GUID ]] || GUID=$(< "$ADMIN_GUID")
  # the last that the switch was asked for, if that was not the end of it
  if [[ -e $log && $(< "$log") =~ .*' vport request='(.)' profile='([^ ]*)' '[^$'\n']*' -> 0' ]]; then
    [[ ${BASH_REMATCH[1]} != 2 ]] || PROFILE=${BASH_REMATCH[2]}
  fi
  SNAPSHOT="$LINK GUID $GUID profile $PROFILE function $FUNCTION"
  for file in "$PCI/$VF"/net/*/{address,addr_assign_type}; do
    [[ ! -e $file ]] || SNAPSHOT+=$'\n'"$file $(< "$file")"
  done
}
# shown FIELD: what the VF has, as it was at the last look
shown() {
  case $1:$GUID in
    profile:*) echo "$PROFILE";;
    function*) sed -n "s/^vf 0 port $PORT .*\b${1#* } \([0-9]*\).*/\1/p" <<< "$FUNCTION";;
    '"port guid":'?*) printf '%016x' "0x$GUID" | sed 's/../&:/g; s/\(.*\):/"\1"/';;
    *) jq -c ".[0].vfinfo_list[]? | select(.vf == 0) | .$1" <<< "$LINK" | paste -sd ' ';;
  esac
}
# begin_with SETTING: as an administrator would have set it, where the driver lets him
begin_with() {
  # shellcheck disable=SC2086   # words
  if ! ip link set "$IFNAME" vf 0 $1 2> /dev/null && [[ $ADMIN_GUID && $1 = port_guid* ]]; then
    tr -d : <<< "${1#* }" > "$ADMIN_GUID"
  fi
}
# errno_name TEXT: EPERM of "Operation not permitted"
errno_name() {
  perl -MErrno -e 'for (sort keys %!) { $! = Errno->$_; print, exit if $! eq $ARGV[0] and $_ ne "ENOTSUP" }' "$1"
}

# try TITLE BEFORE ATTRIBUTES CHILDREN FIELD VALUE: try it; OUTCOME says how it went
try() {
  local text="$driver: $1" xml="<netdev port='$PORT'${3:+ $3}>$4</netdev>" had before said now
  [[ ! $2 ]] || begin_with "$2"
  if [[ $3 = "<function"* ]]; then
    xml=$3
    if [[ $driver = *switchdev ]]; then # its driver leaves the VF, and then finds the MAC address that was set meanwhile
      rebind "$VF"; waitfor 10 netdev "$VF" 2
    fi
  fi
  look; before=$SNAPSHOT
  hostdev "$VF" "$xml" > one.xml
  if said=$(virt-hostdev ${ROOT:+"$ROOT"} apply --owner matrix one.xml 2>&1); then
    had=$(shown "$5"); look; now=$(shown "$5")
    case $now in
      "$6") OUTCOME='set';;
      ''|null) OUTCOME='not shown';;
      *) OUTCOME='not set'; is "$text: set" "$now" "$6";;
    esac
    [[ $now != "$had" ]] || OUTCOME='as it is'
    ok "$text: released" virt-hostdev ${ROOT:+"$ROOT"} release matrix
  else
    like "$text: refused in a clear message" "$said" \
      "Cannot set .+ on port $PORT \(VF 0 of $IFNAME, $VF\): .+\. .+|There is no port function for port [12] \(VF 0 of .+, $VF\)\. .+"
    case $said in
      *"in which the switch does that"*) OUTCOME="the switch's";;
      *"no port function"*) OUTCOME='no function';;
      *)
        said=$(sed -n "1s/.*$VF): \([^.(]*[^.( ]\).*/\1/p" <<< "$said")
        ERRNO[$said]=${ERRNO[$said]:-$(errno_name "$said")} OUTCOME=${ERRNO[$said]};;
    esac
  fi
  look
  is "$text: everything as before" "$SNAPSHOT" "$before"
  ok "$text: nothing remembered" [ ! -e "${ROOT#--root=}/run/libvirt-hostdev/$VF" ]
}

declare -A ERRNO
for driver in "${drivers[@]}"; do
  step "$driver"
  "use_$(tr 'A-Z ' 'a-z_' <<< "$driver")"
  while IFS='|' read -r title before attributes children field value <&3; do
    try "$title" "$before" "$attributes" "$children" "$field" "$value"
    cell "$title" "$driver" "$OUTCOME"
  done 3< <(rows)
done

step "the table"
table drivers.rst matrix

step "a driver that lacks something"
use_dualport
echo 1 > "/sys/kernel/debug/dualport/$PF/no_trust"
look; before=$SNAPSHOT
hostdev "$VF" "<netdev port='1' trustGuestRxFilters='yes'><mac address='52:54:00:aa:00:02'/></netdev>" > one.xml
not_ok "plan foresees it" "does not report" virt-hostdev plan one.xml
not_ok "apply is refused" "trust.*port 1.*not supported" virt-hostdev apply --owner me one.xml
look; is "everything as before" "$SNAPSHOT" "$before"
is "nothing remembered" "$(virt-hostdev status)" ""

step "a port profile is waited for"
echo 1 > "/sys/kernel/debug/dualport/$PF/reset"
echo 1500 > "/sys/kernel/debug/dualport/$PF/vport_ms"
hostdev "$VF" "<netdev port='1'><virtualport type='802.1Qbh'><parameters profileid='gold'/></virtualport></netdev>" > one.xml
since=${EPOCHREALTIME/./}
ok "apply" virt-hostdev apply --owner me one.xml
like "until the switch has answered" "$((${EPOCHREALTIME/./} - since))" '^(1[5-9]|[2-9].|...+).{5}$'
ok "release" virt-hostdev release me
look; is "and it ends" "$PROFILE" ""

step "a port profile that the switch refuses"
echo 261 > "/sys/kernel/debug/dualport/$PF/vport_response"
look; before=$SNAPSHOT
not_ok "apply says what the switch said" \
  "Cannot set port profile gold on port 1 \(VF 0 of $IFNAME, $VF\): Protocol error \(the switch answered: error\)\. " \
  virt-hostdev apply --owner me one.xml
look; is "the association has ended, and everything is as before" "$SNAPSHOT" "$before"
is "nothing remembered" "$(virt-hostdev status)" ""
rmmod dualport                                   # its parameters are for here alone
