#!/bin/sh
# SPDX-License-Identifier: MIT
#
# run.sh OUT: the driver as Linux's own tools judge it: it builds for every kernel without a warning (W=1), sparse finds nothing,
# and checkpatch finds nothing.  Needs what `make kernel` has laid into OUT.
set -u
here=$(cd "$(dirname "$0")" && pwd)
out=$(cd "$1" && pwd)
passed=0 failed=0
log=$(mktemp) || exit 2
trap 'rm -f "$log"' EXIT

# judge NAME command...: good if it succeeds and says nothing.
judge() {
    name=$1
    shift
    if "$@" >"$log" 2>&1 && [ ! -s "$log" ]; then
        echo "ok $name"
        passed=$((passed + 1))
    else
        echo "FAIL $name: $(grep -m 1 -E 'error|warning|WARNING|ERROR|CHECK' "$log" || tail -n 1 "$log")"
        sed 's/^/    /' "$log" | head -n 60
        failed=$((failed + 1))
    fi
}

anew() {
    rm -rf "${out:?}/$1"
    "$here/build.sh" "$out" "$1"
}

# Every file is looked at, not those alone that have to be built; what it finds in Linux's own headers is not ours.
sparse() {
    "$here/build.sh" "$out" "$1" C=2 2>&1 | grep -F "$out/$1/" || :
}

# Ours are names of xenbus, which the tool would know in Linux's own tree; and versions of Linux, which are in one file.
checkpatch() {
    cd "$out/source" || return              # it leaves a file where it runs
    for file in "$here"/../../frontend/linux/*.[ch] "$here"/../../frontend/linux/std/*.h; do
        perl "$out/source/scripts/checkpatch.pl" --no-tree --root="$out/source" --strict --terse --no-summary --show-types \
            --ignore CAMELCASE,LINUX_VERSION_CODE,CONSTANT_COMPARISON -f "$file" 2>&1
    done | sed "s|$here/../../||" | grep -v '^total\|^find: .*/include'
    cd "$here"
}

for headers in "$out"/headers/*; do
    version=${headers##*/}
    judge "the driver builds for Linux $version without a warning" anew "$version"
    judge "sparse finds nothing in the driver for Linux $version" sparse "$version"
done
judge "checkpatch finds nothing in the driver" checkpatch

echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
