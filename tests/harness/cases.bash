# SPDX-License-Identifier: MIT
#
# cases.bash: what a script of tests says its results with; sourced, by bash.
#
#     test_ NAME          begins a test, whose name is a sentence
#     bad WHY             it has failed; the first reason is the one that is told
#     end                 ok or FAIL, with the beginning of ./err
#     skip REASON         in place of end
#     finish              the sum, as the script's last line; its exit status
#
# A script that has more to do at an end has an `end` or a `finish` of its own, around `tell` or `tell_sum`.
passed=0 failed=0 skipped=0
name= problem= err_lines=5

test_() { name=$1 problem=; }
bad() { problem=${problem:-$*}; }
tell() {
    if [ -z "$problem" ]; then
        echo "ok $name"
        passed=$((passed + 1))
    else
        echo "FAIL $name: $problem"
        sed 's/^/    /' err 2>/dev/null | head -n $err_lines
        failed=$((failed + 1))
    fi
}
end() { tell; }
skip() {
    echo "skip $name: $*"
    skipped=$((skipped + 1))
}
tell_sum() {
    echo "$passed passed, $failed failed, $skipped skipped"
    [ "$failed" -eq 0 ]
}
finish() { tell_sum; }

# What `status`, which each script has of its own, has left in out and err.
out_is() { [ "$(cat out)" = "$1" ] || bad "output '$(head -c 200 out)', not '$1'"; }
err_has() { grep -qF -- "$1" err || bad "no '$1' in the message: $(head -n 2 err)"; }

# Until the command succeeds, for a minute at least.
until_true() {
    local i
    for i in $(seq 6000); do
        "$@" >/dev/null 2>&1 && return 0
        sleep 0.01
    done
    return 1
}
wait_for() { until_true "$@" || bad "does not come: $*"; }

# shorten PID [MORE]: the process gets no more descriptors than MORE, 0 without it, until enough PID.
shorten() {
    local n=0 more=${2:-0}
    while [ -e "/proc/$1/fd/$n" ] || [ $((more--)) -gt 0 ]; do n=$((n + 1)); done
    prlimit --pid "$1" --nofile="$n:"
}
enough() { prlimit --pid "$1" --nofile="$(ulimit -Hn):"; }
