#!/bin/bash
# SPDX-License-Identifier: MIT
# manage.sh: a guest as a whole.  Its qemu-guest-agent by way of xvs-agent: xvs ga, info, shutdown, reboot, freeze, time-sync.  Most of it with
# one that is none (fake/qemu-ga), which can be hostile and touches nothing; at the end the real one of Debian's.  And its processors and
# memory, with an xl that is none and a /sys that is a directory.
plain_path=$PATH
PATH=$(cd "$(dirname "$0")" && pwd)/fake:$PATH
XL_STATE=$(mktemp -d /tmp/xvs-agent-xl.XXXXXX) || exit 2
XVS_SYSTEM_ROOT=$XL_STATE/root
export XL_STATE XVS_SYSTEM_ROOT
. "$(dirname "$0")/lib.sh"
trap 'cleanup; rm -rf "$XL_STATE"' EXIT
guest_dir=$(on web1 sh -c 'echo "$XVS_RUN_DIR"')

mode() { echo "$1" >"$guest_dir/ga.mode.new"; mv "$guest_dir/ga.mode.new" "$guest_dir/ga.mode"; }
calm() { rm -f "$guest_dir/ga.mode" "$guest_dir/ga.log" "$guest_dir/ga.frozen" "$guest_dir/ga.ahead"; }
said() { grep -qx -e "$1" "$guest_dir/ga.log" || bad "qemu-ga was not told $1"; }
qemu_gas() { grep -lsa -e "[-]t.$guest_dir" /proc/[0-9]*/cmdline | cut -d/ -f3; }
no_qemu_ga() { [ -z "$(qemu_gas)" ]; }
json() { python3 -c "import json,sys; v = json.load(sys.stdin); assert $1, v" <out 2>>err || bad "not so: $1"; }

if test_ a_command_of_qemu_guest_agent_s_has_its_arguments_and_prints_what_it_returns; then
    status 0 xvs ga web1 guest-ping; out_is '{}'
    status 0 xvs ga web1 guest-echo '{"a": [1, "ä"]}'; out_is '{"a":[1,"ä"]}'
    status 1 xvs ga web1 no-such-command; err_has "web1: no-such-command: The command no-such-command has not been found"
    status 2 xvs ga web1; err_has "which command"
    status 2 xvs ga; status 2 xvs ga web1 x '{}' y; status 2 xvs ga -t 0 web1 guest-ping
    status 2 xvs ga web1 guest-echo '[1]'; err_has "an object is wanted"
    status 2 xvs ga web1 guest-echo '{'; status 2 xvs ga web1 guest-echo "$(head -c 100 /dev/zero | tr '\0' '[')"
    [ "$(qemu_gas | wc -l)" = 1 ] || bad "not one of them: $(qemu_gas)"
end
fi

if test_ it_is_begun_once_and_begun_again_if_it_ends; then
    before=$(qemu_gas)
    status 0 xvs ga web1 guest-ping
    [ "$(qemu_gas)" = "$before" ] || bad "another one"
    kill -9 "$before"; wait_for no_qemu_ga
    status 0 xvs ga web1 guest-ping
    mode dies
    kill -9 "$(qemu_gas)"; wait_for no_qemu_ga
    status 1 xvs ga web1 guest-ping; err_has "qemu-guest-agent ended as soon as it began"
    calm
    status 0 xvs ga web1 guest-ping
    [ "$(on 0 stat -c %a "$guest_dir/qga.sock")" = 600 ] || bad "others may use its socket"
end
fi

if test_ what_was_said_to_an_earlier_caller_is_no_answer; then
    mode stale
    status 0 xvs ga web1 guest-echo '{"a":1}'; out_is '{"a":1}'
    calm
    # One who goes amid a question.
    printf '{"execute": "guest-echo", "argum' | on 0 xvs call -q web1 qga >out 2>err
    status 0 xvs ga web1 guest-echo '{"a":2}'; out_is '{"a":2}'
end
fi

if test_ a_plain_stream_is_as_good; then
    printf '{"execute": "guest-ping"}\n' | on 0 xvs call web1 qga >out 2>err || bad "status $?"
    out_is '{"return": {}}'
    status 0 xvs call web1 HELP; [ "$(tr -d '\r' <out | grep -cx qga)" = 1 ] || bad "HELP"
end
fi

for hostile in deep utf8 twice neither array nothing half nul; do
    if test_ "an_answer_that_is_none_is_named_$hostile"; then
        mode $hostile
        status 6 xvs ga web1 guest-ping
        case $hostile in half) err_has "web1 went away" ;; *) err_has "its qemu-guest-agent speaks nonsense" ;; esac
        for verb in info time-sync; do status 6 xvs $verb web1; done
        calm
        status 0 xvs ga web1 guest-ping
    end
    fi
done

if test_ an_answer_without_an_end_or_a_beginning_is_bounded; then
    for hostile in endless flood; do
        mode $hostile
        on 0 python3 -c 'import resource, subprocess, sys
p = subprocess.run(["xvs", "ga", "web1", "guest-ping"])
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(p.returncode)' >grown 2>err
        [ $? -eq 6 ] || bad "$hostile: status"
        case $bin in */release) [ "$(cat grown)" -lt 65536 ] || bad "$hostile: $(cat grown) KiB" ;; esac
        calm
        status 0 xvs ga web1 guest-ping
    done
end
fi

if test_ no_answer_is_a_time_out; then
    mode silent
    status 8 xvs ga -t 0.2 web1 guest-ping; err_has "web1: no answer to guest-ping in time"
    status 8 xvs info -t 0.2 web1; status 8 xvs time-sync -t 0.2 web1
    calm
    mode gone
    status 6 xvs ga web1 guest-ping; err_has "web1 went away before it had answered guest-ping"
    calm
end
fi

if test_ one_at_a_time_and_the_other_waits_or_is_told; then
    rm -f go
    { printf '{"execute": "guest-ping"}\n'; until [ -e go ]; do sleep 0.01; done; } | on 0 xvs call web1 qga >held 2>/dev/null &
    holder=$!
    wait_for test -s held
    status 10 xvs ga web1 guest-ping; err_has "somebody else speaks with this guest's qemu-guest-agent"
    # Who waits is next.
    run 0 xvs ga web1 guest-echo '{"next": 1}' >next 2>err
    touch go
    wait $job || bad "the next: status $?"
    wait $holder
    [ "$(cat next)" = '{"next":1}' ] || bad "the next: $(cat next)"
end
fi

if test_ a_signal_ends_the_command_and_leaves_the_agent_to_others; then
    mode silent
    run 0 xvs ga -t 100 web1 guest-ping >out 2>err
    wait_for grep -qx guest-ping "$guest_dir/ga.log"
    kill -TERM "$pid"; wait $job; [ $? -eq 143 ] || bad "status"
    calm
    status 0 xvs ga web1 guest-ping
end
fi

if test_ info_says_what_a_guest_is; then
    calm
    status 0 xvs info web1
    for line in 'web1' '  system       Fake GNU/Linux, 6.1.0 x86_64' '  host name    fake' '  time zone    UTC+01:00, CET' '  processors   1 on line of 2' \
        '  addresses    eth0  00:16:3e:00:00:01  192.0.2.7/24' '  file systems /  ext4  1.0G used of 4.0G  on xvda1' '  agent        qemu-guest-agent 7.2.0'; do
        grep -qxF -e "$line" out || bad "no line '$line'"
    done
    status 0 xvs info --json web1; json 'v["guest"] == "web1" and v["system"]["machine"] == "x86_64" and v["users"][0]["user"] == "root"'
    mode no-info; status 0 xvs info --json web1; json 'v["system"] is None and v["agent"] is None'
    status 0 xvs info web1; out_is web1
    mode wrong; status 0 xvs info web1; status 0 xvs info --json web1
    mode escape; status 0 xvs info web1; grep -q "$(printf '[\033\233]')" out && bad "an escape sequence got through"
    calm
end
fi

if test_ that_a_guest_goes_away_is_how_a_shutdown_worked; then
    for verb in 'shutdown powerdown' 'reboot reboot'; do
        calm
        status 0 xvs "${verb% *}" -v web1; err_has "web1 has gone, as it was asked to"
        said "mode ${verb#* }"
    done
    status 0 xvs ga web1 guest-shutdown '{"mode": "halt"}'; said 'mode halt'
    mode no-shutdown
    status 1 xvs shutdown web1; err_has "web1: guest-shutdown: child process has failed to shutdown"
    mode stays
    status 8 xvs reboot -t 0.3 web1; err_has "web1 was asked to reboot, and its agent is still there 0.3 s later"
    status 2 xvs shutdown; status 2 xvs reboot web1 x
    calm
end
fi

if test_ the_whole_agent_goes_when_the_guest_does; then
    mode stays
    run 0 xvs shutdown -t 100 web1 2>err
    wait_for grep -qx 'mode powerdown' "$guest_dir/ga.log"
    kill "$warden"; wait $job || bad "status $?"
    wait $agent_job
    wait_for no_qemu_ga
    calm
    start_agent
    status 0 xvs ga web1 guest-ping
end
fi

if test_ time_sync_sets_the_clock_and_says_how_far_off_it_was; then
    calm
    echo -5000000000 >"$guest_dir/ga.ahead"
    status 0 xvs time-sync web1; grep -qE '^web1: was [0-9.]+ s behind, is [0-9.]+ (ms|s) (ahead|behind)$' out || bad "says $(cat out)"
    said guest-set-time
    status 0 xvs time-sync --json web1; json 'abs(v["is_ns"]) < 100e9 and v["guest"] == "web1"'
    # A PV guest has no hardware clock to be set besides.
    echo 7000000000 >"$guest_dir/ga.ahead"; mode no-hwclock
    status 0 xvs time-sync -v web1; err_has "hwclock failed"
    echo 3600000000000 >"$guest_dir/ga.ahead"; mode no-clock
    status 1 xvs time-sync web1; err_has "its clock is still"; err_has "hwclock failed"
    calm
end
fi

if test_ without_qemu_guest_agent_it_says_what_to_install; then
    kill "$warden"; wait $agent_job
    real_path=$PATH
    # A PATH of this machine's with no qemu-ga in it, wherever that may be installed.
    mkdir -p some; for one in sh env timeout; do ln -sf "$(command -v $one)" some/; done
    limit=3600
    PATH=$real_path run web1 env PATH="$dir/some" "$bin/xvs-agent" -c "$dir/agent.conf" -s "$dir/services.d" >>agent.log 2>&1 </dev/null
    warden=$pid agent_job=$job limit=120
    until_true child_of "$warden"; agent=$(child_of "$warden")
    until_true on 0 xvs call -q web1 HELP
    for verb in 'ga web1 guest-ping' 'info web1' 'shutdown web1' 'time-sync web1'; do
        # shellcheck disable=SC2086 # words
        status 4 xvs $verb; err_has "web1: qga: qemu-guest-agent is not installed in this guest: install the package of that name"
    done
    status 11 xvs info db1; err_has "no program has it open; is xvs-agent running there?"
    status 3 xvs info -d 1 web1; err_has "'xvs attach -d 1 web1'"
    status 3 xvs info nosuchguest
    kill "$warden"; wait $agent_job
    start_agent
end
fi

# ---- frozen file systems ----

frozen=$guest_dir/ga.frozen
is_thawed() { [ ! -e "$frozen" ] && [ ! -e "$guest_dir/frozen" ]; }
manages() { grep -lsa -e "[-]-service.manage" /proc/[0-9]*/cmdline | cut -d/ -f3; }
# Of the process that serves it, and not its guard, which is its child.
server() {
    local one
    for one in $(manages); do grep -qx "PPid:[[:space:]]$agent" "/proc/$one/status" && echo "$one"; done
}
# Until the file 'go' is there; 'runs' says that it has begun, and what was frozen then.
cat >stay <<'EOF'
#!/bin/sh
cat "$1" >runs.new; mv runs.new runs
while [ ! -e go ]; do sleep 0.01; done
EOF
chmod +x stay
stays() { rm -f go runs; run 0 xvs freeze "$@" web1 -- ./stay "$frozen" 2>err; wait_for test -s runs; }

if test_ a_command_runs_while_file_systems_stand_still; then
    calm
    status 0 xvs freeze -v --for 30s web1 -- cat "$frozen"; out_is 3; err_has "web1: 3 file systems are frozen"
    is_thawed || bad "not thawed"
    said guest-fsfreeze-freeze; said guest-fsfreeze-thaw
    [ "$(echo input | on 0 xvs freeze --for 30 web1 -- cat)" = input ] || bad "standard input is not the command's"
end
fi

if test_ its_status_is_the_commands_and_they_are_thawed_whatever_that_was; then
    for want in '7 exit 7' '137 kill -9 $$' '141 kill -PIPE $$' '0 :'; do
        status "${want%% *}" xvs freeze --for 30 web1 -- sh -c "test -s $frozen || exit 99; ${want#* }"
        is_thawed || bad "not thawed after: $want"
    done
    status 127 xvs freeze --for 30 web1 -- no-such-command; err_has "no-such-command: No such file"; is_thawed || bad "127"
    status 126 xvs freeze --for 30 web1 -- /etc/passwd; is_thawed || bad "126"
end
fi

if test_ what_cannot_be_frozen_is_status_125_and_nothing_is_run; then
    mode no-freeze
    status 125 xvs freeze --for 30 web1 -- touch ran; err_has "web1: freeze: guest-fsfreeze-freeze: failed to freeze /"
    is_thawed || bad "not thawed"
    calm; mode silent
    status 125 xvs freeze --for 30 web1 -- true & waiting=$!
    wait_for grep -qx guest-fsfreeze-freeze "$guest_dir/ga.log"
    calm; kill -9 "$(qemu_gas)"
    wait $waiting; wait_for is_thawed
    for wrong in '' 'web1' 'web1 -- true' '--for 0 web1 -- true' '--for x web1 -- true' '--for 3601 web1 -- true' '--for 30 web1' '--nosuch'; do
        # shellcheck disable=SC2086 # words
        status 125 xvs freeze $wrong; err_has --help
    done
    status 125 xvs freeze --for 30 nosuchguest -- touch ran
    status 125 xvs freeze --for 30 db1 -- touch ran
    [ ! -e ran ] || bad "it was run"
    status 0 xvs freeze --help
end
fi

if test_ a_time_that_is_over_thaws_and_is_told; then
    status 124 xvs freeze --for 0.2 web1 -- sh -c "until grep -q 'web1: the time is over, and its file systems are thawed' err; do sleep 0.01; done"
    err_has "were not frozen until the command had ended"
    wait_for is_thawed
    # Whoever in the guest thaws them, it did not hold.
    status 124 xvs freeze --for 30 web1 -- rm "$frozen"; wait_for is_thawed
end
fi

if test_ a_signal_is_the_commands_and_a_second_one_is_ours; then
    for number in INT TERM HUP; do
        stays --for 100
        kill -$number "$pid"; wait $job; [ $? -eq $((128 + $(kill -l $number))) ] || bad "$number: status"
        is_thawed || bad "$number: not thawed"
    done
    # One that takes no notice, and its child: they are thawed before that is over.
    rm -f go runs
    run 0 xvs freeze --for 100 web1 -- sh -c "trap '' TERM; ./stay $frozen & sleep 543217" 2>err
    wait_for test -s runs
    kill -TERM "$pid"; on 0 sh -c "test -s $frozen" || bad "one is not for the command"
    until ! kill -TERM "$pid" 2>/dev/null || is_thawed; do sleep 0.01; done
    wait_for is_thawed
    wait $job; [ $? -eq 143 ] || bad "the second: status"
    nobody_has 543217 || bad "the command lives"
end
fi

# One with a child of a child, and one that has made itself a daemon, which is to live on as with any shell.
cat >family <<'EOT'
#!/bin/sh
trap '' INT HUP
cat "$1" >runs.new
setsid sleep 543219 >daemon.out 2>&1 </dev/null &
sh -c 'sh -c "mv runs.new runs; exec sleep 543218"; :' &
wait
EOT
chmod +x family
# Not setsid(1) still.
is_a_daemon() { ! nobody_has 543219 && nobody_has setsid; }
if test_ the_command_does_not_outlive_who_runs_it; then
    for how in INT HUP TERM KILL QUIT keeper; do
        rm -f runs
        # No core file of it.
        run 0 sh -c 'ulimit -c 0; exec "$@"' sh xvs freeze --for 100 web1 -- ./family "$frozen" 2>err
        wait_for test -s runs
        wait_for is_a_daemon
        case $how in
        INT | HUP) while kill -$how "$pid" 2>/dev/null; do sleep 0.01; done ;;
        keeper) kill -9 "$(child_of "$pid")" ;;
        *) kill -$how "$pid" ;;
        esac
        wait $job 2>/dev/null
        wait_for is_thawed
        wait_for nobody_has ./family
        case $how in
        keeper) end_sleep 543218 ;;             # one that lost his keeper is told, and no more than that
        *) wait_for nobody_has 543218 ;;
        esac
        nobody_has 543219 && bad "$how: the daemon has not lived on"
        end_sleep 543219
    done
end
fi

one=control_c_is_for_the_command_of_freeze_and_a_second_one_ends_both
if test_ $one; then
    on 0 python3 "$here/term.py" $one "$agent" "$dir" >out 2>err || bad "$(tail -n 1 err)"
    is_thawed || bad "not thawed"
end
fi

if test_ whoever_is_killed_they_are_thawed; then
    # The command.
    stays --for 100
    kill -9 "$pid"; wait $job 2>/dev/null; wait_for is_thawed; touch go
    # In the guest, who waits for us: his guard does it.
    stays --for 100
    [ -n "$(server)" ] || bad "nobody serves"
    kill -9 "$(server)"; wait_for is_thawed
    touch go; wait $job; [ $? -eq 124 ] || bad "the server: status"; err_has "web1 has gone"
    # qemu-guest-agent: another one does it.
    stays --for 100
    kill -9 "$(qemu_gas)"; touch go
    wait $job || bad "qemu-guest-agent: status $?"
    wait_for is_thawed
    # The agent, who is asked to end, and then at once.
    stays --for 100
    kill "$warden"; wait $agent_job; wait_for is_thawed
    touch go; wait $job; [ $? -eq 124 ] || bad "the agent: status"
    start_agent
    # All of them, the guard first.
    stays --for 100
    serves=$(server)
    for one in $(manages) $serves; do [ "$one" = "$serves" ] || kill -9 "$one"; done
    kill -9 "$serves"; wait_for is_gone "$serves"
    [ -s "$frozen" ] || bad "somebody has thawed them"
    kill -9 "$agent"; wait $agent_job 2>/dev/null
    wait_for no_qemu_ga
    touch go; wait $job; [ $? -eq 124 ] || bad "the agent, killed: status"
    start_agent
    wait_for is_thawed
    calm
end
fi

# ends WORDS: what the log says of the last conversation, of the service manage or qga.
ends() {
    grep -E '(manage|qga) for CID 2 port [0-9]+: .* bytes in' agent.log | tail -n +$((conversations + 1)) | grep -qE -e "$1"
}
if test_ who_leaves_in_order_is_not_said_to_have_cut_it_off; then
    for command in 'ga web1 guest-ping' 'info web1' 'time-sync web1' 'freeze --for 30 web1 -- true' 'freeze --for 30 web1 -- sh -c exit\ 3' 'ga web1 no-such'; do
        conversations=$(grep -cE '(manage|qga) for CID 2 port [0-9]+: .* bytes in' agent.log)
        eval "on 0 xvs $command" >out 2>err
        wait_for ends 'port [0-9]+: ended'
    done
    conversations=$(grep -cE '(manage|qga) for CID 2 port [0-9]+: .* bytes in' agent.log)
    stays --for 100
    kill -9 "$pid"; wait $job 2>/dev/null; wait_for is_thawed
    wait_for ends 'cut it off, or was killed'
end
fi

if test_ who_asks_while_they_are_frozen_is_told; then
    status 10 xvs freeze --for 100 web1 -- xvs ga web1 guest-ping; err_has "somebody else speaks"
    is_thawed || bad "not thawed"
end
fi

if test_ requests_that_are_none_are_refused_by_name; then
    ask_raw() { printf '%s\n' "$1" | on 0 xvs call -q web1 manage >out 2>err; }
    while read -r request; do
        ask_raw "$request"; grep -q '^{"error"' out || bad "$request: $(head -c 200 out)"
    done <<'EOF'
{"request": "nosuch"}
{"request": 7}
{}
[]
x
{"request": "cpus", "more": 1}
{"request": "set-cpus"}
{"request": "set-cpus", "online": 0}
{"request": "set-cpus", "online": 4097}
{"request": "set-cpus", "online": "2"}
{"request": "freeze"}
{"request": "freeze", "seconds": -1}
{"request": "freeze", "seconds": 1e300}
{"request": "thaw"}
{"request": "cpus", "request": "cpus"}
EOF
    # The sentence has as much of it as there is room for, which ends within a character.
    for long in "x$(printf 'ä%.0s' $(seq 40))" "$(printf 'ä%.0s' $(seq 40))"; do
        ask_raw "{\"request\": \"$long\"}"; grep -q 'knows no request' out || bad "a long name: $(head -c 200 out)"
        ask_raw "{\"request\": \"cpus\", \"$long\": 1}"; grep -q 'unknown word' out || bad "a long word: $(head -c 200 out)"
    done
    ask_raw "$(head -c 100000 /dev/zero | tr '\0' '[')"; grep -q 'levels' out || bad deep
    printf '{"request": "cp' | on 0 xvs call -q web1 manage >out 2>err; [ ! -s out ] || bad half
    is_thawed || bad "something is frozen"
end
fi

# ---- processors and memory ----

cpu=$XVS_SYSTEM_ROOT/sys/devices/system/cpu
mkdir -p "$cpu/cpu0" "$XVS_SYSTEM_ROOT/proc" "$cpu/cpufreq" "$cpu/cpuidle"
echo 2 >"$XL_STATE/most"; echo 2 >"$XL_STATE/host"; echo 512 >"$XL_STATE/memory"
printf 'MemTotal:         491520 kB\nMemFree:           1000 kB\nMemAvailable:     409600 kB\n' >"$XVS_SYSTEM_ROOT/proc/meminfo"
pair() { json "v['guest']['online'] == $1 and v['guest']['present'] == $2 and v['xen']['online'] == $3 and v['xen']['most'] == 2"; }

if test_ processors_there_and_back_ten_times; then
    status 0 xvs vcpus web1; out_is 'guest  1 on line of 1
xen    1 running of 2'
    for i in 1 2 3 4 5 6 7 8 9 10; do
        status 0 xvs vcpus --json web1 2; pair 2 2 2
        status 0 xvs vcpus --json web1 1; pair 1 1 1
    done
    grep -qx 'vcpu-set [0-9]* 2' "$XL_STATE/log" || bad "xl was not asked"
    echo 1 >"$XL_STATE/host"
    status 1 xvs vcpus web1 2; err_has "xl vcpu-set failed: More than the host has"
    status 0 xvs vcpus -i --json web1 2; pair 2 2 2
    echo 2 >"$XL_STATE/host"
    status 2 xvs memory -i web1
end
fi

if test_ processors_that_do_not_come_or_go_are_told; then
    status 1 xvs vcpus web1 3; err_has "web1 may have 2 processors at most: maxvcpus"
    : >"$XL_STATE/refuses"
    status 1 xvs vcpus web1; err_has "xl vcpu-list failed: error: it is not in the mood"
    rm "$XL_STATE/refuses"
    status 0 xvs vcpus web1 2
    # One that cannot go, and the first has nothing by which it could.
    rm "$cpu/cpu1/online"
    status 1 xvs vcpus -t 100 web1 1; err_has "1 could not be put off line: they cannot go"; err_has "web1 has not come to 1 processors"
    rm -rf "$cpu/cpu1"
    status 2 xvs vcpus; status 2 xvs vcpus web1 0; status 2 xvs vcpus web1 x; status 2 xvs vcpus web1 1 2
    status 3 xvs vcpus nosuchguest 1; status 11 xvs vcpus db1 1
    status 1 env PATH=/nonexistent "$bin/xvs" vcpus web1; err_has "there is no xl in PATH"
    on web1 xvs vcpus --guest 102 1 >out 2>err; [ $? -eq 2 ] || bad "in a guest"
end
fi

if test_ memory_is_what_both_sides_say; then
    status 0 xvs memory web1; out_is 'guest  480M, 400M of it available
xen    512M given'
    status 0 xvs memory --json web1 1G; json 'v == {"guest": {"total": 480 << 20, "available": 400 << 20}, "xen": {"given": 1 << 30}}'
    : >"$XL_STATE/slow"
    status 8 xvs memory -t 0.2 web1 256M; err_has "web1 has not come to 256 MiB in 0.2 s"
    rm "$XL_STATE/slow"
    status 2 xvs memory web1 0; status 2 xvs memory web1 1000; status 2 xvs memory
    rm "$XVS_SYSTEM_ROOT/proc/meminfo"
    status 1 xvs memory web1; err_has "No such file"
end
fi

# ---- the real one ----------------------------------------------------------------------------------------------

# Debian's, unpacked and never installed.  What would change this machine, it is not to do.
real=$top/build/qemu-ga
if [ ! -x "$real/usr/sbin/qemu-ga" ]; then
    rm -rf "$real"; mkdir -p "$real"
    (cd "$real" && apt-get -qq download qemu-guest-agent && dpkg -x qemu-guest-agent_*.deb .) >fetch.log 2>&1
fi
name=the_real_qemu_guest_agent_answers_too
if [ -n "${AGENT-}" ] && [ "$AGENT" != $name ]; then
    :
elif ! "$real/usr/sbin/qemu-ga" --version >version 2>&1; then
    skip $name "there is no qemu-ga that runs here: $(tail -n 1 version) $(tail -n 1 fetch.log 2>/dev/null)"
elif test_ $name; then
    kill "$warden"; wait $agent_job
    wait_for no_qemu_ga
    mkdir -p real
    # What is not in this list is not for it: it is this machine that would be shut down, or frozen.
    cat >real/qemu-ga <<EOF
#!/bin/sh
all=\$("$real/usr/sbin/qemu-ga" -b help | grep -vxE 'guest-(sync|sync-delimited|ping|info|get-osinfo|get-host-name|get-timezone|get-time|network-get-interfaces|get-users|get-fsinfo|get-vcpus|fsfreeze-status)' | paste -sd,)
[ -n "\$all" ] && exec "$real/usr/sbin/qemu-ga" -b "\$all" "\$@"
EOF
    chmod +x real/qemu-ga
    PATH=$dir/real:$plain_path start_agent
    status 0 xvs ga web1 guest-ping; out_is '{}'
    status 0 xvs ga web1 guest-info; json 'v["version"] and not any(c["enabled"] for c in v["supported_commands"] if c["name"] in ("guest-shutdown", "guest-fsfreeze-freeze", "guest-set-time", "guest-exec"))'
    status 1 xvs shutdown web1; err_has "has been disabled"
    status 0 xvs info --json web1
    json 'v["system"]["machine"] and v["host_name"]["host-name"] and isinstance(v["interfaces"], list) and isinstance(v["file_systems"], list)'
    status 0 xvs info web1; grep -q '^  system  ' out || bad "info: $(cat out)"
    printf '{"execute": "guest-ping"' | on 0 xvs call -q web1 qga >out 2>err
    status 0 xvs ga web1 guest-ping
    # It may not set the clock, which is ours and right.
    status 0 xvs time-sync -v web1; err_has "guest-set-time has been disabled"
    one=$(qemu_gas)
    for i in 1 2 3 4 5; do on 0 xvs ga web1 guest-get-time >many.$i 2>>err & eval "job_$i=$!"; done
    for i in 1 2 3 4 5; do eval "wait \$job_$i" && [ -s many.$i ] || bad "number $i of those who came at once"; done
    [ "$(qemu_gas)" = "$one" ] || bad "not the same all the time"
    kill "$warden"; wait $agent_job
    wait_for no_qemu_ga
    start_agent
end
fi

finish
