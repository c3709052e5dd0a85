#!/bin/bash
# SPDX-License-Identifier: MIT
# broker.sh: many programs of a guest use the device that the agent has, some of them hostile.
. "$(dirname "$0")/lib.sh"

settings() {
    printf "$1" >agent.conf
    kill -HUP "$agent"
    readings=$((readings + 1))
    has_read() { [ "$(grep -c 'read anew' agent.log)" -ge $readings ]; }
    wait_for has_read
}
readings=0
where=$dir/host/run/dom1
py() { on web1 python3 "$here/broker.py" "$@"; }
# background FILE command...: its job is job, its standard input the FIFO that 'go' writes into.
background() {
    local out=$1
    shift
    rm -f fifo; mkfifo fifo
    "$@" <fifo >"$out" 2>&1 &
    job=$!
    exec 8>fifo
}
go() { echo >&8; exec 8>&-; wait $job || bad "it says: $(tail -n 1 "$1")"; }

head -c 8388608 /dev/urandom >big
until_true test -S "$where/vsock" || { cat agent.log; exit 1; }
limit=3600 on 0 xvs serve 501 web1 -- cat >serve.log 2>&1 </dev/null &
limit=3600 on 0 xvs serve 502 web1 -- sh -c 'exec cat >/dev/null' >serve2.log 2>&1 </dev/null &
limit=3600 on 0 xvs ping -l 503 web1 >ping.log 2>&1 </dev/null &
until_true on web1 xvs cat -q host 501 </dev/null
until_true on web1 xvs cat -q host 502 </dev/null
until_true on web1 xvs ping -q -c 1 host 503

if test_ programs_use_the_device_that_the_agent_has_without_being_told; then
    on web1 xvs cat host 501 <big >back 2>err || bad "cat: status $?"
    cmp big back || bad "8 MiB are not the same"
    on web1 xvs ping -c 3 host 503 >out 2>err || bad "ping: status $?"
    run web1 xvs serve 7000 -- sh -c 'env; cat' 2>err
    wait_for test -S "$where/vsock_7000"
    echo input >in
    on 0 xvs cat web1 7000 <in >out 2>err || bad "serve: status $?"
    for l in XVS_PEER_CID=2 XVS_LOCAL_CID=101 XVS_LOCAL_PORT=7000 input; do grep -qx "$l" out || bad "no $l"; done
    grep -q XVS_PEER_NAME out && bad "a name in a guest"
    # All at once, beside the agent's own.
    on 0 xvs exec web1 -- true 2>err || bad "exec"
    kill "$pid"; wait $job 2>/dev/null
    wait_for test ! -e "$where/vsock_7000"
    status 4 xvs cat web1 7000 </dev/null
    # A second program at the same port is told whose it is.
    run web1 xvs serve 7000 -- cat 2>err
    wait_for test -S "$where/vsock_7000"
    on web1 xvs serve 7000 -- cat 2>err; [ $? -ne 0 ] || bad "two at one port"
    err_has "in use"
    kill "$pid"; wait $job 2>/dev/null
end
fi

# What a call cannot find out for want of a descriptor is looked for again.
if test_ a_port_is_not_forgotten_for_want_of_a_descriptor; then
    run web1 xvs serve 7010 -- cat 2>err
    wait_for test -S "$where/vsock_7010"
    is_there() { echo x | on 0 xvs cat web1 7010 >out 2>err && [ "$(cat out)" = x ]; }
    wait_for is_there
    shorten "$agent"
    is_there && bad "this tests nothing"
    enough "$agent"
    wait_for is_there
    kill "$pid"; wait $job 2>/dev/null
end
fi

if test_ python_and_socat_call_and_are_called; then
    py calls_and_hears_the_echo 501 2:501 2>err || bad "$(tail -n 1 err)"
    if command -v socat >/dev/null; then
        [ "$({ printf 'CONNECT 2:501\n'; sleep 1; echo x; } | on web1 socat -t 60 - "UNIX-CONNECT:$where/vsock" 2>err | tail -n 1)" = x ] || bad "socat"
    fi
    py is_called 8000 >out 2>err &
    wait_for grep -q listens out
    wait_for test -S "$where/vsock_8000"
    [ "$(echo -n hello | on 0 xvs cat web1 8000 2>err2)" = '<hello>' ] || bad "called: $(cat err2)"
    wait $! || bad "$(tail -n 1 err)"
end
fi

if test_ another_guest_is_called_by_its_cid; then
    run db1 xvs serve 7001 -- sh -c 'echo "for $XVS_PEER_CID"; cat' 2>/dev/null
    answers() { on web1 xvs cat 102 7001 </dev/null >out 2>err; }
    wait_for answers
    out_is "for 101"
    kill "$pid"; wait $job 2>/dev/null
    # And this guest itself.
    run web1 xvs serve 7002 -- sh -c 'echo self' 2>/dev/null
    wait_for test -S "$where/vsock_7002"
    [ "$(on web1 xvs cat local 7002 </dev/null 2>err)" = self ] || bad "local: $(cat err)"
    kill "$pid"; wait $job 2>/dev/null
end
fi

if test_ a_stream_that_is_cut_has_status_6_wherever_it_is_cut; then
    # Input that never ends.
    rm -f hold; mkfifo hold
    exec 9<>hold
    # The host's end is killed, or resets.
    run 0 xvs serve 510 web1 -- sh -c 'head -c 10; kill -9 $$' 2>/dev/null
    wait_for test -S "$dir/host/run/dom0/guest/web1/vsock_510"
    head -c 1000000 /dev/zero | on web1 xvs cat host 510 >out 2>err; got=$?; [ $got -eq 5 ] || [ $got -eq 6 ] || bad "the host's command: status $got"
    kill "$pid"; wait $job 2>/dev/null
    run 0 sh -c 'exec xvs cat -l 511 web1 </dev/zero' >/dev/null 2>/dev/null
    wait_for test -S "$dir/host/run/dom0/guest/web1/vsock_511"
    on web1 xvs cat host 511 <hold >got.zero 2>err &
    cut_job=$!
    wait_for test -s got.zero
    kill -9 "$pid"; wait $job 2>/dev/null
    wait $cut_job; got=$?; [ $got -eq 6 ] || bad "the host's cat was killed: status $got"
    # The guest's end is killed: both kinds of it, caller and called.
    on 0 xvs cat -l 512 web1 >got.zero 2>err </dev/null &
    cut_job=$!
    wait_for test -S "$dir/host/run/dom0/guest/web1/vsock_512"
    run web1 sh -c 'exec xvs cat host 512 </dev/zero' >/dev/null 2>&1
    wait_for test -s got.zero
    kill -9 "$pid"; wait $job 2>/dev/null
    wait $cut_job; got=$?; [ $got -eq 6 ] || bad "the guest's cat was killed: status $got"
    run web1 xvs cat -l 513 >got.513 2>/dev/null
    wait_for test -S "$where/vsock_513"
    on 0 xvs cat web1 513 <hold >out 2>err &
    cut_job=$!
    echo x >&9
    wait_for grep -q x got.513
    kill -9 "$pid"; wait $job 2>/dev/null
    wait $cut_job; got=$?; [ $got -eq 6 ] || bad "the guest's listener was killed: status $got: $(cat err)"
    # A command that failed.
    run web1 xvs serve 514 -- sh -c 'cat; exit 3' 2>/dev/null
    wait_for test -S "$where/vsock_514"
    echo x | on 0 xvs cat web1 514 >out 2>err; got=$?; [ $got -eq 5 ] || bad "a command that failed: status $got"
    err_has "status 3"
    kill "$pid"; wait $job 2>/dev/null
    py who_vouches_and_goes_ends_the_stream 2>err || bad "$(tail -n 1 err)"
    exec 9>&-
end
fi

if test_ refusals_are_told_as_without_it; then
    on web1 xvs cat host 4999 </dev/null >out 2>err; [ $? -eq 4 ] || bad "nobody: status"
    err_has "nobody listens at port 4999 of host"
    on web1 xvs cat 4711 1 </dev/null >out 2>err; got=$?; [ $got -ne 0 ] || bad "no such guest"
    err_has "no guest has the CID 4711"
    on web1 xvs cat web1 1 </dev/null >out 2>err; [ $? -eq 2 ] || bad "a name in a guest: status"
    py what_is_no_line_is_closed_without_a_word 2>err || bad "$(tail -n 1 err)"
    py who_was_refused_may_ask_why 2>err || bad "$(tail -n 1 err)"
    background out py who_was_let_in_since_is_not_refused_any_more
    asker=$job
    wait_for grep -q refused out
    run 0 xvs serve 4996 web1 -- cat 2>/dev/null
    wait_for test -S "$dir/host/run/dom0/guest/web1/vsock_4996"
    server=$job job=$asker
    go out
    kill "$pid"; wait $server 2>/dev/null
end
fi

# cat STATUS WORDS WHERE...: of web1's.
cat_ends() {
    local want=$1 words=$2 got
    shift 2
    on web1 xvs cat "$@" </dev/null >out 2>err
    got=$?
    [ $got -eq $want ] || bad "$*: status $got, not $want: $(cat err)"
    err_has "$words"
}
if test_ each_reason_for_a_refusal_has_its_words_and_its_exit_status; then
    cat_ends 4 "nobody listens at port 4999 of host" host 4999
    echo '4000 web1 @any deny' >policy.d/10-broker.policy
    on 0 xvs reload >out 2>err || bad "reload: $(cat err)"
    cat_ends 9 "the policy of the host forbids this guest port 4000 of 102" 102 4000
    background out on 0 python3 "$here/broker.py" a_full_backlog
    wait_for grep -q full out
    on web1 xvs cat host 540 </dev/null >out2 2>err; [ $? -eq 10 ] || bad "a full backlog: status"
    err_has "busy: as many callers wait as it takes"
    go out
    cat_ends 11 "no program in 102 has its vsock device open" 102 1
    cat_ends 3 "no guest has the CID 4711" 4711 1
    settings '[broker]\nmax_connections = 8\n'
    py a_call_beyond_the_share_is_told_so 2>err || bad "$(tail -n 1 err)"
    settings ''
    chmod o+x "$dir/host" "$dir/host/run"
    py nobody_cat </dev/null >out 2>err; got=$?; [ $got -eq 13 ] || bad "another user: status $got: $(cat err)"
    rm policy.d/10-broker.policy
    on 0 xvs reload >out 2>err || bad "reload: $(cat err)"
end
fi

if test_ a_stream_that_is_cut_is_a_reset_for_a_program_that_only_reads; then
    others=
    for one in '530 echo word; exit 3' '531 echo word' '532 read x; exit 3' '533 cat >/dev/null; exit 3'; do
        run 0 xvs serve "${one%% *}" web1 -- sh -c "${one#* }" 2>/dev/null
        others="$others $pid"
        wait_for test -S "$dir/host/run/dom0/guest/web1/vsock_${one%% *}"
    done
    py a_stream_that_is_cut_is_a_reset_for_who_only_reads 2>err || bad "$(tail -n 1 err)"
    # shellcheck disable=SC2086 # process ids
    kill $others; wait_for test ! -e "$dir/host/run/dom0/guest/web1/vsock_533"
    # The agent's own end, and its death.
    for how in TERM KILL; do
        rm -f out
        py the_agents_end_is_a_reset >out 2>err & cut_job=$!
        wait_for grep -q has out
        case $how in TERM) kill "$warden" ;; *) kill -9 "$agent" ;; esac
        wait $agent_job 2>/dev/null
        wait $cut_job || bad "$how: $(tail -n 1 err)"
        start_agent
    done
    readings=$(grep -c 'read anew' agent.log)
    until_true test -S "$where/vsock"
end
fi

if test_ a_thousand_streams_are_carried_at_once; then
    on 0 python3 "$here/broker.py" echo_of_a_thousand 2>err2 &
    wait_for test -S "$dir/host/run/dom0/guest/web1/vsock_520"
    py a_thousand 2>err || bad "$(tail -n 1 err)"
    wait $! || bad "the echo: $(tail -n 1 err2)"
end
fi

if test_ the_agent_lends_its_device_to_root_alone_unless_it_is_said_otherwise; then
    chmod o+x "$dir/host" "$dir/host/run"
    [ "$(stat -c %a:%u "$where/vsock")" = 600:0 ] || bad "mode $(stat -c %a "$where/vsock")"
    py may_not_connect 2>err || bad "$(tail -n 1 err)"
    settings '[broker]\nsocket_mode = 0660\nsocket_group = 12345\n'
    [ "$(stat -c %a:%g "$where/vsock")" = 660:12345 ] || bad "mode $(stat -c %a:%g "$where/vsock")"
    [ "$(stat -c %a:%g "$where")" = 1775:12345 ] || bad "the directory: $(stat -c %a:%g "$where")"
    py may_not_connect 2>err || bad "with a group: $(tail -n 1 err)"
    settings '[broker]\nsocket_mode = 0666\n'
    [ "$(stat -c %a:%g "$where/vsock")" = 666:0 ] || bad "mode $(stat -c %a:%g "$where/vsock")"
    [ "$(stat -c %a:%g "$where")" = 1777:0 ] || bad "the directory: $(stat -c %a:%g "$where")"
    py cannot_touch_what_is_not_his 2>err || bad "$(tail -n 1 err)"
    py a_stream_is_known_to_its_user_alone 2>err || bad "$(tail -n 1 err)"
    settings ''
    [ "$(stat -c %a "$where/vsock")" = 600 ] && [ "$(stat -c %a "$where")" = 755 ] || bad "not as before"
    settings '[broker]\nenabled = no\n'
    wait_for test ! -e "$where/vsock"
    on web1 xvs cat host 501 </dev/null >out 2>err; [ $? -ne 0 ] || bad "without a broker"
    err_has "device"
    settings ''
    wait_for test -S "$where/vsock"
end
fi

if test_ other_users_listen_as_themselves_and_not_at_roots_ports; then
    chmod o+x "$dir/host" "$dir/host/run"
    settings '[broker]\nsocket_mode = 0666\n'
    background out on web1 python3 "$here/broker.py" listens_as_nobody 8080
    wait_for grep -q listens out
    hears() { on 0 xvs cat web1 "$1" </dev/null >said 2>err; grep -q 'uid 65534' said; }
    wait_for hears 8080
    go out
    background out on web1 python3 "$here/broker.py" listens_as_nobody 80
    wait_for grep -q listens out
    status 4 xvs cat web1 80 </dev/null
    kill $job 2>/dev/null; exec 8>&-; wait $job 2>/dev/null
    rm -f "$where/vsock_80" "$where/vsock_8080"
    settings ''
end
fi

if test_ what_stands_at_a_name_is_never_followed; then
    settings '[broker]\nsocket_mode = 0666\n'
    background out py names_that_are_traps
    wait_for grep -q set out
    for port in 8001 8002 8003 8004 8005 8006 8007 8008 8009; do
        on 0 xvs cat web1 $port </dev/null >said 2>err; got=$?
        [ $got -eq 4 ] || [ $got -eq 6 ] || bad "port $port: status $got"
    done
    go out
    settings ''
end
fi

if test_ a_listener_whose_name_comes_before_it_is_found; then
    kill -STOP "$agent"
    background out py is_called_at_a_name_that_comes_first 8010
    wait_for grep -q set out
    kill -CONT "$agent"
    status 4 xvs cat web1 8010
    echo >&8; exec 8>&-
    [ "$(echo -n hello | on 0 xvs cat --retry 120 web1 8010 2>err)" = '<hello>' ] || bad "called: $(cat err)"
    wait $job || bad "it says: $(tail -n 1 out)"
end
fi

if test_ a_user_who_takes_all_he_can_leaves_room_for_others; then
    chmod o+x "$dir/host" "$dir/host/run"
    settings '[broker]\nsocket_mode = 0666\nmax_connections = 64\n'
    background out py streams_have_a_share
    wait_for grep -q has out
    on web1 xvs cat host 501 <big >back 2>err || bad "root is not served: $(cat err)"
    cmp big back || bad "8 MiB are not the same"
    go out
    settings '[broker]\nsocket_mode = 0666\n'
    background out py what_is_silent_is_bounded
    wait_for grep -q full out
    on web1 xvs cat host 501 <big >back 2>err || bad "root is not served beside silent ones: $(cat err)"
    on 0 xvs exec web1 -- true 2>err || bad "the agent does not serve the host"
    go out
    grep -q closed out || bad "who says nothing stays"
    settings ''
end
fi

if test_ listeners_outlive_the_agent_and_what_they_leave_behind_is_nobody; then
    run web1 xvs serve 7003 -- cat 2>/dev/null
    listener=$pid listener_job=$job
    wait_for test -S "$where/vsock_7003"
    [ "$(echo a | on 0 xvs cat web1 7003 2>err)" = a ] || bad "before: $(cat err)"
    # Whoever has a stream by the agent is told that it was cut.
    rm -f hold; mkfifo hold
    exec 9<>hold
    on web1 xvs cat host 501 <hold >got.cut 2>err.cut &
    cut_job=$!
    echo x >&9
    wait_for grep -q x got.cut
    kill "$warden"; wait $agent_job 2>/dev/null
    wait $cut_job; got=$?; [ $got -eq 6 ] || bad "the agent has ended: status $got"
    exec 9>&-
    wait_for test ! -e "$where/vsock"
    start_agent
    readings=$(grep -c 'read anew' agent.log)
    again() { [ "$(echo b | on 0 xvs cat web1 7003 2>err)" = b ]; }
    wait_for again
    kill -9 "$listener"; wait $listener_job 2>/dev/null
    test -S "$where/vsock_7003" || bad "it was to be left behind"
    on 0 xvs cat web1 7003 </dev/null >out 2>err; got=$?; [ $got -eq 4 ] || [ $got -eq 6 ] || bad "a left-over: status $got"
    status 4 xvs cat web1 7003 </dev/null
    run web1 xvs serve 7003 -- cat 2>/dev/null
    wait_for again
    kill "$pid"; wait $job 2>/dev/null
end
fi

# Whoever was there first: before a reload that forwards the port, and before the agent.
if test_ port_1_and_what_is_forwarded_are_the_agents; then
    run web1 xvs serve 7020 -- echo program 2>/dev/null
    program=$pid program_job=$job
    says() { [ "$(on 0 xvs cat web1 7020 </dev/null 2>err)" = "$1" ]; }
    is_told() { [ "$(grep -c "broker: port $1 is .*/vsock_$1 is not called" agent.log)" -ge "$2" ]; }
    wait_for says program
    settings '[agent]\nforward 7020 = exec:echo forward\n'
    wait_for says forward
    wait_for is_told 7020 1
    run web1 xvs serve 1 -- echo program 2>/dev/null
    other=$pid other_job=$job
    wait_for is_told 1 1
    kill "$warden"; wait $agent_job 2>/dev/null
    start_agent
    readings=$(grep -c 'read anew' agent.log)
    wait_for is_told 7020 2
    wait_for is_told 1 2
    says forward || bad "after a start: $(cat err)"
    status 0 xvs exec web1 -- true
    settings ''
    wait_for says program
    kill "$program" "$other"; wait $program_job $other_job 2>/dev/null
end
fi

if test_ wrong_settings_of_the_broker_are_told; then
    check() {
        printf "$1" >wrong.conf
        on web1 xvs-agent --check-config -c "$dir/wrong.conf" >out 2>err
        [ $? -eq 2 ] || bad "status of '$1'"
        err_has "$2"
    }
    check '[broker]\nsocket_mode = 0888\n' "is no mode"
    check '[broker]\nsocket_mode = 4666\n' "is no mode"
    check '[broker]\nsocket_group = nosuchgroup\n' "there is no group"
    check '[broker]\nmax_connections = 0\n' "no number from 1 to 65536"
    check '[broker]\nenabled = maybe\n' "neither yes nor no"
    check '[broker]\nowner = x\n' "no setting 'owner'"
end
fi

finish
