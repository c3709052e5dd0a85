# SPDX-License-Identifier: MIT
# One daemon, one owner of a device; and what the administrator does while all runs.

test_a_second_daemon_is_refused_and_told_the_pid() { # short
    got=$(on dom0 timeout $((10 * SLOW)) xvsd --config "$CONF" 2>&1 </dev/null)
    status=$?
    [ $status -ne 0 ] && [ $status -ne 124 ] || fail "the second daemon ended with $status"
    case $got in *"$(daemon_pid)"*) ;; *) fail "it does not name pid $(daemon_pid): $got" ;; esac
    daemon_answers || fail "the first daemon no longer answers"
}
# Two daemons would take each other's devices, whatever their directories are.
test_a_second_daemon_with_a_directory_of_its_own_is_refused() { # short, xen
    got=$(on dom0 timeout $((10 * SLOW)) xvsd --config "$CONF" --run-dir "$T/dom0/second" 2>&1 </dev/null)
    equal $? 1 "the second daemon's status"
    case $got in *"$(daemon_pid)"*"$RUN"*) ;; *) fail "it does not name pid $(daemon_pid) and $RUN: $got" ;; esac
    [ ! -e "$T/dom0/second" ] || fail "the second daemon has made its directory"
    daemon_answers || fail "the first daemon no longer answers"
}
test_of_two_daemons_that_start_at_once_one_serves() {
    disturb
    stop_daemon
    for round in 1 2 3; do
        spawn a dom0 xvsd --config "$CONF" --run-dir "$T/dom0/a"
        spawn b dom0 xvsd --config "$CONF" --run-dir "$T/dom0/b"
        wait_for 'has_ended a || has_ended b' 20 "one of two daemons gives way"
        if has_ended a; then lost=a won=b; else lost=b won=a; fi
        equal "$(status_of $lost)" 1 "the status of the one that gave way"
        # (By its directory: it may not have written its pid yet.)
        grep -q "another xvsd (pid .*) serves this host's guests, in $T/dom0/$won;" "$PEER/$lost.err" ||
            fail "it does not say who serves: $(tail -n 1 "$PEER/$lost.err")"
        wait_for 'on dom0 xvs --run-dir "$T/dom0/$won" ls >/dev/null 2>&1 </dev/null' 10 "the other one serves"
        # Killed, it holds nobody up, in this round or the next.
        signal $won KILL
        equal "$(status_of $won)" 137 "the killed daemon's status"
    done
    rm -rf "$T/dom0/a" "$T/dom0/b"
}
# xenstored was restarted and knows of no daemon; another one may have been started before the first was connected again.  A socat
# between the daemon and xenstored is what ends here.
test_after_xenstored_was_restarted_one_daemon_serves() { # limit 90
    [ "$E2E_PLATFORM" = hosted ] || skip "xenstored of a real host cannot be restarted"
    on dom0 which socat >/dev/null 2>&1 </dev/null || skip "no socat on this platform"
    disturb
    stop_daemon
    xenstored_between
    spawn d dom0 env "XENSTORED_PATH=$T/dom0/xs.sock" xvsd --config "$CONF"
    wait_for daemon_answers 10 "xvsd answers"
    signal s KILL
    on dom0 xenstore-rm /local/domain/0/data/xvsd </dev/null
    wait_for 'has_ended s' 5
    wait_for 'grep -q "connection to xenstored is lost" "$PEER/d.err"' 20 "xvsd misses xenstored"
    xenstored_between
    wait_for 'on dom0 xenstore-read /local/domain/0/data/xvsd </dev/null 2>/dev/null | grep -q "^$(pid_of d) "' 20 "xvsd claims again"
    got=$(on dom0 timeout $((10 * SLOW)) xvsd --config "$CONF" --run-dir "$T/dom0/second" 2>&1 </dev/null)
    equal $? 1 "the second daemon's status"
    # Now another one is quicker.
    signal s KILL
    on dom0 xenstore-rm /local/domain/0/data/xvsd </dev/null
    wait_for 'has_ended s' 5
    spawn other dom0 xvsd --config "$CONF" --run-dir "$T/dom0/second"
    wait_for 'on dom0 xvs --run-dir "$T/dom0/second" ls >/dev/null 2>&1 </dev/null' 10 "the other one serves"
    xenstored_between
    equal "$(status_of d 20)" 1 "the first daemon's status"
    grep -q "another xvsd (pid $(pid_of other)) serves this host's guests, in $T/dom0/second" "$PEER/d.err" ||
        fail "it does not say who serves: $(tail -n 2 "$PEER/d.err")"
    on dom0 xvs --run-dir "$T/dom0/second" ls >/dev/null 2>&1 </dev/null || fail "the other one does not serve any more"
    signal other TERM
    equal "$(status_of other)" 0 "the other daemon's status"
    rm -rf "$T/dom0/second"
}
xenstored_between() {
    rm -f "$T/dom0/xs.sock"
    # shellcheck disable=SC2016 # expanded over there
    spawn s dom0 sh -c 'exec socat "UNIX-LISTEN:$1" "UNIX-CONNECT:$XENSTORED_RUNDIR/socket"' between "$T/dom0/xs.sock"
    # It has its name before anybody listens there.
    wait_for 'grep -q " 00010000 .* $T/dom0/xs.sock$" /proc/net/unix' 10 "socat listens"
}

# Somebody is asked who does not answer; nobody else waits for that.
test_nobody_waits_for_a_xenstored_that_stands_still() { # limit 120
    [ "$E2E_PLATFORM" = hosted ] || skip "xenstored of a real host cannot be stopped"
    on dom0 which socat >/dev/null 2>&1 </dev/null || skip "no socat on this platform"
    disturb
    stop_daemon
    xenstored_between
    spawn d dom0 env "XENSTORED_PATH=$T/dom0/xs.sock" xvsd --config "$CONF"
    wait_for daemon_answers 10 "xvsd answers"
    both guest1
    joined a h 5011
    signal s STOP
    spawn w dom0 xvs attach guest2 --device 3
    # The stream that there was, streams of both sides, and questions.
    tell h "send a 300000"
    ask g "recv a 300000" "recv a ok"
    heard h "send a ok"
    joined b h 5012
    joined c g 5013
    tell g "send c 300000"
    ask h "recv c 300000" "recv c ok"
    heard g "send c ok"
    on dom0 xvs ls </dev/null | grep -q "^guest1 .* in use " || fail "xvs ls does not answer"
    ! has_ended w || fail "the attach has ended before xenstored answers: $(cat "$PEER/w.err")"
    equal "$(status_of w 30)" 1 "the status of an attach that nobody answers"
    grep -q "xenstored does not answer" "$PEER/w.err" || fail "it does not say why: $(cat "$PEER/w.err")"
    signal s CONT
    wait_for 'on dom0 xvs ls --json </dev/null | grep -q "\"device\": *3"' 20 "what was asked for is done when xenstored answers"
    on dom0 xvs detach guest2 --device 3 </dev/null || fail "xvs detach"
    wait_for '! on dom0 xvs ls --json </dev/null | grep -q "\"device\": *3"' 20 "it is gone again"
    signal d TERM
    equal "$(status_of d 20)" 0 "the daemon's status"
}

# A directory that was there, and is not the daemon's, keeps its mode, and the daemon says what to do.
test_a_run_directory_of_others_is_refused_with_a_sentence() {
    disturb
    stop_daemon
    mkdir "$T/dom0/shared"
    for mode in 1777 755; do
        [ $mode = 1777 ] || : >"$T/dom0/shared/mail"
        chmod $mode "$T/dom0/shared"
        got=$(on dom0 timeout $((10 * SLOW)) xvsd --config "$CONF" --run-dir "$T/dom0/shared" 2>&1 </dev/null)
        equal $? 1 "xvsd's status for mode $mode"
        case $got in *"$T/dom0/shared"*--run-dir*) ;; *) fail "it does not say what to do: $got" ;; esac
        equal "$(stat -c %a "$T/dom0/shared")" $mode "the directory's mode"
    done
    rm -rf "$T/dom0/shared"
}

test_a_second_opener_is_told_the_pid_of_the_first() { # short
    talk g guest1
    ask g "up" "up ok"
    got=$(on guest1 e2e_guest "up" 2>&1 </dev/null)
    case $got in *EBUSY*) ;; *) fail "no EBUSY: $got" ;; esac
    case $got in *"$(pid_of g)"*) ;; *) fail "it does not name pid $(pid_of g): $got" ;; esac
    # The first goes on, and its end frees the device.
    ask g "connect a 2:9001" "connect a ECONNREFUSED"
    signal g KILL
    equal "$(status_of g)" 137 "the first owner's status"
    equal "$(on guest1 e2e_guest "up" quit 2>&1 </dev/null)" "up ok" "the next owner"
}
# A daemon that has forked helpers, closes the device or is killed: the helpers keep nothing of it from the next owner.
an_owner_with_a_helper_ends() { # quit|KILL
    before=$(idle_counts | grep granted)
    talk g guest1
    ask g "up" "up ok"
    tell g "helper"
    answer g
    helper=${_answer#helper }
    case $_answer in "helper "[1-9]*) ;; *) fail "no helper: $_answer" ;; esac
    if [ "$1" = quit ]; then
        tell g quit
        equal "$(status_of g)" 0 "the owner's status"
    else
        signal g KILL
        equal "$(status_of g)" 137 "the owner's status"
    fi
    equal "$(on guest1 e2e_guest "up" quit 2>&1 </dev/null)" "up ok" "the next owner"
    wait_for '[ "$(idle_counts | grep granted)" = "$before" ]' 10 "no page stays shared for the helper"
    on guest1 kill -0 "$helper" </dev/null || fail "the helper has ended"
    on guest1 kill -KILL "$helper" </dev/null
}
test_a_helper_keeps_no_device_that_its_owner_has_closed() { # short
    an_owner_with_a_helper_ends quit
}
test_a_helper_keeps_no_device_of_a_killed_owner() { # short
    an_owner_with_a_helper_ends KILL
}
test_a_configuration_with_an_error_is_refused_with_its_line() {
    printf '[daemon]\nattach = sometimes\n' >"$T/dom0/bad.conf"
    got=$(on dom0 timeout $((10 * SLOW)) xvsd --config "$T/dom0/bad.conf" 2>&1 </dev/null)
    status=$?
    [ $status -ne 0 ] && [ $status -ne 124 ] || fail "xvsd ended with $status"
    case $got in *bad.conf:2:*attach*) ;; *) fail "no file, line and key: $got" ;; esac
}
