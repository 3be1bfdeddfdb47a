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

_virt_hostdev_addresses()
{
    virt-hostdev list --json 2> /dev/null | sed -n 's/.*"name": "\([0-9a-f]\{4,\}:.*\)".*/\1/p' | sort -u
}

# Commands and options are read from --help, so that this file does not have to follow them. Words end at white space
# here; readline has them end at = and : too, and replaces only what stands behind the last of these.
_virt_hostdev()
{
    local line=${COMP_LINE:0:COMP_POINT} words cur command='' offered i
    read -ra words <<< "$line"
    [[ $line != *[[:space:]] ]] || words+=('')
    cur=${words[-1]}
    for ((i = 1; i < ${#words[@]} - 1; i++)); do
        case ${words[i]} in
            -c | --connect | --root) i=$((i + 1)) ;;
            -*) ;;
            *) command=${words[i]}; break ;;
        esac
    done
    if [[ -z $command ]]; then
        offered=$(virt-hostdev --help | sed -n '/^Commands:/,/^$/s/^  \([a-z-]*\) .*/\1/p')
        offered+=" --connect --root --json --help --version"
    elif [[ $cur == --to=* ]]; then
        offered="--to=stock --to=netdev --to=interface"
    elif [[ ${words[-2]} == --to ]]; then
        offered="stock netdev interface"
    elif [[ $cur == -* ]]; then
        offered=$(virt-hostdev "$command" --help | grep -o -- '--[a-z-]*')
    else
        case $command in
            dumpxml | unmanage | resolve) offered=$(virsh -q list --all --name 2> /dev/null) ;;
            pool-info | pool-dumpxml | pool-undefine)
                offered=$(virt-hostdev pool-list --json 2> /dev/null | sed -n 's/.*"name": "\(.*\)".*/\1/p') ;;
            profile-dumpxml | profile-undefine)
                offered=$(virt-hostdev profile-list --json 2> /dev/null | sed -n 's/.*"name": "\(.*\)".*/\1/p') ;;
            new) offered=$(_virt_hostdev_addresses) ;;
            recover) offered=$(_virt_hostdev_records | cut -d "|" -f 1) ;;
            release) offered=$(_virt_hostdev_records | sed -n 's/^[^|]*|\(.*\)|by hand$/\1/p') ;;
            *) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        esac
    fi
    mapfile -t COMPREPLY < <(compgen -W "$offered" -- "$cur")
    line=${cur%"${cur##*[=:]}"}
    COMPREPLY=("${COMPREPLY[@]#"$line"}")
}
complete -F _virt_hostdev virt-hostdev
