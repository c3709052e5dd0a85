# SPDX-License-Identifier: MIT
# Who may use a guest's sockets, and two members of its group who try everything against it (helpers/intruder.c).
# They are numbers that nobody has; the group must have a name, since the settings want one.

ANN=64001
BOB=64002
EVE=64003

# With intruders there is a group, and a way for them to where the sockets are.
with_a_group() {
    [ "$E2E_PLATFORM" = hosted ] || skip "hosted Xen shows it as well"
    [ "$(id -u)" = 0 ] || skip "it needs root, to be others"
    GROUP=games
    GID=$(sed -n "s/^$GROUP:[^:]*:\([0-9]*\):.*/\1/p" /etc/group)
    [ -n "$GID" ] || skip "there is no group $GROUP"
    disturb
    chmod 711 "$T" "$T/dom0" || fail "cannot open $T"
    # Where they can run it, wherever the build is.
    cp -L "$XVS_BIN/e2e/e2e_host" "$XVS_BIN/e2e/e2e_intruder" "$XVS_BIN/xvs" "$XVS_BIN/libxvs.so.0" "$T/dom0/" ||
        fail "cannot copy the helpers"
}
as_member() { # UID cmd...
    _uid=$1
    shift
    "$T/dom0/e2e_intruder" "$_uid" "$GID" "$@"
}
as_stranger() {
    "$T/dom0/e2e_intruder" $EVE $EVE "$@"
}

# reload [DAEMON LINE...]: as config, and read by the daemon.
reload() {
    config "$@"
    _before=$(grep -c "settings read again" "$T/dom0/xvsd.log")
    kill -HUP "$(daemon_pid)"
    wait_for '[ "$(grep -c "settings read again" "$T/dom0/xvsd.log")" -gt "$_before" ]' 10 "xvsd reads its settings"
}

guest_echoes() { # PORT
    talk g guest1
    ask g "up" "up ok"
    ask g "listen l $1" "listen l ok"
    tell g "echo l"
    heard g "echo l ready"
}
reaches() { # HELPER... : whether who runs this gets to the guest's echo on port 9190
    "$@" "$T/dom0/e2e_host" "connect a $GUEST1:9190" "send a 1000" "recv a 1000" 2>&1 </dev/null |
        grep -v '^script' | tr '\n' ' '
}

# All of it without a restart: the run directory and the one above the guests' open and close, too.
test_members_get_in_with_a_reload_and_out_with_the_next() { # short
    with_a_group
    # A run directory that the daemon makes, as it is on a host.
    stop_daemon
    RUN=$T/dom0/run
    GUEST1=$RUN/guest/guest1/vsock
    config
    spawn d dom0 xvsd --config "$CONF" --run-dir "$RUN"
    pid_of d >"$T/dom0/xvsd.pid"
    wait_for 'attached guest1' 10 "xvsd attaches guest1"
    guest_echoes 9190
    equal "$(reaches as_member $ANN)" "connect a EACCES " "before"
    equal "$(stat -c %a "$RUN" "$RUN/guest" | tr '\n' ' ')" "700 700 " "the directories before"
    for keys in group user; do
        if [ $keys = group ]; then set -- "socket_mode = 0660" "socket_group = $GROUP"; else set -- "socket_user = $GROUP"; fi
        config "$@"
        hup_and_wait
        if [ $keys = group ]; then
            equal "$(reaches as_member $ANN)" "connect a ok send a ok recv a ok " "a member"
            equal "$(stat -c '%a %u' "$RUN/guest/guest1")" "1770 0" "the guest's directory"
        else
            uid=$(sed -n "s/^$GROUP:[^:]*:\([0-9]*\):.*/\1/p" /etc/passwd)
            if grep -q "has no ACLs" "$PEER/d.err"; then
                echo "no ACLs in $T: socket_user is not tried"
            elif [ -n "$uid" ]; then
                equal "$(reaches "$T/dom0/e2e_intruder" "$uid" $EVE)" "connect a ok send a ok recv a ok " "the user"
                equal "$(reaches as_member $ANN)" "connect a EACCES " "a member of the user's own group"
            fi
        fi
        equal "$(reaches as_stranger)" "connect a EACCES " "a stranger"
        config
        hup_and_wait
        equal "$(reaches as_member $ANN)" "connect a EACCES " "afterwards"
        equal "$(stat -c %a "$RUN" "$RUN/guest" "$RUN/cid" | tr '\n' ' ')" "700 700 700 " "the directories afterwards"
        equal "$(stat -c '%a %u' "$GUEST1")" "600 0" "the socket afterwards"
    done
    signal d TERM
    equal "$(status_of d)" 0 "xvsd's status"
}
hup_and_wait() {
    _before=$(grep -c "settings read again" "$PEER/d.err")
    signal d HUP
    wait_for '[ "$(grep -c "settings read again" "$PEER/d.err")" -gt "$_before" ]' 10 "xvsd reads its settings"
}

# Each may listen for the guest, with the usual umask, and the listener sees its own user, not root.
test_a_member_listens_for_the_guest() { # short
    with_a_group
    reload "socket_mode = 0660" "socket_group = $GROUP"
    talk g guest1
    ask g "up" "up ok"
    spawn m dom0 "$T/dom0/e2e_intruder" $ANN "$GID" "$T/dom0/e2e_host" "listen L ${GUEST1}_9192" "accept a L" "send a 1000" \
        "recv a 1000"
    wait_for '[ -S "${GUEST1}_9192" ]' 10 "the member's socket"
    equal "$(stat -c '%u %a' "${GUEST1}_9192")" "$ANN 755" "the member's socket"
    ask g "connect a 2:9192" "connect a ok"
    ask g "recv a 1000" "recv a ok"
    ask g "send a 1000" "send a ok"
    equal "$(status_of m)" 0 "the member's program"
    equal "$(grep -c ok "$PEER/m.out")" 4 "what the member's program did"
    rm -f "${GUEST1}_9192"
    # So may xvs serve, as a member and as root.
    for who in as_member as_root; do
        [ $who = as_root ] && set -- || set -- "$T/dom0/e2e_intruder" $BOB "$GID"
        spawn "serve_$who" dom0 "$@" env "LD_LIBRARY_PATH=$T/dom0" "XVS_RUN_DIR=$RUN" "$T/dom0/xvs" serve -m 1 9193 guest1 -- cat
        wait_for '[ -S "${GUEST1}_9193" ]' 10 "xvs serve, $who"
        ask g "connect $who 2:9193" "connect $who ok"
        ask g "send $who 5000" "send $who ok"
        ask g "recv $who 5000" "recv $who ok"
        ask g "close $who" "close $who ok"
        signal "serve_$who" TERM
        status_of "serve_$who" >/dev/null
        wait_for '[ ! -e "${GUEST1}_9193" ]' 10 "the socket of xvs serve is gone"
    done
}

# Both ways while they try: to the guest, and from it to root's listener.  What is at their ports gets no further than they.
served_meanwhile() {
    ask h "connect a $GUEST1:9190" "connect a ok"
    ask g "accept a l" "accept a ok"
    ask h "send a 1000" "send a ok"
    ask g "recv a 1000" "recv a ok"
    ask h "close a" "close a ok"
    ask g "close a" "close a ok"
    ask g "connect b 2:9190" "connect b ok"
    ask h "accept b L" "accept b ok"
    ask g "send b 1000" "send b ok"
    ask h "recv b 1000" "recv b ok"
    ask h "close b" "close b ok"
    ask g "close b" "close b ok"
    for port in 9191 9192 9193 9194; do
        tell g "connect c 2:$port"
        answer g
        case $_answer in
        "connect c ok") ask g "close c" "close c ok" ;;
        "connect c ECONNREFUSED") ;;
        *) fail "the guest at a port of theirs: $_answer" ;;
        esac
    done
}
# Links, FIFOs, directories, sockets, renames, by two at once, while the daemon reloads and restarts; nothing of root's
# changes, nothing of root's is connected to, and the guest is served.
test_two_members_who_try_everything_gain_nothing() { # limit 180
    with_a_group
    victim=$T/dom0/victim
    echo "root's own" >"$victim"
    chmod 640 "$victim"
    was=$(stat -c '%a %u %g %s' "$victim")
    reload "socket_mode = 0660" "socket_group = $GROUP"
    talk r dom0
    ask r "listen R $T/dom0/root.sock" "listen R ok"
    chmod 666 "$T/dom0/root.sock"
    both guest1
    # Root's own listener, in the same directory and with the usual umask.
    ask h "listen L ${GUEST1}_9190" "listen L ok"
    ask g "listen l 9190" "listen l ok"
    for who in ANN BOB; do
        eval "uid=\$$who"
        # shellcheck disable=SC2154 # it is set
        spawn $who dom0 "$T/dom0/e2e_intruder" "$uid" "$GID" -rage "$RUN/guest/guest1" "$victim" "$T/dom0/root.sock"
    done
    wait_for '[ -s "$PEER/ANN.out" ] && [ -s "$PEER/BOB.out" ]' 30 "both have tried everything once"
    for _round in 1 2 3 4; do
        for _i in 1 2 3; do
            reload "socket_mode = 0600"
            reload "socket_mode = 0660" "socket_group = $GROUP"
            served_meanwhile
        done
        stop_daemon
        ask g "down" "down ok"
        start_daemon
        wait_for 'attached guest1' 10 "xvsd attaches guest1 again"
        equal "$(stat -c %u "$GUEST1")" 0 "the owner of the guest's socket"
        ask g "up" "up ok"
    done
    served_meanwhile
    for who in ANN BOB; do
        has_ended $who && fail "$who has ended: $(tail -n 2 "$PEER/$who.err")"
        equal "$(grep -v round "$PEER/$who.out" | sort -u)" "" "what $who gained"
    done
    equal "$(stat -c '%a %u %g %s' "$victim")" "$was" "root's file"
    ask r "accept a R 0" "accept a ETIMEDOUT"
    grep -q "a connection to a host program is refused" "$T/dom0/xvsd.log" || fail "nothing of theirs was met"
    for who in ANN BOB; do
        signal $who KILL
        status_of $who >/dev/null       # or its last call makes something after we have removed all
    done
    rm -rf "$RUN/guest/guest1/vsock_"* "$RUN/guest/guest1/.vsock."* "$RUN/guest/guest1/mine"* "$RUN/guest/guest1/away"
}
