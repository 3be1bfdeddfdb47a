# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# suites: trixie
# What a card says about itself (VPD), as stock libvirt, lspci and virt-hostdev read it: cards that are as they should be, and
# careless ones. Then through virthostdevd, where Nova looks for serial numbers. SIDES=all has all cards; else a few.
. /lab/guest/lib.sh

few='good checksum no-end twice'
[[ ${SIDES:-} != all ]] || few=$(python3 /lab/guest/vpdgen.py | cut -d' ' -f1 | tr '\n' ' ')

nodedev() { echo "pci_${1//[:.]/_}"; }
# in_libvirt: what libvirt's node device of the first card has
in_libvirt() {
  virsh nodedev-dumpxml "$(nodedev "$PF1")" | python3 -c '
import sys, lxml.etree as e
vpd = e.parse(sys.stdin).find(".//capability[@type=\"vpd\"]")
sn = vpd is not None and vpd.find("fields/serial_number")
print("nothing" if vpd is None else "no serial number" if sn is None else sn.text or "an empty one")'
}
in_lspci() {
  local all
  all=$(lspci -vvs "$PF1")
  if [[ $all != *"Vital Product Data"* ]]; then echo "nothing"; return; fi
  all=$(sed -n 's/.*\[SN\] Serial number: *//p' <<< "$all" | awk '{ sub(/ +$/, ""); all = all (NR > 1 ? " and " : "") $0 } END { print all }')
  echo "${all:-no serial number}"
}
in_ours() {
  virt-hostdev --json list | jq -r --arg pf "$PF1" '.pfs[] | select(.name == $pf) |
    (.serial // "no serial number") + (if .vpd_flaw then "; libvirt: " + .vpd_flaw else "" end)'
}

# short TEXT: a long number has a letter, and how often; what is no ASCII is a question mark
short() { LC_ALL=C tr -c '[:print:]\n' '?' <<< "$1" | sed -E 's/S{255}/255 times S/'; }

libvirt_up
modprobe igb
for variant in $few; do
  step "$variant"
  card "$variant"; bind "$PF1" igb; waitfor 10 netdev "$PF1"
  cell "$variant" libvirt "$(short "$(in_libvirt)")"
  cell "$variant" lspci "$(short "$(in_lspci)")"
  cell "$variant" virt-hostdev "$(short "$(in_ours)")"
done
if [[ ${SIDES:-} = all ]]; then
  table tables/vpd.rst vpd
else
  python3 /lab/guest/table.py /lab/docs/tables/vpd.rst vpd > cells.page
  is "a few lines of docs/tables/vpd.rst" "$(grep -Ff <(cut -f1 cells | sort -u | sed 's/$/\t/') cells.page | sort)" "$(sort cells)"
fi

step "through virthostdevd"
card checksum checksum; igb_up "$PF1" 1; igb_up "$PF2" 1
hostdevd_up
for dev in "$PF1" "$(vfaddr "$PF1" 0)"; do
  is "stock libvirt shows no VPD of $dev" "$(stock_virsh nodedev-dumpxml "$(nodedev "$dev")" | grep -c vpd || true)" 0
  like "ours does" "$(virsh nodedev-dumpxml "$(nodedev "$dev")" | tr -d '\n ')" \
    "<capabilitytype='vpd'><name>ConnectX-6DxEN</name><fieldsaccess='readonly'>.*<serial_number>MT2113X00001</serial_number>"
done
is "the document is otherwise the same" "$(virsh nodedev-dumpxml "$(nodedev "$PF1")" | sed "/<capability type='vpd'>/,/<\/capability>/d")" \
  "$(stock_virsh nodedev-dumpxml "$(nodedev "$PF1")")"
is "Nova finds the serial number of a VF" "$(as_nova --serial "$(nodedev "$(vfaddr "$PF1" 0)")")" MT2113X00001
vfs "$PF1" 0; vfs "$PF2" 0
card good
is "what stock libvirt shows is left as it is" "$(virsh nodedev-dumpxml "$(nodedev "$PF1")")" "$(stock_virsh nodedev-dumpxml "$(nodedev "$PF1")")"
