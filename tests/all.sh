#!/bin/sh
# SPDX-License-Identifier: MIT
#
# all.sh [quick|full]: runs the parts of the tests one after the other and adds up their sums.
#
# A part is a make target whose output ends with "N passed, N failed, N skipped" (one without that line counts
# as one test).  A part that fails, hangs or does not build keeps none of the others from running.  A part is left
# out only while the tree has no file of it.  Output goes to build/test/PART.log, and here as far as it is short or a
# failure; the last line here is the sum over everything, which is also in build/test/sum.
#
# A part's time limit is for what hangs: six times what it takes on two busy processors, or more.  All parts together have
# XVS_SECONDS; a part that has no time left is a failure, and the sum comes all the same.
#
#     XVS_PARTS="unit e2e"   only these parts
#     XVS_SECONDS=5200       for all of them together
set -u
umask 022       # of what is built, too: see run.sh
cd "$(dirname "$0")/.." || exit 2
# And what has been built before: other users run it.
[ ! -d build ] || chmod -R go+rX build
unset MAKEFLAGS MFLAGS MAKELEVEL VARIANT
logs=build/test
mkdir -p "$logs"
rm -f "$logs/sum"
passed=0 failed=0 skipped=0 table='' failures=''
started=$(date +%s)
running=

# An interrupt ends the part, too.
trap '[ -z "$running" ] || kill "$running" 2>/dev/null; exit 130' INT TERM HUP

# part NAME SECONDS FILES command...: FILES is a pattern.
part() {
    name=$1 limit=$2 files=$3
    shift 3
    if [ -n "${XVS_PARTS-}" ]; then
        case " $XVS_PARTS " in *" $name "*) ;; *) return ;; esac
    fi
    # shellcheck disable=SC2086 # a pattern
    set -- $files -- "$@"
    [ -e "$1" ] || return 0
    while [ "$1" != -- ]; do shift; done
    shift
    echo "== $name: $*"
    start=$(date +%s)
    left=$((started + ${XVS_SECONDS:-5200} - start))
    [ "$limit" -le $left ] || limit=$left
    [ "$limit" -gt 0 ] || limit=1
    timeout -k 20 "$limit" "$@" >"$logs/$name.log" 2>&1 </dev/null &
    running=$!
    wait "$running"
    status=$?
    running=
    took=$(($(date +%s) - start))
    sum=$(grep -E '^[0-9]+ passed, [0-9]+ failed(, [0-9]+ skipped)?$' "$logs/$name.log" | tail -n 1)
    p=0 f=0 s=0
    if [ -n "$sum" ]; then
        # shellcheck disable=SC2046 # three numbers
        set -- $(echo "$sum" | tr -cd '0-9 ')
        p=$1 f=$2 s=${3:-0}
    elif [ $status -eq 0 ]; then
        p=1
    fi
    # A part of several runs has several sums; what it printed test by test is then more than the last of them, here and below.
    ok=$(grep -c '^ok ' "$logs/$name.log")
    [ "$ok" -le "$p" ] || p=$ok
    # A test is "FAIL NAME: why", perhaps with a line for each thing that is wrong in it, or in the lab "FAIL GROUP: NAME: why".
    names=$(sed -n 's/^FAIL //p' "$logs/$name.log" | awk -F: '!seen[$1 (NF > 2 && $2 ~ /^ [a-z0-9_]+$/ ? $2 : "")]++' | cut -c 1-200)
    why=
    if [ $status -ne 0 ]; then
        bad=$(echo "$names" | grep -c .)
        [ "$bad" -le "$f" ] || f=$bad
        case $status in
        124 | 137) why="no end after $limit s" ;;
        *) [ "$f" -gt 0 ] || why="ended with status $status" ;;
        esac
        [ -z "$why" ] || f=$((f + 1))
    fi
    if [ "$f" -gt 0 ]; then
        # What failed, with what was printed around it; the end too, where a build breaks.
        [ -z "$why" ] || echo "FAIL $name: $why"
        grep -E -A 25 '^FAIL' "$logs/$name.log" | awk '!/^FAIL/ || !seen[$0]++' | head -n 300
        echo "-- the end of $logs/$name.log:"
        tail -n 30 "$logs/$name.log"
        failures="$failures$(printf '%s\n' "$names" "$why" | sed -n "s/./$name: &/p" | head -n 40)
"
    fi
    grep '^skip ' "$logs/$name.log"
    echo "== $name: $p passed, $f failed, $s skipped in $took s"
    table="$table$(printf '%-18s %6d passed %4d failed %4d skipped %5d s' "$name" "$p" "$f" "$s" "$took")
"
    passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
}

make=${MAKE:-make}
case ${1:-full} in
quick)
    part build       900 Makefile "$make" -j2 --no-print-directory all
    part unit        360 'tests/unit/test_*.c' "$make" -j2 --no-print-directory check-unit
    part model       360 'tests/model/*.c' "$make" -j2 --no-print-directory check-model
    part layers      180 rules.mk "$make" --no-print-directory check-layers
    part e2e-short   540 'tests/e2e/cases/*.sh' "$make" -j2 --no-print-directory check-e2e-short
    ;;
full)
    part build       900 Makefile "$make" -j2 --no-print-directory all
    part unit        900 'tests/unit/test_*.c' "$make" -j2 --no-print-directory check-unit
    part model       900 'tests/model/*.c' "$make" -j2 --no-print-directory check-model
    part layers      600 rules.mk "$make" --no-print-directory check-layers
    part unit-asan  1800 'tests/unit/test_*.c' "$make" -j2 --no-print-directory VARIANT=asan check-unit
    part unit-tsan  1200 'tests/unit/test_*.c' "$make" -j2 --no-print-directory VARIANT=tsan check-threads
    part fuzz       1500 'tests/fuzz/*.c' "$make" -j2 --no-print-directory FUZZ_SECONDS=5 check-fuzz
    part faults     1800 'tests/faults/*.c' "$make" -j2 --no-print-directory VARIANT=asan check-faults
    part hostile    1200 'tests/hostile/*.c' "$make" -j2 --no-print-directory check-hostile
    part hostile-asan 1800 'tests/hostile/*.c' "$make" -j2 --no-print-directory VARIANT=asan check-hostile
    part daemon     1200 'tests/daemon/*.c' "$make" -j2 --no-print-directory check-daemon
    part daemon-asan 1800 'tests/daemon/*.c' "$make" -j2 --no-print-directory VARIANT=asan check-daemon
    part vhost       600 'tests/vhost/*.c' "$make" -j2 --no-print-directory VARIANT=asan check-vhost
    part hosted      900 'tests/hosted/*.c' "$make" -j2 --no-print-directory check-hosted
    part frontend   1200 'tests/frontend/*.c' "$make" -j2 --no-print-directory check-frontend
    part frontend-asan 1200 'tests/frontend/*.c' "$make" -j2 --no-print-directory VARIANT=asan check-frontend
    part xensim     1200 'tests/xensim/run.sh' "$make" -j2 --no-print-directory check-xensim
    part tools      1200 'tests/tools/*' "$make" -j2 --no-print-directory check-tools
    part monitor     600 tests/monitor/run.sh "$make" -j2 --no-print-directory check-monitor
    part bindings   1200 'tests/bindings/*.sh' "$make" -j2 --no-print-directory check-bindings
    part agent      1200 'tests/agent/*.sh' "$make" -j2 --no-print-directory check-agent
    part agent-asan 1800 'tests/agent/*.sh' "$make" -j2 --no-print-directory VARIANT=asan check-agent
    part install     900 tests/install.sh "$make" -j2 --no-print-directory check-install
    part e2e        2400 'tests/e2e/cases/*.sh' "$make" -j2 --no-print-directory check-e2e
    part e2e-asan   2400 'tests/e2e/cases/*.sh' "$make" -j2 --no-print-directory VARIANT=asan check-e2e-some
    part e2e-tsan   1800 'tests/e2e/cases/*.sh' "$make" -j2 --no-print-directory VARIANT=tsan check-e2e-short
    part demo        900 tools/demo.sh "$make" --no-print-directory demo
    part guard       900 'tests/bench/rules.mk' "$make" -j2 --no-print-directory check-bench
    part kernel      900 'tests/kernel/rules.mk' "$make" -j2 --no-print-directory check-kernel
    part xen        3000 'tests/xenlab/rules.mk' "$make" -j2 --no-print-directory check-xen
    part xen13      1500 'tests/xenlab/debian/build.sh' "$make" --no-print-directory check-xen13
    ;;
*)
    echo "usage: all.sh [quick|full]" >&2
    exit 2
    ;;
esac

echo
printf '%s' "$table"
# Once more, where whoever reads but the end finds it.
[ -z "$failures" ] || printf 'failed:\n%s' "$failures"
echo "total: $(($(date +%s) - started)) s"
echo "$passed passed, $failed failed, $skipped skipped" | tee "$logs/sum"
[ $failed -eq 0 ]
