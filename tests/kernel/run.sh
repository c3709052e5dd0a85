#!/bin/sh
# SPDX-License-Identifier: MIT
#
# run.sh OUT: the driver as Linux's own tools judge it: it builds for every kernel without a warning (W=1), sparse finds nothing,
# and checkpatch finds nothing; and no two of its files know each other.  Needs what `make kernel` has laid into OUT.
set -u
here=$(cd "$(dirname "$0")" && pwd)
out=$(cd "$1" && pwd)
passed=0 failed=0 skipped=0
. "$here/../circles.sh"
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
    cd "$out/source/6.1" || return              # it leaves a file where it runs
    for file in "$here"/../../frontend/linux/*.[ch] "$here"/../../frontend/linux/std/*.h; do
        perl "$out/source/6.1/scripts/checkpatch.pl" --no-tree --root="$out/source/6.1" --strict --terse --no-summary --show-types \
            --ignore CAMELCASE,LINUX_VERSION_CODE,CONSTANT_COMPARISON -f "$file" 2>&1
    done | sed "s|$here/../../||" | grep -v '^total\|^find: .*/include'
    cd "$here"
}

# By what was built; the wire's and the machine's files are not of that folder.
circles() {
    objects=$(find "$out/6.1" -maxdepth 1 -name '*.o' ! -name '*.mod.o' ! -name 'xen_vsock.o' ! -name 'shared_*')
    [ -n "$objects" ] || echo "error: there are no objects"
    # shellcheck disable=SC2086 # objects
    ties "$here/../../frontend/linux" $objects | circle
}

# What the package xvs-dkms has, as a guest's dkms builds it: the module says whose devices it is for, and what it stands on.
dkms_builds() { # VERSION
    tree=$out/dkms/$1
    rm -rf "$tree"
    mkdir -p "$tree/tree"
    env -u MAKEFLAGS -u MAKELEVEL make -s -C "$here/../.." install-driver DESTDIR="$tree" PREFIX= >/dev/null || return
    for src in "$tree"/src/xvs-*; do
        sed "s/#MODULE_VERSION#/${src##*-}/" "$here/../../debian/xvs-dkms.dkms" >"$src/dkms.conf"
        env -u MAKEFLAGS -u MAKELEVEL dkms build "xvs/${src##*-}" -k "$1.0-lab" --kernelsourcedir "$out/headers/$1" --dkmstree "$tree/tree" \
            --sourcetree "$tree/src" --no-depmod >"$tree/log" 2>&1 || cat "$tree/log" "$tree"/tree/xvs/*/build/make.log
    done
    module=$(find "$tree/tree" -name 'xen_vsock.ko*')
    [ "$(modinfo -F alias "$module")" = xen:vsock ] || echo "error: the alias is $(modinfo -F alias "$module")"
    case $(modinfo -F depends "$module") in
    *vmw_vsock_virtio_transport_common*) ;;
    *) echo "error: it depends on $(modinfo -F depends "$module")" ;;
    esac
}

for headers in "$out"/headers/*; do
    version=${headers##*/}
    judge "the driver builds for Linux $version without a warning" anew "$version"
    judge "sparse finds nothing in the driver for Linux $version" sparse "$version"
done
if command -v dkms >/dev/null && command -v modinfo >/dev/null; then
    judge "dkms builds what the package xvs-dkms has" dkms_builds 6.1
else
    echo "skip dkms builds what the package xvs-dkms has: needs dkms and modinfo"
    skipped=$((skipped + 1))
fi
judge "checkpatch finds nothing in the driver" checkpatch
judge "nothing in the driver goes round in a circle" circles

echo "$passed passed, $failed failed, $skipped skipped"
[ $failed -eq 0 ]
