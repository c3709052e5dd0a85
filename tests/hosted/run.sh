#!/bin/sh
# SPDX-License-Identifier: MIT
# run.sh PROGRAM...: runs each test program, which may have arguments behind it, in the dom0 of a hosted Xen of its own.
#
#     GUESTS=N        with guests 1 to N, or 4
#     SCATTER=1       grant references come in no order, as in a system that has run for long
set -u
cd "$(dirname "$0")/../.." || exit 2
XENSIM_BIN=${XENSIM_BIN:-$PWD/build/xensim/bin}
export XENSIM_BIN

if [ "${1-}" != --one ]; then
    commands=
    for program in "$@"; do
        commands="$commands
tests/hosted/run.sh --one $program"
    done
    IFS='
'
    # shellcheck disable=SC2086 # a command a line
    set -f -- $commands
    unset IFS
    exec tests/run.sh -j -t 560 "$@"
fi
shift

. tests/harness/leftovers.sh
dir=$(mktemp -d /tmp/xvs-hosted.XXXXXX) || exit 2
# What the program makes is in it, so that nothing is left even of one that is killed.
export TMPDIR="$dir"
host=$dir/host
trap '"$XENSIM_BIN/xensim" stop "$host" 2>/dev/null; end_leftovers "$dir"; rm -rf "$dir"' EXIT
trap 'exit 1' HUP INT TERM
"$XENSIM_BIN/xensim" start --while $$ ${SCATTER:+--scatter} --guests "${GUESTS:-4}" "$host" || { echo "0 passed, 1 failed, 0 skipped"; exit 1; }
status=0
tests/run.sh -t 500 "$XENSIM_BIN/xensim run -d 0 $host -- $*" || status=1
"$XENSIM_BIN/xensim" stop "$host" || status=1
exit $status
