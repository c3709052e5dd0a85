# SPDX-License-Identifier: MIT
# One daemon, one owner of a device; and what the administrator does while all runs.

test_a_second_daemon_is_refused_and_told_the_pid() { # short
    got=$(on dom0 timeout 10 xvsd --config "$CONF" 2>&1 </dev/null)
    status=$?
    [ $status -ne 0 ] && [ $status -ne 124 ] || fail "the second daemon ended with $status"
    case $got in *"$(daemon_pid)"*) ;; *) fail "it does not name pid $(daemon_pid): $got" ;; esac
    daemon_answers || fail "the first daemon no longer answers"
}
# A directory that was there, and is not the daemon's, keeps its mode, and the daemon says what to do.
test_a_run_directory_of_others_is_refused_with_a_sentence() {
    disturb
    stop_daemon
    mkdir "$T/dom0/shared"
    for mode in 1777 755; do
        [ $mode = 1777 ] || : >"$T/dom0/shared/mail"
        chmod $mode "$T/dom0/shared"
        got=$(on dom0 timeout 10 xvsd --config "$CONF" --run-dir "$T/dom0/shared" 2>&1 </dev/null)
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
test_a_configuration_with_an_error_is_refused_with_its_line() {
    printf '[daemon]\nattach = sometimes\n' >"$T/dom0/bad.conf"
    got=$(on dom0 timeout 10 xvsd --config "$T/dom0/bad.conf" 2>&1 </dev/null)
    status=$?
    [ $status -ne 0 ] && [ $status -ne 124 ] || fail "xvsd ended with $status"
    case $got in *bad.conf:2:*attach*) ;; *) fail "no file, line and key: $got" ;; esac
}
