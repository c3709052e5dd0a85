#!/bin/sh
# SPDX-License-Identifier: MIT
# run.sh SECONDS [TARGET...]: runs each fuzz target (all that are built, without any) for some seconds, from its corpus.
# Findings stay beside the target as TARGET.crash-…; what is new in the corpus goes to $FUZZ_KEEP/TARGET, if that is set, and is
# where the next run begins; else it is not kept.
set -u
here=$(dirname "$0")
seconds=${1:?usage: run.sh SECONDS [TARGET...]}
shift
[ $# -gt 0 ] || set -- "$here"/../../build/*/fuzz/fuzz_*[!.]*

passed=0 failed=0 skipped=0
out=$(mktemp -d) || exit 2
trap 'rm -rf "$out"' EXIT
new=${FUZZ_KEEP:-$out}
for target in "$@"; do
    name=$(basename "$target")
    case $name in *.crash-*|*.timeout-*|*.oom-*|*.leak-*) continue ;; esac
    if [ ! -x "$target" ]; then
        echo "skip $name: not built"
        skipped=$((skipped + 1))
        continue
    fi
    corpus=
    [ -d "$here/corpus/$name" ] && corpus=$here/corpus/$name
    mkdir -p "$new/$name"
    if "$target" -max_total_time="$seconds" -timeout=60 -rss_limit_mb=2048 -print_final_stats=1 \
        -artifact_prefix="$target." "$new/$name" $corpus >"$out/$name.out" 2>&1; then
        echo "ok $name: $(sed -n 's/^stat::number_of_executed_units: *//p' "$out/$name.out") inputs"
        passed=$((passed + 1))
    else
        tail -n 40 "$out/$name.out"
        echo "FAIL $name: an input is kept beside $target"
        failed=$((failed + 1))
    fi
done
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
