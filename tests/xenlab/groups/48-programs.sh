#!/bin/sh
# SPDX-License-Identifier: MIT
# lab: e2e with=vsock.sh programs timeout=600
#
# Programs of Debian's that know nothing of xvs, in dom0, by AF_VSOCK: Python, Nmap's netcat, OpenSSH.
[ -d ./programs ] || {
	echo "FAIL programs: they are not there: make check-xen gathers them"
	exit 1
}
. ./vsock.sh
. ./programs.sh

# The guest answers with a sum of what was sent, which it can when that half has ended.
test_python_s_sockets_with_a_guest() { # limit 120
	daemon_with "af_vsock = yes"
	serve guest1 7000 sha256sum
	debians python3 - >/tmp/out <<-'END' || fail "python3: $?"
		import hashlib, os, socket
		data = os.urandom(2000000)
		with socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM) as s:
		    s.settimeout(100)
		    s.connect((101, 7000))
		    assert s.getpeername() == (101, 7000), s.getpeername()
		    s.sendall(data)
		    s.shutdown(socket.SHUT_WR)
		    answer = b"".join(iter(lambda: s.recv(4096), b""))
		assert answer.split()[0].decode() == hashlib.sha256(data).hexdigest(), answer
		with socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM) as s:
		    s.settimeout(100)
		    try:
		        s.connect((101, 7001))
		    except ConnectionResetError:
		        print("refused")
	END
	equal "$(cat /tmp/out)" refused "a port that nobody serves"
}

test_python_listens_for_a_guest() { # limit 120
	unserve guest1
	mkfifo /tmp/ready
	debians python3 - >/tmp/out <<-'END' &
		import socket
		s = socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM)
		s.settimeout(200)
		s.bind((socket.VMADDR_CID_ANY, 9300))
		s.listen(8)
		open("/tmp/ready", "w").close()
		for _ in range(3):
		    c, (cid, port) = s.accept()
		    c.settimeout(200)
		    said = b"".join(iter(lambda: c.recv(4096), b""))
		    print(cid, said.decode().strip(), flush=True)
		    c.sendall(said.upper())
		    c.close()
	END
	listener=$!
	: </tmp/ready
	for word in one two three; do
		equal "$(on guest1 sh -c "echo $word | xvs cat --retry 60 host 9300" </dev/null)" \
			"$(echo $word | tr '[:lower:]' '[:upper:]')" "the answer"
	done
	wait $listener || fail "python3: $?"
	equal "$(tr '\n' ' ' </tmp/out)" "101 one 101 two 101 three " "who called, and what was said"
}

test_ncat_reaches_a_guest_and_is_reached() { # limit 120
	serve guest1 7000 cat
	file_of 300000
	timeout $((60 * PATIENCE)) env LD_LIBRARY_PATH=$programs/lib $programs/bin/ncat --vsock 101 7000 </tmp/f >/tmp/g || fail "ncat: $?"
	cmp /tmp/f /tmp/g || fail "not the same bytes: $(wc -c </tmp/g)"
	unserve guest1
	put guest1 /tmp/f /tmp/f
	LD_LIBRARY_PATH=$programs/lib $programs/bin/ncat --vsock -l 9400 --recv-only >/tmp/h </dev/null &
	listener=$!
	on guest1 sh -c 'xvs cat --retry 60 host 9400 </tmp/f' </dev/null || fail "xvs cat: $?"
	wait $listener || fail "ncat -l: $?"
	cmp /tmp/f /tmp/h || fail "not the same bytes: $(wc -c </tmp/h)"
}

ssh_by() { # PROXY COMMAND...
	_how=$1
	shift
	LD_LIBRARY_PATH=$programs/lib timeout $((60 * PATIENCE)) $programs/bin/ssh -F /tmp/ssh/client -o "ProxyCommand=$_how" root@guest1 "$@"
}

# OpenSSH's server in a guest, one process a connection, as inetd has it.
test_ssh_to_a_guest_by_a_proxy_command() { # limit 200
	ssh_files /tmp/ssh/bin
	pack /tmp/ssh sshd
	with_ssh guest1
	serve guest1 22 env LD_LIBRARY_PATH=/tmp/ssh/lib /tmp/ssh/bin/sshd -i -e -f /tmp/ssh/server
	# socat and xvs have dom0's libraries, not those that ssh came with.
	equal "$(ssh_by 'env LD_LIBRARY_PATH=/xvs socat - VSOCK-CONNECT:101:22' 'echo $((6 * 7)); exit 9'; echo $?)" "42
9" "what ssh says by socat, and its status"
	file_of 1000000
	ssh_by 'env LD_LIBRARY_PATH=/xvs xvs cat guest1 22' 'cat >/tmp/by.ssh; sha256sum </tmp/by.ssh' </tmp/f >/tmp/sum || fail "ssh by xvs cat: $?"
	equal "$(cat /tmp/sum)" "$(sha256sum </tmp/f)" "the sum of what was sent by xvs cat"
	unserve guest1
}

run_vsock_tests "$@"
