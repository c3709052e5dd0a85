#!/bin/sh
# SPDX-License-Identifier: MIT
#
# guard.sh [--record] PROGRAM: counts the instructions of the library and of the daemon for each piece of their daily work
# (guard.c), and the bytes they copy, and compares with instructions.txt.
#
# Counted is what this project's own code executes, libc and the kernel left aside; so a figure depends on the
# compiler and on nothing else, and with another compiler than the recorded one there is nothing to compare.
# More instructions than TOLERANCE percent above the record is a failure, and so is one byte more that is copied.
# --record writes the file anew, to be committed together with its reason.
set -u
TOLERANCE=3
here=$(cd "$(dirname "$0")" && pwd)
record=
if [ "${1-}" = --record ]; then
    record=1
    shift
fi
if [ $# -ne 1 ]; then
    echo "usage: guard.sh [--record] PROGRAM" >&2
    exit 2
fi
program=$1
file=$here/instructions.txt

leave_out() {
    echo "skip instructions: $1"
    echo "0 passed, 0 failed, 1 skipped"
    exit 0
}
command -v valgrind >/dev/null 2>&1 || leave_out "there is no valgrind"
compiler=$(readelf -p .comment "$program" | sed -n 's/^ *\[ *0\] *//p') || exit 2
compiler="$compiler $(uname -m)"
recorded=$(sed -n 's/^compiler //p' "$file" 2>/dev/null)
[ -n "$record" ] || [ "$compiler" = "$recorded" ] || leave_out "recorded with $recorded, built with $compiler"

work=$(dirname "$program")/guard.out
rm -rf "$work"
mkdir -p "$work" || exit 2
if ! valgrind -q --tool=callgrind --collect-atstart=no --compress-strings=no --compress-pos=no \
    --callgrind-out-file="$work/out" "$program" >"$work/ran" 2>"$work/log"; then
    cat "$work/log"
    echo "FAIL instructions: guard does not run under valgrind"
    echo "0 passed, 1 failed, 0 skipped"
    exit 1
fi

# counts FILE: "NAME INSTRUCTIONS", our own object's only.
counts() {
    awk -v object="/$(basename "$program")" '
        /^desc: Trigger: Client Request: / { name = $NF }
        /^ob=/ { ours = index($0, object) && substr($0, length($0) - length(object) + 1) == object }
        /^calls=/ { called = 1; next }
        /^[0-9+*-]/ {
            if (called) called = 0          # what the callee did is with the callee
            else if (ours) total += $2
        }
        END { if (name != "") printf "%s %.0f\n", name, total }' "$1"
}
for dump in "$work"/out.*; do
    counts "$dump"
done >"$work/counts"
# NAME INSTRUCTIONS BYTES, each for one time.
awk 'NR == FNR { count[$1] = $2; next } { printf "%-28s %12.1f %12.1f\n", $1, count[$1] / $2, $3 / $2 }' \
    "$work/counts" "$work/ran" >"$work/now"

if [ -n "$record" ]; then
    {
        cat <<'END'
# SPDX-License-Identifier: MIT
# Instructions that the library and the daemon execute for each, libc aside, and bytes that they copy; guard.c
# says what is what.  Written by "make bench-record", compared by "make check-bench".
END
        echo "compiler $compiler"
        cat "$work/now"
    } >"$file"
    cat "$work/now"
    exit 0
fi

awk -v tolerance=$TOLERANCE '
    /^#/ || /^compiler / { next }
    NR == FNR { instructions[$1] = $2; bytes[$1] = $3; names++; next }
    {
        seen[$1] = 1
        change = instructions[$1] > 0 ? ($2 / instructions[$1] - 1) * 100 : 0
        if (!($1 in instructions))
            { print "FAIL " $1 ": it is not in instructions.txt; make bench-record"; failed++ }
        else if ($2 == 0)
            { print "FAIL " $1 ": nothing was counted"; failed++ }
        else if ($3 > bytes[$1] + 0.5)
            { printf "FAIL %s: copies %.1f bytes, it was %.1f\n", $1, $3, bytes[$1]; failed++ }
        else if (change > tolerance)
            { printf "FAIL %s: %.1f instructions, it was %.1f: %.1f %% more\n", $1, $2, instructions[$1], change; failed++ }
        else
            { printf "ok %s: %.1f instructions, %.1f bytes copied%s\n", $1, $2, $3,
                     change < -tolerance ? sprintf(" (%.1f %% fewer: make bench-record)", -change) : ""; passed++ }
    }
    END {
        for (name in instructions)
            if (!(name in seen)) { print "FAIL " name ": it was not measured"; failed++ }
        printf "%d %d\n", passed, failed > result
    }' result="$work/result" "$file" "$work/now"
read -r passed failed <"$work/result"
if [ "$failed" -gt 0 ]; then
    echo "Where they go: grep -l NAME $work/out.* names a case's file; callgrind_annotate FILE shows its functions."
    echo "Meant to be? make bench-record, and commit tests/bench/instructions.txt with the reason."
fi
echo "$passed passed, $failed failed, 0 skipped"
[ "$failed" -eq 0 ]
