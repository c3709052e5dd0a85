#!/bin/bash
# SPDX-License-Identifier: MIT
#
# guest.sh: the command xvs in guests of a hosted Xen, where the end-to-end suite (tests/e2e/cases/70-command.sh) does not
# look: ends of programs, breaks, restarts.  XVS_BIN is the build directory.
set -u
cd "$(dirname "$0")/../.." || exit 2
. tests/harness/hosted.bash tools
start_host

connected() { on 0 xvs ls --json "$1" | grep -q '"state":"Connected"'; }

start_daemon() {
    mkdir -p policy.d
    printf '* %s allow\n' '@any @any' '@any @unix' '@unix @any' >policy.d/50-guest.policy
    printf '[guest web1]\ncid = 101\n[guest db1]\ncid = 102\n' >xvsd.conf
    limit=1800 on 0 sh -c 'echo $$ >daemon; exec xvsd --config xvsd.conf' >xvsd.log 2>&1 </dev/null &
    daemon_job=$!
    until_true on 0 xvs ls web1 db1 || { cat xvsd.log; exit 1; }
}
start_daemon
head -c 250000 /dev/urandom >quarter

test_ ls_in_a_guest_shows_its_device
on web1 xvs ls >out 2>err || bad "status $?"
grep -q '^device 0: free, CID 101: no program of this guest has it open, and xvsd is ready$' out || bad "$(cat out)"
on web1 xvs ls --json >out && python3 -c 'import json,sys; o=json.load(sys.stdin); assert o["cid"]==101 and o["state"]=="free" and o["owner"] is None' <out || bad "$(cat out)"
run web1 xvs ping -l 2>/dev/null
is_up() { on web1 xvs ls >out && grep -q ': up,' out; }    # the guest hears that it is connected after dom0 has
wait_for is_up
grep -q "^device 0: up, CID 101: process $pid has it$" out || bad "does not name the owner $pid: $(cat out)"
on web1 xvs ls --json >out && python3 -c 'import json,sys; o=json.load(sys.stdin); assert o["state"]=="up" and o["owner"]=='"$pid" <out || bad "$(cat out)"
on web1 xvs cat host 1 </dev/null >out 2>err; [ $? -eq 3 ] || bad "a second owner"
on web1 xvs ls web1 2>err; [ $? -eq 2 ] || bad "ls web1 in a guest"
on web1 xvs -d 3 ls >out 2>err; [ $? -eq 3 ] || bad "a device that is not attached"
kill "$pid"; wait $job 2>/dev/null; [ $? -eq 143 ] || bad "status after SIGTERM"
end

# The example that xvs_wait(3) shows: more than all buffers on the way hold, through an echo.
test_ the_example_of_both_ways_gets_all_of_its_echo
head -c 20000000 /dev/urandom >twenty
on 0 xvs serve 1235 web1 -- cat 2>serve.err &
serve_job=$!
wait_for test -S "$dir/host/run/dom0/guest/web1/vsock_1235"
on web1 "$bin/examples/both_ways" 1235 <twenty >out 2>err || bad "status $?"
cmp -s twenty out || bad "$(wc -c <out) bytes came back"
kill $serve_job; wait $serve_job 2>/dev/null
rm twenty out
end

# serve_pid, serve_job
serve_who_waits() {
    cat >service <<'SH'
trap 'echo hup >hup; exit' HUP
echo ready
while :; do sleep 0.05; done
SH
    run web1 xvs serve 22 -- sh service
    serve_pid=$pid serve_job=$job
}

# broken_off [half]: a caller, who perhaps has sent all that he had to, and is there until the daemon is not: one that went before it would
# have ended the stream in order.
broken_off() {
    rm -f hup client
    on 0 python3 - "$@" <<'PY' & client_job=$!
import os, socket, sys, time
while True:
    s = socket.socket(socket.AF_UNIX)
    try:
        s.connect(os.environ["XVS_RUN_DIR"] + "/guest/web1/vsock"); s.sendall(b"CONNECT 22\n")
        got = s.recv(20)
        if got.startswith(b"OK"): break
    except OSError: pass
    s.close(); time.sleep(0.01)
if "half" in sys.argv: s.shutdown(socket.SHUT_WR)
while not got.endswith(b"ready\n"): got += s.recv(20) or exit("ended")
open("client", "w").close()
try:
    while s.recv(20): pass
except OSError: pass
PY
    wait_for test -e client
    kill -KILL "$(cat daemon)"; wait $daemon_job 2>/dev/null
    wait_for test -s hup
    wait $client_job || bad client
    start_daemon
}

test_ serve_sends_sighup_when_the_stream_breaks
serve_who_waits
broken_off
end

test_ serve_sends_sighup_when_the_stream_breaks_after_its_caller_has_sent_everything
broken_off half
end

test_ serve_survives_the_restart_of_the_daemon_and_hangs_up_at_its_end
rm -f hup
run 0 xvs cat -r 60 web1 22 </dev/null >heard 2>err
answered() { [ "$(cat heard)" = ready ]; }
wait_for answered
kill "$serve_pid"; wait $serve_job 2>/dev/null
wait_for test -s hup
wait $job
end

test_ keep_listening_in_a_guest
run web1 xvs cat -k -l 5 >heard </dev/null
for i in 1 2 3; do printf $i | on 0 xvs cat -r 60 web1 5 >out 2>err || bad "caller $i"; done
heard() { [ "$(cat heard)" = 123 ]; }
wait_for heard
kill "$pid"; wait $job 2>/dev/null
end

test_ ping_from_a_guest_to_the_host
run 0 xvs ping -l 7 web1
on web1 xvs ping -r 60 -f -c 300 --json >out 2>err || bad "status $?"
python3 -c 'import json,sys; o=json.load(sys.stdin); assert o["received"]==300 and o["peer"]=="host"' <out || bad "$(cat out)"
kill "$pid"; wait $job 2>/dev/null
end

test_ events_are_told_as_they_happen
rm -f events
limit=120 on 0 xvs events --json web1 db1 >events 2>events.err & events_job=$!
told() { grep -c "\"event\":\"$1\".*$2" events; }
is_told() { [ "$(told "$1" "$2")" -gt 0 ]; }
# Whoever listens is known to once something comes.
until_true eval 'on 0 xvs attach -d 1 db1 >out 2>err; is_told attach "\"db1\".*\"device\":1" || { on 0 xvs detach -d 1 db1 >out 2>err; false; }' || bad "no attach: $(cat events events.err err)"
on 0 xvs detach -d 1 db1 >out 2>err || bad "$(cat err)"
until_true is_told detach '"db1".*"device":1.*"reason":"detached","code":15' || bad "no detach: $(cat events events.err)"
on web1 xvs cat host 9 </dev/null >out 2>err; [ $? -eq 4 ] || bad "who is refused"
wait_for is_told connect '"web1"'
wait_for is_told refuse '"web1".*"port":9},"reason":"nobody","code":1'
wait_for is_told disconnect '"web1".*"reason":"left"'
on 0 xvs serve 9 web1 -- sh -c 'exit 3' 2>serve.err &
serve_job=$!
wait_for test -S "$dir/host/run/dom0/guest/web1/vsock_9"
on web1 xvs cat host 9 </dev/null >out 2>err; [ $? -eq 5 ] || bad "whose command fails: $(cat err)"
kill $serve_job; wait $serve_job 2>/dev/null
wait_for is_told open '"web1".*"port":9}'
wait_for is_told reset '"web1".*"by":"host","reason":"status 3","code":18'
sed 's/cid = 102/&\nconnect_rate = 1, burst 1/' xvsd.conf >slow.conf
cp xvsd.conf fast.conf; cp slow.conf xvsd.conf
on 0 xvs reload || bad "a reload"
# As soon as two of them come within a second.
wait_for eval 'on db1 xvs cat host 9 </dev/null >out 2>err; is_told storm "\"db1\".*\"reason\":\"rate\""'
wait_for is_told refuse '"db1".*"reason":"rate","code":6'
cp fast.conf xvsd.conf
on 0 xvs reload || bad "a reload"
kill $events_job 2>/dev/null; wait $events_job 2>/dev/null
python3 - events <<'PY' 2>err || bad "$(tail -n 1 err)"
import datetime, json, sys
words = {"attach", "detach", "change", "connect", "disconnect", "reject", "delay", "open", "end", "reset", "refuse", "storm", "lost"}
last = 0
for line in open(sys.argv[1]):
    e = json.loads(line)
    assert e["event"] in words, e
    assert e["guest"] in ("web1", "db1") and e["cid"] == (101 if e["guest"] == "web1" else 102) + e["device"] * 0 or e["device"] == 1, e
    assert all(type(e[k]) is int for k in ("us", "domid", "device", "cid")), e
    when = datetime.datetime.strptime(e["time"], "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=datetime.timezone.utc)
    assert round(when.timestamp() * 1000000) == e["us"] and e["us"] >= last, e
    last = e["us"]
    assert ("reason" in e) == ("code" in e), e
    if e["event"] in ("open", "end", "reset", "refuse"):
        assert type(e["to"]["port"]) is int and type(e["from"]["cid"]) is int, e
    if e["event"] == "reset":
        assert e["by"] in ("guest", "host"), e
    if e["event"] in ("reset", "refuse", "disconnect", "detach"):
        assert e["reason"] and e["text"], e
    extra = set(e) - {"time", "us", "event", "guest", "domid", "device", "cid", "from", "to", "by", "reason", "code", "text", "rule", "message_id"}
    assert not extra, extra
PY
end

test_ a_guest_without_a_daemon_says_why
kill -TERM "$(cat daemon)"; wait $daemon_job 2>/dev/null
on web1 xvs cat -w 0.3 host 1 </dev/null >out 2>err; [ $? -eq 3 ] || bad "status"
grep -q 'is xvsd running in dom0' err || bad "$(cat err)"
on web1 xvs ls >out 2>err; [ $? -eq 3 ] && grep -q '^device 0: down, CID 101: nothing in dom0 serves it' out || bad "ls: $(cat out)"
start_daemon
end

# The reader in dom0 ends its own direction and then takes its time: when the guest's program ends, its last bytes may still lie
# in the guest's memory.
test_ what_was_sent_arrives_although_the_sender_has_ended
run 0 python3 -c '
import os, socket, time
p = os.environ["XVS_RUN_DIR"] + "/guest/web1/vsock_900"
s = socket.socket(socket.AF_UNIX); s.bind(p); s.listen(5)
c, _ = s.accept(); os.unlink(p)
time.sleep(0.2); c.shutdown(socket.SHUT_WR); time.sleep(0.5)
n = 0
while True:
    piece = c.recv(65536)
    if not piece: break
    n += len(piece)
open("counted", "w").write(str(n))'
on web1 xvs cat -r 60 host 900 <quarter >out 2>err || bad "status $?"
wait $job 2>/dev/null
[ "$(cat counted)" = 250000 ] || bad "$(cat counted) of 250000 bytes"
end

# Whoever is taken needs some descriptors more, to be asked for how his stream ended: he waits for all of them.
test_ nobody_is_taken_who_could_not_be_asked_for
for more in 0 1 2 3; do
    run 0 xvs cat -l 905 web1 >got 2>short
    wait_for test -S "$dir/host/run/dom0/guest/web1/vsock_905"
    shorten "$pid" "$more"
    on web1 xvs cat host 905 <quarter >out 2>err & client_job=$!
    said() { [ -s short ] || ! kill -0 "$pid"; }
    wait_for said
    enough "$pid"
    wait $client_job || bad "with $more, the caller: $(cat err)"
    wait $job || bad "with $more: $(cat short)"
    cmp -s got quarter || bad "with $more: $(wc -c <got) bytes"
done
end

# In a guest a stream has no descriptor, so a caller is accepted before it turns out that there is none for his command.
test_ serve_keeps_who_was_accepted_until_his_command_can_be_begun
run web1 sh -c 'ulimit -n 40; exec xvs serve -r 60 906 -- cat' 2>short
on 0 python3 - 2>err <<'PY' || bad "not all were served: $(cat short)"
import os, socket, time
callers = []
while len(callers) < 40:
    s = socket.socket(socket.AF_UNIX)
    s.connect(os.environ["XVS_RUN_DIR"] + "/guest/web1/vsock"); s.sendall(b"CONNECT 906\n")
    if s.recv(20).startswith(b"OK"):
        s.sendall(b"x")
        callers.append(s)
    else: time.sleep(0.01)
while "no more descriptors" not in open("short").read(): time.sleep(0.01)
for s in callers:
    assert s.recv(1) == b"x"
    s.shutdown(socket.SHUT_WR)
    assert s.recv(1) == b""
PY
[ "$(grep -c 'cannot serve' short)" -ge 1 ] || bad "$(cat short)"
kill "$pid"; wait $job 2>/dev/null
end

kill -TERM "$(cat daemon)"; wait $daemon_job 2>/dev/null
finish
