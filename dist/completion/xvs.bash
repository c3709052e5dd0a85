# SPDX-License-Identifier: MIT
# bash completion for xvs(1).  Verbs, options and what belongs where are what 'xvs --help' and 'xvs VERB --help' say; guests are
# those that the daemon has, ports those that /etc/xvs/ports names, and the guest's that have a stream.

_xvs_help() { # [VERB]
    "${COMP_WORDS[0]}" "$@" --help 2>/dev/null
}

# The words that may stand at a place of the verb's usage: "GUEST", "PORT", "COMMAND", …
_xvs_at() { # VERB PLACE
    _xvs_help "$1" | sed -n "/^usage: \|^       xvs /{
        s/^usage: //; s/^ *xvs  *$1//; s/   .*//
        s/\[OPTION\.\.\.\]//; s/ -[a-z]\b//g; s/ \[--[a-z-]*\]//g; s/ | /|/g; s/[][]//g
        p
    }" | awk -v place="$2" '{ n = place <= NF ? place : ($NF ~ /\.\.\.$/ ? NF : 0); if (n) print $n }' | tr -d '.' | tr '|' '\n' | sort -u
}

# A name is a domain's, and could be anything: what a shell would read otherwise is not offered.
_xvs_guests() {
    "${COMP_WORDS[0]}" -q ls --json 2>/dev/null | sed -n 's/.*"name": *"\([A-Za-z0-9._-]*\)".*/\1/p'
}

# Those that have names, and those of a guest that are in use, which the daemon knows.
_xvs_ports() { # [GUEST]
    sed -n 's/^\([A-Za-z0-9._-]*\)[[:space:]][[:space:]]*[0-9].*/\1/p' /etc/xvs/ports 2>/dev/null
    [ -z "$1" ] || "${COMP_WORDS[0]}" -q dump --json "$1" 2>/dev/null | grep -oE '"peer": *\{"cid": *[0-9]+, *"port": *[0-9]+' |
        sed 's/.*[^0-9]//' | sort -un | head -n 50
}

_xvs_complete() {
    local current=${COMP_WORDS[COMP_CWORD]} verb='' place=0 i word before='' what
    COMPREPLY=()

    for ((i = 1; i < COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        case $word in
        --) [ -n "$verb" ] && place=-1 && break ;;
        -*) ;;
        *)
            # What belongs to an option in front of it is no place of its own.
            case ${COMP_WORDS[i - 1]} in
            -[a-zA-Z] | --*)
                _xvs_help ${verb:+"$verb"} | grep -qE -e "(^| |, )${COMP_WORDS[i - 1]}(, --[a-z-]+)? [A-Z]" && continue ;;
            esac
            if [ -z "$verb" ]; then verb=$word; else place=$((place + 1)) before=$word; fi
            ;;
        esac
    done

    if [ "$place" = -1 ]; then
        # shellcheck disable=SC2207 # one name a line
        [ $i = $((COMP_CWORD - 1)) ] && COMPREPLY=($(compgen -c -- "$current")) || COMPREPLY=($(compgen -f -- "$current"))
    elif [[ $current == -* ]]; then
        # shellcheck disable=SC2207
        COMPREPLY=($(compgen -W "$(_xvs_help ${verb:+"$verb"} | grep -oE -e '--[a-z][a-z-]+')" -- "$current"))
    elif [ -z "$verb" ]; then
        # shellcheck disable=SC2207
        COMPREPLY=($(compgen -W "$(_xvs_help | sed -n 's/^  \([a-z][a-z-]*\)  .*/\1/p')" -- "$current"))
    else
        for what in $(_xvs_at "$verb" $((place + 1))); do
            case $what in
            GUEST | PEER | SOURCE | DESTINATION) what=$(_xvs_guests) ;;
            PORT) what=$(_xvs_ports "$before") ;;
            *[A-Z]*) what=$(compgen -f -- "$current") ;;
            esac
            # shellcheck disable=SC2207
            COMPREPLY+=($(compgen -W "$what" -- "$current"))
        done
    fi
}

complete -F _xvs_complete xvs
