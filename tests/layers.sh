#!/bin/bash
# layers.sh: includes go one way: util <- conf <- hypervisor <- qemu <- rpc <- filter, daemon <- hook, tools
# SPDX-License-Identifier: LGPL-2.1-or-later
set -euo pipefail
cd "$(dirname "$0")/.."
declare -A rank=([util]=1 [conf]=2 [hypervisor]=3 [qemu]=4 [rpc]=5 [filter]=6 [daemon]=6 [hook]=7 [tools]=7)
bad=0 seen=0
while IFS=: read -r file line; do
  [[ $file =~ ^src/([a-z]+)/ ]]
  from=${BASH_REMATCH[1]}
  [[ $line =~ \"([a-z]+)/ ]] || continue
  to=${BASH_REMATCH[1]} seen=$((seen + 1))
  if [ -z "${rank[$to]:-}" ] || [ "${rank[$to]}" -gt "${rank[$from]}" ] ||
    { [ "${rank[$to]}" = "${rank[$from]}" ] && [ "$to" != "$from" ]; }; then
    echo "$file includes $to/"
    bad=1
  fi
done < <(grep -rH '^#include "' src --include='*.[ch]')
# What a layer must not know at all.
! grep -rlE '<(libxml|expat)' src/util || bad=1
! grep -rlE '<(netlink|sys/socket)' src/conf || bad=1
! grep -rlE '<libvirt/' src/util src/conf src/hypervisor src/qemu src/hook || bad=1
# Only one provider knows VFs and their ports.
knows=$(grep -rlP '\b(virtVF(?!IO)|virtPort|virtNet[dD]ev)|util/virnetdev' src/hypervisor | grep -v '/provider_netdev\.[ch]$' || :)
[ -z "$knows" ] || { echo "VFs and ports are known in: $knows"; bad=1; }
# XML has one door, one more behind it, and one for what libvirt itself has written (docs/threat-model.rst).
doors=$(grep -rnoE '\b(XML_ParserCreate|xml(Ctxt|Text)?Read(er)?[A-Z]|xmlParse[A-Z]|xmlSAX|g_markup_parse)\w*' src | cut -d: -f1,3 | sort -u | tr '\n' ' ')
[ "$doors" = "src/conf/domain_devices.c:XML_ParserCreate src/conf/schema.c:xmlCtxtReadMemory src/conf/xml_tree.c:XML_ParserCreateNS " ] ||
  { echo "XML is parsed by: $doors"; bad=1; }
# The licence is a line of its own, which tools read.
files=$(grep -rL '^ \* SPDX-License-Identifier: LGPL-2.1-or-later$' src --include='*.[ch]')
[ -z "$files" ] || { echo "no SPDX line: $files"; bad=1; }
[ "$seen" -gt 50 ] || { echo "only $seen includes found"; bad=1; }
exit $bad
