# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# suites: trixie
# The commands of docs/kbase/dual-port-vf.rst, as they stand there, on a dual-port PF.
. /lab/guest/lib.sh

dualport_up "$PF2" 0
libvirt_up
# The page's literal blocks: lines behind "# " are typed, and so is what stands in a here document.
awk '/^   # / { print substr($0, 6); here = /EOF_XML/; next }
     here && /^   / { print substr($0, 4); if (/^   EOF_XML$/) here = 0; next }
     here && /^$/ { print "" }' /usr/share/doc/libvirt-hostdev/kbase/dual-port-vf.rst > commands
is "the page has its commands" "$(grep -c . commands)" 40
step "before the guest ends"
sed '/^virsh destroy/,$d' commands > first
ok "every command succeeds" bash -ex first
is "port 2 has its VLAN" "$(vfget "$PF2" 0 'vlan_list[0].vlan' 2)" 43
step "and after"
sed -n '/^virsh destroy/,$p' commands > second
ok "every command succeeds" bash -ex second
is "port 2 has none" "$(vfget "$PF2" 0 'vlan_list[0].vlan // 0' 2)" 0
