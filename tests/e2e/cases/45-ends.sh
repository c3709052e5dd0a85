# SPDX-License-Identifier: MIT
# xvs cat says 0 if every byte has arrived, and at no other time: each fault in the middle of a transfer, in both directions, opened from
# both sides, and what both ends say then.

# A transfer is SENDER OPENER, each of them dom0 or guest1.  'sender' and 'receiver' are the commands; a command listens if it is not
# the opener.
TRANSFERS='dom0:dom0 dom0:guest1 guest1:dom0 guest1:guest1'
PORT=5200

other_of() {
    [ "$1" = dom0 ] && echo guest1 || echo dom0
}

# command HOST OPENER: what HOST runs.
command_of() {
    if [ "$1" = "$2" ]; then
        [ "$1" = dom0 ] && echo "xvs cat -r 20 guest1 $PORT" || echo "xvs cat -r 20 host $PORT"
    else
        [ "$1" = dom0 ] && echo "xvs cat -l $PORT guest1" || echo "xvs cat -l $PORT"
    fi
}

# The tests look at the files of both ends.
shared() {
    [ "$E2E_PLATFORM" = hosted ] || skip "the hosts of this platform share no files"
}

# begin TRANSFER INPUT OUTPUT: starts both ends; INPUT and OUTPUT are what a shell puts behind the commands.
begin() {
    _sends=${1%:*} _opens=${1#*:}
    _receives=$(other_of "$_sends")
    PORT=$((PORT + 1))
    : >"$T/out"
    spawn receiver "$_receives" sh -c "exec $(command_of "$_receives" "$_opens") $3 </dev/null"
    spawn sender "$_sends" sh -c "exec ${HALF-} $(command_of "$_sends" "$_opens") $2 >/dev/null"
}

arrived() {
    [ "$(wc -c <"$T/out")" -ge "$1" ]
}

# ends CELL SENDER RECEIVER: their exit statuses; "any" for one whose host is no more.
ends() {
    [ "$2" = any ] || equal "$(status_of sender 20)" "$2" "$1: the sender's exit status"
    [ "$3" = any ] || equal "$(status_of receiver 20)" "$3" "$1: the receiver's exit status"
    case $2 in
    6) grep -q . "$PEER/sender.err" || fail "$1: the sender says nothing" ;;
    esac
}

# ---- faults, and how they are mended ----

stopped() {
    stop_daemon
}
killed() {
    kill_daemon
}
mend_daemon() {
    start_daemon
    wait_for 'attached guest1' 10 "xvsd attaches guest1 again"
}
detached() {
    on dom0 xvs detach -d 0 guest1 >/dev/null </dev/null || fail "xvs detach ended with $?"
}
attach_again() {
    wait_for '! attached guest1' 10 "the device is gone"
    on dom0 xvs attach -d 0 guest1 >/dev/null </dev/null || fail "xvs attach ended with $?"
    wait_for 'attached guest1' 10 "the device is back"
}
destroyed() {
    disturb
    crash guest1 || fail "the platform cannot crash guest1"
}
create_again() {
    wait_for '! attached guest1' 10 "the guest is gone"
    create guest1 || fail "the platform cannot create guest1"
    on guest1 mkdir -p "$T/guest1" </dev/null
    wait_for 'attached guest1' 10 "xvsd attaches the new guest1"
}
agent_killed() {
    [ "$sends" = guest1 ] && signal sender KILL || signal receiver KILL
}
sender_killed() {
    signal sender KILL
}
sender_interrupted() {
    signal sender TERM
}

# The sender's input goes on: so much has arrived when the fault comes.
MANY=3000000

# each_transfer FAULT MEND FROM_DOM0 FROM_GUEST: the last two are "SENDER RECEIVER", the exit statuses by who sends.
each_transfer() {
    shared
    for transfer in $TRANSFERS; do
        sends=${transfer%:*}
        rm -f "$T/feed"
        mkfifo "$T/feed"
        begin "$transfer" "<$T/feed" ">$T/out"
        spawn feeder dom0 sh -c "exec >$T/feed; head -c $MANY /dev/zero; exec sleep 1000"
        wait_for "arrived $MANY || has_ended sender || has_ended receiver" 20 "$transfer: $MANY bytes arrive"
        arrived $MANY || fail "$transfer: an end before the fault: $(cat "$PEER/sender.err" "$PEER/receiver.err")"
        "$1"
        [ "$sends" = dom0 ] && expected=$3 || expected=$4
        ends "$1 $transfer" "${expected% *}" "${expected#* }"
        end_spawned
        [ -z "$2" ] || "$2"
    done
}

test_a_stopped_daemon_is_status_6_at_both_ends() { # limit 120
    each_transfer stopped mend_daemon "6 6" "6 6"
}
test_a_killed_daemon_is_status_6_at_both_ends() { # short, limit 120
    each_transfer killed mend_daemon "6 6" "6 6"
}
test_a_detached_device_is_status_6_at_both_ends() { # limit 120
    each_transfer detached attach_again "6 6" "6 6"
}
test_a_destroyed_guest_is_status_6_in_dom0() { # limit 120
    each_transfer destroyed create_again "6 any" "any 6"
}
test_a_killed_agent_is_status_6_in_dom0() { # short, limit 120
    each_transfer agent_killed '' "6 137" "137 6"
}
test_a_killed_sender_is_status_6_at_the_receiver() { # short, limit 120
    each_transfer sender_killed '' "137 6" "137 6"
}
test_an_interrupted_sender_is_status_6_at_the_receiver() { # limit 120
    each_transfer sender_interrupted '' "143 6" "143 6"
}
# Its input gives 1,000,000 bytes, and then EIO.
test_a_sender_whose_input_fails_is_status_6_at_the_receiver() { # short, limit 120
    shared
    for transfer in $TRANSFERS; do
        HALF="e2e_half 1000000" begin "$transfer" "" ">$T/out"
        ends "input failed $transfer" 7 6
        grep -q 'standard input: Input/output error' "$PEER/sender.err" || fail "$transfer: $(cat "$PEER/sender.err")"
        end_spawned
    done
}

# ---- the tail: the sender has handed over all it has, and the receiver has not read it ----

# More than what a pipe (64 KiB), a receiver (128 KiB) and a socket in dom0 (248 KiB) take when nobody reads; and not more than a stream is
# promised: half of the guest's pool (480 KiB), where memory is no concern.
TAIL=480000
plenty() {
    disturb
    stop_daemon
    config "held_spill_bytes = 67108864"
    start_daemon
    wait_for 'attached guest1' 10 "xvsd attaches guest1 again"
}

# The receiver's output is a pipe that somebody has opened at both ends and nobody reads: it begins, and cannot go on when that is full.
plug() {
    rm -f "$T/drain"
    mkfifo "$T/drain"
    spawn plug dom0 sh -c "exec 9<>$T/drain; exec sleep 1000"
}
drain() {
    rm -f "$T/drains"
    spawn reader dom0 sh -c "exec <$T/drain; : >$T/drains; exec cat >$T/out"
    wait_for '[ -e "$T/drains" ]' 10 "the reader opens the pipe"
    signal plug KILL
}
# What the sender has read of its input, a file.
has_read() {
    read -r _ _pos <"/proc/$(pid_of sender)/fdinfo/0" 2>/dev/null && [ "$_pos" -ge "$TAIL" ]
}
stuck_in_the_tail() {
    wait_for 'has_read || has_ended sender || has_ended receiver' 20 "$1: the sender reads all its input"
    for _end in sender receiver; do
        ! has_ended $_end ||
            fail "$1: the $_end has ended with $(cat "$PEER/$_end.status"), and not everything was read: $(cat "$PEER/$_end.err")"
    done
}
# each_tail FAULT MEND FROM_DOM0 FROM_GUEST: the exit status of the sender, by who sends.  The receiver may have got everything, and may
# say 0 then.
each_tail() {
    shared
    plenty
    head -c $TAIL /dev/zero >"$T/in"
    for transfer in $TRANSFERS; do
        sends=${transfer%:*}
        plug
        begin "$transfer" "<$T/in" ">$T/drain"
        stuck_in_the_tail "$transfer"
        "$1"
        [ "$sends" = dom0 ] && expected=$3 || expected=$4
        ends "$1 $transfer in the tail" "$expected" any
        drain
        got=$(status_of receiver 20)
        case $got in
        0)
            wait_for 'has_ended reader' 20 "the receiver's output ends"
            arrived $TAIL || fail "$1 $transfer in the tail: the receiver has $(wc -c <"$T/out") of $TAIL bytes, and says 0"
            ;;
        6) ;;
        *) [ "$1" = destroyed ] || [ "$1" = agent_killed ] || fail "$1 $transfer in the tail: the receiver's status is $got" ;;
        esac
        end_spawned
        [ -z "$2" ] || "$2"
    done
}

test_a_daemon_that_stops_in_the_tail_is_status_6_at_the_sender() { # limit 120
    each_tail stopped mend_daemon 6 6
}
test_a_daemon_that_is_killed_in_the_tail_is_status_6_at_the_sender() { # short, limit 120
    each_tail killed mend_daemon 6 6
}
test_a_device_that_is_detached_in_the_tail_is_status_6_at_the_sender() { # limit 120
    each_tail detached attach_again 6 6
}
test_a_guest_that_is_destroyed_in_the_tail_is_status_6_at_the_sender() { # limit 120
    each_tail destroyed create_again 6 any
}
test_an_agent_that_is_killed_in_the_tail_is_status_6_at_the_sender() { # limit 120
    each_tail agent_killed '' 6 137
}
test_a_sender_that_is_killed_in_the_tail_does_not_make_half_a_file_whole() { # limit 120
    each_tail sender_killed '' 137 137
}

# ---- and in order ----

test_whole_transfers_are_status_0_at_both_ends() { # short, limit 120
    shared
    for size in 0 1 $MANY; do
        head -c $size /dev/urandom >"$T/in"
        for transfer in $TRANSFERS; do
            begin "$transfer" "<$T/in" ">$T/out"
            ends "$size bytes, $transfer" 0 0
            cmp -s "$T/in" "$T/out" || fail "$transfer: other bytes arrived"
        done
    done
}
# The receiver's own end comes first or last, and it takes its time: status 0 means that it has read everything.
test_the_sender_waits_until_everything_is_read() { # limit 120
    shared
    plenty
    head -c $TAIL /dev/urandom >"$T/in"
    for transfer in $TRANSFERS; do
        plug
        begin "$transfer" "<$T/in" ">$T/drain"
        stuck_in_the_tail "$transfer"
        drain
        ends "$transfer" 0 0
        wait_for 'has_ended reader' 20 "the receiver's output ends"
        cmp -s "$T/in" "$T/out" || fail "$transfer: other bytes arrived"
        end_spawned
    done
}

# ---- serve: a command that fails, or does not read what was sent, is no success for whoever called ----

# serves HOST STATUS BYTES COMMAND: what the caller at the other host says when it sends so many bytes ("archive": $T/archive) to a
# served 'sh -c COMMAND'.
serves() {
    PORT=$((PORT + 1))
    [ "$3" = archive ] && cp "$T/archive" "$T/in" || head -c "$3" /dev/zero >"$T/in"
    if [ "$1" = dom0 ]; then
        spawn server dom0 xvs serve "$PORT" guest1 -- sh -c "$4"
        on guest1 sh -c "exec xvs cat -r 20 host $PORT <$T/in >$T/out 2>$T/err"
    else
        spawn server guest1 xvs serve "$PORT" -- sh -c "$4"
        on dom0 sh -c "exec xvs cat -r 20 guest1 $PORT <$T/in >$T/out 2>$T/err"
    fi
    _got=$?
    equal "$_got" "$2" "the exit status of a caller of '$4' served on $1, with $3 bytes ($(cat "$T/err"))"
}
# After serves: the server has said why.
said() {
    wait_for "grep -q '$1, so the connection was reset' $PEER/server.err" 10 "the server's log says '$1'"
    end_spawned
}
served_in() {
    shared
    for bytes in 0 1 1000 100000 400000; do
        serves "$1" 5 $bytes 'exit 9'
        grep -q "the command at the other end ended with status 9; .* bytes had come" "$T/err" || fail "the caller says: $(cat "$T/err")"
        said 'the command ended with status 9'
    done
    serves "$1" 5 100000 'cat >/dev/full'
    said 'the command ended with status 1'
    head -c 100000 /dev/urandom >"$T/file"
    tar -c -f "$T/archive" -C "$T" file
    serves "$1" 5 archive 'tar x -C /no/such/directory'
    said 'the command ended with status 2'
    serves "$1" 5 100000 'kill -KILL $$'
    grep -q "the command at the other end was killed by signal 9" "$T/err" || fail "the caller says: $(cat "$T/err")"
    said 'the command was killed by signal 9'
    # What it had to say arrives before its status.
    serves "$1" 5 0 'head -c 300000 /dev/zero; exit 9'
    equal "$(wc -c <"$T/out")" 300000 "bytes from a command that failed"
    end_spawned
    # It has what it wants; but the caller sent more, and shall know.
    serves "$1" 6 100000 'head -c 10'
    said 'the command has not read all its input'
    # It has read a part of what there was.  (One that ends before any input has come has left none unread.)
    serves "$1" 6 1000 'dd bs=1 count=1 >/dev/null 2>&1'
    end_spawned
    # A child of it goes on with the conversation, but it has failed.  (A shell's background has no standard input: hence the 3.)
    # What it says has come when it ends, for a reset may overtake it.
    serves "$1" 5 1000 "exec 3<&0; (cat <&3; until [ \$(wc -c <$T/out) = 1000 ]; do sleep 0.1; done) & exit 3"
    said 'the command ended with status 3'
    equal "$(wc -c <"$T/out")" 1000 "bytes that came back from a child of a command that failed"

    serves "$1" 0 10 'head -c 10'
    end_spawned
    serves "$1" 0 0 'exec true'
    end_spawned
    serves "$1" 0 400000 'cat'
    cmp -s "$T/in" "$T/out" || fail "other bytes came back"
    end_spawned
    serves "$1" 0 1000 'exec 3<&0; cat <&3 & exit 0'
    cmp -s "$T/in" "$T/out" || fail "other bytes came back from a child of the command"
    end_spawned
    # It ends its output first, and goes on.
    serves "$1" 0 400000 "exec >&-; cat >$T/kept"
    cmp -s "$T/in" "$T/kept" || fail "the command has other bytes"
    end_spawned
    serves "$1" 5 1000 'exec >&-; cat >/dev/null; exit 7'
    said 'the command ended with status 7'
}
test_a_command_that_fails_in_a_guest_is_status_5_for_the_caller() { # short, limit 120
    served_in guest1
}
test_a_command_that_fails_in_dom0_is_status_5_for_the_caller() { # limit 120
    served_in dom0
}
test_a_command_in_dom0_knows_who_called() {
    # shellcheck disable=SC2016 # expanded by the command
    spawn server dom0 xvs serve 5399 guest1 -- sh -c 'echo "$XVS_PEER_CID $XVS_PEER_PORT $XVS_LOCAL_CID $XVS_LOCAL_PORT"'
    got=$(on guest1 xvs cat -r 20 host 5399 </dev/null) || fail "xvs cat ended with $?"
    case $got in
    "101 "[1-9]*" 2 5399") ;;
    *) fail "the command was told '$got'" ;;
    esac
}
