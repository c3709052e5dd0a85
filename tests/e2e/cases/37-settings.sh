# SPDX-License-Identifier: MIT
# What an administrator has in several files, for several guests, and where he has made mistakes.

# drop_in NAME TEXT: a file beside the configuration.
drop_in() {
    mkdir -p "$CONF.d"
    printf '%s\n' "$2" >"$CONF.d/$1"
}

test_each_error_of_each_file_is_told_by_the_check() { # short
    disturb
    rm -rf "$CONF.d"
    config "attach = sometimes" "colour = red"
    drop_in 10-guests.conf "[guest guest*]
cid = 7
connect_rate = many"
    drop_in 20-more.conf "byte_rate = 1M"
    policy "* @any @any perhaps"
    xvsd --check-config --config "$CONF" >"$T/out" 2>"$T/err" && fail "it is good"
    for _said in "xvsd.conf:2: attach = sometimes: it must be auto or manual" "xvsd.conf:3: colour: there is no such key" \
        "10-guests.conf:2: cid: it is one guest's" "10-guests.conf:3: connect_rate = many: it must be no, or a number" \
        "20-more.conf:1: byte_rate is in no section" "50-test.policy:1: perhaps: an action is allow or deny"; do
        grep -qF "$_said" "$T/err" || fail "it does not say \"$_said\": $(cat "$T/err")"
    done
    equal "$(wc -l <"$T/err")" 6 "so many lines"
    config
    policy
    drop_in 10-guests.conf "[guest guest*]"
    rm "$CONF.d/20-more.conf"
    xvsd --check-config --config "$CONF" >"$T/out" 2>&1 || fail "it is bad: $(cat "$T/out")"
    rm -rf "$CONF.d"
}

# A file that comes beside it, and a reload: guests of the name may ask for two connections a second, the host for as many as it likes.
test_a_guest_asks_for_no_more_connections_than_it_may() { # short
    disturb
    drop_in 10-rates.conf "[guest guest1*]
connect_rate = 1, burst 2"
    on dom0 xvs reload </dev/null >/dev/null || fail "reload"
    rm -rf "$CONF.d"
    talk g guest1
    ask g "up" "up ok"
    talk h dom0
    ask h "listen l ${GUEST1}_7400" "listen l ok"
    ask g "connect a 2:7400" "connect a ok"
    _n=0
    tell g "connect b$_n 2:7400"
    answer g
    while [ "$_answer" = "connect b$_n ok" ]; do
        _n=$((_n + 1))
        [ "$_n" -lt 1000 ] || fail "it may ask for as many as it likes"
        tell g "connect b$_n 2:7400"
        answer g
    done
    equal "$_answer" "connect b$_n ECONNREFUSED" "the one that is too many"
    wait_for 'grep -q "guest1 .*asks for more connections than it may: connect_rate = 1, burst 2" "$T/dom0/xvsd.log"' 10 "the log says so"
    ask g "listen m 7401" "listen m ok"
    for _n in 1 2 3 4 5; do ask h "connect h$_n $GUEST1:7401" "connect h$_n ok"; done
}

# A stream of xvs's takes two descriptors of the daemon's, and has the second one when the first was all that was left.  The worker stands
# still, so that nobody has been let in yet when the last one comes.
test_with_few_descriptors_callers_wait_and_do_not_hang() { # short
    [ "$E2E_PLATFORM" = hosted ] || skip "processes of another host"
    disturb
    drop_in 10-few.conf "[guest guest1*]
max_files = 4"
    on dom0 xvs reload </dev/null >/dev/null || fail "reload"
    rm -rf "$CONF.d"
    spawn server guest1 xvs serve 7500 -- sh -c 'cat >/dev/null; echo done'
    worker=$(child worker)
    kill -STOP "$worker"
    for _n in 1 2 3 4 5 6 7 8; do spawn "call$_n" dom0 sh -c 'echo x | exec xvs cat -r 20 guest1 7500'; done
    nap
    kill -CONT "$worker"
    for _n in 1 2 3 4 5 6 7 8; do equal "$(status_of "call$_n" 20) $(cat "$PEER/call$_n.out")" "0 done" "call $_n"; done
}

# What people have for a channel of virtio-serial's works as it is: here a client and a server of qemu-guest-agent's protocol.
test_a_client_of_a_guest_agent_s_channel_works_as_it_is() { # short
    disturb
    command -v socat >/dev/null || skip "socat is not here"
    drop_in 10-channel.conf "[guest guest1]
channel org.qemu.guest_agent.0 = 1024"
    on dom0 xvs reload </dev/null >/dev/null || fail "reload"
    rm -rf "$CONF.d"
    _socket=$RUN/guest/guest1/channel/org.qemu.guest_agent.0
    wait_for '[ -S "$_socket" ]' 5 "the channel"
    # It says something for each line, until there is no more.
    # shellcheck disable=SC2016 # expanded over there
    spawn server guest1 xvs serve 1024 -- sh -c 'while read -r line; do case $line in *guest-ping*) echo "{\"return\":{}}";; *) echo "{\"error\":{}}";; esac; done'
    wait_for 'equal_answer "{\"execute\":\"guest-ping\"}" "{\"return\":{}}"' 10 "an answer"
    equal_answer '{"execute":"x"}
{"execute":"guest-ping"}' '{"error":{}}
{"return":{}}' || fail "it says: $_said"
}
equal_answer() {
    _said=$(printf '%s\n' "$1" | on dom0 socat -t 20 - "UNIX-CONNECT:$_socket" 2>/dev/null)
    [ "$_said" = "$2" ]
}
