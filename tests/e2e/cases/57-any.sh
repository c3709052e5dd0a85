# SPDX-License-Identifier: MIT
# One listener for all guests: RUN/any/vsock_PORT, which hears who calls.

ANY=$RUN/any/vsock

# Both guests are up, and h is in dom0.
three() {
    talk h dom0
    talk g guest1
    talk k guest2
    ask g "up" "up ok"
    ask k "up" "up ok"
}
# from STREAM GUEST PEER: h's stream begins with who calls: the address that the daemon knows as well.
from() {
    tell h "line $1"
    answer h
    _line=${_answer#"line $1 "}
    # shellcheck disable=SC2086 # words
    set -- $_line "$2" "$3"
    equal "$1 $2 $4" "FROM $6 $5" "the line of $5"
    on dom0 xvs dump "$5" </dev/null >"$T/dump"
    grep -q "\"\{0,1\}port\"\{0,1\}: *$3\b" "$T/dump" || fail "$5 has no stream from port $3: $(cat "$T/dump")"
}

test_a_listener_for_all_guests_hears_who_calls() { # short, xen
    three
    ask h "listen L ${ANY}_5700" "listen L ok"
    for who in g:guest1:101 k:guest2:102 g:guest1:101; do
        peer=${who%%:*} cid=${who##*:} name=${who#*:}
        name=${name%:*}
        ask $peer "connect a 2:5700" "connect a ok"
        ask h "accept a L" "accept a ok"
        # The guest's first byte comes behind the line, and in both directions nothing else does.
        ask $peer "send a 100000" "send a ok"
        from a $name $cid
        ask h "recv a 100000" "recv a ok"
        ask h "send a 100000" "send a ok"
        ask $peer "recv a 100000" "recv a ok"
        ask $peer "shutdown a wr" "shutdown a ok"
        ask h "eof a" "eof a ok"
        ask h "close a" "close a ok"
        ask $peer "eof a" "eof a ok"
        ask $peer "close a" "close a ok"
    done
    # A stream without a byte has its line, too.
    ask g "connect b 2:5700" "connect b ok"
    ask g "close b" "close b ok"
    ask h "accept b L" "accept b ok"
    tell h "line b"
    answer h
    case $_answer in "line b FROM 101 "*" guest1") ;; *) fail "$_answer" ;; esac
    ask h "eof b" "eof b ok"
    ask h "close b" "close b ok"
}

test_a_guest_s_own_listener_goes_first() { # short
    three
    ask h "listen A ${ANY}_5701" "listen A ok"
    ask h "listen O ${GUEST1}_5701" "listen O ok"
    ask g "connect a 2:5701" "connect a ok"
    ask h "accept a O" "accept a ok"
    ask g "send a 1000" "send a ok"
    ask h "recv a 1000" "recv a ok"             # and no line before it
    ask h "accept b A 0" "accept b ETIMEDOUT"
    ask k "connect b 2:5701" "connect b ok"
    ask h "accept b A" "accept b ok"
    from b guest2 102
    # What a program left behind that was killed is nobody.
    ask h "unlisten O" "unlisten O ok"
    spawn left dom0 e2e_host "listen L ${GUEST1}_5701" "sleep 600000"
    wait_for '[ -S "${GUEST1}_5701" ]' 10 "a listener that is to be killed"
    signal left KILL
    status_of left >/dev/null
    [ -S "${GUEST1}_5701" ] || fail "no left-over"
    ask g "connect c 2:5701" "connect c ok"
    ask h "accept c A" "accept c ok"
    from c guest1 101
    # But what stands at a guest's own name and is no socket decides: nobody else is called in its place.
    rm -f "${GUEST1}_5701"
    mkdir "${GUEST1}_5701"
    ask g "connect d 2:5701" "connect d ECONNREFUSED"
    rmdir "${GUEST1}_5701"
    ask h "unlisten A" "unlisten A ok"
    ask g "connect e 2:5701" "connect e ECONNREFUSED"
    ask k "connect e 2:5701" "connect e ECONNREFUSED"
}

# A listener that goes before it has accepted has lost what came: that is no end in order.
test_a_listener_for_all_that_goes_resets_who_waits() {
    three
    ask h "listen L ${ANY}_5702" "listen L ok"
    ask g "connect a 2:5702" "connect a ok"
    ask h "unlisten L" "unlisten L ok"
    ask g "eof a" "eof a ECONNRESET"
    # …and so has one that closes without having read who called.
    ask h "listen L ${ANY}_5702" "listen L ok"
    ask g "connect b 2:5702" "connect b ok"
    ask h "accept b L" "accept b ok"
    ask h "close b" "close b ok"
    ask g "eof b" "eof b ECONNRESET"
    # One that has read it and says its own ends in order.
    ask g "connect c 2:5702" "connect c ok"
    ask h "accept c L" "accept c ok"
    from c guest1 101
    ask h "send c 5000" "send c ok"
    ask h "close c" "close c ok"
    ask g "recv c 5000" "recv c ok"
    ask g "eof c" "eof c ok"
}

# What is in any/ is connected to with the same care as what is in a guest's directory.
test_nothing_but_a_listener_s_own_socket_is_called_for_all() { # short
    talk h dom0
    talk r dom0
    talk g guest1
    ask g "up" "up ok"
    ask r "listen R $T/dom0/root.sock" "listen R ok"
    : >"$T/dom0/file"
    for what in link-to-socket link-to-nothing fifo directory file hard-link moved; do
        at=${ANY}_5704
        case $what in
        link-to-socket) ln -s "$T/dom0/root.sock" "$at" ;;
        link-to-nothing) ln -s "$T/dom0/nothing" "$at" ;;
        fifo) mkfifo "$at" ;;
        directory) mkdir "$at" ;;
        file) : >"$at" ;;
        # A move is one of a socket that was bound under another name: it sees a connection that ends at once.
        hard-link | moved) [ "$(stat -c %d "$T/dom0")" = "$(stat -c %d "$RUN/any")" ] || continue
            if [ $what = moved ]; then mv "$T/dom0/root.sock" "$at"; else ln "$T/dom0/root.sock" "$at"; fi ;;
        esac
        before=$(grep -c "a connection to a host program is refused: $at" "$T/dom0/xvsd.log")
        ask g "connect a 2:5704" "connect a ECONNREFUSED"
        [ "$(grep -c "a connection to a host program is refused: $at" "$T/dom0/xvsd.log")" -gt "$before" ] ||
            fail "$what: the log does not say why"
        [ $what = moved ] || ask r "accept a R 0" "accept a ETIMEDOUT"
        rm -rf "$at"
    done
    [ -e "$T/dom0/file" ] || fail "a file is gone"
    # …and a listener is called there again.
    ask h "listen L ${ANY}_5704" "listen L ok"
    ask g "connect b 2:5704" "connect b ok"
    ask h "accept b L" "accept b ok"
    from b guest1 101
}

# Who may listen there is a decision of its own: whoever is let into the guests' directories is not let in there.
test_who_may_listen_for_all_guests_the_settings_say() {
    # shellcheck source=/dev/null
    . "$E2E_HERE/cases/55-intruders.sh"
    with_a_group
    three
    reload "socket_mode = 0660" "socket_group = $GROUP"
    equal "$(stat -c '%a %u' "$RUN/any")" "700 0" "the directory while [any] is not in the settings"
    equal "$(as_member $ANN "$T/dom0/e2e_host" "listen L ${ANY}_5705" 2>&1 | grep -v '^script')" "listen L EACCES" "a member of [daemon]'s group"
    reload "[any]" "socket_mode = 0660" "socket_group = $GROUP"
    equal "$(stat -c '%a %u %g' "$RUN/any")" "1770 0 $GID" "the directory with [any]"
    equal "$(stat -c %a "$RUN/guest/guest1")" 700 "a guest's directory with [any] alone"
    spawn m dom0 "$T/dom0/e2e_intruder" $ANN "$GID" "$T/dom0/e2e_host" "listen L ${ANY}_5705" "accept a L" "line a" \
        "recv a 1000" "send a 1000"
    wait_for '[ -S "${ANY}_5705" ]' 10 "the member's socket"
    # Nobody removes it, or takes its name, but its owner.
    as_member $BOB rm -f "${ANY}_5705" 2>/dev/null && fail "another member has removed it"
    as_member $BOB mv "${ANY}_5705" "${ANY}_5706" 2>/dev/null && fail "another member has renamed it"
    as_stranger ls "$RUN/any" >/dev/null 2>&1 && fail "a stranger looks into any/"
    ask k "connect a 2:5705" "connect a ok"
    ask k "send a 1000" "send a ok"
    ask k "recv a 1000" "recv a ok"
    equal "$(status_of m)" 0 "the member's program"
    grep -q "^line a FROM 102 [0-9]* guest2$" "$PEER/m.out" || fail "the member heard: $(cat "$PEER/m.out")"
    rm -f "${ANY}_5705"
    # xvs serve does as well; and as its user may not ask at the guests' own sockets how streams end, it does not promise to.
    # shellcheck disable=SC2016 # expanded over there
    spawn s dom0 "$T/dom0/e2e_intruder" $BOB "$GID" env "LD_LIBRARY_PATH=$T/dom0" "XVS_RUN_DIR=$RUN" "$T/dom0/xvs" serve 5708 any -- \
        sh -c 'echo "$XVS_PEER_NAME"; cat'
    wait_for '[ -S "${ANY}_5708" ]' 10 "the socket of xvs serve"
    equal "$(stat -c '%a %u' "${ANY}_5708")" "755 $BOB" "the socket of xvs serve, of one who may not vouch"
    signal k TERM
    status_of k >/dev/null
    equal "$(echo hello | on guest2 xvs cat -r 60 host 5708 | tr '\n' '|')" "guest2|hello|" "what guest2 heard"
    echo hello | on guest2 xvs cat host 5708 >/dev/null || fail "a stream in order is none: $?"
    signal s TERM
    status_of s >/dev/null
    reload
    equal "$(stat -c %a "$RUN/any" "$RUN" | tr '\n' ' ')" "700 $(stat -c %a "$RUN") " "the directory afterwards"
    as_member $ANN ls "$RUN/any" >/dev/null 2>&1 && fail "a member looks into any/ afterwards"
    disturb
}

# A dialer that is new knows the directory, and so does a daemon that is new; the listener stays.
test_a_listener_for_all_outlives_the_daemon_and_its_dialer() { # short
    disturb
    three
    ask h "listen L ${ANY}_5707" "listen L ok"
    for round in 1 2; do
        if [ $round = 1 ]; then
            for p in $(cat "/proc/$(daemon_pid)/task/$(daemon_pid)/children"); do
                tr '\0' ' ' <"/proc/$p/cmdline" | grep -q -e --dialer && kill -KILL "$p"
            done
        else
            kill_daemon
            ask g "down" "down ok"
            ask k "down" "down ok"
            start_daemon
            ask g "up" "up ok"
            ask k "up" "up ok"
        fi
        ask g "connect a 2:5707" "connect a ok"
        ask h "accept a L" "accept a ok"
        from a guest1 101
        ask h "close a" "close a ok"
        ask g "eof a" "eof a ok"
        ask g "close a" "close a ok"
    done
}

# ---- xvs serve PORT any ----

test_serve_any_runs_a_command_for_each_guest() { # short
    spawn server dom0 xvs serve 5710 any -- sh -c 'echo "$XVS_PEER_NAME $XVS_PEER_CID $XVS_LOCAL_CID:$XVS_LOCAL_PORT"; cat; echo end'
    wait_for '[ -S "${ANY}_5710" ]' 10 "the socket of xvs serve"
    for name in guest1 guest2 guest1; do
        cid=10${name#guest}
        equal "$(echo hello | on $name xvs cat -r 60 host 5710 | tr '\n' '|')" "$name $cid 2:5710|hello|end|" "what $name heard"
    done
    # A listener of the guest's own has the same in its environment, and goes first.
    spawn own dom0 xvs serve 5710 guest1 -- sh -c 'echo "own $XVS_PEER_NAME $XVS_PEER_CID $XVS_LOCAL_CID:$XVS_LOCAL_PORT"; cat'
    wait_for '[ -S "${GUEST1}_5710" ]' 10 "the socket of the guest's own"
    equal "$(echo hello | on guest1 xvs cat host 5710 | tr '\n' '|')" "own guest1 101 2:5710|hello|" "what guest1 heard"
    equal "$(echo hello | on guest2 xvs cat host 5710 | tr '\n' '|')" "guest2 102 2:5710|hello|end|" "what guest2 heard"
    signal server TERM
    status_of server >/dev/null
    [ ! -e "${ANY}_5710" ] || fail "its socket is left"
}

test_cat_and_ping_listen_for_all_guests() {
    spawn listener dom0 sh -c "exec xvs cat -v -l 5713 any </dev/null"
    wait_for '[ -S "${ANY}_5713" ]' 10 "the socket of xvs cat"
    echo hello | on guest2 xvs cat -r 60 host 5713 || fail "xvs cat ended with $?"
    equal "$(status_of listener 20)" 0 "the listener's exit status"
    equal "$(cat "$PEER/listener.out")" hello "what came"
    grep -q "connection from CID 102 port" "$PEER/listener.err" || fail "it does not say who called: $(cat "$PEER/listener.err")"
    [ ! -e "${ANY}_5713" ] || fail "its socket is left"
    spawn echo dom0 xvs ping -l 5714 any
    wait_for '[ -S "${ANY}_5714" ]' 10 "the socket of xvs ping"
    on guest1 xvs ping -r 60 -f -c 20 host 5714 </dev/null >/dev/null || fail "xvs ping ended with $?"
    signal echo TERM
    status_of echo >/dev/null
}

# It vouches for its streams as one that serves one guest: its death, or its command's, is no end in order.
test_serve_any_that_dies_is_no_end_in_order() {
    for how in killed failed; do
        # shellcheck disable=SC2016 # expanded over there
        spawn server dom0 xvs serve 5711 any -- sh -c 'read -r word; echo "$word"; [ "$word" = go ] || exit 3; exec sleep 600'
        wait_for '[ -S "${ANY}_5711" ]' 10 "the socket of xvs serve"
        word=go status=6
        [ $how = killed ] || word=fail status=5
        mkfifo "$PEER/words"
        exec 9<>"$PEER/words"           # which has a writer as long as this runs
        SPAWN_IN=$PEER/words
        spawn client guest1 xvs cat -r 60 host 5711
        SPAWN_IN=
        echo "$word" >&9
        wait_for 'grep -q . "$PEER/client.out" || has_ended client' 20 "the command answers"
        [ $how = failed ] || signal server KILL
        equal "$(status_of client 20)" $status "the status of a client whose server has $how"
        has_ended server || signal server TERM
        status_of server >/dev/null
        exec 9<&-
        rm -f "$PEER/words" "${ANY}_5711"
    done
}

# The directory of a guest comes with its domain, and may go and come again.
test_serve_goes_on_for_a_guest_that_comes_later_and_that_reboots() { # short
    [ "$E2E_PLATFORM" = hosted ] || skip "hosted Xen shows it as well"
    disturb
    crash guest2
    wait_for '! attached guest2' 10 "guest2 is gone"
    rm -rf "$RUN/guest/guest2"
    spawn server dom0 xvs serve 5712 guest2 -- sh -c 'echo "$XVS_PEER_NAME"; cat'
    wait_for 'grep -q "waiting for it" "$PEER/server.err"' 10 "xvs serve says what it waits for"
    for round in 1 2 3; do
        create guest2 || fail "cannot create guest2"
        wait_for 'attached guest2 && [ -S "${GUEST2}_5712" ]' 10 "the socket of xvs serve, round $round"
        on guest2 mkdir -p "$T/guest2" </dev/null
        equal "$(echo hello | on guest2 xvs cat -r 60 host 5712 | tr '\n' '|')" "guest2|hello|" "round $round"
        crash guest2
        wait_for '! attached guest2' 10 "guest2 is gone again"
        # Its socket keeps the directory; somebody may tidy up all the same.
        [ $round = 1 ] || rm -rf "$RUN/guest/guest2"
    done
    has_ended server && fail "xvs serve has ended: $(tail -n 2 "$PEER/server.err")"
    signal server TERM
    equal "$(status_of server)" 143 "the status of xvs serve"
    create guest2 || fail "cannot create guest2"
}
