#!/bin/bash
# help.sh VIRT-HOSTDEV MANPAGE.rst VIRTHOSTDEVD MANPAGE.rst: --help and the manual pages know the same commands, options
# and order
# SPDX-License-Identifier: LGPL-2.1-or-later
set -euo pipefail
tool=$1 page=$2 daemon=$3 daemonPage=$4 bad=0

differ() { diff <(echo "$2") <(echo "$3") || { echo "$1: --help (<) and the manual page (>) differ"; bad=1; }; }

commands=$("$tool" --help | sed -n '/^Commands:/,/^$/s/^  \([a-z-]*\) .*/\1/p')
[ "$(wc -l <<< "$commands")" -ge 12 ] || { echo "--help lists too few commands"; exit 1; }
# shellcheck disable=SC2016 # reST's quotes
described=$(sed -n '/^COMMANDS$/,/^EXIT STATUS$/s/^``\([a-z-]*\)``.*/\1/p' "$page")
differ "commands" "$(sort <<< "$commands")" "$(sort <<< "$described")"

global=$("$tool" --help | sed -n '/^Options:/,/^$/p' | grep -o -- '--[a-z-]*' | sort)
differ "options" "$global" "$(sed -n '/^OPTIONS$/,/^COMMANDS$/s/^``.*/&/p' "$page" | grep -o -- '--[a-z-]*' | sort)"

for command in $commands; do
  # The command's own: what its help has beyond the tool's.
  own=$("$tool" "$command" --help | grep -oE -- '^  (-[a-z], )?--[a-z-]*' | grep -o -- '--[a-z-]*' |
    grep -vxE -- '--(help|connect|root|json)' | sort || :)
  differ "$command" "$own" "$(sed -n "/^COMMANDS\$/,/^EXIT STATUS\$/s/^\`\`$command\`\`.*/&/p" "$page" | grep -o -- '--[a-z-]*' | sort || :)"
done
differ "virthostdevd" "$("$daemon" --help | grep -o -- '^  -., --[a-z-]*' | grep -o -- '--.*' | sort)" \
  "$(sed -n '/^OPTIONS$/,/^SIGNALS$/s/^``.*/&/p' "$daemonPage" | grep -o -- '--[a-z-]*' | sort)"
exit $bad
