#!/bin/sh
# SPDX-License-Identifier: MIT
# run.sh [-t SECONDS] [-o FILE] PROGRAM...: runs test programs one after the other and adds up their last lines.
# A program that crashes, hangs or ends without its "N passed, N failed, N skipped" counts as one failure
# and its output is kept on the terminal.  With -o the sum is also appended to FILE, for a run of runs.
set -u
# What is made here other users look at, as tests have it; whoever runs them may want to keep his own files to himself.
umask 022
seconds=600 sum_file=
while getopts t:o: opt; do
    case $opt in
    t) seconds=$OPTARG ;;
    o) sum_file=$OPTARG ;;
    *) exit 2 ;;
    esac
done
shift $((OPTIND - 1))

passed=0 failed=0 skipped=0
out=$(mktemp) || exit 2
trap 'rm -f "$out"' EXIT
for program in "$@"; do
    # Word splitting is wanted: an entry may be a command with arguments.
    timeout -k 10 "$seconds" $program >"$out" 2>&1 </dev/null
    status=$?
    cat "$out"
    last=$(grep -E '^[0-9]+ passed, [0-9]+ failed' "$out" | tail -n 1)
    p=0 f=0 s=0
    if [ -n "$last" ]; then
        p=$(echo "$last" | sed -E 's/^([0-9]+) passed.*/\1/')
        f=$(echo "$last" | sed -E 's/.* ([0-9]+) failed.*/\1/')
        s=$(echo "$last" | sed -nE 's/.* ([0-9]+) skipped.*/\1/p')
    fi
    if [ "$status" -eq 124 ] || [ "$status" -eq 137 ]; then
        echo "FAIL $program: no end after $seconds s"
        f=$((f + 1))
    elif [ -z "$last" ] || { [ "$status" -ne 0 ] && [ "$f" -eq 0 ]; }; then
        echo "FAIL $program: ended with status $status"
        f=$((f + 1))
    fi
    passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + ${s:-0}))
done
echo "$passed passed, $failed failed, $skipped skipped"
[ -z "$sum_file" ] || echo "$passed $failed $skipped" >>"$sum_file"
[ "$failed" -eq 0 ]
