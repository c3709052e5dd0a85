# SPDX-License-Identifier: MIT
#
# hosted.bash: cases.bash for tests with a hosted Xen in $dir/host, which is gone at the end.  Sourced in the top folder, with the
# name of the folder to be as its argument.
#
#     start_host          begins it, with the guests web1 and db1, and enters $dir
#     on DOMAIN cmd...    there, for at most $limit seconds
#     run DOMAIN cmd...   in the background; its own process id is in pid, and job is for wait
#
# XVS_BIN is the build directory.
. tests/harness/cases.bash
top=$PWD
bin=$(cd "${XVS_BIN:-build/release}" && pwd) || exit 2
sim=$(cd "${XENSIM_BIN:-build/xensim/bin}" && pwd) || exit 2
dir=$(mktemp -d "/tmp/xvs-$1.XXXXXX") || exit 2
cleanup() {
    "$sim/xensim" stop "$dir/host" >/dev/null 2>&1
    rm -rf "$dir"
}
trap cleanup EXIT
trap 'exit 1' HUP INT TERM

start_host() {
    cd "$dir" || exit 2
    "$sim/xensim" start --while $$ "$dir/host" web1 db1 || { echo "0 passed, 1 failed, 0 skipped"; exit 1; }
}

limit=120
on() {
    local domain=$1
    shift
    PATH="$bin:$PATH" LD_LIBRARY_PATH="$bin${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}" \
        timeout -k 10 $limit "$sim/xensim-run" -d "$domain" "$dir/host" -- "$@"
}

run() {
    rm -f pid
    on "$1" sh -c 'echo $$ >pid.new; mv pid.new pid; exec "$@"' sh "${@:2}" &
    job=$!
    until_true test -s pid
    pid=$(cat pid)
}
