#!/bin/sh
# SPDX-License-Identifier: MIT
#
# run.sh [PART...]: builds with coverage, runs those parts of the tests that run the product's own code, and reports.
#
# Without arguments what ran before is forgotten.  A part that fails keeps none of the others from running.  The counters are
# beside the objects in build/cov, the parts' output is in build/cov/log.
set -u
cd "$(dirname "$0")/../.." || exit 2
unset MAKEFLAGS MFLAGS MAKELEVEL
export E2E_END=TERM             # a program that is killed writes no counters
make="${MAKE:-make} -j2 --no-print-directory VARIANT=cov"
log=build/cov/log
mkdir -p "$log"

$make all unit-tests e2e-helpers xensim >"$log/build" 2>&1 || { tail -n 30 "$log/build"; exit 2; }
[ $# -gt 0 ] || find build/cov -name '*.gcda' -delete

status=0
part() {        # NAME make-arguments...
    name=$1
    shift
    case " $parts " in "  " | *" $name "*) ;; *) return ;; esac
    # shellcheck disable=SC2086 # words
    timeout -k 20 1800 $make "$@" >"$log/$name" 2>&1 </dev/null || {
        status=1
        grep '^FAIL' "$log/$name" || tail -n 20 "$log/$name"
    }
    echo "$name: $(tail -n 1 "$log/$name")"
}
parts=$*
part unit     check-unit
part faults   check-faults
part replay   check-replay
part hosted   check-hosted
part hostile  check-hostile
part daemon   check-daemon
part vhost    check-vhost
part frontend check-frontend
part tools    check-tools
part e2e      check-e2e-some
tests/coverage/report.py build/cov || status=1
exit $status
