#!/bin/sh
# SPDX-License-Identifier: MIT
#
# demo.sh: what `make demo` shows.  A host with two guests, web1 and db1, on this machine and without Xen: Xen's user
# libraries have stand-ins and xenstored is the real one (xensim(1)).  xvsd, libxvs and xvs are what runs on a real host.
# Files go from dom0 to a guest and back, from a guest to dom0 and from guest to guest; checksums are compared.
# Needs no root where the packages are there.  Leaves nothing running and nothing behind.
set -u
cd "$(dirname "$0")/.." || exit 2
top=$(pwd)
bytes=${DEMO_BYTES:-268435456}
jobs=
dir=$(mktemp -d /tmp/xvs-demo.XXXXXX) || exit 2
host=$dir/xen           # the hosted Xen
here=$top/build/release
bold='' plain=''
if [ -t 1 ]; then bold=$(printf '\033[1m') plain=$(printf '\033[0m'); fi

cleanup() {
    trap '' EXIT INT TERM HUP
    for pid in $jobs; do kill "$pid" 2>/dev/null; done
    wait 2>/dev/null
    [ ! -d "$host" ] || "$top/build/xensim/bin/xensim" stop "$host" >/dev/null 2>&1
    rm -rf "$dir"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

title() {
    printf '\n%s%s%s\n' "$bold" "$*" "$plain"
}
show() {        # the command as a reader would type it
    printf '    %s\n' "$*"
}
fail() {
    printf 'demo: %s\n' "$*" >&2
    [ ! -s "$dir/xvsd.log" ] || { echo "demo: the daemon's last words:" >&2; tail -n 20 "$dir/xvsd.log" >&2; }
    exit 1
}
export PATH="$here:$PATH" LD_LIBRARY_PATH="$here"
# on DOMAIN command...: as part of that domain.
on() {
    domain=$1
    shift
    "$top/build/xensim/bin/xensim-run" -d "$domain" "$host" -- "$@"
}
# start DOMAIN command...: in the background; $started is the command itself.
start() {
    domain=$1
    shift
    "$top/build/xensim/bin/xensim-run" -d "$domain" "$host" -- "$@" &
    started=$!
    jobs="$jobs $started"
}
# wait_for 'CONDITION' WHAT: a minute or so.
wait_for() {
    tries=0
    until eval "$1"; do
        tries=$((tries + 1))
        [ $tries -lt 3000 ] || fail "$2 does not come about"
        sleep 0.02
    done
}
now_ms() {
    date +%s%3N
}
# same A B: compares checksums, prints them.
same() {
    a=$(sha256sum <"$1") b=$(sha256sum <"$2")
    [ "$a" = "$b" ] || fail "$(basename "$1") and $(basename "$2") differ"
    printf '    same sha256: %.16s…  (%s bytes)\n' "$a" "$(wc -c <"$1")"
}
rate() {        # BYTES MILLISECONDS
    echo "    $2 ms, $(($1 / 1048 / ($2 > 0 ? $2 : 1))) MiB/s"
}

title "1. Packages and build"
tools/deps.sh build || fail "without these packages it cannot be built"
if ! make -j2 --no-print-directory all xensim >"$dir/build.log" 2>&1; then
    tail -n 20 "$dir/build.log" >&2
    fail "the build has failed"
fi
echo "    built: $(cd build/release && ls -1 libxvs.so.0 xvsd xvs xvs-agent | tr '\n' ' ')"

title "2. A host with two guests, and the daemon"
show "xensim start HOST web1 db1"
"$top/build/xensim/bin/xensim" start "$host" web1 db1 || fail "hosted Xen does not start"
cat >"$dir/xvsd.conf" <<'END'
[guest web1]
cid = 101
[guest db1]
cid = 102
END
mkdir "$dir/policy.d"
cat "$top/dist/90-default.policy" >"$dir/policy.d/90-default.policy"
cat >"$dir/policy.d/50-demo.policy" <<'END'
# ports  source  destination  action
9        web1    db1          allow
END
start_daemon() {
    start 0 xvsd --config "$dir/xvsd.conf" >>"$dir/xvsd.log" 2>&1
    daemon=$started
    wait_for 'on 0 xvs ls >/dev/null 2>&1' "an answer of the daemon"
}
show "dom0# xvsd &"
start_daemon
wait_for '[ "$(on 0 xvs ls 2>/dev/null | grep -c -e web1 -e db1)" -ge 2 ]' "the daemon's knowing both guests"

title "3. dom0 → web1 → dom0: the library just built"
show "web1# xvs serve 7 -- cat"
start web1 xvs serve 7 -- cat </dev/null 2>"$dir/serve.err"
serve=$started
show "dom0# xvs cat web1 7 <libxvs.so.0 >returned"
on 0 xvs cat -r 60 web1 7 <"$here/libxvs.so.0" >"$dir/returned" || fail "xvs cat failed"
same "$here/libxvs.so.0" "$dir/returned"

title "4. dom0 → web1 → dom0: a stream of $((bytes / 1048576)) MiB, both directions at once"
head -c "$bytes" /dev/urandom >"$dir/stream"
show "dom0# xvs cat web1 7 <stream >returned"
began=$(now_ms)
on 0 xvs cat web1 7 <"$dir/stream" >"$dir/returned" || fail "xvs cat failed"
rate "$bytes" $(($(now_ms) - began))
same "$dir/stream" "$dir/returned"
show "dom0# xvs ping -c 3 web1 7"
on 0 xvs ping -c 3 web1 7 2>&1 | sed 's/^/    /'

title "5. The daemon dies and comes back; the server in the guest does not notice"
show "dom0# kill -9 xvsd; xvsd &; xvs cat web1 7 <xvs >returned"
kill -9 "$daemon"
wait "$daemon" 2>/dev/null
start_daemon
on 0 xvs cat -r 60 web1 7 <"$here/xvs" >"$dir/returned" || fail "xvs cat failed after the daemon's restart"
same "$here/xvs" "$dir/returned"
kill "$serve"
wait "$serve" 2>/dev/null

title "6. web1 → dom0"
show "dom0# xvs cat -l 5000 web1 >received"
start 0 xvs cat -l 5000 web1 </dev/null >"$dir/received"
listener=$started
show "web1# xvs cat host 5000 <stream"
began=$(now_ms)
on web1 xvs cat -r 60 host 5000 <"$dir/stream" >/dev/null || fail "xvs cat failed in web1"
wait "$listener" || fail "xvs cat -l failed in dom0"
rate "$bytes" $(($(now_ms) - began))
same "$dir/stream" "$dir/received"

title "7. web1 → db1, port 9, allowed by a line of a policy"
show "db1# xvs cat -l 9 >received"
start db1 xvs cat -l 9 </dev/null >"$dir/received"
listener=$started
show "web1# xvs cat 102 9 <stream"
began=$(now_ms)
on web1 xvs cat -r 60 102 9 <"$dir/stream" >/dev/null || fail "xvs cat failed in web1"
wait "$listener" || fail "xvs cat -l failed in db1"
rate "$bytes" $(($(now_ms) - began))
same "$dir/stream" "$dir/received"

title "8. A command in a guest, and a file: the agent"
show "web1# xvs-agent &"
start web1 xvs-agent -c "$dir/agent.conf" -s "$dir/services.d" </dev/null 2>"$dir/agent.err"
agent=$started
show "dom0# xvs exec web1 -- sh -c 'echo \"\$XVS_SERVICE for CID \$XVS_PEER_CID\"; exit 7'"
on 0 xvs exec --retry 60 web1 -- sh -c 'echo "    $XVS_SERVICE for CID $XVS_PEER_CID"; exit 7'
[ $? -eq 7 ] || fail "xvs exec does not end as its command has"
echo "    status 7"
show "dom0# echo 'echo \$0 of \$(id -un)' | xvs shell web1"
echo 'echo "    $0 of $(id -un)"' | on 0 xvs shell web1 || fail "xvs shell failed"
show "dom0# xvs exec web1 -- cat <stream >returned"
began=$(now_ms)
on 0 xvs exec web1 -- cat <"$dir/stream" >"$dir/returned" || fail "xvs exec failed"
rate "$bytes" $(($(now_ms) - began))
same "$dir/stream" "$dir/returned"
show "dom0# xvs cp stream web1:$dir/copied"
began=$(now_ms)
on 0 xvs cp --no-sync "$dir/stream" "web1:$dir/copied" || fail "xvs cp failed"
rate "$bytes" $(($(now_ms) - began))
same "$dir/stream" "$dir/copied"
kill "$agent"
wait "$agent" 2>/dev/null

title "9. What the daemon knows"
show "dom0# xvs ls"
on 0 xvs ls | sed 's/^/    /'
show "dom0# xvs top --batch --count 1 --delay 0.5"
on 0 xvs top --batch --count 1 --delay 0.5 | sed 's/^/    /'
show "dom0# xvs metrics | grep -e bytes_total -e connect_seconds_count"
on 0 xvs metrics | grep -v '^#' | grep -e 'guest_bytes_total' -e 'connect_seconds_count' | sed 's/^/    /'
show "dom0# xvs trace -c 6 web1"
on 0 xvs trace -q -c 6 web1 >"$dir/trace" &
tracer=$!
wait_for 'on web1 xvs cat host 5001 </dev/null >/dev/null 2>&1; ! kill -0 $tracer 2>/dev/null' "six packets"
sed 's/^/    /' "$dir/trace"

title "10. The end"
kill -TERM "$daemon"
wait "$daemon" || fail "xvsd did not end in order: $?"
"$top/build/xensim/bin/xensim" stop "$host" || fail "hosted Xen does not stop"
echo "    xvsd ended in order; hosted Xen is gone."
echo "    all checksums are equal"
