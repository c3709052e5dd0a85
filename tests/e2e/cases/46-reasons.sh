# SPDX-License-Identifier: MIT
# Why: each cause of a refusal and of a reset is told from the others, wherever somebody asks, and from one guest to another.

# refused HOST STATUS WORDS PEER PORT: what a caller there says.
refused() {
    on "$1" xvs cat "$4" "$5" >"$T/refused.out" 2>"$T/refused.err" </dev/null
    equal $? "$2" "the exit status on $1 for port $5 of $4 ($(cat "$T/refused.err"))"
    grep -q -- "$3" "$T/refused.err" || fail "on $1, of port $5 of $4, '$3' is not said: $(cat "$T/refused.err")"
}
# why_says PORT ANSWER: what the daemon says at guest1's socket to whoever was refused without a word.
why_says() {
    wait_for "[ \"\$(printf 'WHY $1\\n' | socat -t 10 - UNIX-CONNECT:$RUN/guest/guest1/vsock)\" = '$2' ]" 10 "the daemon says '$2'"
}

test_each_cause_of_a_refusal_is_told_from_the_others() { # short
    disturb
    policy "8011 @unix guest1 deny" "* @unix guest1 allow" "8021 guest1 @unix deny" "* guest1 @unix allow" \
        "8031 guest1 guest2 deny" "* guest1 guest2 allow"
    on dom0 xvs reload </dev/null || fail "reload"
    # The host calls.
    refused dom0 11 "its vsock device is attached, no program has it open" guest1 8010
    talk g guest1
    ask g "up" "up ok"
    refused dom0 4 "nobody listens at port 8010 of guest1" guest1 8010
    refused dom0 9 "the policy of this host forbids you port 8011 of guest1" guest1 8011
    ask g "listen l 8012 1" "listen l ok"
    spawn first dom0 xvs cat guest1 8012
    wait_for "on dom0 xvs dump --json guest1 </dev/null | grep -q '\"state\":\"ESTABLISHED\"'" 10 "the first caller waits"
    refused dom0 10 "the program that listens at port 8012 of guest1 is busy" guest1 8012
    signal first TERM
    # Whoever says CONNECT may ask.
    for port in 8010 8011; do
        printf 'CONNECT %s\n' $port | socat -t 5 - "UNIX-CONNECT:$RUN/guest/guest1/vsock" >/dev/null
    done
    why_says 8010 "REFUSED 8010 nobody"
    why_says 8011 "REFUSED 8011 policy"
    why_says 8019 "UNKNOWN 8019"
}

test_a_guest_is_told_why_it_is_refused() { # short
    command -v python3 >/dev/null || skip "needs python3, for a host program that does not accept or read"
    disturb
    policy "8021 guest1 @unix deny" "* guest1 @unix allow" "8031 guest1 guest2 deny" "* guest1 @any allow"
    on dom0 xvs reload </dev/null || fail "reload"
    refused guest1 4 "nobody listens at port 8020 of host" host 8020
    refused guest1 9 "the policy of the host forbids this guest port 8021 of host" host 8021
    # A listener that does not accept: a UNIX socket's backlog of 0 has room for one.
    spawn full dom0 python3 -c "import socket, time; s = socket.socket(socket.AF_UNIX); s.bind('$RUN/guest/guest1/vsock_8022'); s.listen(0); c = socket.socket(socket.AF_UNIX); c.connect('$RUN/guest/guest1/vsock_8022'); print('full', flush=True); time.sleep(1000)"
    wait_for "grep -q full $PEER/full.out" 10 "its backlog is full"
    refused guest1 10 "the program that listens at port 8022 of host is busy" host 8022
    wait_for "grep -q 'guest1.*a connection is refused: port 8022: a program listens at that port, and its backlog is full' $T/dom0/xvsd.log" \
        10 "the log tells of the backlog"
    mkdir "$RUN/guest/guest1/vsock_8023"
    refused guest1 4 "what is at port 8023 of host is no socket that can be connected to" host 8023
    rmdir "$RUN/guest/guest1/vsock_8023"
    # Another guest: one that is not there, one without a program, one where nobody listens, and one that it may not reach.
    refused guest1 3 "no guest has the CID 4711" 4711 8030
    refused guest1 11 "no program in 102 has its vsock device open" 102 8030
    talk k guest2
    ask k "up" "up ok"
    refused guest1 4 "nobody listens at port 8030 of 102" 102 8030
    refused guest1 9 "the policy of the host forbids this guest port 8031 of 102" 102 8031
    ask k "listen l 8032 1" "listen l ok"
    end_spawned
}

# A guest that may reach no other learns nothing of the others, not even which there are.
test_a_guest_that_may_reach_no_other_does_not_learn_which_there_are() {
    disturb
    policy "* guest1 @unix allow"
    on dom0 xvs reload </dev/null || fail "reload"
    talk k guest2
    ask k "up" "up ok"
    for cid in 102 103 4711; do
        refused guest1 9 "the policy of the host forbids this guest port 8040 of $cid" $cid 8040
    done
}

# From a command in one guest to its caller in another, through the relay.
test_a_command_s_status_travels_from_guest_to_guest() { # short
    disturb
    policy "* guest1 guest2 allow"
    on dom0 xvs reload </dev/null || fail "reload"
    spawn server guest2 xvs serve 8050 -- sh -c 'cat >/dev/null; echo half; exit 28'
    on guest1 sh -c "head -c 100000 /dev/zero | xvs cat -r 20 102 8050" </dev/null >"$T/out" 2>"$T/err"
    equal $? 5 "the caller's exit status ($(cat "$T/err"))"
    grep -q "ended with status 28; 5 bytes had come and 100000 had been sent" "$T/err" || fail "the caller says: $(cat "$T/err")"
    equal "$(cat "$T/out")" half "what the command had said by then"
    end_spawned
}

# A guest's program that does not read, and a host's that does not: the dump says which, and for how long already.
test_a_stream_that_stands_still_is_explained() { # short
    command -v python3 >/dev/null || skip "needs python3, for a host program that does not accept or read"
    talk g guest1
    ask g "up" "up ok"
    ask g "listen l 8061" "listen l ok"
    spawn writer dom0 sh -c "exec xvs cat guest1 8061 </dev/zero"
    wait_for "on dom0 xvs dump guest1 </dev/null | grep -q \"says: data of the host's program waits for the guest's program, which does not read\"" 20 \
        "the dump says who waits for whom"
    # The other way round: it sends, and nobody reads.
    spawn deaf dom0 python3 -c "import socket, time; s = socket.socket(socket.AF_UNIX); s.bind('$RUN/guest/guest1/vsock_8060'); s.listen(1); c = s.accept(); print('deaf', flush=True); time.sleep(1000)"
    wait_for "[ -S $RUN/guest/guest1/vsock_8060 ]" 10 "the deaf one listens"
    ask g "connect a 2:8060" "connect a ok"
    tell g "send a 3000000"
    wait_for "on dom0 xvs dump guest1 </dev/null | grep -q \"says: .* bytes of the guest's wait for the host's program, which does not read\"" 20 \
        "the dump says who waits for whom"
    on dom0 xvs dump guest1 </dev/null >"$T/dump"
    grep -q "for_ms: " "$T/dump" || fail "the dump does not say since when: $(cat "$T/dump")"
    grep -q "in_seen: " "$T/dump" || fail "the dump has no rings: $(cat "$T/dump")"
    on dom0 xvs why guest1 8060 </dev/null >"$T/why"
    equal $? 1 "the status of xvs why ($(cat "$T/why"))"
    grep -q "^broken *credit *1 stream stands still, of 1" "$T/why" || fail "why: $(cat "$T/why")"
    end_spawned
}

test_why_goes_through_the_chain_as_it_is_mended() { # short
    disturb
    policy "* guest2 @unix allow"
    on dom0 xvs reload </dev/null || fail "reload"
    why() { # STATUS WORDS
        on dom0 xvs why guest1 8070 </dev/null >"$T/why"
        equal $? "$1" "the status of xvs why ($(cat "$T/why"))"
        grep -q "$2" "$T/why" || fail "why does not say '$2': $(cat "$T/why")"
    }
    why 11 "^broken *program *attached, no program has it open"
    talk g guest1
    ask g "up" "up ok"
    why 9 "^broken *policy *it forbids port 8070 in both directions: no line of the policy allows it"
    policy "8070 @unix guest1 allow"
    on dom0 xvs reload </dev/null || fail "reload"
    why 0 "^unknown *listener *no program of this host listens for the guest at port 8070"
    on dom0 xvs cat guest1 8070 </dev/null 2>/dev/null
    equal $? 4 "the status of xvs cat"
    why 4 "^broken *listener *the last time you were refused port 8070 of guest1: nobody listens at that port"
    ask g "listen l 8070" "listen l ok"
    spawn caller dom0 xvs cat guest1 8070
    wait_for 'on dom0 xvs why guest1 8070 </dev/null | grep -q "^good *listener *1 stream goes by port 8070"' 10 "a stream goes by the port"
    why 0 "^good *credit *none of them stands still"
    on dom0 xvs why nobody 1 </dev/null >"$T/why"
    equal $? 3 "the status for a guest that is not there"
    end_spawned
}
