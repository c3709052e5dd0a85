#!/bin/sh
# SPDX-License-Identifier: MIT
# lab: e2e kernel programs with=vsock.sh timeout=900
#
# Programs that know nothing of xvs, in guests with the driver, with each other and with programs of dom0's AF_VSOCK: Linux's own tests
# of AF_VSOCK first, for they want a kernel without other sockets.
. ./vsock.sh
. ./kernel.sh
[ ! -d ./programs ] || . ./programs.sh

# ---- words ------------------------------------------------------------------------------------------

# dom0 has AF_VSOCK, and everybody may reach everybody.
with_dom0() {
	grep -q af_vsock $T/dom0/xvsd.conf && daemon_lives && return
	daemon_with "af_vsock = yes"
	policy "* @any @any allow" "* @unix @any allow" "* @any @unix allow" "* @vsock @any allow" "* @any @vsock allow"
	on dom0 xvs reload </dev/null >/dev/null || fail "xvs reload"
	: >"$T/is_standard"
	for guest in guest1 guest2; do
		on $guest test -d $DRIVER </dev/null || continue
		wait_for "xvs ls $guest | grep -q \"in use\"" 20 "$guest is connected"
	done
}

# equip GUEST PROGRAM...: with these of Debian's, and what they need.
equip() {
	_guest=$1
	shift
	[ -d ./programs ] || skip "needs XVS_PROGRAMS, programs of Debian's (programs/gather.sh)"
	drive "$_guest"
	with_dom0
	rm -rf /tmp/kit
	pack /tmp/kit "$@"
	on "$_guest" rm -rf /tmp/programs </dev/null
	put "$_guest" /tmp/kit /tmp/programs || fail "$_guest does not take the programs"
}

# at HOST PROGRAM ARGUMENTS...: a program of Debian's there, with the libraries that it came with.
at() {
	_host=$1 _program=$2
	shift 2
	if [ "$_host" = dom0 ]; then
		set -- env LD_LIBRARY_PATH=$programs/lib $programs/bin/"$_program" "$@"
		[ "$_program" != socat ] || {
			shift 3
			set -- socat "$@"
		}
		timeout 300 "$@"
	elif [ "$_program" = socat ]; then
		on "$_host" env LD_LIBRARY_PATH=/tmp/lab/bin timeout 300 /tmp/lab/bin/socat "$@"
	else
		on "$_host" env LD_LIBRARY_PATH=/tmp/programs/lib timeout 300 /tmp/programs/bin/"$_program" "$@"
	fi
}

cid_at() { # HOST
	case $1 in dom0) echo 2 ;; guest1) echo 101 ;; guest2) echo 102 ;; esac
}

# What a program of ours does not wait for: that another listens.
AGAIN=retry=300,interval=0.2

# ---- Linux's own tests --------------------------------------------------------------------------------

# own TEST SERVER CLIENT: one of Linux's programs of tests, at both ends.  They keep in step by TCP, which goes round AF_VSOCK.
own() {
	_test=$1 _server=$2 _client=$3
	for _host in $_server $_client; do
		if [ "$_host" = dom0 ]; then
			_dir=$PWD/lab/$LINUX
			ifconfig lo up
		else
			_dir=/tmp/own
			on "$_host" test -x /tmp/own/vsock_test </dev/null || put "$_host" "./lab/$LINUX" /tmp/own
			on "$_host" sh -c 'ifconfig lo up; lsmod | grep -q vsock_diag || insmod /tmp/own/vsock_diag.ko' </dev/null
		fi
		eval "_dir_$_host=$_dir"
	done
	[ "$_server" != dom0 ] && [ "$_client" != dom0 ] || modprobe vsock_diag 2>/dev/null || :
	# Version 1 of the wire has streams alone.
	eval "_at_server=\$_dir_$_server _at_client=\$_dir_$_client"
	_skip=$(on "$_client" "$_at_client/$_test" --mode client --control-host x --control-port 1 --peer-cid 1 --list </dev/null |
		sed -n 's/^ *\([0-9]*\)[^0-9]*SEQPACKET.*/--skip \1/p')
	rm -f /tmp/control
	mkfifo /tmp/control
	at "$_client" socat TCP-LISTEN:9999,reuseaddr STDIO </tmp/control 2>/tmp/socat.client |
		at "$_server" socat STDIO "TCP:127.0.0.1:9999,$AGAIN" >/tmp/control 2>/tmp/socat.server &
	# shellcheck disable=SC2086 # words
	on "$_server" timeout 300 "$_at_server/$_test" --mode server --control-port 9999 --peer-cid "$(cid_at "$_client")" $_skip \
		>/tmp/own.server 2>&1 </dev/null &
	_program=$!
	# shellcheck disable=SC2016,SC2086 # expanded over there; words
	on "$_client" sh -c 'until netstat -ltn | grep -q :9999; do usleep 50000; done; exec timeout 300 "$@"' own "$_at_client/$_test" \
		--mode client --control-host 127.0.0.1 --control-port 9999 --peer-cid "$(cid_at "$_server")" $_skip >/tmp/own.client 2>&1 </dev/null
	_ended=$?
	wait $_program
	_ended="$_ended $?"
	cat /tmp/own.client /tmp/own.server
	equal "$_ended" "0 0" "what $_test says, client at $_client and server at $_server"
	equal "$(grep -c '\.\.\.ok' /tmp/own.client)" "$(grep -c -v -e skipped -e '^Control' /tmp/own.client)" "tests that are ok"
	figure "$_test, client at $_client, server at $_server: $(grep -c '\.\.\.ok' /tmp/own.client) passed, $(grep -c skipped /tmp/own.client) of SEQPACKET skipped"
}

test_linux_s_own_tests_from_guest_to_guest() { # limit 240
	drive guest2
	own vsock_test guest1 guest2
	own vsock_test guest2 guest1
	content guest1
	content guest2
}

test_linux_s_own_tests_of_what_ss_reads() { # limit 240
	drive guest2
	own vsock_diag_test guest1 guest2
	content guest1
	content guest2
}

test_linux_s_own_tests_with_dom0() { # limit 240
	drive guest2
	with_dom0
	own vsock_test dom0 guest1
	own vsock_test guest1 dom0
	content guest1
}

# ---- programs -----------------------------------------------------------------------------------------

# Each answers with the sum of what it was sent, once that half has ended.
test_socat_between_guests_and_with_dom0() { # limit 240
	drive guest2
	with_dom0
	file_of 2000000
	sum=$(sha256sum </tmp/f)
	for to in guest1 guest2 dom0; do
		at $to socat -t 100 VSOCK-LISTEN:6000,fork EXEC:sha256sum >/dev/null 2>&1 </dev/null &
	done
	for pair in "guest1 guest2" "guest2 guest1" "guest1 dom0" "dom0 guest2"; do
		# shellcheck disable=SC2086 # words
		set -- $pair
		equal "$(at "$1" socat -t 100 - "VSOCK-CONNECT:$(cid_at "$2"):6000,$AGAIN" </tmp/f)" "$sum" "the sum of what $1 sent to $2"
	done
	for to in guest1 guest2; do on $to killall socat </dev/null; done
	killall socat
	content guest1
	content guest2
}

test_python_s_sockets_between_guests_and_with_dom0() { # limit 240
	equip guest1 python3
	equip guest2 python3
	cat >/tmp/server.py <<-'END'
		import socket, threading
		def serve(c):
		    with c:
		        for piece in iter(lambda: c.recv(65536), b""):
		            c.sendall(piece)
		with socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM) as l:
		    l.bind((socket.VMADDR_CID_ANY, 6010))
		    l.listen(64)
		    while True:
		        threading.Thread(target=serve, args=(l.accept()[0],)).start()
	END
	cat >/tmp/client.py <<-'END'
		import hashlib, os, socket, sys, threading, time
		cid = int(sys.argv[1])
		data = os.urandom(200000)
		def call(results, i):
		    s = socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM)
		    s.settimeout(200)
		    s.connect((cid, 6010))
		    def send():
		        s.sendall(data)
		        s.shutdown(socket.SHUT_WR)
		    t = threading.Thread(target=send)
		    t.start()
		    results[i] = b"".join(iter(lambda: s.recv(65536), b"")) == data
		    t.join()
		    s.close()
		for _ in range(1000):
		    try:
		        s = socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM)
		        s.connect((cid, 6010))
		        s.close()
		        break
		    except OSError:
		        time.sleep(0.1)
		results = [False] * 8
		threads = [threading.Thread(target=call, args=(results, i)) for i in range(8)]
		[t.start() for t in threads]
		[t.join() for t in threads]
		print("good" if all(results) else results)
	END
	at guest2 python3 - </tmp/server.py >/tmp/server.log 2>&1 &
	for from in guest1 dom0; do
		equal "$(cat /tmp/client.py | at $from python3 - 102 2>&1)" good "eight streams from $from to guest2"
	done
	on guest2 killall python3 </dev/null
	content guest1
	content guest2
}

test_ncat_between_guests() { # limit 120
	equip guest1 ncat
	equip guest2 ncat
	file_of 500000
	at guest1 ncat --vsock -l 6020 --recv-only >/tmp/g 2>/tmp/ncat.log </dev/null &
	listener=$!
	wait_for 'at guest2 ncat --vsock 101 6020 --send-only </tmp/f' 20 "ncat connects"
	wait $listener || fail "ncat -l: $?, $(cat /tmp/ncat.log)"
	cmp /tmp/f /tmp/g || fail "not the same bytes: $(wc -c </tmp/g)"
	content guest1
}

# OpenSSH's server as inetd starts it, here socat.
test_openssh_to_a_guest_from_another_and_from_dom0() { # limit 240
	equip guest1 sshd
	equip guest2 ssh
	ssh_files
	cat >/tmp/ssh/serve <<-'END'
		#!/bin/sh
		export LD_LIBRARY_PATH=/tmp/programs/lib
		exec /tmp/programs/bin/sshd -i -e -f /tmp/ssh/server
	END
	chmod +x /tmp/ssh/serve
	with_ssh guest1
	with_ssh guest2
	at guest1 socat -t 100 VSOCK-LISTEN:22,fork EXEC:/tmp/ssh/serve >/tmp/sshd.log 2>&1 </dev/null &
	file_of 1000000
	for from in dom0 guest2; do
		socat="env LD_LIBRARY_PATH=/tmp/lab/bin /tmp/lab/bin/socat"
		[ $from != dom0 ] || socat="env LD_LIBRARY_PATH=/xvs socat"
		set -- -F /tmp/ssh/client -o "ProxyCommand=$socat -t 100 - VSOCK-CONNECT:101:22,$AGAIN" root@guest1
		equal "$(at $from ssh "$@" 'echo $((6 * 7)); exit 9' </dev/null; echo $?)" "42
9" "what ssh says from $from, and its status"
		equal "$(at $from ssh "$@" sha256sum </tmp/f)" "$(sha256sum </tmp/f)" "the sum of what was sent from $from"
	done
	on guest1 killall socat </dev/null
	content guest1
	content guest2
}

test_qemu_s_guest_agent_answers_a_program_of_dom0() { # limit 120
	equip guest1 qemu-ga
	at guest1 qemu-ga -m vsock-listen -p 101:6030 -t /tmp -f /tmp/qemu-ga.pid >/tmp/ga.log 2>&1 </dev/null &
	for ask in '{"execute":"guest-ping"}={"return": {}}' '{"execute":"guest-get-time"}={"return": [0-9]*}'; do
		echo "${ask%%=*}" | at dom0 socat -t 100 - "VSOCK-CONNECT:101:6030,$AGAIN" >/tmp/answer &
		wait_for 'grep -q return /tmp/answer' 20 "the agent answers ${ask%%=*}: $(cat /tmp/ga.log)"
		grep -qx "${ask#*=}" /tmp/answer || fail "the agent: $(cat /tmp/answer)"
		killall socat
		wait $! 2>/dev/null
	done
	on guest1 killall qemu-ga </dev/null
	content guest1
}

test_ss_shows_a_guest_s_sockets() { # limit 120
	equip guest1 ss
	both guest1
	on guest1 sh -c 'lsmod | grep -q vsock_diag || insmod /tmp/lab/vsock_diag.ko' </dev/null
	ask g "listen l 6040" "listen l ok"
	ask h "connect a $GUEST1:6040" "connect a ok"
	ask g "accept a l" "accept a ok"
	at guest1 ss --vsock -a -n -p >/tmp/ss </dev/null || fail "ss: $?"
	cat /tmp/ss
	grep -q '^v_str *LISTEN .*\*:6040 .*e2e_vsock' /tmp/ss || fail "the listener is not there"
	grep -q '^v_str *ESTAB .*101:6040 *2:[0-9]* .*e2e_vsock' /tmp/ss || fail "the stream is not there"
}

test_tcpdump_shows_a_guest_s_packets() { # limit 120
	equip guest1 tcpdump ip
	both guest1
	on guest1 insmod /tmp/lab/vsockmon.ko </dev/null || fail "insmod vsockmon"
	# tcpdump asks who root is.
	on guest1 sh -c 'mkdir -p /etc; grep -qs ^root: /etc/passwd || echo "root:x:0:0:root:/root:/bin/sh" >>/etc/passwd' </dev/null
	at guest1 ip link add type vsockmon </dev/null || fail "ip link add"
	at guest1 ip link set vsockmon0 up </dev/null || fail "ip link set"
	on guest1 sh -c 'LD_LIBRARY_PATH=/tmp/programs/lib /tmp/programs/bin/tcpdump -Z root -l -n -i vsockmon0 >/tmp/packets 2>/tmp/tcpdump.log &' </dev/null
	wait_until 'on guest1 grep -q "listening on vsockmon0" /tmp/tcpdump.log </dev/null' 10 ||
		fail "tcpdump does not listen: $(on guest1 cat /tmp/tcpdump.log </dev/null)"
	joined a h 6050
	exchange h g a 5000
	closed h g a
	wait_for 'on guest1 grep -q "101.6050.*DISCONNECT" /tmp/packets </dev/null || on guest1 grep -qi "6050.*shutdown" /tmp/packets </dev/null' 20 "the end is seen: $(on guest1 cat /tmp/packets /tmp/tcpdump.log </dev/null)"
	on guest1 cat /tmp/packets </dev/null >/tmp/packets
	cat /tmp/packets
	on guest1 sh -c 'killall tcpdump; sleep 0.5; true' </dev/null
	at guest1 ip link del vsockmon0 </dev/null || fail "ip link del"
	[ "$(grep -c 'PAYLOAD\|RW' /tmp/packets)" -ge 2 ] || fail "data is not seen"
	content guest1
}

run_driver_tests "$@"
