# SPDX-License-Identifier: MIT
#
# lib.sh: what the tests say things with.  Sourced; POSIX shell, busybox's too.
#
# T is the working folder, with a folder per host in it ($T/guest1 exists on guest1), since hosts may share a file system or
# not.  A test fails by `fail`, or by a helper that calls it; a command's status alone fails nothing.

T=$E2E_T
SLOW=$E2E_SLOW
PEER=$T/peer            # what the test's own programs print, and their fifos: on this side

fail() {
    echo "fail: $*"
    exit 1
}

skip() {
    echo "skip: $*"
    exit 77
}

# This runs on dom0 itself, so dom0's files and processes are looked at directly: on real Xen each program that is started
# costs ten milliseconds.  `on dom0` is for what needs Xen.

# ---- waiting -----------------------------------------------------------------------------------------

# nap: a fiftieth of a second.  Busybox's shell can do that without a program: nobody ever writes into this fifo.
if [ "$E2E_PLATFORM" = xen ]; then
    [ -p "$T/nap" ] || mkfifo "$T/nap"
    exec 3<>"$T/nap"
    nap() {
        # shellcheck disable=SC3045 # busybox has it
        read -r -t 0.02 _ <&3 || :
    }
else
    nap() {
        sleep 0.02
    }
fi

# wait_until 'CONDITION' SECONDS: false when the time is over.  The seconds, times E2E_SLOW, end a test that hangs; nothing
# here is judged by how long it took.
wait_until() {
    read -r _uptime _ </proc/uptime
    _end=$((${_uptime%%.*} + $2 * SLOW + 1))
    until eval "$1"; do
        read -r _uptime _ </proc/uptime
        [ "${_uptime%%.*}" -lt "$_end" ] || return 1
        nap
    done
}

# wait_for 'CONDITION' SECONDS [WHAT]
wait_for() {
    wait_until "$1" "$2" || fail "not within $(($2 * SLOW)) s: ${3:-$1}"
}

equal() {       # GOT EXPECTED WHAT
    [ "$1" = "$2" ] || fail "$3: '$1', not '$2'"
}

# The next descriptor for what a scripted peer prints.
_fd=4

# ---- programs on hosts -----------------------------------------------------------------------------------

# spawn NAME HOST cmd...: in the background; its pid over there is `pid_of NAME`, its output $PEER/NAME.out and .err, the latter
# with the pid as the first line.  SPAWN_IN names a fifo for its input, which never ends.
spawn() {
    _name=$1 _host=$2
    shift 2
    [ -d "$PEER" ] || mkdir -p "$PEER"
    [ ! -e "$PEER/$_name.status" ] || rm -f "$PEER/$_name.status"
    : >"$PEER/$_name.out"
    : >"$PEER/$_name.err"
    echo "$_host" >"$PEER/$_name.host"
    (
        # shellcheck disable=SC2016 # expanded over there
        on "$_host" sh -c 'echo $$ >&2; exec "$@"' spawn "$@" \
            <>"${SPAWN_IN:-/dev/null}" >>"$PEER/$_name.out" 2>>"$PEER/$_name.err"
        echo $? >"$PEER/$_name.status"
    ) &
    wait_for "[ -s $PEER/$_name.err ]" 10 "$_name starts on $_host"
}

pid_of() {
    read -r _pid <"$PEER/$1.err" && echo "$_pid"
}

# signal NAME SIG
signal() {
    read -r _at <"$PEER/$1.host" && read -r _pid <"$PEER/$1.err" || return
    if [ "$_at" = dom0 ]; then
        kill "-$2" "$_pid"
    else
        on "$_at" kill "-$2" "$_pid" </dev/null
    fi
}

has_ended() {
    [ -s "$PEER/$1.status" ]
}

# status_of NAME [SECONDS]: waits for its end, prints its exit status.
status_of() {
    wait_until "has_ended $1" "${2:-10}" || {
        echo "still running"
        return
    }
    cat "$PEER/$1.status"
}

end_spawned() {
    # A scripted peer ends by itself, if no step holds it up.
    for _f in "$PEER"/*.in; do
        [ ! -e "$_f" ] || echo quit 1<>"$_f"
    done
    while [ $_fd -gt 4 ]; do
        _fd=$((_fd - 1))
        eval "exec $_fd<&-"
    done
    _naps=0
    while [ $_naps -lt 20 ] && a_peer_is_ending; do
        nap
        _naps=$((_naps + 1))
    done
    for _f in "$PEER"/*.host; do
        [ -e "$_f" ] || continue
        _name=${_f##*/}
        _name=${_name%.host}
        has_ended "$_name" || signal "$_name" "${E2E_END:-KILL}" 2>/dev/null
    done
    for _f in "$PEER"/*.host; do
        [ -e "$_f" ] || continue
        _name=${_f##*/}
        wait_until "has_ended ${_name%.host}" 5 || echo "${_name%.host} does not end"
    done
    rm -rf "$PEER"
}

a_peer_is_ending() {
    for _f in "$PEER"/*.in; do
        [ ! -e "$_f" ] || [ -s "${_f%.in}.status" ] || return 0
    done
    return 1
}

# ---- scripted peers: see helpers/script.c ------------------------------------------------------------

# talk NAME HOST: a peer that is told what to do line by line; at most five at a time.
talk() {
    _program=${E2E_GUEST:-e2e_guest}
    [ "$2" = dom0 ] && _program=e2e_host
    [ -d "$PEER" ] || mkdir -p "$PEER"
    [ ! -e "$PEER/$1.in" ] || rm -f "$PEER/$1.in"
    mkfifo "$PEER/$1.in" || fail "no fifo"
    SPAWN_IN=$PEER/$1.in
    spawn "$1" "$2" "$_program" -
    SPAWN_IN=
    # What it prints is read on from where the last answer ended: a shell reads byte by byte.
    eval "exec $_fd<\"$PEER/$1.out\""
    eval "_fd_$1=$_fd"
    _fd=$((_fd + 1))
}

# tell NAME STEP: without waiting for the answer.  Opened for both, as opening does not wait then if the peer has ended.
tell() {
    echo "$2" 1<>"$PEER/$1.in"
}

# answer NAME [SECONDS]: the next line that it prints.
answer() {
    eval "_from=\$_fd_$1"
    _answer=
    wait_for "line_is_there || has_ended $1" "${2:-30}" "$1 answers"
    [ -n "$_whole" ] || line_is_there || fail "$1 has ended: $(tail -n 2 "$PEER/$1.err" | tr '\n' ' ')"
}

# What has come may be a part of a line only.
line_is_there() {
    _whole=
    IFS= read -r _part <&"$_from" && _whole=yes
    _answer=$_answer$_part
    [ -n "$_whole" ]
}

# ask NAME STEP ANSWER [SECONDS]
ask() {
    tell "$1" "$2"
    heard "$1" "$3" "${4:-30}"
}

# heard NAME ANSWER [SECONDS]: as ask, for a step told before.
heard() {
    answer "$1" "${3:-30}"
    [ "$_answer" = "$2" ] || fail "$1: '$_answer', not '$2'"
}

# ---- the daemon --------------------------------------------------------------------------------------------

# Where the daemon of dom0 has its sockets.
[ -s "$T/run_dir" ] || on dom0 sh -c 'echo "${XVS_RUN_DIR:-/run/xvs}"' >"$T/run_dir" </dev/null
read -r RUN <"$T/run_dir"
# What a program on the host connects to; what it listens on is ${GUEST1}_PORT.
GUEST1=$RUN/guest/guest1/vsock
GUEST2=$RUN/guest/guest2/vsock
CONF=$T/dom0/xvsd.conf

# config [DAEMON LINE...]: writes the usual configuration; the lines go into [daemon].
config() {
    {
        echo "[daemon]"
        for _line in "$@"; do echo "$_line"; done
        echo "[guest guest1]"
        echo "cid = 101"
        echo "[guest guest2]"
        echo "cid = 102"
    } >"$CONF"
}

# policy [LINE...]: what the policy says from the next start or reload on; without lines there is none but the built-in one.
# It stays until `standard` sets things up anew.
policy() {
    rm -rf "$T/dom0/policy.d"
    [ $# -gt 0 ] || return 0
    mkdir "$T/dom0/policy.d"
    printf '%s\n' "$@" >"$T/dom0/policy.d/50-test.policy"
}

# Guests may reach one another, and the host and they.
open_policy() {
    policy "* @any @any allow" "* @any @host allow" "* @host @any allow"
}

find_daemon() {
    [ -e "$T/dom0/xvsd.pid" ] && read -r _daemon <"$T/dom0/xvsd.pid"
}

# The file of this daemon's exit status: each has its own, as that of the one before may come after the next has begun.
find_status() {
    _starts=0
    [ ! -e "$T/starts" ] || read -r _starts <"$T/starts"
    _status=$T/xvsd.status.$_starts
}

daemon_pid() {
    find_daemon && echo "$_daemon"
}

daemon_lives() {
    find_daemon && kill -0 "$_daemon" 2>/dev/null
}

# start_daemon: with what `config` wrote; returns when it answers.  On real Xen its worker has no rights, as in a deployment; hosted
# Xen's libraries need more than Xen's, and there it has ours.
start_daemon() {
    _user=
    [ "$E2E_PLATFORM" != xen ] || _user=--user=xvs
    find_status
    echo $((_starts + 1)) >"$T/starts"
    find_status
    (
        # shellcheck disable=SC2016 # expanded over there
        on dom0 sh -c 'ulimit -n "$(ulimit -H -n)" 2>/dev/null; echo $$ >"$1/xvsd.pid"
            exec xvsd --config "$1/xvsd.conf" $2 >>"$1/xvsd.log" 2>&1' start_daemon "$T/dom0" "$_user" </dev/null >/dev/null 2>&1 &
        _on=$!
        wait "$_on"
        echo $? >"$_status"
    ) &
    wait_for 'daemon_answers || [ -s "$_status" ]' 10 "xvsd answers"
    [ ! -s "$_status" ] || fail "xvsd does not start: $(tail -n 3 "$T/dom0/xvsd.log" | tr '\n' ' ')"
}

daemon_answers() {
    on dom0 xvs ls >/dev/null 2>&1 </dev/null
}

daemon_is_gone() {
    find_status
    [ -s "$_status" ] || ! daemon_lives
}

# stop_daemon: SIGTERM; it must end by itself, with 0.
stop_daemon() {
    disturb
    kill -TERM "$(daemon_pid)"
    wait_for daemon_is_gone 10 "xvsd ends on SIGTERM"
    # It comes a moment after; and never, if who waited for the daemon was ended with an earlier test.
    wait_until '[ -s "$_status" ]' 1 || :
    [ ! -s "$_status" ] || equal "$(cat "$_status")" 0 "xvsd's exit status after SIGTERM"
}

kill_daemon() {
    disturb
    kill -KILL "$(daemon_pid)"
    wait_for daemon_is_gone 5 "xvsd is killed"
}

# freeze_daemon: where it sleeps (epoll_wait or epoll_pwait, by its number), not within a request: xenstored waits for the rest of
# one, and for nothing else.  Until a SIGCONT.
freeze_daemon() {
    find_daemon || fail "there is no xvsd"
    while kill -STOP "$_daemon" && wait_for stands_still 5 "xvsd stands still" && read -r _number _ <"/proc/$_daemon/syscall"; do
        case $_number in 232 | 281 | 22) return ;; esac
        kill -CONT "$_daemon"
        nap
    done
}
stands_still() {
    grep -q '^State:.*T' "/proc/$_daemon/status"
}

stop_daemon_if_any() {
    daemon_lives || return 0
    kill -TERM "$(daemon_pid)"
    wait_until daemon_is_gone 10 || kill -KILL "$(daemon_pid)"
}

# disturb: says that the next test must set things up anew.
disturb() {
    rm -f "$T/is_standard"
}

# What every test finds: both guests, a daemon whose policy allows everything, nothing open.
standard() {
    if [ ! -e "$T/is_standard" ] || ! daemon_lives; then
        for _guest in guest1 guest2; do
            domid "$_guest" >/dev/null 2>&1 || create "$_guest" || fail "cannot create $_guest"
            on "$_guest" mkdir -p "$T/$_guest" </dev/null
        done
        stop_daemon_if_any
        config
        open_policy
        start_daemon
        wait_for 'attached guest1 && attached guest2' 10 "xvsd attaches both guests"
        : >"$T/is_standard"
    fi
}

attached() {
    [ -S "$RUN/guest/$1/vsock" ]
}

# ---- leaks -----------------------------------------------------------------------------------------------

# What the guests hold of Xen while no program of ours runs in them, and what dom0 maps.
idle_counts() {
    leakcount guest1 guest2 | grep -v nodes
    leakcount dom0 | grep mapped
}

# child NAME: the process id of the daemon's worker or dialer.
child() {
    for _p in $(cat "/proc/$(daemon_pid)/task/$(daemon_pid)/children"); do
        if tr '\0' ' ' <"/proc/$_p/cmdline" | grep -q -e "--$1"; then echo "$_p"; fi
    done
}

# Of its three processes.
daemon_fds() {
    _keeper=$(daemon_pid)
    for _p in "$_keeper" $(cat "/proc/$_keeper/task/$_keeper/children"); do
        ls "/proc/$_p/fd" 2>/dev/null
    done | wc -l
}

# The same when nothing seems to be on its way any more, such as the connection of the command before: to begin from.  What is
# compared with it may be less.
daemon_fds_at_rest() {
    _same=0 _before=
    while [ $_same -lt 5 ]; do
        nap
        _count=$(daemon_fds)
        [ "$_count" = "$_before" ] || _same=0
        _before=$_count
        _same=$((_same + 1))
    done
    echo "$_count"
}

# ---- streams between a scripted host program h and a scripted guest g ------------------------------------

# both GUEST: talk to h on dom0 and to g on the guest, which is up.
both() {
    talk h dom0
    talk g "$1"
    ask g "up" "up ok"
}

# joined NAME OPENER PORT: a stream of that name at h and g, opened by h or g.
joined() {
    if [ "$2" = h ]; then
        ask g "listen L$3 $3" "listen L$3 ok"
        ask h "connect $1 $GUEST1:$3" "connect $1 ok"
        ask g "accept $1 L$3" "accept $1 ok"
        ask g "unlisten L$3" "unlisten L$3 ok"
    else
        ask h "listen L$3 ${GUEST1}_$3" "listen L$3 ok"
        ask g "connect $1 2:$3" "connect $1 ok"
        ask h "accept $1 L$3" "accept $1 ok"
        ask h "unlisten L$3" "unlisten L$3 ok"
    fi
}
