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

# Those that cannot pass: MSG_ZEROCOPY is for pages that are handed over as they are, and what is shared with a backend is shared
# from the beginning (vsockif.h, section 4).  The driver declines it as Linux has transports do, with EOPNOTSUPP, of which
# Linux's tests know nothing.
DECLINED=MSG_ZEROCOPY

# left_out NAMES REASON
left_out() {
	_count=$(grep -c "$1.*skipped" /tmp/own.client)
	[ "$_count" = 0 ] || figure "left out: $_count of \"$1\": $2"
}

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
	eval "_at_server=\$_dir_$_server _at_client=\$_dir_$_client"
	_skip=$("$PWD/lab/$LINUX/$_test" --list | awk -v what="$DECLINED" '$0 ~ what { printf " --skip=%d", $1 }')
	rm -f /tmp/control
	mkfifo /tmp/control
	at "$_client" socat TCP-LISTEN:9999,reuseaddr STDIO </tmp/control 2>/tmp/socat.client |
		at "$_server" socat STDIO "TCP:127.0.0.1:9999,$AGAIN" >/tmp/control 2>/tmp/socat.server &
	# shellcheck disable=SC2086 # options
	on "$_server" timeout 300 "$_at_server/$_test" $_skip --mode server --control-port 9999 --peer-cid "$(cid_at "$_client")" \
		>/tmp/own.server 2>&1 </dev/null &
	_program=$!
	# shellcheck disable=SC2016,SC2086 # expanded over there; options
	on "$_client" sh -c 'until netstat -ltn | grep -q :9999; do usleep 50000; done; exec timeout 300 "$@"' own "$_at_client/$_test" $_skip \
		--mode client --control-host 127.0.0.1 --control-port 9999 --peer-cid "$(cid_at "$_server")" >/tmp/own.client 2>&1 </dev/null
	_ended=$?
	wait $_program
	_ended="$_ended $?"
	cat /tmp/own.client /tmp/own.server
	equal "$_ended" "0 0" "what $_test says, client at $_client and server at $_server"
	equal "$(grep -c '\.\.\.ok' /tmp/own.client)" "$(grep -c -v -e skipped -e '^Control' /tmp/own.client)" "tests that are ok"
	figure "$_test, client at $_client, server at $_server: $(grep -c '\.\.\.ok' /tmp/own.client) passed"
	left_out "$DECLINED" "the driver declines it (EOPNOTSUPP): no page of a program's can be shared with the backend later"
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
	# Messages (5 is SOCK_SEQPACKET): a line at a time, each with its own.
	for pair in "guest1 guest2" "guest1 dom0" "dom0 guest2"; do
		# shellcheck disable=SC2086 # words
		set -- $pair
		at "$2" socat -u -b 60000 VSOCK-LISTEN:6001,socktype=5 - >/tmp/lines 2>/tmp/socat.log </dev/null &
		listener=$!
		head -c 200000 /tmp/f | at "$1" socat -u -b 50000 - "VSOCK-CONNECT:$(cid_at "$2"):6001,socktype=5,$AGAIN" ||
			fail "messages from $1 to $2: $(cat /tmp/socat.log)"
		wait $listener || fail "socat at $2: $(cat /tmp/socat.log)"
		equal "$(sha256sum </tmp/lines)" "$(head -c 200000 /tmp/f | sha256sum)" "the sum of the messages that $1 sent to $2"
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
		fresh = 300000          # bytes of memory that nobody has touched (calloc's): the driver cannot copy that at once
		def call(results, i):
		    s = socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM)
		    s.settimeout(200)
		    s.connect((cid, 6010))
		    def send():
		        s.sendall(data)
		        s.sendall(bytes(fresh))
		        s.shutdown(socket.SHUT_WR)
		    t = threading.Thread(target=send)
		    t.start()
		    results[i] = b"".join(iter(lambda: s.recv(65536), b"")) == data + bytes(fresh)
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

# Of SOCK_SEQPACKET: each message comes whole, whatever else happens to the connection.
message_files() {
	cat >/tmp/messages.server.py <<-'END'
		import socket, sys, threading
		# What a client has sent waits until its other connection, a stream, says so.
		def listen(kind, port):
		    l = socket.socket(socket.AF_VSOCK, kind)
		    l.bind((socket.VMADDR_CID_ANY, port))
		    l.listen(8)
		    return l
		def echo(c):
		    while True:
		        data, _, flags, _ = c.recvmsg(1 << 20)
		        if not data:
		            break
		        c.sendmsg([data], [], socket.MSG_EOR if flags & socket.MSG_EOR else 0)
		    c.close()
		def read(c):
		    seen = []
		    try:
		        while True:
		            data, _, flags, _ = c.recvmsg(1 << 20)
		            if not data:
		                return seen + ["end"]
		            seen.append("%d %s" % (len(data), "same" if data == data[:1] * len(data) else "mixed"))
		    except OSError as e:
		        return seen + [e.strerror]
		def echoes():
		    while True:
		        threading.Thread(target=echo, args=(l[0].accept()[0],), daemon=True).start()
		l = [listen(socket.SOCK_SEQPACKET, 6061), listen(socket.SOCK_SEQPACKET, 6062), listen(socket.SOCK_STREAM, 6063)]
		threading.Thread(target=echoes, daemon=True).start()
		while True:
		    messages, control = l[1].accept()[0], l[2].accept()[0]
		    control.recv(1)
		    control.sendall(repr(read(messages)).encode())
		    control.close()
		    messages.close()
	END
	cat >/tmp/messages.client.py <<-'END'
		import errno, os, select, signal, socket, sys, time
		cid = int(sys.argv[1])
		def call(port, kind=socket.SOCK_SEQPACKET):
		    for again in range(1000):
		        s = socket.socket(socket.AF_VSOCK, kind)
		        try:
		            s.connect((cid, port))
		            return s
		        except OSError as e:
		            s.close()
		            if again == 999:
		                raise
		            time.sleep(0.1)
		def expect(what, got, wanted):
		    if got != wanted:
		        sys.exit("%s: %s, not %s" % (what, str(got)[:300], str(wanted)[:300]))
		def error(call, *args):
		    try:
		        return call(*args)
		    except OSError as e:
		        return errno.errorcode[e.errno]
		def pair():
		    return call(6062), call(6063, socket.SOCK_STREAM)
		def told(control):
		    control.sendall(b"x")
		    return eval(b"".join(iter(lambda: control.recv(65536), b"")))

		# There and back: one byte, a packet, more than one, all that the buffer takes.
		s = call(6061)
		for size in (1, 4096, 65536, 65537, 200000, 262144):
		    data = os.urandom(size)
		    expect("bytes sent", s.send(data), size)
		    expect("a message of %d" % size, s.recv(1 << 20) == data, True)
		expect("a message larger than the buffer", error(s.send, bytes(262145)), "EMSGSIZE")
		for i in range(100):
		    s.send(bytes([i]) * (i + 1))
		for i in range(100):
		    expect("message %d of 100" % i, s.recv(1 << 20), bytes([i]) * (i + 1))
		s.sendmsg([b"abc"], [], socket.MSG_EOR)
		data, _, flags, _ = s.recvmsg(100)
		expect("MSG_EOR", (data, bool(flags & socket.MSG_EOR)), (b"abc", True))
		s.send(b"0123456789")
		s.send(b"next")
		data, _, flags, _ = s.recvmsg(4)
		expect("a part of a message", (data, bool(flags & socket.MSG_TRUNC)), (b"0123", True))
		expect("the next one", s.recv(100), b"next")
		s.shutdown(socket.SHUT_WR)
		expect("the end", s.recv(100), b"")
		s.close()

		# Without room for all of a message nothing of it is sent, whoever waits for it and gives up.
		def fill(s):
		    sent = 0
		    s.setblocking(False)
		    while error(s.send, b"a" * 100000) == 100000:
		        sent += 1
		    return sent
		s, control = pair()
		sent = fill(s)
		expect("a message without room for it", error(s.send, b"b" * 100000), "EAGAIN")
		expect("poll", select.select([], [s], [], 0)[1], [])
		expect("a smaller one", error(s.send, b"c" * 10), 10)
		s.setblocking(True)
		class Rang(Exception):
		    pass
		def rang(*_):
		    raise Rang
		signal.signal(signal.SIGALRM, rang)
		try:
		    signal.setitimer(signal.ITIMER_REAL, 0.3)
		    s.send(b"d" * 100000)
		    sys.exit("a message without room was sent")
		except Rang:
		    pass
		s.shutdown(socket.SHUT_WR)
		expect("what was read", told(control), ["100000 same"] * sent + ["10 same", "end"])

		# What has come before a reset is read first.
		s, control = pair()
		for size in (10, 70000, 3):
		    s.send(b"e" * size)
		s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, 1)   # Python knows 64 bits for AF_VSOCK: on, and no time
		s.close()
		expect("before the reset", told(control), ["10 same", "70000 same", "3 same", "Connection reset by peer"])
		# Who listens does so for one type.
		def other(kind, port):
		    return error(socket.socket(socket.AF_VSOCK, kind).connect, (cid, port))
		expect("a stream to a listener for messages", other(socket.SOCK_STREAM, 6061), "ECONNRESET")
		expect("messages to a listener for streams", other(socket.SOCK_SEQPACKET, 6063), "ECONNRESET")
		print("good")
	END
}

test_messages_between_guests() { # limit 240
	equip guest1 python3
	equip guest2 python3
	message_files
	at guest2 python3 - </tmp/messages.server.py >/tmp/server.log 2>&1 &
	equal "$(cat /tmp/messages.client.py | at guest1 python3 - 102 2>&1)" good "from guest1 to guest2 ($(cat /tmp/server.log))"
	on guest2 killall python3 </dev/null
	content guest1
	content guest2
}

# ---- the command, with messages ---------------------------------------------------------------------------

# frames BYTES...: messages of these sizes, each behind its length: with FORM frames a message's boundaries are seen as well.
frames() {
	for _size; do
		# shellcheck disable=SC2059 # made of digits alone
		printf "$(printf '\\%03o\\%03o\\%03o\\%03o' $((_size >> 24)) $((_size >> 16 & 255)) $((_size >> 8 & 255)) $((_size & 255)))"
		head -c "$_size" /dev/urandom
	done
}

# there_and_back CALLER NAME HOST [GUEST]: the caller's name for who serves; and for whom that one does, if it is dom0.
there_and_back() {
	spawn served "$3" xvs serve --seqpacket=frames 5070 ${4:+"$4"} -- cat
	on "$1" xvs cat -r 60 --seqpacket=frames "$2" 5070 </tmp/sent >/tmp/came 2>/tmp/said || fail "from $1 to $3: status $?: $(cat /tmp/said)"
	cmp /tmp/sent /tmp/came || fail "from $1 to $3 and back: other messages"
	signal served TERM
	status_of served >/tmp/status
}

test_the_command_s_messages_between_guests_and_with_dom0() { # limit 240
	drive guest2
	with_dom0
	# To dom0's sockets a message has at most 80 KiB (xvsd(8)); between guests what the buffer takes.
	frames 1 2 4095 4096 4097 65535 65536 65537 3 81920 1 >/tmp/sent
	there_and_back dom0 guest1 guest1
	there_and_back guest1 host dom0 guest1
	frames 1 65535 65536 65537 3 262144 4096 200000 1 >/tmp/sent
	there_and_back guest1 102 guest2
	there_and_back guest2 101 guest1
	# What a program of the kernel's sockets sees of them; and lines.
	messages_read guest1 5071
	head -c 100000 /dev/zero | on guest2 xvs cat -r 60 --seqpacket=30000 101 5071 2>/tmp/said || fail "status $?: $(cat /tmp/said)"
	messages_were guest1 "30000 same 30000 same 30000 same 10000 same end"
	spawn lines guest1 xvs cat -l --seqpacket=frames 5072
	printf 'one\ntwo three\n\nlast' | on guest2 xvs cat -r 60 --seqpacket 101 5072 2>/tmp/said || fail "status $?: $(cat /tmp/said)"
	equal "$(status_of lines)" 0 "the status of who heard the lines: $(cat $PEER/lines.err)"
	printf '\0\0\0\4one\n\0\0\0\12two three\n\0\0\0\1\n\0\0\0\4last' >/tmp/expected
	cmp $PEER/lines.out /tmp/expected || fail "lines are other messages: $(od -c $PEER/lines.out)"
	content guest1
	content guest2
}

test_the_command_s_messages_that_do_not_arrive() { # limit 240
	drive guest2
	with_dom0
	# One that is too large is not sent, and what was before it has come.
	spawn heard guest1 xvs cat -l --seqpacket=frames 5073
	frames 10 300000 >/tmp/sent
	on guest2 xvs cat -r 60 --seqpacket=frames 101 5073 </tmp/sent >/tmp/came 2>/tmp/said
	equal "$? $(grep -c 'a message of 300000 bytes is larger than the other end can take, and was not sent' /tmp/said)" "7 1" "too large: $(cat /tmp/said)"
	status_of heard >/tmp/status
	head -c 14 /tmp/sent | cmp - $PEER/heard.out || fail "what was before it: $(wc -c <$PEER/heard.out) bytes"
	# A command that fails.
	spawn served guest1 xvs serve --seqpacket=lines 5074 -- sh -c 'read line; echo "$line too"; exit 3'
	echo words | on guest2 xvs cat -r 60 --seqpacket 101 5074 >/tmp/came 2>/tmp/said
	equal "$? $(cat /tmp/came)" "6 words too" "a command that fails: $(cat /tmp/said)"
	# Streams and messages do not mix, whoever listens.
	on guest2 xvs cat 101 5074 </dev/null >/tmp/came 2>/tmp/said
	equal $? 4 "a stream to messages: $(cat /tmp/said)"
	signal served TERM
	status_of served >/tmp/status
	spawn served guest1 xvs serve 5075 -- cat
	on guest2 xvs cat -r 60 -z 101 5075 </dev/null 2>/tmp/said || fail "it does not listen: $(cat /tmp/said)"
	on guest2 xvs cat --seqpacket 101 5075 </dev/null >/tmp/came 2>/tmp/said
	equal $? 4 "messages to a stream: $(cat /tmp/said)"
	signal served TERM
	status_of served >/tmp/status
	content guest1
	content guest2
}

# ---- other programs --------------------------------------------------------------------------------------

test_ncat_between_guests() { # limit 120
	equip guest1 ncat
	equip guest2 ncat
	file_of 500000
	# With its CID: the newer one takes a number alone for that, the older for the port.
	at guest1 ncat --vsock -l 101 6020 --recv-only >/tmp/g 2>/tmp/ncat.log </dev/null &
	listener=$!
	wait_until 'at guest2 ncat --vsock 101 6020 --send-only </tmp/f' 20 || fail "ncat does not connect: $(cat /tmp/ncat.log)"
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

# systemd's generator finds AF_VSOCK, and has OpenSSH's server called at port 22; its proxy is what `ssh vsock/CID` calls by.
test_ssh_vsock_cid_as_systemd_has_it() { # limit 180
	[ -d ./programs ] || skip "needs XVS_PROGRAMS, programs of Debian's (programs/gather.sh)"
	[ -e $programs/bin/systemd-ssh-generator ] || skip "needs a systemd that has it, such as Debian 13's"
	equip guest2 ssh systemd-ssh-proxy
	create debian || fail "the guest with systemd does not start"
	drive debian
	ssh_files /usr/lib/openssh
	with_ssh guest2
	with_ssh debian
	rm -rf /tmp/kit
	pack /tmp/kit sshd systemd-ssh-generator
	put debian /tmp/kit /tmp/kit || fail "the guest does not take the programs"
	# As its packages would have them.  What the guest has of libraries it keeps.
	on debian sh -c 'mkdir -p /usr/lib/openssh /usr/lib/systemd/system-generators /etc/ssh /root/.ssh
		for l in /tmp/kit/lib/*; do [ -e /usr/lib/x86_64-linux-gnu/${l##*/} ] || cp $l /usr/lib/x86_64-linux-gnu/; done
		cd /tmp/kit/bin && cp sshd /usr/sbin/ && cp sshd-* /usr/lib/openssh/ && cp systemd-ssh-generator /usr/lib/systemd/system-generators/
		cp /tmp/ssh/server /etc/ssh/sshd_config; cp /tmp/ssh/authorized /root/.ssh/authorized_keys; rm -r /tmp/kit' </dev/null
	on debian systemctl daemon-reload </dev/null || fail "daemon-reload"
	on debian systemctl start sshd-vsock.socket </dev/null || fail "the generator has made no socket: $(on debian systemctl status --no-pager sshd-vsock.socket </dev/null)"
	equal "$(on debian systemctl show -P Listen sshd-vsock.socket </dev/null)" "vsock::22 (Stream)" "where it listens"
	wait_for 'xvs ls debian | grep -q "in use"' 20 "the guest is connected"
	cid=$(xvs ls --json debian | sed -n 's/.*"cid": *\([0-9]*\).*/\1/p')
	# The configuration of who calls is systemd's, but for the key.
	mkdir -p /usr/lib/systemd
	cp $programs/bin/systemd-ssh-proxy /usr/lib/systemd/
	on guest2 sh -c 'mkdir -p /usr/lib/systemd && cp /tmp/programs/bin/systemd-ssh-proxy /usr/lib/systemd/' </dev/null
	{ printf 'IdentityFile /tmp/ssh/key\nBatchMode yes\nConnectTimeout 100\n'; cat ./programs/20-systemd-ssh-proxy.conf; } >/tmp/ssh/vsock
	put guest2 /tmp/ssh/vsock /tmp/ssh/vsock
	file_of 1000000
	for from in dom0 guest2; do
		equal "$(at $from ssh -F /tmp/ssh/vsock root@vsock/"$cid" 'echo $((6 * 7)); exit 9' </dev/null; echo $?)" "42
9" "what ssh says from $from, and its status ($(on debian journalctl -n 5 --no-pager -o cat </dev/null))"
		equal "$(at $from ssh -F /tmp/ssh/vsock root@vsock/"$cid" sha256sum </tmp/f)" "$(sha256sum </tmp/f)" "the sum of what was sent from $from"
	done
	figure "$(on debian systemctl --version </dev/null | head -n 1): ssh vsock/$cid from dom0 and from another guest"
	kernel_is_content debian
	content guest2
	crash debian
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
