# SPDX-License-Identifier: MIT
# Many streams, slow readers and greedy guests: nobody pays for another, and nothing is left over.

test_many_connections_at_a_time_from_the_host() { # limit 180, xen
    both guest1
    ask g "listen l 9101 $E2E_MANY" "listen l ok"
    tell g "echo l $E2E_MANY"
    heard g "echo l ready"
    tell h "many $GUEST1:9101 $E2E_MANY 3000"
    heard h "many open $E2E_MANY" 120
    heard h "many ok $E2E_MANY" 120
    heard g "echo l $E2E_MANY" 60
}
test_many_connections_at_a_time_from_the_guest() { # limit 180
    both guest1
    # Room for all: they are open when they are in it, whenever h gets to accept them.
    ask h "listen l ${GUEST1}_9102 $E2E_MANY" "listen l ok"
    tell h "echo l $E2E_MANY"
    heard h "echo l ready"
    tell g "many 2:9102 $E2E_MANY 3000"
    heard g "many open $E2E_MANY" 120
    heard g "many ok $E2E_MANY" 120
    heard h "echo l $E2E_MANY" 60
}
test_fifty_connections_at_a_time() { # short
    both guest1
    ask g "listen l 9103" "listen l ok"
    tell g "echo l 50"
    heard g "echo l ready"
    tell h "many $GUEST1:9103 50 20000"
    heard h "many open 50"
    heard h "many ok 50"
    heard g "echo l 50"
}

# A stream that nobody reads at one end stops itself, not the others of its guest.
slow_reader() { # SLOW WRITER
    both guest1
    joined a h 9104
    tell "$2" "send a 50000000 1000"
    answer "$2"
    case $_answer in "send a "*" ETIMEDOUT") ;; *) fail "a stream that nobody reads takes everything: $_answer" ;; esac
    stuck=${_answer#send a }
    stuck=${stuck% ETIMEDOUT}
    joined b h 9105
    tell "$2" "send b 30000000"
    ask "$1" "recv b 30000000" "recv b ok"
    heard "$2" "send b ok"
    tell "$1" "send b 30000000"
    ask "$2" "recv b 30000000" "recv b ok"
    heard "$1" "send b ok"
    # Once it is read, it goes on from where it stood.
    ask "$1" "recv a $stuck" "recv a ok"
    ask "$2" "send a 100000" "send a ok"
    ask "$1" "recv a 100000" "recv a ok"
}
test_a_slow_host_reader_stops_no_other_stream() { # xen
    slow_reader h g
}
test_a_slow_guest_reader_stops_no_other_stream() { # xen
    slow_reader g h
}
slow_host_readers() { # NUMBER; false if another stream does not flow
    both guest1
    i=0
    while [ $i -lt "$1" ]; do
        i=$((i + 1))
        joined "s$i" h $((9200 + i))
        tell g "send s$i 2000000 150"
        answer g
    done
    joined b h 9300
    tell g "send b 10000000"
    tell h "recv b 10000000"
    answer h
    [ "$_answer" = "recv b ok" ] || return 1
    heard g "send b ok"
    tell h "send b 10000000"
    ask g "recv b 10000000" "recv b ok"
    heard h "send b ok"
}
test_twelve_slow_host_readers_stop_no_other_stream() {
    slow_host_readers 12 || fail "h: $_answer"
}
test_forty_slow_host_readers_stop_no_other_stream() {
    slow_host_readers 40 || fail "h: $_answer"
}

# A guest that writes as much as it can does not stop another guest.
test_a_flooding_guest_stops_no_other_guest() { # limit 90, xen
    # Nothing here is timed: the flood goes on until the other guest's rounds are over.
    disturb
    both guest2
    talk s dom0
    ask s "listen f ${GUEST1}_9106 256" "listen f ok"
    tell s "sink f"
    heard s "sink f ready"
    talk f guest1
    ask f "up" "up ok"
    tell f "flood 2:9106 64"
    ask h "listen l ${GUEST2}_9107" "listen l ok"
    for round in 1 2 3 4 5 6 7 8; do
        ask g "connect r$round 2:9107" "connect r$round ok"
        ask h "accept r$round l" "accept r$round ok"
        tell g "send r$round 200000"
        ask h "recv r$round 200000" "recv r$round ok"
        heard g "send r$round ok"
    done
    tell f "stats"              # ends the flood
    answer f
    case $_answer in "flood 0") fail "the flood did not flow" ;; "flood "*) ;; *) fail "the flooding guest: $_answer" ;; esac
}

# Everything that is counted is the same before and after 200 connections, killed programs and reconnects.
work() {
    talk g guest1
    ask g "up" "up ok"
    ask g "listen l 9108 256" "listen l ok"
    tell g "echo l 100"
    heard g "echo l ready"
    equal "$(on dom0 e2e_host "many $GUEST1:9108 100 10000" </dev/null | tail -n 1)" "many ok 100" "host to guest"
    heard g "echo l 100"
    spawn e dom0 e2e_host "listen l ${GUEST1}_9109 256" "echo l 100"
    wait_for 'grep -q ready "$PEER/e.out"' 5
    tell g "many 2:9109 100 10000"
    heard g "many open 100"
    heard g "many ok 100"
    status_of e >/dev/null
    # A program of the guest and one of the host die in the middle of it.
    spawn k dom0 e2e_host "connect a $GUEST1:9108" "send a 100000000"
    ask g "accept a l" "accept a ok"
    signal k KILL
    spawn k dom0 e2e_host "connect a $GUEST1:9108" "recv a 100000000"
    ask g "accept b l" "accept b ok"
    signal g KILL
    status_of g >/dev/null
    status_of k >/dev/null
    end_spawned
}
test_nothing_is_left_of_200_connections_and_reconnects() { # limit 120, xen
    work
    wait_for '[ "$(idle_counts)" = "$(cat "$T/idle" 2>/dev/null || idle_counts)" ]' 10 "the first round is over"
    before=$(leakcount dom0 guest1 guest2) fds=$(daemon_fds_at_rest)
    for round in 1 2 3; do
        work
    done
    wait_until '[ "$(leakcount dom0 guest1 guest2)" = "$before" ]' 10 ||
        fail "not as before: $(leakcount dom0 guest1 guest2 | tr '\n' ',') was $(echo "$before" | tr '\n' ',')"
    wait_until '[ "$(daemon_fds)" -le "$fds" ]' 10 || fail "xvsd has $(daemon_fds) descriptors, and had $fds"
}
