# SPDX-License-Identifier: MIT
# Programs, the daemon and domains that die: the peer is told, everything is given back, and it goes on.

# The guest's program writes into a stream whose host program is gone.
test_a_killed_host_program_ends_the_guest_s_stream() { # short
    both guest1
    joined a h 8001
    ask g "send a 100000" "send a ok"
    signal h KILL
    tell g "send a 50000000"
    answer g
    case $_answer in "send a "*" EPIPE" | "send a "*" ECONNRESET") ;; *) fail "the guest writes on: $_answer" ;; esac
}
test_a_killed_host_program_ends_the_guest_s_reading() {
    both guest1
    joined a h 8001
    signal h KILL
    tell g "eof a"
    answer g
    case $_answer in "eof a ok" | "eof a ECONNRESET") ;; *) fail "the guest saw '$_answer'" ;; esac
}
# SIGKILL gives the program no time to close anything: the backend sees its pages go, and unmaps.
test_a_killed_guest_program_ends_the_host_s_stream() { # short
    both guest1
    joined a h 8002
    ask h "send a 100000" "send a ok"
    signal g KILL
    tell h "send a 50000000"
    answer h
    case $_answer in "send a "*" EPIPE" | "send a "*" ECONNRESET") ;; *) fail "the host writes on: $_answer" ;; esac
}
test_after_a_killed_guest_program_the_next_one_connects() { # short
    before=$(idle_counts)
    both guest1
    joined a h 8003
    ask g "send a 300000" "send a ok"
    signal g KILL
    equal "$(status_of g)" 137 "the killed program's status"
    wait_for '[ "$(idle_counts)" = "$before" ]' 10 "the backend unmaps what the killed program had shared"
    talk n guest1
    ask n "up" "up ok"
    ask n "listen l 8003" "listen l ok"
    ask h "connect b $GUEST1:8003" "connect b ok"
    ask n "accept b l" "accept b ok"
    ask h "send b 70000" "send b ok"
    ask n "recv b 70000" "recv b ok"
}

# The daemon goes: streams are reset, the listener stays, the device comes back, new streams work.
daemon_comes_back() { # stop_daemon|kill_daemon
    disturb
    both guest1
    ask g "listen l 8004" "listen l ok"
    ask h "connect a $GUEST1:8004" "connect a ok"
    ask g "accept a l" "accept a ok"
    ask h "send a 5000" "send a ok"
    ask g "recv a 5000" "recv a ok"
    "$1"
    ask g "down" "down ok"
    ask g "eof a" "eof a ECONNRESET"
    ask g "send a 10" "send a 0 ECONNRESET"
    ask g "close a" "close a ok"
    tell h "eof a"
    answer h
    case $_answer in "eof a ok" | "eof a ECONNRESET") ;; *) fail "the host program saw '$_answer'" ;; esac
    ask g "connect b 2:8004 200" "connect b ETIMEDOUT"
    start_daemon
    ask g "up" "up ok"
    wait_for 'attached guest1' 5
    ask h "connect c $GUEST1:8004" "connect c ok"
    ask g "accept c l" "accept c ok"
    tell h "send c 400000"
    ask g "recv c 400000" "recv c ok"
    heard h "send c ok"
    tell g "stats"
    answer g
    case $_answer in *" reconnects 1 "*) ;; *) fail "not one reconnect: $_answer" ;; esac
}
test_the_daemon_ends_on_sigterm_and_comes_back() { # short
    daemon_comes_back stop_daemon
}
test_the_daemon_is_killed_and_comes_back() { # xen
    daemon_comes_back kill_daemon
}
# As often as somebody may who tries out settings; no time passes between the daemon's readiness and the guest's (life.h).
test_the_daemon_is_killed_ten_times() { # limit 120
    disturb
    talk g guest1
    talk h dom0
    ask g "listen l 8005" "listen l ok"
    for round in 1 2 3 4 5 6 7 8 9 10; do
        ask g "up" "up ok"
        ask h "connect s$round $GUEST1:8005" "connect s$round ok"
        ask g "accept s$round l" "accept s$round ok"
        ask h "send s$round 100000" "send s$round ok"
        kill_daemon
        ask g "down" "down ok"
        ask g "close s$round" "close s$round ok"
        start_daemon
    done
    ask g "up" "up ok"
}
# No daemon: an agent may start first, and is up when the daemon comes.
test_an_agent_that_starts_before_the_daemon() { # xen
    disturb
    stop_daemon
    talk g guest1
    ask g "listen l 8006" "listen l ok"
    ask g "up 300" "up ETIMEDOUT"
    start_daemon
    ask g "up" "up ok"
    talk h dom0
    ask h "connect a $GUEST1:8006" "connect a ok"
    ask g "accept a l" "accept a ok"
}

# A host full of guests, whose agents all wait for the daemon; it is restarted in order, and killed.
test_fifty_guests_are_back_with_the_daemon() { # limit 240
    disturb
    for i in $(seq 1 48); do
        create "many$i" || fail "the platform cannot create many$i"
    done
    for i in $(seq 1 48); do
        E2E_LOG=1 spawn "a$i" "many$i" e2e_guest "listen l 8009" "up" "echo l"
    done
    talk g guest1
    talk h guest2
    for how in stop_daemon kill_daemon stop_daemon; do
        ask g "up" "up ok" 60
        ask h "up" "up ok" 60
        wait_for '[ "$(on dom0 xvs ls --json </dev/null | grep -o "\"state\":\"Connected\"" | wc -l)" = 50 ]' 30 \
            "fifty guests are connected"
        $how
        ask g "down" "down ok"
        ask h "down" "down ok"
        start_daemon
    done
    for i in $(seq 1 48); do
        signal "a$i" KILL
        crash "many$i" || fail "the platform cannot end many$i"
    done
    ask g "up" "up ok" 60
    wait_for '! attached many1 && ! attached many48' 20 "xvsd lets the guests go"
}

# A domain crashes with everything mapped and connected.
test_a_crashed_guest_is_cleaned_up_and_may_come_again() { # limit 120, xen
    disturb
    both guest1
    joined a h 8007
    ask h "send a 100000" "send a ok"
    id=$(domid guest1)
    crash guest1 || fail "the platform cannot crash guest1"
    tell h "send a 50000000"
    answer h
    case $_answer in "send a "*" EPIPE" | "send a "*" ECONNRESET") ;; *) fail "the host writes on: $_answer" ;; esac
    wait_for '! attached guest1' 10 "xvsd takes the dead guest's socket away"
    wait_for '! on dom0 xenstore-read "/local/domain/0/backend/vsock/$id/0/state" >/dev/null 2>&1 </dev/null' 10 \
        "xvsd removes the dead guest's directories"
    create guest1 || fail "the platform cannot create guest1"
    on guest1 mkdir -p "$T/guest1" </dev/null
    wait_for 'attached guest1' 10 "xvsd attaches the new guest1"
    talk n guest1
    ask n "up" "up ok"
    tell n "stats"
    answer n
    case $_answer in *" cid 101") ;; *) fail "the new guest1 has another CID: $_answer" ;; esac
    ask n "listen l 8007" "listen l ok"
    ask h "connect b $GUEST1:8007" "connect b ok"
    ask n "accept b l" "accept b ok"
}
# What the daemon holds is the same after many crashes as after one.
test_crashes_leave_nothing_in_the_daemon() { # limit 180
    disturb
    fds='' mapped=''
    for round in 1 2 3 4; do
        domid guest3 >/dev/null 2>&1 || create guest3 || fail "the platform cannot create guest3"
        on guest3 mkdir -p "$T/guest3" </dev/null
        wait_for 'attached guest3' 10 "xvsd attaches guest3"
        talk g guest3
        ask g "up" "up ok"
        ask g "listen l 8008" "listen l ok"
        tell g "echo l"
        heard g "echo l ready"
        spawn m dom0 e2e_host "many $RUN/guest/guest3/vsock:8008 20 100000"
        crash guest3 || fail "the platform cannot crash guest3"
        status_of m 20 >/dev/null
        wait_for '! attached guest3' 10 "xvsd takes the dead guest's socket away"
        if [ -n "$fds" ]; then
            wait_until '[ "$(daemon_fds)" -le "$fds" ]' 10 ||
                fail "xvsd has $(daemon_fds) descriptors after crash $round, and had $fds after the first"
            wait_until '[ "$(leakcount dom0 | grep -v nodes)" = "$mapped" ]' 10
            equal "$(leakcount dom0 | grep -v nodes)" "$mapped" "what dom0 holds after crash $round"
        else
            fds=$(daemon_fds_at_rest) mapped=$(leakcount dom0 | grep -v nodes)
        fi
        end_spawned
    done
}

# replaced NAME: it is killed, and there is another one.
replaced() {
    killed=$(child "$1")
    [ -n "$killed" ] || fail "there is no $1"
    kill -KILL "$killed"
    wait_for '[ -n "$(child '"$1"')" ] && [ "$(child '"$1"')" != "$killed" ]' 20 "another $1"
}

# A stream ends with its worker, and nothing else does; its keeper goes on, and keeps nothing of it.
test_a_killed_worker_is_replaced_and_the_guests_come_back() {
    [ "$E2E_PLATFORM" = hosted ] || skip "processes of another host"
    both guest1
    files=$(ls "/proc/$(daemon_pid)/fd" | wc -l)
    for round in 1 2 3; do
        joined "a$round" h "502$round"
        replaced worker
        ask h "eof a$round" "eof a$round ECONNRESET"
        ask g "eof a$round" "eof a$round ECONNRESET"
        wait_for daemon_answers 20 "the new worker answers"
        ask g "up 60000" "up ok" 60
        joined "b$round" h "503$round"
        joined "c$round" g "504$round"
        tell g "send c$round 200000"
        ask h "recv c$round 200000" "recv c$round ok"
        heard g "send c$round ok"
    done
    equal "$(ls "/proc/$(daemon_pid)/fd" | wc -l)" "$files" "the keeper's descriptors"
}

# Who is asked to connect at that moment is asked again.
test_a_killed_dialer_is_replaced_and_no_stream_hears_of_it() {
    [ "$E2E_PLATFORM" = hosted ] || skip "processes of another host"
    both guest1
    joined a g 5051
    ask h "listen l ${GUEST1}_5052" "listen l ok"
    kill -STOP "$(child dialer)"
    tell g "connect b 2:5052"
    replaced dialer
    heard g "connect b ok"
    ask h "accept b l" "accept b ok"
    tell g "send a 200000"
    ask h "recv a 200000" "recv a ok"
    heard g "send a ok"
}
