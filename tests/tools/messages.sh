#!/bin/bash
# SPDX-License-Identifier: MIT
#
# messages.sh: xvs cat and xvs serve with --seqpacket, on a hosted Xen: from dom0 to a guest, from a guest to dom0, from guest to guest.
# XVS_BIN is the build directory.
set -u
cd "$(dirname "$0")/../.." || exit 2
here=$PWD/tests/tools
. tests/harness/hosted.bash messages
start_host

mkdir policy.d
printf '* %s allow\n' '@any @any' '@any @unix' '@unix @any' >policy.d/50-messages.policy
printf '[guest web1]\ncid = 101\n[guest db1]\ncid = 102\n' >xvsd.conf
on 0 sh -c 'echo $$ >daemon; exec xvsd --config xvsd.conf' >xvsd.log 2>&1 </dev/null &
daemon_job=$!
until_true on 0 xvs ls web1 db1 || { cat xvsd.log; exit 1; }
echo="python3 $here/echo_messages.py"
frames="python3 $here/frames.py"

# Who calls whom: the caller's domain, the peer as it says, the listener's domain, and whom it listens for.
ways="0,web1,web1, web1,host,0,web1 web1,host,0,any web1,102,db1,"

# serve PORT LISTENER FOR [FORM] -- command...: serve_pid, serve_job
serve() {
    local port=$1 at=$2 guest=$3 form=${4:+=$4}
    shift 5
    # shellcheck disable=SC2086
    run "$at" xvs serve --seqpacket$form "$port" $guest -- "$@"
    serve_pid=$pid serve_job=$job
}
served() { kill "$serve_pid"; wait $serve_job 2>/dev/null; }

test_ lines_are_messages_there_and_back
for way in $ways; do
    IFS=, read -r from to at guest <<<"$way"
    # shellcheck disable=SC2086
    serve 5000 "$at" "$guest" '' -- $echo
    printf 'one\ntwo three\n\nlast' | on "$from" xvs cat -r 60 --seqpacket "$to" 5000 >out 2>err || bad "$way: status $?: $(cat err)"
    [ "$(cat out)" = "$(printf '4 one\n10 two three\n1 \n4 last')" ] || bad "$way: $(cat out)"
    served
done
end

sizes='1 2 4095 4096 4097 65535 65536 65537 81920 3 1'
test_ frames_keep_the_boundaries_of_anything
# shellcheck disable=SC2086
$frames make 5 $sizes >sent
for way in 0,web1,web1, web1,102,db1,; do
    IFS=, read -r from to at guest <<<"$way"
    # shellcheck disable=SC2086
    serve 5001 "$at" "$guest" '' -- $echo bare
    on "$from" xvs cat -r 60 --seqpacket=frames "$to" 5001 <sent >out 2>err || bad "$way: status $?: $(cat err)"
    # shellcheck disable=SC2086
    $frames check 5 $sizes <out || bad "$way"
    served
done
end

test_ a_command_may_have_frames_too
# shellcheck disable=SC2086
serve 5002 web1 '' frames -- cat
on 0 xvs cat -r 60 --seqpacket=frames web1 5002 <sent >out 2>err || bad "status $?: $(cat err)"
cmp -s sent out || bad "what came back is another"
served
end

test_ so_many_bytes_are_a_message
# shellcheck disable=SC2086
serve 5003 web1 '' '' -- $echo
printf abcdefgh | on 0 xvs cat -r 60 --seqpacket=3 web1 5003 >out 2>err || bad "status $?: $(cat err)"
out_is '3 abc3 def2 gh'
served
end

# A shell's socket pair in python's hands: what is written by one call is one message, and what comes is read by one call.
test_ a_socket_of_packets_has_messages_already
# shellcheck disable=SC2086
serve 5004 web1 '' '' -- $echo
on 0 python3 -c '
import socket, subprocess
a, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
p = subprocess.Popen(["xvs", "cat", "-r", "60", "--seqpacket", "web1", "5004"], stdin=b, stdout=b)
b.close()
for m in b"two\nlines", b"x":
    a.send(m)
    got = a.recv(1000)
    assert got == b"%d %s" % (len(m), m), got
a.send(b"")                             # there are no empty ones: it is no end
a.send(b"y")
assert a.recv(1000) == b"1 y"
a.shutdown(socket.SHUT_WR)
assert p.wait() == 0' >out 2>err || bad "$(cat err)"
served
end

test_ a_message_that_is_too_large_is_refused_in_words
run 0 xvs cat -l --seqpacket=frames 5005 web1 >heard </dev/null
head -c 300000 /dev/zero | on web1 xvs cat -r 60 --seqpacket=300000 host 5005 >out 2>err
[ $? -eq 7 ] || bad "to a host program: status"
grep -q 'a message of 300000 bytes is larger than the other end can take, and was not sent; 0 bytes had come and 0 had been sent' err ||
    bad "to a host program: $(cat err)"
wait $job; [ $? -eq 6 ] || bad "its other end"
# shellcheck disable=SC2086
serve 5006 web1 '' '' -- $echo
head -c 1000000 /dev/zero | on 0 xvs cat -r 60 --seqpacket=1000000 web1 5006 >out 2>err
case $? in 6|7) ;; *) bad "to a guest: status $?" ;; esac
grep -q 'larger than' err || bad "to a guest: $(cat err)"
served
printf '\0\0\0\0' >empty
printf '\0\0\0\5abc' >short
# shellcheck disable=SC2086
serve 5007 web1 '' '' -- $echo
on 0 xvs cat -r 60 --seqpacket=frames web1 5007 <empty >out 2>err; [ $? -eq 7 ] || bad "an empty frame: status"
grep -q 'standard input: a frame has the length 0, and there are no empty messages' err || bad "an empty frame: $(cat err)"
on 0 xvs cat --seqpacket=frames web1 5007 <short >out 2>err; [ $? -eq 7 ] || bad "half a frame: status"
grep -q 'standard input: it ended within a frame' err || bad "half a frame: $(cat err)"
head -c 1048577 /dev/zero | on 0 xvs cat --seqpacket web1 5007 >out 2>err; [ $? -eq 7 ] || bad "a long line: status"
grep -q 'standard input: a line is longer than 1048576 bytes, which no message has' err || bad "a long line: $(cat err)"
served
end

test_ streams_and_messages_do_not_mix
# shellcheck disable=SC2086
serve 5008 web1 '' '' -- $echo
printf 'x\n' | on 0 xvs cat -r 60 --seqpacket web1 5008 >out 2>err || bad "status $?"
on 0 xvs cat web1 5008 </dev/null >out 2>err; [ $? -eq 4 ] || bad "a stream to messages: status"
grep -q 'for the other type, stream or seqpacket' err || bad "a stream to messages: $(cat err)"
served
run web1 xvs serve 5009 -- cat
on 0 xvs cat -r 60 -z web1 5009 || bad "it does not listen"
on 0 xvs cat --seqpacket web1 5009 </dev/null >out 2>err; [ $? -eq 4 ] || bad "messages to a stream: status"
grep -q 'for the other type, stream or seqpacket' err || bad "messages to a stream: $(cat err)"
kill "$pid"; wait $job 2>/dev/null
end

# The socket's last words: how the command ended is known for messages as for bytes.
test_ a_command_that_fails_is_status_5_and_what_it_has_said_arrives
serve 5010 web1 '' '' -- python3 -c 'import os, socket; s = socket.socket(fileno=0); s.recv(9); s.send(b"bye\n"); os._exit(3)'
printf 'x\n' | on 0 xvs cat -r 60 --seqpacket web1 5010 >out 2>err; [ $? -eq 5 ] || bad "status: $(cat err)"
out_is bye
grep -q 'the command at the other end ended with status 3' err || bad "$(cat err)"
served
end

test_ a_form_that_is_none_is_wrong_usage
for form in x 0 2M -1 ''; do
    on 0 xvs cat "--seqpacket=$form" web1 1 </dev/null >out 2>err; [ $? -eq 2 ] || bad "$form: status"
    grep -q "is no form of a message: lines, frames, or a number of bytes from 1 to 1M" err || bad "$form: $(cat err)"
done
end

test_ an_agent_that_lends_the_device_says_that_it_has_no_messages
mkdir -p services.d; : >agent.conf
run web1 xvs-agent -c "$dir/agent.conf" -s "$dir/services.d" >agent.log 2>&1 </dev/null
agent_pid=$pid agent_job=$job
wait_for test -S "$dir/host/run/dom1/vsock"
on web1 xvs cat --seqpacket host 1 </dev/null >out 2>err; [ $? -eq 1 ] || bad "a call: status"
grep -q 'xvs-agent has the device of this guest, and lends streams alone, no messages (--seqpacket)' err || bad "a call: $(cat err)"
on web1 xvs serve --seqpacket 5011 -- true >out 2>err; [ $? -eq 1 ] || bad "a listener: status"
grep -q 'lends streams alone' err || bad "a listener: $(cat err)"
kill -TERM "$agent_pid"; wait $agent_job 2>/dev/null
end

kill -TERM "$(cat daemon)"; wait $daemon_job 2>/dev/null
finish
