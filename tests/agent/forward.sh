#!/bin/bash
# SPDX-License-Identifier: MIT
# forward.sh: ports of a guest that lead straight to a socket or a command, as agent.conf says.
. "$(dirname "$0")/lib.sh"

# settings TEXT: which the agent reads anew.
readings=0
settings() {
    printf "$1" >agent.conf
    kill -HUP "$agent"
    readings=$((readings + 1))
    has_read() { [ "$(grep -c 'read anew' agent.log)" -ge $readings ]; }
    wait_for has_read
}
channel=$dir/host/run/dom0/guest/web1/channel/org.qemu.guest_agent.0

if test_ a_client_of_the_qemu_guest_agent_works_over_a_channel; then
    # What speaks on the socket in the guest: qemu-guest-agent's protocol, JSON a line.
    run web1 python3 -c '
import json, os, socket
u = socket.socket(socket.AF_UNIX); u.bind("qga.sock.new"); u.listen(1); os.rename("qga.sock.new", "qga.sock")
while True:
    c, _ = u.accept()
    for line in c.makefile():
        said = json.loads(line)
        c.sendall((json.dumps({"return": said.get("arguments", {}).get("id", {})}) + "\n").encode())
    c.close()'
    wait_for test -S qga.sock
    settings "[agent]\nforward 9001 = unix:$dir/qga.sock\n"
    client() {
        if command -v socat >/dev/null; then
            socat -t 60 - "UNIX-CONNECT:$channel"
        else
            python3 -c 'import socket, sys
s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); s.sendall(sys.stdin.buffer.read()); s.shutdown(1)
while (got := s.recv(65536)): sys.stdout.buffer.write(got)' "$channel"
        fi
    }
    printf '%s\n' '{"execute":"guest-sync","arguments":{"id":4711}}' '{"execute":"guest-ping"}' >asked
    printf '%s\n' '{"return": 4711}' '{"return": {}}' >expected
    for i in 1 2 3; do
        client <asked >out 2>err || bad "status $?"
        cmp out expected || bad "it says: $(cat out)"
    done
    kill -9 "$pid"; wait $job 2>/dev/null
    # Nobody is there any more: the connection ends without an answer, and the agent says why.
    client <asked >out 2>err
    [ -s out ] && bad "somebody answers"
    wait_for grep -q 'forward 9001: .*refused' agent.log
end
fi

# More than a socket's backlog has room for wait, as they do who call it in the guest itself.
if test_ a_server_of_one_at_a_time_serves_all; then
    rm -f go
    run web1 python3 -c '
import os, socket, time
u = socket.socket(socket.AF_UNIX); u.bind("slow.sock.new"); u.listen(1); os.rename("slow.sock.new", "slow.sock")
while not os.path.exists("go"): time.sleep(0.01)
while True:
    c, _ = u.accept()
    while got := c.recv(100): c.sendall(got)
    c.close()'
    server=$pid server_job=$job
    wait_for test -S slow.sock
    settings "[agent]\nforward 9004 = unix:$dir/slow.sock\n"
    callers=
    for n in 1 2 3 4 5 6; do
        (echo "it was $n" | on 0 xvs cat web1 9004 >out.$n 2>err.$n) &
        callers="$callers $!"
    done
    six_wait() { on 0 xvs ls --json web1 | grep -q '"connections": *6\b'; }
    wait_for six_wait
    : >go
    n=0
    for caller in $callers; do
        n=$((n + 1))
        wait "$caller" || bad "caller $n: $(cat err.$n)"
        [ "$(cat out.$n)" = "it was $n" ] || bad "caller $n got '$(cat out.$n)'"
    done
    kill -9 "$server"; wait "$server_job" 2>/dev/null
end
fi

if test_ a_command_is_run_for_each_caller_and_knows_who; then
    settings '[agent]\nforward 9002 = exec:env | sort; cat\n'
    echo input | on 0 xvs cat web1 9002 >out 2>err || bad "status $?"
    for line in XVS_PEER_CID=2 XVS_LOCAL_PORT=9002 XVS_LOCAL_CID=101 input; do grep -qx "$line" out || bad "no $line"; done
    grep -e LD_LIBRARY_PATH -e XENSIM -e XVS_SERVICE out && bad "the agent's own environment"
    settings '[agent]\nforward 9002 = exec:cat; exit 3\n'
    echo x | on 0 xvs cat web1 9002 >out 2>err; [ $? -eq 5 ] || bad "a command that fails"
    head -c 8388608 /dev/urandom >big
    settings '[agent]\nforward 9002 = exec:cat\n'
    on 0 xvs cat web1 9002 <big >out 2>err || bad "status $?"
    cmp big out || bad "8 MiB are not the same"
end
fi

if test_ a_tcp_port_is_reached_with_each_direction_ended_by_itself; then
    run web1 python3 -c '
import os, socket
t = socket.socket(); t.bind(("127.0.0.1", 0)); t.listen(5)
open("port.new", "w").write(str(t.getsockname()[1])); os.rename("port.new", "port")
while True:
    c, _ = t.accept()
    got = b""
    while (more := c.recv(65536)): got += more
    c.sendall(b"<" + got + b">"); c.close()'
    wait_for test -s port
    settings "[agent]\nforward 9003 = tcp:localhost:$(cat port)\n"
    { printf '<'; cat big; printf '>'; } >expected
    on 0 xvs cat web1 9003 <big >out 2>err || bad "status $?"
    cmp expected out || bad "8 MiB are not the same"
    kill -9 "$pid"; wait $job 2>/dev/null
    on 0 xvs cat web1 9003 </dev/null >out 2>err; [ $? -eq 6 ] || bad "nobody there: status"
end
fi

if test_ the_host_alone_may_unless_it_is_said_otherwise; then
    settings '[agent]\nforward 9004 = exec:echo yes\nforward 9005 = exec:echo yes\n[forward 9005]\nallow = 102\n'
    [ "$(on 0 xvs cat web1 9004 </dev/null 2>err)" = yes ] || bad "the host: $(cat err)"
    on db1 xvs cat 101 9004 </dev/null >out 2>err; got=$?; [ $got -eq 4 ] || [ $got -eq 6 ] || bad "another guest: status $got: $(cat err)"
    [ -s out ] && bad "another guest may"
    [ "$(on db1 xvs cat 101 9005 </dev/null 2>err)" = yes ] || bad "who is allowed: $(cat err)"
    on 0 xvs cat web1 9005 </dev/null >out 2>err; [ $? -eq 6 ] || bad "the host, where another alone may: status"
    grep -q 'forward 9004: CID 102 port [0-9]*: it may not' agent.log || bad "the log"
end
fi

if test_ settings_that_change_change_ports_and_no_session; then
    settings '[agent]\nforward 9006 = exec:cat\n'
    mkfifo in
    run 0 sh -c 'exec xvs cat web1 9006 <in' >old
    exec 8>in
    echo one >&8
    wait_for grep -q one old
    settings '[agent]\nforward 9007 = exec:echo new\n'
    [ "$(on 0 xvs cat web1 9007 </dev/null 2>err)" = new ] || bad "the new one: $(cat err)"
    status 4 xvs cat web1 9006 </dev/null
    echo two >&8
    wait_for grep -q two old
    exec 8>&-
    wait $job || bad "the session's end"
    settings '[agent]\nforward 9007 = exec:echo newer\n'
    [ "$(on 0 xvs cat web1 9007 </dev/null 2>err)" = newer ] || bad "the same port anew: $(cat err)"
    # Sessions are counted with all others.
    settings '[agent]\nmax_sessions = 1\nforward 9007 = exec:cat\n'
    run 0 sh -c 'exec xvs cat web1 9007 <in' >old
    exec 8>in
    echo three >&8
    wait_for grep -q three old
    on 0 xvs cat web1 9007 </dev/null >out 2>err; [ $? -eq 6 ] || bad "one that is too many: status"
    exec 8>&-
    wait $job || bad "the end of the only one"
    settings ''
    status 4 xvs cat web1 9007 </dev/null
end
fi

if test_ wrong_forwards_are_told; then
    check() {
        printf "$1" >wrong.conf
        on web1 xvs-agent --check-config -c "$dir/wrong.conf" >out 2>err
        [ $? -eq 2 ] || bad "status of '$1'"
        err_has "$2"
    }
    check '[agent]\nforward x = exec:true\n' "line 2: forward: 'x' is no port"
    check '[agent]\nforward 0 = exec:true\n' "'0' is no port"
    check '[agent]\nforward 4294967295 = exec:true\n' "is no port"
    check '[agent]\nforward 1 = exec:true\n' "port 1 is the agent's own"
    check '[agent]\nforward 5 = /run/x\n' 'neither unix:/PATH'
    check '[agent]\nforward 5 = unix:x\n' 'neither unix:/PATH'
    check '[agent]\nforward 5 = tcp:example.org:80\n' 'is no address'
    check '[agent]\nforward 5 = tcp:localhost\n' 'no HOST and PORT'
    check '[agent]\nforward 5 = exec:\n' 'has no command'
    check '[agent]\nforward 5 = exec:a\nforward 5 = exec:b\n' 'line 3: forward 5 is given twice'
    check '[forward 5]\nallow = host\n' "there is no 'forward 5 = ' in [agent]"
    check '[agent]\nforward 5 = exec:a\n[forward 5]\nallow = web1\n' "'web1' is no CID"
    check '[agent]\nforward 5 = exec:a\n[forward 5]\nto = x\n' "no setting 'to'"
    check '[service a]\nconnect = tcp:example.org:80\n' 'is no address'
    printf '[forward 5]\nallow = any\n[agent]\nforward 5 = exec:a\n' >wrong.conf
    on web1 xvs-agent --check-config -c "$dir/wrong.conf" 2>err || bad "good ones: $(cat err)"
end
fi

finish
