#!/bin/sh
# SPDX-License-Identifier: MIT
# cli.sh: the front command, and what a host leaves behind.
set -u
cd "$(dirname "$0")/../.." || exit 2
# shellcheck source=tests/xensim/lib.sh
. tests/xensim/lib.sh

fails_with() { # CODE TEXT COMMAND...
    want=$1 text=$2
    shift 2
    "$@" >"$work/out" 2>&1
    got=$?
    [ $got -eq "$want" ] && grep -q -e "$text" "$work/out" && return
    echo "status $got, not $want with '$text': $(cat "$work/out")"
    return 1
}

# Zombies are gone: who their parent is, is not our affair.
gone() {
    for pid in "$@"; do
        state=$(sed 's/.*) //; s/ .*//' "/proc/$pid/stat" 2>/dev/null)
        [ -z "$state" ] || [ "$state" = Z ] || return 1
    done
}
pids_of() { # DIR: the daemon and all its children
    daemon=$(cat "$1/lock") && echo "$daemon" && cat "/proc/$daemon/task/$daemon/children"
}

every_verb_has_help() {
    x --help | grep -q 'xensim start' || return 1
    for verb in start stop create destroy rename ls run; do
        x $verb --help | grep -q "^usage: xensim $verb" || return 1
    done
    "$XENSIM_BIN/xensimd" --help | grep -q usage && "$XENSIM_BIN/xensim-xenbus" --help | grep -q xensim
}

mistakes_are_named() {
    fails_with 2 'usage' x &&
    fails_with 2 "no verb 'fly'" x fly &&
    fails_with 2 'give a DIR' x start &&
    fails_with 1 'no hosted Xen runs there' x ls "$work" &&
    fails_with 1 'too long for the sockets' x start "$work/$(printf %0100d 0)" &&
    fails_with 1 'No such file' x start "$work/no/where" &&
    fails_with 125 'give -d DOMAIN' x run "$work" true
}

a_host_starts_and_stops_and_leaves_nothing() {
    x start "$host" --guests 2 || return 1
    pids=$(pids_of "$host")
    # shellcheck disable=SC2086
    set -- $pids
    [ $# -eq 4 ] || { echo "$# processes: $pids"; return 1; }
    x stop "$host" && await gone "$@" && [ ! -e "$host" ]
}

a_directory_that_was_there_stays_and_is_empty() {
    mkdir "$work/mine" && x start "$work/mine" && x stop "$work/mine" || return 1
    [ -d "$work/mine" ] && [ -z "$(ls -A "$work/mine")" ]
}

a_relative_directory_will_do() {
    (cd "$work" && x start rel web && x run -d web rel xenstore-read name && x stop rel) >"$work/out" || return 1
    [ "$(cat "$work/out")" = web ] && [ ! -e "$work/rel" ]
}

logs_can_be_kept_and_are_no_obstacle() {
    x start "$host" web && x stop --keep-logs "$host" && grep -q web "$host/log/xensimd.log" || return 1
    x start "$host" && x stop "$host" && [ -z "$(ls -A "$host")" ] && rmdir "$host"
}

anothers_directory_is_not_touched() {
    mkdir "$work/yours" && echo precious >"$work/yours/file" || return 1
    fails_with 1 "not hosted Xen's" x start "$work/yours" && grep -q precious "$work/yours/file" &&
        [ "$(ls -A "$work/yours")" = file ]
}

a_second_start_is_refused_and_harms_nothing() {
    x start "$host" --guests 1 || return 1
    fails_with 1 'runs there already' x start "$host" || return 1
    [ "$(x run -d 1 "$host" xenstore-read domid)" = 1 ] && x stop "$host"
}

domains_go_by_number_or_name() {
    x start "$host" web1 db1 || return 1
    [ "$(x create "$host" --name cache)" = 3 ] && [ "$(x create "$host" 17)" = 17 ] &&
    [ "$(x create "$host")" = 18 ] &&
    [ "$(x run -d cache "$host" xenstore-read domid)" = 3 ] &&
    [ "$(x run -d 17 "$host" xenstore-read name)" = dom17 ] &&
    fails_with 1 'exists' x create --name web1 "$host" &&
    fails_with 1 'exists' x create "$host" 17 &&
    fails_with 1 'letters, digits' x create --name 'a b' "$host" &&
    fails_with 2 'a name goes with' x create "$host" web9 &&
    fails_with 2 '0 to 32751' x create "$host" 40000 &&
    fails_with 1 '1 to 32751' x create "$host" 0 &&
    fails_with 125 'no domain web9' x run -d web9 "$host" true &&
    x destroy "$host" web1 &&
    fails_with 1 'no domain web1' x destroy "$host" web1 &&
    fails_with 1 'it is dom0' x destroy "$host" 0 &&
    x ls "$host" | grep -q '17 dom17 .*running' &&
    x stop "$host"
}

a_domain_can_be_called_otherwise() {
    x start "$host" web1 db1 || return 1
    x rename "$host" web1 web2 && [ "$(x run -d web2 "$host" xenstore-read name)" = web2 ] &&
    [ "$(x run -d 0 "$host" sh -c 'xenstore-read "$(xenstore-read /local/domain/1/vm)/name"')" = web2 ] &&
    fails_with 125 'no domain web1' x run -d web1 "$host" true &&
    x rename "$host" web2 web2 &&
    fails_with 1 'another one' x rename "$host" web2 db1 &&
    fails_with 1 'letters, digits' x rename "$host" web2 'a b' &&
    fails_with 1 'no domain web1' x rename "$host" web1 web3 &&
    fails_with 1 'it is dom0' x rename "$host" 0 web3 &&
    fails_with 2 'give a DIR' x rename "$host" web2 &&
    [ "$(x create "$host" --name web1)" = 3 ] && x stop "$host"
}

run_gives_the_commands_status_and_environment() {
    x start "$host" --guests 1 || return 1
    x run -d 1 "$host" sh -c 'exit 42'
    [ $? -eq 42 ] && fails_with 127 'cannot run nowhere' x run -d 1 "$host" nowhere &&
    x run -d 1 "$host" -- sh -c "$(cat <<'END'
        [ "$XENSTORED_PATH" = "$XENSIM_DIR/dom1.sock" ] && [ "$XENSIM_DOMID" = 1 ] &&
        [ -z "${XENSTORED_RUNDIR-}" ] && [ "$XVS_RUN_DIR" = "$XENSIM_DIR/run/dom1" ] &&
        touch "$XVS_RUN_DIR/mine"
END
)" &&
    x run -d 0 "$host" sh -c '[ -z "${XENSTORED_PATH-}" ] && [ -w "$XVS_RUN_DIR" ] &&
        [ "$XENSTORED_RUNDIR" = "$XENSIM_DIR/xenstored" ]' &&
    "$XENSIM_BIN/xensim-run" -d 1 "$host" -- true &&
    x destroy "$host" 1 && [ ! -e "$host/run/dom1" ] && x stop "$host"
}

a_killed_host_takes_its_children_along_and_the_next_start_cleans_up() {
    x start "$host" --guests 2 || return 1
    pids=$(pids_of "$host")
    echo leftover >"$host/run/dom1/lock"
    kill -9 "$(cat "$host/lock")"
    # shellcheck disable=SC2086
    await gone $pids || { echo "still there: $pids"; return 1; }
    [ -e "$host/ctl/host" ] || return 1
    fails_with 1 'no hosted Xen runs there' x ls "$host" || return 1
    x start "$host" --guests 1 && [ ! -e "$host/run/dom1/lock" ] && [ ! -e "$host/dom2.sock" ] &&
        [ "$(x run -d 1 "$host" xenstore-read domid)" = 1 ] && x stop "$host" || return 1
    rmdir "$host"
}

a_terminated_host_cleans_up_after_itself() {
    x start "$host" --guests 1 || return 1
    pids=$(pids_of "$host")
    kill -TERM "$(cat "$host/lock")"
    # shellcheck disable=SC2086
    await gone $pids && [ ! -e "$host" ]
}

a_host_can_end_with_whoever_needed_it() {
    sleep 1000 & someone=$!
    x start --while $someone "$host" --guests 1 || return 1
    pids=$(pids_of "$host")
    kill -9 $someone
    wait $someone
    # shellcheck disable=SC2086
    await gone $pids && [ ! -e "$host" ] && fails_with 1 'no process' x start --while $someone "$host"
}

a_dead_xenstored_ends_the_host() {
    x start "$host" --guests 1 || return 1
    pids=$(pids_of "$host")
    for pid in $pids; do
        [ "$(cat "/proc/$pid/comm")" != xenstored ] || kill -9 "$pid"
    done
    # shellcheck disable=SC2086
    await gone $pids && grep -q 'xenstored ended' "$host/log/xensimd.log" &&
        x start "$host" && x stop "$host" && rmdir "$host"
}

stop_ends_what_run_started() {
    x start "$host" --guests 1 || return 1
    "$XENSIM_BIN/xensim" run -d 1 "$host" sleep 1000 & guest=$!
    "$XENSIM_BIN/xensim" run -d 0 "$host" sleep 1000 & daemon0=$!
    for pid in $guest $daemon0; do
        await grep -q sleep "/proc/$pid/comm" || return 1
    done
    x stop "$host"
    wait $guest $daemon0
    [ $? -eq 137 ] && [ ! -e "$host" ]
}

two_hosts_do_not_know_each_other() {
    x start "$host" --guests 2 && x start "$work/other" --guests 1 || return 1
    x run -d 1 "$host" xenstore-write data/k here
    ! x run -d 1 "$work/other" xenstore-read data/k 2>/dev/null || return 1
    [ "$(x ls "$work/other" | wc -l)" -eq 3 ] && [ "$(x ls "$host" | wc -l)" -eq 4 ] || return 1
    pids=$(pids_of "$work/other")
    kill -9 "$(cat "$work/other/lock")"
    # shellcheck disable=SC2086
    await gone $pids || return 1
    [ "$(x run -d 1 "$host" xenstore-read data/k)" = here ] && x destroy "$host" 2 && x stop "$host" &&
        x start "$work/other" && x stop "$work/other"
}

json_is_json() {
    command -v python3 >/dev/null || { echo "no python3"; return 77; }
    x start "$host" --guests 2 || return 1
    x ls --json "$host" | python3 -c '
import json, sys
d = {x["domid"]: x for x in json.load(sys.stdin)}
assert sorted(d) == [0, 1, 2] and d[1]["state"] == "running"
assert all(d[i][k] >= 0 for i in d for k in ("granted", "revoked", "mapped", "ports", "handles", "nodes", "pid"))
' && x stop "$host"
}

the_grant_limit_can_be_set() {
    XENSIM_GRANT_LIMIT=7 x start "$host" --guests 1 && x stop "$host" || return 1
    fails_with 2 'no number' x start --grant-limit many "$host"
}

# The whole life of a host, as nobody; from root by changing to that user.
an_ordinary_user_needs_no_privilege() {
    mkdir "$work/user" && chmod 755 "$work" || return 1
    as=
    if [ "$(id -u)" -eq 0 ]; then
        command -v setpriv >/dev/null || { echo "no setpriv to become another user"; return 77; }
        chown nobody "$work/user"
        as="setpriv --reuid=nobody --regid=nogroup --clear-groups"
        $as test -x "$XENSIM_BIN/xensim" || { echo "nobody may not reach $XENSIM_BIN"; return 77; }
    fi
    # shellcheck disable=SC2016,SC2086
    HOME=$work/user $as sh -c '
        xs=$XENSIM_BIN/xensim dir=$1/host
        "$xs" start "$dir" --guests 2 &&
        "$xs" run -d 1 "$dir" xenstore-write data/k v &&
        [ "$("$xs" run -d 0 "$dir" xenstore-read /local/domain/1/data/k)" = v ] &&
        [ -z "$2" ] || "$xs" run -d 0 "$dir" "$2" && 
        "$xs" destroy "$dir" 2 && "$xs" stop "$dir" && [ ! -e "$dir" ]
    ' sh "$work/user" "$(ls build/release/xensim/test_vchan 2>/dev/null)"
}

fetching_again_is_quick() { tools/xensim/fetch-xen.sh build/xen-utils && [ -f build/xen-utils/.complete ]; }

after_each() { [ ! -e "$host/lock" ] || x stop "$host" 2>/dev/null; }

run_tests every_verb_has_help mistakes_are_named a_host_starts_and_stops_and_leaves_nothing \
    a_directory_that_was_there_stays_and_is_empty a_relative_directory_will_do \
    logs_can_be_kept_and_are_no_obstacle anothers_directory_is_not_touched \
    a_second_start_is_refused_and_harms_nothing domains_go_by_number_or_name a_domain_can_be_called_otherwise \
    run_gives_the_commands_status_and_environment \
    a_killed_host_takes_its_children_along_and_the_next_start_cleans_up \
    a_terminated_host_cleans_up_after_itself a_host_can_end_with_whoever_needed_it \
    a_dead_xenstored_ends_the_host stop_ends_what_run_started two_hosts_do_not_know_each_other \
    json_is_json the_grant_limit_can_be_set an_ordinary_user_needs_no_privilege fetching_again_is_quick
