#!/bin/sh
# SPDX-License-Identifier: MIT
# run.sh [-t SECONDS] [-o FILE] [-j] PROGRAM...: runs test programs and adds up their last lines.
# A program that crashes, hangs or ends without its "N passed, N failed, N skipped" counts as one failure
# and its output is kept on the terminal.  With -o the sum is also appended to FILE, for a run of runs.
# With -j there is one for each processor at a time, four at most; what they print comes in order all the same.
set -u
# What is made here other users look at, as tests have it; whoever runs them may want to keep his own files to himself.
umask 022
seconds=600 sum_file='' most=1
while getopts t:o:j opt; do
    case $opt in
    t) seconds=$OPTARG ;;
    o) sum_file=$OPTARG ;;
    j) most=$(nproc) ;;
    *) exit 2 ;;
    esac
done
shift $((OPTIND - 1))
[ "$most" -le 4 ] || most=4

passed=0 failed=0 skipped=0
dir=$(mktemp -d) || exit 2
jobs=
trap 'rm -rf "$dir"' EXIT
# shellcheck disable=SC2086 # process ids
trap 'kill $jobs 2>/dev/null; wait; exit 143' INT TERM HUP
mkfifo "$dir/ends" && exec 9<>"$dir/ends" || exit 2

# job NUMBER PROGRAM: its output and its status, and then its number to whoever waits for an end.
job() {
    at='' ending=''
    trap 'ending=1; [ -z "$at" ] || kill "$at" 2>/dev/null' INT TERM HUP
    # Word splitting is wanted: an entry may be a command with arguments.
    # shellcheck disable=SC2086
    timeout -k 10 "$seconds" $2 >"$dir/$1" 2>&1 </dev/null 9>&- &
    at=$!
    wait "$at"
    status=$?
    [ -z "$ending" ] || { wait "$at"; status=$?; }      # the first was cut short by the signal
    echo "$status" >"$dir/$1.status"
    echo "$1" >&9
}

# tell NUMBER PROGRAM: what came of it.
tell() {
    read -r status <"$dir/$1.status"
    cat "$dir/$1"
    last=$(grep -E '^[0-9]+ passed, [0-9]+ failed' "$dir/$1" | tail -n 1)
    rm -f "$dir/$1"
    p=0 f=0 s=0
    if [ -n "$last" ]; then
        p=$(echo "$last" | sed -E 's/^([0-9]+) passed.*/\1/')
        f=$(echo "$last" | sed -E 's/.* ([0-9]+) failed.*/\1/')
        s=$(echo "$last" | sed -nE 's/.* ([0-9]+) skipped.*/\1/p')
    fi
    if [ "$status" -eq 124 ] || [ "$status" -eq 137 ]; then
        echo "FAIL $2: no end after $seconds s"
        f=$((f + 1))
    elif [ -z "$last" ] || { [ "$status" -ne 0 ] && [ "$f" -eq 0 ]; }; then
        echo "FAIL $2: ended with status $status"
        f=$((f + 1))
    fi
    passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + ${s:-0}))
}

# Waits for an end, and tells of all that it is the turn of.
collect() {
    read -r _ <&9
    running=$((running - 1))
    while [ "$told" -lt "$begun" ] && [ -s "$dir/$((told + 1)).status" ]; do
        told=$((told + 1))
        eval "tell $told \"\$program_$told\""
    done
}

begun=0 told=0 running=0
for program in "$@"; do
    begun=$((begun + 1)) running=$((running + 1))
    eval "program_$begun=\$program"
    job $begun "$program" &
    jobs="$jobs $!"
    [ $running -lt "$most" ] || collect
done
while [ $running -gt 0 ]; do collect; done
echo "$passed passed, $failed failed, $skipped skipped"
[ -z "$sum_file" ] || echo "$passed $failed $skipped" >>"$sum_file"
[ "$failed" -eq 0 ]
