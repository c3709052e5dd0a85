#!/bin/sh
# SPDX-License-Identifier: MIT
# fidelity.sh [PROGRAMS]: Debian's own Xen programs, unmodified, on hosted Xen.  (libxenvchan
# itself is in test_vchan.c, and xenstored is under everything.)
set -u
cd "$(dirname "$0")/../.." || exit 2
# shellcheck source=tests/xensim/lib.sh
. tests/xensim/lib.sh
start_host --guests 2

ls_of() { x run -d "$1" "$host" xenstore-ls -f "$2"; }

xenstore_tools_see_the_same_tree_from_host_and_guest() {
    x run -d 1 "$host" xenstore-write data/greeting hello || return 1
    x run -d 1 "$host" xenstore-chmod data/greeting n1 r2 || return 1
    [ "$(x run -d 0 "$host" xenstore-read /local/domain/1/data/greeting)" = hello ] || return 1
    [ "$(x run -d 2 "$host" xenstore-read /local/domain/1/data/greeting)" = hello ] || return 1
    [ "$(ls_of 1 /local/domain/1)" = "$(ls_of 0 /local/domain/1)" ] || return 1
    ! x run -d 2 "$host" xenstore-read /local/domain/1/data/nothing 2>/dev/null || return 1
    x run -d 1 "$host" xenstore-rm data/greeting
    ! x run -d 0 "$host" xenstore-exists /local/domain/1/data/greeting
}

xenstore_watch_waits_in_a_guest() {
    x run -d 1 "$host" xenstore-watch -n 2 data >"$work/watch" 2>&1 &
    watcher=$!
    await grep -q data "$work/watch" || return 1
    x run -d 0 "$host" xenstore-write /local/domain/1/data/now 1
    wait $watcher || return 1
    x run -d 0 "$host" xenstore-rm /local/domain/1/data/now
    grep -q data/now "$work/watch"
}

test_xenstore_passes_in_dom0() {
    x run -d 0 "$host" test-xenstore >"$work/out" 2>&1 || { cat "$work/out"; return 1; }
    ! grep -q failed "$work/out"
}

test_xenstore_passes_in_a_guest() {
    # It wants to write below its own /local/domain/N, which xl does not let a guest do.
    x run -d 0 "$host" xenstore-chmod /local/domain/2 n2 || return 1
    x run -d 2 "$host" test-xenstore >"$work/out" 2>&1 || { cat "$work/out"; return 1; }
    x run -d 0 "$host" xenstore-chmod /local/domain/2 n0 r2
    ! grep -q failed "$work/out"
}

# $1 server's domain, $2 client's: a file goes there and comes back through socat.
proxy() {
    path=/local/domain/$1/data/proxy
    [ "$1" -ne 0 ] || path=/local/domain/0/proxy
    head -c 3000000 /dev/urandom >"$work/sent"
    socat "UNIX-LISTEN:$work/echo$1" EXEC:cat >"$work/socat" 2>&1 &
    echo_pid=$!
    await listens "$work/echo$1" || return 1
    x run -x -d "$1" "$host" vchan-socket-proxy -m server -s "$path-state" "$2" "$path" \
        "$work/echo$1" >"$work/server" 2>&1 &
    server=$!
    state_is_running() { [ "$(x run -d "$1" "$host" xenstore-read "$2-state" 2>/dev/null)" = running ]; }
    await state_is_running "$1" "$path" || { cat "$work/server"; return 1; }
    # The client ends with its vchan, which the server closes when the echo has ended.
    { cat "$work/sent"; await back_is_whole; } |
        x run -x -d "$2" "$host" vchan-socket-proxy "$1" "$path" - >"$work/back" 2>"$work/client"
    kill $server $echo_pid 2>/dev/null
    wait $server $echo_pid 2>/dev/null
    cmp "$work/sent" "$work/back"
}
back_is_whole() { [ "$(wc -c <"$work/back")" -eq 3000000 ]; }

vchan_socket_proxy_carries_a_file_from_host_to_guest_and_back() { proxy 1 0; }
vchan_socket_proxy_carries_a_file_between_guests_and_back() { proxy 1 2; }

run_tests xenstore_tools_see_the_same_tree_from_host_and_guest \
    xenstore_watch_waits_in_a_guest \
    test_xenstore_passes_in_dom0 \
    test_xenstore_passes_in_a_guest \
    vchan_socket_proxy_carries_a_file_from_host_to_guest_and_back \
    vchan_socket_proxy_carries_a_file_between_guests_and_back
