#!/bin/sh
# SPDX-License-Identifier: MIT
# run.sh BUILD TEST...: runs each of BUILD/frontend/TEST in dom0 of a hosted Xen.
set -u
cd "$(dirname "$0")/../.." || exit 2
build=$1
shift
XENSIM_BIN=${XENSIM_BIN:-$PWD/build/xensim/bin}
export XENSIM_BIN
. tests/harness/leftovers.sh
dir=$(mktemp -d /tmp/xvs-frontend.XXXXXX) || exit 2
trap '"$XENSIM_BIN/xensim" stop "$dir/host" 2>/dev/null; end_leftovers "$dir"; rm -rf "$dir"' EXIT
trap 'exit 1' HUP INT TERM

# References in no order, as in a system that has run for long.
"$XENSIM_BIN/xensim" start --while $$ --scatter --guests 2 "$dir/host" ||
    { echo "0 passed, 1 failed, 0 skipped"; exit 1; }
commands=
for test in "$@"; do
    commands="$commands
$XENSIM_BIN/xensim run -d 0 $dir/host -- $build/frontend/$test"
done
IFS='
'
# shellcheck disable=SC2086 # a command a line
set -f -- $commands
unset IFS
tests/run.sh -t 500 "$@"
