#!/bin/sh
# SPDX-License-Identifier: MIT
#
# run.sh PLATFORM [CASE...]: real bytes through the product, on hosted Xen ("hosted") or on real Xen ("xen").
#
# A CASE is a test's name, a file's name or its number, or "all".  None means all on hosted Xen, and on real Xen, where
# everything is slow, the tests that are marked "short" or "xen": real hypervisor and kernels have a part in what they show.
# Each test prints "ok NAME", "FAIL NAME: why"
# or "skip NAME: reason"; the last line is the sum.  A test is a process of its own with a time limit, and
# what it started is ended after it.  On "xen" this runs in dom0, under busybox's shell.
#
# The platform is a set of commands on PATH: on, put, get, domid, crash, create, leakcount (platform/hosted says what
# they do).  $XVS_BIN holds xvs, xvsd and the helpers e2e_guest and e2e_host, at the same place on every host.
#
#     E2E_SHORT=1     only tests that are marked as the short part
#     E2E_BULK=N      bytes of the largest transfer      E2E_MANY=N      connections at a time
#     E2E_SLOW=N      factor on every limit (no test measures)   E2E_KEEP=1      leaves the working folder
#     E2E_VERBOSE=1   shows the output of tests that pass, too
#     E2E_END=TERM    what a test left running ends by that signal, not by KILL
set -u
umask 022       # as in tests/run.sh
here=$(cd "$(dirname "$0")" && pwd)
platform=${1-}
[ $# -gt 0 ] && shift
case $platform in
hosted)
    : "${XVS_BIN:?the folder with xvs and xvsd}" "${E2E_XENSIM:?the folder with xensim}"
    PATH=$here/platform/hosted:$XVS_BIN:$XVS_BIN/e2e:$PATH
    E2E_T=$(mktemp -d /tmp/xvs-e2e.XXXXXX) || exit 2
    E2E_SIM=$E2E_T/sim
    E2E_BULK=${E2E_BULK:-268435456} E2E_MANY=${E2E_MANY:-2000} E2E_SLOW=${E2E_SLOW:-4}
    export E2E_SIM E2E_XENSIM
    ;;
xen)
    E2E_T=/tmp/e2e
    mkdir -p "$E2E_T"
    E2E_BULK=${E2E_BULK:-8388608} E2E_MANY=${E2E_MANY:-500} E2E_SLOW=${E2E_SLOW:-10}
    ;;
*)
    echo "usage: run.sh hosted|xen [CASE...]" >&2
    exit 2
    ;;
esac
export PATH XVS_BIN E2E_T E2E_BULK E2E_MANY E2E_SLOW E2E_PLATFORM="$platform" E2E_HERE="$here"

cleanup() {
    trap '' EXIT INT TERM HUP
    sh "$here/one.sh" stop
    [ "$platform" != hosted ] || down >/dev/null 2>&1
    [ -n "${E2E_KEEP-}" ] && echo "kept: $E2E_T" >&2 || rm -rf "$E2E_T"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

if [ "$platform" = hosted ] && ! up >"$E2E_T/up.log" 2>&1; then
    cat "$E2E_T/up.log"
    echo "FAIL up: hosted Xen does not start"
    echo "0 passed, 1 failed, 0 skipped"
    exit 1
fi
mkdir -p "$E2E_T/dom0" "$E2E_T/log"
for guest in guest1 guest2; do
    on "$guest" mkdir -p "$E2E_T/$guest" </dev/null
done

is_wanted() {   # FILE TEST
    [ $wanted -gt 0 ] || return 0
    for want in $cases; do
        number=${1%%-*}
        case $want in all | "$1" | "${1%.sh}" | "$2" | "$number") return 0 ;; esac
    done
    return 1
}
wanted=$# cases=$*

passed=0 failed=0 skipped=0
for file in "$here"/cases/[0-9]*.sh; do
    base=${file##*/}
    for test in $(sed -n 's/^\(test_[a-z0-9_]*\)().*/\1/p' "$file"); do
        is_wanted "$base" "$test" || continue
        # What is behind a test's name, "# short, limit 90, xen", says which parts it belongs to and its time limit in seconds.
        marks=$(sed -n "s/^$test().*# //p" "$file")
        case $platform,${E2E_SHORT:+short},$wanted,$marks in
        *,short,*,*short* | *,,[1-9]* | hosted,,* | xen,,*short* | xen,,*xen*) ;;
        *) continue ;;
        esac
        limit=${marks##*limit } limit=${limit%%[!0-9]*}
        log=$E2E_T/log/$test
        read -r began _ </proc/uptime
        timeout -k 10 $((${limit:-60} * E2E_SLOW)) sh "$here/one.sh" run "$file" "$test" >"$log" 2>&1 </dev/null
        status=$?
        if [ $status -ne 0 ] && [ $status -ne 77 ]; then
            for f in "$E2E_T"/peer/*.out "$E2E_T"/peer/*.err; do
                [ ! -s "$f" ] || tail -n 15 "$f" | sed "s|^|${f##*/}: |" >>"$log"
            done
            # Its files could be large, and a guest's memory is small.
            for host in dom0 guest1 guest2; do
                on "$host" rm -f "$E2E_T/$host/in" "$E2E_T/$host/out" </dev/null
            done
        fi
        # What it started ends here, and must leave nothing behind.
        sh "$here/one.sh" clean >"$E2E_T/clean" 2>&1 || {
            cat "$E2E_T/clean" >>"$log"
            [ $status -ne 0 ] || status=1
        }
        case $status in
        0)
            passed=$((passed + 1))
            read -r now _ </proc/uptime
            echo "ok $test ($((${now%.*} - ${began%.*})) s)"
            [ -z "${E2E_VERBOSE-}" ] || sed 's/^/    /' "$log"
            ;;
        77)
            skipped=$((skipped + 1))
            echo "skip $test: $(sed -n 's/^skip: //p' "$log" | tail -n 1)"
            ;;
        *)
            failed=$((failed + 1))
            why=$(sed -n 's/^fail: //p' "$log" | tail -n 1)
            case $status in 124 | 137 | 143) [ -n "$why" ] || why="no end in time" ;; esac
            echo "FAIL $test: ${why:-ended with status $status}"
            sed 's/^/    /' "$log" | tail -n 80
            tail -n 25 "$E2E_T/dom0/xvsd.log" | sed 's/^/    xvsd.log: /'
            ;;
        esac
    done
done
echo "$passed passed, $failed failed, $skipped skipped"
[ $failed -eq 0 ]
