#!/bin/bash
# SPDX-License-Identifier: MIT
#
# python.sh: the module xvs on a hosted Xen: what needs no Xen, then dom0 to a guest, a guest to dom0 (by its own directory and by that
# of all guests), and a guest to another.  XVS_BIN is the build directory; BINDINGS=NAME runs that test alone.
. "$(dirname "$0")/lib.sh"

tests() { # TITLE DOMAIN NAME=VALUE... MODULE
    local title=$1 domain=$2
    shift 2
    echo "-- $title"
    on "$domain" env "${@:1:$#-1}" python3 "$here/sentences.py" "${@: -1}" >out 2>&1
    cat out
    add_up out
}

tests "without Xen" 0 test_plain
peer web1 guest
tests "dom0 to a guest" 0 PEER_GUEST=web1 PEER_CID=101 IDLE_GUEST=db1 test_host
tests "a guest to another guest" db1 PEER_CID=101 test_guest
end_peer
peer 0 host web1
tests "a guest to dom0" web1 PEER_CID=2 test_guest
end_peer
peer 0 any
tests "a guest to who listens for all guests" db1 PEER_CID=2 test_guest
end_peer

test_ types_are_right_by_mypy
if ! command -v mypy >/dev/null; then skip "no mypy"; else
    (cd "$top/bindings/python" && mypy --strict --cache-dir "$dir/mypy" xvs) >err 2>&1 || bad "mypy --strict"
    end
fi
finish
