#!/bin/sh
# SPDX-License-Identifier: MIT
# lab: cold guests=smp programs timeout=600
#
# A guest as a whole: what xl gives, Linux puts on line by xvs-agent, and what xl takes it has given up before; what is
# copied there and back; other programs of the guest, by the agent's broker; and Debian's qemu-guest-agent behind xvs-agent, which
# has a file system stand still, until it shuts the guest down.
. ./lib.sh
. ./programs.sh
export XVS_RUN_DIR=/run/xvs

# Libraries of the agent's that the lab's guests have not: one that it is linked with, and what it opens to copy.
equip() {
	put smp "$(find /usr/lib /lib -name libinih.so.1 | head -n 1)" "$XVS_BIN/libinih.so.1"
	if [ -e $programs/lib/libarchive.so.13 ]; then
		mkdir -p /tmp/archive
		cp $programs/lib/libarchive.so.13 /tmp/archive/
		for library in $(LD_TRACE_LOADED_OBJECTS=1 LD_PRELOAD=$programs/lib/libarchive.so.13 LD_LIBRARY_PATH=$LD_LIBRARY_PATH:$programs/lib xvs |
			sed -n "s|.* => \($programs/[^ ]*\) .*|\1|p"); do
			cp "$library" /tmp/archive/
		done
		put smp /tmp/archive /tmp/archive || fail "the guest does not take libarchive"
	fi
	: >/tmp/equipped
}

# A daemon for each test; the agent of the first goes on.
start() {
	mkdir -p $XVS_RUN_DIR
	xvsd --run-dir $XVS_RUN_DIR >/tmp/xvsd.log 2>&1 </dev/null &
	[ -e /tmp/equipped ] || equip
	# shellcheck disable=SC2016 # expanded over there
	on smp sh -c '[ -e /tmp/agent.pid ] && kill -0 $(cat /tmp/agent.pid) || { PATH=/tmp/ga:$PATH LD_LIBRARY_PATH=$LD_LIBRARY_PATH:/tmp/archive xvs-agent >/tmp/agent.log 2>&1 & echo $! >/tmp/agent.pid; }' </dev/null
	xvs exec --retry 60 smp -- true || fail "the agent does not answer: $(cat /tmp/xvsd.log; on smp cat /tmp/agent.log)"
}

processors() {
	on smp sh -c 'cat /sys/devices/system/cpu/online' </dev/null
}

test_processors_there_and_back_ten_times() { # limit 240
	start
	xvs vcpus smp || fail "xvs vcpus"
	# The lab's host has one processor.
	xvs vcpus smp 2 2>/tmp/err && fail "more than the host has"
	grep -e --ignore-host /tmp/err || fail "more than the host has: $(cat /tmp/err)"
	for i in 1 2 3 4 5 6 7 8 9 10; do
		equal "$(xvs vcpus -i --json smp 2)" '{"guest":{"online":2,"present":2},"xen":{"online":2,"most":2}}' "there, $i"
		equal "$(processors)" 0-1 "what the guest has, $i"
		equal "$(xvs vcpus --json smp 1 | sed 's/"present":[12]/"present":N/')" \
			'{"guest":{"online":1,"present":N},"xen":{"online":1,"most":2}}' "back, $i"
		equal "$(processors)" 0 "what the guest has left, $i"
	done
	xvs vcpus smp 3 2>/tmp/err && fail "a third one"
	grep 'maxvcpus' /tmp/err || fail "a third one: $(cat /tmp/err)"
	xvs vcpus -i smp 2 || fail "not at the end"
	xvs exec smp -- sh -c 'yes >/dev/null & yes >/dev/null & sleep 1; kill %1 %2; nproc' >/tmp/nproc || fail "no work on two"
	equal "$(cat /tmp/nproc)" 2 nproc
	kernel_is_content smp
}

test_memory_down_and_up() { # limit 120
	start
	xvs memory smp || fail "xvs memory"
	xvs memory -t 100 smp 224M || fail "down"
	xvs memory -t 100 --json smp 256M >/tmp/memory || fail "up"
	grep -q '"given":26[789]' /tmp/memory || fail "$(cat /tmp/memory)"
	figure "$(cat /tmp/memory)"
	kernel_is_content smp
}

test_qemu_guest_agent_answers_by_xvs_agent() { # limit 120
	[ -d ./programs ] || skip "needs XVS_PROGRAMS, programs of Debian's (programs/gather.sh)"
	start
	xvs info smp 2>/tmp/err && fail "it is there already"
	grep 'install the package' /tmp/err || fail "without it: $(cat /tmp/err)"
	pack /tmp/ga qemu-ga
	printf '#!/bin/sh\nLD_LIBRARY_PATH=/tmp/ga/lib exec /tmp/ga/bin/qemu-ga "$@"\n' >/tmp/ga/qemu-ga
	chmod +x /tmp/ga/qemu-ga
	put smp /tmp/ga /tmp/ga || fail "the guest does not take it"
	xvs info smp || fail "xvs info: $(on smp cat /tmp/agent.log </dev/null)"
	xvs info --json smp | grep -q '"machine":"x86_64"' || fail "xvs info --json"
	xvs ga smp guest-get-vcpus || fail "xvs ga"
	on smp date -s '2001-02-03 04:05:06' </dev/null
	xvs time-sync smp >/tmp/time || fail "xvs time-sync"
	grep -q 'behind, is' /tmp/time || fail "xvs time-sync: $(cat /tmp/time)"
	figure "$(cat /tmp/time)"
	# A guest that is all memory has no file system to stand still; qemu-guest-agent goes through it all the same.
	xvs freeze -v --for 60 smp -- xvs exec smp -- true || fail "xvs freeze"
	: >/tmp/has-ga
	kernel_is_content smp
}

# Who writes in the guest, its process id in /tmp/writer; /tmp/written comes behind it.
writes='rm -f /tmp/written; sh -c "echo \$\$ >/tmp/writer; echo line >>/mnt/file && : >/tmp/written" >/dev/null 2>&1 </dev/null &'
stands='grep -q "^State:.D" /proc/$(cat /tmp/writer)/status'

test_a_write_on_a_disk_stands_still_while_a_command_runs_on_the_host() { # limit 120
	[ -e $programs/lib/brd.ko ] || skip "needs XVS_PROGRAMS, with brd.ko (programs/gather.sh)"
	start
	[ -e /tmp/has-ga ] || fail "qemu-guest-agent is not there: the test before has failed"
	put smp $programs/lib/brd.ko /tmp/brd.ko
	on smp sh -c 'insmod /tmp/brd.ko rd_nr=1 rd_size=8192; [ -b /dev/ram0 ] || mknod /dev/ram0 b 1 0
		busybox mke2fs /dev/ram0 >/dev/null && mkdir -p /mnt && mount -t ext4 /dev/ram0 /mnt && grep " /mnt ext4 " /proc/mounts' </dev/null ||
		fail "no ext4 on a disk: $(on smp dmesg </dev/null | tail -n 3)"
	cat >/tmp/while-frozen <<-END
		#!/bin/sh
		xvs exec smp -- sh -c '$writes'
		until xvs exec smp -- sh -c '$stands'; do sleep 0.05; done
		xvs exec smp -- sh -c '[ ! -e /tmp/written ] && [ ! -s /mnt/file ]'
	END
	chmod +x /tmp/while-frozen
	xvs freeze -v --for 100 smp -- /tmp/while-frozen 2>/tmp/err || fail "status $?: $(cat /tmp/err)"
	grep 'smp: 1 file systems are frozen' /tmp/err || fail "how many: $(cat /tmp/err)"
	wait_for 20 "the write goes on" on smp sh -c '[ -e /tmp/written ] && [ "$(cat /mnt/file)" = line ]' </dev/null
	# Whoever runs the command is killed: the guest thaws, and the command ends.
	xvs freeze --for 1000 smp -- sh -c ': >/tmp/runs; sleep 765432' </dev/null &
	_freezer=$!
	wait_for 60 "the command runs" [ -e /tmp/runs ]
	# shellcheck disable=SC2086 # shell text
	xvs exec smp -- sh -c "$writes"
	wait_for 20 "the write stands still" xvs exec smp -- sh -c "$stands"
	kill -9 $_freezer
	wait_for 60 "the write goes on" on smp sh -c '[ -e /tmp/written ]' </dev/null
	wait_for 20 "the command ends" sh -c '! ps | grep -q "[s]leep 765432"'
	on smp sh -c 'cat /mnt/file; umount /mnt' </dev/null
	kernel_is_content smp
}

# Programs of the guest's that are not ours, with the sockets that the agent keeps: "calls", "is_called" or "is_cut".
broker_py() {
	cat <<-'END'
		import socket, sys
		def call(where):
		    s = socket.socket(socket.AF_UNIX)
		    s.connect("/run/xvs/vsock")
		    s.sendall(b"CONNECT %s\n" % where)
		    line = b""
		    while not line.endswith(b"\n"):
		        byte = s.recv(1)
		        assert byte, line
		        line += byte
		    assert line.startswith(b"OK "), line
		    return s
		def rest(s):
		    got = b""
		    while True:
		        more = s.recv(65536)
		        if not more:
		            return got
		        got += more
		def calls():
		    streams = [call(b"2:700") for i in range(120)]
		    for i, s in enumerate(streams):
		        s.sendall(b"x" * (1000 + i))
		    for s in streams:
		        s.shutdown(socket.SHUT_WR)
		    for i, s in enumerate(streams):
		        got = rest(s)
		        assert int(got) == 1000 + i, (i, got)
		def is_called():
		    l = socket.socket(socket.AF_UNIX)
		    l.bind("/run/xvs/vsock_800")
		    l.listen(16)
		    got = b""
		    while not got:      # a caller may have given up, on a slow machine
		        s, _ = l.accept()
		        got = rest(s)
		        try:
		            s.sendall(b"<" + got + b">")
		        except OSError:
		            got = b""
		        s.close()
		def is_cut():
		    s, got = call(b"702"), b""
		    try:
		        while True:
		            more = s.recv(100)
		            assert more, "an end in order"
		            got += more
		    except ConnectionResetError:
		        assert got == b"word\n", got
		globals()[sys.argv[1]]()
	END
}

test_other_programs_of_the_guest_use_the_agents_device() { # limit 240
	[ -d ./programs ] || skip "needs XVS_PROGRAMS, programs of Debian's (programs/gather.sh)"
	start
	pack /tmp/python python3
	broker_py >/tmp/python/broker.py
	put smp /tmp/python /tmp/python || fail "the guest does not take Python"
	py() { on smp sh -c 'LD_LIBRARY_PATH=/tmp/python/lib exec /tmp/python/bin/python3 /tmp/python/broker.py "$1"' py "$1" </dev/null; }
	for _one in '700 wc -c' '702 echo word; exit 3'; do
		xvs serve "${_one%% *}" smp -- sh -c "${_one#* }" >/tmp/serve.log 2>&1 </dev/null &
		wait_for 20 "a listener at ${_one%% *}" [ -S "$XVS_RUN_DIR/guest/smp/vsock_${_one%% *}" ]
	done
	py calls || fail "120 streams at once"
	py is_cut || fail "a stream that is cut"
	py is_called >/tmp/called.log 2>&1 &
	_called=$!
	wait_for 20 "a listener in the guest" on smp [ -S /run/xvs/vsock_800 ] </dev/null
	equal "$(echo -n hello | xvs cat --wait 60 --retry 60 smp 800)" '<hello>' \
		"a call from the host: $(cat /tmp/called.log; on smp sh -c 'ls -l /run/xvs; tail -n 3 /tmp/agent.log' </dev/null)"
	wait $_called || fail "who is called: $(cat /tmp/called.log)"
	# The command by itself, while the agent has the device.
	equal "$(on smp sh -c 'head -c 300000 /dev/zero | xvs cat host 700' </dev/null | tr -d ' ')" 300000 "xvs cat in the guest"
	on smp sh -c 'xvs cat host 7999 </dev/null' </dev/null
	equal $? 4 "nobody listens there"
	on smp sh -c 'xvs serve 801 -- wc -c >/tmp/serve.log 2>&1 </dev/null & echo $! >/tmp/serve.pid' </dev/null
	wait_for 20 "xvs serve in the guest" on smp [ -S /run/xvs/vsock_801 ] </dev/null
	_jobs=
	for _i in 1 2 3 4 5 6 7 8 9 10; do
		{ head -c 10000$_i /dev/zero | xvs cat --wait 60 --retry 60 smp 801 >/tmp/count.$_i; } &
		_jobs="$_jobs $!"
	done
	for _job in $_jobs; do wait "$_job" || fail "ten calls at once: status $?"; done
	for _i in 1 2 3 4 5 6 7 8 9 10; do equal "$(tr -d ' ' </tmp/count.$_i)" 10000$_i "call $_i"; done
	on smp sh -c 'kill $(cat /tmp/serve.pid)' </dev/null
	on smp rm -rf /tmp/python </dev/null
	kernel_is_content smp
}

cp_of() {
	LD_LIBRARY_PATH=$LD_LIBRARY_PATH:/tmp/archive xvs cp "$@"
}

# What is in a folder: types, modes, where links lead, sums.
listing='cd "$0" && find . | sort | while read -r f; do stat -c "%n %f" "$f"; if [ -L "$f" ]; then readlink "$f"; elif [ -f "$f" ]; then sha256sum <"$f"; fi; done'

test_files_and_folders_are_copied_there_and_back() { # limit 240
	[ -e $programs/lib/libarchive.so.13 ] || skip "needs XVS_PROGRAMS, with libarchive (programs/gather.sh)"
	start
	mkdir -p /tmp/tree/sub/deep
	head -c 3000001 /dev/urandom >/tmp/tree/sub/large
	for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do echo $i >/tmp/tree/sub/deep/$i; done
	: >/tmp/tree/empty
	chmod 640 /tmp/tree/empty
	ln -s sub/large /tmp/tree/link
	cp_of /tmp/tree smp:/tmp/ || fail "there: $(on smp tail -n 3 /tmp/agent.log </dev/null)"
	equal "$(xvs exec smp -- sh -c "$listing" /tmp/tree)" "$(sh -c "$listing" /tmp/tree)" "what is there"
	cp_of smp:/tmp/tree/. /tmp/back || fail "back: $(on smp tail -n 3 /tmp/agent.log </dev/null)"
	equal "$(sh -c "$listing" /tmp/back)" "$(sh -c "$listing" /tmp/tree)" "what is back"
	cp_of smp:/tmp/none /tmp/ 2>/tmp/err && fail "what is not there"
	grep none /tmp/err || fail "what is not there: $(cat /tmp/err)"
	kernel_is_content smp
}

# In this guest process 1 is no systemd, so shutdown is a script.
test_a_shutdown_is_the_end_of_the_guest() { # limit 120
	[ -d ./programs ] || skip "needs XVS_PROGRAMS, programs of Debian's (programs/gather.sh)"
	start
	on smp sh -c 'printf "#!/bin/sh\nexec busybox poweroff -f\n" >/sbin/shutdown; chmod +x /sbin/shutdown' </dev/null
	xvs shutdown -v smp || fail "xvs shutdown"
	wait_for 20 "the domain goes" sh -c '! xl domid smp'
}

run_tests "$@"
