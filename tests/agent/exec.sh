#!/bin/bash
# SPDX-License-Identifier: MIT
# exec.sh: xvs exec and xvs shell: a command in a guest as if it were here.
. "$(dirname "$0")/lib.sh"

if test_ the_exit_status_is_the_commands_own; then
    status 0 xvs exec web1 true
    status 7 xvs exec web1 -- sh -c 'exit 7'
    status 255 xvs exec web1 -- sh -c 'exit 255'
    status 137 xvs exec web1 -- sh -c 'kill -9 $$'
    status 143 xvs exec web1 -- sh -c 'kill $$'
    status 127 xvs exec web1 -- no-such-command; err_has "no such command in PATH"
    status 127 xvs exec web1 -- /no/such/command; err_has "No such file"
    status 126 xvs exec web1 -- /etc/passwd; err_has "Permission denied"
    status 126 xvs exec web1 -- /; err_has "web1"
    status 127 xvs exec -e PATH= web1 -- true; err_has "PATH, which is empty"
    status 127 xvs exec -e PATH=:: web1 -- true
end
fi

if test_ what_is_not_the_commands_fault_is_status_125; then
    status 125 xvs exec -u no-such-user web1 -- true; err_has "no user 'no-such-user'"
    status 125 xvs exec -w /no/such/dir web1 -- true; err_has "/no/such/dir"
    status 125 xvs exec nosuchguest -- true
    status 125 xvs exec db1 -- true
    status 125 xvs exec
    status 125 xvs exec web1
    status 125 xvs exec --nosuch web1 true; err_has "--help"
    status 125 xvs exec --detach -t web1 true
    status 125 xvs exec -e =x web1 true
    status 125 xvs exec --timeout 0 web1 true
    on 0 xvs exec -it web1 true </dev/null >out 2>err; [ $? -eq 125 ] || bad "-it without a terminal"
    err_has "no terminal"
    status 125 xvs exec web1 -- true "$(head -c 70000 /dev/zero | tr '\0' x)"; err_has "can be sent"
    status 0 xvs exec --help; status 0 xvs shell --help
end
fi

if test_ output_and_error_are_apart; then
    status 3 xvs exec web1 -- sh -c 'echo one; echo two >&2; echo three; exit 3'
    out_is 'one
three'
    [ "$(cat err)" = two ] || bad "error '$(cat err)'"
end
fi

if test_ input_comes_with_its_end; then
    [ "$(printf 'a\nb' | on 0 xvs exec web1 -- wc -c)" = 3 ] || bad "three bytes"
    [ "$(on 0 xvs exec web1 -- cat </dev/null)" = "" ] || bad "no bytes"
    [ "$(echo unread | on 0 xvs exec -n web1 -- wc -c)" = 0 ] || bad "-n has input"
    # One that does not read its input, of which there is plenty.
    yes | on 0 xvs exec web1 -- sh -c 'exit 9'; [ "${PIPESTATUS[1]}" -eq 9 ] || bad "unread input: ${PIPESTATUS[*]}"
end
fi

if test_ bytes_go_both_ways_at_once_and_nobody_grows; then
    head -c 67108864 /dev/urandom >big
    before=$(awk '/VmHWM/ { print $2 }' "/proc/$agent/status")
    on 0 python3 -c 'import resource, subprocess, sys
p = subprocess.run(["xvs", "exec", "web1", "--", "cat"], stdin=open("big"), stdout=open("back", "w"))
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(p.returncode)' >grown 2>err || bad "status $?"
    cmp big back || bad "not the same"
    after=$(awk '/VmHWM/ { print $2 }' "/proc/$agent/status")
    # A sanitizer's memory is not ours.
    case $bin in
    */release)
        [ $((after - before)) -lt 4096 ] || bad "the agent has grown from $before to $after KiB"
        [ "$(cat grown)" -lt 16384 ] || bad "the command has grown to $(cat grown) KiB"
        ;;
    esac
    rm -f big back
end
fi

if test_ a_reader_that_stops_stops_its_command_and_nothing_else; then
    rm -f pipe written; mkfifo pipe
    run 0 xvs exec web1 -- sh -c "head -c 33554432 /dev/zero && echo x >$dir/written" >pipe 2>err &
    waiting=$!
    exec 8<pipe
    for i in 1 2 3 4 5 6 7 8; do [ "$(on 0 xvs exec web1 -- echo $i)" = $i ] || bad "another command, $i"; done
    [ ! -e written ] || bad "32 MiB went to nobody"
    [ "$(wc -c <&8)" = 33554432 ] || bad "not all of it"
    exec 8<&-
    wait $waiting
    [ -e written ] || bad "the command has not ended"
end
fi

if test_ whoever_stops_reading_for_good_ends_the_command; then
    on 0 sh -c 'xvs exec web1 -- yes agent-test-yes 2>err; echo $? >status' | head -n 1 >out
    out_is agent-test-yes
    wait_for test -s status
    [ "$(cat status)" = 141 ] || bad "status $(cat status)"
    wait_for nobody_has agent-test-yes
end
fi

if test_ five_hundred_at_once; then
    on 0 python3 - >out 2>err <<'PY' || bad "status $?"
from raw import *
import resource
resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
callers = [exec_("cat", stdin=True) for _ in range(500)]
for i, c in enumerate(callers):
    c.frame(STDIN, b"%d" % i)
for i, c in enumerate(callers):
    while True:
        kind, body = c.next()
        if kind == STDOUT: break
    assert body == b"%d" % i, (i, body)
for c in callers:
    c.frame(STDIN)
for c in callers:
    assert c.to_the_end()[2] == ("exit", 0, 0)
PY
    for i in $(seq 40); do on 0 xvs exec --wait 60 web1 -- sh -c "echo $i" >many.$i 2>>err & eval "job_$i=$!"; done
    for i in $(seq 40); do eval "wait \$job_$i" && [ "$(cat many.$i)" = "$i" ] || bad "number $i"; done
end
fi

if test_ a_command_that_closes_its_pipes_lives_on; then
    rm -f go there
    run 0 xvs exec web1 -- sh -c "exec <&- >&- 2>&-; echo x >$dir/there; until [ -e $dir/go ]; do sleep 0.01; done; exit 5"
    wait_for test -e there
    kill -0 "$pid" || bad "it was not waited for"
    touch go
    wait $job; [ $? -eq 5 ] || bad "status"
end
fi

if test_ a_grandchild_with_the_pipe_is_not_waited_for; then
    status 6 xvs exec web1 -- sh -c 'sleep 987654 & echo last words; exit 6'
    out_is 'last words'
    # One that goes on writing, too.
    status 4 xvs exec web1 -- sh -c 'yes agent-test-more & exit 4'
    wait_for nobody_has agent-test-more
    end_sleep 987654
end
fi

if test_ a_caller_that_is_killed_leaves_no_process_behind; then
    rm -f there
    run 0 xvs exec web1 -- sh -c "trap '' HUP TERM; sleep 876543 & echo x >$dir/there; while :; do sleep 876543; done" 2>/dev/null
    wait_for test -e there
    kill -9 "$pid"; wait $job 2>/dev/null
    wait_for nobody_has 876543
    # Those who listen to SIGHUP hear it at once.
    rm -f there hup
    run 0 xvs exec web1 -- sh -c "trap 'echo x >$dir/hup; exit' HUP; echo x >$dir/there; while :; do sleep 0.01; done" 2>/dev/null
    wait_for test -e there
    kill -9 "$pid"; wait $job 2>/dev/null
    wait_for test -e hup
end
fi

for victim in agent warden; do
    if test_ "an_${victim}_that_is_killed_leaves_no_process_behind"; then
        rm -f there
        run 0 xvs exec web1 -- sh -c "trap '' HUP TERM; setsid sleep 765432 & sleep 765432 & echo x >$dir/there; sleep 765432; sleep 765432" 2>err
        wait_for test -e there
        if [ $victim = agent ]; then kill -9 "$agent"; else kill -9 "$warden"; fi
        wait $job; [ $? -eq 125 ] || bad "the caller's status"
        err_has "went away before the command had ended"
        wait $agent_job 2>/dev/null
        if [ $victim = agent ]; then
            wait_for nobody_has 765432
        else
            # Who has begun a session of his own has left; within a service of systemd's he ends all the same.
            wait_for is_gone "$agent"
            end_sleep 765432
            wait_for nobody_has 765432
        fi
        start_agent
    end
    fi
done

if test_ an_agent_that_is_asked_to_end_gives_its_commands_time_to_do_so; then
    rm -f there hup
    run 0 xvs exec web1 -- sh -c "trap 'echo x >$dir/hup; exit' HUP; echo x >$dir/there; while :; do sleep 0.01; done; : 210987" 2>err
    wait_for test -e there
    kill "$warden"; wait $agent_job; [ $? -eq 143 ] || bad "the agent's status"
    wait $job; [ $? -eq 125 ] || bad "the caller's status"
    [ -e hup ] || bad "the command was killed"
    nobody_has 210987 || bad "the command lives"
    start_agent
end
fi

if test_ signals_are_passed_on; then
    for signal in INT TERM QUIT USR1 USR2; do
        rm -f there
        # By way of bash: a background command of sh ignores SIGINT and SIGQUIT.
        on 0 python3 -c '
import os, signal, subprocess, sys, time
for s in (signal.SIGINT, signal.SIGQUIT): signal.signal(s, signal.SIG_DFL)
p = subprocess.Popen(["xvs", "exec", "web1", "--", "sh", "-c", "trap \"echo got; exit 8\" %s; echo x >%s/there; while :; do sleep 0.01; done" % (sys.argv[1], sys.argv[2])], stdin=subprocess.DEVNULL)
while not os.path.exists(sys.argv[2] + "/there"): time.sleep(0.01)
p.send_signal(getattr(signal, "SIG" + sys.argv[1]))
sys.exit(p.wait())' $signal "$dir" >out 2>err
        [ $? -eq 8 ] || bad "$signal: another status"
        out_is got
    done
    # A command that reads nothing, behind more input than there is room for, hears of it all the same.
    on 0 python3 - >out 2>err <<'PY' || bad "behind unread input: $?"
from raw import *
c = exec_("sh", "-c", "trap 'exit 8' USR1; echo ready; while :; do sleep 0.01; done", stdin=True)
assert c.next()[1] == b"ready\n"
c.frame(STDIN, b"x" * 65536)
c.frame(SIGNAL, struct.pack("<I", 10))
assert c.to_the_end()[2] == ("exit", 8, 0)
PY
end
fi

if test_ the_third_signal_ends_a_caller_whose_command_ignores_them; then
    rm -f there
    run 0 xvs exec web1 -- sh -c "trap '' TERM; echo x >$dir/there; while :; do sleep 0.01; done; : 654321" 2>err
    wait_for test -e there
    # Signals of one number are one until they are heard.
    until is_gone "$pid"; do kill "$pid" 2>/dev/null; sleep 0.05; done
    wait $job; [ $? -eq 143 ] || bad "status"
    wait_for nobody_has 654321
end
fi

if test_ a_time_limit_ends_the_command; then
    status 124 xvs exec --timeout 0.2 web1 -- sleep 1000; err_has "time was over"
    status 124 xvs exec --timeout 0.2 web1 -- sh -c 'trap "" TERM; while :; do sleep 0.1; done; : 543210'
    wait_for nobody_has 543210
    status 3 xvs exec --timeout 60 web1 -- sh -c 'exit 3'
end
fi

if test_ a_detached_command_is_left_alone; then
    rm -f go done
    status 0 xvs exec --detach web1 -- sh -c "until [ -e $dir/go ]; do sleep 0.01; done; cat; echo lost; echo x >$dir/done"
    out_is ''
    touch go
    wait_for test -e done
    status 127 xvs exec --detach web1 -- no-such-command
end
fi

if test_ user_directory_and_environment_are_as_asked; then
    [ "$(on 0 xvs exec -w /usr web1 -- pwd)" = /usr ] || bad directory
    [ "$(A=from-here on 0 xvs exec -e A -e B=b=c -e C= -e NONE_SUCH web1 -- sh -c 'echo "$A,$B,${C-none},${NONE_SUCH-none}"')" = "from-here,b=c,,none" ] || bad variables
    on 0 xvs exec -e XVS_PEER_CID=7 web1 -- env >out; grep -qx XVS_PEER_CID=2 out || bad "a caller says who he is"
    grep -q -e LD_LIBRARY_PATH -e XENSIM out && bad "the agent's own environment"
    grep -q '^TERM=' out && bad "TERM without a terminal"
    [ "$(on 0 xvs exec web1 -- printf %s "$(printf 'a\377b')" | od -An -tx1 | tr -d ' \n')" = 61ff62 ] || bad "bytes that are no text"
    if [ "$(id -u)" -eq 0 ]; then
        on 0 xvs exec -u nobody web1 -- sh -c 'id -un; id -u; echo "$USER $HOME"' >out 2>err
        out_is "nobody
$(id -u nobody)
nobody $(getent passwd nobody | cut -d: -f6)"
        [ "$(on 0 xvs exec -u "$(id -u nobody)" web1 -- id -un)" = nobody ] || bad "a user's number"
        on 0 xvs exec -u nobody web1 -- sh -c 'kill -0 1' 2>/dev/null && bad "nobody may signal init"
    fi
end
fi

if test_ a_signal_at_the_command_s_heels_is_not_lost; then
    on 0 python3 - 2>err <<'PY' || bad "$(tail -n 1 err)"
from raw import *

def header(kind, body):
    return struct.pack("<IB3x", len(body), kind) + body

for _ in range(30):
    c = Caller("exec")
    c.s.sendall(header(START, b'{"argv": ["sleep", "321096"]}') + header(SIGNAL, struct.pack("<I", 15)))
    assert c.to_the_end()[2] == ("exit", 0, 15)
PY
    end_sleep 321096
end
fi

if test_ a_shell_runs_what_it_reads; then
    [ "$(echo 'echo $((6 * 7)); echo $0' | on 0 xvs shell web1 2>err | head -n 1)" = 42 ] || bad "$(cat err)"
    status 5 xvs shell web1 -- -c 'exit 5'
end
fi

# ---- a terminal: each of these is a test of term.py -------------------------------------------------------
for one in a_terminal_has_a_size_and_follows_the_window keys_are_the_commands_and_control_c_is_a_signal \
    the_terminal_is_restored_after_the_end the_terminal_is_restored_after_tilde_dot the_terminal_is_restored_after_a_signal \
    the_terminal_is_restored_when_the_agent_is_gone a_tilde_within_a_line_is_a_tilde a_terminal_that_hangs_up_ends_the_command; do
    if test_ $one; then
        case $one in *agent_is_gone) rm -f there ;; esac
        on 0 python3 "$here/term.py" $one "$agent" "$dir" >out 2>err || bad "$(tail -n 1 err)"
        case $one in *agent_is_gone) wait $agent_job 2>/dev/null; start_agent ;; esac
    end
    fi
done

finish
