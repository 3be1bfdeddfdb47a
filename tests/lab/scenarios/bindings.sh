# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# What clients of libvirt that have no window can do with netdevs, with virthostdevd in front: their columns of the table
# in docs/clients.rst. What they said stays in the share, clients/.
# suites: none
# tree: clients
. /lab/guest/lib.sh
. /lab/guest/clients.sh

virsh_client() {
  case $1 in
    show) virsh -q dumpxml --inactive "$2";;
    edit) printf '#!/bin/sh\nsed -i "s|%s|%s|" "$1"\n' "$3" "$4" > editor; chmod +x editor; EDITOR=$PWD/editor virsh -q edit "$2";;
    attach | update | detach) virsh -q "$1-device" "$2" "$3" --live;;
    *) virsh -q "$@";;
  esac
}

python_client() { in_tree python3 /lab/guest/askclient.py python "$@"; }

# libvirt-dbus has a bus of its own: the plain flavour has none.
dbus_client() { in_tree env "DBUS_SYSTEM_BUS_ADDRESS=unix:path=$PWD/bus" python3 /lab/guest/askclient.py dbus "$@"; }
dbus_up() {
  in_tree dbus-daemon --session --address="unix:path=$PWD/bus" --fork --print-pid > bus.pid
  in_tree env "DBUS_SYSTEM_BUS_ADDRESS=unix:path=$PWD/bus" libvirt-dbus --system > libvirt-dbus.log 2>&1 & libvirt_dbus=$!
}

go_client() { in_tree /usr/local/bin/asgo go "$@"; }
go_defined() {
  go_client typed vm > typed.xml
  is "libvirtxml's types have the device, and no netdevs" "$(grep -c '<hostdev ' typed.xml) $(flat < typed.xml)" "1 "
}

# Terraform's provider defines what a stylesheet makes of its domain, here that of the documentation.
terraform_client() {
  [[ $1 != define ]] || { grep -v "<hostdev " "$2" > plain.xml; set -- define plain.xml vf.xsl; }
  in_tree /usr/local/bin/asgo terraform "$@"
}
stylesheet() { # ADDR: with this VF
  sed -n 's/^   //; /^<xsl:stylesheet/,/^<\/xsl:stylesheet>/p' /usr/share/doc/libvirt-hostdev/kbase/terraform-ansible.rst |
    sed "s|<address domain=.*|$(address "$1")|"
}

# Ansible's module, one task at a time. Its answer is JSON behind "localhost | CHANGED => ".
ansible_client() {
  local verb=$1 task
  case $verb in
    define) task="command=define xml='{{ lookup(\"file\", \"$PWD/$2\") }}'";;
    show) task="name=$2 command=get_xml";;
    edit) ansible_client show "$2" > edited.xml; sed -i "s|$3|$4|" edited.xml; ansible_client define edited.xml; return;;
    start) task="name=$2 state=running";;
    destroy) task="name=$2 state=destroyed";;
    undefine) task="name=$2 command=undefine";;
    *) return "$CANNOT";;
  esac
  in_tree env ANSIBLE_LOCALHOST_WARNING=False ANSIBLE_PYTHON_INTERPRETER=/usr/bin/python3 \
    ansible localhost -m community.libvirt.virt -a "$task" > answer || { cat answer; return 1; }
  if [[ $verb = show ]]; then sed '1s/.*=> //' answer | jq -r .get_xml; fi
}
ansible_defined() {
  like "Ansible has changed something" "$(head -n 1 answer)" "CHANGED"
  ok "it defines the same again" ansible_client define vm.xml
  like "and has changed nothing" "$(head -n 1 answer)" "SUCCESS"
}

# virt-install and virt-xml. What they have no name for is an XPath to them.
tools_client() {
  case $1 in
    define) virt-install --import --disk none --memory 96 --virt-type qemu --graphics none --noautoconsole --network none \
      --osinfo "detect=off,require=off" --name vm --hostdev "$(node "$DUAL")$(xpath 42 43)"; virsh -q destroy vm;;
    edit)
      if [[ $3 = *Memory* ]]; then virt-xml "$2" --edit --memory 80
      else virt-xml "$2" --edit 1 --hostdev "xpath1.set=./netdev[2]/vlan/tag/@id,xpath1.value=44"; fi;;
    start) virt-xml "$2" --edit --memory 80 --start;;
    attach) virt-xml "$2" --add-device --hostdev "$(node "$PLUG")$(xpath 42 43)" --update;;
    update) virt-xml "$2" --edit 1 --hostdev "xpath1.set=./netdev[2]/vlan/tag/@id,xpath1.value=46" --update;;
    detach) virt-xml "$2" --remove-device --hostdev 1 --update;;
    *) return "$CANNOT";;
  esac
}
xpath() { # VLAN VLAN: both netdevs
  local n=0 what
  for what in "[1]/@port=1" "[1]/mac/@address=52:54:00:01:02:03" "[1]/vlan/tag/@id=$1" \
    "[2]/@port=2" "[2]/mac/@address=52:54:00:01:02:04" "[2]/vlan/tag/@id=$2"; do
    n=$((n + 1)); printf ',xpath%d.set=./netdev%s,xpath%d.value=%s' $n "${what%=*}" $n "${what##*=}"
  done
}

step "two VFs, and two domains"
clients_up
tree_up
stylesheet "$DUAL" > vf.xsl
dbus_up

column virsh virsh
column python Python
column go Go
column terraform Terraform
column dbus D-Bus
column ansible Ansible
column tools virt-xml
kill "$libvirt_dbus" "$(cat bus.pid)"

step "the table"
table clients.rst clients
