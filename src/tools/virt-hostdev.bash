# bash completion for virt-hostdev                                        -*- shell-script -*-
# SPDX-License-Identifier: LGPL-2.1-or-later

# What virt-hostdev status says of everything with a record: "0000:06:02.0|me|by hand", a line each.
_virt_hostdev_records()
{
    virt-hostdev status --json 2> /dev/null | awk -F '": "' '
        { sub(/",?$/, "") }
        $1 ~ /"device$/ { device = $2 }
        $1 ~ /"owner$/ { owner = $2 }
        $1 ~ /"state$/ && $2 != "" { print device "|" owner "|" $2 }'
}

# Commands and options are read from --help, so that this file does not have to follow them.
_virt_hostdev()
{
    local cur=${COMP_WORDS[COMP_CWORD]} command='' word i
    for ((i = 1; i < COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        case $word in
            -c | --connect | --root) i=$((i + 1)) ;;
            -*) ;;
            *) command=$word; break ;;
        esac
    done
    if [[ -z $command ]]; then
        word=$(virt-hostdev --help | sed -n '/^Commands:/,/^$/s/^  \([a-z-]*\) .*/\1/p')
        mapfile -t COMPREPLY < <(compgen -W "$word --connect --root --json --help --version" -- "$cur")
    elif [[ "${COMP_WORDS[*]:COMP_CWORD-2:2} $cur" =~ (^|\ )--to(\ =)?\ ?=?([a-z]*)$ ]]; then
        # "--to=st" comes as one word or, where = breaks words, as three.
        mapfile -t COMPREPLY < <(compgen -W "stock netdev interface" -- "${BASH_REMATCH[3]}")
    elif [[ $cur == -* ]]; then
        word=$(virt-hostdev "$command" --help | grep -o -- '--[a-z-]*')
        mapfile -t COMPREPLY < <(compgen -W "$word" -- "$cur")
    else
        case $command in
            dumpxml | unmanage) mapfile -t COMPREPLY < <(compgen -W "$(virsh -q list --all --name 2> /dev/null)" -- "$cur") ;;
            new) mapfile -t COMPREPLY < <(compgen -W "$(virt-hostdev list --json 2> /dev/null | sed -n 's/.*"name": "\([0-9a-f]\{4,\}:.*\)".*/\1/p' | sort -u)" -- "$cur") ;;
            recover) mapfile -t COMPREPLY < <(compgen -W "$(_virt_hostdev_records | cut -d "|" -f 1)" -- "$cur") ;;
            release) mapfile -t COMPREPLY < <(compgen -W "$(_virt_hostdev_records | sed -n 's/^[^|]*|\(.*\)|by hand$/\1/p')" -- "$cur") ;;
            *) mapfile -t COMPREPLY < <(compgen -f -- "$cur") ;;
        esac
    fi
}
complete -F _virt_hostdev virt-hostdev
