#!/bin/sh
# SPDX-License-Identifier: MIT
#
# again.sh [-n TIMES] [-b] [-l] [PART...]: the suite again and again, for what fails once in a while.  Without PART the whole of it.
#
#     -n TIMES    that often; 10 without it
#     -b          with a busy loop on each processor beside it
#     -l          with calls of ours that come late now and then (late/late.c); without PART those that have anybody to wait for
#
# What fails is said as it comes, and the output of its part is kept as build/test/again/RUN-PART.log.  The last line is
# "N of TIMES runs without a failure"; build/test/again/tally has a line for each.
set -u
cd "$(dirname "$0")/.." || exit 2
times=10 busy='' late=''
while getopts n:bl opt; do
    case $opt in
    n) times=$OPTARG ;;
    b) busy=1 ;;
    l) late=$PWD/build/test/late.so ;;
    *) sed -n '/^# again/,/^set/{/^#/s/^# \{0,1\}//p}' "$0" >&2; exit 2 ;;
    esac
done
shift $((OPTIND - 1))
kept=build/test/again
mkdir -p "$kept"
if [ -n "$late" ]; then
    ${MAKE:-make} -s --no-print-directory "${late#"$PWD"/}" || exit 2
    # It is loaded before the sanitizer, which insists on being the first.
    export ASAN_OPTIONS="${ASAN_OPTIONS:+$ASAN_OPTIONS:}verify_asan_link_order=0"
    [ $# -gt 0 ] || set -- build hostile daemon hosted frontend xensim tools monitor bindings agent e2e demo
fi

loops=
end_loops() {
    # shellcheck disable=SC2086 # process ids
    [ -z "$loops" ] || kill $loops 2>/dev/null
    loops=
}
trap end_loops EXIT
trap 'exit 130' INT TERM HUP
if [ -n "$busy" ]; then
    for _ in $(seq "$(nproc)"); do
        sh -c 'while :; do :; done' &
        loops="$loops $!"
    done
fi

good=0
for run in $(seq "$times"); do
    started=$(date +%s)
    XVS_PARTS="$*" env ${late:+"LD_PRELOAD=$late"} tests/all.sh full >"$kept/out" 2>&1 && good=$((good + 1))
    sum=$(tail -n 1 "$kept/out")
    echo "run $run${busy:+ beside busy loops}${late:+, calls late}: $sum in $(($(date +%s) - started)) s" | tee -a "$kept/tally"
    grep '^FAIL' "$kept/out" | awk '!seen[$0]++' | sed 's/^/    /'
    # A part that had a failure.
    sed -n -E 's/^== ([a-z0-9-]+): [0-9]+ passed, [1-9][0-9]* failed.*/\1/p' "$kept/out" | while read -r part; do
        cp "build/test/$part.log" "$kept/$run-$part.log"
    done
done
echo "$good of $times runs without a failure"
[ "$good" -eq "$times" ]
