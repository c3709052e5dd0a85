#!/bin/sh
# SPDX-License-Identifier: MIT
# run.sh PROGRAM...: runs each test program in the dom0 of a hosted Xen of its own, with guests 1 to $GUESTS, or 4.
set -u
cd "$(dirname "$0")/../.." || exit 2
XENSIM_BIN=${XENSIM_BIN:-$PWD/build/xensim/bin}
export XENSIM_BIN
. tests/harness/leftovers.sh
dir=$(mktemp -d /tmp/xvs-hosted.XXXXXX) || exit 2
# What the programs make is in it, so that nothing is left even of one that is killed.
export TMPDIR="$dir"
host=
trap '[ -z "$host" ] || "$XENSIM_BIN/xensim" stop "$host" 2>/dev/null; end_leftovers "$dir"; rm -rf "$dir"' EXIT
trap 'exit 1' HUP INT TERM

status=0
for program in "$@"; do
    host=$dir/host
    "$XENSIM_BIN/xensim" start --while $$ "$host" --guests "${GUESTS:-4}" || { echo "0 passed, 1 failed, 0 skipped"; exit 1; }
    tests/run.sh -t 500 "$XENSIM_BIN/xensim run -d 0 $host $program" || status=1
    "$XENSIM_BIN/xensim" stop "$host" || status=1
    host=
done
exit $status
