# SPDX-License-Identifier: MIT
# lib.sh: the shell tests' harness, with the output of tests/harness.  A test is a function
# that returns 0; one that returns 77 after "echo REASON" is skipped.
XENSIM_BIN=${XENSIM_BIN:-$PWD/build/xensim/bin}
export XENSIM_BIN
work=$(mktemp -d /tmp/xensim-sh.XXXXXX) || exit 2
host=$work/host
trap '"$XENSIM_BIN/xensim" stop "$host" 2>/dev/null; rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM

x() { "$XENSIM_BIN/xensim" "$@"; }

start_host() {
    x start --while $$ "$@" "$host" 2>"$work/why" && return
    echo "FAIL start_host: $(cat "$work/why")"
    echo "0 passed, 1 failed, 0 skipped"
    exit 1
}

# Runs a command until it succeeds, for a minute at least.
await() {
    tries=0
    while ! "$@" 2>/dev/null; do
        tries=$((tries + 1))
        [ $tries -lt 6000 ] || return 1
        sleep 0.01
    done
}

# A socket has its name before anybody listens there.
listens() { grep -q "^[^ ]* [^ ]* [^ ]* 00010000 .* $1\$" /proc/net/unix; }

after_each() { :; }

run_tests() {
    passed=0 failed=0 skipped=0
    for name in "$@"; do
        "$name" >"$work/log" 2>&1
        case $? in
        0)  echo "ok $name"; passed=$((passed + 1)) ;;
        77) echo "skip $name: $(tail -n 1 "$work/log")"; skipped=$((skipped + 1)) ;;
        *)  echo "FAIL $name: $(tail -n 5 "$work/log")"; failed=$((failed + 1)) ;;
        esac
        after_each
    done
    echo "$passed passed, $failed failed, $skipped skipped"
    [ $failed -eq 0 ]
}
