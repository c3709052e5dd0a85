# SPDX-License-Identifier: MIT
# lib.sh: a hosted Xen with web1 and db1, xvsd in it, and peer.py.  Sourced by the others; bash.
set -u
cd "$(dirname "$0")/../.." || exit 2
. tests/harness/hosted.bash bindings
here=$top/tests/bindings
chmod 755 "$dir"
start_host
export PYTHONPATH="$top/bindings/python:$here" PYTHONDONTWRITEBYTECODE=1

# add_up FILE: to the sum, what a program has said that speaks as we do.
add_up() {
    local last
    last=$(grep -E '^[0-9]+ passed, [0-9]+ failed, [0-9]+ skipped$' "$1" | tail -n 1)
    if [ -z "$last" ]; then
        echo "FAIL it ended without its sum"
        failed=$((failed + 1))
        return
    fi
    # shellcheck disable=SC2046 # three numbers
    set -- $(echo "$last" | tr -cd '0-9 ')
    passed=$((passed + $1)) failed=$((failed + $2)) skipped=$((skipped + $3))
}

# peer DOMAIN argument...: peer.py there, which is ready then.
peer() {
    rm -f ready
    limit=3600 run "$1" python3 "$here/peer.py" "${@:2}" >ready 2>peer.err </dev/null
    peer=$pid peer_job=$job
    until_true grep -q ready ready || { cat peer.err; exit 1; }
}
end_peer() {
    kill "$peer" 2>/dev/null
    wait "$peer_job" 2>/dev/null
    grep -v -x Terminated peer.err | sed 's/^/    /' | head -n 40
}

mkdir policy.d
printf '* %s allow\n' '@any @any' '@any @unix' '@unix @any' >policy.d/50-bindings.policy
printf '[guest web1]\ncid = 101\n[guest db1]\ncid = 102\n' >xvsd.conf
limit=3600 run 0 xvsd --config "$dir/xvsd.conf" >xvsd.log 2>&1 </dev/null
until_true on 0 xvs ls web1 db1 || { cat xvsd.log; exit 1; }
