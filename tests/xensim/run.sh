#!/bin/sh
# SPDX-License-Identifier: MIT
# run.sh [PROGRAMS]: all tests of hosted Xen; PROGRAMS is where the test programs are built
# (build/release/xensim).  Starts a host with three guests for those that need one.
set -u
cd "$(dirname "$0")/../.." || exit 2
programs=${1:-build/release/xensim}
XENSIM_BIN=${XENSIM_BIN:-$PWD/build/xensim/bin}
export XENSIM_BIN
dir=$(mktemp -d /tmp/xensim-test.XXXXXX) || exit 2
trap '"$XENSIM_BIN/xensim" stop "$dir/host" 2>/dev/null; rm -rf "$dir"' EXIT
trap 'exit 1' HUP INT TERM

"$XENSIM_BIN/xensim" start --while $$ "$dir/host" --guests 3 || { echo "0 passed, 1 failed, 0 skipped"; exit 1; }
set --
for program in "$programs"/test_*; do
    case $program in *.*) continue ;; esac
    set -- "$@" "$XENSIM_BIN/xensim run -d 0 $dir/host $program"
done
tests/run.sh -t 500 "$@" "tests/xensim/fidelity.sh $programs" tests/xensim/cli.sh
