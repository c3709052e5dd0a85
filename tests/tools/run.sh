#!/bin/bash
# SPDX-License-Identifier: MIT
#
# run.sh: the command xvs in dom0, against a daemon that is none (fake.py).  What it does in a guest, the end-to-end
# suite and guest.sh see.  XVS_BIN is the build directory; its xvs and libxvs are used.
set -u
cd "$(dirname "$0")/../.." || exit 2
bin=$(cd "${XVS_BIN:-build/release}" && pwd) || exit 2
here=$PWD/tests/tools
. tests/harness/cases.bash
dir=$(mktemp -d /tmp/xvs-tools.XXXXXX) || exit 2
fake=
cleanup() {
    [ -z "$fake" ] || kill "$fake" 2>/dev/null
    rm -rf "$dir"
}
trap cleanup EXIT
trap 'exit 1' HUP INT TERM
cd "$dir" || exit 2
export LD_LIBRARY_PATH="$bin${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
export XVS_RUN_DIR="$dir/run"
mkdir run
xvs=$bin/xvs

# status WANTED command...: output in out and err, at most two minutes, which no command takes that does not hang.
status() {
    local want=$1 got
    shift
    timeout -k 10 120 "$@" >out 2>err
    got=$?
    [ "$got" -eq "$want" ] || bad "status $got, not $want: $*"
}

mkfifo ready
python3 "$here/fake.py" "$dir/run" >ready 2>fake.log &
fake=$!
read -r _ <ready || { cat fake.log; echo "0 passed, 1 failed, 0 skipped"; exit 1; }

# ---- usage ---------------------------------------------------------------------------------------------
test_ every_verb_has_help_with_an_example
for verb in exec shell cp call ga info shutdown reboot freeze vcpus memory time-sync ls attach detach cat serve ping dump stats metrics top pcap trace events policy reload; do
    status 0 "$xvs" $verb --help
    grep -q '^usage: xvs' out && grep -q '^Example' out && grep -q '^Exit status' out || bad "$verb --help lacks something"
done
status 0 "$xvs" --help; grep -q 'xvs VERB --help' out || bad "--help"
status 0 "$xvs" --version; grep -q '^xvs [0-9]' out || bad "--version"
end

# The help and the manual have the same options; the program takes them or says what is missing, but never "no option".
test_ every_option_of_the_help_is_in_the_manual
sed 's/\\-/-/g; s/\\f[BIRP]//g' "$here"/../../tools/man/*.1 >manual
for verb in '' exec shell cp call ga info shutdown reboot freeze vcpus memory time-sync ls attach detach cat serve ping dump stats metrics top pcap trace events policy reload; do
    # shellcheck disable=SC2086
    status 0 "$xvs" $verb --help
    for option in $(grep -oE -e '--[a-z][a-z-]+' out | sort -u); do
        grep -qF -e "$option" manual || bad "$verb --help has $option, and xvs(1) does not"
    done
done
status 0 "$xvs" detach --help
grep -q 'default: the only one' out || bad "detach --help says another default: $(grep -e --device out)"
end

test_ wrong_usage_is_status_2_and_says_where_the_help_is
for args in '' nosuchverb 'cat' 'cat web1' 'cat web1 x' 'cat web1 4294967295' 'cat web1 -1' 'cat -k web1 1' \
    'cat -w x web1 1' 'cat -w -1 web1 1' 'cat -w nan web1 1' 'cat -l' 'cat -l 5' 'cat --nosuch web1 1' 'cat -Q web1 1' 'cat --seqpacket=x web1 1' 'cat --seqpacket=2M web1 1' 'serve --seqpacket=0 5 web1 -- true' \
    'cat web1 1 2' 'cp' 'cp a' 'cp a b' 'cp web1: :b' 'cp - -' 'cp - a web1:b' 'cp --mode 9 a web1:b' 'cp --uid x a web1:b' 'cp --nosuch a web1:b' 'ga' 'ga web1' 'ga web1 x [' 'info' 'info a b' 'shutdown' 'shutdown --json web1' 'reboot -t x web1' 'time-sync --nosuch web1' 'vcpus' 'vcpus web1 0' 'vcpus --guest web1 1' 'memory web1 x' 'ping' 'ping -s 7 web1' 'ping -c 0 web1' 'ping -s 2M web1' 'ls --watch 0' 'serve 5' 'serve -- cat' \
    'serve 5 --' 'serve -m 0 5 web1 -- cat' 'attach' 'attach a b' 'attach --cid 2 web1' 'attach --cid 4294967295 web1' \
    'detach --all -d 0 web1' 'detach --cid 5 web1' 'attach --all web1' 'dump --all web1' \
    'stats x' 'metrics x' 'metrics -f json' 'metrics -f openmetrics -t file' '--guest metrics' 'top -D 0' 'top -n 0' 'top -o size' 'top a b' '--guest top' 'pcap' 'pcap a b' 'pcap -s x a' 'pcap -p x a' 'pcap -c 0 a' \
    '--guest pcap a' 'trace -w x a' 'events -c 0' 'events -c x' '--guest events' 'policy x' 'policy check' 'policy check web1 db1' 'policy check web1 db1 x' 'policy check web1 db1 1 2' 'reload x' \
    'policy check @unix/user:no-such-user web1 1' 'policy check @unix/group:no-such-group web1 1' '--guest policy' '--guest reload' '--device' '--device 2000 ls' '--guest attach web1' 'help nosuch'; do
    # shellcheck disable=SC2086
    status 2 "$xvs" $args
    err_has "--help"
done
end

# ---- the daemon -------------------------------------------------------------------------------------------
test_ ls_prints_a_table_without_escape_sequences
status 0 "$xvs" ls
grep -q '^web1  *5  *0  *42  in use  *3  *1.2M  *89  *10$' out || bad "web1's line: $(grep web1 out)"
grep -q "$(printf '\033')" out && bad "an escape sequence got through"
grep -q '^db1 .* refused  .*  refused: bad ?\[31mthing$' out || bad "the error is not shown: $(grep db1 out)"
grep -q '^twin .* idle  .*  attached, no program has it open$' out || bad "what is idle: $(grep twin out)"
status 0 "$xvs" ls web1; [ "$(wc -l <out)" -eq 2 ] || bad "ls web1"
status 0 "$xvs" ls cid:43 5; [ "$(wc -l <out)" -eq 3 ] || bad "ls cid:43 5"
status 3 "$xvs" ls nosuch; err_has "xvs attach nosuch"
end

test_ a_port_goes_by_a_name_too
printf 'web 80\nnowhere 99 # and\n' >ports
status 0 env XVS_PORTS=ports "$xvs" policy check web1 db1 web
status 2 env XVS_PORTS=ports "$xvs" cat web1 webb </dev/null
err_has "'webb' is no port: a number from 0 to 4294967294, or a name that is in ports"
printf 'web 80\nbad x\n' >ports
status 2 env XVS_PORTS=ports "$xvs" cat web1 web </dev/null
err_has "names of ports cannot be read: ports:2: bad x: a port is a number"
status 2 env XVS_PORTS=. "$xvs" ping web1 web; err_has "names of ports cannot be read: .: Is a directory"
status 2 env XVS_PORTS=/nonexistent "$xvs" serve sshd -- true; err_has "'sshd' is no port"
status 2 "$xvs" cat web1 22x </dev/null; err_has "'22x' is no port"
end

test_ a_pool_s_size_is_checked
for size in 60K 5000 3M 0 x; do
    status 2 "$xvs" serve --guest --pool "$size" 1 -- true; err_has "'$size' is no size of a pool: 64K to 2M, in steps of 4K"
done
end

test_ json_is_json
status 0 "$xvs" ls --json; python3 -c 'import json,sys; assert len(json.load(sys.stdin)["guests"]) == 8' <out || bad ls
status 0 "$xvs" ls --json db1; python3 -c 'import json,sys; assert json.load(sys.stdin)["guests"][0]["cid"] == 43' <out || bad "ls db1"
for args in 'attach --json web1' 'detach --json web1' 'dump --json web1' 'stats --json'; do
    # shellcheck disable=SC2086
    status 0 "$xvs" $args; python3 -m json.tool <out >/dev/null || bad "$args"
done
end

test_ attach_detach_dump_stats
status 0 "$xvs" attach --cid 77 -d 1 web1; out_is "web1: attached, device 1, CID 77"
status 0 "$xvs" detach 5; out_is "5: detached, device 0"
status 0 "$xvs" detach -d 3 db1; out_is "db1: detached, device 3"
status 0 "$xvs" detach --all db1; out_is "db1: detached, devices 0 3"
status 1 "$xvs" detach db1; err_has "2 devices, 0 3"
status 1 "$xvs" attach nosuch; err_has "xvs attach: there is no domain nosuch"
status 0 "$xvs" dump web1; grep -q 'domid: 5' out || bad "dump"
status 3 "$xvs" dump -d 4 web1
status 0 "$xvs" stats; grep -q '^guests: 3' out || bad "stats"
status 1 "$xvs" --quiet dump nosuch; [ -s err ] && bad "--quiet speaks"
end

test_ metrics_are_text_on_standard_output_or_a_whole_file
status 0 "$xvs" metrics; grep -q '^xvs_guest_connections{guest="web1",domid="5",device="0"} 3$' out || bad "no guest: $(head -n 3 out)"
[ "$(tail -n 1 out)" = '# EOF' ] || bad "no end"
status 0 "$xvs" metrics -f prometheus; grep -q EOF out && bad "the older format has an end"
mkdir collector
status 0 "$xvs" metrics --textfile collector/xvs.prom; out_is ''
grep -q '^xvs_up 1$' collector/xvs.prom || bad "the file: $(head -n 3 collector/xvs.prom)"
[ "$(stat -c %a collector/xvs.prom)" = 644 ] || bad "its mode: $(stat -c %a collector/xvs.prom)"
status 3 "$xvs" --run-dir "$dir/none" metrics --textfile collector/xvs.prom; err_has "xvsd is not running"
grep -q '^xvs_up 0$' collector/xvs.prom || bad "without a daemon: $(head -n 3 collector/xvs.prom)"
[ "$(wc -l <collector/xvs.prom)" -eq 3 ] || bad "what is not known is told"
status 3 "$xvs" --run-dir "$dir/none" metrics; out_is ''
status 7 "$xvs" metrics --textfile "$dir/nosuch/xvs.prom"; err_has "cannot write $dir/nosuch/xvs.prom: No such file"
status 7 "$xvs" metrics --textfile collector/xvs.prom/x
[ "$(ls collector)" = xvs.prom ] || bad "left behind: $(ls collector)"
end

test_ top_without_a_terminal_is_text_and_says_what_it_needs
status 0 "$xvs" top --batch --count 2 --delay 0.05; [ "$(grep -c '^xvs top' out)" -eq 2 ] || bad "not two screens"
grep -q "$(printf '\033')" out && bad "an escape sequence got through"
grep -q '^web1 ' out || bad "no web1"
status 0 env COLUMNS=60 "$xvs" top -b -n 1 -D 0.01; sed 's/…/./' out | awk 'length > 60 { exit 1 }' || bad "a line is too long"
status 0 "$xvs" top -b -n 1 -D 0.01 --order name --streams web1; grep -q '^web1 (domid 5, device 0): 0 streams by name' out || bad "web1's page"
status 2 "$xvs" top; err_has "use --batch"
status 3 "$xvs" top -b nosuch; err_has "there is no guest nosuch"
status 3 "$xvs" --run-dir "$dir/none" top -b; err_has "xvsd is not running"
end

test_ top_on_a_terminal_obeys_its_keys_and_gives_the_terminal_back
timeout -k 10 300 python3 "$here/top.py" "$xvs" >out 2>err || bad "$(tail -n 1 err)"
end

test_ events_are_lines_for_people_and_for_programs
status 6 env TZ=UTC "$xvs" events; err_has "the daemon has gone"
[ "$(cat out)" = '00:00:01.500 we?[31mb1       refuse     42:* -> 2:5 may not reach the host: a?b
00:00:00.000 -               reload     read again
00:00:02.000 od:3            new        
00:00:01.500 we?[31mb1       reset      0:* -> 2:5 by the guest: may not reach the host: a?b' ] || bad "$(cat -A out)"
status 0 "$xvs" events --json -c 3 a :5
grep -q '"guests": \["a", ":5"\], "verb": "events"' run/subscribed || bad "asked: $(cat run/subscribed)"
python3 -c '
import json
events = [json.loads(line) for line in open("out")]
assert [e["event"] for e in events] == ["refuse", "reload", "new"], events
assert events[0] == {"time": "1970-01-01T00:00:01.500000Z", "us": 1500000, "event": "refuse", "guest": "we\x1b[31mb1", "domid": 5, "device": 0,
    "cid": 42, "from": {"cid": 42}, "to": {"cid": 2, "port": 5}, "reason": "policy", "code": 3, "text": "may not reach the host", "rule": "a\nb"}
' 2>err || bad "$(tail -n 1 err)"
for nonsense in list nonsense noevent negative long; do
    status 6 "$xvs" events $nonsense; err_has "make no sense"; [ "$(wc -l <out)" -eq 4 ] || bad "$nonsense: $(cat out)"
done
status 1 "$xvs" events nosuch; err_has "events: no"
status 3 "$xvs" --run-dir "$dir/none" events; err_has "xvsd is not running"
# What has happened is there at once; a reader that ends is the end, and a signal is an end in order.
"$xvs" events endless 2>err | head -c 100 >/dev/null
[ "${PIPESTATUS[0]}" -eq 7 ] || bad "its reader has ended: ${PIPESTATUS[0]}"
"$xvs" events quiet >out 2>err & pid=$!
wait_for grep -q reset out
kill -TERM $pid; wait $pid || bad "a signal: status $?"
end

test_ pcap_and_trace_write_what_the_daemon_captures
status 0 "$xvs" pcap -w x.pcapng web1; err_has "xvs pcap: 3 packets"; err_has "2 were dropped"
[ "$(stat -c %a x.pcapng)" = 600 ] || bad "others may read it: $(stat -c %a x.pcapng)"
[ "$(od -An -tx1 -N4 x.pcapng)" = ' 0a 0d 0d 0a' ] || bad "no pcapng: $(od -An -tx1 -N4 x.pcapng)"
"$xvs" pcap web1 2>err | cmp -s x.pcapng - || bad "standard output is another thing"
status 0 env TZ=UTC "$xvs" trace web1
[ "$(cut -c 1-70 out)" = '00:00:01.000000 web1:1 > host:5 REQUEST, takes 0
00:00:02.000000 web1:2 > host:5 RW, 3 bytes: "abc"
00:00:03.000000 (2 packets are missing here)
00:00:03.000000 host:5 > web1:1 RST, the policy of the host forbids it' ] || bad "$(cat out)"
status 0 "$xvs" trace -c 1 -p 5 -p 6 -s all -d 3 web1; [ "$(wc -l <out)" -eq 1 ] || bad "not one line"
grep -q '"device": 3, "domain": "web1", "ports": \[5, 6\], "snap": 1048576' run/captured || bad "asked: $(cat run/captured)"
status 6 "$xvs" trace db1; err_has "the daemon has gone"
status 6 "$xvs" trace 7; err_has "make no sense"
status 1 "$xvs" pcap -w x nosuch; err_has "there is no domain nosuch"
status 7 "$xvs" pcap -w "$dir/nosuch/x" web1; err_has "cannot write $dir/nosuch/x"
# A reader that ends is the end, and a signal is an end in order.
"$xvs" pcap endless 2>err | head -c 100 >/dev/null
[ "${PIPESTATUS[0]}" -eq 7 ] || bad "its reader has ended: ${PIPESTATUS[0]}"
"$xvs" trace endless >out 2>err & pid=$!
wait_for grep -q REQUEST out
kill -TERM $pid; wait $pid || bad "a signal: status $?"
end

# Who may not use control.sock looks on at status.sock, and what he may not do there is for root.
test_ who_may_only_look_on_does_so_at_the_other_socket
if [ "$(id -u)" = 0 ]; then
    chmod 755 "$dir" "$dir/run"; chmod 600 run/control.sock; chmod 666 run/status.sock
    copy=$(mktemp -d /tmp/xvs-tools.XXXXXX); cp "$xvs" "$bin/libxvs.so.0" "$copy/"; chmod -R a+rX "$copy"
    someone() { setpriv --reuid 64001 --regid 64001 --clear-groups env LD_LIBRARY_PATH="$copy" "$copy/xvs" "$@"; }
    export -f someone; export copy
    status 0 bash -c 'someone ls web1'; grep -q '^web1' out || bad "ls"
    status 0 bash -c 'someone metrics'; grep -q '^xvs_up 1' out || bad "metrics"
    status 13 bash -c 'someone attach web1'; err_has "xvs attach: this socket only tells; ask at control.sock, as root"
    chmod 600 run/status.sock
    status 13 bash -c 'someone ls'; err_has "become root; to look on, the group that status_group"
    rm -r "$copy"
    end
else
    skip "it needs root, to be others"
fi

test_ policy_prints_lines_and_the_one_that_decides
status 0 "$xvs" policy; out_is '/p/5?[31m:1: 1 a b allow
/p/6:22: * @any @any deny'
status 0 "$xvs" policy --json; python3 -c 'import json,sys; assert len(json.load(sys.stdin)["lines"]) == 2' <out || bad "policy --json"
status 0 "$xvs" policy check web1 :5 22; out_is '/p/5.policy:7: {"destination": ":5", "port": 22, "source": "web1"}'
status 4 "$xvs" policy check @vsock web1 100; out_is '/p/5.policy:7: {"destination": "web1", "port": 100, "source": "@vsock"}'
status 0 "$xvs" policy check --json web1 db1 99; out_is '{"allowed":true}'
status 0 "$xvs" policy check web1 db1 99; out_is 'no line of the policy decides: denied'
# As whom: the caller with all his groups, a user with all of his, a group.
status 0 "$xvs" policy check @unix web1 1
python3 -c 'import json,os,sys
q = json.loads(sys.stdin.read().split(": ", 1)[1])
assert q["user"] == os.geteuid() and q["groups"][0] == os.getegid() and set(q["groups"]) == {os.getegid(), *os.getgroups()}' <out || bad "@unix: $(cat out)"
for user in root "$(id -un)" 0; do
    status 0 "$xvs" policy check "@unix/user:$user" web1 1
    python3 -c 'import json,os,pwd,sys
q, user = json.loads(sys.stdin.read().split(": ", 1)[1]), sys.argv[1]
p = pwd.getpwuid(0) if user == "0" else pwd.getpwnam(user)
assert q["source"] == "@unix" and q["user"] == p.pw_uid and set(q["groups"]) == set(os.getgrouplist(p.pw_name, p.pw_gid))' "$user" <out ||
        bad "@unix/user:$user: $(cat out)"
done
status 0 "$xvs" policy check @unix/user:70000 web1 1; grep -q '"user": 70000' out || bad "a number that no user has: $(cat out)"
status 0 "$xvs" policy check @unix/group:70000 web1 1; out_is '/p/5.policy:7: {"destination": "web1", "groups": [70000], "port": 1, "source": "@unix"}'
status 0 "$xvs" policy check @unix/group:root web1 1; out_is '/p/5.policy:7: {"destination": "web1", "groups": [0], "port": 1, "source": "@unix"}'
end

test_ reload_is_silent_or_says_what_is_wrong
status 0 "$xvs" reload; out_is ''
touch run/bad; status 1 "$xvs" reload; err_has "xvs reload: /x:3: it is allow or deny"; rm run/bad
end

test_ a_daemon_that_answers_nonsense_is_believed_nothing
for mood in hangup nonsense list nolist deep; do
    echo $mood >run/mood
    status 6 "$xvs" ls
done
echo types >run/mood; status 0 "$xvs" ls; status 3 "$xvs" ls web1
echo bytes >run/mood; status 0 "$xvs" ls; grep -q ^web1 out || bad "an answer byte by byte"
rm run/mood
end

test_ no_daemon_is_status_3_with_advice
mkdir -p none
status 3 env XVS_RUN_DIR="$dir/none" "$xvs" --host ls; err_has "xvsd is not running"
status 3 "$xvs" --run-dir "$dir/none" stats; err_has "xvsd is not running"
python3 -c 'import socket; s=socket.socket(socket.AF_UNIX); s.bind("none/control.sock")'
status 3 "$xvs" --run-dir "$dir/none" ls; err_has "left-over"
end

test_ a_full_disk_is_status_7
if [ -w /dev/full ]; then
    timeout 120 "$xvs" ls >/dev/full 2>err; [ $? -eq 7 ] || bad "ls"
    timeout 120 "$xvs" cat web1 3 </dev/null >/dev/full 2>err; [ $? -eq 7 ] || bad "cat"
    err_has "standard output"
    end
else
    skip "no /dev/full"
fi

# ---- cat --------------------------------------------------------------------------------------------------
cat_in() { # STATUS INPUT ARGS...
    local want=$1 input=$2
    shift 2
    printf '%b' "$input" >in
    timeout -k 10 120 "$xvs" cat "$@" <in >out 2>err
    local got=$?
    [ $got -eq "$want" ] || bad "status $got, not $want: cat $*"
}

test_ cat_passes_the_half_close_and_reads_on
cat_in 0 'one\ntwo\n' web1 1; out_is "$(printf 'one\ntwo\nbye')"
cat_in 0 '12345' web1 14; out_is 5
cat_in 0 '' web1 14; out_is 0
end

test_ cat_never_reads_past_the_ok_line
cat_in 0 '' web1 3; out_is hello
cat_in 0 '' web1 4; out_is hello
end

test_ guests_are_found_by_name_domid_and_cid
for g in web1 5 cid:42 7; do cat_in 0 'x' $g 14; out_is 1; done
cat_in 3 '' nosuch 14; err_has "xvs attach nosuch"
cat_in 3 '' cid:99 14
cat_in 3 '' ../web1 14
cat_in 3 '' gone 14; err_has "not attached"
end

test_ of_namesakes_the_one_is_meant_whose_the_name_is
cat_in 0 'x' ":8" 14; out_is 1
cat_in 0 'x' 8 14; out_is 1
cat_in 0 'x' "My VM" 14; out_is 1               # guest/:11 is not there
status 0 "$xvs" ls :8; [ "$(wc -l <out)" -eq 2 ] || bad "ls :8"
told() { # PEER DIRECTORY CID
    "$xvs" serve 5009 "$1" -- sh -c 'echo "$XVS_PEER_CID"' 2>serve.err & serve_pid=$!
    wait_for test -S "run/guest/$2/vsock_5009"
    # A colon would end the path for socat.
    ln -sf "guest/$2/vsock_5009" run/told
    got=$(timeout 10 socat -t 10 - UNIX-CONNECT:run/told </dev/null)
    [ "$got" = "$3" ] || bad "$1: the command was told CID $got, not $3"
    kill -TERM $serve_pid; wait $serve_pid
}
told twin twin 46
told "My VM" :12 49
told :8 :8 45
end

test_ a_daemon_that_is_older_than_messages_is_said_to_be
status 1 "$xvs" cat --seqpacket web1 1 </dev/null
err_has "the xvsd of this host is older than messages (--seqpacket)"
status 3 "$xvs" cat --seqpacket nosuch 1 </dev/null
end

test_ errors_have_their_statuses
cat_in 4 '' web1 2; err_has "nobody listens at port 2"
cat_in 6 '' web1 5; err_has "'NO'"
cat_in 6 '' web1 12
cat_in 6 '' web1 17
cat_in 4 '' web1 18
cat_in 8 '' -w 0.2 web1 6; err_has "in time"
cat_in 8 '' -i 0.2 -n web1 9; err_has "not a byte"
cat_in 0 '' -z web1 1
cat_in 4 '' -z web1 18; err_has "it does not say which"
cat_in 8 '' web1 30; err_has "has not answered in time at port 30"
cat_in 4 '' web1 33; err_has "nobody listens at port 33"
end

# A daemon that stands still, and as many that wait for it as may.
test_ whoever_finds_no_place_at_the_daemons_socket_waits_for_one
mkdir crowd
python3 "$here/fake.py" "$dir/crowd" >told 2>crowd.log & crowd=$!
wait_for grep -q ready told
kill -STOP $crowd
python3 -c '
import socket
all = []
while True:
    all.append(socket.socket(socket.AF_UNIX))
    all[-1].setblocking(False)
    try: all[-1].connect("crowd/guest/web1/vsock")
    except BlockingIOError: break'
cat_in 8 '' --run-dir crowd -w 0.2 web1 1; err_has "the daemon is busy: as many wait at its socket as may"
"$xvs" cat --run-dir crowd -w 60 web1 1 >out 2>err </dev/null & cat_pid=$!
wait_for sh -c "ls -l /proc/$cat_pid/fd | grep -q 'crowd/guest/web1$'"
kill -CONT $crowd
wait $cat_pid || bad "status $?"
out_is bye
kill $crowd; wait $crowd 2>/dev/null
end

# Each has its own words and its own status; and what is on no list is what it was before there were reasons.
test_ each_cause_of_a_refusal_has_its_own_words_and_status
cat_in 4 '' web1 35; err_has "nobody listens at port 35 of web1"; grep -q backlog err && bad "which of the two?"
cat_in 10 '' web1 36; err_has "the program that listens at port 36 of web1 is busy: as many callers wait as it takes"
cat_in 9 '' web1 34; err_has "the policy of this host forbids you port 34 of web1; 'xvs policy check @unix web1 34' shows"
cat_in 11 '' web1 31; err_has "no program in web1 has its vsock device open"
cat_in 11 '' web1 38; err_has "no program in web1 has its vsock device open"
cat_in 11 '' :8 31; err_has "nobody can listen at port 31 of :8: its vsock device is attached, no program has it open"
cat_in 3 '' :10 31; err_has "nobody can listen at port 31 of :10: its vsock device is refused: it broke a rule"
cat_in 12 '' web1 32; err_has "no room for one more connection to port 32 of web1"
cat_in 12 '' web1 37; err_has "memory or descriptors are short"
cat_in 12 '' web1 44; err_has "try again later"
cat_in 4 '' web1 39; err_has "nobody listens at port 39 of web1, or its backlog is full"
# CONNECT is refused without a word: it is asked for.
cat_in 4 '' -z web1 2; err_has "nobody listens at port 2 of web1"; grep -q backlog err && bad "which of the two?"
cat_in 9 '' -z web1 34; err_has "the policy of this host forbids you port 34 of web1"
cat_in 10 '' -z web1 36
end

# Each link of the chain, as the daemon and the run directory tell of it.
test_ why_says_where_it_breaks_and_what_to_do
says() { grep -q -- "$1" out || bad "not said: $1: $(cat out)"; }
status 0 "$xvs" why 7; says '^good  *program  *a program in the guest has the device open$'; says '^good  *socket'
status 1 "$xvs" why web1 50; says '^broken  *credit  *1 stream stands still, of 1: 10 bytes of the guest'; says '-> .xvs dump web1.'
status 0 "$xvs" why web1 51; says '^good  *credit  *none of them stands still'
status 4 "$xvs" why web1 2; says '^broken  *listener  *the last time you were refused port 2 of web1: nobody listens at that port$'
status 9 "$xvs" why web1 100; says '^broken  *policy  *it forbids port 100 in both directions: /p/5.policy:7: '; says "100 @unix web1 allow"
status 11 "$xvs" why :8; says '^broken  *program  *attached, no program has it open$'; says "start the agent"
grep -q '^good *socket' out && bad "what comes behind the break is judged, too"
status 3 "$xvs" why nosuch; says "xvs attach nosuch"
status 3 "$xvs" --run-dir "$dir/none" why web1; says '^broken  *daemon'
status 0 "$xvs" why --help; says '^usage: xvs'; says '^Example'; says '^Exit status'
status 2 "$xvs" why
status 2 "$xvs" why web1 x
status 4 "$xvs" why --json web1 2
python3 -c 'import json,sys; o=json.load(sys.stdin); assert o["broken"] == "listener" and o["port"] == 2 and [l["verdict"] for l in o["links"]] == ["good"] * 5 + ["broken"]' <out || bad "json: $(cat out)"
status 0 "$xvs" why --json 7; python3 -c 'import json,sys; o=json.load(sys.stdin); assert o["broken"] is None and o["port"] is None' <out || bad "json: $(cat out)"
end

test_ a_command_that_failed_there_is_status_5_and_says_how
cat_in 5 'x' web1 40; err_has "the command at the other end ended with status 28; 2 bytes had come and 1 had been sent"
cat_in 5 'x' web1 41; err_has "the command at the other end was killed by signal 9"
cat_in 5 'x' web1 43; out_is half; err_has "ended with status 28; 5 bytes had come"
cat_in 6 'x' web1 42; err_has "not everything has arrived: reset by the guest's program (moonshine 7); 2 bytes had come"
end

test_ retry_waits_for_the_listener
cat_in 0 'x' --retry 60 web1 11; out_is x
cat_in 4 '' --retry 0.3 web1 2
end

# few N command...: with so many descriptors, of which it has three: others that this was started with are not its own.
few() {
    local most=$1 fd
    shift
    (
        for fd in /proc/$BASHPID/fd/*; do
            fd=${fd##*/}
            [ "$fd" -le 2 ] || eval "exec $fd>&-"
        done
        exec timeout 120 prlimit --nofile="$most" "$@"
    ) </dev/null >out 2>err
}

# It may be the directory, the socket, or the question how the stream ended.
test_ a_command_without_descriptors_says_so
for n in $(seq 4 12); do
    few "$n" "$xvs" cat web1 7 && bad "with $n descriptors: status 0"
    err_has "no more descriptors"
done
few 4 "$xvs" cat -l 5000 web1; err_has "no more descriptors"
few 4 "$xvs" ls; err_has "no more descriptors"
end

# Until there is a daemon, it may not even be known that this is dom0.
test_ retry_waits_for_whatever_starts
says() { wait_for grep -qF -- "$1" "$2"; }
for side in '' --host; do
    rm -rf later; : >heard; : >told
    # shellcheck disable=SC2086 # one option or none
    printf x | timeout 120 "$xvs" cat -v $side --run-dir later --retry 100 web1 7 >out 2>waits & cat_pid=$!
    # shellcheck disable=SC2086
    timeout 120 "$xvs" cat -v $side --run-dir later --retry 100 -l 5003 web1 >heard 2>listens </dev/null & listen_pid=$!
    # shellcheck disable=SC2086
    timeout 120 "$xvs" serve -v $side --run-dir later --retry 100 5004 web1 -- sh -c 'echo served' 2>serves & serve_pid=$!
    says "trying again" waits; says "trying again" listens; says "trying again" serves
    mkdir later                                 # and next the daemon's own socket, at which nobody listens
    python3 -c 'import socket; s=socket.socket(socket.AF_UNIX); s.bind("later/control.sock")'
    says "left-over; " waits; says "left-over; " listens; says "left-over; " serves
    rm later/control.sock
    python3 "$here/fake.py" "$dir/later" >told 2>later.log & later=$!
    wait $cat_pid || bad "cat $side: status $?: $(tail -n 1 waits)"
    [ "$(cat out)" = xbye ] || [ "$(cat out)" = x ] || bad "cat $side: '$(cat out)'"
    says "listening at port 5003" listens; says "listening at port 5004" serves
    [ "$(printf hi | timeout 120 socat -t 60 - UNIX-CONNECT:later/guest/web1/vsock_5003)" = "" ] || bad "cat -l $side"
    wait $listen_pid || bad "cat -l $side: status $?"
    [ "$(cat heard)" = hi ] || bad "cat -l $side heard '$(cat heard)'"
    [ "$(timeout 120 socat -t 60 - UNIX-CONNECT:later/guest/web1/vsock_5004 </dev/null)" = served ] || bad "serve $side"
    kill $serve_pid $later; wait $serve_pid $later 2>/dev/null
done
cat_in 3 x --run-dir nowhere --host --retry 0.2 web1 7; err_has "xvsd is not running"
end

test_ both_directions_full_do_not_deadlock
head -c 8388608 /dev/zero >zeros
timeout 120 "$xvs" cat web1 8 <zeros >out 2>err || bad "files: $?"
[ "$(wc -c <out)" -eq 4194304 ] || bad "$(wc -c <out) bytes came"
# Output into a pipe whose reader reads nothing until all its own input is gone: that needs the pipes not to block us.
timeout 120 python3 - "$xvs" <<'PY' || bad "pipes"
import subprocess, sys, threading
p = subprocess.Popen([sys.argv[1], "cat", "web1", "7"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
data = bytes(range(256)) * 1024
p.stdin.write(data[:1000]); p.stdin.flush()
def feed():
    p.stdin.write(data * 8); p.stdin.close()
t = threading.Thread(target=feed); t.start()
got = p.stdout.read()
t.join()
assert got == data[:1000] + data * 8, len(got)
assert p.wait() == 0
PY
end

test_ any_descriptor_will_do
timeout 120 "$xvs" cat web1 14 </dev/null >out 2>err || bad "/dev/null in"; out_is 0
timeout 120 "$xvs" cat web1 7 <zeros >/dev/null 2>err || bad "/dev/null out"
head -c 300000 /dev/urandom >random
timeout 120 "$xvs" cat web1 7 <random >out 2>err || bad "files"; cmp -s random out || bad "bytes differ"
# shellcheck disable=SC2002
cat random | timeout 120 "$xvs" cat web1 7 2>err | cat >out; cmp -s random out || bad "bytes differ by pipes"
timeout 120 "$xvs" cat web1 3 <&- >out 2>err || bad "closed input"; out_is hello
timeout 120 "$xvs" cat web1 3 <&- >&- 2>err || bad "closed output"
timeout 120 python3 - "$xvs" <<'PY' || bad "sockets"
import socket, subprocess, sys
a, b = socket.socketpair()
p = subprocess.Popen([sys.argv[1], "cat", "web1", "1"], stdin=b, stdout=b)
b.close()
a.sendall(b"over a socket\n"); a.shutdown(socket.SHUT_WR)
got = b""
while True:
    piece = a.recv(4096)
    if not piece: break
    got += piece
assert got == b"over a socket\nbye\n", got
assert p.wait() == 0
PY
timeout 120 python3 - "$xvs" <<'PY' || bad "a terminal"
import os, pty, subprocess, sys, termios
m, s = pty.openpty()
attr = termios.tcgetattr(s); attr[3] &= ~termios.ECHO; attr[1] &= ~termios.OPOST; termios.tcsetattr(s, termios.TCSANOW, attr)
p = subprocess.Popen([sys.argv[1], "cat", "web1", "1"], stdin=s, stdout=s)
os.write(m, b"typed\n\x04")
got = b""
while not got.endswith(b"bye\n"):
    got += os.read(m, 100)
assert got == b"typed\nbye\n", got
assert p.wait() == 0
import fcntl
assert not fcntl.fcntl(s, fcntl.F_GETFL) & os.O_NONBLOCK
PY
end

test_ standard_input_of_others_stays_blocking
python3 - "$xvs" <<'PY' || bad "O_NONBLOCK leaked into a pipe"
import fcntl, os, subprocess, sys
r, w = os.pipe()
p = subprocess.Popen([sys.argv[1], "cat", "web1", "14"], stdin=r, stdout=subprocess.PIPE)
os.write(w, b"x")
os.close(w)
assert p.communicate()[0] == b"1\n"
assert not fcntl.fcntl(r, fcntl.F_GETFL) & os.O_NONBLOCK
PY
end

test_ cat_ends_when_the_peer_has_gone_although_the_terminal_is_open
mkfifo open; exec 7<>open
status 0 "$xvs" cat web1 16 <open; out_is hello
exec 7>&-
end

test_ the_peer_may_end_first_and_still_listen
printf 'late words' >in
rm -f run/late.done
status 0 "$xvs" cat web1 15 <in; out_is early
wait_for test -e run/late.done
[ "$(cat run/late.done)" = 'late words' ] || bad "the peer got '$(cat run/late.done)'"
end

# The daemon says how a stream ended, by a second connection: fake.py, VOUCH.
test_ not_all_arrived_is_status_6_with_the_daemon_s_reason
cat_in 6 'x' web1 21; out_is half; err_has "not everything has arrived: the daemon ?[31mstops"
cat_in 6 'x' web1 22; out_is half; err_has "xvsd, or the agent that has a guest's device, has ended without a word"
cat_in 6 'x' web1 23; out_is 1; err_has "xvsd does not know this stream"
cat_in 6 'x' web1 27; err_has "the guest's program did not read everything"
end

test_ what_is_not_known_is_not_called_good
for port in 20 24 28; do
    cat_in 6 '12345' web1 $port; out_is 5; err_has "older than this xvs"
done
cat_in 0 '' -z web1 20
status 0 "$xvs" ping -c 1 web1 7
end

test_ the_end_is_told_twice_and_not_before_the_daemon_watches
for i in 1 2; do
    cat_in 0 '12345' web1 25; out_is 5
    cat_in 0 '12345' web1 26; out_is 5
done
end

test_ a_peer_that_stops_reading_is_status_6
timeout 120 "$xvs" cat web1 10 <zeros >out 2>err; [ $? -eq 6 ] || bad "status $?"
end

test_ a_reader_that_goes_away_ends_it
timeout 120 "$xvs" cat web1 8 </dev/null 2>err | head -c 10 >out
[ "${PIPESTATUS[0]}" -eq 7 ] || bad "status ${PIPESTATUS[0]}"
[ -s err ] && bad "said something"
end

test_ listening_removes_its_socket_and_refuses_to_share_it
timeout 120 "$xvs" cat -l 5000 web1 >heard 2>err </dev/null & cat_pid=$!
wait_for test -S run/guest/web1/vsock_5000
status 7 "$xvs" cat -l 5000 web1; err_has "in use"
# The one that was refused has looked without knocking, or the first would have taken it for its caller.
[ "$(printf hi | timeout 120 socat -t 60 - UNIX-CONNECT:run/guest/web1/vsock_5000)" = "" ] || bad "no caller was taken"
wait $cat_pid || bad "status $?"
[ "$(cat heard)" = hi ] || bad "heard '$(cat heard)'"
[ -e run/guest/web1/vsock_5000 ] && bad "socket left"
end

# As under nohup(1); the loop has handlers for the signals, and children must not notice.
test_ a_served_command_has_the_signals_that_serve_was_given
(trap '' HUP; exec "$xvs" serve 5006 web1 -- sh -c 'cat /proc/self/status') & serve_pid=$!
wait_for test -S run/guest/web1/vsock_5006
kill -HUP $serve_pid
timeout 120 socat -t 60 - UNIX-CONNECT:run/guest/web1/vsock_5006 </dev/null >told
mask() { sed -n "s/^$1:[[:space:]]*/0x/p" told; }
[ $(($(mask SigBlk))) -eq $(($(sed -n 's/^SigBlk:[[:space:]]*/0x/p' /proc/self/status))) ] || bad "blocked: $(mask SigBlk)"
[ $(($(mask SigIgn) & 1)) -eq 1 ] || bad "SIGHUP is not ignored: $(mask SigIgn)"
[ $(($(mask SigIgn) & 0x1000)) -eq 0 ] || bad "SIGPIPE is ignored: $(mask SigIgn)"
kill $serve_pid; wait $serve_pid 2>/dev/null
end

test_ a_left_over_socket_is_replaced_and_other_files_are_not
python3 -c 'import socket; s=socket.socket(socket.AF_UNIX); s.bind("run/guest/web1/vsock_5001")'
timeout 120 "$xvs" cat -l 5001 web1 >heard 2>err </dev/null & cat_pid=$!
until_true python3 -c 'import socket; s=socket.socket(socket.AF_UNIX); s.connect("run/guest/web1/vsock_5001"); s.sendall(b"guest speaks")' || bad "not replaced"
wait $cat_pid || bad "status $?"
[ "$(cat heard)" = "guest speaks" ] || bad "heard '$(cat heard)'"
: >run/guest/web1/vsock_5002
status 7 "$xvs" cat -l 5002 web1; err_has "no socket"
[ -f run/guest/web1/vsock_5002 ] || bad "the file is gone"
status 3 "$xvs" cat -l 5000 nosuch
end

test_ what_somebody_put_at_the_daemon_s_name_is_not_connected_to
mkdir run/guest/gone
python3 -c 'import socket, time
s = socket.socket(socket.AF_UNIX); s.bind("other.sock"); s.listen(5); s.settimeout(30)
try: s.accept(); print("called", flush=True)
except OSError: pass' >called 2>&1 & other=$!
wait_for test -S other.sock
ln -s "$dir/other.sock" run/guest/gone/vsock
status 3 "$xvs" cat gone 1 </dev/null; err_has "is not its socket"
rm run/guest/gone/vsock; mkfifo run/guest/gone/vsock
status 3 "$xvs" cat gone 1 </dev/null; err_has "is not its socket"
rm run/guest/gone/vsock; ln other.sock run/guest/gone/vsock
status 3 "$xvs" cat gone 1 </dev/null; err_has "is not its socket"
rm run/guest/gone/vsock
if [ "$(id -u)" = 0 ]; then
    mv other.sock run/guest/gone/vsock; chown 64001 run/guest/gone/vsock
    status 3 "$xvs" cat gone 1 </dev/null; err_has "is not its socket"
fi
kill $other; wait $other 2>/dev/null
[ -s called ] && bad "somebody else was called"
rm -r run/guest/gone
end

test_ a_directory_whose_lock_is_held_for_ever_is_not_waited_for
flock --no-fork run/guest/web1 sleep 600 & holder=$!
until_true eval '! flock -n run/guest/web1 true' || bad "no lock"
status 7 "$xvs" cat -l 5000 web1; err_has "holds the lock"
kill $holder; wait $holder 2>/dev/null
end

test_ a_listening_socket_has_one_name
timeout 120 "$xvs" cat -l 5000 web1 >heard 2>err </dev/null & cat_pid=$!
wait_for test -S run/guest/web1/vsock_5000
[ "$(stat -c %h run/guest/web1/vsock_5000)" = 1 ] || bad "it has more"
[ "$(ls -A run/guest/web1 | grep -c vsock_5000)" = 1 ] || bad "another name is left: $(ls -A run/guest/web1)"
kill $cat_pid; wait $cat_pid 2>/dev/null
end

test_ keep_listening_takes_one_after_the_other_until_a_signal
"$xvs" cat -k -l 5003 web1 >heard 2>err </dev/null & cat_pid=$!
wait_for test -S run/guest/web1/vsock_5003
for i in 1 2 3; do
    printf "$i" | timeout 120 socat - UNIX-CONNECT:run/guest/web1/vsock_5003 || bad "caller $i"
done
heard_all() { [ "$(cat heard)" = 123 ]; }
wait_for heard_all
kill -TERM $cat_pid
wait $cat_pid; [ $? -eq 143 ] || bad "status is not that of the signal"
[ -e run/guest/web1/vsock_5003 ] && bad "socket left"
end

# ---- serve, ping ----------------------------------------------------------------------------------------
test_ serve_runs_a_process_for_each_connection
status 127 "$xvs" serve 22 web1 -- nosuchcommand
status 127 "$xvs" serve 22 web1 -- /no/such
status 126 "$xvs" serve 22 web1 -- "$here/fake.py"
"$xvs" serve -m 2 5004 web1 -- sh -c 'echo "cid $XVS_PEER_CID"; cat; echo end' 2>serve.err & serve_pid=$!
wait_for test -S run/guest/web1/vsock_5004
for i in 1 2 3 4 5; do
    echo "hello $i" | timeout 120 socat -t 60 - UNIX-CONNECT:run/guest/web1/vsock_5004 >out.$i & pids[i]=$!
done
for i in 1 2 3 4 5; do
    wait "${pids[i]}" || bad "caller $i"
    [ "$(cat out.$i)" = "$(printf 'cid 42\nhello %s\nend' $i)" ] || bad "caller $i got '$(cat out.$i)'"
done
kill -TERM $serve_pid; wait $serve_pid
[ -e run/guest/web1/vsock_5004 ] && bad "socket left"
[ -s serve.err ] && bad "$(head -n 1 serve.err)"
end

test_ serve_reaps_and_a_process_may_ignore_its_input
"$xvs" serve 5005 web1 -- echo done 2>serve.err & serve_pid=$!
wait_for test -S run/guest/web1/vsock_5005
# The caller sends on until that fails, and can still read what it was told.
for i in 1 2 3 4 5 6 7 8; do
    timeout 120 python3 -c '
import socket
s = socket.socket(socket.AF_UNIX); s.connect("run/guest/web1/vsock_5005")
try:
    while True: s.sendall(bytes(65536))
except BrokenPipeError: pass
got = b""
while piece := s.recv(100): got += piece
assert got == b"done\n", got' 2>err || bad "caller $i"
done
no_children() { ! grep -q . "/proc/$serve_pid/task/$serve_pid/children"; }
wait_for no_children
kill -TERM $serve_pid; wait $serve_pid
end

# A guest's directory is made when its domain appears, and may go and come again.
# The daemon is busy when the command ends: how it did is said when somebody can vouch for the stream, and the stream stays open until then.
test_ serve_says_how_a_command_ended_that_ended_at_once
"$xvs" serve -v 5010 web1 -- sh -c 'exit 9' 2>serve.err & serve_pid=$!
wait_for test -S run/guest/web1/vsock_5010
python3 - <<'PY' & caller=$!
import socket
s = socket.socket(socket.AF_UNIX)
s.bind("\0xvs/web1/101:1024/8")
s.connect("run/guest/web1/vsock_5010")
while s.recv(100): pass
PY
wait_for grep -q "ended with status 9" serve.err
: >go
wait_for test -e said
[ "$(cat said)" = "RESET status 9" ] || bad "said '$(cat said)'"
wait $caller || bad "the caller"
kill -TERM $serve_pid; wait $serve_pid
rm -f go said
end

test_ serve_waits_for_a_guest_that_is_not_there_yet
"$xvs" serve 5008 later -- echo here 2>serve.err & serve_pid=$!
wait_for grep -q "no guest later .*; waiting for it" serve.err
for round in 1 2 3; do
    mkdir run/guest/later
    wait_for test -S run/guest/later/vsock_5008
    [ "$(timeout 120 socat -t 60 - UNIX-CONNECT:run/guest/later/vsock_5008 </dev/null)" = here ] || bad "not served, round $round"
    case $round in
    1) ;;
    2) rm run/guest/later/vsock_5008                # its name alone: it has it again
        wait_for test -S run/guest/later/vsock_5008 ;;
    3) break ;;
    esac
    # All of it; elsewhere, or the socket could be there again before the directory is gone.
    mv run/guest/later "removed.$round" && rm -r "removed.$round"
    said_again() { [ "$(grep -c "waiting for it" serve.err)" -gt $round ]; }
    wait_for said_again
done
kill -TERM $serve_pid; wait $serve_pid; [ $? -eq 143 ] || bad "status"
[ -e run/guest/later/vsock_5008 ] && bad "socket left"
rmdir run/guest/later
# Whoever says how long, waits so long; and what no start mends is not waited for.
status 3 "$xvs" serve -r 0.2 5008 later -- cat; err_has "no guest later"
status 3 "$xvs" serve -r 0 5008 later -- cat
status 2 "$xvs" serve 5008 cid:x -- cat
: >run/guest/web1/vsock_5008
status 7 "$xvs" serve 5008 web1 -- cat; err_has "no socket"
rm run/guest/web1/vsock_5008
# So for somebody to whom the control socket is closed.
if [ "$(id -u)" = 0 ]; then
    chmod 711 "$dir" run run/guest
    install -m 755 "$xvs" "$bin/libxvs.so.0" .
    python3 -c 'import os, sys; os.setgroups([]); os.setgid(64001); os.setuid(64001); os.execvp(sys.argv[1], sys.argv[1:])' \
        env LD_LIBRARY_PATH="$dir" ./xvs serve 5008 later -- true 2>serve.err & serve_pid=$!
    wait_for grep -q "there is no guest later: .*; waiting for it" serve.err
    mkdir -m 777 run/guest/later
    wait_for test -S run/guest/later/vsock_5008
    kill -TERM $serve_pid; wait $serve_pid
    rmdir run/guest/later
fi
end

# call LINE [REST]: as the daemon does for a guest, to the listener for all guests.
call() {
    timeout 120 python3 -c '
import socket, sys
s = socket.socket(socket.AF_UNIX); s.connect("run/any/vsock_5012")
try:
    for piece in sys.argv[1:]: s.sendall(piece.encode().decode("unicode_escape").encode("latin1"))
    s.shutdown(socket.SHUT_WR)
    while piece := s.recv(100): sys.stdout.write(piece.decode())
except (BrokenPipeError, ConnectionResetError): print("reset")' "$@"
}
test_ serve_any_hears_from_which_guest_each_call_is
"$xvs" serve 5012 any -- sh -c 'echo "$XVS_PEER_NAME $XVS_PEER_CID $XVS_PEER_PORT $XVS_LOCAL_PORT $XVS_LOCAL_CID"; cat' 2>serve.err & serve_pid=$!
wait_for grep -q "any is not there; waiting for it" serve.err
mkdir run/any
wait_for test -S run/any/vsock_5012
[ "$(stat -c %h run/any/vsock_5012)" = 1 ] || bad "it has more names"
[ "$(call 'FROM 42 1025 web1\nhello')" = "$(printf 'web1 42 1025 5012 2\nhello')" ] || bad "web1"
[ "$(call 'FROM 43 7 ' 'db1:3\n' 'hel' 'lo')" = "$(printf 'db1:3 43 7 5012 2\nhello')" ] || bad "in pieces"
[ "$(call 'FROM 3 0 :12\n\nFROM 9 9 web1\n')" = "$(printf ':12 3 0 5012 2\n\nFROM 9 9 web1\n')" ] || bad "what follows is the guest's"
# Anything else is no guest.
for line in '' 'FROM 42 1025 web1' 'FROM 42 1025\n' 'FROM 42 1025 web1 x\n' 'FROM  42 1025 web1\n' 'FROM -1 1025 web1\n' \
    'FROM 42 4294967296 web1\n' 'FROM 42 1025 ../web1\n' 'FROM 42 1025 .web1\n' 'FROM 42 1025 we/b1\n' 'FROM 42 1025 a\x1bb\n' \
    'from 42 1025 web1\n' 'hello\n' "$(printf 'FROM 42 1025 %0100d' 1)"'\n' "$(printf '%0200d' 1)"; do
    got=$(call "$line")
    [ -z "$got" ] || [ "$got" = reset ] || bad "'$line' was served: $got"
done
# A hundred who say nothing keep the others waiting for no longer than their time.
python3 -c '
import socket, time
all = [socket.socket(socket.AF_UNIX) for i in range(100)]
for s in all: s.connect("run/any/vsock_5012")
print("there", flush=True); time.sleep(600)' >silent & silent=$!
wait_for test -s silent
[ "$(call 'FROM 42 1025 web1\nhello')" = "$(printf 'web1 42 1025 5012 2\nhello')" ] || bad "beside silent ones"
kill $silent; wait $silent 2>/dev/null
kill -TERM $serve_pid; wait $serve_pid
[ -e run/any/vsock_5012 ] && bad "socket left"
timeout 120 "$xvs" serve 5013 any -- cat 2>/dev/null & serve_pid=$!
wait_for test -S run/any/vsock_5013
status 7 "$xvs" serve 5013 any -- cat; err_has "port 5013 of all guests is in use"
status 2 "$xvs" serve -d 1 5014 any -- cat; err_has "no --device"
kill $serve_pid; wait $serve_pid 2>/dev/null
rmdir run/any
end

test_ ping_counts_and_measures
status 0 "$xvs" ping -c 3 -i 0.01 web1 7
[ "$(grep -c '^64 bytes from web1 port 7: seq=' out)" -eq 3 ] || bad "lines"
grep -q '^3 sent, 3 received' out && grep -q '^round trip min/avg' out || bad "summary"
status 0 "$xvs" ping -f -c 2000 -s 100K --json web1
python3 -c '
import json,sys
o=json.load(sys.stdin); r=o["rtt_us"]
assert o["sent"]==o["received"]==2000 and o["size"]==102400 and o["status"]==0
assert r["min"]<=r["p50"]<=r["p90"]<=r["p99"]<=r["p999"]<=r["max"] and r["min"]<=r["avg"]<=r["max"]' <out || bad json
status 6 "$xvs" ping -c 1 web1 13; err_has "is there an echo"
status 4 "$xvs" ping -c 1 web1 2
status 8 "$xvs" ping -c 1 -w 3 web1 9; err_has "no reply to seq 1"
# A shell's background job ignores SIGINT, and so would ping.
python3 -c 'import os,signal,sys; signal.signal(signal.SIGINT, signal.SIG_DFL); os.execv(sys.argv[1], sys.argv[1:])' \
    "$xvs" ping -i 0.01 web1 >out 2>err & ping_pid=$!
wait_for grep -q seq=2 out
kill -INT $ping_pid; wait $ping_pid || bad "status after an interrupt"
grep -q '^round trip' out || bad "no summary after an interrupt"
end

test_ ping_answers
"$xvs" ping -l 5007 web1 2>err & ping_pid=$!
wait_for test -S run/guest/web1/vsock_5007
timeout 120 socat -t 60 - UNIX-CONNECT:run/guest/web1/vsock_5007 <random >out || bad socat
cmp -s random out || bad "bytes differ"
kill -TERM $ping_pid; wait $ping_pid
[ -e run/guest/web1/vsock_5007 ] && bad "socket left"
end

# at_once PORT FILE [WORDS]: sixty callers of the port, none of which leaves before FILE has WORDS, or, without them, before all are
# answered; each gets its byte back in the end.
at_once() {
    timeout 120 python3 - "$@" 2>err <<'PY'
import socket, sys, time
port, file = sys.argv[1:3]
callers = []
for _ in range(60):
    s = socket.socket(socket.AF_UNIX)
    s.connect("run/guest/web1/vsock_" + port)
    s.sendall(b"x")
    callers.append(s)
while len(sys.argv) > 3 and sys.argv[3] not in open(file).read():
    time.sleep(0.01)
left = []
for s in callers:
    assert s.recv(1) == b"x"
    if len(sys.argv) > 3: s.close()
    else: left.append(s)
PY
}

test_ the_echo_waits_where_descriptors_are_short
(ulimit -n 40; exec "$xvs" ping -l 5020 web1) 2>short & ping_pid=$!
wait_for test -S run/guest/web1/vsock_5020
at_once 5020 short 'no more descriptors' || bad "not all were answered: $(cat short)"
kill -TERM $ping_pid || bad "it has ended: $(cat short)"
wait $ping_pid
[ "$(grep -c 'cannot accept' short)" -eq 1 ] || bad "$(cat short)"
end

test_ who_keeps_listening_waits_where_descriptors_are_short
"$xvs" cat -k -l 5021 web1 </dev/null >heard 2>short & cat_pid=$!
wait_for test -S run/guest/web1/vsock_5021
shorten $cat_pid
printf one | timeout 120 socat -t 60 - UNIX-CONNECT:run/guest/web1/vsock_5021 >out & caller=$!
wait_for grep -q 'no more descriptors' short
kill -0 $cat_pid && enough $cat_pid
wait $caller || bad "the caller"
printf two | timeout 120 socat -t 60 - UNIX-CONNECT:run/guest/web1/vsock_5021 >out || bad "the next"
heard_both() { [ "$(cat heard)" = onetwo ]; }
until_true heard_both || bad "heard '$(cat heard)': $(cat short)"
kill -TERM $cat_pid; wait $cat_pid
end

# With so many descriptors that it can call, and not one more: it is asked how the stream ended once there is one.
test_ how_a_stream_ended_is_asked_again_where_descriptors_are_short
printf hello >five
come_or_gone() { [ -e come ] || ! kill -0 $cat_pid; }
for n in $(seq 6 40); do
    rm -f come
    (ulimit -S -n "$n"; exec "$xvs" cat -w 20 web1 46) <five >out 2>err & cat_pid=$!
    until_true come_or_gone
    [ -e come ] && break
    wait $cat_pid
done
enough $cat_pid
wait $cat_pid || bad "status $?"
out_is 5
end

test_ who_serves_many_has_as_many_descriptors_as_it_may_and_its_commands_what_it_was_given
(ulimit -S -n 40; exec "$xvs" ping -l 5022 web1) 2>short & ping_pid=$!
cat >limits <<'SH'
printf x
read -r line
ulimit -S -n
ulimit -H -n
SH
(ulimit -S -n 40; exec "$xvs" serve 5023 web1 -- sh limits) 2>>short & serve_pid=$!
wait_for test -S run/guest/web1/vsock_5022
wait_for test -S run/guest/web1/vsock_5023
at_once 5022 short || bad "not all were answered: $(cat short)"
at_once 5023 short || bad "not all were served: $(cat short)"
echo | timeout 120 socat -t 60 - UNIX-CONNECT:run/guest/web1/vsock_5023 >out
out_is "$(printf 'x40\n'; ulimit -H -n)"
kill -TERM $ping_pid $serve_pid; wait $ping_pid $serve_pid
grep 'no more descriptors' short && bad "$(cat short)"
end

finish
