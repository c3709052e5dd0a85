# SPDX-License-Identifier: MIT
# The command as an administrator uses it, with files, pipes and exit statuses.

# data HOST NAME BYTES: a file of random bytes on that host; prints its sum.
data() {
    # shellcheck disable=SC2016 # expanded over there
    on "$1" sh -c 'head -c "$2" /dev/urandom >"$1" && sha256sum <"$1"' data "$T/$1/$2" "$3" </dev/null
}
# sum_of HOST NAME
sum_of() {
    # shellcheck disable=SC2016
    on "$1" sh -c 'sha256sum <"$1"' sum_of "$T/$1/$2" </dev/null
}
# feed HOST INPUT OUTPUT cmd...: with files of that host as standard input and output.
feed() {
    _host=$1 _in=$T/$1/$2 _out=$T/$1/$3
    shift 3
    # shellcheck disable=SC2016
    on "$_host" sh -c 'in=$1 out=$2; shift 2; exec "$@" <"$in" >"$out"' feed "$_in" "$_out" "$@" </dev/null
}
remove() {
    for _host in dom0 guest1 guest2; do
        on "$_host" rm -f "$T/$_host/in" "$T/$_host/out" </dev/null
    done
}

test_ls_shows_the_guests() { # short
    talk g guest1
    ask g "up" "up ok"
    wait_for 'on dom0 xvs ls </dev/null | grep guest1 | grep -q 101' 5 "xvs ls shows guest1 with its CID"
    on dom0 xvs ls </dev/null
    wait_for 'on dom0 xvs ls --json guest1 </dev/null | grep -qi "\"state\": *\"connected\""' 5 "guest1 is connected"
    on dom0 xvs ls </dev/null | grep guest2 | grep -q 102 || fail "xvs ls does not show guest2"
    on dom0 xvs ls --json guest2 </dev/null | grep -qi '"state": *"connected"' && fail "guest2, with nobody in it, is connected"
    on dom0 xvs ls nobody >/dev/null 2>&1 </dev/null
    equal $? 3 "the exit status for a guest that does not exist"
}
# Host to guest, in one direction, with files.
cat_to_guest() { # BYTES
    sum=$(data dom0 in "$1")
    spawn listener guest1 sh -c "exec xvs cat -l 5100 </dev/null >$T/guest1/out"
    feed dom0 in out xvs cat -r 60 guest1 5100 || fail "xvs cat ended with $?"
    equal "$(status_of listener 20)" 0 "the listener's exit status"
    equal "$(sum_of guest1 out)" "$sum" "the checksum in the guest"
    remove
}
cat_to_host() { # BYTES
    sum=$(data guest1 in "$1")
    spawn listener dom0 sh -c "exec xvs cat -l 5101 guest1 </dev/null >$T/dom0/out"
    feed guest1 in out xvs cat -r 60 host 5101 || fail "xvs cat ended with $?"
    equal "$(status_of listener 20)" 0 "the listener's exit status"
    equal "$(sum_of dom0 out)" "$sum" "the checksum on the host"
    remove
}
test_cat_0_bytes_to_the_guest() {
    cat_to_guest 0
}
test_cat_1_byte_to_the_guest() { # short
    cat_to_guest 1
}
test_cat_300001_bytes_to_the_guest() {
    cat_to_guest 300001
}
test_cat_bulk_to_the_guest() { # limit 120
    cat_to_guest "$E2E_BULK"
}
test_cat_0_bytes_to_the_host() {
    cat_to_host 0
}
test_cat_1_byte_to_the_host() {
    cat_to_host 1
}
test_cat_300001_bytes_to_the_host() { # short
    cat_to_host 300001
}
test_cat_bulk_to_the_host() { # limit 120, xen
    cat_to_host "$E2E_BULK"
}
test_cat_from_guest_to_guest() { # short
    sum=$(data guest1 in 3000001)
    spawn listener guest2 sh -c "exec xvs cat -l 5102 </dev/null >$T/guest2/out"
    feed guest1 in out xvs cat -r 60 102 5102 || fail "xvs cat ended with $?"
    equal "$(status_of listener 20)" 0 "the listener's exit status"
    equal "$(sum_of guest2 out)" "$sum" "the checksum in the other guest"
    remove
}
# Both ends send at the same time, then both end.
test_cat_both_directions_at_once() { # short
    mine=$(data dom0 in $((E2E_BULK / 16 + 1)))
    theirs=$(data guest1 in $((E2E_BULK / 20 + 1)))
    spawn listener guest1 sh -c "exec xvs cat -l 5103 <$T/guest1/in >$T/guest1/out"
    feed dom0 in out xvs cat -r 60 guest1 5103 || fail "xvs cat ended with $?"
    equal "$(status_of listener 20)" 0 "the listener's exit status"
    equal "$(sum_of guest1 out)" "$mine" "the checksum in the guest"
    equal "$(sum_of dom0 out)" "$theirs" "the checksum on the host"
    remove
}
test_socat_receives_from_the_guest() {
    on dom0 which socat >/dev/null 2>&1 </dev/null || skip "no socat on this platform"
    sum=$(data guest1 in 5000001)
    spawn listener dom0 sh -c "exec socat -u UNIX-LISTEN:${GUEST1}_5104 CREATE:$T/dom0/out"
    wait_for '[ -S "${GUEST1}_5104" ]' 5
    feed guest1 in out xvs cat -r 60 host 5104 || fail "xvs cat ended with $?"
    equal "$(status_of listener 20)" 0 "socat's exit status"
    equal "$(sum_of dom0 out)" "$sum" "the checksum on the host"
    remove
}

# ---- exit statuses ----
status() {      # EXPECTED HOST cmd...
    _expected=$1
    shift
    on "$@" >"$T/status.out" 2>&1 </dev/null
    equal $? "$_expected" "the exit status of '$*' ($(cat "$T/status.out"))"
    [ -s "$T/status.out" ] || fail "'$*' says nothing"
}
test_exit_statuses_of_cat() { # short
    status 2 dom0 xvs cat guest1
    status 2 dom0 xvs cat guest1 x
    status 3 dom0 xvs cat nobody 5110
    # A guest in which nothing runs, and one where nobody listens.
    status 11 dom0 xvs cat guest1 5110
    talk g guest1
    ask g "up" "up ok"
    status 4 dom0 xvs cat guest1 5110
}
test_exit_statuses_of_cat_in_a_guest() {
    status 4 guest1 xvs cat host 5112
    status 3 guest1 xvs cat 99 5112
    talk g guest1
    ask g "up" "up ok"
    # The device has an owner.
    status 3 guest1 xvs cat host 5112
    grep -q "$(pid_of g)" "$T/status.out" || fail "it does not name pid $(pid_of g): $(cat "$T/status.out")"
}
test_a_reset_gives_exit_status_6() {
    both guest1
    ask g "listen l 5113" "listen l ok"
    spawn cat dom0 sh -c "sleep 60 | xvs cat guest1 5113"
    ask g "accept a l" "accept a ok"
    spawn cat2 dom0 sh -c "exec xvs cat guest1 5113 </dev/zero"
    ask g "accept b l" "accept b ok"
    tell g "reset b"
    heard g "reset b ok"
    equal "$(status_of cat2)" 6 "the exit status of a writer whose stream was reset"
}

# all_is_sent PORT: a sender in guest1 whose bytes have all been handed over, and lie in buffers.  Whether they are read, it waits for.  The
# pipe of their reader is full, so he reads but once: 128 KiB at most, or next to nothing, as his time is.  With that and what the socket
# takes, 192 KiB at most, they are not all read; and with the stream's promise, 256 KiB, and the half of that socket they are all sent.
SENT=350000
PIPE=65536
all_is_sent() {
    on guest1 sh -c "head -c $SENT /dev/zero >$T/guest1/in" </dev/null
    rm -f "$T/drain"
    mkfifo "$T/drain"
    exec 9<>"$T/drain"
    head -c $PIPE /dev/zero >&9
    spawn receiver dom0 sh -c "exec xvs cat -l $1 guest1 </dev/null >$T/drain"
    spawn sender guest1 sh -c "exec xvs cat -r 60 host $1 <$T/guest1/in"
    # shellcheck disable=SC2016 # when it is looked
    wait_for 'has_ended sender || on guest1 grep -q "^pos:.$SENT\$" "/proc/$(pid_of sender)/fdinfo/0" </dev/null' 20 "all is sent"
    ! has_ended sender || fail "the sender has ended with $(status_of sender), and not all was read: $(cat "$PEER/sender.err")"
}
test_a_sender_waits_until_all_is_read() {
    all_is_sent 5114
    head -c $((PIPE + SENT)) <&9 >"$T/dom0/out"
    equal "$(status_of sender 20)" 0 "the exit status when all was read"
    equal "$(status_of receiver 20)" 0 "the receiver's"
    end_spawned
    remove
}
test_a_sender_says_that_its_reader_was_killed_with_all_in_buffers() { # short
    all_is_sent 5115
    signal receiver KILL
    equal "$(status_of sender 20)" 6 "the exit status when the reader was killed"
    end_spawned
    remove
}

# ---- serve and ping ----
test_serve_runs_a_command_for_each_connection() { # short
    spawn server guest1 xvs serve 5120 -- sh -c 'echo "port $XVS_LOCAL_PORT cid $XVS_PEER_CID"; cat'
    got=$(echo hello | on dom0 xvs cat -r 60 guest1 5120 | tr '\n' '|')
    equal "$got" "port 5120 cid 2|hello|" "what the served command said"
    pids=''
    for i in 1 2 3 4 5 6 7 8 9 10; do
        echo "line $i" | on dom0 xvs cat guest1 5120 >"$PEER/served.$i" &
        pids="$pids $!"
    done
    for pid in $pids; do
        wait "$pid" || fail "one of ten parallel connections failed"
    done
    for i in 1 2 3 4 5 6 7 8 9 10; do
        equal "$(tail -n 1 "$PEER/served.$i")" "line $i" "connection $i of ten"
    done
}
test_serve_in_dom0_for_a_guest() {
    spawn server dom0 xvs serve 5121 guest1 -- sh -c 'cat; echo done'
    got=$(echo hello | on guest1 xvs cat -r 60 host 5121 | tr '\n' '|')
    equal "$got" "hello|done|" "what the served command said"
}
# 300 connections one after the other to a served command.
test_serve_one_after_the_other() { # limit 120
    spawn server guest1 xvs serve 5122 -- cat
    equal "$(echo x | on dom0 xvs cat -r 60 guest1 5122)" x "the first connection"
    i=0
    while [ $i -lt 60 ]; do
        i=$((i + 1))
        equal "$(echo "$i" | on dom0 xvs cat guest1 5122)" "$i" "connection $i"
    done
}
test_ping() { # short
    spawn echo guest1 xvs ping -l
    on dom0 xvs ping -r 60 -f -c 200 guest1 </dev/null || fail "xvs ping ended with $?"
    on dom0 xvs ping -f -c 50 -s 100000 guest1 </dev/null || fail "xvs ping -s 100000 ended with $?"
    on guest2 xvs ping -f -c 50 101 </dev/null || fail "xvs ping from guest2 ended with $?"
}
# hears NAME WORDS: what the spawned command says to standard error.
hears() {
    wait_for "grep -q '$2' $PEER/$1.err || has_ended $1" 20 "$1 says '$2'"
    ! has_ended "$1" || fail "$1 has ended with $(status_of "$1"): $(tail -n 1 "$PEER/$1.err")"
}
test_retry_waits_for_the_daemon_on_both_sides() { # short, limit 120
    disturb
    stop_daemon
    wait_for '! attached guest1' 5 "the daemon's directories are gone"
    spawn serves1 guest1 xvs serve 5141 -- cat
    spawn serves0 dom0 xvs serve -v -r 60 5142 guest2 -- cat
    spawn calls1 dom0 sh -c 'echo hello | exec xvs cat -v -r 60 guest1 5141'
    spawn calls0 guest2 sh -c 'echo hello | exec xvs cat -v -w 0.2 -r 60 host 5142'
    for name in serves0 calls1 calls0; do
        hears $name 'trying again'
    done
    start_daemon
    for name in calls1 calls0; do
        equal "$(status_of $name)" 0 "$name: the exit status ($(tail -n 1 "$PEER/$name.err"))"
        equal "$(cat "$PEER/$name.out")" hello "$name"
    done
}
test_retry_waits_for_whoever_has_the_device() {
    wait_for '! on dom0 xvs ls guest1 </dev/null | grep -q "in use"' 10 "whoever had the device has let it go"
    spawn serves0 dom0 xvs serve -r 60 5143 guest1 -- cat
    spawn owner guest1 xvs ping -l
    wait_for 'on dom0 xvs ls guest1 </dev/null | grep -q "in use"' 10 "somebody has the device"
    spawn calls0 guest1 sh -c 'echo hello | exec xvs cat -v -r 60 host 5143'
    hears calls0 'trying again'
    signal owner KILL
    equal "$(status_of calls0)" 0 "the exit status ($(tail -n 1 "$PEER/calls0.err"))"
    equal "$(cat "$PEER/calls0.out")" hello "what came back"
    # No start mends this.
    status 2 guest1 xvs cat --guest -r 1000 web1 7
    status 2 dom0 xvs ping -r 1000
}
test_ping_of_nobody() {
    status 11 dom0 xvs ping -c 1 guest1
}

# ---- attach and detach ----
test_detach_and_attach_while_it_runs() { # xen
    disturb
    both guest1
    ask g "listen l 5130" "listen l ok"
    ask h "connect a $GUEST1:5130" "connect a ok"
    ask g "accept a l" "accept a ok"
    on dom0 xvs detach guest1 </dev/null || fail "xvs detach ended with $?"
    ask g "down" "down ok"
    ask g "eof a" "eof a ECONNRESET"
    wait_for '! attached guest1' 5 "the socket is gone"
    status 3 dom0 xvs cat guest1 5130
    on dom0 xvs attach -d 0 guest1 </dev/null || fail "xvs attach ended with $?"
    ask g "up" "up ok"
    wait_for 'attached guest1' 5 "the socket is back"
    ask h "connect b $GUEST1:5130" "connect b ok"
    ask g "accept b l" "accept b ok"
    on dom0 xvs attach -d 0 guest1 >/dev/null 2>&1 </dev/null && fail "attaching device 0 twice is said to be done"
    daemon_lives || fail "the daemon has ended"
}
test_dump_and_stats_answer() {
    both guest1
    joined a h 5131
    on dom0 xvs dump guest1 </dev/null >"$T/dump" || fail "xvs dump ended with $?"
    grep -q 5131 "$T/dump" || fail "the dump does not show the stream to port 5131"
    on dom0 xvs stats guest1 </dev/null >"$T/dump" || on dom0 xvs stats </dev/null >"$T/dump" || fail "xvs stats ended with $?"
    [ -s "$T/dump" ] || fail "xvs stats says nothing"
}

# To look was to open for a moment: of 20 programs that were started meanwhile 8 were refused.
test_looking_in_a_guest_keeps_no_program_out() { # short
    # shellcheck disable=SC2016 # expanded over there
    spawn looker guest1 sh -c 'while :; do xvs ls >/dev/null 2>&1; done'
    programs=20
    [ "$E2E_PLATFORM" != xen ] || programs=5
    for i in $(seq 1 $programs); do
        equal "$(on guest1 e2e_guest "up" quit 2>&1 </dev/null)" "up ok" "program $i"
    done
    has_ended looker && fail "nobody looked any more"
    signal looker KILL
    wait_for 'has_ended looker' 5
    # Nor does it need anything of the daemon's, or the device: a guest's table is xenstore's.
    talk g guest1
    ask g "up" "up ok"
    got=$(on guest1 xvs ls </dev/null) || fail "xvs ls ended with $?"
    equal "$got" "device 0: up, CID 101: process $(pid_of g) has it" "xvs ls"
}
test_a_command_without_descriptors_does_not_ask_for_modules() {
    for n in 4 5 6 7 8 9 10 11 12 13 14; do
        # shellcheck disable=SC2016 # expanded over there
        got=$(on guest1 sh -c 'ulimit -n "$1"; exec xvs cat -w 1 host 9999 2>&1' sh $n </dev/null) && fail "nobody listens"
        case $got in
        *loaded* | *"Xen guest"*) fail "with $n descriptors: $got" ;;
        *"no more descriptors"*) said=$n ;;
        esac
    done
    [ -n "${said-}" ] || fail "it never said that it has no more descriptors"
}
