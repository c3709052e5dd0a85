# SPDX-License-Identifier: MIT
# What does not come about says so; and the host's convention for connecting, to the letter.

# A refusal is an answer: one that waited for a time limit would be ETIMEDOUT (script.c).
test_nobody_listens_in_the_guest() { # short
    both guest1
    ask h "connect a $GUEST1:6001" "connect a ECONNREFUSED"
}
test_nobody_listens_on_the_host() { # short
    both guest1
    ask g "connect a 2:6001" "connect a ECONNREFUSED"
}
# The socket file is there, but its program has died.
test_a_dead_socket_on_the_host() {
    both guest1
    on dom0 e2e_host "listen l ${GUEST1}_6002" quit </dev/null >/dev/null
    [ -S "${GUEST1}_6002" ] || fail "no socket file was left"
    ask g "connect a 2:6002" "connect a ECONNREFUSED"
    rm -f "${GUEST1}_6002"
}
test_an_unknown_cid() { # short
    talk g guest1
    ask g "up" "up ok"
    ask g "connect a 977:6003" "connect a ECONNREFUSED"
    ask g "connect a 0:6003" "connect a EINVAL"
    ask g "connect a 4294967295:6003" "connect a EINVAL"
}
# No agent runs in the guest: the device is not up, and the host is told, not kept waiting.
test_no_agent_in_the_guest() { # short
    talk h dom0
    ask h "connect a $GUEST1:6004" "connect a ECONNREFUSED"
}
test_a_full_backlog_refuses() {
    both guest1
    ask g "listen l 6005 1" "listen l ok"
    ask h "connect a $GUEST1:6005" "connect a ok"
    ask h "connect b $GUEST1:6005" "connect b ECONNREFUSED"
    ask g "accept a l" "accept a ok"
    ask h "connect c $GUEST1:6005" "connect c ok"
}

# ---- the text: CONNECT <port>\n ----

# said TEXT: what the daemon and the guest's echo on port 6010 answer, with socat and nothing of ours.
said() {
    # shellcheck disable=SC2059,SC2016 # the text is a format
    printf "$1" | on dom0 timeout $((60 * SLOW)) socat -t 60 - "UNIX-CONNECT:$GUEST1"
}
with_echo() {
    on dom0 which socat >/dev/null 2>&1 </dev/null || skip "no socat on this platform"
    talk g guest1
    ask g "up" "up ok"
    ask g "listen l 6010" "listen l ok"
    tell g "echo l"
    heard g "echo l ready"
}
test_socat_as_the_host_s_client() { # short
    with_echo
    got=$(said 'CONNECT 6010\n' | sed 's/^OK [0-9]*$/OK N/')
    equal "$got" "OK N" "CONNECT without data"
}
# What follows the newline in the same write belongs to the guest.
test_payload_with_connect_is_not_swallowed() { # short
    with_echo
    got=$(said 'CONNECT 6010\nhello\nCONNECT 1\n' | sed 's/^OK [0-9]*$/OK N/' | tr '\n' '|')
    equal "$got" "OK N|hello|CONNECT 1|" "payload behind CONNECT"
}
test_the_keyword_in_any_case() {
    with_echo
    got=$(said 'connect 6010\nx\n' | sed 's/^OK [0-9]*$/OK N/' | tr '\n' '|')
    equal "$got" "OK N|x|" "connect in lower case"
}
test_what_is_no_connect_line_is_closed_without_a_word() {
    with_echo
    for line in 'HELLO\n' 'CONNECT\n' 'CONNECT x\n' 'CONNECT -1\n' 'CONNECT 4294967296\n' 'CONNECT 6010 1\n' \
        'CONNECT                          6010\n' 'CONNECT 00000000000000000000000000000000006010\n' '\n'; do
        equal "$(said "$line" 2>/dev/null)" "" "the answer to '$line'"
    done
}
# A client that says nothing, or stops in the middle of the line, keeps nobody else waiting.
test_a_client_that_stops_in_the_line_blocks_nobody() {
    with_echo
    mkdir -p "$PEER"
    mkfifo "$PEER/silent.in"
    exec 9<>"$PEER/silent.in"
    SPAWN_IN=$PEER/silent.in
    spawn silent dom0 socat - "UNIX-CONNECT:$GUEST1"
    SPAWN_IN=
    printf 'CONN' >&9
    got=$(said 'CONNECT 6010\nx\n' | sed 's/^OK [0-9]*$/OK N/' | tr '\n' '|')
    equal "$got" "OK N|x|" "another client"
}
# Host ports are given out from 2^30 up.
test_host_ports_begin_at_2_to_the_30() {
    with_echo
    port=$(said 'CONNECT 6010\n' | sed -n 's/^OK //p')
    [ "$port" -ge 1073741824 ] || fail "the host's port is $port"
}
