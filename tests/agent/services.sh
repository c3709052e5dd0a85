#!/bin/bash
# SPDX-License-Identifier: MIT
# services.sh: services by name on port 1 of a guest: files of services.d, agent.conf, and who may.
. "$(dirname "$0")/lib.sh"

program() {
    printf '#!/bin/sh\n%s\n' "$2" >"services.d/$1"
    chmod 755 "services.d/$1"
}

if test_ a_program_knows_who_calls_and_nothing_else; then
    program who 'env | sort; cat'
    echo input | on 0 xvs call web1 who+some.argument >out 2>err || bad "status $?"
    for line in XVS_SERVICE=who XVS_ARGUMENT=some.argument XVS_PEER_CID=2 input; do grep -qx "$line" out || bad "no $line"; done
    grep -q '^XVS_PEER_PORT=[0-9]' out || bad "no port"
    grep -e LD_LIBRARY_PATH -e XENSIM out && bad "the agent's own environment"
    on 0 xvs call web1 who </dev/null >out 2>err; grep -qx XVS_ARGUMENT= out || bad "no argument is another"
end
fi

if test_ a_program_that_fails_resets_the_stream; then
    program failing 'echo part; echo complaint >&2; exit 3'
    status 5 xvs call web1 failing </dev/null; err_has 'ended with status 3'
    wait_for grep -q complaint agent.log
    program half 'head -c 4; exit 0'
    printf abcdefgh | on 0 xvs call web1 half >out 2>err; [ $? -eq 6 ] || bad "unread input is no error"
end
fi

if test_ a_socket_and_a_port_are_connected_to; then
    run web1 python3 -c '
import socket, threading
def serve(s):
    while True:
        c, _ = s.accept()
        got = b""
        while True:
            more = c.recv(65536)
            if not more: break
            got += more
        c.sendall(b"<" + got + b">"); c.close()
u = socket.socket(socket.AF_UNIX); u.bind("service.sock"); u.listen(5)
t = socket.socket(); t.bind(("127.0.0.1", 0)); t.listen(5)
open("port.new", "w").write(str(t.getsockname()[1]))
import os; os.rename("port.new", "port")
threading.Thread(target=serve, args=(u,)).start()
serve(t)'
    wait_for test -s port
    ln -s "$dir/service.sock" services.d/local
    ln -s "/dev/tcp/127.0.0.1/$(cat port)" services.d/net
    printf '[service other]\nconnect = unix:%s/service.sock\n[service gone]\nconnect = unix:/no/such/socket\n' "$dir" >agent.conf
    kill -HUP "$agent"
    wait_for grep -q 'read anew' agent.log
    for service in local net other; do
        [ "$(printf hello | on 0 xvs call web1 $service 2>err)" = '<hello>' ] || bad "$service: $(cat err)"
    done
    status 4 xvs call web1 gone </dev/null; err_has "gone: nobody answers where it is"
    head -c 8388608 /dev/urandom >big
    { printf '<'; cat big; printf '>'; } >expected
    on 0 xvs call web1 net <big >back 2>err || bad "status $?"
    cmp expected back || bad "8 MiB are not the same"
    kill -9 "$pid"; wait $job 2>/dev/null
    status 4 xvs call web1 local </dev/null
    status 4 xvs call web1 net </dev/null; err_has "refused"
    rm -f agent.conf services.d/local services.d/net
    kill -HUP "$agent"
end
fi

if test_ what_others_could_have_written_is_not_run; then
    program open 'echo run'
    chmod 777 services.d/open
    status 4 xvs call web1 open </dev/null; err_has "others can write it"
    chmod 755 services.d/open; status 0 xvs call web1 open </dev/null
    if [ "$(id -u)" -eq 0 ]; then
        chown nobody services.d/open
        status 4 xvs call web1 open </dev/null; err_has "not root's"
        chown root services.d/open
    fi
    mkdir -p elsewhere; cp services.d/open elsewhere/other; chmod 777 elsewhere/other; ln -s "$dir/elsewhere/other" services.d/linked
    status 4 xvs call web1 linked </dev/null; err_has "others can write it"
    chmod 755 elsewhere/other; status 0 xvs call web1 linked </dev/null
    chmod 777 services.d
    status 4 xvs call web1 open </dev/null; err_has "services.d"
    chmod 755 services.d
    chmod 644 services.d/open; status 4 xvs call web1 open </dev/null; err_has "not executable"
    mkdir services.d/directory; status 4 xvs call web1 directory </dev/null
    ln -s /dev/tcp/example.org/80 services.d/named; status 4 xvs call web1 named </dev/null; err_has "is no address"
    ln -s /no/such services.d/dangling; status 4 xvs call web1 dangling </dev/null
    rm -rf services.d/*
end
fi

if test_ help_lists_what_there_is; then
    program one 'exit 0'; program two 'exit 0'; : >services.d/not~a~name
    status 0 xvs call web1 HELP </dev/null
    for service in exec HELP qga one two; do tr -d '\r' <out | grep -qx $service || bad "no $service"; done
    grep -q '~' out && bad "a name that is none"
    status 4 xvs call web1 nosuch </dev/null; err_has "there is no such service"
    # One that is installed here would be begun.
    command -v qemu-ga >/dev/null || { status 4 xvs call web1 qga </dev/null; err_has "install the package"; }
    printf '[service qga]\nconnect = unix:/nonexistent/qga.sock\n' >agent.conf
    kill -HUP "$agent"
    joined() { on 0 xvs call web1 qga </dev/null 2>err; grep -qF "qga: nobody answers" err; }
    wait_for joined
    : >agent.conf; kill -HUP "$agent"
    for wrong in '' ../x a/b 'a b' 'a+b/c' 'a+$(x)' "$(head -c 300 /dev/zero | tr '\0' a)"; do status 2 xvs call web1 "$wrong" </dev/null; done
    status 11 xvs call db1 one </dev/null
end
fi

if test_ other_guests_may_what_the_settings_say; then
    program one 'echo "one for $XVS_PEER_CID"'; program two 'exit 0'
    on db1 xvs call 101 one </dev/null >out 2>err && bad "anybody may"
    printf '[service one]\nallow = host, 102\n' >agent.conf
    kill -HUP "$agent"
    wait_for on db1 xvs call 101 one </dev/null
    [ "$(on db1 xvs call 101 one </dev/null 2>err)" = "one for 102" ] || bad "$(cat err)"
    on db1 xvs call 101 two </dev/null >out 2>err; [ $? -eq 4 ] || bad "another service: status"
    err_has "CID 102 may not use it"
    on db1 xvs exec 101 -- true 2>err; [ $? -eq 125 ] || bad exec
    err_has "CID 102 may not use it"
    on db1 xvs call 101 HELP </dev/null >out 2>err; grep -q exec out && bad "HELP tells too much"
    [ "$(on 0 xvs call web1 one </dev/null)" = "one for 2" ] || bad "the host may not any more"
    printf '[service one]\nallow = 102\n' >agent.conf
    kill -HUP "$agent"
    refused() { on 0 xvs call web1 one </dev/null 2>err; [ $? -eq 4 ]; }
    wait_for refused
    # What is wrong changes nothing.
    printf '[service one]\nallow = everybody\n' >agent.conf
    kill -HUP "$agent"
    wait_for grep -q "'everybody' is no CID" agent.log
    refused || bad "wrong settings count"
    rm -f agent.conf
    kill -HUP "$agent"
end
fi

if test_ wrong_settings_are_told_with_their_line; then
    check() {
        printf "$1" >wrong.conf
        on web1 xvs-agent --check-config -c "$dir/wrong.conf" >out 2>err
        [ $? -eq 2 ] || bad "status of '$1'"
        err_has "$2"
    }
    check '[agent]\nmax_sessions = 0\n' 'line 2: [agent] max_sessions'
    check '[agent]\nmax = 1\n' "no setting 'max'"
    check '[other]\na = 1\n' 'no section [other]'
    check '[service ../x]\nallow = host\n' "no service's name"
    check '[service a]\nallow = 4294967296\n' "'4294967296' is no CID"
    check '[service a]\nconnect = /run/x\n' 'neither unix:/PATH'
    check '[service a]\nuser = x\n' "no setting 'user'"
    check 'nonsense\n' 'line 1'
    printf '[agent]\nmax_sessions = 5\n' >wrong.conf
    on web1 xvs-agent --check-config -c "$dir/wrong.conf" || bad "good settings"
    chmod 666 wrong.conf; on web1 xvs-agent --check-config -c "$dir/wrong.conf" 2>err && bad "anybody's settings"
    err_has "others than its owner can write it"
end
fi

# db1 has no agent of its own.  Device 5 is none that it has.
if test_ the_init_system_hears_when_the_agent_is_ready_with_a_device_or_without; then
    cat >notified.py <<'PY'
import socket, struct
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.settimeout(100)
s.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
s.bind("notify")
print("bound", flush=True)
words, who, _, _ = s.recvmsg(100, 100)
print(words.decode(), "of", struct.unpack("3i", who[0][2])[0])
PY
    for device in 0 5; do
        rm -f notify
        python3 notified.py >said 2>err &
        listener=$!
        wait_for grep -q bound said
        run db1 env NOTIFY_SOCKET="$dir/notify" xvs-agent -d $device -c "$dir/none.conf" -s "$dir/services.d" >ready.log 2>&1
        wait $listener || bad "device $device: $(tail -n 1 err)"
        grep -qx "READY=1 of $pid" said || bad "device $device: process $pid, and it says $(tail -n 1 said)"
        [ $device != 0 ] || [ -S "$dir/host/run/dom2/vsock" ] || bad "it is ready before it has the device"
        kill "$pid"; wait $job 2>/dev/null
    done
end
fi

# The settings are a FIFO, so that it is still at the beginning.
if test_ a_reload_before_the_agent_is_there_is_one_when_it_is; then
    mkfifo conf.fifo
    run db1 xvs-agent -c "$dir/conf.fifo" -s "$dir/services.d" >early.log 2>&1
    exec 7>conf.fifo
    kill -HUP "$pid"
    exec 7>&-
    { timeout 60 sh -c ': >conf.fifo' && until_true grep -q 'read anew' early.log; } || bad "it does not read its settings again"
    kill "$pid"; wait $job 2>/dev/null
end
fi

if test_ a_caller_that_goes_ends_the_program; then
    rm -f there
    program patient "trap '' HUP; echo x >$dir/there; sleep 321098; sleep 321098"
    run 0 xvs call web1 patient 2>/dev/null
    wait_for test -e there
    kill -9 "$pid"; wait $job 2>/dev/null
    wait_for nobody_has 321098
end
fi

# What they are told has to wait for its place among what others are told, and is not lost for that.
if test_ callers_are_answered_beside_others_who_are_told_much; then
    { printf '[daemon]\nmax_pool_pages = 16\n'; cat xvsd.conf; } >small && mv small xvsd.conf
    on 0 xvs reload || bad "reload"
    kill "$warden"; wait "$agent_job" 2>/dev/null
    start_agent
    program hello 'echo hello'
    much=
    for n in 1 2 3 4 5 6 7 8; do
        run 0 xvs exec web1 -- sh -c "echo >'$dir/begun.$n'; exec cat /dev/zero" >/dev/null 2>&1
        much="$much $pid"
        wait_for test -s "begun.$n"
    done
    for _ in 1 2 3 4 5 6; do
        status 0 xvs exec --wait 60 web1 -- true
        status 0 xvs call --wait 60 web1 hello </dev/null; [ "$(cat out)" = hello ] || bad "hello: $(cat out)"
        status 127 xvs exec --wait 60 web1 -- nosuch; err_has "no such command"
        on 0 xvs call --wait 60 web1 nosuch </dev/null 2>err; err_has "no such service"
    done
    # shellcheck disable=SC2086 # process ids
    kill $much
end
fi

finish
